# SPDX-License-Identifier: BSD-2-Clause
"""Graphs as things of Python: made, compared with an engine, brought there, and watched.

    from pipetool import Client, Graph

    graph = Graph()
    source, queue = graph.add("CLIFeeder", name="in"), graph.add("QueueSink")
    graph.link(source, queue)
    with Client() as client:
        for op in graph.plan(client, "gate"):
            print(op)                            # what would be done
        graph.apply(client, "gate", start=True)
"""
from __future__ import annotations

import base64
import copy
import difflib
import json
import os
import re
from typing import Any, Awaitable, Callable, Container, Coroutine, Dict, Iterable, Iterator, List, Optional, Type, TypeVar

from .asked import FOR_EVER_S, given
from .client import Client, Refused

_CODES = {"bad-parameter": -32602, "no-such-block": 2, "exists": 4, "bad-link": 5}
SIGNS = {"low": ">", "high": ">>", "trigger": "^"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_STEM = 48
_MOST_BYTES, _MOST_FDS = 4_000_000, 64  # of a call
_T = TypeVar("_T")
_G = TypeVar("_G", bound="Drawn")
Ask = Callable[..., Awaitable[Any]]  # as Client.call


def _refuse(kind: str, message: str, value: Any = None, hint: Optional[str] = None) -> Refused:
    data = {"kind": kind, "value": value, "hint": hint}
    return Refused({"code": _CODES[kind], "message": message, "data": {k: v for k, v in data.items() if v is not None}})


def numbered(stem: str, taken: Container[str], numbers: Dict[str, int], first: int = 1) -> str:
    """The stem with a number that makes it another; `numbers` are the next ones."""
    number = numbers.get(stem, first)
    while f"{stem}{number}" in taken:
        number += 1
    numbers[stem] = number + 1
    return f"{stem}{number}"


def name_of(type: str, taken: Container[str], numbers: Optional[Dict[str, int]] = None) -> str:
    """The name of a block that is given none, as in the pipe language.

    >>> name_of("RdpcapSource", ["rdpcap_source1"])
    'rdpcap_source2'
    """
    stem = re.sub(r"(?<=[^_])(?<![A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type).lower()[:_STEM]
    return numbered(stem, taken, {} if numbers is None else numbers)


def plain(value: Any, fds: List[int]) -> Any:
    """A parameter as it travels: bytes and paths as text, and what has a `fileno` as its place among the descriptors.

    >>> plain({"path": b"\\xff"}, [])
    {'path': {'base64': '/w=='}}
    """
    if isinstance(value, (bytes, bytearray)):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, dict):
        return {key: _handed(one, fds) if key == "fd" and hasattr(one, "fileno") else plain(one, fds)
                for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one, fds) for one in value]
    return {"fd": _handed(value, fds)} if hasattr(value, "fileno") else value


def _handed(file: Any, fds: List[int]) -> int:
    fd = file.fileno()
    if fd not in fds:
        fds.append(fd)
    return fds.index(fd)


def _portion(ops: List[Dict[str, Any]], fds: List[int]) -> Dict[str, Any]:
    return {"ops": ops, **({"fds": fds} if fds else {})}


