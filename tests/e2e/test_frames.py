# SPDX-License-Identifier: BSD-2-Clause
"""ProgramPipe with format="frames": whatever speaks them is a block like any other."""
import base64
import contextlib
import os
import pathlib
import select
import socket
import sys
import threading

import pytest

import makers
from conftest import eventually
from frames import ANSWERS, CREDIT, END, ERROR, EXHAUSTED, LOST, MESSAGE, PLAIN, TEXT, TRIGGER, Peer, credit, frame, message

HERE = pathlib.Path(__file__).parent


@pytest.fixture
def peers():
    made = []

    def make(first=b""):
        made.append(Peer(first))
        return made[-1]
    yield make
    for peer in made:
        peer.close()


def create(rpc, text, *all_peers, start=True):
    return rpc.call("engine.create", engine="e", text=text, start=start,
                    fds=[peer.theirs.fileno() for peer in all_peers])


def balanced(rpc):
    assert rpc.stats("e")["unexplained"] == 0


def answering(peer, answer):
    """A peer that gives what `answer` makes of each message, and a credit behind it, until the end."""
    def run():
        while (got := peer.next()) is not None:
            if got.kind == MESSAGE:
                peer.write(*answer(got), credit(1))
            elif got.kind == TRIGGER:
                peer.write(*answer(got), credit(0))
            elif got.kind == END:
                peer.write(frame(END))
    def run_until_closed():
        with contextlib.suppress(OSError):
            run()
    threading.Thread(target=run_until_closed, daemon=True).start()


def test_a_message_is_all_that_it_was(rpc, peers):
    peer = peers()
    create(rpc, "f = CLIFeeder(); p = ProgramPipe(format='frames', fd=0); q = QueueSink(); f > p > q; p >> q", peer)
    sent = [{"message": "plain"}, {"message": "é", "text": True},
            {"message": {"base64": base64.b64encode(b"\0\1").decode()}, "link_type": 1, "time": "12.000000345", "wire_length": 60},
            {"message": "own", "link_type": 0x8001, "time": "0.000000000", "wire_length": 3}]
    rpc.send("e", "f", *sent)
    got = [peer.next() for _ in sent]
    assert got == [(MESSAGE, 0, 0, PLAIN, 0, 0, b"plain"), (MESSAGE, 0, TEXT, PLAIN, 0, 0, "é".encode()),
                   (MESSAGE, 0, 0, 1, 60, 12000000345, b"\0\1"), (MESSAGE, 0, 0, 0x8001, 3, 0, b"own")]
    for one in got:
        peer.write(frame(*one[:1], one.bytes, 1, *one[2:6]))
    assert rpc.recv("e", "q", len(sent)) == [{**one, "canal": "high"} for one in sent]
    balanced(rpc)


def test_all_six_ports(rpc, peers):
    peer = peers(credit(10, ANSWERS))
    create(rpc, """f = CLIFeeder(); h = CLIHighFeeder(); t = TriggerDrain(f=r"function(m) return m:byte(1) == 110 end")
        p = ProgramPipe(format='frames', fd=0); own = TriggeredMessage('by trigger'); low = QueueSink(); high = QueueSink()
        f > t > p > low; h >> p >> high; t ^ p ^ own > low""", peer)
    answering(peer, lambda got: [message(b"triggered"), frame(TRIGGER)] if got.kind == TRIGGER else [message(got.bytes, canal=got.canal)])
    rpc.send("e", "f", "one", "now")
    rpc.send("e", "h", "above")
    assert rpc.texts("e", "low", 4) == ["one", "triggered", "by trigger", "now"]
    assert rpc.texts("e", "high", 1) == ["above"]
    balanced(rpc)


