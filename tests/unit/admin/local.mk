UNIT_TESTS_ADMIN = \
	tests/unit/admin/notify_test

tests_unit_admin_notify_test_SOURCES = tests/unit/admin/notify_test.c
tests_unit_admin_notify_test_LDADD = $(UP_TO_ADMIN) $(UNIT_LIBS)
