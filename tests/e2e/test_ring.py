# SPDX-License-Identifier: BSD-2-Clause
"""The ring that the kernel fills: what comes out of it is what was on the wire, once, in order."""
import base64
import struct
import subprocess

import pytest
from scapy.all import IP, UDP, Raw

import makers
from conftest import DEADLINE, eventually, ip, program
from test_live import LAST, VLANS, caught, pair, plain, sent, tagged  # pylint: disable=unused-import

MODES = pytest.mark.parametrize("mode", ["", ", immediate=true", ", snaplen=1514"])


def numbered(path, numbers):
    return makers.pcap(path, [(frame, n) for n, frame in enumerate(plain(*numbers))])


class Judge:
    """tcpdump on the same interface."""

    def __init__(self, network, path, *words):
        self.path = path
        self.process = subprocess.Popen(
            [*network.inside(network.right), "tcpdump", "-U", "--immediate-mode", "-w", path, *words],
            stderr=subprocess.PIPE, text=True)
        while "listening on" not in (line := self.process.stderr.readline()):
            assert line, "tcpdump ended"

    def packets(self, count):
        def there():
            return self.path.exists() and len(list(makers.read(self.path))) >= count
        eventually(there)
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE)
        return [(p[0], p[2]) for p in makers.read(self.path)]


@pytest.mark.parametrize("mode", [', buffer_size="1MiB"', ", immediate=true", ', snaplen=1514, buffer_size="1MiB"'])
def test_what_is_kept_pins_no_part_of_the_ring(pair, tmp_path, mode):
    """Many times what the ring holds lies in a queue, and the kernel lost nothing: each round comes at
    once, since every 2 ms that it takes would use up a part of the ring."""
    left, right = pair
    rounds, count = 30, 500
    right.create("in", f'n = SniffSource("pr"{mode}); q = QueueSink(limit="64MiB"); n > q')
    left.create("out", 'f = CLIFeeder(); i = InjectSink("pl"); f > i', start=False)
    with right.client() as rpc:
        for turn in range(rounds):
            source = numbered(tmp_path / "in.pcap", range(turn * count, (turn + 1) * count))
            left.ok("run", f'RdpcapSource("{source}") > InjectSink("pl")')
            eventually(lambda: rpc.stats("in", "n")["out"] >= (turn + 1) * count)
        assert rpc.stats("in", "n")["dropped"] == {}
        got = [b for _ in range(rounds) for b, _ in caught(rpc, count)]
        assert got == plain(*range(rounds * count))
        assert rpc.stats("in")["unexplained"] == 0


@MODES
def test_tags_are_put_back(pair, network, tmp_path, mode):
    _, right = pair
    judge = Judge(network, tmp_path / "judge", "-i", "pr")
    right.create("in", f'n = SniffSource("pr"{mode}); q = QueueSink(); n > q')
    wire = [tagged(*tags) for tags in VLANS] + [LAST]
    sent(network, network.left, "pl", *wire)
    with right.client() as rpc:
        got = caught(rpc, len(wire))
        assert [b for b, _ in got] == wire
        assert [(b, m["wire_length"]) for b, m in got] == judge.packets(len(wire))


def test_a_tag_is_in_what_is_cut(pair, network):
    _, right = pair
    right.create("in", 'n = SniffSource("pr", snaplen=30); q = QueueSink(); n > q')
    sent(network, network.left, "pl", tagged(5))
    with right.client() as rpc:
        ((data, message),) = caught(rpc, 1)
        assert data == tagged(5)[:30] and message["wire_length"] == len(tagged(5))


@pytest.mark.parametrize("words, right", [
    ("vlan", [(5,), (7,), (7, 5), (5, 7)]), ("vlan 7 and vlan 5", [(7, 5)]), ("not vlan", [()]),
    ("udp port 6", [(), (5,), (7,)])])
def test_a_filter_sees_the_tags(pair, network, words, right):
    _, right_side = pair
    right_side.create("in", f'n = SniffSource("pr", "ether proto 0x88b5 or ({words})"); q = QueueSink(); n > q')
    sent(network, network.left, "pl", *(tagged(*tags) for tags in VLANS), LAST)
    names = {tagged(*tags): tags for tags in VLANS} | {LAST: "last"}
    with right_side.client() as rpc:
        assert [names[b] for b, _ in caught(rpc, len(right) + 1)] == [*right, "last"]


@pytest.mark.parametrize("words", [None, "udp", "udp port 6 or ether proto 0x88b5", "ip host 192.0.2.1",
                                   "outbound or udp", "link[17] == 1 or udp"])