def test_only_a_window_is_under_way(rpc, peers):
    peer = peers(credit(2))
    create(rpc, "f = CLIFeeder(); p = ProgramPipe(format='frames', fd=0, limit=1000); f > p", peer)
    rpc.send("e", "f", *map(str, range(200)))
    assert peer.messages(2) == [b"0", b"1"]
    assert rpc.stats("e", "p")["held"] > 2 and rpc.stats("e", "f")["held"] > 0, "the rest waits, also before it"
    assert not peer.buffer and not select.select([peer.ours], [], [], 0)[0]
    peer.write(credit(1))
    assert peer.messages(1) == [b"2"]
    peer.write(credit(2))
    for n in range(3, 200):
        assert peer.messages(1) == [str(n).encode()]
        peer.write(credit(1))
    eventually(lambda: rpc.stats("e", "p")["held"] == 0)
    balanced(rpc)


def test_what_comes_by_both_entries_of_a_block_meets_in_it(rpc, peers, tmp_path):
    packets = [(b"m%d" % n, makers.START * 10 ** 9 + n) for n in range(100)]
    file = makers.pcap(tmp_path / "in.pcap", packets, link_type=147)
    peer = peers(credit(64))
    answering(peer, lambda got: [message(got.bytes, canal=1)])
    create(rpc, f"f = RdpcapSource({str(file)!r}); p = ProgramPipe(format='frames', fd=0); q = QueueSink()\nf > p; p >> q; f > q", peer)
    assert [(m["canal"], m["message"]) for m in rpc.recv("e", "q", 200)] == \
        [(canal, f"m{n}") for n in range(100) for canal in ("high", "low")]
    balanced(rpc)


def test_who_sends_may_wait_until_it_has_gone_through(daemon, rpc, peers):
    """Also where what comes out of one goes into the next, and others send meanwhile."""
    first, second = peers(credit(9)), peers(credit(9))
    create(rpc, """f = CLIFeeder(); g = CLIFeeder(); a = ProgramPipe(format='frames', fd=0)
        b = ProgramPipe(format='frames', fd=1); q = QueueSink(); f > a > b > q; g > b""", first, second)
    number = rpc.post("block.send", engine="e", block="f", message="m", wait=True)
    assert first.messages(1) == [b"m"]
    first.write(message(b"n"), credit(1))
    assert second.messages(1) == [b"n"]
    other = daemon.client()
    other.send("e", "g", "later")
    assert second.messages(1) == [b"later"]
    assert not select.select([rpc.socket], [], [], 0)[0]
    second.write(message(b"o"), credit(1))
    assert rpc.answer(number)["result"] == {}
    assert other.texts("e", "q", 1) == ["o"]
    number = rpc.post("block.send", engine="e", block="f", message="m", wait=True)
    assert first.messages(1) == [b"m"]
    other.call("engine.destroy", engine="e")
    assert rpc.answer(number)


def test_who_gives_no_credit_is_held_back_by_the_descriptor(rpc, peers):
    peer = peers()
    create(rpc, "f = CLIFeeder(); p = ProgramPipe(format='frames', fd=0, limit=1000); f > p", peer)
    rpc.send("e", "f", *["x" * 10000] * 200)
    assert rpc.stats("e", "f")["held"] > 0
    assert peer.messages(200) == [b"x" * 10000] * 200
    eventually(lambda: rpc.stats("e", "p")["held"] == 0)
    balanced(rpc)


def test_the_end_of_sources_goes_through(daemon, rpc, peers):
    """What is exhausted of itself still gives what comes of messages; and nothing ends before that."""
    peer = peers(credit(10) + frame(EXHAUSTED))
    create(rpc, "f = CLIFeeder(); p = ProgramPipe(format='frames', fd=0); q = QueueSink(); f > p > q", peer)
    rpc.send("e", "f", "a")
    rpc.call("block.close", engine="e", block="f")
    assert peer.messages(1) == [b"a"] and peer.next().kind == EXHAUSTED
    waiting = rpc.post("engine.stop", engine="e", wait=True)
    assert daemon.call("engine.show", engine="e")["state"] == "draining", "it is not done with"
    peer.write(message(b"b"), credit(1))
    assert peer.next().kind == END
    peer.write(message(b"c"), frame(END))
    rpc.answer(waiting, 60)
    assert rpc.texts("e", "q", 2) == ["b", "c"]
    balanced(rpc)


