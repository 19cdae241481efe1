# SPDX-License-Identifier: BSD-2-Clause
"""A crowd: many clients make, change and destroy engines at once, each at random."""
import collections
import random
import threading
import time

import pytest

from chance import LONG, Held, chance, explained
from client import Client, add, link, unlink

CLIENTS, ENGINES = (200, 1000) if LONG else (60, 150)
KINDS = ["Drain", "TransformDrain", "QueueSink", "UpDrain", "DownDrain", "CLIFeeder", "Sink",
         "TriggeredValve", "TriggerDrain"]
PARAMS = {"TransformDrain": {"f": "reverse"}, "TriggerDrain": {"f": "equals 'x'"},
          "QueueSink": {"limit": "64KiB"}}
PORTS = {"low": {"CLIFeeder": "out", "Sink": "in", "QueueSink": "in", "UpDrain": "in",
                 "DownDrain": "out"},
         "high": {"CLIFeeder": "", "Sink": "in", "QueueSink": "in", "UpDrain": "out",
                  "DownDrain": "in"}}


def has(kind, canal, way):
    return PORTS[canal].get(kind, "in out").count(way) > 0


class Model:
    """What a client knows of an engine that only it changes."""

    def __init__(self):
        self.exists = self.running = False
        self.blocks, self.links = {}, set()

    def clear(self):
        self.__init__()

    def closes_a_cycle(self, source, target, canal):
        """Whether what `source` sends would come back to it: in on a canal, out on the same, but
        for those blocks that change it."""
        turns = {"UpDrain": "high", "DownDrain": "low"}
        seen, ahead = set(), [(target, canal)]
        while ahead:
            block, entry = ahead.pop()
            way_out = turns.get(self.blocks[block], entry)
            if (block, way_out) == (source, canal):
                return True
            if (block, way_out) not in seen:
                seen.add((block, way_out))
                ahead += [(b, c) for a, b, c in self.links if (a, c) == (block, way_out)]
        return False


class Visitor(threading.Thread):
    """A client with some engines of its own; it knows what each request has to come to, and now and
    then it asks for something of somebody else's, of which only the kinds of refusal are known."""

    def __init__(self, path, number, dice, until, ephemeral):
        super().__init__()
        self.path, self.dice, self.until, self.ephemeral = path, dice, until, ephemeral
        self.engines = {f"e{n}": Model() for n in range(number, ENGINES, CLIENTS)}
        self.count, self.kinds, self.fault = 0, collections.Counter(), None

    def run(self):
        try:
            with Client(self.path, timeout=120) as self.rpc:
                while time.monotonic() < self.until:
                    self.step()
                for name, model in self.engines.items():
                    self.look(name, model)
                    if model.exists:
                        self.ask("engine.destroy", name, None)
        except Exception as fault:  # told by the thread that waits for this one
            self.fault = fault

    def ask(self, method, engine, refusal, **params):
        """Whether it was done: as it must be where no refusal is expected, and only there."""
        number = self.rpc.post(method, {"engine": engine, **params})
        answer = self.rpc.answer(number)
        self.count += 1
        error = answer.get("error")
        if error:
            assert explained(error)
            self.kinds[error["data"]["kind"]] += 1
        kind = error and error["data"]["kind"]
        assert kind == refusal, (method, engine, params, refusal, answer)
        return None if error else answer["result"]

    def step(self):
        name, model = self.dice.choice(list(self.engines.items()))
        what = self.dice.random()
        if what < 0.05:
            self.disturb()
        elif not model.exists or what < 0.08:
            self.create(name, model)
        elif what < 0.13:
            self.ask("engine.destroy", name, None)
            model.clear()
        elif what < 0.23:
            model.running = not model.running
            self.ask("engine.start" if model.running else "engine.stop", name, None)
        elif what < 0.45:
            self.send(name, model)
        elif what < 0.5:
            self.look(name, model)
        else:
            self.change(name, model)

    def create(self, name, model):
        start = self.dice.random() < 0.5
        self.ask("engine.create", name, "exists" if model.exists else None, start=start,
                 ephemeral=self.ephemeral)
        if not model.exists:
            model.exists, model.running = True, start

    def send(self, name, model):
        block = self.dice.choice([*model.blocks, "nobody"])
        kind = model.blocks.get(block)
        refusal = "no-such-block" if not kind else None if kind == "CLIFeeder" else "wrong-state"
        self.ask("block.send", name, refusal, block=block, messages=["x", "y", "z" * 100])

    def change(self, name, model):
        what = self.dice.random()
        new = f"b{self.count}"
        some = self.dice.choice([*model.blocks, "nobody"])
        other = self.dice.choice([*model.blocks, "nobody"])
        if what < 0.4 and len(model.blocks) < 30:
            kind = self.dice.choice(KINDS)
            self.ask("engine.change", name, None, ops=[add(new, kind, **PARAMS.get(kind, {}))])
            model.blocks[new] = kind
        elif what < 0.5:
            refusal = None if some in model.blocks else "no-such-block"
            self.ask("engine.change", name, refusal, ops=[{"op": "remove", "name": some}])
            model.blocks.pop(some, None)
            model.links = {k for k in model.links if some not in k[:2]}
        elif what < 0.55:  # one fault, and nothing of it is done
            self.ask("engine.change", name, "no-such-block",
                     ops=[add(new, "Drain"), {"op": "remove", "name": "nobody"}])
        elif what < 0.6 and model.links:
            one = self.dice.choice(sorted(model.links))
            self.ask("engine.change", name, None, ops=[unlink(*one)])
            model.links.remove(one)
        else:
            self.link(name, model, some, other, self.dice.choice(["low", "high"]))

    def link(self, name, model, source, target, canal):
        refusal = None
        if "nobody" in (source, target):
            refusal = "no-such-block"
        elif not (has(model.blocks[source], canal, "out") and
                  has(model.blocks[target], canal, "in")):
            refusal = "bad-link"
        elif model.closes_a_cycle(source, target, canal):
            refusal = "cycle"
        if self.ask("engine.change", name, refusal, ops=[link(source, target, canal)]):
            model.links.add((source, target, canal))

    def disturb(self):
        """Somebody else's engine: it may be there or not, and be anything."""
        engine = f"e{self.dice.randrange(ENGINES)}"
        method, params = self.dice.choice([
            ("engine.show", {}), ("engine.stats", {}), ("engine.graph", {}), ("engine.log", {}),
            ("block.recv", {"block": "b1"}), ("engine.change", {"ops": [], "dry_run": True})])
        answer = self.rpc.answer(self.rpc.post(method, {"engine": engine, **params}))
        if "error" in answer:
            assert explained(answer["error"])
            assert answer["error"]["data"]["kind"] in (
                "no-such-engine", "no-such-block", "wrong-state"), (method, answer)
        elif method == "engine.stats":
            assert answer["result"]["unexplained"] == 0, answer

    def look(self, name, model):
        """It is what the model says, and its ledger balances."""
        shown = self.ask("engine.show", name, None if model.exists else "no-such-engine")
        if not shown:
            return
        assert shown["state"] == ("running" if model.running else "stopped")
        assert {b["name"]: b["type"] for b in shown["blocks"]} == model.blocks
        assert {(k["from"], k["to"], k["canal"]) for k in shown["links"]} == model.links
        assert self.ask("engine.stats", name, None)["unexplained"] == 0


