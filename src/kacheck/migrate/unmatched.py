"""Trackers that match no process as they are written, although one runs or quotes make it one word.

What migrate writes asks for the same name, so it would never match either: said at the line.
"""

from kacheck.doctor.machine.system import Machine
from kacheck.doctor.processes.cures import cure_for
from kacheck.doctor.processes.tracked_process import read_tracked_processes
from kacheck.keepalived import Configuration
from kacheck.keepalived.tracking import Tracking
from kacheck.migrate.survey import Survey


def note_unmatched(survey: Survey, configuration: Configuration) -> None:
    """Note the blocks that move and that match nothing, where the reason is known."""
    for process in read_tracked_processes(Tracking(configuration), Machine()):
        if process.name in survey.left or process.count:
            continue
        name = process.pattern.name
        cure = cure_for(process, configuration.release)
        if process.has_quotes:
            words = name.replace("'", "")
            text = (
                f'no process is named "{name}", for keepalived and for kacheck: a quoted string is'
                f" one word; write process {words}"
            )
            survey.note(process.line, text)
        elif process.alike and cure is not None:
            pid = process.alike[0].pid
            lines = " and ".join(cure.split("\n"))
            text = f"{name} does not match what runs as pid {pid}; write {lines}"
            survey.note(process.line, text)
