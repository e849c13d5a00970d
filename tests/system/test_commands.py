"""The commands that need no daemon, and what adit does with signals."""

import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys

import pytest

from lib.adit import Adit
from lib.process import DEADLINE, free_port, listens, need, wait_until
from lib.targets import echo, recv_exactly, reset


def there_and_back(client, data=b"hello"):
    client.sendall(data)
    assert recv_exactly(client, len(data)) == data


@pytest.mark.valgrind
def test_version_names_the_libraries(adit):
    done = adit.run("--version")
    assert done.returncode == 0
    assert re.match(r"adit \d+\.\d+", done.stdout)
    assert re.search(r"libevent.*2\.1", done.stdout) and re.search(r"OpenSSL.*3\.", done.stdout)


def test_help_goes_to_stdout(adit):
    done = adit.run("--help")
    assert done.returncode == 0 and not done.stderr
    commands = re.findall(r"^  ([a-z-]+) ", done.stdout, re.M)
    assert {"run", "check", "open", "status", "exec", "import"} < set(commands)
    for command in commands:
        own = adit.run(command, "--help")
        assert own.returncode == 0 and "usage" in own.stdout.lower()
        assert command in ("open", "import") or adit.run(command, "-h").stdout == own.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run", "--no-such-option"], ["check", "surplus"], ["open"],
                                       ["open", "-L", "nonsense", "host"], ["run", "-c"]])
def test_wrong_usage_exits_64(arguments, adit):
    done = adit.run(*arguments)
    assert done.returncode == 64, done.stderr
    assert done.stderr


def ends_with_output(adit, stdout, *arguments):
    """The status and the errors of a command that writes there."""
    done = subprocess.run(adit.command(*arguments), stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=DEADLINE,
                          env=adit.env, check=False)
    return done.returncode, done.stderr


# the last one's output is longer than what stdio keeps
PRINTS = [["--version"], ["--help"], ["status", "--help"], ["check"], ["import", "-F", "none", "-L", "1024:a:2", "host"],
          ["import", "-F", "none", *(f"-L{port}:a:2" for port in range(1024, 1224)), "host"]]


@pytest.mark.parametrize("arguments", PRINTS, ids=lambda arguments: " ".join(arguments)[:40])
def test_what_cannot_be_written_is_an_error(arguments, adit, folder):
    if arguments[0] == "import":
        need("ssh")
    if arguments == ["check"]:
        adit.configure(hosts={"h": {"address": "x"}}, tunnels={})
        arguments = ["check", "-c", adit.config_path]
    with open("/dev/full", "wb") as full:
        assert ends_with_output(adit, full, *arguments) == (1, "adit: standard output: No space left on device\n")
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as nobody:
        assert ends_with_output(adit, nobody, *arguments) == (0, "")


def test_a_status_that_cannot_be_written_is_an_error(adit, sshd, serve, one_tunnel):
    one_tunnel(sshd(), serve(echo).port)
    for command in ["status"], ["status", "--json"], ["status", "--watch"], ["reload", "--dry-run"]:
        with open("/dev/full", "wb") as full:
            status, errors = ends_with_output(adit, full, *command, "-c", adit.config_path)
        assert status == 1 and "adit: standard output: No space left on device\n" in errors


@pytest.mark.parametrize("command", [["status", "--watch"], ["events"]])
def test_who_goes_on_ends_when_nobody_reads(command, adit, sshd, serve, one_tunnel):
    one_tunnel(sshd(), serve(echo).port)
    reading, writing = os.pipe()
    with subprocess.Popen(adit.command(*command, "-c", adit.config_path), stdout=writing, env=adit.env) as process:
        os.close(writing)
        os.close(reading)

        def ended():
            adit.run("restart", "one", "-c", adit.config_path)  # an event
            return process.poll() is not None
        try:
            wait_until(ended, "the end of the command")
        finally:
            process.kill()


def test_a_misspelt_command_gets_a_hint(adit):
    done = adit.run("statsu")
    assert done.returncode == 64 and not done.stdout
    assert done.stderr.splitlines() == ['adit: there is no command "statsu"; did you mean "status"?']
    done = adit.run("check", "--confg=x")
    assert done.returncode == 64
    assert done.stderr.startswith("adit check: ")


