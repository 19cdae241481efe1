# SPDX-License-Identifier: BSD-2-Clause
"""The other end of a ProgramPipe with format="frames": written anew, so that it judges the daemon's."""
import collections
import socket
import struct

MESSAGE, TRIGGER, EXHAUSTED, END, ERROR, CREDIT = range(1, 7)
TEXT, LOST, ANSWERS = 1, 2, 4
PLAIN = 0xffffffff
HEAD = struct.Struct("<IBBHIIq")
Frame = collections.namedtuple("Frame", "kind canal flags link_type wire_length time_ns bytes")


def frame(kind, data=b"", canal=0, flags=0, link_type=0, wire_length=0, time_ns=0):
    return HEAD.pack(HEAD.size - 4 + len(data), kind, canal, flags, link_type, wire_length, time_ns) + data


def message(data, **more):
    return frame(MESSAGE, data, **{"link_type": PLAIN, **more})


def credit(count, flags=0):
    return frame(CREDIT, wire_length=count, flags=flags)


class Peer:
    """`theirs` goes to the daemon."""

    def __init__(self, first=b""):
        self.ours, self.theirs = socket.socketpair()
        self.ours.settimeout(60)
        self.buffer = b""
        self.write(first)

    def write(self, *frames):
        self.ours.sendall(b"".join(frames))

    def next(self):
        """None: the daemon has closed its end."""
        while len(self.buffer) < 4 or len(self.buffer) < 4 + struct.unpack_from("<I", self.buffer)[0]:
            data = self.ours.recv(1 << 16)
            if not data:
                assert not self.buffer
                return None
            self.buffer += data
        end = 4 + struct.unpack_from("<I", self.buffer)[0]
        head, data, self.buffer = HEAD.unpack_from(self.buffer), self.buffer[HEAD.size:end], self.buffer[end:]
        return Frame(*head[1:], data)

    def messages(self, count):
        return [self.next().bytes for _ in range(count)]

    def close(self):
        self.ours.close()
        self.theirs.close()
