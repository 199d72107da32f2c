"""The checks of mode `watch`: appended to kacheck.toml, whose text stays as it is. Pure."""

from kacheck import config
from kacheck.check import Check
from kacheck.migrate.equivalents import Equivalent, seconds
from kacheck.migrate.files import BOM
from kacheck.migrate.tracked import MICROSECONDS, LeftError
from kacheck.probes import process
from kacheck.result import BadConfigError
from kacheck.written import toml, toml_string


class Checks:
    """A configuration file and what is to be appended to it.

    Raises:
        BadConfigError: it is there and cannot be read as it is.

    """

    def __init__(self, path: str, text: str | None) -> None:
        self.path = path
        self.text = text or ""
        self.is_there = text is not None
        self._known: dict[str, Check] = {}
        if self.text.strip():
            there = config.parse(self.text.removeprefix(BOM), path)
            self._known = {check.name: check for check in there.checks}
        self._added: list[str] = []
        self._owners: dict[str, str] = {}
        """By the name of an added check, the block that it is for."""

    def require(self, equivalent: Equivalent, name: str) -> None:
        """See that there is a check of this name and this meaning.

        Raises:
            LeftError: there is one of another meaning, or it cannot be written.

        """
        try:
            text = table(equivalent, name)
            check = config.parse(text, self.path).checks[0]
        except UnicodeEncodeError:
            why = "its process is not UTF-8, as kacheck.toml requires; use --mode script"
            raise LeftError(why) from None
        except BadConfigError as error:
            raise LeftError(f"its check cannot be written ({error}); write it yourself") from None
        if name not in self._known:
            self._added.append(text)
            self._owners[name] = equivalent.name
        if meaning(self._known.setdefault(name, check)) != meaning(check):
            if name in self._owners:
                raise LeftError(
                    f"its check would be {name}, as {self._owners[name]}'s is, which asks something"
                    " else; rename one of the two blocks"
                )
            raise LeftError(
                f"{self.path} has a check {name} already, which asks something else;"
                f" rename that one, or replace it by this one: {one_line(text)}"
            )

    def result(self) -> str:
        """Return the new text.

        Raises:
            BadConfigError: the old one is such that no table can be appended to it.

        """
        text = joined(self.text, self._added)
        if self._added:
            try:
                config.parse(text.removeprefix(BOM), self.path)
            except BadConfigError:  # both parts alone are good
                raise BadConfigError(
                    f"{self.path}: check is an inline table, and no table can be appended to one;"
                    " write each check below a separate header, [check.NAME]"
                ) from None
        return text


def meaning(check: Check) -> tuple[object, ...]:
    """Return what a check says and when; how often it is looked at may differ."""
    return check.question, check.policy, check.track


def joined(text: str, added: list[str]) -> str:
    """Return the text with tables behind it, in lines that end as its first one does."""
    if not added:
        return text
    end = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    if text and not text.endswith("\n"):
        text += end
    new = ("\n" if text.strip() else "") + "\n".join(added)
    return text + new.replace("\n", end)


def table(equivalent: Equivalent, name: str) -> str:
    """Return the `[check.NAME]`; native tracking acts at once, so `rise` and `fall` are 1."""
    options, policy = equivalent.options, equivalent.policy
    lines = [
        f"[check.{name if name.replace('-', '_').isidentifier() else toml_string(name)}]",
        *toml(process.PROBE, options._asdict()),
        "rise = 1",
        "fall = 1",
    ]
    delays = {"terminate_delay": policy.terminate_delay, "fork_delay": policy.fork_delay}
    lines += [
        f"{key} = {seconds(round(delay * MICROSECONDS))}" for key, delay in delays.items() if delay
    ]
    return "\n".join(lines) + "\n"


def one_line(text: str) -> str:
    """Return a table's keys for a message."""
    return ", ".join(text.split("\n")[1:-1])
