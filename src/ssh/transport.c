/*
 * What comes in is read in process(), at most READ_PACKETS_MAX packets a pass: the identification, then packets, each handed to
 * its handler by the table of rules. What goes out is sealed into the bufferevent's output at once, or kept while a key exchange
 * forbids it. The key exchange itself is ssh/kex; run_kex() does what it says.
 *
 * Whatever ends the connection goes through end(), which is the last thing its caller does. After each callback the state is
 * looked at first: the owner may have freed us in it, and then only the memory is left until the end of the pass.
 */
#include "ssh/transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/bev.h"
#include "ssh/disconnect.h"
#include "ssh/ext_info.h"
#include "ssh/ident.h"
#include "ssh/kept.h"
#include "ssh/kex.h"
#include "ssh/rekey.h"

enum {
	/* A pass takes no more than that, so that other connections get their turn. */
	READ_PACKETS_MAX = 16,
	READ_BYTES_MAX = 256 * 1024,
	/* A packet must fit into the input, or reading would stop before it is whole. */
	INPUT_HIGH_MARK = PACKET_LENGTH_MAX + 4096,
	/* Answers to messages that we do not know, since the output was last drained. */
	UNIMPLEMENTED_MAX = 1024,
	/* Bytes that the kernel may hold unsent: a query must not wait behind a dump's megabytes. */
	NOTSENT_LOWAT = 128 * 1024,
	REKEY_TIMEOUT_DEFAULT_MS = 60000,
	PEER_TEXT_MAX = 512,
	HINTS_MAX = 64
};

enum state {
	STATE_IDENT,     /* the peer has not said who it is; our KEXINIT is out */
	STATE_FIRST_KEX, /* nothing but the key exchange is legal */
	STATE_OPEN,      /* both directions have keys; kex says whether new ones are being made */
	STATE_CLOSED     /* no bufferevent any more; on_closed has run, or the owner ended it */
};

/* How the input ended, once it did; what arrived before is read first. */
enum input_end { INPUT_GOES_ON, INPUT_EOF, INPUT_ERROR };

struct transport {
	struct loop *loop;
	struct bufferevent *bev; /* NULL when closed */
	const struct log_context *log;
	struct transport_callbacks callbacks;
	void *arg;
	enum state state;
	bool authenticated;
	bool closed_by_peer;
	bool ready_is_owed; /* the first exchange is done, on_ready has not run */

	struct ident_reader ident;
	char *peer_ident;       /* NULL before it came */
	struct strbuf greeting; /* the last line before it */
	enum input_end input_end;
	int input_error; /* an errno value */
	uint64_t last_received_ms;
	struct task read_task;

	struct kex *kex;
	struct hostkey_policy *hostkey;
	char *prefs[4]; /* our copies; the kex keeps them */
	struct packet_sealer *sealer;
	struct packet_opener *opener;
	uint64_t bytes_out_before, bytes_in_before; /* under earlier keys */
	unsigned exchanges;                         /* that were done */
	struct ext_info ext_info;

	struct kept kept;
	bool
	    was_blocked; /* transport_can_send() was false; on_can_send is owed when it no longer is */
	struct task can_send_task;
	unsigned unimplemented;

	struct rekey_watch rekey;
	uint64_t rekey_timeout_ms;
	struct timer rekey_deadline; /* of the exchange that runs */

	struct err failure; /* found in a call from above; end_task reports it */
	struct task end_task;
	unsigned hints;
	struct log_repeat debug_repeat;
};

/* ---- the end ---- */

/* No event, no callback, no descriptor after this. What one may still ask about the connection stays. */
static void close_now(struct transport *t)
{
	if (t->state == STATE_CLOSED)
		return;
	t->state = STATE_CLOSED;
	task_cancel(&t->read_task);
	task_cancel(&t->can_send_task);
	task_cancel(&t->end_task);
	rekey_watch_disarm(&t->rekey);
	timer_stop(&t->rekey_deadline);
	kept_clear(&t->kept);
	bev_free(t->bev);
	t->bev = NULL;
}

static void seal(struct transport *t, struct span payload)
{
	struct iovec piece = {(void *)(uintptr_t)payload.p, payload.n};

	packet_seal(t->sealer, &piece, 1, bufferevent_get_output(t->bev));
}

