"""`kacheck migrate`: what becomes of each keyword, of references, comments and everything else."""

import difflib
import re
import tomllib
from pathlib import Path
from random import Random
from typing import Any

import pytest

from helpers.paths import CONFIGURATIONS
from kacheck import config
from kacheck.cli import main
from kacheck.keepalived import Node, load, parse
from kacheck.keepalived.version import Version, version_of
from kacheck.migrate import verify
from kacheck.migrate.equivalents import LIBEXEC, Mode, Paths, script_word
from kacheck.migrate.plan import MigrationOrder, changes_of, rewritten
from kacheck.result import BadConfigError

SAMPLES = sorted((CONFIGURATIONS / "migrate").glob("*.conf"))
MODES: tuple[Mode, ...] = ("watch", "script")
INSTANCE = "vrrp_instance VI_1 {{\n    priority 100\n{}}}\n"
SECURE = "global_defs {\n    enable_script_security\n}\n\n"


class Migrated:
    """A configuration, migrated in memory."""

    def __init__(self, path: Path, mode: Mode, toml: Path) -> None:
        configuration = load(str(path), config_id="node1")
        paths = Paths(str(toml))
        self.rewrite = rewritten(
            configuration, MigrationOrder(str(path), mode, paths), Version(2, 2, 7)
        )
        changes = changes_of(configuration, self.rewrite.checks)
        new = {change.path: change.new.decode() for change in changes}
        self.texts = {name: tree.text() for name, tree in configuration.files.items()}
        self.text = self.texts[str(path)]
        self.toml = new.get(str(toml), "")
        self.tree = parse(self.text)
        self.left = [str(each) for each in sorted(self.rewrite.survey.remarks) if each.is_left]
        self.notes = [each.text for each in sorted(self.rewrite.survey.remarks) if not each.is_left]

    def body(self, keyword: str) -> list[str]:
        """The statements of the only block of this kind."""
        (block,) = self.tree.find(keyword)
        return [child.line.text for child in block.children or ()]

    @property
    def command(self) -> list[str]:
        """What the only vrrp_script runs, without `kacheck-process` and `--all-namespaces`."""
        (script,) = self.tree.find("vrrp_script", "script")
        assert script.command is not None
        entry_point, *words = script.command
        assert entry_point == f"{LIBEXEC}/kacheck-process"
        words.remove("--all-namespaces")
        return words

    @property
    def check(self) -> dict[str, Any]:
        """The only check."""
        (check,) = tomllib.loads(self.toml)["check"].values()
        assert isinstance(check, dict)
        return check


def migrated(directory: Path, text: str, mode: Mode = "watch") -> Migrated:
    path = directory / "keepalived.conf"
    path.write_text(text)
    return Migrated(path, mode, directory / "kacheck.toml")


def block(*lines: str) -> str:
    return "vrrp_track_process app {\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def tracking(*lines: str) -> str:
    inner = "".join(f"        {line}\n" for line in lines)
    return INSTANCE.format(f"    track_process {{\n{inner}    }}\n")


@pytest.fixture(autouse=True)
def _without_keepalived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "program", lambda: None)


