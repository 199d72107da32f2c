"""KA254 to KA256: questions whose exit code does not depend on the answer."""

import itertools
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.kacheck.entry_point_paths import script_line
from kacheck.doctor.scripts.command_line import OPERATOR
from kacheck.doctor.scripts.curl import asks_health, takes_any_answer
from kacheck.doctor.scripts.rewritten import rewritten
from kacheck.doctor.scripts.shell import ShellCommand
from kacheck.redact import redact

CONTAINERS = ("docker", "podman", "nerdctl")
RUNNING = "{{.State.Running}}"


@finding(
    "KA254",
    Severity.WARNING,
    "curl that is content with any answer",
    """\
Without -f curl exits with 0 as soon as it has an answer, whatever its code: 500, 503 and the error
page of a proxy pass as well. The VIP stays on a node that answers with errors. (KA250 is the same
for Vault's health.)

See it: curl -s -o /dev/null -w '%{http_code}' URL, with the service broken.
Do: kacheck-http URL, or curl -f: both fail on a code from 400 on. `kacheck migrate --recipes`
writes the check.""",
)
def any_code_succeeds(context: Context) -> Iterator[Observation]:
    """Find a curl without -f whose exit code decides."""
    for script, _, runs in context.command_lines:
        for index, command in enumerate(runs[0]):
            is_http = not any(map(_is_other_scheme, command.words))
            if (
                is_http
                and not asks_health(command.words)
                and takes_any_answer(command, runs[0][index + 1 :])
            ):
                what = f"{script.name}: curl succeeds on every answer, such as 500 and 503"
                why = "without -f its exit code does not depend on the HTTP code"
                urls = [word for word in command.words if "://" in word] or ["URL"]
                cure = rewritten(context, script) or script_line("kacheck-http", urls[0])
                if redact(cure) != cure:  # the query that is hidden could not be pasted
                    cure = script_line("kacheck-http", "URL")
                yield at(script.node, what, why, f"{cure}, or curl -f")


def _is_other_scheme(word: str) -> bool:
    scheme, separator, _ = word.partition("://")
    return bool(separator) and scheme.isalpha() and scheme.lower() not in ("http", "https")


@finding(
    "KA255",
    Severity.ERROR,
    "docker inspect, which succeeds for a stopped container",
    """\
docker inspect exits with 0 as long as the container exists. With -f {{.State.Running}} it prints
true or false, which keepalived discards: the check is successful for a stopped container, too.

See it: docker stop NAME; docker inspect -f {{.State.Running}} NAME; echo $?
Do: compare what it prints, as in `docker inspect -f {{.State.Running}} NAME | grep -qx true` in a
shell; or ask the service itself: kacheck-http URL.""",
)
def existing_container_succeeds(context: Context) -> Iterator[Observation]:
    """Find a docker inspect whose exit code decides."""
    for script, _, runs in context.command_lines:
        for index, command in enumerate(runs[0]):
            if _inspects(command) and not _is_piped(runs[0][index + 1 :]):
                name = command.words[-1]
                what = f"{script.name}: {command.name} inspect succeeds for a stopped {name}, too"
                why = (
                    "its exit code says that the container exists, and nobody reads what it prints"
                )
                inspect = f"{command.words[0]} inspect -f {RUNNING} {name}"
                cure = f"script \"sh -c '{inspect} | grep -qx true'\", or"
                cure += f" {script_line('kacheck-http', 'URL')}"
                yield at(script.node, what, why, cure)


def _inspects(command: ShellCommand) -> bool:
    words = [word for word in command.words[1:] if word[:1] != "-" and word != "container"]
    is_meant = command.name in CONTAINERS and words[:1] == ["inspect"] and len(words) > 1
    return is_meant and not any(map(OPERATOR.fullmatch, command.words))


def _is_piped(after: list[ShellCommand]) -> bool:
    return bool(after) and after[0].joint == "|"


@finding(
    "KA256",
    Severity.ERROR,
    "systemctl is-active of several units",
    """\
systemctl is-active succeeds as soon as one of the units is active (systemctl(1)). So
`systemctl is-active a b` passes while a is down. `systemctl is-active a && systemctl is-active b`
is the same where no shell runs it: the words behind a, && included, are taken for units.

See it: systemctl stop a; systemctl is-active a b; echo $?
Do: a vrrp_script for each unit; or `systemctl is-active a && systemctl is-active b` in a shell.""",
)
def any_unit_succeeds(context: Context) -> Iterator[Observation]:
    """Find a systemctl is-active that is content with any one of several units."""
    for command_line in context.command_lines:
        script = command_line.script
        for command in command_line.commands:
            units = _units(command)
            if len(units) > 1:
                what = f"{script.name} passes while one of {' and '.join(units)} is active"
                why = "systemctl is-active succeeds as soon as one of its units is active"
                each = " && ".join(f"systemctl is-active -q {unit}" for unit in units)
                yield at(script.node, what, why, f"script \"sh -c '{each}'\"")


def _units(command: ShellCommand) -> list[str]:
    """Return the units that systemctl is-active is asked for."""
    if command.name != "systemctl" or "is-active" not in command.words:
        return []
    syntax = ("&&", "systemctl", "is-active", command.words[0])
    words = itertools.takewhile(
        lambda word: word == "&&" or not OPERATOR.fullmatch(word), command.words[1:]
    )
    return [word for word in words if word[:1] != "-" and word not in syntax]
