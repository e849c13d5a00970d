/*
 * What comes in is read in process(), a part of it each pass: the identification, then packets, each of which
 * transport_dispatch() hands to its handler. What goes out is sealed into the bufferevent's output at once, or kept while a key
 * exchange forbids it.
 *
 * Whatever ends the connection goes through transport_end(), the last thing its caller does. After each callback the state is
 * looked at first: the owner may have freed us in it, and then only the memory is left until the end of the pass.
 */
#include "ssh/transport_private.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/bev.h"
#include "ssh/disconnect.h"

enum {
	/* A pass takes no more than that, so that other connections get their turn. */
	READ_PACKETS_MAX = 16,
	/* A packet must fit into the input, or reading would stop before it is whole. */
	INPUT_HIGH_MARK = PACKET_LENGTH_MAX + 4096,
	/* Bytes that the kernel may hold unsent: a query must not wait behind a dump's megabytes. */
	NOTSENT_LOWAT = 128 * 1024,
	REKEY_TIMEOUT_DEFAULT_MS = 60000
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
	timer_stop(&t->rekey_look);
	kept_clear(&t->kept);
	lumps_stop(&t->lumps);
	bev_free(t->bev);
	t->bev = NULL;
}

void transport_seal(struct transport *t, struct span payload)
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
	transport_seal(t, wr_span(&message));
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
	case ERR_CONFIG: /* no algorithm in common */
		if (in_kex)
			say_goodbye(t, DISCONNECT_KEY_EXCHANGE_FAILED, "key exchange failed");
		else
			say_goodbye(t, DISCONNECT_PROTOCOL_ERROR, "protocol error");
		return;
	case ERR_OK:
	case ERR_NETWORK:
	case ERR_TIMEOUT:
	case ERR_LOGIN:
	case ERR_LOCAL:
	case ERR_CANCELLED:
		say_goodbye(t, DISCONNECT_BY_APPLICATION, "closing");
		return;
	}
}

void transport_end(struct transport *t, const struct err *e, enum transport_goodbye goodbye)
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

	transport_end(t, &t->failure, GOODBYE);
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

bool transport_rekey_is_due(const struct transport *t)
{
	return rekey_watch_is_due(&t->rekey);
}

uint64_t transport_exchanged_ms(const struct transport *t)
{
	return t->state == STATE_OPEN && kex_is_running(t->kex) ? clock_now_ms() : t->exchanged_ms;
}

uint64_t transport_held_until_ms(const struct transport *t)
{
	return t->bev ? bev_held_until_ms(t->bev) : 0;
}

void transport_watch_gate(struct transport *t)
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

/* What is answered with may be as large as what came: a PING, an agent's signature. */
static bool fits(struct transport *t, const struct iovec *pieces, size_t count)
{
	struct err e = ERR_INIT;
	size_t payload = 0;

	for (size_t i = 0; i < count; i++)
		payload += pieces[i].iov_len;
	if (payload <= PACKET_PAYLOAD_MAX)
		return true;
	err_set(&e, ERR_LOCAL, "a message of %zu bytes does not fit into a packet", payload);
	end_later(t, &e);
	return false;
}

void transport_send(struct transport *t, const struct iovec *pieces, size_t count)
{
	if (t->state == STATE_CLOSED || err_is_set(&t->failure) || !fits(t, pieces, count))
		return;
	if (kex_blocks_sending(t->kex) || !kept_empty(&t->kept)) {
		keep(t, pieces, count);
		return;
	}
	packet_seal(t->sealer, pieces, count, bufferevent_get_output(t->bev));
	transport_watch_gate(t);
	rekey_watch_used(&t->rekey);
}

void transport_send_span(struct transport *t, struct span payload)
{
	struct iovec piece = {(void *)(uintptr_t)payload.p, payload.n};

	transport_send(t, &piece, 1);
}

uint32_t transport_sent_sequence(const struct transport *t)
{
	return packet_sealer_sequence(t->sealer) - 1;
}

void transport_send_kept(void *arg, struct span message)
{
	transport_seal(arg, message);
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
	r = transport_dispatch(t, payload, e);
	if (t->state == STATE_CLOSED)
		return 0;
	return r < 0 ? r : 1;
}

/* What OpenSSH's server says, from 9.8 on, to a source that it penalises (sshd_config(5)). */
#define PENALTY "Not allowed at this time"

