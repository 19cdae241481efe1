# SPDX-License-Identifier: BSD-2-Clause
"""Programs as blocks: what goes in and out, and how they end."""
import os
import pathlib
import signal
import socket
import subprocess

import pytest

import makers
from conftest import eventually

PACKETS = makers.some_packets(30)


@pytest.fixture
def daemon(daemons):
    return daemons(config="[programs]\nallow = cat head true sh sleep seq tshark yes nosuch grep\n")


@pytest.fixture
def rpc(daemon):
    return daemon.client()


def pipe(rpc, engine="e", name="p"):
    return rpc.show(engine, name)


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_lines_go_through_and_come_back(daemon, rpc):
    daemon.create("e", "f = CLIFeeder(); p = ProgramPipe('cat -n'); q = QueueSink(); f > p > q")
    rpc.send("e", "f", "one", "two")
    daemon.ok("close", "e.f")
    daemon.ok("wait", "e.p", "exhausted")
    assert [line.split() for line in rpc.texts("e", "q", 2)] == [["1", "one"], ["2", "two"]]
    assert rpc.stats("e")["unexplained"] == 0


def test_words_are_those_of_a_shell(daemon, rpc):
    daemon.create("e", r'''f = CLIFeeder(); p = ProgramPipe("sh -c 'echo \"$#\" \"$1\" \"$2\"; cat >&2' x 'a b' \"c $d\" e\\ f");
        q = QueueSink(); f > p > q'''.replace("\n", " "))
    assert rpc.texts("e", "q", 1) == ["3 a b c $d"]


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_packets_go_through(daemon, rpc, tmp_path, form):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS, ns=True)
    daemon.ok("run", f'RdpcapSource("{source}") > ProgramPipe("cat", format="{form}") > '
                     f'WrpcapSink("{tmp_path}/out.pcap", format="pcap-ns")')
    assert makers.read(tmp_path / "out.pcap") == makers.read(source)


def test_tshark_tells_what_it_sees(daemon, rpc, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS)
    out = daemon.ok("run", f'RdpcapSource("{source}") > ProgramPipe("tshark -n -r -", format="pcap", out="lines") > '
                           'RawConsoleSink()')
    theirs = subprocess.run(["tshark", "-n", "-r", source], capture_output=True, text=True, check=True).stdout
    assert len(out.splitlines()) == len(theirs.splitlines()) == len(PACKETS)


def test_what_prints_without_end_is_held_back(daemon, rpc):
    """One whose output nobody takes, and that prints without end."""
    daemon.create("e", 'p = ProgramPipe("yes"); q = QueueSink(limit="64KiB", overflow="block"); p > q')
    eventually(lambda: rpc.stats("e", "q")["held"] > 100)
    eventually(lambda: len({rpc.stats("e", "p")["out"] for _ in range(20)}) == 1, what="held back")
    assert rpc.stats("e", "q")["dropped"] == {}
    daemon.ok("stop", "e")
    eventually(lambda: not rpc.show("e", "p").get("now", {}).get("pid"))


def test_what_never_reads_is_waited_for(daemon, rpc, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS * 200)
    daemon.create("e", f'r = RdpcapSource("{source}", loop=0); p = ProgramPipe("sleep 1000", format="pcap", limit="64KiB"); '
                       'r > p')
    eventually(lambda: rpc.stats("e", "p")["held"] > 0)
    eventually(lambda: len({rpc.stats("e", "r")["out"] for _ in range(20)}) == 1, what="held back")
    pid = pipe(rpc)["now"]["pid"]
    daemon.ok("destroy", "e")
    eventually(lambda: not alive(pid))


@pytest.mark.parametrize("script, words", [("cat >/dev/null; echo it broke >&2; exit 3", "status 3: it broke"),
                                           ("kill -9 $$", "killed by signal 9")])
def test_another_status_fails_it_and_what_comes_is_unsent(daemon, rpc, script, words):
    daemon.create("e", f"f = CLIFeeder(); g = CLIFeeder(); p = ProgramPipe(['sh', '-c', '{script}']); q = QueueSink(); "
                       "f > p; g > q")
    daemon.ok("close", "e.f")
    eventually(lambda: pipe(rpc)["state"] == "failed")
    assert words in str(pipe(rpc))
    daemon.ok("add", "e", "g > p")
    rpc.send("e", "g", "late")
    assert rpc.stats("e", "p")["dropped"] == {"unsent": 1}
    assert rpc.stats("e")["unexplained"] == 0


def test_a_child_that_never_falls_silent_holds_up_nothing(daemon, rpc):
    """It goes on behind the end of the program, on its standard error: the engine is there all the time."""
    daemon.create("e", "p = ProgramPipe(['sh', '-c', 'yes >&2 & echo $!; exit 3']); q = QueueSink(); p > q")
    (child,) = rpc.texts("e", "q", 1)
    eventually(lambda: pipe(rpc)["state"] == "failed")
    assert "status 3" in str(pipe(rpc))
    eventually(lambda: not alive(int(child)))


