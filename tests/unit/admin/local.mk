UNIT_TESTS_ADMIN = \
	tests/unit/admin/control_test \
	tests/unit/admin/events_test \
	tests/unit/admin/fdstore_test \
	tests/unit/admin/json_test \
	tests/unit/admin/metrics_test \
	tests/unit/admin/notify_test \
	tests/unit/admin/status_test \
	tests/unit/admin/traffic_test

ADMIN_SCENE = tests/unit/admin/scene.c tests/unit/admin/scene.h

tests_unit_admin_control_test_SOURCES = tests/unit/admin/control_test.c $(ADMIN_SCENE) \
	tests/lib/free_port.c tests/lib/free_port.h
tests_unit_admin_control_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_unit_admin_control_test_LDADD = $(UP_TO_ADMIN) $(UNIT_LIBS)
tests_unit_admin_events_test_SOURCES = tests/unit/admin/events_test.c $(ADMIN_SCENE)
tests_unit_admin_events_test_LDADD = $(UP_TO_ADMIN) $(UNIT_LIBS)
tests_unit_admin_fdstore_test_SOURCES = tests/unit/admin/fdstore_test.c $(ADMIN_SCENE)
tests_unit_admin_fdstore_test_LDADD = $(UP_TO_ADMIN) $(UNIT_LIBS)
tests_unit_admin_json_test_SOURCES = tests/unit/admin/json_test.c $(ADMIN_SCENE)
tests_unit_admin_json_test_LDADD = $(UP_TO_ADMIN) $(UNIT_LIBS)
tests_unit_admin_metrics_test_SOURCES = tests/unit/admin/metrics_test.c $(ADMIN_SCENE)
tests_unit_admin_metrics_test_LDADD = $(UP_TO_ADMIN) $(UNIT_LIBS)
tests_unit_admin_notify_test_SOURCES = tests/unit/admin/notify_test.c
tests_unit_admin_notify_test_LDADD = $(UP_TO_ADMIN) $(UNIT_LIBS)
tests_unit_admin_status_test_SOURCES = tests/unit/admin/status_test.c $(ADMIN_SCENE)
tests_unit_admin_status_test_LDADD = $(UP_TO_ADMIN) $(UNIT_LIBS)
tests_unit_admin_traffic_test_SOURCES = tests/unit/admin/traffic_test.c $(ADMIN_SCENE)
tests_unit_admin_traffic_test_LDADD = $(UP_TO_ADMIN) $(UNIT_LIBS)
