#include "bev_rules.h"
#include "tcp_pair.h"

enum { BUFFER_BYTES = 100000 };

static void set_buffers(int fd)
{
	int bytes = BUFFER_BYTES;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static void unix_fds(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	set_buffers(fds[0]);
	set_buffers(fds[1]);
}

static void tcp_fds(int fds[2])
{
	tcp_pair(fds, BUFFER_BYTES);
}

static void large_tcp_fds(int fds[2])
{
	tcp_pair(fds, 1000000);
}

static void make_sockets(
    struct bev_rules_factory *factory, struct loop *loop, struct bufferevent *ret_ends[2])
{
	void (*make_fds)(int fds[2]) = *(void (**)(int *))factory->arg;
	int fds[2];

	make_fds(fds);
	ret_ends[0] = bev_socket_new(loop, fds[0]);
	ret_ends[1] = bev_socket_new(loop, fds[1]);
	assert_int_equal(bev_socket_fd(ret_ends[0]), fds[0]);
}

/* One end is a bufferevent, the other a bare descriptor that does what a peer may do. */
struct fixture {
	struct loop *loop;
	struct bev_rules_end end;
	int peer;
};

static void fixture_begin(struct fixture *f, void (*make_fds)(int fds[2]))
{
	int fds[2];

	*f = (struct fixture){.loop = loop_new()};
	make_fds(fds);
	f->peer = fds[1];
	bev_rules_end_init(&f->end, bev_socket_new(f->loop, fds[0]));
}

static void fixture_end(struct fixture *f)
{
	bev_rules_free_end(&f->end);
	bev_rules_settle(f->loop);
	evbuffer_free(f->end.got);
	loop_free(f->loop);
	if (f->peer >= 0)
		close(f->peer);
}

static void peer_close(struct fixture *f)
{
	close(f->peer);
	f->peer = -1;
}

static void peer_reset(struct fixture *f)
{
	struct linger at_once = {.l_onoff = 1};

	setsockopt(f->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	peer_close(f);
}

/* The kernel hands a reset over before what was sent earlier if the two went through queues of two processors. */
static void wait_for_end_of(int fd)
{
	struct pollfd end = {.fd = fd, .events = POLLRDHUP};

	assert_int_equal(poll(&end, 1, 20000), 1);
}

static void test_an_answer_before_a_reset_is_an_orderly_end_and_then_an_error(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, tcp_fds);
	/* The peer answers and ends; what we still send meets a socket that is closed: RST. */
	assert_int_equal(send(f.peer, "answer", 6, 0), 6);
	peer_close(&f);
	wait_for_end_of(bev_socket_fd(f.end.bev));
	bev_rules_write(&f.end, 0, 1000);
	bev_flush(f.end.bev);
	bev_rules_write(&f.end, 0, 1000);
	bev_flush(f.end.bev);
	BEV_RULES_UNTIL(f.loop, f.end.errors);
	assert_int_equal(f.end.eofs, 1);
	assert_int_equal(evbuffer_get_length(f.end.got), 6);
	assert_int_equal(bev_error(f.end.bev), EPIPE);
	fixture_end(&f);
}

/* It may be what the peer's data waits for: whoever is to take that may have to get rid of something first. */
static void test_what_nobody_listens_to_any_more_goes_while_the_input_waits(void **state)
{
	static const char said[100000];
	struct fixture f;

	(void)state;
	fixture_begin(&f, unix_fds);
	f.end.reading = BEV_RULES_LEAVE;
	bufferevent_setwatermark(f.end.bev, EV_READ, 0, 1000);
	assert_int_equal(send(f.peer, said, sizeof(said), 0), sizeof(said));
	bev_rules_settle(f.loop);
	peer_close(&f);
	bev_rules_write(&f.end, 0, 1000);
	BEV_RULES_UNTIL(f.loop, evbuffer_get_length(bufferevent_get_output(f.end.bev)) == 0);
	bev_rules_write(&f.end, 0, 1000);
	BEV_RULES_UNTIL(f.loop, evbuffer_get_length(bufferevent_get_output(f.end.bev)) == 0);
	assert_int_equal(f.end.errors, 0);
	f.end.reading = BEV_RULES_TAKE;
	bev_rules_take(&f.end);
	BEV_RULES_UNTIL(f.loop, f.end.errors);
	assert_int_equal(f.end.eofs, 1);
	assert_int_equal(evbuffer_get_length(f.end.got), sizeof(said));
	assert_int_equal(bev_error(f.end.bev), EPIPE);
	fixture_end(&f);
}

static void test_a_reset_is_never_an_orderly_end(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, tcp_fds);
	assert_int_equal(send(f.peer, "answ", 4, 0), 4);
	peer_reset(&f);
	bev_rules_write(&f.end, 0, 1000);
	bev_flush(f.end.bev);
	bev_flush(f.end.bev);
	BEV_RULES_UNTIL(f.loop, f.end.errors);
	assert_int_equal(f.end.eofs, 0);
	assert_int_equal(bev_error(f.end.bev), ECONNRESET);
	fixture_end(&f);
}

