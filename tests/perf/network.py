# SPDX-License-Identifier: BSD-2-Clause
"""Jobs of the bench on a network, each beside a peer: replay, capture, and a TCP stream passed on.

Packets go over a cable between two namespaces of our own, streams over loopback.
"""
import contextlib
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

from running import call, connect

LEFT, RIGHT = (f"pipetool-bench-{side}-{os.getpid()}" for side in ("left", "right"))
STREAM_BYTES = 1 << 30


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0


def lay_cable():
    return all(ip(*words.split()) for words in (
        f"netns add {LEFT}", f"netns add {RIGHT}",
        f"-n {LEFT} link add pl type veth peer name pr netns {RIGHT}",
        f"netns exec {LEFT} sysctl -qw net.ipv6.conf.all.disable_ipv6=1",
        f"netns exec {RIGHT} sysctl -qw net.ipv6.conf.all.disable_ipv6=1",
        f"-n {LEFT} link set pl up", f"-n {RIGHT} link set pr up"))


@contextlib.contextmanager
def cable():
    """Two namespaces with one end of a cable each, `pl` and `pr`; False where they are not allowed."""
    try:
        yield lay_cable()
    finally:
        for name in (LEFT, RIGHT):
            ip("netns", "del", name)


def inside(name, *command):
    return ["ip", "netns", "exec", name, *command]


@contextlib.contextmanager
def measured(command, **more):
    """A process and, once the block has ended it, its CPU seconds: [process, seconds]."""
    both = [subprocess.Popen(command, stdin=subprocess.DEVNULL, **more), None]
    yield both
    _, status, usage = os.wait4(both[0].pid, 0)
    both[0].returncode = os.waitstatus_to_exitcode(status)
    if both[0].returncode not in (0, 130, 143):  # 130, 143: asked to end, say ptctl and socat
        sys.exit(f"{' '.join(command)}: exit status {both[0].returncode}")
    both[1] = usage.ru_utime + usage.ru_stime


def replay(bench):
    source, count = bench.input("short")
    with cable() as there:
        if not there:
            bench.row("replay", "skipped", "no namespaces", "")
            return
        ours = bench.pipe(f'RdpcapSource("{source}")', 'InjectSink("pl")')
        peer = ["tcpreplay", "-q", "--topspeed", "-i", "pl", source]
        bench.versus("replay to an interface, 64 bytes", inside(LEFT, *ours), inside(LEFT, *peer), count,
                     "tcpreplay", None)


# ---- capture ------------------------------------------------------------------------------------

def settle(path):
    """Waits until a file has not grown for a while: buffers are written out every second."""
    pause, size = threading.Event(), -1
    while (now := os.path.getsize(path)) != size:
        size = now
        pause.wait(1.5)


GENERATED = 3  # times the input
CORES = sorted(os.sched_getaffinity(0))


def on(core, *command):
    """Of the first and the last processor that there are; where there is one alone, both are that."""
    return ["taskset", "-c", str(CORES[core]), *command]


