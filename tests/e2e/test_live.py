# SPDX-License-Identifier: BSD-2-Clause
"""Interfaces: captured from and sent to, between two network namespaces."""
import base64
import os
import random
import socket
import struct
import subprocess

import pytest
from scapy.all import IP, TCP, UDP, Ether, Raw

import makers
from conftest import DEADLINE, eventually, ip, program


def frames(count, seed=1, tagged=True):
    """(bytes, time): Ethernet frames that may travel (60 bytes and more, no longer than the MTU)."""
    chance = random.Random(seed)
    found = []
    while len(found) < count:
        data = bytes(makers.random_packet(chance))
        if 60 <= len(data) < 1500 and (tagged or data[12:14] != b"\x81\0"):
            found.append((data, len(found) * 1000))
    return found


@pytest.fixture
def pair(daemons, network):
    """A daemon on each side."""
    return (daemons(prefix=network.inside(network.left)),
            daemons(prefix=network.inside(network.right)))


def test_a_file_goes_over_the_wire_into_a_file(pair, tmp_path):
    left, right = pair
    packets = frames(300)
    source = makers.pcap(tmp_path / "in.pcap", packets)
    right.create("in", f'n = SniffSource("pr"); w = WrpcapSink("{tmp_path}/out.pcap"); n > w')
    left.ok("run", f'RdpcapSource("{source}") > InjectSink("pl")')
    with right.client() as rpc:
        eventually(lambda: rpc.stats("in", "w")["in"] >= len(packets))
        rpc.call("engine.stop", engine="in")
        assert rpc.stats("in")["unexplained"] == 0
    assert [p[0] for p in makers.read(tmp_path / "out.pcap")] == [p[0] for p in packets]


def test_many_packets_and_none_lost(pair, tmp_path):
    left, right = pair
    packets = [(bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP() / UDP() /
                      Raw(b"x" * 30)), n) for n in range(1)] * 20_000
    source = makers.pcap(tmp_path / "in.pcap", packets)
    right.create("in", 'n = SniffSource("pr", filter="udp"); q = Sink(); n > q')
    left.ok("run", f'RdpcapSource("{source}") > InjectSink("pl")')
    with right.client() as rpc:
        def all_seen():
            stats = {b["name"]: b for b in rpc.stats("in")["blocks"]}
            return stats["q"]["in"] + sum(stats["n"]["dropped"].values()) >= 20_000
        eventually(all_seen)
        assert rpc.stats("in")["unexplained"] == 0


def test_a_filter_and_a_snap_length(pair, tmp_path):
    left, right = pair
    packets = frames(200, seed=2, tagged=False)  # the kernel's filter looks behind tags, a file's not
    source = makers.pcap(tmp_path / "in.pcap", packets)
    right.create("in", f'''SniffSource("pr", filter="tcp", snaplen=60) > WrpcapSink("{tmp_path}/tcp")
        SniffSource("pr", name="all") > Sink(name="count")''')
    left.ok("run", f'RdpcapSource("{source}") > InjectSink("pl")')
    with right.client() as rpc:
        eventually(lambda: rpc.stats("in", "count")["in"] >= len(packets))
        rpc.call("engine.stop", engine="in")
    subprocess.run(["tcpdump", "-r", source, "-w", tmp_path / "judge", "tcp"], check=True,
                   capture_output=True)
    expected = [(p[0][:60], len(p[0])) for p in makers.read(tmp_path / "judge")]
    assert [(p[0], p[2]) for p in makers.read(tmp_path / "tcp")] == expected


def test_what_scapy_sends_is_seen_at_once(pair, network, tmp_path):
    _, right = pair
    right.create("in", 'n = SniffSource("pr", immediate=true); q = QueueSink(); n > q')
    sender = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("pl", 0))
s.send(bytes.fromhex(sys.argv[1]))
"""
    frame = bytes(Ether(dst="02:00:00:00:00:02") / IP(dst="10.9.0.2") / TCP() / Raw(b"x" * 10))
    with right.client() as rpc:
        for _ in range(5):
            subprocess.run([*network.inside(network.left), "/usr/bin/python3", "-c", sender,
                            frame.hex()], check=True)
            message = rpc.recv("in", "q", 1)[0]
            assert base64.b64decode(message["message"]["base64"]) == frame
            assert message["link_type"] == 1 and message["wire_length"] == len(frame)
            seconds, fraction = message["time"].split(".")
            assert len(fraction) == 9 and int(seconds) > 1_600_000_000


def test_what_is_sent_is_what_scapy_sniffs(pair, network, tmp_path):
    left, _ = pair
    packets = frames(50, seed=3)
    source = makers.pcap(tmp_path / "in.pcap", packets)
    sniffer = f"""
