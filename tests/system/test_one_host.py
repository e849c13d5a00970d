"""adit exec, adit host-key and adit import: one host, no daemon."""

import contextlib
import hashlib
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

from lib import kexinit
from lib.process import Process, free_port, listens, need, wait_until
from lib.targets import echo, exchange, pattern


@pytest.fixture
def one_host(adit, sshd, tunnels):
    """A configuration with one host and no tunnel."""
    def make(server=None, **more):
        server = server or sshd("LogLevel INFO")
        adit.configure(hosts={"server": tunnels.host(server, **more)}, tunnels={})
        return server
    return make


def execute(adit, *command, stdin=b"", deadline=60):
    done = subprocess.run(adit.command("exec", "-c", adit.config_path, "server", "--", *command), input=stdin,
                          capture_output=True, timeout=deadline, env=adit.env, check=False)
    assert b"Sanitizer" not in done.stderr, done.stderr.decode()
    return done


# ---- exec

def test_output_and_status_are_the_commands(adit, one_host):
    one_host()
    done = execute(adit, "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)
    assert execute(adit, "true").returncode == 0


def test_stderr_is_the_commands_whatever_there_is_to_say_about_tunnels(adit, sshd, tunnels):
    adit.configure(hosts={"server": tunnels.host(sshd("LogLevel INFO"))},
                   tunnels={"open": {"via": "server", "local": f"*:{free_port()}", "to": "a:1"}})
    assert "(a warning)" in adit.run("check", "-c", adit.config_path).stderr
    assert execute(adit, "true").stderr == b""


def test_words_are_joined_as_ssh_joins_them(adit, one_host):
    one_host()
    assert execute(adit, "printf", "%s-", "a", "b c").stdout == b"a-b-c-"


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "SEGV"])
def test_a_signal_is_128_and_its_number(name, adit, one_host):
    one_host()
    assert execute(adit, f"kill -{name} $$").returncode == 128 + getattr(signal, f"SIG{name}")


def test_much_goes_through_unchanged(adit, one_host, sshd):
    one_host(sshd("RekeyLimit 1M"))
    data = pattern(8 << 20, 1)
    done = execute(adit, "cat", stdin=data)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()
    assert done.returncode == 0


def test_stdin_and_stdout_may_be_files(adit, one_host, folder):
    one_host()
    (folder / "in").write_bytes(pattern(3 << 20, 2))
    with open(folder / "in", "rb") as source, open(folder / "out", "wb") as sink:
        done = subprocess.run(adit.command("exec", "-c", adit.config_path, "server", "--", "cat"), stdin=source,
                              stdout=sink, timeout=60, env=adit.env, check=False)
    assert done.returncode == 0
    assert (folder / "in").read_bytes() == (folder / "out").read_bytes()


def test_a_reader_that_is_slow_stops_the_command_and_loses_nothing(adit, one_host):
    one_host()
    process = subprocess.Popen(adit.command("exec", "-c", adit.config_path, "server", "--",
                                            "head -c 30000000 /dev/zero; echo end >&2"),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=adit.env)
    try:
        got = len(process.stdout.read(100000))
        # Nobody reads now: what is kept here stays below a window, so the command is still running.
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
            resident_kb = int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])
        if "ADIT_WRAPPER" not in os.environ and not adit_is_sanitized(adit):
            assert resident_kb < 40000
        got += len(process.stdout.read())
        assert got == 30000000
        assert process.stderr.read() == b"end\n"
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def adit_is_sanitized(adit):
    with open(adit.command()[-1], "rb") as f:
        return b"__asan_init" in f.read()


def test_a_reader_that_goes_ends_it_as_the_shell_would_say(adit, one_host):
    one_host()
    process = subprocess.Popen(adit.command("exec", "-c", adit.config_path, "server", "--", "yes"),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=adit.env)
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(20) == 128 + signal.SIGPIPE


