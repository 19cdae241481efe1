# SPDX-License-Identifier: BSD-2-Clause
"""What ptctl shows of engines: counts, events, output, pictures."""
import json
import os
import re
import signal
import subprocess

import pytest

from client import add
from conftest import DEADLINE, program

GRAPH = ("s = CLIFeeder(); s > d = Drain() > c = ConsoleSink(); d > q = QueueSink(limit='64KiB'); "
         "d > t = TriggerDrain(filter='tcp') ^ v = TriggeredValve(); d > v > q")


class Stream:
    """A verb that goes on, from the moment when it misses nothing."""

    def __init__(self, daemon, *words):
        self.process = subprocess.Popen([program("ptctl"), "-s", daemon.socket, *words], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env={**os.environ, "TZ": "UTC"})
        if "--ready" in words:
            assert self.process.stderr.readline() == "attached\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=DEADLINE)

    def line(self):
        return self.process.stdout.readline().rstrip("\n")


def test_stats_of_one_block(daemon, rpc):
    daemon.create("e", GRAPH)
    rpc.send("e", "s", "one")
    shown = daemon.ok("stats", "e.q")
    assert re.search(r"^q +2 +0 +2 ", shown, re.M) and "d > q" in shown and "v > q" in shown
    assert "console" not in shown and "s > d" not in shown and "unexplained" not in shown
    only = json.loads(daemon.ok("-j", "stats", "e.q"))
    assert [b["name"] for b in only["blocks"]] == ["q"] and {row["to"] for row in only["links"]} == {"q"}
    refused = daemon.ptctl("stats", "e.nobody")
    assert refused.code == 6 and "no block 'nobody' in engine 'e'" in refused.err


@pytest.mark.parametrize("words", [("list",), ("stats",), ("stats", "e"), ("stats", "e.q")])
def test_looks_go_on(daemon, words):
    daemon.create("e", GRAPH)
    with Stream(daemon, "-j", *words, "--watch", "--delay", "0.05") as looks:
        first, second = json.loads(looks.line()), json.loads(looks.line())
    assert first.keys() == second.keys()
    with Stream(daemon, *words, "-w", "-d", "0.05") as looks:
        heads = [looks.line() for _ in range(60)]
    assert len([h for h in heads if h.startswith(("ENGINE", "BLOCK"))]) > 1
    assert daemon.ptctl(*words, "--watch", "--delay", "0").code == 2


def test_only_some_events(daemon, rpc):
    daemon.create("e", GRAPH)
    with Stream(daemon, "events", "--ready", "--only", "engine.state,engine.destroyed") as events:
        rpc.change("e", add("more", "Drain"))
        rpc.call("engine.stop", {"engine": "e"})
        rpc.call("engine.destroy", {"engine": "e"})
        assert "engine.state" in events.line() and "engine.destroyed" in events.line()
    for words in ("engine.stat", "engine.state,x", ""):
        refused = daemon.ptctl("events", "--only", words)
        assert refused.code == 2 and "'engine.taken_back'" in refused.err, refused


def test_only_some_events_as_json(daemon, rpc):
    with Stream(daemon, "-j", "events", "--ready", "--only", "engine.created") as events:
        daemon.create("e", GRAPH)
        assert json.loads(events.line())["name"] == "engine.created"


def test_output_with_times(daemon, rpc):
    daemon.create("e", GRAPH)
    with Stream(daemon, "attach", "e", "--ready", "--time") as plain, \
            Stream(daemon, "attach", "e", "--ready", "--time", "--names") as named:
        rpc.send("e", "s", "one\ntwo")
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}  >'one\\ntwo'", plain.line())
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}  c: >'one\\ntwo'", named.line())
    with daemon.client() as listener:
        listener.call("block.attach", {"engine": "e"})
        rpc.send("e", "s", "one")
        assert re.fullmatch(r"\d+\.\d{9}", listener.notification("block.output", DEADLINE)["params"]["time"])


# ---- pictures ----

def test_a_graph_in_text_with_parameters(daemon, rpc):
    daemon.create("e", GRAPH)
    rpc.send("e", "s", "one")
    assert daemon.ok("graph", "e", "--text", "--params", "--stats").splitlines() == [
        "s CLIFeeder()", "└─ 1 > d Drain()", "   ├─ 1 > c ConsoleSink()",
        "   ├─ 1 > q QueueSink(limit='64KiB') (2 held)", "   ├─ 1 > t TriggerDrain(filter='tcp') (1 filtered)",
        "   │  └─ 0 ^ v TriggeredValve()", "   │     └─ 1 > q", "   └─ 1 > v …"]


def test_a_graph_for_mermaid(daemon):
    daemon.create("e", "s = CLIFeeder(); s > t = TransformDrain('function(m) return m .. \"<#>\" end') > UpDrain() >> "
                  "high = DownDrain() > Sink()")
    text = daemon.ok("graph", "e", "--mermaid", "--params")
    assert text.startswith("flowchart LR\n")
    boxes = dict(re.findall(r'^    (b\d+)\("(.*)"\):::\w+$', text, re.M))
    assert boxes["b1"] == "t<br>TransformDrain<br>f='function(m) return m .. #quot;#lt;#35;#gt;#quot; end'"
    assert daemon.ok("graph", "e", "--mermaid").count("<br>") == len(boxes)


def test_a_graph_is_written_where_it_shall(daemon, tmp_path):
    daemon.create("e", GRAPH)
    for words, path, begins in ((["--text"], "e.txt", "s CLIFeeder\n"), (["--mermaid"], "e.md", "flowchart"),
                                (["--dot"], "e.gv", "digraph"), ([], "e.dot", "digraph")):
        daemon.ok("graph", "e", *words, "-o", tmp_path / path)
        assert (tmp_path / path).read_text().startswith(begins)
        assert daemon.ok("graph", "e", *words, "-o", "-").startswith(begins)
    both = daemon.ptctl("graph", "e", "--text", "--dot")
    assert both.code == 2 and "--text and --dot" in both.err
    unknown = daemon.ptctl("graph", "e", "-o", tmp_path / "e.pdf")
    assert unknown.code == 2 and ".svg, .png or .dot" in unknown.err and not (tmp_path / "e.pdf").exists()


def test_parameters_in_dot_are_cut(daemon):
    daemon.create("e", "t = TransformDrain('function(m) return m .. \"" + "é" * 60 + "\" end'); t > Sink()", start=False)
    label = re.search(r'label="t\\nTransformDrain\\n(.*)"', daemon.ok("graph", "e", "--dot", "--params"))[1]
    assert label.endswith("é…") and "�" not in label
