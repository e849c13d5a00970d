noinst_LIBRARIES += libadmin.a
libadmin_a_SOURCES = \
	src/admin/control.c src/admin/control.h \
	src/admin/events.c src/admin/events.h \
	src/admin/fdstore.c src/admin/fdstore.h \
	src/admin/http.c src/admin/http.h \
	src/admin/http_server.c src/admin/http_server.h \
	src/admin/json.c src/admin/json.h \
	src/admin/metrics.c src/admin/metrics.h \
	src/admin/notify.c src/admin/notify.h \
	src/admin/page.c src/admin/page.h \
	src/admin/status.h src/admin/status_filter.c src/admin/status_json.c src/admin/status_table.c \
	src/admin/traffic.c src/admin/traffic.h \
	src/admin/waiters.c src/admin/waiters.h

# The page as a C string.
EXTRA_DIST += src/admin/page.html
CLEANFILES += src/admin/page_html.h
src/admin/page.$(OBJEXT): src/admin/page_html.h
src/admin/page_html.h: src/admin/page.html
	$(AM_V_GEN)$(MKDIR_P) src/admin && \
	sed -e 's/[\\"]/\\&/g' -e 's/^/"/' -e 's/$$/\\n"/' $(srcdir)/src/admin/page.html >$@.tmp && mv $@.tmp $@
