"""OpenSSH's sshd (of this system, and of Debian 13 in a root of its own), dropbear and asyncssh, with keys of their own on a
free loopback port."""

import getpass
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile

import pytest

from lib.process import Process, descendants, free_port, need, wait_until, with_own_mounts

HOST_KEY_TYPES = {"ed25519": ["-t", "ed25519"], "rsa": ["-t", "rsa", "-b", "3072"],
                  "ecdsa256": ["-t", "ecdsa", "-b", "256"], "ecdsa384": ["-t", "ecdsa", "-b", "384"],
                  "ecdsa521": ["-t", "ecdsa", "-b", "521"]}


def ssh_keygen(*args):
    return subprocess.run([need("ssh-keygen"), *map(str, args)], check=True, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True).stdout


class Keys:
    """Throw-away keys in a folder: for each type one of a host (host_TYPE) and one of a user (id_TYPE)."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name, options in HOST_KEY_TYPES.items():
            for kind in ("host", "id"):
                self.make(f"{kind}_{name}", *options)
        with open(self.folder / "authorized_keys", "w", encoding="ascii") as out:
            for name in HOST_KEY_TYPES:
                out.write(self.public(f"id_{name}"))
        (self.folder / "authorized_keys").chmod(0o600)

    def make(self, name, *options):
        path = self.folder / name
        if not path.exists():
            ssh_keygen("-q", "-N", "", "-C", name, "-f", path, *options)
        return path

    def path(self, name):
        return self.folder / name

    def find(self, identity):
        """What a configuration says for an identity that is one of ours by name, or a path, or a list, or nothing."""
        ours = isinstance(identity, str) and (self.folder / identity).exists()
        return str(self.path(identity)) if ours else identity

    def public(self, name):
        return (self.folder / f"{name}.pub").read_text(encoding="ascii")

    def blob(self, name):
        """Type and base64, without the comment."""
        return " ".join(self.public(name).split()[:2])

    def fingerprint(self, name):
        return ssh_keygen("-l", "-f", self.folder / f"{name}.pub").split()[1]


class SshServer:
    """What both servers have in common. The user is the one who runs the tests."""

    user = getpass.getuser()
    process = None
    port = None
    keys = None
    host_keys = ()

    def sessions(self):
        """The processes that serve connections, without those they started in turn."""
        return [pid for pid in descendants(self.process.pid) if parent_of(pid) == self.process.pid]

    def kill_sessions(self):
        """Ends every connection as a dying server process does."""
        killed = self.signal_sessions(signal.SIGKILL)
        # Others may be there by then.
        wait_until(lambda: not killed & set(self.sessions()), "the end of the sessions")

    def signal_sessions(self, number):
        """Returns which they were."""
        sessions = self.sessions()
        for pid in sessions:
            for process in [pid, *descendants(pid)]:
                try:
                    os.kill(process, number)
                except ProcessLookupError:
                    pass
        return set(sessions)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process = None

    def restart(self):
        self.stop()
        self.start()
        return self

    def start(self):
        raise NotImplementedError

    def known_hosts(self, *names, port=None):
        """known_hosts lines for the server's host keys (all, if none is named)."""
        return "".join(f"[127.0.0.1]:{port or self.port} {self.keys.blob(name)}\n" for name in names or self.host_keys)


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def use_pam(user):
    """Without PAM sshd refuses an account whose password is locked, whatever the key; root's often is."""
    if os.geteuid() != 0:
        return "no"
    fields = [line.split(":") for line in pathlib.Path("/etc/shadow").read_text(encoding="utf-8").splitlines()]
    return "yes" if any(name == user and password.startswith("!") for name, password, *_ in fields) else "no"


