#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "forward/socks.h"
#include "ssh/channel.h"

/* A client's bytes, handed over as from a socket: what was not used comes again, with what follows. */
struct dialogue {
	struct socks socks;
	struct wr said;
	size_t used;
	struct wr answer;
	enum socks_progress progress;
};

static void begin(struct dialogue *d)
{
	*d = (struct dialogue){.progress = SOCKS_MORE};
}

static void end(struct dialogue *d)
{
	wr_clear(&d->said);
	wr_clear(&d->answer);
}

static enum socks_progress say(struct dialogue *d, struct span bytes)
{
	size_t used;

	wr_span_bytes(&d->said, bytes);
	/* A copy of exactly that size, so that the address sanitizer sees a read beyond it. */
	size_t n = d->said.n - d->used;
	uint8_t *copy = n ? mem_dup(d->said.p + d->used, n) : NULL;

	d->progress = socks_parse(&d->socks, SPAN(copy, n), &used, &d->answer);
	assert_true(used <= n);
	d->used += used;
	free(copy);
	return d->progress;
}

static size_t left(const struct dialogue *d)
{
	return d->said.n - d->used;
}

static void assert_answer(const struct dialogue *d, struct span wanted)
{
	assert_int_equal(d->answer.n, wanted.n);
	assert_memory_equal(d->answer.p, wanted.p, wanted.n);
}

static void assert_answer_text(const struct dialogue *d, const char *beginning)
{
	assert_true(d->answer.n >= strlen(beginning));
	assert_memory_equal(d->answer.p, beginning, strlen(beginning));
}

#define BYTES(text) SPAN_LITERAL(text)

static const struct good {
	const char *name;
	struct span bytes;
	enum socks_protocol protocol;
	const char *host;
	uint16_t port;
} good[] = {
    {"SOCKS 4", {(const uint8_t *)"\x04\x01\x00\x50\xc0\x00\x02\x07root", 13}, SOCKS_4, "192.0.2.7",
	80},
    {"SOCKS 4, no user", {(const uint8_t *)"\x04\x01\x15\x38\x0a\x00\x00\x01", 9}, SOCKS_4,
	"10.0.0.1", 5432},
    {"SOCKS 4a", {(const uint8_t *)"\x04\x01\x00\x50\x00\x00\x00\x01me\0db.internal", 23}, SOCKS_4,
	"db.internal", 80},
    {"SOCKS 5, IPv4", {(const uint8_t *)"\x05\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x07\x01\xbb", 13},
	SOCKS_5, "192.0.2.7", 443},
    {"SOCKS 5, IPv6",
	{(const uint8_t *)"\x05\x02\x02\x00\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0"
			  "\x01\x01\xbb",
	    26},
	SOCKS_5, "2001:db8::1", 443},
    {"SOCKS 5, name", {(const uint8_t *)"\x05\x01\x00\x05\x01\x00\x03\x04host\xff\xff", 14},
	SOCKS_5, "host", 65535},
    {"CONNECT", {(const uint8_t *)"CONNECT db.internal:5432 HTTP/1.1\r\nHost: x\r\n\r\n", 46},
	SOCKS_HTTP, "db.internal", 5432},
    {"CONNECT, IPv6", {(const uint8_t *)"CONNECT [2001:db8::1]:443 HTTP/1.0\r\n\r\n", 38},
	SOCKS_HTTP, "2001:db8::1", 443},
};

static void assert_asked(const struct dialogue *d, const struct good *g)
{
	assert_int_equal(d->progress, SOCKS_ASKED);
	assert_int_equal(d->socks.protocol, g->protocol);
	assert_string_equal(d->socks.host, g->host);
	assert_int_equal(d->socks.port, g->port);
}

static void test_a_request_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct dialogue d;

		begin(&d);
		say(&d, good[i].bytes);
		assert_asked(&d, &good[i]);
		assert_int_equal(left(&d), 0);
		end(&d);
	}
}

static void test_a_request_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct dialogue d;

		begin(&d);
		assert_int_equal(say(&d, SPAN(NULL, 0)), SOCKS_MORE);
		for (size_t n = 0; n < good[i].bytes.n; n++) {
			assert_int_equal(d.progress, SOCKS_MORE);
			say(&d, SPAN(good[i].bytes.p + n, 1));
		}
		assert_asked(&d, &good[i]);
		end(&d);
	}
}

