# SPDX-License-Identifier: BSD-2-Clause
"""What the system refuses once: a call that keeps state, an allocation, a disk. Each time there is an
answer in words or a last line in words, and what was acknowledged is there with the next daemon."""
import os
import pathlib
import random
import shutil
import signal
import subprocess

import pytest

import makers
from client import Closed, Refused, add
from conftest import Daemon, eventually, run_ptctl, sanitized
from test_limits import LONG, PIPE, answers


class Book:
    """What a daemon has acknowledged: {engine: (state, number of blocks)}."""

    def __init__(self, there):
        self.there = dict(there)
        self.unsure = set()
        self.unread = set()  # what is kept of them could not be: left alone

    def begin(self, rpc):
        self.unread = {row["engine"] for row in rpc.call("engine.list")["engines"]
                       if row["state"] == "failed" and row.get("why")}

    def ask(self, rpc, engine, becomes, method, **params):
        """False: the daemon is gone."""
        if engine in self.unread:
            return True
        before = self.there.pop(engine, None)
        try:
            rpc.call(method, engine=engine, **params)
            after = becomes
        except Refused as refusal:
            assert refusal.message.strip(), (method, engine)
            after = before
        except (Closed, OSError):
            self.unsure.add(engine)
            after = before
        if after:
            self.there[engine] = after
        return engine not in self.unsure

    def compare(self, rows):
        found = {row["engine"]: (row["state"], row["blocks"]) for row in rows}
        for engine in self.unsure:
            found.pop(engine, None)
            self.there.pop(engine, None)
        assert found == self.there


BLOCKS = [{"name": "s", "type": "CLIFeeder"}, {"name": "q", "type": "QueueSink"}]
LINKS = [{"from": "s", "to": "q", "canal": "low"}]


def acts(book, rpc):
    """Until the daemon is gone."""
    def was(engine):
        return book.there.get(engine, ("stopped", 2))

    made = {"blocks": BLOCKS, "links": LINKS, "start": True}
    return (book.ask(rpc, "c", ("running", 2), "engine.create", **made)
            and book.ask(rpc, "a", (was("a")[0], 3), "engine.change", ops=[add("v", "Drain")])
            and book.ask(rpc, "a", ("stopped", was("a")[1]), "engine.stop")
            and book.ask(rpc, "b", ("running", was("b")[1]), "engine.start")
            and book.ask(rpc, "d", ("running", 2), "engine.create", **made)
            and book.ask(rpc, "b", None, "engine.destroy"))


def ends(daemon, killed=False):
    """By itself or when it is told to: never by a signal that nobody has sent, and not without a word."""
    if daemon.process.poll() is None:
        daemon.process.terminate()
    code = daemon.process.wait(60)
    allowed = [0, -signal.SIGKILL] if killed else [0]
    assert code in allowed or code > 0 and "pipetoold: " in daemon.log().splitlines()[-1], \
        (code, daemon.log())


def nothing():
    pass


def with_a_fault(folder, prefix=(), env=None, killed=False, always=(), before=nothing, after=nothing):
    """Two engines; then the fault, whatever it hits; then a daemon without it."""
    folder.mkdir(exist_ok=True)
    daemon = Daemon(folder, prefix=always)
    try:
        with daemon.client() as rpc:
            for engine, start in (("a", True), ("b", False)):
                rpc.call("engine.create", engine=engine, blocks=BLOCKS, links=LINKS, start=start)
        daemon.stop()
        book = Book({"a": ("running", 2), "b": ("stopped", 2)})
        before()
        daemon.prefix, daemon.env = list(prefix), env or {}
        daemon.start(wait=False)
        eventually(lambda: daemon.process.poll() is not None or answers(daemon))
        try:
            with daemon.client() as rpc:
                book.begin(rpc)
                acts(book, rpc)
        except (Closed, OSError):
            pass  # it has not come, or is gone
        daemon.clients.clear()
        ends(daemon, killed)
        after()
        daemon.prefix, daemon.env = list(always), {}
        daemon.start()
        book.compare(daemon.call("engine.list")["engines"])
        daemon.stop()
    finally:
        daemon.kill()


# ---- system calls -------------------------------------------------------------------------------

CALLS = ["openat", "read", "write", "fstat,newfstatat", "fdatasync", "fsync", "rename", "unlink",
         "ftruncate", "flock", "getdents64", "mkdir", "close"]
FAULTS = ["error=EIO", "error=ENOSPC", "error=EINTR", "signal=KILL"]


