"""The short reading of a health endpoint's JSON gives what json gives, or leaves it to json."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.vault import STATES
from kacheck.exchange.flat_json import flat_object
from kacheck.probes.vault.health import parse_any

SCALARS = st.one_of(
    st.booleans(), st.none(), st.integers(), st.text(max_size=5), st.floats(), st.just("")
)
PIECES = st.sampled_from(
    ('"', "a", ":", ",", "{", "}", "[", "]", " ", "\t", "\n", "true", "false", "null", "1", "0", "-",
     "01", ".5", "1e3", "\\", "\\n", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\0", "NaN", '"a":', '"b":1,')
)  # fmt: skip


def same(body: bytes) -> bool:
    """Return whether the short way takes it, and gives what json gives, types included."""
    found = flat_object(body)
    if found is None:
        return False
    expected: Any = parse_any(body)
    assert found == expected
    assert [type(value) for value in found.values()] == [type(v) for v in expected.values()]
    assert list(found) == list(expected)
    return True


@settings(max_examples=1000, deadline=None)
@given(st.dictionaries(st.text(max_size=4), SCALARS, max_size=5), st.booleans())
def test_an_object_is_read_alike(fields: dict[str, Any], tight: bool) -> None:
    separators = (",", ":") if tight else (" , ", " : ")
    same(json.dumps(fields, separators=separators).encode())
    same(json.dumps(fields, ensure_ascii=False).encode(errors="surrogatepass"))


@settings(max_examples=3000, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_whatever_else_is_read_alike_or_left(text: str) -> None:
    same(text.encode())
    same(f'{{"a":{text}}}'.encode())
    same(f'{{"a":1{text}"b":true}}\n'.encode())


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_a_body_that_is_damaged_is_read_alike_or_left(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from([each.body for each in STATES.values()])))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(body)))
        body[place : place + data.draw(st.integers(0, 2))] = data.draw(PIECES).encode()
    same(bytes(body))


@pytest.mark.parametrize(
    "state", ["active", "standby", "sealed", "uninitialized", "openbao-active"]
)
def test_the_usual_bodies_are_taken(state: str) -> None:
    assert same(STATES[state].body)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'{"a":1,"a":1}', b'{"a":01}', b'{"a":1.5}', b'{"a":[1]}', b'{"a":"\\n"}',
     b'{"a":1,}', b'{"a":1}x', b'{"a" 1}', b"{a:1}", b'{"a":NaN}', b'\xef\xbb\xbf{"a":1}',
     '{"a":"é"}'.encode(), b'{\n"a":1}', b'{,"a":1}', b'{"a":1 "b":2}', b'{"a":"b""c":1}']
)  # fmt: skip
def test_what_is_unusual_is_left_to_json(body: bytes) -> None:
    assert flat_object(body) is None
