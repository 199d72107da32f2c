"""The keys that every `[check.NAME]` may have, whatever its probe. Pure."""

from typing import Any

from kacheck.check import Track
from kacheck.config.toml_lines import Path
from kacheck.config.values import WrongError, of_kind, shown
from kacheck.kinds import ABOVE_0, TEXT, ValueKind, any_text, one_of, seconds, suggestion, whole
from kacheck.probe import Option
from kacheck.probes import MODULES, reasons
from kacheck.result import Status


def registered(value: Any) -> Any:
    """Read the name of a probe."""
    return one_of(*MODULES).from_toml(value)


PROBE = Option(
    "probe",
    ValueKind(registered, registered, tuple(MODULES)),
    "what the check asks",
    is_required=True,
)
TRACK = Option(
    "track",
    ValueKind(any_text, any_text, word="table"),  # see track()
    "the numbers for keepalived's track file, from -254 to 254: one for each status, and for "
    "single reasons as exceptions",
    details="Default { ok = 1, critical = 0 }. `warning` and `unknown` have the number of "
    '`critical`, unless they are given. An unknown that passes by `on_unknown = "ok"` has the '
    "number of `ok`, unless `unknown` is given. keepalived reads a missing, empty or garbled file "
    "as 0, so `ok` must be above 0. `critical`, `unknown` and every reason that a healthy node "
    "never has, such as `sealed` or `timeout`, must be below `ok`. So must a reason that may be "
    'unknown, such as `hidden`, without `on_unknown = "ok"`. No number may be above `ok`. The '
    "table may have the header `[check.NAME.track]` instead. `rise` and `fall` apply to changes "
    "between up, alive in another role, and down. Between two reasons that are equally bad, and "
    "between two roles that `accept` names, one look changes the number.",
)
OPTIONS = (
    PROBE,
    Option(
        "interval",
        seconds(0.1, 60),
        "the time from one look to the next",
        default=1.0,
        details="An event, such as the exit of a process, causes a look at once. A server that "
        "limits the rate of requests is asked at most once a second for the next minute.",
    ),
    Option(
        "timeout",
        seconds(ABOVE_0, 60),
        "the deadline of a look",
        default=0.8,
        details="It may be longer than the interval: looks never overlap, and the next one begins "
        "when a slow one has ended.",
    ),
    Option(
        "rise",
        whole(1, 255),
        "how many better looks in a row make the verdict better",
        details="The default is 1 for a role that Vault's answer confirms, and 2 for everything "
        "else. A look that an exit or a lost connection caused does not add to the count. A role "
        "that was lost in the last 10 seconds is regained when looks have agreed on it for 2 "
        "seconds. If it is lost again within 20 seconds, they must agree for 20 seconds.",
    ),
    Option(
        "fall",
        whole(1, 255),
        "how many worse looks in a row make the verdict worse",
        default=2,
        details="An exit or a lost connection that a look confirms needs no second look. A look "
        "that times out counts once for every interval that it took. The very first look decides "
        "alone.",
    ),
    Option(
        "fork_delay",
        seconds(0, 3600),
        "time a new process must stay up before it counts",
        default=0.0,
        details="The time starts again when all processes have ended and others have started.",
    ),
    Option(
        "terminate_delay",
        seconds(0, 3600),
        "grace period for a dead process to return",
        default=0.0,
    ),
    Option(
        "on_unknown",
        one_of("fail", "ok", "hold"),
        "what a look counts as if it cannot determine the state; `hold`: the verdict stays",
        default="fail",
        details="A bad configuration, a bug, and `not-ok` of a combination always fail.",
    ),
    Option(
        "hold_for",
        seconds(ABOVE_0, 3600),
        "the time after which a held verdict fails",
        default=60.0,
        details='Only with `on_unknown = "hold"`.',
    ),
    TRACK,
    Option(
        "consul_check",
        TEXT,
        "report the verdict to Consul's TTL check with this ID, such as `service:web`",
        metavar="ID",
        details="Only the watcher does, to the agent of the table `[consul]`: at once when the "
        "verdict changes, and within the TTL. `ok` is passing, `warning` warning, and everything "
        "else critical; the output is the reason and the message.",
    ),
)
NAMES = tuple(option.name for option in OPTIONS)
NUMBER = whole(-254, 254)


def track(path: Path, value: Any) -> Track:
    """Return the numbers for keepalived: keys are the status words, and reasons for exceptions."""
    if not isinstance(value, dict):
        what = "give a table, such as { ok = 1, critical = 0 }"
        raise WrongError(path, f"track is {shown(value)}; {what}")
    statuses = [status.word for status in Status]
    known = reasons()
    for key in value:
        if key not in (*statuses, *known):
            raise WrongError((*path, key), f"{key} in track {not_in_track(key)}")
    numbers = {key: of_kind((*path, key), NUMBER, value[key]) for key in value}
    down = numbers.get("critical", 0)
    sensible(path, {"ok": 1, **dict.fromkeys(statuses[1:], down), **numbers})
    exceptions = tuple((known[key], number) for key, number in numbers.items() if key in known)
    given = {word: number for word, number in numbers.items() if word not in known}
    return Track(**{"warning": down, **given}, reasons=exceptions)


def not_in_track(key: str) -> str:
    """Return why a key cannot be in a track table, and the cure."""
    if key in NAMES:
        return "is a key of the check itself; put it above the header of the track table"
    words = (*(status.word for status in Status), *reasons())
    return f"is neither a status nor a reason; {suggestion(key, words)}"


def sensible(path: Path, numbers: dict[str, int]) -> None:
    """Refuse numbers by which keepalived would take a dead node for a healthy one."""
    up = numbers["ok"]
    if up == 0:
        raise WrongError(
            (*path, "ok"),
            "ok in track is 0, which is what keepalived reads in a missing or garbled file: "
            "a failure; give ok another number, such as 1",
        )
    if up < 0:
        raise WrongError(
            (*path, "ok"),
            f"ok in track is {up}, below the 0 that keepalived reads in a missing, empty or "
            "garbled file, which would rank above a healthy node; "
            "give ok a number above 0, such as 1",
        )
    cures = {
        "critical": "so a dead node would keep the VIP; give it less",
        "unknown": 'which a bug or a bad configuration is, too; give it less, or on_unknown = "ok"',
    }
    never_up = (word for word, reason in reasons().items() if not reason.may_pass)
    for word in (*cures, *never_up):
        cure = cures.get(word, "so the VIP would stay; give it less, or leave it out")
        if numbers.get(word, numbers["critical"]) >= up:
            key = word if word in numbers else "critical"
            raise WrongError(
                (*path, key), f"{key} in track is {numbers[key]}, not below ok ({up}), {cure}"
            )
    for key, number in numbers.items():
        if number > up:
            raise WrongError(
                (*path, key),
                f"{key} in track is {number}, above ok ({up}), so a node that is not quite well "
                f"would outrank a healthy one; give it {up} or less",
            )


def refuse_unknown_as_ok(path: Path, track: Track) -> None:
    """Refuse numbers by which keepalived would take what cannot be determined for healthy.

    For a check without `on_unknown = "ok"`, which asks for that.
    """
    for reason, number in track.reasons:
        if Status.UNKNOWN in reason.statuses and number >= track.ok:
            raise WrongError(
                (*path, reason),
                f"{reason} in track is {number}, not below ok ({track.ok}), so a node whose state "
                'cannot be determined would keep the VIP; give it less, or on_unknown = "ok"',
            )
