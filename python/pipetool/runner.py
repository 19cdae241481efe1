# SPDX-License-Identifier: BSD-2-Clause
"""The thread in which an engine's functions run, and the frames to and from their blocks."""
from __future__ import annotations

import queue
import selectors
import socket
import sys
import threading
import time
import traceback
from typing import Any, Callable, Dict, List, Optional, Tuple

from .frames import ANSWERS_TRIGGERS, CREDIT, END, ERROR, EXHAUSTED, LOST, MESSAGE, TRIGGER, Frame, Reader
from .message import from_frame, to_frame
from .pipes import AutoSource, Pipe, Source

WINDOW = 1024
FULL = 256 * 1024


class Told:
    """What is shown at most once a second."""

    def __init__(self) -> None:
        self.last_s = 0.0

    def tell(self, pipe: Pipe, error: BaseException) -> None:
        if time.monotonic() - self.last_s >= 1:
            self.last_s = time.monotonic()
            sys.stderr.write(f"{pipe.label()}:\n")
            traceback.print_exception(type(error), error, error.__traceback__)


class Wire:
    """The script's end of a block's frames."""

    def __init__(self, pipe: Pipe, runner: Runner) -> None:
        self.pipe, self.runner = pipe, runner
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.reader = Reader()
        self.out = bytearray()
        self.room = threading.Condition()
        self.closed = self.ended = self.exhausted = False
        self.credit = 0
        self.told = Told()
        self.write(Frame(CREDIT, flags=ANSWERS_TRIGGERS, wire_length=WINDOW))
        if not isinstance(pipe, Source):
            self.exhaust()

    def write(self, frame: Frame) -> None:
        with self.room:
            if not self.closed:
                self.out += frame.pack()
        if not self.runner.is_current():
            self.runner.wake()

    def send(self, msg: Any, canal: int, wait: bool = False) -> None:
        frame = to_frame(msg, canal)
        if wait and not self.runner.is_current():
            with self.room:
                while len(self.out) > FULL and not self.closed:
                    self.room.wait(1)
        self.write(frame)

    def trigger(self) -> None:
        self.write(Frame(TRIGGER))

    def exhaust(self) -> None:
        if not self.exhausted:
            self.exhausted = True
            self.write(Frame(EXHAUSTED))

    def report(self, pipe: Pipe, error: BaseException, lost: bool = False) -> None:
        """Counted each time, shown at most once a second."""
        words = traceback.format_exception_only(type(error), error)[-1].strip()
        self.write(Frame(ERROR, flags=LOST if lost else 0, data=words.encode("utf-8", "replace")))
        self.told.tell(pipe, error)

    def flush(self) -> None:
        with self.room:
            try:
                while self.out:
                    del self.out[:self.ours.send(self.out)]
            except BlockingIOError:
                pass
            except OSError:
                self.closed = True
                self.out.clear()
            self.room.notify_all()

    def close(self) -> None:
        with self.room:
            self.closed = True
            self.room.notify_all()
        self.ours.close()
        self.theirs.close()


