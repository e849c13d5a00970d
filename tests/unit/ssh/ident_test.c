#include <stdlib.h>

#include "hex.h"

#include "base/mem.h"
#include "base/str.h"
#include "ssh/ident.h"

struct reading {
	struct ident_reader reader;
	struct evbuffer *in;
	char *ident;
	struct err e;
	char seen[512];
};

static void on_line(void *arg, struct span line)
{
	struct reading *r = arg;
	size_t n = strlen(r->seen);

	snprintf(r->seen + n, sizeof(r->seen) - n, "[%.*s]", (int)line.n, (const char *)line.p);
}

static void begin(struct reading *r)
{
	*r = (struct reading){.reader = {.on_line = on_line}, .e = ERR_INIT};
	r->reader.arg = r;
	r->in = evbuffer_new();
}

static void end(struct reading *r)
{
	evbuffer_free(r->in);
	free(r->ident);
}

static int feed(struct reading *r, const void *p, size_t n)
{
	evbuffer_add(r->in, p, n);
	return ident_read(&r->reader, r->in, &r->ident, &r->e);
}

static void reads(const char *bytes, const char *ident)
{
	struct reading r;

	begin(&r);
	assert_int_equal(feed(&r, bytes, strlen(bytes)), 1);
	assert_string_equal(r.ident, ident);
	end(&r);
}

