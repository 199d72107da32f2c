"""The reference as data: commands with their options, keys of the configuration, reasons.

Everything comes from the declarations. Texts have code in backquotes.
"""  # noqa: INP001

import argparse
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kacheck import probes
from kacheck.arguments import EXIT_CODES, build
from kacheck.commands import OTHERS, command
from kacheck.commands.probe import PREFIX
from kacheck.config.keys import OPTIONS
from kacheck.consul.options import REPORT_OPTIONS
from kacheck.probe import Option
from kacheck.probes import MODULES, probe

CONSUL = (
    'The table "consul"',
    "The agent that checks with `consul_check` are reported to.",
    REPORT_OPTIONS,
)
LOWER = ("keepalived", "kacheck", "argv[0]")
"""Words that stay as they are at the beginning of a sentence."""


class Row(NamedTuple):
    """An option, a word of a command line, or a key."""

    names: tuple[str, ...]
    value: str
    """What it takes, such as `FILE`, or `fail|ok` where these are all there are."""
    text: str
    has_words: bool
    """Whether the value is all its words instead of a name for it."""


class Section(NamedTuple):
    """Options or keys that belong together."""

    title: str
    paragraphs: tuple[str, ...]
    rows: tuple[Row, ...]


class ReasonRow(NamedTuple):
    """A reason."""

    word: str
    statuses: str
    owners: str
    """The probes whose checks can have it."""
    meaning: str


# --- texts ----------------------------------------------------------------------------------


def sentence(clause: str) -> str:
    """Return a clause with a capital letter and a full stop."""
    stop = "" if clause.endswith(".") else "."
    first = clause if clause.startswith(LOWER) else clause[:1].upper() + clause[1:]
    return f"{first}{stop}"


def sentences(help_text: str) -> str:
    """Return an option's help, its first paragraph a clause, as sentences."""
    clause, _, details = help_text.partition("\n\n")
    return f"{sentence(clause)} {details}".rstrip()


