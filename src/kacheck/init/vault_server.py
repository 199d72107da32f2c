"""Where this node's Vault or OpenBao listens, which authority it has, and what its process is."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property, partial
from typing import NamedTuple
from urllib.parse import urlsplit

from kacheck.deadline import Deadline, within
from kacheck.init import hcl
from kacheck.init.network import elsewhere, is_here
from kacheck.init.recipe import Vip
from kacheck.init.server_files import PLACES, ServerFiles, configured
from kacheck.init.server_process import PROCESSES, is_contained, listening, running
from kacheck.network import NetworkInterfaces
from kacheck.probes.vault.health import STATES
from kacheck.probes.vault.look import look
from kacheck.probes.vault.settings import Environment, parse_address, prepare
from kacheck.result import BadConfigError, KacheckError, Result

AUTHORITIES = ("ca.pem", "ca.crt", "ca.cert", "ca-chain.pem", "vault-ca.pem")
"""Names that the authority often has beside the certificate."""
TIMEOUT = 3.0


class Sourced(NamedTuple):
    """A value, and where it is from."""

    value: str
    source: str


class GivenServer(NamedTuple):
    """What was given on the command line."""

    vip: Vip
    address: str | None = None
    ca_cert: str | None = None
    process: str | None = None


class VaultServer(NamedTuple):
    """What a check of Vault needs."""

    address: Sourced
    process: Sourced
    ca_cert: Sourced | None
    """None: the system's authorities, or no TLS."""
    tls_server_name: Sourced | None
    in_container: bool
    """The process is in a pid namespace below this one."""
    remarks: tuple[str, ...] = ()


