"""Vault's and OpenBao's configuration files, as far as `init` needs them: HCL and JSON. Pure.

A body is a mapping of each key to all its values, in order; a block `listener "tcp" {…}` is the
value `{"tcp": [body]}` of `listener`, as HCL's own JSON form has it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

Body: TypeAlias = dict[str, list[Any]]

TOKEN = re.compile(
    r"""
    (?P<skip> \s+ | \#[^\n]* | //[^\n]* | /\*.*?\*/ )
  | <<-?(?P<mark>\w+)[^\n]*\n (?P<here>.*?) ^[ \t]*(?P=mark)\b
  | "(?P<text> (?:\\.|[^"\\\n])* )"
  | (?P<sign> [{}\[\]=,:] )
  | (?P<word> [^\s{}\[\]=,:"\#]+ )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
DEEPEST = 32
"""Blocks in blocks that are read."""


class HclError(ValueError):
    """The text is not a configuration that can be read here."""


class Token(NamedTuple):
    """A sign, or a value."""

    text: str
    is_sign: bool = False


END = Token("", is_sign=True)


def parse(text: str) -> Body:
    """Return what a configuration says.

    Raises:
        HclError: it cannot be read.

    """
    if text.lstrip().startswith("{"):
        try:
            body: Body = normal(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise HclError(f"invalid JSON: {error}") from None
        return body
    reader = TokenReader(text)
    return reader.body(END, DEEPEST)


def normal(value: Any) -> Any:
    """Return JSON with every value in a list, as HCL's blocks are."""
    if isinstance(value, dict):
        return {
            key: [normal(each) for each in (held if isinstance(held, list) else [held])]
            for key, held in value.items()
        }
    return value


class TokenReader:
    """The tokens of a text, and the values that they make."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._next = next(self._tokens, END)

    def take(self) -> Token:
        """Return the next token."""
        token, self._next = self._next, next(self._tokens, END)
        return token

    def body(self, end: Token, depth: int) -> Body:
        """Return the attributes and blocks up to `end`."""
        if not depth:
            raise HclError("its blocks are nested too deeply")
        members: Body = {}
        while (token := self.take()) != end:
            if token == END:
                raise HclError("a } is missing")
            if token.text == "," and token.is_sign:
                continue
            if token.is_sign:
                raise HclError(f"{token.text} is unexpected")
            labels = []
            while not self._next.is_sign:
                labels.append(self.take().text)
            members.setdefault(token.text, []).append(self._content(labels, depth))
        return members

    def _content(self, labels: list[str], depth: int) -> Any:
        """Return the value of a key: behind `=` or `:`, or a block."""
        sign = self.take()
        if sign.text in ("=", ":") and not labels:
            return self._value(depth)
        if sign.text != "{":
            raise HclError("a value or a { is missing")
        value: Any = self.body(Token("}", is_sign=True), depth - 1)
        for label in reversed(labels):
            value = {label: [value]}
        return value

    def _value(self, depth: int) -> Any:
        token = self.take()
        if not token.is_sign:
            return token.text
        if token.text == "{":
            return self.body(Token("}", is_sign=True), depth - 1)
        if token.text != "[" or not depth:
            raise HclError(f"{token.text or 'the end'} is unexpected")
        values = []
        while self._next != Token("]", is_sign=True):
            if self._next == END:
                raise HclError("a ] is missing")
            if self._next == Token(",", is_sign=True):
                self.take()
                continue
            values.append(self._value(depth - 1))
        self.take()
        return values


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a text."""
    offset = 0
    while offset < len(text):
        match = TOKEN.match(text, offset)
        if match is None:
            line = text.count("\n", 0, offset) + 1
            raise HclError(f"line {line} cannot be read")
        offset = match.end()
        if match["sign"]:
            yield Token(match["sign"], is_sign=True)
        elif match["text"] is not None:
            yield Token(re.sub(r'\\(["\\])', r"\1", match["text"]))
        elif match["here"] is not None:
            yield Token(match["here"])
        elif match["word"]:
            yield Token(match["word"])


# --- what a server says ---------------------------------------------------------------------


class ServerSettings(NamedTuple):
    """What matters of a server's configuration."""

    address: str | None
    """Of the listener, for a client on this machine."""
    authorities: tuple[str, ...] = ()
    """Files that may hold the authority of its certificate, the most probable first."""


def settings_of(body: Body) -> ServerSettings:
    """Return what a server's configuration says of its listener and its certificate."""
    for kind in ("tcp", "unix"):
        for listener in listeners(body, kind):
            return ServerSettings(address_of(listener, kind), tuple(authorities(body, listener)))
    return ServerSettings(None)


def listeners(body: Body, kind: str) -> Iterator[Body]:
    """Yield the listeners of a kind."""
    for block in body.get("listener", ()):
        if isinstance(block, dict):
            yield from (each for each in block.get(kind, ()) if isinstance(each, dict))


def address_of(listener: Body, kind: str) -> str:
    """Return where a client on this machine reaches a listener."""
    given = last(listener, "address") or "127.0.0.1:8200"
    if kind == "unix":
        return f"unix://{given}"
    host, _, port = given.rpartition(":") if re.search(r":\d+$", given) else (given, "", "8200")
    wildcards = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "127.0.0.1", "::": "127.0.0.1"}
    scheme = "http" if is_true(last(listener, "tls_disable")) else "https"
    return f"{scheme}://{wildcards.get(host, host)}:{port}"


def authorities(body: Body, listener: Body) -> Iterator[str]:
    """Yield the files that may hold the authority of the listener's certificate.

    Raft's other nodes have certificates of the same authority. A certificate may be its own.
    """
    for storage in (*body.get("storage", ()), *body.get("backend", ())):
        for raft in storage.get("raft", ()) if isinstance(storage, dict) else ():
            for join in raft.get("retry_join", ()) if isinstance(raft, dict) else ():
                if isinstance(join, dict) and (path := last(join, "leader_ca_cert_file")):
                    yield path
    for key in ("tls_client_ca_file", "tls_cert_file"):
        if path := last(listener, key):
            yield path


def last(body: Body, key: str) -> str | None:
    """Return the value of an attribute; the last one counts."""
    values = body.get(key, ())
    return str(values[-1]) if values and not isinstance(values[-1], dict | list) else None


def is_true(text: str | None) -> bool:
    """Return whether a text is one of the forms of true."""
    return (text or "").lower() in ("1", "t", "true")
