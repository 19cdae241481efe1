# SPDX-License-Identifier: BSD-2-Clause
"""An engine goes on exactly where a checkpoint was, after whatever has killed the daemon."""
import gzip
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess

import pytest

import makers
from client import Closed
from conftest import eventually, ip, program, sanitized
from test_live import anew, caught, plain, sent
from test_restart import Service, memory_kept, service, services  # noqa: F401

DEATHS = [signal.SIGKILL] if sanitized() else [signal.SIGKILL, signal.SIGSEGV]
TIMES = 500 if os.environ.get("PIPETOOL_LONG") else 20
COUNT = 30_000
CAPTURED = 20_000 if TIMES < 100 else 200_000


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """Files of packets that bear their numbers: pcap, pcapng and one that is packed."""
    folder = tmp_path_factory.mktemp("numbered")
    packets = [(b"%08d" % n * 8, n * 1000) for n in range(COUNT)]
    makers.pcap(folder / "in.pcap", packets)
    (folder / "in.pcap.gz").write_bytes(gzip.compress((folder / "in.pcap").read_bytes(), 1))
    makers.pcapng(folder / "in.pcapng", [(*packet, 0) for packet in packets])
    return folder


def numbers(path):
    return [int(data[:8]) for data, *_ in makers.read(path)]


def unpacked(path):
    if path.suffix in (".gz", ".zst"):
        tool = {".gz": ["gzip", "-dc"], ".zst": ["zstd", "-dcq"]}[path.suffix]
        text = subprocess.run([*tool, path], capture_output=True, check=True).stdout
        path = path.with_suffix("")
        path.write_bytes(text)
    return path


def written(folder):
    return sum(path.stat().st_size for path in folder.glob("out*"))


def die(service, number):
    service.process.send_signal(number)
    service.process.wait()
    service.start()


def reach(service, folder, size):
    eventually(lambda: written(folder) >= size or service.client().show("e", "r")["state"] == "exhausted")


FORMS = {"pcap": ("out.pcap", ""), "pcapng": ("out.pcapng", ""),
         "rotated": ("out.pcap", ", rotate={'size': 200_000}"), "gz": ("out.pcap.gz", ""),
         "zst": ("out.pcap.zst", "")}


@pytest.mark.parametrize("turn", range(TIMES))
def test_a_file_is_read_to_a_file_once(service, numbered, tmp_path, turn):
    chance = random.Random(turn)
    form = list(FORMS)[turn % len(FORMS)]
    name, more = FORMS[form]
    source = numbered / ["in.pcap", "in.pcapng", "in.pcap.gz"][turn % 3]
    pace = chance.choice(["", ", pps=30000"])
    service.create("e", f"r = RdpcapSource('{source}'{pace}); w = WrpcapSink('{tmp_path}/{name}'{more}); r > w")
    for _ in range(3):
        reach(service, tmp_path, chance.randrange(2_000_000 if form not in ("gz", "zst") else 200_000))
        die(service, chance.choice(DEATHS))
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    service.ok("stop", "e")
    got = [n for path in sorted(tmp_path.glob("out*")) for n in numbers(unpacked(path))]
    assert got == list(range(COUNT))


