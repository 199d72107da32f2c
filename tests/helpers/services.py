"""A node with the services of examples/services: real ones from Debian, stand-ins for the others.

Each is configured with the lines that its file there says, so these lines are tried, too.
"""

import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from helpers.keepalived import Process, StrPath, children_of, wait_until
from helpers.vault_node import EXAMPLES, VaultNode

SERVICES = EXAMPLES / "services"
NAMES = sorted(path.stem for path in SERVICES.glob("*.toml"))
ENDPOINT = Path(__file__).with_name("endpoint.py")
READY = "200 ok"
APPLICATIONS = {"nginx": 8080, "haproxy": 8081}
"""The ports of what is behind a proxy."""
PLUGIN = "/usr/lib/nagios/plugins/check_mysql_query"
PLUGIN_TEXT = """#!/bin/sh
[ "$*" = "-s /run/mysqld/mysqld.sock -u kacheck -q SELECT @@global.read_only -c 0:0" ] || exit 3
read -r code text <{says}
[ "$code" = hang ] && exec sleep 60
echo "$text"
exit "$code"
"""
WRITABLE = "0 QUERY OK: 'SELECT @@global.read_only' returned 0.000000 | result=0.000000;;0.000000;"
NGINX = """
daemon off;
pid {directory}/nginx.pid;
events {{ }}
http {{
    access_log off;
    # What makes an application look alive that is dead.
    proxy_cache_path {directory}/cache keys_zone=pages:1m;
    proxy_cache pages;
    proxy_cache_valid 200 1h;
    proxy_cache_use_stale error timeout http_503;
    include {directory}/health.conf;
}}
"""
HAPROXY = """
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
backend app
    option httpchk GET /
    default-server check inter 200ms fall 1 rise 1
    server app1 127.0.0.1:8081
"""
MEMBERS = {"one": 2379, "two": 12379, "three": 22379}
"""Members of etcd, each with its port for clients; the next one is for the others."""


def text_of(service: str) -> str:
    """Return the file of a service."""
    return (SERVICES / f"{service}.toml").read_text()


def snippets(service: str) -> list[str]:
    """Return what the comment of a service's file has for other files."""
    blocks = re.findall(r"^#     .*\n(?:#(?:     .*)?\n)*", text_of(service), re.MULTILINE)
    return [re.sub(r"^#(?:     )?", "", block, flags=re.MULTILINE) for block in blocks]


class Services:
    """All of them, on one node."""

    def __init__(self, vault_node: VaultNode) -> None:
        self.node = vault_node.node
        self.running: dict[str, Process] = {}
        self.certificate = self.node.dir / "apiserver.pem"
        leaf = vault_node.authority.server("kubernetes")
        leaf.private_key_and_cert_chain_pem.write_to_path(str(self.certificate))
        pki = self.node.root / "etc/kubernetes/pki"
        pki.mkdir(parents=True)
        vault_node.authority.write(pki / "ca.crt")
        self.node.overlay("/usr/lib")
        plugin = self.node.root / PLUGIN[1:]
        plugin.parent.mkdir(parents=True, exist_ok=True)
        plugin.write_text(PLUGIN_TEXT.format(says=self.node.dir / "database"))
        plugin.chmod(0o755)

    def start(self) -> None:
        """Start everything."""
        for name, port in APPLICATIONS.items():
            self.endpoint(f"app-{name}", port)
        self.says("database", WRITABLE)
        self.nginx(snippets("nginx")[0])
        self.haproxy()
        self.etcd()
        self.patroni()
        self.apiserver()

    # --- each of them ---------------------------------------------------------------------

    def nginx(self, health: str) -> None:
        """Start it, or let the one that runs read another configuration."""
        self.node.write("health.conf", health)
        conf = self.node.write("nginx.conf", NGINX.format(directory=self.node.dir))
        argv: list[StrPath] = ["nginx", "-e", "stderr", "-c", conf]
        if "nginx" in self.running:
            self.node.run([*argv, "-s", "reload"])
        else:
            self.spawn("nginx", argv)

    def nginx_asks_the_application(self) -> None:
        """Do what its file says for that."""
        server, lines = snippets("nginx")
        self.nginx(re.sub(r" +return 200;\n", lines, server))

    def haproxy(self) -> None:
        """Start it, as systemd does: a master and a worker."""
        conf = self.node.write("haproxy.cfg", HAPROXY + snippets("haproxy")[0])
        self.spawn("haproxy", ["haproxy", "-W", "-db", "-f", conf])

    def etcd(self) -> None:
        """Start what does not run of its three members."""
        for name in MEMBERS:
            if f"etcd-{name}" not in self.running:
                self.member(name)

    def member(self, name: str) -> None:
        """Start one of them; the first has the setting of its file."""
        client, peer = (f"http://127.0.0.1:{MEMBERS[name] + n}" for n in (0, 1))
        others = [f"{each}=http://127.0.0.1:{port + 1}" for each, port in MEMBERS.items()]
        options = {
            "name": name,
            "data-dir": str(self.node.dir / f"etcd-{name}"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": ",".join(others),
            "heartbeat-interval": "50",
            "election-timeout": "500",
        }
        key, _, value = snippets("etcd")[0].strip().partition("=")
        env = {**os.environ, key: value.strip('"')} if name == "one" else None
        argv = ["etcd", *(f"--{key}={value}" for key, value in options.items())]
        self.spawn(f"etcd-{name}", argv, env=env)

    def patroni(self) -> None:
        """Start the stand-in."""
        self.endpoint("patroni", 8008)

    def apiserver(self) -> None:
        """Start the stand-in."""
        self.endpoint("apiserver", 6443, self.certificate)

    # --- all alike ------------------------------------------------------------------------

    def endpoint(self, name: str, port: int, *certificate: StrPath) -> None:
        """Start a health endpoint that answers as `says` has it."""
        self.says(name, READY)
        argv = [sys.executable, "-I", ENDPOINT, str(port), self.node.dir / name, *certificate]
        self.spawn(name, argv)

    def says(self, name: str, words: str) -> None:
        """Let a stand-in answer with these words from now on."""
        self.node.write(f"{name}.new", words + "\n").replace(self.node.dir / name)

    def spawn(self, name: str, argv: Sequence[StrPath], env: dict[str, str] | None = None) -> None:
        """Start a process; its log is in the node's directory."""
        with (self.node.dir / f"{name}.log").open("a") as log:
            self.running[name] = self.node.popen(argv, stdout=log, stderr=log, env=env)

    def kill(self, *names: str) -> None:
        """kill -9, with the children."""
        for name in names:
            self.running.pop(name).end()

    def reload_haproxy(self) -> None:
        """Do what `systemctl reload haproxy` does; return when a new worker has replaced the old one."""
        master = self.running["haproxy"]
        before = children_of(master.pid)
        master.kill(signal.SIGUSR2)
        wait_until(lambda: not {*before} & {*children_of(master.pid)}, "the old worker stays")
