"""`kacheck init` on the command line: what it cannot know it asks for, and it loses nothing."""

import subprocess
from collections.abc import Callable
from ipaddress import ip_interface
from pathlib import Path

import pytest

from helpers.vault import StandInVault
from helpers.web import WebServer
from kacheck import config
from kacheck.cli import main
from kacheck.init import command, knowledge, rehearsal
from kacheck.init.command import InitAnswer, init
from kacheck.init.knowledge import InitOrder
from kacheck.init.plan import NodePaths
from kacheck.migrate import verify
from kacheck.network import NetworkInterfaces, OwnAddress

VIP = "192.0.2.100/24"
MACHINE = NetworkInterfaces(
    ("lo", "lan0"),
    (
        OwnAddress("lo", ip_interface("127.0.0.1/8")),
        OwnAddress("lan0", ip_interface("192.0.2.1/24")),
    ),
)
CONFFILE = "# No check is in force.\n#[check.vault-graded]\n"

Run = Callable[..., InitAnswer]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A machine with the interface lan0, without keepalived and other nodes."""
    monkeypatch.setattr(knowledge, "interfaces", lambda: MACHINE)
    monkeypatch.setattr(knowledge, "routed_from", lambda _: None)
    monkeypatch.setattr(rehearsal, "listen", lambda *_: [])
    monkeypatch.setattr(verify, "program", lambda: None)
    monkeypatch.setattr(command, "service_user", lambda: None)
    paths = NodePaths(str(tmp_path / "keepalived.conf"), str(tmp_path / "kacheck.toml"))

    def call(**options: object) -> InitAnswer:
        return init(InitOrder(VIP, paths=paths)._replace(**options), {})  # type: ignore[arg-type]

    return call


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--vip", "203.0.113.100/24"], "--interface IF"),
        (["--vip", "192.0.2.100"], "--vip 192.0.2.100/"),
        (["--vip", "vault.example"], "--vip vault.example is not an address"),
        (["--vip", VIP, "--interface", "no-such"], "interface no-such does not exist here"),
        (["--vip", VIP, "--interface", "lo", "--service", "process"], "--process NAME"),
        (["--vip", VIP, "--interface", "lo", "--service", "http"], "--url URL"),
        (["--vip", VIP, "--interface", "lo", "--service", "tcp"], "--to HOST:PORT"),
        (["--vip", VIP, "--interface", "lo", "--service", "command"], "-- ARGV..."),
        (["--vip", VIP, "--interface", "lo", "--service", "consul"], "--consul-service NAME"),
        (
            ["--vip", VIP, "--url", "http://127.0.0.1/"],
            "--url has no meaning with --service vault; give --service http",
        ),
        (
            ["--vip", VIP, "--service", "tcp", "--process", "x"],
            "give --service vault or --service process",
        ),
        (
            ["--vip", VIP, "--", "/bin/true"],
            "ARGV has no meaning with --service vault; give --service command",
        ),
        (["--vip", VIP, "--interface", "lo", "--service", "http", "--url", "127.0.0.1"], "--url"),
        (
            ["--vip", VIP, "--interface", "lo", "--service", "tcp", "--to", "x"],
            "invalid value for --to: give HOST:PORT",
        ),
        (
            [
                "--vip",
                VIP,
                "--interface",
                "lo",
                "--service",
                "http",
                "--url",
                "http://192.0.2.100/",
            ],
            "is the VIP",
        ),
        (
            ["--vip", VIP, "--interface", "lo", "--service", "tcp", "--to", "192.0.2.100:80"],
            "is the VIP",
        ),
        (["--vip", VIP, "--interface", "lo", "--peer", "x"], "--peer x is not an IP address"),
        (["--vip", VIP, "--interface", "lo", "--peer", "127.0.0.1"], "this node's own address"),
        (["--vip", VIP, "--interface", "lo", "--peer", "::2"], "not both IPv4 or both IPv6"),
        (["--vip", VIP, "--interface", "lo", "--address", "x"], "--address"),
        (["--vip", VIP, "--interface", "lo", "--instance", "a {"], "--instance a {"),
        (["--vip", VIP, "--node", "6"], "not a number from 1 to 5"),
        (["--vip", VIP, "--router-id", "0"], "not a number from 1 to 255"),
        ([], "--vip"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    capsys: pytest.CaptureFixture[str], words: list[str], option: str
) -> None:
    assert main(["init", *words]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert option in said.err


def test_the_files_are_written_and_a_second_run_writes_nothing(
    run: Run, tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    start("served", "60")
    answer = run(service="process", process="served", write=True)
    assert answer.code == 1  # keepalived is not here
    assert "served: ok running" in answer.text
    names = ["kacheck-served.conf", "kacheck.toml", "keepalived.conf"]
    assert sorted(path.name for path in tmp_path.glob("k*")) == names
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("k*")} == {0o644}
    before = {path: path.stat() for path in tmp_path.iterdir()}
    assert "nothing to write" in run(service="process", process="served", write=True).text
    assert {path: path.stat() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (("/bin/sh", "-c", "echo all good"), 1, "sh: ok succeeded: "),
        (
            ("/bin/sh", "-c", "exit 2"),
            1,
            "the VIP does not come to this node as long as this lasts",
        ),
        (("/bin/sleep", "4"), 1, "sleep: critical timeout"),
        (("/no/such/plugin",), 3, "plugin: critical not-found: "),
    ],
)
def test_a_program_is_run_once_before_anything_is_written(
    run: Run, tmp_path: Path, argv: tuple[str, ...], code: int, says: str
) -> None:
    answer = run(service="command", argv=argv, write=True)
    assert says in answer.text + "".join(answer.remarks)
    assert answer.code == code
    assert (tmp_path / "kacheck.toml").exists() == (code != 3)


def test_the_other_nodes_get_the_program_and_their_own_address(run: Run) -> None:
    answer = run(service="command", argv=("/bin/sh", "-c", "exit 0"))
    assert "--node 2 --service command --write -- /bin/sh -c 'exit 0'\n" in answer.text
    with WebServer() as server:
        url = server.url()
        answer = run(service="http", url=url)
        assert f"--node 2 --service http --url {url} --write\n" in answer.text
    answer = run(service="consul", consul_service="web")
    assert "--node 2 --service consul --consul-service web --write\n" in answer.text
    answer = run(service="tcp", to="192.0.2.1:80")
    assert "--node 2 --service tcp --to HOST:PORT --write\n" in answer.text
    answer = run(service="tcp", to="198.51.100.7:80")
    assert "is not an IP address of this machine" in "".join(answer.remarks)


def test_without_a_number_a_node_keeps_the_one_that_it_has(run: Run, tmp_path: Path) -> None:
    run(service="process", process="served", node=3, write=True)
    answer = run(service="process", process="served", write=True)
    assert "nothing to write" in answer.text
    assert "--node 1" in answer.text
    assert "    priority 216 " in (tmp_path / "keepalived.conf").read_text()


def test_what_is_defined_in_the_file_itself_needs_no_include(run: Run, tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    run(service="process", process="served", write=True)
    recipe = tmp_path / "kacheck-served.conf"
    text = conf.read_text().replace("include kacheck-served.conf", recipe.read_text())
    conf.write_text(text)
    recipe.unlink()
    assert "nothing to write" in run(service="process", process="served", write=True).text
    assert conf.read_text() == text


def test_without_write_there_is_nothing_but_text(run: Run, tmp_path: Path) -> None:
    answer = run(service="process", process="no-such-process")
    assert "[check.no-such-process]" in answer.text
    assert "critical missing" in answer.remarks[0]
    assert list(tmp_path.glob("k*")) == []


def test_a_check_is_appended_to_the_conffile_of_the_package(run: Run, tmp_path: Path) -> None:
    toml = tmp_path / "kacheck.toml"
    toml.write_text(CONFFILE)
    toml.chmod(0o640)
    with StandInVault() as vault:
        answer = run(address=vault.address, process="vault", write=True)
    text = toml.read_text()
    assert text.startswith(CONFFILE)
    (check,) = config.parse(text, "kacheck.toml").checks
    assert check.name == "vault-graded"
    assert toml.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "kacheck.toml.kacheck-backup").read_text() == CONFFILE
    assert "+[check.vault-graded]\n" in answer.text


def test_a_check_that_asks_something_else_is_left_alone(run: Run, tmp_path: Path) -> None:
    toml = tmp_path / "kacheck.toml"
    toml.write_text('[check.vault-graded]\nprobe = "process"\nname = "x"\n')
    before = toml.read_text()
    answer = run(address="http://127.0.0.1:1", process="vault", write=True)
    assert answer.code == 1
    assert "is left alone: its check vault-graded differs from" in "".join(answer.remarks)
    assert toml.read_text() == before


@pytest.mark.parametrize("has_conf", [True, False])
def test_no_vip_follows_a_check_that_asks_something_else(
    run: Run, tmp_path: Path, *, has_conf: bool
) -> None:
    """Checks of two paths of a server have one name, and VI_2 would follow VI_1's."""
    conf = tmp_path / "keepalived.conf"
    with WebServer() as server:
        run(service="http", url=f"{server.url()}a", instance="VI_1", router_id=51, write=True)
        if not has_conf:
            conf.unlink()
        before = conf.read_text() if has_conf else ""
        second = {"vip": "192.0.2.101/24", "instance": "VI_2", "router_id": 52}
        answer = run(service="http", url=f"{server.url()}b", write=True, **second)
    assert answer.code == 1
    (left,) = (remark for remark in answer.remarks if f"{conf} is left alone" in remark)
    assert "VI_2 would not follow this check" in left
    assert "vrrp_instance VI_2 {" in left
    assert conf.exists() == has_conf
    assert not has_conf or conf.read_text() == before