static void test_a_request_in_two_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		for (size_t cut = 1; cut < good[i].bytes.n; cut++) {
			struct dialogue d;

			begin(&d);
			assert_int_equal(say(&d, SPAN(good[i].bytes.p, cut)), SOCKS_MORE);
			say(&d, SPAN(good[i].bytes.p + cut, good[i].bytes.n - cut));
			assert_asked(&d, &good[i]);
			end(&d);
		}
	}
}

static void test_what_follows_a_request_is_the_streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct dialogue d;

		begin(&d);
		wr_span_bytes(&d.said, good[i].bytes);
		say(&d, BYTES("\x16\x03\x01 hello"));
		assert_asked(&d, &good[i]);
		assert_int_equal(left(&d), 9);
		assert_memory_equal(d.said.p + d.used, "\x16\x03\x01 hello", 9);
		end(&d);
	}
}

static void test_the_method_is_chosen_before_the_request_came(void **state)
{
	struct dialogue d;

	(void)state;
	begin(&d);
	assert_int_equal(say(&d, BYTES("\x05\x03\x01\x00\x02")), SOCKS_MORE);
	assert_answer(&d, BYTES("\x05\x00"));
	assert_int_equal(left(&d), 0);
	end(&d);
}

static void test_a_client_that_insists_on_a_login_is_told_no(void **state)
{
	static const struct span greetings[] = {
	    {(const uint8_t *)"\x05\x01\x02", 3}, {(const uint8_t *)"\x05\x00", 2}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		struct dialogue d;

		begin(&d);
		assert_int_equal(say(&d, greetings[i]), SOCKS_BAD);
		assert_answer(&d, BYTES("\x05\xff"));
		assert_non_null(d.socks.why);
		end(&d);
	}
}

#define GREETING "\x05\x01\x00"
#define GREETED "\x05\x00"
#define REFUSED(reply) "\x05" reply "\x00\x01\x00\x00\x00\x00\x00\x00"

static const struct wrong {
	const char *name;
	struct span bytes;
	struct span answer;
} wrong[] = {
#define WRONG(name, bytes, answer) \
	{ \
		name, {(const uint8_t *)("" bytes), sizeof(bytes) - 1}, \
		{ \
			(const uint8_t *)("" answer), sizeof(answer) - 1 \
		} \
	}
    WRONG("SOCKS 4 BIND", "\x04\x02\x00\x50\x0a\x00\x00\x01\x00", "\x00\x5b\0\0\0\0\0\0"),
    WRONG("SOCKS 4, port 0", "\x04\x01\x00\x00\x0a\x00\x00\x01\x00", "\x00\x5b\0\0\0\0\0\0"),
    WRONG("SOCKS 4a, no name", "\x04\x01\x00\x50\x00\x00\x00\x01\x00\x00", "\x00\x5b\0\0\0\0\0\0"),
    WRONG("SOCKS 4a, control byte",
	"\x04\x01\x00\x50\x00\x00\x00\x01\x00"
	"a\nb\x00",
	"\x00\x5b\0\0\0\0\0\0"),
    WRONG("BIND", GREETING "\x05\x02\x00\x01\x0a\x00\x00\x01\x00\x50", GREETED REFUSED("\x07")),
    WRONG("UDP ASSOCIATE", GREETING "\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00",
	GREETED REFUSED("\x07")),
    WRONG("address type", GREETING "\x05\x01\x00\x02", GREETED REFUSED("\x08")),
    WRONG("empty name", GREETING "\x05\x01\x00\x03\x00\x00\x50", GREETED REFUSED("\x01")),
    WRONG("NUL in a name",
	GREETING "\x05\x01\x00\x03\x03"
		 "a\0b\x00\x50",
	GREETED REFUSED("\x01")),
    WRONG("DEL in a name",
	GREETING "\x05\x01\x00\x03\x02"
		 "a\x7f\x00\x50",
	GREETED REFUSED("\x01")),
    WRONG("no UTF-8 in a name",
	GREETING "\x05\x01\x00\x03\x02"
		 "a\xff\x00\x50",
	GREETED REFUSED("\x01")),
    WRONG("C1 control in a name",
	GREETING "\x05\x01\x00\x03\x03"
		 "a\xc2\x9b\x00\x50",
	GREETED REFUSED("\x01")),
    WRONG("port 0",
	GREETING "\x05\x01\x00\x03\x01"
		 "a\x00\x00",
	GREETED REFUSED("\x01")),
    WRONG("version", GREETING "\x04\x01", GREETED REFUSED("\x01")),
    WRONG("neither", "\x16\x03\x01", ""),
    WRONG("lower case", "connect a:1 HTTP/1.1\r\n\r\n", ""),
};

