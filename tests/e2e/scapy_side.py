# SPDX-License-Identifier: BSD-2-Clause
"""Scapy's PipeTools behind a line protocol: one JSON request a line in, one answer a line out.

The graphs come in the pipe language, which is nearly Python: they are run as they stand, with
Scapy's own classes and Scapy's own PipeEngine. Run as a program by sides.Scapy.
"""
import contextlib
import json
import logging
import os
import queue
import socket
import sys
import threading

import scapy.arch
import scapy.layers.inet
from scapy import pipetool, scapypipes
from scapy.automaton import ObjectPipe
from scapy.config import conf
from scapy.packet import Packet

from graphs import FUNCTIONS, Filter

DEADLINE = 30


class FilterDrain(Filter, pipetool.Drain):
    """Scapy has none."""


class FreshValve(scapypipes.TriggeredValve):
    """As Scapy's, but each start of the engine finds it as it was made."""

    def __init__(self, start_state=True, name=None):
        super().__init__(start_state, name)
        self.start_state = start_state

    def start(self):
        self.opened = self.start_state


class FreshSwitch(scapypipes.TriggeredSwitch):
    """The same of a switch."""

    def __init__(self, start_state=True, name=None):
        super().__init__(start_state, name)
        self.start_state = start_state

    def start(self):
        self.low = self.start_state


class StraightQueueingValve(scapypipes.TriggeredQueueingValve):
    """As Scapy's, but what was pushed on the high canal stays there while the valve is open."""

    def high_push(self, msg):
        if self.opened:
            self._high_send(msg)
        else:
            self.q.put((False, msg))


class TextSource(scapypipes.RdpcapSource):
    """As Scapy's; its packets are text, as what a feeder sends."""

    def _send(self, msg):
        super()._send(bytes(msg).decode())


class CanalSink(pipetool.QueueSink):
    """As Scapy's, and tells on which canal a message came."""

    def push(self, msg):
        self.q.put(("low", msg))

    def high_push(self, msg):
        self.q.put(("high", msg))


class Descriptor:
    """What FDSourceSink wants: an object that reads and writes what there is."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.fileno, self.close = self.socket.fileno, self.socket.close

    def read(self):
        return self.socket.recv(65536)

    def write(self, data):
        self.socket.sendall(data)


class Links(dict):
    """Scapy keeps links in sets, whose order is random; in this one it is that of their making."""

    add = dict.setdefault


class Graph:
    """One engine and its blocks."""

    def __init__(self, text, paths, pinned, compared):
        self.pinned, self.compared, self.made = pinned, compared, []
        self.delivered = threading.Semaphore(0)
        self.running, self.ending, self.waiting = False, None, []
        self.names = {name: getattr(module, name) for module in (pipetool, scapypipes)
                      for name in dir(module)}
        self.names.update(
            true=True, false=False, FilterDrain=lambda f: FilterDrain(FUNCTIONS[f]),
            TransformDrain=lambda f: pipetool.TransformDrain(FUNCTIONS[f]),
            TriggerDrain=lambda f: scapypipes.TriggerDrain(FUNCTIONS[f]),
            FDSourceSink=lambda fd: scapypipes.FDSourceSink(Descriptor(paths[fd["fd"]])))
        if compared:
            self.names.update(TriggeredQueueingValve=StraightQueueingValve, QueueSink=CanalSink,
                              RdpcapSource=TextSource, TriggeredValve=FreshValve,
                              TriggeredSwitch=FreshSwitch)
        self.engine = pipetool.PipeEngine(*self.run(text))

    def run(self, text):
        """Runs a text; returns the blocks that it has made."""
        before = len(self.made)
        original = pipetool.Pipe.__init__

        def init(block, name=None):
            original(block, name)
            if block not in self.made:
                self.made.append(block)
            if self.pinned:
                for links in ("sources", "sinks"):
                    for canal in ("", "high_", "trigger_"):
                        setattr(block, canal + links, Links())
        pipetool.Pipe.__init__ = init
        try:
            exec(text, self.names)  # pylint: disable=exec-used
        finally:
            pipetool.Pipe.__init__ = original
        fresh = self.made[before:]
        for block in fresh:
            if isinstance(block, pipetool.AutoSource):
                self.announce(block)
        return fresh

    def announce(self, source):
        """Tells when a message of this source has gone all the way."""
        deliver = source.deliver

        def announced():
            try:
                deliver()
            finally:
                source.delivered.release()
        source.deliver = announced
        source.delivered = threading.Semaphore(0)

    def start(self):
        """Starts, and waits until the engine's thread reads its sources."""
        probe = pipetool.CLIFeeder()
        self.announce(probe)
        probe.send("")
        probe.is_exhausted = True
        self.engine.add(probe)
        self.made.append(probe)
        self.engine.start()
        self.running = True
        waiting, self.waiting = [*self.waiting, probe], []
        return all(self.wait(source) for source in waiting) and self.engine.thread.is_alive()

    def wait(self, source):
        """Until a message of it was delivered, or until the engine's thread has ended."""
        for _ in range(DEADLINE * 20):
            if source.delivered.acquire(timeout=0.05):
                return True
            if not self.engine.thread.is_alive():
                return False
        raise TimeoutError("Scapy's engine does not deliver")

    def send(self, block, messages, canal="low", wait=True):
        source = self.names[block]
        for message in map(decoded, messages):
            if canal == "high" and not isinstance(source, pipetool.CLIHighFeeder):
                source._gen_high_data(message)
            elif isinstance(source, pipetool.CLIFeeder):
                source.send(message)
            else:
                source._gen_data(message)
            if self.running and wait:
                self.wait(source)
            elif self.compared:
                self.waiting.append(source)

    def grow(self, text):
        self.engine.add(*self.run(text))

    def cut(self, source, target, canal):
        """What Scapy has no operator for."""
        canal = {"low": "", "high": "high_", "trigger": "trigger_"}[canal]
        source, target = self.names[source], self.names[target]
        del getattr(source, canal + "sinks")[target]
        del getattr(target, canal + "sources")[source]

    def trigger(self, block):
        self.names[block].on_trigger(None)

    def set(self, block, param, value):
        block = self.names[block]
        setattr(block, param, FUNCTIONS[value] if param == "f" else decoded(value))

    def restart(self):
        self.stop()
        self.start()

    def only_link(self, text):
        """As who forgets add()."""
        self.run(text)

    def take(self, block, count, timeout):
        sink, found = self.names[block], []
        while len(found) < count:
            message = sink.recv(timeout=timeout) if timeout else sink.recv(block=False)
            if message is None:
                break
            found.append(plain(message))
        return found

    def finish(self, timeout):
        if not self.ending:
            self.ending = threading.Thread(target=self.engine.wait_and_stop, daemon=True)
            self.ending.start()
        self.ending.join(timeout)
        self.running = self.ending.is_alive()
        return not self.running

    def stop(self):
        if self.ending and self.ending.is_alive():  # it holds the lock that stop() wants
            self.engine._write_cmd("X")
            self.ending.join()
        else:
            self.engine.stop()
        self.running = False

    def end(self):
        if self.engine.thread and self.engine.thread.is_alive():
            self.stop()
        for block in [*self.made, self.engine]:
            if isinstance(block, ObjectPipe):
                ObjectPipe.close(block)
            for descriptor in (getattr(block, "s", None), getattr(block, "fd", None)):
                with contextlib.suppress(Exception):
                    descriptor.close()


