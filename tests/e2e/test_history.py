# SPDX-License-Identifier: BSD-2-Clause
"""Graphs as text and back, and the revisions of a graph: each can be had again."""
import pytest

import graphs
from chance import LONG, SEED, chance
from client import Refused, add, link
from conftest import sanitized

SLOW = sanitized() and not LONG
GRAPHS = 24 if SLOW else 300
HISTORIES = 100 if LONG else 4 if SLOW else 12


def made(daemon, engine, text):
    """The engine is made of a text that may be longer than a command line."""
    result = daemon.ptctl("create", engine, "-f", "-", input=text)
    assert result.code == 0, (text, result)


def empty_plan(daemon, engine, text):
    """`export | apply`: there is nothing to do, and no revision comes of it."""
    before = daemon.call("engine.show", engine=engine)
    for more in (["--dry-run"], []):
        result = daemon.ptctl("-j", "apply", engine, "-f", "-", *more, input=text)
        assert result.code == 0, (text, result)
        assert '"plan": []' in result.out or '"plan":[]' in result.out, (text, result)
    assert daemon.call("engine.show", engine=engine) == before


@pytest.mark.parametrize("kind", [graphs.Meshed, graphs.Tree])
def test_what_export_prints_is_the_graph(daemon, kind):
    for number in range(GRAPHS // 2):
        dice = chance("export", kind.__name__, number)
        made(daemon, "a", kind(dice).text())
        exported = daemon.ok("export", "a")
        empty_plan(daemon, "a", exported)
        made(daemon, "b", exported)
        assert daemon.ok("export", "b") == exported, f"SEED={SEED}, number {number}"
        daemon.ok("destroy", "a")
        daemon.ok("destroy", "b")


STRINGS = ["", "'", '"', "\\", "\n", "#;", "'''", '"""', "a > b", "ä€𝄞", "\t\r", "{}", "%s", " x ",
           "None", "\\n", "\x7f", "\u2028"]


def test_text_of_any_kind_survives_export(daemon):
    with daemon.client() as rpc:
        for number, text in enumerate([*STRINGS, "".join(STRINGS)]):
            rpc.call("engine.create", engine="a", blocks=[
                {"name": "p", "type": "PeriodicSource", "params": {
                    "msg": [text, {"hex": "00ff" + text.encode().hex()}], "period": 1}}])
            exported = daemon.ok("export", "a")
            made(daemon, "b", exported)
            assert rpc.show("b", "p")["params"] == rpc.show("a", "p")["params"], (number, text)
            empty_plan(daemon, "a", exported)
            daemon.ok("destroy", "a")
            daemon.ok("destroy", "b")


def test_export_of_every_type_is_the_graph(daemon, tmp_path):
    """Every example of every type, but for those with a descriptor that came along."""
    seen = set()
    for name in (t["name"] for t in daemon.call("type.list")["types"]):
        for example in daemon.call("type.show", type=name)["examples"]:
            if '"fd"' in example:
                continue
            created = daemon.ptctl("create", "a", "-f", "-", input=example, cwd=tmp_path)
            assert created.code == 0, (example, created)
            exported = daemon.ok("export", "a")
            empty_plan(daemon, "a", exported)
            made(daemon, "b", exported)
            assert daemon.ok("export", "b") == exported, example
            seen.add(name)
            daemon.ok("destroy", "a")
            daemon.ok("destroy", "b")
    assert len(seen) >= 30


# ---- undo ---------------------------------------------------------------------------------------

class History:
    """Random changes of an engine, and what it was after each."""

    KINDS = {"Drain": {}, "TransformDrain": {"f": ["reverse", "upper", "truncate(3)"]},
             "TriggeredValve": {"start_state": [True, False]}, "UpDrain": {}, "DownDrain": {},
             "QueueSink": {"limit": ["1MiB", "2MiB"], "overflow": ["drop-oldest", "drop-newest"]},
             "TriggerDrain": {"f": ["always", "equals 'x'"]}, "CLIFeeder": {}}

    def __init__(self, daemon, rpc, dice, engine="e"):
        self.daemon, self.rpc, self.dice, self.engine = daemon, rpc, dice, engine
        self.count, self.exports = 0, {}

    def params(self, kind):
        return {name: self.dice.choice(values) for name, values in self.KINDS[kind].items()
                if self.dice.random() < 0.7 or name == "f"}

    def ops(self):
        """Operations, most of which go; what is refused leaves no trace."""
        shown = self.rpc.show(self.engine)
        names = [block["name"] for block in shown["blocks"]]
        found = []
        for _ in range(self.dice.choice([1, 1, 2, 5])):
            what = self.dice.random()
            kind = self.dice.choice(list(self.KINDS))
            some = self.dice.choice(names) if names else None
            if what < 0.4 or not names:
                self.count += 1
                names.append(f"b{self.count}")
                found.append(add(names[-1], kind, **self.params(kind)))
                if len(names) > 1:
                    found.append(link(some, names[-1], self.dice.choice(["low", "high"])))
            elif what < 0.5:
                names.remove(some)
                found.append({"op": "remove", "name": some})
            elif what < 0.7:
                found.append(link(self.dice.choice(names), some,
                                  self.dice.choice(["low", "high", "trigger"])))
            elif what < 0.8 and shown["links"]:
                found.append({"op": "unlink", **self.dice.choice(shown["links"])})
            elif what < 0.9:
                found.append({"op": "replace", "name": some, "type": kind,
                              "params": self.params(kind)})
            else:
                found.append({"op": "set", "name": some, "params": self.params(
                    next((b["type"] for b in shown["blocks"] if b["name"] == some), kind))})
        return found

    def step(self):
        before = self.daemon.ok("export", self.engine)
        try:
            result = self.rpc.call("engine.change", engine=self.engine, ops=self.ops())
        except Refused as error:
            assert error.kind in ("bad-link", "cycle", "no-such-block", "bad-parameter",
                                  "script"), error
            assert self.daemon.ok("export", self.engine) == before
            return
        self.remember(result["revision"])

    def remember(self, revision):
        export = self.daemon.ok("export", self.engine)
        assert self.exports.get(revision, export) == export, "a revision has changed"
        self.exports[revision] = export

    def log(self):
        return [r["revision"] for r in self.rpc.call("engine.log", engine=self.engine)["revisions"]]


@pytest.mark.parametrize("running", [False, True])
def test_undo_to_any_revision_is_that_revision(daemon, rpc, running):
    for number in range(HISTORIES):
        history = History(daemon, rpc, chance("undo", running, number))
        rpc.call("engine.create", engine="e", start=running)
        history.remember(rpc.show("e")["revision"])
        for _ in range(15):
            history.step()
        assert history.log() == sorted(history.exports)
        for revision in history.dice.sample(list(history.exports), len(history.exports)):
            result = rpc.call("engine.undo", engine="e", revision=revision)
            assert daemon.ok("export", "e") == history.exports[revision], revision
            history.remember(result["revision"])
            if history.dice.random() < 0.3:
                history.step()
        assert history.log() == sorted(history.exports)
        assert rpc.stats("e")["unexplained"] == 0
        rpc.call("engine.destroy", engine="e")


def test_undo_again_and_again_leads_to_the_beginning(daemon, rpc):
    history = History(daemon, rpc, chance("back"))
    rpc.call("engine.create", engine="e")
    history.remember(rpc.show("e")["revision"])
    while len(history.exports) < 10:
        history.step()
    for revision in sorted(history.exports, reverse=True)[1:]:
        daemon.ok("undo", "e")
        assert daemon.ok("export", "e") == history.exports[revision]
    nothing = daemon.ptctl("undo", "e")
    assert nothing.code == 1 and "nothing to undo" in nothing.err, nothing


def test_undo_dry_run_is_what_undo_does(daemon, rpc):
    history = History(daemon, rpc, chance("dry"))
    rpc.call("engine.create", engine="e")
    history.remember(rpc.show("e")["revision"])
    while len(history.exports) < 10:
        history.step()
    for revision in history.dice.sample(list(history.exports), 8):
        before = rpc.show("e")
        said = rpc.call("engine.undo", engine="e", revision=revision, dry_run=True)["plan"]
        assert rpc.show("e") == before
        assert rpc.call("engine.undo", engine="e", revision=revision)["plan"] == said


def test_a_plan_is_operations_that_lead_there(daemon, rpc):
    """Also one that sets what a block must be made anew for."""
    history = History(daemon, rpc, chance("plan"))
    for engine in ("e", "twin"):
        rpc.call("engine.create", engine=engine)
        rpc.change(engine, add("w", "WrpcapSink", fname="/tmp/a"))
    plan = rpc.change("e", {"op": "set", "name": "w", "params": {"fname": "/tmp/b"}})["plan"]
    assert plan[0]["restart"] is True
    rpc.change("twin", *plan)
    for engine in ("e", "twin"):
        rpc.change(engine, {"op": "remove", "name": "w"})
    for _ in range(30):
        before = rpc.show("e")["revision"]
        history.step()
        (last,) = rpc.call("engine.log", engine="e", revision=rpc.show("e")["revision"])["revisions"]
        if last["revision"] != before:
            rpc.change("twin", *(op for op in last["ops"] if op["op"] != "order"))
        shown = rpc.show("e")
        blocks = [{name: block[name] for name in ("name", "type", "params")}
                  for block in shown["blocks"]]
        left = rpc.call("engine.apply", engine="twin", dry_run=True, blocks=blocks,
                        links=shown["links"])["plan"]
        assert left in ([], [{"op": "order"}]), (last, left)


def test_the_oldest_revisions_are_forgotten_past_a_thousand(daemon, rpc):
    rpc.call("engine.create", engine="e", blocks=[{"name": "q", "type": "QueueSink"}])
    for limit in range(1, 1101):
        rpc.change("e", {"op": "set", "name": "q", "params": {"limit": limit}})
    log = [r["revision"] for r in rpc.call("engine.log", engine="e")["revisions"]]
    assert len(log) == 1000 and log == list(range(log[0], 1102))
    error = rpc.refused("engine.undo", engine="e", revision=log[0] - 1)
    assert error.path == "$.revision" and str(log[0]) in error.message, error
    rpc.call("engine.undo", engine="e", revision=log[1])
    assert rpc.show("e", "q")["params"]["limit"] == log[1] - 1
    daemon.kill()
    daemon.start()
    with daemon.client() as later:
        again = [r["revision"] for r in later.call("engine.log", engine="e")["revisions"]]
        assert len(again) == 1000 and again[-1] == 1102
        assert later.show("e", "q")["params"]["limit"] == log[1] - 1


# ---- what waits to be confirmed -----------------------------------------------------------------

DRAIN = {"op": "add", "name": "x", "type": "Drain"}


def test_only_the_revision_that_waits_is_confirmed(rpc):
    rpc.call("engine.create", engine="e", blocks=[{"name": "d", "type": "Drain"}])
    rpc.call("engine.change", engine="e", ops=[DRAIN], confirm_s=600)
    assert rpc.refused("engine.confirm", engine="e", revision=1).kind == "conflict"
    assert rpc.call("engine.confirm", engine="e", revision=2) == {"revision": 2}
    (told,) = rpc.call("engine.log", engine="e", revision=2)["revisions"]
    assert told["revision"] == 2 and "confirm" not in told
    assert rpc.refused("engine.log", engine="e", revision=9).kind == "bad-parameter"


def test_undoing_what_waits_needs_no_confirmation_and_ends_the_wait(rpc):
    rpc.call("engine.create", engine="e", blocks=[{"name": "d", "type": "Drain"}])
    rpc.call("engine.change", engine="e", ops=[DRAIN], confirm_s=600)
    assert rpc.refused("engine.undo", engine="e", confirm_s=1).kind == "wrong-state"
    assert rpc.call("engine.undo", engine="e")["revision"] == 3
    assert not any("confirm" in told for told in rpc.call("engine.log", engine="e")["revisions"])
    assert rpc.refused("engine.confirm", engine="e").kind == "wrong-state"
    assert rpc.call("engine.change", engine="e", ops=[DRAIN])["revision"] == 4


TAKES_TIME = "(function() for _ = 1, 5e6 do end return function(m) return m end end)()"


def test_a_dry_run_does_not_open_the_way_for_others(daemons):
    """While a change is being made that is to be confirmed, none may come and take its place."""
    slow = [add("slow", "TransformDrain", f=TAKES_TIME)]
    daemon = daemons(config="[script]\ntime = 10s\n")
    with daemon.client() as rpc, daemon.client() as dry, daemon.client() as first:
        rpc.call("engine.create", engine="e")
        dry.post("engine.change", engine="e", ops=slow, confirm_s=600, dry_run=True)
        first.post("engine.change", engine="e", ops=slow, confirm_s=600)
        dry.answer()
        assert rpc.refused("engine.change", engine="e", ops=[add("d", "Drain")]).kind == "wrong-state"
        first.answer()
        assert rpc.call("engine.confirm", engine="e") == {"revision": 1}


def test_a_dry_run_is_in_nobodys_way(rpc, daemon):
    rpc.call("engine.create", engine="e", blocks=[{"name": "d", "type": "Drain"}])
    with daemon.client() as other:
        for n in range(20):
            dry = other.post("engine.change", engine="e", ops=[dict(DRAIN, name=f"y{n}")],
                             dry_run=True, confirm_s=60)
            rpc.call("engine.change", engine="e", ops=[dict(DRAIN, name=f"x{n}")])
            other.answer(dry)
    assert not any("unconfirmed" in row for row in rpc.call("engine.list")["engines"])


def test_what_is_brought_back_is_spelled_as_it_was(daemon, rpc):
    """A default that is written down is no difference to apply, but it is one to the letter."""
    rpc.call("engine.create", engine="e", blocks=[
        {"name": "v", "type": "TriggeredValve", "params": {"start_state": True}}])
    first = daemon.ok("export", "e")
    rpc.change("e", {"op": "set", "name": "v", "params": {"start_state": False}})
    rpc.change("e", {"op": "replace", "name": "v", "type": "TriggeredValve"})
    assert "True" in first and "True" not in daemon.ok("export", "e")
    assert rpc.call("engine.undo", engine="e", revision=1)["plan"] == [{"op": "order"}]
    assert daemon.ok("export", "e") == first
