"""What the watcher says of itself and its checks: the JSON of `kacheck status`, a contract."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

from kacheck.check import Check
from kacheck.state import State, Verdict, confirms_event, passes, ripe_at, rise_of
from kacheck.watch.watched import Overview, Transition, Watched

SCHEMA = 1


def describe(watcher: Overview) -> Iterator[str]:
    """Yield the watcher and all of its checks, piece by piece: an object and a newline.

    The keys are a contract, versioned by `schema`.
    """
    in_order = [watcher.watched[check.name] for check in watcher.configuration.checks]
    head = {
        "schema": SCHEMA,
        "pid": os.getpid(),
        "started_at": round(watcher.started_at, 3),
        "config": watcher.path,
        "state_dir": watcher.directory,
        "trouble": watcher.trouble,
    }
    yield json.dumps(head).removesuffix("}") + ', "checks": ['
    for index, watched in enumerate(in_order):
        comma = ", " if index else ""
        yield comma + json.dumps(about(watched, time.monotonic(), time.time()))
    yield "]}\n"


def about(watched: Watched, now: float, unix: float) -> dict[str, Any]:
    """One check; `now` is of the verdicts' clock, `unix` the time of day at that moment."""
    check, drained = watched.check, watched.drained
    return {
        "check": check.name,
        "probe": check.question.probe,
        **about_verdict(check, watched.state.verdict, now, unix),
        "interval_s": check.interval,
        "drained": None if drained is None else drained.message,
        **about_run(check, watched.state, now),
        "last_look": about_last_look(watched, now),
        "looks": {status.word: count for status, count in watched.looks.items()},
        "transition_count": watched.transition_count,
        "transitions": [*map(about_transition, reversed(watched.transitions))],
    }


def about_verdict(check: Check, verdict: Verdict | None, now: float, unix: float) -> dict[str, Any]:
    """Return what a check says; null everywhere while its first look is under way."""
    keys = ("status", "reason", "message", "exit_code", "track", "since", "since_s")
    if verdict is None:
        return dict.fromkeys(keys)
    status, reason = verdict.status, verdict.reason
    values = (
        status.word,
        reason,
        verdict.message,
        0 if passes(check.policy, status, reason) else int(status),
        check.track.value(status, reason, check.policy),
        round(unix - (now - verdict.since), 3),
        round(now - verdict.since, 3),
    )
    return dict(zip(keys, values, strict=True))


def about_run(check: Check, state: State, now: float) -> dict[str, Any]:
    """Why the last looks have not changed the verdict yet: too few of them, a delay, or held."""
    policy, run, held = check.policy, None, None
    if state.run:
        confirmed = state.worse and confirms_event(state)
        needed = policy.fall if state.worse else rise_of(policy, state.reason)
        needed = 1 if confirmed else needed
        wait = max(0.0, ripe_at(policy, state) - now)
        run = {"looks": state.run, "needed": needed, "wait_s": round(wait, 3)}
    if state.unknown_since is not None:
        held_s = round(now - state.unknown_since, 3)
        held = {"held_s": held_s, "hold_for_s": policy.hold_for}
    return {"run": run, "held": held}


def about_last_look(watched: Watched, now: float) -> dict[str, Any] | None:
    """Return what was seen, which rise, fall, the delays or a drain may keep from the verdict."""
    result = watched.last_result
    if result is None:
        return None
    return {
        "status": result.status.word,
        "reason": result.reason,
        "message": result.message,
        "duration_ms": round(watched.last_ms, 3),
        "ago_s": round(now - watched.decided_at, 3),
        "warnings": result.data.get("warnings", []),
    }


def about_transition(transition: Transition) -> dict[str, Any]:
    """Return a change of the verdict, and how long it had been what it was."""
    old, new = transition.old, transition.new
    return {
        "at": round(transition.at, 3),
        "from_status": None if old is None else old.status.word,
        "from_reason": None if old is None else old.reason,
        "status": new.status.word,
        "reason": new.reason,
        "after_s": None if old is None else round(new.since - old.since, 3),
    }
