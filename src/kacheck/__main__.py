"""`python3 -I -m kacheck`, or by its path, as the entry points run it."""

if not __package__:
    # The package that this file belongs to, and nothing else that lies beside it.
    import sys

    sys.path.insert(0, __file__.rpartition("/kacheck/")[0])
    import kacheck  # noqa: F401

    del sys.path[0]

from kacheck.cli import run

run()
