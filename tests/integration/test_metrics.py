"""Metrics: a file that Prometheus can read, whatever becomes of its directory."""

import os
import pathlib
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from prometheus_client.parser import text_string_to_metric_families

from helpers.child import environment, run_kacheck
from helpers.faults import hide_module, restrict_umask
from helpers.reasons import REASON
from helpers.status import GONE, HERE, NAME
from helpers.watcher import Watcher
from kacheck import files
from kacheck.cli import main
from kacheck.result import Status
from kacheck.watch import metrics
from kacheck.watch.metrics import Metrics, Sample, exposition
from kacheck.watch.timers import Timers

Start = Callable[..., subprocess.Popen[bytes]]

QUICK = {"kacheck.watch.metrics.LEAST": 0.05, "kacheck.watch.metrics.INTERVAL": 0.2}
missing = partial(hide_module, "prometheus_client")


def values(text: str) -> dict[tuple[str, ...], float]:
    """Return each value by its name and labels, without the check's own."""
    return {
        (
            sample.name,
            sample.labels["check"],
            *(value for name, value in sorted(sample.labels.items()) if name != "check"),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "textfile").mkdir()
    return tmp_path / "textfile/kacheck.prom"


def toml(file: pathlib.Path, *checks: str) -> str:
    return f'metrics = "{file}"\n' + "".join(checks)


def read(file: pathlib.Path) -> dict[tuple[str, ...], float]:
    return values(file.read_text()) if file.exists() else {}


SAMPLE = Sample(
    check="vault",
    status=Status.WARNING,
    reason=REASON["standby"],
    is_up=False,
    duration_s=0.0123,
    looked_at=1e9 + 0.5,
    transitions=7,
    looks={Status.OK: 1, Status.WARNING: 2, Status.CRITICAL: 3, Status.UNKNOWN: 4},
)


def test_every_metric_has_its_value() -> None:
    assert values(exposition([SAMPLE])) == {
        ("kacheck_verdict", "vault"): 1,
        ("kacheck_up", "vault"): 0,
        ("kacheck_look_duration_seconds", "vault"): 0.0123,
        ("kacheck_last_look_timestamp_seconds", "vault"): 1e9 + 0.5,
        ("kacheck_verdict_info", "vault", "standby", "warning"): 1,
        ("kacheck_transitions_total", "vault"): 7,
        ("kacheck_looks_total", "vault", "ok"): 1,
        ("kacheck_looks_total", "vault", "warning"): 2,
        ("kacheck_looks_total", "vault", "critical"): 3,
        ("kacheck_looks_total", "vault", "unknown"): 4,
    }


@pytest.mark.parametrize("status", Status, ids=lambda status: status.word)
def test_the_verdict_is_the_statuss_number(status: Status) -> None:
    text = exposition([SAMPLE._replace(status=status, is_up=status is Status.OK)])
    assert values(text)["kacheck_verdict", "vault"] == int(status)
    assert values(text)["kacheck_up", "vault"] == (status == 0)


def test_a_transition_is_in_the_file_within_a_moment(
    tmp_path: pathlib.Path, start: Start, file: pathlib.Path
) -> None:
    process = start(NAME, "60")
    with Watcher(tmp_path, toml(file, HERE, GONE)) as watcher:
        watcher.until(lambda: read(file).get(("kacheck_up", "here")) == 1)
        watcher.until(lambda: read(file).get(("kacheck_verdict", "gone")) == 2)
        seen = read(file)
        assert seen["kacheck_verdict", "here"] == 0
        assert seen["kacheck_verdict_info", "gone", "missing", "critical"] == 1
        assert abs(seen["kacheck_last_look_timestamp_seconds", "here"] - time.time()) < 10
        assert 0 < seen["kacheck_look_duration_seconds", "here"] < 10
        process.kill()
        watcher.wait_for("here", "critical missing")
        watcher.until(lambda: read(file)["kacheck_up", "here"] == 0)
        assert read(file)["kacheck_transitions_total", "here"] == 2
        assert read(file)["kacheck_looks_total", "here", "critical"] >= 1


def test_it_is_world_readable_and_the_only_file_left(
    tmp_path: pathlib.Path, start: Start, file: pathlib.Path
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, toml(file, HERE), settings=QUICK, faults=[restrict_umask]) as watcher:
        watcher.until(file.exists)
        assert file.stat().st_mode & 0o777 == 0o644
    assert os.listdir(file.parent) == ["kacheck.prom"]


def test_it_goes_on_while_nothing_happens(
    tmp_path: pathlib.Path, start: Start, file: pathlib.Path
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, toml(file, HERE), settings=QUICK) as watcher:
        watcher.until(lambda: read(file).get(("kacheck_looks_total", "here", "ok"), 0) >= 2)


def test_a_check_that_was_removed_disappears_and_so_does_a_file(
    tmp_path: pathlib.Path, start: Start, file: pathlib.Path
) -> None:
    start(NAME, "60")
    other = file.with_name("other.prom")
    with Watcher(tmp_path, toml(file, HERE, GONE), settings=QUICK) as watcher:
        watcher.until(lambda: ("kacheck_up", "gone") in read(file))
        watcher.reload(toml(file, HERE))
        watcher.until(lambda: ("kacheck_up", "gone") not in read(file))
        assert ("kacheck_up", "here") in read(file)
        watcher.reload(toml(other, HERE))
        watcher.until(lambda: not file.exists())
        watcher.until(lambda: ("kacheck_up", "here") in read(other))
        watcher.reload(HERE)
        watcher.until(lambda: not other.exists())
        watcher.reload(toml(file, HERE))
        watcher.until(lambda: ("kacheck_up", "here") in read(file))


def test_what_stays_after_the_end_says_that_all_checks_fail(
    tmp_path: pathlib.Path, start: Start, file: pathlib.Path
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, toml(file, HERE)) as watcher:
        watcher.until(lambda: read(file).get(("kacheck_up", "here")) == 1)
    assert read(file)["kacheck_up", "here"] == 0
    assert read(file)["kacheck_verdict", "here"] == 2
    assert read(file)["kacheck_verdict_info", "here", "stopped", "critical"] == 1


def test_a_directory_that_cannot_be_written_is_reported_once_and_healed(
    tmp_path: pathlib.Path, start: Start, file: pathlib.Path
) -> None:
    start(NAME, "60")
    file.parent.rmdir()
    with Watcher(tmp_path, toml(file, HERE), settings=QUICK) as watcher:
        said = watcher.until(lambda: watcher.find("metrics are not written"))
        assert said["message"] == f"{file}: No such file or directory: metrics are not written"
        known = len(watcher.lines)
        time.sleep(0.5)  # two or three more attempts, none of which says it again
        assert watcher.find("metrics are not written", known) is None
        assert watcher.says("here", "ok running")
        file.parent.mkdir()
        watcher.until(lambda: watcher.find("metrics are written again"))
        assert read(file)["kacheck_up", "here"] == 1


@pytest.mark.parametrize("name", ["kacheck.prom", ".kacheck.prom.new"])
@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "FIFO"])
def test_a_trap_in_the_metrics_directory_is_neither_followed_nor_blocking(
    tmp_path: pathlib.Path, start: Start, file: pathlib.Path, kind: str, name: str
) -> None:
    """The directory may be another user's, and the watcher root's."""
    start(NAME, "60")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o600)
    trap = file.with_name(name)
    if kind == "FIFO":
        os.mkfifo(trap)
    else:
        (trap.symlink_to if kind == "symbolic link" else trap.hardlink_to)(victim)
    with Watcher(tmp_path, toml(file, HERE), settings=QUICK) as watcher:
        watcher.until(lambda: stat.S_ISREG(file.lstat().st_mode) if file.exists() else False)
        watcher.until(lambda: file.stat().st_nlink == 1 and "kacheck_up" in file.read_text())
    assert victim.read_text() == "precious"
    assert victim.stat().st_mode & 0o777 == 0o600
    assert os.listdir(file.parent) == ["kacheck.prom"]


