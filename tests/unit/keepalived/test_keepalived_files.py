"""Files: includes as keepalived finds them, and edits that come back file by file."""

import os
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kacheck.keepalived import Configuration, load
from kacheck.keepalived.files import Budget, braces, component, glob


@pytest.fixture
def write(tmp_path: pathlib.Path) -> pathlib.Path:
    """A directory with a few files to include."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/b.conf").write_text("b1\ninclude c.inc\nb2\n")
    (tmp_path / "conf.d/a.conf").write_text("a1")
    (tmp_path / "conf.d/c.inc").write_text("c1 {\n c2\n}\n")
    (tmp_path / "conf.d/.hidden.conf").write_text("hidden\n")
    (tmp_path / "run.conf").write_text("executable\n")
    (tmp_path / "run.conf").chmod(0o755)
    return tmp_path


def configure(directory: pathlib.Path, text: str) -> Configuration:
    main = directory / "keepalived.conf"
    main.write_text(text)
    return load(str(main), config_id="id")


def keywords(configuration: Configuration) -> str:
    return " ".join(node.keyword for node in configuration.root.walk())


INCLUDES = {
    "a file": ("include conf.d/a.conf\nx", "a1 x"),
    "relative to the file with the include": ("include conf.d/b.conf\nx", "b1 c1 c2 b2 x"),
    "a pattern, in order": ("include conf.d/*.conf\nx", "a1 b1 c1 c2 b2 x"),
    "of a character": ("include conf.d/?.conf", "a1 b1 c1 c2 b2"),
    "of a set": ("include conf.d/[b-z].conf", "b1 c1 c2 b2"),
    "of what is not in a set": ("include conf.d/[^a].conf", "b1 c1 c2 b2"),
    "of directories": ("include */a.conf", "a1"),
    "braces, in their order": ("include conf.d/{b,a}.conf", "b1 c1 c2 b2 a1"),
    "braces in braces": ("include {conf.d/{a,x},y}.conf", "a1"),
    "a hidden file by its name alone": ("include conf.d/.hidden.conf", "hidden"),
    "an absolute name": ("include {directory}/conf.d/a.conf", "a1"),
    "each kind": ("includer conf.d/a.conf\nincludem conf.d/a.conf\nincludew conf.d/a.conf\nincludeb conf.d/a.conf\nincludea conf.d/a.conf", "a1 a1 a1 a1 a1"),
    "no such kind": ("includex conf.d/a.conf", "includex"),
    "no space": ("include", "include"),
    "with a definition": ("$D=conf.d\ninclude ${D}/a.conf", "a1"),
    "in a block": ("x {\n include conf.d/a.conf\n}\ny", "x a1 y"),
    "a block that goes on in another file": ("x {\n include conf.d/c.inc\n y\n}", "x c1 c2 y"),
    "for another id": ("@other include conf.d/a.conf\nx", "x"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), INCLUDES.values(), ids=INCLUDES)
def test_an_include_is_replaced_by_its_files(write: pathlib.Path, text: str, expected: str) -> None:
    configuration = configure(write, text.replace("{directory}", str(write)))
    assert keywords(configuration) == expected
    assert configuration.problems == []


PROBLEMS = {
    "a file that is missing": ("x\n include nothing", "2:2 no file matches nothing"),
    "one in quotes: they are part of the name": ('include "conf.d/a.conf"', '1:1 no file matches "conf.d/a.conf"'),
    "a pattern that has to match": ("includew no*", "1:1 no file matches no*"),
    "one that need not": ("include no*", None),
    "a directory": ("include conf.d", "1:1 {directory}/conf.d: it is a directory"),
    "an executable file": ("include run.conf", "1:1 {directory}/run.conf: it is executable, so keepalived skips it"),
    "itself": ("include keepalived.conf", "1:1 {directory}/keepalived.conf includes itself"),
    "itself, by a pattern": ("include ke*", "1:1 {directory}/keepalived.conf includes itself"),
    "behind @id": ("@id include conf.d/a.conf", "1:5 an include behind @id, a brace or from $NAME"),
    "in a block of one line": ("x { include conf.d/a.conf\n}", "1:5 an include behind @id, a brace or from $NAME"),
    "from a definition": ("$I=include conf.d/a.conf\n$I", "2:1 an include behind @id, a brace or from $NAME"),
    "within a definition": ("$I=a \\\ninclude conf.d/a.conf", "2:1 an include in a definition of several lines"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_an_include_that_fails_is_a_problem_with_its_place(
    write: pathlib.Path, text: str, expected: str | None
) -> None:
    found = [
        f"{problem.position.line}:{problem.position.column} {problem.message}"
        for problem in configure(write, text).problems
    ]
    wanted = [] if expected is None else [expected.replace("{directory}", str(write))]
    assert [message[: len(start)] for message, start in zip(found, wanted, strict=True)] == wanted


def test_a_main_file_that_is_missing_is_a_problem() -> None:
    configuration = load("/nowhere/keepalived.conf")
    assert configuration.root.children == []
    assert [problem.message for problem in configuration.problems] == [
        "/nowhere/keepalived.conf: No such file or directory"
    ]


@pytest.mark.parametrize("path", ["", "/", "/dev/null", "a\0b", "/proc/kmsg", "/etc/passwd/x"])
def test_only_files_are_read(path: str) -> None:
    configuration = load(path)
    assert configuration.root.children == []
    assert configuration.problems or path == "/proc/kmsg"


def test_a_fifo_is_not_waited_for(write: pathlib.Path) -> None:
    os.mkfifo(write / "fifo")
    (problem,) = configure(write, "include fifo").problems
    assert problem.message.endswith("is not a regular file")


def test_files_that_include_each_other_end(write: pathlib.Path) -> None:
    (write / "a").write_text("a\ninclude b\n")
    (write / "b").write_text("b\ninclude a\ninclude b\n")
    configuration = configure(write, "include a\nx")
    assert keywords(configuration) == "a b x"
    assert [problem.position.line for problem in configuration.problems] == [2, 3]


def test_a_file_beyond_the_limit_of_size_is_not_read(write: pathlib.Path) -> None:
    (write / "large").write_text("a\n" * (2 << 20) + "b\n")
    configuration = configure(write, "include large")
    assert [problem.message for problem in configuration.problems] == [
        f"{write}/large: it is larger than 4 MiB, and was not read"
    ]


def test_includes_that_multiply_end(write: pathlib.Path) -> None:
    for number in range(40):
        (write / f"f{number}").write_text(f"include f{number + 1}\n" * 3)
    configuration = configure(write, "include f0")
    assert "more than 100000 files" in configuration.unevaluated[0].message


def test_words_know_their_files(write: pathlib.Path) -> None:
    configuration = configure(write, "x\n\ninclude conf.d/b.conf\n")
    assert list(configuration.files) == [
        str(write / name) for name in ("keepalived.conf", "conf.d/b.conf", "conf.d/c.inc")
    ]
    (node,) = configuration.find("c1", "c2")
    assert str(node.position) == f"{write}/conf.d/c.inc:2:2"
    assert node.is_literal
    assert node.source is configuration.files[f"{write}/conf.d/c.inc"].find("c1", "c2")[0]
    assert node.parent is configuration.find("c1")[0]


def test_only_the_files_that_were_edited_are_written(write: pathlib.Path) -> None:
    configuration = configure(write, "x\ninclude conf.d/b.conf\n")
    assert configuration.changed() == {}
    (node,) = configuration.find("c1", "c2")
    assert node.source is not None
    assert node.source.tree is not None
    node.source.tree.replace(node.source, "d\ne")
    assert configuration.changed() == {f"{write}/conf.d/c.inc": b"c1 {\n d\n e\n}\n"}


def test_a_block_is_literal_only_if_one_file_contains_it_verbatim(write: pathlib.Path) -> None:
    text = "a {\n b\n}\nc {\n include conf.d/a.conf\n}\n$X=y\nd {\n $X\n}\ne {\n @id f\n @no f\n}\ng {\n"
    configuration = configure(write, text)
    literal = {node.keyword: node.is_literal for node in configuration.root.children or []}
    assert literal == {"a": True, "c": False, "d": False, "e": False, "g": False}


def test_a_name_is_a_file_once_however_it_is_written(write: pathlib.Path) -> None:
    configuration = configure(write, "include conf.d/a.conf\ninclude conf.d/../conf.d/a.conf\n")
    assert keywords(configuration) == "a1 a1"
    assert len(configuration.files) == 2
    first, second = configuration.find("a1")
    assert first.source is second.source


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("{a,b}{c,d}", "ac ad bc bd"),
        ("{a", "{a"),
        ("a}", "a}"),
        ("{}", ""),
        ("a{,b}", "a ab"),
        ("{a,{b,c}}d", "ad bd cd"),
    ],
)
def test_braces(pattern: str, names: str) -> None:
    assert " ".join(braces(pattern, Budget(100))) == names


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "x", True), ("a*", "a", True), ("*a*b*c", "xaxbbxc", True), ("*a*b*c", "xbxaxc", False), ("*aa", "aaa", True),
        ("[]a]", "]", True), ("[^a]", "b", True), ("[a-", "[a-", True), ("\\*", "*", True), ("\\*", "x", False),
        ("[z-a]", "b", False), ("[[]", "[", True), ("[a&&b]", "&", True),
    ],
)  # fmt: skip
def test_patterns(pattern: str, name: str, *, matches: bool) -> None:
    assert bool(component(pattern).fullmatch(name)) is matches


def test_a_pattern_with_many_stars_takes_no_time() -> None:
    assert not component("*a" * 400 + "b").fullmatch("a" * 255)  # it would take years


def test_a_pattern_looks_at_a_limited_number_of_names(tmp_path: pathlib.Path) -> None:
    assert not glob("{a,b}" * 100, str(tmp_path), Budget(1000)).complete


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abc*?[]!^-\\{},/.&|~()\x00", max_size=40))
def test_any_pattern_is_looked_up(tmp_path_factory: pytest.TempPathFactory, pattern: str) -> None:
    glob(pattern.lstrip("/"), str(tmp_path_factory.getbasetemp()), Budget(1000))
