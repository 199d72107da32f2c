"""A health endpoint that answers what a file says: a code, then the body.

    python3 endpoint.py PORT FILE [CERTIFICATE]

With a certificate it speaks TLS and keeps connections, as kube-apiserver does. Without one it speaks
HTTP/1.0, sends no length, and closes each connection, as Patroni does.
"""

import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code, _, body = Path(sys.argv[2]).read_text().partition(" ")
        self.send_response(int(code))
        if self.protocol_version == "HTTP/1.1":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Ignore clients that hang up."""


def main() -> None:
    server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
    if sys.argv[3:]:
        Handler.protocol_version = "HTTP/1.1"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
