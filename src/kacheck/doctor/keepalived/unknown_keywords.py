"""KA019 and KA020: keywords that keepalived does not know, in all of its blocks."""

import difflib
from collections.abc import Iterator
from functools import lru_cache

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.keepalived.problems import OUTERMOST
from kacheck.keepalived import Kind, Node
from kacheck.keepalived.keywords import KEYWORDS, known_since
from kacheck.keepalived.missing_braces import unread
from kacheck.keepalived.version import Version

DECISIVE = {
    "track_script", "track_process", "track_file", "track_interface", "track_bfd", "script",
    "process", "file", "vrrp_instance", "vrrp_sync_group", "vrrp_script", "vrrp_track_process",
    "vrrp_track_file", "interface", "virtual_router_id", "virtual_ipaddress", "group",
}  # fmt: skip
"""Without them something runs untracked, or does not exist."""
NEVER_FAULT = "is not tracked, and the VIP stays whatever fails"
WEIGHT = "weight stays 0, so a failure means FAULT"
EFFECTS = {
    ("vrrp_script", "script"): "the vrrp_script has no command and is removed",
    ("vrrp_script", "interval"): "interval stays 1 s",
    ("vrrp_script", "timeout"): "a run may take a whole interval",
    ("vrrp_script", "weight"): WEIGHT,
    ("vrrp_script", "rise"): "rise stays 1, so one success is enough",
    ("vrrp_script", "fall"): "fall stays 1, so one failure is enough",
    ("vrrp_script", "user"): "the script runs as the default user",
    ("vrrp_script", "init_fail"): "the script does not count as failed before its first result",
    ("vrrp_track_process", "process"): "the block names no process and is removed",
    ("vrrp_track_process", "weight"): WEIGHT,
    ("vrrp_track_process", "quorum"): "quorum stays 1",
    ("vrrp_track_process", "quorum_max"): "there is no quorum_max",
    ("vrrp_track_process", "delay"): "there is no delay",
    ("vrrp_track_process", "fork_delay"): "there is no fork_delay",
    ("vrrp_track_process", "terminate_delay"): "there is no terminate_delay",
    ("vrrp_track_process", "full_command"): "the name is compared with the comm",
    ("vrrp_track_process", "param_match"): "the arguments are compared exactly, if there are any",
    ("track_file", "file"): "the block names no file and is removed",
    ("track_file", "weight"): "weight stays 1: number times 1 is added to the priority",
    ("track_file", "init_file"): "keepalived does not create the file",
    ("vrrp_instance", "state"): "state stays BACKUP",
    ("vrrp_instance", "interface"): "the instance has no interface, and does not run",
    ("vrrp_instance", "virtual_router_id"): "the instance has no id, and does not run",
    ("vrrp_instance", "priority"): "priority stays 100",
    ("vrrp_instance", "advert_int"): "advert_int stays 1 s",
    ("vrrp_instance", "virtual_ipaddress"): "the instance has no VIP",
    ("vrrp_instance", "nopreempt"): "the node takes the VIP back from a lower priority",
    ("vrrp_instance", "preempt_delay"): "the node preempts at once",
    ("vrrp_instance", "unicast_peer"): "adverts are multicast, which clouds do not carry",
    ("vrrp_instance", "unicast_src_ip"): "adverts come from the interface's first address",
    ("vrrp_instance", "version"): "the instance speaks VRRPv2, unless global_defs says otherwise",
    ("vrrp_sync_group", "group"): "the group has no members",
    ("authentication", "auth_pass"): "adverts carry no password",
    **{(owner, f"track_{kind}"): f"what is in it {NEVER_FAULT}"
       for owner in ("vrrp_instance", "vrrp_sync_group")
       for kind in ("script", "process", "file", "interface", "bfd")},
    **{("", block): "the block does not exist, and what refers to it is ignored"
       for block in ("vrrp_script", "vrrp_track_process", "track_file", "vrrp_track_file")},
    ("", "vrrp_instance"): "the instance does not exist",
    ("", "vrrp_sync_group"): "the group does not exist",
    ("", "global_defs"): "none of its settings holds, script_user among them",
}  # fmt: skip
"""What is so where a keyword is not read, by block and the keyword that was meant."""


