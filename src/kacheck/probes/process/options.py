"""What `kacheck process` is asked: which processes, and how many of them."""

from __future__ import annotations

from kacheck.probe import OptionError

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from kacheck.light import NamedTuple


class ProcessOptions(NamedTuple):
    """What to look for, in vrrp_track_process's words (keepalived.conf(5))."""

    name: str
    args: tuple[str, ...] = ()
    quorum: int = 1
    quorum_max: int | None = None
    """0 means: must not run."""
    param_match: str | None = None
    full_command: bool = False
    user: str | None = None
    """Name or number of the real and effective user."""
    all_namespaces: bool = False
    describe: bool = False
    """Add user, age, command line and state of each match to the data (psutil: 20 ms)."""
    proc: str = "/proc"


def prepare(values: dict[str, Any]) -> ProcessOptions:
    """Return what is asked, as the probe's `prepare`.

    Raises:
        OptionError: no number of processes could satisfy the options.

    """
    options = ProcessOptions(**values)
    # The default quorum goes with a quorum_max of 0, which sets it to 0.
    if options.quorum_max is not None and options.quorum > max(options.quorum_max, 1):
        raise OptionError(
            "quorum_max",
            "{quorum} {least} is above {quorum_max} {most}; no number of processes satisfies both",
            least=options.quorum,
            most=options.quorum_max,
        )
    return options


def detailed(options: ProcessOptions) -> ProcessOptions:
    """Return the same, with more about each process that matches."""
    return options._replace(describe=True)
