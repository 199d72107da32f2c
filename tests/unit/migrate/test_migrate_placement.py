"""Where migrated lines go, and what becomes of names, comments and lines for other nodes."""

import tomllib
from pathlib import Path

import pytest

from helpers.migrated import (
    INSTANCE,
    MODES,
    PING,
    SECURE,
    Migrated,
    block,
    group,
    migrated,
    stable,
    tracked_lines,
    tracking,
)
from kacheck.keepalived import load
from kacheck.migrate.equivalents import LIBEXEC, Mode
from kacheck.migrate.plan import MigrationOrder, rewritten
from kacheck.result import BadConfigError

pytestmark = pytest.mark.usefixtures("_without_keepalived")

# --- where it goes -----------------------------------------------------------------------------


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


def test_a_name_that_is_invalid_for_a_check_is_replaced(tmp_path: Path) -> None:
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
        (["fork_delay 3", "quorum 2"], "fork_delay applies to every new process"),
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


# --- places ------------------------------------------------------------------------------------


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


def test_a_command_too_long_for_its_line_is_left_alone(tmp_path: Path) -> None:
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
def test_a_comment_does_not_become_a_separate_line(tmp_path: Path, size: int) -> None:
    comment = "#" * (size - 2) + " x"
    text = SECURE + f"vrrp_track_process app {{\n{comment}\n    process app\n}}\n" + tracking("app")
    done = stable(tmp_path, text)

    assert max(map(len, done.text.split("\n"))) <= 1022
    assert bool(done.left) == (size > 1018)
    assert (done.text == text) == bool(done.left)


def test_a_references_comment_that_would_be_too_long_prevents_the_migration(tmp_path: Path) -> None:
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
def test_a_definition_that_moves_up_leaves_others_comments_in_place(
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


def test_lines_unrelated_to_tracking_may_be_for_another_node(tmp_path: Path) -> None:
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


def test_tracking_inside_an_unknown_block_is_left_alone(
    tmp_path: Path,
) -> None:
    inside = "    foo {\n        track_process {\n            app\n        }\n    }\n"
    text = SECURE + block("process app") + INSTANCE.format(inside)
    done = stable(tmp_path, text)

    assert done.text == text
    assert "keepalived does not know foo here" in done.left[0]


def test_a_moved_comment_does_not_leave_a_backslash_as_a_statement(tmp_path: Path) -> None:
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
    """To keepalived the instance ends there, so its other lines have no effect."""
    tracks = tracking("app", brace)[:-2] + "    track_script {\n        ping\n    }\n}\n"
    text = SECURE + PING + block("process app") + tracks
    done = stable(tmp_path, text, "script")

    assert done.text == text
    assert "app is left alone: there is a brace among the names" in "".join(done.left)


def test_watch_mode_leaves_a_process_alone_that_is_not_utf_8(tmp_path: Path) -> None:
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
