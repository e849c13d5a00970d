"""Forwards of every kind against real servers: where they listen, where they lead, who may use them, what they carry."""

import contextlib
import hashlib
import os
import re
import signal
import socket
import stat
import subprocess
import threading

import pytest

from lib.adit import launcher
from lib.process import free_port, listens, need, wait_until
from lib.targets import echo, exchange, pattern, recv_all, recv_exactly

SERVERS = ["sshd", "dropbear"]


def ends_without_an_answer(connect):
    """A refused client gets a reset, or at a Unix socket the end."""
    try:
        with connect() as client:
            return client.recv(1) == b""
    except ConnectionResetError:
        return True


def connect_unix(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(30)
    client.connect(str(path))
    return client


def speaks_echo(client):
    with client:
        client.sendall(b"hello")
        return recv_exactly(client, 5) == b"hello"


@pytest.fixture
def serve_unix(folder):
    """A Unix socket that hands its clients to a handler; gives the path."""
    listeners = []

    def start(handler, name="target.sock"):
        path = folder / name
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(100)
        listeners.append(listener)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    threading.Thread(target=serve_one, args=(sock,), daemon=True).start()

        def serve_one(sock):
            with sock, contextlib.suppress(OSError):
                handler(sock)
        threading.Thread(target=accept, daemon=True).start()
        return path
    yield start
    for listener in listeners:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def forward(adit, tunnels):
    """Starts adit with one host and one forward, whose keys are given."""
    def start(server, **keys):
        adit.configure(hosts={"server": tunnels.host(server)}, tunnels={"one": {"via": "server", **keys}})
        adit.start()
        return adit
    return start


# ---- every kind carries every byte ----

TO_LOCALHOST = b"\x7f\0\0\1"


def say_socks4(client, port):
    client.sendall(b"\x04\x01" + port.to_bytes(2, "big") + TO_LOCALHOST + b"me\0")
    assert recv_exactly(client, 8)[:2] == b"\0\x5a"


def say_socks4a(client, port):
    client.sendall(b"\x04\x01" + port.to_bytes(2, "big") + b"\0\0\0\1" + b"me\0" + b"localhost\0")
    assert recv_exactly(client, 8)[:2] == b"\0\x5a"


def say_socks5(client, port):
    client.sendall(b"\x05\x01\0")
    assert recv_exactly(client, 2) == b"\x05\0"
    client.sendall(b"\x05\x01\0\x03\x09localhost" + port.to_bytes(2, "big"))
    assert recv_exactly(client, 10)[:2] == b"\x05\0"


def say_http(client, port):
    client.sendall(b"CONNECT localhost:%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % port)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += recv_exactly(client, 1)
    assert answer.split()[1] == b"200"


SAY = {"socks4": say_socks4, "socks4a": say_socks4a, "socks5": say_socks5, "http": say_http}
# Kind, where it listens, and where it leads or in which words its clients say that.
KINDS = [(key, listen, to) for key, listens_at, leads_to in [
    ("local", ["tcp", "unix", "systemd-tcp", "systemd-unix"], ["tcp", "unix"]), ("remote", ["tcp", "unix"], ["tcp", "unix"]),
    ("socks", ["tcp", "unix", "systemd-tcp"], SAY), ("remote_socks", ["tcp", "unix"], SAY)] for listen in listens_at for to in leads_to]


def needs_paths_of_the_server(kind):
    key, listen, to = kind
    return (key, to) == ("local", "unix") or (key.startswith("remote") and listen == "unix")


@pytest.fixture
def carries_every_byte(adit, tunnels, serve, serve_unix, folder):
    """Through a forward of a kind: both ways at once, each ended by a half-close of its own."""
    def run(kind, server, default_bytes):
        key, listen, to = kind
        port, path, target = free_port(), folder / "listen.sock", serve(echo).port
        over_tcp = listen.endswith("tcp")
        keys = {key: "systemd:given" if listen.startswith("systemd") else f"127.0.0.1:{port}" if over_tcp else f"unix:{path}"}
        if to not in SAY:
            keys["to"] = f"127.0.0.1:{target}" if to == "tcp" else f"unix:{serve_unix(echo)}"
        adit.configure(hosts={"server": tunnels.host(server)}, tunnels={"one": {"via": "server", **keys}})
        given = launcher(f"given=tcp:{port}" if over_tcp else f"given=unix:{path}") if listen.startswith("systemd") else ()
        adit.start(wrapper=given).wait_log("tunnel-up")
        data = pattern(int(os.environ.get("ADIT_TEST_BYTES", default_bytes)), kind)
        with adit.connect(port) if over_tcp else connect_unix(path) as client:
            if to in SAY:
                SAY[to](client, target)
            got = exchange(client, data)
        assert len(got) == len(data)
        assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    return run


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_every_byte_each_way_while_keys_change(kind, sshd, carries_every_byte):
    """The keys change every 64 KB, which is what takes the time. All of it at 100 MB each way is for a person who waits: half a
    minute and 3,000 key exchanges for each kind,

        ADIT_TEST_BYTES=100000000 make check-system PYTEST_FLAGS="-k 'every_byte or every_kind_with'"
    """
    carries_every_byte(kind, sshd("RekeyLimit 64K"), 2_500_000)


# dropbear of Debian 12 forwards Unix sockets in neither direction.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if not needs_paths_of_the_server(kind)], ids="-".join)
def test_every_kind_with_dropbear(kind, dropbear, carries_every_byte):
    carries_every_byte(kind, dropbear(), 1_000_000)


# ---- remote ----

@pytest.mark.parametrize("listen", ["127.0.0.1", "localhost", "*", "[::1]"])
@pytest.mark.parametrize("gateway_ports", ["no", "yes", "clientspecified"])
def test_what_gateway_ports_makes_of_an_address(gateway_ports, listen, sshd, serve, forward):
    """The server may listen elsewhere than it was asked to; whoever comes is taken to the target all the same. 127.0.0.2 stands
    for every other address of the machine."""
    port = free_port()
    adit = forward(sshd(f"GatewayPorts {gateway_ports}"), remote=f"{listen}:{port}", to=f"127.0.0.1:{serve(echo).port}")
    adit.wait_log("remote-listening")
    answers = set()
    for address in "127.0.0.1", "::1", "127.0.0.2":
        with contextlib.suppress(ConnectionRefusedError):
            assert speaks_echo(socket.create_connection((address, port), timeout=30))
            answers.add(address)
    loopback = {"127.0.0.1", "::1"}
    asked_for = {"127.0.0.1": {"127.0.0.1"}, "localhost": loopback, "*": {*loopback, "127.0.0.2"}, "[::1]": {"::1"}}
    assert answers == {"no": asked_for[listen] & loopback, "yes": asked_for["*"], "clientspecified": asked_for[listen]}[gateway_ports]


@pytest.mark.parametrize("server", SERVERS)
def test_the_server_chooses_the_port(server, request, serve, forward):
    adit = forward(request.getfixturevalue(server)(), remote="127.0.0.1:0", to=f"127.0.0.1:{serve(echo).port}")
    adit.wait_log("remote-listening")
    port = int(re.search(r"remote-listening.* remote=127\.0\.0\.1:(\d+)", adit.log()).group(1))
    assert port != 0
    assert speaks_echo(socket.create_connection(("127.0.0.1", port), timeout=30))


def test_a_port_in_use_is_asked_for_until_it_is_free(sshd, serve, forward):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        adit = forward(sshd(), remote=f"127.0.0.1:{port}", to=f"127.0.0.1:{serve(echo).port}")
        adit.wait_log(f"remote-refused.* refuses to listen on port {port}")
    adit.wait_log("remote-listening")
    assert speaks_echo(socket.create_connection(("127.0.0.1", port), timeout=30))
    # On the link that was there.
    assert len(re.findall(r"\blink-up\b", adit.log())) == 1


def test_the_listener_on_the_server_goes_with_us(sshd, serve, forward):
    port = free_port()
    adit = forward(sshd(), remote=f"127.0.0.1:{port}", to=f"127.0.0.1:{serve(echo).port}")
    adit.wait_log("remote-listening")
    adit.stop()

    def refused():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=30).close()
        except ConnectionRefusedError:
            return True
        return False
    wait_until(refused, "the server to close the port")


def test_a_remote_listener_that_is_not_wanted_any_more_is_closed_on_the_link_that_stays(sshd, serve, adit, tunnels, folder):
    kept, gone, target = free_port(), free_port(), serve(echo).port
    path = folder / "gone.sock"
    hosts = {"server": tunnels.host(sshd())}
    keep = {"via": "server", "remote": f"127.0.0.1:{kept}", "to": f"127.0.0.1:{target}"}
    adit.configure(hosts=hosts, tunnels={
        "kept": keep, "gone": {"via": "server", "remote": f"127.0.0.1:{gone}", "to": f"127.0.0.1:{target}"},
        "path": {"via": "server", "remote": f"unix:{path}", "to": f"127.0.0.1:{target}"}})
    adit.start().wait_log("remote-listening", count=3)
    assert speaks_echo(connect_unix(path))
    with socket.create_connection(("127.0.0.1", gone), timeout=30) as living:
        living.sendall(b"x")
        assert living.recv(1) == b"x"
        adit.configure(hosts=hosts, tunnels={"kept": keep})
        adit.process.signal(signal.SIGHUP)
        wait_until(lambda: not listens(gone), "the server to close the port")
        # Streams outlive it.
        living.sendall(b"y")
        assert living.recv(1) == b"y"

    def nobody_answers():
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(path)) != 0
    wait_until(nobody_answers, "the server to close the path")
    assert speaks_echo(socket.create_connection(("127.0.0.1", kept), timeout=30))
    assert len(re.findall(r"\blink-up\b", adit.log())) == 1


