# SPDX-License-Identifier: BSD-2-Clause
"""A client of the control socket in one file, of the standard library alone."""
import array
import itertools
import json
import socket
import time


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, error):
        super().__init__(f"{error['message']} {error.get('data')}")
        self.code = error["code"]
        self.message = error["message"]
        self.data = error.get("data") or {}
        self.kind = self.data.get("kind")
        self.path = self.data.get("path")
        self.paths = [fault.get("path") for fault in self.data.get("errors", [self.data])]


class Closed(Exception):
    """The daemon has closed the connection."""


class Client:
    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.timeout = timeout
        self.buffer = b""
        self.ids = itertools.count(1)
        self.notifications = []

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- lines ----

    def write(self, data, fds=()):
        """Bytes as they are; descriptors, if any, go with the first."""
        if fds:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
            sent = self.socket.sendmsg([data], rights)
            data = data[sent:]
        self.socket.sendall(data)

    def line(self, timeout=None):
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
        return json.loads(line)

    # ---- requests ----

    def post(self, method, params=None, fds=(), **more):
        """Sends a request and does not wait; returns its id."""
        number = next(self.ids)
        request = {"jsonrpc": "2.0", "id": number, "method": method,
                   "params": {**(params or {}), **more}}
        if fds:
            request["fds"] = len(fds)
        self.write(json.dumps(request).encode() + b"\n", fds)
        return number

    def answer(self, number=None, timeout=None):
        """The next answer (which must be that of request `number`); notifications are kept."""
        while True:
            message = self.line(timeout)
            if "id" not in message:
                self.notifications.append(message)
                continue
            assert message["jsonrpc"] == "2.0", message
            assert ("result" in message) != ("error" in message), message
            if number is not None:
                assert message["id"] == number, message
            return message

    def call(self, method, params=None, timeout=None, fds=(), **more):
        message = self.answer(self.post(method, params, fds=fds, **more), timeout)
        if "error" in message:
            raise Refused(message["error"])
        return message["result"]

    def refused(self, method, params=None, **more):
        """The error of a request that must not succeed."""
        try:
            result = self.call(method, params, **more)
        except Refused as error:
            return error
        raise AssertionError(f"{method} {params} {more} was not refused: {result}")

    def notification(self, method=None, timeout=None):
        while True:
            for i, note in enumerate(self.notifications):
                if method in (None, note["method"]):
                    return self.notifications.pop(i)
            self.notifications.append(self.line(timeout))

    # ---- shorthand ----

    def change(self, engine, *ops, **more):
        return self.call("engine.change", engine=engine, ops=list(ops), **more)

    def send(self, engine, block, *messages, **more):
        return self.call("block.send", engine=engine, block=block, messages=list(messages), **more)

    def recv(self, engine, block, count, seconds=20):
        """`count` messages, or fewer if they do not come in time."""
        got = []
        until = time.monotonic() + seconds
        while len(got) < count:
            left = until - time.monotonic()
            more = self.call("block.recv", engine=engine, block=block, max=count - len(got),
                             timeout_s=max(0, left))["messages"]
            if not more:
                break
            got += more
        return got

    def texts(self, engine, block, count, seconds=20):
        return [m["message"] for m in self.recv(engine, block, count, seconds)]

    def stats(self, engine, block=None):
        stats = self.call("engine.stats", engine=engine)
        if block is None:
            return stats
        return next(b for b in stats["blocks"] if b["name"] == block)

    def show(self, engine, block=None):
        shown = self.call("engine.show", engine=engine)
        if block is None:
            return shown
        return next(b for b in shown["blocks"] if b["name"] == block)


def add(name, kind, **params):
    return {"op": "add", "name": name, "type": kind, "params": params}


def link(source, target, canal="low", op="link"):
    return {"op": op, "from": source, "to": target, "canal": canal}


def unlink(source, target, canal="low"):
    return link(source, target, canal, "unlink")
