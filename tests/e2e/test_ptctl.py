# SPDX-License-Identifier: BSD-2-Clause
"""The client: verbs, exit states, errors, output for people and for programs."""
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import threading

import pytest

import makers
from conftest import DEADLINE, SANITIZER, eventually, program, run_ptctl

TREE = pathlib.Path(__file__).parents[2]
EXIT = {"done": 0, "refused": 1, "usage": 2, "no daemon": 3, "timed out": 4, "conflict": 5,
        "not found": 6, "not permitted": 7}


class Answers:
    """In place of a daemon: answers each method as it is told, and hangs up at any other."""

    def __init__(self, folder, **answers):
        self.path, self.answers, self.asked = folder / "answers.sock", answers, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            with connection, connection.makefile("rw", encoding="utf-8") as lines:
                for line in lines:
                    request = json.loads(line)
                    self.asked.append((request["method"], request.get("params")))
                    answer = self.answers.get(request["method"].replace(".", "_"))
                    if answer is None:
                        break
                    answer = {"jsonrpc": "2.0", "id": request["id"], "result": answer}
                    lines.write(json.dumps(answer) + "\n")
                    lines.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


# ---- exit states --------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [
    ["nosuchverb"], ["create"], ["send"], ["--nosuchoption"], ["list", "--nosuchoption"],
    ["start"], ["recv", "e.q", "-n"], ["recv", "e.q", "-n", "many"], ["recv", "e.q", "-n", "0"],
    ["set", "e.d"], ["stop", "e", "--timeout", "soon"], ["call"], ["call", "daemon.info", "{"],
    ["create", "e", "-f", "/nowhere/file.pipe"], ["remove", "e", "d", "e.d"], ["remove", "e", "e.d", "--if-exists"],
], ids=" ".join)
def test_wrong_usage(daemon, arguments):
    result = daemon.ptctl(*arguments)
    assert result.code in (1, 2) if "-f" in arguments else result.code == 2, result
    assert result.err and not result.out


def test_no_daemon(tmp_path):
    result = run_ptctl("-s", tmp_path / "nowhere.sock", "list")
    assert result.code == EXIT["no daemon"]
    assert str(tmp_path / "nowhere.sock") in result.err and result.err.count("\n") == 1
    result = run_ptctl("list", env={"PIPETOOL_SOCKET": str(tmp_path / "other.sock")})
    assert result.code == EXIT["no daemon"] and "other.sock" in result.err


@pytest.mark.parametrize("arguments", [
    ["create", "e", "Drain('x', 3)"], ["apply", "e", "Drain(1)"], ["add", "e", "Drain(1) > d"],
    ["set", "e.d", "f=1"], ["replace", "e.d", "Drain(1)"], ["run", "Drain(1)"],
], ids=" ".join)
def test_a_daemon_that_ends_while_it_is_asked_for_a_type(tmp_path, arguments):
    shown = {"revision": 1, "blocks": [{"name": "d", "type": "Drain"}], "links": []}
    with Answers(tmp_path, type_list={"types": [{"name": "Drain"}]}, engine_show=shown) as daemon:
        result = run_ptctl("-s", daemon.path, *arguments)
        assert daemon.asked[-1][0] == "type.show", daemon.asked
    assert result.code == EXIT["no daemon"] and "closed the connection" in result.err, result
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [
    ["close", "e.s"], ["confirm", "e"], ["destroy", "e"], ["export", "e"], ["list"], ["log", "e"],
    ["remove", "e", "s"], ["show", "e"], ["start", "e"], ["stop", "e"], ["trigger", "e.s"], ["types"],
    ["undo", "e"], ["unlink", "e", "s > q"],
], ids=" ".join)
def test_what_the_daemon_answers_is_printed_as_json(tmp_path, arguments):
    class Any(dict):
        get = staticmethod(lambda method: {"odd": method})
    with Answers(tmp_path) as daemon:
        daemon.answers = Any()
        result = run_ptctl("-s", daemon.path, "-j", *arguments)
        ((method, _),) = daemon.asked
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == {"odd": method.replace(".", "_")}


def test_the_socket_from_the_environment(daemon):
    assert run_ptctl("list", env={"PIPETOOL_SOCKET": str(daemon.socket)}).code == 0


def test_not_found(daemon):
    daemon.create("e", "s = CLIFeeder()")
    for arguments in (["show", "nobody"], ["show", "e.nobody"], ["send", "nobody.s", "m"],
                      ["send", "e.nobody", "m"], ["destroy", "nobody"], ["export", "nobody"],
                      ["help", "Nothing"], ["close", "e.nobody"], ["stats", "nobody"]):
        result = daemon.ptctl(*arguments)
        assert result.code == EXIT["not found"], (arguments, result)
        assert result.err.count("\n") == 1 and not result.out


def test_refused(daemon):
    daemon.create("e", "s = CLIFeeder(); d = Drain(); q = Sink()")
    for arguments in (["create", "e"], ["add", "e", "d = Drain()"], ["add", "e", "q > d"],
                      ["add", "e", "d > d"], ["send", "e.d", "m"], ["recv", "e.q"],
                      ["create", "f", "t = TransformDrain('nonsense')"],
                      ["call", "engine.create", "{}"]):
        result = daemon.ptctl(*arguments)
        assert result.code == EXIT["refused"], (arguments, result)
        assert result.err and not result.out


