#include "admin/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static void begin(struct json *j, const char *key)
{
	if (j->needs_comma)
		strbuf_add(&j->out, ",");
	j->needs_comma = true;
	if (key) {
		strbuf_add_json(&j->out, span_of(key));
		strbuf_add(&j->out, ":");
	}
}

static void open_with(struct json *j, const char *key, const char *bracket)
{
	begin(j, key);
	strbuf_add(&j->out, bracket);
	j->needs_comma = false;
}

static void close_with(struct json *j, const char *bracket)
{
	strbuf_add(&j->out, bracket);
	j->needs_comma = true;
}

void json_open_object(struct json *j, const char *key)
{
	open_with(j, key, "{");
}

void json_close_object(struct json *j)
{
	close_with(j, "}");
}

void json_open_array(struct json *j, const char *key)
{
	open_with(j, key, "[");
}

void json_close_array(struct json *j)
{
	close_with(j, "]");
}

void json_span(struct json *j, const char *key, struct span value)
{
	begin(j, key);
	strbuf_add_json(&j->out, value);
}

void json_string(struct json *j, const char *key, const char *value)
{
	if (value)
		json_span(j, key, span_of(value));
	else
		json_null(j, key);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	begin(j, key);
	strbuf_addf(&j->out, "%" PRIu64, value);
}

void json_decimal(struct json *j, const char *key, double value)
{
	begin(j, key);
	strbuf_addf(&j->out, "%.3f", value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	strbuf_add(&j->out, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	begin(j, key);
	strbuf_add(&j->out, "null");
}

void json_time(struct json *j, const char *key, uint64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;
	char date[32], text[48];

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03uZ", date, (unsigned)(wall_ms % 1000));
	json_string(j, key, text);
}
