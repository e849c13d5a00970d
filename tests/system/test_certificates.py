"""Certificates of ssh-keygen -s, of hosts and of users, and lists of revoked keys of ssh-keygen -k."""

import os
import re
import shutil

import pytest

from lib.certificates import Authority
from lib.ssh_servers import HOST_KEY_TYPES, ssh_keygen
from lib.targets import echo, recv_exactly, there_and_back

KEY = "host_ed25519"
PAST = ("-V", "20200101000000:20210101000000")
FUTURE = ("-V", "20400101000000:20410101000000")


@pytest.fixture(scope="module")
def ca(keys):
    return Authority(keys, "ca")


@pytest.fixture(scope="module")
def other_ca(keys):
    return Authority(keys, "other_ca")


# ---- hosts ----

@pytest.fixture
def certified(sshd, folder):
    """Starts a server with this host certificate; gives it and the path of a known_hosts file with these lines."""
    def start(certificate, *lines):
        server = sshd(f"HostCertificate {certificate}")
        known = folder / "known"
        known.write_text("".join(line.replace("PORT", str(server.port)) for line in lines), encoding="ascii")
        return server, str(known)
    return start


@pytest.mark.parametrize("pattern", ["[127.0.0.1]:PORT", "[127.0.0.*]:PORT", "[*]:PORT", "127.0.0.1"])
def test_a_host_certificate_of_a_known_ca_is_taken(pattern, certified, ca, serve, one_tunnel, adit):
    server, known = certified(ca.certify_host(KEY), ca.known_hosts_line(pattern))
    there_and_back(adit, one_tunnel(server, serve(echo).port, known_hosts=known))


@pytest.mark.parametrize("principals", ["elsewhere,127.0.0.1", "127.0.0.*"])
def test_one_of_its_principals_must_match(principals, certified, ca, serve, one_tunnel, adit):
    server, known = certified(ca.certify_host(KEY, principals), ca.known_hosts_line("*"))
    there_and_back(adit, one_tunnel(server, serve(echo).port, known_hosts=known))


def test_the_alias_is_the_name_in_the_certificate(certified, ca, serve, one_tunnel, adit):
    server, known = certified(ca.certify_host(KEY, "db.example.com"), ca.known_hosts_line("*.example.com"))
    there_and_back(adit, one_tunnel(server, serve(echo).port, known_hosts=known, host_key_alias="db.example.com"))


@pytest.mark.parametrize("principals, options, words", [
    ("elsewhere", (), "for another host than 127.0.0.1"),
    (None, (), "principal|names no"),
    ("127.0.0.1", PAST, "expired.*2020.*2021"),
    ("127.0.0.1", FUTURE, "not yet.*2040"),
    ("127.0.0.1", ("-O", "critical:force-nothing@example.com=1"), "critical"),
])
def test_a_host_certificate_that_is_not_good_is_refused(principals, options, words, certified, ca, keys, refused):
    server, known = certified(ca.certify_host(KEY, principals, *options), ca.known_hosts_line("*"))
    line = refused(server, known_hosts=known)
    assert re.search(words, line) and keys.fingerprint(KEY) in line


def test_a_ca_that_is_not_known_is_refused(certified, ca, other_ca, refused):
    server, known = certified(ca.certify_host(KEY), other_ca.known_hosts_line("*"))
    assert "no certificate of the CA" in refused(server, known_hosts=known)


def test_a_ca_of_another_name_is_refused(certified, ca, refused):
    server, known = certified(ca.certify_host(KEY), ca.known_hosts_line("*.example.com"))
    refused(server, known_hosts=known)


def test_a_ca_is_no_plain_key(certified, ca, refused):
    """Without its marker the line of the CA is a key of the host, which the host has not."""
    server, known = certified(ca.certify_host(KEY), ca.known_hosts_line("*", marker="").lstrip())
    refused(server, known_hosts=known)


def test_a_revoked_ca_is_refused(certified, ca, refused):
    server, known = certified(ca.certify_host(KEY), ca.known_hosts_line("*"), ca.known_hosts_line("*", "@revoked"))
    assert "revoked" in refused(server, known_hosts=known)


def test_a_revoked_key_with_a_good_certificate_is_refused(certified, ca, keys, refused):
    server, known = certified(ca.certify_host(KEY), ca.known_hosts_line("*"), f"@revoked * {keys.blob(KEY)}\n")
    assert "revoked" in refused(server, known_hosts=known)


