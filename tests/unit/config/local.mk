UNIT_TESTS_CONFIG = tests/unit/config/diff_test tests/unit/config/read_test tests/unit/config/ssh_test
tests_unit_config_diff_test_SOURCES = tests/unit/config/diff_test.c
tests_unit_config_diff_test_LDADD = $(UP_TO_CONFIG) $(UNIT_LIBS)
tests_unit_config_read_test_SOURCES = tests/unit/config/read_test.c
tests_unit_config_read_test_LDADD = $(UP_TO_CONFIG) $(UNIT_LIBS)
tests_unit_config_ssh_test_SOURCES = tests/unit/config/ssh_test.c
tests_unit_config_ssh_test_LDADD = $(UP_TO_CONFIG) $(UNIT_LIBS)
