"""What a test changes in a kacheck that runs in a child process, before it starts.

`Child` and `Watcher` take these functions as `faults`, with words as arguments:
`faults=[count_looks, partial(hang_while, str(path))]`. They run in the child (see run_kacheck.py),
so each imports only what it changes.
"""

import errno
import itertools
import os
import selectors
import signal
import sys
import time
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Never

# --- looks ----------------------------------------------------------------------------------------


def count_looks() -> None:
    """Print `pending N` for each look that begins: N looks of its check have not ended."""
    from kacheck.watch.worker import Worker

    start = Worker.start

    def counted(self: Worker, job: Any) -> None:
        start(self, job)
        os.write(1, f"pending {self.pending}\n".encode())

    Worker.start = counted  # type: ignore[method-assign]


def block_scans_while(path: str) -> None:
    """Let looks for a process named `blocks` hang while a file exists, as in getaddrinfo(3)."""
    from kacheck.probes.process import scan as scanning
    from kacheck.probes.process import tracker

    scan = scanning.scan

    def blocking(options: Any) -> Any:
        while options.name == "blocks" and os.path.exists(path):
            time.sleep(0.01)
        return scan(options)

    tracker.scan = blocking  # type: ignore[attr-defined]


def ask_to_close() -> None:
    """Ask servers to end each connection after the answer."""
    from kacheck.exchange.request import HEADERS

    HEADERS["connection"] = "close"


# --- imports --------------------------------------------------------------------------------------


class _Finder:
    """A finder that delays the import of a module, or makes it fail."""

    def __init__(self, module: str, seconds: float, error: Exception | None) -> None:
        self.module, self.seconds, self.error = module, seconds, error

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name == self.module:
            time.sleep(self.seconds)
            if self.error is not None:
                raise self.error
        return None


def import_slowly(module: str) -> None:
    """Let a module take longer to import than a look may take."""
    sys.meta_path.insert(0, _Finder(module, 1.5, None))


def fail_to_import(module: str, error: str) -> None:
    """Let the import of a module fail, with an ImportError or with another error."""
    raised = ImportError("gone") if error == "ImportError" else ZeroDivisionError()
    sys.meta_path.insert(0, _Finder(module, 0, raised))


