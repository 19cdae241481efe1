# SPDX-License-Identifier: BSD-2-Clause
"""Random graphs as text that Python and the pipe language read alike, and what to do to them."""

TRANSFORMS = ["reverse", "upper", "truncate(3)", "function(m) return m .. '!' end",
              "function(m) return m:sub(2) end"]
PREDICATES = ["always", "never", "equals 'm3'", "function(m) return #m % 2 == 0 end",
              "function(m) return m:sub(-1) == '4' end"]


def like(message, text):
    """A text as what the message is: text or bytes."""
    return text if isinstance(message, str) else text.encode()


# What the pipe language writes as text, as Scapy's users write it.
FUNCTIONS = {
    "reverse": lambda m: m[::-1],
    "upper": lambda m: m.upper(),
    "lower": lambda m: m.lower(),
    "truncate(3)": lambda m: m[:3],
    "function(m) return m .. '!' end": lambda m: m + like(m, "!"),
    "function(m) return m:sub(2) end": lambda m: m[1:],
    "function(m) error('no') end": lambda m: 1 / 0,
    "always": lambda m: True,
    "never": lambda m: False,
    "equals 'trigger'": lambda m: m == like(m, "trigger"),
    "equals 'm3'": lambda m: m == like(m, "m3"),
    "function(m) return #m % 2 == 0 end": lambda m: len(m) % 2 == 0,
    "function(m) return m:sub(-1) == '4' end": lambda m: m[-1:] == like(m, "4"),
}


class Filter:
    """A FilterDrain as a user of Scapy's writes it, once a Drain stands behind it."""

    def __init__(self, f, name=None):
        super().__init__(name=name)
        self.f = f

    def push(self, msg):
        if self.f(msg):
            self._send(msg)

    def high_push(self, msg):
        if self.f(msg):
            self._high_send(msg)


# What each takes as its only parameter.
DRAINS = {"Drain": (), "TransformDrain": TRANSFORMS, "FilterDrain": PREDICATES, "UpDrain": (),
          "DownDrain": (), "TriggerDrain": PREDICATES, "TriggeredValve": [True, False],
          "TriggeredQueueingValve": [True, False], "TriggeredSwitch": [True, False],
          "TriggeredMessage": ["tm", "m4"]}
PLAIN = [kind for kind in DRAINS if not kind.startswith("Trigger")]
TRIGGERS = [kind for kind in DRAINS if kind.startswith("Trigger")]
FEEDERS = {"low": "CLIFeeder", "high": "CLIHighFeeder", "auto": "AutoSource"}
MESSAGES = [b"", b"\0", b"\n", b"\xff\xfe", "ä".encode(), b"m3", b"x4", b"it's", b"abc" * 99]
SINKS = {"q0": "QueueSink", "q1": "QueueSink", "c": "ConsoleSink", "r": "RawConsoleSink"}


def exits(kind):
    """The canals on which a block sends."""
    return {"CLIFeeder": ["low"], "CLIHighFeeder": ["high"], "UpDrain": ["high"],
            "DownDrain": ["low"], "RdpcapSource": ["low"]}.get(kind, ["low", "high"])


def entries(kind):
    return {"UpDrain": ["low"], "DownDrain": ["high"]}.get(kind, ["low", "high"])


