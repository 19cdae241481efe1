# SPDX-License-Identifier: BSD-2-Clause
"""What triggers and is triggered, and what reaches files, interfaces and sockets: the classes of scapy.scapypipes."""
from __future__ import annotations

import io
import os
import queue
from typing import Any, Callable, Optional, Tuple, Union, cast

from .pipes import Drain, InDaemon, Native, Sink, Source


class TriggerDrain(Drain):
    """Passes everything on, and triggers where the function says so. A text is a function of the daemon's."""

    def __init__(self, f: Union[Callable[..., Any], str], name: Optional[str] = None) -> None:
        super().__init__(name)
        self.f = f

    def _look(self, msg: Any) -> None:
        if found := cast(Any, self.f)(msg):
            self._trigger(found)

    def push(self, msg: Any) -> None:
        self._look(msg)
        self._send(msg)

    def high_push(self, msg: Any) -> None:
        self._look(msg)
        self._high_send(msg)

    def native(self) -> Optional[Native]:
        return ("TriggerDrain", (), {"f": self.f}) if isinstance(self.f, str) else None


class TriggeredMessage(Drain):
    """Sends its message on both exits when it is triggered, and triggers on."""

    def __init__(self, msg: Any, name: Optional[str] = None) -> None:
        super().__init__(name)
        self.msg = msg

    def on_trigger(self, trigmsg: Any) -> None:
        self._send(self.msg)
        self._high_send(self.msg)
        self._trigger(trigmsg)

    def push(self, msg: Any) -> None:
        self._send(msg)

    def native(self) -> Optional[Native]:
        return None


class TriggeredValve(Drain):
    """Passes messages on or not, and changes when it is triggered."""

    def __init__(self, start_state: bool = True, name: Optional[str] = None) -> None:
        super().__init__(name)
        self.opened = start_state

    def push(self, msg: Any) -> None:
        if self.opened:
            self._send(msg)

    def high_push(self, msg: Any) -> None:
        if self.opened:
            self._high_send(msg)

    def on_trigger(self, msg: Any) -> None:
        self.opened ^= True
        self._trigger(msg)

    def native(self) -> Optional[Native]:
        return "TriggeredValve", (), {"start_state": self.opened}


class TriggeredQueueingValve(TriggeredValve):
    """Passes messages on, or keeps them until it is triggered."""

    def __init__(self, start_state: bool = True, name: Optional[str] = None) -> None:
        super().__init__(start_state, name)
        self.q: queue.Queue[Tuple[bool, Any]] = queue.Queue()

    def push(self, msg: Any) -> None:
        if self.opened:
            self._send(msg)
        else:
            self.q.put((True, msg))

    def high_push(self, msg: Any) -> None:
        if self.opened:
            self._high_send(msg)
        else:
            self.q.put((False, msg))

    def on_trigger(self, msg: Any) -> None:
        super().on_trigger(msg)
        while not self.q.empty():
            low, kept = self.q.get()
            (self._send if low else self._high_send)(kept)

    def native(self) -> Optional[Native]:
        return "TriggeredQueueingValve", (), {"start_state": self.opened}


class TriggeredSwitch(Drain):
    """Sends all to the low exit, or to the high one, and changes when it is triggered."""

    def __init__(self, start_state: bool = True, name: Optional[str] = None) -> None:
        super().__init__(name)
        self.low = start_state

    def push(self, msg: Any) -> None:
        (self._send if self.low else self._high_send)(msg)

    high_push = push

    def on_trigger(self, msg: Any) -> None:
        self.low ^= True
        self._trigger(msg)

    def native(self) -> Optional[Native]:
        return "TriggeredSwitch", (), {"start_state": self.low}


# ---- what reaches outside ----


