# SPDX-License-Identifier: BSD-2-Clause
"""The thread in which an engine's functions run, and the frames to and from their blocks."""
from __future__ import annotations

import collections
import functools
import os
import queue
import select
import socket
import sys
import threading
import time
import traceback
from typing import Any, Callable, Dict, Iterable, List, Optional, Set, Tuple

from .frames import ANSWERS_TRIGGERS, CREDIT, END, ERROR, EXHAUSTED, HEAD, LOST, MESSAGE, PLAIN, TEXT, TRIGGER, Frame, Reader
from .message import from_frame, pack, text_of
from .objects import ObjectPipe
from .inner import Arriving, Inner, takes
from .pipes import Pipe, Source

WINDOW = 4096
PORTION = 512  # messages, behind which the daemon hears of what is done
FULL = 256 * 1024
READ_SIZE = 256 * 1024
SOON_S = 1.0  # a source that has no descriptor yet is asked again
_threads: Dict[int, Runner] = {}  # those of all runners
os.register_at_fork(after_in_child=_threads.clear)  # the child's own may have the same numbers


def is_running_functions() -> bool:
    """Whether the caller is a function of some engine's: it may not wait for any."""
    return threading.get_ident() in _threads


def check_caller() -> None:
    """RuntimeError in a function that the daemon may be waiting for, and which would wait for the daemon."""
    runner = _threads.get(threading.get_ident())
    if runner and runner.in_turn:
        raise RuntimeError("the daemon waits for this function, where ways meet, and can be asked nothing before it has "
                           "returned: ask from another thread")


class Told:
    """What is shown at most once a second."""

    def __init__(self) -> None:
        self.last_s = 0.0

    def tell(self, pipe: Pipe, error: BaseException) -> None:
        if time.monotonic() - self.last_s >= 1:
            self.last_s = time.monotonic()
            sys.stderr.write(f"{pipe._pt_label()}:\n")
            traceback.print_exception(type(error), error, error.__traceback__)


class Left:
    """In place of a block that has called sys.exit."""

    def push(self, msg: Any) -> None:
        pass

    high_push = push

    def end(self) -> None:
        pass


class Wire:
    """The script's end of a block's frames."""

    def __init__(self, pipe: Pipe, runner: Runner) -> None:
        self.pipe, self.runner = pipe, runner
        inner = getattr(pipe, "_pt_inner", None)
        self.entry: Any = Arriving(pipe) if isinstance(inner, Inner) and inner.is_source else pipe
        self.triggers: collections.deque[Any] = collections.deque()  # what those on their way here carry
        self.paired: Set[Pipe] = set()  # whom this one's triggers carry something to
        self.has_left = False  # by sys.exit: it is called no more
        self.fd = -1  # of a source that is waited for
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.reader = Reader()
        self.mine, self.out = bytearray(), bytearray()  # to be written: of the runner's thread alone, and of all
        self.room = threading.Condition()
        self.closed = self.ended = self.exhausted = False
        self.waits_to_write = False
        self.told = Told()
        first = Frame(CREDIT, flags=ANSWERS_TRIGGERS, wire_length=WINDOW).pack()  # it is there before any message
        if not isinstance(pipe, Source):
            self.exhausted = True
            first += Frame(EXHAUSTED).pack()
        self.ours.sendall(first)

    def write(self, data: bytes) -> None:
        runner = self.runner
        if threading.get_ident() == runner.thread_id:
            if not self.mine:
                runner.to_flush.append(self)
            self.mine += data
        else:
            with self.room:
                if self.closed:
                    return
                self.out += data
            runner.flush_soon(self)

    def send(self, msg: Any, canal: int, wait: bool = False) -> None:
        data = pack(msg, canal)
        if wait and self.is_full() and not is_running_functions():
            with self.room:
                while self.is_full() and not self.closed:
                    self.room.wait(1)
        self.write(data)

    def is_full(self) -> bool:
        return len(self.out) + len(self.mine) > FULL

    def credit(self, done: int) -> int:
        """So many messages are done with; 0 are from now on."""
        if done:
            self.write(Frame(CREDIT, wire_length=done).pack())
        return 0

    def trigger(self, msg: Any) -> None:
        for sink in self.paired:
            if sink._pt_wire:
                sink._pt_wire.triggers.append(msg)
        self.write(Frame(TRIGGER).pack())

    def pair(self, sinks: Iterable[Pipe]) -> None:
        """The daemon has links to these now. Where another block triggers one, too, nobody knows whose trigger it was."""
        paired = {sink for sink in sinks if sink._pt_wire and len(sink.trigger_sources) == 1 and takes(sink, "trigger")}
        for sink in paired ^ self.paired:
            if sink._pt_wire:
                sink._pt_wire.triggers.clear()
        self.paired = paired

    def exhaust(self) -> None:
        if not self.exhausted:
            self.exhausted = True
            self.write(Frame(EXHAUSTED).pack())

    def look(self) -> None:
        """Whether it is a source that has no more now."""
        self.runner.flush_soon(self)

    def report(self, pipe: Pipe, error: BaseException, lost: bool = False) -> None:
        """Counted each time, shown at most once a second. Who exits ends the engine, as in Scapy."""
        words = traceback.format_exception_only(type(error), error)[-1].strip()
        self.write(Frame(ERROR, flags=LOST if lost else 0, data=words.encode("utf-8", "replace")).pack())
        if not isinstance(error, (SystemExit, KeyboardInterrupt)):
            self.told.tell(pipe, error)
        elif not self.has_left:
            self.has_left, self.entry = True, Left()
            if isinstance(error, SystemExit) and isinstance(error.code, str):
                sys.stderr.write(error.code + "\n")
            self.runner.leave()

    def flush(self) -> None:
        """In the runner's thread."""
        with self.room:
            if not self.out:
                self.out, self.mine = self.mine, self.out
            elif self.mine:
                self.out += self.mine
                self.mine.clear()
            try:
                while self.out:
                    del self.out[:self.ours.send(self.out)]
            except BlockingIOError:
                pass
            except OSError:
                self.closed = True
                self.out.clear()
            self.room.notify_all()
        if self.waits_to_write != bool(self.out) and not self.ended:
            self.waits_to_write = bool(self.out)
            self.runner.poll.modify(self.ours, select.EPOLLIN | (select.EPOLLOUT if self.out else 0))

    def close(self) -> None:
        with self.room:
            self.closed = True
            self.room.notify_all()
        self.ours.close()
        self.theirs.close()