# --- keywords -------------------------------------------------------------------------------


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
def test_weights(  # noqa: PLR0913, PLR0917 - a table
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
def test_any_word_comes_through_keepalived_as_it_is(word: str, release: str) -> None:
    version = version_of(release)
    text = f"vrrp_script x {{\n    script {script_word(['/bin/x', word, 'end'], version)}\n}}\n"
    tree = parse(text, release=version)

    assert tree.problems == []
    assert tree.find("vrrp_script", "script")[0].command == ["/bin/x", word, "end"]


# --- left alone -----------------------------------------------------------------------------


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
        (["process app", "quorum 0"], "app", "no quorum from 1 to 65535"),
        (["process app", "quorum_max 2", "quorum 3"], "app", "a quorum above quorum_max"),
        (["process app", "quorum 3", "quorum_max 2"], "app", "a quorum_max below quorum"),
        (["process app", "delay 0"], "app", "no delay from 0.000001 to 3600"),
        (["process app", "delay 3600.1"], "app", "no delay"),
        (["process app", "delay 0.0000001"], "app", "no delay"),
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
def test_what_has_no_equivalent_is_left_alone_and_the_line_is_said(
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
def test_what_only_the_watcher_can_do_is_left_alone_by_script_mode(
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
    assert "read them in one line" in done.left[0]


def test_a_name_that_cannot_be_quoted_is_left_alone(tmp_path: Path) -> None:
    text = (block("process app") + tracking("app")).replace(" app\n", " app\\\n")
    done = migrated(tmp_path, text.replace("process app {", "process app\\\n{"))
    assert done.text.count("vrrp_track_process") == 1
    assert done.left


def test_a_name_that_is_tracked_both_ways_is_left_alone(tmp_path: Path) -> None:
    other = tracking("app weight 3 reverse").replace("VI_1", "B")
    done = migrated(tmp_path, block("process app") + tracking("app weight 3") + other)
    assert "reverse and without" in done.left[0]


def test_what_is_left_stays_in_its_block_and_the_others_leave_it(tmp_path: Path) -> None:
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


# --- where it goes --------------------------------------------------------------------------


def test_a_simple_configuration_in_full(tmp_path: Path) -> None:
    done = migrated(
        tmp_path, "# head\n" + block("process app  # it", "weight 3") + tracking("app  # this")
    )
    assert done.text == (
        "# head\n" + SECURE + "vrrp_script app {\n"
        "    # it\n"
        f'    script "{LIBEXEC}/kacheck-verdict --config {tmp_path}/kacheck.toml app"\n'
        "    interval 2\n    timeout 1\n    fall 1\n    rise 1\n    weight 3\n    user root\n}\n"
        "vrrp_instance VI_1 {\n    priority 100\n"
        "    track_script {\n        app  # this\n    }\n}\n"
    )
    assert done.toml == (
        '[check.app]\nprobe = "process"\nname = "app"\nall_namespaces = true\nrise = 1\nfall = 1\n'
    )


def test_lines_go_to_the_blocks_that_are_there(tmp_path: Path) -> None:
    track = (
        "    track_script {\n        ping\n    }\n"
        "    # ours\n    track_process {\n        # the app\n        app  # here\n    } # end\n"
        "    track_file {\n        flag\n    }\n"
    )
    script = "vrrp_script ping {\n    script /bin/true\n}\ntrack_file flag {\n    file /flag\n}\n"
    done = migrated(tmp_path, script + block("process app") + INSTANCE.format(track))
    assert done.text.endswith(
        "    track_script {\n        ping\n        # the app\n        app    # here\n        # end\n    }\n"
        "    # ours\n"
        "    track_file {\n        flag\n        app\n    }\n}\n"
    )


def test_a_definition_below_its_use_goes_above_it(tmp_path: Path) -> None:
    done = migrated(tmp_path, tracking("app") + "# late\n" + block("process app"), "script")
    keywords = [node.keyword for node in done.tree.root.children or ()]

    assert keywords == ["global_defs", "vrrp_script", "vrrp_instance"]
    assert done.text.endswith("}\n# late\n")
    assert any("tracked above its block" in note for note in done.notes)


def test_a_taken_name_gets_another_one(tmp_path: Path) -> None:
    script = "vrrp_script app {\n    script /bin/true\n}\n"
    done = migrated(tmp_path, script + block("process app") + tracking("app weight 3"), "script")

    assert [node.arguments for node in done.tree.find("vrrp_script")] == [["app"], ["kacheck_app"]]
    assert "        kacheck_app weight 3\n" in done.text


def test_a_name_that_no_check_can_have_gets_one_that_it_can(tmp_path: Path) -> None:
    text = (block("process app") + tracking("app")).replace("app {", '"my app/1" {')
    done = migrated(tmp_path, text.replace("        app\n", '        "my app/1"\n'))

    assert done.left == []
    assert list(tomllib.loads(done.toml)["check"]) == ["my_app_1"]
    assert 'track_file "my app/1" {\n    file /run/kacheck/track/my_app_1\n' in done.text


def test_a_name_keepalived_could_never_see_is_noted(tmp_path: Path) -> None:
    text = block("process prometheus-node-exporter") + tracking("app")
    assert any("can never match prometheus-node-exporter" in note
               for note in migrated(tmp_path, text).notes)  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "note"),
    [
        (["fork_delay 3"], "fork_delay is left out"),
        (["fork_delay 3", "quorum_max 0"], "fork_delay is left out"),
        (["fork_delay 3", "quorum 2"], "fork_delay holds for every new process"),
        (["terminate_delay 3"], None),
    ],
)
def test_what_fork_delay_was_for_is_noted(
    tmp_path: Path, lines: list[str], note: str | None
) -> None:
    text = block("process app", *lines) + tracking("app")
    notes = [each for each in migrated(tmp_path, text).notes if "fork_delay" in each]
    assert [each.partition(": ")[2].startswith(note or "") for each in notes] == [True] * bool(note)


def test_security_is_left_alone_where_there_are_scripts(tmp_path: Path) -> None:
    text = block("process app") + tracking("app") + "    notify /bin/true\n"
    assert "enable_script_security" not in migrated(tmp_path, text).text


@pytest.mark.parametrize(
    "scripts",
    [
        '@node2 vrrp_script ping {\n@node2     script "/home/ops/ping"\n@node2 }\n',
        "@node2 global_defs {\n@node2     startup_script /home/ops/up\n@node2 }\n",
        "$X= \\\n    notify_fault /home/ops/down \\\n\n@node2 $X\n",
    ],
)
def test_security_is_left_alone_where_another_node_has_scripts(
    tmp_path: Path, scripts: str
) -> None:
    done = migrated(tmp_path, scripts + block("process app") + tracking("app"))
    assert done.left == []
    assert "enable_script_security" not in done.text


def test_included_files_are_rewritten_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    first, second = tmp_path / "conf.d/1.conf", tmp_path / "conf.d/2.conf"
    first.write_text(block("process app"))
    second.write_text(tracking("app"))
    text = "global_defs {\n}\ninclude conf.d/*.conf\n"
    done = migrated(tmp_path, text)

    assert done.text == "global_defs {\n    enable_script_security\n}\ninclude conf.d/*.conf\n"
    assert done.texts[str(first)].startswith("vrrp_script app {")
    assert "    track_script {\n        app\n    }\n" in done.texts[str(second)]


def test_a_file_that_is_included_by_two_instances_is_changed_once(tmp_path: Path) -> None:
    shared = tmp_path / "track.inc"
    shared.write_text("track_process {\n    app\n}\n")
    include = INSTANCE.format("    include track.inc\n")
    done = migrated(tmp_path, block("process app") + include + include.replace("VI_1", "B"))

    assert done.left == []
    assert done.texts[str(shared)] == "track_file {\n    app\n}\ntrack_script {\n    app\n}\n"


def test_a_block_whose_file_is_included_twice_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "app.inc").write_text(block("process app"))
    done = migrated(tmp_path, "include app.inc\ninclude app.inc\n" + tracking("app"))
    assert "more than once" in done.left[0]


