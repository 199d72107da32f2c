"""`kacheck init`: from its options to what is printed and written."""

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kacheck import procfs, statedir
from kacheck.doctor.kacheck.state_files import watcher_trouble
from kacheck.doctor.machine.system import Machine
from kacheck.init import rehearsal
from kacheck.init.adverts import OwnAdvert, judge
from kacheck.init.existing import also_tracked
from kacheck.init.instance import gains, instance_of
from kacheck.init.knowledge import Gathered, InitOrder, gather
from kacheck.init.network import is_everywhere, own_on
from kacheck.init.next_steps import Situation, next_steps
from kacheck.init.plan import PlannedFiles, plan
from kacheck.init.recipe import NodeValues, ShippedTexts, recipe_text, shipped
from kacheck.init.rehearsal import Tried
from kacheck.init.vault_server import host_of
from kacheck.keepalived import DEFAULT, Configuration, parse
from kacheck.migrate import command as migrating
from kacheck.migrate import verify
from kacheck.migrate.plan import MigrationOrder
from kacheck.migrate.transaction import Change, recover
from kacheck.service_user import ServiceUser, service_user


class InitAnswer(NamedTuple):
    """What to print to stdout, what to stderr, and the exit code."""

    text: str
    remarks: list[str]
    code: int


def init(order: InitOrder, environ: Mapping[str, str]) -> InitAnswer:
    """Make a node's configuration, test it, and write it if that is asked for.

    Raises:
        KacheckError: something cannot be known, or not be written; nothing was written.

    """
    if order.write:
        recover(order.paths.keepalived)
    texts = shipped()
    known = gather(order, environ)
    planned = plan(order.paths, known.configuration, known.existing, known.values, texts)
    heard = hear(known, texts)
    tried = [*rehearse(order, known, planned), *heard]
    wrong = [each.text for each in tried if each.is_wrong]
    doubts = [each.text for each in tried if not each.is_wrong and not each.is_good]
    remarks = [*wrong, *planned.left, *doubts, *known.remarks]
    good = [each.text for each in tried if each.is_good]
    lines = [*known.sources, *good, ""]
    if not planned.changes:
        lines.append("nothing to write: everything is there already")
    elif order.write and not wrong:
        lines += written(order, planned.changes, known.configuration)
    else:
        lines += shown(planned.changes)
    if wrong:
        remarks.append("nothing was written" if order.write else "this would not be written")
        return InitAnswer("\n".join(lines), remarks, 3)
    remarks += [f"note: {text}" for text in notes(known, texts)]
    is_written = order.write or not planned.changes
    has_peer = any(each.is_good for each in heard)
    lines += ["", next_steps(situation(order, known, is_written=is_written, has_peer=has_peer))]
    return InitAnswer("\n".join(lines), remarks, 1 if planned.left or doubts else 0)


def notes(known: Gathered, texts: ShippedTexts) -> Iterator[str]:
    """Yield what an existing instance keeps."""
    if known.existing is not None:
        said = (
            gains(known.existing),
            also_tracked(known.existing, recipe_text(known.values, texts)),
        )
        yield from filter(None, said)


# --- what is tried --------------------------------------------------------------------------


def rehearse(order: InitOrder, known: Gathered, planned: PlannedFiles) -> Iterator[Tried]:
    """Try the check, the interface, and keepalived's reading of the result."""
    values = known.values
    user = service_user()
    yield try_check(values, planned.table, user)
    if user is None:
        yield Tried(
            "the watcher's user is not known here (no kacheck.service, no /run/kacheck/track):"
            " the check ran as this user",
            is_wrong=False,
        )
    yield from try_interface(known)
    contents = {change.path: change.new for change in planned.changes}
    contents.setdefault(planned.recipe.path, planned.recipe.old or planned.recipe.new)
    tried = rehearsal.try_keepalived(order.paths.keepalived, known.configuration, contents)
    if tried is not None:
        yield tried


def try_check(values: NodeValues, table: str, user: ServiceUser | None) -> Tried:
    """Run the check once as the watcher's user: a program with the time that it will have."""
    has_own_time = values.service is not None and values.service.row.timeout is not None
    table = table if has_own_time else rehearsal.patient(table)
    return rehearsal.try_check(values.check, table, user, values.ca_cert)


