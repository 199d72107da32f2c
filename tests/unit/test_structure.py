"""The structure: what ARCHITECTURE says of modules is true of their imports."""

import ast
import pathlib
from collections.abc import Iterator

from helpers.paths import ROOT
from kacheck.probes import MODULES as PROBES

SOURCE = ROOT / "src"


def name_of(path: pathlib.Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in sorted((SOURCE / "kacheck").rglob("*.py"))}


def imported(path: pathlib.Path) -> Iterator[str]:
    """Yield the package's modules that a module imports anywhere, for types too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in MODULES else node.module


IMPORTS = {
    name: {module for module in imported(path) if module in MODULES and module != name}
    for name, path in MODULES.items()
}


def reachable(name: str) -> set[str]:
    seen: set[str] = set()
    todo = [*IMPORTS[name]]
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo += IMPORTS[module]
    return seen


def test_no_module_imports_itself_in_a_circle() -> None:
    assert [name for name in MODULES if name in reachable(name)] == []


def test_only_the_registry_migrate_doctor_init_and_probes_name_a_probe() -> None:
    probes = {f"kacheck.probes.{name}" for name in PROBES}
    rooms = ("kacheck.probes.", "kacheck.migrate.", "kacheck.doctor.", "kacheck.init.")
    allowed = (*rooms, "kacheck.handover")  # what a drain says of Vault's roles
    naming = {
        name
        for name, modules in IMPORTS.items()
        for module in modules
        if not name.startswith(allowed)
        and any(module == probe or module.startswith(f"{probe}.") for probe in probes)
    }
    assert naming == set()


def test_the_exchange_knows_no_probe() -> None:
    rooms = {name for name in MODULES if name.startswith("kacheck.exchange")}
    assert rooms
    assert {module for name in rooms for module in IMPORTS[name] if ".probes" in module} == set()


def test_a_class_name_means_one_class() -> None:
    names = [
        node.name
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    assert [name for name in names if names.count(name) > 1] == []
