"""Work that grows with the text and no faster, counted in calls; and what is too much is not read.

Seconds are in bench/configuration.py.
"""

import pathlib
import sys
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kacheck.keepalived import Configuration, expand, load, parse
from kacheck.keepalived import files as patterns
from kacheck.migrate.command import migrate
from kacheck.migrate.equivalents import Paths
from kacheck.migrate.plan import MigrationOrder
from kacheck.result import BadConfigError

TRACKED = "vrrp_track_process p{0} {{\n process b{0}\n}}\n"
INSTANCE = "vrrp_instance I{0} {{\n track_process {{\n  p{0}\n }}\n}}\n"


@pytest.fixture
def conf(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "small").write_text("a {\n}\n")
    return tmp_path / "keepalived.conf"


def calls(work: Callable[[], object]) -> int:
    """Count the calls of functions, Python's and C's, during some work."""
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def read_all(conf: pathlib.Path, text: str) -> Configuration:
    """Read a text and all that can be asked about it."""
    conf.write_text(text)
    configuration = load(str(conf), config_id="id")
    for node in configuration.root.walk():
        assert node.keyword or not node.words or node.words[0].value == ""
        assert node.source is None or node.source.line.text == node.line.text
    return configuration


def numbered(text: str, count: int) -> str:
    return "".join(text.format(number) for number in range(count))


