# SPDX-License-Identifier: BSD-2-Clause
"""Who may do what: files, descriptors, roles and sockets."""
import contextlib
import os
import threading

import pytest
from scapy.all import Ether, IP, Raw, rdpcap, wrpcap

from client import Refused, add
from conftest import eventually


def some_packets(path, count=5):
    wrpcap(str(path), [Ether() / IP(id=i) / Raw(b"x") for i in range(count)])
    return path


# ---- the folders that blocks may use ------------------------------------------------------------

@pytest.fixture
def fenced(daemons, tmp_path):
    """A daemon whose blocks may use the folder `in`, beside which `out` lies."""
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
        some_packets(tmp_path / folder / "x.pcap", 5 if folder == "in" else 9)
    return daemons(config=f"[files]\nallow = {tmp_path}/in:/nowhere\n")


WAYS_OUT = ["{out}/x.pcap", "{in}/../out/x.pcap", "{in}/link", "{in}/up/out/x.pcap", "{in}/none/../../out/x.pcap",
            "/proc/self/root{out}/x.pcap", "/etc/hostname", "{in}/far"]


@pytest.mark.parametrize("way", WAYS_OUT)
@pytest.mark.parametrize("block", ["RdpcapSource('{}') > Sink()", "CLIFeeder() > WrpcapSink('{}')",
                                   "CLIFeeder() > WrpcapSink('{}', rotate={{'size': 100}})"])
def test_no_block_reads_or_writes_elsewhere(fenced, tmp_path, block, way):
    places = {"in": tmp_path / "in", "out": tmp_path / "out"}
    (tmp_path / "in/link").symlink_to("../out/x.pcap")
    (tmp_path / "in/up").symlink_to("..")
    (tmp_path / "in/far").symlink_to(tmp_path / "out/new.pcap")
    before = sorted(os.listdir(tmp_path / "out"))
    result = fenced.ptctl("create", "e", block.format(way.format(**places)), "--start")
    assert result.code in (1, 7)
    if "none" not in way:
        assert result.code == 7
        assert "does not lie in a folder that may be used" in result.err
        assert f"{tmp_path}/in, /nowhere" in result.err and "`allow` under [files]" in result.err
        assert "^" in result.err
    assert sorted(os.listdir(tmp_path / "out")) == before


def test_links_that_stay_inside_work(fenced, tmp_path):
    inside = tmp_path / "in"
    (inside / "sub").mkdir()
    (inside / "short").symlink_to("sub")
    (inside / "a.pcap").symlink_to("../in/x.pcap")
    fenced.create("e", f"RdpcapSource('{inside}/a.pcap') > WrpcapSink('{inside}/short/../short/b.pcap')")
    fenced.finish("e")
    assert len(rdpcap(str(inside / "sub/b.pcap"))) == 5


def test_the_open_decides_and_not_what_was_there_before(fenced, tmp_path):
    """Allowed when the engine was made, led elsewhere before it is started."""
    inside = tmp_path / "in"
    (inside / "dir").mkdir()
    some_packets(inside / "dir/x.pcap")
    fenced.create("r", f"RdpcapSource('{inside}/dir/x.pcap') > Sink()", start=False)
    fenced.create("w", f"CLIFeeder() > WrpcapSink('{inside}/dir/y.pcap')", start=False)
    os.rename(inside / "dir", inside / "was")
    (inside / "dir").symlink_to(tmp_path / "out")
    for engine in "rw":
        result = fenced.ptctl("start", engine)
        assert result.code == 7 and "does not lie in a folder" in result.err, result
    assert os.listdir(tmp_path / "out") == ["x.pcap"]


def test_the_next_file_of_a_rotation_stays_inside(fenced, tmp_path):
    inside = tmp_path / "in"
    (inside / "ring").mkdir()
    fenced.create("e", f"f = CLIFeeder(); w = WrpcapSink('{inside}/ring/r.pcap', linktype=1, "
                  "rotate={'size': 30, 'files': 1}); f > w")
    fenced.ok("send", "e.f", "one packet")
    os.rename(inside / "ring", inside / "was")
    (inside / "ring").symlink_to(tmp_path / "out")
    (tmp_path / "out/r.00001.pcap").write_bytes(b"dear")
    fenced.ok("send", "e.f", "another", "one more")

    def failed():
        with contextlib.suppress(Refused), fenced.client() as client:
            return client.show("e", "w")["state"] == "failed"
    eventually(failed)
    assert "does not lie in a folder" in fenced.log()
    assert sorted(os.listdir(tmp_path / "out")) == ["r.00001.pcap", "x.pcap"]


def test_a_rotation_does_not_write_through_a_link(daemon, tmp_path):
    """Also where every folder is allowed: somebody knows what the next name will be."""
    (tmp_path / "dear").write_bytes(b"dear")
    daemon.create("e", f"f = CLIFeeder(); w = WrpcapSink('{tmp_path}/r.pcap', linktype=1, "
                  "rotate={'size': 30}); f > w")
    (tmp_path / "r.00002.pcap").symlink_to("dear")
    daemon.ok("send", "e.f", "one", "two", "three")
    with daemon.client() as client:
        eventually(lambda: client.show("e", "w")["state"] == "failed")
    assert (tmp_path / "dear").read_bytes() == b"dear"


def test_a_link_that_is_swapped_all_the_time_never_leads_out(fenced, tmp_path):
    inside, over = tmp_path / "in", threading.Event()
    some_packets(inside / "good.pcap", 5)

    def swap():
        while not over.is_set():
            for target in ("good.pcap", "../out/x.pcap"):
                os.symlink(target, inside / "next")
                os.replace(inside / "next", inside / "swapped.pcap")

    os.symlink("good.pcap", inside / "swapped.pcap")
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        with fenced.client() as client:
            client.call("engine.create", engine="e", blocks=[], links=[])
            opened = refused = rounds = 0
            while rounds < 200 or not opened or not refused:
                rounds += 1
                try:
                    client.change("e", add("s", "RdpcapSource", fname=f"{inside}/swapped.pcap"),
                                  add("q", "QueueSink"), {"op": "link", "from": "s", "to": "q"})
                    client.call("engine.start", engine="e")
                    client.call("engine.stop", engine="e", wait=True)
                    assert client.stats("e", "s")["made"] in (5, 0)
                    opened += 1
                except Refused as refusal:
                    assert refusal.kind in ("not-permitted", "io"), refusal
                    refused += 1
                for block in client.show("e")["blocks"]:
                    client.change("e", {"op": "remove", "name": block["name"]})
    finally:
        over.set()
        thread.join()


def test_a_fifo_holds_up_nobody(fenced, tmp_path):
    os.mkfifo(tmp_path / "in/fifo")
    result = fenced.ptctl("create", "w", f"CLIFeeder() > WrpcapSink('{tmp_path}/in/fifo')", "--start")
    assert result.code == 1 and "nobody reads the FIFO" in result.err
    fenced.create("r", f"RdpcapSource('{tmp_path}/in/fifo') > Sink()")
    assert "running" in fenced.ok("show", "r")
    fenced.ok("stop", "r")
