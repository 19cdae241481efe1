# SPDX-License-Identifier: BSD-2-Clause
"""The package `pipetool`: what scripts for Scapy's PipeTools do beyond its manual."""
from scripts import run


def test_objects_of_the_script_s_are_themselves_where_they_come(tmp_path):
    """By functions and queues, before the start, in what the daemon sends again and again; another program's are none."""
    out = run("""
        import collections
        class Thing:
            def __init__(self):
                self.seen = []
        class Adds(Drain):
            def push(self, msg):
                msg.seen.append(self.name)
                self._send(msg)
        Pair = collections.namedtuple("Pair", "a b")
        itself = []
        itself.append(itself)
        things = [Thing() for _ in range(5)]
        early, q, p = CLIFeeder(), QueueSink(), QueueSink()
        early > Adds("one") > Drain() > Adds("two") > q
        again = PeriodicSource(things[4], 0.01)
        again > p
        t = CLIFeeder()
        t > TriggerDrain("always") > Sink()
        list(t.sinks)[0] ^ TriggeredMessage(things[3]) > QueueSink(name="third")
        m = list(list(t.sinks)[0].trigger_sinks)[0]
        early.send(things[0])
        e = PipeEngine(early, again, t)
        e.start()
        early.send(things[1])
        print([q.recv(timeout=60) is thing and thing.seen for thing in things[:2]])
        print({p.recv(timeout=60) is things[4] for _ in range(9)})
        t.send("now")
        print(list(m.sinks)[0].recv(timeout=60) is things[3])
        s, r = CLIFeeder(), QueueSink()
        s > r
        e.add(s)
        for one in (Pair(1, [2]), itself, {"a": things[0]}, float("nan"), ["x" * 17_000_000]):
            s.send(one)
            print(r.recv(timeout=60) is one, end=" ")
        e._call("block.send", block=s._block, messages=[{"message": "<Thing 00:0>", "link_type": 0x8002, "time": "0"}])
        print(r.recv(block=False))
        e.stop()
        """, tmp_path)
    assert out.stdout.splitlines() == ["[['one', 'two'], ['one', 'two']]", "{True}", "True", "True True True True True None"]
    assert "lost a message: <Thing 00:0> is no object of this script's" in out.stderr


def test_a_queue_takes_objects_in_before_they_are_kept_no_more(tmp_path):
    out = run("""
        from pipetool import message
        message.KEPT = 400
        s, q = CLIFeeder(), QueueSink()
        s > TransformDrain(lambda m: m) > q
        e = PipeEngine(s)
        e.start()
        things = [object() for _ in range(1000)]
        for at in range(0, 1000, 50):
            for thing in things[at:at + 50]:
                s.send(thing)
            e._runner.later.join()
        print([q.recv(timeout=60) for _ in things] == things)
        e.stop()
        """, tmp_path)
    assert out.stdout == "True\n" and not out.stderr


def test_what_is_taken_in_keeps_its_place(tmp_path):
    """Beside a thread that takes messages out."""
    out = run("""
        import threading
        from pipetool import engine
        s, q = CLIFeeder(), QueueSink()
        s > q
        e = PipeEngine(s)
        e.start()
        def take():
            got.extend(q.recv(timeout=60) for _ in range(3000))
        got, taker = [], threading.Thread(target=take)
        taker.start()
        for n in range(3000):
            s.send(n)
            engine._take_in()
        taker.join()
        print(got == list(range(3000)))
        e.stop()
        """, tmp_path)
    assert out.stdout == "True\n" and not out.stderr


def test_only_the_last_objects_are_kept(tmp_path):
    out = run("""
        from pipetool import message
        message.KEPT = 4
        frames = [message.to_frame(object()) for _ in range(5)]
        for frame in frames[:2]:
            try:
                print(type(message.from_frame(frame)).__name__)
            except LookupError as error:
                print("not one of the last 4" in str(error))
        """, tmp_path)
    assert out.stdout == "True\nobject\n"


