"""How adit logs in, and what it says of keys that it cannot use."""

import base64
import os
import signal
import struct
import subprocess

import pytest

from lib import hardware_agent
from lib.process import free_port, need, wait_until
from lib.ssh_servers import HOST_KEY_TYPES, ssh_keygen
from lib.targets import echo, there_and_back


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


@pytest.mark.parametrize("name", ["id_ed25519", "id_rsa", "id_ecdsa256"])
def test_a_key_of_an_agent(name, agent, sshd, serve, one_tunnel, adit, keys):
    path, add = agent
    add(keys.path(name))
    there_and_back(adit, one_tunnel(sshd(), serve(echo).port, agent=str(path), identity=None))


@pytest.mark.parametrize("kind", [hardware_agent.Ed25519, hardware_agent.EcdsaP256])
def test_a_key_in_hardware(kind, sshd, serve, one_tunnel, adit, folder):
    """The agent asks the token; what it signs with, and with what around it, is not what a file's key does."""
    token = hardware_agent.HardwareAgent(folder / "token.sock", kind())
    try:
        authorized = folder / "authorized"
        authorized.write_text(f"{token.key.name.decode()} {base64.b64encode(token.blob).decode()}\n", encoding="ascii")
        server = sshd(authorized_keys=authorized)
        there_and_back(adit, one_tunnel(server, serve(echo).port, agent=str(folder / "token.sock"), identity=None))
        assert token.signatures == 1
        # And bound to the host that it is for.
        assert "publickey-hostbound-v00@openssh.com" in server.process.log()
    finally:
        token.stop()


def test_an_agent_of_the_environment(agent, sshd, serve, one_tunnel, adit, keys):
    path, add = agent
    add(keys.path("id_ed25519"))
    adit.env["SSH_AUTH_SOCK"] = str(path)
    there_and_back(adit, one_tunnel(sshd(), serve(echo).port, agent=True, identity=None))


@pytest.mark.parametrize("host_key, accepted", [("host_ed25519", True), ("host_rsa", False)])
def test_a_key_that_is_for_one_host_alone(host_key, accepted, agent, sshd, serve, one_tunnel, adit, keys, folder):
    """The agent signs when it was told to whom, and that is the host: session-bind@openssh.com and
    publickey-hostbound-v00@openssh.com."""
    path, add = agent
    hosts = folder / "hosts"
    hosts.write_text(f"there {keys.blob(host_key)}\n", encoding="ascii")
    add("-H", hosts, "-h", "there", keys.path("id_ed25519"))
    server = sshd()
    port = one_tunnel(server, serve(echo).port, agent=str(path), identity=None)
    if accepted:
        there_and_back(adit, port)
    else:
        adit.wait_log(r"link-failed .*class=login")
        assert "Accepted publickey" not in server.process.log()


def test_keys_that_are_for_another_host_use_up_no_tries(agent, sshd, serve, one_tunnel, adit, keys, folder):
    path, add = agent
    hosts = folder / "hosts"
    hosts.write_text(f"there {keys.blob('host_ed25519')}\nelsewhere {keys.blob('host_rsa')}\n", encoding="ascii")
    for name in ("id_rsa", "id_ecdsa256", "id_ecdsa384", "id_ecdsa521"):
        add("-H", hosts, "-h", "elsewhere", keys.path(name))
    add("-H", hosts, "-h", "there", keys.path("id_ed25519"))
    server = sshd("MaxAuthTries 2", authorized_keys=keys.path("id_ed25519.pub"))
    there_and_back(adit, one_tunnel(server, serve(echo).port, agent=str(path), identity=None))


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
    adit.wait_log(r"host=server.*reason=.*offered \S*/id_ed25519 \(ED25519 SHA256:\S+\); the server takes: publickey")


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
    elif kind == "too short":
        ssh_keygen("-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", path)
    elif kind == "encrypted":
        path.write_bytes(copy_of("id_ed25519").read_bytes())
        ssh_keygen("-p", "-q", "-P", "", "-N", "secret words", "-f", path)
    return path


@pytest.mark.parametrize("kind, words", [
    ("missing", "No such file"), ("a folder", "is a directory"), ("no key", "holds no private key"), ("empty", "is empty"),
    ("a public key", "is a public key"), ("cut short", "the key is damaged"),
    ("world-readable", "permissions 0644 are too open"), ("encrypted", "is encrypted"),
    ("too short", "an RSA key of 1024 bits")])
