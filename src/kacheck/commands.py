"""What the command line asks for: from the namespace to looks, and to what `drain` answers."""

import os
import threading
from argparse import Namespace
from collections.abc import Callable, Container, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from kacheck import statedir
from kacheck.arguments import CONFIGURATION
from kacheck.deadline import Deadline
from kacheck.durations import DEFAULT_TIMEOUT
from kacheck.render import printable
from kacheck.result import BadConfigError, Reason, Result

if TYPE_CHECKING:  # what only `run`, `drain` and `migrate` need
    from kacheck.check import Configuration, Question
    from kacheck.migrate.command import Answer

Look = Callable[[Deadline], Result]


class Order(NamedTuple):
    """A look that is ready to be made."""

    timeout: float
    look: Look
    on_unknown: str = "fail"


Prepare = Callable[[], Order]
"""Raises BadConfigError where no look can be made."""


def orders(args: Namespace) -> dict[str, Prepare]:
    """The checks that are asked for, by name."""
    if args.check != "run":
        return {args.check: partial(unless_drained, args, args.check, ONE_SHOTS[args.check])}
    if not args.names:
        raise BadConfigError(f"CHECK is missing: give the name of a check in {args.config}")
    load = once(partial(configuration, args.config))
    return {
        name: partial(unless_drained, args, name, partial(configured_look, load, name))
        for name in args.names
    }


def unless_drained(args: Namespace, name: str, prepare: Callable[[Namespace], Order]) -> Order:
    """The look; when the check is drained, one that has its answer already."""
    if may_be_drained(args.state_dir, checked(name)):
        from kacheck.drain import drained

        found = drained(args.state_dir, name)
        if found is not None:
            return answered(found.result())
    return prepare(args)


def answered(result: Result) -> Order:
    """A look whose answer is known."""
    return Order(DEFAULT_TIMEOUT, lambda _: result)


def may_be_drained(state_dir: str, name: str) -> bool:
    """Is there a drain's file for the check, or no telling? Most have none, and need no import."""
    for file in (statedir.ALL, name):
        try:
            os.lstat(f"{state_dir}/drain/{file}")
        except FileNotFoundError:
            continue
        except OSError:
            pass
        return True
    return False


def checked(name: str) -> str:
    """The name, if it can be a check's."""
    if not statedir.NAME.fullmatch(name) or name.upper() == statedir.ALL:
        raise BadConfigError(
            f"{name!r} cannot be the name of a check: letters, digits, _, . and - are, 64 at most, "
            f"no . or - at the beginning, and not {statedir.ALL}"
        )
    return name


# --- process, vault, combined ---------------------------------------------------------------


def process_look(args: Namespace) -> Order:
    """`kacheck process`."""
    from kacheck.probes import process

    name, *rest = args.command
    options = process.ProcessOptions(
        name=name,
        args=tuple(rest),
        quorum=args.quorum,
        quorum_max=args.quorum_max,
        param_match=args.param_match,
        full_command=args.full_command,
        user=args.user,
        all_namespaces=args.all_namespaces,
        describe=wants_details(args),
    )
    timeout = args.timeout or DEFAULT_TIMEOUT
    return Order(timeout, partial(process.probe, options), args.on_unknown)


def vault_look(args: Namespace) -> Order:
    """`kacheck vault`."""
    from kacheck.probes import vault
    from kacheck.probes.vault_settings import VaultOptions, settings, timeout_from

    given = VaultOptions(
        accept=tuple(args.accept or (Reason.ACTIVE,)),
        ca_cert=args.ca_cert,
        ca_path=args.ca_path,
        client_cert=args.client_cert,
        client_key=args.client_key,
        tls_server_name=args.tls_server_name,
        insecure=args.insecure,
        remote=args.remote,
    )
    options = settings(given, args.address, os.environ)
    timeout = args.timeout or timeout_from(os.environ)
    return Order(timeout, partial(vault.probe, options), args.on_unknown)


def combined_look(args: Namespace) -> Order:
    """`kacheck combined`."""
    from kacheck.probes import combined, process

    vault = vault_look(args)
    options = process.ProcessOptions(
        name=args.process,
        user=args.user,
        all_namespaces=args.all_namespaces,
        describe=wants_details(args),
    )
    members = [
        combined.Member("process", partial(process.probe, options)),
        combined.Member("vault", vault.look),
    ]
    return vault._replace(look=partial(combined.probe, "all", members))


ONE_SHOTS = {"process": process_look, "vault": vault_look, "combined": combined_look}


def wants_details(args: Namespace) -> bool:
    """Will the answer show each process that matched?"""
    return bool(args.verbose or args.format == "json")


# --- run ------------------------------------------------------------------------------------


def configured_look(load: Callable[[], "Configuration"], name: str, args: Namespace) -> Order:
    """`kacheck run`: one check of the configuration file.

    There is no verdict yet that an unknown could leave as it is, so `hold` fails.
    """
    from kacheck.check import drained_by
    from kacheck.config.values import suggestion
    from kacheck.drain import Drains
    from kacheck.looks import look_of

    known = {check.name: check for check in load().checks}
    if name not in known:
        raise BadConfigError(f"{args.config} has no check {name}; {suggestion(name, known)}")
    check = known[name]
    found = Drains(args.state_dir).find(drained_by(check))
    if found is not None:
        return answered(found.result())
    question = described(check.question) if wants_details(args) else check.question
    on_unknown = "ok" if check.policy.on_unknown == "ok" else "fail"
    return Order(check.timeout, look_of(question), on_unknown)


def configuration(path: str) -> "Configuration":
    """The configuration file."""
    from kacheck import config

    return config.load(path)


