"""OpenSSH's sshd and dropbear with keys of their own on a free loopback port."""

import getpass
import os
import pathlib
import signal
import subprocess

from lib.process import Process, descendants, free_port, need, need_root, wait_until

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
        self.signal_sessions(signal.SIGKILL)
        wait_until(lambda: not self.sessions(), "the end of the sessions")

    def signal_sessions(self, number):
        for pid in self.sessions():
            for process in [pid, *descendants(pid)]:
                try:
                    os.kill(process, number)
                except ProcessLookupError:
                    pass

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


class OpenSsh(SshServer):
    """sshd. `options` are lines of sshd_config that stand before ours, so that they win."""

    def __init__(self, folder, keys, options=(), host_keys=("host_ed25519",), program=None, authorized_keys=None):
        self.program = program or need("sshd")
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
                 "PidFile none", "StrictModes no", "UsePAM no", "PermitRootLogin yes", "PasswordAuthentication no",
                 "KbdInteractiveAuthentication no", "LogLevel DEBUG1", "MaxStartups 200:30:300", "MaxSessions 10",
                 "AllowStreamLocalForwarding yes", "AllowTcpForwarding yes", "X11Forwarding no", "PrintMotd no"]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self):
        log = self.folder / f"sshd-{self.port}.log"
        self.process = Process([self.program, "-D", "-e", "-f", self.config], log)
        self.process.wait_port(self.port)
        return self


class Dropbear(SshServer):
    """dropbear reads ~/.ssh/authorized_keys and knows no other place: it gets a home folder of its own, which needs a
    mount namespace and so root."""

    def __init__(self, folder, keys, options=(), host_keys=("host_ed25519",)):
        need_root("a home folder for dropbear")
        self.program = need("dropbear")
        self.convert = need("dropbearconvert", "/usr/lib/dropbear/dropbearconvert")
        self.unshare = need("unshare")
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
        self.process = Process([self.unshare, "--mount", "sh", "-c", script, "sh", self.keys.path("authorized_keys"),
                                home, *argv, *self.options], self.folder / f"dropbear-{self.port}.log")
        self.process.wait_port(self.port)
        return self
