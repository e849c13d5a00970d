/*
 * The transport of the scripted server, by the same kex and packet modules as the client's, in the other role.
 */
#include "server.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ssh/ident.h"
#include "server_internal.h"

void server_complain(struct server *s, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	strbuf_addf(&s->complaint, "%s%s", s->complaint.n ? "; " : "", text);
}

/* ---- keys ---- */

struct key *server_make_key(uint8_t seed)
{
	uint8_t bytes[32];
	struct err e = ERR_INIT;

	memset(bytes, seed, sizeof(bytes));
	struct key *key = key_from_pkey(
	    EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, sizeof(bytes)), &e);
	if (!key)
		abort();
	return key;
}

const struct key *server_host_key(void)
{
	static struct key *key;

	if (!key)
		key = server_make_key(0x5e);
	return key;
}

struct hostkey_policy *server_policy(void)
{
	char *pin = key_fingerprint(key_blob(server_host_key()));
	const char *pins[] = {pin};
	struct hostkey_options options = {.name = "server.test",
	    .port = 22,
	    .address = "server.test",
	    .pins = pins,
	    .pin_count = 1};
	struct err e = ERR_INIT;
	struct hostkey_policy *policy = hostkey_policy_new(&options, &e);

	if (!policy)
		abort();
	free(pin);
	return policy;
}

static int give_host_key(void *arg, struct span algorithm, struct wr *blob, struct err *e)
{
	(void)arg;
	(void)algorithm;
	(void)e;
	wr_span_bytes(blob, key_blob(server_host_key()));
	return 0;
}

static int sign_exchange_hash(
    void *arg, struct span algorithm, struct span hash, struct wr *signature, struct err *e)
{
	struct server *s = arg;
	int r = key_sign(server_host_key(), algorithm, hash, signature, e);

	if (s->script.host_key == SERVER_SIGNS_BADLY)
		signature->p[signature->n - 1] ^= 1;
	return r;
}

/* ---- sending ---- */

static void write_some(void *arg)
{
	struct server *s = arg;
	size_t n = evbuffer_get_length(s->out);

	if (s->ended || n == 0)
		return;
	if (s->script.fragment && n > s->script.fragment)
		n = s->script.fragment;
	evbuffer_remove_buffer(s->out, bufferevent_get_output(s->bev), n);
	if (evbuffer_get_length(s->out))
		task_schedule(&s->write_task);
}

void server_send_raw(struct server *s, struct span bytes)
{
	evbuffer_add(s->out, bytes.p, bytes.n);
	task_schedule(&s->write_task);
}

void server_send_now(struct server *s, struct span payload)
{
	struct iovec piece = {(void *)(uintptr_t)payload.p, payload.n};

	packet_seal(s->sealer, &piece, 1, s->out);
	task_schedule(&s->write_task);
}

void server_send(struct server *s, struct span payload)
{
	struct iovec piece = {(void *)(uintptr_t)payload.p, payload.n};

	if (!kex_blocks_sending(s->kex))
		server_send_now(s, payload);
	else if (!kept_add(&s->kept, &piece, 1))
		server_complain(s, "the test sends too much during a key exchange");
}

void server_send_message(struct server *s, uint8_t type)
{
	server_send_now(s, SPAN(&type, 1));
}

void server_send_unimplemented(struct server *s)
{
	uint8_t message[5] = {SSH_MSG_UNIMPLEMENTED};

	put_u32(message + 1, packet_opener_sequence(s->opener));
	server_send_now(s, SPAN(message, sizeof(message)));
}

void server_send_damaged(struct server *s, struct span payload)
{
	struct iovec piece = {(void *)(uintptr_t)payload.p, payload.n};
	struct evbuffer *packet = evbuffer_new();

	packet_seal(s->sealer, &piece, 1, packet);
	evbuffer_pullup(packet, -1)[evbuffer_get_length(packet) - 1] ^= 1;
	evbuffer_add_buffer(s->out, packet);
	evbuffer_free(packet);
	task_schedule(&s->write_task);
}

