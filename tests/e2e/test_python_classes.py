# SPDX-License-Identifier: BSD-2-Clause
"""The package `pipetool`: classes of one's own, and where they and what they derive from run."""
import socket

import pytest

from scripts import run

PACKETS = """
    from scapy.layers.inet import IP, UDP
    from scapy.utils import rdpcap, wrpcap
    def packets(n):
        return [IP(dst="192.0.2.%d" % i) / UDP(dport=9) / (b"%d" % i) for i in range(n)]
    """


def test_a_class_of_a_sink_hands_on_what_it_wants(tmp_path):
    """And what it leaves alone is as it was: triggers, and the sink's own errors."""
    out = run(PACKETS + """
    class Odd(WrpcapSink):
        def push(self, msg):
            if int(msg[IP].dst.rsplit(".", 1)[1]) % 2:
                super().push(msg)
    wrpcap("in.pcap", packets(100))
    source, sink = RdpcapSource("in.pcap"), Odd("out.pcap")
    source > TriggerDrain(lambda m: m[IP].dst == "192.0.2.50") > sink
    list(source.sinks)[0] ^ sink
    e = PipeEngine(source)
    for _ in range(2):
        e.start()
        e.wait_and_stop()
        print([[int(p.dst.split(".")[3]) for p in rdpcap(name)] == list(range(first, last, 2))
               for name, first, last in (("out.pcap", 1, 50), ("out.00001.pcap", 51, 100))])
    """, tmp_path)
    assert out.stdout == "[True, True]\n" * 2 and not out.stderr


def test_a_class_of_a_source_gets_what_that_reads(tmp_path):
    """Each way that Scapy's users write it; to the last packet, and the source is exhausted then."""
    out = run(PACKETS + """
    class ByBase(RdpcapSource):
        def deliver(self):
            super().deliver()
    class ByReader(RdpcapSource):
        def deliver(self):
            try:
                self._high_send(self.f.recv())
            except EOFError:
                self._send("all")
                self.is_exhausted = True
    class BySend(RdpcapSource):
        def _send(self, msg):
            super()._send(bytes(msg)[-2:])
    class ByLine(FileSource):
        def deliver(self):
            self._send(self.recv().decode() + "!")
    class Counted(RdpcapSource):
        asked = 0
        def exhausted(self):
            self.asked += 1
            return super().exhausted()
    wrpcap("in.pcap", packets(30))
    open("in.txt", "w").write("one\\ntwo\\n")
    def all_of(source, high=False):
        q = QueueSink()
        source > q
        source >> q
        e = PipeEngine(source)
        for _ in range(2):
            e.start()
            e.wait_and_stop()
        got = []
        while (m := q.recv(block=False)) is not None:
            got.append(m)
        return got
    wanted = [bytes(p) for p in packets(30)] * 2
    for cls in (ByBase, Counted):
        print([bytes(p) for p in all_of(cls("in.pcap"))] == wanted)
    got = all_of(ByReader("in.pcap"))
    print([bytes(p) for p in got if p != "all"] == wanted, got[30], got[61])
    print(all_of(BySend("in.pcap")) == [p[-2:] for p in wanted], all_of(ByLine("in.txt")))
    """, tmp_path)
    assert out.stdout.splitlines() == ["True", "True", "True all all", "True ['one!', 'two!', 'one!', 'two!']"]


def test_a_source_of_one_s_own_is_asked_when_it_was_sent_something(tmp_path):
    """As an ObjectPipe of Scapy's: from any thread, before the start too, any object."""
    out = run("""
        class Asked(Source):
            def deliver(self):
                n = self.recv()["n"]
                self._send(n)
                self.is_exhausted = n == 3
        class Feeder(CLIFeeder):
            def deliver(self):
                msg, high, none = self.recv()
                (self._high_send if high else self._send)(msg.n + 10)
        class Thing:
            def __init__(self, n):
                self.n = n
        s, f, q = Asked(), Feeder(), QueueSink()
        s > q
        f > q
        s.send({"n": 1})
        f.send(Thing(1))
        e = PipeEngine(s, f)
        e.start()
        f.send(Thing(2))
        f.close()
        for n in (2, 3):
            s.send({"n": n})
        e.wait_and_stop()
        got = [q.recv(block=False) for _ in range(6)]
        print([n for n in got if n and n < 10], [n for n in got if n and n > 10], got[5])
        """, tmp_path)
    assert out.stdout == "[1, 2, 3] [11, 12] None\n"