def test_wait_says_what_it_waited_for(adit, sshd, serve, one_tunnel):
    server = sshd()
    server.stop()
    one_tunnel(server, serve(echo).port)
    adit.wait_log("(?i)refused")
    done = adit.run("wait", "-t", "0.1", "-c", adit.config_path)
    assert done.returncode == 75 and not done.stdout
    assert re.search("^one .*down", done.stderr, re.M) and "refused" in done.stderr


def test_wait_ends_with_the_daemon_and_takes_long_times(adit, sshd, serve, one_tunnel):
    server = sshd()
    server.stop()
    one_tunnel(server, serve(echo).port)
    # In milliseconds that is a little more than 2^32.
    with subprocess.Popen(adit.command("wait", "-t", "4294967.3", "-c", adit.config_path), stderr=subprocess.PIPE,
                          env=adit.env, text=True) as waiting:
        folder = pathlib.Path(f"/proc/{waiting.pid}")

        def waits():
            links = [os.readlink(link) for link in (folder / "fd").iterdir()]
            return any("socket" in link for link in links) and "\nState:\tS" in (folder / "status").read_text()
        wait_until(lambda: waiting.poll() is not None or waits(), "the question")
        adit.stop()
        assert waiting.communicate()[1] == "adit: adit ends\n"
        assert waiting.returncode == 69


def test_wait_for_no_time_asks_whether_they_are_up_now(adit, sshd, serve, one_tunnel):
    one_tunnel(sshd(), serve(echo).port)
    assert adit.run("wait", "-t", "20", "-c", adit.config_path).returncode == 0
    assert {adit.run("wait", "-t", "0", "-c", adit.config_path).returncode for _ in range(20)} == {0}
    adit.run("stop", "one", "-c", adit.config_path)
    done = adit.run("wait", "-t", "0", "one", "-c", adit.config_path)
    assert done.returncode == 75 and done.stderr.startswith("adit: timed out\n")
    assert re.search("^one .*stopped", done.stderr, re.M)
    adit.stop()


