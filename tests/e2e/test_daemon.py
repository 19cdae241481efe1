# SPDX-License-Identifier: BSD-2-Clause
"""The daemon's life: boot, signals, the socket file, configuration, rest."""
import os
import signal
import socket
import stat
import subprocess

import pytest

import makers
from conftest import eventually, program, sanitized


def pipetoold(*arguments, **more):
    return subprocess.run([program("pipetoold"), *map(str, arguments)], capture_output=True,
                          text=True, timeout=30, check=False, **more)


def test_version_and_help():
    for option in ("--version", "--help"):
        result = pipetoold(option)
        assert result.returncode == 0 and "pipetoold" in result.stdout and not result.stderr


@pytest.mark.parametrize("arguments", [["--nosuch"], ["--socket"], ["extra"]])
def test_wrong_usage(arguments):
    result = pipetoold(*arguments)
    assert result.returncode == 2 and result.stderr and not result.stdout


def test_engines_start_at_boot_and_a_bad_file_stops_nobody(tmp_path, daemons):
    folder = tmp_path / "boot.d"
    folder.mkdir()
    (folder / "first.pipe").write_text("s = CLIFeeder(); q = QueueSink()\ns > q\n")
    (folder / "bad.pipe").write_text("s = CLIFeeder()\ns > > q\n")
    (folder / "missing.pipe").write_text("RdpcapSource('/nowhere/x.pcap') > Sink()\n")
    (folder / "last.pipe").write_text("PeriodicSource('tick', 0.01) > QueueSink(name='q')\n")
    (folder / "ignored.txt").write_text("not a pipe\n")
    daemon = daemons(engines=folder)
    engines = {e["engine"]: e["state"] for e in daemon.call("engine.list")["engines"]}
    assert engines["first"] == "running" and engines["last"] == "running"
    assert engines["bad"] == engines["missing"] == "failed" and "ignored" not in engines
    log = daemon.log()
    assert "bad.pipe" in log and "line 2" in log and "x.pcap" in log
    assert daemon.client().texts("last", "q", 2) == ["tick", "tick"]


def test_check_reads_everything_and_starts_nothing(tmp_path):
    engines = tmp_path / "engines.d"
    engines.mkdir()
    config = tmp_path / "pipetoold.conf"
    config.write_text("[daemon]\nlog_level = info\n")
    (engines / "good.pipe").write_text("CLIFeeder() > Sink()\n")
    options = ["--socket", tmp_path / "s", "--config", config, "--engines", engines,
               "--state", tmp_path, "--check"]
    assert pipetoold(*options).returncode == 0
    (engines / "bad.pipe").write_text("CLIFeeder() > \n")
    result = pipetoold(*options)
    assert result.returncode == 1 and "bad.pipe" in result.stderr
    (engines / "bad.pipe").unlink()
    config.write_text("[daemon]\nlog_levle = info\n")
    result = pipetoold(*options)
    assert result.returncode != 0 and "log_levle" in result.stderr
    assert "log_level" in result.stderr
    config.write_text("[access]\nadmin = root, nobody-of-that-name\n")
    result = pipetoold(*options)
    assert result.returncode == 0 and "'nobody-of-that-name'" in result.stderr
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("text,place,words", [
    ("a = Drain()\nb = Drain()\na > b\nb > a", "line 4, column 3", "this would"),
    ("s = Sink()\nc = CLIFeeder()\nc > s; s > c", "line 3, column 8", "no low exit"),
    ("t = TransformDrain('function(m) return')", "line 1, column 20", "near"),
    ("f = FilterDrain(f=\"bpf 'tcp prt 3'\")", "line 1, column 19", "syntax error"),
    ("a = Drain()\n" * 2, "line 2", "is taken"),
])
def test_check_finds_what_would_not_become_an_engine(tmp_path, text, place, words):
    (tmp_path / "e.pipe").write_text(text)
    (tmp_path / "good.pipe").write_text("""n = SniffSource("not-there-yet"); n > WrpcapSink("n.pcap")
        f = FDSourceSink("of the daemon"); f > f""")
    result = pipetoold("--config", "/dev/null", "--engines", tmp_path, "--blocks", tmp_path, "--check")
    assert result.returncode == 1 and "good.pipe" not in result.stderr
    assert f"e.pipe: {place}" in result.stderr and words in result.stderr
    assert list(tmp_path.glob("*.pcap")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_flushes_the_sinks(daemon, tmp_path, number):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets())
    daemon.create("e", f'''s = CLIFeeder()
        r = RdpcapSource("{source}"); w = WrpcapSink("{tmp_path}/out.pcap"); r > w
        s > Sink()''')
    with daemon.client() as rpc:
        eventually(lambda: rpc.stats("e", "w")["in"] == 50)
    daemon.stop(number)
    assert (tmp_path / "out.pcap").read_bytes() == open(source, "rb").read()
    assert not daemon.socket.exists()


