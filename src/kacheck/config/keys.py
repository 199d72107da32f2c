"""The keys of a `[check.NAME]`: which values each may have, and whose key it is. Pure."""

from typing import Any, NamedTuple

from kacheck.arguments import PARAM_MATCHES, ROLES
from kacheck.check import Track
from kacheck.config.toml_lines import Path
from kacheck.config.values import (
    ABOVE_0,
    Reader,
    WrongError,
    absolute,
    address,
    any_text,
    array,
    different,
    flag,
    one_of,
    refuse,
    seconds,
    suggestion,
    text,
    user,
    whole,
)
from kacheck.result import Reason, Status

PROBES = ("process", "vault", "combined")
MAY_BE_UP = (
    Reason.RUNNING,
    Reason.MISSING,  # with quorum_max = 0
    Reason.HIDDEN,
    Reason.RATE_LIMITED,  # as unknown with on_unknown = "ok"
    *map(Reason, ROLES),
)
NEVER_UP = tuple(reason for reason in Reason if reason not in MAY_BE_UP)
"""Reasons whose number in a track file must not be that of a healthy node."""


class Key(NamedTuple):
    """What a key's value is, and the probes that have the key."""

    read: Reader
    probes: tuple[str, ...] = PROBES


def roles(path: Path, value: Any) -> tuple[str, ...]:
    """Vault's roles; a single one needs no array."""
    one = one_of(*ROLES)
    return (one(path, value),) if isinstance(value, str) else different(one)(path, value)


def track(path: Path, value: Any) -> Track:
    """The numbers for keepalived: keys are the status words, and reasons for exceptions."""
    if not isinstance(value, dict):
        refuse(path, value, "a table, such as { ok = 1, critical = 0 }")
    statuses = [status.word for status in Status]
    for key in value:
        if key not in (*statuses, *Reason):
            raise WrongError((*path, key), f"{key} in track {not_in_track(key)}")
    numbers = {key: whole(-254, 254)((*path, key), value[key]) for key in value}
    down = numbers.get("critical", 0)
    all_four = {"ok": 1, **dict.fromkeys(statuses[1:], down), **numbers}
    sensible(path, all_four)
    reasons = tuple((Reason(key), number) for key, number in numbers.items() if key in [*Reason])
    return Track(**{word: all_four[word] for word in statuses}, reasons=reasons)


def not_in_track(key: str) -> str:
    """Why a key of a track table is none, and the cure."""
    if key in KEYS:
        return "is a key of the check itself; put it above the header of the track table"
    words = (*(status.word for status in Status), *Reason)
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
    for word in (*cures, *NEVER_UP):
        cure = cures.get(word, "so the VIP would stay; give it less, or leave it out")
        if numbers.get(word, numbers["critical"]) >= up:
            key = word if word in numbers else "critical"
            raise WrongError(
                (*path, key), f"{key} in track is {numbers[key]}, not below ok ({up}), {cure}"
            )


ON_PROCESS, ON_VAULT, ON_COMBINED = ("process",), ("vault", "combined"), ("combined",)
KEYS: dict[str, Key] = {
    "probe": Key(one_of(*PROBES)),
    "interval": Key(seconds(0.1, 60)),
    "timeout": Key(seconds(ABOVE_0, 60)),
    "rise": Key(whole(1, 255)),
    "fall": Key(whole(1, 255)),
    "fork_delay": Key(seconds(0, 3600)),
    "terminate_delay": Key(seconds(0, 3600)),
    "on_unknown": Key(one_of("fail", "ok", "hold")),
    "hold_for": Key(seconds(ABOVE_0, 3600)),
    "track": Key(track),
    "name": Key(text, ON_PROCESS),
    "args": Key(array(any_text), ON_PROCESS),
    "quorum": Key(whole(1, 65535), ON_PROCESS),
    "quorum_max": Key(whole(0, 65535), ON_PROCESS),
    "param_match": Key(one_of(*PARAM_MATCHES), ON_PROCESS),
    "full_command": Key(flag, ON_PROCESS),
    "all": Key(different(text), ON_COMBINED),
    "any": Key(different(text), ON_COMBINED),
    "process": Key(text, ON_COMBINED),
    "user": Key(user, ("process", "combined")),
    "all_namespaces": Key(flag, ("process", "combined")),
    "address": Key(address, ON_VAULT),
    "accept": Key(roles, ON_VAULT),
    "ca_cert": Key(absolute, ON_VAULT),
    "ca_path": Key(absolute, ON_VAULT),
    "client_cert": Key(absolute, ON_VAULT),
    "client_key": Key(absolute, ON_VAULT),
    "tls_server_name": Key(text, ON_VAULT),
    "insecure": Key(flag, ON_VAULT),
    "remote": Key(flag, ON_VAULT),
}
"""Every key of a check; the words are those of the command line's options."""