def test_what_cannot_be_called_is_refused_in_words(tmp_path):
    """Of drains, in which what is called would overtake what is sent; at the start, or for each message."""
    out = run("""
        class Odd(FilterDrain):
            def high_push(self, msg):
                self._send(msg + "!")
        class Both(Odd):
            def push(self, msg):
                TransformDrain("upper").push(msg)
        class Tee(FileSink):
            def push(self, msg):
                super().push(msg)
        class Program(ProgramPipe):
            def deliver(self):
                pass
        s, q, odd, both, tee = CLIHighFeeder(), QueueSink(), Odd(), Both(), Tee("out.txt")
        s >> odd > q
        t = CLIFeeder()
        t > odd
        t > both
        t > tee > q
        e = PipeEngine(s, t)
        e.start()
        s.send("m")
        t.send("m")
        print(q.recv(timeout=60))
        for b in e.stats()["blocks"]:
            if b["errors"]:
                print(b["name"], b["last_error"].split(":")[1].split(",")[0].strip())
        e.stop()
        f, p = CLIFeeder(), Program("cat")
        f > p > QueueSink()
        try:
            PipeEngine(f).start()
        except NotImplementedError as error:
            print(error)
        """, tmp_path)
    assert out.stdout.splitlines() == [
        "m!", "odd1 what a FilterDrain does is done in the daemon", "both1 'upper' is a function of the daemon's",
        "tee1 what a FileSink does is done in the daemon",
        "what a ProgramPipe does is done in the daemon, and cannot be called: link one with this block"]


@pytest.mark.parametrize("kind", ["TCPConnectPipe", "UDPClientPipe"])
def test_a_class_of_a_pipe_has_its_socket(tmp_path, kind):
    """Against one of the daemon's, and one that listens here."""
    listening = {"TCPConnectPipe": "TCPListenPipe", "UDPClientPipe": "UDPServerPipe"}[kind]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    out = run(f"""
        class Loud({kind}):
            def push(self, msg):
                super().push(msg + "!")
            def deliver(self):
                self._send(self.fd.recv(100) + b"?")
        class Answers({listening}):
            def _send(self, msg):
                self.push(msg.upper())
        for kind in ({listening}, Answers):
            far, near, s, q = kind("127.0.0.1", {port}), Loud("127.0.0.1", {port}), CLIFeeder(), QueueSink()
            if kind is {listening}:
                far > TransformDrain("upper") > far
            s > near > q
            other, e = PipeEngine(far), PipeEngine(s)
            other.start()
            e.start()
            s.send("a")
            print(q.recv(timeout=60))
            e.stop()
            other.stop()
        """, tmp_path)
    assert out.stdout == "b'A!?'\n" * 2


def test_the_daemon_keeps_the_pace(tmp_path):
    """Of what can be a message of its own; what chance makes anew is made here."""
    out = run("""
        import threading
        from scapy.layers.inet import IP
        from scapy.volatile import RandIP
        packet, by_chance = IP(dst="192.0.2.1"), IP(src=RandIP())
        packet.time = 12.5
        s = PeriodicSource(["text", b"bytes", (1, "two"), packet], 0)
        c, t, m, q, p = PeriodicSource(by_chance, 0), CLIFeeder(), TriggeredMessage(packet), QueueSink(), QueueSink()
        s > q
        c > p
        t > TriggerDrain("always") > Sink()
        list(t.sinks)[0] ^ m > QueueSink(name="third")
        e = PipeEngine(s, c, t)
        print([x._pt_spec() is None for x in (s, c, m)])
        e.start()
        print([thread.name for thread in threading.enumerate()].count("pipetool generate"))
        got = [q.recv(timeout=60) for _ in range(5)]
        print(got[:3], type(got[3]), got[3].dst, float(got[3].time), got[4])
        print(len({p.recv(timeout=60).src for _ in range(20)}) > 1)
        t.send("now")
        print(list(m.sinks)[0].recv(timeout=60).dst)
        e.stop()
        """, tmp_path)
    assert out.stdout.splitlines() == [
        "[False, True, False]", "1", "['text', b'bytes', (1, 'two')] <class 'scapy.layers.inet.IP'> 192.0.2.1 12.5 text",
        "True", "192.0.2.1"]


def test_a_source_that_starts_again_is_one(tmp_path):
    """The thread of before finds that it runs no more, and sends nothing."""
    out = run("""
        import threading
        class Numbers(ThreadGenSource):
            run = 0
            def generate(self):
                self.run += 1
                mine, go = self.run, gates[self.run]
                self._gen_data(mine)
                go.wait()
                seen.append((mine, self.RUN))
                self._gen_data(-mine)
                self.is_exhausted = True
                self._exhaust()
                done[mine].set()
        gates, done, seen = [[threading.Event() for _ in range(3)] for _ in range(2)] + [[]]
        s, q = Numbers(), QueueSink()
        s > q
        e = PipeEngine(s)
        for n in (1, 2):
            e.start()
            print(q.recv(timeout=60))
            if n == 1:
                e.stop()
        gates[1].set()
        done[1].wait()
        s.is_exhausted = False
        gates[2].set()
        e.wait_and_stop()
        done[2].wait()
        print(q.recv(block=False), q.recv(block=False), seen)
        """, tmp_path)
    assert out.stdout == "1\n2\n-2 None [(1, False), (2, True)]\n"


