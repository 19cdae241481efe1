# SPDX-License-Identifier: BSD-2-Clause
"""A job of the bench: what packets cost on their way through NATS JetStream, there and back.

CPU is that of the daemon and of the servers while the packets pass; bytes are those of the stream's files.
"""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import threading
import time

from running import Daemon, call

PARTITIONS = 4


# ---- servers ------------------------------------------------------------------------------------

def free_ports(count):
    with contextlib.ExitStack() as stack:
        return [stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)]


def ask(port, subject, **body):
    """The answer to a request of JetStream's, or None while there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as peer, peer.makefile("rb") as lines:
            data = json.dumps(body).encode()
            peer.sendall(b'CONNECT {"verbose":false}\r\nSUB a 1\r\nPUB $JS.API.%s a %d\r\n%s\r\n'
                         % (subject.encode(), len(data), data))
            while not (line := lines.readline()).startswith(b"MSG"):
                if not line:
                    return None
            return json.loads(lines.read(int(line.split()[-1])))
    except OSError:
        return None


def insist(port, subject, **body):
    """Until the servers have found each other."""
    pause = threading.Event()
    while "error" in (answer := ask(port, subject, **body) or {"error": "no answer"}):
        pause.wait(0.1)
    return answer


@contextlib.contextmanager
def servers(folder, count):
    """So many, with a stream that each has a copy of: their processes, and a port."""
    ports = free_ports(2 * count)
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports[count:])
    made = []
    try:
        for n in range(count):
            config = folder / f"n{n}.conf"
            config.write_text(f'server_name: n{n}\nlisten: "127.0.0.1:{ports[n]}"\n'
                              f'jetstream {{ store_dir: "{folder}/n{n}", max_file_store: 100GB }}\n'
                              + (f'cluster {{ name: bench, listen: "127.0.0.1:{ports[count + n]}", routes: [{routes}] }}\n'
                                 if count > 1 else ""), encoding="ascii")
            made.append(subprocess.Popen(["nats-server", "-c", config], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        insist(ports[0], "STREAM.CREATE.s", name="s", subjects=["p.*"], storage="file", num_replicas=count)
        yield made, ports[0]
    finally:
        for process in made:
            process.terminate()
            process.wait()
        for n in range(count):
            shutil.rmtree(folder / f"n{n}", ignore_errors=True)


# ---- what passes --------------------------------------------------------------------------------

def cpu_ns(processes):
    return sum(time.clock_gettime_ns(~process.pid << 3 | 2) for process in processes)  # of other processes


class Passing:
    """An engine's run: nanoseconds of the daemon and of the servers a packet, and seconds by the clock."""

    def __init__(self, daemon, made, count):
        self.all = [daemon.process], made
        self.count = count

    def __enter__(self):
        self.before = [cpu_ns(group) for group in self.all]
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began
        self.daemon, self.servers = ((cpu_ns(group) - before) / self.count
                                     for group, before in zip(self.all, self.before))


def there_and_back(daemon, made, port, source, count):
    client, stream = daemon.connect()
    graphs = {
        "read": f'RdpcapSource("{source}") > Sink()',
        "to": f'RdpcapSource("{source}") > NatsSink("nats://127.0.0.1:{port}", "p.{{partition}}", partitions={PARTITIONS})',
        "from": "w = Sink()\n" + "\n".join(f'NatsSource("nats://127.0.0.1:{port}", "s", "c{n}", "p.{n}") > w'
                                           for n in range(PARTITIONS))}
    runs = {}
    for name, text in graphs.items():
        call(stream, "engine.create", engine=name, text=text, ephemeral=True)
        with Passing(daemon, made, count) as runs[name]:
            call(stream, "engine.start", engine=name)
            if name == "from":
                arrived(stream, name, count)
            else:
                call(stream, "engine.stop", engine=name, wait=True)
        call(stream, "engine.destroy", engine=name)
    client.close()
    return runs


def arrived(stream, engine, count):
    pause = threading.Event()
    while sum(block["in"] for block in call(stream, "engine.stats", engine=engine)["blocks"] if block["name"] == "w") < count:
        pause.wait(0.02)


def stored(folder):
    """Bytes of a copy of the packets."""
    return sum(file.stat().st_size for file in pathlib.Path(folder, "n0").rglob("streams/s/msgs/*.blk"))


def measure(bench):
    plugin = pathlib.Path(bench.build, "lib/nats/nats.so")
    if not (plugin.exists() and shutil.which("nats-server")):
        bench.row("NATS", "skipped", "no libnats or nats-server", "")
        return
    for data in ("noise", "short"):
        for copies in (1, 3):
            measure_copies(bench, plugin, data, copies)


def measure_copies(bench, plugin, data, copies):
    source, count = bench.input(data)
    folder = bench.folder / "nats"
    (folder / "blocks").mkdir(parents=True, exist_ok=True)
    shutil.copy(plugin, folder / "blocks")
    runs = []
    for _ in range(bench.rounds):
        with servers(folder, copies) as (made, port), Daemon(bench.build, folder) as daemon:
            runs.append(there_and_back(daemon, made, port, source, count))
            size = stored(folder) / count
    def middle(run, what):
        return statistics.median(getattr(one[run], what) for one in runs)
    length = os.path.getsize(source) / count - 16
    words = f"{length:.0f} bytes, {copies} cop{'ies' if copies > 1 else 'y'}"
    read = middle("read", "daemon")
    for way, text in ("to", "publish"), ("from", "read back"):
        own = middle(way, "daemon") - (read if way == "to" else 0)
        rate = count / middle(way, "seconds")
        bench.row(f"NATS, {text}, {words}", f"{own:.0f} ns", f"servers {middle(way, 'servers'):.0f}", f"{rate / 1e3:.0f} k/s")
    bench.row("  stored in each copy, a packet", f"{size:.0f} bytes", "", "")
