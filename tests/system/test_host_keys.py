"""Who the server is: what is unknown, changed or revoked never gets a login, and the message says what to do."""

import re

import pytest

from lib.process import wait_until
from lib.ssh_servers import ssh_keygen
from lib.targets import echo, recv_exactly


def there_and_back(adit, port):
    with adit.connect(port) as client:
        client.sendall(b"hello")
        assert recv_exactly(client, 5) == b"hello"


@pytest.fixture
def refused(adit, serve, one_tunnel):
    """Starts adit, waits for the refusal; gives the log line. The server must not have seen a login."""
    def start(server, **host):
        target = serve(echo)
        one_tunnel(server, target.port, tunnel={"hold_timeout": 1}, **host)
        line = wait_until(lambda: re.search(r"^.*host=server.*reason=.*key.*$", adit.log(), re.M | re.I),
                          lambda: f"a refusal in the log:\n{adit.log()}")
        assert "Accepted publickey" not in server.process.log()
        assert "userauth-request" not in server.process.log()
        assert target.accepted == 0
        return line.group(0)
    return start


def test_an_unknown_key_is_named_and_never_accepted(sshd, folder, keys, refused):
    (folder / "empty").write_text("", encoding="ascii")
    line = refused(sshd(), known_hosts=str(folder / "empty"))
    assert keys.fingerprint("host_ed25519") in line
    assert "known" in line


def test_a_changed_key_is_named_with_the_place_of_the_old_one(sshd, folder, keys, refused):
    server = sshd()
    known = folder / "changed"
    known.write_text(f"# a comment\n\n[127.0.0.1]:{server.port} {keys.blob('id_ed25519')}\n", encoding="ascii")
    line = refused(server, known_hosts=str(known))
    assert keys.fingerprint("host_ed25519") in line
    assert f"{known}:3" in line


def test_a_key_revoked_in_known_hosts_is_refused_though_it_is_known(sshd, folder, keys, refused):
    server = sshd()
    known = folder / "revoked"
    known.write_text(f"{server.known_hosts()}@revoked * {keys.blob('host_ed25519')}\n", encoding="ascii")
    line = refused(server, known_hosts=str(known))
    assert "revoked" in line and f"{known}:2" in line


def test_the_wrong_port_s_key_is_not_known(sshd, folder, refused):
    server = sshd()
    known = folder / "other-port"
    known.write_text(server.known_hosts(port=server.port - 1), encoding="ascii")
    refused(server, known_hosts=str(known))


def test_a_missing_known_hosts_file_is_no_way_in(sshd, folder, refused):
    refused(sshd(), known_hosts=str(folder / "there-is-none"))


def test_a_hashed_name_is_found(sshd, folder, serve, one_tunnel, adit):
    server = sshd()
    known = folder / "hashed"
    known.write_text(server.known_hosts(), encoding="ascii")
    ssh_keygen("-H", "-f", known)
    assert "127.0.0.1" not in known.read_text(encoding="ascii")
    there_and_back(adit, one_tunnel(server, serve(echo).port, known_hosts=str(known)))


@pytest.mark.parametrize("pattern", ["[127.0.0.*]:{port}", "other,[127.0.0.1]:{port}", "[*]:{port}"])
def test_patterns_are_found(pattern, sshd, folder, keys, serve, one_tunnel, adit):
    server = sshd()
    known = folder / "pattern"
    known.write_text(f"{pattern.format(port=server.port)} {keys.blob('host_ed25519')}\n", encoding="ascii")
    there_and_back(adit, one_tunnel(server, serve(echo).port, known_hosts=str(known)))


def test_a_negated_pattern_excludes(sshd, folder, keys, refused):
    server = sshd()
    known = folder / "negated"
    known.write_text(f"[*]:{server.port},![127.0.0.1]:{server.port} {keys.blob('host_ed25519')}\n", encoding="ascii")
    refused(server, known_hosts=str(known))


def test_the_second_file_counts_too(sshd, folder, serve, one_tunnel, adit):
    server = sshd()
    (folder / "first").write_text("", encoding="ascii")
    (folder / "second").write_text(server.known_hosts(), encoding="ascii")
    there_and_back(adit, one_tunnel(server, serve(echo).port,
                                    known_hosts=[str(folder / "first"), str(folder / "second")]))


def test_an_alias_is_looked_up_instead(sshd, folder, keys, serve, one_tunnel, adit):
    server = sshd()
    known = folder / "alias"
    known.write_text(f"bastion {keys.blob('host_ed25519')}\n", encoding="ascii")
    there_and_back(adit, one_tunnel(server, serve(echo).port, known_hosts=str(known), host_key_alias="bastion"))


@pytest.mark.parametrize("form", ["fingerprint", "key"])
def test_a_pin_needs_no_known_hosts(form, sshd, keys, serve, one_tunnel, adit):
    pin = keys.fingerprint("host_ed25519") if form == "fingerprint" else keys.blob("host_ed25519")
    there_and_back(adit, one_tunnel(sshd(), serve(echo).port, known_hosts=None, host_key=pin))


def test_with_a_pin_known_hosts_is_not_read(sshd, keys, refused):
    """known_hosts has the true key; the pin is another one."""
    line = refused(sshd(), host_key=keys.fingerprint("id_ed25519"))
    assert keys.fingerprint("host_ed25519") in line


def test_accept_new_takes_a_new_key_once_and_holds_to_it(sshd, folder, keys, serve, one_tunnel, adit):
    server = sshd()
    known = folder / "new"
    port = one_tunnel(server, serve(echo).port, known_hosts=str(known), host_key_check="accept-new")
    there_and_back(adit, port)
    assert keys.blob("host_ed25519") in known.read_text(encoding="ascii")


def test_accept_new_does_not_take_a_changed_key(sshd, folder, keys, refused):
    server = sshd()
    known = folder / "old"
    text = f"[127.0.0.1]:{server.port} {keys.blob('id_ed25519')}\n"
    known.write_text(text, encoding="ascii")
    refused(server, known_hosts=str(known), host_key_check="accept-new")
    assert known.read_text(encoding="ascii") == text


def test_a_key_in_a_file_of_revoked_keys_is_refused(sshd, folder, keys, refused):
    revoked = folder / "revoked_keys"
    revoked.write_text(keys.public("host_ed25519"), encoding="ascii")
    assert "revoked" in refused(sshd(), revoked_keys=str(revoked))