def hide_module(name: str) -> None:
    """Let a module be absent, as where its package is not installed."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules[name] = None


def report_imports() -> None:
    """Print `imported NAME` for each import after READY=1."""
    from kacheck.watch.notify import Notifier

    tell = Notifier.tell
    ready: list[bool] = []

    def noting(self: Notifier, *lines: str) -> None:
        tell(self, *lines)
        if "READY=1" in lines:
            ready.append(True)

    def hook(event: str, args: Any) -> None:
        if event == "import" and ready:
            os.write(1, f"imported {args[0]}\n".encode())

    Notifier.tell = noting  # type: ignore[method-assign]
    sys.addaudithook(hook)


# --- bugs -----------------------------------------------------------------------------------------


def crash_when(path: str) -> None:
    """Let the scheduler raise an error once a file exists."""
    from kacheck.watch.scheduler import Scheduler

    tick = Scheduler._tick

    def crashing(self: Scheduler, watched: Any) -> None:
        if os.path.exists(path):
            raise RuntimeError("a bug")
        tick(self, watched)

    Scheduler._tick = crashing  # type: ignore[method-assign]


def never_tick(check: str) -> None:
    """Let the scheduler forget a check."""
    from kacheck.watch.scheduler import Scheduler

    tick = Scheduler._tick

    def forgetting(self: Scheduler, watched: Any) -> None:
        if watched.check.name != check:
            tick(self, watched)

    Scheduler._tick = forgetting  # type: ignore[method-assign]


def fail_to_forget(check: str) -> None:
    """Let the publisher raise an error when it gives up a check."""
    from kacheck.watch.publisher import Publisher

    forget = Publisher.forget

    def failing(self: Publisher, name: str, verdict: Any) -> None:
        if name == check:
            raise KeyError("another bug")
        forget(self, name, verdict)

    Publisher.forget = failing  # type: ignore[method-assign]


def fail_to_read_when(flag: str) -> None:
    """Let the reader of the configuration raise an error once a file exists."""
    from kacheck import config

    load = config.load

    def failing(path: str) -> Any:
        if os.path.exists(flag):
            raise ZeroDivisionError("a bug")
        return load(path)

    config.load = failing


# --- the machine ----------------------------------------------------------------------------------


def let_the_clock_jump() -> None:
    """Let the time of day jump by decades each time it is read."""
    real, jumps = time.time, itertools.cycle((0, 1e9, -1e9))
    time.time = lambda: real() + next(jumps)


def start_slowly() -> None:
    """Let the program take a moment before it begins."""
    time.sleep(0.3)


def hang_while(path: str) -> None:
    """Let the program not begin while a file exists."""
    while os.path.exists(path):
        time.sleep(0.1)


def exit_if(path: str) -> None:
    """Let the program end with 7 if a file exists."""
    if os.path.exists(path):
        os._exit(7)


def ignore_ends_of_children() -> None:
    """Ignore SIGCHLD, as some parents do: the exit codes of children are lost."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def ignore_hangup() -> None:
    """Ignore SIGHUP, as nohup does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def be_privileged(score: str) -> None:
    """Run nicer than a user may, and with another score for the OOM killer."""
    os.setpriority(os.PRIO_PROCESS, 0, -10)
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(score)


def restrict_umask() -> None:
    """Let new files be for nobody but their owner."""
    os.umask(0o177)


# --- re-execution ---------------------------------------------------------------------------------


def kill_before_execv(pid: str) -> None:
    """Kill a process just before the watcher executes itself."""
    _before_execv(lambda: os.kill(int(pid), signal.SIGKILL))


def write_before_execv(path: str, content: str) -> None:
    """Overwrite a file just before the watcher executes itself."""

    def write() -> None:
        with open(path, "w") as file:
            file.write(content)

    _before_execv(write)


def _before_execv(action: Any) -> None:
    execv = os.execv

    def execute(*args: Any) -> Never:
        action()
        execv(*args)

    os.execv = execute


def stop_before(call: str) -> None:
    """Send SIGTERM as the watcher executes itself, just before a call such as os.execv."""
    from kacheck.watch.successor import Successor

    execute = Successor.execute
    module = sys.modules[call.partition(".")[0]]
    name = call.partition(".")[2]

    def executing(self: Successor, arrived: Any) -> None:
        real = getattr(module, name)

        def first(*args: Any) -> Any:
            os.kill(os.getpid(), signal.SIGTERM)
            return real(*args)

        setattr(module, name, first)
        execute(self, arrived)

    Successor.execute = executing  # type: ignore[method-assign]


def move_after_trial(flag: str, new: str, path: str) -> None:
    """Replace a file when the successor's trial ends, once: while the flag exists."""
    if "--check-config" not in sys.argv or not os.path.exists(flag):
        return
    leave = os._exit

    def move_and_leave(status: int) -> Never:
        os.unlink(flag)
        os.rename(new, path)
        leave(status)

    os._exit = move_and_leave


def refuse_to_watch_trials_while(flag: str) -> None:
    """Let epoll refuse the trial's descriptor while a file exists; the watcher leads its group."""
    os.setpgrp()
    selector: Any = selectors.DefaultSelector
    register = selector.register

    def refuse(self: Any, file: Any, events: int, data: Any = None) -> Any:
        if "_end_trial" in repr(data) and os.path.exists(flag):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return register(self, file, events, data)

    selector.register = refuse


# --- drain ----------------------------------------------------------------------------------------


def find_no_running_keepalived() -> None:
    """Let `kacheck drain on` find no keepalived that runs."""
    from kacheck import departure

    module: Any = departure
    module.running = lambda: None


# --- migrate --------------------------------------------------------------------------------------


def judge_with(program: str) -> None:
    """Let `kacheck migrate` take this program for keepalived."""
    from kacheck.migrate import verify

    verify.program = lambda: program


def signal_at_call(name: str, nth: str, number: str) -> None:
    """Send a signal to kacheck when the nth call of a function of `os` returns."""
    real = getattr(os, name, None)
    if real is None:
        return
    calls = itertools.count(1)

    def signalling(*args: Any, **options: Any) -> Any:
        result = real(*args, **options)
        if next(calls) == int(nth):
            os.kill(os.getpid(), int(number))
        return result

    setattr(os, name, signalling)
