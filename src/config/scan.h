/*
 * A look at the text before libconfig reads it: what libconfig takes without a word, or refuses
 * with too few; and the cut into pieces that it reads in linear time.
 *
 * libconfig 1.5 cuts integers to 32 bits and strings at "\x00" silently, reads any file that
 * "@include" names, and says "syntax error" at the end of the file when a bracket or a quote far
 * above is not closed, and no more to text without quotes or a number with a unit; of a name that is
 * defined twice it does not say which, nor where it was first.
 * Of a string in a list it takes the line of the comma or bracket behind it. It compares each name
 * with all others of its group: ten thousand tunnels take it seconds. And it reads nothing behind the
 * first error. So the top level and the groups there are cut into their members, and doubles are found
 * here.
 */
#ifndef ADIT_CONFIG_SCAN_H
#define ADIT_CONFIG_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "config/errors.h"

/* Begins the string that stands for a value which is none, in a piece that is good otherwise. */
#define SCAN_BROKEN "\x01"

/* A setting, or several that nobody can tell apart, of the top level or of a group there. */
struct scan_piece {
	size_t at;      /* in the text of its part */
	size_t origin;  /* in the text that was cut */
	size_t outer;   /* of an inner one: which of the outer pieces has the group that it is of */
	size_t element; /* in the lines of elements: that of the first in it */
	int line;       /* of the text, where it begins */
	char *name;     /* the first in it; NULL: there is none */
	bool broken;    /* an error in it has been told */
	bool has_broken_values; /* strings that begin with SCAN_BROKEN, each told of */
};

/* Pieces in their order, each with a zero byte behind it. */
struct scan_part {
	struct strbuf text;
	struct scan_piece *pieces;
	size_t count;
};

/*
 * A text, cut. A cut is made only where one setting has ended and a name begins the next: what
 * stands in a group is a row of settings if and only if that is true of each of its pieces, so the
 * pieces are good when the whole is; and where one is not, the others are what they are.
 */
struct scan {
	/* All but what stands in the groups of the top level, one piece at least; and that, one at least for each group. */
	struct scan_part outer, inner;
	int *element_lines; /* where each element of an array or a list begins, in their order */
	size_t element_count;
};

/* Fills ret_scan, to be cleared in any case. Integers of 64 bits have got the L that libconfig needs.
 * Adds what is wrong to errors. False: a bracket, a string or a comment is not closed, so that nobody knows what the rest
 * means; then the pieces are worth nothing. */
bool scan_text(const char *text, size_t n, const char *file, struct scan *ret_scan,
    struct config_errors *errors) MUST_CHECK;
void scan_clear(struct scan *scan);

#endif
