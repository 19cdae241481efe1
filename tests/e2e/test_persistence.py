# SPDX-License-Identifier: BSD-2-Clause
"""What was acknowledged outlasts kill -9, damage of the files and a full disk, or is reported."""
import copy
import functools
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

import makers
from chance import LONG, chance
from client import Client, Closed, Refused, add, link
from conftest import eventually, program

GONE = (Closed, BrokenPipeError, ConnectionResetError, ConnectionRefusedError, FileNotFoundError,
        TimeoutError)
CLIENTS = 4
KILLS = 500 if LONG else 60


def again(daemon):
    """Killed as nobody can foresee, and started anew."""
    daemon.kill()
    daemon.start()


# ---- what stays ---------------------------------------------------------------------------------

def test_engines_are_back_as_they_were(daemon):
    daemon.create("runs", "s = CLIFeeder(); q = QueueSink(); s > q")
    daemon.create("stands", "Drain(name='d')", start=False)
    daemon.ok("add", "runs", "--comment", "because", "d = Drain(); s > d")
    before = [daemon.ok("export", e) for e in ("runs", "stands")]
    log = daemon.call("engine.log", engine="runs")
    again(daemon)
    assert {e["engine"]: e["state"] for e in daemon.call("engine.list")["engines"]} == {
        "runs": "running", "stands": "stopped"}
    assert [daemon.ok("export", e) for e in ("runs", "stands")] == before
    assert daemon.call("engine.log", engine="runs") == log
    daemon.ok("send", "runs.s", "alive")
    assert daemon.ok("recv", "runs.q") == "alive\n"


def test_a_clean_end_keeps_the_same(daemon):
    daemon.create("runs", "s = CLIFeeder(); s > Sink()")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(30) == 0
    daemon.start()
    assert [e["state"] for e in daemon.call("engine.list")["engines"]] == ["running"]


def test_what_is_ephemeral_or_destroyed_does_not_come_back(daemon):
    daemon.ok("create", "fleeting", "Sink()", "--ephemeral", "--start")
    daemon.create("gone", "Sink()")
    daemon.ok("destroy", "gone")
    daemon.ok("run", "PeriodicSource([], 1) > Sink()")
    again(daemon)
    assert daemon.call("engine.list")["engines"] == []
    daemon.create("gone", "Drain()")


def test_undo_goes_on_where_it_was(daemon):
    daemon.create("e", "a = Sink()", start=False)
    exports = [daemon.ok("export", "e")]
    for number in range(4):
        daemon.ok("add", "e", f"b{number} = Sink()")
        exports.append(daemon.ok("export", "e"))
        again(daemon)
    for export in reversed(exports[:-1]):
        daemon.ok("undo", "e")
        assert daemon.ok("export", "e") == export
        again(daemon)
        assert daemon.ok("export", "e") == export


def test_an_engine_that_cannot_start_any_more_is_there_to_be_mended(daemon, tmp_path):
    (tmp_path / "folder").mkdir()
    daemon.create("e", f"s = CLIFeeder(); s > WrpcapSink('{tmp_path}/folder/out.pcap')")
    daemon.create("other", "Sink()")
    shutil.rmtree(tmp_path / "folder")
    again(daemon)
    assert {e["engine"]: e["state"] for e in daemon.call("engine.list")["engines"]} == {
        "e": "failed", "other": "running"}
    assert "folder/out.pcap" in daemon.call("engine.show", engine="e")["why"]
    assert "folder/out.pcap" in daemon.log()
    (tmp_path / "folder").mkdir()
    daemon.ok("start", "e")


# ---- capture files go on -------------------------------------------------------------------------

UNPACK = {".gz": "gzip", ".zst": "zstd", ".lz4": "lz4"}


@functools.cache  # who waits for others' programs asks them again and again of the same bytes
def count_of(data, packed):
    """How many packets others find in these bytes; None if they are not whole."""
    try:
        if packed:
            data = subprocess.run([packed, "-dc"], input=data, capture_output=True, check=True).stdout
        with tempfile.NamedTemporaryFile() as plain:
            plain.write(data)
            plain.flush()
            return makers.counts([plain.name])[0]
    except subprocess.CalledProcessError:
        return None


def packets_in(path):
    """The same of a file; None also if there is none."""
    try:
        return count_of(path.read_bytes(), UNPACK.get(path.suffix))
    except FileNotFoundError:
        return None


def arrived(daemon, path, count):
    """So many packets are in the file itself, behind buffers and compression."""
    eventually(lambda: packets_in(path) == count, what=f"{count} packets in {path}")


@pytest.mark.parametrize("name", ["out.pcap", "out.pcapng", "out.pcap.gz", "out.pcap.zst",
                                  "out.pcapng.lz4"])
