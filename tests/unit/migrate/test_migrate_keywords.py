"""What becomes of each keyword of vrrp_track_process, and what is left alone."""

import re
from pathlib import Path
from typing import Any

import pytest

from helpers.migrated import MODES, block, migrated, tracking
from kacheck.keepalived import parse
from kacheck.keepalived.version import version_of
from kacheck.migrate.equivalents import Mode, script_word

pytestmark = pytest.mark.usefixtures("_without_keepalived")

# --- keywords ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "command", "check"),
    [
        (["process app"], ["app"], {"name": "app"}),
        (["process /usr/bin/app"], ["/usr/bin/app"], {"name": "/usr/bin/app"}),
        (['process "tmux: server"'], ["tmux: server"], {"name": "tmux: server"}),
        (
            ["process app -x y"],
            ["--full-command", "--", "app", "-x", "y"],
            {"name": "app", "args": ["-x", "y"], "full_command": True},
        ),
        (["process -bash"], ["--", "-bash"], {"name": "-bash"}),
        (["process app", "full_command"], ["--full-command", "app"], {"full_command": True}),
        (["process app x", "full_command"], ["--full-command", "app", "x"], {"args": ["x"]}),
        (
            ["process app", "param_match"],
            ["--param-match", "exact", "--full-command", "app"],
            {"param_match": "exact", "full_command": True},
        ),
        (["process app x", "param_match"], ["--full-command", "app", "x"], {"args": ["x"]}),
        (
            ["param_match initial", "process app x"],
            ["--param-match", "initial", "--full-command", "app", "x"],
            {"args": ["x"], "param_match": "initial"},
        ),
        (
            ["process app x", "param_match partial"],
            ["--param-match", "partial", "--full-command", "app", "x"],
            {"args": ["x"], "param_match": "partial"},
        ),
        (["process app", "quorum 3"], ["--quorum", "3", "app"], {"quorum": 3}),
        (["process app", "quorum 1"], ["app"], {}),
        (["process app", "quorum_max 0"], ["--quorum-max", "0", "app"], {"quorum_max": 0}),
        (
            ["process app", "quorum 2", "quorum_max 4"],
            ["--quorum", "2", "--quorum-max", "4", "app"],
            {"quorum": 2, "quorum_max": 4},
        ),
        (["process app", "weight 0 reverse"], ["--quorum-max", "0", "app"], {"quorum_max": 0}),
        (["process app", "quorum_max 0", "weight 0 reverse"], ["app"], {"name": "app"}),
    ],
)
def test_the_process_is_asked_for_in_the_same_words(
    tmp_path: Path, lines: list[str], command: list[str], check: dict[str, Any]
) -> None:
    text = block(*lines) + tracking("app")

    assert migrated(tmp_path, text, "script").command == command
    found = migrated(tmp_path, text).check
    assert found.items() >= check.items()
    assert {
        "probe": "process",
        "all_namespaces": True,
        "rise": 1,
        "fall": 1,
    }.items() <= found.items()


@pytest.mark.parametrize(
    ("delays", "check", "looks"),
    [
        ([], {}, ("fall 2", "rise 1")),
        (["delay 2"], {"terminate_delay": 2}, ("fall 2", "rise 1")),
        (["delay 2", "quorum 2"], {"terminate_delay": 2, "fork_delay": 2}, ("fall 2", "rise 2")),
        (["terminate_delay 3"], {"terminate_delay": 3}, ("fall 3", "rise 1")),
        (["fork_delay 4.5"], {}, ("fall 2", "rise 1")),
        (["fork_delay 4.5", "quorum 2"], {"fork_delay": 4.5}, ("fall 2", "rise 4")),
        (["terminate_delay 3600"], {"terminate_delay": 3600}, ("fall 1801", "rise 1")),
        (["fork_delay 6", "quorum_max 0"], {}, ("fall 2", "rise 1")),
        (["terminate_delay 6", "quorum_max 0"], {"terminate_delay": 6}, ("fall 2", "rise 4")),
        (
            ["delay 6", "quorum_max 3"],
            {"terminate_delay": 6, "fork_delay": 6},
            ("fall 4", "rise 4"),
        ),
        (
            ["delay 9", "fork_delay 2"],
            {"terminate_delay": 9},
            ("fall 6", "rise 1"),
        ),
    ],
)
def test_delays_are_the_watchers_or_whole_looks(
    tmp_path: Path, delays: list[str], check: dict[str, float], looks: tuple[str, str]
) -> None:
    text = block("process app", *delays) + tracking("app")

    made = migrated(tmp_path, text).check
    assert {key: made[key] for key in made if key.endswith("_delay")} == check
    assert set(looks) <= set(migrated(tmp_path, text, "script").body("vrrp_script"))


