"""The cure for a one-liner: the check of kacheck that it becomes."""

from kacheck.doctor.context import Context
from kacheck.doctor.kacheck.entry_point_paths import script_line
from kacheck.doctor.scripts.script import Script
from kacheck.migrate.one_liners.command import command_of
from kacheck.migrate.one_liners.translate import translate
from kacheck.migrate.tracked import LeftError


def rewritten(context: Context, script: Script) -> str | None:
    """Return the line that `kacheck migrate --recipes` writes for a script; None for none."""
    try:
        made = translate(script.argv)
        command = command_of(made, script.timeout) if made is not None else None
    except LeftError:
        return None
    return None if command is None else script_line(*command, release=context.release)
