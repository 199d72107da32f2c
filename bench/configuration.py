"""How long a megabyte of keepalived.conf takes: an ordinary one, and what nobody would write.

    .venv/bin/python bench/configuration.py

Prints seconds of CPU for each: for the tree of a file (parse), for all that keepalived sees, with
the files' trees (load), for the diff of `kacheck migrate`. A missed goal is not an error: the
machine may be busy. The package that is measured is the one that this Python has.
"""

import argparse
import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench.measure import goal, grid, machine, title

from kacheck.keepalived import load, parse
from kacheck.migrate.command import migrate
from kacheck.migrate.equivalents import Paths
from kacheck.migrate.plan import MigrationOrder
from kacheck.result import BadConfigError

SIZE = 1_000_000
ORDINARY = """\
# instance {0}
vrrp_script chk{0} {{
    script "/usr/bin/pgrep nginx"   # alive?
    interval 2
}}
vrrp_instance VI_{0} {{
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {{
        10.0.0.1/24 dev eth0
    }}
    track_script {{
        chk{0}
    }}
}}
"""
TRACKED = """\
vrrp_track_process p{0} {{
    process b{0}
}}
vrrp_instance I{0} {{
    track_process {{
        p{0}
    }}
}}
"""
REPEATED = [
    "{", "}", "{}", "a{b}", "a {\n", "}\n", "x\n", "\n", " ", '"', '"\n', '"" \n', "\\", "\\\n",
    "a b \\\n", "a \\# b\n", 'a "b\\" c"\n', 'a "b\n', "#", "!\n", "$", "$\n", "${", "${B}",
    "a $B\n", "${_RANDOM}", "@", "@id a\n", "a { @id b } ", "~SEQ(", "~SEQ(N, 3) a $N\n",
    "~LST(A,b,c) $A\n", "\r", "\0", "a\0b\n", "\udcff", "é {\n", "include none\n",
    "include {a,b}{c,d}*\n", "include " + "{a,b}" * 100 + "\n", "include " + "../" * 300 + "x\n",
    "include /proc/*/x\n", "vrrp_track_process a {", "vrrp_track_process a {\n process b\n}\n",
]  # fmt: skip
BEHIND = {
    "$A=b": "${A}\n", "$A=$A": "$A\n", "$A=x${A}": "${A} ${A}\n", "$A=" + "x " * 500: "$A\n",
    "$A=" + "{}" * 480: "$A\n", "$A=b \\": "x \\\n",
}  # fmt: skip
"""What is repeated behind a definition."""


def families() -> dict[str, str]:
    """The megabytes by their names."""
    found = {
        "ordinary": numbered(ORDINARY),
        "5000 vrrp_track_process": "".join(TRACKED.format(number) for number in range(5000)),
        "vrrp_track_process": numbered(TRACKED),
    }
    found |= {f"{unit!r:.24}": unit * (SIZE // len(unit)) for unit in REPEATED}
    for head, unit in BEHIND.items():
        found[f"{head!r:.14}, {unit!r:.14}"] = f"{head}\n{unit * (SIZE // len(unit))}\n"
    return found


def numbered(text: str) -> str:
    """A megabyte of a text with numbers."""
    parts = (text.format(number) for number in range(SIZE // len(text)))
    return "".join(parts)


def seconds(work: Callable[[], object]) -> float:
    """Seconds of CPU; a configuration that is refused is one, too."""
    gc.collect()
    begun = time.process_time()
    with suppress(BadConfigError):
        work()
    return time.process_time() - begun


def measure(text: str, directory: str) -> list[float]:
    """Seconds of parse, load and migrate."""
    path = f"{directory}/keepalived.conf"
    data = text.encode("utf-8", "surrogateescape")
    with open(path, "wb") as file:
        file.write(data)
    order = MigrationOrder(path, paths=Paths(config=f"{directory}/kacheck.toml"))
    return [
        seconds(lambda: parse(data).root),
        seconds(lambda: [tree.root for tree in load(path).files.values()]),
        seconds(lambda: migrate(order)),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="How long a megabyte of keepalived.conf takes.")
    parser.parse_args(argv)
    gc.disable()  # as the command does
    print(f"# A megabyte of configuration\n\n{machine()}")
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        found = {name: measure(text, directory) for name, text in families().items()}
    title("Seconds")
    rows = [[name, *(f"{each:.2f}" for each in times)] for name, times in found.items()]
    print(grid([["a megabyte of", "parse", "load", "migrate"], *rows]))
    title("Goals")
    parses, loads, migrates = zip(*found.values(), strict=True)
    print(goal("an ordinary megabyte with all trees", loads[0], 1, " s"))
    print(goal("the tree of any megabyte", max(parses), 10, " s"))
    print(goal("any megabyte with all trees", max(loads), 20, " s"))
    print(goal("the diff of 5000 vrrp_track_process", migrates[1], 5, " s"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
