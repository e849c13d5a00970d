"""What stands behind the tunnels: small TCP servers in threads, an HTTP server, PostgreSQL."""

import contextlib
import errno
import hashlib
import http.server
import os
import pathlib
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading

import pytest

from lib.process import DEADLINE, Process, free_port, need

CHUNK = 1 << 16
PATIENCE = 3 * DEADLINE  # with one that is silent in the middle of a transfer


def reset(sock):
    """Closes with a RST instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Server:
    """Listens on a loopback port and gives each connection to handler(sock) in a thread of its own."""

    def __init__(self, handler, backlog=1024):
        self.handler = handler
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(backlog)
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self.errors = []
        self.open = set()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            self.handler(sock)
        except ConnectionError:
            pass
        except OSError as error:
            # shutdown() of a connection that was reset since the last read: a test that is over resets what is left.
            if error.errno != errno.ENOTCONN:
                self.errors.append(error)
        except Exception as error:  # shown by whoever stops the server: a thread cannot fail a test
            self.errors.append(error)
        finally:
            self.open.discard(sock)
            with contextlib.suppress(OSError):
                sock.close()

    def stop(self):
        # shutdown() wakes the thread in accept(); close() alone does not.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for sock in list(self.open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        assert not self.errors, self.errors


def echo(sock):
    """Sends back what comes, until EOF, then EOF."""
    while data := sock.recv(CHUNK):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def digest(sock):
    """Reads to EOF, then answers with the SHA-256 of it, in hex."""
    h = hashlib.sha256()
    while data := sock.recv(CHUNK):
        h.update(data)
    sock.sendall(h.hexdigest().encode())


def pattern(size, seed):
    """Bytes that no other seed gives: a transfer that mixes streams, loses or repeats a piece has another checksum."""
    h = hashlib.shake_256(str(seed).encode())
    block = h.digest(1 << 20)
    whole, rest = divmod(size, len(block))
    return block * whole + block[:rest]


def recv_all(sock, deadline=PATIENCE):
    sock.settimeout(deadline)
    parts = []
    while data := sock.recv(CHUNK):
        parts.append(data)
    return b"".join(parts)


def recv_exactly(sock, size):
    parts = []
    while size:
        data = sock.recv(min(size, CHUNK))
        if not data:
            raise EOFError(f"{size} bytes short")
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


def exchange(client, data):
    """Sends everything, then EOF, while everything that comes is read; what came."""
    errors = []
    view = memoryview(data)

    def send():
        try:
            # In pieces: the timeout of sendall() is for the whole of what it is given.
            for begin in range(0, len(data), CHUNK):
                client.sendall(view[begin:begin + CHUNK])
            client.shutdown(socket.SHUT_WR)
        except OSError as error:
            errors.append(error)
    client.settimeout(PATIENCE)
    sender = threading.Thread(target=send)
    sender.start()
    got = recv_all(client)
    sender.join()
    assert not errors, errors
    return got


def there_and_back(adit, port):
    """A client of a forward to an echo server gets an answer."""
    with adit.connect(port) as client:
        client.sendall(b"hello")
        assert recv_exactly(client, 5) == b"hello"


class RefusingPort:
    """A port that is taken, so that nobody else gets it, and refuses every connection."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]

    def stop(self):
        self.sock.close()


class HttpServer:
    """Serves the files of a folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format, *args):
            pass

    def __init__(self, folder):
        handler = type("Handler", (self.Handler,),
                       {"__init__": lambda s, *a, **k: self.Handler.__init__(s, *a, directory=str(folder), **k)})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Postgres:
    """A private PostgreSQL on a Unix socket and a loopback port, with no durability. It refuses to run as root, so then
    another user runs it."""

    def __init__(self):
        self.bin = self.find()
        self.as_user, owner = [], os.geteuid()
        if owner == 0:
            user = next((name for name in ("postgres", "nobody") if self.exists(name)), None)
            if not user:
                pytest.skip("no user postgres or nobody, and PostgreSQL does not run as root")
            owner = pwd.getpwnam(user).pw_uid
            self.as_user = [need("setpriv"), f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
        self.port = free_port()
        self.process = None
        # After what may skip the test: from here on stop() removes it.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="adit-pg-"))
        os.chown(self.folder, owner, -1)

    @staticmethod
    def find():
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[4]))
        if found:
            return found[-1].parent
        on_path = shutil.which("postgres")
        if not on_path:
            pytest.skip("PostgreSQL's server is missing (Debian: apt-get install postgresql)")
        return pathlib.Path(on_path).parent

    @staticmethod
    def exists(name):
        try:
            pwd.getpwnam(name)
        except KeyError:
            return False
        return True

    def start(self):
        data = self.folder / "data"
        # From a folder that the other user may read.
        subprocess.run([*self.as_user, self.bin / "initdb", "-D", data, "-U", "adit", "-A", "trust", "--no-sync",
                        "--no-locale", "-E", "UTF8"], check=True, capture_output=True, cwd="/")
        self.process = Process([*self.as_user, self.bin / "postgres", "-D", data, "-p", self.port,
                                "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}",
                                "-c", "fsync=off", "-c", "shared_buffers=16MB"],
                               self.folder / "server.log", cwd="/")
        self.process.wait_log("ready to accept connections")
        return self

    def stop(self):
        if self.process:
            # Fast: without waiting for clients, but it removes its shared memory, which one that is killed leaves.
            self.process.signal(signal.SIGINT)
            try:
                self.process.wait()
            finally:
                self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
