"""What the VIP can follow beside Vault: one check of one probe, by the recipe event-driven. Pure.

A service is a row of SERVICES, and an option of `kacheck init` that says which one is meant.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from kacheck.kinds import InvalidValueError
from kacheck.migrate.equivalents import check_name
from kacheck.probe import OptionError, Probe, load
from kacheck.probes import probe
from kacheck.result import BadConfigError


class FollowedService(NamedTuple):
    """How init is given a service, and how its check asks for it."""

    key: str
    """The option of the probe that says what is asked; the probe has the service's name."""
    usage: str
    """The option of init for it."""
    verb: str
    """What it does while it is well."""
    interval: float
    """Seconds from look to look; an exit or a lost connection causes a look at once."""
    timeout: float | None = None
    """Seconds that a look may take; None: the watcher's default."""
    options: frozenset[str] = frozenset()
    """What else may be given: fields of InitOrder that are options of the probe, too."""

    @property
    def option(self) -> str:
        """The field of InitOrder."""
        return self.usage.split()[0].lstrip("-").replace("-", "_") or "argv"

    @property
    def flag(self) -> str:
        """What messages call it."""
        return flag_of(self.option)


SERVICES = {
    "process": FollowedService("name", "--process NAME", "runs", 0.25),
    "http": FollowedService(
        "url", "--url URL", "answers as expected", 1, options=frozenset({"ca_cert"})
    ),
    "tcp": FollowedService("address", "--to HOST:PORT", "accepts connections", 1),
    "command": FollowedService("argv", "-- ARGV...", "succeeds", 2, timeout=1.5),
    "consul": FollowedService("service", "--consul-service NAME", "is passing in Consul", 1),
}
"""By the value of --service, which is the name of the probe."""
VAULT = frozenset({"address", "ca_cert", "process"})
"""What may be given for Vault, which is not a row: more of it is found than asked for."""


def flag_of(field: str) -> str:
    """Return what a user calls a field of InitOrder."""
    return "ARGV" if field == "argv" else f"--{field.replace('_', '-')}"


class ServiceCheck(NamedTuple):
    """The check of a service that is not Vault."""

    name: str
    declared: Probe
    values: Mapping[str, Any]
    subject: str
    """The service, as messages and comments call it."""
    host: str | None
    """Where it is asked; None: here, since it is not asked by an address."""
    row: FollowedService


def refuse_others(service: str, given: Mapping[str, object]) -> None:
    """Refuse the options of other services.

    Raises:
        BadConfigError: one was given.

    """
    allowed = {"vault": VAULT}
    allowed |= {name: row.options | {row.option} for name, row in SERVICES.items()}
    for option, value in given.items():
        owners = [name for name, options in allowed.items() if option in options]
        if value and owners and service not in owners:
            wanted = " or ".join(f"--service {name}" for name in owners)
            raise BadConfigError(
                f"{flag_of(option)} has no meaning with --service {service};"
                f" give {wanted}, or leave it out"
            )


def service_check(service: str, given: Mapping[str, Any]) -> ServiceCheck:
    """Return the check of a service.

    Raises:
        BadConfigError: what is asked was not given, or cannot be asked.

    """
    row, declared = SERVICES[service], probe(service)
    asked = given.get(row.option)
    if not asked:
        raise BadConfigError(f"--service {service} needs {row.usage}")
    others = {key: given[key] for key in sorted(row.options) if given.get(key)}
    values = {row.key: asked, **others}
    refuse_invalid(declared, row, values)
    described = described_by(service, asked)
    name = check_name(described.name)
    return ServiceCheck(name, declared, values, described.subject, described.host, row)


def refuse_invalid(declared: Probe, row: FollowedService, values: Mapping[str, Any]) -> None:
    """Refuse values that the probe refuses, by the names of init's options."""
    flags = {option.name: option.flag for option in declared.options}
    flags[row.key] = row.flag
    try:
        for option in declared.options:
            value = values.get(option.name)
            for each in value if isinstance(value, tuple) else filter(None, (value,)):
                option.kind.from_toml(each)
        load(declared.prepare)(values)
    except InvalidValueError as error:
        raise BadConfigError(f"invalid value for {flags[option.name]}: give {error}") from None
    except OptionError as error:
        raise BadConfigError(error.text(flags.__getitem__, flags)) from None


# --- what they are called -------------------------------------------------------------------


class Described(NamedTuple):
    """A check's name, what it is about in words, and the host that is asked."""

    name: str
    subject: str
    host: str | None = None


def described_by(service: str, asked: Any) -> Described:
    """Describe what is asked."""
    if service == "http":
        return of_url(asked)
    if service == "tcp":
        return of_address(asked)
    if service == "command":
        return Described(os.path.basename(asked[0]), asked[0])
    return Described(asked, asked)


def of_url(url: str) -> Described:
    """Describe a URL, without the query, which may be secret."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    shown = f"{parts.scheme}://{host}:{port}{parts.path}"
    return Described(f"http-{port}", shown, parts.hostname)


def of_address(address: str) -> Described:
    """Describe an address of tcp: HOST:PORT, or unix:PATH."""
    if address.startswith("unix:"):
        return Described(os.path.basename(address), address)
    host, _, port = address.rpartition(":")
    return Described(f"tcp-{port}", address, host.strip("[]"))