# --- what others' hands are in --------------------------------------------------------------

PING = "vrrp_script ping {\n    script /bin/true\n    user root\n}\n"
PASSWORD = "    authentication {\n        auth_type PASS\n        auth_pass $PASS\n    }\n"


def stable(directory: Path, text: str, mode: Mode = "watch") -> Migrated:
    """Migrated; a second time changes nothing."""
    done = migrated(directory, text, mode)
    for path, new in done.texts.items():
        Path(path).write_text(new)
    again = Migrated(directory / "keepalived.conf", mode, directory / "kacheck.toml")
    assert again.texts == done.texts
    assert len(again.left) == len(done.left)
    return done


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


# --- sync groups ----------------------------------------------------------------------------


def group(members: str, *lines: str, name: str = "G") -> str:
    inner = "".join(f"        {line}\n" for line in lines)
    tracked = f"    track_process {{\n{inner}    }}\n" if lines else ""
    weight = "    sync_group_tracking_weight\n"
    return (
        f"vrrp_sync_group {name} {{\n    group {{\n        {members}\n    }}\n{weight}{tracked}}}\n"
    )


def tracked_lines(done: Migrated) -> dict[str, list[str]]:
    """What each instance and group tracks."""
    return {
        node.arguments[0]: [f"{each.keyword}: {line.line.text}" for each in node.children or ()
                            if each.keyword.startswith("track_") for line in each.children or ()]
        for keyword in ("vrrp_instance", "vrrp_sync_group") for node in done.tree.find(keyword)
    }  # fmt: skip


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
def test_a_weight_in_a_group_with_an_address_owner_is_left_alone(
    tmp_path: Path, weight: str
) -> None:
    instance = INSTANCE.format("").replace("100", "255")
    text = SECURE + block("process app") + instance + group("VI_1 VI_2", weight)
    done = stable(tmp_path, text)

    assert done.text == text
    assert "a weight does nothing at priority 255, which VI_1 has;" in done.left[0]
    assert migrated(tmp_path, text.replace(weight, "app")).left == []


