"""The values of a configuration's keys, and errors about them. Pure."""

from typing import Any, NoReturn

from kacheck.config.toml_lines import Path
from kacheck.kinds import InvalidValueError, ValueKind
from kacheck.probe import Option
from kacheck.redact import redact_word

MAX_DECIMAL_BITS = 2048
"""Of a whole number that Python writes in decimal digits, whatever its limit, 640 at least."""


class WrongError(Exception):
    """What is wrong and the cure; `path` is the key's, for the line."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


def read(path: Path, option: Option, value: Any) -> Any:
    """Return an option's value as a check has it.

    Raises:
        WrongError: the option does not allow it.

    """
    if not option.is_repeatable:
        return read_one(path, option, value)
    if option.is_set and not option.names_checks and isinstance(value, str):
        return (read_one(path, option, value),)
    if not isinstance(value, list):
        refuse(path, option, value, "an array, in square brackets")
    values = tuple(read_one((*path, index), option, each) for index, each in enumerate(value))
    if not values:
        raise WrongError(path, f"{option.name} is empty; give at least one, or leave it out")
    if option.is_set:
        refuse_repeated(path, values)
    return values


def refuse_repeated(path: Path, values: tuple[Any, ...]) -> None:
    """Refuse an array with the same value twice."""
    seen = set()
    for index, each in enumerate(values):
        if each in seen:
            raise WrongError((*path, index), f"{each} is given twice; give it once")
        seen.add(each)


def read_one(path: Path, option: Option, value: Any) -> Any:
    """Return a single value."""
    try:
        return option.kind.from_toml(value)
    except InvalidValueError as error:
        refuse(path, option, value, str(error))


def of_kind(path: Path, kind: ValueKind, value: Any) -> Any:
    """Return a value of a key that is not an option, such as `track`'s numbers."""
    return read_one(path, Option(str(path[-1]), kind, ""), value)


def refuse(path: Path, option: Option, value: Any, expected: str) -> NoReturn:
    """Refuse a value, and say what to give instead."""
    key = path[-1]
    name = f"{path[-2]}, element {key + 1}," if isinstance(key, int) else key
    if option.is_secret and value != "":
        raise WrongError(path, f"{name} is invalid; give {expected}")
    raise WrongError(path, f"{name} is {shown(value)}; give {expected}")


def shown(value: Any) -> str:
    """Return a value for a message, more or less as the file has it."""
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "a table"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > MAX_DECIMAL_BITS:
        value = hex(value)
    elif isinstance(value, str):
        value = f'"{redact_word(value)}"'
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
