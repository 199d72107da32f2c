"""The reason of combinations that no member has by itself."""

from kacheck.result import UNKNOWN, Reason

NOT_OK = Reason(
    "not-ok",
    UNKNOWN,
    "A member of a combination cannot be determined, and what the others say is not ok: with "
    "`any` one is down, with `all` one has a warning. It fails whatever `on_unknown` says",
    includes_failure=True,
)
