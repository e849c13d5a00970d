/*
 * What each message does, by a table of types and of the phases in which they are legal. Authentication and connection
 * messages are handed up.
 */
#include "ssh/transport_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "ssh/disconnect.h"

enum {
	/* Answers to messages that we do not know, since the output was last seen empty. */
	UNIMPLEMENTED_MAX = 1024,
	PEER_TEXT_MAX = 512,
	HINTS_MAX = 64
};

/* Views end nowhere; a log line wants a string, and not the whole of a long one. */
static char *shortened(struct span text)
{
	return span_strdup(SPAN(text.p, text.n < PEER_TEXT_MAX ? text.n : PEER_TEXT_MAX));
}

static int handle_disconnect(struct transport *t, struct span payload, struct err *e)
{
	struct err why = ERR_INIT;

	(void)e;
	disconnect_read(
	    payload, t->authenticated ? DISCONNECT_AFTER_LOGIN : DISCONNECT_BEFORE_LOGIN, &why);
	t->closed_by_peer = true;
	transport_end(t, &why, NO_GOODBYE);
	return 0;
}

static int handle_ignore(struct transport *t, struct span payload, struct err *e)
{
	(void)t;
	(void)payload;
	(void)e;
	return 0;
}

static int handle_unimplemented(struct transport *t, struct span payload, struct err *e)
{
	struct rd r;

	rd_init(&r, payload);
	rd_u8(&r);
	uint32_t sequence = rd_u32(&r);
	if (rd_end(&r) < 0)
		return err_set(e, ERR_PEER, "the server sent a malformed UNIMPLEMENTED message");
	log_debug(t->log, "unimplemented", "packet=%u", sequence);
	if (transport_is_ready(t) && t->callbacks.on_unimplemented)
		t->callbacks.on_unimplemented(t->arg, sequence);
	return 0;
}

/* RFC 4253 §11.3. OpenSSH says by one that a listener stands elsewhere than it confirmed. */
static int handle_debug(struct transport *t, struct span payload, struct err *e)
{
	struct rd r;

	rd_init(&r, payload);
	rd_u8(&r);
	rd_bool(&r);
	struct span message = rd_string(&r);
	rd_string(&r);
	if (rd_end(&r) < 0)
		return err_set(e, ERR_PEER, "the server sent a malformed DEBUG message");
	char *text = shortened(message);
	if (strstr(text, "Forwarding listen address") && t->hints++ < HINTS_MAX)
		log_warning(t->log, "server-hint", "text=%s", text);
	else
		log_debug(t->log, "server-debug", "text=%s", text);
	free(text);
	return 0;
}

/* RFC 8308 §2.4: after the server's first NEWKEYS, and before USERAUTH_SUCCESS. */
static int handle_ext_info(struct transport *t, struct span payload, struct err *e)
{
	if (t->authenticated) {
		log_debug(t->log, "late-ext-info", "bytes=%zu", payload.n);
		return 0;
	}
	return ext_info_read(&t->ext_info, payload, e);
}

static int handle_kex(struct transport *t, struct span payload, struct err *e)
{
	int r = kex_input(t->kex, packet_opener_sequence(t->opener), payload, e);
	if (r < 0)
		return r;
	transport_run_kex(t);
	return 0;
}

static int answer_unimplemented(struct transport *t, struct err *e)
{
	uint8_t message[5] = {SSH_MSG_UNIMPLEMENTED};

	/* Who sends those and does not read the answers would fill our memory. */
	if (evbuffer_get_length(bufferevent_get_output(t->bev)) == 0)
		t->unimplemented = 0;
	if (t->unimplemented++ == UNIMPLEMENTED_MAX)
		return err_set(e, ERR_PEER, "the server sent too many messages that are unknown");
	put_u32(message + 1, packet_opener_sequence(t->opener));
	transport_seal(t, SPAN(message, sizeof(message)));
	transport_watch_gate(t);
	return 0;
}

static int hand_up(struct transport *t, struct span payload, struct err *e)
{
	int r = t->callbacks.on_message(t->arg, payload, e);

	if (t->state == STATE_CLOSED || r <= 0)
		return r;
	log_debug(t->log, "unknown-message", "type=%u", payload.p[0]);
	return answer_unimplemented(t, e);
}

