"""A configuration with errors: exit 78, every error with its file and line, nothing listening."""

import re

import pytest

from lib.adit import TOP
from lib.process import free_port, listens

GOOD = """\
hosts: {
  bastion: {
    address = "127.0.0.1";
  };
};
tunnels: {
  db: {
    via = "bastion";
    local = "127.0.0.1:%(port)d";
    to = "db.internal:5432";
  };
};
"""

# Each: what to write instead of which line of the good one, the line of the error, and words of its message.
BROKEN = {
    "misspelt key of a host": (3, '    adress = "127.0.0.1";', 3, "adress.*address"),
    "misspelt key of a tunnel": (8, '    vai = "bastion"; via = "bastion";', 8, "`vai`.*`via`"),
    "misspelt key at the top": (6, 'tunels: { }; tunnels: {', 6, "tunels.*tunnels"),
    "number for a string": (3, "    address = 7;", 3, "address.*string"),
    "string for a number": (3, '    port = "22";', 3, "`port` must be a whole number"),
    "port out of range": (3, "    port = 70000;", 3, "port.*65535"),
    "negative number": (3, "    keepalive_count = -1;", 3, "keepalive_count.*not -1"),
    "host that is not there": (8, '    via = "bastoin";', 8, "bastoin.*bastion"),
    "listener without a port": (9, '    local = "127.0.0.1";', 9, "`local`.*the port is missing"),
    "listener with a bad port": (9, '    local = "127.0.0.1:99999";', 9, "`local`.*`99999` is no port number"),
    "target without a port": (10, '    to = "db.internal";', 10, "`to`: `db.internal`"),
    "no target": (10, "", 9, "`to` is missing"),
    "no listener": (9, "", 7, "nothing says where to listen"),
    "two kinds of listener": (9, '    local = "127.0.0.1:%(port)d"; socks = "127.0.0.1:1";', 9, "`local` and `socks` at once"),
    "bad word": (3, '    host_key_check = "off";', 3, "host_key_check.*strict"),
    "unknown cipher": (3, '    ciphers = ["rot13"];', 3, "`ciphers`.*rot13"),
    "a loop of jumps": (3, '    via = "bastion";', 3, "loop of jumps"),
    "syntax": (3, "    address = = ;", 3, "syntax error"),
    "secret in the clear": (3, '    password = "hunter2";', 3, "`password` must be .*never the secret"),
    "unknown key exchange": (3, '    kex = ["rot13-sha1"];', 3, "`kex`.*rot13"),
    "unknown MAC": (3, '    macs = "none";', 3, "`macs`.*`none`"),
    "pin that is none": (3, '    host_key = "MD5:00";', 3, "host_key.*MD5"),
    "pin that ends early": (3, '    host_key = "ssh-ed25519 AAAA";', 3, "host_key.*nor a public key"),
    "pin of an unknown type": (3, '    host_key = ["ssh-rot13 AAAACXNzaC1yb3QxMw=="];', 3, "host_key.*rot13"),
    "fraction for a count": (3, "    keepalive_count = 1.5;", 3, "keepalive_count.*fraction"),
    "negative seconds": (3, "    connect_timeout = -1.0;", 3, "connect_timeout.*not -1"),
    "minimum above the maximum": (3, "    reconnect_min = 9; reconnect_max = 3;", 3, "reconnect_min.*reconnect_max"),
    "number too large": (3, "    port = 99999999999999999999;", 3, "too large"),
    "key defined twice": (3, "    port = 1; port = 2;", 3, "port.*twice.*:3"),
    "host defined twice": (4, "  }; bastion: { };", 4, "bastion.*twice.*:2"),
    "brace too many": (5, "};};", 5, "closes nothing"),
    "brace of another kind": (4, "  );", 4, "line 2"),
    "brace that never closes": (12, "", 6, "not closed"),
    "dot in a name": (2, "  bastion.example: {", 2, "dot"),
    "another include": (1, '@include "x.conf" hosts: {', 1, "@include is not read"),
    "include that is not there": (12, '}; include = "nowhere.conf";', 12, "nowhere.conf"),
    "forwards beside a forward": (10, '    to = "db:1"; forwards = ( );', 9, "`local` beside `forwards`"),
    "allow_to without SOCKS": (10, '    to = "db:1"; allow_to = "a:1";', 10, "allow_to.*SOCKS"),
    "no block of addresses": (10, '    to = "db:1"; allow = "10.0.0.0/33";', 10, "10.0.0.0/33"),
    "mode of a TCP listener": (10, '    to = "db:1"; mode = "0660";', 10, "`mode` goes not with local"),
    "PROXY protocol of another version": (10, '    to = "db:1"; send_proxy = "v3";', 10, "send_proxy.*v1"),
    "no streams at all": (10, '    to = "db:1"; max_streams = 0;', 10, "max_streams.*not 0"),
    "word for true": (10, '    to = "db:1"; enabled = "yes";', 10, "`enabled` must be true or false"),
    "connect when": (10, '    to = "db:1"; connect = "sometimes";', 10, "connect.*on-demand"),
    "path of no length": (9, '    local = "unix:";', 9, "`local`: the path is empty"),
    "systemd without a name": (9, '    local = "systemd:";', 9, "`local`.*FileDescriptorName"),
    "no way": (8, "", 7, "`db` has no `via`"),
    "tunnel that is no group": (12, '  web = "x"; };', 12, "web.*group"),
    "log level": (12, '}; log_level = "loud";', 12, "log_level.*debug"),
    "negative drain": (12, "}; drain_timeout = -3;", 12, "drain_timeout.*not -3"),
    "control interface without a port": (12, '}; http_listen = "127.0.0.1";', 12, "http_listen.*the port is missing"),
    "ready when": (12, '}; ready = "soon";', 12, "ready.*started"),
}


