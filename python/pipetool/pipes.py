# SPDX-License-Identifier: BSD-2-Clause
"""Sources, drains and sinks, with the names, operators and signatures of Scapy's.

A block whose work the daemon can do runs there, at its speed. One with a function of Python's, or of a class of the
user's own that defines what a block does, runs in the script, beside it. `spec` says which.
"""
from __future__ import annotations

import collections
import os
import queue
import subprocess
import sys
import time
from typing import Any, Callable, ClassVar, Dict, Iterable, Iterator, List, MutableSet, Optional, Tuple, Type, TypeVar, Union, cast

from .message import raw_of
from .objects import ObjectPipe

_P = TypeVar("_P", bound="Pipe")
Native = Tuple[str, Tuple[Any, ...], Dict[str, Any]]  # type, parameters by position and by name
_OWN = "pipetool."
_WORK = ("push", "high_push", "on_trigger", "deliver", "generate", "fileno", "exhausted",
         "_send", "_high_send", "_trigger", "_gen_data", "_gen_high_data")


class Links(MutableSet["Pipe"]):
    """A set that keeps its order: in that order messages go over links."""

    def __init__(self, some: Iterable[Pipe] = ()) -> None:
        self._all = dict.fromkeys(some)

    def __contains__(self, pipe: object) -> bool:
        return pipe in self._all

    def __iter__(self) -> Iterator[Pipe]:
        return iter(tuple(self._all))

    def __len__(self) -> int:
        return len(self._all)

    def add(self, value: Pipe) -> None:
        self._all[value] = None

    def discard(self, value: Pipe) -> None:
        self._all.pop(value, None)

    def __repr__(self) -> str:
        return repr(set(self._all))


class Pipe:
    """What all blocks have: a name, links, and operators that make them.

    >>> a, b = CLIFeeder(), QueueSink()
    >>> (a > b) is b and b in a.sinks
    True
    """

    registry: ClassVar[Dict[str, Type[Pipe]]] = {}

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        Pipe.registry[cls.__name__] = cls

    def __init__(self, name: Optional[str] = None) -> None:
        self.sources, self.sinks = Links(), Links()
        self.high_sources, self.high_sinks = Links(), Links()
        self.trigger_sources, self.trigger_sinks = Links(), Links()
        self.name = type(self).__name__ if name is None else name
        self.given_name = name
        self.made_at = _caller()

    # Of the engine in which it runs; None: of none, and then messages are handed on from here.
    _engine: Any = None
    _wire: Any = None
    _block: str = ""

    # ---- what it sends ----

    def _send(self, msg: Any) -> None:
        if self._wire:
            self._wire.send(msg, 0)
        elif not self._engine:
            for sink in self.sinks:
                cast(Any, sink).push(msg)

    def _high_send(self, msg: Any) -> None:
        if self._wire:
            self._wire.send(msg, 1)
        elif not self._engine:
            for sink in self.high_sinks:
                cast(Any, sink).high_push(msg)

    def _trigger(self, msg: Any = None) -> None:
        if self._wire:
            self._wire.trigger(msg)
        elif not self._engine:
            for sink in self.trigger_sinks:
                cast(Any, sink).on_trigger(msg)

    # ---- links ----

    def __gt__(self, other: _P) -> _P:
        self.sinks.add(other)
        other.sources.add(self)
        return other

    def __rshift__(self, other: _P) -> _P:
        self.high_sinks.add(other)
        other.high_sources.add(self)
        return other

    def __xor__(self, other: _P) -> _P:
        self.trigger_sinks.add(other)
        other.trigger_sources.add(self)
        return other

    def __lshift__(self, other: _P) -> _P:
        self.high_sources.add(other)
        other.high_sinks.add(self)
        return other

    def __floordiv__(self, other: _P) -> _P:
        self >> other
        cast(Pipe, other) >> self
        return other

    def __mod__(self, other: _P) -> _P:
        self > other
        cast(Pipe, other) > self
        return other

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        words = "<" + self.name
        for before, sign, behind in ((self.sources, ">", self.sinks), (self.high_sources, ">>", self.high_sinks),
                                     (self.trigger_sources, "^", self.trigger_sinks)):
            if before or behind:
                words += " [" + ",".join(p.name for p in before) + (sign if before else "") + "#"
                words += (sign if behind else "") + ",".join(p.name for p in behind) + "]"
        return words + ">"

    def start(self) -> None:
        """Before the engine runs; a class of one's own may open here what it needs."""

    def stop(self) -> None:
        """After the engine has run."""

    # ---- where it runs ----

    def native(self) -> Optional[Native]:
        """Its type and parameters in the daemon; None: it runs in the script."""
        return None

    def spec(self) -> Optional[Native]:
        """The same, but None for a class of the user's own that defines what a block does. What it defines as `start`
        and `stop` is called in the script, wherever the block runs."""
        return None if self._defines(*_WORK) else self.native()

    def _defines(self, *words: str) -> bool:
        """Whether a class of the user's own does."""
        return any(word in cls.__dict__ for cls in type(self).__mro__ if not cls.__module__.startswith(_OWN)
                   for word in words)

    def _is_asked(self) -> bool:
        """Whether `deliver` is called when its descriptor can be read."""
        return hasattr(self, "fileno")

    def label(self) -> str:
        """What it is to people: its class, its function, and where it was made."""
        function = getattr(getattr(self, "f", None), "__name__", "")
        return " ".join(filter(None, [type(self).__name__, function])) + self.made_at


