# SPDX-License-Identifier: BSD-2-Clause
"""The daemon ends, or is killed, and the next one goes on with what it had open."""
import array
import base64
import json
import os
import pathlib
import random
import select
import signal
import socket
import subprocess
import sys
import threading

import pytest

import makers
from conftest import DEADLINE, Daemon, eventually, program, sanitized
from sockets import name_of

START = """
import os, sys
count = int(sys.argv[1])
given = [int(fd) for fd in sys.argv[2:2 + count]]
for n, fd in enumerate(given):
    os.dup2(fd, 1000 + n, inheritable=False)
    os.close(fd)
for n in range(count):
    os.dup2(1000 + n, 3 + n)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""


class Manager:
    """Plays systemd: keeps descriptors for a service, and hands them to the next process."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.ready = threading.Event()
        self.reads = threading.Event()
        self.reads.set()
        self.heard_all = threading.Event()
        self.kept = []  # (name, descriptor)
        self.most = 1000  # what comes when there are so many is closed, and nobody is told
        self.names = set()  # all there have been
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        while True:
            self.reads.wait()
            fds = array.array("i")
            text, control, _, _ = self.socket.recvmsg(1 << 16, 4096)
            for level, kind, data in control:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds.frombytes(data)
            if text == b"END":
                return
            self.handle(dict(line.split("=", 1) for line in text.decode().splitlines()), list(fds))

    def handle(self, said, fds):
        with self.lock:
            if "FDSTORE" in said:
                assert ":" not in said["FDNAME"] and len(said["FDNAME"]) < 256
                room = self.most - len(self.kept)
                self.kept += [(said["FDNAME"], fd) for fd in fds[:room]]
                self.names.add(said["FDNAME"])
                fds = fds[room:]
            if "FDSTOREREMOVE" in said:
                for name, fd in [k for k in self.kept if k[0] == said["FDNAME"]]:
                    self.kept.remove((name, fd))
                    os.close(fd)
        for fd in fds:  # of a barrier: closing is the answer
            os.close(fd)
        if "READY" in said:
            self.ready.set()
        if "HEARD" in said:
            self.heard_all.set()

    def say(self, text):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as near:
            near.sendto(text, self.path)

    def hear_all(self):
        """As systemd does before it looks who has ended: what a process has said before counts."""
        self.heard_all.clear()
        self.say(b"HEARD=1")
        assert not self.reads.is_set() or self.heard_all.wait(DEADLINE)

    def close(self):
        self.reads.set()
        self.say(b"END")
        self.thread.join()
        self.socket.close()
        for _, fd in self.kept:
            os.close(fd)


class Service(Daemon):
    """A daemon under such a manager."""

    room = 100

    def start(self, wait=True):
        self.output, self.errors = self.folder / "stdout", self.folder / "stderr"
        if not hasattr(self, "manager"):
            self.manager = Manager(self.folder / "notify")
        self.manager.hear_all()
        self.manager.ready.clear()
        with self.manager.lock:
            kept = list(self.manager.kept)
        fds = [str(fd) for _, fd in kept]
        env = {**os.environ, **self.env, "NOTIFY_SOCKET": self.manager.path, "FDSTORE": str(self.room),
               "LISTEN_FDS": str(len(kept)), "LISTEN_FDNAMES": ":".join(name for name, _ in kept)}
        with open(self.output, "ab") as out, open(self.errors, "ab") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, str(len(kept)), *fds, program("pipetoold"), "--socket",
                 self.socket, "--config", self.config, "--engines", self.engines, "--blocks",
                 self.blocks, "--state", self.state, *self.arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.folder, env=env,
                pass_fds=[fd for _, fd in kept])
        if wait:
            self.wait()

    def wait(self):
        while not self.manager.ready.wait(0.05):
            assert self.process.poll() is None, f"pipetoold ended\n{self.log()}"

    def restart(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        ended = os.pidfd_open(self.process.pid)
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        assert poll.poll(DEADLINE * 1000), f"pipetoold did not end\n{self.log()}"
        os.close(ended)
        code = self.process.wait()
        assert code == (0 if number == signal.SIGTERM else -number), self.log()
        self.start()

    def kept_names(self):
        with self.manager.lock:
            return sorted(name for name, _ in self.manager.kept)

    def of_blocks(self):
        """Without what is kept of an engine as a whole."""
        return [name for name in self.kept_names() if name.split("/")[2] not in ("", "*")]


@pytest.fixture
def services(tmp_path):
    made = []

    def make(**more):
        folder = tmp_path / f"service{len(made)}"
        folder.mkdir()
        made.append(Service(folder, **more))
        return made[-1]

    yield make
    for service in made:
        service.manager.reads.set()
        try:
            service.stop()
        finally:
            service.kill()
            service.manager.close()


@pytest.fixture
def service(services):
    return services()


ENDS = [signal.SIGTERM, signal.SIGKILL]
if not sanitized():  # a sanitizer would have its say about it
    ENDS += [signal.SIGSEGV]


def is_behind(service, *blocks):
    """Waits until a checkpoint has all that sources have sent, over one link of each exit."""
    def whole(shown, links):
        return all(shown[name].get("checkpoint") and
                   shown[name]["checkpoint"]["at"] == sum(link["messages"] for link in links if link["from"] == name)
                   for name in blocks)
    with service.client() as rpc:
        eventually(lambda: whole({b["name"]: b for b in rpc.show("e")["blocks"]}, rpc.stats("e")["links"]))


def address_of(service, engine, name):
    with service.client() as rpc:
        host, port = rpc.show(engine, name)["now"]["address"].rsplit(":", 1)
        return host, int(port)


class Echoed:
    """Numbered lines to a peer that sends all back, as fast as it takes them."""

    def __init__(self, connection):
        self.connection = connection
        self.sent, self.received = b"", b""
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        number = 0
        while not self.ending.wait(0.001):
            text = b"".join(b"%08d\n" % n for n in range(number, number + 200))
            self.connection.sendall(text)
            self.sent += text
            number += 200

    def receive(self):
        while data := self.connection.recv(1 << 16):
            self.received += data

    def finish(self):
        self.ending.set()
        self.threads[0].join(DEADLINE)
        eventually(lambda: len(self.received) >= len(self.sent))
        assert self.received == self.sent
        self.connection.shutdown(socket.SHUT_RDWR)
        self.threads[1].join(DEADLINE)


def test_a_connection_outlives_ten_restarts_under_traffic(service):
    service.create("e", 't = TCPListenPipe("127.0.0.1", 0); p = QueueSink(); t > t; t >> p')
    address = address_of(service, "e", "t")
    peer = Echoed(socket.create_connection(address))
    for _ in range(10):
        seen = len(peer.received)
        service.restart()
        eventually(lambda: len(peer.received) > seen + 10_000)
        assert address_of(service, "e", "t") == address
    peer.finish()
    with service.client() as rpc:
        assert rpc.stats("e")["unexplained"] == 0
        assert len(rpc.recv("e", "p", 2, 0.1)) == 1, "the peer was told once"


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_a_peer_that_does_not_read_gets_all_in_the_end(service, end):
    """What waits for it, some MiB, goes along, from the middle of a message on."""
    service.create("e", 't = TCPListenPipe("127.0.0.1", 0); s = CLIFeeder(); s > t')
    text = b"".join(b"%07d\n" % n for n in range(60_000))
    with socket.create_connection(address_of(service, "e", "t")) as peer:
        with service.client() as rpc:
            eventually(lambda: rpc.show("e", "t")["now"]["connected"])
            for n in range(12):
                rpc.send("e", "s", text.decode())
        service.restart(end)
        got = b""
        peer.settimeout(DEADLINE)
        while len(got) < 6 * len(text):
            got += peer.recv(1 << 16)
        service.restart(end)
        while len(got) < 12 * len(text):
            got += peer.recv(1 << 16)
        assert got == text * 12


def unread(port):
    """Bytes that wait in the receive buffers of connections to this port of this machine."""
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[4].split(":")[1], 16) for row in lines
               if int(row[1].split(":")[1], 16) == port and row[3] == "01")


