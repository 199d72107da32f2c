"""`kacheck status`: what the watcher answers; without one, what it left behind."""

import errno
import os
import socket
import stat
import struct
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any, NamedTuple, TypeGuard

from kacheck import statedir
from kacheck.files import open_directory
from kacheck.result import BadConfigError, Status
from kacheck.statedir import SOCKET
from kacheck.status_table import (
    View,
    blocks_of,
    left_behind,
    watcher_line,
)

SCHEMA = 1
TIMEOUT = 2.0
"""Seconds that the watcher has to answer."""
MOST_BYTES = 64 * 1024 * 1024
"""Of an answer, in which a check has a few thousand."""
AGAIN = 0.02
"""Seconds until the next try where an answer was cut off, because too many ask."""
WAITED = 0.1
"""Seconds between two questions of --wait."""
UNKNOWN = int(Status.UNKNOWN)


class NoWatcherError(Exception):
    """No watcher answers; says why and the cure."""


class StatusAnswer(NamedTuple):
    """What the command says."""

    text: str
    codes: tuple[int, ...]
    """The exit code of each verdict."""
    trouble: str | None = None
    """For stderr."""


def wait(state_dir: str, names: Sequence[str], limit: float) -> str | None:
    """Wait until every check has a verdict; return what is still missing at the limit.

    A watcher that does not answer may be about to start.

    Raises:
        BadConfigError: the watcher has no check of that name.

    """
    end = time.monotonic() + limit
    while True:
        try:
            checks = chosen(ask(state_dir), names)["checks"]
        except NoWatcherError:
            missing = ""
        else:
            missing = ", ".join(check["check"] for check in checks if check["status"] is None)
            if not missing:
                return None
        if time.monotonic() >= end:
            return f"{missing}: no verdict within {limit:g} s" if missing else None
        time.sleep(WAITED)


def answer(state_dir: str, names: Sequence[str], view: View, *, as_json: bool) -> StatusAnswer:
    """How things are now.

    Raises:
        BadConfigError: the watcher has no check of that name.

    """
    try:
        reply = chosen(ask(state_dir), names)
    except NoWatcherError as error:
        text = "" if as_json else "\n".join(left_behind(*remains(state_dir, names), view=view))
        return StatusAnswer(text, (UNKNOWN,), str(error))
    codes = tuple(UNKNOWN if (code := c["exit_code"]) is None else code for c in reply["checks"])
    trouble = None
    if not codes:
        codes, trouble = (UNKNOWN,), f"nothing is watched: {reply['config']} has no check"
    if as_json:
        import json

        return StatusAnswer(json.dumps(reply), codes, trouble)
    lines = [line for block in blocks_of(reply, view, time.time()) for line in block.lines]
    return StatusAnswer("\n".join([watcher_line(reply, time.time()), *lines]), codes, trouble)


# --- the watcher ---------------------------------------------------------------------------


def ask(state_dir: str) -> dict[str, Any]:
    """Return the watcher's object.

    Raises:
        NoWatcherError: no watcher runs, or it hangs.

    """
    import json

    path = f"{state_dir}/{SOCKET}"
    try:
        reply = json.loads(whole_answer(state_dir, time.monotonic() + TIMEOUT))
    except TimeoutError:
        raise NoWatcherError(
            f"no answer at {path} within {TIMEOUT:g} s; the watcher may be busy: then its verdict "
            "files, which are shown without --json, are still valid. Do not restart it before you "
            "have seen journalctl -u kacheck"
        ) from None
    except PermissionError as error:
        raise NoWatcherError(f"{path}: {error.strerror}; run it as root") from None
    except OSError as error:
        where = "" if state_dir == statedir.DEFAULT else f" --state-dir {state_dir}"
        raise NoWatcherError(
            f"no watcher answers at {path} ({error.strerror}); systemctl start kacheck, "
            f"or kacheck watch{where}"
        ) from None
    except (ValueError, RecursionError):
        reply = None
    if is_answer(reply):
        return reply
    raise NoWatcherError(
        f"what answers at {path} is not this version of kacheck; replace the watcher by the "
        "installed one, while the VIP stays: systemctl kill -s USR2 kacheck"
    )


