# SPDX-License-Identifier: BSD-2-Clause
"""Sources, drains and sinks, with the names, operators and signatures of Scapy's.

A block whose work the daemon can do runs there, at its speed. One with a function of Python's, or of a class of the
user's own that defines what a block does, runs in the script, beside it. `_pt_spec` says which.

Names that begin with _pt_ are the package's: a class of the user's own may have any other.
"""
from __future__ import annotations

import collections
import os
import sys
from typing import Any, Callable, ClassVar, Dict, Iterable, Iterator, MutableSet, Optional, Tuple, Type, TypeVar, Union, cast

from .objects import ObjectPipe

_P = TypeVar("_P", bound="Pipe")
Native = Tuple[str, Tuple[Any, ...], Dict[str, Any]]  # type, parameters by position and by name
_OWN = "pipetool."
_WORK = ("push", "high_push", "on_trigger", "deliver", "generate", "fileno", "exhausted",
         "_send", "_high_send", "_trigger", "_gen_data", "_gen_high_data")


class Links(MutableSet["Pipe"]):
    """A set that keeps its order: in that order messages go over links. Those of an owner's exit are the engine's, too."""

    def __init__(self, some: Iterable[Pipe] = (), owner: Optional[Pipe] = None, canal: str = "") -> None:
        self._all = dict.fromkeys(some)
        self._owner, self._canal = owner, canal

    def __contains__(self, pipe: object) -> bool:
        return pipe in self._all

    def __iter__(self) -> Iterator[Pipe]:
        return iter(tuple(self._all))

    def __len__(self) -> int:
        return len(self._all)

    def add(self, value: Pipe) -> None:
        if value in self._all:
            return
        self._all[value] = None
        try:
            self._tell(value)
        except BaseException:
            del self._all[value]
            raise

    def discard(self, value: Pipe) -> None:
        if value in self._all:
            del self._all[value]
            self._tell(value)

    def update(self, *others: Iterable[Pipe]) -> None:
        for pipe in (pipe for some in others for pipe in some):
            self.add(pipe)

    def copy(self) -> Links:
        return Links(self._all)

    def _tell(self, other: Pipe) -> None:
        if self._owner and self._owner._pt_engine:
            self._owner._pt_engine._relink(self._owner, other, self._canal)

    def __repr__(self) -> str:
        return repr(set(self._all))


class OfDaemon:
    """What stands for something that the daemon has opened."""


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
        self.sources, self.sinks = Links(), Links((), self, "low")
        self.high_sources, self.high_sinks = Links(), Links((), self, "high")
        self.trigger_sources, self.trigger_sinks = Links(), Links((), self, "trigger")
        self.name = type(self).__name__ if name is None else name
        self._pt_given_name = name
        self._pt_made_at = _caller()

    # Of the engine in which it runs; None: of none, and then messages are handed on from here.
    _pt_engine: Any = None
    _pt_wire: Any = None
    _block: str = ""

    # ---- what it sends ----

    def _send(self, msg: Any) -> None:
        if self._pt_wire:
            self._pt_wire.send(msg, 0)
        elif self._pt_engine:
            self._pt_send_there(msg, False)
        else:
            for sink in self.sinks:
                cast(Any, sink).push(msg)

    def _high_send(self, msg: Any) -> None:
        if self._pt_wire:
            self._pt_wire.send(msg, 1)
        elif self._pt_engine:
            self._pt_send_there(msg, True)
        else:
            for sink in self.high_sinks:
                cast(Any, sink).high_push(msg)

    def _trigger(self, msg: Any = None) -> None:
        if self._pt_wire:
            self._pt_wire.trigger(msg)
        elif self._pt_engine:
            self._pt_refuse_here()
        else:
            for sink in self.trigger_sinks:
                cast(Any, sink).on_trigger(msg)

    def _pt_send_there(self, msg: Any, high: bool) -> None:
        """From a block that runs in the daemon: only what feeds can be told to."""
        self._pt_refuse_here()

    def _pt_refuse_here(self) -> None:
        raise NotImplementedError(f"'{self.name}' runs in the daemon, which calls nothing here: link a CLIFeeder with it, "
                                  "or give its class a push of its own")

    # ---- links ----

    def __gt__(self, other: _P) -> _P:
        _link(self, "low", other)
        return other

    def __rshift__(self, other: _P) -> _P:
        _link(self, "high", other)
        return other

    def __xor__(self, other: _P) -> _P:
        _link(self, "trigger", other)
        return other

    def __lshift__(self, other: _P) -> _P:
        _link(other, "high", self)
        return other

    def __floordiv__(self, other: _P) -> _P:
        _link_both(self, "high", other)
        return other

    def __mod__(self, other: _P) -> _P:
        _link_both(self, "low", other)
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

    def _pt_native(self) -> Optional[Native]:
        """Its type and parameters in the daemon; None: it runs in the script."""
        return None

    def _pt_spec(self) -> Optional[Native]:
        """The same, but None for a class of the user's own that defines what a block does. What it defines as `start`
        and `stop` is called in the script, wherever the block runs."""
        return None if self._pt_defines(*_WORK) or self._pt_reaches() is not None else self._pt_native()

    _pt_opens = ""  # the attribute that Scapy's class has set in `start`: an open file, or a socket

    def _pt_reaches(self) -> Any:
        """What a class of the user's own has set there, and goes by in place of what the daemon opens."""
        found = getattr(self, self._pt_opens, None) if self._pt_opens else None
        return None if isinstance(found, OfDaemon) else found

    def _pt_defines(self, *words: str) -> bool:
        """Whether a class of the user's own does."""
        return any(word in cls.__dict__ for cls in type(self).__mro__ if not cls.__module__.startswith(_OWN)
                   for word in words)

    def _pt_is_asked(self) -> bool:
        """Whether `deliver` is called when its descriptor can be read."""
        return hasattr(self, "fileno")

    def _pt_label(self) -> str:
        """What it is to people: its class, its function, and where it was made."""
        function = getattr(getattr(self, "f", None), "__name__", "")
        return " ".join(filter(None, [type(self).__name__, function])) + self._pt_made_at


