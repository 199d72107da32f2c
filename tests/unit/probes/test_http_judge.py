"""What the answer of a URL means, and which options fit together."""

from typing import Any

import pytest

from kacheck.exchange.answer import MAX_BODY, HttpAnswer
from kacheck.kinds import InvalidValueError
from kacheck.probe import OptionError
from kacheck.probes.http.credentials import value_of
from kacheck.probes.http.judge import judge, with_certificate
from kacheck.probes.http.kinds import CONDITION, CONTENT, codes, condition, header
from kacheck.probes.http.settings import prepare
from kacheck.result import BadConfigError

URL = "http://127.0.0.1:8080/health"


def verdict(code: int, body: bytes = b"", **values: Any) -> str:
    result = judge(HttpAnswer(code, body), prepare({"url": URL, **values}))
    return f"{result.status.word} {result.reason}"


@pytest.mark.parametrize(
    ("code", "values", "expected"),
    [
        (200, {}, "ok answered"),
        (299, {}, "ok answered"),
        (300, {}, "critical unexpected-status"),
        (302, {}, "critical unexpected-status"),
        (404, {}, "critical unexpected-status"),
        (503, {}, "critical unexpected-status"),
        (401, {}, "unknown unauthorized"),
        (403, {}, "unknown unauthorized"),
        (401, {"expect": "401"}, "ok answered"),
        (403, {"warn": "403"}, "warning warning-status"),
        (200, {"expect": "204,404"}, "critical unexpected-status"),
        (404, {"expect": "204,404"}, "ok answered"),
        (503, {"warn": "500-599"}, "warning warning-status"),
        (429, {"expect": "200", "warn": "429,472-474"}, "warning warning-status"),
    ],
)
def test_the_code_decides(code: int, values: dict[str, Any], expected: str) -> None:
    assert verdict(code, **values) == expected


def test_no_code_passes_that_is_not_listed() -> None:
    assert [code for code in range(100, 600) if verdict(code) == "ok answered"] == [
        *range(200, 300)
    ]


@pytest.mark.parametrize(
    ("body", "values", "words"),
    [
        (b'{"a": "ok\\n"}', {"json": ("a=ok",)}, r'a is "ok\n" (wanted: "ok")'),
        (b'{"a": "o  k"}', {"json": ("a=o k",)}, 'a is "o  k" (wanted: "o k")'),
        (b'{"a": "\\ud800"}', {"json": ("a=ok",)}, r'a is "\xed\xa0\x80" (wanted: "ok")'),
        (b'{"a": 3}', {"json": ("a=4",)}, "a is 3 (wanted: 4)"),
        (b"ready", {"contains": "ready\n"}, r'without "ready\n": "ready"'),
        (b"a\\nb", {"contains": "a\nb"}, r'without "a\nb": "a\\nb"'),
    ],
)
def test_a_difference_that_a_terminal_hides_is_shown(
    body: bytes, values: dict[str, Any], words: str
) -> None:
    result = judge(HttpAnswer(200, body), prepare({"url": URL, **values}))
    assert result.reason == "unexpected-body"
    assert words in result.message


BODY = b"""{"status": "ok", "count": 3, "share": 0.5, "up": true, "down": false, "none": null,
    "deep": {"a.b": {"c/d": "x"}, "list": ["zero", {"n": 1}]}, "~": "tilde", "text": "true"}"""


@pytest.mark.parametrize(
    "words",
    ["status=ok", "status!=down", "count=3", "count=3.0", "count!=4", "share=0.5", "up=true",
     "up!=false", "down=false", "none=null", "text=true", "text!=false", "/deep/a.b/c~1d=x",
     "deep.list.0=zero", "/deep/list/1/n=1", "/~0=tilde", "status!="],
)  # fmt: skip
def test_a_condition_that_holds(words: str) -> None:
    assert verdict(200, BODY, json=(words,)) == "ok answered"


@pytest.mark.parametrize(
    "words",
    ["status=OK", "status!=ok", "status=", "count=4", "count!=3", "count=three", "up=True",
     "up=1", "up=false", "none=", "none=None", "text=True", "missing=x", "missing!=x",
     "deep=x", "deep!=x", "deep.list!=x", "deep.list.2=x", "deep.list.2!=x", "deep.list.00=zero",
     "deep.list.-1!=x", "status.0=o", "/status/0!=x", "/deep/list/-!=x", "count=true"],
)  # fmt: skip
def test_a_condition_that_does_not_hold_fails(words: str) -> None:
    assert verdict(200, BODY, json=(words,)) == "critical unexpected-body"


def test_all_conditions_must_hold() -> None:
    assert verdict(200, BODY, json=("status=ok", "up=false")) == "critical unexpected-body"
    assert verdict(200, BODY, json=("status=ok",), contains="share") == "ok answered"
    assert verdict(200, BODY, json=("status=ok",), contains="nowhere") == "critical unexpected-body"


@pytest.mark.parametrize(
    "body",
    [b"", b"ok", b'{"status": "ok", "status": "ok"}', b'{"status": NaN}', b"[" * 100000, b"\xff"],
)
def test_what_is_not_json_fails(body: bytes) -> None:
    assert verdict(200, body, json=("status=ok",)) == "critical bad-response"


def test_an_oversized_body_passes_only_if_its_content_is_irrelevant() -> None:
    body = b'{"status": "ok"}' + b" " * MAX_BODY
    assert verdict(200, body) == "ok answered"
    assert verdict(200, body, json=("status=ok",)) == "critical bad-response"
    assert verdict(200, body, contains="status") == "ok answered"
    assert verdict(200, b" " * MAX_BODY + b"late", contains="late") == "critical unexpected-body"


