# SPDX-License-Identifier: BSD-2-Clause
"""Every block type that is promised is there, described, drawn, and its examples run."""
import os
import re
import subprocess
import sys

import pytest

import makers
from conftest import eventually, namespaces_allowed

# What users type: parameters in this order, with these defaults.
TYPES = {
    "CLIFeeder": "", "CLIHighFeeder": "", "AutoSource": "",
    "PeriodicSource": "msg, period, period2=0",
    "SniffSource": "iface=None, filter=None, socket=None, snaplen=262144, promisc=True, "
                   "buffer_size=, immediate=False, fanout=None",
    "RdpcapSource": "fname, speed=0, loop=1",
    "Drain": "", "UpDrain": "", "DownDrain": "",
    "TransformDrain": "f", "FilterDrain": "f=None, filter=None",
    "TriggerDrain": "f=None, after=False, filter=None",
    "UDPDrain": "ip='127.0.0.1', port=1234",
    "TriggeredMessage": "msg", "TriggeredValve": "start_state=True",
    "TriggeredQueueingValve": "start_state=True, limit='64MiB', overflow='drop-oldest'",
    "TriggeredSwitch": "start_state=True",
    "Sink": "", "ConsoleSink": "", "RawConsoleSink": "newlines=True",
    "TermSink": "keepterm=True, newlines=True, openearly=True, terminal='xterm'",
    "QueueSink": "limit='64MiB', overflow='drop-oldest'",
    "ToEngine": "channel, limit='16MiB', overflow='block'", "FromEngine": "channel",
    "InjectSink": "iface", "Inject3Sink": "iface",
    "WrpcapSink": "fname, linktype=None, format=None, gz=False, append=False, rotate=None, "
                  "compress=None",
    "WiresharkSink": "linktype=None, args=None, program='wireshark'",
    "FDSourceSink": "fd",
    "TCPConnectPipe": "addr='', port=0", "TCPListenPipe": "addr='', port=0, again=False",
    "UDPClientPipe": "addr='', port=0", "UDPServerPipe": "addr='', port=0",
}

# The peer of the TCP examples.
ECHO = """
import socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)
socketserver.TCPServer.allow_reuse_address = True
with socketserver.ThreadingTCPServer(("127.0.0.1", 7), Echo) as server:
    print("ready", flush=True)
    server.serve_forever()
"""


def types_of(daemon):
    return {t["name"]: t for t in daemon.call("type.list")["types"]}


def test_every_type_is_there(daemon):
    missing = sorted(set(TYPES) - set(types_of(daemon)))
    assert not missing, f"not there: {', '.join(missing)}"


def as_typed(param):
    if param.get("required"):
        return param["name"]
    return f"{param['name']}={param.get('default')!r}"


@pytest.mark.parametrize("name", TYPES)
def test_a_type_is_described(daemon, name):
    shown = daemon.call("type.show", {"type": name})
    assert shown["summary"] and not shown["summary"].endswith(".")
    assert shown["picture"].count("+--") >= 2 and shown["help"] and shown["examples"]
    assert all(p["doc"].endswith(".") for p in shown["params"])
    wanted = [w for w in TYPES[name].split(", ") if w]
    for param, row in zip(shown["params"], wanted):
        typed = as_typed(param)
        assert typed.split("=")[0] == row.split("=")[0], (name, typed, row)
        assert typed == row or row.endswith("=")
    assert len(shown["params"]) >= len(wanted)


@pytest.mark.parametrize("name", TYPES)
def test_help_is_what_somebody_can_read(daemon, name):
    out = daemon.ok("help", name)
    assert out.startswith(f"{name} — ") and "Example" in out
    assert max(map(len, out.splitlines())) <= 100
    for word in (row.split("=")[0] for row in TYPES[name].split(", ")):
        assert re.search(rf"^ +{word}\b", out, re.MULTILINE) or not word
    shown = daemon.call("type.show", {"type": name})
    for example in shown["examples"]:
        for line in example.splitlines():
            assert line in out
    signs = {"low_entry": r" >-\|", "high_entry": r">>-\|", "low_exit": r"\|->(?!>)",
             "high_exit": r"\|->>"}
    for port, sign in signs.items():
        assert bool(re.search(sign, out)) == (port in shown["ports"]), (port, out)
    edges = re.findall(r"\+-+\^-+\+", out)  # a trigger comes in below, and goes out above
    assert len(edges) == len({"trigger_entry", "trigger_exit"} & set(shown["ports"])), out


@pytest.fixture
def bench(daemons, request, tmp_path):
    """A daemon with whatever the examples want: files, an interface, a peer, a display, Wireshark."""
    inside = []
    if namespaces_allowed():
        network = request.getfixturevalue("network")
        inside = network.inside(network.left)
    packets = makers.some_packets(20)
    makers.pcap(tmp_path / "in.pcap", packets)
    (tmp_path / "in.txt").write_text("one\ntwo\n", encoding="ascii")
    makers.pcapng(tmp_path / "in.pcapng", [(*packet, 0) for packet in packets])
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("wireshark", "xterm"):
        program = programs / name
        program.write_text("#!/bin/sh\nexec cat >/dev/null\n")
        program.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    daemon = daemons(prefix=inside, env={"PATH": path, "DISPLAY": ":99"})
    peer = subprocess.Popen([*inside, sys.executable, "-c", ECHO], stdout=subprocess.PIPE)
    assert peer.stdout.readline() == b"ready\n"
    yield daemon
    peer.terminate()
    peer.wait()
    peer.stdout.close()


def test_every_example_runs(bench, tmp_path):
    """Each is made, started and stopped; no block of it fails."""
    faults, ran = [], 0
    for name in types_of(bench):
        for number, example in enumerate(bench.call("type.show", {"type": name})["examples"]):
            engine = f"{name.lower()}{number}"
            reading, writing = os.pipe()
            result = bench.ptctl("--fd", reading, "create", engine, "-f", "-", "--start",
                                 input=example, cwd=tmp_path, pass_fds=[reading])
            os.close(reading)
            os.close(writing)
            if result.code:
                faults.append(f"{name}: {example}\n{result.err}")
                continue
            with bench.client() as rpc:
                def settled():
                    return all(b["state"] in ("running", "exhausted")
                               for b in rpc.show(engine)["blocks"])
                eventually(settled, what=f"{name}: {rpc.show(engine)}")
                rpc.call("engine.stop", engine=engine)
                stats = rpc.stats(engine)
                if stats["unexplained"] or any(b["errors"] for b in stats["blocks"]):
                    faults.append(f"{name}: {example}\n{stats}")
                rpc.call("engine.destroy", engine=engine)
            ran += 1
    assert not faults, "\n".join(faults)
    assert ran >= len(types_of(bench))
