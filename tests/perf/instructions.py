#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Instructions a packet, by callgrind: the same on a busy machine as on a quiet one.

instructions.py BUILD [--save | --plots FOLDER]

What a job costs is the difference between a long file and a short one, so that starting and ending
do not count. What the kernel does is not seen. A vector that takes longer than 2 ms is halved, which under
callgrind those to hundreds of sinks do, and on a busy machine those to fewer. instructions.json has the
figures of a tree; a change is compared with it, and saves its own (--save) when they are meant.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import captures
import running
from packets import SET

KNOWN = pathlib.Path(__file__).with_name("instructions.json")
MORE = 1.03  # what is not noise of addresses and hashes
ROW = "{:<42} {:>10} {:>10} {:>16} {:>8}  {}"
FEW, MANY = 20000, 60000  # packets: more than the 16,384 flows that they are of
# Else long ones are copied by `rep movsb`, of which callgrind counts each byte.
COPIES = "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=100000000"
FILTER = "tcp dst port 443 or (udp and net 10.0.0.0/8)"
TCPDUMP = ["tcpdump", "-Z", "root", "-r", "{IN}", "-w", "{OUT}"]  # of another user it is not counted
WRITE = ' > WrpcapSink("{OUT}")'

# name: (what follows the source, peer, per how many of its kind, and what is the same without them)
JOBS = {
    "read": (" > Sink()", None, 1, None),
    "copy": (WRITE, TCPDUMP, 1, None),
    "filter, 23 instructions, and write": (f" > FilterDrain(filter='{FILTER}')" + WRITE,
                                           [*TCPDUMP, FILTER], 1, None),
    "set{ip.src, ip.dst} and write": (
        " > TransformDrain(\"set{{['ip.src']='198.51.100.1', ['ip.dst']='203.0.113.9'}}\")" + WRITE,
        SET, 1, None),
    "anonymize and write": (" > TransformDrain('anonymize')" + WRITE, SET, 1, None),
    "a hop: Drain": (" > Drain()" * 20 + " > Sink()", None, 20, "read"),
    "a hop that reads a header": (" > FilterDrain(filter='ip')" * 10 + " > Sink()", None, 10, "read"),
    "fan-out, a sink": (" > Sink()" + "; r > Sink()" * 40, None, 40, "read"),
    "a Lua function of one line": (" > TransformDrain('function(m) m.ip.ttl = 9 return m end') > Sink()",
                                   None, 1, "read"),
    "a Lua function that writes two addresses": (
        " > TransformDrain('function(p) if p.ip then p.ip.src = \"1.1.1.1\" p.ip.dst = \"2.2.2.2\" end return p end')"
        " > Sink()", None, 1, "read"),
    "a Lua function that tells": (" > FilterDrain('function(m) return m.ip.ttl ~= 1 end') > Sink()", None, 1, "read"),
    "the first 1,000 of each flow": (" > HeadDrain(count=1000, per='flow') > Sink()", None, 1, "read"),
}


