/*
 * When a socket is read in lumps, and when not any more.
 */
#include "bev_watch.h"

#include "base/clock.h"
#include "net/lumps.h"
#include "tcp_pair.h"

#define KB 1024u
#define MB (1024u * 1024u)
#define LOWAT (192 * (int)KB)
#define ENOUGH (1536 * KB) /* in PROOF_MS */
#define PROOF_MS 32
#define FETCH_MS 4

struct fixture {
	struct loop *loop;
	struct bufferevent *bev;
	struct lumps lumps;
	int peer;
};

static void begin(struct fixture *f)
{
	int fds[2];

	clock_fake_start(1000000, 1700000000);
	*f = (struct fixture){.loop = loop_new()};
	tcp_pair(fds, 1000000);
	f->bev = bev_socket_new(f->loop, fds[0]);
	f->peer = fds[1];
	lumps_init(&f->lumps, f->loop, f->bev);
}

static void finish(struct fixture *f)
{
	lumps_stop(&f->lumps);
	bev_free(f->bev);
	loop_fake_advance(f->loop, 100);
	loop_free(f->loop);
	close(f->peer);
	clock_fake_stop();
}

static void move(struct fixture *f, size_t bytes, size_t piece)
{
	for (; bytes >= piece; bytes -= piece)
		lumps_moved(&f->lumps, piece);
}

static int lowat(struct fixture *f)
{
	int bytes = 0;
	socklen_t n = sizeof(bytes);

	assert_int_equal(getsockopt(bev_socket_fd(f->bev), SOL_SOCKET, SO_RCVLOWAT, &bytes, &n), 0);
	return bytes;
}

static void begin_with_lumps(struct fixture *f)
{
	begin(f);
	move(f, ENOUGH, 32 * KB);
	loop_fake_advance(f->loop, PROOF_MS);
	assert_int_equal(lowat(f), LOWAT);
}

static size_t input_length(struct fixture *f)
{
	return evbuffer_get_length(bufferevent_get_input(f->bev));
}

static void test_bulk_that_has_gone_on_for_a_while_is_read_in_lumps(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	move(&f, ENOUGH, 32 * KB);
	loop_fake_advance(f.loop, PROOF_MS - 1);
	assert_int_equal(lowat(&f), 1);
	loop_fake_advance(f.loop, 1);
	assert_int_equal(lowat(&f), LOWAT);
	finish(&f);
}

static void test_what_is_slower_is_not(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	for (int i = 0; i < 10; i++) {
		move(&f, ENOUGH - 32 * KB, 32 * KB);
		loop_fake_advance(f.loop, PROOF_MS);
		assert_int_equal(lowat(&f), 1);
	}
	finish(&f);
}

static void test_many_small_messages_are_no_bulk(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	for (int i = 0; i < 10; i++) {
		move(&f, 10 * MB, 4 * KB);
		loop_fake_advance(f.loop, PROOF_MS);
		assert_int_equal(lowat(&f), 1);
	}
	finish(&f);
}

static void test_less_than_a_lump_is_fetched(void **state)
{
	struct fixture f;

	(void)state;
	begin_with_lumps(&f);
	tcp_pair_deliver(f.peer, bev_socket_fd(f.bev), 100);
	loop_fake_advance(f.loop, FETCH_MS - 1);
	assert_int_equal(input_length(&f), 0);
	loop_fake_advance(f.loop, 1);
	assert_int_equal(input_length(&f), 100);
	finish(&f);
}

static void test_less_than_a_lump_is_fetched_while_bulk_goes_on(void **state)
{
	struct fixture f;

	(void)state;
	begin_with_lumps(&f);
	move(&f, 64 * KB, 32 * KB);
	tcp_pair_deliver(f.peer, bev_socket_fd(f.bev), 100);
	loop_fake_advance(f.loop, FETCH_MS);
	assert_int_equal(input_length(&f), 100);
	assert_int_equal(lowat(&f), LOWAT);
	finish(&f);
}

static void test_a_lump_is_read_when_it_is_there(void **state)
{
	struct fixture f;

	(void)state;
	begin_with_lumps(&f);
	tcp_pair_deliver(f.peer, bev_socket_fd(f.bev), LOWAT);
	BEV_RULES_UNTIL(f.loop, input_length(&f) == (size_t)LOWAT);
	finish(&f);
}

static void test_it_goes_on_as_long_as_bulk_does(void **state)
{
	struct fixture f;

	(void)state;
	begin_with_lumps(&f);
	for (int i = 0; i < 100; i++) {
		move(&f, 64 * KB, 32 * KB);
		loop_fake_advance(f.loop, FETCH_MS);
		assert_int_equal(lowat(&f), LOWAT);
	}
	move(&f, 32 * KB, 32 * KB);
	loop_fake_advance(f.loop, FETCH_MS);
	assert_int_equal(lowat(&f), 1);
	finish(&f);
}

static void test_what_is_urgent_ends_it_until_there_was_as_much_bulk_again(void **state)
{
	struct fixture f;

	(void)state;
	begin_with_lumps(&f);
	lumps_end(&f.lumps);
	assert_int_equal(lowat(&f), 1);
	move(&f, ENOUGH, 32 * KB);
	loop_fake_advance(f.loop, PROOF_MS - 1);
	assert_int_equal(lowat(&f), 1);
	loop_fake_advance(f.loop, 1);
	assert_int_equal(lowat(&f), LOWAT);
	/* What went before it does not count. */
	lumps_end(&f.lumps);
	move(&f, ENOUGH, 32 * KB);
	lumps_end(&f.lumps);
	loop_fake_advance(f.loop, PROOF_MS);
	assert_int_equal(lowat(&f), 1);
	finish(&f);
}

static void test_the_timer_rests_when_there_is_no_bulk(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	lumps_end(&f.lumps);
	assert_false(timer_is_running(&f.lumps.tick));
	begin_with_lumps(&f);
	loop_fake_advance(f.loop, FETCH_MS + 2 * PROOF_MS);
	assert_false(timer_is_running(&f.lumps.tick));
	finish(&f);
}

static void test_what_is_no_socket_is_left_alone(void **state)
{
	struct loop *loop = loop_new();
	struct bufferevent *ends[2];
	struct lumps lumps;

	(void)state;
	bev_pair_new(loop, ends);
	lumps_init(&lumps, loop, ends[0]);
	lumps_moved(&lumps, ENOUGH);
	assert_false(timer_is_running(&lumps.tick));
	lumps_stop(&lumps);
	bev_free(ends[0]);
	bev_free(ends[1]);
	for (int i = 0; i < 10; i++)
		loop_pass(loop, LOOP_NO_WAIT);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bulk_that_has_gone_on_for_a_while_is_read_in_lumps),
	    cmocka_unit_test(test_what_is_slower_is_not),
	    cmocka_unit_test(test_many_small_messages_are_no_bulk),
	    cmocka_unit_test(test_less_than_a_lump_is_fetched),
	    cmocka_unit_test(test_less_than_a_lump_is_fetched_while_bulk_goes_on),
	    cmocka_unit_test(test_a_lump_is_read_when_it_is_there),
	    cmocka_unit_test(test_it_goes_on_as_long_as_bulk_does),
	    cmocka_unit_test(test_what_is_urgent_ends_it_until_there_was_as_much_bulk_again),
	    cmocka_unit_test(test_the_timer_rests_when_there_is_no_bulk),
	    cmocka_unit_test(test_what_is_no_socket_is_left_alone),
	};

	return cmocka_run_group_tests_name("net/lumps", tests, NULL, NULL);
}