LOADED: dict[str, Callable[[int], str]] = {
    "references that nothing defines, in one line": lambda n: "${B}" * n,
    "before one that does not fit": lambda n: "$A=" + "x" * 1015 + "\n" + "${B}" * n + "${A}",
    "random numbers in one line": lambda n: "${_RANDOM}" * (n // 3),
    "braces in one line": lambda n: "{" * n + "}" * n,
    "quotes in one line": lambda n: '"a" { ' * n,
    "escapes in one line": lambda n: 'a \\" ' * n + "\\#" * n,
    "a definition of many lines": lambda n: "$A=a \\\n" + "b \\\n" * n * 9 + "\n$A\n",
    "references to it": lambda n: "$A=a \\\nb\n" + "$A\n" * n,
    "many definitions": lambda n: numbered("$A{0}=x\nb ${{A{0}}}\n", n),
    "~SEQ": lambda n: "~SEQ(N, 9) a$N { b ${N} }\n" * n,
    "blocks in blocks": lambda n: "a {\n" * n * 9 + "}\n" * n * 9,
    "what nothing closes": lambda n: "a {\n" * n * 9,
    "too many }": lambda n: "}\n" * n * 9,
    "conditions": lambda n: "@id a { @id b }\n@no c\n" * n,
    "includes": lambda n: "include small\n" * n,
    "includes of alternatives": lambda n: "include {small,{a,b}{c,d}}*\n" * n,
    "alternatives in one pattern": lambda n: "include {" + "a," * n + "small}\n",
    "lines that go on": lambda n: "a b \\\n" * n * 9,
}


@pytest.mark.parametrize("text", LOADED.values(), ids=LOADED)
@pytest.mark.no_cover
def test_twice_the_text_is_twice_the_work(conf: pathlib.Path, text: Callable[[int], str]) -> None:
    once, twice = (calls(partial(read_all, conf, text(n))) for n in (80, 160))

    assert twice < 2.5 * once + 500


MIGRATED: dict[str, Callable[[int], str]] = {
    "blocks that nothing tracks": lambda n: numbered(TRACKED, n),
    "an instance for each": lambda n: numbered(TRACKED + INSTANCE, n),
    "above its block": lambda n: numbered(INSTANCE + TRACKED, n),
    "one instance for all": lambda n: (
        numbered(TRACKED, n) + "vrrp_instance I {\n track_process {\n"
        + numbered("  p{}\n", n) + " }\n}\n"
    ),
    "a separate block for each": lambda n: (
        numbered(TRACKED, n) + "vrrp_instance I {\n"
        + numbered(" track_process {{\n  p{}\n }}\n", n) + "}\n"
    ),
    "one for all instances": lambda n: (
        TRACKED.format(0)
        + numbered("vrrp_instance I{} {{\n track_process {{\n  p0 weight 5\n }}\n}}\n", n)
        + numbered("vrrp_sync_group G{0} {{\n group {{\n  I{0}\n }}\n}}\n", n)
    ),
    "all in one line": lambda n: numbered("vrrp_track_process p{0} {{ process b{0} }} ", n // 2),
    "names that are taken": lambda n: numbered(
        TRACKED + "vrrp_script p{0} {{\n script /bin/true\n}}\n", n
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", MIGRATED.values(), ids=MIGRATED)
@pytest.mark.no_cover
def test_twice_the_blocks_are_twice_the_work(
    conf: pathlib.Path, text: Callable[[int], str]
) -> None:
    def work(n: int) -> None:
        conf.write_text(text(n))
        migrate(MigrationOrder(str(conf), paths=Paths(config=f"{conf}.toml")))

    work(2)  # what is imported and compiled once
    once, twice = (calls(partial(work, n)) for n in (150, 300))

    assert twice < 2.2 * once


# Limits: what is there stays as it is, and that it was not read is said


@pytest.mark.parametrize(
    ("module", "name", "text"),
    [
        (expand, "MAX_EXPANDED", "a\n" * 9),
        (expand, "MAX_EXPANDED", "~SEQ(N, 9) a $N\n"),
        (expand, "MAX_EXPANDED", "~SEQ(N, 2) a $N" + " " * 300 + "b\n"),
        (expand, "MAX_EXPANDED", "$A=b\n" + "$A\n" * 9),
        (expand, "MAX_EXPANDED", "$A=$A\n$A\n"),
        (expand, "MAX_EXPANDED", "include small\n" * 9),
        (patterns, "MAX_NAMES", "include small\n" * 9),
        (patterns, "MAX_NAMES", "include {a,b}\n" * 9),
        (patterns, "MAX_NAMES", "include *\n" * 9),
    ],
)  # fmt: skip
def test_beyond_a_limit_nothing_is_migrated(
    conf: pathlib.Path, monkeypatch: pytest.MonkeyPatch, module: object, name: str, text: str
) -> None:
    monkeypatch.setattr(module, name, 5)
    conf.write_text(text + TRACKED.format(0))

    assert any(not each.message.startswith("$") for each in load(str(conf)).unevaluated)
    with pytest.raises(BadConfigError, match="correct that first"):
        migrate(MigrationOrder(str(conf), paths=Paths(config=f"{conf}.toml")))


def test_an_unknown_number_is_reported_once_for_a_line(conf: pathlib.Path) -> None:
    assert len(read_all(conf, "a { ${_RANDOM} } {").unevaluated) == 1


UNITS = st.lists(
    st.sampled_from(
        ["{", "}", '"', "\\", "#", "!", " ", "\n", "\r\n", "\0", "\f", "é", "\udcff", "@id ", "@^id ", "$", "${A}", "$A",
         "$A=", "${B}", "${_RANDOM}", "${_PWD}", "~SEQ(", "~SEQ(N, 3) ", "~LST(A, b, c) ", "\ninclude ", "{a,b}", "*",
         "/", "../", "[", "a", " \\\n", "vrrp_track_process a {"]
    ),
    min_size=1, max_size=5,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.lists(UNITS, max_size=2), UNITS, st.integers(1, 3000))
@pytest.mark.no_cover
def test_nothing_is_too_much_when_it_is_repeated(
    tmp_path_factory: pytest.TempPathFactory, before: list[list[str]], unit: list[str], count: int
) -> None:
    text = "\n".join("".join(each) for each in before) + "\n" + "".join(unit) * count
    conf = tmp_path_factory.getbasetemp() / "repeated.conf"
    data = text.encode("utf-8", "surrogateescape")
    conf.write_bytes(data)
    configuration = load(str(conf), config_id="id")  # pytest's own timeout is the bound

    assert configuration.files[str(conf)].bytes() == data
    assert parse(data).bytes() == data
    assert sum(1 for _ in configuration.root.walk()) <= expand.MAX_EXPANDED
