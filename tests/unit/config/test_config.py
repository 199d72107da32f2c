"""The configuration file: what it means, and for each mistake its line and the cure."""

import contextlib
import itertools
import os
import pathlib
import subprocess
import sys
import time
from argparse import _SubParsersAction
from typing import Any

import pytest

from helpers.reasons import REASON
from kacheck import arguments, config
from kacheck.check import Check, CheckConfiguration, Question, Track
from kacheck.commands.probe import PREFIX
from kacheck.config.keys import NAMES
from kacheck.exchange.options import Trust
from kacheck.probe import load
from kacheck.probes import MODULES
from kacheck.probes import probe as declaration
from kacheck.probes.combined.question import Combination
from kacheck.probes.process.options import ProcessOptions
from kacheck.probes.vault.settings import VaultOptions
from kacheck.result import BadConfigError, Status
from kacheck.state import Policy

DESIGN = """
    [check.vault-process]
    probe = "process"
    name = "vault"

    [check.vault-active]
    probe = "vault"
    address = "https://127.0.0.1:8200"
    ca_cert = "/etc/vault.d/ca.pem"

    [check.vault-node]
    probe = "combined"
    all = ["vault-process", "vault-active"]
    interval = 1.0
    timeout = 0.8
    rise = 2
    fall = 2
    track = { ok = 1, warning = 0, critical = 0, unknown = 0 }
"""
"""DESIGN.md's example."""

PROCESS = '[check.a]\nprobe = "process"\nname = "x"\n'
VAULT = '[check.a]\nprobe = "vault"\n'
COMBINED = '[check.b]\nprobe = "process"\nname = "x"\n[check.a]\nprobe = "combined"\n'


def parse(text: str) -> CheckConfiguration:
    return config.parse(text, "k.toml")


def only(text: str) -> Check:
    """Return the check named a."""
    return {check.name: check for check in parse(text).checks}["a"]


def process(lines: str = "") -> Check:
    return only(PROCESS + lines)


def vault(lines: str = "") -> VaultOptions:
    asked = only(VAULT + lines).question.asked
    assert isinstance(asked, VaultOptions)
    return asked


def combined(lines: str) -> Combination:
    asked = only(COMBINED + lines).question.asked
    assert isinstance(asked, Combination)
    return asked


def of_process(name: str = "x", **options: Any) -> Question:
    return Question("process", ProcessOptions(name, **options))


def deep(levels: int) -> str:
    """Return combined checks of combined checks, and one that is not."""
    inner = '[check.x0]\nprobe = "vault"\n'
    return inner + "".join(
        f'[check.x{n}]\nprobe = "combined"\nall = ["x{n - 1}"]\n' for n in range(1, levels + 1)
    )


def wide(count: int) -> str:
    """Return a combined check of that many checks."""
    members_too = "".join(f'[check.b{n}]\nprobe = "vault"\n' for n in range(count))
    return f"\n\n\n[check.a]\nprobe = 'combined'\nany = [{members(count)}]\n{members_too}"


def members(count: int) -> str:
    return ", ".join(f'"b{n}"' for n in range(count))


# --- what it means -----------------------------------------------------------------------------


def test_the_example_of_the_design() -> None:
    asked = of_process("vault")
    url = "https://127.0.0.1:8200"
    node = Question(
        "vault", VaultOptions(url, f"{url}/v1/sys/health", trust=Trust("/etc/vault.d/ca.pem"))
    )
    members = (("vault-process", asked), ("vault-active", node))
    both = Question("combined", Combination("all", members))
    assert parse(DESIGN) == CheckConfiguration(
        (
            Check("vault-process", asked),
            Check("vault-active", node),
            Check("vault-node", both, 1.0, 0.8, Policy(2, 2), Track(1, 0, 0, 0)),
        ),
    )


def test_what_is_not_said_is_the_default() -> None:
    assert process() == Check("a", of_process(), 1.0, 0.8, Policy(), Track())
    assert vault() == VaultOptions()
    assert parse(PROCESS).metrics is None


def test_every_key_of_a_process_check() -> None:
    check = process(
        'args = ["server", ""]\nquorum = 2\nquorum_max = 3\nparam_match = "initial"\n'
        'full_command = true\nuser = "vault"\nall_namespaces = true\n'
    )
    assert check.question.asked == ProcessOptions(
        "x", ("server", ""), 2, 3, "initial", full_command=True, user="vault", all_namespaces=True
    )


def test_a_process_that_must_not_run() -> None:
    assert process("quorum_max = 0").question == of_process(quorum_max=0)


def test_every_key_of_a_vault_check() -> None:
    assert vault(
        'address = "unix:///run/vault.sock"\naccept = ["active", "standby"]\n'
        'ca_cert = "/ca.pem"\nca_path = "/certs"\nclient_cert = "/c.pem"\nclient_key = "/k.pem"\n'
        'tls_server_name = "vault.example"\ninsecure = true\nremote = true\n'
    ) == VaultOptions(
        "unix:///run/vault.sock", "http://localhost/v1/sys/health", "/run/vault.sock",
        ("active", "standby"),
        Trust("/ca.pem", None, "", "/certs", "/c.pem", "/k.pem",
              "vault.example", insecure=True, remote=True),
    )  # fmt: skip


