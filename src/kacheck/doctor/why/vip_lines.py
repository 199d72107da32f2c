"""Where the VIPs of a configuration are, for the last lines of `kacheck status`."""

import os

from kacheck.doctor.why import interfaces
from kacheck.doctor.why.instance import instances_of
from kacheck.keepalived import load
from kacheck.keepalived.running import DEFAULT_FILE, running
from kacheck.keepalived.tracking import Tracking


def vip_lines() -> list[str]:
    """Return `VIP 192.0.2.100: here`, one for each instance; none where that cannot be known.

    Only interfaces are looked at: nothing is run, sent or listened for.
    """
    keepalived = running()
    path = keepalived.file if keepalived is not None else DEFAULT_FILE
    if not os.access(path, os.R_OK) or (keepalived and not keepalived.shares_network()):
        return []
    configuration = load(path, config_id=keepalived.config_id if keepalived else None)
    instances = instances_of(configuration, Tracking(configuration), configuration.release)
    if not instances or configuration.find("net_namespace"):
        return []
    network = interfaces.look()
    return [
        f"VIP {each.vips[0]}: {'here' if network.has(each.vips[0]) else 'not here'}"
        for each in instances
        if each.vips
    ]