def test_a_key_file_that_cannot_be_used_is_named_with_the_reason(kind, words, sshd, serve, one_tunnel, adit, folder,
                                                                 copy_of):
    path = bad_identity(folder, kind, copy_of)
    server = sshd()
    one_tunnel(server, serve(echo).port, identity=str(path))
    adit.wait_log(rf"link-failed .*reason=\"{path}: {words}")
    assert "Accepted publickey" not in server.process.log()


def test_an_unreadable_key_file_is_named(sshd, adit, tunnels, copy_of):
    # Root reads every file as long as it has the capabilities for it.
    reads = "-dac_override,-dac_read_search"
    wrapper = () if os.geteuid() else (need("setpriv"), f"--bounding-set={reads}", f"--inh-caps={reads}")
    path = copy_of("id_ed25519")
    path.chmod(0)
    adit.configure(hosts={"server": tunnels.host(sshd(), identity=str(path))},
                   tunnels={"one": tunnels.local(free_port(), 1)})
    adit.start(wrapper=wrapper)
    adit.wait_log(rf"{path}.*Permission denied")


def test_nothing_secret_is_logged(sshd, serve, one_tunnel, adit, keys):
    one_tunnel(sshd(), serve(echo).port, top={"log_level": "debug"})
    adit.wait_log("link-up")
    private = "".join(keys.path("id_ed25519").read_text(encoding="ascii").splitlines()[1:-1])
    log = adit.log()
    assert not any(private[i:i + 20] in log for i in range(40, len(private) - 20, 20))


# ---- keys with a passphrase ----

PASSPHRASE = "correct horse, and what free() does not write over of it: " + 6 * "battery staple "


@pytest.fixture
def passphrase(folder):
    def make(text=PASSPHRASE):
        path = folder / "passphrase"
        path.touch(0o600)
        path.write_text(text + "\n", encoding="utf-8")
        return f"file:{path}"
    return make


def encrypt(path, *options):
    ssh_keygen("-p", "-q", "-P", "", "-N", PASSPHRASE, "-f", path, *options)


@pytest.mark.parametrize("cipher", ["aes128-cbc", "aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-gcm@openssh.com",
                                    "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"])
def test_each_cipher_of_an_encrypted_key(cipher, sshd, serve, one_tunnel, adit, copy_of, passphrase):
    path = copy_of("id_ed25519")
    encrypt(path, "-Z", cipher)
    there_and_back(adit, one_tunnel(sshd(), serve(echo).port, identity=str(path), passphrase=passphrase()))


@pytest.mark.parametrize("name", ["id_rsa", "id_ecdsa256", "id_ecdsa521"])
@pytest.mark.parametrize("form", ["OpenSSH", "PEM", "PKCS8"])
def test_each_form_of_an_encrypted_key(form, name, sshd, serve, one_tunnel, adit, copy_of, passphrase):
    path = copy_of(name)
    encrypt(path, *(() if form == "OpenSSH" else ("-m", form)))
    assert ("OPENSSH" in path.read_text(encoding="ascii")) == (form == "OpenSSH")
    there_and_back(adit, one_tunnel(sshd(), serve(echo).port, identity=str(path), passphrase=passphrase()))


@pytest.mark.parametrize("options", [("-v2", "aes-256-cbc"), ("-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"),
                                     ("-scrypt",)])
def test_pkcs8_as_openssl_encrypts_it(options, sshd, serve, one_tunnel, adit, copy_of, passphrase, folder):
    plain, path = copy_of("id_rsa", "-m", "PKCS8"), folder / "encrypted"
    subprocess.run([need("openssl"), "pkcs8", "-topk8", *options, "-passout", f"pass:{PASSPHRASE}", "-in", plain,
                    "-out", path], check=True, capture_output=True)
    path.chmod(0o600)
    there_and_back(adit, one_tunnel(sshd(), serve(echo).port, identity=str(path), passphrase=passphrase()))


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
        return int(f.read().rpartition(")")[2].split()[11]) / os.sysconf("SC_CLK_TCK")