def test_a_single_role_needs_no_array() -> None:
    assert vault('accept = "standby"').accept == ("standby",)


def test_the_environment_says_nothing_about_a_configured_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "ADDR": "http://x",
        "CACERT": "c",
        "SKIP_VERIFY": "1",
        "CLIENT_CERT": "c",
    }.items():
        monkeypatch.setenv(f"VAULT_{name}", value)
        monkeypatch.setenv(f"BAO_{name}", value)
    assert vault() == VaultOptions()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0), ("0.25", 0.25), ("60", 60.0), ("0.1", 0.1), ('"500ms"', 0.5), ('"1m"', 60.0),
        ('"1s500ms"', 1.5), ('"3"', 3.0), ("1e1", 10.0), ('".5s"', 0.5),
    ],
)  # fmt: skip
def test_times_are_seconds_or_durations(text: str, seconds: float) -> None:
    check = process(f"interval = {text}")
    assert check.interval == pytest.approx(seconds)
    assert type(check.interval) is float


@pytest.mark.parametrize("text", ["0", "0.0", '"0"', '"0s"', '"0m0.0s"', '".0"', "-0.0"])
def test_a_delay_may_be_0(text: str) -> None:
    policy = process(f"fork_delay = {text}\nterminate_delay = {text}").policy
    assert (policy.fork_delay, policy.terminate_delay) == (0, 0)


@pytest.mark.parametrize(
    ("lines", "timeout"),
    [
        ("", 0.8), ("interval = 10", 0.8), ("interval = 0.5", 0.8), ("interval = 0.1", 0.8),
        ("interval = 5\ntimeout = 5", 5), ('interval = "1s"\ntimeout = "1000ms"', 1),
        ("interval = 0.25\ntimeout = 2", 2), ("timeout = 1", 1),
    ],
)  # fmt: skip
def test_the_timeout_does_not_depend_on_the_interval(lines: str, timeout: float) -> None:
    assert process(lines).timeout == pytest.approx(timeout)


def test_every_key_of_the_policy() -> None:
    assert process(
        'rise = 1\nfall = 255\nfork_delay = "1m30s"\nterminate_delay = 3600\n'
        'on_unknown = "hold"\nhold_for = "1h"\n'
    ).policy == Policy(1, 255, 90.0, 3600.0, "hold", 3600.0)


@pytest.mark.parametrize(
    ("table", "track"),
    [
        ("{}", Track()),
        ("{ ok = 50 }", Track(50)),
        ("{ ok = 50, critical = -100 }", Track(50, -100, -100)),
        ("{ ok = 50, warning = 10, critical = -254 }", Track(50, 10, -254)),
        ("{ unknown = -1, standby = 0, sealed = -5 }", Track(1, 0, 0, -1, ((REASON["standby"], 0), (REASON["sealed"], -5)))),
        ("{ missing = -1, hidden = -1 }", Track(reasons=((REASON["missing"], -1), (REASON["hidden"], -1)))),
        ("{ ok = 20, warning = 20 }", Track(20, 20)),
        ("{ draining = -10, performance-standby = 1 }", Track(reasons=((REASON["draining"], -10), (REASON["performance-standby"], 1)))),
    ],
)  # fmt: skip
def test_the_numbers_for_keepalived(table: str, track: Track) -> None:
    assert process(f"track = {table}").track == track


def test_the_numbers_may_have_a_header_of_their_own() -> None:
    check = process("[check.a.track]\nok = 50\nstandby = 0\ncritical = -100\n")
    assert check.track.value(Status.CRITICAL, REASON["sealed"], Policy()) == -100


def test_combined_of_checks_by_name_wherever_they_stand() -> None:
    text = (
        '[check.a]\nprobe = "combined"\nany = ["c", "b"]\n'
        '[check.b]\nprobe = "process"\nname = "x"\n'
        '[check.c]\nprobe = "combined"\nall = ["b"]\n'
    )
    inner = Question("combined", Combination("all", (("b", of_process()),)))
    assert only(text).question.asked == Combination("any", (("c", inner), ("b", of_process())))


def test_combined_checks_may_be_as_deep_as_anyone_needs() -> None:
    assert len(parse(deep(15)).checks) == 16


def test_one_check_may_be_part_of_several() -> None:
    lines = 'all = ["b", "c"]\n[check.c]\nprobe = "combined"\nany = ["b"]\n'
    assert [name for name, _ in combined(lines).members] == ["b", "c"]


def test_a_combination_may_ask_as_often_as_anyone_needs() -> None:
    asked = only(wide(256)).question.asked
    assert isinstance(asked, Combination)
    assert len(asked.members) == 256


