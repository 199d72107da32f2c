"""Which interface a VIP belongs to."""

from ipaddress import ip_interface

import pytest

from kacheck.init.network import choose
from kacheck.network import NetworkInterfaces, OwnAddress, interfaces, own_address
from kacheck.result import BadConfigError

VIP = ip_interface("10.0.0.100/24")


def machine(*addresses: str) -> NetworkInterfaces:
    pairs = [each.split() for each in addresses]
    return NetworkInterfaces(
        tuple(name for name, _ in pairs),
        tuple(OwnAddress(name, ip_interface(address)) for name, address in pairs),
    )


@pytest.mark.parametrize(
    ("addresses", "routed", "name"),
    [
        (["lo 127.0.0.1/8", "ens3 10.0.0.1/24", "ens4 10.0.1.1/24"], None, "ens3"),
        (["ens3 10.0.0.1/16", "ens4 10.0.0.2/24"], "10.0.0.1", "ens4"),
        (["ens3 10.0.0.1/24", "ens4 10.0.0.2/24"], "10.0.0.2", "ens4"),
        (["ens3 10.0.0.1/24", "ens3 10.0.0.100/24"], None, "ens3"),
    ],
    ids=["its network", "the smallest network", "the kernel's route", "the VIP is here"],
)
def test_the_interface_is_the_one_in_the_network_of_the_vip(
    addresses: list[str], routed: str | None, name: str
) -> None:
    assert choose(machine(*addresses), VIP, routed).interface == name


@pytest.mark.parametrize(
    ("addresses", "words"),
    [
        (["lo 127.0.0.1/8", "ens3 10.0.1.1/24"], "ens3 10.0.1.1/24"),
        (["ens3 10.0.0.1/24", "ens4 10.0.0.2/24"], "ens3, ens4 are all"),
        ([], "none has any"),
    ],
)
def test_what_cannot_be_known_is_asked_for(addresses: list[str], words: str) -> None:
    with pytest.raises(BadConfigError, match="give --interface IF") as error:
        choose(machine(*addresses), VIP, None)
    assert words in str(error.value)


def test_masks_are_lengths() -> None:
    assert own_address("10.0.0.1", "255.255.240.0") == ip_interface("10.0.0.1/20")
    assert own_address("fe80::1%ens3", "ffff:ffff:ffff:ffff::") == ip_interface("fe80::1/64")


def test_this_machine_has_a_loopback() -> None:
    assert interfaces().has_own("127.0.0.1")