def test_a_program_of_captures_may_print_nothing(daemon, tmp_path):
    (tmp_path / "in").write_text("x\n")
    result = daemon.ptctl("run", f"FileSource('{tmp_path}/in') > ProgramPipe(['sh', '-c', 'cat > {tmp_path}/got'], format='pcap')")
    assert result.code == 0 and result.err == "1 in, 1 out\n", result
    assert (tmp_path / "got").stat().st_size > 24


def test_a_program_that_is_not_there_or_not_allowed_is_refused(daemon):
    assert "there is no program 'nosuch'" in daemon.ptctl("run", "CLIFeeder() > ProgramPipe('nosuch a')").err
    assert "[programs]" in daemon.ptctl("run", "CLIFeeder() > ProgramPipe('id')").err
    assert "quote" in daemon.ptctl("run", "CLIFeeder() > ProgramPipe('cat \"a')").err


def test_it_starts_again_and_what_comes_meanwhile_waits(daemon, rpc):
    daemon.create("e", "f = CLIFeeder(); p = ProgramPipe('head -n 1', restart_s=0.05); q = QueueSink(); f > p > q")
    for n in range(3):
        pid = pipe(rpc)["now"].get("pid")
        rpc.send("e", "f", str(n))
        assert rpc.texts("e", "q", 1) == [str(n)]
        eventually(lambda: pipe(rpc)["now"].get("pid") not in (None, pid))
    assert rpc.stats("e")["unexplained"] == 0


@pytest.mark.parametrize("program, state", [("head -n 1", "exhausted"), ("sh -c 'read x; echo $x; exit 3'", "failed")])
def test_one_that_has_ended_is_started_when_that_is_said(daemon, rpc, program, state):
    daemon.create("e", f"f = CLIFeeder(); p = ProgramPipe(\"{program}\"); q = QueueSink(); f > p > q")
    rpc.send("e", "f", "1")
    assert rpc.texts("e", "q", 1) == ["1"]
    daemon.ok("wait", "e.p", state)
    rpc.send("e", "f", "lost")
    daemon.ok("set", "e.p", "restart_s=0.05")
    daemon.ok("wait", "e.p", "running")
    rpc.send("e", "f", "2")
    assert rpc.texts("e", "q", 1) == ["2"]
    assert rpc.stats("e", "p")["dropped"] == {"unsent": 1} and rpc.stats("e")["unexplained"] == 0


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_program_that_starts_again_gets_a_capture_of_its_own(daemon, rpc, form):
    daemon.create("e", f"f = CLIFeeder(); p = ProgramPipe('cat', format='{form}', restart_s=0.5); q = QueueSink(); "
                       "f > p > q")
    rpc.send("e", "f", "before")
    assert rpc.texts("e", "q", 1) == ["before"]
    os.kill(pipe(rpc)["now"]["pid"], signal.SIGKILL)
    eventually(lambda: not pipe(rpc)["now"].get("pid"))
    rpc.send("e", "f", "meanwhile", "too")
    daemon.ok("close", "e.f")
    daemon.ok("wait", "e.p", "exhausted")
    assert rpc.texts("e", "q", 2) == ["meanwhile", "too"]
    assert rpc.stats("e")["unexplained"] == 0


def test_what_waits_when_no_more_comes_has_an_end(daemon, rpc):
    """It is started once more for that, and told of the end."""
    daemon.create("e", "f = CLIFeeder(); p = ProgramPipe('cat', restart_s=0.5); q = QueueSink(); f > p > q")
    os.kill(pipe(rpc)["now"]["pid"], signal.SIGKILL)
    eventually(lambda: not pipe(rpc)["now"].get("pid"))
    rpc.send("e", "f", "1", "2")
    daemon.ok("close", "e.f")
    daemon.ok("wait", "e.p", "exhausted")
    assert rpc.texts("e", "q", 2) == ["1", "2"]


def test_a_replacement_before_the_first_packet_has_the_beginning(daemon, rpc):
    daemon.create("e", "f = CLIFeeder(); p = ProgramPipe('cat', format='pcapng'); q = QueueSink(); f > p > q")
    pid = pipe(rpc)["now"]["pid"]
    daemon.ok("replace", "e.p", "ProgramPipe('cat', format='pcapng', limit='2MiB')")
    rpc.send("e", "f", "first")
    assert rpc.texts("e", "q", 1) == ["first"] and pipe(rpc)["now"]["pid"] == pid


def test_it_is_alone(daemon, rpc):
    """No descriptors but its own, a group of its own, and none of its children is left."""
    daemon.create("e", "p = ProgramPipe(['sh', '-c', 'sleep 1000 & echo $!; echo /proc/$$/fd/*; sleep 1000']); "
                       "q = QueueSink(); p > q")
    child, fds = rpc.texts("e", "q", 2)
    assert {os.path.basename(fd) for fd in fds.split()} <= {"0", "1", "2", "255", "3", "10"}
    pid = pipe(rpc)["now"]["pid"]
    assert os.getpgid(pid) == pid == os.getpgid(int(child))
    assert not [fd for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2]
    daemon.ok("destroy", "e")
    eventually(lambda: not alive(pid) and not alive(int(child)))


