"""A stand-in for Consul's agent: its health, key, session and TTL endpoints, and what goes wrong.

In a test::

    with StandInConsul() as consul:
        consul.register("web", "passing")
        check(consul.address)
        consul.hangs = True                 # from the next request on

As a script it answers with the states that it finds in a JSON file at every request, such as
`{"web": "passing"}`, and writes the last update of a TTL check beside it, into FILE.ttl:
`python3 consul.py PORT FILE`.
"""

import json
import socket
import ssl
import sys
import threading
import urllib.parse
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

PATIENCE = 30.0
HEALTH = "/v1/agent/health/service/"
UPDATE = "/v1/agent/check/update/"
BUFFER = 2048
"""Bytes of an answer for which Go's net/http knows the length."""
CODES = {"passing": 200, "warning": 429, "critical": 503, "maintenance": 503}


class Asked(NamedTuple):
    """A request: its method, path, header fields with small letters, and body."""

    method: str
    path: str
    fields: dict[str, str]
    body: bytes


class StandInConsul:
    """One agent; its attributes are its state, which a test changes as it likes."""

    node = "node-1"
    is_server = True
    leads = True
    has_leader = True
    token: str | None = None
    """The only token that is let in; None: there are no ACLs."""
    hangs = False
    """Whether requests are taken and not answered."""
    answers_late: float = 0.0
    """Seconds that an answer takes."""
    drips = False
    """Whether an answer comes a byte at a time."""

    def __init__(
        self, port: int = 0, context: ssl.SSLContext | None = None, path: str | None = None
    ) -> None:
        self.services: dict[str, list[dict[str, Any]]] = {}
        """By name, what the agent says of each instance."""
        self.locks: dict[str, str | None] = {}
        """By key, the session that holds it."""
        self.sessions: dict[str, str] = {}
        """By session, its node."""
        self.ttl_checks: dict[str, list[tuple[str, str]]] = {}
        """By its ID, the status and output of each update of a TTL check."""
        self.sockets: list[socket.socket] = []
        """All connections that there have been."""
        self.requests: list[Asked] = []
        self.path = path
        self.ended = threading.Event()
        self._scheme = "https" if context else "http"
        self._server = _Server(self, port, context)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def address(self) -> str:
        """What CONSUL_HTTP_ADDR has."""
        if self.path:
            return f"unix://{self.path}"
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self.sockets)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def register(self, name: str, state: str, *, tags: tuple[str, ...] = (), output: str = "",
                 checks: int = 1) -> None:  # fmt: skip
        """Register one instance of a service, in place of those before."""
        check = {
            "CheckID": f"service:{name}", "Name": f"{name} check", "ServiceID": name,
            "Status": "critical" if state == "maintenance" else state, "Output": output,
            "Notes": "",
        }  # fmt: skip
        if state == "maintenance":
            check |= {"CheckID": f"_service_maintenance:{name}", "Notes": output}
        service = {"ID": name, "Service": name, "Tags": [*tags]}
        row = {"AggregatedStatus": state, "Checks": [check] * checks, "Service": service}
        self.services[name] = [row]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End, with all connections."""
        if not self.ended.is_set():
            self.ended.set()
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            for each in self.sockets:
                with suppress(OSError):
                    socket.socket.shutdown(each, socket.SHUT_RDWR)
                each.close()

    def has_been_asked(self, count: int) -> bool:
        """Return whether there have been more requests than this."""
        return len(self.requests) > count

    # --- the answers --------------------------------------------------------------------------

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Return the code and the body: bytes as they are, everything else as JSON."""
        path = urllib.parse.unquote(asked.path.partition("?")[0])
        if self.token is not None and asked.fields.get("x-consul-token") != self.token:
            return 403, b"Permission denied: token with AccessorID 'anonymous' lacks permission"
        for prefix, endpoint in (
            (f"{HEALTH}id/", self.health_by_id),
            (f"{HEALTH}name/", self.health_by_name),
            ("/v1/agent/self", self.described),
            (UPDATE, partial(self.updated, asked.body)),
            ("/v1/kv/", self.key),
            ("/v1/session/info/", self.session),
        ):
            if path.startswith(prefix):
                return endpoint(path.removeprefix(prefix))
        return 404, b""

    def health_by_name(self, name: str) -> tuple[int, Any]:
        """Return what is said of all instances of this name."""
        rows = self.services.get(name, [])
        return max((CODES[row["AggregatedStatus"]] for row in rows), default=404), rows

    def health_by_id(self, service: str) -> tuple[int, Any]:
        """Return what is said of the instance of this ID."""
        for rows in self.services.values():
            for row in rows:
                if row["Service"]["ID"] == service:
                    return CODES[row["AggregatedStatus"]], row
        return 404, {"AggregatedStatus": "critical", "Checks": None, "Service": None}

    def key(self, key: str) -> tuple[int, Any]:
        """Return what is said of a key, which the leader has to be asked for."""
        if not self.has_leader:
            return 500, b"No cluster leader"
        if key not in self.locks:
            return 404, b""
        session = self.locks[key]
        return 200, [{"Key": key, "Value": None, **({"Session": session} if session else {})}]

    def session(self, session: str) -> tuple[int, Any]:
        """Return what is said of a session."""
        if not self.has_leader:
            return 500, b"No cluster leader"
        node = self.sessions.get(session)
        return 200, [{"ID": session, "Node": node}] if node else []

    def described(self, _: str) -> tuple[int, Any]:
        """Return what it says of itself; more than fits into Go's buffer, so without a length."""
        stats = {"server": str(self.is_server).lower(), "leader_addr": "10.0.0.2:8300"}
        if self.is_server:
            stats["leader"] = str(self.leads).lower()
        return 200, {
            "Config": {"NodeName": self.node},
            "DebugConfig": {f"Setting{number}": "x" * 60 for number in range(1500)},
            "Stats": {"consul": stats},
        }

    def updated(self, body: bytes, check: str) -> tuple[int, Any]:
        """Update a TTL check."""
        if check not in self.ttl_checks:
            return 404, f'Unknown check ID "{check}". Ensure that the check ID is passed'.encode()
        update = json.loads(body)
        if update["Status"] not in ("passing", "warning", "critical"):
            return 400, b"Invalid check status"
        self.ttl_checks[check].append((update["Status"], update["Output"]))
        return 200, b""

    def status_of(self, check: str) -> str | None:
        """Return the status of the last update of a TTL check."""
        updates = self.ttl_checks[check]
        return updates[-1][0] if updates else None


