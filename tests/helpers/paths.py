"""Where the checkout and the tests' programs are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout, or the unpacked sdist."""
TESTS = ROOT / "tests"
CHECKS = ROOT / "checks"
STAND_IN_VAULT = TESTS / "helpers/vault.py"
CONFIGURATIONS = TESTS / "helpers/configurations"
