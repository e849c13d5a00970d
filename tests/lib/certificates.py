"""A certificate authority, as ssh-keygen is one."""

from lib.ssh_servers import ssh_keygen


class Authority:
    """A CA key in the keys' folder. What it signs stands beside the key that is signed: NAME-cert.pub."""

    def __init__(self, keys, name, *options):
        self.keys = keys
        self.name = name
        self.serial = 0
        keys.make(name, *(options or ("-t", "ed25519")))

    def certify_host(self, name, principals, *options):
        return self.certify(name, principals, "-h", *options)

    def certify(self, name, principals, *options):
        """principals may be None: a certificate that names nobody. Gives the file's path."""
        self.serial += 1
        naming = ["-n", principals] if principals else []
        ssh_keygen("-q", "-s", self.keys.path(self.name), "-I", f"{name} by {self.name}", "-z", self.serial, *naming,
                   *options, self.keys.path(f"{name}.pub"))
        return self.keys.path(f"{name}-cert.pub")

    def known_hosts_line(self, pattern, marker="@cert-authority"):
        return f"{marker} {pattern} {self.keys.blob(self.name)}\n"