class Counter:
    def __init__(self, build, folder):
        self.build, self.folder = build, pathlib.Path(folder)
        self.inputs = {}

    def input(self, packets, length=64):
        if (packets, length) not in self.inputs:
            path = self.folder / f"{packets}-{length}.pcap"
            self.inputs[packets, length] = captures.make(path, packets, [length])
        return self.inputs[packets, length]

    def under(self):
        return ["env", COPIES, "valgrind", "--tool=callgrind", f"--callgrind-out-file={self.folder}/callgrind"]

    def total(self):
        """Of the run that has just ended."""
        text = (self.folder / "callgrind").read_text(encoding="ascii", errors="replace")
        return int(re.findall(r"^(?:totals|summary): (\d+)", text, re.M)[-1])

    def daemon(self, texts):
        """Instructions of a daemon that runs these graphs to their ends."""
        with running.Daemon(self.build, self.folder, running.LARGE, self.under()) as daemon:
            client, stream = daemon.connect()
            names = [f"e{n}" for n in range(len(texts))]
            for name, text in zip(names, texts):
                running.call(stream, "engine.create", engine=name, text=text, ephemeral=True, start=True)
            for name in names:
                running.call(stream, "engine.stop", engine=name, wait=True)
            client.close()
        return self.total()

    def program(self, command):
        subprocess.run([*self.under(), *command], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self.total()

    def each(self, count):
        """A packet's share of what count(packets) gives."""
        return (count(MANY) - count(FEW)) / (MANY - FEW)

    def ours(self, rest, length=64):
        out = self.folder / "ours.pcap"
        return self.each(lambda packets: self.daemon(
            [f'r = RdpcapSource("{self.input(packets, length)}"); r{rest.format(OUT=out)}']))

    def peer(self, command):
        return self.each(lambda packets: self.program(
            [part.format(IN=self.input(packets), OUT="peer.pcap") for part in command]))


def jobs(counter):
    """Name: instructions of ours, and of the peer."""
    found = {}
    for name, (rest, command, share, without) in JOBS.items():
        ours = (counter.ours(rest) - (found[without]["ours"] if without else 0)) / share
        found[name] = {"ours": round(ours, 1)}
        if command:
            found[name] |= {"peer": round(counter.peer(command), 1), "peer_name": command[0]}
        yield name, found[name]


def curves(counter):
    """Name: points of how many, and instructions a packet."""
    steps = [1, 3, 10, 30, 100, 300]
    yield "bytes a packet", [(length, counter.ours(WRITE, length))
                             for length in (64, 128, 256, 512, 1024, 1500, 9000)]
    yield "hops", [(n, counter.ours(" > Drain()" * n + " > Sink()")) for n in [*steps, 1000]]
    yield "sinks", [(n, counter.ours(" > Sink()" + "; r > Sink()" * (n - 1))) for n in steps]
    yield "blocks beside", [(n, counter.ours(" > Sink()" + "; Drain() > Sink()" * (n // 2)))
                            for n in (2, 10, 100, 1000)]
    yield "engines", [(n, counter.each(lambda packets, n=n: counter.daemon(
        [f'RdpcapSource("{counter.input(packets)}") > Sink()'] * n)) / n) for n in (1, 3, 10, 30)]


def compare(build, folder, save):
    """Prints the figures beside the peers' and those that are known; how many are worse."""
    known = json.loads(KNOWN.read_text(encoding="ascii")) if KNOWN.exists() else {}
    found, worse = {}, 0
    print("Instructions a packet of 64 bytes, of the program alone")
    print(ROW.format("", "pipetool", "known", "peer", "ratio", ""))
    for name, row in jobs(Counter(build, folder)):
        before = known.get(name, {}).get("ours")
        more = before is not None and row["ours"] > before * MORE + 0.5
        peer = f"{row['peer_name']} {row['peer']:.0f}" if "peer" in row else ""
        ratio = f"x {row['ours'] / row['peer']:.2f}" if "peer" in row else ""
        print(ROW.format(name, f"{row['ours']:.1f}", "" if before is None else f"{before:.1f}", peer, ratio,
                         "MORE THAN BEFORE" if more else ""), flush=True)
        found[name] = row
        worse += more
    if save:
        KNOWN.write_text(json.dumps(found, indent=1) + "\n", encoding="ascii")
    return 0 if save else worse


def plot(build, folder, into):
    """An SVG, by gnuplot, of each curve, and plots.json with its points."""
    into = pathlib.Path(into)
    into.mkdir(parents=True, exist_ok=True)
    points = {}
    for name, rows in curves(Counter(build, folder)):
        points[name] = [[n, round(cost, 1)] for n, cost in rows]
        print(f"{name}: " + ", ".join(f"{n}: {cost}" for n, cost in points[name]), flush=True)
    (into / "plots.json").write_text(json.dumps(points, indent=1) + "\n", encoding="ascii")
    draw(into)


def draw(into):
    for name, rows in json.loads((into / "plots.json").read_text(encoding="ascii")).items():
        data = "\n".join(f"{n} {cost}" for n, cost in rows)
        script = f"""set terminal svg size 560,340 font 'sans,11' background '#ffffff'
set output '{into / name.replace(" ", "-")}.svg'
set title 'Instructions a packet, by {name}'
set logscale xy
set grid
set key off
set yrange [1:]
$points << END
{data}
END
plot $points using 1:2 with linespoints lw 2 pt 7 ps 0.6, '' using 1:2:2 with labels offset 0,0.9 font ',9'
"""
        done = subprocess.run(["gnuplot"], input=script.encode(), stderr=subprocess.PIPE, check=False)
        if done.returncode:
            sys.exit(f"gnuplot: {done.stderr.decode(errors='replace')}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --instructions")
    parser.add_argument("build")
    parser.add_argument("--save", action="store_true", help="what is found becomes what is known")
    parser.add_argument("--plots", metavar="FOLDER", help="curves as SVG in place of the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pipetool-bench") as folder:
        if options.plots:
            plot(options.build, folder, options.plots)
            return 0
        return 1 if compare(options.build, folder, options.save) else 0


if __name__ == "__main__":
    sys.exit(main())