/* Courtesy: who does not read it sees the connection end. Legal during a key exchange too. */
static void say_goodbye(struct transport *t, enum disconnect_code code, const char *text)
{
	struct wr message = WR_INIT;

	if (t->state == STATE_CLOSED || t->state == STATE_IDENT)
		return;
	disconnect_write(&message, code, text);
	seal(t, wr_span(&message));
	wr_clear(&message);
	bev_flush(t->bev);
}

/* What the peer is told: not more than it knows; our own reasons may name files. */
static void say_why(struct transport *t, const struct err *e)
{
	bool in_kex = t->state == STATE_FIRST_KEX || kex_is_running(t->kex);

	switch (e->class) {
	case ERR_HOST_KEY:
		say_goodbye(t, DISCONNECT_HOST_KEY_NOT_VERIFIABLE, "host key not verified");
		return;
	case ERR_PEER:
		if (in_kex)
			say_goodbye(t, DISCONNECT_KEY_EXCHANGE_FAILED, "key exchange failed");
		else
			say_goodbye(t, DISCONNECT_PROTOCOL_ERROR, "protocol error");
		return;
	case ERR_OK:
	case ERR_NETWORK:
	case ERR_TIMEOUT:
	case ERR_LOGIN:
	case ERR_CONFIG:
	case ERR_LOCAL:
	case ERR_CANCELLED:
		say_goodbye(t, DISCONNECT_BY_APPLICATION, "closing");
		return;
	}
}

enum goodbye { GOODBYE, NO_GOODBYE };

static void end(struct transport *t, const struct err *e, enum goodbye goodbye)
{
	struct err why = *e;

	if (goodbye == GOODBYE)
		say_why(t, &why);
	close_now(t);
	t->callbacks.on_closed(t->arg, &why);
}

static void on_end_task(void *arg)
{
	struct transport *t = arg;

	end(t, &t->failure, GOODBYE);
}

/* For what goes wrong in a call from above, which must not call back. */
static void end_later(struct transport *t, const struct err *e)
{
	if (err_is_set(&t->failure))
		return;
	t->failure = *e;
	task_schedule(&t->end_task);
}

/* ---- sending ---- */

bool transport_can_send(const struct transport *t)
{
	return t->state != STATE_CLOSED && !err_is_set(&t->failure) &&
	       !kex_blocks_sending(t->kex) && !bev_full(t->bev);
}

/* To be called after whatever may have changed transport_can_send(). */
static void watch_gate(struct transport *t)
{
	if (!transport_can_send(t))
		t->was_blocked = true;
	else if (t->was_blocked)
		task_schedule(&t->can_send_task);
}

static void on_can_send_task(void *arg)
{
	struct transport *t = arg;

	if (t->state != STATE_OPEN || t->ready_is_owed || !transport_can_send(t))
		return;
	t->was_blocked = false;
	t->callbacks.on_can_send(t->arg);
}

static void keep(struct transport *t, const struct iovec *pieces, size_t count)
{
	struct err e = ERR_INIT;

	if (kept_add(&t->kept, pieces, count))
		return;
	err_set(&e, ERR_LOCAL, "too many messages wait for the key exchange to end");
	end_later(t, &e);
}

void transport_send(struct transport *t, const struct iovec *pieces, size_t count)
{
	if (t->state == STATE_CLOSED || err_is_set(&t->failure))
		return;
	if (kex_blocks_sending(t->kex) || !kept_empty(&t->kept)) {
		keep(t, pieces, count);
		return;
	}
	packet_seal(t->sealer, pieces, count, bufferevent_get_output(t->bev));
	watch_gate(t);
	rekey_watch_used(&t->rekey);
}

void transport_send_span(struct transport *t, struct span payload)
{
	struct iovec piece = {(void *)(uintptr_t)payload.p, payload.n};

	transport_send(t, &piece, 1);
}

static void send_kept(void *arg, struct span message)
{
	seal(arg, message);
}

/* ---- key exchange ---- */

static int verify_host_key(void *arg, struct span key_blob, struct span algorithm, struct err *e)
{
	struct transport *t = arg;

	return hostkey_policy_verify(t->hostkey, key_blob, algorithm, e);
}

/* Right behind our first NEWKEYS, before anything else (RFC 8308 §2.4), and only to those who said that they know it. */
static void send_ext_info(struct transport *t)
{
	struct wr message = WR_INIT;

	if (!kex_peer_has_ext_info(t->kex))
		return;
	ext_info_write_ours(&message);
	seal(t, wr_span(&message));
	wr_clear(&message);
}