def test_links_are_those_of_the_engine(tmp_path):
    """Made behind PipeEngine(…), made and taken out while it runs; what has a start of its own waits for add."""
    out = run("""
        class Starts(Sink):
            seen = None
            def start(self):
                self.seen = []
            def push(self, msg):
                self.seen.append(msg)
        s, q, p, d = CLIFeeder(), QueueSink(), QueueSink(), TransformDrain(lambda m: m + "!")
        e = PipeEngine(s)
        s > q
        e.start()
        s.send("one")
        s > d > p
        s.send("two")
        s.sinks.remove(q)
        s.send("three")
        s.sinks.discard(d)
        s.sinks.update([q])
        s.send("four")
        late = Starts()
        s > late
        s.send("five")
        print(late.seen)
        e.add(late)
        s.send("six")
        print(late.seen)
        try:
            s > RdpcapSource.__mro__ and s > WrpcapSink("/nowhere/out.pcap")
        except OSError as error:
            print(error.filename, len(s.sinks))
        e.stop()
        print([q.recv(block=False) for _ in range(6)], [p.recv(block=False) for _ in range(3)])
        """.replace("s > RdpcapSource.__mro__ and ", ""), tmp_path)
    assert out.stdout.splitlines() == [
        "None", "['six']", "/nowhere/out.pcap 2", "['one', 'two', 'four', 'five', 'six', None] ['two!', 'three!', None]"]


def test_a_trigger_link_that_is_made_and_unmade_keeps_what_triggers_carry(tmp_path):
    out = run("""
        class Shows(Drain):
            def on_trigger(self, msg):
                print(msg)
        s, t, c = CLIFeeder(), TriggerDrain(lambda m: m), Shows()
        s > t > c
        e = PipeEngine(s)
        e.start()
        s.send(1)
        t ^ c
        s.send(2)
        t.trigger_sinks.remove(c)
        s.send(3)
        t ^ c
        s.send(4)
        e.stop()
        """, tmp_path)
    assert out.stdout == "2\n4\n" and not out.stderr


def test_a_function_that_would_wait_for_the_daemon_fails_at_once(tmp_path):
    """Where ways meet; elsewhere it is answered. What needs no answer is done behind it."""
    out = run("""
        def ask(m):
            for call in (e.stats, q.recv, q.q.qsize, PipeEngine(CLIFeeder()).start):
                try:
                    call()
                except RuntimeError as error:
                    told.add(str(error).split(",")[0])
                else:
                    told.add("an answer")
            if m == "add":
                f > TransformDrain(lambda m: "added " + m) > r
            return m
        for meets in (True, False):
            told = set()
            s, f, q, r = CLIFeeder(), CLIFeeder(), QueueSink(), QueueSink()
            q.q.put("never")
            s > TransformDrain(ask) > q
            if meets:
                s > q
                q.recv()
            e = PipeEngine(s, f)
            if not meets:
                for _ in range(9):
                    q.q.put("kept")
            e.start()
            s.send("one")
            s.send("add")
            while not r.q.qsize():
                f.send("m")
            print(told, r.recv(timeout=60))
            e.stop()
        """, tmp_path)
    assert out.stdout.splitlines() == ["{'the daemon waits for this function'} added m", "{'an answer'} added m"]


def test_sys_exit_in_a_function_ends_the_engine(tmp_path):
    """As in Scapy; what came before is there, and the function is called no more."""
    out = run("""
        import sys, threading
        class Endless(ThreadGenSource):
            def generate(self):
                n = 0
                while self.RUN:
                    self._gen_data(n)
                    n += 1
        def leave(m):
            calls.append(m)
            if m == 1000:
                sys.exit("enough")
            return m
        for meets in (False, True):
            calls, s, q = [], Endless(), QueueSink()
            s > TransformDrain(leave) > q
            if meets:
                s > Drain() > q
            e = PipeEngine(s)
            e.start()
            e.wait_and_stop()
            got = []
            while (m := q.recv(block=False)) is not None:
                got.append(m)
            before = [n for n in range(1000) for _ in range(1 + meets)]
            print(calls == list(range(1001)), got[:len(before)] == before)
        """, tmp_path)
    assert out.stdout == "True True\n" * 2 and out.stderr == "enough\n" * 2