@pytest.mark.parametrize("from_file", [False, True])
def test_a_capture_goes_on_after_a_crash_and_begins_anew_by_hand(daemon, tmp_path, name,
                                                                 from_file):
    path = tmp_path / name
    pipe = f"s = CLIFeeder(); s > WrpcapSink({str(path)!r}, linktype=1)"
    if from_file:
        (daemon.engines / "e.pipe").write_text(pipe)
        again(daemon)
        eventually(lambda: daemon.call("engine.list")["engines"][0]["state"] == "running")
    else:
        daemon.create("e", pipe)
    arrived(daemon, path, 0)
    for number in range(3):
        daemon.ok("send", "e.s", f"packet {number}")
        arrived(daemon, path, number + 1)
        daemon.kill()
        with open(path, "ab") as file:
            file.write(b"\6\0\0\0"[:number])
        daemon.start()
        eventually(lambda: daemon.call("engine.list")["engines"][0]["state"] == "running")
    daemon.ok("send", "e.s", "the last")
    arrived(daemon, path, 4)
    daemon.ok("stop", "e")
    daemon.ok("start", "e")
    daemon.ok("send", "e.s", "anew")
    arrived(daemon, path, 1)


def test_a_ring_goes_on_with_its_next_file(daemon, tmp_path):
    daemon.create("e", f"s = CLIFeeder(); s > WrpcapSink('{tmp_path}/r.pcap', linktype=1, "
                       "rotate={'size': 30})")
    for number in range(1, 4):
        daemon.ok("send", "e.s", "a packet")
        arrived(daemon, tmp_path / f"r.{number:05}.pcap", 1)
        again(daemon)
        eventually(lambda: daemon.call("engine.list")["engines"][0]["state"] == "running")
    assert [packets_in(tmp_path / f"r.{n:05}.pcap") for n in range(1, 4)] == [1, 1, 1]


def test_a_ring_goes_on_in_a_file_that_got_nothing(daemon, tmp_path):
    daemon.create("e", f"s = CLIFeeder(); s > WrpcapSink('{tmp_path}/r.pcap', rotate={{'size': 30}})")
    for _ in range(2):
        daemon.kill()
        daemon.start()
        eventually(lambda: daemon.call("engine.list")["engines"][0]["state"] == "running")
    daemon.call("block.send", {"engine": "e", "block": "s", "message": {"message": "a packet", "link_type": 1, "time": "1"}})
    arrived(daemon, tmp_path / "r.00001.pcap", 1)
    assert len(list(tmp_path.glob("r.*"))) == 1


def test_another_file_of_the_name_is_not_written_on(daemon, tmp_path):
    path = tmp_path / "out.pcap"
    daemon.create("e", f"s = CLIFeeder(); w = WrpcapSink('{path}', linktype=1, "
                       "format='pcap'); s > w")
    daemon.kill()
    other = makers.pcapng(path, [(b"x" * 60, 10 ** 18, 0)])
    before = path.read_bytes()
    daemon.start()
    eventually(lambda: daemon.call("engine.list")["engines"][0]["state"] == "running")
    daemon.ok("send", "e.s", "mine")
    arrived(daemon, tmp_path / "out.00001.pcap", 1)
    assert path.read_bytes() == before and other
    assert "its format is pcapng, not pcap; the capture goes on in" in daemon.log()
    assert "out.00001.pcap" in daemon.ok("show", "e.w")


def test_relative_paths_of_a_file_lead_away_from_its_folder(daemon, tmp_path):
    makers.pcap(daemon.engines / "in.pcap", [(b"x" * 60, 10 ** 18)])
    (daemon.engines / "e.pipe").write_text("RdpcapSource('in.pcap') > WrpcapSink('out.pcap')")
    again(daemon)
    arrived(daemon, daemon.state / "out.pcap", 1)
    assert not (daemon.engines / "out.pcap").exists()


# ---- kill -9 ------------------------------------------------------------------------------------

class Model:
    """What one engine should be; whether it runs may be unknown: None."""

    def __init__(self, running):
        self.running = running
        self.blocks, self.links = {}, set()

    def change(self, ops):
        for op in ops:
            if op["op"] in ("add", "replace"):
                self.blocks[op["name"]] = (op["type"], op["params"])
            elif op["op"] == "set":
                kind, params = self.blocks[op["name"]]
                self.blocks[op["name"]] = (kind, {**params, **op["params"]})
            elif op["op"] == "remove":
                del self.blocks[op["name"]]
                self.links = {(a, b) for a, b in self.links if op["name"] not in (a, b)}
            else:
                self.links.add((op["from"], op["to"]))

    @classmethod
    def of(cls, shown):
        """An engine as it is shown."""
        found = cls(shown["state"] == "running")
        found.blocks = {b["name"]: (b["type"], b["params"]) for b in shown["blocks"]}
        found.links = {(k["from"], k["to"]) for k in shown["links"]}
        return found

    def __eq__(self, other):
        return (isinstance(other, Model) and self.blocks == other.blocks and
                self.links == other.links and
                (self.running == other.running or None in (self.running, other.running)))

    def __repr__(self):
        return str(vars(self))