static void use_send_keys(struct transport *t)
{
	const struct packet_keys *keys = kex_keys(t->kex);

	t->bytes_out_before += packet_sealer_count(t->sealer).bytes;
	packet_sealer_set_keys(t->sealer, keys, kex_sequence(t->kex));
	rekey_watch_sending(&t->rekey, keys->cipher);
	if (t->exchanges == 0)
		send_ext_info(t);
	kept_send(&t->kept, send_kept, t);
}

static void use_receive_keys(struct transport *t)
{
	const struct packet_keys *keys = kex_keys(t->kex);

	t->bytes_in_before += packet_opener_count(t->opener).bytes;
	packet_opener_set_keys(t->opener, keys, kex_sequence(t->kex));
	rekey_watch_receiving(&t->rekey, keys->cipher);
}

static void exchange_done(struct transport *t)
{
	t->exchanges++;
	timer_stop(&t->rekey_deadline);
	rekey_watch_restart(&t->rekey);
	if (t->authenticated)
		rekey_watch_arm(&t->rekey);
	if (t->state == STATE_FIRST_KEX) {
		t->state = STATE_OPEN;
		t->ready_is_owed = true;
	} else {
		log_debug(t->log, "rekeyed", "kex=%s cipher=%s", kex_name(t->kex),
		    packet_sealer_names(t->sealer)->cipher->name);
	}
}

static void exchange_goes_on(struct transport *t)
{
	if (t->state == STATE_OPEN && kex_is_running(t->kex)) {
		rekey_watch_disarm(&t->rekey);
		if (!timer_is_running(&t->rekey_deadline))
			timer_start(&t->rekey_deadline, t->rekey_timeout_ms);
	}
	watch_gate(t);
}

/* Does what the key exchange says until it waits for the peer. Calls nobody above. */
static void run_kex(struct transport *t)
{
	for (;;) {
		switch (kex_next(t->kex)) {
		case KEX_WAIT:
			exchange_goes_on(t);
			return;
		case KEX_SEND:
			seal(t, kex_message(t->kex));
			break;
		case KEX_USE_SEND_KEYS:
			use_send_keys(t);
			break;
		case KEX_USE_RECEIVE_KEYS:
			use_receive_keys(t);
			break;
		case KEX_DONE:
			exchange_done(t);
			break;
		}
	}
}

/* ---- rekey ---- */

void transport_rekey(struct transport *t)
{
	if (t->state != STATE_OPEN || err_is_set(&t->failure) || kex_is_running(t->kex))
		return;
	kex_start(t->kex);
	run_kex(t);
}

static void on_rekey_due(void *arg)
{
	struct transport *t = arg;

	/* The window adjusts that are owed go out before the gate shuts. */
	if (transport_can_send(t) && !t->ready_is_owed)
		t->callbacks.on_can_send(t->arg);
	transport_rekey(t); /* does nothing if it is closed by now */
}

static void on_rekey_deadline(void *arg)
{
	struct transport *t = arg;
	struct err e = ERR_INIT;

	err_set(&e, ERR_TIMEOUT, "the server did not finish the key re-exchange within %lu s",
	    (unsigned long)(t->rekey_timeout_ms / 1000));
	end(t, &e, GOODBYE);
}

/* ---- messages ---- */

/* Views end nowhere; a log line wants a string, and not the whole of a long one. */
static char *shortened(struct span text)
{
	return span_strdup(SPAN(text.p, text.n < PEER_TEXT_MAX ? text.n : PEER_TEXT_MAX));
}

static int handle_disconnect(struct transport *t, struct span payload, struct err *e)
{
	struct err why = ERR_INIT;

	(void)e;
	disconnect_read(payload, &why);
	t->closed_by_peer = true;
	end(t, &why, NO_GOODBYE);
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
	log_unless_repeated(
	    &t->debug_repeat, LOG_LEVEL_DEBUG, t->log, "unimplemented", "packet=%u", sequence);
	return 0;
}

/* RFC 4253 §11.3. OpenSSH says by one that a listener stands elsewhere than it confirmed (protocol.md 32). */
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
		log_unless_repeated(
		    &t->debug_repeat, LOG_LEVEL_DEBUG, t->log, "server-debug", "text=%s", text);
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
	run_kex(t);
	return 0;
}

