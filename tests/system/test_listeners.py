"""Listeners that another opened for adit, and who may connect to one that is a path."""

import re
import socket
import subprocess

import pytest

from lib.adit import launcher
from lib.process import free_port, need, need_root
from lib.targets import echo, recv_exactly, there_and_back


def speaks_echo(client):
    client.settimeout(30)
    client.sendall(b"hello")
    return recv_exactly(client, 5) == b"hello"


# ---- sockets of systemd

def test_sockets_are_taken_by_their_names(sshd, serve, adit, tunnels, folder):
    """One of TCP, one that is a path, one name for two sockets, and one for SOCKS."""
    target = serve(echo).port
    web, both, proxy = free_port(), free_port(), free_port()
    adit.configure(hosts={"server": tunnels.host(sshd())}, tunnels={
        "web": {"via": "server", "local": "systemd:web", "to": f"127.0.0.1:{target}"},
        "path": {"via": "server", "local": "systemd:path", "to": f"127.0.0.1:{target}"},
        "both": {"via": "server", "local": "systemd:both", "to": f"127.0.0.1:{target}"},
        "proxy": {"via": "server", "socks": "systemd:proxy"}})
    adit.start(wrapper=launcher(f"both=tcp:{both}", f"web=tcp:{web}", f"path=unix:{folder}/path.sock", f"proxy=tcp:{proxy}",
                                f"both=tcp6:{both}", f"unused=tcp:{free_port()}"))
    adit.wait_log("tunnel-up", count=4)
    there_and_back(adit, web)
    for command in "stop", "start":
        assert adit.run(command, "web", "-c", adit.config_path).returncode == 0
    adit.wait_log("tunnel-up.*tunnel=web", count=2)
    there_and_back(adit, web)
    for address in "127.0.0.1", "::1":
        with socket.create_connection((address, both)) as client:
            assert speaks_echo(client)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{folder}/path.sock")
        assert speaks_echo(client)
    with adit.connect(proxy) as client:
        client.sendall(b"\x04\x01" + target.to_bytes(2, "big") + b"\x7f\0\0\1" + b"\0")
        assert recv_exactly(client, 8)[:2] == b"\0\x5a"
        assert speaks_echo(client)
    adit.stop()
    # It is systemd's, which listens on it for the next adit.
    assert (folder / "path.sock").exists()


@pytest.mark.parametrize("spec, words", [
    ("web=udp:{}", "not a listening stream socket"),
    ("web=bound:{}", "not a listening stream socket"),
    ("other=tcp:{}", 'systemd passed no socket named .*web'),
])
def test_a_socket_that_will_not_do_is_named_and_spoils_nothing(spec, words, sshd, serve, adit, tunnels):
    good, target = free_port(), serve(echo).port
    adit.configure(hosts={"server": tunnels.host(sshd())}, tunnels={
        "bad": {"via": "server", "local": "systemd:web", "to": f"127.0.0.1:{target}"},
        "good": {"via": "server", "local": "systemd:good", "to": f"127.0.0.1:{target}"}})
    adit.start(wrapper=launcher(spec.format(free_port()), f"good=tcp:{good}"))
    adit.wait_log(f"tunnel=bad.*{words}").wait_log("tunnel-up.*tunnel=good")
    there_and_back(adit, good)
    adit.stop()
    assert len(re.findall("listen-failed.*tunnel=bad", adit.log())) == 1


def test_sockets_of_another_process_are_left_alone(sshd, adit, tunnels):
    adit.configure(hosts={"server": tunnels.host(sshd())}, tunnels={
        "web": {"via": "server", "local": "systemd:web", "to": "127.0.0.1:1"}})
    adit.env["FOR_ANOTHER"] = "1"
    adit.start(wrapper=launcher(f"web=tcp:{free_port()}"))
    adit.wait_log("tunnel=web.*systemd passed no socket named")


# ---- who is at the other end of a path

CLIENT = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(30)
client.connect(sys.argv[1])
try:
    client.sendall(b"hello")
    print(client.recv(5).decode())
except ConnectionError:
    pass
"""


@pytest.fixture
def path_for(sshd, serve, adit, tunnels, folder):
    """Starts adit with a path that everybody may open, and an access list."""
    need_root("clients of other users")
    folder.chmod(0o711)

    def start(**access):
        path = folder / "listen.sock"
        adit.configure(hosts={"server": tunnels.host(sshd())}, tunnels={
            "one": {"via": "server", "local": f"unix:{path}", "mode": "0666", "to": f"127.0.0.1:{serve(echo).port}", **access}})
        adit.start().wait_log("tunnel-up")
        return path
    return start


def answer_to(path, user, group="nogroup", *groups):
    who = [need("setpriv"), f"--reuid={user}", f"--regid={group}", f"--groups={','.join(groups)}" if groups else "--clear-groups"]
    return subprocess.run([*who, "/usr/bin/python3", "-c", CLIENT, path], check=True, capture_output=True, text=True,
                          cwd="/").stdout.strip()


def test_users_who_may_connect(path_for, adit):
    path = path_for(allow_users=["nobody"])
    assert answer_to(path, "nobody") == "hello"
    assert answer_to(path, "daemon") == ""
    adit.wait_log("stream-refused.*not allowed")
    assert answer_to(path, "nobody") == "hello"


def test_groups_that_may_connect(path_for, adit):
    """The first group of a client, or any other it is in."""
    path = path_for(allow_groups=["games"])
    assert answer_to(path, "nobody", "games") == "hello"
    assert answer_to(path, "nobody", "nogroup", "mail", "games") == "hello"
    assert answer_to(path, "nobody", "nogroup", "mail") == ""
    adit.wait_log("stream-refused.*not allowed")


def test_a_user_or_a_member_of_a_group(path_for):
    path = path_for(allow_users=["daemon"], allow_groups=["games"])
    assert answer_to(path, "daemon") == "hello"
    assert answer_to(path, "nobody", "games") == "hello"
    assert answer_to(path, "nobody") == ""


def test_the_owner_of_a_path(path_for, folder):
    """Before anybody can connect; the mode then does what modes do."""
    path = path_for(owner="nobody", group="games", mode="0600")
    found = path.stat()
    assert (path.owner(), path.group(), found.st_mode & 0o777) == ("nobody", "games", 0o600)
    assert answer_to(path, "nobody") == "hello"
    with pytest.raises(subprocess.CalledProcessError):
        answer_to(path, "daemon")
