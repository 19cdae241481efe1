# SPDX-License-Identifier: BSD-2-Clause
"""What stands in a pcapng beside its packets: capinfos, tshark and mergecap are the measure."""
import pathlib
import struct
import subprocess
import sys

import pytest

from conftest import run_ptctl  # noqa: F401  (the daemon's fixtures)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import pcapng as judge  # noqa: E402

T0 = 1_600_000_000


class Writer:
    """Blocks of either byte order, as told."""

    def __init__(self, order="<"):
        self.order, self.out = order, b""

    def pack(self, fmt, *values):
        return struct.pack(self.order + fmt, *values)

    def options(self, *pairs):
        parts = [self.pack("HH", code, len(value)) + value + b"\0" * (-len(value) % 4) for code, value in pairs]
        return b"".join(parts) + self.pack("HH", 0, 0) if parts else b""

    def block(self, kind, body):
        size = 12 + len(body)
        self.out += self.pack("II", kind, size) + body + self.pack("I", size)
        return self

    def section(self, *options):
        return self.block(0x0A0D0D0A, self.pack("IHHq", 0x1A2B3C4D, 1, 0, -1) + self.options(*options))

    def interface(self, *options, link_type=1, snaplen=262144):
        return self.block(1, self.pack("HHI", link_type, 0, snaplen) + self.options(*options))

    def packet(self, number, ticks, *options, data=b"\2" * 60):
        head = self.pack("IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        return self.block(6, head + data + b"\0" * (-len(data) % 4) + self.options(*options))

    def save(self, path):
        path.write_bytes(self.out)
        return path


def whole(order):
    """All that there is, in two sections."""
    w = Writer(order)
    w.section((1, b"a comment"), (2, b"hardware"), (3, b"an OS"), (4, b"an application"))
    w.interface((2, b"eth0"), (3, b"a description"), (9, b"\x06"), (11, b"\0tcp"), (12, b"an OS"), (15, b"a card"),
                (8, w.pack("Q", 10 ** 9)), snaplen=65535)
    w.interface((2, b"lo"), (9, b"\x09"), (14, w.pack("q", 1000)), link_type=101)
    names = w.pack("HH", 1, 13) + b"\x0a\0\0\1one.test\0" + b"\0" * 3 + w.pack("HH", 0, 0)
    w.block(4, names)
    w.packet(0, T0 * 10 ** 6, (1, b"first"), (1, b"and more"), (2, w.pack("I", 1)))
    w.packet(1, (T0 - 1000) * 10 ** 9 + 123456789, data=b"\x45" + b"\0" * 59)
    secrets = b"CLIENT_RANDOM 00 00\n"
    w.block(10, w.pack("II", 0x544C534B, len(secrets)) + secrets + b"\0" * (-len(secrets) % 4))
    w.packet(0, T0 * 10 ** 6 + 1, (4, w.pack("Q", 7)))
    w.block(3, w.pack("I", 60) + b"\3" * 60)
    w.interface((2, b"late"), (9, b"\xa0"))
    w.packet(2, T0 << 32, (1, "ünï".encode()))
    w.block(5, w.pack("III", 0, T0 * 10 ** 6 >> 32, T0 * 10 ** 6 & 0xFFFFFFFF) + w.options(
        (4, w.pack("Q", 100)), (5, w.pack("Q", 3))))
    w.section((2, b"another"))
    w.interface((2, b"wlan0"))
    w.packet(0, T0 * 10 ** 6 + 5)
    w.block(5, w.pack("III", 0, 1, 2) + w.options((4, w.pack("Q", 5))))
    return w


def same(one, other):
    assert judge.differences(one, other, judge.capinfos) == []
    assert judge.differences(one, other, judge.tshark) == []


def interfaces(path):
    out = subprocess.run(["capinfos", "-M", path], capture_output=True, text=True, check=True).stdout
    return [line.split("=")[1].strip() for line in out.splitlines() if " Name = " in line]


@pytest.mark.parametrize("order", "<>")
def test_a_copy_is_the_same(daemon, tmp_path, order):
    source, copy = whole(order).save(tmp_path / "in.pcapng"), tmp_path / "out.pcapng"
    daemon.ok("run", f'RdpcapSource("{source}") > WrpcapSink("{copy}")')
    same(source, copy)
    again = tmp_path / "again.pcapng.gz"
    daemon.ok("run", f'RdpcapSource("{copy}") > QueueSink(limit="1KiB"); RdpcapSource("{copy}") > WrpcapSink("{again}")')
    same(source, again)


def test_what_editcap_puts_in_stays(daemon, tmp_path):
    plain, source, copy = (tmp_path / f"{name}.pcapng" for name in ("plain", "in", "out"))
    keys = tmp_path / "keys"
    keys.write_text("CLIENT_RANDOM 00 11\n")
    Writer().section().interface((2, b"eth0")).packet(0, T0 * 10 ** 6).save(plain)
    subprocess.run(["editcap", "-a", "1:noted", "--inject-secrets", f"tls,{keys}", plain, source], check=True)
    daemon.ok("run", f'RdpcapSource("{source}") > WrpcapSink("{copy}")')
    same(source, copy)


def test_what_changes_packets_keeps_the_rest(daemon, tmp_path):
    source, copy = whole("<").save(tmp_path / "in.pcapng"), tmp_path / "out.pcapng"
    change = "function(m) m:set_byte(1, 9) m.time_ns = m.time_ns + 1 return m:with(m .. (m.iface or '?')) end"
    daemon.ok("run", f'RdpcapSource("{source}") > TransformDrain("{change}") > WrpcapSink("{copy}")')
    out = subprocess.run(["tshark", "-r", copy, "-T", "fields", "-e", "frame.comment", "-e", "frame.interface_name",
                          "-e", "frame.time_epoch"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split("\t")[:2] for line in out[:5]] == [["first,and more", "eth0"], ["", "lo"], ["", "eth0"],
                                                          ["", "eth0"], ["ünï", "late"]]  # tshark mixes up sections
    assert out[1].endswith("123456790") and out[0].endswith(f"{T0}.000000001")
    with open(copy, "rb") as file:
        data = file.read()
    assert data.count(b"CLIENT_RANDOM") == 1 and data.index(b"CLIENT_RANDOM") < data.index(b"\3" * 59)
    assert data.index(b"one.test") < data.index(b"first")


def test_why_a_source_has_failed_is_not_covered_by_what_else_was_odd(daemon, tmp_path):
    w = Writer(">").section().interface().packet(0, T0 * 10 ** 6)
    w.block(0xBAD, w.pack("I", 32473) + b"data")  # nobody can turn it
    source = tmp_path / "cut.pcapng"
    source.write_bytes(w.out + b"\0\0\0\6")
    result = daemon.ptctl("run", f'RdpcapSource("{source}") > Sink()')
    assert result.code == 1 and "is cut off at byte" in result.err and "1 in, 1 out" in result.err, result


def test_anonymize_leaves_nothing_that_stands_beside_packets(daemon, tmp_path):
    w = whole("<").section().interface((2, b"own"), (4, b"\x0a\0\0\2\xff\0\0\0")).packet(0, T0 * 10 ** 6)
    source, copy = w.save(tmp_path / "in.pcapng"), tmp_path / "out.pcapng"
    hide = "anonymize{opaque='pass'}"
    daemon.ok("run", f'RdpcapSource("{source}") > TransformDrain("{hide}") > WrpcapSink("{copy}")')
    data = copy.read_bytes()
    for leak in (b"one.test", b"CLIENT_RANDOM", b"first", b"a description", b"a comment", b"\x0a\0\0\2", b"tcp"):
        assert leak in source.read_bytes() and leak not in data
    assert interfaces(copy) == ["eth0", "lo", "late", "wlan0", "own"]


def test_each_file_of_a_ring_has_what_its_packets_need(daemon, tmp_path):
    source = whole("<").save(tmp_path / "in.pcapng")
    daemon.ok("run", f'RdpcapSource("{source}", loop=10) > WrpcapSink("{tmp_path}/ring.pcapng", '
                     'rotate={"size": 3000})')
    files = sorted(tmp_path.glob("ring.0*"))
    assert len(files) > 1
    for path in files[1:-1]:
        assert b"CLIENT_RANDOM" in path.read_bytes() and interfaces(path)[:2] == ["eth0", "lo"]


@pytest.mark.parametrize("second, merged", [("eth0", 1), ("eth1", 2)])
def test_a_merge_maps_interfaces_as_mergecap_does(daemon, tmp_path, second, merged):
    for n, name in enumerate(("eth0", second)):
        w = Writer().section().interface((2, name.encode()), (9, b"\x06"))
        for k in range(5):
            w.packet(0, T0 * 10 ** 6 + 2 * k + n)
        w.save(tmp_path / f"{n}.pcapng")
    one, other = tmp_path / "0.pcapng", tmp_path / "1.pcapng"
    subprocess.run(["mergecap", "-w", tmp_path / "theirs.pcapng", one, other], check=True)
    daemon.ok("run", f'RdpcapSource(["{one}", "{other}"], order="time") > WrpcapSink("{tmp_path}/ours.pcapng")')
    assert interfaces(tmp_path / "ours.pcapng") == interfaces(tmp_path / "theirs.pcapng")
    assert len(interfaces(tmp_path / "ours.pcapng")) == merged
    assert judge.differences(tmp_path / "theirs.pcapng", tmp_path / "ours.pcapng", judge.tshark) == []


def test_what_is_unknown_or_damaged_is_told_and_nothing_else_stops(daemon, tmp_path):
    w = Writer().section().interface((2, b"eth0")).block(0x7777, b"\0" * 40)
    w.packet(0, T0 * 10 ** 6)
    data = b"\2" * 60
    w.block(6, w.pack("IIIII", 0, 0, 5, 60, 60) + data + w.pack("HH", 1, 4) + b"good" + w.pack("HH", 1, 999) + b"bad!")
    w.block(10, w.pack("II", 1, 4000))
    w.block(0x40000BAD, w.pack("I", 32473) + b"secret!!").packet(0, T0 * 10 ** 6 + 2)
    source, copy = w.save(tmp_path / "in.pcapng"), tmp_path / "out.pcapng"
    daemon.create("e", f'r = RdpcapSource("{source}"); w = WrpcapSink("{copy}"); r > w')
    daemon.ok("wait", "e", "drained")
    with daemon.client() as rpc:
        stats = rpc.stats("e", "r")
        assert stats["out"] == 3 and stats["errors"] == 4
        rpc.call("engine.stop", engine="e")
    assert "left out" in daemon.log()
    out = subprocess.run(["tshark", "-r", copy, "-T", "fields", "-e", "frame.comment"], capture_output=True, text=True,
                         check=True).stdout.splitlines()
    assert out == ["", "good", ""]