def listed(words: Iterable[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    *most, last = words
    return " and ".join(filter(None, (", ".join(most), last)))


# --- commands -------------------------------------------------------------------------------


def command_names() -> tuple[str, ...]:
    """Return the name of every command."""
    return (*MODULES, *OTHERS)


Identity = tuple[tuple[str, ...], str]
"""The names of an option and its help: where both are the same, it is the same option."""


def identity(action: argparse.Action) -> Identity:
    """Return what makes an option the same in two commands."""
    return tuple(action.option_strings), action.help or ""


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    (choices,) = (a for a in build()._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001
    return {name: choices.choices[name] for name in command_names()}


def actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return everything that a command takes."""
    return parser._actions  # noqa: SLF001


def is_of_probe(action: argparse.Action) -> bool:
    """Return whether it is one of the options that a probe declares."""
    return action.dest.startswith(PREFIX)


def command_sections() -> Iterator[Section]:
    """Yield the options that several commands share, then each command with its own."""
    known = parsers()
    shared = shared_actions(known)
    for owners in dict.fromkeys(shared.values()):
        same = [key for key, each in shared.items() if each == owners]
        rows = {identity(a): row_of(a) for name in owners for a in actions(known[name])}
        yield Section(title_of(owners), (), tuple(rows[key] for key in same))
    seen: dict[Identity, str] = {}
    for name, parser in known.items():
        rest = [a for a in actions(parser) if identity(a) not in shared]
        rows_of_command = [row_of(a) for a in rest if identity(a) not in seen]
        rows_of_command += references([a for a in rest if identity(a) in seen], seen)
        seen |= {identity(a): name for a in rest if is_of_probe(a) and identity(a) not in seen}
        yield Section(
            f"kacheck {name}{command(name).usage}", paragraphs(parser), tuple(rows_of_command)
        )


def shared_actions(
    known: dict[str, argparse.ArgumentParser],
) -> dict[Identity, tuple[str, ...]]:
    """Return the options of probes' commands that the probes do not declare, with their owners."""
    found: dict[Identity, tuple[str, ...]] = {}
    for name in MODULES:
        for action in actions(known[name]):
            if action.option_strings and not is_of_probe(action):
                key = identity(action)
                found[key] = tuple(
                    other for other in known if key in map(identity, actions(known[other]))
                )
    return dict(sorted(found.items(), key=lambda each: -len(each[1])))


def title_of(owners: tuple[str, ...]) -> str:
    """Return the heading above options that these commands share."""
    others = [name for name in command_names() if name not in owners]
    if not others:
        return "Every command"
    return f"Every command except {listed(others)}" if len(others) <= 2 else listed(owners)


def paragraphs(parser: argparse.ArgumentParser) -> tuple[str, ...]:
    """Return what a command does, and its exit codes where they are its own."""
    texts = [" ".join(part.split()) for part in (parser.description or "").split("\n\n")]
    if parser.epilog and parser.epilog != EXIT_CODES:
        texts.append(sentence(parser.epilog))
    return tuple(texts)


def row_of(action: argparse.Action) -> Row:
    """Return an option or a word of the command line."""
    is_flag = action.nargs == 0
    words = "" if is_flag else "|".join(action.choices or ())
    value = "" if is_flag else action.metavar or words
    value = f"[{value}]" if action.nargs == "?" and action.option_strings else value
    names = tuple(action.option_strings)
    return Row(names, str(value), sentences(action.help or ""), value == words)


def references(again: list[argparse.Action], seen: dict[Identity, str]) -> Iterator[Row]:
    """Yield a row for the options that another command has described."""
    for name in dict.fromkeys(seen[identity(action)] for action in again):
        same = [a.option_strings[-1] for a in again if seen[identity(a)] == name]
        yield Row(tuple(same), "", f"See `kacheck {name}`.", has_words=False)


# --- keys -----------------------------------------------------------------------------------


def key_sections() -> Iterator[Section]:
    """Yield the keys of every check, those of each probe, and those of the table consul."""
    yield Section("Every check", (), tuple(map(key_row, OPTIONS)))
    seen: set[Row] = set()
    tables = [(f'Checks of probe "{name}"', f"{probe(name).summary}.", probe(name).options)
              for name in MODULES]  # fmt: skip
    for title, summary, options in (*tables, CONSUL):
        rows = [*map(key_row, options)]
        again = [key for row in rows if row in seen for key in row.names]
        also = (f"Also the keys {listed(f'`{key}`' for key in again)}, as above.",) if again else ()
        own = tuple(row for row in rows if row not in seen)
        seen |= {*own}
        yield Section(title, (summary, *also), own)


def key_row(option: Option) -> Row:
    """Return one key."""
    kind = option.kind
    words = [f'"{word}"' for word in kind.choices]
    has_words = not option.is_repeatable and bool(words or not kind.takes_value)
    if has_words:
        value = "|".join(words) if words else "true|false"
    else:
        value = f"{kind.word}s" if option.is_repeatable else kind.word
    return Row((option.name,), value, " ".join(key_sentences(option)), has_words)


def key_sentences(option: Option) -> Iterator[str]:
    """Yield what there is to say about a key."""
    limits = option.kind.limits
    yield sentence(option.help)
    if limits:
        yield sentence(limits if limits.startswith("above") else f"from {limits}")
    if option.is_repeatable:
        one = ", or a string for one" if option.is_set and not option.names_checks else ""
        choices = ", ".join(f'"{word}"' for word in option.kind.choices)
        yield f"An array{one}{f': {choices}' if choices else ''}."
    if option.is_required:
        yield "Required."
    default = default_of(option)
    if default:
        yield f"Default {default}."
    if option.details:
        yield option.details


def default_of(option: Option) -> str:
    """Return a default as TOML has it, or nothing."""
    default = option.default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ", ".join(f'"{each}"' for each in default)
    return f'"{default}"' if isinstance(default, str) else "" if default is None else f"{default:g}"


# --- reasons --------------------------------------------------------------------------------


def reason_rows() -> list[ReasonRow]:
    """Return every reason."""
    owners = {name: set(probe(name).reasons) for name in MODULES}
    return [
        ReasonRow(
            word,
            " or ".join(status.word for status in reason.statuses),
            ", ".join(name for name, own in owners.items() if word in own) or "all",
            sentence(reason.meaning),
        )
        for word, reason in probes.reasons().items()
    ]
