"""Metrics for Prometheus: a file for node_exporter's textfile collector, off by default.

The supervisor takes the samples, every INTERVAL seconds and after a transition. A separate thread
writes them, because a file system can hang without limit. A newer sample replaces one that was not
written yet.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, NamedTuple

from kacheck.deadline import start_thread
from kacheck.files import replace
from kacheck.result import STOPPED, KacheckError, Reason, Status
from kacheck.state import passes
from kacheck.watch.timers import Timer, Timers
from kacheck.watch.watched import Overview

if TYPE_CHECKING:  # imported only when metrics are on
    from prometheus_client import Metric

INTERVAL = 15.0
"""Seconds between two files while nothing happens."""
LEAST = 1.0
"""Seconds between two files, whatever happens."""
PATIENCE = 1.0
"""Seconds that the last file may take."""


class Sample(NamedTuple):
    """A check at one moment."""

    check: str
    status: Status
    reason: Reason
    is_up: bool
    duration_s: float
    """Of the last look."""
    looked_at: float
    """Unix time."""
    transitions: int
    looks: dict[Status, int]


def samples(watcher: Overview) -> list[Sample]:
    """All checks that have a verdict."""
    clocks = time.time() - time.monotonic()
    return [
        Sample(
            check=watched.check.name,
            status=verdict.status,
            reason=verdict.reason,
            is_up=passes(watched.check.policy, verdict.status, verdict.reason),
            duration_s=watched.last_ms / 1000,
            looked_at=clocks + watched.decided_at,
            transitions=watched.transition_count,
            looks={**watched.looks},
        )
        for watched in watcher.watched.values()
        if (verdict := watched.state.verdict) is not None
    ]


def stopped(sample: Sample) -> Sample:
    """Return the check once nobody looks any more."""
    return sample._replace(status=Status.CRITICAL, reason=STOPPED, is_up=False)


def require(path: str | None) -> None:
    """Find out whether metrics can be had, if they are wanted.

    Raises:
        KacheckError: prometheus_client is not installed.

    """
    if path is None:
        return
    try:
        import prometheus_client  # noqa: F401 - for the thread it is loaded then
    except ImportError as error:
        raise KacheckError(
            f"metrics = {path!r} needs prometheus_client ({error}): "
            "apt install python3-prometheus-client, or leave metrics out"
        ) from None


class Metrics:
    """Decides when a file is due; in the supervisor's thread."""

    def __init__(
        self,
        timers: Timers,
        take: Callable[[], list[Sample]],
        report: Callable[[str | None], None],
    ) -> None:
        self._timers = timers
        self._take = take
        self._report = report
        """Called by any thread with what is wrong, when that changes; None: it is well again."""
        self._writer: MetricsWriter | None = None
        self._timer: Timer | None = None
        self._written_at = float("-inf")

    def writer_of(self, path: str | None) -> "MetricsWriter | None":
        """Return the writer of this file, which may be the one that writes now.

        Raises:
            NoThreadError: a new one is needed, and cannot be started.

        """
        if path is None or (self._writer is not None and self._writer.path == path):
            return self._writer if path else None
        return MetricsWriter(path, self._report)

    def write_with(self, writer: "MetricsWriter | None") -> None:
        """Write with it from now on; None: not at all. A file that was written before goes."""
        if self._writer is not None and self._writer is not writer:
            self._cancel()
            self._writer.end(None)
        self._writer = writer
        if writer is not None:
            self._write_at(time.monotonic() + LEAST)

    def hurry(self) -> None:
        """Something has changed: write as soon as may be."""
        if self._writer is not None:
            self._write_at(max(time.monotonic(), self._written_at + LEAST))

    def stop(self) -> None:
        """Leave a file that says that all checks fail: it is served on without a watcher."""
        self._cancel()
        if self._writer is not None:
            self._writer.end([stopped(sample) for sample in self._take()])
            self._writer.thread.join(PATIENCE)

    def _write_at(self, when: float) -> None:
        if self._timer is not None and self._timer.when <= when:
            return
        self._cancel()
        self._timer = self._timers.at(when, self._write)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _write(self) -> None:
        self._timer = None
        if self._writer is not None:
            self._written_at = time.monotonic()
            self._writer.write(self._take())
            self._write_at(self._written_at + INTERVAL)


