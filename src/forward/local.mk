noinst_LIBRARIES += libforward.a
libforward_a_SOURCES = \
	src/forward/access.c src/forward/access.h \
	src/forward/forward.c src/forward/forward.h \
	src/forward/hold.c src/forward/hold.h \
	src/forward/http_connect.c src/forward/http_connect.h \
	src/forward/kind.h \
	src/forward/local.c \
	src/forward/negotiation.c \
	src/forward/proxy_header.c src/forward/proxy_header.h \
	src/forward/remote.c \
	src/forward/service.c src/forward/service.h \
	src/forward/socks.c src/forward/socks.h \
	src/forward/stream.c src/forward/stream.h
