UNIT_TESTS_BASE = \
	tests/unit/base/account_test \
	tests/unit/base/err_test \
	tests/unit/base/file_test \
	tests/unit/base/line_test \
	tests/unit/base/list_test \
	tests/unit/base/log_test \
	tests/unit/base/loop_test \
	tests/unit/base/map_test \
	tests/unit/base/random_test \
	tests/unit/base/secret_test \
	tests/unit/base/str_test \
	tests/unit/base/timer_test \
	tests/unit/base/wire_test

tests_unit_base_account_test_SOURCES = tests/unit/base/account_test.c
tests_unit_base_account_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_err_test_SOURCES = tests/unit/base/err_test.c
tests_unit_base_err_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_list_test_SOURCES = tests/unit/base/list_test.c
tests_unit_base_list_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_log_test_SOURCES = tests/unit/base/log_test.c
tests_unit_base_log_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_loop_test_SOURCES = tests/unit/base/loop_test.c tests/unit/base/loop_rig.h
tests_unit_base_loop_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_map_test_SOURCES = tests/unit/base/map_test.c
tests_unit_base_map_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_random_test_SOURCES = tests/unit/base/random_test.c
tests_unit_base_random_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_secret_test_SOURCES = tests/unit/base/secret_test.c
tests_unit_base_secret_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_line_test_SOURCES = tests/unit/base/line_test.c
tests_unit_base_line_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_str_test_SOURCES = tests/unit/base/str_test.c
tests_unit_base_str_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_timer_test_SOURCES = tests/unit/base/timer_test.c tests/unit/base/loop_rig.h
tests_unit_base_timer_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_wire_test_SOURCES = tests/unit/base/wire_test.c
tests_unit_base_wire_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
tests_unit_base_file_test_SOURCES = tests/unit/base/file_test.c
tests_unit_base_file_test_LDADD = $(UP_TO_BASE) $(UNIT_LIBS)