class MetricsWriter:
    """Writes one file, in a separate thread.

    Raises:
        NoThreadError: the thread cannot be started.

    """

    def __init__(self, path: str, report: Callable[[str | None], None]) -> None:
        self.path = path
        self._report = report
        self._trouble: str | None = None
        self._waiting: Queue[tuple[list[Sample] | None, bool]] = Queue(1)
        """What to write, or None to remove the file; and whether it is the last."""
        self.thread = start_thread(self._work, "metrics")

    def write(self, samples: list[Sample]) -> None:
        """Write these, instead of those that still wait."""
        self._put(samples, is_last=False)

    def end(self, samples: list[Sample] | None) -> None:
        """Write these, or remove the file, and end."""
        self._put(samples, is_last=True)

    def _put(self, samples: list[Sample] | None, *, is_last: bool) -> None:
        with suppress(Empty):
            self._waiting.get_nowait()
        with suppress(Full):  # never: nobody else puts
            self._waiting.put_nowait((samples, is_last))

    def _work(self) -> None:
        is_last = False
        while not is_last:
            samples, is_last = self._waiting.get()
            trouble = None
            try:
                if samples is None:
                    os.unlink(self.path)
                else:
                    # Not write_to_textfile(): of its file's mode the umask leaves what it likes,
                    # and it follows links and waits for FIFOs, which may be another user's.
                    replace(self.path, exposition(samples))
            except OSError as error:
                trouble = f"{self.path}: {error.strerror}"
            if samples is not None:  # of a file that nobody wants any more there is nothing to say
                self._set_trouble(trouble)

    def _set_trouble(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._report(trouble)


# --- the text -------------------------------------------------------------------------------


def exposition(samples: Sequence[Sample]) -> str:
    """Return the samples in Prometheus's text format."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Samples(Collector):
        def collect(self) -> Iterator["Metric"]:
            return families(samples)

    registry = CollectorRegistry()
    registry.register(Samples())
    return generate_latest(registry).decode()


Value = Callable[[Sample], float]
GAUGES: tuple[tuple[str, str, Value], ...] = (
    (
        "kacheck_verdict",
        "What the check says: 0 ok, 1 warning, 2 critical, 3 unknown",
        lambda sample: sample.status,
    ),
    (
        "kacheck_up",
        "Whether the check's exit code is 0",
        lambda sample: sample.is_up,
    ),
    (
        "kacheck_look_duration_seconds",
        "How long the last look took",
        lambda sample: sample.duration_s,
    ),
    (
        "kacheck_last_look_timestamp_seconds",
        "When the last look ended, in Unix time",
        lambda sample: sample.looked_at,
    ),
)


def families(samples: Iterable[Sample]) -> Iterator["Metric"]:
    """Yield the metrics, each with its samples."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for name, meaning, value in GAUGES:
        gauge = GaugeMetricFamily(name, meaning, labels=["check"])
        for sample in samples:
            gauge.add_metric([sample.check], float(value(sample)))
        yield gauge
    info = GaugeMetricFamily(
        "kacheck_verdict_info", "1 for the verdict's words", labels=["check", "status", "reason"]
    )
    transitions = CounterMetricFamily(
        "kacheck_transitions", "Changes of status or reason", labels=["check"]
    )
    looks = CounterMetricFamily(
        "kacheck_looks", "Looks by what they found", labels=["check", "status"]
    )
    for sample in samples:
        info.add_metric([sample.check, sample.status.word, sample.reason], 1)
        transitions.add_metric([sample.check], sample.transitions)
        for status, count in sample.looks.items():
            looks.add_metric([sample.check, status.word], count)
    yield from (info, transitions, looks)
