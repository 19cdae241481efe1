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
import itertools
import json
import os
import socket
import subprocess
import time
from typing import Any, Dict, List, Optional, Sequence, Union


class Refused(Exception):
    """What was asked was not done, and nothing of it. Programs test `kind`, people read `message`."""

    def __init__(self, error: Dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code, self.message = error["code"], error["message"]
        self.data = error.get("data") or {}
        self.kind = self.data.get("kind")    # "no-such-engine", "conflict", "bad-parameter", …
        self.path = self.data.get("path")    # where in the parameters: "$.ops[3].from"
        self.hint = self.data.get("hint")    # how to mend it
        self.paths = [fault.get("path") for fault in self.data.get("errors", [self.data])]

    def __str__(self) -> str:
        return ": ".join(filter(None, [self.kind, self.path, self.message, self.hint]))


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


class Client:
    """A connection. `timeout` is how many seconds any answer may take."""

    def __init__(self, path: Union[str, os.PathLike[str], None] = None, host: Optional[str] = None,
                 timeout: float = 30) -> None:
        self.timeout = timeout
        self.process: Optional[subprocess.Popen[bytes]] = None
        if host:
            self.socket = self._through_ssh(host, os.fspath(path) if path else None)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            try:
                self.socket.connect(os.fspath(path or default_socket()))
            except BaseException:
                self.socket.close()
                raise
        self.buffer = b""
        self.ids = itertools.count(1)
        self.notifications: List[Dict[str, Any]] = []  # that came while an answer was awaited: [{"method", "params"}]

    def _through_ssh(self, host: str, path: Optional[str]) -> socket.socket:
        """`ptctl -H HOST proxy` has the far daemon's socket as its standard input and output."""
        ours, theirs = socket.socketpair()
        command = ["ptctl", *(["-s", path] if path else []), "-H", host, "proxy"]
        with theirs:
            self.process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno())
        return ours

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
        message = self.answer(self.post(method, params, fds=fds, **more), timeout)
        if "error" in message:
            raise Refused(message["error"])
        return message["result"]

    def post(self, method: str, params: Optional[Dict[str, Any]] = None, fds: Sequence[int] = (), **more: Any) -> int:
        """Asks and does not wait; returns the number that `answer` takes."""
        number = next(self.ids)
        request: Dict[str, Any] = {"jsonrpc": "2.0", "id": number, "method": method,
                   "params": {**(params or {}), **more}}
        if fds:
            request["fds"] = len(fds)
        self.write(json.dumps(request).encode() + b"\n", fds)
        return number

    def answer(self, number: Optional[int] = None, timeout: Optional[float] = None) -> Dict[str, Any]:
        """The next answer, with "result" or "error"; they come in the order of the requests."""
        while True:
            message = self.line(timeout)
            if "id" not in message:
                self.notifications.append(message)
                continue
            assert message["jsonrpc"] == "2.0", message
            assert ("result" in message) != ("error" in message), message
            assert number is None or message["id"] == number, message
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

    # ---- lines ----

    def write(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Bytes as they are; descriptors, if any, go with the first."""
        if fds and self.process:
            raise ValueError("descriptors cannot be handed to another host")
        if fds:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
            data = data[self.socket.sendmsg([data], rights):]
        self.socket.sendall(data)

    def line(self, timeout: Optional[float] = None) -> Dict[str, Any]:
        """The next line, parsed; Closed at the end of the stream, TimeoutError if none comes."""
        until = time.monotonic() + (self.timeout if timeout is None else timeout)
        while b"\n" not in self.buffer:
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            finally:
                self.socket.settimeout(self.timeout)
            if not data:
                raise Closed(self.buffer)
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        message: Dict[str, Any] = json.loads(line)
        return message
