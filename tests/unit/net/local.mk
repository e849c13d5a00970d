UNIT_TESTS_NET = \
	tests/unit/net/addr_test \
	tests/unit/net/bev_pair_test \
	tests/unit/net/bev_socket_test \
	tests/unit/net/change_test \
	tests/unit/net/connector_test \
	tests/unit/net/listener_test \
	tests/unit/net/lumps_test \
	tests/unit/net/relay_test \
	tests/unit/net/resolver_test \
	tests/unit/net/sockopt_test

tests_unit_net_addr_test_SOURCES = tests/unit/net/addr_test.c
tests_unit_net_addr_test_LDADD = $(UP_TO_NET) $(UNIT_LIBS)
tests_unit_net_bev_pair_test_SOURCES = tests/unit/net/bev_pair_test.c tests/unit/net/bev_rules.h tests/unit/net/bev_watch.h
tests_unit_net_bev_pair_test_LDADD = $(UP_TO_NET) $(UNIT_LIBS)
tests_unit_net_bev_socket_test_SOURCES = tests/unit/net/bev_socket_test.c tests/unit/net/bev_rules.h tests/unit/net/bev_watch.h \
	tests/unit/net/tcp_pair.h
tests_unit_net_bev_socket_test_LDADD = $(UP_TO_NET) $(UNIT_LIBS)
tests_unit_net_connector_test_SOURCES = tests/unit/net/connector_test.c tests/unit/net/tcp_pair.h
tests_unit_net_connector_test_LDADD = $(UP_TO_NET) $(UNIT_LIBS)
tests_unit_net_listener_test_SOURCES = tests/unit/net/listener_test.c tests/unit/net/tcp_pair.h
tests_unit_net_listener_test_LDADD = $(UP_TO_NET) $(UNIT_LIBS)
tests_unit_net_lumps_test_SOURCES = tests/unit/net/lumps_test.c tests/unit/net/bev_watch.h tests/unit/net/tcp_pair.h
tests_unit_net_lumps_test_LDADD = $(UP_TO_NET) $(UNIT_LIBS)
tests_unit_net_relay_test_SOURCES = tests/unit/net/relay_test.c tests/unit/net/bev_watch.h
tests_unit_net_relay_test_LDADD = $(UP_TO_NET) $(UNIT_LIBS)
tests_unit_net_resolver_test_SOURCES = tests/unit/net/resolver_test.c
tests_unit_net_resolver_test_LDADD = $(UP_TO_NET) $(UNIT_LIBS)
tests_unit_net_sockopt_test_SOURCES = tests/unit/net/sockopt_test.c
tests_unit_net_sockopt_test_LDADD = $(UP_TO_NET) $(UNIT_LIBS)
tests_unit_net_change_test_SOURCES = tests/unit/net/change_test.c
tests_unit_net_change_test_LDADD = $(UP_TO_NET) $(UNIT_LIBS)