def test_its_standard_error_is_told_and_bounded(daemon, rpc):
    daemon.create("e", "p = ProgramPipe(['sh', '-c', 'seq 100000 >&2; echo done; sleep 1000']); q = QueueSink(); p > q")
    assert rpc.texts("e", "q", 1) == ["done"]
    eventually(lambda: pipe(rpc)["now"].get("stderr", [""])[-1] == "100000")
    assert len(pipe(rpc)["now"]["stderr"]) == 5 and daemon.log().count("\n") < 500


def test_a_change_of_the_graph_leaves_it_running(daemon, rpc):
    daemon.create("e", "f = CLIFeeder(); p = ProgramPipe('cat'); q = QueueSink(); f > p > q")
    pid = pipe(rpc)["now"]["pid"]
    daemon.ok("apply", "e", "f = CLIFeeder(); p = ProgramPipe('cat', limit='2MiB', restart_s=1); q = QueueSink(); "
                            "f > p > q")
    rpc.send("e", "f", "still")
    assert rpc.texts("e", "q", 1) == ["still"] and pipe(rpc)["now"]["pid"] == pid
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: pipe(rpc)["now"].get("pid") not in (None, pid))


# ---- PCAP over IP -------------------------------------------------------------------------------

def address_of(rpc, engine, name):
    host, port = rpc.show(engine, name)["now"]["address"].rsplit(":", 1)
    return host, int(port)


def test_packets_over_ip(daemon, rpc, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS, ns=True)
    daemon.create("s", f'r = RdpcapSource("{source}"); v = TriggeredValve(False); s = PcapOverIPSink(port=0); r > s', start=False)
    daemon.ok("unlink", "s", "r > s")
    daemon.ok("start", "s")
    host, port = address_of(rpc, "s", "s")
    daemon.create("c", f'c = PcapOverIPSource("{host}", {port}); w = WrpcapSink("{tmp_path}/out.pcap", format="pcap-ns"); '
                       'c > w')
    tshark = subprocess.Popen(["tshark", "-n", "-c", str(len(PACKETS)), "-i", f"TCP@{host}:{port}"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with socket.create_connection((host, port)) as garbage:
        garbage.sendall(b"garbage" * 1000)
        eventually(lambda: len(rpc.show("s", "s")["now"]["clients"]) == 3)
        daemon.ok("add", "s", f'r2 = RdpcapSource("{source}"); r2 > s')
        eventually(lambda: rpc.stats("c", "w")["in"] == len(PACKETS))
        assert len(tshark.communicate(timeout=60)[0].splitlines()) == len(PACKETS)
    daemon.ok("destroy", "s")
    daemon.ok("wait", "c.c", "exhausted")
    rpc.call("engine.stop", engine="c")
    assert makers.read(tmp_path / "out.pcap") == makers.read(source)


def test_a_slow_client_loses_and_is_told(daemon, rpc, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", [(b"\2" * 1000, n) for n in range(20000)])
    daemon.create("s", 's = PcapOverIPSink(port=0, limit="64KiB"); f = CLIFeeder(); f > s')
    with socket.create_connection(address_of(rpc, "s", "s")) as slow:
        eventually(lambda: len(rpc.show("s", "s")["now"]["clients"]) == 1)
        daemon.ok("add", "s", f'r = RdpcapSource("{source}"); r > s')
        eventually(lambda: rpc.stats("s", "r")["out"] == 20000)
        lost = rpc.show("s", "s")["now"]["clients"][0]["lost"]
        assert lost > 0 and rpc.stats("s", "s")["dropped"] == {"overflow": lost}
        data = b""
        slow.settimeout(1)
        while b"the last" not in data:
            try:
                data += slow.recv(1 << 20)
            except TimeoutError:
                rpc.send("s", "f", "the last")
    assert b"\x04\0\x08\0" + lost.to_bytes(8, "little") in data and rpc.stats("s")["unexplained"] == 0


def test_clients_that_send_garbage_stop_nothing_else(daemon, rpc, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", PACKETS)
    daemon.create("c", 'c = PcapOverIPSource("127.0.0.1", port=0, listen=True); x = FilterDrain("function(m) return m.iface ~= nil end"); '
                       'q = QueueSink(); c > x > q')
    address = address_of(rpc, "c", "c")
    whole = (tmp_path / "in.pcap").read_bytes()
    for data in (b"garbage" * 100, b"", whole[:-3], whole):
        with socket.create_connection(address) as peer:
            peer.sendall(data)
    eventually(lambda: rpc.stats("c", "q")["in"] == 2 * len(PACKETS) - 1)
    assert rpc.stats("c", "c")["errors"] >= 2
    daemon.ok("close", "c.c")
    daemon.ok("wait", "c.c", "exhausted")


def test_another_address_is_public(daemon):
    assert "public=True" in daemon.ptctl("run", "CLIFeeder() > PcapOverIPSink('0.0.0.0', 0)").err