def test_output_that_cannot_be_written_is_an_error(adit, one_host):
    one_host()
    with open("/dev/full", "wb") as full:
        done = subprocess.run(adit.command("exec", "-c", adit.config_path, "server", "--", "echo out"), stdout=full,
                              stderr=subprocess.PIPE, timeout=60, env=adit.env, check=False)
    assert (done.returncode, done.stderr) == (1, b"adit: standard output: No space left on device\n")


def test_input_that_cannot_be_read_is_an_error_and_no_end(adit, one_host, folder):
    one_host()
    unreadable = os.open(folder, os.O_RDONLY)
    try:
        done = subprocess.run(adit.command("exec", "-c", adit.config_path, "server", "--", "cat"), stdin=unreadable,
                              capture_output=True, timeout=60, env=adit.env, check=False)
    finally:
        os.close(unreadable)
    assert (done.returncode, done.stderr) == (1, b"adit: standard input: Is a directory\n")


def test_where_there_is_no_input_the_command_has_none(adit, one_host):
    one_host()
    with open("/dev/null", "wb") as as_nohup_leaves_it:
        done = subprocess.run(adit.command("exec", "-c", adit.config_path, "server", "--", "cat; exit 3"),
                              stdin=as_nohup_leaves_it, timeout=60, env=adit.env, check=False)
    assert done.returncode == 3


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_standard_descriptors_may_be_closed(closed, adit, one_host):
    one_host()
    done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh",
                           *adit.command("exec", "-c", adit.config_path, "server", "--", "cat; exit 3")],
                          stdin=subprocess.DEVNULL, timeout=60, env=adit.env, check=False)
    assert done.returncode == 3


def test_it_goes_through_jumps(adit, sshd, tunnels):
    outer, inner = sshd(), sshd()
    adit.configure(hosts={"outer": tunnels.host(outer), "server": tunnels.host(inner, via="outer")}, tunnels={})
    done = execute(adit, "echo $SSH_CONNECTION")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[3] == str(inner.port).encode()


@pytest.mark.parametrize("kind, options", [("sshd_of_debian13", ["LogLevel INFO"]), ("dropbear", [])])
def test_other_servers_run_commands_too(kind, options, request, adit, one_host):
    one_host(request.getfixturevalue(kind)(*options))
    done = execute(adit, "cat; echo err >&2; exit 7", stdin=b"in")
    assert (done.stdout, done.stderr, done.returncode) == (b"in", b"err\n", 7)


@pytest.mark.parametrize("forwarded", [True, False])
def test_the_agent_goes_along_where_that_is_wished(forwarded, adit, one_host, agent, keys):
    path, add = agent
    add(keys.path("id_rsa"))
    one_host(agent=str(path), forward_agent=forwarded)
    done = execute(adit, "ssh-add -L")
    assert (keys.blob("id_rsa").encode() in done.stdout) == forwarded
    assert (done.returncode == 0) == forwarded


def test_an_agent_that_is_not_there_is_not_promised(adit, one_host, folder):
    one_host(agent=str(folder / "no-agent"), forward_agent=True)
    assert execute(adit, "echo ${SSH_AUTH_SOCK-none}").stdout == b"none\n"


@pytest.mark.parametrize("way, allowed", [(["-h", "first", "-h", "first>second"], True), (["-h", "second"], False)])
def test_who_has_the_agent_there_may_do_what_its_keys_are_for(way, allowed, adit, sshd, one_host, agent, keys, folder):
    """The key may be used for the second host, by way of the first or from here alone."""
    path, add = agent
    first, second = sshd(host_keys=["host_ed25519"]), sshd(host_keys=["host_rsa"])
    hosts, known_hosts = folder / "hosts", folder / "known_hosts-second"
    hosts.write_text(f"first {keys.blob('host_ed25519')}\nsecond {keys.blob('host_rsa')}\n", encoding="ascii")
    known_hosts.write_text(second.known_hosts(), encoding="ascii")
    add("-H", hosts, *way, keys.path("id_ecdsa256"))
    one_host(first, agent=str(path), forward_agent=True)
    done = execute(adit, f"ssh -F none -p {second.port} -o UserKnownHostsFile={known_hosts} -o BatchMode=yes -o IdentityFile=none"
                         " 127.0.0.1 echo welcome")
    assert (done.stdout == b"welcome\n") == allowed, done.stderr
    assert (done.returncode == 0) == allowed