static int answer_unimplemented(struct transport *t, struct err *e)
{
	uint8_t message[5] = {SSH_MSG_UNIMPLEMENTED};

	/* Who sends those and does not read the answers is not one of the protocol. */
	if (t->unimplemented++ == UNIMPLEMENTED_MAX)
		return err_set(e, ERR_PEER, "the server sent too many messages that are unknown");
	put_u32(message + 1, packet_opener_sequence(t->opener));
	seal(t, SPAN(message, sizeof(message)));
	watch_gate(t);
	return 0;
}

static int hand_up(struct transport *t, struct span payload, struct err *e)
{
	int r = t->callbacks.on_message(t->arg, payload, e);

	if (t->state == STATE_CLOSED || r <= 0)
		return r;
	log_unless_repeated(
	    &t->debug_repeat, LOG_LEVEL_DEBUG, t->log, "unknown-message", "type=%u", payload.p[0]);
	return answer_unimplemented(t, e);
}

/* What holds for the next message. */
enum phase {
	PHASE_STRICT_KEX =
	    1 << 0, /* the first exchange, and both sides said strict: protocol.md 5 */
	PHASE_FIRST_KEX = 1 << 1, /* the first exchange otherwise, or we do not know yet */
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
    {SSH_MSG_USERAUTH_REQUEST, SSH_MSG_CONNECTION_LAST, PHASE_OPEN, hand_up},
    {SSH_MSG_PING, SSH_MSG_PONG, PHASE_OPEN, hand_up},
};

static const struct rule *find_rule(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (type >= rules[i].first && type <= rules[i].last)
			return &rules[i];
	return NULL;
}

static int dispatch(struct transport *t, struct span payload, struct err *e)
{
	uint8_t type = payload.p[0];
	const struct rule *rule = find_rule(type);
	enum phase now = phase(t);

	if (rule ? !(rule->phases & now) : now == PHASE_STRICT_KEX)
		return err_set(e, ERR_PEER, "the server sent message %u, which is not allowed %s",
		    type, phase_name(now));
	if (rule)
		return rule->handle(t, payload, e);
	log_unless_repeated(
	    &t->debug_repeat, LOG_LEVEL_DEBUG, t->log, "unknown-message", "type=%u", type);
	return answer_unimplemented(t, e);
}

/* ---- reading ---- */

static void on_greeting_line(void *arg, struct span line)
{
	struct transport *t = arg;

	if (line.n == 0)
		return;
	strbuf_clear(&t->greeting);
	strbuf_add_escaped(&t->greeting, SPAN(line.p, line.n < 200 ? line.n : 200));
	log_debug(t->log, "server-greeting", "text=%s", strbuf_text(&t->greeting));
}

static int read_ident(struct transport *t, struct err *e)
{
	int r = ident_read(&t->ident, bufferevent_get_input(t->bev), &t->peer_ident, e);

	if (r != 1)
		return r;
	log_debug(t->log, "server-ident", "ident=%s", t->peer_ident);
	kex_set_peer_ident(t->kex, t->peer_ident);
	t->state = STATE_FIRST_KEX;
	return 1;
}

/* 1: something was read; 0: more bytes are needed, or it is closed; negative: it is broken, e says how. */
static int read_next(struct transport *t, struct err *e)
{
	struct span payload;

	if (t->state == STATE_IDENT)
		return read_ident(t, e);
	int r = packet_open(t->opener, bufferevent_get_input(t->bev), &payload, e);
	if (r != 1)
		return r;
	r = dispatch(t, payload, e);
	if (t->state == STATE_CLOSED)
		return 0;
	return r < 0 ? r : 1;
}

/* "the server closed the connection during the login": the reader of it may know why. */
static void explain_end(struct transport *t, struct err *e)
{
	bool in_packet = evbuffer_get_length(bufferevent_get_input(t->bev)) > 0;
	const char *when = "";

	if (t->input_end == INPUT_ERROR) {
		err_set_errno(e, ERR_NETWORK, t->input_error, "the connection was lost");
		return;
	}
	if (t->state == STATE_IDENT && t->greeting.n > 0) {
		err_set(e, ERR_NETWORK,
		    "the server closed the connection before saying who it is; it said \"%s\"",
		    strbuf_text(&t->greeting));
		return;
	}
	if (t->state == STATE_IDENT) {
		err_set(e, ERR_NETWORK,
		    "the server closed the connection before saying who it is (MaxStartups, or not "
		    "an SSH server?)");
		return;
	}
	if (t->state == STATE_FIRST_KEX)
		when = " during the key exchange";
	else if (!t->authenticated)
		when = " during the login";
	else if (in_packet)
		when = " in the middle of a message";
	err_set(e, ERR_NETWORK, "the server closed the connection%s", when);
}

