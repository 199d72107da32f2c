"""The commands for developers: make, pre-commit and script/lint start programs that are there."""

import os
import re
import subprocess

from helpers.needs import needs
from helpers.paths import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_target_of_make_starts_a_script_that_is_there() -> None:
    needs("make")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    for target in phony.split():
        command = ["make", "--dry-run", "--directory", str(ROOT), target]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        for script in re.findall(r"^(script/[\w-]+)", done.stdout, re.MULTILINE):
            assert os.access(ROOT / script, os.X_OK), script


def test_make_alone_names_every_target() -> None:
    needs("make")
    command = ["make", "--silent", "--directory", str(ROOT)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    (phony,) = re.findall(r"^\.PHONY: help (.*)$", MAKEFILE, re.MULTILINE)
    assert sorted(re.findall(r"^make (\w+)", done.stdout, re.MULTILINE)) == sorted(phony.split())


def test_the_hooks_are_local_and_there() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"repo: (.*)", text) == ["local"]
    entries = re.findall(r"entry: (\S+)", text)
    assert entries
    assert all(os.access(ROOT / entry, os.X_OK) for entry in entries)


def test_lint_refuses_what_it_does_not_know() -> None:
    done = subprocess.run([ROOT / "script/lint", "all"], check=False, capture_output=True)
    assert done.returncode == 3
