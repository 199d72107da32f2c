"""Is this node in the wanted Vault role? One GET of /v1/sys/health, judged."""

from functools import partial

from kacheck.deadline import Deadline
from kacheck.exchange import client
from kacheck.exchange.client import HttpClient
from kacheck.probes.vault.health import STATES, judge
from kacheck.probes.vault.settings import VaultOptions
from kacheck.result import Result


def look(options: VaultOptions, deadline: Deadline) -> Result:
    """Ask the node once.

    Raises:
        BadConfigError: a certificate file cannot be used, or httpx is not installed.

    """
    asking = client_of(options, keep=False)
    try:
        return asking(deadline)
    finally:
        asking.close()


def repeated(options: VaultOptions) -> HttpClient:
    """Return a client that asks again and again on a connection that it keeps."""
    return client_of(options, keep=True)


def client_of(options: VaultOptions, *, keep: bool) -> HttpClient:
    """Return a client of the node."""
    judged = partial(judge, accept=options.accept, address=options.address)
    return HttpClient(options, judged, STATES, keep=keep)


def preload(_: VaultOptions) -> None:
    """Import all that a look needs, whatever it asks.

    Raises:
        BadConfigError: httpx is not installed.

    """
    client.load()
