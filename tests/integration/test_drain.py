"""Maintenance: a check that is drained fails, until its time is over or somebody ends it."""

import json
import os
import pathlib
import stat
import subprocess
import time
from collections.abc import Callable

import pytest

from helpers.answer import Answer
from helpers.child import run_kacheck
from helpers.clock import SlowClock
from helpers.needs import needs
from kacheck import drain, drain_switch, statedir
from kacheck.check import Check, Question, drained_by
from kacheck.cli import main
from kacheck.probes.combined.question import Combination
from kacheck.probes.process.options import ProcessOptions

Start = Callable[..., subprocess.Popen[bytes]]
Shown = pytest.CaptureFixture[str]

NAME = f"ktest-{os.getpid()}"


@pytest.fixture
def here(tmp_path: pathlib.Path) -> pathlib.Path:
    """A state directory."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def kacheck(here: pathlib.Path, capsys: Shown) -> Callable[..., tuple[int, str, str]]:
    """`kacheck drain` there: code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["drain", "--state-dir", str(here), *words])
        return (code, *capsys.readouterr())

    return run


Kacheck = Callable[..., tuple[int, str, str]]


def put(here: pathlib.Path, name: str, text: str) -> pathlib.Path:
    (here / "drain").mkdir(exist_ok=True)
    path = here / "drain" / name
    path.write_text(text.replace("{soon}", str(int(statedir.uptime()) + 1000)))
    return path


# --- what a file means ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0\n", ""),
        ("0 new disks\n", "new disks"),
        ("0 no newline", "no newline"),
        ("{soon} new disks\n", "new disks"),
        ("999999999999 far away\n", "far away"),
        ("", ""),
        ("\n", ""),
        ("new disks\n", "has no UNTIL in it"),
        ("-1 x\n", "has no UNTIL in it"),
        (" 1 x\n", "has no UNTIL in it"),
        ("1e3 x\n", "has no UNTIL in it"),
        ("\u0663 x\n", "has no UNTIL in it"),
        ("9" * 5000, "has no UNTIL in it"),
        ("\0\0\0", "has no UNTIL in it"),
    ],
)
@pytest.mark.parametrize("name", ["vault", "ALL"])
def test_a_file_that_is_there_means_drained(
    here: pathlib.Path, name: str, text: str, message: str
) -> None:
    put(here, name, text)
    found = drain.drained(str(here), "vault")
    assert found is not None
    assert message in found.message
    assert found.name == name
    assert (drain.drained(str(here), "other") is not None) is (name == "ALL")


def test_an_expired_or_missing_drain_file_has_no_effect(here: pathlib.Path) -> None:
    assert drain.drained(str(here), "vault") is None
    assert drain.drained("/no/such", "vault") is None
    put(here, "vault", "1 over\n")
    put(here, "ALL", f"{int(statedir.uptime())} over\n")
    assert drain.drained(str(here), "vault") is None


def test_what_cannot_be_read_means_drained_and_does_not_block(here: pathlib.Path) -> None:
    path = put(here, "vault", "")
    path.unlink()
    path.mkdir()
    found = drain.drained(str(here), "vault")
    assert found is not None
    assert "cannot be read: Is a directory" in found.message
    path.rmdir()
    os.mkfifo(path)
    assert drain.drained(str(here), "vault") is not None
    path.unlink()
    path.symlink_to("vault")
    assert drain.drained(str(here), "vault") is not None, "a loop"
    (here / "x").touch()
    assert drain.drained(str(here / "x"), "vault") is not None, "not a state directory"


def test_of_two_drains_the_one_that_ends_later_speaks(here: pathlib.Path) -> None:
    put(here, "ALL", "{soon} soon\n")
    put(here, "vault", "0 never\n")
    found = drain.drained(str(here), "vault")
    assert found is not None
    assert found.message == "never"
    put(here, "vault", f"{int(statedir.uptime()) + 5} sooner\n")
    found = drain.drained(str(here), "vault")
    assert found is not None
    assert found.message == "soon"


def test_the_answer_is_critical_draining_with_the_time_and_the_cure(here: pathlib.Path) -> None:
    until = int(statedir.uptime()) + 28 * 60
    path = f"{statedir.DEFAULT}/drain/vault"
    result = drain.Drain(until, "new disks", path).result()
    assert (result.status.word, result.reason) == ("critical", "draining")
    assert result.message == "drained for 28 min more: new disks (kacheck drain off vault ends it)"
    assert drain.Drain(0, "").sentence() == "drained (kacheck drain off --all ends it)"
    elsewhere = drain.Drain(0, "x", f"{here}/drain/vault").sentence()
    assert elsewhere == f"drained: x (kacheck drain off vault --state-dir {here} ends it)"