@pytest.mark.parametrize("name", ["kacheck.prom", ".kacheck.prom.new"])
def test_a_directory_in_the_files_place_is_reported(
    tmp_path: pathlib.Path, start: Start, file: pathlib.Path, name: str
) -> None:
    start(NAME, "60")
    file.with_name(name).mkdir()
    with Watcher(tmp_path, toml(file, HERE), settings=QUICK) as watcher:
        said = f"{file}: Is a directory: metrics are not written"
        watcher.until(lambda: watcher.find(said))
        file.with_name(name).rmdir()
        watcher.until(lambda: watcher.find("metrics are written again"))


def test_after_a_reload_without_metrics_they_are_not_announced(
    tmp_path: pathlib.Path, start: Start, file: pathlib.Path
) -> None:
    start(NAME, "60")
    other = tmp_path / "kacheck.prom"
    with Watcher(tmp_path, toml(other, HERE), settings=QUICK) as watcher:
        watcher.until(other.exists)
        file.parent.rmdir()
        watcher.reload(toml(file, HERE))
        watcher.until(lambda: watcher.find("metrics are not written"))
        watcher.reload(HERE)
        watcher.reload(toml(other, HERE))
        watcher.until(other.exists)
    assert watcher.find("metrics are written again") is None


def test_a_file_that_does_not_fit_leaves_the_old_one(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "kacheck.prom"
    files.replace(str(file), "old\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            files.replace(str(file), "x" * 10_000)  # the first 4096 are written
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == b"old\n"
    assert os.listdir(tmp_path) == ["kacheck.prom"]


# --- a disk that hangs ----------------------------------------------------------------------


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, list[str]]]:
    """A disk that takes nothing until the event is set; and what it was given."""
    awake, written = threading.Event(), list[str]()

    def replace(_: str, content: str) -> None:
        assert awake.wait(20)
        written.append(content)

    monkeypatch.setattr(metrics, "replace", replace)
    yield awake, written
    awake.set()