def test_a_key_is_decrypted_once_as_long_as_its_file_stays_as_it_is(sshd, serve, one_tunnel, adit, copy_of, passphrase,
                                                                    folder, keys):
    path, another = copy_of("id_ed25519"), folder / "another"
    encrypt(path, "-a", "64")
    ssh_keygen("-q", "-t", "ecdsa", "-N", "other words", "-f", another)
    authorized = folder / "authorized"
    authorized.write_text(keys.public("id_ed25519") + another.with_suffix(".pub").read_text(encoding="ascii"), encoding="ascii")
    server = sshd(authorized_keys=authorized)
    port = one_tunnel(server, serve(echo).port, identity=str(path), passphrase=passphrase())
    there_and_back(adit, port)
    first = cpu_seconds(adit.process)
    server.kill_sessions()
    there_and_back(adit, port)
    assert cpu_seconds(adit.process) - first < first / 2
    # Another key in its place, and with it another passphrase, counts at the next connect.
    another.rename(path)
    passphrase("other words")
    server.kill_sessions()
    there_and_back(adit, port)
    adit.wait_log(r"link-up.* login=.*ECDSA")


def seed_of(path):
    """The secret of an Ed25519 key that is not encrypted: it stands before the second public key in the file."""
    data = base64.b64decode("".join(path.read_text(encoding="ascii").splitlines()[1:-1]))
    public = base64.b64decode(path.with_suffix(".pub").read_text(encoding="ascii").split()[1])[-32:]
    at = data.rindex(public)
    return data[at - 32:at]


def has_in_memory(process, secret):
    """Leaves out what is too large to be filled, such as a sanitizer's shadow."""
    with open(f"/proc/{process.pid}/maps", encoding="ascii") as maps, open(f"/proc/{process.pid}/mem", "rb", 0) as memory:
        for line in maps:
            begin, end = (int(address, 16) for address in line.split()[0].split("-"))
            if not line.split()[1].startswith("rw") or end - begin > 64 << 20:
                continue
            memory.seek(begin)
            try:
                if secret in memory.read(end - begin):
                    return True
            except OSError:
                pass  # it has gone since
    return False


def test_a_decrypted_key_is_wiped_when_no_host_names_it_any_more(sshd, serve, tunnels, adit, keys, copy_of, passphrase):
    path, seed, port, target = copy_of("id_ed25519"), seed_of(keys.path("id_ed25519")), free_port(), serve(echo).port
    encrypt(path)
    server = sshd()
    other = tunnels.host(server, "id_ecdsa256")
    adit.configure(hosts={"server": tunnels.host(server, str(path), passphrase=passphrase()), "other": other},
                   tunnels={"one": tunnels.local(port, target)})
    adit.start().wait_listening(port)
    there_and_back(adit, port)
    assert has_in_memory(adit.process, seed) and has_in_memory(adit.process, PASSPHRASE[-50:].encode())
    adit.configure(hosts={"other": other}, tunnels={"one": tunnels.local(port, target, via="other")})
    adit.process.signal(signal.SIGHUP)
    wait_until(lambda: not has_in_memory(adit.process, seed), "the end of the key")
    assert not has_in_memory(adit.process, PASSPHRASE[-50:].encode())
    there_and_back(adit, port)


@pytest.mark.parametrize("form", ["OpenSSH", "PEM", "PKCS8"])
def test_a_wrong_passphrase_is_named_and_not_told(form, sshd, serve, one_tunnel, adit, copy_of, passphrase):
    path = copy_of("id_rsa")
    encrypt(path, *(() if form == "OpenSSH" else ("-m", form)))
    server = sshd()
    one_tunnel(server, serve(echo).port, identity=str(path), passphrase=passphrase("wrong words"))
    adit.wait_log(rf"{path}.*passphrase")
    assert "wrong words" not in adit.log()
    assert "Accepted publickey" not in server.process.log()


# ---- passwords ----

PASSWORD = "Tr0ub4dor & 3, and what free() does not write over of it: " + 100 * "*"


@pytest.fixture
def password(folder):
    def make(text=PASSWORD):
        path = folder / "password"
        path.touch(0o600)
        path.write_text(text + "\n", encoding="utf-8")
        return f"file:{path}"
    return make


def accepted(server, method):
    return f"Accepted {method}" in server.process.log()


