"""Fixtures for the table of failures: two nodes, and what each row begins with."""

import sys
from collections.abc import Iterator

import pytest

from helpers.certificates import Authority
from helpers.failures import Scene, fast
from helpers.keepalived import Keepalived, Lab, wait_until
from helpers.needs import needs
from helpers.pair import PATIENCE
from helpers.vault_node import VaultNode


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[VaultNode, VaultNode, Keepalived]]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    authority = Authority()
    with Lab() as lab:
        a, b = (VaultNode(lab.node(name), authority) for name in "ab")
        b.start_vault()
        b.start_watcher()
        keepalived = b.keepalived(fast(218))
        keepalived.wait_for("MASTER", PATIENCE)
        yield a, b, keepalived


@pytest.fixture
def scene(
    stage: tuple[VaultNode, VaultNode, Keepalived], request: pytest.FixtureRequest
) -> Iterator[Scene]:
    scene = Scene(*stage)
    try:
        yield scene
        for source, phrase in request.function.row.phrases():
            wait_until(lambda: phrase in scene.sources()[source], f"{source}: no {phrase!r}")
    except BaseException:
        sys.stdout.write(scene.logs())
        raise
    finally:
        scene.end()
