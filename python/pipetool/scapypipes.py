# SPDX-License-Identifier: BSD-2-Clause
"""What triggers and is triggered, and what reaches files, interfaces and sockets: the classes of scapy.scapypipes."""
from __future__ import annotations

import io
import os
import queue
import socket
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from .message import is_volatile, raw_of, to_json
from .pipes import Drain, Giving, Native, Sink, Source, Taking, call


class TriggerDrain(Drain):
    """Passes everything on, and triggers where the function says so. A text is a function of the daemon's.

    >>> trigger, valve = TriggerDrain(lambda msg: "stop" in msg), TriggeredValve()
    >>> CLIFeeder() > trigger > valve > ConsoleSink()
    >>> trigger ^ valve
    """

    def __init__(self, f: Union[Callable[..., Any], str], name: Optional[str] = None) -> None:
        super().__init__(name)
        self.f = f

    def _look(self, msg: Any) -> None:
        if found := call(self.f, msg):
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
    """Sends its message on both exits when it is triggered, and triggers on.

    >>> TriggerDrain(lambda msg: len(msg) > 9) ^ TriggeredMessage("too long") > ConsoleSink()
    """

    def __init__(self, msg: Any, name: Optional[str] = None) -> None:
        super().__init__(name)
        self.msg = msg

    def on_trigger(self, trigmsg: Any) -> None:
        self._send(self.msg)
        self._high_send(self.msg)
        self._trigger(trigmsg)

    def native(self) -> Optional[Native]:
        return None if is_volatile(self.msg) else ("TriggeredMessage", (to_json(self.msg),), {})


class TriggeredValve(Drain):
    """Passes messages on or not, and changes when it is triggered.

    >>> CLIFeeder() > TriggeredValve(start_state=False) > ConsoleSink()
    """

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
    """Passes messages on, or keeps them until it is triggered.

    >>> CLIFeeder() > TriggeredQueueingValve(start_state=False) > ConsoleSink()
    """

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
    """Sends all to the low exit, or to the high one, and changes when it is triggered.

    >>> switch = TriggeredSwitch()
    >>> switch > ConsoleSink()
    >>> switch >> QueueSink()
    """

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