@pytest.mark.parametrize("begun", [100.01, 100.4, 100.6, 100.97])
def test_a_drain_for_20_seconds_is_not_announced_as_longer(
    kacheck: Kacheck, monkeypatch: pytest.MonkeyPatch, begun: float
) -> None:
    monkeypatch.setattr(statedir, "uptime", lambda: begun)
    assert kacheck("on", "vault", "--for", "20s")[1].startswith("vault: drained for 20 s more ")
    monkeypatch.setattr(statedir, "uptime", lambda: 200.0)
    assert drain.Drain(1, "").remaining() == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (1680, "28 min"), (5369, "89 min"),
     (5400, "1 h 30 min"), (5401, "1 h 30 min"), (10800, "3 h"), (10799, "3 h"),
     (129600, "36 h"), (172740, "47 h 59 min"), (172800, "2 days"), (216000, "2 days 12 h"),
     (2592000, "30 days")],
)  # fmt: skip
def test_amounts_are_in_the_unit_that_a_person_would_choose(seconds: int, words: str) -> None:
    assert drain.amount(seconds) == words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("30m", 1800), ("1h30m", 5400), ("2h", 7200), ("3d", 259200), ("1d12h", 129600),
     ("30d", 2592000), ("0.5", 1), ("1.5s", 2), (".5d", 43200)],
)  # fmt: skip
def test_times_to_drain_for(text: str, seconds: int) -> None:
    assert drain_switch.span(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0m", "31d", "721h", "-1", "soon", "1w", "1 h", "1e3", "inf", "9" * 400]
)
def test_invalid_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid drain time .*: give one such as 30m"):
        drain_switch.span(text)


# --- the one-shots --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("process", ["process", NAME]),
        ("process", ["process", "--on-unknown", "ok", NAME]),
        ("vault", ["vault", "--on-unknown", "ok", "--address", "nonsense"]),
        ("combined", ["combined", "--process", NAME]),
        ("here", ["run", "--config", "{config}", "here"]),
        ("here", ["run", "--config", "/no/such.toml", "here"]),
    ],
)
def test_every_one_shot_honours_a_drain(
    here: pathlib.Path, look: Callable[..., Answer], check: str, words: list[str]
) -> None:
    config = here / "kacheck.toml"
    config.write_text(f'[check.here]\nprobe = "process"\nname = "{NAME}"\n')
    command, *rest = [word.format(config=config) for word in words]
    rest += ["--state-dir", str(here)]
    for name in (check, "ALL"):
        path = put(here, name, "{soon} new disks\n")
        answer = look(command, *rest)
        assert (answer.code, answer.verdict) == (2, "critical draining")
        assert answer.json["check"] == check
        assert "drained for 17 min more: new disks" in answer.message
        assert answer.data["drain"]["remaining_s"] in range(970, 1001)
        assert look(command, "--misc", *rest).code == 1
        path.write_text("1 over\n")
    assert look(command, *rest).verdict != "critical draining"


def test_another_checks_drain_is_none_of_its_business(here: pathlib.Path, start: Start) -> None:
    start(NAME, "60")
    put(here, "vault", "0\n")
    assert main(["process", "--state-dir", str(here), NAME]) == 0


def test_looking_for_a_drain_costs_nothing_to_speak_of(here: pathlib.Path) -> None:
    def seconds() -> float:
        begun = time.perf_counter()
        for _ in range(100):
            drain.drained(str(here), "vault")
        return (time.perf_counter() - begun) / 100

    assert min(seconds() for _ in range(20)) < 0.0005


# --- the command ----------------------------------------------------------------------------


