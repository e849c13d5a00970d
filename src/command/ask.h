/*
 * Asking the daemon: one HTTP request over the control socket, blocking. For the commands that look at a running daemon.
 */
#ifndef ADIT_COMMAND_ASK_H
#define ADIT_COMMAND_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "command/command.h"

/* What those commands have in common: -c FILE, -s PATH; the names stand behind. */
struct ask_options {
	const char *config;
	const char *socket;
};
#define ASK_OPTION_LIST \
	{"config", required_argument, NULL, 'c'}, \
	{ \
		"socket", required_argument, NULL, 's' \
	}
#define ASK_OPTION_HELP \
	"  -c, --config FILE   the daemon's configuration file, for its control_socket\n" \
	"  -s, --socket PATH   the daemon's control socket\n"

/* Is it -c or -s, as getopt_long() gave it? Then it was taken. */
bool ask_takes_option(struct ask_options *options, int option);

struct ask_answer {
	int code;           /* of HTTP */
	struct strbuf body; /* the caller's to clear */
};

/* 0; ERR_NETWORK: no daemon answers there, or it does not answer (it answers at once, or something is wrong with it);
 * ERR_LOCAL: not permitted; ERR_PEER: what answers is not adit. */
int ask(const struct ask_options *options, const char *method, const char *path,
    struct ask_answer *ret_answer, struct err *e) MUST_CHECK;
/* The same for what the daemon answers when it is so far: ERR_TIMEOUT after timeout_ms (0: never). on_line (may be NULL) gets
 * each line of the body as it comes, instead of the body; false: no more. */
typedef bool ask_line(void *arg, struct span line);
int ask_patiently(const struct ask_options *options, const char *path, uint64_t timeout_ms,
    ask_line *on_line, void *arg, struct ask_answer *ret_answer, struct err *e) MUST_CHECK;
/* The daemon's words of an answer's body, printable and without the JSON around them; gives. NULL: it has none. */
char *ask_error_text(const char *body);
/* Prints the daemon's words when the answer is not the one hoped for, and gives the exit code. */
int ask_refused(const struct ask_answer *answer);

/* Adds "name=NAME" for each, percent-encoded, to a path that has or gets a query. */
void ask_add_names(struct strbuf *path, int count, char *const *names);
void ask_add_encoded(struct strbuf *path, const char *text);

#endif
