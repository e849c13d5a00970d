/*
 * The transport's key exchanges: what ssh/kex says is done here, the first time and at each rekey.
 */
#include "ssh/transport_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/minmax.h"

enum {
	REKEY_PROGRESS_BYTES = 16 * 1024,
	REKEY_TIMEOUTS_MAX = 10,
	LOOKS = 8 /* in the time of patience */
};

int transport_verify_host_key(void *arg, struct span key_blob, struct span algorithm, struct err *e)
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
	transport_seal(t, wr_span(&message));
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
	kept_send(&t->kept, transport_send_kept, t);
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
	t->exchanged_ms = clock_now_ms();
	timer_stop(&t->rekey_deadline);
	timer_stop(&t->rekey_look);
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

/* Bytes that came, and bytes that arrived at the peer's side. */
static uint64_t bytes_moved(const struct transport *t)
{
	struct transport_info info;

	transport_get_info(t, &info);
	return info.bytes_in + evbuffer_get_length(bufferevent_get_input(t->bev)) +
	       transport_bytes_delivered(t);
}

static void start_rekey_deadline(struct transport *t, uint64_t ms)
{
	t->rekey_moved = bytes_moved(t);
	timer_start(&t->rekey_deadline, ms);
}

static void look_again(struct transport *t)
{
	if (t->rekey_patience_ms)
		timer_start(&t->rekey_look, t->rekey_patience_ms / LOOKS + 1);
	else
		timer_stop(&t->rekey_look);
}

static void exchange_goes_on(struct transport *t)
{
	if (t->state == STATE_OPEN && kex_is_running(t->kex)) {
		rekey_watch_disarm(&t->rekey);
		if (!timer_is_running(&t->rekey_deadline)) {
			t->rekey_began_ms = t->rekey_seen_ms = clock_now_ms();
			t->rekey_seen = bytes_moved(t);
			start_rekey_deadline(t, t->rekey_timeout_ms);
			look_again(t);
		}
	}
	transport_watch_gate(t);
}

void transport_run_kex(struct transport *t)
{
	for (;;) {
		switch (kex_next(t->kex)) {
		case KEX_WAIT:
			exchange_goes_on(t);
			return;
		case KEX_SEND:
			transport_seal(t, kex_message(t->kex));
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
	transport_run_kex(t);
}

void transport_on_rekey_due(void *arg)
{
	struct transport *t = arg;

	/* The window adjusts that are owed go out before the gate shuts. */
	if (transport_can_send(t) && !t->ready_is_owed)
		t->callbacks.on_can_send(t->arg);
	transport_rekey(t); /* does nothing if it is closed by now */
}

/* Our KEXINIT stands behind half a megabyte of output, the server's behind what it had to send: on a slow path that takes
 * minutes. Probes of a server that has forgotten its answer do not count, and no traffic counts for ever. */
static bool is_under_way(const struct transport *t)
{
	return bytes_moved(t) - t->rekey_moved >= REKEY_PROGRESS_BYTES &&
	       clock_now_ms() - t->rekey_began_ms < REKEY_TIMEOUTS_MAX * t->rekey_timeout_ms;
}

void transport_on_rekey_deadline(void *arg)
{
	struct transport *t = arg;
	struct err e = ERR_INIT;
	uint64_t now_ms = clock_now_ms();
	/* While what carries us stood still the server could do nothing. */
	uint64_t from_ms = is_under_way(t) ? now_ms : transport_held_until_ms(t);

	if (from_ms + t->rekey_timeout_ms > now_ms) {
		start_rekey_deadline(t, from_ms + t->rekey_timeout_ms - now_ms);
		return;
	}
	err_set(&e, ERR_TIMEOUT, "the server did not finish the key re-exchange within %lu s",
	    (unsigned long)((now_ms - t->rekey_began_ms) / 1000));
	transport_end(t, &e, GOODBYE);
}

/* The server must answer, and whatever arrives at its side is life, too: on a slow path minutes of data stand before our messages. */
void transport_on_rekey_look(void *arg)
{
	struct transport *t = arg;
	struct err e = ERR_INIT;
	uint64_t moved = bytes_moved(t), now_ms = clock_now_ms();

	if (moved != t->rekey_seen) {
		t->rekey_seen = moved;
		t->rekey_seen_ms = now_ms;
	}
	uint64_t still_ms = now_ms - max(t->rekey_seen_ms, transport_held_until_ms(t));
	if (still_ms < t->rekey_patience_ms) {
		look_again(t);
		return;
	}
	err_set(&e, ERR_TIMEOUT, "nothing came or went for %.1f s while new keys were being made",
	    (double)still_ms / 1000);
	transport_end(t, &e, GOODBYE);
}

void transport_set_rekey_patience(struct transport *t, uint64_t ms)
{
	t->rekey_patience_ms = ms;
	if (timer_is_running(&t->rekey_deadline))
		look_again(t);
}
