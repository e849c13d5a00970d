"""Processes that a test starts, and conditions that it waits for. Nothing here sleeps for a fixed time."""

import ctypes
import functools
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import subprocess
import time

import pytest

# A deadline is for a test that has gone wrong; sanitizers and a busy machine are slow.
DEADLINE = float(os.environ.get("ADIT_TEST_DEADLINE", "20"))


def wait_until(condition, what, deadline=DEADLINE):
    """Returns the first true value of condition(); fails, naming what was waited for, when the deadline has passed."""
    end = time.monotonic() + deadline
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:g} s in vain: {what() if callable(what) else what}")
        before = time.monotonic()
        time.sleep(pause)
        # A machine that stood still (a virtual one that was paused) is no reason to give up.
        late = time.monotonic() - before - pause
        end += late if late > 1 else 0
        pause = min(pause * 1.5, 0.05)


def raise_descriptor_limit():
    """As contrib/check does: a thousand streams are more than the soft limit of most systems."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 20000 if hard == resource.RLIM_INFINITY else min(hard, 20000)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def need(*tools):
    """The path of the first of these tools that is there; skips the test, naming it, when none is."""
    for tool in tools:
        path = shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if path:
            return path
    pytest.skip(f"{' or '.join(tools)} is missing")
    return None


def need_root(why):
    if os.geteuid() != 0:
        pytest.skip(f"needs root: {why}")


@functools.cache
def why_no_mounts(unshare):
    done = subprocess.run([unshare, "--mount", "true"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode != 0 else None


def with_own_mounts(why):
    """What runs a command in a mount namespace of its own, in front of its words; skips the test where that may not be, as
    in most containers."""
    need_root(why)
    unshare = need("unshare")
    if why_no_mounts(unshare):
        pytest.skip(f"no mount namespaces here, for {why}: {why_no_mounts(unshare)}")
    return [unshare, "--mount"]


_given = set()


def workers():
    """Which one this is of how many that run tests at the same time (pytest-xdist)."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return int(number), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def free_port():
    """A TCP port that nobody listens on, below the range from which the kernel takes the ports of clients. No two tests are
    given the same, also when they run at the same time."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        top = int(f.read().split()[0])
    this, count = workers()
    for _ in range(1000):
        port = random.SystemRandom().randrange(10240, max(top, 20480))
        if port in _given or port % count != this:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError("no free port")


def listens(port, host="127.0.0.1"):
    """Whether somebody listens on the port, from /proc: no connection is made, so no server sees one."""
    wanted = f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as f:
        for line in f:
            fields = line.split()
            if fields[1] == wanted and fields[3] == "0A":
                return True
    return False


def listens_unix(path, pid="self"):
    """The same of a Unix socket, in the network namespace of the process. That the file is there says only that it is bound."""
    with open(f"/proc/{pid}/net/unix", encoding="utf-8", errors="replace") as f:
        for line in f:
            fields = line.split(maxsplit=7)
            if len(fields) == 8 and fields[7].rstrip("\n") == str(path) and int(fields[3], 16) & SO_ACCEPTCON:
                return True
    return False


SO_ACCEPTCON = 0x10000
_libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def prepare_child():
    """A test run that is itself killed leaves nothing behind; and one that runs under nohup does not hand that on."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Process:
    """A program in the foreground with its output in a file. Ended by its id, and those below it with it; to be started by
    the main thread, since it ends with the thread that started it."""

    def __init__(self, argv, log, **popen):
        self.argv = [str(arg) for arg in argv]
        self.log_path = pathlib.Path(log)
        with open(self.log_path, "ab") as out:
            popen.setdefault("stdout", out)
            popen.setdefault("stderr", out)
            popen.setdefault("stdin", subprocess.DEVNULL)
            self.popen = subprocess.Popen(self.argv, start_new_session=True, preexec_fn=prepare_child, **popen)
        self.pid = self.popen.pid

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, deadline=DEADLINE):
        """The exit status; negative: the signal that ended it."""
        try:
            return self.popen.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.argv[0]} (process {self.pid}) did not end\n{self.log()}") from None

    def wait_log(self, text, deadline=DEADLINE):
        def seen():
            if text in self.log():
                return True
            assert self.running(), f"{self.argv[0]} ended with {self.popen.returncode}\n{self.log()}"
            return False
        wait_until(seen, lambda: f"{text!r} in the output of {self.argv[0]}:\n{self.log()}", deadline)

    def wait_port(self, port, deadline=DEADLINE):
        def up():
            assert self.running(), f"{self.argv[0]} ended with {self.popen.returncode}\n{self.log()}"
            return listens(port)
        wait_until(up, lambda: f"port {port} of {self.argv[0]}:\n{self.log()}", deadline)

    def kill(self):
        """At once; a frozen one too. One that was waited for has no id any more: that may be somebody else's by now."""
        if self.popen.poll() is None:
            kill_family(self.pid)
        self.popen.wait()


def kill_family(pid):
    """At once, it and those below it; of a process that is not yet waited for."""
    for one in [pid, *descendants(pid)]:
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            pass


def descendants(pid):
    """The processes below this one, children first."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                    parent = int(f.read().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry))
    found = []
    level = children.get(pid, [])
    while level:
        found += level
        level = [grandchild for child in level for grandchild in children.get(child, [])]
    return found
