"""The README is short, and its examples, its links and the pages of docs/ are what the code does."""

import re
import shlex
import textwrap
from pathlib import Path

import pytest

from helpers.paths import ROOT
from helpers.reasons import REASON
from helpers.vault import StandInVault
from kacheck import arguments, config
from kacheck.cli import main
from kacheck.doctor.kacheck.entry_point_paths import entry_points
from kacheck.probes import MODULES
from kacheck.result import Status
from kacheck.watch.metrics import families

DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
COMMANDS = (*MODULES, "run", "status", "drain", "init", "doctor", "migrate")


def page(name: str) -> str:
    return (DOCS / name).read_text()


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(README.encode()) <= 8192


def test_every_option_is_documented_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    defined: set[str] = set()
    for command in (*COMMANDS, "watch"):
        main([command, "--help"])
        defined |= set(
            re.findall(r"^ +(?:-\w(?: \w+)?, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)
        )
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page("commands.md"))) == defined


def test_every_reason_is_documented_and_no_other() -> None:
    rows = [row.split("|")[1] for row in page("reasons.md").splitlines() if row.startswith("| `")]
    assert set(re.findall(r"`([a-z-]+)`", "".join(rows))) == set(REASON)


def test_the_exit_codes_in_the_documentation_are_the_statuses() -> None:
    table = page("commands.md").split("## Exit codes")[1].split("## ")[0]
    rows = re.findall(r"^\| (\d) \| (\w+)", table, re.MULTILINE)
    assert rows == [(str(status.value), status.word) for status in Status]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(path: Path) -> None:
    text = path.read_text()
    for name in re.findall(r"`((?:script|tests|bench|examples)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`([\w-]+\.conf)`", text):
        recipes = ROOT / "examples/keepalived.conf.d"
        assert name == "keepalived.conf" or (recipes / name).exists(), name
    for name in re.findall(r"`([a-z_/]+\.py)`", text):
        assert any((ROOT / "src/kacheck").rglob(name)) or (ROOT / name).exists(), name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        if "://" not in link:
            name, _, anchor = link.partition("#")
            target = path.parent / name if name else path
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text()), link


def test_the_readme_leads_to_every_page() -> None:
    links = set(re.findall(r"\]\((docs/[^)#]+)", README))
    assert links >= {f"docs/{path.name}" for path in DOCS.glob("*.md")}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_page_is_understood(path: Path) -> None:
    for line in re.findall(r"^    (?:\$ )?(kacheck .*)$", path.read_text(), re.MULTILINE):
        words = shlex.split(line.partition(" && ")[0], comments=True)
        arguments.parse(words[1:])


def test_the_metrics_in_the_documentation_are_those_that_are_written() -> None:
    pytest.importorskip("prometheus_client")
    written = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in families([])
    }
    assert set(re.findall(r"^\| `(kacheck_\w+)` ", page("watch.md"), re.MULTILINE)) == written


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


# --- the examples of the README ----------------------------------------------------------------

KEEPALIVED_CONF = """\
vrrp_script chk_vault {
    script "/usr/bin/curl -s http://127.0.0.1:8200/v1/sys/health | grep -q active"
}
vrrp_track_process track_vault {
    process vault
}
vrrp_instance VI_1 {
    track_script {
        chk_vault
    }
    track_process {
        track_vault
    }
}
"""


def block(start: str) -> str:
    """Return the only example that begins like this."""
    examples = re.findall(r"(?:^    .*\n|^\n(?=    ))+", README, re.MULTILINE)
    (found,) = (text for text in map(textwrap.dedent, examples) if text.strip().startswith(start))
    return found.strip()


@pytest.mark.parametrize(("state", "code"), [("active", 0), ("sealed", 2)])
def test_the_answers_about_vault_are_real(
    capsys: pytest.CaptureFixture[str], state: str, code: int
) -> None:
    with StandInVault(state=state) as vault:
        assert main(["vault", "--remote", "--address", vault.address]) == code
        said = capsys.readouterr().out.replace(vault.address, "https://127.0.0.1:8200")
    assert block(f"$ kacheck vault\n{said.split()[0]} ") == (
        f"$ kacheck vault\n{said}$ echo $?\n{code}"
    )


def test_the_smallest_script_is_a_check_that_is_understood() -> None:
    (script,) = re.findall(r'script "(.*)"', block("global_defs"))
    path, *words = shlex.split(script)
    assert path == "/usr/libexec/kacheck/kacheck-process"
    assert arguments.parse(["process", *words]).values == {"name": "vault"}
    (name,) = re.findall(r"^vrrp_script (\w+) \{", block("global_defs"), re.MULTILINE)
    assert block("track_script").split() == ["track_script", "{", name, "}"]


def test_the_check_of_the_watcher_is_good() -> None:
    (check,) = config.parse(block("[check."), "kacheck.toml").checks
    assert check.name == "vault-graded"


def test_the_doctors_finding_is_real(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text(KEEPALIVED_CONF)
    main(["doctor", str(conf), "--config", str(tmp_path / "kacheck.toml")])
    said = capsys.readouterr().out.replace(str(tmp_path), "/etc/keepalived")
    assert block("error KA241") in said


CHECK = """vrrp_script vault {
    script "%s/kacheck-vault --ca-cert /etc/vault.d/ca.pem"
}
vrrp_instance VI_1 {
    interface lo
    track_script {
        vault
    }
}
"""


def test_the_doctors_first_line_is_real(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    directory = entry_points()
    assert directory is not None
    conf.write_text(CHECK % directory)
    main(["doctor", str(conf), "--config", str(tmp_path / "kacheck.toml")])
    said = capsys.readouterr().out.replace(directory, "/usr/libexec/kacheck")
    assert block("$ kacheck doctor").partition("\n")[2] in said


def test_the_diff_of_migrate_is_real(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text(KEEPALIVED_CONF)
    option = f"--config {tmp_path}/kacheck.toml "
    assert main(["migrate", *option.split(), str(conf)]) == 0
    diff = capsys.readouterr().out.replace(option, "").splitlines()
    _, *lines = block("$ kacheck migrate").splitlines()
    places = [diff.index(line) for line in lines if line != "..."]
    assert places == sorted(places)
