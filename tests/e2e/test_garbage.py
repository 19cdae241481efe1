# SPDX-License-Identifier: BSD-2-Clause
"""A night of garbage: whatever comes in, each line has a clear answer, and nothing stays of it."""
import concurrent.futures
import json
import os
import socket

import pytest

from chance import Held, chance, explained, rounds
from client import Client, Closed, Refused
from conftest import eventually

KEPT = {
    "kept_low": """s = CLIFeeder(); d = Drain(); t = TransformDrain("reverse"); q = QueueSink()
        v = TriggeredQueueingValve(False); s > d > t > v > q""",
    "kept_high": """a = AutoSource(); f = FilterDrain("function(m) return #m > 2 end")
        o = QueueSink(limit="1MiB", overflow="drop-newest"); a >> f >> o; a > o""",
    "kept_stopped": "CLIFeeder(name='in') > TriggerDrain('equals \"x\"') ^ TriggeredSwitch() > Sink()",
}

# Requests for engines of other names: mutants of them never hit those that are kept. None waits.
GHOSTS = [
    ("engine.create", {"engine": "g", "start": True, "links": [{"from": "s", "to": "q"}],
                       "blocks": [{"name": "s", "type": "CLIFeeder"}, {"name": "q", "type": "QueueSink",
                                   "params": {"limit": "1MiB", "overflow": "drop-oldest"}}]}),
    ("engine.create", {"engine": "h", "blocks": [
        {"name": "p", "type": "PeriodicSource", "params": {"msg": ["a", "b"], "period": 0.5}},
        {"name": "c", "type": "RawConsoleSink", "params": {"newlines": False}}],
        "links": [{"from": "p", "to": "c", "canal": "low"}], "start": True}),
    ("engine.create", {"engine": "i", "blocks": [{"name": "t", "type": "TransformDrain", "params": {
        "f": "function(m) return m:sub(2) end"}}]}),
    ("engine.change", {"engine": "g", "comment": "why", "if_revision": 1, "ops": [
        {"op": "add", "name": "d", "type": "Drain", "params": {}},
        {"op": "link", "from": "s", "to": "d", "canal": "low"},
        {"op": "set", "name": "q", "params": {"limit": 100}},
        {"op": "replace", "name": "d", "type": "UpDrain", "params": {}},
        {"op": "unlink", "from": "s", "to": "q", "canal": "low"}, {"op": "remove", "name": "d"}]}),
    ("engine.apply", {"engine": "g", "dry_run": True, "blocks": [{"name": "x", "type": "Sink"}],
                      "links": []}),
    ("engine.start", {"engine": "i"}), ("engine.stop", {"engine": "h"}),
    ("engine.destroy", {"engine": "i"}), ("engine.show", {"engine": "g"}),
    ("engine.stats", {"engine": "g"}), ("engine.graph", {"engine": "h"}), ("engine.list", {}),
    ("block.send", {"engine": "g", "block": "s", "messages": ["m", {"hex": "00ff"}]}),
    ("block.recv", {"engine": "g", "block": "q", "max": 5}),
    ("block.close", {"engine": "g", "block": "s"}), ("block.trigger", {"engine": "g", "block": "d"}),
    ("block.attach", {"engine": "h"}), ("daemon.info", {}), ("rpc.discover", {}),
    ("type.show", {"type": "Drain"}), ("type.list", {}),
]
WORDS = [b'{"a":', b"[", b"]", b"{}", b"null", b"true", b"-1", b"1e308", b"0.5", b'"\\ud834\\udd1e"',
         b"\\u0000", b"\0", b"\xff\xfe", b"\xc3\xa4", b'"', b"\\", b",", b":", b"\r", b"\t", b" " * 64,
         b'"g"', b"9" * 20, b'"jsonrpc"', b'"id":1,', b'"fds":1,', b"[" * 70, b"9223372036854775808"]


