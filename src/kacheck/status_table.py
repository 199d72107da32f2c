"""The watcher's object as a table for people. Pure but for the time zone."""

import textwrap
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kacheck.render import printable
from kacheck.result import Status
from kacheck.statedir import UPTIME, Published
from kacheck.watch.journal import duration

HEADS = ("CHECK", "VERDICT", "REASON", "SINCE", "LAST LOOK", "LAST TRANSITIONS")
GAP = "  "
INDENT = "    "
TRANSITIONS = 3
LEAST_WIDTH = 20
"""Columns for a message, where the terminal has hardly any."""
COLOURS = {"ok": "32", "warning": "33", "critical": "31", "unknown": "35"}
DATE = "%Y-%m-%d %H:%M"


class View(NamedTuple):
    """What the output can show."""

    width: int | None = None
    """Columns; None: any."""
    height: int | None = None
    colours: bool = False

    def coloured(self, text: str, word: str) -> str:
        """Return the text in the colour of a status."""
        return f"\033[{COLOURS[word]}m{text}\033[0m" if self.colours and word in COLOURS else text


class Section(NamedTuple):
    """A check's row and the lines below it."""

    lines: list[str]
    is_ok: bool


# --- the watcher answers -------------------------------------------------------------------


def watcher_line(reply: dict[str, Any], now: float) -> str:
    """Who answers, since when, and what is wrong with it."""
    since = reply["started_at"]
    trouble = "" if reply["trouble"] is None else f"; TROUBLE: {reply['trouble']}"
    return printable(
        f"watcher, pid {reply['pid']}, since {clock(since, now)} ({age(now - since)}), "
        f"{reply['config']}{trouble}"
    )


def blocks_of(reply: dict[str, Any], view: View, now: float) -> list[Section]:
    """Return the table: its head, and a block for each check."""
    checks = reply["checks"]
    rows = [cells(check, now) for check in checks]
    columns = 5
    while columns > 4 and view.width is not None and total(rows, columns) > view.width:
        columns -= 1
    widths = widths_of([HEADS, *rows], columns)
    recent = [transitions(check, room(widths, view), now) for check in checks]
    head = [*HEADS[:columns], HEADS[5] if any(recent) else ""]
    blocks = [Section([aligned(head, widths)], is_ok=False)]
    for check, row, past in zip(checks, rows, recent, strict=True):
        line = aligned([*row[:columns], past], widths)
        word = row[1]
        start = widths[0] + len(GAP)
        line = line[:start] + view.coloured(word, word) + line[start + len(word) :]
        blocks.append(Section([line, *below(check, view)], is_ok=word == "ok"))
    return blocks


def cells(check: dict[str, Any], now: float) -> list[str]:
    """Return a row, but for the transitions."""
    look = check["last_look"]
    looked = "" if look is None else f"{milliseconds(look['duration_ms'])}, {ago(look['ago_s'])}"
    if check["status"] is None:
        return [check["check"], "-", "not looked yet", "", looked]
    since = f"{clock(check['since'], now)} ({age(check['since_s'])})"
    return [check["check"], check["status"], check["reason"], since, looked]


def transitions(check: dict[str, Any], room: int | None, now: float) -> str:
    """Return the last transitions, newest first, as many as there is room for."""
    parts: list[str] = []
    for each in check["transitions"][:TRANSITIONS]:
        part = f"{clock(each['at'], now)} {each['status']} {each['reason']}"
        if room is not None and len(", ".join([*parts, part])) > room:
            break
        parts.append(part)
    return ", ".join(parts)


def below(check: dict[str, Any], view: View) -> Iterator[str]:
    """Why the check is not ok, what the last look saw if it was something else, and warnings."""
    look = check["last_look"]
    if check["status"] not in (None, "ok"):
        yield from wrapped(check["message"], view)
    if look is None:
        return
    if (look["status"], look["reason"]) != (check["status"], check["reason"]):
        why = why_not(check)
        said = f"last look: {look['status']} {look['reason']}{f' ({why})' if why else ''}"
        yield from wrapped(f"{said}: {look['message']}", view)
    for warning in look["warnings"]:
        yield from wrapped(f"warning: {warning}", view)


def why_not(check: dict[str, Any]) -> str:
    """Why the last look is not the verdict."""
    run, held = check["run"], check["held"]
    if held is not None and check["last_look"]["status"] == "unknown":
        return f"held for {age(held['held_s'])}, at most {age(held['hold_for_s'])}"
    if run is None:
        return ""
    looks = f"{run['looks']} of {run['needed']}" if run["looks"] < run["needed"] else ""
    wait = ago(run["wait_s"], "more to wait") if run["wait_s"] else ""
    return ", ".join(filter(None, (looks, wait)))


