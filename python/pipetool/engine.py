# SPDX-License-Identifier: BSD-2-Clause
"""Engines of a script: the graph runs in the daemon, and functions of Python's beside it, in one thread."""
from __future__ import annotations

import contextlib
import functools
import itertools
import os
import re
import subprocess
import sys
import threading
import traceback
import warnings
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from . import daemon
from .client import Client, Closed, Refused
from .message import from_json, to_json
from .pipes import AutoSource, CLIFeeder, Links, Pipe, QueueSink, Sink, Source
from .runner import Runner

_SIGNS = {"low": ">", "high": ">>", "trigger": "^"}
_numbers = itertools.count(1)
_running: Set[Any] = set()  # a running engine is never garbage


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
            self._disconnect()  # an answer may still come
            raise

    def _disconnect(self) -> None:
        client: Optional[Client] = getattr(self._local, "client", None)
        if client:
            client.close()
        self._local.client = None

    # ---- starting ----

    def _describe(self, pipe: Pipe, runner: Runner, fds: List[int]) -> Dict[str, Any]:
        spec = pipe.spec()
        if spec is None:
            pipe._wire = runner.add(pipe)
            fds.append(pipe._wire.theirs.fileno())
            return {"name": self._names[pipe], "type": "ProgramPipe",
                    "params": {"format": "frames", "fd": len(fds) - 1, "label": pipe.label()}}
        pipe._wire = None
        kind, given, more = spec
        if given:
            rows = self._type(kind)["params"]
            more = {**dict(zip((row["name"] for row in rows), given)), **more}
        return {"name": self._names[pipe], "type": kind, "params": more}

    def _type(self, kind: str) -> Dict[str, Any]:
        if kind not in self._types:
            self._types[kind] = self._client().call("type.show", type=kind)
        return self._types[kind]

    def _has(self, pipe: Pipe, canal: str, way: str) -> bool:
        """Whether something could pass there: else the link is left out."""
        spec = pipe.spec()
        if spec is None:
            return way == "exit" or hasattr(pipe, {"low": "push", "high": "high_push", "trigger": "on_trigger"}[canal])
        return spec[0] == "ProgramPipe" or f"{canal}_{way}" in self._type(spec[0])["ports"]

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
        links = [(p, q, canal) for p in pipes
                 for canal, sinks in (("low", p.sinks), ("high", p.high_sinks), ("trigger", p.trigger_sinks)) for q in sinks]
        idle = [(p, q, canal) for p, q, canal in links if not (self._has(p, canal, "exit") and self._has(q, canal, "entry"))]
        if idle:
            warnings.warn("nothing could pass here, so these links are left out: " + ", ".join(
                f"{p.name} {_SIGNS[canal]} {q.name}" for p, q, canal in idle), stacklevel=3)
        return [{"from": self._names[p], "to": self._names[q], "canal": canal}
                for p, q, canal in links if (p, q, canal) not in idle]

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
                self._owner = self._create(blocks=blocks, links=self._links(pipes), fds=fds)
                runner.hand_over()
                runner.begin()
                self._runner = runner
                self._begin(pipes)
            except BaseException:
                self._runner = None
                self._undo(runner, started)
                raise
            _running.add(self)

    def _create(self, **graph: Any) -> Client:
        """The connection with which the engine goes."""
        owner = daemon.connect(self.socket)
        try:
            owner.call("engine.create", engine=self._name, ephemeral=True, **graph)
        except BaseException:
            owner.close()
            raise
        return owner

    def _begin(self, pipes: List[Pipe]) -> None:
        for p in pipes:
            p._engine = self
            while isinstance(p, CLIFeeder) and p._early:
                self._call("block.send", block=p._block, message=p._early.popleft(), canal=p.canal)
        self._call("engine.start")
        for p in pipes:
            if isinstance(p, CLIFeeder) and p.is_exhausted:
                p.close()

    def _undo(self, runner: Runner, started: List[Pipe]) -> None:
        for p in self.active_pipes:
            p._engine = None
        runner.end()
        self._destroy()
        _stop(started)
        for p in self.active_pipes:
            if not isinstance(p, AutoSource):  # whose own thread may still send: that goes nowhere
                p._wire = None

    def _destroy(self) -> None:
        if self._owner:  # else it is somebody else's
            with contextlib.suppress(Refused, Closed, OSError):
                self._call("engine.destroy")
            self._owner.close()
            self._owner = None
        self._disconnect()
        self._local = threading.local()  # of no use to a later daemon

    def _change(self, fresh: List[Pipe]) -> None:
        """What was added or linked since."""
        assert self._runner
        fds: List[int] = []
        started: List[Pipe] = []
        self._name_all(fresh)
        try:
            blocks = [self._describe(p, self._runner, fds) for p in fresh]
            for p in fresh:
                if p._wire:
                    started.append(p)
                    p.start()
            ops = [{"op": "add", **block} for block in blocks]
            ops += [{"op": "link", **link} for link in self._links(list(self.active_pipes))]
            self._call("engine.change", ops=ops, fds=fds)
        except BaseException:
            self._runner.hand_over()
            self._give_up(fresh, started)
            raise
        self._runner.hand_over()
        for p in fresh:
            p._engine = self

    def _give_up(self, pipes: List[Pipe], started: List[Pipe]) -> None:
        for p in pipes:
            self.active_pipes.discard(p)
            del self._names[p]
        _stop(started)
        for p in pipes:
            p._wire = None

    # ---- while it runs ----

    def _send_to(self, feeder: CLIFeeder, msg: Any) -> None:
        self._tell(feeder, "block.send", message=to_json(msg), canal=feeder.canal)

    def _close(self, feeder: CLIFeeder) -> None:
        self._tell(feeder, "block.close")

    def _tell(self, feeder: CLIFeeder, method: str, **params: Any) -> None:
        runner, call = self._runner, functools.partial(self._call, method, block=feeder._block, **params)
        if runner and runner.is_current():
            runner.do_later(feeder, call)
        else:
            call()

    def _fetch(self, sink: QueueSink, seconds: float) -> bool:
        try:
            got = self._call("block.recv", block=sink._block, max=1000 if not seconds else 100, timeout_s=seconds)["messages"]
        except Refused:
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
        except Refused:
            pass
        except (Closed, OSError):
            warnings.warn("the daemon has ended before the engine: what was on its way is lost", stacklevel=4)

    def _finish(self) -> None:
        runner, self._runner = self._runner, None
        for p in self.active_pipes:
            with contextlib.suppress(Closed, OSError):
                while isinstance(p, QueueSink) and p._fetch(0):
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
        rows += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in (b["name"], b["in"], b["out"], b["held"],
                 sum(b["dropped"].values()), b["errors"])) + "</tr>" for b in self.stats()["blocks"]]
        return f"<table>{''.join(rows)}</table>"


class Picture:
    """A drawing that a notebook shows in place."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg


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


os.register_at_fork(after_in_child=_running.clear)  # they are the parent's