from scapy.all import *
sniff(iface="pr", count={len(packets)}, timeout=30, started_callback=lambda: print("ready", flush=True),
      prn=lambda p: print(bytes(p).hex(), flush=True), store=False)
"""
    process = subprocess.Popen([*network.inside(network.right), "/usr/bin/python3", "-c", sniffer],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    left.ok("run", f'RdpcapSource("{source}") > InjectSink("pl")')
    out, _ = process.communicate(timeout=60)
    assert out.split() == [data.hex() for data, _ in packets]


def test_a_live_rewrite_between_two_interfaces(pair, network, tmp_path):
    """What comes in is changed and sent back out of the same cable."""
    left, right = pair
    right.create("mirror", '''n = SniffSource("pr", filter="udp and ip[8] == 64")
        n > TransformDrain("set{['ip.src']='10.9.0.2', ['ip.ttl']=7}") > InjectSink("pr")''')
    left.create("back", '''SniffSource("pl", filter="udp and ip[8] == 7") > QueueSink(name="q")''')
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / \
        IP(src="10.9.0.1", dst="192.0.2.1") / UDP(sport=5, dport=6) / Raw(b"y" * 20)
    source = makers.pcap(tmp_path / "in.pcap", [(bytes(frame), 0)] * 10)
    left.ok("run", f'RdpcapSource("{source}") > InjectSink("pl")')
    with left.client() as rpc:
        got = rpc.recv("back", "q", 10)
        assert [base64.b64decode(m["message"]["base64"]) for m in got] == \
            [makers.rewritten(frame, ip_src="10.9.0.2", ip_ttl=7)] * 10


def test_an_interface_that_goes_away_is_told_once_and_counted(pair, network, tmp_path):
    left, right = pair
    source = makers.pcap(tmp_path / "in.pcap", frames(10))
    right.create("in", 'n = SniffSource("pr"); q = Sink(); n > q')
    left.create("out", f'r = RdpcapSource("{source}", loop=0, speed=0.001); i = InjectSink("pl"); r > i')
    with right.client() as rpc, left.client() as lrpc:
        eventually(lambda: rpc.stats("in", "q")["in"] > 0)
        ip("-n", network.left, "link", "del", "pl")
        eventually(lambda: rpc.stats("in", "n")["errors"] >= 1)
        eventually(lambda: lrpc.stats("out", "i")["errors"] >= 1)
        assert "pr" in rpc.stats("in", "n")["last_error"]
        assert "pl" in lrpc.stats("out", "i")["last_error"]
        assert rpc.show("in", "n")["state"] == "failed"
        for client, engine in ((rpc, "in"), (lrpc, "out")):
            client.call("engine.stop", engine=engine)
            assert client.stats(engine)["unexplained"] == 0
    assert "pr" in right.log() and "pl" in left.log()


def test_an_interface_that_goes_down_and_up(pair, network, tmp_path):
    left, right = pair
    source = makers.pcap(tmp_path / "in.pcap", frames(10))
    right.create("in", 'n = SniffSource("pr"); q = Sink(); n > q')
    ip("-n", network.left, "link", "set", "pl", "down")
    ip("-n", network.left, "link", "set", "pl", "up")
    left.ptctl("run", f'RdpcapSource("{source}") > InjectSink("pl")')
    with right.client() as rpc:
        assert rpc.call("daemon.info")["engines"] == 1
        rpc.call("engine.stop", engine="in")
        assert rpc.stats("in")["unexplained"] == 0


@pytest.mark.parametrize("text, word", [
    ("SniffSource('nosuch0') > Sink()", "nosuch0"),
    ("CLIFeeder() > InjectSink('nosuch0')", "nosuch0"),
    ("SniffSource('lo', filter='tcp prot 5') > Sink()", "tcp prot 5"),
    ("SniffSource('lo', socket='x') > Sink()", "socket")])
def test_what_cannot_be_opened_is_refused(pair, text, word):
    result = pair[0].ptctl("create", "e", text, "--start")
    assert result.code == 1 and word in result.err, result
    assert pair[0].call("daemon.info")["engines"] == 0


def test_packets_that_do_not_fit_are_dropped_and_counted(pair, tmp_path):
    left, _ = pair
    big = (bytes(Ether() / IP() / UDP() / Raw(bytes(9000))), 0)
    source = makers.pcap(tmp_path / "in.pcap", [*frames(5), big, *frames(5), (b"", 0)])
    left.create("e", f'r = RdpcapSource("{source}"); i = InjectSink("pl"); r > i')
    left.finish("e")
    with left.client() as rpc:
        stats = rpc.stats("e", "i")
        assert sum(stats["dropped"].values()) >= 1 and stats["errors"] >= 1
        assert rpc.stats("e")["unexplained"] == 0


# ---- link types and what is away ----------------------------------------------------------------

def inside(what):
    """The same IP packet in frames of several link types."""
    cooked = struct.pack(">HHH8sH", 0, 1, 6, b"\2\0\0\0\0\1\0\0", 0x800)
    radiotap = b"\0\0\x08\0\0\0\0\0\x08\x00\0\0" + b"\2\0\0\0\0\1" * 3 + \
        b"\0\0\xaa\xaa\3\0\0\0\x08\0"
    return {1: bytes.fromhex("020000000002 020000000001 0800") + what, 101: what, 228: what,
            113: cooked + what, 127: radiotap + what, 220: bytes(64) + what}


@pytest.mark.parametrize("device, fits", [("veth", {1}), ("tun", {101, 228})])
def test_only_frames_of_the_interface_s_own_link_type_go_out(network, daemons, tmp_path, device,
                                                             fits):
    name = "pl"
    if device == "tun":
        name = "raw0"
        ip("-n", network.left, "tuntap", "add", "mode", "tun", "name", name)
        ip("-n", network.left, "link", "set", name, "up")
    left = daemons(prefix=network.inside(network.left))
    packet = bytes(IP(src="10.9.0.1", dst="10.9.0.2") / UDP(sport=5, dport=6) / Raw(b"z" * 40))
    for link_type, frame in inside(packet).items():
        source = makers.pcap(tmp_path / f"{link_type}.pcap", [(frame, 0)] * 3, link_type=link_type)
        left.create(f"e{link_type}", f'r = RdpcapSource("{source}"); i = InjectSink("{name}"); r > i')
        left.finish(f"e{link_type}")
        with left.client() as rpc:
            stats = rpc.stats(f"e{link_type}", "i")
            told = {"dropped": stats["dropped"], "errors": stats["errors"]}
            # Nobody reads the tun device: it takes no frame, and may be said to be down.
            if link_type not in fits:
                assert told == {"dropped": {"link-type": 3}, "errors": 3}, link_type
                assert f"'{name}'" in stats["last_error"]
            else:
                assert "link-type" not in stats["dropped"], (link_type, stats)
    left.create("plain", f's = CLIFeeder(); i = InjectSink("{name}"); s > i')
    left.ok("send", "plain.s", "--hex", inside(packet)[min(fits)].hex())
    with left.client() as rpc:
        assert "link-type" not in rpc.stats("plain", "i")["dropped"]


@pytest.mark.parametrize("block", ["InjectSink", "Inject3Sink"])
def test_packets_go_out_again_when_the_interface_is_back(network, daemons, block):
    """Down and up, then gone and made anew; what comes meanwhile is unsent."""
    left = daemons(prefix=network.inside(network.left))
    frame = bytes(Ether(dst="02:00:00:00:00:02") / IP(src="10.9.0.1", dst="10.9.0.2") / UDP() /
                  Raw(b"x" * 40))
    message = {"base64": base64.b64encode(frame).decode()}
    if block == "Inject3Sink":
        message = {"base64": base64.b64encode(frame[14:]).decode()}
    left.create("e", f'f = CLIFeeder(); i = {block}("pl", retry_s=3600); f > i')

    def come_back(how):
        with left.client() as rpc:
            def unsent():
                return rpc.stats("e", "i")["dropped"].get("unsent", 0)
            before = unsent()

            def more_unsent():
                rpc.send("e", "f", message)
                return unsent() > before
            eventually(more_unsent)
            assert "pl" in rpc.show("e", "i")["last_error"]
            how()
            eventually(lambda: "is up again" in rpc.show("e", "i").get("note", ""))
            assert "last_error" not in rpc.show("e", "i")
            sent = rpc.stats("e", "i")["out"]
            rpc.send("e", "f", message)
            assert rpc.stats("e", "i")["out"] == sent + 1

    def make_up():
        ip("-n", network.left, "link", "set", "pl", "up")

    def make_anew():
        ip("-n", network.left, "link", "add", "pl", "type", "veth", "peer", "name", "pr", "netns",
           network.right)
        ip("-n", network.left, "address", "add", "10.9.0.1/24", "dev", "pl")
        ip("-n", network.right, "link", "set", "pr", "up")
        ip("-n", network.left, "neigh", "add", "10.9.0.2", "lladdr", "02:00:00:00:00:02", "dev", "pl")
        make_up()

    ip("-n", network.left, "link", "set", "pl", "down")
    come_back(make_up)
    ip("-n", network.left, "link", "del", "pl")
    come_back(make_anew)
    with left.client() as rpc:
        assert rpc.stats("e")["unexplained"] == 0


def anew(network):
    ip("-n", network.left, "link", "add", "pl", "type", "veth", "peer", "name", "pr", "netns",
       network.right)
    ip("-n", network.left, "link", "set", "pl", "up")
    ip("-n", network.right, "link", "set", "pr", "up")


def state(rpc, engine):
    (found,) = [e for e in rpc.call("engine.list")["engines"] if e["engine"] == engine]
    return found["state"], found.get("failed_blocks", 0)


def test_an_interface_that_is_down_is_captured_again_when_it_is_up(pair, network):
    left, right = pair
    right.create("in", 'n = SniffSource("pr", retry_s=3600); q = QueueSink(); n > q')
    left.create("out", 'f = CLIFeeder(); i = InjectSink("pl", retry_s=3600); f > i')
    with right.client() as rpc, left.client() as lrpc:
        ip("-n", network.right, "link", "set", "pr", "down")
        eventually(lambda: rpc.show("in", "n")["state"] == "failed")
        assert "'pr' is down" in rpc.show("in", "n")["last_error"]
        ip("-n", network.right, "link", "set", "pr", "up")
        eventually(lambda: rpc.show("in", "n")["state"] == "running")
        assert "last_error" not in rpc.show("in", "n")
        assert "is up again" in rpc.show("in", "n")["note"]

        def through():
            lrpc.send("out", "f", "x" * 60)
            return rpc.stats("in", "n")["out"] > 0
        eventually(through)


def test_an_interface_that_is_made_anew_is_captured_again(pair, network):
    left, right = pair
    right.create("in", 'n = SniffSource("pr", retry_s=3600); q = Sink(); n > q')
    left.create("out", 'f = CLIFeeder(); i = InjectSink("pl", retry_s=3600); f > i')
    with right.client() as rpc, left.client() as lrpc:
        ip("-n", network.left, "link", "del", "pl")
        eventually(lambda: rpc.show("in", "n")["state"] == "failed")
        assert state(rpc, "in") == ("running", 1)
        anew(network)
        eventually(lambda: rpc.show("in", "n")["state"] == "running")
        assert rpc.show("in", "n")["note"] == "interface 'pr' is captured again"
        assert state(rpc, "in") == ("running", 0)

        def through():
            lrpc.send("out", "f", "x" * 60)
            return rpc.stats("in", "q")["in"] > 0
        eventually(through)
        rpc.call("engine.stop", engine="in")
        assert rpc.stats("in")["unexplained"] == 0
        assert lrpc.stats("out")["unexplained"] == 0


def test_start_starts_what_has_failed(pair, network):
    _, right = pair
    right.create("in", 'n = SniffSource("pr", retry_s=None); q = Sink(); n > q; c = CLIFeeder(); c > q')
    with right.client() as rpc:
        ip("-n", network.left, "link", "del", "pl")
        eventually(lambda: rpc.show("in", "n")["state"] == "failed")
        assert "running, 1 failed" in right.ok("list")
        refused = right.ptctl("start", "in")
        assert refused.code == 1 and "block 'n'" in refused.err and "'pr'" in refused.err
        assert rpc.show("in", "n")["state"] == "failed"
        anew(network)
        rpc.send("in", "c", "the others go on")
        right.ok("start", "in")
        assert rpc.show("in", "n")["state"] == "running"
        assert state(rpc, "in") == ("running", 0)
        right.ok("start", "in")
        rpc.call("engine.stop", engine="in")
        assert rpc.stats("in")["unexplained"] == 0


def test_an_engine_with_a_block_that_waits_stops_changes_and_ends(pair, network):
    _, right = pair
    right.create("in", 'n = SniffSource("pr"); q = Sink(); n > q')
    with right.client() as rpc:
        ip("-n", network.left, "link", "del", "pl")
        eventually(lambda: rpc.show("in", "n")["state"] == "failed")
        refused = right.ptctl("start", "in")
        assert refused.code == 1
        right.ok("replace", "in.q", "QueueSink()")
        right.ok("set", "in.q", "limit=1MiB")
        right.ok("remove", "in", "n")
        right.ok("add", "in", "n = SniffSource('lo'); n > q")
        right.ok("stop", "in")
        assert rpc.stats("in")["unexplained"] == 0
    right.ok("destroy", "in")


def test_which_interface_was_taken_is_told(pair):
    _, right = pair
    note = "captures on 'pr', the first that is up"
    made = right.ok("create", "in", "n = SniffSource(); n > Sink()", "--start")
    assert made.splitlines()[1:] == [f"n: {note}"]
    with right.client() as rpc:
        assert rpc.show("in", "n")["note"] == note
    right.ok("stop", "in")
    assert right.ok("start", "in") == f"n: {note}\n"
    assert right.ok("create", "quiet", "SniffSource() > Sink()", "--start", "-q") == ""
    named = right.ok("create", "named", "n = SniffSource('lo'); n > Sink()", "--start")
    assert named == "revision 1: added n, sink1; linked n > sink1\n"
    ran = right.ptctl("run", "n = SniffSource(); n > Sink()", "--timeout", "0.1")
    assert ran.code == 4 and ran.out == "" and ran.err.splitlines()[0] == f"n: {note}"


def test_a_clean_stop_waits_for_a_sink_that_waits_for_its_interface(network, daemons):
    left = daemons(prefix=network.inside(network.left))
    left.create("e", 'f = CLIFeeder(); i = InjectSink("pl", retry_s=3600); f > i')
    ip("-n", network.left, "link", "set", "pl", "down")
    with left.client() as rpc:
        def failed():
            rpc.send("e", "f", "x" * 60)
            return rpc.show("e", "i")["state"] == "failed"
        eventually(failed)
    assert left.ptctl("stop", "e", "--wait", "--timeout", "0.2").code == 4
    left.ok("close", "e.f")
    left.finish("e")


def test_without_retry_a_sink_fails_when_its_interface_goes(network, daemons):
    left = daemons(prefix=network.inside(network.left))
    left.create("e", 'f = CLIFeeder(); i = InjectSink("pl", retry_s=None); f > i')
    ip("-n", network.left, "link", "set", "pl", "down")
    with left.client() as rpc:
        for _ in range(2):
            rpc.send("e", "f", "x" * 60)
        assert rpc.show("e", "i")["state"] == "failed"
        assert rpc.stats("e", "i")["dropped"] == {"unsent": 2}


def test_sniffing_on_loopback_sees_a_datagram(daemon):
    if os.getuid() != 0:
        pytest.skip("capturing needs CAP_NET_RAW")
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    port = receiver.getsockname()[1]
    daemon.create("e", f'SniffSource("lo", filter="udp port {port}") > '
                       'TransformDrain("function(m) return m.payload end") > QueueSink(name="q")')
    receiver.sendto(b"hello", ("127.0.0.1", port))
    with daemon.client() as rpc:
        assert rpc.texts("e", "q", 1) == ["hello"]
    receiver.close()


# ---- packet sockets that are handed over --------------------------------------------------------

INSIDE = """
import os, socket, sys
kind, name, program = sys.argv[1], sys.argv[2], sys.argv[3:]
s = socket.socket(socket.AF_PACKET, getattr(socket, kind), socket.htons(3))
s.bind((name, 3))
os.set_inheritable(s.fileno(), True)
os.execvp(program[0], [a.replace("FD", str(s.fileno())) for a in program])
"""


def sniffed(daemon, network, side, kind, name, more, engine="in"):
    """An engine that sniffs a socket which lies in the namespace of its side."""
    made = subprocess.run(
        [*network.inside(side), "/usr/bin/python3", "-c", INSIDE, kind, name, program("ptctl"), "-s",
         daemon.socket, "--fd", "FD", "create", engine,
         f"n = SniffSource(socket={{'fd': 0}}{more}); q = QueueSink(); n > q", "--start"],
        capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert made.returncode == 0, made


def sent(network, side, name, *frames_):
    sender = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
for frame in sys.argv[2:]: s.send(bytes.fromhex(frame))
"""
    subprocess.run([*network.inside(side), "/usr/bin/python3", "-c", sender, name,
                    *(f.hex() for f in frames_)], check=True, timeout=DEADLINE)