def test_on_status_off(here: pathlib.Path, kacheck: Kacheck) -> None:
    code, out, _ = kacheck("on", "vault", "--for", "30m", "process", "--message", "new\ndisks")
    assert code == 0
    assert [line.split(" (")[0] for line in out.splitlines()] == [
        "process: drained for 30 min more: new\\ndisks",
        "vault: drained for 30 min more: new\\ndisks",
    ]
    assert kacheck("status")[:2] == (0, out)
    assert kacheck("status", "vault", "combined")[1].splitlines() == [
        "combined: not drained",
        out.splitlines()[1],
    ]
    assert kacheck("off", "vault", "combined")[:2] == (
        0,
        "vault: no longer drained\ncombined: not drained\n",
    )
    assert kacheck("off", "process")[1] == "process: no longer drained\n"
    assert kacheck("status")[:2] == (0, "nothing is drained\n")
    assert kacheck("off", "process")[:2] == (0, "process: not drained\n")
    assert os.listdir(here / "drain") == []


def test_all_is_a_separate_drain(kacheck: Kacheck) -> None:
    assert kacheck("on", "vault")[0] == 0
    assert kacheck("on", "--all", "--message", "disks")[0] == 0
    code, out, _ = kacheck("off", "vault")
    assert code == 0
    first, second = out.splitlines()
    assert first == "vault: drained as ALL are"
    assert second.startswith("ALL: still drained: disks (kacheck drain off --all")
    kacheck("on", "vault")
    code, out, _ = kacheck("off", "--all")
    first, second = out.splitlines()
    assert first == "ALL: no longer drained"
    assert second.startswith("vault: still drained (kacheck drain off vault")


def test_on_again_replaces_the_first(here: pathlib.Path, kacheck: Kacheck) -> None:
    kacheck("on", "vault", "--for", "2h", "--message", "first")
    kacheck("on", "vault")
    assert (here / "drain/vault").read_text() == "0\n"


def test_json_is_what_is_drained_now(kacheck: Kacheck) -> None:
    assert json.loads(kacheck("status", "--format", "json")[1]) == {"schema": 1, "drained": []}
    kacheck("on", "vault", "--for", "60", "--message", "disks")
    code, out, _ = kacheck("on", "--all", "--format", "json")
    assert code == 0
    shown = json.loads(out)
    everyone, vault = shown["drained"]
    assert everyone == {"check": "ALL", "until": None, "remaining_s": None, "message": ""}
    assert vault.keys() == everyone.keys()
    assert vault["remaining_s"] in (59, 60, 61)
    assert vault["until"] - int(statedir.uptime()) in (59, 60, 61)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["on"], "drain on: name a check, or give --all"),
        (["off"], "drain off: name a check"),
        (["on", "--all", "vault"], "--all means every check"),
        (["off", "--for", "3m", "vault"], "no meaning for kacheck drain off"),
        (["status", "--message", "x"], "no meaning for kacheck drain status"),
        (["on", "../vault"], "'../vault' is not a valid name for a check"),
        (["on", "ALL"], "'ALL' cannot be the name of a check"),
        (["on", "all"], "'all' cannot be the name of a check; --all means every check"),
        (["off", "All"], "--all means every check"),
        (["on", "vault", "--for", "soon"], 'invalid drain time "soon"'),
        (["on", "vault", "--forever"], "--forever"),
        (["of", "vault"], "invalid choice: 'of'"),
        (["on", "vault", "--config", "/no/such.toml"], "/no/such.toml"),
        (["status", "--state-dir", ""], "it is empty"),
    ],
)
def test_bad_usage_is_3_and_drains_nothing(
    here: pathlib.Path, kacheck: Kacheck, words: list[str], message: str
) -> None:
    code, out, err = kacheck(*words)
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert message in err
    assert os.listdir(here) == []


def test_an_unknown_name_cannot_be_drained_but_its_drain_can_end(
    here: pathlib.Path, kacheck: Kacheck
) -> None:
    config = here / "kacheck.toml"
    config.write_text('[check.vault-node]\nprobe = "process"\nname = "x"\n')
    with_config = ["--config", str(config)]
    code, _, err = kacheck("on", "vault-nod", *with_config)
    assert code == 3
    assert f"{config} has no check vault-nod; did you mean vault-node?" in err
    for name in ("vault-node", "process", "vault", "combined"):
        assert kacheck("on", name, *with_config)[0] == 0
    put(here, "vault-old", "0\n")
    assert kacheck("off", "vault-old", *with_config)[1] == "vault-old: no longer drained\n"


