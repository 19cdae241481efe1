# SPDX-License-Identifier: BSD-2-Clause
"""What goes on while blocks are replaced: files, sockets, captures, windows; and no packet is lost."""
import os
import pathlib
import random
import socket
import struct
import threading
import time

import pytest

import makers
from client import add, link, unlink
from conftest import DEADLINE, eventually, ip, sanitized

CHANGES = int(os.environ.get("PIPETOOL_CHANGES") or (100 if sanitized() else 1000))


def replace(name, kind, **params):
    return {"op": "replace", "name": name, "type": kind, "params": params}


def set_to(name, **params):
    return {"op": "set", "name": name, "params": params}


# ---- packets between two namespaces -------------------------------------------------------------

ROUND = 50_000  # packets of a round of the generator: each has its number
FRAME = 60
SPACING_US = 100  # in the generator's file


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    path = tmp_path_factory.mktemp("numbered") / "in.pcap"
    ethernet = bytes.fromhex("020000000002 020000000001 0800")
    header = bytes.fromhex("4500 002e 0000 0000 4011 0000 0a090001 0a090002 0009 0009 001a 0000")
    return makers.pcap(path, [(ethernet + header + struct.pack(">I", n) + bytes(14),
                               n * SPACING_US * 1000) for n in range(ROUND)])


def numbers_in(path):
    """The numbers of the packets of a file that the graph has written."""
    data = pathlib.Path(path).read_bytes()[24:]
    record = 16 + FRAME
    assert len(data) % record == 0, f"{path}: a packet is of another length"
    return [n for n, in struct.iter_unpack(f">{16 + 42}xI14x", data)]


class Generator:
    """Numbered packets out of `pl` into `pr`, at a pace."""

    def __init__(self, daemon, network, path):
        self.daemon, self.network, self.path = daemon, network, path

    def start(self, rate):
        speed = rate * SPACING_US / 1e6
        self.daemon.create("generator", f"RdpcapSource('{self.path}', speed={speed}, loop=0, name='r')"
                           " > InjectSink('pl', name='i')")

    def stop(self):
        """How many have gone out."""
        self.daemon.ok("stop", "generator")
        with self.daemon.client() as rpc:
            sent = rpc.stats("generator", "i")["out"]
        self.daemon.ok("destroy", "generator")
        return sent

    def lost_by_the_kernel(self):
        """On the cable, before anybody could capture them."""
        folder = "/sys/class/net"
        names = ((self.network.left, "pl", "tx_dropped"), (self.network.right, "pr", "rx_dropped"))
        return sum(int(ip("netns", "exec", where, "cat", f"{folder}/{device}/statistics/{what}").stdout)
                   for where, device, what in names)


@pytest.fixture
def stream(daemons, network, numbered):
    left = daemons(prefix=network.inside(network.left))
    right = daemons(prefix=network.inside(network.right))
    return Generator(left, network, numbered), right


PATH = ["d0", "d1", "d2", "d3"]
DRAINS = [("Drain", {}), ("TransformDrain", {"f": "function(m) return m end"}),
          ("FilterDrain", {"f": "always"}), ("TriggeredValve", {}),
          ("TriggeredQueueingValve", {}), ("TransformDrain", {"f": "truncate(1500)"})]


def make_graph(daemon, out):
    daemon.create("e", f"""n = SniffSource("pr", filter="udp"); w = WrpcapSink("{out}", rotate=None)
        d0 = Drain(); d1 = Drain(); d2 = Drain(); d3 = Drain(); n > d0 > d1 > d2 > d3 > w
        s = CLIFeeder(); e = Drain(); q = Sink(); s > e > q""")


def swap_a_drain(chance, now):
    name = chance.choice(PATH)
    kind, params = chance.choice([d for d in DRAINS if d != now.get(name, DRAINS[0])])
    now[name] = (kind, params)
    return [replace(name, kind, **params)]