def test_a_redirect_is_shown_without_its_secrets() -> None:
    answer = HttpAnswer(302, b"", "http://u:hunter2@h/login?token=hunter2")
    message = judge(answer, prepare({"url": URL})).message
    assert "a redirect to http://***@h/login" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("days", "expected"),
    [(None, "answered"), (9, "answered"), (11, "certificate-expiring")],
)
def test_a_certificate_that_ends_soon_is_a_warning(days: int | None, expected: str) -> None:
    result = judge(HttpAnswer(200, b""), prepare({"url": URL}))
    data = {"certificate": {"not_after": "1970-01-11T00:00:00Z"}}
    judged = with_certificate(result._replace(data=data), days, 0)
    assert judged.reason == expected
    assert (judged.status == 0) is (expected == "answered")


# --- options --------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["200", "200-299", "200, 204,300-302", "100-599"])
def test_codes_are_lists_of_codes_and_ranges(words: str) -> None:
    assert codes(words) == words


@pytest.mark.parametrize(
    "words",
    ["", "2xx", "200-", "-299", "299-200", "99", "600", "200,,201", "+200", "٢٠٠", True, 1.5],
)
def test_other_codes_are_refused(words: Any) -> None:
    with pytest.raises(InvalidValueError):
        codes(words)


@pytest.mark.parametrize("words", ["a", "=x", "!=x", "a..b=x", ".a=x", "a.=x"])
def test_other_conditions_are_refused(words: str) -> None:
    with pytest.raises(InvalidValueError):
        condition(words)


@pytest.mark.parametrize(
    "words", ["x", "X y: z", ": z", "X:", "X: \t", "X: a\r\nY: b", "X: é", "Connection: close",
              "Content-Length: 5", "Transfer-Encoding: chunked"],
)  # fmt: skip
def test_other_header_fields_are_refused(words: str) -> None:
    with pytest.raises(InvalidValueError):
        header(words)


@pytest.mark.parametrize(
    "name", ["Authorization", "authorization", "Cookie", "Proxy-Authorization"]
)
def test_credentials_are_refused_on_the_command_line_and_the_file_named(name: str) -> None:
    with pytest.raises(InvalidValueError, match="--auth-file") as refused:
        header(f"{name}: hunter2")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": "127.0.0.1:80/x"}, "is not a URL"),
        ({"url": "unix:///run/x"}, "is not a URL"),
        ({"url": "ftp://127.0.0.1/"}, "is not a URL"),
        ({"url": "http://u:hunter2@h/"}, "has a user or password"),
        ({"url": "http://h:99999/"}, "is not a valid URL"),
        ({"url": "http://h/#x"}, "remove what follows #"),
        ({"url": "http://h/\u00e9"}, "not ASCII"),
        ({"expect": "200", "warn": "100-599"}, "both list 200"),
        ({"method": "HEAD", "contains": "x"}, "HEAD does not return"),
        ({"method": "HEAD", "json": ("a=b",)}, "HEAD does not return"),
        ({"cert_days": 5}, "https://"),
        ({"url": "https://h/", "cert_days": 5, "insecure": True}, "{insecure}"),
        ({"client_cert": "/x"}, "{client_key}"),
    ],
)
def test_what_does_not_fit_together_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError) as refused:
        prepare({"url": URL, **values})
    shown = refused.value.text(lambda name: f"{{{name}}}", _names())
    assert words in shown
    assert "hunter2" not in shown


def _names() -> list[str]:
    from kacheck.probes import probe

    return [option.name for option in probe("http").options]


def test_a_query_is_asked_for_and_not_shown() -> None:
    options = prepare({"url": "http://h/x?token=hunter2"})
    assert options.url.endswith("?token=hunter2")
    assert "hunter2" not in options.address


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"bearer abc.def\n", "Bearer abc.def"),
        (b"Bearer abc", "Bearer abc"),
        (b"basic user:pass word\n", "Basic dXNlcjpwYXNzIHdvcmQ="),
        (b"BASIC u:p\r\n", "Basic dTpw"),
    ],
)
def test_credentials_are_sent_as_rfc_7617_and_6750_say(content: bytes, value: str) -> None:
    assert value_of("/x", content) == value


@pytest.mark.parametrize(
    "content",
    [b"", b"hunter2", b"bearer", b"bearer a b", b"basic hunter2", b"bearer a\nbearer hunter2",
     b"bearer hunter2\xff", b"bearer " + b"x" * 9000, b"digest u:hunter2"],
)  # fmt: skip
def test_a_malformed_file_of_credentials_is_refused_and_not_shown(content: bytes) -> None:
    with pytest.raises(BadConfigError) as refused:
        value_of("/x", content)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "words",
    ['status!="ok"', "status!==ok", "status!= ok", "t!=True", "t!=TRUE", "z!=None", 'status="ok"'],
)
def test_a_condition_that_nothing_could_break_is_refused(words: str) -> None:
    with pytest.raises(InvalidValueError, match="VALUE without quotes or blanks"):
        CONDITION.from_word(words)


def test_a_number_that_is_compared_with_no_number_fails_both_ways() -> None:
    for words in ("n!=01", "n=01", "n!=x"):
        assert verdict(200, b'{"n": 1}', json=(words,)) == "critical unexpected-body"


def test_a_text_that_every_body_contains_is_refused() -> None:
    with pytest.raises(InvalidValueError):
        CONTENT.from_word("")
