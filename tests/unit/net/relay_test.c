#include "bev_watch.h"

#include "base/clock.h"
#include "net/relay.h"

/* client =pair= a [relay] b =pair= server */
struct fixture {
	struct loop *loop;
	struct bev_rules_end client, server;
	struct bufferevent *a, *b;
	struct relay *relay; /* NULL once it ended */
	struct relay_options options;
	enum relay_end how;
	int error;
	unsigned ends;
	uint64_t bytes_a_to_b, bytes_b_to_a;
};

static void on_end(void *arg, enum relay_end how, int error)
{
	struct fixture *f = arg;

	assert_int_equal(bev_rules_inside, 0);
	f->ends++;
	f->how = how;
	f->error = error;
	f->relay = NULL;
}

static void begin(struct fixture *f)
{
	struct bufferevent *left[2], *right[2];

	*f = (struct fixture){.loop = loop_new()};
	bev_pair_new(f->loop, left);
	bev_pair_new(f->loop, right);
	bev_rules_end_init(&f->client, left[0]);
	bev_rules_end_init(&f->server, right[1]);
	f->a = left[1];
	f->b = right[0];
	f->options.on_end = on_end;
	f->options.arg = f;
	f->options.bytes_a_to_b = &f->bytes_a_to_b;
	f->options.bytes_b_to_a = &f->bytes_b_to_a;
}

static void join(struct fixture *f)
{
	BEV_RULES_CALL(f->relay = relay_new(f->loop, f->a, f->b, &f->options));
}

static void finish(struct fixture *f)
{
	relay_free(f->relay);
	bev_rules_free_end(&f->client);
	bev_rules_free_end(&f->server);
	bev_rules_settle(f->loop);
	evbuffer_free(f->client.got);
	evbuffer_free(f->server.got);
	loop_free(f->loop);
	clock_fake_stop();
}

static void reset_end(struct bev_rules_end *end)
{
	struct bufferevent *bev = end->bev;

	end->bev = NULL;
	bev_reset(bev);
}

static void test_both_ways_then_both_ends(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	join(&f);
	bev_rules_write(&f.client, 0, 3000000);
	bev_rules_write(&f.server, 0, 1000000);
	bev_finish(f.client.bev);
	bev_finish(f.server.bev);
	BEV_RULES_UNTIL(f.loop, f.ends);
	assert_int_equal(f.how, RELAY_END_FINISHED);
	assert_int_equal(f.error, 0);
	BEV_RULES_UNTIL(f.loop, f.client.eofs && f.server.eofs);
	bev_rules_got_exactly(&f.server, 3000000);
	bev_rules_got_exactly(&f.client, 1000000);
	assert_int_equal(f.bytes_a_to_b, 3000000);
	assert_int_equal(f.bytes_b_to_a, 1000000);
	assert_int_equal(f.client.errors + f.server.errors, 0);
	finish(&f);
	assert_int_equal(f.ends, 1);
}

/* Who is told of room only below a low mark hears of the last byte all the same. */
static void test_with_low_marks_it_ends_with_the_last_byte(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	bufferevent_setwatermark(f.a, EV_WRITE, 16384, 65536);
	bufferevent_setwatermark(f.b, EV_WRITE, 16384, 65536);
	join(&f);
	f.server.reading = BEV_RULES_LEAVE;
	bufferevent_setwatermark(f.server.bev, EV_READ, 0, 1000);
	bev_rules_write(&f.client, 0, 10000);
	bev_finish(f.client.bev);
	bev_finish(f.server.bev);
	bev_rules_settle(f.loop);
	assert_in_range(evbuffer_get_length(bufferevent_get_output(f.b)), 1, 10000);
	f.server.reading = BEV_RULES_TAKE;
	bev_rules_take(&f.server);
	BEV_RULES_UNTIL(f.loop, f.ends);
	assert_int_equal(f.how, RELAY_END_FINISHED);
	BEV_RULES_UNTIL(f.loop, f.client.eofs && f.server.eofs);
	bev_rules_got_exactly(&f.server, 10000);
	finish(&f);
}

