"""`enable_script_security`, where the first scripts of a configuration are ours.

Without it keepalived -t calls any script a violation, and exits with 6. Where there are other
scripts it does so already, and to switch it on could take one of them out of use.
"""

from kacheck.keepalived import Configuration, Kind, Node
from kacheck.migrate.comments import has_comment
from kacheck.migrate.conditional_lines import NO_WORD, text_of

WORD = "enable_script_security"
SCRIPTS = ("vrrp_script", "startup_script", "shutdown_script", "MISC_CHECK")
NO_SCRIPTS = ("notify_fifo", "notify_priority_changes")
SCRIPT_STARTS = ("notify", "quorum_up", "quorum_down")


def secure(configuration: Configuration) -> Node | None:
    """Add it if it is needed; the statement that it was added to or before."""
    words = [node.keyword for node in configuration.root.walk()]
    for node in configuration.written():
        if node.kind in (Kind.OTHER_ID, Kind.DEFINITION):  # another node's scripts
            words += NO_WORD.split(text_of(node))
    if any(word == WORD or runs_script(word) for word in words):
        return None
    tops = configuration.root.children or []
    for node in configuration.find("global_defs"):
        source = node.source
        if (
            source is not None
            and source.tree is not None
            and node.is_literal
            and not node.condition
        ):
            source.tree.append(source, WORD)
            return node
    main = next(iter(configuration.files.values()))
    first = next(iter(main.root.children or ()), None)
    if first is None or first.tree is None:
        return None
    text = f"global_defs {{\n    {WORD}\n}}\n\n"
    first.tree.insert_before(first, text, comment=has_comment(first))
    return tops[0]


def runs_script(word: str) -> bool:
    """Return whether it is the keyword of a statement that names a script."""
    starts = word.startswith(SCRIPT_STARTS) and word not in NO_SCRIPTS
    return starts or word in SCRIPTS or word.endswith("_fifo_script")