@pytest.mark.parametrize("ciphers, code", [({}, 69), ({"ciphers": ["aes256-gcm@openssh.com"]}, 78)])
def test_the_configuration_is_wrong_only_where_it_says_what_is_taken(ciphers, code, adit, sshd, one_host):
    one_host(sshd("Ciphers aes128-cbc"), **ciphers)
    done = execute(adit, "true")
    assert b"no cipher to the server in common" in done.stderr
    assert done.returncode == code


def test_what_fails_is_said_once_with_its_exit_code(adit, sshd, one_host, tunnels, folder, keys):
    one_host(sshd(), identity=str(keys.make("id_stranger", "-t", "ed25519")))
    done = execute(adit, "true")
    assert done.returncode == 77 and b"publickey" in done.stderr
    assert done.stderr.count(b"\n") == 1
    adit.configure(hosts={"server": {"address": "127.0.0.1", "port": free_port(), "agent": False,
                                     "identity": str(keys.path("id_ed25519"))}}, tunnels={})
    done = execute(adit, "true")
    assert done.returncode == 69 and b"refused" in done.stderr.lower()
    assert adit.run("exec", "-c", adit.config_path, "nobody", "--", "true").returncode == 78
    assert adit.run("exec", "-c", adit.config_path, "server").returncode == 64


# ---- host-key

def test_all_host_keys_are_printed_as_known_hosts_has_them(adit, sshd, keys):
    types = ("host_ed25519", "host_rsa", "host_ecdsa256", "host_ecdsa521")
    server = sshd(host_keys=types)
    done = adit.run("host-key", f"127.0.0.1:{server.port}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sorted(line for line in lines if not line.startswith("#")) == sorted(server.known_hosts().splitlines())
    assert {line[2:] for line in lines if line.startswith("#")} == {keys.fingerprint(name) for name in types}


def test_a_host_of_the_configuration_is_reached_through_its_jumps(adit, sshd, tunnels, keys):
    outer, inner = sshd(), sshd()
    more = tunnels.host(inner, via="outer", host_key_alias="the-inner")
    adit.configure(hosts={"outer": tunnels.host(outer), "inner": more}, tunnels={})
    done = adit.run("host-key", "-c", adit.config_path, "inner")
    assert done.returncode == 0, done.stderr
    assert f"the-inner {keys.blob('host_ed25519')}\n" in done.stdout
    assert "direct-tcpip" in outer.process.log()


def test_a_bind_address_is_where_both_come_from(adit, sshd, one_host):
    server = one_host(sshd(), bind_address="127.0.0.2")
    assert execute(adit, "echo $SSH_CONNECTION").stdout.split()[0] == b"127.0.0.2"
    done = adit.run("host-key", "-c", adit.config_path, "server")
    assert done.returncode == 0, done.stderr
    comes_from = re.findall(r"Connection from (\S+) port", server.process.log())
    assert len(comes_from) > 1 and set(comes_from) == {"127.0.0.2"}


def test_a_channel_that_does_not_open_ends_in_time(adit, sshd, tunnels):
    """Its queue is full: the jump host's connection to it is neither taken nor refused."""
    outer = sshd()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()):
        adit.configure(hosts={"outer": tunnels.host(outer),
                              "inner": {"address": "127.0.0.1", "port": full.getsockname()[1], "via": "outer",
                                        "connect_timeout": 0.2}}, tunnels={})
        done = adit.run("host-key", "-c", adit.config_path, "inner")
    assert done.returncode == 75 and "jump host outer did not connect" in done.stderr, done.stderr


class Fails:
    """A server whose key exchange comes to nothing, counting who tries."""

    def __init__(self, answer):
        self.answer, self.tries = answer, 0
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.sock.accept()
                self.tries += 1
                with client, contextlib.suppress(OSError):
                    client.sendall(b"SSH-2.0-fails\r\n" + self.answer)
                    while client.recv(65536):
                        pass


