"""When a /proc hides other users' processes from this one, and other corners of proc(5)."""

import os
import pathlib
import resource

import pytest

from kacheck import procfs

SEES_ALL = 1 << procfs.CAP_SYS_PTRACE


def proc_with(
    tmp_path: pathlib.Path,
    options: str,
    capabilities: int = 0,
    earlier: str = "",
    *,
    sees_first: bool = True,
) -> str:
    """Return a /proc whose own mount has these options."""
    proc = tmp_path / "proc"
    (proc / "7").mkdir(parents=True)
    (proc / "self").symlink_to("7")
    if sees_first:
        (proc / "1").mkdir()
        (proc / "1/comm").write_text("init\n")
    mounts = [f"22 27 0:21 / {proc} rw,relatime - proc proc {each}" for each in (earlier, options)]
    mounts[0] = mounts[0] if earlier else "24 27 0:6 / /dev rw - devtmpfs devtmpfs rw"
    (proc / "7/mountinfo").write_text("\n".join(mounts) + "\n")
    (proc / "7/status").write_text(f"Name:\tx\nPPid:\t1\nCapEff:\t{capabilities:016x}\n")
    return str(proc)


@pytest.mark.parametrize(
    ("options", "capabilities", "mode"),
    [
        ("rw", 0, None),
        ("rw,hidepid=0", 0, None),
        ("rw,hidepid=off", 0, None),
        ("rw,hidepid=1", 0, "1"),
        ("rw,hidepid=noaccess", 0, "noaccess"),
        ("rw,hidepid=2", 0, "2"),
        ("rw,gid=4242,hidepid=invisible", 0, "invisible"),
        ("rw,hidepid=invisible", SEES_ALL, None),
        ("rw,hidepid=ptraceable", SEES_ALL, None),
        (f"rw,gid={os.getegid()},hidepid=invisible", 0, None),
        (f"rw,gid={os.getegid()},hidepid=ptraceable", 0, "ptraceable"),
        (f"rw,gid={os.getegid()},hidepid=4", 0, "4"),
    ],
)
def test_hidepid(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    options: str,
    capabilities: int,
    mode: str | None,
) -> None:
    if "gid=" not in options:  # gid 0, the default, is root's group: not ours here
        monkeypatch.setattr(os, "getegid", lambda: 4711)
        monkeypatch.setattr(os, "getgroups", lambda: [4712])
    assert procfs.hidepid(proc_with(tmp_path, options, capabilities)) == mode


def test_a_capability_that_does_not_reveal_process_1_is_a_namespaces(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getegid", lambda: 4711)
    monkeypatch.setattr(os, "getgroups", list)
    proc = proc_with(tmp_path, "rw,hidepid=2", SEES_ALL, sees_first=False)
    assert procfs.hidepid(proc) == "2"


def test_a_supplementary_group_counts_as_the_gid_option_says(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getegid", lambda: 4711)
    monkeypatch.setattr(os, "getgroups", lambda: [4712])
    assert procfs.hidepid(proc_with(tmp_path, "rw,gid=4712,hidepid=2")) is None


def test_the_last_mount_on_one_place_is_the_one_that_shows(tmp_path: pathlib.Path) -> None:
    assert procfs.hidepid(proc_with(tmp_path, "rw", earlier="rw,gid=4711,hidepid=2")) is None


def test_a_proc_without_mountinfo_hides_nothing(tmp_path: pathlib.Path) -> None:
    assert procfs.hidepid(str(tmp_path)) is None


def test_the_ancestors_end_at_the_first_process(tmp_path: pathlib.Path) -> None:
    for pid, parent in ((9, 5), (5, 1), (1, 0)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a) b) S {parent} 0\n")
    assert procfs.ancestors(str(tmp_path), 9) == [5, 1, 0]
    assert procfs.ancestors(str(tmp_path), 4194304) == [], "gone"


def test_a_comm_may_hold_anything(tmp_path: pathlib.Path) -> None:
    (tmp_path / "3").mkdir()
    (tmp_path / "3/stat").write_text("3 (a) R (b)) S 1 3 3 0\n")
    assert procfs.Process.state(str(tmp_path / "3")) == "S"


def test_without_free_descriptors_proc_is_not_taken_for_unrestricted() -> None:
    """Else `--quorum-max 0` passes where hidepid hides the process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            procfs.mount_options("/proc")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
