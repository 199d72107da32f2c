"""What the local Consul agent says: of a service, of its own role, of a lock."""

from kacheck.consul.options import AGENT_OPTIONS
from kacheck.exchange.reasons import REASONS, UNAUTHORIZED
from kacheck.kinds import FLAG, TEXT
from kacheck.probe import Option, Probe
from kacheck.probes.consul.reasons import ANSWERS

PROBE = Probe(
    name="consul",
    summary="Check what this node's Consul agent says of a service, its leadership or a lock",
    description="Check what this node's Consul agent says: that a service is passing (`--service` "
    "or `--service-id`), that this server leads (`--leader`), or that this node holds a lock "
    "(`--lock`).\n\n"
    "The checks of the node count, so `consul maint` fails every service. An option overrides its "
    "variable. Namespaces and partitions of Consul Enterprise cannot be given.",
    options=(
        Option("service", TEXT, "the service of this name is passing", metavar="NAME",
               details="Where several instances are registered here, all of them.",
               example="web"),
        Option("service_id", TEXT, "the service instance with this ID is passing", metavar="ID"),
        Option(
            "tag",
            TEXT,
            "the service also has this tag, such as Vault's `active`; passing without it is a "
            "warning",
            metavar="TAG",
            details="Where several instances are registered here, those with the tag count.",
        ),
        Option(
            "allow_no_checks",
            FLAG,
            "accept a service that is registered without a check, which Consul calls passing",
            default=False,
        ),
        Option("leader", FLAG, "this agent is the server that leads", default=False),
        Option("lock", TEXT, "a session of this node holds the lock at this key", metavar="KEY",
               details='Without a leader nobody can tell: with `on_unknown = "hold"` the verdict '
               "stays for that time."),
        *AGENT_OPTIONS,
    ),
    reasons=(*ANSWERS, UNAUTHORIZED, *REASONS),
    prepare="kacheck.probes.consul.question:prepare",
    look="kacheck.probes.consul.look:look",
    repeated="kacheck.probes.consul.look:RepeatedQuestion",
    environment="kacheck.consul.environment:from_environment",
    detailed="kacheck.probes.consul.question:detailed",
    warnings="kacheck.probes.consul.question:warnings",
    preload="kacheck.probes.consul.look:preload",
)  # fmt: skip
