"""What `kacheck migrate` does for each release of keepalived, sync groups above all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.migrate_command import BLOCK, INSTANCE, CommandOutput, release, snapshot
from kacheck.keepalived import load
from kacheck.migrate import verify

GROUP = "vrrp_sync_group G {\n    group {\n        VI_1\n    }\n%s}\n"
OTHER = "vrrp_script ping {\n    script /bin/ping\n    user root\n}\n"
TRACKS = "    track_process {\n        app\n    }\n"
DROPPED = {"script": ("2.1.0", "2.1.5", ""), "watch": ("2.1.0", "2.1.5", "2.2.0", "2.2.1", "")}
"""By mode: the releases that would not track what a member tracks; "" is one that is not known."""
KEPT = {
    "script": ("2.0.20", "2.2.0", "2.2.7", "2.4.3"),
    "watch": ("2.0.20", "2.2.2", "2.2.7", "2.4.3"),
}
CASES = [(mode, version) for mode, versions in DROPPED.items() for version in versions]
OTHERS = [(mode, version) for mode, versions in KEPT.items() for version in versions]


def tracked(conf: Path) -> dict[str, list[str]]:
    """Return what the instance and the sync group track."""
    return {
        owner.arguments[0]: [
            f"{block.keyword} {line.line.text}"
            for block in owner.children or ()
            if block.keyword.startswith("track_")
            for line in block.children or ()
        ]
        for keyword in ("vrrp_instance", "vrrp_sync_group")
        for owner in load(str(conf)).find(keyword)
    }


@pytest.mark.parametrize("place", ["above", "below"])
@pytest.mark.parametrize(("mode", "version"), CASES)
def test_a_line_a_member_would_lose_moves_to_its_sync_group(  # noqa: PLR0913, PLR0917 - fixtures
    conf: Path,
    migrate: Callable[..., CommandOutput],
    keepalived: Path,
    place: str,
    mode: str,
    version: str,
) -> None:
    groups = [GROUP % "", ""] if place == "above" else ["", GROUP % ""]
    conf.write_text(groups[0] + BLOCK + INSTANCE + groups[1])
    release(keepalived, version)
    said = migrate("--in-place", "--mode", mode)

    assert said.code == 0, said.err
    files = ["track_file app"] if mode == "watch" else []
    assert tracked(conf) == {"VI_1": [], "G": [*files, "track_script app"]}
    text = conf.read_text()
    assert text.index("vrrp_script app") < min(text.index("vrrp_sync"), text.index("vrrp_inst"))
    line = (groups[0] + BLOCK + INSTANCE).partition("        app\n")[0].count("\n") + 1
    assert f"{conf}:{line}: app: G tracks it from now on: keepalived " in said.err
    assert (version or "2.1.0 to 2.2.1") in said.err
    assert migrate("--in-place", "--mode", mode) == (0, "", "kacheck: nothing to migrate\n")


@pytest.mark.parametrize(("mode", "version"), OTHERS)
def test_a_line_that_a_member_keeps_stays_there(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path, mode: str, version: str
) -> None:
    conf.write_text(BLOCK + INSTANCE + GROUP % "")
    release(keepalived, version)
    said = migrate("--in-place", "--mode", mode)

    assert said.code == 0, said.err
    files = ["track_file app"] if mode == "watch" else []
    assert tracked(conf) == {"VI_1": [*files, "track_script app"], "G": []}


def test_where_keepalived_is_not_installed_a_member_s_line_moves_too(
    conf: Path, migrate: Callable[..., CommandOutput], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "program", lambda: None)
    conf.write_text(BLOCK + INSTANCE + GROUP % "")

    assert migrate("--in-place").code == 0
    assert tracked(conf) == {"VI_1": [], "G": ["track_file app", "track_script app"]}


def test_a_line_joins_what_its_sync_group_tracks_already(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path
) -> None:
    second = BLOCK.replace("app", "two") + INSTANCE.replace("VI_1", "VI_2").replace("app", "two")
    members = GROUP.replace("VI_1", "VI_1\n        VI_2")
    there = "    track_script {\n        ping  # it\n    }\n"
    both = INSTANCE.replace("        app\n", "        app  # one\n        two\n")
    conf.write_text(OTHER + BLOCK + both + second + members % there)
    release(keepalived, "2.1.5")

    assert migrate("--in-place").code == 0
    files = ["track_file app", "track_file two"]
    scripts = ["track_script ping", "track_script app", "track_script two"]
    assert sorted(tracked(conf).pop("G")) == sorted([*files, *scripts])
    assert tracked(conf)["VI_1"] == tracked(conf)["VI_2"] == []
    assert "    # one\n" in conf.read_text()


def test_a_group_that_tracks_weights_leaves_its_members_what_they_track(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path
) -> None:
    conf.write_text(BLOCK + INSTANCE + GROUP % "    sync_group_tracking_weight\n")
    release(keepalived, "2.1.5")

    assert migrate("--in-place", "--mode", "script").code == 0
    assert tracked(conf) == {"VI_1": ["track_script app"], "G": []}


@pytest.mark.parametrize(("mode", "version"), CASES)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BLOCK + INSTANCE.replace("{\n", "{\n    priority 255\n", 1), "of at most 254"),
        (BLOCK + INSTANCE + GROUP % "" + (GROUP % "").replace("G {", "H {"), "upgrade it to 2.2"),
        (
            BLOCK + INSTANCE + GROUP % "" + "@other vrrp_sync_group H { group { VI_1 } }\n",
            "upgrade",
        ),
        (BLOCK + INSTANCE + "@other vrrp_sync_group H { group { VI_1 } }\n", "upgrade"),
        (BLOCK + INSTANCE + GROUP % "    @other sync_group_tracking_weight\n", "upgrade"),
        (
            BLOCK + INSTANCE + GROUP % TRACKS.replace("app", "app weight 3"),
            "upgrade",
        ),
    ],
)
def test_a_line_that_would_be_lost_but_cannot_move_stays(  # noqa: PLR0913, PLR0917 - fixtures
    conf: Path,
    migrate: Callable[..., CommandOutput],
    keepalived: Path,
    text: str,
    words: str,
    mode: str,
    version: str,
) -> None:
    conf.write_text(text)
    release(keepalived, version)
    said = migrate("--in-place", "--mode", mode)

    assert said.code == 1
    assert ": app is left alone: " in said.err
    assert words in said.err
    assert conf.read_text() == text


@pytest.mark.parametrize("mode", ["watch", "script"])
@pytest.mark.parametrize("version", ["2.0.19", "1.4.5"])
def test_a_keepalived_that_is_not_supported_is_refused(
    tmp_path: Path, migrate: Callable[..., CommandOutput], keepalived: Path, version: str, mode: str
) -> None:
    before = snapshot(tmp_path)
    release(keepalived, version)

    said = migrate("--in-place", "--mode", mode)
    assert (said.code, said.out) == (3, "")
    assert f"keepalived {version} is too old: kacheck's checks need 2.0.20 or later" in said.err
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("version", ["2.0.20", "2.1.5", ""])
def test_a_sync_groups_line_that_takes_effect_only_now_is_reported(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path, version: str
) -> None:
    conf.write_text(BLOCK + GROUP % TRACKS)
    release(keepalived, version)
    said = migrate("--in-place")

    assert said.code == 0
    assert f"{conf}:9: app: keepalived before 2.2.0 ignores this line; G follows it now" in said.err
    assert tracked(conf) == {"G": ["track_file app", "track_script app"]}


@pytest.mark.parametrize("version", ["2.2.0", "2.4.3"])
def test_a_sync_groups_line_that_already_takes_effect_is_not_mentioned(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path, version: str
) -> None:
    conf.write_text(BLOCK + GROUP % TRACKS)
    release(keepalived, version)

    assert "ignores this line" not in migrate("--in-place").err
