"""What an operator touches: reload, the control interface, the truth of the status, watching files, two daemons on one socket."""

import hashlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time
import urllib.error
import urllib.request

import pytest

from lib.adit import Adit, adit_path, libconfig_file
from lib.process import free_port, listens, need, need_root, wait_until
from lib.targets import digest, echo, exchange, pattern, recv_all, recv_exactly
from test_config import BROKEN, GOOD, broken


def get(adit, path, method="GET"):
    """Over the control socket: status and body."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(adit.folder / "control.sock"))
        client.sendall(f"{method} {path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n".encode())
        answer = b""
        while part := client.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def status(adit):
    code, body = get(adit, "/v1/status")
    assert code == 200
    return json.loads(body)


def tunnel(adit, name):
    return next(one for one in status(adit)["tunnels"] if one["name"] == name)


def ask(adit, command, *args, **more):
    return adit.run(command, "-s", adit.folder / "control.sock", *args, **more)


def answers(path):
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def wait_up(adit, *names):
    wait_until(lambda: answers(adit.folder / "control.sock"), "the control socket")
    done = ask(adit, "wait", "-t", "20", *names)
    assert done.returncode == 0, done.stderr + adit.log()


class Carrying:
    """A stream through a port that carries data both ways, checked, until it is asked to end."""

    def __init__(self, adit, port):
        self.client = adit.connect(port)
        self.sent = hashlib.sha256()
        self.got = hashlib.sha256()
        self.count = 0
        self.go_on = True
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while self.go_on:
                data = pattern(50000, self.count)
                self.client.sendall(data)
                self.sent.update(data)
                self.got.update(recv_exactly(self.client, len(data)))
                self.count += 1
        except OSError as error:
            self.error = error

    def survive(self):
        """It goes on now, and everything was right so far."""
        before = self.count
        wait_until(lambda: self.count > before + 2 or self.error, "more data on a stream that must survive")
        assert not self.error, self.error
        self.go_on = False
        self.thread.join(20)
        assert self.sent.digest() == self.got.digest()
        self.client.close()


# ---- reload under streams

@pytest.fixture
def two(adit, sshd, serve, tunnels):
    """Two tunnels over two hosts, each with its echo; `change` writes a changed configuration and reloads."""
    class Two:
        def __init__(self):
            self.servers = [sshd(), sshd()]
            self.targets = [serve(echo), serve(echo)]
            self.ports = [free_port(), free_port()]
            self.top = {"hosts": {f"h{i}": tunnels.host(self.servers[i]) for i in (0, 1)},
                        "tunnels": {f"t{i}": tunnels.local(self.ports[i], self.targets[i].port, via=f"h{i}")
                                    for i in (0, 1)}}
            adit.configure(**self.top)
            adit.start()
            wait_up(adit)

        def change(self, how, expected=0):
            how(self.top)
            adit.configure(**self.top)
            done = ask(adit, "reload")
            assert done.returncode == expected, done.stdout + done.stderr
            return done
    return Two()


def change_target(top, serve):
    top["tunnels"]["t0"]["to"] = f"127.0.0.1:{serve(digest).port}"


CHANGES = {
    "nothing": (lambda top: None, r"^= 2 unchanged$"),
    "a tunnel is added": (lambda top: top["tunnels"].update(
        new={"via": "h0", "local": f"127.0.0.1:{free_port()}", "to": "127.0.0.1:1", "required": False}), r"^\+ tunnel new$"),
    "the other tunnel goes": (lambda top: top["tunnels"].pop("t1"), r"^- tunnel t1$"),
    "the target": (lambda top: top["tunnels"]["t0"].update(to="127.0.0.1:1"), r"^~ tunnel t0: to$"),
    "limits": (lambda top: top["tunnels"]["t0"].update(max_streams=7, hold_timeout=3), r"^~ tunnel t0: .*max_streams"),
    "the access list": (lambda top: top["tunnels"]["t0"].update(allow=["10.0.0.0/8"]), r"^~ tunnel t0: allow$"),
    "the listener": (lambda top: top["tunnels"]["t0"].update(local=f"127.0.0.1:{free_port()}"), r"^~ tunnel t0: "),
    "the host": (lambda top: top["hosts"]["h0"].update(ciphers=["aes128-ctr"]), r"^~ host h0: ciphers"),
    "the host, live": (lambda top: top["hosts"]["h0"].update(keepalive_interval=9), r"^~ host h0: keepalive_interval$"),
    "the log": (lambda top: top.update(log_level="debug"), r"^~ log_level$"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_streams_survive_a_reload(what, adit, two):
    how, line = CHANGES[what]
    stream = Carrying(adit, two.ports[0])
    wait_until(lambda: stream.count > 2, "data")
    how(two.top)
    adit.configure(**two.top)
    dry = ask(adit, "reload", "--dry-run")
    done = ask(adit, "reload")
    assert done.returncode == 0, done.stderr
    assert dry.stdout == done.stdout
    assert re.search(line, done.stdout, re.M), done.stdout
    stream.survive()
    assert status(adit)["config"]["generation"] == 2
    adit.stop()


def test_new_streams_go_to_the_new_target(adit, two, serve):
    old = adit.connect(two.ports[0])
    assert exchange_some(old) == b"some"
    two.change(lambda top: change_target(top, serve))
    with adit.connect(two.ports[0]) as client:
        client.sendall(b"abc")
        client.shutdown(socket.SHUT_WR)
        assert recv_all(client).decode() == hashlib.sha256(b"abc").hexdigest()
    assert exchange_some(old) == b"some"
    old.close()
    adit.stop()


def exchange_some(client):
    client.sendall(b"some")
    return recv_exactly(client, 4)


def test_a_moved_listener_leaves_nobody_outside(adit, two):
    port = free_port()
    two.change(lambda top: top["tunnels"]["t0"].update(local=f"127.0.0.1:{port}"))
    with adit.connect(port) as client:
        assert exchange(client, b"moved") == b"moved"
    wait_until(lambda: not listens(two.ports[0]), "the end of the old listener")
    adit.stop()


def test_the_control_socket_and_http_listen_move_with_a_reload(adit, two, serve, folder):
    taken, port = serve(echo), free_port()
    two.change(lambda top: top.update(control_socket=str(folder / "moved.sock"), control_mode="0660",
                                      http_listen=f"127.0.0.1:{port}"))
    assert not (folder / "control.sock").exists()
    assert (folder / "moved.sock").stat().st_mode & 0o777 == 0o660
    done = adit.run("reload", "-c", adit.config_path)
    assert done.returncode == 0 and done.stdout == "= 2 unchanged\n"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=10) as answer:
        assert answer.status == 200
    # Where it cannot listen, it says so, and stays where it is.
    two.top["http_listen"] = f"127.0.0.1:{taken.port}"
    adit.configure(**two.top)
    done = adit.run("reload", "-c", adit.config_path)
    assert done.returncode == 0
    assert re.search(rf"^! http_listen: .*127\.0\.0\.1:{taken.port}: .*in use$", done.stdout, re.M), done.stdout
    adit.wait_log(f"listen-failed.*http_listen.*{taken.port}")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=10) as answer:
        assert answer.status == 200
    adit.stop()
    assert not (folder / "moved.sock").exists()


def test_a_file_of_errors_fills_neither_the_log_nor_the_status(adit, two):
    adit.config_path.write_text("hosts: {\n" + "".join(f"  h{i}: {{ prot = 1; }};\n" for i in range(1000)) + "};\n", encoding="ascii")
    done = ask(adit, "reload")
    assert done.returncode == 78
    assert done.stderr.count("a host has no key `prot`") == 1000
    assert adit.log().count("config-error") == 100
    assert "errors=1000" in adit.log()
    error = status(adit)["config"]["error"]
    assert error.count("`prot`") == 20 and error.endswith("and 980 more: `adit check` prints all")


def test_reloads_keep_no_descriptors(adit, two):
    def count():
        return len(os.listdir(f"/proc/{adit.process.pid}/fd"))
    good = adit.config_path.read_text()
    for text, code in ((good, 0), ("nonsense", 78)):
        adit.config_path.write_text(text)
        before = count()
        for _ in range(10):
            assert ask(adit, "reload").returncode == code
        wait_until(lambda b=before: count() < b + 10, lambda b=before: f"{b} descriptors, not {count()}")
    adit.stop()


def test_a_reload_changes_what_is_logged(adit, two):
    def tries(level):
        two.change(lambda top: top.update(log_level=level))
        before = len(adit.log())
        assert ask(adit, "restart", "t0").returncode == 0
        wait_up(adit)
        return adit.log()[before:]
    assert " debug " in tries("debug")
    assert tries("error") == ""
    assert " info " in tries("info")
    adit.stop()


def test_a_file_without_a_tunnel_is_taken_over_where_that_is_asked_for(adit, two):
    done = two.change(lambda top: (top.pop("hosts"), top.pop("tunnels")))
    assert done.stdout.splitlines() == ["- tunnel t0", "- tunnel t1", "- host h0", "- host h1", "= 0 unchanged"]
    assert status(adit)["tunnels"] == [] and not listens(two.ports[0])
    adit.stop()


@pytest.mark.parametrize("break_it, line", [
    (lambda text: text.replace("via = \"h1\"", "via = \"h9\""), "h9"),
    (lambda text: text + "tunels = { };\n", "tunels"),
    (lambda text: text + "{{{\n", "missing"),
    (lambda text: text.replace("port = ", "prot = ", 1), "prot"),
])
def test_a_bad_file_changes_nothing_and_shows_until_a_good_one(break_it, line, adit, two):
    stream = Carrying(adit, two.ports[0])
    good = adit.config_path.read_text()
    bad = break_it(good)
    assert bad != good
    adit.config_path.write_text(bad)
    number = next(i for i, text in enumerate(bad.splitlines(), 1) if text not in good.splitlines())
    done = ask(adit, "reload")
    assert done.returncode == 78 and not done.stdout
    assert f"{adit.config_path}:{number}: " in done.stderr and line in done.stderr, done.stderr
    assert f"{adit.config_path}:{number}: " in status(adit)["config"]["error"]
    assert status(adit)["config"]["generation"] == 1
    assert get(adit, "/v1/reload", "POST")[0] == 409
    assert "\nadit_config_last_reload_successful 0\n" in get(adit, "/metrics")[1]
    assert "could not be read again" in ask(adit, "status").stdout
    stream.survive()
    adit.config_path.write_text(good)
    adit.process.signal(signal.SIGHUP)
    wait_until(lambda: status(adit)["config"]["error"] == "", "the good configuration")
    assert status(adit)["config"]["generation"] == 2
    assert "\nadit_config_last_reload_successful 1\n" in get(adit, "/metrics")[1]
    adit.stop()


def test_a_renamed_tunnel_keeps_its_unix_socket_and_takes_it_along_at_the_end(adit, sshd, serve, tunnels, folder):
    hosts, path = {"server": tunnels.host(sshd())}, folder / "path.sock"
    one = {"via": "server", "local": f"unix:{path}", "to": f"127.0.0.1:{serve(echo).port}"}
    adit.configure(hosts=hosts, tunnels={"before": one})
    adit.start()
    wait_up(adit)
    inode = path.stat().st_ino
    adit.configure(hosts=hosts, tunnels={"after": one})
    assert ask(adit, "reload").stdout.splitlines()[:2] == ["+ tunnel after", "- tunnel before"]
    wait_up(adit, "after")
    assert path.stat().st_ino == inode
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        assert exchange(client, b"renamed") == b"renamed"
    adit.stop()
    assert not path.exists()


def test_a_running_daemon_refuses_what_is_broken_in_forty_ways(adit, folder):
    port = free_port()
    adit.env["ADIT_SOCKET"] = str(folder / "control.sock")
    adit.configure(GOOD % {"port": port})
    adit.start().wait_listening(port)
    assert len(BROKEN) >= 40
    for name in BROKEN:
        text, line, words = broken(name, port)
        adit.configure(text)
        done = adit.run("reload")
        assert done.returncode == 78 and not done.stdout, (name, done.stdout + done.stderr)
        assert re.search(rf"^{re.escape(str(adit.config_path))}:{line}: .*({words})", done.stderr, re.M), \
            (name, done.stderr)
        assert status(adit)["config"]["generation"] == 1
    adit.config_path.unlink()
    os.mkfifo(adit.config_path)
    done = adit.run("reload")
    assert (done.returncode, done.stderr) == (78, f"{adit.config_path}: not a regular file\n")
    adit.config_path.unlink()
    adit.configure(GOOD % {"port": port})
    assert adit.run("reload").stdout == "= 1 unchanged\n"
    assert listens(port)
    adit.stop()


def test_every_change_in_turn_under_load(adit, two):
    streams = [Carrying(adit, two.ports[0]) for _ in range(4)]
    for what, (how, line) in CHANGES.items():
        before = [stream.count for stream in streams]
        done = two.change(how)
        assert re.search(line, done.stdout, re.M), (what, done.stdout)
        wait_until(lambda b=before: all(s.count > c for s, c in zip(streams, b)), f"data on every stream after: {what}")
    for stream in streams:
        stream.survive()
    adit.stop()


def test_watch_sees_files_that_are_written_replaced_added_and_removed(adit, sshd, serve, tunnels, folder):
    server, target = sshd(), serve(echo)
    (folder / "conf.d").mkdir()
    ports = [free_port() for _ in range(3)]
    top = {"watch": True, "include": "conf.d/*.conf", "hosts": {"server": tunnels.host(server)},
           "tunnels": {"a": tunnels.local(ports[0], target.port)}}
    adit.configure(**top)
    adit.start()
    wait_up(adit)

    def names():
        return [one["name"] for one in status(adit)["tunnels"]]
    one = libconfig_file(tunnels={"b": tunnels.local(ports[1], target.port)})
    (folder / "conf.d/b.conf").write_text(one)
    wait_until(lambda: names() == ["a", "b"], "the added file")
    # As an editor does: a new file in the place of the old one.
    (folder / "conf.d/b.new").write_text(one.replace("b =", "c ="))
    os.rename(folder / "conf.d/b.new", folder / "conf.d/b.conf")
    wait_until(lambda: names() == ["a", "c"], "the replaced file")
    (folder / "conf.d/b.conf").unlink()
    wait_until(lambda: names() == ["a"], "the removed file")
    top["tunnels"]["d"] = tunnels.local(ports[2], target.port)
    adit.configure(**top)
    wait_until(lambda: names() == ["a", "d"], "the file itself")
    adit.config_path.write_text("nonsense")
    wait_until(lambda: status(adit)["config"]["error"], "the error")
    assert names() == ["a", "d"]
    # As whoever writes it anew in pieces may leave it for a while.
    adit.config_path.write_text("# in a moment\n")
    wait_until(lambda: "all hosts and tunnels are gone" in status(adit)["config"]["error"], "the error")
    assert names() == ["a", "d"]
    adit.configure(**top)
    wait_until(lambda: not status(adit)["config"]["error"], "the good file")
    generation = status(adit)["config"]["generation"]
    (folder / "conf.d/notes.txt").write_text("not ours")
    time.sleep(1)
    assert status(adit)["config"]["generation"] == generation
    adit.stop()


def test_watch_sees_a_folder_that_comes_and_is_replaced_as_a_whole(adit, sshd, serve, tunnels, folder):
    server, target = sshd(), serve(echo)
    adit.configure(watch=True, include="site/conf.d/*.conf", hosts={"server": tunnels.host(server)},
                   tunnels={"a": tunnels.local(free_port(), target.port)})
    adit.start()
    wait_up(adit)

    def names():
        return sorted(one["name"] for one in status(adit)["tunnels"])

    def site(name, tunnel):
        (folder / name / "conf.d").mkdir(parents=True)
        (folder / name / "conf.d/x.conf").write_text(
            libconfig_file(tunnels={tunnel: tunnels.local(free_port(), target.port)}))
    site("site.new", "b")
    os.rename(folder / "site.new", folder / "site")
    wait_until(lambda: names() == ["a", "b"], "the folder that came")
    os.rename(folder / "site/conf.d", folder / "site/before")
    wait_until(lambda: names() == ["a"], "the folder that went")
    site("site.new", "c")
    os.rename(folder / "site", folder / "site.old")
    os.rename(folder / "site.new", folder / "site")
    wait_until(lambda: names() == ["a", "c"], "the folder that was replaced")
    # And in the one that is there now:
    (folder / "site/conf.d/x.conf").unlink()
    wait_until(lambda: names() == ["a"], "the removed file")
    adit.stop()


def test_a_second_daemon_on_the_socket_is_an_error_that_names_it(adit, two, folder):
    second = Adit(folder, "second")
    text = adit.config_path.read_text().replace(str(two.ports[0]), str(free_port()))
    second.config_path.write_text(text.replace(str(two.ports[1]), str(free_port())))
    done = second.run("run", "-c", second.config_path)
    assert done.returncode == 1
    assert f"{folder}/control.sock" in done.stderr and "somebody listens there already" in done.stderr
    assert get(adit, "/livez")[0] == 200
    # What a daemon left that was killed is replaced.
    adit.process.signal(signal.SIGKILL)
    wait_until(lambda: not adit.process.running(), "the end")
    adit.process = None
    assert (folder / "control.sock").exists()
    adit.start()
    wait_up(adit)
    adit.stop()


# ---- truth

def test_five_causes_have_five_reasons_that_say_what_to_do(adit, sshd, serve, tunnels, keys, folder):
    good, other = sshd(), sshd(host_keys=["host_ecdsa256", "host_ed25519"])
    stranger = keys.make("id_stranger", "-t", "ed25519")
    taken = serve(echo)
    changed = tunnels.host(other)
    known = folder / "known_changed"
    known.write_text(f"[127.0.0.1]:{other.port} {keys.blob('id_ed25519')}\n")
    changed["known_hosts"] = str(known)
    adit.configure(
        hosts={"refuses": tunnels.host(good, identity=str(stranger)), "changed": changed,
               "nowhere": {**tunnels.host(good), "address": "no-such-host.invalid"}, "good": tunnels.host(good)},
        tunnels={"login": tunnels.local(free_port(), 1, via="refuses"),
                 "key": tunnels.local(free_port(), 1, via="changed"),
                 "name": tunnels.local(free_port(), 1, via="nowhere"),
                 "port": {"via": "good", "remote": f"127.0.0.1:{taken.port}", "to": "127.0.0.1:1"},
                 "target": tunnels.local(free_port(), free_port(), via="good", probe="tcp")})
    adit.start()
    reasons = {}

    def all_said():
        if not answers(folder / "control.sock"):
            return False
        for one in status(adit)["tunnels"]:
            reasons[one["name"]] = one["reason"]
            assert one["state"] != "up"
        return all(reasons.values()) and "publickey" in reasons["login"] and "refuse" in reasons["port"] \
            and "no-such-host" in reasons["name"] and "refused" in reasons["target"].lower()
    wait_until(all_said, lambda: f"reasons: {json.dumps(reasons, indent=1)}")
    assert len(set(reasons.values())) == 5
    assert re.search(r"id_stranger.*publickey", reasons["login"])
    assert "changed" in reasons["key"] and str(known) in reasons["key"]
    assert str(taken.port) in reasons["port"]
    # What to do.
    assert "authorized_keys" in reasons["login"] and "`address`" in reasons["name"]
    assert f"ssh-keygen -R '[127.0.0.1]:{other.port}' -f {known}" in reasons["key"] and "adit host-key" in reasons["key"]
    assert "ss -tlnp" in reasons["port"] and "PermitListen" in reasons["port"]
    assert "does the service run" in reasons["target"] and "`to`" in reasons["target"]
    assert "is `to` its address as the server sees it?\n" in ask(adit, "status").stdout  # in one line
    adit.env["COLUMNS"] = "80"
    table = ask(adit, "status").stdout
    assert max(map(len, table.splitlines())) <= 80, table
    for word in ("next try in", "publickey", "no-such-host.invalid"):
        assert word in table, table
    assert "\x1b" not in table
    print(table)
    adit.stop()


def test_what_goes_down_is_said_at_once_and_what_comes_back_too(adit, two):
    assert tunnel(adit, "t0")["state"] == "up" and tunnel(adit, "t0")["reason"] == ""
    two.servers[0].stop()
    wait_until(lambda: tunnel(adit, "t0")["state"] == "down", "down")
    assert tunnel(adit, "t0")["reason"]
    assert tunnel(adit, "t1")["state"] == "up"
    assert get(adit, "/readyz")[0] == 503 and "t0" in get(adit, "/readyz")[1]
    assert ask(adit, "wait", "-t", "0.2", "t0").returncode == 75
    two.servers[0].start()
    wait_up(adit, "t?")
    assert get(adit, "/readyz") == (200, "ok\n")
    adit.stop()


def test_what_a_replaced_link_still_carries_is_reset_not_ended(adit, two, serve):
    """Half of an answer must not look like the whole: not when the server has the time to say EOF, either."""
    def half(sock):
        sock.sendall(b"half")
        while sock.recv(100):
            pass
    two.change(lambda top: (top.update(drain_timeout=0),
                            top["tunnels"]["t0"].update(to=f"127.0.0.1:{serve(half).port}")))
    with adit.connect(two.ports[0]) as client:
        assert recv_exactly(client, 4) == b"half"
        two.change(lambda top: top["hosts"]["h0"].update(ciphers=["aes128-ctr"]))
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    adit.stop()


def test_the_document_of_the_status_has_every_key(adit, two):
    whole = status(adit)
    (host, _), (one, _) = whole["hosts"], whole["tunnels"]
    for part, keys in ((whole, "version pid ready config hosts tunnels"), (whole["config"], "path generation loaded_at error"),
                       (host, "name state reason address since rtt_ms kex cipher host_key post_quantum reconnects next_try_s "
                              "bytes_in bytes_out"),
                       (one, "name state reason since via forwards"),
                       (one["forwards"][0], "kind listen to state reason streams streams_total held refused bytes_in bytes_out")):
        assert set(keys.split()) <= set(part), part
    for when in host["since"], one["since"], whole["config"]["loaded_at"]:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", when)
    adit.stop()


def test_the_table_says_how_much_and_how_far(adit, two):
    with adit.connect(two.ports[0]) as client:
        for _ in range(10):
            client.sendall(b"x" * 10000)
            recv_exactly(client, 10000)
        row = next(line for line in ask(adit, "status").stdout.splitlines() if line.startswith("t0 "))
        # streams, bytes each way, round-trip time, since when
        assert re.fullmatch(r"t0 +up +h0 +1 +98K +98K +\d+(\.\d)?ms +\d+s", row), row
    adit.stop()


# ---- what systemd is told

@pytest.fixture
def told(adit, folder):
    """What adit said to the notification socket so far, a list of lines."""
    lines = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hears:
        hears.bind(str(folder / "notify.sock"))
        hears.setblocking(False)
        adit.env["NOTIFY_SOCKET"] = str(folder / "notify.sock")

        def listen():
            try:
                while True:
                    lines.extend(hears.recv(65536).decode().splitlines())
            except BlockingIOError:
                return lines
        yield listen


def test_ready_is_said_when_every_required_tunnel_is_up(adit, sshd, serve, tunnels, told):
    server, target = sshd(), serve(echo)
    server.stop()
    adit.configure(drain_timeout=3, hosts={"server": tunnels.host(server), "gone": tunnels.host(server, port=free_port())},
                   tunnels={"one": tunnels.local(free_port(), target.port),
                            "optional": tunnels.local(free_port(), target.port, via="gone", required=False)})
    adit.start()
    wait_until(lambda: "STATUS=0 of 2 tunnels up" in told(), "the status")
    assert "READY=1" not in told()
    assert get(adit, "/readyz")[0] == 503
    server.start()
    wait_until(lambda: "READY=1" in told() and "STATUS=1 of 2 tunnels up" in told(), "READY")
    assert get(adit, "/readyz")[0] == 200
    told().clear()
    adit.process.signal(signal.SIGHUP)
    wait_until(lambda: "READY=1" in told(), "the end of the reload")
    assert told()[0] == "RELOADING=1" and re.match(r"MONOTONIC_USEC=\d+$", told()[1])
    adit.stop()
    assert "STOPPING=1" in told() and "STATUS=stopping" in told() and "EXTEND_TIMEOUT_USEC=8000000" in told()


def test_ready_started_is_said_at_once(adit, sshd, serve, tunnels, told):
    server = sshd()
    server.stop()
    port = free_port()
    adit.configure(ready="started", hosts={"server": tunnels.host(server)},
                   tunnels={"one": tunnels.local(port, serve(echo).port)})
    adit.start()
    wait_until(lambda: "READY=1" in told(), "READY")
    assert listens(port)
    assert status(adit)["ready"] and get(adit, "/readyz") == (200, "ok\n")
    adit.stop()


def test_a_tunnel_that_waits_for_demand_keeps_nobody_waiting(adit, sshd, serve, tunnels):
    server = sshd()
    server.stop()
    lazy = tunnels.local(free_port(), serve(echo).port, connect="on-demand")
    adit.configure(hosts={"server": tunnels.host(server)}, tunnels={"lazy": lazy})
    adit.start()
    wait_until(lambda: answers(adit.folder / "control.sock"), "the daemon")
    assert status(adit)["ready"] and get(adit, "/readyz") == (200, "ok\n")
    assert ask(adit, "wait", "-t", "20").returncode == 0
    assert ask(adit, "wait", "-t", "0.1", "lazy").returncode == 75
    with adit.connect(int(lazy["local"].split(":")[1])):
        wait_until(lambda: not status(adit)["ready"], "somebody who demands it")
        code, reasons = get(adit, "/readyz")
        assert code == 503 and "tunnel lazy is down" in reasons
    adit.stop()


# ---- the commands that look at a daemon

def on_a_terminal(command, env, until, columns=80):
    """What the command prints on a terminal, until a condition holds or it ends; the condition may change the terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    process = subprocess.Popen(command, stdout=theirs, env=env)
    os.close(theirs)
    output = b""
    try:
        while select.select([ours], [], [], 20)[0] and not until(output.decode(), ours):
            try:
                output += os.read(ours, 65536)
            except OSError:
                break
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return output.decode()


