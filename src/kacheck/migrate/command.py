"""`kacheck migrate`: from its options to what is printed and written."""

import os
from typing import NamedTuple

from kacheck.interruption import Interruption
from kacheck.keepalived import (
    DEFAULT,
    Configuration,
    Kind,
    Problem,
    ProblemKind,
    Version,
    load,
)
from kacheck.keepalived.missing_braces import missing_braces
from kacheck.keepalived.program import version_at
from kacheck.keepalived.releases import OLDEST
from kacheck.migrate import files, verify
from kacheck.migrate.diff import unified
from kacheck.migrate.equivalents import INTERVAL, LIBEXEC
from kacheck.migrate.plan import MigrationOrder, changes_of, in_order, in_steps, read, rewritten
from kacheck.migrate.transaction import Change, Transaction, recover, refuse_killed, written
from kacheck.migrate.unmatched import note_unmatched
from kacheck.result import BadConfigError, KacheckError

DOUBTFUL = (ProblemKind.QUOTE, ProblemKind.BRACE, ProblemKind.CYCLE, ProblemKind.DEFINITION)
SKIPPED = ("no file matches", "is executable")
"""Includes that keepalived does not read either."""
NO_RELEASE = (
    "keepalived's version is not known here; the configuration is read as keepalived"
    f" {DEFAULT} reads it"
)
POLLED = {
    "script": f"a script looks every {INTERVAL} s: keepalived acts on a failure 2 to 5 s later than"
    " with native tracking, and never before a delay is over; --mode watch takes milliseconds",
    "watch": f"a change of priority takes up to {INTERVAL} s, FAULT takes milliseconds",
}


class MigrationAnswer(NamedTuple):
    """What to print to stdout, what to stderr, and the exit code."""

    text: str
    remarks: list[str]
    code: int


def migrate(order: MigrationOrder) -> MigrationAnswer:
    """Migrate a configuration.

    Raises:
        KacheckError: it could not be done; nothing was written.

    """
    if order.output is None and not order.in_place:
        refuse_killed(order.conf)
    else:
        recover(order.output or order.conf)
    keepalived = verify.program()
    release = version_at(keepalived) if keepalived else None
    if release is not None and release < OLDEST:
        raise KacheckError(
            f"keepalived {release} is too old: kacheck's checks need {OLDEST} or later; upgrade"
            " keepalived first"
        )
    configuration = read(order.conf, release or DEFAULT)
    rewrite = rewritten(configuration, order, release)
    changes = changes_of(configuration, rewrite.checks)
    note_unmatched(rewrite.survey, configuration)
    remarks = [str(remark) for remark in sorted(rewrite.survey.remarks)]
    has_lost = bool(missing_braces(configuration.root))
    if remarks or changes or has_lost or unread(configuration):
        refuse_doubt(configuration)
    if release is None and changes:
        remarks.append(f"note: {NO_RELEASE}")
    if rewrite.migrated:
        remarks.append(f"note: {POLLED[order.mode]}")
    code = 1 if any(remark.is_left for remark in rewrite.survey.remarks) else 0
    if order.output is not None:
        changes = redirected(configuration, changes, order.output)
    if order.output is None and not order.in_place:
        return MigrationAnswer(diff(changes), remarks, code)
    steps = in_steps(in_order(changes, order), order, release)
    return MigrationAnswer(
        "\n".join(write(changes, steps, order, configuration.release)), remarks, code
    )


def unread(configuration: Configuration) -> list[Problem]:
    """Return what was too large to be read, so that nothing is known of it."""
    return [each for each in configuration.unevaluated if not each.message.startswith("$")]


def refuse_doubt(configuration: Configuration) -> None:
    """Change nothing where it is not certain what keepalived reads."""
    doubts: list[Problem] = [
        *(each for each in configuration.problems if each.kind in DOUBTFUL),
        *(each for each in configuration.problems if each.kind is ProblemKind.INCLUDE
          and not any(words in each.message for words in SKIPPED)),
        *unread(configuration),
    ]  # fmt: skip
    if doubts:
        where, message, _ = doubts[0]
        raise BadConfigError(f"{where.file}:{where.line}: {message}; correct that first")


def redirected(configuration: Configuration, changes: list[Change], output: str) -> list[Change]:
    """`-o FILE`: the main file's new content goes there."""
    if output == "-":
        raise BadConfigError("-o -: only the diff goes to standard output, without -o; name a file")
    there = files.content(output)
    refuse_output(configuration, changes, output)
    main = next(iter(configuration.files))
    own = [change for change in changes if change.path in configuration.files]
    others = [change.path for change in own if change.path != main]
    if others:
        raise BadConfigError(
            f"{others[0]} would change, too, and -o writes one file; use --in-place, in a copy of"
            " the directory if you like"
        )
    text = configuration.files[main].source.text.encode("utf-8", "surrogateescape")
    new = own[0].new if own else text
    rest = [change for change in changes if change.path not in configuration.files]
    return [] if there == new and not rest else [Change(output, there, new), *rest]


