# SPDX-License-Identifier: BSD-2-Clause
"""Drains that pass some of what comes, later, or something else; judged by Wireshark's tools and Scapy."""
import collections
import json
import random
import re
import struct
import subprocess
import time

import pytest
from scapy.all import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6EchoRequest, IPv6, Raw, rdpcap

import makers
from conftest import eventually, run_ptctl

S = 10 ** 9


def packet(layer, src="192.0.2.1", dst="192.0.2.2", load=b""):
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=src, dst=dst) / layer / Raw(load))


def some_flows(count, flows, seed):
    """Packets of so many conversations, both ways, a second apart."""
    chance = random.Random(seed)
    packets = []
    for n in range(count):
        flow = chance.randrange(flows)
        here, there = (f"192.0.2.{1 + flow % 50}", 1000 + flow), ("198.51.100.1", 80)
        a, b = (here, there) if chance.random() < .5 else (there, here)
        kind = TCP if flow % 2 else UDP
        packets.append((packet(kind(sport=a[1], dport=b[1]), a[0], b[0], bytes([n % 256]) * chance.randrange(40)), n * S))
    return packets


def through(tmp_path, packets, drain, **more):
    """What comes out of a drain, as (bytes, time in ns)."""
    source = makers.pcap(tmp_path / "in.pcap", packets, ns=True)
    out = tmp_path / "out.pcap"
    result = run_ptctl("run", "--private", f"RdpcapSource('{source}') > {drain} > WrpcapSink('{out}', format='pcap-ns')", **more)
    assert result.code == 0, result
    return [(bytes(p), int(p.time * S)) for p in rdpcap(str(out))], result.err.splitlines()[-1]


def key_of(data):
    p = Ether(data)
    if IP not in p:
        return None
    ends = sorted([(p[IP].src, getattr(p[IP].payload, "sport", 0)), (p[IP].dst, getattr(p[IP].payload, "dport", 0))])
    return p[IP].proto, *ends


# ---- JsonDrain ----

TSHARK = {"eth.dst": "eth.dst", "eth.src": "eth.src", "vlan.id": "vlan.id", "vlan.prio": "vlan.priority",
          "arp.op": "arp.opcode", "arp.hwsrc": "arp.src.hw_mac", "arp.pdst": "arp.dst.proto_ipv4",
          "ip.src": "ip.src", "ip.dst": "ip.dst", "ip.ttl": "ip.ttl", "ip.id": "ip.id", "ip.len": "ip.len",
          "ip.proto": "ip.proto", "ip.dscp": "ip.dsfield.dscp", "ip.chksum": "ip.checksum",
          "ip6.src": "ipv6.src", "ip6.dst": "ipv6.dst", "ip6.hlim": "ipv6.hlim", "ip6.nh": "ipv6.nxt", "ip6.fl": "ipv6.flow",
          "tcp.sport": "tcp.srcport", "tcp.seq": "tcp.seq_raw", "tcp.ack": "tcp.ack_raw", "tcp.flags": "tcp.flags",
          "tcp.window": "tcp.window_size_value", "udp.dport": "udp.dstport", "udp.len": "udp.length",
          "udp.chksum": "udp.checksum", "icmp.type": "icmp.type", "icmp.code": "icmp.code", "icmp6.type": "icmpv6.type"}


def of_many_kinds():
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    ip, ip6 = IP(src="192.0.2.1", dst="198.51.100.2", ttl=17, id=54321, tos=0xb8), IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=9, fl=77)
    packets = [ether / ip / TCP(sport=1234, dport=80, seq=2 ** 32 - 1, ack=7, flags="PA", window=65000) / b"GET /",
               ether / Dot1Q(vlan=100, prio=5) / ip / UDP(sport=53, dport=5353) / b"\xff\x00", ether / ARP(op=2, pdst="192.0.2.9"),
               ether / ip6 / ICMPv6EchoRequest(id=3, seq=4), ether / ip6 / UDP(sport=1, dport=2) / b"x", ether / ip / ICMP(id=5, seq=6),
               ether / b"neither"]
    return [(bytes(p), (1700000000 + n) * S + n) for n, p in enumerate(packets)]


