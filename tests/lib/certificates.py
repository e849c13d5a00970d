"""A certificate authority, as ssh-keygen is one."""

import shutil

from lib.ssh_servers import ssh_keygen


class Authority:
    """A CA key among the keys, and what it signed in a folder of its own: a certificate beside its key would be used
    unasked."""

    def __init__(self, keys, name, *options):
        self.keys = keys
        self.name = name
        self.serial = 0
        self.folder = keys.folder / f"{name}.signed"
        self.folder.mkdir(exist_ok=True)
        keys.make(name, *(options or ("-t", "ed25519")))

    def public(self):
        return self.keys.path(f"{self.name}.pub")

    def certify(self, key, principals, *options):
        """principals: "a,b", or None for a certificate that names nobody. Gives the certificate's path."""
        self.serial += 1
        copy = self.folder / f"{self.serial}-{key}.pub"
        shutil.copy(self.keys.path(f"{key}.pub"), copy)
        naming = ["-n", principals] if principals else []
        ssh_keygen("-q", "-s", self.keys.path(self.name), "-I", f"{key} by {self.name}", "-z", self.serial, *naming,
                   *options, copy)
        return self.folder / f"{self.serial}-{key}-cert.pub"

    def certify_host(self, key, principals="127.0.0.1", *options):
        return self.certify(key, principals, "-h", *options)

    def known_hosts_line(self, pattern, marker="@cert-authority"):
        return f"{marker} {pattern} {self.keys.blob(self.name)}\n"