def swap_an_end(chance, now):
    """The block that captures, or the one that writes: each goes on with what it has."""
    if chance.random() < 0.5:
        now["filter"] = chance.choice([f for f in ("udp", "ip", None, "udp port 9", "not tcp")
                                       if f != now.get("filter", "udp")])
        now["promisc"] = chance.random() < 0.5
        return [set_to("n", filter=now["filter"], promisc=now["promisc"],
                       snaplen=chance.choice((1500, 65535)))]
    now["linktype"] = 1 if now.get("linktype") is None else None
    return [set_to("w", linktype=now["linktype"])]


def change_elsewhere(chance, now):
    """Blocks that come and go beside the path, on branches of it, and in another part."""
    beside = now.setdefault("beside", [])
    if beside and chance.random() < 0.5:
        return [{"op": "remove", "name": beside.pop(chance.randrange(len(beside)))}]
    now["count"] = now.get("count", 0) + 1
    name = f"x{now['count']}"
    beside.append(name)
    kind, params = chance.choice(DRAINS)
    tap = chance.choice([*PATH, "e"])
    return [add(name, kind, **params), link(tap, name), link(name, "q")]


def change_under_traffic(rpc, chance, count):
    """Half of the changes on the path, half elsewhere; the pauses that they made."""
    now, pauses = {}, []
    for number in range(count * 2):
        kind = change_elsewhere if number % 2 else swap_an_end if number % 50 == 0 else swap_a_drain
        answer = rpc.change("e", *kind(chance, now))
        assert answer["plan"]
        pauses.append(answer["pause_ns"])
    return pauses


def run_once(generator, daemon, out, rate, change):
    """What is lost on the way to the graph, by the kernel, and the numbers that came out of it."""
    make_graph(daemon, out)
    before = generator.lost_by_the_kernel()
    with daemon.client() as rpc:
        generator.start(rate)
        eventually(lambda: rpc.stats("e", "w")["in"] > 0)
        change(rpc)
        sent = generator.stop()
        lost = generator.lost_by_the_kernel() - before

        def all_there():
            source = rpc.stats("e", "n")
            return source["out"] + source["dropped"].get("kernel", 0) + lost >= sent
        eventually(all_there, what="all packets that were sent")
        lost += rpc.stats("e", "n")["dropped"].get("kernel", 0)
        rpc.call("engine.stop", engine="e")
        stats = rpc.stats("e")
        assert stats["unexplained"] == 0
        rpc.call("engine.destroy", engine="e")
    return sent, lost, numbers_in(out)


def test_no_packet_is_lost_by_changes(stream, tmp_path):
    """As fast as this machine lets the graph go without loss, found by trying."""
    generator, daemon = stream
    chance = random.Random(4)
    tried = []
    for rate in (480_000, 240_000, 120_000, 60_000, 30_000, 15_000, 8_000, 4_000):
        pause = threading.Event()
        sent, lost, _ = run_once(generator, daemon, tmp_path / "try.pcap", rate,
                                 lambda rpc: pause.wait(0.5))
        if not lost:
            sent, lost, numbers = run_once(generator, daemon, tmp_path / "out.pcap", rate / 2,
                                           lambda rpc: change_under_traffic(rpc, chance, CHANGES))
        tried.append(f"{rate}/s: {lost} of {sent}")
        if not lost:
            break
    assert not lost, f"the kernel lost packets before the graph had them: {tried}"
    assert len(numbers) == sent
    assert numbers == [n % ROUND for n in range(sent)]