/* The last thing its callers do. */
static void say_ready(struct transport *t)
{
	if (!t->ready_is_owed)
		return;
	t->ready_is_owed = false;
	watch_gate(t);
	t->callbacks.on_ready(t->arg);
}

static void process(void *arg)
{
	struct transport *t = arg;
	struct err e = ERR_INIT;
	size_t length = evbuffer_get_length(bufferevent_get_input(t->bev));
	size_t enough = length > READ_BYTES_MAX ? length - READ_BYTES_MAX : 0;
	int r = 1;

	t->last_received_ms = clock_now_ms();
	for (int i = 0; i < READ_PACKETS_MAX && r == 1 && length >= enough; i++) {
		r = read_next(t, &e);
		if (t->state == STATE_CLOSED)
			return;
		if (err_is_set(&t->failure))
			return; /* the end comes by its task */
		length = evbuffer_get_length(bufferevent_get_input(t->bev));
	}
	if (r < 0) {
		end(t, &e, GOODBYE);
		return;
	}
	if (r == 0 && t->input_end != INPUT_GOES_ON) {
		explain_end(t, &e);
		t->closed_by_peer = t->input_end == INPUT_EOF;
		end(t, &e, NO_GOODBYE);
		return;
	}
	if (r == 1)
		task_schedule(&t->read_task);
	rekey_watch_used(&t->rekey);
	say_ready(t);
}

static void on_readable(struct bufferevent *bev, void *arg)
{
	(void)bev;
	process(arg);
}

static void on_writable(struct bufferevent *bev, void *arg)
{
	struct transport *t = arg;

	(void)bev;
	t->unimplemented = 0;
	watch_gate(t);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct transport *t = arg;

	t->input_end = what & BEV_EVENT_ERROR ? INPUT_ERROR : INPUT_EOF;
	if (t->input_end == INPUT_ERROR)
		t->input_error = bev_error(bev);
	process(t);
}

/* ---- life ---- */

static void tune_socket(struct transport *t)
{
	evutil_socket_t fd = bev_socket_fd(t->bev);
	int lowat = NOTSENT_LOWAT;

	if (fd < 0)
		return;
	/* Not on Unix sockets, and no harm if it is not there. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
	bev_socket_set_quickack(t->bev, BEV_QUICKACK_ON);
}

static void make_kex(struct transport *t, const struct algorithm_prefs *prefs)
{
	const char *host_key =
	    prefs->host_key ? prefs->host_key : algorithms_default(ALGORITHM_HOST_KEY);

	t->prefs[0] = mem_strdup(prefs->kex);
	t->prefs[1] = hostkey_policy_order(t->hostkey, host_key);
	t->prefs[2] = mem_strdup(prefs->ciphers);
	t->prefs[3] = mem_strdup(prefs->macs);
	struct kex_options options = {.role = KEX_CLIENT,
	    .prefs = {t->prefs[0], t->prefs[1], t->prefs[2], t->prefs[3]},
	    .our_ident = ident_ours(),
	    .verify_host_key = verify_host_key,
	    .arg = t};
	t->kex = kex_new(&options);
}

static void send_ident(struct transport *t)
{
	evbuffer_add_printf(bufferevent_get_output(t->bev), "%s\r\n", ident_ours());
}

struct transport *transport_new(struct loop *loop, struct bufferevent *bev,
    const struct transport_options *options, const struct transport_callbacks *callbacks, void *arg)
{
	struct transport *t = NEW(struct transport);

	t->loop = loop;
	t->bev = bev;
	t->log = options->log;
	t->callbacks = *callbacks;
	t->arg = arg;
	t->state = STATE_IDENT;
	t->ident = (struct ident_reader){.on_line = on_greeting_line, .arg = t};
	t->hostkey = options->hostkey;
	t->rekey_timeout_ms =
	    options->rekey_timeout_ms ? options->rekey_timeout_ms : REKEY_TIMEOUT_DEFAULT_MS;
	t->last_received_ms = clock_now_ms();
	t->was_blocked = true;
	t->sealer = packet_sealer_new();
	t->opener = packet_opener_new();
	kept_init(&t->kept);
	task_init(&t->read_task, loop, process, t);
	task_init(&t->can_send_task, loop, on_can_send_task, t);
	task_init(&t->end_task, loop, on_end_task, t);
	rekey_watch_init(&t->rekey, loop, t->sealer, t->opener, options->rekey_bytes,
	    options->rekey_interval_ms, on_rekey_due, t);
	timer_init(&t->rekey_deadline, loop, on_rekey_deadline, t);
	bufferevent_setcb(bev, on_readable, on_writable, on_event, t);
	bufferevent_setwatermark(bev, EV_READ, 0, INPUT_HIGH_MARK);
	tune_socket(t);
	make_kex(t, &options->prefs);
	send_ident(t);
	kex_start(t->kex);
	run_kex(t);
	/* What lies in the input already is announced by nobody, nor an end that came before us. */
	if (bev_at_eof(bev))
		t->input_end = INPUT_EOF;
	task_schedule(&t->read_task);
	return t;
}

