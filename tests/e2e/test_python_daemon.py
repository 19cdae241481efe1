# SPDX-License-Identifier: BSD-2-Clause
"""The daemon of a script that uses the package `pipetool`: when it begins, whose it is, and when it ends."""
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import textwrap

from scripts import ENV, run


def test_a_child_leaves_the_parent_s_engine_alone(tmp_path):
    out = run("""
        import os, sys
        s, q = CLIFeeder(), QueueSink()
        s > q
        e = PipeEngine(s)
        e.start()
        child = os.fork()
        if not child:
            sys.exit(0)
        os.waitpid(child, 0)
        s.send("m")
        print(q.recv(timeout=60))
        """, tmp_path)
    assert out.stdout == "m\n"


def test_a_child_has_a_daemon_of_its_own(tmp_path):
    out = run("""
        import os, sys
        from pipetool import daemon
        s, q = CLIFeeder(), QueueSink()
        s > TransformDrain(lambda m: m) > q
        e = PipeEngine(s)
        e.start()
        s.send("m")
        parent = daemon.own().pid
        child = os.fork()
        if not child:
            e.stop()
            e.start()
            s.send("of the child")
            print(q.recv(timeout=60), daemon.own().pid != parent)
            sys.exit(0)
        os.waitpid(child, 0)
        print(q.recv(timeout=60), q.recv(block=False), daemon.own().pid == parent)
        """, tmp_path)
    assert out.stdout == "of the child True\nm None True\n"


def test_a_child_of_a_function_is_none(tmp_path):
    """What it sends has gone through."""
    out = run("""
        import os
        def fork(m):
            child = os.fork()
            if not child:
                t, p = CLIFeeder(), QueueSink()
                t > p
                f = PipeEngine(t)
                f.start()
                t.send("of the child")
                print(p.recv(block=False), flush=True)
                f.stop()
                os._exit(0)
            os.waitpid(child, 0)
            return m
        s, q = CLIFeeder(), QueueSink()
        s > TransformDrain(fork) > q
        e = PipeEngine(s)
        e.start()
        s.send("m")
        print(q.recv(timeout=60))
        e.stop()
        """, tmp_path)
    assert out.stdout == "of the child\nm\n"


def test_an_engine_of_somebody_else_stays(tmp_path):
    out = run("""
        from pipetool import Refused, daemon
        engines = []
        for _ in range(2):
            s, q = CLIFeeder(), QueueSink()
            s > q
            engines.append((PipeEngine(s, socket=daemon.own().socket, engine="one"), s, q))
        engines[0][0].start()
        try:
            engines[1][0].start()
        except Refused as error:
            print(error.message)
        engines[0][1].send("m")
        print(engines[0][2].recv(timeout=60))
        """, tmp_path)
    assert out.stdout == "there is an engine 'one' already\nm\n"


def test_it_starts_again_with_another_daemon(tmp_path):
    out = run("""
        import os, signal
        import warnings
        from pipetool import daemon
        warnings.simplefilter("default")
        s, q = CLIFeeder(), QueueSink()
        s > TransformDrain(lambda m: m) > q
        e = PipeEngine(s)
        for word in ("one", "two"):
            e.start()
            s.send(word)
            print(q.recv(timeout=60))
            os.kill(daemon.own().pid, signal.SIGKILL)
            e.wait_and_stop()
        """, tmp_path)
    assert "ResourceWarning" not in out.stderr
    assert out.stdout == "one\ntwo\n" and "the daemon has ended before the engine" in out.stderr


def test_what_is_no_daemon_is_told_in_words(tmp_path):
    (tmp_path / "old").write_text("#!/bin/sh\nread line\n")
    (tmp_path / "old").chmod(0o755)
    out = run("""
        import os, warnings
        from pipetool import daemon
        for program in ("/bin/true", "/nowhere", os.path.abspath("old")):
            os.environ["PIPETOOLD"] = program
            s = CLIFeeder()
            s > Sink()
            try:
                PipeEngine(s).start()
            except RuntimeError as error:
                print(f"'{program}' has ended at once" in str(error), daemon._daemon)
        try:
            PipeEngine(s, socket="/nowhere/a.sock").start()
        except FileNotFoundError as error:
            print(error.filename)
        try:
            PipeEngine(s, socket="/" * 200).start()
        except OSError as error:
            print(error)
        """, tmp_path)
    assert out.stdout == "True None\n" * 3 + "/nowhere/a.sock\nAF_UNIX path too long\n"


def test_an_engine_whose_daemon_was_killed_says_so_and_starts_again(tmp_path):
    """Also where warnings are errors."""
    out = run("""
        import os, signal, warnings
        from pipetool import daemon
        s, q = CLIFeeder(), QueueSink()
        s > TransformDrain(lambda m: m) > q
        e = PipeEngine(s)
        e.start()
        mine = daemon.own()
        os.kill(mine.pid, signal.SIGKILL)
        while mine.is_alive():
            pass
        for call in (lambda: s.send("m"), e.stats, lambda: s > QueueSink(name="p"), lambda: e.add(CLIFeeder())):
            try:
                call()
            except ConnectionResetError as error:
                print(str(error).split(",")[0], len(s.sinks))
        warnings.simplefilter("error")
        try:
            e.stop()
        except UserWarning as told:
            print(told)
        e.start()
        s.send("again")
        print(q.recv(timeout=60))
        """, tmp_path)
    assert out.stdout.splitlines() == ["the daemon has ended 1"] * 4 + [
        "the daemon has ended before the engine: what was on its way is lost", "again"]


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


def test_the_daemon_ends_with_the_last_engine(tmp_path):
    out = run("""
        import os, select
        from pipetool import daemon
        engines = []
        for _ in range(2):
            s, q = CLIFeeder(), QueueSink()
            s > q
            engines.append((PipeEngine(s), s, q))
            engines[-1][0].start()
        ends = os.pidfd_open(daemon.own().pid)
        engines[0][0].stop()
        engines[1][1].send("one is left")
        print(engines[1][2].recv(timeout=60))
        engines[1][0].stop()
        print(bool(select.select([ends], [], [], 60)[0]), daemon._daemon)
        engines[0][0].start()
        engines[0][1].send("another")
        print(engines[0][2].recv(timeout=60))
        """, tmp_path)
    assert out.stdout == "one is left\nTrue None\nanother\n"
