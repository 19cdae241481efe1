# SPDX-License-Identifier: BSD-2-Clause
"""The same graph in Scapy and here does the same."""
import logging
import random

import pytest
from scapy import pipetool, scapypipes
from scapy.all import rdpcap

import makers
from client import add, link

logging.getLogger("scapy").setLevel(logging.ERROR)

KINDS = ["Drain", "UpDrain", "DownDrain", "TransformDrain"]


class Graph:
    """A random graph without cycles: two feeders, some drains, two queues."""

    def __init__(self, chance):
        self.drains = [(f"d{n}", chance.choice(KINDS)) for n in range(chance.randrange(1, 7))]
        names = [name for name, _ in self.drains]
        self.links = []
        kinds = dict(self.drains)
        for _ in range(chance.randrange(3, 16)):
            source = chance.choice(["low", "high", *names])
            if source in ("low", "high"):
                canal = source
                later = names
            else:
                kind = kinds[source]
                canal = {"UpDrain": "high", "DownDrain": "low"}.get(kind) or \
                    chance.choice(["low", "high"])
                later = names[names.index(source) + 1:]
            target = chance.choice(["q0", "q1", *later])
            if kinds.get(target) == "UpDrain" and canal == "high":
                continue  # UpDrain has no high entry, DownDrain no low one
            if kinds.get(target) == "DownDrain" and canal == "low":
                continue
            if (source, target, canal) not in self.links:
                self.links.append((source, target, canal))

    def ops(self):
        ops = [add("low", "CLIFeeder"), add("high", "CLIHighFeeder"), add("q0", "QueueSink"),
               add("q1", "QueueSink")]
        for name, kind in self.drains:
            ops.append(add(name, kind, **({"f": "reverse"} if kind == "TransformDrain" else {})))
        return ops + [link(*one) for one in self.links]

    def in_scapy(self, messages):
        """What Scapy's queues have received after the messages, in order."""
        blocks = {"low": pipetool.CLIFeeder(), "high": pipetool.CLIHighFeeder(),
                  "q0": pipetool.QueueSink(), "q1": pipetool.QueueSink()}
        for name, kind in self.drains:
            make = getattr(pipetool, kind)
            blocks[name] = make(lambda m: m[::-1]) if kind == "TransformDrain" else make()
        for source, target, canal in self.links:
            if canal == "low":
                blocks[source] > blocks[target]
            else:
                blocks[source] >> blocks[target]
        # Scapy keeps links in a set; the order in which they were made is the one that is meant
        for block in blocks.values():
            for canal, field in (("low", "sinks"), ("high", "high_sinks")):
                name = next(n for n, b in blocks.items() if b is block)
                setattr(block, field, [blocks[t] for s, t, c in self.links
                                       if s == name and c == canal])
        for canal, message in messages:
            # as the engine would deliver, without its thread: a feeder's _gen_data leads here
            blocks[canal]._send(message) if canal == "low" else blocks[canal]._high_send(message)
        return {q: list(blocks[q].q.queue) for q in ("q0", "q1")}


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_deliver_what_scapy_delivers(daemon, seed):
    chance = random.Random(seed)
    graph = Graph(chance)
    messages = [(chance.choice(["low", "high"]), f"m{n}") for n in range(20)]
    expected = graph.in_scapy(messages)
    with daemon.client() as rpc:
        rpc.call("engine.create", engine="e", start=True)
        rpc.change("e", *graph.ops())
        for canal, message in messages:
            rpc.send("e", canal, message)
        for queue, wanted in expected.items():
            assert rpc.texts("e", queue, len(wanted) + 1, seconds=0.05) == wanted, graph.links
        assert rpc.stats("e")["unexplained"] == 0


