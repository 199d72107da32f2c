"""Kinds of values that an option may have: how each is read, from TOML and from a command line.

A reader raises InvalidValueError, whose text completes "give …": what to give instead.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Literal, NoReturn

    Reader = Callable[[Any], Any]

ABOVE_0 = 5e-324
"""The smallest float above zero, as a bound."""
MAX_UID = 2**32 - 2
"""The next number, -1 to the system, means no user (chown(2))."""
BLANK = "a blank or a control character"
ALIKE = 0.65
"""How alike a misspelt word and the one that is suggested are, where 1 is equal."""


class InvalidValueError(ValueError):
    """A value that the kind does not allow; the text says what to give instead."""


class ValueKind:
    """What an option's value may be."""

    def __init__(  # noqa: PLR0913 - a NamedTuple would cost 0.1 ms at start-up
        self,
        from_toml: Reader,
        from_word: Callable[[str], Any],
        choices: tuple[str, ...] = (),
        completion: Literal["", "file", "directory"] = "",
        *,
        word: str = "string",
        limits: str = "",
        takes_value: bool = True,
    ) -> None:
        self.from_toml = from_toml
        """Read a value as TOML has it."""
        self.from_word = from_word
        """Read a word of the command line."""
        self.choices = choices
        """All values there are, where that is few."""
        self.completion = completion
        """What a shell completes."""
        self.word = word
        """What the manual calls a value in TOML."""
        self.limits = limits
        """The bounds of a number, for the manual."""
        self.takes_value = takes_value
        """On the command line; a flag does not."""


# --- texts ----------------------------------------------------------------------------------


def any_text(value: Any) -> str:
    """Read a string that a system call can take."""
    if not isinstance(value, str):
        raise InvalidValueError("a string, in quotes")
    if "\0" in value:
        raise InvalidValueError("a string without NUL, which no name on Linux has")
    return value


def text(value: Any) -> str:
    """Read a string that is not empty."""
    if value == "":
        raise InvalidValueError("it a value, or leave it out")
    return any_text(value)


def absolute(value: Any) -> str:
    """Read the path of a file or directory, for a process whose directory is /."""
    if not text(value).startswith("/"):
        raise InvalidValueError("an absolute path: the watcher's directory is /")
    return str(value)


def user(value: Any) -> str:
    """Read a user's name or number."""
    name = text(value)
    if name.isdecimal() and not (name.isascii() and len(name) <= 10 and int(name) <= MAX_UID):
        raise InvalidValueError(f"a user's name, or a number from 0 to {MAX_UID}, in quotes")
    return name


def url(value: Any) -> str:
    """Read an address."""
    address = text(value)
    if has_blank(address):
        raise InvalidValueError(f"it without {BLANK}")
    return address


def has_blank(address: str) -> bool:
    """Return whether a character is in it that no URL has; a Unix socket's path may have blanks."""
    return not address.isprintable() or (" " in address and not address.startswith("unix:"))


def one_of(*words: str) -> ValueKind:
    """Return the kind of one of these words."""
    quoted = [f'"{word}"' for word in words]
    choices = " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))

    def read(value: Any) -> str:
        if value not in words:
            near = nearest(value, words) if isinstance(value, str) else None
            raise InvalidValueError(choices + (f" (did you mean {near}?)" if near else ""))
        return str(value)

    return ValueKind(read, read, words)


ANY_TEXT = ValueKind(any_text, any_text)
TEXT = ValueKind(text, any_text)
FILE = ValueKind(absolute, any_text, completion="file", word="file")
NAMED_FILE = ValueKind(absolute, text, completion="file", word="file")
"""A file without which something else would be asked, so that an empty word is refused."""
DIRECTORY = ValueKind(absolute, any_text, completion="directory", word="directory")
USER = ValueKind(user, any_text)
URL = ValueKind(url, any_text)


# --- numbers --------------------------------------------------------------------------------


def whole(least: int, most: int) -> ValueKind:
    """Return the kind of a whole number within these bounds."""

    def refuse() -> NoReturn:
        raise InvalidValueError(f"a whole number from {least} to {most}")

    def from_toml(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            refuse()
        return value

    def from_word(word: str) -> int:
        is_number = word.isascii() and word.isdecimal() and len(word) <= len(str(most))
        return from_toml(int(word)) if is_number else refuse()

    return ValueKind(from_toml, from_word, word="number", limits=f"{least} to {most}")


def seconds(least: float, most: float) -> ValueKind:
    """Return the kind of a time within these bounds: seconds, or a duration such as `1s500ms`."""
    limits, bounds = f"{least:g} to {most:g}", f"from {least:g} to {most:g}"
    if least == ABOVE_0:
        limits, bounds = f"above 0, at most {most:g}", f"above 0 and at most {most:g}"

    def read(value: Any) -> float:
        time = number_of(value)
        if time is None or not least <= time <= most:
            raise InvalidValueError(f'seconds {bounds}, such as 1.5 or "1s500ms"')
        return time

    return ValueKind(read, read, word="seconds", limits=limits)


def number_of(value: Any) -> float | None:
    """Return the seconds of a number or a duration, or None if it is neither."""
    if isinstance(value, str):
        from kacheck.durations import parsed

        return parsed(value)
    # Not a whole number that no float could hold.
    is_number = type(value) is float or (type(value) is int and abs(value) <= 3600)
    return float(value) if is_number else None


def flag(value: Any) -> bool:
    """Read a boolean."""
    if not isinstance(value, bool):
        raise InvalidValueError("true or false, without quotes")
    return value


FLAG = ValueKind(flag, lambda _: True, takes_value=False)


# --- suggestions ----------------------------------------------------------------------------


def nearest(word: str, known: tuple[str, ...]) -> str | None:
    """Return the known word that was probably meant, or None."""
    from difflib import get_close_matches

    words = {each.lower().lstrip("-"): each for each in known}  # dashes make all options alike
    near = get_close_matches(word.lower().lstrip("-"), words, n=1, cutoff=ALIKE)
    return words[near[0]] if near else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the word that was probably meant, or all the known ones."""
    words = tuple(known)
    if not words:
        return "none is configured"
    near = nearest(word, words)
    return f"did you mean {near}?" if near else f"choose from {', '.join(words)}"
