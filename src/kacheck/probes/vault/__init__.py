"""Is this node in the wanted Vault role? One GET of /v1/sys/health."""

from kacheck.exchange.options import tls_options
from kacheck.exchange.reasons import REASONS
from kacheck.kinds import URL, one_of
from kacheck.probe import Option, Probe
from kacheck.probes.vault.reasons import RATE_LIMITED, ROLES, STATES

DEFAULT_ADDRESS = "https://127.0.0.1:8200"

OPTIONS = (
    Option(
        "address",
        URL,
        "where Vault listens: a URL, or unix:///PATH",
        metavar="URL",
        default=DEFAULT_ADDRESS,
        environment="VAULT_ADDR",
        details="Give an IP address: a name is looked up each time, and all its addresses share "
        "the deadline. Over plain http, and in a Unix socket's directory that anyone can write "
        "to, any local user can answer while Vault is down: that is a warning.",
        is_secret=True,
    ),
    Option(
        "accept",
        one_of(*ROLES),
        "a role that counts as up",
        default=("active",),
        is_repeatable=True,
        is_set=True,
    ),
    *tls_options("VAULT_"),
)

PROBE = Probe(
    name="vault",
    summary="Check whether this node is the active Vault or OpenBao",
    description="Check whether this node is the active Vault or OpenBao, or has another role that "
    "you accept.\n\n"
    "It sends one GET of /v1/sys/health, without a token, redirects or proxies, and reads at most "
    "64 KiB. The HTTP code counts only if the body agrees with it. An option overrides its "
    "variable, and a BAO_ variable overrides the VAULT_ one.",
    options=OPTIONS,
    reasons=(*ROLES, *STATES, RATE_LIMITED, *REASONS),
    prepare="kacheck.probes.vault.settings:prepare",
    look="kacheck.probes.vault.look:look",
    repeated="kacheck.probes.vault.look:repeated",
    environment="kacheck.probes.vault.settings:from_environment",
    detailed="kacheck.probes.vault.settings:detailed",
    warnings="kacheck.probes.vault.settings:warnings",
    preload="kacheck.probes.vault.look:preload",
)