def test_a_terminal_gets_colours_and_watch_shows_what_changes(adit, two):
    command = adit.command("status", "-s", adit.folder / "control.sock")
    adit.env["TERM"] = "xterm"

    def shown(**env):
        return on_a_terminal(command, {name: value for name, value in {**adit.env, **env}.items() if value is not None},
                             lambda *_: False)
    assert "\x1b[" in shown() and "\x1b[" in shown(NO_COLOR="")
    assert "\x1b" not in shown(NO_COLOR="1") + shown(TERM="dumb") + shown(TERM=None) + ask(adit, "status").stdout

    def until(text, _):
        if "up" in text and tunnel(adit, "t0")["state"] == "up":
            ask(adit, "stop", "t0")
        return "stopped" in text
    text = on_a_terminal([*command, "--watch"], adit.env, until)
    assert "stopped" in text and text.count("\x1b[H\x1b[2J") >= 2

    def twice(text, _):
        return text.count("TUNNEL") >= 2
    assert "\x1b" not in on_a_terminal([*command, "--watch"], {**adit.env, "TERM": "dumb"}, twice)
    adit.stop()


def test_watch_follows_the_width_of_its_terminal(adit, folder):
    """A target of 60 letters is on the line of its forward, and then, on a terminal that got narrower, on one of its own."""
    target = "a" * 57 + ":80"
    adit.configure(hosts={"h": {"address": "127.0.0.1", "user": "u", "agent": str(folder / "none")}},
                   tunnels={"t": {"via": "h", "local": "127.0.0.1:0", "to": target, "enabled": False}})
    adit.start().wait_log("started")
    adit.env["TERM"] = "xterm"

    def until(text, terminal):
        wide, narrow = f"-> {target}  " in text, re.search(r"^ +-> a+", text, re.M)
        if wide:
            termios.tcsetwinsize(terminal, (24, 70))
        return narrow or text.count("TUNNEL") > 20
    command = adit.command("status", "-c", adit.config_path)
    text = on_a_terminal([*command, "--watch"], adit.env, until, 200)
    assert re.search(r"^ +-> a+", text, re.M) and f"-> {target}  " in text
    # A telephone's: as if it had 40 columns, and not 80.
    assert re.search(r"^ +-> a+\.\.a+:80", on_a_terminal(command, adit.env, lambda *_: False, 30), re.M)
    adit.stop()


