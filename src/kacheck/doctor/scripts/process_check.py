"""The cure for a search that goes wrong: kacheck's process check, for the process that is meant."""

import os
import re

from kacheck.doctor.context import Context
from kacheck.doctor.kacheck.entry_point_paths import script_line
from kacheck.doctor.machine.system import RunningProcess
from kacheck.procfs import COMM_MAX

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


def process_check(context: Context, words: list[str]) -> str:
    """Return the script line that asks for the process which words, such as `pidof x`, name.

    Where a process of that program calls itself otherwise, it is asked for by its path.
    """
    operands = [word for word in words[1:] if word[:1] != "-" and not word.isdecimal()]
    name = os.path.basename(operands[-1]) if operands else ""
    if not NAME.fullmatch(name):
        return f"{script_line('kacheck-process', 'NAME')}, with the service's NAME"
    return script_line("kacheck-process", _asked_for(context.system.processes(), name))


def _asked_for(processes: list[RunningProcess], name: str) -> str:
    if any(process.comm == name[:COMM_MAX] for process in processes):
        return name
    paths = ("".join(process.argv[:1]) for process in processes)
    return next((p for p in paths if p[:1] == "/" and os.path.basename(p) == name), name)
