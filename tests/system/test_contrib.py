"""What stands beside the program: man pages, completions, units, rules."""

import os
import pathlib
import pty
import re
import select
import subprocess

import pytest

from lib.adit import TOP, adit_path
from lib.process import free_port, listens_unix, need, wait_until
from lib.targets import echo

COMMANDS = "run check open status wait reload start stop restart streams events exec import host-key".split()


def run(*args, **more):
    return subprocess.run(list(map(str, args)), capture_output=True, text=True, check=False, **more)


@pytest.mark.parametrize("page", ["src/adit.1", "conf/adit.conf.5"])
def test_man_pages_are_clean(page):
    need("mandoc")
    done = run("mandoc", "-T", "lint", "-W", "warning", TOP / page)
    assert done.returncode == 0 and not done.stdout, done.stdout


def test_the_man_page_has_every_command_and_exit_status(adit):
    need("mandoc")
    text = run("mandoc", "-T", "markdown", TOP / "src/adit.1").stdout
    usage = adit.run("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", text)
        assert re.search(rf"^  {command} ", usage, re.M)
        # Every long option that the usage names stands in the page.
        for option in re.findall(r"--([a-z-]+)", adit.run(command, "--help").stdout):
            assert option in text.replace("\\-", "-"), (command, option)
    assert re.findall(r"^  ([a-z-]+) ", usage, re.M) == COMMANDS
    for status in (0, 1, 64, 69, 75, 77, 78):
        assert re.search(rf"^{status}\b", text, re.M)


@pytest.mark.parametrize("page, count", [("src/adit.1", 1), ("conf/adit.conf.5", 2)])
def test_the_man_pages_examples_are_configurations(page, count, adit, folder):
    text = (TOP / page).read_text()
    examples = [part for part in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text[text.index(".Sh EXAMPLES"):], re.M | re.S)
                if "hosts:" in part]
    assert len(examples) == count
    for example in examples:
        (folder / "example.conf").write_text(example)
        done = adit.run("check", "-c", folder / "example.conf")
        assert done.returncode == 0, done.stderr


# ---- completion

