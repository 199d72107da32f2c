"""Several questions under one deadline: other checks by name, or a process and Vault."""

from kacheck.kinds import TEXT
from kacheck.probe import Option, Probe
from kacheck.probes import process, vault
from kacheck.probes.combined.reasons import NOT_OK

PROBE = Probe(
    name="combined",
    summary="Check a process and then Vault, under one deadline",
    description="Check a process and then Vault, under one deadline. It stops at the first failure "
    "and says which one it was: if the process is gone, it does not ask Vault.",
    options=(
        Option(
            "all",
            TEXT,
            "names of other checks that must all be ok, asked in this order",
            details="Give exactly one of `all`, `any` and `process`. A combination makes its own "
            "looks under its own `timeout`; the `interval`, the delays and the `track` of its "
            "members have no effect on it. Combinations may be nested 16 deep, and make at most "
            "256 looks.",
            is_repeatable=True,
            is_set=True,
            names_checks=True,
        ),
        Option(
            "any",
            TEXT,
            "names of other checks, at least one of which must be ok",
            details="Each of them gets an equal share of the time. One that cannot be determined "
            'does not pass beside one that is down, not even by `on_unknown = "ok"`.',
            is_repeatable=True,
            is_set=True,
            names_checks=True,
        ),
        Option(
            "process",
            TEXT,
            "the process that must run",
            metavar="NAME",
            example="vault",
            is_required=True,
        ),
        *process.SCOPE,
        *vault.OPTIONS,
    ),
    reasons=(*process.PROBE.reasons, *vault.PROBE.reasons, NOT_OK),
    prepare="kacheck.probes.combined.question:prepare",
    look="kacheck.probes.combined.question:look",
    repeated="kacheck.probes.combined.repeated:RepeatedCombination",
    environment="kacheck.probes.vault.settings:from_environment",
    detailed="kacheck.probes.combined.question:detailed",
    warnings="kacheck.probes.combined.question:warnings",
    preload="kacheck.probes.combined.repeated:preload_members",
    threads="kacheck.probes.combined.repeated:threads",
)