class Pinger(threading.Thread):
    """Asks daemon.info all the time, and remembers the longest wait. Nothing depends on how long
    that is: `./dev bench` measures."""

    def __init__(self, path):
        super().__init__()
        self.path, self.over, self.worst_s, self.count = path, threading.Event(), 0, 0

    def run(self):
        with Client(self.path, timeout=120) as rpc:
            while not self.over.wait(0.005):
                began = time.monotonic()
                rpc.call("daemon.info")
                self.worst_s = max(self.worst_s, time.monotonic() - began)
                self.count += 1


def visit(daemon, seconds, ephemeral):
    """The crowd comes, and is gone when this returns: how many requests, and of what refusals."""
    until, dice = time.monotonic() + seconds, chance("crowd", seconds)
    visitors = [Visitor(daemon.socket, n, random.Random(dice.random()), until, ephemeral)
                for n in range(CLIENTS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    for visitor in visitors:
        if visitor.fault:
            raise visitor.fault
    kinds = sum((visitor.kinds for visitor in visitors), collections.Counter())
    return sum(visitor.count for visitor in visitors), kinds


EXPLAINED = {"bad-link", "cycle", "no-such-block", "exists", "wrong-state"}


@pytest.mark.parametrize("ephemeral", [True, False], ids=["in memory", "in the journal"])
def test_a_crowd_has_no_refusal_that_it_cannot_explain(daemons, ephemeral):
    """Ten seconds together; the whole crowd and a minute with $PIPETOOL_LONG."""
    daemon = daemons(config=f"[limits]\nengines = {ENGINES}\n")
    visit(daemon, 1, ephemeral)  # whatever is made once and kept is made now
    held = Held(daemon.process)
    held.remember()
    pinger = Pinger(daemon.socket)
    pinger.start()
    try:
        count, kinds = visit(daemon, 30 if LONG else 4, ephemeral)
        while not EXPLAINED <= set(kinds):  # a disk that is slow lets few requests come
            more, others = visit(daemon, 4, ephemeral)
            count, kinds = count + more, kinds + others
    finally:
        pinger.over.set()
        pinger.join()
    print(f"{count} requests of {CLIENTS} clients; refused: {dict(kinds)}; "
          f"daemon.info {pinger.count} times, the longest {pinger.worst_s * 1000:.1f} ms")
    assert pinger.count
    assert daemon.call("engine.list")["engines"] == []
    held.nothing_more(growth_kib=16384)
