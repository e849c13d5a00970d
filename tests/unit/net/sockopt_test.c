#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sockopt.h"

enum { NAME_MAX_BYTES = 16 };

static void assert_congestion_control(int fd, const char *wanted)
{
	char name[NAME_MAX_BYTES] = "";
	socklen_t n = sizeof(name);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n), 0);
	assert_string_equal(name, wanted);
}

static void test_what_does_not_pace_is_left_as_it_is(void **state)
{
	int fd = sockopt_stream_socket(AF_INET);

	(void)state;
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
	sockopt_do_not_pace(fd);
	assert_congestion_control(fd, "reno");
	close(fd);
}

static void test_bbr_paces(void **state)
{
	int fd = sockopt_stream_socket(AF_INET);

	(void)state;
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3)) {
		close(fd);
		skip(); /* this kernel has none, or not for us */
	}
	sockopt_do_not_pace(fd);
	assert_congestion_control(fd, "reno");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_does_not_pace_is_left_as_it_is),
	    cmocka_unit_test(test_bbr_paces),
	};

	return cmocka_run_group_tests_name("net/sockopt", tests, NULL, NULL);
}