# --- places ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("times", [1, 2])
def test_a_name_from_a_file_of_names_is_left_alone(tmp_path: Path, mode: Mode, times: int) -> None:
    (tmp_path / "names.inc").write_text("app\n")
    text = "#" * 60 + "\n" + SECURE + block("process app")
    for number in range(times):
        text += tracking("include names.inc").replace("VI_1", f"VI_{number}")
    done = stable(tmp_path, text, mode)

    assert done.text == text
    assert done.texts[str(tmp_path / "names.inc")] == "app\n"
    assert "an include" in done.left[0]
    assert len(done.left) == 1


def test_a_command_that_is_too_long_for_its_place_is_left_alone(tmp_path: Path) -> None:
    left = []
    for size in range(900, 960):
        deep = f"vrrp_track_process app {{\n{' ' * 16}process app {'x' * size}\n}}\n"
        text = SECURE + deep + tracking("app")
        done = stable(tmp_path, text, "script")
        left.append(bool(done.left))

        assert (done.text == text) == bool(done.left)
        assert max(map(len, done.text.split("\n"))) <= 1022
    assert left == sorted(left)
    assert not left[0]
    assert left[-1]


@pytest.mark.parametrize("size", range(1014, 1023))
def test_a_comment_does_not_grow_into_a_line_of_its_own(tmp_path: Path, size: int) -> None:
    comment = "#" * (size - 2) + " x"
    text = SECURE + f"vrrp_track_process app {{\n{comment}\n    process app\n}}\n" + tracking("app")
    done = stable(tmp_path, text)

    assert max(map(len, done.text.split("\n"))) <= 1022
    assert bool(done.left) == (size > 1018)
    assert (done.text == text) == bool(done.left)


def test_a_comment_of_a_reference_that_would_grow_too_long_stops_it_all(tmp_path: Path) -> None:
    track = f"    track_script {{\n{' ' * 20}ping\n    }}\n    track_process {{\n#{'x' * 1010}\n"
    text = SECURE + PING + block("process app") + INSTANCE.format(track + "        app\n    }\n")
    with pytest.raises(BadConfigError, match=r"keepalived.conf: a line would be longer .* #xxx"):
        migrated(tmp_path, text)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("keyword", ["track_script", "track_file"])
def test_a_name_that_something_else_asks_for_is_taken(
    tmp_path: Path, mode: Mode, keyword: str
) -> None:
    (tmp_path / "track.inc").write_text("track_process {\n    app\n}\n")
    undefined = f"    {keyword} {{\n        app weight 5\n    }}\n"
    text = block("process app") + INSTANCE.format(undefined + "    include track.inc\n")
    text += INSTANCE.format("    include track.inc\n").replace("VI_1", "B")
    done = stable(tmp_path, text, mode)

    assert undefined in done.text
    if (mode, keyword) == ("watch", "track_file"):
        assert "keepalived 2.2.7 would hang" in done.left[0]
        assert done.text == text
        text = f"track_file app {{\n    file /app\n}}\n{text}"
        done = stable(tmp_path, text, mode)
    assert done.left == []
    assert "vrrp_script kacheck_app {" in done.text
    shared = done.texts[str(tmp_path / "track.inc")]
    assert shared.endswith("track_script {\n    kacheck_app\n}\n")
    assert ("track_file {\n    kacheck_app\n}\n" in shared) == (mode == "watch")


def test_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    text = "\ufeff" + block("process app") + SECURE + tracking("app")
    done = stable(tmp_path, text)

    assert done.text == text
    (left,) = done.left
    assert left.startswith(f"{tmp_path}/keepalived.conf:1: app is left alone: ")
    assert "begins with a byte order mark" in left
    assert rf"sed -i '1s/^\xef\xbb\xbf//' {tmp_path}/keepalived.conf" in left


