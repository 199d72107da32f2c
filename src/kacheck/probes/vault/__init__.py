"""Is this node in the wanted Vault role? One GET of /v1/sys/health."""

from kacheck.exchange.reasons import REASONS
from kacheck.kinds import DIRECTORY, FILE, FLAG, TEXT, URL, one_of
from kacheck.probe import Option, Probe
from kacheck.probes.vault.reasons import RATE_LIMITED, ROLES, STATES

DEFAULT_ADDRESS = "https://127.0.0.1:8200"

OPTIONS = (
    Option(
        "address",
        URL,
        "or unix:///PATH",
        metavar="URL",
        default=DEFAULT_ADDRESS,
        environment="VAULT_ADDR",
        is_secret=True,
    ),
    Option(
        "accept",
        one_of(*ROLES),
        "a role that counts as up; may be given more than once",
        default=("active",),
        is_repeatable=True,
        is_set=True,
    ),
    Option(
        "ca_cert",
        FILE,
        "trust these authorities only",
        metavar="FILE",
        environment="VAULT_CACERT",
    ),
    Option(
        "ca_path",
        DIRECTORY,
        "the same, all files of DIR",
        metavar="DIR",
        environment="VAULT_CAPATH",
    ),
    Option(
        "client_cert",
        FILE,
        "the certificate for a server that asks for one",
        metavar="FILE",
        environment="VAULT_CLIENT_CERT",
    ),
    Option("client_key", FILE, "its key", metavar="FILE", environment="VAULT_CLIENT_KEY"),
    Option(
        "tls_server_name",
        TEXT,
        "ask for and verify NAME",
        metavar="NAME",
        environment="VAULT_TLS_SERVER_NAME",
    ),
    Option(
        "insecure",
        FLAG,
        "believe any certificate",
        default=False,
        environment="VAULT_SKIP_VERIFY",
    ),
    Option("remote", FLAG, "the address is another machine on purpose: do not warn", default=False),
)

PROBE = Probe(
    name="vault",
    summary="is this node in the wanted Vault role?",
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
