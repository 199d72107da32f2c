"""What an exchange gets back."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from kacheck.light import NamedTuple

MAX_BODY = 64 * 1024
"""Bytes; an answer about health has about 500."""
CODES_WITH_BODY = frozenset(range(200, 600)) - {204, 304}
"""Codes whose answers have a body, if they have a length (RFC 9110, 15.3.5 and 15.4.5)."""


class HttpAnswer(NamedTuple):
    """An HTTP answer as far as it was read."""

    code: int
    body: bytes
    location: str | None = None
    """Where a redirect leads."""
