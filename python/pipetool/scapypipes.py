# SPDX-License-Identifier: BSD-2-Clause
"""What triggers and is triggered, and what reaches files, interfaces and sockets: the classes of scapy.scapypipes."""
from __future__ import annotations

import io
import os
import queue
import socket
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from .message import can_be_kept, raw_of, to_json
from .natives import Giving, Taking, Written
from .pipes import Drain, Native, Sink, Source, call


class TriggerDrain(Drain):
    """Passes everything on, and triggers where the function says so. A text is a function of the daemon's.

    >>> trigger, valve = TriggerDrain(lambda msg: "stop" in msg), TriggeredValve()
    >>> CLIFeeder() > trigger > valve > ConsoleSink()
    >>> trigger ^ valve
    """

    def __init__(self, f: Union[Callable[..., Any], str], name: Optional[str] = None) -> None:
        super().__init__(name)
        self.f = f

    def _pt_look(self, msg: Any) -> None:
        if found := call(self.f, msg):
            self._trigger(found)

    def push(self, msg: Any) -> None:
        self._pt_look(msg)
        self._send(msg)

    def high_push(self, msg: Any) -> None:
        self._pt_look(msg)
        self._high_send(msg)

    def _pt_native(self) -> Optional[Native]:
        return ("TriggerDrain", (), {"f": self.f}) if isinstance(self.f, str) else None


class Triggered(Drain):
    """What a trigger changes: the daemon has it where it runs there."""

    _pt_state: Tuple[str, Any] = ("", None)  # what `ptctl show` calls it, and how it is there while it is true here
    _pt_is = True

    def _pt_is_there(self) -> bool:
        return bool(self._pt_engine and not self._pt_wire)

    def _pt_trigger_there(self) -> None:
        self._pt_engine._tell(self, "block.trigger")

    @property
    def _pt_now(self) -> bool:
        if not self._pt_is_there():
            return self._pt_is
        word, value = self._pt_state
        return bool(self._pt_engine._shown(self)["now"][word] == value)

    @_pt_now.setter
    def _pt_now(self, now: bool) -> None:
        if self._pt_is_there():
            raise AttributeError(f"'{self.name}' runs in the daemon, where a trigger changes it: call its on_trigger")
        self._pt_is = now


class TriggeredMessage(Triggered):
    """Sends its message on both exits when it is triggered, and triggers on.

    >>> TriggerDrain(lambda msg: len(msg) > 9) ^ TriggeredMessage("too long") > ConsoleSink()
    """

    def __init__(self, msg: Any, name: Optional[str] = None) -> None:
        super().__init__(name)
        self.msg = msg

    def on_trigger(self, trigmsg: Any) -> None:
        if self._pt_is_there():
            self._pt_trigger_there()
        else:
            self._send(self.msg)
            self._high_send(self.msg)
            self._trigger(trigmsg)

    def _pt_native(self) -> Optional[Native]:
        return ("TriggeredMessage", (to_json(self.msg),), {}) if can_be_kept(self.msg) else None


class TriggeredValve(Triggered):
    """Passes messages on or not, and changes when it is triggered.

    >>> CLIFeeder() > TriggeredValve(start_state=False) > ConsoleSink()
    """

    _pt_state = ("open", True)

    @property
    def opened(self) -> bool:
        """Now, also where it runs in the daemon."""
        return self._pt_now

    @opened.setter
    def opened(self, now: bool) -> None:
        self._pt_now = now

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
        if self._pt_is_there():
            self._pt_trigger_there()
        else:
            self.opened ^= True
            self._trigger(msg)

    def _pt_native(self) -> Optional[Native]:
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

    def _pt_native(self) -> Optional[Native]:
        return "TriggeredQueueingValve", (), {"start_state": self.opened}