/* What holds for the next message. */
enum phase {
	PHASE_STRICT_KEX = 1 << 0, /* the first exchange, and both sides said strict */
	PHASE_FIRST_KEX = 1 << 1,  /* the first exchange otherwise, or we do not know yet */
	PHASE_OPEN = 1 << 2,
	PHASE_REKEY = 1 << 3 /* the peer is between its KEXINIT and its NEWKEYS (RFC 4253 §7.1) */
};

static enum phase phase(const struct transport *t)
{
	if (t->state == STATE_OPEN)
		return kex_blocks_receiving(t->kex) ? PHASE_REKEY : PHASE_OPEN;
	return kex_is_strict(t->kex) ? PHASE_STRICT_KEX : PHASE_FIRST_KEX;
}

static const char *phase_name(enum phase p)
{
	switch (p) {
	case PHASE_STRICT_KEX:
		return "during the first key exchange, which is strict";
	case PHASE_FIRST_KEX:
		return "before the first key exchange is done";
	case PHASE_OPEN:
		return "now";
	case PHASE_REKEY:
		return "during a key re-exchange";
	}
	return "";
}

#define ANY_PHASE (PHASE_STRICT_KEX | PHASE_FIRST_KEX | PHASE_OPEN | PHASE_REKEY)
#define NOT_STRICT (PHASE_FIRST_KEX | PHASE_OPEN | PHASE_REKEY)

struct rule {
	uint8_t first, last; /* types */
	unsigned phases;     /* in which they are legal */
	/* 0 or a negative class with e filled. */
	int (*handle)(struct transport *t, struct span payload, struct err *e);
};

static const struct rule rules[] = {
    {SSH_MSG_DISCONNECT, SSH_MSG_DISCONNECT, ANY_PHASE, handle_disconnect},
    {SSH_MSG_IGNORE, SSH_MSG_IGNORE, NOT_STRICT, handle_ignore},
    {SSH_MSG_UNIMPLEMENTED, SSH_MSG_UNIMPLEMENTED, NOT_STRICT, handle_unimplemented},
    {SSH_MSG_DEBUG, SSH_MSG_DEBUG, NOT_STRICT, handle_debug},
    {SSH_MSG_SERVICE_ACCEPT, SSH_MSG_SERVICE_ACCEPT, PHASE_OPEN, hand_up},
    {SSH_MSG_EXT_INFO, SSH_MSG_EXT_INFO, PHASE_OPEN | PHASE_REKEY, handle_ext_info},
    {SSH_MSG_KEXINIT, SSH_MSG_NEWKEYS, ANY_PHASE, handle_kex},
    {SSH_MSG_KEX_FIRST, SSH_MSG_KEX_LAST, ANY_PHASE, handle_kex},
    {SSH_MSG_USERAUTH_REQUEST, SSH_MSG_USERAUTH_LAST, PHASE_OPEN, hand_up},
    /* RFC 4253 §7.1 forbids these in a re-exchange; servers that do not hold back what they forward (asyncssh 2.10.1 of Debian
     * 12) send them until their NEWKEYS, under the old keys, and OpenSSH's client takes them. */
    {SSH_MSG_USERAUTH_LAST + 1, SSH_MSG_CONNECTION_LAST, PHASE_OPEN | PHASE_REKEY, hand_up},
    {SSH_MSG_PING, SSH_MSG_PONG, PHASE_OPEN | PHASE_REKEY, hand_up},
};

static const struct rule *find_rule(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (type >= rules[i].first && type <= rules[i].last)
			return &rules[i];
	return NULL;
}

int transport_dispatch(struct transport *t, struct span payload, struct err *e)
{
	uint8_t type = payload.p[0];
	const struct rule *rule = find_rule(type);
	enum phase now = phase(t);

	if (rule ? !(rule->phases & now) : now == PHASE_STRICT_KEX)
		return err_set(e, ERR_PEER, "the server sent message %u, which is not allowed %s",
		    type, phase_name(now));
	if (rule)
		return rule->handle(t, payload, e);
	log_debug(t->log, "unknown-message", "type=%u", type);
	return answer_unimplemented(t, e);
}
