"""The options of a Consul agent: where it is, how to trust it, and the token it is shown."""

from __future__ import annotations

from kacheck.exchange.options import tls_options
from kacheck.kinds import FILE, URL, seconds
from kacheck.probe import Option

DEFAULT_ADDRESS = "http://127.0.0.1:8500"

AGENT_OPTIONS = (
    Option(
        "address",
        URL,
        "where this node's agent listens: a URL, or unix:///PATH",
        metavar="URL",
        default=DEFAULT_ADDRESS,
        environment="CONSUL_HTTP_ADDR",
        details="An address without a scheme is one of http, or of https where the variable "
        "CONSUL_HTTP_SSL is true. Over plain http any local user can answer, and is shown the "
        "token, while the agent is down: that is a warning.",
        is_secret=True,
    ),
    Option(
        "token_file",
        FILE,
        "the file of the ACL token",
        metavar="FILE",
        environment="CONSUL_HTTP_TOKEN_FILE",
        details="Others than its owner and group may not read it, and its group may not write it. "
        "A command line without it has the token of the variable CONSUL_HTTP_TOKEN. The watcher "
        "uses a changed file from the next look on.",
    ),
    *tls_options("CONSUL_", "CONSUL_HTTP_SSL_VERIFY"),
)

REPORT_OPTIONS = (
    *AGENT_OPTIONS,
    Option(
        "ttl",
        seconds(1, 3600),
        "the shortest TTL of the checks that `consul_check` names",
        default=15.0,
        details="Each verdict is reported at once when it changes, and again every third of this "
        "time. When the watcher is dead, Consul calls the check critical after its own TTL.",
    ),
)