class Runner:
    """The thread in which all functions of an engine run."""

    def __init__(self) -> None:
        self.wires: List[Wire] = []
        self.selector = selectors.DefaultSelector()
        self.waker, self.woken = socket.socketpair()
        self.waker.setblocking(False)
        self.woken.setblocking(False)
        self.selector.register(self.woken, selectors.EVENT_READ)
        self.thread_id: Optional[int] = None
        self.thread: Optional[threading.Thread] = None
        self.stopping = False
        self.later: queue.Queue[Optional[Tuple[Pipe, Callable[[], Any]]]] = queue.Queue()
        self.errands: Optional[threading.Thread] = None

    def add(self, pipe: Pipe) -> Wire:
        wire = Wire(pipe, self)
        self.selector.register(wire.ours, selectors.EVENT_READ, wire)
        self.wires.append(wire)  # the thread may be there already, and looks for it from now on
        return wire

    def hand_over(self) -> None:
        """Only the daemon holds the other ends now: a wire ends with it, or when it has not taken the block."""
        for wire in self.wires:
            wire.theirs.close()

    def is_current(self) -> bool:
        return threading.get_ident() == self.thread_id

    def do_later(self, pipe: Pipe, call: Callable[[], Any]) -> None:
        """From within a function: what is asked may wait for what waits for the function."""
        if not self.errands:
            self.errands = threading.Thread(target=self._run_errands, name="pipetool later", daemon=True)
            self.errands.start()
        self.later.put((pipe, call))

    def await_errands(self) -> None:
        """Until all has been asked, or for two seconds."""
        with self.later.all_tasks_done:
            self.later.all_tasks_done.wait_for(lambda: not self.later.unfinished_tasks, 2)

    def _run_errands(self) -> None:
        told = Told()
        while errand := self.later.get():
            try:
                if not self.stopping:
                    errand[1]()
            except Exception as error:
                if not self.stopping:
                    told.tell(errand[0], error)
            self.later.task_done()

    def wake(self) -> None:
        try:
            self.waker.send(b"x")
        except OSError:
            pass

    def begin(self) -> None:
        self.thread = threading.Thread(target=self._run, name="pipetool.PipeEngine", daemon=True)
        self.thread.start()

    def end(self) -> None:
        self.stopping = True
        self.wake()
        self.later.put(None)
        if self.thread:
            self.thread.join(5)
        self.selector.close()
        for wire in self.wires:
            wire.close()
        self.waker.close()
        self.woken.close()

    # ---- in the thread ----

    def _run(self) -> None:
        self.thread_id = threading.get_ident()
        sources: Dict[int, Wire] = {}
        while not self.stopping:
            for wire in self.wires:
                if wire.out:
                    wire.flush()
            self._watch(sources)
            for key, events in self.selector.select(1):
                if key.fileobj is self.woken:
                    try:
                        self.woken.recv(4096)
                    except BlockingIOError:
                        pass
                elif isinstance(key.data, Wire) and events & selectors.EVENT_READ:
                    self._read(key.data)
                elif not isinstance(key.data, Wire):
                    self._deliver(key.data[0])

    def _watch(self, sources: Dict[int, Wire]) -> None:
        for wire in self.wires:
            if not wire.closed and not wire.ended:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wire.out else 0)
                if self.selector.get_key(wire.ours).events != events:
                    self.selector.modify(wire.ours, events, wire)
            self._watch_source(wire, sources)

    def _watch_source(self, wire: Wire, sources: Dict[int, Wire]) -> None:
        fileno: Optional[Callable[[], int]] = getattr(wire.pipe, "fileno", None)
        if fileno is None or isinstance(wire.pipe, AutoSource):
            return
        wanted = not (wire.closed or wire.ended or wire.exhausted or len(wire.out) > FULL)
        known = next((fd for fd, other in sources.items() if other is wire), None)
        if wanted and known is None:
            try:
                fd = fileno()
                self.selector.register(fd, selectors.EVENT_READ, (wire,))
                sources[fd] = wire
            except (OSError, ValueError, KeyError, AttributeError):
                pass
        elif not wanted and known is not None:
            self.selector.unregister(known)
            del sources[known]

    def _deliver(self, wire: Wire) -> None:
        pipe: Any = wire.pipe
        try:
            pipe.deliver()
        except BaseException as error:  # sys.exit, too: others have functions in this thread
            wire.report(pipe, error)
        if pipe.exhausted():
            wire.exhaust()

    def _read(self, wire: Wire) -> None:
        try:
            data = wire.ours.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._over(wire)
            return
        done = 0
        for frame in wire.reader.feed(data):
            done += frame.kind == MESSAGE
            self._take(wire, frame)
        if done:
            wire.write(Frame(CREDIT, wire_length=done))

    def _take(self, wire: Wire, frame: Frame) -> None:
        pipe: Any = wire.pipe
        try:
            if frame.kind == MESSAGE:
                (pipe.high_push if frame.canal else pipe.push)(from_frame(frame))
            elif frame.kind == TRIGGER:
                pipe.on_trigger(True)
        except BaseException as error:
            wire.report(pipe, error, frame.kind == MESSAGE)
        if frame.kind == TRIGGER:
            wire.write(Frame(CREDIT))
        elif frame.kind == END:
            wire.write(Frame(END))
            wire.flush()

    def _over(self, wire: Wire) -> None:
        wire.ended = True
        self.selector.unregister(wire.ours)
        with wire.room:
            wire.closed = True
            wire.room.notify_all()
