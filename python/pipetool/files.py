# SPDX-License-Identifier: BSD-2-Clause
"""Files that the script opens for the daemon, so that they are read and written with the script's rights."""
from __future__ import annotations

import contextlib
import errno
import glob
import os
import stat
from typing import Any, Dict, List, Tuple

OWN = ("/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/")  # each process has others
MOST = 64  # descriptors that go with a request


class File:
    """A descriptor, until it is handed over."""

    def __init__(self, path: str, writes: bool) -> None:
        self.path, self.made = path, False
        self.fd = self._open_to_write() if writes else os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def _open_to_write(self) -> int:
        """What is appended to is read, too, where that is allowed. A FIFO would wait for nobody."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            self.made = True
            return fd
        except FileExistsError:
            pass
        if stat.S_ISREG(os.stat(self.path).st_mode):
            with contextlib.suppress(PermissionError):
                return os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        return os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self.fd


class Files:
    """Those of one request.

    >>> with Files() as files:
    ...     files.hand_over([{"name": "fname", "kind": "file", "access": "read"}], {"fname": "/dev/null"})["fname"]["path"]
    '/dev/null'
    """

    def __init__(self) -> None:
        self.files: List[File] = []
        self.used = False  # else those that were made are removed again

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self.files:
            os.close(file.fd)
            with contextlib.suppress(OSError):
                if file.made and not self.used and not os.stat(file.path).st_size:
                    os.unlink(file.path)

    def hand_over(self, rows: List[Dict[str, Any]], params: Dict[str, Any], left: Tuple[str, ...] = (),
                  is_other: bool = True) -> Dict[str, Any]:
        """The parameters, with {"fd", "path"} in place of the paths of files, as the type's table tells them.

        Those in `left` stay, and where the daemon makes or looks for files: `rotate`, `follow`, names with fields; of a
        daemon of the script's own (not `is_other`) all but what is something else to each process, as /dev/stdin.
        """
        taken = dict(params)
        for row in rows:
            value = taken.get(row["name"])
            names = value if isinstance(value, (list, tuple)) else [value]
            if not is_other and not any(isinstance(name, str) and name.startswith(OWN) for name in names):
                continue
            if row["kind"] == "file" and isinstance(value, str) and row["name"] not in left \
                    and not params.get("rotate") and not set("{}") & set(value):
                taken[row["name"]] = self._open(value, row.get("access") == "write")
            elif row["kind"] == "files" and value is not None and not params.get("follow"):
                taken[row["name"]] = [self._open(one, False) if isinstance(one, str) and os.path.exists(one) else one
                                      for one in _expand(value)]
        return taken

    def _open(self, path: str, writes: bool) -> Any:
        if len(self.files) >= MOST:
            raise OSError(errno.EMFILE, f"at most {MOST} files are handed over with a request", path)
        self.files.append(File(path, writes))
        return {"fd": self.files[-1], "path": path}


def _expand(value: Any) -> List[Any]:
    """A list, in which globs are what they match now, in the order of their bytes."""
    found: List[Any] = []
    for one in value if isinstance(value, (list, tuple)) else [value]:
        names = [] if not isinstance(one, str) or os.path.exists(one) else sorted(glob.glob(one), key=os.fsencode)
        found += names or [one]
    return found


def absolute(rows: List[Dict[str, Any]], params: Dict[str, Any]) -> Dict[str, Any]:
    """The parameters, with paths from the script's folder on.

    >>> absolute([{"name": "fname", "kind": "file"}], {"fname": "/a/../b"})
    {'fname': '/b'}
    """
    def whole(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [whole(one) for one in value]
        return os.path.abspath(os.fspath(value)) if isinstance(value, (str, os.PathLike)) else value
    kinds = {row["name"]: row["kind"] for row in rows}
    return {name: whole(value) if kinds.get(name) in ("file", "files") else value for name, value in params.items()}
