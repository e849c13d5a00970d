#include "ssh/ext_info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ssh/messages.h"

static void write_pair(struct wr *w, const char *name, struct span value)
{
	wr_cstring(w, name);
	wr_string(w, value);
}

static void write_openssh(struct wr *w)
{
	wr_u8(w, SSH_MSG_EXT_INFO);
	wr_u32(w, 4);
	write_pair(w, "server-sig-algs", span_of("ssh-ed25519,rsa-sha2-512"));
	write_pair(w, "publickey-hostbound@openssh.com", span_of("0"));
	write_pair(w, "ping@openssh.com", span_of("0"));
	write_pair(w, "some-new-thing@example.com", SPAN("\0\xff", 2));
}

static void test_what_openssh_says_is_understood_and_the_unknown_is_skipped(void **state)
{
	(void)state;
	struct ext_info info = {0};
	struct err e = ERR_INIT;
	struct wr w = WR_INIT;

	write_openssh(&w);
	assert_int_equal(ext_info_read(&info, wr_span(&w), &e), 0);
	assert_string_equal(info.server_sig_algs, "ssh-ed25519,rsa-sha2-512");
	assert_true(ext_info_has(&info, "ping@openssh.com"));
	assert_true(ext_info_has(&info, "publickey-hostbound@openssh.com"));
	assert_false(ext_info_has(&info, "some-new-thing@example.com"));
	ext_info_clear(&info);
	assert_false(ext_info_has(&info, "ping@openssh.com"));
	wr_clear(&w);
}

static void test_a_later_message_replaces_the_algorithms_and_keeps_the_rest(void **state)
{
	(void)state;
	struct ext_info info = {0};
	struct wr w = WR_INIT;

	write_openssh(&w);
	assert_int_equal(ext_info_read(&info, wr_span(&w), NULL), 0);
	wr_reset(&w);
	wr_u8(&w, SSH_MSG_EXT_INFO);
	wr_u32(&w, 1);
	write_pair(&w, "server-sig-algs", span_of("ssh-ed25519"));
	assert_int_equal(ext_info_read(&info, wr_span(&w), NULL), 0);
	assert_string_equal(info.server_sig_algs, "ssh-ed25519");
	assert_true(ext_info_has(&info, "ping@openssh.com"));
	ext_info_clear(&info);
	wr_clear(&w);
}

static void test_another_version_of_an_extension_is_not_the_one_we_know(void **state)
{
	(void)state;
	struct ext_info info = {0};
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_EXT_INFO);
	wr_u32(&w, 1);
	write_pair(&w, "ping@openssh.com", span_of("1"));
	assert_int_equal(ext_info_read(&info, wr_span(&w), NULL), 0);
	assert_false(ext_info_has(&info, "ping@openssh.com"));
	wr_clear(&w);
}

static void test_a_message_cut_short_anywhere_changes_nothing(void **state)
{
	(void)state;
	struct wr w = WR_INIT;

	write_openssh(&w);
	for (size_t n = 1; n < w.n; n++) {
		struct ext_info info = {0};
		struct err e = ERR_INIT;

		assert_int_equal(ext_info_read(&info, SPAN(w.p, n), &e), ERR_PEER);
		assert_true(err_is_set(&e));
		assert_null(info.server_sig_algs);
		assert_int_equal(info.extensions, 0);
	}
	wr_clear(&w);
}

static void test_a_byte_too_many_is_refused(void **state)
{
	(void)state;
	struct ext_info info = {0};
	struct wr w = WR_INIT;

	write_openssh(&w);
	wr_u8(&w, 0);
	assert_int_equal(ext_info_read(&info, wr_span(&w), NULL), ERR_PEER);
	assert_null(info.server_sig_algs);
	wr_clear(&w);
}

static void test_a_nul_in_the_list_of_algorithms_is_refused(void **state)
{
	(void)state;
	struct ext_info info = {0};
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_EXT_INFO);
	wr_u32(&w, 1);
	write_pair(&w, "server-sig-algs", SPAN("ssh-ed25519\0x", 13));
	assert_int_equal(ext_info_read(&info, wr_span(&w), NULL), ERR_PEER);
	wr_clear(&w);
}

static void test_a_count_that_cannot_be_is_refused(void **state)
{
	(void)state;
	struct ext_info info = {0};
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_EXT_INFO);
	wr_u32(&w, 0xffffffff);
	assert_int_equal(ext_info_read(&info, wr_span(&w), NULL), ERR_PEER);
	wr_clear(&w);
}

static void test_ours_says_that_the_server_may_say_more_during_the_login(void **state)
{
	(void)state;
	struct wr w = WR_INIT;
	struct rd r;

	ext_info_write_ours(&w);
	rd_init(&r, wr_span(&w));
	assert_int_equal(rd_u8(&r), SSH_MSG_EXT_INFO);
	assert_int_equal(rd_u32(&r), 1);
	assert_true(span_is(rd_string(&r), "ext-info-in-auth@openssh.com"));
	assert_true(span_is(rd_string(&r), "0"));
	assert_int_equal(rd_end(&r), 0);
	wr_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_openssh_says_is_understood_and_the_unknown_is_skipped),
	    cmocka_unit_test(test_a_later_message_replaces_the_algorithms_and_keeps_the_rest),
	    cmocka_unit_test(test_another_version_of_an_extension_is_not_the_one_we_know),
	    cmocka_unit_test(test_a_message_cut_short_anywhere_changes_nothing),
	    cmocka_unit_test(test_a_byte_too_many_is_refused),
	    cmocka_unit_test(test_a_nul_in_the_list_of_algorithms_is_refused),
	    cmocka_unit_test(test_a_count_that_cannot_be_is_refused),
	    cmocka_unit_test(test_ours_says_that_the_server_may_say_more_during_the_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
