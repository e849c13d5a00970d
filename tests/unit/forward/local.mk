UNIT_TESTS_FORWARD = \
	tests/unit/forward/hold_test \
	tests/unit/forward/socks_test

tests_unit_forward_hold_test_SOURCES = tests/unit/forward/hold_test.c
tests_unit_forward_hold_test_LDADD = $(UP_TO_FORWARD) $(UNIT_LIBS)
tests_unit_forward_socks_test_SOURCES = tests/unit/forward/socks_test.c
tests_unit_forward_socks_test_LDADD = $(UP_TO_FORWARD) $(UNIT_LIBS)
