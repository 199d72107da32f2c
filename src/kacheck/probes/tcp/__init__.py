"""Does a port or a Unix socket accept connections? Perhaps with TLS and an answer."""

from kacheck.exchange.options import tls_options
from kacheck.exchange.reasons import DNS, REFUSED, RESET, TLS, UNREACHABLE
from kacheck.kinds import FLAG
from kacheck.probe import Option, Probe
from kacheck.probes.tcp.kinds import ADDRESS, ESCAPED
from kacheck.probes.tcp.reasons import CONNECTED, UNEXPECTED_ANSWER

PROBE = Probe(
    name="tcp",
    summary="Check whether a port or a Unix socket accepts connections",
    description="Check whether a port or a Unix socket accepts connections.\n\n"
    "The kernel accepts connections for a process that hangs, until its backlog is full. With "
    "`--expect` the process itself must answer. The watcher keeps the connection and watches it, "
    "if the service allows that.",
    options=(
        Option(
            "address",
            ADDRESS,
            "where the service listens: HOST:PORT, or unix:PATH",
            metavar="ADDRESS",
            example="127.0.0.1:5432",
            details="Give an IP address: a name is looked up each time, and all its addresses "
            "share the deadline.",
            is_positional=True,
            is_required=True,
        ),
        Option("tls", FLAG, "complete a TLS handshake", default=False),
        Option(
            "send",
            ESCAPED,
            "send this text after connecting",
            metavar="TEXT",
            details=r"`\r`, `\n`, `\t`, `\0`, `\\` and `\xHH` stand for other bytes. Every user "
            "can see it in the list of processes, so send no password.",
            is_secret=True,
        ),
        Option(
            "expect",
            ESCAPED,
            "what the service sends must begin with this text",
            metavar="TEXT",
            details="It takes the same escapes as `send`.",
        ),
        *tls_options(),
    ),
    reasons=(CONNECTED, UNEXPECTED_ANSWER, REFUSED, UNREACHABLE, RESET, DNS, TLS),
    prepare="kacheck.probes.tcp.settings:prepare",
    look="kacheck.probes.tcp.look:look",
    repeated="kacheck.probes.tcp.kept:KeptConnection",
    warnings="kacheck.probes.tcp.settings:warnings",
    preload="kacheck.probes.tcp.look:preload",
)
