UNIT_TESTS_TUNNEL = \
	tests/unit/tunnel/backoff_test \
	tests/unit/tunnel/gate_test

tests_unit_tunnel_backoff_test_SOURCES = tests/unit/tunnel/backoff_test.c
tests_unit_tunnel_backoff_test_LDADD = $(UP_TO_TUNNEL) $(UNIT_LIBS)
tests_unit_tunnel_gate_test_SOURCES = tests/unit/tunnel/gate_test.c
tests_unit_tunnel_gate_test_LDADD = $(UP_TO_TUNNEL) $(UNIT_LIBS)
