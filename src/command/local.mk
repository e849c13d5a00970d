noinst_LIBRARIES += libcommand.a
libcommand_a_SOURCES =
