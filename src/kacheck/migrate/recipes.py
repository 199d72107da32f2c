"""`--recipes`: one-liners whose meaning is certain, made kacheck's checks.

Only the command changes; its interval, timeout, weight and user stay. What has no equivalent that
means the same, or fails closed, is left alone.
"""

import shlex
from collections.abc import Iterator

from kacheck.doctor.machine.system import Machine
from kacheck.doctor.scripts.script import seconds
from kacheck.keepalived import Configuration, Kind, Node, Version, parse
from kacheck.keepalived.limits import leading_number
from kacheck.keepalived.rules import LONGEST_LINE
from kacheck.keepalived.source import encode
from kacheck.keepalived.tracking import Tracking
from kacheck.migrate.answers_now import refusal
from kacheck.migrate.conditional_lines import NO_WORD
from kacheck.migrate.equivalents import LIBEXEC, script_word
from kacheck.migrate.one_liners.command import command_of
from kacheck.migrate.one_liners.translate import translate
from kacheck.migrate.survey import Survey
from kacheck.migrate.tracked import LeftError, is_plain
from kacheck.procfs import COMM_MAX
from kacheck.redact import redact

READS_FRACTIONS = Version(2, 3, 2)
"""The first release that reads fractions of a second."""
REVERSE = (
    "its weight has reverse, so that every failure of a check would count as healthy, a timeout as"
    " well; keep the script, or write a check of the opposite, without reverse"
)


def replace_recipes(configuration: Configuration, survey: Survey) -> None:
    """Edit the scripts that are recognized."""
    reversed_names = names_with_reverse(configuration)
    for block, script in _scripts(configuration):
        try:
            _replace(block, script, configuration.release, survey, reversed_names)
        except LeftError as error:
            survey.leave("", script, error)


def _scripts(configuration: Configuration) -> Iterator[tuple[Node, Node]]:
    """Each vrrp_script and its only command."""
    for block in configuration.find("vrrp_script"):
        scripts = block.find("script")
        if is_plain(block) and len(scripts) == 1 and len(scripts[0].words) == 2:
            yield block, scripts[0]


def names_with_reverse(configuration: Configuration) -> set[str]:
    """Return the names of scripts whose failure counts as health, for this or another `@id`."""
    tracking = Tracking(configuration)
    scripts = tracking.of_kind("track_script")
    lines = [(each.name, line.weight(each.weight)) for each in scripts
             for line in tracking.referring(each)]  # fmt: skip
    weights = [*((each.name, each.weight) for each in scripts), *lines]
    here = {name for name, weight in weights if weight.reverse}
    others = [NO_WORD.split(each.line.text) for each in configuration.written()
              if each.kind is Kind.OTHER_ID]  # fmt: skip
    return here.union(*(words for words in others if "reverse" in words))


def _replace(
    block: Node, script: Node, release: Version, survey: Survey, reversed_names: set[str]
) -> None:
    old, source = script.command or [], script.source
    made = translate(old)
    if made is None or source is None or source.tree is None or survey.is_shared(source):
        return
    if not reversed_names.isdisjoint(block.arguments[:1]):
        raise LeftError(REVERSE)
    if made.probe == "process" and (why := renamed(old, made.values["name"])):
        raise LeftError(why)
    entry_point, *words = command_of(made, timeout_of(block, release))
    command = [f"{LIBEXEC}/{entry_point}", *words]
    line = f"script {script_word(command, release)}"
    refuse_unreadable(line, command, release)
    source.tree.replace(source, line)
    text = f"{' '.join(block.arguments)}: {redact(shlex.join(old))} is {command[0]} now"
    survey.note(script, "; ".join((text, *made.notes)))
    if why := refusal(made):
        survey.note(script, f"{' '.join(block.arguments)}: {why}")


def timeout_of(block: Node, release: Version) -> float:
    """Return the seconds after which keepalived ends a script; the interval by default."""
    for keyword in ("timeout", "interval"):
        if lines := block.find(keyword):
            word = "".join(lines[-1].arguments[:1])
            whole = float(max(leading_number(word), 0))
            return (seconds(word) if release >= READS_FRACTIONS else whole) or 1.0
    return 1.0


def refuse_unreadable(line: str, command: list[str], release: Version) -> None:
    """Raise LeftError where keepalived would read another command, or cut the line."""
    tree = parse(f"vrrp_script x {{\n{line}\n}}", release=release)
    commands = [node.command for node in tree.find("vrrp_script", "script")]
    if tree.problems or commands != [command] or len(encode(line)) > LONGEST_LINE - 100:
        raise LeftError("keepalived could not read it in one line; write a script file")


def renamed(old: list[str], name: str) -> str | None:
    """Return why pidof finds what a check by command name would not; None: it does not, now.

    pidof(8) compares the executable, argv[0] and scripts as well.
    """
    if "pidof" not in {word.rpartition("/")[2] for word in shlex.split(" ".join(old))}:
        return None
    processes = [each for each in Machine().processes() if each.argv]
    if any(each.comm == name[:COMM_MAX] for each in processes):
        return None
    for each in processes:
        program = each.argv[0].rpartition("/")[2]
        script = "".join(each.argv[1:2]).rpartition("/")[2]
        if name in (program, script) and each.comm not in ("kacheck", "sh", "bash", "pidof"):
            return (
                f"pidof {name} finds pid {each.pid}, which calls itself {each.comm}, and"
                f" kacheck-process {name} would not; write kacheck-process with the path of its"
                " program"
            )
    return None
