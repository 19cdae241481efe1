# SPDX-License-Identifier: BSD-2-Clause
"""What should run and does not says so where one looks, and is tried again."""
import os
import shutil
import signal

import makers
from client import Refused
from conftest import eventually, ip

import pytest

NEVER = "[daemon]\nretry = 1h\n"  # what is tried again then is so for another reason
OFTEN = "[daemon]\nretry = 20ms\n"
ECHO = "s = CLIFeeder(); q = QueueSink(); s > q\n"


def row(daemon, engine="e"):
    rows = {e["engine"]: e for e in daemon.call("engine.list")["engines"]}
    return rows.get(engine, {})


def await_state(daemon, state, engine="e"):
    eventually(lambda: row(daemon, engine).get("state") == state, what=row(daemon, engine))
    return row(daemon, engine)


def reload(daemon, text=None, engine="e"):
    if text is not None:
        (daemon.engines / f"{engine}.pipe").write_text(text)
    daemon.process.send_signal(signal.SIGHUP)


def events_of(client):
    """Subscribes; returns a function that waits for an event of this name."""
    client.call("events.subscribe")

    def wait(name, **data):
        while True:
            event = client.notification("event")["params"]
            if event["name"] == name and data.items() <= event["data"].items():
                return event
    return wait


# ---- waiting for what is not there yet ----------------------------------------------------------

def test_an_interface_that_comes_after_boot_is_taken_at_once(daemons, network):
    daemon = daemons(config=NEVER, prefix=network.inside(network.left))
    reload(daemon, 's = SniffSource("late0"); q = QueueSink(); s > q')
    failed = await_state(daemon, "failed")
    assert "late0" in failed["why"] and failed["kept"] == "file"
    ip("-n", network.left, "link", "add", "late0", "type", "veth", "peer", "name", "late1")
    ip("-n", network.left, "link", "set", "late0", "up")
    assert "why" not in await_state(daemon, "running")


def test_an_address_that_comes_is_waited_for_also_after_a_crash(daemons, network):
    daemon = daemons(config=NEVER, prefix=network.inside(network.left))
    ip("-n", network.left, "address", "add", "10.9.0.77/24", "dev", "pl")
    daemon.create("e", 'p = TCPListenPipe("10.9.0.77", 7777); q = QueueSink(); p > q')
    daemon.kill()
    ip("-n", network.left, "address", "del", "10.9.0.77/24", "dev", "pl")
    daemon.start()
    assert "10.9.0.77" in await_state(daemon, "failed")["why"]
    ip("-n", network.left, "address", "add", "10.9.0.77/24", "dev", "pl")
    await_state(daemon, "running")


def test_a_file_that_comes_is_waited_for(daemons, tmp_path):
    daemon = daemons(config=OFTEN)
    source = tmp_path / "in.pcap"
    reload(daemon, f"r = RdpcapSource('{source}'); q = QueueSink(); r > q")
    with daemon.client() as client:
        wait = events_of(client)
        await_state(daemon, "failed")
        os.rename(makers.pcap(tmp_path / "whole.pcap", makers.some_packets(3)), source)
        wait("engine.state", state="running")
    eventually(lambda: daemon.client().stats("e", "q")["in"] == 3)
    assert daemon.log().count("engine e does not run") == 1  # and not once for each try
    assert "engine e runs" in daemon.log()
    assert [s["state"] for s in daemon.call("engine.log", {"engine": "e"})["states"]] == ["failed", "running"]


def test_a_kept_engine_is_tried_again_until_it_is_stopped(daemons, tmp_path):
    daemon = daemons(config=OFTEN)
    folder = tmp_path / "away"
    folder.mkdir()
    daemon.create("e", f"s = CLIFeeder(); s > WrpcapSink('{folder}/out.pcap', linktype=147)")
    shutil.rmtree(folder)
    daemon.kill()
    daemon.start()
    why = await_state(daemon, "failed")["why"]
    assert "out.pcap" in why
    assert why in daemon.ok("show", "e") and "failed" in daemon.ok("list")
    refusal = daemon.ptctl("start", "e")
    assert refusal.code == 1 and "out.pcap" in refusal.err
    assert row(daemon)["state"] == "failed"  # it should run all the same
    daemon.ok("stop", "e")
    stopped = row(daemon)
    assert stopped["state"] == "stopped" and "why" not in stopped
    folder.mkdir()
    daemon.kill()
    daemon.start()
    assert row(daemon)["state"] == "stopped"
    daemon.ok("start", "e")
    assert row(daemon)["state"] == "running"


