#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures pipetool against its peers in the same run, and says whether the limits hold.

bench.py BUILD [--packets N] [--rounds N] [JOB…]

CPU is user and system time of everything that a command starts, the daemon included. The commands
of a job take turns (A B A B …) after a round that does not count; medians are compared. Files lie
in memory. Of what varies between machines, only ratios within one run mean something.
"""
import argparse
import ctypes
import filecmp
import json
import os
import pathlib
import random
import resource
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import jetstream
import network
import thousandth

ROW = "{:<44} {:>12} {:>14} {:>12}  {}"
PR_SET_CHILD_SUBREAPER = 36


# ---- input --------------------------------------------------------------------------------------

def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def frame(flow, length):
    """An Ethernet frame of a UDP or TCP flow, checksums right."""
    source, target = struct.pack("!I", 0x0a000000 + flow), struct.pack("!I", 0x0a800000 + flow * 7)
    protocol = 6 if flow % 5 < 3 else 17
    size = length - 34
    if protocol == 6:
        segment = struct.pack("!HHIIBBHHH", 1024 + flow % 60000, 443, flow, 1, 0x50, 0x10, 8192, 0, 0)
    else:
        segment = struct.pack("!HHHH", 1024 + flow % 60000, 53, size, 0)
    segment += bytes(size - len(segment))
    value = checksum(source + target + struct.pack("!BBH", 0, protocol, size) + segment)
    at = 16 if protocol == 6 else 6
    segment = segment[:at] + struct.pack("!H", value or 0xffff) + segment[at + 2:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, length - 14, flow & 0xffff, 0, 64, protocol, 0) + \
        source + target
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + header + segment


def flood(number):
    """A SYN from a host that has the number, and from nobody else."""
    return SYN[:26] + struct.pack("!I", 0x0b000000 + number) + SYN[30:]


SYN = frame(0, 64)


def vxlan(inner):
    """The frame in the network 42; without a checksum, as is usual."""
    udp = struct.pack("!HHHHII", 49152, 4789, 16 + len(inner), 0, 0x08000000, 42 << 8) + inner
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + bytes([192, 0, 2, 1, 192, 0, 2, 2])
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + header + udp


def write(path, frames, packets):
    """A capture of so many packets: these over and over."""
    records = [struct.pack("<IIII", 1_600_000_000 + n // 1000, n % 1000 * 1000, len(f), len(f)) + f
               for n, f in enumerate(frames)]
    rounds, rest = divmod(packets, len(records))
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        out.writelines([b"".join(records)] * rounds)
        out.writelines(records[:rest])
    return str(path)


def make(path, packets, lengths, fill=lambda frame: frame):
    """A capture of so many packets: 16,384 flows over and over, lengths in turn."""
    return write(path, (fill(frame(n, lengths[n % len(lengths)])) for n in range(16384)), packets)


def noise(data, chance=random.Random(1)):
    """As if it was encrypted: nothing makes it shorter. Checksums are wrong then."""
    return data[:54] + chance.randbytes(len(data) - 54)


# ---- running ------------------------------------------------------------------------------------

def cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def dirty(size):
    """Touches and frees memory, so that no command pays for pages that the host took back."""
    block = bytearray(b"\1") * size
    del block


def run(command, cwd):
    """CPU seconds of a command and all that it leaves behind."""
    for output in ("ours.pcap", "peer.pcap"):  # nobody pays for freeing what was there before
        pathlib.Path(cwd, output).unlink(missing_ok=True)
    dirty(512 << 20)
    before = cpu()
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)
    while True:  # we are the reaper of what it left
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return cpu() - before


def rotate(commands, rounds, cwd):
    """Seconds of each command, in turns; the first round does not count."""
    seconds = [[] for _ in commands]
    for number in range(rounds + 1):
        for times, command in zip(seconds, commands):
            taken = run(command, cwd)
            if number:
                times.append(taken)
    return seconds


class Daemon:
    def __init__(self, build, folder, config="", under=()):
        self.socket = str(pathlib.Path(folder, "bench.sock"))
        pathlib.Path(folder, "bench.conf").write_text(config, encoding="ascii")
        for sub in ("engines", "blocks", "state"):
            pathlib.Path(folder, sub).mkdir(exist_ok=True)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*under, f"{build}/daemon/pipetoold", "--socket", self.socket, "--config", f"{folder}/bench.conf",
             "--engines", f"{folder}/engines", "--blocks", f"{folder}/blocks", "--state",
             f"{folder}/state"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def connect(self):
        return connect(self.socket, self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def connect(path, process=None):
    """A connection, once there is somebody; he answers when the engines run."""
    while True:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(path)
            return client, client.makefile("rwb")
        except OSError:
            client.close()
            if process and process.poll() is not None:
                sys.exit(f"pipetoold ended with {process.returncode}")


def call(stream, method, **params):
    stream.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                             "params": params}).encode() + b"\n")
    stream.flush()
    answer = json.loads(stream.readline())
    if "error" in answer:
        sys.exit(f"{method}: {answer['error']}")
    return answer["result"]


def fetch(path, address):
    """What is served there, to its end."""
    with socket.socket(socket.AF_UNIX) as web:
        web.connect(str(path))
        web.sendall(f"GET {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: web.recv(1 << 20), b""))


LARGE = "[limits]\nblocks = 65536\n"


def ticking(idle):
    """A graph: a message every millisecond, and so many blocks that nothing comes to."""
    return {"blocks": [{"name": "s", "type": "PeriodicSource", "params": {"msg": "x", "period": 0.001}},
                       {"name": "q", "type": "Sink"},
                       *({"name": f"d{n}", "type": "Drain"} for n in range(idle))],
            "links": [{"from": "s", "to": "q"}]}


# ---- jobs ---------------------------------------------------------------------------------------

class Bench:
    def __init__(self, options, folder):
        self.build = options.build
        self.rounds = options.rounds
        self.packets = options.packets
        self.folder = folder
        self.broken = 0
        self.inputs = {}

    def input(self, name):
        lengths = {"small": [64], "short": [64], "big": [1500],
                   "imix": [64] * 7 + [594] * 4 + [1514], "noise": [64] * 7 + [594] * 4 + [1514]}[name]
        if name not in self.inputs:
            count = self.packets // {"small": 1, "short": 5}.get(name, 10)
            fill = {"fill": noise} if name == "noise" else {}
            self.inputs[name] = make(self.folder / f"{name}.pcap", count, lengths, **fill), count
        return self.inputs[name]

    def row(self, what, value, other, ratio, limit=None, holds=None):
        verdict = "" if limit is None else f"limit {limit}: {'holds' if holds else 'DOES NOT HOLD'}"
        print(ROW.format(what, value, other, ratio, verdict), flush=True)
        self.broken += holds is False

    def rotate(self, commands):
        return rotate(commands, self.rounds, self.folder)

    @staticmethod
    def served(path):
        """Waits until a daemon answers."""
        client, stream = connect(path)
        call(stream, "daemon.info")
        client.close()

    def pipe(self, *blocks):
        return [f"{self.build}/ctl/ptctl", "run", "--private", " > ".join(blocks)]

    def compare(self, what, data, ours, peer, limit, peer_name):
        source, count = self.input(data)
        command = self.pipe(f'RdpcapSource("{source}")', *ours, 'WrpcapSink("ours.pcap")')
        run(command, self.folder)
        if not ours and not filecmp.cmp(source, self.folder / "ours.pcap", shallow=False):
            sys.exit("the copy is not what was copied")
        self.versus(what, command, [part.format(IN=source, OUT="peer.pcap") for part in peer], count,
                    peer_name, limit)

    def versus(self, what, ours, theirs, count, name, limit):
        """CPU a packet, of so many, of two commands."""
        a, b = (statistics.median(times) / count * 1e9 for times in self.rotate([ours, theirs]))
        self.row(what, f"{a:.1f} ns", f"{name} {b:.0f}", f"x {a / b:.2f}", limit,
                 None if limit is None else a / b <= limit)

    def copy(self):
        for data, limit in (("small", 0.6), ("imix", None), ("big", None)):
            self.compare(f"copy, {data}", data, [], ["tcpdump", "-r", "{IN}", "-w", "{OUT}"], limit,
                         "tcpdump")

    def filter(self):
        text = "tcp dst port 443 or (udp and net 10.0.0.0/8)"
        self.compare("filter with bpf, small", "small", [f"FilterDrain(\"bpf '{text}'\")"],
                     ["tcpdump", "-r", "{IN}", "-w", "{OUT}", text], None, "tcpdump")

    SET = ["tcprewrite", "--srcipmap=0.0.0.0/0:198.51.100.1/32", "--dstipmap=0.0.0.0/0:203.0.113.9/32",
           "-i", "{IN}", "-o", "{OUT}"]

    def set(self):
        self.compare("set{ip.src, ip.dst}, small", "small",
                     ["TransformDrain(\"set{['ip.src']='198.51.100.1', ['ip.dst']='203.0.113.9'}\")"],
                     self.SET, 0.2, "tcprewrite")

    def anonymize(self):
        """The peer replaces the outer addresses by one: the least that it could do."""
        self.compare("anonymize, small", "small", ["TransformDrain('anonymize')"], self.SET, 0.4, "tcprewrite")

    def hops(self):
        """Ten drains more, on a road that is short otherwise, so that they can be seen at all."""
        source, count = self.input("small")
        rounds = 4
        ends = f'RdpcapSource("{source}", loop={rounds})', "Sink()"
        few, many = rotate([self.pipe(*ends), self.pipe(ends[0], *["Drain()"] * 10, ends[1])],
                           self.rounds + 4, self.folder)
        count *= rounds
        base = statistics.median(few) / count * 1e9
        more = statistics.median(b - a for a, b in zip(few, many)) / count / 10 * 1e9
        self.row("ten Drains, a packet and hop", f"{more:.2f} ns", f"without {base:.1f}", "", 0.2,
                 more <= 0.2)

    def merge(self):
        """Eight files of the same times, by time stamp."""
        count = self.packets // 16
        files = [make(self.folder / f"merge{n}.pcap", count, [64]) for n in range(8)]
        merge = self.pipe(f'RdpcapSource("{self.folder}/merge?.pcap", order="time")',
                          'WrpcapSink("ours.pcap")')
        self.versus("merge of 8 files by time", merge, ["mergecap", "-F", "pcap", "-w", "peer.pcap", *files],
                    count * 8, "mergecap", 0.5)

    def dedup(self):
        """Each packet twice, one behind the other."""
        count = self.packets // 2
        source = write(self.folder / "twice.pcap", (frame(n // 2 % 16384, 64) for n in range(32768)), count)
        self.versus("drop what comes twice", self.pipe(
            f'RdpcapSource("{source}")', "DedupDrain(packets=4)", 'WrpcapSink("ours.pcap")'),
            ["editcap", "-F", "pcap", "-d", source, "peer.pcap"], count, "editcap -d", 0.35)

    def unwrap(self):
        """Out of a VXLAN, beside a copy of what that is in."""
        count = self.packets // 2
        source = write(self.folder / "vxlan.pcap", (vxlan(frame(n, 64)) for n in range(16384)), count)
        read, to = f'RdpcapSource("{source}")', 'WrpcapSink("ours.pcap")'
        self.versus("unwrap VXLAN", self.pipe(read, "UnwrapDrain()", to), self.pipe(read, to), count,
                    "a copy", 1.3)

    def count(self):
        """Of a million addresses that come by chance, and of flows that never come again."""
        count, keys = self.packets // 2, 1_000_000
        chance = random.Random(1)
        for what, flows, drain, most in (
                ("count of a million keys", [chance.randrange(keys) for _ in range(count)],
                 "CountDrain(seconds=1000000)", 80),
                ("the first of each flow, of a flood", range(count), 'HeadDrain(count=9, per="flow")', 60)):
            source = write(self.folder / "keys.pcap", map(flood, flows), count)
            read = f'RdpcapSource("{source}")'
            with_it, without = self.rotate([self.pipe(read, drain, "Sink()"), self.pipe(read, "Sink()")])
            more = statistics.median(a - b for a, b in zip(with_it, without)) / count * 1e9
            self.row(what, f"{more:.1f} ns", "", "", f"{most} ns", more <= most)

    def program(self):
        """Lines through a program."""
        count = self.packets // 5
        source = self.folder / "lines.txt"
        source.write_text("".join(f"{n:079}\n" for n in range(count)), encoding="ascii")
        self.versus("lines through a program", self.pipe(
            f'FileSource("{source}")', 'ProgramPipe("cat")', 'FileSink("ours.pcap", newlines=True)'),
            ["socat", f"OPEN:{source}!!OPEN:peer.pcap,creat", "EXEC:cat,pipes"], count, "socat", 1.5)
        if not filecmp.cmp(source, self.folder / "peer.pcap", shallow=False):
            sys.exit("what came of the lines is not what they were")

    def split(self):
        """A file for each of a thousand flows, whose packets come in turns."""
        count, flows = self.packets // 2, 1000
        source = write(self.folder / "flows.pcap", (frame(n, 64) for n in range(flows)), count)
        read = f'RdpcapSource("{source}")'
        self.versus("split into 1,000 flows", self.pipe(read, 'WrpcapSink("flows/{flow}.pcap")'),
                    self.pipe(read, 'WrpcapSink("ours.pcap")'), count, "a copy", 2)

    def script(self):
        source, count = self.input("small")
        command = self.pipe(f'RdpcapSource("{source}")',
                            'TransformDrain("function(m) m.ip.ttl = 9 return m end")', "Sink()")
        times, = rotate([command], 2, self.folder)
        self.row("a Lua function on each packet", f"{statistics.median(times) / count * 1e9:.0f} ns",
                 "", "")

    def start(self):
        times = []
        for _ in range(20):
            with Daemon(self.build, self.folder) as daemon:
                client, stream = daemon.connect()
                call(stream, "daemon.info")
                times.append((time.monotonic() - daemon.began) * 1e3)
                client.close()
        middle = statistics.median(times)
        self.row("start to first answer", f"{middle:.1f} ms", f"worst {max(times):.1f}", "", "20 ms",
                 middle <= 20)

    def idle(self):
        with Daemon(self.build, self.folder) as daemon:
            client, stream = daemon.connect()
            call(stream, "engine.create", engine="e", start=True,
                 blocks=[{"name": "s", "type": "CLIFeeder"}, {"name": "q", "type": "QueueSink"}],
                 links=[{"from": "s", "to": "q"}])
            pause = threading.Event()
            pause.wait(0.5)
            before = self.usage(daemon.process.pid)
            pause.wait(5)
            after = self.usage(daemon.process.pid)
            with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
                resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
            client.close()
        self.row("idle for 5 s: wake-ups", str(after[1] - before[1]),
                 f"{(after[0] - before[0]) / 1e6:.2f} ms CPU", "", "0", after == before)
        self.row("idle: resident", f"{resident / 1024:.1f} MiB", "", "", "8 MiB", resident < 8192)
        few, many = (statistics.median(times) for times in zip(*(
            [self.beside(0), self.beside(10000)] for _ in range(self.rounds))))
        self.row("a source of 1 ms beside 10,000 idle blocks, 2 s", f"{many:.0f} ms CPU",
                 f"alone {few:.0f}", f"x {many / few:.2f}", 1.2, many / few <= 1.2)

    def beside(self, idle):
        """Milliseconds of CPU in two seconds of a source and a sink, and so many blocks that rest."""
        with Daemon(self.build, self.folder, LARGE) as daemon:
            client, stream = daemon.connect()
            call(stream, "engine.create", engine="ticking", start=True, ephemeral=True,
                 **ticking(idle))
            pause = threading.Event()
            pause.wait(0.5)
            before, _ = self.usage(daemon.process.pid)
            pause.wait(2)
            after, _ = self.usage(daemon.process.pid)
            client.close()
        return (after - before) / 1e6

    @staticmethod
    def usage(pid):
        """Nanoseconds on a CPU, and switches, of all threads."""
        spent = switches = 0
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as line:
                spent += int(line.read().split()[0])
            with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as lines:
                switches += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
        return spent, switches

    def latency(self):
        """daemon.info while one engine copies at full speed and another is kept busy by a script."""
        source, _ = self.input("big")
        with Daemon(self.build, self.folder) as daemon:
            client, stream = daemon.connect()
            call(stream, "engine.create", engine="copy", start=True, blocks=[
                {"name": "r", "type": "RdpcapSource", "params": {"fname": source, "loop": 0}},
                {"name": "d", "type": "Drain"},
                {"name": "w", "type": "WrpcapSink", "params": {"fname": "/dev/null"}}],
                links=[{"from": "r", "to": "d"}, {"from": "d", "to": "w"}])
            call(stream, "engine.create", engine="slow", start=True, blocks=[
                {"name": "r", "type": "RdpcapSource", "params": {"fname": source, "loop": 0}},
                {"name": "t", "type": "TransformDrain", "params": {
                    "f": "function(m) local x = 0 for i = 1, 200000 do x = x + i end return m end"}},
                {"name": "q", "type": "Sink"}],
                links=[{"from": "r", "to": "t"}, {"from": "t", "to": "q"}])
            times = []
            pause = threading.Event()
            for _ in range(300):
                pause.wait(0.01)
                began = time.monotonic()
                call(stream, "daemon.info")
                times.append((time.monotonic() - began) * 1e3)
            client.close()
        self.row("daemon.info under load, worst of 300", f"{max(times):.1f} ms",
                 f"median {statistics.median(times):.2f}", "", "50 ms", max(times) <= 50)

    def changes(self):
        """How long a change holds up the packets, as the engine measures it, at full speed."""
        source, _ = self.input("small")
        drains = [("Drain", {}), ("TransformDrain", {"f": "truncate(1500)"}),
                  ("FilterDrain", {"f": "always"})]
        with Daemon(self.build, self.folder) as daemon:
            client, stream = daemon.connect()
            names = [f"d{n}" for n in range(20)]
            call(stream, "engine.create", engine="e", start=True, blocks=[
                {"name": "r", "type": "RdpcapSource", "params": {"fname": source, "loop": 0}},
                *({"name": name, "type": "Drain"} for name in names), {"name": "q", "type": "Sink"}],
                links=[{"from": a, "to": b} for a, b in zip(["r", *names], [*names, "q"])])
            pauses = []
            for n in range(2000):
                kind, params = drains[(n // len(names) + 1) % 3]
                ops = [{"op": "replace", "name": names[n % len(names)], "type": kind, "params": params}]
                if n % 2:
                    ops = [{"op": "set", "name": "r", "params": {"loop": n}}]
                pauses.append(call(stream, "engine.change", engine="e", ops=ops)["pause_ns"] / 1e3)
            client.close()
        self.pauses("pause of a change, 2000 under traffic", pauses, 10, 50)
        for blocks, most, most_ms in ((100, 50, 0.3), (10000, 100, 1)):
            pauses, made_ms, change_ms = self.changes_of(blocks)
            self.pauses(f"pause of a change of {blocks} blocks", pauses, 10, most)
            self.row(f"a change of two operations in {blocks} blocks", f"{change_ms:.2f} ms CPU",
                     "", "", f"{most_ms} ms", change_ms <= most_ms)
        self.row("engine.create of 10,000 blocks", f"{made_ms:.0f} ms CPU", "", "", "300 ms", made_ms <= 300)

    def pauses(self, what, pauses, middle_us, late_us):
        pauses = sorted(pauses)
        middle, late = pauses[len(pauses) // 2], pauses[len(pauses) * 99 // 100]
        self.row(what, f"p50 {middle:.1f} us", f"p99 {late:.1f} us", f"max {pauses[-1]:.0f} us",
                 f"{middle_us} and {late_us} us", middle <= middle_us and late <= late_us)

    def changes_of(self, blocks):
        """A block that comes and goes, and a parameter, in a graph of so many beside a source: the pauses,
        and the daemon's CPU for making the engine, and for a change (without the source's)."""
        with Daemon(self.build, self.folder, LARGE) as daemon:
            client, stream = daemon.connect()
            def spent_ms():
                return time.clock_gettime(~daemon.process.pid << 3 | 2) * 1e3  # of another process
            before = spent_ms()
            call(stream, "engine.create", engine="large", ephemeral=True, **ticking(blocks - 2))
            made = spent_ms() - before
            call(stream, "engine.start", engine="large")
            changes = [[{"op": "add", "name": "x", "type": "Drain"},
                        {"op": "link", "from": "s", "to": "x"}],
                       [{"op": "set", "name": "s", "params": {"period": 0.002}}],
                       [{"op": "remove", "name": "x"}],
                       [{"op": "set", "name": "s", "params": {"period": 0.001}}]]
            pauses = [call(stream, "engine.change", engine="large", ops=changes[n % 4])["pause_ns"] / 1e3
                      for n in range(400)]
            call(stream, "engine.change", engine="large",
                 ops=[{"op": "set", "name": "s", "params": {"period": 3600}}])
            before = spent_ms()
            for n in range(100):
                call(stream, "engine.change", engine="large", ops=changes[n % 2 * 2])
            spent = (spent_ms() - before) / 100
            client.close()
        return pauses, made, spent

    def metrics(self):
        """The counts of a thousand engines at rest by HTTP, and what the control loop, which others wait for, spends on it."""
        web = self.folder / "http.sock"
        taken, spent = [], []
        with Daemon(self.build, self.folder, config=f"[http]\nlisten = {web}\n") as daemon:
            client, stream = daemon.connect()
            for number in range(1000):
                call(stream, "engine.create", engine=f"e{number}", text="CLIFeeder() > Drain() > Sink()",
                     ephemeral=True, start=True)
            loop = pathlib.Path(f"/proc/{daemon.process.pid}/schedstat")  # of the main thread alone
            for number in range(4 * self.rounds + 1):
                began, before = time.monotonic(), int(loop.read_text().split()[0])
                fetch(web, "/metrics")
                if number:
                    taken.append((time.monotonic() - began) * 1e3)
                    spent.append((int(loop.read_text().split()[0]) - before) / 1e6)
            client.close()
        middle = statistics.median(taken)
        self.row("counts of 1,000 engines, wall", f"{middle:.0f} ms", f"loop {statistics.median(spent):.1f} ms", "", "100 ms",
                 middle <= 100)

    def cores(self):
        """One file, read, filtered and written: wall time over one engine and over two."""
        source, count = self.input("small")
        read, write = f'RdpcapSource("{source}")', f'WrpcapSink("{self.folder}/ours.pcap")'
        tests = " > ".join(f"FilterDrain(\"function(m) return m.ip.ttl ~= {n} end\")" for n in (1, 2))
        one = [f"{read} > {tests} > {write}"]
        two = [f"{read} > {tests.split(' > ')[0]} > ToEngine('x')",
               f"FromEngine('x') > {tests.split(' > ')[1]} > {write}"]
        ratios, walls = [], []
        for number in range(self.rounds + 1):
            before, after = self.wall(one), self.wall(two)
            if not filecmp.cmp(source, self.folder / "ours.pcap", shallow=False):
                sys.exit("the copy over two engines is not what was copied")
            if number:
                ratios.append(before / after)
                walls.append(after / count * 1e9)
        middle = statistics.median(ratios)
        self.row("read, filter, write over two engines, wall", f"{statistics.median(walls):.0f} ns", "one",
                 f"x {middle:.2f}", "1.6 faster", middle >= 1.6)

    def wall(self, texts):
        """Seconds from the start of the first engine to the end of the last."""
        names = [f"e{n}" for n in range(len(texts))]
        with Daemon(self.build, self.folder) as daemon:
            client, stream = daemon.connect()
            for name, text in zip(names, texts):
                call(stream, "engine.create", engine=name, text=text, ephemeral=True)
            began = time.monotonic()
            for name in reversed(names):
                call(stream, "engine.start", engine=name)
            for name in names:
                call(stream, "engine.stop", engine=name, wait=True)
            taken = time.monotonic() - began
            client.close()
        return taken

    def python(self):
        thousandth.measure(self)

    def replay(self):
        network.replay(self)

    def capture(self):
        network.capture(self)

    def stream(self):
        network.stream(self)

    def nats(self):
        jetstream.job(self, Daemon, call)


JOBS = ["copy", "hops", "set", "anonymize", "filter", "merge", "dedup", "unwrap", "split",
        "count", "program", "script", "python", "replay", "capture",
        "stream", "nats", "start", "idle", "latency", "changes", "metrics", "cores"]


def main():
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("build", type=os.path.abspath)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(JOBS)}; all")
    parser.add_argument("--packets", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_intermixed_args()
    for job in options.jobs:
        if job not in JOBS:
            parser.error(f"no job '{job}': there are {', '.join(JOBS)}")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    room = shutil.disk_usage(memory or tempfile.gettempdir()).free
    if room < options.packets * 80 * 5:
        options.packets = room // 80 // 5
        print(f"only {room >> 20} MiB of memory-backed files: {options.packets} packets")
    with tempfile.TemporaryDirectory(prefix="pipetool-bench", dir=memory) as folder:
        bench = Bench(options, pathlib.Path(folder))
        print(f"{options.packets} packets of 64 bytes (a tenth of the larger ones), "
              f"{options.rounds} rounds in turn, median CPU a packet")
        print(ROW.format("", "pipetool", "peer", "ratio", ""))
        for job in options.jobs or JOBS:
            getattr(bench, job)()
    return 1 if bench.broken else 0


if __name__ == "__main__":
    sys.exit(main())
