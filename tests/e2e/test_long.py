# SPDX-License-Identifier: BSD-2-Clause
"""A daemon that lives long: what is taken from under it, loaded anew, renamed, and left to it."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from conftest import DEADLINE, eventually, program, run_ptctl

ECHO = "s = CLIFeeder(); q = QueueSink(); s > q\n"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d "


def reload(daemon):
    daemon.process.send_signal(signal.SIGHUP)


def states(daemon):
    return {e["engine"]: e["state"] for e in daemon.call("engine.list")["engines"]}


def answers(daemon):
    return daemon.ptctl("list").code == 0


# ---- the socket's name --------------------------------------------------------------------------

@pytest.mark.parametrize("take", [
    lambda path: path.unlink(), lambda path: path.rename(path.parent / "elsewhere"),
    lambda path: path.parent.rename(path.parent.with_name(f"gone{time.monotonic_ns()}"))])
def test_a_socket_whose_name_is_taken_is_bound_anew(daemons, tmp_path, take):
    folder = tmp_path / "run"
    folder.mkdir()
    daemon = daemons(socket=folder / "control.sock")
    with daemon.client() as before:
        take(daemon.socket)
        eventually(lambda: answers(daemon))
        assert before.call("engine.list") == {"engines": []}  # who was there stays
    assert "is listened on anew" in daemon.log()
    take(daemon.socket)
    eventually(lambda: answers(daemon))
    assert daemon.socket.stat().st_mode & 0o7777 == 0o660


def test_a_name_that_another_took_is_left_to_it(daemon):
    daemon.socket.unlink()
    eventually(lambda: answers(daemon))
    away = daemon.folder / "away"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(away))
        other.listen()
        away.rename(daemon.socket)
        reload(daemon)
        eventually(lambda: f"process {os.getpid()} listens on" in daemon.log())
    reload(daemon)  # and it is gone
    eventually(lambda: answers(daemon))


def test_a_socket_of_systemd_is_not_ours_to_mend(daemons, tmp_path):
    path = tmp_path / "passed.sock"
    with socket.socket(socket.AF_UNIX) as passed:
        passed.bind(str(path))
        passed.listen()
        passing = ("import os, sys\nos.dup2(int(sys.argv[1]), 3)\n"
                   "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
                   "os.execv(sys.argv[2], sys.argv[2:])")
        daemon = daemons(own_socket=False, pass_fds=[passed.fileno()],
                         prefix=[sys.executable, "-c", passing, str(passed.fileno())])
    path.unlink()
    reload(daemon)
    eventually(lambda: "systemd made" in daemon.log() and str(path) in daemon.log())


# ---- names --------------------------------------------------------------------------------------

def test_names_of_engines(daemon):
    (daemon.engines / "10-web.pipe").write_text(ECHO)
    (daemon.engines / "a.b.pipe").write_text(ECHO)
    reload(daemon)
    eventually(lambda: states(daemon) == {"10-web": "running", "a.b": "failed"})
    daemon.ok("send", "10-web.s", "x")
    assert daemon.ok("recv", "10-web.q") == "x\n"
    assert "rename the file" in daemon.ok("show", "a.b")
    for name in ("a.b", "-a", "", "a b", "ä"):
        refusal = daemon.client().refused("engine.create", engine=name)
        assert refusal.kind == "bad-parameter" and refusal.path == "$.engine", name
    assert "parts an engine" in daemon.client().refused("engine.create", engine="a.b").message
    daemon.ok("create", "7", ECHO)


def test_a_file_whose_name_a_kept_engine_has_is_told_there(daemon):
    daemon.create("web", ECHO)
    (daemon.engines / "web.pipe").write_text("Sink()")

    def row():
        (found,) = daemon.call("engine.list")["engines"]
        return found
    for _ in range(2):
        reload(daemon)
        eventually(lambda: "exists" in row().get("why", "") or "there is" in row().get("why", ""))
        assert row()["state"] == "running" and row()["differs"] and row()["file"].endswith("web.pipe")
    daemon.ok("send", "web.s", "goes on")
    (daemon.engines / "web.pipe").unlink()
    reload(daemon)
    eventually(lambda: "why" not in row() and "file" not in row())
    (daemon.engines / "web.pipe").write_text("Sink()")
    daemon.ok("destroy", "web")
    reload(daemon)
    client = daemon.client()
    eventually(lambda: [(e["state"], e["differs"], "why" in e)  # it is made behind the old one's end
                        for e in client.call("engine.list")["engines"]] == [("running", False, False)])


def test_an_engine_with_a_dot_that_is_kept_goes_on(daemon):
    daemon.create("old", ECHO)
    daemon.kill()
    (daemon.state / "old.journal").rename(daemon.state / "o.ld.journal")
    daemon.start()
    assert states(daemon) == {"o.ld": "running"}
    assert "its name has a '.'" in daemon.call("engine.show", {"engine": "o.ld"})["why"]
    assert "its name has a '.'" in daemon.log()
    daemon.ok("send", "o.ld.s", "x")
    assert daemon.ok("recv", "o.ld.q") == "x\n"
    daemon.ok("add", "o.ld", "s > Sink()")
    daemon.ok("destroy", "o.ld")


# ---- types that are loaded anew -----------------------------------------------------------------

def mark(daemon, word):
    (daemon.blocks / "mark.lua").write_text(
        'Drain{name = "Mark", doc = [[Marks]], push = function(self, m) '
        f'self:send("{word}:" .. m:text()) end}}')


def test_a_reload_gives_new_code_to_engines_of_files(daemon):
    mark(daemon, "one")
    text = "s = CLIFeeder(); q = QueueSink(); m = Mark(); s > m > q"
    (daemon.engines / "f.pipe").write_text(text)
    reload(daemon)
    eventually(lambda: states(daemon) == {"f": "running"})
    daemon.ok("create", "kept", text, "--start")
    for engine in ("f", "kept"):
        daemon.ok("send", f"{engine}.s", "x")
    daemon.ok("add", "f", "s > Sink()")  # by hand: it stays
    with daemon.client() as rpc:
        def code(engine):
            return rpc.show(engine, "m")["code"]
        before = code("f")
        assert before["file"] == str(daemon.blocks / "mark.lua") and "replaced" not in before
        mark(daemon, "two")
        reload(daemon)
        eventually(lambda: code("f")["loaded"] > before["loaded"])
        assert "replaced" not in code("f")
        assert code("kept")["replaced"] is True and code("kept")["loaded"] == before["loaded"]
        assert len(rpc.show("f")["blocks"]) == 4
    for engine, wanted in (("f", "two:y"), ("kept", "one:y")):
        daemon.ok("send", f"{engine}.s", "y")
        assert daemon.ok("recv", "-n", 2, f"{engine}.q") == f"one:x\n{wanted}\n"
    assert "engine kept goes on with the old code of Mark" in daemon.log()
    assert "mark.lua" in daemon.ok("show", "f.m")
    daemon.ok("apply", "kept", "-f", "-", input=daemon.ok("export", "kept"))
    daemon.ok("send", "kept.s", "z")
    assert daemon.ok("recv", "kept.q") == "two:z\n"


def test_code_that_is_wrong_leaves_the_old(daemon):
    mark(daemon, "one")
    (daemon.engines / "f.pipe").write_text("s = CLIFeeder(); q = QueueSink(); s > Mark() > q")
    reload(daemon)
    eventually(lambda: states(daemon) == {"f": "running"})
    (daemon.blocks / "mark.lua").write_text("Drain{name = 'Mark', psh = 1}")
    reload(daemon)
    eventually(lambda: "did you mean 'push'" in daemon.log())
    daemon.ok("send", "f.s", "x")
    assert daemon.ok("recv", "f.q") == "one:x\n"


# ---- process 1 ----------------------------------------------------------------------------------

def children(pid):
    listed = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid=,stat=,comm="], check=False,
                            capture_output=True, text=True).stdout
    return [line.split() for line in listed.splitlines()]


@pytest.fixture
def first(daemons):
    """A daemon that is process 1 of its namespace."""
    if os.getuid():
        pytest.skip("only root makes a namespace of processes here")
    return daemons(prefix=["unshare", "-p", "-f", "--mount-proc", "--kill-child"])


def test_process_1_waits_for_orphans_and_passes_signals_on(first):
    ((inner, *_),) = children(first.process.pid)
    for _ in range(3):
        subprocess.run(["nsenter", "-t", inner, "-p", "-m", "sh", "-c", "(sleep 0.01 &)"],
                       check=True)
    eventually(lambda: len(children(inner)) == 1, what=children(inner))  # the daemon itself
    (first.engines / "e.pipe").write_text(ECHO)
    os.kill(int(inner), signal.SIGHUP)
    eventually(lambda: states(first) == {"e": "running"})
    os.kill(int(inner), signal.SIGTERM)
    assert first.process.wait(DEADLINE) == 0
    assert "SIGTERM: stopping 1 engine" in first.log()


# ---- the log ------------------------------------------------------------------------------------

def test_each_line_of_the_log_begins_with_the_time(daemon):
    (daemon.engines / "bad.pipe").write_text("s = CLIFeeder()\ns > > q")
    reload(daemon)
    eventually(lambda: "line 2" in daemon.log())
    for line in daemon.log().splitlines():
        assert re.match(TIME + "pipetoold: ", line), line
    assert f"listens on {daemon.socket}" in daemon.log()


def test_what_consoles_print_into_the_log_says_who_printed(daemon, tmp_path):
    """Where standard output is a file of its own, it is as it was printed."""
    both = tmp_path / "both"
    with open(both, "ab") as out:
        second = subprocess.Popen(
            [program("pipetoold"), "--socket", tmp_path / "s", "--engines", daemon.engines, "--state",
             tmp_path / "state", "--config", daemon.config], stdin=subprocess.DEVNULL, stdout=out,
            stderr=out)
    try:
        for which, folder in ((daemon.socket, daemon), (tmp_path / "s", None)):
            eventually(lambda: run_ptctl("-s", which, "list").code == 0)
            assert run_ptctl("-s", which, "create", "e", "--start",
                             "s = CLIFeeder(); c = ConsoleSink(); s > c").code == 0
            assert run_ptctl("-s", which, "send", "e.s", "hello", "you").code == 0
        eventually(lambda: "'you'" in both.read_text())
        lines = [line for line in both.read_text().splitlines() if "hello" in line]
        assert len(lines) == 1 and re.fullmatch(TIME + "e\\.c: >'hello'", lines[0])
        eventually(lambda: daemon.printed() == ">'hello'\n>'you'\n")
    finally:
        second.terminate()
        assert second.wait(DEADLINE) == 0


def test_what_is_printed_behind_a_very_long_text_is_printed(daemon):
    """Each byte takes four: more than may wait for standard output, and more than may wait of an engine."""
    daemon.create("e", "s = CLIFeeder(); c = ConsoleSink(); s > c")
    with daemon.client() as client:
        for length in (1_000_000, 1_200_000, 4_500_000):
            client.send("e", "s", {"hex": "00" * length})
            client.send("e", "s", f"behind {length}")
            eventually(lambda: daemon.printed().endswith(f">'behind {length}'\n"))
    first, *rest = daemon.printed().splitlines()
    assert len(first) == 4 * 1_000_000 + 3 and all(line.startswith(">'behind") for line in rest)
    for length in (1_200_000, 4_500_000):
        assert f"block c of engine e printed {4 * length + 4} bytes at once" in daemon.log()


def test_the_log_of_changes_has_offsets(daemon):
    daemon.create("e", ECHO)
    for zone, offset in (("UTC", "+00:00"), ("Etc/GMT-5", "+05:00")):
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d " + re.escape(offset),
                         daemon.ok("log", "e", env={"TZ": zone}))


# ---- a user's own -------------------------------------------------------------------------------

@pytest.fixture
def user():
    """Runs a command as somebody who is not root, at home in a folder that he can come to."""
    uid = os.getuid() or 12345
    root = pathlib.Path(tempfile.mkdtemp())
    root.chmod(0o755)
    home, run = root / "home", root / "run"
    for folder in (home, run):
        folder.mkdir(mode=0o700)
        if not os.getuid():
            os.chown(folder, uid, uid)
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(run)}
    env.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k == "LD_LIBRARY_PATH"})
    become = [] if os.getuid() else ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    yield home, run, uid, become, env
    shutil.rmtree(root)


@pytest.mark.parametrize("moved", [False, True])
def test_a_users_own_daemon_keeps_its_engines_at_home(user, moved):
    home, run, uid, become, env = user
    config, state = home / ".config", home / ".local" / "state"
    if moved:
        config, state = home / "c", home / "s" / "deep"
        env |= {"XDG_CONFIG_HOME": str(config), "XDG_STATE_HOME": str(state)}
    engines = config / "pipetool" / "engines.d"
    engines.mkdir(parents=True)
    (engines / "mine.pipe").write_text(ECHO)
    (config / "pipetool" / "pipetoold.conf").write_text("[limits]\nengines = 2\n")

    def ptctl(*arguments):
        return subprocess.run([*become, program("ptctl"), *arguments], env=env, check=False,
                              capture_output=True, text=True, timeout=DEADLINE)
    for again in range(2):
        log = run.parent / f"log{again}"
        with open(log, "wb") as err, subprocess.Popen([*become, program("pipetoold")], env=env,
                                                      stderr=err, cwd="/") as daemon:
            try:
                eventually(lambda: ptctl("list").returncode == 0 or daemon.poll() is not None)
                if not again:
                    made = ptctl("create", "kept", ECHO)
                    assert made.returncode == 0, made.stderr + log.read_text()
                shown = ptctl("list")
                assert "mine" in shown.stdout and "kept" in shown.stdout, log.read_text()
                assert "limit" in ptctl("create", "third", ECHO).stderr
            finally:
                daemon.terminate()
                assert daemon.wait(DEADLINE) == 0
    assert [p.name for p in (state / "pipetool").glob("*.journal")] == ["kept.journal"]
    assert (state / "pipetool").stat().st_uid == uid
    assert not list(run.glob("pipetool/control.sock"))
