"""The package's watcher under its unit, in Debian machines with their own systemd and keepalived.

The machine's vault is an idle process of that name, a service of the user daemon; its VIP is on one
end of a veth pair. Every test finds all of it running and healthy.
"""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers import package, vault
from helpers.certificates import Authority
from helpers.figures import SHOWN
from helpers.keepalived import LabError, command, wait_until
from helpers.machine import WIRE_SERVICE, Machine, put
from helpers.paths import ROOT, TESTS

pytestmark = [pytest.mark.keepalived, pytest.mark.timeout(300)]

PATIENCE = 30
VIP = "192.0.2.100"
NOBODY = "192.0.2.200"
"""An address in the VIP's network that no machine has: a look at it ends with its timeout."""

TOML = "/etc/kacheck/kacheck.toml"
CONFIGURATION = """
[check.vault]
probe = "process"
name = "vault"
interval = 0.2
timeout = 0.2
rise = 1
"""
SECOND_CHECK = """
[check.bus]
probe = "process"
name = "dbus-daemon"
"""
CHECK_THAT_TIMES_OUT = f"""
[check.far]
probe = "vault"
address = "http://{NOBODY}:8200"
interval = 5
timeout = 1.5
"""
VAULT_CHECKS = """
[check.tls]
probe = "vault"
address = "https://127.0.0.1:8200"
ca_cert = "/etc/vault.d/ca.pem"

[check.unix]
probe = "vault"
address = "unix:///run/vault/vault.sock"
"""

VAULT_SERVICE = """
[Unit]
StartLimitIntervalSec=0
[Service]
Type=exec
ExecStart=/usr/local/bin/vault infinity
User=daemon
KillSignal=SIGKILL
[Install]
WantedBy=multi-user.target
"""
KEEPALIVED = f"""
track_file vault {{
    file /run/kacheck/track/vault
    weight 0 reverse
}}
vrrp_instance VI_1 {{
    version 3
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.1
    virtual_ipaddress {{
        {VIP}/24
    }}
    track_file {{
        vault
    }}
}}
"""


def prepare(root: Path) -> None:
    put(root, TOML[1:], CONFIGURATION)
    put(root, "etc/keepalived/keepalived.conf", KEEPALIVED)
    put(root, "etc/systemd/system/vault.service", VAULT_SERVICE)
    put(root, "etc/systemd/system/wire.service", WIRE_SERVICE)
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/vault").symlink_to("/usr/bin/sleep")
    command(["systemctl", "--root", root, "enable", "vault.service", "wire.service"])


@pytest.fixture(scope="module", params=package.SUITES)
def root(request: pytest.FixtureRequest) -> Path:
    return package.installed(request.param)


@pytest.fixture(scope="module")
def booted(root: Path) -> Iterator[Machine]:
    with Machine(root, prepare) as machine:
        yield machine


@pytest.fixture
def machine(booted: Machine) -> Iterator[Machine]:
    """The machine as it is after boot, whatever the last test did to it."""
    booted.write(TOML, CONFIGURATION)
    booted.systemctl("start", "vault", "kacheck", "keepalived")
    wait_until(lambda: says(booted) == 1, "the check is not healthy", PATIENCE)
    yield booted
    sys.stdout.write(booted.journal("kacheck"))  # shown where the test fails


def says(machine: Machine, check: str = "vault") -> int | None:
    """Return the number in a check's track file; None without a file."""
    try:
        return int((machine.root / "run/kacheck/track" / check).read_text())
    except FileNotFoundError:
        return None


def wait_for(machine: Machine, value: int, patience: float = PATIENCE) -> None:
    """Wait until the track file has this number."""
    wait_until(lambda: says(machine) == value, f"the track file does not say {value}", patience)


def heals(machine: Machine) -> bool:
    """Return whether a watcher works again with a right verdict."""
    wait_for(machine, 1)
    machine.systemctl("stop", "vault")  # kill -9, see its unit
    wait_for(machine, 0)
    return True


def monotonic(machine: Machine, unit: str, name: str) -> float:
    """Return a unit's timestamp, in seconds."""
    return int(machine.show(unit, f"{name}TimestampMonotonic")) / 1e6


def vip_arrives(machine: Machine) -> None:
    wait_until(lambda: machine.has_address(VIP), "the VIP does not come", PATIENCE)


def vip_leaves(machine: Machine, patience: float = 1) -> None:
    wait_until(lambda: not machine.has_address(VIP), "the VIP stays", patience)


def test_at_boot_keepalived_starts_when_the_first_verdicts_are_out(machine: Machine) -> None:
    assert machine.show("kacheck", "UnitFileState") == "enabled"
    ready = monotonic(machine, "kacheck", "ActiveEnter")
    assert 0 < ready <= monotonic(machine, "keepalived", "ExecMainStart")
    vip_arrives(machine)