def test_what_is_under_way_comes_through_a_stop(rpc, peers):
    peer = peers(credit(1))
    create(rpc, "f = CLIFeeder(); p = ProgramPipe(format='frames', fd=0); q = QueueSink(); f > p > q", peer)
    rpc.send("e", "f", "a", "b", "c")
    answering(peer, lambda got: [message(got.bytes.upper())])
    rpc.call("engine.stop", engine="e")
    assert rpc.texts("e", "q", 3) == ["A", "B", "C"]
    assert rpc.stats("e", "p")["dropped"] == {}
    peer.write(credit(1))
    rpc.call("engine.start", engine="e")
    rpc.send("e", "f", "d")
    assert rpc.texts("e", "q", 1) == ["D"], "the same socket, begun anew"


def test_errors_are_told_and_counted(rpc, peers):
    peer = peers(credit(5))
    create(rpc, "f = CLIFeeder(); p = ProgramPipe(format='frames', fd=0); f > p", peer)
    rpc.send("e", "f", "a", "b")
    peer.messages(2)
    peer.write(frame(ERROR, b"ValueError: a", flags=LOST), credit(1), frame(ERROR, b"by itself"), credit(1))
    eventually(lambda: rpc.stats("e", "p")["errors"] == 2)
    stats = rpc.stats("e", "p")
    assert stats["dropped"] == {"error": 1} and stats["out"] == 1 and stats["last_error"] == "by itself"
    balanced(rpc)


@pytest.mark.parametrize("wrong, why", [
    (frame(9), "a frame of kind 9"), (message(b"x", canal=2), "a frame on canal 2"), (b"\5\0\0\0\1\0\0\0\0", "length is 5"),
    (b"\xff\xff\xff\x7f", "length is 2147483647"), (message(b"x", link_type=70000), "link type 70000"),
    (message(b"x")[:-1], "in the middle of a frame")], ids=["kind", "canal", "short", "long", "link type", "cut"])
def test_what_is_wrong_fails_the_block_alone(rpc, peers, wrong, why):
    peer = peers()
    create(rpc, "f = CLIFeeder(); p = ProgramPipe(format='frames', fd=0); q = QueueSink(); f > p > q; f > q", peer)
    peer.write(message(b"good"), wrong)
    peer.ours.shutdown(1)
    eventually(lambda: rpc.show("e", "p")["state"] == "failed")
    assert why in str(rpc.show("e", "p"))
    rpc.send("e", "f", "late")
    assert rpc.texts("e", "q", 2) == ["good", "late"]
    assert rpc.stats("e", "p")["dropped"] == {"unsent": 1}
    balanced(rpc)


def test_order_is_kept_where_ways_meet(rpc, peers):
    """A message has gone all the way through the peer before its copy takes the way beside it, and before the next."""
    peer = peers(credit(64))
    create(rpc, "f = CLIFeeder(); p = ProgramPipe(format='frames', fd=0); d = Drain(); q = QueueSink(); f > p > d > q; f > q", peer)
    answering(peer, lambda got: [message(got.bytes + b"1"), message(got.bytes + b"2")])
    rpc.send("e", "f", *"abcdef")
    assert rpc.texts("e", "q", 18) == [letter + more for letter in "abcdef" for more in ("1", "2", "")]
    balanced(rpc)


def test_what_never_answers_does_not_keep_an_engine_from_stopping(daemon, rpc, peers):
    peer = peers(credit(64))
    create(rpc, "f = CLIFeeder(); p = ProgramPipe(format='frames', fd=0); q = QueueSink(); f > p > q; f > q", peer)
    sending = rpc.post("block.send", engine="e", block="f", message="a")
    assert peer.messages(1) == [b"a"]
    daemon.call("engine.stop", engine="e")
    rpc.answer(sending, 60)
    assert rpc.stats("e", "p")["dropped"] == {"unsent": 1}


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from frames import *
from os import write
peer = Peer()
peer.ours.close()
import socket
class Input:
    def recv(self, n):
        import os
        return os.read(0, n)
