# SPDX-License-Identifier: BSD-2-Clause
"""Blocks whose work is the daemon's alone, and what classes that derive from them leave to it."""
from __future__ import annotations

from typing import Any, Callable, List, Optional

from .pipes import Drain, Links, OfDaemon, Pipe, Sink, Source
from .pipes import Native as Spec
from .pipes import _OWN


class InDaemon(Pipe):
    """Of a block whose work is the daemon's alone. Where a class derives from it, that runs in the script, and what does
    the work stands beside it in the daemon: `_pt_inner`, linked with the exits of a sink, and with a source's own entries.

    What has entries and exits would have both mixed up: there nothing of the daemon's can be called.
    """

    _pt_inner: Optional[Pipe] = None

    def _pt_kind(self) -> str:
        return next(cls.__name__ for cls in type(self).__mro__ if cls.__module__.startswith(_OWN))

    def _pt_refuse(self) -> None:
        raise NotImplementedError(f"what a {self._pt_kind()} does is done in the daemon, and cannot be called: "
                                  "link one with this block")

    def _pt_is_asked(self) -> bool:
        return super()._pt_is_asked() and not self._pt_inner


class Taking(InDaemon):
    """One to which messages come: `super().push(msg)` in a class that derives from a sink hands them to the daemon's."""

    def push(self, msg: Any) -> None:
        self._pt_hand(self._send, msg, self.sinks)

    def high_push(self, msg: Any) -> None:
        self._pt_hand(self._high_send, msg, self.high_sinks)

    def on_trigger(self, msg: Any) -> None:
        self._pt_hand(self._trigger, msg, self.trigger_sinks)

    def _pt_hand(self, send: Callable[[Any], None], msg: Any, sinks: Links) -> None:
        if self._pt_inner is None or sinks:
            self._pt_refuse()
        send(msg)


class Written(OfDaemon):
    """What `f` of a sink is that writes a file: there is nothing to do, since the daemon flushes it within a second."""

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class Arrived(OfDaemon):
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
        self._pt_arrived, self._pt_is_over = Arrived(), False
        super().__init__(name)

    @property
    def is_exhausted(self) -> bool:
        """Of one that runs in the daemon: as it is there."""
        if self._pt_engine and not self._pt_wire and not self._pt_is_over and self._pt_engine._is_exhausted(self):
            self._pt_is_over = True  # and nobody who has asked earlier takes it back
        return self._pt_is_over

    @is_exhausted.setter
    def is_exhausted(self, is_over: bool) -> None:
        self._pt_is_over = is_over

    def _pt_reader(self) -> Any:
        """What its messages are read from."""
        opened = self._pt_reaches()
        return self._pt_arrived if opened is None else opened

    def fileno(self) -> int:
        return int(super().fileno() if self._pt_reaches() is None else self._pt_reader().fileno())

    def stop(self) -> None:
        if self._pt_reaches() is not None:
            self._pt_reader().close()

    def deliver(self) -> None:
        try:
            msg = self._pt_reader().recv()
        except EOFError:
            self.is_exhausted = True
        else:
            if msg is not None:
                self._send(msg)

    def recv(self, n: Optional[int] = None) -> Any:
        return self._pt_arrived.recv(n)


LEFT_OUT: Any = type("LeftOut", (), {"__repr__": lambda self: "..."})()  # a parameter that is as the daemon has it


class Native(InDaemon):
    """Parameters by their names, as `ptctl help TYPE` tells them."""

    def __init__(self, name: Optional[str] = None, **more: Any) -> None:
        super().__init__(name)
        self._pt_more = {word: value for word, value in more.items() if value is not LEFT_OUT}

    def _pt_native(self) -> Optional[Spec]:
        for word, value in self._pt_more.items():
            if callable(value):
                raise TypeError(f"{word} of {self._pt_kind()} is a text, for the daemon, and no function of Python's: "
                                "TransformDrain takes those, too, and what it makes None of is filtered")
        return self._pt_kind(), (), self._pt_more


class Existing(Drain):
    """A block of the engine that a script takes part in (`attach=True`), by its name.

    >>> Existing("anon") > QueueSink()  # doctest: +SKIP
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)

    def _pt_native(self) -> Optional[Spec]:
        return "", (), {}


class NativeSource(Native, Giving):
    """A source of the daemon's."""


class NativeDrain(Native, Taking, Drain):
    """A drain of the daemon's."""


class NativeSink(Native, Taking, Sink):
    """A sink of the daemon's."""