static void destroy(void *object)
{
	struct transport *t = object;

	kex_free(t->kex);
	packet_sealer_free(t->sealer);
	packet_opener_free(t->opener);
	ext_info_clear(&t->ext_info);
	strbuf_clear(&t->greeting);
	for (size_t i = 0; i < ARRAY_LEN(t->prefs); i++)
		free(t->prefs[i]);
	free(t->peer_ident);
	free(t);
}

void transport_free(struct transport *t)
{
	if (!t)
		return;
	close_now(t);
	loop_bury(t->loop, destroy, t);
}

void transport_disconnect(struct transport *t, uint32_t code, const char *text)
{
	say_goodbye(t, code, text);
	close_now(t);
}

void transport_set_authenticated(struct transport *t)
{
	t->authenticated = true;
	if (t->state == STATE_CLOSED)
		return;
	if (bev_socket_fd(t->bev) >= 0)
		bev_socket_set_quickack(t->bev, BEV_QUICKACK_OFF);
	if (t->state == STATE_OPEN && !kex_is_running(t->kex))
		rekey_watch_arm(&t->rekey);
}

/* ---- what it knows ---- */

struct span transport_session_id(const struct transport *t)
{
	return kex_session_id(t->kex);
}

struct span transport_host_key(const struct transport *t)
{
	return kex_host_key(t->kex);
}

struct span transport_host_key_signature(const struct transport *t)
{
	return kex_first_signature(t->kex);
}

const char *transport_peer_ident(const struct transport *t)
{
	return t->peer_ident ? t->peer_ident : "";
}

unsigned transport_peer_quirks(const struct transport *t)
{
	return ident_quirks(transport_peer_ident(t));
}

bool transport_is_ready(const struct transport *t)
{
	return t->state == STATE_OPEN && !t->ready_is_owed;
}

bool transport_closed_by_peer(const struct transport *t)
{
	return t->closed_by_peer;
}

const char *transport_server_sig_algs(const struct transport *t)
{
	return t->ext_info.server_sig_algs;
}

bool transport_peer_has_extension(const struct transport *t, const char *name)
{
	return ext_info_has(&t->ext_info, name);
}

uint64_t transport_last_received_ms(const struct transport *t)
{
	return t->last_received_ms;
}

static const char *cipher_name(const struct packet_keys *names)
{
	return names->cipher ? names->cipher->name : "";
}

static const char *mac_name(const struct packet_keys *names)
{
	return names->mac ? names->mac->name : "";
}

void transport_get_info(const struct transport *t, struct transport_info *ret_info)
{
	const struct packet_keys *out = packet_sealer_names(t->sealer);
	const struct packet_keys *in = packet_opener_names(t->opener);

	*ret_info = (struct transport_info){
	    .kex = kex_name(t->kex),
	    .host_key_algorithm = kex_host_key_algorithm(t->kex),
	    .cipher_out = cipher_name(out),
	    .cipher_in = cipher_name(in),
	    .mac_out = mac_name(out),
	    .mac_in = mac_name(in),
	    .post_quantum = kex_is_post_quantum(t->kex),
	    .bytes_in = t->bytes_in_before + packet_opener_count(t->opener).bytes,
	    .bytes_out = t->bytes_out_before + packet_sealer_count(t->sealer).bytes,
	    .rekeys = t->exchanges ? t->exchanges - 1 : 0,
	};
}
