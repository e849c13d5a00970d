"""Certificates by ssh-keygen -s, lists by ssh-keygen -k, keys behind passphrases: against a real server."""

import re
import subprocess

import pytest

from lib.process import need, wait_until
from lib.ssh_servers import HOST_KEY_TYPES, ssh_keygen
from lib.targets import echo, recv_exactly


def there_and_back(adit, port):
    with adit.connect(port) as client:
        client.sendall(b"hello")
        assert recv_exactly(client, 5) == b"hello"


def refusal(adit, words):
    line = wait_until(lambda: re.search(rf"^.*reason=.*{words}.*$", adit.log(), re.M),
                      lambda: f"\"{words}\" in the log:\n{adit.log()}")
    return line.group(0)


@pytest.fixture
def sign(folder, keys):
    """A CA of the test's own: sign(name, ...) gives the certificate of a copy of that key, whose private half stands beside."""
    authority = folder / "ca"
    ssh_keygen("-q", "-t", "ed25519", "-N", "", "-f", authority)

    def make(name, *options, ca=authority):
        key = folder / f"signed_{name}"
        key.write_bytes(keys.path(name).read_bytes())
        key.chmod(0o600)
        (folder / f"{key.name}.pub").write_text(keys.public(name), encoding="ascii")
        ssh_keygen("-q", "-s", ca, "-I", "a certificate", *options, f"{key}.pub")
        return folder / f"{key.name}-cert.pub"
    make.ca = authority
    make.ca_public = (folder / "ca.pub").read_text(encoding="ascii").strip()
    return make


# ---- hosts ----

@pytest.fixture
def certified(sshd, sign, folder):
    """A server that shows a certificate; gives it and a known_hosts file with its CA alone."""
    def start(*options, host_key="host_ed25519", ca_line=None):
        certificate = sign(host_key, "-h", *options)
        server = sshd(f"HostCertificate {certificate}", host_keys=[host_key])
        known = folder / "known_ca"
        known.write_text(ca_line or f"@cert-authority * {sign.ca_public}\n", encoding="ascii")
        return server, known
    return start


@pytest.mark.parametrize("host_key", [f"host_{name}" for name in HOST_KEY_TYPES])
def test_a_host_certificate_of_each_type_is_proof(host_key, certified, serve, one_tunnel, adit):
    server, known = certified("-n", "127.0.0.1", "-V", "always:forever", host_key=host_key)
    there_and_back(adit, one_tunnel(server, serve(echo).port, known_hosts=str(known)))


@pytest.mark.parametrize("options, words", [
    (["-n", "elsewhere"], "another host"), ([], "no principals"),
    (["-n", "127.0.0.1", "-V", "20200101:20210101"], "has expired"),
    (["-n", "127.0.0.1", "-V", "20800101:20810101"], "not yet valid"),
    (["-n", "127.0.0.1", "-O", "critical:odd@example.com=x"], "critical option")])
def test_a_host_certificate_that_is_not_in_order_is_refused(options, words, certified, serve, one_tunnel, adit, keys):
    server, known = certified(*options)
    one_tunnel(server, serve(echo).port, known_hosts=str(known))
    assert keys.fingerprint("host_ed25519") in refusal(adit, words)
    assert "Accepted" not in server.process.log()


def test_a_host_certificate_of_another_ca_is_refused(certified, serve, one_tunnel, adit, keys):
    server, known = certified("-n", "127.0.0.1", ca_line=f"@cert-authority * {keys.blob('id_ed25519')}\n")
    one_tunnel(server, serve(echo).port, known_hosts=str(known))
    refusal(adit, "no certificate of the CA")


def test_a_revoked_ca_is_refused(certified, sign, serve, one_tunnel, adit):
    server, known = certified("-n", "127.0.0.1",
                              ca_line=f"@cert-authority * {sign.ca_public}\n@revoked * {sign.ca_public}\n")
    one_tunnel(server, serve(echo).port, known_hosts=str(known))
    refusal(adit, "revoked by")


# ---- lists of revoked keys ----

@pytest.mark.parametrize("spec", ["{key}", "sha1: {key}", "sha256: {key}", "hash: {fingerprint}"])
def test_a_key_in_a_krl_is_refused(spec, sshd, folder, keys, serve, one_tunnel, adit):
    (folder / "spec").write_text(spec.format(key=keys.public("host_ed25519").strip(),
                                             fingerprint=keys.fingerprint("host_ed25519")) + "\n", encoding="ascii")
    ssh_keygen("-q", "-k", "-f", folder / "krl", folder / "spec")
    one_tunnel(sshd(), serve(echo).port, revoked_keys=str(folder / "krl"))
    refusal(adit, "revoked by")


