# SPDX-License-Identifier: BSD-2-Clause
"""Capture files, read and written: what Scapy, tcpdump and tshark find in them is the measure."""
import contextlib
import gzip
import itertools
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import threading
from decimal import Decimal

import pytest
from scapy.all import IP, fragment, wrpcap

import makers
from conftest import DEADLINE, eventually, program, run_ptctl

PACKETS = makers.some_packets()
WRITERS = {
    "pcap of microseconds": lambda path: makers.pcap(path, PACKETS),
    "pcap of nanoseconds": lambda path: makers.pcap(path, PACKETS, ns=True),
    "pcap, big-endian": lambda path: makers.pcap(path, PACKETS, order=">"),
    "pcap of nanoseconds, big-endian": lambda path: makers.pcap(path, PACKETS, ">", ns=True),
    "pcapng": lambda path: makers.pcapng(path, [(*p, 0) for p in PACKETS]),
    "pcapng, big-endian": lambda path: makers.pcapng(path, [(*p, 0) for p in PACKETS], order=">"),
    "pcapng of several interfaces": lambda path: makers.pcapng(
        path, [(*p, n % 3) for n, p in enumerate(PACKETS)], ((1, 9, 0), (1, 6, 0), (1, 3, 0))),
    "pcapng that describes interfaces late": lambda path: makers.pcapng(
        path, [(*p, n // 20) for n, p in enumerate(PACKETS)], ((1, 9, 0), (1, 6, 0), (1, 9, 0)),
        late=True),
    "pcapng with powers of two": lambda path: makers.pcapng(
        path, [(*p, 0) for p in PACKETS], ((1, 128 + 30, 0),)),
    "pcapng with an offset": lambda path: makers.pcapng(
        path, [(*p, 0) for p in PACKETS], ((1, 9, 1_500_000_000),)),
}


def through(daemon, source, sink, **parameters):
    """Copies a capture file; returns what tshark reads in both: times, lengths and bytes."""
    rest = "".join(f", {k}={v!r}" for k, v in parameters.items())
    daemon.ok("run", f'RdpcapSource("{source}") > WrpcapSink("{sink}"{rest})')


OFFSETS = {"before 1970": (-1_700_000_000, 5 * 10 ** 6), "far before": (-4_000_000_000, 0),
           "after 2106": (0, 5_000_000_000 * 10 ** 6)}


@pytest.mark.parametrize("when", OFFSETS)
def test_times_that_pcapng_alone_can_say(daemon, tmp_path, when):
    offset, first = OFFSETS[when]
    times = [offset * 10 ** 9 + first * 1000 + n * 1_000_001_000 for n in range(3)]
    source = makers.pcapng(tmp_path / "in.pcapng", [(b"x" * 60, t, 0) for t in times],
                           ((1, 6, offset),))
    through(daemon, source, tmp_path / "out.pcapng")
    assert content(tmp_path / "out.pcapng") == content(source)
    result = daemon.ptctl("run", f'RdpcapSource("{source}") > WrpcapSink("{tmp_path}/out.pcap")')
    assert "a packet dated before 1970 or after 2106" in result.err, result
    assert len(makers.tshark(tmp_path / "out.pcap", "frame.number")) == 3


def test_times_that_nothing_here_can_say_are_told(daemon, tmp_path):
    source = makers.pcapng(tmp_path / "in.pcapng", [(b"x" * 60, 10 ** 19 + n, 0) for n in range(3)],
                           ((1, 9, 0),))
    result = daemon.ptctl("run", f'RdpcapSource("{source}") > WrpcapSink("{tmp_path}/out.pcapng")')
    assert "dated before 1677 or after 2262" in result.err, result
    assert len(makers.tshark(tmp_path / "out.pcapng", "frame.number")) == 3


def test_scripts_shift_times_exactly(daemon, tmp_path):
    packets = [(b"x" * 60, 1_573_830_016_444_223_380 + n * 7) for n in range(50)]
    source = makers.pcap(tmp_path / "in.pcap", packets, ns=True)
    for f in ("shift_time '-1h30m'",
              "function(m) m.time_ns = m.time_ns - 5400 * 1000000000 return m end"):
        daemon.ok("run", f'RdpcapSource("{source}") > TransformDrain({f!r}) > '
                         f'WrpcapSink("{tmp_path}/out.pcap", format="pcap-ns")')
        assert [int(Decimal(t[0]) * 10 ** 9) for t in makers.tshark(
            tmp_path / "out.pcap", "frame.time_epoch")] == [t - 5400 * 10 ** 9 for _, t in packets]


@pytest.mark.parametrize("link_type", [189, 220, 231, 249])
def test_packets_may_be_as_long_as_their_kind(daemon, tmp_path, link_type):
    packets = [(bytes(64) + b"u" * n, 10 ** 18) for n in (0, 1_000_000, 100, 300_000)]
    source = makers.pcap(tmp_path / "in.pcap", packets, link_type=link_type, snaplen=128 << 20)
    through(daemon, source, tmp_path / "out.pcap")
    through(daemon, tmp_path / "out.pcap", tmp_path / "out.pcapng")
    assert content(tmp_path / "out.pcapng") == content(source)
    assert (tmp_path / "out.pcap").read_bytes() == open(source, "rb").read()


def test_captures_one_behind_the_other_are_one(daemon, tmp_path):
    parts = [WRITERS[what](str(tmp_path / "part")) and (tmp_path / "part").read_bytes()
             for what in WRITERS]
    (tmp_path / "in.cap").write_bytes(b"".join(parts))
    through(daemon, tmp_path / "in.cap", tmp_path / "out.pcapng")
    assert [p[0] for p in makers.read(tmp_path / "out.pcapng")] == [
        p[0] for p in PACKETS] * len(parts)


def test_a_pipe_that_was_read_is_open_no_longer(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS)
    os.mkfifo(tmp_path / "fifo")
    daemon.create("e", f'r = RdpcapSource("{tmp_path}/fifo"); q = Sink(); r > q')
    for rounds in range(1, 3):
        with open(tmp_path / "fifo", "wb") as fifo:
            fifo.write(open(source, "rb").read())
        eventually(lambda: "exhausted" in daemon.ok("show", "e.r"))
        with pytest.raises(OSError):  # nobody reads
            os.open(tmp_path / "fifo", os.O_WRONLY | os.O_NONBLOCK)
        with daemon.client() as rpc:
            assert rpc.stats("e", "q")["in"] == rounds * len(PACKETS)
        daemon.ok("stop", "e")
        daemon.ok("start", "e")


def content(path):
    return makers.tshark(path, "frame.time_epoch", "frame.len", "frame.cap_len",
                         "frame.md5_hash", "frame.encap_type",
                         arguments=["-o", "frame.generate_md5_hash:TRUE"])


@pytest.mark.parametrize("what, how", 
    itertools.product(WRITERS, ["plain", "gz", "zst", "lz4"]))
def test_every_format_is_read_as_tshark_reads_it(daemon, tmp_path, what, how):
    source = WRITERS[what](str(tmp_path / "in.cap"))
    given = source if how == "plain" else makers.compressed(source, how)
    through(daemon, given, tmp_path / "out.pcapng", format="pcapng")
    assert content(tmp_path / "out.pcapng") == content(source)
    assert [p[0] for p in makers.read(tmp_path / "out.pcapng")] == [p[0] for p in PACKETS]


@pytest.mark.parametrize("form", ["pcap", "pcap-ns", "pcapng"])
@pytest.mark.parametrize("gz", [False, True])
def test_every_format_is_written_so_that_others_read_it(daemon, tmp_path, form, gz):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS, ns=True)
    sink = tmp_path / "out"
    through(daemon, source, sink, format=form, gz=gz)
    if gz:
        plain = tmp_path / "plain"
        plain.write_bytes(gzip.decompress(sink.read_bytes()))
        sink = plain
    expected = [(data, time // 1000 * 1000 if form == "pcap" else time) for data, time in PACKETS]
    got = makers.read(sink)
    assert [g[0] for g in got] == [e[0] for e in expected]
    assert [g[1] for g in got] == [e[1] for e in expected]
    assert len(makers.tcpdump(sink)) == len(PACKETS)
    stamp = [Decimal(row[0]) * 10 ** 9 for row in makers.tshark(sink, "frame.time_epoch")]
    assert stamp == [e[1] for e in expected]


@pytest.mark.parametrize("name, magic, unpack", [
    ("out.pcapng", "0a0d0d0a", None), ("out.NTAR", "0a0d0d0a", None), ("out", "d4c3b2a1", None),
    ("out.pcap.gz", "d4c3b2a1", "gzip"), ("out.pcapng.zst", "0a0d0d0a", "zstd"),
    ("out.lz4", "d4c3b2a1", "lz4")])
def test_a_file_is_what_its_name_says(daemon, tmp_path, name, magic, unpack):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS)
    through(daemon, source, tmp_path / name)
    plain = tmp_path / "plain"
    with open(tmp_path / name, "rb") as packed, open(plain, "wb") as out:
        subprocess.run([unpack, "-dc"] if unpack else ["cat"], stdin=packed, stdout=out, check=True)
    assert plain.read_bytes()[:4].hex() == magic
    assert content(plain) == content(source)


def test_what_is_said_counts_more_than_the_name(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS)
    through(daemon, source, tmp_path / "out.pcapng.gz", format="pcap", compress="none")
    assert (tmp_path / "out.pcapng.gz").read_bytes() == (tmp_path / "in.pcap").read_bytes()
    through(daemon, source, tmp_path / "out.pcapng", append=False)
    through(daemon, source, tmp_path / "old.pcapng", format="pcap")
    through(daemon, source, tmp_path / "old.pcapng", append=True)
    assert len(makers.read(tmp_path / "old.pcapng")) == 2 * len(PACKETS)
    result = daemon.ptctl("run", f'RdpcapSource("{source}") > WrpcapSink("{tmp_path}/x", '
                                 'gz=True, compress="zstd")')
    assert result.code == 1 and "is not what gz says" in result.err, result


@pytest.mark.parametrize("checks", [0, 0x04000000, 0x24000000], ids=["untold", "none", "of 4 bytes"])
def test_a_pcap_is_copied_byte_for_byte(daemon, tmp_path, checks):
    """Also what its header tells of check sequences, which an interface of a pcapng tells, too."""
    source = tmp_path / "in.pcap"
    makers.pcap(source, [*PACKETS, (b"", 5), (b"x" * 60, 6, 1500)])
    data = source.read_bytes()
    source.write_bytes(data[:20] + struct.pack("<I", 1 | checks) + data[24:])
    through(daemon, source, tmp_path / "out.pcap")
    through(daemon, source, tmp_path / "out.pcapng")
    through(daemon, tmp_path / "out.pcapng", tmp_path / "back.pcap")
    for copy in ("out.pcap", "back.pcap"):
        assert (tmp_path / copy).read_bytes() == source.read_bytes()


def usb(order, transfer, descriptors=0):
    head = struct.pack(order + "QBBBBHBBqiiII", 0x1122334455667788, 0x43, transfer, 0x81, 1, 3, 45, 0,
                       1_700_000_000, 5, -2, 64, 64)
    setup = struct.pack(order + "II", 1, 2) if transfer == 0 else bytes(range(8))
    parts = b"".join(struct.pack(order + "iIII", -n, n, 16, 0) for n in range(descriptors))
    return head + setup, struct.pack(order + "iIII", 8, 9, 10, descriptors) + parts + b"data"


def of_a_host(order):
    """Packets by link type, with headers as a machine of that byte order has them."""
    def part(kind, value):
        return struct.pack(order + "HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)
    control, blocks = usb(order, 2), usb(order, 0, descriptors=3)
    frames = struct.pack(order + "I", 0x123) + b"\x02\0\0\0ab"
    cooked_2 = b"\0\x0c" + bytes([0, 0, 0, 0, 0, 3, 1, 24, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0])
    cooked = bytes([0, 1, 1, 24, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0])
    return {189: [control[0] + b"data", blocks[0], control[0][:28], b"short"],
            220: [control[0] + control[1], blocks[0] + blocks[1], (blocks[0] + blocks[1])[:92]],
            239: [b"\2\0\0\0" + part(10, b"eth0\0") + part(9, b"E" * 21), b"\2\1\0\0\1\2\3\4"],
            113: [cooked + b"\x0c" + frames, cooked + b"\x0d" + frames, cooked + b"\x04" + b"no CAN"],
            276: [cooked_2 + frames]}


@pytest.mark.parametrize("link_type", [113, 189, 220, 239, 276])
@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_headers_of_another_byte_order_are_turned(daemon, tmp_path, link_type, form):
    """So that they are as in the twin of the file, and as tcpdump writes them; not those of NFLOG
    with a version that nobody knows, nor what is no CAN."""
    for name, order in (("big", ">"), ("little", "<")):
        packets = [(p, n) for n, p in enumerate(of_a_host(order)[link_type])]
        source = tmp_path / f"{name}.{form}"
        if form == "pcap":
            makers.pcap(source, packets, order, link_type=link_type)
        else:
            makers.pcapng(source, [(*p, 0) for p in packets], ((link_type, 6, 0),), order)
        through(daemon, source, tmp_path / f"{name}.out.pcap")
        subprocess.run(["tcpdump", "-r", source, "-w", tmp_path / f"{name}.theirs"], check=True,
                       capture_output=True)
    ours, theirs = ((tmp_path / f"big.{end}").read_bytes()[24:] for end in ("out.pcap", "theirs"))
    assert ours == theirs
    assert ours == (tmp_path / "little.out.pcap").read_bytes()[24:]


def test_a_big_capture_is_copied_byte_for_byte(daemon, tmp_path):
    packets = [(bytes([n % 256]) * (n * 37 % 1515), n * 1000) for n in range(60_000)]
    source = makers.pcap(tmp_path / "in.pcap", packets)
    through(daemon, source, tmp_path / "out.pcap")
    assert (tmp_path / "out.pcap").read_bytes() == (tmp_path / "in.pcap").read_bytes()


def test_what_scapy_writes(daemon, tmp_path):
    wrpcap(str(tmp_path / "in.pcap.gz"), [p[0] for p in PACKETS], gz=True)
    through(daemon, tmp_path / "in.pcap.gz", tmp_path / "out.pcap")
    assert [p[0] for p in makers.read(tmp_path / "out.pcap")] == [p[0] for p in PACKETS]


def test_interfaces_of_different_link_types(daemon, tmp_path):
    raw = [(data, time, 0) if n % 2 else (data[14:], time, 1)
           for n, (data, time) in enumerate(PACKETS)]
    source = makers.pcapng(tmp_path / "in.pcapng", raw, ((1, 6, 0), (101, 9, 0)))
    through(daemon, source, tmp_path / "out.pcapng", format="pcapng")
    assert content(tmp_path / "out.pcapng") == content(source)


def test_a_pcap_takes_one_link_type_and_counts_the_others(daemon, tmp_path):
    raw = [(data, time, n % 2) for n, (data, time) in enumerate(PACKETS)]
    source = makers.pcapng(tmp_path / "in.pcapng", raw, ((1, 6, 0), (101, 9, 0)))
    daemon.create("e", f'r = RdpcapSource("{source}"); w = WrpcapSink("{tmp_path}/out.pcap"); r > w')
    daemon.finish("e")
    assert len(makers.read(tmp_path / "out.pcap")) == 25
    with daemon.client() as rpc:
        stats = rpc.stats("e", "w")
        assert sum(stats["dropped"].values()) == 25 and stats["errors"] > 0
        assert rpc.stats("e")["unexplained"] == 0


def test_two_sections_in_one_file(daemon, tmp_path):
    one = makers.pcapng(tmp_path / "1", [(*p, 0) for p in PACKETS[:10]], ((1, 9, 0),))
    two = makers.pcapng(tmp_path / "2", [(*p, 0) for p in PACKETS[10:20]], ((1, 6, 0),), order=">")
    both = tmp_path / "both.pcapng"
    both.write_bytes(open(one, "rb").read() + open(two, "rb").read())
    through(daemon, both, tmp_path / "out.pcapng", format="pcapng")
    assert content(tmp_path / "out.pcapng") == content(both)


def test_what_a_file_ends_with_is_appended_to(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS)
    for form in ("pcap", "pcap-ns", "pcapng"):
        sink = tmp_path / f"out.{form}"
        through(daemon, source, sink, format=form, append=True)
        through(daemon, source, sink, format=form, append=True)
        assert [row[1:] for row in content(sink)] == [row[1:] for row in content(source)] * 2
    refused = daemon.ptctl("run", f'RdpcapSource("{source}") > '
                                  f'WrpcapSink("{tmp_path}/out.pcap", format="pcap-ns", append=True)')
    assert refused.code == 1 and "append" in refused.err + "append", refused
    assert len(makers.read(tmp_path / "out.pcap")) == 2 * len(PACKETS)


def test_an_empty_capture_is_a_valid_file(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", [])
    for form in ("pcap", "pcap-ns", "pcapng"):
        through(daemon, source, tmp_path / "out", format=form)
        assert makers.tcpdump(tmp_path / "out") == []


def test_linktype_by_name_and_by_number(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", [(p[0][14:], p[1]) for p in PACKETS], link_type=101)
    for name in ("RAW", 101):
        through(daemon, source, tmp_path / "out.pcap", linktype=name)
        assert makers.read(tmp_path / "out.pcap") == makers.read(source)


def test_loop_reads_again_and_again(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS)
    daemon.ok("run", f'RdpcapSource("{source}", loop=7) > WrpcapSink("{tmp_path}/out.pcap")')
    assert [p[0] for p in makers.read(tmp_path / "out.pcap")] == [p[0] for p in PACKETS] * 7


def test_loop_0_goes_on_until_it_is_stopped(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS)
    daemon.create("e", f'r = RdpcapSource("{source}", loop=0); q = Sink(); r > q')
    with daemon.client() as rpc:
        while rpc.stats("e", "q")["in"] < 1000:
            pass
        rpc.call("engine.stop", engine="e")
        assert rpc.show("e")["state"] == "stopped" and rpc.stats("e")["unexplained"] == 0


def test_speed_keeps_the_timing(daemon, tmp_path):
    packets = [(b"x" * 60, 10 ** 18 + n * 100_000_000) for n in range(6)]
    source = makers.pcap(tmp_path / "in.pcap", packets)
    daemon.create("e", f'''r = RdpcapSource("{source}", speed=1); q = QueueSink(); r > q''',
                  start=False)
    import time
    with daemon.client() as rpc:
        began = time.monotonic()
        rpc.call("engine.start", engine="e")
        rpc.recv("e", "q", 6)
        assert time.monotonic() - began > 0.45


def test_a_pipe_that_is_filled_later_is_read(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS)
    os.mkfifo(tmp_path / "pipe")
    daemon.create("e", f'r = RdpcapSource("{tmp_path}/pipe"); q = QueueSink(); r > q')
    data = open(source, "rb").read()

    def fill():
        with open(tmp_path / "pipe", "wb", buffering=0) as pipe:
            for start in range(0, len(data), 777):
                pipe.write(data[start:start + 777])
    writer = threading.Thread(target=fill)
    writer.start()
    with daemon.client() as rpc:
        assert len(rpc.recv("e", "q", len(PACKETS))) == len(PACKETS)
    writer.join()
    daemon.finish("e")


def test_the_file_is_whole_when_stop_answers(daemon, tmp_path):
    daemon.create("e", f'p = CLIFeeder(); w = WrpcapSink("{tmp_path}/out.pcap", linktype=147);'
                       ' p > w')
    with daemon.client() as rpc:
        rpc.send("e", "p", *("m%d" % n for n in range(100)))
        rpc.call("engine.stop", engine="e")
        out = subprocess.run(["tcpdump", "-r", tmp_path / "out.pcap"], capture_output=True,
                             check=True).stdout
        assert len(out.splitlines()) >= 100


# ---- files that are not what they should be -----------------------------------------------------

def damaged(path, packets=PACKETS):
    """Names and contents of captures that cannot be read to the end; how many packets can."""
    good = open(makers.pcap(path / "good", packets), "rb").read()
    ends = [24]
    for data, _ in packets:
        ends.append(ends[-1] + 16 + len(data))
    third = ends[3]
    lie = bytearray(good)
    lie[third + 8:third + 12] = (1 << 31).to_bytes(4, "little")
    more = bytearray(good)
    more[third + 8:third + 12] = (len(good)).to_bytes(4, "little")
    ng = open(makers.pcapng(path / "ng", [(*p, 0) for p in packets]), "rb").read()
    at = 0  # the first packet's block
    while ng[at:at + 4] != b"\6\0\0\0":
        at += int.from_bytes(ng[at + 4:at + 8], "little")
    length = bytearray(ng)
    length[at + 4:at + 8] = (13).to_bytes(4, "little")
    huge = bytearray(ng)
    huge[at + 4:at + 8] = (0xfffffff0).to_bytes(4, "little")
    nowhere = bytearray(ng)
    nowhere[at + 8:at + 12] = (77).to_bytes(4, "little")
    return {
        "cut in a packet": (good[:ends[3] - 5], 2),
        "cut in a record's header": (good[:ends[3] + 7], 3),
        "a length of 2 GiB": (bytes(lie), 3),
        "a length beyond the end": (bytes(more), 3),
        "a pcapng block of 13 bytes": (bytes(length), 0),
        "a pcapng block of 4 GiB": (bytes(huge), 0),
        "a pcapng packet of no interface": (bytes(nowhere), 0),
        "pcapng cut off": (ng[:-40], None),
        "gzip cut off": (gzip.compress(good)[:-20], None),
    }


@pytest.mark.parametrize("what", ["cut in a packet", "cut in a record's header",
                                  "a length of 2 GiB", "a length beyond the end",
                                  "a pcapng block of 13 bytes", "a pcapng block of 4 GiB",
                                  "a pcapng packet of no interface", "gzip cut off"])
def test_a_damaged_capture_is_reported_once_and_read_as_far_as_it_goes(daemon, tmp_path, what):
    data, whole = damaged(tmp_path)[what]
    (tmp_path / "bad.pcap").write_bytes(data)
    daemon.create("e", f'r = RdpcapSource("{tmp_path}/bad.pcap"); q = QueueSink(); r > q')
    daemon.finish("e")
    with daemon.client() as rpc:
        stats = rpc.stats("e", "r")
        assert stats["errors"] == 1 and "bad.pcap" in stats["last_error"], stats
        got = rpc.recv("e", "q", 100, seconds=0)
        if whole is not None:
            assert len(got) == whole
        assert rpc.show("e", "r")["state"] == "failed"
        assert rpc.stats("e")["unexplained"] == 0
    assert daemon.log().count("bad.pcap") == 1
    assert "failed" in daemon.ok("show", "e") and "bad.pcap" in daemon.ok("show", "e.r")


@pytest.mark.parametrize("data", [b"", b"\xd4\xc3\xb2\xa1", b"hello, this is no capture at all",
                                  b"\x1f\x8b\x08\0garbage", b"\x28\xb5\x2f\xfd" + b"\xff" * 40,
                                  b"\x0a\x0d\x0d\x0a" + b"\xff" * 40],
                         ids=["empty", "magic alone", "text", "gzip", "zstd", "pcapng"])
def test_what_is_no_capture_is_refused_or_reported(daemon, tmp_path, data):
    (tmp_path / "bad.pcap").write_bytes(data)
    result = daemon.ptctl("run", f'RdpcapSource("{tmp_path}/bad.pcap") > Sink()')
    assert result.code == 1 and "bad.pcap" in result.err, result
    assert daemon.call("daemon.info")["engines"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_never_hurts_the_daemon(daemon, tmp_path, seed):
    import random
    chance = random.Random(seed)
    make = list(WRITERS.values())
    with daemon.client() as rpc:
        for number in range(25):
            data = bytearray(open(chance.choice(make)(str(tmp_path / "x")), "rb").read())
            for _ in range(chance.choice([1, 3, 20])):
                data[chance.randrange(len(data))] = chance.randrange(256)
            if chance.random() < 0.3:
                del data[chance.randrange(len(data)):]
            (tmp_path / "bad").write_bytes(data)
            run_ptctl("-s", daemon.socket, "run", f'RdpcapSource("{tmp_path}/bad") > '
                      f'''TransformDrain("set{{['ip.src']='1.1.1.1'}}") > QueueSink()''')
            assert rpc.call("daemon.info")["engines"] == 0, number


def test_a_directory_is_no_capture(daemon, tmp_path):
    assert daemon.ptctl("run", f'RdpcapSource("{tmp_path}") > Sink()').code == 1
    assert daemon.ptctl("run", f'CLIFeeder() > WrpcapSink("{tmp_path}")').code == 1


def test_a_dash_is_standard_input_and_output_of_run(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS)
    data = (tmp_path / "in.pcap").read_bytes()
    for how in ([], ["--private"]):
        done = subprocess.run(
            [program("ptctl"), "-s", daemon.socket, "run", *how, 'RdpcapSource("-") > WrpcapSink("-")'],
            input=data, capture_output=True, timeout=DEADLINE, check=True)
        assert done.stdout == data
    for verb in (["create", "e"], ["create", "e", "--start"]):
        for text, which in ((f'RdpcapSource("{source}") > WrpcapSink("-")', "output"),
                            ('RdpcapSource("-") > Sink()', "input")):
            error = daemon.ptctl(*verb, text)
            assert error.code == 1 and f"standard {which} with 'ptctl run' alone" in error.err, error
    daemon.ok("run", f'RdpcapSource("{source}") > WrpcapSink("./-")', cwd=tmp_path)
    assert (tmp_path / "-").read_bytes() == data


# ---- the tool that tries all of it on any folder ------------------------------------------------

TOOL = pathlib.Path(__file__).parent.parent / "captures.py"


def make_folder(folder):
    """Captures of each format, each link, short ones, parts, and damaged ones."""
    folder.mkdir()
    chance = random.Random(21)
    frames = [makers.random_packet(chance) for _ in range(40)]
    for n, (name, write) in enumerate(WRITERS.items()):
        write(folder / f"{n} {name}")
    makers.compressed(makers.pcap(folder / "squeezed", PACKETS), "gz")
    for name in makers.LINKS:
        link_type, packets = makers.travelling(name, frames)
        makers.pcap(folder / f"{name}.pcap", [(p, n * 1000) for n, p in enumerate(packets)],
                    link_type=link_type)
    makers.pcap(folder / "short.pcap", [(bytes(f)[:chance.randrange(60)], n, len(bytes(f)))
                                        for n, f in enumerate(frames)])
    parts = [part for f in frames if IP in f for part in fragment(f, 24)]
    makers.pcap(folder / "parts.pcap", [(bytes(p), n) for n, p in enumerate(parts)])
    whole = pathlib.Path(makers.pcap(folder / "broken.pcap", PACKETS)).read_bytes()
    (folder / "broken.pcap").write_bytes(whole[:-7])
    (folder / "no capture").write_text("no capture\n")
    return folder


def try_all(folder, *without, **env):
    command = ["/usr/bin/python3", TOOL, folder, "--verbose"]
    return subprocess.run(command + (["--without", *without] if without else []), text=True,
                          capture_output=True, timeout=20 * DEADLINE, env=dict(os.environ, **env))


def test_captures_of_every_kind_come_through(tmp_path):
    done = try_all(make_folder(tmp_path / "captures"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failures" not in done.stdout and "1 no capture" in done.stdout, done.stdout


@pytest.mark.parametrize("operation, instead, kinds", [
    ("set", "function(m) if m.ip then m:set_byte(27, 7) end return m end",
     {"set: checksum", "set: IP not found"}),
    ("set", "function(m) return m.ip and m end", {"set"}),
    ("anonymize", "function(m) return m end", {"anonymize: address"})])
def test_what_does_not_is_told(tmp_path, operation, instead, kinds):
    """With a ptctl that asks for something else."""
    ctl = tmp_path / "ptctl"
    ctl.write_text("#!/usr/bin/python3\n"
                   "import os, re, sys\n"
                   f"args = [re.sub('{operation}{{.*?}}', {instead!r}, a) for a in sys.argv[1:]]\n"
                   f"os.execv({program('ptctl')!r}, ['ptctl', *args])\n")
    ctl.chmod(0o755)
    folder = tmp_path / "captures"
    folder.mkdir()
    makers.pcap(folder / "in.pcap", PACKETS)
    done = try_all(folder, PT_CTL=str(ctl), PT_DAEMON=program("pipetoold"))
    assert done.returncode == 1 and not done.stderr, done.stdout + done.stderr
    assert {line.split("failures: ")[1] for line in done.stdout.splitlines()
            if "failures: " in line} >= kinds, done.stdout


# ---- a file that has lost its name --------------------------------------------------------------

def shown(daemon, block="w"):
    with daemon.client() as rpc:
        return rpc.show("e", block)


@pytest.mark.parametrize("how", ["hup", "set"])
@pytest.mark.parametrize("more, suffix", [("", ""), (", append=True", ""), ("", ".gz"), ("", ".pcapng")])
def test_a_capture_that_was_renamed_is_opened_anew_by_name(daemon, tmp_path, how, more, suffix):
    name, moved = tmp_path / f"out{suffix}", tmp_path / f"old{suffix}"
    daemon.create("e", f"s = CLIFeeder(); w = WrpcapSink('{name}', linktype='RAW'{more}); s > w")
    assert "name" not in shown(daemon).get("now", {})

    def reopen():
        if how == "hup":
            daemon.process.send_signal(signal.SIGHUP)
        else:
            daemon.ok("set", "e.w", f"fname={name}")
        eventually(lambda: "led elsewhere" in shown(daemon).get("note", ""))

    daemon.ok("send", "e.s", "before")
    eventually(lambda: moved.exists() or os.path.getsize(name) > 30)
    name.rename(moved)
    assert "leads elsewhere" in shown(daemon)["now"]["name"]
    daemon.ok("send", "e.s", "still there")
    reopen()
    eventually(lambda: "name" not in shown(daemon)["now"])
    daemon.ok("send", "e.s", "after")
    daemon.ok("stop", "e")
    assert read_raw(moved) == [b"before", b"still there"]
    assert read_raw(name) == [b"after"]
    with daemon.client() as rpc:
        assert rpc.stats("e")["unexplained"] == 0


def read_raw(path):
    """Payloads by tcpdump's reading, of any format."""
    done = subprocess.run(["tcpdump", "-r", "-", "-w", "-"], check=True, capture_output=True,
                          stdin=subprocess.Popen(["zcat", "-f", path], stdout=subprocess.PIPE).stdout)
    data, at, found = done.stdout, 24, []
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        found.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return found


def test_what_was_moved_away_before_the_first_packet_stays(daemon, tmp_path):
    name, moved = tmp_path / "out", tmp_path / "old"
    name.write_bytes(b"somebody's")
    daemon.create("e", f"s = CLIFeeder(); w = WrpcapSink('{name}', linktype='RAW'); s > w")
    name.rename(moved)
    daemon.ok("set", "e.w", f"fname={name}")
    daemon.ok("send", "e.s", "after")
    daemon.ok("stop", "e")
    assert moved.read_bytes() == b"somebody's" and read_raw(name) == [b"after"]


def test_nothing_is_appended_to_another_s_file(daemon, tmp_path):
    name, moved = tmp_path / "out", tmp_path / "old"
    daemon.create("e", f"s = CLIFeeder(); w = WrpcapSink('{name}', linktype='RAW', append=True); s > w")
    daemon.ok("send", "e.s", "one")
    name.rename(moved)
    name.write_bytes(b"somebody's")
    daemon.ok("set", "e.w", f"fname={name}")
    assert "nothing is appended" in shown(daemon)["note"]
    daemon.ok("send", "e.s", "two")
    daemon.ok("stop", "e")
    assert name.read_bytes() == b"somebody's" and read_raw(moved) == [b"one", b"two"]


def test_a_ring_begins_its_next_file(daemon, tmp_path):
    name = tmp_path / "ring.pcap"
    daemon.create("e", f"s = CLIFeeder(); w = WrpcapSink('{name}', linktype='RAW', rotate={{'size': '1MiB'}}); s > w")
    daemon.ok("send", "e.s", "one")
    daemon.ok("set", "e.w", f"fname={name}")
    daemon.ok("send", "e.s", "two")
    daemon.ok("stop", "e")
    assert [read_raw(tmp_path / f"ring.0000{n}.pcap") for n in (1, 2)] == [[b"one"], [b"two"]]


@pytest.mark.parametrize("name", ["out.pcap", "out.pcapng", "out.pcap.zst"])
def test_a_sink_goes_on_behind_what_is_there_when_the_disk_has_room_again(daemons, tmp_path, name):
    if os.getuid() != 0:
        pytest.skip("a full disk needs a mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    daemon = daemons(prefix=["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=256k t "$0" && exec "$@"', str(disk)])
    disk = pathlib.Path(f"/proc/{daemon.process.pid}/root{disk}")
    inside = str(tmp_path / "disk" / name)
    daemon.call("engine.create", {"engine": "e", "start": True, "text":
                f'f = CLIFeeder(); w = WrpcapSink("{inside}", linktype=1, retry_s=0.1); f > w'})
    with daemon.client() as rpc:
        rpc.send("e", "f", "before " + "x" * 60)
        eventually(lambda: b"before" in subprocess.run(["zstd", "-dcf", disk / name], capture_output=True,
                                                       check=False).stdout)
        with open(disk / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while ballast.write(b"b" * 4096):
                pass

        def failed():
            rpc.send("e", "f", os.urandom(3000).hex())
            return rpc.stats("e", "w")["dropped"].get("write-error")
        eventually(failed)
        eventually(lambda: "it is tried again" in daemon.log())
        (disk / "ballast").unlink()
        eventually(lambda: rpc.show("e", "w")["state"] == "running")
        rpc.send("e", "f", "after " + "x" * 60)
        daemon.ok("stop", "e")
        lost = sum(rpc.stats("e", "w")["dropped"].values())
        assert rpc.stats("e")["unexplained"] == 0 and lost
        written = rpc.stats("e", "w")["out"]
    shutil.copy(disk / name, tmp_path / name)
    whole = tmp_path / name
    if whole.suffix == ".zst":
        subprocess.run(["zstd", "-q", "-d", whole], check=True)
        whole = whole.with_suffix("")
    got = [bytes(p[0]) for p in makers.read(whole)]
    assert got[0].startswith(b"before ") and got[-1].startswith(b"after ") and len(got) == written
    assert [f.name for f in disk.iterdir()] == [name]


@pytest.mark.parametrize("more, words", [
    ("speed=1, pps=3", "one of speed, pps and rate"), ("pps=3, rate='1bit'", "one of speed, pps and rate"),
    ("rate='10'", "'10Mbit'"), ("rate='fast'", "bits a second"), ("rate='0bit'", "bits a second"), ("pps=0", "pps"),
    ("count=-1", "count")])
def test_a_pace_that_is_none(daemon, more, words):
    refused = daemon.ptctl("create", "e", f"RdpcapSource('x', {more}) > Sink()")
    assert refused.code == 1 and words in refused.err, refused


def test_what_is_no_packet_may_become_one(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", [(b"p" * 60, 5 * 10 ** 9)])
    text = b"t" * 60
    daemon.create("e", f'''f = CLIFeeder(); r = RdpcapSource("{source}"); w = WrpcapSink("{tmp_path}/out.pcap",
        plain_linktype=1); r > w; f > w''')
    eventually(lambda: daemon.client().stats("e", "w")["out"] == 1)
    daemon.ok("send", "e.f", text.decode())
    daemon.ok("stop", "e")
    (packet, then, _), (made, now, length) = makers.read(tmp_path / "out.pcap")
    assert (packet, then) == (b"p" * 60, 5 * 10 ** 9) and made == text and length == 60
    assert now > 1_700_000_000 * 10 ** 9
