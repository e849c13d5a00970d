"""Who the server is: what is unknown, changed or revoked never gets a login, and the message says what to do."""

import pytest

from lib.ssh_servers import ssh_keygen
from lib.targets import echo, there_and_back


def test_an_unknown_key_is_named_and_never_accepted(sshd, folder, keys, refused):
    (folder / "empty").write_text("", encoding="ascii")
    server = sshd()
    line = refused(server, known_hosts=str(folder / "empty"))
    assert keys.fingerprint("host_ed25519") in line
    # And what to do: a command that asks this very server.
    assert f"adit host-key 127.0.0.1:{server.port} " in line


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
    line = f"[127.0.0.1]:{server.port} {keys.blob('host_ed25519')}\n"
    assert known.read_text(encoding="ascii") == line
    server.kill_sessions()
    there_and_back(adit, port)
    assert known.read_text(encoding="ascii") == line
    # Whoever comes with another one now is not the same.
    server.host_keys = ("host_rsa",)
    server.write_config([])
    server.restart()
    adit.wait_log("link-failed .*class=host-key")
    assert known.read_text(encoding="ascii") == line


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


# ---- keys that the server announces ----

@pytest.fixture
def announcing(sshd, keys, folder):
    """A server with three keys, of which a known_hosts file has the first, and these lines."""
    def start(*lines):
        server = sshd(host_keys=["host_ed25519", "host_rsa", "host_ecdsa256"])
        known = folder / "known"
        known.write_text(server.known_hosts("host_ed25519") + "".join(
            f"[127.0.0.1]:{server.port} {line}\n" for line in lines), encoding="ascii")
        return server, known
    return start


def test_new_keys_that_are_proven_are_written_down(announcing, keys, serve, one_tunnel, adit):
    server, known = announcing()
    one_tunnel(server, serve(echo).port, known_hosts=str(known))
    adit.wait_log("host-keys-updated.*added=2 removed=0")
    text = known.read_text(encoding="ascii")
    assert all(f"[127.0.0.1]:{server.port} {keys.blob(name)}" in text for name in server.host_keys)


def test_a_key_that_vanished_is_removed(announcing, keys, serve, one_tunnel, adit):
    server, known = announcing()
    known.write_text(server.known_hosts() + f"[127.0.0.1]:{server.port} {keys.blob('host_ecdsa384')}\n", encoding="ascii")
    one_tunnel(server, serve(echo).port, known_hosts=str(known))
    adit.wait_log("host-keys-updated.*added=0 removed=1")
    text = known.read_text(encoding="ascii")
    assert keys.blob("host_ecdsa384") not in text
    assert all(keys.blob(name) in text for name in server.host_keys)


def test_a_hashed_file_stays_hashed(announcing, keys, serve, one_tunnel, adit):
    server, known = announcing()
    ssh_keygen("-H", "-f", known)
    one_tunnel(server, serve(echo).port, known_hosts=str(known))
    adit.wait_log("host-keys-updated")
    text = known.read_text(encoding="ascii")
    assert "127.0.0.1" not in text and text.count("|1|") == 3


@pytest.mark.parametrize("why", ["update_host_keys", "two names", "a pin", "another host has the key"])
def test_what_must_not_be_changed_stays(why, announcing, keys, serve, one_tunnel, adit):
    server, known = announcing()
    host = {"known_hosts": str(known)}
    if why == "update_host_keys":
        host["update_host_keys"] = False
    elif why == "two names":
        known.write_text(known.read_text(encoding="ascii").replace("[127", "other,[127"), encoding="ascii")
    elif why == "a pin":
        host["host_key"] = keys.fingerprint("host_ed25519")
    else:
        known.write_text(known.read_text(encoding="ascii") + f"other {keys.blob('host_rsa')}\n", encoding="ascii")
    text = known.read_text(encoding="ascii")
    there_and_back(adit, one_tunnel(server, serve(echo).port, **host))
    assert known.read_text(encoding="ascii") == text
    assert "host-keys-updated" not in adit.log()