def complete_in_bash(adit, line, env):
    words = line.split(" ")
    script = (f"source {TOP}/contrib/completion/adit.bash; COMP_WORDS=({' '.join(repr(word) for word in words)}); "
              f"COMP_CWORD={len(words) - 1}; COMP_LINE={line!r}; _adit; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    done = run("bash", "--norc", "-c", script, env={**env, "PATH": f"{adit_path().parent}:/usr/bin:/bin"})
    assert not done.stderr, done.stderr
    return sorted(done.stdout.split())


LONG = "a-name-that-is-longer-than-the-column-of-names-in-the-table-of-adit-status-is-wide"


@pytest.fixture
def daemon(adit, sshd, serve, tunnels, folder):
    adit.configure(hosts={"server": tunnels.host(sshd())},
                   tunnels={name: tunnels.local(free_port(), serve(echo).port) for name in ("orders-db", "office", "web", LONG)})
    adit.start()
    wait_until(lambda: listens_unix(folder / "control.sock"), "the control socket")
    yield f"-s {folder}/control.sock"
    adit.stop()


def test_bash_completes_commands_options_and_the_daemons_tunnels(adit, daemon):
    assert complete_in_bash(adit, "adit st", adit.env) == ["start", "status", "stop", "streams"]
    assert complete_in_bash(adit, "adit ", adit.env) == sorted([*COMMANDS, "--help", "--version"])
    assert complete_in_bash(adit, "adit reload --d", adit.env) == ["--dry-run"]
    assert complete_in_bash(adit, f"adit stop {daemon} o", adit.env) == ["office", "orders-db"]
    assert complete_in_bash(adit, f"adit status {daemon} ", adit.env) == sorted(["office", "orders-db", "web", LONG])
    assert complete_in_bash(adit, "adit stop -s ~/control.sock o", adit.env) == ["office", "orders-db"]
    assert complete_in_bash(adit, "adit stop -s /nonexistent ", adit.env) == []


def test_shells_can_read_the_completions():
    assert run("bash", "-n", TOP / "contrib/completion/adit.bash").returncode == 0
    need("zsh")
    done = run("zsh", "-n", TOP / "contrib/completion/_adit")
    assert done.returncode == 0 and not done.stderr


def type_in_zsh(env, lines):
    """What an interactive zsh prints for lines that have a tab in them; adit itself only says with what it would run."""
    ours, theirs = pty.openpty()
    zsh = subprocess.Popen(["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                           env={**env, "PATH": f"{adit_path().parent}:/usr/bin:/bin", "TERM": "dumb"})
    os.close(theirs)
    output = b""

    def read_until(text, count=1):
        wait_until(lambda: output.count(text) >= count or add(), lambda: f"{text}, {count} times, in {output}")

    def add():
        nonlocal output
        if select.select([ours], [], [], 0.1)[0]:
            output += os.read(ours, 65536)
    try:
        os.write(ours, (f"fpath=({TOP}/contrib/completion $fpath); autoload -U compinit; compinit -u -D; "
                        "adit() { [[ $1 == status ]] && command adit $@ || print -r -- RA''N: $* }; "
                        "complete-and-say-so() { zle expand-or-complete; print -n COMPLE''TED }; zle -N complete-and-say-so; "
                        "bindkey '\\t' complete-and-say-so; echo rea''dy\r").encode())
        read_until(b"ready\r\n")
        for count, line in enumerate(lines, 1):
            # With the end of the line behind it, zsh would take the tab for pasted.
            os.write(ours, line.encode())
            read_until(b"COMPLETED", count)
            os.write(ours, b"\r")
        os.write(ours, b"echo do''ne\r")
        read_until(b"done\r\n")
    finally:
        zsh.kill()
        zsh.wait()
        os.close(ours)
    return [line.strip() for line in re.findall(r"RAN: (.*)", output.decode())]


def test_zsh_completes_commands_options_and_the_daemons_tunnels(adit, daemon):
    need("zsh")
    assert type_in_zsh(adit.env, ["adit strea\t", f"adit stop {daemon} off\t", f"adit restart {daemon} web ord\t",
                                  "adit reload --dr\t", f"adit streams {daemon} a-\t", "adit stop -s ~/control.sock off\t"]) == \
        ["streams", f"stop {daemon} office", f"restart {daemon} web orders-db", "reload --dry-run",
         f"streams {daemon} {LONG}", f"stop {daemon} office"]


# ---- Prometheus

def test_alert_rules_pass_their_tests():
    need("promtool")
    done = run("promtool", "test", "rules", "adit.rules.test.yml", cwd=TOP / "contrib/prometheus")
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_dashboard_name_metrics_that_there_are(adit, daemon, folder):
    done = run("curl", "-s", "--unix-socket", folder / "control.sock", "http://adit/metrics")
    known = set(re.findall(r"^# TYPE (\S+)", done.stdout, re.M))
    assert len(known) > 10
    for name in ("adit.rules.yml", "adit.dashboard.json"):
        text = (TOP / "contrib/prometheus" / name).read_text()
        used = set(re.findall(r"\badit_[a-z_]+", text))
        assert used and used <= known, used - known


# ---- systemd

def test_systemd_has_nothing_to_say_about_the_units(folder):
    need("systemd-analyze")
    units = pathlib.Path(TOP / "contrib/systemd")
    for name in ("adit.service", "adit@.service", "adit-wait@.service", "adit-orders-db.socket"):
        (folder / name.replace("@", "@x")).write_text((units / name).read_text().replace("/usr/bin/adit", "/bin/true"))
    for path in sorted(folder.glob("adit*.s*")):
        done = run("systemd-analyze", "verify", "--man=no", path)
        said = [line for line in done.stderr.splitlines() if re.search(r"adit[^/]*\.(service|socket)", line)]
        assert not said, said


def test_the_units_sandbox_is_tight(folder):
    need("systemd-analyze")
    units = pathlib.Path(TOP / "contrib/systemd")
    for name in ("adit.service", "adit@.service"):
        text = (units / name).read_text().replace("/usr/bin/adit", "/bin/true")
        path = folder / name.replace("@", "@x")
        path.write_text(text)
        done = run("systemd-analyze", "security", "--offline=true", "--threshold=20", path)
        assert done.returncode == 0, done.stdout
        level = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)[1])
        assert level < 2.0
