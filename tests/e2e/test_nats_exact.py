# SPDX-License-Identifier: BSD-2-Clause
"""What a stream has comes once and in order, whatever ends the daemon."""
import os
import random
import shutil
import signal
import threading

import pytest

import makers
from conftest import DEADLINE, eventually, nats_plugin
from nats_side import Nats, packets
from test_exact import DEATHS, die, numbers, poison, survive, written  # noqa: F401 pylint: disable=unused-import
from test_nats import block, from_nats, pending, server, servers  # noqa: F401 pylint: disable=unused-import
from test_restart import services  # noqa: F401

pytestmark = pytest.mark.skipif(not (nats_plugin() and shutil.which("nats-server")),
                                reason="libnats or nats-server is not there")

MESSAGES, EACH = 120, 150  # a vector has 64, so that a checkpoint comes into the middle, too
COUNT = MESSAGES * EACH
TURNS = 40 if os.environ.get("PIPETOOL_LONG") else 2


def captures_of(path, count, each):
    """NATS messages with packets that bear their numbers."""
    made = []
    for first in range(0, count, each):
        makers.pcapng(path, [(b"%08d" % n * 8, n * 1000, 0) for n in range(first, first + each)])
        made.append(path.read_bytes())
    return made


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    return captures_of(tmp_path_factory.mktemp("captures") / "one.pcapng", COUNT, EACH)


@pytest.fixture
def service(services):  # noqa: F811
    return services(plugins=nats_plugin())


def publish(server, messages, pause=0):  # noqa: F811
    waits = threading.Event()
    with Nats(server) as nats:
        for message in messages:
            nats.request("p.x", message)
            waits.wait(pause)


def out_of(service, count, name="n"):
    """Waits until so many have come out."""
    with service.client() as rpc:
        eventually(lambda: block(rpc, name)["out"] >= count)
        assert block(rpc, name)["out"] == count


@pytest.mark.parametrize("turn", range(TURNS))
def test_a_stream_is_read_once_and_in_order(service, server, captures, tmp_path, turn):  # noqa: F811
    """Into a file and a queue, with three deaths by chance."""
    chance = random.Random(turn)
    service.create("p", from_nats(server.url, f"WrpcapSink('{tmp_path}/out.pcap')", "q",
                                  more=["", ", consumer='c'"][turn % 2]) + "; q = QueueSink()")
    sender = threading.Thread(target=publish, args=(server, captures, chance.choice([0, 0.003])))
    sender.start()
    for _ in range(3):
        wanted = chance.randrange(COUNT * 80)
        eventually(lambda: written(tmp_path) >= wanted)
        die(service, chance.choice(DEATHS))
    sender.join(DEADLINE)
    out_of(service, COUNT)
    got = []
    with service.client() as rpc, Nats(server) as nats:
        consumer = ["p-n", "c"][turn % 2]  # which is made anew after a death
        eventually(lambda: nats.request(f"$JS.API.CONSUMER.INFO.s.{consumer}").get("num_ack_pending") == 0)
        while held := rpc.stats("p", "q")["held"]:
            got += [int(m["message"][:8]) for m in rpc.recv("p", "q", min(held, 5000))]
    service.ok("stop", "p")
    assert numbers(tmp_path / "out.pcap") == list(range(COUNT)) == got


def test_after_a_clean_end_nothing_comes_twice(service, server, captures, tmp_path):  # noqa: F811
    """Of an engine and of the daemon, while the stream has more."""
    service.create("p", from_nats(server.url, "h", more="") + f"""; h = HeadDrain({COUNT}); w = WrpcapSink('{tmp_path}/out.pcap')
        h > PaceDrain(pps=20000) > w""")
    publish(server, captures)
    eventually(lambda: written(tmp_path) > COUNT * 20)
    service.restart()
    eventually(lambda: written(tmp_path) > COUNT * 40)
    service.ok("stop", "p")
    got = numbers(tmp_path / "out.pcap")
    (tmp_path / "out.pcap").rename(tmp_path / "first.pcap")
    service.ok("start", "p")
    with service.client() as rpc:
        eventually(lambda: block(rpc, "n")["out"] >= COUNT)
    service.ok("stop", "p")
    assert got + numbers(tmp_path / "out.pcap") == list(range(COUNT))


