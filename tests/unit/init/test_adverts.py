"""VRRP adverts: what their bytes say, and what follows for a node that is about to join."""

import struct
from ipaddress import ip_address

import pytest

from kacheck.init.adverts import Advert, OwnAdvert, from_ipv4, judge, parse

VIP = "192.0.2.100"
OWN = OwnAdvert(VIP, 3, 51, 220, 0.3)


def packed(version: int, router_id: int, priority: int, interval: int, *vips: str) -> bytes:
    head = struct.pack("!BBBBHH", version << 4 | 1, router_id, priority, len(vips), interval, 0)
    return head + b"".join(ip_address(vip).packed for vip in vips)


def in_ipv4(data: bytes, sender: str) -> bytes:
    start = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(data), 0, 0, 255, 112, 0)
    return start + ip_address(sender).packed + ip_address("224.0.0.18").packed + data


def test_version_3_counts_in_hundredths_of_a_second() -> None:
    packet = in_ipv4(packed(3, 51, 250, 30, VIP, "192.0.2.101"), "192.0.2.2")
    assert from_ipv4(packet) == Advert("192.0.2.2", 3, 51, 250, 0.3, (VIP, "192.0.2.101"))


def test_version_2_counts_in_seconds_behind_the_type_of_authentication() -> None:
    assert parse(packed(2, 7, 100, 0x0101, VIP) + b"password", "192.0.2.2", 4) == Advert(
        "192.0.2.2", 2, 7, 100, 1.0, (VIP,)
    )


def test_ipv6_has_long_addresses() -> None:
    assert parse(packed(3, 7, 100, 100, "fd00::100"), "fe80::2", 6) == Advert(
        "fe80::2", 3, 7, 100, 1.0, ("fd00::100",)
    )


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x45" * 19,
        in_ipv4(b"\x31", "192.0.2.2"),
        in_ipv4(packed(4, 1, 1, 1), "192.0.2.2"),
        in_ipv4(packed(3, 1, 1, 1, VIP)[:-1], "192.0.2.2"),
        in_ipv4(packed(3, 1, 1, 1, VIP), "192.0.2.2").replace(b"\x70", b"\x11", 1),
    ],
)
def test_what_is_not_an_advert_is_ignored(packet: bytes) -> None:
    assert from_ipv4(packet) is None


def advert(**values: object) -> Advert:
    return Advert("192.0.2.2", 3, 51, 248, 0.3, (VIP,))._replace(**values)  # type: ignore[arg-type]


def test_a_peer_that_agrees_does_not_conflict() -> None:
    heard = judge([advert(), advert(priority=218)], OWN)
    assert heard.conflicts == []
    assert ["192.0.2.2" in line for line in heard.peers] == [True]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"version": 2, "interval": 1.0}, "version 2 and advert_int 1"),
        ({"router_id": 60}, "--router-id 60"),
        ({"interval": 1.0}, "advert_int 1 here"),
        ({"priority": 250}, "same --node"),
        ({"addresses": ("192.0.2.9",)}, "uses virtual_router_id 51 for 192.0.2.9"),
        ({"addresses": ("192.0.2.9",)}, "--router-id 52"),
    ],
)
def test_what_disagrees_is_named_with_its_cure(values: dict[str, object], words: str) -> None:
    heard = judge([advert(**values)], OWN)
    assert heard.peers == []
    (conflict,) = heard.conflicts
    assert words in conflict


def test_another_vip_on_another_id_does_not_matter() -> None:
    assert judge([advert(router_id=9, addresses=("192.0.2.9",))], OWN) == ([], [])


def test_a_unicast_peer_that_was_forgotten_is_named() -> None:
    heard = judge([advert()], OWN._replace(peers=("192.0.2.3",)))
    assert ["--peer 192.0.2.2" in line for line in heard.conflicts] == [True]