static void test_a_reset_after_eof_is_noticed_without_writing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, tcp_fds);
	assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
	BEV_RULES_UNTIL(f.loop, f.end.eofs);
	peer_reset(&f);
	BEV_RULES_UNTIL(f.loop, f.end.errors);
	fixture_end(&f);
}

static void test_a_peer_that_dies_before_it_took_the_output_is_noticed(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, unix_fds);
	bev_rules_write(&f.end, 0, 2000000);
	bev_finish(f.end.bev);
	shutdown(f.peer, SHUT_WR);
	BEV_RULES_UNTIL(f.loop, f.end.eofs);
	bev_rules_settle(f.loop);
	assert_true(bev_rules_output_length(&f.end) > 0);
	peer_close(&f);
	BEV_RULES_UNTIL(f.loop, f.end.errors);
	fixture_end(&f);
}

static void test_a_peer_that_stops_listening_is_an_error_of_writing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, unix_fds);
	assert_int_equal(shutdown(f.peer, SHUT_RD), 0);
	bev_rules_write(&f.end, 0, 10);
	BEV_RULES_UNTIL(f.loop, f.end.errors);
	assert_int_equal(f.end.eofs, 0);
	fixture_end(&f);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

/* epoll would wake again and again for a hang-up that nobody takes. */
static void test_a_half_closed_peer_does_not_spin_the_loop(void **state)
{
	struct fixture f;
	struct timer timer;
	uint64_t passes;
	bool over = false;

	(void)state;
	fixture_begin(&f, tcp_fds);
	f.end.reading = BEV_RULES_LEAVE;
	bufferevent_setwatermark(f.end.bev, EV_READ, 0, 4);
	assert_int_equal(send(f.peer, "more than four", 14, 0), 14);
	shutdown(f.peer, SHUT_WR);
	/* And with EV_WRITE having come and gone. */
	bev_rules_write(&f.end, 0, 3000000);
	for (size_t taken = 0; taken < 3000000;) {
		char bytes[65536];
		ssize_t n = recv(f.peer, bytes, sizeof(bytes), 0);

		taken += n > 0 ? (size_t)n : 0;
		loop_pass(f.loop, LOOP_NO_WAIT);
	}
	bev_rules_settle(f.loop);
	assert_int_equal(f.end.eofs, 0);
	passes = loop_pass_count(f.loop);
	timer_init(&timer, f.loop, set_flag, &over);
	timer_start(&timer, 20);
	while (!over)
		loop_pass(f.loop, LOOP_WAIT);
	assert_in_range(loop_pass_count(f.loop) - passes, 1, 10);
	f.end.reading = BEV_RULES_TAKE;
	bev_rules_take(&f.end);
	BEV_RULES_UNTIL(f.loop, f.end.eofs);
	assert_int_equal(evbuffer_get_length(f.end.got), 14);
	fixture_end(&f);
}

