"""What bench/follow.py is built from: times, the shipped configuration, and the kernel's messages."""

import re
import struct
import sys
import threading

import pytest

from helpers.paths import ROOT

sys.path.insert(0, str(ROOT))

from bench import shipped, unit, whereabouts
from bench.measure import UnexpectedError
from bench.shipped import RECOMMENDED, Shape
from bench.timeline import Timeline

SHAPES = [
    *(Shape(name, name) for name in shipped.recipes()),
    Shape("native"),
    Shape("pgrep"),
    Shape(RECOMMENDED, RECOMMENDED, "0.1"),
]


@pytest.fixture
def colours() -> Timeline[str]:
    """Red from the beginning, green from 10 to 12, red to 15, then blue."""
    timeline = Timeline("red")
    timeline._changes = [(0.0, "red")]
    for at, value in ((10.0, "green"), (12.0, "red"), (15.0, "blue")):
        timeline.add(at, value)
    return timeline


@pytest.mark.parametrize(
    ("value", "after", "at"),
    [
        ("green", 3, 10),
        ("green", 11, 11),
        ("green", 12, None),
        ("red", 11, 12),
        ("blue", 99, 99),
    ],
)
def test_a_value_is_first_had_when_it_began_or_at_once(
    colours: Timeline[str], value: str, after: float, at: float | None
) -> None:
    assert colours.first(value.__eq__, after) == at


@pytest.mark.parametrize(
    ("values", "begin", "end", "spans"),
    [
        ({"green"}, 0, 20, [2]),
        ({"green"}, 11, 20, [1]),
        ({"red"}, 9, 14, [1, 2]),
        ({"red", "green"}, 9, 20, [6]),
        ({"blue"}, 0, 20, [5]),
        ({"blue"}, 0, 14, []),
    ],
)
def test_spans_last_while_the_value_held_between_two_times(
    colours: Timeline[str], values: set[str], begin: float, end: float, spans: list[float]
) -> None:
    assert colours.spans(values.__contains__, begin, end) == spans


def test_a_value_that_comes_later_is_waited_for(colours: Timeline[str]) -> None:
    threading.Timer(0.05, colours.add, [20.0, "black"]).start()

    assert colours.wait("black".__eq__, 0, 30, "black") == 20


def test_a_missing_value_is_reported_with_the_current_one(
    colours: Timeline[str],
) -> None:
    with pytest.raises(UnexpectedError, match=r"the VIP: not within 0\.01 s, but 'blue'"):
        colours.wait("green".__eq__, 12, 0.01, "the VIP")


@pytest.mark.parametrize("text", ["advert_int 1\n", "priority 1\npriority 2\n"])
def test_what_is_to_be_adapted_must_be_in_the_example_once(text: str) -> None:
    with pytest.raises(UnexpectedError, match="not once"):
        shipped.substitute(text, r"priority \d", "priority 3")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_node_has_its_priority_and_tracks_what_is_measured(shape: Shape) -> None:
    texts = [shape.configuration(place, "vault-x") for place in range(3)]

    found = [re.findall(r"(?m)^ +priority (\d+)", text) for text in texts]
    first, second, third = (int(number) for (number,) in found)
    assert 254 >= first > second > third
    tracked = re.findall(r"track_\w+ \{\n +(\w+)", texts[0][texts[0].index("vrrp_instance") :])
    assert all(name.startswith("kacheck" if shape.is_recipe else "tracked") for name in tracked)
    assert tracked
    assert ("vault-x" in texts[0]) != shape.is_recipe


def test_the_fast_settings_are_those_of_version_3() -> None:
    text = SHAPES[-1].configuration(0, "vault")

    assert re.findall(r"(?m)^ +(advert_int|version) ([\d.]+)", text) in (
        [("version", "3"), ("advert_int", "0.1")],
        [("advert_int", "0.1"), ("version", "3")],
    )
    assert shipped.advert_int(SHAPES[-1]) == 0.1


def test_the_unit_says_what_is_run_when_the_watcher_has_ended() -> None:
    assert unit.settings("ExecStopPost")
    assert float(unit.settings("RestartSec")[0]) > 0
    assert "\\" not in "".join(unit.settings("ExecStopPost"))


def test_the_kernels_messages_about_addresses_are_read() -> None:
    def message(kind: int, address: bytes) -> bytes:
        name = struct.pack("=HH5sxxx", 9, 3, b"eth0\0")
        attributes = name + struct.pack("=HH4s", 8, whereabouts.LOCAL, address)
        body = struct.pack("=BBBBI", 2, 24, 0, 0, 7) + attributes
        return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body

    data = message(20, b"\xc0\0\x02\x64") + message(99, b"....") + message(21, b"\xc0\0\x02\x0b")

    assert [*whereabouts.messages(data)] == [(20, b"\xc0\0\x02\x64"), (21, b"\xc0\0\x02\x0b")]
