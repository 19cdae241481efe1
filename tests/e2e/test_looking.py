# SPDX-License-Identifier: BSD-2-Clause
"""What ptctl shows of engines: counts, events, output, pictures."""
import datetime
import json
import os
import pty
import re
import signal
import subprocess

import pytest
from scapy.all import IP, TCP, UDP, Ether, rdpcap

import makers
from client import add
from conftest import DEADLINE, eventually, program

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


def three(tmp_path):
    """TCP to port 80, UDP, TCP to port 443."""
    packets = [Ether() / IP(src="192.0.2.1", dst="192.0.2.2") / layer
               for layer in (TCP(dport=80), UDP(dport=53), TCP(dport=443))]
    return makers.pcap(tmp_path / "in.pcap", [(bytes(p), 1_000_000_000 * n + 123_456) for n, p in enumerate(packets)])


@pytest.mark.parametrize("words, seen", [((), [80, 53, 443]), (("tcp", "port", "80"), [80]), (("udp or port 443",), [53, 443])])
def test_a_tap_of_some(daemon, tmp_path, words, seen):
    daemon.create("e", f"RdpcapSource('{three(tmp_path)}') > d = Drain() > Sink()", start=False)
    with Stream(daemon, "tap", "e.d", *words, "--ready", "--time", "-n", str(len(seen))) as lines, \
            Stream(daemon, "tap", "e.d", *words, "--ready", "-n", str(len(seen)), "-w", tmp_path / "out.pcapng") as file:
        daemon.ok("start", "e")
        for n in seen:
            assert re.match(rf"00:00:0{[80, 53, 443].index(n)}\.000123 >.*:{n} ", lines.line())
        assert file.process.wait(DEADLINE) == 0
    assert [p.dport for p in rdpcap(str(tmp_path / "out.pcapng"))] == seen


def test_a_tap_of_what_is_no_packet(daemon, rpc):
    daemon.create("e", GRAPH)
    with Stream(daemon, "tap", "e.d", "--ready", "--time") as lines, \
            Stream(daemon, "tap", "e.d", "tcp", "--ready", "-n", "1") as none:
        rpc.send("e", "s", "one")
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6} >'one'", lines.line())
        assert none.process.poll() is None
    refused = daemon.ptctl("tap", "e.d", "tcp", "prt", "80")
    assert refused.code == 1 and "bpf" in refused.err


# ---- what was ----

def test_the_log_of_all_engines(daemon, rpc, tmp_path):
    daemon.create("a", GRAPH)
    daemon.create("b", f"RdpcapSource('{tmp_path / 'none.pcap'}') > Sink()", start=False)
    for _ in range(3):
        assert daemon.ptctl("start", "b").code == 1
    daemon.ok("set", "a.q", "limit='1MiB'")
    daemon.ok("replace", "a.d", "TransformDrain('upper')")
    daemon.ok("stop", "a")
    lines = [line for line in daemon.ok("log").splitlines() if not line.startswith("    add") and "link" not in line]
    shape = [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d", "T", re.sub(r"  by .*", "", s)) for s in lines]
    assert shape == [
        "a: revision 1  T", "a: started  T", "b: revision 1  T",
        f"b: failed  T  block 'rdpcap_source1': cannot open '{tmp_path / 'none.pcap'}': no such file or directory",
        "a: revision 2  T", "    set     q(limit='1MiB')  # was limit='64KiB'", "a: revision 3  T",
        "    replace d = TransformDrain(f='upper')  # was Drain()", "a: stopped  T"]
    assert daemon.ok("log", "-n", 1).startswith("a: stopped") and daemon.ok("log", "a", "-n", 1).startswith("stopped")
    one = json.loads(daemon.ok("-j", "log", "b"))
    assert [s["state"] for s in one["states"]] == ["failed"] and one["revisions"][0]["engine"] == "b"


def test_starts_and_stops_are_known_after_a_restart(daemon, tmp_path):
    daemon.create("a", GRAPH)
    daemon.ok("stop", "a")
    source = tmp_path / "none.pcap"
    daemon.ok("add", "a", f"RdpcapSource('{source}', name='r') > q")
    assert daemon.ptctl("start", "a").code == 1
    before = daemon.call("engine.log", {"engine": "a"})
    assert [s["state"] for s in before["states"]] == ["running", "stopped", "failed"]
    daemon.stop()
    daemon.start()
    assert daemon.call("engine.log", {"engine": "a"}) == before


@pytest.mark.parametrize("since, there", [("-1h", True), ("00:00", None), ("1970-01-01", True), ("2200-01-01", False),
                                          ("2200-01-01T00:00:00Z", False), ("+1h", False)])
def test_the_log_since(daemon, since, there):
    daemon.create("a", GRAPH)
    shown = daemon.ok("log", "--since", since)
    assert there is None or ("revision 1" in shown) == there


def test_the_log_since_a_time_of_another_offset(daemon):
    """Summer time, a day ahead of UTC, ends in an hour; two hours from now the clock is UTC's again."""
    daemon.create("a", GRAPH)
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)

    def switch(at):  # days are counted without that of leap years
        return f"J{datetime.date(2025, at.month, min(at.day, 28) if at.month == 2 else at.day).timetuple().tm_yday}"

    ends = now + day + datetime.timedelta(hours=1)  # as its own clocks say
    zone = f"AAA0BBB-24,{switch(now - 60 * day)}/0,{switch(ends)}/{ends:%H:%M:%S}"
    later = f"{now + datetime.timedelta(hours=2):%Y-%m-%dT%H:%M:%S}"
    assert "revision 1" not in daemon.ok("log", "--since", later, env={"TZ": zone})
    assert "revision 1" in daemon.ok("log", "--since", f"{now:%Y-%m-%dT%H:%M:%S}", env={"TZ": zone})