def test_several_share_a_consumer(service, services, server, tmp_path):  # noqa: F811
    """One comes later, and the other ends first."""
    other, small = services(plugins=nats_plugin()), captures_of(tmp_path / "small.pcapng", 260, 1)
    service.create("p", from_nats(server.url, f"WrpcapSink('{tmp_path}/out1.pcap')"))
    publish(server, small[:20])
    out_of(service, 20)
    other.create("p", from_nats(server.url, f"WrpcapSink('{tmp_path}/out2.pcap')"))
    with service.client() as rpc, other.client() as theirs, Nats(server) as nats:
        eventually(lambda: nats.api("CONSUMER.INFO.s.c")["num_waiting"] == 2)
        publish(server, small[20:220])  # more than one asks for at a time
        eventually(lambda: block(rpc, "n")["out"] + block(theirs, "n")["out"] == 220)
        assert block(theirs, "n")["out"] and not theirs.show("p", "n")["now"]["alone"]
        service.ok("stop", "p")
        publish(server, small[220:])
        eventually(lambda: block(rpc, "n")["out"] + block(theirs, "n")["out"] == 260)
    other.ok("stop", "p")
    assert sorted(numbers(tmp_path / "out1.pcap") + numbers(tmp_path / "out2.pcap")) == list(range(260))


def test_who_comes_after_goes_on_where_the_other_was(service, server, captures, tmp_path):  # noqa: F811
    """By another block, the same one with other parameters, and with what was lost on the way between."""
    with Nats(server) as nats:
        service.create("p", from_nats(server.url, f"WrpcapSink('{tmp_path}/out1.pcap')"))
        publish(server, captures[:30])
        out_of(service, 30 * EACH)
        inbox = b"SUB lost 1\r\nPUB $JS.API.CONSUMER.MSG.NEXT.s.c lost 1\r\n1\r\n"
        service.ok("set", "p.n", f"url={server.url},{server.url}")
        eventually(lambda: pending(nats) == (0, 0))
        lost = Nats(server)
        lost.socket.sendall(inbox)
        publish(server, captures[30:60])
        assert lost.line(b"MSG")
        out_of(service, 60 * EACH)
        service.ok("stop", "p")
        lost.__exit__()
        service.create("q", from_nats(server.url, f"WrpcapSink('{tmp_path}/out2.pcap')"))
        publish(server, captures[60:])
        with service.client() as rpc:
            eventually(lambda: rpc.stats("q", "n")["out"] == (MESSAGES - 60) * EACH)
            assert rpc.show("q", "n")["now"]["alone"]
    service.ok("stop", "q")
    assert numbers(tmp_path / "out1.pcap") + numbers(tmp_path / "out2.pcap") == list(range(COUNT))


ENDS = ["kill", "restart", "stop"] if os.environ.get("PIPETOOL_LONG") else ["kill"]


@pytest.mark.parametrize("end", ENDS)
def test_a_relay_loses_nothing_while_its_target_is_away(service, server, servers, captures, end):  # noqa: F811
    """And has no spool: what waits in memory comes from the first stream again."""
    target = servers()
    with Nats(target) as nats:
        nats.stream("s", "p.>")
    service.create("p", from_nats(server.url, f"t = NatsSink('{target.url}', 'p.x')"))
    publish(server, captures[:2])
    with service.client() as rpc, Nats(server) as nats:
        eventually(lambda: block(rpc, "t")["out"] == 2 * EACH and pending(nats) == (0, 0))
        target.kill()
        eventually(lambda: rpc.show("p", "t")["state"] == "failed")
        publish(server, captures[2:10])
        eventually(lambda: block(rpc, "t")["held"] == 8 * EACH)
    if end == "kill":
        die(service, signal.SIGKILL)
    elif end == "restart":
        service.restart()
    else:
        service.ok("stop", "p")
        service.ok("start", "p")
    target.start()
    publish(server, captures[10:12])
    with service.client() as rpc, Nats(server) as nats:
        eventually(lambda: pending(nats) == (0, 0) and not block(rpc, "t")["held"])
        assert block(rpc, "n")["dropped"] == {} and (end == "stop" or block(rpc, "t")["dropped"] == {})
    with Nats(target) as nats:
        got = [int(packet[:8]) for _, _, data in nats.messages("s") for _, packet in packets(data)]
    assert sorted(set(got)) == list(range(12 * EACH)) and len(got) == len(set(got))