def test_a_graph_of_combinations_is_not_walked_by_its_paths() -> None:
    """3 ** 15 paths from the top; the first combination with too many is the one that is named."""
    levels = [[f"x{level}{way}" for way in "abc"] for level in range(16)]
    tables = [f'[check.{name}]\nprobe = "vault"\n' for name in levels[0]] + [
        f'[check.{name}]\nprobe = "combined"\nall = {below}\n'
        for below, level in itertools.pairwise(levels)
        for name in level
    ]
    for order in (tables, [*reversed(tables)]):
        begun = time.process_time()
        with pytest.raises(BadConfigError, match=r"check x6. makes 729 looks"):
            parse("".join(order))
        assert time.process_time() - begun < 2


def test_many_checks_of_the_same_members_take_a_moment() -> None:
    tables = "".join(f'[check.c{n}]\nprobe = "combined"\nany = ["a"]\n' for n in range(3000))
    begun = time.process_time()
    assert len(parse(wide(256) + tables).checks) == 3257
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (COMBINED + f"all = [{members(60_000)}]", "unknown check b0"),
        (f"a{'.a' * 500_000} = 1", "more than 16 parts"),
    ],
    ids=["names", "parts"],
)
def test_nothing_takes_the_square_of_its_length(text: str, words: str) -> None:
    begun = time.process_time()
    with pytest.raises(BadConfigError, match=words):
        parse(text)
    assert time.process_time() - begun < 2


def test_dots_outside_keys_do_no_harm() -> None:
    dots = ". " * 100
    text = f'# {dots}\n{PROCESS}args = [\'{dots}\', """\na{".a" * 100} = 1\n"""]\n'
    assert isinstance(only(text).question.asked, ProcessOptions)


@pytest.mark.parametrize("text", ["nobody", "0", "998", "4294967294", "a b", "1000x"])
def test_users_are_names_or_numbers(text: str) -> None:
    assert process(f"user = '{text}'").question == of_process(user=text)


def test_a_socket_may_have_a_blank_in_its_path() -> None:
    assert vault("address = 'unix:///run/my vault.sock'").unix_socket == "/run/my vault.sock"


def test_only_reasons_of_healthy_nodes_count_as_much_as_ok() -> None:
    healthy = set()
    for reason in REASON.values():
        with contextlib.suppress(BadConfigError):
            process(f"track = {{ {reason} = 1 }}")
            healthy.add(str(reason))
    assert healthy == {
        "running", "succeeded", "warned",
        "active", "standby", "performance-standby", "dr-secondary",
        "connected", "answered", "warning-status", "certificate-expiring",
        "passing", "service-warning", "untagged", "leader", "follower", "lock-held",
        "lock-elsewhere", "lock-free",
    }  # fmt: skip


def test_combined_with_the_process_and_vault_in_place() -> None:
    assert combined(
        'process = "vault"\nuser = "vault"\nall_namespaces = true\nremote = true\n'
    ) == (
        Combination(
            "all",
            (
                ("process", of_process("vault", user="vault", all_namespaces=True)),
                ("vault", Question("vault", VaultOptions(trust=Trust(remote=True)))),
            ),
            inline=True,
        )
    )


def test_checks_are_in_the_files_order() -> None:
    text = "".join(f'[check.{name}]\nprobe = "process"\nname = "x"\n' for name in "cab")
    assert [check.name for check in parse(text).checks] == ["c", "a", "b"]


def test_the_metrics_file_need_not_exist() -> None:
    assert parse(f'metrics = "/no/such/dir/k.prom"\n{PROCESS}').metrics == "/no/such/dir/k.prom"


@pytest.mark.parametrize("name", ["a", "0", "_", "Vault.Active-1", "x" * 64, "all-nodes"])
def test_names_of_checks(name: str) -> None:
    assert parse(f'[check."{name}"]\nprobe = "vault"').checks[0].name == name


@pytest.mark.parametrize(
    "text",
    [
        'check.a.probe = "process"\ncheck.a.name = "x"',
        '[check]\na.probe = "process"\na.name = "x"',
        '[check]\na = { probe = "process", name = "x" }',
        'check = { a.probe = "process", a.name = "x" }',
        "['check'.\"a\"] # here\r\n'probe' = '''process'''\r\n\"name\"=\"\\u0078\"\r\n",
    ],
)
def test_any_form_of_toml_will_do(text: str) -> None:
    assert only(text) == process()


@pytest.mark.parametrize("text", ["", "# [check.a]\n", "[check]\n"])
def test_a_file_may_have_no_check_yet(text: str) -> None:
    assert parse(text) == CheckConfiguration(())


# --- what is wrong, where, and the cure --------------------------------------------------------

