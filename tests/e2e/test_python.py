# SPDX-License-Identifier: BSD-2-Clause
"""The package `pipetool`: scripts of Scapy's with one line changed."""
import re
import subprocess
import sys
import textwrap

import pytest

from scripts import ENV, TOP, run


def test_the_examples_of_the_page(tmp_path):
    page = (TOP / "docs" / "python.md").read_text().split("## Any daemon")[0]
    examples = re.findall(r"```python\n(.*?)```.*?prints `?(.*?)`?[.:]", page, re.S)
    assert len(examples) == 4
    for text, printed in examples:
        assert run(text, tmp_path).stdout.strip() == printed


def test_messages_are_what_they_were(tmp_path):
    out = run("""
        s, q, p = CLIFeeder(), QueueSink(), QueueSink()
        s > Drain() > q
        s > TransformDrain(lambda m: m) > p
        packet = IP(dst="192.0.2.1") / UDP(dport=53) / b"x"
        packet.time, ether = 12.5, Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet
        sent = ["é\\0", "\\udcff", "x" * 2_000_000, b"\\xff", 3, -2.5, True, (1, [2]), {"a": {3}}, packet, ether]
        s.send(sent[0])
        e = PipeEngine(s)
        e.start()
        for one in sent[1:]:
            s.send(one)
        e.stop()
        for sink in (q, p):
            got = [sink.recv(timeout=30) for _ in sent]
            assert [type(one) for one in got] == [type(one) for one in sent], got
            assert got[:9] == sent[:9] and [bytes(one) for one in got[9:]] == [bytes(one) for one in sent[9:]]
            assert float(got[9].time) == 12.5
            assert got[9] is packet  # and so the layers that the script has given it
        copied = TransformDrain(lambda m: m.copy())
        s > copied > QueueSink(name="r")
        e.start()
        packet.time += 0.000000001
        s.send(packet)
        packet[IP].ttl -= 1  # while that is on its way
        got = list(copied.sinks)[0].recv(timeout=30)
        assert got.ttl == packet.ttl + 1 and got.time - 12.0 > 0.5  # as Scapy's times, which go with others
        raw = Raw(b"hello")
        s.send(raw)
        raw.load = b"o"  # with which that ends
        assert [bytes(q.recv(timeout=30)) for _ in range(2)][1] == b"hello"
        e.stop()
        """, tmp_path)
    assert not out.stdout


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


def test_a_source_that_fails_to_say_how_it_is_ends_nothing_else(tmp_path):
    out = run("""
        class Silent(Source):
            def exhausted(self):
                raise RuntimeError("no word")
            def fileno(self):
                pass
        class Blind(Source):
            def fileno(self):
                self.is_exhausted = True
                raise KeyError("no number")
        s, q = CLIFeeder(), QueueSink()
        s > TransformDrain(lambda m: m) > q
        silent, blind = Silent(), Blind()
        silent > q
        blind > q
        e = PipeEngine(s, silent, blind)
        e.start()
        s.send("m")
        print(q.recv(timeout=60))
        s.close()
        e.wait_and_stop()
        """, tmp_path)
    assert out.stdout == "m\n" and "RuntimeError: no word" in out.stderr and "KeyError: 'no number'" in out.stderr


def test_functions_send_without_end(tmp_path):
    """What they send waits for nothing, is all there, and in order; what they stop ends behind them."""
    out = run("""
        s, feeder, q = CLIFeeder(), CLIFeeder(), QueueSink()
        def many(m):
            for n in range(5000):
                feeder.send(n)
            feeder.close()
            return m
        s > TransformDrain(many) > q
        feeder > q
        s.send("early")
        e = PipeEngine(s, feeder)
        e.start()
        s.close()
        e.wait_and_stop()
        got = [q.recv(block=False) for _ in range(5001)]
        got.remove("early")
        print(got == list(range(5000)), q.recv(block=False))

        s, q = CLIFeeder(), QueueSink()
        s > TransformDrain(lambda m: e.stop() or m) > q
        e = PipeEngine(s)
        e.start()
        s.send("last")
        while e._runner:
            pass
        print(q.recv(timeout=60))
        """, tmp_path)
    assert out.stdout == "True None\nlast\n"


def test_what_is_added_while_it_runs(tmp_path):
    out = run("""
        class Slow(Drain):
            def start(self):
                s.send("before")  # for which the thread goes round meanwhile
            def push(self, msg):
                self._send(msg + "!")
        class Bad(Sink):
            stopped = 0
            def start(self):
                raise RuntimeError("no such thing")
            def stop(self):
                self.stopped += 1
        s, q, t = CLIFeeder(), QueueSink(), TransformDrain(lambda m: m)
        s > t > q
        e = PipeEngine(s)
        e.start()
        d = Slow()
        s > d > q
        e.add(d)
        s.send("a")
        print([q.recv(timeout=60) for _ in range(3)])
        b = Bad()
        s > b
        try:
            e.add(b)
        except RuntimeError as error:
            print(error, b.stopped, b in e.active_pipes)
        e.stop()
        """, tmp_path)
    assert out.stdout == "['before', 'a', 'a!']\nno such thing 1 False\n"


