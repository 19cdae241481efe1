# SPDX-License-Identifier: BSD-2-Clause
"""Events: state first, then what happens, to those who subscribed and to nobody else."""
import json
import os
import signal
import subprocess

import pytest

from client import add, link
from conftest import DEADLINE, program


class Watcher:
    def __init__(self, daemon, engine=None):
        self.client = daemon.client()
        self.state = self.client.call("events.subscribe",
                                      {"engine": engine} if engine else None)["state"]
        self.seen = []

    def until(self, name, **wanted):
        """The first event of that name whose members are as wanted; those before it are kept."""
        while True:
            event = self.client.notification("event", DEADLINE)["params"]
            self.seen.append(event)
            if event["name"] == name and all(event.get(k) == v for k, v in wanted.items()):
                return event


@pytest.fixture
def control(daemon):
    return daemon.client()


def make(control, engine, *ops, start=True):
    blocks = [op for op in ops if op["op"] == "add"]
    links = [op for op in ops if op["op"] == "link"]
    strip = lambda rows: [{k: v for k, v in row.items() if k != "op"} for row in rows]
    control.call("engine.create", {"engine": engine, "blocks": strip(blocks),
                                   "links": strip(links), "start": start})


FEED = (add("s", "CLIFeeder"), add("o", "Sink"), link("s", "o"))


def test_state_comes_first(daemon, control):
    make(control, "a", *FEED)
    make(control, "b", add("x", "Drain"), start=False)
    state = Watcher(daemon).state
    assert [(e["engine"], e["state"], e["revision"]) for e in state["engines"]] == \
        [("a", "running", 1), ("b", "stopped", 1)]
    shown = control.call("engine.show", {"engine": "a"})
    assert state["engines"][0]["links"] == shown["links"]
    assert [b["name"] for b in state["engines"][0]["blocks"]] == ["s", "o"]


def test_the_life_of_an_engine_is_told_in_order(daemon, control):
    watcher = Watcher(daemon)
    make(control, "a", *FEED)
    control.call("engine.change", {"engine": "a", "ops": [add("d", "Drain")], "comment": "more"})
    control.call("engine.stop", {"engine": "a"})
    control.call("engine.undo", {"engine": "a"})
    control.call("engine.destroy", {"engine": "a"})
    watcher.until("engine.destroyed", engine="a")
    names = [e["name"] for e in watcher.seen if e["name"].startswith("engine.")]
    assert names == ["engine.created", "engine.changed", "engine.state", "engine.changed",
                     "engine.destroyed"]
    created, changed, state, undone, _ = [e for e in watcher.seen
                                          if e["name"].startswith("engine.")]
    assert created["data"]["state"] == "running"
    assert changed["revision"] == 2 and changed["uid"] == os.getuid()
    assert changed["pid"] == os.getpid() and changed["data"]["comment"] == "more"
    assert changed["data"]["ops"] == [{"op": "add", "name": "d", "type": "Drain", "params": {}}]
    assert state["data"] == {"state": "stopped"}
    assert undone["revision"] == 3 and undone["data"]["undoes"] == 1


def test_only_the_engine_that_was_asked_for_is_told(daemon, control):
    make(control, "a", *FEED)
    make(control, "b", *FEED)
    watcher = Watcher(daemon, "b")
    assert [e["engine"] for e in watcher.state["engines"]] == ["b"]
    control.call("engine.change", {"engine": "a", "ops": [add("d", "Drain")]})
    control.call("engine.change", {"engine": "b", "ops": [add("d", "Drain")]})
    watcher.until("engine.changed")
    assert {e["engine"] for e in watcher.seen} == {"b"}


def test_errors_states_and_drops_of_blocks_are_told(daemon, control):
    watcher = Watcher(daemon)
    make(control, "a", add("s", "CLIFeeder"), add("d", "TransformDrain", f="function(m) error('no') end"),
         link("s", "d"))
    control.send("a", "s", "x", "y", "z")
    assert "no" in watcher.until("block.error", block="d")["data"]["message"]
    dropped = watcher.until("block.dropped", block="d")["data"]["dropped"]
    assert dropped == {"error": 3}
    control.call("block.close", {"engine": "a", "block": "s"})
    assert watcher.until("block.state", block="s")["data"] == {"state": "exhausted"}


