# SPDX-License-Identifier: BSD-2-Clause
"""What keeps messages until the script takes them."""
from __future__ import annotations

import collections
import queue
import threading
import time
from typing import Any, Optional, Union

from .pipes import Native, Sink
from .runner import check_caller


class Queue:
    """What `q.q` is: the part of queue.Queue that takes messages out."""

    def __init__(self, sink: QueueSink) -> None:
        self._sink = sink

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        return self._sink._pt_take(block, timeout)

    def get_nowait(self) -> Any:
        return self.get(False)

    def put(self, msg: Any, block: bool = True, timeout: Optional[float] = None) -> None:
        self._sink._pt_local.append(msg)

    put_nowait = put

    def empty(self) -> bool:
        return not self.qsize()

    def full(self) -> bool:
        return False

    def qsize(self) -> int:
        self._sink._pt_fetch(0)
        return len(self._sink._pt_local)


class QueueSink(Sink):
    """Keeps messages until `recv` takes them, also after the engine has stopped.

    >>> sink = QueueSink()
    >>> CLIFeeder() > sink
    >>> sink.recv(timeout=1)
    """

    def __init__(self, name: Optional[str] = None, limit: Union[int, str] = "1GiB", overflow: str = "drop-newest") -> None:
        super().__init__(name)
        self.limit, self.overflow = limit, overflow
        self._pt_local: collections.deque[Any] = collections.deque()
        self._pt_has_dropped = self._pt_has_lost = False
        self._pt_asking, self._pt_turn = 0, threading.Lock()  # how many threads of the script's fetch
        self.q = Queue(self)

    def push(self, msg: Any) -> None:
        self._pt_local.append(msg)

    high_push = push

    def recv(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        """The next message; None where there is none, at once or after `timeout` seconds."""
        try:
            return self._pt_take(block, timeout)
        except queue.Empty:
            return None

    def _pt_take(self, block: bool, timeout: Optional[float]) -> Any:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return self._pt_local.popleft()
            except IndexError:  # also where another thread was faster
                pass
            left = 0.0 if not block else 10.0 if until is None else max(0.0, until - time.monotonic())
            if not self._pt_fetch(min(left, 10)) and left == 0:
                raise queue.Empty
            if not self._pt_local and left and (self._pt_wire or not self._pt_engine):
                time.sleep(min(left, 0.05))  # nothing fills it but this script, from another thread

    def _pt_fetch(self, seconds: float) -> bool:
        engine = self._pt_engine
        if not engine or self._pt_wire:
            return False
        check_caller()
        with self._pt_turn:
            self._pt_asking += 1
        try:
            return bool(engine._fetch(self, seconds))
        finally:
            with self._pt_turn:
                self._pt_asking -= 1

    def _pt_fetch_all(self) -> None:
        while self._pt_fetch(0):
            pass

    def _pt_take_in(self) -> None:
        """The same of the package's own accord: not beside a thread of the script's, whose messages would change places."""
        engine = self._pt_engine
        with self._pt_turn:
            while not self._pt_asking and engine and engine._fetch(self, 0):
                pass

    def _pt_native(self) -> Optional[Native]:
        return "QueueSink", (), {"limit": self.limit, "overflow": self.overflow}
