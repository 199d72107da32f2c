"""A web server whose answer a test chooses, over TCP, TLS or a Unix socket.

As a script it is a process to kill: `python3 web.py PORT`; it answers 200, or what a file says.
"""

import contextlib
import socket
import socketserver
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self


class WebServer:
    """Answers `code`, `body` and `fields`, and remembers the requests.

    `closes` ends a connection after each answer; `chunked` sends no length.
    """

    def __init__(  # noqa: PLR0913 - each has its use
        self,
        code: int = 200,
        body: bytes = b"ready\n",
        fields: dict[str, str] | None = None,
        *,
        address: Any = ("127.0.0.1", 0),
        context: ssl.SSLContext | None = None,
        chunked: bool = False,
        closes: bool = False,
    ) -> None:
        self.code, self.body, self.fields = code, body, fields or {}
        self.chunked, self.closes = chunked, closes
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """Method, path, and the header fields with their names in small letters."""
        self.connections: list[socket.socket] = []
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._server = self._make(family, address, context)
        self._scheme = "https" if context else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def url(self, path: str = "/health") -> str:
        """Return the URL of a path, for a server over TCP."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}{path}"

    def drop(self) -> None:
        """End all connections, as a server ends idle ones."""
        for connection in [*self.connections]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.drop()
        for connection in self.connections:
            connection.close()

    def _make(  # noqa: C901 - a class
        self, family: socket.AddressFamily, address: Any, context: ssl.SSLContext | None
    ) -> socketserver.TCPServer:
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                fields = {name.lower(): value for name, value in self.headers.items()}
                web.requests.append((self.command, self.path, fields))
                self.send_response(web.code)
                for name, value in web.fields.items():
                    self.send_header(name, value)
                if web.closes:
                    self.send_header("Connection", "close")
                if web.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                else:
                    self.send_header("Content-Length", str(len(web.body)))
                self.end_headers()
                if self.command == "HEAD":
                    return
                body = web.body
                if web.chunked:
                    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            do_GET = do_HEAD = answer  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                """Write no log."""

            def address_string(self) -> str:
                return "client"

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            address_family = family

            def get_request(self) -> tuple[Any, Any]:
                connection, client = super().get_request()
                web.connections.append(connection)
                if context is not None:
                    connection = context.wrap_socket(
                        connection, server_side=True, do_handshake_on_connect=False
                    )
                    web.connections[-1] = connection
                return connection, client

            def handle_error(self, *_: object) -> None:
                """Ignore clients that hang up."""

        return Server(address, Handler)


def main() -> None:
    """Serve until the end; the file beside the port says which code."""
    file = Path(sys.argv[2]) if len(sys.argv) > 2 else None

    class FromFile(WebServer):
        @property
        def code(self) -> int:
            return int(file.read_text()) if file else 200

        @code.setter
        def code(self, _: int) -> None:
            pass

    with FromFile(address=("127.0.0.1", int(sys.argv[1]))):
        print("ready", flush=True)  # noqa: T201 - for whoever started it
        threading.Event().wait()


if __name__ == "__main__":
    main()