BROKEN = {
    # the file
    "an unknown key": ("\nmetric = 1\n", 2, "metric is not a key of this file; did you mean metrics?"),
    "an unknown word": ("\nlogging = 1\n", 2, "logging is not a key of this file; choose from check, metrics"),
    "an unknown table": (PROCESS + "[checks.b]\n", 4, "did you mean check?"),
    "a check's key on top": ("interval = 1\n" + PROCESS, 1, "interval is a key of a check; put it below the header"),
    "a check without the word": ('[vault-node]\nprobe = "vault"', 1, "write [check.vault-node]"),
    "check is a number": ("\ncheck = 1", 2, "begins with [check.NAME]"),
    "one check without a name": ('[check]\nprobe = "vault"', 2, "begins with [check.probe]"),
    "checks in double brackets": ("\n[[check.a]]\nprobe = 'vault'", 2, "begins with [check.a]"),
    # metrics
    "metrics is a number": (f"metrics = 1\n{PROCESS}", 1, "metrics is 1; give a string, in quotes"),
    "metrics is relative": (f"metrics = 'k.prom'\n{PROCESS}", 1, 'metrics is "k.prom"; give an absolute path'),
    "metrics for nobody": (f"metrics = '/k.txt'\n{PROCESS}", 1, "ends in .prom"),
    "metrics in a check": (f"{PROCESS}metrics = '/k.prom'", 4, "put it above the first header"),
    # names
    "a name with a space": ('\n[check."a b"]\nprobe = "vault"', 2, '"a b" is not a valid name for a check; give at most 64'),
    "a name with a slash": ('[check."a/b"]\nprobe = "vault"', 1, '"a/b"'),
    "a name with a line end": ('[check."a\\n"]\nprobe = "vault"', 1, "give at most 64"),
    "a name that is hidden": ('[check.".a"]\nprobe = "vault"', 1, '".a"'),
    "an empty name": ('[check.""]\nprobe = "vault"', 1, '""'),
    "a name with an umlaut": ('[check."ä"]\nprobe = "vault"', 1, '"ä"'),
    "a long name": (f'[check.{"x" * 65}]\nprobe = "vault"', 1, "at most 64"),
    "every check": ('[check.ALL]\nprobe = "vault"', 1, "not ALL, which means every check"),
    "every check in small letters": ('[check.all]\nprobe = "vault"', 1, "not ALL"),
    # probe
    "no probe": (f'{PROCESS}[check.b]\nname = "x"\n', 4, 'check b has no probe; add probe = "process", "vault", "http", "tcp", "command", "consul" or "combined"'),
    "no probe, implied": ('\n\ncheck.b.name = "x"\n', 3, "check b has no probe"),
    "a mistyped probe key": ('[check.a]\nname = "x"\nprobes = "vault"', 3, "did you mean probe?"),
    "an unknown probe": ('[check.a]\nprobe = "valut"', 2, 'probe is "valut"; give "process", "vault", "http", "tcp", "command", "consul" or "combined" (did you mean vault?)'),
    "a probe that is not a string": ("[check.a]\nprobe = ['vault']", 2, 'probe is an array; give "process"'),
    # keys
    "an unknown key of a check": (f"{PROCESS}intervall = 1", 4, "unknown key intervall for probe process; did you mean interval?"),
    "an option's dash": (f"{VAULT}ca-cert = '/x'", 3, "did you mean ca_cert?"),
    "capitals": (f"{VAULT}ADDRESS = 'http://x'", 3, "did you mean address?"),
    "a word like no other": (f"{VAULT}zzz = 1", 3, "choose from probe, interval, timeout, "),
    "Vault's key of a process": (f"{PROCESS}ca_cert = '/x'", 4, "ca_cert is a key of probe vault and http and tcp and consul and combined; remove it"),
    "the process's key of Vault": (f"{VAULT}\nname = 'x'", 4, "name is a key of probe process; remove it"),
    "combined's key of Vault": (f"{VAULT}all = ['x']", 3, "all is a key of probe combined"),
    "the first mistake of two": (f"{PROCESS}rise = 0\nfal = 1", 4, "rise is 0"),
    # times
    "an interval too short": (f"{PROCESS}interval = 0.09", 4, "interval is 0.09; give seconds from 0.1 to 60"),
    "an interval too long": (f"{PROCESS}interval = 61", 4, 'such as 1.5 or "1s500ms"'),
    "a negative interval": (f"{PROCESS}interval = -1", 4, "interval is -1; give"),
    "a true interval": (f"{PROCESS}interval = true", 4, "interval is true; give seconds"),
    "an infinite interval": (f"{PROCESS}interval = inf", 4, "interval is inf; give seconds"),
    "an infinite fork_delay": (f"{PROCESS}fork_delay = +inf", 4, "seconds from 0 to 3600"),
    "no number": (f"{PROCESS}timeout = nan", 4, "timeout is nan; give seconds above 0"),
    "a number that no float holds": (f"{PROCESS}interval = 1{'0' * 400}", 4, "interval is 1000"),
    "a word": (f"{PROCESS}interval = 'soon'", 4, 'interval is "soon"'),
    "an empty time": (f"{PROCESS}fork_delay = ''", 4, "fork_delay is"),
    "no unit": (f"{PROCESS}fork_delay = '0x'", 4, 'fork_delay is "0x"'),
    "a date": (f"{PROCESS}interval = 2024-01-01", 4, "interval is 2024-01-01; give seconds"),
    "a time of the day": (f"{PROCESS}interval = 00:00:01", 4, "interval is 00:00:01; give seconds"),
    "no timeout": (f"{PROCESS}timeout = 0", 4, "timeout is 0; give seconds above 0 and at most 60"),
    "a delay too long": (f"{PROCESS}fork_delay = '1h1s'", 4, "from 0 to 3600"),
    "nothing to hold for": (f"{PROCESS}on_unknown = 'hold'\nhold_for = 0", 5, "hold_for is 0; give seconds above 0 and at most 3600"),
    "hold_for without hold": (f"{PROCESS}hold_for = 5", 4, 'without on_unknown = "hold"; add that, or leave it out'),
    "hold_for with fail": (f"{PROCESS}hold_for = 5\non_unknown = 'fail'", 4, "without on_unknown"),
    "an unknown on_unknown": (f"{PROCESS}on_unknown = 'holds'", 4, '"fail", "ok" or "hold" (did you mean hold?)'),
    # numbers
    "no fall": (f"{PROCESS}fall = 0", 4, "fall is 0; give a whole number from 1 to 255"),
    "too high a rise": (f"{PROCESS}rise = 256", 4, "rise is 256; give a whole number from 1 to 255"),
    "a float": (f"{PROCESS}rise = 2.0", 4, "rise is 2.0; give a whole number"),
    "a number in quotes": (f"{PROCESS}rise = '2'", 4, 'rise is "2"; give a whole number'),
    "a boolean for a number": (f"{PROCESS}rise = true", 4, "rise is true; give a whole number"),
    # process
    "no name": ('[check.a]\nprobe = "process"\n', 1, 'check a has no name; add name = "vault"'),
    "an empty process": ('[check.a]\nprobe = "process"\nname = ""', 3, 'name is ""; give it a value'),
    "NUL in a name": ('[check.a]\nprobe = "process"\nname = "a\\u0000b"', 3, "without NUL"),
    "args in one string": (f"{PROCESS}args = 'server'", 4, 'args is "server"; give an array, in square brackets'),
    "an argument that is a number": (f"{PROCESS}args = [\n'-p',\n80]", 6, "args, element 2, is 80; give a string, in quotes"),
    "NUL in an argument": (f'{PROCESS}args = ["\\u0000"]', 4, "args, element 1,"),
    "no quorum": (f"{PROCESS}quorum = 0", 4, "quorum is 0; give a whole number from 1 to 65535"),
    "a quorum above the maximum": (
        f"{PROCESS}quorum = 3\nquorum_max = 2", 5, "quorum 3 is above quorum_max 2; no number of processes satisfies both"),
    "an unknown match": (f"{PROCESS}param_match = 'partly'", 4, '"exact", "initial" or "partial" (did you mean partial?)'),
    "a flag in quotes": (f"{PROCESS}full_command = 'true'", 4, 'full_command is "true"; give true or false, without quotes'),
    "a flag that is a number": (f"{PROCESS}all_namespaces = 1", 4, "all_namespaces is 1; give true or false"),
    "a user's number": (f"{PROCESS}user = 998", 4, "user is 998; give a string, in quotes"),
    "a user's number in other digits": (f"{PROCESS}user = '\u0661'", 4, "; give a user's name, or a number from 0 to 4294967294, in quotes"),
    "a user's number that none has": (f"{PROCESS}user = '4294967295'", 4, 'user is "4294967295"; give a user\'s name'),
    "a user's number too long for Python": (f"{PROCESS}user = '{'9' * 5000}'", 4, "; give a user's name"),
    # vault
    "an address without scheme": (f"{VAULT}address = '127.0.0.1:8200'", 3, "address 127.0.0.1:8200 is not an address of Vault; give one like https://127.0.0.1:8200"),
    "an address with a word for a port": (f"{VAULT}\n address = 'http://x:y'", 4, "address http://x:*** is not a valid URL"),
    "an address with a query": (f"{VAULT}address = 'http://x/?standbyok'", 3, "address http://x/?***: remove the query"),
    "an address with a blank": (f"{VAULT}\naddress = 'http://x y:8200'", 4, "address is invalid; give it without a blank or a control character"),
    "an address with a blank before it": (f"{VAULT}address = ' http://x:8200'", 3, "address is invalid; give it without a blank"),
    "an address with a line end": (f'{VAULT}address = "http://x:8200\\n"', 3, "address is invalid; give it without a blank"),
    "an address with a tab": (f'{VAULT}address = "http://x\\t:8200"', 3, "address is invalid; give it without a blank"),
    "a socket with a line end": (f'{VAULT}address = "unix:///run/v\\n"', 3, "address is invalid; give it without a blank"),
    "an address within with a blank": (f"{COMBINED}process = 'x'\naddress = 'http://x /'", 7, "address is invalid; give it without a blank"),
    "an empty address": (f"{VAULT}address = ''", 3, 'address is ""; give it a value, or leave it out'),
    "an unknown role": (f"{VAULT}accept = ['active',\n'stand-by']", 4, "(did you mean standby?)"),
    "an unknown single role": (f"{VAULT}accept = 'leader'", 3, 'accept is "leader"; give "active", '),
    "no role": (f"{VAULT}accept = []", 3, "accept is empty; give at least one"),
    "a role twice": (f"{VAULT}accept = ['active', 'active']", 3, "active is given twice; give it once"),
    "a table for a role": (f"{VAULT}accept = {{ active = true }}", 3, "accept is a table; give an array"),
    "a relative CA file": (f"{VAULT}ca_cert = 'ca.pem'", 3, 'ca_cert is "ca.pem"; give an absolute path'),
    "a relative CA directory": (f"{VAULT}ca_path = './certs'", 3, "give an absolute path"),
    "a relative certificate": (f"{VAULT}client_cert = 'c'\nclient_key = '/k'", 3, "client_cert is"),
    "a relative key": (f"{VAULT}client_cert = '/c'\nclient_key = 'k'", 4, "client_key is"),
    "a certificate without its key": (f"{VAULT}client_cert = '/c'", 3, "client_cert needs client_key; add client_key"),
    "a key without its certificate": (f"{VAULT}remote = true\nclient_key = '/k'", 4, "add client_cert"),
    "NUL in a path": (f'{VAULT}ca_cert = "/\\u0000"', 3, "without NUL"),
    # combined
    "nothing to combine": (COMBINED, 4, 'check a has no process; add process = "vault", the process that must run, or all with names of checks, or any'),
    "no member": (f"{COMBINED}all = []", 6, "all is empty; give at least one"),
    "a member in no array": (f"{COMBINED}all = 'b'", 6, "give an array, in square brackets"),
    "a member that is not a name": (f"{COMBINED}all = ['b',\n\n1]", 8, "all, element 2, is 1; give a string"),
    "a member twice": (f"{COMBINED}any = [\n'b',\n'b'\n]", 8, "b is given twice; give it once"),
    "a member that is not a check": (f"{COMBINED}any = ['b',\n'bb']", 7, "unknown check bb; did you mean b?"),
    "a member almost like the check itself": (
        '[check.b]\nprobe = "vault"\n[check.node]\nprobe = "combined"\nall = ["nodes"]', 5, "unknown check nodes; choose from b"),
    "a member like no check": (f"{COMBINED}any = ['zzz']", 6, "unknown check zzz; choose from b"),
    "all and any": (f"{COMBINED}all = ['b']\nany = ['b']", 7, "any cannot be combined with all; remove one of them"),
    "all and a process": (f"{COMBINED}process = 'x'\nall = ['b']", 7, "all cannot be combined with process"),
    "all and Vault": (f"{COMBINED}all = ['b']\nremote = true", 7, "remote cannot be combined with all"),
    "Vault without a process": (f"{COMBINED}remote = true\n", 4, "add process = "),
    "a bad address within": (f"{COMBINED}process = 'x'\naddress = 'x'", 7, "address x is not an address of Vault"),
    "a certificate within": (f"{COMBINED}process = 'x'\nclient_cert = '/x'", 7, "add client_key"),
    "itself": (f"{COMBINED}all = ['b', 'a']", 6, "the checks form a cycle, a -> a; remove one"),
    "a cycle": (
        f"{COMBINED}all = ['c']\n[check.c]\nprobe = 'combined'\nany = [\n'b',\n'a']", 11, "cycle, a -> c -> a; remove"),
    "a cycle that others lead to": (
        f"{COMBINED}all = ['c']\n[check.c]\nprobe = 'combined'\nall = ['d']\n[check.d]\nprobe = 'combined'\nall = ['c']",
        12, ":12: the checks form a cycle, c -> d -> c"),
    "too deep": (deep(16), 5, "combined checks are nested more than 16 deep; name their members here"),
    "too many members": (wide(257), 6, "check a makes 257 looks, nested members included; name fewer members: 256 looks are the most"),
    "too many members of members": (
        f"[check.d]\nprobe = 'combined'\n\nall = ['a', 'e']\n[check.e]\nprobe = 'combined'\nall = [{members(57)}]\n{wide(200)}",
        4, "check d makes 257 looks"),
    # track
    "track is a number": (f"{PROCESS}track = 1", 4, "track is 1; give a table, such as { ok = 1, critical = 0 }"),
    "an unknown status": (f"{PROCESS}track = {{ crit = 0 }}", 4, "did you mean critical?"),
    "an unknown reason": (f"{PROCESS}[check.a.track]\nok = 1\nstand-by = 0", 6, "stand-by in track is neither a status nor a reason; did you mean standby?"),
    "a check's key below its track": (f"{PROCESS}[check.a.track]\nok = 1\nrise = 1", 6, "put it above the header of the track table"),
    "too high a number": (f"{PROCESS}track = {{ ok = 255 }}", 4, "ok is 255; give a whole number from -254 to 254"),
    "too low a number": (f"{PROCESS}track = {{ sealed = -255 }}", 4, "sealed is -255"),
    "a boolean in track": (f"{PROCESS}track = {{ ok = true }}", 4, "ok is true; give a whole number"),
    "ok is 0": (f"{PROCESS}[check.a.track]\ncritical = -1\nok = 0", 6, "keepalived reads in a missing or garbled file: a failure; give ok another number"),
    "critical as good as ok": (f"{PROCESS}track = {{ critical = 1 }}", 4, "critical in track is 1, not below ok (1), so a dead node would keep the VIP; give it less"),
    "ok below what a missing file is": (f"{PROCESS}[check.a.track]\ncritical = -9\nok = -1", 6, "ok in track is -1, below the 0 that keepalived reads in a missing, empty or garbled file, which would rank above a healthy node; give ok a number above 0"),
    "unknown as good as ok": (f"{PROCESS}track = {{ unknown = 1 }}", 4, 'give it less, or on_unknown = "ok"'),
    "a bug as good as ok": (f"{PROCESS}track = {{ bug = 1 }}", 4, "bug in track is 1, not below ok (1), so the VIP would stay"),
    "a bad configuration as good as ok": (f"{PROCESS}track = {{ bad-config = 2 }}", 4, "bad-config in track"),
    "a warning above ok": (f"{PROCESS}[check.a.track]\nok = 20\nwarning = 30", 6, "warning in track is 30, above ok (20), so a node that is not quite well would outrank a healthy one; give it 20 or less"),
    "a standby above ok": (f"{PROCESS}track = {{ ok = 5, standby = 100 }}", 4, "standby in track is 100, above ok (5)"),
    "a drain that keeps the VIP": (f"{PROCESS}track = {{ ok = 5, draining = 5 }}", 4, "draining in track is 5, not below ok (5)"),
    "a stop that keeps the VIP": (f"{PROCESS}track = {{ stopped = 1 }}", 4, "stopped in track"),
    "a hang as good as ok": (f"{PROCESS}track = {{ ok = 1, timeout = 1, sealed = 1 }}", 4, "sealed in track is 1, not below ok (1), so the VIP would stay; give it less, or leave it out"),
    # TOML
    "no equals sign": (f"{PROCESS}rise 2\n", 4, "invalid TOML: Expected '='"),
    "a word without quotes": (f"{PROCESS}user = vault\n", 4, "put words in quotes"),
    "a quote that is not closed": (f'{PROCESS}user = "vault\nrise = 1', 4, "close the quote on the same line"),
    "a string that is not closed": (f"{PROCESS}user = '''vault\n\n\n", 4, "see https://toml.io"),
    "a bracket that is not closed": (f"{PROCESS}args = [\n'x'\n\nrise = 1", 7, "close what was opened: a bracket"),
    "a key twice": (f"{PROCESS}rise = 1\nrise = 2\n", 5, "is defined twice: remove one"),
    "a table twice": (f"{PROCESS}\n\n[check.a]\n", 6, "write each [table] once"),
    "a hexadecimal number too long for Python": (f"{PROCESS}rise = 0x{'f' * 4000}", 4, "rise is 0xffff"),
    "a binary one": (f"{PROCESS}\ninterval = 0b{'1' * 40_000}", 5, "interval is 0xffff"),
    "one in a track": (f"{PROCESS}[check.a.track]\nok = 0x{'f' * 4000}", 5, "ok is 0xffff"),
    "one in an array": (f"{PROCESS}args = ['-p',\n0o{'7' * 5000}]", 5, "args, element 2, is 0xffff"),
    "too many parts": (f"{PROCESS}a{'.a' * 16} = 1", 4, "this key has more than 16 parts; give one of at most 4, such as check.NAME.track.ok"),
    "too many parts in a header": (PROCESS + "\n[check" + " . 'a'" * 20_000 + "]", 5, "more than 16 parts"),
    "too many parts in a table in an array": (f"{PROCESS}args = ['x',\n{{ b{'.b' * 20_000} = 1 }}]", 5, "more than 16 parts"),
    "a number too long for Python": (f"rise = {'9' * 5000}", 1, "4300 digits"),
    "brackets too deep": (f"x = {'[' * 50_000}", 1, "write it flat"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "words"), BROKEN.values(), ids=BROKEN)
