"""The short way to read a command line gives what argparse gives, or leaves it to argparse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kacheck import arguments, cli, short
from kacheck.commands import TextRequested
from kacheck.probes import MODULES, probe
from kacheck.result import BadConfigError

if TYPE_CHECKING:
    from enum import IntEnum
    from typing import NamedTuple

    from kacheck.probe import Option
else:
    from kacheck.light import IntEnum, NamedTuple

NOISE = st.sampled_from(
    ("", "-", "--", "-1", "-q", "-v", "-t", "-h", "--help", "--version", "x y", "-x y", "--x=1",
     "--timeout=1", "--quiet", "--verbose", "--format", "json", "\N{ARABIC-INDIC DIGIT ONE}", "a=b",
     "--all", "--any", "--misc", "--", "--log", "*")
)  # fmt: skip
VALUES = st.sampled_from(
    ("1", "0", "2.5", ".5", "1.", "1s500ms", "x", "a b", "", "/x", "fail", "ok", "exact", "active",
     "standby", "text", "nagios", "syslog", "65535", "65536", "007", "1e3", "http://127.0.0.1:1")
)  # fmt: skip


NEEDING_A_WORD = {"process": "x", "http": "x", "tcp": "x:1", "command": "x"}


def options(name: str) -> list[Option]:
    return [*probe(name).options, *short.COMMON]


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Draw command lines of a configuration, and now and then invalid ones."""
    name = draw(st.sampled_from(sorted(MODULES)))
    pieces: list[tuple[str, ...]] = []
    for option in draw(st.lists(st.sampled_from(options(name)), max_size=5)):
        value = draw(st.sampled_from(option.kind.choices) if option.kind.choices else VALUES)
        flag = option.flag if option.flag.startswith("-") else value
        pieces.append((flag, value) if option.kind.takes_value and flag != value else (flag,))
    pieces += [(word,) for word in draw(st.lists(VALUES, max_size=3))]
    pieces += [(word,) for word in draw(st.lists(NOISE, max_size=1))]
    return [name, *(word for piece in draw(st.permutations(pieces)) for word in piece)]


def parsed(read: Any, argv: list[str]) -> Any:
    """Return the namespace as a dictionary, or the error, or None."""
    try:
        found = read(argv)
    except BadConfigError as error:
        return str(error)
    except TextRequested:
        return "text"
    return None if found is None else vars(found)


@settings(max_examples=1500, deadline=None)
@given(command_lines())
def test_what_the_short_way_takes_argparse_reads_alike(argv: list[str]) -> None:
    found = parsed(short.parse, argv)
    if found is not None:
        assert found == parsed(arguments.parse, argv)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(MODULES)), st.data())
def test_every_option_of_a_probe_is_taken_in_the_short_way(name: str, data: st.DataObject) -> None:
    """Or the property above would hold for nothing."""
    option = data.draw(st.sampled_from([each for each in options(name) if not each.names_checks]))
    values = {"--timeout": "1.5", "--state-dir": "/x", "--quorum": "2", "--quorum-max": "3"}
    values |= {"--expect": "200", "--warn": "503", "--json": "a=b", "--cert-days": "5"}
    values |= {"--header": "X: y"}
    words = [option.flag] if option.flag.startswith("-") else []
    if option.kind.takes_value or not words:
        words.append((option.kind.choices or (values.get(option.flag, "x"),))[0])
    required = ["--process", "x"] if name == "combined" and option.flag != "--process" else []
    required += [NEEDING_A_WORD[name]] if name in NEEDING_A_WORD and words[0][0] == "-" else []
    argv = [name, *words, *required]
    found = parsed(short.parse, argv)
    assert isinstance(found, dict), argv
    assert found == parsed(arguments.parse, argv)


@pytest.mark.parametrize(
    "argv",
    [
        ["process", "vault", "--", "server", "-dev"],
        ["process", "--", "vault"],
        ["process", "--quorum", "2", "--", "vault", "--misc"],
        ["vault", "--accept", "active", "--accept", "standby", "--misc", "--timeout", "1.5"],
        [
            "combined",
            "--process",
            "vault",
            "--address",
            "https://127.0.0.1:8200",
            "--log",
            "syslog",
        ],
    ],
)
def test_lines_of_the_recipes_are_taken(argv: list[str]) -> None:
    found = parsed(short.parse, argv)
    assert isinstance(found, dict)
    assert found == parsed(arguments.parse, argv)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["run", "x"],
        ["process", "a", "--quorum", "1", "b"],
        ["process", "--quorum=1", "a"],
        ["process", "-q", "a"],
        ["process", "--quorum", "x", "a"],
        ["process", "--quorum", "--misc", "a"],
        ["process", "--quorum"],
        ["process", "--quoru", "1", "a"],
        ["process", "--verbose", "--quiet", "a"],
        ["process", "--help"],
        ["vault", "x"],
        ["vault", "--"],
        ["vault", "--format", "xml"],
        ["vault", "--timeout", "0"],
        ["combined", "--all", "x"],
    ],
)
def test_what_is_unusual_is_left_to_argparse(argv: list[str]) -> None:
    assert short.parse(argv) is None


def test_a_look_imports_neither_argparse_nor_what_takes_as_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(arguments, "parse", None)
    assert cli.main(["process", "--timeout", "5", "--misc", "ktest-none"]) == 1
    assert "critical missing" in capsys.readouterr().out


# --- stand-ins ----------------------------------------------------------------------------------


class Point(NamedTuple):
    x: int
    y: int = 2


class Size(IntEnum):
    SMALL = 0
    LARGE = 7


def test_a_light_tuple_is_a_tuple_with_names() -> None:
    point = Point(1)
    assert point == (1, 2) == Point(x=1, y=2) == Point(1, y=2)
    assert (point.x, point.y, point[:1]) == (1, 2, (1,))
    assert point._replace(x=3) == (3, 2)
    assert point._asdict() == {"x": 1, "y": 2}
    assert repr(point) == "Point(x=1, y=2)"
    assert hash(point) == hash((1, 2))


@pytest.mark.parametrize(
    ("values", "named"), [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1})]
)
def test_a_light_tuple_takes_its_fields_alone(values: tuple[int, ...], named: Any) -> None:
    with pytest.raises(TypeError):
        Point(*values, **named)


def test_a_light_number_is_a_number_with_a_name() -> None:
    assert [*Size] == [0, 7]
    assert (Size.LARGE, Size["LARGE"], Size(7)) == (7, 7, 7)
    assert Size(7) is Size.LARGE
    assert (Size.LARGE.name, Size.LARGE.value, f"{Size.LARGE}", str(Size.LARGE)) == (
        "LARGE",
        7,
        "7",
        "7",
    )
    assert len(Size) == 2
    with pytest.raises(ValueError, match="8 is not a valid Size"):
        Size(8)
    with pytest.raises(KeyError):
        Size["HUGE"]