class Drawn:
    """Blocks and links, in their order; what `Graph` and that of `pipetool.aio` have in common."""

    revision: Optional[int] = None    # of the engine that it was read from
    changed: List[Dict[str, Any]] = []  # of one that `watch` gives: the operations that led here

    outside: Container[str] = ()  # blocks that are there already, and may be linked

    def __init__(self, blocks: Iterable[Dict[str, Any]] = (), links: Iterable[Dict[str, Any]] = ()) -> None:
        self._blocks: Dict[str, Dict[str, Any]] = {}
        self._links: Dict[Any, None] = {}  # (from, to, canal)
        for block in blocks:
            self.add(block["type"], block["name"], **block.get("params") or {})
        for link in links:
            self.link(link["from"], link["to"], link.get("canal", "low"))

    @property
    def blocks(self) -> List[Dict[str, Any]]:
        """Copies of them, as engine.create takes them: [{"name", "type", "params"}].

        >>> graph = Graph()
        >>> graph.add("QueueSink", limit="1MiB")
        'queue_sink1'
        >>> graph.blocks
        [{'name': 'queue_sink1', 'type': 'QueueSink', 'params': {'limit': '1MiB'}}]
        """
        return [{**block, "params": dict(block["params"])} for block in self._blocks.values()]

    @property
    def links(self) -> List[Dict[str, str]]:
        """Copies of them, as engine.create takes them: [{"from", "to", "canal"}].

        >>> Graph([{"name": n, "type": "Drain"} for n in "ab"], [{"from": "a", "to": "b"}]).links
        [{'from': 'a', 'to': 'b', 'canal': 'low'}]
        """
        return [{"from": a, "to": b, "canal": canal} for a, b, canal in self._links]

    def _find(self, name: str) -> Dict[str, Any]:
        if name not in self._blocks:
            near = difflib.get_close_matches(name, self._blocks, 1)
            raise _refuse("no-such-block", f"no block '{name}' here", name, f"did you mean '{near[0]}'?" if near else None)
        return self._blocks[name]

    def _link_of(self, a: str, b: str, canal: str) -> Any:
        if canal not in SIGNS:
            raise _refuse("bad-parameter", "a canal is 'low', 'high' or 'trigger'", canal)
        for name in (a, b):
            if name not in self.outside:
                self._find(name)
        return a, b, canal

    def add(self, type: str, name: Optional[str] = None, **params: Any) -> str:
        """A block; its name, which is made where none is given, as in the pipe language.

        What has a `fileno`, as an open file or a socket, is handed over with the graph.

        >>> graph = Graph()
        >>> graph.add("TransformDrain", f="upper"), graph.add("QueueSink", name="q")
        ('transform_drain1', 'q')
        """
        name = name_of(type, self._blocks) if name is None else name
        if not _NAME.fullmatch(name):
            raise _refuse("bad-parameter", f"'{name}' is no name: a letter or '_', then letters, digits, '_', at most 64", name)
        if name in self._blocks:
            raise _refuse("exists", f"there is a block '{name}' already", name)
        self._blocks[name] = {"name": name, "type": type, "params": params}
        return name

    def remove(self, name: str) -> None:
        """Takes a block out, with its links.

        >>> graph = Graph([{"name": n, "type": "Drain"} for n in "ab"], [{"from": "a", "to": "b"}])
        >>> graph.remove("b")
        >>> graph.links
        []
        """
        del self._blocks[self._find(name)["name"]]
        self._links = {link: None for link in self._links if name not in link[:2]}

    def set(self, name: str, **params: Any) -> None:
        """Other parameters of a block; those that are not given stay.

        >>> graph = Graph([{"name": "q", "type": "QueueSink"}])
        >>> graph.set("q", limit="1MiB")
        """
        block = self._find(name)
        block["params"] = {**block["params"], **params}

    def link(self, a: str, b: str, canal: str = "low") -> None:
        """A link from a to b, behind those that leave a already; one that is there stays.

        >>> Graph([{"name": n, "type": "Drain"} for n in "ab"]).link("a", "b", "high")
        """
        self._links[self._link_of(a, b, canal)] = None

    def unlink(self, a: str, b: str, canal: str = "low") -> None:
        """Takes a link out.

        >>> graph = Graph([{"name": n, "type": "Drain"} for n in "ab"], [{"from": "a", "to": "b"}])
        >>> graph.unlink("a", "b")
        """
        link = self._link_of(a, b, canal)
        if link not in self._links:
            raise _refuse("bad-link", f"there is no link {a} {SIGNS[canal]} {b}")
        del self._links[link]

    def copy(self: _G) -> _G:
        """Another one, with the same blocks and links.

        >>> Graph([{"name": "q", "type": "QueueSink"}]).copy().blocks[0]["name"]
        'q'
        """
        other = copy.copy(self)
        other._blocks = {block["name"]: block for block in self.blocks}
        other._links = dict(self._links)
        return other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Drawn) and (self.blocks, self.links) == (other.blocks, other.links)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._blocks)} blocks and {len(self._links)} links>"

    # ---- as it travels ----

    def request(self) -> Dict[str, Any]:
        """What a call takes that makes it: blocks, links, and fds if there are any.

        >>> Graph([{"name": "q", "type": "QueueSink"}]).request()
        {'blocks': [{'name': 'q', 'type': 'QueueSink', 'params': {}}], 'links': []}
        """
        fds: List[int] = []
        blocks = [{**block, "params": plain(block["params"], fds)} for block in self._blocks.values()]
        return {"blocks": blocks, "links": self.links, **({"fds": fds} if fds else {})}

    def ops(self) -> Dict[str, Any]:
        """The same for engine.change: ops, and fds if there are any.

        >>> Graph([{"name": "q", "type": "QueueSink"}]).ops()
        {'ops': [{'op': 'add', 'name': 'q', 'type': 'QueueSink', 'params': {}}]}
        """
        request = self.request()
        ops = [{"op": "add", **block} for block in request.pop("blocks")]
        return {"ops": ops + [{"op": "link", **link} for link in request.pop("links")], **request}

    def portions(self) -> Iterator[Dict[str, Any]]:
        """The same in as many calls as it takes: of each the bytes and the descriptors are bounded.

        >>> graph = Graph([{"name": f"b{n}", "type": "Sink", "params": {"text": "x" * 1000000}} for n in range(9)])
        >>> [len(portion["ops"]) for portion in graph.portions()]
        [3, 3, 3]
        """
        ops: List[Dict[str, Any]] = []
        fds: List[int] = []
        size = 0
        for op in (*({"op": "add", **block} for block in self._blocks.values()), *({"op": "link", **link} for link in self.links)):
            mine: List[int] = []
            length = len(json.dumps(plain(op, mine)))
            if ops and (size + length > _MOST_BYTES or len({*fds, *mine}) > _MOST_FDS):
                yield _portion(ops, fds)
                ops, fds, size = [], [], 0
            ops.append(plain(op, fds))
            size += length
        yield _portion(ops, fds)

    # ---- what is asked, whoever asks ----

    async def _apply(self, ask: Ask, engine: str, start: bool, given: Dict[str, Any]) -> Dict[str, Any]:
        made = {key: given.pop(key) for key in ("ephemeral", "owned") if key in given}
        graph = {**self.request(), **given}
        while True:
            try:
                change: Dict[str, Any] = await ask("engine.apply", engine=engine, **graph)
                if start and not given.get("dry_run"):
                    await ask("engine.start", engine=engine)
                return change
            except Refused as error:
                if error.kind != "no-such-engine":
                    raise
            try:
                await ask("engine.create", engine=engine, start=start, **graph, **made)
                return {"revision": 1 if self._blocks else 0, "plan": self.ops()["ops"]}
            except Refused as error:
                if error.kind != "exists":  # else somebody was faster
                    raise

    @classmethod
    async def _of(cls: Type[_G], ask: Ask, engine: str) -> _G:
        shown = await ask("engine.show", engine=engine)
        graph = cls(shown["blocks"], shown["links"])
        graph.revision = shown["revision"]
        return graph

    @classmethod
    async def _next(cls: Type[_G], ask: Ask, note: Callable[[], Awaitable[Dict[str, Any]]], watch: Watch,
                    engine: str) -> Optional[_G]:
        """The one that comes next, by the notifications; None: the engine has gone."""
        try:
            while not watch.gone:
                if watch.take(await note()) and watch.is_next(graph := await cls._of(ask, engine)):
                    return graph
        except Refused as error:
            if error.kind != "no-such-engine":
                raise
        return None