def test_events_end_with_the_daemon(adit):
    adit.configure(hosts={}, tunnels={})
    adit.start().wait_log("started")
    with subprocess.Popen(adit.command("events", "-c", adit.config_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=adit.env, text=True) as process:
        def event():
            adit.run("reload", "-c", adit.config_path)  # until it listens
            return select.select([process.stdout], [], [], 0)[0]
        try:
            wait_until(event, "an event")
            adit.stop()
            lines, errors = process.communicate()
            assert errors == "adit: adit has ended\n" and process.returncode == 69
            assert json.loads(lines.splitlines()[-1])["event"] == "stopped"
        finally:
            process.kill()


def test_a_log_that_may_not_grow_stops_nothing(adit):
    need("prlimit")
    adit.configure(hosts={}, tunnels={})
    adit.start(wrapper=["prlimit", "--fsize=200", "--"]).wait_log("started")
    for _ in range(5):
        assert adit.run("reload", "-c", adit.config_path).returncode == 0
    assert adit.log_path.stat().st_size == 200
    adit.stop()


def test_the_level_of_the_log_holds_from_the_first_line(adit):
    adit.configure(hosts={}, tunnels={}, log_level="error")
    adit.start()
    wait_until(lambda: adit.run("status", "-c", adit.config_path).returncode == 0, "the daemon")
    adit.stop()
    assert adit.log() == ""


def test_a_signal_that_comes_before_all_is_read_ends_nothing(adit, folder):
    """And one that whoever started adit had blocked is heard."""
    adit.configure(hosts={}, tunnels={})
    text = adit.config_path.read_text(encoding="utf-8")
    adit.config_path.unlink()
    os.mkfifo(adit.config_path)
    blocked = [sys.executable, "-c", "import os, signal, sys\n"
               "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])\n"
               "os.execv(sys.argv[1], sys.argv[1:])"]
    for wrapper in (), blocked:
        adit.start(wrapper=wrapper)
        with open(adit.config_path, "w", encoding="utf-8") as pipe:  # when it reads
            adit.process.signal(signal.SIGHUP)
            adit.process.signal(signal.SIGUSR1)
            pipe.write(text)
        adit.wait_log("reload-failed")  # a pipe is not read again
        adit.stop()
        adit.log_path.unlink()


def test_what_keeps_it_from_starting_has_the_journals_level(adit, folder):
    adit.env["JOURNAL_STREAM"] = "1:2"
    adit.configure("x = 1;\nhosts: { a: { prot = 1; }; };")
    done = adit.run("run", "-c", adit.config_path)
    assert done.returncode == 78 and [line[:3] for line in done.stderr.splitlines()] == ["<3>", "<3>"]
    assert not adit.run("check", "-c", adit.config_path).stderr.startswith("<")
    adit.configure(hosts={}, tunnels={})
    done = adit.run("run", "-c", adit.config_path, "-s", "/no such folder/here/x.sock")
    assert done.returncode != 0 and done.stderr.startswith("<3>adit: control_socket: ")


def test_the_folder_of_the_control_socket_lets_in_whom_the_socket_does(adit, folder):
    for mode, expected in ("0600", 0o700), ("0660", 0o710), ("0666", 0o711):
        sub = folder / f"sub{mode}"
        adit.configure(hosts={}, tunnels={}, control_socket=str(sub / "c.sock"), control_mode=mode)
        adit.start().wait_log("started")
        assert sub.stat().st_mode & 0o777 == expected
        adit.stop()
        adit.log_path.unlink()


def test_the_status_has_the_whole_path_of_the_file(adit, folder):
    adit.configure(hosts={}, tunnels={})
    adit.start("run", "-c", os.path.relpath(adit.config_path)).wait_log("started")
    status = json.loads(adit.run("status", "--json", "-c", adit.config_path).stdout)
    assert os.path.isabs(status["config"]["path"]) and os.path.samefile(status["config"]["path"], adit.config_path)
    adit.stop()


def test_http_listen_is_tried_until_its_address_is_free(adit):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        adit.configure(hosts={}, tunnels={}, http_listen=f"127.0.0.1:{port}")
        adit.start().wait_log("listen-failed reason=.http_listen: ")
    adit.wait_log(f"http-listening listen=127.0.0.1:{port}")
    adit.stop()
    assert adit.log().count("listen-failed") == 1


def test_an_empty_name_of_a_file_is_said(adit):
    done = adit.run("check", "-c", "")
    assert done.returncode == 78 and done.stderr == "the name of the configuration's file is empty\n"


def test_without_a_daemon_it_is_said_once(adit):
    adit.configure(hosts={}, tunnels={})
    done = adit.run("stop", "one", "two", "-c", adit.config_path)
    assert done.returncode == 69 and done.stderr.count("no adit is running here") == 1


def test_status_of_nobody_is_an_error(adit, sshd, serve, one_tunnel):
    one_tunnel(sshd(), serve(echo).port)
    for names in ["nobody"], ["one", "nobody"]:
        for form in [], ["--json"]:
            done = adit.run("status", *form, *names, "-c", adit.config_path)
            assert done.returncode == 1 and not done.stdout and "no tunnel has such a name: nobody" in done.stderr


def test_open_forwards_without_a_file(adit, sshd, serve, keys, folder):
    server, target, port = sshd(), serve(echo), free_port()
    (folder / ".ssh").mkdir(mode=0o700)
    (folder / ".ssh/known_hosts").write_text(server.known_hosts(), encoding="ascii")
    adit.start("open", "-L", f"{port}:127.0.0.1:{target.port}", "-i", keys.path("id_ed25519"), "-p", server.port,
               "-o", f"UserKnownHostsFile={folder}/.ssh/known_hosts", f"{server.user}@127.0.0.1")
    adit.wait_listening(port)
    for _ in range(2):
        with adit.connect(port) as client:
            there_and_back(client)
        server.kill_sessions()
    adit.stop(signal.SIGHUP)  # the terminal was closed


def test_open_goes_on_without_its_terminal_if_it_shall(adit):
    port = free_port()
    adit.start("open", "-L", f"{port}:127.0.0.1:1", "-p", free_port(), "root@127.0.0.1", wrapper=("nohup",))
    adit.wait_listening(port)
    ignored = re.search(r"^SigIgn:\s*(\w+)", pathlib.Path(f"/proc/{adit.process.pid}/status").read_text(), re.M)[1]
    assert int(ignored, 16) & 1 << signal.SIGHUP - 1
    adit.stop()


def test_open_leaves_the_daemon_its_socket(adit, sshd, serve, keys, folder):
    """Two at once, of which one is asked for its status by the socket that it was given."""
    server, target = sshd(), serve(echo).port
    (folder / "known").write_text(server.known_hosts(), encoding="ascii")
    (folder / "runtime/adit").mkdir(parents=True)
    second = Adit(folder, "second")
    second.env["ADIT_SOCKET"] = str(folder / "second.sock")
    try:
        for each in adit, second:
            port = free_port()
            each.env["XDG_RUNTIME_DIR"] = str(folder / "runtime")
            each.start("open", "-L", f"{port}:127.0.0.1:{target}", "-i", keys.path("id_ed25519"), "-p", server.port,
                       "-o", f"UserKnownHostsFile={folder}/known", f"{server.user}@127.0.0.1")
            each.wait_listening(port).wait_log("tunnel-up")
            with each.connect(port) as client:
                there_and_back(client)
        done = second.run("status")
        assert done.returncode == 0 and "up" in done.stdout, done.stderr
        assert not list((folder / "runtime/adit").iterdir())
    finally:
        second.stop()


def test_open_takes_every_form_that_ssh_takes(adit, sshd, serve, keys, folder):
    """Each -L, -R and -D of ssh(1): with and without a bind address, "*" and empty ones, paths on either side, -R as SOCKS."""
    server, target = sshd("GatewayPorts clientspecified"), serve(echo).port
    here, there = [free_port() for _ in range(5)], [free_port() for _ in range(5)]
    (folder / "known").write_text(server.known_hosts(), encoding="ascii")
    (folder / "other.sock").symlink_to(folder / "there.sock")
    adit.start("open", "-p", server.port, "-i", keys.path("id_ed25519"), "-l", server.user,
               "-o", f"UserKnownHostsFile={folder}/known",
               "-L", f"{here[0]}:localhost:{target}", "-L", f"127.0.0.1:{here[1]}:127.0.0.1:{target}",
               "-L", f"*:{here[2]}:127.0.0.1:{target}", "-L", f"[::1]:{here[3]}:{folder}/other.sock",
               "-L", f"{folder}/here.sock:127.0.0.1:{target}", "-D", f"localhost:{here[4]}",
               "-R", f"{there[0]}:127.0.0.1:{target}", "-R", f"*:{there[1]}:localhost:{target}",
               "-R", f":{there[2]}:127.0.0.1:{target}", "-R", f"{there[3]}", "-R", f"127.0.0.1:{there[4]}:{folder}/here.sock",
               "-R", f"{folder}/there.sock:127.0.0.1:{target}", "127.0.0.1")
    adit.wait_log("remote-listening", count=6)
    for port in *here[:3], *there[:3], there[4]:
        with adit.connect(port) as client:
            there_and_back(client)
    with socket.create_connection(("::1", here[3])) as client:
        there_and_back(client)
    for path in "here.sock", "there.sock":
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / path))
            there_and_back(client)
    for port in here[4], there[3]:
        with adit.connect(port) as client:
            client.sendall(b"\x04\x01" + target.to_bytes(2, "big") + b"\0\0\0\1me\0localhost\0")
            assert recv_exactly(client, 8)[:2] == b"\0\x5a"
            there_and_back(client)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.valgrind