Pipe.registry["Pipe"] = Pipe


def _caller() -> str:
    frame: Any = sys._getframe(2)
    while frame and frame.f_globals.get("__name__", "").startswith(_OWN[:-1]):
        frame = frame.f_back
    return f", {os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame else ""


class Source(Pipe, ObjectPipe):
    """A block that sends of its own accord: `deliver` is called when its descriptor can be read.

    That is one of its own (`fileno`), or there is something to `recv` that another thread has given by `send`.

    >>> class Listener(Source):
    ...     def fileno(self):
    ...         return self.socket.fileno()
    ...     def deliver(self):
    ...         self._send(self.socket.recv(65536))
    """

    is_exhausted = False

    def __init__(self, name: Optional[str] = None) -> None:
        Pipe.__init__(self, name)
        ObjectPipe.__init__(self)
        self.is_exhausted = False

    def deliver(self) -> None:
        """Sends the next message."""
        self._send(self.recv())

    def exhausted(self) -> bool:
        return self.is_exhausted


class Sink(Pipe):
    """A block that messages come to: `push` and `high_push` of a class of one's own are called with each.

    >>> class Printer(Sink):
    ...     def push(self, msg):
    ...         print(len(msg))
    """

    def push(self, msg: Any) -> None:
        pass

    def high_push(self, msg: Any) -> None:
        pass

    def native(self) -> Optional[Native]:
        return ("Sink", (), {}) if type(self).push is Sink.push and not isinstance(self, TriggerSink) else None

    def __lt__(self, other: _P) -> _P:
        # `a > b` comes here first where the class of b derives from that of a: the same link
        other.sinks.add(self)
        self.sources.add(other)
        return other


class Drain(Pipe):
    """Passes messages on: low to low, high to high.

    >>> CLIFeeder() > Drain() > QueueSink()
    """

    def push(self, msg: Any) -> None:
        self._send(msg)

    def high_push(self, msg: Any) -> None:
        self._high_send(msg)

    def native(self) -> Optional[Native]:
        return ("Drain", (), {}) if type(self).push is Drain.push else None


class TriggerSink(Sink):
    """A sink that can be triggered.

    >>> class Bell(TriggerSink):
    ...     def on_trigger(self, msg):
    ...         print("\\a")
    """

    def on_trigger(self, msg: Any) -> None:
        pass


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


class _Queue:
    """What `q.q` is: the part of queue.Queue that takes messages out."""

    def __init__(self, sink: QueueSink) -> None:
        self._sink = sink

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        return self._sink._take(block, timeout)

    def get_nowait(self) -> Any:
        return self.get(False)

    def put(self, msg: Any) -> None:
        self._sink._local.append(msg)

    def empty(self) -> bool:
        return not self.qsize()

    def qsize(self) -> int:
        self._sink._fetch(0)
        return len(self._sink._local)


