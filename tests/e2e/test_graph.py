# SPDX-License-Identifier: BSD-2-Clause
"""Graphs of Python, scripts that take part in an engine, and the client with asyncio."""
import asyncio
import doctest
import os
import pathlib
import pickle
import re
import subprocess
import sys
import textwrap

import pytest

from client import add  # which makes the package importable
from conftest import eventually
from makers import pcap

import pipetool
from pipetool import CLIFeeder, Existing, Graph, PipeEngine, QueueSink, Refused, Sink, ThreadGenSource, TransformDrain, aio
from pipetool.graph import Watch

TOP = pathlib.Path(__file__).parents[2]


def refused(call, *arguments, **more):
    with pytest.raises(Refused) as caught:
        call(*arguments, **more)
    return caught.value


def some():
    graph = Graph()
    graph.link(graph.add("CLIFeeder", name="in"), graph.add("TransformDrain", name="up", f="upper"))
    graph.link("up", graph.add("QueueSink", name="q"))
    return graph


# ---- alone --------------------------------------------------------------------------------------

def test_the_examples_of_the_docstrings():
    import pipetool.client
    import pipetool.files
    import pipetool.graph
    for module in (pipetool.client, pipetool.files, pipetool.graph):
        failed, tried = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
        assert not failed and tried


def test_a_graph_refuses_as_an_engine_does():
    graph = some()
    assert refused(graph.add, "Drain", name="q").kind == "exists"
    assert refused(graph.add, "Drain", name="no name").kind == "bad-parameter"
    assert refused(graph.link, "in", "q", "middle").kind == "bad-parameter"
    assert refused(graph.unlink, "in", "q").kind == "bad-link"
    for call, arguments in ((graph.link, ("in", "upp")), (graph.unlink, ("upp", "q")), (graph.remove, ("upp",)),
                            (graph.set, ("upp",))):
        error = refused(call, *arguments)
        assert (error.kind, error.message, error.hint) == ("no-such-block", "no block 'upp' here", "did you mean 'up'?")
    assert graph == some()


def test_a_graph_is_what_was_made_of_it():
    graph = some()
    graph.link("in", "q", "high")
    graph.link("in", "up")
    graph.unlink("in", "q", "high")
    graph.set("q", limit="1MiB")
    graph.set("q", overflow="block")
    assert graph.blocks[2]["params"] == {"limit": "1MiB", "overflow": "block"}
    assert [(one["from"], one["to"]) for one in graph.links] == [("in", "up"), ("up", "q")]
    other = graph.copy()
    other.remove("up")
    assert other.links == [] and len(graph.links) == 2


def event(name, revision, *names):
    data = {"ops": [{"op": "add", "name": one} for one in names]} if names else {}
    return {"method": "event", "params": {"name": name, "revision": revision, "data": data}}


def at(revision):
    graph = Graph()
    graph.revision = revision
    return graph


def test_who_watches_gets_each_change_once():
    watch, graph = Watch(1), at(3)
    assert watch.take(event("engine.changed", 2, "a")) and not watch.is_next(graph)  # it is ahead of what was told
    assert watch.take(event("engine.changed", 3, "b")) and watch.is_next(graph)
    assert [op["name"] for op in graph.changed] == ["a", "b"]
    assert not watch.take(event("engine.changed", 3, "b")) and not watch.take(event("engine.state", None))
    assert watch.take(event("engine.taken_back", 2)) and watch.is_next(at(2))
    assert watch.take(event("engine.changed", 3, "c")) and watch.is_next(graph)
    assert [op["name"] for op in graph.changed] == ["c"]
    assert watch.take({"method": "gap", "params": {"dropped": 9}}) and watch.is_next(at(7))
    assert not watch.take(event("engine.changed", 7, "told late"))
    assert not watch.take(event("engine.destroyed", 7)) and watch.gone


def test_the_examples_of_the_page(daemon, tmp_path):
    """Those for any daemon; the others are test_python.py's."""
    page = (TOP / "docs" / "python.md").read_text().split("## Any daemon")[1]
    examples = re.findall(r"```python\n(.*?)```.*?prints `?(.*?)`?[.:]", page, re.S)
    assert len(examples) == 4
    for text, printed in examples:
        text = text.replace("from pipetool import *", "from pipetool import CLIFeeder, Client, Existing, Graph, PipeEngine, Sink")
        done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=300,
                              env={**os.environ, "PYTHONPATH": str(TOP / "python"), "PIPETOOL_SOCKET": str(daemon.socket)})
        assert (done.returncode, done.stdout.strip()) == (0, printed), done.stderr