def test_watch_shows_as_many_lines_as_the_terminal_has(adit, folder):
    adit.configure(hosts={"h": {"address": "127.0.0.1", "user": "u", "agent": str(folder / "none")}},
                   tunnels={f"t{n}": {"via": "h", "local": "127.0.0.1:0", "to": "x:80", "enabled": False} for n in range(30)})
    adit.start().wait_log("started")
    adit.env["TERM"] = "xterm"
    command = adit.command("status", "-c", adit.config_path)
    whole = on_a_terminal(command, adit.env, lambda *_: False).splitlines()
    text = on_a_terminal([*command, "--watch"], adit.env, lambda text, _: text.count("TUNNEL") > 1)
    picture = text.split("\x1b[H\x1b[2J")[1].splitlines()
    assert len(picture) == 23 and picture[:22] == whole[:22]
    assert picture[22] == f"({len(whole) - 22} more lines)"
    few = on_a_terminal([*command, "--watch", "t1?"], adit.env, lambda text, _: text.count("TUNNEL") > 1)
    assert "more lines" in few and "more lines" not in on_a_terminal([*command, "--watch", "t1"], adit.env,
                                                                    lambda text, _: text.count("TUNNEL") > 1)
    adit.stop()


def test_a_control_socket_that_is_not_ones_own_is_not_permitted(adit, two):
    need_root("another user")
    with tempfile.TemporaryDirectory(dir="/tmp") as public:
        os.chmod(public, 0o755)
        program = shutil.copy(adit_path(), public)
        config = pathlib.Path(public, "adit.conf")
        config.write_text(f'control_socket = "{adit.folder}/other.sock"; hosts: {{}}; tunnels: {{}};')
        for arguments in (["status", "-s", str(adit.folder / "control.sock")], ["run", "-c", str(config)]):
            done = subprocess.run([program, *arguments], timeout=20, capture_output=True, text=True, user=65534,
                                  group=65534, extra_groups=[], check=False)
            assert done.returncode == 77 and "Permission denied" in done.stderr, done.stderr
    adit.stop()