def test_a_file_is_read_again_where_its_packets_could_go_nowhere(service, server, tmp_path):  # noqa: F811
    """The server was away, and the daemon was killed: nothing of it was in a spool."""
    makers.pcap(tmp_path / "in.pcap", [(b"%08d" % n * 8, n) for n in range(EACH)])
    server.kill()
    service.create("p", f"r = RdpcapSource('{tmp_path}/in.pcap'); t = NatsSink('{server.url}', 'p.x'); r > t")
    with service.client() as rpc:
        eventually(lambda: block(rpc, "t")["held"] == EACH)
    die(service, signal.SIGKILL)
    server.start()
    with service.client() as rpc:
        eventually(lambda: block(rpc, "t")["out"] == EACH)
        assert block(rpc, "r")["dropped"] == block(rpc, "t")["dropped"] == {}
    with Nats(server) as nats:
        got = [int(packet[:8]) for _, _, data in nats.messages("s") for _, packet in packets(data)]
    assert got == list(range(EACH))


@pytest.mark.parametrize("policy", ["new", "by_start_sequence"])
def test_what_is_before_the_beginning_of_a_consumer_does_not_come(service, server, captures, tmp_path, policy):  # noqa: F811
    """Of one that others have made."""
    publish(server, captures[:20])
    start = {"opt_start_seq": 21} if policy == "by_start_sequence" else {}
    with Nats(server) as nats:
        nats.api("CONSUMER.DURABLE.CREATE.s.c", stream_name="s", config={
            "durable_name": "c", "ack_policy": "explicit", "deliver_policy": policy, **start})
        service.create("p", from_nats(server.url, f"WrpcapSink('{tmp_path}/out.pcap')"))
        publish(server, captures[20:30])
        with service.client() as rpc:
            eventually(lambda: block(rpc, "n")["out"] >= 10 * EACH and pending(nats) == (0, 0))
            assert rpc.show("p", "n")["now"]["alone"]
    service.ok("stop", "p")
    assert numbers(tmp_path / "out.pcap") == list(range(20 * EACH, 30 * EACH))


def test_a_stream_that_was_made_anew_is_read_from_its_beginning(service, server, captures, tmp_path):  # noqa: F811
    """While the daemon was dead, and shorter than how far it had read the one before."""
    service.create("p", from_nats(server.url, f"WrpcapSink('{tmp_path}/out.pcap')"))
    publish(server, captures[:30])
    out_of(service, 30 * EACH)
    with Nats(server) as nats:
        eventually(lambda: pending(nats) == (0, 0))  # behind a checkpoint
        service.process.kill()
        service.process.wait()
        nats.api("STREAM.DELETE.s")
        nats.stream("s", "p.>")
        publish(server, captures[30:40])
        service.start()
        out_of(service, 40 * EACH)
        eventually(lambda: pending(nats) == (0, 0))
    service.ok("stop", "p")
    assert numbers(tmp_path / "out.pcap") == list(range(40 * EACH))


def test_a_poison_in_a_stream_is_left_out(service, poison, server, captures, tmp_path):  # noqa: F811
    """All but the vector with it comes to the file, once."""
    shutil.copy(poison, service.blocks)
    service.restart()
    publish(server, captures)
    service.create("e", f"""r = NatsSource('{server.url}', 's'); p = Poison('00005678'); w = WrpcapSink('{tmp_path}/out.pcap')
        r > p > w""", start=False)
    service.ptctl("start", "e")
    assert survive(service, lambda _, counts: counts["dropped"].get("poison") and counts["out"] + counts["dropped"]["poison"] == COUNT) >= 3
    with service.client() as rpc:
        lost = rpc.stats("e", "r")["dropped"]
        assert lost.keys() == {"poison"} and rpc.stats("e")["unexplained"] == 0
        assert "left out" in rpc.show("e", "r")["last_error"]
    service.ok("stop", "e")
    got = numbers(tmp_path / "out.pcap")
    missing = sorted(set(range(COUNT)) - set(got))
    assert got == sorted(set(got)) and 5678 in missing and len(missing) == lost["poison"] <= 64
