"""Completion for bash, zsh and fish, made from the parser: static files, no Python behind them.

Commands, options, choices, files and directories, the codes of `doctor --explain`, and the names of
the configuration's checks, which sed reads from the headers `[check.NAME]`.
"""  # noqa: INP001

import argparse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kacheck import __version__
from kacheck.arguments import build
from kacheck.commands.options import CONFIGURATION
from kacheck.doctor.catalogue import CODES
from kacheck.probes import MODULES

FILES = ("FILE", "CONF", "KEEPALIVED_CONF")
CHECKS_SED = r"""sed -n \
{indent}-e 's/^[[:blank:]]*\[[[:blank:]]*check[[:blank:]]*\.[[:blank:]]*\([A-Za-z0-9_][A-Za-z0-9_-]*\)[[:blank:]]*\].*/\1/p' \
{indent}-e 's/^[[:blank:]]*\[[[:blank:]]*check[[:blank:]]*\.[[:blank:]]*\(["\x27]\)\([A-Za-z0-9_][A-Za-z0-9_.-]*\)\1[[:blank:]]*\].*/\2/p' \
{indent}"""  # noqa: E501 - a regular expression is not broken
"""The names in `[check.NAME]`, and in `[check."NAME"]`, which may have dots."""
MADE = f"made by script/generate-docs for kacheck {__version__}"


class Word(NamedTuple):
    """An option, or the words that stand without one."""

    names: tuple[str, ...]
    """Empty: no option."""
    help: str
    metavar: str
    """Empty: it takes no value."""
    choices: tuple[str, ...] = ()
    """All that it can be; for the name of a check, what it can be besides."""
    again: bool = False
    """May it be given more than once?"""
    rivals: tuple[str, ...] = ()
    """The options that it does not go with, its own names included."""


class Command(NamedTuple):
    """A command, as a shell sees it."""

    name: str
    summary: str
    options: tuple[Word, ...]
    positionals: tuple[Word, ...]


