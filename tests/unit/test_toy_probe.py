"""A new probe is one declaration and one line of the registry, and is then a check everywhere.

The steps are those of CONTRIBUTING, "Where to add what".
"""

import json
import pathlib
import signal
import subprocess
import sys

import pytest

from helpers.paths import ROOT
from helpers.waiting import until
from kacheck import cli, config, probes
from kacheck.result import BadConfigError

TOY = '''
"""Does the oracle say yes? A probe of the tests."""

from typing import NamedTuple

from kacheck.kinds import TEXT, one_of
from kacheck.probe import Option, Probe
from kacheck.result import CRITICAL, Reason, Result, Status

AGREED = Reason("agreed", (Status.OK,), "The oracle says yes")
DENIED = Reason("denied", CRITICAL, "The oracle says no")

PROBE = Probe(
    name="oracle",
    summary="Ask the oracle",
    options=(
        Option("path", TEXT, "the file it is read from", metavar="PATH", example="/srv/oracle",
               is_positional=True, is_required=True),
        Option("mood", TEXT, "how it is asked", metavar="MOOD", default="calm"),
        Option("omen", one_of("crow", "owl"), "what it sees", is_repeatable=True, is_set=True),
        Option("token", TEXT, "what the oracle asks for", metavar="TOKEN", environment="ORACLE_TOKEN",
               is_secret=True),
    ),
    reasons=(AGREED, DENIED),
    prepare="kacheck_oracle:prepare",
    look="kacheck_oracle:look",
)


class Asked(NamedTuple):
    """What is asked."""

    path: str
    mood: str = "calm"
    omen: tuple[str, ...] = ()
    token: str | None = None


def prepare(values):
    """Return what is asked."""
    return Asked(**values)


def look(asked, deadline):
    """Ask once."""
    deadline.enter("read", asked.path)
    with open(asked.path) as file:
        word = file.read().strip()
    known = "known" if asked.token == "sesame" else "unknown"
    message = f"{asked.mood} {known} {'+'.join(asked.omen)}: {word}"
    if word == "yes":
        return Result(Status.OK, AGREED, message, {})
    return Result(Status.CRITICAL, DENIED, message, {})
'''
REGISTERED = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from kacheck import cli, probes;"
    "probes.MODULES['oracle'] = 'kacheck_oracle'; cli.run()"
)
"""The registry's line, for a separate program."""