static void test_an_output_that_is_empty_takes_a_passs_worth(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	bufferevent_setwatermark(f.b, EV_WRITE, 16384, 65536);
	join(&f);
	f.server.reading = BEV_RULES_LEAVE;
	bufferevent_setwatermark(f.server.bev, EV_READ, 0, 1000);
	bev_rules_write(&f.client, 0, 200000);
	bev_rules_settle(f.loop);
	assert_in_range(evbuffer_get_length(bufferevent_get_output(f.b)), 190000, 200000);
	/* One that is not takes no more than its mark allows. */
	bev_rules_write(&f.client, 200000, 200000);
	bev_rules_settle(f.loop);
	assert_in_range(evbuffer_get_length(bufferevent_get_output(f.b)), 190000, 200000);
	f.server.reading = BEV_RULES_TAKE;
	bev_rules_take(&f.server);
	BEV_RULES_UNTIL(f.loop, evbuffer_get_length(f.server.got) == 400000);
	bev_rules_got_exactly(&f.server, 400000);
	finish(&f);
}

static void test_what_was_there_before_goes_first(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	bev_rules_write(&f.client, 0, 100);
	bev_rules_settle(f.loop);
	join(&f);
	bev_rules_write(&f.client, 100, 100);
	BEV_RULES_UNTIL(f.loop, evbuffer_get_length(f.server.got) == 200);
	bev_rules_got_exactly(&f.server, 200);
	finish(&f);
}

static void test_an_eof_that_came_before_counts(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	bev_rules_write(&f.client, 0, 100);
	bev_finish(f.client.bev);
	bev_rules_settle(f.loop);
	assert_true(bev_at_eof(f.a));
	join(&f);
	BEV_RULES_UNTIL(f.loop, f.server.eofs);
	bev_rules_got_exactly(&f.server, 100);
	bev_finish(f.server.bev);
	BEV_RULES_UNTIL(f.loop, f.ends);
	assert_int_equal(f.how, RELAY_END_FINISHED);
	finish(&f);
}

static void test_an_error_that_came_before_counts(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	reset_end(&f.client);
	bev_rules_settle(f.loop);
	join(&f);
	assert_int_equal(f.ends, 0);
	BEV_RULES_UNTIL(f.loop, f.ends);
	assert_int_equal(f.how, RELAY_END_FAILED_A);
	assert_int_equal(f.error, ECONNRESET);
	finish(&f);
}

static void test_one_direction_ends_and_the_other_goes_on(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	join(&f);
	bev_rules_write(&f.client, 0, 10);
	bev_finish(f.client.bev);
	BEV_RULES_UNTIL(f.loop, f.server.eofs);
	bev_rules_settle(f.loop);
	assert_int_equal(f.ends, 0);
	bev_rules_write(&f.server, 0, 2000000);
	bev_finish(f.server.bev);
	BEV_RULES_UNTIL(f.loop, f.ends);
	BEV_RULES_UNTIL(f.loop, f.client.eofs);
	bev_rules_got_exactly(&f.client, 2000000);
	finish(&f);
}

static void test_a_reader_that_stalls_stops_its_own_direction_only(void **state)
{
	struct fixture f;
	size_t sent = 0;

	(void)state;
	begin(&f);
	join(&f);
	f.server.reading = BEV_RULES_LEAVE;
	for (int idle = 0; idle < 100; idle++) {
		for (; !bev_full(f.client.bev); sent += 10000, idle = 0)
			bev_rules_write(&f.client, sent, 10000);
		loop_pass(f.loop, LOOP_NO_WAIT);
	}
	/* client's output, a's input, b's output, server's input: each its mark and a unit */
	assert_true(sent >= 4 * BEV_HIGH_MARK);
	assert_true(sent <= 4 * (BEV_HIGH_MARK + 65536));
	bev_rules_write(&f.server, 0, 2000000);
	BEV_RULES_UNTIL(f.loop, evbuffer_get_length(f.client.got) == 2000000);
	f.server.reading = BEV_RULES_TAKE;
	bev_rules_take(&f.server);
	BEV_RULES_UNTIL(f.loop, evbuffer_get_length(f.server.got) == sent);
	bev_rules_got_exactly(&f.server, sent);
	finish(&f);
}