def test_a_refusal_names_the_checks_and_says_what_a_probe_is(
    here: pathlib.Path, kacheck: Kacheck
) -> None:
    config = here / "kacheck.toml"
    config.write_text('[check.serves]\nprobe = "vault"\n[check.runs]\nprobe = "vault"\n')
    _, _, err = kacheck("on", "zzz", "--config", str(config))
    assert err.endswith(
        " has no check zzz; choose from serves, runs; process or another probe drains checks on the"
        " command line\n"
    )


@pytest.mark.parametrize("broken", [False, True])
def test_the_watcher_knows_the_names_if_the_configuration_is_unreadable(
    here: pathlib.Path, kacheck: Kacheck, monkeypatch: pytest.MonkeyPatch, *, broken: bool
) -> None:
    default = here / "kacheck.toml"
    monkeypatch.setattr("kacheck.commands.drain_names.CONFIGURATION", str(default))
    if broken:
        default.write_text("[")
    code, out, err = kacheck("on", "anything")
    assert (code, out) == (3, "")
    assert f"no watcher of {here} has verdicts" in err
    assert "--all also drains every check to come" in err
    assert kacheck("on", "--all")[0] == kacheck("off", "--all")[0] == 0
    (here / "verdict").mkdir()
    (here / "verdict/vault-node").write_text("0 1 ok running x\n")
    code, out, err = kacheck("on", "vault-nod")
    assert (code, out) == (3, "")
    assert f"the watcher of {here} has no check vault-nod; did you mean vault-node?" in err
    assert "; for a check in another file give --config FILE" in err
    assert not (here / "drain/vault-nod").exists()
    for name in ("vault-node", "process", "vault", "combined"):
        assert kacheck("on", name)[0] == 0


def test_a_check_named_vault_is_not_a_combinations_inline_vault(
    here: pathlib.Path, look: Callable[..., Answer]
) -> None:
    config = here / "kacheck.toml"
    address = 'address = "http://127.0.0.1:9"'
    config.write_text(
        f'[check.vault]\nprobe = "vault"\n{address}\n'
        f'[check.process]\nprobe = "process"\nname = "{NAME}"\n'
        f'[check.node]\nprobe = "combined"\nprocess = "{NAME}"\n{address}\n'
        '[check.both]\nprobe = "combined"\nall = ["process", "vault"]\n'
        '[check.deep]\nprobe = "combined"\nall = ["node"]\n'
    )

    def drained() -> list[str]:
        names = ("vault", "process", "node", "both", "deep")
        words = ["run", "--config", str(config), "--state-dir", str(here)]
        return [name for name in names if look(*words, name).verdict == "critical draining"]

    for name, names in (
        ("vault", ["vault", "both"]),
        ("process", ["process", "both"]),
        ("node", ["node", "deep"]),
        ("combined", []),
    ):
        path = put(here, name, "0\n")
        assert drained() == names
        path.unlink()


def test_whatever_the_umask_everybody_can_see_what_is_drained(here: pathlib.Path) -> None:
    umask = os.umask(0o177)
    try:
        new = here / "new"
        assert main(["drain", "on", "vault", "--state-dir", str(new)]) == 0
    finally:
        os.umask(umask)
    for path, mode in ((new, 0o755), (new / "drain", 0o755), (new / "drain/vault", 0o644)):
        assert stat.S_IMODE(path.stat().st_mode) == mode, path


def test_a_link_in_the_temporary_files_place_is_not_followed(
    here: pathlib.Path, kacheck: Kacheck
) -> None:
    """A group may be allowed to drain, and root drains as well."""
    victim = here / "victim"
    victim.write_text("precious")
    put(here, "x", "0\n").unlink()
    (here / "drain/.vault.new").symlink_to(victim)
    assert kacheck("on", "vault")[0] == 0
    assert victim.read_text() == "precious"
    assert (here / "drain/vault").read_text() == "0\n"


def test_an_unwritable_file_is_reported_with_the_cure(here: pathlib.Path, kacheck: Kacheck) -> None:
    missing = here / "a/b"
    code, _, err = kacheck("on", "vault", "--state-dir", str(missing))
    assert code == 3
    assert f"cannot drain: {missing}: No such file or directory; make the state directory" in err
    path = put(here, "vault", "")
    path.unlink()
    path.mkdir()
    for action in ("on", "off"):
        code, _, err = kacheck(action, "vault")
        assert code == 3
        assert f"{path}: Is a directory; remove that directory by hand" in err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"],
         "Permission denied; run it as root"),
        (["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro tmpfs /srv && exec "$@"', "sh"],
         "Read-only file system; give a --state-dir that can be written"),
    ],
    ids=["another user", "read-only"],
)  # fmt: skip
def test_without_permission_to_write_the_cure_is_given(command: list[str], message: str) -> None:
    needs("unshare", "setpriv", root=True)
    shown = run_kacheck("drain", "on", "vault", "--state-dir", "/srv", wrapper=command)
    assert shown.returncode == 3, shown
    assert f"cannot drain: /srv/drain: {message}" in shown.stderr


