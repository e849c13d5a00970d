#include "ssh/rekey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

static const struct cipher_info *gcm(void)
{
	return cipher_find(span_of("aes256-gcm@openssh.com"));
}

/* ---- arithmetic ---- */

static void test_the_marks_stand_at_half_and_at_four_fifths(void **state)
{
	(void)state;
	struct rekey_marks marks = {0};

	rekey_marks_set(&marks, gcm(), 1000);
	assert_int_equal(rekey_wear(&marks, (struct packet_count){499, 1}), REKEY_FRESH);
	assert_int_equal(rekey_wear(&marks, (struct packet_count){500, 1}), REKEY_WHEN_IDLE);
	assert_int_equal(rekey_wear(&marks, (struct packet_count){799, 1}), REKEY_WHEN_IDLE);
	assert_int_equal(rekey_wear(&marks, (struct packet_count){800, 1}), REKEY_NOW);
}

static void test_packets_wear_a_key_as_bytes_do(void **state)
{
	(void)state;
	struct rekey_marks marks = {0};
	uint64_t limit = gcm()->max_packets;

	rekey_marks_set(&marks, gcm(), 0);
	assert_int_equal(rekey_wear(&marks, (struct packet_count){0, limit / 2 - 1}), REKEY_FRESH);
	assert_int_equal(
	    rekey_wear(&marks, (struct packet_count){0, limit / 2 + 1}), REKEY_WHEN_IDLE);
	assert_int_equal(rekey_wear(&marks, (struct packet_count){0, limit}), REKEY_NOW);
}

static void test_the_default_is_a_gibibyte_or_what_the_cipher_bears(void **state)
{
	(void)state;
	for (size_t i = 0; cipher_at(i); i++) {
		const struct cipher_info *cipher = cipher_at(i);
		uint64_t limit = cipher->max_bytes < REKEY_BYTES_DEFAULT ? cipher->max_bytes
									 : REKEY_BYTES_DEFAULT;
		struct rekey_marks by_default = {0}, by_much = {0};

		rekey_marks_set(&by_default, cipher, 0);
		assert_int_equal(by_default.now.bytes, limit - limit / 5);
		rekey_marks_set(&by_much, cipher, UINT64_MAX);
		assert_true(by_much.now.bytes <= cipher->max_bytes);
	}
}

static void test_a_direction_in_the_clear_never_wears(void **state)
{
	(void)state;
	struct rekey_marks marks = {0};

	assert_int_equal(
	    rekey_wear(&marks, (struct packet_count){UINT64_MAX, UINT64_MAX}), REKEY_FRESH);
}

static void test_age_wears_a_key_unless_it_is_not_to(void **state)
{
	(void)state;
	assert_int_equal(rekey_wear_by_age(1799999, 3600000), REKEY_FRESH);
	assert_int_equal(rekey_wear_by_age(1800000, 3600000), REKEY_WHEN_IDLE);
	assert_int_equal(rekey_wear_by_age(2879999, 3600000), REKEY_WHEN_IDLE);
	assert_int_equal(rekey_wear_by_age(2880000, 3600000), REKEY_NOW);
	assert_int_equal(rekey_wear_by_age(UINT64_MAX, 0), REKEY_FRESH);
	assert_int_equal(rekey_next_check_ms(0, 3600000), 1800000);
	assert_int_equal(rekey_next_check_ms(1800000, 3600000), 1080000);
	assert_int_equal(rekey_next_check_ms(5000000, 3600000), 0);
	assert_true(rekey_next_check_ms(5, 0) == UINT64_MAX);
}

/* ---- the watch ---- */

struct fixture {
	struct loop *loop;
	struct packet_sealer *sealer;
	struct packet_opener *opener;
	struct evbuffer *out;
	struct rekey_watch watch;
	unsigned due;
};

static void on_due(void *arg)
{
	struct fixture *f = arg;

	f->due++;
}

static void start(struct fixture *f, uint64_t bytes, uint64_t interval_ms)
{
	static const uint8_t zeros[64];
	struct packet_keys keys = {.cipher = gcm(), .key = zeros, .iv = zeros};

	clock_fake_start(1000000, 1700000000);
	*f = (struct fixture){.loop = loop_new(),
	    .sealer = packet_sealer_new(),
	    .opener = packet_opener_new(),
	    .out = evbuffer_new()};
	packet_sealer_set_keys(f->sealer, &keys, PACKET_SEQUENCE_RESTARTS);
	rekey_watch_init(&f->watch, f->loop, f->sealer, f->opener, bytes, interval_ms, on_due, f);
	rekey_watch_sending(&f->watch, keys.cipher);
	rekey_watch_receiving(&f->watch, keys.cipher);
	rekey_watch_restart(&f->watch);
	rekey_watch_arm(&f->watch);
}

