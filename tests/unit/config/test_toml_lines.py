"""The line of every key, in every form that TOML has for it."""

import tomllib
from typing import Any

import pytest

from kacheck.config.toml_lines import Path, Scan, line, long_key

TEXTS: dict[str, tuple[str, dict[Path, int]]] = {
    "nothing": ("", {("a",): 1}),
    "only a comment": ("# a = 1\n\n# [b]", {("a",): 1, ("b",): 1}),
    "tables": ("\n[a.b]\nc = 1\n[a.d]\nc = 2", {("a", "b"): 2, ("a", "b", "c"): 3, ("a", "d", "c"): 5}),
    "no line end at the end": ("a = 1", {("a",): 1}),
    "CR LF": ("a = 1\r\n[b]\r\nc = 2\r\n", {("b",): 2, ("b", "c"): 3}),
    "a line separator of Unicode does not end a line": ("a = 'x\u2028y'\nb = 1", {("b",): 2}),
    "spaces everywhere": (" \t[ a . b ]\n\tc\t=\t1 # c\n", {("a", "b"): 1, ("a", "b", "c"): 2}),
    "comments behind everything": ("[a] # [b]\nc = 1 # d = 2\n", {("a", "c"): 2}),
    "dotted keys": ("\na.b.c = 1\na.b.d = 2", {("a", "b"): 2, ("a", "b", "c"): 2, ("a", "b", "d"): 3}),
    "dotted keys with spaces": ("\na . b=1", {("a", "b"): 2}),
    "a number as dotted keys": ("\n3.14 = 1\n2024-01-01 = 2", {("3", "14"): 2, ("2024-01-01",): 3}),
    "quoted keys": ("\n['a b'.\"c.d\"]\n'e' = 1\n\"f=g\" = 2", {("a b", "c.d"): 2, ("a b", "c.d", "e"): 3, ("a b", "c.d", "f=g"): 4}),
    "keys with escapes": ('\n"a\\u0062" = 1\n"\\"" = 2\n"\\\\" = 3', {("ab",): 2, ('"',): 3, ("\\",): 4}),
    "an empty key": ("\n'' = 1\n[a.'']\nb = 1", {("",): 2, ("a", ""): 3, ("a", "", "b"): 4}),
    "brackets and hashes in quotes": ("a = ['#]', \"]#\"]\nb = '['\nc = 1", {("b",): 2, ("c",): 3}),
    "quotes in quotes": ("a = \"it's\"\nb = '\"'\nc = \"\\\"\"\nd = '\\'\ne = 1", {("d",): 4, ("e",): 5}),
    "a string that looks like tables": ('a = """\n[b]\nc = 1\n"""\nd = 1', {("d",): 5, ("b",): 1}),
    "a literal one": ("a = '''\n[b]\nc = \\'''\nd = 1", {("d",): 4}),
    "one whose text ends in quotes": ('a = """x"""""\nb = \'\'\'y\'\'\'\'\'\nc = 1', {("b",): 2, ("c",): 3}),
    "one with quotes inside": ('a = """x""y"z\\""""\nb = 1', {("b",): 2}),
    "one with a backslash at the line's end": ('a = """x \\\n   y"""\nb = 1', {("b",): 3}),
    "empty strings": ("a = ''\nb = \"\"\nc = ''''''\nd = \"\"\"\"\"\"\ne = 1", {("c",): 3, ("e",): 5}),
    "an array over lines": (
        "a = [ # [\n  1, # 2,\n\n  'x',\n  [3,\n 4],\n]\nb = 1",
        {("a",): 1, ("a", 0): 2, ("a", 1): 4, ("a", 2): 5, ("a", 2, 1): 6, ("b",): 8},
    ),
    "a string over lines in an array": ("a = [\n'''\n\n''',\n1]\nb=1", {("a", 0): 2, ("a", 1): 5, ("b",): 6}),
    "an empty array": ("a = []\nb = [\n]\nc = 1", {("c",): 4}),
    "an inline table": ("\na = { b = 1, 'c' = [2, 3], d.e = {} }\nf = 1", {("a", "b"): 2, ("a", "c", 1): 2, ("a", "d", "e"): 2, ("f",): 3}),
    "a table in an array in a table": ("a = [{ b = [\n1] },\n{ c = 2 }]", {("a", 0, "b", 0): 2, ("a", 1, "c"): 3}),
    "scalars": (
        "a = -1_000\nb = 1979-05-27 07:32:00.5-08:00\nc = 0xff\nd = -inf\ne = true\nf = 1e-3\ng = [07:32:00,nan]\nh = 1",
        {("b",): 2, ("g", 1): 7, ("h",): 8},
    ),
    "a header before the table around it": ("[a.b]\nc = 1\n[a]\nd = 2", {("a",): 3, ("a", "b"): 1, ("a", "d"): 4}),
    "the parts of a table that is dotted": ("[a]\nb.c = 1\nx = 1\nb.d = 2", {("a", "b"): 2, ("a", "b", "d"): 4}),
    "what is not there is where what it would be in is": ("\n[a]\nb = [\n1]\n", {("a", "x"): 2, ("a", "b", 7): 3, ("x",): 1, (): 1}),
    "deep brackets": ("\na = " + "[" * 90 + "]" * 90 + "\nb = 1", {("b",): 3}),
    "a long text": ("a = 1\n" + "# b\n" * 50_000 + "b = '''" + "x\n" * 50_000 + "'''\nc = 1", {("b",): 50_002, ("c",): 100_003}),
}  # fmt: skip


