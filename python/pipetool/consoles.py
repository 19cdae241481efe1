# SPDX-License-Identifier: BSD-2-Clause
"""Sinks that print in the script's terminal, or in one of their own."""
from __future__ import annotations

import os
import subprocess
from typing import Any, Optional

from .message import raw_of
from .pipes import Sink


class ConsoleSink(Sink):
    """Prints messages, with > or >> before them.

    >>> CLIFeeder() > ConsoleSink()
    """

    def push(self, msg: Any) -> None:
        print(">" + repr(msg))

    def high_push(self, msg: Any) -> None:
        print(">>" + repr(msg))


class RawConsoleSink(Sink):
    """Writes messages to standard output.

    >>> CLIFeeder() > RawConsoleSink(newlines=False)
    """

    def __init__(self, name: Optional[str] = None, newlines: bool = True) -> None:
        super().__init__(name)
        self.newlines = newlines
        self._write_pipe = 1

    def push(self, msg: Any) -> None:
        os.write(self._write_pipe, raw_of(msg) + (b"\n" if self.newlines else b""))

    high_push = push


class TermSink(Sink):
    """Prints messages in a terminal window of its own.

    >>> CLIFeeder() > TermSink()
    """

    def __init__(self, name: Optional[str] = None, keepterm: bool = True, newlines: bool = True,
                 openearly: bool = True) -> None:
        super().__init__(name)
        self.keepterm, self.newlines, self.openearly, self.opened = keepterm, newlines, openearly, False
        if openearly:
            self.start()

    def start(self) -> None:
        if self.opened:
            return
        end, self.wdesc = os.pipe()
        words = ["xterm", "-title", self.name, *(["-hold"] if self.keepterm else []), "-e", f"cat <&{end}"]
        try:
            self.proc = subprocess.Popen(words, pass_fds=[end])
        except BaseException:
            self._shut()
            raise
        finally:
            os.close(end)
        self.opened = True

    def stop(self) -> None:
        if not self.keepterm and self.opened:
            self.opened = False
            self.proc.kill()
            self.proc.wait()
            self._shut()

    def _shut(self) -> None:
        os.close(self.wdesc)
        self.wdesc = -1  # the number may be somebody else's soon

    def push(self, msg: Any) -> None:
        os.write(self.wdesc, (str(msg) + ("\n" if self.newlines else "")).encode())

    high_push = push
