"""What takes the place of a vrrp_track_process: blocks of keepalived.conf and a check. Pure.

keepalived does with the weight of a vrrp_script what it does with a track_process's, in every
sign: 0 is FAULT where the quorum is not achieved, a positive one is added where it is achieved, a
negative one where it is not. So the weights of references are a script's word for word, up to 253.

- `script`: the vrrp_script looks for itself, every `INTERVAL` seconds. A delay is whole looks.
- `watch`: for FAULT a track_file with 1 for healthy and `weight 0 reverse`, so that a file that is
  missing fails; and its guard, a vrrp_script that reads the verdict, with the same weight.
- `watch`, for what is added to a priority: the guard alone. A file and its guard are added up. So
  for both to give N where the quorum is achieved and 0 where it is not, and no more than 0 with the
  file that a dead watcher leaves behind, file(1) + guard(ok) = N, file(0) + guard(failed) = 0 and
  file(1) + guard(failed) <= 0, a file may not change anything. And a negative weight in a file
  would have a missing file healthy.
- `reverse` asks the opposite. Under it a script that fails, for whatever reason, would count as
  healthy. So the check itself asks the opposite, which is possible if that is one quorum: no
  process at all, or at least one.
"""

import re
from collections.abc import Sequence
from math import ceil
from typing import Literal, NamedTuple

from kacheck import statedir
from kacheck.commands.options import CONFIGURATION
from kacheck.keepalived import DEFAULT, Version, parse, quote
from kacheck.keepalived.limits import HEAVIEST
from kacheck.keepalived.rules import rules_of
from kacheck.keepalived.tracking import Weight
from kacheck.migrate.tracked import MICROSECONDS, LeftError, Tracked
from kacheck.probes import process
from kacheck.probes.process.options import ProcessOptions
from kacheck.state import Policy
from kacheck.written import command_line

Mode = Literal["watch", "script"]

LIBEXEC = "/usr/libexec/kacheck"
INTERVAL = 2
"""Seconds between the looks of a script; whole ones, for keepalived before 2.3.2."""
HEAVIEST_SCRIPT = HEAVIEST["track_script"]
"""keepalived turns 254 in a track_script into 253, with a warning."""
ESCAPED = re.compile(r"[\x00-\x1f\x7f\"'\\$]")
UNQUOTED = re.compile(r"[A-Za-z0-9_.,:/=@%+\u0080-\U0010ffff-]+")


class Paths(NamedTuple):
    """Where the watcher's files are."""

    config: str = CONFIGURATION
    state_dir: str = statedir.DEFAULT


class Equivalent(NamedTuple):
    """What to write for one block."""

    name: str
    """Of the vrrp_script, and of the track_file."""
    check: str | None
    """The check's name in the configuration file; None in mode `script`."""
    options: ProcessOptions
    policy: Policy
    is_negated: bool
    """The check asks the opposite, so weights change their sign and lose `reverse`."""
    weight: Weight
    fall: int
    rise: int
    has_file: bool


def equivalent(tracked: Tracked, uses: list[Weight], mode: Mode) -> Equivalent:
    """Return the equivalent of a block that is used with these weights.

    Raises:
        LeftError: no equivalent fails closed.

    """
    uses = uses or [tracked.weight]
    for weight in (tracked.weight, *uses):
        if abs(weight.value) > HEAVIEST_SCRIPT:
            raise LeftError(
                f"weight {weight.value} has no equivalent, a script's goes to {HEAVIEST_SCRIPT};"
                " write a smaller one, or 0 for FAULT"
            )
    is_negated = any(weight.reverse for weight in uses)
    if is_negated:
        tracked = _negated(tracked, uses)
    if tracked.quorum_max == 0 or (tracked.quorum == 1 and tracked.quorum_max is None):
        # check_process_fork() delays what a tracked process forks, and none is tracked yet. A
        # process that begins to match by execve(2) counts at once.
        tracked = tracked._replace(fork_delay=0)
    policy = Policy(1, 1, tracked.fork_delay / MICROSECONDS, tracked.terminate_delay / MICROSECONDS)
    options = options_of(tracked)
    weights = [weight.value for weight in uses]
    has_file = mode == "watch" and 0 in weights
    fall, rise = _looks(tracked, mode, weighted=any(weights))
    return Equivalent(
        tracked.name, None, options, policy, is_negated, tracked.weight, fall, rise, has_file
    )


def options_of(tracked: Tracked) -> ProcessOptions:
    """Return the block as kacheck asks for it, without what is the default there."""
    match = tracked.param_match
    return ProcessOptions(
        name=tracked.process,
        args=tracked.args,
        quorum=max(tracked.quorum, 1),
        quorum_max=tracked.quorum_max,
        param_match=None if match == "exact" and tracked.args else match,
        full_command=tracked.full_command,
        all_namespaces=True,  # keepalived knows nothing of pid namespaces
    )


def negated(weight: Weight) -> Weight:
    """Return the weight that has the same effect when the check asks the opposite."""
    return Weight(-weight.value)


def _negated(tracked: Tracked, uses: list[Weight]) -> Tracked:
    """Return the block that has its quorum exactly when this one has not."""
    if not all(weight.reverse for weight in uses):
        raise LeftError("it is tracked with reverse and without; make two blocks of it")
    weight = negated(tracked.weight)
    if tracked.quorum_max == 0:
        return tracked._replace(quorum=1, quorum_max=None, weight=weight)
    if tracked.quorum == 1 and tracked.quorum_max is None:
        return tracked._replace(quorum=0, quorum_max=0, weight=weight)
    raise LeftError(
        "reverse with these quorums has no equivalent that fails closed; write the quorum or"
        " quorum_max with which the VIP should stay, without reverse"
    )