class OpenSsh(SshServer):
    """sshd. `options` are lines of sshd_config that stand before ours, so that they win. With a `password` the user has that
    one, in a mount namespace where /etc/shadow and PAM's rules are the test's."""

    def __init__(self, folder, keys, options=(), host_keys=("host_ed25519",), program=None, authorized_keys=None,
                 password=None):
        self.program = program or need("sshd")
        self.password = password
        self.folder = pathlib.Path(folder)
        self.keys = keys
        self.host_keys = tuple(host_keys)
        self.port = free_port()
        self.config = self.folder / f"sshd_config-{self.port}"
        self.authorized_keys = authorized_keys or keys.path("authorized_keys")
        self.write_config(options)

    def write_config(self, options):
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        lines = [*options, *(f"HostKey {self.keys.path(name)}" for name in self.host_keys),
                 f"Port {self.port}", "ListenAddress 127.0.0.1", f"AuthorizedKeysFile {self.authorized_keys}",
                 "PidFile none", "StrictModes no", f"UsePAM {use_pam(self.user)}", "PermitRootLogin yes",
                 "PasswordAuthentication no", "KbdInteractiveAuthentication no", "LogLevel DEBUG1", "MaxStartups 200:30:300",
                 "MaxSessions 10", "AllowStreamLocalForwarding yes", "AllowTcpForwarding yes", "X11Forwarding no", "PrintMotd no"]
        if self.version() >= (9, 8):
            lines.append("PerSourcePenalties no")
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self):
        log = self.folder / f"sshd-{self.port}.log"
        self.process = Process([*self.around(), self.program, "-D", "-e", "-f", self.config], log)
        self.process.wait_port(self.port)
        return self

    def around(self):
        """What sshd is started by, in place of the shell; ends by exec, so that the process is sshd's."""
        if self.password is None:
            return []
        namespace = with_own_mounts("a password of the user that is the test's")
        shadow = self.folder / f"shadow-{self.port}"
        shadow.touch(0o600)
        hashed = subprocess.run([need("openssl"), "passwd", "-6", "-stdin"], input=self.password, text=True, check=True,
                                capture_output=True).stdout.strip()
        shadow.write_text(f"{self.user}:{hashed}:19000:0:99999:7:::\n", encoding="ascii")
        rules = self.folder / f"pam-{self.port}"
        rules.write_text("auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n",
                         encoding="ascii")
        return [*namespace, "sh", "-c",
                'mount --bind "$1" /etc/shadow && mount --bind "$2" /etc/pam.d/sshd && shift 2 && exec "$@"', "sh",
                shadow, rules]

    def ask_version(self):
        """An sshd that knows no -V says its version with its usage."""
        done = subprocess.run([self.program, "-V"], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def version(self):
        found = re.search(r"OpenSSH_(\d+)\.(\d+)", self.ask_version())
        assert found, self.ask_version()
        return int(found.group(1)), int(found.group(2))


def debian13_root():
    """The root that `contrib/debian13 root` made, or None."""
    root = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache") / "adit-tests/debian13"
    return root if (root / "usr/sbin/sshd").exists() else None


class OpenSshOfDebian13(OpenSsh):
    """OpenSSH 10, in the root of a Debian 13: there it sees our folders for temporary files, in a mount namespace."""

    def __init__(self, folder, keys, options=(), **more):
        self.namespace = with_own_mounts("the root of a Debian 13")
        self.root = debian13_root()
        if not self.root:
            pytest.skip("the root of a Debian 13 is missing (contrib/debian13 root makes it)")
        super().__init__(folder, keys, options, program="/usr/sbin/sshd", **more)

    def around(self):
        shared = tempfile.gettempdir()
        assert str(self.folder).startswith(shared) and str(self.keys.folder).startswith(shared)
        script = ('mkdir -p "$1$2" && mount --bind "$2" "$1$2" && mount --rbind /dev "$1/dev" && '
                  'mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/run" && mkdir "$1/run/sshd" && '
                  'root=$1 && shift 2 && exec chroot "$root" "$@"')
        return [*self.namespace, "sh", "-c", script, "sh", self.root, shared]

    def ask_version(self):
        done = subprocess.run(["chroot", self.root, self.program, "-V"], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


class Dropbear(SshServer):
    """dropbear reads ~/.ssh/authorized_keys and knows no other place: it gets a home folder of its own, which needs a
    mount namespace and so root."""

    def __init__(self, folder, keys, options=(), host_keys=("host_ed25519",)):
        self.namespace = with_own_mounts("a home folder for dropbear")
        self.program = need("dropbear")
        self.convert = need("dropbearconvert", "/usr/lib/dropbear/dropbearconvert")
        self.folder = pathlib.Path(folder)
        self.keys = keys
        self.host_keys = tuple(host_keys)
        self.options = list(options)
        self.port = free_port()

    def start(self):
        argv = [self.program, "-F", "-E", "-s", "-p", f"127.0.0.1:{self.port}",
                "-P", self.folder / f"dropbear-{self.port}.pid"]
        for name in self.host_keys:
            own = self.folder / f"dropbear_{name}"
            if not own.exists():
                subprocess.run([self.convert, "openssh", "dropbear", self.keys.path(name), own], check=True,
                               capture_output=True)
            argv += ["-r", own]
        home = os.path.expanduser("~")
        script = ('set -e; keys=$(cat "$1"); mount -t tmpfs -o mode=0700 tmpfs "$2"; mkdir -m 0700 "$2/.ssh"; '
                  'printf "%s\\n" "$keys" >"$2/.ssh/authorized_keys"; chmod 0600 "$2/.ssh/authorized_keys"; '
                  'shift 2; exec "$@"')
        # The pid file and the host keys stand in self.folder, which must not be below the home folder.
        assert not str(self.folder).startswith(home + "/"), "the tests' folder is below the home folder"
        self.process = Process([*self.namespace, "sh", "-c", script, "sh", self.keys.path("authorized_keys"),
                                home, *argv, *self.options], self.folder / f"dropbear-{self.port}.log")
        self.process.wait_port(self.port)
        return self


class AsyncSsh(SshServer):
    """asyncssh in a process of its own. `options` are what tests/lib/asyncssh_server.py takes."""

    def __init__(self, folder, keys, host_keys=("host_ed25519",), certificates=(), **options):
        self.python = "/usr/bin/python3"
        if subprocess.run([self.python, "-c", "import asyncssh"], capture_output=True, check=False).returncode:
            pytest.skip("asyncssh is missing (Debian: apt-get install python3-asyncssh)")
        self.folder = pathlib.Path(folder)
        self.keys = keys
        self.host_keys = tuple(host_keys)
        self.port = free_port()
        self.options = {"port": self.port, "host_keys": [str(keys.path(name)) for name in host_keys],
                        "certificates": list(map(str, certificates)),
                        "authorized_keys": str(keys.path("authorized_keys")), **options}

    def start(self):
        script = pathlib.Path(__file__).with_name("asyncssh_server.py")
        self.process = Process([self.python, script, json.dumps(self.options)],
                               self.folder / f"asyncssh-{self.port}.log")
        self.process.wait_port(self.port)
        return self