class SniffSource(Giving):
    """Captures from an interface, or takes packets of an object that has `recv` and `fileno`.

    >>> SniffSource("lo", filter="udp port 53", count=3) > ConsoleSink()
    """

    def __init__(self, iface: Any = None, filter: Optional[str] = None, socket: Any = None,
                 name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        if (iface or filter) and socket:
            raise ValueError("iface and filter options are mutually exclusive with socket")
        self.s: Any = socket
        self.iface, self.filter, self.more = iface, filter, more

    def start(self) -> None:
        if self.s is None and self.spec() is None:
            self.s = self._arrived

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
        given = {"iface": None if self.iface is None else str(self.iface), "filter": self.filter, **self.more}
        return ("SniffSource", (), _without_none(given)) if self.s in (None, self._arrived) else None


def _without_none(given: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _path(fname: Any) -> str:
    return os.path.abspath(str(os.fspath(fname)))


class RdpcapSource(Giving):
    """Reads a capture file.

    >>> RdpcapSource("in.pcap") > ConsoleSink()
    """

    def __init__(self, fname: Any, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        self.fname, self.more, self.f = fname, more, self._arrived
        if isinstance(fname, str) and not set(fname) & set("*?["):
            open(fname, "rb").close()

    def native(self) -> Optional[Native]:
        names = [_path(one) for one in self.fname] if isinstance(self.fname, (list, tuple)) else _path(self.fname)
        return "RdpcapSource", (), {"fname": names, **self.more}


class WrpcapSink(Taking, Sink):
    """Writes a capture file; what is no packet has the link type `plain_linktype` there.

    >>> RdpcapSource("in.pcap") > WrpcapSink("out.pcapng")
    """

    def __init__(self, fname: Any, name: Optional[str] = None, linktype: Optional[int] = None,
                 plain_linktype: Optional[int] = 1, gz: Any = None, **more: Any) -> None:
        super().__init__(name)
        if gz is not None:
            more["gz"] = bool(gz)
        self.fname, self.linktype, self.plain_linktype, self.more = fname, linktype, plain_linktype, more

    def native(self) -> Optional[Native]:
        given = {"fname": _path(self.fname), "linktype": self.linktype, "plain_linktype": self.plain_linktype, **self.more}
        return "WrpcapSink", (), _without_none(given)


class WiresharkSink(WrpcapSink):
    """Shows packets in Wireshark.

    >>> SniffSource("lo") > WiresharkSink(args=["-k"])
    """

    def __init__(self, name: Optional[str] = None, linktype: Optional[int] = None, args: Optional[List[str]] = None,
                 **more: Any) -> None:
        super().__init__("", name, linktype, **more)
        self.args = args

    def native(self) -> Optional[Native]:
        return "WiresharkSink", (), _without_none({"linktype": self.linktype, "args": self.args, **self.more})


class InjectSink(Taking, Sink):
    """Sends packets out of an interface.

    >>> RdpcapSource("in.pcap") > InjectSink("veth0")
    """

    _type = "InjectSink"

    def __init__(self, iface: Optional[Any] = None, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        self.iface, self.more = iface, more

    def native(self) -> Optional[Native]:
        return self._type, (), {**({"iface": str(self.iface)} if self.iface else {}), **self.more}


class Inject3Sink(InjectSink):
    """Sends IP packets by the routes of the host.

    >>> RdpcapSource("in.pcap") > Inject3Sink()
    """

    _type = "Inject3Sink"


class FDSourceSink(Source):
    """An object with `fileno`, `read` and `write` as source and sink.

    >>> FDSourceSink(open("/dev/ttyS0", "r+b", buffering=0)) > ConsoleSink()
    """

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


class TCPConnectPipe(Source):
    """A TCP connection as source and sink. In a class that derives from it `fd` is its socket.

    >>> CLIFeeder() > TCPConnectPipe("127.0.0.1", 5000) > ConsoleSink()
    """

    _type, _kind = "TCPConnectPipe", socket.SOCK_STREAM

    def __init__(self, addr: str = "", port: int = 0, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        self.addr, self.port, self.more = addr, port, more
        self.fd: Any = None

    def native(self) -> Optional[Native]:
        return self._type, (), {"addr": self.addr, "port": self.port, **self.more}

    def start(self) -> None:
        if self.spec() is not None:
            return
        if self.more:
            raise ValueError(f"{', '.join(self.more)}: only a {self._type} that runs in the daemon has that, and a class that "
                             "derives from it runs here")
        self.is_exhausted = False
        self.fd = socket.socket(socket.AF_INET6 if ":" in self.addr else socket.AF_INET, self._kind)
        self._open()

    def _open(self) -> None:
        self.fd.connect((self.addr, self.port))

    def stop(self) -> None:
        if self.fd:
            self.fd.close()

    def push(self, msg: Any) -> None:
        self.fd.sendall(raw_of(msg))

    def fileno(self) -> int:
        return int(self.fd.fileno())

    def deliver(self) -> None:
        try:
            msg = self.fd.recv(65536)
        except OSError:
            self.is_exhausted = True
            raise
        if msg:
            self._send(msg)
        else:
            self.is_exhausted = self._kind == socket.SOCK_STREAM


class TCPListenPipe(TCPConnectPipe):
    """The first connection to a port as source and sink; the peer's address on the high exit.

    >>> TCPListenPipe("127.0.0.1", 5000) > ConsoleSink()
    """

    _type = "TCPListenPipe"

    def __init__(self, addr: str = "", port: int = 0, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(addr, port, name, **more)
        self.connected = False
        self.q: queue.Queue[Any] = queue.Queue()

    def _open(self) -> None:
        self.connected = False
        self.fd.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.fd.bind((self.addr, self.port))
        if self._kind == socket.SOCK_STREAM:
            self.fd.listen(1)

    def push(self, msg: Any) -> None:
        if self.connected:
            super().push(msg)
        else:
            self.q.put(msg)

    def deliver(self) -> None:
        if self.connected:
            super().deliver()
            return
        peer = self._meet()
        self.connected = True
        self._trigger(peer)
        self._high_send(peer)
        while not self.q.empty():
            self.push(self.q.get())

    def _meet(self) -> Any:
        connection, peer = self.fd.accept()
        self.fd.close()
        self.fd = connection
        return peer


class UDPClientPipe(TCPConnectPipe):
    """Datagrams to and from an address.

    >>> CLIFeeder() > UDPClientPipe("127.0.0.1", 5000) > ConsoleSink()
    """

    _type, _kind = "UDPClientPipe", socket.SOCK_DGRAM


class UDPServerPipe(TCPListenPipe):
    """Datagrams of whoever sends the first to a port.

    >>> UDPServerPipe("127.0.0.1", 5000) > ConsoleSink()
    """

    _type, _kind = "UDPServerPipe", socket.SOCK_DGRAM

    def _meet(self) -> Any:
        msg, peer = self.fd.recvfrom(65536)
        self.fd.connect(peer)
        self._send(msg)
        return peer


class UDPDrain(Taking, Drain):
    """Low: the payloads of UDP packets leave high. High: payloads leave low, as UDP packets.

    >>> udp = UDPDrain()
    >>> SniffSource("lo", filter="udp port 1234") > udp
    >>> udp >> ConsoleSink()
    """

    def __init__(self, ip: str = "127.0.0.1", port: int = 1234, name: Optional[str] = None) -> None:
        super().__init__(name)
        self.ip, self.port = ip, port

    def native(self) -> Optional[Native]:
        return "UDPDrain", (), {"ip": self.ip, "port": self.port}
