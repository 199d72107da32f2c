"""What `kacheck drain` is about: the names on its command line, and the checks that there are."""

from argparse import Namespace
from collections.abc import Sequence

from kacheck import statedir
from kacheck.check import Check
from kacheck.commands.options import CONFIGURATION
from kacheck.commands.reports import checked
from kacheck.probes import MODULES
from kacheck.result import BadConfigError


def configured(args: Namespace) -> Sequence[Check]:
    """Return the checks that a drain may begin for; nothing if the file is missing or bad.

    Raises:
        BadConfigError: it was named, and is missing or bad.

    """
    if args.action != "on":
        return ()
    from kacheck import config

    try:
        return config.load(args.config or CONFIGURATION).checks
    except BadConfigError:
        if args.config:
            raise
        return ()


def names_of(args: Namespace) -> list[str]:
    """Return what `kacheck drain` is about; nothing means everything there is.

    Raises:
        BadConfigError: bad usage.

    """
    if args.all and args.names:
        raise BadConfigError("--all means every check: remove it, or the names")
    if args.action != "on" and (args.span or args.message):
        raise BadConfigError(f"--for and --message have no meaning for kacheck drain {args.action}")
    if args.action != "on" and args.wait is not None:
        raise BadConfigError(f"--wait has no meaning for kacheck drain {args.action}")
    if args.action != "status" and not (args.all or args.names):
        raise BadConfigError(f"drain {args.action}: name a check, or give --all")
    if args.all:
        return [statedir.ALL]
    for name in args.names:
        if name.upper() == statedir.ALL:
            raise BadConfigError(f"{name!r} cannot be the name of a check; --all means every check")
    names = [checked(name) for name in dict.fromkeys(args.names)]
    if args.action == "on":
        refuse_unknown(args)
    return names


def refuse_unknown(args: Namespace) -> None:
    """Refuse to drain what does not exist.

    Where the configuration is missing or bad, and was not named, the watcher's verdicts say which
    checks there are: it may have been given another one.
    """
    from kacheck import config

    path = args.config or CONFIGURATION
    who, cure = path, ""
    try:
        known = [check.name for check in config.load(path).checks]
    except BadConfigError:
        if args.config:
            raise
        known = statedir.names_in(f"{args.state_dir}/verdict")
        who = f"{path} is missing or invalid, and the watcher of {args.state_dir}"
        cure = "; for a check in another file give --config FILE"
        if not known:
            who = (
                f"{path} is missing or invalid, no watcher of {args.state_dir} has verdicts, so it"
            )
            cure += "; --all also drains every check to come"
    for name in args.names:
        if name not in (*known, *MODULES):
            raise BadConfigError(f"{who} has no check {name}; {instead_of(name, known)}{cure}")


def instead_of(name: str, checks: Sequence[str]) -> str:
    """Return what to drain instead of an unknown name."""
    from kacheck.kinds import nearest

    near = nearest(name, (*checks, *MODULES))
    if near:
        return f"did you mean {near}?"
    there = f"choose from {', '.join(checks)}" if checks else "none is configured"
    return f"{there}; {next(iter(MODULES))} or another probe drains checks on the command line"