@pytest.mark.parametrize("seed", range(10))
def test_the_same_in_vectors(daemon, seed):
    """Many messages in one request go as vectors; what comes out is the same."""
    chance = random.Random(1000 + seed)
    graph = Graph(chance)
    messages = [f"m{n}" for n in range(200)]
    for canal in ("low", "high"):
        expected = graph.in_scapy([(canal, m) for m in messages])
        with daemon.client() as rpc:
            rpc.call("engine.create", engine=canal, start=True)
            rpc.change(canal, *graph.ops())
            rpc.send(canal, canal, *messages)
            for queue, wanted in expected.items():
                assert rpc.texts(canal, queue, len(wanted) + 1, seconds=0.05) == wanted, graph.links


def test_the_real_engine_of_scapy_and_a_queue(daemon):
    feeder, queue = pipetool.CLIFeeder(), pipetool.QueueSink()
    feeder > pipetool.TransformDrain(lambda m: m[::-1]) > queue
    engine = pipetool.PipeEngine(feeder)
    engine.start()
    texts = ["foo", "bar", "", "ü"]
    for text in texts:
        feeder.send(text)
    scapy = [queue.recv(timeout=10) for _ in texts]
    engine.stop()
    daemon.create("e", 's = CLIFeeder(); q = QueueSink(); s > TransformDrain("upper") > q; s > q',
                  start=True)
    with daemon.client() as rpc:
        rpc.change("e", {"op": "set", "name": "transform_drain1", "params": {"f": "reverse"}})
        rpc.send("e", "s", "foo", "bar", "")
        got = rpc.texts("e", "q", 6)
    assert got == ["oof", "foo", "rab", "bar", "", ""] and scapy[:3] == ["oof", "rab", ""]


def test_a_periodic_source_as_scapy_s(daemon):
    source, queue = pipetool.PeriodicSource(["a", "b", "c"], 0.01, 0.02), pipetool.QueueSink()
    source > queue
    engine = pipetool.PipeEngine(source)
    engine.start()
    scapy = [queue.recv(timeout=10) for _ in range(7)]
    engine.stop()
    daemon.create("e", "s = PeriodicSource(['a', 'b', 'c'], 0.01, 0.02); q = QueueSink(); s > q")
    assert daemon.client().texts("e", "q", 7) == scapy


def test_an_empty_periodic_source_is_exhausted(daemon):
    daemon.create("e", "s = PeriodicSource([], 1); q = QueueSink(); s > q")
    daemon.finish("e")


@pytest.mark.parametrize("text", ["foo", "i like potato", "it's", '"quoted"', "it's \"both\"",
                                  "tab\there", "line\nfeed\r", "back\\slash", "\x00\x1b\x7f",
                                  "", " ", "x" * 3000, "ä€", "😀", "\u200b\u2028", "\x85\xa0\xad"])
def test_a_console_prints_as_python_does(daemon, text):
    daemon.create("e", "s = CLIFeeder(); h = CLIHighFeeder(); c = ConsoleSink(); s > c; h >> c")
    with daemon.client() as rpc, daemon.client() as watcher:
        watcher.call("block.attach", engine="e")
        rpc.send("e", "s", text)
        rpc.send("e", "h", text)
        got = ""
        while got.count("\n") < 2:
            got += watcher.notification("block.output")["params"]["text"]
        assert got == f">{text!r}\n>>{text!r}\n"


def test_a_capture_copied_as_scapy_s_pipes_copy_it(daemon, tmp_path):
    packets = makers.some_packets(30)
    source = makers.pcap(tmp_path / "in.pcap", packets)
    reader = scapypipes.RdpcapSource(source)
    writer = scapypipes.WrpcapSink(str(tmp_path / "scapy.pcap"))
    reader > writer
    engine = pipetool.PipeEngine(reader)
    engine.start()
    engine.wait_and_stop()
    daemon.ok("run", f'RdpcapSource("{source}") > WrpcapSink("{tmp_path}/ours.pcap")')
    scapy, ours = (rdpcap(str(tmp_path / f"{who}.pcap")) for who in ("scapy", "ours"))
    assert [bytes(p) for p in ours] == [bytes(p) for p in scapy] == [p[0] for p in packets]
    assert [p.time for p in ours] == [p.time for p in scapy]
