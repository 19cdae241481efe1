# SPDX-License-Identifier: BSD-2-Clause
"""What is shown by other programs: Wireshark and tshark, xterm and tmux."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest
from scapy.all import Ether, IP, UDP, Raw, rdpcap, wrpcap

import makers  # noqa: F401: frames without a destination ask nobody
from conftest import DEADLINE, eventually, program

QUIET = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}
ALLOWED = "[programs]\nallow = {}\n"


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "in.pcap"
    wrpcap(str(path), [Ether() / IP(src="10.0.0.1", dst="10.0.0.2", id=i) / UDP(sport=i + 1, dport=9)
                       / Raw(b"x" * 958) for i in range(200)])
    return path


@pytest.fixture
def script(tmp_path):
    """Makes a program of a few lines of shell."""
    def make(text, name="viewer"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path
    return make


@pytest.fixture
def viewing(daemons, script):
    """A daemon that may run one script, without display."""
    def make(text, name="viewer"):
        path = script(text, name)
        return daemons(config=ALLOWED.format(path), env=QUIET), path
    return make


def state(daemon, name):
    return daemon.client().show("lab", name)


# ---- WiresharkSink ------------------------------------------------------------------------------

def test_a_program_reads_pcapng(viewing, tmp_path, capture):
    out = tmp_path / "seen.pcapng"
    daemon, path = viewing(f"cat > {out}; : > {out}.done")
    daemon.create("lab", f"s = RdpcapSource('{capture}'); f = CLIFeeder(); "
                  f"w = WiresharkSink(program='{path}'); s > w; f > w")
    eventually(lambda: state(daemon, "s")["state"] == "exhausted")
    daemon.ok("send", "lab.f", "plain")
    daemon.ok("stop", "lab")
    eventually(pathlib.Path(f"{out}.done").exists)
    seen = [bytes(p) for p in rdpcap(str(out))]
    assert seen == [bytes(p) for p in rdpcap(str(capture))] + [b"plain"]
    names = subprocess.run(["tshark", "-r", out, "-T", "fields", "-e", "frame.interface_name"],
                           capture_output=True, text=True, check=True).stdout.split()
    assert set(names) == {"w"}
    stats = daemon.client().stats("lab")
    assert stats["unexplained"] == 0


def test_the_link_type_of_messages_and_the_arguments(viewing, tmp_path):
    out = tmp_path / "seen.pcapng"
    daemon, path = viewing(f'cat > {out}; echo "$*" > {out}.args')
    daemon.create("lab", f"f = CLIFeeder(); w = WiresharkSink(linktype=101, args=['-a', 'b c'], "
                  f"program='{path}'); f > w")
    packet = bytes(IP(src="1.2.3.4", dst="5.6.7.8") / UDP(sport=1, dport=2))
    daemon.call("block.send", engine="lab", block="f", message={"hex": packet.hex()})
    daemon.ok("stop", "lab")
    eventually(lambda: pathlib.Path(f"{out}.args").exists() and
               pathlib.Path(f"{out}.args").read_text())
    assert pathlib.Path(f"{out}.args").read_text() == "-a b c\n"
    assert rdpcap(str(out))[0][IP].dst == "5.6.7.8"


def test_tshark_reads_it_live(daemons, tmp_path, capture):
    out = tmp_path / "seen.pcapng"
    daemon = daemons(env=QUIET)
    daemon.create("lab", f"s = RdpcapSource('{capture}', loop=0); w = WiresharkSink("
                  f"program='tshark', args=['-Q', '-c', '1000', '-w', '{out}']); s > w")
    # tshark ends by itself after a thousand packets: that is a viewer closed by its user
    eventually(lambda: state(daemon, "w")["state"] == "exhausted", 60)
    assert state(daemon, "w")["note"] == "tshark was closed"
    assert len(rdpcap(str(out))) == 1000
    assert daemon.client().show("lab")["state"] == "running"


def test_a_viewer_that_is_closed_ends_its_block_alone(viewing, capture):
    daemon, path = viewing("head -c 5000 >/dev/null")
    daemon.create("lab", f"s = RdpcapSource('{capture}', loop=0); d = Drain(); k = Sink(); "
                  f"w = WiresharkSink(program='{path}'); s > d > k; d > w")
    client = daemon.client()
    eventually(lambda: client.stats("lab", "w")["dropped"].get("viewer-closed", 0) > 100)
    assert client.show("lab", "w")["state"] == "exhausted"
    assert client.show("lab", "w")["note"] == f"{path} was closed"
    before = client.stats("lab", "k")["out"]
    eventually(lambda: client.stats("lab", "k")["out"] > before)
    stats = client.stats("lab")
    assert stats["unexplained"] == 0 and all(not b["errors"] for b in stats["blocks"])
    assert not zombies(daemon)
    daemon.ok("stop", "lab")
    daemon.ok("start", "lab")  # and there is another one
    eventually(lambda: client.stats("lab", "w")["out"])


def test_a_viewer_that_fails_is_an_error(viewing, capture):
    daemon, path = viewing("exit 3")
    daemon.create("lab", f"f = CLIFeeder(); w = WiresharkSink(program='{path}'); f > w")
    shown = eventually(lambda: state(daemon, "w")["state"] == "failed" and state(daemon, "w"))
    assert shown["last_error"] == f"{path} ended with status 3"
    daemon.ok("send", "lab.f", "x")
    assert daemon.client().stats("lab", "w")["dropped"] == {"viewer-closed": 1}


def test_who_reads_slowly_holds_back_the_source(viewing, tmp_path, capture):
    go = tmp_path / "go"
    os.mkfifo(go)
    out = tmp_path / "seen.pcapng"
    daemon, path = viewing(f"read -r _ < {go}; cat > {out}; : > {out}.done")
    daemon.create("lab", f"s = RdpcapSource('{capture}', loop=20); "
                  f"w = WiresharkSink(limit='100k', program='{path}'); s > w")
    eventually(lambda: daemon.client().stats("lab", "w")["held"] > 50)
    assert state(daemon, "s")["state"] == "running"  # it waits
    go.write_text("go\n")
    daemon.finish("lab")
    eventually(pathlib.Path(f"{out}.done").exists)
    assert len(rdpcap(str(out))) == 4000


def test_who_reads_nothing_is_dropped_after_a_while(viewing, capture):
    daemon, path = viewing("exec tail -f /dev/null")
    daemon.create("lab", f"s = RdpcapSource('{capture}', loop=0); d = Drain(); "
                  f"w = WiresharkSink(limit='100k', program='{path}'); s > d > w")
    client = daemon.client()
    eventually(lambda: client.stats("lab", "w")["dropped"].get("viewer-stalled", 0) > 1000)
    assert "does not read" in client.show("lab", "w")["last_error"]
    end_children(daemon)
    eventually(lambda: client.stats("lab", "w")["dropped"].get("viewer-closed", 0) > 1000)
    assert client.stats("lab")["unexplained"] == 0


def children(daemon):
    listing = pathlib.Path(f"/proc/{daemon.process.pid}/task").glob("*/children")
    return [int(pid) for path in listing for pid in path.read_text().split()]


def end_children(daemon):
    for pid in children(daemon):
        os.kill(pid, signal.SIGKILL)


def zombies(daemon):
    return [pid for pid in children(daemon)
            if ") Z " in pathlib.Path(f"/proc/{pid}/stat").read_text()]


def test_refusals(daemons, script):
    daemon = daemons(config=ALLOWED.format("wireshark, nowhere"), env=QUIET)
    result = daemon.ptctl("create", "lab", "f = CLIFeeder(); w = WiresharkSink(program='sh'); f > w")
    assert result.code == 7 and "may not run 'sh'" in result.err and "[programs]" in result.err
    graph = "f = CLIFeeder(); w = WiresharkSink(); f > w"
    result = daemon.ptctl("create", "lab", graph, "--start")
    assert result.code == 1 and "ptctl wireshark" in result.err and "display" in result.err
    result = daemon.ptctl("create", "lab", graph.replace("()", "(program='nowhere')", 2)
                          .replace("CLIFeeder(program='nowhere')", "CLIFeeder()"), "--start")
    assert result.code == 1 and "no program 'nowhere'" in result.err
    assert daemon.call("engine.list")["engines"] == []


# ---- ptctl wireshark ----------------------------------------------------------------------------

def test_ptctl_runs_a_program_of_the_users(daemons, script, tmp_path, capture):
    out = tmp_path / "seen.pcapng"
    daemon = daemons(config=ALLOWED.format("nothing"), env=QUIET)
    daemon.create("lab", f"s = RdpcapSource('{capture}', loop=0); k = Sink(); s > k")
    path = script(f'echo "$*"; head -c 100000 > {out}')
    result = daemon.ptctl("wireshark", "lab.s", "--program", path, "--", "-Y", "udp")
    assert (result.code, result.out) == (0, "-Y udp\n"), result
    assert out.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a" and b"10.0" not in result.raw
    result = daemon.ptctl("wireshark", "lab.s", "--program", script("exit 7", "bad"))
    assert result.code == 1 and "ended with status 7" in result.err
    result = daemon.ptctl("wireshark", "lab.s", env=QUIET)
    assert result.code == 1 and "$DISPLAY" in result.err
    result = daemon.ptctl("wireshark", "lab.s", "--program", "/no/such")
    assert result.code == 1 and "no program '/no/such'" in result.err


def test_ptctl_ends_with_the_stream_and_its_viewer(daemon, script, tmp_path):
    out = tmp_path / "seen"
    daemon.create("lab", "f = CLIFeeder(); k = Sink(); f > k")
    path = script(f"cat > {out}")
    with subprocess.Popen([program("ptctl"), "-s", daemon.socket, "wireshark", "lab.f", "--program",
                           path]) as ptctl:
        eventually(lambda: out.exists() and out.stat().st_size)
        daemon.ok("send", "lab.f", "hello")
        daemon.ok("remove", "lab", "f")
        assert ptctl.wait(DEADLINE) == 0
    assert b"hello" in out.read_bytes()
    with subprocess.Popen([program("ptctl"), "-s", daemon.socket, "wireshark", "lab.k", "--program",
                           script("echo $$ > $1; exec cat", "wait"), "--", out],
                          stdout=subprocess.DEVNULL) as ptctl:
        pid = eventually(lambda: out.read_bytes().decode(errors="replace").strip().isdigit() and
                         int(out.read_text()))
        ptctl.send_signal(signal.SIGINT)
        assert ptctl.wait(DEADLINE) == 130
    assert not pathlib.Path(f"/proc/{pid}").exists()


def test_tshark_shows_a_tap(daemon, capture):
    daemon.create("lab", f"s = RdpcapSource('{capture}', loop=0); k = Sink(); s > k")
    result = daemon.ptctl("wireshark", "lab.s", "--program", "tshark", "--", "-c", "5",
                          timeout=60)
    assert result.code == 0 and result.out.count("10.0.0.1") == 5


# ---- a display ----------------------------------------------------------------------------------

def need(*programs):
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")


@pytest.fixture
def display(tmp_path):
    """The environment of a display of one's own, and of a user of one's own."""
    need("Xvfb", "xwininfo")
    reading, writing = os.pipe()
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    server = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "1000x700x24",
                               "-nolisten", "tcp", "-noreset"], pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as told:
        number = told.readline().strip()
    assert number, "Xvfb does not start"
    yield {"DISPLAY": f":{number}", "WAYLAND_DISPLAY": "", "HOME": str(home),
           "XDG_CONFIG_HOME": str(home / ".config"), "XDG_RUNTIME_DIR": str(home)}
    server.terminate()
    server.wait()


def windows(display):
    """Names of the windows that are there."""
    tree = subprocess.run(["xwininfo", "-root", "-tree"], env={**os.environ, **display},
                          capture_output=True, text=True, check=False).stdout
    return re.findall(r'0x[0-9a-f]+ "(.*?)": ', tree)


def capturing(display):
    return [name for name in windows(display) if name.startswith("Capturing from")]


def test_wireshark_itself_is_shown_by_the_daemon(daemons, display, capture):
    need("wireshark")
    daemon = daemons(env=display)
    daemon.create("lab", f"s = RdpcapSource('{capture}', loop=0, speed=1); w = WiresharkSink(); "
                  "s > w")
    eventually(lambda: capturing(display), 60)
    eventually(lambda: daemon.client().stats("lab", "w")["out"] >= 200)
    assert state(daemon, "w")["state"] == "running"
    end_children(daemon)
    eventually(lambda: state(daemon, "w")["state"] == "failed")
    eventually(lambda: not capturing(display))


def test_wireshark_itself_is_shown_by_ptctl(daemon, display, capture):
    need("wireshark")
    daemon.create("lab", f"s = RdpcapSource('{capture}', loop=0); k = Sink(); s > k")
    with subprocess.Popen([program("ptctl"), "-s", daemon.socket, "wireshark", "lab.s"],
                          env={**os.environ, **display}, stderr=subprocess.DEVNULL) as ptctl:
        eventually(lambda: capturing(display), 60)
        ptctl.send_signal(signal.SIGINT)
        assert ptctl.wait(DEADLINE) == 130
    eventually(lambda: not capturing(display))


# ---- TermSink -----------------------------------------------------------------------------------

TWO = "f = CLIFeeder(); h = CLIHighFeeder(); t = TermSink({}); f > t; h >> t"


@pytest.fixture
def tmux(daemons, tmp_path):
    """A daemon without display, and its tmux."""
    need("tmux")
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    daemon = daemons(env={**QUIET, "XDG_RUNTIME_DIR": str(run)})

    def command(*arguments):
        sockets = list(run.glob("pipetool-tmux-*"))
        if not sockets:
            return ""
        return subprocess.run(["tmux", "-S", sockets[0], *arguments], capture_output=True,
                              text=True, check=False).stdout

    daemon.tmux = command
    yield daemon
    command("kill-server")


def shown(daemon, block="t"):
    """What stands in the block's window, without the empty lines."""
    return [line for line in daemon.tmux("capture-pane", "-p", "-t", f"0:{block}").split("\n")
            if line]