def paths(value: Any, path: Path = ()) -> set[Path]:
    """Return every path of what tomllib has read."""
    below = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return {path} - {()} | {each for key, inner in below for each in paths(inner, (*path, key))}


@pytest.mark.parametrize(("text", "lines"), TEXTS.values(), ids=TEXTS)
def test_the_line_of_a_key(text: str, lines: dict[Path, int]) -> None:
    tomllib.loads(text)
    assert {path: line(text, path) for path in lines} == lines


@pytest.mark.parametrize("text", [text for text, _ in TEXTS.values()], ids=TEXTS)
def test_exactly_the_keys_are_found(text: str) -> None:
    scan = Scan(text)
    scan.document()
    assert scan.position == len(text)
    assert set(scan.places) == paths(tomllib.loads(text))


def test_tables_in_an_array_are_where_the_first_one_is() -> None:
    text = "\n[[a]]\nb = 1\n[[ a ]]\nc = 2\n[a.d]\ne = 1"
    tomllib.loads(text)
    assert [line(text, path) for path in (("a",), ("a", 0), ("a", 1, "c"), ("a", "d", "e"))] == [
        2,
        2,
        2,
        7,
    ]


@pytest.mark.parametrize("cut", range(0, 200, 3))
def test_invalid_toml_does_not_crash(cut: int) -> None:
    whole = "\n".join(text for text, _ in list(TEXTS.values())[:-2])
    for text in (whole[cut:], whole[: cut * 10], whole[cut * 10 :], whole[::-1][cut:]):
        assert line(text, ("a", "b")) >= 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a" + ".a" * 15 + " = 1", None),
        ("\na" + ".a" * 16 + " = 1", 2),
        ("\n\na" + ".a" * 100_000, 3),
        ("x = {\ny = 1, a" + " . 'a'" * 16 + " = 1 }", 2),
        ("[[ a" + ' . "."' * 16 + " ]]", 1),
        ("[[ a" + ' . "."' * 15 + " ]]", None),
        ("# a" + ".a" * 99 + "\nb = 'b" + ".b" * 99 + "'\n", None),
        ("a = " + "[" * 100_000 + "\n" + "." * 16, None),
    ],
)
def test_the_line_of_a_key_with_too_many_parts(text: str, found: int | None) -> None:
    assert long_key(text) == found


def test_brackets_nested_too_deeply_do_not_crash() -> None:
    assert line("\na = " + "[" * 100_000, ("a",)) == 2
