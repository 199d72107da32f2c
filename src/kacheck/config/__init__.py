"""The configuration file: TOML to checks, or an error that names the line and the cure.

The file says everything about its checks: no variable of the environment is read for them, because
the watcher's comes from systemd, a one-shot's from keepalived and a person's from neither.
"""

import errno
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from typing import Any

from kacheck.check import CheckConfiguration
from kacheck.config import toml_lines
from kacheck.config.checks import checks_of, values_of
from kacheck.config.consul_table import reporting_of
from kacheck.config.keys import NAMES
from kacheck.config.values import WrongError, of_kind
from kacheck.kinds import FILE, suggestion
from kacheck.probes import MODULES, probe
from kacheck.render import printable
from kacheck.result import BadConfigError

MAX_SIZE = 1024 * 1024
TOP = ("check", "metrics", "consul")
"""The keys of the whole file."""
NO_FILE = "kacheck init --vip ADDRESS/LENGTH writes the default one; --config FILE names another"
OTHER_FILE = "give the path of a file that can be read"
SYNTAX_CURES = {
    "Cannot declare": "write each [table] once",
    "Cannot overwrite": "a key or table is defined twice: remove one",
    "Unterminated": "close what was opened: a quote",
    "Unclosed": "close what was opened: a bracket",
    "Illegal character '\\n'": "close the quote on the same line",
    "Invalid value": "put words in quotes",
}
LONG_KEY = (
    f"this key has more than {toml_lines.MOST_PARTS} parts; give one of at most 4, such as "
    "check.NAME.track.ok"
)


def load(path: str) -> CheckConfiguration:
    """Read a configuration file.

    Raises:
        BadConfigError: `PATH:LINE: what is wrong; the cure`, without LINE if no line is at fault.

    """
    return parse(text_of(path), path)


def files(path: str) -> Iterator[tuple[int, str]]:
    """Yield the files and directories that the checks of a good configuration name, with the line.

    Raises:
        BadConfigError: it cannot be read.

    """
    text = text_of(path)
    for name, table in tomllib.loads(text).get("check", {}).items():
        for option in probe(table["probe"]).options:
            if option.kind.completion and option.name in table:
                yield toml_lines.line(text, ("check", name, option.name)), table[option.name]


def text_of(path: str) -> str:
    """Return the text of a configuration file.

    Raises:
        BadConfigError: it cannot be read.

    """
    try:
        content = read(path)
    except OSError as error:
        if error.errno == errno.EACCES:
            from kacheck.permission import refused

            raise BadConfigError(f"{path}: {refused(path)}") from None
        cure = NO_FILE if error.errno == errno.ENOENT else OTHER_FILE
        raise BadConfigError(f"{path}: {error.strerror or error}; {cure}") from None
    if len(content) > MAX_SIZE:
        raise BadConfigError(f"{path}: it is larger than 1 MiB; give the path of a configuration")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadConfigError(
            f"{path}:{line}: byte 0x{content[error.start]:02x} is not UTF-8; save it as UTF-8"
        ) from None


def read(path: str) -> bytes:
    """Return the bytes of a regular file, one more than MAX_SIZE at most.

    Raises:
        OSError: it is not a regular file, or cannot be read.

    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # opening a FIFO would block
    try:
        mode = os.fstat(file).st_mode
        if not stat.S_ISREG(mode):
            kind = "it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file"
            raise OSError(errno.EISDIR, kind)
        with open(file, "rb", closefd=False) as stream:
            return stream.read(MAX_SIZE + 1)
    finally:
        os.close(file)


def parse(text: str, path: str) -> CheckConfiguration:
    """Read a configuration from its text; `path` is what errors call it.

    Raises:
        BadConfigError: `PATH:LINE: what is wrong; the cure`.

    """
    if (line := toml_lines.long_key(text)) is not None:
        raise BadConfigError(f"{path}:{line}: {LONG_KEY}")
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadConfigError(f"{path}:{syntax_error(text, error)}") from None
    try:
        return configuration(data)
    except WrongError as error:
        line = toml_lines.line(text, error.path)
        raise BadConfigError(f"{path}:{line}: {printable(str(error))}") from None


def syntax_error(text: str, error: Exception) -> str:
    """`LINE: what is wrong; the cure`, from what tomllib says."""
    if isinstance(error, RecursionError):
        return "1: brackets are nested too deeply to be read; write it flat"
    message = str(error)
    cure = next((cure for start, cure in SYNTAX_CURES.items() if message.startswith(start)), None)
    what, _, place = message.removesuffix(")").rpartition(" (at ")
    numbers = re.fullmatch(r"line (\d+), column (\d+)", place)
    # It is the end of the document, or a number too long for Python, which comes without a place.
    line = int(numbers[1]) if numbers else text.rstrip().count("\n") + 1 if what else 1
    column = f" in column {numbers[2]}" if numbers else ""
    return f"{line}: invalid TOML: {what or message}{column}; {cure or 'see https://toml.io'}"


def configuration(data: dict[str, Any]) -> CheckConfiguration:
    """Return the whole file, as TOML has it, as checks."""
    for key, value in data.items():
        if key not in TOP:
            raise WrongError((key,), f"{key} {not_on_top(key, value)}")
    metrics = metrics_file(data["metrics"]) if "metrics" in data else None
    tables = data.get("check", {})
    if not isinstance(tables, dict):
        raise WrongError(("check",), "check must be a table; a check begins with [check.NAME]")
    values = {name: values_of(name, table) for name, table in tables.items()}
    reporting = reporting_of(data["consul"]) if "consul" in data else None
    return CheckConfiguration(checks_of(values), metrics, reporting)


def not_on_top(key: str, value: Any) -> str:
    """Return why a key cannot be at the top of the file, and the cure."""
    if key in NAMES or any(key == each.name for name in MODULES for each in probe(name).options):
        return "is a key of a check; put it below the header of a check, [check.NAME]"
    if isinstance(value, dict) and "probe" in value:
        return f"is a check, and its header lacks the word check; write [check.{key}]"
    return f"is not a key of this file; {suggestion(key, TOP)}"


def metrics_file(value: Any) -> str:
    """Return the file for Prometheus's textfile collector, which reads only `*.prom`."""
    file: str = of_kind(("metrics",), FILE, value)
    if not file.endswith(".prom"):
        raise WrongError(("metrics",), f'metrics is "{file}"; give a name that ends in .prom')
    return file