class ServerSearch:
    """The places where it may be said; `root` is put before the paths of the machine."""

    def __init__(
        self,
        given: GivenServer,
        machine: NetworkInterfaces,
        environ: Mapping[str, str],
        root: str = "",
    ) -> None:
        self.given = given
        self.machine = machine
        self.environment = Environment(environ)
        self.root = root
        self.remarks: list[str] = []

    def find(self) -> VaultServer:
        """Return where Vault is.

        Raises:
            BadConfigError: something cannot be known; it names the option that says it.

        """
        addresses = self._addresses()
        process = self._process()
        address, ca_cert = self._trusted(addresses)
        name = self._server_name if address.value.startswith("https:") else None
        return VaultServer(address, process, ca_cert, name, self._in_container, tuple(self.remarks))

    # --- the address ------------------------------------------------------------------------

    def _addresses(self) -> list[Sourced]:
        """Return the addresses to try, the most probable first."""
        if self.given.address is not None:
            self._judge_given(self.given.address)
            return [Sourced(self.given.address, "--address")]
        variable = self.environment.variable("ADDR")
        given = self.environment.get("ADDR")
        if given is not None and self.is_here(given):
            self._judge(given, variable)
            return [Sourced(given, variable)]
        if given is not None:
            self.remarks.append(
                f"{variable} is not used: its host is not an IP address that only this machine has;"
                " give --address to use it nevertheless"
            )
        addresses = [*self._configured_addresses(), *self._listening_addresses()]
        if not addresses:
            raise BadConfigError(
                f"the address of Vault was not found: {variable} does not name this machine,"
                f" {', '.join(place for _, place in PLACES)} have no listener, and no process"
                f" {' or '.join(PROCESSES[:2])} listens here; give --address URL"
            )
        return addresses

    @staticmethod
    def _judge(address: str, source: str) -> None:
        try:
            parse_address(address)
        except ValueError as error:
            raise BadConfigError(f"{source} {error}") from None

    def _judge_given(self, address: str) -> None:
        self._judge(address, "--address")
        if not self.is_here(address):
            host = host_of(address) or ""
            self.remarks.append(elsewhere("--address", address, host, self.given.vip))

    def is_here(self, address: str) -> bool:
        """Return whether an address is this machine's, whoever has the VIP."""
        if address.startswith("unix:"):
            return True
        return is_here(host_of(address) or "", self.machine, self.given.vip)

    def _configured_addresses(self) -> Iterator[Sourced]:
        body, place = self._configuration
        address = hcl.settings_of(body).address
        # Its certificate may lack the loopback address and have the one that clients use.
        published = hcl.last(body, "api_addr")
        if published is not None and not self.is_here(published):
            published = None
        for each, source in ((address, place), (published, f"api_addr in {place}")):
            if each is not None:
                try:
                    parse_address(each)
                except ValueError as error:  # such as a template, {{ GetPrivateIP }}
                    self.remarks.append(f"the address in {source} {error}")
                else:
                    yield Sourced(each, source)

    def _listening_addresses(self) -> Iterator[Sourced]:
        for pid in self._running:
            for host, port in sorted(listening(f"{self.root}/proc", pid), key=lambda each: each[1]):
                source = f"the process {self._running[pid]}, pid {pid}, listens there"
                yield Sourced(f"{self._scheme(host, port)}://{host}:{port}", source)
                break  # the next one is the port of the cluster

    @staticmethod
    def _scheme(host: str, port: int) -> str:
        """Return the scheme of a port: https, unless it answers in plain HTTP."""
        values = {"address": f"http://{host}:{port}"}
        is_plain = ask(values).reason in {state.reason for state in STATES.values()}
        return "http" if is_plain else "https"

    @cached_property
    def _configuration(self) -> ServerFiles:
        """What the files of the server say: those that it was given, or in the usual places."""
        return configured(self.root, self._running, self.remarks)

    # --- the process ------------------------------------------------------------------------

    @cached_property
    def _running(self) -> dict[int, str]:
        """The names of the servers that run, by pid."""
        return running(f"{self.root}/proc")

    @property
    def _in_container(self) -> bool:
        """Whether the server runs in a container alone."""
        return bool(self._running) and all(
            is_contained(f"{self.root}/proc", pid) for pid in self._running
        )

    def _process(self) -> Sourced:
        if self.given.process is not None:
            return Sourced(self.given.process, "--process")
        for pid, name in self._running.items():
            where = " in a container (all_namespaces)" if self._in_container else ""
            return Sourced(name, f"it runs{where}, pid {pid}")
        for name, path in PLACES:
            if self._configuration.body and self._configuration.place == path:
                return Sourced(name, path)
        raise BadConfigError(
            f"no process {', '.join(PROCESSES)} runs here; give --process NAME, which `ps -e` shows"
            " for Vault or OpenBao"
        )

    # --- the authority ----------------------------------------------------------------------

    def _trusted(self, addresses: list[Sourced]) -> tuple[Sourced, Sourced | None]:
        """Return the first address with an authority that its certificate is proven by."""
        why = ""
        for address in addresses:
            if not address.value.startswith("https:"):
                return address, None
            candidates: list[Sourced | None] = [*self._authorities()]
            if not candidates or self.given.ca_cert is None:
                candidates.append(None)
            for candidate in candidates:
                path = f"{self.root}{candidate.value}" if candidate else None
                trouble = self._distrust(address.value, path)
                if trouble is None or self.given.ca_cert is not None:
                    return address, candidate
                why = trouble
        raise BadConfigError(
            f"{why}; init takes the name from --address, or from VAULT_TLS_SERVER_NAME"
        )

    @property
    def _server_name(self) -> Sourced | None:
        """The name that the certificate has, if the address is not one of them."""
        name = self.environment.get("TLS_SERVER_NAME")
        return Sourced(name, self.environment.variable("TLS_SERVER_NAME")) if name else None

    def _distrust(self, address: str, ca_cert: str | None) -> str | None:
        """Return why the certificate is not believed; None: it is, or nobody answers now."""
        name = self._server_name
        values = {"address": address, "ca_cert": ca_cert,
                  "tls_server_name": name.value if name else None}  # fmt: skip
        try:
            result = ask(values)
        except KacheckError as error:
            return str(error)
        return result.message if result.reason == "tls" else None

    def _authorities(self) -> Iterator[Sourced]:
        """Yield the files that may be it, if they are there."""
        if self.given.ca_cert is not None:
            yield Sourced(os.path.abspath(self.given.ca_cert), "--ca-cert")
            return
        given = self.environment.get("CACERT")
        if given is not None:
            yield Sourced(os.path.abspath(given), self.environment.variable("CACERT"))
        named = hcl.settings_of(self._configuration.body).authorities
        directories = dict.fromkeys(
            [*map(os.path.dirname, named), *(place for _, place in PLACES), "/opt/vault/tls"]
        )
        beside = [f"{directory}/{name}" for directory in directories for name in AUTHORITIES]
        for path in dict.fromkeys([*named, *beside]):
            if os.path.isfile(f"{self.root}{path}"):
                source = self._configuration.place if path in named else "a usual place"
                yield Sourced(path, source)


def host_of(address: str) -> str | None:
    """Return the host of an address; None if it has none or is not an address."""
    with suppress(ValueError):
        return urlsplit(address).hostname
    return None


def ask(values: Mapping[str, str | None]) -> Result:
    """Look once, with `TIMEOUT` for all of it."""
    return within(Deadline(TIMEOUT), partial(look, prepare(values)))
