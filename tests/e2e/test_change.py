# SPDX-License-Identifier: BSD-2-Clause
"""Changes to a graph: at once, all or nothing, between two messages."""
import concurrent.futures
import random

import pytest

from client import add, link, unlink
from conftest import eventually


@pytest.fixture
def running(daemon):
    daemon.create("e", "s = CLIFeeder(); h = CLIHighFeeder(); d = Drain(); q = QueueSink()",
                  "s > d > q; h >> d >> q")
    return daemon


def test_a_block_linked_into_a_running_engine_runs(running, rpc):
    running.ok("add", "e", "p = PeriodicSource('tick', 0.01); p > q")
    assert rpc.texts("e", "q", 3) == ["tick"] * 3
    assert rpc.show("e")["state"] == "running"


def test_a_sink_added_while_packets_flow_gets_the_rest(running, rpc):
    for number in range(10):
        rpc.send("e", "s", str(number))
    running.ok("add", "e", "q2 = QueueSink(); d > q2")
    for number in range(10, 20):
        rpc.send("e", "s", str(number))
    assert rpc.texts("e", "q", 20) == [str(n) for n in range(20)]
    assert rpc.texts("e", "q2", 10) == [str(n) for n in range(10, 20)]


def test_unlink_loses_nothing_that_was_delivered(running, rpc):
    rpc.send("e", "s", "before")
    running.ok("unlink", "e", "d > q")
    rpc.send("e", "s", "between")
    rpc.send("e", "h", "high")
    running.ok("add", "e", "d > q")
    rpc.send("e", "s", "after")
    assert rpc.texts("e", "q", 3) == ["before", "high", "after"]
    assert rpc.stats("e")["unexplained"] == 0


def test_linking_twice_is_linking_once(running, rpc):
    revision = rpc.show("e")["revision"]
    answer = rpc.change("e", link("d", "q"))
    assert answer["revision"] == revision and not answer["plan"]
    rpc.send("e", "s", "x", "y")
    assert rpc.texts("e", "q", 2) == ["x", "y"]


def test_remove_takes_the_links_along(running, rpc):
    running.ok("remove", "e", "d")
    shown = rpc.show("e")
    assert [b["name"] for b in shown["blocks"]] == ["s", "h", "q"] and shown["links"] == []
    rpc.send("e", "s", "nowhere")
    assert rpc.stats("e")["unexplained"] == 0


def test_replace_keeps_the_links_and_their_order(running, rpc):
    running.ok("add", "e", "q2 = QueueSink(); d > q2")
    before = rpc.show("e")["links"]
    running.ok("replace", "e.d", 'TransformDrain("upper")')
    assert rpc.show("e")["links"] == before
    rpc.send("e", "s", "loud")
    assert rpc.texts("e", "q", 1) == ["LOUD"] and rpc.texts("e", "q2", 1) == ["LOUD"]


def test_a_replaced_queue_of_the_same_type_keeps_what_it_holds(running, rpc):
    rpc.send("e", "s", "kept")
    running.ok("replace", "e.q", 'QueueSink(limit="1MiB")')
    assert rpc.texts("e", "q", 1) == ["kept"]


def test_set_changes_a_parameter(running, rpc):
    running.ok("add", "e", 't = TransformDrain("upper"); s > t > q')
    rpc.send("e", "s", "one")
    running.ok("set", "e.t", "f=lower")
    rpc.send("e", "s", "TWO")
    assert rpc.texts("e", "q", 4) == ["one", "ONE", "TWO", "two"]
    assert rpc.show("e", "t")["params"]["f"] == "lower"


def test_a_change_of_many_parts_is_one_revision(running, rpc):
    revision = rpc.show("e")["revision"]
    answer = rpc.change("e", add("u", "UpDrain"), unlink("d", "q"), link("d", "u"),
                        link("u", "q", "high"))
    assert answer["revision"] == revision + 1
    rpc.send("e", "s", "m")
    assert rpc.recv("e", "q", 1)[0]["canal"] == "high"


def test_dry_run_changes_nothing_and_says_what_it_would(running, rpc):
    before = running.ok("export", "e")
    shown = rpc.show("e")
    answer = rpc.change("e", add("u", "UpDrain"), link("d", "u"), dry_run=True)
    assert answer["plan"] and answer["revision"] == shown["revision"]
    assert running.ok("export", "e") == before and rpc.show("e") == shown


def test_if_revision(running, rpc):
    revision = rpc.show("e")["revision"]
    rpc.change("e", add("a", "Drain"), if_revision=revision)
    assert rpc.refused("engine.change", engine="e", ops=[add("b", "Drain")],
                       if_revision=revision).kind == "conflict"
    assert running.ptctl("add", "e", "b = Drain()", "--if-revision", revision).code == 5
    assert running.ptctl("add", "e", "b = Drain()", "--if-revision", revision + 1).code == 0