def caught(rpc, count, engine="in"):
    return [(base64.b64decode(m["message"]["base64"]), m) for m in rpc.recv(engine, "q", count)]


def tagged(*tags):
    rest = bytes(IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=5, dport=6) / Raw(b"v" * 30))
    return bytes.fromhex("020000000002020000000001") + \
        b"".join(struct.pack(">HH", 0x8100, tag) for tag in tags) + b"\x08\0" + rest


VLANS = [(), (5,), (7,), (7, 5), (5, 7)]
LAST = bytes.fromhex("ffffffffffff020000000001") + b"\x88\xb5" + b"last".ljust(50, b".")


@pytest.mark.parametrize("words, right", [
    ("vlan", [(5,), (7,), (7, 5), (5, 7)]), ("vlan 5", [(5,), (5, 7)]), ("vlan 7 and vlan 5", [(7, 5)]),
    ("vlan 5 and udp", [(5,)]), ("not vlan", [()]), ("udp port 6", [(), (5,), (7,)])])
def test_a_socket_s_filter_sees_the_tags(pair, network, words, right):
    """The kernel has taken the outer tag off; what names no tag looks behind it."""
    _, right_side = pair
    words = f"ether proto 0x88b5 or ({words})"
    sniffed(right_side, network, network.right, "SOCK_RAW", "pr", f", filter='{words}'")
    sent(network, network.left, "pl", *(tagged(*tags) for tags in VLANS), LAST)
    names = {tagged(*tags): tags for tags in VLANS} | {LAST: "last"}
    with right_side.client() as rpc:
        assert [names[b] for b, _ in caught(rpc, len(right) + 1)] == [*right, "last"]


