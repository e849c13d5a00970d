noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/account.c src/base/account.h \
	src/base/clock.c src/base/clock.h \
	src/base/err.c src/base/err.h \
	src/base/file.c src/base/file.h \
	src/base/line.c src/base/line.h \
	src/base/list.h \
	src/base/log.c src/base/log.h \
	src/base/loop.c src/base/loop.h \
	src/base/map.c src/base/map.h \
	src/base/mem.c src/base/mem.h \
	src/base/minmax.h \
	src/base/random.c src/base/random.h \
	src/base/secret.c src/base/secret.h \
	src/base/str.c src/base/str.h \
	src/base/timer.c src/base/timer.h \
	src/base/wire.c src/base/wire.h
