# SPDX-License-Identifier: BSD-2-Clause
"""docs/scale.md: the set-up that it shows is built as it stands there, a network namespace for each host."""
import concurrent.futures
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import types

import pytest
from scapy.all import IP, UDP, Ether, Raw

import makers
from conftest import DEADLINE, Network, eventually, ip, namespaces_allowed, nats_plugin, run_ptctl
from nats_side import Nats, packets
from transcript import blocks, commands

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "scale.md").read_text()

SENDER = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("mirror", 0))
data = sys.stdin.buffer.read()
size = int(sys.argv[1])
for at in range(0, len(data), size):
    s.send(data[at:at + size])
"""


def shown(language):
    return [body for _, body in blocks(TEXT, language)]


def inside(namespace, what):
    """What a call gives that is made in a network namespace: a socket stays there."""
    def call():
        with open(f"/run/netns/{namespace}", "rb") as entrance:
            assert ctypes.CDLL(None).setns(entrance.fileno(), 0x40000000) == 0  # CLONE_NEWNET
        return what()

    with concurrent.futures.ThreadPoolExecutor(1) as thread:  # which ends with this
        return thread.submit(call).result()


class Host:
    """A namespace on the common network, that has an /etc/hosts and a /var/lib of its own."""

    def __init__(self, name, address, switch, hosts, folder):
        self.name = name
        self.namespace = f"pt{os.getpid()}{name}"
        self.folder = folder / name
        self.lib = self.folder / "lib"
        (self.lib / "pipetool").mkdir(parents=True)
        ip("netns", "add", self.namespace)
        Network.quiet(self.namespace)
        ip("-n", switch, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        ip("-n", switch, "link", "set", name, "master", "switch", "up")
        ip("-n", self.namespace, "link", "set", "eth0", "up")
        ip("-n", self.namespace, "address", "add", f"{address}/24", "dev", "eth0")
        self.prefix = ["ip", "netns", "exec", self.namespace, "sh", "-c",
                       'mount --bind "$0" /etc/hosts && mount --bind "$1" /var/lib && shift && exec "$@"', hosts, self.lib]

    def mirror(self):
        """An eth1, and its other end, that packets come from."""
        ip("-n", self.namespace, "link", "add", "eth1", "type", "veth", "peer", "name", "mirror")
        for device in ("eth1", "mirror"):
            ip("-n", self.namespace, "link", "set", device, "up")

    def close(self):
        ip("netns", "del", self.namespace, check=False)


@pytest.fixture
def lan(tmp_path):
    """Makes hosts on one network, of lines as /etc/hosts has them: each by its name."""
    if not namespaces_allowed():
        pytest.skip("network namespaces are not allowed here")
    switch = f"pt{os.getpid()}switch"
    made = {}

    def make(text):
        hosts = tmp_path / "etc-hosts"
        hosts.write_text("127.0.0.1 localhost\n" + text)
        for address, name in (line.split() for line in text.splitlines()):
            made[name] = Host(name, address, switch, hosts, tmp_path)
        return made

    ip("netns", "add", switch)
    try:
        Network.quiet(switch)
        ip("-n", switch, "link", "add", "switch", "type", "bridge")
        ip("-n", switch, "link", "set", "switch", "up")
        yield make
    finally:
        for host in made.values():
            host.close()
        ip("netns", "del", switch, check=False)


@pytest.fixture
def network(lan):
    """The hosts of the document."""
    (text,) = shown("hosts")
    return lan(text)


@pytest.fixture
def servers(network):
    """One nats-server on each of n1, n2 and n3, and the stream."""
    (config,) = shown("nats")
    made = []
    try:
        for name in ("n1", "n2", "n3"):
            host = network[name]
            path = host.folder / "nats-server.conf"
            path.write_text(config.replace("server_name: n1", f"server_name: {name}"))
            with open(host.folder / "log", "wb") as log:
                made.append(subprocess.Popen([*host.prefix, "nats-server", "-c", path], stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=log))
        eventually(lambda: any(leads(network[name]) and has_stream(network[name]) for name in ("n1", "n2", "n3")))
        yield
    finally:
        for process in made:
            process.send_signal(signal.SIGTERM)
        for process in made:
            process.wait(DEADLINE)


def leads(host):
    """Before the servers have chosen one who does, nobody answers a request."""
    return "Self is new JetStream cluster metadata leader" in (host.folder / "log").read_text()


def has_stream(host):
    (config,) = shown("json")
    try:
        with inside(host.namespace, lambda: Nats(types.SimpleNamespace(port=4222))) as nats:
            nats.socket.settimeout(5)
            return "error" not in nats.request("$JS.API.STREAM.CREATE.packets", json.loads(config))
    except OSError:  # also where another was chosen meanwhile
        return False


@pytest.fixture
def fleet(network, daemons, tmp_path):
    """A daemon for each host of the inventory; the command line of `ptctl fleet`, and the daemons."""
    made = {}

    def daemon(found):
        name = found[1]
        host = network[name]
        if name.startswith("s"):
            host.mirror()
        made[name] = daemons(prefix=host.prefix, plugins=nats_plugin(), config="[files]\nallow = /var/lib/pipetool\n")
        return f"unix:{made[name].socket}"

    (inventory,) = shown("inventory")
    (tmp_path / "hosts").write_text(re.sub(r"root@(\w+)", daemon, inventory))
    graphs = tmp_path / "graphs"
    graphs.mkdir()
    for number, text in enumerate(text for text in shown("pipe") if text.startswith("# on: ")):
        (graphs / f"{number}.pipe").write_text(text)
    return made


def frames(sensor, count, flows=40):
    """Packets of one size that tell who they are: of the sensor, the n-th; each flow is seen by all sensors."""
    made = [bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
                  / IP(src=f"10.0.{flow}.1", dst="10.1.1.1") / UDP(sport=1000 + flow, dport=53, chksum=0)
                  / Raw(bytes(60))) for flow in range(flows)]
    for n in range(count):
        yield made[n % flows][:42] + struct.pack("!II", sensor, n) + made[n % flows][50:]


def send(host, sensor, count):
    data = list(frames(sensor, count))
    subprocess.run([*Network.inside(host.namespace), "/usr/bin/python3", "-c", SENDER, str(len(data[0]))],
                   input=b"".join(data), check=True, timeout=DEADLINE)


def total(daemon, engine, name):
    """What blocks of such names have sent, in an engine of which no message is unexplained or dropped."""
    with daemon.client() as rpc:
        stats = rpc.stats(engine)
    assert stats["unexplained"] == 0 and not any(b["dropped"] for b in stats["blocks"]), stats
    return sum(b["out"] for b in stats["blocks"] if b["name"].startswith(name))


@pytest.mark.skipif(not (nats_plugin() and shutil.which("nats-server")), reason="libnats or nats-server is not there")
def test_the_reference_set_up(network, servers, fleet, tmp_path):
    apply, status = (command.split()[1:] for command, _ in commands(shown("console")[0]))
    assert run_ptctl(*apply, cwd=tmp_path).code == 0
    count, sensors = 2000, ["s1", "s2", "s3"]
    for number, name in enumerate(sensors):
        send(network[name], number, count)
    for name in sensors:
        eventually(lambda: total(fleet[name], "capture", "out") == count)
    eventually(lambda: sum(total(fleet[a], "analyse", "nats_source") for a in ("a1", "a2")) == count * len(sensors))
    assert run_ptctl(*status, "--check", cwd=tmp_path).code == 0
    for name in ("a1", "a2"):
        fleet[name].ok("stop", "analyse")
    once_and_in_order({path: path.read_bytes() for name in ("a1", "a2")
                       for path in captures(network[name])}, len(sensors), count)


def captures(host):
    return list((host.lib / "pipetool").glob("packets-*"))


def once_and_in_order(files, sensors, count):
    seen, homes = {}, {}
    for path, data in files.items():
        partition = path.name.split(".")[0]  # and then the number of the file
        for _, packet in packets(data):
            sensor, number = struct.unpack_from("!II", packet, 42)
            flow = packet[28]
            assert homes.setdefault(flow, partition) == partition, "a flow has one partition, whoever captured it"
            seen.setdefault((sensor, flow), []).append(number)
    assert sorted(n for numbers in seen.values() for n in numbers) == sorted(list(range(count)) * sensors)
    assert all(numbers == sorted(set(numbers)) for numbers in seen.values()), "each once, and flows in order"
    assert len(set(homes.values())) > 1


# ---- Redis --------------------------------------------------------------------------------------

@pytest.fixture
def redis(lan, tmp_path):
    """A host with a redis-server at its usual place, and an eth1."""
    host = lan("10.20.0.1 r")["r"]
    host.mirror()
    server = subprocess.Popen([*host.prefix, "redis-server", "--save", "", "--dir", tmp_path], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield host
    finally:
        server.terminate()
        server.wait(DEADLINE)


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not there")
def test_packets_through_redis(redis, daemons, tmp_path):
    def cli(*words):
        return subprocess.run([*redis.prefix, "redis-cli", *words], capture_output=True, text=True, check=False).stdout.strip()

    eventually(lambda: cli("PING") == "PONG")
    (command, answer), = commands(shown("console")[1])
    assert cli(*command.split()[1:]).splitlines() == answer
    daemon = daemons(prefix=redis.prefix, config=shown("ini")[0] + "[files]\nallow = /var/lib/pipetool\n")
    for text in shown("pipe"):
        if name := re.match(r"# engine: (\w+)", text):
            daemon.create(name[1], text)
    send(redis, 0, 300)
    eventually(lambda: total(daemon, "from_redis", "transform_drain") == 300)
    with daemon.client() as rpc:
        eventually(lambda: rpc.stats("to_redis", "filter_drain1")["in"] == 300, what="as many answers as commands")
        assert rpc.stats("to_redis", "filter_drain1")["out"] == 0, "and no fault among them"
    assert cli("XLEN", "packets") == "300"
    for engine in ("to_redis", "from_redis"):
        daemon.ok("stop", engine)
    (path,) = captures(redis)
    got = makers.read(path)
    assert [data for data, *_ in got] == list(frames(0, 300))
    assert [time for _, time, *_ in got] == sorted(time for _, time, *_ in got) and got[0][1] > 10 ** 18