def test_a_dead_target_here_spoils_nothing(sshd, serve, adit, tunnels, refusing_port):
    good, bad = free_port(), free_port()
    adit.configure(hosts={"server": tunnels.host(sshd())}, tunnels={
        "good": {"via": "server", "remote": f"127.0.0.1:{good}", "to": f"127.0.0.1:{serve(echo).port}"},
        "bad": {"via": "server", "remote": f"127.0.0.1:{bad}", "to": f"127.0.0.1:{refusing_port}"}})
    adit.start().wait_log("remote-listening", count=2)
    for _ in range(3):
        assert ends_without_an_answer(lambda: socket.create_connection(("127.0.0.1", bad), timeout=30))
        assert speaks_echo(socket.create_connection(("127.0.0.1", good), timeout=30))
    adit.wait_log("stream-failed.*refused")


def test_permit_listen(sshd, serve, adit, tunnels):
    allowed, other = free_port(), free_port()
    target = serve(echo).port
    adit.configure(hosts={"server": tunnels.host(sshd(f"PermitListen 127.0.0.1:{allowed}"))}, tunnels={
        "allowed": {"via": "server", "remote": f"127.0.0.1:{allowed}", "to": f"127.0.0.1:{target}"},
        "other": {"via": "server", "remote": f"127.0.0.1:{other}", "to": f"127.0.0.1:{target}"}})
    adit.start().wait_log("remote-listening").wait_log(f"remote-refused.*port {other}")
    assert speaks_echo(socket.create_connection(("127.0.0.1", allowed), timeout=30))


