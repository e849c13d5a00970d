noinst_LIBRARIES += libforward.a
libforward_a_SOURCES = src/forward/forward.h src/forward/service.h
