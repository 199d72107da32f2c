"""An option of `kacheck http` whose value is empty, as that of a variable that is not set."""

import pytest

from kacheck import cli


@pytest.mark.parametrize(
    "option",
    ["--contains", "--json", "--expect", "--warn", "--header", "--auth-file", "--unix-socket"],
)
def test_an_empty_value_is_not_taken_for_none(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or the condition is not checked, or another server is asked."""
    assert cli.main(["http", "http://127.0.0.1:1/", option, ""]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "give it a value, or leave it out" in said.err