static void stop(struct fixture *f)
{
	rekey_watch_disarm(&f->watch);
	packet_sealer_free(f->sealer);
	packet_opener_free(f->opener);
	evbuffer_free(f->out);
	loop_free(f->loop);
	clock_fake_stop();
}

static void use(struct fixture *f, size_t bytes)
{
	static uint8_t payload[10000] = {94};
	struct iovec piece = {payload, bytes};

	packet_seal(f->sealer, &piece, 1, f->out);
	rekey_watch_used(&f->watch);
}

static void test_it_is_due_at_once_when_most_is_used(void **state)
{
	(void)state;
	struct fixture f;

	start(&f, 10000, 0);
	use(&f, 4000);
	loop_fake_advance(f.loop, 0);
	assert_int_equal(f.due, 0);
	use(&f, 4200);
	loop_fake_advance(f.loop, 0);
	assert_int_equal(f.due, 1);
	stop(&f);
}

static void test_from_half_on_it_is_due_in_the_first_idle_second(void **state)
{
	(void)state;
	struct fixture f;

	start(&f, 10000, 0);
	use(&f, 5500);
	for (int i = 0; i < 10; i++) {
		loop_fake_advance(f.loop, 900);
		use(&f, 1);
	}
	assert_int_equal(f.due, 0);
	loop_fake_advance(f.loop, 2000);
	assert_int_equal(f.due, 1);
	stop(&f);
}

static void test_it_is_due_by_time_on_a_busy_connection_at_four_fifths(void **state)
{
	(void)state;
	struct fixture f;

	start(&f, 0, 10000);
	for (int i = 0; i < 79; i++) {
		loop_fake_advance(f.loop, 100);
		use(&f, 1);
	}
	assert_int_equal(f.due, 0);
	for (int i = 0; i < 11; i++) {
		loop_fake_advance(f.loop, 100);
		use(&f, 1);
	}
	assert_true(f.due >= 1);
	stop(&f);
}

static void test_an_idle_connection_is_due_at_half_of_its_time(void **state)
{
	(void)state;
	struct fixture f;

	start(&f, 0, 3600000);
	loop_fake_advance(f.loop, 1799999);
	assert_int_equal(f.due, 0);
	loop_fake_advance(f.loop, 1);
	assert_int_equal(f.due, 1);
	stop(&f);
}

static void test_disarmed_it_says_nothing(void **state)
{
	(void)state;
	struct fixture f;

	start(&f, 10000, 10000);
	use(&f, 9000); /* it is due, and has not been said yet */
	rekey_watch_disarm(&f.watch);
	use(&f, 9000);
	loop_fake_advance(f.loop, 100000);
	assert_int_equal(f.due, 0);
	stop(&f);
}

static void test_armed_with_worn_keys_it_is_due_at_once(void **state)
{
	(void)state;
	struct fixture f;

	start(&f, 10000, 0);
	rekey_watch_disarm(&f.watch);
	use(&f, 9000);
	rekey_watch_arm(&f.watch);
	loop_fake_advance(f.loop, 0);
	assert_int_equal(f.due, 1);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_marks_stand_at_half_and_at_four_fifths),
	    cmocka_unit_test(test_packets_wear_a_key_as_bytes_do),
	    cmocka_unit_test(test_the_default_is_a_gibibyte_or_what_the_cipher_bears),
	    cmocka_unit_test(test_a_direction_in_the_clear_never_wears),
	    cmocka_unit_test(test_age_wears_a_key_unless_it_is_not_to),
	    cmocka_unit_test(test_it_is_due_at_once_when_most_is_used),
	    cmocka_unit_test(test_from_half_on_it_is_due_in_the_first_idle_second),
	    cmocka_unit_test(test_it_is_due_by_time_on_a_busy_connection_at_four_fifths),
	    cmocka_unit_test(test_an_idle_connection_is_due_at_half_of_its_time),
	    cmocka_unit_test(test_disarmed_it_says_nothing),
	    cmocka_unit_test(test_armed_with_worn_keys_it_is_due_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
