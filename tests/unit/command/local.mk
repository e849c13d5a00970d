UNIT_TESTS_COMMAND = \
	tests/unit/command/ask_test \
	tests/unit/command/socket_path_test \
	tests/unit/command/watcher_test

tests_unit_command_ask_test_SOURCES = tests/unit/command/ask_test.c
tests_unit_command_ask_test_LDADD = $(UP_TO_COMMAND) $(UNIT_LIBS)
tests_unit_command_socket_path_test_SOURCES = tests/unit/command/socket_path_test.c
tests_unit_command_socket_path_test_LDADD = $(UP_TO_COMMAND) $(UNIT_LIBS)
tests_unit_command_watcher_test_SOURCES = tests/unit/command/watcher_test.c
tests_unit_command_watcher_test_LDADD = $(UP_TO_COMMAND) $(UNIT_LIBS)