def commands() -> list[Command]:
    """All of them; the first one, without a name, has the options of kacheck alone."""
    parser = build()
    (subparsers,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001
    summaries = {choice.dest: choice.help or "" for choice in subparsers._choices_actions}  # noqa: SLF001
    return [
        command_of("", "", parser),
        *(command_of(name, summaries[name], each) for name, each in subparsers.choices.items()),
    ]


def command_of(name: str, summary: str, parser: argparse.ArgumentParser) -> Command:
    """Return what a parser takes."""
    actions = [a for a in parser._actions if not isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001
    rivals = {
        action: tuple(word for rival in group._group_actions for word in rival.option_strings)  # noqa: SLF001
        for group in parser._mutually_exclusive_groups  # noqa: SLF001
        for action in group._group_actions  # noqa: SLF001
    }
    words = [word_of(name, action, rivals.get(action, ())) for action in actions]
    return Command(
        name,
        summary,
        tuple(word for word in words if word.names),
        tuple(word for word in words if not word.names),
    )


def word_of(command: str, action: argparse.Action, rivals: tuple[str, ...]) -> Word:
    """Return an option, or a positional argument."""
    takes_none = action.nargs == 0 or (action.nargs == "?" and bool(action.option_strings))
    metavar = "" if takes_none else str(action.metavar or action.dest.upper())
    choices = tuple(action.choices or ())
    if metavar == "CODE":
        choices = tuple(CODES)
    elif metavar == "CHECK" and command == "drain":
        choices = tuple(MODULES)
    again = isinstance(action, argparse._AppendAction) or action.nargs == "*"  # noqa: SLF001
    names = tuple(action.option_strings)
    return Word(
        names, (action.help or "").partition("\n\n")[0], metavar, choices, again, rivals or names
    )


def quoted(text: str) -> str:
    """Return a word for sh and zsh."""
    return "'" + text.replace("'", r"'\''") + "'"


# --- bash -----------------------------------------------------------------------------------


def bash(known: Sequence[Command]) -> str:
    """Return the completion of bash; what it needs of bash-completion is nothing."""
    own, *rest = known
    names = " ".join(command.name for command in rest)
    cases = "".join(map(bash_case, rest))
    return rf"""# bash completion for kacheck, {MADE}

# The names of the checks in a configuration file.
_kacheck_checks() {{
    [[ -f $1 ]] && {CHECKS_SED.format(indent=" " * 8)}-- "$1" 2>/dev/null
}}

_kacheck() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}}
    local options='' valued='' value='' awaited='' first='' others='' words='' place=0 i
    local file={CONFIGURATION}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words='{names}'
        [[ $cur != -* ]] || words='{" ".join(flags(own))}'
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi
    # options: all; valued: those that take a value; value: what the one before the cursor takes;
    # first, others: what stands without an option
    case ${{COMP_WORDS[1]}} in
{cases}        *) return ;;
    esac
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
            --) return ;; # what follows are a process's own words
            -*)
                [[ " $valued " == *" ${{COMP_WORDS[i]}} "* ]] || continue
                [[ ${{COMP_WORDS[i]}} != --config ]] || file=${{COMP_WORDS[i + 1]}}
                ((++i < COMP_CWORD)) || awaited=1
                ;;
            *) ((place++)) ;;
        esac
    done
    if [[ -z $awaited ]]; then
        if [[ $cur == -* || -z $first ]]; then
            value="words $options"
        elif ((place == 0)); then
            value=$first
        else
            value=$others
        fi
    fi
    # shellcheck disable=SC2088 # as it was typed
    [[ $file != '~/'* ]] || file=$HOME/${{file:2}}
    case $value in
        file) compopt -o default 2>/dev/null ;;
        directory) compopt -o dirnames 2>/dev/null ;;
        words*) words=${{value#words}} ;;
        checks*) words="${{value#checks}} $(_kacheck_checks "$file")" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}}

complete -F _kacheck kacheck
"""


def bash_case(command: Command) -> str:
    """Return what _kacheck() has to know of a command."""
    valued = " ".join(flags(command, valued=True))
    lines = [f"{command.name})", f"    options='{' '.join(flags(command))}'"]
    lines += [f"    valued='{valued}'"]
    places = [bash_value(word) for word in command.positionals]
    if places:
        others = places[-1] if command.positionals[-1].again else "nothing"
        lines += [f"    first='{places[0]}' others='{others}'"]
    lines += ["    case $prev in"]
    for word in command.options:
        if kind(word) != "nothing":
            lines.append(f"        {' | '.join(word.names)}) value='{bash_value(word)}' ;;")
    lines += ["    esac", "    ;;"]
    return "".join(f"        {line}\n" for line in lines)


def bash_value(word: Word) -> str:
    """Return what a value can be: `words a b`, `checks a b`, `file` or `directory`."""
    return " ".join((kind(word), *word.choices))


def kind(word: Word) -> str:
    """Return what sort of value a word is."""
    if word.metavar == "CHECK":
        return "checks"
    if word.choices:
        return "words"
    return {"DIR": "directory", **dict.fromkeys(FILES, "file")}.get(word.metavar, "nothing")


def flags(command: Command, *, valued: bool = False) -> list[str]:
    """Return the names of its options, or of those that take a value."""
    options = [word for word in command.options if word.metavar or not valued]
    return [name for word in options for name in word.names]


# --- zsh ------------------------------------------------------------------------------------


def zsh(known: Sequence[Command]) -> str:
    """Return the completion of zsh."""
    own, *rest = known
    summaries = "\n".join(" " * 16 + described(each.name, each.summary) for each in rest)
    titles = "\n".join(" " * 8 + described(code.name, code.title) for code in CODES.values())
    cases = "\n".join(zsh_case(command) for command in rest)
    specs = " \\\n        ".join(spec for word in own.options for spec in zsh_specs(word))
    return rf"""#compdef kacheck
# zsh completion for kacheck, {MADE}

# The names of the checks in the configuration file, and the words given.
_kacheck_checks() {{
    local file=${{~${{opt_args[--config]:-{CONFIGURATION}}}}}
    local -a names=("$@")
    [[ -f $file ]] && names+=(${{(f)"$({CHECKS_SED.format(indent=" " * 8)}-- $file 2>/dev/null)"}})
    _wanted checks expl check compadd -a names
}}

_kacheck_codes() {{
    local -a codes=(
{titles}
    )
    _describe code codes
}}

_kacheck() {{
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C -S \
        {specs} \
        '1: :->command' \
        '*:: :->words'
    case $state in
        command)
            local -a commands=(
{summaries}
            )
            _describe command commands
            ;;
        words)
            case $words[1] in
{cases}
            esac
            ;;
    esac
}}

if [[ $funcstack[1] == _kacheck ]]; then
    _kacheck "$@"
else
    compdef _kacheck kacheck
fi
"""


def described(name: str, text: str) -> str:
    """Return an element for _describe."""
    return quoted(f"{name}:{text.replace(':', chr(92) + ':')}")


def zsh_case(command: Command) -> str:
    """Return what follows a command."""
    specs = [spec for word in (*command.options, *command.positionals) for spec in zsh_specs(word)]
    lines = "".join(f" \\\n{' ' * 24}{spec}" for spec in specs)
    space = " " * 16
    return f"{space}{command.name})\n{space}    _arguments -S{lines}\n{space}    ;;"


def zsh_specs(word: Word) -> Iterator[str]:
    """Yield the specs for _arguments."""
    value = f":{word.metavar}:{zsh_value(word)}" if word.metavar else ""
    if not word.names:
        yield quoted(f"*{value}" if word.again else value)
        return
    text = word.help.replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
    rivals = "*" if word.again else f"({' '.join(word.rivals)})"
    for name in word.names:
        yield quoted(f"{rivals}{name}[{text}]{value}")


def zsh_value(word: Word) -> str:
    """Return the action that completes a value.

    With a blank before it, it gets no arguments of zsh's.
    """
    if word.metavar == "CODE":
        return " _kacheck_codes"
    words = " ".join(word.choices)
    actions = {
        "checks": f" _kacheck_checks {words}".rstrip(),
        "words": f"({words})",
        "file": "_files",
        "directory": "_files -/",
    }
    return actions.get(kind(word), "")


# --- fish -----------------------------------------------------------------------------------


def fish(known: Sequence[Command]) -> str:
    """Return the completion of fish."""
    own, *rest = known
    lines = [
        f"complete -c kacheck -n __kacheck_begins -a {each.name} -d {fish_quoted(each.summary)}"
        for each in rest
    ]
    owners: dict[Word, list[str]] = {}
    for command in rest:
        for word in command.options:
            owners.setdefault(word, []).append(command.name)
    for word in own.options:  # every command has them, too
        lines.append(fish_line(word, ""))
        del owners[word]
    lines += [
        fish_line(word, f"'__kacheck_command {' '.join(names)}'") for word, names in owners.items()
    ]
    for command in rest:
        lines += fish_positionals(command)
    entries = "\n".join(lines)
    codes = "\n".join(
        f"    echo {code.name}\\t{fish_quoted(code.title)}" for code in CODES.values()
    )
    return rf"""# fish completion for kacheck, {MADE}

function __kacheck_begins -d 'No command has been given yet'
    test (count (commandline -opc)) -eq 1
end

function __kacheck_command -d 'The command is one of these'
    set -l words (commandline -opc)
    set -q words[2]; and contains -- $words[2] $argv
end

function __kacheck_has -d 'One of these words has been given after the command'
    for word in (commandline -opc)[3..-1]
        contains -- $word $argv; and return 0
    end
    return 1
end

function __kacheck_checks -d 'The names of the checks in the configuration file'
    set -l file {CONFIGURATION}
    set -l words (commandline -opc)
    set -l place (contains -i -- --config $words); and set -q words[(math $place + 1)]
    and set file $words[(math $place + 1)]
    test -f $file; and {CHECKS_SED.format(indent=" " * 8)}-- $file 2>/dev/null
end

function __kacheck_codes
{codes}
end

complete -c kacheck -f
{entries}
"""


def fish_line(word: Word, condition: str) -> str:
    """Return the line for an option."""
    parts = ["complete -c kacheck"]
    if condition:
        parts.append(f"-n {condition}")
    parts += [
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in word.names
    ]
    if word.metavar:
        parts.append(fish_value(word))
    return " ".join((*parts, f"-d {fish_quoted(word.help)}"))


def fish_value(word: Word) -> str:
    """Return what a value can be."""
    if word.metavar == "CODE":
        return "-x -a '(__kacheck_codes)'"
    values = {
        "checks": "-x -a '(__kacheck_checks)'",
        "words": f"-x -a '{' '.join(word.choices)}'",
        "file": "-r -F",
        "directory": "-x -a '(__fish_complete_directories)'",
    }
    return values.get(kind(word), "-x")


def fish_positionals(command: Command) -> Iterator[str]:
    """Yield the lines for what stands without an option."""
    condition = f"__kacheck_command {command.name}"
    for word in command.positionals:
        line = f"complete -c kacheck -n '{condition}'"
        sort = kind(word)
        if sort == "file":
            yield f"{line} -F"
        elif sort == "words":
            words = " ".join(word.choices)
            has = f"__kacheck_has {words}"
            yield f"complete -c kacheck -n '{condition}; and not {has}' -a '{words}'"
            condition += f"; and {has}"
        elif sort == "checks":
            yield f"{line} -a '{' '.join(('(__kacheck_checks)', *word.choices))}'"


def fish_quoted(text: str) -> str:
    """Return a word for fish."""
    return "'" + text.replace("\\", r"\\").replace("'", r"\'") + "'"
