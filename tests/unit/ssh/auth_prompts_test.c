#include "ssh/auth_prompts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ssh/messages.h"

static struct secret password = {(uint8_t *)(uintptr_t) "s3cret", 6};

struct prompt {
	const char *text;
	bool echo;
};

static void write_request(struct wr *w, const struct prompt *prompts, uint32_t count)
{
	wr_u8(w, SSH_MSG_USERAUTH_INFO_REQUEST);
	wr_cstring(w, "");
	wr_cstring(w, "Please answer");
	wr_cstring(w, "");
	wr_u32(w, count);
	for (uint32_t i = 0; i < count; i++) {
		wr_cstring(w, prompts[i].text);
		wr_bool(w, prompts[i].echo);
	}
}

static int ask(struct auth_prompts *a, const struct prompt *prompts, uint32_t count,
    struct wr *response, struct strbuf *question)
{
	struct wr w = WR_INIT;

	write_request(&w, prompts, count);
	wr_reset(response);
	int r = auth_prompts_answer(a, wr_span(&w), response, question, NULL);
	wr_clear(&w);
	return r;
}

static int ask_one(const char *text, bool echo)
{
	struct auth_prompts a = {.password = &password};
	struct prompt prompt = {text, echo};
	struct wr response = WR_INIT;
	struct strbuf question = {0};
	int r = ask(&a, &prompt, 1, &response, &question);

	if (r == 1) {
		struct rd rd;

		rd_init(&rd, wr_span(&response));
		assert_int_equal(rd_u8(&rd), SSH_MSG_USERAUTH_INFO_RESPONSE);
		assert_int_equal(rd_u32(&rd), 1);
		assert_true(span_is(rd_string(&rd), "s3cret"));
		assert_int_equal(rd_end(&rd), 0);
	}
	wr_clear(&response);
	strbuf_clear(&question);
	return r;
}

static void test_a_prompt_for_the_password_gets_it(void **state)
{
	(void)state;
	assert_int_equal(ask_one("Password: ", false), 1);
	assert_int_equal(ask_one("(tunnel@bastion) Password for tunnel:", false), 1);
	assert_int_equal(ask_one("Passwort: ", false), 1);
	assert_int_equal(ask_one("Mot de passe : ", false), 1);
}

static void test_no_other_prompt_gets_it(void **state)
{
	(void)state;
	assert_int_equal(ask_one("Verification code: ", false), 0);
	assert_int_equal(ask_one("One-time password (OATH) for tunnel: ", false), 0);
	assert_int_equal(ask_one("New password: ", false), 0);
	assert_int_equal(ask_one("Retype password: ", false), 0);
	assert_int_equal(ask_one("", false), 0);
}

static void test_a_prompt_that_would_show_it_does_not_get_it(void **state)
{
	(void)state;
	assert_int_equal(ask_one("Password: ", true), 0);
}

static void test_no_prompts_are_answered_by_no_answers(void **state)
{
	(void)state;
	struct auth_prompts a = {.password = &password};
	struct wr response = WR_INIT;
	struct strbuf question = {0};

	assert_int_equal(ask(&a, NULL, 0, &response, &question), 1);
	assert_true(span_equal(wr_span(&response), SPAN("\x3d\0\0\0\0", 5)));
	assert_false(a.used);
	wr_clear(&response);
}

static void test_the_password_is_given_once(void **state)
{
	(void)state;
	struct auth_prompts a = {.password = &password};
	struct prompt prompt = {"Password: ", false};
	struct wr response = WR_INIT;
	struct strbuf question = {0};

	assert_int_equal(ask(&a, &prompt, 1, &response, &question), 1);
	assert_int_equal(ask(&a, &prompt, 1, &response, &question), 0);
	assert_string_equal(strbuf_text(&question), "Password: ");
	wr_clear(&response);
	strbuf_clear(&question);
}

static void test_the_question_that_has_no_answer_is_named_escaped(void **state)
{
	(void)state;
	struct auth_prompts a = {.password = &password};
	struct prompt prompts[] = {{"Password: ", false}, {"Code\033[2J: ", false}};
	struct wr response = WR_INIT;
	struct strbuf question = {0};

	assert_int_equal(ask(&a, prompts, 2, &response, &question), 0);
	assert_string_equal(strbuf_text(&question), "Code\\x1b[2J: ");
	wr_clear(&response);
	strbuf_clear(&question);
}

static void test_questions_without_end_are_refused(void **state)
{
	(void)state;
	struct auth_prompts a = {.password = &password};
	struct wr response = WR_INIT;
	struct strbuf question = {0};
	int r = 1, rounds = 0;

	while (r == 1 && rounds < 1000) {
		r = ask(&a, NULL, 0, &response, &question);
		rounds++;
	}
	assert_int_equal(r, ERR_PEER);
	assert_true(rounds < 100);
	wr_clear(&response);
}

static void test_a_message_cut_short_or_too_long_is_refused(void **state)
{
	(void)state;
	struct prompt prompts[] = {{"Password: ", false}, {"Name: ", true}};
	struct wr w = WR_INIT;

	write_request(&w, prompts, 2);
	wr_u8(&w, 0);
	for (size_t n = 1; n <= w.n; n++) {
		struct auth_prompts a = {.password = &password};
		struct wr response = WR_INIT;
		struct strbuf question = {0};
		int expected = n == w.n - 1 ? 0 : ERR_PEER;

		assert_int_equal(
		    auth_prompts_answer(&a, SPAN(w.p, n), &response, &question, NULL), expected);
		wr_clear(&response);
		strbuf_clear(&question);
	}
	wr_clear(&w);
}

static void test_a_count_of_prompts_that_cannot_be_is_refused(void **state)
{
	(void)state;
	struct auth_prompts a = {.password = &password};
	struct wr w = WR_INIT, response = WR_INIT;
	struct strbuf question = {0};

	write_request(&w, NULL, 0);
	put_u32(w.p + w.n - 4, 0xffffffff);
	assert_int_equal(
	    auth_prompts_answer(&a, wr_span(&w), &response, &question, NULL), ERR_PEER);
	wr_clear(&w);
	wr_clear(&response);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_prompt_for_the_password_gets_it),
	    cmocka_unit_test(test_no_other_prompt_gets_it),
	    cmocka_unit_test(test_a_prompt_that_would_show_it_does_not_get_it),
	    cmocka_unit_test(test_no_prompts_are_answered_by_no_answers),
	    cmocka_unit_test(test_the_password_is_given_once),
	    cmocka_unit_test(test_the_question_that_has_no_answer_is_named_escaped),
	    cmocka_unit_test(test_questions_without_end_are_refused),
	    cmocka_unit_test(test_a_message_cut_short_or_too_long_is_refused),
	    cmocka_unit_test(test_a_count_of_prompts_that_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