def test_ops_of_one_change_see_one_another(running, rpc):
    rpc.change("e", add("x", "Drain"), link("s", "x"), {"op": "remove", "name": "x"},
               add("x", "TransformDrain", f="upper"), link("s", "x"), link("x", "q"))
    rpc.send("e", "s", "m")
    assert rpc.texts("e", "q", 2) == ["m", "M"]


REFUSED = {
    "an unknown type": ([add("a", "Drian")], "no-such-type"),
    "a name that is taken": ([add("d", "Drain")], "exists"),
    "a bad name": ([add("a b", "Drain")], "bad-parameter"),
    "an empty name": ([add("", "Drain")], "bad-parameter"),
    "a missing parameter": ([add("a", "TransformDrain")], "bad-parameter"),
    "an unknown parameter": ([add("a", "Drain", speed=1)], "bad-parameter"),
    "a parameter out of range": ([add("a", "PeriodicSource", msg="x", period=-1)], "bad-parameter"),
    "a script that does not compile": ([add("a", "TransformDrain", f="function(m")], "script"),
    "a script that is no function": ([add("a", "TransformDrain", f="42")], "script"),
    "a predicate where a transform is wanted": ([add("a", "TransformDrain", f="always")], "script"),
    "a bad BPF filter": ([add("a", "FilterDrain", f="bpf 'tcp dst prot 5'")], "script"),
    "a link from nowhere": ([link("nobody", "q")], "no-such-block"),
    "a link to nowhere": ([link("s", "nobody")], "no-such-block"),
    "a link out of a sink": ([link("q", "d")], "bad-link"),
    "a link into a source": ([link("d", "s")], "bad-link"),
    "a high link from a block without it": ([link("s", "q", "high")], "bad-link"),
    "a trigger where there is none": ([link("d", "q", "trigger")], "bad-link"),
    "unlinking what is not linked": ([unlink("s", "q")], "bad-link"),
    "a cycle": ([add("a", "Drain"), link("d", "a"), link("a", "d")], "cycle"),
    "a cycle on the high canal": ([add("a", "Drain"), link("d", "a", "high"),
                                   link("a", "d", "high")], "cycle"),
    "a cycle through up and down": ([add("u", "UpDrain"), add("o", "DownDrain"), link("u", "o", "high"),
                                     link("o", "u")], "cycle"),
    "a cycle of itself": ([link("d", "d")], "cycle"),
    "removing nobody": ([{"op": "remove", "name": "nobody"}], "no-such-block"),
    "removing twice": ([{"op": "remove", "name": "d"}, {"op": "remove", "name": "d"}],
                       "no-such-block"),
    "setting nobody": ([{"op": "set", "name": "nobody", "params": {}}], "no-such-block"),
    "setting what is not": ([{"op": "set", "name": "q", "params": {"limits": 1}}], "bad-parameter"),
    "setting nonsense": ([{"op": "set", "name": "q", "params": {"overflow": "explode"}}],
                         "bad-parameter"),
    "replacing nobody": ([{"op": "replace", "name": "nobody", "type": "Drain"}], "no-such-block"),
    "replacing by nothing known": ([{"op": "replace", "name": "d", "type": "Dran"}],
                                   "no-such-type"),
    "replacing by what cannot be linked to itself": ([
        unlink("s", "d"), unlink("d", "q", "high"), link("d", "d"),
        {"op": "replace", "name": "d", "type": "DownDrain"}], "bad-link"),
    "replacing by what has not the ports": ([{"op": "replace", "name": "d", "type": "CLIFeeder"}],
                                            "bad-link"),
    "a file that is not there": ([add("r", "RdpcapSource", fname="/nowhere/x.pcap"),
                                  link("r", "q")], "io"),
    "a file that cannot be written": ([add("w", "WrpcapSink", fname="/nowhere/x.pcap")], "io"),
    "an interface that is not there": ([add("i", "InjectSink", iface="nosuch0")], "io"),
}
GOOD_FIRST = [add("n1", "Drain"), link("s", "n1"), link("n1", "q"), unlink("d", "q"),
              {"op": "remove", "name": "h"}]


@pytest.mark.parametrize("what", REFUSED)
def test_a_refused_change_leaves_no_trace(running, rpc, what):
    ops, kind = REFUSED[what]
    before, shown = running.ok("export", "e"), rpc.show("e")
    for change in (ops, GOOD_FIRST + ops):
        error = rpc.refused("engine.change", engine="e", ops=change)
        assert error.kind == kind, error
        assert running.ok("export", "e") == before
        assert rpc.show("e") == shown
    rpc.send("e", "s", "alive")
    assert rpc.texts("e", "q", 1) == ["alive"]


