"""An existing keepalived.conf: what is added, what stays, and what is left alone."""

from ipaddress import ip_interface
from pathlib import Path

import pytest

from kacheck.init.existing import LeftAloneError, also_tracked, edit
from kacheck.init.instance import gains, instances, select
from kacheck.init.recipe import NodeValues, shipped
from kacheck.keepalived import load
from kacheck.result import BadConfigError

VALUES = NodeValues(
    ip_interface("192.0.2.100/24"), "eth0", instance="VI_1", address="https://127.0.0.1:8200"
)
GLOBAL = "global_defs {\n    enable_script_security\n}\n\n"
INSTANCE = (
    GLOBAL
    + """\
# Ours.
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100    # as ever
    virtual_ipaddress {
        192.0.2.100/24
    }
}
"""
)
TRACKING = """\
    track_file {
        kacheck_vault_graded
    }
    track_script {
        kacheck_vault_active
        kacheck_vault_serves
    }
"""


def edited(directory: Path, text: str, values: NodeValues = VALUES) -> str:
    """Return the text after the edits."""
    path = directory / "keepalived.conf"
    path.write_text(text)
    configuration = load(str(path))
    _, existing = select(instances(configuration), str(values.vip.ip), None)
    edit(configuration, existing, values, shipped())
    return configuration.changed().get(str(path), text.encode()).decode()


def test_an_instance_gets_the_include_the_priority_and_what_it_tracks(tmp_path: Path) -> None:
    new = edited(tmp_path, INSTANCE)
    wanted = INSTANCE.replace("# Ours.\n", "include vault-graded.conf\n\n# Ours.\n")
    wanted = wanted.replace("priority 100 ", "priority 220 ").removesuffix("}\n")
    assert new == f"{wanted}{TRACKING}}}\n"


def test_script_security_is_on_wherever_the_first_scripts_are_ours(tmp_path: Path) -> None:
    new = edited(tmp_path, INSTANCE.removeprefix(GLOBAL))
    assert "global_defs {\n    enable_script_security\n}\n" in new
    assert edited(tmp_path, "# nothing yet\n").startswith("# nothing yet\n# keepalived.conf")


def test_an_instance_in_another_file_includes_the_recipe_from_there(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/vip.conf").write_text(INSTANCE)
    path = tmp_path / "keepalived.conf"
    path.write_text("include conf.d/*.conf\n")
    configuration = load(str(path))
    edit(configuration, instances(configuration)[0], VALUES, shipped())
    (new,) = configuration.changed().values()
    assert b"\ninclude ../vault-graded.conf\n" in new


def test_a_second_time_nothing_changes(tmp_path: Path) -> None:
    (tmp_path / "vault-graded.conf").write_text(shipped().graded)
    new = edited(tmp_path, INSTANCE)
    assert edited(tmp_path, new) == new


def test_what_the_instance_tracks_already_stays(tmp_path: Path) -> None:
    old = INSTANCE.replace(
        "    virtual_ip", "    track_script {\n        own weight 5\n    }\n    virtual_ip"
    )
    new = edited(tmp_path, old)
    assert (
        "        own weight 5\n        kacheck_vault_active\n        kacheck_vault_serves\n" in new
    )
    assert new.count("track_script {") == 1


def test_a_configuration_without_the_instance_gets_one(tmp_path: Path) -> None:
    old = INSTANCE.replace("VI_1", "OTHER").replace("100/24", "50/24").replace("id 51", "id 50")
    new = edited(tmp_path, old)
    assert new.startswith(old)
    assert "\ninclude vault-graded.conf\n\nvrrp_instance VI_1 {\n" in new


def test_an_id_that_another_instance_has_is_refused(tmp_path: Path) -> None:
    old = INSTANCE.replace("VI_1", "OTHER").replace("100/24", "50/24")
    with pytest.raises(BadConfigError, match="OTHER has virtual_router_id 51 on eth0 already"):
        edited(tmp_path, old)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("state BACKUP", "state BACKUP\n    nopreempt", "nopreempt"),
        (
            "# Ours.",
            "vrrp_sync_group G {\n    group {\n        VI_1\n    }\n}",
            "G ignores weights",
        ),
        ("# Ours.", "$PRIORITY=100\n", None),
        ("priority 100", "priority $PRIORITY", "is used to write VI_1"),
        ("# Ours.", "vrrp_script kacheck_vault_active {\n    script x\n}", "it defines kacheck_v"),
    ],
)
def test_what_cannot_be_edited_exactly_is_left_alone(
    tmp_path: Path, old: str, new: str, words: str | None
) -> None:
    text = INSTANCE.replace(old, new)
    if "$PRIORITY" in new and "=" not in new:
        text = "$PRIORITY=100\n" + text
    if words is None:
        assert "priority 220" in edited(tmp_path, text)
        return
    with pytest.raises(LeftAloneError) as error:
        edited(tmp_path, text)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("name", "vip", "words"),
    [
        ("VI_1", "192.0.2.7", "VI_1 has 192.0.2.100 here, and not 192.0.2.7"),
        ("VI_2", "192.0.2.100", "give --instance VI_1"),
    ],
)
def test_a_vip_of_another_instance_is_refused(
    tmp_path: Path, name: str, vip: str, words: str
) -> None:
    (tmp_path / "keepalived.conf").write_text(INSTANCE)
    found = instances(load(str(tmp_path / "keepalived.conf")))
    with pytest.raises(BadConfigError) as error:
        select(found, vip, name)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ("", "VRRPv2 and advert_int 1"),
        ("version 3\n    advert_int 0.25", None),
        ("version 3\n    advert_int 1", "VRRPv3 and advert_int 1"),
        (
            "authentication {\n        auth_type PASS\n        auth_pass x\n    }",
            "its authentication",
        ),
    ],
)
def test_the_gain_of_other_values_on_all_nodes_is_reported(
    tmp_path: Path, lines: str, kept: str | None
) -> None:
    text = INSTANCE.replace("state BACKUP", f"state BACKUP\n    {lines}")
    (tmp_path / "keepalived.conf").write_text(text)
    (instance,) = instances(load(str(tmp_path / "keepalived.conf")))
    said = gains(instance)
    assert (said is None) == (kept is None)
    assert kept is None or kept in (said or "")


def test_other_lines_that_move_the_vip_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(INSTANCE.replace("    virtual_ip", f"{TRACKING}    virtual_ip"))
    (instance,) = instances(load(str(path)))
    assert also_tracked(instance, shipped().graded) is None
    path.write_text(path.read_text().replace("_serves\n", "_serves\n        chk_pid weight 50\n"))
    (instance,) = instances(load(str(path)))
    assert "VI_1 still tracks chk_pid;" in str(also_tracked(instance, shipped().graded))


def test_the_version_of_the_whole_file_counts(tmp_path: Path) -> None:
    (tmp_path / "keepalived.conf").write_text("global_defs {\n    vrrp_version 3\n}\n" + INSTANCE)
    (instance,) = instances(load(str(tmp_path / "keepalived.conf")))
    assert (instance.version, instance.interval, instance.router_id) == (3, 1.0, 51)
