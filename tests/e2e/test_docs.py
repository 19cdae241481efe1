# SPDX-License-Identifier: BSD-2-Clause
"""What README.md, docs/ and the manual pages show is typed as it stands there, and does what they say."""
import json
import os
import pathlib
import re
import subprocess

import pytest

import makers
import manual
from conftest import ip, namespaces_allowed, nats_plugin, program
from sides import Scapy
from signing import make_key, sign
from transcript import Shell, blocks, code, commands, rows

TOP = pathlib.Path(__file__).parents[2]
SCAPY = (TOP / "docs" / "coming-from-scapy.md").read_text()


# What has windows, never ends, or is another host.
STAND_INS = {
    "edit": "test -s $1",
    "ssh": 'shift; exec "$@"',
    "tail": "echo a line of the log",
    "wireshark": "head -c 1 >/dev/null; echo shown; exec cat >/dev/null",
    "xterm": "exec cat >/dev/null",
}


@pytest.fixture
def desk(daemons, request, tmp_path):
    """A daemon and a shell in a folder with captures, an eth0, and stand-ins for some programs."""
    inside = []
    if namespaces_allowed():
        network = request.getfixturevalue("network")
        inside = network.inside(network.left)
        ip("-n", network.left, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        for device in ("eth0", "eth1"):
            ip("-n", network.left, "link", "set", device, "up")
    makers.pcap(tmp_path / "in.pcap", makers.some_packets(20))
    os.mkfifo(tmp_path / "fifo")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, script in STAND_INS.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    path = ":".join([str(programs), *(os.path.dirname(program(p)) for p in ("ptctl", "pipetoold")),
                     os.environ["PATH"]])
    env = {"PATH": path, "DISPLAY": ":99"}
    run = tmp_path / "build" / "run"  # where `./dev run` would have its socket
    run.mkdir(parents=True)
    daemon = daemons(prefix=inside, env=env, plugins=nats_plugin())
    (run / "control.sock").symlink_to(daemon.socket)
    daemon.shell = Shell(tmp_path, {**env, "PIPETOOL_SOCKET": str(daemon.socket)}, inside)
    daemon.inside, daemon.here = inside, tmp_path
    yield daemon
    daemon.shell.close()


def attached(desk, engine):
    """Until an `attach` in the shell's background has begun: nothing else tells."""
    with desk.client() as rpc:
        rpc.change(engine, {"op": "add", "name": "probe", "type": "CLIFeeder", "params": {}},
                   {"op": "add", "name": "probing", "type": "RawConsoleSink", "params": {}},
                   {"op": "link", "from": "probe", "to": "probing", "canal": "low"})
        while "probe\n" not in desk.shell.seen:
            rpc.send(engine, "probe", "probe")
            desk.shell.type(":")
        rpc.send(engine, "probe", "last")
        desk.shell.read(lambda seen: "last\n" in seen)
        rpc.change(engine, {"op": "remove", "name": "probe"}, {"op": "remove", "name": "probing"})
    desk.shell.seen = ""


def play(desk, body):
    for command, lines in commands(body):
        if command.startswith("./dev"):
            helped = subprocess.run([TOP / "dev", "help"], capture_output=True, text=True,
                                    check=True).stdout
            assert f"./dev {command.split()[1]}" in helped, command
            continue
        desk.shell.run(command, lines)
        if found := re.match(r"ptctl attach (\w+) &$", command):
            attached(desk, found.group(1))


@pytest.mark.parametrize("number", range(len(blocks(SCAPY, "console"))))
def test_the_transcripts_for_scapys_users(desk, number):
    play(desk, blocks(SCAPY, "console")[number][1])


def test_the_graphs_for_scapys_users(desk):
    for number, (_, body) in enumerate(blocks(SCAPY, "pipe")):
        desk.create(f"e{number}", body)
        desk.ok("destroy", f"e{number}")


@pytest.fixture
def scapy(desk, monkeypatch):
    monkeypatch.setenv("PATH", f"{desk.here}/programs:{os.environ['PATH']}")
    monkeypatch.chdir(desk.here)
    side = Scapy(desk.inside)
    yield side
    side.shut()


@pytest.mark.parametrize("number", range(len(blocks(SCAPY, "python"))))
def test_scapys_code_is_scapys(scapy, number):
    printed = scapy.ask(do="script", text=blocks(SCAPY, "python")[number][1])
    assert ["foo : i like potato\n", "", "1: 'hello'\n2: 'hello'\n"][number] in printed


def test_every_class_has_its_counterpart(desk, scapy):
    seen = set()
    for number, row in enumerate(rows(SCAPY, "Every class")):
        theirs, ours = map(code, row)
        scapy.ask(do="script", text=f"x = {theirs}")
        seen.add(ours.split("(")[0])
        with open(desk.here / "fifo", "r+b", buffering=0) as fifo:
            result = desk.ptctl("--fd", fifo.fileno(), "create", f"e{number}", f"x = {ours}",
                                pass_fds=[fifo.fileno()])
        assert result.code == 0, result
    bases = {"Pipe", "Source", "ThreadGenSource", "TriggerSink", "Sink"}
    missing = set(scapy.ask(do="classes")) - bases - seen
    assert not missing, f"not in the table: {missing}"


def test_every_call_of_the_engine_has_its_counterpart(desk, scapy):
    table = [tuple(map(code, row)) for row in rows(SCAPY, "The engine")]
    graph = blocks(SCAPY, "python")[0][1].split("p = ")[0]
    # closed in silence, its feeders would keep it waiting for ever
    theirs = [text for text, _ in table if text and text != "p.wait_and_stop()"]
    scapy.ask(do="script", text="\n".join([graph, *theirs]))
    (_, lines), *_ = commands(blocks(SCAPY, "console")[0][1])
    (desk.here / "p.pipe").write_text("\n".join(lines) + "\n")
    for _, command in table:
        status = desk.shell.type(command)
        # nobody has sent a second message
        assert status == (4 if "--timeout 0" in command else 0), (command, desk.shell.seen)
        desk.shell.seen = ""


def test_the_readme(desk):
    found = blocks((TOP / "README.md").read_text(), "console")
    assert found
    for _, body in found:
        play(desk, body)


# ---- the manual pages: each example says by its look what it is ----------------------------------

LUA = re.compile(r'(?:Source|Drain|Sink)\{\n  name = "(\w+)"')


def check_transcript(desk, text):
    play(desk, text)
    desk.shell.type("kill $(jobs -p) 2>/dev/null; wait")
    with desk.client() as rpc:
        for engine in rpc.call("engine.list")["engines"]:
            rpc.call("engine.destroy", {"engine": engine["engine"]})


def check_requests(desk, text):
    """Lines sent (-->) and received (<--)."""
    with desk.client() as rpc:
        for line in text.splitlines():
            if line.startswith("--> "):
                rpc.write(line[4:].encode() + b"\n")
            else:
                assert rpc.line() == json.loads(line[4:])


def check_configuration(desk, text):
    """A folder of graphs that it names is there, and signed."""
    if "[fleet]" in text:
        folder, key = desk.here / "sensors", make_key(desk.here / "key")
        folder.mkdir()
        (folder / "watch.pipe").write_text("Drain()\n")
        sign(folder, key, subprocess.check_output(["sha256sum", "watch.pipe"], cwd=folder, text=True))
        text = text.replace("/srv/sensors", str(folder)).replace("/etc/pipetool/fleet.pub", f"{key}.pub")
    (desk.here / "example.conf").write_text(text + "\n")
    desk.shell.run("pipetoold --check --config example.conf --engines $PWD", [])


def check_lua(desk, text):
    name = LUA.match(text).group(1)
    (desk.here / f"{name.lower()}.lua").write_text(text + "\n")
    assert name in desk.ok("load", desk.here / f"{name.lower()}.lua", cwd=desk.here) + \
        desk.ok("types")


def check_python(desk, text):
    subprocess.run([*desk.inside, "/usr/bin/python3", "-c", text], check=True,
                   env={**os.environ, "PIPETOOL_SOCKET": str(desk.socket)})


def check_graph(desk, text):
    with open(desk.here / "fifo", "r+b", buffering=0) as fifo:
        result = desk.ptctl("--fd", fifo.fileno(), "create", "graph", text, cwd=desk.here,
                            pass_fds=[fifo.fileno()])
    assert result.code == 0, (text, result)
    desk.ok("destroy", "graph")


def check_commands(desk, text):
    """Of a verb's help: p and lab are there, and packets flow through lab until it goes; sensors has a graph for
    hosts, which are this one."""
    (desk.here / "hosts").write_text(f"here unix:{desk.socket} role=edge\n")
    (desk.here / "sensors").mkdir(exist_ok=True)
    (desk.here / "sensors" / "edge.pipe").write_text("# on: role=edge\nDrain()\n")
    if " create p " not in text:
        desk.create("p", 's = CLIFeeder(); d1 = Drain(); s > d1 > QueueSink(); '
                    'sink = WrpcapSink("sink.pcap", linktype=1); d1 > sink', start=False)
    desk.create("lab", f'd1 = Drain(); RdpcapSource("{desk.here}/in.pcap", loop=0) > d1 > Sink()')
    (desk.here / "mine.lua").write_text('Drain{name = "Mine", doc = "Does as it likes"}\n')
    for line in text.splitlines():
        desk.shell.seen = ""
        desk.shell.type(f"{{ {line}\n}} &")
        if "lab." in line:
            desk.shell.read(lambda seen: seen)
            desk.ok("destroy", "lab")
        assert desk.shell.type("wait $!") == 0, (line, desk.shell.seen)


def check_inventory(desk, text):
    """Of hosts: it is read whole before a label is looked for."""
    (desk.here / "hosts").write_text(text)
    asked = desk.ptctl("-H", "@nothing", "list", env={"PIPETOOL_HOSTS": str(desk.here / "hosts")})
    assert "no host of the inventory has the label '@nothing'" in asked.err, (text, asked)


LOOKS = [
    (re.compile(r"\$ "), check_transcript),
    (re.compile(r"--> "), check_requests),
    (re.compile(r"\["), check_configuration),
    (re.compile(r"import "), check_python),
    (re.compile(r"(?:ptctl|ssh|tail) "), check_commands),
    (LUA, check_lua),
    (re.compile(r"\w+ +\S+ +\w+="), check_inventory),
    (re.compile(r" *\+-"), lambda desk, text: None),  # a picture: the types' own tests read it
    (re.compile(r"#|\w+ *[=(]"), check_graph),
]


@pytest.mark.skipif(not manual.built(), reason="no manual pages: scdoc is not there")
@pytest.mark.parametrize("page", manual.PAGES)
def test_the_examples_of_the_manual(desk, page):
    found = manual.examples(page)
    assert found
    for text in found:
        check = next((check for look, check in LOOKS if look.match(text)), None)
        assert check, f"what is this?\n{text}"
        check(desk, text)
        for engine in ("p", "lab"):
            desk.ptctl("destroy", engine)


def test_every_difference_is_a_case():
    cases = (pathlib.Path(__file__).parent / "test_conformance.py").read_text()
    better = cases.split("# ---- what is better here")[1]
    assert better.count("\ndef test_") >= len(rows(SCAPY, "What is better here"))


def test_the_readme_has_every_folder():
    readme = (TOP / "README.md").read_text()
    folders = [f"{path.parent.name}/{path.name}/" for path in (TOP / "lib").iterdir() if path.is_dir()]
    assert [folder for folder in sorted(folders) if f"`{folder}`" not in readme] == []


def test_ways_name_functions_where_they_are():
    """In the numbered lists of architecture.md each function is one of the files that its item names."""
    text = (TOP / "docs" / "architecture.md").read_text()
    for path in re.findall(r"`([a-z_]+/[a-z_./]+\.[a-z]+)`", text):
        assert any((TOP / folder / path).exists() for folder in ("", "lib")), path
    items = re.findall(r"^\d+\. .*(?:\n   .*)*", text, re.M)
    assert len(items) > 12
    for item in items:
        words = re.findall(r"`([^`]+)`", item)
        sources = [(TOP / word).read_text() for word in words if word.endswith(".c")]
        assert sources, item
        for word in words:
            if word.isidentifier():
                head = re.compile(rf"^[^\s#/][^;\n]*\b{word}\((?:[^;{{]*\n)+\{{", re.M)
                assert any(head.search(source) for source in sources), f"{word}: {item}"