def test_a_flood_of_faults_is_answered_in_short(running, rpc):
    """Of what is read already, and of what cannot be."""
    ops = [add("x", "No")] * 20000
    for more in ({}, {"no": 1}):
        error = rpc.refused("engine.change", engine="e", ops=ops, **more)
        assert 256 <= len(error.data["errors"]) < 300


def test_any_change_that_is_refused_leaves_no_trace(running, rpc):
    """Random good changes, each followed by a bad op at a random place."""
    chance = random.Random(20)
    names = ["s", "h", "d", "q"]
    bad = [ops[0] for ops, _ in REFUSED.values() if len(ops) == 1]
    for number in range(60):
        before = running.ok("export", "e") if number % 10 == 0 else None
        shown = rpc.show("e")
        ops = []
        for extra in range(chance.randrange(5)):
            name = f"r{number}_{extra}"
            ops.append(add(name, chance.choice(["Drain", "QueueSink", "ConsoleSink", "UpDrain"])))
            ops.append(link("d", name))
        ops.insert(chance.randrange(len(ops) + 1) if ops else 0, chance.choice(bad))
        rpc.refused("engine.change", engine="e", ops=ops)
        assert rpc.show("e") == shown, ops
        if before:
            assert running.ok("export", "e") == before
        fresh = f"k{number}"
        rpc.change("e", add(fresh, "Drain"), link(chance.choice(["s", "d"]), fresh))
        names.append(fresh)
    assert rpc.stats("e")["unexplained"] == 0


def test_a_failed_start_leaves_it_stopped(daemon, rpc, tmp_path):
    missing = tmp_path / "late.pcap"
    daemon.create("e", f'r = RdpcapSource("{missing}"); w = WrpcapSink("{tmp_path}/w.pcap"); r > w',
                  start=False)
    before = daemon.ok("export", "e")
    assert rpc.refused("engine.start", engine="e").kind == "io"
    assert rpc.show("e")["state"] == "stopped" and daemon.ok("export", "e") == before


def test_changes_race_with_traffic_and_lose_nothing(daemon, rpc):
    """A source at full speed while blocks come and go: the ledger balances."""
    daemon.create("e", "p = PeriodicSource(['x', 'y'], 0.0001); d = Drain(); q = Sink(); p > d > q")
    for number in range(100):
        rpc.change("e", add(f"t{number}", "TransformDrain", f="reverse"), link("d", f"t{number}"),
                   link(f"t{number}", "q"))
        if number >= 5:
            rpc.change("e", {"op": "remove", "name": f"t{number - 5}"})
    stats = rpc.stats("e")
    assert stats["unexplained"] == 0
    eventually(lambda: rpc.stats("e", "q")["in"] > stats["blocks"][0]["out"])


def test_destroy_and_create_again(daemon, rpc):
    for _ in range(20):
        daemon.call("engine.create", engine="e", start=True, blocks=[
            {"name": "p", "type": "PeriodicSource", "params": {"msg": "m", "period": 0.001}},
            {"name": "q", "type": "QueueSink"}], links=[{"from": "p", "to": "q"}])
        assert rpc.texts("e", "q", 1) == ["m"]
        rpc.call("engine.destroy", engine="e")
    assert rpc.call("engine.list")["engines"] == []


def test_stop_and_start_again_keeps_the_graph(running, rpc):
    for number in range(5):
        rpc.call("engine.stop", engine="e")
        assert rpc.show("e")["state"] == "stopped"
        rpc.call("engine.start", engine="e")
        rpc.send("e", "s", str(number))
    assert rpc.texts("e", "q", 5) == list("01234")