static void test_what_is_not_carried_out_is_refused_in_words_of_its_protocol(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct dialogue d;

		begin(&d);
		if (say(&d, wrong[i].bytes) != SOCKS_BAD)
			fail_msg("%s", wrong[i].name);
		assert_answer(&d, wrong[i].answer);
		assert_non_null(d.socks.why);
		end(&d);
	}
}

static void test_http_that_is_not_connect(void **state)
{
	static const struct {
		const char *head, *status;
	} heads[] = {
	    {"GET http://a/ HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "},
	    {"CONNECTED a:1 HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "},
	    {"CONNECT a HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
	    {"CONNECT a: HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
	    {"CONNECT :1 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
	    {"CONNECT []:1 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
	    {"CONNECT ::1:1 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
	    {"CONNECT a:0 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
	    {"CONNECT a:65536 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
	    {"CONNECT a:123456789 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
	    {"CONNECT a:1 HTTP/2\r\n\r\n", "HTTP/1.1 400 "},
	    {"CONNECT a:1\r\n\r\n", "HTTP/1.1 400 "},
	    {"CONNECT a\x01:1 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
	    {"CONNECT \r\n\r\n", "HTTP/1.1 400 "},
	    {"C\r\n\r\n", "HTTP/1.1 405 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct dialogue d;

		begin(&d);
		if (say(&d, span_of(heads[i].head)) != SOCKS_BAD)
			fail_msg("%s", heads[i].head);
		assert_answer_text(&d, heads[i].status);
		assert_int_equal(left(&d), 0);
		end(&d);
	}
}

static char *repeat(char c, size_t n)
{
	char *text = mem_alloc(n + 1);

	memset(text, c, n);
	return text;
}

static void test_strings_of_socks4_have_a_limit(void **state)
{
	char *long_text = repeat('u', SOCKS_STRING_MAX + 1);
	struct dialogue d;

	(void)state;
	begin(&d);
	say(&d, BYTES("\x04\x01\x00\x50\x00\x00\x00\x01"));
	assert_int_equal(say(&d, SPAN(long_text, SOCKS_STRING_MAX)), SOCKS_MORE);
	assert_int_equal(say(&d, BYTES("\0")), SOCKS_MORE);
	assert_int_equal(say(&d, SPAN(long_text, SOCKS_STRING_MAX)), SOCKS_MORE);
	assert_int_equal(say(&d, BYTES("\0")), SOCKS_ASKED);
	assert_int_equal(strlen(d.socks.host), SOCKS_STRING_MAX);
	end(&d);

	/* A user id that is too long, before its end came; and a name. */
	begin(&d);
	say(&d, BYTES("\x04\x01\x00\x50\x00\x00\x00\x01"));
	assert_int_equal(say(&d, SPAN(long_text, SOCKS_STRING_MAX + 1)), SOCKS_BAD);
	assert_answer(&d, BYTES("\x00\x5b\0\0\0\0\0\0"));
	end(&d);
	begin(&d);
	say(&d, BYTES("\x04\x01\x00\x50\x00\x00\x00\x01\x00"));
	assert_int_equal(say(&d, SPAN(long_text, SOCKS_STRING_MAX + 1)), SOCKS_BAD);
	end(&d);
	free(long_text);
}

static void test_the_head_of_an_http_request_has_a_limit(void **state)
{
	static const char line[] = "CONNECT a:1 HTTP/1.1\r\nX: ";
	size_t room = SOCKS_HTTP_HEAD_MAX - strlen(line) - 4;
	char *field = repeat('x', room + 1);
	struct dialogue d;

	(void)state;
	begin(&d);
	assert_int_equal(say(&d, span_of(line)), SOCKS_MORE);
	assert_int_equal(say(&d, SPAN(field, room)), SOCKS_MORE);
	assert_int_equal(say(&d, BYTES("\r\n\r\n")), SOCKS_ASKED);
	end(&d);

	begin(&d);
	say(&d, span_of(line));
	assert_int_equal(say(&d, SPAN(field, room + 1)), SOCKS_MORE);
	assert_int_equal(say(&d, BYTES("\r\n\r\n")), SOCKS_BAD);
	assert_answer_text(&d, "HTTP/1.1 431 ");
	end(&d);
	free(field);
}

static void test_a_host_of_http_has_a_limit(void **state)
{
	char *host = repeat('h', SOCKS_STRING_MAX + 1);
	struct dialogue d;

	(void)state;
	for (size_t n = SOCKS_STRING_MAX; n <= SOCKS_STRING_MAX + 1; n++) {
		begin(&d);
		say(&d, BYTES("CONNECT "));
		say(&d, SPAN(host, n));
		say(&d, BYTES(":1 HTTP/1.1\r\n\r\n"));
		assert_int_equal(d.progress, n == SOCKS_STRING_MAX ? SOCKS_ASKED : SOCKS_BAD);
		end(&d);
	}
	free(host);
}

static void test_answers(void **state)
{
	struct wr w = WR_INIT;
	struct socks s = {.protocol = SOCKS_4};

	(void)state;
	socks_answer(&s, SOCKS_GRANTED, &w);
	assert_memory_equal(w.p, "\x00\x5a\0\0\0\0\0\0", 8);
	assert_int_equal(w.n, 8);
	wr_reset(&w);
	socks_answer(&s, SOCKS_CONNECTION_REFUSED, &w);
	assert_memory_equal(w.p, "\x00\x5b\0\0\0\0\0\0", 8);
	wr_reset(&w);
	s.protocol = SOCKS_5;
	socks_answer(&s, SOCKS_GRANTED, &w);
	assert_memory_equal(w.p, "\x05\x00\x00\x01\0\0\0\0\0\0", 10);
	assert_int_equal(w.n, 10);
	wr_reset(&w);
	s.protocol = SOCKS_HTTP;
	socks_answer(&s, SOCKS_GRANTED, &w);
	wr_u8(&w, 0);
	assert_string_equal((char *)w.p, "HTTP/1.1 200 Connection established\r\n\r\n");
	wr_reset(&w);
	socks_answer(&s, SOCKS_NOT_ALLOWED, &w);
	assert_memory_equal(w.p, "HTTP/1.1 403 ", 13);
	wr_clear(&w);
}

static void test_open_failures_become_replies(void **state)
{
	(void)state;
	assert_int_equal(socks_reply_for(OPEN_ADMINISTRATIVELY_PROHIBITED, span_of("open failed")),
	    SOCKS_NOT_ALLOWED);
	assert_int_equal(socks_reply_for(OPEN_CONNECT_FAILED, span_of("Connection refused")),
	    SOCKS_CONNECTION_REFUSED);
	assert_int_equal(
	    socks_reply_for(OPEN_CONNECT_FAILED, span_of("")), SOCKS_CONNECTION_REFUSED);
	assert_int_equal(socks_reply_for(OPEN_CONNECT_FAILED, span_of("No route to host")),
	    SOCKS_HOST_UNREACHABLE);
	assert_int_equal(socks_reply_for(OPEN_CONNECT_FAILED, span_of("Network is unreachable")),
	    SOCKS_NETWORK_UNREACHABLE);
	assert_int_equal(socks_reply_for(OPEN_CONNECT_FAILED, span_of("Host is unreachable")),
	    SOCKS_HOST_UNREACHABLE);
	assert_int_equal(socks_reply_for(OPEN_CONNECT_FAILED, span_of("Name or service not known")),
	    SOCKS_HOST_UNREACHABLE);
	assert_int_equal(socks_reply_for(OPEN_CONNECT_FAILED, span_of("Connection timed out")),
	    SOCKS_HOST_UNREACHABLE);
	assert_int_equal(
	    socks_reply_for(OPEN_UNKNOWN_CHANNEL_TYPE, span_of("")), SOCKS_COMMAND_UNSUPPORTED);
	assert_int_equal(socks_reply_for(OPEN_RESOURCE_SHORTAGE, span_of("")), SOCKS_FAILED);
	assert_int_equal(socks_reply_for(4711, span_of("")), SOCKS_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_request_at_once),
	    cmocka_unit_test(test_a_request_byte_by_byte),
	    cmocka_unit_test(test_a_request_in_two_pieces),
	    cmocka_unit_test(test_what_follows_a_request_is_the_streams),
	    cmocka_unit_test(test_the_method_is_chosen_before_the_request_came),
	    cmocka_unit_test(test_a_client_that_insists_on_a_login_is_told_no),
	    cmocka_unit_test(test_what_is_not_carried_out_is_refused_in_words_of_its_protocol),
	    cmocka_unit_test(test_http_that_is_not_connect),
	    cmocka_unit_test(test_strings_of_socks4_have_a_limit),
	    cmocka_unit_test(test_the_head_of_an_http_request_has_a_limit),
	    cmocka_unit_test(test_a_host_of_http_has_a_limit),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_open_failures_become_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
