"""One request on a new connection: plainly first, and with httpx where that does not suffice.

A GET or a PUT may be repeated (RFC 9110, 9.2.2). It is where the answer cannot be read in one way,
so that httpx judges it; a failure that is certain, such as a refused connection, is final.
"""

from __future__ import annotations

from functools import partial

from kacheck import packages
from kacheck.exchange import plain
from kacheck.exchange.answer import MAX_BODY
from kacheck.exchange.connection import Connection
from kacheck.exchange.failures import failure_of, reset, with_seen
from kacheck.exchange.request import plain_request

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Container

    from kacheck.deadline import Deadline
    from kacheck.exchange.answer import HttpAnswer
    from kacheck.exchange.target import Target
    from kacheck.result import Result

    Judge = Callable[[HttpAnswer], Result]


def ask_once(  # noqa: PLR0913 - what is asked, and how the answer is read
    target: Target,
    judge: Judge,
    codes: Container[int],
    deadline: Deadline,
    *,
    in_detail: bool = False,
    content: bytes = b"",
    max_body: int = MAX_BODY,
) -> Result:
    """Ask, and judge the answer; in detail means with all that httpx shows on the way.

    `content` is the body of a PUT; of an answer at most `max_body` bytes are read, and one more.

    Raises:
        KacheckError: a certificate file cannot be used, or httpx is needed and not installed.

    """
    if not (in_detail or packages.is_second_start()):
        result = ask_plainly(target, judge, codes, deadline, content)
        if result is not None:
            return with_seen(result, deadline)
        if deadline.remaining():
            packages.need()  # now, since what follows imports much
    from kacheck.exchange.client import HttpClient

    client = HttpClient(target, judge, codes, content=content, max_body=max_body)
    try:
        return client(deadline)
    finally:
        client.close()


def context(target: Target) -> ssl.SSLContext:
    """Return the TLS context of a target; imports ssl, which takes longer than all the rest."""
    from kacheck.exchange import tls

    return tls.context(target)


def ask_plainly(
    target: Target, judge: Judge, codes: Container[int], deadline: Deadline, content: bytes = b""
) -> Result | None:
    """Ask without a client library; None where httpx has to ask."""
    request = plain_request(target, content)
    if request is None:
        return None
    deadline.seen["address"] = target.address
    connection = Connection(target, deadline)
    try:
        answer = exchange(connection, *request, codes)
        result = None if answer is None else judge(answer)
    except plain.MisreadError:
        result = None
    except plain.BrokenOffError as error:
        # What has begun may be whole for httpx, which knows answers that end with the connection.
        result = None if error.seen else reset(target.address)
    except OSError as error:
        result = failure_of(error, target, connection.peer, deadline)
    if result is None:
        connection.forget()
    connection.close()
    return result


def exchange(
    connection: Connection, host: str, port: int, request: bytes, codes: Container[int]
) -> HttpAnswer | None:
    """Send the request on a new connection and return its answer, None if it is not plain.

    Raises:
        OSError, plain.MisreadError: as connecting and plain.ask() do.

    """
    sock = connection.connect(host, port, partial(context, connection.target))
    connection.enter("response")
    on_head = partial(connection.enter, "body")
    return plain.ask(sock, request, codes, connection.deadline, once=True, on_head=on_head)
