# SPDX-License-Identifier: BSD-2-Clause
"""Out of something: refused in words, never the end; and what was acknowledged is there afterwards."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

from conftest import Daemon, eventually, sanitizer, sanitized

LONG = os.environ.get("PIPETOOL_LONG")
NOBODY = 54321  # who has no other processes that would count
PIPE = "s = CLIFeeder(); q = QueueSink(); s > q"


@pytest.fixture
def folder():
    """One that other users come to."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="pipetool-limits-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def answers(daemon):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(str(daemon.socket)) == 0


def comes_or_says_why(daemon):
    """Whether it serves; else its last line is in words, and its status tells."""
    eventually(lambda: daemon.process.poll() is not None or answers(daemon))
    if daemon.process.poll() is None:
        return True
    assert daemon.process.returncode > 0, (daemon.process.returncode, daemon.log())
    assert "pipetoold: " in daemon.log().splitlines()[-1], daemon.log()
    return False


def ends_in_words(daemon):
    if daemon.process.poll() is None:
        daemon.process.terminate()
    code = daemon.process.wait(30)
    assert code >= 0, (code, daemon.log())
    assert code == 0 or "pipetoold: " in daemon.log().splitlines()[-1], daemon.log()


def done_or_refused(daemon, *arguments):
    result = daemon.ptctl(*arguments)
    assert result.code == 0 or result.err.strip(), result
    return result.code == 0


def acts(daemon, engines=12):
    """Makes engines, changes and stops them: which are there then."""
    there = [f"e{n}" for n in range(engines)
             if done_or_refused(daemon, "create", f"e{n}", PIPE, "--start")]
    for engine in there[:3]:
        done_or_refused(daemon, "add", engine, "v = Drain()")
        done_or_refused(daemon, "stop", engine)
    return [engine for engine in there[1:]] + [
        engine for engine in there[:1] if not done_or_refused(daemon, "destroy", engine)]


def rows(daemon):
    return {row["engine"]: row["state"] for row in daemon.call("engine.list")["engines"]}


def stepped_through(folder, prefix, again=None, owner=None, crowd=lambda daemon: None):
    """A daemon under a limit, then under it or another one, then one without: none of the engines is
    missing, and those that cannot run meanwhile have failed."""
    daemon = Daemon(folder, prefix=prefix, owner=owner, wait=False)
    try:
        there = []
        if comes_or_says_why(daemon):
            daemon.prefix = []
            there = acts(daemon)
            crowd(daemon)
            assert answers(daemon)
            ends_in_words(daemon)
        daemon.prefix = list(again or prefix)
        daemon.start(wait=False)
        if comes_or_says_why(daemon):
            daemon.prefix = []
            eventually(lambda: "starting" not in rows(daemon).values())
            assert set(rows(daemon)) == set(there), daemon.log()
        ends_in_words(daemon)
        daemon.prefix = []
        daemon.start()
        assert sorted(rows(daemon)) == sorted(there), daemon.log()
        return len(there)
    finally:
        daemon.kill()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"),
                    reason="only root with setpriv can be a user without processes")
@pytest.mark.skipif(sanitizer() is not None, reason="it has threads of its own")
def test_threads_run_out(folder):
    """So too when the next one has one thread fewer."""
    def limited(limit):
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                "prlimit", f"--nproc={limit}:{limit}"]
    most = []
    for limit in range(1, 21) if LONG else (1, 2, 3, 4, 5, 8, 12):
        place = folder / str(limit)
        place.mkdir()
        os.chown(place, NOBODY, NOBODY)
        most.append(stepped_through(place, limited(limit), limited(max(limit - 1, 1)), owner=NOBODY))
    assert most[0] == 0 and most[-1] > 3


# ---- of a group of processes, as units of systemd have them: TasksMax=, MemoryMax= -----------------

class Group:
    """A control group of its own, of the first version or the second, for one controller."""

    def __init__(self, controller, number):
        self.path = None
        for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
            _, place, kind, options, *_ = line.split()
            place = pathlib.Path(place)
            if kind == "cgroup2":
                has = (place / "cgroup.subtree_control").read_text().split()
            elif kind == "cgroup":
                has = options.split(",")
            else:
                continue
            if controller in has:
                self.path = place / f"pipetool-test-{os.getpid()}-{number}"
        if not self.path:
            pytest.skip(f"there is no controller for {controller}")
        try:
            self.path.mkdir()
        except OSError as error:
            pytest.skip(f"no control group can be made: {error}")
        self.prefix = ["sh", "-c", f'echo $$ >{self.path}/cgroup.procs && exec "$@"', "sh"]

    def set(self, value, *names):
        (name,) = [name for name in names if (self.path / name).exists()]
        (self.path / name).write_text(str(value))

    def close(self):
        eventually(lambda: not (self.path / "cgroup.procs").read_text())
        self.path.rmdir()


