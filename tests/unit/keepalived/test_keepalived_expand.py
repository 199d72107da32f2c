"""What keepalived sees: definitions, conditions, ~SEQ and ~LST; and a real keepalived agrees."""

import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.needs import needs
from helpers.read_back import installed, keepalived_events, our_events
from kacheck.keepalived import DEFAULT, Configuration, Node, Version, load


@pytest.fixture
def configure(tmp_path: pathlib.Path) -> "Configure":
    return Configure(tmp_path)


class Configure:
    """Load a text as a file."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.path = directory / "keepalived.conf"

    def __call__(self, text: str, release: Version = DEFAULT) -> Configuration:
        self.path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return load(str(self.path), config_id="node1", release=release)


def values(node: Node) -> list[object]:
    found: list[object] = []
    for child in node.children or ():
        found.append(" ".join(word.value for word in child.words))
        if child.children is not None:
            found.append(values(child))
    return found


SEEN: dict[str, tuple[str, list[object]]] = {
    "its own id": ("@node1 a b\n@node2 c\n@^node1 d\n@^node2 e f", ["a b", "e f"]),
    "an id is compared whole": ("@node a\n@node11 b\n@Node1 c", []),
    "an id alone": ("@node1\n@\n@^\na", ["a"]),
    "@! is a comment behind @": ("@!node1 a\nb", ["b"]),
    "only one condition": ("@node1 @node1 a", ["@node1 a"]),
    "a condition takes its braces with it": ("@node2 a {\nb\n@node2 }", ["b"]),
    "a condition behind a brace": ("a { @node2 b }\nc", ["a", ["c"]]),
    "a definition": ("$A=b c\nx $A\n$A", ["x b c", "b c"]),
    "in braces anywhere": ("$A=1\nx${A}y ${A}${A}", ["x1y 11"]),
    "without them, only before a blank, a comma, ) or the end": ('$A=1\na $A,$A) $A/24 $A" b" $A', ["a 1,1) $A/24 $A  b 1"]),
    "in quotes": ('$A=b c\nx "$A d ${A}"', ["x b c d b c"]),
    "of a value in quotes": ('$A="b c"\nx $A', ["x b c"]),
    "one that is not there": ("a $B ${B}\n$B=1", ["a $B $", ["B"]]),
    "a definition of a definition": ("$A=${B}2\n$B=1\nx $A", ["x 12"]),
    "one that is set again": ("$A=1\nx $A\n$A=2\nx $A", ["x 1", "x 2"]),
    "an empty one": ("$A=\nx${A}y $A z", ["xy z"]),
    "no space before the =": ("$A =1\nx", ["$A =1", "x"]),
    "a comment in a definition's line": ("$A=1 # c\nx $A", ["x 1"]),
    "a comment in its value, when it is used": ("$A=1 \\! c\n$B=2\nx $A y", ["x 1 y"]),
    "one for an id": ("@node1 $A=1\n@node2 $A=2\nx $A", ["x 1"]),
    "braces in one": ("$A=b { c\nx $A }\nd", ["x b", ["c"], "d"]),
    "of several lines": ("$A=x \\\n  y {\\\nz \\\n}\n$A\nq", ["x", "y", ["z"], "q"]),
    "of several lines in the middle of a line": ("$A=x \\\ny\nb $A c\nd $A", ["b $A c", "d x", "y"]),
    "a comment ends one of several lines": ("$A=x \\\n# c\ny\n$A", ["y", "x"]),
    "a comment that goes on does not": ("$A=x \\\n# c \\\ny\n$A", ["x", "y"]),
    "several lines in several lines": ("$A=a1 \\\na2\n$B=b1 \\\n$A \\\nb2\n$B\nc", ["b1", "a1", "a2", "b2", "c"]),
    "of nothing": ("$A=\\\n\n$A b", ["b"]),
    "the names that are always there": ('a ${_INSTANCE} $_BANG "${_HASH}"', ["a node1"]),
    "a number from 1": ("~SEQ(N, 3) a$N ${N}", ["a1 1", "a2 2", "a3 3"]),
    "from, to": ("~SEQ(N, 2, 4) a $N", ["a 2", "a 3", "a 4"]),
    "from, step, to": ("~SEQ(N, 10, -4, 1) a $N", ["a 10", "a 6", "a 2"]),
    "down to 0": ("~SEQ(N, 0) a $N", ["a 1", "a 0"]),
    "below 0": ("~SEQ(N, -2) a $N", ["a -1", "a -2"]),
    "in hexadecimal": ("~SEQx(N, 9, 0xb) a $N", ["a 9", "a a", "a b"]),
    "in octal": ("~SEQ(N, 010, 010) a $N", ["a 8"]),
    "to a definition": ("$E=2\n~SEQ(N, $E) a $N", ["a 1", "a 2"]),
    "sequences in sequences": ("~SEQ(N, 2) ~SEQ(M, 2) a $N $M", ["a 1 1", "a 1 2", "a 2 1", "a 2 2"]),
    "of definitions of several lines": ("$B=x$N {\\\ny ${N} \\\n}\n~SEQ(N, 2) $B", ["x1", ["y 1"], "x2", ["y 2"]]),
    "a sequence within them": ("$B=x { \\\n~SEQ(N, 2) y $N \\\n}\n$B", ["x", ["y 1", "y 2"]]),
    "a block on each turn": ("~SEQ(N, 2) a $N { b }", ["a 1", ["b"], "a 2", ["b"]]),
    "a list": ("~LST(A, b, c) x $A", ["x b", "x c"]),
    "a list of several": ("~LST({A, B}, {b, c}, {d}) x $A $B", ["x b c", "x d "[:-1]]),
    "no such thing": ("~FOO(1) a", ["~FOO(1) a"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SEEN.values(), ids=SEEN)
def test_a_text_is_seen_as_keepalived_sees_it(
    configure: Configure, text: str, expected: list[object]
) -> None:
    assert values(configure(text).root) == expected


def test_pwd_is_the_directory_of_the_file(configure: Configure) -> None:
    assert values(configure("a ${_PWD}").root) == [f"a {configure.path.parent.resolve()}"]


def test_a_definitions_text_has_the_position_of_its_use(configure: Configure) -> None:
    configuration = configure('$A=b c\n$M=m \\\nn\nx ${A}d "e" $A\n  $M\n')
    x, _, n = configuration.root.children or []
    assert [(word.value, word.raw, word.position.column) for word in x.words] == [
        ("x", "x", 1),
        ("b", "${A}", 3),
        ("cd", "${A}d", 3),
        ("e", '"e"', 9),
        ("b", "$A", 13),
        ("c", "$A", 13),
    ]
    assert (n.position.line, n.position.column) == (5, 3)
    assert x.source is None
    assert not x.is_literal


PROBLEMS = {
    "a ~SEQ without an end": ("~SEQ(N, 2\na", "1:1 definition keepalived rejects this ~SEQ"),
    "without a number": ("~SEQ(N) a", "1:1 definition keepalived rejects this ~SEQ"),
    "with a step of 0": ("~SEQ(N, 1, 0, 2) a", "1:1 definition keepalived rejects this ~SEQ"),
    "of hexadecimals below 0": ("~SEQx(N, -2) a", "1:1 definition keepalived rejects this ~SEQ"),
    "of words": ("~SEQ(N, b) a", "1:1 definition keepalived rejects this ~SEQ"),
    "a ~LST of too many": ("~LST({A,B}, {1,2,3}) a", "1:1 definition keepalived rejects this ~LST"),
    "a line that grows too long": ("$A=" + "x" * 600 + "\n $A $A", "2:2 definition longer than"),
    "an open quote from a definition": ('$A="\nb $A', "1:4 quote no closing quote"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_keepalived_rejects_is_a_problem(
    configure: Configure, text: str, expected: str
) -> None:
    problem = configure(text).problems[0]
    position = problem.position
    said = f"{position.line}:{position.column} {problem.kind} {problem.message}"
    assert said.startswith(expected)


UNEVALUATED = {
    "a random number stays": ("a $_RANDOM ${_RANDOM 1 6}", ["a $_RANDOM (_RANDOM:1:6)"], "1:3"),
    "a definition of itself ends the reading": ("a\n$A=$A\nb $A\nc", ["a", "b $A"], "3:1"),
    "so does one in a circle": ("$A=$B\n$B=$A\nb $A\nc", ["b $A"], "3:1"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "seen", "place"), UNEVALUATED.values(), ids=UNEVALUATED)
def test_what_cannot_be_known_stays_and_is_marked(
    configure: Configure, text: str, seen: list[object], place: str
) -> None:
    configuration = configure(text)
    assert values(configuration.root) == seen
    position = configuration.unevaluated[0].position
    assert f"{position.line}:{position.column}" == place


@pytest.mark.parametrize(
    "text",
    ["~SEQ(N, 1000000000) a $N\nb", "~SEQ(N, 99999) ~SEQ(M, 99999) ~SEQ(O, 99999) a", "$A=a \\\n$A\n$A",
     "$A=x$A\n" + "$A\n" * 30_000, "$A=" + "x" * 1000 + "\n" + "$A\n" * 30_000, "$A=b\n" + "${A}" * 30_000,
     "$A=a \\\n" + "b \\\n" * 500 + "\n" + "$A\n" * 30_000, "{" * 100_000, "a {\n" * 50_000 + "}\n" * 50_000,
     "include x\n" * 30_000, "@node1 a\n" * 30_000, "~LST(A," + "b," * 400 + "c) ~LST(B," + "b," * 90 + "c) x\n" * 99],
    ids=lambda text: repr(text[:16]),
)  # fmt: skip
@pytest.mark.no_cover
def test_no_text_takes_long(configure: Configure, text: str) -> None:
    configure(text)  # pytest's own timeout is far above what it takes, and far below forever


ATOMS = [
    "{", "}", "{ ", " }", " ", " ", "\t", "\n", "\n", "\n", " \\\n", "\\", "#", "!", '"a b"', "@node1 ", "@^node1 ",
    "@node2 ", "@", "$A", "${A}", "$A=", "$B=", "\n$A=x \\\n y \\\n z\n", "$B ", "${B}", "~SEQ(N,2) ", "~SEQ(N, 3, -1) ",
    "~LST(A,p,q) ", "~LST({A,B},{1,2},{3}) ", "$N", "${N}", "foo", "bar", "baz", "\r", "\f", "'", "  ", " # c\n",
    "${_INSTANCE}", "${A }", "=", ",", ")", '"', "include ", "\0",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(st.sampled_from(ATOMS), max_size=60).map("".join), st.text(max_size=100)))
def test_no_text_is_too_odd(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    configuration = Configure(tmp_path_factory.getbasetemp())(text.replace("/", "_"))
    for node in configuration.root.walk():
        assert node.position.line >= 1
        assert all(word.position.line >= 1 for word in node.words)
        if node.source is not None:
            assert [word.value for word in node.source.words] == [word.value for word in node.words]


# The same by a real keepalived: it names each unknown keyword with its line.

ODD = {
    "one-line blocks": "three { four five } six\nseven{eight{}}nine\n",
    "braces on lines of their own": "a\n\n# c\n{\nb }\nc\n",
    "comments": 'a#b\n!c\nd "e # f" # g\nh "!" ! i\n # j \\\nk\n',
    "backslashes": "a \\\nb\\ c\n\\d\nf \\\\# g\n",
    "escaped comments": 'a \\# b\nd\\!e {\nf "\\# g" h\n',
    "conditions": "@node1 a\n@node2 b\n@^node2 c\n@node2 d {\n@!e\n@ f\n@node1 @node1 g\nh { @node2 i }\nj\n",
    "definitions": '$A=1\n$B = 2\na$A\nb${A} $A/x\n$A\n"$A"\n${C}\n$B\n$A=3\n$A\n',
    "definitions of several lines": "$A=x \\\n y { \\\nz }\n$A\n$B=p \\\n# c\nq\n$B\n$C=r \\\n# d \\\ns\n$C\n$A w\n",
    "sequences": "~SEQ(N,3) s$N t${N}\n~SEQ(N,3) s${N}\n~SEQ(N,4,-2,1) t${N} { u }\n~SEQx(N,15,17) v${N}\n~SEQ(N,0,0) $N\n",
    "lists": "~LST(A,b,c) x${A}\n~LST({A,B},{1,2},{3,4}) ${A}y${B}\n",
    "a sequence of blocks": "$B=x${N} { \\\ny${N} \\\n}\n~SEQ(N, 2) $B\nz\n",
    "quotes": 'a"b c"d\n"e f" g\n"" h\n',
    "white space": "a\r\nb\r \r\n\tc\t\nd\fe\n\ff\n \v\n",
    "braces in quotes": 'a "{" b\n\'{\' c\n"}" d\n',
    "too many": "}\na }\n} b\n",
    "includes": "include inc.conf\n include \tinc.conf\ninclude {inc,none}.conf\nincludex\nincluder in?.conf\ninclude none\n",
    "definitions in includes": "$I=inc\ninclude ${I}.conf\n",
    "its built-in names": "${_INSTANCE}x\na ${_HASH} {\n",
    "bytes": "\udcff\udcfe {\né }\n",
}  # fmt: skip


@pytest.mark.keepalived
@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_a_real_keepalived_reads_the_same(configure: Configure, text: str) -> None:
    needs("keepalived", "unshare", "timeout", root=True)
    (configure.path.parent / "inc.conf").write_text("inc1\n# c\ninc2 {\n}\n")
    seen = our_events(configure("first\n" + text, installed()))
    real = keepalived_events(configure.path)
    assert [keyword for _, keyword in seen] == [keyword for _, keyword in real]
    for (line, keyword), (number, _) in zip(seen, real, strict=True):
        assert line in (None, number), keyword
