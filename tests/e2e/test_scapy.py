# SPDX-License-Identifier: BSD-2-Clause
"""The same graph in Scapy and here does the same."""
import logging
import random

import pytest
from scapy import pipetool, scapypipes
from scapy.all import rdpcap
from scapy.automaton import ObjectPipe

import makers
from client import add, link

logging.getLogger("scapy").setLevel(logging.ERROR)



class QueueingValve(scapypipes.TriggeredQueueingValve):
    """As Scapy's, but what was pushed on the high canal stays there when the valve is open."""

    def high_push(self, msg):
        if self.opened:
            self._high_send(msg)
        else:
            self.q.put((False, msg))


# type: parameters here, how Scapy makes it, and the exits for what enters low and high
KINDS = {
    "Drain": ({}, pipetool.Drain, "low high"),
    "UpDrain": ({}, pipetool.UpDrain, "high"),
    "DownDrain": ({}, pipetool.DownDrain, "low"),
    "TransformDrain": ({"f": "reverse"}, lambda: pipetool.TransformDrain(lambda m: m[::-1]),
                       "low high"),
    "FilterDrain": ({"f": "function(m) return #m ~= 3 end"}, None, "low high"),
    "TriggerDrain": ({"f": "function(m) return #m % 2 == 0 end"},
                     lambda: scapypipes.TriggerDrain(lambda m: len(m) % 2 == 0), "low high"),
    "TriggeredValve": ({"start_state": False}, lambda: scapypipes.TriggeredValve(False), "low high"),
    "TriggeredQueueingValve": ({"start_state": True}, lambda: QueueingValve(True), "low high"),
    "TriggeredSwitch": ({}, scapypipes.TriggeredSwitch, "low high"),
    "TriggeredMessage": ({"msg": "tm!"}, lambda: scapypipes.TriggeredMessage("tm!"), "low high"),
}


class Filter(pipetool.Drain):
    """Scapy has none."""

    def push(self, msg):
        if len(msg) != 3:
            self._send(msg)

    def high_push(self, msg):
        if len(msg) != 3:
            self._high_send(msg)


KINDS["FilterDrain"] = (KINDS["FilterDrain"][0], Filter, "low high")
PLAIN = list(KINDS)[:5]


class Graph:
    """A random graph without cycles: two feeders, some drains, two queues."""

    def __init__(self, chance, kinds, size):
        self.kinds = {f"d{n}": chance.choice(kinds) for n in range(chance.randrange(1, size))}
        names = list(self.kinds)
        self.links = []
        for _ in range(chance.randrange(size, size * 3)):
            if chance.random() < 0.3:
                self.trigger(chance, names)
                continue
            source = chance.choice(["low", "high", *names])
            later = names if source in ("low", "high") else names[names.index(source) + 1:]
            canal = source if source in ("low", "high") else \
                chance.choice(KINDS[self.kinds[source]][2].split())
            target = chance.choice(["q0", "q1", *later])
            if (self.kinds.get(target), canal) in (("UpDrain", "high"), ("DownDrain", "low")):
                continue  # no such entry
            self.link(source, target, canal)

    def trigger(self, chance, names):
        """A trigger link: forward, or back to a valve or a switch, which do not send by it."""
        sources = [n for n in names if self.kinds[n].startswith("Trigger")]
        targets = [n for n in names if self.kinds[n].startswith("Triggered")]
        if sources and targets:
            source, target = chance.choice(sources), chance.choice(targets)
            back = names.index(target) <= names.index(source)
            if not back or (self.kinds[source] == "TriggerDrain" and
                            self.kinds[target] in ("TriggeredValve", "TriggeredSwitch") and
                            not any(k[0] == target and k[2] == "trigger" for k in self.links)):
                self.link(source, target, "trigger")

    def link(self, *one):
        if one not in self.links:
            self.links.append(one)

    def ops(self):
        ops = [add("low", "CLIFeeder"), add("high", "CLIHighFeeder"), add("q0", "QueueSink"),
               add("q1", "QueueSink")]
        ops += [add(name, kind, **KINDS[kind][0]) for name, kind in self.kinds.items()]
        return ops + [link(*one) for one in self.links]

    def in_scapy(self, messages):
        """What Scapy's queues have received after the messages, in order."""
        blocks = {"low": pipetool.CLIFeeder(), "high": pipetool.CLIHighFeeder(),
                  "q0": pipetool.QueueSink(), "q1": pipetool.QueueSink()}
        blocks.update((name, KINDS[kind][1]()) for name, kind in self.kinds.items())
        # Scapy keeps links in sets; the order in which they were made is the one that is meant
        for name, block in blocks.items():
            for canal, field in (("low", "sinks"), ("high", "high_sinks"),
                                 ("trigger", "trigger_sinks")):
                setattr(block, field, [blocks[t] for s, t, c in self.links
                                       if (s, c) == (name, canal)])
        for canal, message in messages:
            # as the engine would deliver, without its thread
            blocks[canal]._send(message) if canal == "low" else blocks[canal]._high_send(message)
        for feeder in ("low", "high"):
            ObjectPipe.close(blocks[feeder])  # it holds descriptors
        return {q: list(blocks[q].q.queue) for q in ("q0", "q1")}


def both(rpc, engine, graph, messages, send):
    """The queues of the same graph here and in Scapy."""
    expected = graph.in_scapy(messages)
    rpc.call("engine.create", engine=engine, start=True)
    rpc.change(engine, *graph.ops())
    send()
    for queue, wanted in expected.items():
        got = rpc.call("block.recv", engine=engine, block=queue, max=100_000)["messages"]
        assert [m["message"] for m in got] == wanted, (graph.kinds, graph.links)
    assert rpc.stats(engine)["unexplained"] == 0
    return sum(map(len, expected.values()))


@pytest.mark.parametrize("kinds", [PLAIN, list(KINDS)], ids=["plain", "with triggers"])
@pytest.mark.parametrize("seed", range(4))
def test_random_graphs_deliver_what_scapy_delivers(daemon, rpc, seed, kinds):
    chance = random.Random(seed)
    delivered = 0
    for number in range(25):
        graph = Graph(chance, kinds, chance.choice([3, 6, 10]))
        messages = [(chance.choice(["low", "high"]), "m%d" % n) for n in range(95, 115)]

        def one_by_one():
            for canal, message in messages:
                rpc.send(f"e{number}", canal, message)
        delivered += both(rpc, f"e{number}", graph, messages, one_by_one)
    assert delivered > 100


@pytest.mark.parametrize("kinds", [PLAIN, list(KINDS)], ids=["plain", "with triggers"])
@pytest.mark.parametrize("seed", range(100, 104))
def test_the_same_in_vectors(daemon, rpc, seed, kinds):
    """Many messages in one request go as vectors; what comes out is the same."""
    chance = random.Random(seed)
    for number in range(25):
        graph = Graph(chance, kinds, chance.choice([3, 6, 10]))
        canal = chance.choice(["low", "high"])
        messages = ["m%d" % n for n in range(900, 1100)]
        both(rpc, f"e{number}", graph, [(canal, m) for m in messages],
             lambda: rpc.send(f"e{number}", canal, *messages))


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
        message = {"hex": text.encode().hex()}
        rpc.send("e", "s", message)
        rpc.send("e", "h", message)
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
