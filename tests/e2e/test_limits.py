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


def stepped_through(folder, prefix, owner=None, crowd=lambda daemon: None):
    """A daemon under a limit, again under it, then one without."""
    daemon = Daemon(folder, prefix=prefix, owner=owner, wait=False)
    try:
        there = []
        if comes_or_says_why(daemon):
            daemon.prefix = []
            there = acts(daemon)
            crowd(daemon)
            assert answers(daemon)
            ends_in_words(daemon)
        daemon.prefix = list(prefix)
        daemon.start(wait=False)
        comes_or_says_why(daemon)
        ends_in_words(daemon)
        daemon.prefix = []
        daemon.start()
        kept = [row["engine"] for row in daemon.call("engine.list")["engines"]]
        assert sorted(kept) == sorted(there), daemon.log()
        return len(there)
    finally:
        daemon.kill()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"),
                    reason="only root with setpriv can be a user without processes")
@pytest.mark.skipif(sanitizer() is not None, reason="it has threads of its own")
def test_threads_run_out(folder):
    most = []
    for limit in range(1, 21) if LONG else (1, 2, 3, 4, 5, 8, 12):
        place = folder / str(limit)
        place.mkdir()
        os.chown(place, NOBODY, NOBODY)
        most.append(stepped_through(
            place, ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                    "prlimit", f"--nproc={limit}:{limit}"], owner=NOBODY))
    assert most[0] == 0 and most[-1] > 3


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
