# SPDX-License-Identifier: BSD-2-Clause
"""DedupDrain and CountDrain, judged by editcap and tshark; and what blocks remember of each key, over a restart."""
import collections
import json
import random
import re
import subprocess

import pytest
from scapy.all import ARP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw

import makers
from conftest import run_ptctl

S = 10 ** 9


def frame(n, **ip):
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(**{"src": "192.0.2.1", "dst": f"192.0.2.{1 + n % 200}", **ip}) \
        / UDP(sport=1000 + n, dport=53) / Raw(bytes([n % 256]) * (20 + n % 40))


def run(tmp_path, packets, graph, **more):
    source = makers.pcap(tmp_path / "in.pcap", packets, ns=True)
    out = tmp_path / "out.pcap"
    result = run_ptctl("run", "--private", graph.format(source=f"RdpcapSource('{source}')", sink=f"WrpcapSink('{out}', format='pcap-ns')"), **more)
    assert result.code == 0, result
    return result, out


def deduplicated(tmp_path, packets, words):
    result, out = run(tmp_path, packets, f"{{source}} > DedupDrain({words}) > {{sink}}")
    left = len(packets) - len(makers.read(out))
    assert f"{len(packets)} in" in result.err.replace(",", "") and (not left or f"{left} filtered" in result.err)
    return makers.read(out)


def editcap(tmp_path, *words):
    out = tmp_path / "judge.pcap"
    subprocess.run(["editcap", "-F", "nsecpcap", *words, str(tmp_path / "in.pcap"), str(out)], check=True, capture_output=True)
    return makers.read(out)


def with_copies(seed, apart_ns=1000):
    """Each packet comes up to twice, the second one soon or late: no copy is one of a copy."""
    chance = random.Random(seed)
    order = [(10 * n, n) for n in range(300)] + [(10 * n + chance.choice([1, 11, 31, 39, 41, 95]), n) for n in range(300) if n % 3]
    return [(bytes(frame(n)), k * apart_ns) for k, (_, n) in enumerate(sorted(order))]


@pytest.mark.parametrize("window", [1, 4, 8])
def test_copies_among_so_many(tmp_path, window):
    ours = deduplicated(tmp_path, with_copies(window), f"packets={window}")
    assert ours == editcap(tmp_path, "-D", str(window + 1)) and len(ours) < 500


@pytest.mark.parametrize("seconds", ["0.000003", "0.000009"])
def test_copies_within_a_time(tmp_path, seconds):
    ours = deduplicated(tmp_path, with_copies(3), f"seconds={seconds}")
    assert ours == editcap(tmp_path, "-w", seconds) and len(ours) < 500


def test_a_copy_does_not_renew(tmp_path):
    packets = [(bytes(frame(1)), n * 800_000_000) for n in range(6)]
    assert deduplicated(tmp_path, packets, "seconds=1") == [(p, t, len(p)) for p, t in packets[::2]]


def test_what_is_no_copy(tmp_path):
    """Another length on the wire, another byte; time that goes back is no longer than it is."""
    one, other = bytes(Ether(type=0x88b5) / Raw(b"x" * 50)), bytes(Ether(type=0x88b5) / Raw(b"x" * 49 + b"y"))
    packets = [(one, 5 * S), (one, 5 * S, 200), (other, 5 * S), (one, 4 * S + 1), (one, 1 * S)]
    assert [t for _, t, _ in deduplicated(tmp_path, packets, "")] == [5 * S, 5 * S, 5 * S, 1 * S]


def test_padding_never_counts(tmp_path):
    short = bytes(Ether() / IP() / UDP()), bytes(Ether() / IPv6() / UDP()), bytes(Ether() / ARP(psrc="1.1.1.1", pdst="1.1.1.2"))
    packets = [(p + pad, n) for n, pad in enumerate([b"", bytes(6), b"\1\2\3\4\5\6\7\x08"]) for p in short]
    assert [p for p, _, _ in deduplicated(tmp_path, packets, "")] == list(short)


A = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
B = Ether(src="02:00:00:00:00:09", dst="02:00:00:00:00:02")
V4 = dict(src="192.0.2.1", dst="192.0.2.2")
V6 = dict(src="2001:db8::1", dst="2001:db8::2")
IGNORED = {
    "eth": (A / IP(**V4), B / IP(**V4)),
    "vlan": (A / IP(**V4), A / Dot1Q(vlan=3) / IP(**V4)),
    "ttl": (A / IP(**V4, ttl=9), A / IP(**V4, ttl=8)),
    "ttl of six": (A / IPv6(**V6, hlim=9), A / IPv6(**V6, hlim=8)),
    "ip.id": (A / IP(**V4, id=1), A / IP(**V4, id=2)),
}


def test_what_is_ignored(tmp_path):
    """Each of the words what it says, and nothing else."""
    load = UDP(sport=1, dport=2) / Raw(b"so many bytes of load")
    for word in ["eth", "vlan", "ttl", "ip.id"]:
        for name, (first, second) in IGNORED.items():
            packets = [(bytes(first / load), 1), (bytes(second / load), 2)]
            same = name.split()[0] == word
            assert len(deduplicated(tmp_path, packets, f"ignore='{word}'")) == (1 if same else 2), (word, name)
    packets = [(bytes(A / Dot1Q(vlan=4) / IP(**V4, ttl=9, id=7) / load), 1), (bytes(B / IP(**V4, ttl=1, id=8) / load) + bytes(9), 2),
               (bytes(B / IP(**V4, ttl=1, id=8) / load)[:-1] + b"!", 3)]
    assert len(deduplicated(tmp_path, packets, "ignore=['eth', 'vlan', 'ttl', 'ip.id']")) == 2


def test_its_memory_is_bounded(tmp_path):
    packets = [(bytes(frame(n)), n) for n in range(3000)]
    assert len(deduplicated(tmp_path, packets + packets[:1], "limit='1KiB'")) == 3001
    assert len(deduplicated(tmp_path, packets + packets[:1], "")) == 3000


@pytest.mark.parametrize("words, say", [("ignore='tll'", "did you mean 'ttl'"), ("packets=0", "packets"), ("seconds=-1", "seconds")])
def test_dedup_of_nothing_is_refused(daemon, words, say):
    refused = daemon.ptctl("create", "e", f"DedupDrain({words}) > Sink()")
    assert refused.code == 1 and say in refused.err, refused


# ---- CountDrain ----

def traffic(count=400, seed=1):
    chance = random.Random(seed)
    return [(bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=f"192.0.2.{chance.randrange(1, 40)}", dst="198.51.100.1")
                   / TCP(sport=chance.randrange(1, 9), dport=80) / Raw(bytes(chance.randrange(60)))), n * S // 10) for n in range(count)]


def counted(tmp_path, packets, words):
    source = makers.pcap(tmp_path / "in.pcap", packets, ns=True)
    out, reports = tmp_path / "out.pcap", tmp_path / "reports"
    result = run_ptctl("run", "--private", f"c = CountDrain({words}); RdpcapSource('{source}') > c > WrpcapSink('{out}', format='pcap-ns'); "
                       f"c >> FileSink('{reports}', newlines=True)")
    assert result.code == 0, result
    assert [(p, t) for p, t, _ in makers.read(out)] == [(p[0], p[1]) for p in packets]
    return reports.read_text()