@pytest.mark.parametrize("since", ["", "x", "25:00", "2026-13-01", "1h"])
def test_the_log_since_what(daemon, since):
    refused = daemon.ptctl("log", "--since", since)
    assert refused.code == 2 and "--since" in refused.err


def test_what_differs(daemon):
    daemon.create("a", "s = CLIFeeder(); s > d = Drain() > q = QueueSink()")
    assert daemon.ptctl("diff", "a", "1") .code == 0
    daemon.ok("set", "a.q", "limit='1MiB'")
    daemon.ok("remove", "a", "d")
    daemon.ok("add", "a", "s > q")
    last = daemon.ptctl("diff", "a")
    assert last.code == 9 and last.out == "link    s > q\n"
    back = daemon.ptctl("diff", "a", 1)
    daemon.ok("undo", "a", 1, "--dry-run")
    assert back.code == 9 and "add     d = Drain()" in back.out and "set     q(limit='64MiB')  # was limit='1MiB'" in back.out
    forth = daemon.ptctl("diff", "a", 1, 2)
    assert forth.code == 9 and forth.out == "set     q(limit='1MiB')  # was limit='64MiB'\n"
    ops = daemon.call("engine.diff", {"engine": "a", "revision": 1})["ops"]
    daemon.call("engine.change", {"engine": "a", "ops": ops})
    assert daemon.ptctl("diff", "a", 1).out == "order   only how it is written differs\n"
    for words, code in ((("diff", "a", 77), 1), (("diff", "nobody"), 6), (("diff", "a", "--file"), 1),
                        (("diff", "a", 1, "--file"), 1)):
        assert daemon.ptctl(*words).code == code, words


def test_what_differs_from_the_file(daemons, tmp_path):
    folder = tmp_path / "engines"
    folder.mkdir()
    (folder / "web.pipe").write_text("s = CLIFeeder(); s > q = QueueSink()\n")
    daemon = daemons(arguments=["--engines", folder])
    assert daemon.ptctl("diff", "web", "--file").code == 0
    daemon.ok("set", "web.q", "limit='1MiB'")
    differs = daemon.ptctl("diff", "web", "--file")
    assert differs.code == 9 and differs.out == "set     q(limit='1MiB')  # was limit='64MiB'\n"
    (folder / "web.pipe").write_text("s = CLIFeeder(); s > q = QueueSink(limit='1MiB')\n")
    assert daemon.ptctl("diff", "web", "--file").code == 0
    (folder / "web.pipe").write_text("s = ")
    broken = daemon.ptctl("diff", "web", "--file")
    assert broken.code == 1 and "web.pipe" in broken.err


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


# ---- a stranger ----

FIVE = {
    "archive": "CLIFeeder() > WrpcapSink('{folder}/archive.pcap')",
    "web": "CLIFeeder() > Drain() > Sink()",
    "export": "readings = CLIFeeder(); readings > queue = QueueSink(limit='1KiB', overflow='drop-newest')",
    "checks": "lines = CLIFeeder(); check = TransformDrain(\"function(m) if #m == 7 then error('of 7 characters') end "
              "return m end\"); lines > check > Sink()",
}


