# SPDX-License-Identifier: BSD-2-Clause
"""Engines of a script: the graph runs in the daemon, and functions of Python's beside it, in one thread."""
from __future__ import annotations

import fcntl
import itertools
import os
import re
import selectors
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
import weakref
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from . import daemon
from .client import Client, Closed, Refused
from .frames import ANSWERS_TRIGGERS, CREDIT, END, ERROR, EXHAUSTED, LOST, MESSAGE, TRIGGER, Frame, Reader
from .message import from_frame, from_json, to_frame, to_json
from .pipes import AutoSource, CLIFeeder, Links, Pipe, QueueSink, Sink, Source

WINDOW = 1024
FULL = 256 * 1024
_numbers = itertools.count(1)
_running: Set[Any] = set()  # a running engine is never garbage


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
        self.told_s = 0.0
        self.write(Frame(CREDIT, flags=ANSWERS_TRIGGERS, wire_length=WINDOW))
        if not isinstance(pipe, Source):
            self.exhaust()

    def write(self, frame: Frame) -> None:
        with self.room:
            if not self.closed:
                self.out += frame.pack()
        if threading.get_ident() != self.runner.thread_id:
            self.runner.wake()

    def send(self, msg: Any, canal: int, wait: bool = False) -> None:
        frame = to_frame(msg, canal)
        if wait and threading.get_ident() != self.runner.thread_id:
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
        if time.monotonic() - self.told_s >= 1:
            self.told_s = time.monotonic()
            sys.stderr.write(f"{pipe.label()}:\n")
            traceback.print_exception(type(error), error, error.__traceback__)

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

    def add(self, pipe: Pipe) -> Wire:
        wire = Wire(pipe, self)
        self.wires.append(wire)
        return wire

    def wake(self) -> None:
        try:
            self.waker.send(b"x")
        except OSError:
            pass

    def begin(self) -> None:
        for wire in self.wires:
            self.selector.register(wire.ours, selectors.EVENT_READ, wire)
        self.thread = threading.Thread(target=self._run, name="pipetool.PipeEngine", daemon=True)
        self.thread.start()

    def end(self) -> None:
        self.stopping = True
        self.wake()
        if self.thread and self.thread is not threading.current_thread():
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
        except Exception as error:
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
        except Exception as error:
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


