# SPDX-License-Identifier: BSD-2-Clause
"""Blocks that users write in Lua, as the documentation and the package have them."""
import pathlib
import re
import signal
import subprocess

from conftest import eventually, program

TREE = pathlib.Path(__file__).parent.parent.parent


def documented():
    """The Lua of docs/writing-blocks.md."""
    text = (TREE / "docs/writing-blocks.md").read_text()
    return re.findall(r"^```lua\n(.*?)^```$", text, re.M | re.S)


def load(daemon, tmp_path, text, name="mine.lua"):
    path = tmp_path / name
    path.write_text(text)
    return daemon.ptctl("load", path)


def load_ok(daemon, tmp_path, text, name="mine.lua"):
    result = load(daemon, tmp_path, text, name)
    assert result.code == 0, result
    return result.out


def test_the_documented_source_drain_and_sink(daemon, tmp_path):
    source, drain, sink, _ = documented()
    assert load_ok(daemon, tmp_path, source) == "HighFeeder\n"
    assert load_ok(daemon, tmp_path, drain, "drain.lua") == "Transform\n"
    assert load_ok(daemon, tmp_path, sink, "sink.lua") == "Console\n"
    daemon.create("p", 'f = HighFeeder(); t = Transform("reverse"); c = Console()', "f >> t >> c",
                  "low = CLIFeeder(); low > t > c")
    daemon.ok("send", "p.f", "hello")
    daemon.ok("send", "p.low", "it's")
    eventually(lambda: daemon.printed() == ">>'olleh'\n>\"s'ti\"\n", what=daemon.printed)
    daemon.ok("close", "p.f")
    daemon.ok("close", "p.low")
    daemon.finish("p")
    with daemon.client() as rpc:
        assert rpc.stats("p")["unexplained"] == 0
        assert rpc.stats("p", "c")["out"] == 2


def test_the_documented_drain_that_keeps_something(daemon, tmp_path):
    load_ok(daemon, tmp_path, documented()[3])
    daemon.create("p", "a = CLIFeeder(); t = LuaTally(); q = QueueSink(); a > t > q")
    daemon.ok("send", "p.a", "one", "two")
    daemon.ok("set", "p.t", "sign=. ")
    daemon.ok("send", "p.a", "three")
    assert daemon.ok("recv", "p.q", "-n", "3") == "1: one\n2: two\n3. three\n"


def test_users_types_are_shown_as_built_in_ones(daemon, tmp_path):
    load_ok(daemon, tmp_path, documented()[1])
    with daemon.client() as rpc:
        rows = {t["name"]: t for t in rpc.call("type.list")["types"]}
        assert rows["Transform"] == {
            "name": "Transform", "role": "drain", "origin": str(tmp_path / "mine.lua"),
            "summary": "Applies a function to messages on both canals"}
        assert rows["Drain"]["origin"] == "built-in"
        shown = rpc.call("type.show", type="Transform")
        built_in = rpc.call("type.show", type="TransformDrain")
        assert shown.keys() == built_in.keys() - {"help"}
        assert shown["params"][0]["name"] == "f" and shown["params"][0]["required"]
    text = daemon.ok("help", "Transform")
    assert "[lua]" in text and "What to do with each message." in text
    assert str(tmp_path / "mine.lua") in text
    assert "Transform  " in daemon.ok("types")


def test_what_could_drive_a_terminal_is_escaped_in_help(daemon, tmp_path):
    load_ok(daemon, tmp_path, 'Drain{name="Red", doc="\\27[31mred\\rblue\\n\\27]0;title\\7help"}')
    text = daemon.ok("help", "Red")
    assert "\\x1b[31mred\\rblue\n" in text and "\\x1b]0;title\\x07help\n" in text
    assert all(c.isprintable() or c == "\n" for c in text)


def test_the_packaged_example(daemons):
    daemon = daemons(wait=False)
    daemon.kill()
    source = (TREE / "conf/blocks.d/example.lua").read_text()
    (daemon.blocks / "example.lua").write_text(source)
    (daemon.engines / "p.pipe").write_text(
        "a = CLIFeeder(); s = Sampler(2); q = QueueSink(); a > s > q")
    daemon.start()
    daemon.ok("send", "p.a", "1", "2", "3", "4")
    assert daemon.ok("recv", "p.q", "-n", "2") == "2\n4\n"
    daemon.ok("set", "p.s", "n=1")
    daemon.ok("send", "p.a", "5")
    assert daemon.ok("recv", "p.q") == "5\n"
    with daemon.client() as rpc:
        assert rpc.stats("p", "s")["filtered"] == {"sampled": 2}