def test_stop_start_and_restart_by_pattern(adit, two):
    assert ask(adit, "stop", "t*").returncode == 0
    assert [one["state"] for one in status(adit)["tunnels"]] == ["stopped", "stopped"]
    assert not listens(two.ports[0])
    assert ask(adit, "start", "t1").returncode == 0
    wait_up(adit, "t1")
    assert tunnel(adit, "t0")["state"] == "stopped"
    assert ask(adit, "restart", "t0", "t1").returncode == 0
    wait_up(adit, "t0", "t1")
    done = ask(adit, "stop", "nobody", "t0")
    assert done.returncode == 1 and "no tunnel has such a name: nobody" in done.stderr
    assert ask(adit, "stop", 'a"b\\c').stderr == 'adit: no tunnel has such a name: a"b\\c\n'
    assert tunnel(adit, "t0")["state"] == "stopped"  # as systemctl does it
    adit.stop()


def test_without_a_daemon_they_say_so_with_69(adit, folder):
    for command in ("status", "wait", "reload", "streams", "events"):
        done = adit.run(command, "-s", folder / "nobody.sock")
        assert done.returncode == 69 and "no adit is running here" in done.stderr


def test_a_file_without_a_control_socket_means_no_other_daemon(adit, two, folder):
    """That one listens where the socket is by default."""
    (folder / "adit").mkdir()
    (folder / "adit/control.sock").symlink_to(folder / "control.sock")
    adit.env["XDG_RUNTIME_DIR"] = str(folder)
    assert adit.run("status").returncode == 0
    other = folder / "other.conf"
    other.write_text('control_socket = "";\n', encoding="ascii")
    for command in (["status"], ["stop", "t0"], ["wait"], ["reload"], ["streams"], ["events"]):
        done = adit.run(*command, "-c", other)
        assert done.returncode == 69 and not done.stdout
        assert f"{other} says that there is no control socket" in done.stderr, done.stderr
    assert tunnel(adit, "t0")["state"] == "up"
    assert adit.run("status", "-c", other, "-s", folder / "control.sock").returncode == 0
    adit.env["ADIT_SOCKET"] = str(folder / "control.sock")
    assert adit.run("status", "-c", other).returncode == 0
    adit.stop()


