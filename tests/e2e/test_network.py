# SPDX-License-Identifier: BSD-2-Clause
"""Network pipes and descriptors against real sockets, with peers that behave and peers that do not."""
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pty
import random
import re
import socket
import struct
import subprocess
import threading
import tty

import pytest
from scapy.all import (ARP, IP, TCP, UDP, Dot1Q, Ether, IPv6, IPv6ExtHdrDestOpt, Padding, Raw)

import makers
from client import add, link
from conftest import DEADLINE, eventually, ip, sanitized
from sockets import (accept, address, connected, data_of, dropped, exhausted, listener, name_of, read_all,
                     read_exactly, received, reset, settled)

MIB = 1 << 20
BIG = 1 << 30 if os.environ.get("PIPETOOL_LONG") else (16 if sanitized() else 64) * MIB


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


LISTEN = '''f = CLIFeeder(); t = TCPListenPipe("127.0.0.1"{}); low = QueueSink(); high = QueueSink()
    f > t > low; t >> high'''


def connect_pipe(port, more=""):
    return f'f = CLIFeeder(); t = TCPConnectPipe("127.0.0.1", {port}{more}); low = QueueSink(); f > t > low'


# ---- TCPConnectPipe -----------------------------------------------------------------------------

def test_bytes_go_both_ways(daemon, rpc):
    with listener() as server:
        daemon.create("e", connect_pipe(server.getsockname()[1]))
        with accept(server) as peer:
            rpc.send("e", "f", "hello ", "there")
            assert read_exactly(peer, 11) == b"hello there"
            peer.sendall(b"\xff\0back")
            assert received(rpc, "e", "low", 6) == b"\xff\0back"
            now = rpc.show("e", "t")["now"]
            assert now == {"connected": True, "address": name_of(peer, True), "peer": name_of(peer)}
        exhausted(rpc, "e", "t")
    settled(rpc, "e")


def test_a_connection_refused_is_told_and_starts_nothing(daemon, rpc):
    with listener() as server:
        port = server.getsockname()[1]
    result = daemon.ptctl("create", "e", f'TCPConnectPipe("127.0.0.1", {port})', "--start")
    assert result.code == 1
    assert f"127.0.0.1 port {port}" in result.err and "refused" in result.err
    assert "retry_s" in result.err
    assert rpc.call("engine.list")["engines"] == []


@pytest.mark.parametrize("block", ["TCPConnectPipe()", "TCPConnectPipe(retry_s=1)", "UDPClientPipe()"])
def test_a_peer_needs_a_port_by_the_start(daemon, rpc, block):
    daemon.create("e", f"x = {block}", start=False)
    result = daemon.ptctl("start", "e")
    assert result.code == 1 and result.out == ""
    assert "block 'x'" in result.err and "port 0" in result.err and "port=5555" in result.err
    assert rpc.show("e")["state"] == "stopped"


@pytest.mark.parametrize("block", ['TCPConnectPipe("{}", 7)', 'TCPListenPipe("{}", 7)',
                                   'UDPClientPipe("{}", 7)', 'UDPServerPipe("{}", 7)',
                                   'UDPDrain("{}", 7)'])
def test_a_name_that_is_none(daemon, block):
    result = daemon.ptctl("create", "e", "x = " + block.format("no-such-host.invalid"), "--start")
    assert result.code == 1
    assert "no-such-host.invalid" in result.err and result.err.count("\n") <= 2


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", ""])
def test_names_and_families(daemon, rpc, host):
    family = "::1" if host == "::1" else "127.0.0.1"
    with listener(family) as server:
        daemon.create("e", f'CLIFeeder(name="f") > TCPConnectPipe("{host}", {server.getsockname()[1]})')
        with accept(server) as peer:
            rpc.send("e", "f", "x")
            assert read_exactly(peer, 1) == b"x"
    daemon.create("s", f't = TCPListenPipe("{host}"); low = QueueSink(); high = QueueSink(); t > low; t >> high')
    for where in {"::1": ["::1"], "": ["127.0.0.1"]}.get(host, ["127.0.0.1"]):
        with connected((where, address(rpc, "s", "t")[1])) as peer:
            peer.sendall(b"y")
            assert rpc.texts("s", "low", 1) == ["y"]
            assert rpc.texts("s", "high", 1) == [name_of(peer)]


def test_a_peer_that_ends_its_side_can_still_be_written_to(daemon, rpc):
    with listener() as server:
        daemon.create("e", connect_pipe(server.getsockname()[1]))
        with accept(server) as peer:
            peer.sendall(b"last words")
            peer.shutdown(socket.SHUT_WR)
            exhausted(rpc, "e", "t")
            assert received(rpc, "e", "low", 10) == b"last words"
            rpc.send("e", "f", "still here")
            assert read_exactly(peer, 10) == b"still here"
            settled(rpc, "e")
            assert read_all(peer) == b""


def test_a_reset_is_told_once_and_ends_the_source(daemon, rpc):
    with listener() as server:
        daemon.create("e", connect_pipe(server.getsockname()[1]))
        reset(accept(server))
        exhausted(rpc, "e", "t")
        assert "reset" in rpc.stats("e", "t")["last_error"]
        rpc.send("e", "f", "a", "b")
        assert sum(dropped(rpc, "e", "t").values()) == 2
    settled(rpc, "e")
    assert daemon.log().count("the connection is lost") == 1


def test_it_connects_again_and_loses_nothing(daemon, rpc):
    with listener() as server:
        port = server.getsockname()[1]
    daemon.create("e", connect_pipe(port, ", retry_s=0.05"))
    rpc.send("e", "f", "before ", "any ")
    eventually(lambda: rpc.stats("e", "t")["errors"])
    with listener(port=port) as server, accept(server) as peer:
        assert read_exactly(peer, 11) == b"before any "
        peer.sendall(b"one")
        assert received(rpc, "e", "low", 3) == b"one"
        reset(peer)
    eventually(lambda: not rpc.show("e", "t")["now"]["connected"])
    rpc.send("e", "f", "between ")
    with listener(port=port) as server, accept(server) as peer:
        rpc.send("e", "f", "after")
        assert read_exactly(peer, 13) == b"between after"
        peer.sendall(b"two")
        assert received(rpc, "e", "low", 3) == b"two"
        assert rpc.show("e", "t")["state"] == "running"
    settled(rpc, "e")
    assert daemon.log().count("cannot connect") <= 2  # once a time that it is gone


def test_an_engine_that_connects_can_be_stopped_and_destroyed_at_once(daemons, network):
    daemon = daemons(prefix=network.inside(network.left))
    with daemon.client() as rpc:
        daemon.create("e", 't = TCPConnectPipe("10.9.0.77", 7, retry_s=0.01); CLIFeeder(name="f") > t')
        rpc.send("e", "f", "x")
        rpc.call("engine.stop", engine="e", timeout=3)
        assert rpc.stats("e", "t")["dropped"] == {"unsent": 1}
        rpc.call("engine.start", engine="e")
        rpc.call("engine.destroy", engine="e", timeout=3)


# ---- TCPListenPipe ------------------------------------------------------------------------------

