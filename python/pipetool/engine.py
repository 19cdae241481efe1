# SPDX-License-Identifier: BSD-2-Clause
"""Engines of a script: the graph runs in the daemon, and functions of Python's beside it, in one thread."""
from __future__ import annotations

import contextlib
import functools
import html
import itertools
import os
import re
import threading
import time
import traceback
import warnings
import weakref
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from . import daemon, inner, pictures
from .asked import FOR_EVER_S
from .client import Client, Closed, Refused, default_socket
from .feeders import AutoSource, ThreadGenSource
from .files import Files, absolute
from .graph import SIGNS, Graph, name_of, numbered
from .message import forget, from_json, on_many, to_json
from .natives import Existing, Giving, InDaemon
from .pipes import Pipe, Source, exits_of, linked_with
from .planned import Planned, level
from .queues import QueueSink
from .runner import Runner, check_caller, is_running_functions

_Parts = Dict[Pipe, Tuple[str, Dict[str, Any]]]  # of each pipe, its type and parameters
_FLUSH_S = 2
_numbers = itertools.count(1)
_running: Set[Any] = set()  # a running engine is never garbage


class PipeEngine(Planned):
    """Runs the graph that the given sources lead to.

    `socket` and `engine` tell in which daemon, and as which engine; with `attach` it takes part in one that is there,
    whose blocks are `Existing("name")`. What the script has made goes with its connection.

    >>> s, q = CLIFeeder(), QueueSink()
    >>> s > TransformDrain(str.upper) > q
    >>> engine = PipeEngine(s)
    >>> engine.start(); s.send("hello"); q.recv(); engine.stop()
    """

    def __init__(self, *pipes: Pipe, socket: Optional[str] = None, engine: Optional[str] = None,
                 attach: bool = False) -> None:
        if attach and not engine:
            raise ValueError("attach=True takes part in an engine that is there: engine= says in which")
        self.socket, self.engine, self.attach = socket or (default_socket() if attach else None), engine, attach
        self._there: Dict[str, str] = {}  # others' blocks, and their types
        self._idle: Set[Tuple[Pipe, Pipe, str]] = set()  # links that could pass nothing, of which was told
        self._made = False
        self.thread: Optional[threading.Thread] = None  # that in which functions run, once it was started
        self._lock = threading.RLock()
        self._local = threading.local()
        self._runner: Optional[Runner] = None
        self._name = ""
        self._names: Dict[Pipe, str] = {}
        self._inners: Dict[Pipe, inner.Inner] = {}
        self._types: Dict[str, Dict[str, Any]] = {}
        self._owner: Optional[Client] = None
        super().__init__(*pipes)

    # ---- the graph ----

    def add(self, *pipes: Pipe) -> None:
        """Adds pipes with all that they are linked with, also while the engine runs; from a function, behind it."""
        if not self._later(self.add, pipes):
            with self._lock:
                fresh = self._add_pipes(*pipes)
                if self._runner:
                    self._change(fresh)

    def _later(self, call: Callable[..., Any], pipes: Tuple[Pipe, ...]) -> bool:
        """Whether the caller is a function, which the daemon may be waiting for: it is done behind that."""
        runner = self._runner
        if not runner or not is_running_functions():
            return False
        runner.do_later(next(iter(pipes or self.active_pipes)), functools.partial(call, *pipes))
        return True

    def _relink(self, a: Pipe, b: Pipe, canal: str) -> None:
        """What was linked or unlinked while it runs. What has a `start` of its own, and is new, waits for `add`."""
        if self._later(functools.partial(self._relink, canal=canal), (a, b)):
            return
        with self._lock:
            if not self._runner:
                return
            if b not in exits_of(a)[canal]:
                self._unlink(a, b, canal)
            elif not any(p._pt_defines("start") for p in linked_with(b) if p not in self.active_pipes):
                self._change(self._add_pipes(b))

    def _unlink(self, a: Pipe, b: Pipe, canal: str) -> None:
        if a in self._names and b in self._names:
            with contextlib.suppress(Refused):  # one that was left out
                self._call("engine.change", ops=[{"op": "unlink", "from": self._names[a], "to": self._names[b], "canal": canal}])
        self._pair()
        self._learn()

    # ---- requests ----

    def _client(self) -> Client:
        check_caller()
        client: Optional[Client] = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = daemon.connect(self.socket, timeout=FOR_EVER_S)
            weakref.finalize(client, client.socket.close).atexit = False  # with its thread
        return client

    def _call(self, method: str, **params: Any) -> Any:
        try:
            return self._client().call(method, engine=self._name, **params)
        except Refused as error:
            if error.kind == "no-such-engine" and not self.socket:
                raise ConnectionResetError(daemon.GONE) from None
            raise
        except (Closed, ConnectionError):
            self._disconnect()
            raise ConnectionResetError(daemon.GONE) from None
        except (TimeoutError, KeyboardInterrupt, OSError):
            self._disconnect()  # an answer may still come
            raise

    def _disconnect(self) -> None:
        client: Optional[Client] = getattr(self._local, "client", None)
        if client:
            client.close()
        self._local.client = None

    # ---- starting ----

    def _describe(self, pipe: Pipe, runner: Runner, files: Files) -> Tuple[str, Dict[str, Any]]:
        spec = pipe._pt_spec()
        if spec is None:
            pipe._pt_wire = runner.add(pipe)
            return "ProgramPipe", {"format": "frames", "fd": pipe._pt_wire.theirs, "label": pipe._pt_label()}
        pipe._pt_wire = None
        kind, given, more = spec
        rows = self._type(kind)["params"]
        if len(given) > len(rows):
            raise TypeError(f"{kind} takes {len(rows)} parameters, and {len(given)} were given")
        params = absolute(rows, {**dict(zip((row["name"] for row in rows), given)), **more})
        # that daemon may have other rights; a trigger makes files beside the first
        left = ("fname",) if pipe.trigger_sources else ()
        return kind, files.hand_over(rows, params, left, is_other=bool(self.socket))

    def _with_inner(self, pipes: List[Pipe]) -> List[Pipe]:
        """These pipes, and of those that leave something to one of the daemon's, that."""
        found: List[Pipe] = []
        for pipe in pipes:
            found.append(pipe)
            kind = inner.wanted(pipe)
            made = inner.make(pipe, kind, self._type(kind)["ports"]) if kind else None
            if isinstance(pipe, InDaemon):
                pipe._pt_inner = made and self._inners.setdefault(pipe, made)
                found += [pipe._pt_inner] if pipe._pt_inner else []
        return found

    def _type(self, kind: str) -> Dict[str, Any]:
        if kind not in self._types:
            with daemon.told_when_gone():
                self._types[kind] = self._client().call("type.show", type=kind)
        return self._types[kind]

    def _has(self, pipe: Pipe, canal: str, way: str) -> bool:
        """Whether something could pass there: else the link is left out."""
        spec = (self._there.get(pipe.name, ""), (), {}) if isinstance(pipe, Existing) else pipe._pt_spec()
        if spec is None:
            return way == "exit" or inner.takes(pipe, canal)
        return spec[0] in ("", "ProgramPipe") or f"{canal}_{way}" in self._type(spec[0])["ports"]

    def _name_all(self, pipes: List[Pipe]) -> None:
        taken, numbers = {*self._names.values(), *self._there}, {}  # type: Set[str], Dict[str, int]
        for pipe in pipes:
            name = pipe._pt_given_name
            if isinstance(pipe, Existing):
                name = pipe.name
            elif name is None:
                name = name_of(pipe.kind if isinstance(pipe, inner.Inner) else type(pipe).__name__, taken, numbers)
            else:
                stem = re.sub(r"\W|^(?=\d|$)", "_", name, flags=re.ASCII)[:56]
                name = stem if stem not in taken else numbered(stem, taken, numbers, 2)
            taken.add(name)
            self._names[pipe] = pipe._block = name

    def _graph(self, parts: _Parts) -> Graph:
        """These pipes, and the links of all."""
        graph, pipes = Graph(), list(self.active_pipes)
        inners = [made for p, made in self._inners.items() if p in self.active_pipes and made in self._names]
        graph.outside = {*self._there, *(self._names[p] for p in (*pipes, *inners) if p not in parts)}
        for pipe, (kind, params) in parts.items():
            graph.add(kind, self._names[pipe], **params)
        links = [(p, q, canal) for p in pipes for canal, sinks in exits_of(p).items() for q in sinks if q in self._names]
        idle = {(p, q, canal) for p, q, canal in links if not (self._has(p, canal, "exit") and self._has(q, canal, "entry"))}
        if untold := [link for link in links if link in idle - self._idle]:
            warnings.warn("nothing could pass here, so these links are left out: " + ", ".join(
                f"{p.name} {SIGNS[canal]} {q.name}" for p, q, canal in untold), stacklevel=level())
        self._idle |= idle
        for p, q, canal in (*links, *(link for made in inners for link in made.links())):
            if (p, q, canal) not in idle:
                graph.link(self._names[p], self._names[q], canal)
        return graph

    def start(self) -> None:
        """Runs the graph; what a `start` of a class of one's own raises comes out, and nothing runs."""
        check_caller()
        with self._lock:
            if self._runner:
                return
            self._add_pipes(*self.active_pipes)  # and what was linked with them since
            self._idle.clear()
            runner, pipes = Runner(self.stop), list(self.active_pipes)
            self._name = self.engine or f"script_{os.getpid()}_{next(_numbers)}"
            started: List[Pipe] = []
            daemon.hold(self.socket)
            try:
                self._owner = daemon.connect(self.socket, timeout=FOR_EVER_S)
                self._bring(pipes, runner, started)
                runner.begin()
                self._runner, self.thread = runner, runner.thread
                self._pair()
                if not self.attach or self._call("engine.show")["state"] == "stopped":
                    self._call("engine.start")
                self._learn()
                self._begin(pipes)
            except BaseException:
                self._runner = None
                self._undo(runner, started)
                raise
            _running.add(self)

    def _bring(self, pipes: List[Pipe], runner: Runner, started: List[Pipe]) -> None:
        """Starts what runs here, and has the daemon make these pipes."""
        early = [p for p in pipes if p._pt_opens and p._pt_defines("start")]  # that tells whose the work is
        for p in early:
            _start(p, started)
        pipes = self._with_inner(pipes)
        with Files() as files:
            try:
                parts = {p: self._describe(p, runner, files) for p in pipes if not isinstance(p, Existing)}
                for p in [p for p in parts if p not in early]:
                    _start(p, started)
                with daemon.told_when_gone():
                    self._make(pipes, parts)
                self._made = files.used = True
            finally:
                runner.hand_over()

    def _make(self, pipes: List[Pipe], parts: _Parts) -> None:
        """The engine, or the blocks of one that is there already."""
        assert self._owner
        if self.attach:
            self._join(self._owner, pipes, parts)
            return
        self._name_all([p for p in pipes if p not in self._names])
        if not self._made:
            self._owner.call("engine.create", engine=self._name, owned=True)
            self._made = True
        for portion in self._graph(parts).portions():
            self._owner.call("engine.change", engine=self._name, **portion)

    def _join(self, owner: Client, pipes: List[Pipe], parts: _Parts) -> None:
        """With names that are free there as it is now: until nobody is faster."""
        for p in pipes:
            self._names.pop(p, None)
        while True:
            shown = owner.call("engine.show", engine=self._name)
            mine = set(self._names.values())
            self._there = {b["name"]: b["type"] for b in shown["blocks"] if b["name"] not in mine}
            self._name_all(pipes)
            try:
                first, *rest = self._graph(parts).portions()
                owner.call("engine.change", engine=self._name, owned=True, if_revision=shown["revision"], **first)
                for portion in rest:
                    owner.call("engine.change", engine=self._name, owned=True, **portion)
                return
            except Refused as error:
                if error.kind != "conflict":
                    raise
            for p in pipes:
                del self._names[p]

    def _begin(self, pipes: List[Pipe]) -> None:
        sources = [p for p in pipes if isinstance(p, AutoSource)]
        over = [p for p in sources if p.is_exhausted]  # by now: functions may close others meanwhile
        for source in sources:
            source._pt_is_closed = source in over
        for p in pipes:
            p._pt_engine = self
        for source in sources:
            source._pt_begin()
        for source in over:
            source._exhaust()

    def _undo(self, runner: Runner, started: List[Pipe]) -> None:
        for p in self.active_pipes:
            p._pt_engine = None
        runner.end()
        self._destroy()
        for p in self.active_pipes:
            if not isinstance(p, ThreadGenSource):  # whose thread may still send: that goes nowhere
                p._pt_wire = None
        _stop(started)
        daemon.release(self.socket)

    def _let_go(self) -> None:
        """In a child that was forked."""
        self._lock, self._local = threading.RLock(), threading.local()
        if self._owner:
            self._owner.close()
        self._runner = self._owner = None
        self._made = False
        for p in self.active_pipes:
            p._pt_engine = p._pt_wire = None

    def _destroy(self) -> None:
        if self._owner:
            with contextlib.suppress(Refused, Closed, OSError):
                if self._made and self.attach:
                    self._take_out(lambda pipe: True)
                elif self._made:
                    self._call("engine.destroy")
            self._owner.close()
            self._owner = None
        self._made = False
        self._disconnect()
        self._local = threading.local()  # of no use to a later daemon

    def _take_out(self, which: Callable[[Pipe], bool], shut: bool = False) -> None:
        """Those pipes of what was made in an engine that is there; `shut`: nothing of others' comes to the rest."""
        mine = {name: pipe for pipe, name in self._names.items() if not isinstance(pipe, Existing)}
        going = {name for name, pipe in mine.items() if which(pipe)}
        while True:
            shown = self._call("engine.show")
            ops = [{"op": "remove", "name": b["name"]} for b in shown["blocks"] if b["name"] in going]
            ops += [{"op": "unlink", **link} for link in shown["links"]
                    if shut and link["from"] not in mine and link["to"] in mine.keys() - going]
            try:
                if ops:
                    self._call("engine.change", ops=ops, if_revision=shown["revision"])
                return
            except Refused as error:
                if error.kind != "conflict":
                    raise

    def _drain(self) -> None:
        """No more of the script's own comes; what its functions have by now comes through, each time one further."""
        def gives(pipe: Pipe) -> bool:
            return pipe.is_source if isinstance(pipe, inner.Inner) else isinstance(pipe, Source)
        self._take_out(lambda pipe: gives(pipe) and not pipe._pt_wire)
        wired = {self._names[p] for p in self.active_pipes if p._pt_wire}
        until = time.monotonic() + _FLUSH_S

        def counts() -> Dict[str, Tuple[int, int]]:
            return {b["name"]: (b["in"], b["in"] - b["held"]) for b in self.stats()["blocks"] if b["name"] in wired}
        for _ in wired:
            came = {name: taken for name, (taken, _) in counts().items()}
            while time.monotonic() < until and any(done < came.get(name, 0) for name, (_, done) in counts().items()):
                time.sleep(0.005)
        self._take_out(lambda pipe: not isinstance(pipe, QueueSink), shut=True)

    def _change(self, fresh: List[Pipe]) -> None:
        """What was added or linked since."""
        assert self._runner
        self._runner.in_turn = True  # for all that is known
        started: List[Pipe] = []
        try:
            self._bring(fresh, self._runner, started)
        except BaseException:
            self._give_up(fresh, started)
            raise
        self._pair()
        self._learn()
        self._begin(fresh)

    def _pair(self) -> None:
        """What a trigger carries goes by the links that the daemon has."""
        for p in self.active_pipes:
            if p._pt_wire:
                p._pt_wire.pair(p.trigger_sinks)

    def _learn(self) -> None:
        """Whether the daemon waits for functions."""
        runner = self._runner
        if runner and runner.wires:
            runner.in_turn = any(b.get("now", {}).get("in_turn") for b in self._call("engine.show")["blocks"])

    def _give_up(self, pipes: List[Pipe], started: List[Pipe]) -> None:
        for p in pipes:
            self.active_pipes.discard(p)
            self._names.pop(p, None)
        _stop(started)
        for p in pipes:
            p._pt_wire = None

    # ---- while it runs ----

    def _send_to(self, feeder: AutoSource, *messages: Any, high: bool) -> None:
        self._tell(feeder, "block.send", messages=list(map(to_json, messages)), canal="high" if high else "low", wait=True)

    def _send_early(self, feeder: AutoSource) -> None:
        early: List[Tuple[Any, bool, bool]] = []
        while not feeder.empty():
            early.append(feeder.recv())
        for high, some in itertools.groupby(early, lambda one: one[1]):
            messages = [one[0] for one in some]
            for at in range(0, len(messages), 100):
                self._send_to(feeder, *messages[at:at + 100], high=high)

    def _close(self, feeder: AutoSource) -> None:
        self._tell(feeder, "block.close")

    def _tell(self, pipe: Pipe, method: str, **params: Any) -> None:
        runner, call = self._runner, functools.partial(self._call, method, block=pipe._block, **params)
        if runner and is_running_functions():
            runner.do_later(pipe, call)
        else:
            call()

    def _fetch(self, sink: QueueSink, seconds: float) -> bool:
        try:
            answer = self._call("block.recv", block=sink._block, max=1000 if not seconds else 100, timeout_s=seconds)
        except Refused:
            return False
        for message in answer["messages"]:
            try:
                sink._pt_local.append(from_json(message))
            except LookupError as error:
                if not sink._pt_has_lost:
                    warnings.warn(f"'{sink.name}' has lost a message: {error}", stacklevel=level())
                sink._pt_has_lost = True
        if answer.get("dropped") and not sink._pt_has_dropped:
            sink._pt_has_dropped = True
            warnings.warn(f"'{sink.name}' is full, and drops messages (overflow={sink.overflow!r})", stacklevel=5)
        return bool(answer["messages"])

    # ---- stopping ----

    def _fetch_all(self) -> None:
        """Queues whose messages are objects of the script's: these are not kept for ever while they are on their way."""
        for p in self.active_pipes:
            if self._runner and isinstance(p, QueueSink) and not p._pt_wire:
                self._runner.do_later(p, p._pt_take_in)

    def _stop(self, wait: bool) -> None:
        try:
            if self.attach and wait:
                self._await_sources()
            if self.attach:
                self._drain()
            else:
                self._call("engine.stop", wait=wait)
            for p in self.active_pipes:
                if wait and isinstance(p, Giving):
                    p.is_exhausted = True
        except KeyboardInterrupt:
            print("Interrupted by user.")
            self._stop(False)
        except Refused:
            pass
        except (Closed, OSError):
            warnings.warn("the daemon has ended before the engine: what was on its way is lost", stacklevel=4)

    def _shown(self, pipe: Pipe) -> Dict[str, Any]:
        """What `ptctl show` tells of it."""
        return next(b for b in self._call("engine.show")["blocks"] if b["name"] == pipe._block)

    def _is_exhausted(self, source: Giving) -> bool:
        """To a function, which the daemon may be waiting for, not by now: it is asked behind it."""
        runner = self._runner
        if runner and is_running_functions():
            if runner.later.empty():
                runner.do_later(source, lambda: source.is_exhausted)
            return False
        return bool(self._shown(source)["state"] == "exhausted")

    def _await_sources(self) -> None:
        """The script's own; where it has none, until the engine runs no more."""
        mine = {self._names[p] for p in self.active_pipes if isinstance(p, Source)}
        pause_s = 0.005
        while self._flows(self._call("engine.show"), mine):  # events tell of it only each second
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.25)

    @staticmethod
    def _flows(shown: Dict[str, Any], sources: Set[str]) -> bool:
        states = {b["state"] for b in shown["blocks"] if b["name"] in sources}
        return shown["state"] != "stopped" and (not sources or not states <= {"exhausted", "failed"})

    def _finish(self) -> None:
        runner, self._runner = self._runner, None
        for p in self.active_pipes:
            with contextlib.suppress(Closed, OSError):
                if isinstance(p, QueueSink):
                    p._pt_fetch_all()
        assert runner
        self._undo(runner, [p for p in self.active_pipes if not isinstance(p, Existing)])
        _running.discard(self)
        if not _running:
            forget()

    def stop(self) -> None:
        """Stops; what is on its way comes through, for two seconds at most."""
        self._end(False)

    def wait_and_stop(self) -> None:
        """Waits until the sources are exhausted, and stops."""
        if self._runner:
            for source in self.active_pipes:
                if isinstance(source, AutoSource) and source.is_exhausted and not source._pt_is_closed \
                        and not isinstance(source, ThreadGenSource):
                    source._exhaust()
        self._end(True)

    def _end(self, wait: bool) -> None:
        runner = self._runner
        if not runner:
            return
        if is_running_functions():  # it ends when the function has returned
            threading.Thread(target=self._end, args=(wait,), name="pipetool stop").start()
            return
        try:
            runner.await_errands()
            self._stop(wait)
        except KeyboardInterrupt:
            print("Interrupted by user.")
        finally:
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
        return pictures.dot(self.active_pipes)

    def graph(self, **more: Any) -> Any:
        """Draws the graph with Graphviz: in a notebook in place, else as Scapy does (`target="> graph.svg"`)."""
        return pictures.draw(self.dot(), **more)

    def _repr_html_(self) -> str:
        if not self._runner:
            return "<p>a PipeEngine that does not run</p>"
        try:
            return pictures.table(self.stats()["blocks"])
        except (Closed, OSError, Refused) as error:
            return f"<p>a PipeEngine whose daemon has gone: {html.escape(str(error))}</p>"


def _take_in() -> None:
    for engine in tuple(_running):
        engine._fetch_all()


on_many(_take_in)


def _start(pipe: Pipe, started: List[Pipe]) -> None:
    started.append(pipe)
    if isinstance(pipe, Giving):
        pipe.is_exhausted = False
    pipe.start()


def _stop(pipes: List[Pipe]) -> None:
    for p in pipes:
        try:
            p.stop()
        except Exception:
            traceback.print_exc()


def stop_all() -> None:
    """At the script's end: what runs is stopped, before the daemon ends."""
    for engine in list(_running):
        engine.stop()


def _forget() -> None:
    """In a child that was forked: what runs is the parent's."""
    for engine in tuple(_running):
        engine._let_go()
    _running.clear()


os.register_at_fork(after_in_child=_forget)
