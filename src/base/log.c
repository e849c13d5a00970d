#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

static enum log_level current_level = LOG_LEVEL_INFO;
static void (*current_sink)(void *arg, enum log_level level, const char *line);
static void *current_sink_arg;
static void (*current_observer)(void *arg, enum log_level level, const char *line);
static void *current_observer_arg;

static const struct {
	const char *name;
	int sd_level; /* sd-daemon(3) */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARNING] = {"warning", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};

void log_set_level(enum log_level level)
{
	current_level = level;
}

enum log_level log_level(void)
{
	return current_level;
}

const char *log_level_name(enum log_level level)
{
	return levels[level].name;
}

bool log_level_from_name(const char *name, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcmp(levels[i].name, name) == 0) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_set_sink(void (*sink)(void *arg, enum log_level level, const char *line), void *arg)
{
	current_sink = sink;
	current_sink_arg = arg;
}

void log_set_observer(
    void (*observer)(void *arg, enum log_level level, const char *line), void *arg)
{
	current_observer = observer;
	current_observer_arg = arg;
}

static bool is_observed(enum log_level level)
{
	return current_observer && level <= LOG_LEVEL_INFO;
}

static bool is_wanted(enum log_level level)
{
	return level <= current_level || is_observed(level);
}

/* ---- one line ---- */

static bool needs_quotes(const char *text)
{
	if (!*text)
		return true;
	for (; *text; text++)
		if (*text <= ' ' || *text == '"' || *text == '=' || *text == '\\' || *text == 0x7f)
			return true;
	return false;
}

static void add_value(struct strbuf *line, const char *text)
{
	const char *quote = needs_quotes(text) ? "\"" : "";

	strbuf_add(line, quote);
	strbuf_add_escaped(line, span_of(text));
	strbuf_add(line, quote);
}

static void add_context(struct strbuf *line, const struct log_context *who)
{
	if (!who)
		return;
	add_context(line, who->parent);
	strbuf_addf(line, " %s=", who->key);
	add_value(line, who->value ? who->value : "");
}

/* One conversion of the format, "%" up to and with its letter; returns what follows it. Only %s is ours: printf does the
 * numbers. Precision and width are for numbers, "%.*s" is not supported. */
static const char *add_conversion(struct strbuf *line, const char *format, va_list *args)
{
	char spec[16];
	size_t n = strcspn(format + 1, "sdiuxXcfg%") + 2;

	if (n >= sizeof(spec))
		abort();
	memcpy(spec, format, n);
	spec[n] = '\0';
	char letter = spec[n - 1];
	bool is_long_long = strstr(spec, "ll") || strchr(spec, 'j');
	bool is_long = strchr(spec, 'l') || strchr(spec, 'z');
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	switch (letter) {
	case 's': {
		const char *text = va_arg(*args, const char *);

		add_value(line, text ? text : "");
		break;
	}
	case '%':
		strbuf_add(line, "%");
		break;
	case 'f':
	case 'g':
		strbuf_addf(line, spec, va_arg(*args, double));
		break;
	case 'c': {
		char byte = (char)va_arg(*args, int);

		strbuf_add_escaped(line, SPAN(&byte, 1));
		break;
	}
	default:
		/* The format attribute on our prototypes has checked the argument's size. */
		if (is_long_long)
			strbuf_addf(line, spec, va_arg(*args, long long));
		else if (is_long)
			strbuf_addf(line, spec, va_arg(*args, long));
		else
			strbuf_addf(line, spec, va_arg(*args, int));
		break;
	}
#pragma GCC diagnostic pop
	return format + n;
}

static char *make_line(
    const struct log_context *who, const char *event, const char *format, va_list *args)
{
	struct strbuf line = {0};

	strbuf_add(&line, event);
	add_context(&line, who);
	if (*format)
		strbuf_add(&line, " ");
	while (*format) {
		size_t plain = strcspn(format, "%");

		strbuf_add_n(&line, format, plain);
		format += plain;
		if (*format)
			format = add_conversion(&line, format, args);
	}
	return strbuf_take(&line);
}

static bool stderr_is_journal(void)
{
	static int known = -1;

	if (known < 0)
		known = getenv("JOURNAL_STREAM") != NULL;
	return known;
}

static bool write_line(enum log_level level, const char *text)
{
	struct strbuf line = {0};

	if (stderr_is_journal()) {
		strbuf_addf(&line, "<%d>", levels[level].sd_level);
	} else {
		uint64_t now_ms = clock_wall_ms();
		time_t seconds = (time_t)(now_ms / 1000);
		struct tm tm;
		char stamp[32];

		gmtime_r(&seconds, &tm);
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
		strbuf_addf(
		    &line, "%s.%03uZ %s ", stamp, (unsigned)(now_ms % 1000), levels[level].name);
	}
	strbuf_add(&line, text);
	strbuf_add(&line, "\n");
	/* One write a line; a log that cannot be written must not stop the tunnels. */
	ssize_t written;
	do
		written = write(STDERR_FILENO, line.text, line.n);
	while (written < 0 && errno == EINTR);
	strbuf_clear(&line);
	return written >= 0;
}