def _unknown(
    context: Context, *, decisive: bool
) -> Iterator[tuple[Node, str, str | None, Version | None]]:
    """Yield each unknown statement, its block, the keyword that is nearest, and its first release.

    `decisive` selects those that leave something untracked or out.
    """
    skipped = {id(node) for node in unread(context.configuration.root)}
    stack: list[tuple[Node, str]] = [(context.configuration.root, "")]
    while stack:
        parent, block = stack.pop()
        for node in parent.children or ():
            word = node.keyword
            if id(node) in skipped or node.kind is not Kind.STATEMENT or not word:
                continue
            is_misplaced = bool(block) and word in OUTERMOST and node.children is not None
            if "$" in word or "~" in word or "\ufeff" in word or is_misplaced:
                continue  # KA003, KA006 or unknown here
            since = known_since(block, word)
            is_new = since is not None and context.release is not None and context.release < since
            if word in KEYWORDS[block] and not is_new:
                if word in KEYWORDS and (not block or word not in KEYWORDS[""]):
                    stack.append((node, word))  # an instance's track_file has names, not keywords
                continue
            if is_new and (word in ("track_file", "use_symlink_paths") or block == "track_file"):
                continue  # KA150
            meant = word if is_new else nearest(word, block)
            if (meant in DECISIVE) == decisive:
                yield node, block, meant, since if is_new else None


@lru_cache
def nearest(word: str, block: str) -> str | None:
    """Return the keyword of a block that was most probably meant."""
    close = difflib.get_close_matches(word.lower(), sorted(KEYWORDS[block]), 1, 0.6)
    if close:
        return close[0]
    return next((each for each in sorted(KEYWORDS[block]) if each in word or word in each), None)


def _observations(context: Context, *, decisive: bool) -> Iterator[Observation]:
    for node, block, meant, since in _unknown(context, decisive=decisive):
        what = f"keepalived does not know {node.keyword}"
        what += f" in {block}" if block else " outside of all blocks"
        same = block.replace("vrrp_track_file", "track_file")
        effect = EFFECTS.get((same, meant or ""))
        what += f": {effect}" if effect else ", and ignores it"
        why = "keepalived reports a keyword that it does not know, and continues without it"
        cure = f"write {meant}, if that was meant" if meant else "remove the line"
        if since is not None:
            why = f"{node.keyword} came with keepalived {since}"
            cure = f"upgrade keepalived to {since} or later, or remove the line"
        elif meant is None and (others := _blocks_of(node.keyword)):
            cure = f"remove the line; {node.keyword} is a keyword of {others}"
        yield at(node, what, why, cure)


def _blocks_of(word: str) -> str:
    return ", ".join(sorted(block for block, words in KEYWORDS.items() if block and word in words))


@finding(
    "KA019",
    Severity.WARNING,
    "a keyword that keepalived does not know",
    """\
keepalived logs "Unknown keyword" with the line and ignores it: the setting keeps its default. The
finding names the most similar keyword of this block, and what applies without it. Each release is
judged by its own keywords.

See it: keepalived -t -f FILE.
Do: write the keyword that was meant, or remove the line.""",
)
def unknown_keyword(context: Context) -> Iterator[Observation]:
    """Find keywords that keepalived does not know, where a default applies instead."""
    yield from _observations(context, decisive=False)


@finding(
    "KA020",
    Severity.ERROR,
    "an unknown keyword that leaves something untracked or undefined",
    """\
This is KA019 for a keyword that decides whether something is tracked or exists at all, such as
track_script, script, vrrp_instance or virtual_ipaddress. keepalived ignores the line, or the whole
block, and the VIP stays whatever fails.

See it: keepalived -t -f FILE.
Do: write the keyword that was meant.""",
)
def unknown_decisive_keyword(context: Context) -> Iterator[Observation]:
    """Find unknown keywords that leave something untracked or undefined."""
    yield from _observations(context, decisive=True)