def test_sent_before_the_start_a_message_waits(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q", start=False)
    rpc.send("e", "s", "early")
    assert rpc.recv("e", "q", 1, seconds=0) == []
    rpc.call("engine.start", engine="e")
    assert rpc.texts("e", "q", 1) == ["early"]


def test_a_message_keeps_its_bytes(running, rpc):
    texts = ["", "ü€😀", "a\nb\r\n\ttab", '"quoted\\"', "x" * 100_000]
    binary = [b"\x00\xff\x80", bytes(range(256)), b"\xed\xa0\x80"]
    rpc.send("e", "s", *texts, *({"hex": b.hex()} for b in binary))
    got = rpc.recv("e", "q", len(texts) + len(binary))
    assert [m["message"] for m in got[:len(texts)]] == texts
    import base64
    assert [base64.b64decode(m["message"]["base64"]) for m in got[len(texts):]] == binary
    rpc.send("e", "s", *(m["message"] for m in got))  # what recv gave can be sent again
    assert [m["message"] for m in rpc.recv("e", "q", len(got))] == [m["message"] for m in got]


def test_stats_tell_where_messages_went(running, rpc):
    rpc.send("e", "s", *"abc")
    rpc.send("e", "h", "d")
    stats = {b["name"]: b for b in rpc.stats("e")["blocks"]}
    assert stats["s"]["out"] == 3 and stats["d"]["in"] == 4 and stats["d"]["out"] == 4
    assert stats["q"]["held"] == 4
    links = {(k["from"], k["to"], k["canal"]): k for k in rpc.stats("e")["links"]}
    assert links["s", "d", "low"]["messages"] == 3 and links["s", "d", "low"]["bytes"] == 3
    assert links["d", "q", "high"]["messages"] == 1


def test_a_queue_overflows_as_it_says(daemon, rpc):
    for rule, expected in (("drop-oldest", "new"), ("drop-newest", "old")):
        engine = rule.replace("-", "_")
        daemon.create(engine, f's = CLIFeeder(); q = QueueSink(limit=1000, overflow="{rule}"); s > q')
        rpc.send(engine, "s", "old" + "x" * 600)
        rpc.send(engine, "s", "new" + "x" * 600)
        assert rpc.texts(engine, "q", 1)[0][:3] == expected
        stats = rpc.stats(engine, "q")
        assert sum(stats["dropped"].values()) == 1 and rpc.stats(engine)["unexplained"] == 0


def test_the_graph_as_dot(running, rpc):
    dot = rpc.call("engine.graph", engine="e")["dot"]
    assert dot.startswith("digraph") and "blue" in dot and "purple" in dot
    for block in "shdq":
        assert block in dot


# ---- text in place of lists ---------------------------------------------------------------------

def test_an_engine_is_made_changed_and_applied_from_text(daemon, rpc):
    rpc.call("engine.create", engine="t", start=True,
             text="s = CLIFeeder()\ns > TransformDrain('reverse') > q = QueueSink()")
    rpc.send("t", "s", "abc")
    assert rpc.texts("t", "q", 1) == ["cba"]
    assert [b["name"] for b in rpc.show("t")["blocks"]] == ["s", "transform_drain1", "q"]
    answer = rpc.call("engine.change", engine="t", text="s > TransformDrain('upper') > q")
    assert [op.get("name") for op in answer["plan"]] == ["transform_drain2", None, None]
    rpc.send("t", "s", "abc")
    assert rpc.texts("t", "q", 2) == ["cba", "ABC"]
    dry = rpc.call("engine.apply", engine="t", dry_run=True, text=daemon.ok("export", "t"))
    assert dry["plan"] == []
    rpc.call("engine.apply", engine="t", text="s = CLIFeeder(); q = QueueSink(); s > q")
    assert len(rpc.show("t")["blocks"]) == 2


def test_faults_of_a_text_have_line_column_and_caret(daemon, rpc):
    rpc.call("engine.create", engine="t", text="s = CLIFeeder()")
    for method in ("engine.create", "engine.apply", "engine.change"):
        name = "new" if method == "engine.create" else "t"
        for text, line, column, caret in (
                ("a = Sink()\nb = Drian()", 2, 5, "b = Drian()\n    ^"),
                ("a = PeriodicSource('x',\n  period=-1)", 2, 10, "  period=-1)\n         ^"),
                ("a = Sink()\nb = Drain()\na > b", 3, 1, "a > b\n^")):
            error = rpc.refused(method, engine=name, text=text)
            assert (error.data["line"], error.data["column"]) == (line, column), error.data
            assert error.data["caret"] == caret and error.path == "$.text"
            assert error.message.startswith(f"line {line}, column {column}: ")
        two = rpc.refused(method, engine=name, text="a = Drian()\nb = Drian()")
        assert [e["line"] for e in two.data["errors"]] == [1, 2]
        for text in ("", "# nothing\n", "limit = 5"):
            assert "no statement" in rpc.refused(method, engine=name, text=text).message
        more = {"ops": []} if method == "engine.change" else {"blocks": []}
        assert rpc.refused(method, engine=name, text="a = Sink()", **more).kind == "bad-parameter"
    assert rpc.refused("engine.change", engine="t").kind == "bad-parameter"
    assert rpc.refused("engine.change", engine="t", text="a = Sink()", if_revision=99).kind == "conflict"
    assert rpc.show("t")["blocks"][0]["name"] == "s" and len(rpc.show("t")["blocks"]) == 1


def test_changes_by_text_side_by_side_get_names_of_their_own(daemon):
    daemon.create("t", "s = CLIFeeder()", start=False)
    def add(_):
        for _ in range(5):
            daemon.call("engine.change", {"engine": "t", "text": "s > Drain()"})
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(add, range(16)))
    assert {b["name"] for b in daemon.call("engine.show", {"engine": "t"})["blocks"]} == {
        "s", *(f"drain{n + 1}" for n in range(80))}
