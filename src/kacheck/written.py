"""Options written down: as keys of the configuration, and as words of a command line. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kacheck.probe import Option, Probe


def given(declared: Probe, values: Mapping[str, Any]) -> Iterator[tuple[Option, Any]]:
    """Yield the options that differ from their default, with their values."""
    for option in declared.options:
        value = values.get(option.name)
        if value is not None and value != option.default:
            yield option, value


def toml(declared: Probe, values: Mapping[str, Any]) -> list[str]:
    """Return the lines of a check's table, without its header.

    Raises:
        UnicodeEncodeError: a value is not UTF-8, as TOML is.

    """
    lines = [f'probe = "{declared.name}"']
    return lines + [
        f"{option.name} = {toml_value(value)}" for option, value in given(declared, values)
    ]


def toml_value(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return toml_string(value) if isinstance(value, str) else str(value)


def toml_string(text: str) -> str:
    """Return a TOML string."""
    text.encode()
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def command_line(declared: Probe, values: Mapping[str, Any]) -> list[str]:
    """Return the words for `kacheck NAME`, or its entry point."""
    words: list[str] = []
    positional: list[str] = []
    for option, value in given(declared, values):
        for each in value if isinstance(value, tuple) else (value,):
            if option.is_positional:
                positional.append(str(each))
            elif option.kind.takes_value:
                words += [option.flag, str(each)]
            else:
                words.append(option.flag)
    separator = ["--"] if any(word.startswith("-") for word in positional) else []
    return [*words, *separator, *positional]
