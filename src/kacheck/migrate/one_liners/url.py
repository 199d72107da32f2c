"""A question to a URL, asked by curl or wget, as a check of probe http or vault. Pure."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from kacheck.exchange.answer import MAX_BODY
from kacheck.migrate.equivalents import LIBEXEC
from kacheck.migrate.one_liners.grep import fixed_text
from kacheck.migrate.one_liners.shell_words import Simple
from kacheck.migrate.one_liners.translation import Translation
from kacheck.migrate.tracked import LeftError

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
ONE_SLASH = re.compile(r"https?:(?!//)", re.IGNORECASE)
OTHER_SCHEMES = ("ftp.", "dict.", "ldap.", "imap.", "smtp.", "pop3.")
"""What a host without a scheme may begin with, for curl to take another protocol."""
HEALTH = re.compile(r"(https?://[^/?#]+)/v1/sys/health(?:\?(.*))?")
ACTIVE = re.compile(r'active|"?standby"?: ?false')
"""What is looked for in the body of an active Vault; the first of them in vain."""
SERVING = ("active", "standby", "performance-standby")
ROLES: dict[str, tuple[str, ...]] = {
    "": (),
    "standbyok=true": ("active", "standby"),
    "standbyok=true&perfstandbyok=true": SERVING,
    "perfstandbyok=true&standbyok=true": SERVING,
}
"""The roles for which sys/health answers 200, by its query."""
STATUS_LINE = re.compile(r"(?:HTTP/(?:1\.[01]|2) )?([1-5][0-9]{2})(?: [A-Za-z ]+)?")
"""What is looked for in the head of an answer."""
AUTH_FILE = (
    "its credentials would be on a command line that every user can read; put `basic USER:PASSWORD`"
    " or `bearer TOKEN` into a file of mode 0600, and write"
    f" {LIBEXEC}/kacheck-http --auth-file FILE URL"
)
ANY_ANSWER = "it passed on every answer, and this fails on an error, a code from 400 on"
FIRST_PART = f"grep read all of the answer, and this reads its first {MAX_BODY // 1024} KiB"
SHARED = ("ca_cert", "ca_path", "client_cert", "client_key", "insecure")
"""The options that the probes http and vault have in common."""


class UrlQuestion(NamedTuple):
    """What is asked, and which answer is good."""

    url: str
    values: dict[str, Any]
    """Of probe http."""
    fails: bool
    """Whether a code from 400 on is a failure."""
    passing: str
    """The other codes."""
    text: str | None = None
    """What the body has to contain."""
    code: str | None = None
    """The only code that is good."""


def check_of(
    question: UrlQuestion, limit: float | None, notes: tuple[str, ...] = ()
) -> Translation:
    """Return the check.

    Raises:
        LeftError: it has no equivalent.

    """
    found = HEALTH.fullmatch(question.url)
    if found is not None:
        return Translation("vault", vault_values(question, found[1], found[2] or ""), limit, notes)
    if not question.fails and question.code is None:
        note = ANY_ANSWER
        if question.text is not None:
            note = "it looked at error pages as well, and this fails on a code from 400 on"
        notes = (*notes, note)
    if question.text is not None:
        notes = (*notes, FIRST_PART)
    values = {
        "url": question.url,
        "expect": question.code or question.passing,
        "contains": question.text,
        **question.values,
    }
    return Translation("http", values, limit, notes)


def vault_values(question: UrlQuestion, address: str, query: str) -> dict[str, Any]:
    """Return the values of a check of probe vault.

    Raises:
        LeftError: it is not certain which roles are wanted.

    """
    roles = ROLES.get(query)
    is_active = question.text is not None and ACTIVE.fullmatch(question.text)
    is_code = question.text is None and (
        question.code == "200" or (question.code is None and question.fails)
    )
    if roles is None or not (is_active or is_code) or (is_active and roles):
        raise LeftError(
            "it does not say which roles of Vault may have the VIP: only the code 200 does,"
            f" and without -f curl passes for a sealed one as well; write"
            f" {LIBEXEC}/kacheck-vault --address {address} for the active node, and add"
            " --accept active --accept standby if a standby may have it"
        )
    own = {name: value for name, value in question.values.items() if name in SHARED}
    socket = question.values.get("unix_socket")
    if socket is not None and address.startswith("http:"):
        address = f"unix://{socket}"
    elif question.values.keys() - own.keys() - {"method"}:
        raise LeftError("kacheck-vault sends no header fields; leave them out")
    return {"address": address, "accept": roles or ("active",), **own}


def plain_url(word: str) -> str:
    """Return the URL that curl or wget makes of a word.

    Raises:
        LeftError: kacheck-http cannot ask it.

    """
    url = word.partition("#")[0]
    if "$" in url:
        raise LeftError("its URL has a $, which no shell reads here, and keepalived only before a"
                        " blank; write ${NAME}, or the value")  # fmt: skip
    if ONE_SLASH.match(url):
        raise LeftError("its URL has no // behind http: or https:; correct it")
    found = SCHEME.match(url)
    if found is None:
        if url.lower().startswith(OTHER_SCHEMES):
            raise LeftError(f"{url} may be asked in another protocol than HTTP; add http://")
        url = f"http://{url}"
    elif found[1].lower() not in ("http", "https"):
        raise LeftError(
            f"it speaks {found[1]}, and kacheck-http does not; for a port, write"
            f" {LIBEXEC}/kacheck-tcp HOST:PORT"
        )
    rest = url.partition("://")[2]
    if "@" in re.split(r"[/?]", rest)[0]:
        raise LeftError(AUTH_FILE)
    if re.search(r"[{}]|\[", rest.removeprefix("[")):
        raise LeftError("its braces or brackets stand for several URLs; write a check for each")
    return url


def text_of(question: UrlQuestion, commands: Sequence[Simple]) -> str:
    """Return what is looked for.

    Raises:
        LeftError: it is not a fixed text.

    """
    is_health = HEALTH.fullmatch(question.url) is not None
    text = fixed_text(commands[1], any_case=is_health) if len(commands) == 2 else None
    if text is None:
        names = " | ".join(each.name for each in commands[1:])
        raise LeftError(
            f"its answer goes through {names}; kacheck-http can look for a fixed text"
            " with --contains, or for a field with --json PATH=VALUE"
        )
    return text
