# SPDX-License-Identifier: BSD-2-Clause
"""Traces: the fate of messages, as the protocol and ptctl tell it, against what the counters say."""
import collections
import json
import re
import subprocess

import makers
from client import Refused
from conftest import DEADLINE, eventually, program
from scapy.all import Ether, IP, UDP, Raw

GRAPH = """
s = RdpcapSource('{file}'); d = Drain(); t = TransformDrain("set{{['ip.ttl']=9}}")
l = TransformDrain("function(m) m.ip.ttl = 7 return m end"); f = FilterDrain("bpf 'udp port 3'")
e = FilterDrain("function(m) return m.udp.dport ~= 5 or error('five') end")
v = TriggeredQueueingValve(false); g = TriggerDrain("bpf 'udp port 20'"); q = QueueSink(limit=2000)
c = TriggeredValve(); k = Sink(); x = Drain()
s > d; d > t > q; d > l > k; d > f > k; d > e > v > k; d > g > c > k; d > x; g ^ v; g ^ c
"""


def capture(tmp_path, count=60):
    packets = [Ether() / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=1000, dport=n) / Raw(b"x" * 20)
               for n in range(count)]
    return makers.pcap(tmp_path / "in.pcap", [(bytes(p), 1_000_000_000 + n) for n, p in enumerate(packets)])


