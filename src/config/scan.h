/*
 * A look at the text before libconfig reads it: what libconfig takes without a word, or refuses
 * with too few; and the cut into pieces that it reads in linear time.
 *
 * libconfig 1.5 cuts integers to 32 bits and strings at "\x00" silently, reads any file that
 * "@include" names, and says "syntax error" at the end of the file when a bracket or a quote far
 * above is not closed; of a name that is defined twice it does not say which, nor where it was first.
 * And it compares each name with all others of its group: ten thousand tunnels take it seconds. So
 * the groups of the top level are cut into their members, and doubles are found here.
 */
#ifndef ADIT_CONFIG_SCAN_H
#define ADIT_CONFIG_SCAN_H

#include <stddef.h>

#include "base/str.h"
#include "config/errors.h"

/*
 * A text, cut. A cut is made only where one setting has ended and a name begins the next: what
 * stands in a group is a row of settings if and only if that is true of each of its pieces, so the
 * pieces are good when the whole is.
 */
struct scan {
	struct strbuf
	    outer; /* all but what stands in the groups of the top level; every line of the
				text is there */
	struct strbuf inner; /* the pieces, each with a zero byte behind it */
	struct scan_piece {
		size_t
		    group; /* how many groups of the top level are before the one that it is of */
		size_t at; /* in inner */
		int line;  /* of the text, where it begins */
	} * pieces;        /* in order; every group has one at least */
	size_t piece_count;
};

/* Fills ret_scan, to be cleared in any case. Integers of 64 bits have got the L that libconfig needs.
 * Adds what is wrong to errors; then the pieces are worth nothing. */
void scan_text(const char *text, size_t n, const char *file, struct scan *ret_scan,
    struct config_errors *errors);
void scan_clear(struct scan *scan);

#endif