def test_a_microsecond_is_a_delay_in_watch_mode(tmp_path: Path) -> None:
    text = block("process app", "terminate_delay 0.000001") + tracking("app")
    assert "terminate_delay = 0.000001\n" in migrated(tmp_path, text).toml


@pytest.mark.parametrize(
    ("weight", "reference", "script_weight", "reference_after", "has_file"),
    [
        ("weight 0", "app", [], "app", True),
        ("weight 10", "app", ["weight 10"], "app", False),
        ("weight -253", "app", ["weight -253"], "app", False),
        ("weight 10", "app weight -3", ["weight 10"], "app weight -3", False),
        ("weight 10", "app weight 0", ["weight 10"], "app weight 0", True),
        ("weight 0", "app weight 5", [], "app weight 5", False),
        ("weight 10 reverse", "app", ["weight -10"], "app", False),
        ("weight -10 reverse", "app", ["weight 10"], "app", False),
        ("weight 0 reverse", "app", [], "app", True),
        ("weight 10", "app weight 4 reverse", ["weight -10"], "app weight -4", False),
        ("weight 10 reverse", "app weight 4", ["weight -10"], "app weight -4", False),
        (
            "weight 10 reverse",
            "app weight 4 noreverse",
            ["weight 10 reverse"],
            "app weight 4 noreverse",
            False,
        ),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_weights_keep_their_meaning(  # noqa: PLR0913, PLR0917 - a table
    tmp_path: Path,
    mode: Mode,
    weight: str,
    reference: str,
    script_weight: list[str],
    reference_after: str,
    has_file: bool,
) -> None:
    done = migrated(tmp_path, block("process app", weight) + tracking(reference), mode)
    (instance,) = done.tree.find("vrrp_instance")

    assert [line for line in done.body("vrrp_script") if line.startswith("weight")] == script_weight
    assert [each.line.text for each in instance.find("track_script")[0].children or ()] == [
        reference_after
    ]
    files = [done.body("vrrp_track_file")] if done.tree.find("vrrp_track_file") else []
    wanted = ["file /run/kacheck/track/app", "weight 0 reverse"]
    assert files == ([wanted] if has_file and mode == "watch" else [])
    assert len(instance.find("track_file")) == len(files)


WORDS = [
    "plain", "", " ", "a b", "it's", "back\\slash", "\\", "a\\#b", "#x", "!x", "{", "}", "a{b}c",
    "$HOME", "${X}", "~SEQ(N, 1)", "@id", ";", "a|b", "a&b", "`x`", "$(x)", "*?[a]", "<x>", "\t",
    "größe", "☃", "\\043", "\\x41", "'\"'", "it's {a} #1 \\ $X", "--", "-x", "=", "a=b", "\x7f",
]  # fmt: skip


@pytest.mark.parametrize("release", ["2.0.20", "2.2.7", "2.3.1", "2.3.2", "2.4.3"])
@pytest.mark.parametrize("word", WORDS)
def test_any_word_reaches_the_script_through_keepalived_unchanged(word: str, release: str) -> None:
    version = version_of(release)
    text = f"vrrp_script x {{\n    script {script_word(['/bin/x', word, 'end'], version)}\n}}\n"
    tree = parse(text, release=version)

    assert tree.problems == []
    assert tree.find("vrrp_script", "script")[0].command == ["/bin/x", word, "end"]


# --- left alone --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "reference", "why"),
    [
        (["process app", "weight 254"], "app", "weight 254 has no equivalent"),
        (["process app"], "app weight -254", "weight -254 has no equivalent"),
        (["process app", "weight 255"], "app", "'255' is not a weight"),
        (["process app", "weight x"], "app", "'x' is not a weight"),
        (["process app", "weight 3 revers"], "app", "does not know weight 3 revers"),
        (["process app", "weight 3", "weight 4"], "app", "all weights but the first"),
        (["process app", "process b"], "app", "all processes but the first"),
        (["process"], "app", "process has no name"),
        ([], "app", "names no process"),
        (["process app", "quorum 0"], "app", "not a quorum from 1 to 65535"),
        (["process app", "quorum_max 2", "quorum 3"], "app", "a quorum above quorum_max"),
        (["process app", "quorum 3", "quorum_max 2"], "app", "a quorum_max below quorum"),
        (["process app", "delay 0"], "app", "not a delay from 0.000001 to 3600"),
        (["process app", "delay 3600.1"], "app", "not a delay"),
        (["process app", "delay 0.0000001"], "app", "not a delay"),
        (["process app", "param_match exact"], "app", "ignores param_match exact"),
        (["process app", "interval 3"], "app", "keepalived has no keyword interval here"),
        (["process app", "quorum 2"], "app weight 1 reverse", "no equivalent that fails closed"),
        (["process app"], "app wait 3", "does not know wait 3"),
        (["process app"], "app weight", "'' is not a weight"),
        (["process app"], "app weight 3 backwards", "does not know"),
        (["process app"], "@node1 app", "@id"),
        (["process app", "@node1 weight 3"], "app", "@id"),
        (["process app"], "@node2 app", "for another @id"),
        (["$P=app", "process $P"], "app", "$NAME"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_what_has_no_equivalent_is_left_alone_with_its_line(
    tmp_path: Path, mode: Mode, lines: list[str], reference: str, why: str
) -> None:
    text = block(*lines) + tracking(reference)
    done = migrated(tmp_path, text, mode)

    assert done.text == text
    assert done.toml == ""
    assert len(done.left) == 1
    assert re.match(rf"{tmp_path}/keepalived.conf:\d+: app is left alone: ", done.left[0])
    assert why in done.left[0]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["process app", "delay 1.9"], "a delay of 1.9 s has no equivalent in looks every 2 s"),
        (["process app", "quorum_max 2", "fork_delay 4"], "different delays"),
    ],
)
def test_script_mode_leaves_alone_what_only_the_watcher_can_do(
    tmp_path: Path, lines: list[str], why: str
) -> None:
    text = block(*lines) + tracking("app")

    assert why in migrated(tmp_path, text, "script").left[0]
    assert migrated(tmp_path, text, "watch").left == []


def test_a_name_moves_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    text = block("process app") + tracking("app") + tracking("app weight 254").replace("VI_1", "B")
    assert migrated(tmp_path, text).text == text


def test_words_that_do_not_fit_into_a_line_are_left_alone(tmp_path: Path) -> None:
    done = migrated(tmp_path, block(f"process app {'$' * 300}") + tracking("app"), "script")
    assert "read its words in one line" in done.left[0]


def test_a_name_that_cannot_be_quoted_is_left_alone(tmp_path: Path) -> None:
    text = (block("process app") + tracking("app")).replace(" app\n", " app\\\n")
    done = migrated(tmp_path, text.replace("process app {", "process app\\\n{"))
    assert done.text.count("vrrp_track_process") == 1
    assert done.left


def test_a_name_that_is_tracked_both_ways_is_left_alone(tmp_path: Path) -> None:
    other = tracking("app weight 3 reverse").replace("VI_1", "B")
    done = migrated(tmp_path, block("process app") + tracking("app weight 3") + other)
    assert "reverse and without" in done.left[0]


def test_only_migrated_names_leave_their_block(tmp_path: Path) -> None:
    heavy = "vrrp_track_process heavy {\n    process heavy\n    weight 254\n}\n"
    text = block("process app") + heavy + tracking("# of both", "heavy  # one", "app  # other")
    done = migrated(tmp_path, text, "script")

    assert done.text.endswith(
        "    track_script {\n        # other\n        app\n    }\n"
        "    track_process {\n        # of both\n        heavy  # one\n    }\n}\n"
    )
    assert heavy in done.text


def test_a_weight_that_keepalived_would_ignore_is_left_alone(tmp_path: Path) -> None:
    group = "vrrp_sync_group G {{\n    group {{\n        VI_1\n    }}\n{}}}\n"
    text = block("process app", "weight 3") + tracking("app")

    assert "vrrp_sync_group" in migrated(tmp_path, text + group.format("")).left[0]
    weighed = group.format("    sync_group_tracking_weight\n")
    assert migrated(tmp_path, text + weighed).left == []
    assert "priority 255" in migrated(tmp_path, text.replace("100", "255")).left[0]
