UNIT_TESTS_TUNNEL = \
	tests/unit/tunnel/backoff_test \
	tests/unit/tunnel/gate_test \
	tests/unit/tunnel/login_test \
	tests/unit/tunnel/probe_test \
	tests/unit/tunnel/link_test \
	tests/unit/tunnel/route_test \
	tests/unit/tunnel/host_test \
	tests/unit/tunnel/tunnel_test \
	tests/unit/tunnel/manager_test

tests_unit_tunnel_backoff_test_SOURCES = tests/unit/tunnel/backoff_test.c
tests_unit_tunnel_backoff_test_LDADD = $(UP_TO_TUNNEL) $(UNIT_LIBS)
tests_unit_tunnel_gate_test_SOURCES = tests/unit/tunnel/gate_test.c
tests_unit_tunnel_gate_test_LDADD = $(UP_TO_TUNNEL) $(UNIT_LIBS)

# Scripted servers on loopback, and a clock that is turned by hand.
RIG_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
check_LIBRARIES += libtunnelrig.a
libtunnelrig_a_SOURCES = tests/unit/tunnel/rig.c tests/unit/tunnel/rig.h tests/lib/free_port.c tests/lib/free_port.h
libtunnelrig_a_CPPFLAGS = $(RIG_CPPFLAGS)
RIG_LIBS = libtunnelrig.a libtestserver.a $(UP_TO_TUNNEL) $(UNIT_LIBS)

tests_unit_tunnel_login_test_SOURCES = tests/unit/tunnel/login_test.c tests/unit/ssh/made_identity.h
tests_unit_tunnel_login_test_CPPFLAGS = $(RIG_CPPFLAGS)
tests_unit_tunnel_login_test_LDADD = $(RIG_LIBS)
tests_unit_tunnel_probe_test_SOURCES = tests/unit/tunnel/probe_test.c tests/lib/fake_transport.c tests/lib/fake_transport.h
tests_unit_tunnel_probe_test_CPPFLAGS = $(RIG_CPPFLAGS)
tests_unit_tunnel_probe_test_LDADD = $(UP_TO_TUNNEL) $(UNIT_LIBS)
tests_unit_tunnel_link_test_SOURCES = tests/unit/tunnel/link_test.c
tests_unit_tunnel_link_test_CPPFLAGS = $(RIG_CPPFLAGS)
tests_unit_tunnel_link_test_LDADD = $(RIG_LIBS)
tests_unit_tunnel_route_test_SOURCES = tests/unit/tunnel/route_test.c
tests_unit_tunnel_route_test_CPPFLAGS = $(RIG_CPPFLAGS)
tests_unit_tunnel_route_test_LDADD = $(RIG_LIBS)
tests_unit_tunnel_host_test_SOURCES = tests/unit/tunnel/host_test.c tests/unit/ssh/made_identity.h
tests_unit_tunnel_host_test_CPPFLAGS = $(RIG_CPPFLAGS)
tests_unit_tunnel_host_test_LDADD = $(RIG_LIBS)
tests_unit_tunnel_tunnel_test_SOURCES = tests/unit/tunnel/tunnel_test.c
tests_unit_tunnel_tunnel_test_CPPFLAGS = $(RIG_CPPFLAGS)
tests_unit_tunnel_tunnel_test_LDADD = $(RIG_LIBS)
tests_unit_tunnel_manager_test_SOURCES = tests/unit/tunnel/manager_test.c
tests_unit_tunnel_manager_test_CPPFLAGS = $(RIG_CPPFLAGS)
tests_unit_tunnel_manager_test_LDADD = $(RIG_LIBS)