/* ---- key exchange ---- */

static void write_extension(struct wr *w, const char *name, const char *value)
{
	wr_cstring(w, name);
	wr_cstring(w, value);
}

static void send_ext_info(struct server *s)
{
	struct wr w = WR_INIT;
	const char *sig_algs = s->script.sig_algs;

	if (s->script.ext_info == SERVER_NO_EXT_INFO || !kex_peer_has_ext_info(s->kex))
		return;
	if (!sig_algs)
		sig_algs = "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256";
	wr_u8(&w, SSH_MSG_EXT_INFO);
	wr_u32(&w, s->script.hostbound == SERVER_HOSTBOUND ? 3 : 2);
	write_extension(&w, "server-sig-algs", sig_algs);
	if (s->script.hostbound == SERVER_HOSTBOUND)
		write_extension(&w, "publickey-hostbound@openssh.com", "0");
	write_extension(&w, "ping@openssh.com", "0");
	server_send_now(s, wr_span(&w));
	wr_clear(&w);
}

static void send_kept(void *arg, struct span payload)
{
	server_send_now(arg, payload);
}

static void run_kex(struct server *s)
{
	for (;;) {
		switch (kex_next(s->kex)) {
		case KEX_WAIT:
			return;
		case KEX_SEND:
			server_send_now(s, kex_message(s->kex));
			break;
		case KEX_USE_SEND_KEYS:
			packet_sealer_set_keys(s->sealer, kex_keys(s->kex), kex_sequence(s->kex));
			if (s->exchanges == 0)
				send_ext_info(s);
			kept_send(&s->kept, send_kept, s);
			server_channels_resume(s);
			break;
		case KEX_USE_RECEIVE_KEYS:
			packet_opener_set_keys(s->opener, kex_keys(s->kex), kex_sequence(s->kex));
			break;
		case KEX_DONE:
			s->exchanges++;
			break;
		}
	}
}

void server_rekey(struct server *s)
{
	kex_start(s->kex);
	run_kex(s);
}

/* ---- receiving ---- */

static void handle(struct server *s, struct span payload)
{
	uint8_t type = payload.p[0];
	struct err e = ERR_INIT;

	strbuf_addf(&s->seen, "%s%u", s->seen.n ? " " : "", type);
	if (kex_blocks_receiving(s->kex) && (type >= 50 || type == 5 || type == 6))
		server_complain(s, "message %u came during a key exchange", type);
	if (type == SSH_MSG_DISCONNECT && payload.n >= 5)
		s->disconnect_code = get_u32(payload.p + 1);
	if (s->silent || type == SSH_MSG_DISCONNECT)
		return;
	if (type >= SSH_MSG_KEXINIT && type <= SSH_MSG_KEX_LAST) {
		if (kex_input(s->kex, packet_opener_sequence(s->opener), payload, &e) < 0)
			server_complain(s, "key exchange: %s", e.text);
		else
			run_kex(s);
		return;
	}
	if (s->script.on_message && type >= 50 && s->script.on_message(s->script.arg, s, payload))
		return;
	if (server_login_input(s, payload) || server_channel_input(s, payload))
		return;
	if (type != SSH_MSG_IGNORE && type != SSH_MSG_UNIMPLEMENTED && type != SSH_MSG_EXT_INFO)
		server_complain(s, "message %u is not known", type);
}

static bool read_ident(struct server *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	size_t n;
	char *line = evbuffer_readln(in, &n, EVBUFFER_EOL_CRLF_STRICT);

	if (!line)
		return false;
	s->client_ident = mem_strdup(line);
	free(line);
	if (strncmp(s->client_ident, "SSH-2.0-", 8) != 0)
		server_complain(s, "identification %s", s->client_ident);
	kex_set_peer_ident(s->kex, s->client_ident);
	return true;
}

