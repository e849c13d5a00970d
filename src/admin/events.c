#include "admin/events.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "admin/json.h"
#include "base/clock.h"
#include "base/mem.h"

struct events {
	struct list listeners;
	bool busy; /* a listener's own log line is not an event for it */
};

/* What one escape of base/log means; p is behind the backslash. Returns what follows it. */
static const char *read_escape(const char *p, struct strbuf *value)
{
	static const char letters[] = "nrt", bytes[] = "\n\r\t";
	const char *letter = *p ? strchr(letters, *p) : NULL;
	char hex[3] = {0};

	if (letter) {
		strbuf_add_n(value, &bytes[letter - letters], 1);
		return p + 1;
	}
	if (*p == 'x' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])) {
		memcpy(hex, p + 1, 2);
		char byte = (char)strtoul(hex, NULL, 16);
		strbuf_add_n(value, &byte, 1);
		return p + 3;
	}
	if (*p)
		strbuf_add_n(value, p++, 1);
	return p;
}

/* The value that begins at p, quoted as base/log quotes; returns what follows it. */
static const char *read_value(const char *p, struct strbuf *value)
{
	if (*p != '"') {
		size_t n = strcspn(p, " ");

		strbuf_add_n(value, p, n);
		return p + n;
	}
	for (p++; *p && *p != '"';) {
		if (*p == '\\') {
			p = read_escape(p + 1, value);
			continue;
		}
		strbuf_add_n(value, p++, 1);
	}
	return *p ? p + 1 : p;
}

char *events_json(enum log_level level, uint64_t wall_ms, const char *line)
{
	struct json j = {0};
	const char *p = line + strcspn(line, " ");

	json_open_object(&j, NULL);
	json_time(&j, "time", wall_ms);
	json_string(&j, "level", log_level_name(level));
	json_span(&j, "event", SPAN(line, (size_t)(p - line)));
	while (*p) {
		struct strbuf value = {0};

		p += strspn(p, " ");
		size_t n = strcspn(p, "= ");
		if (p[n] != '=')
			break;
		char *key = mem_strndup(p, n);
		p = read_value(p + n + 1, &value);
		json_span(&j, key, SPAN(strbuf_text(&value), value.n));
		strbuf_clear(&value);
		free(key);
	}
	json_close_object(&j);
	return strbuf_take(&j.out);
}

static void on_line(void *arg, enum log_level level, const char *line)
{
	struct events *events = arg;

	if (events->busy || list_empty(&events->listeners))
		return;
	events->busy = true;
	char *json = events_json(level, clock_wall_ms(), line);
	LIST_FOREACH(node, &events->listeners)
	{
		struct events_listener *listener = CONTAINER_OF(node, struct events_listener, node);

		listener->on_event(listener->arg, json);
	}
	free(json);
	events->busy = false;
}

struct events *events_new(void)
{
	struct events *events = NEW(struct events);

	list_init(&events->listeners);
	log_set_observer(on_line, events);
	return events;
}

void events_free(struct events *events)
{
	if (!events)
		return;
	log_set_observer(NULL, NULL);
	free(events);
}

void events_listen(struct events *events, struct events_listener *listener)
{
	list_append(&events->listeners, &listener->node);
}

void events_stop(struct events_listener *listener)
{
	list_remove(&listener->node);
}
