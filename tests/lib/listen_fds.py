"""Hands sockets to a program as systemd does (sd_listen_fds(3)): listen_fds.py [NAME=KIND:WHERE...] -- PROGRAM ARGUMENTS

KIND: tcp (WHERE: a port of 127.0.0.1), tcp6 (of ::1), unix (a path), udp (a port), and bound (a port that nobody listens on).
With $FOR_ANOTHER set, the sockets are said to be another process's."""

import os
import socket
import sys

FIRST = 3
FAMILIES = {"tcp": (socket.AF_INET, socket.SOCK_STREAM), "tcp6": (socket.AF_INET6, socket.SOCK_STREAM),
            "unix": (socket.AF_UNIX, socket.SOCK_STREAM), "udp": (socket.AF_INET, socket.SOCK_DGRAM),
            "bound": (socket.AF_INET, socket.SOCK_STREAM)}


def make(kind, where):
    made = socket.socket(*FAMILIES[kind])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(where if kind == "unix" else ("::1" if kind == "tcp6" else "127.0.0.1", int(where)))
    if kind in ("tcp", "tcp6", "unix"):
        made.listen()
    return made


def main():
    end = sys.argv.index("--")
    sockets, names = [], []
    for spec in sys.argv[1:end]:
        name, _, rest = spec.partition("=")
        sockets.append(make(*rest.split(":", 1)))
        names.append(name)
    # Above where they are to be, so that none is written over.
    high = [os.dup2(one.fileno(), FIRST + 100 + i) for i, one in enumerate(sockets)]
    for i, fd in enumerate(high):
        os.dup2(fd, FIRST + i)
        os.close(fd)
    os.environ.update(LISTEN_PID=str(os.getppid() if "FOR_ANOTHER" in os.environ else os.getpid()),
                      LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=":".join(names))
    os.execv(sys.argv[end + 1], sys.argv[end + 1:])


main()