def test_term_and_int_end_it_with_0(number, adit, sshd, serve, one_tunnel):
    server = sshd()
    port = one_tunnel(server, serve(echo).port)
    with adit.connect(port, deadline=60) as client:
        there_and_back(client)
    adit.stop(number, deadline=60)
    assert not listens(port)
    wait_until(lambda: not server.sessions(), "the end of the session")
    # In order: with a DISCONNECT, not by a lost connection.
    assert re.search(r"disconnect", server.process.log(), re.I)


def test_open_streams_may_finish(adit, sshd, serve, one_tunnel):
    port = one_tunnel(sshd(), serve(echo).port, top={"drain_timeout": 20})
    with adit.connect(port) as client:
        there_and_back(client)
        adit.process.signal(signal.SIGTERM)
        wait_until(lambda: not listens(port), "the end of the listener")
        there_and_back(client, b"still")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    adit.stop()


def test_streams_get_no_longer_than_drain_timeout(adit, sshd, serve, one_tunnel):
    port = one_tunnel(sshd(), serve(echo).port, top={"drain_timeout": 0.3})
    with adit.connect(port) as client:
        there_and_back(client)
        adit.stop()
        with pytest.raises(ConnectionResetError):
            if client.recv(1) == b"":
                raise ConnectionResetError


