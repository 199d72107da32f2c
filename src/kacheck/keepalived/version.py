"""A release of keepalived. Pure."""

from typing import NamedTuple


class Version(NamedTuple):
    """A release of keepalived."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return ".".join(map(str, self))


def version_of(text: str) -> Version:
    """Return the version that a text such as `2.2.7` names.

    Raises:
        ValueError: it names none.

    """
    major, minor, patch = (int(part) for part in text.split("."))
    return Version(major, minor, patch)
