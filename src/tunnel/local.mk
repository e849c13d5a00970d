noinst_LIBRARIES += libtunnel.a
libtunnel_a_SOURCES = \
	src/tunnel/backoff.c src/tunnel/backoff.h \
	src/tunnel/gate.c src/tunnel/gate.h
