"""What tests with a real keepalived share."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.needs import needs


@pytest.fixture
def process_events() -> Iterator[None]:
    """The kernel's process events, for one test of the machine at a time.

    Every listener gets the answer to any other's listen, so it takes a keepalived that was ignored
    for heard. And the address of the listening socket is getpid(), which two keepaliveds in pid
    namespaces of their own can share: the second one gets errno 98 and stays in FAULT.
    """
    directory = os.open(Path(__file__).parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        needs("unshare", root=True, process_events=True)
        yield
    finally:
        os.close(directory)