@pytest.mark.parametrize("before, after, passed", [
    ("vlan 5", "udp and not vlan", ()), ("udp", "vlan 7", (7,)), ("udp", "udp port 6", (5,))])
def test_a_socket_s_filter_is_changed_under_way(pair, network, before, after, passed):
    _, right = pair
    ptctl = f"{program('ptctl')} -s {right.socket} --fd FD"
    sniff = "SniffSource(socket={'fd': 0}, filter='%s')"
    script = f"""set -e
        {ptctl} create in "n = {sniff % before}; q = QueueSink(); n > q" --start
        {ptctl} replace in.n "{sniff % f'ether proto 0x88b5 or ({after})'}\""""
    subprocess.run([*network.inside(network.right), "/usr/bin/python3", "-c", INSIDE, "SOCK_RAW", "pr",
                    "sh", "-c", script], timeout=DEADLINE, check=True)
    sent(network, network.left, "pl", tagged(*passed), LAST)
    with right.client() as rpc:
        assert [b for b, _ in caught(rpc, 2)] == [tagged(*passed), LAST]
        assert rpc.stats("in")["unexplained"] == 0


def test_a_snap_length_leaves_the_length_on_the_wire(pair, network):
    _, right = pair
    sniffed(right, network, network.right, "SOCK_RAW", "pr", ", snaplen=60, filter='udp'")
    frame = bytes(Ether(dst="02:00:00:00:00:02") / IP() / UDP() / Raw(b"x" * 500))
    sent(network, network.left, "pl", frame)
    with right.client() as rpc:
        ((data, message),) = caught(rpc, 1)
        assert data == frame[:60] and message["wire_length"] == len(frame)