def test_a_server_that_forwards_nothing(sshd, serve, adit, tunnels):
    local, remote = free_port(), free_port()
    target = serve(echo).port
    adit.configure(hosts={"server": tunnels.host(sshd("AllowTcpForwarding no"))}, tunnels={
        "local": tunnels.local(local, target),
        "remote": {"via": "server", "remote": f"127.0.0.1:{remote}", "to": f"127.0.0.1:{target}"}})
    adit.start().wait_listening(local).wait_log("remote-refused")
    assert ends_without_an_answer(lambda: adit.connect(local))
    adit.wait_log("stream-failed.*prohibits")


def test_a_path_in_use_on_the_server(sshd, serve, forward, folder):
    """Without StreamLocalBindUnlink an old file is in the way, until somebody removes it."""
    path = folder / "remote.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    adit = forward(sshd("StreamLocalBindUnlink no"), remote=f"unix:{path}", to=f"127.0.0.1:{serve(echo).port}")
    adit.wait_log(f"remote-refused.*{path}")
    path.unlink()
    adit.wait_log("remote-listening")
    assert speaks_echo(connect_unix(path))


def test_a_server_that_removes_the_old_path(sshd, serve, forward, folder):
    path = folder / "remote.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    adit = forward(sshd("StreamLocalBindUnlink yes"), remote=f"unix:{path}", to=f"127.0.0.1:{serve(echo).port}")
    adit.wait_log("remote-listening")
    assert speaks_echo(connect_unix(path))


