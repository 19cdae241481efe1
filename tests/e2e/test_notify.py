# SPDX-License-Identifier: BSD-2-Clause
"""What the daemon tells a service manager, and when."""
import os
import pathlib
import re
import signal
import socket

import pytest

import makers
from conftest import DEADLINE, eventually


class Manager:
    """Listens as a service manager does."""

    def __init__(self, folder):
        self.path = folder / "manager"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(DEADLINE)
        self.heard = []

    def hear(self):
        message = self.socket.recv(65536).decode()
        self.heard += message.split("\n")
        return message

    def hear_until(self, words):
        while words not in self.hear():
            pass

    def drain(self):
        self.socket.setblocking(False)
        try:
            while True:
                self.hear()
        except BlockingIOError:
            pass
        self.socket.settimeout(DEADLINE)
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.socket.close()


@pytest.fixture
def watched(daemons, manager):
    """A daemon that this manager watches, with a period of 2 s."""
    return daemons(wait=False, env={"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "2000000"})


def test_ready_reloading_stopping(watched, manager):
    manager.hear_until("READY=1")
    assert "STATUS=0 engines, 0 running, 0 blocks" in manager.heard
    (watched.engines / "a.pipe").write_text("s = CLIFeeder(); s > QueueSink()")
    watched.process.send_signal(signal.SIGHUP)
    manager.hear_until("RELOADING=1")
    assert any(re.fullmatch(r"MONOTONIC_USEC=\d+", line) for line in manager.heard)
    assert manager.heard.count("READY=1") == 1
    manager.hear_until("READY=1")  # after the engine runs
    assert "STATUS=1 engine, 1 running, 2 blocks" in manager.heard
    assert watched.ok("list").count("running") == 1
    watched.process.send_signal(signal.SIGTERM)
    manager.hear_until("STOPPING=1")
    watched.process.wait(DEADLINE)
    manager.drain()


def test_signals_come_to_the_main_thread_alone(watched, manager, tmp_path):
    """Whatever else waits in the kernel does not take them, and they are not lost there."""
    manager.hear_until("READY=1")
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets())
    watched.create("e", f"r = RdpcapSource('{source}'); r > WrpcapSink('{tmp_path}/out.pcap')")
    watched.finish("e")
    watched.ok("start", "e")
    watched.ok("list")
    ours = sum(1 << number - 1 for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM))
    tasks = [path for path in pathlib.Path(f"/proc/{watched.process.pid}/task").iterdir()
             if path.name != str(watched.process.pid)]
    assert len(tasks) >= 2
    for task in tasks:
        try:
            (blocked,) = re.findall(r"^SigBlk:\s*(\w+)", (task / "status").read_text(), re.MULTILINE)
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        assert int(blocked, 16) & ours == ours, task
    manager.drain()


def test_the_status_follows(watched, manager, tmp_path):
    manager.hear_until("READY=1")
    watched.create("p", "s = CLIFeeder(); s > QueueSink()")
    manager.hear_until("STATUS=1 engine, 1 running, 2 blocks")
    watched.ok("stop", "p")
    manager.hear_until("STATUS=1 engine, 0 running, 2 blocks")
    watched.ok("destroy", "p")
    manager.hear_until("STATUS=0 engines, 0 running, 0 blocks")
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets())
    with open(source, "r+b") as file:
        file.seek(24 + 8)  # the length of the first packet
        file.write(b"\xff" * 4)
    watched.create("q", f"r = RdpcapSource('{source}'); r > Sink()")
    manager.hear_until("STATUS=1 engine, 1 running, 2 blocks; degraded: 1 block of engine q failed")
    watched.ok("destroy", "q")
    manager.hear_until("STATUS=0 engines, 0 running, 0 blocks")
    (watched.engines / "a.pipe").write_text("s = Nothing()")
    watched.process.send_signal(signal.SIGHUP)
    manager.hear_until("degraded: 1 engine did not start")
    watched.config.write_text("[limit]")
    watched.process.send_signal(signal.SIGHUP)
    manager.hear_until("degraded: 1 engine did not start; the configuration has faults, the one before is used")
    (watched.engines / "a.pipe").unlink()
    watched.config.write_text("")
    watched.process.send_signal(signal.SIGHUP)
    manager.hear_until("STATUS=0 engines, 0 running, 0 blocks")


def test_the_watchdog_is_fed_whatever_engines_do(watched, manager):
    manager.hear_until("READY=1")
    watched.create("busy", "s = PeriodicSource('m', 0.0001); s > TransformDrain('reverse') > Sink()")
    for round in range(3):
        watched.create(f"e{round}", "s = CLIFeeder(); s > QueueSink()")
        manager.hear_until("WATCHDOG=1")
        watched.ok("destroy", f"e{round}")
    assert "hangs" not in watched.log()


def test_many_slow_scripts_are_no_hang(watched, manager):
    manager.hear_until("READY=1")
    watched.create("slow", "s = CLIFeeder(); s > "
                   "TransformDrain('function(m) while true do end end') > Sink()")
    watched.ok("send", "slow.s", *["ended after 100 ms"] * 15, "--timeout", "300",  # in one turn
               timeout=330)
    assert "WATCHDOG=1" in manager.drain()
    assert "hangs" not in watched.log()


def test_somebody_elses_watchdog_is_not_fed(daemons, manager):
    env = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "20000",
           "WATCHDOG_PID": str(os.getpid())}
    daemon = daemons(wait=False, env=env)
    manager.hear_until("READY=1")
    daemon.create("p", "s = CLIFeeder(); s > QueueSink()")
    manager.hear_until("STATUS=1 engine, 1 running, 2 blocks")
    assert "WATCHDOG=1" not in manager.heard


def test_a_manager_that_has_gone_is_no_trouble(daemons, manager):
    daemon = daemons(wait=False, env={"NOTIFY_SOCKET": str(manager.path)})
    manager.hear_until("READY=1")
    manager.socket.close()
    daemon.create("p", "s = CLIFeeder(); s > QueueSink()")
    eventually(lambda: "running" in daemon.ok("list"))