static void test_a_reset_resets_the_other_side(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	join(&f);
	bev_rules_settle(f.loop);
	reset_end(&f.server);
	BEV_RULES_UNTIL(f.loop, f.ends);
	assert_int_equal(f.how, RELAY_END_FAILED_B);
	assert_int_equal(f.error, ECONNRESET);
	BEV_RULES_UNTIL(f.loop, f.client.errors);
	assert_int_equal(f.client.eofs, 0);
	finish(&f);
	assert_int_equal(f.ends, 1);
}

static void test_an_answer_before_the_end_reaches_a_client_that_still_sends(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	join(&f);
	f.client.reading = BEV_RULES_LEAVE;
	bev_rules_write(&f.server, 0, 1500000);
	bev_finish(f.server.bev);
	bev_rules_settle(f.loop);
	/* All that the server said is taken up to its EOF, and the client has not read it yet. */
	for (int i = 0; i < 50; i++) {
		f.client.reading = BEV_RULES_TAKE;
		bev_rules_take(&f.client);
		f.client.reading = BEV_RULES_LEAVE;
		loop_pass(f.loop, LOOP_NO_WAIT);
		if (bev_rules_output_length(&f.server) == 0)
			break;
	}
	bev_rules_settle(f.loop);
	bev_rules_free_end(&f.server);
	bev_rules_write(&f.client, 0, 3 * BEV_HIGH_MARK);
	bev_rules_settle(f.loop);
	f.client.reading = BEV_RULES_TAKE;
	bev_rules_take(&f.client);
	BEV_RULES_UNTIL(f.loop, f.ends);
	assert_int_equal(f.how, RELAY_END_FAILED_B);
	assert_int_equal(f.error, EPIPE);
	BEV_RULES_UNTIL(f.loop, f.client.eofs);
	bev_rules_got_exactly(&f.client, 1500000);
	finish(&f);
}

static void test_a_client_that_dies_before_it_took_everything_ends_the_relay(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	join(&f);
	f.client.reading = BEV_RULES_LEAVE;
	bev_finish(f.client.bev);
	bev_rules_write(&f.server, 0, 2 * BEV_HIGH_MARK);
	bev_finish(f.server.bev);
	bev_rules_settle(f.loop);
	assert_int_equal(f.ends, 0);
	bev_rules_free_end(&f.client);
	BEV_RULES_UNTIL(f.loop, f.ends);
	assert_int_equal(f.how, RELAY_END_FAILED_A);
	finish(&f);
}

/* client has said 200000 bytes, and server takes nothing of what is more than 1000. */
static void begin_slow_sink(struct fixture *f)
{
	clock_fake_start(1000, 0);
	begin(f);
	f->options.idle_timeout_ms = 5000;
	f->server.reading = BEV_RULES_LEAVE;
	bufferevent_setwatermark(f->server.bev, EV_READ, 0, 1000);
	join(f);
	bev_rules_write(&f->client, 0, 200000);
	bev_rules_settle(f->loop);
	/* All of it was moved at once. */
	assert_int_equal(f->bytes_a_to_b, 200000);
	assert_true(bev_undelivered(f->b) > 190000);
}

static void test_what_leaves_slowly_is_not_idle(void **state)
{
	struct fixture f;

	(void)state;
	begin_slow_sink(&f);
	for (int i = 0; i < 10; i++) {
		loop_fake_advance(f.loop, 4000);
		assert_int_equal(f.ends, 0);
		bev_rules_take(&f.server);
		bev_rules_settle(f.loop);
		assert_int_equal(f.bytes_a_to_b, 200000);
	}
	loop_fake_advance(f.loop, 4000);
	assert_int_equal(f.ends, 0);
	loop_fake_advance(f.loop, 3000);
	assert_int_equal(f.ends, 1);
	assert_int_equal(f.how, RELAY_END_IDLE);
	finish(&f);
}

