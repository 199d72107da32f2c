"""Two looks under one deadline: is the process alive, and is the node in the wanted Vault role?"""

from collections.abc import Callable
from functools import partial
from typing import Any

from kacheck.deadline import Deadline
from kacheck.result import Result, Status

Look = Callable[[Deadline], Result]


def probe(process: Look, vault: Look, deadline: Deadline) -> Result:
    """The process first, because it is the cheapest; the first failure is the answer.

    A process that could not be seen is no failure yet: Vault's may be worse than `unknown`, which
    can be told to pass.
    `data` has what each of them saw, and `failed` names the one that failed.

    Raises:
        BadConfigError: as the two looks do.

    """
    deadline.frame = partial(failed, {}, "process")
    alive = process(deadline)
    if alive.status not in (Status.OK, Status.UNKNOWN):
        return deadline.frame(alive)
    deadline.frame = partial(failed, {"process": alive}, "vault")
    role = vault(deadline)
    if role.status is not Status.OK:
        return deadline.frame(role)
    if alive.status is not Status.OK:
        return failed({"vault": role}, "process", alive)
    message = f"{alive.message}; {role.message}"
    return role._replace(message=message, data=merged({"process": alive, "vault": role}))


def failed(before: dict[str, Result], name: str, result: Result) -> Result:
    """The result of the look `name` as that of the whole."""
    data = {"failed": name, **merged({**before, name: result})}
    return result._replace(message=f"{name}: {result.message}", data=data)


def merged(results: dict[str, Result]) -> dict[str, Any]:
    """Each look's data under its name; the warnings together, where every check has them."""
    data: dict[str, Any] = {name: {**result.data} for name, result in results.items()}
    warnings = [warning for each in data.values() for warning in each.pop("warnings", [])]
    return {**data, "warnings": warnings} if warnings else data
