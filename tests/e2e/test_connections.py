# SPDX-License-Identifier: BSD-2-Clause
"""TCP pipes: what a conversation is made of, and how it comes to its end, with socat as a peer."""
import contextlib
import random
import select
import socket
import struct
import subprocess
import threading

import pytest

from conftest import DEADLINE, eventually, ip
from sockets import (accept, address, connected, data_of, dropped, exhausted, listener, name_of, read_all, read_exactly,
                     received, reset, settled)

MIB = 1 << 20


# ---- one side of it ends before the other -------------------------------------------------------

def answering(server, answer):
    """Reads a request to its end, answers, and closes, as HTTP 1.0 does."""
    def serve():
        with accept(server) as peer:
            got = read_all(peer)
            peer.sendall(answer(got))
    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize("size", [1, 5 * MIB])
def test_an_exchange_through_a_relay_comes_to_its_end(daemon, rpc, size):
    """socat ends its side behind the request, and waits for the end of the answer."""
    with listener() as server:
        thread = answering(server, lambda got: b"%d bytes\n" % len(got) + got)
        daemon.create("e", f'''l = TCPListenPipe("127.0.0.1")
            c = TCPConnectPipe("127.0.0.1", {server.getsockname()[1]}); l % c''')
        request = bytes(n % 251 for n in range(size))
        answer = subprocess.run(["socat", "-t", str(DEADLINE), "-", f"TCP:127.0.0.1:{address(rpc, 'e', 'l')[1]}"],
                                input=request, capture_output=True, timeout=2 * DEADLINE, check=True).stdout
        assert answer == b"%d bytes\n" % size + request
        thread.join()
    for pipe in ("l", "c"):
        exhausted(rpc, "e", pipe)
        assert dropped(rpc, "e", pipe) == {}
    settled(rpc, "e")


def test_an_echo_ends_when_its_peer_does(daemon, rpc):
    daemon.create("e", 't = TCPListenPipe("127.0.0.1"); t > t')
    with connected(address(rpc, "e", "t")) as peer:
        peer.sendall(b"all of it")
        peer.shutdown(socket.SHUT_WR)
        assert read_all(peer) == b"all of it"


def test_the_end_comes_behind_what_was_kept_on_the_way(daemon, rpc):
    daemon.create("e", '''f = CLIFeeder(); v = TriggeredQueueingValve(start_state=False)
        t = TCPListenPipe("127.0.0.1"); back = QueueSink(); f > v > t > back''')
    with connected(address(rpc, "e", "t")) as peer:
        rpc.send("e", "f", "kept")
        daemon.ok("close", "e.f")
        exhausted(rpc, "e", "f")
        peer.sendall(b"still listening?")
        assert received(rpc, "e", "back", 16) == b"still listening?"  # it would be told of an end by now
        peer.setblocking(False)
        with pytest.raises(BlockingIOError):
            peer.recv(1)
        peer.settimeout(DEADLINE)
        daemon.ok("trigger", "e.v")
        assert read_all(peer) == b"kept"
        peer.sendall(b"and after it")
        assert received(rpc, "e", "back", 12) == b"and after it"
    settled(rpc, "e")


def test_nothing_ends_where_no_source_is_or_one_goes_on(daemon, rpc):
    """What nobody feeds yet may be fed later."""
    daemon.create("e", 'a = CLIFeeder(); b = CLIFeeder(); t = TCPListenPipe("127.0.0.1"); u = TCPListenPipe("127.0.0.1"); '
                       'a > t; b > t; u > Sink()')
    with connected(address(rpc, "e", "t")) as peer, connected(address(rpc, "e", "u")) as other:
        daemon.ok("close", "e.a")
        exhausted(rpc, "e", "a")
        rpc.send("e", "b", "one")
        assert read_exactly(peer, 3) == b"one"
        daemon.ok("add", "e", "late = CLIFeeder(); late > u")
        rpc.send("e", "late", "two")
        assert read_exactly(other, 3) == b"two"
        daemon.ok("remove", "e", "b")  # the last that went on
        assert read_all(peer) == b""
        daemon.ok("close", "e.late")
        assert read_all(other) == b""
    settled(rpc, "e")


