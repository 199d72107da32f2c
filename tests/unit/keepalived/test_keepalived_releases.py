"""Releases of keepalived read the same text differently; each row states what they see.

The installed keepalived confirms its own row. The others were run against 2.0.20, 2.1.5, 2.2.1,
2.2.7, 2.3.1, 2.3.4, 2.4.0 and 2.4.3 built from source.
"""

import pathlib

import pytest

from helpers.needs import needs
from helpers.read_back import NOTICE, ask, installed, keepalived_events, our_events
from kacheck.keepalived import Configuration, ProblemKind, Version, load
from kacheck.keepalived.version import version_of

RELEASES = [
    version_of(text)
    for text in (
        *("2.0.20", "2.1.0", "2.1.4", "2.1.5", "2.2.0", "2.2.1", "2.2.7", "2.2.8"),
        *("2.3.1", "2.3.2", "2.3.4", "2.4.0", "2.4.3"),
    )
]
LONG = "# " + "x" * 1021
SEEN: dict[str, tuple[str, dict[str, str | None]]] = {
    "a comment that ends in a backslash": ("a # c:\\\nb", {"2.0.20": "a\\ b", "2.4.0": "a b"}),
    "a line that is such a comment": ("# c \\\nb", {"2.0.20": "\\ b", "2.4.0": "b"}),
    "a backslash without a comment": ("a \\\nb", {"2.0.20": "a\\ b"}),
    "a comment that ends in two backslashes": ("a # c:\\\\\nb", {"2.0.20": "a b"}),
    "a comment within a definition of several lines": ("$A=x \\\n# c\ny\n$A", {"2.0.20": "y x", "2.1.4": "x y", "2.2.0": "y x"}),
    "one that ends in a backslash": ("$A=x \\\n# c \\\ny\n$A", {"2.0.20": "x y", "2.4.0": "y x"}),
    "a line of blanks there": ("$A=x \\\n \ny\n$A", {"2.0.20": "y x", "2.1.4": "x y", "2.2.0": "y x"}),
    "an empty line there": ("$A=x \\\n\ny\n$A", {"2.0.20": "y x"}),
    "an escaped #": ("a\\#b", {"2.0.20": "a#b", "2.2.0": "a"}),
    "an escaped ! in quotes": ('"a\\!b"', {"2.0.20": "a\\!b"}),
    "a carriage return before a comment": ("$A=x \\\ny\nb$A \r # c", {"2.0.20": "b$A", "2.2.0": "bx y"}),
    "a NUL": ("a\0{ b\nc", {"2.0.20": "a c", "2.4.0": "c"}),
    "a NUL in a last line without an end": ("a\nb\0c", {"2.0.20": "a b"}),
    "a long comment": (LONG + "y z\nb", {"2.0.20": "y b"}),
    "a long statement": ("a " + "x" * 1021 + "y z\nb", {"2.0.20": "a y b", "2.4.0": "y b"}),
    "1022 bytes": ("a" * 1022 + "\nb", {"2.0.20": "a" * 1022 + " b"}),
    "1023 bytes": ("a" * 1023 + "\nb", {"2.0.20": "a" * 1023 + " b", "2.4.0": "b"}),
    "a definition of them": ("$A=" + "x" * 1019 + "\\\ny\n$A", {"2.0.20": "y " + "x" * 1019, "2.4.0": "y $A"}),
    "a condition from a definition": ("$A=@node1 b c d\n$A", {"2.0.20": None, "2.2.8": "b", "2.4.0": "@node1"}),
    "a sequence from one": ("$A=~SEQ(N, 2) b$N\n$A", {"2.0.20": "b1 b2", "2.4.0": "~SEQ(N,"}),
    "a list from one": ("$A=~LST(N, p, q) b$N\n$A", {"2.0.20": "~LST(N,", "2.1.0": "bp bq", "2.4.0": "~LST(N,"}),
    "a definition from one": ("$A=$B=5\n$A\nb$B", {"2.0.20": "b5", "2.4.0": "$B=5 b$B"}),
    "a reference from one": ("$A=b$B\n$B=5\n$A", {"2.0.20": "b5"}),
    "an include from one": ("$A=include inc.conf\n$A", {"2.0.20": "inc1 inc2 { }", "2.2.0": None}),
    "the environment": ("b${_ENV PROBE}c\nd", {"2.0.20": "b$ { _ENV } c d", "2.4.0": "b(_ENV:PROBE)c d"}),
    "a parameter of another definition": ("$A=1\nb${A c}\nd${A }e\nf${A 2}", {
        "2.0.20": "b$ { A } d1 } e f$ { A }",
    }),
    "a tab behind a name": ("$A=1\nb${A\t}c", {"2.0.20": "b$ { A } c", "2.4.0": "b1 } c"}),
    "a comma behind a name": ("$A=1\nb$A,c\nd$A) e", {"2.0.20": "b$A,c d$A)", "2.1.0": "b1,c d1)"}),
    "a number": ("~SEQ(N, 2) b$N", {"2.0.20": "b1 b2"}),
    "with a block": ("~SEQ(N, 2) b$N { c }\nd", {"2.0.20": "{ c } b1 b2 d", "2.1.0": "b1 { c } b2 { c } d"}),
    "in braces": ("~SEQ(N, 2) b${N}", {"2.0.20": "{ N } b$ b$", "2.1.0": "b1 b2"}),
    "to a definition": ("$E=2\n~SEQ(N, $E) b$N", {"2.0.20": None, "2.1.0": "b1 b2"}),
    "in hexadecimal": ("~SEQx(N, 9, 10) b$N", {"2.0.20": None, "2.1.0": "b9 ba"}),
    "of a name in braces": ("~SEQ({N, 2) b", {"2.0.20": None, "2.1.0": "b b", "2.4.0": None}),
    "a list": ("~LST(N, p, q) b$N", {"2.0.20": "~LST(N,", "2.1.0": "bp bq"}),
    "signs": ("b${_HASH}c\nd${_BANG}e", {"2.0.20": "b$ { _HASH } c d$ { _BANG } e", "2.1.4": "b d"}),
    "a comment from a definition": ('$A="#"\nb$A c\n', {"2.0.20": "b"}),
    "includer": ("includer inc.conf", {"2.0.20": "includer", "2.2.0": "inc1 inc2 { }"}),
    "an include in quotes": ('include "inc.conf"', {"2.0.20": "inc1 inc2 { }", "2.1.4": ""}),
    "an include of two files": ("include inc.conf inc.conf", {"2.0.20": "include", "2.1.4": ""}),
    "an include behind a condition": ("@node1 include inc.conf\nb", {"2.0.20": "inc1 inc2 { } b", "2.2.0": None}),
    "an include within a definition": ("$A=b \\\ninclude inc.conf\n$A", {"2.0.20": "b inc1 inc2 { }", "2.2.0": None}),
    "a list of too few": ("~LST({A, B}, {p}) b$A", {"2.0.20": "~LST( { A, } , { p } )", "2.1.0": None, "2.2.0": "bp"}),
    "no variable": ("b${_ENV}", {"2.0.20": "b$ { _ENV }", "2.4.0": None}),
}  # fmt: skip
"""A text, and by the first release that reads it so: the keywords and braces of its statements.

None: keepalived rejects it, crashes, or its processes read different things.
"""