def test_timed_out(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    result = daemon.ptctl("recv", "e.q", "--timeout", "0.1")
    assert result.code == EXIT["timed out"] and result.out == ""
    daemon.ok("send", "e.s", "only")
    result = daemon.ptctl("recv", "e.q", "-n", "2", "--timeout", "0.1")
    assert result.code == EXIT["timed out"] and result.out == "only\n"
    result = daemon.ptctl("stop", "e", "--wait", "--timeout", "0.1")
    assert result.code == EXIT["timed out"]
    assert daemon.call("engine.show", engine="e")["state"] == "draining"


def test_a_start_of_what_drains_goes_on(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    with subprocess.Popen([program("ptctl"), "-s", daemon.socket, "stop", "e", "--wait", "--timeout", "60"],
                          stderr=subprocess.PIPE, text=True) as stopping:
        eventually(lambda: daemon.call("engine.show", engine="e")["state"] == "draining")
        daemon.ok("start", "e")
        assert "engine 'e' was started again" in stopping.stderr.read()
    assert stopping.returncode == 1 and daemon.call("engine.show", engine="e")["state"] == "running"
    daemon.ok("close", "e.s")
    assert daemon.call("engine.show", engine="e")["state"] == "running"


def test_patience_from_the_environment(daemon):
    daemon.process.send_signal(signal.SIGSTOP)
    asked = daemon.ptctl("list", env={"PIPETOOL_TIMEOUT": "0.2"})
    daemon.process.send_signal(signal.SIGCONT)
    assert asked.code == EXIT["timed out"] and " within 0.2 s " in asked.err, asked
    asked = daemon.ptctl("list", env={"PIPETOOL_TIMEOUT": "soon"})
    assert asked.code == EXIT["usage"] and "$PIPETOOL_TIMEOUT" in asked.err, asked


def test_not_permitted(daemons):
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    daemon = daemons()
    for folder in (daemon.folder, *daemon.folder.parents):
        if folder.stat().st_uid == 0 and folder != folder.parent and "tmp" in str(folder):
            folder.chmod(folder.stat().st_mode | 0o011)
    os.chmod(daemon.socket, 0o666)
    probe = subprocess.run([program("ptctl"), "--version"], preexec_fn=lambda: os.setuid(65534),
                           capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("nobody may not run the programs under test")
    result = daemon.ptctl("list", preexec_fn=lambda: os.setuid(65534))
    assert result.code == EXIT["not permitted"], result


def test_interrupted(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    waiting = subprocess.Popen([program("ptctl"), "-s", daemon.socket, "recv", "e.q", "--follow"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    daemon.ok("send", "e.s", "one")
    assert waiting.stdout.readline() == b"one\n"
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(DEADLINE) == 130
    assert waiting.stderr.read() == b""
    waiting.stdout.close()
    waiting.stderr.close()


# ---- errors in pipe text ------------------------------------------------------------------------

def test_a_fault_in_the_text_shows_line_column_and_a_caret(daemon):
    result = daemon.ptctl("create", "e", "s = CLIFeeder()\ns >> > d")
    assert result.code == EXIT["usage"], result
    lines = result.err.splitlines()
    assert re.search(r"line 2, column 6", lines[0]), result.err
    assert "s >> > d" in lines[1]
    assert lines[2].index("^") - lines[1].index("s >> > d") == 5, result.err


@pytest.mark.parametrize("text, word", [
    ("s = CLIFeder()", "CLIFeeder"), ("s = RdpcapSource('x', sped=1)", "speed"),
    ("source = CLIFeeder(); sorce > Sink()", "source"),
    ("w = WrpcapSink('x', format='pcapnh')", "pcapng")])
def test_the_nearest_name_is_suggested(daemon, text, word):
    result = daemon.ptctl("create", "e", text)
    assert result.code in (1, 2, 6) and word in result.err and "^" in result.err, result
    assert daemon.call("daemon.info")["engines"] == 0


@pytest.mark.parametrize("text", [
    "s = ", "s = CLIFeeder(", "s = CLIFeeder(]", "= CLIFeeder()", "s > ", "> s", "s = ;",
    "s = CLIFeeder() d = Drain()", "s = PeriodicSource('x", "a = Drain(1, name=)", "\x00",
    "s ~ d", "s = Drain(name='a b')", "s = PeriodicSource(1 2)", "((((", "s = Drain(" + "[" * 500])
def test_what_cannot_be_read(daemon, text):
    try:
        result = daemon.ptctl("create", "e", "-f", "-", input=text)
    finally:
        assert daemon.call("daemon.info")["engines"] == 0
    assert result.code == EXIT["usage"], result
    assert "line 1" in result.err


def test_a_fault_that_the_daemon_finds_points_into_the_text_too(daemon):
    result = daemon.ptctl("create", "e", "s = CLIFeeder()\nt = TransformDrain('function(m')")
    assert result.code == EXIT["refused"] and "line 2" in result.err and "^" in result.err, result


# ---- what it prints -----------------------------------------------------------------------------

def test_json_is_one_document(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    for arguments in (["list"], ["show", "e"], ["show", "e.q"], ["stats", "e"], ["types"],
                      ["help", "Drain"], ["graph", "e"], ["call", "daemon.info"],
                      ["send", "e.s", "m"], ["stop", "e"], ["start", "e"], ["destroy", "e"]):
        document = json.loads(daemon.ok("-j", *arguments))
        assert isinstance(document, dict), arguments


def test_json_lines_for_streams(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    daemon.ok("send", "e.s", "a", "b")
    lines = [json.loads(line) for line in daemon.ok("-j", "recv", "e.q", "-n", "2").splitlines()]
    assert lines == [{"message": "a", "canal": "low"}, {"message": "b", "canal": "low"}]


def test_options_may_stand_anywhere(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    daemon.ok("send", "e.s", "a", "b")
    assert daemon.ok("recv", "-n", "2", "e.q") == "a\nb\n"
    assert json.loads(daemon.ok("list", "-j"))["engines"][0]["engine"] == "e"
    assert run_ptctl("list", "-s", daemon.socket).code == 0
    assert daemon.ok("--comment", "add", "--dry-run", "add", "e", "Drain()") == "add     drain1 = Drain()\n"
    assert "unknown option '--dry-runs'" in daemon.ptctl("--dry-runs", "add", "e", "Drain()").err


def test_list_show_and_stats_name_what_is_there(daemon):
    daemon.create("lab", "feeder = CLIFeeder(); queue = QueueSink(); feeder > queue")
    daemon.ok("send", "lab.feeder", "m")
    assert "lab" in daemon.ok("list") and "running" in daemon.ok("list")
    for verb in ("show", "stats"):
        out = daemon.ok(verb, "lab")
        assert "feeder" in out and "queue" in out, out
    assert "QueueSink" in daemon.ok("show", "lab.queue")
    assert "checkpoint  none: nothing of the engine is stored" in daemon.ok("show", "lab.feeder")
    assert daemon.ok("stats")


def test_types_and_help(daemon):
    types = daemon.ok("types")
    for name in ("RdpcapSource", "TransformDrain", "WrpcapSink"):
        assert name in types
        out = daemon.ok("help", name)
        assert name in out and "+--" in out
    assert "speed" in daemon.ok("help", "RdpcapSource") and "fname" in daemon.ok("help",
                                                                                 "RdpcapSource")
    near = daemon.ptctl("help", "RdpcapSorce")
    assert "RdpcapSource" in near.err


def test_ptctl_alone_prints_its_verbs_in_groups():
    result = run_ptctl()
    assert result.code == 0 and not result.err
    groups = re.findall(r"^(\w.*:)\n((?:[a-z ].*\n)+)", result.out.split("\n\n")[1] + "\n", re.M)
    verbs = {title: {line.split()[0] for line in lines.splitlines()} for title, lines in groups}
    assert {"create", "add", "apply"} <= verbs["The graph:"]
    assert {"run", "start", "stop"} <= verbs["Running it:"]
    assert {"list", "show", "tap"} <= verbs["Looking:"]
    assert {"send", "recv"} <= verbs["Feeding it:"] and "call" in verbs["The rest:"]
    assert result.out == run_ptctl("help").out == run_ptctl("--help").out


@pytest.mark.parametrize("verb, meant", [
    ("link", "ptctl add"), ("ls", "ptctl list"), ("rm", "ptctl destroy"), ("delete", "ptctl remove"),
    ("status", "ptctl show"), ("ps", "ptctl list"), ("info", "ptctl list"), ("check", "--dry-run"),
    ("version", "--version"), ("edit", "ptctl apply"), ("rename", "ptctl create"), ("lsit", "'list'")])
def test_an_unknown_verb_names_the_right_one(verb, meant):
    result = run_ptctl(verb, "e")
    assert result.code == EXIT["usage"] and meant in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize("topic, words", [
    ("functions", ["truncate(64)", "between(", "m:text()"]), ("fields", ["m.ip", "ttl (8)"]),
    ("language", ["a // b", "QueueSink(limit)"]), ("lua", ["ptctl load every.lua", "self:print(text)"]),
    ("events", ["block.dropped", "ptctl events ["]), ("reasons", ["not-udp"]),
    ("bpf", ["FilterDrain(\"bpf 'tcp port 80'\")"]), ("set", ["ptctl set ENGINE", "set{ip={src="])])
def test_help_has_what_the_manual_pages_have(topic, words):
    out = run_ptctl("-s", "/nowhere", "help", topic).out
    assert all(word in out for word in words), (words, out)
    assert not re.search(r"@\w+@|\\[*_<>]", out)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_text_fits_the_terminal(daemon, columns):
    daemon.create("e", "s = CLIFeeder(); t = TransformDrain('function(m) return m .. \\' and words " + "more " * 40 +
                  "\\' end'); " + "s > t > a_block_with_quite_a_long_name; a_block_with_quite_a_long_name = QueueSink()")
    more = {"env": {"COLUMNS": str(columns)}}
    texts = [daemon.ok(*words, **more) for words in (
        ["help"], ["types"], ["show", "e"], ["show", "e.t"], ["help", "TransformDrain"],
        ["help", "WrpcapSink"], ["help", "recv"], ["help", "engine.change"], ["help", "reasons"])]
    if columns >= 80:
        texts += [daemon.ok("help", topic, **more) for topic in ("functions", "language", "lua", "events")]
        texts += [daemon.ok("help", row.split()[0], **more)
                  for row in texts[1].splitlines()[1:] if row[0] != " "]
    for text in texts:
        assert max(map(len, text.splitlines())) <= columns, text


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("before", ["", "x" * 30, "x" * 200, "日本語" * 40])
@pytest.mark.parametrize("after", ["", "y" * 300])
def test_the_caret_of_a_long_line_points_right(daemon, columns, before, after):
    text = f'q = QueueSink("{before}", overflow=WRONG) # {after}'
    result = daemon.ptctl("create", "e", text, env={"COLUMNS": str(columns)})
    _, line, caret = result.err.splitlines()
    width = {True: 2, False: 1}
    cells = "".join(c * width[c > "\u2e7f"] for c in line)
    assert len(cells) <= columns and cells[caret.index("^"):].startswith("WRONG"), result.err


def reasons():
    """{word: kind} of `ptctl help reasons`."""
    rows = run_ptctl("help", "reasons").out.split("\n\n")[0].splitlines()[1:]
    return {word: kind for word, kind, *_ in (row.split() for row in rows if row[0] != " ")}


def test_each_reason_has_its_kind(daemon):
    kinds = reasons()
    filtered = {word for word, kind in kinds.items() if kind == "filtered"}
    assert filtered >= {"filtered", "closed", "unlinked", "old", "not-udp", "sampled", "duplicate",
                        "beyond"}
    assert {word for word, kind in kinds.items() if kind == "dropped"} >= {
        "error", "overflow", "write-error", "unsent", "kernel", "restart", "memory", "link-type",
        "too-long", "opaque", "too-deep", "stopped"}
    used = set()
    for path in (TREE / "lib").rglob("*.c"):
        used |= set(re.findall(r'(?:_drop|_lost|_undone)\([^;]*?"([a-z-]+)"\)', path.read_text()))
    assert {"overflow", "closed", "memory", "link-type"} < used <= set(kinds)


def test_stats_show_the_sum(daemon):
    daemon.create("e", """s = CLIFeeder(); v = TriggeredValve(False); q = QueueSink()
        t = TransformDrain("function(m) error('no') end"); s > v; s > t; s > q""")
    daemon.ok("send", "e.s", "one", "two")
    shown = daemon.ok("stats", "e")
    assert re.search(r"^BLOCK +IN +OUT +HELD +ERRORS +FILTERED +DROPPED$", shown, re.MULTILINE)
    assert re.search(r"^v +2 +0 +0 +0 +2 closed +0$", shown, re.MULTILINE)
    assert re.search(r"^t +2 +0 +0 +2 +0 +2 error$", shown, re.MULTILINE)
    assert shown.splitlines()[-1] == \
        "8 in = 2 out + 2 held + 2 filtered + 2 dropped, 0 unexplained"


def test_losses_are_red_on_a_terminal(daemon, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    daemon.create("e", 's = CLIFeeder(); t = TransformDrain("function(m) error(1) end"); s > t')
    daemon.ok("send", "e.s", "one")
    command = [program("ptctl"), "-s", str(daemon.socket)]
    red, plain = "\033[31m", "\033[0m"
    _, shown = on_terminal([*command, "stats", "e"])
    assert f"{red}1 error{plain}" in shown and f"{red}1 dropped{plain}" in shown
    assert f"{red}1{plain}  " in shown
    assert f"{red}1 dropped{plain}" in on_terminal([*command, "graph", "e", "--stats"])[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert red not in on_terminal([*command, "stats", "e"])[1]


def test_version_and_help_need_no_daemon(tmp_path):
    for arguments in (["--version"], ["--help"]):
        result = run_ptctl("-s", tmp_path / "none", *arguments)
        assert result.code == 0 and result.out and not result.err


def test_the_graph_for_people_and_for_graphviz(daemon, tmp_path):
    daemon.create("e", "s = CLIFeeder(); d = Drain(); q = Sink(); s > d > q")
    dot = daemon.ok("graph", "e")
    assert dot.startswith("digraph")
    subprocess.run(["dot", "-Tsvg"], input=dot.encode(), check=True, capture_output=True)
    for suffix, magic in ((".svg", b"<?xml"), (".png", b"\x89PNG"), (".dot", b"digraph")):
        daemon.ok("graph", "e", "-o", tmp_path / f"g{suffix}")
        assert (tmp_path / f"g{suffix}").read_bytes().startswith(magic)
    assert daemon.ok("graph", "e", "--stats").startswith("digraph")
    result = daemon.ptctl("graph", "e", "-o", tmp_path / "nowhere" / "g.svg")
    assert result.code == 1 and result.err == \
        f"ptctl: cannot write '{tmp_path}/nowhere/g.svg': no such file or directory\n"


def test_the_picture_shows_what_each_block_does(daemon, tmp_path):
    packets = makers.some_packets(3)
    source = makers.pcap(tmp_path / "in.pcap", packets)
    daemon.create("e", f"""s = CLIFeeder(); v = TriggeredValve(False); h = CLIHighFeeder()
        k = TriggeredQueueingValve(False); q = QueueSink(); s > v > q; s > k > q; h >> q; k ^ v
        RdpcapSource("{source}", name="r") > WrpcapSink("/dev/full", name="w")""")
    daemon.ok("send", "e.s", "one", "two")
    daemon.ok("send", "e.h", "three")
    eventually(lambda: daemon.call("engine.show", {"engine": "e"})["blocks"][-1]["state"] == "failed")
    plain, dot = daemon.ok("graph", "e"), daemon.ok("graph", "e", "--stats")
    nodes = dict(re.findall(r'^\t"(\w+)" \[.*label="(.*)"\]', dot, re.MULTILINE))
    assert nodes["v"] == r"v\nTriggeredValve\nrunning\n2 in, 0 out, 2 filtered"
    assert nodes["k"] == r"k\nTriggeredQueueingValve\nrunning\n2 in, 0 out, 2 held"
    assert re.search('"w" .*color=red', dot) and "w\\nWrpcapSink\\nfailed" in nodes["w"]
    assert re.search(r'"s" -> "v" \[color=blue.*arrowhead=vee, label=" 2 "', dot)
    assert re.search(r'"h" -> "q" \[color=purple.*arrowhead=veevee, label=" 1 "', dot)
    assert re.search(r'"k" -> "v" \[color=red.*arrowhead=diamond.*label=" 0 "', dot)
    assert "running" not in plain and " -> " in plain and "label=\" " not in plain
    subprocess.run(["dot", "-Tsvg"], input=dot.encode(), check=True, capture_output=True)


def on_terminal(command):
    """What a command prints when its output is a terminal."""
    pid, master = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    out = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        out += data
    os.close(master)
    _, status = os.waitpid(pid, 0)
    text = out.decode(errors="replace")
    assert not SANITIZER.search(text), text
    return os.waitstatus_to_exitcode(status), text


def test_the_graph_drawn_on_a_terminal(daemon):
    daemon.create("e", "src = CLIFeeder(); mid = Drain(); snk = Sink(); src > mid > snk")
    code, text = on_terminal([program("ptctl"), "-s", str(daemon.socket), "graph", "e"])
    assert code == 0 and "digraph" not in text
    for block in ("src", "mid", "snk"):
        assert block in text


def test_binary_to_a_terminal_is_refused_not_printed(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    with daemon.client() as rpc:
        rpc.send("e", "s", {"hex": "1b5b324a00ff"})
    code, text = on_terminal([program("ptctl"), "-s", str(daemon.socket), "recv", "e.q"])
    assert "\x1b[2J" not in text and "\0" not in text
    assert code != 0 or "base64" in text or "\\x" in text, text


def test_sigpipe_is_quiet(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    done = subprocess.run(f'"{program("ptctl")}" -s "{daemon.socket}" types | head -c 1',
                          shell=True, capture_output=True, timeout=DEADLINE, check=False)
    assert done.stderr == b""


# ---- changes ------------------------------------------------------------------------------------

def test_changes_answer(daemon):
    create = 's = CLIFeeder(); s > TransformDrain("upper") > QueueSink(name="q")'
    assert daemon.ok("create", "e", create) == \
        "revision 1: added s, transform_drain1, q; linked s > transform_drain1 > q\n"
    assert daemon.ok("create", "empty") == "revision 0: an empty engine\n"
    assert daemon.ok("add", "e", "s > q") == "revision 2: linked s > q\n"
    assert daemon.ok("unlink", "e", "s > q") == "revision 3: unlinked s > q\n"
    assert daemon.ok("set", "e.q", "limit=1000") == "revision 4: set q\n"
    assert daemon.ok("set", "e.q", "limit=1000") == "no change\n"
    assert daemon.ok("replace", "e.q", "Sink()") == "revision 5: replaced q\n"
    assert daemon.ok("undo", "e", "1") == "revision 6: replaced q\n"
    assert daemon.ok("apply", "e", create) == "no change\n"
    assert daemon.ok("remove", "e", "transform_drain1", "-q") == ""
    told, how = daemon.ok("add", "e", "s > q", "--confirm", "60").splitlines()
    assert told == "revision 8: linked s > q"
    assert re.fullmatch(r"it goes back at \d\d:\d\d:\d\d, unless: ptctl confirm e", how)
    daemon.ok("confirm", "e")
    many = daemon.ok("add", "e", "; ".join(f"drain{n} = Drain()" for n in range(100)))
    assert len(many) <= 81 and re.search(r"added drain0, .* and \d\d more\n$", many)


def test_a_text_without_a_statement_is_no_graph(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    daemon.ok("send", "e.s", "precious")
    for arguments in (["apply", "e"], ["apply", "e", ""], ["apply", "e", "# later"],
                      ["apply", "e", "limit = 5"], ["create", "f", "limit = 5"],
                      ["apply", "e", "-f", "-"], ["apply", "e", "-f", "/dev/null"],
                      ["create", "f", ""], ["create", "f", "-f", "-"], ["add", "e", " ; "],
                      ["run", "# nothing"], ["unlink", "e", ""], ["unlink", "e", "s"],
                      ["apply", "e", "--empty", "Drain()"]):
        result = daemon.ptctl(*arguments, input=b"")
        assert result.code == 2 and result.err.count("\n") >= 1, (arguments, result)
    assert "--empty" in daemon.ptctl("apply", "e").err
    assert daemon.ok("recv", "e.q") == "precious\n"
    assert daemon.call("daemon.info")["engines"] == 1
    assert daemon.ok("apply", "e", "--empty") == "revision 2: removed s, q\n"


def test_an_empty_graph_goes_out_and_in(daemon):
    """What means to be empty says so; the daemon and files of engines take it, too."""
    daemon.ok("create", "e")
    said = daemon.ok("export", "e")
    assert said.startswith("# ")
    assert daemon.ok("create", "f", "-f", "-", input=said) == "revision 0: an empty engine\n"
    assert daemon.ok("export", "f") == said
    daemon.ok("add", "f", "s = CLIFeeder()")
    assert daemon.ok("apply", "f", "-f", "-", input=said) == "revision 2: removed s\n"
    assert daemon.ok("apply", "f", "-f", "-", input=said) == "no change\n"
    assert daemon.call("engine.create", engine="g", text=said) == {}
    assert daemon.call("engine.apply", engine="g", text=said + "\n")["plan"] == []
    for text in (said[2:], "x" + said, said[:-2] + "\n", f"s = 5 {said}"):
        assert daemon.ptctl("apply", "f", "-f", "-", input=text).code == 2, text
    assert daemon.ptctl("run", said.strip()).code == 2


def test_blocks_without_names_are_there_with_all_their_links(daemon):
    """One of their type and parameters: a default that is spelled out is none that differs."""
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > Drain() > q")
    for text, added in (
            ("CLIFeeder() > Drain() > Sink()", ["cli_feeder1", "drain2", "sink1"]),
            ("s > TransformDrain(f='upper') > q", ["transform_drain1"]),
            ("TriggeredValve(start_state=True)", ["triggered_valve1"]),
            ("TriggeredValve(); TriggeredValve()", ["triggered_valve3"]),
            ("CLIFeeder() > Drain() > Sink(); a = CLIFeeder(); a > Sink()", ["a", "sink3"]),
            ("s > Drain() > q; s > UpDrain(name='u')", ["u"])):
        plan = json.loads(daemon.ok("-j", "add", "e", "--may-exist", text))["plan"]
        assert [op["name"] for op in plan if op["op"] == "add"] == added
        assert daemon.ok("add", "e", "--may-exist", text) == "no change\n"
    for text, type_ in (("s > Drain() > s2; s2 = Sink()", "Drain"), ("s > TransformDrain('upper')\ns > Drain() > u", "Drain")):
        refused = daemon.ptctl("add", "e", "--may-exist", text)
        assert refused.code == 1 and f"NAME = {type_}(" in refused.err and "^" in refused.err, refused
    assert daemon.ptctl("add", "e", "--may-exist", "s > TransformDrain(f='no {')").code == 1


def test_words_for_scripts(daemon):
    graph = "s = CLIFeeder(); q = QueueSink(); s > q"
    assert daemon.ptctl("create", "e", graph, "--dry-run", "--exit-code").code == 9
    plan = daemon.ok("create", "e", graph, "--dry-run")
    assert plan == "add     s = CLIFeeder()\nadd     q = QueueSink()\nlink    s > q\n"
    assert daemon.ptctl("create", "e", "CLIFeeder() > CLIFeeder()", "--dry-run").code == 1
    assert daemon.call("daemon.info")["engines"] == 0
    for said in ("revision 1: added s, q; linked s > q\n", "no change\n"):
        assert daemon.ok("create", "e", "--or-apply", graph, "--start") == said
    daemon.ok("send", "e.s", "kept")
    assert daemon.ok("create", "e", "--or-apply") == "no change\n"
    refused = daemon.ptctl("create", "e", graph)
    assert refused.code == 1 and "ptctl apply e" in refused.err
    refused = daemon.ptctl("create", "e", graph, "--dry-run")
    assert refused.code == 1
    more = "q = QueueSink(); d = Drain(); s > d; s > q"
    for said in ("revision 2: added d; linked s > d\n", "no change\n"):
        assert daemon.ok("add", "e", "--may-exist", more) == said
    refused = daemon.ptctl("add", "e", "--may-exist", "d = UpDrain()")
    assert refused.code == 1 and "'d' is there, and is another" in refused.err
    for said in ("revision 3: unlinked s > d\n", "no change\n"):
        assert daemon.ok("unlink", "e", "--if-exists", "s > d", "s > nothing") == said
    for said in ("revision 4: removed d\n", "no change\n"):
        assert daemon.ok("remove", "e", "--if-exists", "d", "nothing", "d") == said
    assert daemon.ptctl("apply", "e", graph, "--dry-run", "--exit-code").code == 0
    assert daemon.ptctl("apply", "e", "Drain()", "--dry-run", "--exit-code").code == 9
    for verb in ("start", "start", "stop", "stop"):
        daemon.ok(verb, "e")
    assert daemon.ptctl("unlink", "e", "q > s").code == 6
    assert daemon.ok("recv", "e.q") == "kept\n"
    daemon.create("f")
    assert daemon.ptctl("destroy", "nothing", "e", "f").code == 6
    assert daemon.call("daemon.info")["engines"] == 0
    daemon.ok("destroy", "--if-exists", "nothing", "e")


def test_wait_for_a_state(daemon):
    def waiting(*words):
        return subprocess.Popen([program("ptctl"), "-s", daemon.socket, "wait", *words,
                                 "--timeout", str(DEADLINE)], stdout=subprocess.PIPE, text=True)

    def came(process):
        out, _ = process.communicate(timeout=2 * DEADLINE)
        return process.returncode, out

    before = waiting("e", "running")
    daemon.create("e", "s = CLIFeeder(); s > QueueSink(name='q')")
    assert came(before) == (0, "running\n")
    daemon.ok("send", "e.s", "one")
    late = daemon.ptctl("wait", "e.q", "drained", "stopped", "--timeout", "0.1")
    assert "'e.q' is not drained or stopped after 0.1 s: it is running" in late.err
    assert late.code == 4 and "it is running" in late.err
    exhausted, drained = waiting("e.s", "exhausted"), waiting("e.q", "drained")
    daemon.ok("close", "e.s")
    assert came(exhausted) == (0, "exhausted\n")
    daemon.ok("recv", "e.q")
    assert came(drained) == (0, "drained\n")
    assert daemon.ok("wait", "e", "exhausted") == "exhausted\n"
    stopped, gone = waiting("e", "failed", "stopped"), waiting("e", "gone")
    daemon.ok("stop", "e")
    assert came(stopped) == (0, "stopped\n")
    daemon.ok("destroy", "e")
    assert came(gone) == (0, "gone\n")
    assert daemon.ptctl("wait", "e", "nonsense").code == 2
    assert "did you mean 'running'?" in daemon.ptctl("wait", "e", "runing").err
    assert json.loads(daemon.ok("-j", "wait", "e.q", "gone")) == {"state": "gone"}


def test_health_has_a_line_for_each_fault(daemon):
    daemon.create("good", "s = CLIFeeder(); s > Sink()")
    assert daemon.ok("health") == ""
    daemon.create("bad", "PeriodicSource('x', 0.01) > WrpcapSink('/dev/full', linktype=1)")
    daemon.ok("wait", "bad", "failed", "--timeout", str(DEADLINE))
    result = daemon.ptctl("health")
    assert result.code == 1 and re.fullmatch(r"bad\.wrpcap_sink1 has failed: .*full.*\n", result.out)
    assert daemon.ptctl("health", "bad").code == 1 and daemon.ok("health", "good") == ""
    assert daemon.ptctl("health", "none").code == 6
    (fault,) = json.loads(daemon.ptctl("-j", "health").out)["faults"]
    assert (fault["engine"], fault["block"]) == ("bad", "wrpcap_sink1")


def test_health_warns_of_losses_of_errors_and_of_what_is_stuck(daemon):
    daemon.create("lossy", "s = CLIFeeder(); s > TransformDrain('function(m) return m.nothing.at_all end') > Sink()")
    daemon.create("stuck", "s = PeriodicSource('x', 0.001); q = QueueSink(limit=5, overflow='block'); s > q")
    daemon.ok("send", "lossy.s", "one", "two")
    eventually(lambda: daemon.call("engine.stats", {"engine": "stuck"})["blocks"][0]["waits_for"] == ["q"])
    told = daemon.ok("health")  # no fault
    assert re.fullmatch(r"warning: lossy\.transform_drain1 dropped 2 error: .*nothing.*\n"
                        r"warning: stuck\.q takes nothing, and s waits for it\n", told)
    assert daemon.ptctl("health", "--strict").code == 1 and daemon.ptctl("health", "stuck", "--strict").code == 1
    warning = json.loads(daemon.ok("-j", "health", "stuck"))
    assert warning == {"faults": [], "warnings": [
        {"engine": "stuck", "block": "q", "message": "takes nothing, and s waits for it"}]}
    daemon.ok("stop", "stuck")
    assert daemon.ok("health", "stuck", "--strict") == ""


# ---- sending and receiving ----------------------------------------------------------------------

def test_one_message_a_line_of_standard_input(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    daemon.ok("send", "e.s", input="one\ntwo\n\nlast without newline")
    assert daemon.ok("recv", "e.q", "-n", "4") == "one\ntwo\n\nlast without newline\n"


def test_many_messages_from_standard_input(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    text = "".join(f"message {n}\n" for n in range(20_000))
    daemon.ok("send", "e.s", input=text)
    assert daemon.ok("recv", "e.q", "-n", "20000") == text


def test_a_line_without_end_is_not_waited_for(daemon):
    daemon.create("e", "s = CLIFeeder(); s > Sink()")
    sending = subprocess.Popen([program("ptctl"), "-s", daemon.socket, "send", "e.s"],
                               stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    with pytest.raises(BrokenPipeError):
        while True:
            sending.stdin.write(bytes(1 << 20))
            sending.stdin.flush()
    assert b"or more is too long" in sending.stderr.read()
    assert sending.wait(DEADLINE) == 1
    sending.stderr.close()


def test_messages_that_are_arguments_go_together(daemon, tmp_path):
    many = [letter * 100_000 for letter in "abcdefgh"]
    with Answers(tmp_path, block_send={}) as fake:
        assert run_ptctl("-s", fake.path, "send", "e.s", *many).code == 0
        ((method, params),) = fake.asked
    assert method == "block.send" and params["messages"] == many
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    result = daemon.ptctl("send", "e.s", "--hex", *["61" * 50_000] * 4, "6x")
    assert result.code == EXIT["usage"] and "'6x' is not hex" in result.err
    assert json.loads(daemon.ok("-j", "show", "e.q"))["in"] == 0
    daemon.ok("send", "e.s", *many)
    assert daemon.ok("recv", "e.q", "-n", "8").split() == many


def test_a_message_of_megabytes(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    daemon.ok("send", "e.s", input=b"x" * (11 << 20) + b"\n")
    assert daemon.ok("recv", "e.q") == "x" * (11 << 20) + "\n"
    result = daemon.ptctl("send", "e.s", input=b"x" * ((11 << 20) + 1) + b"\n")
    assert result.code == EXIT["refused"] and "too long to be sent this way" in result.err


def test_send_on_the_high_canal(daemon):
    daemon.create("e", "a = AutoSource(); q = QueueSink(); a > q; a >> q")
    daemon.ok("send", "e.a", "low")
    daemon.ok("send", "e.a", "--high", "high")
    lines = [json.loads(line) for line in daemon.ok("-j", "recv", "e.q", "-n", "2").splitlines()]
    assert [(m["message"], m["canal"]) for m in lines] == [("low", "low"), ("high", "high")]


def test_a_queue_outlives_the_engine_s_stop(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    daemon.ok("send", "e.s", "kept")
    daemon.ok("stop", "e")
    assert daemon.ok("recv", "e.q") == "kept\n"


def test_send_tells_what_waits(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(limit=60, overflow='block'); s > q",
                  start=False)
    assert daemon.ok("send", "e.s", "a") == \
        "1 message waits in e.s until the engine is started: ptctl start e\n"
    assert json.loads(daemon.ok("-j", "send", "e.s", "b")) == {"waiting": 2, "state": "stopped"}
    daemon.ok("start", "e")
    assert daemon.ok("recv", "e.q", "--timeout", DEADLINE) == "a\n"
    assert daemon.ok("recv", "e.q", "--timeout", DEADLINE) == "b\n"
    assert json.loads(daemon.ok("-j", "send", "e.s", "full")) == {}
    assert daemon.ok("send", "e.s", *"xyz") == "3 messages wait in e.s until a sink has room\n"


def test_call_prints_the_result(daemon):
    assert json.loads(daemon.ok("call", "daemon.info"))["name"] == "pipetoold"
    daemon.ok("call", "engine.create", '{"engine": "made"}')
    assert "made" in daemon.ok("list")


# ---- export and create --------------------------------------------------------------------------

GRAPHS = [
    "s = CLIFeeder(); d = Drain(); q = QueueSink(); s > d > q",
    "a = CLIFeeder(); b = CLIHighFeeder(); d = Drain(); c = ConsoleSink(); a > d > c; b >> d >> c",
    "p = PeriodicSource(['x', 'it''s', \"q\\\"\"], 1.5, period2=2); p > Sink()".replace("''", "\\'"),
    "p = PeriodicSource(b'\\x00\\xff', 3600); p > Sink()",
    "p = PeriodicSource('ü € 😀 \\n\\t', 3600); p > Sink()",
    """t = TransformDrain('''function(m)
    -- a comment with "quotes" and 'others' and \\\\ a backslash
    return m
end'''); CLIFeeder() > t > Sink()""",
    "TransformDrain(\"set{['ip.src']='1.1.1.1'}\") > Sink()",
    "q = QueueSink(limit='3MiB', overflow='drop-newest')",
    "s = CLIFeeder(); s > Sink(); s > Sink(); s > Drain() > Sink()",
    "u = UpDrain(); w = DownDrain(); s = CLIFeeder(); s > u >> w > Sink()",
    "w = WrpcapSink('/tmp/x', rotate={'size': '100MiB', 'files': 10})",
]


@pytest.mark.parametrize("text", GRAPHS)
def test_what_export_prints_create_reads(daemon, text):
    daemon.create("one", text, start=False)
    exported = daemon.ok("export", "one")
    daemon.ok("create", "two", "-f", "-", input=exported)
    assert daemon.ok("export", "two") == exported
    one, two = (daemon.call("engine.show", engine=name) for name in ("one", "two"))
    for shown in (one, two):
        del shown["engine"], shown["revision"]
        for block in shown["blocks"]:
            block.pop("since", None)
    assert one == two


def test_relative_paths_are_those_of_the_caller(daemon, tmp_path):
    makers.pcap(tmp_path / "here.pcap", makers.some_packets(3))
    daemon.ok("create", "e", "RdpcapSource('here.pcap', name='r') > WrpcapSink('there.pcap')",
              "--start", cwd=tmp_path)
    daemon.finish("e")
    assert len(makers.read(tmp_path / "there.pcap")) == 3
    assert daemon.call("engine.show", engine="e")["blocks"][0]["params"]["fname"] == \
        str(tmp_path / "here.pcap")


# ---- run ----------------------------------------------------------------------------------------

def test_create_dry_run_makes_nothing(daemon):
    out = daemon.ok("create", "e", "s = CLIFeeder(); s > q = QueueSink()", "--dry-run", "--start")
    assert out == "add     s = CLIFeeder()\nadd     q = QueueSink()\nlink    s > q\n"
    assert not daemon.call("engine.list")["engines"]
    result = daemon.ptctl("create", "e", "t = TransformDrain('revers')", "--dry-run")
    assert result.code == 1 and "did you mean 'reverse'?" in result.err
    daemon.create("e", "s = CLIFeeder()")
    assert daemon.ptctl("create", "e", "s = CLIFeeder()", "--dry-run").code == 1
    assert [e["engine"] for e in daemon.call("engine.list")["engines"]] == ["e"]
    shown = daemon.ok("show", "e.s")
    assert len(re.findall(r"^ *state\b", shown, re.M)) == 1, shown


def test_both_ways_are_exported_as_they_were_written(daemon):
    text = "l = Drain()\nc = TCPConnectPipe(addr='127.0.0.1', port=9)\nup = Sink()\nl % c\nl > up\n"
    daemon.create("e", text, start=False)
    assert daemon.ok("export", "e") == text


def test_words_that_lead_on(daemon, tmp_path):
    daemon.create("p", "s = CLIFeeder()")
    result = daemon.ptctl("create", "p", "s = CLIFeeder()")
    assert result.code == 1 and "ptctl apply p" in result.err
    result = run_ptctl("-s", tmp_path / "none", "run", "CLIFeeder() > Sink()")
    assert result.code == EXIT["no daemon"] and "ptctl run --private" in result.err
    assert "--private" not in run_ptctl("-s", tmp_path / "none", "list").err
    for name in ("a", "b"):
        daemon.create(name, "s = CLIFeeder()", start=False)
    result = daemon.ptctl("destroy", "a", "nobody", "b")
    assert result.code == EXIT["not found"] and "nobody" in result.err
    assert [e["engine"] for e in daemon.call("engine.list")["engines"]] == ["p"]


def test_constants_and_what_goes_before_them(daemon, tmp_path):
    pipe = tmp_path / "my.pipe"
    pipe.write_text('limit = "1MiB"; word = "tick"\n'
                    'p = PeriodicSource(word, 1000) > q = QueueSink(limit)\n')
    assert "a name is for one block" in daemon.ptctl("create", "e", "-f", pipe).err
    pipe.write_text('limit = "1MiB"; word = "tick"\n'
                    'p = PeriodicSource(word, 1000)\np > q = QueueSink(limit)\n')
    daemon.ok("create", "plain", "-f", pipe)
    assert "q = QueueSink(limit='1MiB')" in daemon.ok("export", "plain")
    daemon.ok("create", "given", "-f", pipe, "-D", "limit=2MiB", "--define", 'word=["a", "b"]')
    assert "q = QueueSink(limit='2MiB')" in daemon.ok("export", "given")
    assert "PeriodicSource(msg=['a', 'b']" in daemon.ok("export", "given")
    daemon.ok("apply", "plain", "-f", pipe, "-D", "limit=3MiB")
    daemon.ok("add", "plain", "p > r = QueueSink(limit)", "-D", "limit=4MiB")
    daemon.ok("replace", "given.q", "QueueSink(limit)", "-D", "limit=5MiB")
    assert "q = QueueSink(limit='3MiB')" in daemon.ok("export", "plain")
    assert "r = QueueSink(limit='4MiB')" in daemon.ok("export", "plain")
    assert "q = QueueSink(limit='5MiB')" in daemon.ok("export", "given")
    for code, words, more in ((2, "did you mean 'limit'?", "limti=1"), (2, "is not NAME=VALUE", "limit"),
                              (2, "nothing says it", "iface=eth0")):
        result = daemon.ptctl("create", "no", "-f", pipe, "-D", more)
        assert result.code == code and words in result.err, result


def test_run_waits_and_leaves_nothing_behind(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets())
    daemon.ok("run", f'RdpcapSource("{source}") > WrpcapSink("{tmp_path}/out.pcap")')
    assert (tmp_path / "out.pcap").read_bytes() == open(source, "rb").read()
    assert daemon.call("daemon.info")["engines"] == 0


def accounted(result):
    """What the last line of a run says became of everything."""
    return result.err.splitlines()[-1]


def test_run_says_what_became_of_everything(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", [(bytes(60), n) for n in range(2000)])
    read = f'r = RdpcapSource("{source}"); r > '
    result = daemon.ptctl("run", read + 'Drain(name="d") > Sink(); d > WrpcapSink("o.pcap")',
                          cwd=tmp_path)
    assert (result.code, result.err) == (0, "2,000 in, 4,000 out\n")
    result = daemon.ptctl("run", read + 'FilterDrain("never") > Sink()')
    assert (result.code, result.err) == (0, "2,000 in, 0 out, 2,000 filtered\n")
    result = daemon.ptctl("run", read + 'TriggeredQueueingValve(False, name="v") > Sink()')
    assert (result.code, result.err) == (0, "2,000 in, 0 out, 2,000 held at v\n")
    result = daemon.ptctl("run", read + "Drain()")
    assert (result.code, result.err) == (0, "2,000 in, 0 out, 2,000 filtered\n")
    lossy = read + """TransformDrain("function(m) error('no') end", name="t") > Sink(); r > Sink()
        r > QueueSink(limit=1000, overflow="drop-newest", name="q")"""
    result = daemon.ptctl("run", lossy)
    kept = result.out.count("\n")
    lost = f"2,000 error at t, {2000 - kept:,} overflow at q"
    assert result.code == 1 and accounted(result) == \
        f"2,000 in, {2000 + kept:,} out, {4000 - kept:,} dropped ({lost})"
    for allowed, code in (("", 0), ("=error,overflow", 0), ("=overflow", 1)):
        result = daemon.ptctl("run", f"--allow-drops{allowed}", lossy)
        assert result.code == code and lost in accounted(result)
    for wrong, words in (("eror", "did you mean 'error'"), ("closed", "filtered, not dropped"),
                         ("", "needs reasons")):
        result = daemon.ptctl("run", f"--allow-drops={wrong}", lossy)
        assert result.code == 2 and words in result.err


def test_a_run_whose_sink_takes_nothing_fails(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets(3))
    read = f'RdpcapSource("{source}") > '
    result = daemon.ptctl("run", read + f'WrpcapSink("{tmp_path}/o.pcap", linktype="RAW")')
    assert result.code == 1
    assert accounted(result) == "3 in, 0 out, 3 dropped (3 link-type at wrpcap_sink1)"
    result = daemon.ptctl("run", "--allow-drops", read + 'WrpcapSink("/dev/full")')
    assert result.code == 1 and "'wrpcap_sink1' failed" in result.err
    assert accounted(result) == "3 in, 0 out, 3 dropped (3 write-error at wrpcap_sink1)"


def test_run_ends_when_all_its_sinks_have_failed(daemon):
    result = daemon.ptctl("run", 'PeriodicSource("tick", 0.001) > WrpcapSink("/dev/full", linktype=1)')
    assert result.code == 1 and "write-error at wrpcap_sink1" in accounted(result)


@pytest.mark.parametrize("pipe", [
    "PeriodicSource('tick', 0.001) > WrpcapSink('/dev/stdout', linktype=1)",
    "PeriodicSource('tick', 0.001) > ConsoleSink()",
])
def test_run_ends_when_its_reader_has_gone(daemon, pipe):
    running = subprocess.Popen([program("ptctl"), "-s", daemon.socket, "run", pipe],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout.read(4)
    running.stdout.close()
    assert running.wait(DEADLINE) in (0, 1)
    assert b" in, " in running.stderr.read().splitlines()[-1]
    running.stderr.close()
    assert daemon.call("daemon.info")["engines"] == 0


def test_an_idle_run_ends_when_its_reader_has_gone(daemon, tmp_path):
    running = subprocess.Popen([program("ptctl"), "-s", daemon.socket, "run",
                                f"CLIFeeder() > WrpcapSink('{tmp_path}/o', linktype=1)"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(lambda: any(e["state"] == "draining" for e in daemon.call("engine.list")["engines"]))
    running.stdout.close()
    assert running.wait(DEADLINE) == 0 and running.stderr.read() == "0 in, 0 out\n"
    running.stderr.close()


def test_run_stops_cleanly_when_the_time_is_up(daemon, tmp_path):
    result = daemon.ptctl("run", "--timeout", "0.5", f"""p = PeriodicSource('tick', 0.001)
        p > ConsoleSink(); p > WrpcapSink('{tmp_path}/o.pcap', linktype=1)""")
    assert result.code == 4, result
    ticks = result.out.count(">'tick'\n")
    assert ticks == len(makers.read(tmp_path / "o.pcap")) > 0
    assert accounted(result) == f"{ticks:,} in, {2 * ticks:,} out"
    assert daemon.call("daemon.info")["engines"] == 0


def test_run_prints_what_its_queues_hold(daemon):
    pipe = "a = PeriodicSource(['one', 'two'], 0.001); a > QueueSink(); a > QueueSink()"
    result = daemon.ptctl("run", "--timeout", "0.2", pipe)
    lines = result.out.split()
    assert lines[:2] == ["one", "two"] and len(lines) % 2 == 0
    assert lines[:len(lines) // 2] == lines[len(lines) // 2:]
    assert accounted(result) == f"{len(lines) // 2:,} in, {len(lines):,} out"


def test_run_ends_with_its_stats_as_json(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets(3))
    result = daemon.ptctl("-j", "run", f'RdpcapSource("{source}") > Sink()')
    stats = json.loads(result.out)
    assert result.code == 0 and accounted(result) == "3 in, 3 out"
    assert stats["total"] == {"in": 3, "out": 3, "filtered": 0, "dropped": 0}
    assert [row["in"] for row in stats["blocks"]] == [3, 3] and stats["unexplained"] == 0
    result = daemon.ptctl("-j", "run", f'RdpcapSource("{source}") > QueueSink()')
    *messages, stats = [json.loads(line) for line in result.out.splitlines()]
    assert len(messages) == 3 and all(m["canal"] == "low" for m in messages)
    assert stats["total"]["out"] == 3


def test_what_a_run_prints_is_not_printed_by_the_daemon(daemon):
    result = daemon.ptctl("run", "--timeout", "0.2", "PeriodicSource('mine', 0.01) > ConsoleSink()")
    assert ">'mine'" in result.out
    daemon.create("e", "s = CLIFeeder(); s > ConsoleSink()")
    daemon.ok("send", "e.s", "ours")
    eventually(lambda: "ours" in daemon.printed())
    assert "mine" not in daemon.printed() + daemon.log()


def test_run_without_a_daemon_names_private(tmp_path):
    result = run_ptctl("-s", tmp_path / "none", "run", "Drain()")
    assert result.code == 3 and "ptctl run --private" in result.err
    assert "--private" not in run_ptctl("-s", tmp_path / "none", "list").err


def test_progress_is_of_what_was_sent(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", [(bytes(60), n) for n in range(100)])
    daemon.create("e", f'RdpcapSource("{source}", speed=1, name="r") > Sink()')
    with daemon.client() as rpc:
        eventually(lambda: rpc.stats("e", "r")["out"] >= 1)
        progress = rpc.show("e", "r")["progress"]
        sent = rpc.stats("e", "r")["out"]
    assert 0 < progress["done"] <= progress["size"] * (sent + 1) / 100


def test_run_private_needs_no_daemon(tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets())
    result = run_ptctl("run", "--private", f'RdpcapSource("{source}") > WrpcapSink("out.pcap")',
                       cwd=tmp_path, env={"PIPETOOL_SOCKET": str(tmp_path / "none")})
    assert result.code == 0, result
    assert (tmp_path / "out.pcap").read_bytes() == open(source, "rb").read()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.pcap", "out.pcap"]


def test_run_private_shares_its_standard_input_and_output(tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets())
    with open(source, "rb") as file:
        data = file.read()
    result = run_ptctl("run", "--private", "RdpcapSource('/dev/stdin') > WrpcapSink('/dev/stdout')",
                       input=data)
    assert result.code == 0 and result.raw == data, result


def test_run_private_opens_any_number_of_files(tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets())
    result = run_ptctl("run", "--private", f"r = RdpcapSource('{source}')\n" + "".join(
        f"r > WrpcapSink('{n}')\n" for n in range(70)), cwd=tmp_path)
    assert result.code == 0, result
    with open(source, "rb") as file:
        data = file.read()
    assert all((tmp_path / str(n)).read_bytes() == data for n in range(70))


def test_a_killed_private_run_ends_cleanly(tmp_path):
    for n in range(10):
        running = subprocess.Popen([program("ptctl"), "run", "--private",
                                    f"p = PeriodicSource('tick', 0.001); p > ConsoleSink(); "
                                    f"p > WrpcapSink('{tmp_path}/{n}', linktype=1)"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert running.stdout.readline() == b">'tick'\n"
        running.kill()
        assert running.stderr.read() == b""  # to its daemon's end
        running.wait()
        running.stdout.close()
        running.stderr.close()
        assert makers.read(tmp_path / str(n))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_private_run_leaves_nothing_behind(tmp_path, how):
    """Nor has it a name by which others could connect, from the first message on."""
    with subprocess.Popen([program("ptctl"), "run", "--private",
                           "PeriodicSource('tick', 0.001) > ConsoleSink()"],
                          env={**os.environ, "XDG_RUNTIME_DIR": "", "TMPDIR": str(tmp_path)},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        first = running.stdout.readline()
        assert first == b">'tick'\n", running.stderr.read()
        assert list(tmp_path.iterdir()) == []
        running.send_signal(how)
        running.stdout.read()
        running.stderr.read()  # to its daemon's end
    assert list(tmp_path.iterdir()) == []


def test_no_capture_is_written_to_a_terminal(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets())
    code, text = on_terminal([program("ptctl"), "-s", str(daemon.socket), "run",
                              f'RdpcapSource("{source}") > WrpcapSink("/dev/stdout")'])
    assert code == 1 and "is a terminal" in text and "\xd4" not in text, text


def test_run_goes_on_without_its_terminal_under_nohup(daemon):
    running = subprocess.Popen([program("ptctl"), "-s", daemon.socket, "run",
                                "PeriodicSource('tick', 0.002) > ConsoleSink()"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert running.stdout.readline() == b">'tick'\n"
    running.send_signal(signal.SIGHUP)
    for _ in range(300):
        assert running.stdout.readline() == b">'tick'\n"
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=DEADLINE)
    assert running.returncode == 130


def test_what_is_printed_goes_nowhere_else_where_it_is_closed(daemon):
    """The first descriptor that is opened would else take the place of standard output."""
    for verb in (["list"], ["--version"], ["run", "PeriodicSource('[]', 0.01) > RawConsoleSink()"]):
        result = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", program("ptctl"), "-s",
                                 daemon.socket, *verb], stderr=subprocess.PIPE, timeout=DEADLINE,
                                check=False)
        assert result.returncode == 1 and b"cannot write to standard output" in result.stderr, verb
    eventually(lambda: daemon.call("daemon.info")["engines"] == 0)


def test_run_reads_a_file(daemon, tmp_path):
    makers.pcap(tmp_path / "in.pcap", makers.some_packets())
    (tmp_path / "copy.pipe").write_text("# copies\nRdpcapSource('in.pcap') >\n  WrpcapSink('out')\n")
    daemon.ok("run", "-f", "copy.pipe", cwd=tmp_path)
    assert (tmp_path / "out").exists()


def test_run_shows_what_console_sinks_print(daemon):
    running = subprocess.Popen([program("ptctl"), "-s", daemon.socket, "run",
                                "PeriodicSource('tick', 0.01) > ConsoleSink()"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout.readline() == b">'tick'\n"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=DEADLINE)
    assert running.returncode in (0, 130), err
    eventually(lambda: daemon.call("daemon.info")["engines"] == 0)


def test_a_run_that_fails_says_so(daemon, tmp_path):
    result = daemon.ptctl("run", f'RdpcapSource("{tmp_path}/none.pcap") > Sink()')
    assert result.code == 1 and "none.pcap" in result.err, result
    result = daemon.ptctl("run", 'CLIFeeder( > Sink()')
    assert result.code == 2
    assert daemon.call("daemon.info")["engines"] == 0


def test_a_killed_run_leaves_no_engine(daemon):
    running = subprocess.Popen([program("ptctl"), "-s", daemon.socket, "run",
                                "PeriodicSource('tick', 0.01) > ConsoleSink()"],
                               stdout=subprocess.PIPE)
    assert running.stdout.readline() == b">'tick'\n"
    running.terminate()
    running.wait(DEADLINE)
    running.stdout.close()
    eventually(lambda: daemon.call("daemon.info")["engines"] == 0)


def test_progress_on_a_terminal(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets())
    code, text = on_terminal([program("ptctl"), "-s", str(daemon.socket), "run",
                              f'RdpcapSource("{source}", speed=0.05) > '
                              f'WrpcapSink("{tmp_path}/out.pcap")'])
    assert code == 0 and text.endswith("50 in, 50 out\r\n") and "packets, " in text, text