def test_all_interfaces_are_cooked(pair, network, tmp_path, words):
    """As tcpdump has them, whatever of a filter the kernel can do."""
    _, right = pair
    judge = Judge(network, tmp_path / "judge", "-i", "any", "-y", "LINUX_SLL2", *([words] if words else []))
    given = f", filter='{words}'" if words else ""
    right.create("in", f'n = SniffSource("any"{given}); q = QueueSink(); n > q')
    sent(network, network.left, "pl", LAST, tagged(), LAST, tagged())
    count = 2 if words in ("udp", "ip host 192.0.2.1", "outbound or udp") else 4
    with right.client() as rpc:
        got = caught(rpc, count)
        assert {m["link_type"] for _, m in got} == {276}
        assert [(b, m["wire_length"]) for b, m in got] == judge.packets(count)


def test_a_tag_of_a_cooked_packet(pair, network, tmp_path):
    _, right = pair
    right.create("in", f'SniffSource("any", filter="udp") > WrpcapSink("{tmp_path}/out.pcap", name="w")')
    sent(network, network.left, "pl", *(tagged(*tags) for tags in VLANS))
    with right.client() as rpc:
        eventually(lambda: rpc.stats("in", "w")["out"] == 3)
    right.ok("stop", "in")
    read = subprocess.run(["tshark", "-r", tmp_path / "out.pcap", "-T", "fields", "-e", "vlan.id", "-e",
                           "udp.dstport"], capture_output=True, text=True, check=True, timeout=DEADLINE)
    assert read.stdout.splitlines() == ["\t6", "5\t6", "7\t6"]


TUN = """
import fcntl, struct, sys
tun = open("/dev/net/tun", "r+b", buffering=0)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH", b"raw0", 0x1001))
print("ready", flush=True)
for line in sys.stdin:
    tun.write(bytes.fromhex(line))
"""