@pytest.fixture
def krl(folder):
    """Makes a KRL of lines as ssh-keygen(1) has them, "serial: 1-3", or of key files."""
    def make(*what, ca=None):
        path = folder / "krl"
        if isinstance(what[0], str):
            spec = folder / "spec"
            spec.write_text("\n".join(what) + "\n", encoding="ascii")
            what = [spec]
        ssh_keygen("-q", "-k", "-f", path, *(("-s", ca.public()) if ca else ()), *what)
        return str(path)
    return make


@pytest.mark.parametrize("what", ["serial: {serial}", "serial: 1-1000000", "id: host_ed25519 by ca"])
def test_a_certificate_in_a_krl_is_refused(what, certified, ca, krl, refused):
    server, known = certified(ca.certify_host(KEY), ca.known_hosts_line("*"))
    revoked = krl(what.format(serial=ca.serial), ca=ca)
    assert "revoked" in refused(server, known_hosts=known, revoked_keys=revoked)


@pytest.mark.parametrize("spec", ["key", "sha1", "sha256", "hash"])
def test_a_key_in_a_krl_is_refused(spec, sshd, krl, keys, refused):
    blob = keys.public(KEY) if spec != "hash" else keys.fingerprint(KEY)
    assert "revoked" in refused(sshd(), revoked_keys=krl(f"{spec}: {blob}".strip()))


def test_a_certificate_in_a_plain_list_revokes_its_key(sshd, ca, refused):
    assert "revoked" in refused(sshd(), revoked_keys=str(ca.certify_host(KEY)))


def test_a_ca_in_a_krl_is_refused(certified, ca, krl, refused):
    server, known = certified(ca.certify_host(KEY), ca.known_hosts_line("*"))
    assert "revoked" in refused(server, known_hosts=known, revoked_keys=krl(ca.public()))


def test_what_is_in_no_krl_is_taken(certified, ca, other_ca, krl, keys, serve, one_tunnel, adit):
    server, known = certified(ca.certify_host(KEY), ca.known_hosts_line("*"))
    revoked = krl(f"serial: {ca.serial + 1}", f"key: {keys.public('host_rsa').strip()}", ca=ca)
    plain = f"{revoked}-plain"
    shutil.copy(other_ca.public(), plain)
    there_and_back(adit, one_tunnel(server, serve(echo).port, known_hosts=known, revoked_keys=[revoked, plain]))


@pytest.mark.parametrize("kind", ["missing", "damaged"])
def test_a_list_that_cannot_be_read_refuses_every_key(kind, sshd, krl, keys, folder, serve, one_tunnel, adit):
    path = folder / "nowhere"
    if kind == "damaged":
        whole = open(krl(keys.path("host_rsa.pub")), "rb").read()
        path.write_bytes(whole[:-20])
    server = sshd()
    one_tunnel(server, serve(echo).port, revoked_keys=str(path))
    adit.wait_log(rf"host=server.*reason=.*{path}")
    assert "Accepted publickey" not in server.process.log()


# ---- users ----

@pytest.fixture(params=["sshd", "sshd_of_debian13"])
def trusting(request, ca):
    """Starts a server that takes whom the CA certifies, and no key by itself."""
    def start():
        return request.getfixturevalue(request.param)(f"TrustedUserCAKeys {ca.public()}", "AuthorizedKeysFile none")
    return start


@pytest.mark.parametrize("key", [f"id_{name}" for name in HOST_KEY_TYPES])
def test_a_user_s_certificate(key, trusting, ca, serve, one_tunnel, adit):
    server = trusting()
    certificate = ca.certify(key, server.user)
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=key, certificate=str(certificate)))
    assert "-CERT" in server.process.log()


@pytest.fixture
def identity(keys, folder):
    """A key in the test's folder, where a certificate can stand beside it."""
    path = folder / "id"
    shutil.copy(keys.path("id_ed25519"), path)
    path.chmod(0o600)
    return path


def test_a_certificate_beside_its_key_is_found(trusting, ca, identity, serve, one_tunnel, adit):
    server = trusting()
    shutil.copy(ca.certify("id_ed25519", server.user), f"{identity}-cert.pub")
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=str(identity)))