def test_a_second_signal_is_at_once(adit, sshd, serve, one_tunnel):
    port = one_tunnel(sshd(), serve(echo).port, top={"drain_timeout": 600})
    with adit.connect(port) as client:
        there_and_back(client)
        adit.process.signal(signal.SIGTERM)
        wait_until(lambda: not listens(port), "the end of the listener")
        assert adit.process.running()
        adit.stop(signal.SIGTERM)


def test_signals_that_come_together_are_one(adit, sshd, serve, one_tunnel):
    port = one_tunnel(sshd(), serve(echo).port, top={"drain_timeout": 600})
    with adit.connect(port) as client:
        there_and_back(client)
        stat = pathlib.Path(f"/proc/{adit.process.popen.pid}/stat")
        adit.process.signal(signal.SIGSTOP)
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the daemon to stand still")
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGCONT:
            adit.process.signal(number)
        adit.wait_log("stopping drain_ms=600000")
        there_and_back(client, b"still")
        adit.stop()
    assert re.findall("stopping drain_ms=.*", adit.log()) == ["stopping drain_ms=600000", "stopping drain_ms=0"]


def test_hup_reads_the_configuration_again(adit, sshd, serve, tunnels):
    server, first, second = sshd(), serve(echo), serve(lambda sock: sock.sendall(b"second"))
    a, b, c = free_port(), free_port(), free_port()
    hosts = {"server": tunnels.host(server)}
    adit.configure(hosts=hosts, tunnels={"kept": tunnels.local(a, first.port), "gone": tunnels.local(b, first.port)})
    adit.start().wait_listening(a, b)
    with adit.connect(a) as client:
        there_and_back(client)
        adit.configure(hosts=hosts, tunnels={"kept": tunnels.local(a, first.port), "new": tunnels.local(c, second.port)})
        adit.process.signal(signal.SIGHUP)
        adit.wait_listening(c)
        wait_until(lambda: not listens(b), "the end of the listener that is gone")
        # What did not change kept its streams.
        there_and_back(client)
    with adit.connect(c) as client:
        assert recv_exactly(client, 6) == b"second"


def test_hup_with_a_broken_file_changes_nothing(adit, sshd, serve, one_tunnel):
    port = one_tunnel(sshd(), serve(echo).port)
    with adit.connect(port) as client:
        there_and_back(client)
        good = adit.config_path.read_text(encoding="ascii")
        adit.config_path.write_text("hosts: { x: { adress = 1; }; };\n", encoding="ascii")
        adit.process.signal(signal.SIGHUP)
        adit.wait_log(r"adit\.conf:1.*adress|adit\.conf.*line=1.*adress")
        there_and_back(client)
        with adit.connect(port) as another:
            there_and_back(another)
        adit.config_path.write_text(good, encoding="ascii")
        adit.process.signal(signal.SIGHUP)
        there_and_back(client)


def test_usr1_tries_at_once_what_is_down(adit, sshd, serve, one_tunnel):
    server = sshd()
    server.stop()
    port = one_tunnel(server, serve(echo).port, reconnect_min=300, reconnect_max=300)
    adit.wait_log(r"(?i)refused")
    server.start()
    adit.process.signal(signal.SIGUSR1)
    adit.wait_log("link-up")  # before a client is held, who would shorten the wait
    with adit.connect(port) as client:
        there_and_back(client)