def test_a_socket_on_loopback_sees_a_packet_once(pair, network):
    _, right = pair
    sniffed(right, network, network.right, "SOCK_RAW", "lo", ", filter='udp'")
    first, second = (bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") /
                           IP(src="127.0.0.1", dst="127.0.0.1") / UDP(dport=9) /
                           Raw(bytes([n]) * 30)) for n in (1, 2))
    sent(network, network.right, "lo", first, second)
    with right.client() as rpc:
        assert [data for data, _ in caught(rpc, 2)] == [first, second]


def test_a_datagram_socket_s_packets_are_cooked(pair, network):
    """ARP is no IP: what libpcap makes of a socket without headers tells what it is."""
    _, right = pair
    sniffed(right, network, network.right, "SOCK_DGRAM", "pr", "")
    arp = bytes.fromhex("020000000002020000000001") + b"\x08\x06" + bytes(range(46))
    sent(network, network.left, "pl", arp, tagged(5))
    with right.client() as rpc:
        (data, message), (vlan, _) = caught(rpc, 2)
        assert message["link_type"] == 113 and message["wire_length"] == len(data) == 16 + 46
        assert data[2:] == struct.pack(">HH8sH", 1, 6, bytes.fromhex("020000000001") + b"\0\0",
                                       0x806) + arp[14:]
        assert vlan[14:20] == b"\x81\0\0\5\x08\0" and vlan[20:] == tagged()[14:]