@pytest.mark.parametrize("answer, words", [
    (kexinit.kexinit(b"ssh-ed25519,ssh-rsa"), "no key exchange in common"),
    (kexinit.kexinit(b"rsa-sha2-512"), "no key exchange in common"),
    (bytes(64), "packet's length")], ids=["kex", "kex, one type", "no packet"])
def test_a_key_exchange_that_fails_is_said_and_not_tried_with_every_type(adit, answer, words):
    server = Fails(answer)
    done = adit.run("host-key", f"127.0.0.1:{server.port}")
    server.sock.close()
    assert done.returncode == 69 and words in done.stderr, done.stderr
    assert server.tries <= 2


def test_a_type_that_is_listed_and_not_there_is_a_note(adit, dropbear):
    """dropbear lists RSA without having a key of it, and breaks off when it is asked for."""
    server = dropbear()
    done = adit.run("host-key", f"127.0.0.1:{server.port}")
    assert done.returncode == 0 and "ssh-ed25519" in done.stdout, done.stderr


def test_a_server_without_a_type_that_adit_knows_is_asked_once(adit):
    server = Fails(kexinit.kexinit(b"ssh-dss"))
    done = adit.run("host-key", f"127.0.0.1:{server.port}")
    server.sock.close()
    assert done.returncode == 69 and "no host key of a type" in done.stderr, done.stderr
    assert server.tries == 1


def test_a_host_that_is_not_there_is_69(adit):
    done = adit.run("host-key", f"127.0.0.1:{free_port()}")
    assert done.returncode == 69 and not done.stdout and "refused" in done.stderr.lower()
    assert adit.run("host-key").returncode == 64
    for wrong in "a:0", "a b", "user@a", "a:22:", "":
        done = adit.run("host-key", wrong)
        assert done.returncode == 64 and f'"{wrong}" is no HOST[:PORT]' in done.stderr, done.stderr
    adit.env["ADIT_CONFIG"] = ""  # names no file: none has to be there
    assert adit.run("host-key", f"127.0.0.1:{free_port()}").returncode == 69


# ---- import

def import_to(adit, folder, *arguments):
    done = adit.run("import", *arguments)
    assert done.returncode == 0, done.stderr
    path = folder / "imported.conf"
    path.write_text(done.stdout, encoding="utf-8")
    checked = adit.run("check", "-c", path)
    assert checked.returncode == 0, checked.stderr + done.stdout
    return done, path