def decoded(message):
    """A message as it stands in a request."""
    return bytes.fromhex(message["hex"]) if isinstance(message, dict) else message


def plain(message):
    """The bytes of a message, in hex."""
    if isinstance(message, tuple):  # a peer
        message = f"{message[0]}:{message[1]}"
    if isinstance(message, str):
        message = message.encode()
    return bytes(message).hex()


class Errors(logging.Handler):
    """What Scapy logs instead of raising it."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.lines = queue.SimpleQueue()

    def emit(self, record):
        self.lines.put(record.getMessage())

    def all(self):
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self.lines.get_nowait())
        return found


class Server:
    def __init__(self):
        self.answers = os.fdopen(os.dup(1), "w", buffering=1)
        self.console = os.memfd_create("console")
        os.dup2(self.console, 1)
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        self.graph = None
        self.errors = Errors()
        for name in ("scapy", "scapy.runtime", "scapy.loading"):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [self.errors], False

    def make(self, text, paths=(), pinned=False, compared=False, start=True, wireshark=None):
        if wireshark:
            conf.prog.wireshark = wireshark
        os.ftruncate(self.console, 0)
        os.lseek(self.console, 0, os.SEEK_SET)
        self.errors.all()
        self.graph = Graph(text, paths, pinned, compared)
        return self.graph.start() if start else None

    def start(self):
        return self.graph.start()

    def printed(self):
        sys.stdout.flush()
        return os.pread(self.console, os.fstat(self.console).st_size, 0).decode()

    def failure(self):
        """What it logged; waits for it."""
        return self.errors.lines.get(timeout=DEADLINE)

    def value(self, expression):
        """For what only Scapy has. `p` is the engine."""
        return eval(expression, self.graph.names, {"p": self.graph.engine})  # pylint: disable=eval-used

    @staticmethod
    def classes():
        return [name for name, kind in pipetool.PipeEngine.pipes.items()
                if kind.__module__.startswith("scapy.")]

    def script(self, text):
        """Any code of a user of Scapy's; what it printed. An engine `p` is stopped."""
        os.ftruncate(self.console, 0)
        os.lseek(self.console, 0, os.SEEK_SET)
        names = {}
        exec("from scapy.all import *\n" + text, names)  # pylint: disable=exec-used
        if "p" in names:
            names["p"].stop()
        return self.printed()

    def play(self, text, steps, queues, pinned, start=True):
        """All of a graph's life in one request."""
        self.make(text, pinned=pinned, compared=True, start=start)
        for step, *rest in steps:
            getattr(self.graph, step)(*rest)
        self.graph.stop()
        found = {name: [(canal, plain(message)) for canal, message in
                        self.graph.names[name].q.queue] for name in queues}
        self.graph.end()
        return {"queues": found, "printed": self.printed(), "errors": self.errors.all()}

    def serve(self):
        for line in sys.stdin:
            request = json.loads(line)
            name = request.pop("do")
            try:
                what = getattr(self, name, None) or getattr(self.graph, name)
                answer = {"result": what(**request)}
            except Exception as error:  # pylint: disable=broad-except
                answer = {"error": f"{type(error).__name__}: {error}"}
            self.answers.write(json.dumps(answer) + "\n")
        os._exit(0)  # threads of Scapy's may not want to end


if __name__ == "__main__":
    Server().serve()