static void test_small_reads_that_nobody_takes_hold_little_memory(void **state)
{
	struct fixture f;
	struct evbuffer_iovec vectors[1000];
	int chains;

	(void)state;
	fixture_begin(&f, tcp_fds);
	f.end.reading = BEV_RULES_LEAVE;
	for (int i = 0; i < 500; i++) {
		size_t before = bev_rules_input_length(&f.end);

		assert_int_equal(send(f.peer, "tick", 4, 0), 4);
		BEV_RULES_UNTIL(f.loop, bev_rules_input_length(&f.end) == before + 4);
	}
	chains = evbuffer_peek(bufferevent_get_input(f.end.bev), -1, NULL, vectors, 1000);
	assert_true(chains <= 4);
	fixture_end(&f);
}

static void test_blocks_come_back_when_their_bytes_are_gone(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, unix_fds);
	for (int i = 0; i < 200; i++) {
		char bytes[50000] = {0};

		assert_int_equal(send(f.peer, bytes, sizeof(bytes), 0), sizeof(bytes));
		BEV_RULES_UNTIL(f.loop, evbuffer_get_length(f.end.got) == sizeof(bytes));
		evbuffer_drain(f.end.got, sizeof(bytes));
	}
	fixture_end(&f);
}

static void test_a_pass_reads_what_has_come(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, large_tcp_fds);
	f.end.reading = BEV_RULES_LEAVE;
	tcp_pair_deliver(f.peer, bev_socket_fd(f.end.bev), 200000);
	loop_pass(f.loop, LOOP_NO_WAIT);
	assert_int_equal(bev_rules_input_length(&f.end), 200000);
	fixture_end(&f);
}

static void test_and_no_more_than_the_input_has_room_for(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, large_tcp_fds);
	f.end.reading = BEV_RULES_LEAVE;
	bufferevent_setwatermark(f.end.bev, EV_READ, 0, 100000);
	tcp_pair_deliver(f.peer, bev_socket_fd(f.end.bev), 200000);
	bev_rules_settle(f.loop);
	assert_int_equal(bev_rules_input_length(&f.end), 100000);
	fixture_end(&f);
}

static void test_with_a_low_mark_less_is_not_told_until_it_is_asked_for(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, large_tcp_fds);
	f.end.reading = BEV_RULES_LEAVE;
	assert_true(bev_socket_set_lowat(f.end.bev, 1000));
	tcp_pair_deliver(f.peer, bev_socket_fd(f.end.bev), 999);
	bev_rules_settle(f.loop);
	assert_int_equal(bev_rules_input_length(&f.end), 0);
	bev_socket_read_now(f.end.bev);
	assert_int_equal(bev_rules_input_length(&f.end), 999);
	tcp_pair_deliver(f.peer, bev_socket_fd(f.end.bev), 1000);
	BEV_RULES_UNTIL(f.loop, bev_rules_input_length(&f.end) == 1999);
	fixture_end(&f);
}

static void test_with_a_low_mark_the_end_is_told(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, large_tcp_fds);
	bev_socket_set_lowat(f.end.bev, 1000);
	tcp_pair_deliver(f.peer, bev_socket_fd(f.end.bev), 10);
	assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
	BEV_RULES_UNTIL(f.loop, f.end.eofs);
	assert_int_equal(f.end.bytes_at_eof, 10);
	fixture_end(&f);
}

static void test_without_it_again_what_is_there_is_read(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, large_tcp_fds);
	bev_socket_set_lowat(f.end.bev, 1000);
	tcp_pair_deliver(f.peer, bev_socket_fd(f.end.bev), 10);
	bev_rules_settle(f.loop);
	assert_int_equal(evbuffer_get_length(f.end.got), 0);
	assert_true(bev_socket_set_lowat(f.end.bev, 0));
	BEV_RULES_UNTIL(f.loop, evbuffer_get_length(f.end.got) == 10);
	fixture_end(&f);
}

