# SPDX-License-Identifier: BSD-2-Clause
"""Frames: how messages go between the daemon and a script (pipetool-blocks(7), FRAMES)."""
from __future__ import annotations

import struct
from typing import Iterator, NamedTuple

MESSAGE, TRIGGER, EXHAUSTED, END, ERROR, CREDIT = range(1, 7)
TEXT, LOST, ANSWERS_TRIGGERS = 1, 2, 4
PLAIN = 0xffffffff
HEAD = struct.Struct("<IBBHIIq")
OF_HEAD = HEAD.size - 4


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
    """Cuts frames out of bytes: `for frame in reader.feed(data): …`"""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Every frame that is whole with these bytes."""
        data = self._rest + data if self._rest else data
        at, size = 0, len(data)
        while size - at >= HEAD.size:
            length, kind, canal, flags, link_type, wire_length, time_ns = HEAD.unpack_from(data, at)
            end = at + 4 + length
            if end > size:
                break
            yield Frame(kind, canal, flags, link_type, wire_length, time_ns, data[at + HEAD.size:end])
            at = end
        self._rest = data[at:]
