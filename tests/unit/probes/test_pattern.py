"""Which processes a pattern means: keepalived's rules, and where its traps are removed."""

from typing import NamedTuple

import pytest

from kacheck.probes.process.pattern import Pattern


class Fake(NamedTuple):
    """A process as /proc shows it; `exe=None` is another user's, whose executable is unreadable."""

    line: str
    name: str | None = None
    exe: str | None = ""

    def comm(self) -> bytes:
        name = self.name or self.line.split("|", 1)[0].rpartition("/")[2]
        return name.encode()[:15]

    def argv(self, limit: int) -> list[bytes]:
        words = self.line.encode()[:limit].split(b"|") if self.line else []
        if len(self.line) >= limit:
            words[-1] += b"\0"
        return words

    def executable(self) -> bytes:
        if self.exe is None:
            raise PermissionError(13, "Permission denied", "/proc/7/exe")
        return self.exe.encode()


def pattern(
    words: str,
    param_match: str | None = None,
    *,
    full_command: bool = False,
    resolved: str | None = None,
) -> Pattern:
    name, *args = (word.encode() for word in words.split("|"))
    return Pattern(
        name,
        tuple(args),
        param_match,
        full_command=full_command,
        resolved=resolved.encode() if resolved else None,
    )


VAULT = Fake("/usr/bin/vault|server|-config=/etc/vault.d", exe="/usr/bin/vault")
LONG = "prometheus-node-exporter"


@pytest.mark.parametrize(
    ("wanted", "process", "expected"),
    [
        pytest.param(pattern("vault"), VAULT, True, id="a bare name is compared with comm"),
        pytest.param(pattern("vaul"), VAULT, False, id="the whole comm, not a part"),
        pytest.param(
            pattern("vault"), Fake("vault", name="renamed"), False, id="comm decides, not argv[0]"
        ),
        pytest.param(
            pattern("nginx"), Fake("nginx: worker process", name="nginx"), True, id="title rewritten"
        ),
        pytest.param(pattern("a b"), Fake("x", name="a b"), True, id="a comm with a space"),
        pytest.param(pattern("a)b"), Fake("x", name="a)b"), True, id="a comm with a parenthesis"),
        pytest.param(
            pattern("fifteen-bytes-x"), Fake("y", name="fifteen-bytes-x"), True, id="15 bytes fit comm"
        ),
        pytest.param(pattern(LONG), Fake(f"/usr/bin/{LONG}"), True, id="longer than comm: argv[0]"),
        pytest.param(
            pattern(LONG), Fake("exporter: idle", name=LONG, exe=f"/usr/bin/{LONG}"), True,
            id="longer than comm: executable",
        ),
        pytest.param(
            pattern(LONG), Fake(f"/usr/bin/{LONG[:15]}"), False, id="comm alone proves no long name"
        ),
        pytest.param(
            pattern(LONG), Fake(f"/usr/bin/python3|-u|/opt/{LONG}|--x", name=LONG), True,
            id="longer than comm: a script by its name",
        ),
        pytest.param(
            pattern(LONG), Fake(f"/usr/bin/vim|/opt/{LONG}"), False, id="an editor of the script is not it"
        ),
        pytest.param(
            pattern("/usr/sbin/haproxy"), Fake("/usr/sbin/haproxy|-W"), True, id="a path: argv[0]"
        ),
        pytest.param(
            pattern("/usr/sbin/haproxy"), Fake("haproxy|-W", exe="/usr/sbin/haproxy"), True,
            id="a path: executable",
        ),
        pytest.param(
            pattern("/usr/sbin/haproxy"), Fake("haproxy|-W", exe="/opt/haproxy"), False,
            id="a path: another executable of that name is not it",
        ),
        pytest.param(
            pattern("/usr/sbin/haproxy", resolved="/usr/sbin/haproxy-2.8"),
            Fake("haproxy", exe="/usr/sbin/haproxy-2.8"), True,
            id="a path that is a symbolic link",
        ),
        pytest.param(
            pattern("/opt/app/run.sh"), Fake("/bin/sh|/opt/app/run.sh", name="run.sh", exe="/bin/dash"),
            True, id="a path of a script",
        ),
        pytest.param(pattern(LONG), Fake("", name="kthreadd"), False, id="a kernel thread"),
        pytest.param(
            pattern(LONG), Fake("other", exe=None), False, id="another user's process of another name"
        ),
        pytest.param(
            pattern("/usr/bin/vault", full_command=True), VAULT, True,
            id="full_command ignores arguments",
        ),
        pytest.param(
            pattern("vault", full_command=True), Fake("vault", name="renamed"), True,
            id="full_command: argv[0], not comm",
        ),
        pytest.param(
            pattern("vault", full_command=True), VAULT, False, id="full_command: no part of argv[0]"
        ),
        pytest.param(
            pattern("/usr/bin/vault", full_command=True), Fake("vault", exe="/usr/bin/vault"), False,
            id="full_command: not the executable",
        ),
        pytest.param(
            pattern("/opt/vault", full_command=True, resolved="/usr/bin/vault"), VAULT, False,
            id="full_command: not where a link leads to",
        ),
        pytest.param(
            pattern("/opt/run", full_command=True), Fake("/bin/sh|/opt/run", name="run"), False,
            id="full_command: not a script",
        ),
        pytest.param(
            pattern("vault|server", full_command=True), Fake("vault|server"), True,
            id="full_command with arguments",
        ),
        pytest.param(
            pattern("vault|server", full_command=True), Fake("/usr/bin/vault|server"), False,
            id="full_command with arguments: no part of argv[0]",
        ),
        pytest.param(
            pattern("vault", full_command=True), Fake("sh|-c|vault"), False, id="not an argument"
        ),
    ],
)  # fmt: skip
def test_name(wanted: Pattern, process: Fake, expected: bool) -> None:
    assert wanted.matches(process) is expected