def test_a_thread_of_a_source_sends_nothing_after_the_stop(tmp_path):
    out = run("""
        import threading
        class Endless(ThreadGenSource):
            def generate(self):
                while self.RUN:
                    self._gen_data("m")
                for _ in range(1000):
                    self._gen_data("late")
                done.set()
        class Seen(Sink):
            def push(self, msg):
                threads.add(threading.current_thread())
        done, threads = threading.Event(), set()
        g, s = Endless(), Seen()
        g > s
        e = PipeEngine(g)
        e.start()
        while not threads:
            pass
        e.stop()
        done.wait()
        print(len(threads))
        """, tmp_path)
    assert out.stdout == "1\n"


def test_links_that_pass_nothing_are_left_out(tmp_path):
    out = run("""
        s, q = CLIFeeder(), QueueSink()
        t, w = TriggerDrain("function(m) return m:byte(1) == 110 end"), WrpcapSink("out.pcap")
        s > t > w
        t ^ w
        s >> q
        e = PipeEngine(s)
        e.start()
        for word in ("a" * 20, "next", "b" * 20):
            s.send(word)
        e.stop()
        """, tmp_path)
    assert "left out: CLIFeeder >> QueueSink\n" in out.stderr
    assert sorted(f.name for f in tmp_path.iterdir()) == ["out.00001.pcap", "out.pcap"]


def test_a_trigger_that_nobody_takes_is_kept_nowhere(tmp_path):
    out = run("""
        class Deaf(Sink):
            def push(self, msg):
                pass
        s, t, d = CLIFeeder(), TriggerDrain(lambda m: True), Deaf()
        s > t > d
        t ^ d
        e = PipeEngine(s)
        e.start()
        s.send("triggers")
        print(len(d._pt_wire.triggers))
        e.stop()
        """, tmp_path)
    assert "left out: TriggerDrain ^ Deaf\n" in out.stderr
    assert out.stdout == "0\n"


def test_feeders_and_queues_of_one_s_own(tmp_path):
    out = run("""
        class Feeder(CLIFeeder):
            def start(self):
                print("start")
        class Queue(QueueSink):
            def stop(self):
                print("stop")
        s, q = Feeder(), Queue()
        s > q
        e = PipeEngine(s)
        e.start()
        s.send("m")
        print(q.recv(timeout=60))
        s.close()
        e.wait_and_stop()
        """, tmp_path)
    assert out.stdout == "start\nm\nstop\n"


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


def test_a_peer_that_refuses_is_told_as_what_it_is(tmp_path):
    """By a class's own start, and by the daemon, while the engine runs: neither has the daemon ended."""
    out = run("""
        import socket
        class Connects(Sink):
            def start(self):
                socket.create_connection(free.getsockname())
        free = socket.socket()  # bound, and not listened on
        free.bind(("127.0.0.1", 0))
        s = CLIFeeder()
        e = PipeEngine(s)
        e.start()
        for sink in (Connects(), TCPConnectPipe(*free.getsockname())):
            try:
                s > sink
                e.add(sink)
            except ConnectionRefusedError as error:
                print("has ended" in str(error), e.stats()["unexplained"])
            s.sinks.discard(sink)
        e.stop()
        """, tmp_path)
    assert out.stdout == "False 0\n" * 2


def test_send_returns_when_the_message_has_gone_through(tmp_path):
    """Also where the way leads through functions, and what was sent before the start."""
    out = run("""
        import threading
        class Gate(Sink):
            def push(self, msg):
                came.set()
                opened.wait()
                seen.append(msg)
        def waits(call, *given):
            came.clear()
            opened.clear()
            thread = threading.Thread(target=call, args=given)
            thread.start()
            came.wait()
            e.stats()  # an answer that waits for nothing comes before this one
            waited = thread.is_alive()
            opened.set()
            thread.join()
            return waited
        came, opened, seen = threading.Event(), threading.Event(), []
        s, a = CLIFeeder(), AutoSource()
        s > TransformDrain(lambda m: m) > TransformDrain(lambda m: m) > Gate()
        a > Gate()
        for n in range(250):
            s.send(n)
        a._gen_data(250)
        e = PipeEngine(s, a)
        print(waits(e.start), sorted(seen) == list(range(251)), [n for n in seen if n < 250] == list(range(250)))
        for n in range(5):
            print(waits(s.send, n), waits(a._gen_data, -n), seen[-2:])
            a._gen_high_data("nowhere")
        e.stop()
        """, tmp_path)
    assert out.stdout.splitlines() == ["True True True", *(f"True True {[n, -n]}" for n in range(5))]