def transition_line(check: dict[str, Any], transition: dict[str, Any]) -> str:
    """Return a transition as a log has it; the message, where it is still the verdict's."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(transition["at"]))
    old = transition["from_status"]
    before = "" if old is None else f"{old} {transition['from_reason']} -> "
    after = "" if old is None else f" after {duration(transition['after_s'])}"
    what = f"{stamp} {check['check']}: {before}{transition['status']} {transition['reason']}{after}"
    return printable(f"{what}: {check['message']}" if is_now(check, transition) else what)


def is_now(check: dict[str, Any], transition: dict[str, Any]) -> bool:
    """Return whether a transition led to what the check says now."""
    return bool(check["transitions"][:1] == [transition])


# --- nobody answers -------------------------------------------------------------------------


def left_behind(
    verdicts: Sequence[tuple[str, Published, float]],
    uptime: float | None,
    trouble: str | None,
    view: View,
) -> Iterator[str]:
    """Yield the verdict files of a watcher that does not answer.

    `trouble` is why none is believed.
    """
    if not verdicts:
        return
    rows = [
        [
            name,
            verdict.status.word,
            verdict.reason,
            f"{age(old)} ago",
            validity(verdict, uptime, trouble),
        ]
        for name, verdict, old in verdicts
    ]
    heads = ("CHECK", "VERDICT FILE", "REASON", "WRITTEN", "VALIDITY")
    widths = widths_of([heads, *rows], 5)
    yield aligned(heads, widths)
    for row, (_, verdict, _) in zip(rows, verdicts, strict=True):
        yield aligned(row, widths)
        if verdict.status is not Status.OK:
            yield from wrapped(verdict.message, view)


def validity(verdict: Published, uptime: float | None, trouble: str | None) -> str:
    """Whether kacheck-verdict would believe it."""
    if verdict.expiry == 0:
        return "expired"
    if uptime is None:
        return f"none: {UPTIME} cannot be read"
    left = verdict.expiry - uptime
    if left <= 0:
        return f"expired {age(-left)} ago"
    return f"{age(left)} more" if trouble is None else f"none: {trouble}"


# --- columns --------------------------------------------------------------------------------


def shortened(blocks: Sequence[Section], view: View) -> list[str]:
    """Return the lines that fit below a screen's first line, failing checks first."""
    lines = [line for block in blocks for line in block.lines]
    if view.height is None or len(lines) < view.height or not blocks:
        return lines
    head, *rest = blocks
    rest.sort(key=lambda block: block.is_ok)
    shown, left = [*head.lines], 0
    for index, block in enumerate(rest):
        if len(shown) + len(block.lines) > view.height - 2:
            left = index
            break
        shown += block.lines
    hidden = rest[left:]
    bad = sum(not block.is_ok for block in hidden)
    return [*shown, f"... {len(hidden)} checks more, {bad} of them not ok"]


def widths_of(rows: Sequence[Sequence[str]], columns: int) -> list[int]:
    """Return the width of each column."""
    return [max(len(row[column]) for row in rows) for column in range(columns)]


def total(rows: Sequence[Sequence[str]], columns: int) -> int:
    """Return the width of a table of so many columns."""
    return sum(widths_of([HEADS, *rows], columns)) + len(GAP) * (columns - 1)


def room(widths: Sequence[int], view: View) -> int | None:
    """Return what is left for the last column."""
    return None if view.width is None else view.width - sum(widths) - len(GAP) * len(widths)


def aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return a row; what has no width ends it."""
    padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
    return printable(GAP.join([*padded, *row[len(widths) :]])).rstrip()


def wrapped(text: str, view: View) -> list[str]:
    """Text below a row."""
    text = printable(text)
    if view.width is None:
        return [INDENT + text]
    width = max(view.width - len(INDENT), LEAST_WIDTH)
    return textwrap.wrap(
        text, width + len(INDENT), initial_indent=INDENT, subsequent_indent=INDENT,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


# --- times ----------------------------------------------------------------------------------


def clock(at: float, now: float) -> str:
    """Return the local time today, or the date."""
    then = time.localtime(at)
    is_today = then[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M:%S" if is_today else DATE, then)


def age(seconds: float) -> str:
    """Whole seconds, or the two largest units."""
    return f"{max(0, int(seconds))} s" if seconds < 60 else duration(seconds)


def ago(seconds: float, word: str = "ago") -> str:
    """With a tenth of a second, where it matters."""
    return f"{seconds:.1f} s {word}" if seconds < 10 else f"{age(seconds)} {word}"


def milliseconds(value: float) -> str:
    """How long a look took."""
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"
