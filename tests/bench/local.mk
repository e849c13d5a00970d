# `make bench` measures what needs no server; tests/bench/run measures the program.
EXTRA_DIST += tests/bench/run tests/bench/outages.py tests/bench/scale.py tests/bench/usage.py

EXTRA_PROGRAMS = tests/bench/packet_bench tests/bench/relay_bench tests/bench/reload_bench
tests_bench_packet_bench_SOURCES = tests/bench/packet_bench.c
tests_bench_packet_bench_LDADD = $(UP_TO_SSH) $(THIRD_PARTY)
tests_bench_relay_bench_SOURCES = tests/bench/relay_bench.c
tests_bench_relay_bench_LDADD = $(UP_TO_NET) $(THIRD_PARTY)
tests_bench_reload_bench_SOURCES = tests/bench/reload_bench.c
tests_bench_reload_bench_LDADD = $(UP_TO_TUNNEL) $(THIRD_PARTY)

bench: tests/bench/packet_bench$(EXEEXT) tests/bench/relay_bench$(EXEEXT) \
	tests/bench/reload_bench$(EXEEXT)
	tests/bench/packet_bench$(EXEEXT)
	tests/bench/relay_bench$(EXEEXT)
	tests/bench/reload_bench$(EXEEXT)
.PHONY: bench
CLEANFILES += tests/bench/packet_bench$(EXEEXT) tests/bench/relay_bench$(EXEEXT) \
	tests/bench/reload_bench$(EXEEXT)
