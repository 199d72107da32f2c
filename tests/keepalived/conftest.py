"""Fixtures for a real keepalived: one node, or two with a Vault."""

from collections.abc import Iterator

import pytest

from helpers.certificates import Authority
from helpers.keepalived import Lab, Node
from helpers.needs import needs
from helpers.vault_node import VaultNode


@pytest.fixture
def node() -> Iterator[Node]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        yield lab.node("a")


@pytest.fixture
def nodes() -> Iterator[tuple[VaultNode, VaultNode]]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    authority = Authority()
    with Lab() as lab:
        a, b = (lab.node(name) for name in "ab")
        yield VaultNode(a, authority), VaultNode(b, authority)
