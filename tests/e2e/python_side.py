# SPDX-License-Identifier: BSD-2-Clause
"""Graphs in the package `pipetool` behind a line protocol: one JSON request a line in, one answer a line out.

Of each block that can be, chance makes one that the daemon runs, or one that runs here. Run as a program by
sides.Package, with the socket of a daemon.
"""
import base64
import itertools
import json
import os
import pathlib
import random
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))

import pipetool  # noqa: E402
from graphs import FUNCTIONS, Filter  # noqa: E402

numbers = itertools.count()


class FilterHere(Filter, pipetool.Drain):
    """One that runs here."""


class QueueHere(pipetool.QueueSink):
    """Tells on which canal a message came."""

    def push(self, msg):
        self.q.put(["low", plain(msg)])

    def high_push(self, msg):
        self.q.put(["high", plain(msg)])


class QueueThere(pipetool.QueueSink):
    """The same, of the daemon's."""

    def _pt_fetch(self, seconds):
        if not self._pt_engine:
            return False
        got = self._pt_engine._call("block.recv", block=self._block, max=10000, timeout_s=seconds)["messages"]
        for one in got:
            msg = one["message"]
            self.q.put([one["canal"], plain(msg if isinstance(msg, str) else base64.b64decode(msg["base64"]))])
        return bool(got)


class RdpcapHere(pipetool.RdpcapSource):
    """What the daemon's reads goes by way of this one."""

    def deliver(self):
        super().deliver()


class Console(pipetool.ConsoleSink):
    """What Lua has made is bytes, and printed as such."""

    def push(self, msg):
        super().push(bytes.fromhex(plain(msg)).decode())

    def high_push(self, msg):
        super().high_push(bytes.fromhex(plain(msg)).decode())


def plain(msg):
    return (msg.encode() if isinstance(msg, str) else bytes(msg)).hex()


def here(kind):
    """A class that does nothing else, and defines it."""
    made = getattr(pipetool, kind)
    return type(kind, (made,), {"push": lambda self, msg: made.push(self, msg), "__module__": __name__})


def of_function(kind, other):
    native = getattr(pipetool, kind)
    return native, lambda f, **more: other(FUNCTIONS[f], **more)


KINDS = {kind: (getattr(pipetool, kind), here(kind)) for kind in (
    "Drain", "UpDrain", "DownDrain", "TriggeredValve", "TriggeredQueueingValve", "TriggeredSwitch", "TriggeredMessage")}
KINDS.update(FilterDrain=of_function("FilterDrain", FilterHere), QueueSink=(QueueThere, QueueHere),
             TransformDrain=of_function("TransformDrain", pipetool.TransformDrain),
             TriggerDrain=of_function("TriggerDrain", pipetool.TriggerDrain))
for one in ("CLIFeeder", "CLIHighFeeder", "AutoSource", "RawConsoleSink"):
    KINDS[one] = (getattr(pipetool, one),)
KINDS["RdpcapSource"] = (pipetool.RdpcapSource, RdpcapHere)
KINDS["ConsoleSink"] = (Console,)


class Graph:
    def __init__(self, daemon, text, seed):
        self.chance = random.Random(seed)
        self.made = []
        self.names = {kind: self.maker(choices) for kind, choices in KINDS.items()}
        self.names.update(true=True, false=False)
        self.engine = pipetool.PipeEngine(*self.run(text), socket=daemon, engine=f"p{os.getpid()}_{next(numbers)}")

    def maker(self, choices):
        def make(*given, **more):
            self.made.append(self.chance.choice(choices)(*given, **more))
            return self.made[-1]
        return make

    def run(self, text):
        before = len(self.made)
        exec(text, self.names)  # pylint: disable=exec-used
        return self.made[before:]

    def send(self, block, messages, canal):
        source = self.names[block]
        for message in messages:
            if isinstance(source, pipetool.CLIFeeder):
                source.send(message)
            else:
                (source._gen_high_data if canal == "high" else source._gen_data)(message)

    def grow(self, text):
        self.engine.add(*self.run(text))

    def finish(self, _):
        self.engine.wait_and_stop()


class Server:
    def __init__(self, daemon):
        self.daemon = daemon
        self.answers = os.fdopen(os.dup(1), "w", buffering=1)
        self.console = os.memfd_create("console")
        os.dup2(self.console, 1)
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)

    def play(self, text, steps, queues, seed):
        """All of a graph's life; what came to the queues, and what was printed."""
        os.ftruncate(self.console, 0)
        os.lseek(self.console, 0, os.SEEK_SET)
        graph = Graph(self.daemon, text, seed)
        graph.engine.start()
        for step, *rest in steps:
            getattr(graph, step)(*rest)
        graph.engine.stop()
        found = {name: list(graph.names[name]._pt_local) for name in queues}
        return {"queues": found, "printed": os.pread(self.console, os.fstat(self.console).st_size, 0).decode(),
                "here": sum(pipe._pt_spec() is None for pipe in graph.made)}

    def serve(self):
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = {"result": getattr(self, request.pop("do"))(**request)}
            except Exception:  # pylint: disable=broad-except
                answer = {"error": traceback.format_exc()}
            self.answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    Server(sys.argv[1]).serve()
