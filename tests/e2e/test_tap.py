# SPDX-License-Identifier: BSD-2-Clause
"""Taps: what they show, in both formats, and that they hold up nobody."""
import os
import select
import signal
import struct
import subprocess

import pytest
from scapy.all import Ether, IP, UDP, Raw, rdpcap, wrpcap

import makers  # noqa: F401: frames without a destination ask nobody
from conftest import DEADLINE, eventually, program

ENDLESS = "s = RdpcapSource('{file}', loop=0); d = Drain(); k = Sink(); s > d > k"


@pytest.fixture
def capture(tmp_path):
    """A file of 200 packets of 1,000 bytes."""
    path = tmp_path / "in.pcap"
    wrpcap(str(path), [Ether() / IP(src="10.0.0.1", dst="10.0.0.2", id=i) / UDP(sport=i + 1, dport=9)
                       / Raw(b"x" * 958) for i in range(200)])
    return path


def tapped(client, engine, block, count):
    """`count` messages of a tap."""
    got = []
    while len(got) < count:
        got += client.notification("block.packets")["params"]["messages"]
    return got


class Popen(subprocess.Popen):
    """A ptctl that goes on until it is told to end."""

    def __init__(self, daemon, *arguments, **more):
        super().__init__([program("ptctl"), "-s", daemon.socket, *arguments],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def lines(self, count):
        return [self.stdout.readline().decode().rstrip("\n") for _ in range(count)]

    def end(self, number=None):
        if number:
            self.send_signal(number)
        out, err = self.communicate(timeout=DEADLINE)
        return self.returncode, out, err.decode()


# ---- notifications ------------------------------------------------------------------------------

def test_messages_come_as_notifications(daemon, rpc):
    daemon.create("lab", "f = CLIFeeder(); h = CLIHighFeeder(); d = Drain(); k = QueueSink(); "
                  "f > d > k; h >> d >> k")
    assert rpc.call("block.tap", engine="lab", block="d") == {}
    daemon.ok("send", "lab.f", "one", "two")
    daemon.ok("send", "lab.h", "three")
    got = tapped(rpc, "lab", "d", 3)
    assert [(m["message"], m["canal"]) for m in got] == [
        ("one", "low"), ("two", "low"), ("three", "high")]
    assert rpc.call("engine.stats", engine="lab")["unexplained"] == 0
    assert daemon.client().texts("lab", "k", 3) == ["one", "two", "three"]


def test_a_tap_follows_the_name_and_ends_with_it(daemon, rpc):
    daemon.create("lab", "f = CLIFeeder(); d = Drain(); k = Sink(); f > d > k")
    rpc.call("block.tap", engine="lab", block="d")
    daemon.ok("replace", "lab.d", "TransformDrain('upper')")
    daemon.ok("send", "lab.f", "a")
    assert tapped(rpc, "lab", "d", 1)[0]["message"] == "A"
    daemon.ok("remove", "lab", "d")
    assert rpc.notification("block.packets")["params"] == {
        "engine": "lab", "block": "d", "messages": [], "ended": True}
    assert rpc.call("engine.show", engine="lab")["blocks"]  # the connection goes on


def test_refusals(daemon, rpc):
    daemon.create("lab", "f = CLIFeeder(); k = Sink(); f > k")
    assert rpc.refused("block.tap", engine="lba", block="f").kind == "no-such-engine"
    error = rpc.refused("block.tap", engine="lab", block="g")
    assert (error.kind, error.path) == ("no-such-block", "$.block")
    error = rpc.refused("block.tap", engine="lab", block="f", canal="high")
    assert (error.kind, error.path) == ("bad-parameter", "$.canal")
    assert "no high exit" in error.message
    assert rpc.refused("block.tap", engine="lab", block="f", format="xml").kind == "bad-parameter"
    rpc.call("block.attach", engine="lab")
    assert rpc.refused("block.tap", engine="lab", block="f", format="pcapng").kind == "wrong-state"


def test_who_leaves_is_forgotten(daemon, rpc, capture):
    daemon.create("lab", ENDLESS.format(file=capture))
    for form in ("json", "pcapng"):
        for _ in range(20):
            with daemon.client() as client:
                client.call("block.tap", engine="lab", block="d", format=form)
    assert rpc.call("engine.stats", engine="lab")["unexplained"] == 0
    rpc.call("engine.destroy", engine="lab")


def test_taps_have_a_limit(daemon, rpc):
    daemon.create("lab", "f = CLIFeeder(); k = Sink(); f > k")
    for _ in range(64):
        rpc.call("block.tap", engine="lab", block="f")
    assert rpc.refused("block.tap", engine="lab", block="f").kind == "limit"


# ---- pcapng -------------------------------------------------------------------------------------

def blocks(data):
    """(type, body) of each block of a pcapng stream."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0 and at + length <= len(data)
        assert struct.unpack_from("<I", data, at + length - 4)[0] == length
        yield kind, data[at + 8:at + length - 4]
        at += length


def test_pcapng_is_read_by_scapy_and_tshark(daemon, tmp_path, capture):
    daemon.create("lab", f"s = RdpcapSource('{capture}'); f = CLIFeeder(); d = Drain(); k = Sink(); "
                  "s > d > k; f > d", start=False)
    out = tmp_path / "out.pcapng"
    with Popen(daemon, "tap", "lab.d", "-w", out, "-n", "201") as ptctl:
        eventually(lambda: out.exists() and out.stat().st_size)
        daemon.ok("send", "lab.f", "plain")
        daemon.ok("start", "lab")
        assert ptctl.end() == (0, b"", "")
    packets = rdpcap(str(out))
    assert len(packets) == 201
    wanted = [bytes(p) for p in rdpcap(str(capture))]
    assert sorted(map(bytes, packets)) == sorted(wanted + [b"plain"])
    fields = subprocess.run(
        ["tshark", "-r", out, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.encap_type"],
        capture_output=True, text=True, check=True).stdout.split("\n")
    assert fields.count("d\t1") == 200  # Ethernet
    assert len(set(filter(None, fields))) == 2


def test_the_raw_stream_carries_nothing_else(daemon, rpc):
    daemon.create("lab", "f = CLIFeeder(); k = Sink(); f > k")
    with daemon.client() as client:
        client.call("block.tap", engine="lab", block="f", format="pcapng")
        client.write(b'{"jsonrpc": "2.0", "id": 2, "method": "daemon.info"}\nrubbish' + b"x" * 100000)
        daemon.ok("send", "lab.f", "one")
        daemon.ok("remove", "lab", "f")
        data = client.buffer
        while part := client.socket.recv(65536):
            data += part
    kinds = [kind for kind, _ in blocks(data)]
    assert kinds == [0x0a0d0d0a, 1, 6]
    assert b"pipetoold" in data and b"one" in data


def test_the_stream_ends_with_the_engine(daemon):
    daemon.create("lab", "f = CLIFeeder(); k = Sink(); f > k")
    with daemon.client() as client:
        client.call("block.tap", engine="lab", block="k", format="pcapng")
        daemon.ok("destroy", "lab")
        data = client.buffer
        while part := client.socket.recv(65536):
            data += part
    assert [kind for kind, _ in blocks(data)] == [0x0a0d0d0a]


def test_a_tap_under_traffic_changes_nothing(daemon, rpc, tmp_path, capture):
    daemon.create("lab", ENDLESS.format(file=capture))
    out = tmp_path / "out.pcapng"
    assert daemon.ok("tap", "lab.d", "-w", out, "-n", "5000") == ""
    assert len(rdpcap(str(out))) == 5000
    stats = rpc.call("engine.stats", engine="lab")
    assert stats["unexplained"] == 0
    assert all(not b["dropped"] for b in stats["blocks"])


# ---- slow readers -------------------------------------------------------------------------------

def passed(rpc):
    return rpc.stats("lab", "k")["out"]


@pytest.mark.parametrize("form", ["json", "pcapng"])
def test_a_slow_reader_holds_up_nobody_and_is_told(daemon, rpc, capture, form):
    daemon.create("lab", ENDLESS.format(file=capture))
    with daemon.client() as client:
        client.call("block.tap", engine="lab", block="d", format=form)
        begin = passed(rpc)  # far more than what may wait
        eventually(lambda: passed(rpc) > begin + 100000)
        resident = int(next(line for line in open(f"/proc/{daemon.process.pid}/status")
                            if line.startswith("VmRSS")).split()[1])
        assert resident < 600000  # kB, with a sanitizer's own
        if form == "json":
            seen = dropped = 0
            while not dropped:
                params = client.notification("block.packets")["params"]
                dropped += params.get("dropped", 0)
                seen += len(params["messages"])
            assert 100 < seen < dropped
        else:
            data = client.buffer
            while not data or not any(kind == 5 for kind, _ in whole(data)):
                data += client.socket.recv(1 << 20)
            lost = next(body for kind, body in whole(data) if kind == 5)
            assert struct.unpack_from("<Q", lost, 28)[0] > 10000
    assert rpc.call("engine.stats", engine="lab")["unexplained"] == 0


def whole(data):
    """The blocks of a stream as far as it has come."""
    at = 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if at + length > len(data):
            return
        yield kind, data[at + 8:at + length - 4]
        at += length


# ---- ptctl --------------------------------------------------------------------------------------

def test_a_tap_on_an_engine_that_is_being_changed_and_destroyed(daemon, rpc):
    """The answer to the tap waits for no journal: its end would come before it."""
    with daemon.client() as other, daemon.client() as third:
        for n in range(40):
            rpc.call("engine.create", engine="e", blocks=[{"name": "d", "type": "Drain"}])
            changed = [other.post("engine.change", engine="e", ops=[
                {"op": "add", "name": f"x{i}", "type": "Drain"}]) for i in range(n % 5)]
            tap = third.post("block.tap", engine="e", block="d")
            destroyed = rpc.post("engine.destroy", engine="e")
            for number in changed:
                other.answer(number)
            assert "result" in rpc.answer(destroyed)
            message = third.answer(tap)
            if "result" in message:
                assert third.notification("block.packets")["params"]["ended"]
            else:
                assert message["error"]["data"]["kind"] in ("no-such-engine", "wrong-state")


@pytest.mark.parametrize("verb", [["attach", "lab"], ["tap", "lab.d"], ["tap", "lab.d", "-w", "-"]])
def test_ptctl_says_when_it_listens(daemon, verb):
    daemon.create("lab", "f = CLIFeeder(); d = Drain(); f > d > ConsoleSink()")
    with Popen(daemon, *verb, "--ready") as listening:
        assert listening.stderr.readline() == b"attached\n"
        daemon.ok("send", "lab.f", "there")
        assert listening.stdout.read(1)  # and nothing was sent before
        code, _, err = listening.end(signal.SIGINT)
        assert code in (130, -signal.SIGINT) and err == ""


def test_ptctl_tap_prints_as_a_console_sink(daemon):
    daemon.create("lab", "f = CLIFeeder(); h = CLIHighFeeder(); d = Drain(); k = ConsoleSink(); "
                  "f > d > k; h >> d >> k")
    with Popen(daemon, "tap", "lab.d", "-n", "3") as ptctl:
        assert feed_until_end(daemon, ptctl, "f", "it's") == (0, b">\"it's\"\n" * 3, "")
    with Popen(daemon, "tap", "lab.d", "--canal", "high", "-j", "-n", "1") as ptctl:
        assert feed_until_end(daemon, ptctl, "h", "x") == (
            0, b'{"message":"x","canal":"high"}\n', "")


def feed_until_end(daemon, ptctl, block, *texts):
    """Sends until the tap, which begins at some time, has seen enough."""
    def ended():
        if ptctl.poll() is None:
            daemon.ok("send", f"lab.{block}", *texts)
        return ptctl.poll() is not None
    eventually(ended)
    return ptctl.end()


def test_ptctl_tap_ends_in_the_middle_of_what_comes_at_once(daemon):
    daemon.create("lab", "f = CLIFeeder(); d = Drain()", "f > d > Sink()")
    with Popen(daemon, "tap", "lab.d", "-n", "3") as ptctl:
        assert feed_until_end(daemon, ptctl, "f", *map(str, range(50))) == (0, b">'0'\n>'1'\n>'2'\n", "")


def test_ptctl_tap_prints_packets_as_summaries(daemon, capture):
    daemon.create("lab", ENDLESS.format(file=capture))
    out = daemon.ok("tap", "lab.d", "-n", "3")
    assert all(line.startswith(">") and "10.0.0.1" in line for line in out.splitlines())


def test_ctrl_c_ends_cleanly(daemon, tmp_path, capture):
    daemon.create("lab", ENDLESS.format(file=capture))
    out = tmp_path / "out.pcapng"
    with Popen(daemon, "tap", "lab.d", "-w", out) as ptctl:
        eventually(lambda: out.exists() and out.stat().st_size > 100000)
        assert ptctl.end(signal.SIGINT) == (130, b"", "")
    assert all(blocks(out.read_bytes()))
    with Popen(daemon, "tap", "lab.d") as ptctl:
        ptctl.lines(3)
        assert ptctl.end(signal.SIGINT)[0] == 130


def test_tap_to_standard_output(daemon, capture):
    daemon.create("lab", ENDLESS.format(file=capture))
    result = daemon.ptctl("tap", "lab.d", "-w", "-", "-n", "7")
    assert result.code == 0
    assert [kind for kind, _ in blocks(result.raw)].count(6) == 7
    master, slave = os.openpty()
    with Popen(daemon, "tap", "lab.d", "-w", "-") as ptctl:  # a reader that goes is no error
        ptctl.stdout.read(1000)
        ptctl.stdout.close()
        assert ptctl.wait(DEADLINE) == 0
    done = subprocess.run([program("ptctl"), "-s", daemon.socket, "tap", "lab.d", "-w", "-"],
                          stdout=slave, stderr=subprocess.PIPE, timeout=DEADLINE, check=False)
    os.close(master)
    os.close(slave)
    assert done.returncode == 1 and b"not for a terminal" in done.stderr


def test_ptctl_tells_of_a_block_that_went(daemon):
    daemon.create("lab", "f = CLIFeeder(); k = Sink(); f > k")
    with Popen(daemon, "tap", "lab.f", "-n", "100000", "-j") as ptctl:
        def seen():
            daemon.ok("send", "lab.f", "a")
            return select.select([ptctl.stdout], [], [], 0)[0]
        eventually(seen)
        daemon.ok("remove", "lab", "f")
        code, _, err = ptctl.end()
    assert code == 1 and "'lab.f' is gone" in err
    assert daemon.ptctl("tap", "lab.nothing").code == 6


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("more", [(), ("-w", "-"), ("-n", "5")])
def test_a_tap_that_is_cut_off_says_so(daemons, how, more):
    daemon = daemons()
    daemon.create("lab", "s = CLIFeeder(); s > Sink()")
    with Popen(daemon, "tap", "lab.s", "--ready", *more) as tap:
        assert tap.stderr.readline() == b"attached\n"
        daemon.process.send_signal(how)
        code, _, err = tap.end()
    daemon.process.wait()
    assert code == 3 and "cut off" in err or "has closed the connection" in err, (code, err)
    daemon.start()


@pytest.mark.parametrize("more", [(), ("-w", "-")])
@pytest.mark.parametrize("verb", [("remove", "lab", "s"), ("destroy", "lab")])
def test_a_tap_ends_well_with_its_block(daemon, verb, more):
    daemon.create("lab", "s = CLIFeeder(); s > Sink()")
    with Popen(daemon, "tap", "lab.s", "--ready", *more) as tap:
        assert tap.stderr.readline() == b"attached\n"
        daemon.ok(*verb)
        code, _, err = tap.end()
    assert (code, err) == (0, "")


# ---- Wireshark's list of interfaces --------------------------------------------------------------

@pytest.fixture
def home(tmp_path, daemon):
    """A user's, who has installed the link."""
    folder = tmp_path / "home"
    folder.mkdir()
    env = {**os.environ, "HOME": str(folder), "PIPETOOL_SOCKET": str(daemon.socket)}
    env.pop("XDG_CONFIG_HOME", None)
    links = daemon.ok("extcap", "--install", env=env).split()
    assert links and all(os.path.realpath(link) == program("ptctl") for link in links)
    assert daemon.ok("extcap", "--install", env=env).split() == links
    return env


def test_wireshark_lists_every_block_and_captures_on_it(daemon, home, tmp_path, capture):
    daemon.create("lab", ENDLESS.format(file=capture).replace("loop=0", "loop=0, pps=2000"))
    daemon.create("off", "a = CLIFeeder(); a > Sink()", start=False)
    listed = subprocess.run(["tshark", "-D"], env=home, capture_output=True, text=True, check=True)
    names = [line.split()[1] for line in listed.stdout.splitlines() if "pipetool" in line]
    assert sorted(names) == ["pipetool", "pipetool:lab.d", "pipetool:lab.k", "pipetool:lab.s"]
    folder = os.path.dirname(daemon.ok("extcap", "--install", env=home).split()[0])  # without those of others
    seen = subprocess.run(
        ["tshark", "-i", "pipetool:lab.d", "-f", "udp src port 7", "-c", "3", "-T", "fields", "-e", "ip.id",
         "-e", "udp.srcport"], env={**home, "WIRESHARK_EXTCAP_DIR": folder},
        capture_output=True, text=True, check=True)
    assert seen.stdout.splitlines() == ["0x0006\t7"] * 3


def test_extcap_captures_from_the_block_that_is_configured(daemon, capture, tmp_path):
    daemon.create("lab", ENDLESS.format(file=capture).replace("loop=0", "loop=0, pps=2000"))
    fifo = tmp_path / "wireshark"
    os.mkfifo(fifo)
    here = tmp_path / "any name"
    here.symlink_to(program("ptctl"))
    with subprocess.Popen([here, "--capture", "--extcap-interface", "pipetool", "--fifo", fifo, "--socket",
                           daemon.socket, "--block=lab.d", "--extcap-capture-filter=udp src port 9"]) as extcap:
        with open(fifo, "rb") as stream:
            assert struct.unpack("<I", stream.read(4))[0] == 0x0a0d0d0a
            assert b"\x00\x09\x00\x09" in stream.read(8192)
        assert extcap.wait(DEADLINE) == 0  # who reads has gone


def test_extcap_answers_without_a_daemon_too(tmp_path, daemon):
    env = {"PIPETOOL_SOCKET": str(tmp_path / "none"), "PATH": os.environ["PATH"]}

    def ask(*words):
        return subprocess.run([program("ptctl"), *words], env={**os.environ, **env}, capture_output=True, text=True,
                              check=True, timeout=DEADLINE).stdout
    assert [line.split("{")[1] for line in ask("--extcap-interfaces", "--extcap-version=4.0").splitlines()] == [
        "version=" + daemon.call("daemon.info")["version"] + "}", "value=pipetool}"]
    assert ask("--extcap-interface=pipetool", "--extcap-dlts").startswith("dlt {number=")
    assert [f"{{call=--{name}}}" in ask("--extcap-interface=pipetool", "--extcap-config")
            for name in ("host", "socket", "block")] == [True] * 3
    assert ask("--extcap-interface=pipetool:a.b", "--extcap-config") == ""
    assert ask("--extcap-interface=pipetool:a.b", "--extcap-cleanup-postkill") == ""
    assert ask("--extcap-interface=pipetool", "--extcap-capture-filter=tcp port 443") == ""
    assert "syntax error" in ask("--extcap-interface=pipetool", "--extcap-capture-filter=tcp prt")
