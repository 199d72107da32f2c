"""All findings, by room: the declarations in these modules are the list of codes."""

from types import ModuleType

from kacheck.doctor.crash import CRASH
from kacheck.doctor.files import paths
from kacheck.doctor.files import weights as file_weights
from kacheck.doctor.finding import Code, Lint
from kacheck.doctor.kacheck import configuration, options, watcher
from kacheck.doctor.keepalived import problems, tracked_names, unknown_keywords, weights
from kacheck.doctor.machine import (
    entry_points,
    installed_keepalived,
    isolation,
    known_faults,
    missing_events,
    new_keywords,
)
from kacheck.doctor.processes import names, numbers
from kacheck.doctor.scripts import (
    any_answer,
    curl,
    execution,
    exit_status,
    missing_file,
    process_search,
    security,
    shell_syntax,
    statements,
)

MACHINE = (
    *(installed_keepalived, missing_events, isolation, known_faults, new_keywords),
    entry_points,
)
"""What can be found without a configuration."""
KEEPALIVED = (problems, tracked_names, weights, unknown_keywords)
SCRIPTS = (
    statements,
    execution,
    security,
    shell_syntax,
    curl,
    any_answer,
    process_search,
    exit_status,
    missing_file,
)
PROCESSES = (names, numbers)
FILES = (file_weights, paths)
KACHECK = (configuration, options, watcher)


def lints(*modules: ModuleType) -> list[Lint]:
    """Return the declarations of modules: their functions, and their tables named LINTS."""
    return [
        lint
        for module in modules
        for lint in (*getattr(module, "LINTS", ()), *vars(module).values())
        if isinstance(lint, Lint)
    ]


LINTS = lints(*MACHINE, *KEEPALIVED, *SCRIPTS, *PROCESSES, *FILES, *KACHECK)
CODES: dict[str, Code] = {
    code.name: code for code in sorted([CRASH, *(lint.code for lint in LINTS)])
}
"""The codes by name, in order."""
