"""What is tried before anything is written: the check, keepalived's reading, and the wire."""

import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

import kacheck
from kacheck.init.adverts import GROUPS, PROTOCOL, Advert, from_ipv4, parse
from kacheck.keepalived import Configuration
from kacheck.migrate import verify
from kacheck.migrate.command import cure_of
from kacheck.service_user import HIDDEN, ServiceUser, can_read, cure, unreadable

LISTEN = 3.0
"""Seconds of listening: three intervals of the slowest common configuration."""
CHECK_TIMEOUT = 20
PROGRAM = f"{os.path.dirname(os.path.realpath(kacheck.__file__))}/__main__.py"
PATIENCE = 5.0
"""Seconds that the check may take."""
SO_BINDTODEVICE = 25
HOPELESS = ("bad-config", "tls", "bug", "not-found", "not-executable")
"""Reasons that waiting does not change."""


class Tried(NamedTuple):
    """What a trial found."""

    text: str
    is_wrong: bool
    """The configuration would not work as it is, so it is not written."""
    is_good: bool = False
    """There is nothing to do about it."""


# --- the check ------------------------------------------------------------------------------


def try_check(name: str, table: str, user: ServiceUser | None, ca: str | None) -> Tried:
    """Run the check once, as the watcher would."""
    with directory() as path:
        config = f"{path}/kacheck.toml"
        with open(config, "w", encoding="utf-8") as file:
            file.write(table)
        os.chmod(config, 0o644)
        argv = [sys.executable, "-IB", PROGRAM, "run", "--config", config,
                "--format", "json", name]  # fmt: skip
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=CHECK_TIMEOUT,
                check=False,
                cwd="/",
                **as_user(user),  # type: ignore[call-overload]
            )
            said = json.loads(done.stdout)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            return Tried(f"{name} could not be tried: {error}", is_wrong=False)
    who = f" as {user.name}" if user and os.geteuid() == 0 else ""
    status, reason, message = (str(said.get(key)) for key in ("status", "reason", "message"))
    message = message.replace(config, "kacheck.toml")
    text = f"{name}{who}: {status} {reason}: {message}"
    if ca is not None and (trouble := hidden(ca, user)):
        return Tried(f"{text}; {trouble}", is_wrong=True)
    if reason in HOPELESS:
        return Tried(text, is_wrong=True)
    is_good = status in ("ok", "warning")
    later = "" if is_good else "; the VIP does not come to this node as long as this lasts"
    return Tried(text + later, is_wrong=False, is_good=is_good)


def patient(table: str) -> str:
    """Return the table of a check with a long timeout: the time to start an interpreter."""
    lines = [line for line in table.splitlines() if not line.startswith("timeout = ")]
    return "\n".join([*lines, f"timeout = {PATIENCE}", ""])


def as_user(user: ServiceUser | None) -> Mapping[str, object]:
    """Return the options of subprocess.run() for a user."""
    if user is None or os.geteuid() != 0:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": list(user.groups)}


def hidden(ca: str, user: ServiceUser | None) -> str | None:
    """Return why the watcher cannot read the authority's file, and the cure."""
    if not os.path.isfile(ca):
        return f"the CA file {ca} is missing; write it there, or give another --ca-cert"
    if user is None:
        return None
    component = unreadable(ca, user)
    if component is not None and not can_read(ca, user):
        return f"user {user.name} cannot read {ca} ({component}); {cure(ca, component)}"
    for directory in HIDDEN:
        if ca.startswith(f"{directory}/") and user.source == "kacheck.service":
            return f"kacheck.service does not see {directory}; {cure(ca, '/')}"
    return None


# --- keepalived -----------------------------------------------------------------------------


def try_keepalived(
    conf: str, configuration: Configuration | None, contents: Mapping[str, bytes]
) -> Tried | None:
    """Let keepalived test the result in a separate directory; None: it accepts it.

    The files beside the main one are copied; what is included from elsewhere is read there.
    """
    keepalived = verify.program()
    if keepalived is None:
        return Tried(
            "keepalived is not installed here, so keepalived -t has not tested the result;"
            " apt install keepalived",
            is_wrong=False,
        )
    if os.geteuid() != 0:
        return Tried("keepalived -t needs root: run this as root", is_wrong=False)
    home = os.path.dirname(os.path.abspath(conf))
    files = {path: tree.source.text.encode("utf-8", "surrogateescape")
             for path, tree in (configuration.files if configuration else {}).items()}  # fmt: skip
    before = verify.ask(keepalived, conf) if configuration else verify.Said(verify.GOOD, ())
    with directory() as path:
        for name, data in {**files, **contents}.items():
            relative = os.path.relpath(os.path.abspath(name), home)
            if not relative.startswith(".."):
                os.makedirs(os.path.dirname(f"{path}/{relative}"), exist_ok=True)
                with open(f"{path}/{relative}", "wb") as file:
                    file.write(data)
        after = verify.ask(keepalived, f"{path}/{os.path.basename(conf)}")
        after = after._replace(complaints=tuple(each.replace(path, home)
                                                for each in after.complaints))  # fmt: skip
    may_end = configuration is not None and verify.other_user(configuration) is not None
    new = verify.new_complaints(before, after, may_end=may_end)
    if not new:
        return None
    return Tried(f"keepalived -t complains: {new[0]}; {cure_of(new[0], before)}", is_wrong=True)


@contextmanager
def directory() -> Iterator[str]:
    """Make a directory that every user can read, and remove it."""
    with tempfile.TemporaryDirectory(prefix="kacheck-init-") as path:
        os.chmod(path, 0o755)  # noqa: S103 - the watcher's user reads there
        yield path


# --- the wire -------------------------------------------------------------------------------


def listen(interface: str, ip_version: int, own: frozenset[str], seconds: float) -> list[Advert]:
    """Return the adverts of other nodes that arrive at an interface.

    Raises:
        OSError: this user may not listen, or the interface does not exist.

    """
    family = socket.AF_INET if ip_version == 4 else socket.AF_INET6
    heard: list[Advert] = []
    with socket.socket(family, socket.SOCK_RAW, PROTOCOL) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, interface.encode() + b"\0")
        with suppress(OSError):  # without multicast there are the peers' unicast adverts
            join(sock, ip_version, socket.if_nametoindex(interface))
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([sock], [], [], left)[0]:
                break
            packet, (sender, *_) = sock.recvfrom(4096)
            advert = from_ipv4(packet) if ip_version == 4 else parse(packet, sender, 6)
            if advert is not None and advert.sender.partition("%")[0] not in own:
                heard.append(advert)
    return heard


def join(sock: socket.socket, ip_version: int, index: int) -> None:
    """Receive what is sent to VRRP's group."""
    if ip_version == 4:
        group = socket.inet_aton(GROUPS[4])
        request = struct.pack("=4s4si", group, bytes(4), index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    else:
        request = socket.inet_pton(socket.AF_INET6, GROUPS[6]) + struct.pack("=I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
