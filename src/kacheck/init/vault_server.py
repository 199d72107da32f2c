"""Where this node's Vault or OpenBao listens, which authority it has, and what its process is."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property, partial
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from kacheck import procfs
from kacheck.deadline import Deadline, within
from kacheck.init import hcl
from kacheck.init.listening import listening
from kacheck.init.network import NetworkInterfaces
from kacheck.init.recipe import Vip
from kacheck.probes.vault.health import STATES
from kacheck.probes.vault.look import look
from kacheck.probes.vault.settings import Environment, parse_address, prepare
from kacheck.result import BadConfigError, Result

PROCESSES = ("vault", "bao", "openbao")
PLACES = (
    ("vault", "/etc/vault.d"),
    ("vault", "/etc/vault"),
    ("bao", "/etc/openbao"),
    ("bao", "/etc/openbao.d"),
    ("bao", "/etc/bao.d"),
)
"""Directories of configuration files, and the process that reads them."""
AUTHORITIES = ("ca.pem", "ca.crt", "ca.cert", "ca-chain.pem", "vault-ca.pem")
"""Names that the authority often has beside the certificate."""
MAX_SIZE = 1 << 20
TIMEOUT = 3.0


class Sourced(NamedTuple):
    """A value, and where it is from."""

    value: str
    source: str


class ServerWanted(NamedTuple):
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
    in_container: bool
    """The process is in a pid namespace below this one."""
    remarks: tuple[str, ...] = ()


class ServerSearch:
    """The places where it may be said; `root` is put before the paths of the machine."""

    def __init__(
        self,
        wanted: ServerWanted,
        machine: NetworkInterfaces,
        environ: Mapping[str, str],
        root: str = "",
    ) -> None:
        self.wanted = wanted
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
        return VaultServer(address, process, ca_cert, self._in_container, tuple(self.remarks))

    # --- the address ------------------------------------------------------------------------

    def _addresses(self) -> list[Sourced]:
        """Return the addresses to try, the most probable first."""
        if self.wanted.address is not None:
            self._judge_given(self.wanted.address)
            return [Sourced(self.wanted.address, "--address")]
        variable = self.environment.variable("ADDR")
        given = self.environment.get("ADDR")
        if given is not None and self.is_here(given):
            return [Sourced(given, variable)]
        if given is not None:
            self.remarks.append(
                f"{variable} is not taken: its host is not an IP address of this machine alone;"
                " give --address to ask it all the same"
            )
        found = [*self._configured_addresses(), *self._listening_addresses()]
        if not found:
            raise BadConfigError(
                f"the address of Vault cannot be known: {variable} is not set to one of this"
                f" machine, there is no listener in {', '.join(place for _, place in PLACES)}, and"
                f" no process {' or '.join(PROCESSES[:2])} that listens here; give --address URL"
            )
        return found

    def _judge_given(self, address: str) -> None:
        try:
            parse_address(address)
        except ValueError as error:
            raise BadConfigError(f"--address {error}") from None
        if host_of(address) == str(self.wanted.vip.ip):
            raise BadConfigError(
                f"--address {address} is the VIP, where the node answers that has it; give an"
                " address of this node, such as https://127.0.0.1:8200"
            )
        if not self.is_here(address):
            self.remarks.append(
                f"{address} is not an IP address of this machine: the VIP follows what answers"
                " there; give an address of this node, if that is not meant"
            )

    def is_here(self, address: str) -> bool:
        """Return whether an address is this machine's, whoever has the VIP."""
        if address.startswith("unix:"):
            return True
        host = host_of(address) or ""
        if host == "localhost":
            return True
        try:
            number = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        return number != self.wanted.vip.ip and (
            number.is_loopback or self.machine.has_own(str(number))
        )

    def _configured_addresses(self) -> Iterator[Sourced]:
        settings = hcl.settings_of(self._body)
        if settings.address is None:
            return
        yield Sourced(settings.address, self._configuration_source)
        # Its certificate may lack the loopback address and have the one that clients use.
        published = hcl.last(self._body, "api_addr")
        if published and self.is_here(published):
            yield Sourced(published, f"api_addr in {self._configuration_source}")

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

    # --- the configuration ------------------------------------------------------------------

    @cached_property
    def _body(self) -> hcl.Body:
        """What all files of the first configuration say."""
        for path in self._configurations():
            body: hcl.Body = {}
            for file in files_of(f"{self.root}{path}"):
                try:
                    with open(file, encoding="utf-8", errors="replace") as stream:
                        said = hcl.parse(stream.read(MAX_SIZE))
                except (OSError, hcl.HclError) as error:
                    why = getattr(error, "strerror", None) or error
                    self.remarks.append(f"{file.removeprefix(self.root)} was not read: {why}")
                    continue
                for key, values in said.items():
                    body.setdefault(key, []).extend(values)
            if hcl.settings_of(body).address is not None:
                self._configuration_source = path
                return body
        return {}

    _configuration_source = ""

    def _configurations(self) -> Iterator[str]:
        """Yield what the running server was given, then the usual places."""
        for pid in self._running:
            with suppress(OSError):
                words = procfs.Process(f"{self.root}/proc", pid).argv(1 << 14)
                yield from configurations_in([os.fsdecode(word) for word in words])
        yield from (place for _, place in PLACES)

    # --- the process ------------------------------------------------------------------------

    @cached_property
    def _running(self) -> dict[int, str]:
        """The servers that run, by pid, those of this pid namespace if there are any.

        A client of Vault has the same name.
        """
        found: dict[int, str] = {}
        servers: dict[int, str] = {}
        proc = f"{self.root}/proc"
        for name in PROCESSES:
            for pid in procfs.named(proc, name.encode()):
                process = procfs.Process(proc, pid)
                with suppress(OSError):
                    if process.comm() == name.encode():  # not one that hides
                        found[pid] = name
                        if b"server" in process.argv(1 << 14):
                            servers[pid] = name
        running = servers or found
        here = {pid: name for pid, name in running.items() if not self._is_contained(pid)}
        return here or running

    def _is_contained(self, pid: int) -> bool:
        """Return whether a process is in a pid namespace below this one."""
        with suppress(OSError):
            status = procfs.Process(f"{self.root}/proc", pid).status()
            return len(status.get("NSpid", "").split()) > 1
        return False

    @property
    def _in_container(self) -> bool:
        """Whether the server runs in a container alone."""
        return bool(self._running) and all(map(self._is_contained, self._running))

    def _process(self) -> Sourced:
        if self.wanted.process is not None:
            return Sourced(self.wanted.process, "--process")
        for pid, name in self._running.items():
            where = " in a container (all_namespaces)" if self._in_container else ""
            return Sourced(name, f"it runs{where}, pid {pid}")
        for name, place in PLACES:
            if self._body and self._configuration_source == place:
                return Sourced(name, place)
        raise BadConfigError(
            f"no process {', '.join(PROCESSES)} runs here; give --process NAME, Vault's or"
            " OpenBao's, as `ps -e` shows it"
        )

    # --- the authority ----------------------------------------------------------------------

    def _trusted(self, addresses: list[Sourced]) -> tuple[Sourced, Sourced | None]:
        """Return the first address with an authority that its certificate is proven by."""
        why = ""
        for address in addresses:
            if not address.value.startswith("https:"):
                return address, None
            candidates: list[Sourced | None] = [*self._authorities()]
            if not candidates or self.wanted.ca_cert is None:
                candidates.append(None)
            for candidate in candidates:
                path = f"{self.root}{candidate.value}" if candidate else None
                trouble = distrust(address.value, path)
                if trouble is None or self.wanted.ca_cert is not None:
                    return address, candidate
                why = trouble
        raise BadConfigError(
            f"{why}; if the name is what is wrong, give --address with one that the certificate has"
        )

    def _authorities(self) -> Iterator[Sourced]:
        """Yield the files that may be it, if they are there."""
        if self.wanted.ca_cert is not None:
            yield Sourced(os.path.abspath(self.wanted.ca_cert), "--ca-cert")
            return
        given = self.environment.get("CACERT")
        if given is not None:
            yield Sourced(os.path.abspath(given), self.environment.variable("CACERT"))
        named = hcl.settings_of(self._body).authorities
        directories = dict.fromkeys(
            [*map(os.path.dirname, named), *(place for _, place in PLACES), "/opt/vault/tls"]
        )
        beside = [f"{directory}/{name}" for directory in directories for name in AUTHORITIES]
        for path in dict.fromkeys([*named, *beside]):
            if os.path.isfile(f"{self.root}{path}"):
                source = self._configuration_source if path in named else "a usual place"
                yield Sourced(path, source)


