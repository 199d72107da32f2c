"""The client that keeps a TLS connection: certificates, and the authorities that are trusted."""

import datetime as dt
import os
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.certificates import Authority
from helpers.exchange import Kept, Make, look, present, readable, said
from helpers.vault import StandInVault
from kacheck import files as files_module
from kacheck.exchange import connection as connection_module
from kacheck.exchange import tls
from kacheck.exchange.kept import KEPT_FOR
from kacheck.probes.vault.settings import VaultOptions
from kacheck.result import BadConfigError

# --- TLS ---------------------------------------------------------------------------------------


def test_a_tls_connection_is_kept_and_every_look_shows_its_certificate(
    client: Make, tls_server: StandInVault, ca: Path
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    first, second = look(each), look(each)
    assert tls_server.connections == 1
    assert first.data["certificate"]["names"] == ["127.0.0.1"]
    assert second.data["certificate"] == first.data["certificate"]


def test_a_certificate_that_expires_while_the_connection_is_kept_is_noticed(
    client: Make,
    authority: Authority,
    tls_server: StandInVault,
    ca: Path,
    clock: Callable[[float], None],
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    assert said(each) == "ok active"
    present(tls_server, authority.expired("127.0.0.1"))
    clock(KEPT_FOR + 0.1)
    result = look(each)
    assert (result.status.word, result.reason) == ("critical", "tls")
    assert "has expired" in result.message
    assert "certificate" not in result.data, "the one that was shown before is another one"
    present(tls_server, authority.server("127.0.0.1"))
    assert said(each) == "ok active"


def test_a_certificate_that_is_replaced_is_the_one_that_is_shown(
    client: Make,
    authority: Authority,
    tls_server: StandInVault,
    ca: Path,
    clock: Callable[[float], None],
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    look(each)
    present(tls_server, authority.server("127.0.0.1", "vault.example.org"))
    clock(KEPT_FOR + 0.1)
    assert "vault.example.org" in look(each).data["certificate"]["names"]


@pytest.mark.parametrize("how", ["renamed", "rewritten"])
def test_an_authoritys_file_that_is_replaced_is_taken(
    client: Make, tls_server: StandInVault, ca: Path, clock: Callable[[float], None], how: str
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    assert said(each) == "ok active"
    other = Authority()
    present(tls_server, other.server("127.0.0.1"))
    if how == "renamed":
        other.write(ca.with_name("new.pem")).rename(ca)
    else:
        other.write(ca)
    clock(KEPT_FOR + 0.1)
    assert said(each) == "ok active"


@pytest.fixture
def stores(
    ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[Path, dict[str, str]]]:
    """Put the authority into a store: its file there, and the options that make the store count."""

    def store(kind: str) -> tuple[Path, dict[str, str]]:
        directory = tmp_path / "authorities"
        below = directory / "below"
        below.mkdir(parents=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
        if kind == "default file":
            monkeypatch.setenv("SSL_CERT_FILE", str(ca))
            return ca, {}
        if kind == "default directory":
            monkeypatch.setenv("SSL_CERT_DIR", f"{below}:{directory}")
            return ca.rename(directory / f"{subject_hash(ca)}.0"), {}
        file = directory / "ca.pem" if kind == "directory" else below / "ca.pem"
        ca.rename(file)
        if kind == "link's target":
            target = file.rename(tmp_path / "target.pem")
            file.symlink_to(target)
            return target, {"ca_path": str(directory)}
        return file, {"ca_path": str(directory)}

    return store


def subject_hash(file: Path) -> str:
    """Return the name under which OpenSSL looks for an authority in a directory."""
    argv = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(file)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


STORES = (
    "file",
    "directory",
    "directory below",
    "link's target",
    "default file",
    "default directory",
)


@pytest.fixture
def trusting(
    client: Make,
    tls_server: StandInVault,
    ca: Path,
    stores: Callable[[str], tuple[Path, dict[str, str]]],
) -> Callable[[str], tuple[Kept, Path]]:
    """Make a client that trusts a store, with the authority's file in it."""

    def make(kind: str) -> tuple[Kept, Path]:
        file, options = (ca, {"ca_cert": str(ca)}) if kind == "file" else stores(kind)
        return client(tls_server.address, **options), file

    return make


@pytest.mark.parametrize("how", ["rewritten", "replaced", "removed"])
@pytest.mark.parametrize("kind", STORES)
def test_an_authority_removed_from_its_store_is_not_trusted_next_time(
    trusting: Callable[[str], tuple[Kept, Path]],
    clock: Callable[[float], None],
    kind: str,
    how: str,
) -> None:
    each, file = trusting(kind)
    assert [said(each), said(each)] == ["ok active"] * 2
    if how == "removed":
        if not kind.startswith("default"):
            file.with_name("other.pem").write_bytes(Authority().pem)
        file.unlink()
    elif how == "replaced":
        Authority().write(file.with_name("new")).rename(file)
    else:
        Authority().write(file)
    clock(KEPT_FOR + 0.1)
    if how == "removed" and kind in ("file", "link's target"):
        with pytest.raises(BadConfigError):
            look(each)
    else:
        assert said(each) == "critical tls"


@pytest.mark.parametrize("kind", STORES)
def test_an_authority_rewritten_in_its_store_is_trusted_next_time(
    trusting: Callable[[str], tuple[Kept, Path]], clock: Callable[[float], None], kind: str
) -> None:
    each, file = trusting(kind)
    pem = file.read_bytes()
    Authority().write(file)
    assert said(each) == "critical tls"
    file.write_bytes(pem)
    clock(KEPT_FOR + 0.1)
    assert said(each) == "ok active"


def test_an_authority_removed_within_its_loadings_clock_tick_is_not_trusted(
    client: Make,
    tls_server: StandInVault,
    ca: Path,
    clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two changes within one tick of the file system's clock leave the same timestamps."""
    stat = os.stat
    stamp = stat(ca)

    def one_tick(path: Any, **options: Any) -> Any:
        return stamp if path == str(ca) else stat(path, **options)

    each = client(tls_server.address, ca_cert=str(ca))
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", one_tick)
        assert said(each) == "ok active"
        Authority().write(ca)
        clock(KEPT_FOR + 0.1)
        assert said(each) == "critical tls"


def test_an_unchanged_store_is_read_once(
    client: Make,
    tls_server: StandInVault,
    ca: Path,
    clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To read the system's authorities takes 20 ms."""
    made: list[VaultOptions] = []
    really = tls.context

    def counted(options: VaultOptions) -> ssl.SSLContext:
        made.append(options)
        return really(options)

    monkeypatch.setattr(tls, "context", counted)
    monkeypatch.setattr(files_module, "SETTLED", 0.0)
    each = client(tls_server.address, ca_cert=str(ca))
    for _ in range(3):
        assert said(each) == "ok active"
        clock(KEPT_FOR + 0.1)
    assert tls_server.connections == 3
    assert len(made) == 1


def test_a_missing_authority_file_is_a_bad_configuration_until_it_returns(
    client: Make,
    authority: Authority,
    tls_server: StandInVault,
    ca: Path,
    clock: Callable[[float], None],
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    assert said(each) == "ok active"
    ca.unlink()
    clock(KEPT_FOR + 0.1)
    for _ in range(2):
        with pytest.raises(BadConfigError, match="CA file"):
            look(each)
    authority.write(ca)
    assert said(each) == "ok active"


def test_a_tls_server_that_has_gone_is_an_event(
    client: Make, tls_server: StandInVault, ca: Path
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    assert said(each) == "ok active"
    assert not readable(each, 0)
    tls_server.stop()
    assert readable(each)
    assert said(each) == "critical refused"


def test_every_look_warns_that_the_address_is_another_machine(
    client: Make, stand_in: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "is_this_machine", lambda _: False)
    each = client(stand_in.address)
    for _ in range(3):
        (warning,) = look(each).data["warnings"]
        assert "is not this machine" in warning
    assert stand_in.connections == 1


def test_an_old_connections_warning_is_not_repeated_for_a_new_one(
    client: Make,
    stand_in: StandInVault,
    monkeypatch: pytest.MonkeyPatch,
    clock: Callable[[float], None],
) -> None:
    """The name leads to this machine again."""
    each = client(stand_in.address)
    with monkeypatch.context() as patch:
        patch.setattr(connection_module, "is_this_machine", lambda _: False)
        assert "is not this machine" in look(each).data["warnings"][0]
    clock(KEPT_FOR + 0.1)
    assert "is not this machine" not in look(each).data["warnings"][0]


# --- nothing is left behind --------------------------------------------------------------------


def test_the_data_has_a_certificates_date_in_iso_8601(
    client: Make, tls_server: StandInVault, ca: Path
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    look(each)
    after = dt.datetime.fromisoformat(look(each).data["certificate"]["not_after"])
    assert after > dt.datetime.now(dt.UTC)
    assert isinstance(each._socket, ssl.SSLSocket)