class Watch:
    """What the events of an engine mean for who watches its graph: when to look, and what has led there.

    >>> watch = Watch(1)
    >>> watch.take({"method": "event", "params": {"name": "engine.changed", "revision": 2, "data": {"ops": []}}})
    True
    """

    def __init__(self, revision: Optional[int]) -> None:
        self.revision = revision or 0  # that is known
        self.told = float(self.revision)  # whose events have come
        self.ops: List[Dict[str, Any]] = []
        self.gone = False

    def take(self, note: Dict[str, Any]) -> bool:
        """Whether the graph may be another one."""
        event = note["params"] if note["method"] == "event" else {"name": note["method"], "revision": -1}
        revision, self.gone = event.get("revision", self.revision), event["name"] == "engine.destroyed"
        if event["name"] in ("gap", "engine.taken_back") and revision != self.revision:
            self._forget(float("inf") if revision < 0 else revision)
            return True
        if event["name"] != "engine.changed" or revision <= self.revision:
            return False
        self.ops, self.told = self.ops + event["data"].get("ops", []), revision
        return True

    def _forget(self, told: float) -> None:
        self.revision, self.told, self.ops = -1, told, []

    def is_next(self, graph: Drawn) -> bool:
        """Whether it is another one, and all events have come that led there."""
        revision = graph.revision or 0
        if revision == self.revision or self.told < revision:
            return False
        graph.changed, self.ops, self.revision = self.ops, [], revision
        return True


