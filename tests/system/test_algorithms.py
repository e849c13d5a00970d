"""Each algorithm once by force: the configuration names one, so that a working stream proves it."""

import hashlib
import re
import socket

import pytest

from lib.process import wait_until
from lib.targets import digest, echo, exchange, pattern, recv_all, recv_exactly

AEAD = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"]
CTR = ["aes128-ctr", "aes192-ctr", "aes256-ctr"]
MACS = ["hmac-sha2-256", "hmac-sha2-512", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"]
KEX = ["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
       "ecdh-sha2-nistp521", "diffie-hellman-group14-sha256", "diffie-hellman-group16-sha512",
       "diffie-hellman-group18-sha512"]
HOST_KEYS = {"ssh-ed25519": "host_ed25519", "ecdsa-sha2-nistp256": "host_ecdsa256",
             "ecdsa-sha2-nistp384": "host_ecdsa384", "ecdsa-sha2-nistp521": "host_ecdsa521",
             "rsa-sha2-256": "host_rsa", "rsa-sha2-512": "host_rsa"}

# What dropbear 2022.83 has of these.
DROPBEAR_CIPHERS = ["chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-ctr"]
DROPBEAR_MACS = ["hmac-sha2-256"]
DROPBEAR_KEX = ["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
                "ecdh-sha2-nistp521", "diffie-hellman-group14-sha256"]
DROPBEAR_HOST_KEYS = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256"]


@pytest.fixture
def data_goes_both_ways(adit, serve):
    def check(port):
        data = pattern(300_000, port)
        with adit.connect(port) as client:
            for begin in range(0, len(data), 50_000):
                client.sendall(data[begin:begin + 50_000])
                assert recv_exactly(client, len(data[begin:begin + 50_000])) == data[begin:begin + 50_000]
    return check


def negotiated(server, line):
    """What sshd says of the first key exchange: "kex: ..." lines at LogLevel DEBUG1."""
    return re.findall(rf"kex: {line}: (.*?)(?: \[preauth\])?$", server.process.log(), re.M)


@pytest.mark.parametrize("cipher", AEAD + CTR)
def test_cipher_with_openssh(cipher, sshd, serve, one_tunnel, data_goes_both_ways):
    server = sshd()
    data_goes_both_ways(one_tunnel(server, serve(echo).port, ciphers=[cipher]))
    for direction in ("client->server cipher", "server->client cipher"):
        assert negotiated(server, direction)[0].split()[0] == cipher


@pytest.mark.parametrize("mac", MACS)
@pytest.mark.parametrize("cipher", ["aes128-ctr", "aes256-ctr"])
def test_mac_with_openssh(cipher, mac, sshd, serve, one_tunnel, data_goes_both_ways):
    server = sshd()
    data_goes_both_ways(one_tunnel(server, serve(echo).port, ciphers=[cipher], macs=[mac]))
    assert f"MAC: {mac}" in negotiated(server, "client->server cipher")[0]
    assert f"MAC: {mac}" in negotiated(server, "server->client cipher")[0]


@pytest.mark.parametrize("kex", KEX)
def test_key_exchange_with_openssh(kex, sshd, serve, one_tunnel, data_goes_both_ways):
    server = sshd()
    data_goes_both_ways(one_tunnel(server, serve(echo).port, kex=[kex]))
    assert negotiated(server, "algorithm")[0] == kex


@pytest.mark.parametrize("algorithm", HOST_KEYS)
def test_host_key_with_openssh(algorithm, sshd, serve, one_tunnel, data_goes_both_ways):
    server = sshd(host_keys=sorted(set(HOST_KEYS.values())))
    data_goes_both_ways(one_tunnel(server, serve(echo).port, host_key_algorithms=[algorithm]))
    assert negotiated(server, "host key algorithm")[0] == algorithm


@pytest.mark.parametrize("cipher", DROPBEAR_CIPHERS)
def test_cipher_with_dropbear(cipher, dropbear, serve, one_tunnel, data_goes_both_ways):
    data_goes_both_ways(one_tunnel(dropbear(), serve(echo).port, ciphers=[cipher]))


@pytest.mark.parametrize("mac", DROPBEAR_MACS)
def test_mac_with_dropbear(mac, dropbear, serve, one_tunnel, data_goes_both_ways):
    data_goes_both_ways(one_tunnel(dropbear(), serve(echo).port, ciphers=["aes256-ctr"], macs=[mac]))


@pytest.mark.parametrize("kex", DROPBEAR_KEX)
def test_key_exchange_with_dropbear(kex, dropbear, serve, one_tunnel, data_goes_both_ways):
    data_goes_both_ways(one_tunnel(dropbear(), serve(echo).port, kex=[kex]))


@pytest.mark.parametrize("algorithm", DROPBEAR_HOST_KEYS)
def test_host_key_with_dropbear(algorithm, dropbear, serve, one_tunnel, data_goes_both_ways):
    server = dropbear(host_keys=[HOST_KEYS[algorithm]])
    data_goes_both_ways(one_tunnel(server, serve(echo).port, host_key_algorithms=[algorithm]))


def test_the_host_key_that_is_known_is_asked_for(sshd, serve, one_tunnel, folder, data_goes_both_ways):
    """A server with keys of every type, of which known_hosts has the RSA one alone."""
    server = sshd(host_keys=sorted(set(HOST_KEYS.values())))
    known = folder / "only-rsa"
    known.write_text(server.known_hosts("host_rsa"), encoding="ascii")
    data_goes_both_ways(one_tunnel(server, serve(echo).port, known_hosts=str(known)))


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

