# SPDX-License-Identifier: BSD-2-Clause
"""What comes over connections and descriptors goes on exactly, whatever has killed the daemon."""
import contextlib
import functools
import itertools
import os
import random
import shutil
import signal
import socket
import threading

import pytest

from conftest import DEADLINE, eventually
from test_exact import DEATHS, TIMES, die, poison, survive, written  # noqa: F401 pylint: disable=unused-import
from sockets import name_of
from test_restart import address_of, service, services  # noqa: F401 pylint: disable=unused-import

LINES = 200_000
TEXT = b"".join(b"%07d\n" % n for n in range(LINES))


class Sender:
    """Sends all of it from a thread, in pieces by chance, and then the end."""

    def __init__(self, chance, text, send, end):
        self.sizes = [chance.choice([100, 3000, 50_000]) for _ in range(1000)]
        self.rest = chance.choice([0, 0.001])
        self.text, self.send, self.end = text, send, end
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        at, pause = 0, threading.Event()
        for size in itertools.cycle(self.sizes):
            if at >= len(self.text):
                break
            self.send(self.text[at:at + size])
            at += size
            pause.wait(self.rest)
        self.end()


def die_on_the_way(service, chance, folder, size=len(TEXT)):
    """Three times, each when about so much has come."""
    for _ in range(3):
        wanted = chance.randrange(size)
        eventually(lambda: written(folder) >= wanted)
        die(service, chance.choice(DEATHS))


def is_at_the_end(service, sender):
    sender.thread.join(DEADLINE)
    with service.client() as rpc:
        eventually(lambda: rpc.show("e", "t")["state"] == "exhausted")
        assert rpc.stats("e")["unexplained"] == 0


@contextlib.contextmanager
def connection(service, kind, rest, framing="none"):
    """An engine with a pipe `t`, and its peer."""
    if kind == "listens":
        service.create("e", f"t = TCPListenPipe('127.0.0.1', framing={framing!r}); {rest}")
        with socket.create_connection(address_of(service, "e", "t")) as peer:
            yield peer
    else:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            service.create("e", f"t = TCPConnectPipe('127.0.0.1', {port}, framing={framing!r}); {rest}")
            with server.accept()[0] as peer:
                yield peer