# ---- with a daemon ------------------------------------------------------------------------------

def test_names_are_those_of_the_language(rpc):
    rpc.call("engine.create", engine="e", blocks=[{"name": "drain1", "type": "Drain"}])
    kinds = {"Drain": "", "CLIHighFeeder": "", "TriggeredQueueingValve": "", "JsonDrain": "", "Inject3Sink": "'lo'"}
    text = "; ".join(f"{kind}({params}); {kind}({params})" for kind, params in kinds.items())
    plan = rpc.call("engine.change", engine="e", dry_run=True, text=text)["plan"]
    graph = Graph([{"name": "drain1", "type": "Drain"}])
    assert [graph.add(kind) for kind in kinds for _ in range(2)] == [op["name"] for op in plan]


def test_a_graph_comes_to_an_engine(rpc):
    graph = some()
    plan = graph.plan(rpc, "e")
    assert [op["op"] for op in plan] == ["add"] * 3 + ["link"] * 2
    assert refused(Graph.of, rpc, "e").kind == "no-such-engine"
    assert graph.apply(rpc, "e", start=True, comment="first") == {"revision": 1, "plan": plan}
    rpc.send("e", "in", "m")
    assert rpc.texts("e", "q", 1) == ["M"]
    read = Graph.of(rpc, "e")
    assert (read, read.revision) == (graph, 1)
    assert read.plan(rpc, "e") == []
    read.set("up", f="lower")
    assert [op["op"] for op in read.apply(rpc, "e", dry_run=True)["plan"]] == ["set"]
    assert Graph.of(rpc, "e") == graph
    assert read.apply(rpc, "e", if_revision=read.revision, confirm_s=100)["revision"] == 2
    rpc.call("engine.confirm", engine="e")
    assert refused(graph.apply, rpc, "e", if_revision=1).kind == "conflict"
    assert rpc.call("engine.log", engine="e")["revisions"][0]["comment"] == "first"


def test_what_is_refused_changes_nothing(rpc):
    graph = some()
    graph.add("Nothing", name="n")
    assert refused(graph.apply, rpc, "e").kind == "no-such-type"
    assert rpc.call("engine.list")["engines"] == []
    assert refused(some().apply, rpc, "e", if_revision=7).kind == "conflict"


def test_a_start_starts_what_is_there(rpc):
    some().apply(rpc, "e")
    assert rpc.show("e")["state"] == "stopped"
    some().apply(rpc, "e", start=True, dry_run=True)
    assert rpc.show("e")["state"] == "stopped"
    some().apply(rpc, "e", start=True)
    assert rpc.show("e")["state"] == "running"


def test_descriptors_go_along(rpc):
    reading, writing = os.pipe()
    graph = Graph()
    with open(writing, "wb") as file, open(reading, "rb") as end:
        graph.link(graph.add("CLIFeeder", name="s"), graph.add("FDSourceSink", name="f", fd=file))
        graph.link("s", graph.add("FileSink", name="t", fname={"fd": file, "path": "the pipe"}))
        graph.apply(rpc, "e", start=True)
        rpc.send("e", "s", "x")
        assert os.read(end.fileno(), 1) == b"x"


def test_it_is_watched(rpc):
    some().apply(rpc, "e")
    watch = Graph.watch(rpc, "e")
    first = next(watch)
    assert (first, first.revision, first.changed) == (some(), 1, [])
    graph = some()
    graph.add("Drain", name="d")
    graph.apply(rpc, "e")
    rpc.call("engine.start", engine="e")
    got = next(watch)
    assert (got, got.revision, [op["name"] for op in got.changed]) == (graph, 2, ["d"])
    ops = []
    for n in range(5):
        rpc.change("e", add(f"x{n}", "Drain"))
    while got.revision < 7:
        got = next(watch)
        ops += got.changed
    assert [op["name"] for op in ops] == [f"x{n}" for n in range(5)]
    rpc.call("engine.undo", engine="e", revision=1)
    assert next(watch) == first
    rpc.call("engine.destroy", engine="e")
    assert list(watch) == []
    assert refused(next, Graph.watch(rpc, "e")).kind == "no-such-engine"