@pytest.mark.parametrize(
    ("above", "comment"),
    [
        (SECURE, "# of VI_1\n# more\n"),
        (SECURE + "$X=1\n", "# of VI_1\n"),
        (SECURE + "$X=\\\n    1\\\n", "# ends the definition\n"),
        ("", "# of the file\n"),
    ],
)
def test_a_definition_that_moves_up_leaves_comments_with_what_they_are_of(
    tmp_path: Path, above: str, comment: str
) -> None:
    text = above + comment + tracking("app") + "\n" + block("process app")
    done = stable(tmp_path, text, "script")

    assert done.left == []
    assert (comment + "vrrp_instance VI_1 {" in done.text) == (above == SECURE)
    assert done.text.startswith(above + ("" if above == SECURE else comment))
    view = load(str(tmp_path / "keepalived.conf"))
    assert [node.keyword for node in view.root.children or ()] == [
        "global_defs", "vrrp_script", "vrrp_instance",
    ]  # fmt: skip


def test_an_instance_behind_a_byte_order_mark_keeps_what_it_tracks(tmp_path: Path) -> None:
    text = "\ufeff" + tracking("app") + SECURE + block("process app")
    done = stable(tmp_path, text)

    assert done.text == text
    (left,) = done.left
    assert "begins with a byte order mark" in left


@pytest.mark.parametrize(
    "heads",
    ["@node2 vrrp_instance VI_2 {\n@node1 vrrp_instance VI_1 {\n", "$N=1\nvrrp_instance VI_$N {\n"],
)
def test_an_instance_that_others_call_otherwise_keeps_its_line(tmp_path: Path, heads: str) -> None:
    tracks = tracking("app").replace("vrrp_instance VI_1 {\n", heads)
    text = SECURE + block("process app") + tracks + group("VI_1 C", "app")
    done = stable(tmp_path, text)

    assert done.text == text
    assert "remove this line" in done.left[0]


@pytest.mark.parametrize(
    ("above", "inside"),
    [
        ("", "    @node2 include track.inc\n"),
        ("", "    @node2\tincluder track.inc\n"),
        ("$T= \\\n    track_process { \\\n        app \\\n    }\n\n", "    @node2 $T\n"),
        ("$A=app\n$N=${A}\n", "    @node2 track_process { ${N} }\n"),
        ("$N=pp\n", "    @node2 track_process {\n    @node2 a${N}\n    @node2 }\n"),
        ("", "    @node2 track_process {\n    @node2 ~LST(N, pp) a${N}\n    @node2 }\n"),
        ("@node2 $N=app\n@^node2 $N=x\n", "    track_process {\n        $N\n    }\n"),
        ("$X=p\n@node2 $N=a${X}p\n", "    @node2 track_process {\n    @node2 $N\n    @node2 }\n"),
        ("$X=p\n@node2 $N=a${X}p\n", "    track_process {\n        @node2 $N\n    }\n"),
        ("$N=pp\n", "    @node2 track_process\n    @node2 { a${N} }\n"),
    ],
)
def test_what_another_node_may_track_is_left_alone(tmp_path: Path, above: str, inside: str) -> None:
    (tmp_path / "track.inc").write_text("track_process {\n    app\n}\n")
    text = SECURE + above + block("process app") + INSTANCE.format(inside)
    done = stable(tmp_path, text)

    assert done.text == text
    assert any("app is left alone: the line is for another @id" in left for left in done.left)


def test_what_has_nothing_to_do_with_tracking_may_be_for_another_node(tmp_path: Path) -> None:
    above = "$PRIORITY=90\n$NET=10.0\n"
    inside = "    @node2 priority $PRIORITY\n    @node2 mcast_src_ip ${NET}.0.1\n"
    tracks = tracking("app").replace("    track_process", inside + "    track_process")
    done = stable(tmp_path, SECURE + above + block("process app") + tracks)

    assert done.left == []
    assert "vrrp_script app {" in done.text


@pytest.mark.parametrize(
    ("above", "inside"),
    [
        ("", "    @node2 unicast_src_ip ${NET}.2\n"),
        ("", "    @node2 mcast_src_ip 10.0.0.$NET\n"),
        ("@node2 $ME=${NET}.2\n", "    @node2 mcast_src_ip $ME\n"),
        ("@node2 $LAN=$NET\n", "    interface $LAN\n"),
        ("", "    unicast_peer {\n        @node2 ${NET}.0.1\n    }\n"),
    ],
)
def test_what_another_node_tracks_besides_does_not_hold_up_the_rest(
    tmp_path: Path, above: str, inside: str
) -> None:
    blocks = block("process app") + block("process app").replace("app", "other")
    tracks = tracking("app", "@node2 other")
    tracks = tracks.replace("    track_process", inside + "    track_process")
    done = stable(tmp_path, SECURE + "$NET=10.0\n" + above + blocks + tracks)

    assert all("other is left alone" in left for left in done.left)
    assert "vrrp_script app {" in done.text


