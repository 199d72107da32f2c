"""No part of a password is shown, whatever characters it and its address have."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kacheck.redact import redact

RESERVED = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""Of RFC 3986, and those that it does not allow: nobody keeps them out of an environment."""
PASSWORDS = st.lists(
    st.sampled_from([*RESERVED, "%40", "%2F", "%3A", "//", "\N{FULLWIDTH COMMERCIAL AT}", "x"]),
    max_size=4,
).map(lambda parts: f"first{''.join(parts)}last")
USERS = st.sampled_from(["u", "u%40example", "us-er", "u.x", "", "u\N{SMALL COMMERCIAL AT}x"])
SCHEMES = st.sampled_from(["https://", "http://", "HTTPS://", "https:/", "unix://", "redis+tls://"])
HOSTS = st.sampled_from(["vault", "127.0.0.1:8200", "[::1]", "[::1]:8200", "vault.example:8200"])
TAILS = st.sampled_from(["", "/", "/v1/sys/health", "/a@b", "?a=b", "#x", ".", ",", "')"])
BEFORE = st.sampled_from(["", "--address=", "VAULT_ADDR=", "(", '"', "a.toml:3: ", "curl "])


@settings(max_examples=3000, deadline=None)
@given(st.tuples(BEFORE, SCHEMES, USERS), PASSWORDS, HOSTS, TAILS)
@example(("", "https://", "u"), "first/last", "vault", "")
def test_in_an_address(start: tuple[str, ...], password: str, host: str, tail: str) -> None:
    shown = redact(f"{''.join(start)}:{password}@{host}{tail} is not an address")
    assert "first" not in shown
    assert "last" not in shown


@settings(max_examples=3000, deadline=None)
@given(
    BEFORE,
    USERS,
    st.sampled_from(["firstlast", "first/last", "first%40last", "first+last"]),
    HOSTS,
    TAILS,
)
@example("", "u%40example", "firstlast", "vault", "")
def test_in_one_without_its_scheme(
    before: str, user: str, password: str, host: str, tail: str
) -> None:
    """What somebody forgets, and is reminded of."""
    shown = redact(f"{before}{user}:{password}@{host}{tail} is not an address")
    assert "first" not in shown
    assert "last" not in shown
