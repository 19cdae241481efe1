# SPDX-License-Identifier: BSD-2-Clause
"""The client with asyncio: the same calls, with await, and streams of what happens.

    import asyncio
    from pipetool import aio

    async def main():
        async with aio.Client() as client:           # or aio.Client("/path/to.sock"), aio.Client(host="user@far")
            print(await client.call("engine.list"))
            engine = client.engine("gate")
            async for packet in engine.tap("anon"):  # until the block goes
                print(packet)

    asyncio.run(main())

Calls of several tasks may be under way at once; the daemon carries them out one after another. Each stream has a
connection of its own, and ends it when it is left.
"""
from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from typing import (Any, AsyncGenerator, AsyncIterator, Awaitable, Callable, Dict, Generic, List, Optional, Sequence, Set, TypeVar,
                    Union)

from . import asked
from .asked import given
from .client import Closed, Lines, Refused, default_socket, rights, through_ssh
from .graph import Drawn, Watch

__all__ = ["Client", "Closed", "Engine", "Graph", "Refused", "Stream"]
_T = TypeVar("_T")
_STREAM = 64  # notifications that wait here; what comes then waits at the daemon, or is left out and counted


class Client:
    """A connection, made when it is first needed. `timeout` is how many seconds any answer may take.

    >>> async with Client() as client:  # doctest: +SKIP
    ...     await client.call("engine.list")
    """

    def __init__(self, path: Union[str, os.PathLike[str], None] = None, host: Optional[str] = None,
                 timeout: float = 30) -> None:
        self.path, self.host, self.timeout = os.fspath(path) if path else None, host, timeout
        self.process: Optional[subprocess.Popen[bytes]] = None
        self._most = 0  # notifications that wait here; 0: any number
        self._connection: Optional[asyncio.Task[_Connection]] = None

    def again(self) -> Client:
        """Another connection to the same daemon.

        >>> other = client.again()  # doctest: +SKIP
        """
        return Client(self.path, self.host, self.timeout)

    async def connect(self) -> None:
        """What the first call does by itself; and anew, when the connection has ended.

        >>> await client.connect()  # doctest: +SKIP
        """
        if self._connection and self._connection.done() and self._connection.exception() is None \
                and self._connection.result().closed:
            await self.close()
        await self._connected()

    async def _connected(self) -> _Connection:
        connection = self._connection
        if connection is None or connection.done() and connection.exception():  # who could not connect may try again
            connection = self._connection = asyncio.ensure_future(self._connect())
        return await asyncio.shield(connection)

    async def _connect(self) -> _Connection:
        if self.host:
            ours, self.process = through_ssh(self.host, self.path)
            ours.setblocking(False)
        else:
            ours = socket.socket(socket.AF_UNIX)
            ours.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(ours, self.path or default_socket())
            except BaseException:
                ours.close()
                raise
        return _Connection(ours, self._most)

    async def close(self) -> None:
        """Ends the connection; what waits for an answer is told so by Closed.

        >>> await client.close()  # doctest: +SKIP
        """
        connecting, self._connection = self._connection, None
        if connecting:
            await asyncio.wait([connecting])
            if not connecting.cancelled() and not connecting.exception():
                await connecting.result().close()
        if self.process:
            process, self.process = self.process, None
            await asyncio.get_running_loop().run_in_executor(None, process.wait, self.timeout)

    async def __aenter__(self) -> Client:
        await _begin_or_close(self.connect(), self.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def call(self, method: str, params: Optional[Dict[str, Any]] = None, timeout: Optional[float] = None,
                   fds: Sequence[int] = (), **more: Any) -> Any:
        """Asks, waits, and returns the result; raises Refused, Closed or TimeoutError. As that of `pipetool.Client`.

        >>> await client.call("engine.show", engine="gate")  # doctest: +SKIP
        """
        if fds and self.host:
            raise ValueError("descriptors cannot be handed to another host")
        connection = await self._connected()
        answer = connection.ask(method, {**(params or {}), **more}, fds)
        seconds = self.timeout if timeout is None else timeout
        try:
            return Lines.result(await asyncio.wait_for(answer, seconds))
        except asyncio.TimeoutError:
            raise TimeoutError(f"no answer to {method} within {seconds:g} s") from None

    async def notification(self) -> Dict[str, Any]:
        """The next {"method", "params"}, behind block.attach, block.tap and events.subscribe.

        >>> await client.notification()  # doctest: +SKIP
        """
        return await (await self._connected()).notification()

    def events(self, engine: Optional[str] = None) -> Stream[Dict[str, Any]]:
        """What happens, to one engine or to any: {"name", "time", "engine", "data", …}, without end.

        Where it was read too slowly, {"name": "gap", "dropped": n} stands for what was left out.

        >>> async for event in client.events():  # doctest: +SKIP
        ...     print(event["name"], event["engine"])
        """
        return Stream(self, asked.events(engine))

    def engine(self, name: str) -> Engine:
        """One engine.

        >>> gate = client.engine("gate")  # doctest: +SKIP
        """
        return Engine(self, name)


async def _begin_or_close(beginning: Awaitable[None], close: Callable[[], Awaitable[None]]) -> None:
    try:
        await beginning
    except BaseException:
        await close()
        raise


class _Connection:
    """A socket, and the task that reads it."""

    def __init__(self, ours: socket.socket, most: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.socket = ours
        self.lines = Lines()
        self.answers: Dict[int, asyncio.Future[Dict[str, Any]]] = {}
        self.notes: asyncio.Queue[Optional[Dict[str, Any]]] = asyncio.Queue(most)
        self.writing = asyncio.Lock()
        self.tasks: Set[asyncio.Future[None]] = set()
        self.closed: Optional[Closed] = None
        self.reader = asyncio.ensure_future(self.read())

    async def read(self) -> None:
        try:
            while data := await self.loop.sock_recv(self.socket, 1 << 18):
                self.lines.feed(data)
                while (message := self.lines.next()) is not None:
                    if Lines.is_answer(message):
                        self.answered(message)
                    else:
                        await self.notes.put(message)
        except ConnectionResetError:
            pass
        finally:
            self.over(Closed(bytes(self.lines.unread)))

    def answered(self, message: Dict[str, Any]) -> None:
        number = next(iter(self.answers)) if message["id"] is None else message["id"]  # None: it could not be read
        answer = self.answers.pop(number)
        if not answer.done():  # else nobody waits any more
            answer.set_result(message)

    def over(self, why: Closed) -> None:
        """Whoever waits is told."""
        self.closed = why
        self.socket.close()
        for answer in self.answers.values():
            if not answer.done():
                answer.set_exception(why)
        if not self.notes.full():
            self.notes.put_nowait(None)

    def ask(self, method: str, params: Dict[str, Any], fds: Sequence[int]) -> asyncio.Future[Dict[str, Any]]:
        """The answer to come. What is to be written is begun with before this returns to the loop."""
        if self.closed:
            raise self.closed
        number, line = self.lines.request(method, params, len(fds))
        answer = self.answers[number] = self.loop.create_future()
        writing = asyncio.ensure_future(self.write(line, fds))
        self.tasks.add(writing)
        writing.add_done_callback(lambda done: self.written(done, answer))
        return answer

    def written(self, done: asyncio.Future[None], answer: asyncio.Future[Dict[str, Any]]) -> None:
        self.tasks.discard(done)
        why = None if done.cancelled() else done.exception()
        if why and not answer.done():
            answer.set_exception(why if not isinstance(why, OSError) else Closed(b""))

    async def write(self, line: bytes, fds: Sequence[int]) -> None:
        async with self.writing:
            while fds:
                try:
                    line = line[self.socket.sendmsg([line], rights(fds)):]
                    break
                except BlockingIOError:
                    await self.writable()
            await self.loop.sock_sendall(self.socket, line)

    async def writable(self) -> None:
        room: asyncio.Future[None] = self.loop.create_future()
        self.loop.add_writer(self.socket, room.cancel)
        try:
            await asyncio.wait([room])
        finally:
            self.loop.remove_writer(self.socket)

    async def notification(self) -> Dict[str, Any]:
        if self.closed and self.notes.empty():
            raise self.closed
        note = await self.notes.get()
        if note is None:
            self.notes.put_nowait(None)  # for whoever else waits
            raise self.closed or Closed(b"")
        return note

    async def close(self) -> None:
        self.reader.cancel()
        await asyncio.wait([self.reader])


class Stream(Generic[_T], AsyncIterator[_T]):
    """What comes one after the other, by a connection of its own.

    It begins with the first step of `async for`; who must miss nothing that follows begins it before, by `async with`:

    >>> async with client.events() as events:  # doctest: +SKIP
    ...     await client.call("engine.start", engine="gate")
    ...     async for event in events:
    ...         print(event["name"])
    """

    def __init__(self, client: Client, what: asked.Asked[_T]) -> None:
        self._begun = _Begun(client.again(), what)
        self._items = _items(self._begun)

    @property
    def begun(self) -> Any:
        """What the daemon has answered: of events, {"state"}; None before.

        >>> events.begun["state"]["engines"]  # doctest: +SKIP
        """
        return self._begun.answer

    @property
    def dropped(self) -> int:
        """How many were left out, since this was read too slowly.

        >>> packets.dropped  # doctest: +SKIP
        0
        """
        return self._begun.what.dropped

    def __aiter__(self) -> Stream[_T]:
        return self

    async def __anext__(self) -> _T:
        return await self._items.__anext__()

    async def aclose(self) -> None:
        """Ends it.

        >>> await events.aclose()  # doctest: +SKIP
        """
        await self._begun.client.close()
        with contextlib.suppress(RuntimeError):  # somebody waits in it, and is told now
            await self._items.aclose()

    async def __aenter__(self) -> Stream[_T]:
        await _begin_or_close(self._begun.begin(), self.aclose)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Begun(Generic[_T]):
    """What was asked, once."""

    def __init__(self, client: Client, what: asked.Asked[_T]) -> None:
        client._most = _STREAM
        self.client, self.what = client, what
        self.answer: Any = None

    async def begin(self) -> None:
        if self.answer is None:
            self.answer = await self.client.call(self.what.method, self.what.params)


async def _items(begun: _Begun[_T]) -> AsyncGenerator[_T, None]:
    """A generator, for asyncio closes those that nobody has any more."""
    try:
        await begun.begin()
        last = False
        while not last:
            items, last = begun.what.take(await begun.client.notification())
            for item in items:
                yield item
    finally:
        await begun.client.close()


class Engine:
    """An engine of a daemon's, by its name.

    >>> gate = client.engine("gate")  # doctest: +SKIP
    >>> await gate.send("in", "hello")  # doctest: +SKIP
    """

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name

    async def call(self, method: str, timeout: Optional[float] = None, fds: Sequence[int] = (), **params: Any) -> Any:
        """A method that takes `engine`.

        >>> await gate.call("engine.stats")  # doctest: +SKIP
        """
        return await self.client.call(method, {"engine": self.name, **params}, timeout, fds)

    def tap(self, block: str, filter: Optional[str] = None, canal: Optional[str] = None) -> Stream[Any]:
        """What leaves a block, as messages of Python's, until the block goes. What is read too slowly is left out.

        >>> async for packet in gate.tap("anon", "udp port 53"):  # doctest: +SKIP
        ...     print(packet)
        """
        return Stream(self.client, asked.tap(self.name, block, filter, canal))

    async def send(self, block: str, *messages: Any, canal: Optional[str] = None) -> None:
        """Sends from a feeder, all or none; returns when they have gone through, or wait in the feeder.

        >>> await gate.send("in", "hello", b"\\xff")  # doctest: +SKIP
        """
        await self.call("block.send", **asked.sending(block, messages, canal))

    async def recv(self, block: str, max: int = 1, timeout_s: float = 0) -> List[Any]:
        """What a queue has, up to `max` messages; the first is awaited for so long.

        >>> await gate.recv("q", timeout_s=5)  # doctest: +SKIP
        ['hello']
        """
        return asked.received(await self.call("block.recv", self.client.timeout + timeout_s, block=block, max=max,
                                              timeout_s=timeout_s))


class Graph(Drawn):
    """As `pipetool.Graph`; what asks the daemon is awaited.

    >>> graph = await Graph.of(client, "gate")  # doctest: +SKIP
    >>> graph.set("q", limit="1MiB")  # doctest: +SKIP
    >>> await graph.apply(client, "gate")  # doctest: +SKIP
    """

    async def plan(self, client: Client, engine: str) -> List[Dict[str, Any]]:
        """The operations that `apply` would carry out; nothing is touched.

        >>> await graph.plan(client, "gate")  # doctest: +SKIP
        """
        plan: List[Dict[str, Any]] = (await self.apply(client, engine, dry_run=True))["plan"]
        return plan

    async def apply(self, client: Client, engine: str, start: bool = False, if_revision: Optional[int] = None,
                    dry_run: bool = False, confirm_s: Optional[float] = None, comment: Optional[str] = None,
                    **more: Any) -> Dict[str, Any]:
        """Makes the engine's graph this one, and the engine where there is none: {"revision", "plan"}.

        >>> await graph.apply(client, "gate", start=True)  # doctest: +SKIP
        """
        return await self._apply(client.call, engine, start, given(
            if_revision=if_revision, dry_run=dry_run, confirm_s=confirm_s, comment=comment, **more))

    @classmethod
    async def of(cls, client: Client, engine: str) -> Graph:
        """The graph that an engine has; `revision` tells which.

        >>> graph = await Graph.of(client, "gate")  # doctest: +SKIP
        """
        return await cls._of(client.call, engine)

    @classmethod
    async def watch(cls, client: Client, engine: str) -> AsyncIterator[Graph]:
        """The graph that an engine has, and each that it gets, until it is destroyed; `changed` led there.

        >>> async for graph in Graph.watch(client, "gate"):  # doctest: +SKIP
        ...     print(graph.revision, graph.changed)
        """
        async with client.again() as told:
            await told.call("events.subscribe", engine=engine)
            graph = await cls._of(told.call, engine)
            watch, after = Watch(graph.revision), graph  # type: Watch, Optional[Graph]
            while after:
                yield after
                after = await cls._next(told.call, told.notification, watch, engine)
