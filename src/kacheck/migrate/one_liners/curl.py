"""`curl ... URL`, and what its answer is searched for. Pure."""

import re
from collections.abc import Sequence
from typing import Any

from kacheck.migrate.equivalents import LIBEXEC
from kacheck.migrate.one_liners.options import Given, Grammar, read, spellings
from kacheck.migrate.one_liners.shell_words import Simple, piped, refuse_files
from kacheck.migrate.one_liners.translation import Translation, seconds
from kacheck.migrate.one_liners.url import (
    AUTH_FILE,
    STATUS_LINE,
    UrlQuestion,
    check_of,
    plain_url,
    text_of,
)
from kacheck.migrate.tracked import LeftError

GRAMMAR = Grammar(
    valued=spellings(
        "o output, m max-time, connect-timeout, H header, A user-agent, X request, url, cacert,"
        " capath, E cert, key, cert-type, key-type, unix-socket, w write-out, D dump-header,"
        " stderr, noproxy, max-redirs, u user, oauth2-bearer, b cookie, x proxy, proxy1.0, socks4,"
        " socks5, socks5-hostname, d data, data-raw data, data-binary data, data-urlencode data,"
        " json data, F form, T upload-file, retry, retry-delay retry, retry-max-time retry"
    ),
    flags=spellings(
        "s silent, S show-error, f fail, fail-with-body fail, fail-early, k insecure, v verbose,"
        " i include, I head, N no-buffer, progress-bar, no-progress-meter, q disable, g globoff,"
        " http1.1, tlsv1, tlsv1.2, compressed, no-keepalive, L location, location-trusted location,"
        " n netrc, netrc-optional netrc, G get, digest netrc, ntlm netrc, negotiate netrc,"
        " retry-connrefused retry, retry-all-errors retry"
    ),
    takes_equals=False,
)
PROXY = "it goes through a proxy, and kacheck-http uses none; ask the service itself"
BODY = "it sends data, and kacheck-http only asks, with GET or HEAD; keep the script"
REFUSED = {
    "location": "it follows redirects (-L), and kacheck-http follows none; ask the address where"
    " they end, without -L",
    "user": AUTH_FILE,
    "oauth2-bearer": AUTH_FILE,
    "netrc": AUTH_FILE,
    "cookie": "it sends a cookie, and kacheck-http keeps none; keep the script",
    **dict.fromkeys(("proxy", "proxy1.0", "socks4", "socks5", "socks5-hostname"), PROXY),
    **dict.fromkeys(("data", "form", "upload-file", "get"), BODY),
    "retry": "it repeats a request that has failed; leave that to keepalived, with `fall 2`",
}
FILES = ("output", "dump-header", "stderr")
NOWHERE = ("/dev/null", "-", "/dev/stdout", "/dev/stderr")
VALUES = {"cacert": "ca_cert", "capath": "ca_path", "key": "client_key",
          "unix-socket": "unix_socket"}  # fmt: skip
"""The options of probe http by those of curl."""
WRITES_CODE = re.compile(r"%\{(?:http_code|response_code)\}(?:\\n)?")
CODE = re.compile(r"[1-5][0-9]{2}")
PASSING = "200-399"
"""Codes that are not an error to curl -f, apart from those that announce another answer."""


def curl(commands: Sequence[Simple]) -> Translation:
    """Return the check that a curl is, perhaps with a grep behind it.

    Raises:
        LeftError: it has no equivalent.

    """
    given = read(commands[0].words[1:], GRAMMAR)
    given.refuse(REFUSED)
    urls = [*given.all("url"), *given.operands]
    if len(urls) != 1:
        raise LeftError(f"it asks for {len(urls) or 'no'} URLs; write a check for each")
    refuse_files(commands[0])
    for path in (path for name in FILES for path in given.all(name)):
        if path not in NOWHERE:
            raise LeftError(f"it writes {path}, which no check of kacheck does; keep the script")
    question = UrlQuestion(plain_url(urls[0]), values_of(given), given.has("fail"), PASSING)
    limit = seconds(given.last("max-time"))
    if len(commands) > 1:
        question = searched(question, given, commands)
    return check_of(question, limit, notes_of(given, limit))