def captured(bench, command, file, ready):
    """CPU nanoseconds for each packet that came into the file, and the share that did not."""
    source, count = bench.input("short")
    count *= GENERATED
    file.unlink(missing_ok=True)
    generator = bench.pipe(f'RdpcapSource("{source}", loop={GENERATED})', 'InjectSink("pl")')
    with measured(inside(RIGHT, *on(-1, *command)), cwd=bench.folder, stdout=subprocess.DEVNULL,
                  stderr=subprocess.PIPE) as both:
        ready(both[0])
        before = time.clock_gettime(~both[0].pid << 3 | 2)  # its CPU seconds until now
        subprocess.run(inside(LEFT, *on(0, *generator)), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        settle(file)
        os.kill(both[0].pid, signal.SIGINT)
    kept = (file.stat().st_size - 24) // (16 + 64)
    return (both[1] - before) / kept * 1e9, 1 - kept / count


def ring(bench):
    """The command of the floor, which has to be compiled; None: there is no compiler."""
    source = pathlib.Path(__file__).with_name("ring.c")
    try:
        subprocess.run(["cc", "-O2", "-o", f"{bench.folder}/ring", source], check=True)
    except FileNotFoundError:
        return None
    return [f"{bench.folder}/ring", "pr", "floor.pcap"]


def capture(bench):
    """On one core; the generator, on another, is the same for all: our own, at its full speed."""
    engines = bench.folder / "capture"
    engines.mkdir()
    (engines / "c.pipe").write_text(f'SniffSource("pr") > WrpcapSink("{bench.folder}/ours.pcap")\n')
    ours = [f"{bench.build}/daemon/pipetoold", "--socket", f"{bench.folder}/capture.sock", "--config",
            "/dev/null", "--engines", str(engines), "--blocks", str(engines), "--state", str(engines)]
    peer = ["tcpdump", "-n", "-i", "pr", "-B", "32768", "-w", "peer.pcap"]
    jobs = [(ours, "ours.pcap", lambda _: served(f"{bench.folder}/capture.sock")),
            (peer, "peer.pcap", listening)]
    floor = ring(bench)
    jobs += [(floor, "floor.pcap", listening)] if floor else []
    with cable() as there:
        if not there:
            bench.row("capture", "skipped", "no namespaces", "")
            return
        taken = [[] for _ in jobs]
        for number in range(bench.rounds + 1):
            for results, (command, file, ready) in zip(taken, jobs):
                result = captured(bench, command, bench.folder / file, ready)
                results += [result] if number else []
    cost, lost = zip(*([statistics.median(column) for column in zip(*results)] for results in taken))
    bench.row("capture into a file, 64 bytes", f"{cost[0]:.0f} ns", f"tcpdump {cost[1]:.0f}",
              f"x {cost[0] / cost[1]:.2f}")
    for more in cost[2:]:
        bench.row("  beside a bare ring and write()", f"{cost[0]:.0f} ns", f"floor {more:.0f}",
                  f"x {cost[0] / more:.2f}", 1.15, cost[0] / more <= 1.15)
    bench.row("  not captured, of a generator's all", *(f"{share:.2%}" for share in [*lost, 0][:3]))


def served(path):
    """Waits until a daemon answers."""
    client, stream = connect(path)
    call(stream, "daemon.info")
    client.close()


def listening(tcpdump):
    while b"listening" not in (line := tcpdump.stderr.readline()):
        if not line:
            sys.exit("tcpdump does not listen")


# ---- a stream -----------------------------------------------------------------------------------

def passed_on(command, cwd, ports):
    """CPU seconds of a program that takes a stream on one port and passes it on to the other."""
    sink = socket.create_server(("127.0.0.1", ports[1]))
    with measured(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as both, sink:
        source = dial(ports[0])
        taker = sink.accept()[0]
        sender = threading.Thread(target=send_all, args=(source,))
        sender.start()
        room, left = bytearray(1 << 20), STREAM_BYTES
        while left and (got := taker.recv_into(room)):
            left -= got
        sender.join()
        source.close()
        taker.close()
        if left:
            sys.exit(f"{' '.join(command)}: {left} bytes were not passed on")
        os.kill(both[0].pid, signal.SIGTERM)
    return both[1]


def dial(port):
    pause = threading.Event()
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            pause.wait(0.01)


def send_all(source):
    block = bytes(1 << 20)
    for _ in range(STREAM_BYTES // len(block)):
        source.sendall(block)


def free_ports():
    with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
        return a.getsockname()[1], b.getsockname()[1]


def stream(bench):
    """TCP in and TCP out, a GiB each time."""
    ports = free_ports()
    ours = bench.pipe(f'TCPListenPipe("127.0.0.1", {ports[0]})', f'TCPConnectPipe("127.0.0.1", {ports[1]})')
    peer = ["socat", "-b", "65536", f"TCP-LISTEN:{ports[0]},reuseaddr,bind=127.0.0.1",
            f"TCP:127.0.0.1:{ports[1]}"]
    taken = [], []
    for number in range(bench.rounds + 1):
        for times, command in zip(taken, (ours, peer)):
            seconds = passed_on(command, bench.folder, ports)
            times += [seconds] if number else []
    mine, theirs = (statistics.median(times) for times in taken)
    bench.row("a GiB from TCP to TCP", f"{mine * 1e3:.0f} ms", f"socat {theirs * 1e3:.0f}",
              f"x {mine / theirs:.2f}")
