/*
 * keyboard-interactive (RFC 4256) without a keyboard: the password answers the prompt that asks for it, once.
 */
#ifndef ADIT_SSH_AUTH_PROMPTS_H
#define ADIT_SSH_AUTH_PROMPTS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/wire.h"

/* One keyboard-interactive request and its rounds. {.password = ...} */
struct auth_prompts {
	const struct secret *password;
	bool used;       /* the password was given */
	unsigned rounds; /* bounded */
};

/* Answers an INFO_REQUEST: 1 and the INFO_RESPONSE appended to response; 0 when a prompt asks for what we do not have, which is
 * then in ret_question (escaped); ERR_PEER when the message is malformed, or there are too many of them. No prompts at all are
 * answered by no answers (RFC 4256 §3.4). */
int auth_prompts_answer(struct auth_prompts *prompts, struct span message, struct wr *response,
    struct strbuf *ret_question, struct err *e) MUST_CHECK;

#endif