def test_the_peer_then_the_trigger_then_the_bytes(daemon, rpc):
    daemon.create("e", '''t = TCPListenPipe("127.0.0.1"); q = QueueSink(); m = TriggeredMessage("triggered")
        t > q; t >> q; t ^ m; m > q''')
    with connected(address(rpc, "e", "t")) as peer:
        peer.sendall(b"bytes")
        assert [(m["canal"], m["message"]) for m in rpc.recv("e", "q", 3)] == \
            [("high", name_of(peer)), ("low", "triggered"), ("low", "bytes")]
    assert rpc.show("e", "t")["now"]["address"].startswith("127.0.0.1:")


def test_what_was_pushed_earlier_waits_for_the_connection(daemon, rpc):
    daemon.create("e", LISTEN.format(""))
    rpc.send("e", "f", "one ", "two ")
    assert rpc.stats("e", "t")["held"] == 2
    with connected(address(rpc, "e", "t")) as peer:
        assert read_exactly(peer, 8) == b"one two "
        rpc.send("e", "f", "three")
        assert read_exactly(peer, 5) == b"three"
    exhausted(rpc, "e", "t")
    settled(rpc, "e")


def test_further_connections_are_refused(daemon, rpc):
    daemon.create("e", LISTEN.format(""))
    where = address(rpc, "e", "t")
    with connected(where) as first:
        rpc.texts("e", "high", 1)
        with pytest.raises(ConnectionRefusedError):
            connected(where)
        first.sendall(b"x")
        assert rpc.texts("e", "low", 1) == ["x"]


def test_again_takes_the_next_when_one_has_closed(daemon, rpc):
    daemon.create("e", LISTEN.format(", again=True"))
    where = address(rpc, "e", "t")
    for n in range(3):
        with connected(where) as peer:
            assert rpc.texts("e", "high", 1) == [name_of(peer)]
            with pytest.raises(ConnectionResetError), connected(where) as other:
                other.recv(1)
            peer.sendall(f"to {n}".encode())
            assert received(rpc, "e", "low", 4) == f"to {n}".encode()
            rpc.send("e", "f", f"from {n}")
            assert read_exactly(peer, 6) == f"from {n}".encode()
        eventually(lambda: not rpc.show("e", "t")["now"]["connected"])
    rpc.send("e", "f", "kept")
    assert rpc.stats("e", "t")["held"] == 1
    with connected(where) as peer:
        assert read_exactly(peer, 4) == b"kept"
        reset(peer)
        eventually(lambda: not rpc.show("e", "t")["now"]["connected"])
    with connected(where) as peer:
        rpc.send("e", "f", "last")
        assert read_exactly(peer, 4) == b"last"
    assert rpc.show("e", "t")["state"] == "running"
    settled(rpc, "e")


@pytest.mark.parametrize("gone", [False, True])
def test_again_can_be_set_while_a_peer_is_there_or_has_closed(daemon, rpc, gone):
    daemon.create("e", LISTEN.format(""))
    where = address(rpc, "e", "t")
    with connected(where) as peer:
        peer.sendall(b"1")
        assert received(rpc, "e", "low", 1) == b"1"
        if not gone:
            daemon.ok("set", "e.t", "again=true")
            peer.sendall(b"2")
            assert received(rpc, "e", "low", 1) == b"2"
    if gone:
        exhausted(rpc, "e", "t")
        daemon.ok("set", "e.t", "again=true")
    with connected(address(rpc, "e", "t")) as peer:
        peer.sendall(b"3")
        assert received(rpc, "e", "low", 1) == b"3"
        daemon.ok("set", "e.t", "again=false")
    exhausted(rpc, "e", "t")
    settled(rpc, "e")


def test_again_waits_for_who_has_closed_and_is_not_read_to_its_end(daemon, rpc):
    """The second peer comes after the first has gone, as `echo | nc` in a loop does."""
    daemon.create("e", 't = TCPListenPipe("127.0.0.1", again=True); t > QueueSink(1, "block", name="q")')
    with connected(address(rpc, "e", "t")) as peer:
        peer.sendall(b"a")
        eventually(lambda: rpc.stats("e", "q")["held"] == 1)  # full: nothing more is read
        peer.sendall(b"b")
    with connected(address(rpc, "e", "t")) as peer:
        peer.sendall(b"c")
    assert received(rpc, "e", "q", 3) == b"abc"
    settled(rpc, "e")


def test_again_answers_a_peer_that_only_listens_any_more(daemon, rpc):
    """An echo: every byte comes back before the connection closes."""
    daemon.create("e", 't = TCPListenPipe("127.0.0.1", again=True); t > t')
    sent = random.Random(5).randbytes(6 * MIB)
    for _ in range(2):
        with connected(address(rpc, "e", "t")) as peer:
            def send():
                peer.sendall(sent)
                peer.shutdown(socket.SHUT_WR)
            writer = threading.Thread(target=send)
            writer.start()
            assert read_all(peer) == sent
            writer.join()


def test_a_port_in_use_is_told_with_its_holder(daemon, rpc):
    with listener() as server:
        port = server.getsockname()[1]
        result = daemon.ptctl("create", "e", f'TCPListenPipe("127.0.0.1", {port})', "--start")
        assert result.code == 1
        assert f"port {port}" in result.err and "in use" in result.err
        assert f"(pid {os.getpid()})" in result.err
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        result = daemon.ptctl("create", "e", f'UDPServerPipe("127.0.0.1", {port})', "--start")
        assert f"port {port}" in result.err and f"(pid {os.getpid()})" in result.err
    daemon.create("a", 'TCPListenPipe("127.0.0.1", name="t")')
    port = address(rpc, "a", "t")[1]
    result = daemon.ptctl("create", "b", f'TCPListenPipe("127.0.0.1", {port})', "--start")
    assert f"(pid {daemon.process.pid})" in result.err


def test_an_address_that_is_not_ours(daemon):
    result = daemon.ptctl("create", "e", 'TCPListenPipe("192.0.2.1", 0)', "--start")
    assert result.code == 1 and "192.0.2.1" in result.err and "assign" in result.err


def test_a_stopped_engine_starts_again(daemon, rpc):
    daemon.create("e", LISTEN.format(""))
    before = descriptors(daemon)
    for n in range(5):
        with connected(address(rpc, "e", "t")) as peer:
            rpc.send("e", "f", f"round {n}")
            assert read_exactly(peer, 7) == f"round {n}".encode()
            peer.sendall(b"x")
            assert rpc.texts("e", "low", 1) == ["x"]
            settled(rpc, "e")
            assert read_all(peer) == b""
        rpc.call("engine.start", engine="e")
    eventually(lambda: descriptors(daemon) <= before, what="no descriptor more")


# ---- what a peer does not take ------------------------------------------------------------------

def lines(count):
    return b"".join(b"%08d" % n for n in range(count))


