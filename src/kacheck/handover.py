"""What follows from a drain: who can take the VIP. Pure."""

from collections.abc import Iterable, Iterator

from kacheck.check import Check, Question, drained_by
from kacheck.probes.vault.reasons import STANDBY
from kacheck.result import Status

TO_STANDBY = "the VIP goes to a standby that serves, if there is one"
STEP_DOWN = (
    "the VIP goes to the next active node: a standby fails this check, too. Where this node is "
    "the active one, no other can take the VIP until: vault operator step-down"
)
TO_ANOTHER = "the VIP goes to another node whose check passes, if there is one"


def drained_checks(checks: Iterable[Check], names: Iterable[str] | None) -> list[Check]:
    """Return the checks that a drain of these names makes fail; None means every check."""
    if names is None:
        return [*checks]
    drained = {*names}
    return [check for check in checks if drained.intersection(drained_by(check))]


def consequences(checks: Iterable[Check]) -> list[str]:
    """Return what follows for the VIP, a sentence each; with its checks where that differs."""
    by_text: dict[str, list[str]] = {}
    for check in checks:
        by_text.setdefault(consequence(check), []).append(check.name)
    if len(by_text) == 1:
        return [*by_text]
    return [f"{', '.join(names)}: {text}" for text, names in by_text.items()]


def consequence(check: Check) -> str:
    """Return who can take the VIP that follows this check, if all nodes declare it alike."""
    roles = [*accepted_roles(check.question)]
    if not roles:
        return TO_ANOTHER
    serves = check.track.value(Status.WARNING, STANDBY, check.policy)
    passes = all(str(STANDBY) in accepted for accepted in roles)
    return TO_STANDBY if passes or serves != check.track.critical else STEP_DOWN


def accepted_roles(question: Question) -> Iterator[tuple[str, ...]]:
    """Yield the roles that each look at Vault in a question accepts."""
    if question.probe == "vault":
        yield question.asked.accept
    for _, member in getattr(question.asked, "members", ()):
        yield from accepted_roles(member)