# ---- refusals that are errors of the system -----------------------------------------------------

def test_an_answer_that_nobody_awaits_is_no_other_s(rpc, daemon):
    some().apply(rpc, "e", start=True)
    with pytest.raises(TimeoutError):
        rpc.call("block.recv", engine="e", block="q", timeout_s=1000, timeout=0.01)
    with rpc.again() as other:
        other.call("block.send", engine="e", block="in", message="now")
    assert rpc.call("daemon.info")["pid"] == daemon.process.pid


def test_io_is_an_oserror(rpc, tmp_path):
    some().apply(rpc, "e")
    cases = ((add("r", "RdpcapSource", fname=f"{tmp_path}/none.pcap"), FileNotFoundError, f"{tmp_path}/none.pcap"),
             (add("w", "WrpcapSink", fname=f"{tmp_path}/no/x.pcap"), FileNotFoundError, f"{tmp_path}/no/x.pcap"),
             (add("w", "FileSink", fname=str(tmp_path)), IsADirectoryError, str(tmp_path)),
             (add("w", "SniffSource", iface="none0"), OSError, None))
    for op, kind, name in cases:
        error = None
        try:
            rpc.change("e", op)
            rpc.call("engine.start", engine="e")
        except Refused as caught:
            error = caught
        assert error.kind == "io" and isinstance(error, kind) and error.filename == name, (op, error)
        assert (error.errno is not None) == (error.data.get("errno") is not None)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.filename) == (type(error), str(error), name)
        rpc.call("engine.undo", engine="e", revision=1)
    assert not isinstance(rpc.refused("engine.show", engine="none"), OSError)


# ---- scripts that take part ---------------------------------------------------------------------

@pytest.fixture
def patient(monkeypatch):
    """On a busy machine what is on its way takes its time."""
    monkeypatch.setattr(pipetool.engine, "_FLUSH_S", 120)


def test_a_script_takes_part_in_an_engine(rpc, daemon, patient):
    some().apply(rpc, "e", start=True)
    before = Graph.of(rpc, "e")
    s, q = CLIFeeder(), QueueSink(name="q")
    s > TransformDrain(lambda text: text + "!") > Existing("up") > q
    engine = PipeEngine(s, socket=str(daemon.socket), engine="e", attach=True)
    engine.start()
    s.send("hello")
    rpc.send("e", "in", {"message": "others'", "text": True})
    assert sorted(q.recv(timeout=60) for _ in range(2)) == ["HELLO!", "OTHERS'"]
    assert q._block == "q2" and s._block == "cli_feeder1"
    s.send("last")
    engine.stop()
    assert (q.recv(block=False), q.recv(block=False)) == ("LAST!", None)
    assert Graph.of(rpc, "e") == before and rpc.show("e")["state"] == "running"
    assert sorted(rpc.texts("e", "q", 3)) == ["HELLO!", "LAST!", "OTHERS'"]


def test_what_a_class_calls_is_source_is_its_own(rpc, daemon, patient):
    some().apply(rpc, "e", start=True)

    class Named(QueueSink):
        is_source = True
    s, q = CLIFeeder(), Named()
    s > Existing("up") > q
    engine = PipeEngine(s, socket=str(daemon.socket), engine="e", attach=True)
    engine.start()
    s.send("kept")
    engine.stop()
    assert q.recv(block=False) == "KEPT"


def test_it_may_not_take_another_s_name(rpc, daemon):
    some().apply(rpc, "e")
    s = CLIFeeder()
    s > QueueSink()
    assert refused(PipeEngine(s, socket=str(daemon.socket), engine="e").start).kind == "exists"
    assert refused(PipeEngine(s, socket=str(daemon.socket), engine="none", attach=True).start).kind == "no-such-engine"
    nobody = CLIFeeder()
    nobody > Existing("nobody")
    assert refused(PipeEngine(nobody, socket=str(daemon.socket), engine="e", attach=True).start).kind == "no-such-block"
    assert Graph.of(rpc, "e") == some()