static void test_what_does_not_leave_is_idle(void **state)
{
	struct fixture f;

	(void)state;
	begin_slow_sink(&f);
	loop_fake_advance(f.loop, 4999);
	assert_int_equal(f.ends, 0);
	loop_fake_advance(f.loop, 1);
	assert_int_equal(f.ends, 1);
	assert_int_equal(f.how, RELAY_END_IDLE);
	finish(&f);
}

static void test_idle_means_without_a_byte_either_way(void **state)
{
	struct fixture f;

	(void)state;
	clock_fake_start(1000, 0);
	begin(&f);
	f.options.idle_timeout_ms = 5000;
	join(&f);
	loop_fake_advance(f.loop, 4000);
	bev_rules_write(&f.server, 0, 1);
	bev_rules_settle(f.loop);
	assert_int_equal(relay_last_active_ms(f.relay), 5000);
	loop_fake_advance(f.loop, 4999);
	assert_int_equal(f.ends, 0);
	loop_fake_advance(f.loop, 1);
	assert_int_equal(f.ends, 1);
	assert_int_equal(f.how, RELAY_END_IDLE);
	bev_rules_settle(f.loop);
	assert_int_equal(f.client.errors, 1);
	assert_int_equal(f.server.errors, 1);
	finish(&f);
}

static void test_free_tells_nobody(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	join(&f);
	bev_rules_write(&f.client, 0, 10);
	loop_pass(f.loop, LOOP_NO_WAIT);
	relay_free(f.relay);
	f.relay = NULL;
	bev_rules_settle(f.loop);
	assert_int_equal(f.ends, 0);
	assert_int_equal(f.client.errors, 1);
	relay_free(NULL);
	finish(&f);
}

static void test_a_callback_moves_no_more_than_its_budget(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	/* No marks between a and b: as much as comes could be moved at once. */
	bufferevent_setwatermark(f.a, EV_READ, 0, 0);
	bufferevent_setwatermark(f.b, EV_WRITE, 0, 0);
	bev_rules_write(&f.client, 0, 3000000);
	bev_rules_settle(f.loop);
	join(&f);
	f.server.reading = BEV_RULES_LEAVE;
	loop_pass(f.loop, LOOP_NO_WAIT);

	uint64_t before = f.bytes_a_to_b;

	loop_pass(f.loop, LOOP_NO_WAIT);
	assert_in_range(f.bytes_a_to_b - before, 1, 400000);
	f.server.reading = BEV_RULES_TAKE;
	BEV_RULES_UNTIL(f.loop, f.bytes_a_to_b == 3000000);
	bev_rules_take(&f.server);
	BEV_RULES_UNTIL(f.loop, evbuffer_get_length(f.server.got) == 3000000);
	bev_rules_got_exactly(&f.server, 3000000);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_ways_then_both_ends),
	    cmocka_unit_test(test_with_low_marks_it_ends_with_the_last_byte),
	    cmocka_unit_test(test_an_output_that_is_empty_takes_a_passs_worth),
	    cmocka_unit_test(test_what_was_there_before_goes_first),
	    cmocka_unit_test(test_an_eof_that_came_before_counts),
	    cmocka_unit_test(test_an_error_that_came_before_counts),
	    cmocka_unit_test(test_one_direction_ends_and_the_other_goes_on),
	    cmocka_unit_test(test_a_reader_that_stalls_stops_its_own_direction_only),
	    cmocka_unit_test(test_a_reset_resets_the_other_side),
	    cmocka_unit_test(test_an_answer_before_the_end_reaches_a_client_that_still_sends),
	    cmocka_unit_test(test_a_client_that_dies_before_it_took_everything_ends_the_relay),
	    cmocka_unit_test(test_idle_means_without_a_byte_either_way),
	    cmocka_unit_test(test_what_leaves_slowly_is_not_idle),
	    cmocka_unit_test(test_what_does_not_leave_is_idle),
	    cmocka_unit_test(test_free_tells_nobody),
	    cmocka_unit_test(test_a_callback_moves_no_more_than_its_budget),
	};

	return cmocka_run_group_tests_name("net/relay", tests, NULL, NULL);
}
