# SPDX-License-Identifier: BSD-2-Clause
"""docs/recipes.md: each line is typed, and does what the line of the other program does."""
import collections
import concurrent.futures
import gzip
import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess

from scapy.all import ARP, ICMP, IP, TCP, UDP, Ether, Raw

import makers
from conftest import eventually, ip, program
from transcript import blocks, commands

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
BEGIN = 1796032800  # 2026-11-30 10:00:00 UTC
Recipe = collections.namedtuple("Recipe", "theirs ours")

# What others are asked to do in the place of programs that few have.
STAND_INS = {"tcpslice -w out.pcap +0 +10 in.pcap":
             "TZ=UTC editcap -F pcap -A '2026-11-30 10:00:00' -B '2026-11-30 10:00:10' in.pcap out.pcap",
             "tcpslice -w out.pcap a.pcap b.pcap": "mergecap -F pcap -w out.pcap a.pcap b.pcap",
             "netsniff-ng --in in.pcap --out out.pcap --silent 'tcp port 80'": "tcpdump -r in.pcap -w out.pcap 'tcp port 80'",
             "netsniff-ng --in in.pcap --out eth0 --silent": "tcpreplay -i eth0 -t in.pcap"}


def recipes(section):
    text = TEXT.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [Recipe(*(line for line, _ in commands(body))) for _, body in blocks(text, "console")]


def some_packets():
    chance = random.Random(1)
    hosts, ports = ["192.0.2.1", "192.0.2.2", "198.51.100.7"], [22, 53, 80, 4000]
    for n in range(60):
        load = Raw(bytes(chance.randrange(256) for _ in range(20 + chance.randrange(60))))
        ends = {"sport": chance.choice(ports), "dport": chance.choice(ports)}
        kind = [TCP(flags=chance.choice(["S", "SA", "PA"]), **ends), UDP(**ends), ICMP(id=n, seq=n), None][n % 7 % 4]
        frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        src, dst = chance.sample(hosts, 2)
        packet = frame / IP(src=src, dst=dst, id=n) / kind / load if kind else frame / ARP(psrc=src, pdst=dst) / Raw(bytes(18))
        yield bytes(packet), (BEGIN + n) * 10 ** 9 + chance.randrange(10 ** 6) * 1000


def fill(folder):
    """The captures that the lines name."""
    folder.mkdir()
    packets, chance = list(some_packets()), random.Random(2)
    of_ip = [(data, time) for data, time in packets if data[12:14] == b"\x08\0"]
    makers.pcap(folder / "in.pcap", packets)
    makers.pcap(folder / "a.pcap", packets[::2])
    makers.pcap(folder / "b.pcap", packets[1::2])
    makers.pcap(folder / "mixed.pcap", sorted(packets, key=lambda one: one[1] + chance.randrange(9) * 10 ** 9))
    makers.pcap(folder / "ip.pcap", of_ip)
    makers.pcap(folder / "wrong.pcap", [(data[:24] + b"\1\2" + data[26:], time) for data, time in of_ip])
    (folder / "load.bin").write_bytes(packets[0][0])
    (folder / "lines.hex").write_text("".join(data.hex(" ") + "\n" for data, _ in packets[:20]))
    return set(os.listdir(folder))


