# SPDX-License-Identifier: BSD-2-Clause
"""Jobs of the bench on capture files and lines, each by the CPU of whole commands."""
import filecmp
import random
import statistics
import sys

from captures import flood, frame, make, vxlan, write
from running import rotate, run

SET = ["tcprewrite", "--srcipmap=0.0.0.0/0:198.51.100.1/32", "--dstipmap=0.0.0.0/0:203.0.113.9/32",
       "-i", "{IN}", "-o", "{OUT}"]


def copy(bench):
    for data, limit in (("small", 0.6), ("imix", None), ("big", None)):
        bench.compare(f"copy, {data}", data, [], ["tcpdump", "-r", "{IN}", "-w", "{OUT}"], limit)


def filter_bpf(bench):
    text = "tcp dst port 443 or (udp and net 10.0.0.0/8)"
    bench.compare("filter with bpf, small", "small", [f"FilterDrain(\"bpf '{text}'\")"],
                  ["tcpdump", "-r", "{IN}", "-w", "{OUT}", text], None)


def set_fields(bench):
    bench.compare("set{ip.src, ip.dst}, small", "small",
                  ["TransformDrain(\"set{['ip.src']='198.51.100.1', ['ip.dst']='203.0.113.9'}\")"],
                  SET, 0.2)


def anonymize(bench):
    """The peer replaces the outer addresses by one: the least that it could do."""
    bench.compare("anonymize, small", "small", ["TransformDrain('anonymize')"], SET, 0.4)


def hops(bench):
    """Ten drains more, on a road that is short otherwise, so that they can be seen at all."""
    source, count = bench.input("small")
    rounds = 4
    ends = f'RdpcapSource("{source}", loop={rounds})', "Sink()"
    few, many = rotate([bench.pipe(*ends), bench.pipe(ends[0], *["Drain()"] * 10, ends[1])],
                        bench.rounds + 4, bench.folder)
    count *= rounds
    base = statistics.median(few) / count * 1e9
    more = statistics.median(b - a for a, b in zip(few, many)) / count / 10 * 1e9
    bench.row("ten Drains, a packet and hop", f"{more:.2f} ns", f"without {base:.1f}", "", 0.2,
              more <= 0.2)


def merge(bench):
    """Eight files of the same times, by time stamp."""
    count = bench.packets // 16
    files = [make(bench.folder / f"merge{n}.pcap", count, [64]) for n in range(8)]
    ours = bench.pipe(f'RdpcapSource("{bench.folder}/merge?.pcap", order="time")', 'WrpcapSink("ours.pcap")')
    bench.versus("merge of 8 files by time", ours, ["mergecap", "-F", "pcap", "-w", "peer.pcap", *files],
                 count * 8, "mergecap", 0.5)


def dedup(bench):
    """Each packet twice, one behind the other."""
    count = bench.packets // 2
    source = write(bench.folder / "twice.pcap", (frame(n // 2 % 16384, 64) for n in range(32768)), count)
    bench.versus("drop what comes twice", bench.pipe(
        f'RdpcapSource("{source}")', "DedupDrain(packets=4)", 'WrpcapSink("ours.pcap")'),
        ["editcap", "-F", "pcap", "-d", source, "peer.pcap"], count, "editcap -d", 0.35)


def unwrap(bench):
    """Out of a VXLAN, beside a copy of what that is in."""
    count = bench.packets // 2
    source = write(bench.folder / "vxlan.pcap", (vxlan(frame(n, 64)) for n in range(16384)), count)
    read, to = f'RdpcapSource("{source}")', 'WrpcapSink("ours.pcap")'
    bench.versus("unwrap VXLAN", bench.pipe(read, "UnwrapDrain()", to), bench.pipe(read, to), count,
                 "a copy", 1.3)


def count_keys(bench):
    """Of a million addresses that come by chance, and of flows that never come again."""
    count, keys = bench.packets * 2, 1_000_000
    chance = random.Random(1)
    for what, flows, drain, most in (
            ("count of a million keys", (chance.randrange(keys) for _ in range(count)),
             "CountDrain(seconds=1000000)", 80),
            ("the first of each flow, of a flood", range(count), 'HeadDrain(count=9, per="flow")', 60)):
        bench.beyond(what, write(bench.folder / "keys.pcap", map(flood, flows), count), count, drain, most)


def program(bench):
    """Lines through a program."""
    count = bench.packets // 5
    source = bench.folder / "lines.txt"
    source.write_text("".join(f"{n:079}\n" for n in range(count)), encoding="ascii")
    ours = bench.pipe(f'FileSource("{source}")', 'ProgramPipe("cat")', 'FileSink("ours.pcap", newlines=True)')
    peer = ["socat", f"OPEN:{source}!!OPEN:peer.pcap,creat", "EXEC:cat,pipes"]
    for command, output in (ours, "ours.pcap"), (peer, "peer.pcap"):
        run(command, bench.folder)
        if not filecmp.cmp(source, bench.folder / output, shallow=False):
            sys.exit(f"{command[0]}: what came of the lines is not what they were")
    bench.versus("lines through a program", ours, peer, count, "socat", 1.5)


def split(bench):
    """A file for each of a thousand flows, whose packets come in turns."""
    count, flows = bench.packets // 2, 1000
    source = write(bench.folder / "flows.pcap", (frame(n, 64) for n in range(flows)), count)
    read = f'RdpcapSource("{source}")'
    bench.versus("split into 1,000 flows", bench.pipe(read, 'WrpcapSink("flows/{flow}.pcap")'),
                 bench.pipe(read, 'WrpcapSink("ours.pcap")'), count, "a copy", 2)


def script(bench):
    """Functions in Lua: of one line, and one that writes two addresses where there are some."""
    source, count = bench.input("small")
    for what, text, most in (
            ("a Lua function of one line", "function(m) m.ip.ttl = 9 return m end", 60),
            ("a Lua function that writes two addresses", "function(p) if p.ip then p.ip.src = '1.1.1.1' "
             "p.ip.dst = '2.2.2.2' end return p end", 250)):
        bench.beyond(what, source, count, f'TransformDrain("{text}")', most)
