"""What a peer offers, read from its first KEXINIT (RFC 4253 §7.1), which goes in the clear."""

import os
import socket
import struct

LISTS = ("kex", "host_key", "cipher", "cipher_in", "mac", "mac_in")
MARKERS = ("ext-info-", "kex-strict-")


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        assert more, f"the end after {data!r}"
        data += more
    return data


def read_ident(sock):
    while True:
        line = b""
        while not line.endswith(b"\n"):
            line += read_exactly(sock, 1)
        if line.startswith(b"SSH-"):
            return line.decode("ascii").strip()


def read_lists(sock):
    size, padding = struct.unpack(">IB", read_exactly(sock, 5))
    payload = read_exactly(sock, size - 1)[:-padding]
    assert payload[0] == 20, payload[0]
    lists, at = {}, 17
    for name in LISTS:
        n, = struct.unpack_from(">I", payload, at)
        names = payload[at + 4:at + 4 + n].decode("ascii").split(",")
        lists[name] = [one for one in names if not one.startswith(MARKERS)]
        at += 4 + n
    return lists


def of_server(port):
    """Its identification and its lists."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(b"SSH-2.0-lists\r\n")
        return read_ident(sock), read_lists(sock)


class Listener:
    """A port of ours where a client tells its lists."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(8)
        self.sock.settimeout(20)
        self.port = self.sock.getsockname()[1]

    def lists(self):
        client, _ = self.sock.accept()
        with client:
            client.settimeout(20)
            client.sendall(b"SSH-2.0-lists\r\n")
            # A client may wait for ours before it sends its own.
            client.sendall(kexinit())
            read_ident(client)
            return read_lists(client)

    def stop(self):
        self.sock.close()


def kexinit(host_keys=b"none"):
    """One with lists of nothing that anybody has, but for those host keys."""
    lists = [b"none", host_keys] + [b"none"] * 6
    payload = bytes([20]) + os.urandom(16) + b"".join(struct.pack(">I", len(names)) + names for names in lists)
    payload += struct.pack(">I", 0) * 2 + bytes(5)
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)
