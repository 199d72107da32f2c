"""What the answer of a URL means. Pure: code and body in, Result out."""

from __future__ import annotations

from kacheck.exchange.answer import MAX_BODY, HttpAnswer
from kacheck.exchange.body import quote, quote_exactly, read_json
from kacheck.exchange.flat_json import flat_object
from kacheck.exchange.reasons import BAD_RESPONSE, UNAUTHORIZED
from kacheck.probes.http.kinds import Condition, ranges_of
from kacheck.probes.http.reasons import (
    ANSWERED,
    CERTIFICATE_EXPIRING,
    UNEXPECTED_BODY,
    UNEXPECTED_STATUS,
    WARNING_STATUS,
)
from kacheck.result import Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any

    from kacheck.probes.http.settings import HttpOptions

KIBIBYTES = MAX_BODY // 1024


class MissingError(Exception):
    """A field that the body does not have, or whose value cannot be compared."""


def judge(answer: HttpAnswer, options: HttpOptions) -> Result:
    """Return the result for an answer."""
    code, data = answer.code, {"http_status": answer.code}
    says = f"{options.address} answered {code}"
    if listed(code, options.expect):
        return judge_body(answer.body, options, says)._replace(data=data)
    expectation = f"(wanted: {options.expect})"
    if options.warn and listed(code, options.warn):
        return Result(Status.WARNING, WARNING_STATUS, f"{says} {expectation}", data)
    if code in (401, 403):
        cure = f"correct {options.auth_file}" if options.auth_file else "it may need --auth-file"
        return Result(Status.UNKNOWN, UNAUTHORIZED, f"{says} {expectation}; {cure}", data)
    message = f"{says}{detail(answer)} {expectation}"
    return Result(Status.CRITICAL, UNEXPECTED_STATUS, message, data)


def listed(code: int, codes: str) -> bool:
    """Return whether a list of codes has this one."""
    return any(code in each for each in ranges_of(codes))


def detail(answer: HttpAnswer) -> str:
    """Return what else an unexpected answer says: where it redirects to, or how it begins."""
    if 300 <= answer.code <= 399 and answer.location:
        from kacheck.redact import redact_address

        return f", a redirect to {redact_address(answer.location)}, which is not followed"
    return f", {quote(answer.body)}" if answer.body else ""


def judge_body(body: bytes, options: HttpOptions, says: str) -> Result:
    """Return the result for an answer with an expected code."""
    if options.contains is not None and options.contains.encode() not in body[:MAX_BODY]:
        where = f" in its first {KIBIBYTES} KiB" if len(body) > MAX_BODY else ""
        wanted = quote_exactly(options.contains.encode())
        message = f"{says} without {wanted}{where}: {quote_exactly(body)}"
        return Result(Status.CRITICAL, UNEXPECTED_BODY, message, {})
    if options.json:
        if len(body) > MAX_BODY:
            message = f"{says} with more than {KIBIBYTES} KiB, too long to be read as JSON"
            return Result(Status.CRITICAL, BAD_RESPONSE, message, {})
        try:
            value: Any = flat_object(body)
            value = read_json(body) if value is None else value
        except (ValueError, RecursionError):
            message = f"{says}, {quote(body)}: this is not JSON, or repeats a key"
            return Result(Status.CRITICAL, BAD_RESPONSE, message, {})
        for words in options.json:
            wrong = broken(value, Condition(words))
            if wrong is not None:
                return Result(Status.CRITICAL, UNEXPECTED_BODY, f"{says}, but {wrong}", {})
    return Result(Status.OK, ANSWERED, says, {})


def broken(value: Any, condition: Condition) -> str | None:
    """Return how a body breaks a condition; None if it does not."""
    try:
        actual = field(value, condition.keys)
        shown, holds = compare(actual, condition.value)
    except MissingError as error:
        return f"{condition.path} {error}"
    if holds is condition.is_equal:
        return None
    expected = quote_exactly(condition.value.encode()) if shown[0] == '"' else condition.value
    return f"{condition.path} is {shown}" + (f" (wanted: {expected})" if condition.is_equal else "")


def field(value: Any, keys: tuple[str, ...]) -> Any:
    """Return the value at the end of a path.

    Raises:
        MissingError: the path leads nowhere.

    """
    for key in keys:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and is_place(key, len(value)):
            value = value[int(key)]
        else:
            raise MissingError("is missing")
    return value


def is_place(key: str, length: int) -> bool:
    """Return whether a key is the number of an element (RFC 6901, 4)."""
    is_number = key.isascii() and key.isdecimal() and len(key) <= 5
    return is_number and str(int(key)) == key and int(key) < length


def compare(actual: Any, expected: str) -> tuple[str, bool]:
    """Return a field's value for people, and whether it is the expected one.

    Raises:
        MissingError: it is an object or an array, or a number and `expected` is not one.

    """
    if isinstance(actual, (dict, list)):
        what = "an object" if isinstance(actual, dict) else "an array"
        raise MissingError(f"is {what}, which cannot be compared")
    if isinstance(actual, str):
        return quote_exactly(actual.encode(errors="surrogatepass")), actual == expected
    if actual is None or isinstance(actual, bool):
        word = {None: "null", True: "true", False: "false"}[actual]
        return word, word == expected
    try:
        number = read_json(expected.encode())
    except (ValueError, RecursionError):
        raise MissingError(f"is {actual}, and {expected} is not a number") from None
    return str(actual), type(number) in (int, float) and number == actual


def with_certificate(result: Result, days: int | None, now: float) -> Result:
    """Return the result of an exchange, a warning where its certificate ends soon."""
    if days is None or result.status is not Status.OK:
        return result
    from kacheck.exchange.tls import iso_of

    end = str(result.data["certificate"]["not_after"])
    if end > iso_of(now + days * 86400):
        return result
    message = f"{result.message}, but its certificate ends on {end}; renew it"
    return result._replace(status=Status.WARNING, reason=CERTIFICATE_EXPIRING, message=message)