/* "the server closed the connection during the login": the reader of it may know why. */
static void explain_end(struct transport *t, struct err *e)
{
	bool in_packet = evbuffer_get_length(bufferevent_get_input(t->bev)) > 0;
	const char *when = "";

	/* What it said comes before how it went: a server that closes with our first bytes unread resets. */
	if (t->state == STATE_IDENT && strstr(strbuf_text(&t->greeting), PENALTY)) {
		/* Nothing but waiting helps, and each try too early makes it longer. */
		err_set(e, ERR_LOGIN,
		    "the server refuses this address for a while (PerSourcePenalties): logins from "
		    "here "
		    "failed; it said \"%s\"",
		    strbuf_text(&t->greeting));
		return;
	}
	if (t->state == STATE_IDENT && t->greeting.n > 0) {
		err_set(e, ERR_NETWORK,
		    "the server closed the connection before saying who it is; it said \"%s\"",
		    strbuf_text(&t->greeting));
		return;
	}
	if (t->input_end == INPUT_ERROR) {
		err_set_errno(e, ERR_NETWORK, t->input_error, "the connection was lost");
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
	transport_watch_gate(t);
	t->callbacks.on_ready(t->arg);
}

static void process(void *arg)
{
	struct transport *t = arg;
	struct err e = ERR_INIT;
	size_t length = evbuffer_get_length(bufferevent_get_input(t->bev));
	size_t enough = length > t->pass_bytes ? length - t->pass_bytes : 0;
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
		transport_end(t, &e, GOODBYE);
		return;
	}
	if (r == 0 && t->input_end != INPUT_GOES_ON) {
		explain_end(t, &e);
		t->closed_by_peer = t->input_end == INPUT_EOF;
		transport_end(t, &e, NO_GOODBYE);
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
	(void)bev;
	transport_watch_gate(arg);
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
	const char *host_keys = algorithms_default(ALGORITHM_HOST_KEY);

	t->prefs[0] = mem_strdup(prefs->kex);
	t->prefs[1] = prefs->host_key ? mem_strdup(prefs->host_key)
				      : hostkey_policy_order(t->hostkey, host_keys);
	t->prefs[2] = mem_strdup(prefs->ciphers);
	t->prefs[3] = mem_strdup(prefs->macs);
	struct kex_options options = {.role = KEX_CLIENT,
	    .prefs = {t->prefs[0], t->prefs[1], t->prefs[2], t->prefs[3]},
	    .our_ident = ident_ours(),
	    .verify_host_key = transport_verify_host_key,
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
	t->pass_bytes = TRANSPORT_PASS;
	t->was_blocked = true;
	t->sealer = packet_sealer_new();
	t->opener = packet_opener_new();
	kept_init(&t->kept);
	task_init(&t->read_task, loop, process, t);
	task_init(&t->can_send_task, loop, on_can_send_task, t);
	task_init(&t->end_task, loop, on_end_task, t);
	rekey_watch_init(&t->rekey, loop, t->sealer, t->opener, options->rekey_bytes,
	    options->rekey_interval_ms, transport_on_rekey_due, t);
	timer_init(&t->rekey_deadline, loop, transport_on_rekey_deadline, t);
	timer_init(&t->rekey_look, loop, transport_on_rekey_look, t);
	bufferevent_setcb(bev, on_readable, on_writable, on_event, t);
	bufferevent_setwatermark(bev, EV_READ, 0, INPUT_HIGH_MARK);
	lumps_init(&t->lumps, loop, bev);
	tune_socket(t);
	make_kex(t, &options->prefs);
	send_ident(t);
	kex_start(t->kex);
	transport_run_kex(t);
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
	transport_set_acks(t, TRANSPORT_ACKS_AS_USUAL);
	if (t->state == STATE_OPEN && !kex_is_running(t->kex))
		rekey_watch_arm(&t->rekey);
}

bool transport_acknowledge(struct transport *t)
{
	return t->state != STATE_CLOSED && bev_socket_fd(t->bev) >= 0 &&
	       bev_socket_acknowledge(t->bev);
}

void transport_set_acks(struct transport *t, enum transport_acks acks)
{
	if (t->state != STATE_CLOSED && bev_socket_fd(t->bev) >= 0)
		bev_socket_set_quickack(
		    t->bev, acks == TRANSPORT_ACKS_AT_ONCE ? BEV_QUICKACK_ON : BEV_QUICKACK_OFF);
}

void transport_set_pass(struct transport *t, size_t bytes)
{
	t->pass_bytes = bytes;
}

void transport_moved_bulk(struct transport *t, size_t n)
{
	if (t->state != STATE_CLOSED)
		lumps_moved(&t->lumps, n);
}

void transport_end_bulk(struct transport *t)
{
	if (t->state != STATE_CLOSED)
		lumps_end(&t->lumps);
}

/* ---- what it knows ---- */

struct span transport_session_id(const struct transport *t)
{
	return kex_session_id(t->kex);
}

struct span transport_host_key(const struct transport *t)
{
	return kex_first_host_key(t->kex);
}

struct span transport_host_key_signature(const struct transport *t)
{
	return kex_first_signature(t->kex);
}

struct span transport_peer_host_keys(const struct transport *t)
{
	return kex_peer_host_keys(t->kex);
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

uint64_t transport_bytes_sent(const struct transport *t)
{
	return t->bytes_out_before + packet_sealer_count(t->sealer).bytes;
}

uint64_t transport_bytes_delivered(const struct transport *t)
{
	uint64_t sent = transport_bytes_sent(t);
	size_t waiting = t->bev ? bev_undelivered(t->bev) : 0;

	return sent > waiting ? sent - waiting : 0;
}

struct bufferevent *transport_bev(const struct transport *t)
{
	return t->bev;
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
	    .bytes_out = transport_bytes_sent(t),
	    .rekeys = t->exchanges ? t->exchanges - 1 : 0,
	};
}
