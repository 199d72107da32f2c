"""Completion in bash, zsh and fish: what the parser takes, and the configuration's checks."""

import argparse
import os
import pathlib
import pty
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from helpers.needs import needs
from helpers.paths import ROOT
from kacheck import arguments
from kacheck.commands import OTHERS
from kacheck.doctor.catalogue import CODES
from kacheck.probes import MODULES

COMMAND_NAMES = [*MODULES, *OTHERS]
CONFIGURATION = """\
metrics = "/x.prom"
[check.vault-node]
probe = "combined"
  [ check . "with.dots" ] # [check.comment]
[check.vault-node.track]
[check.'quoted']
# [check.commented]
[check."$(touch hostile)"]
[check.`touch hostile`]
[other.table]
"""
CHECKS = ["quoted", "vault-node", "with.dots"]
BASH = """\
set -u
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
compopt() { echo "$2"; }
_kacheck kacheck "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' ${COMPREPLY[@]+"${COMPREPLY[@]}"}
"""
COMPOPT = {"FILE": "default", "DIR": "dirnames"}
"""What readline is left to complete by itself."""

Complete = Callable[..., list[str]]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The directory of what is made from the code."""
    directory = tmp_path_factory.mktemp("generated")
    subprocess.run([ROOT / "script/generate-docs", directory], check=True)
    return directory


@pytest.fixture
def toml(tmp_path: pathlib.Path) -> pathlib.Path:
    file = tmp_path / "kacheck.toml"
    file.write_text(CONFIGURATION)
    return file


@pytest.fixture
def complete(generated: pathlib.Path, tmp_path: pathlib.Path) -> Complete:
    """What bash offers for the last word: `complete("vault", "--acc")`, sorted."""

    def run(*words: object) -> list[str]:
        command = ["bash", "--norc", "--noprofile", "-c", BASH, "bash"]
        argv = [*command, str(generated / "kacheck.bash"), "kacheck", *map(str, words)]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        done = subprocess.run(
            argv, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
        )
        assert done.stderr == ""
        return sorted(done.stdout.split())

    return run


def actions(command: str) -> list[argparse.Action]:
    """Return all that a command takes."""
    parser = arguments.build([command])
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return [*commands.choices[command]._actions]


def options(command: str) -> list[str]:
    return sorted(word for action in actions(command) for word in action.option_strings)


def valued() -> Iterator[tuple[str, argparse.Action]]:
    """Yield every option with a value, by command."""
    for command in COMMAND_NAMES:
        for action in actions(command):
            if action.option_strings and action.nargs not in (0, "?"):
                yield command, action


@contextmanager
def terminal(shell: list[str], cwd: pathlib.Path) -> Iterator[Callable[[str, str], str]]:
    """Start a shell on a terminal: `enter(keys, awaited)` returns what was shown until then."""
    ours, theirs = pty.openpty()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(cwd),
        "TERM": "dumb",
        "INPUTRC": "/dev/null",
    }
    process = subprocess.Popen(
        shell,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)

    def enter(keys: str, awaited: str) -> str:
        os.write(ours, keys.encode())
        seen = ""
        while awaited not in seen:
            seen += os.read(ours, 1024).decode(errors="replace")
        return seen

    try:
        yield enter
    finally:
        process.kill()
        process.wait()
        os.close(ours)


# --- bash -----------------------------------------------------------------------------------


def test_bash_offers_the_commands(complete: Complete) -> None:
    assert complete("") == sorted(COMMAND_NAMES)


def test_bash_offers_the_commands_after_help(complete: Complete) -> None:
    assert complete("help", "") == sorted(COMMAND_NAMES)
    assert complete("d") == ["doctor", "drain"]
    assert complete("-") == ["--help", "--version", "-h"]
    assert complete("nonsense", "") == []


@pytest.mark.parametrize("command", COMMAND_NAMES)
def test_bash_offers_every_option_of_a_command_and_no_other(
    complete: Complete, command: str
) -> None:
    assert complete(command, "-") == options(command)


def test_bash_offers_the_options_where_nothing_else_can_stand(complete: Complete) -> None:
    assert complete("vault", "") == options("vault")
    assert complete("vault", "--insecure", "") == options("vault")


def test_bash_offers_the_choices_files_and_directories_of_every_option(complete: Complete) -> None:
    for command, action in valued():
        wanted = sorted(action.choices or ())
        if action.metavar == "CODE":
            wanted = [*CODES]
        elif action.metavar in COMPOPT:
            wanted = [COMPOPT[str(action.metavar)]]
        for option in action.option_strings:
            assert complete(command, option, "") == wanted, (command, option)
    assert complete("vault", "--ca-cert", "/x", "--accept", "s") == ["standby"]


def test_bash_offers_a_file_for_keepalived_conf(complete: Complete) -> None:
    for command in ("doctor", "migrate"):
        assert complete(command, "") == ["default"]
        assert complete(command, "--config", "/x", "/etc/k") == ["default"]
        assert complete(command, "/etc/keepalived/keepalived.conf", "") == []


def test_bash_offers_what_drain_does_and_then_checks(
    complete: Complete, toml: pathlib.Path
) -> None:
    assert complete("drain", "") == ["off", "on", "status"]
    assert complete("drain", "--message", "new disks", "o") == ["off", "on"]
    asked = complete("drain", "--config", toml, "on", "")
    assert asked == sorted([*CHECKS, *MODULES])


def test_bash_offers_the_checks_of_the_configuration(
    complete: Complete, toml: pathlib.Path
) -> None:
    assert complete("run", "--config", toml, "") == CHECKS
    assert complete("run", "--config", toml, "vault-node", "w") == ["with.dots"]
    assert complete("run", "--config", "~/kacheck.toml", "q") == ["quoted"]
    assert not (toml.parent / "hostile").exists()


def test_bash_offers_nothing_where_the_configuration_cannot_be_read(
    complete: Complete, tmp_path: pathlib.Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    for file in (tmp_path / "missing", tmp_path, tmp_path / "fifo", "-n"):
        assert complete("run", "--config", file, "") == []


def test_bash_offers_nothing_for_the_words_of_a_process(complete: Complete) -> None:
    assert complete("process", "") == []
    assert complete("process", "--", "vault", "-") == []


def test_the_file_for_bash_has_no_fault_that_shellcheck_finds(generated: pathlib.Path) -> None:
    needs("shellcheck")
    subprocess.run(["shellcheck", "--shell=bash", generated / "kacheck.bash"], check=True)


def test_a_file_is_completed_in_an_interactive_bash(
    generated: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "with blanks.toml").touch()
    (tmp_path / "with directory").mkdir()
    with terminal(["bash", "--norc", "--noprofile", "-i"], tmp_path) as enter:
        enter(f"PS1=; source {generated}/kacheck.bash; echo rea''dy\n", "ready\r\n")
        enter("kacheck run --config with\\ b\t", "with\\ blanks.toml ")
        enter("--state-dir with\t", "with\\ directory/")


# --- zsh ------------------------------------------------------------------------------------

ZSH = """\
source $1; words=("${@:2}")
_arguments() {
    if [[ $* == *'->words'* ]]; then state=words; else print -rl -- "$@"; fi
}
_kacheck
"""


def zsh(*words: object) -> list[str]:
    done = subprocess.run(
        ["zsh", "-f", *map(str, words)], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_zsh_takes_the_file_for_its_completion_of_kacheck(generated: pathlib.Path) -> None:
    needs("zsh")
    zsh("-n", generated / "_kacheck")
    load = f"fpath=({generated} $fpath); autoload -U compinit; compinit -D -u"
    assert zsh("-c", f"{load}; autoload -Uz +X _kacheck; print $_comps[kacheck]") == ["_kacheck"]


def test_the_checks_are_offered_in_an_interactive_zsh(
    generated: pathlib.Path, toml: pathlib.Path
) -> None:
    needs("zsh")
    load = f"fpath=({generated} $fpath); autoload -U compinit; compinit -D -u"
    with terminal(["zsh", "-f", "-i"], toml.parent) as enter:
        enter(f"PS1=; unsetopt zle; {load}; setopt zle; echo rea''dy\n", "ready\r\n")
        listed = enter("kacheck drain --config kacheck.toml on \t", "with.dots")
    assert {*CHECKS, *MODULES} <= {*listed.split()}


@pytest.mark.parametrize("command", COMMAND_NAMES)
def test_zsh_offers_every_option_of_a_command_and_its_choices(
    generated: pathlib.Path, command: str
) -> None:
    needs("zsh")
    script = f"compdef() {{ }}\n{ZSH}"
    specs = zsh("-c", script, "zsh", generated / "_kacheck", command)
    found = (re.match(r"(?:\([^)]*\)|\*)(-[\w-]+)\[", spec) for spec in specs)
    offered = {each[1]: each.string for each in found if each}
    assert sorted(offered) == options(command)
    for action in actions(command):
        for option in action.option_strings if action.choices else ():
            assert offered[option].endswith(f":({' '.join(action.choices or ())})")


# --- fish -----------------------------------------------------------------------------------


@pytest.fixture
def fish(generated: pathlib.Path, tmp_path: pathlib.Path) -> Complete:
    """What fish offers for the last word, without what it says about it."""
    needs("fish")

    def run(*words: object) -> list[str]:
        line = " ".join(map(str, ("kacheck", *words)))
        code = f"source {generated}/kacheck.fish; complete -C '{line}'"
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["fish", "--no-config", "-c", code],
            check=False,  # 1: there is nothing to offer
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
        assert done.stderr == ""
        return sorted(line.split("\t")[0] for line in done.stdout.splitlines())

    return run


def test_fish_offers_the_commands_and_the_options_of_each(fish: Complete) -> None:
    assert fish("") == sorted(COMMAND_NAMES)
    for command in COMMAND_NAMES:
        assert fish(command, "--") == [each for each in options(command) if each[:2] == "--"]


def test_fish_offers_choices_codes_and_files(fish: Complete, tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.pem").touch()
    (tmp_path / "directory").mkdir()
    for command, action in valued():
        option = action.option_strings[-1]
        if action.choices:
            assert fish(command, option, "") == sorted(action.choices), (command, option)
    assert fish("doctor", "--explain", "") == [*CODES]
    assert fish("vault", "--ca-cert", "") == ["a.pem", "directory/"]
    assert fish("vault", "--ca-path", "") == ["directory/"]
    assert fish("migrate", "a") == ["a.pem"]
    assert fish("process", "") == []


def test_fish_offers_what_drain_does_and_the_checks(fish: Complete, toml: pathlib.Path) -> None:
    assert fish("drain", "") == ["off", "on", "status"]
    asked = fish("drain", "--config", toml, "on", "")
    assert asked == sorted([*CHECKS, *MODULES])
    assert fish("run", "--config", toml, "") == CHECKS
    assert fish("run", "--config", toml.parent, "") == []
    assert not (toml.parent / "hostile").exists()