Table = dict[str, tuple[str, dict[str, str | None]]]


def rows(table: Table) -> list[object]:
    """Return a row for each text and release."""
    return [
        pytest.param(text, release, of_release(by_release, release), id=f"{name}-{release}")
        for name, (text, by_release) in table.items()
        for release in RELEASES
    ]


def of_release(by_release: dict[str, str | None], release: Version) -> str | None:
    """Return what a release sees."""
    return by_release[max((v for v in by_release if version_of(v) <= release), key=version_of)]


@pytest.fixture
def write(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "inc.conf").write_text("inc1\ninc2 {\n}\n")
    return tmp_path / "keepalived.conf"


def read(path: pathlib.Path, text: str, release: Version) -> Configuration:
    path.write_bytes(f"first\n{text}".encode("utf-8", "surrogateescape"))
    return load(str(path), config_id="node1", release=release)


def keywords(configuration: Configuration) -> str:
    return " ".join(keyword for _, keyword in our_events(configuration)[1:])


@pytest.mark.parametrize(("text", "release", "expected"), rows(SEEN))
def test_a_text_is_seen_as_the_release_sees_it(
    write: pathlib.Path, text: str, release: Version, expected: str | None
) -> None:
    configuration = read(write, text, release)
    if expected is None:
        kinds = {problem.kind for problem in configuration.problems}
        assert kinds & {ProblemKind.DEFINITION, ProblemKind.INCLUDE}
    else:
        assert keywords(configuration) == expected


