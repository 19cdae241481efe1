# SPDX-License-Identifier: BSD-2-Clause
"""Jobs of the bench on a daemon as a whole: how soon it answers, what it costs at rest, and to change."""
import filecmp
import os
import pathlib
import statistics
import sys
import threading
import time

from running import LARGE, Daemon, call, fetch, ticking


def start(bench):
    times = []
    for _ in range(20):
        with Daemon(bench.build, bench.folder) as daemon:
            client, stream = daemon.connect()
            call(stream, "daemon.info")
            times.append((time.monotonic() - daemon.began) * 1e3)
            client.close()
    middle = statistics.median(times)
    bench.row("start to first answer", f"{middle:.1f} ms", f"worst {max(times):.1f}", "", "20 ms",
              middle <= 20)


def idle(bench):
    with Daemon(bench.build, bench.folder) as daemon:
        client, stream = daemon.connect()
        call(stream, "engine.create", engine="e", start=True,
             blocks=[{"name": "s", "type": "CLIFeeder"}, {"name": "q", "type": "QueueSink"}],
             links=[{"from": "s", "to": "q"}])
        pause = threading.Event()
        pause.wait(0.5)
        before = usage(daemon.process.pid)
        pause.wait(5)
        after = usage(daemon.process.pid)
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
            resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        client.close()
    bench.row("idle for 5 s: wake-ups", str(after[1] - before[1]),
              f"{(after[0] - before[0]) / 1e6:.2f} ms CPU", "", "0", after == before)
    bench.row("idle: resident", f"{resident / 1024:.1f} MiB", "", "", "8 MiB", resident < 8192)
    few, many = (statistics.median(times) for times in zip(*(
        [beside(bench, 0), beside(bench, 10000)] for _ in range(bench.rounds))))
    bench.row("a source of 1 ms beside 10,000 idle blocks, 2 s", f"{many:.0f} ms CPU",
              f"alone {few:.0f}", f"x {many / few:.2f}", 1.2, many / few <= 1.2)


def beside(bench, idle):
    """Milliseconds of CPU in two seconds of a source and a sink, and so many blocks that rest."""
    with Daemon(bench.build, bench.folder, LARGE) as daemon:
        client, stream = daemon.connect()
        call(stream, "engine.create", engine="ticking", start=True, ephemeral=True,
             **ticking(idle))
        pause = threading.Event()
        pause.wait(0.5)
        before, _ = usage(daemon.process.pid)
        pause.wait(2)
        after, _ = usage(daemon.process.pid)
        client.close()
    return (after - before) / 1e6


def usage(pid):
    """Nanoseconds on a CPU, and switches, of all threads."""
    spent = switches = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as line:
            spent += int(line.read().split()[0])
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as lines:
            switches += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return spent, switches


def latency(bench):
    """daemon.info while one engine copies at full speed and another is kept busy by a script."""
    source, _ = bench.input("big")
    with Daemon(bench.build, bench.folder) as daemon:
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
    bench.row("daemon.info under load, worst of 300", f"{max(times):.1f} ms",
              f"median {statistics.median(times):.2f}", "", "50 ms", max(times) <= 50)


def changes(bench):
    """How long a change holds up the packets, as the engine measures it, at full speed."""
    source, _ = bench.input("small")
    drains = [("Drain", {}), ("TransformDrain", {"f": "truncate(1500)"}),
              ("FilterDrain", {"f": "always"})]
    with Daemon(bench.build, bench.folder) as daemon:
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
    tell_pauses(bench, "pause of a change, 2000 under traffic", pauses, 10, 50)
    for blocks, most, most_ms in ((100, 50, 0.3), (10000, 100, 1)):
        pauses, made_ms, change_ms = changes_of(bench, blocks)
        tell_pauses(bench, f"pause of a change of {blocks} blocks", pauses, 10, most)
        bench.row(f"a change of two operations in {blocks} blocks", f"{change_ms:.2f} ms CPU",
                  "", "", f"{most_ms} ms", change_ms <= most_ms)
    bench.row("engine.create of 10,000 blocks", f"{made_ms:.0f} ms CPU", "", "", "300 ms", made_ms <= 300)


