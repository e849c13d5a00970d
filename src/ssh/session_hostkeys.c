#include "ssh/session_hostkeys.h"

#include <stdlib.h>

#include "base/mem.h"
#include "ssh/key.h"

struct announcement {
	struct session *session;
	struct hostkey_policy *policy;
	const struct log_context *log;
	bool came;
	uint8_t *message; /* a copy, while the proof is on its way */
	size_t message_length;
	struct span new_keys[HOSTKEY_ANNOUNCED_MAX]; /* views into it */
	size_t new_count;
};

/* ---- the proof ---- */

static int check_one(
    const struct announcement *a, struct span blob, struct span signature, struct err *e)
{
	/* The signature says, as a key blob does, with which algorithm it was made. Any that is the key's will do, which for an RSA
	 * key is either SHA-2: nothing was agreed on for this. */
	struct span algorithm = key_blob_type(signature);
	struct key *key = key_from_blob(blob, e);
	struct wr data = WR_INIT;
	int r;

	if (!key)
		return ERR_PEER;
	wr_cstring(&data, "hostkeys-prove-00@openssh.com");
	wr_string(&data, transport_session_id(session_transport(a->session)));
	wr_string(&data, blob);
	r = key_verify(key, algorithm, wr_span(&data), signature, e);
	wr_clear(&data);
	key_free(key);
	return r;
}

/* One signature a key, in the order in which they were asked for. */
static int check_all(const struct announcement *a, struct span signatures, struct err *e)
{
	struct rd r;

	rd_init(&r, signatures);
	for (size_t i = 0; i < a->new_count; i++) {
		struct span signature = rd_string(&r);

		if (!rd_ok(&r))
			return err_set(e, ERR_PEER, "fewer proofs than keys");
		if (check_one(a, a->new_keys[i], signature, e))
			return ERR_PEER;
	}
	return rd_end(&r) ? err_set(e, ERR_PEER, "more proofs than keys") : 0;
}

/* It logs what it changed. */
static void write_down(const struct announcement *a)
{
	struct err e = ERR_INIT;

	if (hostkey_policy_update(
		a->policy, SPAN(a->message, a->message_length), a->new_keys, a->new_count, &e))
		log_warning(a->log, "host-keys-not-written", "reason=%s", e.text);
}

static void take_up(const struct announcement *a, struct span signatures)
{
	struct err e = ERR_INIT;

	if (check_all(a, signatures, &e))
		log_warning(a->log, "host-keys-not-proven", "reason=%s", e.text);
	else
		write_down(a);
}

static void on_proof(void *arg, enum session_reply reply, struct span signatures)
{
	struct announcement *a = arg;

	if (reply == SESSION_REPLY_SUCCESS)
		take_up(a, signatures);
	else if (reply == SESSION_REPLY_FAILURE)
		log_warning(a->log, "host-keys-not-proven", "reason=%s", "the server refused");
	free(a->message);
	a->message = NULL;
}

/* ---- the announcement ---- */

static void ask_for_proof(struct announcement *a)
{
	struct wr keys = WR_INIT;

	for (size_t i = 0; i < a->new_count; i++)
		wr_string(&keys, a->new_keys[i]);
	session_send_global_request(
	    a->session, "hostkeys-prove-00@openssh.com", wr_span(&keys), on_proof, a);
	wr_clear(&keys);
}

static enum session_answer on_announced(void *arg, struct session *s, struct span extra,
    bool want_reply, struct wr *reply, struct session_request_ticket *ticket)
{
	struct announcement *a = arg;
	int count;

	(void)s;
	(void)want_reply;
	(void)reply;
	(void)ticket;
	if (a->came)
		return SESSION_ANSWER_FAILURE;
	a->came = true;
	a->message = extra.n ? mem_dup(extra.p, extra.n) : NULL;
	a->message_length = extra.n;
	count = hostkey_policy_announced(a->policy, SPAN(a->message, extra.n), a->new_keys);
	if (count > 0) {
		a->new_count = (size_t)count;
		ask_for_proof(a);
		return SESSION_ANSWER_SUCCESS;
	}
	if (count < 0)
		log_warning(a->log, "host-keys-ignored", "reason=%s", "malformed announcement");
	else
		write_down(a); /* what vanished needs no proof */
	free(a->message);
	a->message = NULL;
	return SESSION_ANSWER_FAILURE;
}

/* ---- life ---- */

static void stop(void *arg)
{
	struct announcement *a = arg;

	free(a->message);
	free(a);
}

void session_hostkeys_start(
    struct session *s, struct hostkey_policy *policy, const struct log_context *log)
{
	struct announcement *a = NEW(struct announcement);

	a->session = s;
	a->policy = policy;
	a->log = log;
	session_on_free(s, stop, a);
	(void)session_on_global_request(s, "hostkeys-00@openssh.com",
	    (struct session_request_registration){.handler = on_announced, .arg = a});
}