def test_a_state_that_does_not_last_is_told(daemon, control):
    watcher = Watcher(daemon)
    make(control, "a", add("s", "CLIFeeder"), add("d", "Drain"), link("s", "d"))
    control.call("block.close", {"engine": "a", "block": "s"})
    control.call("engine.destroy", {"engine": "a"})
    assert watcher.until("block.state", engine="a")["data"] == {"state": "exhausted"}
    watcher.until("engine.destroyed", engine="a")


def test_what_is_filtered_is_no_event(daemon, control):
    watcher = Watcher(daemon)
    make(control, "a", add("s", "CLIFeeder"), add("v", "TriggeredValve", start_state=False),
         add("n", "FilterDrain", f="never"), add("d", "TransformDrain", f="function(m) error('no') end"),
         link("s", "v"), link("s", "n"), link("s", "d"))
    control.send("a", "s", "x", "y")
    assert watcher.until("block.dropped")["block"] == "d"
    stats = {name: control.stats("a", name) for name in "svnd"}
    assert stats["v"]["filtered"] == {"closed": 2} and stats["n"]["filtered"] == {"filtered": 2}
    assert stats["d"]["dropped"] == {"error": 2} and not stats["d"]["filtered"]
    assert not any(stats[name]["dropped"] for name in "svn")
    assert {e["block"] for e in watcher.seen if e["name"] == "block.dropped"} == {"d"}


def test_drops_and_states_of_before_are_not_told_again(daemon, control):
    make(control, "a", add("s", "CLIFeeder"), add("q", "QueueSink", limit=1, overflow="drop-newest"),
         add("over", "CLIFeeder"), link("s", "q"))
    control.send("a", "s", *["old"] * 20000)
    control.call("block.close", {"engine": "a", "block": "over"})
    watcher = Watcher(daemon)
    told = None
    while not told:  # the engine is looked at once before drops can be told
        control.send("a", "s", "new")
        make(control, "tick", add("x", "Drain"), start=False)
        control.call("engine.destroy", {"engine": "tick"})
        watcher.until("engine.destroyed", engine="tick")
        told = [e for e in watcher.seen if e["name"] == "block.dropped"]
    assert sum(told[0]["data"]["dropped"].values()) < 20000
    assert not [e for e in watcher.seen if e["name"] == "block.state" and e["engine"] == "a"]


def test_a_change_that_is_not_confirmed_is_told_to_go_back(daemon, control):
    make(control, "a", *FEED)
    watcher = Watcher(daemon)
    control.call("engine.change", {"engine": "a", "ops": [add("d", "Drain")], "confirm_s": 0.2})
    changed = watcher.until("engine.changed", revision=2)
    assert changed["data"]["confirm"]["back"] == 1
    back = watcher.until("engine.changed", revision=3)
    assert "uid" not in back and back["data"]["undoes"] == 1
    control.call("engine.change", {"engine": "a", "ops": [add("d", "Drain")], "confirm_s": 60})
    control.call("engine.confirm", {"engine": "a"})
    assert watcher.until("engine.confirmed")["revision"] == 4


def test_who_did_not_subscribe_hears_nothing(daemon, control):
    other = daemon.client()
    watcher = Watcher(daemon)
    make(control, "a", *FEED)
    watcher.until("engine.created")
    assert other.call("daemon.info")["engines"] == 1  # the first line that comes is the answer


def test_an_unknown_engine_is_refused(control):
    refusal = control.refused("events.subscribe", {"engine": "nil"})
    assert refusal.kind == "no-such-engine"


def test_ptctl_shows_events_as_lines_and_as_json(daemon, control):
    def watch(*arguments):
        return subprocess.Popen([program("ptctl"), "-s", daemon.socket, "events", "--ready",
                                 *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env={**os.environ, "NO_COLOR": "1"})
    make(control, "a", *FEED)
    plain, as_json = watch(), watch("-j")
    for process in (plain, as_json):
        assert process.stderr.readline()  # it has begun
    control.call("engine.change", {"engine": "a", "ops": [add("d", "Drain")], "comment": "why"})
    assert plain.stdout.readline() == "a is running, revision 1, blocks: 2, links: 1\n"
    line = plain.stdout.readline()
    assert "engine.changed" in line and "revision 2 by uid" in line and "# why" in line
    assert plain.stdout.readline() == "    add     d = Drain()\n"
    assert json.loads(as_json.stdout.readline())["state"]["engines"][0]["engine"] == "a"
    assert json.loads(as_json.stdout.readline())["name"] == "engine.changed"
    for process in (plain, as_json):
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE)