def titles(daemon):
    return daemon.tmux("list-windows", "-a", "-F", "#{window_name}").split()


def test_lines_stand_in_a_tmux_window(tmux):
    tmux.create("lab", TWO.format(""))
    assert titles(tmux) == ["t"]
    tmux.ok("send", "lab.f", "it's")
    tmux.ok("send", "lab.h", "high")
    packet = bytes(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5, dport=6))
    tmux.call("block.send", engine="lab", block="f", message={
        "message": {"hex": packet.hex()}, "link_type": 101, "time": "1.0", "wire_length": 28})
    lines = eventually(lambda: len(shown(tmux)) == 3 and shown(tmux))
    assert lines[:2] == ["it's", "high"]
    assert lines[2].startswith("IP 10.0.0.1:5 > 10.0.0.2:6 UDP")
    # who looks is told how to see it, and that command shows it
    note = tmux.client().show("lab", "t")["note"]
    assert re.fullmatch(r"tmux -S \S+ attach -t 0", note) and note in tmux.log()
    assert note in tmux.ok("show", "lab")
    # the files in between are gone again
    assert [p for p in (tmux.folder.parent / "run").iterdir() if "tmux" not in p.name] == []


def test_it_stays_until_a_key_is_pressed_or_goes_with_the_engine(tmux):
    tmux.create("lab", "f = CLIFeeder(); t = TermSink(); u = TermSink(keepterm=False); f > t; f > u")
    assert sorted(titles(tmux)) == ["t", "u"]
    tmux.ok("send", "lab.f", "last")
    tmux.ok("stop", "lab")
    eventually(lambda: titles(tmux) == ["t"])
    eventually(lambda: "press a key" in shown(tmux)[-1])
    assert shown(tmux)[0] == "last"
    tmux.tmux("send-keys", "-t", "0:t", "x")
    eventually(lambda: titles(tmux) == [])