static void test_quickack_is_for_tcp_and_harms_nobody_else(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, unix_fds);
	bev_socket_set_quickack(f.end.bev, BEV_QUICKACK_ON);
	assert_int_equal(send(f.peer, "x", 1, 0), 1);
	BEV_RULES_UNTIL(f.loop, f.end.reads);
	assert_int_equal(f.end.errors, 0);
	fixture_end(&f);
}

static void test_what_the_other_end_has_not_acknowledged(void **state)
{
	struct fixture f;
	char bytes[3];

	(void)state;
	fixture_begin(&f, unix_fds);
	assert_int_equal(bev_undelivered(f.end.bev), 0);
	evbuffer_add(bufferevent_get_output(f.end.bev), "x", 1);
	bev_flush(f.end.bev);
	size_t in_kernel = bev_undelivered(f.end.bev);
	assert_true(in_kernel > 0);
	evbuffer_add(bufferevent_get_output(f.end.bev), "yz", 2);
	assert_int_equal(bev_undelivered(f.end.bev), in_kernel + 2);
	bev_flush(f.end.bev);
	assert_int_equal(read(f.peer, bytes, 3), 3);
	assert_int_equal(bev_undelivered(f.end.bev), 0);
	fixture_end(&f);
}

int main(void)
{
	static void (*make_unix)(int *) = unix_fds;
	static void (*make_tcp)(int *) = tcp_fds;
	static struct bev_rules_factory unix_sockets = {.make = make_sockets,
	    .reset = BEV_RULES_RESET_IS_AN_END,
	    .path_bytes = 4 * BUFFER_BYTES,
	    .arg = &make_unix};
	static struct bev_rules_factory tcp_sockets = {.make = make_sockets,
	    .reset = BEV_RULES_RESET_IS_AN_ERROR,
	    .path_bytes = 8 * BUFFER_BYTES,
	    .arg = &make_tcp};
	const struct CMUnitTest tests[] = {
	    BEV_RULES_TESTS(&unix_sockets),
	    BEV_RULES_TESTS(&tcp_sockets),
	    cmocka_unit_test(test_an_answer_before_a_reset_is_an_orderly_end_and_then_an_error),
	    cmocka_unit_test(test_what_nobody_listens_to_any_more_goes_while_the_input_waits),
	    cmocka_unit_test(test_a_reset_is_never_an_orderly_end),
	    cmocka_unit_test(test_a_reset_after_eof_is_noticed_without_writing),
	    cmocka_unit_test(test_a_peer_that_dies_before_it_took_the_output_is_noticed),
	    cmocka_unit_test(test_a_peer_that_stops_listening_is_an_error_of_writing),
	    cmocka_unit_test(test_a_half_closed_peer_does_not_spin_the_loop),
	    cmocka_unit_test(test_small_reads_that_nobody_takes_hold_little_memory),
	    cmocka_unit_test(test_blocks_come_back_when_their_bytes_are_gone),
	    cmocka_unit_test(test_a_pass_reads_what_has_come),
	    cmocka_unit_test(test_and_no_more_than_the_input_has_room_for),
	    cmocka_unit_test(test_with_a_low_mark_less_is_not_told_until_it_is_asked_for),
	    cmocka_unit_test(test_with_a_low_mark_the_end_is_told),
	    cmocka_unit_test(test_without_it_again_what_is_there_is_read),
	    cmocka_unit_test(test_quickack_is_for_tcp_and_harms_nobody_else),
	    cmocka_unit_test(test_what_the_other_end_has_not_acknowledged),
	};

	return cmocka_run_group_tests_name("net/bev_socket", tests, NULL, NULL);
}