def refuse_output(configuration: Configuration, changes: list[Change], output: str) -> None:
    """Check that the main file's new content can be written and means the same."""
    main = next(iter(configuration.files))
    target = os.path.realpath(output)
    if target == os.path.realpath(main):
        raise BadConfigError(f"-o {output} is the file itself; use --in-place, with a backup")
    for path in (*configuration.files, *(change.path for change in changes)):
        if target == os.path.realpath(path):
            raise BadConfigError(f"-o {output} is {path}, which is in use; name another file")
    if directory_of(output) == directory_of(main):
        return
    for node in configuration.files[main].root.walk():
        if node.kind is Kind.INCLUDE and not "".join(node.arguments[:1]).startswith("/"):
            raise BadConfigError(
                f"{main}:{node.position.line}: {node.line.text} is relative; write it into the"
                " same directory"
            )


def directory_of(path: str) -> str:
    """Where keepalived looks for what a file includes."""
    return os.path.realpath(os.path.dirname(os.path.abspath(path)))


def diff(changes: list[Change]) -> str:
    """Return what would change, for patch(1)."""
    lines: list[str] = []
    for change in changes:
        old, new = (
            lines_of((data or b"").decode("utf-8", "surrogateescape"))
            for data in (change.old, change.new)
        )
        before = "/dev/null" if change.old is None else change.path
        lines += unified(old, new, before, change.path, change.spans)
    ended = (
        line if line[-1] == "\n" else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return "".join(ended).removesuffix("\n")


def lines_of(text: str) -> list[str]:
    """Return the lines with their ends; only LF ends a line for patch(1), keepalived and TOML."""
    *lines, rest = text.split("\n")
    return [*(f"{line}\n" for line in lines), *([rest] if rest else [])]


def write(
    changes: list[Change], steps: list[Change], order: MigrationOrder, release: Version
) -> list[str]:
    """Write all files, or none; then let keepalived judge. What to say about it."""
    if not changes:
        return []
    keepalived = verify.program()
    result = order.output or order.conf
    transaction = Transaction(steps, result)
    with Interruption() as interruption:
        with interruption.now():
            before = verify.ask(keepalived, order.conf) if keepalived else None
        try:
            transaction.stage()
            if order.in_place:
                refuse_included(order.conf, transaction, release)
            transaction.commit()
            said = ["keepalived is not installed here: keepalived -t has not tested the result"]
            with interruption.now():
                if keepalived and before:
                    said = [
                        keepalived_report(before, verify.ask(keepalived, result), result, release)
                    ]
            transaction.finish()
        except BaseException as error:
            if stuck := transaction.undo():
                raise KacheckError("; but ".join((str(error) or "interrupted", *stuck))) from error
            raise
    return [*written(changes, transaction.backups), *transaction.lost, *said]


def keepalived_report(
    before: verify.Said, after: verify.Said, result: str, release: Version
) -> str:
    """Return what keepalived says.

    A complaint that it did not have before takes everything back.
    """
    user = verify.other_user(load(result, release=release)) if after.is_terminated else None
    new = verify.new_complaints(before, after, may_end=user is not None)
    if new:
        raise KacheckError(
            f"keepalived -t complains: {new[0]}; nothing was written; {cure_of(new[0], before)}"
        )
    if user is not None:
        return (
            f"keepalived -t cannot judge the result: it kills itself (SIGTERM) because of {user},"
            " as keepalived 2.2.7 does for every user but root; as a service it does not"
        )
    return verify.in_words(before, after)


def cure_of(complaint: str, before: verify.Said) -> str:
    """Return what to do about a new complaint."""
    if not os.access(f"{LIBEXEC}/kacheck-verdict", os.X_OK):
        return f"install kacheck's entry points to {LIBEXEC} first"
    if verify.VIOLATION in complaint:
        return "write enable_script_security into global_defs first"
    if os.geteuid() != 0:
        return "run it as root"
    if before.complaints:
        return f"correct what it complained of before, {before.complaints[0]}, or report it"
    return "please report it"


def refuse_included(conf: str, transaction: Transaction, release: Version) -> None:
    """Refuse a backup that an `include *` would take in: it would define everything twice."""
    read_now = {os.path.realpath(path) for path in load(conf, release=release).files}
    for backup in transaction.backups.values():
        if backup in read_now:
            raise BadConfigError(
                f"an include matches every file there, and would match {backup}; write *.conf in it"
            )
