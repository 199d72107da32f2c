"""Migrated lines of sync groups, and places where nothing may be added."""

from pathlib import Path

import pytest

from helpers.migrated import (
    INSTANCE,
    MODES,
    PING,
    SECURE,
    block,
    group,
    migrated,
    stable,
    tracked_lines,
    tracking,
)
from kacheck.keepalived import load
from kacheck.migrate.equivalents import Mode

pytestmark = pytest.mark.usefixtures("_without_keepalived")

# --- what others' hands are in -----------------------------------------------------------------

PASSWORD = "    authentication {\n        auth_type PASS\n        auth_pass $PASS\n    }\n"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "there",
    [
        "    @node1 track_script { ping }\n",
        "    @node1 track_script {\n    @node1     ping\n    @node1 }\n",
        "    @^node2 track_script {\n    @^node2 ping\n    @^node2 }\n",
        "    track_script {\n        @node1 ping\n    }\n",
        "    @node1 track_file { flag }\n",
        "    @node1 track_file {\n    @node1     flag\n    @node1 }\n",
    ],
)
def test_nothing_goes_into_a_block_that_is_for_one_id(
    tmp_path: Path, mode: Mode, there: str
) -> None:
    flag = "track_file flag {\n    file /flag\n}\n"
    tracks = INSTANCE.format(there + "    track_process {\n        app\n    }\n")
    done = stable(tmp_path, SECURE + PING + flag + block("process app") + tracks, mode)

    assert done.left == []
    assert there in done.text
    for node in ("node1", "node2"):
        view = load(str(tmp_path / "keepalived.conf"), config_id=node)
        assert view.problems == []
        lines = [line.keyword for each in view.find("vrrp_instance", "track_script")
                 for line in each.children or ()]  # fmt: skip
        assert "app" in lines


@pytest.mark.parametrize(
    "heads",
    [
        "@node2 vrrp_instance VI_2 {\n@node1 vrrp_instance VI_1 {\n",
        "@^node2 vrrp_instance VI_1 {\n",
        "$N=1\nvrrp_instance VI_$N {\n",
    ],
)
def test_nothing_goes_between_the_heads_of_an_instance(tmp_path: Path, heads: str) -> None:
    tracks = tracking("app").replace("vrrp_instance VI_1 {\n", heads)
    text = SECURE + tracks + block("process app")
    done = stable(tmp_path, text)

    assert done.text == text
    assert "it is tracked above" in done.left[0]
    assert stable(tmp_path, SECURE + block("process app") + tracks).left == []


def test_nothing_goes_into_a_file_that_is_included_twice(tmp_path: Path) -> None:
    (tmp_path / "one.inc").write_text(tracking("app").replace("VI_1", "VI_$N"))
    text = SECURE + "$N=1\ninclude one.inc\n$N=2\ninclude one.inc\n" + block("process app")
    done = stable(tmp_path, text)

    assert done.text == text
    assert "it is tracked above" in done.left[0]


@pytest.mark.parametrize("definition", ["$PASS=secret\n", "$PASS=\\\n    secret\n\n"])
def test_a_definition_in_a_block_is_not_lost(tmp_path: Path, definition: str) -> None:
    text = SECURE + block("process app").replace("{\n", "{\n" + definition) + tracking("app")
    done = stable(tmp_path, text)

    assert done.text == text
    assert "$NAME= in it would be lost" in done.left[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("definition", ["$PASS=secret\n", "$PASS=\\\n    secret\n\n"])
@pytest.mark.parametrize("there", ["", "    track_script {\n        ping\n    }\n"])
def test_a_definition_among_the_names_stays_where_it_is(
    tmp_path: Path, mode: Mode, definition: str, there: str
) -> None:
    names = "    track_process {\n" + definition + "        app\n    }\n"
    text = SECURE + PING + block("process app") + INSTANCE.format(there + names + PASSWORD)
    before = load(str(write(tmp_path, text))).find("vrrp_instance", "authentication")[0]
    done = stable(tmp_path, text, mode)
    after = load(str(tmp_path / "keepalived.conf")).find("vrrp_instance", "authentication")[0]

    assert done.left == []
    assert definition in done.text
    assert [each.line.text for each in after.walk()] == [each.line.text for each in before.walk()]


def write(directory: Path, text: str) -> Path:
    path = directory / "keepalived.conf"
    path.write_text(text)
    return path


# --- sync groups -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("of_block", "of_instance", "of_group", "instance_after", "group_after"),
    [
        ("weight 0", "app", "app", [], ["app"]),
        ("weight 10", "app weight 0", "app weight 0", [], ["app weight 0"]),
        ("weight 0 reverse", "app", "app", [], ["app"]),
        ("weight 0", "app", None, ["app"], []),
        ("weight 0", None, "app", [], ["app"]),
        ("weight 10", "app", "app weight 0", ["app"], ["app weight 0"]),
        ("weight 0", "app", "app weight 10", ["app"], ["app weight 10"]),
        ("weight 10", "app weight 20", "app", ["app weight 20"], ["app"]),
    ],
)
def test_a_member_does_not_wait_for_a_script_twice(  # noqa: PLR0913, PLR0917 - a table
    tmp_path: Path,
    mode: Mode,
    of_block: str,
    of_instance: str | None,
    of_group: str | None,
    instance_after: list[str],
    group_after: list[str],
) -> None:
    own = tracking(*[of_instance] if of_instance else [])
    text = (
        block("process app", of_block) + own + group("VI_1 VI_2", *[of_group] if of_group else [])
    )
    done = stable(tmp_path, text, mode)
    found = tracked_lines(done)
    scripts = {name: [line.removeprefix("track_script: ") for line in lines
                      if line.startswith("track_script")] for name, lines in found.items()}  # fmt: skip

    assert done.left == []
    assert scripts == {"VI_1": instance_after, "G": group_after}
    goes = bool(of_instance) and not instance_after
    assert any("G tracks it for its members" in note for note in done.notes) == goes
    if goes:
        assert found["VI_1"] == []
        assert ("track_file: app" in found["G"]) == (mode == "watch")