def test_it_waits_for_its_own_sources(rpc, daemon, patient):
    some().apply(rpc, "e", start=True)
    class Count(Sink):
        seen = 0

        def push(self, msg):
            self.seen += 1
    s, count = CLIFeeder(), Count()
    s > TransformDrain("upper") > count
    Existing("up") > count
    engine = PipeEngine(s, count, socket=str(daemon.socket), engine="e", attach=True)
    engine.start()
    for n in range(100):
        s.send(str(n))
    rpc.send("e", "in", "one more")
    s.close()
    engine.wait_and_stop()
    assert count.seen == 101
    assert Graph.of(rpc, "e") == some()


def test_files_are_opened_by_the_script(daemons, tmp_path, monkeypatch):
    """Also for a daemon that may use none of them, by names of the script's folder."""
    daemon = daemons(config="[files]\nallow = /nowhere\n")
    monkeypatch.chdir(tmp_path)
    for name in ("a.pcap", "b.pcap"):
        pcap(tmp_path / name, [(b"\x45" + b"\0" * 19, 1_000_000_000)], link_type=101)
    (tmp_path / "old.txt").write_text("old ")

    def run(source, *more):
        target, text, counted = pipetool.WrpcapSink("out.pcap"), pipetool.FileSink("old.txt", append=True), QueueSink()
        source > target
        source > TransformDrain(lambda packet: bytes(packet)[:1].hex()) > text
        source > counted
        engine = PipeEngine(source, *more, socket=str(daemon.socket), engine="mine")
        engine.start()
        engine.wait_and_stop()
        return counted
    counted = run(pipetool.RdpcapSource("[ab].pcap"))
    assert [bytes(counted.recv(block=False))[:1] for _ in range(2)] == [b"\x45"] * 2
    assert (tmp_path / "old.txt").read_text() == "old 4545"
    assert (tmp_path / "out.pcap").stat().st_size == 24 + 2 * 36
    os.unlink("out.pcap")
    late = CLIFeeder()
    late > pipetool.WrpcapSink("no/out.pcap")
    with pytest.raises(FileNotFoundError) as caught:
        run(pipetool.RdpcapSource("a.pcap"), late)
    assert caught.value.filename.endswith("no/out.pcap") and not (tmp_path / "out.pcap").exists()
    assert daemon.call("engine.list")["engines"] == []


def test_sources_of_python_take_part_too(rpc, daemon, patient):
    some().apply(rpc, "e", start=True)

    class Numbers(ThreadGenSource):
        def generate(self):
            self.is_exhausted = False
            for number in range(5000):
                self._gen_data(str(number))
            self.is_exhausted = True
            self._exhaust()
    numbers, q = Numbers(), QueueSink()
    numbers > Existing("up")
    Existing("up") > q
    engine = PipeEngine(numbers, q, socket=str(daemon.socket), engine="e", attach=True)
    engine.start()
    late = CLIFeeder()
    late > Existing("in")
    with pytest.warns(UserWarning, match="left out: CLIFeeder > in") as warned:  # a feeder has no entry
        engine.add(late)
    assert warned[0].filename == __file__ and late._block == "cli_feeder1"
    late.close()
    engine.wait_and_stop()
    assert [q.recv(block=False) for _ in range(5001)] == [*map(str, range(5000)), None]
    with pytest.warns(UserWarning, match="left out"):
        engine.start()
    engine.wait_and_stop()
    assert [q.recv(block=False) for _ in range(5001)] == [*map(str, range(5000)), None]
    assert Graph.of(rpc, "e") == some()


JOINS = """
    import sys
    from pipetool import *
    s, q = CLIFeeder(), QueueSink()
    s > TransformDrain(lambda m: m) > Existing("up")
    Existing("up") > q
    e = PipeEngine(s, q, engine="e", attach=True)
    e.start()
    print("ready", flush=True)
    sys.stdin.read()
    """


def join(daemon):
    script = JOINS.replace("from pipetool import *", "from pipetool import CLIFeeder, Existing, PipeEngine, QueueSink, TransformDrain")
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": str(TOP / "python"), "PIPETOOL_SOCKET": str(daemon.socket)})
    assert process.stdout.readline() == b"ready\n"
    return process


def end(process):
    process.kill()
    process.communicate()