def test_sigterm_with_clients_that_wait(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    clients = [daemon.client() for _ in range(5)]
    for client in clients[:3]:
        client.post("block.recv", engine="e", block="q", timeout_s=1000)
    clients[3].post("engine.stop", engine="e", wait=True, timeout_s=1000)
    clients[4].call("daemon.info")
    daemon.stop()


def test_who_waits_at_the_end_is_told_why_it_is_over(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    with daemon.client() as rpc:
        waiting = rpc.post("block.recv", engine="e", block="q", timeout_s=1000)
        daemon.client().call("daemon.info")
        daemon.process.send_signal(signal.SIGTERM)
        assert "the daemon stops" in rpc.answer(waiting)["error"]["message"]
    assert daemon.process.wait() == 0


def test_sigterm_while_an_engine_is_at_full_speed(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets(500))
    daemon.create("e", f'r = RdpcapSource("{source}", loop=0); w = WrpcapSink("{tmp_path}/out"); '
                       'r > Drain() > w')
    with daemon.client() as rpc:
        eventually(lambda: rpc.stats("e", "w")["in"] > 1000)
    daemon.stop()
    makers.tcpdump(tmp_path / "out")  # fails if the last packet is not whole


def test_sighup_reads_the_configuration_again(daemon):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    daemon.config.write_text("[limits]\nengines = 1\n")
    daemon.process.send_signal(signal.SIGHUP)

    def limited():
        with daemon.client() as rpc:
            return rpc.call("daemon.info")["limits"]["engines"] == 1
    eventually(limited)
    assert daemon.ptctl("create", "f").code == 1
    daemon.config.write_text("[limits]\nengines = nonsense\n")
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: "nonsense" in daemon.log())
    assert limited()
    daemon.ok("send", "e.s", "alive")


def test_sighup_changes_an_engine_like_its_file_and_it_goes_on(daemon):
    file = daemon.engines / "e.pipe"
    file.write_text("s = CLIFeeder(); q = QueueSink(); s > q\n")
    daemon.process.send_signal(signal.SIGHUP)
    with daemon.client() as rpc:
        eventually(lambda: [e["state"] for e in rpc.call("engine.list")["engines"]] == ["running"])
        rpc.send("e", "s", "kept")
        file.write_text("s = CLIFeeder(); q = QueueSink(); s > Drain() > q\n")
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(rpc.show("e")["blocks"]) == 3)
        rpc.send("e", "s", "new")
        assert rpc.texts("e", "q", 2) == ["kept", "new"]
        assert [r["comment"] for r in rpc.call("engine.log", engine="e")["revisions"]] == \
            [f"from {file}"] * 2
        file.write_text("s = CLIFeder()\n")
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: "CLIFeder" in daemon.log())
        assert len(rpc.show("e")["blocks"]) == 3
        file.unlink()
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: not rpc.call("engine.list")["engines"])