@pytest.mark.parametrize("framing", ["'lines'", "{'length': 1}"])
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_half_a_message_is_made_whole(service, framing, end):
    service.create("e", f't = TCPListenPipe("127.0.0.1", 0, framing={framing}); q = QueueSink(); t > q')
    first, half, rest = (b"one\n", b"t", b"wo\n") if "lines" in framing else (b"\3one", b"\3t", b"wo")
    host, port = address_of(service, "e", "t")
    with socket.create_connection((host, port)) as peer:
        peer.settimeout(DEADLINE)
        peer.sendall(first)
        assert service.client().texts("e", "q", 1) == ["one"]
        peer.sendall(half)
        eventually(lambda: unread(port) == 0)
        service.restart(end)
        peer.sendall(rest)
        assert service.client().texts("e", "q", 1) == ["two"]


def test_a_long_half_needs_more_of_the_store_and_then_no_more(service):
    """What is carried grows beyond what is set aside for it, and shrinks."""
    text = "".join(f"{n:07}\n" for n in range(100_000)).encode()
    service.create("e", 't = TCPListenPipe("127.0.0.1", 0, framing={"length": 4}); q = QueueSink()',
                   "t > q")
    host, port = address_of(service, "e", "t")
    with socket.create_connection((host, port)) as peer:
        peer.settimeout(DEADLINE)
        peer.sendall(len(text).to_bytes(4, "big") + text[:700_000])
        eventually(lambda: service.client().show("e", "t")["state"] == "running" and not unread(port))
        kept = len(service.kept_names())
        service.restart()
        service.restart()
        peer.sendall(text[700_000:])
        (got,) = service.client().texts("e", "q", 1)
        assert got.encode() == text
        assert len(service.kept_names()) == kept
        peer.sendall((3).to_bytes(4, "big") + b"end")
        service.restart()
        assert service.client().texts("e", "q", 1) == ["end"]
    assert "too long" not in service.log() and "damaged" not in service.log()


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_several_clients_go_on(service, end):
    service.create("e", 't = TCPListenPipe("127.0.0.1", 0, clients=3, again=True); q = QueueSink(); t > q; f = CLIFeeder(); f > t')
    peers = [socket.create_connection(address_of(service, "e", "t")) for _ in range(3)]
    eventually(lambda: len(service.client().show("e", "t")["now"]["peers"]) == 3)
    for peer in peers:
        peer.sendall(b"here")
    assert service.client().texts("e", "q", 3) == ["here"] * 3, "so a checkpoint has them"
    service.restart(end)
    service.client().send("e", "f", "to all")
    for n, peer in enumerate(peers):
        peer.settimeout(DEADLINE)
        assert peer.recv(100) == b"to all"
        peer.sendall(b"%d" % n)
        assert service.client().texts("e", "q", 1) == [str(n)]
        peer.close()


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_sockets_outlive_it(service, end):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        service.create("e", f'''l = TCPListenPipe("127.0.0.1", 0); l > l
            c = TCPConnectPipe("127.0.0.1", {port}); c > c
            u = UDPServerPipe("127.0.0.1", 0); u > u; q = QueueSink(); u >> q; l >> q''')
        far, _ = server.accept()
        near = socket.create_connection(address_of(service, "e", "l"))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.connect(address_of(service, "e", "u"))
        with far, near, datagrams:
            for peer in (far, near, datagrams):
                peer.settimeout(DEADLINE)
            for n in range(4):
                if n:
                    is_behind(service, "l", "c")  # else it would come again
                    service.restart(end)
                for peer in (far, near, datagrams):
                    peer.sendall(b"%d" % n)
                    assert peer.recv(100) == b"%d" % n
            server.settimeout(0.01)
            with pytest.raises(TimeoutError):
                server.accept()


