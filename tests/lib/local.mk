# Programs that the system tests and the bench run beside adit.
check_PROGRAMS += tests/lib/delay_proxy tests/lib/light_server tests/lib/load
tests_lib_delay_proxy_SOURCES = tests/lib/delay_proxy.c
tests_lib_delay_proxy_LDADD = $(UP_TO_BASE) $(THIRD_PARTY)
tests_lib_light_server_SOURCES = tests/lib/light_server.c
tests_lib_light_server_LDADD = libtestserver.a $(UP_TO_SSH) $(THIRD_PARTY)
# Measured with it, so never slowed by a sanitizer.
tests_lib_load_SOURCES = tests/lib/load.c
tests_lib_load_CFLAGS = $(LIBEVENT_CFLAGS) -O2
tests_lib_load_LDFLAGS = -pthread

EXTRA_DIST += tests/lib/__init__.py tests/lib/adit.py tests/lib/asyncssh_server.py tests/lib/browser.py \
	tests/lib/certificates.py tests/lib/hardware_agent.py tests/lib/kexinit.py tests/lib/listen_fds.py tests/lib/namespaces.py \
	tests/lib/process.py tests/lib/ssh_servers.py tests/lib/systemd_steps.sh tests/lib/targets.py

# An SSH server in the test's own process, which does what a test tells it to.
check_LIBRARIES += libtestserver.a
libtestserver_a_SOURCES = tests/lib/server.h tests/lib/server_internal.h tests/lib/server.c tests/lib/server_login.c \
	tests/lib/server_channels.c
