"""The manual says what the code does, both ways: parser, configuration, reasons, variables, codes."""

import argparse
import math
import os
import pathlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from helpers.needs import needs
from helpers.paths import ROOT
from helpers.reasons import REASON
from kacheck import __version__, arguments, config
from kacheck.check import Check
from kacheck.commands import OTHERS, command
from kacheck.commands.probe import PREFIX
from kacheck.config.checks import read_value
from kacheck.config.keys import NAMES
from kacheck.config.values import WrongError
from kacheck.consul.environment import from_environment as consul_environment
from kacheck.deadline import DEFAULT_TIMEOUT
from kacheck.doctor.catalogue import CODES
from kacheck.durations import LONGEST_TIMEOUT
from kacheck.probes import MODULES, probe
from kacheck.probes.process.options import ProcessOptions
from kacheck.probes.vault.settings import VaultOptions, from_environment
from kacheck.result import Status
from kacheck.state import Policy
from kacheck.watch.notify import Notifier

COMMANDS = [*MODULES, *OTHERS]
ALL_KEYS = {*NAMES, *(each.name for name in MODULES for each in probe(name).options)}
MAN = ROOT / "man"
COMMAND, FILE, ENTRY_POINTS = "kacheck.1", "kacheck.toml.5", "kacheck-process.8"
HAND_WRITTEN = (COMMAND, FILE, ENTRY_POINTS)
REQUIRED = (
    *("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "FILES", "ENVIRONMENT"),
    *("EXAMPLES", "SEE ALSO"),
)
CHARACTERS = {"-": "-", "&": "", "e": "\\", "(dq": '"', "(aq": "'", "(ti": "~", "(ha": "^", "(ga": "`"}  # fmt: skip
OPTION = r"(?<![\w-])--?[a-z][a-z-]*"


class Entry(NamedTuple):
    """A paragraph with a tag (.TP), as plain text."""

    tag: str
    body: str


class Spy(dict[str, str]):
    """An empty environment that knows what was looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return False

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return default


# --- roff, as far as these pages have it ----------------------------------------------------


def plain(line: str) -> str:
    """Return a line of roff as the text that it shows."""
    macro = re.fullmatch(r"\.(S[HS]|[BIR]{1,2}) (.*)", line)
    if macro:
        words = [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', macro[2])]
        line = ("" if len(macro[1]) == 2 and macro[1][0] != "S" else " ").join(words)
    line = re.sub(r"\\f.", "", line)
    return re.sub(r"\\(\(..|.)", lambda found: CHARACTERS[found[1]], line)


def parts(text: str, macro: str) -> dict[str, str]:
    """Return what follows each heading of .SH or .SS."""
    _, *pieces = re.split(rf"^\.{macro} (.*)\n", text, flags=re.MULTILINE)
    return {plain(f".{macro} {head}"): body for head, body in zip(*[iter(pieces)] * 2, strict=True)}


def sections(name: str, directory: pathlib.Path = MAN) -> dict[str, str]:
    text = re.sub(r"^\.\\\".*\n", "", (directory / name).read_text(), flags=re.MULTILINE)
    return parts(text, "SH")


def entries(text: str) -> list[Entry]:
    """Return the tagged paragraphs."""
    found = []
    for paragraph in re.split(r"^\.TP\n", text, flags=re.MULTILINE)[1:]:
        tag, *body = re.split(r"^\.(?:PP|S[HS])\b", paragraph, flags=re.MULTILINE)[0].splitlines()
        found.append(Entry(plain(tag), " ".join(map(plain, body))))
    return found


def shown(text: str) -> str:
    """Return all of it in one line."""
    return " ".join(plain(line) for line in text.splitlines() if not re.match(r"\.[a-zP]", line))


def examples(name: str) -> list[str]:
    """Return the text between .EX and .EE, as it is shown."""
    blocks = re.findall(r"^\.EX\n(.*?)^\.EE", sections(name)["EXAMPLES"], re.MULTILINE | re.DOTALL)
    return ["\n".join(map(plain, block.splitlines())) for block in blocks]


def table(name: str) -> list[list[str]]:
    """Return the rows of the table of EXIT STATUS."""
    rows = sections(name)["EXIT STATUS"].split("_\n")[1].split(".TE")[0]
    return [plain(row).split("\t") for row in rows.splitlines()]


# --- kacheck(1) and the parser --------------------------------------------------------------


def actions(command: str) -> list[argparse.Action]:
    """Return the options of a command."""
    parser = arguments.build([command])
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return [a for a in commands.choices[command]._actions if a.option_strings]


def documented(command: str) -> Iterator[Entry]:
    """Yield the options that the page has for a command, in the sections whose heading names it."""
    for heading, text in parts(sections(COMMAND)["OPTIONS"], "SS").items():
        own = heading.split()[1] if heading.startswith("kacheck ") else None
        named = command in re.findall(r"\w+", heading.removeprefix("Every command"))
        shared = named != heading.startswith("Every command")
        if own == command or (own is None and shared):
            yield from entries(text)


def default_of(command: str, action: argparse.Action) -> Any:
    """Return the value of an option that is not given."""
    if command not in MODULES or not action.dest.startswith(PREFIX):
        return action.default
    name = action.dest.removeprefix(PREFIX)
    default = next(each.default for each in probe(command).options if each.name == name)
    return ", ".join(default) if isinstance(default, tuple) else default


def entry_of(command: str, option: str) -> Entry:
    """Return the paragraph that says what an option does."""
    (entry,) = (each for each in documented(command) if option in re.findall(OPTION, each.tag))
    other = re.fullmatch(r"See kacheck (\w+)\.", entry.body)
    return entry_of(other[1], option) if other else entry


def test_every_command_has_its_section_with_the_words_of_its_usage() -> None:
    headings = [h for h in parts(sections(COMMAND)["OPTIONS"], "SS") if h.startswith("kacheck ")]
    assert headings == [f"kacheck {name}{command(name).usage}" for name in COMMANDS]
    lines = [plain(line) for line in sections(COMMAND)["SYNOPSIS"].splitlines()]
    synopsis = [line for line in lines if line.startswith("kacheck ")]
    assert synopsis == [f"kacheck {name} [OPTION...]{command(name).usage}" for name in COMMANDS]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_commands_section_has_exactly_its_options(command: str) -> None:
    tags = " ".join(entry.tag for entry in documented(command))
    options = [word for action in actions(command) for word in action.option_strings]
    assert sorted(re.findall(OPTION, tags)) == sorted(options)


def test_the_pages_mention_no_option_that_there_is_not() -> None:
    known = {w for name in COMMANDS for action in actions(name) for w in action.option_strings}
    for page in HAND_WRITTEN:
        text = " ".join(map(shown, sections(page).values()))
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) <= known, page


@pytest.mark.parametrize("command", COMMANDS)
def test_values_choices_and_defaults_are_the_parsers(command: str) -> None:
    for action in actions(command):
        entry = entry_of(command, action.option_strings[-1])
        value = "|".join(action.choices or ()) or action.metavar
        value = f"[{value}]" if action.nargs == "?" else value
        words = ", ".join(action.option_strings)
        assert (f"{words} {value}" if action.nargs != 0 else words) in entry.tag
        default = default_of(command, action)
        if action.nargs != 0 and default:
            default = re.escape(str(default))
            stated = rf"[Dd]efault [^.]*{default}(?!\w)|(?<!\w){default}[^.]* default"
            assert re.search(stated, entry.body), entry


def test_the_timeout_and_its_range_are_the_codes() -> None:
    body = entry_of("process", "--timeout").body
    assert f"default {DEFAULT_TIMEOUT:g}," in body
    assert f"at most {LONGEST_TIMEOUT:g}." in body


def test_every_example_is_a_command_that_is_understood() -> None:
    lines = [line for block in examples(COMMAND) for line in block.splitlines()]
    ours = [line for line in lines if line.startswith("kacheck ")]
    assert len(ours) >= 8
    for line in ours:
        arguments.parse(shlex.split(line)[1:])


# --- the vocabulary -------------------------------------------------------------------------


def test_every_reason_is_in_the_manual_once_and_no_other() -> None:
    reasons = [entry.tag for entry in entries(sections(COMMAND)["REASONS"])]
    assert sorted(reasons) == sorted(REASON)


@pytest.mark.parametrize("page", [COMMAND, ENTRY_POINTS])
def test_the_table_of_exit_codes_is_the_statuses(page: str) -> None:
    rows = [row[:2] for row in table(page) if len(row[0]) == 1]
    assert rows == [[str(status.value), status.word] for status in Status]


def test_vaults_variables_are_exactly_those_that_are_read() -> None:
    spy = Spy()
    from_environment({}, spy)
    text = sections(COMMAND)["ENVIRONMENT"]
    tags = " ".join(entry.tag for entry in entries(text))
    assert set(re.findall(r"\b(?:VAULT|BAO)_\w+", tags)) == spy.asked
    ignored = shown(text).partition("ignored on purpose")[2].partition("similar variables")[0]
    assert len(re.findall(r"[A-Z]+_[A-Z_]+", ignored)) > 3
    assert spy.asked.isdisjoint(re.findall(r"[A-Z]+_[A-Z_]+", ignored))


def test_consuls_variables_are_exactly_those_that_are_read() -> None:
    spy = Spy()
    consul_environment({}, spy)
    tags = " ".join(entry.tag for entry in entries(sections(COMMAND)["ENVIRONMENT"]))
    assert set(re.findall(r"\bCONSUL_\w+", tags)) == spy.asked


def test_the_variables_of_systemd_are_those_that_are_read() -> None:
    spy = Spy()
    Notifier(spy, os.getpid())
    tags = " ".join(entry.tag for entry in entries(sections(COMMAND)["ENVIRONMENT"]))
    others = set(re.findall(r"\b(?!VAULT|BAO|CONSUL)[A-Z]+_[A-Z]+\b", tags))
    assert others == spy.asked | {"JOURNAL_STREAM"}


# --- kacheck.toml(5) and the schema ---------------------------------------------------------


def keys() -> dict[str, dict[str, Entry]]:
    """Return the keys that the page has, by its heading: the first word of a tag."""
    text = sections(FILE)["OPTIONS"]
    return {
        heading: {entry.tag.split()[0]: entry for entry in entries(part)}
        for heading, part in parts(text, "SS").items()
    }


def all_keys() -> dict[str, Entry]:
    """Every key as its first probe has it."""
    parts_of_keys = reversed(keys().values())
    return {key: entry for part in parts_of_keys for key, entry in part.items()}


def read_key(key: str, value: Any) -> Any:
    """Return the value of a key, for a probe that has it."""
    owner = next((n for n in MODULES if key in option_names(n)), "process")
    return read_value(("check", "x", key), probe(owner), value)


def option_names(name: str) -> list[str]:
    return [option.name for option in probe(name).options]


def is_good(key: str, value: Any) -> bool:
    try:
        read_key(key, value)
    except WrongError:
        return False
    return True


def test_the_manual_has_exactly_the_keys_of_the_schema() -> None:
    wanted: dict[str, set[str]] = {"The whole file": {"metrics"}}
    wanted["Every check"] = {*NAMES}
    described: set[tuple[str, ...]] = set()
    for name in MODULES:
        own = {(o.name, o.help, o.details, str(o.default)) for o in probe(name).options}
        wanted[f'Checks of probe "{name}"'] = {key for key, *_ in own - described}
        described |= own
    wanted['The table "consul"'] = {"ttl"}
    assert {heading: set(part) for heading, part in keys().items()} == wanted


def test_the_ranges_in_the_manual_are_the_schemas() -> None:
    ranges = 0
    for key, entry in all_keys().items():
        found = re.search(r"(?<![\w-])(\d[\d.]*) to (\d+)", entry.body)
        if found and key in ALL_KEYS:
            number = float if "seconds" in entry.tag else int
            least, most = number(found[1]), number(found[2])
            assert is_good(key, least), key
            assert is_good(key, most), key
            assert not is_good(key, math.nextafter(least, -1) if number is float else least - 1)
            assert not is_good(key, math.nextafter(most, 1e9) if number is float else most + 1)
            ranges += 1
        found = re.search(r"[Aa]bove 0, at most (\d+)", entry.body)
        if found:
            assert is_good(key, int(found[1])), key
            assert not is_good(key, int(found[1]) + 1), key
            assert not is_good(key, 0), key
            ranges += 1
    assert ranges >= 8


def test_a_track_tables_numbers_have_the_manuals_range() -> None:
    least, most = re.findall(r"(-\d+) to (\d+)", all_keys()["track"].body)[0]
    assert is_good("track", {"ok": int(most), "critical": int(least)})
    assert not is_good("track", {"ok": int(most) + 1})
    assert not is_good("track", {"critical": int(least) - 1})


def test_the_words_in_the_manual_are_the_schemas() -> None:
    for key, entry in all_keys().items():
        if "|" in entry.tag:
            for word in entry.tag.partition(" ")[2].split("|"):
                assert is_good(key, word.strip('"') if word[0] == '"' else word == "true"), key
            assert not is_good(key, "nonsense")
            with pytest.raises(WrongError) as error:
                read_key(key, "nonsense")
            assert set(re.findall(r'"\w+"', str(error.value))) - {'"nonsense"'} == set(
                re.findall(r'"\w+"', entry.tag)
            )


def test_the_defaults_in_the_manual_are_the_schemas() -> None:
    stated = 0
    own = {name: {option.name for option in probe(name).options} for name in MODULES}
    schemas = ((Policy, NAMES), (Check, NAMES), (ProcessOptions, own["process"]))
    for options, keys in (*schemas, (VaultOptions, own["vault"])):
        for key, default in options._field_defaults.items():
            if key not in keys or not isinstance(default, str | int | float):
                continue
            text = f'"{default}"' if isinstance(default, str) else str(default).lower()
            number = f"|{default:g}" if isinstance(default, float) else ""
            body = all_keys()[key].body
            assert re.search(rf"[Dd]efault (?:{re.escape(text)}{number})(?![\w]|\.\d)", body), key
            stated += 1
    assert stated >= 10
    track = re.search(r"Default (\{.*?\})", all_keys()["track"].body)
    assert track is not None
    (parsed,) = config.parse(f'[check.x]\nprobe = "vault"\ntrack = {track[1]}', "").checks
    assert parsed.track == Check._field_defaults["track"]


def test_the_examples_of_the_configuration_are_good() -> None:
    assert len(examples(FILE)) == 2
    for text in examples(FILE):
        assert config.parse(text, "example").checks


# --- the entry points -----------------------------------------------------------------------


def test_every_entry_point_is_in_the_manual_and_no_other() -> None:
    there = sorted(path.name for path in (ROOT / "checks").iterdir())
    text = sections(ENTRY_POINTS)
    names = shown(text["NAME"]).partition(" - ")[0].split(", ")
    assert sorted(names) == there
    synopsis = " ".join(map(plain, text["SYNOPSIS"].splitlines()))
    assert sorted(re.findall(r"/usr/libexec/kacheck/([\w-]+)", synopsis)) == there
    for name in there:
        page = MAN / f"{name}.8"
        assert page.name == ENTRY_POINTS or page.read_text() == f".so man8/{ENTRY_POINTS}\n"


def test_the_options_of_kacheck_verdict_are_those_that_it_reads_itself() -> None:
    script = (ROOT / "checks/kacheck-verdict").read_text()
    own = set(re.findall(r"(--[a-z-]+)(?: \||\)) ", script.partition("done")[0]))
    tags = " ".join(entry.tag for entry in entries(sections(ENTRY_POINTS)["OPTIONS"]))
    assert set(re.findall(OPTION, tags)) == own


def test_every_script_of_the_examples_is_a_call_that_is_understood() -> None:
    scripts = re.findall(r'script "(.*)"', "\n".join(examples(ENTRY_POINTS)))
    commands = {"kacheck-verdict": "run"}
    called = []
    for script in scripts:
        path, *words = shlex.split(script)
        name = path.removeprefix("/usr/libexec/kacheck/")
        arguments.parse([commands.get(name, name.removeprefix("kacheck-")), *words])
        called.append(name)
    assert sorted(called) == sorted(path.name for path in (ROOT / "checks").iterdir())


# --- the pages themselves -------------------------------------------------------------------


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The directory of what is made from the code."""
    directory = tmp_path_factory.mktemp("generated")
    subprocess.run([ROOT / "script/generate-docs", directory], check=True)
    return directory


def all_pages(generated: pathlib.Path) -> list[pathlib.Path]:
    return [*sorted(MAN.iterdir()), generated / "kacheck-codes.7"]


@pytest.mark.parametrize("page", HAND_WRITTEN)
def test_a_page_has_the_sections_that_are_looked_for(page: str) -> None:
    there = [*sections(page)]
    assert [name for name in there if name in REQUIRED] == [*REQUIRED]
    assert page != COMMAND or {"REASONS", "SIGNALS"} <= {*there}


def test_every_page_has_the_version_and_the_same_date(generated: pathlib.Path) -> None:
    dates = set()
    for page in all_pages(generated):
        text = page.read_text()
        if not text.startswith(".so "):
            name, _, section = page.name.rpartition(".")
            head = re.search(r'^\.TH (\S+) (\d) ([\d-]+) "kacheck (\S+)" ', text, re.MULTILINE)
            assert head is not None
            assert (plain(head[1]), head[2]) == (name.upper(), section)
            assert head[4] == __version__, page
            dates.add(head[3])
    assert len(dates) == 1


def test_a_page_refers_to_pages_that_are_there(generated: pathlib.Path) -> None:
    pages = {page.name for page in all_pages(generated)}
    for page in all_pages(generated):
        for name, section in re.findall(r"\b(kacheck[\w.\\-]*) \((\d)\)", page.read_text()):
            assert f"{plain(name)}.{section}" in pages, page


def test_what_is_copied_from_a_page_has_minus_signs(generated: pathlib.Path) -> None:
    for page in all_pages(generated):
        assert not re.search(r"(?<![\w\\-])--?[a-z]", page.read_text()), page


def test_groff_has_no_complaint_at_80_columns(generated: pathlib.Path) -> None:
    needs("groff")
    for page in all_pages(generated):
        groff = ["groff", "-t", "-man", "-ww", "-Kutf8", "-Tutf8", "-rLL=80n", "-z", str(page)]
        if not page.read_text().startswith(".so "):
            done = subprocess.run(groff, check=True, capture_output=True, text=True)
            assert done.stderr == ""


def test_whatis_finds_every_name(generated: pathlib.Path) -> None:
    needs("lexgrog")
    for page in all_pages(generated):
        if not page.read_text().startswith(".so "):
            done = subprocess.run(["lexgrog", page], check=True, capture_output=True, text=True)
            assert f'"{page.name.rpartition(".")[0]} - ' in done.stdout


# --- kacheck-codes(7) -----------------------------------------------------------------------


def test_every_code_is_on_its_page_once_with_its_explanation(
    generated: pathlib.Path,
) -> None:
    page = parts(sections("kacheck-codes.7", generated)["CODES"], "SS")
    titles = [f"{c.name} ({c.severity.word}): {c.title}" for c in CODES.values()]
    assert [*page] == titles
    for title, code in zip(titles, CODES.values(), strict=True):
        said = " ".join(shown(page[title]).split())
        assert said.replace("`", "") == " ".join(code.explanation.split()).replace("`", "")


def test_what_is_generated_is_the_same_each_time(
    generated: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    environment = {"PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    subprocess.run([ROOT / "script/generate-docs", tmp_path], check=True, env=environment)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["_kacheck", "kacheck-codes.7", "kacheck.bash", "kacheck.fish"]
    )
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (generated / path.name).read_bytes()
