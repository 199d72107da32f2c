"""What a check said."""

from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What a check said: the exit code and the JSON it printed."""

    code: int
    json: dict[str, Any]

    @property
    def verdict(self) -> str:
        """Status and reason."""
        return f"{self.json['status']} {self.json['reason']}"

    @property
    def message(self) -> str:
        return str(self.json["message"])

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.json["data"]
        return data
