"""The server dies, freezes, comes back, is not there at all; the listener stays, and clients wait."""

import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import time

import pytest

from lib.process import DEADLINE, free_port, listens, wait_until
from lib.targets import echo, recv_exactly

# Fast enough for a test; the defaults are for a network.
QUICK = {"reconnect_min": 0.05, "reconnect_max": 0.5}


def there_and_back(client, data=b"hello"):
    client.sendall(data)
    assert recv_exactly(client, len(data)) == data


@pytest.mark.parametrize("kind", ["sshd", "dropbear"])
def test_the_next_client_works_after_the_server_s_session_was_killed(kind, request, serve, one_tunnel, adit):
    server = request.getfixturevalue(kind)()
    port = one_tunnel(server, serve(echo).port)
    for _ in range(5):
        with adit.connect(port) as client:
            there_and_back(client)
        server.kill_sessions()
        # At once: the first try after a link that lived does not wait, and who comes before it is held.
        with adit.connect(port) as client:
            there_and_back(client)


def test_streams_of_a_lost_link_are_reset(sshd, serve, one_tunnel, adit):
    server = sshd()
    port = one_tunnel(server, serve(echo).port)
    with adit.connect(port) as client:
        there_and_back(client)
        server.kill_sessions()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_client_is_held_until_the_server_is_back(sshd, serve, one_tunnel, adit):
    server = sshd()
    port = one_tunnel(server, serve(echo).port, **QUICK)
    with adit.connect(port) as client:
        there_and_back(client)
    server.stop()
    adit.wait_log("link-down")
    held = [adit.connect(port) for _ in range(10)]
    for i, client in enumerate(held):
        client.sendall(b"waiting %d" % i)
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        client.settimeout(20)
    server.start()
    for i, client in enumerate(held):
        assert recv_exactly(client, 9) == b"waiting %d" % i
        client.close()


def test_every_address_of_a_name_is_tried(sshd, serve, adit, tunnels):
    """localhost is ::1 and 127.0.0.1 in most places; the server listens on one of them."""
    port, server = free_port(), sshd()
    adit.configure(hosts={"server": tunnels.host(server, address="localhost", known_hosts=None,
                                                 host_key=server.keys.fingerprint("host_ed25519"))},
                   tunnels={"one": tunnels.local(port, serve(echo).port)})
    adit.start().wait_listening(port)
    with adit.connect(port) as client:
        there_and_back(client)


def test_a_server_that_is_not_there_yet(sshd, serve, one_tunnel, adit):
    server = sshd()
    server.stop()
    port = one_tunnel(server, serve(echo).port, **QUICK)
    with adit.connect(port) as client:
        adit.wait_log(r"(?i)refused")
        server.start()
        there_and_back(client)


def test_an_application_with_patience_does_not_notice_an_outage_of_five_seconds(sshd, serve, one_tunnel, adit):
    """With the defaults: an application that gives up after 10 s, and comes again and again while the server is away."""
    server = sshd()
    port = one_tunnel(server, serve(echo).port)
    with adit.connect(port) as client:
        there_and_back(client)
    server.stop()
    adit.wait_log("link-down")
    clients, back = [], time.monotonic() + 5
    while time.monotonic() < back:
        client = adit.connect(port)
        client.settimeout(10)
        client.sendall(b"hello")
        clients.append(client)
        time.sleep(0.25)
    server.start()
    for client in clients:
        assert recv_exactly(client, 5) == b"hello"
        client.close()


def test_an_address_that_the_server_penalises_waits_its_time_and_comes_back(sshd_of_debian13, serve, one_tunnel, adit, keys):
    """PerSourcePenalties, OpenSSH 9.8 and later."""
    server = sshd_of_debian13("PerSourcePenalties authfail:6s min:1s")
    one_tunnel(server, serve(echo).port, identity=str(keys.make("id_stranger", "-t", "ed25519")))
    adit.wait_log("link-failed .*publickey")
    adit.stop()
    port = one_tunnel(server, serve(echo).port, tunnel={"hold_timeout": 60}, reconnect_min=0.05, reconnect_max=4)
    with adit.connect(port, deadline=60) as client:
        adit.wait_log("link-failed .*PerSourcePenalties")
        there_and_back(client)
    # Nothing but waiting helps: every try waits long, from the first on, where those of an outage begin with 0.05 s.
    assert 1 <= server.process.log().count("drop connection") <= 4