def test_what_cannot_be_read_at_a_reload_changes_nothing(daemon):
    file = daemon.engines / "e.pipe"
    file.write_text("s = CLIFeeder(); q = QueueSink(); s > q\n")
    daemon.process.send_signal(signal.SIGHUP)
    with daemon.client() as rpc:
        eventually(lambda: [e["state"] for e in rpc.call("engine.list")["engines"]] == ["running"])
        rpc.send("e", "s", "kept")
        for spoil, mend, told in [
                (lambda: (file.rename(daemon.folder / "e"), file.mkdir()),
                 lambda: (file.rmdir(), (daemon.folder / "e").rename(file)), "e.pipe: is a directory"),
                (lambda: daemon.engines.rename(daemon.folder / "away"),
                 lambda: (daemon.folder / "away").rename(daemon.engines), "no such folder"),
                (lambda: (daemon.engines.rename(daemon.folder / "away"), daemon.engines.touch()),
                 lambda: (daemon.engines.unlink(), (daemon.folder / "away").rename(daemon.engines)),
                 "not a directory")]:
            spoil()
            daemon.process.send_signal(signal.SIGHUP)
            eventually(lambda: told in daemon.log())
            assert rpc.show("e")["state"] == "running"
            mend()
        daemon.process.send_signal(signal.SIGHUP)
        assert rpc.texts("e", "q", 1) == ["kept"]


def test_what_has_failed_is_tried_again_at_a_reload(daemon):
    capture = daemon.folder / "in.pcap"
    (daemon.engines / "new.pipe").write_text(f'r = RdpcapSource("{capture}"); r > Sink()')
    (daemon.engines / "old.pipe").write_text("q = QueueSink()")

    def reload():
        daemon.process.send_signal(signal.SIGHUP)

    reload()
    eventually(lambda: "engine new does not run" in daemon.log())
    with daemon.client() as rpc:
        eventually(lambda: rpc.show("old")["state"] == "running")
        (daemon.engines / "old.pipe").write_text(f'q = QueueSink(); r = RdpcapSource("{capture}")')
        reload()
        eventually(lambda: "engine old stays as it was" in daemon.log())
        makers.pcap(capture, makers.some_packets())
        reload()
        eventually(lambda: len(rpc.show("old")["blocks"]) == 2)
        eventually(lambda: [e["state"] for e in rpc.call("engine.list")["engines"]] ==
                   ["running"] * 2)


def test_what_takes_a_restart_is_told_at_a_reload(daemon):
    daemon.config.write_text("[daemon]\nstate = /elsewhere\n")
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: "'state' is read at the start only" in daemon.log())
    assert "'socket' is read" not in daemon.log()


def test_a_stale_socket_is_replaced(tmp_path, daemons):
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "stale.sock"))
    stale.close()
    daemon = daemons(socket=tmp_path / "stale.sock")
    assert daemon.call("daemon.info")["pid"] == daemon.process.pid


def test_a_live_socket_is_not_replaced(daemon, tmp_path):
    result = pipetoold("--socket", daemon.socket, "--config", daemon.config, "--engines",
                       daemon.engines, "--state", tmp_path)
    assert result.returncode != 0 and str(daemon.socket) in result.stderr
    assert daemon.call("daemon.info")["pid"] == daemon.process.pid


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_is_no_socket_is_never_replaced(tmp_path, kind):
    path = tmp_path / "thing"
    path.write_text("precious") if kind == "file" else path.mkdir()
    result = pipetoold("--socket", path, "--engines", tmp_path, "--state", tmp_path)
    assert result.returncode != 0 and str(path) in result.stderr
    assert path.is_dir() or path.read_text() == "precious"


def test_a_socket_path_that_is_too_long_is_refused(tmp_path):
    path = "/tmp/" + "x" * 200
    result = pipetoold("--socket", path, "--engines", tmp_path, "--state", tmp_path)
    assert result.returncode != 0 and "long" in result.stderr
    assert not os.path.exists(path[:107])


def test_the_socket_is_not_for_everybody(daemon):
    assert not stat.S_IMODE(daemon.socket.stat().st_mode) & 0o007