# ---- SOCKS, by curl ----

PROXIES = {
    "socks4": ["--socks4", "{}"],
    "socks4a": ["--socks4a", "{}"],
    "socks5": ["--socks5", "{}"],
    "socks5-hostname": ["--socks5-hostname", "{}"],
    "http": ["--proxytunnel", "--proxy", "http://{}"],
}


@pytest.fixture
def curl(folder):
    program = need("curl")

    def run(proxy, url, *more):
        arguments = [part.format(proxy[1]) for part in PROXIES[proxy[0]]]
        return subprocess.run([program, "-sS", "--fail", "--max-time", "30", "-o", str(folder / "got"), *arguments,
                               *more, url], capture_output=True, text=True, check=False,
                              env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()})
    return run


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("key", ["socks", "remote_socks"])
def test_curl_through(key, proxy, sshd, http, forward, folder, curl):
    page = pattern(500_000, proxy)
    (folder / "page.bin").write_bytes(page)
    port = free_port()
    adit = forward(sshd(), **{key: f"127.0.0.1:{port}"})
    adit.wait_log("remote-listening" if key == "remote_socks" else "link-up")
    done = curl((proxy, f"127.0.0.1:{port}"), f"http://localhost:{http.port}/page.bin")
    assert done.returncode == 0, done.stderr
    assert (folder / "got").read_bytes() == page


@pytest.mark.parametrize("proxy, words", [
    ("socks4a", "rejected or failed"), ("socks5-hostname", r"\(5\)"), ("http", "502")])
def test_curl_is_told_that_the_target_refuses(proxy, words, sshd, forward, curl, refusing_port):
    port = free_port()
    adit = forward(sshd(), socks=f"127.0.0.1:{port}")
    adit.wait_log("link-up")
    done = curl((proxy, f"127.0.0.1:{port}"), f"http://127.0.0.1:{refusing_port}/")
    assert done.returncode != 0
    assert re.search(words, done.stderr), done.stderr


def test_curl_is_told_that_a_name_is_not_known(sshd, forward, curl):
    port = free_port()
    adit = forward(sshd(), socks=f"127.0.0.1:{port}")
    adit.wait_log("link-up")
    done = curl(("socks5-hostname", f"127.0.0.1:{port}"), "http://no-such-name.invalid/")
    assert done.returncode != 0
    assert re.search(r"\(4\)", done.stderr), done.stderr


def test_allow_to(sshd, http, forward, folder, curl):
    (folder / "page.bin").write_bytes(b"page")
    port = free_port()
    adit = forward(sshd(), socks=f"127.0.0.1:{port}", allow_to=[f"127.0.0.0/8:{http.port}"])
    adit.wait_log("link-up")
    proxy = ("socks5-hostname", f"127.0.0.1:{port}")
    done = curl(proxy, f"http://127.0.0.1:{http.port}/page.bin")
    assert done.returncode == 0, done.stderr
    # The same place by a name, which is in no block.
    done = curl(proxy, f"http://localhost:{http.port}/page.bin")
    assert done.returncode != 0 and re.search(r"\(2\)", done.stderr), done.stderr


def test_a_login_that_a_client_offers_is_not_needed(sshd, http, forward, folder, curl):
    (folder / "page.bin").write_bytes(b"page")
    port = free_port()
    adit = forward(sshd(), socks=f"127.0.0.1:{port}")
    adit.wait_log("link-up")
    done = curl(("socks5-hostname", f"127.0.0.1:{port}"), f"http://127.0.0.1:{http.port}/page.bin", "--proxy-user", "me:secret")
    assert done.returncode == 0, done.stderr
    assert "secret" not in adit.log()


# ---- who they are ----

@pytest.fixture
def header_server(serve):
    """Answers with the first line that it got."""
    def first_line(sock):
        line = b""
        while not line.endswith(b"\n"):
            byte = sock.recv(1)
            if not byte:
                break
            line += byte
        sock.sendall(line)
    return serve(first_line)


