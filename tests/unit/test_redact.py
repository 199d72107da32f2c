"""Which words of a text are addresses with secrets, and what is shown of them: pure corners."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kacheck.redact import is_harmless, redact, redact_address, redact_word

PARTS = ("http", "https", "unix", "x", "1", "80", ":", "/", "//", "://", "=", "'", "(", ".", ";",
         "[", "]", "@", "?", "#", "%40", "-", "\\", "\N{FULLWIDTH COMMERCIAL AT}", "\u0663", "\N{SUPERSCRIPT TWO}", "pass")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ask https://u:p@vault:8200/x now", "ask https://***@vault:8200/x now"),
        ("ask https://vault:8200?a=b.", "ask https://vault:8200?***."),
        ("(https://u:p@vault), 'u:p@vault'", "(https://***@vault), '***@vault'"),
        ("--address=https://u:p@vault", "--address=https://***@vault"),
        ("VAULT_ADDR=u:p@vault", "VAULT_ADDR=***@vault"),
        ("a.toml:3: https://u:p@[::1]:8200: no", "a.toml:3: https://***@[::1]:8200: no"),
        ("a.toml:3:https://u:p@vault", "***@vault"),
        ("u:p://x@vault", "***@vault"),
        ("https://vault/?mail=a@b&token=x", "https://***"),
        ("postgres://u:p@db/x?sslmode=off", "postgres://***@db/x?***"),
    ],
)
def test_secrets_are_hidden_and_the_rest_is_left(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://127.0.0.1:8200",
        "it looks like https://127.0.0.1:8200 or unix:///run/vault.sock",
        "https://[::1]:8200, http://[fe80::1%25eth0]:8200",
        "give an address that begins with https://",
        "/etc/kacheck/kacheck.toml:3: address is bad; did you mean probe?",
        "notify root@localhost of vault@1.service",
        "agetty -o '-p -- \\u' --noclear tty1",
        "  two  blanks\tand a tab\n",
        'script "pidof vault" # see C:\\',
        "",
    ],
)
def test_text_without_secrets_is_unchanged(text: str) -> None:
    assert redact(text) == text


@settings(max_examples=3000, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=9).map("".join))
@example("http::://")
@example("http://x:1,/x")
def test_words_that_the_quick_test_passes_contain_no_secret(word: str) -> None:
    if is_harmless(word):
        assert redact_word(word) == word


def test_an_argument_with_blanks_or_an_address_is_one_word() -> None:
    assert redact_word("--x=https://u:p p@vault") == "--x=https://***@vault"
    assert redact_word("two words") == "two words"
    assert redact_address("vault?token") == "vault?***"
    assert redact_address("u@vault") == "***@vault"


@pytest.mark.parametrize(
    "part", ["a", ":", "@", "?", "a:", "https://", "u:p@", "/", "[", ".", "x=", "="]
)
def test_the_effort_grows_with_the_length_of_the_text(part: str) -> None:
    """Another user's process may have any command line."""

    def effort(size: int) -> float:
        begun = time.thread_time()
        redact(part * (size // len(part)))
        return time.thread_time() - begun

    small = max(min(effort(100_000) for _ in range(3)), 0.002)
    assert min(effort(800_000) for _ in range(3)) < 40 * small
