r"""keepalived.conf: read as keepalived reads it, changed without touching anything else.

    configuration = load("/etc/keepalived/keepalived.conf", config_id="node1",
                         release=Version(2, 4, 0))          # never raises

What that release sees: includes followed, `$NAME`, `@id` and `~SEQ` evaluated, for the doctor.
Without `release` it is `DEFAULT`; rules.py has the differences.

    for script in configuration.find("vrrp_script"):        # nodes, in keepalived's order
        script.keyword, script.arguments                    # "vrrp_script", ["chk"]: values
        script.position                                     # Position(file, line, column), from 1
        for statement in script.find("script"):
            statement.words[1].value                        # keepalived's alloc_strvec()
            statement.command                               # the command that is executed, cut
                                                            # twice; None: not readable
    for node in configuration.root.walk(): ...              # every statement, depth first
    configuration.problems       # Problem(position, message, kind): what keepalived rejects
    configuration.unevaluated    # the same shape: what cannot be known, and is left unchanged

The files as they stand, for migrate: `configuration.files` maps a path to its `Tree` (the main file
first), whose nodes also show definitions, includes, and lines of other `@id`s (`node.kind`).

    node.source                  # a seen node's node in its file; None where $NAME, ~SEQ made it
    node.is_literal              # one file contains it and all below as keepalived sees them,
                                 # with no line for another @id between
    node.source.condition        # "id" or "^id" where the line begins with @id; else None
    tree = node.source.tree
    tree.insert_before(node.source, 'vrrp_script x {\n    script "/bin/x"\n}\n')
    tree.insert_after(node.source, "...")
    tree.remove(node.source, comment=True)       # and the comment lines directly above it
    tree.replace(node.source, "track_script {\n    x\n}\n")
    tree.append(block, "x weight 5")             # a statement at the end of a block
    tree.replace_word(node.source.words[1], quote("new name"))
    tree.text()                                  # with the edits; parse() it to go on from there
    configuration.changed()                      # {path: new bytes} of the files that were edited

`parse(text_or_bytes, name)` makes the `Tree` of one text. Text that is inserted is written
without indentation and with `\n`: it gets the neighbours' indentation and the file's line end.
Nodes keep their identity while edits gather; positions stay those of the text that was read.
An edit inside of what is removed or replaced already, or the reverse, raises `EditError`.
"""

from kacheck.keepalived.configuration import Configuration, load
from kacheck.keepalived.edit import EditError
from kacheck.keepalived.lexer import quote
from kacheck.keepalived.pieces import Kind
from kacheck.keepalived.rules import DEFAULT
from kacheck.keepalived.source import Position, Problem, ProblemKind, Word
from kacheck.keepalived.syntax import Node, Tree, parse
from kacheck.keepalived.version import Version

__all__ = [
    "DEFAULT",
    "Configuration",
    "EditError",
    "Kind",
    "Node",
    "Position",
    "Problem",
    "ProblemKind",
    "Tree",
    "Version",
    "Word",
    "load",
    "parse",
    "quote",
]
