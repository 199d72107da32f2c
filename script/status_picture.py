#!/usr/bin/env python3
"""Draw docs/status.svg: what `kacheck status --follow` shows while Vault is sealed.

    .venv/bin/python script/status_picture.py [FILE]

A watcher runs with a stand-in for Vault, and the live view of a terminal is drawn.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from helpers.certificates import Authority  # noqa: E402
from helpers.keepalived import Process  # noqa: E402
from helpers.vault_node import start_stand_in  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS, LINES = 116, 9
KACHECK = (sys.executable, "-IB", "-m", "kacheck")
PATIENCE = 30
CONFIGURATION = """\
[check.vault-graded]
probe = "combined"
process = "vault"
address = "{address}"
ca_cert = "{ca}"
interval = 0.25
track = {{ ok = 20, warning = 0, critical = -254, unknown = -254 }}

[check.nginx]
probe = "process"
name = "nginx"
"""


def main() -> None:
    """Write the picture."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/status.svg"
    with tempfile.TemporaryDirectory(prefix="kacheck-") as name, ExitStack() as stack:
        frame = frame_of(Path(name), stack)
    target.write_text(picture(frame))


def frame_of(directory: Path, stack: ExitStack) -> str:
    """Return what the terminal shows when Vault has been sealed."""

    def start(argv: list[str], **options: Any) -> Process:
        process = Process(argv, **options)
        stack.callback(process.end)
        return process

    authority, state = Authority(), directory / "state"
    authority.write(directory / "ca.pem")
    leaf = authority.server("127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(directory / "vault.pem"))
    state.write_text("active")
    tls = ["--cert", str(directory / "vault.pem"), "--key", str(directory / "vault.pem")]
    _, address = start_stand_in(start, directory / "vault", ["--state-file", str(state), *tls])
    (directory / "nginx").symlink_to("/usr/bin/sleep")
    start([str(directory / "nginx"), "60"])
    config, place = directory / "kacheck.toml", directory / "run"
    config.write_text(CONFIGURATION.format(address=address, ca=directory / "ca.pem"))
    where = ["--state-dir", str(place)]
    start([*KACHECK, "watch", "--config", str(config), *where], stderr=subprocess.DEVNULL)
    subprocess.run([*KACHECK, "status", "--wait", *where], check=True, capture_output=True)
    terminal = Terminal([*KACHECK, "status", "--follow", *where], start)
    terminal.wait_for("ok       active")
    time.sleep(2)  # that it was active for a while
    state.write_text("sealed")
    frame = terminal.wait_for("critical  sealed")
    frame = frame.replace(str(config), "/etc/kacheck/kacheck.toml")
    return frame.replace(address, "https://127.0.0.1:8200")


class Terminal:
    """A program in a terminal of this size, and what it shows."""

    def __init__(self, argv: list[str], start: Callable[..., Process]) -> None:
        self._file, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        start(argv, stdin=slave, stdout=slave, env={**os.environ, "TERM": "xterm"})
        os.close(slave)
        self._shown = b""

    def wait_for(self, text: str) -> str:
        """Return the first whole frame with this text in it, colours aside."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if select.select([self._file], [], [], 0.1)[0]:
                self._shown += os.read(self._file, 65536)
            frames = re.findall(r"\033\[H(.*?)\033\[J", self._shown.decode(), re.DOTALL)
            if frames and text in re.sub(r"\033\[\d*m", "", frames[-1]):
                return re.sub(r"\033\[K|\r", "", frames[-1])
        raise SystemExit(f"the terminal does not show {text!r}: {self._shown[-2000:]!r}")


def picture(frame: str) -> str:
    """Return a frame as SVG, with the fonts that the reader has."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    console.print(Text.from_ansi(frame), no_wrap=True, crop=True, overflow="crop")
    svg = console.export_svg(title="kacheck status --follow", theme=MONOKAI, unique_id="status")
    svg = re.sub(r" *@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    svg = svg.replace("<text ", '<text xml:space="preserve" ')
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


if __name__ == "__main__":
    main()