def test_what_keepalived_may_track_in_a_block_that_it_does_not_know_is_left_alone(
    tmp_path: Path,
) -> None:
    inside = "    foo {\n        track_process {\n            app\n        }\n    }\n"
    text = SECURE + block("process app") + INSTANCE.format(inside)
    done = stable(tmp_path, text)

    assert done.text == text
    assert "keepalived does not know foo here" in done.left[0]


def test_a_comment_that_moves_does_not_leave_a_backslash_as_a_statement(tmp_path: Path) -> None:
    inside = "    track_script {\n    }\n    track_process {\n        app } # one \\\n"
    below = block("process app").replace("}", "} # two \\")
    done = stable(tmp_path, SECURE + INSTANCE.format(inside) + below, "script")

    (scripts,) = done.tree.find("vrrp_instance", "track_script")
    (script,) = done.tree.find("vrrp_script")
    assert [node.keyword for node in scripts.children or ()] == ["app"]
    assert "\\" not in [node.keyword for node in script.children or ()]
    assert "# one \\ \n" in done.text
    assert "# two \\ \n" in done.text


@pytest.mark.parametrize("brace", ["${X}", "other { }", "other {\n        }"])
def test_a_brace_among_the_names_leaves_all_of_the_instance_alone(
    tmp_path: Path, brace: str
) -> None:
    """To keepalived the instance ends there, and its other lines are none."""
    tracks = tracking("app", brace)[:-2] + "    track_script {\n        ping\n    }\n}\n"
    text = SECURE + PING + block("process app") + tracks
    done = stable(tmp_path, text, "script")

    assert done.text == text
    assert "app is left alone: there is a brace among the names" in "".join(done.left)


def test_a_process_that_is_not_utf_8_is_left_alone_by_watch_mode(tmp_path: Path) -> None:
    text = SECURE + block("process gr\udcfcn") + tracking("app")
    path = tmp_path / "keepalived.conf"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    done = Migrated(path, "watch", tmp_path / "kacheck.toml")
    assert done.text == text
    assert "is not UTF-8" in done.left[0]
    changes = rewritten(
        load(str(path)), MigrationOrder(str(path), "script"), None
    ).configuration.changed()
    assert b"kacheck-process --all-namespaces gr\xfcn" in changes[str(path)]


def test_a_remark_is_made_once(tmp_path: Path) -> None:
    (tmp_path / "app.inc").write_text(block("process app"))
    done = stable(tmp_path, "include app.inc\ninclude app.inc\n" + tracking("app"))
    assert len(done.left) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "line",
    [
        "track_process { a } track_script { ping } track_process { b }",
        "track_process { a } track_process { b } track_script { ping }",
        "track_script { ping } track_process { a } track_process { b }",
        "track_file { } track_process { a } track_process { b }",
    ],
)
@pytest.mark.parametrize("between", [" ", "", "\n"])
def test_blocks_may_share_a_line(tmp_path: Path, mode: Mode, line: str, between: str) -> None:
    tops = [
        "vrrp_track_process a {\n    process a\n}",
        "vrrp_track_process b { process b }",
        PING.rstrip(),
    ]
    text = SECURE + between.join(tops) + "\n" + INSTANCE.format(f"    {line}\n")
    done = stable(tmp_path, text, mode)
    (found,) = tracked_lines(done).values()
    wanted = {"track_script: a", "track_script: b"}
    wanted |= {"track_file: a", "track_file: b"} if mode == "watch" else set()

    assert done.left == []
    assert done.tree.problems == []
    assert sorted(set(found) - {"track_script: ping"}) == sorted(wanted)
    assert [node.arguments for node in done.tree.find("vrrp_script")] == [["a"], ["b"], ["ping"]]


# --- all configurations ---------------------------------------------------------------------

