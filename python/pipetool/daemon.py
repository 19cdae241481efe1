# SPDX-License-Identifier: BSD-2-Clause
"""A script's own daemon: started when it is first needed, and ended with the script, however that ends."""
from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import tempfile
import threading
import time
from typing import Iterator, Optional

from .client import Client, Closed, Refused

GONE = "the daemon has ended, and what was on its way is lost: stop() and start() begin anew"
_PREFIX, _SOCKET = "pipetool-script-", "control.sock"
_MAKING_S = 10
_FIRST_FREE = 10  # above those that the daemon is given, 3 and 4
_START = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"'


def find() -> str:
    """$PIPETOOLD, that of the build in whose tree the package lies, or the one in PATH."""
    if given := os.environ.get("PIPETOOLD"):
        return given
    tree = pathlib.Path(__file__).resolve().parents[2]
    for build in [os.environ.get("PIPETOOL_BUILD"), *sorted(map(str, (tree / "build").glob("*")))]:
        if build and os.access(found := os.path.join(build, "daemon", "pipetoold"), os.X_OK):
            return found
    if installed := shutil.which("pipetoold") or shutil.which("pipetoold", path="/usr/sbin:/usr/local/sbin"):
        return installed
    raise FileNotFoundError("there is no pipetoold beside this package, nor in PATH: $PIPETOOLD may tell where it is")


def _is_dead(folder: pathlib.Path) -> bool:
    """Whether it is this user's, its daemon has gone, and nobody is just making it."""
    try:
        status = folder.stat()
        if status.st_uid != os.getuid() or time.time() - status.st_mtime < _MAKING_S:
            return False
        with socket.socket(socket.AF_UNIX) as asked:
            asked.setblocking(False)
            asked.connect(str(folder / _SOCKET))
        return False
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError:
        return False


def _make_folder() -> str:
    """A new one; those that scripts which were killed have left are removed."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    base = given if given and os.access(given, os.W_OK) else tempfile.gettempdir()
    for name in os.listdir(base):
        if name.startswith(_PREFIX) and _is_dead(folder := pathlib.Path(base, name)):
            shutil.rmtree(folder, ignore_errors=True)
    return tempfile.mkdtemp(prefix=_PREFIX, dir=base)


class Daemon:
    """One process, with a socket in a folder of its own."""

    def __init__(self) -> None:
        self.owner, self.has_answered = os.getpid(), False
        self.folder = _make_folder()
        self.socket = os.path.join(self.folder, _SOCKET)
        try:
            self.program = find()
            self.pid = self._start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _start(self) -> int:
        program, folder = self.program, pathlib.Path(self.folder)
        for name in ("engines.d", "state"):
            (folder / name).mkdir()
        (folder / "pipetoold.conf").write_text("[programs]\nallow = *\n[limits]\nline = 64MiB\n")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.socket)
            listener.listen(64)
            given = [fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)]
            script = os.pidfd_open(os.getpid())
            given.append(fcntl.fcntl(script, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE))
            os.close(script)
            try:
                return os.posix_spawn("/bin/sh", [
                    "sh", "-c", _START, program, "--engines", str(folder / "engines.d"), "--state", str(folder / "state"),
                    "--config", str(folder / "pipetoold.conf"), "--log-level", "error", "--ends-with", "4"],
                    {name: value for name, value in os.environ.items() if name not in ("NOTIFY_SOCKET", "FDSTORE")},
                    file_actions=[(os.POSIX_SPAWN_DUP2, given[0], 3), (os.POSIX_SPAWN_DUP2, given[1], 4),
                                  (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
                    setsid=True, setsigdef=[signal.SIGINT, signal.SIGPIPE])
            finally:
                for fd in given:
                    os.close(fd)

    def end(self) -> None:
        """Asks it to end, waits, and removes its folder."""
        if self.owner != os.getpid():
            return
        pid, self.pid = self.pid, 0
        try:
            if pid:
                os.kill(pid, signal.SIGTERM)
                os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def is_alive(self) -> bool:
        """Whether it still runs, and is this process's."""
        if self.owner != os.getpid() or not self.pid:
            return False
        try:
            if os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                return True
        except ChildProcessError:
            pass
        self.pid = 0  # which may be another's from now on
        return False


_lock = threading.RLock()
_daemon: Optional[Daemon] = None
_users = 0


def own() -> Daemon:
    """The one of this process, which is started if there is none."""
    global _daemon
    with _lock:
        if _daemon is None or not _daemon.is_alive():
            _end()
            _daemon = Daemon()
        return _daemon


def hold(path: Optional[str]) -> None:
    """From now on an engine needs the daemon, until `release`: one's own where there is no path."""
    global _users
    with _lock:
        _users += not path


def release(path: Optional[str]) -> None:
    """With the last engine one's own daemon ends."""
    global _users
    with _lock:
        _users -= not path
        if not path and not _users and _daemon and _is_idle():
            _end()


def _is_idle() -> bool:
    """Whether it has no engine, of a client's own, either."""
    if not (_daemon and _daemon.has_answered):
        return True
    try:
        with connect() as client:
            return not client.call("engine.list")["engines"]
    except (OSError, Closed):
        return True


@contextlib.contextmanager
def told_when_gone() -> Iterator[None]:
    """ConnectionResetError where the daemon has ended. What it refuses may be a ConnectionError as well, and stays."""
    try:
        yield
    except Refused:
        raise
    except (Closed, ConnectionError):
        raise ConnectionResetError(GONE) from None


def connect(path: Optional[str] = None, timeout: float = 30) -> Client:
    """A connection to the daemon of that socket, or to one's own."""
    if path:
        return Client(path, timeout=timeout)
    mine = own()
    try:
        return _greet(mine, timeout)
    except ConnectionRefusedError:  # it is just ending
        mine.end()
        return _greet(own(), timeout)


def _greet(mine: Daemon, timeout: float) -> Client:
    """Whether it is one shows the first answer."""
    if mine.has_answered:
        return Client(mine.socket, timeout=timeout)
    client: Optional[Client] = None
    try:
        client = Client(mine.socket, timeout=timeout)
        client.call("daemon.info")
    except (Closed, ConnectionError):
        if client:
            client.close()
        mine.end()
        raise RuntimeError(f"'{mine.program}' has ended at once, in place of serving this script: is it a pipetoold, and as "
                           "new as this package? $PIPETOOLD may tell of another") from None
    mine.has_answered = True
    return client


def _end() -> None:
    global _daemon
    if _daemon is not None:
        _daemon.end()
        _daemon = None


def _forget() -> None:
    """In a child that was forked: all of it is the parent's."""
    global _lock, _daemon, _users
    _lock, _daemon, _users = threading.RLock(), None, 0


os.register_at_fork(after_in_child=_forget)
atexit.register(_end)