def strace_works():
    return shutil.which("strace") and not subprocess.run(
        ["strace", "-D", "-f", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode


def system_faults():
    all_of_them = [(call, fault, when) for when in (1, 2, 3) for call in CALLS for fault in FAULTS]
    return all_of_them if LONG else random.Random(4711).sample(all_of_them, 24)


@pytest.mark.skipif(not strace_works(), reason="needs strace, and leave to trace")
@pytest.mark.skipif(sanitized(), reason="a sanitizer does not like to be traced")
@pytest.mark.parametrize("call,fault,when", system_faults())
def test_a_call_that_keeps_state_fails_once(tmp_path, call, fault, when):
    folder = tmp_path / "daemon"
    state = folder / "state"
    files = [f"{engine}.journal{end}" for engine in "abcd" for end in ("", ".new")]
    paths = [word for path in (state, state / "lock", *(state / name for name in files))
             for word in ("-P", path)]
    with_a_fault(folder, ["strace", "-D", "-f", "-qq", "-o", tmp_path / "trace", *paths,
                          "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={when}"],
                 killed="KILL" in fault)


# ---- allocations --------------------------------------------------------------------------------

FAIL_ALLOC = pathlib.Path(os.environ.get("PIPETOOL_BUILD", "."), "tests", "fail_alloc.so").resolve()


def allocation_faults():
    once = range(1, 6000, 17) if LONG else (1, 30, 200, 700, *range(1000, 5000, 333))
    return [str(n) for n in once] + [f"{n}+" for n in (list(once)[::4] if LONG else (900, 2500))]


@pytest.mark.skipif(sanitized(), reason="a sanitizer has an allocator of its own")
@pytest.mark.parametrize("which", allocation_faults())
def test_an_allocation_fails(tmp_path, which):
    with_a_fault(tmp_path / "daemon", env={"LD_PRELOAD": str(FAIL_ALLOC), "FAIL_ALLOC": which})


def words_or_done(result):
    assert result.code >= 0 and (result.code == 0 or result.err.strip()), result


@pytest.mark.skipif(sanitized(), reason="a sanitizer has an allocator of its own")
@pytest.mark.parametrize("which", [str(n) for n in (range(600, 9000, 31) if LONG else
                                                    range(900, 6000, 600))])
def test_an_allocation_fails_while_messages_pass(tmp_path, which):
    folder = tmp_path / "daemon"
    folder.mkdir()
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets(300))
    daemon = Daemon(folder, env={"LD_PRELOAD": str(FAIL_ALLOC), "FAIL_ALLOC": which}, wait=False)
    try:
        eventually(lambda: daemon.process.poll() is not None or answers(daemon))
        for words in (
                ("create", "e", f"""r = RdpcapSource("{source}");
                    t = TransformDrain("function(m) return m:bytes() .. 'x' end");
                    r > t > WrpcapSink("{tmp_path}/out.pcap.zst"); r > QueueSink(name="q");
                    r > WrpcapSink("{tmp_path}/out.pcapng.gz")""", "--start"),
                ("stop", "e", "--wait", "--timeout", 30), ("stats", "e"), ("graph", "e"),
                ("recv", "e.q", "--count", 10), ("destroy", "e")):
            if daemon.process.poll() is None:
                words_or_done(daemon.ptctl(*words, timeout=60))
        ends(daemon)
    finally:
        daemon.kill()


@pytest.mark.skipif(sanitized(), reason="a sanitizer has an allocator of its own")
def test_an_allocation_of_ptctl_fails(daemon, tmp_path):
    daemon.create("e", PIPE)
    for which in range(1, 2000, 13 if LONG else 190):
        for words in (("list",), ("show", "e"), ("create", "x", PIPE, "--dry-run")):
            result = run_ptctl("-s", daemon.socket, *words,
                               env={"LD_PRELOAD": str(FAIL_ALLOC), "FAIL_ALLOC": str(which)})
            words_or_done(result)


# ---- a small disk -------------------------------------------------------------------------------

class SmallDisk:
    """A file system of 256 KiB, which only who enters its namespace sees."""

    def __init__(self, path):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-c",
             'mount -t tmpfs -o size=256k none "$0" && echo there && exec sleep 600', path],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self.holder.stdout.readline() != "there\n":
            pytest.skip("mount namespaces are not allowed here")
        self.prefix = ["nsenter", "-m", "-t", str(self.holder.pid), "--"]

    def run(self, script):
        return subprocess.run([*self.prefix, "sh", "-c", script, self.path], capture_output=True,
                              check=False)

    def leave(self, pages):
        self.run('cat /dev/zero > "$0/filler"')
        self.run(f'truncate -s -{pages * 4096} "$0/filler"')

    def widen(self):
        self.run('rm -f "$0/filler"')

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


@pytest.mark.parametrize("pages", range(12) if LONG else (0, 1, 2, 4))
def test_a_disk_is_full(tmp_path, pages):
    disk = SmallDisk(tmp_path / "daemon" / "state")
    try:
        with_a_fault(tmp_path / "daemon", disk.prefix, always=disk.prefix,
                     before=lambda: disk.leave(pages), after=disk.widen)
    finally:
        disk.close()