def test_counts_are_tsharks(tmp_path):
    report, = [json.loads(line) for line in counted(tmp_path, traffic(), "seconds=1000, top=100, format='json'").splitlines()]
    text = subprocess.run(["tshark", "-n", "-q", "-r", str(tmp_path / "in.pcap"), "-z", "endpoints,ip"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in text.splitlines() if re.match(r"192\.", line)]
    wanted = {row[0]: (int(row[1]), int(row[2])) for row in rows}
    assert {r["key"]: (r["packets"], r["bytes"]) for r in report["top"]} == wanted
    assert [r["bytes"] for r in report["top"]] == sorted((b for _, b in wanted.values()), reverse=True)
    assert report["rest"] == {"keys": 0, "packets": 0, "bytes": 0} and report["evicted"] == 0
    assert (report["time"], report["seconds"], report["by"]) == ("0.000000000", 1000, "ip.src")


def test_each_interval_is_told(tmp_path):
    packets = traffic(250) + [(p, t + 100 * S) for p, t in traffic(5)]
    reports = [json.loads(line) for line in counted(tmp_path, packets, "top=3, sort='packets', format='json'").splitlines()]
    assert [r["time"] for r in reports] == ["0.000000000", "10.000000000", "20.000000000", "100.000000000"]
    for r in reports:
        begin = float(r["time"]) * S
        sums = collections.Counter(Ether(p)[IP].src for p, t in packets if begin <= t < begin + 10 * S)
        assert [t["packets"] for t in r["top"]] == [n for _, n in sums.most_common(3)]
        assert all(sums[t["key"]] == t["packets"] for t in r["top"])
        assert r["rest"]["keys"] == max(len(sums) - 3, 0) and r["rest"]["packets"] == sum(sums.values()) - sum(t["packets"] for t in r["top"])


def test_keys_of_several_parts_in_text(tmp_path):
    text = counted(tmp_path, traffic(50), "by=['ip.dst', 'tcp.dport'], seconds=100")
    size = sum(len(p) for p, _ in traffic(50))
    assert text.splitlines()[0] == "1970-01-01T00:00:00Z, 100 s, by ip.dst, tcp.dport"
    assert text.splitlines()[1].split() == [str(size), "bytes", "50", "packets", "198.51.100.1", "80"]
    assert text.splitlines()[-1].split() == [str(size), "bytes", "50", "packets", "all", "of", "it"]


def test_counts_are_bounded(tmp_path):
    packets = [(bytes(frame(n, src=f"10.0.{n // 250}.{1 + n % 250}")), n) for n in range(2000)]
    report = json.loads(counted(tmp_path, packets, "limit='1KiB', format='json', top=1"))
    assert report["evicted"] > 1800 and report["rest"]["packets"] == 1999 and report["rest"]["keys"] == 1999


def test_times_may_be_as_far_apart_as_there_are(daemon, rpc):
    """The first and the last moment of all: no copies, of other intervals, and more than ten seconds apart."""
    first, last = "-9223372036.854775808", "9223372036.854775807"
    daemon.create("e", "s = CLIFeeder(); s > DedupDrain() > d = QueueSink(); s > HeadDrain(seconds=10) > h = QueueSink(); "
                  "s > c = CountDrain(format='json') > Sink(); c >> r = QueueSink()")
    rpc.send("e", "s", *({"message": "same", "link_type": 147, "time": time} for time in (first, last)))
    daemon.ok("stop", "e")
    assert [m["time"] for m in rpc.recv("e", "d", 3, 0.1)] == [first, last]
    assert [m["time"] for m in rpc.recv("e", "h", 2, 0.1)] == [first]
    reports = [json.loads(text) for text in rpc.texts("e", "r", 3, 0.1)]
    assert [(r["time"], r["top"][0]["packets"]) for r in reports] == [(first, 1), ("9223372033.145224192", 1)]


def test_a_silence_ends_an_interval(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); s > c = CountDrain(seconds=0.2, format='json') > Sink(); c >> q = QueueSink()")
    rpc.send("e", "s", "one", "three")
    report = json.loads(rpc.texts("e", "q", 1)[0])
    assert report["top"] == [{"key": "none", "packets": 2, "bytes": 8}]


def test_a_successor_counts_on(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); s > c = CountDrain(seconds=1000, format='json') > d = DedupDrain(seconds=1000) > q = QueueSink(); c >> r = QueueSink()")
    rpc.send("e", "s", "one", "two")
    daemon.ok("replace", "e.c", "CountDrain(seconds=1000, format='json', top=5)")
    daemon.ok("replace", "e.d", "DedupDrain(seconds=999)")
    rpc.send("e", "s", "one", "four")
    assert rpc.texts("e", "q", 3) == ["one", "two", "four"]
    daemon.ok("stop", "e")
    assert json.loads(rpc.texts("e", "r", 1)[0])["top"] == [{"key": "none", "packets": 4, "bytes": 13}]
