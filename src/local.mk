# One convenience archive a layer. The order of LAYERS is the order of linking: who calls stands before who is called.
include src/base/local.mk
include src/net/local.mk
include src/config/local.mk
include src/ssh/local.mk
include src/forward/local.mk
include src/tunnel/local.mk
include src/admin/local.mk
include src/command/local.mk

THIRD_PARTY = $(LIBEVENT_LIBS) $(CRYPTO_LIBS) $(NTRUPRIME_LIBS) $(LIBCONFIG_LIBS)
UP_TO_BASE = libbase.a
UP_TO_NET = libnet.a $(UP_TO_BASE)
UP_TO_CONFIG = libconf.a $(UP_TO_BASE)
UP_TO_SSH = libssh.a $(UP_TO_NET)
UP_TO_FORWARD = libforward.a libssh.a libconf.a $(UP_TO_NET)
UP_TO_TUNNEL = libtunnel.a $(UP_TO_FORWARD)
UP_TO_ADMIN = libadmin.a $(UP_TO_TUNNEL)
UP_TO_COMMAND = libcommand.a $(UP_TO_ADMIN)

bin_PROGRAMS += adit
dist_man_MANS += src/adit.1
adit_SOURCES = src/main.c
adit_LDADD = $(UP_TO_COMMAND) $(THIRD_PARTY)
