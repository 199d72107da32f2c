"""The head of an answer: what httpx refuses is not taken for plain."""

import pytest

from kacheck.exchange.plain import MisreadError, read_head

FIELD = b"Content-Length: 2"


def test_a_plain_head_is_taken() -> None:
    assert read_head(b"HTTP/1.1 200 OK\r\n" + FIELD, {200}) == (200, 2)


@pytest.mark.parametrize("control", [b"\0", b"\v", b"\f"])
def test_a_control_character_is_not_plain(control: bytes) -> None:
    """h11 reads neither: `illegal status line`, `illegal header line`."""
    for head in (
        b"HTTP/1.1 200 O" + control + b"K\r\n" + FIELD,
        b"HTTP/1.1 200 OK\r\nServer: a" + control + b"b\r\n" + FIELD,
    ):
        with pytest.raises(MisreadError):
            read_head(head, {200})
