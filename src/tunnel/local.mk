noinst_LIBRARIES += libtunnel.a
libtunnel_a_SOURCES =
