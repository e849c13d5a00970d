"""The sections `reconnect` and `links`: how long an outage lasts for clients, beside autossh at its best settings."""

import itertools
import os
import signal
import socket
import statistics
import threading
import time

from lib.adit import adit_path, environment, libconfig_file
from lib.process import Process, descendants, free_port, need, wait_until
from lib.targets import Server, echo
from usage import cpu_seconds, pss_bytes

AWAY_S = 20
EVERY_S = 0.02  # a new client


class Attempts:
    """Clients that come one after the other, each with its own patience, until the first that is served."""

    def __init__(self, port, patience=10.0):
        self.port, self.patience = port, patience
        self.refused = self.dropped = self.impatient = 0

    def one(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=self.patience) as sock:
                try:
                    sock.sendall(b"x")
                    if sock.recv(1) == b"x":
                        return True
                    self.dropped += 1
                except socket.timeout:
                    self.impatient += 1
                except OSError:
                    self.dropped += 1
        except OSError:
            self.refused += 1
        return False

    def until_served(self, give_up=90):
        """Many at once: one that is held does not keep the next from trying."""
        served = threading.Event()
        begin = time.monotonic()
        found = []

        def client():
            if self.one() and not served.is_set():
                found.append(time.monotonic())
                served.set()
        while not served.is_set() and time.monotonic() - begin < give_up:
            threading.Thread(target=client, daemon=True).start()
            served.wait(EVERY_S)
        if not found:
            raise RuntimeError("no client was ever served")
        return found[0] - begin


    def result(self):
        """And what became of the others: who waited with the first is served right after it."""
        seconds = self.until_served()
        time.sleep(0.5)
        return {"seconds": seconds, "refused": self.refused, "dropped": self.dropped}


def autossh(bench, ports, target):
    need("autossh")
    for port in ports:
        yield Process(["autossh", "-M", "0", "-N", "-F", "none", "-o", f"UserKnownHostsFile={bench.known_hosts}", "-o",
                       "IdentityAgent=none", "-o", "IdentitiesOnly=yes", "-o", "ExitOnForwardFailure=yes", "-o",
                       "ServerAliveInterval=1", "-o", "ServerAliveCountMax=3", "-i", bench.keys.path("id_ed25519"), "-p",
                       bench.sshd.port, "-L", f"127.0.0.1:{port}:127.0.0.1:{target}", f"{bench.sshd.user}@127.0.0.1"],
                      bench.folder / "clients.log", env=environment(AUTOSSH_GATETIME="0"))


def adit(bench, ports, target):
    hosts = {f"h{i}": {"address": "127.0.0.1", "port": bench.sshd.port, "user": bench.sshd.user, "agent": False,
                       "identity": str(bench.keys.path("id_ed25519")), "known_hosts": str(bench.known_hosts),
                       "keepalive_interval": 1, "keepalive_count": 3} for i in range(len(ports))}
    tunnels = {f"t{i}": {"via": f"h{i}", "local": f"127.0.0.1:{port}", "to": f"127.0.0.1:{target}"}
               for i, port in enumerate(ports)}
    path = bench.folder / f"adit-{ports[0]}.conf"
    path.write_text(libconfig_file(control_socket="", hosts=hosts, tunnels=tunnels), encoding="ascii")
    yield Process([adit_path(), "run", "-c", path], bench.folder / "clients.log", env=environment())


# When in the keepalive's second it begins: evenly, over five runs of two by turns.
PHASES = itertools.cycle((0.1, 0.3, 0.5, 0.7, 0.9))


class Running:
    def __init__(self, bench, make, target, count=1):
        self.ports = [free_port() for _ in range(count)]
        self.processes = list(make(bench, self.ports, target))
        for port in self.ports:
            wait_until(Attempts(port).one, "the first client", 60)
        time.sleep(2 + next(PHASES))  # a link that has lived; and autossh's ssh is not in its first second

    def __enter__(self):
        return self

    def pids(self):
        return [pid for process in self.processes for pid in (process.pid, *descendants(process.pid))]

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()


def kill(bench):
    bench.sshd.signal_sessions(signal.SIGKILL)


def freeze(bench):
    bench.sshd.signal_sessions(signal.SIGSTOP)


def outage(bench, make, target, begin):
    with Running(bench, make, target) as running:
        begin(bench)
        attempts = Attempts(running.ports[0])
        found = attempts.result()
    bench.sshd.signal_sessions(signal.SIGKILL)
    return found


def away(bench, make, target):
    with Running(bench, make, target) as running:
        bench.sshd.stop()
        before = Attempts(running.ports[0])
        end = time.monotonic() + AWAY_S
        while time.monotonic() < end:  # somebody always waits, so that the next try is soon
            threading.Thread(target=before.one, daemon=True).start()
            time.sleep(0.25)
        bench.sshd.start()
        attempts = Attempts(running.ports[0])
        return attempts.result()


def compare(bench, words, measure, at_most):
    found = {make: [] for make in (autossh, adit)}
    for _ in range(bench.runs):
        for make in found:
            found[make].append(measure(make))

    def values(make, key):
        return [run[key] for run in found[make]]
    theirs, ours = (statistics.median(values(make, "seconds")) for make in (autossh, adit))
    bench.row(words, "ms", theirs, ours, at_most=at_most, scale=1e3)
    for key in ("refused", "dropped"):
        print(f"  {'    clients ' + key + ' meanwhile, each run':<52} {values(autossh, key)} {values(adit, key)}")


def reconnect(bench):
    """To the next client that is served, beside autossh at its best settings (in the column of ssh)."""
    target = Server(echo)
    compare(bench, "the session's process is killed", lambda make: outage(bench, make, target.port, kill), 0.6)
    compare(bench, "the path goes silent, keepalive 1 s x 3", lambda make: outage(bench, make, target.port, freeze), 1.0)
    compare(bench, f"a server that was away for {AWAY_S} s, from its return",
            lambda make: away(bench, make, target.port), 0.15)
    target.stop()


def links(bench, count=int(os.environ.get("ADIT_BENCH_LINKS", "200"))):
    """Many links in one process, beside an autossh and an ssh each: memory, idle CPU with keepalives, and a restart; one run."""
    target = Server(echo)
    found = {}
    for make in (autossh, adit):
        with Running(bench, make, target.port, count) as running:
            pids = running.pids()
            before = sum(map(cpu_seconds, pids))
            time.sleep(10)
            found[make] = {"pss": sum(map(pss_bytes, pids)), "cpu": (sum(map(cpu_seconds, pids)) - before) / 10}
            bench.sshd.stop()
            bench.sshd.start()
            begin = time.monotonic()
            for port in running.ports:
                Attempts(port, 60).until_served()
            found[make]["back"] = time.monotonic() - begin
    for words, key, unit, scale in ((f"memory of {count} links", "pss", "MB", 1e-6),
                                    ("    CPU, idle, keepalive 1 s", "cpu", "%", 100),
                                    ("    all served after a restart", "back", "s", 1)):
        bench.row(words, unit, found[autossh][key], found[adit][key], scale=scale)
    target.stop()