def json_lines(tmp_path, graph):
    out = tmp_path / "out.json"
    result = run_ptctl("run", "--private", f"{graph} > FileSink('{out}', newlines=True)")
    assert result.code == 0, result
    return [json.loads(line) for line in out.read_text().splitlines()]


def number(text):
    return int(text, 0) if text and ":" not in text and text.count(".") < 2 else text


def test_json_of_packets(tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", of_many_kinds(), ns=True)
    lines = json_lines(tmp_path, f"RdpcapSource('{source}') > JsonDrain()")
    command = ["tshark", "-r", source, "-T", "fields", "-E", "occurrence=f", "-e", "frame.time_epoch", "-e", "frame.len"]
    command += [word for name in TSHARK.values() for word in ("-e", name)]
    judged = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert len(judged) == len(lines) == len(of_many_kinds())
    for line, (time, length, *values) in zip(lines, [row.split("\t") for row in judged]):
        assert (line.pop("time"), line.pop("wire_length"), line.pop("link_type")) == (time, int(length), 1)
        told = {name: line.get(name.split(".")[0], {}).get(name.split(".")[1], "") for name in TSHARK}
        assert told == {name: number(value) for name, value in zip(TSHARK, values)}
    assert [list(line) for line in lines] == [["eth", "ip", "tcp"], ["eth", "vlan", "ip", "udp"], ["eth", "arp"], ["eth", "ip6", "icmp6"],
                                              ["eth", "ip6", "udp"], ["eth", "ip", "icmp"], ["eth"]]
    flags = lines[0]["tcp"]
    assert flags["psh"] is flags["ackflag"] is True and flags["syn"] is False


def test_json_of_some_fields(tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", of_many_kinds(), ns=True)
    lines = json_lines(tmp_path, f"RdpcapSource('{source}') > JsonDrain(fields=['udp.dport', 'ip.src', 'arp', 'time'])")
    assert [set(line) - {"time", "wire_length", "link_type"} for line in lines] == [
        {"ip"}, {"ip", "udp"}, {"arp"}, set(), {"udp"}, {"ip"}, set()]
    assert lines[1]["ip"] == {"src": "192.0.2.1"} and lines[1]["udp"] == {"dport": 5353} and lines[2]["arp"]["op"] == 2
    refused = run_ptctl("run", "--private", "CLIFeeder() > JsonDrain(fields=['ip.scr']) > Sink()")
    assert refused.code in (1, 2) and "'ip.src'" in refused.err, refused


def test_json_of_what_is_no_packet(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); s > j = JsonDrain() > q = QueueSink()")
    rpc.send("e", "s", 'a "word" \u00e4\n', {"hex": "ff00"}, "")
    assert [json.loads(text) for text in rpc.texts("e", "q", 3)] == [
        {"message": 'a "word" \u00e4\n'}, {"message": {"base64": "/wA="}}, {"message": ""}]


# ---- ReorderDrain ----

def disordered(count, within, seed):
    """Packets a second apart, each up to so many seconds from its place."""
    chance = random.Random(seed)
    packets = [(packet(UDP(sport=n + 1, dport=9)), (100 + n) * S) for n in range(count)]
    return sorted(packets, key=lambda one: one[1] + chance.randrange(within * S))


@pytest.mark.parametrize("seed", range(3))
def test_reorder_as_reordercap_does(tmp_path, seed):
    packets = disordered(500, 20, seed)
    out, _ = through(tmp_path, packets, "ReorderDrain(seconds=20)")
    subprocess.run(["reordercap", tmp_path / "in.pcap", tmp_path / "judge.pcap"], check=True, capture_output=True, timeout=60)
    assert out == [(data, time) for data, time, _ in makers.read(tmp_path / "judge.pcap")] != packets


def test_reorder_tells_what_is_late(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); s > r = ReorderDrain(seconds=2) > q = QueueSink()")
    rpc.send("e", "s", *({"message": str(n), "time": f"{n}.0", "link_type": 1} for n in (3, 1, 9, 2, 5, 7)))
    assert rpc.texts("e", "q", 5) == ["1", "3", "2", "5", "7"]
    assert re.search(r"late +1\n", daemon.ok("show", "e.r"))
    assert rpc.texts("e", "q", 1) == ["9"]  # by the clock
    refused = daemon.ptctl("set", "e.r", "seconds=0")
    assert refused.code in (1, 2), refused


# ---- PaceDrain ----

def test_a_paced_file_comes_whole(tmp_path):
    """The end waits for what is held, in order and at no more than the pace."""
    packets = some_flows(40, 3, 5)
    begin = time.monotonic()
    out, last = through(tmp_path, packets, "PaceDrain(pps=100, limit=200)")
    assert out == packets and time.monotonic() - begin > .39 and "dropped" not in last
    out, _ = through(tmp_path, packets, "PaceDrain(rate='1Gbit')")
    assert out == packets


def test_a_stop_sends_the_rest(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); s > p = PaceDrain(pps=0.001) > q = QueueSink()")
    rpc.send("e", "s", "1", "2", "3")
    assert rpc.texts("e", "q", 1) == ["1"] and rpc.stats("e", "p")["held"] == 2
    daemon.ok("stop", "e")
    assert rpc.texts("e", "q", 2) == ["2", "3"]


def test_a_pace_that_overflows(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); s > p = PaceDrain(rate='1bit', overflow='drop-newest', limit=150) > q = QueueSink()")
    rpc.send("e", "s", "1", "2", "3", "4", "5")
    assert rpc.stats("e", "p")["dropped"] == {"overflow": 2}
    daemon.ok("set", "e.p", "pps=1000000")
    assert rpc.texts("e", "q", 3) == ["1", "2", "3"]


@pytest.mark.parametrize("words", ["", "pps=1, rate='1Mbit'", "rate='10'", "rate='fast'", "pps=0", "pps=1, burst=0"])
def test_no_pace_is_refused(daemon, words):
    refused = daemon.ptctl("create", "e", f"CLIFeeder() > PaceDrain({words}) > Sink()")
    assert refused.code in (1, 2), refused


# ---- HeadDrain ----

def test_head_of_all(tmp_path):
    packets = some_flows(300, 10, 1)
    out, last = through(tmp_path, packets, "HeadDrain(count=10)")
    assert out == packets[:10] and "dropped" not in last
    sizes = [len(p) for p, _ in packets]
    out, _ = through(tmp_path, packets, "HeadDrain(bytes=1000)")
    assert out == packets[:next(n for n in range(300) if sum(sizes[:n]) >= 1000)]
    out, _ = through(tmp_path, packets, "HeadDrain(seconds=20)")
    assert out == packets[:20]
    out, _ = through(tmp_path, packets, "HeadDrain(seconds=20, count=5)")
    assert out == packets[:5]


@pytest.mark.parametrize("per, key", [("'flow'", key_of), ("'host'", lambda p: Ether(p)[IP].src),
                                      ("'ip.src'", lambda p: Ether(p)[IP].src),
                                      ("['ip.dst', 'ip.proto']", lambda p: (Ether(p)[IP].dst, Ether(p)[IP].proto))])
def test_head_of_each(tmp_path, per, key):
    packets = some_flows(400, 25, 2)
    seen = collections.Counter()
    wanted = []
    for data, time in packets:
        seen[key(data)] += 1
        if seen[key(data)] <= 3:
            wanted.append((data, time))
    assert through(tmp_path, packets, f"HeadDrain(count=3, per={per})")[0] == wanted


def test_head_ends_its_sources(daemon, rpc):
    """As tcpdump -c does; but not a source that leads elsewhere, too."""
    daemon.create("e", "a = PeriodicSource('x', 0.001); a > h = HeadDrain(count=5) > q = QueueSink(); "
                  "b = PeriodicSource('y', 0.001); b > i = HeadDrain(count=5) > Sink(); b > Sink()")
    eventually(lambda: rpc.show("e", "a")["state"] == "exhausted" and rpc.stats("e", "i")["filtered"].get("beyond", 0) > 5)
    assert rpc.show("e", "b")["state"] == "running"
    assert rpc.texts("e", "q", 5) == ["x"] * 5
    assert rpc.stats("e", "h")["out"] == 5


def test_a_trigger_begins_anew(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); s > t = TriggerDrain(\"equals 'again'\") ^ h = HeadDrain(count=2); "
                  "t > h > q = QueueSink()")
    rpc.send("e", "s", "1", "2", "3", "again", "4", "5")
    stats = rpc.stats("e", "h")
    assert rpc.texts("e", "q", 4) == ["1", "2", "again", "4"] and stats["filtered"] == {"beyond": 2}


def test_head_goes_on_in_a_successor(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); s > h = HeadDrain(count=3) > q = QueueSink()")
    rpc.send("e", "s", "1", "2")
    daemon.ok("set", "e.h", "count=4")
    rpc.send("e", "s", "3")
    daemon.ok("replace", "e.h", "HeadDrain(count=5)")
    rpc.send("e", "s", "4", "5", "6")
    assert rpc.texts("e", "q", 5) == list("12345")


@pytest.mark.parametrize("words", ["", "count=0", "count=1, per='nonsense'", "count=1, per=[]", "bytes=-1", "seconds=0"])
def test_head_of_nothing_is_refused(daemon, words):
    refused = daemon.ptctl("create", "e", f"HeadDrain({words}) > Sink()")
    assert refused.code in (1, 2) and refused.err.count("\n") <= 4, refused
    assert daemon.ok("list").count("\n") == 1


def test_keys_are_bounded(tmp_path):
    one = packet(UDP(sport=1, dport=9))
    packets = [(one[:34] + struct.pack(">H", 1 + n) + one[36:], n * S) for n in range(2000)]
    out, _ = through(tmp_path, packets + packets[:1], "HeadDrain(count=1, per='flow', limit='4KiB')")
    assert out == packets + packets[:1]  # the first flow was forgotten meanwhile
    out, _ = through(tmp_path, packets + packets[:1], "HeadDrain(count=1, per='flow')")
    assert out == packets


# ---- SampleDrain ----

def test_samples(tmp_path):
    packets = some_flows(1000, 100, 3)
    assert through(tmp_path, packets, "SampleDrain(every=10)")[0] == packets[9::10]
    assert len(through(tmp_path, packets, "SampleDrain(share=0.25)")[0]) == 250
    assert through(tmp_path, packets, "SampleDrain(share=1)")[0] == packets


@pytest.mark.parametrize("words", ["every=4", "share=0.25"])
def test_samples_of_flows(tmp_path, words):
    packets = some_flows(2000, 400, 4) + [(bytes(Ether() / ARP()), 2001 * S)]
    out, _ = through(tmp_path, packets, f"SampleDrain({words}, by='flow')")
    whole = collections.Counter(key_of(p) for p, _ in packets)
    some = collections.Counter(key_of(p) for p, _ in out)
    assert all(some[k] == whole[k] for k in some) and 50 < len(some) < 160
    assert through(tmp_path, packets, f"SampleDrain({words}, by='flow')")[0] == out


@pytest.mark.parametrize("words", ["", "every=2, share=0.5", "share=0", "share=1.1", "every=0"])
def test_sample_of_nothing_is_refused(daemon, words):
    assert daemon.ptctl("create", "e", f"SampleDrain({words}) > Sink()").code in (1, 2)
