"""The configuration as examples/ ships it, for a cluster of three; what is adapted must be there.

The lab's interface, addresses, ports and paths are those of the examples, so that only a priority
for each node is left to adapt, and which of the recipes is tracked.
"""

import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.measure import UnexpectedError

from helpers import pair
from helpers.vault_node import RECIPES

RECOMMENDED = "vault-graded"
NATIVE = """
vrrp_track_process tracked {{
    process {process}
}}
"""
PGREP = """
vrrp_script tracked {{
    script "/usr/bin/pgrep -x {process}"
    interval 2
    fall 2
}}
"""
NUMBER = r"\d+(?:\.\d+)?"


class Shape(NamedTuple):
    """What is tracked, and with which VRRP settings."""

    name: str
    """A recipe's, `native` or `pgrep`."""
    vrrp: str = RECOMMENDED
    """The recipe whose priorities the nodes have."""
    advert_int: str = ""
    """Seconds, in place of those that are shipped."""

    @property
    def is_recipe(self) -> bool:
        """Whether kacheck is what is measured."""
        return self.name == self.vrrp

    def configuration(self, place: int, process: str) -> str:
        """Return keepalived.conf for the node of that place, with the name of its service."""
        priority = priorities(self.vrrp)[place]
        text = substitute(shipped(), r"(?m)^( +priority )\d+", rf"\g<1>{priority}")
        if self.advert_int:
            text = with_advert_int(text, self.advert_int)
        text, count = re.subn(r"(?ms)^    track_\w+ \{.*?\n    \}\n", "", text)
        if not count:
            raise UnexpectedError("the instance in keepalived.conf tracks nothing")
        if self.is_recipe:
            return tracking(text, f"include {self.name}.conf", pair.tracking(self.name))
        kind, block = ("process", NATIVE) if self.name == "native" else ("script", PGREP)
        track = f"    track_{kind} {{\n        tracked\n    }}\n"
        return tracking(text, block.format(process=process), track)


def recipes() -> list[str]:
    """Return the names of those for Vault, the recommended one first."""
    names = {name.removesuffix(".conf") for name in os.listdir(RECIPES)}
    names -= {"keepalived", "process"}
    return sorted(names, key=lambda name: (name != RECOMMENDED, name))


def shipped() -> str:
    """Return keepalived.conf as it is shipped."""
    return pair.recipe("keepalived")


def substitute(text: str, pattern: str, new: str | Callable[[re.Match[str]], str]) -> str:
    """Replace what matches, which must be there once.

    Raises:
        UnexpectedError: it is not; says which pattern.

    """
    text, count = re.subn(pattern, new, text)
    if count != 1:
        raise UnexpectedError(f"examples/ has {pattern!r} {count} times, not once")
    return text


def tracking(text: str, definition: str, track: str) -> str:
    """Put a definition above the only instance, unless it is there, and what is tracked into it."""
    if not re.search(rf"(?m)^{re.escape(definition)}$", text):
        text = substitute(text, r"(?m)^(?=vrrp_instance )", lambda _: f"{definition}\n\n")
    return substitute(text, r"(?ms)(?<=^vrrp_instance )(.*?)(?=^\})", lambda m: f"{m[1]}{track}")


def with_advert_int(text: str, seconds: str) -> str:
    """Change it; VRRPv2 takes whole seconds alone, so the instance must be one of version 3."""
    text = substitute(text, rf"(?m)^( +advert_int ){NUMBER}", rf"\g<1>{seconds}")
    if re.search(r"(?m)^ +(?:vrrp_)?version 3\b", text):
        return text
    return substitute(text, r"(?m)^( +)(?=advert_int )", r"\g<1>version 3\n\g<1>")


def advert_int(shape: Shape) -> float:
    """Return the seconds between two adverts."""
    found = re.findall(rf"(?m)^ +advert_int ({NUMBER})", shape.configuration(0, "vault"))
    if len(found) != 1:
        raise UnexpectedError(f"advert_int is there {len(found)} times")
    return float(found[0])


def priorities(name: str) -> Sequence[int]:
    """Return those of three nodes, as the recipe suggests them, or else keepalived.conf.

    What is suggested for two nodes is continued for the third one.
    """
    texts = [pair.recipe(name), shipped()]
    patterns = [r"priorities[^:.]*?such as ([^:.]*\d)", r"(?m)^ +priority (.*)$"]
    for text, pattern in zip(texts, patterns, strict=True):
        if suggested := re.search(pattern, text):
            found = sorted({int(word) for word in re.findall(r"\d+", suggested[1])}, reverse=True)
            if len(found) == 2:
                found.append(2 * found[1] - found[0])
            if len(found) == 3:
                return found
    raise UnexpectedError(f"neither {name}.conf nor keepalived.conf suggests three priorities")


def track_file(shape: Shape) -> str:
    """Return the name of the watcher's file that the recipe tracks; nothing if it has none."""
    if not shape.is_recipe:
        return ""
    found = re.search(r'(?m)^ +file "?/run/kacheck/track/([^"\s]+)', pair.recipe(shape.name))
    return found[1] if found else ""


def pause(shape: Shape) -> float:
    """Return the seconds after which every script of the recipe has come to its verdict."""
    if not shape.is_recipe:
        return 5.0
    every = pair.scripts(shape.name).values()
    return max(int(keys["interval"]) * int(keys.get("rise", "1")) + 2 for keys in every)