def _now(steps: Coroutine[Any, Any, _T]) -> _T:
    """What needs not wait for others, since each of its questions is answered before it goes on."""
    try:
        steps.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    raise RuntimeError("it waits")


def _asking(client: Client) -> Ask:
    async def ask(method: str, **params: Any) -> Any:
        return client.call(method, **params)
    return ask


class Graph(Drawn):
    """A graph that is made here, and brought to an engine as a whole: only what differs there is touched.

    >>> graph = Graph()
    >>> graph.link(graph.add("CLIFeeder"), graph.add("QueueSink"))
    >>> graph.apply(client, "gate", start=True)  # doctest: +SKIP
    """

    def plan(self, client: Client, engine: str) -> List[Dict[str, Any]]:
        """The operations that `apply` would carry out; nothing is touched.

        >>> [op["op"] for op in graph.plan(client, "gate")]  # doctest: +SKIP
        ['add', 'add', 'link']
        """
        plan: List[Dict[str, Any]] = self.apply(client, engine, dry_run=True)["plan"]
        return plan

    def apply(self, client: Client, engine: str, start: bool = False, if_revision: Optional[int] = None,
              dry_run: bool = False, confirm_s: Optional[float] = None, comment: Optional[str] = None,
              **more: Any) -> Dict[str, Any]:
        """Makes the engine's graph this one, and the engine where there is none: {"revision", "plan"}.

        `start` starts it, too; the others are as engine.apply and engine.create have them.

        >>> graph.apply(client, "gate", comment="deploy", if_revision=graph.revision)  # doctest: +SKIP
        """
        return _now(self._apply(_asking(client), engine, start, given(
            if_revision=if_revision, dry_run=dry_run, confirm_s=confirm_s, comment=comment, **more)))

    @classmethod
    def of(cls, client: Client, engine: str) -> Graph:
        """The graph that an engine has; `revision` tells which.

        >>> graph = Graph.of(client, "gate")  # doctest: +SKIP
        """
        return _now(cls._of(_asking(client), engine))

    @classmethod
    def watch(cls, client: Client, engine: str) -> Iterator[Graph]:
        """The graph that an engine has, and each that it gets, until it is destroyed.

        `changed` are the operations that led there. It has a connection of its own.

        >>> for graph in Graph.watch(client, "gate"):  # doctest: +SKIP
        ...     print(graph.revision, graph.changed)
        """
        with client.again() as told:
            told.call("events.subscribe", engine=engine)
            ask, graph = _asking(told), cls.of(told, engine)
            watch = Watch(graph.revision)

            async def note() -> Dict[str, Any]:
                return told.notification(timeout=FOR_EVER_S)
            yield graph
            while after := _now(cls._next(ask, note, watch, engine)):
                yield after