def values_of(given: Given) -> dict[str, Any]:
    """Return the options of probe http."""
    values: dict[str, Any] = {}
    for name, option in VALUES.items():
        if value := given.last(name):
            values[option] = value
    if certificate := given.last("cert"):
        if ":" in certificate:
            raise LeftError("its --cert has the password of a key, which kacheck does not ask for;"
                            " use a key without one")  # fmt: skip
        values |= {"client_cert": certificate, "client_key": given.last("key") or certificate}
    if {"PEM"} | {*given.all("cert-type"), *given.all("key-type")} != {"PEM"}:
        raise LeftError("its certificate is not PEM, which kacheck reads; convert it")
    if given.has("insecure"):
        values["insecure"] = True
    if fields := header_fields(given):
        values["header"] = fields
    if method_of(given) == "HEAD":
        values["method"] = "HEAD"
    return values


def header_fields(given: Given) -> tuple[str, ...]:
    """Return the header fields that it sends."""
    fields = given.all("header")
    for field in fields:
        name, colon, value = field.partition(":")
        if name.lower() in ("authorization", "cookie", "proxy-authorization"):
            raise LeftError(AUTH_FILE)
        if not colon or not value.strip() or field.startswith("@"):
            raise LeftError("one of its -H takes a field away or reads a file, which kacheck-http"
                            " cannot; leave it out")  # fmt: skip
    agent = given.last("user-agent")
    return (*fields, *([f"User-Agent: {agent}"] if agent else []))


def method_of(given: Given) -> str:
    """Return the method of the request."""
    method = given.last("request")
    if given.has("head") and method in (None, "HEAD"):
        return "HEAD"
    if method not in (None, "GET") or given.has("head"):
        raise LeftError(f"it asks with {method}, and kacheck-http with GET or HEAD; keep the"
                        " script, or use curl -I for HEAD")  # fmt: skip
    return "GET"


def notes_of(given: Given, limit: float | None) -> tuple[str, ...]:
    """Return what is not the same."""
    connect = seconds(given.last("connect-timeout"))
    if connect is None or (limit is not None and limit <= connect):
        return ()
    return (f"--connect-timeout {connect:g} becomes a part of the deadline of the whole check",)


def searched(question: UrlQuestion, given: Given, commands: Sequence[Simple]) -> UrlQuestion:
    """Return the question with what is looked for in the answer.

    Raises:
        LeftError: it is not a fixed text or an HTTP code.

    """
    text = text_of(question, commands)
    reads_output, reads_errors = piped(commands[0])
    if not reads_output and not reads_errors:
        raise LeftError("its grep reads no answer; correct that first")
    is_discarded = given.last("output") == "/dev/null" or not reads_output
    written = given.last("write-out")
    if written is not None and is_discarded and reads_output:
        if not WRITES_CODE.fullmatch(written) or not CODE.fullmatch(text):
            raise LeftError(f"it looks for {text} in what -w writes; kacheck-http can look for a"
                            " code, with --expect")  # fmt: skip
        return question._replace(code=text)
    if shows_head(given, is_discarded=is_discarded, reads_errors=reads_errors):
        found = STATUS_LINE.fullmatch(text)
        if found is None:
            raise LeftError(f"it looks for {text} in the head of the answer; kacheck-http can look"
                            " for a code, with --expect, and for a text in the body")  # fmt: skip
        return question._replace(code=found[1])
    if is_discarded or written is not None:
        raise LeftError("its grep does not read the answer alone; correct that first")
    if reads_errors and (found := STATUS_LINE.fullmatch(text)):
        raise LeftError("curl shows no code without -v; write"
                        f" {LIBEXEC}/kacheck-http --expect {found[1]} URL")  # fmt: skip
    return question._replace(text=text)


def shows_head(given: Given, *, is_discarded: bool, reads_errors: bool) -> bool:
    """Return whether the head of the answer is in what a grep reads."""
    return (
        ((given.has("head") or given.has("include")) and not is_discarded)
        or given.last("dump-header") in ("-", "/dev/stdout")
        or (given.has("verbose") and reads_errors)
    )