def test_what_runs_in_the_daemon_is_triggered_and_asked_from_here(tmp_path):
    out = run("""
        s, v, w, m, q = CLIFeeder(), TriggeredValve(start_state=False), TriggeredSwitch(), TriggeredMessage("hi"), QueueSink()
        s > v > q
        s > w
        w >> TransformDrain(lambda m: "high " + m) >> q
        m > q
        d = Drain()
        s > d > Sink()
        e = PipeEngine(s, m)
        print(v.opened, w.low)
        e.start()
        s.send("one")
        print(v.opened, w.low)
        for block in (v, w, m):
            block.on_trigger(True)
        print(v.opened, w.low, q.recv(timeout=60))
        s.send("two")
        s._send("three")
        print(sorted(q.recv(timeout=60) for _ in range(4)))
        for call in (lambda: d.push("x"), lambda: setattr(v, "opened", False)):
            try:
                call()
            except (NotImplementedError, AttributeError) as error:
                print(str(error).split(":")[0])
        e.stop()
        """, tmp_path)
    assert out.stdout.splitlines() == [
        "False True", "False True", "True False hi", "['high three', 'high two', 'three', 'two']",
        "'Drain' runs in the daemon, which calls nothing here",
        "'TriggeredValve' runs in the daemon, where a trigger changes it"]


def test_a_link_that_is_refused_while_it_runs_leaves_no_trace(tmp_path):
    """Neither here nor in the daemon; what goes there and back is one link."""
    out = run("""
        s, a, b, c = CLIFeeder(), Drain(), Drain(), Drain()
        s > a > b > Sink()
        e = PipeEngine(s)
        e.start()
        def now():
            return sorted((link["from"], link["to"], link["canal"]) for link in e._call("engine.show")["links"])
        before, words = now(), repr([a, b, c])
        for link in (lambda: b > a, lambda: a % b, lambda: a % c, lambda: a // c, lambda: c % a, lambda: c // a):
            try:
                link()
            except Refused as error:
                print(error.kind, now() == before, repr([a, b, c]) == words, e.get_pipe_list(c) == {c})
        a > c
        print(len(now()) - len(before))
        e.stop()
        """, tmp_path)
    assert out.stdout == "cycle True True True\n" * 6 + "1\n" and not out.stderr


def test_names_of_a_class_are_its_own(tmp_path):
    """Whatever the package keeps in it; and what Scapy's classes have, scripts find."""
    words = ["engine", "wire", "inner", "thread", "stopped", "runs", "local", "objects", "arrived", "kind", "type", "block_",
             "begin", "open", "put", "take", "fetch", "gen", "came", "ends", "closed", "look", "meet", "hand"]
    out = run(f"""
        import threading
        def taken(self):
            for word in {words}:
                for name in (word, "_" + word):
                    setattr(self, name, 0)
            self.label = self.spec = self.native = self.given = self.more = 0
        class Numbers(ThreadGenSource):
            def __init__(self):
                super().__init__()
                taken(self)
            def generate(self):
                for n in range(3):
                    self._gen_data((n, self.RUN))
                self.is_exhausted = True
        class Passes(Drain):
            def __init__(self):
                super().__init__()
                taken(self)
            def push(self, msg):
                self._send(msg)
        class Sums(Drain):
            n = 0
            def push(self, msg):
                self.n += 1
            def stop(self):
                self._send(self.n)
        s, q, w = Numbers(), QueueSink(), WrpcapSink("out.pcap")
        s > Passes() > q
        s > Sums() > ConsoleSink()
        s > w
        e = PipeEngine(s)
        print(e.thread, w.f)
        e.start()
        w.f.flush()
        print(e.thread.is_alive())
        e.wait_and_stop()
        print(e.thread.is_alive(), [q.q.get_nowait() for _ in range(3)], q.q.full())
        """, tmp_path)
    assert out.stdout.splitlines() == ["None None", "True", ">3", "False [(0, True), (1, True), (2, True)] False"]