def test_events_and_streams_show_what_happens(adit, two):
    process = subprocess.Popen(adit.command("events", "-s", adit.folder / "control.sock"), stdout=subprocess.PIPE,
                               env=adit.env, text=True)

    def event():
        ask(adit, "restart", "t0")  # until it listens
        return select.select([process.stdout], [], [], 0)[0]
    try:
        wait_until(event, "an event")
        line = json.loads(process.stdout.readline())
        assert line["event"] and line["time"].endswith("Z") and line["level"]
        wait_up(adit)
        with adit.connect(two.ports[0]) as client:
            exchange_some(client)
            streams = json.loads(ask(adit, "streams", "--json").stdout)["streams"]
            assert [(one["tunnel"], one["bytes_in"], one["bytes_out"]) for one in streams] == [("t0", 4, 4)]
            assert "t0" in ask(adit, "streams", "t?").stdout and not ask(adit, "streams", "t1").stdout
            two.change(lambda top: top["tunnels"].pop("t0"))
            assert "t0" in ask(adit, "streams", "t0").stdout  # it drains
        wait_until(lambda: ask(adit, "streams", "t0").returncode == 1, "the end of the drain")
        unknown = ask(adit, "streams", "t1", "t0")
        assert (unknown.stdout, unknown.stderr) == ("", "adit: no tunnel has such a name: t0\n")
    finally:
        process.kill()
        process.communicate()
    adit.stop()


