"""The values of a configuration's keys: readers that take one, or say what to give instead. Pure.

A reader takes a key's path and its value as TOML has it, and gives the value as a check has it.
"""

from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeAlias

from kacheck.config.toml_lines import Path
from kacheck.durations import parsed
from kacheck.probes.process import LONGEST_UID
from kacheck.probes.vault_settings import BLANK, has_blank
from kacheck.redact import redact_word

Reader: TypeAlias = Callable[[Path, Any], Any]

LAST_UID = 2**32 - 2
"""The number behind it means no user (chown(2))."""
MOST_BITS = 2048
"""Of a whole number that Python writes in decimal digits, whatever its limit, 640 at least."""
ABOVE_0 = 5e-324
"""The least float that is no zero, as a bound."""


class WrongError(Exception):
    """What is wrong and the cure; `path` is the key's, for the line."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The word that was meant, if one is near."""
    from difflib import get_close_matches

    words = {each.lower(): each for each in known}
    near = get_close_matches(word.lower(), words, n=1)
    return words[near[0]] if near else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """The word that was meant, or all that there are."""
    words = list(known)
    if not words:
        return "there is none"
    near = nearest(word, words)
    return f"did you mean {near}?" if near else f"there are {', '.join(words)}"


def refuse(path: Path, value: Any, wanted: str) -> NoReturn:
    """Refuse a value, and say what to give instead."""
    *_, outer, key = ("", *path)
    name = f"{outer}, element {key + 1}," if isinstance(key, int) else key
    raise WrongError(path, f"{name} is {shown(value)}; give {wanted}")


def shown(value: Any) -> str:
    """A value for a message, more or less as the file has it."""
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "a table"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        value = hex(value)
    elif isinstance(value, str):
        value = f'"{redact_word(value)}"'
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def text(path: Path, value: Any) -> str:
    """A string with something in it."""
    if value == "":
        refuse(path, value, "it a value, or leave it out")
    return any_text(path, value)


def any_text(path: Path, value: Any) -> str:
    """A string that the system can be asked for."""
    if not isinstance(value, str):
        refuse(path, value, "a string, in quotes")
    if "\0" in value:
        refuse(path, value, "a string without NUL, which no name on Linux has")
    return value


def absolute(path: Path, value: Any) -> str:
    """A file or directory."""
    if not text(path, value).startswith("/"):
        refuse(path, value, "an absolute path: the resident's directory is /")
    return str(value)


def user(path: Path, value: Any) -> str:
    """A user's name or number."""
    name = text(path, value)
    is_number = name.isascii() and len(name) <= LONGEST_UID
    if name.isdecimal() and not (is_number and int(name) <= LAST_UID):
        refuse(path, value, f"a user's name, or a number from 0 to {LAST_UID}, in quotes")
    return name


def address(path: Path, value: Any) -> str:
    """A URL, which is not repeated: there may be a password in it."""
    url = text(path, value)
    if has_blank(url):
        raise WrongError(path, f"{path[-1]} has {BLANK}; leave that out")
    return url


def flag(path: Path, value: Any) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        refuse(path, value, "true or false, without quotes")
    return value


def whole(least: int, most: int) -> Reader:
    """A whole number within these bounds."""

    def read(path: Path, value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            refuse(path, value, f"a whole number from {least} to {most}")
        return value

    return read


def seconds(least: float, most: float) -> Reader:
    """A time within these bounds, a number of seconds or a duration."""
    bounds = f"above 0 and at most {most:g}" if least == ABOVE_0 else f"from {least:g} to {most:g}"

    def read(path: Path, value: Any) -> float:
        time = number(value)
        if time is None or not least <= time <= most:
            refuse(path, value, f'seconds {bounds}, such as 1.5 or "1s500ms"')
        return time

    return read


def number(value: Any) -> float | None:
    """The seconds of a number or a duration; None if it is neither."""
    if isinstance(value, str):
        return parsed(value)
    # No whole number that a float could not hold.
    is_number = type(value) is float or (type(value) is int and abs(value) <= 3600)
    return float(value) if is_number else None


def one_of(*words: str) -> Reader:
    """One of these words."""
    wanted = " or ".join((", ".join(f'"{word}"' for word in words[:-1]), f'"{words[-1]}"'))

    def read(path: Path, value: Any) -> str:
        if value not in words:
            near = nearest(value, words) if isinstance(value, str) else ""
            refuse(path, value, wanted + (f" (did you mean {near}?)" if near else ""))
        return str(value)

    return read


def array(read: Reader) -> Reader:
    """An array of what `read` reads."""

    def read_all(path: Path, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            refuse(path, value, "an array, in square brackets")
        return tuple(read((*path, index), each) for index, each in enumerate(value))

    return read_all


def different(read: Reader) -> Reader:
    """An array with something in it, and nothing twice."""

    def read_all(path: Path, value: Any) -> tuple[Any, ...]:
        values: tuple[Any, ...] = array(read)(path, value)
        if not values:
            raise WrongError(path, f"{path[-1]} is empty; give at least one")
        seen = set()
        for index, each in enumerate(values):
            if each in seen:
                raise WrongError((*path, index), f"{each} stands twice; give it once")
            seen.add(each)
        return values

    return read_all
