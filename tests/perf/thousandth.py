#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""One packet in a thousand to a function of Python's, behind five blocks of the daemon's.

thousandth.py FILE ROUNDS python|daemon: as a script, with a sink of Python's, or of the daemon's.
"""
import pathlib
import sys

PACKETS = 10_000_000


def measure(bench):
    """Both, in turns."""
    source, count = bench.input("small")
    rounds, top = max(1, PACKETS // count), pathlib.Path(__file__).resolve().parents[2]
    ours, theirs = ([
        "env", f"PYTHONPATH={top}/python", f"PIPETOOLD={bench.build}/daemon/pipetoold", sys.executable, __file__,
        source, str(rounds), where] for where in ("python", "daemon"))
    bench.versus("one in a thousand to a Python sink", ours, theirs, count * rounds, "without", 1.2)


def run(source, rounds, where):
    from pipetool import Drain, FilterDrain, PipeEngine, RdpcapSource, SampleDrain, Sink, TransformDrain

    class Here(Sink):
        """One of Python's."""
        seen = 0

        def push(self, msg):
            self.seen += 1

    first, sink = RdpcapSource(source, loop=int(rounds)), Here() if where == "python" else Sink()
    first > Drain() > FilterDrain(filter="ip") > TransformDrain("set{['ip.ttl']=9}") > Drain() > \
        SampleDrain(every=1000) > sink
    engine = PipeEngine(first)
    engine.start()
    engine.wait_and_stop()
    if isinstance(sink, Here) and not sink.seen:
        sys.exit("nothing came")


if __name__ == "__main__":
    run(*sys.argv[1:])
