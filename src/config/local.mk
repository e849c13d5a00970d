noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = \
	src/config/endpoint.c src/config/endpoint.h \
	src/config/errors.c src/config/errors.h \
	src/config/expand.c src/config/expand.h \
	src/config/scan.c src/config/scan.h \
	src/config/tree.c src/config/tree.h