def test_datagrams_that_come_meanwhile_wait(service):
    service.create("e", 'u = UDPServerPipe("127.0.0.1", 0); q = QueueSink(); u > q')
    address = address_of(service, "e", "u")
    service.process.kill()
    service.process.wait()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for n in range(20):
            peer.sendto(b"%d" % n, address)
        service.start()
        with service.client() as rpc:
            assert rpc.texts("e", "q", 20) == [str(n) for n in range(20)]


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_queues_outlive_it(service, running, end):
    service.create("e", '''s = CLIFeeder(); h = CLIHighFeeder(); v = TriggeredQueueingValve(False)
        q = QueueSink(); w = QueueSink(); s > v > w; s > q; h >> q''')
    with service.client() as rpc:
        rpc.send("e", "s", "one", "two")
        rpc.send("e", "h", "high")
        if not running:
            rpc.call("engine.stop", engine="e")
    for _ in range(3):
        service.restart(end)
    with service.client() as rpc:
        assert rpc.show("e")["state"] == ("running" if running else "stopped")
        assert rpc.texts("e", "q", 1) == ["one"]
    service.restart(end)
    with service.client() as rpc:
        got = rpc.recv("e", "q", 2)
        assert [(m["message"], m["canal"]) for m in got] == [("two", "low"), ("high", "high")]
        if running:
            rpc.call("block.trigger", engine="e", block="v")
            assert rpc.texts("e", "w", 2) == ["one", "two"]
        assert rpc.stats("e")["unexplained"] == 0


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_what_waits_came_from_where_it_did(service, end):
    service.create("e", '''t = TCPListenPipe("127.0.0.1"); v = TriggeredQueueingValve(False)
        x = TransformDrain("function(m) return m .. ' of ' .. m.iface end"); q = QueueSink(); t > v > x > q''')
    with socket.create_connection(address_of(service, "e", "t")) as peer:
        peer.sendall(b"one")
        with service.client() as rpc:
            eventually(lambda: rpc.stats("e", "v")["held"] == 1)
        service.restart(end)
        with service.client() as rpc:
            peer.sendall(b"two")
            eventually(lambda: rpc.stats("e", "v")["held"] == 2)
            service.ok("add", "e", "o = CLIFeeder(); d = TriggerDrain('always'); o > d; d ^ v")
            rpc.send("e", "o", "now")
            assert rpc.texts("e", "q", 2) == [f"{word} of {name_of(peer)}" for word in ("one", "two")]