def try_interface(known: Gathered) -> Iterator[Tried]:
    """Judge the interface."""
    name, vip = known.values.interface, known.values.vip
    own = own_on(known.machine, name, vip)
    if own is None:
        yield Tried(
            f"{name} has no IPv{vip.version} address, without which VRRP cannot send; give it one,"
            " or another --interface",
            is_wrong=True,
        )
    elif vip.ip not in own.address.network:
        yield Tried(f"{name} has {own.address}, and {vip} is not in its network", is_wrong=False)
    if name in known.machine.down:
        yield Tried(f"{name} is down; ip link set {name} up", is_wrong=False)


def hear(known: Gathered, texts: ShippedTexts) -> list[Tried]:
    """Listen, and judge what other nodes send; what is good is a peer."""
    values = known.values
    addresses = frozenset(str(each.address.ip) for each in known.machine.addresses)
    try:
        adverts = rehearsal.listen(
            values.interface, values.vip.version, addresses, rehearsal.LISTEN
        )
    except OSError as error:
        text = (
            f"cannot listen for VRRP on {values.interface} ({error.strerror}); run this as"
            " root, to hear of conflicts"
        )
        return [Tried(text, is_wrong=False)]
    peers, conflicts = judge(adverts, own_advert(known, texts))
    return [
        *(Tried(text, is_wrong=False, is_good=True) for text in peers),
        *(Tried(text, is_wrong=True) for text in conflicts),
    ]


def own_advert(known: Gathered, texts: ShippedTexts) -> OwnAdvert:
    """Return what this node would send."""
    values, existing = known.values, known.existing
    if existing is None:
        existing = instance_of(parse(texts.keepalived).find("vrrp_instance")[0], "2")
    return OwnAdvert(
        str(values.vip.ip),
        existing.version,
        values.router_id,
        values.priority,
        existing.interval,
        values.peers or existing.peers,
    )


# --- what is written ------------------------------------------------------------------------


def shown(changes: list[Change]) -> Iterator[str]:
    """Yield new files as they will be, and the differences of the others."""
    for change in changes:
        if change.old is None:
            text = change.new.decode("utf-8", "surrogateescape").rstrip("\n")
            yield from (f"# ---- {change.path}, new:", text, "")
        else:
            yield from (migrating.diff([change]), "")


def written(
    order: InitOrder, changes: list[Change], configuration: Configuration | None
) -> Iterator[str]:
    """Write all files, or none; yield what to say about it."""
    os.makedirs(os.path.dirname(order.paths.keepalived), exist_ok=True)
    release = configuration.release if configuration else DEFAULT
    done = migrating.write(
        changes, changes, MigrationOrder(order.paths.keepalived, in_place=True), release
    )
    yield from (migrating.diff([change]) for change in changes if change.old is not None)
    for line in done:  # what it complained of without a file is not of interest
        yield line if configuration else line.removesuffix(verify.NOTHING_LEFT)


def common(order: InitOrder, known: Gathered) -> Iterator[str]:
    """Yield the options that all nodes have in common, as words.

    An address of this node alone is not one: the metavariable in its place is refused there.
    """
    service = known.values.service
    host = service.host if service else host_of(order.address or "")
    is_common = host is None or is_everywhere(host)
    for option, value in (
        ("--instance", order.instance),
        ("--interface", order.interface),
        ("--service", order.service if service else None),
        ("--address", order.address if is_common else None),
        ("--url", order.url if is_common else order.url and "URL"),
        ("--to", order.to if is_common else order.to and "HOST:PORT"),
        ("--consul-service", order.consul_service),
        ("--ca-cert", order.ca_cert),
        ("--process", order.process),
        ("--router-id", order.router_id),
    ):
        if value is not None:
            yield from (option, str(value))


def situation(order: InitOrder, known: Gathered, *, is_written: bool, has_peer: bool) -> Situation:
    """Return what the next commands depend on."""
    own = own_on(known.machine, known.values.interface, known.values.vip)
    return Situation(
        order.vip,
        known.values.node,
        tuple(common(order, known)),
        order.argv,
        str(own.address.ip) if own else None,
        known.values.peers,
        is_written=is_written,
        has_systemd=os.path.isdir("/run/systemd/system"),
        is_watcher_running=watcher_trouble(Machine(), statedir.DEFAULT) is None,
        is_keepalived_running=bool(procfs.named("/proc", b"keepalived")),
        has_peer=has_peer,
    )
