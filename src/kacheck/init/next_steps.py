"""The next commands, here and on the other nodes. Pure."""

import shlex
from collections.abc import Iterator
from typing import NamedTuple


class Situation(NamedTuple):
    """What the commands depend on."""

    vip: str
    node: int
    given: tuple[str, ...]
    """The options that all nodes have in common, as words."""
    argv: tuple[str, ...]
    """The program of a command check, which all nodes have in common, too."""
    own: str | None
    """This node's address."""
    peers: tuple[str, ...]
    is_written: bool
    has_systemd: bool
    is_watcher_running: bool
    is_keepalived_running: bool
    has_peer: bool = False
    """Another node was heard."""


def next_steps(situation: Situation) -> str:
    """Return the commands, each on a line that can be pasted."""
    here = [f"    {each}" for each in commands_here(situation)]
    others = [f"    {each}" for each in commands_there(situation)]
    lines = ["next, here:", *here, "then on the other nodes, one after the other:", *others]
    if not situation.peers and not situation.has_peer:
        lines.append(
            "where the network carries no multicast, as in most clouds, add --peer ADDRESS for each"
            " other node"
        )
    return "\n".join(lines)


def commands_here(situation: Situation) -> Iterator[str]:
    """Yield what to do on this node."""
    if not situation.is_written:
        yield command(situation, situation.node, situation.peers)
        return
    yield "kacheck watch --check-config"
    if not situation.has_systemd:
        yield "kacheck watch    # let whatever starts your services start it, before keepalived"
        yield "kacheck status --wait"
        yield "keepalived"
        return
    verb = "reload" if situation.is_watcher_running else "enable --now"
    yield f"systemctl {verb} kacheck"
    yield "kacheck status --wait"
    verb = "restart" if situation.is_keepalived_running else "enable --now"
    yield f"systemctl {verb} keepalived"
    yield "kacheck doctor"


def commands_there(situation: Situation) -> Iterator[str]:
    """Yield what to do on each of the other nodes."""
    free = (number for number in range(1, 6) if number != situation.node)
    if not situation.peers:
        yield command(situation, next(free), ())
        yield f"# and so on, with --node {next(free)} on a third one"
        return
    everyone = [each for each in (situation.own, *situation.peers) if each]
    for number, peer in zip(free, situation.peers, strict=False):
        rest = tuple(each for each in everyone if each != peer)
        yield f"{command(situation, number, rest)}    # on {peer}"


def command(situation: Situation, node: int, peers: tuple[str, ...]) -> str:
    """Return the command that writes a node's configuration."""
    words = ["kacheck", "init", "--vip", situation.vip, "--node", str(node), *situation.given]
    words += [word for peer in peers for word in ("--peer", peer)]
    return shlex.join([*words, "--write", *(("--", *situation.argv) if situation.argv else ())])