def test_it_is_active_only_when_each_check_has_its_first_verdict(machine: Machine) -> None:
    machine.systemctl("stop", "kacheck")
    machine.write(TOML, CONFIGURATION + CHECK_THAT_TIMES_OUT)
    machine.systemctl("start", "--no-block", "kacheck")
    wait_for(machine, 1)
    assert machine.show("kacheck", "ActiveState") == "activating", "one check has none yet"
    machine.systemctl("start", "kacheck")
    assert says(machine, "far") == 0
    started = monotonic(machine, "kacheck", "ExecMainStart")
    assert monotonic(machine, "kacheck", "ActiveEnter") - started >= 1.4


def test_status_says_in_words_how_the_checks_are(machine: Machine) -> None:
    healthy = machine.show("kacheck", "StatusText")
    assert re.search(r"[a-z]{2}", healthy)
    assert f'Status: "{healthy}"' in machine.systemctl("status", "kacheck")
    machine.systemctl("stop", "vault")
    wait_until(lambda: machine.show("kacheck", "StatusText") != healthy, "the words stay", PATIENCE)


def test_it_runs_as_kacheck_without_any_privilege(machine: Machine) -> None:
    pid = machine.main_pid("kacheck")
    status = machine.process(pid)
    assert {status[name] for name in status if name.startswith("Cap")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    owner = machine.run(["stat", "--format=%U %G", f"/proc/{pid}"]).stdout
    assert owner == "kacheck kacheck\n"


def test_it_writes_to_run_alone_and_there_to_its_directories_alone(machine: Machine) -> None:
    ours = [f"/run/kacheck/{name}" for name in ("failing", "track", "verdict", "watcher")]
    places = ["/run", "/etc", "/var/lib", "/dev/shm", "/run/lock", "/proc/sys"]
    places += ["/run/kacheck", "/run/kacheck/drain", *ours]
    pid = machine.main_pid("kacheck")
    inside = [
        "nsenter",
        f"--target={pid}",
        "--mount",
        "setpriv",
        "--reuid=kacheck",
        "--clear-groups",
    ]
    script = 'for place; do touch "$place/x" 2>/dev/null && rm "$place/x" && echo "$place"; done'
    found = machine.run([*inside, "--regid=kacheck", "sh", "-c", script, "sh", *places]).stdout
    assert found.split() == ours


def test_a_killed_process_of_another_user_is_reported(machine: Machine) -> None:
    assert machine.process(machine.main_pid("vault"))["Uid"].split()[0] != "0"
    machine.systemctl("stop", "vault")
    wait_for(machine, 0)
    vip_leaves(machine)
    machine.systemctl("start", "vault")
    wait_for(machine, 1)
    vip_arrives(machine)


def test_it_reaches_vault_over_tls_and_over_a_unix_socket(machine: Machine, tmp_path: Path) -> None:
    authority = Authority()
    machine.write("/etc/vault.d/ca.pem", authority.write(tmp_path / "ca.pem").read_text())
    chain = authority.server("127.0.0.1").private_key_and_cert_chain_pem
    machine.write("/srv/vault.pem", chain.bytes().decode())
    machine.write("/srv/vault.py", Path(vault.__file__).read_text())
    machine.run(["mkdir", "/run/vault"])
    for options in (
        ["--listen=127.0.0.1:8200", "--cert=/srv/vault.pem", "--key=/srv/vault.pem"],
        ["--listen=unix:/run/vault/vault.sock"],
    ):
        argv = ["python3", "-I", "/srv/vault.py", "--seconds=300", *options]
        stand_in = machine.popen(argv, stdout=subprocess.PIPE)
        assert stand_in.popen.stdout
        assert stand_in.popen.stdout.readline().startswith("listening on ")
    machine.run(["chmod", "a+rw", "/run/vault/vault.sock"])
    machine.write(TOML, CONFIGURATION + VAULT_CHECKS)
    machine.systemctl("restart", "kacheck")
    assert [says(machine, check) for check in ("tls", "unix")] == [1, 1]


def back(machine: Machine, before: int) -> bool:
    """Return whether another watcher runs and has published."""
    pid = machine.main_pid("kacheck")
    return pid not in (0, before) and machine.show("kacheck", "ActiveState") == "active"


def test_when_it_is_killed_the_vip_stays_and_it_comes_back(machine: Machine) -> None:
    vip_arrives(machine)
    before = machine.main_pid("kacheck")
    machine.systemctl("kill", "--signal=KILL", "kacheck")

    def is_back() -> bool:
        assert says(machine) == 1
        assert machine.has_address(VIP)
        return back(machine, before)

    wait_until(is_back, "it does not come back", PATIENCE)
    assert heals(machine)


def test_when_it_is_restarted_the_vip_stays(machine: Machine) -> None:
    vip_arrives(machine)
    for command_ in ("restart", "try-restart", "restart"):
        before = machine.main_pid("kacheck")
        machine.systemctl("--no-block", command_, "kacheck")

        def is_back(before: int = before) -> bool:
            assert says(machine) == 1
            assert machine.has_address(VIP)
            return back(machine, before)

        wait_until(is_back, "it does not come back", PATIENCE)
    assert heals(machine)


def test_a_successor_reports_that_watcher_and_service_were_killed(machine: Machine) -> None:
    vip_arrives(machine)
    machine.systemctl("kill", "--signal=KILL", "kacheck")
    machine.systemctl("stop", "vault")
    wait_for(machine, 0)
    vip_leaves(machine)


def test_a_restart_with_a_configuration_that_is_refused_fails_the_checks(machine: Machine) -> None:
    vip_arrives(machine)
    machine.write(TOML, CONFIGURATION + "colour = 7\n")
    with pytest.raises(LabError, match="failed"):
        machine.systemctl("restart", "kacheck")
    assert says(machine) == 0
    vip_leaves(machine)


def test_a_termination_that_nobody_asked_systemd_for_fails_the_checks(machine: Machine) -> None:
    vip_arrives(machine)
    machine.systemctl("kill", "--signal=TERM", "kacheck")
    vip_leaves(machine, PATIENCE)
    vip_arrives(machine)


def test_when_it_hangs_the_watchdog_ends_it(machine: Machine) -> None:
    vip_arrives(machine)
    before = machine.main_pid("kacheck")
    since = time.monotonic()
    machine.systemctl("kill", "--signal=STOP", "kacheck")
    wait_until(lambda: back(machine, before), "it does not come back", PATIENCE)
    assert time.monotonic() - since > 4, "it is not the watchdog's doing"
    assert "Watchdog timeout" in machine.journal("kacheck")
    assert machine.has_address(VIP)
    assert heals(machine)


def test_without_python_its_track_files_fail_until_it_returns(machine: Machine) -> None:
    """They stay over the kill, and the start that fails after it takes them away."""
    machine.run(["mv", "/usr/bin/python3", "/usr/bin/python3.away"])
    try:
        machine.systemctl("kill", "--signal=KILL", "kacheck")
        wait_for(machine, 0)
        restarts = int(machine.show("kacheck", "NRestarts"))
        wait_until(
            lambda: int(machine.show("kacheck", "NRestarts")) > restarts + 1, "no restart", PATIENCE
        )
        assert says(machine) == 0
    finally:
        machine.run(["mv", "/usr/bin/python3.away", "/usr/bin/python3"])
    assert heals(machine)


def test_stopped_it_leaves_failing_values_and_stays_stopped(machine: Machine) -> None:
    machine.systemctl("stop", "kacheck")
    assert says(machine) == 0
    vip_leaves(machine)
    assert machine.show("kacheck", "Result") == "success"
    assert machine.show("kacheck", "SubState") == "dead"


def test_a_reload_takes_a_good_configuration(machine: Machine) -> None:
    pid = machine.main_pid("kacheck")
    machine.write(TOML, CONFIGURATION + SECOND_CHECK)
    machine.systemctl("reload", "kacheck")
    assert says(machine, "bus") == 1, "a reload is over when each check has a verdict"
    assert machine.main_pid("kacheck") == pid
    assert says(machine) == 1


def test_a_reload_refuses_a_bad_configuration_and_says_why(machine: Machine) -> None:
    vip_arrives(machine)
    pid = machine.main_pid("kacheck")
    machine.write(TOML, CONFIGURATION + "colour = 7\n")
    with pytest.raises(LabError, match="failed"):
        machine.systemctl("reload", "kacheck")
    assert "colour" in machine.journal("kacheck")
    assert machine.show("kacheck", "ActiveState") == "active"
    assert machine.main_pid("kacheck") == pid
    assert says(machine) == 1
    assert machine.has_address(VIP)
    assert heals(machine)


def test_without_a_configuration_it_fails_with_a_message(machine: Machine) -> None:
    machine.systemctl("stop", "kacheck")
    machine.run(["rm", TOML])
    with pytest.raises(LabError, match="failed"):
        machine.systemctl("start", "kacheck")
    assert f"{TOML}: No such file" in machine.journal("kacheck")
    assert says(machine) == 0
    machine.write(TOML, CONFIGURATION)
    assert heals(machine), "a configuration that comes later is found"


def test_it_starts_when_the_state_directory_was_deleted(machine: Machine) -> None:
    machine.systemctl("stop", "kacheck")
    machine.run(["rm", "-r", "/run/kacheck"])
    machine.systemctl("start", "kacheck")
    machine.systemctl("reload", "keepalived")  # its inotify watch is on the old directory
    vip_arrives(machine)
    assert heals(machine)
    roots = ["/run/kacheck", "/run/kacheck/drain"]
    ours = [f"/run/kacheck/{name}" for name in ("failing", "track", "verdict", "watcher")]
    owners = machine.run(["stat", "--format=%U %a", *roots, *ours]).stdout
    assert owners.splitlines() == ["root 755"] * 2 + ["kacheck 755"] * 4


def test_tmpfiles_d_lets_a_group_drain_and_a_bad_line_is_harmless(
    machine: Machine,
) -> None:
    line = re.search(
        r"^    (z /run/kacheck/drain .*)$", (ROOT / "docs/watch.md").read_text(), re.MULTILINE
    )
    assert line
    text = line[1].replace("operators", "adm")
    machine.write("/etc/tmpfiles.d/kacheck-drain.conf", f"{text}\n")
    machine.write("/etc/tmpfiles.d/other.conf", "nonsense\n")
    machine.systemctl("restart", "kacheck")
    wait_for(machine, 1)
    operator = ["setpriv", "--reuid=nobody", "--regid=adm", "--clear-groups"]
    machine.run([*operator, "kacheck", "drain", "on", "vault"])
    wait_for(machine, 0)
    machine.run(["kacheck", "drain", "on", "vault", "--message", "by root"])
    machine.run([*operator, "kacheck", "drain", "off", "vault"])
    wait_for(machine, 1)
    machine.run(["rm", "/etc/tmpfiles.d/kacheck-drain.conf", "/etc/tmpfiles.d/other.conf"])


def test_it_heals_when_the_state_directory_is_deleted_and_made_again(machine: Machine) -> None:
    vip_arrives(machine)
    machine.run(["rm", "-r", "/run/kacheck"])
    vip_leaves(machine)
    machine.run(["systemd-tmpfiles", "--create", "kacheck.conf"])
    wait_for(machine, 1)
    machine.systemctl("reload", "keepalived")
    vip_arrives(machine)
    assert heals(machine)


@pytest.mark.parametrize("directory", ["/run/kacheck", "/run/kacheck/track"])
def test_it_is_restarted_when_the_state_directory_stays_deleted(
    machine: Machine, directory: str
) -> None:
    vip_arrives(machine)
    machine.run(["rm", "-r", directory])
    vip_leaves(machine)
    wait_for(machine, 1)  # it ends, and its unit makes the directory before it starts it again
    assert "/run/kacheck/track is gone" in machine.journal("kacheck")
    machine.systemctl("reload", "keepalived")
    vip_arrives(machine)
    assert heals(machine)


def test_restarting_keepalived_finds_the_verdicts_as_they_are(machine: Machine) -> None:
    machine.systemctl("stop", "vault")
    wait_for(machine, 0)
    machine.systemctl("restart", "keepalived")
    time.sleep(1)  # an instance that were healthy would be master after 0.4 s
    assert not machine.has_address(VIP)
    machine.systemctl("start", "vault")
    vip_arrives(machine)


def test_it_works_in_a_container_that_is_not_privileged(root: Path) -> None:
    unprivileged = ["--private-users=524288:65536", "--private-users-ownership=auto"]
    with Machine(root, prepare, unprivileged) as machine:
        vip_arrives(machine)
        machine.systemctl("kill", "--signal=KILL", "kacheck")
        assert heals(machine)


def test_systemd_has_nothing_against_the_unit(
    machine: Machine, record_property: Callable[[str, object], None]
) -> None:
    found = machine.run(["systemd-analyze", "verify", "--man=no", "kacheck.service"])
    assert found.stdout + found.stderr == ""
    analysis = machine.run(["systemd-analyze", "security", "--no-pager", "kacheck"]).stdout
    exposure = re.search(r"Overall exposure level for kacheck.service: ([\d.]+)", analysis)
    assert exposure
    assert float(exposure[1]) <= 1.5
    record_property(SHOWN, f"{machine.systemctl('--version').split(')')[0]}): {exposure[0]}")


def test_a_machine_dies_with_the_process_that_made_it(root: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from helpers.machine import Machine\n"
        "with Machine(Path(sys.argv[1])) as machine: print(machine.leader, flush=True); time.sleep(99)"
    )
    maker = subprocess.Popen(
        [sys.executable, "-c", code, root],
        cwd=TESTS,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert maker.stdout
    leader = int(maker.stdout.readline())
    maker.send_signal(signal.SIGKILL)
    maker.communicate()
    wait_until(lambda: is_dead(leader), "the machine lives on")


def is_dead(pid: int) -> bool:
    """Return whether it has exited; the host's first process may reap it late."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