def broken(name, port):
    line, text, error_line, words = BROKEN[name]
    lines = (GOOD % {"port": port}).splitlines()
    lines[line - 1] = text.replace("%(port)d", str(port))
    return "\n".join(lines) + "\n", error_line, words


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration_is_refused_with_its_line(name, command, adit):
    port = free_port()
    text, line, words = broken(name, port)
    adit.configure(text)
    done = adit.run(command, "-c", adit.config_path)
    output = done.stdout + done.stderr
    assert done.returncode == 78, output
    assert re.search(rf"^{re.escape(str(adit.config_path))}:{line}: .*({words})", output, re.M), output
    assert not listens(port)
    assert "hunter2" not in output


def test_every_error_is_printed_not_the_first_only(adit):
    text = "\n".join(['hosts: {', '  a: { adress = "x"; };', '  b: { port = 0; };', '};', 'tunnels: {',
                      '  t: { via = "c"; local = "1"; to = "x:1"; };', '  u: { via = "a"; local = "x:y"; to = "x:1"; };',
                      '};', 'log_level = "loud";']) + "\n"
    adit.configure(text)
    done = adit.run("check", "-c", adit.config_path)
    assert done.returncode == 78
    found = re.findall(rf"^{re.escape(str(adit.config_path))}:(\d+): ", done.stdout + done.stderr, re.M)
    assert {"2", "3", "6", "7", "9"} <= set(found), done.stdout + done.stderr


def test_two_forwards_on_one_listener_name_both_places(adit):
    adit.configure('hosts: { h: { address = "x"; }; };\ntunnels: {\n  a: { via = "h"; local = "127.0.0.1:4000"; to = "x:1"; };\n'
                   '  b: { via = "h"; local = "4000"; to = "x:1"; };\n};\n')
    done = adit.run("check", "-c", adit.config_path)
    assert done.returncode == 78
    assert re.search(r":4: .*4000.* tunnel `a` .*:3\)$", done.stderr, re.M), done.stdout + done.stderr