def test_a_pipe_that_connects_again_ends_but_the_one_conversation(daemon, rpc):
    with listener() as server:
        daemon.create("e", f'''f = CLIFeeder(); q = QueueSink()
            t = TCPConnectPipe("127.0.0.1", {server.getsockname()[1]}, retry_s=0.05); f > t > q''')
        with accept(server) as peer:
            rpc.send("e", "f", "last words")
            daemon.ok("close", "e.f")
            assert read_all(peer) == b"last words"
        with accept(server) as peer:
            peer.sendall(b"again")
            assert received(rpc, "e", "q", 5) == b"again"
            peer.setblocking(False)
            with pytest.raises(BlockingIOError):
                peer.recv(1)
    settled(rpc, "e")


# ---- messages in the bytes ----------------------------------------------------------------------

CHUNKED = 'f = CLIFeeder(); t = TCPListenPipe("127.0.0.1", framing={}{}); q = QueueSink(); f > t > q'

FRAMINGS = {  # as they are written: what each makes of messages
    '"lines"': lambda messages: b"".join(m + b"\n" for m in messages),
    '{"delimiter": "\\r\\n"}': lambda messages: b"".join(m + b"\r\n" for m in messages),
    '{"delimiter": {"hex": "00"}}': lambda messages: b"".join(m + b"\0" for m in messages),
    '{"length": 1}': lambda messages: b"".join(struct.pack("B", len(m)) + m for m in messages),
    '{"length": 2}': lambda messages: b"".join(struct.pack(">H", len(m)) + m for m in messages),
    '{"length": 4, "order": "little"}': lambda messages: b"".join(struct.pack("<I", len(m)) + m for m in messages),
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_frame_a_message_both_ways(daemon, rpc, framing):
    """Whatever pieces the bytes come in."""
    chance = random.Random(framing)
    messages = [bytes(chance.choices(b"abcdef ", k=chance.choice([0, 1, 2, 40, 200]))) for _ in range(300)]
    wire = FRAMINGS[framing](messages)
    daemon.create("e", CHUNKED.format(framing, ""))
    with connected(address(rpc, "e", "t")) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        at = 0
        while at < len(wire):
            size = chance.choice([1, 2, 3, 100, 5000])
            peer.sendall(wire[at:at + size])
            at += size
        assert [data_of(m) for m in rpc.recv("e", "q", len(messages))] == messages
        rpc.send("e", "f", *(m.decode() for m in messages))
        assert read_exactly(peer, len(wire)) == wire
    settled(rpc, "e")


def test_lines_of_socat_and_the_last_without_its_end(daemon, rpc):
    daemon.create("e", CHUNKED.format('"lines"', ""))
    subprocess.run(["socat", "-u", "-", f"TCP:127.0.0.1:{address(rpc, 'e', 't')[1]}"],
                   input=b"one\n\ntwo\r\nlast", timeout=DEADLINE, check=True)
    assert rpc.texts("e", "q", 4) == ["one", "", "two\r", "last"]
    exhausted(rpc, "e", "t")
    assert dropped(rpc, "e", "t") == {}


@pytest.mark.parametrize("framing", ['{"delimiter": "--", "limit": 10}', '{"length": 2, "limit": 10}'])
def test_a_frame_over_the_limit_is_left_out_and_counted(daemon, rpc, framing):
    def framed(*messages):
        return b"".join(m + b"--" if "delimiter" in framing else struct.pack(">H", len(m)) + m for m in messages)
    daemon.create("e", CHUNKED.format(framing, ""))
    with connected(address(rpc, "e", "t")) as peer:
        peer.sendall(framed(b"short", b"x" * 11, b"x" * 10, b"y" * 60_000))
        peer.sendall(framed(b"behind"))
        assert rpc.texts("e", "q", 3) == ["short", "x" * 10, "behind"]
        rpc.send("e", "f", "x" * 11, "x" * 10)
        assert read_exactly(peer, 12) == framed(b"x" * 10)
        assert dropped(rpc, "e", "t") == {"too-long": 3}
        assert "longer than" in rpc.stats("e", "t")["last_error"]
    settled(rpc, "e")


def test_an_end_within_a_frame_that_tells_its_length(daemon, rpc):
    daemon.create("e", CHUNKED.format('{"length": 4}', ""))
    with connected(address(rpc, "e", "t")) as peer:
        peer.sendall(struct.pack(">I", 5) + b"whole" + struct.pack(">I", 5) + b"hal")
    assert rpc.texts("e", "q", 1) == ["whole"]
    exhausted(rpc, "e", "t")
    assert dropped(rpc, "e", "t") == {"truncated": 1}
    assert "7 bytes" in rpc.stats("e", "t")["last_error"]
    settled(rpc, "e")


@pytest.mark.parametrize("framing, words", [
    ('"line"', "did you mean 'lines'?"), ("3", "'none', 'lines'"), ('{"length": 3}', "1, 2 or 4"),
    ('{"length": 2, "delimiter": "x"}', "leave out one"), ('{"delimiter": ""}', "empty"),
    ('{"lenght": 2}', "did you mean 'length'?"), ('{"length": 2, "order": "small"}', "'little'")])
def test_a_framing_that_is_none(daemon, framing, words):
    for block in ("TCPListenPipe('127.0.0.1'", "TCPConnectPipe('127.0.0.1', 9"):
        refused = daemon.ptctl("create", "e", f"x = {block}, framing={framing})")
        assert refused.code == 1 and words in refused.err, refused


def test_half_a_frame_goes_on_in_the_successor(daemon, rpc):
    daemon.create("e", CHUNKED.format('"lines"', ""))
    with connected(address(rpc, "e", "t")) as peer:
        peer.sendall(b"first\nhal")
        assert rpc.texts("e", "q", 1) == ["first"]
        eventually(lambda: rpc.stats("e", "t")["made"] == 2)  # the peer's name, and one line
        daemon.ok("set", "e.t", "limit=1MiB", "again=True")
        peer.sendall(b"f\n")
        assert rpc.texts("e", "q", 1) == ["half"]
        daemon.ok("set", "e.t", "framing=none")
        peer.sendall(b"as it\ncomes")
        assert received(rpc, "e", "q", 11) == b"as it\ncomes"
    settled(rpc, "e")


# ---- several at once ----------------------------------------------------------------------------

SEVERAL = '''f = CLIFeeder(); t = TCPListenPipe("127.0.0.1", clients=3{}); low = QueueSink(); high = QueueSink()
    f > t > low; t >> high'''


@contextlib.contextmanager
def three(rpc, engine):
    """Three peers, each known to the engine before the next comes."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(3):
            made.append(stack.enter_context(connected(address(rpc, engine, "t"))))
            assert rpc.texts(engine, "high", 1) == [name_of(made[-1])]
        yield made


def test_each_client_gets_what_is_pushed_and_is_heard(daemon, rpc):
    daemon.create("e", SEVERAL.format(""))
    rpc.send("e", "f", "for the first ")
    with three(rpc, "e") as peers:
        assert read_exactly(peers[0], 14) == b"for the first "
        with pytest.raises(ConnectionRefusedError):
            connected(address(rpc, "e", "t"))
        assert sorted(rpc.show("e", "t")["now"]["peers"]) == sorted(name_of(p) for p in peers)
        rpc.send("e", "f", "to all")
        for n, peer in enumerate(peers):
            assert read_exactly(peer, 6) == b"to all"
            peer.sendall(b"from %d" % n)
            assert received(rpc, "e", "low", 6) == b"from %d" % n
        assert dropped(rpc, "e", "t") == {} and rpc.stats("e")["unexplained"] == 0
        peers[1].close()
        rpc.send("e", "f", "end")
        for peer in (peers[0], peers[2]):
            eventually(lambda p=peer: p.recv(1 << 16).endswith(b"end"))
        assert rpc.show("e", "t")["state"] == "running"
    exhausted(rpc, "e", "t")
    settled(rpc, "e")


def test_a_client_that_does_not_read_holds_back_and_one_that_leaves_lets_go(daemon, rpc):
    daemon.create("e", f'''r = PeriodicSource("{'x' * 50_000}", 0); high = QueueSink()
        t = TCPListenPipe("127.0.0.1", clients=2, limit="256KiB"); t >> high''')
    with connected(address(rpc, "e", "t")) as reader, connected(address(rpc, "e", "t")) as lazy:
        assert len(rpc.texts("e", "high", 2)) == 2
        daemon.ok("add", "e", "r > t")
        count = {"n": 0}

        def read():
            while data := reader.recv(1 << 18):
                count["n"] += len(data)
        thread = threading.Thread(target=read)
        thread.start()
        eventually(lambda: rpc.stats("e", "t")["held"] > 0)
        eventually(lambda: len({rpc.stats("e", "r")["out"] for _ in range(50)}) == 1, what="held back")
        now = eventually(lambda: rpc.show("e", "t")["now"].get("unread_s") and rpc.show("e", "t")["now"])
        assert now["unread_by"] == "%s:%d" % lazy.getsockname() and now["waiting"] > 256 * 1024
        before = count["n"]
        reset(lazy)
        eventually(lambda: count["n"] > before + 20 * MIB, what="the other one goes on")
        assert set(dropped(rpc, "e", "t")) == {"unsent"}  # what waited for the one that left
        rpc.call("engine.stop", engine="e")
        thread.join()
        assert count["n"] % 50_000 == 0
    assert rpc.stats("e")["unexplained"] == 0


def test_places_are_taken_again(daemon, rpc):
    daemon.create("e", SEVERAL.format(", again=True"))
    with three(rpc, "e") as peers:
        with pytest.raises(ConnectionResetError), connected(address(rpc, "e", "t")) as other:
            other.recv(1)
        peers[1].close()
        eventually(lambda: len(rpc.show("e", "t")["now"]["peers"]) == 2)
        with connected(address(rpc, "e", "t")) as fourth:
            assert rpc.texts("e", "high", 1) == [name_of(fourth)]
            rpc.send("e", "f", "all")
            for peer in (peers[0], peers[2], fourth):
                assert read_exactly(peer, 3) == b"all"
    eventually(lambda: not rpc.show("e", "t")["now"]["connected"])
    rpc.send("e", "f", "kept")
    with connected(address(rpc, "e", "t")) as peer:
        assert read_exactly(peer, 4) == b"kept"
        daemon.ok("close", "e.t")
        assert peer.recv(1) == b""
    settled(rpc, "e")


def test_clients_that_have_ended_make_room_in_a_successor(daemon, rpc):
    daemon.create("e", SEVERAL.format(""))
    with three(rpc, "e") as peers:
        for peer in peers:
            peer.shutdown(socket.SHUT_WR)
        exhausted(rpc, "e", "t")
        rpc.send("e", "f", "to all")
        daemon.ok("set", "e.t", "again=True")
        for peer in peers:
            assert read_all(peer) == b"to all"
        with three(rpc, "e") as others:
            rpc.send("e", "f", "to others")
            for other in others:
                assert read_exactly(other, 9) == b"to others"
    settled(rpc, "e")


def test_what_waits_for_a_client_waits_in_one_place(daemon, rpc):
    """Whichever places become free meanwhile."""
    daemon.create("e", 'f = CLIFeeder(); t = TCPListenPipe("127.0.0.1", clients=2, again=True); high = QueueSink(); '
                       'f > t; t >> high')
    with connected(address(rpc, "e", "t")) as peer:
        assert rpc.texts("e", "high", 1) == [name_of(peer)]
        daemon.ok("close", "e.f")
        assert read_all(peer) == b""
        daemon.ok("add", "e", "late = CLIFeeder(); late > t")
        rpc.send("e", "late", "one ")
    eventually(lambda: not rpc.show("e", "t")["now"]["connected"])
    rpc.send("e", "late", "two ")
    daemon.ok("set", "e.t", "keepalive=30")
    rpc.send("e", "late", "three")
    with connected(address(rpc, "e", "t")) as peer:
        assert read_exactly(peer, 13) == b"one two three"
    settled(rpc, "e")


def test_all_clients_go_on_in_the_successor_and_a_relay_ends_them_all(daemon, rpc):
    daemon.create("e", SEVERAL.format(', framing="lines"'))
    with three(rpc, "e") as peers:
        daemon.ok("set", "e.t", "keepalive=30")
        rpc.send("e", "f", "still")
        for peer in peers:
            assert read_exactly(peer, 6) == b"still\n"
            peer.sendall(b"hal")
            peer.sendall(b"f\n")
            assert rpc.texts("e", "low", 1) == ["half"]
        daemon.ok("close", "e.f")
        for peer in peers:
            assert read_all(peer) == b""
    exhausted(rpc, "e", "t")
    settled(rpc, "e")


# ---- UDP, opened anew ---------------------------------------------------------------------------

def test_udp_goes_on_when_its_interface_is_made_anew(daemons, network):
    """A group's membership and what is bound to an interface end with it; the kernel tells nobody."""
    left, right = (daemons(prefix=network.inside(side)) for side in (network.left, network.right))
    right.create("in", "u = UDPServerPipe('239.1.2.3', 7100, interface='pr', retry_s=0.1); q = QueueSink(); u > q")
    left.create("out", "f = CLIFeeder(); u = UDPClientPipe('239.1.2.3', 7100, interface='pl', retry_s=0.1); f > u")
    with left.client() as lrpc, right.client() as rpc:
        def through(text):
            lrpc.send("out", "f", text)
            return text in [data_of(m).decode() for m in rpc.recv("in", "q", 100, 0.1)]
        for n in range(3):
            eventually(lambda: through(f"round {n}"))
            ip("-n", network.left, "link", "del", "pl")
            ip("-n", network.left, "link", "add", "pl", "type", "veth", "peer", "name", "pr", "netns", network.right)
            for side, device, own in ((network.left, "pl", "10.9.0.1/24"), (network.right, "pr", "10.9.0.2/24")):
                ip("-n", side, "link", "set", device, "up")
                ip("-n", side, "address", "add", own, "dev", device)
        eventually(lambda: through("last"))
        eventually(lambda: rpc.show("in", "u")["state"] == lrpc.show("out", "u")["state"] == "running")
        assert lrpc.stats("out")["unexplained"] == rpc.stats("in")["unexplained"] == 0


@pytest.mark.parametrize("retry", ["0.05", "None"])
def test_udp_asks_for_the_name_again(daemons, network, retry, tmp_path):
    """The peer's name leads to another address, since the first has nobody at its port."""
    hosts = tmp_path / "hosts"
    hosts.write_text("10.9.0.2 peer.test\n")
    script = 'mount --make-rprivate / && mount --bind "$0" /etc/hosts && exec "$@"'
    inside = ["unshare", "-m", "sh", "-c", script, str(hosts)]
    left = daemons(prefix=[*network.inside(network.left), *inside])
    ip("-n", network.right, "address", "add", "10.9.0.3/24", "dev", "pr")
    left.create("e", f"f = CLIFeeder(); u = UDPClientPipe('peer.test', 7300, retry_s={retry}); f > u")
    receiver = subprocess.Popen([*network.inside(network.right), "socat", "-u", "UDP-RECV:7300,bind=10.9.0.3",
                                 "STDOUT"], stdout=subprocess.PIPE)
    try:
        with left.client() as rpc:
            rpc.send("e", "f", "to nobody")
            eventually(lambda: rpc.send("e", "f", "x") or rpc.stats("e", "u")["errors"] > 0)
            hosts.write_text("10.9.0.3 peer.test\n")
            if retry == "None":
                assert rpc.show("e", "u")["now"]["peer"] == "10.9.0.2:7300"
                return
            eventually(lambda: rpc.send("e", "f", "x") or
                       rpc.show("e", "u").get("now", {}).get("peer") == "10.9.0.3:7300")
            eventually(lambda: rpc.send("e", "f", "found\n") or
                       select.select([receiver.stdout], [], [], 0.1)[0])
            assert receiver.stdout.readline().endswith(b"found\n")
    finally:
        receiver.kill()
        receiver.communicate()
