noinst_LIBRARIES += libtunnel.a
libtunnel_a_SOURCES = \
	src/tunnel/backoff.c src/tunnel/backoff.h \
	src/tunnel/gate.c src/tunnel/gate.h \
	src/tunnel/handover.c src/tunnel/handover.h \
	src/tunnel/host.c src/tunnel/host.h \
	src/tunnel/host_users.c src/tunnel/host_users.h \
	src/tunnel/link.c src/tunnel/link.h \
	src/tunnel/login.c src/tunnel/login.h src/tunnel/login_identities.c src/tunnel/login_identities.h \
	src/tunnel/manager.c src/tunnel/manager.h \
	src/tunnel/probe.c src/tunnel/probe.h \
	src/tunnel/reach.c src/tunnel/reach.h \
	src/tunnel/route.c src/tunnel/route.h \
	src/tunnel/tunnel.c src/tunnel/tunnel_private.h src/tunnel/tunnel_slots.c src/tunnel/tunnel_state.c src/tunnel/tunnel.h \
	src/tunnel/visit.c src/tunnel/visit.h