def test_a_peer_that_does_not_read_holds_the_sources_back(daemon, rpc):
    with listener() as sink:
        daemon.create("e", f'''t = TCPListenPipe("127.0.0.1")
            t > TCPConnectPipe("127.0.0.1", {sink.getsockname()[1]}, limit="64KiB", name="out")''')
        with accept(sink) as out, connected(address(rpc, "e", "t")) as source:
            sent = lines(3 * MIB)
            writer = threading.Thread(target=lambda: (source.sendall(sent), source.close()))
            writer.start()
            eventually(lambda: rpc.stats("e", "out")["held"] > 0)
            eventually(lambda: len({rpc.stats("e", "t")["made"] for _ in range(50)}) == 1)
            assert rpc.stats("e", "t")["made"] < 3 * MIB * 8 // 1024  # it has not read all
            told = eventually(lambda: re.search(r"^out: (\S+) has read nothing for \d+ s, and ([0-9,]+) bytes wait$",
                                                daemon.ok("show", "e"), re.M))
            assert told[1] == "%s:%d" % sink.getsockname() and int(told[2].replace(",", "")) >= 64 * 1024
            got = read_exactly(out, len(sent))
            writer.join()
            assert got == sent
            exhausted(rpc, "e", "t")
            assert dropped(rpc, "e", "out") == {} and "unread_s" not in rpc.show("e", "out")["now"]
    settled(rpc, "e")


def test_a_limit_below_one_message_loses_nothing(daemon, rpc, tmp_path):
    daemon.create("e", '''f = CLIFeeder(); t = TCPListenPipe("127.0.0.1", limit=1); f > t''')
    messages = [f"{n:06d}" for n in range(500)]
    rpc.send("e", "f", *messages)
    with connected(address(rpc, "e", "t")) as peer:
        assert read_exactly(peer, 3000) == "".join(messages).encode()
    assert rpc.stats("e", "t")["held"] == 0 and dropped(rpc, "e", "f") == {}


def test_a_stop_flushes_what_is_queued(daemon, rpc):
    with listener() as sink:
        daemon.create("e", connect_pipe(sink.getsockname()[1], ', limit="32MiB"'))
        with accept(sink) as out:
            piece = "0123456789abcdef" * 4096
            for _ in range(10):
                rpc.send("e", "f", *[piece] * 10, timeout=60)
            assert rpc.stats("e", "t")["held"] > 0
            reader = {}
            thread = threading.Thread(target=lambda: reader.update(got=read_all(out)))
            thread.start()
            settled(rpc, "e")
            thread.join()
            assert reader["got"] == piece.encode() * 100
    assert rpc.stats("e", "t")["out"] == 100


def test_neither_stop_nor_removal_is_held_up_by_a_peer_that_never_reads(daemon, rpc):
    with listener() as sink, listener() as other:
        daemon.create("e", connect_pipe(sink.getsockname()[1], ', limit="32MiB"'))
        daemon.create("other", connect_pipe(other.getsockname()[1], ', limit="32MiB"'))
        with accept(sink), accept(other), concurrent.futures.ThreadPoolExecutor() as pool:
            for engine in ["e", "other"] * 10:
                rpc.send(engine, "f", *["x" * 65536] * 10, timeout=60)
            removal = pool.submit(daemon.ptctl, "remove", "other", "t", "--timeout", 20)
            stopped = daemon.ptctl("-j", "stop", "e", "--timeout", 20)
            removed = removal.result()
            assert removed.code == 0 and "'t': " in removed.err and "does not read" in removed.err
            assert stopped.code == 1 and "'t': " in stopped.err and "does not read" in stopped.err
            assert json.loads(stopped.out)["state"] == "stopped"
            stats = rpc.stats("e", "t")
            assert stats["dropped"]["unsent"] > 10 and stats["out"] + stats["dropped"]["unsent"] == 100
            assert rpc.stats("e")["unexplained"] == 0