@pytest.mark.parametrize("journal", [False, True])
def test_a_log_line_begins_as_its_reader_wants_it(journal, adit, sshd, serve, tunnels):
    if journal:
        adit.env["JOURNAL_STREAM"] = "8:1"
    port = free_port()
    adit.configure(hosts={"server": tunnels.host(sshd())},
                   tunnels={"open": {**tunnels.local(port, serve(echo).port), "local": f"0.0.0.0:{port}"}})
    adit.start()
    adit.wait_log("link-up")
    assert adit.log().count("not on loopback") == 2  # the configuration's warning, and the listener's
    begin = r"<[0-7]>" if journal else r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|info|debug) "
    for line in adit.log().splitlines():
        assert re.match(begin + r"[a-z0-9-]+( [a-z_]+=(\"([^\"\\]|\\.)*\"|[^ \"]*))*$", line), line


def test_descriptors_are_given_back(adit, sshd, serve, one_tunnel):
    port = one_tunnel(sshd(), serve(echo).port)

    def count():
        return len(os.listdir(f"/proc/{adit.process.pid}/fd"))
    with adit.connect(port) as client:
        there_and_back(client)
        with_one = count()
    for _ in range(200):
        with adit.connect(port) as client:
            there_and_back(client)
    wait_until(lambda: count() < with_one, lambda: f"{with_one} descriptors with one stream, {count()} with none")


def test_without_descriptors_it_accepts_later_says_so_once_and_harms_nobody(adit, sshd, serve, tunnels):
    port, other, target = free_port(), free_port(), serve(echo).port
    adit.configure(hosts={"server": tunnels.host(sshd())},
                   tunnels={"one": tunnels.local(port, target), "other": tunnels.local(other, target)})
    adit.start(wrapper=[need("prlimit"), "--nofile=50:50"]).wait_listening(port, other).wait_log("link-up")
    with adit.connect(other) as living:
        there_and_back(living)
        clients = [adit.connect(port) for _ in range(60)]
        try:
            adit.wait_log("listener-paused")
            there_and_back(living)
            # The last descriptors are not for clients.
            assert adit.run("status", "-c", adit.config_path).returncode == 0
            # Those who were not accepted yet are served as others go.
            for client in clients:
                there_and_back(client)
                reset(client)
            adit.wait_log("listener-resumed")
        finally:
            for client in clients:
                client.close()
        there_and_back(living)
    for each in port, other:
        with adit.connect(each) as client:
            there_and_back(client)
    assert "control-paused" not in adit.log() and "accept()" not in adit.log(), adit.log()
    assert adit.log().count("listener-paused") == 1 and adit.log().count("listener-resumed") == 1, adit.log()


def test_a_link_comes_back_while_clients_wait_with_all_descriptors(adit, sshd, serve, tunnels):
    server, port = sshd(), free_port()
    adit.configure(hosts={"server": tunnels.host(server, reconnect_min=0.05)},
                   tunnels={"one": tunnels.local(port, serve(echo).port)})
    adit.start(wrapper=[need("prlimit"), "--nofile=50:50"]).wait_log("link-up")
    server.stop()
    adit.wait_log("link-down")
    clients = [adit.connect(port) for _ in range(60)]
    try:
        adit.wait_log("listener-paused")
        server.start()
        for client in clients:
            there_and_back(client)
            client.close()
    finally:
        for client in clients:
            client.close()


def test_the_control_interface_without_descriptors_says_so_once_and_comes_back(adit, folder):
    adit.configure(hosts={}, tunnels={})
    adit.start(wrapper=[need("prlimit"), "--nofile=50:50"])
    wait_until(lambda: adit.run("status", "-c", adit.config_path).returncode == 0, "the daemon")
    clients = [socket.socket(socket.AF_UNIX) for _ in range(60)]
    try:
        for client in clients:
            client.connect(str(folder / "control.sock"))
        adit.wait_log("control-paused")
    finally:
        for client in clients:
            client.close()
    assert adit.run("status", "-c", adit.config_path).returncode == 0
    assert adit.log().count("control-paused") == 1 and adit.log().count("control-resumed") == 1, adit.log()
    assert "accept()" not in adit.log()
