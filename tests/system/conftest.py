"""Fixtures of the system tests: each test has a folder, servers and an adit of its own; keys and PostgreSQL are shared."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib import targets  # noqa: E402
from lib.adit import Adit, adit_path  # noqa: E402
from lib.process import Process, free_port, listens_unix, need, raise_descriptor_limit, wait_until  # noqa: E402
from lib.ssh_servers import AsyncSsh, Dropbear, Keys, OpenSsh, OpenSshOfDebian13  # noqa: E402

threading.stack_size(256 * 1024)  # a test has a thousand of them
raise_descriptor_limit()

# pytest-timeout, where it is there, ends a test that hangs and names it.
os.environ.setdefault("PYTEST_TIMEOUT", "240")


def pytest_configure(config):
    config.addinivalue_line("markers", "valgrind: also run under valgrind by contrib/check")
    config.addinivalue_line("markers", "xdist_group(name): where tests run in parallel, those of a group do not")


def pytest_collection_modifyitems(items):
    """Groups take longest: first, so that nobody waits for them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


class Matrix:
    """What was proven with which peer; a table at the end of the run."""

    def __init__(self):
        self.peers = {}

    def add(self, peer, kind, name, good):
        self.peers.setdefault(peer, {})[kind, name] = good

    def lines(self):
        rows = sorted({row for proven in self.peers.values() for row in proven},
                      key=lambda row: (("kex", "host_key", "cipher", "mac").index(row[0]), row[1]))
        yield " " * 50 + "  ".join(self.peers)
        for kind, name in rows:
            words = {True: "good", False: "BAD", None: "-"}
            cells = (words[proven.get((kind, name))].ljust(len(peer)) for peer, proven in self.peers.items())
            yield f"{kind:<9}{name:<41}{'  '.join(cells)}".rstrip()


MATRIX = Matrix()


@pytest.fixture
def matrix(record_property):
    """matrix(peer, kind, name, good) enters a cell. By way of the test's report, which comes from wherever the test ran."""
    return lambda peer, *cell: record_property("matrix", [peer.removeprefix("SSH-2.0-").split()[0], *cell])


def pytest_runtest_logreport(report):
    if report.when == "teardown":
        for name, value in report.user_properties:
            if name == "matrix":
                MATRIX.add(*value)


def pytest_terminal_summary(terminalreporter):
    if MATRIX.peers:
        terminalreporter.section("algorithms that both ends have, each by force (-: the peer has it not)")
        for line in MATRIX.lines():
            terminalreporter.write_line(line)


def pytest_report_header():
    return f"adit: {adit_path()}"


@pytest.fixture(scope="session")
def keys():
    """Throw-away keys of every type."""
    folder = tempfile.mkdtemp(prefix="adit-keys-")
    try:
        yield Keys(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder():
    """The test's own folder; short, since Unix sockets stand in it."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="adit-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """What the daemons said stands below a failure."""
    outcome = yield
    report = outcome.get_result()
    path = item.funcargs.get("folder") if hasattr(item, "funcargs") else None
    if report.failed and path:
        for log in sorted(path.glob("*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            report.sections.append((log.name, "\n".join(lines[-120:])))


def starter(kind, folder, keys):
    """Starts servers of a kind, ends them when the test ends."""
    started = []

    def start(*args, **more):
        server = kind(folder, keys, *args, **more).start()
        started.append(server)
        return server
    yield start
    for server in started:
        server.stop()


def with_options(kind):
    return lambda folder, keys, *options, **more: kind(folder, keys, options, **more)


@pytest.fixture
def sshd(folder, keys):
    """Starts OpenSSH servers: sshd("RekeyLimit 64K", host_keys=[...])."""
    yield from starter(with_options(OpenSsh), folder, keys)


@pytest.fixture
def sshd_of_debian13(folder, keys):
    yield from starter(with_options(OpenSshOfDebian13), folder, keys)


@pytest.fixture
def dropbear(folder, keys):
    yield from starter(with_options(Dropbear), folder, keys)


@pytest.fixture
def asyncssh(folder, keys):
    """asyncssh(host_keys=[...], password="..."): see tests/lib/asyncssh_server.py."""
    yield from starter(AsyncSsh, folder, keys)


@pytest.fixture
def serve():
    """Starts a TCP server with a handler of lib.targets: serve(targets.echo).port"""
    started = []

    def start(handler):
        server = targets.Server(handler)
        started.append(server)
        return server
    yield start
    for server in started:
        server.stop()


@pytest.fixture
def refusing_port():
    port = targets.RefusingPort()
    yield port.port
    port.stop()


@pytest.fixture
def http(folder):
    server = targets.HttpServer(folder)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres():
    server = targets.Postgres()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def adit(folder):
    """One adit; ended in order at the end of the test, if the test did not do it."""
    program = Adit(folder)
    yield program
    if program.process:
        program.stop()


class Tunnels:
    """The configuration that most tests want: one host, and a local forward for each target."""

    def __init__(self, folder, keys):
        self.folder = folder
        self.keys = keys

    def host(self, server, identity="id_ed25519", **more):
        """The group of a host, its host key known by a file of its own."""
        known = self.folder / f"known_hosts-{server.port}"
        known.write_text(server.known_hosts(), encoding="ascii")
        group = {"address": "127.0.0.1", "port": server.port, "user": server.user, "agent": False,
                 "identity": self.keys.find(identity), "known_hosts": str(known)}
        group.update(more)
        return {key: value for key, value in group.items() if value is not None}

    @staticmethod
    def local(port, to, via="server", **more):
        return {"via": via, "local": f"127.0.0.1:{port}", "to": to if isinstance(to, str) else f"127.0.0.1:{to}", **more}


@pytest.fixture
def tunnels(folder, keys):
    return Tunnels(folder, keys)


@pytest.fixture
def one_tunnel(adit, tunnels):
    """Starts adit with one host and one local forward; gives the port to connect to."""
    def start(server, target_port, tunnel=None, top=None, **host):
        port = free_port()
        adit.configure(hosts={"server": tunnels.host(server, **host)},
                       tunnels={"one": tunnels.local(port, target_port, **(tunnel or {}))}, **(top or {}))
        adit.start()
        adit.wait_listening(port)
        return port
    return start


@pytest.fixture
def refused(adit, serve, one_tunnel):
    """Starts adit, waits for the refusal; gives the log line. The server must not have seen a login."""
    def start(server, **host):
        target = serve(targets.echo)
        one_tunnel(server, target.port, tunnel={"hold_timeout": 1}, **host)
        line = wait_until(lambda: re.search(r"^.*host=server.*reason=.*key.*$", adit.log(), re.M | re.I),
                          lambda: f"a refusal in the log:\n{adit.log()}")
        assert "Accepted publickey" not in server.process.log()
        assert "userauth-request" not in server.process.log()
        assert target.accepted == 0
        return line.group(0)
    return start


@pytest.fixture
def agent(folder):
    """An ssh-agent of its own; gives its socket and a function that adds a key, with options of ssh-add before it."""
    path = folder / "agent.sock"
    process = Process([need("ssh-agent"), "-D", "-a", path], folder / "agent.log")
    wait_until(lambda: listens_unix(path), "the agent's socket")

    def add(*arguments):
        subprocess.run([need("ssh-add"), "-q", *map(str, arguments)], env={**os.environ, "SSH_AUTH_SOCK": str(path)}, check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)
    yield path, add
    process.kill()
