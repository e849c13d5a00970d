#include "ssh/auth_prompts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ssh/messages.h"

enum { ROUNDS_MAX = 16, PROMPTS_MAX = 32, PROMPT_SIZE_MAX = 1024, QUESTION_MAX = 120 };

/* PAM's prompts in the languages that sshd is seen in; "New password:" and its like want a new one, which we do not have. */
static const char *const asks_for_password[] = {"password", "passwort", "kennwort", "mot de passe",
    "contrase", "senha", "wachtwoord", "lösenord", "adgangskode", "salasana", "hasło"};
static const char *const asks_for_another[] = {
    "new ", "neues ", "nouveau ", "retype", "again", "one-time", "otp", "verification"};

static bool has_any(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasestr(text, words[i]))
			return true;
	return false;
}

/* What is asked for without echo is a secret; it must not be given to a prompt for another one. */
static bool is_for_password(struct span prompt, bool echo)
{
	if (echo || prompt.n > PROMPT_SIZE_MAX)
		return false;
	char *text = span_strdup(prompt);
	bool yes = has_any(text, asks_for_password, ARRAY_LEN(asks_for_password)) &&
		   !has_any(text, asks_for_another, ARRAY_LEN(asks_for_another));
	free(text);
	return yes;
}

/* 1: answered. 0: there is no answer. */
static int answer_one(
    struct auth_prompts *prompts, struct span prompt, bool echo, struct wr *response)
{
	if (prompts->used || !is_for_password(prompt, echo))
		return 0;
	prompts->used = true;
	wr_string(response, SPAN(prompts->password->p, prompts->password->n));
	return 1;
}

int auth_prompts_answer(struct auth_prompts *prompts, struct span message, struct wr *response,
    struct strbuf *ret_question, struct err *e)
{
	struct span unanswered = {0};
	bool all = true;
	struct rd r;

	if (++prompts->rounds > ROUNDS_MAX)
		return err_set(e, ERR_PEER, "the server asks questions without end");
	rd_init(&r, message);
	rd_u8(&r);
	rd_string(&r); /* name */
	rd_string(&r); /* instruction */
	rd_string(&r); /* language tag */
	uint32_t count = rd_u32(&r);
	if (count > PROMPTS_MAX)
		rd_fail(&r);
	wr_u8(response, SSH_MSG_USERAUTH_INFO_RESPONSE);
	wr_u32(response, count);
	for (uint32_t i = 0; i < count && rd_ok(&r); i++) {
		struct span prompt = rd_string(&r);
		bool echo = rd_bool(&r);

		if (all && rd_ok(&r) && !answer_one(prompts, prompt, echo, response)) {
			all = false;
			unanswered = prompt;
		}
	}
	if (rd_end(&r) < 0)
		return err_set(e, ERR_PEER, "the server sent a malformed INFO_REQUEST message");
	if (!all && unanswered.n > QUESTION_MAX)
		unanswered.n = QUESTION_MAX;
	if (!all)
		strbuf_add_escaped(ret_question, unanswered);
	return all;
}
