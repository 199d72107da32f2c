"""Several questions under one deadline: other checks by name, or a process and Vault."""

from kacheck.kinds import TEXT
from kacheck.probe import Option, Probe
from kacheck.probes import process, vault

PROBE = Probe(
    name="combined",
    summary="is the process alive, and this node in the wanted Vault role?",
    options=(
        Option(
            "all",
            TEXT,
            "names of checks that must all be ok",
            is_repeatable=True,
            is_set=True,
            names_checks=True,
        ),
        Option(
            "any",
            TEXT,
            "names of checks of which one must be ok",
            is_repeatable=True,
            is_set=True,
            names_checks=True,
        ),
        Option(
            "process",
            TEXT,
            "the process that must be alive",
            metavar="NAME",
            example="vault",
            is_required=True,
        ),
        *process.SCOPE,
        *vault.OPTIONS,
    ),
    reasons=(*process.PROBE.reasons, *vault.PROBE.reasons),
    prepare="kacheck.probes.combined.question:prepare",
    look="kacheck.probes.combined.question:look",
    repeated="kacheck.probes.combined.repeated:RepeatedCombination",
    environment="kacheck.probes.vault.settings:from_environment",
    detailed="kacheck.probes.combined.question:detailed",
    warnings="kacheck.probes.combined.question:warnings",
    preload="kacheck.probes.combined.repeated:preload_members",
    threads="kacheck.probes.combined.repeated:threads",
)