def test_a_changed_graph_is_tried_at_once(daemons, tmp_path):
    daemon = daemons(config=NEVER)
    reload(daemon, f"r = RdpcapSource('{tmp_path}/none.pcap'); q = QueueSink(); r > q")
    await_state(daemon, "failed")
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets(3))
    daemon.ok("set", "e.r", f"fname={source}")
    assert await_state(daemon, "running")["differs"] is True


def test_what_is_being_started_is_listed(daemons):
    daemon = daemons(config=NEVER + "[script]\ntime = 2s\n")
    daemon.create("other", ECHO)
    reload(daemon, "t = TransformDrain('(function() while true do end end)()')")
    await_state(daemon, "starting")
    assert daemon.call("engine.show", engine="e")["state"] == "starting"
    daemon.ok("send", "other.s", "x")
    assert "time limit" in await_state(daemon, "failed")["why"]


def test_a_start_by_hand_that_is_refused_leaves_it_stopped(daemon, tmp_path):
    daemon.create("e", f"r = RdpcapSource('{tmp_path}/none.pcap'); r > Sink()", start=False)
    with daemon.client() as client:
        wait = events_of(client)
        assert daemon.ptctl("start", "e").code == 1
        assert "none.pcap" in wait("engine.state", state="stopped")["data"]["why"]
    assert row(daemon)["state"] == "stopped" and "none.pcap" in row(daemon)["why"]
    makers.pcap(tmp_path / "none.pcap", makers.some_packets(1))
    daemon.ok("start", "e")
    assert row(daemon)["state"] == "running" and "why" not in row(daemon)


def test_an_engine_whose_types_are_missing_keeps_its_graph(daemons):
    """It is there without blocks, cannot be changed, and has all of them when the type is back."""
    daemon = daemons(config=NEVER)
    script = daemon.blocks / "mine.lua"
    script.write_text('Drain{name = "Mine", doc = [[Mine]], push = function(self, m) self:send(m) end}')
    reload(daemon)
    eventually(lambda: any(t["name"] == "Mine" for t in daemon.call("type.list")["types"]))
    daemon.create("runs", "s = CLIFeeder(); q = QueueSink(); s > Mine() > q")
    daemon.create("stands", "Mine(name='m')", start=False)
    before = [daemon.ok("export", e) for e in ("runs", "stands")]
    script.unlink()
    daemon.kill()
    daemon.start()
    for engine in ("runs", "stands"):
        assert "Mine" in await_state(daemon, "failed", engine)["why"]
        refusal = daemon.ptctl("apply", engine, "Sink()")
        assert refusal.code == 1 and "Mine" in refusal.err
        assert "Mine" in daemon.ptctl("start", engine).err
    script.write_text('Drain{name = "Mine", doc = [[Mine]], push = function(self, m) self:send(m) end}')
    reload(daemon)
    await_state(daemon, "running", "runs")
    await_state(daemon, "stopped", "stands")
    assert [daemon.ok("export", e) for e in ("runs", "stands")] == before


# ---- files --------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, words", [
    ("s = CLIFeeder()\ns > > q", "line 2, column 5"), ("Nothing()", "no block type 'Nothing'"),
    ("# nothing at all\n\n", "no statement"), ("", "no statement"),
    ("t = TransformDrain('nothing')", "line 1, column")])
def test_a_file_that_cannot_be_used_is_an_engine_without_blocks(daemons, text, words):
    daemon = daemons(config=NEVER)
    (daemon.engines / "e.pipe").write_text(text)
    daemon.kill()
    daemon.start()
    failed = row(daemon)
    assert (failed["state"], failed["blocks"], failed["differs"]) == ("failed", 0, True)
    assert words in failed["why"] and failed["file"] == str(daemon.engines / "e.pipe")
    assert words in daemon.log() and daemon.log().count("engine e does not run") == 1
    assert words in daemon.ptctl("start", "e").err
    (daemon.engines / "e.pipe").write_text(ECHO)
    daemon.ok("start", "e")
    mended = row(daemon)
    assert (mended["state"], mended["blocks"], mended["differs"]) == ("running", 2, False)
    assert "why" not in mended