def test_packets_in_a_queue_stay_packets(service, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", [(b"x" * n, n * 1_000_000) for n in range(60, 80)])
    service.create("e", f'r = RdpcapSource("{source}"); q = QueueSink(); r > q')
    with service.client() as rpc:
        eventually(lambda: rpc.stats("e", "q")["held"] == 20)
        rpc.call("engine.stop", engine="e")
    service.restart()
    with service.client() as rpc:
        got = rpc.recv("e", "q", 20)
    assert [(m["link_type"], m["wire_length"]) for m in got] == [(1, n) for n in range(60, 80)]
    assert [m["time"].split(".")[1] for m in got] == [f"{n * 1_000_000:09}" for n in range(60, 80)]


@pytest.mark.parametrize("kind", ["TriggeredValve", "TriggeredSwitch"])
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_what_triggers_have_done_stays(service, kind, end):
    service.create("e", f"s = CLIFeeder(); v = {kind}(); q = QueueSink(); s > v > q; v >> q")
    with service.client() as rpc:
        rpc.call("block.trigger", engine="e", block="v")
        rpc.call("daemon.info")
    service.restart(end)
    with service.client() as rpc:
        rpc.send("e", "s", "m")
        got = [m["canal"] for m in rpc.recv("e", "q", 1, 0.1)]
        assert got == ([] if kind == "TriggeredValve" else ["high"])


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_what_was_seen_of_each_key_stays(service, end):
    """Short tables are in each checkpoint, too; at an end that is clean every one is carried."""
    service.create("e", "s = CLIFeeder(); s > HeadDrain(count=3, per='host') > h = QueueSink(); s > DedupDrain(seconds=1000) > d = QueueSink(); "
                   "s > c = CountDrain(seconds=1000, format='json') > Sink(); c >> r = QueueSink()")
    with service.client() as rpc:
        rpc.send("e", "s", "one", "two")
        assert rpc.texts("e", "h", 2) == rpc.texts("e", "d", 2) == ["one", "two"]
    service.restart(end)
    with service.client() as rpc:
        rpc.send("e", "s", "one", "four")
        assert rpc.texts("e", "h", 1) == ["one"] and rpc.texts("e", "d", 1) == ["four"]
        assert rpc.stats("e", "r")["held"] == 0
        rpc.call("engine.stop", engine="e")
        report = json.loads(rpc.texts("e", "r", 1)[0])
        assert report["top"] == [{"key": "none", "packets": 4, "bytes": 13}]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_what_was_seen_of_many_keys_is_told_to_be_gone(service, end):
    """A table that is too long for each checkpoint stays at an end that is clean; else its keys count as evicted."""
    service.create("e", "s = CLIFeeder(); s > h = HeadDrain(count=1, per='ip.src') > n = QueueSink(); s > d = DedupDrain(seconds=1000) > Sink(); "
                   "s > c = CountDrain(seconds=1000, format='json', top=0) > Sink(); c >> r = QueueSink()")
    packets = [{"message": {"base64": base64.b64encode(b"\x45" + bytes(11) + n.to_bytes(4, "big") + bytes(4)).decode()},
                "link_type": 101, "time": "1.0"} for n in range(1, 3001)]
    with service.client() as rpc:
        for n in range(0, 3000, 500):
            rpc.send("e", "s", *packets[n:n + 500])
        assert len(rpc.recv("e", "n", 3000)) == 3000
    service.restart(end)
    gone = 0 if end == signal.SIGTERM else 3000
    with service.client() as rpc:
        for name in "hdc":
            shown = rpc.show("e", name)
            assert shown["now"]["evicted"] == gone
            assert ("what it had of 3000 keys" in shown.get("note", "")) == (gone > 0)
        rpc.send("e", "s", packets[0])
        assert len(rpc.recv("e", "n", 1, 0.1)) == (1 if gone else 0)
        rpc.call("engine.stop", engine="e")
        report = json.loads(rpc.texts("e", "r", 1)[0])
        assert report["rest"] == {"keys": 3000 + bool(gone), "packets": 3001, "bytes": 3001 * 20} and report["evicted"] == gone
        assert rpc.stats("e")["unexplained"] == 0


@pytest.mark.parametrize("kind", ["TriggeredValve", "TriggeredSwitch", "TriggeredQueueingValve"])
def test_what_is_stopped_starts_as_it_is_told_to(service, kind):
    """Only a block that runs has a position."""
    service.create("e", f"s = CLIFeeder(); v = {kind}(); q = QueueSink(); s > v > q; v >> q")
    service.ok("stop", "e")
    service.ok("set", "e.v", "start_state=False")
    service.ok("start", "e")
    closed = [] if kind != "TriggeredSwitch" else ["high"]

    def canals():
        rpc.send("e", "s", "m")
        return [m["canal"] for m in rpc.recv("e", "q", 1, 0.1)]

    with service.client() as rpc:
        assert canals() == closed
    service.ok("stop", "e")
    service.ok("set", "e.v", "start_state=True")
    service.restart()
    service.ok("start", "e")
    with service.client() as rpc:
        assert canals() == ["low"]


@pytest.mark.parametrize("form, end", [
    ("pcap", signal.SIGTERM), ("pcap-ns", signal.SIGTERM), ("pcapng", signal.SIGTERM),
    ("gz", signal.SIGTERM), ("zstd", signal.SIGTERM), ("lz4", signal.SIGTERM), ("pcap", signal.SIGKILL), ("pcapng", signal.SIGKILL)])
def test_a_file_goes_on(service, tmp_path, form, end):
    """Also when somebody has moved it, and with the end of a packet missing."""
    out, moved = tmp_path / "out.pcap", tmp_path / "moved.pcap"
    how = {"gz": "gz=True", "zstd": "compress='zstd'", "lz4": "compress='lz4'"}.get(
        form, f"format='{form}'")
    service.create("e", f'w = WrpcapSink("{out}", {how}, linktype=1); s = CLIFeeder(); s > w')
    for n in range(3):
        with service.client() as rpc:
            rpc.send("e", "s", f"{n:04}" * 15)
        if n == 0:
            out.rename(moved)
        if end != signal.SIGTERM:
            eventually(lambda: f"{n:04}".encode() in moved.read_bytes())
            with open(moved, "ab") as file:
                file.write(moved.read_bytes()[-80:-20])
        service.restart(end)
    service.ok("stop", "e")
    if form in ("zstd", "lz4"):
        packed = moved.read_bytes()
        moved.write_bytes(subprocess.run([form, "-dc"], input=packed, capture_output=True,
                                         check=True).stdout)
    assert [p[0] for p in makers.read(moved)] == [b"%04d" % n * 15 for n in range(3)]
    assert not out.exists()


@pytest.mark.parametrize("end", ENDS[:2], ids=lambda end: end.name)
def test_a_ring_of_files_loses_none(service, tmp_path, end):
    """Restarts come in its first file and in later ones; some files hold two packets, some one."""
    ring = tmp_path / "ring.pcap"
    service.create("e", f'w = WrpcapSink("{ring}", linktype=1, rotate={{"size": 150}}); '
                        's = CLIFeeder(); s > w')
    for n in range(7):
        with service.client() as rpc:
            rpc.send("e", "s", f"{n:04}" * 15)
        if n in (0, 3, 4):
            if end != signal.SIGTERM:
                eventually(lambda: any(f"{n:04}".encode() in f.read_bytes()
                                       for f in tmp_path.glob("ring.*")))
            service.restart(end)
    service.ok("stop", "e")
    files = sorted(tmp_path.glob("ring.*.pcap"))
    assert [p[0] for f in files for p in makers.read(f)] == [b"%04d" % n * 15 for n in range(7)]


@pytest.mark.parametrize("end", ENDS[:2], ids=lambda end: end.name)
def test_a_viewer_goes_on_being_fed(services, tmp_path, end):
    """Where the service manager leaves it alone: it is started once."""
    viewer, out = tmp_path / "viewer", tmp_path / "seen.pcapng"
    viewer.write_text(f"#!/bin/sh\necho started >> {tmp_path}/starts\ncat > {out}\n: > {out}.done\n")
    viewer.chmod(0o755)
    service = services(config=f"[programs]\nallow = {viewer}\n", env={"DISPLAY": ""})
    service.create("e", f"s = CLIFeeder(); w = WiresharkSink(program='{viewer}', linktype=1); s > w")
    for n in range(3):
        with service.client() as rpc:
            rpc.send("e", "s", f"{n:04}" * 15)
            rpc.stats("e")
        service.restart(end)
    service.ok("stop", "e")
    eventually(lambda: (tmp_path / "seen.pcapng.done").exists())
    assert (tmp_path / "starts").read_text() == "started\n"
    assert [p[0] for p in makers.read(out)] == [b"%04d" % n * 15 for n in range(3)]


@pytest.mark.parametrize("end", ENDS[:2], ids=lambda end: end.name)
def test_a_descriptor_that_was_handed_over_is_kept(service, end):
    near, far = socket.socketpair()
    with service.client() as rpc, near:
        rpc.call("engine.create", engine="e", fds=[near.fileno()], start=True,
                 blocks=[{"name": "f", "type": "FDSourceSink", "params": {"fd": {"fd": 0}}}],
                 links=[{"from": "f", "to": "f"}])
    with far:
        far.settimeout(DEADLINE)
        for n in range(3):
            far.sendall(b"%d" % n)
            assert far.recv(100) == b"%d" % n
            is_behind(service, "f")  # else it would come again
            service.restart(end)


class Numbers:
    """Datagrams on loopback, one after the other."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.sent = 0

    def send(self, count):
        for _ in range(count):
            self.socket.sendto(b"%06d" % self.sent, ("127.0.0.1", self.port))
            self.sent += 1

    def send_slowly(self, folder, count, pps):
        lines = folder / "numbers.txt"
        lines.write_text("".join(f"{n:06}\n" for n in range(self.sent, self.sent + count)))
        self.sent += count
        subprocess.run([program("ptctl"), "run", "--private", f"""
            FileSource('{lines}') > PaceDrain(pps={pps}) > UDPClientPipe('127.0.0.1', {self.port})"""], check=True)


@pytest.fixture
def numbers():
    if os.getuid() != 0:
        pytest.skip("capturing needs CAP_NET_RAW")
    made = Numbers()
    yield made
    made.socket.close()


def numbers_in(rpc, count):
    taken = []
    eventually(lambda: rpc.stats("e", "q")["held"] >= count)
    while len(taken) < count:
        more = rpc.recv("e", "q", min(count - len(taken), 1000))
        taken += [int(base64.b64decode(m["message"]["base64"])[42:]) for m in more]
    return taken


# Packets that come 2 ms apart or more, as on a busy machine, take 64 KiB each: 16 MiB hold them all.
@pytest.mark.parametrize("mode", ["", ", immediate=true, snaplen=1514", ", snaplen=100, buffer_size='16MiB'"])
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_a_capture_goes_on_where_it_was(service, numbers, end, mode):
    """Its ring stays, and the kernel fills it: each packet once, in order, also those of meanwhile."""
    service.create("e", f"n = SniffSource('lo', 'udp port {numbers.port}'{mode}); q = QueueSink(); n > q")
    chance = random.Random(7)
    for _ in range(6):
        numbers.send(chance.randint(1, 60))
        if chance.random() < 0.5:
            eventually(lambda: service.client().stats("e", "q")["held"] >= numbers.sent // 2)
        service.process.send_signal(end)
        service.process.wait()
        numbers.send(chance.randint(1, 60))
        service.start()
        numbers.send(chance.randint(0, 60))
    with service.client() as rpc:
        assert numbers_in(rpc, numbers.sent) == list(range(numbers.sent))
        assert rpc.stats("e")["unexplained"] == 0 and rpc.stats("e", "n")["dropped"] == {}
        assert "note" not in rpc.show("e", "n")


@pytest.mark.parametrize("mode", ["buffer_size='4MiB'", "buffer_size='4MiB', immediate=true", "buffer_size='512KiB', snaplen=1514"])
def test_a_slow_link_fills_no_ring_while_nobody_reads(service, numbers, tmp_path, mode):
    """A packet each 3 ms, and twice as many as the ring has blocks; and again, for it has to be free again."""
    service.create("e", f"n = SniffSource('lo', 'udp port {numbers.port}', {mode}); q = QueueSink(); n > q")
    with service.client() as rpc:
        eventually(lambda: rpc.show("e", "n")["checkpoint"])
    for _ in range(2):
        service.process.kill()
        service.process.wait()
        numbers.send_slowly(tmp_path, 60, pps=300)
        service.start()
    with service.client() as rpc:
        assert numbers_in(rpc, numbers.sent) == list(range(numbers.sent))
        assert rpc.stats("e")["unexplained"] == 0 and rpc.stats("e", "n")["dropped"] == {}


def test_a_ring_that_was_full_is_read_once(service, numbers, tmp_path):
    """What was read is still in it until a checkpoint, and the reader gets there again at once."""
    service.create("e", f"""n = SniffSource('lo', 'udp port {numbers.port}', buffer_size='512KiB', snaplen=1514)
        q = QueueSink(limit='100', overflow='block'); n > q""")
    with service.client() as rpc:
        eventually(lambda: rpc.show("e", "n")["checkpoint"])
        numbers.send_slowly(tmp_path, 60, pps=300)
        service.ok("set", "e.q", "limit='1MiB'")
        got = []

        def is_through():
            numbers.send(1)
            got.extend(numbers_in(rpc, rpc.stats("e", "q")["held"]))
            return got and got[-1] >= 60
        eventually(is_through)
        assert got == sorted(set(got)) and rpc.stats("e")["unexplained"] == 0


def test_a_capture_goes_on_with_another_filter_and_not_on_another_interface(service, numbers):
    engine = pathlib.Path(service.engines, "e.pipe")
    text = f"n = SniffSource('lo', 'udp port {numbers.port}'); q = QueueSink(); n > q"
    engine.write_text(text)
    service.restart(signal.SIGTERM)
    numbers.send(3)
    eventually(lambda: service.client().stats("e", "q")["held"] == 3)
    service.process.send_signal(signal.SIGTERM)
    service.process.wait()
    numbers.send(3)
    engine.write_text(text.replace("udp port", "tcp port"))
    service.start()
    eventually(lambda: service.client().stats("e", "q")["held"] == 6)
    numbers.send(3)
    service.process.send_signal(signal.SIGTERM)
    service.process.wait()
    engine.write_text(text.replace("'lo'", "'any'"))
    service.start()
    numbers.send(1)
    with service.client() as rpc:
        assert numbers_in(rpc, 6) == list(range(6))
        eventually(lambda: rpc.stats("e", "q")["held"])
        assert rpc.recv("e", "q", 1)[0]["link_type"] == 276


def test_a_ring_is_given_back_behind_checkpoints(service, numbers):
    """Many times what it holds comes through it."""
    service.create("e", f"n = SniffSource('lo', 'udp port {numbers.port}', buffer_size='1MiB'); q = QueueSink(); n > q")
    with service.client() as rpc:
        for _ in range(50):
            numbers.send(10)
            eventually(lambda: rpc.stats("e", "n")["out"] >= numbers.sent)
        assert rpc.stats("e", "n")["dropped"] == {}
        assert numbers_in(rpc, numbers.sent) == list(range(numbers.sent))


def test_a_flight_recorder_of_a_capture_stays_armed(service, numbers):
    """More than the ring holds comes through it while packets are held, which do not pin it; and
    whatever kills the daemon, the recorder has the last that there were, once, in order."""
    service.create("e", f"""n = SniffSource('lo', 'udp port {numbers.port}', buffer_size='2MiB'); q = QueueSink()
        v = TriggeredQueueingValve(False, limit=20_000); n > v > q""")

    def have_come():
        eventually(lambda: service.client().stats("e", "n")["out"] >= numbers.sent)

    for _ in range(3):
        for _ in range(20):
            numbers.send(10)
            have_come()
        service.process.kill()
        service.process.wait()
        numbers.send(8)
        service.start()
        have_come()
    with service.client() as rpc:
        held = rpc.stats("e", "v")["held"]
        assert 100 < held < numbers.sent // 2 and rpc.stats("e", "n")["dropped"] == {}
        rpc.call("block.trigger", engine="e", block="v")
        assert numbers_in(rpc, held) == list(range(numbers.sent - held, numbers.sent))
        assert rpc.stats("e")["unexplained"] == 0


def test_a_capture_whose_time_is_over_captures_no_more(service):
    """So there is no gap."""
    service.create("e", 'n = SniffSource("lo", filter="host 127.66.66.66", timeout="10ms"); q = Sink(); n > q')
    eventually(lambda: service.client().show("e", "n")["state"] == "exhausted")
    service.restart()
    with service.client() as rpc:
        now = rpc.show("e", "n")
        assert now["state"] == "exhausted" and "note" not in now
        assert rpc.stats("e", "n")["out"] == 0 and rpc.stats("e", "n")["dropped"] == {}


def test_what_is_given_up_is_let_go(service):
    """The manager keeps nothing of a block that is removed, of an engine that stops, of one that
    does not come back."""
    service.create("e", 't = TCPListenPipe("127.0.0.1", 0); u = UDPServerPipe("127.0.0.1", 0)')
    address, other = address_of(service, "e", "t"), address_of(service, "e", "u")
    eventually(lambda: len(service.of_blocks()) == 6)  # of each: what it is, the socket, a queue
    peer = socket.create_connection(address)
    eventually(lambda: len(service.of_blocks()) == 9)  # and what comes: on its way, and whole
    service.ok("remove", "e", "t")
    eventually(lambda: len(service.of_blocks()) == 3)
    assert peer.recv(1) == b""
    peer.close()
    with pytest.raises(OSError):
        socket.create_connection(address)
    for _ in range(5):  # the port is free as soon as it has stopped
        service.ok("stop", "e")
        assert service.of_blocks() == []
        service.ok("set", "e.u", f"port={other[1]}")
        service.ok("start", "e")
        eventually(lambda: len(service.of_blocks()) == 3)
    service.ok("destroy", "e")
    eventually(lambda: service.kept_names() == [])
    service.ok("create", "f", 'u = UDPServerPipe("127.0.0.1", 0)', "--start", "--ephemeral")
    service.restart()
    assert service.kept_names() == []


def test_what_a_failed_start_had_is_there_for_the_next(service, tmp_path):
    """Who connects meanwhile waits."""
    capture = tmp_path / "in.pcap"
    makers.pcap(capture, [(b"x" * 60, 0)])
    service.create("e", f'''t = TCPListenPipe("127.0.0.1"); q = QueueSink(); t > q
        r = RdpcapSource("{capture}"); r > q''')
    address = address_of(service, "e", "t")
    eventually(lambda: service.client().stats("e", "q")["held"] == 1)
    capture.rename(tmp_path / "away")
    service.restart()
    assert service.client().show("e")["state"] == "failed"
    with socket.create_connection(address) as peer, service.client() as rpc:
        (tmp_path / "away").rename(capture)
        service.ok("start", "e")
        peer.sendall(b"here")
        packet, text = rpc.recv("e", "q", 2)
        assert packet["link_type"] == 1 and text["message"] == "here"


def test_what_is_not_taken_up_is_in_nobodys_way(service):
    """A listener that is told otherwise in the file now, and wants the same port."""
    def write(host, port):
        (service.engines / "e.pipe").write_text(f't = TCPListenPipe("{host}", {port}); q = QueueSink(); t > q')
        service.restart()

    write("127.0.0.1", 0)
    address = address_of(service, "e", "t")
    write("localhost", address[1])
    with service.client() as rpc:
        eventually(lambda: rpc.show("e")["state"] == "running")
        with socket.create_connection(address) as peer:
            peer.sendall(b"here")
            assert rpc.recv("e", "q", 1)[0]["message"] == "here"


def test_what_nobody_claims_is_let_go(service):
    text = 't = TCPListenPipe("127.0.0.1", 0); u = UDPServerPipe("127.0.0.1", 0)'
    (service.engines / "e.pipe").write_text(text)
    service.restart()
    eventually(lambda: len(service.of_blocks()) == 6)
    (service.engines / "e.pipe").write_text(text.split(";")[0])
    service.restart(signal.SIGKILL)
    eventually(lambda: len(service.of_blocks()) == 3)
    (service.engines / "e.pipe").unlink()
    service.restart()
    eventually(lambda: service.kept_names() == [])
    assert "of engine e had left is let go" in service.log()


def test_what_is_otherwise_in_the_file_is_told(service):
    def write(listener, queue):
        (service.engines / "e.pipe").write_text(f"t = {listener}; q = {queue}; t > q")
        service.restart()

    def told(words):
        return service.log().count(words)

    write('TCPListenPipe("127.0.0.1", 0)', "QueueSink()")
    peer = socket.create_connection(address_of(service, "e", "t"))
    eventually(lambda: service.client().show("e", "t")["now"].get("peer"))
    write('TCPListenPipe("127.0.0.1", 0)', "QueueSink()")
    assert not told("before the restart")
    write('TCPListenPipe("localhost", 0)', "QueueSink()")
    assert peer.recv(1) == b""
    peer.close()
    assert told("engine e, block t: 'tcp-listen") == 1 and told("of before the restart is closed") == 1
    write('TCPListenPipe("localhost", 0)', "Sink()")
    assert told("engine e, block q: what it had left before the restart is let go") == 1
    assert told("before the restart") == 2


def test_what_nobody_can_claim_hides_nothing_else(service):
    """Descriptors without their memory, as a crash may leave them, among others that were passed."""
    near, far = socket.socketpair()
    with far:
        service.manager.kept += [(f"keep/e/t{n}/1", os.dup(far.fileno())) for n in range(5)]
        service.manager.kept += [("feed", near.detach())]
        (service.engines / "e.pipe").write_text("f = FDSourceSink('feed'); q = QueueSink(); f > q")
        service.restart()
        far.sendall(b"here")
        assert service.client().recv("e", "q", 1)[0]["message"] == "here"
        eventually(lambda: not any("/t" in name for name in service.kept_names()))


def test_nothing_piles_up_for_a_manager_that_is_slow(service):
    service.create("e", 't = TCPListenPipe("127.0.0.1", 0, again=True); t > t')
    address = address_of(service, "e", "t")
    most = 100

    def come_and_go(times):
        for _ in range(times):
            with socket.create_connection(address) as peer:
                peer.settimeout(DEADLINE)
                peer.sendall(b"x")
                assert peer.recv(1) == b"x"
                peer.shutdown(socket.SHUT_WR)
                assert peer.recv(1) == b""

    with open("/proc/sys/net/unix/max_dgram_qlen") as said:
        until_full = int(said.read())
    come_and_go(1)
    eventually(lambda: len(service.of_blocks()) == 5)  # none of it is a connection's
    service.manager.reads.clear()
    come_and_go(until_full + 2 * most)
    assert len(os.listdir(f"/proc/{service.process.pid}/fd")) < most
    service.manager.reads.set()
    eventually(lambda: len(service.of_blocks()) == 5)
    service.restart()
    come_and_go(1)


def test_a_manager_without_room_is_told_of_once(services):
    service = services()
    service.room = 3
    service.restart()
    service.create("e", *(f'u{n} = UDPServerPipe("127.0.0.1", 0)' for n in range(5)))
    eventually(lambda: "keeps no more than 3 descriptors" in service.log())
    assert service.log().count("keeps no more than") == 1 and len(service.kept_names()) <= 3
    service.restart()
    assert service.client().show("e")["state"] == "running"


def test_what_is_too_long_for_the_room_there_is_is_told_of_once(services):
    service = services()
    (service.blocks / "long.lua").write_text(
        'Drain{name="Long", doc="Carries more and more", carries={"all"}, push=function(self, m)'
        ' self.state.all = (self.state.all or "") .. ("x"):rep(50000); self:send(m) end}')
    service.restart()
    service.create("e", "s = CLIFeeder(); l = Long(); q = QueueSink(); s > l > q")
    service.client().send("e", "s", "first")
    service.room = len(service.kept_names())
    service.restart()
    for n in range(10):
        service.client().send("e", "s", str(n))
    eventually(lambda: "descriptors" in service.log() or "too long" in service.log())
    service.client().send("e", "s", "last")
    assert len([line for line in service.log().splitlines() if "warning" in line]) == 1, service.log()
    assert len(service.client().texts("e", "q", 12)) == 12


def test_what_there_is_room_for_is_kept_whole(services):
    """No descriptor takes the place of the memory that tells what another is."""
    service = services()
    service.room = 4
    service.restart()
    service.create("e", 'u = UDPServerPipe("127.0.0.1", 0); v = UDPServerPipe("127.0.0.1", 0)')
    eventually(lambda: len(service.kept_names()) == 4)
    whole = [name for name in service.kept_names() if name.endswith("/0")]
    assert {name[:-1] for name in whole} == {name[:-1] for name in service.kept_names()}


def test_what_the_manager_has_refused_is_told(service):
    service.manager.most = 2
    service.create("e", 'u = UDPServerPipe("127.0.0.1", 0)')
    eventually(lambda: "keep/e/u/2" in service.manager.names)
    assert len(service.kept_names()) == 2
    service.restart()
    assert "was not kept by the service manager" in service.log()
    assert service.client().show("e")["state"] == "running"


def memory_kept(service):
    with service.manager.lock:
        return [fd for _, fd in service.manager.kept
                if "memfd" in os.readlink(f"/proc/self/fd/{fd}")]


def flip_some(service, chance, most):
    """One bit or more in some of the memory that the manager keeps, where there is something."""
    memory = memory_kept(service)
    with service.manager.lock:
        for fd in chance.sample(memory, chance.randint(1, len(memory))):
            half = chance.choice([0, 128 * 1024])
            for _ in range(chance.randint(1, most)):
                at = chance.choice([chance.randrange(48), half + 4096 + chance.randrange(300)])
                byte = os.pread(fd, 1, at) or b"\0"
                os.pwrite(fd, bytes([byte[0] ^ 1 << chance.randrange(8)]), at)


@pytest.mark.parametrize("seed", range(200 if os.environ.get("PIPETOOL_LONG") else 12))
def test_what_is_damaged_in_the_store_is_let_go_told_and_counted(service, seed):
    chance = random.Random(seed)
    sent = [str(n) * (n + 1) for n in range(5)]
    service.create("e", '''s = CLIFeeder(); v = TriggeredQueueingValve(False); t = TriggeredValve(True)
        q = QueueSink(); w = QueueSink(); s > v > w; s > t > q; l = TCPListenPipe("127.0.0.1", 0)
        u = UDPServerPipe("127.0.0.1", 0)''')
    with service.client() as rpc:
        rpc.send("e", "s", *sent)
    for _ in range(2):
        eventually(lambda: memory_kept(service))
        service.process.kill()
        service.process.wait()
        flip_some(service, chance, chance.choice([1, 1, 8]))
        service.start()
    with service.client() as rpc:
        assert rpc.show("e")["state"] == "running"
        held = rpc.stats("e", "q")["held"]
        got = rpc.texts("e", "q", held) if held else []
        assert got == sent[:len(got)]
        lost = rpc.stats("e", "q")["dropped"].get("restart", 0)
        assert len(got) == len(sent) or lost or "damaged" in service.log()
        assert rpc.stats("e")["unexplained"] == 0


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_a_capture_that_counts_goes_on_counting(service, end):
    if os.getuid() != 0:
        pytest.skip("capturing needs CAP_NET_RAW")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        service.create("e", f"n = SniffSource('lo', filter='udp port {port}', count=10, timeout='1h'); q = QueueSink(); n > q")

        def send(count):
            for _ in range(count):
                receiver.sendto(b"x", ("127.0.0.1", port))
        send(4)
        assert len(service.client().recv("e", "q", 4)) == 4
        service.restart(end)
        send(20)
        assert len(service.client().recv("e", "q", 6)) == 6
        eventually(lambda: service.client().show("e", "n")["state"] == "exhausted")
        service.restart(end)
        assert service.client().show("e", "n")["state"] == "exhausted"
        assert service.client().stats("e", "n")["out"] == 10