def test_what_a_class_has_opened_itself_it_goes_by(tmp_path):
    """In `start`, as Scapy's classes do; one that leaves it to `super` is as before."""
    (tmp_path / "in.txt").write_text("one\ntwo\n")
    out = run("""
        import socket
        class Lines:
            def __init__(self, name):
                self.file = open(name)
            def recv(self):
                line = self.file.readline()
                if not line:
                    raise EOFError
                return line
            def fileno(self):
                return self.file.fileno()
            def close(self):
                self.file.close()
        class Kept:
            def __init__(self):
                self.seen, self.calls = [], []
            def write(self, msg):
                self.seen.append(msg)
            send = write
            def flush(self):
                self.calls.append("flush")
            def close(self):
                self.calls.append("close")
        class Reads(RdpcapSource):
            def start(self):
                self.f = Lines(self.fname)
        class Writes(WrpcapSink):
            def start(self):
                self.f = Kept()
        class Sends(InjectSink):
            def start(self):
                self.s = Kept()
        class Leaves(WrpcapSink):
            def start(self):
                super().start()
        class Pair(TCPConnectPipe):
            def start(self):
                self.fd, self.far = socket.socketpair()
        r, w, i, p, q = Reads("in.txt"), Writes("w.pcap"), Sends("none"), Pair(), QueueSink()
        for sink in (w, i, Leaves("out.pcap"), p):
            r > sink
        p > q
        e = PipeEngine(r)
        for _ in range(2):
            e.start()
            while len(w.f.seen) < 2 or len(i.s.seen) < 2:
                pass
            print(p.far.recv(4), end=" ")
            p.far.sendall(b"back")
            print(q.recv(timeout=60))
            e.stop()
            print(w.f.seen, w.f.calls, i.s.seen, i.s.calls)
        """, tmp_path)
    assert out.stdout == ("b'one\\n' b'back'\n['one\\n', 'two\\n'] ['flush', 'close'] ['one\\n', 'two\\n'] ['close']\n") * 2
    assert sorted(f.name for f in tmp_path.iterdir()) == ["in.txt", "out.pcap"]


def test_open_files_and_those_of_the_process(tmp_path):
    """A name that is something else to each process is the script's."""
    out = run("""
        import os, sys
        ends = os.pipe()
        with open("out.pcap", "wb") as file:
            s = CLIFeeder()
            s > WrpcapSink(file)
            s > FileSink("/dev/stdout", newlines=True)
            e = PipeEngine(s)
            e.start()
            s.send("m")
            e.stop()
        for by_name in (False, True):
            with open("out.pcap", "rb") as file:
                r, q = RdpcapSource([f"/dev/fd/{file.fileno()}"] if by_name else file), QueueSink()
                r > q
                e = PipeEngine(r)
                e.start()
                e.wait_and_stop()
            print(bytes(q.recv(block=False)), flush=True)
        """, tmp_path)
    assert out.stdout == "m\n" + "b'm'\n" * 2


def test_a_graph_of_many_functions(tmp_path):
    """More than go along with a request, and more blocks than a line holds."""
    out = run("""
        q = QueueSink()
        s = CLIFeeder()
        for n in range(100):
            s > TransformDrain(lambda m, n=n: n) > q
        last = s
        for n in range(6000):
            drain = Drain()
            last > drain
            last = drain
        last > q
        e = PipeEngine(s)
        e.start()
        s.send("through")
        print([q.recv(timeout=60) for _ in range(101)] == [*range(100), "through"], len(e.active_pipes))
        e.stop()
        """, tmp_path)
    assert out.stdout == "True 6102\n"
