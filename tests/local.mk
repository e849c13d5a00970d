# A unit test is one program a module; it links what its layer may use and no more.
AM_TESTS_ENVIRONMENT = top_srcdir='$(abs_top_srcdir)'; export top_srcdir;
UNIT_LIBS = $(CMOCKA_LIBS) $(THIRD_PARTY)

if HAVE_CMOCKA
include tests/unit/base/local.mk
include tests/unit/net/local.mk
include tests/unit/ssh/local.mk
include tests/unit/config/local.mk
include tests/unit/forward/local.mk
include tests/unit/tunnel/local.mk
include tests/unit/admin/local.mk
check_PROGRAMS += $(UNIT_TESTS_BASE) $(UNIT_TESTS_NET) $(UNIT_TESTS_SSH) $(UNIT_TESTS_CONFIG) \
	$(UNIT_TESTS_FORWARD) $(UNIT_TESTS_TUNNEL) $(UNIT_TESTS_ADMIN)
TESTS += $(UNIT_TESTS_BASE) $(UNIT_TESTS_NET) $(UNIT_TESTS_SSH) $(UNIT_TESTS_CONFIG) \
	$(UNIT_TESTS_FORWARD) $(UNIT_TESTS_TUNNEL) $(UNIT_TESTS_ADMIN)
endif
