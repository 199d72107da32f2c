"""Results as text: one line for people, JSON for programs, the Nagios plugin API's line."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NamedTuple

    from kacheck.result import Result
else:
    from kacheck.light import NamedTuple


class Report(NamedTuple):
    """A result and the circumstances of the look that found it."""

    check: str
    result: Result
    exit_code: int
    duration_ms: float


FORMATS = ("text", "json", "nagios")


def render(report: Report, output_format: str, *, verbose: bool = False) -> str:
    """Return the report in one of FORMATS, without a newline at its end."""
    if output_format == "json":
        return as_json(report)
    if output_format == "nagios":
        return nagios(report)
    lines = [line(report.result)]
    if verbose:
        lines += details(report)
    return "\n".join(lines)


def line(result: Result) -> str:
    """`critical missing: no process named vault`."""
    return printable(f"{result.status.word} {result.reason}: {result.message}")


def as_json(report: Report) -> str:
    """One JSON object; its keys are a contract, versioned by `schema`."""
    import json

    result = report.result
    return json.dumps(
        {
            "schema": 1,
            "check": report.check,
            "status": result.status.word,
            "reason": result.reason,
            "message": result.message,
            "exit_code": report.exit_code,
            "duration_ms": report.duration_ms,
            "data": result.data,
        }
    )


def nagios(report: Report) -> str:
    """Return the Nagios plugin API's status line with performance data.

    A `|` in the message would begin the performance data, so it becomes a `/`.
    """
    result = report.result
    message = printable(result.message).replace("|", "/")
    head = f"{report.check.upper()} {result.status.name} - {result.reason}: {message}"
    numbers = f"time={report.duration_ms / 1000:.3f}s"
    count = result.data.get("count")
    if count is not None:
        numbers += f" processes={count}"
    more = result.data.get("performance_data")
    if more:  # the program's time is the one that was asked for
        numbers = more if " time=" in f" {more}" else f"{numbers} {more}"
    return f"{head} | {numbers}"


def details(report: Report) -> Iterator[str]:
    """Everything that was seen, a line each, for --verbose."""
    yield from tree(report.result.data, "  ")
    yield f"  exit code: {report.exit_code}, after {report.duration_ms:g} ms"


def tree(data: dict[str, Any], indent: str) -> Iterator[str]:
    """Nested data as indented `key: value` lines."""
    for key, value in data.items():
        label = f"{indent}{key}:"
        if isinstance(value, dict):
            yield printable(label)
            yield from tree(value, indent + "  ")
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            yield printable(label)
            for item in value:
                yield printable(
                    f"{indent}  " + ", ".join(f"{k} {scalar(v)}" for k, v in item.items())
                )
        elif isinstance(value, list):
            yield printable(f"{label} {', '.join(map(scalar, value)) or 'none'}")
        else:
            yield printable(f"{label} {scalar(value)}")


def scalar(value: object) -> str:
    """One value; true, false and null as JSON has them."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def printable(text: str) -> str:
    """`text` on one line, with nothing in it that a terminal or a log would obey."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode()
        for char in text
    )
