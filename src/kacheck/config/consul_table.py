"""The table `[consul]`: the agent that verdicts are reported to. Pure."""

from typing import Any

from kacheck.config.values import WrongError, read
from kacheck.consul.agent import agent_of
from kacheck.consul.options import REPORT_OPTIONS
from kacheck.consul.ttl_check import Reporting
from kacheck.kinds import suggestion
from kacheck.probe import OptionError

OPTIONS = {option.name: option for option in REPORT_OPTIONS}


def reporting_of(table: Any) -> Reporting:
    """Return where verdicts are reported."""
    path = ("consul",)
    if not isinstance(table, dict):
        raise WrongError(path, "consul must be a table; it begins with [consul]")
    for key in table:
        if key not in OPTIONS:
            what = f"unknown key {key} of the table consul; {suggestion(key, OPTIONS)}"
            raise WrongError((*path, key), what)
    values = {key: read((*path, key), OPTIONS[key], value) for key, value in table.items()}
    try:
        agent = agent_of(values)
    except OptionError as error:
        raise WrongError((*path, error.option), error.text(str, OPTIONS)) from None
    return Reporting(agent, values.get("ttl", Reporting().ttl))
