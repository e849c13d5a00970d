"""How adit logs in, and what it says of keys that it cannot use."""

import base64
import os
import struct
import subprocess

import pytest

from lib.process import Process, need, wait_until
from lib.ssh_servers import HOST_KEY_TYPES, ssh_keygen
from lib.targets import echo, recv_exactly


def there_and_back(adit, port):
    with adit.connect(port) as client:
        client.sendall(b"hello")
        assert recv_exactly(client, 5) == b"hello"


@pytest.mark.parametrize("name", [f"id_{name}" for name in HOST_KEY_TYPES])
@pytest.mark.parametrize("kind", ["sshd", "dropbear"])
def test_each_type_of_key(name, kind, request, serve, one_tunnel, adit):
    server = request.getfixturevalue(kind)()
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=name))


@pytest.fixture
def copy_of(keys, folder):
    """A user's key in another format, in the test's folder."""
    def make(name, *options):
        path = folder / "identity"
        path.write_bytes(keys.path(name).read_bytes())
        path.chmod(0o600)
        if options:
            ssh_keygen("-p", "-q", "-P", "", "-N", "", "-f", path, *options)
        return path
    return make


@pytest.mark.parametrize("form, first_line", [("PEM", "BEGIN"), ("PKCS8", "BEGIN PRIVATE KEY")])
@pytest.mark.parametrize("name", ["id_rsa", "id_ecdsa256", "id_ecdsa384", "id_ecdsa521"])
def test_pem_and_pkcs8_files(name, form, first_line, sshd, serve, one_tunnel, adit, copy_of, tunnels):
    path = copy_of(name, "-m", form)
    assert first_line in path.read_text(encoding="ascii").splitlines()[0]
    assert "OPENSSH" not in path.read_text(encoding="ascii")
    there_and_back(adit, one_tunnel(sshd(), serve(echo).port, identity=str(path)))


def test_an_ed25519_key_in_pkcs8(sshd, serve, one_tunnel, adit, folder, keys):
    """ssh-keygen writes none: OpenSSL does."""
    openssl = need("openssl")
    path = folder / "ed25519.pem"
    subprocess.run([openssl, "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
    path.chmod(0o600)
    der = subprocess.run([openssl, "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True,
                         capture_output=True).stdout[-32:]
    blob = b"".join(struct.pack(">I", len(part)) + part for part in (b"ssh-ed25519", der))
    authorized = folder / "authorized"
    authorized.write_text(f"ssh-ed25519 {base64.b64encode(blob).decode()}\n", encoding="ascii")
    server = sshd(authorized_keys=authorized)
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=str(path)))


@pytest.fixture
def agent(folder):
    """An ssh-agent of its own; gives its socket and a function that adds a key."""
    path = folder / "agent.sock"
    process = Process([need("ssh-agent"), "-D", "-a", path], folder / "agent.log")
    wait_until(path.exists, "the agent's socket")

    def add(key):
        subprocess.run([need("ssh-add"), "-q", key], env={**os.environ, "SSH_AUTH_SOCK": str(path)}, check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)
    yield path, add
    process.kill()


@pytest.mark.parametrize("name", ["id_ed25519", "id_rsa", "id_ecdsa256"])
def test_a_key_of_an_agent(name, agent, sshd, serve, one_tunnel, adit, keys):
    path, add = agent
    add(keys.path(name))
    there_and_back(adit, one_tunnel(sshd(), serve(echo).port, agent=str(path), identity=None))


def test_an_agent_of_the_environment(agent, sshd, serve, one_tunnel, adit, keys):
    path, add = agent
    add(keys.path("id_ed25519"))
    adit.env["SSH_AUTH_SOCK"] = str(path)
    there_and_back(adit, one_tunnel(sshd(), serve(echo).port, agent=True, identity=None))


def test_the_second_identity_is_tried(sshd, serve, one_tunnel, adit, keys, folder):
    authorized = folder / "authorized"
    authorized.write_text(keys.public("id_rsa"), encoding="ascii")
    server = sshd(authorized_keys=authorized)
    there_and_back(adit, one_tunnel(server, serve(echo).port,
                                    identity=[str(keys.path("id_ed25519")), str(keys.path("id_rsa"))]))


def test_a_refused_login_names_what_was_offered(sshd, serve, one_tunnel, adit, folder):
    authorized = folder / "nobody"
    authorized.write_text("", encoding="ascii")
    server = sshd(authorized_keys=authorized)
    one_tunnel(server, serve(echo).port)
    adit.wait_log(r"host=server.*reason=.*publickey")
    adit.wait_log(r"id_ed25519")


def bad_identity(folder, kind, copy_of):
    path = folder / "identity"
    if kind == "missing":
        return folder / "nowhere"
    if kind == "a folder":
        path.mkdir()
    elif kind == "no key":
        path.write_text("this is no key\n", encoding="ascii")
        path.chmod(0o600)
    elif kind == "empty":
        path.touch(0o600)
    elif kind == "a public key":
        path.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me\n", encoding="ascii")
        path.chmod(0o600)
    elif kind == "cut short":
        copy_of("id_ed25519")
        text = path.read_text(encoding="ascii").splitlines()
        path.write_text("\n".join(text[:3] + text[-1:]) + "\n", encoding="ascii")
    elif kind == "world-readable":
        copy_of("id_ed25519").chmod(0o644)
    elif kind == "encrypted":
        path.write_bytes(copy_of("id_ed25519").read_bytes())
        ssh_keygen("-p", "-q", "-P", "", "-N", "secret words", "-f", path)
    return path


@pytest.mark.parametrize("kind, words", [
    ("missing", "No such file"), ("a folder", "directory|regular file|not a file"), ("no key", "key"), ("empty", "key|empty"),
    ("a public key", "public|private|key"), ("cut short", "key|short|damaged|format"),
    ("world-readable", "0?644|permission|other|readable"), ("encrypted", "encrypted|passphrase")])
def test_a_key_file_that_cannot_be_used_is_named_with_the_reason(kind, words, sshd, serve, one_tunnel, adit, folder,
                                                                 copy_of):
    path = bad_identity(folder, kind, copy_of)
    server = sshd()
    one_tunnel(server, serve(echo).port, identity=str(path))
    adit.wait_log(rf"(?i){path}.*({words})")
    assert "Accepted publickey" not in server.process.log()


def test_an_unreadable_key_file_is_named(sshd, serve, one_tunnel, adit, folder, copy_of):
    if os.geteuid() == 0:
        pytest.skip("root reads every file")
    path = copy_of("id_ed25519")
    path.chmod(0)
    one_tunnel(sshd(), serve(echo).port, identity=str(path))
    adit.wait_log(rf"{path}.*Permission denied")


def test_nothing_secret_is_logged(sshd, serve, one_tunnel, adit, keys):
    one_tunnel(sshd(), serve(echo).port, top={"log_level": "debug"})
    adit.wait_log("link-up")
    private = "".join(keys.path("id_ed25519").read_text(encoding="ascii").splitlines()[1:-1])
    log = adit.log()
    assert not any(private[i:i + 20] in log for i in range(40, len(private) - 20, 20))
