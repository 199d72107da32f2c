"""What keepalived makes of what it sees: FAULT or not, and the effective priority. Pure.

Rules, from vrrp_track.c and vrrp.c (process_script_update_priority(), process_update_...):

- weight 0: a failure is FAULT; with `reverse`, a success is.
- a positive weight is added on success, a negative one on failure; `reverse` changes the sign.
- a file's number times its weight is added; -254 or less is FAULT. With weight 0 any number but 0
  is FAULT, with `reverse` 0 is.
- the sum stays within 1 and 254; priority 255 never changes.
- one member in FAULT has its whole sync group in FAULT.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kacheck.doctor.why.instance import KEY, TrackedThing, VrrpInstance

LOWEST, HIGHEST = 1, 254
FAULT_CHANGE = -254


class FaultCause(NamedTuple):
    """Why something counts as failed, and what to do about it."""

    what: str
    cure: str = ""


class SeenState(NamedTuple):
    """What was seen of something that is tracked."""

    is_good: bool = True
    cause: FaultCause | None = None
    """Why it is not good; of a file: what its number means."""
    number: int | None = None
    """Of a file."""


class PredictedState(NamedTuple):
    """The state that follows for an instance."""

    is_fault: bool
    priority: int
    causes: tuple[FaultCause, ...]
    """Of the FAULT."""
    lowered_by: tuple[FaultCause, ...] = ()
    """What has failed and only changes the priority."""


def predict(
    instances: Sequence[VrrpInstance],
    tracked: Mapping[KEY, SeenState],
    own: Mapping[str, Sequence[FaultCause]],
) -> dict[str, PredictedState]:
    """Return what follows for each instance.

    `tracked` is what was seen of tracked things; what is not in it counts as good. `own` are the
    causes that instances have themselves: their interface, its address, a capability.
    """
    alone = {each.name: _alone(each, tracked, tuple(own.get(each.name, ()))) for each in instances}
    return {each.name: _with_group(each, instances, alone) for each in instances}


def _alone(
    instance: VrrpInstance, tracked: Mapping[KEY, SeenState], own: tuple[FaultCause, ...]
) -> PredictedState:
    causes, lowered, change = list(own), [], 0
    for each in instance.tracked:
        seen = tracked.get(each.key, SeenState())
        added = change_of(each, seen)
        if added is None:
            causes.append(seen.cause or FaultCause(f"{each.name} succeeds, and has reverse"))
        else:
            change += added
            if not seen.is_good and seen.cause is not None:
                lowered.append(seen.cause)
    priority = max(LOWEST, min(HIGHEST, instance.priority + change))
    return PredictedState(
        bool(causes),
        instance.priority if instance.is_fixed else priority,
        tuple(dict.fromkeys(causes)),
        tuple(dict.fromkeys(lowered)),
    )


def change_of(tracked: TrackedThing, seen: SeenState) -> int | None:
    """Return what is added to the priority; None is FAULT."""
    value, is_reverse, _ = tracked.weight
    sign = -1 if is_reverse else 1
    if tracked.kind == "track_file":
        number = seen.number or 0
        if not value:
            return None if (number == 0) == is_reverse else 0
        change = number * value * sign
        return None if change <= FAULT_CHANGE else min(change, -FAULT_CHANGE - 1)
    if not value:
        return None if seen.is_good == is_reverse else 0
    counts = seen.is_good if value > 0 else not seen.is_good
    return value * sign if counts else 0


def _with_group(
    instance: VrrpInstance, instances: Sequence[VrrpInstance], alone: Mapping[str, PredictedState]
) -> PredictedState:
    """Return the state of a member, which is FAULT where another member's is."""
    own = alone[instance.name]
    if own.is_fault or instance.group is None:
        return own
    others = [
        each.name
        for each in instances
        if each.group == instance.group and each is not instance and alone[each.name].is_fault
    ]
    if not others:
        return own
    causes = [
        FaultCause(f"{name}, of the same sync group {instance.group}, is: {cause.what}", cause.cure)
        for name in others
        for cause in alone[name].causes
    ]
    return own._replace(is_fault=True, causes=tuple(causes))
