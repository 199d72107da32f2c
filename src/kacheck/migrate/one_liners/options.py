"""A program's options, as getopt(3) takes a command line apart. Pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kacheck.migrate.tracked import LeftError


class Grammar(NamedTuple):
    """The options of a program; each spelling stands for a name."""

    valued: dict[str, str]
    """Those that take a value."""
    flags: dict[str, str]
    takes_equals: bool = True
    """Whether it understands `--NAME=VALUE`."""


def spellings(text: str) -> dict[str, str]:
    """Return the names by their spellings: `m max-time, url` is -m, --max-time and --url."""
    found: dict[str, str] = {}
    for words in (part.split() for part in text.split(",")):
        found |= {f"{'-' if len(word) == 1 else '--'}{word}": words[-1] for word in words}
    return found


class Given(NamedTuple):
    """What a command line says."""

    options: list[tuple[str, str]]
    """Names with their values, in order."""
    operands: list[str]

    def has(self, name: str) -> bool:
        """Return whether an option is given."""
        return any(each == name for each, _ in self.options)

    def all(self, name: str) -> list[str]:
        """Return the values of an option."""
        return [value for each, value in self.options if each == name]

    def last(self, name: str) -> str | None:
        """Return the last value of an option."""
        return next(reversed(self.all(name)), None)

    def refuse(self, reasons: dict[str, str]) -> None:
        """Raise LeftError for the first option that has a reason."""
        for name, _ in self.options:
            if name in reasons:
                raise LeftError(reasons[name])


def read(words: Sequence[str], grammar: Grammar) -> Given:
    """Return the options and operands of a command, whose name is left out.

    Raises:
        LeftError: an option is not known here, or has no value.

    """
    given, rest = Given([], []), [*words]
    while rest:
        word = rest.pop(0)
        if word == "--":
            given.operands.extend(rest)
            break
        if word.startswith("--"):
            given.options.append(read_long(word, rest, grammar))
        elif word.startswith("-") and len(word) > 1:
            given.options.extend(read_short(word, rest, grammar))
        else:
            given.operands.append(word)
    return given


def read_long(word: str, rest: list[str], grammar: Grammar) -> tuple[str, str]:
    """Return the name and value of a long option; `rest` is what follows it."""
    spelling, equals, value = word.partition("=")
    if equals and not grammar.takes_equals:
        raise unknown(word)
    if spelling in grammar.valued:
        return grammar.valued[spelling], value if equals else value_of(spelling, rest)
    if spelling in grammar.flags and not equals:
        return grammar.flags[spelling], ""
    raise unknown(spelling)


def read_short(word: str, rest: list[str], grammar: Grammar) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a word of short options, the last of which may take a value."""
    for place, letter in enumerate(word[1:], 2):
        spelling = f"-{letter}"
        if spelling in grammar.valued:
            yield grammar.valued[spelling], word[place:] or value_of(spelling, rest)
            return
        if spelling not in grammar.flags:
            raise unknown(spelling)
        yield grammar.flags[spelling], ""


def value_of(spelling: str, rest: list[str]) -> str:
    """Return the next word, which is an option's value."""
    if not rest:
        raise LeftError(f"{spelling} has no value; correct it")
    return rest.pop(0)


def unknown(spelling: str) -> LeftError:
    """Return the reason for an option that is not known here."""
    return LeftError(f"kacheck has no equivalent for {spelling}; leave it out, or keep the script")
