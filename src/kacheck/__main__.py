"""`python3 -I -m kacheck`, or by its path, as the entry points run it."""

import gc

gc.disable()  # nothing of a one-shot lives long enough to be collected; the watcher enables it

if not __package__:
    # The package that this file belongs to, and nothing else that lies beside it.
    import sys

    sys.path.insert(0, __file__.rpartition("/kacheck/")[0])
    import kacheck  # noqa: F401

    del sys.path[0]

from kacheck.cli import run  # noqa: E402 - the collector comes first

run()