@pytest.mark.parametrize(
    ("wanted", "param_match", "line", "expected"),
    [
        ("vault|server", None, "vault|server", True),
        ("vault|server", None, "/usr/bin/vault|server", True),
        ("vault|server", None, "vault|server|-dev", False),
        ("vault|server", None, "vault|agent", False),
        ("vault|server", None, "vault", False),
        ("vault", "exact", "vault", True),
        ("vault", "exact", "vault|server", False),
        ("vault|server", "exact", "vault|server|-dev", False),
        ("vault", "initial", "vault|anything", True),
        ("vault|ser", "initial", "vault|server", True),
        ("vault|ser", "initial", "vault|server|-dev", True),
        ("vault|server|-config", "initial", "vault|server|-config=/etc/vault.d", True),
        ("vault|ser|-dev", "initial", "vault|server|-dev", False),
        ("vault|ser", "initial", "vault", False),
        ("vault", "partial", "vault|anything", True),
        ("vault|server", "partial", "vault|server|-dev", True),
        ("vault|ser", "partial", "vault|server", False),
        ("vault|server|-dev", "partial", "vault|server", False),
    ],
)
def test_arguments_match_as_check_params_of_keepalived_does(
    wanted: str,
    param_match: str | None,
    line: str,
    expected: bool,
) -> None:
    assert pattern(wanted, param_match).matches(Fake(line)) is expected


def test_a_link_and_what_it_links_to_are_one_command() -> None:
    java = pattern("/usr/bin/java", resolved="/usr/lib/jvm/bin/java-17")
    assert java.matches(Fake("/usr/lib/jvm/bin/java-17|-jar", exe=None))
    with pytest.raises(PermissionError):
        java.matches(Fake("renamed", name="java-17", exe=None))
    assert not java.matches(Fake("renamed", name="other", exe=None))


def test_arguments_that_cannot_match_need_no_permission() -> None:
    assert not pattern("/usr/bin/vault|server").matches(Fake("vault|agent", name="vault", exe=None))


def test_the_script_follows_its_interpreter() -> None:
    line = "/usr/bin/tail|-f|-n1|/opt/prometheus-node-exporter"
    assert not pattern(LONG).matches(Fake(line, name=LONG[:15]))


def test_an_unreadable_executable_that_could_match_is_not_ruled_out() -> None:
    with pytest.raises(PermissionError):
        pattern("/usr/sbin/haproxy").matches(Fake("haproxy|-W", exe=None))


@pytest.mark.parametrize(
    ("wanted", "line", "expected"),
    [
        (pattern("java|-cp=/opt", "initial"), "/usr/bin/java|-cp=/opt/" + "x" * 100_000, True),
        (pattern("java|-cp=/opt", "partial"), "/usr/bin/java|-cp=/opt|" + "x" * 100_000, True),
        (pattern("java|-cp=/opt"), "/usr/bin/java|-cp=/opt|" + "x" * 100_000, False),
        (pattern("java|-cp=/opt"), "/usr/bin/java|-cp=/opt" + "|" * 100_000, False),
        (pattern(f"java|{'x' * 50_000}|end"), f"/usr/bin/java|{'x' * 50_000}|end", True),
        (pattern(f"java|{'x' * 50_000}|end"), f"/usr/bin/java|{'x' * 50_000}|end|more", False),
        (pattern(LONG), "x" * 12_000 + f"/{LONG}" + "y" * 100_000, False),
        (pattern(f"/{'x' * 9000}", full_command=True), f"/{'x' * 9000}", True),
        (pattern(LONG), f"/bin/{'i' * 240}|-a|/{'d' * 4000}/{LONG}|" + "x" * 100_000, True),
        (
            pattern(f"{LONG}|end"),
            f"/bin/{'i' * 240}|{'-' * 250}|/{'d' * 4060}/{LONG}|end",
            True,
        ),
    ],
)
def test_the_beginning_of_a_command_line_decides_like_all_of_it(
    wanted: Pattern, line: str, expected: bool
) -> None:
    assert wanted.reach < 64_000
    assert wanted.matches(Fake(line, name=LONG, exe="/other")) is expected