class Random:
    """Blocks in an order in which data only goes forward; triggers also go back."""

    feeders, sinks, started = FEEDERS, SINKS, True

    def __init__(self, chance, size, kinds):
        self.chance = chance
        self.kinds = {**self.feeders}
        self.params = {}
        for n in range(chance.randrange(size // 2, size)):
            kind = chance.choice(kinds)
            self.kinds[f"d{n}"] = kind
            if DRAINS[kind]:
                self.params[f"d{n}"] = repr(chance.choice(DRAINS[kind]))
        self.drains = [name for name in self.kinds if name not in self.feeders]
        self.kinds.update(self.sinks)
        self.links = []

    def text(self):
        made = [f"{name} = {kind}({self.params.get(name, '')})" for name, kind in
                self.kinds.items()]
        return "\n".join(made + [self.statement(*link) for link in self.links])

    def statement(self, source, target, canal):
        if canal == "trigger":
            return f"{source} ^ {target}"
        sign = ">" if canal == "low" else ">>"
        # Scapy's drains have no "<<"
        if self.chance.random() < 0.2 and (canal == "low" or target in self.sinks):
            return f"{target} {sign.replace('>', '<')} {source}"
        return f"{source} {sign} {target}"

    def link_data(self, source, target):
        canals = [c for c in exits(self.kinds[source]) if c in entries(self.kinds[target])]
        if canals:
            both = canals if self.chance.random() < 0.3 else [self.chance.choice(canals)]
            self.links += [(source, target, canal) for canal in both]

    def steps(self, count):
        """Messages in groups, and now and then something more of a graph."""
        found, number = [], 0
        while number < count:
            feeder = self.chance.choice(list(self.feeders))
            canal = self.chance.choice(exits(self.feeders[feeder]))
            size = self.chance.choice([1, 1, 1, 2, 5, 5, 99])
            found.append(("send", feeder, [f"m{n}" for n in range(number, number + size)], canal))
            number += size
        if self.chance.random() < 0.4:
            found.insert(self.chance.randrange(len(found)), ("grow", self.more()))
        return found

    def more(self):
        """A queue that is linked while the engine runs, with or without something before it."""
        source = self.chance.choice([*self.feeders, *self.drains])
        canal = self.chance.choice(exits(self.kinds[source]))
        sign = ">" if canal == "low" else ">>"
        if self.chance.random() < 0.5:
            return f"q2 = QueueSink(); {source} {sign} q2"
        return f"q2 = QueueSink(); g = TransformDrain('reverse'); g {sign} q2; {source} {sign} g"


class Meshed(Random):
    """Ways part and meet again: what comes out depends on the order of the links."""

    def __init__(self, chance):
        size = chance.choice([3, 6, 9])
        triggers, kinds = chance.choice([
            (0, PLAIN), (0.4, [*PLAIN, *TRIGGERS]), (0.7, [*TRIGGERS, "TriggerDrain", "UpDrain"])])
        super().__init__(chance, size, kinds)
        for number, name in enumerate(self.drains):  # hardly any that nothing comes to
            for _ in range(3):
                self.link_data(chance.choice([*self.feeders, *self.drains[:number]]), name)
                if chance.random() < 0.7:
                    break
            if chance.random() < 0.7:
                self.link_data(name, chance.choice(list(self.sinks)))
        for _ in range(chance.randrange(size, size * 3)):
            if chance.random() < triggers:
                self.link_trigger()
            else:
                self.link_data(*self.forward())
        if self.links and chance.random() < 0.3:
            self.links.append(chance.choice(self.links))  # twice is once
        self.drop_endless()

    def forward(self):
        """A block and one behind it."""
        source = self.chance.choice([*self.feeders, *self.drains])
        later = self.drains if source in self.feeders else \
            self.drains[self.drains.index(source) + 1:]
        return source, self.chance.choice([*self.sinks, *later])

    def link_trigger(self):
        sources = [n for n in self.drains if self.kinds[n].startswith("Trigger")]
        targets = [n for n in self.drains if self.kinds[n].startswith("Triggered")]
        if not (sources and targets):
            return
        source, target = self.chance.choice(sources), self.chance.choice(targets)
        forward = self.drains.index(source) < self.drains.index(target)
        if forward or self.kinds[source] == "TriggerDrain":
            self.links.append((source, target, "trigger"))
        if forward and self.chance.random() < 0.4:  # what it sends meets what it has triggered
            self.link_data(source, target)

    def behind(self, name):
        """The kinds that a trigger of this block reaches in chain."""
        found = {self.kinds[name]}
        for source, target, canal in self.links:
            if (source, canal) == (name, "trigger"):
                found |= self.behind(target)
        return found

    def drop_endless(self):
        """A trigger that goes back may close what let the message through; what it releases or
        sends by a trigger could come round for ever, which Scapy ends by RecursionError."""
        sends = {"TriggeredMessage", "TriggeredQueueingValve"}
        self.links = [
            (s, t, c) for s, t, c in self.links
            if c != "trigger" or self.drains.index(s) < self.drains.index(t)
            or not self.behind(t) & sends]


class Vectors(Meshed):
    """Fed from a file, which pipetool reads in vectors; nobody may see that."""

    feeders = {"file": "RdpcapSource"}
    sinks = {**SINKS, "c": "RawConsoleSink"}  # the other shows a packet in its own way

    def __init__(self, chance, file):
        super().__init__(chance)
        self.params["file"] = repr(file)

    def steps(self, count):
        del count
        return [("finish", 30)]


class Changing(Meshed):
    """Any bytes go through a graph that is changed, triggered by hand, stopped and started."""

    sinks = {"q0": "QueueSink", "q1": "QueueSink"}

    def __init__(self, chance):
        super().__init__(chance)
        self.started = chance.random() < 0.7
        self.feeder = chance.choice(list(self.feeders))  # of several, any may come first at a start
        self.now = list(dict.fromkeys(self.links))

    def steps(self, count):
        found, running = [], self.started
        may_stop = "TriggeredQueueingValve" not in self.kinds.values()
        for _ in range(count):
            kind = self.chance.choice(["send"] * 5 + ["grow", "cut", "cut", "set", "trigger",
                                                      "link", "link", "restart", "stop"])
            if not running and self.chance.random() < 0.3:
                found.append(("start",))
                running = True
            elif kind in ("restart", "stop"):
                if running and may_stop:
                    found.append((kind,))
                    running = kind == "restart"
            elif kind != "trigger" or running:
                found += getattr(self, f"step_{kind}")(running)
        return found + [("start",)] * (not running)

    def step_send(self, running):
        feeder = self.chance.choice(list(self.feeders)) if running else self.feeder
        return [("send", feeder,
                 [{"hex": self.chance.choice(MESSAGES).hex()} for _ in
                  range(self.chance.choice([1, 1, 2, 5, 99]))],
                 self.chance.choice(exits(self.feeders[feeder])))]

    def step_grow(self, running):
        del running
        if "q2" in self.kinds:
            return []
        self.kinds["q2"] = "QueueSink"
        return [("grow", self.more())]

    def step_link(self, running):
        """Perhaps one that is there: it stays where it was in the order."""
        del running
        source, target = self.forward()
        canals = [c for c in exits(self.kinds[source]) if c in entries(self.kinds[target])]
        if not canals:
            return []
        link = source, target, self.chance.choice(canals)
        if link not in self.now:
            self.now.append(link)
        return [("grow", self.statement(*link))]

    def step_cut(self, running):
        del running
        if not self.now:
            return []
        return [("cut", *self.now.pop(self.chance.randrange(len(self.now))))]

    def step_set(self, running):
        del running
        values = {"TransformDrain": ("f", TRANSFORMS), "FilterDrain": ("f", PREDICATES),
                  "TriggerDrain": ("f", PREDICATES),
                  "TriggeredMessage": ("msg", [{"hex": m.hex()} for m in MESSAGES])}
        names = [name for name in self.drains if self.kinds[name] in values]
        if not names:
            return []
        name = self.chance.choice(names)
        param, choices = values[self.kinds[name]]
        return [("set", name, param, self.chance.choice(choices))]

    def step_trigger(self, running):
        del running
        names = [name for name in self.drains if self.kinds[name].startswith("Triggered")]
        return [("trigger", self.chance.choice(names))] if names else []


class Tree(Random):
    """No two ways meet: each queue sees the same however Scapy's sets are ordered."""

    def __init__(self, chance):
        super().__init__(chance, chance.choice([4, 8, 12]), [*PLAIN, *TRIGGERS])
        for n in range(2, 8):
            self.kinds[f"q{n + 1}"] = "QueueSink"
        self.above, triggering, triggered = {}, set(), set()
        del self.kinds["c"], self.kinds["r"]
        for name in [n for n in self.kinds if n not in self.feeders]:
            before = [b for b in [*self.feeders, *self.drains] if b != name and (
                b in self.feeders or name not in self.drains or
                self.drains.index(b) < self.drains.index(name))]
            links = len(self.links)
            source = chance.choice(before)
            self.link_data(source, name)
            if len(self.links) == links:
                continue
            self.above[name] = [*self.above.get(source, []), source]
            sources = [b for b in self.above[name] if self.kinds[b].startswith("Trigger")
                       and b not in triggering]
            if sources and self.kinds[name].startswith("Triggered"):
                triggering.add(sources[-1])
                triggered.add(name)
                self.links.append((sources[-1], name, "trigger"))

    def more(self):
        return "q2 = QueueSink(); low > q2"