def is_answer(reply: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether this is a watcher's answer, as this version understands it."""
    is_known = isinstance(reply, dict) and reply.get("schema") == SCHEMA
    return is_known and isinstance(reply.get("checks"), list)


def whole_answer(state_dir: str, end: float) -> bytes:
    """Return an answer that was not cut off, until the time `end`; raises as received() does."""
    while not (answer := received(state_dir, end)).endswith(b"\n"):
        time.sleep(AGAIN)
    return answer


def received(state_dir: str, end: float) -> bytes:
    """All that the watcher sends, until the time `end` of time.monotonic().

    Raises:
        OSError: nobody listens; TimeoutError: it takes too long.
        ValueError: it is more than any watcher sends.

    """
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
        # Through a descriptor: the path in a socket's address has room for 107 bytes, and this one
        # leads nowhere else.
        file, owner = opened_socket(f"{state_dir}/{SOCKET}")
        try:
            connect(connection, f"/proc/self/fd/{file}", end)
        finally:
            os.close(file)
        if (user := peer(connection)) != owner:
            what = f"{statedir.user_name(user)} answers instead of {statedir.user_name(owner)}"
            raise ConnectionRefusedError(errno.ECONNREFUSED, what)
        answer = bytearray()
        while len(answer) <= MOST_BYTES:
            connection.settimeout(remaining(end))
            if not (part := connection.recv(65536)):
                return bytes(answer)
            answer += part
        raise ValueError(f"more than {MOST_BYTES} bytes")


def opened_socket(path: str) -> tuple[int, int]:
    """Open the watcher's socket by its name, and say which user it should belong to.

    Raises:
        OSError: it cannot be found, or is something else.

    """
    directory, _, name = path.rpartition("/")
    parent = open_directory(directory)
    try:
        file = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        owner = os.fstat(parent).st_uid
    finally:
        os.close(parent)
    if not stat.S_ISSOCK(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.ENOTSOCK, "it is not a socket")
    return file, owner


def peer(connection: socket.socket) -> int:
    """Return the user whose process listens (SO_PEERCRED)."""
    size = struct.calcsize("3i")
    reply = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", reply)[1])


def connect(connection: socket.socket, path: str, end: float) -> None:
    """Connect, and wait in the kernel's queue where too many do, which poll(2) cannot."""
    limit = struct.pack("ll", *divmod(max(1, int(remaining(end) * 1e6)), 1_000_000))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    try:
        connection.connect(path)
    except BlockingIOError:
        raise TimeoutError from None


def remaining(end: float) -> float:
    """Seconds until `end`, or TimeoutError."""
    if (seconds := end - time.monotonic()) <= 0:
        raise TimeoutError
    return seconds


def chosen(reply: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the object with only the checks of these names, in their order; none means all.

    Raises:
        BadConfigError: the watcher has no check of that name.

    """
    checks = {check["check"]: check for check in reply["checks"]}
    for name in names:
        if name not in checks:
            from kacheck.kinds import suggestion

            raise BadConfigError(
                f"the watcher has no check {name}; {suggestion(name, checks)}; "
                f"its checks are in {reply['config']}"
            )
    return only(reply, names)


def only(reply: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the same object with only those checks of these names that there are."""
    checks = {check["check"]: check for check in reply["checks"]}
    selected = dict.fromkeys(names or checks)
    return {**reply, "checks": [checks[name] for name in selected if name in checks]}


# --- what it left behind --------------------------------------------------------------------


def remains(
    state_dir: str, names: Sequence[str]
) -> tuple[list[tuple[str, statedir.Published, float]], float | None, str | None]:
    """Return the verdict files, the uptime, and why kacheck-verdict would believe none of them.

    Of each file the name, the verdict, and its age in seconds.
    """
    from kacheck.doctor.kacheck.state_files import watcher_trouble
    from kacheck.doctor.machine.system import Machine

    left = statedir.verdicts(state_dir, [*dict.fromkeys(names)] or None)
    verdicts = [(name, *verdict) for name, verdict in left.items()]
    uptime = None
    with suppress(OSError):
        uptime = statedir.uptime()
    return verdicts, uptime, watcher_trouble(Machine(), state_dir)
