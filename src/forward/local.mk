noinst_LIBRARIES += libforward.a
libforward_a_SOURCES = \
	src/forward/forward.h \
	src/forward/hold.c src/forward/hold.h \
	src/forward/http_connect.c src/forward/http_connect.h \
	src/forward/service.h \
	src/forward/socks.c src/forward/socks.h
