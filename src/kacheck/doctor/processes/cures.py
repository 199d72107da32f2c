"""Lines of a vrrp_track_process that count a process which runs now, ready to be pasted. Pure."""

from collections.abc import Iterator

from kacheck.doctor.machine.system import RunningProcess
from kacheck.doctor.processes.tracked_process import TrackedProcess, pattern_of
from kacheck.keepalived import Version, parse, quote
from kacheck.keepalived.rules import rules_of
from kacheck.keepalived.tracking import Definition, Weight
from kacheck.procfs import COMM_MAX

OTHERS = "  # instead of the process line; and no full_command, no param_match"


def cure_for(tracked: TrackedProcess, release: Version) -> str | None:
    """Return lines that count the process that was meant; None where none runs, or none can.

    Each is tried: it is what keepalived would read, and it matches.
    """
    for process in tracked.running.alike(tracked.base):
        for lines in _candidates(tracked, process):
            if _counts(lines, process, release):
                return lines
    return None


def _candidates(tracked: TrackedProcess, process: RunningProcess) -> Iterator[str]:
    """Yield what might count a process: with what the block has, then with less."""
    has_match = tracked.definition.first("param_match") is not None
    has_full = tracked.definition.first("full_command") is not None
    is_its_name = process.comm == tracked.base[:COMM_MAX]
    by_comm = [["process", process.comm]]
    if is_its_name and not tracked.pattern.by_command_line:
        yield _lines(*by_comm)
    argv = [*process.argv]
    while argv[1:] and not argv[-1]:  # what a title that the program wrote has left behind it
        argv.pop()
    match = tracked.pattern.match if has_match else None
    if argv[1:]:
        yield _lines(["process", *argv], *([["param_match", match]] if match else []))
    else:
        yield _lines(["process", *argv], ["full_command"])
    if is_its_name:
        yield _lines(*by_comm) + (OTHERS if has_full or has_match else "")
    yield _lines(["process", *argv[:1]], ["full_command"])


def _lines(*statements: list[str]) -> str:
    """Return statements as keepalived reads them; nothing where it could not."""
    try:
        return "\n".join(" ".join(map(quote, words)) for words in statements)
    except ValueError:
        return ""


def _counts(lines: str, process: RunningProcess, release: Version) -> bool:
    """Return whether keepalived would count the process by these lines."""
    longest = rules_of(release).longest_line
    sizes = [len(line.encode(errors="replace")) for line in lines.split("\n")]
    if not lines or "$" in lines or max(sizes) > longest:
        return False
    tree = parse(f"vrrp_track_process x {{\n{lines}\n}}\n", release=release)
    nodes = tree.find("vrrp_track_process")
    statements = tree.find("vrrp_track_process", "process")
    if tree.problems or len(nodes) != 1 or len(statements) != 1:
        return False
    definition = Definition("track_process", "x", nodes[0], 0, Weight())
    return pattern_of(definition, statements[0]).matches(process)