def typing(line, folder, daemon, inside=()):
    path = ":".join([*(os.path.dirname(program(p)) for p in ("ptctl", "pipetoold")), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "PIPETOOL_SOCKET": str(daemon.socket), "NO_COLOR": "1"}
    return subprocess.Popen([*inside, "bash", "-o", "pipefail", "-c", line], cwd=folder, env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def type_it(line, folder, daemon, inside=()):
    process = typing(line, folder, daemon, inside)
    out, words = process.communicate(timeout=120)
    assert process.returncode == 0, (line, out, words)
    return out


def is_there(line):
    if line.startswith("ptctl"):
        return True
    return all(shutil.which(word) for word in re.findall(r"(?:^|\| ?|TZ=UTC )([a-z0-9-]+) ", line))


def written(folder, before, line):
    """The packets of what has come; of what another clock has dated, their bytes."""
    packets = []
    for name in sorted(set(os.listdir(folder)) - before):
        path = folder / name
        if name.endswith(".gz"):
            path = folder / "unpacked"
            path.write_bytes(gzip.decompress((folder / name).read_bytes()))
        packets += makers.read(path)
    return [data for data, *_ in packets] if "text2pcap" in line else packets


def both(tmp_path):
    """Two folders with the same captures, and the names of these."""
    return tmp_path / "theirs", tmp_path / "ours", fill(tmp_path / "theirs") and fill(tmp_path / "ours")


def test_there_are_forty():
    assert sum(len(recipes(section)) for section in ("In files", "On the wire", "Between sockets")) >= 40


def test_in_files(daemon, tmp_path):
    theirs, ours, before = both(tmp_path)
    for recipe in recipes("In files"):
        line = STAND_INS.get(recipe.theirs, recipe.theirs)
        result = type_it(recipe.ours, ours, daemon)
        got = written(ours, before, line) or result.splitlines()
        assert got, recipe.ours
        if is_there(line):
            judge = type_it(line, theirs, daemon)
            wanted = written(theirs, before, line) or judge.splitlines()
            same = got == wanted if "-nr" not in line else len(got) == len(wanted)
            assert same, (recipe, got[:3], wanted[:3])
        for folder in (theirs, ours):
            for name in set(os.listdir(folder)) - before:
                (folder / name).unlink()


def cable(network):
    ip("-n", network.left, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    for device in ("eth0", "eth1"):
        ip("-n", network.left, "link", "set", device, "up")


def arrived(inside):
    command = [*inside, "cat", "/sys/class/net/eth1/statistics/rx_packets"]
    return int(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)


def test_on_the_wire(daemons, network, tmp_path):
    inside = network.inside(network.left)
    cable(network)
    daemon = daemons(prefix=inside)
    folder = tmp_path / "here"
    fill(folder)
    replays = [recipe for recipe in recipes("On the wire") if not recipe.theirs.startswith("tcpdump")]
    assert len(replays) == 5
    for recipe in replays:
        counts = [arrived(inside)]
        for line in (recipe.ours, STAND_INS.get(recipe.theirs, recipe.theirs)):
            if is_there(line) or line == recipe.ours:
                type_it(line, folder, daemon, inside)
                counts.append(arrived(inside))
        assert len({after - before for before, after in zip(counts, counts[1:])}) == 1 and counts[-1] > counts[0], (recipe, counts)


def test_off_the_wire(daemons, network, tmp_path):
    inside = network.inside(network.left)
    cable(network)
    daemon = daemons(prefix=inside)
    folder = tmp_path / "here"
    fill(folder)
    recipe = recipes("On the wire")[0]
    path = f"{os.path.dirname(program('ptctl'))}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PIPETOOL_SOCKET": str(daemon.socket)}
    running = subprocess.Popen([*inside, "bash", "-c", recipe.ours], cwd=folder, env=env, stderr=subprocess.PIPE, text=True)
    try:
        with daemon.client() as rpc:
            eventually(lambda: [e["state"] for e in rpc.call("engine.list")["engines"]] == ["draining"])
        type_it("ptctl run \"RdpcapSource('in.pcap') > InjectSink('eth0')\"", folder, daemon, inside)
        last = running.communicate(timeout=120)[1].splitlines()[-1]
    finally:
        running.kill()
    assert running.returncode == 0 and last.startswith("10 in, 10 out"), last
    sent = [data for data, *_ in makers.read(folder / "in.pcap")]
    assert [data for data, *_ in makers.read(folder / "out.pcap")] == sent[:10]


def everything(listener):
    """What whoever has called sends until it ends."""
    listener.settimeout(60)
    peer, _ = listener.accept()
    with peer:
        peer.settimeout(60)
        return b"".join(iter(lambda: peer.recv(65536), b""))


def test_between_sockets(daemon, tmp_path):
    to_tcp, to_udp, relay = recipes("Between sockets")
    folder = tmp_path / "here"
    fill(folder)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for line in filter(is_there, (to_tcp.ours, to_tcp.theirs)):
            with concurrent.futures.ThreadPoolExecutor() as pool:  # a pipe also reads until its peer ends
                data = pool.submit(everything, listener)
                type_it(line.replace("9000", str(port)), folder, daemon)
                assert data.result() == (folder / "load.bin").read_bytes()
        with socket.create_server(("127.0.0.1", 0)) as free:
            through = free.getsockname()[1]
        type_it(re.sub("900[01]", lambda found: str(port if found[0] == "9000" else through), relay.ours), folder, daemon)
        peer, _ = listener.accept()
        with peer, socket.create_connection(("127.0.0.1", through), timeout=60) as caller:
            peer.settimeout(60)
            for here, there in ((caller, peer), (peer, caller)):
                here.sendall(b"hello")
                assert there.recv(5, socket.MSG_WAITALL) == b"hello"
        type_it("ptctl stop relay", folder, daemon)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(60)
        type_it(to_udp.ours.replace("9000", str(listener.getsockname()[1])), folder, daemon)
        lines = (folder / "lines.hex").read_bytes().splitlines()
        assert [listener.recv(65536) for _ in lines] == lines


def packets_of(folder, pattern):
    return [data for path in sorted(folder.glob(pattern)) for data, *_ in makers.read(path)]


def test_what_lasts(daemon, tmp_path):
    ring, flows, hosts, anonymous, lines, recorder, shown, five = [
        line for _, body in blocks(TEXT.split("\n## What lasts\n")[1], "console") for line, _ in commands(body)]
    folder = tmp_path / "here"
    fill(folder)
    sent = [data for data, *_ in makers.read(folder / "in.pcap")]
    for line in (ring, flows, hosts, anonymous, lines, recorder):
        type_it(line, folder, daemon)
    assert len(list(folder.glob("ring.*.pcap"))) == 3
    kept = packets_of(folder, "ring.*.pcap")
    assert kept == sent[-len(kept):] and 30 < len(kept) < 60
    for pattern in ("flows/*.pcap", "hosts/*/20261130-10.pcap"):
        assert sorted(packets_of(folder, pattern)) == sorted(sent) and len(list(folder.glob(pattern))) > 3
    changed = packets_of(folder, "anonymous.pcap")
    assert len(changed) == len(sent) and not any(b"\xc0\x00\x02\x01" in data for data in changed)
    told = [json.loads(line) for line in (folder / "packets.jsonl").read_text().splitlines()]
    assert [one["wire_length"] for one in told] == [len(data) for data in sent]
    packets = [(Ether(data), data, time) for data, time, *_ in makers.read(folder / "in.pcap")]
    last = max(time for packet, _, time in packets if UDP in packet and 4000 in (packet.sport, packet.dport))
    wanted = [data for _, data, time in packets if time < last + 10 * 10 ** 9]
    assert packets_of(folder, "event.pcap") == wanted and wanted != sent
    daemon.create("web", f"r = RdpcapSource('{folder}/in.pcap'); r > Sink()", start=False)
    looks = [typing(line.replace("web.r", "--ready web.r"), folder, daemon) for line in (shown, five)]
    for look in looks:
        assert "attached\n" in iter(look.stderr.readline, "")
    daemon.ok("start", "web")
    told = [look.communicate(timeout=120)[0] for look in looks]
    assert [look.returncode for look in looks] == [0, 0] and len(told[0].splitlines()) == 10
    web = [data for packet, data, _ in packets if TCP in packet and 80 in (packet.sport, packet.dport)]
    assert packets_of(folder, "five.pcapng") == web[:5]
