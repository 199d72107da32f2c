"""What a probe declares: its options, its reasons, and where its code is.

A declaration is imported whenever a command line or a configuration names the probe, so it is
cheap: its code is named as `module:function` and loaded when it is needed. From the options come
the command line, the keys of the configuration, completion, help and the manual's tables.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from kacheck.kinds import ValueKind
    from kacheck.result import Reason


class Option:
    """One option of a probe, by the same name everywhere."""

    def __init__(  # noqa: PLR0913 - a row of a table; a NamedTuple would cost 0.1 ms at start-up
        self,
        name: str,
        kind: ValueKind,
        help: str,  # noqa: A002 - argparse's word
        *,
        metavar: str = "",
        default: Any = None,
        environment: str = "",
        example: str = "",
        details: str = "",
        letter: str = "",
        is_positional: bool = False,
        is_repeatable: bool = False,
        is_set: bool = False,
        is_required: bool = False,
        is_secret: bool = False,
        names_checks: bool = False,
    ) -> None:
        self.name = name
        """Its key in the configuration; `--name`, with dashes, on the command line."""
        self.kind = kind
        self.help = help
        """What it means, in one clause."""
        self.metavar = metavar
        self.default = default
        """What it is when it is not given; None: nothing."""
        self.environment = environment
        """The variable that gives it to a command line which does not."""
        self.example = example
        """A value for the error of a required option that is missing."""
        self.details = details
        """Sentences that the manual has besides."""
        self.letter = letter
        """Its short name on the command line."""
        self.is_positional = is_positional
        """On the command line it is a word without a name; the last one may be repeatable."""
        self.is_repeatable = is_repeatable
        """An array; on the command line it may be given more than once."""
        self.is_set = is_set
        """A repeatable option that needs at least one value, and each only once."""
        self.is_required = is_required
        """It must be given, unless an option that names checks is given in its place."""
        self.is_secret = is_secret
        """Its value is never repeated, not even in an error."""
        self.names_checks = names_checks
        """Its values are names of other checks, so only a configuration can have it."""

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return self.metavar if self.is_positional else f"--{self.name.replace('_', '-')}"


class OptionError(Exception):
    """Options that do not fit together.

    `{name}` in the message is an option, which the command line and the configuration spell
    differently.
    """

    def __init__(self, option: str, message: str, **values: object) -> None:
        super().__init__(message)
        self.option = option
        """The option to change; empty: none in particular."""
        self.values = values

    def text(self, spell: Callable[[str], str], options: Iterable[str]) -> str:
        """Return the message, each option's name as `spell` spells it."""
        names = {name: spell(name) for name in options}
        return str(self).format_map({**names, **self.values})


class Probe:
    """A kind of check."""

    def __init__(  # noqa: PLR0913 - see Option
        self,
        *,
        name: str,
        summary: str,
        options: tuple[Option, ...],
        reasons: tuple[Reason, ...],
        prepare: str,
        look: str,
        description: str = "",
        repeated: str = "",
        environment: str = "",
        detailed: str = "",
        warnings: str = "",
        preload: str = "",
        threads: str = "",
    ) -> None:
        self.name = name
        self.summary = summary
        """What it does, as `kacheck --help` says it: a sentence without its full stop."""
        self.options = options
        self.reasons = reasons
        """Its own, and those it shares with other probes; COMMON_REASONS go without saying."""
        self.prepare = prepare
        """(options' values) -> what is asked, which can be compared; raises OptionError."""
        self.look = look
        """(what is asked, Deadline) -> Result."""
        self.description = description
        """Paragraphs for its own help and the manual."""
        self.repeated = repeated
        """(what is asked) -> RepeatedLook; without one, the watcher makes the look each time."""
        self.environment = environment
        """(values, environment) -> values: in place of reading each option's variable."""
        self.detailed = detailed
        """(what is asked) -> the same, with details that cost more, for a person or JSON."""
        self.warnings = warnings
        """(what is asked) -> sentences about what is wrong although it can be asked."""
        self.preload = preload
        """(what is asked): import what a look needs beside the module of `repeated`."""
        self.threads = threads
        """(what is asked) -> how many threads the repeated look is made with."""

    @property
    def usage(self) -> str:
        """The words of its command line that have no name, such as ` NAME [ARG...]`."""
        words = []
        for option in self.options:
            if option.is_positional:
                word = f"{option.metavar}..." if option.is_repeatable else option.metavar
                words.append(word if option.is_required else f"[{word}]")
            elif option.is_required:
                words.append(f"{option.flag} {option.metavar}")
        return "".join(f" {word}" for word in words)


def load(target: str) -> Any:
    """Return what `module:name` names."""
    module, _, name = target.partition(":")
    __import__(module)
    return getattr(sys.modules[module], name)


def from_environment(
    options: Iterable[Option], values: Mapping[str, Any], environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return the values, with those of the variables where the command line has none.

    Raises:
        ValueError: a variable's value is invalid; names it, and what to give.

    """
    from_variables: dict[str, Any] = {}
    for option in options:
        word = environ.get(option.environment) if option.environment else None
        if word and option.name not in values:
            try:
                from_variables[option.name] = option.kind.from_word(word)
            except ValueError as error:
                shown = "" if option.is_secret else f'="{word}"'
                raise ValueError(f"invalid {option.environment}{shown}: give {error}") from None
    return {**from_variables, **values}