def resident_mib(daemon):
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def test_a_big_echo_with_a_slow_reader(daemons):
    """Through two engines and back: client > listener % connector > echo, byte for byte."""
    daemon = daemons()
    with daemon.client() as rpc:
        daemon.create("echo", 'e = TCPListenPipe("127.0.0.1"); e > e')
        daemon.create("relay", f'''a = TCPListenPipe("127.0.0.1")
            b = TCPConnectPipe("127.0.0.1", {address(rpc, "echo", "e")[1]}); a % b''')
        with connected(address(rpc, "relay", "a")) as peer:
            peer.settimeout(600)
            block = random.Random(7).randbytes(8 * MIB)
            sent, seen, count = hashlib.sha256(), hashlib.sha256(), 0

            def send():
                for n in range(BIG // len(block)):
                    piece = n.to_bytes(8, "big") + block[8:]
                    sent.update(piece)
                    peer.sendall(piece)
                peer.shutdown(socket.SHUT_WR)
            writer = threading.Thread(target=send)
            writer.start()
            pause = threading.Event()
            while count < BIG:
                if count % (16 * MIB) < 65536:
                    pause.wait(0.05)  # a reader that stops now and then: everything fills up
                data = peer.recv(65536)
                assert data
                seen.update(data)
                count += len(data)
            writer.join()
            assert seen.digest() == sent.digest()
        assert sanitized() or resident_mib(daemon) < 64
        for engine in ("relay", "echo"):
            settled(rpc, engine)


# ---- changes under traffic ----------------------------------------------------------------------

def test_changes_under_traffic(daemon, rpc):
    """Taps come and go beside a stream that must not miss a byte."""
    with listener() as sink:
        daemon.create("e", f'''t = TCPListenPipe("127.0.0.1"); d = Drain()
            out = TCPConnectPipe("127.0.0.1", {sink.getsockname()[1]}); t > d > out''')
        with accept(sink) as out, connected(address(rpc, "e", "t")) as source:
            sent = lines(2 * MIB)
            writer = threading.Thread(target=lambda: (source.sendall(sent), source.shutdown(1)))
            reader = {}
            thread = threading.Thread(target=lambda: reader.update(got=read_exactly(out, len(sent))))
            writer.start()
            thread.start()
            for n in range(20):
                with listener() as tap:
                    port = tap.getsockname()[1]
                    rpc.change("e", add("tap", "TCPConnectPipe", addr="127.0.0.1", port=port),
                               link("d", "tap"))
                    rpc.change("e", {"op": "set", "name": "out", "params": {"limit": 4096 + n}})
                    rpc.change("e", {"op": "remove", "name": "tap"})
            thread.join()
            writer.join()
            assert reader["got"] == sent
    settled(rpc, "e")


def test_a_replaced_pipe_sends_what_it_had(daemon, rpc):
    with listener() as one, listener() as two:
        daemon.create("e", connect_pipe(one.getsockname()[1]))
        with accept(one) as first:
            rpc.send("e", "f", "old")
            rpc.change("e", {"op": "replace", "name": "t", "type": "TCPConnectPipe",
                             "params": {"addr": "127.0.0.1", "port": two.getsockname()[1]}})
            with accept(two) as second:
                rpc.send("e", "f", "new")
                assert read_all(first) == b"old"
                assert read_exactly(second, 3) == b"new"
    settled(rpc, "e")


def test_engines_that_end_in_the_middle_leave_no_descriptor(daemon, rpc):
    daemon.create("other", "Sink()")
    before = descriptors(daemon)
    for _ in range(10):
        daemon.create("e", 't = TCPListenPipe("127.0.0.1"); t > t; u = UDPServerPipe("127.0.0.1"); u > u')
        with connected(address(rpc, "e", "t")) as peer:
            peer.sendall(b"x" * MIB)
            read_exactly(peer, 1000)
            rpc.call("engine.destroy", engine="e")
    eventually(lambda: descriptors(daemon) <= before, what="no descriptor more")


# ---- UDP ----------------------------------------------------------------------------------------

@contextlib.contextmanager
def udp(where=None, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        if where:
            sock.connect(where)
        yield sock


SERVER = '''f = CLIFeeder(); u = UDPServerPipe({}); q = QueueSink(); m = TriggeredMessage("triggered")
    f > u > q; u >> q; u ^ m; m > q'''


def test_a_udp_server_learns_its_peer_from_the_first_datagram(daemon, rpc):
    daemon.create("e", SERVER.format('"127.0.0.1"'))
    rpc.send("e", "f", "early", "too")
    with udp(address(rpc, "e", "u")) as peer, udp(address(rpc, "e", "u")) as other:
        peer.send(b"first")
        assert [(m["canal"], m["message"]) for m in rpc.recv("e", "q", 3)] == \
            [("low", "first"), ("low", "triggered"), ("high", name_of(peer))]
        assert [peer.recv(100), peer.recv(100)] == [b"early", b"too"]
        other.send(b"from another")
        assert rpc.texts("e", "q", 1) == ["from another"]
        rpc.send("e", "f", "answer")
        assert peer.recv(100) == b"answer"
        assert rpc.show("e", "u")["now"]["peer"] == name_of(peer)
        peer.send(b"")
        peer.send(b"after an empty one")
        assert rpc.texts("e", "q", 2) == ["", "after an empty one"]
    settled(rpc, "e")


def test_datagrams_that_the_kernel_could_not_keep_are_counted(daemon, rpc):
    daemon.create("e", 'u = UDPServerPipe("127.0.0.1"); q = QueueSink(1, "block"); u > q')
    with udp(address(rpc, "e", "u")) as peer:
        peer.send(b"first")
        eventually(lambda: rpc.stats("e", "q")["held"] == 1)  # full: nothing more is read
        for _ in range(2000):
            peer.send(b"x" * 1000)
        lost = dropped(rpc, "e", "u")["kernel"]
        assert len(rpc.recv("e", "q", 2001 - lost)) == 2001 - lost
        assert dropped(rpc, "e", "u")["kernel"] == lost
    settled(rpc, "e")


@pytest.mark.parametrize("family,where", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_udp_server_on_every_address(daemon, rpc, family, where):
    daemon.create("e", SERVER.format(""))
    with udp((where, address(rpc, "e", "u")[1]), family) as peer:
        peer.send(b"x")
        assert rpc.texts("e", "q", 3)[2] == name_of(peer)
        rpc.send("e", "f", "y")
        assert peer.recv(100) == b"y"


def test_a_udp_client(daemon, rpc):
    with udp() as server:
        port = server.getsockname()[1]
        daemon.create("e", f'CLIFeeder(name="f") > UDPClientPipe("localhost", {port}, name="u") > QueueSink(name="q")')
        big = "x" * 60000
        rpc.send("e", "f", "small", "", big)
        data, client = server.recvfrom(100)
        assert data == b"small"
        assert server.recv(100) == b""
        assert server.recv(65536) == big.encode()
        for n in range(200):
            server.sendto(b"%d" % n, client)
        assert rpc.texts("e", "q", 200) == [str(n) for n in range(200)]
        rpc.send("e", "f", "x" * 70000)
        assert dropped(rpc, "e", "u") == {"too-long": 1}
        assert "too long" in rpc.stats("e", "u")["last_error"].lower()
        rpc.send("e", "f", "fine")
        assert server.recv(100) == b"fine"
    settled(rpc, "e")


def test_a_udp_client_whose_server_comes_later(daemon, rpc):
    with udp() as server:
        where = server.getsockname()
    daemon.create("e", f'CLIFeeder(name="f") > UDPClientPipe("127.0.0.1", {where[1]}, name="u") > QueueSink(name="q")')
    rpc.send("e", "f", "lost")
    eventually(lambda: "refused" in (rpc.stats("e", "u")["last_error"] or ""))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.settimeout(DEADLINE)
        server.bind(where)
        rpc.send("e", "f", "one", "two")
        data, client = server.recvfrom(100)
        assert (data, server.recv(100)) == (b"one", b"two")
        server.sendto(b"here", client)
        assert rpc.texts("e", "q", 1) == ["here"]
    assert rpc.show("e", "u")["state"] == "running"
    settled(rpc, "e")


# ---- descriptors --------------------------------------------------------------------------------

FD = 'f = CLIFeeder(); d = FDSourceSink({"fd": 0}); q = QueueSink(); f > d > q'


def create_with(daemon, fd, *pipe):
    """As `ptctl --fd N` in a shell."""
    result = daemon.ptctl("--fd", fd, "create", "e", *pipe, "--start", pass_fds=[fd])
    assert result.code == 0, result


def test_a_descriptor_that_is_not_open_is_told_before_anything_is_asked(daemon):
    result = daemon.ptctl("--fd", 77, "create", "e", FD)
    assert result.code == 2 and "descriptor 77 is not open" in result.err


def test_a_socket_is_read_and_written(daemon, rpc):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(DEADLINE)
        create_with(daemon, theirs.fileno(), FD)
        ours.sendall(b"in")
        assert received(rpc, "e", "q", 2) == b"in"
        rpc.send("e", "f", "out")
        assert ours.recv(10) == b"out"
        ours.shutdown(socket.SHUT_WR)
        exhausted(rpc, "e", "d")
        rpc.send("e", "f", "more")
        assert ours.recv(10) == b"more"
        settled(rpc, "e")
        assert os.get_blocking(theirs.fileno()), "what is shared is as it was"


def test_another_descriptor_takes_the_place_of_one(daemon, rpc):
    """Both are {"fd": 0}, each of its own request."""
    first, second = socket.socketpair(), socket.socketpair()
    create_with(daemon, first[1].fileno(), FD)
    result = daemon.ptctl("--fd", second[1].fileno(), "replace", "e.d", 'FDSourceSink({"fd": 0})',
                          pass_fds=[second[1].fileno()])
    assert result.code == 0, result
    rpc.send("e", "f", "here")
    second[0].settimeout(DEADLINE)
    assert second[0].recv(10) == b"here"
    for end in (*first, *second):
        end.close()


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_a_socket_with_borders_keeps_them(daemon, rpc, kind):
    ours, theirs = socket.socketpair(type=kind)
    with ours, theirs:
        ours.settimeout(DEADLINE)
        create_with(daemon, theirs.fileno(), FD)
        rpc.send("e", "f", "one", "two", "three")
        assert [ours.recv(100) for _ in range(3)] == [b"one", b"two", b"three"]
        for text in (b"a", b"bc"):
            ours.send(text)
        assert rpc.texts("e", "q", 2) == ["a", "bc"]


def test_a_pipe_ends(daemon, rpc):
    read, write = os.pipe()
    create_with(daemon, read, FD)
    os.close(read)
    os.write(write, b"through a pipe")
    assert received(rpc, "e", "q", 14) == b"through a pipe"
    rpc.send("e", "f", "nowhere to go")
    assert dropped(rpc, "e", "d") == {"read-only": 1}
    assert "reading alone" in rpc.stats("e", "d")["last_error"]
    os.close(write)
    exhausted(rpc, "e", "d")
    settled(rpc, "e")


def test_a_pipe_is_written_to_and_holds_back(daemon, rpc):
    read, write = os.pipe()
    create_with(daemon, write, FD)
    assert rpc.show("e", "d")["state"] == "exhausted"
    pieces = [f"{n:05d}" * 100 for n in range(1000)]
    rpc.send("e", "f", *pieces)
    got = b""
    while len(got) < 500_000:
        got += os.read(read, 65536)
    assert got == "".join(pieces).encode()
    assert os.get_blocking(write), "its flags are its owner's"
    os.close(read)
    os.close(write)
    rpc.send("e", "f", "x")
    assert dropped(rpc, "e", "d") == {"unsent": 1}
    settled(rpc, "e")


def test_a_file_is_read_to_its_end_and_another_written(daemon, rpc, tmp_path):
    content = random.Random(3).randbytes(3 * MIB + 17)
    (tmp_path / "in").write_bytes(content)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as target:
        result = daemon.ptctl("--fd", source.fileno(), "--fd", target.fileno(), "run",
                              'FDSourceSink({"fd": 0}) > FDSourceSink({"fd": 1})',
                              pass_fds=[source.fileno(), target.fileno()])
        assert result.code == 0, result
    assert (tmp_path / "out").read_bytes() == content


def test_a_terminal(daemon, rpc):
    master, slave = pty.openpty()
    tty.setraw(slave)
    create_with(daemon, slave, FD)
    os.write(master, b"typed")
    assert received(rpc, "e", "q", 5) == b"typed"
    rpc.send("e", "f", "shown")
    assert os.read(master, 100) == b"shown"
    assert os.get_blocking(slave), "a shell on it is not disturbed"
    os.close(slave)
    os.close(master)
    exhausted(rpc, "e", "d")
    settled(rpc, "e")


def test_the_same_descriptor_after_a_restart(daemon, rpc):
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(DEADLINE)
        create_with(daemon, theirs.fileno(), FD)
        theirs.close()
        for text in ("one", "two"):
            rpc.send("e", "f", text)
            assert ours.recv(10) == text.encode()
            settled(rpc, "e")
            rpc.call("engine.start", engine="e")
        rpc.call("engine.destroy", engine="e")
        assert ours.recv(10) == b""


# ---- packets ------------------------------------------------------------------------------------

def packets_of(rpc, engine, block, count):
    messages = rpc.recv(engine, block, count)
    assert len(messages) == count, messages
    return messages


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_udp_drain_makes_packets_that_scapy_would(daemon, rpc, tmp_path, host):
    layer = IPv6 if ":" in host else IP
    daemon.create("e", f'''h = CLIHighFeeder(); u = UDPDrain("{host}", 40000); q = QueueSink()
        h >> u; u > q; u > WrpcapSink("{tmp_path}/out.pcap")''')
    chance = random.Random(11)
    payloads = [chance.randbytes(n) for n in (0, 1, 2, 3, 100, 1472, 65507)] + [bytes(64), b"\xff" * 33]
    for payload in payloads:
        rpc.send("e", "h", {"hex": payload.hex()})
    for n, (message, payload) in enumerate(zip(packets_of(rpc, "e", "q", len(payloads)), payloads)):
        wanted = layer(dst=host, src=host) / UDP(sport=1234, dport=40000) / Raw(payload)
        got = layer(data_of(message))
        if layer is IP:
            assert got.id == n + 1
            wanted.id = got.id
        assert bytes(got) == bytes(wanted)
        assert message["link_type"] == 101 and message["wire_length"] == len(wanted)
        assert float(message["time"]) > 1e9
    settled(rpc, "e")
    judged = subprocess.run(["tshark", "-r", tmp_path / "out.pcap", "-o", "udp.check_checksum:TRUE", "-o",
                             "ip.check_checksum:TRUE", "-Y", "udp.checksum.status == Good && "
                             "udp.dstport == 40000 && !_ws.malformed", "-T", "fields", "-e", "udp.srcport"],
                            check=True, capture_output=True, text=True)
    assert judged.stdout.split() == ["1234"] * len(payloads)


def test_udp_drain_chooses_the_address_by_route(daemons, network):
    daemon = daemons(prefix=network.inside(network.left))
    with daemon.client() as rpc:
        daemon.create("e", 'CLIHighFeeder(name="h") >> UDPDrain("10.9.0.2", 7, name="u"); q = QueueSink(); u > q')
        rpc.send("e", "h", "x")
        packet = IP(data_of(packets_of(rpc, "e", "q", 1)[0]))
        assert (packet.src, packet.dst, packet.ttl) == ("10.9.0.1", "10.9.0.2", 64)
        result = daemon.ptctl("create", "f", 'UDPDrain("192.0.2.1", 7)', "--start")
        assert result.code == 1 and "no way to send to '192.0.2.1'" in result.err


def test_udp_drain_takes_payloads_out(daemon, rpc, tmp_path):
    packets = [
        (Ether() / IP() / UDP() / Raw(b"one"), b"one"),
        (Ether() / Dot1Q(vlan=5) / IP() / UDP() / Raw(b"in a vlan"), b"in a vlan"),
        (Ether() / IPv6() / UDP() / Raw(b"six"), b"six"),
        (Ether() / IP() / TCP() / Raw(b"no"), None),
        (Ether() / IP() / UDP(), b""),
        (Ether() / IP() / UDP() / Raw(b"padded") / Padding(b"\0" * 20), b"padded"),
        (Ether() / IP(frag=8, proto=17) / Raw(b"x" * 64), None),
        (Ether() / IPv6() / IPv6ExtHdrDestOpt() / UDP() / Raw(b"behind"), b"behind"),
        (Ether() / ARP(), None),
    ]
    source = makers.pcap(tmp_path / "in.pcap", [(bytes(p), n) for n, (p, _) in enumerate(packets)])
    wanted = [payload for _, payload in packets if payload is not None]
    daemon.create("e", f'r = RdpcapSource("{source}"); u = UDPDrain(); q = QueueSink(); r > u; u >> q')
    messages = packets_of(rpc, "e", "q", len(wanted))
    assert [data_of(m) for m in messages] == wanted
    assert all(m["canal"] == "high" and "link_type" not in m for m in messages)
    assert rpc.stats("e", "u")["filtered"] == {"not-udp": 3} and not dropped(rpc, "e", "u")
    settled(rpc, "e")


def test_udp_drain_refuses_what_no_datagram_takes(daemon, rpc):
    daemon.create("e", 'CLIHighFeeder(name="h") >> UDPDrain(name="u"); u > Sink()')
    rpc.send("e", "h", "x" * 65508, "fine")
    stats = rpc.stats("e", "u")
    assert stats["dropped"] == {"too-long": 1} and stats["out"] == 1
    assert "65507" in stats["last_error"]


def ip6_between(network):
    for name, device, where in ((network.left, "pl", "fd00::1/64"), (network.right, "pr", "fd00::2/64")):
        subprocess.run([*network.inside(name), "sysctl", "-q", "-w", f"net.ipv6.conf.{device}.disable_ipv6=0"],
                       check=True)
        ip("-n", name, "address", "add", where, "dev", device, "nodad")


def test_inject3_sink_lets_the_kernel_find_the_way(daemons, network, tmp_path):
    ip6_between(network)
    left = daemons(prefix=network.inside(network.left))
    right = daemons(prefix=network.inside(network.right))
    sent = [
        Ether() / IP(src="10.9.0.1", dst="10.9.0.2", id=7) / UDP(sport=1, dport=5000) / Raw(b"framed"),
        Ether() / IP(src="10.9.0.99", dst="10.9.0.2", id=8) / UDP(sport=2, dport=5000) / Raw(b"x") /
        Padding(b"\0" * 30),
        Ether() / IPv6(src="fd00::1", dst="fd00::2") / UDP(sport=3, dport=5000) / Raw(b"six"),
        Ether() / ARP(),
        Ether() / IPv6(src="fd00::1", dst="2001:db8::1") / UDP(),
        Ether() / IP(src="10.9.0.1", dst="10.9.0.2") / UDP() / Raw(b"x" * 2000),
        Ether() / IP(src="10.9.0.1", dst="10.9.0.2", len=500) / UDP() / Raw(b"cut"),
        Ether() / Dot1Q(vlan=9) / IP(src="10.9.0.1", dst="10.9.0.2", id=9) / UDP(sport=4, dport=5000) / Raw(b"last"),
    ]
    source = makers.pcap(tmp_path / "in.pcap", [(bytes(p), n) for n, p in enumerate(sent)])
    right.create("in", 'SniffSource("pr", filter="udp and dst port 5000", immediate=true) > QueueSink(name="q")')
    left.create("out", f'r = RdpcapSource("{source}"); i = Inject3Sink("pl"); r > i', start=False)
    with right.client() as rpc, left.client() as lrpc:
        lrpc.call("engine.start", engine="out")
        got = [Ether(data_of(m)) for m in packets_of(rpc, "in", "q", 4)]
        for frame, original in zip(got, [sent[0], sent[1], sent[2], sent[7]]):
            layer = IPv6 if IPv6 in original else IP
            wanted = original[layer].copy()
            if Padding in wanted:
                wanted[Padding].underlayer.remove_payload()
            assert bytes(frame[layer]) == bytes(wanted)
            assert frame.dst != "ff:ff:ff:ff:ff:ff"
        eventually(lambda: lrpc.show("out", "r")["state"] == "exhausted")
        lrpc.call("engine.stop", engine="out")
        stats = lrpc.stats("out", "i")
        assert stats["out"] == 4
        assert stats["dropped"] == {"not-ip": 1, "no-route": 1, "too-long": 1, "truncated": 1}
        assert lrpc.stats("out")["unexplained"] == 0


def test_inject3_sink_sends_what_udp_drain_made(daemons, network):
    """Scapy's UDP tunnel: bytes to packets to the wire to a socket."""
    ip6_between(network)
    left = daemons(prefix=network.inside(network.left))
    right = daemons(prefix=network.inside(network.right))
    for number, (host, count) in enumerate((("10.9.0.2", 200), ("fd00::2", 200))):
        right.create(f"in{number}", f'UDPServerPipe("{host}", 7000, name="u") > QueueSink(name="q")')
        left.create(f"out{number}", f'CLIHighFeeder(name="h") >> UDPDrain("{host}", 7000, name="u"); '
                    'u > Inject3Sink("pl", name="i")')
        with right.client() as rpc, left.client() as lrpc:
            texts = [f"message {n}" for n in range(count)]
            lrpc.send(f"out{number}", "h", *texts)
            assert rpc.texts(f"in{number}", "q", count) == texts
            assert rpc.show(f"in{number}", "u")["now"]["peer"].endswith(":1234")
            assert lrpc.stats(f"out{number}", "i")["out"] == count


def test_inject3_sink_survives_an_interface_that_is_made_anew(daemons, network):
    left = daemons(prefix=network.inside(network.left))
    left.create("out", 'CLIHighFeeder(name="h") >> UDPDrain("10.9.0.2", 7000, name="u"); u > Inject3Sink("pl", name="i")')
    with left.client() as rpc:
        rpc.send("out", "h", "one")
        ip("-n", network.left, "link", "del", "pl")
        rpc.send("out", "h", "two")
        stats = rpc.stats("out", "i")
        assert stats["out"] == 1 and sum(stats["dropped"].values()) == 1
        ip("-n", network.left, "link", "add", "pl", "type", "veth", "peer", "name", "pr", "netns", network.right)
        ip("-n", network.left, "link", "set", "pl", "up")
        ip("-n", network.left, "address", "add", "10.9.0.1/24", "dev", "pl")
        ip("-n", network.right, "link", "set", "pr", "up")

        def goes_out():
            rpc.send("out", "h", "again")
            return rpc.stats("out", "i")["out"] > 1
        eventually(goes_out)


@pytest.mark.parametrize("block", ["InjectSink", "Inject3Sink"])
def test_an_interface_that_is_none(daemon, block):
    result = daemon.ptctl("create", "e", f'{block}("loo")', "--start")
    assert result.code == 1 and "no interface 'loo'; did you mean 'lo'?" in result.err


# ---- peers that vanish, and many of them --------------------------------------------------------

@pytest.fixture
def sides(daemons, network):
    return (daemons(prefix=network.inside(network.left)),
            daemons(prefix=network.inside(network.right)))


@pytest.mark.parametrize("waits", [False, True])
def test_a_peer_that_vanished_is_noticed(sides, network, waits):
    """Its cable is cut: at rest it is asked, and what it does not acknowledge is not waited for."""
    left, right = sides
    left.create("l", "f = CLIFeeder(); l = TCPListenPipe('10.9.0.1', 7000, keepalive=0.5, again=True); "
                     "q = QueueSink(); f > l > q; l >> q")
    right.create("c", "f = CLIFeeder(); c = TCPConnectPipe('10.9.0.1', 7000, keepalive=None); f > c")
    right.ok("send", "c.f", "hello")
    with left.client() as rpc:
        assert len(rpc.recv("l", "q", 2)) == 2
        ip("-n", network.left, "link", "set", "pl", "down")
        if waits:
            rpc.send("l", "f", "nobody hears this")
        eventually(lambda: rpc.stats("l", "l")["errors"] >= 1)
        eventually(lambda: not rpc.show("l", "l")["now"]["connected"])
        eventually(lambda: rpc.stats("l")["unexplained"] == 0)
        ip("-n", network.left, "link", "set", "pl", "up")
        right.create("d", "f = CLIFeeder(); c = TCPConnectPipe('10.9.0.1', 7000, retry_s=0.1); f > c")
        right.ok("send", "d.f", "another")
        eventually(lambda: "another" in rpc.texts("l", "q", 2))


def window_probes(port):
    """How often the kernel has asked a peer, whose window is shut, since it last was open."""
    told = subprocess.run(["ss", "-tnioH", "dst", f"127.0.0.1:{port}"], capture_output=True, text=True, check=True)
    found = re.search(r"persist,.* backoff:([0-9]+)", told.stdout, re.DOTALL)
    return int(found[1]) if found else 0


def test_a_peer_that_only_reads_slowly_is_not_cut(daemon, rpc):
    """Its window is shut, and it says so each time it is asked: for many times as long as it may be silent."""
    server = listener()
    port = server.getsockname()[1]
    daemon.create("e", f"r = PeriodicSource('{'x' * 100_000}', 0); "
                       f"c = TCPConnectPipe('127.0.0.1', {port}, keepalive=0.2, limit='1MiB'); r > c")
    peer = accept(server)
    eventually(lambda: rpc.stats("e", "c")["held"] > 0)
    eventually(lambda: window_probes(port) >= 3)  # 0.2, 0.4 and 0.8 s
    assert rpc.stats("e", "c")["errors"] == 0 and rpc.show("e", "c")["now"]["connected"]
    reset(peer)
    server.close()


def test_close_cuts_a_pipe_s_connection(daemon, rpc):
    daemon.create("e", "l = TCPListenPipe('127.0.0.1', 0, again=True); q = QueueSink(); l > q")
    for _ in range(2):
        peer = connected(address(rpc, "e", "l"))
        eventually(lambda: rpc.show("e", "l")["now"]["connected"])
        daemon.ok("close", "e.l")
        assert peer.recv(10) == b""
        peer.close()
        eventually(lambda: not rpc.show("e", "l")["now"]["connected"])


GROUPS = ["239.1.2.3", "ff15::77"]


@pytest.mark.parametrize("group", GROUPS)
def test_a_multicast_group_is_joined_and_sent_to(sides, network, group):
    left, right = sides
    if ":" in group:
        for side, device in ((network.left, "pl"), (network.right, "pr")):
            subprocess.run([*network.inside(side), "sysctl", "-q", "-w",
                            f"net.ipv6.conf.{device}.disable_ipv6=0"], check=True)
            ip("-n", side, "link", "set", device, "up")
        eventually(lambda: all("tentative" not in (out := subprocess.run(
            ["ip", "-n", side, "-6", "address", "show", "dev", device], capture_output=True, text=True,
            check=True).stdout) and "fe80" in out
            for side, device in ((network.left, "pl"), (network.right, "pr"))))
    for engine in ("one", "two"):  # several listen to one group
        right.create(engine, f"u = UDPServerPipe('{group}', 7100, interface='pr'); f = CLIFeeder(); "
                             "q = QueueSink(); f > u > q")
    left.create("out", f"f = CLIFeeder(); u = UDPClientPipe('{group}', 7100, interface='pl', ttl=3); "
                       "q = QueueSink(); f > u > q")
    left.ok("send", "out.f", "to all")
    for engine in ("one", "two"):
        with right.client() as rpc:
            assert rpc.texts(engine, "q", 1) == ["to all"]
            rpc.send(engine, "f", f"from {engine}")
    with left.client() as rpc:
        assert sorted(rpc.texts("out", "q", 2)) == ["from one", "from two"]
        for engine, pipe in (("out", "u"),):
            assert rpc.stats(engine, pipe)["errors"] == 0


def test_a_group_is_joined_anew_where_the_kernel_s_choice_is_made_anew(sides, network):
    """Nobody has named the interface."""
    left, right = sides

    def routes(side, device, address):
        ip("-n", side, "address", "add", address, "dev", device)
        ip("-n", side, "link", "set", device, "up")
        ip("-n", side, "route", "add", "224.0.0.0/4", "dev", device)
    for side, device in ((network.left, "pl"), (network.right, "pr")):
        ip("-n", side, "route", "add", "224.0.0.0/4", "dev", device)
    right.create("in", "u = UDPServerPipe('239.1.2.3', 7100, retry_s=0.1); q = QueueSink(); u > q")
    left.create("out", "f = CLIFeeder(); u = UDPClientPipe('239.1.2.3', 7100, retry_s=0.1); f > u")
    with right.client() as rpc, left.client() as sender:
        sender.send("out", "f", "one")
        assert rpc.texts("in", "q", 1) == ["one"]
        ip("-n", network.right, "link", "del", "pr")
        eventually(lambda: rpc.show("in", "u")["state"] == "failed" == sender.show("out", "u")["state"])
        ip("-n", network.left, "link", "add", "pl", "type", "veth", "peer", "name", "pr", "netns", network.right)
        routes(network.left, "pl", "10.9.0.1/24")
        routes(network.right, "pr", "10.9.0.2/24")
        eventually(lambda: rpc.show("in", "u")["state"] == "running" == sender.show("out", "u")["state"])
        sender.send("out", "f", "two")
        assert rpc.texts("in", "q", 1) == ["two"]


@pytest.mark.parametrize("where", ["10.9.0.255", "255.255.255.255"])
def test_a_broadcast_address_may_be_sent_to(sides, where):
    left, right = sides
    right.create("in", "u = UDPServerPipe('', 7200); f = CLIFeeder(); q = QueueSink(); f > u > q")
    left.create("out", f"f = CLIFeeder(); u = UDPClientPipe('{where}', 7200, interface='pl'); "
                       "q = QueueSink(); f > u > q")
    left.ok("send", "out.f", "to all")
    with right.client() as rpc, left.client() as lrpc:
        assert rpc.texts("in", "q", 1) == ["to all"]
        rpc.send("in", "f", "here")
        assert lrpc.texts("out", "q", 1) == ["here"]


def test_what_cannot_be_joined_is_refused(daemon):
    for text, words in (("UDPServerPipe('239.1.2.3', 7100, interface='nosuch0')", "no interface 'nosuch0'"),
                        ("UDPClientPipe('127.0.0.1', 7100, ttl=256)", "ttl")):
        refused = daemon.ptctl("create", "e", f"u = {text}; u > Sink()", "--start")
        assert refused.code != 0 and words in refused.err, refused


# ---- the flight recorder ------------------------------------------------------------------------

LIMIT = (4 if sanitized() else 64) * MIB
SIZE = 300
COST = 64  # of a message, beside its bytes
KEPT = LIMIT // (SIZE + COST)


def numbered(path, count, alarm=None, size=SIZE):
    """A capture of packets that carry their numbers; that with the number `alarm` goes to port 9."""
    frame = bytearray(bytes(Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") /
                            IP(src="10.9.0.1", dst="10.9.0.2") / UDP(sport=1, dport=2, chksum=0) /
                            Raw(bytes(size - 42))))
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for n in range(count):
            frame[42:50] = n.to_bytes(8, "big")
            frame[36:38] = struct.pack(">H", 9 if n == alarm else 2)
            file.write(struct.pack("<IIII", n // 1_000_000, n % 1_000_000, size, size))
            file.write(frame)
    return path


def numbers(path):
    with open(path, "rb") as file:
        data = file.read()
    at, found = 24, []
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        found.append(int.from_bytes(data[at + 16 + 42:at + 16 + 50], "big"))
        assert length == SIZE and at + 16 + length <= len(data)
        at += 16 + length
    return found


@pytest.mark.parametrize("more", ["", "--wait"])
def test_a_flight_recorder_writes_what_was_before_the_trigger(daemon, rpc, tmp_path, more):
    total, alarm = KEPT + 60_000, KEPT + 50_000
    source = numbered(tmp_path / "in.pcap", total, alarm)
    daemon.create("e", f'''r = RdpcapSource("{source}"); d = TriggerDrain("bpf 'udp dst port 9'")
        v = TriggeredQueueingValve(start_state=False, limit={LIMIT}); w = WrpcapSink("{tmp_path}/out.pcap")
        r > d > v > w; d ^ v''')
    if more:
        daemon.finish("e", 60)
    else:
        eventually(lambda: rpc.show("e", "r")["state"] == "exhausted")
        rpc.call("engine.stop", engine="e", timeout=60)
    got = numbers(tmp_path / "out.pcap")
    assert got == list(range(alarm - KEPT, total)), (got[0], got[-1], len(got))
    assert dropped(rpc, "e", "v") == {"overflow": alarm - KEPT} and dropped(rpc, "e", "w") == {}
    assert rpc.stats("e")["unexplained"] == 0


def test_a_flight_recorder_closes_again_by_the_packets_times(daemon, rpc, tmp_path):
    """A packet a microsecond; a second alarm makes it longer."""
    source = numbered(tmp_path / "in.pcap", 20_000, 9_000)
    data = bytearray(source.read_bytes())
    at = 24 + 9_030 * (16 + SIZE) + 16 + 36
    data[at:at + 2] = struct.pack(">H", 9)
    source.write_bytes(data)
    daemon.create("e", f'''r = RdpcapSource("{source}"); d = TriggerDrain("bpf 'udp dst port 9'")
        v = TriggeredQueueingValve(start_state=False, limit={100 * (SIZE + COST)}, close_after=0.00005)
        w = WrpcapSink("{tmp_path}/out.pcap"); r > d > v > w; d ^ v''')
    daemon.finish("e", 60)
    assert numbers(tmp_path / "out.pcap") == list(range(9_000 - 100, 9_030 + 50 + 1))
    assert rpc.stats("e")["unexplained"] == 0


def test_a_recorder_releases_no_faster_than_its_sink_takes(daemon, rpc, tmp_path):
    """More than any sink would keep; the reader is slow, and traffic goes on meanwhile."""
    limit = (40 if sanitized() else 80) * MIB
    size = 1400
    kept = limit // (size + COST)
    total, alarm = kept + 20_000, kept + 10_000
    source = numbered(tmp_path / "in.pcap", total, alarm, size)
    with listener() as server:
        daemon.create("e", f'''r = RdpcapSource("{source}"); d = TriggerDrain("bpf 'udp dst port 9'")
            v = TriggeredQueueingValve(start_state=False, limit={limit})
            t = TCPConnectPipe("127.0.0.1", {server.getsockname()[1]}, limit="64KiB"); r > d > v > t; d ^ v''')
        with accept(server) as out:
            eventually(lambda: rpc.stats("e", "v")["triggers"] == 1)
            held = rpc.stats("e", "v")["held"]
            assert held > 0 and rpc.stats("e", "t")["held"] * size < MIB
            got = read_exactly_fast(out, (total - alarm + kept) * size)
            found = [int.from_bytes(got[at + 42:at + 50], "big") for at in range(0, len(got), size)]
            assert found == list(range(alarm - kept, total))
            assert dropped(rpc, "e", "t") == {}
    settled(rpc, "e")


def read_exactly_fast(sock, count):
    got = bytearray()
    while len(got) < count:
        data = sock.recv(MIB)
        assert data, f"the end after {len(got)} of {count} bytes"
        got += data
    return got


def test_a_flight_recorder_on_an_interface(daemons, network, tmp_path):
    """A saturated link: what the kernel had to drop is the only thing that may be missing."""
    left = daemons(prefix=network.inside(network.left))
    right = daemons(prefix=network.inside(network.right))
    count = KEPT + 40_000
    source = numbered(tmp_path / "in.pcap", count)
    right.create("rec", f'''n = SniffSource("pr", filter="udp"); w = WrpcapSink("{tmp_path}/out.pcap")
        v = TriggeredQueueingValve(start_state=False, limit={LIMIT}); n > v > w''')
    left.ok("run", f'RdpcapSource("{source}") > InjectSink("pl")', timeout=120)
    with right.client() as rpc:
        def all_seen():
            stats = rpc.stats("rec", "n")
            return stats["out"] + sum(stats["dropped"].values()) >= count
        eventually(all_seen)
        rpc.call("block.trigger", engine="rec", block="v")
        rpc.call("engine.stop", engine="rec", timeout=60)
        lost = sum(rpc.stats("rec", "n")["dropped"].values())
        held = min(KEPT, count - lost)
        assert dropped(rpc, "rec", "w") == {} and rpc.stats("rec")["unexplained"] == 0
        got = numbers(tmp_path / "out.pcap")
        assert len(got) == held
        assert got == sorted(set(got)), "in order, none twice"
        assert got[-1] - got[0] + 1 - len(got) <= lost
        if not lost:
            assert got == list(range(count - held, count))


def test_a_pipe_whose_exits_lead_nowhere_is_not_waited_for(daemon, tmp_path):
    lines = [b"%d" % n for n in range(20)]
    (tmp_path / "lines").write_bytes(b"\n".join(lines))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(DEADLINE)
        daemon.ok("run", f"FileSource('{tmp_path}/lines') > UDPClientPipe('127.0.0.1', {peer.getsockname()[1]})")
        assert [peer.recv(100) for _ in lines] == lines


@pytest.mark.parametrize("side", ["TCPConnectPipe", "TCPListenPipe"])
def test_nor_is_the_peer_of_a_connection(daemon, tmp_path, side):
    """All has come to it, and it keeps its side open."""
    data = bytes(range(256)) * 4000
    (tmp_path / "data").write_bytes(data)
    with listener() as server:
        port = server.getsockname()[1]
        if side == "TCPListenPipe":
            server.close()
        graph = f"FileSource('{tmp_path}/data', by='block') > {side}('127.0.0.1', {port})"
        with concurrent.futures.ThreadPoolExecutor() as pool:
            run = pool.submit(daemon.ok, "run", graph)
            with accept(server) if side == "TCPConnectPipe" else eventually(lambda: reached(port)) as peer:
                peer.settimeout(DEADLINE)
                assert read_exactly(peer, len(data)) == data
                run.result(DEADLINE)


def reached(port):
    with contextlib.suppress(ConnectionRefusedError):
        return socket.create_connection(("127.0.0.1", port))
