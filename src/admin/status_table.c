/*
 * The table of `adit status`: made to be read at a glance.
 *
 *     TUNNEL      STATE     VIA      STREAMS       IN      OUT    RTT  SINCE
 *     orders-db   up        inner          3     1.2M      40K   12ms  2h
 *       local 127.0.0.1:5432 -> db.internal:5432  up
 *     webhook     down      bastion        0        0        0      -  40s
 *       remote 127.0.0.1:8080 -> 127.0.0.1:3000  waiting
 *         the server refused to listen ...; next try in 4 s
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/status.h"
#include "base/clock.h"
#include "base/mem.h"

/* ---- short forms: at most five columns ---- */

static const char *short_bytes(uint64_t n, char text[16])
{
	static const char units[] = "BKMGTPE";
	size_t unit = 0;
	double value = (double)n;

	while (value >= 999.5 && unit + 1 < sizeof(units) - 1) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		snprintf(text, 16, "%u", (unsigned)n);
	else
		snprintf(text, 16, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return text;
}

static const char *short_age(uint64_t since_ms, char text[16])
{
	uint64_t now_ms = clock_wall_ms();
	uint64_t seconds = now_ms > since_ms ? (now_ms - since_ms) / 1000 : 0;

	if (seconds < 100)
		snprintf(text, 16, "%us", (unsigned)seconds);
	else if (seconds < 100 * 60)
		snprintf(text, 16, "%um", (unsigned)(seconds / 60));
	else if (seconds < 48 * 3600)
		snprintf(text, 16, "%uh", (unsigned)(seconds / 3600));
	else
		snprintf(text, 16, "%ud", (unsigned)(seconds / 86400));
	return text;
}

static const char *short_rtt(const struct tunnel *tunnel, char text[16])
{
	struct session *s = link_session(host_link(tunnel_host(tunnel)));
	uint64_t us = s ? session_rtt_us(s) : 0;

	if (us == 0)
		snprintf(text, 16, "-");
	else if (us < 10000)
		snprintf(text, 16, "%.1fms", (double)us / 1000);
	else
		snprintf(text, 16, "%ums", (unsigned)(us / 1000));
	return text;
}

/* ---- colours ---- */

static const char *colour_of(const char *state)
{
	if (strcmp(state, "up") == 0)
		return "\x1b[32m";
	if (strcmp(state, "stopped") == 0)
		return "\x1b[2m";
	if (strcmp(state, "degraded") == 0 || strcmp(state, "waiting") == 0)
		return "\x1b[33m";
	return "\x1b[31m";
}

static void add_state(struct strbuf *out, const char *state, int width, enum status_colour colour)
{
	if (colour == STATUS_COLOUR)
		strbuf_add(out, colour_of(state));
	strbuf_addf(out, "%-*s", width, state);
	if (colour == STATUS_COLOUR)
		strbuf_add(out, "\x1b[0m");
}

/* ---- lines ---- */

enum {
	SHORTENED_MIN = 8, /* less of a text says nothing */
	NO_WIDTH = 1000000 /* wider than any line */
};

struct columns {
	int name, via;
};

static int longer(int width, const char *text)
{
	int n = (int)strlen(text);

	return n > width ? n : width;
}

/* To the room, but no further than a shortened text can be. */
static int shrunk(int width, int room)
{
	int least = room > SHORTENED_MIN ? room : SHORTENED_MIN;

	return width < least ? width : least;
}

/* The names get what the other columns leave of the width. */
static struct columns measure(
    const struct manager *m, const struct status_filter *filter, size_t width)
{
	enum { OTHER_COLUMNS = 52 };
	struct columns c = {.name = 6, .via = 3};
	int room = (int)width - OTHER_COLUMNS;

	for (size_t i = 0; i < manager_tunnel_count(m); i++) {
		const struct tunnel *tunnel = manager_tunnel(m, i);

		if (!status_filter_matches(filter, tunnel_name(tunnel)))
			continue;
		c.name = longer(c.name, tunnel_name(tunnel));
		c.via = longer(c.via, host_name(tunnel_host(tunnel)));
	}
	if (c.name + c.via > room) {
		c.via = shrunk(c.via, room / 2);
		c.name = shrunk(c.name, room - c.via);
	}
	return c;
}

/* The last place before n, or n itself, where a character begins (RFC 3629 §3). */
static size_t character_at(const char *text, size_t n)
{
	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* Words broken at spaces so that no line is longer than width. */
static void add_wrapped(struct strbuf *out, const char *text, size_t indent, size_t width)
{
	size_t room = width > indent + 20 ? width - indent : 20;
	struct strbuf printable = {0};

	strbuf_add_printable(&printable, span_of(text));
	text = strbuf_text(&printable);
	while (*text) {
		size_t n = strlen(text);

		if (n > room) {
			n = room;
			while (n > 0 && text[n] != ' ')
				n--;
			if (n == 0)
				n = character_at(text, room); /* a word as long as a line: a path */
		}
		strbuf_addf(out, "%*s%.*s\n", (int)indent, "", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
	strbuf_clear(&printable);
}

/* Text that fits, its middle left out if it must be. */
static void add_shortened(struct strbuf *out, const char *text, size_t room)
{
	static const char gap[] = "..";
	struct strbuf whole = {0};

	strbuf_add_printable(&whole, span_of(text));
	if (whole.n <= room || room < SHORTENED_MIN) {
		strbuf_add(out, strbuf_text(&whole));
	} else {
		size_t head = (room - 2) / 2, tail = whole.n - (room - 2 - head);

		strbuf_add_n(out, whole.text, character_at(whole.text, head));
		strbuf_add(out, gap);
		while (character_at(whole.text, tail) != tail)
			tail++;
		strbuf_add(out, whole.text + tail);
	}
	strbuf_clear(&whole);
}

static size_t width_left(size_t width, size_t used)
{
	return width > used + SHORTENED_MIN ? width - used : SHORTENED_MIN;
}

/* The tunnel's line has those of a forward that is alone. */
static char *own_counts(const struct tunnel *tunnel, const struct forward_counts *counts)
{
	struct strbuf text = {0};
	char in[16], out[16];

	if (tunnel_forward_count(tunnel) > 1)
		strbuf_addf(&text, "  %" PRIu64 " stream%s  in %s  out %s", counts->streams,
		    counts->streams == 1 ? "" : "s", short_bytes(counts->bytes_in, in),
		    short_bytes(counts->bytes_out, out));
	if (counts->held)
		strbuf_addf(&text, "  %" PRIu64 " held", counts->held);
	return strbuf_take(&text);
}

/* On one line where it fits, else the target on the next. */
static void add_forward(struct strbuf *out, const struct tunnel *tunnel,
    const struct forward_status *status, size_t width, enum status_colour colour)
{
	const char *kind = config_forward_kind_name(status->kind);
	const char *state = forward_state_name(status->state);
	char *counts = own_counts(tunnel, &status->counts);
	size_t fixed = 2 + strlen(kind) + 1 + 2 + strlen(state) + strlen(counts);
	size_t arrow = *status->to ? 4 : 0;
	bool one_line =
	    fixed + strlen(status->listen) + arrow + strlen(status->to) <= width || !arrow;

	strbuf_addf(out, "  %s ", kind);
	add_shortened(out, status->listen, one_line && arrow ? width : width_left(width, fixed));
	if (arrow && one_line) {
		strbuf_add(out, " -> ");
		add_shortened(out, status->to, width);
	}
	strbuf_add(out, "  ");
	add_state(out, state, 0, colour);
	strbuf_addf(out, "%s\n", counts);
	free(counts);
	if (arrow && !one_line) {
		strbuf_add(out, "    -> ");
		add_shortened(out, status->to, width_left(width, 7));
		strbuf_add(out, "\n");
	}
}

static void add_reason(struct strbuf *out, const char *reason, uint64_t next_ms, size_t width)
{
	struct strbuf text = {0};

	if (!*reason)
		return;
	strbuf_add(&text, reason);
	if (next_ms)
		strbuf_addf(&text, "; next try in %" PRIu64 " s", (next_ms + 999) / 1000);
	add_wrapped(out, strbuf_text(&text), 4, width);
	strbuf_clear(&text);
}

static void add_column(struct strbuf *out, const char *text, int width)
{
	size_t start = out->n;

	add_shortened(out, text, (size_t)width);
	strbuf_addf(out, "%*s", width - (int)(out->n - start) + 2, "");
}

static void add_tunnel(struct strbuf *out, const struct tunnel *tunnel, const struct columns *c,
    size_t width, enum status_colour colour)
{
	struct forward_counts counts;
	char texts[4][16];
	const char *said = "";

	tunnel_get_counts(tunnel, &counts);
	add_column(out, tunnel_name(tunnel), c->name);
	add_state(out, tunnel_state_name(tunnel_state(tunnel)), 8, colour);
	strbuf_add(out, "  ");
	add_column(out, host_name(tunnel_host(tunnel)), c->via);
	strbuf_addf(out, "%7" PRIu64 "  %6s  %6s  %6s  %s\n", counts.streams,
	    short_bytes(counts.bytes_in, texts[0]), short_bytes(counts.bytes_out, texts[1]),
	    short_rtt(tunnel, texts[2]), short_age(tunnel_since_ms(tunnel), texts[3]));
	for (size_t i = 0; i < tunnel_forward_count(tunnel); i++) {
		struct forward_status status;

		tunnel_forward_status(tunnel, i, &status);
		add_forward(out, tunnel, &status, width, colour);
		/* Forwards that wait for the same thing say it once. */
		if (strcmp(said, status.reason) != 0)
			add_reason(out, status.reason, tunnel_next_try_ms(tunnel, i), width);
		said = status.reason;
	}
}

static void add_config_error(struct strbuf *out, const char *error, size_t width)
{
	if (!*error)
		return;
	strbuf_add(out, "the configuration could not be read again; the one before is in force:\n");
	while (*error) {
		size_t n = strcspn(error, "\n");
		char *line = mem_strndup(error, n);

		add_wrapped(out, line, 2, width);
		free(line);
		error += n + (error[n] == '\n');
	}
	strbuf_add(out, "\n");
}

char *status_table(const struct manager *m, const struct status_daemon *daemon,
    const struct status_filter *filter, size_t width, enum status_colour colour)
{
	struct strbuf out = {0};
	size_t shown = 0;

	width = width ? width : NO_WIDTH;
	struct columns c = measure(m, filter, width);
	add_config_error(&out, daemon->config_error, width);
	strbuf_addf(&out, "%-*s  %-8s  %-*s  %7s  %6s  %6s  %6s  %s\n", c.name, "TUNNEL", "STATE",
	    c.via, "VIA", "STREAMS", "IN", "OUT", "RTT", "SINCE");
	for (size_t i = 0; i < manager_tunnel_count(m); i++) {
		const struct tunnel *tunnel = manager_tunnel(m, i);

		if (!status_filter_matches(filter, tunnel_name(tunnel)))
			continue;
		add_tunnel(&out, tunnel, &c, width, colour);
		shown++;
	}
	if (shown == 0)
		strbuf_add(&out, "no tunnels are configured\n");
	return strbuf_take(&out);
}

/* ---- streams ---- */

static void add_padded(struct strbuf *out, const char *text, size_t width)
{
	size_t start = out->n;

	strbuf_add_printable(out, span_of(text));
	if (out->n - start < width)
		strbuf_addf(out, "%*s", (int)(width - (out->n - start)), "");
}

struct walk {
	struct strbuf *out;
	const struct status_filter *filter;
};

static void add_stream(
    void *arg, const struct tunnel *tunnel, const struct forward_stream_info *info)
{
	const struct walk *walk = arg;
	char in[16], out[16];

	if (!status_filter_matches(walk->filter, tunnel_name(tunnel)))
		return;
	strbuf_addf(walk->out, "%-16s  ", tunnel_name(tunnel));
	/* What a server says of its client, and a client of where it wants to go. */
	add_padded(walk->out, info->client, 24);
	strbuf_addf(walk->out, "  %s -> ", info->listen);
	strbuf_add_printable(walk->out, span_of(info->to));
	strbuf_addf(walk->out, "  in %s  out %s  age %us\n", short_bytes(info->bytes_in, in),
	    short_bytes(info->bytes_out, out), (unsigned)(info->age_ms / 1000));
}

char *status_streams_table(const struct manager *m, const struct status_filter *filter)
{
	struct strbuf out = {0};
	struct walk walk = {&out, filter};

	manager_each_stream(m, add_stream, &walk);
	return strbuf_take(&out);
}

char *status_unready_reasons(const struct manager *m, const struct status_daemon *daemon)
{
	struct strbuf out = {0};

	if (daemon->ready) /* with `ready = "started"`, whatever the tunnels are */
		return strbuf_take(&out);
	if (daemon->stopping)
		strbuf_add(&out, "adit is stopping\n");
	for (size_t i = 0; i < manager_tunnel_count(m); i++) {
		const struct tunnel *tunnel = manager_tunnel(m, i);

		if (!tunnel_hinders_readiness(tunnel))
			continue;
		strbuf_addf(&out, "tunnel %s is %s: ", tunnel_name(tunnel),
		    tunnel_state_name(tunnel_state(tunnel)));
		strbuf_add_printable(&out, span_of(tunnel_reason(tunnel)));
		strbuf_add(&out, "\n");
	}
	return strbuf_take(&out);
}
