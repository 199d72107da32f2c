"""What keepalived makes of what it sees, per release: state, effective priority, causes."""

from pathlib import Path

import pytest

from helpers.doctor import Doctor
from kacheck.doctor.why.instance import instances_of
from kacheck.doctor.why.state import FaultCause, PredictedState, SeenState, predict
from kacheck.keepalived import Version

BAD = SeenState(is_good=False, cause=FaultCause("it fails"))
GOOD = SeenState()
SCRIPT = "vrrp_script x {\nscript /bin/x\n}\n"
PROCESS = "vrrp_track_process x {\nprocess x\n}\n"
FILE = "vrrp_track_file x {\nfile /x\n}\n"


def predicted(
    tmp_path: Path, text: str, seen: SeenState, kind: str = "track_script", release: str = "2.2.7"
) -> dict[str, PredictedState]:
    context = Doctor(tmp_path).context(text)
    version = Version(*map(int, release.split(".")))
    instances = instances_of(context.configuration, context.tracking, version)
    return predict(instances, {(kind, "x"): seen}, {})


def instance(track: str, name: str = "VI_1", priority: int = 100) -> str:
    return f"vrrp_instance {name} {{\ninterface eth0\npriority {priority}\n{track}\n}}\n"


@pytest.mark.parametrize(
    ("weight", "seen", "is_fault", "priority"),
    [
        ("", GOOD, False, 100),
        ("", BAD, True, 100),
        ("weight 0 reverse", GOOD, True, 100),
        ("weight 0 reverse", BAD, False, 100),
        ("weight 10", GOOD, False, 110),
        ("weight 10", BAD, False, 100),
        ("weight -10", GOOD, False, 100),
        ("weight -10", BAD, False, 90),
        ("weight 10 reverse", GOOD, False, 90),
        ("weight -10 reverse", BAD, False, 110),
        ("weight 253", GOOD, False, 254),
        ("weight -253", BAD, False, 1),
    ],
)
def test_scripts_and_processes_by_weight(
    tmp_path: Path, weight: str, seen: SeenState, is_fault: bool, priority: int
) -> None:
    for kind, definition in (("track_script", SCRIPT), ("track_process", PROCESS)):
        text = definition + instance(f"{kind} {{\nx {weight}\n}}")
        one = predicted(tmp_path, text, seen, kind)["VI_1"]
        assert (one.is_fault, one.priority) == (is_fault, priority)


@pytest.mark.parametrize(
    ("weight", "number", "is_fault", "priority"),
    [
        ("weight 0 reverse", 1, False, 100),
        ("weight 0 reverse", 0, True, 100),
        ("weight 0", 0, False, 100),
        ("weight 0", 5, True, 100),
        ("", 20, False, 120),
        ("weight 1", -20, False, 80),
        ("weight 1", -254, True, 1),
        ("weight 2 reverse", 10, False, 80),
        ("weight 2", -127, True, 1),
    ],
)
def test_files_by_number(
    tmp_path: Path, weight: str, number: int, is_fault: bool, priority: int
) -> None:
    text = FILE + instance(f"track_file {{\nx {weight}\n}}")
    one = predicted(tmp_path, text, SeenState(number=number), "track_file")["VI_1"]
    assert one.is_fault == is_fault
    assert is_fault or one.priority == priority


GROUP = "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\n%s\n}\n"


@pytest.mark.parametrize(
    ("kind", "definition", "release", "is_fault"),
    [
        ("track_script", SCRIPT, "2.0.20", True),
        ("track_script", SCRIPT, "2.1.5", False),
        ("track_script", SCRIPT, "2.2.0", True),
        ("track_file", FILE, "2.2.1", False),
        ("track_file", FILE, "2.2.2", True),
        ("track_process", PROCESS, "2.1.5", True),
    ],
)
def test_what_members_of_a_sync_group_track_by_release(
    tmp_path: Path, kind: str, definition: str, release: str, is_fault: bool
) -> None:
    track = f"{kind} {{\nx weight 0\n}}"
    text = definition + GROUP % "" + instance(track) + instance("", "VI_2")
    seen = SeenState(is_good=False, cause=FaultCause("it fails"), number=1)
    both = predicted(tmp_path, text, seen, kind, release)
    assert [both["VI_1"].is_fault, both["VI_2"].is_fault] == [is_fault, is_fault]
    if is_fault:
        assert "VI_1, of the same sync group G" in both["VI_2"].causes[0].what


@pytest.mark.parametrize(("release", "is_fault"), [("2.1.5", False), ("2.2.0", True)])
def test_a_process_that_a_group_tracks_by_release(
    tmp_path: Path, release: str, is_fault: bool
) -> None:
    text = PROCESS + GROUP % "track_process {\nx\n}" + instance("") + instance("", "VI_2")
    both = predicted(tmp_path, text, BAD, "track_process", release)
    assert [each.is_fault for each in both.values()] == [is_fault, is_fault]


def test_a_weight_is_lost_in_a_group_without_weight_tracking(tmp_path: Path) -> None:
    text = SCRIPT + GROUP % "" + instance("track_script {\nx weight 10\n}") + instance("", "VI_2")
    assert predicted(tmp_path, text, GOOD)["VI_1"].priority == 100
    text = text.replace("VI_2\n}\n", "VI_2\n}\nsync_group_tracking_weight\n")
    assert predicted(tmp_path, text, GOOD)["VI_1"].priority == 110


def test_priority_255_never_changes(tmp_path: Path) -> None:
    text = SCRIPT + instance("track_script {\nx weight -20\n}", priority=255)
    assert predicted(tmp_path, text, BAD)["VI_1"].priority == 255


def test_what_is_defined_below_is_not_tracked(tmp_path: Path) -> None:
    text = instance("track_script {\nx\n}") + SCRIPT
    assert not predicted(tmp_path, text, BAD)["VI_1"].is_fault
