"""Two nodes with a shipped recipe: what is read from the recipe, and which node has the VIP."""

import re
import time
from collections.abc import Callable

from helpers.keepalived import LabError, Start, wait_until
from helpers.vault_node import RECIPES, VaultNode

PATIENCE = 30
INSTANCE = "VI_1"
"""The vrrp_instance of the shipped keepalived.conf."""


def recipe(name: str) -> str:
    """Return the text of a shipped file."""
    return (RECIPES / f"{name}.conf").read_text()


def tracking(name: str) -> str:
    """Return what the recipe's comment says to put into the instance."""
    return tracking_of(recipe(name))


def tracking_of(text: str) -> str:
    """Return the same, of a recipe's text."""
    block = r"^#     track_\w+ \{\n(?:#.*\n)*?#     \}\n"
    blocks = re.findall(block, text, re.MULTILINE)
    assert blocks
    return re.sub(r"^#", "", "".join(blocks), flags=re.MULTILINE)


def tracking_instance(name: str, router_id: int, vip: str, text: str) -> str:
    """Return the shipped vrrp_instance under this name, with what a recipe's text tracks."""
    instance = re.split(r"(?m)^(?=vrrp_instance )", recipe("keepalived"))[1]
    opening = re.split(r"(?m)^    (?:#|track_)", instance)[0]
    opening = opening.replace("VI_1", name).replace("_id 51", f"_id {router_id}")
    return f"{opening.replace('192.0.2.100', vip)}{tracking_of(text)}}}\n"


def configuration(name: str, priority: int) -> str:
    """Return the shipped keepalived.conf with this recipe in place of the one that it has."""
    conf = recipe("keepalived").replace("priority 220 ", f"priority {priority} ")
    conf = conf.replace("include vault-graded.conf\n", f"include {name}.conf\n")
    start, end = conf.index("    track_file {"), conf.rindex("}\n")
    return f"{conf[:start]}{tracking(name)}{conf[end:]}"


def scripts(name: str) -> dict[str, dict[str, str]]:
    """Return the keys and values of the recipe's vrrp_script blocks, by name."""
    blocks = re.findall(r"^vrrp_script (\w+) \{\n(.*?)^\}", recipe(name), re.MULTILINE | re.DOTALL)
    keys = re.compile(r"^    (\w+) +(.+?)(?: +#.*)?$", re.MULTILINE)
    return {script: dict(keys.findall(body)) for script, body in blocks}


class Pair:
    """Both nodes with a recipe, and their keepalived."""

    def __init__(
        self,
        name: str,
        nodes: tuple[VaultNode, VaultNode],
        priorities: tuple[int, int] = (220, 218),
        *,
        extra: str = "",
        start: Start = "node",
    ) -> None:
        self.a, self.b = nodes
        a, b = (configuration(name, priority) + extra for priority in priorities)
        self.a_keepalived = self.a.keepalived(a, start)
        self.b_keepalived = self.b.keepalived(b, start)
        self.deed_at = 0.0

    def after(self, action: Callable[[], object]) -> None:
        """Act; the events that are waited for come later."""
        self.deed_at = time.monotonic()
        action()

    def set(self, a: str, b: str) -> None:
        """Set the states of both Vaults."""
        self.deed_at = time.monotonic()
        self.a.state, self.b.state = a, b

    def expect(self, a: str | None = None, b: str | None = None) -> None:
        """Wait for these states since the last action; the VIP must end where MASTER is, alone.

        For a moment both can be MASTER: until the one has heard the other's advertisement.
        """
        for keepalived, state in ((self.a_keepalived, a), (self.b_keepalived, b)):
            if state is not None:
                keepalived.wait_for(state, PATIENCE, instance=INSTANCE, after=self.deed_at)

        def settled() -> bool:
            states = [each.state(INSTANCE) for each in (self.a_keepalived, self.b_keepalived)]
            as_wanted = all(want in (None, is_) for want, is_ in zip((a, b), states, strict=True))
            holders = [state == "MASTER" for state in states]
            alone = holders.count(True) <= 1
            return as_wanted and alone and [self.a.has_vip, self.b.has_vip] == holders

        wanted = f"not settled as {a}, {b}, with the VIP where MASTER is"
        try:
            wait_until(settled, wanted, PATIENCE)
        except LabError:
            print(self.a_keepalived.log, self.b_keepalived.log, sep="\n--- b:\n")  # noqa: T201
            raise

    @property
    def holders(self) -> list[VaultNode]:
        """Who has the VIP."""
        return [node for node in (self.a, self.b) if node.has_vip]
