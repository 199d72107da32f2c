"""What an exchange gets back."""

from typing import NamedTuple

MAX_BODY = 64 * 1024
"""Bytes; an answer about health has about 500."""


class HttpAnswer(NamedTuple):
    """An HTTP answer as far as it was read."""

    code: int
    body: bytes
    location: str | None = None
    """Where a redirect leads."""
