# SPDX-License-Identifier: BSD-2-Clause
"""The client: requests, answers and notifications of the control socket (pipetool-protocol(7)).

    from pipetool import Client, Refused

    with Client() as pipetool:                       # or Client("/path/to.sock"), Client(host="user@far")
        pipetool.call("engine.create", engine="p", start=True,
                      blocks=[{"name": "s", "type": "CLIFeeder"}, {"name": "q", "type": "QueueSink"}],
                      links=[{"from": "s", "to": "q"}])
        pipetool.call("block.send", engine="p", block="s", message="hello")
        try:
            pipetool.call("engine.destroy", engine="r")
        except Refused as error:
            print(error.kind, error.message)         # no-such-engine …

The daemon carries out the requests of a connection one after another. Whoever wants to wait for
something and ask something else meanwhile makes a second Client; threads have one each.
"""
from __future__ import annotations

import array
import errno
import itertools
import json
import os
import socket
import subprocess
import time
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple, Type, TypeVar, Union

from . import asked
from .streams import Engine, Stream


class Refused(Exception):
    """What was asked was not done, and nothing of it. Programs test `kind`, people read `message`.

    One of kind "io" is an OSError as well, of the class that fits, with `errno` and `filename` where they are known:

    >>> gone = Refused({"code": 11, "message": "cannot open 'a'",
    ...                 "data": {"kind": "io", "errno": "ENOENT", "value": "a"}})
    >>> isinstance(gone, FileNotFoundError), gone.filename
    (True, 'a')
    """

    def __new__(cls, error: Dict[str, Any]) -> Refused:
        made = _class_of(cls, error.get("data") or {})
        return OSError.__new__(made) if issubclass(made, OSError) else Exception.__new__(made)

    def __init__(self, error: Dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.args = (error["message"],)  # those of an OSError are others
        self.error = error
        self.code, self.message = error["code"], error["message"]
        self.data = error.get("data") or {}
        self.kind = self.data.get("kind")    # "no-such-engine", "conflict", "bad-parameter", …
        self.path = self.data.get("path")    # where in the parameters: "$.ops[3].from"
        self.hint = self.data.get("hint")    # how to mend it
        self.paths = [fault.get("path") for fault in self.data.get("errors", [self.data])]
        if isinstance(self, OSError):
            value = self.data.get("value")
            self.errno = getattr(errno, self.data.get("errno", ""), None)
            self.strerror, self.filename = self.message, value if isinstance(value, str) else None

    def __str__(self) -> str:
        return ": ".join(filter(None, [self.kind, self.path, self.message, self.hint]))

    def __reduce__(self) -> Tuple[Any, ...]:
        return Refused, (self.error,)


_both: Dict[Tuple[Type[Refused], Type[OSError]], Type[Refused]] = {}


def _class_of(cls: Type[Refused], data: Dict[str, Any]) -> Type[Refused]:
    if data.get("kind") != "io" or issubclass(cls, OSError):
        return cls
    system = type(OSError(getattr(errno, data.get("errno", ""), 0), ""))
    if (cls, system) not in _both:
        _both[cls, system] = type(cls.__name__, (cls, system), {"__module__": cls.__module__, "__doc__": cls.__doc__})
    return _both[cls, system]


class Closed(Exception):
    """The connection has ended; args[0] is what had come of a line."""


def default_socket() -> str:
    """Where ptctl would look: $PIPETOOL_SOCKET, the system's daemon, the user's own."""
    system = "/run/pipetool/control.sock"
    if given := os.environ.get("PIPETOOL_SOCKET"):
        return given
    if os.access(system, os.R_OK | os.W_OK) or "XDG_RUNTIME_DIR" not in os.environ:
        return system
    return os.path.join(os.environ["XDG_RUNTIME_DIR"], "pipetool", "control.sock")


class Lines:
    """What the lines of a connection mean, whoever carries them: `Client`, or that of `pipetool.aio`.

    >>> lines = Lines()
    >>> lines.request("daemon.info", {})
    (1, b'{"jsonrpc": "2.0", "id": 1, "method": "daemon.info", "params": {}}\\n')
    >>> lines.feed(b'{"jsonrpc": "2.0", "id": 1, "result": {}}\\n')
    >>> Lines.result(lines.next())
    {}
    """

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self.unread = bytearray()
        self._searched = 0  # so many bytes of it have no end of a line

    def request(self, method: str, params: Dict[str, Any], fds: int = 0) -> Tuple[int, bytes]:
        """The number of a request, and its line; so many descriptors go along."""
        number = next(self._ids)
        request: Dict[str, Any] = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        if fds:
            request["fds"] = fds
        return number, json.dumps(request).encode() + b"\n"

    def feed(self, data: bytes) -> None:
        """Bytes that have come."""
        self.unread += data

    def next(self) -> Optional[Dict[str, Any]]:
        """The next answer or notification that is whole. What is behind it may be no line: a tap's pcapng."""
        end = self.unread.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self.unread)
            return None
        line = self.unread[:end]
        del self.unread[:end + 1]
        self._searched = 0
        message: Dict[str, Any] = json.loads(line)
        return message

    @staticmethod
    def is_answer(message: Dict[str, Any]) -> bool:
        """Whether it answers a request; else it is a notification."""
        return "id" in message

    @staticmethod
    def result(answer: Dict[str, Any]) -> Any:
        """What an answer says; raises Refused."""
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]