def test_a_combination_is_drained_with_any_member_that_it_needs() -> None:
    question = Question("process", ProcessOptions("vault"))
    inner = Question("combined", Combination("all", (("deep", question),)))
    everyone = Combination("all", (("a", question), ("b", inner)))
    either = Combination("any", (("a", question), ("b", question)))
    assert drained_by(Check("node", Question("combined", everyone))) == ("node", "a", "b", "deep")
    assert drained_by(Check("either", Question("combined", either))) == ("either",)


class TestDrainsForTheWatcher:
    @pytest.fixture
    def directory(self, tmp_path: pathlib.Path) -> pathlib.Path:
        (tmp_path / "drain").mkdir()
        return tmp_path

    @pytest.mark.parametrize("name", ["a", "b", statedir.ALL])
    def test_drains_are_noticed_when_created_and_when_removed(
        self, directory: pathlib.Path, name: str
    ) -> None:
        drains = drain.Drains(str(directory))
        file = directory / "drain" / name
        for _ in range(50):  # within one tick of the kernel's clock, too
            assert drains.find(["a", "b"]) is None
            file.write_text("0 why\n")
            found = drains.find(["a", "b"])
            assert found is not None
            assert (found.name, found.message) == (name, "why")
            file.unlink()

    def test_one_of_another_check_is_not_ours(self, directory: pathlib.Path) -> None:
        assert not drain.Drains(str(directory)).may_exist()
        (directory / "drain" / "c").write_text("0 why\n")
        assert drain.Drains(str(directory)).may_exist()
        assert drain.Drains(str(directory)).find(["a", "b"]) is None

    def test_without_the_directory_nothing_is_drained(self, tmp_path: pathlib.Path) -> None:
        assert drain.Drains(str(tmp_path)).find(["a"]) is None

    def test_a_directory_that_is_made_later_counts(self, tmp_path: pathlib.Path) -> None:
        drains = drain.Drains(str(tmp_path))
        assert drains.find(["a"]) is None
        (tmp_path / "drain").mkdir()
        (tmp_path / "drain/a").write_text("0 why\n")
        assert drains.find(["a"]) is not None

    @pytest.mark.parametrize("later", [0.0, 0.5, 1.5, 3600.0])
    def test_a_drain_created_within_the_listings_clock_tick_is_seen(
        self, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch, later: float
    ) -> None:
        clock = SlowClock(monkeypatch)
        drains = drain.Drains(str(directory))
        assert drains.find(["a"]) is None
        (directory / "drain/a").write_text("0 why\n")
        clock.now += later
        assert drains.find(["a"]) is not None
        (directory / "drain/a").unlink()
        assert drains.find(["a"]) is None

    @pytest.mark.parametrize("step", [-3600.0, -1.0, 3600.0])
    def test_a_clock_that_was_set_makes_no_listing_trusted(
        self, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch, step: float
    ) -> None:
        """The time of the last change may come a second time."""
        clock = SlowClock(monkeypatch)
        drains = drain.Drains(str(directory))
        clock.now += 1.5
        assert drains.find(["a"]) is None
        (directory / "drain/a").write_text("0 why\n")
        clock.now += step
        assert drains.find(["a"]) is not None

    def test_a_directory_from_the_future_is_listed_each_time(
        self, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = SlowClock(monkeypatch)
        clock.stamp += 3600
        drains = drain.Drains(str(directory))
        assert drains.find(["a"]) is None
        (directory / "drain/a").write_text("0 why\n")
        assert drains.find(["a"]) is not None

    def test_while_nothing_changes_the_directory_is_not_listed(
        self, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = SlowClock(monkeypatch)
        drains = drain.Drains(str(directory))
        clock.now += 1.5
        assert drains.find(["a"]) is None
        monkeypatch.setattr(os, "listdir", lambda _: pytest.fail("listed"))
        assert drains.find(["a"]) is None
