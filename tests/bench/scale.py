"""The section `scale`: a thousand links in one process, ten streams each."""

import os
import re
import selectors
import signal
import socket
import subprocess
import time

from lib.adit import adit_path, environment, helper_path, libconfig_file
from lib.process import Process, free_port, wait_until
from lib.ssh_servers import OpenSsh
from usage import cpu_seconds, pss_bytes

STREAMS_A_LINK = 10
IDLE_S = 30
AWAY_S = 3
MAX_STARTUPS = "10:30:100"  # sshd's own default

MEMORY_WANTED_BYTES = 100e6
CPU_WANTED = 0.01  # of a core
BACK_WANTED_S = 15
SERVER_WAITS_AT_MOST = 1.25  # a server that is busy all the time is 1


def family_seconds(pid):
    """Of a process and of those that it started and that have ended."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")


class Counter:
    """How often a pattern stands in a file that grows; reads each part once."""

    def __init__(self, path, pattern):
        self.path, self.pattern = path, re.compile(pattern.encode())
        self.at = self.found = 0
        self.rest = b""

    def count(self):
        with open(self.path, "rb") as f:
            f.seek(self.at)
            *lines, self.rest = (self.rest + f.read()).split(b"\n")
            self.at = f.tell()
        self.found += sum(bool(self.pattern.search(line)) for line in lines)
        return self.found

    def wait(self, count, what, deadline=300):
        wait_until(lambda: self.count() >= count, lambda: f"{what}: {self.count()} of {count}", deadline)


class LightServer:
    """A scripted server that does in one process, without a shell or a fork, what a client asks of it; its channels echo."""

    words, is_light = "a light server", True
    user = "anybody"

    def __init__(self, bench):
        self.port, self.log = free_port(), bench.folder / "light_server.log"
        self.process = None

    def start(self):
        self.log.write_text("", encoding="ascii")
        self.process = Process([helper_path("light_server"), self.port, *MAX_STARTUPS.split(":")], self.log,
                               stdin=subprocess.PIPE)
        self.process.wait_log("\n")

    def fingerprint(self):
        return self.process.log().split()[0]

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def stop(self):
        """How many connections came, and how many of them were dropped for MaxStartups."""
        if not self.process:
            return 0, 0
        self.process.popen.stdin.close()
        self.process.wait()
        self.process = None
        accepted, dropped = self.log.read_text(encoding="ascii").split()[1:]
        return int(accepted), int(dropped)


class RealServer:
    words, is_light = "sshd", False

    def __init__(self, bench):
        self.sshd = OpenSsh(bench.folder, bench.keys, ["LogLevel VERBOSE", f"MaxStartups {MAX_STARTUPS}"])
        self.user, self.port = self.sshd.user, self.sshd.port
        self.log = bench.folder / f"sshd-{self.port}.log"

    def start(self):
        self.log.write_text("", encoding="ascii")
        self.sshd.start()

    def fingerprint(self):
        return self.sshd.keys.fingerprint("host_ed25519")

    def cpu(self):
        """Ends the sessions, since those that live are counted in whole ticks, each."""
        self.sshd.kill_sessions()
        return family_seconds(self.sshd.process.pid)

    def stop(self):
        self.sshd.stop()
        dropped = Counter(self.log, "^drop connection").count()
        return Counter(self.log, "^Connection from").count() + dropped, dropped


def open_streams(ports):
    """Each carries a byte there and back, so that it is open on the far side too."""
    socks = [socket.create_connection(("127.0.0.1", port), timeout=60) for port in ports for _ in range(STREAMS_A_LINK)]
    for sock in socks:
        sock.sendall(b"!")
    for sock in socks:
        if sock.recv(1) != b"!":
            raise RuntimeError("a stream is not open")
    return socks


def count_live(socks):
    with selectors.EpollSelector() as selector:
        for sock in socks:
            selector.register(sock, selectors.EVENT_READ)
        return len(socks) - len(selector.select(0))


class Running:
    """adit with a link and a tunnel for each port."""

    def __init__(self, bench, server, count):
        self.ports = [free_port() for _ in range(count)]
        host = {"address": "127.0.0.1", "port": server.port, "user": server.user, "agent": False,
                "identity": str(bench.keys.path("id_ed25519")), "host_key": server.fingerprint()}
        hosts = {f"h{i}": host for i in range(count)}
        tunnels = {f"t{i}": {"via": f"h{i}", "local": f"127.0.0.1:{port}", "to": f"127.0.0.1:{bench.target}"}
                   for i, port in enumerate(self.ports)}
        config, log = bench.folder / "scale.conf", bench.folder / "scale.log"
        config.write_text(libconfig_file(control_socket="", hosts=hosts, tunnels=tunnels), encoding="ascii")
        log.write_text("", encoding="ascii")
        self.process = Process([adit_path(), "run", "-c", config], log, env=environment())
        self.pid, self.count = self.process.pid, count
        self.up, self.down = Counter(log, " link-up "), Counter(log, " link-down ")
        self.up.wait(count, "links up")

    def idle(self):
        cpu = cpu_seconds(self.pid)
        time.sleep(IDLE_S)
        return (cpu_seconds(self.pid) - cpu) / IDLE_S

    def stable(self):
        return self.up.count() == self.count and self.down.count() == 0

    def restart(self, server):
        """The server is away for a while; from its return until the last link is up again."""
        server.stop()
        self.down.wait(self.count, "links down")
        time.sleep(AWAY_S)
        cpu, begin = cpu_seconds(self.pid), time.monotonic()
        server.start()
        self.up.wait(2 * self.count, "links up again")
        back = time.monotonic() - begin
        ours = cpu_seconds(self.pid) - cpu
        self.process.signal(signal.SIGSTOP)  # or it would log in again
        return {"back": back, "ours": ours, "theirs": server.cpu()}


def compare(bench, words, unit, wanted, found, scale=1.0):
    bench.row(words, unit, wanted, found, at_most=1.0, scale=scale)


def report_restart(bench, server, running):
    """Beside sshd, the first column is what its logins and ours cost at least: the processor time of both over all cores."""
    found = running.restart(server)
    came, dropped = server.stop()
    alone = (found["theirs"] + found["ours"]) / os.cpu_count()
    words = f"    all links back after a restart of {server.words}"
    if server.is_light:
        compare(bench, words, "s", BACK_WANTED_S, found["back"])
    else:
        bench.row(words + ", beside the CPU", "s", alone, found["back"], at_most=SERVER_WAITS_AT_MOST)
    compare(bench, f"    connections for that, MaxStartups {MAX_STARTUPS}", "", running.count, came)
    print(f"      {dropped} dropped; CPU: adit {found['ours']:.1f} s, the server {found['theirs']:.1f} s on {os.cpu_count()} cores")


def with_streams(bench, count):
    server = LightServer(bench)
    server.start()
    running = Running(bench, server, count)
    try:
        links_alone = pss_bytes(running.pid)
        socks = open_streams(running.ports)
        time.sleep(5)
        cpu = running.idle()
        if count_live(socks) != len(socks) or not running.stable():
            raise RuntimeError("links were lost without an outage")
        print(f"  beside {server.words}:")
        compare(bench, f"memory of {count} links and {len(socks)} streams", "MB", MEMORY_WANTED_BYTES,
                pss_bytes(running.pid), 1e-6)
        print(f"      {links_alone / 1e6:.1f} MB of that before the streams")
        compare(bench, f"    CPU of a core, idle, in {IDLE_S} s", "%", CPU_WANTED, cpu, 100)
        report_restart(bench, server, running)
        for sock in socks:
            sock.close()
    finally:
        running.process.kill()
        server.stop()


def without_streams(bench, count):
    server = RealServer(bench)
    server.start()
    running = Running(bench, server, count)
    try:
        report_restart(bench, server, running)
    finally:
        running.process.kill()
        server.stop()


def scale(bench, count=int(os.environ.get("ADIT_BENCH_SCALE", "1000"))):
    """Many links in one process with ten idle streams each; the first column is what is wanted, at most; one run."""
    with_streams(bench, count)
    without_streams(bench, count)
