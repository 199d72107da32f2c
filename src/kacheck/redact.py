"""Texts without the secrets that an address may have in it: a user, a password, a token. Pure.

An address that kacheck asks has none of these: it refuses them. So this is for what is refused, and
for what others say. When in doubt it hides more: a malformed address has no parts to rely on.
"""

HIDDEN = "***"
# Not compiled here: every one-shot imports this, and hardly one needs it.
START = (
    r"(?i)['\"(\[<]*(?:-{0,2}[\w-]+=['\"]?)?"
    r"(?P<scheme>[a-z][a-z0-9+.-]{0,30}:[/\\]{2,}|(?:https?|unix):[/\\]*)?"
)
"""What may come before an address, such as `--address=`, and its scheme."""
AT = r"(?i)@|%40|\N{FULLWIDTH COMMERCIAL AT}|\N{SMALL COMMERCIAL AT}"
QUERY = r"(?i)[?#]|%3f|%23"
PUNCTUATION = "\"',.:;)]}>"
"""Of the sentence around an address."""
MARKS = "@%?#\\[]\N{FULLWIDTH COMMERCIAL AT}\N{SMALL COMMERCIAL AT}"
"""Without one of these a word can only have a secret in place of a port."""
HOST = r"(?:\[[^\]]*\]|[^:\[\]]*)(?::\d*)?"
"""A host and perhaps a port."""


def redact(text: str) -> str:
    """Return the text with the secrets of every address in it hidden."""
    if all(map(is_harmless, text.split())):
        return text
    import re

    return re.sub(r"\S+", lambda word: redact_word(word[0]), text)


def is_harmless(word: str) -> bool:
    """Return whether nothing in a word can be a secret; to ask the patterns takes 3 ms first."""
    if any(mark in word for mark in MARKS):
        return False
    _, colon, rest = word.rstrip(PUNCTUATION).partition(":")
    host, _, _ = rest.lstrip("/").partition("/")
    _, _, port = host.partition(":")
    return not colon or not port or port.isdecimal()


def redact_word(word: str) -> str:
    """Return one word, or argument, without its secrets if it looks like an address."""
    import re

    start = re.match(START, word)
    rest = word[start.end() :] if start else word
    *user, _ = re.split(AT, rest)
    query = re.search(QUERY, rest)
    is_address = (
        (start and start["scheme"])
        or any(":" in part for part in user)
        or (query and "=" in rest[query.end() :])
    )
    return redact_address(word) if is_address else word


def redact_address(address: str) -> str:
    """Return an address, malformed or not, without its user, password, query and fragment."""
    import re

    start = re.match(START, address)
    begin = start.end() if start else 0
    stop = max(begin, len(address.rstrip(PUNCTUATION)))
    return address[:begin] + without_secrets(address[begin:stop]) + address[stop:]


def without_secrets(rest: str) -> str:
    """Return what follows the scheme, without its secrets."""
    import re

    *user, rest = re.split(AT, rest)
    if any(re.search(QUERY, part) for part in user):
        return HIDDEN  # the query of a host, or a password with a question mark
    shown = f"{HIDDEN}@" if user else ""
    query = re.search(QUERY, rest)
    tail = "" if query is None else f"{query[0]}{HIDDEN}"
    rest = rest if query is None else rest[: query.start()]
    host, slash, path = rest.partition("/")
    if not re.fullmatch(HOST, host):  # a password may stand where the port should
        host = f"{host.partition(':')[0]}:{HIDDEN}"
    return f"{shown}{host}{slash}{path}{tail}"
