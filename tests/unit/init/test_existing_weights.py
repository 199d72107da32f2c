"""An instance that tracks what the recipe does, otherwise than the recipe."""

from ipaddress import ip_interface
from pathlib import Path

import pytest

from kacheck.init.existing import LeftAloneError, edit
from kacheck.init.instance import instances, select
from kacheck.init.recipe import NodeValues, shipped
from kacheck.keepalived import load

VALUES = NodeValues(
    ip_interface("192.0.2.100/24"), "eth0", instance="VI_1", address="https://127.0.0.1:8200"
)


def conf(name: str, address: str, lines: str = "") -> str:
    return f"""\
vrrp_instance {name} {{
    interface eth0
    virtual_router_id {address.rpartition(".")[2]}
    priority 100
    virtual_ipaddress {{
        {address}/24
    }}
{lines}}}
"""


def refused(directory: Path, text: str) -> str:
    """Return why the file is left alone."""
    path = directory / "keepalived.conf"
    path.write_text(text)
    configuration = load(str(path))
    _, existing = select(instances(configuration), "192.0.2.100", None)
    with pytest.raises(LeftAloneError) as error:
        edit(configuration, existing, VALUES, shipped())
    return str(error.value).replace(f"{directory}/", "")


@pytest.mark.parametrize(
    "line",
    [
        "track_script {\n kacheck_vault_serves weight 2\n }",
        "track_file {\n kacheck_vault_graded weight 0\n }",
    ],
)
def test_a_guard_with_another_weight_is_not_taken_for_the_recipes(
    tmp_path: Path, line: str
) -> None:
    """With `weight 2` a node that does not serve keeps the VIP."""
    said = refused(tmp_path, conf("VI_1", "192.0.2.100", f"    {line}\n"))
    assert "in place of what the recipe gives kacheck_vault_" in said
