"""Every key exchange, host key, cipher and MAC that both ends have, each by force: the configuration names that one alone, so
that bytes which come back prove it. What both ends have is read from their KEXINITs; the table at the end of the run shows it."""

import json

import pytest

from lib import kexinit
from lib.certificates import Authority
from lib.process import free_port
from lib.ssh_servers import AsyncSsh, Dropbear, OpenSsh, OpenSshOfDebian13
from lib.targets import echo, pattern, recv_exactly

KEY = {"kex": "kex", "host_key": "host_key_algorithms", "cipher": "ciphers", "mac": "macs"}
HOST_KEYS = ["host_ed25519", "host_ecdsa256", "host_ecdsa384", "host_ecdsa521", "host_rsa"]
# Never by itself, only when it is named.
BY_NAME_ONLY = ["hmac-sha1", "hmac-sha1-etm@openssh.com"]
# Host keys that no server has here.
SECURITY_KEYS = {"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com",
                 "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"}


@pytest.fixture(scope="module")
def authority(keys):
    """Host certificates for every host key."""
    ca = Authority(keys, "ca_matrix")
    ca.certificates = [ca.certify_host(name) for name in HOST_KEYS]
    return ca


# Of each peer: how it is started, and what of ours it need not have (None: much). All else must stand in the matrix, so that
# it cannot become empty unseen.


class Openssh:
    make = OpenSsh

    @classmethod
    def start(cls, folder, keys, certificates):
        options = [f"HostCertificate {path}" for path in certificates]
        # Newer ones offer these only when they are told to.
        options.append("KexAlgorithms +diffie-hellman-group14-sha256,diffie-hellman-group16-sha512,"
                       "diffie-hellman-group18-sha512,diffie-hellman-group-exchange-sha256")
        return cls.make(folder, keys, options + ["LogLevel ERROR"], host_keys=HOST_KEYS).start()

    @staticmethod
    def lacks(ident):
        lacking = SECURITY_KEYS | {"mlkem768nistp256-sha256"}
        major, minor = ident.removeprefix("SSH-2.0-OpenSSH_").split("p")[0].split(".")
        if (int(major), int(minor)) < (9, 9):
            lacking |= {"mlkem768x25519-sha256", "sntrup761x25519-sha512"}
        return lacking


class OpensshOfDebian13(Openssh):
    make = OpenSshOfDebian13


class DropbearPeer:
    @staticmethod
    def start(folder, keys, certificates):
        return Dropbear(folder, keys, host_keys=["host_ed25519", "host_ecdsa256", "host_rsa"]).start()

    @staticmethod
    def lacks(ident):
        return None


class AsyncsshPeer:
    @staticmethod
    def start(folder, keys, certificates):
        return AsyncSsh(folder, keys, HOST_KEYS, certificates=certificates).start()

    @staticmethod
    def lacks(ident):
        return SECURITY_KEYS | {"mlkem768nistp256-sha256", "mlkem768x25519-sha256", "sntrup761x25519-sha512",
                                "sntrup761x25519-sha512@openssh.com", "rsa-sha2-256-cert-v01@openssh.com",
                                "rsa-sha2-512-cert-v01@openssh.com"}


PEERS = {"openssh": Openssh, "openssh-of-debian-13": OpensshOfDebian13, "dropbear": DropbearPeer, "asyncssh": AsyncsshPeer}


def our_lists(adit, folder, keys):
    """What adit offers, and what it would offer if it were asked to."""
    listener = kexinit.Listener()
    adit.configure(hosts={"lists": {"address": "127.0.0.1", "port": listener.port, "agent": False,
                                    "known_hosts": str(folder / "nobody"), "identity": str(keys.path("id_ed25519"))}},
                   tunnels={"lists": {"via": "lists", "socks": f"127.0.0.1:{free_port()}"}})
    adit.start()
    try:
        lists = listener.lists()
    finally:
        adit.stop()
        listener.stop()
    assert not set(lists["mac"]) & set(BY_NAME_ONLY)
    lists["mac"] += BY_NAME_ONLY
    return lists