@pytest.mark.parametrize("spec, revoked", [("serial: 7", True), ("serial: 5-9", True), ("id: a certificate", True),
                                           ("serial: 8", False), ("id: another", False)])
def test_a_certificate_in_a_krl_is_refused(spec, revoked, certified, sign, folder, serve, one_tunnel, adit):
    server, known = certified("-n", "127.0.0.1", "-z", "7")
    (folder / "spec").write_text(f"{spec}\n", encoding="ascii")
    ssh_keygen("-q", "-k", "-f", folder / "krl", "-s", f"{sign.ca}.pub", folder / "spec")
    port = one_tunnel(server, serve(echo).port, known_hosts=str(known), revoked_keys=str(folder / "krl"))
    if revoked:
        refusal(adit, "revoked by")
    else:
        there_and_back(adit, port)


def test_a_missing_list_of_revoked_keys_refuses_all(sshd, folder, serve, one_tunnel, adit):
    one_tunnel(sshd(), serve(echo).port, revoked_keys=str(folder / "there-is-none"))
    refusal(adit, "there-is-none")


# ---- users ----

@pytest.fixture
def trusting(sshd, sign, folder):
    """A server that lets users in by certificate alone."""
    def start():
        (folder / "nobody").write_text("", encoding="ascii")
        return sshd(f"TrustedUserCAKeys {sign.ca}.pub", authorized_keys=folder / "nobody")
    return start


@pytest.mark.parametrize("name", [f"id_{name}" for name in HOST_KEY_TYPES])
def test_a_user_certificate_beside_its_key_logs_in(name, trusting, sign, folder, serve, one_tunnel, adit):
    server = trusting()
    sign(name, "-n", server.user, "-V", "always:forever")
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=str(folder / f"signed_{name}")))


def test_a_user_certificate_of_an_agent_logs_in(trusting, sign, folder, serve, one_tunnel, adit):
    server = trusting()
    sign("id_ed25519", "-n", server.user, "-V", "always:forever")
    socket = folder / "agent.sock"
    with subprocess.Popen([need("ssh-agent"), "-D", "-a", socket], stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(socket.exists, "the agent's socket")
            subprocess.run([need("ssh-add"), "-q", folder / "signed_id_ed25519"], check=True,
                           env={"SSH_AUTH_SOCK": str(socket)}, stderr=subprocess.DEVNULL)
            there_and_back(adit, one_tunnel(server, serve(echo).port, agent=str(socket), identity=None))
        finally:
            process.kill()


def test_an_expired_user_certificate_is_named_with_its_dates(trusting, sign, folder, serve, one_tunnel, adit):
    server = trusting()
    sign("id_ed25519", "-n", server.user, "-V", "20200101:20210101")
    one_tunnel(server, serve(echo).port, identity=str(folder / "signed_id_ed25519"))
    wait_until(lambda: re.search(r"expired.*20(19|20)-.*202[01]-", adit.log()), lambda: f"its dates:\n{adit.log()}")


# ---- keys behind passphrases ----

@pytest.mark.parametrize("cipher", ["aes256-ctr", "aes128-cbc", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"])
@pytest.mark.parametrize("passphrase, right", [("correct horse", True), ("incorrect horse", False)])
def test_an_encrypted_key_opens_with_its_passphrase_alone(cipher, passphrase, right, sshd, folder, keys, serve, one_tunnel,
                                                          adit):
    path = folder / "encrypted"
    path.write_bytes(keys.path("id_ed25519").read_bytes())
    path.chmod(0o600)
    ssh_keygen("-q", "-p", "-P", "", "-N", "correct horse", "-Z", cipher, "-f", path)
    secret = folder / "passphrase"
    secret.write_text(f"{passphrase}\n", encoding="ascii")
    secret.chmod(0o600)
    port = one_tunnel(sshd(), serve(echo).port, identity=str(path), passphrase=f"file:{secret}")
    if right:
        there_and_back(adit, port)
    else:
        assert str(path) in refusal(adit, "passphrase is wrong")
    assert "horse" not in adit.log()
