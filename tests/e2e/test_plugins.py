# SPDX-License-Identifier: BSD-2-Clause
"""Plugins built outside the tree, against what is installed, and loaded by the daemon."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from transcript import blocks

DOCS = pathlib.Path(__file__).parents[2] / "docs/writing-blocks.md"
SOURCES = pathlib.Path(__file__).parent.parent / "plugin"


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    """A folder with all of tests/plugin built as somebody would who has only the package."""
    if not (shutil.which("meson") and shutil.which("make") and shutil.which("pkg-config")):
        pytest.skip("meson, make or pkg-config is not there")
    root, build = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("plugin")
    subprocess.run(["meson", "install", "-C", os.environ["PIPETOOL_BUILD"], "--no-rebuild",
                    "--quiet", "--destdir", root], check=True, timeout=120)
    (found,) = root.rglob("pipetool.pc")
    for source in SOURCES.iterdir():
        if source.is_file():
            shutil.copy(source, build)
    for _, body in blocks(DOCS.read_text(), "c"):
        (build / re.match(r"/\* (\w+\.c) \*/", body).group(1)).write_text(body)
    env = {**os.environ, "PKG_CONFIG_LIBDIR": str(found.parent), "PKG_CONFIG_SYSROOT_DIR": str(root),
           "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1"}
    env.pop("CFLAGS", None)
    made = subprocess.run(["make", "-C", build], env=env, capture_output=True, text=True,
                          timeout=120, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert str(root) in made.stdout, "built against something else than what was installed"
    return build


@pytest.fixture
def loaded(daemons, plugins, tmp_path):
    """A daemon that was given these plugins."""
    def make(*names):
        daemon = daemons(wait=False)
        daemon.kill()
        for name in names:
            shutil.copy(plugins / f"{name}.so", daemon.blocks)
        daemon.start()
        return daemon
    return make


def lines(daemon, name):
    return [line for line in daemon.log().splitlines() if f"{name}.so: " in line]


def test_a_plugin_is_a_block_as_any(loaded):
    daemon = loaded("turnstile")
    with daemon.client() as rpc:
        row = next(t for t in rpc.call("type.list")["types"] if t["name"] == "Turnstile")
        assert row == {"name": "Turnstile", "role": "drain",
                       "summary": "Passes a number of messages after each trigger",
                       "origin": str((daemon.blocks / "turnstile.so").resolve())}
        shown = rpc.call("type.show", type="Turnstile")
        assert shown["origin"] == row["origin"] and shown["picture"] and shown["examples"]
        assert [p["name"] for p in shown["params"]] == ["turns"]
        error = rpc.refused("engine.create", engine="bad", blocks=[
            {"name": "t", "type": "Turnstile", "params": {"turns": 0}}])
        assert error.kind == "bad-parameter" and error.path == "$.blocks[0].params.turns"
    assert "Turnstile" in daemon.ok("types")
    assert "turns" in daemon.ok("help", "Turnstile")
    daemon.create("p", "a = CLIFeeder(); t = Turnstile(2); q = QueueSink(); a > t > q")
    daemon.ok("send", "p.a", "one")
    daemon.ok("trigger", "p.t")
    daemon.ok("send", "p.a", "two", "three", "four")
    daemon.ok("set", "p.t", "turns=1")
    daemon.ok("trigger", "p.t")
    daemon.ok("send", "p.a", "five", "six")
    assert daemon.ok("recv", "p.q", "-n", "3") == "two\nthree\nfive\n"
    stats = daemon.call("engine.stats", {"engine": "p"})
    assert stats["unexplained"] == 0
    assert next(b for b in stats["blocks"] if b["name"] == "t")["filtered"] == {"closed": 3}


def test_the_documented_drain_source_and_block_that_keeps_something(loaded):
    daemon = loaded("nonempty", "countdown", "tally")
    daemon.create("p", "c = Countdown(from=2); a = CLIFeeder(); n = NonEmpty(); t = Tally()",
                  "q = QueueSink(); c > n; a > n > t > q")
    assert daemon.ok("recv", "p.q", "-n", "3") == "2\n1\n0\n"
    daemon.ok("send", "p.a", "", "last")
    daemon.ok("set", "p.t", "step=10")
    daemon.ok("send", "p.a", "one more")
    assert daemon.ok("recv", "p.q", "-n", "2") == "last\none more\n"
    with daemon.client() as rpc:
        assert rpc.show("p", "c")["state"] == "exhausted"
        assert rpc.show("p", "t")["now"] == {"seen": 14}
        stats = rpc.stats("p")
        assert stats["unexplained"] == 0
        assert next(b for b in stats["blocks"] if b["name"] == "n")["filtered"] == {"empty": 1}
    daemon.ok("stop", "p")
    daemon.ok("start", "p")
    assert daemon.ok("recv", "p.q", "-n", "3") == "2\n1\n0\n"
    assert daemon.client().show("p", "t")["now"] == {"seen": 30}, "a start begins anew"


def test_what_cannot_be_loaded_is_told_and_the_rest_goes_on(loaded):
    daemon = loaded("old_api", "no_symbol", "taken", "crooked", "turnstile")
    (daemon.blocks / "not-a-name.so").write_bytes(b"")
    (daemon.blocks / "rubbish.so").write_bytes(b"no shared object")
    os.mkfifo(daemon.blocks / "pipe.so")
    daemon.kill()
    daemon.start()
    (old,) = lines(daemon, "old_api")[-1:]
    assert "made for version 42 of <pipetool/block.h>, this is version 1" in old
    (lost,) = lines(daemon, "no_symbol")[-1:]
    assert "no symbol 'pt_types_no_symbol'" in lost and "PT_TYPES(no_symbol, &type)" in lost
    (taken,) = lines(daemon, "taken")[-1:]
    assert "there is a block type 'Drain' already: it is built in" in taken
    crooked = "\n".join(lines(daemon, "crooked"))
    assert "the picture lacks a low exit" in crooked
    assert "a route between ports that the block has not" in crooked
    assert "its default: 'n' must be an integer" in crooked
    assert "letters, digits and '_'" in "\n".join(lines(daemon, "not-a-name"))
    assert "invalid ELF header" in "\n".join(lines(daemon, "rubbish")) \
        or "file too short" in "\n".join(lines(daemon, "rubbish"))
    assert "it is not a file" in "\n".join(lines(daemon, "pipe"))
    names = {t["name"]: t["origin"] for t in daemon.call("type.list")["types"]}
    assert "Turnstile" in names and names["Drain"] == "built-in"
    assert not {"Old", "Lost", "FreeName", "Crooked"} & set(names)


def test_a_plugin_that_fails_in_open_refuses_the_start(loaded):
    daemon = loaded("shut")
    daemon.create("p", "a = CLIFeeder(); s = Shut(); a > s", start=False)
    before = daemon.ok("export", "p")
    refused = daemon.ptctl("start", "p")
    assert refused.code == 1 and "s is shut; use another door" in refused.err
    assert daemon.ok("export", "p") == before
    daemon.create("r", "a = CLIFeeder(); q = QueueSink(); a > q")
    refused = daemon.ptctl("add", "r", "a > Shut()")
    assert refused.code == 1 and "use another door" in refused.err
    daemon.ok("send", "r.a", "goes on")
    assert daemon.ok("recv", "r.q") == "goes on\n"


def test_a_name_is_not_taken_by_lua(loaded):
    daemon = loaded("turnstile")
    (daemon.blocks / "t.lua").write_text("Drain{name='Turnstile'}")
    refused = daemon.ptctl("load", daemon.blocks / "t.lua")
    assert refused.code == 1 and "turnstile.so" in refused.err and "already" in refused.err