def test_files_only_where_the_configuration_allows(daemons, tmp_path):
    (tmp_path / "in").mkdir()
    daemon = daemons(config=f"[files]\nallow = {tmp_path}/in\n")
    makers.pcap(tmp_path / "in" / "a.pcap", makers.some_packets(3))
    makers.pcap(tmp_path / "b.pcap", makers.some_packets(3))
    os.symlink(tmp_path / "b.pcap", tmp_path / "in" / "link.pcap")
    daemon.ok("run", f'RdpcapSource("{tmp_path}/in/a.pcap") > WrpcapSink("{tmp_path}/in/o.pcap")')
    for text in (f'RdpcapSource("{tmp_path}/b.pcap") > Sink()',
                 f'RdpcapSource("{tmp_path}/in/../b.pcap") > Sink()',
                 f'RdpcapSource("{tmp_path}/in/link.pcap") > Sink()',
                 f'RdpcapSource("{tmp_path}/in/a.pcap") > WrpcapSink("{tmp_path}/o.pcap")'):
        result = daemon.ptctl("create", "e", text, "--start")
        assert result.code == 7, (text, result)
    assert not (tmp_path / "o.pcap").exists()


def test_limits_of_engines_and_blocks(daemons):
    daemon = daemons(config="[limits]\nengines = 2\nblocks = 5\n")
    daemon.create("a", "; ".join(f"d{n} = Drain()" for n in range(5)))
    daemon.create("b")
    for arguments in (["create", "c"], ["add", "b", "; ".join(f"d{n} = Drain()" for n in range(6))]):
        result = daemon.ptctl(*arguments)
        assert result.code == 1 and ("at most 5 blocks" in result.err or
                                     "limit" in result.err), result
    assert daemon.ptctl("add", "a", "x = Drain()").code == 1
    daemon.ok("remove", "a", "d0")
    daemon.ok("add", "a", "x = Drain()")


def test_a_memory_limit_holds_back_or_drops_and_counts(daemons):
    daemon = daemons(config="[limits]\nmemory = 1MiB\n")
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(limit='64MiB'); s > q")
    with daemon.client() as rpc:
        for _ in range(50):
            try:
                rpc.send("e", "s", "x" * 100_000)
            except Exception as error:
                assert error.kind == "limit"
        stats = rpc.stats("e")
        assert stats["unexplained"] == 0
        held = next(b["held"] for b in stats["blocks"] if b["name"] == "q")
        assert 0 < held < 50
        assert rpc.call("daemon.info")["engines"] == 1


def usage(pid):
    """CPU ticks, and voluntary context switches of all threads."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    switches = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        for line in open(f"/proc/{pid}/task/{thread}/status"):
            if line.startswith("voluntary_ctxt"):
                switches += int(line.split()[1])
    return int(fields[11]) + int(fields[12]), switches


def test_at_rest_it_sleeps(daemon):
    if sanitized():
        pytest.skip("sanitizers wake up by themselves")
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    daemon.ok("send", "e.s", "m")
    import threading
    pause = threading.Event()
    pause.wait(0.3)  # what was begun may end
    before = usage(daemon.process.pid)
    pause.wait(2)    # nothing can be awaited where nothing may happen
    assert usage(daemon.process.pid) == before
    resident = next(int(line.split()[1]) for line in open(f"/proc/{daemon.process.pid}/status")
                    if line.startswith("VmRSS"))
    assert resident < 8 * 1024


def test_no_descriptor_and_no_thread_is_left_behind(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets())

    def open_things():
        pid = daemon.process.pid
        return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))

    def once():
        daemon.ok("run", f'RdpcapSource("{source}") > Drain() > WrpcapSink("{tmp_path}/out", gz=true)')
        daemon.ptctl("run", f'RdpcapSource("{source}") > WrpcapSink("/nowhere/x")')
        daemon.ptctl("run", 'RdpcapSource("/nowhere/x") > Sink()')
    once()
    before = eventually(open_things)
    for _ in range(10):
        once()
    eventually(lambda: open_things() <= before, what=f"{before} became {open_things()}")