@pytest.mark.parametrize("validity, words", [(PAST, "expired.*2020.*2021"), (FUTURE, "not yet.*2040.*2041")])
def test_one_that_is_not_valid_is_named_and_not_offered(validity, words, trusting, ca, serve, one_tunnel, adit):
    server = trusting()
    certificate = ca.certify("id_ed25519", server.user, *validity)
    one_tunnel(server, serve(echo).port, certificate=str(certificate))
    adit.wait_log(rf"{certificate}.*{words}")
    adit.wait_log(r"host=server.*reason=.*publickey")
    assert "-CERT" not in server.process.log()


def test_one_that_ends_within_a_day_is_a_warning(trusting, ca, serve, one_tunnel, adit):
    server = trusting()
    certificate = ca.certify("id_ed25519", server.user, "-V", "-1h:+2h")
    there_and_back(adit, one_tunnel(server, serve(echo).port, certificate=str(certificate)))
    adit.wait_log(rf"warning certificate-expires .*{certificate}")


def test_one_that_is_renewed_is_read_at_the_next_connect(sshd, ca, identity, serve, one_tunnel, adit):
    server = sshd(f"TrustedUserCAKeys {ca.public()}", "AuthorizedKeysFile none")
    beside = f"{identity}-cert.pub"
    shutil.copy(ca.certify("id_ed25519", server.user, *PAST), beside)
    port = one_tunnel(server, serve(echo).port, identity=str(identity), reconnect_max=0.5)
    adit.wait_log(r"host=server.*reason=.*publickey")
    shutil.copy(ca.certify("id_ed25519", server.user), f"{beside}.new")
    os.rename(f"{beside}.new", beside)
    adit.wait_log("link-up")
    there_and_back(adit, port)


def test_a_link_is_replaced_before_its_certificate_ends(sshd, ca, identity, serve, one_tunnel, adit):
    """Make before break: who is connected stays, and nobody is refused."""
    server = sshd(f"TrustedUserCAKeys {ca.public()}", "AuthorizedKeysFile none")
    beside = f"{identity}-cert.pub"
    shutil.copy(ca.certify("id_ed25519", server.user, "-V", "-1h:+12s"), beside)
    port = one_tunnel(server, serve(echo).port, identity=str(identity))
    with adit.connect(port) as stream:
        stream.sendall(b"before")
        assert recv_exactly(stream, 6) == b"before"
        shutil.copy(ca.certify("id_ed25519", server.user), f"{beside}.new")
        os.rename(f"{beside}.new", beside)
        adit.wait_log("link-up", count=2)
        there_and_back(adit, port)
        stream.sendall(b"after")
        assert recv_exactly(stream, 5) == b"after"
        assert "link-down" not in adit.log()
    adit.wait_log("link-closed")


@pytest.mark.parametrize("key", ["id_ed25519", "id_rsa"])
def test_a_certificate_of_an_agent(key, trusting, ca, keys, folder, agent, serve, one_tunnel, adit):
    server = trusting()
    path, add = agent
    copy = folder / "in-agent"
    shutil.copy(keys.path(key), copy)
    copy.chmod(0o600)
    shutil.copy(ca.certify(key, server.user), f"{copy}-cert.pub")
    add(copy)
    copy.unlink()
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=None, agent=str(path)))
    assert "-CERT" in server.process.log()


def test_a_key_of_an_agent_with_a_certificate_of_a_file(trusting, ca, keys, folder, agent, serve, one_tunnel, adit):
    """The private key is in the agent alone; what the file has is the public half and the certificate."""
    server = trusting()
    path, add = agent
    add(keys.path("id_ed25519"))
    public = folder / "id"
    (folder / "id.pub").write_text(keys.public("id_ed25519"), encoding="ascii")
    shutil.copy(ca.certify("id_ed25519", server.user), f"{public}-cert.pub")
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=str(public), agent=str(path)))


def test_a_certificate_whose_key_is_in_the_agent_alone(trusting, ca, keys, agent, serve, one_tunnel, adit):
    path, add = agent
    add(keys.path("id_ed25519"))
    server = trusting()
    certificate = ca.certify("id_ed25519", server.user)
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=None, agent=str(path), certificate=str(certificate)))
    assert "-CERT" in server.process.log()


def test_two_certificates_of_one_key(trusting, ca, other_ca, serve, one_tunnel, adit):
    server = trusting()
    certificates = [str(signer.certify("id_ed25519", server.user)) for signer in (other_ca, ca)]
    there_and_back(adit, one_tunnel(server, serve(echo).port, certificate=certificates))
