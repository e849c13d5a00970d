UNIT_TESTS_SSH =

UNIT_TESTS_SSH += tests/unit/ssh/ext_info_test
tests_unit_ssh_ext_info_test_SOURCES = tests/unit/ssh/ext_info_test.c
tests_unit_ssh_ext_info_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/key_test
tests_unit_ssh_key_test_SOURCES = tests/unit/ssh/key_test.c tests/unit/ssh/test_keys.h
tests_unit_ssh_key_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)