def test_operators_return_what_those_of_scapy_do(tmp_path):
    """The trap: `a > b` asks b first where its class derives from a's."""
    out = run("""
        class A(Drain):
            def push(self, msg):
                self._send(msg + "a")
        class B(A):
            pass
        class C(B):
            def push(self, msg):
                self._send(msg + "c")
        s, a, b, c, d, q = CLIFeeder(), A(), B(), C(), C(), QueueSink()
        print((a > b) is b, (b > c) is c, (d < c) is d, isinstance(a, Sink), [p.name for p in c.sources])
        (s > a)
        d > q
        e = PipeEngine(s)
        e.start()
        s.send("m")
        print(q.recv(timeout=60))
        e.stop()
        """, tmp_path)
    assert out.stdout == "True True True False ['B']\nmaacc\n"


def test_what_the_page_of_scapy_shows(tmp_path):
    """Classes of one's own as they are written there; a trigger carries its message."""
    out = run("""
        class High(CLIFeeder):
            def send(self, msg):
                self._gen_high_data(msg)
            def close(self):
                self.is_exhausted = True
        class Upper(Drain):
            def __init__(self, f, name=None):
                Drain.__init__(self, name=name)
                self.f = f
            def push(self, msg):
                self._send(self.f(msg))
            def high_push(self, msg):
                self._high_send(self.f(msg))
            def on_trigger(self, msg):
                self._trigger((msg, 1))
        class Shows(TriggerSink):
            def push(self, msg):
                print(">%r" % msg)
            def high_push(self, msg):
                print(">>%r" % msg)
            def on_trigger(self, msg):
                print("^%r" % (msg,))
        class Three(ThreadGenSource):
            def generate(self):
                for n in range(3):
                    self._gen_data(n)
                self.is_exhausted = True
        h, t, u, c, q = High(), CLIFeeder(), Upper(lambda m: m.upper()), Shows(), QueueSink()
        d, three = TriggerDrain(lambda m: len(m) > 3 and m), Three()
        h >> u
        t > d > u > c
        u >> c
        d ^ u
        u ^ c
        three > q
        e = PipeEngine(h, t, three)
        e.start()
        h.send("one")
        t.send("two")
        t.send("three")
        h.close()
        t.close()
        e.wait_and_stop()
        print([q.recv(block=False) for _ in range(4)])
        """, tmp_path)
    assert out.stdout.splitlines() == [">>'ONE'", ">'TWO'", "^('three', 1)", ">'THREE'", "[0, 1, 2, None]"]


def test_a_source_of_the_daemon_s_tells_its_end(tmp_path):
    (tmp_path / "in.txt").write_text("line\n" * 9)
    out = run("""
        s, q = FileSource("in.txt"), QueueSink()
        s > q
        e = PipeEngine(s)
        print(s.is_exhausted, SniffSource().s)
        for _ in range(2):
            e.start()
            while not s.exhausted():
                pass
            e.wait_and_stop()
            print(s.is_exhausted)
        """, tmp_path)
    assert out.stdout == "False None\nTrue\nTrue\n"


def test_a_thread_that_runs_by_hand_shows_its_exception(tmp_path):
    out = run("""
        class Failing(ThreadGenSource):
            def generate(self):
                1 // 0
        s = Failing()
        s.start()
        s._pt_thread.join()
        """, tmp_path)
    assert "ZeroDivisionError" in out.stderr


def test_a_terminal_leaves_no_descriptor(tmp_path):
    """Neither one that was closed, nor one that there was no program for."""
    (tmp_path / "xterm").write_text("#!/bin/sh\nexec /bin/sleep 1000\n")
    (tmp_path / "xterm").chmod(0o755)
    out = run("""
        import os
        t = TermSink(keepterm=False, openearly=False)
        before = os.listdir("/proc/self/fd")
        for path in (os.getcwd(), "/nowhere"):
            os.environ["PATH"] = path
            try:
                t.start()
                t.push("seen")
                t.stop()
            except FileNotFoundError as error:
                print(error.filename)
        print(os.listdir("/proc/self/fd") == before)
        """, tmp_path)
    assert out.stdout == "xterm\nTrue\n"


def test_a_function_asks_whether_a_source_is_at_its_end_without_waiting(tmp_path):
    """Where ways meet the daemon waits for the function, which cannot wait for the daemon."""
    (tmp_path / "in.txt").write_text("line\n" * 500)
    out = run("""
        def ask(m):
            seen.add(s.is_exhausted)
            return m
        s, f, q, seen = FileSource("in.txt"), CLIFeeder(), QueueSink(), set()
        for start in (s, f):
            for function in (ask, None):
                start > TransformDrain(function or (lambda m: m)) > q
        e = PipeEngine(s)
        e.start()
        while True not in seen:
            f.send("m")
        f.close()
        e.wait_and_stop()
        print(seen, s.is_exhausted, q.q.qsize() > 1000)
        """, tmp_path)
    assert out.stdout == "{False, True} True True\n" and not out.stderr
