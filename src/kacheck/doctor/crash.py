"""KA001: a crash of one of the finding functions is a finding, and the others still run."""

from collections.abc import Iterable

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Code, Finding, Lint, Severity

CRASH = Code(
    "KA001",
    Severity.WARNING,
    "one of kacheck's own lints crashed",
    """\
A part of `kacheck doctor` has a bug and raised an exception. The other parts ran, so their findings
are valid; what this part looks for was not examined. Please report it with the line that the
finding names, and with the configuration if you may show it.""",
)


class Crashes:
    """The crashes of a run: one finding for each cause, which names all functions that it hit."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def guard(self, lint: Lint, context: Context) -> list[Finding]:
        """Return what a lint finds; what it found before a crash stays."""
        findings: list[Finding] = []
        try:
            for finding in lint(context):
                findings.append(finding)  # noqa: PERF402 - so that nothing is lost in a crash
        except Exception as error:  # noqa: BLE001 - the other lints must run
            self.add(lint.name, error)
        return findings

    def add(self, name: str, error: BaseException) -> None:
        """Remember that a function crashed."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else "?"
        cause = f"{type(error).__name__}: {error} ({where})"
        self._names.setdefault(cause, []).append(name)

    def findings(self) -> Iterable[Finding]:
        """Yield one finding for each cause."""
        for cause, names in self._names.items():
            what = f"{', '.join(names)} crashed: {cause}"
            yield Finding(CRASH, what, "that is our bug; the other lints ran", "please report it")
