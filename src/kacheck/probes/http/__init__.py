"""Does a URL answer as expected? One GET or HEAD."""

from kacheck.exchange.options import tls_options
from kacheck.exchange.reasons import BAD_RESPONSE, DNS, REFUSED, RESET, TLS, UNREACHABLE
from kacheck.kinds import NAMED_FILE, URL, one_of, whole
from kacheck.probe import Option, Probe
from kacheck.probes.http.kinds import CODES, CONDITION, CONTENT, HEADER
from kacheck.probes.http.reasons import ANSWERS

EXPECTED = "200-299"

PROBE = Probe(
    name="http",
    summary="Check whether a URL answers as expected",
    description="Check whether a URL answers as expected. A code that is not expected fails, as "
    "with `curl -f`.\n\n"
    "It sends one request, without redirects, proxies, cookies or .netrc, and reads at most "
    "64 KiB of the body. The watcher keeps the connection and watches it.",
    options=(
        Option(
            "url",
            URL,
            "the address, with its path",
            metavar="URL",
            example="http://127.0.0.1:8080/health",
            details="Give an IP address: a name is looked up each time, and all its addresses "
            "share the deadline. Over plain http, on a port above 1023, any local user can answer "
            "while the service is down: that is a warning. The query is not shown in messages.",
            is_positional=True,
            is_required=True,
            is_secret=True,
        ),
        Option(
            "expect",
            CODES,
            "the codes that are ok: a list of codes and ranges",
            metavar="CODES",
            default=EXPECTED,
        ),
        Option(
            "warn",
            CODES,
            "the codes that are a warning: alive, but not in the wanted role",
            metavar="CODES",
        ),
        Option(
            "json",
            CONDITION,
            "the body is JSON, and the field at PATH has this value: PATH=VALUE, or PATH!=VALUE",
            metavar="CONDITION",
            details="PATH is names with dots between them, or a JSON Pointer if it begins with "
            "`/`. The elements of an array are numbered from 0. VALUE is compared with a string as "
            "it is, and with a number, true, false or null as JSON writes it. A missing field, an "
            "object or an array fails, even with `!=`. A body of more than 64 KiB fails.",
            default=(),
            is_repeatable=True,
        ),
        Option(
            "contains",
            CONTENT,
            "the body contains this text",
            metavar="TEXT",
            details="The text must be within the first 64 KiB.",
        ),
        Option("method", one_of("GET", "HEAD"), "the method of the request", default="GET"),
        Option(
            "header",
            HEADER,
            "send this header field, `NAME: VALUE`",
            metavar="FIELD",
            details="Put credentials into `auth_file`.",
            default=(),
            is_repeatable=True,
            is_secret=True,
        ),
        Option(
            "auth_file",
            NAMED_FILE,
            "send the credentials in this file: a line `basic USER:PASSWORD`, or `bearer TOKEN`",
            metavar="FILE",
            details="Only its owner and group may read it, and its group may not write "
            "it. The watcher uses a changed file from the next look on.",
        ),
        Option(
            "unix_socket",
            NAMED_FILE,
            "connect to this Unix socket instead of the URL's host",
            metavar="FILE",
        ),
        Option(
            "cert_days",
            whole(1, 3650),
            "warn if the server's certificate ends within this many days",
            metavar="DAYS",
        ),
        *tls_options(),
    ),
    reasons=(*ANSWERS, REFUSED, UNREACHABLE, RESET, DNS, TLS, BAD_RESPONSE),
    prepare="kacheck.probes.http.settings:prepare",
    look="kacheck.probes.http.look:look",
    repeated="kacheck.probes.http.look:repeated",
    detailed="kacheck.probes.http.settings:detailed",
    warnings="kacheck.probes.http.settings:warnings",
    preload="kacheck.probes.http.look:preload",
)