class TriggeredSwitch(Triggered):
    """Sends all to the low exit, or to the high one, and changes when it is triggered.

    >>> switch = TriggeredSwitch()
    >>> switch > ConsoleSink()
    >>> switch >> QueueSink()
    """

    _pt_state = ("exit", "low")

    @property
    def low(self) -> bool:
        """Now, also where it runs in the daemon."""
        return self._pt_now

    @low.setter
    def low(self, now: bool) -> None:
        self._pt_now = now

    def __init__(self, start_state: bool = True, name: Optional[str] = None) -> None:
        super().__init__(name)
        self.low = start_state

    def push(self, msg: Any) -> None:
        (self._send if self.low else self._high_send)(msg)

    high_push = push

    def on_trigger(self, msg: Any) -> None:
        if self._pt_is_there():
            self._pt_trigger_there()
        else:
            self.low ^= True
            self._trigger(msg)

    def _pt_native(self) -> Optional[Native]:
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
        self.iface, self.filter, self._pt_more = iface, filter, more

    _pt_opens = "s"

    def start(self) -> None:
        if self.s is None and self._pt_spec() is None:
            self.s = self._pt_arrived

    def _pt_native(self) -> Optional[Native]:
        given = {"iface": None if self.iface is None else str(self.iface), "filter": self.filter, **self._pt_more}
        return "SniffSource", (), _without_none(given)