def test_it_can_open_late_and_without_newlines(tmux):
    tmux.create("lab", TWO.format("openearly=False, newlines=False"))
    assert titles(tmux) == []
    tmux.ok("send", "lab.f", "a", "b")
    eventually(lambda: shown(tmux) == ["ab"])
    tmux.ok("set", "lab.t", "newlines=true")
    tmux.ok("send", "lab.f", "c", "d")
    eventually(lambda: shown(tmux) == ["abc", "d"])


def test_a_closed_window_ends_its_block_alone(tmux):
    tmux.create("lab", TWO.format(""))
    tmux.tmux("kill-server")
    shown_block = eventually(lambda: state(tmux, "t")["state"] == "exhausted" and state(tmux, "t"))
    assert shown_block["note"] == "tmux was closed"
    tmux.ok("send", "lab.f", "a")
    stats = tmux.client().stats("lab", "t")
    assert stats["dropped"] == {"viewer-closed": 1} and not stats["errors"]


def test_neither_display_nor_tmux(daemons, tmp_path):
    (tmp_path / "bin").mkdir()
    daemon = daemons(env={**QUIET, "PATH": str(tmp_path / "bin")})
    for early in ("True", "False"):
        result = daemon.ptctl("create", "lab", TWO.format(f"openearly={early}"), "--start")
        assert result.code == 1 and "neither a display nor tmux" in result.err
        assert "ptctl tap" in result.err