peer.ours = Input()
write(1, credit(8))
while (got := peer.next()) is not None and got.kind != END:
    if got.bytes == b"leave":
        sys.exit(3)
    if got.kind == MESSAGE:
        write(1, message(got.bytes[::-1]) + credit(1))
write(1, message(b"last") + frame(END))
"""


def test_a_program_speaks_frames(daemons):
    daemon = daemons(config="[programs]\nallow = *\n")
    rpc = daemon.client()
    script = daemon.folder / "program.py"
    script.write_text(PROGRAM)
    for last, state in (("abc", "stopped"), ("leave", "failed")):
        rpc.call("engine.create", engine="e", start=True, text="f = CLIFeeder(); q = QueueSink(); f > "
                 f"p = ProgramPipe(['{sys.executable}', '{script}', '{HERE}'], format='frames') > q")
        rpc.send("e", "f", "abc", last)
        assert rpc.texts("e", "q", 1) == ["cba"]
        if state == "failed":
            eventually(lambda: rpc.show("e", "p")["state"] == "failed")
            assert "status 3" in str(rpc.show("e", "p"))
        rpc.call("engine.stop", engine="e")
        assert rpc.texts("e", "q", 2, 1) == (["cba", "last"] if state == "stopped" else [])
        balanced(rpc)
        rpc.call("engine.destroy", engine="e")


@pytest.mark.parametrize("program, state", [("true", "exhausted"), ("false", "failed")])
def test_none_is_started_again_when_no_more_comes(daemons, program, state):
    daemon = daemons(config="[programs]\nallow = *\n")
    rpc = daemon.client()
    rpc.call("daemon.info")
    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    rpc.call("engine.create", engine="e", start=True, text="f = CLIFeeder(); "
             f"p = ProgramPipe('{program}', format='frames', restart_s=1000); f > p > QueueSink()")
    eventually(lambda: "pid" not in rpc.show("e", "p")["now"])
    daemon.ok("close", "e.f")
    daemon.ok("wait", "e.p", state)
    balanced(rpc)
    rpc.call("engine.destroy", engine="e")
    eventually(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before)


def test_what_comes_between_two_programs_waits_for_the_second(daemons):
    """Messages and triggers, in their order; and who has stayed ended is started when that is said."""
    daemon = daemons(config="[programs]\nallow = *\n")
    rpc = daemon.client()
    script = daemon.folder / "program.py"
    script.write_text(PROGRAM.replace("if got.kind == MESSAGE:", "if got.kind == TRIGGER:\n        write(1, message(b'!'))\n"
                                      "    if got.kind == MESSAGE:"))
    rpc.call("engine.create", engine="e", start=True, text="f = CLIFeeder(); m = TriggeredMessage('x'); q = QueueSink(); f > "
             f"p = ProgramPipe(['{sys.executable}', '{script}', '{HERE}'], format='frames', restart_s=1000) > q")
    rpc.send("e", "f", "leave")
    eventually(lambda: "pid" not in rpc.show("e", "p")["now"])
    rpc.send("e", "f", "ab")
    rpc.call("block.trigger", engine="e", block="p")
    rpc.send("e", "f", "cd")
    assert rpc.stats("e", "p")["held"] == 2
    daemon.ok("set", "e.p", "restart_s=0.01")
    assert rpc.texts("e", "q", 3) == ["ba", "!", "dc"]
    daemon.ok("set", "e.p", "restart_s=None")
    rpc.send("e", "f", "leave")
    daemon.ok("wait", "e.p", "failed")
    before = rpc.stats("e", "p")["dropped"].get("unsent", 0)
    rpc.send("e", "f", "lost")
    assert rpc.stats("e", "p")["dropped"] == {"unsent": before + 1}
    daemon.ok("set", "e.p", "restart_s=0.01")
    daemon.ok("wait", "e.p", "running")
    eventually(lambda: "pid" in rpc.show("e", "p")["now"])
    rpc.send("e", "f", "ef")
    assert rpc.texts("e", "q", 1) == ["fe"]
    balanced(rpc)


def test_triggers_that_nobody_reads_hold_sources_back(rpc, peers):
    peer = peers()  # gives no credit, for which the engine would wait
    create(rpc, "p = ProgramPipe(format='frames', fd=0); g = CLIFeeder(); t = TriggerDrain('always'); g > t; t % p", peer)
    for _ in range(20):
        rpc.send("e", "g", *["x"] * 5000)
    assert rpc.stats("e", "g")["held"] > 0
    peer.close()
    eventually(lambda: rpc.stats("e", "g")["held"] == 0)
    balanced(rpc)


@pytest.mark.parametrize("beside", ["", "; f > q"], ids=["vectors", "in turn"])
def test_who_reads_no_more_holds_nobody_back(rpc, peers, beside):
    """What comes for it is dropped, and what it still sends goes on."""
    peer = peers(credit(2))
    create(rpc, f"f = CLIFeeder(); p = ProgramPipe(format='frames', fd=0, limit=1000); q = QueueSink(); f > p > q{beside}", peer)
    peer.ours.shutdown(socket.SHUT_RD)
    rpc.send("e", "f", *["x" * 500] * 20)
    eventually(lambda: rpc.stats("e", "f")["held"] == 0)
    assert rpc.texts("e", "q", 20 if beside else 0) == ["x" * 500] * (20 if beside else 0)
    peer.write(message(b"still"))
    assert rpc.texts("e", "q", 1) == ["still"]
    rpc.call("engine.stop", engine="e")
    assert rpc.stats("e", "p")["dropped"] == {"unsent": 20}
    balanced(rpc)


def test_messages_of_its_own_are_no_packets(daemon, rpc, peers, tmp_path):
    peer = peers()
    out = tmp_path / "out.pcapng"
    create(rpc, f"p = ProgramPipe(format='frames', fd=0); w = WrpcapSink('{out}', plain_linktype=1); "
           f"l = WrpcapSink('{tmp_path}/out.pcap', linktype=1); p > w; p > l", peer)
    peer.write(message(b"own" * 20, link_type=0x8000), message(b"own" * 20, link_type=0xfffe), message(b"packet" * 10, link_type=1),
               frame(END))
    for sink in "wl":
        eventually(lambda sink=sink: rpc.stats("e", sink)["in"] == 3)
        assert rpc.stats("e", sink)["dropped"] == {"link-type": 2}
    assert "a program's own" in rpc.stats("e", "w")["last_error"]
    rpc.call("engine.stop", engine="e")
    for path in (out, out.with_suffix(".pcap")):
        assert [bytes(data) for data, *_ in makers.read(path)] == [b"packet" * 10]
    balanced(rpc)


@pytest.mark.parametrize("text, words", [
    ("ProgramPipe(fd=0)", 'takes format="frames"'), ("ProgramPipe('cat', format='frames', fd=0)", "either 'command' or 'fd'"),
    ("ProgramPipe(format='frames')", "say which program"), ("ProgramPipe('cat', format='frames', out='lines')", "frames come out"),
    ("ProgramPipe('cat') >> QueueSink()", "has no high exit"), ("ProgramPipe(format='frames', fd=0, restart_s=1)", "only a program")])
def test_what_does_not_go_together_is_refused(rpc, peers, text, words):
    refused = rpc.refused("engine.create", engine="e", text=text, fds=[peers().theirs.fileno()])
    assert words in str(refused)


def test_ports_that_are_linked_stay(rpc, peers):
    create(rpc, "p = ProgramPipe(format='frames', fd=0); q = QueueSink(); p >> q", peers())
    refused = rpc.refused("engine.change", engine="e", ops=[{"op": "set", "name": "p", "params": {"format": "raw", "fd": None, "command": ["cat"]}}])
    assert "has no high exit" in str(refused)
