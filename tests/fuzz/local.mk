# Fuzz targets: everything that parses what came from outside. A new one is tests/fuzz/NAME_fuzz.c with a function
# LLVMFuzzerTestOneInput, a folder tests/fuzz/corpus/NAME with at least one input, and two lines here: its name, and what
# it links ($(UP_TO_...), then $(FUZZ_LIBS)).
#
# `make check` replays the corpora without a fuzzer (replay.c). With --enable-fuzz the same programs are libFuzzer's:
# tests/fuzz/run SECONDS runs each of them for that long.
FUZZ_TARGETS =

FUZZ_TARGETS += tests/fuzz/wire_fuzz
tests_fuzz_wire_fuzz_LDADD = $(UP_TO_BASE) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/str_fuzz
tests_fuzz_str_fuzz_LDADD = $(UP_TO_BASE) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/socks_fuzz
tests_fuzz_socks_fuzz_LDADD = $(UP_TO_FORWARD) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/config_fuzz
tests_fuzz_config_fuzz_LDADD = $(UP_TO_CONFIG) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/endpoint_fuzz
tests_fuzz_endpoint_fuzz_LDADD = $(UP_TO_FORWARD) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/ssh_arguments_fuzz
tests_fuzz_ssh_arguments_fuzz_LDADD = $(UP_TO_CONFIG) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/key_blob_fuzz
tests_fuzz_key_blob_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/keyfile_fuzz
tests_fuzz_keyfile_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/cert_fuzz
tests_fuzz_cert_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/known_hosts_fuzz
tests_fuzz_known_hosts_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/krl_fuzz
tests_fuzz_krl_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/agent_fuzz
tests_fuzz_agent_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/packet_fuzz
tests_fuzz_packet_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/ident_fuzz
tests_fuzz_ident_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/kex_fuzz
tests_fuzz_kex_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/connection_fuzz
tests_fuzz_connection_fuzz_SOURCES = tests/fuzz/connection_fuzz.c tests/lib/fake_transport.h tests/lib/fake_transport.c
tests_fuzz_connection_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/transport_fuzz
tests_fuzz_transport_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

FUZZ_TARGETS += tests/fuzz/auth_fuzz
tests_fuzz_auth_fuzz_LDADD = $(UP_TO_SSH) $(FUZZ_LIBS)

if FUZZ
FUZZ_LIBS = $(THIRD_PARTY) $(LIBFUZZER)
noinst_PROGRAMS += $(FUZZ_TARGETS)
else
FUZZ_LIBS = libreplay.a $(THIRD_PARTY)
check_LIBRARIES += libreplay.a
check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += $(FUZZ_TARGETS)
libreplay_a_SOURCES = tests/fuzz/replay.c
endif

EXTRA_DIST += tests/fuzz/corpus tests/fuzz/run