def test_a_mistake_is_refused_with_its_line_and_the_cure(text: str, line: int, words: str) -> None:
    with pytest.raises(BadConfigError) as refused:
        parse(text)
    message = str(refused.value)
    assert message.startswith(f"k.toml:{line}: ")
    assert words in message
    assert "--" not in message, "keys have no dashes"
    assert message.isprintable()


def test_every_mistake_has_its_cure_behind_a_semicolon() -> None:
    for text, _, _ in BROKEN.values():
        with pytest.raises(BadConfigError) as refused:
            parse(text)
        assert "; " in str(refused.value) or "address" in str(refused.value)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(
        BadConfigError, match=r"^k.toml:3: address has a user or password; remove"
    ) as refused:
        parse(f"{VAULT}address = 'https://me:hunter2@vault:8200'")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(
        BadConfigError, match=r"^k.toml:3: address is invalid; give it without a blank"
    ) as refused:
        parse(f"{VAULT}address = 'https://me:hunter2@vault :8200'")
    assert "hunter2" not in str(refused.value)


# --- the file ----------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "kacheck.toml"


def refusal(path: pathlib.Path) -> str:
    """Return what is said of a file, behind its name."""
    with pytest.raises(BadConfigError) as refused:
        config.load(str(path))
    return str(refused.value).removeprefix(str(path))


