"""What a configuration says of Consul: the table, and the checks that report to it."""

import pytest

from kacheck.config import parse
from kacheck.consul.agent import Agent
from kacheck.consul.ttl_check import Reporting
from kacheck.result import BadConfigError

PROCESS = '[check.a]\nprobe = "process"\nname = "x"\n'
CONSUL = '[check.c]\nprobe = "consul"\n'
REPORTS = 'consul_check = "service:web"\n'


def test_a_check_that_reports() -> None:
    loaded = parse(PROCESS + REPORTS, "k.toml")
    assert [check.consul_check for check in loaded.checks] == ["service:web"]
    assert loaded.consul is None
    assert parse(PROCESS, "k.toml").checks[0].consul_check is None


def test_where_it_reports_to() -> None:
    table = '[consul]\naddress = "https://127.0.0.1:8501"\ntoken_file = "/t"\nttl = "30s"\n'
    address = "https://127.0.0.1:8501"
    agent = Agent(address=address, base=address, token_file="/t")
    assert parse(table + PROCESS, "k.toml").consul == Reporting(agent, 30.0)


@pytest.mark.parametrize(
    ("toml", "line", "words"),
    [
        ("consul = 1", 1, "consul must be a table; it begins with [consul]"),
        ('[consul]\ntoken = "hunter2"', 2, "unknown key token of the table consul; did you mean"),
        ("[consul]\nttl = 0", 2, "ttl is 0; give seconds from 1 to 3600"),
        ('[consul]\naddress = "ftp://x"', 2, "address ftp://x is not an address of Consul"),
        ('[consul]\nclient_cert = "/c"', 2, "client_cert needs client_key"),
        ('[consul]\naddress = "http://u:hunter2@a"', 2, "has a user or password"),
        (f'{PROCESS}consul_check = ""', 4, 'consul_check is ""; give it a value'),
        (f'{PROCESS}{REPORTS}{PROCESS.replace("a]", "b]")}{REPORTS}', 8,
         "checks a and b both report to service:web"),
        (f'{CONSUL}service = "web"\n{REPORTS}', 4, "check c asks Consul about service web"),
        (f'{CONSUL}service_id = "web"\n{REPORTS}', 4, "each would keep the other so"),
        (f'{CONSUL}service = "web"\n[check.d]\nprobe = "combined"\nall = ["c"]\n{REPORTS}', 7,
         "check d asks Consul about service web"),
        ((f'{CONSUL}service = "web"\n{PROCESS}[check.d]\nprobe = "combined"\nany = ["a", "c"]\n'
         f'[check.e]\nprobe = "combined"\nall = ["d"]\n{REPORTS}'), 13, "check e asks Consul"),
        (f"{REPORTS}{PROCESS}", 1, "is a key of a check"),
    ],
)  # fmt: skip
def test_an_error_names_its_line_and_the_cure(toml: str, line: int, words: str) -> None:
    with pytest.raises(BadConfigError) as refused:
        parse(toml, "k.toml")
    assert str(refused.value).startswith(f"k.toml:{line}: ")
    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("question", ["leader = true", 'lock = "k"'])
def test_a_role_may_be_reported(question: str) -> None:
    """It does not depend on a check of Consul's, unless a session is bound to it."""
    assert parse(f"{CONSUL}{question}\n{REPORTS}", "k.toml").checks[0].consul_check


def test_a_service_may_be_asked_beside_an_independent_check_that_reports() -> None:
    toml = f'{PROCESS}{REPORTS}{CONSUL}service = "web"\n'
    assert len(parse(toml, "k.toml").checks) == 2
