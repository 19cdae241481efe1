# SPDX-License-Identifier: BSD-2-Clause
"""Sources that a program, a thread or the clock feeds, by Scapy's names."""
from __future__ import annotations

import threading
from typing import Any, Iterable, List, Optional

from .message import can_be_kept, to_json
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
        self._pt_gen(msg, False)

    def _gen_high_data(self, msg: Any) -> None:
        self._pt_gen(msg, True)

    def _pt_gen(self, msg: Any, high: bool) -> None:
        if self._pt_delivers() or not (self._pt_wire or self._pt_engine):
            ObjectPipe.send(self, (msg, high, False))
            return
        self._pt_put(msg, high)
        if self.is_exhausted:
            self._exhaust()

    def _pt_delivers(self) -> bool:
        """Whether what was given waits for a `deliver` of the user's own."""
        return type(self).deliver is not AutoSource.deliver

    def _pt_is_asked(self) -> bool:
        return self._pt_delivers()

    def _pt_put(self, msg: Any, high: bool) -> None:
        if self._pt_wire:
            self._pt_wire.send(msg, int(high), wait=True)
        else:
            self._pt_engine._send_to(self, msg, high=high)

    _pt_is_closed = False  # and the engine knows it, or will behind what is sent from within a function

    def _exhaust(self) -> None:
        self.is_exhausted = self._pt_is_closed = True
        if self._pt_wire:
            self._pt_wire.look() if self._pt_delivers() else self._pt_wire.exhaust()
        elif self._pt_engine:
            self._pt_engine._close(self)

    def _pt_send_there(self, msg: Any, high: bool) -> None:
        self._pt_put(msg, high)

    def _pt_begin(self) -> None:
        """The engine runs now."""
        while not (self._pt_delivers() or self.empty()):
            if self._pt_wire:
                self._pt_put(*self.recv()[:2])
            else:
                self._pt_engine._send_early(self)

    def deliver(self) -> None:
        """The next message goes on."""
        msg, high, none = self.recv()
        if not none:
            (self._high_send if high else self._send)(msg)

    def _pt_native(self) -> Optional[Native]:
        return ("AutoSource", (), {}) if type(self) is AutoSource else None  # else it may want to be quick


class _Generating(threading.Thread):
    """One run of a source's `generate`."""

    def __init__(self, source: ThreadGenSource) -> None:
        super().__init__(name="pipetool generate", daemon=True)
        self.source, self.wire = source, source._pt_wire

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
        self._pt_runs, self._pt_thread = False, None  # type: bool, Optional[_Generating]

    @property
    def RUN(self) -> bool:
        """To a thread of before the source was started again: false."""
        return self._pt_runs and not self._pt_is_of_before()

    @RUN.setter
    def RUN(self, runs: bool) -> None:
        if not self._pt_is_of_before():
            self._pt_runs = runs

    def _pt_is_of_before(self) -> bool:
        thread = threading.current_thread()
        return isinstance(thread, _Generating) and thread.source is self and thread is not self._pt_thread

    def _pt_gen(self, msg: Any, high: bool) -> None:
        if not self._pt_is_of_before():
            super()._pt_gen(msg, high)

    def _exhaust(self) -> None:
        if not self._pt_is_of_before():
            super()._exhaust()

    def generate(self) -> None:
        """Sends by `_gen_data`."""

    def start(self) -> None:
        self.RUN = True
        if self._pt_spec() is None:  # else the daemon generates
            self._pt_thread = _Generating(self)
            self._pt_thread.start()

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

    def _pt_native(self) -> Optional[Native]:
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

    def _pt_native(self) -> Optional[Native]:
        return "CLIHighFeeder" if type(self) is CLIHighFeeder else "AutoSource", (), {}


class PeriodicSource(ThreadGenSource):
    """Sends a message, or those of a list in turn, every `period` seconds; `period2` more after the last.

    The daemon does, but for packets that chance makes anew each time (`IP(src=RandIP())`), and objects of the script's.

    >>> PeriodicSource(["tick", "tock"], 1, period2=3) > ConsoleSink()
    """

    def __init__(self, msg: Any, period: float, period2: float = 0, name: Optional[str] = None) -> None:
        super().__init__(name)
        self.msg: Iterable[Any] = msg if isinstance(msg, (list, set, tuple)) else [msg]
        self.period, self.period2 = period, period2
        self._pt_stopped = threading.Event()

    def _pt_native(self) -> Optional[Native]:
        messages: List[Any] = list(self.msg)
        if not all(map(can_be_kept, messages)):
            return None
        return "PeriodicSource", ([to_json(one) for one in messages], self.period, self.period2), {}

    def start(self) -> None:
        self._pt_stopped = threading.Event()  # the next start has another: no thread goes on by it
        super().start()

    def stop(self) -> None:
        super().stop()
        self._pt_stopped.set()

    def generate(self) -> None:
        stopped, messages = self._pt_stopped, list(self.msg)
        while self.RUN and messages:
            for msg in messages:
                self._gen_data(msg)
                if stopped.wait(self.period):
                    return
            if stopped.wait(self.period2):
                return
        if not messages:
            self._exhaust()