# --- the server -----------------------------------------------------------------------------


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, consul: StandInConsul, port: int, context: ssl.SSLContext | None) -> None:
        self.consul, self.context = consul, context
        self.address_family = socket.AF_UNIX if consul.path else socket.AF_INET
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        if self.consul.path is None:
            return super().server_bind()
        self.socket.bind(self.consul.path)
        self.server_address = ("localhost", 0)
        return None

    def get_request(self) -> tuple[Any, Any]:
        connection, client = super().get_request()
        if self.context is not None:
            connection = self.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        connection.settimeout(PATIENCE)
        self.consul.sockets.append(connection)
        return connection, client

    def handle_error(self, *_: object) -> None:
        """Ignore clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def answer(self) -> None:
        consul = self.server.consul
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fields = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, fields, body)
        consul.requests.append(asked)
        while consul.hangs and not consul.ended.wait(0.02):
            pass
        consul.ended.wait(consul.answers_late)
        code, value = consul.answer(asked)
        self.send(code, value if isinstance(value, bytes) else json.dumps(value).encode())

    do_GET = do_PUT = answer  # noqa: N815 - http.server's names

    def send(self, code: int, body: bytes) -> None:
        """Answer as Go's net/http: what is longer than its buffer has no length."""
        field = b"Content-Length: %d" % len(body)
        if len(body) >= BUFFER:
            field = b"Transfer-Encoding: chunked"
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        answer = b"HTTP/1.1 %d Said\r\n%s\r\n\r\n%s" % (code, field, body)
        try:
            if not self.server.consul.drips:
                self.wfile.write(answer)
                return
            for byte in answer:
                self.wfile.write(bytes([byte]))
                self.server.consul.ended.wait(0.2)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve the states of a file until the end."""
    port, file, lock = int(sys.argv[1]), Path(sys.argv[2]), threading.Lock()

    class FromFile(StandInConsul):
        def answer(self, asked: Asked) -> tuple[int, Any]:
            with lock:
                self.services.clear()
                for name, state in json.loads(file.read_text()).items():
                    self.register(name, state)
                return super().answer(asked)

        def updated(self, body: bytes, check: str) -> tuple[int, Any]:
            update = json.loads(body)
            new = file.with_suffix(".ttl-new")
            new.write_text(f"{check} {update['Status']}")
            new.rename(file.with_suffix(".ttl"))
            return 200, b""

    with FromFile(port):
        print("ready", flush=True)  # noqa: T201 - for whoever started it
        threading.Event().wait()


if __name__ == "__main__":
    main()
