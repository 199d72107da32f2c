"""Bad usage is exit 3 with one line on stderr that names what is wrong."""

import re

import pytest

from kacheck import __version__
from kacheck.cli import main
from kacheck.commands import OTHERS, command
from kacheck.probes import MODULES


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "COMMAND"),
        (["vaults"], "vaults"),
        (["process"], "NAME is missing"),
        (["process", ""], "NAME is empty"),
        (
            ["process", "--quorum", "0", "vault"],
            '--quorum: invalid value "0": give a whole number from 1 to 65535',
        ),
        (["process", "--quorum", "65536", "vault"], "65536"),
        (["process", "--quorum", "00000000199999", "vault"], "00000000199999"),
        (["process", "--quorum-max", "-1", "vault"], "--quorum-max"),
        (["process", "--param-match", "regex", "vault"], "regex"),
        (["process", "--quorum", "3", "--quorum-max", "2", "vault"], "--quorum-max 2"),
        (
            ["process", "vault", "-config=/etc/vault.d"],
            (
                "-config=/etc/vault.d; put -- before vault if these options are its own: "
                "kacheck process -- vault -config=/etc/vault.d; see kacheck process --help"
            ),
        ),
        (
            ["command", "--timeout", "2", "/bin/check x", "-w", "5", "--flag"],
            "kacheck command --timeout 2 -- '/bin/check x' -w 5 --flag; see",
        ),
        (["process", "vault", "--quorun", "2"], "--quorun 2; did you mean --quorum? see"),
        (["process", "vault", "--health"], "kacheck process -- vault --health; see"),
        (["http", "http://127.0.0.1/", "--zzz"], "--zzz; see kacheck http --help"),
        (["process", "mysqld", "-h"], "kacheck process -- mysqld -h; see kacheck process --help"),
        (["watch", "--help", "x"], "healthy; see kacheck watch --help"),
        (["process", "--quoru", "1", "vault"], "--quoru"),
        (["vault", "--timeout", "0"], 'invalid time "0"'),
        (["vault", "--timeout", "soon"], "soon"),
        (["vault", "--accept", "leader"], "leader"),
        (["vault", "--address", "127.0.0.1:8200"], "--address 127.0.0.1:8200"),
        (["vault", "--", "x"], "--"),
        (["vault", "extra"], "extra"),
        (["vault", "--verbose", "--quiet"], "--quiet"),
        (["vault", "--client-cert", "c.pem"], "--client-key"),
        (["vault", "--ca-cert", "/no/such/ca.pem"], "/no/such/ca.pem"),
        (["vault", "--format", "xml"], "xml"),
        (["combined", "--address", "http://127.0.0.1"], "--process"),
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], argv: list[str], words: str) -> None:
    assert main(argv) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert shown.err.startswith("kacheck: ")
    assert words in shown.err


def test_bad_usage_exits_1_under_misc_check() -> None:
    assert main(["process", "--misc", "--quorum", "none", "vault"]) == 1
    assert main(["process", "--misc", "--quorum", "3", "--quorum-max", "2", "vault"]) == 1


def test_bad_usage_fails_even_where_unknown_is_ok() -> None:
    assert main(["vault", "--on-unknown", "ok", "--address", "nonsense"]) == 3


def test_words_with_a_leading_dash_go_after_two_dashes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for argv in (["ktest-none", "--", "server", "-dev"], ["--", "ktest-none", "server", "-dev"]):
        assert main(["process", *argv]) == 2
        assert "named ktest-none with arguments server -dev" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [
        ["process", "mysqld", "-h"],
        ["process", "java", "--version"],
        ["process", "psql", "-qh"],
        ["vault", "--misc", "--help"],
        ["--version", "vault", "--quiet"],
    ],
)
def test_help_inside_a_check_is_bad_usage_since_0_means_healthy(
    argv: list[str],
) -> None:
    assert main(argv) == (1 if "--misc" in argv else 3)


def test_a_word_with_a_newline_makes_no_second_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vault", "--timeout", "1\n2"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_version_and_help_are_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kacheck {__version__}\n"
    for words in ([], *([name] for name in MODULES)):
        assert main([*words, "--help"]) == 0
        shown = capsys.readouterr()
        assert shown.out.startswith(f"usage: {' '.join(['kacheck', *words])}")
        assert shown.err == ""


@pytest.mark.parametrize("words", [[], *([name] for name in (*MODULES, *OTHERS))])
def test_help_prints_the_help_of_a_command(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert main(["help", *words]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("argv", [["help", "proces"], ["help", "process", "vault"]])
def test_help_refuses_what_is_not_a_command(argv: list[str]) -> None:
    assert main(argv) == 3


def test_every_command_is_described_by_a_sentence() -> None:
    for name in (*MODULES, *OTHERS):
        assert re.fullmatch(r"[A-Z][\w-]+ .*[^.?!]", command(name).summary), name


def test_no_option_is_documented_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every option that a help text mentions is one that some command defines."""
    defined: set[str] = set()
    mentioned: set[str] = set()
    for name in MODULES:
        main([name, "--help"])
        shown = capsys.readouterr().out
        defined |= set(re.findall(r"^ +(?:-\w(?: \w+)?, )?(--[a-z-]+)", shown, re.MULTILINE))
        mentioned |= set(re.findall(r"--[a-z][a-z-]*", shown))
    assert mentioned <= defined
