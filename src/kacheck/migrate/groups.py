"""Sync groups, and instances whose priority is fixed: what keepalived lets them track. Pure."""

from collections import Counter

from kacheck.keepalived import Configuration, Node
from kacheck.keepalived.limits import ADDRESS_OWNER
from kacheck.keepalived.releases import MEMBERS_LOSE_FILES, MEMBERS_LOSE_SCRIPTS
from kacheck.keepalived.tracking import SYNC_GROUP, WEIGHT_WORDS, Weight, members
from kacheck.keepalived.version import Version
from kacheck.migrate import tracked
from kacheck.migrate.equivalents import Mode
from kacheck.migrate.tracked import LeftError

OWNER_PRIORITY = str(ADDRESS_OWNER)


def lost(release: Version | None, mode: Mode) -> str:
    """Return in words what keepalived drops that has weight 0; "" for nothing."""
    scripts = MEMBERS_LOSE_SCRIPTS.include(release)
    if not scripts and not (mode == "watch" and MEMBERS_LOSE_FILES.include(release)):
        return ""
    subject = (
        f"keepalived {release} drops" if release else "keepalived may be 2.1.0 to 2.2.1, which drop"
    )
    return f"{subject} {'scripts and ' * scripts}files with weight 0"


class Groups:
    """The sync groups, and the instances that own their addresses."""

    def __init__(self, configuration: Configuration) -> None:
        groups = configuration.find(SYNC_GROUP)
        self._names = Counter(" ".join(group.arguments) for group in groups)
        self._by_member: dict[str, list[Node]] = {}
        for group in groups:
            for name in dict.fromkeys(members(group)):
                self._by_member.setdefault(name, []).append(group)
        self._address_owners = {
            name for instance in configuration.find("vrrp_instance")
            for priority in instance.find("priority") if priority.arguments[:1] == [OWNER_PRIORITY]
            for name in instance.arguments
        }  # fmt: skip
        self.other_words: set[str] = set()
        """In lines for another `@id`."""

    def of(self, instance: Node) -> list[Node]:
        """Return the sync groups that an instance is in."""
        groups = [group for name in instance.arguments for group in self._by_member.get(name, ())]
        return list(dict.fromkeys(groups))

    def is_certain(self, instance: Node) -> bool:
        """Return whether an instance is in one sync group and in no other, for every `@id`."""
        groups = self.of(instance)
        return (
            len(groups) == 1
            and self._names[" ".join(groups[0].arguments)] == 1
            and tracked.is_plain(groups[0])
            and instance.source is not None
            and instance.condition is None
            and self.other_words.isdisjoint((SYNC_GROUP, *instance.arguments))
        )

    def owns_address(self, instance: Node) -> bool:
        """Return whether its priority is 255, for any `@id`."""
        elsewhere = self.other_words >= {"priority", OWNER_PRIORITY}
        return elsewhere or not self._address_owners.isdisjoint(instance.arguments)

    def is_fixed(self, instance: Node) -> bool:
        """Return whether an instance's priority must not change, for any `@id`."""
        if instance.keyword == SYNC_GROUP:
            return False
        elsewhere = SYNC_GROUP in self.other_words and not self.other_words.isdisjoint(
            instance.arguments
        )
        weightless = not all(map(tracks_weights, self.of(instance)))
        return elsewhere or weightless or self.owns_address(instance)

    def refuse_ignored_weight(self, owner: Node, weight: Weight) -> None:
        """Leave a weight alone that a track_process has and a track_script would not have."""
        if not weight.value:
            return
        is_group = owner.keyword == SYNC_GROUP
        names = {*members(owner)} if is_group else {*owner.arguments}
        for name in sorted(names & self._address_owners):
            where = f", which {name} has" if is_group else ""
            raise LeftError(
                f"a weight has no effect at priority 255{where}; use weight 0, or remove it"
            )
        if not is_group and not all(map(tracks_weights, self.of(owner))):
            raise LeftError(
                "a script's weight has no effect in a member of a vrrp_sync_group without"
                " sync_group_tracking_weight; add that, or use weight 0"
            )


def tracks_weights(group: Node) -> bool:
    """Return whether the priorities of a sync group's members may change, for every `@id`."""
    lines = (line for word in WEIGHT_WORDS for line in group.find(word))
    return any(each.condition is None for each in lines)
