UNIT_TESTS_COMMAND = tests/unit/command/watcher_test

tests_unit_command_watcher_test_SOURCES = tests/unit/command/watcher_test.c
tests_unit_command_watcher_test_LDADD = $(UP_TO_COMMAND) $(UNIT_LIBS)