def configuration_answer(args: Namespace) -> str:
    """`kacheck watch --check-config`: that it is good, and a warning a line.

    Raises:
        BadConfigError: it is bad.

    """
    from kacheck.looks import warnings_of
    from kacheck.watch.metrics import require

    loaded = configuration(args.config)
    require(loaded.metrics)
    names = ", ".join(check.name for check in loaded.checks)
    good = f"{args.config} is good: {names or 'it has no check, so nothing is watched'}"
    warnings = [
        printable(f"{check.name}: warning: {warning}")
        for check in loaded.checks
        for warning in warnings_of(check.question)
    ]
    return "\n".join([good, *warnings])


def once(load: Callable[[], "Configuration"]) -> Callable[[], "Configuration"]:
    """`load` for several threads: the first one loads, the others wait for it."""
    lock, cached = threading.Lock(), cache(load)

    def loaded() -> "Configuration":
        with lock:
            return cached()

    return loaded


def described(question: "Question") -> "Question":
    """The question that also asks for each process that matches."""
    from kacheck.check import Combination
    from kacheck.probes.process import ProcessOptions

    if isinstance(question, ProcessOptions):
        return question._replace(describe=True)
    if isinstance(question, Combination):
        members = tuple((name, described(member)) for name, member in question.members)
        return question._replace(members=members)
    return question


# --- drain ----------------------------------------------------------------------------------


def drain_answer(args: Namespace) -> str:
    """`kacheck drain`: do it, and say how things are then.

    Raises:
        BadConfigError: bad usage, or it could not be done.

    """
    from kacheck import drain

    names = drain_names(args)
    ended: list[str] = []
    if args.action == "on":
        drain.switch_on(args.state_dir, names, args.span, args.message or "")
    elif args.action == "off":
        ended = drain.switch_off(args.state_dir, names)
    everything = not names or names == [statedir.ALL]
    holding = {
        each.name: each
        for each in drain.all_drains(args.state_dir)
        if everything or each.name in (statedir.ALL, *names)
    }
    if args.format == "json":
        import json

        return json.dumps({"schema": 1, "drained": [each.as_data() for each in holding.values()]})
    lines = [
        f"{name}: {without_own(name, ended, holding)}" for name in names if name not in holding
    ]
    still = "still " if args.action == "off" else ""
    lines += [f"{name}: {still}{each.sentence()}" for name, each in holding.items()]
    return "\n".join(map(printable, lines)) or "nothing is drained"


def without_own(name: str, ended: Sequence[str], holding: Container[str]) -> str:
    """How it is with a check that has no drain of its own now."""
    if statedir.ALL in holding:
        return f"drained as {statedir.ALL} are"
    return "no longer drained" if name in ended else "not drained"


def drain_names(args: Namespace) -> list[str]:
    """What `kacheck drain` is about; nothing means everything there is.

    Raises:
        BadConfigError: bad usage.

    """
    if args.all and args.names:
        raise BadConfigError("--all is every check: leave it out, or the names")
    if args.action != "on" and (args.span or args.message):
        raise BadConfigError(f"--for and --message have no meaning for kacheck drain {args.action}")
    if args.action != "status" and not (args.all or args.names):
        raise BadConfigError(f"drain {args.action} what? Give the name of a check, or --all")
    if args.all:
        return [statedir.ALL]
    for name in args.names:
        if name.upper() == statedir.ALL:
            raise BadConfigError(f"{name!r} cannot be the name of a check: every check is --all")
    names = [checked(name) for name in dict.fromkeys(args.names)]
    if args.action == "on":
        refuse_unknown(args)
    return names


def refuse_unknown(args: Namespace) -> None:
    """Refuse to drain what does not exist, as far as that can be told.

    A configuration that is missing or bad keeps nobody from draining, unless it was named; the
    resident may have been given another one, and there are verdicts of what that has.
    """
    path = args.config or CONFIGURATION
    who, cure = path, ""
    try:
        known = [check.name for check in configuration(path).checks]
    except BadConfigError:
        if args.config:
            raise
        known = statedir.names_in(f"{args.state_dir}/verdict")
        if not known:
            return
        who = f"{path} is missing or bad, and the resident of {args.state_dir}"
        cure = "; what is in another file needs --config FILE"
    known = [*dict.fromkeys([*known, *ONE_SHOTS])]
    for name in args.names:
        if name not in known:
            from kacheck.config.values import suggestion

            raise BadConfigError(f"{who} has no check {name}; {suggestion(name, known)}{cure}")


# --- migrate --------------------------------------------------------------------------------


def migrate_answer(args: Namespace) -> "Answer":
    """`kacheck migrate`."""
    from kacheck.migrate.command import migrate
    from kacheck.migrate.equivalents import Paths
    from kacheck.migrate.plan import Order as Migration

    paths = Paths(os.path.abspath(args.config), os.path.abspath(args.state_dir))
    return migrate(Migration(args.conf, args.mode, paths, args.output, args.in_place, args.recipes))


# --- doctor ---------------------------------------------------------------------------------


def doctor_answer(args: Namespace, *, colours: bool) -> tuple[str, int]:
    """`kacheck doctor`: what it says, and the exit code.

    Raises:
        BadConfigError: it could not look, or there is no such code.

    """
    from kacheck.doctor import examine, text

    if args.explain is not None:
        code = examine.CODES.get(args.explain.upper())
        if code is None:
            last = next(reversed(examine.CODES))
            raise BadConfigError(f"there is no code {args.explain}; give one from KA001 to {last}")
        return text.explained(code), 0
    request = examine.Request(args.conf, args.config, args.state_dir, args.config_id)
    findings = examine.examine(request)
    if args.format == "json":
        return text.as_json(findings), text.exit_code(findings)
    return text.as_text(findings, colours=colours), text.exit_code(findings)
