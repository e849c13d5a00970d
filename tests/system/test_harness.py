"""The harness itself, with `ssh -N -L` in adit's place: a test that fails here is not adit's fault."""

import socket

import pytest

from lib.process import Process, free_port, listens, need
from lib.targets import echo, pattern, recv_exactly


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