def test_the_capture_goes_on_while_its_filter_changes(stream, tmp_path):
    """Between filters that all pass these packets, and parameters that need another buffer."""
    generator, daemon = stream

    def change(rpc):
        for n in range(CHANGES // 40):
            rpc.change("e", set_to("n", filter=("ip", "udp", None)[n % 3]))
            rpc.change("e", set_to("n", snaplen=(70, 200_000)[n % 2], promisc=n % 2 == 0))
            rpc.change("e", set_to("n", buffer_size=("1MiB", "2MiB")[n % 2]))
        assert "next start" in rpc.show("e", "n")["note"]

    sent, lost, numbers = run_once(generator, daemon, tmp_path / "out.pcap", 3000, change)
    assert lost == 0 and numbers == [n % ROUND for n in range(sent)]


def test_a_changed_filter_counts_from_then_on(stream, tmp_path):
    generator, daemon = stream
    make_graph(daemon, tmp_path / "out.pcap")
    with daemon.client() as rpc:
        generator.start(5000)
        eventually(lambda: rpc.stats("e", "n")["out"] > 100)
        rpc.change("e", set_to("n", filter="tcp"))
        eventually(lambda: rpc.stats("e", "n")["out"] == rpc.stats("e", "n")["out"])
        settled = rpc.stats("e", "n")["out"]
        before = generator.daemon.client().stats("generator", "i")["out"]
        eventually(lambda: generator.daemon.client().stats("generator", "i")["out"] > before + 500)
        assert rpc.stats("e", "n")["out"] <= settled + 100
        rpc.change("e", set_to("n", filter="udp"))
        eventually(lambda: rpc.stats("e", "n")["out"] > settled + 500)
        refused = rpc.refused("engine.change", engine="e", ops=[set_to("n", filter="no filter")])
        assert refused.kind == "bad-parameter"
        refused = rpc.refused("engine.change", engine="e", ops=[set_to("n", iface="pr9")])
        assert refused.kind == "io"
        at = rpc.stats("e", "n")["out"]
        eventually(lambda: rpc.stats("e", "n")["out"] > at + 500)
    generator.stop()


# ---- files --------------------------------------------------------------------------------------

@pytest.fixture
def capture(tmp_path):
    return makers.pcap(tmp_path / "in.pcap", [(n.to_bytes(4, "big") * 5, n * 1_000_000)
                                              for n in range(2000)])


def values(path):
    return [int.from_bytes(data[:4], "big") for data, *_ in makers.read(path)]


def test_a_file_goes_on_when_its_sink_is_replaced(daemon, rpc, tmp_path):
    out = tmp_path / "out.pcap"
    daemon.create("e", f's = CLIFeeder(); w = WrpcapSink("{out}", linktype=1); s > w')
    for n in range(50):
        rpc.send("e", "s", f"{n:04}")
        rpc.change("e", set_to("w", append=n % 2 == 0))
        inode = os.stat(out).st_ino
        assert inode == os.stat(out).st_ino
    daemon.ok("stop", "e")
    assert [p[0] for p in makers.read(out)] == [b"%04d" % n for n in range(50)]
    assert rpc.stats("e")["unexplained"] == 0


def test_what_a_file_is_cannot_change_in_the_middle(daemon, rpc, tmp_path):
    out = tmp_path / "out.pcap"
    daemon.create("e", f's = CLIFeeder(); w = WrpcapSink("{out}", linktype=1); s > w')
    rpc.send("e", "s", "one")
    for params in ({"format": "pcapng"}, {"gz": True}, {"compress": "lz4"}, {"linktype": 101}):
        error = rpc.refused("engine.change", engine="e", ops=[set_to("w", **params)])
        assert error.kind == "io" and "cannot change in the middle" in error.message
    error = rpc.refused("engine.change", engine="e",
                        ops=[set_to("w", fname=f"{tmp_path}/nowhere/out.pcap")])
    assert error.kind == "io"
    rpc.send("e", "s", "two")
    rpc.change("e", set_to("w", fname=f"{tmp_path}/other.pcap"))
    rpc.send("e", "s", "three")
    daemon.ok("stop", "e")
    assert [p[0] for p in makers.read(out)] == [b"one", b"two"]
    assert [p[0] for p in makers.read(tmp_path / "other.pcap")] == [b"three"]


def test_files_that_follow_one_another_go_on_being_numbered(daemon, rpc, tmp_path):
    daemon.create("e", f's = CLIFeeder(); w = WrpcapSink("{tmp_path}/ring.pcap", linktype=1, '
                  'rotate={"size": 90}); s > w')
    for n in range(12):
        rpc.send("e", "s", f"{n:04}")
        rpc.change("e", set_to("w", rotate={"size": 90 + n}))
    daemon.ok("stop", "e")
    files = sorted(tmp_path.glob("ring.*.pcap"))
    assert [f.name for f in files] == [f"ring.{n + 1:05}.pcap" for n in range(len(files))]
    assert sum(([p[0] for p in makers.read(f)] for f in files), []) == [b"%04d" % n for n in range(12)]


def test_a_replay_goes_on_where_it_was(daemon, rpc, tmp_path, capture):
    """2,000 packets of 2 s in the file, at paces that change; then as fast as can be."""
    out = tmp_path / "out.pcap"
    daemon.create("e", f'r = RdpcapSource("{capture}", speed=1); w = WrpcapSink("{out}"); r > w')
    for speed in (3, 1, 0.5, 2, 1, 4):
        before = rpc.stats("e", "w")["in"]
        eventually(lambda: rpc.stats("e", "w")["in"] > before)
        rpc.change("e", set_to("r", speed=speed))
    rpc.change("e", set_to("r", speed=0, loop=2))
    daemon.finish("e")
    assert values(out) == [*range(2000), *range(2000)]
    assert rpc.stats("e")["unexplained"] == 0


# ---- sockets ------------------------------------------------------------------------------------

class Talker:
    """A peer that sends numbered lines until it is told to end, and keeps what it receives."""

    def __init__(self, connection):
        self.connection = connection
        self.sent = self.received = b""
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        number = 0
        while not self.ending.wait(0.001):
            text = b"".join(b"%08d\n" % n for n in range(number, number + 100))
            self.connection.sendall(text)
            self.sent += text
            number += 100
        self.connection.shutdown(socket.SHUT_WR)

    def receive(self):
        while data := self.connection.recv(1 << 16):
            self.received += data

    def finish(self):
        """Ends sending; what came back must be what was sent."""
        self.ending.set()
        self.threads[0].join(DEADLINE)
        eventually(lambda: len(self.received) >= len(self.sent))
        assert self.received == self.sent

    def join(self):
        for thread in self.threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()
        assert self.received == self.sent


def address_of(rpc, name):
    host, port = rpc.show("e", name)["now"]["address"].rsplit(":", 1)
    return host, int(port)


def test_a_listener_goes_on_under_its_peer(daemon, rpc):
    """What comes is sent back, and both ways are whole, however often the block is replaced.

    The feeder may always have more to send: so the end of the peer's side is not that of ours.
    """
    daemon.create("e", 't = TCPListenPipe("127.0.0.1", 0); q = QueueSink(); p = QueueSink()',
                  "t > t; t >> p; CLIFeeder() > t")
    host, port = address_of(rpc, "t")
    talker = Talker(socket.create_connection((host, port)))
    for n in range(CHANGES // 5):
        rpc.change("e", set_to("t", port=(port, 0)[n % 2]))
    assert address_of(rpc, "t") == (host, port)
    talker.finish()
    rpc.change("e", set_to("t", port=port))
    assert rpc.show("e", "t")["state"] == "exhausted"
    assert rpc.texts("e", "p", 2, 0.1)[0].startswith("127.0.0.1:"), "the peer is told once"
    daemon.ok("stop", "e")
    talker.join()
    assert rpc.stats("e")["unexplained"] == 0


def test_a_listener_that_waits_goes_on_waiting(daemon, rpc):
    daemon.create("e", 't = TCPListenPipe("127.0.0.1", 0); q = QueueSink(); s = CLIFeeder()',
                  "s > t > q")
    host, port = address_of(rpc, "t")
    rpc.send("e", "s", "early")
    for n in range(20):
        rpc.change("e", set_to("t", port=(port, 0)[n % 2]))
    with socket.create_connection((host, port)) as peer:
        assert peer.recv(100) == b"early"
        peer.sendall(b"hello")
        assert rpc.texts("e", "q", 1) == ["hello"]
        with pytest.raises(OSError):
            socket.create_connection((host, port), timeout=1).recv(1)


def test_another_address_is_opened_anew_and_one_that_is_taken_changes_nothing(daemon, rpc):
    daemon.create("e", 't = TCPListenPipe("127.0.0.1", 0); q = QueueSink(); t > q')
    address = address_of(rpc, "t")
    with socket.create_connection(address) as peer, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        error = rpc.refused("engine.change", engine="e",
                            ops=[set_to("t", port=taken.getsockname()[1])])
        assert error.kind == "io" and "held by" in error.message
        peer.sendall(b"still here")
        assert rpc.texts("e", "q", 1) == ["still here"]
        taken.close()
        rpc.change("e", replace("t", "TCPListenPipe", addr="127.0.0.2"))
        assert address_of(rpc, "t")[0] == "127.0.0.2"
        assert peer.recv(1) == b""
    with pytest.raises(OSError):
        socket.create_connection(address, timeout=1)
    with socket.create_connection(address_of(rpc, "t")) as peer:
        peer.sendall(b"there")
        assert rpc.texts("e", "q", 1) == ["there"]


def test_a_connection_goes_on(daemon, rpc):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        daemon.create("e", f't = TCPConnectPipe("127.0.0.1", {port}); t > t')
        connection, _ = server.accept()
        talker = Talker(connection)
        for n in range(CHANGES // 10):
            rpc.change("e", set_to("t", retry_s=(5, 0, 7)[n % 3]))
        rpc.change("e", set_to("t", retry_s=60))
        rpc.change("e", set_to("t", retry_s=0))
        talker.finish()
        server.settimeout(0.01)
        with pytest.raises(TimeoutError):
            server.accept()
        daemon.ok("stop", "e")
        talker.join()


def test_a_bound_socket_goes_on_with_its_peer(daemon, rpc):
    daemon.create("e", 'u = UDPServerPipe("127.0.0.1", 0); u > u; p = QueueSink(); u >> p')
    address = address_of(rpc, "u")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.connect(address)
        peer.settimeout(DEADLINE)
        for n in range(200):
            peer.send(b"%d" % n)
            rpc.change("e", set_to("u", port=(address[1], 0)[n % 2]))
        assert [peer.recv(100) for _ in range(200)] == [b"%d" % n for n in range(200)]
    assert len(rpc.recv("e", "p", 2, 0.1)) == 1, "the peer is told once"


def test_a_descriptor_goes_on(daemon, rpc):
    near, far = socket.socketpair()
    copies = [os.dup(near.fileno()) for _ in range(20)]
    rpc.call("engine.create", engine="e", fds=[near.fileno()], start=True,
             blocks=[{"name": "f", "type": "FDSourceSink", "params": {"fd": {"fd": 0}}}],
             links=[{"from": "f", "to": "f"}])
    talker = Talker(far)
    for n, copy in enumerate(copies):
        fds = [near.fileno()] * (n % 2) + [copy]
        rpc.call("engine.change", engine="e", fds=fds, ops=[set_to("f", fd={"fd": len(fds) - 1})])
        os.close(copy)
    near.close()
    talker.finish()
    daemon.ok("destroy", "e")
    talker.join()


# ---- windows ------------------------------------------------------------------------------------

def test_a_window_goes_on(daemons, tmp_path):
    """The program is started once, and gets one stream."""
    viewer = tmp_path / "viewer"
    viewer.write_text(f"#!/bin/sh\necho started >> {tmp_path}/starts\ncat > {tmp_path}/$$.pcapng\n"
                      f"touch {tmp_path}/$$.done\n")
    viewer.chmod(0o755)
    daemon = daemons(config=f"[programs]\nallow = {viewer}\n", env={"DISPLAY": ""})
    daemon.create("e", f"s = CLIFeeder(); w = WiresharkSink(program='{viewer}'); s > w")
    with daemon.client() as rpc:
        for n in range(20):
            rpc.send("e", "s", f"{n:04}")
            rpc.change("e", set_to("w", linktype=(1, 147, 101)[n % 3]))
        rpc.change("e", set_to("w", args=["other"]))
        rpc.send("e", "s", "another window")
    daemon.ok("stop", "e")
    eventually(lambda: len(list(tmp_path.glob("*.done"))) == 2)
    assert (tmp_path / "starts").read_text() == "started\n" * 2
    streams = sorted([p[0] for p in makers.read(f)] for f in tmp_path.glob("*.pcapng"))
    assert streams == [[b"%04d" % n for n in range(20)], [b"another window"]]