def test_a_stranger_finds_what_is_wrong(daemons, tmp_path):
    """Five engines: a queue that nobody reads, a script that cannot do one line in a thousand, and one that did not start
    after a reload. Each is found by what the first screen says, and its cause by what that leads to."""
    folder = tmp_path / "engines"
    folder.mkdir()
    for name, text in FIVE.items():
        (folder / f"{name}.pipe").write_text(text.format(folder=tmp_path) + "\n")
    daemon = daemons(engines=folder)
    daemon.ok("send", "export.readings", *["reading"] * 50)
    daemon.ok("send", "checks.lines", *["line"] * 999, "1234567")
    (folder / "mirror.pipe").write_text(f"RdpcapSource('{tmp_path}/none.pcap') > Sink()\n")
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: re.search("^mirror +failed", daemon.ok("list"), re.M))
    # The list: who does not run, and why.
    table, below = daemon.ok("list").rstrip("\n").rsplit("\n", 1)
    assert re.match("mirror: .*none.pcap", below)
    assert dict(re.findall(r"^(\w+) +(\w+)", table, re.M)) == {
        "ENGINE": "STATE", "mirror": "failed", **{name: "running" for name in FIVE}}
    # top: who loses, what, and where.
    first = daemon.ok("top", "-b", "-n", "1", "-d", "0.1", "--sort", "drops").splitlines()
    assert [line.split()[0] for line in first[1:3]] == ["export", "checks"]
    assert re.search("^export .* queue dropped [0-9]+ overflow$", "\n".join(first), re.M)
    told = json.loads(daemon.ok("-j", "top", "-n", "1", "-d", "0.1"))["engines"]
    trouble = {row["engine"]: row["trouble"] for row in told if "trouble" in row}
    assert set(trouble) == {"export", "checks", "mirror"} and "none.pcap" in trouble["mirror"]
    assert re.fullmatch(r"queue dropped \d+ overflow", trouble["export"])
    assert re.fullmatch("check dropped 1 error: .*of 7 characters", trouble["checks"])
    # health, which a probe asks: what does not run is a fault, what was lost a warning.
    health = daemon.ptctl("health")
    assert health.code == 1 and health.out.startswith("mirror should run, and does not: ")
    assert set(re.findall(r"^warning: (\S+) dropped", health.out, re.M)) == {"export.queue", "checks.check"}
    # trace: what becomes of such a one.
    assert fates(daemon, "export", "reading") == ["0 >'reading'", "  > queue: dropped (overflow)"]
    one, other = fates(daemon, "checks", "1234567")
    assert one == "0 >'1234567'" and re.fullmatch("  > check: error: .*of 7 characters", other)


@pytest.mark.parametrize("verb,asked,why", [
    ("trace", "stuck", "s waits for q"), ("tap", "stuck.s", "s waits for q"), ("tap", "off.s", "engine 'off' is stopped"),
    ("tap", "over.empty", "all sources are exhausted"), ("trace", "quiet", None)])
def test_who_looks_on_at_a_terminal_is_told_why_nothing_comes(daemon, tmp_path, verb, asked, why):
    graphs = {"stuck": "s = PeriodicSource('x', 0.001); q = QueueSink(limit=1, overflow='block'); s > q",
              "off": "s = CLIFeeder(); s > Sink()", "quiet": "s = CLIFeeder(); s > Sink()",
              "over": f"empty = FileSource('{tmp_path}/empty'); empty > Sink()"}
    (tmp_path / "empty").touch()
    engine = asked.partition(".")[0]
    daemon.create(engine, graphs[engine], start=engine != "off")
    state = {"stuck": lambda stats: stats["waits_for"], "over": lambda stats: stats["state"] == "exhausted"}
    if engine in state:
        eventually(lambda: state[engine](daemon.call("engine.stats", {"engine": engine})["blocks"][0]))
    terminal, end = pty.openpty()
    with os.fdopen(terminal, "rb", 0) as screen:
        with subprocess.Popen([program("ptctl"), "-s", daemon.socket, verb, asked], stdout=subprocess.DEVNULL, stderr=end) as told:
            os.close(end)
            assert screen.read(200).decode() == f"ptctl: nothing has come yet{': ' * bool(why)}{why or ''}; Ctrl-C ends\r\n"
            told.terminate()


def fates(daemon, engine, text):
    with Stream(daemon, "trace", engine, "--ready") as trace:
        source = re.search(r"^(\w+) = CLIFeeder", FIVE[engine])[1]
        daemon.ok("send", f"{engine}.{source}", text)
        return trace.process.communicate(timeout=DEADLINE)[0].splitlines()
