"""What the VIP does when the watcher fails, or its state directory and files."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.failures import BOUND, BUSY, CHECK, SAME_PID, Scene, pid_in_node, row
from helpers.keepalived import wait_until
from helpers.pair import INSTANCE, PATIENCE
from helpers.vault_node import AS_USER

pytestmark = pytest.mark.keepalived


# --- the watcher -------------------------------------------------------------------------------


@row(
    "the watcher is stopped by its service (SIGTERM)",
    "watcher: `all checks fail now`; verdict: `critical stopped`",
    "leaves at once, on purpose: nothing checks the service any more",
)
def test_the_watcher_is_stopped_by_its_service(scene: Scene) -> None:
    scene.start()
    scene.leaves(scene.watcher.stop)


@row(
    "the watcher is killed, then Vault",
    "keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves by the guard",
)
def test_the_watcher_is_killed(scene: Scene) -> None:
    scene.start()
    scene.stays(scene.watcher.process.kill)
    scene.leaves_by_the_guard(scene.kill_vault)


@row(
    "the watcher is killed, then Vault hangs",
    "keepalived: `now returning 2`",
    "leaves by the guard",
)
def test_the_watcher_is_killed_and_vault_hangs(scene: Scene) -> None:
    scene.start()
    scene.watcher.process.kill()
    scene.leaves_by_the_guard(lambda: setattr(scene.a, "state", "hang"))


@row(
    "the watcher is killed and another process gets its pid, then Vault is killed",
    "keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves by the guard",
)
def test_the_watchers_pid_is_anothers(scene: Scene) -> None:
    scene.start()
    pid = pid_in_node(scene.watcher.process)
    scene.a.node.run(["sh", "-c", SAME_PID, "sh", str(pid), scene.copy("sleep", "kacheck")])
    assert scene.a.read("watcher/pid").split()[0] == str(pid)
    scene.leaves_by_the_guard(scene.kill_vault)


@row(
    "the watcher is stopped (SIGSTOP), then Vault killed",
    "keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves by the guard",
)
def test_the_watcher_is_stopped(scene: Scene) -> None:
    scene.start()
    scene.stays(lambda: scene.watcher.process.kill(signal.SIGSTOP))
    scene.leaves_by_the_guard(scene.kill_vault)


def take_descriptors(scene: Scene) -> None:
    scene.start()
    pid = pid_in_node(scene.watcher.process)
    scene.a.node.run([*AS_USER, "prlimit", f"--pid={pid}", "--nofile=3:3"])  # as root needs more


@row(
    "the watcher is out of file descriptors, then Vault killed",
    "watcher: `Too many open files`, `critical`",
    "leaves at once",
)
def test_the_watcher_is_out_of_descriptors(scene: Scene) -> None:
    take_descriptors(scene)
    scene.leaves(scene.kill_vault)


@row(
    "the watcher is out of file descriptors, and Vault healthy",
    "watcher: `Too many open files`, `critical`",
    "leaves after 2 looks, on purpose: its state is unknown",
)
def test_the_watcher_is_out_of_descriptors_for_a_healthy_vault(scene: Scene) -> None:
    began = time.monotonic()
    take_descriptors(scene)
    scene.keepalived.wait_for("FAULT", PATIENCE, after=began)
    wait_until(lambda: not scene.a.has_vip and scene.b.has_vip, "A keeps the VIP", PATIENCE)


# --- the state directory -----------------------------------------------------------------------


@row(
    "the state directory is deleted, then Vault killed",
    "watcher: `/run/kacheck/track is gone`; keepalived: `now FAULT state`",
    "leaves at once; the unit makes the directory and restarts the watcher. The VIP stays away "
    "until keepalived is reloaded; after that, a dead Vault loses it at once",
)
def test_the_state_directory_is_deleted(scene: Scene) -> None:
    scene.start()
    scene.leaves(lambda: shutil.rmtree(scene.a.run_dir))
    assert scene.watcher.process.wait() == 3
    scene.start_watcher()  # as the unit does, which test_systemd.py shows
    wait_until(lambda: scene.a.read(f"track/{CHECK}") == "1\n", "it is not written again")
    assert scene.keepalived.state(INSTANCE) == "FAULT"
    scene.gains(scene.keepalived.reload)
    scene.leaves(scene.kill_vault)


@row(
    "the state directory is replaced by a new one, then Vault killed",
    "watcher: `is another directory than before: reload keepalived`; keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves by the guard",
)
def test_the_state_directory_is_replaced(scene: Scene) -> None:
    scene.start()

    def replace() -> None:
        scene.a.node.run(["mv", "/run/kacheck", "/run/kacheck-old"])
        scene.a.make_run_dir()

    scene.stays(replace)
    scene.watcher.wait_said("is another directory")
    scene.leaves(scene.kill_vault)


@row(
    "the state directory is full, then Vault killed",
    "watcher: `No space left on device`, `critical missing`",
    "stays while Vault is healthy; leaves at once",
)
@pytest.mark.parametrize("again", [False, True], ids=["once", "again-and-again"])
def test_the_state_directory_is_full(scene: Scene, *, again: bool) -> None:
    scene.a.node.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=64k", "tmpfs", "/run/kacheck"])
    scene.start()
    fill = "head -c 4096 /dev/zero >>/run/kacheck/filler 2>/dev/null"
    loop = f"while :; do {fill}; done" if again else f"while {fill}; do :; done"
    scene.stays(lambda: scene.others.append(scene.a.node.popen(["sh", "-c", loop])))
    scene.leaves(scene.kill_vault)


@row(
    "the state directory is read-only, then Vault killed",
    "watcher: `Read-only file system`, `critical missing`; keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves by the guard",
)
def test_the_state_directory_is_read_only(scene: Scene) -> None:
    scene.start()
    remount = (
        "mount --bind /run/kacheck /run/kacheck && mount -o remount,bind,ro /run/kacheck && "
        "! touch /run/kacheck/track/new 2>/dev/null"
    )
    scene.stays(lambda: scene.a.node.run(["sh", "-c", remount]))
    scene.leaves_by_the_guard(scene.kill_vault)


# --- its files ---------------------------------------------------------------------------------


def hurt_the_track_file(scene: Scene, action: Callable[[Path], object]) -> None:
    scene.start()
    path = scene.a.run_dir / "track" / CHECK
    began = time.monotonic()
    action(path)
    scene.keepalived.wait_for("FAULT", PATIENCE, instance=INSTANCE, after=began)
    scene.has_the_vip()
    assert path.read_text() == "1\n"


HEALS = "leaves at once, and comes back at the next look, which rewrites it"


@row("the track file is deleted", "keepalived: `now FAULT state`", HEALS)
def test_the_track_file_is_deleted(scene: Scene) -> None:
    hurt_the_track_file(scene, Path.unlink)


@row("the track file is emptied", "keepalived: `now FAULT state`", HEALS)
def test_the_track_file_is_emptied(scene: Scene) -> None:
    hurt_the_track_file(scene, lambda path: path.write_text(""))


@row("the track file is garbled", "keepalived: `now FAULT state`", HEALS)
def test_the_track_file_is_garbled(scene: Scene) -> None:
    hurt_the_track_file(scene, lambda path: path.write_bytes(b"\xff\x00healthy\n"))


@row(
    "Vault is killed, then the track file set to 1 by hand",
    "watcher: `critical missing`; keepalived: `now returning 2`",
    "comes back for one interval at most: the next look rewrites the file",
)
def test_the_track_file_is_changed_by_hand(scene: Scene) -> None:
    scene.start()
    scene.leaves(scene.kill_vault)
    path = scene.a.run_dir / "track" / CHECK
    began = time.monotonic()
    path.write_text("1\n")
    wait_until(lambda: path.read_text() == "0\n", "it stays changed")
    wait_until(lambda: scene.keepalived.state(INSTANCE) == "FAULT", "the dead node has the VIP")
    wait_until(lambda: not scene.a.has_vip, "the dead node has the VIP")
    assert time.monotonic() - began <= BOUND + BUSY
    scene.keepalived.wait_log("VRRP_Script(kacheck_guard) failed")
    began = time.monotonic()
    path.write_text("1\n")
    wait_until(lambda: path.read_text() == "0\n", "it stays changed")
    assert scene.keepalived.states(INSTANCE, began) == [], "the guard keeps it in FAULT"


@row(
    "the verdict file is garbled, again and again, then Vault killed",
    "watcher: `critical missing`",
    "stays while Vault is healthy; leaves at once",
)
def test_the_verdict_file_is_garbled(scene: Scene) -> None:
    scene.start()
    garble = f"while :; do echo 0 >/run/kacheck/verdict/{CHECK}; done"
    scene.stays(lambda: scene.others.append(scene.a.node.popen(["sh", "-c", garble])))
    scene.leaves(scene.kill_vault)
    scene.keepalived.wait_log("VRRP_Script(kacheck_guard) failed")
