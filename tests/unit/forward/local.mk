UNIT_TESTS_FORWARD = \
	tests/unit/forward/socks_test

tests_unit_forward_socks_test_SOURCES = tests/unit/forward/socks_test.c
tests_unit_forward_socks_test_LDADD = $(UP_TO_FORWARD) $(UNIT_LIBS)
