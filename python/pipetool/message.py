# SPDX-License-Identifier: BSD-2-Clause
"""Messages as Python has them, and as they travel.

Text stays text and bytes bytes; packets are packets where Scapy is there, and `Bytes` elsewhere. Numbers, None,
tuples, lists, sets and dictionaries travel as what `ast.literal_eval` reads. Any other object stays in the script, and
what travels is a number for it: to another program it is nothing but that.
"""
from __future__ import annotations

import ast
import base64
import collections
import decimal
import itertools
import os
import sys
from typing import Any, Callable, Dict, List, Optional, OrderedDict, Tuple

from .frames import HEAD, LONGEST, MESSAGE, OF_HEAD, PLAIN, TEXT, Frame

LITERAL = 0x8000  # link types of our own: what literal_eval reads,
CLASS = 0x8001    # a packet of a class that no link type stands for: its name, a NUL, its bytes,
OBJECT = 0x8002   # and an object of this script's
KEPT = 65536      # of these, the last
PACKETS = 4096    # and of packets


class Bytes(bytes):
    """The bytes of a packet, with what else is known of it.

    >>> p = Bytes(b"\\x45", link_type=101, time_ns=1_000_000_000)
    >>> p.copy(b"\\x46").link_type
    101
    """

    link_type: Optional[int]
    time_ns: int
    wire_length: int

    def __new__(cls, data: bytes = b"", link_type: Optional[int] = None, time_ns: int = 0,
                wire_length: Optional[int] = None) -> Bytes:
        self = super().__new__(cls, data)
        self.link_type, self.time_ns = link_type, time_ns
        self.wire_length = len(data) if wire_length is None else wire_length
        return self

    def copy(self, data: bytes) -> Bytes:
        """The same packet with other bytes."""
        return Bytes(data, self.link_type, self.time_ns)


def _conf() -> Any:
    """Scapy's, where somebody has imported it."""
    module = sys.modules.get("scapy.config")
    return getattr(module, "conf", None)


def _is_literal(value: Any) -> bool:
    if isinstance(value, (list, tuple, set)):
        return type(value) in (list, tuple, set) and all(map(_is_literal, value))
    if isinstance(value, dict):
        return type(value) is dict and all(_is_literal(k) and _is_literal(v) for k, v in value.items())
    if isinstance(value, (float, complex)):
        return value - value == 0
    return value is None or type(value) in (int, bool, str, bytes)


def _literal(value: Any) -> Optional[bytes]:
    """What literal_eval reads; None where that cannot, or not all of it."""
    try:
        data = repr(value).encode("utf-8", "surrogatepass") if _is_literal(value) else None
    except RecursionError:  # it is in itself
        return None
    return data if data and len(data) <= LONGEST else None


def _time_ns(time: Any) -> int:
    if isinstance(time, decimal.Decimal):
        return int(time * 1000000000)
    return int(round(float(time or 0) * 1e9))


def _from_packet(value: Any, canal: int) -> Optional[Frame]:
    packet = sys.modules.get("scapy.packet")
    if packet is None or not isinstance(value, packet.Packet):
        return None
    data, types = bytes(value), _conf().l2types
    wire, length = int(getattr(value, "wirelen", None) or 0), len(data)
    link_type = types.layer2num.get(type(value))
    if link_type is None or types.num2layer.get(link_type) is not type(value):
        name = f"{type(value).__module__}:{type(value).__qualname__}\0".encode()
        if _named(name)[0] is not type(value):
            return None
        link_type, data = CLASS, name + data
    time_ns = _time_ns(value.time)
    packets.keep(link_type, time_ns, data, value)
    return Frame(1, canal, 0, link_type, max(wire, length), time_ns, data)


def is_volatile(value: Any) -> bool:
    """Whether chance makes something in it anew each time that it is built, as in `IP(src=RandIP())`."""
    volatile, packet = sys.modules.get("scapy.volatile"), sys.modules.get("scapy.packet")
    if volatile is None or packet is None:
        return False
    if isinstance(value, (list, tuple)):
        return any(map(is_volatile, value))
    if isinstance(value, packet.NoPayload) or not isinstance(value, packet.Packet):
        return isinstance(value, volatile.VolatileValue)
    fields = {**value.default_fields, **value.overloaded_fields, **value.fields}
    return any(map(is_volatile, (*fields.values(), value.payload)))


class Packets:
    """Packets that the script has sent: where one comes as it was sent it is that one, with layers that its bytes do not
    tell of, and not dissected again."""

    def __init__(self) -> None:
        self._sent: OrderedDict[Tuple[int, int, bytes], Any] = collections.OrderedDict()

    def keep(self, link_type: int, time_ns: int, data: bytes, packet: Any) -> None:
        self._sent[link_type, time_ns, data] = packet
        if len(self._sent) > PACKETS:
            self._sent.popitem(last=False)

    def find(self, frame: Frame, data: bytes) -> Any:
        """That of this frame, which has these bytes; None: there is none, or it has been changed since."""
        packet = self._sent.get((frame.link_type, frame.time_ns, frame.data))
        return packet if packet is not None and bytes(packet) == data else None