def test_a_disk_that_hangs_delays_nobody_and_gets_the_newest(
    hanging: tuple[threading.Event, list[str]],
) -> None:
    awake, written = hanging
    taken: list[int] = []

    def take() -> list[Sample]:
        taken.append(len(taken))
        return [SAMPLE._replace(transitions=len(taken))]

    timers = Timers()
    reports: list[str | None] = []
    writer = Metrics(timers, take, reports.append)
    writer.write_with(writer.writer_of("/nowhere/kacheck.prom"))
    for _ in range(5):
        timers.run(timers.next() or 0)
    assert len(taken) == 5, "nothing waited"
    awake.set()
    writer.stop()
    newest = values(written[-1])
    assert newest["kacheck_transitions_total", "vault"] == 6, "the last one, at the stop"
    assert newest["kacheck_up", "vault"] == 0
    assert len(written) <= 3
    assert reports == []


def test_the_end_waits_for_a_disk_only_so_long(
    hanging: tuple[threading.Event, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "PATIENCE", 0.1)
    writer = Metrics(Timers(), lambda: [SAMPLE], lambda _: None)
    writer.write_with(writer.writer_of("/nowhere/kacheck.prom"))
    before = time.monotonic()
    writer.stop()
    assert time.monotonic() - before < 5
    assert hanging[1] == []


def test_it_is_written_once_a_second_at_most() -> None:
    timers = Timers()
    writer = Metrics(timers, list, lambda _: None)
    writer.hurry()
    assert timers.next() is None, "metrics are off"
    writer.write_with(writer.writer_of("/nowhere/kacheck.prom"))
    writer.hurry()
    due = timers.next()
    assert due is not None
    assert due <= time.monotonic(), "the first at once"
    timers.run(time.monotonic())
    for _ in range(3):
        writer.hurry()
    due = timers.next()
    assert due is not None
    assert metrics.LEAST / 2 < due - time.monotonic() <= metrics.LEAST
    writer.write_with(writer.writer_of(None))
    assert timers.next() is None


# --- without prometheus_client --------------------------------------------------------------


def test_without_the_package_a_configuration_that_wants_it_is_refused(
    tmp_path: pathlib.Path, file: pathlib.Path
) -> None:
    config = tmp_path / "kacheck.toml"
    config.write_text(toml(file, HERE))
    for words in (["--check-config"], ["--state-dir", str(tmp_path / "state")]):
        run = run_kacheck("watch", "--config", config, *words, faults=[missing])
        assert run.returncode == 3
        assert "apt install python3-prometheus-client" in run.stderr
        assert run.stdout == ""
    assert not (tmp_path / "state").exists(), "nothing was touched"
    assert main(["watch", "--check-config", "--config", str(config)]) == 0, "where it is there"


def test_a_reload_that_needs_the_missing_package_is_refused_harmlessly(
    tmp_path: pathlib.Path, start: Start, file: pathlib.Path
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE, faults=[missing]) as watcher:
        said = watcher.reload(toml(file, HERE, GONE))
        assert "not reloaded, the old one stays" in said["message"]
        assert "python3-prometheus-client" in said["message"]
        assert watcher.verdict("gone") is None
        assert watcher.says("here", "ok running")
    assert not file.exists()


def test_who_wants_no_metrics_does_not_load_the_package() -> None:
    code = "import sys, kacheck.watch.watcher; print('prometheus_client' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment()
    )
    assert run.stdout == "False\n"
