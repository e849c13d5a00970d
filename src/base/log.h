/*
 * The log: one line an event, an event word and then key=value pairs, the context first.
 *
 *     2026-11-22T19:30:01.123Z info link-up host=bastion address=192.0.2.7:22 kex=curve25519-sha256
 *
 * When stderr is the journal ($JOURNAL_STREAM) the sd-daemon prefix "<6>" stands instead of time and level. The format
 * is printf's, one "key=%x" after another; the text of every %s is quoted where it needs to be and escaped, so what a peer
 * sent can be given as it is. Never give a secret or a payload, at any level.
 */
#ifndef ADIT_BASE_LOG_H
#define ADIT_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Who is speaking: printed outermost first. A value that its owner embeds; the strings are kept, not copied. */
struct log_context {
	const struct log_context *parent; /* or NULL */
	const char *key;
	const char *value;
};

void log_error(const struct log_context *who, const char *event, const char *format, ...)
    PRINTF_LIKE(3, 4);
void log_warning(const struct log_context *who, const char *event, const char *format, ...)
    PRINTF_LIKE(3, 4);
void log_info(const struct log_context *who, const char *event, const char *format, ...)
    PRINTF_LIKE(3, 4);
void log_debug(const struct log_context *who, const char *event, const char *format, ...)
    PRINTF_LIKE(3, 4);
void log_at(enum log_level level, const struct log_context *who, const char *event,
    const char *format, ...) PRINTF_LIKE(4, 5);

void log_set_level(enum log_level level); /* from the configuration; LOG_LEVEL_INFO until then */
enum log_level log_level(void);
bool log_level_from_name(const char *name, enum log_level *ret_level);
const char *log_level_name(enum log_level level);

/* A place that may say the same things again and again. {0} is one that said nothing yet. */
enum { LOG_REPEAT_LINES = 4 };
struct log_repeat {
	struct log_said {
		uint64_t hash;     /* 0: nothing was said here */
		const char *event; /* kept, not copied */
		enum log_level level;
		uint32_t unsaid;   /* how often it was said again since, and not printed */
	} lines[LOG_REPEAT_LINES]; /* the last ones */
	unsigned next;             /* the one that the next new line replaces */
	uint64_t said_ms;          /* when the last one was printed */
};

/* Like log_at(), but what equals one of the last lines of this place is only counted; the next new line of the place is
 * preceded by one for each counted event that says how often it came ("link-down host=a repeated=12"). A line below the
 * current level is not said and changes nothing. */
void log_unless_repeated(struct log_repeat *repeat, enum log_level level,
    const struct log_context *who, const char *event, const char *format, ...) PRINTF_LIKE(5, 6);
/* What follows is new even if it reads the same (the state changed in between). Says the counts that are owed. */
void log_repeat_end(struct log_repeat *repeat, const struct log_context *who);
/* The same for what was said with one event; but whatever goes well and wrong by turns, many times a second, stays one line
 * a second. */
void log_repeat_mend(struct log_repeat *repeat, const struct log_context *who, const char *event);

/* Also hands every line of level info or worse, whatever the configured level, to a listener (the control interface's
 * events): the same text that log_set_sink()'s gets. NULL ends it. */
void log_set_observer(
    void (*observer)(void *arg, enum log_level level, const char *line), void *arg);

/* Sends whole lines (level, then "event key=value ...", no prefix, no newline) elsewhere instead of stderr: tests. NULL
 * brings stderr back. */
void log_set_sink(void (*sink)(void *arg, enum log_level level, const char *line), void *arg);

#endif