def _looks(tracked: Tracked, mode: Mode, *, weighted: bool) -> tuple[int, int]:
    """`fall` and `rise`: never sooner than the delays."""
    exits, forks = tracked.terminate_delay, tracked.fork_delay
    if tracked.quorum_max == 0:
        exits, forks = forks, exits  # a fork loses it
    elif tracked.quorum_max is not None:
        if mode == "script" and exits != forks:
            raise LeftError(
                "quorum_max with different delays has no equivalent in looks;"
                " use --mode watch, or the same delay for both"
            )
        exits = forks = max(exits, forks)
    if mode == "watch":
        # The watcher keeps the delays. The guard has to, where it looks for itself.
        return 1 if weighted else _whole_looks(exits, least=2), 1
    for delay in (exits, forks):
        if 0 < delay < INTERVAL * MICROSECONDS:
            raise LeftError(
                f"a delay of {seconds(delay)} s has no equivalent in looks every {INTERVAL} s;"
                " use --mode watch"
            )
    return _whole_looks(exits, least=2), _whole_looks(forks, least=1)


def _whole_looks(delay: int, least: int) -> int:
    """Return the looks in a row that take at least this time."""
    return max(1 + ceil(delay / (INTERVAL * MICROSECONDS)), least)


def seconds(delay: int) -> str:
    """Microseconds as seconds."""
    return f"{delay / MICROSECONDS:.6f}".rstrip("0").rstrip(".")


def check_name(name: str) -> str:
    """Return the name of a block as a check can have it."""
    fit = re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip(".-")[:60] or "process"
    return f"{fit}_" if fit.upper() == statedir.ALL else fit


# --- keepalived.conf ------------------------------------------------------------------------


def blocks(
    equivalent: Equivalent,
    paths: Paths,
    unit: str,
    comments: Sequence[str] = (),
    *,
    release: Version = DEFAULT,
) -> str:
    """Return the blocks that define it, as this release reads them; `unit` indents their lines.

    Raises:
        LeftError: keepalived could not read them.

    """
    if equivalent.check is None:
        command = process_command(equivalent.options)
    else:
        command = verdict_command(equivalent.check, paths)
    script = [
        *comments,
        f"script {script_word(command, release)}",
        f"interval {INTERVAL}",
        "timeout 1",
        f"fall {equivalent.fall}",
        f"rise {equivalent.rise}",
        *weight_line(equivalent.weight),
        "user root",
    ]
    made = [block(f"vrrp_script {quote(equivalent.name)}", script, unit)]
    if equivalent.has_file:
        file = [f"file {quote(f'{paths.state_dir}/track/{equivalent.check}')}", "weight 0 reverse"]
        # Its older name, which 2.0.20 knows, too; and no release complains of it.
        made.append(block(f"vrrp_track_file {quote(equivalent.name)}", file, unit))
    text = "\n\n".join(made)
    tree = parse(text, release=release)
    names = [node.arguments for node in tree.root.children or ()]
    commands = [node.command for node in tree.find("vrrp_script", "script")]
    if tree.problems or commands != [command] or names != [[equivalent.name]] * len(made):
        raise LeftError(
            "keepalived cannot read its words in one line; rename it, or write your own script"
        )
    return text


def block(head: str, lines: list[str], unit: str) -> str:
    """Return a block on separate lines."""
    return "\n".join([f"{head} {{", *(unit + line for line in lines), "}"])


def weight_line(weight: Weight) -> list[str]:
    """Return the weight, if it is not keepalived's default."""
    if weight == Weight():
        return []
    return [f"weight {weight.value}{' reverse' if weight.reverse else ''}"]


def process_command(options: ProcessOptions) -> list[str]:
    """Return the one-shot that looks."""
    words = command_line(process.PROBE, options._asdict())
    return [f"{LIBEXEC}/kacheck-process", *words]


def verdict_command(check: str, paths: Paths) -> list[str]:
    """Return the guard, which reads what the watcher says."""
    words = [f"{LIBEXEC}/kacheck-verdict"]
    if paths.state_dir != statedir.DEFAULT:
        words += ["--state-dir", paths.state_dir]
    if paths.config != CONFIGURATION:
        words += ["--config", paths.config]
    return [*words, check]


def script_word(command: list[str], release: Version = DEFAULT) -> str:
    r"""Return a command as the word behind `script`, which keepalived cuts twice.

    What either pass or a `$NAME` could take for its own is written as an octal escape. Before 2.3.2
    escapes count twice, too: the first pass makes `\042` of `\\042`, and the second the character.
    """
    backslash = "\\" if rules_of(release).unescapes_once else "\\\\"
    return '"' + " ".join(_script_part(word, backslash) for word in command) + '"'


def _script_part(word: str, backslash: str) -> str:
    def octal(match: re.Match[str]) -> str:
        return f"{backslash}{ord(match[0]):03o}"

    escaped = ESCAPED.sub(octal, word)
    if "\\" in escaped:
        return re.sub(r"[ {}!#~;&|<>*?()`]", octal, escaped)
    return escaped if UNQUOTED.fullmatch(escaped) else f"'{escaped}'"
