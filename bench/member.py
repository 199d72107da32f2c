"""A member of the stand-in cluster: a Vault that is what a file says, and serves clients.

    vault member.py NAME STATE_FILE CERTIFICATE

It answers kacheck on 127.0.0.1:8200 over TLS, and each client that connects to PORT with its name
and its state. Both come from one process, so that what stops it stops both. The standard library
alone; like Vault it is named after the file that was executed.
"""

import os
import socket
import ssl
import sys
from contextlib import suppress

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/tests")

from helpers.vault import StandInVault

PORT = 8201


class Member(StandInVault):
    """A stand-in whose state is the word in a file, read for every answer."""

    file = ""

    @property
    def state(self) -> str:
        """What it answers with."""
        with open(self.file) as file:
            return file.read().strip()

    @state.setter
    def state(self, word: str) -> None:
        """Not here: whoever writes the file decides."""


def serve(name: str, member: Member) -> None:
    """Tell every client which node answers, and whether it serves."""
    with socket.create_server(("", PORT), backlog=1024) as listener:
        print("ready", flush=True)
        while True:
            sock, _ = listener.accept()
            with sock, suppress(OSError):  # it has gone
                sock.send(f"{name} {member.state}\n".encode())


def main() -> None:
    """The command."""
    name, Member.file, certificate = sys.argv[1:]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with Member(port=8200, tls=tls) as member:
        serve(name, member)


if __name__ == "__main__":
    main()
