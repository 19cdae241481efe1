# SPDX-License-Identifier: BSD-2-Clause
"""Sources that a program, a thread or the clock feeds, by Scapy's names."""
from __future__ import annotations

import threading
from typing import Any, Iterable, List, Optional

from .message import is_volatile, to_frame, to_json
from .objects import ObjectPipe
from .pipes import Native, Source


class AutoSource(Source):
    """A source that a program feeds: `_gen_data` and `_gen_high_data` wait while the graph is full.

    >>> source, sink = AutoSource(), QueueSink()
    >>> source > sink
    >>> engine = PipeEngine(source)
    >>> engine.start(); source._gen_data("hello"); sink.recv(); engine.stop()
    'hello'
    """

    def _gen_data(self, msg: Any) -> None:
        self._gen(msg, False)

    def _gen_high_data(self, msg: Any) -> None:
        self._gen(msg, True)

    def _gen(self, msg: Any, high: bool) -> None:
        if self._delivers() or not (self._wire or self._engine):
            if not self._delivers():
                to_frame(msg)  # or TypeError
            ObjectPipe.send(self, (msg, high, False))
            return
        self._put(msg, high)
        if self.is_exhausted:
            self._exhaust()

    def _delivers(self) -> bool:
        """Whether what was given waits for a `deliver` of the user's own."""
        return type(self).deliver is not AutoSource.deliver

    def _is_asked(self) -> bool:
        return self._delivers()

    def _put(self, msg: Any, high: bool) -> None:
        if self._wire:
            self._wire.send(msg, int(high), wait=True)
        else:
            self._engine._send_to(self, msg, high=high)

    _is_closed = False  # and the engine knows it, or will behind what is sent from within a function

    def _exhaust(self) -> None:
        self.is_exhausted = self._is_closed = True
        if self._wire:
            self._wire.look() if self._delivers() else self._wire.exhaust()
        elif self._engine:
            self._engine._close(self)

    def _begin(self) -> None:
        """The engine runs now."""
        while not (self._delivers() or self.empty()):
            if self._wire:
                self._put(*self.recv()[:2])
            else:
                self._engine._send_early(self)

    def deliver(self) -> None:
        """The next message goes on."""
        msg, high, none = self.recv()
        if not none:
            (self._high_send if high else self._send)(msg)

    def native(self) -> Optional[Native]:
        return ("AutoSource", (), {}) if type(self) is AutoSource else None  # else it may want to be quick


class _Generating(threading.Thread):
    """One run of a source's `generate`."""

    def __init__(self, source: ThreadGenSource) -> None:
        super().__init__(name="pipetool generate", daemon=True)
        self.source, self.wire = source, source._wire

    def run(self) -> None:
        try:
            self.source.generate()
        except Exception as error:
            if not self.wire:
                raise
            self.wire.report(self.source, error)
        finally:
            if self.source.is_exhausted:
                self.source._exhaust()


class ThreadGenSource(AutoSource):
    """A source with a thread of its own, which runs `generate` while RUN is true.

    >>> class Ticks(ThreadGenSource):
    ...     def generate(self):
    ...         while self.RUN:
    ...             self._gen_data("tick")
    ...             time.sleep(1)
    """

    def __init__(self, name: Optional[str] = None) -> None:
        super().__init__(name)
        self._runs, self._thread = False, None  # type: bool, Optional[_Generating]

    @property
    def RUN(self) -> bool:
        """To a thread of before the source was started again: false."""
        return self._runs and not self._is_of_before()

    @RUN.setter
    def RUN(self, runs: bool) -> None:
        if not self._is_of_before():
            self._runs = runs

    def _is_of_before(self) -> bool:
        thread = threading.current_thread()
        return isinstance(thread, _Generating) and thread.source is self and thread is not self._thread

    def _gen(self, msg: Any, high: bool) -> None:
        if not self._is_of_before():
            super()._gen(msg, high)

    def _exhaust(self) -> None:
        if not self._is_of_before():
            super()._exhaust()

    def generate(self) -> None:
        """Sends by `_gen_data`."""

    def start(self) -> None:
        self.RUN = True
        if self.spec() is None:  # else the daemon generates
            self._thread = _Generating(self)
            self._thread.start()

    def stop(self) -> None:
        self.RUN = False


class CLIFeeder(AutoSource):
    """Sends what the script gives it, on the low exit.

    >>> feeder = CLIFeeder()
    >>> feeder > ConsoleSink()
    >>> engine = PipeEngine(feeder)
    >>> engine.start(); feeder.send("hello"); engine.stop()
    >'hello'
    """

    def send(self, msg: Any) -> int:
        """Returns when the message has gone through; before the start it waits."""
        self._gen_data(msg)
        return 1

    def close(self) -> None:
        """No more will come: `wait_and_stop` ends."""
        self._exhaust()

    def native(self) -> Optional[Native]:
        return "CLIFeeder" if type(self) is CLIFeeder else "AutoSource", (), {}  # one of one's own may send high, too


class CLIHighFeeder(CLIFeeder):
    """Sends what the script gives it, on the high exit.

    >>> feeder = CLIHighFeeder()
    >>> feeder >> ConsoleSink()
    >>> engine = PipeEngine(feeder)
    >>> engine.start(); feeder.send("hello"); engine.stop()
    >>'hello'
    """

    def send(self, msg: Any) -> int:
        self._gen_high_data(msg)
        return 1

    def native(self) -> Optional[Native]:
        return "CLIHighFeeder" if type(self) is CLIHighFeeder else "AutoSource", (), {}


class PeriodicSource(ThreadGenSource):
    """Sends a message, or those of a list in turn, every `period` seconds; `period2` more after the last.

    The daemon does, but for packets that chance makes anew each time (`IP(src=RandIP())`).

    >>> PeriodicSource(["tick", "tock"], 1, period2=3) > ConsoleSink()
    """

    def __init__(self, msg: Any, period: float, period2: float = 0, name: Optional[str] = None) -> None:
        super().__init__(name)
        self.msg: Iterable[Any] = msg if isinstance(msg, (list, set, tuple)) else [msg]
        self.period, self.period2 = period, period2
        self._stopped = threading.Event()

    def native(self) -> Optional[Native]:
        messages: List[Any] = list(self.msg)
        if any(map(is_volatile, messages)):
            return None
        return "PeriodicSource", ([to_json(one) for one in messages], self.period, self.period2), {}

    def start(self) -> None:
        self._stopped = threading.Event()  # the next start has another: no thread goes on by it
        super().start()

    def stop(self) -> None:
        super().stop()
        self._stopped.set()

    def generate(self) -> None:
        stopped, messages = self._stopped, list(self.msg)
        while self.RUN and messages:
            for msg in messages:
                self._gen_data(msg)
                if stopped.wait(self.period):
                    return
            if stopped.wait(self.period2):
                return
        if not messages:
            self._exhaust()
