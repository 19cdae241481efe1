# SPDX-License-Identifier: BSD-2-Clause
"""Engines that work hand in hand, each on a processor core: ToEngine and FromEngine."""
import filecmp

import pytest

import makers
from client import add, link
from conftest import eventually


def balanced(rpc, *engines):
    for engine in engines:
        assert rpc.stats(engine)["unexplained"] == 0, rpc.stats(engine)


def state(rpc, engine, block):
    return rpc.show(engine, block)["state"]


def exhausted(rpc, engine, block):
    eventually(lambda: state(rpc, engine, block) == "exhausted")


@pytest.fixture
def capture(tmp_path):
    """A file of many packets of all lengths, short and long."""
    packets = [bytes(n % 256 for n in range(k % 1500 + 14)) for k in range(5000)]
    packets += [bytes(60000), bytes(5000), bytes(4096), bytes(4095), bytes(14)] * 40
    return makers.pcap(tmp_path / "in.pcap", [(p, k * 1000) for k, p in enumerate(packets)])


def test_a_file_goes_through_two_engines_and_is_the_same(daemon, rpc, capture, tmp_path):
    daemon.create("b", f"FromEngine('x', name='f') > WrpcapSink('{tmp_path}/out.pcap')")
    daemon.create("a", f"RdpcapSource('{capture}') > t = ToEngine('x')")
    daemon.finish("a")
    daemon.finish("b")
    balanced(rpc, "a", "b")
    assert rpc.stats("a", "t")["out"] == rpc.stats("b", "f")["out"] == 5200
    assert filecmp.cmp(capture, tmp_path / "out.pcap", shallow=False)


def test_a_receiver_that_comes_later_gets_all_and_senders_wait_for_it(daemon, rpc, capture, tmp_path):
    daemon.create("a", f"r = RdpcapSource('{capture}'); t = ToEngine('x', limit='100KB'); r > t")
    waiting = eventually(lambda: rpc.show("a", "t").get("state") == "running"
                         and rpc.stats("a", "t")["out"])
    assert waiting < 5200 and state(rpc, "a", "r") == "running"
    assert rpc.show("a", "t")["params"]["limit"] == "100KB"
    daemon.create("b", f"FromEngine('x', name='f') > WrpcapSink('{tmp_path}/out.pcap')")
    exhausted(rpc, "b", "f")
    balanced(rpc, "a", "b")
    daemon.finish("b")
    assert filecmp.cmp(capture, tmp_path / "out.pcap", shallow=False)


def test_canals_and_their_order(daemon, rpc):
    daemon.create("b", "f = FromEngine('x'); low = QueueSink(); high = QueueSink(); both = QueueSink()",
                  "f > low; f >> high; f > both; f >> both")
    daemon.create("a", "c = CLIFeeder(); d = CLIHighFeeder(); t = ToEngine('x'); c > t; d >> t")
    for n in range(20):
        rpc.send("a", "d" if n % 3 else "c", str(n))
    assert rpc.texts("b", "low", 7) == [str(n) for n in range(20) if n % 3 == 0]
    assert rpc.texts("b", "high", 13) == [str(n) for n in range(20) if n % 3]
    assert rpc.texts("b", "both", 20) == [str(n) for n in range(20)]
    balanced(rpc, "a", "b")


def test_several_send_and_one_receives(daemon, rpc):
    for name in "abc":
        daemon.create(name, f"c = CLIFeeder(); c > ToEngine('x')")
    daemon.create("r", "f = FromEngine('x'); f > q = QueueSink()")
    for n in range(30):
        rpc.send("abc"[n % 3], "c", f"{'abc'[n % 3]}{n}")
    got = rpc.texts("r", "q", 30)
    for name in "abc":
        mine = [int(text[1:]) for text in got if text[0] == name]
        assert len(mine) == 10 and mine == sorted(mine)
    assert rpc.show("r", "f")["now"]["senders"] == 3
    # it is exhausted when all are, not before
    daemon.ok("close", "a.c")
    daemon.ok("close", "b.c")
    rpc.send("c", "c", "last")
    assert rpc.texts("r", "q", 1) == ["last"] and state(rpc, "r", "f") == "running"
    daemon.ok("close", "c.c")
    exhausted(rpc, "r", "f")
    refused = daemon.ptctl("create", "late", "CLIFeeder() > ToEngine('x')", "--start")
    assert refused.code and "has come to its end at 'f': start the engine of that anew" in refused.err
    daemon.ok("stop", "r")
    daemon.ok("start", "r")
    daemon.create("late", "c = CLIFeeder(); c > ToEngine('x')")
    rpc.send("late", "c", "more")
    assert rpc.texts("r", "q", 1) == ["more"]