class Noise:
    """Makes lines without newlines in them, which are neither empty nor a request that waits."""

    def __init__(self, dice):
        self.dice = dice

    def request(self):
        method, params = self.dice.choice(GHOSTS)
        request = {"jsonrpc": "2.0", "id": self.dice.randrange(1000), "method": method,
                   "params": params}
        if self.dice.random() < 0.05:
            del request["id"]
        return request

    def bent(self, value):
        """The same JSON, but for something in it."""
        if self.dice.random() < 0.25:
            return self.dice.choice([None, True, -1, 0, 1e300, 2 ** 53, "", "ä" * 9, "x" * 5000, [],
                                     {}, [[{}]], {"fd": 0}, {"hex": "0"}, {"base64": "?"}])
        if isinstance(value, dict) and value:
            copy = dict(value)
            name = self.dice.choice(list(copy))
            changed = self.bent(copy.pop(name))
            if self.dice.random() < 0.8:
                copy[self.dice.choice([name, name, name + "s", name[1:], "op"])] = changed
            return copy
        if isinstance(value, list) and value:
            copy = list(value)
            place = self.dice.randrange(len(copy))
            copy[place:place + 1] = [self.bent(copy[place])] * self.dice.choice([0, 1, 1, 1, 2])
            return copy
        return value

    def mangled(self, line):
        line = bytearray(line)
        for _ in range(self.dice.choice([1, 1, 2, 5])):
            at = self.dice.randrange(len(line) + 1)
            to = min(len(line), at + self.dice.choice([0, 1, 1, 4, 30]))
            line[at:to] = self.dice.choice([
                b"", bytes([self.dice.randrange(256)]), self.dice.choice(WORDS), line[at:to] * 2])
        return bytes(line)

    def line(self):
        kind = self.dice.random()
        if kind < 0.15:
            line = self.dice.randbytes(self.dice.choice([1, 5, 80, 3000]))
        elif kind < 0.55:
            line = self.mangled(json.dumps(self.request()).encode())
        elif kind < 0.85:
            request = self.request()
            line = json.dumps({**request, "params": self.bent(request["params"])}).encode()
        elif kind < 0.95:
            line = json.dumps(self.bent(self.request())).encode()
        else:
            line = json.dumps(self.request()).encode()
        return line.replace(b"\n", b"").rstrip(b"\r") or b"!"


def judge(client, most):
    """Reads until the answer to "done"; what comes before are at most so many answers."""
    answers = 0
    while (message := client.line()).get("id") != "done":
        if "method" in message:  # a notification, of an engine that was attached to
            assert "id" not in message and isinstance(message["params"], dict), message
            continue
        answers += 1
        assert message["jsonrpc"] == "2.0" and "id" in message, message
        assert "result" in message or explained(message["error"]), message
    assert answers <= most
    return answers


DONE = b'\n{"jsonrpc":"2.0","id":"done","method":"daemon.info"}\n'


def pieces(data, dice):
    while data:
        size = dice.choice([1, 7, 1000, 100_000])
        yield data[:size]
        data = data[size:]


def lines(daemon, noise):
    """Many lines, in pieces of any size; with 64 answers unread they would not all be taken."""
    sent = [noise.line() for _ in range(noise.dice.choice([1, 50, 300]))]
    parts = list(pieces(b"\n".join(sent) + DONE, noise.dice))
    with Client(daemon.socket) as client, concurrent.futures.ThreadPoolExecutor() as pool:
        written = pool.submit(lambda: [client.write(part) for part in parts])
        judge(client, len(sent))
        written.result()


def only_garbage(daemon, noise):
    """Lines of which none can be a request: each has its answer."""
    sent = [b"}" + noise.line() for _ in range(200)]
    with Client(daemon.socket) as client:
        client.write(b"\n".join(sent) + DONE)
        assert judge(client, len(sent)) == len(sent)


def half_a_line(daemon, noise):
    line = noise.line()
    with Client(daemon.socket) as client:
        client.write(b"\n" + line[:noise.dice.randrange(len(line) + 1)])
        if noise.dice.random() < 0.5:
            client.socket.shutdown(socket.SHUT_WR)
            with pytest.raises(Closed):
                while True:
                    client.line()


def endless_line(daemon, noise):
    with Client(daemon.socket) as client:
        for _ in range(noise.dice.randrange(1, 5)):
            client.write(noise.dice.choice(WORDS[1:-2]).replace(b"\r", b"r") * 60_000)
        client.write(DONE)
        judge(client, 1)


def flood(daemon, noise):
    """More requests than anybody could wait for; who sent them may not even read the answers."""
    data = b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n' * 2000
    with Client(daemon.socket) as client:
        client.socket.setblocking(False)
        try:
            while data:
                data = data[client.socket.send(data):]
        except BlockingIOError:
            pass
        client.socket.settimeout(30)
        for _ in range(noise.dice.choice([0, 0, 20])):
            assert "result" in client.line()


def crowd(daemon, noise):
    """Many connections, all of them in the middle of something."""
    clients = [Client(daemon.socket) for _ in range(100)]
    for client in noise.dice.choices(clients, k=150):
        client.write(noise.line() + noise.dice.choice([b"", b"\n", DONE]))
    noise.dice.shuffle(clients)
    for client in clients:
        client.close()