def through_ssh(host: str, path: Optional[str]) -> Tuple[socket.socket, subprocess.Popen[bytes]]:
    """`ptctl -H HOST proxy` has the far daemon's socket as its standard input and output."""
    ours, theirs = socket.socketpair()
    command = ["ptctl", *(["-s", path] if path else []), "-H", host, "proxy"]
    with theirs:
        return ours, subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno())


def rights(fds: Sequence[int]) -> List[Tuple[int, int, array.array[int]]]:
    """Descriptors, as sendmsg takes them."""
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]


_C = TypeVar("_C", bound="Client")


class Client:
    """A connection. `timeout` is how many seconds any answer may take."""

    def __init__(self, path: Union[str, os.PathLike[str], None] = None, host: Optional[str] = None,
                 timeout: float = 30) -> None:
        self.path, self.host, self.timeout = os.fspath(path) if path else None, host, timeout
        self.process: Optional[subprocess.Popen[bytes]] = None
        if host:
            self.socket, self.process = through_ssh(host, self.path)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            path = self.path or default_socket()
            try:
                self.socket.connect(path)
            except OSError as error:
                self.socket.close()
                if error.strerror is None:  # the path is too long, and was not tried
                    raise
                raise OSError(error.errno, f"no daemon answers there: {error.strerror}", path) from None
        self._lines = Lines()
        self._given_up: Set[int] = set()  # calls whose answer may still come
        self.notifications: List[Dict[str, Any]] = []  # that came while an answer was awaited: [{"method", "params"}]

    def again(self: _C) -> _C:
        """Another connection to the same daemon."""
        return type(self)(self.path, self.host, self.timeout)

    @property
    def buffer(self) -> bytes:
        """What has come and was not read yet: where the answer begins a stream, the first of it."""
        return bytes(self._lines.unread)

    def close(self) -> None:
        self.socket.close()
        if self.process:
            self.process.wait(self.timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- requests ----

    def call(self, method: str, params: Optional[Dict[str, Any]] = None, timeout: Optional[float] = None,
             fds: Sequence[int] = (), **more: Any) -> Any:
        """Asks, waits, and returns the result; raises Refused, Closed or TimeoutError.

        Parameters are keywords, or a dictionary. `fds` are descriptors that go along: parameters
        refer to the n-th as {"fd": n}.
        """
        number = self.post(method, params, fds=fds, **more)
        try:
            return Lines.result(self.answer(number, timeout))
        except (TimeoutError, KeyboardInterrupt):
            self._given_up.add(number)
            raise

    def post(self, method: str, params: Optional[Dict[str, Any]] = None, fds: Sequence[int] = (), **more: Any) -> int:
        """Asks and does not wait; returns the number that `answer` takes."""
        number, line = self._lines.request(method, {**(params or {}), **more}, len(fds))
        self.write(line, fds)
        return number

    def answer(self, number: Optional[int] = None, timeout: Optional[float] = None) -> Dict[str, Any]:
        """The next answer, with "result" or "error"; they come in the order of the requests."""
        while True:
            message = self.line(timeout)
            if not Lines.is_answer(message):
                self.notifications.append(message)
                continue
            if message["id"] in self._given_up:
                self._given_up.remove(message["id"])
                continue
            assert message["jsonrpc"] == "2.0", message
            assert ("result" in message) != ("error" in message), message
            assert number is None or message["id"] in (number, None), message  # None: it could not be read
            return message

    # ---- notifications: after block.attach, block.tap and events.subscribe ----

    def notification(self, method: Optional[str] = None, timeout: Optional[float] = None) -> Dict[str, Any]:
        """The next one (of that name): {"method", "params"}. Awaited for `timeout` seconds.

        One that is called "gap" says how many were dropped because nobody read them.
        """
        while True:
            for i, note in enumerate(self.notifications):
                if method in (None, note["method"]):
                    return self.notifications.pop(i)
            self.notifications.append(self.line(timeout))

    # ---- streams, each by a connection of its own ----

    def events(self, engine: Optional[str] = None, timeout: Optional[float] = None) -> Stream[Dict[str, Any]]:
        """What happens, to one engine or to any: {"name", "time", "engine", "data", …}, without end.

        Where it was read too slowly, {"name": "gap", "dropped": n} stands for what was left out. TimeoutError where
        nothing happened for `timeout` seconds.

        >>> for event in client.events():  # doctest: +SKIP
        ...     print(event["name"], event["engine"])
        """
        return Stream(self, asked.events(engine), timeout)

    def engine(self, name: str) -> Engine:
        """One engine.

        >>> gate = client.engine("gate")  # doctest: +SKIP
        """
        return Engine(self, name)

    # ---- lines ----

    def write(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Bytes as they are; descriptors, if any, go with the first."""
        if fds and self.process:
            raise ValueError("descriptors cannot be handed to another host")
        if fds:
            data = data[self.socket.sendmsg([data], rights(fds)):]
        self.socket.sendall(data)

    def line(self, timeout: Optional[float] = None) -> Dict[str, Any]:
        """The next line, parsed; Closed at the end of the stream, TimeoutError if none comes."""
        until = time.monotonic() + (self.timeout if timeout is None else timeout)
        while (message := self._lines.next()) is None:
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            except socket.timeout as late:  # up to Python 3.9 a class of its own
                raise TimeoutError("no line came in time") from late
            finally:
                self.socket.settimeout(self.timeout)
            if not data:
                raise Closed(bytes(self._lines.unread))
            self._lines.feed(data)
        return message