class Changer(threading.Thread):
    """A client that changes engines of its own until the daemon is gone, and knows what it was told.

    `engines` are the models of those that were acknowledged; `doubt` is what the request that was
    never answered would have made of one of them.
    """

    def __init__(self, path, number, dice, engines, shared, disk_is_full=False):
        super().__init__()
        self.path, self.number, self.dice, self.disk_is_full = path, number, dice, disk_is_full
        self.refused = 0
        self.engines, self.shared = engines, shared
        self.count, self.acknowledged, self.doubt, self.fault = 0, 0, None, None

    def run(self):
        try:
            with Client(self.path) as rpc:
                while True:
                    self.step(rpc)
        except GONE:
            pass
        except Exception as fault:  # told by the thread that waits for this one
            self.fault = fault

    def ask(self, rpc, engine, after, method, **params):
        self.doubt = engine, after
        try:
            rpc.call(method, engine=engine, **params)
        except Refused as error:
            assert error.kind == "io" and self.disk_is_full, error
            self.refused += 1
            self.doubt = None
            if engine == "shared":
                self.shared[self.number] -= 1
            elif method in ("engine.start", "engine.stop"):  # done, but perhaps not for long
                self.engines[engine].running = None
            return
        self.doubt = None
        self.acknowledged += 1
        if engine != "shared":
            self.engines[engine] = after

    def step(self, rpc):
        engine = self.dice.choice([f"c{self.number}_{n}" for n in range(3)] + ["shared"])
        if engine == "shared":
            self.change_shared(rpc)
            return
        model = copy.deepcopy(self.engines.get(engine))
        what = self.dice.random()
        if model is None:
            model = Model(self.dice.random() < 0.5)
            self.ask(rpc, engine, model, "engine.create", start=model.running)
        elif what < 0.05:
            self.ask(rpc, engine, None, "engine.destroy")
        elif what < 0.15:
            model.running = not model.running
            self.ask(rpc, engine, model, "engine.start" if model.running else "engine.stop")
        else:
            ops = self.ops(model)
            model.change(ops)
            # a long comment now and then: files become long, and are made anew
            comment = "x" * self.dice.choice([0, 10, 1000, 300_000 if what < 0.25 else 0])
            self.ask(rpc, engine, model, "engine.change", ops=ops, comment=comment)

    def change_shared(self, rpc):
        """Each client has a block of its own there, whose limit only rises."""
        self.shared[self.number] += 1
        name, limit = f"b{self.number}", {"limit": self.shared[self.number]}
        self.ask(rpc, "shared", None, "engine.change",
                 ops=[{"op": "set", "name": name, "params": limit}])

    def ops(self, model):
        found = []
        names = list(model.blocks)
        for _ in range(self.dice.choice([1, 1, 3])):
            what = self.dice.random()
            some = self.dice.choice(names) if names else None
            if what < 0.5 or not names:
                self.count += 1
                name = f"b{self.number}_{self.count}_{time.monotonic_ns()}"
                found.append(add(name, "QueueSink", limit=self.dice.randrange(1, 1 << 20))
                             if self.dice.random() < 0.5 else add(name, "Drain"))
                drains = [n for n in names if model.blocks[n][0] == "Drain"]
                if drains:
                    found.append(link(self.dice.choice(drains), name))
            elif what < 0.8:
                names.remove(some)
                found.append({"op": "remove", "name": some})
                model = copy.deepcopy(model)
                model.change([found[-1]])
            elif model.blocks[some][0] == "QueueSink":
                found.append({"op": "set", "name": some, "params": {
                    "limit": self.dice.randrange(1, 1 << 20)}})
            else:
                found.append({"op": "replace", "name": some, "type": "Drain", "params": {}})
        return found


