"""Two looks under one deadline: is the process alive, and is the node in the wanted Vault role?"""

from collections.abc import Callable
from typing import Any

from kacheck.deadline import Deadline
from kacheck.result import Result, Status

Look = Callable[[Deadline], Result]


def probe(process: Look, vault: Look, deadline: Deadline) -> Result:
    """The process first, because it is the cheapest; the first failure is the answer.

    `data` has what each of them saw, and `failed` names the one that failed.

    Raises:
        BadConfigError: as the two looks do.

    """
    data: dict[str, Any] = {}
    messages = []
    for name, look in (("process", process), ("vault", vault)):
        result = look(deadline)
        data[name] = result.data
        if "warnings" in result.data:
            data["warnings"] = result.data["warnings"]
        if result.status is not Status.OK:
            data["failed"] = name
            return result._replace(message=f"{name}: {result.message}", data=data)
        messages.append(result.message)
    return result._replace(message="; ".join(messages), data=data)