@pytest.mark.parametrize("key", ["local", "remote"])
def test_send_proxy_names_the_true_client(key, sshd, header_server, forward):
    port = free_port()
    adit = forward(sshd(), **{key: f"127.0.0.1:{port}"}, to=f"127.0.0.1:{header_server.port}", send_proxy="v1")
    adit.wait_log("remote-listening" if key == "remote" else "link-up")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        own = client.getsockname()[1]
        assert recv_all(client) == b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" % (own, port)


def test_send_proxy_in_binary(sshd, serve, forward):
    def header(sock):
        sock.sendall(recv_exactly(sock, 28))
    port = free_port()
    adit = forward(sshd(), local=f"127.0.0.1:{port}", to=f"127.0.0.1:{serve(header).port}", send_proxy="v2")
    adit.wait_log("link-up")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        ports = client.getsockname()[1].to_bytes(2, "big") + port.to_bytes(2, "big")
        assert recv_all(client) == b"\r\n\r\n\0\r\nQUIT\n" + b"\x21\x11\0\x0c" + 2 * b"\x7f\0\0\1" + ports


def test_a_header_that_curl_sends_goes_through(sshd, header_server, forward):
    port = free_port()
    forward(sshd(), local=f"127.0.0.1:{port}", to=f"127.0.0.1:{header_server.port}").wait_listening(port)
    got = subprocess.run([need("curl"), "-sS", "--http0.9", "--max-time", "30", "--haproxy-protocol",
                          f"http://127.0.0.1:{port}/"], capture_output=True, check=True).stdout
    assert got.startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")


# ---- who may connect ----

def test_clients_from_elsewhere(sshd, serve, forward):
    port = free_port()
    adit = forward(sshd(), local=f"127.0.0.1:{port}", to=f"127.0.0.1:{serve(echo).port}", allow=["192.0.2.0/24"])
    adit.wait_listening(port)
    assert ends_without_an_answer(lambda: adit.connect(port))
    adit.wait_log("stream-refused.*127.0.0.1 is not allowed")


@pytest.mark.parametrize("listen, allow, warns", [
    ("*", None, True), ("*", ["127.0.0.0/8"], False), ("127.0.0.2", None, False)])
def test_a_listener_that_is_open_to_all_is_a_warning(listen, allow, warns, sshd, serve, forward):
    access = {"allow": allow} if allow else {}
    adit = forward(sshd(), local=f"{listen}:{free_port()}", to=f"127.0.0.1:{serve(echo).port}", **access)
    adit.wait_log("tunnel-up")
    assert ("open-to-all" in adit.log()) == warns


def test_max_streams(sshd, serve, forward):
    port = free_port()
    adit = forward(sshd(), local=f"127.0.0.1:{port}", to=f"127.0.0.1:{serve(echo).port}", max_streams=2)
    adit.wait_listening(port)
    with adit.connect(port) as first, adit.connect(port) as second:
        for client in first, second:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        assert ends_without_an_answer(lambda: adit.connect(port))
        first.sendall(b"y")
        assert first.recv(1) == b"y"

    def again():
        try:
            return speaks_echo(adit.connect(port))
        except (ConnectionResetError, EOFError):
            return False
    wait_until(again, "room for another")


# ---- Unix sockets here ----

def test_mode_of_a_unix_listener_and_its_end(sshd, serve, forward, folder):
    path = folder / "listen.sock"
    with socket.socket(socket.AF_UNIX) as old:  # of one who died
        old.bind(str(path))
    adit = forward(sshd(), local=f"unix:{path}", to=f"127.0.0.1:{serve(echo).port}", mode="0660")
    adit.wait_log("link-up")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert speaks_echo(connect_unix(path))
    adit.stop()
    assert not path.exists()


@pytest.mark.parametrize("other", ["file", "socket"])
def test_what_is_not_ours_is_not_removed(other, sshd, serve, forward, folder):
    path = folder / "listen.sock"
    living = None
    if other == "file":
        path.write_text("important")
    else:
        living = socket.socket(socket.AF_UNIX)
        living.bind(str(path))
        living.listen()
    adit = forward(sshd(), local=f"unix:{path}", to=f"127.0.0.1:{serve(echo).port}")
    adit.wait_log(re.escape(str(path)))
    adit.wait_log("link-up")
    assert path.exists()
    if living:
        with living, connect_unix(path):
            living.settimeout(30)
            living.accept()[0].close()
    else:
        assert path.read_text() == "important"