TOUCHED = ("vrrp_track_process", "track_process")
MADE = ("vrrp_script", "vrrp_track_file", "track_file", "track_script")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
class TestEveryConfiguration:
    def test_migrating_twice_changes_nothing(self, tmp_path: Path, path: Path, mode: Mode) -> None:
        once = Migrated(path, mode, tmp_path / "kacheck.toml")
        second = tmp_path / "keepalived.conf"
        second.write_text(once.text, newline="")
        twice = Migrated(second, mode, tmp_path / "kacheck.toml")

        assert twice.text == once.text
        assert twice.toml == ""

    def test_comments_survive(self, tmp_path: Path, path: Path, mode: Mode) -> None:
        done = Migrated(path, mode, tmp_path / "kacheck.toml")
        for comment in re.findall(r"(?:^|\s)([#!] ?[a-zA-Z].*)", path.read_text()):
            assert comment.strip() in done.text

    def test_only_tracking_is_touched(self, tmp_path: Path, path: Path, mode: Mode) -> None:
        done = Migrated(path, mode, tmp_path / "kacheck.toml")
        old, new = (
            text.splitlines(keepends=True) for text in (path.read_bytes().decode(), done.text)
        )
        may_go = lines_of(path.read_bytes().decode(), (*TOUCHED, *MADE))
        may_come = lines_of(done.text, MADE) | lines_of(done.text, ("global_defs",))
        for tag, a, b, c, d in difflib.SequenceMatcher(
            None, old, new, autojunk=False
        ).get_opcodes():
            if tag != "equal":
                assert set(range(a, b)) <= may_go, old[a:b]
                assert {
                    line for line in range(c, d) if new[line].strip() not in ("", "}")
                } <= may_come, new[c:d]

    def test_the_checks_are_a_configuration(self, tmp_path: Path, path: Path, mode: Mode) -> None:
        done = Migrated(path, mode, tmp_path / "kacheck.toml")
        names = {made.check for made in done.rewrite.migrated.values()} - {None}
        checks = config.parse(done.toml, "kacheck.toml").checks if done.toml else ()

        assert {check.name for check in checks} == names
        assert bool(names) == (mode == "watch" and bool(done.rewrite.migrated))

    def test_line_ends_are_the_files(self, tmp_path: Path, path: Path, mode: Mode) -> None:
        done = Migrated(path, mode, tmp_path / "kacheck.toml")
        ends = {b"\r\n"} if b"\r\n" in path.read_bytes() else {b"\n"}
        assert set(re.findall(rb"\r?\n", done.text.encode())) == ends


def lines_of(text: str, keywords: tuple[str, ...]) -> set[int]:
    """The lines that statements with these keywords stand on."""
    found: set[int] = set()
    for node in parse(text).root.walk():
        if node.keyword in keywords:
            first, last = (text.count("\n", 0, offset) for offset in (node.start, node.end))
            found |= set(range(first, last + 1))
    return found


def mutilated(text: str, random: Random) -> str:
    """The configuration after a careless editor."""
    lines = text.split("\n")
    for _ in range(random.randrange(1, 5)):
        place = random.randrange(len(lines))
        line = lines[place]
        lines[place : place + 1] = random.choice(
            [[], [line, line], [line + " # c"], ["@node1 " + line], ["@node2 " + line], [line + "\\"],
             [line.replace("{", "\n{ ", 1)], [line.replace("}", "} }", 1)],
             [line + " " + "".join(lines[place + 1 : place + 2])]]
        )  # fmt: skip
        lines = lines or [""]
    return "\n".join(lines)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.no_cover
def test_whatever_is_in_the_file_it_is_refused_or_migrated_once(tmp_path: Path, mode: Mode) -> None:
    random = Random(20)
    path = tmp_path / "keepalived.conf"
    for _ in range(10):
        for original in SAMPLES:
            text = mutilated(original.read_bytes().decode(), random)
            try:
                path.write_text(text, newline="")
                once = Migrated(path, mode, tmp_path / "kacheck.toml").text
                path.write_text(once, newline="")
                assert Migrated(path, mode, tmp_path / "kacheck.toml").text == once
            except BadConfigError:
                continue


# --- the command ----------------------------------------------------------------------------


def test_a_diff_is_printed_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(block("process app") + tracking("app"))
    before = path.read_bytes()
    code = main(["migrate", str(path), "--config", str(tmp_path / "kacheck.toml")])
    said = capsys.readouterr()

    assert code == 0
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert said.out.startswith(f"--- {path}\n+++ {path}\n@@ ")
    assert (
        f"\n--- /dev/null\n+++ {tmp_path}/kacheck.toml\n@@ -0,0 +1,6 @@\n+[check.app]\n" in said.out
    )
    assert "FAULT within milliseconds" in said.err