class Rows:
    """A host for each algorithm, each with a tunnel that makes its link when the first client comes."""

    def __init__(self, adit, folder, server, authority, ours, theirs):
        self.adit = adit
        common = {kind: [name for name in ours[kind] if name in theirs[kind]] for kind in KEY}
        # AEAD ciphers use no MAC.
        plain = next((name for name in common["cipher"] if name.endswith("-ctr")), None)
        plain_known, ca_known = folder / "known", folder / "known-ca"
        plain_known.write_text(server.known_hosts(), encoding="ascii")
        ca_known.write_text(authority.known_hosts_line(f"[127.0.0.1]:{server.port}"), encoding="ascii")
        self.rows, self.hosts, self.tunnels = [], {}, {}
        for kind in KEY:
            for name in common[kind]:
                row = f"{kind}-{len(self.rows)}"
                port = free_port()
                known = ca_known if "-cert-" in name else plain_known
                host = {"address": "127.0.0.1", "port": server.port, "user": server.user, "agent": False,
                        "identity": str(server.keys.path("id_ed25519")), "known_hosts": str(known),
                        "update_host_keys": False, "connect_timeout": 60, KEY[kind]: [name]}
                if kind == "mac":
                    host["ciphers"] = [plain]
                if kind == "kex":
                    host["rekey_bytes"] = 100_000  # the method more than once
                self.hosts[row] = host
                self.tunnels[row] = {"via": row, "local": f"127.0.0.1:{port}", "connect": "on-demand",
                                     "hold_timeout": 60}
                self.rows.append((kind, name, row, port))

    def start(self, target):
        for tunnel in self.tunnels.values():
            tunnel["to"] = f"127.0.0.1:{target}"
        self.adit.configure(hosts=self.hosts, tunnels=self.tunnels)
        self.adit.start().wait_listening(*(port for _, _, _, port in self.rows))

    def status(self, row):
        done = self.adit.run("status", "-c", self.adit.config_path, "--json")
        assert done.returncode == 0, done.stderr
        return next(host for host in json.loads(done.stdout)["hosts"] if host["name"] == row)

    def prove(self, kind, name, row, port):
        """An empty string, or what went wrong."""
        data = pattern(300_000, row)
        try:
            with self.adit.connect(port) as client:
                for begin in range(0, len(data), 50_000):
                    client.sendall(data[begin:begin + 50_000])
                    got = recv_exactly(client, len(data[begin:begin + 50_000]))
                    assert got == data[begin:begin + 50_000], f"{kind} {name}: bytes differ"
                host = self.status(row)
            assert host["state"] == "up", host
            if kind in ("kex", "cipher"):
                assert host[kind] == name, host
            if kind == "kex":
                post_quantum = name.startswith(("mlkem", "sntrup"))
                assert host["post_quantum"] == post_quantum, host
        except (AssertionError, OSError) as e:
            return f"{kind} {name}: {e}"
        return ""


def assert_host_keys_are_fetched(adit, server):
    """adit host-key has the plain key of each type, and only those."""
    done = adit.run("host-key", f"127.0.0.1:{server.port}")
    assert done.returncode == 0, done.stderr
    lines = {line for line in done.stdout.splitlines() if not line.startswith("#")}
    assert lines == set(server.known_hosts().splitlines())


@pytest.mark.parametrize("peer", PEERS)
def test_everything_that_both_ends_have(peer, adit, folder, keys, authority, serve, matrix):
    ours = our_lists(adit, folder, keys)
    server = PEERS[peer].start(folder, keys, authority.certificates)
    try:
        ident, theirs = kexinit.of_server(server.port)
        assert_host_keys_are_fetched(adit, server)
        rows = Rows(adit, folder, server, authority, ours, theirs)
        rows.start(serve(echo).port)
        failures = []
        for kind, name, row, port in rows.rows:
            failure = rows.prove(kind, name, row, port)
            matrix(ident, kind, name, not failure)
            if failure:
                failures.append(failure)
        adit.stop()
    finally:
        server.stop()
    assert not failures, "\n".join(failures)
    for kind in KEY:
        assert set(ours[kind]) & set(theirs[kind]), kind
        lacks = PEERS[peer].lacks(ident)
        if lacks is not None:
            assert set(ours[kind]) - set(theirs[kind]) <= lacks, f"{kind}: {ident} should have more"
