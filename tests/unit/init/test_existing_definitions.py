"""What the recipe's names stand for in an existing keepalived.conf: the recipe's check, or another."""

from ipaddress import ip_interface
from pathlib import Path

import pytest

from kacheck.init.existing import LeftAloneError, edit
from kacheck.init.instance import instances, select
from kacheck.init.recipe import NodeValues, recipe_text, shipped
from kacheck.init.services import service_check
from kacheck.keepalived import load

INSTANCE = """\
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        192.0.2.100/24
    }
}
"""


def following(process: str) -> NodeValues:
    """Return the values of a node whose VIP follows a process."""
    service = service_check("process", {"process": process})
    return NodeValues(ip_interface("192.0.2.100/24"), "eth0", instance="VI_1", service=service)


VALUES = following("web_api")
RECIPE = recipe_text(VALUES, shipped())


def edited(directory: Path, definitions: str) -> str:
    """Return the text after the edits."""
    path = directory / "keepalived.conf"
    path.write_text(definitions + INSTANCE)
    configuration = load(str(path))
    _, existing = select(instances(configuration), "192.0.2.100", None)
    edit(configuration, existing, VALUES, shipped())
    return configuration.changed()[str(path)].decode()


def test_what_another_recipe_defines_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    """Of two processes whose names differ in a dash, the second VIP would follow the first."""
    with pytest.raises(LeftAloneError) as error:
        edited(tmp_path, recipe_text(following("web-api"), shipped()))
    both = "kacheck_web_api and kacheck_web_api_guard"
    assert f"it defines {both} otherwise than kacheck-web_api.conf" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ('file "/run/kacheck/track/web_api"', "file /nonexistent", "kacheck_web_api"),
        ("weight 0 reverse", "weight 0", "kacheck_web_api"),
        ("weight 0 reverse", "", "kacheck_web_api"),
        ('"/usr/libexec/kacheck/kacheck-verdict --timeout 1.5 web_api"', "/bin/true",
         "kacheck_web_api_guard"),
        ("    user root", "    weight 2\n    user root", "kacheck_web_api_guard"),
    ],
)  # fmt: skip
def test_a_definition_that_means_something_else_is_left_alone(
    tmp_path: Path, old: str, new: str, name: str
) -> None:
    assert old in RECIPE
    with pytest.raises(LeftAloneError) as error:
        edited(tmp_path, RECIPE.replace(old, new))
    assert f"defines {name} otherwise than" in str(error.value)


def test_each_of_two_definitions_of_a_name_counts(tmp_path: Path) -> None:
    second = "vrrp_track_file kacheck_web_api {\n    file /nonexistent\n    weight 0\n}\n"
    for text in (RECIPE + second, second + RECIPE):
        with pytest.raises(LeftAloneError):
            edited(tmp_path, text)


def test_the_recipes_own_definitions_need_no_include_whatever_their_pace(tmp_path: Path) -> None:
    text = RECIPE.replace("vrrp_track_file", "track_file").replace("interval 1 ", "interval 2 ")
    text = text.replace('"/run/kacheck/track/web_api"', "/run/kacheck/track/web_api")
    new = edited(tmp_path, text)
    assert "include" not in new.removeprefix(text)
    assert "        kacheck_web_api_guard\n" in new
