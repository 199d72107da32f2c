"""The tree of one file: nothing of it is lost, and an edit changes nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kacheck.keepalived import DEFAULT, EditError, Kind, Node, Tree, parse, quote
from kacheck.keepalived.escapes import quoted_escaped
from kacheck.keepalived.rules import rules_of

SAMPLE = """\
! the cluster's address
global_defs {
    router_id node1   # a name
    enable_script_security
}

# is it alive?
# it should be
vrrp_track_process vault {
\tprocess "/usr/bin/vault" server
\tquorum 1
}

vrrp_script chk { script "/bin/true" interval 2 }
$ROUTES= 10.0.0.0/8 \\
    10.1.0.0/16
include conf.d/*.conf
~SEQ(N, 1, 3) $INSTANCE
@node2 vrrp_instance OTHER {

vrrp_instance VI_1
{
    interface eth0;
    @node1 priority 100
    virtual_ipaddress { 10.0.0.1/24 dev eth0 }
    track_process {
        vault weight 5
    }
    notify "/usr/bin/env 'a b' \\"c\\"" root # why
}
"""


def shape(node: Node) -> list[object]:
    """Return the words, and in a separate list what is in the block."""
    found: list[object] = []
    for child in node.children or ():
        found.append(" ".join(word.raw for word in child.words))
        if child.children is not None:
            found.append(shape(child))
    return found


TEXTS: dict[str, tuple[str, list[object]]] = {
    "nothing": ("", []),
    "a comment alone": ("# a { b }\n ! c", []),
    "a statement without a line end": ("a b", ["a b"]),
    "a block": ("a b {\n c\n}\n", ["a b", ["c"]]),
    "its brace on a separate line": ("a\n\n# c\n{\n b\n}", ["a", ["b"]]),
    "a block on one line has one statement": ("a { b 1 c 2 }", ["a", ["b 1 c 2"]]),
    "blocks in it part statements": ("a { b { c } d }", ["a", ["b", ["c"], "d"]]),
    "no spaces around braces": ("a{b}c", ["a", ["b"], "c"]),
    "an empty block": ("a {}\nb {\n}", ["a", [], "b", []]),
    "a block that nothing heads": ("{ a }\n{ b }", ["", ["a"], "", ["b"]]),
    "braces in double quotes are letters": ('a "{ # !}" b', ['a "{ # !}" b']),
    "in single quotes they are braces": ("a '{' b", ["a '", ["' b"]]),
    "a comment in a word": ("a#b c", ["a"]),
    "a ! is a comment too": ("a b!c", ["a b"]),
    "a comment behind a brace": ("a { # {\n} # }\nb", ["a", [], "b"]),
    "an escaped quote ends nothing for comments, but for braces": ('a "b\\" { # c', ['a "b\\"', ["# c"]]),
    "a backslash at the end stays": ("a b \\\nc", ["a b \\", "c"]),
    "also behind a comment": ("# c \\\na", ["\\", "a"]),
    "a quote parts words": ('a"b c"d', ['a "b c" d']),
    "an empty word": ('a "" b', ['a "" b']),
    "CR LF": ("a {\r\n\tb\r\n}\r\n", ["a", ["b"]]),
    "a CR within a line parts words": ("a\rb", ["a b"]),
    "form feeds": ("a\fb\v\n", ["a b"]),
    "a NUL hides the rest of its line": ("a\0{ b\nc", ["a", "c"]),
    "what is too long goes on as another line": ("# " + "x" * 1021 + "y z\n", ["y z"]),
    "too long in bytes": ("# " + "é" * 510 + "xy z\n", ["y z"]),
    "a definition's braces are its value": ("$A={ b\nc", ["$A={ b", "c"]),
    "a definition goes on": ("$A=b \\\n{ \\\n}\nc", ["$A=b \\", "c"]),
    "until an empty line, or a comment": ("$A=b \\\n# c\nd", ["$A=b \\", "d"]),
    "an include's braces are its pattern": ("include {a,b}.conf\nc", ["include {a,b}.conf", "c"]),
    "a ~SEQ's are its text": ("~SEQ(N, 2) a {\nb", ["~SEQ(N, 2) a {", "b"]),
    "a } too many": ("}\na", ["}", "a"]),
    "a } that is missing": ("a {\nb {\nc", ["a", ["b", ["c"]]]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_a_tree_has_the_statements_and_blocks(text: str, expected: list[object]) -> None:
    assert shape(parse(text).root) == expected


@pytest.mark.parametrize(
    "text", [text for text, _ in TEXTS.values()] + [SAMPLE], ids=[*TEXTS, "sample"]
)
def test_the_text_of_a_tree_is_what_was_read(text: str) -> None:
    assert parse(text).text() == text


def test_bytes_that_are_not_utf_8_are_preserved() -> None:
    data = b'a "\xff\xfe\xc3" \xe9\n\xef\xbb\xbfb {\n'
    assert parse(data).bytes() == data


def test_every_word_knows_its_place() -> None:
    tree = parse(SAMPLE, "k.conf", "node1")
    (process,) = tree.find("vrrp_track_process", "process")
    assert [(word.value, word.raw) for word in process.words] == [
        ("process", "process"),
        ("/usr/bin/vault", '"/usr/bin/vault"'),
        ("server", "server"),
    ]
    assert [str(word.position) for word in process.words] == [
        "k.conf:10:2",
        "k.conf:10:10",
        "k.conf:10:27",
    ]
    for node in tree.root.walk():
        for word in node.words:
            assert SAMPLE[word.start : word.end] == word.raw
            line, column = word.position.line, word.position.column
            assert SAMPLE.split("\n")[line - 1][column - 1 :].startswith(word.raw)


def test_a_node_says_what_it_is() -> None:
    tree = parse(SAMPLE, "k.conf", "node1")
    kinds = [node.kind for node in tree.root.children or []]
    assert kinds == [
        Kind.STATEMENT, Kind.STATEMENT, Kind.STATEMENT, Kind.DEFINITION, Kind.INCLUDE, Kind.SEQUENCE,
        Kind.OTHER_ID, Kind.STATEMENT,
    ]  # fmt: skip
    (priority,) = tree.find("vrrp_instance", "priority")
    assert priority.condition == "node1"
    assert SAMPLE[priority.start : priority.end] == "@node1 priority 100"
    (definition,) = [node for node in tree.root.walk() if node.kind is Kind.DEFINITION]
    assert SAMPLE[definition.start : definition.end].endswith("10.1.0.0/16")


def test_a_command_is_cut_twice() -> None:
    (notify,) = parse(SAMPLE).find("vrrp_instance", "notify")
    assert notify.escaped == ["notify", "/usr/bin/env 'a b' \"c\"", "root"]
    assert notify.command == ["/usr/bin/env", "a b", "c"]
    (script,) = parse("script /bin/x -a").root.children or []
    assert script.command == ["/bin/x"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" a  b ", ["a", "b"]),
        ("""'abcd" efg h jkl "mnop'""", ['abcd" efg h jkl "mnop']),
        ("""abcd" efg h jkl "mnop""", ["abcd efg h jkl mnop"]),
        ("a\\ b 'c\\'d' \\x41\\101\\cA\\E\\q", ["a b", "c'd", "AA\x01\x1bq"]),
        ("a\\x4142", ["aB"]),
        ("'a", None),
        ('a"', None),
        ("a\\", None),
        ('"" a', ["", "a"]),
        ("a\\0b", ["a"]),
    ],
)
def test_quotes_and_escapes_of_a_command(text: str, words: list[str] | None) -> None:
    assert quoted_escaped(text, rules_of(DEFAULT)) == words


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("eth0", "eth0"),
        ("a b", '"a b"'),
        ("a#", '"a#"'),
        ("", '""'),
        ("{", '"{"'),
        ("@id", '"@id"'),
    ],
)
def test_a_value_is_written_so_that_it_is_read_again(value: str, written: str) -> None:
    assert quote(value) == written
    assert parse(f"x {written}").root.find("x")[0].arguments == [value]


@pytest.mark.parametrize("value", ['"', "a\nb", "a\0"])
def test_a_value_that_cannot_be_written_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        quote(value)


PROBLEMS = {
    "an open quote": ('\na "b', ["k:2:3 quote no closing quote"]),
    "one that was escaped": ('a "b\\"', ["k:1:3 quote no closing quote"]),
    "a } too many": ("a\n }", ["k:2:2 brace a } too many"]),
    "a } that is missing": ("a {\nb c {\n}", ["k:1:1 brace no } for a {"]),
    "an escaped #": ("a \\# b", [r"k:1:1 line \# and \! do not last: to keepalived's VRRP process a comment begins here"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "problems"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_is_wrong_is_a_problem_with_its_place(text: str, problems: list[str]) -> None:
    found = [
        f"{problem.position} {problem.kind} {problem.message}"
        for problem in parse(text, "k").problems
    ]
    assert found == problems


def test_a_comment_may_have_quotes() -> None:
    assert parse('# don\'t "do\n# it\'s " \na b # "\n! {\n').problems == []


# Edits


def only(tree: Tree, *path: str) -> Node:
    (node,) = tree.find(*path)
    return node


def test_a_block_is_removed_with_its_lines() -> None:
    tree = parse(SAMPLE)
    tree.remove(only(tree, "vrrp_track_process"))
    start, end = SAMPLE.index("vrrp_track_process"), SAMPLE.index("\nvrrp_script")
    assert tree.text() == SAMPLE[:start] + SAMPLE[end:]


def test_or_with_the_comment_above_it() -> None:
    tree = parse(SAMPLE)
    tree.remove(only(tree, "vrrp_track_process"), comment=True)
    start, end = SAMPLE.index("# is it"), SAMPLE.index("\nvrrp_script")
    assert tree.text() == SAMPLE[:start] + SAMPLE[end:]


EDITS = {
    "remove a line with its comment": ("a\nb c # d\ne\n", "remove b", "a\ne\n"),
    "remove the last line": ("a\nb", "remove b", "a\n"),
    "remove from a block of one line": ("a { b }", "remove b", "a { }"),
    "remove the block before another": ("a { b } c { d }\n", "remove a", "c { d }\n"),
    "remove the block behind another": ("a { b } c { d } # e\n", "remove c", "a { b } # e\n"),
    "remove a line of CR LF": ("a\r\nb\r\nc\r\n", "remove b", "a\r\nc\r\n"),
    "replace a block": ("x {\n  # c\n  b {\n    c\n  } # d\n}\n", "replace b", "x {\n  # c\n  N 1 {\n      M\n  } # d\n}\n"),
    "replace in a line": ("x { b }\n", "replace b", "x {\nN 1 {\n    M\n}\n}\n"),
    "insert before": ("x {\n\t# c\n\tb 1\n}\n", "before b", "x {\n\t# c\n\tN 1 {\n\t    M\n\t}\n\tb 1\n}\n"),
    "insert before in a line": ("x { b }\n", "before b", "x { \nN 1 {\n    M\n}\nb }\n"),
    "insert behind": ("b # c\nd\n", "after b", "b # c\nN 1 {\n    M\n}\nd\n"),
    "insert behind the last": ("b", "after b", "b\nN 1 {\n    M\n}\n"),
    "insert with the file's line ends": ("b\r\n", "after b", "b\r\nN 1 {\r\n    M\r\n}\r\n"),
    "append to a block": ("  b {\n     c\n  }\n", "append b", "  b {\n     c\n     N 1 {\n         M\n     }\n  }\n"),
    "append to one of tabs": ("b {\n\tc\n}\n", "append b", "b {\n\tc\n\tN 1 {\n\t    M\n\t}\n}\n"),
    "append to an empty one": (" b {\n }\n", "append b", " b {\n     N 1 {\n         M\n     }\n }\n"),
    "append to one of a line": ("b { c }\n", "append b", "b { c \n    N 1 {\n        M\n    }\n}\n"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "edit", "expected"), EDITS.values(), ids=EDITS)
def test_an_edit_keeps_all_else(text: str, edit: str, expected: str) -> None:
    tree = parse(text)
    how, keyword = edit.split()
    node = next(node for node in tree.root.walk() if node.keyword == keyword)
    new = "N 1 {\n    M\n}\n"
    if how == "remove":
        tree.remove(node)
    elif how == "append":
        tree.append(node, new)
    else:
        {"replace": tree.replace, "before": tree.insert_before, "after": tree.insert_after}[how](
            node, new
        )
    assert tree.text() == expected
    assert not parse(tree.text()).problems


def test_edits_of_one_place_keep_their_order() -> None:
    tree = parse("a { b }\nc\n")
    a, c = tree.find("a")[0], tree.find("c")[0]
    tree.remove(c)
    for number in "12":
        tree.append(a, f"x{number}")
        tree.insert_before(c, f"y{number}")
        tree.append(tree.root, f"z{number}")
    tree.replace_word(a.words[0], "new")
    assert tree.text() == "new { b \n    x1\n    x2\n}\ny1\ny2\nz1\nz2\n"


def test_two_edits_of_one_place_are_refused() -> None:
    tree = parse("a {\n b\n}\n")
    tree.remove(only(tree, "a", "b"))
    with pytest.raises(EditError, match="1:1"):
        tree.remove(only(tree, "a"))
    with pytest.raises(EditError, match="2:2"):
        tree.replace_word(only(tree, "a", "b").words[0], "c")


def test_a_block_without_its_end_takes_nothing() -> None:
    tree = parse("a {\n")
    with pytest.raises(EditError, match="no closing brace"):
        tree.append(only(tree, "a"), "b")


# Any input

ATOMS = st.sampled_from(
    ["{", "}", " ", "\t", "\n", "\r\n", "\\", "\\\n", "#", "!", '"', '"a b"', "'", "@id ", "@^id ", "$A", "${A}", "$A=",
     "~SEQ(N, 3) ", "~LST(A, b, c) ", "include ", "vrrp_script", "x", "\0", "\f", "é", "\udcff", ",", "(", ")"]
)  # fmt: skip
TEXT = st.one_of(st.lists(ATOMS, max_size=60).map("".join), st.text(max_size=200))


def check(text: str) -> None:
    """Check what holds for every text."""
    tree = parse(text, config_id="id")
    assert tree.text() == text
    end = 0
    for node in tree.root.walk():
        assert 0 <= node.start <= node.end <= len(text)
        assert node.line.at[0] >= end
        end = node.line.at[0]
        for word in node.words:
            assert text[word.start : word.end] == word.raw
    for problem in tree.problems:
        assert problem.position.line >= 1


@pytest.mark.no_cover
@settings(max_examples=400, deadline=None)
@given(TEXT)
def test_no_text_is_too_odd(text: str) -> None:
    check(text)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_are_lost(data: bytes) -> None:
    assert parse(data).bytes() == data


@pytest.mark.no_cover
@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255), st.integers(0, 3))
def test_a_sample_with_another_byte_is_still_read(place: int, byte: int, length: int) -> None:
    data = SAMPLE.encode()
    changed = data[:place] + bytes([byte]) + data[place + length :]
    assert parse(changed).bytes() == changed
    check(changed.decode("utf-8", "surrogateescape"))


@settings(max_examples=200, deadline=None)
@given(TEXT, st.data())
def test_an_edit_of_any_text_changes_only_its_place(text: str, data: st.DataObject) -> None:
    tree = parse(text)
    nodes = list(tree.root.walk())
    if not nodes:
        return
    node = data.draw(st.sampled_from(nodes))
    data.draw(
        st.sampled_from(
            [
                tree.remove,
                lambda node: tree.insert_before(node, "new"),
                lambda node: tree.replace(node, "new"),
            ]
        )
    )(node)
    start = text.rfind("\n", 0, node.start) + 1
    assert tree.text().startswith(text[:start])
    behind = text.find("\n", node.end)
    assert tree.text().endswith(text[behind + 1 :] if behind >= 0 else "")


@pytest.mark.parametrize(
    "text",
    ["{" * 100_000, "}" * 100_000, "a {\n" * 100_000, "a{b}" * 50_000, '"' * 300_000, "\\" * 300_000, "x" * 1_000_000,
     "\n" * 100_000, " " * 1_000_000, "\f" * 1_000_000, "#\\\n" * 50_000, "$A=b \\\n" * 50_000],
    ids=lambda text: repr(text[:8]),
)  # fmt: skip
@pytest.mark.no_cover
def test_depth_and_length_take_no_time(text: str) -> None:
    tree = parse(text)
    assert tree.text() == text
    assert sum(1 for _ in tree.root.walk()) <= len(text)
