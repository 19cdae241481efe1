# SPDX-License-Identifier: BSD-2-Clause
"""TCP pipes: what a conversation is made of, and how it comes to its end, with socat as a peer."""
import socket
import subprocess
import threading

import pytest

from conftest import DEADLINE, eventually
from sockets import (accept, address, connected, dropped, exhausted, listener, read_all, read_exactly, received,
                     settled)

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