def test_while_it_drains_at_its_end_it_says_so(adit, sshd, serve, tunnels):
    server, port = sshd(), free_port()
    adit.configure(hosts={"server": tunnels.host(server), "away": tunnels.host(server, port=free_port())},
                   tunnels={"one": tunnels.local(port, serve(echo).port), "two": tunnels.local(free_port(), 1, via="away")})
    adit.start()
    wait_up(adit, "one")
    with adit.connect(port) as client, subprocess.Popen(adit.command("wait", "-s", adit.folder / "control.sock"),
                                                        stderr=subprocess.PIPE, env=adit.env, text=True) as waiting:
        exchange_some(client)
        adit.process.signal(signal.SIGTERM)
        wait_until(lambda: tunnel(adit, "one")["state"] == "stopped", "the drain")
        assert [one["reason"] for one in status(adit)["tunnels"]] == ["adit ends", "adit ends"]
        assert "one" in ask(adit, "streams").stdout
        assert get(adit, "/readyz")[0] == 503
        adit.process.signal(signal.SIGHUP)
        # Who waits is told, also who comes late.
        assert waiting.communicate()[1] == "adit: adit ends\n" and waiting.returncode == 69
        late = ask(adit, "wait", "one")
        assert (late.returncode, late.stderr) == (69, "adit: adit ends\n")
        for change in ["start", "one"], ["restart", "two"], ["reload"]:
            late = ask(adit, *change)
            assert (late.returncode, late.stderr) == (69, "adit: adit ends\n")
        assert tunnel(adit, "one")["reason"] == "adit ends"
    adit.stop()
    assert "reloaded" not in adit.log()


