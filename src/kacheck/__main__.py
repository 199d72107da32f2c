"""`python3 -I -m kacheck`, and `python3 -I src/kacheck/__main__.py` from a checkout."""

import sys

if not __package__:
    # Run by its path: the entry points do so in a checkout, where kacheck is not installed.
    sys.path.insert(0, __file__.rpartition("/kacheck/")[0])

from kacheck.cli import run

run()