def test_a_tun_device_has_packets_of_ip(pair, network):
    _, right = pair
    ip("-n", network.right, "tuntap", "add", "mode", "tun", "name", "raw0")
    with subprocess.Popen([*network.inside(network.right), "/usr/bin/python3", "-c", TUN], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:
        assert peer.stdout.readline() == "ready\n"
        ip("-n", network.right, "link", "set", "raw0", "up")
        right.create("in", 'n = SniffSource("raw0", "udp"); q = QueueSink(); n > q')
        packet = bytes(IP(src="192.0.2.1", dst="192.0.2.2") / UDP(dport=9) / Raw(b"tun"))
        peer.stdin.write(packet.hex() + "\n")
        peer.stdin.close()
        with right.client() as rpc:
            ((data, message),) = caught(rpc, 1)
            assert data == packet and message["link_type"] == 101


def test_a_rewrite_leaves_what_lies_in_the_ring(pair, network):
    """Two that capture the same, and one that branches."""
    _, right = pair
    right.create("in", '''n = SniffSource("pr", "udp"); t = TransformDrain("set{['ip.ttl']=9}")
        q = QueueSink(); r = QueueSink(); n > t > r; n > q''')
    sent(network, network.left, "pl", tagged(5), tagged())
    with right.client() as rpc:
        plain_ones = [base64.b64decode(m["message"]["base64"]) for m in rpc.recv("in", "q", 2)]
        changed = [base64.b64decode(m["message"]["base64"]) for m in rpc.recv("in", "r", 2)]
        assert plain_ones == [tagged(5), tagged()]
        assert [m[-58 + 8] for m in changed] == [9, 9]


@MODES
def test_numbers_at_speed_come_once_and_in_order(pair, tmp_path, mode):
    left, right = pair
    count = 20_000
    source = makers.pcap(tmp_path / "in.pcap", [
        (plain(0)[0][:14] + struct.pack(">I", n) + bytes(42 + n % 900), n) for n in range(count)])
    right.create("in", f'n = SniffSource("pr"{mode}); w = WrpcapSink("{tmp_path}/out.pcap"); n > w')
    left.ok("run", f'RdpcapSource("{source}") > InjectSink("pl")')
    with right.client() as rpc:
        def all_seen():
            stats = rpc.stats("in", "n")
            return stats["out"] + stats["dropped"].get("kernel", 0) >= count
        eventually(all_seen)
        lost = rpc.stats("in", "n")["dropped"].get("kernel", 0)
        rpc.call("engine.stop", engine="in")
        assert rpc.stats("in")["unexplained"] == 0
    numbers = [struct.unpack(">I", p[0][14:18])[0] for p in makers.read(tmp_path / "out.pcap")]
    assert numbers == sorted(set(numbers)) and len(numbers) == count - lost
    if not mode:
        assert lost == 0


# ---- other namespaces ---------------------------------------------------------------------------

def test_interfaces_of_other_namespaces(daemon, network):
    """One daemon, outside of both ends of the cable."""
    daemon.create("in", f'n = SniffSource("pr", netns="{network.right}"); q = QueueSink(); n > q')
    daemon.create("path", f'n = SniffSource("pr", netns="/run/netns/{network.right}", filter="udp"); q = QueueSink(); n > q')
    daemon.create("out", f'f = CLIFeeder(); i = InjectSink("pl", netns="{network.left}"); f > i')
    daemon.create("ip", f'f = CLIFeeder(); i = Inject3Sink("lo", netns="{network.right}"); f > i')
    daemon.create("lo", f'n = SniffSource("lo", "udp", netns="{network.right}"); q = QueueSink(); n > q')
    frames = [*plain(1), tagged(5), tagged()]
    packet = bytes(IP(src="127.0.0.1", dst="127.0.0.1") / UDP(dport=9) / Raw(b"within"))
    with daemon.client() as rpc:
        rpc.send("out", "f", *({"base64": base64.b64encode(f).decode()} for f in frames))
        assert [b for b, _ in caught(rpc, 3)] == frames
        assert [b for b, _ in caught(rpc, 2, "path")] == frames[1:]
        rpc.send("ip", "f", {"base64": base64.b64encode(packet).decode()})
        assert caught(rpc, 1, "lo")[0][0][14 + 28:] == b"within"


def test_run_opens_an_interface_of_another_namespace_itself(daemons, network, tmp_path):
    """Its user may enter it, and the daemon may not."""
    daemon = daemons(prefix=["setpriv", "--bounding-set=-sys_admin"])
    source = f'SniffSource("pr", "udp", netns="{network.right}", count=2, name="n")'
    refused = daemon.ptctl("run", f"{source} > Sink()")  # which may no more than the daemon
    assert refused.code == 1 and "CAP_SYS_ADMIN" in refused.err, refused

    def run(pipe):
        return subprocess.Popen([program("ptctl"), "-s", daemon.socket, "run", pipe], stderr=subprocess.PIPE, text=True)

    with run(f'SniffSource("px", netns="{network.right}") > Sink()') as wrong:
        assert "no interface 'px'; did you mean 'pr'?" in wrong.communicate(timeout=DEADLINE)[1] and wrong.returncode
    with run(f'{source} > WrpcapSink("{tmp_path}/out.pcap")') as right, daemon.client() as rpc:
        eventually(lambda: [e for e in rpc.call("engine.list")["engines"] if e["state"] == "draining"])
        sent(network, network.left, "pl", *plain(1), tagged(), tagged(5))
        assert right.communicate(timeout=DEADLINE)[1].strip() == "2 in, 2 out"
    assert [p[0] for p in makers.read(tmp_path / "out.pcap")] == [tagged(), tagged(5)]


def test_an_interface_of_another_namespace_goes_down_and_away(daemon, network):
    daemon.create("in", f'n = SniffSource("pr", netns="{network.right}", retry_s=0.05); q = QueueSink(); n > q')
    daemon.create("out", f'f = CLIFeeder(); i = InjectSink("pl", netns="{network.left}", retry_s=0.05); f > i')
    with daemon.client() as rpc:
        def is_now(state):
            eventually(lambda: rpc.show("in", "n")["state"] == state)

        def comes(number):
            def sent_one():
                rpc.send("out", "f", {"base64": base64.b64encode(plain(number)[0]).decode()})
                held = rpc.stats("in", "q")["held"]
                return held and plain(number)[0] in [b for b, _ in caught(rpc, held)]
            eventually(sent_one)
        comes(1)
        ip("-n", network.right, "link", "set", "pr", "down")
        is_now("failed")
        ip("-n", network.right, "link", "set", "pr", "up")
        is_now("running")
        comes(2)
        ip("-n", network.right, "link", "set", "pr", "name", "px")
        comes(3)
        ip("-n", network.right, "link", "del", "px")
        is_now("failed")
        ip("-n", network.left, "link", "add", "pl", "type", "veth", "peer", "name", "pr", "netns", network.right)
        ip("-n", network.left, "link", "set", "pl", "up")
        ip("-n", network.right, "link", "set", "pr", "up")
        is_now("running")
        comes(4)
        assert rpc.stats("in")["unexplained"] == 0


@pytest.mark.parametrize("text, words", [
    ("SniffSource('lo', netns='nosuch')", "no network namespace 'nosuch'"),
    ("SniffSource('lo', netns='/dev/null')", "is no network namespace"),
    ("CLIFeeder() > InjectSink('nosuch0', netns='/proc/self/ns/net')", "no interface 'nosuch0'"),
    ("SniffSource('lo', netns='/')", "is no network namespace")])
def test_a_namespace_that_cannot_be_entered_is_told(daemon, text, words):
    pipe = text if ">" in text else f"{text} > Sink()"
    result = daemon.ptctl("create", "e", pipe, "--start")
    assert result.code == 1 and words in result.err, result
    assert daemon.call("daemon.info")["engines"] == 0
