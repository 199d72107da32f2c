"""Addresses, and the bytes that are sent and expected."""

from typing import Any

import pytest

from kacheck.kinds import InvalidValueError
from kacheck.probe import OptionError
from kacheck.probes.tcp.kinds import Place, address, bytes_of, escaped, place_of
from kacheck.probes.tcp.settings import prepare


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("127.0.0.1:25", Place("127.0.0.1", 25)),
        ("localhost:65535", Place("localhost", 65535)),
        ("[::1]:53", Place("::1", 53)),
        ("[fe80::1%eth0]:53", Place("fe80::1%eth0", 53)),
        ("unix:/run/x.sock", Place("localhost", 0, "/run/x.sock")),
        ("unix:///run/x y", Place("localhost", 0, "/run/x y")),
    ],
)
def test_an_address_is_a_host_and_port_or_a_socket(words: str, place: Place) -> None:
    assert address(words) == words
    assert place_of(words) == place


@pytest.mark.parametrize(
    "words",
    ["", "x", ":25", "x:", "x:0", "x:65536", "x:-1", "x:2.5", "::1:25", "[::1]", "a b:1", "u@h:1",
     "http://h:1", "h/x:1", "unix:", "unix:x", "unix:/", "\u00e9:1", "x:\u0663", 25],
)  # fmt: skip
def test_other_addresses_are_refused(words: Any) -> None:
    with pytest.raises(InvalidValueError):
        address(words)


@pytest.mark.parametrize(
    ("words", "content"),
    [
        ("PING", b"PING"),
        (r"PING\r\n", b"PING\r\n"),
        ("PING\r\n", b"PING\r\n"),
        (r"a\\nb", b"a\\nb"),
        (r"\x00\xff!", b"\x00\xff!"),
        (r"\0\t", b"\0\t"),
        ("\u00e9", "\u00e9".encode()),
        (r"\\", b"\\"),
        (r"\\\\x", b"\\\\x"),
    ],
)
def test_escapes_are_read_as_bytes(words: str, content: bytes) -> None:
    assert escaped(words) == words
    assert bytes_of(words) == content


@pytest.mark.parametrize("words", ["", "\\", r"\q", r"\x1", r"\xg0", "x\\", "x" * 5000, 5])
def test_other_texts_are_refused(words: Any) -> None:
    with pytest.raises(InvalidValueError):
        escaped(words)


@pytest.mark.parametrize(
    ("values", "option"),
    [
        ({"address": "x"}, "address"),
        ({"ca_cert": "/x"}, "ca_cert"),
        ({"insecure": True}, "insecure"),
        ({"address": "unix:/x", "tls": True}, "tls"),
        ({"tls": True, "client_key": "/x"}, "client_key"),
    ],
)
def test_what_does_not_fit_together_is_refused(values: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionError) as refused:
        prepare({"address": "127.0.0.1:1", **values})
    assert refused.value.option == option