@pytest.fixture
def groups():
    made = []

    def make(controller):
        made.append(Group(controller, len(made)))
        return made[-1]
    yield make
    for group in made:
        group.close()


@pytest.mark.skipif(sanitizer() is not None, reason="it has threads of its own")
def test_tasks_of_a_unit_run_out(folder, groups):
    most = []
    for limit in (1, 3, 6, 12):
        group, fewer = groups("pids"), groups("pids")
        group.set(limit, "pids.max")
        fewer.set(max(limit - 1, 1), "pids.max")
        (folder / str(limit)).mkdir()
        most.append(stepped_through(folder / str(limit), group.prefix, fewer.prefix))
    assert most[0] == 0 and most[-1] > 3


@pytest.mark.skipif(sanitizer() is not None, reason="it has threads of its own")
def test_engines_without_a_thread_stop_and_are_destroyed_all_the_same(folder, groups):
    group = groups("pids")
    (folder / "d").mkdir()
    daemon = Daemon(folder / "d", prefix=group.prefix)
    try:
        daemon.prefix = []
        for n in range(12):
            (daemon.engines / f"e{n}.pipe").write_text(PIPE)
        ends_in_words(daemon)
        group.set(10, "pids.max")
        daemon.prefix = group.prefix
        daemon.start()
        daemon.prefix = []
        eventually(lambda: "starting" not in rows(daemon).values())
        without = [engine for engine, state in rows(daemon).items() if state == "failed"]
        assert len(without) >= 2, rows(daemon)
        daemon.ok("destroy", without[0], "--confirm", 1000)
        daemon.ok("confirm", without[0])
        daemon.ok("stop", without[1])
        assert without[0] not in rows(daemon) and rows(daemon)[without[1]] == "stopped"
        ends_in_words(daemon)
    finally:
        daemon.kill()


@pytest.mark.skipif(sanitized(), reason="its shadow is larger than the limit")
def test_memory_of_a_unit_runs_out(folder, groups):
    """The kernel ends it without a word; what was acknowledged is there again."""
    group = groups("memory")
    group.set(64 << 20, "memory.limit_in_bytes", "memory.max")
    (folder / "d").mkdir()
    daemon = Daemon(folder / "d", prefix=group.prefix, config="[limits]\nmemory = 1GiB\n")
    try:
        daemon.prefix = []
        daemon.create("small", "s = CLIFeeder(); q = QueueSink(); s > q")
        daemon.create("big", "p = PeriodicSource(period=1e-6, msg='" + "x" * 60_000 + "'); "
                      "q = QueueSink(limit='1GiB'); p > q")
        assert daemon.process.wait(60) == -9, daemon.log()
        daemon.prefix = group.prefix
        daemon.start(wait=False)
        assert daemon.process.wait(60) == -9, daemon.log()
        daemon.prefix = []
        daemon.start()
        assert rows(daemon) == {"small": "running", "big": "running"}
    finally:
        daemon.kill()


def crowded(daemon):
    """Holds connections until there is no descriptor left: who is too many is told so."""
    held = []
    for _ in range(80):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(30)
        s.connect(str(daemon.socket))
        with contextlib.suppress(BrokenPipeError):  # who is too many may have been told already
            s.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "daemon.info"}\n')
        answer = s.makefile().readline()
        held.append(s)
        if '"result"' not in answer:
            break
    assert not answer or "descriptor" in answer, answer
    for s in held:
        s.close()


@pytest.mark.skipif(sanitized(), reason="they open files of their own")
def test_descriptors_run_out(folder):
    most = []
    for limit in range(4, 65) if LONG else (4, 6, 12, 24, 25, 31, 34, 35, 36, 40, 64):
        place = folder / str(limit)
        place.mkdir()
        most.append(stepped_through(place, ["prlimit", f"--nofile={limit}:{limit}"], crowd=crowded))
    assert most[0] == 0 and most[-1] > 3
