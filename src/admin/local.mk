noinst_LIBRARIES += libadmin.a
libadmin_a_SOURCES = \
	src/admin/control.c src/admin/control.h \
	src/admin/events.c src/admin/events.h \
	src/admin/json.c src/admin/json.h \
	src/admin/status.h src/admin/status_json.c src/admin/status_table.c \
	src/admin/metrics.c src/admin/metrics.h \
	src/admin/notify.c src/admin/notify.h