def test_a_file_as_source_and_sink(tmp_path):
    (tmp_path / "in.txt").write_text("what is there")
    out = run("""
        s, q = FDSourceSink(open("in.txt")), QueueSink()
        b, c = FDSourceSink(open("in.txt", "rb")), CLIFeeder()
        w = FDSourceSink(open("out.txt", "w"))
        s > TransformDrain(str.upper) > w
        b > q
        c > w
        c.close()
        e = PipeEngine(s, b, c)
        e.start()
        e.wait_and_stop()
        print(open("out.txt").read(), q.recv(), q.recv(block=False))
        """, tmp_path)
    assert out.stdout == "WHAT IS THERE b'what is there' None\n" and not out.stderr


def test_a_queue_that_drops_warns(tmp_path):
    out = run("""
        import warnings
        s, q, p = CLIFeeder(), QueueSink(limit=2000, name="first"), QueueSink(limit=2000, name="second")
        s > q
        s > p
        e = PipeEngine(s)
        e.start()
        for n in range(50):
            s.send("x" * 100)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            for n in range(3):
                q._pt_fetch(0)
        print(*(one.message for one in told))
        e.stop()
        """, tmp_path)
    assert out.stdout == "'first' is full, and drops messages (overflow='drop-newest')\n"
    assert "UserWarning: 'second' is full" in out.stderr and "'first'" not in out.stderr


INTERRUPTED = """
    import os, signal, sys, threading, traceback
    s = CLIFeeder()
    running, go_on = threading.Event(), threading.Event()
    class Slow(Sink):
        def push(self, msg):
            running.set()
            go_on.wait()
    s > Slow()
    e = PipeEngine(s)
    e.start()
    main = threading.current_thread()
    def interrupt():
        while "_stop" not in [f.name for f in traceback.extract_stack(sys._current_frames()[main.ident])]:
            pass
        os.kill(os.getpid(), signal.SIGINT)
        go_on.set()
    threading.Thread(target=interrupt).start()
    """


@pytest.mark.parametrize("stop", ["""
    threading.Thread(target=s.send, args=["m"]).start()
    running.wait()
    e.stop()
    """, "e.wait_and_stop()"])
def test_an_interrupt_stops(tmp_path, stop):
    out = run(textwrap.dedent(INTERRUPTED) + textwrap.dedent(stop) + "\nprint(e._runner)\n", tmp_path)
    assert out.stdout == "Interrupted by user.\nNone\n"
    assert "Traceback" not in out.stderr


def test_a_notebook_shows_counters_and_the_drawing(tmp_path):
    out = run("""
        import sys, types
        sys.modules["IPython"] = types.ModuleType("IPython")
        s, q = CLIFeeder(), QueueSink(name="kept")
        s > q
        e = PipeEngine(s)
        print(e._repr_html_())
        e.start()
        s.send("m")
        print(e._repr_html_())
        e.stop()
        print(e.graph()._repr_svg_() if shutil.which("dot") else "<svg")
        """.replace("import sys", "import shutil, sys"), tmp_path)
    assert "does not run" in out.stdout and "<tr><td>kept</td><td>1</td><td>0</td><td>1</td><td>0</td><td>0</td></tr>" in out.stdout
    assert "<svg" in out.stdout


def test_what_is_no_packet_has_a_link_type_in_captures(tmp_path):
    run("""
        s = CLIFeeder()
        s > WrpcapSink("one.pcap")
        s > WrpcapSink("raw.pcap", plain_linktype=101)
        e = PipeEngine(s)
        e.start()
        s.send("text")
        e.stop()
        """, tmp_path)
    assert [(tmp_path / name).read_bytes()[20:24] for name in ("one.pcap", "raw.pcap")] == [b"\1\0\0\0", b"\x65\0\0\0"]


UTS = """
% Tests
+ One

= Passes
~ some words
import mock
s, q = CLIFeeder(), QueueSink()
s > q
e = PipeEngine(s)
e.start()
s.send("m")
assert q.recv(timeout=60) == "m"

= Fails

assert raw(IP()) == b""
"""


def test_tests_of_scapy_s_can_be_run(tmp_path):
    (tmp_path / "some.uts").write_text(UTS)
    done = subprocess.run([sys.executable, TOP / "tests" / "scapy_uts.py", tmp_path / "some.uts"], env=ENV,
                          capture_output=True, text=True, timeout=300)
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and lines[:2] == ["passed Passes", "FAILED Fails"], done
    assert "    AssertionError" in lines and lines[-1] == "1 of 2 passed, 1 failed that should not"


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
