/*
 * What the files of the login share: auth.c (what comes next, and the messages) and auth_publickey.c.
 */
#ifndef ADIT_SSH_AUTH_PRIVATE_H
#define ADIT_SSH_AUTH_PRIVATE_H

#include "base/log.h"
#include "base/str.h"
#include "ssh/auth.h"
#include "ssh/auth_keys.h"
#include "ssh/auth_prompts.h"
#include "ssh/messages.h"

#define METHOD_PUBLICKEY "publickey"

/* What the server has of us and must answer. */
enum auth_request {
	REQUEST_NO,     /* nothing: auth_advance() may send the next one */
	REQUEST_NONE,   /* method "none": tells what the server takes */
	REQUEST_ASK,    /* publickey without signature */
	REQUEST_SIGNED, /* publickey */
	REQUEST_PASSWORD,
	REQUEST_INTERACTIVE
};

enum auth_service { SERVICE_NOT_ASKED, SERVICE_ASKED, SERVICE_ACCEPTED };

enum auth_agent_state {
	AGENT_NONE,    /* or not asked yet, as the transport is not ready */
	AGENT_LISTING, /* its keys are not known: no request before they are */
	AGENT_READY,
	AGENT_SIGNING /* for the current key */
};

struct auth {
	struct loop *loop;
	struct transport *transport;
	const struct log_context *log;
	auth_callback *done;
	void *arg;
	bool is_over; /* done was called, or the owner does not want it to be */

	char *user;
	struct secret password;
	bool has_password;
	struct auth_identity *identities;
	size_t identity_count;
	bool every_agent_key;
	uint64_t agent_timeout_ms;
	struct agent *agent; /* NULL: none */
	enum auth_agent_state agent_state;
	uint64_t agent_ms;            /* it was busy that long, */
	uint64_t agent_busy_since_ms; /* and, if it is now, since then */

	enum auth_service service;
	enum auth_request request;
	unsigned requests; /* that were sent, for the bound */
	struct auth_keys keys;
	struct auth_key *current;
	const char *algorithm;         /* of the current key's signature */
	enum auth_algorithm certainty; /* that the server takes it */
	struct wr signed_data; /* string session_id, then the request without its signature */
	struct auth_prompts prompts;
	bool none_was_tried, password_was_tried, interactive_was_tried;
	char *methods; /* that the server would take; NULL: it did not say yet */

	bool was_refused;       /* something that we tried to log in with */
	struct strbuf refused;  /* what of it, in words */
	struct strbuf accepted; /* steps that went well, with more to do */
	char *method;           /* what let us in */
	unsigned banners;
	struct log_repeat own_banners, *said_banners;
};

/* The next request's turn, if it is anybody's. The last thing its callers do. */
void auth_advance(struct auth *auth);
void auth_set_agent_state(struct auth *auth, enum auth_agent_state state);
/* The fields that every request begins with. */
void auth_begin_request(const struct auth *auth, struct wr *w, const char *method);
/* Sends it and clears w. */
void auth_send_request(struct auth *auth, enum auth_request request, struct wr *w);
int auth_malformed(struct err *e, const char *message);

/* ---- auth_publickey.c ---- */

/* Offers the next key. False: there is none that the server might take. A key that failed to sign leaves no request behind. */
bool auth_try_publickey(struct auth *auth);
int auth_handle_pk_ok(struct auth *auth, struct span payload, struct err *e) MUST_CHECK;

#endif
