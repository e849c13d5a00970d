"""Hosts of their own on one machine: network namespaces, joined by cables (veth) that a test can pull."""

import itertools
import os
import subprocess

import pytest

from lib.process import need

_serial = itertools.count()


def run(*argv):
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
    return done.stdout


class Cable:
    """Between two namespaces; one name a side, one /24."""

    def __init__(self, number, left, right):
        self.left, self.right = left, right
        self.name = f"c{number}"
        self.net = f"10.77.{number}"
        peer = f"{self.name}p"
        run("ip", "link", "add", self.name, "netns", left.name, "type", "veth", "peer", "name", peer, "netns", right.name)
        run("ip", "-n", right.name, "link", "set", peer, "name", self.name)
        for side, last in ((left, 1), (right, 2)):
            run("ip", "-n", side.name, "addr", "add", f"{self.net}.{last}/24", "dev", self.name)
            run("ip", "-n", side.name, "link", "set", self.name, "up")

    def address(self, host):
        return f"{self.net}.{1 if host is self.left else 2}"

    def pull(self):
        """Both ends lose their carrier."""
        run("ip", "-n", self.right.name, "link", "set", self.name, "down")

    def plug(self):
        run("ip", "-n", self.right.name, "link", "set", self.name, "up")

    def swallow(self):
        """What comes from the left is lost on the way, and nobody is told."""
        run("ip", "-n", self.right.name, "route", "add", "blackhole", f"{self.address(self.left)}/32")

    def deliver(self):
        run("ip", "-n", self.right.name, "route", "del", "blackhole", f"{self.address(self.left)}/32")


class Namespace:
    def __init__(self, name):
        self.name = name
        run("ip", "netns", "add", name)
        try:
            run("ip", "-n", name, "link", "set", "lo", "up")
        except (RuntimeError, OSError):
            self.remove()
            raise

    def wrapper(self):
        return ["ip", "netns", "exec", self.name]

    def remove(self):
        run("ip", "netns", "del", self.name)


class Network:
    def __init__(self):
        need("ip")
        self.hosts = []
        self.cables = itertools.count(1)
        self.prefix = f"adit-{os.getpid()}-{next(_serial)}"

    def host(self, name):
        try:
            self.hosts.append(Namespace(f"{self.prefix}-{name}"))
        except (RuntimeError, OSError) as e:
            pytest.skip(f"no network namespaces here: {e}")
        return self.hosts[-1]

    def cable(self, left, right):
        return Cable(next(self.cables), left, right)

    def remove(self):
        for host in self.hosts:
            host.remove()
