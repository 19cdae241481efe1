# SPDX-License-Identifier: BSD-2-Clause
"""Frames: how messages go between the daemon and a script (pipetool-blocks(7), FRAMES)."""
from __future__ import annotations

import struct
from typing import List, NamedTuple

MESSAGE, TRIGGER, EXHAUSTED, END, ERROR, CREDIT = range(1, 7)
TEXT, LOST, ANSWERS_TRIGGERS = 1, 2, 4
PLAIN = 0xffffffff
HEAD = struct.Struct("<IBBHIIq")
OF_HEAD = HEAD.size - 4


LONGEST = 16 * 1024 * 1024 - OF_HEAD


class Frame(NamedTuple):
    """One frame; `data` are the bytes behind its head."""

    kind: int
    canal: int = 0
    flags: int = 0
    link_type: int = 0
    wire_length: int = 0
    time_ns: int = 0
    data: bytes = b""

    def pack(self) -> bytes:
        """As it is written: `Frame(CREDIT, wire_length=64).pack()`."""
        return HEAD.pack(OF_HEAD + len(self.data), *self[:6]) + self.data


class Reader:
    """Gives whole frames, of bytes as they come: `data = reader.feed(data)`, and `reader.keep(rest)` behind them."""

    def __init__(self) -> None:
        self._parts: List[bytes] = []
        self._missing = 0

    def feed(self, data: bytes) -> bytes:
        """All that there is from the beginning of a frame; nothing where the first is not whole yet."""
        if not self._parts:
            return data
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return b""
        parts, self._parts = self._parts, []
        return b"".join(parts)

    def keep(self, rest: bytes) -> None:
        """What is left behind the last whole frame."""
        if rest:
            wanted = 4 + int.from_bytes(rest[:4], "little") if len(rest) >= 4 else HEAD.size
            self._parts, self._missing = [rest], wanted - len(rest)