def _without_none(given: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _file(fname: Any) -> Any:
    """A path; or what is open already, which goes as its descriptor if its name leads nowhere."""
    name = getattr(fname, "name", None) if hasattr(fname, "fileno") else os.fspath(fname)
    if not hasattr(fname, "fileno") or (isinstance(name, (str, bytes)) and os.path.isfile(name)):
        return os.path.abspath(os.fsdecode(name))
    return {"fd": fname, "path": str(name)}


class RdpcapSource(Giving):
    """Reads a capture file.

    >>> RdpcapSource("in.pcap") > ConsoleSink()
    """

    _pt_opens = "f"

    def __init__(self, fname: Any, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        self.fname, self._pt_more, self.f = fname, more, self._pt_arrived
        if isinstance(fname, str) and not set(fname) & set("*?["):
            open(fname, "rb").close()

    def _pt_native(self) -> Optional[Native]:
        names = [_file(one) for one in self.fname] if isinstance(self.fname, (list, tuple)) else _file(self.fname)
        return "RdpcapSource", (), {"fname": names, **self._pt_more}


class WrpcapSink(Taking, Sink):
    """Writes a capture file; what is no packet has the link type `plain_linktype` there.

    >>> RdpcapSource("in.pcap") > WrpcapSink("out.pcapng")
    """

    _pt_opens = "f"

    def __init__(self, fname: Any, name: Optional[str] = None, linktype: Optional[int] = None,
                 plain_linktype: Optional[int] = 1, gz: Any = None, **more: Any) -> None:
        super().__init__(name)
        if gz is not None:
            more["gz"] = bool(gz)
        self.fname, self.linktype, self.plain_linktype, self._pt_more = fname, linktype, plain_linktype, more
        self.f: Any = None

    def start(self) -> None:
        if self.f is None:
            self.f = Written()

    def stop(self) -> None:
        if self.f:
            self.f.flush()
            self.f.close()

    def push(self, msg: Any) -> None:
        if self._pt_reaches() is None:
            super().push(msg)
        elif msg:
            self.f.write(msg)

    def high_push(self, msg: Any) -> None:
        if self._pt_reaches() is None:
            super().high_push(msg)

    def _pt_native(self) -> Optional[Native]:
        given = {"fname": _file(self.fname), "linktype": self.linktype, "plain_linktype": self.plain_linktype, **self._pt_more}
        return "WrpcapSink", (), _without_none(given)


class WiresharkSink(WrpcapSink):
    """Shows packets in Wireshark.

    >>> SniffSource("lo") > WiresharkSink(args=["-k"])
    """

    def __init__(self, name: Optional[str] = None, linktype: Optional[int] = None, args: Optional[List[str]] = None,
                 **more: Any) -> None:
        super().__init__("", name, linktype, **more)
        self.args = args

    def _pt_native(self) -> Optional[Native]:
        return "WiresharkSink", (), _without_none({"linktype": self.linktype, "args": self.args, **self._pt_more})


class InjectSink(Taking, Sink):
    """Sends packets out of an interface.

    >>> RdpcapSource("in.pcap") > InjectSink("veth0")
    """

    _pt_type, _pt_opens = "InjectSink", "s"

    def __init__(self, iface: Optional[Any] = None, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        self.iface, self._pt_more = iface, more
        self.s: Any = None

    def stop(self) -> None:
        if self.s:
            self.s.close()

    def push(self, msg: Any) -> None:
        if self._pt_reaches() is None:
            super().push(msg)
        else:
            self.s.send(msg)

    def _pt_native(self) -> Optional[Native]:
        return self._pt_type, (), {**({"iface": str(self.iface)} if self.iface else {}), **self._pt_more}


class Inject3Sink(InjectSink):
    """Sends IP packets by the routes of the host.

    >>> RdpcapSource("in.pcap") > Inject3Sink()
    """

    _pt_type = "Inject3Sink"


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

    _pt_type, _pt_kind, _pt_opens = "TCPConnectPipe", socket.SOCK_STREAM, "fd"

    def __init__(self, addr: str = "", port: int = 0, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        self.addr, self.port, self._pt_more = addr, port, more
        self.fd: Any = None

    def _pt_native(self) -> Optional[Native]:
        return self._pt_type, (), {"addr": self.addr, "port": self.port, **self._pt_more}

    def start(self) -> None:
        if self._pt_spec() is not None:
            return
        if self._pt_more:
            raise ValueError(f"{', '.join(self._pt_more)}: only a {self._pt_type} that runs in the daemon has that, and a class that "
                             "derives from it runs here")
        self.is_exhausted = False
        self.fd = socket.socket(socket.AF_INET6 if ":" in self.addr else socket.AF_INET, self._pt_kind)
        self._pt_open()

    def _pt_open(self) -> None:
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
            self.is_exhausted = self._pt_kind == socket.SOCK_STREAM


class TCPListenPipe(TCPConnectPipe):
    """The first connection to a port as source and sink; the peer's address on the high exit, as (address, port).

    >>> TCPListenPipe("127.0.0.1", 5000) > ConsoleSink()
    """

    _pt_type = "TCPListenPipe"

    def __init__(self, addr: str = "", port: int = 0, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(addr, port, name, **more)
        self.connected = False
        self.q: queue.Queue[Any] = queue.Queue()

    def _pt_native(self) -> Optional[Native]:
        is_asked_for_peer = self.high_sinks and not self._pt_more  # a tuple, as Scapy has it: the daemon sends its words
        return None if is_asked_for_peer else super()._pt_native()

    def _pt_open(self) -> None:
        self.connected = False
        self.fd.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.fd.bind((self.addr, self.port))
        if self._pt_kind == socket.SOCK_STREAM:
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
        peer = self._pt_meet()
        self.connected = True
        self._trigger(peer)
        self._high_send(peer)
        while not self.q.empty():
            self.push(self.q.get())

    def _pt_meet(self) -> Any:
        connection, peer = self.fd.accept()
        self.fd.close()
        self.fd = connection
        return peer


class UDPClientPipe(TCPConnectPipe):
    """Datagrams to and from an address.

    >>> CLIFeeder() > UDPClientPipe("127.0.0.1", 5000) > ConsoleSink()
    """

    _pt_type, _pt_kind = "UDPClientPipe", socket.SOCK_DGRAM


class UDPServerPipe(TCPListenPipe):
    """Datagrams of whoever sends the first to a port.

    >>> UDPServerPipe("127.0.0.1", 5000) > ConsoleSink()
    """

    _pt_type, _pt_kind = "UDPServerPipe", socket.SOCK_DGRAM

    def _pt_meet(self) -> Any:
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

    def _pt_native(self) -> Optional[Native]:
        return "UDPDrain", (), {"ip": self.ip, "port": self.port}
