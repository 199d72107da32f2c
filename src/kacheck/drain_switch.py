"""Beginning and ending drains: the files of drain/ are written and removed."""

import errno
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from kacheck import files, statedir
from kacheck.drain import drain_of
from kacheck.durations import UNITS, parsed
from kacheck.result import KacheckError
from kacheck.statedir import StateDirectoryError

LONGEST = 30 * 86400


def switch_on(state_dir: str, names: Sequence[str], span: int | None, message: str) -> None:
    """Drain `names` for `span` seconds, or without an end.

    Raises:
        KacheckError: one of them would be drained for less long than it is; none was changed.
        StateDirectoryError: it cannot be written; some of the names may be drained.

    """
    from kacheck.render import printable

    try:
        until = math.ceil(statedir.uptime() + span) if span else 0
    except OSError as error:
        raise KacheckError(
            f"cannot tell when the drain would end: {statedir.UPTIME}: {error.strerror}; "
            "leave out --for, and end it with kacheck drain off"
        ) from None
    refuse_shorter(state_dir, names, until)
    text = f"{until} {printable(message)}".rstrip(" ")
    what = "cannot drain"
    with opened(state_dir, what, make=True) as directory:
        for name in names:
            try:
                files.replace(name, text + "\n", directory)
            except OSError as error:
                raise refusal(what, f"{state_dir}/drain/{name}", state_dir, error) from None


def refuse_shorter(state_dir: str, names: Sequence[str], until: int) -> None:
    """Refuse to let a rehearsal end somebody's maintenance."""
    for name in names:
        there = drain_of(state_dir, name)
        if there is not None and until and there.end > until:
            raise KacheckError(f"{name} is already {there.sentence()}; --for would end that sooner")


def switch_off(state_dir: str, names: Sequence[str]) -> list[str]:
    """End the drain of `names`; those that were drained.

    Raises:
        StateDirectoryError: a file cannot be removed; some may have been.

    """
    were: list[str] = []
    with suppress(FileNotFoundError), opened(state_dir, "cannot end a drain") as directory:
        for name in names:
            held = drain_of(state_dir, name) is not None
            try:
                os.unlink(name, dir_fd=directory)
            except FileNotFoundError:
                continue
            except OSError as error:
                what = f"cannot end the drain of {name}"
                raise refusal(what, f"{state_dir}/drain/{name}", state_dir, error) from None
            were += [name] * held
    return were


@contextmanager
def opened(state_dir: str, what: str, *, make: bool = False) -> Iterator[int]:
    """Open drain/ to write there, and make it if it is missing.

    Raises:
        StateDirectoryError: it cannot be had; or this is root, and another user decides what the
            names in it lead to.
        FileNotFoundError: it is missing, and is not to be made.

    """
    with ExitStack() as stack:
        directory = None
        for name, path in ((state_dir, state_dir), ("drain", f"{state_dir}/drain")):
            try:
                if make:
                    files.make_directory(name, directory)
                directory = files.open_directory(name, directory)
                stack.callback(os.close, directory)
                owner = os.fstat(directory).st_uid
            except OSError as error:
                if isinstance(error, FileNotFoundError) and not make:
                    raise
                raise refusal(what, path, state_dir, error) from None
            if os.geteuid() == 0 != owner:
                user = statedir.user_name(owner)
                raise StateDirectoryError(
                    f"{what}: {path} belongs to {user}, and root only writes to directories of "
                    f"root; run the command as {user}: put runuser -u {user} -- before it"
                )
        if directory is not None:  # always: it is to please the type checker
            yield directory


def refusal(what: str, path: str, state_dir: str, error: OSError) -> StateDirectoryError:
    """Return a system error with its cure."""
    cures = {
        errno.EACCES: "run it as root",
        errno.EPERM: "run it as root",
        errno.EROFS: "give a --state-dir that can be written, to the checks and the watcher too",
        errno.ENOENT: f"make the state directory first: mkdir -p {state_dir}",
        errno.ENOSPC: "make room",
        errno.EISDIR: "remove that directory by hand: it counts as drained",
    }
    cure = cures.get(error.errno or 0, "correct that, or give another --state-dir")
    return StateDirectoryError(f"{what}: {path}: {error.strerror}; {cure}")


def span(text: str) -> int:
    """Whole seconds of `--for`, rounded up: a number, a Go duration such as `1h30m`, or `3d`.

    Raises:
        ValueError: it is not a duration, not above 0, or above LONGEST; says what to give.

    """
    value = parsed(text, {**UNITS, "d": 86400.0}) or 0.0
    if not 0 < value <= LONGEST:
        raise ValueError(f'invalid drain time "{text}": give one such as 30m or 2h, at most 30d')
    return math.ceil(value)