def test_a_client_is_held_no_longer_than_hold_timeout(sshd, serve, one_tunnel, adit):
    server = sshd()
    server.stop()
    port = one_tunnel(server, serve(echo).port, tunnel={"hold_timeout": 0.5}, **QUICK)
    begin = time.monotonic()
    with adit.connect(port) as client, pytest.raises(ConnectionResetError):
        client.recv(1)
    assert 0.4 <= time.monotonic() - begin < 10
    adit.wait_log("stream-refused.*the link was down for hold_timeout")


def test_with_hold_timeout_0_a_client_is_refused_at_once(sshd, serve, one_tunnel, adit):
    server = sshd()
    server.stop()
    port = one_tunnel(server, serve(echo).port, tunnel={"hold_timeout": 0}, **QUICK)
    for _ in range(3):
        with pytest.raises(ConnectionError):
            with adit.connect(port) as client:
                client.sendall(b"x")
                assert client.recv(1) == b"never"
    adit.wait_log("stream-refused.*the link is down")
    server.start()

    def works():
        try:
            with adit.connect(port) as client:
                there_and_back(client)
                return True
        except (ConnectionError, EOFError):
            return False
    wait_until(works, "a client that gets through")


def test_a_link_on_demand_comes_with_the_first_client_and_goes_after_the_last(sshd, serve, one_tunnel, adit):
    server = sshd()
    port = one_tunnel(server, serve(echo).port, tunnel={"connect": "on-demand", "link_idle_timeout": 0.2})
    assert not server.sessions()
    for number in 1, 2:
        with adit.connect(port) as client:
            there_and_back(client)
            time.sleep(0.3)
            there_and_back(client)
        adit.wait_log("link-closed", count=number)
        wait_until(lambda: not server.sessions(), "the end of the session")
    assert adit.log().count("link-up") == 2


def test_the_round_trip_time_is_shown(sshd, serve, one_tunnel, adit):
    one_tunnel(sshd(), serve(echo).port, keepalive_interval=0.3)

    def measured():
        done = adit.run("status", "-c", adit.config_path, "--json")
        return done.returncode == 0 and json.loads(done.stdout)["hosts"][0]["rtt_ms"]
    assert 0 < wait_until(measured, "a measured round trip") < 10_000


def test_the_listener_never_goes_away(sshd, serve, one_tunnel, adit):
    server = sshd()
    port = one_tunnel(server, serve(echo).port, **QUICK)
    for i in range(3):
        with adit.connect(port) as client:
            there_and_back(client)
        server.stop()
        adit.wait_log("link-down", count=i + 1)
        with adit.connect(port):
            pass
        server.start()
        with adit.connect(port) as client:
            there_and_back(client)


def test_a_held_client_that_leaves_harms_nobody(sshd, serve, one_tunnel, adit):
    server = sshd()
    server.stop()
    target = serve(echo)
    port = one_tunnel(server, target.port, **QUICK)
    stays = adit.connect(port)
    for _ in range(20):
        adit.connect(port).close()
    server.start()
    there_and_back(stays)
    stays.close()
    with adit.connect(port) as client:
        there_and_back(client)


def test_a_frozen_server_is_noticed_and_replaced(sshd, serve, one_tunnel, adit):
    """SIGSTOP: TCP goes on acknowledging, nobody answers. Only the session: the listening sshd makes a new one."""
    server = sshd()
    port = one_tunnel(server, serve(echo).port, keepalive_interval=0.3, keepalive_count=2, **QUICK)
    with adit.connect(port) as client:
        there_and_back(client)
        frozen = server.sessions()
        server.signal_sessions(signal.SIGSTOP)
        try:
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            with adit.connect(port) as again:
                there_and_back(again)
            assert set(server.sessions()) - set(frozen)
        finally:
            server.signal_sessions(signal.SIGCONT)


def test_a_busy_client_does_not_hide_a_frozen_server(sshd, serve, one_tunnel, adit):
    """Probes follow the server's silence, whatever the local side does."""
    server = sshd()
    port = one_tunnel(server, serve(echo).port, keepalive_interval=0.3, keepalive_count=2, **QUICK)
    with adit.connect(port) as client:
        there_and_back(client)
        server.signal_sessions(signal.SIGSTOP)
        try:
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                while True:
                    client.settimeout(0.05)
                    try:
                        client.sendall(b"x" * 1000)
                    except socket.timeout:
                        pass
                    if "link-down" in adit.log():
                        client.settimeout(DEADLINE)
                        assert client.recv(1) == b"never"
        finally:
            server.signal_sessions(signal.SIGCONT)


