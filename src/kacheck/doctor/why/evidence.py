"""What is seen of each tracked thing: scripts are run, processes counted, files read."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from kacheck import statedir
from kacheck.doctor.context import Context
from kacheck.doctor.files.tracked_file import TrackedFile, value_of
from kacheck.doctor.finding import Finding
from kacheck.doctor.kacheck.entry_point_calls import COMMANDS
from kacheck.doctor.kacheck.entry_point_paths import entry_points
from kacheck.doctor.kacheck.state_files import watcher_trouble
from kacheck.doctor.machine.missing_events import cause_of
from kacheck.doctor.machine.process_events import ListenAnswer
from kacheck.doctor.processes.cures import cure_for
from kacheck.doctor.processes.tracked_process import TrackedProcess
from kacheck.doctor.scripts.program import Program
from kacheck.doctor.why import interfaces, script_runs
from kacheck.doctor.why.instance import KEY, VrrpInstance
from kacheck.doctor.why.interfaces import LocalNetwork
from kacheck.doctor.why.running_keepalived import KeepalivedInUse
from kacheck.doctor.why.script_runs import ScriptRun
from kacheck.doctor.why.state import FaultCause, SeenState
from kacheck.keepalived.limits import MOST_PROCESSES
from kacheck.redact import redact

DROPPED_BY = ("KA201", "KA203", "KA221", "KA222", "KA225", "KA226", "KA310", "KA407", "KA408")
"""Findings whose script, process or file keepalived removes: its instances run without it."""
ALWAYS_FAILS = ("KA224", "KA227", "KA228", "KA244", "KA251", "KA252")
"""Findings whose script fails at each run."""
READ = 127
"""Bytes that keepalived reads of a file."""
WITHOUT_EVENTS = (ListenAnswer.REFUSED, ListenAnswer.FORBIDDEN, ListenAnswer.NO_CONNECTOR)
"""Answers after which keepalived counts no process."""


class SeenEvidence(NamedTuple):
    """All that was seen."""

    tracked: Mapping[KEY, SeenState]
    dropped: Mapping[KEY, str]
    """What keepalived removes, and why."""
    not_run: frozenset[str]
    """The scripts that were not run."""


def gather(  # noqa: PLR0913 - what is looked at
    context: Context,
    findings: Sequence[Finding],
    instances: Sequence[VrrpInstance],
    keepalived: KeepalivedInUse | None,
    *,
    network: LocalNetwork | None,
    run: bool | None,
) -> SeenEvidence:
    """Return what is seen of the things that instances track.

    `run` is whether all scripts are run, or none; None: kacheck's own, and those that the running
    keepalived runs already.
    """
    used = {each.key for instance in instances for each in instance.tracked}
    dropped = {key: why for key, why in _dropped(context, findings) if key in used}
    programs = [each for each in context.programs if ("track_script", each.script.name) in used]
    programs = [each for each in programs if ("track_script", each.script.name) not in dropped]
    chosen = [each for each in programs if _may_run(each, keepalived, run=run)]
    runs = script_runs.run(
        chosen,
        keepalived.environment if keepalived else {"PATH": context.system.search_path},
        real_name=context.is_before(2, 3, 0),
    )
    names = {program.script.name for program in programs}
    seen = dict(_always_failing(context, findings))
    seen |= dict(_scripts(chosen, runs))
    for process in context.tracked_processes:
        seen.setdefault(("track_process", process.name), _process(context, process))
    for file in context.tracked_files:
        seen.setdefault(("track_file", file.name), _file(context, file))
    for kind, name in used:
        if kind == "track_interface" and network is not None:
            seen[kind, name] = interfaces.tracked_seen(network, name)
    unknown = {name for name in names - {*runs} if ("track_script", name) not in seen}
    return SeenEvidence(seen, dropped, frozenset(unknown))


def _dropped(context: Context, findings: Sequence[Finding]) -> Iterator[tuple[KEY, str]]:
    """Yield what keepalived removes, by the findings at the lines of its definition."""
    whats = {each[4:]: each.what for each in findings if each.code.name in DROPPED_BY}
    for definition in context.tracking.definitions if whats else ():
        for node in (definition.node, *definition.node.walk()):
            what = whats.get(node.position[:2])
            if what is not None:
                yield (definition.kind, definition.name), what


def _always_failing(
    context: Context, findings: Sequence[Finding]
) -> Iterator[tuple[KEY, SeenState]]:
    """Yield the scripts that fail whatever runs, so that they need not be run."""
    failing = {each[4:]: each for each in findings if each.code.name in ALWAYS_FAILS}
    for script in context.scripts if failing else ():
        finding = failing.get(script.node.position[:2])
        if finding is not None:
            cause = FaultCause(finding.what, finding.cure)
            yield ("track_script", script.name), SeenState(is_good=False, cause=cause)


def _may_run(program: Program, keepalived: KeepalivedInUse | None, *, run: bool | None) -> bool:
    """Return whether a script is run: kacheck's own change nothing, others may."""
    if run is not None:
        return run
    is_running = keepalived is not None and keepalived.is_current
    return _is_ours(program) or is_running


