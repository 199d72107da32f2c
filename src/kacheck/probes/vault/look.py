"""Is this node in the wanted Vault role? One GET of /v1/sys/health, judged."""

from __future__ import annotations

from functools import partial

from kacheck.exchange.once import ask_once
from kacheck.exchange.reasons import BAD_RESPONSE, RESET, TLS
from kacheck.probes.vault.health import STATES, judge

CLUSTER_PORT = 8201

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable

    from kacheck.deadline import Deadline
    from kacheck.exchange.answer import HttpAnswer
    from kacheck.exchange.client import HttpClient
    from kacheck.probes.vault.settings import VaultOptions
    from kacheck.result import Result


def look(options: VaultOptions, deadline: Deadline) -> Result:
    """Ask the node once.

    Raises:
        KacheckError: a certificate file cannot be used, or httpx is needed and not installed.

    """
    answer = ask_once(options, judge_of(options), STATES, deadline, in_detail=options.in_detail)
    return answer if answer.reason not in (RESET, TLS, BAD_RESPONSE) else hinted(answer, options)


def hinted(result: Result, options: VaultOptions) -> Result:
    """Return a failure with what to type instead, where the address shows it."""
    from urllib.parse import urlsplit

    parts = urlsplit(options.url)
    if parts.port == CLUSTER_PORT and options.unix_socket is None:
        base = options.address.replace(f":{CLUSTER_PORT}", f":{CLUSTER_PORT - 1}")
        said = result.message.partition("; ")[0]
        message = f"{said}; {CLUSTER_PORT} is Vault's cluster port; give its API: {base}"
        return result._replace(message=message)
    if result.reason == RESET and parts.scheme == "http" and options.unix_socket is None:
        message = f"{result.message}; if it speaks TLS, give https{options.address[4:]}"
        return result._replace(message=message)
    return result


def repeated(options: VaultOptions) -> HttpClient:
    """Return a client that asks again and again on a connection that it keeps."""
    from kacheck.exchange.client import HttpClient

    return HttpClient(options, judge_of(options), STATES, keep=True)


def judge_of(options: VaultOptions) -> Callable[[HttpAnswer], Result]:
    """Return what judges an answer of the node."""
    return partial(judge, accept=options.accept, address=options.address)


def preload(_: VaultOptions) -> None:
    """Import all that a look needs, whatever it asks.

    Raises:
        KacheckError: httpx is not installed.

    """
    from kacheck.exchange import client

    client.load()