def test_terminals_are_programs_too(daemons, script):
    daemon = daemons(config=ALLOWED.format("xterm"), env={**QUIET, "DISPLAY": ":99"})
    result = daemon.ptctl("create", "lab", TWO.format("terminal='sh'"))
    assert result.code == 7 and "may not run 'sh'" in result.err
    daemon = daemons(config=ALLOWED.format("xterm"), env=QUIET)
    result = daemon.ptctl("create", "lab", TWO.format(""))
    assert result.code == 7 and "may not run 'tmux'" in result.err


def test_a_terminal_gets_its_command_behind_e(daemons, script, tmp_path):
    out = tmp_path / "out"
    path = script(f'echo "$1" > {out}; shift; exec "$@" >> {out}', "terminal")
    daemon = daemons(config=ALLOWED.format(path), env={**QUIET, "DISPLAY": ":99"})
    daemon.create("lab", TWO.format(f"terminal='{path}', keepterm=False, openearly=False"))
    daemon.ok("send", "lab.f", "a", "b")
    daemon.ok("stop", "lab")
    eventually(lambda: out.exists() and out.read_text() == "-e\na\nb\n")
    daemon.create("bad", f"f = CLIFeeder(); t = TermSink(terminal='{path}', openearly=False); f > t")
    path.unlink()
    daemon.ok("send", "bad.f", "a")
    shown_block = eventually(lambda: daemon.client().show("bad", "t")["state"] == "failed" and
                             daemon.client().show("bad", "t"))
    assert "no program" in shown_block["last_error"]
    daemon.ok("send", "bad.f", "b")
    assert daemon.client().stats("bad", "t")["dropped"] == {"viewer-closed": 2}


def test_xterm_itself_shows_the_lines(daemons, display):
    need("xterm")
    daemon = daemons(env=display)
    daemon.create("lab", TWO.format("keepterm=False"))
    eventually(lambda: "t" in windows(display))
    daemon.ok("send", "lab.f", "seen")
    assert state(daemon, "t")["state"] == "running"
    daemon.ok("stop", "lab")
    eventually(lambda: "t" not in windows(display))
    daemon.create("late", "f = CLIFeeder(); v = TermSink(openearly=False); f > v")
    assert "v" not in windows(display)
    daemon.ok("send", "late.f", "a")
    eventually(lambda: "v" in windows(display))
    end_children(daemon)  # its user closes it, not gently
    eventually(lambda: daemon.client().show("late", "v")["state"] == "failed")
    eventually(lambda: not children(daemon))