def test_a_file_that_cannot_be_read_is_tried_again(daemons):
    daemon = daemons(config=OFTEN)
    (daemon.engines / "e.pipe").symlink_to(daemon.folder / "mounted-later")
    reload(daemon)
    assert "e.pipe" in await_state(daemon, "failed")["why"]
    (daemon.folder / "mounted-later").write_text(ECHO)
    await_state(daemon, "running")


@pytest.mark.parametrize("text, words", [("s = CLIFeder()", "CLIFeeder"), ("", "no statement"),
                                         ("# all gone", "no statement")])
def test_an_engine_goes_on_while_its_file_is_wrong(daemon, text, words):
    reload(daemon, ECHO)
    await_state(daemon, "running")
    daemon.ok("send", "e.s", "kept")
    with daemon.client() as client:
        wait = events_of(client)
        reload(daemon, text)
        assert words in wait("engine.state", state="running", differs=True)["data"]["why"]
    wrong = row(daemon)
    assert (wrong["state"], wrong["differs"]) == ("running", True) and words in wrong["why"]
    assert words in daemon.ok("show", "e") and "file, differs" in daemon.ok("list")
    reload(daemon, ECHO + "s > Sink()\n")
    eventually(lambda: row(daemon)["differs"] is False)
    assert "why" not in row(daemon)
    assert daemon.ok("recv", "e.q") == "kept\n"


def test_who_changes_an_engine_of_a_file_by_hand_sees_it(daemon):
    reload(daemon, ECHO)
    assert await_state(daemon, "running")["differs"] is False
    daemon.ok("add", "e", "s > Sink()")
    assert row(daemon)["differs"] is True
    daemon.ok("undo", "e")
    assert row(daemon)["differs"] is False
    daemon.create("mine", ECHO)
    assert not {"file", "differs", "why"} & row(daemon, "mine").keys()


def test_a_file_that_is_taken_away_is_why_its_engine_goes(daemon):
    reload(daemon, ECHO)
    await_state(daemon, "running")
    with daemon.client() as client:
        wait = events_of(client)
        (daemon.engines / "e.pipe").unlink()
        reload(daemon)
        assert "e.pipe" in wait("engine.destroyed")["data"]["why"]
    assert "engine e is destroyed: its file is gone" in daemon.log()


def test_a_failed_engine_of_a_file_goes_with_it(daemon):
    reload(daemon, "Nothing()")
    await_state(daemon, "failed")
    (daemon.engines / "e.pipe").unlink()
    reload(daemon)
    eventually(lambda: not row(daemon))
    eventually(lambda: daemon.ptctl("create", "e", ECHO).code == 0)  # its name is free a bit later


def test_every_verb_takes_a_failed_engine_as_a_stopped_one(daemons):
    daemon = daemons(config=NEVER)
    reload(daemon, "Nothing()")
    await_state(daemon, "failed")
    with daemon.client() as client:
        assert client.stats("e")["blocks"] == []
        with pytest.raises(Refused, match="no block"):
            client.send("e", "s", "x")
        daemon.ok("apply", "e", ECHO)
        client.send("e", "s", "waits")
    daemon.ok("stop", "e")
    assert row(daemon)["state"] == "stopped"
    daemon.ok("destroy", "e")
    assert not row(daemon)


def test_health_names_an_engine_that_does_not_answer_and_goes_on(daemons):
    """Its script takes 400 ms for each message."""
    daemon = daemons(config="[script]\ntime = 400ms\n")
    daemon.create("busy", "s = CLIFeeder(); s > FilterDrain('function(m) while true do end end') > Sink()")
    with daemon.client() as sender:
        def told():
            sender.write(b'{"method": "block.send", "params": {"engine": "busy", "block": "s", "message": ""}}\n')
            health = daemon.ptctl("health", "--timeout", "0.1")
            return health.code == 1 and "busy does not answer\n" in health.out and not health.err
        eventually(told)
        refused = daemon.ptctl("show", "busy", "--timeout", "0.1")
        assert refused.code == 0 or "no answer to engine.show of 'busy'" in refused.err
