# SPDX-License-Identifier: BSD-2-Clause
"""A sensor, three NATS servers whose leaders end, and two analysers: each packet comes once."""
import os
import shutil
import struct

import pytest

from conftest import eventually, nats_plugin
from nats_side import Cluster
from test_restart import services  # noqa: F401 pylint: disable=unused-import

LONG = os.environ.get("PIPETOOL_LONG")
KILLS = int(os.environ.get("PIPETOOL_KILLS", "10"))
PPS = int(os.environ.get("PIPETOOL_PPS", "200000"))
PATIENCE = 300  # consumers of servers of 2.9 have been without a leader for a minute
pytestmark = [
    pytest.mark.skipif(not (nats_plugin() and shutil.which("nats-server")), reason="libnats or nats-server is not there"),
    pytest.mark.skipif(not LONG, reason="elections of servers take as long as they like: PIPETOOL_LONG=1"),
]

COUNT, FLOWS = 200_000, 8
RECORD = 16 + 46
ASKED = ["STREAM.INFO.s", "CONSUMER.INFO.s.c0", "CONSUMER.INFO.s.c1"]


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    yield made
    made.stop()


def flow_file(path):
    """Packets of some flows in turn, each with its number."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        for n in range(COUNT):
            udp = struct.pack("!HHHHI", 1000 + n % FLOWS, 53, 12, 0, n)
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 32, 0, 0, 64, 17, 0, bytes([10, 0, 0, n % FLOWS]), bytes([10, 0, 1, 1]))
            file.write(struct.pack("<IIII", n, 0, 46, 46) + bytes(12) + b"\x08\x00" + ip + udp)
    return path


def numbers_in(path):
    with open(path, "rb") as file:
        file.seek(24)
        while data := file.read(RECORD * 65536):
            yield from (n for n, in struct.iter_unpack(f"!{RECORD - 4}xI", data))


def flows_of(path):
    """How many packets of each flow there are, which come in order."""
    following, seen = list(range(FLOWS)), [0] * FLOWS
    for n in numbers_in(path):
        flow = n % FLOWS
        assert n == following[flow], (path, flow, seen[flow])
        following[flow] = (n + FLOWS) % COUNT
        seen[flow] += 1
    return {flow: count for flow, count in enumerate(seen) if count}


def counts(service, engine):
    with service.client() as rpc:
        stats = rpc.stats(engine)
    assert stats["unexplained"] == 0, stats
    return {block["name"]: block for block in stats["blocks"]}


def test_a_leader_that_ends_costs_no_packet(services, cluster, tmp_path):  # noqa: F811
    cluster.ask("STREAM.CREATE.s", name="s", subjects=["p.*"], storage="file", num_replicas=3)
    sensor, *analysers = [services(plugins=nats_plugin()) for _ in range(3)]
    for n, analyser in enumerate(analysers):
        analyser.create("a", f"n = NatsSource('{cluster.url}', 's', consumer='c{n}', subject='p.{n}'); "
                             f"w = WrpcapSink('{tmp_path}/out{n}.pcap'); n > w")
    source = flow_file(tmp_path / "in.pcap")
    sensor.create("s", f"""r = RdpcapSource('{source}', loop=0, pps={PPS}); s = NatsSink('{cluster.url}', 'p.{{partition}}', partitions=2,
        batch='256KiB', spool='{tmp_path}/spool', spool_limit='8GiB'); r > s""")

    def each():
        return [counts(analyser, "a")["w"]["out"] for analyser in analysers]

    def goes_on():
        stored, before = counts(sensor, "s")["s"]["out"], each()
        eventually(lambda: counts(sensor, "s")["s"]["out"] > stored, PATIENCE)
        eventually(lambda: all(now > then for now, then in zip(each(), before)), PATIENCE)

    for n in range(KILLS):  # the one before has all again by then: what two servers lose is lost
        eventually(lambda: cluster.is_whole(ASKED[0]), PATIENCE)
        goes_on()
        dead = cluster.leader(ASKED[n % 3])
        dead.kill()
        goes_on()
        dead.start()
        print(f"{n + 1} leaders were killed, {sum(each())} packets have come, {counts(sensor, 's')['s']['held']} wait")
    sensor.ok("close", "s.r")
    eventually(lambda: counts(sensor, "s")["s"]["held"] == 0, PATIENCE)
    sent = counts(sensor, "s")["s"]
    assert sent["in"] == sent["out"] == counts(sensor, "s")["r"]["out"]
    eventually(lambda: sum(each()) >= sent["out"], PATIENCE)
    assert sum(each()) == sum(counts(analyser, "a")["n"]["out"] for analyser in analysers) == sent["out"]
    for analyser in analysers:
        analyser.ok("stop", "a")
    got = [flows_of(tmp_path / f"out{n}.pcap") for n in range(2)]
    assert not got[0].keys() & got[1].keys()
    assert sum(sum(flows.values()) for flows in got) == sent["out"]
