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
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

import captures
import daemons
import jetstream
import network
import packets
import running
import thousandth

ROW = "{:<44} {:>12} {:>14} {:>12}  {}"
PR_SET_CHILD_SUBREAPER = 36

JOBS = {
    "copy": packets.copy, "hops": packets.hops, "set": packets.set_fields, "anonymize": packets.anonymize,
    "filter": packets.filter_bpf, "merge": packets.merge, "dedup": packets.dedup, "unwrap": packets.unwrap,
    "split": packets.split, "count": packets.count_keys, "program": packets.program, "script": packets.script,
    "python": thousandth.measure, "replay": network.replay, "capture": network.capture, "stream": network.stream,
    "nats": jetstream.measure, "start": daemons.start, "idle": daemons.idle, "latency": daemons.latency,
    "changes": daemons.changes, "metrics": daemons.metrics, "cores": daemons.cores}


class Bench:
    """What jobs have: a folder in memory, captures, and lines of the table."""

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
            fill = {"fill": captures.noise} if name == "noise" else {}
            self.inputs[name] = captures.make(self.folder / f"{name}.pcap", count, lengths, **fill), count
        return self.inputs[name]

    def tidy(self):
        """Leaves nothing of a job but the captures that others share."""
        shared = {path for path, _ in self.inputs.values()}
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif str(path) not in shared:
                path.unlink()

    def row(self, what, value, other, ratio, limit=None, holds=None):
        verdict = "" if limit is None else f"limit {limit}: {'holds' if holds else 'DOES NOT HOLD'}"
        print(ROW.format(what, value, other, ratio, verdict), flush=True)
        self.broken += holds is False

    def rotate(self, commands):
        return running.rotate(commands, self.rounds, self.folder)

    def pipe(self, *blocks):
        return [f"{self.build}/ctl/ptctl", "run", "--private", " > ".join(blocks)]

    def compare(self, what, data, ours, peer, limit):
        """Reading, so many blocks and writing, beside a peer that does the same."""
        source, count = self.input(data)
        command = self.pipe(f'RdpcapSource("{source}")', *ours, 'WrpcapSink("ours.pcap")')
        running.run(command, self.folder)
        if not ours and not filecmp.cmp(source, self.folder / "ours.pcap", shallow=False):
            sys.exit("the copy is not what was copied")
        self.versus(what, command, [part.format(IN=source, OUT="peer.pcap") for part in peer], count,
                    peer[0], limit)

    def versus(self, what, ours, theirs, count, name, limit):
        """CPU a packet, of so many, of two commands."""
        a, b = (statistics.median(times) / count * 1e9 for times in self.rotate([ours, theirs]))
        self.row(what, f"{a:.1f} ns", f"{name} {b:.0f}", f"x {a / b:.2f}", limit,
                 None if limit is None else a / b <= limit)

    def beyond(self, what, source, count, block, most):
        """CPU a packet of a block, beyond reading."""
        read = f'RdpcapSource("{source}")'
        with_it, without = self.rotate([self.pipe(read, block, "Sink()"), self.pipe(read, "Sink()")])
        more = statistics.median(a - b for a, b in zip(with_it, without)) / count * 1e9
        self.row(what, f"{more:.1f} ns", f"reading {statistics.median(without) / count * 1e9:.0f}", "", f"{most} ns",
                 more <= most)


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
            JOBS[job](bench)
            bench.tidy()
    return 1 if bench.broken else 0


if __name__ == "__main__":
    sys.exit(main())