/* Who reads it may stand still: a pager, a terminal, journald. poll() says whether a line fits: a pipe has room for PIPE_BUF
 * bytes then, more than a line is long but for the oddest. */
static bool can_write(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) != 0;
}

static void print_line(enum log_level level, const char *text)
{
	static uint64_t lost;

	if (current_sink) {
		current_sink(current_sink_arg, level, text);
		return;
	}
	if (!can_write()) {
		lost++;
		return;
	}
	if (lost && current_level >= LOG_LEVEL_WARNING) {
		char *count = str_format("log-lost lines=%" PRIu64, lost);

		if (write_line(LOG_LEVEL_WARNING, count))
			lost = 0;
		free(count);
	}
	if (!write_line(level, text)) /* a full disk */
		lost++;
}

static void give_line(enum log_level level, const char *text)
{
	if (level <= current_level)
		print_line(level, text);
	if (is_observed(level))
		current_observer(current_observer_arg, level, text);
}

#define LOG_BODY(level) \
	do { \
		va_list args; \
\
		if (!is_wanted(level)) \
			return; \
		va_start(args, format); \
		char *line = make_line(who, event, format, &args); \
		va_end(args); \
		give_line(level, line); \
		free(line); \
	} while (0)

void log_at(
    enum log_level level, const struct log_context *who, const char *event, const char *format, ...)
{
	LOG_BODY(level);
}

void log_error(const struct log_context *who, const char *event, const char *format, ...)
{
	LOG_BODY(LOG_LEVEL_ERROR);
}

void log_warning(const struct log_context *who, const char *event, const char *format, ...)
{
	LOG_BODY(LOG_LEVEL_WARNING);
}

void log_info(const struct log_context *who, const char *event, const char *format, ...)
{
	LOG_BODY(LOG_LEVEL_INFO);
}

void log_debug(const struct log_context *who, const char *event, const char *format, ...)
{
	LOG_BODY(LOG_LEVEL_DEBUG);
}

/* ---- repeats ---- */

enum { REPEAT_MEND_MS = 1000 };

static uint64_t hash_line(const char *line)
{
	uint64_t h = 14695981039346656037u;

	for (; *line; line++)
		h = (h ^ (uint8_t)*line) * 1099511628211u;
	return h ? h : 1;
}

static void say_count(struct log_said *said, const struct log_context *who)
{
	if (said->unsaid)
		log_at(said->level, who, said->event, "repeated=%u", said->unsaid);
	said->unsaid = 0;
}

static void say_counts(struct log_repeat *repeat, const struct log_context *who)
{
	for (size_t i = 0; i < LOG_REPEAT_LINES; i++)
		say_count(&repeat->lines[(repeat->next + i) % LOG_REPEAT_LINES], who);
}

void log_repeat_end(struct log_repeat *repeat, const struct log_context *who)
{
	say_counts(repeat, who);
	*repeat = (struct log_repeat){0};
}

void log_repeat_mend(struct log_repeat *repeat, const struct log_context *who, const char *event)
{
	if (clock_now_ms() < repeat->said_ms + REPEAT_MEND_MS)
		return;
	for (size_t i = 0; i < LOG_REPEAT_LINES; i++) {
		struct log_said *said = &repeat->lines[i];

		if (said->hash == 0 || strcmp(said->event, event) != 0)
			continue;
		say_count(said, who);
		*said = (struct log_said){0};
	}
}

static struct log_said *find_said(struct log_repeat *repeat, uint64_t hash)
{
	for (size_t i = 0; i < LOG_REPEAT_LINES; i++)
		if (repeat->lines[i].hash == hash)
			return &repeat->lines[i];
	return NULL;
}

void log_unless_repeated(struct log_repeat *repeat, enum log_level level,
    const struct log_context *who, const char *event, const char *format, ...)
{
	va_list args;

	if (!is_wanted(level))
		return;
	va_start(args, format);
	char *line = make_line(who, event, format, &args);
	va_end(args);
	uint64_t hash = hash_line(line);
	struct log_said *said = find_said(repeat, hash);
	if (said) {
		said->unsaid++;
	} else {
		say_counts(repeat, who);
		repeat->lines[repeat->next] =
		    (struct log_said){.hash = hash, .event = event, .level = level};
		repeat->next = (repeat->next + 1) % LOG_REPEAT_LINES;
		repeat->said_ms = clock_now_ms();
		give_line(level, line);
	}
	free(line);
}
