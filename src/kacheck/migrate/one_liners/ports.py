"""`nc -z HOST PORT` and bash's `</dev/tcp/HOST/PORT`. Pure."""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from kacheck.migrate.equivalents import LIBEXEC
from kacheck.migrate.one_liners.options import Grammar, read, spellings
from kacheck.migrate.one_liners.shell_words import Simple, refuse_files
from kacheck.migrate.one_liners.translation import Translation, seconds
from kacheck.migrate.tracked import LeftError

GRAMMAR = Grammar(
    valued=spellings("w wait, x proxy, X proxy, p source, s source, i interval"),
    flags=spellings("z zero, v verbose, n numeric, u udp, 4 ipv4, 6 ipv6, U unix, N shut-down"),
)
REFUSED = {
    "udp": "a UDP port does not answer, so that nc -u passes whatever is there; ask the service",
    "proxy": "it goes through a proxy, and kacheck-tcp uses none; ask the service itself",
    "source": "it chooses its own address or port, which kacheck-tcp does not; keep the script",
    "interval": "it waits between ports; leave out -i",
}
FAMILIES = {"ipv4": 4, "ipv6": 6}
DEVICE = re.compile(r"/dev/tcp/([^/\s]+)/([0-9]+)")
OPENS = (("exec",), (":",), ("true",), ("echo",), ("cat",))
"""Commands that say nothing on the connection that a redirection opens."""


def nc(commands: Sequence[Simple]) -> Translation:
    """Return the check that `nc -z` is.

    Raises:
        LeftError: it has no equivalent.

    """
    command = commands[0]
    given = read(command.words[1:], GRAMMAR)
    given.refuse(REFUSED)
    refuse_files(command)
    if not given.has("zero") or len(commands) > 1:
        raise LeftError(
            "nc without -z, or in a pipe, talks to the service; kacheck-tcp can, with"
            " --send TEXT and --expect TEXT"
        )
    limit = seconds(given.last("wait"))
    if given.has("unix") and len(given.operands) == 1:
        return Translation("tcp", {"address": f"unix:{given.operands[0]}"}, limit)
    if len(given.operands) != 2:
        raise LeftError("it does not name one host and one port; write a check for each port")
    for name, version in FAMILIES.items():
        if given.has(name) and version_of(given.operands[0]) != version:
            raise LeftError(f"it asks over IPv{version} alone, and kacheck-tcp tries every address"
                            " of a name; write the address")  # fmt: skip
    return Translation("tcp", {"address": address(*given.operands)}, limit)


def version_of(host: str) -> int | None:
    """Return the version of an IP address; None for a name."""
    try:
        return ip_address(host).version
    except ValueError:
        return None


def device(commands: Sequence[Simple], shell: str | None) -> Translation | None:
    """Return the check that opening /dev/tcp/HOST/PORT is; None where nothing does.

    Raises:
        LeftError: the shell may not know it, or more is done with the connection.

    """
    targets = [each.target for command in commands for each in command.redirections]
    found = next(filter(None, map(DEVICE.fullmatch, targets)), None)
    if found is None:
        return None
    place = address(*found.groups())
    if shell != "bash":
        raise LeftError(
            f"{found[0]} is a file to bash only: dash, Debian's sh, finds none, so that it always"
            f" fails; write {LIBEXEC}/kacheck-tcp {place}"
        )
    command = commands[0]
    rest = [each for each in command.redirections if each.target != found[0]]
    refuse_files(command._replace(redirections=tuple(rest)))
    is_silent = not command.words or command.words in OPENS
    if len(commands) > 1 or not is_silent or (command.name == "cat" and not rest):
        raise LeftError(
            "it talks to the service; kacheck-tcp can, with --send TEXT and --expect TEXT"
        )
    return Translation("tcp", {"address": place})


def address(host: str, port: str) -> str:
    """Return an address of probe tcp.

    Raises:
        LeftError: the port is not one number.

    """
    if not port.isdecimal():
        raise LeftError(f"{port} is not one port's number; write a check for each port")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