# ---- as long as is wanted -----------------------------------------------------------------------

def plain(*numbers):
    return [bytes.fromhex("020000000002020000000001") + b"\x88\xb5" + b"%06d" % n + bytes(40) for n in numbers]


def test_it_ends_after_so_many_packets_however_they_come(pair, network):
    _, right = pair
    for count in (1, 64, 70, 129):
        right.create(f"in{count}", f'SniffSource("pr", count={count}, name="n") > QueueSink(name="q")')
    sent(network, network.left, "pl", *plain(*range(200)))
    with right.client() as rpc:
        for count in (1, 64, 70, 129):
            assert [b for b, _ in caught(rpc, count, f"in{count}")] == plain(*range(count))
            eventually(lambda: rpc.show(f"in{count}", "n")["state"] == "exhausted")
            right.finish(f"in{count}")
            stats = rpc.stats(f"in{count}", "n")
            assert stats["out"] == count and stats["dropped"] == {}
            right.ok("start", f"in{count}")  # begins anew
            assert rpc.show(f"in{count}", "n")["state"] == "running"


@pytest.mark.parametrize("way", ["enough", "close"])
def test_what_comes_behind_its_end_is_no_loss(pair, network, way):
    """More than the ring takes, when a drain has had enough, or it was closed by hand."""
    _, right = pair
    right.create("in", f'''n = SniffSource("pr", "ether proto 0x88b5", buffer_size="64KiB", immediate=true)
        n > HeadDrain(count={3 if way == "enough" else 1000}) > q = QueueSink()''')
    with right.client() as rpc:
        for n in range(3):
            sent(network, network.left, "pl", *plain(n))
            eventually(lambda: rpc.stats("in", "q")["held"] > n)  # pylint: disable=cell-var-from-loop
        if way == "close":
            right.ok("close", "in.n")
        eventually(lambda: rpc.show("in", "n")["state"] == "exhausted")
        sent(network, network.left, "pl", *plain(*range(50)))
        assert rpc.stats("in", "n")["dropped"] == {}
        assert [b for b, _ in caught(rpc, 3)] == plain(*range(3))
        right.ok("stop", "in")
        assert rpc.stats("in", "n")["dropped"] == {} and rpc.stats("in")["unexplained"] == 0


