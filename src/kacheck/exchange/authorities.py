"""The authorities that an exchange trusts, and every file that this trust comes from.

Source of the trust rules: hashicorp/go-rootcerts, as api/client.go calls it: a CA file, bytes or
directory replaces the system's roots; of a directory every file is read, hashed names or not.
"""

from __future__ import annotations

import os
import re
import ssl

from kacheck.result import BadConfigError

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from kacheck.exchange.options import Trust
    from kacheck.exchange.target import Target
    from kacheck.files import Stamp

    Stamps = dict[str, Stamp]
    """By its path, the stamp of each file that a context depends on."""

PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----[!-~\s]+?-----END [A-Z0-9 ]+-----", re.ASCII)
HASHED = re.compile(r"[0-9a-f]{8}\.\d+", re.ASCII)
"""A file's name in a directory of OpenSSL's: the hash of a subject, and a number."""


def load_authorities(tls: ssl.SSLContext, trust: Trust) -> None:
    """Load the one source of authorities that counts.

    Raises:
        BadConfigError: a file cannot be read or holds no certificate.

    """
    if trust.ca_cert:
        load_file(tls, trust.ca_cert, "CA file")
    elif trust.ca_cert_bytes:
        # Only the blocks: text between them may be anything, and cadata must be ASCII.
        blocks = PEM.findall(trust.ca_cert_bytes)
        try:
            tls.load_verify_locations(cadata="\n".join(blocks))
        except (ssl.SSLError, ValueError) as error:
            raise BadConfigError(
                f"{trust.ca_cert_bytes_source} holds no PEM certificate: {error_text(error)}"
            ) from None
    elif trust.ca_path:
        files = files_below(trust.ca_path)
        if not files:
            raise BadConfigError(f"the CA directory {trust.ca_path} has no file that can be read")
        for file in files:
            load_file(tls, file, "CA directory's file")
    else:
        tls.load_default_certs()


def load_file(tls: ssl.SSLContext, path: str, what: str) -> None:
    """Trust the certificates of one PEM file."""
    try:
        tls.load_verify_locations(cafile=path)
    except OSError as error:
        is_content = isinstance(error, ssl.SSLError)
        cause = "it holds no PEM certificate" if is_content else error_text(error, path)
        raise BadConfigError(f"the {what} {path} cannot be used: {cause}") from None


def error_text(error: Exception, *paths: str) -> str:
    """Return what OpenSSL or the system says, without its source line; and who may not read what.

    `paths` are the files that were to be read.
    """
    if isinstance(error, PermissionError):
        for path in paths:
            if not os.access(path, os.R_OK, effective_ids=True):
                from kacheck.permission import refused

                return refused(path)
    if isinstance(error, ssl.SSLError):
        return (getattr(error, "reason", None) or str(error)).lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)


def stamps(target: Target) -> Stamps:
    """Look at every file that a context for this target depends on."""
    from kacheck.files import stamp

    return {path: stamp(path) for path in files(target)}


def still_hold(before: Stamps, now: Stamps) -> bool:
    """Return whether a context that was made then is certain to be what it would be now.

    A file that is missing, such as of the system's store, is one that has not changed.
    """
    return before.keys() == now.keys() and all(
        each.still_holds(now[path]) or each.identity == now[path].identity == ()
        for path, each in before.items()
    )


def files(target: Target) -> list[str]:
    """Return the files that a context for this target depends on, there or not."""
    if target.url.startswith("http:"):
        return []
    trust = target.trust
    paths = [path for path in (trust.client_cert, trust.client_key) if path]
    if trust.insecure or trust.ca_cert_bytes:
        return paths
    if trust.ca_cert:
        return [*paths, trust.ca_cert]
    return paths + (files_below(trust.ca_path) if trust.ca_path else default_files())


def files_below(directory: str) -> list[str]:
    """Return every file below a directory of authorities, as Go's filepath.Walk finds them."""
    return sorted(os.path.join(top, name) for top, _, names in os.walk(directory) for name in names)


def default_files() -> list[str]:
    """Return the files of OpenSSL's default store: one with all authorities, and hashed names.

    Not ssl.get_default_verify_paths()'s own cafile and capath: SSL_CERT_DIR may name several.
    """
    paths = ssl.get_default_verify_paths()
    files = [os.environ.get(paths.openssl_cafile_env, paths.openssl_cafile)]
    directories = os.environ.get(paths.openssl_capath_env, paths.openssl_capath)
    for directory in directories.split(os.pathsep):
        try:
            names = sorted(filter(HASHED.fullmatch, os.listdir(directory)))
        except OSError:
            continue
        files += [f"{directory}/{name}" for name in names]
    return files
