"""The HTTP client that keeps a connection, and answers to feed it byte by byte."""

import os
import select
from collections.abc import Callable
from functools import partial

import trustme

from helpers.certificates import server_context
from helpers.vault import StandInVault
from kacheck.deadline import Deadline, within
from kacheck.exchange.answer import MAX_BODY, HttpAnswer
from kacheck.exchange.client import HttpClient
from kacheck.probes.combined.look import Member
from kacheck.probes.vault.health import STATES as CODES
from kacheck.probes.vault.health import judge
from kacheck.probes.vault.settings import VaultOptions
from kacheck.result import Result

BODY = b'{"initialized":true,"sealed":false,"standby":false}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)


def plain(start: bytes = b"HTTP/1.1 200 OK", fields: bytes = LENGTH, body: bytes = BODY) -> bytes:
    return start + b"\r\n" + fields + b"\r\n" + body


OK = HttpAnswer(200, BODY)
PLAIN: dict[str, tuple[bytes, HttpAnswer]] = {
    "as Vault answers": (plain(fields=b"Content-Type: application/json\r\n" + LENGTH), OK),
    "no reason phrase": (plain(b"HTTP/1.1 200 "), OK),
    "no space after the code": (plain(b"HTTP/1.1 200"), OK),
    "a strange phrase": (plain(b"HTTP/1.1 200 it: is \xff well"), OK),
    "names in any case": (plain(fields=LENGTH.upper()), OK),
    "no space before the length": (plain(fields=b"Content-Length:%d\r\n" % len(BODY)), OK),
    "white space around the length": (
        plain(fields=b"Content-Length: \t %d \t\r\n" % len(BODY)),
        OK,
    ),
    "leading zeros": (plain(fields=b"Content-Length: 000%d\r\n" % len(BODY)), OK),
    "a bare line feed after the status": (plain(b"HTTP/1.1 200 OK\nX: y"), OK),
    "line feeds only": (plain().replace(b"\r\n", b"\n"), OK),
    "an empty field": (plain(fields=b"X:\r\n" + LENGTH), OK),
    "an empty line in the body": (
        plain(fields=b"Content-Length: 4\r\n", body=b"\r\n\r\n"),
        HttpAnswer(200, b"\r\n\r\n"),
    ),
    "no body": (plain(fields=b"Content-Length: 0\r\n", body=b""), HttpAnswer(200, b"")),
    "a name that ends in the word": (plain(fields=b"X-Content-Length: 7\r\n" + LENGTH), OK),
    "the largest body": (
        plain(fields=b"Content-Length: %d\r\n" % MAX_BODY, body=b"x" * MAX_BODY),
        HttpAnswer(200, b"x" * MAX_BODY),
    ),
    **{
        f"code {code}": (plain(b"HTTP/1.1 %d whatever" % code), HttpAnswer(code, BODY))
        for code in (429, 472, 473, 474, 501, 503, 530)
    },
}
STRANGE: dict[str, bytes] = {
    "two lengths": plain(fields=LENGTH * 2),
    "two different lengths": plain(fields=LENGTH + b"Content-Length: 5\r\n"),
    "a length and an invalid one": plain(fields=LENGTH + b"Content-Length: x\r\n"),
    "a list of lengths": plain(fields=b"Content-Length: %d, %d\r\n" % (len(BODY), len(BODY))),
    "no length": plain(fields=b"Content-Type: application/json\r\n"),
    "no field": plain(fields=b""),
    "an empty length": plain(fields=b"Content-Length: \r\n"),
    "a negative length": plain(fields=b"Content-Length: -1\r\n"),
    "a signed length": plain(fields=b"Content-Length: +%d\r\n" % len(BODY)),
    "a length in hex": plain(fields=b"Content-Length: 0x%x\r\n" % len(BODY)),
    "a length in other digits": plain(
        fields="Content-Length: \N{ARABIC-INDIC DIGIT FIVE}1\r\n".encode()
    ),
    "a length with an underscore": plain(fields=b"Content-Length: 5_1\r\n"),
    "a fractional length": plain(fields=b"Content-Length: %d.0\r\n" % len(BODY)),
    "a huge length": plain(fields=b"Content-Length: 99999999999999999999\r\n"),
    "a length above the most": plain(
        fields=b"Content-Length: %d\r\n" % (MAX_BODY + 1), body=b"x" * (MAX_BODY + 1)
    ),
    "a space before the colon": plain(fields=LENGTH.replace(b":", b" :")),
    "trailing bytes": plain(body=BODY + b"\n"),
    "a second answer behind it": plain() + plain(),
    "chunked": plain(
        fields=b"Transfer-Encoding: chunked\r\n", body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    ),
    "chunked, and a length": plain(fields=b"Transfer-Encoding: chunked\r\n" + LENGTH),
    "identity": plain(fields=b"transfer-encoding: identity\r\n" + LENGTH),
    "compressed": plain(fields=b"Content-Encoding: gzip\r\n" + LENGTH),
    "Connection: close": plain(fields=b"Connection: close\r\n" + LENGTH),
    "connection: Close, later": plain(fields=LENGTH + b"connection:Close\r\n"),
    "Connection: upgrade": plain(fields=b"Connection: upgrade\r\nUpgrade: h2c\r\n" + LENGTH),
    "an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n" + plain(),
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: </ui>\r\n\r\n" + plain(),
    "switching protocols": plain(b"HTTP/1.1 101 Switching Protocols"),
    "HTTP/1.0": plain(b"HTTP/1.0 200 OK"),
    "HTTP/2": plain(b"HTTP/2 200 OK"),
    "HTTP/1.10": plain(b"HTTP/1.10 200 OK"),
    "http in small letters": plain(b"http/1.1 200 OK"),
    "a code that is not a health code": plain(b"HTTP/1.1 204 No Content"),
    "a redirect": plain(fields=b"Location: http://other/\r\n" + LENGTH, start=b"HTTP/1.1 307 T"),
    "a code of four digits": plain(b"HTTP/1.1 2000 OK"),
    "a code of two digits": plain(b"HTTP/1.1 20 OK"),
    "a code in other digits": plain("HTTP/1.1 20\N{ARABIC-INDIC DIGIT ZERO} OK".encode()),
    "a bare carriage return": plain(fields=b"X: y\rContent-Length: 5\r\n" + LENGTH),
    "a bare line feed in a field": plain(fields=b"X: y\nContent-Length: 5\r\n" + LENGTH),
    "a folded field": plain(fields=b"X: y\r\n folded\r\n" + LENGTH),
    "a folded length": plain(fields=b"Content-Length:\r\n %d\r\n" % len(BODY)),
    "NUL in a field": plain(fields=b"X: y\0\r\n" + LENGTH),
    "NUL in a name": plain(fields=b"X\0: y\r\n" + LENGTH),
    "NUL in the length": plain(fields=b"Content-Length: %d\0\r\n" % len(BODY)),
    "a field without a colon": plain(fields=b"garbage\r\n" + LENGTH),
    "a field without a name": plain(fields=b": y\r\n" + LENGTH),
    "an empty line before it": b"\r\n" + plain(),
    "no HTTP": b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
    "a head that does not end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MAX_BODY * 2),
}


class Kept(HttpClient):
    """One that is used by one thread at a time, as the watcher's are."""

    def __init__(self, options: VaultOptions) -> None:
        judged = partial(judge, accept=options.accept, address=options.address)
        super().__init__(options, judged, CODES, keep=True)
        self.member = Member("vault", self)


Make = Callable[..., Kept]


def look(each: Kept, seconds: float = 5) -> Result:
    return within(Deadline(seconds), each.member.alone)


def said(each: Kept, seconds: float = 5) -> str:
    result = look(each, seconds)
    return f"{result.status.word} {result.reason}"


def readable(each: HttpClient, seconds: float = 5) -> bool:
    poll = select.poll()
    for file in each.watched():
        poll.register(file, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


def present(server: StandInVault, certificate: trustme.LeafCert) -> None:
    """Show this certificate on new connections."""
    server._tls = server_context(certificate)