class Trace(subprocess.Popen):
    """A ptctl that traces, from when it has begun."""

    def __init__(self, daemon, *arguments, **more):
        super().__init__([program("ptctl"), "-s", daemon.socket, *arguments, "--ready"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        assert self.stderr.readline() == b"attached\n", self.communicate(timeout=DEADLINE)

    def end(self):
        out, err = self.communicate(timeout=DEADLINE)
        return self.returncode, out.decode(), err.decode()


def test_the_steps_are_what_the_counters_say(daemon, rpc, tmp_path):
    """Every message of a graph with all that can become of one is traced; so the sums must agree."""
    daemon.create("e", GRAPH.format(file=capture(tmp_path)), start=False)
    rpc.call("block.trace", engine="e", count=60)
    with daemon.client() as other:
        other.call("engine.start", engine="e")
        daemon.finish("e")
        other.recv("e", "q", 60, seconds=0)
    entered, did = collections.Counter(), collections.defaultdict(collections.Counter)
    ids, held, told = set(), set(), {}
    while not told.get("ended"):
        told = rpc.notification("block.traced", DEADLINE)["params"]
        ids.add(told["id"])
        for step in told["steps"]:
            place = told["id"], step["block"]
            did[step["block"]][step["did"]] += 1
            if step["did"] == "triggered":
                continue
            entered[step["block"]] += place not in held
            held.add(place) if step["did"] == "held" else held.discard(place)
    assert ids == set(range(60)) and not held
    for block in rpc.stats("e")["blocks"]:
        name = block["name"]
        if name == "s":
            continue
        assert entered[name] == block["in"], name
        assert did[name]["filtered"] == sum(block["filtered"].values()), name
        assert did[name]["dropped"] + did[name]["error"] == sum(block["dropped"].values()), name
        assert did[name]["delivered"] == (block["out"] if name in "kq" else 0), name
        assert did[name]["triggered"] == (1 if name in "vc" else 0), name
    assert did["e"]["error"] == 1 and did["q"]["dropped"] > 0 and did["c"]["filtered"] > 0
    assert did["t"] == {"changed": 60} and did["l"] == {"changed": 60} and did["x"] == {"filtered": 60}


def test_the_wire(daemon, rpc, tmp_path):
    daemon.create("e", GRAPH.format(file=capture(tmp_path, 1)), start=False)
    assert rpc.call("block.trace", engine="e", block="d") == {}
    with daemon.client() as other:
        other.call("engine.start", engine="e")
    told = rpc.notification("block.traced", DEADLINE)["params"]
    assert (told["engine"], told["id"]) == ("e", 0)
    assert told["message"]["link_type"] == 1 and told["message"]["time"] == "1.000000000"
    assert told["steps"] == [
        {"block": "t", "canal": "low", "did": "changed", "changed": ["ip.ttl"], "to": ["q"]},
        {"block": "q", "canal": "low", "did": "held"},
        {"block": "l", "canal": "low", "did": "changed", "changed": ["ip.ttl"], "to": ["k"]},
        {"block": "k", "canal": "low", "did": "delivered"},
        {"block": "f", "canal": "low", "did": "filtered", "why": "filtered"},
        {"block": "e", "canal": "low", "did": "passed", "to": ["v"]},
        {"block": "v", "canal": "low", "did": "held"},
        {"block": "g", "canal": "low", "did": "passed", "to": ["c"]},
        {"block": "c", "canal": "low", "did": "passed", "to": ["k"]},
        {"block": "k", "canal": "low", "did": "delivered"},
        {"block": "x", "canal": "low", "did": "filtered", "why": "unlinked"}]


def test_refusals(daemon, rpc):
    daemon.create("e", "f = CLIFeeder(); k = Sink(); f > k")
    assert rpc.refused("block.trace", engine="x").kind == "no-such-engine"
    assert rpc.refused("block.trace", engine="e", block="x").path == "$.block"
    assert "no message leaves" in rpc.refused("block.trace", engine="e", block="k").message
    assert rpc.refused("block.trace", engine="e", count=0).path == "$.count"
    assert rpc.refused("block.trace", engine="e", filter="udp prt 5").path == "$.filter"
    result = daemon.ptctl("trace", "e", "-f", "udp prt 5")
    assert result.code == 2 and "udp prt 5" in result.err or "syntax" in result.err


def test_lines_for_people(daemon):
    daemon.create("e", "f = CLIFeeder(); d = Drain(); t = TransformDrain('upper'); k = Sink(); "
                  "v = TriggeredQueueingValve(false); f > d > t >> k; d > v > k")
    with Trace(daemon, "trace", "e", "--follow") as trace:
        daemon.ok("send", "e.f", "hi")
        daemon.ok("trigger", "e.v")
        assert trace.end() == (0, "0 >'hi'\n  > d: passed\n    > t: filtered (unlinked)\n    > v: held\n"
                               "0 >'hi'\n  > v: released\n    > k: delivered\n", "")
    with Trace(daemon, "-j", "trace", "e.d", "-n", "2") as trace:
        daemon.ok("send", "e.f", "a", "b")
        code, out, _ = trace.end()
        assert code == 0 and [json.loads(line)["id"] for line in out.splitlines()] == [0, 1]


def test_a_block_in_lua_sends_more_than_came_and_fails(daemon, tmp_path):
    (tmp_path / "twice.lua").write_text('''
Drain{ name = "Twice", doc = "Sends what comes twice, and one of its own.", ports = {"low_entry", "low_exit"},
  push = function(self, m)
    if m:sub(1, 1) == "!" then error(m:sub(2, -1)) end
    self:send("own") self:send(m) self:send(m)
  end }''')
    daemon.ok("load", tmp_path / "twice.lua")
    daemon.create("e", "f = CLIFeeder(); t = Twice(); v = TriggeredQueueingValve(false); k = Sink(); f > t > k; t > v > k")
    with Trace(daemon, "trace", "e", "-n", "3", "--follow") as trace:
        daemon.ok("send", "e.f", "!one")
        daemon.ok("send", "e.f", "!two")
        daemon.ok("send", "e.f", "ab")
        daemon.ok("trigger", "e.v")
        code, out, _ = trace.end()
    assert code == 0
    lines = out.splitlines()
    assert re.fullmatch(r"  > t: error: .*\bone", lines[1]) and re.fullmatch(r"  > t: error: .*\btwo", lines[3])
    ways = ["    > k: delivered", "    > v: held"]
    assert lines[4:10] == ["2 >'ab'", "  > t: passed", *ways, *ways]
    assert [line for line in lines[10:] if line != "2 >'ab'"] == ["  > v: released", "    > k: delivered"] * 2


def test_each_link_is_an_interface(daemon, tmp_path):
    daemon.create("e", GRAPH.format(file=capture(tmp_path, 2)), start=False)
    with Trace(daemon, "trace", "e", "-w", str(tmp_path / "out.pcapng")) as trace:
        daemon.ok("start", "e")
        assert trace.end()[::2] == (0, "")
    shown = subprocess.run(["tshark", "-r", tmp_path / "out.pcapng", "-T", "fields", "-e", "frame.interface_name",
                            "-e", "ip.ttl"], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == [
        "s > d\t64", "d > t\t64", "t > q\t9", "d > l\t64", "l > k\t7", "d > f\t64", "d > e\t64", "e > v\t64",
        "d > g\t64", "g > c\t64", "c > k\t64", "d > x\t64"]


def test_what_is_gone_is_told(daemon):
    daemon.create("e", "f = CLIFeeder(); d = Drain(); k = Sink(); f > d > k")
    with Trace(daemon, "trace", "e.d") as block, Trace(daemon, "trace", "e") as engine:
        daemon.ok("remove", "e", "d")
        code, _, err = block.end()
        assert code == 1 and "'e.d' is gone" in err
        daemon.ok("destroy", "e")
        code, _, err = engine.end()
        assert code == 1 and "'e' is gone" in err


def test_traces_have_a_limit(daemon, rpc):
    daemon.create("e", "f = CLIFeeder(); q = QueueSink(); f > q")
    for _ in range(64):
        rpc.call("block.trace", engine="e")
    assert rpc.refused("block.trace", engine="e").kind == "limit"
    daemon.ok("send", "e.f", "a")
    told = [rpc.notification("block.traced", DEADLINE)["params"]["id"] for _ in range(64)]
    assert told == [0] * 64


def may_trace(client):
    try:
        return client.call("block.trace", engine="e", count=5) == {}
    except Refused as error:
        assert error.kind == "limit"
        return False


def test_who_leaves_is_forgotten(daemon):
    daemon.create("e", "f = CLIFeeder(); q = QueueSink(); f > q")
    for _ in range(100):
        with daemon.client() as client:
            eventually(lambda: may_trace(client))