def test_a_file_is_read(file: pathlib.Path) -> None:
    file.write_text(DESIGN)
    assert config.load(str(file)) == parse(DESIGN)


def test_a_byte_order_mark_does_no_harm(file: pathlib.Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + PROCESS.encode())
    assert config.load(str(file)) == parse(PROCESS)


def test_an_error_in_a_file_begins_with_its_path(file: pathlib.Path) -> None:
    file.write_text(PROCESS + "rise = 0")
    assert refusal(file) == ":4: rise is 0; give a whole number from 1 to 255"


def test_a_missing_file(file: pathlib.Path) -> None:
    assert refusal(file).startswith(": No such file or directory; kacheck init --vip ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(file: pathlib.Path) -> None:
    file.write_text(DESIGN)
    file.chmod(0)
    assert refusal(file).startswith(": Permission denied: user ")


def test_a_directory(tmp_path: pathlib.Path) -> None:
    assert refusal(tmp_path).startswith(": it is a directory; give the path of a file")


def test_a_fifo_is_refused_and_not_waited_for(file: pathlib.Path) -> None:
    os.mkfifo(file)
    assert refusal(file).startswith(": it is not a regular file; give the path of a file")


def test_no_descriptor_is_left_open_however_often_it_is_reloaded(file: pathlib.Path) -> None:
    file.write_text(DESIGN)
    before = os.listdir("/proc/self/fd")
    for path in [file, file.parent] * 5:
        with contextlib.suppress(BadConfigError):
            config.load(str(path))
    assert os.listdir("/proc/self/fd") == before


def test_a_file_that_is_not_utf_8(file: pathlib.Path) -> None:
    file.write_bytes(PROCESS.encode() + b"user = 'm\xfcller'\n")
    assert refusal(file) == ":4: byte 0xfc is not UTF-8; save it as UTF-8"


def test_a_file_that_is_too_large(file: pathlib.Path) -> None:
    file.write_text(PROCESS + "#" * (1024 * 1024 - len(PROCESS)))
    assert config.load(str(file)) == parse(PROCESS)
    file.write_text(PROCESS + "#" * (1024 * 1024))
    assert refusal(file).startswith(": it is larger than 1 MiB; ")


# --- what must not drift -----------------------------------------------------------------------

FOR_ONE_LOOK = {"help", "version", "verbose", "quiet", "format", "misc", "log", "state_dir"}
"""Options about the output, the exit code and the drain of a one-shot."""
FOR_MANY_LOOKS = {
    "probe",
    "interval",
    "rise",
    "fall",
    "consul_check",
    "fork_delay",
    "terminate_delay",
    "hold_for",
    "track",
}
"""Keys about a check that is looked at again and again."""


def options(command: str) -> dict[str, Any]:
    """Return the names of a command's options, and what each may be."""
    commands = next(a for a in arguments.build()._actions if isinstance(a, _SubParsersAction))
    actions = commands.choices[command]._actions
    return {action.dest.removeprefix(PREFIX): action.choices for action in actions}


@pytest.mark.parametrize("probe", MODULES)
def test_the_keys_of_a_check_are_the_options_of_its_command(probe: str) -> None:
    declared = declaration(probe).options
    words = set(options(probe)) - FOR_ONE_LOOK - {"words"}
    words |= {option.name for option in declared if option.is_positional}
    keys = {*NAMES, *(option.name for option in declared if not option.names_checks)}
    assert keys - FOR_MANY_LOOKS == words


@pytest.mark.parametrize("probe", MODULES)
def test_what_is_not_given_is_what_the_declaration_says(probe: str) -> None:
    declared = declaration(probe)
    required = {each.name: each.example for each in declared.options if each.example}
    defaults = {each.name: each.default for each in declared.options if each.default is not None}
    prepare = load(declared.prepare)
    assert prepare(required | defaults) == prepare(required)


@pytest.mark.parametrize("key", ["param_match", "on_unknown"])
def test_the_words_for_an_option_are_good_for_its_key(key: str) -> None:
    for word in options("process")[key]:
        process(f"{key} = '{word}'")


def test_the_roles_are_those_of_the_option() -> None:
    for role in options("vault")["accept"]:
        assert vault(f"accept = '{role}'").accept == (role,)


def test_reading_a_configuration_loads_nothing_slow() -> None:
    code = (
        "import sys; from kacheck import config; config.parse(sys.argv[1], 'k'); "
        "print(*{'dataclasses', 'difflib', 'httpx', 'psutil', 'asyncio', 'inspect'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, DESIGN], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
