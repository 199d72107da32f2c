"""`wget --spider URL` and `wget -O- URL`, and what the answer is searched for. Pure."""

from collections.abc import Sequence

from kacheck.migrate.one_liners.options import Given, Grammar, read, spellings
from kacheck.migrate.one_liners.shell_words import Simple, piped, refuse_files
from kacheck.migrate.one_liners.translation import Translation, seconds
from kacheck.migrate.one_liners.url import (
    AUTH_FILE,
    HEALTH,
    STATUS_LINE,
    UrlQuestion,
    check_of,
    plain_url,
    text_of,
)
from kacheck.migrate.tracked import LeftError

GRAMMAR = Grammar(
    valued=spellings(
        "O output-document, o output-file, T timeout, t tries, connect-timeout, read-timeout,"
        " dns-timeout, ca-certificate, certificate, private-key, header, U user-agent,"
        " max-redirect, user, password, http-user user, http-password password, post-data,"
        " post-file post-data, body-data post-data, method"
    ),
    flags=spellings(
        "q quiet, v verbose, no-verbose, S server-response, spider, no-check-certificate,"
        " no-proxy, no-cache, no-hsts, retry-connrefused, content-on-error"
    ),
)
REFUSED = {
    "user": AUTH_FILE,
    "password": AUTH_FILE,
    "post-data": "it sends data, and kacheck-http only asks; keep the script",
    "method": "it chooses its method, and kacheck-http asks with GET or HEAD; keep the script",
    "content-on-error": "it prints error pages; look for the word in a good answer",
}
VALUES = {"ca-certificate": "ca_cert", "private-key": "client_key", "certificate": "client_cert"}
"""The options of probe http by those of wget."""
REDIRECTS = "wget follows redirects, and this fails on one; ask the address where they end"
PASSING = "200-299"


def wget(commands: Sequence[Simple]) -> Translation:
    """Return the check that a wget is, perhaps with a grep behind it.

    wget fails on every error, as curl -f does. `--spider` asks with HEAD, and with GET where the
    service refuses that, so GET is right for both.

    Raises:
        LeftError: it has no equivalent.

    """
    words = ["--no-verbose" if word == "-nv" else word for word in commands[0].words[1:]]
    given = read(words, GRAMMAR)
    given.refuse(REFUSED)
    if len(given.operands) != 1:
        raise LeftError(f"it asks for {len(given.operands) or 'no'} URLs; write a check for each")
    refuse_files(commands[0])
    document, log = given.last("output-document"), given.last("output-file")
    if document not in ("-", "/dev/null", "/dev/stdout") and not given.has("spider"):
        raise LeftError("it writes a file each time; add -O /dev/null, or keep the script")
    if log not in (None, "/dev/null", "-"):
        raise LeftError(f"it writes {log}, which no check of kacheck does; keep the script")
    question = UrlQuestion(
        plain_url(given.operands[0]), values_of(given), fails=True, passing=PASSING
    )
    if len(commands) > 1:
        question = searched(question, given, commands)
    notes = () if given.last("max-redirect") == "0" or HEALTH.match(question.url) else (REDIRECTS,)
    return check_of(question, limit_of(given), notes)


def values_of(given: Given) -> dict[str, object]:
    """Return the options of probe http."""
    values: dict[str, object] = {}
    for name, option in VALUES.items():
        if value := given.last(name):
            values[option] = value
    if "client_cert" in values:
        values.setdefault("client_key", values["client_cert"])
    if given.has("no-check-certificate"):
        values["insecure"] = True
    agent = given.last("user-agent")
    fields = (*given.all("header"), *([f"User-Agent: {agent}"] if agent else []))
    if fields:
        values["header"] = fields
    return values


def limit_of(given: Given) -> float | None:
    """Return its time limit: -T is for each attempt, of which there are 20 unless -t says."""
    return seconds(given.last("timeout")) if given.last("tries") == "1" else None


def searched(question: UrlQuestion, given: Given, commands: Sequence[Simple]) -> UrlQuestion:
    """Return the question with what is looked for in the body, or in what wget says of it.

    Raises:
        LeftError: the grep reads nothing, or looks for more than a code in what wget says.

    """
    text = text_of(question, commands)
    reads_output, reads_errors = piped(commands[0])
    log = given.last("output-file")
    is_silent = given.has("quiet") and not given.has("server-response")
    if not is_silent and ((log == "-" and reads_output) or (log is None and reads_errors)):
        found = STATUS_LINE.fullmatch(text)
        if found is None:
            raise LeftError(
                f"its grep reads what wget says as well, and {text} is no code; leave out 2>&1, or"
                " look for a code"
            )
        return question._replace(code=found[1])
    if not reads_output or given.has("spider") or given.last("output-document") == "/dev/null":
        raise LeftError("its grep reads no answer; correct that first")
    return question._replace(text=text)
