"""What the VIP does when Vault or the process fails."""

import datetime as dt
import os
import signal
import subprocess
import time
from math import floor
from pathlib import Path

import pytest

from helpers.certificates import Authority
from helpers.failures import CHECK, ONLY_THE_PROCESS, SAME_PID, Scene, pid_in_node, row
from helpers.keepalived import children_of, wait_until
from helpers.pair import INSTANCE, PATIENCE
from helpers.vault_node import CONFIGURATION

pytestmark = pytest.mark.keepalived
TRUSTING_A_DIRECTORY = CONFIGURATION.replace(
    'ca_cert = "/etc/vault.d/ca.pem"', 'ca_path = "/etc/vault.d/authorities"'
)


# --- Vault -------------------------------------------------------------------------------------


@row("Vault is killed", "watcher: `critical missing`", "leaves at once")
def test_vault_is_killed(scene: Scene) -> None:
    scene.start()
    scene.leaves(scene.kill_vault)


@row("Vault is stopped (SIGSTOP)", "watcher: `critical timeout`", "leaves after 2 looks")
def test_vault_is_stopped(scene: Scene) -> None:
    scene.start()
    vault = scene.a.vault
    assert vault
    scene.leaves(lambda: vault.kill(signal.SIGSTOP))


def becomes(scene: Scene, state: str) -> None:
    scene.start()
    scene.leaves(lambda: setattr(scene.a, "state", state))


@row("Vault is sealed", "watcher: `critical sealed`", "leaves after 2 looks")
def test_vault_is_sealed(scene: Scene) -> None:
    becomes(scene, "sealed")


@row(
    "Vault steps down",
    "watcher: `warning standby`; keepalived: `now FAULT state`",
    "leaves after 2 looks, to the active node; without one it is dropped on purpose",
)
def test_vault_steps_down(scene: Scene) -> None:
    becomes(scene, "standby")


@row("Vault hangs", "watcher: `critical timeout`", "leaves after 2 looks")
def test_vault_hangs(scene: Scene) -> None:
    becomes(scene, "hang")


@row("Vault answers garbage", "watcher: `critical bad-response`", "leaves after 2 looks")
def test_vault_answers_garbage(scene: Scene) -> None:
    becomes(scene, "garbage-head")


@row(
    "Vault is restarted with an expired certificate",
    "watcher: `critical tls`, `has expired`",
    "leaves at once, and stays away",
)
def test_vault_is_restarted_with_an_expired_certificate(scene: Scene) -> None:
    scene.start()

    def restart() -> None:
        scene.kill_vault()
        scene.a.certify(scene.a.authority.expired("127.0.0.1"))
        scene.a.start_vault()

    scene.leaves(restart)
    scene.watcher.wait_said("critical tls")
    assert scene.keepalived.state(INSTANCE) == "FAULT"


@row(
    "Vault's certificate expires while the connection is kept",
    "watcher: `critical tls`, `has expired`",
    "leaves after 2 looks on new connections, the first of which comes within 3 s",
)
def test_the_certificate_expires_while_the_connection_is_kept(scene: Scene) -> None:
    """The watcher connects 2.5 s before the end, so that it would look on that connection again."""
    left = dt.timedelta(seconds=5)
    leaf = scene.a.authority._issue(("127.0.0.1",), left)
    # It ends with a whole second; OpenSSL's X509_cmp_time() takes "equal" for "over".
    end = time.monotonic() - time.time() + floor(time.time() + left.total_seconds())
    scene.a.certify(leaf)
    wait_until(lambda: time.monotonic() > end - 2.7, "time stands still", PATIENCE)
    scene.start()
    assert time.monotonic() < end, "it has expired before it was seen"
    wait_until(lambda: time.monotonic() > end, "it does not expire", PATIENCE)
    assert scene.a.has_vip
    scene.has_left(end)


@row(
    "the authority of Vault's certificate is overwritten in the directory that is trusted",
    "watcher: `critical tls`, `unknown authority`",
    "leaves after 2 looks on new connections, the first of which comes within 3 s",
)
def test_the_authority_is_overwritten_while_the_connection_is_kept(scene: Scene) -> None:
    file = scene.a.node.root / "etc/vault.d/authorities/ca.pem"
    file.parent.mkdir(exist_ok=True)
    scene.a.authority.write(file)
    scene.start(TRUSTING_A_DIRECTORY)
    began = time.monotonic()
    Authority().write(file)
    scene.has_left(began)


# --- a process ---------------------------------------------------------------------------------


@row("the process is killed", "watcher: `critical missing`", "leaves at once")
def test_the_process_is_killed(scene: Scene) -> None:
    process = scene.start_process()
    scene.leaves(process.kill)


@row("the process is a zombie", "watcher: `critical missing`", "leaves at once")
def test_the_process_is_a_zombie(scene: Scene) -> None:
    parent = f"{scene.program('sleep')} 600 & exec sleep 600"
    scene.others.append(scene.a.node.popen(["sh", "-c", parent]))
    wait_until(lambda: children_of(scene.others[0].pid), "the parent has no child")
    child = children_of(scene.others[0].pid)[0]
    scene.a.toml.write_text(ONLY_THE_PROCESS)
    scene.gains(scene.start_rest)
    scene.leaves(lambda: os.kill(child, signal.SIGKILL))
    assert "zombie" in Path(f"/proc/{child}/status").read_text()


@row(
    "the process is restarted within `terminate_delay`",
    "verdict: `0`, `ok running`",
    "stays on purpose; leaves when the delay is over and it is not back",
)
def test_the_process_is_restarted_within_terminate_delay(scene: Scene) -> None:
    process = scene.start_process(ONLY_THE_PROCESS + "terminate_delay = 2\n")

    def restart() -> None:
        process.kill()
        process.wait()
        scene.spawn()

    scene.stays(restart)
    assert scene.a.read(f"verdict/{CHECK}").startswith("0 ")
    scene.has_the_vip()
    said = len(scene.watcher.journal)
    scene.leaves(scene.others[-1].kill)
    scene.watcher.wait_said("critical missing", after=said)
    scene.gains(scene.spawn)


@row(
    "the process becomes another program (exec)",
    "watcher: `critical missing`",
    "leaves after 2 looks",
)
def test_the_process_becomes_another_program(scene: Scene) -> None:
    becomes_sleep = "read _; exec sleep 600"
    process = scene.spawn("-c", becomes_sleep, program="sh", stdin=subprocess.PIPE)
    scene.a.toml.write_text(ONLY_THE_PROCESS)
    scene.gains(scene.start_rest)

    def action() -> None:
        assert process.popen.stdin
        process.popen.stdin.write("now\n")
        process.popen.stdin.flush()

    scene.leaves(action)
    assert Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n"


@row(
    "the process exits and another process gets its pid at once",
    "watcher: `critical missing`",
    "leaves at once; stays if that process is its successor",
)
def test_the_pid_of_the_process_is_anothers(scene: Scene) -> None:
    """The watcher is stopped meanwhile, so that it sees nothing but the same pid again."""
    scene.start_process()
    pid = pid_in_node(scene.others[0])
    watcher = scene.watcher.process
    stranger = scene.copy("sleep", "stranger")

    def replace(program: Path) -> None:
        watcher.kill(signal.SIGSTOP)
        scene.a.node.run(["sh", "-c", SAME_PID, "sh", str(pid), program])
        watcher.kill(signal.SIGCONT)

    scene.stays(lambda: replace(scene.program("sleep")))
    scene.leaves(lambda: replace(stranger))
