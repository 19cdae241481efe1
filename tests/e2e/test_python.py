# SPDX-License-Identifier: BSD-2-Clause
"""The package `pipetool`: scripts of Scapy's with one line changed."""
import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile
import textwrap

import pytest

TOP = pathlib.Path(__file__).parents[2]
ENV = {**os.environ, "PYTHONPATH": str(TOP / "python"), "PIPETOOLD": os.environ["PIPETOOL_BUILD"] + "/daemon/pipetoold"}
ENV.pop("PIPETOOL_SOCKET", None)


WITHOUT_SCAPY = "import pipetool; globals().update((name, getattr(pipetool, name)) for name in pipetool._OWN)\n"


def run(script, cwd):
    """Scapy takes its time to be imported: only where there are packets."""
    first = "from pipetool import *\n" if "IP(" in script else WITHOUT_SCAPY
    done = subprocess.run([sys.executable, "-c", first + textwrap.dedent(script)], cwd=cwd, env=ENV,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def test_the_examples_of_the_page(tmp_path):
    page = (TOP / "docs" / "python.md").read_text()
    examples = re.findall(r"```python\n(.*?)```.*?prints `?(.*?)`?[.:]", page, re.S)
    assert len(examples) == 3
    for text, printed in examples:
        assert run(text, tmp_path).stdout.strip() == printed


def test_messages_are_what_they_were(tmp_path):
    out = run("""
        s, q, p = CLIFeeder(), QueueSink(), QueueSink()
        s > Drain() > q
        s > TransformDrain(lambda m: m) > p
        packet = IP(dst="192.0.2.1") / UDP(dport=53) / b"x"
        packet.time, ether = 12.5, Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet
        sent = ["é\\0", b"\\xff", 3, -2.5, True, (1, [2]), {"a": {3}}, packet, ether]
        s.send(sent[0])
        e = PipeEngine(s)
        e.start()
        for one in sent[1:]:
            s.send(one)
        e.stop()
        for sink in (q, p):
            got = [sink.recv(timeout=30) for _ in sent]
            assert [type(one) for one in got] == [type(one) for one in sent], got
            assert got[:7] == sent[:7] and [bytes(one) for one in got[7:]] == [bytes(one) for one in sent[7:]]
            assert float(got[7].time) == 12.5
        try:
            s.send(object())
        except TypeError as error:
            print(error)
        """, tmp_path)
    assert "a object cannot travel" in out.stdout or out.stdout == ""


def test_order_is_that_of_scapy(tmp_path):
    """Where ways meet behind what runs in Python, and where a trigger acts on what comes behind it."""
    script = """
        s = CLIFeeder()
        t = TriggerDrain(lambda m: m % 3 == 0)
        v, q, u = TriggeredValve(), QueueSink(), TransformDrain(lambda m: m * 10)
        class Both(Drain):
            def push(self, msg):
                self._send(msg)
                self._high_send(-msg)
        b = Both()
        s > t > v > u > b > q
        b >> q
        t ^ v
        t > q
        e = PipeEngine(s)
        e.start()
        for n in range(1, 10):
            s.send(n)
        s.close()
        e.stop()
        while (m := q.recv(block=False)) is not None:
            print(m)
        """
    ours = run(script, tmp_path).stdout.split()
    expected = []
    opened = True
    for n in range(1, 10):
        opened ^= n % 3 == 0
        expected += ([str(n * 10), str(-n * 10)] if opened else []) + [str(n)]
    assert ours == expected


def test_an_operator_of_a_derived_class_makes_the_same_link(tmp_path):
    out = run("""
        class A(Drain):
            def push(self, msg):
                self._send(msg + "a")
        class B(A):
            def push(self, msg):
                self._send(msg + "b")
        s, a, b, q = CLIFeeder(), A(), B(), QueueSink()
        s > a
        a > b
        b > q
        assert b in a.sinks and a not in b.sinks
        e = PipeEngine(s)
        e.start()
        s.send("m")
        print(q.recv(timeout=60))
        e.stop()
        """, tmp_path)
    assert out.stdout == "mab\n"


def test_exceptions_are_shown_and_counted(tmp_path):
    out = run("""
        s, q = CLIFeeder(), QueueSink()
        t = TransformDrain(lambda m: 1 // m)
        s > t > q
        e = PipeEngine(s)
        e.start()
        s.send(0)
        s.send(1)
        print(q.recv(timeout=60))
        block, = [b for b in e.stats()["blocks"] if b["errors"]]
        print(block["errors"], block["dropped"], block["last_error"])
        e.stop()
        """, tmp_path)
    assert out.stdout == "1\n1 {'error': 1} ZeroDivisionError: integer division or modulo by zero\n"
    assert "ZeroDivisionError" in out.stderr


def test_a_start_that_fails_comes_out(tmp_path):
    out = run("""
        class Bad(Sink):
            def start(self):
                raise RuntimeError("no such thing")
        s = CLIFeeder()
        s > Bad()
        e = PipeEngine(s)
        try:
            e.start()
        except RuntimeError as error:
            print(error)
        e.stop()
        """, tmp_path)
    assert out.stdout == "no such thing\n"


HOLDS = """
    from pipetool import CLIFeeder, PipeEngine, QueueSink
    import pipetool.daemon, sys
    s, q = CLIFeeder(), QueueSink()
    s > q
    e = PipeEngine(s)
    e.start()
    print(pipetool.daemon.own().pid, flush=True)
    sys.stdin.read()
    """


def hold_and_end(folder, kill):
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOLDS)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, env={**ENV, "XDG_RUNTIME_DIR": folder}) as process:
        daemon = os.pidfd_open(int(process.stdout.readline()))
        if kill:
            process.kill()
        else:
            process.stdin.close()
        assert select.select([daemon], [], [], 120)[0], "the daemon is still there"
        os.close(daemon)


def test_the_daemon_ends_with_the_script_and_leaves_nothing():
    with tempfile.TemporaryDirectory(prefix="pt") as folder:  # a socket's path is short
        hold_and_end(folder, kill=True)
        (left,) = pathlib.Path(folder).iterdir()
        os.utime(left, (0, 0))
        hold_and_end(folder, kill=False)
        assert not os.listdir(folder)


def test_files_are_the_script_s(tmp_path):
    (tmp_path / "sub").mkdir()
    run("""
        wrpcap("in.pcap", [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(dst="192.0.2.%d" % n) / UDP() for n in range(50)])
        class Odd(Drain):
            def push(self, msg):
                if int(msg[IP].dst.rsplit(".", 1)[1]) % 2:
                    self._send(msg)
        s = RdpcapSource("in.pcap")
        s > Odd() > WrpcapSink("sub/out.pcap")
        e = PipeEngine(s)
        e.start()
        e.wait_and_stop()
        assert [p[IP].dst for p in rdpcap("sub/out.pcap")] == ["192.0.2.%d" % n for n in range(1, 50, 2)]
        """, tmp_path)