def test_what_a_killed_script_has_made_goes(rpc, daemon):
    some().apply(rpc, "e", start=True)
    process = join(daemon)
    assert len(Graph.of(rpc, "e").blocks) == 6
    assert len(rpc.call("engine.log", engine="e")["revisions"][-1]["owned"]) == 3
    end(process)
    eventually(lambda: Graph.of(rpc, "e") == some())
    assert "owned" not in rpc.call("engine.log", engine="e")["revisions"][-1]
    rpc.send("e", "in", "m")
    assert rpc.texts("e", "q", 1) == ["M"]


def test_it_does_not_come_back_with_the_next_daemon(daemon):
    some().apply(daemon.client(), "e", start=True)
    process = join(daemon)
    try:
        daemon.kill()
        daemon.start()
        rpc = daemon.client()
        assert Graph.of(rpc, "e") == some() and rpc.show("e")["state"] == "running"
        assert [op["op"] for op in rpc.call("engine.log", engine="e")["revisions"][-1]["ops"]] == ["remove"] * 3
        rpc.change("e", add("d", "Drain"))
        daemon.stop()
        daemon.start()
        assert len(Graph.of(daemon.client(), "e").blocks) == 4
    finally:
        end(process)


def test_it_goes_when_what_is_to_be_confirmed_is(rpc, daemon):
    some().apply(rpc, "e", start=True)
    owner = daemon.client()
    owner.call("engine.change", engine="e", owned=True, ops=[add("d", "Drain"), add("x", "Drain")])
    rpc.call("engine.change", engine="e", ops=[{"op": "remove", "name": "x"}, add("y", "Drain")], confirm_s=1000)
    owner.close()
    assert [b["name"] for b in Graph.of(rpc, "e").blocks] == ["in", "up", "q", "d", "y"]
    rpc.call("engine.confirm", engine="e")
    eventually(lambda: [b["name"] for b in Graph.of(rpc, "e").blocks] == ["in", "up", "q", "y"])


def test_a_change_whose_owner_has_gone_goes(rpc, daemon):
    some().apply(rpc, "e")
    for n in range(20):
        with daemon.client() as owner:
            owner.post("engine.change", engine="e", owned=True, ops=[add(f"d{n}", "Drain")])

    def done():
        ops = [op for one in rpc.call("engine.log", engine="e")["revisions"][1:] for op in one["ops"]]
        return {(op["op"], op["name"]) for op in ops} == {(word, f"d{n}") for n in range(20) for word in ("add", "remove")}
    eventually(done)
    assert Graph.of(rpc, "e") == some()


# ---- asyncio ------------------------------------------------------------------------------------

def awaited(steps):
    async def bounded():
        return await asyncio.wait_for(steps, 240)
    return asyncio.run(bounded())


def test_calls_with_await(daemon):
    async def main():
        async with aio.Client(daemon.socket) as client:
            await aio.Graph([{"name": "s", "type": "CLIFeeder"}, {"name": "q", "type": "QueueSink"}],
                            [{"from": "s", "to": "q"}]).apply(client, "e", start=True)
            engine = client.engine("e")
            await asyncio.gather(*(engine.send("s", f"m{n}") for n in range(100)))
            assert await engine.recv("q", max=200) == [f"m{n}" for n in range(100)]
            with pytest.raises(Refused) as caught:
                await client.call("engine.show", engine="none")
            assert caught.value.kind == "no-such-engine"
            waiting = asyncio.ensure_future(engine.recv("q", timeout_s=100))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(waiting), 0.01)
            with pytest.raises(TimeoutError):
                await client.call("daemon.info", timeout=0.01)  # behind the one that waits
            other = client.again()
            await other.call("block.send", engine="e", block="s", message="now")
            assert await waiting == [b"now"]
            assert (await client.call("daemon.info"))["pid"] == daemon.process.pid
            await other.close()
    awaited(main())


def test_who_could_not_connect_tries_again_with_await(daemon, tmp_path):
    async def main():
        async with aio.Client(daemon.socket) as client:
            client.path = str(tmp_path / "sock")
            other = client.again()
            for _ in range(2):
                with pytest.raises(FileNotFoundError):
                    await other.connect()
            os.symlink(daemon.socket, client.path)
            assert (await other.call("daemon.info"))["pid"] == daemon.process.pid
            await other.close()
    awaited(main())


