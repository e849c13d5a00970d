noinst_LIBRARIES += libssh.a
libssh_a_SOURCES =