def test_run_ends_with_the_capture(pair, network, tmp_path):
    """As tcpdump -c does it."""
    _, right = pair
    run = subprocess.Popen([*right.prefix, program("ptctl"), "-s", right.socket, "run",
                            f'SniffSource("pr", count=3) > WrpcapSink("{tmp_path}/out.pcap")'],
                           stderr=subprocess.PIPE, text=True)
    with right.client() as rpc:
        eventually(lambda: [e for e in rpc.call("engine.list")["engines"] if e["state"] == "draining"])
        sent(network, network.left, "pl", *plain(*range(5)))
        assert run.communicate(timeout=DEADLINE)[1].strip() == "3 in, 3 out"
    assert [p[0] for p in makers.read(tmp_path / "out.pcap")] == plain(0, 1, 2)


def test_a_count_goes_on_in_the_successor(pair, network):
    _, right = pair
    right.create("in", 'n = SniffSource("pr", count=10); q = QueueSink(); n > q')
    with right.client() as rpc:
        sent(network, network.left, "pl", *plain(*range(4)))
        assert len(caught(rpc, 4)) == 4
        right.ok("set", "in.n", "promisc=false")
        sent(network, network.left, "pl", *plain(*range(4, 12)))
        assert [b for b, _ in caught(rpc, 6)] == plain(*range(4, 10))
        eventually(lambda: rpc.show("in", "n")["state"] == "exhausted")
        right.ok("set", "in.n", "count=12")  # what the kernel had at the end may be among them
        sent(network, network.left, "pl", *plain(*range(20, 24)))
        more = [b for b, _ in caught(rpc, 2)]
        assert more == sorted(more) and set(more) < set(plain(10, 11, 20, 21))
        right.ok("set", "in.n", "count=5")
        eventually(lambda: rpc.show("in", "n")["state"] == "exhausted")
        assert rpc.stats("in")["unexplained"] == 0 and rpc.stats("in", "n")["dropped"] == {}


