"""Which VIPs follow a check: the instances that track its file or its script, and their groups."""

import pathlib

import pytest

from kacheck.keepalived import load
from kacheck.keepalived.running import FILE_OPTIONS, option
from kacheck.keepalived.vips import checks_of, vips_of

CONFIGURATION = """
vrrp_track_file graded {
    file "/run/kacheck/track/vault-graded"
    weight 1
}
vrrp_track_file foreign {
    file /run/other/track/vault-graded
}
vrrp_script guard {
    script "/usr/libexec/kacheck/kacheck-verdict --accept standby vault-node"
}
vrrp_script one_shot {
    script "/usr/bin/timeout 2 /usr/libexec/kacheck/kacheck-process vault"
}
vrrp_script not_ours {
    script "/usr/local/bin/check vault-node"
}
vrrp_sync_group G {
    group {
        BY_FILE
        WITH_IT
    }
}
vrrp_instance BY_FILE {
    virtual_ipaddress {
        192.0.2.100/24 dev eth0 label eth0:1
    }
    virtual_ipaddress_excluded {
        2001:DB8:0::1/64
        not-an-address
    }
    track_file {
        graded weight 1
    }
}
vrrp_instance WITH_IT {
    virtual_ipaddress {
        192.0.2.101
    }
}
vrrp_instance BY_SCRIPT {
    virtual_ipaddress {
        192.0.2.102/32
    }
    track_script {
        guard
    }
}
vrrp_instance BY_PROBE {
    virtual_ipaddress {
        192.0.2.103/32
    }
    track_script {
        one_shot
    }
}
vrrp_instance FOREIGN {
    virtual_ipaddress {
        192.0.2.104
    }
    track_file {
        foreign
    }
    track_script {
        not_ours
    }
}
"""
GROUP = ["192.0.2.100 BY_FILE", "2001:db8::1 BY_FILE", "192.0.2.101 WITH_IT"]


@pytest.mark.parametrize(
    ("names", "vips"),
    [
        ({"vault-graded"}, GROUP),
        ({"vault-node"}, ["192.0.2.102 BY_SCRIPT"]),
        ({"process"}, ["192.0.2.103 BY_PROBE"]),
        ({"vault-node", "process"}, ["192.0.2.102 BY_SCRIPT", "192.0.2.103 BY_PROBE"]),
        ({"vault"}, []),
        (None, [*GROUP, "192.0.2.102 BY_SCRIPT", "192.0.2.103 BY_PROBE"]),
    ],
)
def test_the_vips_of_the_instances_that_track_a_check(
    tmp_path: pathlib.Path, names: set[str] | None, vips: list[str]
) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(CONFIGURATION)
    found = vips_of(load(str(path)), names, "/run/kacheck")
    assert [f"{vip.address} {vip.instance}" for vip in found] == vips


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("kacheck run a b", {"a", "b"}),
        ("/usr/bin/kacheck vault --address http://127.0.0.1:1", {"vault"}),
        ("kacheck-combined --process vault", {"combined"}),
        ("kacheck status", set()),
        ("kacheck-verdict --nonsense", set()),
        ("kacheck-verdict --help", set()),
        ("echo", set()),
        ("", set()),
    ],
)
def test_the_checks_that_a_command_asks_for(command: str, names: set[str]) -> None:
    assert checks_of(command.split()) == names


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("-n -f /x -D", "/x"),
        ("-nf/y -f/x", "/x"),
        ("--use-file /x", "/x"),
        ("--use-file=/x", "/x"),
        ("-n -l", None),
        ("-f", None),
    ],
)
def test_the_file_of_a_running_keepalived(words: str, value: str | None) -> None:
    assert option(words.split(), FILE_OPTIONS) == value