@pytest.mark.parametrize("turn", range(max(4, TIMES // 5)))
def test_a_connection_is_read_once(service, tmp_path, turn):
    chance = random.Random(turn)
    with connection(service, ["listens", "connects"][turn % 2],
                    f"w = FileSink('{tmp_path}/out.txt'); q = QueueSink(); t > w; t > q") as peer:
        sender = Sender(chance, TEXT, peer.sendall, lambda: peer.shutdown(socket.SHUT_WR))
        die_on_the_way(service, chance, tmp_path)
        is_at_the_end(service, sender)
    got = ""
    with service.client() as rpc:
        while held := rpc.stats("e", "q")["held"]:
            got += "".join(rpc.texts("e", "q", min(held, 1000)))
    service.ok("stop", "e")
    assert (tmp_path / "out.txt").read_bytes() == TEXT == got.encode()


@pytest.mark.parametrize("turn", range(max(4, TIMES // 5)))
def test_messages_of_a_connection_come_whole_and_once(service, tmp_path, turn):
    """Also that which a death came in the middle of."""
    chance = random.Random(turn)
    framing = ["lines", {"length": 2}][turn % 2]
    text = TEXT if framing == "lines" else b"".join(b"\0\7%07d" % n for n in range(LINES))
    with connection(service, ["listens", "connects"][turn // 2 % 2],
                    f"w = FileSink('{tmp_path}/out.txt', newlines=true); t > w", framing) as peer:
        sender = Sender(chance, text, peer.sendall, lambda: peer.shutdown(socket.SHUT_WR))
        die_on_the_way(service, chance, tmp_path)
        is_at_the_end(service, sender)
    service.ok("stop", "e")
    assert (tmp_path / "out.txt").read_bytes() == TEXT


@pytest.mark.parametrize("turn", range(max(2, TIMES // 10)))
def test_several_connections_are_read_once(service, tmp_path, turn):
    """What comes of each in order, and all of it is told to be of that one."""
    chance = random.Random(turn)
    service.create("e", f"""t = TCPListenPipe('127.0.0.1', framing='lines', clients=3); w = FileSink('{tmp_path}/out.txt', newlines=true)
        n = TransformDrain("function(m) return m.iface .. ' ' .. m end"); t > n > w""")
    address = address_of(service, "e", "t")
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(socket.create_connection(address)) for _ in range(3)]
        names = [name_of(peer) for peer in peers]
        with service.client() as rpc:  # who is still on his way when the daemon dies is sent away
            eventually(lambda: len(rpc.show("e", "t")["now"].get("peers", [])) == 3)
            service.ok("add", "e", "s = CLIFeeder(); q = QueueSink(); s > q")
            rpc.send("e", "s", "a checkpoint has them")
        senders = [Sender(chance, TEXT[:len(TEXT) // 20], peer.sendall, functools.partial(peer.shutdown, socket.SHUT_WR))
                   for peer in peers]
        die_on_the_way(service, chance, tmp_path, 500_000)
        for sender in senders:
            sender.thread.join(DEADLINE)
        is_at_the_end(service, senders[0])
    service.ok("stop", "e")
    lines = [line.split() for line in (tmp_path / "out.txt").read_text().splitlines()]
    for name in names:
        assert [int(text) for peer, text in lines if peer == name] == list(range(LINES // 20))
    assert len(lines) == 3 * (LINES // 20)


@contextlib.contextmanager
def descriptor(kind, folder):
    """What is handed over, and how to write to it and end it: a pipe, a socket, or a file."""
    if kind == "file":
        (folder / "in").write_bytes(TEXT)
        with open(folder / "in", "rb") as file:
            yield file.fileno(), lambda text: None, lambda: None
    elif kind == "pipe":
        out, into = os.pipe()
        with open(out, "rb", buffering=0), open(into, "wb", buffering=0) as end:
            yield out, lambda text: end.write(text), end.close
    else:
        near, far = socket.socketpair()
        with near, far:
            yield near.fileno(), far.sendall, lambda: far.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("turn", range(max(3, TIMES // 5)))
def test_a_descriptor_is_read_once(service, tmp_path, turn):
    chance = random.Random(turn)
    with descriptor(["pipe", "socket", "file"][turn % 3], tmp_path) as (fd, send, end), service.client() as rpc:
        rpc.call("engine.create", engine="e", fds=[fd], start=True,
                 text=f"t = FDSourceSink({{'fd': 0}}); w = FileSink('{tmp_path}/out.txt'); t > w")
        sender = Sender(chance, TEXT, send, end)
        die_on_the_way(service, chance, tmp_path)
        is_at_the_end(service, sender)
    service.ok("stop", "e")
    assert (tmp_path / "out.txt").read_bytes() == TEXT


@pytest.mark.parametrize("turn", range(max(1, TIMES // 20)))
@pytest.mark.parametrize("kind", ["listens", "connects"])
def test_messages_that_go_out_are_not_torn(service, tmp_path, kind, turn):
    """Whoever is killed in the middle of one says the rest of it first, while the peer reads and more waits for it
    than fits."""
    chance = random.Random(turn)
    count, got = 20_000, bytearray()
    (tmp_path / "in.txt").write_bytes(b"".join(b"%07d%s\n" % (n, b"x" * chance.randrange(3000)) for n in range(count)))

    def read(peer):
        while piece := peer.recv(1 << 16):
            got.extend(piece)

    with connection(service, kind, "", {"length": 4}) as peer:
        peer.settimeout(DEADLINE)
        reader = threading.Thread(target=read, args=(peer,))
        reader.start()
        service.ok("add", "e", f"f = FileSource('{tmp_path}/in.txt'); f > t")
        for _ in range(2):
            wanted = len(got) + chance.randrange(5_000_000)
            eventually(lambda: len(got) > wanted or not reader.is_alive())
            service.restart(signal.SIGKILL)
        with service.client() as rpc:
            eventually(lambda: rpc.show("e", "f")["state"] == "exhausted" and not rpc.stats("e", "t")["held"])
            assert rpc.stats("e")["unexplained"] == 0
        service.ok("stop", "e")
        reader.join(DEADLINE)
    at, numbers = 0, []
    while at < len(got):
        length = int.from_bytes(got[at:at + 4], "big")
        numbers.append(int(got[at + 4:at + 11]))
        assert length < 3100
        at += 4 + length
    assert at == len(got) and set(numbers) == set(range(count))


@pytest.mark.parametrize("kind", ["listens", "connects"])
def test_the_end_comes_behind_a_checkpoint(service, tmp_path, kind):
    """Who has heard it has heard all, so that nothing of that is sent into a connection that has ended."""
    (tmp_path / "in.txt").write_bytes(TEXT)
    with connection(service, kind, "") as peer:
        peer.settimeout(DEADLINE)
        service.ok("add", "e", f"f = FileSource('{tmp_path}/in.txt', by='block'); f > t")
        with peer.makefile("rb") as came:
            assert came.read() == TEXT
        service.restart(signal.SIGKILL)
        with service.client() as rpc:
            eventually(lambda: rpc.show("e", "f")["state"] == "exhausted")
            assert rpc.stats("e", "t")["dropped"] == {} and "last_error" not in rpc.show("e", "t")
            assert rpc.stats("e")["unexplained"] == 0


def test_what_was_half_out_comes_whole_by_another_connection(service):
    """The peer goes while no daemon is there, and the next one connects anew."""
    texts = [b"%07d" % n + b"x" * 500_000 for n in range(40)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        address, port = server.getsockname()
        server.settimeout(DEADLINE)
        service.create("e", f"t = TCPConnectPipe('{address}', {port}, limit='64MiB', retry_s=0.1, framing={{'length': 4}}); "
                       "s = CLIFeeder(); s > t")
        with server.accept()[0], service.client() as rpc:
            for text in texts:
                rpc.send("e", "s", text.decode())
            eventually(lambda: rpc.show("e", "t")["checkpoint"] and rpc.stats("e", "t")["held"])
            service.process.kill()
            service.process.wait()
        service.start()
        with server.accept()[0] as peer, peer.makefile("rb") as came:
            peer.settimeout(DEADLINE)
            number = None
            while number != len(texts) - 1:
                text = came.read(int.from_bytes(came.read(4), "big"))
                number = int(text[:7])
                assert text == texts[number]


def test_what_goes_out_comes_at_least_once(service, tmp_path):
    """An echo: all of it is there, and only a death makes some of it come again."""
    chance = random.Random(1)
    deaths, got = 3, []
    with connection(service, "listens", f"w = FileSink('{tmp_path}/out.txt', newlines=true); t > w; t > t", "lines") as peer:
        peer.settimeout(DEADLINE)
        with peer.makefile("rb") as back:
            reader = threading.Thread(target=lambda: got.extend(back))
            reader.start()
            sender = Sender(chance, TEXT, peer.sendall, lambda: peer.shutdown(socket.SHUT_WR))
            die_on_the_way(service, chance, tmp_path)
            is_at_the_end(service, sender)
            service.ok("stop", "e")
            reader.join(DEADLINE)
    whole = [int(line) for line in got if len(line) == 8]
    assert len(got) - len(whole) <= deaths, "no more is torn than was just being written"
    assert set(whole) == set(range(LINES))
    assert sum(b != a + 1 for a, b in zip(whole, whole[1:])) <= 2 * deaths
    assert (tmp_path / "out.txt").read_bytes() == TEXT


def test_a_poison_in_a_connection_is_left_out(service, poison, tmp_path):
    """With it what had been read beside it, and nothing else."""
    shutil.copy(poison, service.blocks)
    service.restart()
    text = TEXT[:8000] + b"poison\n"
    with connection(service, "listens", f"p = Poison('poison'); w = FileSink('{tmp_path}/out.txt', newlines=true); t > p > w",
                    "lines") as peer:
        peer.sendall(text)
        deaths = survive(service, lambda shown, counts: counts["dropped"].get("poison"), "t")
        assert deaths >= 3
        peer.sendall(TEXT[8000:])
        peer.shutdown(socket.SHUT_WR)
        with service.client() as rpc:
            eventually(lambda: rpc.show("e", "t")["state"] == "exhausted")
            lost = rpc.stats("e", "t")["dropped"]
            assert lost.keys() == {"poison"} and lost["poison"] <= 64
            assert "left out" in rpc.show("e", "t")["last_error"]
            assert rpc.stats("e")["unexplained"] == 0
    service.ok("stop", "e")
    lines = (tmp_path / "out.txt").read_bytes().splitlines()
    got = [int(line) for line in lines]
    missing = sorted(set(range(LINES)) - set(got))
    assert got == sorted(set(got)) and len(missing) == lost["poison"] - 1
    assert missing == list(range(1000 - len(missing), 1000)), "those before the poison"


def test_show_tells_of_a_connections_checkpoint(service):
    """How far what comes is behind it; what goes out does not count."""
    with connection(service, "listens", "q = QueueSink(); t > q; t > t") as peer:
        peer.sendall(b"one")
        with service.client() as rpc:
            assert rpc.texts("e", "q", 1) == ["one"]
            eventually(lambda: rpc.stats("e", "t")["out"] == 2)
            eventually(lambda: rpc.show("e", "t")["checkpoint"]["at"] == 1)


def test_urgent_data_holds_up_no_connection(service):
    """It cannot go into a pipe, nor what is behind it."""
    with connection(service, "listens", "q = QueueSink(); t > q", "lines") as peer, service.client() as rpc:
        peer.sendall(b"one\n")
        assert rpc.texts("e", "q", 1) == ["one"]
        peer.send(b"!", socket.MSG_OOB)
        peer.sendall(b"two\n")
        assert rpc.texts("e", "q", 1) == ["two"]