@pytest.fixture
def oracle(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Add the probe to the registry; the file that its look reads."""
    (tmp_path / "kacheck_oracle.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(probes.MODULES, "oracle", "kacheck_oracle")
    monkeypatch.delitem(sys.modules, "kacheck_oracle", raising=False)
    file = tmp_path / "oracle"
    file.write_text("yes\n")
    return file


@pytest.fixture
def toml(oracle: pathlib.Path) -> pathlib.Path:
    """A configuration with a check of the new probe."""
    path = oracle.parent / "kacheck.toml"
    path.write_text(
        f'[check.delphi]\nprobe = "oracle"\npath = "{oracle}"\nomen = ["owl"]\n'
        'token = "sesame"\ninterval = 0.1\ntrack = { ok = 5, denied = -7 }\n'
    )
    return path


def test_it_is_a_command(oracle: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["oracle", "--mood", "grim", "--omen", "owl", "--omen", "crow", str(oracle)]
    assert cli.main(words) == 0
    assert capsys.readouterr().out == "ok agreed: grim unknown owl+crow: yes\n"
    oracle.write_text("no")
    assert cli.main(["oracle", str(oracle)]) == 2
    assert capsys.readouterr().out.startswith("critical denied: ")


def test_its_variable_is_read(
    oracle: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORACLE_TOKEN", "sesame")
    assert cli.main(["oracle", str(oracle)]) == 0
    assert "calm known" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "PATH is missing: give the file it is read from, such as /srv/oracle"),
        (["a", "b"], "unrecognized arguments: b"),
        (["--omen", "raven", "a"], "invalid choice: 'raven'"),
        (["--mod", "x", "a"], "--mod"),
    ],
)
def test_a_mistake_on_its_command_line_has_a_cure(
    oracle: pathlib.Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert oracle.exists()
    assert cli.main(["oracle", *words]) == 3
    assert message in capsys.readouterr().err


def test_it_has_help(oracle: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert oracle.exists()
    assert cli.main(["oracle", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "usage: kacheck oracle [OPTION...] PATH" in shown
    assert "--mood MOOD how it is asked; default calm" in shown
    assert "--token TOKEN what the oracle asks for; variable ORACLE_TOKEN" in shown
    assert cli.main(["--help"]) == 0
    assert "oracle Ask the oracle" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        ("", 1, 'check a has no path; add path = "/srv/oracle", the file it is read from'),
        ("path = 1", 3, "path is 1; give a string, in quotes"),
        ("path = '/x'\nomen = ['owl', 'raven']", 4, 'omen, element 2, is "raven"; give "crow" or'),
        ("path = '/x'\nmoood = 'x'", 4, "unknown key moood for probe oracle; did you mean mood?"),
        ("path = '/x'\nname = 'x'", 4, "name is a key of probe process; remove it"),
        ("path = '/x'\ntrack = { agree = 1 }", 4, "did you mean agreed?"),
        ("path = '/x'\ntrack = { denied = 1 }", 4, "denied in track is 1, not below ok (1)"),
    ],
)
def test_a_mistake_in_its_configuration_has_its_line_and_a_cure(
    oracle: pathlib.Path, lines: str, line: int, message: str
) -> None:
    assert oracle.exists()
    with pytest.raises(BadConfigError) as refused:
        config.parse(f'[check.a]\nprobe = "oracle"\n{lines}\n', "k.toml")
    assert str(refused.value).startswith(f"k.toml:{line}: ")
    assert message in str(refused.value)


def test_its_secret_is_not_repeated(
    oracle: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f'[check.a]\nprobe = "oracle"\npath = "{oracle}"\ntoken = ["hunter2"]\n'
    with pytest.raises(BadConfigError, match=r"k.toml:4: token is invalid; give ") as refused:
        config.parse(text, "k.toml")
    assert "hunter2" not in str(refused.value)
    assert cli.main(["oracle", "--token", "hunter2\0", str(oracle)]) == 3
    assert "hunter2" not in capsys.readouterr().err


def test_it_runs_by_name(toml: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--config", str(toml), "--format", "json", "delphi"]) == 0
    assert json.loads(capsys.readouterr().out)["reason"] == "agreed"


def test_it_is_part_of_a_combination(
    toml: pathlib.Path, oracle: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with toml.open("a") as file:
        file.write('[check.both]\nprobe = "combined"\nall = ["delphi"]\n')
    assert cli.main(["run", "--config", str(toml), "both"]) == 0
    oracle.write_text("no")
    assert cli.main(["run", "--config", str(toml), "both"]) == 2
    assert "critical denied: delphi: " in capsys.readouterr().out


def test_it_can_be_drained(oracle: pathlib.Path, tmp_path: pathlib.Path) -> None:
    state = ["--state-dir", str(tmp_path)]
    assert cli.main(["drain", "on", *state, "--config", "/dev/null", "oracle"]) == 3
    assert cli.main(["drain", "on", *state, "oracle"]) == 0
    assert cli.main(["oracle", *state, str(oracle)]) == 2


def test_the_watcher_has_it_in_its_files_status_and_metrics(
    toml: pathlib.Path, oracle: pathlib.Path
) -> None:
    state, metrics = toml.parent / "state", toml.parent / "k.prom"
    toml.write_text(f'metrics = "{metrics}"\n{toml.read_text()}')
    program = [sys.executable, "-I", "-c", REGISTERED, str(toml.parent)]
    places = ["--state-dir", str(state)]
    watcher = subprocess.Popen([*program, "watch", "--config", str(toml), *places])
    try:
        track = state / "track/delphi"
        until(lambda: track.exists() and track.read_text() == "5\n")
        oracle.write_text("no")
        until(lambda: track.read_text() == "-7\n")
        verdict = state / "verdict/delphi"
        until(lambda: verdict.read_text().split()[2:4] == ["critical", "denied"])
        shown = subprocess.run(
            [*program, "status", "--json", *places], capture_output=True, text=True, check=False
        )
        (check,) = json.loads(shown.stdout)["checks"]
        assert (check["probe"], check["reason"]) == ("oracle", "denied")
        until(lambda: metrics.exists() and 'reason="denied"' in metrics.read_text())
    finally:
        watcher.send_signal(signal.SIGTERM)
        assert watcher.wait(30) == 0


def test_shells_complete_it(oracle: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)  # the generator is not part of the package
    from script import completion

    assert oracle.exists()
    command = next(each for each in completion.commands() if each.name == "oracle")
    names = {name: word for word in command.options for name in word.names}
    assert names["--omen"].choices == ("crow", "owl")
    assert names["--omen"].again
    assert "--mood" in names


def test_its_reference_is_generated(oracle: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from script import markdown, reference, roff

    assert oracle.exists()
    commands, keys = [*reference.command_sections()], [*reference.key_sections()]
    assert "| `--omen crow\\|owl` | What it sees; may be given" in markdown.commands(commands)
    assert '## Checks of probe "oracle"' in markdown.keys(keys)
    assert "| `denied` | critical | oracle |" in markdown.reasons(reference.reason_rows())
    assert r"\fB\-\-mood\fR \fIMOOD\fR" in roff.commands(commands)


def test_a_probe_that_is_not_registered_is_an_error() -> None:
    with pytest.raises(
        BadConfigError, match=r'probe is "oracle"; give "process", .* or "combined"'
    ):
        config.parse('[check.a]\nprobe = "oracle"\n', "k.toml")
    assert cli.main(["oracle"]) == 3
