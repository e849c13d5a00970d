UNIT_TESTS_FORWARD = \
	tests/unit/forward/access_test \
	tests/unit/forward/hold_test \
	tests/unit/forward/local_test \
	tests/unit/forward/negotiation_test \
	tests/unit/forward/proxy_header_test \
	tests/unit/forward/remote_test \
	tests/unit/forward/socks_test

# What forwards are tested on: a session whose server the test plays.
FORWARD_WORLD = \
	tests/unit/forward/peer.c tests/unit/forward/peer.h tests/unit/forward/world.c tests/unit/forward/world.h \
	tests/lib/fake_transport.c tests/lib/fake_transport.h

tests_unit_forward_access_test_SOURCES = tests/unit/forward/access_test.c
tests_unit_forward_access_test_LDADD = $(UP_TO_FORWARD) $(UNIT_LIBS)

tests_unit_forward_hold_test_SOURCES = tests/unit/forward/hold_test.c
tests_unit_forward_hold_test_LDADD = $(UP_TO_FORWARD) $(UNIT_LIBS)

tests_unit_forward_local_test_SOURCES = tests/unit/forward/local_test.c $(FORWARD_WORLD)
tests_unit_forward_local_test_LDADD = $(UP_TO_FORWARD) $(UNIT_LIBS)

tests_unit_forward_negotiation_test_SOURCES = tests/unit/forward/negotiation_test.c $(FORWARD_WORLD)
tests_unit_forward_negotiation_test_LDADD = $(UP_TO_FORWARD) $(UNIT_LIBS)

tests_unit_forward_proxy_header_test_SOURCES = tests/unit/forward/proxy_header_test.c
tests_unit_forward_proxy_header_test_LDADD = $(UP_TO_FORWARD) $(UNIT_LIBS)

tests_unit_forward_remote_test_SOURCES = tests/unit/forward/remote_test.c $(FORWARD_WORLD)
tests_unit_forward_remote_test_LDADD = $(UP_TO_FORWARD) $(UNIT_LIBS)

tests_unit_forward_socks_test_SOURCES = tests/unit/forward/socks_test.c
tests_unit_forward_socks_test_LDADD = $(UP_TO_FORWARD) $(UNIT_LIBS)
