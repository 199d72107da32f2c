"""What follows from a drain, by the way that a check is declared."""

import pytest

from helpers.vault_node import CONFIGURATION
from kacheck import config
from kacheck.handover import STEP_DOWN, TO_ANOTHER, TO_STANDBY, consequences, drained_checks

VAULT = '[check.x]\nprobe = "vault"\n'


@pytest.mark.parametrize(
    ("toml", "texts"),
    [
        (VAULT, [STEP_DOWN]),
        (f'{VAULT}accept = ["active", "standby"]', [TO_STANDBY]),
        (f'{VAULT}accept = ["active", "performance-standby"]', [STEP_DOWN]),
        (f"{VAULT}track = {{ ok = 20, warning = 0, critical = -254 }}", [TO_STANDBY]),
        (f"{VAULT}track = {{ ok = 1, warning = -254, critical = -254 }}", [STEP_DOWN]),
        (f"{VAULT}track = {{ ok = 20, critical = -254, standby = -254 }}", [STEP_DOWN]),
        (f"{VAULT}track = {{ ok = 20, critical = -254, draining = 0 }}", [STEP_DOWN]),
        ('[check.x]\nprobe = "process"\nname = "vault"', [TO_ANOTHER]),
        ('[check.x]\nprobe = "combined"\nprocess = "vault"', [STEP_DOWN]),
        (CONFIGURATION, [f"vault-graded: {TO_STANDBY}", f"vault-node: {STEP_DOWN}"]),
        ("", []),
    ],
)
def test_who_can_take_the_vip(toml: str, texts: list[str]) -> None:
    assert consequences(config.parse(toml, "x.toml").checks) == texts


def test_what_a_drain_makes_fail() -> None:
    checks = config.parse(CONFIGURATION, "x.toml").checks
    for names, failing in (
        (["vault-graded"], ["vault-graded", "vault-node"]),
        (["vault-node"], ["vault-node"]),
        (["other"], []),
        (None, ["vault-graded", "vault-node"]),
    ):
        assert [check.name for check in drained_checks(checks, names)] == failing
