noinst_LIBRARIES += libforward.a
libforward_a_SOURCES =