def test_files_are_merged_once(service, tmp_path):
    """By time, in two rounds; they are read from their beginnings again, and what had come is left out."""
    chance = random.Random(1)
    for part in range(3):
        makers.pcap(tmp_path / f"in{part}.pcap", [(b"%08d" % n * 8, n * 1000) for n in range(part, COUNT // 2, 3)])
    service.create("e", f"""r = RdpcapSource('{tmp_path}/in*.pcap', order='time', loop=2, pps=60000)
        w = WrpcapSink('{tmp_path}/out.pcap'); r > w""")
    for _ in range(3):
        reach(service, tmp_path, chance.randrange(2_000_000))
        die(service, chance.choice([*DEATHS, signal.SIGTERM]))
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    service.ok("stop", "e")
    assert numbers(tmp_path / "out.pcap") == [*range(COUNT // 2)] * 2


@pytest.fixture(scope="module")
def datagrams(tmp_path_factory):
    """A file of UDP packets that bear their numbers."""
    path = tmp_path_factory.mktemp("datagrams") / "in.pcap"
    makers.pcap(path, [(ethernet(9, b"%08d" % n), n * 1000) for n in range(CAPTURED)])
    return path


@pytest.mark.parametrize("turn", range(TIMES // 4 if TIMES < 100 else TIMES))
def test_a_capture_goes_to_a_file_once(service, network, datagrams, tmp_path, turn):
    """Its ring has room for all of them, however long nobody reads, and lasts for seconds where they come slowly."""
    chance = random.Random(turn)
    form = list(FORMS)[turn % len(FORMS)]
    name, more = FORMS[form]
    ring = f"snaplen=100, buffer_size='{32 + CAPTURED // 5000}MiB'"
    service.create("e", f"""r = SniffSource('pr', 'udp', netns='{network.right}', {ring})
        w = WrpcapSink('{tmp_path}/{name}'{more}); r > w""")
    sender = [program("ptctl"), "run", "--private", f"RdpcapSource('{datagrams}', pps=300000) > InjectSink('pl')"]
    with subprocess.Popen([*network.inside(network.left), *sender]) as sending:
        for _ in range(2):
            size = chance.randrange(CAPTURED * (8 if form in ("gz", "zst") else 60))
            eventually(lambda size=size: written(tmp_path) >= size or sending.poll() is not None)
            die(service, chance.choice([*DEATHS, signal.SIGTERM]))
        assert sending.wait() == 0
    eventually(lambda: service.client().stats("e", "r")["out"] >= CAPTURED)
    with service.client() as rpc:
        assert rpc.stats("e", "r")["dropped"] == {} and rpc.stats("e")["unexplained"] == 0
    service.ok("stop", "e")
    got = [int(data[42:50]) for path in sorted(tmp_path.glob("out*")) for data, *_ in makers.read(unpacked(path))]
    assert got == list(range(CAPTURED))


LINES = {"plain": ("out.txt", ""), "rotated": ("out.txt", ", rotate={'size': 100_000}"), "gz": ("out.txt.gz", ""),
         "zst": ("out.txt.zst", "")}


@pytest.mark.parametrize("turn", range(TIMES // 5))
def test_lines_go_to_a_file_once(service, numbered, tmp_path, turn):
    chance = random.Random(turn)
    form = list(LINES)[turn % len(LINES)]
    name, more = LINES[form]
    service.create("e", f"""r = RdpcapSource('{numbered}/in.pcap', pps=60000); w = FileSink('{tmp_path}/{name}', newlines=True{more})
        r > w""")
    for _ in range(3):
        reach(service, tmp_path, chance.randrange(1_500_000 if form in ("plain", "rotated") else 60_000))
        die(service, chance.choice(DEATHS))
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    service.ok("stop", "e")
    lines = "".join(text_of(path) for path in sorted(tmp_path.glob("out*"))).splitlines()
    assert [int(line[:8]) for line in lines] == list(range(COUNT))
    assert all(line == line[:8] * 8 for line in lines)


@pytest.fixture(scope="module")
def spread(tmp_path_factory):
    """A file of UDP packets to fifty ports in turn, and its packets."""
    path = tmp_path_factory.mktemp("spread") / "in.pcap"
    frames = [ethernet(n % 50, b"%08d" % n) for n in range(COUNT)]
    makers.pcap(path, [(frame, n * 1000) for n, frame in enumerate(frames)])
    return path, frames


FIELDS = [("WrpcapSink", ".pcap", ""), ("FileSink", "", ", open=7"), ("WrpcapSink", ".pcapng.gz", ", open=7"),
          ("FileSink", ".zst", ""), ("WrpcapSink", ".pcap", ", open=7, rotate={'size': 3000}"),
          ("FileSink", ".txt.gz", ", rotate={'size': 3000}"), ("FileSink", "", ", append=True")]


@pytest.mark.parametrize("turn", range(max(len(FIELDS), TIMES // 5)))
def test_files_by_fields_hold_all_once(service, spread, tmp_path, turn):
    chance = random.Random(turn)
    kind, ending, more = FIELDS[turn % len(FIELDS)]
    service.create("e", f"""r = RdpcapSource('{spread[0]}', pps=60000); w = {kind}('{tmp_path}/out.{{udp.dport}}{ending}'{more})
        r > w""")
    eventually(lambda: (service.client().show("e", "r")["checkpoint"] or {"at": 0})["at"] > 50)  # all are known
    for number in (chance.choice(DEATHS), chance.choice(DEATHS), signal.SIGTERM):
        reach(service, tmp_path, chance.randrange(2_000_000))
        die(service, number)
    die(service, signal.SIGKILL)  # before most of them have come again
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    service.ok("stop", "e")
    for port in range(50):
        wanted = spread[1][port::50]
        paths = [unpacked(path) for path in sorted(tmp_path.glob(f"out.{1000 + port}*"))]
        if kind == "FileSink":
            assert b"".join(path.read_bytes() for path in paths) == b"".join(wanted)
        else:
            assert [data for path in paths for data, *_ in makers.read(path)] == wanted


def ethernet(port, text):
    """A frame with a UDP datagram to 1000 + port."""
    udp = struct.pack("!HHHH", 9, 1000 + port, 8 + len(text), 0) + text
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    return bytes(12) + b"\x08\x00" + head + udp


def test_a_packed_file_with_nothing_in_it_can_be_unpacked(service, tmp_path):
    service.create("e", f"s = CLIFeeder(); w = FileSink('{tmp_path}/out.zst'); v = WrpcapSink('{tmp_path}/out.pcap.gz'); s > w; s > v")
    eventually(lambda: service.client().show("e", "s")["checkpoint"])
    die(service, signal.SIGKILL)
    service.ok("stop", "e")
    assert unpacked(tmp_path / "out.zst").read_bytes() == b"" and numbers(unpacked(tmp_path / "out.pcap.gz")) == []


def text_of(path):
    return unpacked(path).read_text()


def test_what_is_dated_far_ahead_waits_on(service):
    service.create("e", "s = CLIFeeder(); s > ReorderDrain(seconds=1000) > q = QueueSink()")
    with service.client() as rpc:
        rpc.send("e", "s", *({"message": str(n), "time": f"{n}.0", "link_type": 1} for n in (3, 50_000, 1)))
    service.restart()
    with service.client() as rpc:
        rpc.send("e", "s", {"message": "next", "time": "60000.0", "link_type": 1})
        assert rpc.texts("e", "q", 3) == ["1", "3", "50000"]


@pytest.mark.parametrize("turn", range(TIMES // 10))
def test_what_waits_for_its_turn_is_there(service, tmp_path, turn):
    """Out of order in the file, put in order and slowed down on the way."""
    chance = random.Random(turn)
    packets = [(b"%08d" % n * 8, (n + 1) * 1_000_000) for n in range(COUNT // 3)]
    packets.sort(key=lambda one: one[1] + chance.randrange(1000) * 1_000_000)
    makers.pcap(tmp_path / "in.pcap", packets)
    service.create("e", f"""r = RdpcapSource('{tmp_path}/in.pcap'); w = WrpcapSink('{tmp_path}/out.pcap')
        r > ReorderDrain(seconds=10) > PaceDrain(pps=20000, limit='64KiB') > w""")
    for _ in range(3):
        reach(service, tmp_path, chance.randrange(600_000))
        die(service, chance.choice(DEATHS))
    service.ok("stop", "--wait", "e")
    with service.client() as rpc:
        assert rpc.stats("e")["unexplained"] == 0
    assert numbers(tmp_path / "out.pcap") == list(range(COUNT // 3))


@pytest.mark.parametrize("turn", range(TIMES // 5))
def test_what_goes_from_engine_to_engine_comes_once(service, numbered, tmp_path, turn):
    """Each has checkpoints of its own; what is between them is kept."""
    chance = random.Random(turn)
    service.create("b", f"s = FromEngine('c'); w = WrpcapSink('{tmp_path}/out.pcap'); s > w")
    service.create("e", f"r = RdpcapSource('{numbered}/in.pcap', pps=40000); d = Drain(); t = ToEngine('c'); r > d > t")
    for _ in range(3):
        reach(service, tmp_path, chance.randrange(1_800_000))
        die(service, chance.choice([*DEATHS, signal.SIGTERM]))
    with service.client() as rpc:
        eventually(lambda: rpc.show("b", "s")["state"] == "exhausted" and not rpc.stats("e", "t")["held"])
        assert rpc.stats("b")["unexplained"] == rpc.stats("e")["unexplained"] == 0
        assert rpc.stats("b", "w")["out"] == rpc.stats("e", "t")["out"] == COUNT
    service.ok("stop", "b")
    assert numbers(tmp_path / "out.pcap") == list(range(COUNT))


def test_what_waits_between_engines_is_not_lost_with_the_last(service):
    """At the end of the daemon: it comes again."""
    for name in "ab":
        service.create(name, "c = CLIFeeder(); t = ToEngine('x'); c > t")
        service.client().send(name, "c", f"{name}1", f"{name}2")
    die(service, signal.SIGTERM)
    with service.client() as rpc:
        for name in "ab":
            assert rpc.stats(name, "t")["dropped"] == {} and rpc.stats(name, "t")["held"] == 2
        service.create("r", "f = FromEngine('x'); q = QueueSink(); f > q")
        assert sorted(rpc.texts("r", "q", 4)) == ["a1", "a2", "b1", "b2"]
        assert all(rpc.stats(name)["unexplained"] == 0 for name in "abr")


def test_what_is_in_another_channel_is_out_or_lost(service):
    service.create("a", "c = CLIFeeder(); t = ToEngine('x'); c > t")
    with service.client() as rpc:
        rpc.send("a", "c", "1", "2")
        rpc.change("a", {"op": "replace", "name": "t", "type": "ToEngine", "params": {"channel": "y"}})
        stats = rpc.stats("a", "t")
        assert (stats["out"], stats["held"], stats["dropped"]) == (0, 0, {"unsent": 2})
        service.create("b", "f = FromEngine('y'); q = QueueSink(); f > q")
        rpc.send("a", "c", "3")
        rpc.change("a", {"op": "replace", "name": "t", "type": "ToEngine", "params": {"channel": "z"}})
        assert rpc.texts("b", "q", 1) == ["3"]
        assert rpc.stats("a", "t")["out"] == 1 and rpc.stats("a")["unexplained"] == 0


@pytest.mark.parametrize("turn", range(TIMES // 4))
def test_what_is_in_queues_fits_to_what_is_in_files(service, numbered, tmp_path, turn):
    """A valve that is opened on the way, a queue at the end, and a file beside them."""
    chance = random.Random(turn)
    service.create("e", f"""r = RdpcapSource('{numbered}/in.pcap', pps=20000); w = WrpcapSink('{tmp_path}/out.pcap')
        v = TriggeredQueueingValve({chance.choice([True, False])}); q = QueueSink(); r > v > q; r > w""")
    received = []
    for _ in range(3):
        reach(service, tmp_path, chance.randrange(1_800_000))
        if chance.random() < 0.5:
            service.client().call("block.trigger", engine="e", block="v")
        else:
            received += service.client().recv("e", "q", 1000, 0.1)
        die(service, chance.choice(DEATHS))
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    with service.client() as rpc:
        if rpc.stats("e", "v")["held"]:
            rpc.call("block.trigger", engine="e", block="v")
        eventually(lambda: not rpc.stats("e", "v")["held"])
        while held := rpc.stats("e", "q")["held"]:
            received += rpc.recv("e", "q", min(held, 5000))
        assert rpc.stats("e")["unexplained"] == 0
    service.ok("stop", "e")
    assert [int(m["message"][:8]) for m in received] == list(range(COUNT))
    assert numbers(tmp_path / "out.pcap") == list(range(COUNT))


def test_a_flight_recorder_stays_armed(service, numbered, tmp_path):
    """What it has dropped since the last checkpoint is there again, for it comes again."""
    service.create("e", f"""r = RdpcapSource('{numbered}/in.pcap', pps=20000); w = WrpcapSink('{tmp_path}/out.pcap')
        v = TriggeredQueueingValve(False, limit=120_000); q = QueueSink(); r > v > q; r > w""")
    for size in (300_000, 900_000, 1_500_000):
        reach(service, tmp_path, size)
        die(service, signal.SIGKILL)
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    with service.client() as rpc:
        held = rpc.stats("e", "v")["held"]
        assert 900 < held < 1000, "as many as there is room for"
        rpc.call("block.trigger", engine="e", block="v")
        got = rpc.recv("e", "q", held)
    assert [m["message"][:8] for m in got] == ["%08d" % n for n in range(COUNT - held, COUNT)]


@pytest.mark.parametrize("end", DEATHS, ids=lambda end: end.name)
def test_what_is_answered_is_so(service, tmp_path, end):
    """Each message that `send` has answered is in the file and in the queue; what `recv` has answered
    does not come again."""
    service.create("e", f"s = CLIFeeder(); q = QueueSink(); w = WrpcapSink('{tmp_path}/out.pcap', linktype=1); s > q; s > w")
    sent, received = 0, []
    for turn in range(10):
        with service.client() as rpc:
            for _ in range(turn + 1):
                rpc.send("e", "s", "%08d" % sent)
                sent += 1
            received += rpc.texts("e", "q", turn)
        die(service, end)
    with service.client() as rpc:
        received += rpc.texts("e", "q", sent - len(received))
        assert rpc.stats("e", "q")["held"] == 0
    service.ok("stop", "e")
    assert received == ["%08d" % n for n in range(sent)]
    assert numbers(tmp_path / "out.pcap") == list(range(sent))


def test_a_file_that_was_cut_short_stays_and_another_is_begun(service, numbered, tmp_path):
    out = tmp_path / "out.pcap"
    service.create("e", f"r = RdpcapSource('{numbered}/in.pcap', pps=20000); w = WrpcapSink('{out}'); r > w")
    reach(service, tmp_path, 500_000)
    eventually(lambda: memory_kept(service))
    service.process.kill()
    service.process.wait()
    os.truncate(out, 100)
    service.start()
    assert "shorter than it was at the checkpoint" in service.client().show("e", "w")["note"]
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    service.ok("stop", "e")
    assert out.stat().st_size == 100
    rest = numbers(tmp_path / "out.00001.pcap")
    assert rest == list(range(rest[0], COUNT)) and rest[0] > 0


def test_another_file_of_the_name_is_read_from_its_beginning(service, numbered, tmp_path):
    source, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    source.write_bytes((numbered / "in.pcap").read_bytes())
    service.create("e", f"r = RdpcapSource('{source}', pps=20000); w = WrpcapSink('{out}'); r > w")
    reach(service, tmp_path, 500_000)
    service.process.kill()
    service.process.wait()
    source.rename(tmp_path / "moved.pcap")
    makers.pcap(source, [(b"%08d" % n * 8, 0) for n in range(3)])
    service.start()
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    with service.client() as rpc:
        assert rpc.stats("e", "r")["dropped"] == {"restart": 1}
        assert "another file now" in rpc.show("e", "r")["last_error"]
    service.ok("stop", "e")
    assert numbers(out)[-3:] == [0, 1, 2]


@pytest.mark.parametrize("seed", range(TIMES // 4))
def test_a_damaged_checkpoint_is_told_and_counted(service, numbered, tmp_path, seed):
    chance = random.Random(seed)
    service.create("e", f"r = RdpcapSource('{numbered}/in.pcap', pps=20000); w = WrpcapSink('{tmp_path}/out.pcap'); r > w")
    reach(service, tmp_path, 300_000)
    service.process.kill()
    service.process.wait()
    with service.manager.lock:
        (memory,) = [fd for name, fd in service.manager.kept if name == "keep/e/r/0"]
    for half in (0, 128 * 1024):
        at = 4096 + half + chance.randrange(100)
        byte = os.pread(memory, 1, at)
        os.pwrite(memory, bytes([byte[0] ^ 1 << chance.randrange(8)]), at)
    service.start()
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    with service.client() as rpc:
        assert rpc.stats("e", "r")["dropped"] == {"restart": 1}
        assert rpc.stats("e")["unexplained"] == 0
    assert "damaged" in service.log()
    service.ok("stop", "e")
    assert numbers(tmp_path / "out.pcap")[-COUNT:] == list(range(COUNT))


@pytest.mark.parametrize("where", [0, 8], ids=["another form", "damaged"])
def test_a_checkpoint_that_is_not_known_is_told_and_counted(service, numbered, tmp_path, where):
    """The page that says which checkpoint counts."""
    service.create("e", f"r = RdpcapSource('{numbered}/in.pcap', pps=50000); w = WrpcapSink('{tmp_path}/out.pcap'); r > w")
    reach(service, tmp_path, 300_000)
    service.process.kill()
    service.process.wait()
    with service.manager.lock:
        (page,) = [fd for name, fd in service.manager.kept if name == "keep/e//0"]
    os.pwrite(page, bytes([os.pread(page, 1, where)[0] ^ 0x80]), where)
    service.start()
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    with service.client() as rpc:
        assert rpc.stats("e", "r")["dropped"] == {"restart": 1}
        assert rpc.stats("e")["unexplained"] == 0
        assert "resumed" not in rpc.show("e")
    assert "checkpoint that engine e had left is damaged" in service.log()
    service.ok("stop", "e")
    assert numbers(tmp_path / "out.pcap")[-COUNT:] == list(range(COUNT))


@pytest.mark.parametrize("by_hand", [False, True])
def test_an_engine_that_cannot_start_goes_on_when_it_can(service, numbered, tmp_path, by_hand):
    """Whatever ends the daemon meanwhile; but who has stopped it begins anew."""
    source, away, out = tmp_path / "in.pcap", tmp_path / "away", tmp_path / "out.pcap"
    shutil.copy(numbered / "in.pcap", source)
    service.create("e", f"r = RdpcapSource('{source}', pps=50000); w = WrpcapSink('{out}'); q = QueueSink(); r > w; r > q")
    reach(service, tmp_path, 500_000)
    source.rename(away)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        die(service, number)
        eventually(lambda: service.client().show("e")["state"] == "failed")
    if by_hand:
        service.ok("stop", "e")
    away.rename(source)
    eventually(lambda: service.ptctl("start", "e").code == 0)  # not by a try that was under way
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    with service.client() as rpc:
        assert rpc.stats("e")["unexplained"] == 0 and ("resumed" in rpc.show("e")) != by_hand
        assert by_hand or rpc.stats("e", "r")["out"] == rpc.stats("e", "q")["held"] == COUNT
    service.ok("stop", "e")
    assert numbers(out) == list(range(COUNT))


def test_a_file_that_was_moved_goes_on_where_it_is(service, numbered, tmp_path):
    """It is the same file: what is behind the checkpoint is cut off, and it is written on."""
    out, moved = tmp_path / "out.pcap", tmp_path / "moved.pcap"
    service.create("e", f"r = RdpcapSource('{numbered}/in.pcap', pps=50000); w = WrpcapSink('{out}'); r > w")
    reach(service, tmp_path, 500_000)
    service.process.kill()
    service.process.wait()
    out.rename(moved)
    service.start()
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    service.ok("stop", "e")
    assert numbers(moved) == list(range(COUNT)) and not out.exists()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=lambda end: end.name)
def test_a_file_that_was_deleted_is_begun_anew(service, numbered, tmp_path, end):
    """With what comes behind the checkpoint, under its name."""
    out = tmp_path / "out.pcap"
    service.create("e", f"r = RdpcapSource('{numbered}/in.pcap', pps=50000); w = WrpcapSink('{out}'); r > w")
    reach(service, tmp_path, 500_000)
    service.process.send_signal(end)
    service.process.wait()
    out.unlink()
    service.start()
    assert "was deleted" in service.client().show("e", "w")["note"]
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    service.ok("stop", "e")
    rest = numbers(out)
    assert rest == list(range(rest[0], COUNT)) and rest[0] > 0


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_another_file_of_a_value_stays(service, spread, tmp_path, ending):
    """What a checkpoint has of it is told to be elsewhere, and another is begun beside it."""
    service.create("e", f"r = RdpcapSource('{spread[0]}', pps=10000); w = FileSink('{tmp_path}/out.{{udp.dport}}{ending}'); r > w")
    eventually(lambda: (service.client().show("e", "r")["checkpoint"] or {"at": 0})["at"] > 2500)  # several have been
    service.process.kill()
    service.process.wait()
    other = tmp_path / f"out.1007{ending}"
    other.unlink()
    other.write_text("another")
    service.start()
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    service.ok("stop", "e")
    assert other.read_text() == "another"
    beside = unpacked(next(path for path in tmp_path.glob("out*1007*") if path != other)).read_bytes()
    assert beside and b"".join(spread[1][7::50]).endswith(beside)
    assert unpacked(tmp_path / f"out.1008{ending}").read_bytes() == b"".join(spread[1][8::50])
    assert "not the file any more" in service.log()


def test_an_interface_that_was_gone_meanwhile_is_waited_for(service, network):
    """Made anew while the daemon is away, or later, it is captured again; what is in its ring came first."""
    service.create("e", f"n = SniffSource('pr', netns='{network.right}', retry_s=0.05); q = QueueSink(); n > q")
    sent(network, network.left, "pl", *plain(1))
    with service.client() as rpc:
        assert [b for b, _ in caught(rpc, 1, "e")] == plain(1)
    service.process.kill()
    service.process.wait()
    sent(network, network.left, "pl", *plain(2))
    ip("-n", network.left, "link", "del", "pl")
    service.start()
    with service.client() as rpc:
        assert [b for b, _ in caught(rpc, 1, "e")] == plain(2)
        eventually(lambda: rpc.show("e", "n")["state"] == "failed")
        anew(network)
        eventually(lambda: rpc.show("e", "n")["state"] == "running")
        sent(network, network.left, "pl", *plain(3))
        assert [b for b, _ in caught(rpc, 1, "e")] == plain(3)
        assert rpc.stats("e")["unexplained"] == 0


# ---- what is told ----


def test_show_tells_of_checkpoints(service, numbered, tmp_path):
    followed = tmp_path / "lines"
    followed.write_text("one\n")
    service.create("e", f"""r = RdpcapSource('{numbered}/in.pcap', pps=50000); w = WrpcapSink('{tmp_path}/out.pcap')
        r > w; f = FileSource('{followed}', follow=true); s = Sink(); f > s""")
    reach(service, tmp_path, 300_000)
    with service.client() as rpc:
        eventually(lambda: (rpc.show("e", "r")["checkpoint"] or {"at": 0})["at"])
        row = rpc.show("e", "r")
        assert 0 < row["checkpoint"]["at"] <= COUNT and float(row["checkpoint"]["time"]) > 1e9
        assert "checkpoint" not in rpc.show("e", "w"), "it is of sources"
        assert rpc.show("e", "f")["checkpoint"] is None
        assert "cannot go back" in rpc.show("e", "f")["why"]
    out = service.ok("show", "e.r")
    assert "checkpoint" in out and "  at" in out
    service.ok("stop", "e")
    with service.client() as rpc:
        row = rpc.show("e", "r")
    assert row["checkpoint"] is None and row["why"] == "it does not run"


def test_nothing_is_kept_of_an_engine_that_is_stopped(service, numbered, tmp_path):
    """And when it is started again it goes on exactly as before."""
    service.create("e", f"r = RdpcapSource('{numbered}/in.pcap', pps=50000); w = WrpcapSink('{tmp_path}/out.pcap'); r > w")
    reach(service, tmp_path, 300_000)
    service.ok("stop", "e")
    eventually(lambda: not service.kept_names())
    service.ok("start", "e")
    reach(service, tmp_path, 600_000)
    die(service, signal.SIGKILL)
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    service.ok("stop", "e")
    assert numbers(tmp_path / "out.pcap")[-COUNT:] == list(range(COUNT))


def test_without_a_store_there_is_no_checkpoint(daemon, numbered):
    daemon.create("e", f"r = RdpcapSource('{numbered}/in.pcap'); s = Sink(); r > s")
    with daemon.client() as rpc:
        row = rpc.show("e", "r")
    assert row["checkpoint"] is None and "no descriptor store" in row["why"]


@pytest.mark.parametrize("end, why", [(signal.SIGKILL, "crash"), (signal.SIGTERM, "restart")])
def test_show_tells_that_it_went_on(service, numbered, tmp_path, end, why):
    service.create("e", f"""r = RdpcapSource('{numbered}/in.pcap', pps=50000); w = WrpcapSink('{tmp_path}/out.pcap')
        q = QueueSink(); r > w; r > q""")
    assert "resumed" not in service.client().show("e")
    eventually(lambda: (service.client().show("e", "r")["checkpoint"] or {"at": 0})["at"] > 1000)
    service.restart(end)
    shown = service.client().show("e")["resumed"]
    assert shown["why"] == why and shown["gap_s"] > 0 and float(shown["time"]) > 1e9
    assert shown["waited"] > 1000, "what lies in the queue"
    assert f"({why}); waited: " in service.ok("show", "e")
    assert f"engine e went on at its checkpoint of {shown['gap_s']:.3f} s before ({why})" in service.log()


@pytest.mark.parametrize("turn", range(TIMES // 4))
def test_counts_go_on_from_the_checkpoint(service, numbered, tmp_path, turn):
    chance = random.Random(turn)
    service.create("e", f"""r = RdpcapSource('{numbered}/in.pcap', pps=50000); w = WrpcapSink('{tmp_path}/out.pcap')
        f = Drain(); h = HeadDrain(1000); q = QueueSink(limit=100_000); r > f > w; r > h > q""")
    for _ in range(3):
        reach(service, tmp_path, chance.randrange(1_800_000))
        if chance.random() < 0.5:
            service.client().recv("e", "q", 100, 0.1)
        die(service, chance.choice(DEATHS + [signal.SIGTERM]))
        with service.client() as rpc:
            assert rpc.stats("e")["unexplained"] == 0
    eventually(lambda: service.client().show("e", "r")["state"] == "exhausted")
    with service.client() as rpc:
        stats = rpc.stats("e")
        assert stats["unexplained"] == 0
        counts = {b["name"]: b for b in stats["blocks"]}
        assert (counts["r"]["out"], counts["f"]["in"], counts["w"]["out"]) == (COUNT, COUNT, COUNT)
        assert counts["h"]["filtered"] == {"beyond": COUNT - 1000} and counts["h"]["out"] == 1000
        assert counts["q"]["in"] == 1000 == counts["q"]["out"] + counts["q"]["held"] + sum(counts["q"]["dropped"].values())
        assert {(l["from"], l["to"]): l["messages"] for l in stats["links"]} == {
            ("r", "f"): COUNT, ("f", "w"): COUNT, ("r", "h"): COUNT, ("h", "q"): 1000}
        assert stats["total"]["in"] == COUNT


@pytest.mark.parametrize("turn", range(max(2, TIMES // 20)))
def test_counts_of_a_few_of_many_go_on(service, numbered, tmp_path, turn):
    """Only what has changed is told; a change of the graph, and another death, come in between."""
    chance = random.Random(turn)
    many = "".join(f"d{n} = Drain(); " for n in range(400))
    service.create("e", f"""{many} s = CLIFeeder(); k = Sink(); s > d7 > k
        r = RdpcapSource('{numbered}/in.pcap', pps=50000); w = WrpcapSink('{tmp_path}/out.pcap'); r > d1 > w""")
    for sent in range(1, 4):
        service.client().send("e", "s", "one")
        reach(service, tmp_path, chance.randrange(1_800_000))
        if chance.random() < 0.5:
            service.ok("add", "e", f"more{sent} = Drain()")
        die(service, chance.choice(DEATHS))
        with service.client() as rpc:
            counts = {b["name"]: b for b in rpc.stats("e")["blocks"]}
            assert counts["k"]["out"] == counts["d7"]["out"] == sent
    with service.client() as rpc:
        eventually(lambda: rpc.show("e", "r")["state"] == "exhausted")
        stats = rpc.stats("e")
    assert stats["unexplained"] == 0
    counts = {b["name"]: b for b in stats["blocks"]}
    assert (counts["r"]["out"], counts["d1"]["in"], counts["w"]["out"]) == (COUNT, COUNT, COUNT)
    assert {(l["from"], l["to"]): l["messages"] for l in stats["links"]} == {
        ("r", "d1"): COUNT, ("d1", "w"): COUNT, ("s", "d7"): 3, ("d7", "k"): 3}


# ---- what kills the daemon again and again ----


@pytest.fixture(scope="module")
def poison(tmp_path_factory):
    if not shutil.which("cc"):
        pytest.skip("cc is not there")
    root = pathlib.Path(__file__).parents[2]
    plugin = tmp_path_factory.mktemp("plugin") / "poison.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-I", root / "lib", "-o", plugin,
                    root / "tests/plugin/poison.c"], check=True, timeout=120)
    return plugin


def survive(service, when, block="r", limit=40):
    """Starts it until it lives, as `when` tells by what is shown and counted of the block; how often it
    has died."""
    def lives():
        try:
            with service.client() as rpc:
                return when(rpc.show("e", block), rpc.stats("e", block))
        except (OSError, Closed):
            return False

    for deaths in range(limit):
        service.process.wait()
        service.start(wait=False)
        while service.process.poll() is None:
            if service.manager.ready.wait(0.05) and lives():
                return deaths
    raise AssertionError(f"it died {limit} times\n{service.log()}")


def test_a_poison_is_left_out(service, poison, numbered, tmp_path):
    """All but the vector with it comes to the file, once."""
    shutil.copy(poison, service.blocks)
    service.restart()
    service.create("e", f"""r = RdpcapSource('{numbered}/in.pcap'); p = Poison('00012345'); w = WrpcapSink('{tmp_path}/out.pcap')
        r > p > w""", start=False)
    service.ptctl("start", "e")
    assert survive(service, lambda shown, _: shown["state"] == "exhausted") >= 3
    with service.client() as rpc:
        assert rpc.stats("e", "r")["dropped"].keys() == {"poison"}
        lost = rpc.stats("e", "r")["dropped"]["poison"]
        assert rpc.stats("e")["unexplained"] == 0
        assert "left out" in rpc.show("e", "r")["last_error"]
    service.ok("stop", "e")
    got = numbers(tmp_path / "out.pcap")
    missing = sorted(set(range(COUNT)) - set(got))
    assert got == sorted(set(got)) and 12345 in missing and len(missing) == lost <= 64
    assert missing == list(range(missing[0], missing[0] + lost))


def test_a_poison_from_another_engine_is_left_out(service, poison, numbered, tmp_path):
    """Also where what is known comes again before it."""
    shutil.copy(poison, service.blocks)
    service.restart()
    service.create("a", f"s = RdpcapSource('{numbered}/in.pcap'); t = ToEngine('c'); s > t")
    eventually(lambda: (service.client().show("a", "s")["checkpoint"] or {"at": 0})["at"] == COUNT)
    service.create("e", f"r = FromEngine('c'); p = Poison('00012345'); w = WrpcapSink('{tmp_path}/out.pcap'); r > p > w", start=False)
    service.ptctl("start", "e")
    assert survive(service, lambda shown, _: shown["state"] == "exhausted") >= 3
    with service.client() as rpc:
        lost = rpc.stats("e", "r")["dropped"]["poison"]
        assert rpc.stats("e")["unexplained"] == 0 and "left out" in rpc.show("e", "r")["last_error"]
    service.ok("stop", "e")
    got = numbers(tmp_path / "out.pcap")
    missing = sorted(set(range(COUNT)) - set(got))
    assert got == sorted(set(got)) and 12345 in missing and len(missing) == lost < COUNT // 100


def test_a_poison_in_a_ring_is_left_out(service, poison, network):
    shutil.copy(poison, service.blocks)
    service.restart()
    service.create("e", f"""r = SniffSource('pr', netns='{network.right}'); p = Poison('poison'); q = QueueSink()
        r > p > q""")
    sent(network, network.left, "pl", *plain(1))
    with service.client() as rpc:
        assert [b for b, _ in caught(rpc, 1, "e")] == plain(1)
    sent(network, network.left, "pl", plain(1)[0][:42] + b"poison")
    assert survive(service, lambda _, counts: counts["dropped"].get("poison")) >= 3
    sent(network, network.left, "pl", *plain(2))
    with service.client() as rpc:
        assert [b for b, _ in caught(rpc, 1, "e")] == plain(2)
        assert rpc.stats("e", "r")["dropped"].keys() == {"poison"}
        assert "left out" in rpc.show("e", "r")["last_error"]
        assert rpc.stats("e")["unexplained"] == 0