def test_a_folder_is_read_again_on_sighup(daemon):
    path = daemon.blocks / "late.lua"
    path.write_text("Drain{name='Late', push=function(self, m) self:send('1') end}")
    (daemon.blocks / "wrong.lua").write_text("\nDrain{name='Wrong', psh=1}")
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: "Late" in daemon.ok("types"))
    eventually(lambda: f"{(daemon.blocks / 'wrong.lua').resolve()}:2: a definition cannot have 'psh'; "
                       "did you mean 'push'?" in daemon.log())
    assert "Wrong" not in daemon.ok("types")
    daemon.create("p", "a = CLIFeeder(); b = Late(); q = QueueSink(); a > b > q")
    path.write_text("Drain{name='Late', push=function(self, m) self:send('2') end}")
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: replaced(daemon))
    daemon.ok("send", "p.a", "x")
    assert daemon.ok("recv", "p.q") == "2\n"


def replaced(daemon):
    """Whether a replacement of the running block by its type changed something."""
    with daemon.client() as rpc:
        return rpc.change("p", {"op": "replace", "name": "b", "type": "Late", "params": {}})["plan"]


def test_a_loaded_type_is_for_blocks_made_later(daemon, tmp_path):
    load_ok(daemon, tmp_path, "Drain{name='V', push=function(self, m) self:send('1' .. m) end}")
    daemon.create("p", "a = CLIFeeder(); b = V(); q = QueueSink(); a > b > q")
    load_ok(daemon, tmp_path, "Drain{name='V', push=function(self, m) self:send('2' .. m) end}")
    daemon.ok("send", "p.a", "old")
    daemon.ok("replace", "p.b", "V()")
    daemon.ok("send", "p.a", "new")
    assert daemon.ok("recv", "p.q", "-n", "2") == "1old\n2new\n"


def test_what_is_wrong_is_refused_with_file_and_line(daemon, tmp_path):
    before = daemon.ok("types")
    for text, words in (
            ("Drain{name='A'", "mine.lua:1: "),
            ("\n\nDrain{name='A', pash=1}", "mine.lua:3: "),
            ("Drain{name='ConsoleSink'}", "mine.lua: there is a block type 'ConsoleSink' already"),
            ("while true do end", "mine.lua:1: the time limit"),
            ("", "mine.lua: it defines no type")):
        result = load(daemon, tmp_path, text)
        assert result.code == 1 and words in result.err, result
        assert len(result.err.splitlines()) == 1, result
    (tmp_path / "latin.lua").write_bytes(b"-- \xe9\nDrain{name='A'}")
    assert daemon.ptctl("load", tmp_path / "latin.lua").code == 1
    assert daemon.ptctl("load", tmp_path / "nowhere.lua").code == 1
    assert daemon.ok("types") == before


def test_what_is_no_text_is_not_loaded(daemon, tmp_path):
    for text in ('Drain{name="Nul\0"}', "\x1bLua\x54\0"):
        result = load(daemon, tmp_path, text)
        assert result.code == 1 and "mine.lua' is not a text: it has NUL bytes" in result.err


def test_loading_is_described(daemon):
    document = daemon.call("rpc.discover")
    method = next(m for m in document["methods"] if m["name"] == "type.load")
    assert [p["name"] for p in method["params"]] == ["name", "text"]


def test_blocks_that_misbehave_are_bounded(daemon, tmp_path):
    load_ok(daemon, tmp_path, """
        Drain{name="Loops", push=function(self, m) while true do end end}
        Drain{name="Raises", push=function(self, m) error("no " .. m) end}
        Drain{name="Keeps", push=function(self, m)
          local s = self.state
          for i = 1, 100 do s[#s + 1] = m:copy() end
        end}
        Drain{name="Floods", push=function(self, m) while true do self:send(m) end end}""")
    daemon.create("p", "a = CLIFeeder(); q = QueueSink(); l = Loops(); r = Raises(); k = Keeps();"
                       "f = Floods(); a > l > q; a > r > q; a > k > q; a > f > q; a > q")
    daemon.create("other", "a = CLIFeeder(); q = QueueSink(); a > q")
    big = "x" * 60000
    with daemon.client() as rpc:
        for _ in range(4):
            number = rpc.post("block.send", engine="p", block="a", message=big)
            daemon.ok("send", "other.a", "meanwhile")
            assert "result" in rpc.answer(number)
        assert rpc.texts("p", "q", 4) == [big] * 4
        stats = {b["name"]: b for b in rpc.stats("p")["blocks"]}
        assert rpc.stats("p")["unexplained"] == 0
        for name in "lrf":
            assert stats[name]["dropped"] == {"error": 4} and stats[name]["errors"] == 4, name
        assert stats["k"]["dropped"]["error"] >= 1
        assert "not enough memory" in stats["k"]["last_error"]
        assert "time limit" in stats["l"]["last_error"]
        assert "mine.lua:3: no xxx" in stats["r"]["last_error"]
    assert daemon.ok("recv", "other.q", "-n", "4") == "meanwhile\n" * 4


def test_check_tells_of_blocks(daemons):
    daemon = daemons()
    (daemon.blocks / "wrong.lua").write_text("Drain{")
    done = subprocess.run([program("pipetoold"), "--check", "--config", "/dev/null", "--engines",
                           daemon.engines, "--blocks", daemon.blocks], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 1 and "wrong.lua:1: " in done.stderr
