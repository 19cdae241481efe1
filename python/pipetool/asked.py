# SPDX-License-Identifier: BSD-2-Clause
"""What clients ask for, and how what comes is read: the same for `Client` and for that of `pipetool.aio`."""
from __future__ import annotations

from typing import Any, Callable, Dict, Generic, Iterable, List, Optional, Tuple, TypeVar

from .message import from_json, to_json

FOR_EVER_S = 3e7  # what a socket's timeout can be
_T = TypeVar("_T")
Read = Callable[[str, Dict[str, Any]], Tuple[Iterable[_T], bool]]  # of a notification: what it brings, and whether it is the last


def given(**more: Any) -> Dict[str, Any]:
    """Parameters without those that were left out.

    >>> given(comment="why", if_revision=None)
    {'comment': 'why'}
    """
    return {key: value for key, value in more.items() if value is not None and value is not False}


class Asked(Generic[_T]):
    """What begins a stream: a method, its parameters, and the reader of the notifications that follow.

    >>> asked = events("gate")
    >>> asked.method, asked.params
    ('events.subscribe', {'engine': 'gate'})
    """

    def __init__(self, method: str, params: Dict[str, Any], read: Read[_T]) -> None:
        self.method, self.params, self.read = method, params, read
        self.dropped = 0

    def take(self, note: Dict[str, Any]) -> Tuple[Iterable[_T], bool]:
        """What a notification brings, and whether it is the last.

        >>> events().take({"method": "event", "params": {"name": "engine.started"}})
        ([{'name': 'engine.started'}], False)
        """
        method, params = note["method"], note["params"]
        self.dropped += params.get("dropped", 0) if method in ("gap", "block.packets") else 0
        return self.read(method, params)


def events(engine: Optional[str] = None) -> Asked[Dict[str, Any]]:
    """What happens, to one engine or to any."""
    def read(method: str, params: Dict[str, Any]) -> Tuple[List[Dict[str, Any]], bool]:
        return [params if method == "event" else {"name": method, **params}], False
    return Asked("events.subscribe", given(engine=engine), read)


def tap(engine: str, block: str, filter: Optional[str], canal: Optional[str]) -> Asked[Any]:
    """What leaves a block, as messages of Python's, until the block goes."""
    def read(method: str, params: Dict[str, Any]) -> Tuple[Iterable[Any], bool]:
        return map(from_json, params.get("messages", [])), bool(params.get("ended"))
    return Asked("block.tap", given(engine=engine, block=block, filter=filter, canal=canal), read)


def sending(block: str, messages: Iterable[Any], canal: Optional[str]) -> Dict[str, Any]:
    """The parameters of block.send.

    >>> sending("in", ["hello"], None)
    {'block': 'in', 'messages': [{'message': 'hello', 'text': True}]}
    """
    return {"block": block, "messages": [to_json(m) for m in messages], **given(canal=canal)}


def received(got: Dict[str, Any]) -> List[Any]:
    """The messages of what block.recv answers.

    >>> received({"messages": [{"message": "hello", "text": True}]})
    ['hello']
    """
    return [from_json(message) for message in got["messages"]]
