"""`kacheck migrate`: from its options to what is printed and written."""

import difflib
import os
from typing import NamedTuple

from kacheck.keepalived import Configuration, Problem, ProblemKind, load
from kacheck.keepalived.edit import EditError
from kacheck.migrate import files, verify
from kacheck.migrate.checks import Checks
from kacheck.migrate.equivalents import INTERVAL, LIBEXEC, Mode, Paths
from kacheck.migrate.files import Change, Transaction
from kacheck.migrate.recipes import replace_recipes
from kacheck.migrate.rewrite import Rewrite
from kacheck.result import BadConfigError

DOUBTFUL = (ProblemKind.QUOTE, ProblemKind.BRACE, ProblemKind.CYCLE, ProblemKind.DEFINITION)
SKIPPED = ("no file matches", "is executable")
"""Includes that keepalived does not read either."""
POLLED = {
    "script": f"a script looks every {INTERVAL} s: a failure is acted on 2 to 5 s after native"
    " tracking would, and never before a delay is over; --mode watch needs milliseconds",
    "watch": f"what is added to a priority follows within {INTERVAL} s, FAULT within milliseconds",
}


class Order(NamedTuple):
    """What is asked for."""

    conf: str
    mode: Mode = "watch"
    paths: Paths = Paths()
    output: str | None = None
    in_place: bool = False
    recipes: bool = False


class Answer(NamedTuple):
    """What to print to stdout, what to stderr, and the exit code."""

    text: str
    remarks: list[str]
    code: int


def migrate(order: Order) -> Answer:
    """Migrate a configuration.

    Raises:
        BadConfigError: it could not be done; nothing was written.

    """
    configuration = read(order.conf)
    rewrite = rewritten(configuration, order)
    changes = changes_of(configuration, rewrite.checks)
    remarks = [str(remark) for remark in sorted(rewrite.survey.remarks)]
    if remarks or changes:
        refuse_doubt(configuration)
    if rewrite.migrated:
        remarks.append(f"note: {POLLED[order.mode]}")
    code = 1 if any(remark.is_left for remark in rewrite.survey.remarks) else 0
    if order.output is not None:
        changes = redirected(configuration, changes, order.output)
    if order.output is None and not order.in_place:
        return Answer(diff(changes), remarks, code)
    return Answer("\n".join(write(changes, order)), remarks, code)


def read(path: str) -> Configuration:
    """The configuration with all that it includes."""
    configuration = load(path)
    if path not in configuration.files:
        why = configuration.problems[0].message if configuration.problems else "cannot be read"
        raise BadConfigError(f"{why}; give the path of a keepalived.conf")
    return configuration


def refuse_doubt(configuration: Configuration) -> None:
    """Change nothing where it is not certain what keepalived reads."""
    doubts: list[Problem] = [
        *(each for each in configuration.problems if each.kind in DOUBTFUL),
        *(each for each in configuration.problems if each.kind is ProblemKind.INCLUDE
          and not any(words in each.message for words in SKIPPED)),
        *(each for each in configuration.unevaluated if not each.message.startswith("$")),
    ]  # fmt: skip
    if doubts:
        where, message, _ = doubts[0]
        raise BadConfigError(f"{where.file}:{where.line}: {message}; correct that first")


def rewritten(configuration: Configuration, order: Order) -> Rewrite:
    """The edits, in the configuration's trees."""
    text = None
    if order.mode == "watch" and configuration.find("vrrp_track_process"):
        text = configuration_text(order.paths.config)
    rewrite = Rewrite(configuration, Checks(order.paths.config, text), order.mode, order.paths)
    try:
        rewrite.run()
        if order.recipes:
            replace_recipes(configuration, rewrite.survey)
    except EditError as error:
        raise BadConfigError(f"{error}; write that part in lines of its own") from None
    return rewrite


def configuration_text(path: str) -> str | None:
    """kacheck.toml, if it is there."""
    try:
        data = files.content(path)
        return None if data is None else data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfigError(f"{path}: {error}; give the path of a configuration") from None


def changes_of(configuration: Configuration, checks: Checks) -> list[Change]:
    """Old and new contents, keepalived's files first."""
    changes = []
    for path, new in configuration.changed().items():
        old = configuration.files[path].source.text.encode("utf-8", "surrogateescape")
        if old != new:
            changes.append(Change(path, old, new))
    text = checks.result()
    if text != checks.text:
        old_text = checks.text.encode() if checks.is_there else None
        changes.append(Change(checks.path, old_text, text.encode()))
    return changes


def redirected(configuration: Configuration, changes: list[Change], output: str) -> list[Change]:
    """`-o FILE`: the main file's new content goes there."""
    main = next(iter(configuration.files))
    own = [change for change in changes if change.path in configuration.files]
    others = [change.path for change in own if change.path != main]
    if others:
        raise BadConfigError(
            f"{others[0]} would change, too, and -o has one file; take --in-place, in a copy of"
            " the directory if you like"
        )
    text = configuration.files[main].source.text.encode("utf-8", "surrogateescape")
    new = own[0].new if own else text
    rest = [change for change in changes if change.path not in configuration.files]
    if os.path.realpath(output) == os.path.realpath(main):
        raise BadConfigError(f"-o {output} is the file itself; take --in-place, which keeps it")
    there = files.content(output)
    return [] if there == new and not rest else [Change(output, there, new), *rest]


def diff(changes: list[Change]) -> str:
    """What would change, for patch(1)."""
    lines: list[str] = []
    for change in changes:
        old, new = (
            (data or b"").decode("utf-8", "surrogateescape").splitlines(keepends=True)
            for data in (change.old, change.new)
        )
        before = "/dev/null" if change.old is None else change.path
        lines += difflib.unified_diff(old, new, before, change.path)
    ended = (
        line if line[-1] == "\n" else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return "".join(ended).removesuffix("\n")


def write(changes: list[Change], order: Order) -> list[str]:
    """Write all files, or none; then let keepalived judge. What to say about it."""
    if not changes:
        return []
    keepalived = verify.program()
    result = order.output or order.conf
    before = verify.ask(keepalived, order.conf) if keepalived else None
    transaction = Transaction(changes)
    try:
        transaction.stage()
        if order.in_place:
            refuse_included(order.conf, transaction)
        transaction.commit()
        said = ["keepalived is not installed here: keepalived -t has not seen the result"]
        if keepalived and before:
            said = [judgement(before, verify.ask(keepalived, result))]
    except OSError as error:
        transaction.undo()
        raise BadConfigError(f"{error.filename}: {error.strerror}; nothing was written") from None
    except BaseException:
        transaction.undo()
        raise
    return [*files.written(changes, transaction.backups), *said]


def judgement(before: verify.Said, after: verify.Said) -> str:
    """What keepalived says; a complaint that it did not have before takes everything back."""
    new = verify.new_complaints(before, after)
    if new:
        cure = "please report it"
        if not os.access(f"{LIBEXEC}/kacheck-verdict", os.X_OK):
            cure = f"install kacheck's entry points to {LIBEXEC} first"
        elif verify.VIOLATION in new[0]:
            cure = "write enable_script_security into global_defs first"
        raise BadConfigError(f"keepalived -t complains: {new[0]}; nothing was written; {cure}")
    return verify.in_words(before, after)


def refuse_included(conf: str, transaction: Transaction) -> None:
    """A backup that an `include *` takes in would define everything twice."""
    read_now = {os.path.realpath(path) for path in load(conf).files}
    for backup in transaction.backups.values():
        if backup in read_now:
            raise BadConfigError(
                f"an include takes in every file there, and would {backup}; let it name *.conf"
            )
