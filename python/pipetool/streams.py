# SPDX-License-Identifier: BSD-2-Clause
"""What comes one after the other, and engines by their names: those that `Client` gives."""
from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, Deque, Generic, Iterator, List, Optional, Sequence, TypeVar

from . import asked
from .asked import FOR_EVER_S

if TYPE_CHECKING:
    from .client import Client

_T = TypeVar("_T")


class Stream(Generic[_T], Iterator[_T]):
    """What comes one after the other, by a connection of its own, which ends with it.

    It begins with the first step of `for`; who must miss nothing that follows begins it before, by `with`:

    >>> with client.events() as events:  # doctest: +SKIP
    ...     client.call("engine.start", engine="gate")
    ...     for event in events:
    ...         print(event["name"])
    """

    def __init__(self, client: Client, what: asked.Asked[_T], timeout: Optional[float]) -> None:
        self._of, self._what, self._timeout = client, what, FOR_EVER_S if timeout is None else timeout
        self._client: Optional[Client] = None
        self._items: Deque[_T] = collections.deque()
        self._is_over = False
        self.begun: Any = None

    @property
    def dropped(self) -> int:
        """How many were left out, since this was read too slowly.

        >>> packets.dropped  # doctest: +SKIP
        0
        """
        return self._what.dropped

    def _begin(self) -> Client:
        if self._client is None:
            self._client = self._of.again()
            try:
                self.begun = self._client.call(self._what.method, self._what.params)
            except BaseException:
                self.close()
                raise
        return self._client

    def __iter__(self) -> Stream[_T]:
        return self

    def __next__(self) -> _T:
        while not self._items:
            if self._is_over:
                self.close()
                raise StopIteration
            items, self._is_over = self._what.take(self._begin().notification(timeout=self._timeout))
            self._items.extend(items)
        return self._items.popleft()

    def close(self) -> None:
        """Ends it.

        >>> events.close()  # doctest: +SKIP
        """
        self._is_over = True
        if self._client:
            self._client.close()

    def __enter__(self) -> Stream[_T]:
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Engine:
    """An engine of a daemon's, by its name.

    >>> gate = client.engine("gate")  # doctest: +SKIP
    >>> gate.send("in", "hello")  # doctest: +SKIP
    """

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name

    def call(self, method: str, timeout: Optional[float] = None, fds: Sequence[int] = (), **params: Any) -> Any:
        """A method that takes `engine`.

        >>> gate.call("engine.stats")["unexplained"]  # doctest: +SKIP
        0
        """
        return self.client.call(method, {"engine": self.name, **params}, timeout, fds)

    def tap(self, block: str, filter: Optional[str] = None, canal: Optional[str] = None,
            timeout: Optional[float] = None) -> Stream[Any]:
        """What leaves a block, as messages of Python's, until the block goes. What is read too slowly is left out.

        TimeoutError where nothing came for `timeout` seconds.

        >>> for packet in gate.tap("anon", "udp port 53"):  # doctest: +SKIP
        ...     print(packet)
        """
        return Stream(self.client, asked.tap(self.name, block, filter, canal), timeout)

    def send(self, block: str, *messages: Any, canal: Optional[str] = None) -> None:
        """Sends from a feeder, all or none; returns when they have gone through, or wait in the feeder.

        >>> gate.send("in", "hello", b"\\xff")  # doctest: +SKIP
        """
        self.call("block.send", **asked.sending(block, messages, canal))

    def recv(self, block: str, max: int = 1, timeout_s: float = 0) -> List[Any]:
        """What a queue has, up to `max` messages; the first is awaited for so long.

        >>> gate.recv("q", timeout_s=5)  # doctest: +SKIP
        ['hello']
        """
        return asked.received(self.call("block.recv", self.client.timeout + timeout_s, block=block, max=max,
                                        timeout_s=timeout_s))
