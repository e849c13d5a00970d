"""Which algorithms are chosen, and key re-exchange. That each works by itself stands in test_matrix.py."""

import hashlib
import re
import socket

import pytest

from lib.process import wait_until
from lib.targets import digest, echo, exchange, pattern, recv_all, recv_exactly


def negotiated(server, line):
    """What sshd says of the first key exchange: "kex: ..." lines at LogLevel DEBUG1."""
    return re.findall(rf"kex: {line}: (.*?)(?: \[preauth\])?$", server.process.log(), re.M)


def test_the_host_key_that_is_known_is_asked_for(sshd, serve, one_tunnel, adit, folder):
    """A server with keys of every type, of which known_hosts has the RSA one alone."""
    server = sshd(host_keys=["host_ed25519", "host_ecdsa256", "host_rsa"])
    known = folder / "only-rsa"
    known.write_text(server.known_hosts("host_rsa"), encoding="ascii")
    with adit.connect(one_tunnel(server, serve(echo).port, known_hosts=str(known))) as client:
        client.sendall(b"hello")
        assert recv_exactly(client, 5) == b"hello"
    assert negotiated(server, "host key algorithm")[0] == "rsa-sha2-512"


def test_nothing_in_common_is_named(sshd, serve, one_tunnel, adit):
    server = sshd("Ciphers aes128-ctr")
    one_tunnel(server, serve(echo).port, ciphers=["aes256-gcm@openssh.com"])
    adit.wait_log(r"cipher.*aes128-ctr|aes256-gcm@openssh\.com.*cipher|no .*cipher.* in common")


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"])
def test_rekeying_all_the_time_loses_nothing(cipher, sshd, serve, one_tunnel, adit):
    """RekeyLimit 64K: the server starts a key exchange every few packets, with data going both ways."""
    server = sshd("RekeyLimit 64K none")
    target = serve(echo)
    port = one_tunnel(server, target.port, ciphers=[cipher])
    data = pattern(4_000_000, cipher)
    with adit.connect(port) as client:
        assert exchange(client, data) == data
    assert len(negotiated(server, "algorithm")) > 20


def test_our_own_rekeying_loses_nothing(sshd, serve, one_tunnel, adit):
    server = sshd()
    port = one_tunnel(server, serve(echo).port, rekey_bytes=1_000_000)
    data = pattern(8_000_000, "ours")
    with adit.connect(port) as client:
        assert exchange(client, data) == data
    assert len(negotiated(server, "algorithm")) > 4


def test_rekeying_on_an_idle_link_by_time(sshd, serve, one_tunnel, adit):
    server = sshd()
    port = one_tunnel(server, serve(echo).port, rekey_interval=1)
    with adit.connect(port) as client:
        wait_until(lambda: len(negotiated(server, "algorithm")) > 2, "two more key exchanges")
        client.sendall(b"still here")
        assert recv_exactly(client, 10) == b"still here"


def test_upload_and_download_under_rekey_are_whole(sshd, serve, one_tunnel, adit):
    server = sshd("RekeyLimit 64K none")
    port = one_tunnel(server, serve(digest).port)
    data = pattern(4_000_000, "upload")
    with adit.connect(port) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert recv_all(client).decode() == hashlib.sha256(data).hexdigest()


def test_the_key_exchange_is_strict(sshd, serve, one_tunnel, adit):
    server = sshd()
    port = one_tunnel(server, serve(echo).port)
    with adit.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    # What sshd does at a NEWKEYS of a strict exchange only.
    assert re.search(r"resetting (send|read) seqnr", server.process.log())