def compare(daemon, changers, engines, shared):
    """What is there is what was acknowledged, or that and what was in flight."""
    with daemon.client() as rpc:
        there = {e["engine"]: Model.of(rpc.show(e["engine"]))
                 for e in rpc.call("engine.list")["engines"]}
    limits = {int(name[1:]): params["limit"]
              for name, (_, params) in there.pop("shared").blocks.items()}
    for changer in changers:
        if changer.doubt and changer.doubt[0] == "shared":
            wanted = [shared[changer.number] - 1, shared[changer.number]]
        else:
            wanted = [shared[changer.number]]
        assert limits[changer.number] in wanted
        shared[changer.number] = limits[changer.number]
        mine = {name: model for name, model in there.items()
                if name.startswith(f"c{changer.number}_")}
        for name in {*mine, *engines[changer.number]}:
            acknowledged = engines[changer.number].get(name)
            found = mine.get(name)
            allowed = [acknowledged]
            if changer.doubt and changer.doubt[0] == name:
                allowed.append(changer.doubt[1])
            assert any(found == one or found is one for one in allowed), (name, found, allowed)
        engines[changer.number] = {n: m for n, m in mine.items() if m is not None}


class Changes:
    """Several clients that change engines until the daemon is killed, again and again."""

    def __init__(self, daemon, dice):
        self.daemon, self.dice = daemon, dice
        self.engines, self.shared = [{} for _ in range(CLIENTS)], [1] * CLIENTS
        self.acknowledged = self.refused = 0
        daemon.create("shared", "; ".join(f"b{n} = QueueSink(limit=1)" for n in range(CLIENTS)))

    def begin(self, **more):
        self.changers = [Changer(self.daemon.socket, n, self.dice, self.engines[n], self.shared, **more)
                         for n in range(CLIENTS)]
        for changer in self.changers:
            changer.start()

    def wait(self, most_s):
        """A random moment: that is what is tested, not an event that could be awaited."""
        threading.Event().wait(most_s * self.dice.random())

    def kill(self):
        assert self.daemon.process.poll() is None, self.daemon.log()
        self.daemon.kill()
        for changer in self.changers:
            changer.join()
            if changer.fault:
                raise changer.fault
            self.acknowledged += changer.acknowledged
            self.refused += changer.refused

    def judge(self):
        self.daemon.start()
        compare(self.daemon, self.changers, self.engines, self.shared)


def test_kill_9_at_any_moment_loses_nothing_acknowledged(daemon):
    dice = chance("kill")
    changes = Changes(daemon, dice)
    for _ in range(KILLS):
        changes.begin()
        changes.wait(dice.choice([0.001, 0.03, 0.1, 0.2]))
        changes.kill()
        if dice.random() < 0.2:  # and once more while it begins
            daemon.start(wait=False)
            changes.wait(0.05)
            daemon.kill()
        changes.judge()
    assert changes.acknowledged > KILLS
    assert not [p for p in daemon.state.iterdir() if "damaged" in p.name], daemon.log()


# ---- files that are damaged ---------------------------------------------------------------------

def two_engines(daemon):
    daemon.create("good", "s = CLIFeeder(); s > Sink()")
    daemon.create("hurt", "s = CLIFeeder(); q = QueueSink(); s > q")
    for number in range(5):
        daemon.ok("add", "hurt", f"d{number} = Drain()")
    daemon.kill()
    return daemon.state / "hurt.journal"


def names_in(daemon):
    return {e["engine"] for e in daemon.call("engine.list")["engines"]}


def others_start(daemon):
    """The engine whose file was damaged says so, has nothing, and is failed until somebody gives it
    a graph, also after a further restart; the others run."""
    mark = len(daemon.log())
    daemon.start()
    for _ in range(2):
        assert names_in(daemon) == {"good", "hurt"}
        eventually(lambda: daemon.call("engine.show", engine="good")["state"] == "running")
        hurt = daemon.call("engine.show", engine="hurt")
        assert (hurt["state"], hurt["blocks"]) == ("failed", [])
        aside = hurt["why"].partition("it is kept as ")[2]
        assert aside and os.path.lexists(aside), hurt
        assert "hurt.journal" in daemon.log()[mark:]
        again(daemon)
    daemon.ok("apply", "hurt", "Drain()")
    assert daemon.call("engine.show", engine="hurt")["state"] == "stopped"
    daemon.ok("start", "hurt")
    again(daemon)
    assert {e["engine"]: e["state"] for e in daemon.call("engine.list")["engines"]} == {
        "good": "running", "hurt": "running"}


