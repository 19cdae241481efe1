# SPDX-License-Identifier: BSD-2-Clause
"""What carries any object from one thread of the script to another, and can be waited for by its descriptor."""
from __future__ import annotations

import collections
import os
import threading
import weakref
from typing import Any, Deque, Optional, Tuple


def _close(ends: Tuple[int, int]) -> None:
    for end in ends:
        os.close(end)


class ObjectPipe:
    """As that of scapy.automaton: what one sends, another receives, in the same order.

    >>> pipe = ObjectPipe()
    >>> pipe.send({"any": "object"}), pipe.empty(), pipe.recv(), pipe.empty()
    (1, False, {'any': 'object'}, True)
    """

    def __init__(self) -> None:
        self._pt_objects: Deque[Any] = collections.deque()
        self._pt_came = threading.Condition()
        self._pt_ends: Optional[Tuple[int, int]] = None  # of a pipe with a byte in it, while there are objects

    def send(self, obj: Any) -> int:
        """Never waits."""
        with self._pt_came:
            self._pt_objects.append(obj)
            if self._pt_ends and len(self._pt_objects) == 1:
                os.write(self._pt_ends[1], b"x")
            self._pt_came.notify()
        return 1

    def recv(self, n: Optional[int] = 0) -> Any:
        """The next object, which is waited for."""
        with self._pt_came:
            while not self._pt_objects:
                self._pt_came.wait()
            if self._pt_ends and len(self._pt_objects) == 1:
                os.read(self._pt_ends[0], 1)
            return self._pt_objects.popleft()

    def empty(self) -> bool:
        return not self._pt_objects

    def fileno(self) -> int:
        """Of what can be read while there are objects."""
        with self._pt_came:
            if not self._pt_ends:
                self._pt_ends = os.pipe()
                weakref.finalize(self, _close, self._pt_ends)
                if self._pt_objects:
                    os.write(self._pt_ends[1], b"x")
            return self._pt_ends[0]
