"""Findings as text, for people, and as JSON. Pure."""

import json
import textwrap
from collections.abc import Iterator, Sequence

from kacheck.doctor.examine import Examined
from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.why import answer
from kacheck.doctor.why.answer import InstanceAnswer
from kacheck.redact import redact
from kacheck.render import printable

WIDTH = 98
COLOURS = {Severity.ERROR: "\033[31m", Severity.WARNING: "\033[33m", Severity.NOTE: "\033[36m"}
BOLD, PLAIN = "\033[1m", "\033[0m"
VERBATIM = ("process ", "script ")
"""Lines of a configuration, which are pasted: breaking them would change them."""
NOW = ("KA304", "KA305", "KA409", "KA509")
"""Findings about this moment: the cause of a FAULT, unless one about the machine is."""


def exit_code(examined: Examined) -> int:
    """Return the worst severity; a FAULT on this machine is an error."""
    worst = max((each.code.severity for each in examined.findings), default=Severity.NOTE)
    return max(int(worst), answer.exit_code(examined.instances, is_default=examined.is_default))


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Return the most probable cause of a FAULT first, and all without the secrets of addresses.

    First errors of the machine, then findings about this moment, then the worst, by file and line.
    """
    files = {finding.file: rank for rank, finding in reversed([*enumerate(findings)])}
    return sorted(
        dict.fromkeys(map(without_secrets, findings)),
        key=lambda finding: (
            finding.code.severity is not Severity.ERROR or finding.file is not None,
            finding.code.name not in NOW,
            -finding.code.severity,
            finding.file is not None,
            files[finding.file],
            finding.line or 0,
            finding.code.name,
        ),
    )


def without_secrets(finding: Finding) -> Finding:
    """Return the finding as it may be shown: a script's command line may have a password in it."""
    what, why, cure = map(redact, (finding.what, finding.why, finding.cure))
    return finding._replace(what=what, why=why, cure=cure)


def as_text(examined: Examined, *, colours: bool) -> str:
    """Return the state of each instance, each finding with its why and cure, and the counts."""
    parts = [instance_part(each, colours=colours) for each in examined.instances]
    parts += [part(finding, colours=colours) for finding in ordered(examined.findings)]
    return "\n\n".join([*parts, counts(examined.findings)])


def instance_part(instance: InstanceAnswer, *, colours: bool) -> str:
    """Return what is said of one instance as text."""
    lines: list[str] = []
    for number, (said, cure) in enumerate(answer.lines_of(instance)):
        what = printable(redact(said))
        if number == 0 and colours:
            colour = COLOURS[Severity.ERROR] if instance.state == "FAULT" else ""
            what = f"{colour}{BOLD}{what}{PLAIN}"
        lines.append(what if number == 0 else f"    {what}")
        if cure:
            lines += wrapped("do:  ", redact(cure), is_command=True)
    return "\n".join(lines)


def part(finding: Finding, *, colours: bool) -> str:
    """Return one finding as text."""
    code = finding.code
    head = f"{code.severity.word} {code.name}"
    if colours:
        head = f"{COLOURS[code.severity]}{BOLD}{head}{PLAIN}"
    position = position_of(finding)
    lines = [printable(f"{position + ': ' if position else ''}{finding.what}")]
    lines += wrapped("why: ", finding.why)
    lines += wrapped("do:  ", finding.cure)
    return f"{head} " + "\n".join(lines)


def position_of(finding: Finding) -> str:
    """Return `FILE:LINE`, `FILE` or nothing."""
    if finding.file is None:
        return ""
    return finding.file if finding.line is None else f"{finding.file}:{finding.line}"


def wrapped(label: str, text: str, *, is_command: bool = False) -> Iterator[str]:
    """Yield the lines of a text below its finding; a command to paste stays on its line."""
    indent = "    " + label
    rest = " " * len(indent)
    if is_command or "\n" in text or text.startswith(VERBATIM):
        first, *others = text.split("\n")
        yield indent + printable(first)
        yield from (rest + printable(line) for line in others)
        return
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
    """Return the counts: `2 errors, 1 warning, 3 notes`."""
    number = dict.fromkeys(reversed(Severity), 0)
    for finding in dict.fromkeys(findings):
        number[finding.code.severity] += 1
    return ", ".join(
        f"{count} {severity.word}{'' if count == 1 else 's'}" for severity, count in number.items()
    )


def as_json(examined: Examined) -> str:
    """Return one object; its keys are a contract, versioned by `schema`."""
    return json.dumps(
        {
            "schema": 1,
            "instances": [answer.as_object(each) for each in examined.instances],
            "findings": [
                {
                    "code": finding.code.name,
                    "severity": finding.code.severity.word,
                    "file": finding.file,
                    "line": finding.line,
                    "what": finding.what,
                    "why": finding.why,
                    "cure": finding.cure,
                }
                for finding in ordered(examined.findings)
            ],
            "exit_code": exit_code(examined),
        }
    )


def explained(code: Code) -> str:
    """Return the long form of a code."""
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
    """Return the lines of a paragraph: `See it:` and `Do:` begin one."""
    lines: list[str] = []
    for line in paragraph.splitlines():
        if lines and not line.startswith(("See it:", "Do:")):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return lines
