"""How a finding is declared and run: the steps of CONTRIBUTING."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from helpers.doctor import Doctor, script
from kacheck import doctor as package
from kacheck.doctor import catalogue
from kacheck.doctor.context import Context
from kacheck.doctor.crash import Crashes
from kacheck.doctor.finding import Lint, Observation, Severity, at, finding

SCRIPTS = script('"/usr/bin/true"') + script('"/usr/bin/false"').replace("chk", "other")


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


@finding("KA299", Severity.NOTE, "a script", "It is a script.\n\nDo: nothing.")
def toy(context: Context) -> Iterator[Observation]:
    for each in context.scripts:
        yield at(each.node, f"{each.name} is a script", "it is one", "nothing")


@finding("KA298", Severity.NOTE, "a crash", "It crashes.")
def crashing(context: Context) -> Iterator[Observation]:
    yield from toy.look(context)
    raise RuntimeError("boom")


def test_a_declaration_gives_code_file_and_line(doctor: Doctor) -> None:
    module = ModuleType("toy")
    module.__dict__["toy"] = toy
    first, second = doctor.find(module, SCRIPTS)

    assert first[1:] == ("chk is a script", "it is one", "nothing", str(doctor.path), 2)
    assert (second.what, second.line) == ("other is a script", 8)
    assert first.code[:3] == ("KA299", Severity.NOTE, "a script")


def test_one_cause_of_crashes_is_one_finding(doctor: Doctor) -> None:
    crashes = Crashes()
    again = Lint(crashing.code._replace(name="KA297"), crashing.look)
    context = doctor.context(SCRIPTS)
    kept = [each for lint in (crashing, again) for each in crashes.guard(lint, context)]

    (crash,) = crashes.findings()
    assert crash.what.startswith("crashing, crashing crashed: RuntimeError: boom (crashing:")
    assert [each.code.name for each in kept] == ["KA298", "KA298", "KA297", "KA297"]


def test_the_catalogue_lists_every_module_with_findings() -> None:
    modules = [
        importlib.import_module(info.name)
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    declared = {
        lint.code.name
        for module in modules
        if module is not catalogue
        for lint in catalogue.lints(module)
    }
    assert declared | {"KA001"} == {*catalogue.CODES}