def test_a_file_of_the_recipes_name_that_differs_is_not_included(run: Run, tmp_path: Path) -> None:
    """It may define what another check needs, under the names that the VIP would track."""
    run(service="process", process="web-api", write=True)
    conf = tmp_path / "keepalived.conf"
    conf.unlink()
    (recipe,) = tmp_path.glob("kacheck-*.conf")
    recipe.write_text(recipe.read_text().replace("/web-api", "/other"))
    answer = run(service="process", process="web-api", write=True)
    assert answer.code == 1
    assert any("differs from the recipe" in remark for remark in answer.remarks)
    assert not conf.exists()


def test_an_own_check_keeps_its_vip_and_nothing_is_to_be_added(run: Run, tmp_path: Path) -> None:
    run(service="process", process="served", write=True)
    toml = tmp_path / "kacheck.toml"
    toml.write_text(toml.read_text().replace("interval = 0.25", "interval = 2"))
    answer = run(service="process", process="served", write=True)
    assert "nothing to write" in answer.text
    assert not [remark for remark in answer.remarks if "keepalived.conf is left" in remark]


def test_an_uneditable_configuration_is_left_alone_with_lines_to_add(
    run: Run, tmp_path: Path
) -> None:
    conf = tmp_path / "keepalived.conf"
    text = (
        "vrrp_instance VI_1 {\n interface lan0\n nopreempt\n virtual_ipaddress { 192.0.2.100 }\n}\n"
    )
    conf.write_text(text)
    answer = run(address="http://127.0.0.1:1", process="vault", write=True)
    assert answer.code == 1
    (left,) = (remark for remark in answer.remarks if "keepalived.conf is left alone" in remark)
    assert "nopreempt" in left
    assert "include vault-graded.conf" in left
    assert "kacheck_vault_serves" in left
    assert conf.read_text() == text


def test_a_missing_ca_file_writes_nothing(run: Run, tmp_path: Path) -> None:
    answer = run(address="https://127.0.0.1:1", process="vault", ca_cert="/no/such.pem", write=True)
    assert answer.code == 3
    assert "/no/such.pem" in answer.remarks[0]
    assert list(tmp_path.glob("k*")) == []
