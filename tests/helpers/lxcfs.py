"""A small lxcfs: files of /proc served through FUSE, as LXC serves them to a container.

Run as root in a separate mount namespace::

    unshare --mount python3 lxcfs.py PIDFILE /proc/uptime -- COMMAND...

COMMAND replaces this process; a child serves the files until it is killed or COMMAND ends, and
writes its pid to PIDFILE. Once the child is dead, every access gives ENOTCONN, as with lxcfs.
The protocol is in the kernel's include/uapi/linux/fuse.h.
"""

import ctypes
import errno
import os
import select
import selectors
import signal
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

HEADER = struct.Struct("=IIQQIIIHH")
GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, FORGET, INTERRUPT, BATCH_FORGET = (
    3, 14, 15, 18, 25, 26, 2, 36, 42,
)  # fmt: skip
DIRECT_IO = 1
"""FOPEN_DIRECT_IO: every read asks the server."""
PR_SET_PDEATHSIG = 1


def wrapper(pidfile: Path, *files: str) -> list[str]:
    """Return the command that runs another one in a namespace with these files served."""
    return ["unshare", "--mount", sys.executable, "-I", __file__, str(pidfile), *files, "--"]


def kill(pidfile: Path) -> None:
    """End the server as a crash does, and wait until the kernel has noticed."""
    pid = int(pidfile.read_text())
    file = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        select.select([file], [], [])
    finally:
        os.close(file)


def mount(libc: ctypes.CDLL, path: str) -> int:
    """Mount a file system that is one regular file over `path`; return its connection."""
    file = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={file},rootmode=100444,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"lxcfs", path.encode(), b"fuse", 0, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    return file


def serve(connection: int, content: int) -> None:
    """Answer one request of the kernel: what is read is what `content` has now."""
    request = os.read(connection, 1 << 20)
    _, opcode, unique, _, _, _, _, _, _ = HEADER.unpack_from(request)
    body = request[HEADER.size :]
    error, answer = 0, b""
    if opcode == INIT:
        answer = struct.pack("=IIIIHHIIHHI7I", 7, 31, 0, 0, 12, 9, 4096, 1, 0, 0, 0, *[0] * 7)
    elif opcode == GETATTR:
        attributes = struct.pack("=QQQQQQIIIIIIIIII", 1, 0, 0, *[0] * 6, 0o100444, 1, *[0] * 5)
        answer = struct.pack("=QII", 0, 0, 0) + attributes
    elif opcode == OPEN:
        answer = struct.pack("=QII", 0, DIRECT_IO, 0)
    elif opcode == READ:
        _, offset, size = struct.unpack_from("=QQI", body)
        answer = os.pread(content, size, offset)
    elif opcode in (FORGET, INTERRUPT, BATCH_FORGET):
        return
    elif opcode not in (RELEASE, FLUSH):
        error = -errno.ENOSYS
    os.write(connection, struct.pack("=IiQ", 16 + len(answer), error, unique) + answer)


def main(arguments: Sequence[str]) -> None:
    """Serve the files in a child and become the command."""
    end = arguments.index("--")
    pidfile, *paths = arguments[:end]
    libc = ctypes.CDLL(None, use_errno=True)
    selector = selectors.DefaultSelector()
    for path in paths:
        content = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        selector.register(mount(libc, path), selectors.EVENT_READ, content)
    parent = os.getpid()
    if os.fork():
        command = [*arguments[end + 1 :]]
        os.execvp(command[0], command)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for file in range(3):
        os.dup2(nothing, file)
    new = f"{pidfile}.new"
    Path(new).write_text(str(os.getpid()))
    os.rename(new, pidfile)
    while True:
        for key, _ in selector.select():
            serve(key.fd, key.data)


if __name__ == "__main__":
    main(sys.argv[1:])