@pytest.mark.keepalived
@pytest.mark.parametrize(("text", "by_release"), SEEN.values(), ids=SEEN)
def test_the_installed_keepalived_reads_its_row(
    write: pathlib.Path, text: str, by_release: dict[str, str | None]
) -> None:
    needs("keepalived", "unshare", "timeout", root=True)
    expected = of_release(by_release, installed())
    configuration = read(write, text, installed())
    run = ask(write)

    if expected is not None:
        assert " ".join(keyword for _, keyword in keepalived_events(write)[1:]) == expected
    elif run.returncode in (0, 4, 5) and all(map(NOTICE.match, run.stderr.splitlines())):
        assert keepalived_events(write) != our_events(configuration)


COMMANDS: dict[str, tuple[str, dict[str, str | None]]] = {
    "an escape": ('"{}/\\x41"', {"2.0.20": "A"}),
    "many hex digits": ('"{}/\\x4142"', {"2.0.20": "B", "2.3.2": "A42"}),
    "an escaped escape": ('"{}/\\\\x41"', {"2.0.20": "A", "2.3.2": "\\x41"}),
    "an escaped quote": ('"{}/a\\\\\\"b"', {"2.0.20": 'a"b', "2.3.2": 'a\\"b'}),
    "a blank": ('"{}/a\\\\ b"', {"2.0.20": "a b", "2.3.2": "a\\"}),
    "single quotes": ("'{}/a b'", {"2.0.20": "a"}),
}
"""A command in a directory, and by the first release that does so: the file that it runs."""


@pytest.mark.parametrize("release", RELEASES, ids=str)
@pytest.mark.parametrize(("command", "by_release"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_is_unescaped_as_the_release_does(
    write: pathlib.Path, command: str, by_release: dict[str, str | None], release: Version
) -> None:
    text = f"vrrp_script chk {{\nscript {command.format('/x')}\n}}\n"
    (script,) = read(write, text, release).find("vrrp_script", "script")

    assert script.command is not None
    assert script.command[0] == f"/x/{of_release(by_release, release)}"


@pytest.mark.keepalived
@pytest.mark.parametrize(("command", "by_release"), COMMANDS.values(), ids=COMMANDS)
def test_the_installed_keepalived_finds_the_command_of_its_row(
    write: pathlib.Path, command: str, by_release: dict[str, str | None]
) -> None:
    needs("keepalived", "unshare", "timeout", root=True)
    text = (
        f"global_defs {{\nenable_script_security\n}}\nvrrp_script chk {{\nscript {command}\n"
        "user root\n}\nvrrp_instance V {\ninterface lo\nvirtual_router_id 1\ntrack_script {\n"
        "chk\n}\n}\n"
    ).replace("{}", str(write.parent))
    write.write_text(text)
    assert "Disabling track script chk" in ask(write).stderr

    (write.parent / str(of_release(by_release, installed()))).touch(mode=0o755)
    said = ask(write).stderr
    assert "Disabling track script chk" not in said, said