def test_what_a_member_tracks_besides_stays_and_so_do_comments(tmp_path: Path) -> None:
    heavy = "vrrp_track_process heavy {\n    process heavy\n    weight 254\n}\n"
    other = block("process other", "weight 3").replace("app", "other")
    shared = block("process app") + other + heavy + group("VI_1", "app")

    done = stable(tmp_path, shared + tracking("# why", "app  # this", "other"), "script")
    assert done.text.endswith(
        "    track_script {\n        # why\n        # this\n        other\n    }\n}\n"
    )
    there = INSTANCE.format("    track_script {\n        ping\n    }\n    track_process {\n"
                            "        # why\n        app\n        other  # o\n    }\n")  # fmt: skip
    done = stable(tmp_path, PING + shared + there, "script")
    assert done.text.endswith(
        "    track_script {\n        ping\n        # why\n        other    # o\n    }\n}\n"
    )
    done = stable(tmp_path, shared + tracking("app  # this", "heavy"), "script")
    assert done.text.endswith("    track_process {\n        # this\n        heavy\n    }\n}\n")
    done = stable(tmp_path, shared + tracking("# why", "app  # this"), "script")
    assert done.text.endswith("    priority 100\n    # why\n    # this\n}\n")


@pytest.mark.parametrize(
    "groups",
    [
        group("VI_1 VI_2", "app") + group("VI_1", name="H"),
        group("VI_2") + group("VI_1", "app"),
        group("\n        @node1 VI_1", "app"),
        group("VI_1\n        @node2 VI_2", "app"),
        "@node2 vrrp_sync_group H {\n" + group("VI_1", "app").replace("vrrp", "@^node2 vrrp", 1),
    ],
)
def test_a_group_that_is_not_certain_takes_no_line_away(tmp_path: Path, groups: str) -> None:
    text = SECURE + block("process app") + tracking("app") + groups
    done = stable(tmp_path, text)

    assert done.text == text
    assert "G tracks it for its members, too; remove this line" in done.left[0]


def test_a_line_that_others_read_is_not_taken_away(tmp_path: Path) -> None:
    (tmp_path / "track.inc").write_text("track_process {\n    app\n}\n")
    include = INSTANCE.format("    include track.inc\n")
    text = SECURE + block("process app") + include + include.replace("VI_1", "B")
    done = stable(tmp_path, text + group("VI_1 C", "app"))

    assert done.text == text + group("VI_1 C", "app")
    assert "remove this line" in done.left[0]


def test_a_weight_that_is_ignored_under_another_id_is_left_alone(tmp_path: Path) -> None:
    switched = group("VI_1").replace("    sync_group_t", "    @node1 sync_group_t")
    text = SECURE + block("process app", "weight 3") + tracking("app")

    assert stable(tmp_path, text + group("VI_1")).left == []
    assert "sync_group_tracking_weight" in stable(tmp_path, text + switched).left[0]


@pytest.mark.parametrize("weight", ["app weight 3", "app weight -3"])
def test_a_weight_in_an_address_owners_group_is_left_alone(tmp_path: Path, weight: str) -> None:
    instance = INSTANCE.format("").replace("100", "255")
    text = SECURE + block("process app") + instance + group("VI_1 VI_2", weight)
    done = stable(tmp_path, text)

    assert done.text == text
    assert "a weight has no effect at priority 255, which VI_1 has;" in done.left[0]
    assert migrated(tmp_path, text.replace(weight, "app")).left == []
