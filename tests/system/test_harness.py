"""The harness itself, with `ssh -N -L` in adit's place: a test that fails here is not adit's fault."""

import os
import socket
import struct
import tempfile

import pytest

from lib.adit import helper_path
from lib.browser import Browser
from lib.process import Process, descendants, free_port, listens, need, wait_until
from lib.targets import Postgres, echo, pattern, recv_exactly


@pytest.fixture(params=["openssh", "dropbear"])
def server(request, sshd, dropbear):
    return (sshd if request.param == "openssh" else dropbear)()


def test_ssh_carries_a_stream_through_each_server(server, keys, folder, serve):
    port, target = free_port(), serve(echo)
    known = folder / "known_hosts"
    known.write_text(server.known_hosts(), encoding="ascii")
    ssh = Process([need("ssh"), "-F", "none", "-N", "-o", f"UserKnownHostsFile={known}", "-o", "IdentityAgent=none",
                   "-o", "ExitOnForwardFailure=yes", "-i", keys.path("id_ed25519"), "-p", server.port,
                   "-L", f"127.0.0.1:{port}:127.0.0.1:{target.port}", f"{server.user}@127.0.0.1"], folder / "ssh.log")
    try:
        ssh.wait_port(port)
        data = pattern(1 << 16, 1)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(data)
            assert recv_exactly(client, len(data)) == data
        server.kill_sessions()
        ssh.wait()
    finally:
        ssh.kill()
    assert not listens(port)


def test_postgres_starts(postgres):
    assert listens(postgres.port)


def shared_memory_of(pid):
    """How many System V segments the process made that are still there."""
    with open("/proc/sysvipc/shm", encoding="ascii") as f:
        columns = f.readline().split()
        return sum(int(line.split()[columns.index("cpid")]) == pid for line in f)


def test_postgres_leaves_nothing_behind_although_a_client_is_connected():
    postgres = Postgres()
    try:
        pid = postgres.start().process.pid
        with socket.create_connection(("127.0.0.1", postgres.port), timeout=20) as client:
            words = struct.pack("!i", 3 << 16) + b"user\0adit\0database\0postgres\0\0"
            client.sendall(struct.pack("!i", len(words) + 4) + words)
            wait_until(lambda: b"Z\0\0\0\5I" in client.recv(1 << 16), "a session")
            assert shared_memory_of(pid) > 0
            postgres.stop()
    finally:
        postgres.stop()
    assert shared_memory_of(pid) == 0 and not postgres.folder.exists()


def test_a_process_that_was_waited_for_is_not_killed_by_its_id(folder, monkeypatch):
    process = Process(["true"], folder / "true.log")
    assert process.wait() == 0
    killed = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(pid))
    process.kill()
    assert not killed


@pytest.mark.parametrize("start_fails", [False, True])
def test_a_browser_leaves_nothing_behind(folder, monkeypatch, start_fails):
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = set(descendants(os.getpid()))
    if start_fails:
        def fail(_):
            raise AssertionError("it does not answer")
        monkeypatch.setattr(Browser, "page", fail)
        with pytest.raises(AssertionError, match="does not answer"):
            Browser()
    else:
        browser = Browser()
        assert browser.run("1 + 1") == 2
        browser.close()
    assert not list(folder.iterdir())
    assert set(descendants(os.getpid())) <= before


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_load_that_fails_takes_its_command_with_it(folder):
    said = folder / "pid"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        load = Process([helper_path("load"), "first", listener.getsockname()[1], "--", "sh", "-c",
                        f"echo $$ >{said}; exec sleep 300"], folder / "load.log")
        try:
            client, _ = listener.accept()
            wait_until(lambda: said.exists() and said.read_text(), "the command")
            pid = int(said.read_text())
            assert is_alive(pid)
            client.close()
            assert load.wait() == 1
            wait_until(lambda: not is_alive(pid), "the end of the command")
        finally:
            load.kill()