class Runner:
    """The thread in which all functions of an engine run; `leave` is called in it when one of them exits."""

    def __init__(self, leave: Callable[[], Any]) -> None:
        self.leave = leave
        self.in_turn = True  # whether the daemon waits for some of the functions, as far as is known
        self.wires: List[Wire] = []
        self.poll = select.epoll()
        self.waker, self.woken = socket.socketpair()
        self.waker.setblocking(False)
        self.woken.setblocking(False)
        self.awake = False
        self.to_flush: collections.deque[Wire] = collections.deque()
        self.by_fd: Dict[int, Tuple[Callable[[Wire], None], Wire]] = {}
        self.resting: collections.deque[Wire] = collections.deque()  # sources that are not looked at for now
        self.always: List[Wire] = []  # and those that can be read at any time, as files
        self.poll.register(self.woken, select.EPOLLIN)
        self.thread_id: Optional[int] = None
        self.thread: Optional[threading.Thread] = None
        self.stopping = False
        self.later: queue.Queue[Optional[Tuple[Pipe, Callable[[], Any]]]] = queue.Queue()
        self.errands: Optional[threading.Thread] = None

    def add(self, pipe: Pipe) -> Wire:
        wire = Wire(pipe, self)
        self.by_fd[wire.ours.fileno()] = (self._read, wire)
        self.poll.register(wire.ours, select.EPOLLIN)
        self.wires.append(wire)
        if pipe._pt_is_asked():
            self.resting.append(wire)
            self.wake()  # the thread may be there already
        return wire

    def hand_over(self) -> None:
        """Only the daemon holds the other ends now: a wire ends with it, or when it has not taken the block."""
        for wire in self.wires:
            wire.theirs.close()

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

    def flush_soon(self, wire: Wire) -> None:
        """From another thread."""
        self.to_flush.append(wire)
        self.wake()

    def wake(self) -> None:
        if not self.awake:
            self.awake = True
            try:
                self.waker.send(b"x")
            except OSError:
                pass

    def begin(self) -> None:
        self.thread = threading.Thread(target=self._run, name="pipetool.PipeEngine", daemon=True)
        self.thread.start()

    def end(self) -> None:
        self.stopping = True
        self.awake = False
        self.wake()
        self.later.put(None)
        if self.thread:
            self.thread.join(5)
        self.poll.close()
        for wire in self.wires:
            wire.close()
        self.waker.close()
        self.woken.close()

    # ---- in the thread ----

    def _run(self) -> None:
        self.thread_id = threading.get_ident()
        _threads[self.thread_id] = self
        try:
            while not self.stopping:
                self._turn()
        except (OSError, ValueError):
            if not self.stopping:  # else it was waited for long enough, and its descriptors are closed
                raise
        finally:
            _threads.pop(self.thread_id, None)

    def _turn(self) -> None:
        self.awake = False  # who comes from now on wakes it again
        while self.to_flush:
            wire = self.to_flush.popleft()
            wire.flush()
            if wire.fd >= 0 and self._is_over(wire):
                self._rest(wire)
        if self.resting:
            self._look_at_sources()
        for fd, _ in self.poll.poll(0 if self.always or self.to_flush else SOON_S if self.resting else None):
            if found := self.by_fd.get(fd):
                found[0](found[1])
            elif fd == self.woken.fileno():
                self.woken.recv(4096)
        for wire in tuple(self.always):
            self._deliver(wire)

    # ---- sources ----

    def _look_at_sources(self) -> None:
        for _ in range(len(self.resting)):
            wire = self.resting.popleft()
            if wire.ended or wire.exhausted or self._is_over(wire):
                wire.exhaust()
            elif wire.is_full() or not self._watch_source(wire):
                self.resting.append(wire)

    @staticmethod
    def _is_over(wire: Wire) -> bool:
        """Whether the source has no more; one that fails to say so has none."""
        source: Any = wire.pipe
        try:
            return wire.has_left or bool(source.exhausted()) and (not isinstance(source, ObjectPipe) or source.empty())
        except BaseException as error:
            wire.report(source, error)
            return True

    def _watch_source(self, wire: Wire) -> bool:
        source: Any = wire.pipe
        try:
            fd = source.fileno()
            self.poll.register(fd, select.EPOLLIN)
            self.by_fd[fd], wire.fd = (self._deliver, wire), fd
        except PermissionError:  # of a file
            self.always.append(wire)
        except (OSError, ValueError, AttributeError, TypeError):
            return False
        except BaseException as error:
            wire.report(source, error)
            return False
        return True

    def _is_watched(self, wire: Wire) -> bool:
        """Whether its descriptor is still that one, and open."""
        source: Any = wire.pipe
        try:
            if wire.fd >= 0:
                self.poll.modify(wire.fd, select.EPOLLIN)
            return bool(wire in self.always or source.fileno() == wire.fd)
        except BaseException:
            return False

    def _rest(self, wire: Wire) -> None:
        """It is looked at again, as one that is not watched."""
        if self.by_fd.get(wire.fd) == (self._deliver, wire):  # else somebody else's has that number now
            del self.by_fd[wire.fd]
            try:
                self.poll.unregister(wire.fd)
            except (OSError, ValueError):
                pass  # it is closed already
        wire.fd = -1
        if wire in self.always:
            self.always.remove(wire)
        self.resting.append(wire)

    def _deliver(self, wire: Wire) -> None:
        source: Any = wire.pipe
        self._try(wire, source.deliver)
        if wire.is_full() or self._is_over(wire) or not self._is_watched(wire):
            self._rest(wire)

    # ---- frames ----

    def _read(self, wire: Wire) -> None:
        if wire.waits_to_write:
            wire.flush()
        try:
            data = wire.ours.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take_all(wire, wire.reader.feed(data))
        else:
            self._over(wire)

    def _take_all(self, wire: Wire, data: bytes) -> None:
        entry: Any = wire.entry
        at, size, done = 0, len(data), 0
        while size - at >= HEAD.size:
            length, kind, canal, flags, link_type, wire_length, time_ns = HEAD.unpack_from(data, at)
            end = at + 4 + length
            if end > size:
                break
            body = data[at + HEAD.size:end]
            at = end
            if kind != MESSAGE:
                done = wire.credit(done)
                self._take(wire, kind)
                continue
            try:
                msg: Any = body
                if link_type != PLAIN:
                    msg = from_frame(Frame(kind, canal, flags, link_type, wire_length, time_ns, body))
                elif flags & TEXT:
                    msg = text_of(body)
                if canal:
                    entry.high_push(msg)
                else:
                    entry.push(msg)
            except BaseException as error:
                wire.report(wire.pipe, error, True)
                entry = wire.entry  # another, where it has left
            done += 1
            if done == PORTION:
                done = wire.credit(done)
                wire.flush()
        wire.credit(done)
        wire.reader.keep(data[at:])

    def _take(self, wire: Wire, kind: int) -> None:
        pipe: Any = wire.pipe
        if kind == TRIGGER:
            carried = wire.triggers.popleft() if wire.triggers else True
            if not wire.has_left:
                self._try(wire, functools.partial(pipe.on_trigger, carried))
            wire.write(Frame(CREDIT).pack())
        elif kind == EXHAUSTED and wire.entry is not pipe:
            self._try(wire, wire.entry.end)
            wire.exhaust()
        elif kind == END:
            wire.write(Frame(END).pack())
            wire.flush()

    @staticmethod
    def _try(wire: Wire, call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as error:  # sys.exit, too: others have functions in this thread
            wire.report(wire.pipe, error)

    def _over(self, wire: Wire) -> None:
        wire.ended = True
        self.poll.unregister(wire.ours)
        del self.by_fd[wire.ours.fileno()]
        self._rest(wire)
        with wire.room:
            wire.closed = True
            wire.room.notify_all()