class SniffSource(Source):
    """Captures from an interface, or takes packets of an object that has `recv` and `fileno`."""

    def __init__(self, iface: Optional[str] = None, filter: Optional[str] = None, socket: Any = None,
                 name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        if (iface or filter) and socket:
            raise ValueError("iface and filter options are mutually exclusive with socket")
        self.s, self.iface, self.filter, self.more = socket, iface, filter, more

    def stop(self) -> None:
        if self.s:
            self.s.close()

    def fileno(self) -> int:
        return int(self.s.fileno())

    def deliver(self) -> None:
        try:
            packet = self.s.recv()
        except EOFError:
            self.is_exhausted = True
            return
        if packet is not None:
            self._send(packet)

    def native(self) -> Optional[Native]:
        given = {"iface": self.iface, "filter": self.filter, **self.more}
        return None if self.s else ("SniffSource", (), {k: v for k, v in given.items() if v is not None})


def _path(fname: Any) -> str:
    return os.path.abspath(str(os.fspath(fname)))


class RdpcapSource(Source):
    """Reads a capture file."""

    def __init__(self, fname: Any, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        self.fname, self.more = fname, more
        if isinstance(fname, str) and not set(fname) & set("*?["):
            open(fname, "rb").close()

    def native(self) -> Optional[Native]:
        names = [_path(one) for one in self.fname] if isinstance(self.fname, (list, tuple)) else _path(self.fname)
        return "RdpcapSource", (), {"fname": names, **self.more}


class WrpcapSink(InDaemon, Sink):
    """Writes a capture file; what is no packet has the link type `plain_linktype` there."""

    def __init__(self, fname: Any, name: Optional[str] = None, linktype: Optional[int] = None,
                 plain_linktype: Optional[int] = 1, gz: Any = None, **more: Any) -> None:
        super().__init__(name)
        if gz is not None:
            more["gz"] = bool(gz)
        self.fname, self.linktype, self.plain_linktype, self.more = fname, linktype, plain_linktype, more

    def native(self) -> Optional[Native]:
        given = {"fname": _path(self.fname), "linktype": self.linktype, "plain_linktype": self.plain_linktype, **self.more}
        return "WrpcapSink", (), {k: v for k, v in given.items() if v is not None}


class InjectSink(InDaemon, Sink):
    """Sends packets out of an interface."""

    _type = "InjectSink"

    def __init__(self, iface: Optional[Any] = None, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        self.iface, self.more = iface, more

    def native(self) -> Optional[Native]:
        return self._type, (), {**({"iface": str(self.iface)} if self.iface else {}), **self.more}


class Inject3Sink(InjectSink):
    """Sends IP packets by the routes of the host."""

    _type = "Inject3Sink"


class FDSourceSink(Source):
    """An object with `fileno`, `read` and `write` as source and sink."""

    def __init__(self, fd: Any, name: Optional[str] = None) -> None:
        super().__init__(name)
        self.fd = fd

    def start(self) -> None:
        self.is_exhausted = isinstance(self.fd, io.IOBase) and not self.fd.readable()

    def stop(self) -> None:
        if isinstance(self.fd, io.IOBase) and not self.fd.closed:
            self.fd.flush()

    def push(self, msg: Any) -> None:
        self.fd.write(msg)

    def fileno(self) -> int:
        return int(self.fd.fileno())

    def deliver(self) -> None:
        msg = self.fd.read()
        if isinstance(self.fd, io.IOBase) and not msg:  # its end, or there is nothing for now
            self.is_exhausted = msg is not None
        else:
            self._send(msg)


class TCPConnectPipe(InDaemon, Source):
    """A TCP connection as source and sink."""

    _type = "TCPConnectPipe"

    def __init__(self, addr: str = "", port: int = 0, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        self.addr, self.port, self.more = addr, port, more

    def native(self) -> Optional[Native]:
        return self._type, (), {"addr": self.addr, "port": self.port, **self.more}


class TCPListenPipe(TCPConnectPipe):
    """The first connection to a port as source and sink; the peer's address on the high exit."""

    _type = "TCPListenPipe"


class UDPClientPipe(TCPConnectPipe):
    """Datagrams to and from an address."""

    _type = "UDPClientPipe"


class UDPServerPipe(TCPListenPipe):
    """Datagrams of whoever sends the first to a port."""

    _type = "UDPServerPipe"


class UDPDrain(InDaemon, Drain):
    """Low: the payloads of UDP packets leave high. High: payloads leave low, as UDP packets."""

    def __init__(self, ip: str = "127.0.0.1", port: int = 1234, name: Optional[str] = None) -> None:
        super().__init__(name)
        self.ip, self.port = ip, port

    def native(self) -> Optional[Native]:
        return "UDPDrain", (), {"ip": self.ip, "port": self.port}
