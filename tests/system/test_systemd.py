"""systemd for real: Debian 13 with systemd as process 1 in systemd-nspawn, adit with its own units, sshd beside it."""

import os
import pathlib
import re
import subprocess

import pytest

from lib.adit import TOP, adit_path
from lib.process import need, need_root

pytestmark = pytest.mark.xdist_group("systemd")  # there is one container

CACHE = pathlib.Path(os.environ.get("ADIT_TEST_CACHE", "/var/cache/adit-tests"))
ROOT = CACHE / "trixie-systemd"
PACKAGES = "systemd,systemd-sysv,openssh-server,procps"

CONFIG = """
hosts: { here: { address = "127.0.0.1"; user = "root"; identity = "${CREDENTIALS_DIRECTORY}/key"; agent = false;
	known_hosts = "/etc/adit/known_hosts"; }; };
tunnels: {
	orders-db: { via = "here"; local = "127.0.0.1:5432"; to = "127.0.0.1:22"; };
	web: { via = "here"; local = "systemd:orders-db"; to = "127.0.0.1:22"; };
	path: { via = "here"; local = "unix:/run/adit/path.sock"; to = "127.0.0.1:22"; };
	wide: { via = "here"; local = "*:5435"; to = "127.0.0.1:22"; };
	moving: { via = "here"; local = "127.0.0.1:5433"; to = "127.0.0.1:22"; };
};
"""

OFFICE = CONFIG[:CONFIG.index("tunnels:")] + """
tunnels: { office: { via = "here"; local = "127.0.0.1:6000"; to = "127.0.0.1:22"; }; };
"""

UNITS = {
    "adit.service.d/test.conf": "[Service]\nLoadCredential=key:/etc/adit/key\nWatchdogSec=4\nRestartSec=100ms\nTimeoutStopSec=1\n"
                                "Environment=LD_LIBRARY_PATH=/opt/adit ASAN_OPTIONS=detect_leaks=0\n",
    # What adit speaks, too, where systemd does.
    "adit@.service.d/test.conf": "[Service]\nLoadCredential=key:/etc/adit/key\nType=notify-reload\nExecReload=\n"
                                 "Environment=LD_LIBRARY_PATH=/opt/adit ASAN_OPTIONS=detect_leaks=0\n",
    "adit-wait@.service.d/test.conf": "[Service]\nEnvironment=LD_LIBRARY_PATH=/opt/adit ASAN_OPTIONS=detect_leaks=0\n",
    "after-db.service": "[Unit]\nRequires=adit-wait@orders-db.service\nAfter=adit-wait@orders-db.service\n[Service]\nType=oneshot\n"
                        "ExecStart=bash -c 'exec 3<>/dev/tcp/127.0.0.1/5432; read -t 10 line <&3; echo $$line >/run/after-db'\n",
    "adit-test.service": "[Unit]\nAfter=multi-user.target\n[Service]\nType=simple\nExecStart=bash /opt/steps.sh\n",
}


def make_root():
    """Debian 13, made once."""
    if ROOT.exists():
        return
    need("debootstrap")
    half = CACHE / f"half-{os.getpid()}"
    CACHE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "trixie", str(half)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        subprocess.run(["rm", "-rf", str(half)], check=False)
        pytest.skip(f"Debian 13 cannot be fetched: {done.stdout[-300:]}")
    half.rename(ROOT)


def libraries(program):
    """What the program links but the C library itself, which the container has newer."""
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    return [path for path in re.findall(r"=> (/\S+)", listed)
            if not re.match(r"(libc|libm|libdl|libpthread|librt|ld-linux.*)\.so", pathlib.Path(path).name)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What the steps saw."""
    need_root("containers")
    need("systemd-nspawn")
    make_root()
    folder = tmp_path_factory.mktemp("systemd")
    for name in ("results", "adit", "units", "lib"):
        (folder / name).mkdir()
    (folder / "adit/adit.conf").write_text(CONFIG)
    (folder / "adit/office.conf").write_text(OFFICE)
    for name in ("adit.service", "adit@.service", "adit-wait@.service", "adit-orders-db.socket"):
        (folder / "units" / name).write_text((TOP / "contrib/systemd" / name).read_text())
    for name, text in UNITS.items():
        path = folder / "units" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    for path in libraries(adit_path()):
        (folder / "lib" / pathlib.Path(path).name).write_bytes(pathlib.Path(path).read_bytes())
    binds = [f"--bind={folder}/results:/results", f"--bind={folder}/adit:/etc/adit", f"--bind-ro={folder}/lib:/opt/adit",
             f"--bind-ro={adit_path()}:/usr/bin/adit", f"--bind-ro={TOP}/tests/lib/systemd_steps.sh:/opt/steps.sh"]
    binds += [f"--bind-ro={path}:/etc/systemd/system/{path.name}" for path in (folder / "units").iterdir()]
    done = subprocess.run(
        ["systemd-nspawn", "-q", "-D", str(ROOT), "--volatile=overlay", "--boot", "--private-network", "--keep-unit",
         "--register=no", *binds, "systemd.wants=adit-test.service"], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=300, check=False)
    path = folder / "results/answers"
    if not path.exists() and "Failed to" in done.stderr + done.stdout:
        pytest.skip(f"systemd-nspawn cannot run here: {(done.stderr + done.stdout)[-300:]}")
    assert path.exists(), done.stdout[-2000:] + done.stderr[-2000:]
    journal = folder / "results/journal"
    print(path.read_text(), journal.read_text() if journal.exists() else "")
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def test_a_unit_that_needs_a_tunnel_starts_when_it_is_up(answers):
    assert answers["ordering"].startswith("SSH-2.0")
    assert answers["active"] == "active"
    assert answers["status"] == "5 of 5 tunnels up"


def test_a_dynamic_user_logs_in_with_a_credential(answers):
    assert answers["local"] == "SSH-2.0"
    assert answers["user"] != "root"


def test_a_socket_is_taken_by_its_name(answers):
    assert answers["socket"] == "SSH-2.0"


def test_reload_waits_for_the_new_configuration(answers):
    assert answers["reload"] == "0 active same"
    assert answers["reloaded"] == "SSH-2.0"
    assert answers["instance_reloaded"] == "0 SSH-2.0"


def test_reload_fails_when_the_file_is_invalid(answers):
    assert answers["reload_refused"] == "1 active 1"


def test_a_restart_refuses_nobody(answers):
    assert int(answers["stored"]) >= 4
    assert answers["restart_failures"] == "0"
    assert answers["restarted"] == "another"


def test_the_file_of_a_unix_socket_lives_through_a_restart_and_no_longer(answers):
    assert answers["path"] == "SSH-2.0"
    assert answers["path_removed"] == "0 gone"


def test_another_configuration_has_an_instance_of_its_own(answers):
    assert answers["instance"] == "active SSH-2.0 active"


def test_a_long_drain_gets_its_time(answers):
    """TimeoutStopSec is one second here."""
    seconds, greeting, result = answers["drained"].split()
    assert 2 <= int(seconds) <= 10 and greeting == "SSH-2.0" and result == "success"


def test_the_watchdog_ends_one_that_hangs(answers):
    count, greeting = answers["watchdog"].split(" ", 1)
    assert int(count) >= 1 and greeting == "SSH-2.0"


def test_the_journal_has_levels(answers):
    assert answers["levels"] == "error warning info"
    assert {f"PRIORITY={level}" for level in (3, 4, 6)} <= set(answers["priorities"].split())


def test_it_stops_in_order(answers):
    assert answers["stopped"] == "success" and answers["finished"] == "yes"
