"""Findings as text, for whoever is called at night, and as JSON. Pure."""

import json
import textwrap
from collections.abc import Iterator, Sequence

from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.redact import redact
from kacheck.render import printable

WIDTH = 98
COLOURS = {Severity.ERROR: "\033[31m", Severity.WARNING: "\033[33m", Severity.NOTE: "\033[36m"}
BOLD, PLAIN = "\033[1m", "\033[0m"
NOW = ("KA304", "KA305", "KA409", "KA509")
"""What says how things are at this moment: a FAULT's cause, if nothing about the machine is."""


def exit_code(findings: Sequence[Finding]) -> int:
    """The worst severity."""
    return int(max((each.code.severity for each in findings), default=Severity.NOTE))


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Return the most probable cause of a FAULT first; all without the secrets of addresses.

    That is what makes the machine unable; then what is so now; then the worst, by file and line.
    """
    files = {each.file: rank for rank, each in reversed([*enumerate(findings)])}
    return sorted(
        dict.fromkeys(map(without_secrets, findings)),
        key=lambda each: (
            each.code.severity is not Severity.ERROR or each.file is not None,
            each.code.name not in NOW,
            -each.code.severity,
            each.file is not None,
            files[each.file],
            each.line or 0,
            each.code.name,
        ),
    )


def without_secrets(finding: Finding) -> Finding:
    """Return the finding as it may be shown: a script's command line may have a password in it."""
    what, why, cure = map(redact, (finding.what, finding.why, finding.cure))
    return finding._replace(what=what, why=why, cure=cure)


def as_text(findings: Sequence[Finding], *, colours: bool) -> str:
    """Each finding with its why and cure, and a last line with the counts."""
    parts = [part(each, colours=colours) for each in ordered(findings)]
    return "\n\n".join([*parts, counts(findings)])


def part(finding: Finding, *, colours: bool) -> str:
    """One finding."""
    code = finding.code
    head = f"{code.severity.word} {code.name}"
    if colours:
        head = f"{COLOURS[code.severity]}{BOLD}{head}{PLAIN}"
    place = place_of(finding)
    lines = [printable(f"{place + ': ' if place else ''}{finding.what}")]
    lines += wrapped("why: ", finding.why)
    lines += wrapped("do:  ", finding.cure)
    return f"{head} " + "\n".join(lines)


def place_of(finding: Finding) -> str:
    """`FILE:LINE`, `FILE` or nothing."""
    if finding.file is None:
        return ""
    return finding.file if finding.line is None else f"{finding.file}:{finding.line}"


def wrapped(label: str, text: str) -> Iterator[str]:
    """Lines below the finding."""
    indent = "    " + label
    rest = " " * len(indent)
    if len(indent) + len(text) <= WIDTH:
        yield indent + printable(text)
        return
    yield from textwrap.wrap(
        printable(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def counts(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning, 3 notes`."""
    number = dict.fromkeys(reversed(Severity), 0)
    for finding in dict.fromkeys(findings):
        number[finding.code.severity] += 1
    return ", ".join(
        f"{count} {severity.word}{'' if count == 1 else 's'}" for severity, count in number.items()
    )


def as_json(findings: Sequence[Finding]) -> str:
    """One object; its keys are a contract, versioned by `schema`."""
    return json.dumps(
        {
            "schema": 1,
            "findings": [
                {
                    "code": each.code.name,
                    "severity": each.code.severity.word,
                    "file": each.file,
                    "line": each.line,
                    "what": each.what,
                    "why": each.why,
                    "cure": each.cure,
                }
                for each in ordered(findings)
            ],
            "exit_code": exit_code(findings),
        }
    )


def explained(code: Code) -> str:
    """The long form of a code."""
    paragraphs = code.explanation.split("\n\n")
    width = WIDTH - 4
    filled = [
        "\n".join(
            textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
            for line in merged(paragraph)
        )
        for paragraph in paragraphs
    ]
    head = f"{code.name} ({code.severity.word}): {code.title}"
    return "\n\n".join([head, *filled])


def merged(paragraph: str) -> list[str]:
    """The lines of a paragraph: `See it:` and `Do:` begin one."""
    lines: list[str] = []
    for line in paragraph.splitlines():
        if lines and not line.startswith(("See it:", "Do:")):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return lines