def tell_pauses(bench, what, pauses, middle_us, late_us):
    pauses = sorted(pauses)
    middle, late = pauses[len(pauses) // 2], pauses[len(pauses) * 99 // 100]
    bench.row(what, f"p50 {middle:.1f} us", f"p99 {late:.1f} us", f"max {pauses[-1]:.0f} us",
              f"{middle_us} and {late_us} us", middle <= middle_us and late <= late_us)


def changes_of(bench, blocks):
    """A block that comes and goes, and a parameter, in a graph of so many beside a source: the pauses,
    and the daemon's CPU for making the engine, and for a change (without the source's)."""
    with Daemon(bench.build, bench.folder, LARGE) as daemon:
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


def metrics(bench):
    """The counts of a thousand engines at rest by HTTP, and what the control loop, which others wait for, spends
    on it."""
    web = bench.folder / "http.sock"
    taken, spent = [], []
    with Daemon(bench.build, bench.folder, config=f"[http]\nlisten = {web}\n") as daemon:
        client, stream = daemon.connect()
        for number in range(1000):
            call(stream, "engine.create", engine=f"e{number}", text="CLIFeeder() > Drain() > Sink()",
                 ephemeral=True, start=True)
        loop = pathlib.Path(f"/proc/{daemon.process.pid}/schedstat")  # of the main thread alone
        for number in range(4 * bench.rounds + 1):
            began, before = time.monotonic(), int(loop.read_text().split()[0])
            fetch(web, "/metrics")
            if number:
                taken.append((time.monotonic() - began) * 1e3)
                spent.append((int(loop.read_text().split()[0]) - before) / 1e6)
        client.close()
    middle = statistics.median(taken)
    bench.row("counts of 1,000 engines, wall", f"{middle:.0f} ms", f"loop {statistics.median(spent):.1f} ms", "",
              "100 ms", middle <= 100)


def cores(bench):
    """One file, read, filtered and written over one engine and over two: wall time, and the CPU of the busier engine,
    which is what takes the time where cores are free."""
    source, count = bench.input("small")
    read, write = f'RdpcapSource("{source}")', f'WrpcapSink("{bench.folder}/ours.pcap")'
    tests = [f"FilterDrain(\"function(m) return m.ip.ttl ~= {n} end\")" for n in (1, 2)]
    one = [f"{read} > {tests[0]} > {tests[1]} > {write}"]
    two = [f"{read} > {tests[0]} > ToEngine('x')", f"FromEngine('x') > {tests[1]} > {write}"]
    ratios, taken = [], []
    for number in range(bench.rounds + 1):
        before, after = took(bench, one), took(bench, two)
        if not filecmp.cmp(source, bench.folder / "ours.pcap", shallow=False):
            sys.exit("the copy over two engines is not what was copied")
        if number:
            ratios.append([a / b for a, b in zip(before, after)])
            taken.append([b / count * 1e9 for b in after])
    for what, ratio, ns in zip(("wall", "CPU of the busier"), zip(*ratios), zip(*taken)):
        middle = statistics.median(ratio)
        bench.row(f"read, filter, write over two engines, {what}", f"{statistics.median(ns):.0f} ns", "one",
                  f"x {middle:.2f}", "1.6 faster", middle >= 1.6)


def took(bench, texts):
    """Seconds from the start of the first engine to the end of the last, and of CPU of the busiest."""
    names = [f"e{n}" for n in range(len(texts))]
    with Daemon(bench.build, bench.folder) as daemon:
        client, stream = daemon.connect()
        for name, text in zip(names, texts):
            call(stream, "engine.create", engine=name, text=text, ephemeral=True)
        began = time.monotonic()
        for name in reversed(names):
            call(stream, "engine.start", engine=name)
        for name in names:
            call(stream, "engine.stop", engine=name, wait=True)
        seconds = time.monotonic() - began
        busiest = max(call(stream, "engine.stats", engine=name)["cpu_ns"] for name in names)
        client.close()
    return seconds, busiest / 1e9