def test_a_count_begins_anew_with_a_start_and_not_when_the_interface_is_back(pair, network):
    _, right = pair
    right.create("in", 'n = SniffSource("pr", "ether proto 0x88b5", count=3, retry_s=3600); q = QueueSink(); n > q')
    with right.client() as rpc:
        def through(*numbers):
            sent(network, network.left, "pl", *plain(*numbers))
            assert [b for b, _ in caught(rpc, len(numbers))] == plain(*numbers)
            return rpc.show("in", "n")["state"]

        def goes():
            ip("-n", network.left, "link", "del", "pl")
            eventually(lambda: rpc.show("in", "n")["state"] == "failed")
        assert through(0) == "running"
        goes()
        anew(network)
        eventually(lambda: rpc.show("in", "n")["state"] == "running")
        assert through(1) == "running"
        goes()
        right.ok("stop", "in")
        anew(network)
        right.ok("start", "in")
        assert "note" not in rpc.show("in", "n")
        assert through(2, 3, 4) == "exhausted"


def test_it_ends_after_so_long_with_what_came_before(pair, network):
    """What came is in the ring when the time is up, since its block is not full."""
    _, right = pair
    right.create("in", 'n = SniffSource("pr", timeout="500ms"); q = QueueSink(); n > q')
    sent(network, network.left, "pl", *plain(1, 2))
    with right.client() as rpc:
        eventually(lambda: rpc.show("in", "n")["state"] == "exhausted")
        passed = rpc.stats("in", "n")["out"]  # a slow machine may have sent too late
        sent(network, network.left, "pl", *plain(3))
        right.finish("in")
        assert rpc.stats("in", "n")["out"] == passed and rpc.stats("in")["unexplained"] == 0
        assert [b for b, _ in caught(rpc, passed)] == plain(1, 2)[:passed] if passed else True
        right.create("long", 'n = SniffSource("pr", timeout="1h"); q = QueueSink(); n > q')
        sent(network, network.left, "pl", *plain(4))
        assert [b for b, _ in caught(rpc, 1, "long")] == plain(4)
        right.ok("set", "long.n", "timeout=1ms")
        eventually(lambda: rpc.show("long", "n")["state"] == "exhausted")


@pytest.mark.parametrize("way", ["del", "set"])
def test_its_time_is_over_also_while_its_interface_is_away(pair, network, way):
    """retry_s is not when it looks whether the time is up."""
    _, right = pair
    right.create("in", 'n = SniffSource("pr", timeout="3s", retry_s=3600); q = QueueSink(); n > q')
    with right.client() as rpc:
        ip("-n", network.right, "link", way, "pr", *(["down"] if way == "set" else []))
        eventually(lambda: rpc.show("in", "n")["state"] == "failed")
        eventually(lambda: rpc.show("in", "n")["state"] == "exhausted")
        assert "until the time was over" in rpc.show("in", "n")["note"]
        assert rpc.stats("in")["unexplained"] == 0
        if way == "set":
            ip("-n", network.right, "link", "set", "pr", "up")
        else:
            anew(network)
        right.ok("set", "in.n", "timeout=1h")
        sent(network, network.left, "pl", *plain(4))
        assert [b for b, _ in caught(rpc, 1)] == plain(4)


@pytest.mark.parametrize("direction, wanted", [("in", [1, 3]), ("out", [2]), ("inout", [1, 2, 3])])
def test_one_direction_of_an_interface(pair, network, direction, wanted):
    _, right = pair
    right.create("in", f'n = SniffSource("pr", direction="{direction}", immediate=true); q = QueueSink(); n > q')
    sniffed(right, network, network.right, "SOCK_RAW", "pr", f", direction='{direction}'", engine="socket")
    for number, side, device in ((1, network.left, "pl"), (2, network.right, "pr"), (3, network.left, "pl")):
        sent(network, side, device, *plain(number))
    with right.client() as rpc:
        for engine in ("in", "socket"):
            assert [b for b, _ in caught(rpc, len(wanted), engine)] == plain(*wanted)
            assert rpc.stats(engine, "n")["out"] == len(wanted)
        right.ok("set", "in.n", "direction=out")
        sent(network, network.left, "pl", *plain(4))
        sent(network, network.right, "pr", *plain(5))
        assert [b for b, _ in caught(rpc, 1)] == plain(5)


@pytest.mark.parametrize("by", ["flow", "round", "cpu"])
def test_an_interface_is_shared(pair, network, by):
    _, right = pair
    for n in range(2):
        right.create(f"in{n}", f'n = SniffSource("pr", fanout=7, fanout_by="{by}"); q = Sink(); n > q')
    sent(network, network.left, "pl", *plain(*range(100)))
    with right.client() as rpc:
        eventually(lambda: sum(rpc.stats(f"in{n}", "n")["out"] for n in range(2)) == 100)
        if by == "round":
            assert {rpc.stats(f"in{n}", "n")["out"] for n in range(2)} == {50}