def test_a_channel_has_one_receiver(daemon, rpc):
    daemon.create("r", "f = FromEngine('x'); f > Sink()")
    before = daemon.ok("list")
    refused = daemon.ptctl("create", "s", "FromEngine('x') > Sink()", "--start")
    assert refused.code and "'x' is received by 'f' already: give another name" in refused.err
    assert daemon.ok("list") == before
    daemon.create("s", "FromEngine('y') > Sink()")


def test_either_side_is_replaced_stopped_and_started_under_traffic(daemon, rpc, capture):
    """Nothing is lost or doubled: what one side has sent is what the other has had."""
    daemon.create("a", f"RdpcapSource('{capture}', loop=0, name='r') > t = ToEngine('x', limit='200KB')")
    daemon.create("b", "f = FromEngine('x'); f > q = Sink()")
    for n in range(20):
        rpc.change("b", {"op": "replace", "name": "f", "type": "FromEngine", "params": {"channel": "x"}})
        rpc.change("a", {"op": "set", "name": "t", "params": {"limit": f"{100 + n}KB"}})
        rpc.change("a", {"op": "replace", "name": "t", "type": "ToEngine",
                         "params": {"channel": "x", "limit": "150KB"}})
        if n % 5 == 4:
            daemon.ok("stop", "b")
            daemon.ok("start", "b")
    rpc.change("a", {"op": "set", "name": "r", "params": {"loop": 1}})
    exhausted(rpc, "b", "f")
    balanced(rpc, "a", "b")
    sent = rpc.stats("a", "t")["out"]
    assert sent == rpc.stats("b", "f")["out"] == rpc.stats("b", "q")["out"] and sent % 5200 == 0


def test_a_replacement_with_another_channel(daemon, rpc):
    daemon.create("a", "c = CLIFeeder(); c > x = ToEngine('x'); c > y = ToEngine('y')")
    daemon.create("b", "f = FromEngine('x'); f > q = QueueSink()")
    rpc.send("a", "c", "1")
    assert rpc.texts("b", "q", 1) == ["1"]
    rpc.change("b", {"op": "replace", "name": "f", "type": "FromEngine", "params": {"channel": "y"}})
    rpc.send("a", "c", "2")
    assert rpc.texts("b", "q", 2) == ["1", "2"]
    assert rpc.show("a", "x")["now"] == {"waiting": 1, "received": False}


@pytest.mark.parametrize("overflow", ["drop-oldest", "drop-newest"])
def test_what_overflows_is_counted(daemon, rpc, overflow):
    daemon.create("a", f"c = CLIFeeder(); c > t = ToEngine('x', limit='10KB', overflow='{overflow}')")
    for n in range(100):
        rpc.send("a", "c", f"{n:<1000}")
    stats = rpc.stats("a", "t")
    kept = stats["out"]
    assert 5 <= kept <= 10 and stats["dropped"] == {"overflow": 100 - kept}
    rpc.send("a", "c", "x" * 10001)
    assert rpc.stats("a", "t")["dropped"]["too-long"] == 1
    daemon.create("b", "f = FromEngine('x'); f > q = QueueSink()")
    got = [int(text) for text in rpc.texts("b", "q", kept)]
    assert got == list(range(100 - kept, 100) if overflow == "drop-oldest" else range(kept))
    balanced(rpc, "a", "b")


def test_what_nobody_receives_is_lost_and_counted(daemon, rpc):
    daemon.create("a", "c = CLIFeeder(); c > t = ToEngine('x')")
    rpc.send("a", "c", "1", "2", "3")
    daemon.ok("stop", "a")
    assert rpc.stats("a", "t")["dropped"] == {"unsent": 3} and rpc.stats("a", "t")["out"] == 0
    balanced(rpc, "a")


def test_what_others_sent_is_lost_with_the_last(daemon, rpc):
    """Who has sent it has gone before; the last to leave counts it, and has delivered none of it."""
    for name in "ab":
        daemon.create(name, "c = CLIFeeder(); c > t = ToEngine('x')")
    rpc.send("a", "c", "1", "2", "3")
    daemon.ok("stop", "a")
    assert rpc.stats("a", "t")["out"] == 3
    daemon.ok("stop", "b")
    stats = rpc.stats("b", "t")
    assert (stats["out"], stats["made"], stats["dropped"]) == (0, 3, {"unsent": 3})
    balanced(rpc, "a", "b")


def test_within_one_engine_it_is_a_queue(daemon, rpc):
    rpc.call("engine.create", engine="e", start=True)
    rpc.change("e", add("c", "CLIFeeder"), add("t", "ToEngine", channel="x"),
               add("f", "FromEngine", channel="x"), add("q", "QueueSink"), link("c", "t"), link("f", "q"))
    rpc.send("e", "c", "1", "2")
    assert rpc.texts("e", "q", 2) == ["1", "2"]
    daemon.ok("close", "e.c")
    daemon.finish("e")