def test_an_imported_command_line_listens_where_ssh_would(adit, sshd, serve, keys, folder):
    need("ssh")
    server, target = sshd(), serve(echo)
    local, dynamic, remote = free_port(), free_port(), free_port()
    arguments = ["-F", "none", "-L", f"{local}:127.0.0.1:{target.port}", "-D", f"127.0.0.1:{dynamic}",
                 "-R", f"{remote}:127.0.0.1:{target.port}", "-p", server.port, "-i", keys.path("id_ed25519"),
                 "-o", f"UserKnownHostsFile={folder}/known", "-o", "IdentitiesOnly=yes", f"{server.user}@127.0.0.1"]
    (folder / "known").write_text(server.known_hosts(), encoding="ascii")
    _, path = import_to(adit, folder, *arguments)
    adit.start("run", "-c", path, "-s", folder / "control.sock")
    adit.wait_listening(local, dynamic, remote)
    for port in (local, remote):
        with adit.connect(port) as client:
            assert exchange(client, b"through") == b"through"
    adit.stop()
    wait_until(lambda: not listens(remote), "the end of adit's session")
    ssh = subprocess.Popen(["ssh", "-N", *map(str, arguments)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for port in (local, dynamic, remote):
            wait_until(lambda p=port: listens(p), f"ssh on {port}")
    finally:
        ssh.kill()
        ssh.wait()


def test_an_alias_means_what_it_means_to_ssh(adit, folder):
    need("ssh")
    config = folder / "ssh_config"
    config.write_text("Host office\n  HostName office.example.com\n  User me\n  ProxyJump gate\n  LocalForward 8080 web:80\n"
                      "Host gate\n  HostName gate.example.com\n  Port 2222\nHost *\n  ServerAliveInterval 7\n"
                      "  GSSAPIAuthentication yes\n", encoding="ascii")
    done, path = import_to(adit, folder, "--host", "office", "-F", config)
    text = path.read_text()
    for part in ("office.example.com", 'user = "me"', "gate.example.com", "2222", 'via = "gate"', "8080", "web:80",
                 "keepalive_interval = 7"):
        assert part in text, text
    assert "not carried over" in done.stderr and "gssapi" in done.stderr.lower()


def test_an_imported_alias_listens_and_leads_where_ssh_would(adit, sshd, serve, keys, folder):
    """Include, Match, a jump, and what each Host adds; then ssh itself with the same file."""
    ssh = need("ssh")
    gate, office, target = sshd(), sshd(), serve(echo)
    local, matched, remote, dynamic = (free_port() for _ in range(4))
    (folder / "known").write_text(gate.known_hosts() + office.known_hosts(), encoding="ascii")
    (folder / "more").write_text(f"Host office\n  HostName 127.0.0.1\n  Port {office.port}\n  ProxyJump gate\n"
                                 f"  LocalForward {local} 127.0.0.1:{target.port}\n"
                                 f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n", encoding="ascii")
    config = folder / "ssh_config"
    config.write_text(f"Include {folder}/more\nMatch originalhost office\n"
                      f"  LocalForward 127.0.0.1:{matched} localhost:{target.port}\n  DynamicForward {dynamic}\n"
                      f"Match host elsewhere\n  LocalForward {free_port()} localhost:1\n"
                      f"Host *\n  User {office.user}\n  IdentityFile {keys.path('id_ed25519')}\n  IdentitiesOnly yes\n"
                      f"  UserKnownHostsFile {folder}/known\n", encoding="ascii")
    arguments = ["-F", config, "-R", f"{remote}:127.0.0.1:{target.port}", "office"]
    _, path = import_to(adit, folder, *arguments)

    def leads_there():
        for port in local, matched, remote:
            with adit.connect(port) as client:
                assert exchange(client, b"through") == b"through"
    adit.start("run", "-c", path, "-s", folder / "control.sock").wait_listening(local, matched, dynamic, remote)
    leads_there()
    assert "direct-tcpip" in gate.process.log()
    adit.stop()
    wait_until(lambda: not listens(remote), "the end of adit's session")
    process = Process([ssh, "-N", *arguments], folder / "ssh.log", env=adit.env)
    try:
        for port in local, matched, dynamic, remote:
            process.wait_port(port)
        leads_there()
    finally:
        process.kill()


def test_without_ssh_import_says_what_is_missing(adit):
    adit.env["PATH"] = "/nonexistent"
    done = adit.run("import", "somewhere")
    assert done.returncode != 0 and not done.stdout
    assert "there is no ssh here" in done.stderr and "openssh-client" in done.stderr


@pytest.mark.parametrize("by", ["arguments", "file"])
def test_a_forward_to_a_path_is_imported_as_such(by, adit, folder):
    """OpenSSH 9.2's `ssh -G` prints it as a dynamic forward, too."""
    need("ssh")
    forwards = [("Local", "/tmp/x", "/tmp/y"), ("Local", "1025", "/run/y.sock"), ("Local", "[::1]:1026", "/run/y.sock"),
                ("Local", "1027", "web:80"), ("Remote", "1025", "/run/y.sock"), ("Dynamic", "1028", ""),
                ("Dynamic", "127.0.0.2:1025", "")]
    config = folder / "ssh_config"
    lines = [f"  {kind}Forward {listen} {to}\n" for kind, listen, to in forwards]
    config.write_text("Host h\n" + "".join(lines), encoding="ascii")
    arguments = [word for kind, *ends in forwards for word in (f"-{kind[0]}", ":".join(filter(None, ends)))]
    done, _ = import_to(adit, folder, "-F", *(["none", *arguments] if by == "arguments" else [config]), "h")
    got = re.findall(r'^\s*(?:{ )?(local|remote|socks) = "(.*?)";(?:\s*to = "(.*?)";)?', done.stdout, re.M)
    assert sorted(got) == [
        ("local", "[::1]:1026", "unix:/run/y.sock"), ("local", "localhost:1025", "unix:/run/y.sock"),
        ("local", "localhost:1027", "web:80"), ("local", "unix:/tmp/x", "unix:/tmp/y"),
        ("remote", "localhost:1025", "unix:/run/y.sock"), ("socks", "127.0.0.2:1025", ""),
        ("socks", "localhost:1028", "")], done.stdout


def test_what_would_switch_the_check_off_is_named_and_left_out(adit, folder):
    need("ssh")
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    done = adit.run("import", "-F", "none", *options, "-L", "1025:a:2", "host")
    assert done.returncode == 0 and "host_key_check" not in done.stdout and "/dev/null" not in done.stdout, done.stdout
    assert "not carried over: stricthostkeychecking" in done.stderr
    assert "not carried over: userknownhostsfile /dev/null" in done.stderr
    (folder / "imported.conf").write_text(done.stdout)
    assert adit.run("check", "-c", folder / "imported.conf").returncode == 0
    # Nobody reads what comes of this one before it runs.
    assert adit.run("open", *options, "-L", "1025:a:2", "host").returncode == 64


def test_import_runs_no_command(adit):
    need("ssh")
    done = adit.run("import", "-F", "none", "-L", "1024:a:2", "host", "reboot", "now")
    assert done.returncode == 0 and "reboot" in done.stderr and "reboot" not in done.stdout
    assert adit.run("import").returncode == 64


def test_letters_that_ssh_does_not_print_are_named(adit):
    need("ssh")
    done = adit.run("import", "-F", "none", "-NW", "a:1", "-L", "1024:a:2", "host")
    assert done.returncode == 0 and "not carried over: -W: stdin and stdout are not forwarded" in done.stderr
    done = adit.run("import", "-F", "none", "-E", "/dev/null", "-L", "1024:a:2", "host")
    assert done.returncode == 0 and "not carried over: -E: the log goes to stderr" in done.stderr
    done = adit.run("import", "-M", "0", "-F", "none", "-N", "-L", "1024:a:2", "host")
    assert done.returncode == 0 and "not carried over: -M: autossh's port" in done.stderr and "host: {" in done.stdout


def test_import_without_ssh_is_no_error_of_the_configuration(adit, folder):
    adit.env["PATH"] = str(folder)
    done = adit.run("import", "host")
    assert done.returncode == 1 and not done.stdout and "openssh-client" in done.stderr
    adit.env["PATH"] = os.environ["PATH"]
    assert adit.run("import", "-F", "none", "-o", "NoSuchOption=1", "host").returncode == 64


@pytest.mark.parametrize("arguments", [["-L", "bad", "host"], ["-Z", "host"], ["host", "-L"], ["--host", "-x"], ["--bogus", "host"],
                                       ["--host"], ["--host=a", "b"], ["-V"], ["-V", "host"], ["-Q", "cipher", "host"]])
def test_what_import_is_given_wrongly_is_wrong_usage(adit, arguments):
    need("ssh")
    done = adit.run("import", *arguments)
    assert done.returncode == 64 and done.stderr and not done.stdout


def test_an_error_of_sshs_configuration_is_none_of_the_arguments(adit, folder):
    need("ssh")
    config = folder / "ssh_config"
    config.write_text("Host h\n  NoSuchKeyword yes\n", encoding="ascii")
    done = adit.run("import", "-F", config, "h")
    assert done.returncode == 78 and "NoSuchKeyword".lower() in done.stderr.lower() and not done.stdout


def test_an_alias_may_stand_behind_an_equals_sign(adit, folder):
    need("ssh")
    config = folder / "ssh_config"
    config.write_text("Host h\n  HostName box\n", encoding="ascii")
    assert 'address = "box"' in adit.run("import", "--host=h", "-F", config).stdout