DAMAGE = {
    "emptied": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(os.urandom(5000)),
    "lines of garbage": lambda file: file.write_text("hello\nworld\n" * 100),
    "another format": lambda file: file.write_bytes(b"x" + file.read_bytes()[1:]),
    "a byte in the middle": lambda file: flip(file, len(file.read_bytes()) // 2),
    "a byte at the beginning": lambda file: flip(file, 12),
    "lines changed over": lambda file: file.write_bytes(
        b"".join(file.read_bytes().splitlines(True)[:2] +
                 file.read_bytes().splitlines(True)[:1:-1])),
    "endless": lambda file: os.truncate(file, 1 << 40),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "a full folder": lambda file: (file.unlink(), file.mkdir(), (file / "x").write_text("x")),
    "a link to nowhere": lambda file: (file.unlink(), file.symlink_to("/nowhere")),
    "a link to something": lambda file: (file.unlink(), file.symlink_to("/etc/passwd")),
    "a fifo": lambda file: (file.unlink(), os.mkfifo(file)),
}


def flip(file, place):
    data = bytearray(file.read_bytes())
    data[place] ^= 0x10
    file.write_bytes(data)


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_file_is_set_aside_and_the_others_start(daemon, what):
    file = two_engines(daemon)
    DAMAGE[what](file)
    others_start(daemon)


def test_a_file_that_may_not_be_read(daemons):
    """Root without the right to read anything."""
    if os.getuid():
        pytest.skip("only root gives up a right of root")
    daemon = daemons(prefix=["setpriv", "--bounding-set=-dac_override,-dac_read_search"])
    two_engines(daemon).chmod(0)
    others_start(daemon)


def test_a_damaged_file_is_kept_for_whoever_wants_to_read_it(daemon):
    file = two_engines(daemon)
    flip(file, len(file.read_bytes()) // 2)
    data = file.read_bytes()
    others_start(daemon)
    assert data in [p.read_bytes() for p in daemon.state.iterdir() if "damaged" in p.name]


def test_a_torn_last_record_is_dropped_and_reported(daemon):
    """Cut anywhere behind the first record, the file tells of all that was whole."""
    file = two_engines(daemon)
    data = file.read_bytes()
    lines = data.splitlines(True)
    dice = chance("torn")
    with_blocks = {}
    for keep in range(2, len(lines) + 1):  # what each number of whole lines is
        file.write_bytes(b"".join(lines[:keep]))
        daemon.start()
        with_blocks[keep] = daemon.ok("export", "hurt")
        daemon.kill()
    for _ in range(100 if LONG else 12):
        size = dice.randrange(len(lines[0]) + len(lines[1]), len(data))
        file.write_bytes(data[:size])
        mark = len(daemon.log())
        daemon.start()
        assert daemon.ok("export", "hurt") == with_blocks[data[:size].count(b"\n")], size
        torn = not data[:size].endswith(b"\n")
        assert ("last record" in daemon.log()[mark:]) == torn, (size, daemon.log()[mark:])
        daemon.ok("add", "hurt", "after = Drain()")  # and it can be written on
        export = daemon.ok("export", "hurt")
        again(daemon)
        assert daemon.ok("export", "hurt") == export
        daemon.kill()
    daemon.start()


def test_random_damage_never_makes_another_graph(daemon):
    """Whatever happens to the bytes: the graph as it was, one of its revisions, or a report."""
    file = two_engines(daemon)
    data = file.read_bytes()
    dice = chance("damage")
    known = set()
    for keep in range(2, data.count(b"\n") + 1):
        file.write_bytes(b"".join(data.splitlines(True)[:keep]))
        daemon.start()
        known.add(daemon.ok("export", "hurt"))
        daemon.kill()
    for _ in range(200 if LONG else 20):
        hurt = bytearray(data)
        for _ in range(dice.choice([1, 1, 3])):
            at = dice.randrange(len(hurt))
            hurt[at:at + dice.choice([0, 1, 1, 20])] = dice.choice(
                [b"", dice.randbytes(1), dice.randbytes(20), b"\n", b"\0" * 8])
        for left in daemon.state.iterdir():
            if "damaged" in left.name:
                left.unlink()
        file.write_bytes(hurt)
        mark = len(daemon.log())
        daemon.start()
        reported = "hurt.journal" in daemon.log()[mark:]
        if daemon.call("engine.show", engine="hurt")["state"] != "failed":
            assert daemon.ok("export", "hurt") in known
            assert reported or bytes(hurt).startswith(data[:len(hurt)]) or hurt == data
        else:
            assert reported
            assert daemon.ok("export", "hurt") == ""
        assert daemon.call("engine.show", engine="good")["state"] == "running"
        daemon.kill()
    daemon.start()


@pytest.mark.skipif(not LONG, reason="a gigabyte of memory: with PIPETOOL_LONG=1")
def test_nothing_is_acknowledged_that_would_be_too_long_to_be_read_again(daemons):
    daemon = daemons(config="[limits]\nline = 1GiB\n")
    daemon.create("e", "Drain()")
    with daemon.client(timeout=300) as rpc:
        refusal = rpc.refused("engine.change", engine="e", ops=[add("x", "Drain")],
                              comment="x" * (257 << 20))
        assert refusal.kind == "io" and "taken back" in refusal.message, refusal
        rpc.change("e", add("y", "Drain"))
    export = daemon.ok("export", "e")
    again(daemon)
    assert daemon.ok("export", "e") == export


# ---- a disk that is full ------------------------------------------------------------------------

@pytest.fixture
def disk(tmp_path):
    """A small disk that daemons of the prefix see at `folder`, which can be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    holder = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=1m none "$1" && echo ready && exec cat',
         "sh", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if holder.stdout.readline() != b"ready\n":
        pytest.skip("no disk can be mounted here")
    inside = ["nsenter", "-m", "-t", str(holder.pid), "--"]

    class Disk:
        prefix, arguments = inside, ["--state", folder]

        @staticmethod
        def fill():
            subprocess.run([*inside, "sh", "-c", f"cat /dev/zero >{folder}/filler 2>/dev/null"],
                           check=False)

        @staticmethod
        def free():
            subprocess.run([*inside, "rm", "-f", folder / "filler"], check=True)

    yield Disk
    holder.stdin.close()
    holder.wait()
    holder.stdout.close()


def test_a_full_disk_refuses_changes_and_goes_on(daemons, disk):
    daemon = daemons(prefix=disk.prefix, arguments=disk.arguments)
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    with daemon.client() as rpc:
        rpc.send("e", "s", "kept")
        before, exported = rpc.show("e"), daemon.ok("export", "e")
        disk.fill()
        for _ in range(2):
            error = rpc.refused("engine.change", engine="e", comment="x" * 9000,
                                ops=[add("d", "Drain"), {"op": "remove", "name": "s"}])
            assert error.kind == "io" and "no space left" in error.message, error
            assert daemon.ok("export", "e") == exported and rpc.show("e")["state"] == "running"
            assert rpc.show("e")["revision"] == before["revision"]
            error = rpc.refused("engine.destroy", engine="e", confirm_s=60)
            assert error.kind == "io" and "is not destroyed" in error.message, error
        assert rpc.refused("engine.create", engine="f", blocks=[
            {"name": f"b{n}", "type": "Drain"} for n in range(200)]).kind == "io"
        assert names_in(daemon) == {"e"}
        assert rpc.texts("e", "q", 1) == ["kept"]
        disk.free()
        rpc.change("e", add("after", "Drain"))
        exported = daemon.ok("export", "e")
    again(daemon)
    assert daemon.ok("export", "e") == exported and names_in(daemon) == {"e"}


def test_types_that_cannot_be_kept_are_not_loaded(daemons, disk, tmp_path):
    daemon = daemons(prefix=disk.prefix, arguments=disk.arguments)

    def load(*sounds):
        path = tmp_path / "mine.lua"
        path.write_text("".join(f'Drain{{name="{name}", doc="{doc}"}}\n' for name, doc in sounds) +
                        "-- " + "x" * 9000)
        return daemon.ptctl("load", path)
    assert load(("Mine", "The first")).code == 0
    types = daemon.ok("types")
    assert "The first" in types
    disk.fill()
    for _ in range(2):
        refused = load(("Mine", "The second"), ("Other", "New"))
        assert refused.code == 1 and "not loaded" in refused.err and "no space left" in refused.err, refused
        assert daemon.ok("types") == types
    disk.free()
    assert load(("Mine", "The third")).code == 0
    types = daemon.ok("types")
    assert "The third" in types and "Other" not in types
    again(daemon)
    assert daemon.ok("types") == types


def test_types_that_are_loaded_at_once_and_cannot_be_kept_leave_those_of_before(daemons, disk):
    daemon = daemons(prefix=disk.prefix, arguments=disk.arguments)
    clients = [daemon.client() for _ in range(4)]

    def load(doc, client):
        return client.post("type.load", name="mine.lua",
                           text=f'Drain{{name="Mine", doc="{doc}"}}\n-- ' + "x" * 9000)
    assert "result" in clients[0].answer(load("First", clients[0]))
    types = daemon.ok("types")
    disk.fill()
    for _ in range(10):
        numbers = [load(f"From {n}", client) for n, client in enumerate(clients)]
        for client, number in zip(clients, numbers):
            assert client.answer(number)["error"]["data"]["kind"] == "io"
        assert daemon.ok("types") == types
    disk.free()
    assert "result" in clients[1].answer(load("From 0", clients[1]))
    for client in clients:
        client.close()
    again(daemon)
    assert "From 0" in daemon.ok("types")


def test_nothing_acknowledged_is_lost_while_the_disk_fills_and_empties(daemons, disk):
    daemon = daemons(prefix=disk.prefix, arguments=disk.arguments)
    dice = chance("disk")
    changes = Changes(daemon, dice)
    left = 60 if LONG else 6
    while left > 0 or not changes.refused:
        left -= 1
        changes.begin(disk_is_full=True)
        for _ in range(dice.choice([1, 2])):
            changes.wait(0.3)
            disk.fill()
            changes.wait(0.3)
            if dice.random() < 0.7:
                disk.free()
        changes.wait(0.1)
        changes.kill()
        disk.free()
        changes.judge()


def test_nothing_acknowledged_is_lost_where_files_may_not_grow(daemons):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    daemon = daemons(preexec=limit)
    changes = Changes(daemon, chance("limit"))
    while not (changes.refused and changes.acknowledged):
        changes.begin(disk_is_full=True)
        changes.wait(0.5)
        changes.kill()
        changes.judge()


# ---- changes that are to be confirmed -----------------------------------------------------------

def exported(daemon, text):
    """Until the engine's graph is as it was."""
    eventually(lambda: daemon.ok("export", "e") == text, what="it does not come back")


@pytest.fixture
def before(daemon):
    """The graph of an engine that is about to be changed."""
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    return daemon.ok("export", "e")


def test_what_is_not_confirmed_goes_back_by_itself(daemon, before):
    assert "added t" in daemon.ok("apply", "e", "--confirm", "0.3", "s = CLIFeeder(); t = Sink(); s > t")
    exported(daemon, before)
    assert daemon.call("engine.show", engine="e")["state"] == "running"
    assert daemon.ptctl("confirm", "e").code == 1


def test_what_is_confirmed_stays(daemon, before):
    with daemon.client() as rpc:
        rpc.call("engine.apply", engine="e", text="s = CLIFeeder(); t = Sink(); s > t", confirm_s=1.5)
        rpc.call("engine.confirm", engine="e")
    threading.Event().wait(1.8)  # nothing may happen, which cannot be awaited
    assert daemon.ok("export", "e") != before
    again(daemon)
    assert daemon.ok("export", "e") != before


def test_it_goes_back_when_its_client_was_killed(daemon, before):
    with subprocess.Popen([program("ptctl"), "-s", daemon.socket, "proxy"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as proxy:
        proxy.stdin.write(b'{"id": 1, "method": "engine.apply", "params": {"engine": "e", '
                          b'"blocks": [{"name": "x", "type": "Sink"}], "confirm_s": 0.5}}\n')
        proxy.stdin.flush()
        assert b'"revision":2,' in proxy.stdout.readline()
        proxy.kill()
    exported(daemon, before)


@pytest.mark.parametrize("seconds", [0.01, 1.5])
def test_it_goes_back_although_the_daemon_was_killed_meanwhile(daemon, before, seconds):
    """The time goes on while nobody is there."""
    daemon.ok("apply", "e", "--confirm", seconds, "s = CLIFeeder(); t = Sink(); s > t")
    again(daemon)
    exported(daemon, before)
    assert daemon.call("engine.show", engine="e")["state"] == "running"
    again(daemon)
    assert daemon.ok("export", "e") == before


def test_it_goes_back_whenever_the_daemon_is_killed(daemon, before):
    dice = chance("confirm")
    for _ in range(100 if LONG else 10):
        daemon.ok("apply", "e", "--confirm", "0.1", f"s = CLIFeeder(); t{dice.randrange(1000)} = Sink()")
        threading.Event().wait(0.2 * dice.random())  # before, while or after it goes back
        again(daemon)
        exported(daemon, before)
        assert daemon.call("engine.show", engine="e")["state"] == "running"


def engines(daemon):
    return {row["engine"]: row for row in daemon.call("engine.list")["engines"]}


def test_an_engine_that_is_not_confirmed_is_gone(daemon):
    """Whether it has a graph, is to be kept, or is not."""
    words = daemon.ok("create", "e", "s = CLIFeeder(); q = QueueSink(); s > q", "--confirm", "60", "--start")
    assert "it is gone at" in words and "unless: ptctl confirm e" in words
    daemon.ok("create", "empty", "--confirm", "0.5")
    daemon.ok("create", "passing", "Sink()", "--ephemeral", "--confirm", "0.5")
    assert "destroy e" in daemon.ptctl("add", "e", "Sink()").err
    daemon.ok("confirm", "e", "--extend", "0.1")
    daemon.ok("wait", "e", "gone")
    eventually(lambda: not engines(daemon))
    daemon.create("e", "Sink()")
    again(daemon)
    assert set(engines(daemon)) == {"e"}


def test_a_new_engine_is_confirmed_or_gone_over_a_restart(daemon):
    daemon.ok("create", "stays", "Sink()", "--confirm", "60", "--start")
    daemon.ok("create", "goes", "Sink()", "--confirm", "1", "--start")
    daemon.ok("create", "late", "Sink()", "--confirm", "0.01", "--start")
    daemon.ok("confirm", "stays")
    again(daemon)
    eventually(lambda: set(engines(daemon)) == {"stays"})
    assert "unconfirmed" not in engines(daemon)["stays"]
    again(daemon)
    assert set(engines(daemon)) == {"stays"}


def test_what_was_destroyed_is_there_again_as_it_was(daemon, before):
    with daemon.client() as rpc:
        rpc.send("e", "s", "held")
        words = daemon.ok("destroy", "e", "--confirm", "60")
        assert "it is there again at" in words and "unless: ptctl confirm e" in words
        assert daemon.ptctl("export", "e").code == 6 and "e" not in engines(daemon)
        assert "ptctl confirm e" in daemon.ok("list")
        refused = daemon.ptctl("create", "e", "Sink()")
        assert refused.code == 1 and "ptctl confirm e" in refused.err
        daemon.ok("confirm", "e", "--extend", "0.1")
        daemon.ok("wait", "e", "running")
        assert daemon.ok("export", "e") == before
        assert rpc.texts("e", "q", 1) == ["held"]
        assert daemon.ptctl("confirm", "e").code == 1


def test_what_is_destroyed_and_confirmed_is_gone_for_good(daemon, before):
    with daemon.client() as rpc:
        rpc.call("engine.destroy", engine="e", confirm_s=60, if_revision=1)
        assert rpc.refused("engine.confirm", engine="e", revision=7).kind == "conflict"
        assert rpc.call("engine.confirm", engine="e", revision=1) == {"revision": 1}
        assert "destroyed" not in rpc.call("engine.list")
    daemon.create("e", "Sink()")
    other = daemon.ok("export", "e")
    again(daemon)
    assert daemon.ok("export", "e") == other


@pytest.mark.parametrize("seconds", [0.01, 1.5, 60])
@pytest.mark.parametrize("state", ["running", "stopped"])
def test_what_was_destroyed_is_there_again_although_the_daemon_was_killed(daemon, before, seconds, state):
    if state == "stopped":
        daemon.ok("stop", "e")
    daemon.ok("destroy", "e", "--confirm", seconds)
    again(daemon)
    if seconds == 60:
        assert daemon.call("engine.list")["destroyed"][0]["left_s"] <= 60
        daemon.ok("confirm", "e", "--extend", "0.1")
    daemon.ok("wait", "e", state)
    assert daemon.ok("export", "e") == before
    again(daemon)
    assert daemon.ok("export", "e") == before and engines(daemon)["e"]["state"] == state


def test_a_lease_is_renewed_and_holds_over_a_restart(daemon, before):
    """Each time it begins anew; when nobody renews it any more it goes back."""
    daemon.create("gone", "Sink()")
    daemon.ok("apply", "e", "--confirm", "60", "Sink()")
    daemon.ok("create", "new", "Sink()", "--confirm", "60")
    daemon.ok("destroy", "gone", "--confirm", "60")
    with daemon.client() as rpc:
        for engine, revision in (("e", 2), ("new", 1), ("gone", 1)):
            told = rpc.call("engine.confirm", engine=engine, revision=revision, extend_s=600)
            assert told["revision"] == revision and 500 < told["left_s"] <= 600
    again(daemon)
    assert daemon.ok("export", "e") != before and set(engines(daemon)) == {"e", "new"}
    for engine in ("e", "new", "gone"):
        daemon.ok("confirm", engine, "--extend", "0.1")
    exported(daemon, before)
    eventually(lambda: set(engines(daemon)) == {"e", "gone"})


def test_create_and_destroy_heed_a_revision(rpc):
    graph = [{"name": "d", "type": "Drain"}]
    assert rpc.refused("engine.create", engine="e", blocks=graph, if_revision=1).kind == "conflict"
    rpc.call("engine.create", engine="e", blocks=graph, if_revision=0)
    assert rpc.refused("engine.create", engine="e", blocks=graph, if_revision=1).kind == "exists"
    assert rpc.refused("engine.destroy", engine="e", if_revision=0).kind == "conflict"
    rpc.call("engine.change", engine="e", ops=[{"op": "remove", "name": "d"}], confirm_s=60)
    assert rpc.refused("engine.destroy", engine="e", confirm_s=60).kind == "wrong-state"
    rpc.call("engine.destroy", engine="e", if_revision=2)


def test_what_was_confirmed_before_the_kill_stays(daemon, before):
    daemon.ok("apply", "e", "--confirm", "3", "s = CLIFeeder(); t = Sink(); s > t")
    daemon.ok("confirm", "e")
    after = daemon.ok("export", "e")
    daemon.ok("create", "later", "Sink()", "--confirm", "3")
    again(daemon)
    eventually(lambda: set(engines(daemon)) == {"e"})  # the time of both is over
    assert daemon.ok("export", "e") == after != before