def test_a_password(sshd, serve, one_tunnel, adit, password):
    server = sshd("PasswordAuthentication yes", password=PASSWORD)
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=None, password=password()))
    assert accepted(server, "password")
    assert PASSWORD not in adit.log()


def test_a_password_that_pam_asks_for(sshd, serve, one_tunnel, adit, password):
    server = sshd("UsePAM yes", "KbdInteractiveAuthentication yes", password=PASSWORD)
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=None, password=password()))
    assert accepted(server, "keyboard-interactive")


@pytest.mark.parametrize("first, second", [("publickey", "password"), ("publickey", "keyboard-interactive"),
                                           ("password", "publickey"), ("keyboard-interactive", "publickey")])
def test_one_method_and_then_another(first, second, sshd, serve, one_tunnel, adit, password):
    """The key is offered before the server said whether it wants the password first."""
    server = sshd("UsePAM yes", "PasswordAuthentication yes", "KbdInteractiveAuthentication yes",
                  f"AuthenticationMethods {first},{second}", password=PASSWORD)
    there_and_back(adit, one_tunnel(server, serve(echo).port, password=password()))
    log = server.process.log()
    assert log.index(f"Partial {first}") < log.index(f"Accepted {second}")


def test_two_keys(sshd, serve, one_tunnel, adit, keys):
    server = sshd("AuthenticationMethods publickey,publickey")
    there_and_back(adit, one_tunnel(server, serve(echo).port,
                                    identity=[str(keys.path("id_ed25519")), str(keys.path("id_rsa"))]))
    assert "Partial publickey" in server.process.log()


def test_a_first_step_alone_is_no_login(sshd, serve, one_tunnel, adit):
    server = sshd("AuthenticationMethods publickey,password", "PasswordAuthentication yes", password=PASSWORD)
    one_tunnel(server, serve(echo).port)
    adit.wait_log(r"host=server.*reason=.*accepted \S*/id_ed25519 .*, and still wants password;")
    assert "authorized_keys there" not in adit.log()


def test_a_link_that_is_up_has_neither_the_key_nor_the_password(sshd, serve, one_tunnel, adit, keys, password):
    server = sshd("UsePAM yes", "PasswordAuthentication yes", "AuthenticationMethods publickey,password", password=PASSWORD)
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity="id_ed25519", password=password()))
    assert not has_in_memory(adit.process, PASSWORD[-50:].encode())
    assert not has_in_memory(adit.process, seed_of(keys.path("id_ed25519")))


def test_a_wrong_password_is_refused_and_not_told(sshd, serve, one_tunnel, adit, password):
    server = sshd("PasswordAuthentication yes", password=PASSWORD)
    one_tunnel(server, serve(echo).port, identity=None, password=password("not this one"))
    adit.wait_log(r"class=login.*reason=.*password")
    assert "not this one" not in adit.log()
    assert not accepted(server, "password")


def test_a_password_of_asyncssh(asyncssh, serve, one_tunnel, adit, password):
    server = asyncssh(password=PASSWORD, authorized_keys=None)
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=None, password=password()))


@pytest.mark.parametrize("rounds", [[[["Password: ", False, PASSWORD]]],
                                    [[], [["Password: ", False, PASSWORD]]],
                                    [[["Password: ", False, PASSWORD]], []]])
def test_rounds_of_questions_some_without_any(rounds, asyncssh, serve, one_tunnel, adit, password):
    server = asyncssh(rounds=rounds, authorized_keys=None)
    there_and_back(adit, one_tunnel(server, serve(echo).port, identity=None, password=password()))


# ---- banners ----

def test_a_banner_is_logged_once_and_escaped(sshd, serve, one_tunnel, adit, folder):
    banner = folder / "banner"
    banner.write_bytes(b"Authorised use only \x1b[2J\nsecond line\n")
    there_and_back(adit, one_tunnel(sshd(f"Banner {banner}"), serve(echo).port))
    lines = [line for line in adit.log().splitlines() if "Authorised" in line]
    assert len(lines) == 1 and " banner " in lines[0] and "second line" in lines[0]
    assert "\x1b" not in adit.log()


def test_a_banner_of_asyncssh(asyncssh, serve, one_tunnel, adit):
    there_and_back(adit, one_tunnel(asyncssh(banner="come in\n"), serve(echo).port))
    adit.wait_log(r" banner .*come in")