class QueueSink(Sink):
    """Keeps messages until `recv` takes them, also after the engine has stopped.

    >>> sink = QueueSink()
    >>> CLIFeeder() > sink
    >>> sink.recv(timeout=1)
    """

    def __init__(self, name: Optional[str] = None, limit: Union[int, str] = "1GiB", overflow: str = "drop-newest") -> None:
        super().__init__(name)
        self.limit, self.overflow = limit, overflow
        self._local: collections.deque[Any] = collections.deque()
        self._has_dropped = False
        self.q = _Queue(self)

    def push(self, msg: Any) -> None:
        self._local.append(msg)

    high_push = push

    def recv(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        """The next message; None where there is none, at once or after `timeout` seconds."""
        try:
            return self._take(block, timeout)
        except queue.Empty:
            return None

    def _take(self, block: bool, timeout: Optional[float]) -> Any:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return self._local.popleft()
            except IndexError:  # also where another thread was faster
                pass
            left = 0.0 if not block else 10.0 if until is None else max(0.0, until - time.monotonic())
            if not self._fetch(min(left, 10)) and left == 0:
                raise queue.Empty
            if not self._local and left and (self._wire or not self._engine):
                time.sleep(min(left, 0.05))  # nothing fills it but this script, from another thread

    def _fetch(self, seconds: float) -> bool:
        engine = self._engine
        return bool(engine and not self._wire and engine._fetch(self, seconds))

    def native(self) -> Optional[Native]:
        return "QueueSink", (), {"limit": self.limit, "overflow": self.overflow}


def call(f: Union[Callable[[Any], Any], str], msg: Any) -> Any:
    """What a function of Python's makes of a message."""
    if isinstance(f, str):
        raise NotImplementedError(f"'{f}' is a function of the daemon's, and cannot be called: link a block with it to this one")
    return f(msg)


class TransformDrain(Drain):
    """Passes on what the function makes of each message; None filters it. A text is a function of the daemon's.

    >>> CLIFeeder() > TransformDrain(lambda msg: msg.upper()) > ConsoleSink()
    >>> CLIFeeder() > TransformDrain("upper") > ConsoleSink()
    """

    def __init__(self, f: Union[Callable[[Any], Any], str], name: Optional[str] = None) -> None:
        super().__init__(name)
        self.f = f

    def push(self, msg: Any) -> None:
        made = call(self.f, msg)
        if made is not None:
            self._send(made)

    def high_push(self, msg: Any) -> None:
        made = call(self.f, msg)
        if made is not None:
            self._high_send(made)

    def native(self) -> Optional[Native]:
        return ("TransformDrain", (), {"f": self.f}) if isinstance(self.f, str) else None


class UpDrain(Drain):
    """Low to high; what comes high ends.

    >>> up = UpDrain()
    >>> CLIFeeder() > up
    >>> up >> ConsoleSink()
    """

    def push(self, msg: Any) -> None:
        self._high_send(msg)

    def high_push(self, msg: Any) -> None:
        pass

    def native(self) -> Optional[Native]:
        return "UpDrain", (), {}


class DownDrain(Drain):
    """High to low; what comes low ends.

    >>> CLIHighFeeder() >> DownDrain() > ConsoleSink()
    """

    def push(self, msg: Any) -> None:
        pass

    def high_push(self, msg: Any) -> None:
        self._send(msg)

    def native(self) -> Optional[Native]:
        return "DownDrain", (), {}


class InDaemon(Pipe):
    """Of a block whose work is the daemon's alone. Where a class derives from it, that runs in the script, and what does
    the work stands beside it in the daemon: `_inner`, linked with the exits of a sink, and with a source's own entries.

    What has entries and exits would have both mixed up: there nothing of the daemon's can be called.
    """

    _inner: Optional[Pipe] = None

    def _kind(self) -> str:
        return next(cls.__name__ for cls in type(self).__mro__ if cls.__module__.startswith(_OWN))

    def _refuse(self) -> None:
        raise NotImplementedError(f"what a {self._kind()} does is done in the daemon, and cannot be called: "
                                  "link one with this block")

    def _is_asked(self) -> bool:
        return super()._is_asked() and not self._inner


class Taking(InDaemon):
    """One to which messages come: `super().push(msg)` in a class that derives from a sink hands them to the daemon's."""

    def push(self, msg: Any) -> None:
        self._hand(self._send, msg, self.sinks)

    def high_push(self, msg: Any) -> None:
        self._hand(self._high_send, msg, self.high_sinks)

    def on_trigger(self, msg: Any) -> None:
        self._hand(self._trigger, msg, self.trigger_sinks)

    def _hand(self, send: Callable[[Any], None], msg: Any, sinks: Links) -> None:
        if self._inner is None or sinks:
            self._refuse()
        send(msg)


class Arrived:
    """What a source that derives from one of the daemon's reads: the message that has come, or EOFError behind the last."""

    def __init__(self) -> None:
        self.messages: List[Any] = []
        self.ended = False

    def recv(self, n: Optional[int] = None) -> Any:
        if self.messages:
            return self.messages.pop()
        if self.ended:
            raise EOFError
        raise BlockingIOError("deliver is called for each message that comes: there is no other by now")

    def close(self) -> None:
        pass


class Giving(InDaemon, Source):
    """One that sends: `deliver` of a class that derives from it is called with each message of the daemon's."""

    def __init__(self, name: Optional[str] = None) -> None:
        self._arrived, self._is_over = Arrived(), False
        super().__init__(name)

    @property
    def is_exhausted(self) -> bool:
        """Of one that runs in the daemon: as it is there."""
        if self._engine and not self._wire and not self._is_over and self._engine._is_exhausted(self):
            self._is_over = True  # and nobody who has asked earlier takes it back
        return self._is_over

    @is_exhausted.setter
    def is_exhausted(self, is_over: bool) -> None:
        self._is_over = is_over

    def deliver(self) -> None:
        try:
            msg = self._arrived.recv()
        except EOFError:
            self.is_exhausted = True
        else:
            self._send(msg)

    def recv(self, n: Optional[int] = None) -> Any:
        return self._arrived.recv(n)


class _Native(InDaemon):
    """Parameters by position or by name, as `ptctl help TYPE` tells them."""

    def __init__(self, *given: Any, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        self.given, self.more = given, more

    def native(self) -> Optional[Native]:
        return self._kind(), self.given, self.more


class Existing(Drain):
    """A block of the engine that a script takes part in (`attach=True`), by its name.

    >>> Existing("anon") > QueueSink()  # doctest: +SKIP
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)

    def native(self) -> Optional[Native]:
        return "", (), {}


class NativeSource(_Native, Giving):
    """A source of the daemon's."""


class NativeDrain(_Native, Taking, Drain):
    """A drain of the daemon's."""


class NativeSink(_Native, Taking, Sink):
    """A sink of the daemon's."""