def test_a_good_configuration_passes(adit):
    adit.configure(GOOD % {"port": free_port()})
    done = adit.run("check", "-c", adit.config_path)
    assert done.returncode == 0 and done.stdout == f"{adit.config_path}: good: 1 host, 1 tunnel\n", done.stderr


@pytest.mark.parametrize("text", ["", "# later\n", "hosts: { };\ntunnels: { };\n", 'log_level = "info";\n'])
def test_a_configuration_of_nothing_is_told_to_be_that(text, adit):
    adit.configure(text)
    done = adit.run("check", "-c", adit.config_path)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"^{re.escape(str(adit.config_path))}: nothing is configured", done.stderr, re.M), done.stderr
    adit.configure('hosts: { h: { address = "x"; }; };\n')
    assert "nothing is configured" not in adit.run("check", "-c", adit.config_path).stderr


def test_the_example_of_the_tree_passes(adit):
    done = adit.run("check", "-c", TOP / "conf/adit.conf")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_missing_file_is_named(adit):
    done = adit.run("check", "-c", adit.folder / "nowhere.conf")
    assert done.returncode == 78
    assert "nowhere.conf" in done.stdout + done.stderr


def test_check_connects_to_nothing(adit, serve):
    target = serve(lambda sock: None)
    adit.configure(f'hosts: {{ h: {{ address = "127.0.0.1"; port = {target.port}; }}; }};\n'
                   'tunnels: { t: { via = "h"; local = "127.0.0.1:0"; to = "x:1"; }; };\n')
    assert adit.run("check", "-c", adit.config_path).returncode == 0
    assert target.accepted == 0


def test_where_the_configuration_is_looked_for(adit):
    good = GOOD % {"port": free_port()}
    (adit.folder / "env.conf").write_text("nonsense = 1;\n", encoding="ascii")
    adit.env["ADIT_CONFIG"] = str(adit.folder / "env.conf")
    done = adit.run("check")
    assert done.returncode == 78 and "env.conf:1" in done.stdout + done.stderr
    # -c wins.
    adit.configure(good)
    assert adit.run("check", "-c", adit.config_path).returncode == 0


def test_a_taken_listener_is_named(adit, serve, sshd, tunnels):
    taken = serve(lambda sock: None)
    adit.configure(hosts={"server": tunnels.host(sshd())}, tunnels={"one": tunnels.local(taken.port, 1)})
    adit.start()
    adit.wait_log(rf"127\.0\.0\.1:{taken.port}.*(?i:in use)")


def test_a_broken_file_still_leads_to_the_daemon(adit, sshd, serve, one_tunnel):
    """`adit reload -c FILE` is how one hears of the errors: FILE names the socket, whatever else is wrong with it."""
    one_tunnel(sshd(), serve(lambda sock: None).port)
    good = adit.config_path.read_text(encoding="ascii")
    adit.config_path.write_text(good.replace("identity", "identify"), encoding="ascii")
    done = adit.run("reload", "-c", adit.config_path)
    assert done.returncode == 78
    assert "`identify`; did you mean `identity`?" in done.stdout + done.stderr
    # Broken so that nothing can be read: who listens elsewhere is not the one that was meant.
    adit.config_path.write_text("hosts = = ;\n", encoding="ascii")
    done = adit.run("status", "-c", adit.config_path)
    assert done.returncode == 78
    assert f"{adit.config_path}:1: " in done.stderr
    adit.config_path.write_text(good, encoding="ascii")
    assert adit.run("status", "-c", adit.config_path).returncode == 0


def test_a_file_that_is_not_there_says_what_to_do(adit):
    adit.env["ADIT_CONFIG"] = str(adit.folder / "nowhere.conf")
    done = adit.run("run")
    assert done.returncode == 78
    assert "nowhere.conf" in done.stderr and "adit.conf(5)" in done.stderr and "-c" in done.stderr