def host_of(address: str) -> str | None:
    """Return the host of an address."""
    return urlsplit(address).hostname


def files_of(path: str) -> list[str]:
    """Return the configuration files that a path names, as Vault reads them."""
    if not os.path.isdir(path):
        return [path] if os.path.isfile(path) else []
    with suppress(OSError):
        names = sorted(name for name in os.listdir(path) if name.endswith((".hcl", ".json")))
        return [f"{path}/{name}" for name in names]
    return []


def configurations_in(words: list[str]) -> Iterator[str]:
    """Yield the paths of `-config` in a command line."""
    for word, behind in zip(words, [*words[1:], ""], strict=True):
        found = re.fullmatch(r"--?config(?:=(.*))?", word)
        if found and (found[1] or behind).startswith("/"):
            yield found[1] or behind


def ask(values: Mapping[str, str | None]) -> Result:
    """Look once, with `TIMEOUT` for all of it."""
    return within(Deadline(TIMEOUT), partial(look, prepare(values)))


def distrust(address: str, ca_cert: str | None) -> str | None:
    """Return why the certificate is not believed; None: it is, or nobody answers now."""
    try:
        result = ask({"address": address, "ca_cert": ca_cert})
    except BadConfigError as error:
        return str(error)
    return result.message if result.reason == "tls" else None