Pipe.registry["Pipe"] = Pipe


def exits_of(pipe: Pipe) -> Dict[str, Links]:
    """By their canals."""
    return {"low": pipe.sinks, "high": pipe.high_sinks, "trigger": pipe.trigger_sinks}


def entries_of(pipe: Pipe) -> Dict[str, Links]:
    """The same of what comes in."""
    return {"low": pipe.sources, "high": pipe.high_sources, "trigger": pipe.trigger_sources}


def _link(a: Pipe, canal: str, b: Pipe) -> None:
    """Both have it; where the engine that runs refuses it, neither has."""
    entries_of(b)[canal].add(a)
    try:
        exits_of(a)[canal].add(b)
    except BaseException:
        entries_of(b)[canal].discard(a)
        raise


def _link_both(a: Pipe, canal: str, b: Pipe) -> None:
    """There and back, or not at all."""
    was = b in exits_of(a)[canal]
    _link(a, canal, b)
    try:
        _link(b, canal, a)
    except BaseException:
        if not was:
            exits_of(a)[canal].discard(b)
            entries_of(b)[canal].discard(a)
        raise


def linked_with(*pipes: Pipe) -> Links:
    """These, and all that a way leads to from them, whatever its direction."""
    found, to_do = Links(pipes), collections.deque(pipes)
    while to_do:
        p = to_do.popleft()
        for q in (q for links in (*entries_of(p).values(), *exits_of(p).values()) for q in links if q not in found):
            found.add(q)
            to_do.append(q)
    return found


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

    def _pt_native(self) -> Optional[Native]:
        return ("Sink", (), {}) if type(self).push is Sink.push and not isinstance(self, TriggerSink) else None

    def __lt__(self, other: _P) -> _P:
        # `a > b` comes here first where the class of b derives from that of a: the same link
        _link(other, "low", self)
        return other


class Drain(Pipe):
    """Passes messages on: low to low, high to high.

    >>> CLIFeeder() > Drain() > QueueSink()
    """

    def push(self, msg: Any) -> None:
        self._send(msg)

    def high_push(self, msg: Any) -> None:
        self._high_send(msg)

    def _pt_native(self) -> Optional[Native]:
        return ("Drain", (), {}) if type(self).push is Drain.push else None


class TriggerSink(Sink):
    """A sink that can be triggered.

    >>> class Bell(TriggerSink):
    ...     def on_trigger(self, msg):
    ...         print("\\a")
    """

    def on_trigger(self, msg: Any) -> None:
        pass


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

    def _pt_native(self) -> Optional[Native]:
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

    def _pt_native(self) -> Optional[Native]:
        return "UpDrain", (), {}


class DownDrain(Drain):
    """High to low; what comes low ends.

    >>> CLIHighFeeder() >> DownDrain() > ConsoleSink()
    """

    def push(self, msg: Any) -> None:
        pass

    def high_push(self, msg: Any) -> None:
        self._send(msg)

    def _pt_native(self) -> Optional[Native]:
        return "DownDrain", (), {}