def test_descriptors_with_await(daemon):
    async def main():
        reading, writing = os.pipe()
        async with aio.Client(daemon.socket) as client:
            with open(writing, "wb") as file, open(reading, "rb") as end_:
                graph = aio.Graph()
                graph.link(graph.add("CLIFeeder", name="s"), graph.add("FDSourceSink", name="f", fd=file))
                assert len(await graph.plan(client, "e")) == 3
                await graph.apply(client, "e", start=True)
                await client.engine("e").send("s", "x")
                assert os.read(end_.fileno(), 1) == b"x"
    awaited(main())


def test_streams(daemon):
    async def main():
        before = asyncio.all_tasks()
        async with aio.Client(daemon.socket) as client:
            await aio.Graph([{"name": "s", "type": "CLIFeeder"}]).apply(client, "e")
            engine = client.engine("e")
            async with client.events() as events, engine.tap("s") as tap:
                assert events.begun["state"]["engines"][0]["engine"] == "e"
                await client.call("engine.start", engine="e")
                async for event in events:
                    if event["name"] == "engine.state":
                        assert event["data"]["state"] == "running"
                        break
                await engine.send("s", "text", b"\xff")
                assert [await tap.__anext__() for _ in range(2)] == ["text", b"\xff"]
                await client.call("engine.change", engine="e", ops=[{"op": "remove", "name": "s"}])
                assert [message async for message in tap] == [] and tap.dropped == 0
            with pytest.raises(Refused):
                async for _ in engine.tap("none"):
                    pass
        assert asyncio.all_tasks() == before
    awaited(main())


def test_streams_without_asyncio(daemon):
    with pipetool.Client(daemon.socket) as client:
        Graph([{"name": "s", "type": "CLIFeeder"}, {"name": "q", "type": "QueueSink"}],
              [{"from": "s", "to": "q"}]).apply(client, "e")
        engine = client.engine("e")
        with client.events("e") as events:
            assert [one["engine"] for one in events.begun["state"]["engines"]] == ["e"]
            engine.call("engine.start")
            assert next(one for one in events if one["name"] == "engine.state")["data"]["state"] == "running"
        with engine.tap("s") as tap:
            engine.send("s", "text", b"\xff", (1, "two"))
            assert [next(tap) for _ in range(3)] == engine.recv("q", 3, timeout_s=60) == ["text", b"\xff", (1, "two")]
            client.call("engine.change", engine="e", ops=[{"op": "remove", "name": "s"}])
            assert not list(tap) and not tap.dropped
        for stream in (engine.tap("none"), client.engine("none").tap("s")):
            assert refused(next, stream).kind.startswith("no-such")
        with pytest.raises(TimeoutError), client.events("e", timeout=0.01) as events:
            while True:
                next(events)


def test_a_stream_that_is_left_ends_its_connection(daemon):
    async def main():
        async with aio.Client(daemon.socket) as client:
            await aio.Graph([{"name": "p", "type": "PeriodicSource", "params": {"msg": "m", "period": 0.01}}]).apply(
                client, "e", start=True)
            before = asyncio.all_tasks()
            async for message in client.engine("e").tap("p"):
                assert message == b"m"
                readers = asyncio.all_tasks() - before
                break
            assert readers
            await asyncio.wait(readers)  # they end when nobody has the stream
    awaited(main())


def test_it_is_watched_with_await(daemon):
    async def main():
        async with aio.Client(daemon.socket) as client:
            graph = aio.Graph([{"name": "q", "type": "QueueSink"}])
            await graph.apply(client, "e")
            watch = aio.Graph.watch(client, "e")
            assert await watch.__anext__() == graph
            graph.set("q", limit="1MiB")
            await graph.apply(client, "e")
            got = await watch.__anext__()
            assert got == graph and [op["op"] for op in got.changed] == ["set"]
            await client.call("engine.destroy", engine="e")
            assert [one async for one in watch] == []
    awaited(main())


def test_who_waits_hears_of_the_end(daemon):
    async def main():
        client, events = aio.Client(daemon.socket), None
        await aio.Graph([{"name": "q", "type": "QueueSink"}]).apply(client, "e")
        waiting = asyncio.ensure_future(client.engine("e").recv("q", timeout_s=1000))
        async with client.events() as events:
            daemon.kill()
            with pytest.raises(pipetool.Closed):
                async for _ in events:
                    pass
            with pytest.raises(pipetool.Closed):
                await waiting
        await client.close()
    awaited(main())
    daemon.start()