static void refuses(struct span bytes, const char *words)
{
	struct reading r;

	begin(&r);
	assert_int_equal(feed(&r, bytes.p, bytes.n), ERR_PEER);
	if (!strstr(r.e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", r.e.text, words);
	assert_null(r.ident);
	end(&r);
}

static void test_ours_is_one_that_we_accept(void **state)
{
	(void)state;
	char *line = str_format("%s\r\n", ident_ours());

	assert_true(strncmp(ident_ours(), "SSH-2.0-adit_", 13) == 0);
	assert_null(strchr(ident_ours() + 8, '-'));
	reads(line, ident_ours());
	free(line);
}

static void test_line_ends_are_not_part_of_it(void **state)
{
	(void)state;
	reads(
	    "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3");
	reads("SSH-2.0-x\n", "SSH-2.0-x");
	reads("SSH-1.99-Cisco-1.25\r\n", "SSH-1.99-Cisco-1.25");
	reads("SSH-2.0-\r\n", "SSH-2.0-");
}

static void test_it_is_read_split_at_every_byte(void **state)
{
	(void)state;
	static const char bytes[] = "welcome\r\n\r\nto nothing\nSSH-2.0-dropbear_2022.83\r\nnext";
	struct reading r;
	size_t stop = strlen(bytes) - strlen("next");

	begin(&r);
	for (size_t i = 0; i < stop; i++) {
		int rc = feed(&r, bytes + i, 1);

		assert_int_equal(rc, i + 1 == stop ? 1 : 0);
	}
	assert_string_equal(r.ident, "SSH-2.0-dropbear_2022.83");
	assert_string_equal(r.seen, "[welcome][][to nothing]");
	end(&r);
}

static void test_what_follows_is_left_alone(void **state)
{
	(void)state;
	struct reading r;
	char rest[8];

	begin(&r);
	assert_int_equal(feed(&r, "SSH-2.0-x\r\n\0\0\1\2", 15), 1);
	assert_int_equal(evbuffer_get_length(r.in), 4);
	evbuffer_remove(r.in, rest, 4);
	assert_memory_equal(rest, "\0\0\1\2", 4);
	end(&r);
}

static void test_other_versions_are_refused(void **state)
{
	(void)state;
	refuses(span_of("SSH-1.5-old\r\n"), "SSH-1.5-old");
	refuses(span_of("SSH-2.1-new\r\n"), "version 2.0");
	refuses(span_of("SSH-\r\n"), "version 2.0");
	refuses(span_of("SSH-2.0\r\n"), "version 2.0");
}

static void test_what_the_peer_is_instead_is_said(void **state)
{
	(void)state;
	refuses(span_of("HTTP/1.1 400 Bad Request\r\n"), "HTTP/1.1 400 Bad Request");
	refuses(SPAN_LITERAL("\x15\x03\x01\x00\x02\x02\x0a"), "TLS");
	refuses(SPAN_LITERAL("J\x00\x00\x00\x0a"
			     "8.0.36"),
	    "not an SSH server");
	refuses(SPAN_LITERAL("SSH-2.0-x\0y\r\n"), "not an SSH server");
}

static void test_control_characters_are_refused_and_shown_escaped(void **state)
{
	(void)state;
	refuses(span_of("SSH-2.0-\033[2Jx\r\n"), "control");
	refuses(span_of("SSH-2.0-x\ry\r\n"), "control");
}

static void test_length_is_bounded(void **state)
{
	(void)state;
	char bytes[IDENT_LINE_SIZE_MAX + 1];
	struct reading r;

	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "SSH-2.0-", 8);
	memcpy(bytes + IDENT_SIZE_MAX - 2, "\r\n", 2);
	begin(&r);
	assert_int_equal(feed(&r, bytes, IDENT_SIZE_MAX), 1);
	assert_int_equal(strlen(r.ident), IDENT_SIZE_MAX - 2);
	end(&r);

	bytes[IDENT_SIZE_MAX - 2] = 'x';
	memcpy(bytes + IDENT_SIZE_MAX - 1, "\r\n", 2);
	refuses(SPAN(bytes, IDENT_SIZE_MAX + 1), "too long");

	memset(bytes, 'x', sizeof(bytes));
	begin(&r);
	assert_int_equal(feed(&r, bytes, IDENT_LINE_SIZE_MAX - 1), 0);
	assert_int_equal(feed(&r, bytes, 1), ERR_PEER);
	end(&r);
}

static void test_lines_before_it_are_bounded(void **state)
{
	(void)state;
	struct reading r;

	begin(&r);
	r.reader.on_line = NULL;
	for (size_t i = 0; i < IDENT_LINES_MAX; i++)
		assert_int_equal(feed(&r, "\n", 1), 0);
	assert_int_equal(feed(&r, "\n", 1), ERR_PEER);
	end(&r);
}

static void test_quirks(void **state)
{
	(void)state;
	static const struct {
		const char *ident;
		unsigned quirks;
	} rows[] = {
	    {"SSH-2.0-OpenSSH_9.2p1 Debian-2", QUIRK_OPENSSH},
	    {"SSH-2.0-OpenSSH_10.0p2", QUIRK_OPENSSH},
	    {"SSH-2.0-OpenSSH_for_Windows_8.1", QUIRK_OPENSSH},
	    {"SSH-2.0-OpenSSH_7.8", QUIRK_OPENSSH},
	    {"SSH-2.0-OpenSSH_7.7p1", QUIRK_OPENSSH | QUIRK_RSA_CERT_SHA1},
	    {"SSH-2.0-OpenSSH_7.4", QUIRK_OPENSSH | QUIRK_RSA_CERT_SHA1 | QUIRK_RSA_SHA2_UNSAID},
	    {"SSH-2.0-OpenSSH_6.6.1p1", QUIRK_OPENSSH | QUIRK_RSA_CERT_SHA1},
	    {"SSH-1.99-OpenSSH_5.3", QUIRK_OPENSSH | QUIRK_RSA_CERT_SHA1 | QUIRK_DYNAMIC_PORT_ZERO},
	    {"SSH-2.0-OpenSSH_99999999999999999999.1", QUIRK_OPENSSH},
	    {"SSH-2.0-dropbear_2022.83", 0},
	    {"SSH-2.0-NotOpenSSH_7.4", 0},
	    {"", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(ident_quirks(rows[i].ident), rows[i].quirks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ours_is_one_that_we_accept),
	    cmocka_unit_test(test_line_ends_are_not_part_of_it),
	    cmocka_unit_test(test_it_is_read_split_at_every_byte),
	    cmocka_unit_test(test_what_follows_is_left_alone),
	    cmocka_unit_test(test_other_versions_are_refused),
	    cmocka_unit_test(test_what_the_peer_is_instead_is_said),
	    cmocka_unit_test(test_control_characters_are_refused_and_shown_escaped),
	    cmocka_unit_test(test_length_is_bounded),
	    cmocka_unit_test(test_lines_before_it_are_bounded),
	    cmocka_unit_test(test_quirks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
