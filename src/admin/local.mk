noinst_LIBRARIES += libadmin.a
libadmin_a_SOURCES = \
	src/admin/notify.c src/admin/notify.h
