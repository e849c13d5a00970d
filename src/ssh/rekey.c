#include "ssh/rekey.h"

#include "base/clock.h"

static uint64_t half_of(uint64_t limit)
{
	return limit - limit / 2;
}

static uint64_t most_of(uint64_t limit)
{
	return limit - limit / 5;
}

void rekey_marks_set(struct rekey_marks *marks, const struct cipher_info *cipher, uint64_t bytes)
{
	if (bytes == 0)
		bytes = REKEY_BYTES_DEFAULT;
	if (bytes > cipher->max_bytes)
		bytes = cipher->max_bytes;
	marks->when_idle = (struct packet_count){half_of(bytes), half_of(cipher->max_packets)};
	marks->now = (struct packet_count){most_of(bytes), most_of(cipher->max_packets)};
}

enum rekey_wear rekey_wear(const struct rekey_marks *marks, struct packet_count used)
{
	if (marks->now.packets == 0)
		return REKEY_FRESH;
	if (used.bytes >= marks->now.bytes || used.packets >= marks->now.packets)
		return REKEY_NOW;
	if (used.bytes >= marks->when_idle.bytes || used.packets >= marks->when_idle.packets)
		return REKEY_WHEN_IDLE;
	return REKEY_FRESH;
}

enum rekey_wear rekey_wear_by_age(uint64_t age_ms, uint64_t interval_ms)
{
	if (interval_ms == 0 || age_ms < half_of(interval_ms))
		return REKEY_FRESH;
	return age_ms < most_of(interval_ms) ? REKEY_WHEN_IDLE : REKEY_NOW;
}

uint64_t rekey_next_check_ms(uint64_t age_ms, uint64_t interval_ms)
{
	if (interval_ms == 0)
		return UINT64_MAX;
	if (age_ms < half_of(interval_ms))
		return half_of(interval_ms) - age_ms;
	return age_ms < most_of(interval_ms) ? most_of(interval_ms) - age_ms : 0;
}

/* ---- one connection's watch ---- */

enum { IDLE_MS = 1000 };

static uint64_t packets_of(const struct rekey_watch *w)
{
	return packet_sealer_count(w->sealer).packets + packet_opener_count(w->opener).packets;
}

static enum rekey_wear worse(enum rekey_wear a, enum rekey_wear b)
{
	return a > b ? a : b;
}

static enum rekey_wear wear_by_use(const struct rekey_watch *w)
{
	return worse(rekey_wear(&w->out, packet_sealer_count(w->sealer)),
	    rekey_wear(&w->in, packet_opener_count(w->opener)));
}

static void look_again(struct rekey_watch *w, uint64_t after_ms)
{
	w->idle_packets = packets_of(w);
	timer_start(&w->look, after_ms);
}

static void look_when_older(struct rekey_watch *w)
{
	uint64_t left = rekey_next_check_ms(clock_now_ms() - w->since_ms, w->interval_ms);

	if (left == UINT64_MAX)
		timer_stop(&w->look);
	else
		look_again(w, left);
}

static void on_look(void *arg)
{
	struct rekey_watch *w = arg;
	enum rekey_wear wear =
	    worse(wear_by_use(w), rekey_wear_by_age(clock_now_ms() - w->since_ms, w->interval_ms));

	if (wear == REKEY_NOW || (wear == REKEY_WHEN_IDLE && packets_of(w) == w->idle_packets))
		task_schedule(&w->due);
	else if (wear == REKEY_WHEN_IDLE)
		look_again(w, IDLE_MS);
	else
		look_when_older(w);
}

void rekey_watch_init(struct rekey_watch *w, struct loop *loop, const struct packet_sealer *sealer,
    const struct packet_opener *opener, uint64_t bytes, uint64_t interval_ms,
    void (*on_due)(void *arg), void *arg)
{
	*w = (struct rekey_watch){
	    .sealer = sealer, .opener = opener, .bytes = bytes, .interval_ms = interval_ms};
	task_init(&w->due, loop, on_due, arg);
	timer_init(&w->look, loop, on_look, w);
}

void rekey_watch_sending(struct rekey_watch *w, const struct cipher_info *cipher)
{
	rekey_marks_set(&w->out, cipher, w->bytes);
}

void rekey_watch_receiving(struct rekey_watch *w, const struct cipher_info *cipher)
{
	rekey_marks_set(&w->in, cipher, w->bytes);
}

void rekey_watch_restart(struct rekey_watch *w)
{
	w->since_ms = clock_now_ms();
}

void rekey_watch_arm(struct rekey_watch *w)
{
	w->armed = true;
	look_when_older(w);
	rekey_watch_used(w);
}

void rekey_watch_disarm(struct rekey_watch *w)
{
	w->armed = false;
	task_cancel(&w->due);
	timer_stop(&w->look);
}

void rekey_watch_used(struct rekey_watch *w)
{
	enum rekey_wear wear = wear_by_use(w);

	if (wear == REKEY_FRESH || !w->armed)
		return;
	if (wear == REKEY_NOW)
		task_schedule(&w->due);
	else if (!timer_is_running(&w->look) || timer_left_ms(&w->look) > IDLE_MS)
		look_again(w, IDLE_MS);
}

bool rekey_watch_is_due(const struct rekey_watch *w)
{
	return w->armed && wear_by_use(w) == REKEY_NOW;
}