def test_a_server_that_freezes_and_thaws_in_time_is_kept(sshd, serve, one_tunnel, adit):
    server = sshd()
    port = one_tunnel(server, serve(echo).port, keepalive_interval=5, keepalive_count=3)
    with adit.connect(port) as client:
        there_and_back(client)
        before = server.sessions()
        server.signal_sessions(signal.SIGSTOP)
        client.sendall(b"later")
        server.signal_sessions(signal.SIGCONT)
        assert recv_exactly(client, 5) == b"later"
        assert server.sessions() == before


def test_a_server_that_says_nothing_is_given_up(serve, adit, one_tunnel, folder, keys):
    """It accepts, and that is all."""
    class Mute:
        user = "nobody"

        def __init__(self, port):
            self.port = port

        def known_hosts(self):
            return ""
    mute = serve(lambda sock: sock.recv(1 << 16) and sock.recv(1))
    one_tunnel(Mute(mute.port), 1, connect_timeout=0.5, **QUICK)
    wait_until(lambda: mute.accepted >= 2, "a second try")
    adit.wait_log(r"link-failed .*class=timeout")


@pytest.mark.parametrize("bytes_sent", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 1000, b"SSH-1.5-old\r\n",
                                        b"SSH-2.0-x\r\n" + b"\xff" * 64, b"SSH-2.0-x\r\n\0\0\0\0",
                                        b"SSH-2.0-x\r\n\0\0\0\1\0" + b"x" * 100,
                                        b"SSH-2.0-x\r\n\0\0\x88\xb9\x04\x14" + b"x" * 100, b"x" * 100_000,
                                        b"line\r\n" * 20_000],
                         ids=["http", "zeros", "ssh1", "length-4G", "length-0", "length-1", "length-35001", "one-long-line",
                              "many-lines"])
def test_a_server_that_talks_garbage_ends_its_link_alone(bytes_sent, sshd, serve, adit, tunnels):
    def talk(sock):
        sock.sendall(bytes_sent)
        sock.settimeout(20)
        while sock.recv(1 << 16):
            pass
    liar = serve(talk)
    good = sshd()
    port, bad = free_port(), free_port()
    adit.configure(hosts={"good": tunnels.host(good),
                          "liar": {**tunnels.host(good), "port": liar.port, "connect_timeout": 2, **QUICK}},
                   tunnels={"a": tunnels.local(port, serve(echo).port, via="good"),
                            "b": tunnels.local(bad, 1, via="liar")})
    adit.start().wait_listening(port, bad)
    wait_until(lambda: liar.accepted >= 2, "a second try")
    adit.wait_log(r"host=liar.*reason=")
    with adit.connect(port) as client:
        there_and_back(client)


def test_nothing_listens_after_the_end(sshd, serve, one_tunnel, adit):
    port = one_tunnel(sshd(), serve(echo).port)
    adit.stop()
    assert not listens(port)


def sockets_of(pid, peer_port):
    """Copies of a process's TCP sockets to that port."""
    pidfd_getfd = 438
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        fd = libc.syscall(pidfd_getfd, pidfd, int(name), 0)
        if fd == -1 and ctypes.get_errno() == errno.EBADF:  # closed meanwhile
            continue
        if fd == -1:
            pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
        try:
            copy = socket.socket(fileno=fd)
        except OSError:  # no socket
            os.close(fd)
            continue
        with contextlib.suppress(OSError, TypeError, IndexError):
            if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.getpeername()[1] == peer_port:
                yield copy
    os.close(pidfd)


def test_the_kernel_gives_up_on_what_is_not_acknowledged_when_the_probes_do(sshd, serve, one_tunnel, adit):
    server = sshd()
    port = one_tunnel(server, serve(echo).port, keepalive_interval=2, keepalive_count=4)
    with adit.connect(port) as client:
        there_and_back(client)
    (link,) = sockets_of(adit.process.pid, server.port)
    assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2 * 5 * 1000
    link.close()
