# SPDX-License-Identifier: BSD-2-Clause
"""Engines of a script: the graph runs in the daemon, and functions of Python's beside it, in one thread."""
from __future__ import annotations

import contextlib
import functools
import html
import itertools
import os
import re
import subprocess
import sys
import threading
import time
import traceback
import warnings
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from . import daemon, inner
from .asked import FOR_EVER_S
from .client import Client, Closed, Refused, default_socket
from .feeders import AutoSource, ThreadGenSource
from .files import Files, absolute
from .graph import SIGNS, Graph, name_of
from .message import from_json, to_json
from .pipes import Drain, Existing, Giving, InDaemon, Links, Pipe, QueueSink, Sink, Source
from .runner import Runner, is_running_functions

_Parts = Dict[Pipe, Tuple[str, Dict[str, Any]]]  # of each pipe, its type and parameters
_FLUSH_S = 2
_numbers = itertools.count(1)
_running: Set[Any] = set()  # a running engine is never garbage


class PipeEngine:
    """Runs the graph that the given sources lead to.

    `socket` and `engine` tell in which daemon, and as which engine; with `attach` it takes part in one that is there,
    whose blocks are `Existing("name")`. What the script has made goes with its connection.

    >>> s, q = CLIFeeder(), QueueSink()
    >>> s > TransformDrain(str.upper) > q
    >>> engine = PipeEngine(s)
    >>> engine.start(); s.send("hello"); q.recv(); engine.stop()
    """

    pipes = Pipe.registry

    def __init__(self, *pipes: Pipe, socket: Optional[str] = None, engine: Optional[str] = None,
                 attach: bool = False) -> None:
        if attach and not engine:
            raise ValueError("attach=True takes part in an engine that is there: engine= says in which")
        self.active_pipes: Links = Links()
        self.socket, self.engine, self.attach = socket or (default_socket() if attach else None), engine, attach
        self._there: Dict[str, str] = {}  # others' blocks, and their types
        self._made = False
        self._lock = threading.RLock()
        self._local = threading.local()
        self._runner: Optional[Runner] = None
        self._name = ""
        self._names: Dict[Pipe, str] = {}
        self._inners: Dict[Pipe, inner.Inner] = {}
        self._types: Dict[str, Dict[str, Any]] = {}
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
    def active_drains(self) -> Set[Pipe]:
        return {p for p in self.active_pipes if isinstance(p, Drain)}

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
        fresh = list(dict.fromkeys(q for p in pipes for q in self.get_pipe_list(p) if q not in self.active_pipes))
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
            client = self._local.client = daemon.connect(self.socket, timeout=FOR_EVER_S)
        return client

    def _call(self, method: str, **params: Any) -> Any:
        try:
            return self._client().call(method, engine=self._name, **params)
        except Refused:
            raise
        except (Closed, TimeoutError, KeyboardInterrupt, OSError):
            self._disconnect()  # an answer may still come
            raise

    def _disconnect(self) -> None:
        client: Optional[Client] = getattr(self._local, "client", None)
        if client:
            client.close()
        self._local.client = None

    # ---- starting ----

    def _describe(self, pipe: Pipe, runner: Runner, files: Files) -> Tuple[str, Dict[str, Any]]:
        spec = pipe.spec()
        if spec is None:
            pipe._wire = runner.add(pipe)
            return "ProgramPipe", {"format": "frames", "fd": pipe._wire.theirs, "label": pipe.label()}
        pipe._wire = None
        kind, given, more = spec
        rows = self._type(kind)["params"]
        if len(given) > len(rows):
            raise TypeError(f"{kind} takes {len(rows)} parameters, and {len(given)} were given")
        params = absolute(rows, {**dict(zip((row["name"] for row in rows), given)), **more})
        if self.socket:  # that daemon may have other rights; a trigger makes files beside the first
            params = files.hand_over(rows, params, ("fname",) if pipe.trigger_sources else ())
        return kind, params

    def _with_inner(self, pipes: List[Pipe]) -> List[Pipe]:
        """These pipes, and of those that leave something to one of the daemon's, that."""
        found: List[Pipe] = []
        for pipe in pipes:
            found.append(pipe)
            kind = inner.wanted(pipe)
            made = inner.make(pipe, kind, self._type(kind)["ports"]) if kind else None
            if isinstance(pipe, InDaemon):
                pipe._inner = made and self._inners.setdefault(pipe, made)
                found += [pipe._inner] if pipe._inner else []
        return found

    def _type(self, kind: str) -> Dict[str, Any]:
        if kind not in self._types:
            self._types[kind] = self._client().call("type.show", type=kind)
        return self._types[kind]

    def _has(self, pipe: Pipe, canal: str, way: str) -> bool:
        """Whether something could pass there: else the link is left out."""
        spec = (self._there.get(pipe.name, ""), (), {}) if isinstance(pipe, Existing) else pipe.spec()
        if spec is None:
            return way == "exit" or inner.takes(pipe, canal)
        return spec[0] in ("", "ProgramPipe") or f"{canal}_{way}" in self._type(spec[0])["ports"]

    def _name_all(self, pipes: List[Pipe]) -> None:
        taken = {*self._names.values(), *self._there}
        for pipe in pipes:
            name = pipe.given_name
            if isinstance(pipe, Existing):
                name = pipe.name
            elif name is None:
                name = name_of(pipe.kind if isinstance(pipe, inner.Inner) else type(pipe).__name__, taken)
            else:
                stem = re.sub(r"\W|^(?=\d|$)", "_", name, flags=re.ASCII)[:56]
                name = next(n for n in itertools.chain([stem], (f"{stem}{i}" for i in itertools.count(2))) if n not in taken)
            taken.add(name)
            self._names[pipe] = pipe._block = name

    def _graph(self, parts: _Parts) -> Graph:
        """These pipes, and the links of all."""
        graph, pipes = Graph(), list(self.active_pipes)
        inners = [made for p, made in self._inners.items() if p in self.active_pipes and made in self._names]
        graph.outside = {*self._there, *(self._names[p] for p in (*pipes, *inners) if p not in parts)}
        for pipe, (kind, params) in parts.items():
            graph.add(kind, self._names[pipe], **params)
        links = [(p, q, canal) for p in pipes
                 for canal, sinks in (("low", p.sinks), ("high", p.high_sinks), ("trigger", p.trigger_sinks)) for q in sinks]
        idle = [(p, q, canal) for p, q, canal in links if not (self._has(p, canal, "exit") and self._has(q, canal, "entry"))]
        if idle:
            warnings.warn("nothing could pass here, so these links are left out: " + ", ".join(
                f"{p.name} {SIGNS[canal]} {q.name}" for p, q, canal in idle), stacklevel=_level())
        for p, q, canal in (*links, *(link for made in inners for link in made.links())):
            if (p, q, canal) not in idle:
                graph.link(self._names[p], self._names[q], canal)
        return graph

    def start(self) -> None:
        """Runs the graph; what a `start` of a class of one's own raises comes out, and nothing runs."""
        with self._lock:
            if self._runner:
                return
            runner, pipes = Runner(), list(self.active_pipes)
            self._name = self.engine or f"script_{os.getpid()}_{next(_numbers)}"
            started: List[Pipe] = []
            daemon.hold(self.socket)
            try:
                self._owner = daemon.connect(self.socket, timeout=FOR_EVER_S)
                self._bring(pipes, runner, started)
                runner.begin()
                self._runner = runner
                if not self.attach or self._call("engine.show")["state"] == "stopped":
                    self._call("engine.start")
                self._begin(pipes)
            except BaseException:
                self._runner = None
                self._undo(runner, started)
                raise
            _running.add(self)

    def _bring(self, pipes: List[Pipe], runner: Runner, started: List[Pipe]) -> None:
        """Starts what runs here, and has the daemon make these pipes."""
        pipes = self._with_inner(pipes)
        with Files() as files:
            try:
                parts = {p: self._describe(p, runner, files) for p in pipes if not isinstance(p, Existing)}
                for p in parts:
                    started.append(p)
                    if isinstance(p, Giving):
                        p.is_exhausted = False
                    p.start()
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
        graph = self._graph(parts)
        if self._made:
            self._owner.call("engine.change", engine=self._name, **graph.ops())
        else:
            self._owner.call("engine.create", engine=self._name, owned=True, **graph.request())

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
                owner.call("engine.change", engine=self._name, owned=True, if_revision=shown["revision"],
                           **self._graph(parts).ops())
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
            source._is_closed = source in over
        for p in pipes:
            p._engine = self
        for source in sources:
            source._begin()
        for source in over:
            source._exhaust()

    def _undo(self, runner: Runner, started: List[Pipe]) -> None:
        for p in self.active_pipes:
            p._engine = None
        runner.end()
        self._destroy()
        _stop(started)
        for p in self.active_pipes:
            if not isinstance(p, ThreadGenSource):  # whose thread may still send: that goes nowhere
                p._wire = None
        daemon.release(self.socket)

    def _let_go(self) -> None:
        """In a child that was forked."""
        self._lock, self._local = threading.RLock(), threading.local()
        self._runner = self._owner = None
        self._made = False
        for p in self.active_pipes:
            p._engine = p._wire = None

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
        self._take_out(lambda pipe: (isinstance(pipe, Source) or getattr(pipe, "is_source", False)) and not pipe._wire)
        wired = {self._names[p] for p in self.active_pipes if p._wire}
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
        started: List[Pipe] = []
        try:
            self._bring(fresh, self._runner, started)
        except BaseException:
            self._give_up(fresh, started)
            raise
        self._begin(fresh)

    def _give_up(self, pipes: List[Pipe], started: List[Pipe]) -> None:
        for p in pipes:
            self.active_pipes.discard(p)
            self._names.pop(p, None)
        _stop(started)
        for p in pipes:
            p._wire = None

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

    def _tell(self, feeder: AutoSource, method: str, **params: Any) -> None:
        runner, call = self._runner, functools.partial(self._call, method, block=feeder._block, **params)
        if runner and is_running_functions():
            runner.do_later(feeder, call)
        else:
            call()

    def _fetch(self, sink: QueueSink, seconds: float) -> bool:
        try:
            answer = self._call("block.recv", block=sink._block, max=1000 if not seconds else 100, timeout_s=seconds)
        except Refused:
            return False
        sink._local.extend(map(from_json, answer["messages"]))
        if answer.get("dropped") and not sink._has_dropped:
            sink._has_dropped = True
            warnings.warn(f"'{sink.name}' is full, and drops messages (overflow={sink.overflow!r})", stacklevel=5)
        return bool(answer["messages"])

    # ---- stopping ----

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

    def _is_exhausted(self, source: Giving) -> bool:
        """To a function, which the daemon may be waiting for, not by now: it is asked behind it."""
        runner = self._runner
        if runner and is_running_functions():
            if runner.later.empty():
                runner.do_later(source, lambda: source.is_exhausted)
            return False
        return any(b["name"] == source._block and b["state"] == "exhausted" for b in self._call("engine.show")["blocks"])

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
                while isinstance(p, QueueSink) and p._fetch(0):
                    pass
        assert runner
        self._undo(runner, [p for p in self.active_pipes if not isinstance(p, Existing)])
        _running.discard(self)

    def stop(self) -> None:
        """Stops; what is on its way comes through, for two seconds at most."""
        self._end(False)

    def wait_and_stop(self) -> None:
        """Waits until the sources are exhausted, and stops."""
        if self._runner:
            for source in self.active_pipes:
                if isinstance(source, AutoSource) and source.is_exhausted and not source._is_closed \
                        and not isinstance(source, ThreadGenSource):
                    source._exhaust()
        self._end(True)

    def _end(self, wait: bool) -> None:
        runner = self._runner
        if not runner:
            return
        if runner.is_current():  # it ends when the function has returned
            threading.Thread(target=self._end, args=(wait,), name="pipetool stop").start()
            return
        try:
            runner.await_errands()
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
        try:
            blocks = self.stats()["blocks"]
        except (Closed, OSError, Refused) as error:
            return f"<p>a PipeEngine whose daemon has gone: {html.escape(str(error))}</p>"
        rows += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in (b["name"], b["in"], b["out"], b["held"],
                 sum(b["dropped"].values()), b["errors"])) + "</tr>" for b in blocks]
        return f"<table>{''.join(rows)}</table>"


class Picture:
    """A drawing that a notebook shows in place."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg


def _level() -> int:
    """Of the script, for a warning of the function that asks."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals["__name__"].startswith(__package__):
        frame, level = frame.f_back, level + 1
    return level


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