static void on_readable(struct bufferevent *bev, void *arg)
{
	struct server *s = arg;
	struct err e = ERR_INIT;
	struct span payload;
	int r = 0;

	if (!s->client_ident && !read_ident(s))
		return;
	while (!s->ended &&
	       (r = packet_open(s->opener, bufferevent_get_input(bev), &payload, &e)) == 1)
		handle(s, payload);
	if (r < 0) {
		server_complain(s, "packet: %s", e.text);
		server_reset(s);
	}
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct server *s = arg;

	(void)bev;
	(void)what;
	s->ended = true;
}

/* ---- life ---- */

static const char *ident_of(const struct server_script *script)
{
	return script->ident ? script->ident : "SSH-2.0-OpenSSH_9.9 scripted";
}

struct server *server_new(
    struct loop *loop, struct bufferevent *bev, const struct server_script *script)
{
	struct server *s = NEW(struct server);

	s->loop = loop;
	s->bev = bev;
	s->script = *script;
	s->sealer = packet_sealer_new();
	s->opener = packet_opener_new();
	s->out = evbuffer_new();
	s->channels = map_new();
	kept_init(&s->kept);
	task_init(&s->write_task, loop, write_some, s);
	struct kex_options options = {.role = KEX_SERVER,
	    .prefs = script->prefs,
	    .strict = script->strict,
	    .our_ident = ident_of(script),
	    .host_key = give_host_key,
	    .sign_exchange_hash = sign_exchange_hash,
	    .arg = s};
	if (!options.prefs.host_key)
		options.prefs.host_key = "ssh-ed25519";
	s->kex = kex_new(&options);
	bufferevent_setcb(bev, on_readable, NULL, on_event, s);
	s->silent = !ident_of(script)[0];
	if (!s->silent) {
		evbuffer_add_printf(s->out, "%s\r\n", ident_of(script));
		kex_start(s->kex);
		run_kex(s);
	}
	task_schedule(&s->write_task);
	return s;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	task_cancel(&s->write_task);
	bev_free(s->bev);
	kex_free(s->kex);
	packet_sealer_free(s->sealer);
	packet_opener_free(s->opener);
	evbuffer_free(s->out);
	kept_clear(&s->kept);
	server_channels_clear(s);
	map_free(s->channels);
	strbuf_clear(&s->seen);
	strbuf_clear(&s->complaint);
	free(s->client_ident);
	free(s);
}

void server_fall_silent(struct server *s)
{
	s->silent = true;
}

void server_stop_reading(struct server *s)
{
	bufferevent_setwatermark(s->bev, EV_READ, 0, 1);
	bufferevent_setcb(s->bev, NULL, NULL, on_event, s);
}

void server_pause(struct server *s)
{
	bufferevent_setcb(s->bev, NULL, NULL, on_event, s);
}

void server_go_on(struct server *s)
{
	bufferevent_setcb(s->bev, on_readable, NULL, on_event, s);
	on_readable(s->bev, s);
}

void server_sign_badly(struct server *s)
{
	s->script.host_key = SERVER_SIGNS_BADLY;
}

void server_finish(struct server *s)
{
	evbuffer_add_buffer(bufferevent_get_output(s->bev), s->out);
	bev_finish(s->bev);
	s->ended = true;
}

void server_reset(struct server *s)
{
	bev_reset(s->bev);
	s->bev = NULL;
	s->ended = true;
}

/* ---- what it saw ---- */

const char *server_seen(const struct server *s)
{
	return strbuf_text(&s->seen);
}

void server_forget_seen(struct server *s)
{
	strbuf_clear(&s->seen);
}

unsigned server_exchanges(const struct server *s)
{
	return s->exchanges;
}

const char *server_client_ident(const struct server *s)
{
	return s->client_ident ? s->client_ident : "";
}

uint32_t server_disconnect_code(const struct server *s)
{
	return s->disconnect_code;
}

bool server_saw_end(const struct server *s)
{
	return s->ended;
}

const char *server_complaint(const struct server *s)
{
	return strbuf_text(&s->complaint);
}
