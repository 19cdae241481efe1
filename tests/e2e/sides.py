# SPDX-License-Identifier: BSD-2-Clause
"""The same graph on two sides: Scapy's PipeEngine, and a pipetoold."""
import base64
import contextlib
import itertools
import json
import pathlib
import socket
import subprocess

from client import Client, Refused

MARK = "=== that was all ===\n"


class Failed(Exception):
    """A side refuses."""


class Scapy:
    """A process of Scapy, for any number of graphs, one after the other."""

    name = "Scapy"

    def __init__(self, prefix=(), script="scapy_side.py", args=()):
        script = pathlib.Path(__file__).parent / script
        self.process = subprocess.Popen([*prefix, "/usr/bin/python3", script, *args], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"Scapy's process has ended: {self.process.wait()}"
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["result"]

    def make(self, text, **more):
        return self.ask(do="make", text=text, **more)

    def start(self):
        return self.ask(do="start")

    def send(self, block, *messages, canal="low", **more):
        self.ask(do="send", block=block, messages=messages, canal=canal, **more)

    def grow(self, text):
        self.ask(do="grow", text=text)

    def close(self, block):
        self.ask(do="value", expression=f"{block}.close()")

    def trigger(self, block):
        self.ask(do="value", expression=f"{block}.on_trigger(None)")

    def take(self, block, count, seconds=20):
        """`count` messages as bytes, or fewer if they do not come in time."""
        return [bytes.fromhex(m)
                for m in self.ask(do="take", block=block, count=count, timeout=seconds)]

    def printed(self):
        return self.ask(do="printed")

    def finish(self, seconds=20):
        """A clean stop; whether it ends."""
        return self.ask(do="finish", timeout=seconds)

    def stop(self):
        self.ask(do="stop")

    def end(self):
        self.ask(do="end")

    def shut(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)


class Package(Scapy):
    """A process that has the package `pipetool`, its engines in a daemon that is there."""

    name = "package"

    def __init__(self, daemon):
        super().__init__(script="python_side.py", args=[daemon.socket])


class Ours:
    """A pipetoold, spoken to by ptctl and by a connection."""

    name = "pipetool"
    numbers = itertools.count()

    def __init__(self, daemon):
        self.daemon = daemon
        self.rpc = daemon.client()
        self.engine = self.attached = None

    def make(self, text, paths=(), start=True, pinned=None, wireshark=None):
        self.engine = f"e{next(self.numbers)}"
        with contextlib.ExitStack() as stack:
            fds = []
            for path in paths:
                end = stack.enter_context(socket.socket(socket.AF_UNIX))
                end.connect(path)
                fds.append(end.fileno())
            result = self.daemon.ptctl(*itertools.chain(*(("--fd", fd) for fd in fds)), "create",
                                       self.engine, *(["-f", "-"] if text.strip() else []), input=text,
                                       pass_fds=fds)
        if result.code:
            raise Failed(result.err)
        self.attached = None
        if "Console" in text:
            self.attached = Client(self.daemon.socket)
            self.attached.call("block.attach", engine=self.engine)
        return self.start() if start else None

    def start(self):
        try:
            self.rpc.call("engine.start", engine=self.engine)
        except Refused as error:
            raise Failed(error.message) from None
        return True

    def send(self, block, *messages, canal="low"):
        more = {} if canal == "low" else {"canal": canal}
        self.rpc.send(self.engine, block, *messages, **more)

    def grow(self, text):
        result = self.daemon.ptctl("add", self.engine, text)
        if result.code:
            raise Failed(result.err)

    def cut(self, source, target, canal):
        self.change({"op": "unlink", "from": source, "to": target, "canal": canal})

    def set(self, block, param, value):
        self.change({"op": "set", "name": block, "params": {param: value}})

    def change(self, *ops):
        self.rpc.call("engine.change", engine=self.engine, ops=ops)

    def restart(self):
        self.stop()
        self.start()

    def exhausted(self, block):
        return self.rpc.show(self.engine, block)["state"] == "exhausted"

    def close(self, block):
        self.rpc.call("block.close", engine=self.engine, block=block)

    def trigger(self, block):
        self.rpc.call("block.trigger", engine=self.engine, block=block)

    def take(self, block, count, seconds=20):
        return [content(m["message"])
                for m in self.rpc.recv(self.engine, block, count, seconds)]

    def everything(self, block):
        """What the queue holds now, with canals."""
        return [[m["canal"], content(m["message"]).hex()] for m in self.rpc.call(
            "block.recv", engine=self.engine, block=block, max=100_000)["messages"]]

    def printed(self):
        """All that was printed: a last line that the test knows comes behind it."""
        self.grow("mark = CLIFeeder(); mark > RawConsoleSink(newlines=False, name='marked')")
        self.rpc.send(self.engine, "mark", MARK)
        text = ""
        while not text.endswith(MARK):
            text += self.attached.notification("block.output")["params"]["text"]
        return text[:-len(MARK)]

    def finish(self, seconds=20):
        try:
            self.rpc.call("engine.stop", engine=self.engine, wait=True, timeout_s=seconds,
                          timeout=seconds + 10)
        except Refused as error:
            assert error.kind == "timeout", error
            return False
        return True

    def stop(self):
        self.rpc.call("engine.stop", engine=self.engine)

    def end(self):
        """The ledger must balance at the end of every case."""
        try:
            assert self.rpc.stats(self.engine)["unexplained"] == 0
        finally:
            self.rpc.call("engine.destroy", engine=self.engine)
            if self.attached:
                self.attached.close()

    def shut(self):
        pass


def content(message):
    """The bytes of a message in JSON."""
    if isinstance(message, str):
        return message.encode()
    return base64.b64decode(message["base64"])
