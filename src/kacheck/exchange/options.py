"""The options of TLS that every probe has whose service may speak it."""

from __future__ import annotations

from kacheck.kinds import DIRECTORY, FILE, FLAG, TEXT
from kacheck.probe import Option, OptionError
from kacheck.result import BadConfigError

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NamedTuple
else:
    from kacheck.light import NamedTuple


BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
"""Go's strconv.ParseBool."""


def tls_options(prefix: str = "", skip_verify: str = "") -> tuple[Option, ...]:
    """Return the options; `prefix` begins the names of their variables, if they have any.

    `skip_verify` is the variable of `insecure`, where it has another name.
    """

    def variable(name: str) -> str:
        return f"{prefix}{name}" if prefix else ""

    return (
        Option(
            "ca_cert",
            FILE,
            "trust the authorities in this file instead of the system's",
            metavar="FILE",
            environment=variable("CACERT"),
            details="Only a subjectAltName of the server's certificate counts as its name; its "
            "common name does not. The watcher uses a changed file from the next connection on, "
            "within 3 seconds and without a reload; this is also true of the system's store.",
        ),
        Option(
            "ca_path",
            DIRECTORY,
            "trust the authorities in all files of this directory instead of the system's",
            metavar="DIR",
            environment=variable("CAPATH"),
        ),
        Option(
            "client_cert",
            FILE,
            "the certificate for a server that asks for one; needs its key as well",
            metavar="FILE",
            environment=variable("CLIENT_CERT"),
        ),
        Option(
            "client_key",
            FILE,
            "the key of the client's certificate",
            metavar="FILE",
            environment=variable("CLIENT_KEY"),
        ),
        Option(
            "tls_server_name",
            TEXT,
            "ask for and verify this name instead of the address's host",
            metavar="NAME",
            environment=variable("TLS_SERVER_NAME"),
            details="It must be a subjectAltName of the certificate.",
        ),
        Option(
            "insecure",
            FLAG,
            "believe any certificate, with a warning",
            default=False,
            environment=skip_verify or variable("SKIP_VERIFY"),
        ),
        Option(
            "remote",
            FLAG,
            "the address is another machine on purpose: do not warn",
            default=False,
        ),
    )


class Trust(NamedTuple):
    """The values of these options."""

    ca_cert: str | None = None
    ca_cert_bytes: str | None = None
    """The content of such a file."""
    ca_cert_bytes_source: str = ""
    """Where that is from; empty without it."""
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    tls_server_name: str | None = None
    insecure: bool = False
    remote: bool = False


def split_trust(values: Mapping[str, Any]) -> tuple[Trust, dict[str, Any]]:
    """Return the values of these options, and all others that were given.

    Raises:
        OptionError: a client's certificate has no key, or the reverse.

    """
    given = {name: value for name, value in values.items() if value}
    for have, lack in (("client_cert", "client_key"), ("client_key", "client_cert")):
        if have in given and lack not in given:
            raise OptionError(have, f"{{{have}}} needs {{{lack}}}; add {{{lack}}}")
    trust = {name: given.pop(name) for name in Trust._fields if name in given}
    return Trust(**trust), given


def boolean(environ: Mapping[str, str], variable: str) -> bool | None:
    """Return a variable's value as Go reads a boolean; None when it is unset or empty.

    Raises:
        BadConfigError: it is not one.

    """
    text = environ.get(variable)
    if not text:
        return None
    if text not in BOOLEANS:
        raise BadConfigError(f"{variable}={text} is not a boolean: set it to true or false")
    return BOOLEANS[text]