class Kept:
    """Objects of the script's that are on their way, by the words that travel for them."""

    def __init__(self) -> None:
        self._objects: OrderedDict[bytes, Any] = collections.OrderedDict()
        self._numbers = itertools.count()
        self._mine = os.urandom(8).hex()  # no other script's have these words

    def keep(self, value: Any) -> bytes:
        """The words for it."""
        number = next(self._numbers)
        words = f"<{type(value).__name__} {self._mine}:{number}>".encode("utf-8", "replace")
        self._objects[words] = value
        if len(self._objects) > KEPT:
            self._objects.popitem(last=False)
        if number % (KEPT // 4) == KEPT // 4 - 1:
            for call in _many:
                call()
        return words

    def find(self, words: bytes) -> Any:
        """LookupError where it is kept no more."""
        try:
            return self._objects[words]
        except KeyError:
            raise LookupError(f"{words.decode('utf-8', 'replace')} is no object of this script's, or not one of the last "
                              f"{KEPT}: these are kept while they are on their way") from None


kept, packets = Kept(), Packets()
_many: List[Callable[[], None]] = []


def on_many(call: Callable[[], None]) -> None:
    """Is called while there is still room for as many objects as there were since the last time, and more."""
    _many.append(call)


def forget() -> None:
    """None of the script's objects is on its way; in a child that was forked they are the parent's."""
    global kept, packets
    kept, packets = Kept(), Packets()


os.register_at_fork(after_in_child=forget)


def can_be_kept(value: Any) -> bool:
    """Whether the daemon can send it again and again: no object of the script's, nor what chance makes anew."""
    return not is_volatile(value) and to_frame(value).link_type != OBJECT


def to_frame(value: Any, canal: int = 0) -> Frame:
    """The frame that carries a message."""
    kind = type(value)
    if kind is str:
        return Frame(1, canal, TEXT, PLAIN, 0, 0, value.encode("utf-8", "surrogateescape"))
    if kind in (bytes, bytearray, memoryview):
        return Frame(1, canal, 0, PLAIN, 0, 0, bytes(value))
    if isinstance(value, Bytes):
        link_type = PLAIN if value.link_type is None else value.link_type
        return Frame(1, canal, 0, link_type, value.wire_length, value.time_ns, bytes(value))
    if packet := _from_packet(value, canal):
        return packet
    if isinstance(value, (str, bytes)):
        return to_frame(str(value) if isinstance(value, str) else bytes(value), canal)
    data = _literal(value)
    return Frame(1, canal, 0, OBJECT, 0, 0, kept.keep(value)) if data is None else Frame(1, canal, 0, LITERAL, 0, 0, data)


def pack(value: Any, canal: int = 0) -> bytes:
    """The same, as it is written: the shortest way for text and bytes, of which there are many."""
    kind, data = type(value), b""
    if kind is str:
        try:
            data = value.encode()
        except UnicodeEncodeError:
            data = value.encode("utf-8", "surrogateescape")
        head = HEAD.pack(OF_HEAD + len(data), MESSAGE, canal, TEXT, PLAIN, 0, 0)
    elif kind is bytes:
        data = value
        head = HEAD.pack(OF_HEAD + len(data), MESSAGE, canal, 0, PLAIN, 0, 0)
    else:
        frame = to_frame(value, canal)
        data, head = frame.data, b""
    if len(data) > LONGEST:
        raise ValueError(f"a message of {len(data)} bytes cannot travel: {LONGEST} is the most")
    return head + data if head else frame.pack()


def raw_of(msg: Any) -> bytes:
    """What is written of a message to a file or a socket.

    >>> raw_of("text"), raw_of(b"bytes")
    (b'text', b'bytes')
    """
    return msg.encode("utf-8", "surrogateescape") if isinstance(msg, str) else bytes(msg)


def text_of(data: bytes) -> str:
    """The text whose bytes these are."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def _set_facts(packet: Any, frame: Frame, length: int) -> Any:
    exact = sys.modules["scapy.utils"].EDecimal
    packet.time = exact(frame.time_ns) / 1000000000 if frame.time_ns % 1000 else frame.time_ns / 1e9
    packet.wirelen = max(frame.wire_length, length) or None
    return packet


def _named(data: bytes) -> Tuple[Any, bytes]:
    name, _, rest = data.partition(b"\0")
    module, _, qualname = name.decode().partition(":")
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found, rest


def from_frame(frame: Frame) -> Any:
    """The message that a frame carries."""
    if frame.link_type == PLAIN:
        return text_of(frame.data) if frame.flags & TEXT else frame.data
    if frame.link_type == LITERAL:
        return ast.literal_eval(frame.data.decode("utf-8", "surrogatepass"))
    if frame.link_type == OBJECT:
        return kept.find(frame.data)
    conf, data = _conf(), frame.data
    cls: Any = conf.l2types.num2layer.get(frame.link_type) if conf else None
    if frame.link_type == CLASS:
        cls, data = _named(frame.data)
    if (sent := packets.find(frame, data)) is not None:
        return sent
    if cls is None:
        return Bytes(data, frame.link_type, frame.time_ns, frame.wire_length or None)
    return _set_facts(cls(data), frame, len(data))


def to_json(value: Any) -> Dict[str, Any]:
    """A message as `block.send` takes it."""
    frame = to_frame(value)
    text = frame.data.decode("utf-8", "replace") if frame.flags & TEXT else "\ufffd"
    message: Dict[str, Any] = {"message": {"base64": base64.b64encode(frame.data).decode()}
                               if "\0" in text or "\ufffd" in text else text}
    if frame.flags & TEXT:
        message["text"] = True
    if frame.link_type != PLAIN:
        seconds, ns = divmod(frame.time_ns, 1000000000)
        message.update(link_type=frame.link_type, time=f"{seconds}.{ns:09d}",
                       wire_length=max(frame.wire_length, len(frame.data)))
    return message


def from_json(message: Dict[str, Any]) -> Any:
    """What `block.recv` gave, as a message."""
    data = message["message"]
    raw = data.encode() if isinstance(data, str) else base64.b64decode(data["base64"])
    link_type = message.get("link_type", PLAIN)
    time_ns = int(decimal.Decimal(message.get("time", 0)) * 1000000000)
    return from_frame(Frame(1, 0, TEXT if message.get("text") else 0, link_type, message.get("wire_length", 0), time_ns, raw))