class PipeEngine:
    """Runs the graph that the given sources lead to.

    >>> s, q = CLIFeeder(), QueueSink()
    >>> s > TransformDrain(str.upper) > q
    >>> engine = PipeEngine(s)
    >>> engine.start(); s.send("hello"); q.recv(); engine.stop()
    """

    pipes = Pipe.registry

    def __init__(self, *pipes: Pipe, socket: Optional[str] = None, engine: Optional[str] = None) -> None:
        self.active_pipes: Links = Links()
        self.socket, self.engine = socket, engine
        self._lock = threading.RLock()
        self._local = threading.local()
        self._runner: Optional[Runner] = None
        self._name = ""
        self._names: Dict[Pipe, str] = {}
        self._owner: Optional[Client] = None
        self._add_pipes(*pipes)

    # ---- the graph ----

    @classmethod
    def list_pipes(cls) -> None:
        for name, kind in sorted(cls.pipes.items()):
            print("%20s: %s" % (name, (kind.__doc__ or "").strip().split("\n")[0]))

    @classmethod
    def list_pipes_detailed(cls) -> None:
        for name, kind in sorted(cls.pipes.items()):
            print(f"###### {name}" + (f"\n {kind.__doc__}" if kind.__doc__ else ""))

    def __getattr__(self, attr: str) -> Any:
        kind = Pipe.registry.get(attr[6:]) if attr.startswith("spawn_") else None
        if kind is None:
            raise AttributeError(attr)

        made = kind

        def spawn(*given: Any, **more: Any) -> Pipe:
            pipe: Pipe = made(*given, **more)
            self.add(pipe)
            return pipe
        return spawn

    @property
    def active_sources(self) -> Set[Pipe]:
        return {p for p in self.active_pipes if isinstance(p, Source)}

    @property
    def active_sinks(self) -> Set[Pipe]:
        return {p for p in self.active_pipes if isinstance(p, Sink)}

    def get_pipe_list(self, pipe: Pipe) -> Set[Pipe]:
        """The pipe, and all that is linked with it."""
        found, to_do = Links([pipe]), [pipe]
        while to_do:
            p = to_do.pop(0)
            for links in (p.sources, p.sinks, p.high_sources, p.high_sinks, p.trigger_sources, p.trigger_sinks):
                for q in links:
                    if q not in found:
                        found.add(q)
                        to_do.append(q)
        return found  # type: ignore[return-value]

    def _add_pipes(self, *pipes: Pipe) -> List[Pipe]:
        fresh = [q for p in pipes for q in self.get_pipe_list(p) if q not in self.active_pipes]
        for q in fresh:
            self.active_pipes.add(q)
        return fresh

    def add(self, *pipes: Pipe) -> None:
        """Adds pipes with all that they are linked with, also while the engine runs."""
        with self._lock:
            fresh = self._add_pipes(*pipes)
            if self._runner:
                self._change(fresh)

    # ---- requests ----

    def _client(self) -> Client:
        client: Optional[Client] = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = daemon.connect(self.socket, timeout=3e7)
        return client

    def _call(self, method: str, **params: Any) -> Any:
        try:
            return self._client().call(method, engine=self._name, **params)
        except (Closed, TimeoutError, KeyboardInterrupt, OSError):
            self._local.client = None  # an answer may still come
            raise

    # ---- starting ----

    def _describe(self, pipe: Pipe, runner: Runner, fds: List[int]) -> Dict[str, Any]:
        spec = pipe.spec()
        if spec is None:
            pipe._wire = runner.add(pipe)
            fds.append(pipe._wire.theirs.fileno())
            return {"name": self._names[pipe], "type": "ProgramPipe",
                    "params": {"format": "frames", "fd": len(fds) - 1, "label": pipe.label()}}
        kind, given, more = spec
        if given:
            rows = self._client().call("type.show", type=kind)["params"]
            more = {**dict(zip((row["name"] for row in rows), given)), **more}
        return {"name": self._names[pipe], "type": kind, "params": more}

    def _name_all(self, pipes: List[Pipe]) -> None:
        taken = set(self._names.values())
        for pipe in pipes:
            stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", pipe.given_name or type(pipe).__name__)
            stem = re.sub(r"\W", "_", stem if pipe.given_name else stem.lower(), flags=re.ASCII)[:56]
            stem = stem if re.match(r"[A-Za-z_]", stem) else "_" + stem
            name = stem if pipe.given_name else stem + "1"
            name = next(n for n in itertools.chain([name], (f"{stem}{i}" for i in itertools.count(2))) if n not in taken)
            taken.add(name)
            self._names[pipe] = pipe._block = name

    def _links(self, pipes: List[Pipe]) -> List[Dict[str, str]]:
        return [{"from": self._names[p], "to": self._names[q], "canal": canal}
                for p in pipes for canal, links in (("low", p.sinks), ("high", p.high_sinks), ("trigger", p.trigger_sinks))
                for q in links if _takes(q, canal)]

    def start(self) -> None:
        """Runs the graph; what a `start` of a class of one's own raises comes out, and nothing runs."""
        with self._lock:
            if self._runner:
                return
            runner, pipes, fds = Runner(), list(self.active_pipes), []  # type: Runner, List[Pipe], List[int]
            self._name = self.engine or f"script_{os.getpid()}_{next(_numbers)}"
            self._name_all([p for p in pipes if p not in self._names])
            started: List[Pipe] = []
            try:
                blocks = [self._describe(p, runner, fds) for p in pipes]
                for p in pipes:
                    if p._wire:
                        started.append(p)
                        p.start()
                self._owner = daemon.connect(self.socket)
                self._owner.call("engine.create", engine=self._name, blocks=blocks, links=self._links(pipes),
                                 ephemeral=True, fds=fds)
                runner.begin()
                self._begin(pipes)
            except BaseException:
                self._undo(runner, started)
                raise
            self._runner = runner
            _running.add(self)

    def _begin(self, pipes: List[Pipe]) -> None:
        for p in pipes:
            p._engine = self
            while isinstance(p, CLIFeeder) and p._early:
                self._call("block.send", block=p._block, message=to_json(p._early.popleft()), canal=p.canal)
        self._call("engine.start")
        for p in pipes:
            if isinstance(p, CLIFeeder) and p.is_exhausted:
                self._close(p)

    def _undo(self, runner: Runner, started: List[Pipe]) -> None:
        for p in self.active_pipes:
            p._engine = p._wire = None
        runner.end()
        self._destroy()
        for p in started:
            try:
                p.stop()
            except Exception:
                traceback.print_exc()

    def _destroy(self) -> None:
        try:
            self._call("engine.destroy")
        except (Refused, Closed, OSError, TimeoutError):
            pass
        if self._owner:
            self._owner.close()
            self._owner = None

    def _change(self, fresh: List[Pipe]) -> None:
        """What was added or linked since."""
        assert self._runner
        fds: List[int] = []
        self._name_all(fresh)
        blocks = [self._describe(p, self._runner, fds) for p in fresh]
        for p in fresh:
            if p._wire:
                p.start()
                self._runner.selector.register(p._wire.ours, selectors.EVENT_READ, p._wire)
        ops = [{"op": "add", **block} for block in blocks]
        ops += [{"op": "link", **link} for link in self._links(list(self.active_pipes))]
        self._call("engine.change", ops=ops, fds=fds)
        for p in fresh:
            p._engine = self

    # ---- while it runs ----

    def _send_to(self, feeder: CLIFeeder, msg: Any) -> None:
        params = {"engine": self._name, "block": feeder._block, "message": to_json(msg), "canal": feeder.canal}
        if self._runner and threading.get_ident() == self._runner.thread_id:
            self._client().post("block.send", params)  # its answer is read with the next one's
            return
        self._call("block.send", **{k: v for k, v in params.items() if k != "engine"})

    def _close(self, feeder: CLIFeeder) -> None:
        self._call("block.close", block=feeder._block)

    def _fetch(self, sink: QueueSink, seconds: float) -> bool:
        try:
            got = self._call("block.recv", block=sink._block, max=1000 if not seconds else 100, timeout_s=seconds)["messages"]
        except (Refused, Closed):
            return False
        sink._local.extend(map(from_json, got))
        return bool(got)

    # ---- stopping ----

    def _stop(self, wait: bool) -> None:
        try:
            self._call("engine.stop", wait=wait)
        except KeyboardInterrupt:
            print("Interrupted by user.")
            self._call("engine.stop")
        except (Refused, Closed):
            pass

    def _finish(self) -> None:
        runner, self._runner = self._runner, None
        for p in self.active_pipes:
            while isinstance(p, QueueSink) and p._engine and self._fetch(p, 0):
                pass
        assert runner
        wired = [p for p in self.active_pipes if p._wire]
        self._undo(runner, wired)
        _running.discard(self)

    def stop(self) -> None:
        """Stops; what is on its way comes through, for two seconds at most."""
        self._end(False)

    def wait_and_stop(self) -> None:
        """Waits until the sources are exhausted, and stops."""
        self._end(True)

    def _end(self, wait: bool) -> None:
        if not self._runner:
            return
        try:
            self._stop(wait)
        except KeyboardInterrupt:
            print("Interrupted by user.")
        with self._lock:
            if self._runner:
                self._finish()

    def stats(self) -> Dict[str, Any]:
        """The counters of all blocks, as `ptctl stats` has them."""
        found: Dict[str, Any] = self._call("engine.stats")
        return found

    # ---- pictures ----

    def dot(self) -> str:
        """The graph as text for Graphviz."""
        lines = ['digraph "pipe" {', "\tnode [shape=rectangle];"]
        lines += ['\t"%i" [label="%s"];' % (id(p), p.name) for p in self.active_pipes]
        for style, kind in (("color=blue, arrowhead=vee", "sinks"), ("color=purple, arrowhead=veevee", "high_sinks"),
                            ("color=red, arrowhead=diamond", "trigger_sinks")):
            lines.append(f"\n\tedge [{style}];")
            lines += ['\t"%i" -> "%i";' % (id(p), id(q)) for p in self.active_pipes for q in getattr(p, kind)]
        return "\n".join([*lines, "}"])

    def graph(self, **more: Any) -> Any:
        """Draws the graph with Graphviz: in a notebook in place, else as Scapy does (`target="> graph.svg"`)."""
        if "scapy.utils" in sys.modules and "IPython" not in sys.modules:
            return sys.modules["scapy.utils"].do_graph(self.dot(), **more)
        return Picture(subprocess.run(["dot", "-Tsvg"], input=self.dot(), text=True, capture_output=True, check=True).stdout)

    def _repr_html_(self) -> str:
        if not self._runner:
            return "<p>a PipeEngine that does not run</p>"
        rows = ["<tr><th>block<th>in<th>out<th>held<th>dropped<th>errors</tr>"]
        rows += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in (b["name"], b["in"], b["out"], b["held"],
                 sum(b["dropped"].values()), b["errors"])) + "</tr>" for b in self.stats()["blocks"]]
        return f"<table>{''.join(rows)}</table>"


class Picture:
    """A drawing that a notebook shows in place."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg


def _takes(pipe: Pipe, canal: str) -> bool:
    """Whether what comes by this canal could do anything: else the link is left out."""
    if pipe.spec() is not None:
        return canal != "trigger" or hasattr(pipe, "on_trigger")
    return hasattr(pipe, {"low": "push", "high": "high_push", "trigger": "on_trigger"}[canal])


def stop_all() -> None:
    """At the script's end: what runs is stopped, before the daemon ends."""
    for engine in list(_running):
        engine.stop()