def test_nothing_to_migrate_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text('this is { no configuration " at all\n')

    assert main(["migrate", str(path)]) == 0
    assert capsys.readouterr() == ("", "kacheck: nothing to migrate\n")


def test_what_is_left_alone_is_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(block("process app", "weight 254") + tracking("app"))

    assert main(["migrate", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"kacheck: {path}:1: app is left alone: weight 254 has no equivalent")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("vrrp_script x {\n", "no } for vrrp_script"),
        ('global_defs {\n    router_id "x\n}\n', "no closing quote"),
        ("include keepalived.conf\n", "includes itself"),
    ],
)
def test_a_configuration_that_cannot_be_read_for_certain_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(block("process app") + tracking("app") + text)

    assert main(["migrate", str(path)]) == 3
    assert why in capsys.readouterr().err


def test_no_file_is_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", str(tmp_path / "none.conf")]) == 3
    assert "No such file" in capsys.readouterr().err


# --- recipes --------------------------------------------------------------------------------

VAULT = f"{LIBEXEC}/kacheck-vault --timeout 4.8 --address http://127.0.0.1:8200"
PROCESS = f"{LIBEXEC}/kacheck-process --timeout 4.8 --all-namespaces vault"
URL = "http://127.0.0.1:8200/v1/sys/health"


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("pidof vault", PROCESS),
        ("/bin/pidof -s vault", PROCESS),
        ("/usr/bin/pgrep -x vault", PROCESS),
        ("killall -0 vault", PROCESS),
        ("/usr/bin/killall -q -0 vault", PROCESS),
        ("sh -c 'pidof vault'", PROCESS),
        (f"curl -s {URL} | grep -q active", VAULT),
        (f"/bin/sh -c 'curl -s {URL} | grep -q active'", VAULT),
        (f"/bin/sh -c 'curl -s {URL}|grep active'", VAULT),
        (
            f"curl -sfk -m 2 {URL} | grep -q standby:false",
            f"{VAULT.replace('4.8', '2')} --insecure",
        ),
        (f"curl --silent --cacert /ca.pem {URL} | grep active", f"{VAULT} --ca-cert /ca.pem"),
    ],
)
def test_one_liners_are_replaced(tmp_path: Path, script: str, wanted: str) -> None:
    assert recipe(tmp_path, f'"{script}"').command == wanted.split()


@pytest.mark.parametrize(
    "script",
    [
        "pidof",
        "pidof vault consul",
        "pidof -o 1 vault",
        "pgrep vault",
        "pgrep -f vault",
        "pgrep -x v.ult",
        "pgrep -u root vault",
        "killall vault",
        "killall -1 vault",
        "/usr/local/bin/check-vault pidof",
        f"curl -s {URL}",
        f"curl -s {URL}?standbyok=true | grep active",
        f"curl -s {URL} | grep -v active",
        f"curl -s {URL} | grep initialized",
        f"curl -s -X PUT {URL} | grep active",
        f"curl -s {URL} | jq . | grep active",
        "sh -c 'pidof vault && pidof consul'",
        "sh -c 'pidof vault || true'",
        "sh -c 'pidof vault; true'",
        "sh -c 'pidof $NAME'",
        "sh -c 'pidof \"vault",
    ],
)
def test_what_is_not_certain_stays(tmp_path: Path, script: str) -> None:
    node = recipe(tmp_path, f"'{script}'" if '"' in script else f'"{script}"')
    assert "kacheck" not in node.line.text


def recipe(directory: Path, script: str) -> Node:
    """The `script` statement after --recipes."""
    path = directory / "keepalived.conf"
    text = f"vrrp_script chk {{\n    # why\n    script {script}   # this\n    interval 5\n}}\n"
    path.write_text(text)
    assert main(["migrate", str(path), "--mode", "script"]) == 0
    assert path.read_text() == text
    assert main(["migrate", str(path), "--recipes", "-o", f"{path}.new"]) in (0, 1)
    new = Path(f"{path}.new").read_text()
    assert new.startswith("vrrp_script chk {\n    # why\n    script ")
    assert new.endswith("   # this\n    interval 5\n}\n")
    return parse(new).find("vrrp_script", "script")[0]