def test_http_serves_reading_to_hosts_that_are_its_own(adit, sshd, serve, tunnels):
    port = free_port()
    adit.configure(http_listen=f"127.0.0.1:{port}", hosts={"server": tunnels.host(sshd())},
                   tunnels={"one": tunnels.local(free_port(), serve(echo).port)})
    adit.start()
    wait_up(adit)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/status", timeout=10) as answer:
        assert json.load(answer)["tunnels"][0]["state"] == "up"
    for host, method, code in (("evil.example", "GET", 421), ("127.0.0.1", "POST", 405)):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/reload" if method == "POST" else
                                         f"http://127.0.0.1:{port}/v1/status", method=method, headers={"Host": host})
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request, timeout=10)
        assert error.value.code == code
    adit.stop()


def test_a_slow_client_is_cut_off(adit, two):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(adit.folder / "control.sock"))
        client.sendall(b"GET /v1/status HTT")
        began = time.monotonic()
        while client.recv(4096):
            pass
        assert 5 < time.monotonic() - began < 25
    adit.stop()


def test_metrics_please_promtool(adit, two):
    need("promtool")
    with adit.connect(two.ports[0]) as client:
        exchange_some(client)
    done = subprocess.run(["promtool", "check", "metrics"], input=get(adit, "/metrics")[1], text=True, capture_output=True,
                          check=False)
    assert done.returncode == 0 and not done.stdout and not done.stderr, done.stdout + done.stderr
    adit.stop()


def test_status_and_metrics_count_reconnects_of_all_connections(adit, sshd, one_tunnel):
    server = sshd()
    one_tunnel(server, 1, connections=2)
    wait_until(lambda: adit.log().count("link-up") == 2, "both connections")
    server.kill_sessions()
    wait_until(lambda: adit.log().count("link-up") == 4, "both connections again")
    assert status(adit)["hosts"][0]["reconnects"] == 2
    assert '\nadit_link_reconnects_total{host="server"} 2\n' in get(adit, "/metrics")[1]