def strange_descriptors(daemon, noise):
    """Handed over with anything: pipes, sockets, folders, memory, another connection."""
    with Client(daemon.socket) as client, Client(daemon.socket) as other:
        reading, writing = os.pipe()
        mine = [reading, writing, os.open("/", os.O_RDONLY), os.memfd_create("memory"),
                os.open("/dev/null", os.O_RDWR), other.socket.fileno()]
        sent = []
        for _ in range(30):
            fds = noise.dice.choices(mine, k=noise.dice.choice([0, 1, 1, 2, 9, 250]))
            request = noise.request()
            if noise.dice.random() < 0.7:
                request["fds"] = noise.dice.choice([1, 2, len(fds), len(fds), 10 ** 9, -1])
            if noise.dice.random() < 0.5:
                request["params"] = {"engine": "f", "start": True, "blocks": [
                    {"name": "f", "type": "FDSourceSink", "params": {
                        "fd": {"fd": noise.dice.choice([0, 1, 99])}}}]}
            line = json.dumps(request).encode()
            sent.append(line if noise.dice.random() < 0.8 else noise.mangled(line).replace(b"\n", b""))
            client.write(sent[-1] + b"\n", fds)
        for fd in mine[:-1]:
            os.close(fd)
        client.write(DONE)
        judge(client, len(sent))


def slow_reader(daemon, noise):
    """Attached, and never reads; what it is not told is counted, and it is thrown out in the end."""
    with Client(daemon.socket) as slow, Client(daemon.socket) as client:
        slow.call("engine.create", engine="loud", start=True, links=[{"from": "s", "to": "c"}],
                  blocks=[{"name": "s", "type": "CLIFeeder"}, {"name": "c", "type": "RawConsoleSink"}])
        slow.call("block.attach", engine="loud")
        for _ in range(noise.dice.choice([1, 6, 30])):
            client.send("loud", "s", *["x" * 99_999] * 9)
        client.call("engine.destroy", engine="loud")


SCENES = [lines, lines, only_garbage, half_a_line, endless_line, flood, crowd, strange_descriptors,
          slow_reader]


def counted(stats):
    """Without what the time makes of it."""
    for row in [stats, *stats["blocks"]]:
        for changing in ("cpu_ns", "uptime_s"):
            row.pop(changing, None)
    return stats


def state(daemon):
    """All that a user could compare."""
    exports = {engine: daemon.ok("export", engine) for engine in KEPT}
    with daemon.client() as rpc:
        listed = {e["engine"]: e for e in rpc.call("engine.list")["engines"]}
        return exports, {engine: (listed[engine], counted(rpc.stats(engine))) for engine in KEPT}


def sweep(daemon):
    """Away with what the noise has made by accident."""
    def swept():
        others = [e["engine"] for e in rpc.call("engine.list")["engines"] if e["engine"] not in KEPT]
        for engine in others:
            try:
                rpc.call("engine.destroy", engine=engine)
            except Refused as error:  # somebody has asked for that before, and has gone
                assert error.kind in ("wrong-state", "no-such-engine"), error
        return not others
    with daemon.client() as rpc:
        eventually(swept)


def test_nothing_stays_of_a_night_of_garbage(daemons, tmp_path):
    """Twelve seconds of it; ten minutes with $PIPETOOL_LONG."""
    daemon = daemons(config=f"[files]\nallow = {tmp_path}\n")
    for engine, text in KEPT.items():
        daemon.create(engine, text, start=engine != "kept_stopped")
    with daemon.client() as rpc:
        rpc.send("kept_low", "s", "in the valve", "as well")
        rpc.send("kept_high", "a", "one", "two", "three", canal="high")
    noise = Noise(chance("garbage"))
    held = Held(daemon.process)
    for scene in SCENES * 3:  # whatever is made once and kept is made now
        scene(daemon, noise)
    sweep(daemon)
    before = state(daemon)
    held.remember()
    for _ in rounds(12, 600):
        scene = noise.dice.choice(SCENES)
        scene(daemon, noise)
        assert daemon.process.poll() is None, (scene, daemon.log())
        sweep(daemon)
    assert state(daemon) == before
    assert all(stats["unexplained"] == 0 for _, stats in before[1].values())
    # what somebody has asked for and gone may come about only now
    held.nothing_more(growth_kib=8192, sweep=lambda: sweep(daemon))