def _is_ours(program: Program) -> bool:
    """Return whether a script is an entry point of kacheck's, with the same content."""
    name = program.real.rpartition("/")[2]
    if name not in COMMANDS or name == "kacheck":
        return False
    directory = entry_points()
    if directory is None:
        return False
    try:
        with open(f"{directory}/{name}", "rb") as ours, open(program.real, "rb") as other:
            return ours.read() == other.read()
    except OSError:
        return False


# --- scripts --------------------------------------------------------------------------------


def _scripts(
    programs: Sequence[Program], runs: Mapping[str, ScriptRun]
) -> Iterator[tuple[KEY, SeenState]]:
    for program in programs:
        name = program.script.name
        run = runs[name]
        cause = None if run.succeeds else _script_cause(program, run)
        yield ("track_script", name), SeenState(run.succeeds, cause)


def _script_cause(program: Program, run: ScriptRun) -> FaultCause:
    """Return why a script failed: in kacheck's words, or by its exit code."""
    script = program.script
    lines = [line.strip() for line in redact(run.output).splitlines() if line.strip()]
    command = redact(shlex.join([program.path or script.argv[0], *script.argv[1:]]))
    if _is_ours(program) and lines and not run.timed_out:
        said, _, cure = lines[-1].removeprefix("kacheck: ").partition("; ")
        return FaultCause(f"{script.name} fails: {said}", cure or f"{command} --verbose")
    shown = f" ({lines[-1]})" if lines else ""
    return FaultCause(f"{script.name} fails: {run.how}{shown}", f"{command}; echo $?")


# --- processes ------------------------------------------------------------------------------


def _process(context: Context, process: TrackedProcess) -> SeenState:
    facts = context.facts
    missing = cause_of(facts) if facts is not None else None
    if facts is not None and missing is not None and facts.events.answer in WITHOUT_EVENTS:
        what = f"{process.name} fails: keepalived counts no process here ({facts.events.detail})"
        return SeenState(is_good=False, cause=FaultCause(what, missing.cure))
    least, most = process.quorum
    if least <= process.count <= most:
        return SeenState()
    name = process.pattern.name
    what = f"no process {name} runs" if not process.count else f"{process.count} processes run"
    if process.count or least > 1:
        what += f", the quorum is {least}"
        what += f", quorum_max {most}" if most < MOST_PROCESSES else ""
    cure = cure_for(process, context.configuration.release)
    if cure is None:
        words = name.replace("'", "")
        cure = f"process {words}" if process.has_quotes else f"systemctl start {process.base}"
    return SeenState(is_good=False, cause=FaultCause(f"{process.name} fails: {what}", cure))


# --- files ----------------------------------------------------------------------------------


def _file(context: Context, file: TrackedFile) -> SeenState:
    text = context.system.head(file.path)[:READ].decode("ascii", "replace")
    number = value_of(text)
    what = f"{file.name} fails: {file.path} says {number}"
    if context.system.is_missing(file.path):
        what = f"{file.name} fails: {file.path} does not exist, which reads as 0"
    cause = FaultCause(what, f"cat {file.path}, and find out what writes it")
    if file.is_kachecks:
        cause = _verdict_cause(context, file, what)
    weights = [weight for weight in file.weights if not weight.value]
    is_good = not any((number == 0) == weight.reverse for weight in weights) and number >= 0
    return SeenState(is_good, cause, number)


def _verdict_cause(context: Context, file: TrackedFile, what: str) -> FaultCause:
    """Return what kacheck says about its own file."""
    name = file.path.rpartition("/")[2]
    state_dir = context.kacheck.state_dir
    trouble = watcher_trouble(context.system, state_dir)
    if trouble is not None:
        return FaultCause(f"{what}: {trouble}", "systemctl restart kacheck")
    text = context.system.head(f"{state_dir}/verdict/{name}").decode("utf-8", "replace")
    published = statedir.parse(text) if text else None
    if published is None:
        return FaultCause(f"{what}; its verdict is missing", f"kacheck status {name}")
    said, _, cure = published.message.partition("; ")
    words = f"{published.status.word} {published.reason}: {said}"
    return FaultCause(f"{file.name} fails: {words}", cure or f"kacheck status {name}")
