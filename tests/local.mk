# What `make check` runs: lint, unit and protocol tests, the fuzz corpora. The system tests want servers and minutes:
# `make check-system`. The bench wants a quiet machine: tests/bench/run.

# Tests read files of the source tree by $top_srcdir; lint compiles headers as the build would.
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	LINT_CC='$(CC) $(CPPFLAGS) $(ADIT_CFLAGS) $(LIBEVENT_CFLAGS) $(CRYPTO_CFLAGS) $(LIBCONFIG_CFLAGS)'; export LINT_CC;

# A test that hangs is ended and named.
LOG_COMPILER = timeout
AM_LOG_FLAGS = --verbose --signal=ABRT 240

include tests/lint/local.mk
include tests/fuzz/local.mk
include tests/lib/local.mk
include tests/bench/local.mk
include tests/system/local.mk

# A unit test is one program a module; it links what its layer may use and no more.
UNIT_LIBS = $(CMOCKA_LIBS) $(THIRD_PARTY)

if HAVE_CMOCKA
include tests/unit/base/local.mk
include tests/unit/net/local.mk
include tests/unit/ssh/local.mk
include tests/unit/config/local.mk
include tests/unit/forward/local.mk
include tests/unit/tunnel/local.mk
include tests/unit/admin/local.mk
include tests/unit/command/local.mk
check_PROGRAMS += $(UNIT_TESTS_BASE) $(UNIT_TESTS_NET) $(UNIT_TESTS_SSH) $(UNIT_TESTS_CONFIG) \
	$(UNIT_TESTS_FORWARD) $(UNIT_TESTS_TUNNEL) $(UNIT_TESTS_ADMIN) $(UNIT_TESTS_COMMAND)
TESTS += $(UNIT_TESTS_BASE) $(UNIT_TESTS_NET) $(UNIT_TESTS_SSH) $(UNIT_TESTS_CONFIG) \
	$(UNIT_TESTS_FORWARD) $(UNIT_TESTS_TUNNEL) $(UNIT_TESTS_ADMIN) $(UNIT_TESTS_COMMAND)
endif
