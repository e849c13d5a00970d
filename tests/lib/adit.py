"""The program under test: configuration, start, conditions, end. $ADIT is the program, $ADIT_WRAPPER what it runs under."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

from lib.process import DEADLINE, Process, wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]

# What a sanitizer or a failed assertion leaves in the output, whatever the exit status was.
CRASH = re.compile(r"(ERROR: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer|Assertion .* failed|"
                   r"^==\d+== .*(Invalid|uninitialised|definitely lost)|double free|corrupted)", re.M)


def adit_path():
    """$ADIT, else what was built last in a build folder."""
    if os.environ.get("ADIT"):
        return pathlib.Path(os.environ["ADIT"]).resolve()
    built = sorted(TOP.glob("build*/adit"), key=lambda p: p.stat().st_mtime)
    assert built, "no adit: build it, or set ADIT to the program"
    return built[-1]


def helper_path(name):
    """A check program of the build folder that adit came from."""
    path = adit_path().parent / "tests/lib" / name
    assert path.exists(), f"{path} is missing: make -C {adit_path().parent} check-programs"
    return path


def environment(**more):
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("ADIT", "XDG_", "SSH_", "JOURNAL_STREAM", "NOTIFY_SOCKET", "LISTEN_"))}
    env["ASAN_OPTIONS"] = "detect_leaks=1:exitcode=99:" + os.environ.get("ASAN_OPTIONS", "")
    env["UBSAN_OPTIONS"] = "print_stacktrace=1:" + os.environ.get("UBSAN_OPTIONS", "")
    env.update(more)
    return {name: value for name, value in env.items() if value is not None}


def libconfig(value, depth=0):
    """A Python value in libconfig's syntax: a dict is a group, a list of dicts a list, another list an array."""
    indent = "\t" * (depth + 1)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        body = "".join(f"{indent}{key} = {libconfig(item, depth + 1)};\n" for key, item in value.items())
        return "{\n" + body + "\t" * depth + "}"
    if isinstance(value, (list, tuple)):
        items = ", ".join(libconfig(item, depth + 1) for item in value)
        return f"( {items} )" if any(isinstance(item, dict) for item in value) else f"[ {items} ]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def libconfig_file(**top):
    return "".join(f"{key} = {libconfig(value)};\n" for key, value in top.items())


def launcher(*specs):
    """The wrapper that passes sockets as systemd does: see listen_fds.py."""
    return [sys.executable, TOP / "tests/lib/listen_fds.py", *specs, "--"]


class Adit:
    """One `adit run`. The test's last word is stop(), which looks at the exit status and for what sanitizers found."""

    def __init__(self, folder, name="adit"):
        self.folder = pathlib.Path(folder)
        self.config_path = self.folder / f"{name}.conf"
        self.log_path = self.folder / f"{name}.log"
        self.process = None
        self.env = environment(HOME=str(self.folder))

    def configure(self, text=None, **top):
        if text is None:
            top.setdefault("control_socket", str(self.folder / "control.sock"))
            text = libconfig_file(**top)
        self.config_path.write_text(text, encoding="utf-8")
        return self

    def command(self, *args, wrapper=()):
        wrapper = wrapper or os.environ.get("ADIT_WRAPPER", "").split()
        return [*wrapper, str(adit_path()), *map(str, args)]

    def run(self, *args, deadline=DEADLINE, stdin=None):
        """A command that ends by itself; its output and status."""
        done = subprocess.run(self.command(*args), input=stdin, capture_output=True, text=True, timeout=deadline,
                              env=self.env, check=False)
        assert not CRASH.search(done.stderr), done.stderr
        assert done.returncode >= 0 and done.returncode != 99, (done.returncode, done.stderr)
        return done

    def start(self, *args, wrapper=()):
        """`adit run` with this configuration, or another command that runs on."""
        args = args or ("run", "-c", self.config_path)
        self.process = Process(self.command(*args, wrapper=wrapper), self.log_path, env=self.env)
        return self

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def wait_listening(self, *ports, deadline=DEADLINE):
        for port in ports:
            self.process.wait_port(port, deadline)
        return self

    def wait_log(self, pattern, count=1, deadline=DEADLINE):
        """Until the pattern stands in the log (count times)."""
        def seen():
            if len(re.findall(pattern, self.log(), re.M)) >= count:
                return True
            assert self.process.running(), f"adit ended with {self.process.popen.returncode}\n{self.log()}"
            return False
        wait_until(seen, lambda: f"{pattern!r}, {count} times, in the log:\n{self.log()}", deadline)
        return self

    def connect(self, port, deadline=DEADLINE):
        """A client of a forward. Nothing is sent yet; a read waits at most for the deadline."""
        return socket.create_connection(("127.0.0.1", port), timeout=deadline)

    def stop(self, number=signal.SIGTERM, status=0, deadline=DEADLINE):
        """Ends it and looks at how it ended."""
        process, self.process = self.process, None
        if not process:
            return
        if process.running():
            process.signal(number)
        try:
            got = process.wait(deadline)
        finally:
            process.kill()
        assert not CRASH.search(self.log()), self.log()
        assert got == status, f"exit status {got} instead of {status}\n{self.log()}"
