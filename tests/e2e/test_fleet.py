# SPDX-License-Identifier: BSD-2-Clause
"""Many hosts, kept as a folder of graphs says: each is a daemon of its own here."""
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from conftest import DEADLINE, eventually, program, run_ptctl
from test_remote import sshd  # noqa: F401 (a fixture)

FLOWS = "PeriodicSource('x', 0.001) > Drain() > QueueSink(name='q')\n"


class Fleet:
    """Hosts by name and labels, and a folder of graphs for them."""

    def __init__(self, folder, daemons, labels):
        self.daemons = {f"h{n}": daemons() for n in range(len(labels))}
        self.inventory = folder / "hosts"
        self.lines = [f"{name} unix:{d.socket} {text}" for (name, d), text in zip(self.daemons.items(), labels)]
        self.write_hosts()
        self.graphs = folder / "graphs"
        self.graphs.mkdir()

    def write_hosts(self, *more):
        self.inventory.write_text("\n".join([*self.lines, *more]) + "\n")

    def put(self, name, text):
        (self.graphs / f"{name}.pipe").write_text(text)

    def command(self, action, *words):
        return ["fleet", action, "-i", self.inventory, *words]

    def ask(self, action, *words, code=0, **more):
        done = run_ptctl(*self.command(action, *words), **more)
        assert done.code == code, done
        return done

    def apply(self, *words, code=0, soak="0", **more):
        return self.ask("apply", self.graphs, "--soak", soak, *words, code=code, **more)

    def engines(self):
        """What each host has: {engine: (state, revision)}."""
        rows = {name: d.call("engine.list")["engines"] for name, d in self.daemons.items()}
        return {name: {row["engine"]: (row["state"], row["revision"]) for row in found}
                for name, found in rows.items()}

    def comments(self, host, engine):
        log = self.daemons[host].call("engine.log", engine=engine)["revisions"]
        return [revision.get("comment", "") for revision in log]


@pytest.fixture
def fleet(tmp_path, daemons):
    return lambda *labels: Fleet(tmp_path, daemons, labels)


def answers(done):
    return {line["host"]: line for line in map(json.loads, done.out.splitlines())}


# ---- apply --------------------------------------------------------------------------------------

def test_each_host_gets_what_is_for_it_and_a_second_time_nothing(fleet):
    f = fleet("role=web", "role=web site=north", "role=db")
    f.put("all", "Drain(name='a')\n")
    f.put("web", "# the front\n# on: role=web\n# engine: gate\nDrain(name='b')\n")
    f.put("north", "# on: site=south\n# on: role=web, site=north\nDrain(name='c')\n")
    done = f.apply("--waves", "1,100%")
    assert f.engines() == {"h0": dict.fromkeys(["all", "gate"], ("running", 1)),
                           "h1": dict.fromkeys(["all", "gate", "north"], ("running", 1)),
                           "h2": {"all": ("running", 1)}}
    assert "wave 1 of 2: confirmed\n" in done.out and "3 hosts were changed, 0 were as they should be" in done.out
    again = f.apply()
    assert again.out == "0 hosts were changed, 3 were as they should be\n"
    assert f.engines()["h2"] == {"all": ("running", 1)}
    for d in f.daemons.values():
        assert "unconfirmed" not in json.dumps(d.call("engine.list"))
    assert [f.comments(host, "all")[0].split(", wave ")[1] for host in f.daemons] == ["1 of 2", "2 of 2", "2 of 2"]


def test_the_log_says_which_commit_of_which_folder(fleet):
    f = fleet("")
    f.put("e", "Drain()\n")
    git = ["git", "-C", f.graphs, "-c", "user.name=x", "-c", "user.email=x@y"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    f.apply()
    assert f.comments("h0", "e")[0].startswith(f"fleet {f.graphs}@{commit} by ")
    shown = f.ask("log")
    assert shown.out.startswith("h0: e: revision 1 ") and commit in shown.out


def test_what_one_host_refuses_is_begun_nowhere(fleet):
    f = fleet("", "old")
    f.daemons["h1"].create("mine", "Drain()")
    f.put("good", "Drain()\n")
    f.put("bad", "# on: old\nDrain() > Nothing()\n")
    refused = f.apply(code=2)
    assert refused.err.startswith("h1: ptctl: bad.pipe: line 2, column ") and "'Nothing'" in refused.err
    assert "h1: Drain() > Nothing()\n" in refused.err
    f.put("mine", "Nothing()\n")
    assert " unknown " in f.ask("status", f.graphs, code=2).out  # and neither "no" nor "yes"
    assert f.engines() == {"h0": {}, "h1": {"mine": ("running", 1)}}


def test_an_engine_of_a_file_of_the_host_is_not_taken_over(fleet):
    f = fleet("")
    d = f.daemons["h0"]
    (d.engines / "e.pipe").write_text("Drain()\n")
    d.process.send_signal(1)
    eventually(lambda: f.engines()["h0"])
    f.put("e", "Drain() > Drain()\n")
    assert f"engine 'e' is that of the host's own file '{d.engines}/e.pipe'" in f.apply(code=1).err


def test_a_host_that_cannot_be_asked_is_left_out_and_named(fleet):
    f = fleet("", "")
    f.write_hosts("gone unix:/nowhere/socket")
    f.put("e", "Drain()\n")
    refused = f.apply("--max-missing", "10%", code=3)
    assert "1 of 3 hosts could not be asked" in refused.err and f.engines()["h0"] == {}
    left_out = f.apply(code=3)
    assert left_out.err.startswith("gone: ptctl: ") and f.engines()["h1"] == {"e": ("running", 1)}
    assert f.apply(code=3).out == "0 hosts were changed, 2 were as they should be\n"
    planned = [json.loads(line) for line in f.apply("--dry-run", "-j", code=3).out.splitlines()]
    assert [(line["host"], "error" in line) for line in planned] == [("gone", True), ("h0", False), ("h1", False)]
    assert f.ask("status", f.graphs, code=3).out.count("running") == 2


def test_a_host_that_hangs_is_given_up(fleet, tmp_path):
    wrapper = tmp_path / "hangs"
    wrapper.write_text("#!/bin/sh\nexec sleep 1000\n")
    wrapper.chmod(0o755)
    f = fleet("")
    f.write_hosts("away somewhere")
    f.put("e", "Drain()\n")
    done = f.ask("diff", f.graphs, "--timeout", "1", code=3, env={"PTCTL_SSH": str(wrapper)})
    assert done.err == "away: ptctl: 'somewhere' does not answer within 1 s\n" and "h0: e: create" in done.out


def test_hosts_by_ssh_have_one_login_each(fleet, tmp_path):
    wrapper = tmp_path / "shell"
    wrapper.write_text(f"#!/bin/sh\necho login >>{tmp_path}/logins\n"
                       'while [ "${1#-}" != "$1" ]; do shift; done\n'
                       f"export PIPETOOL_SOCKET={tmp_path}/daemon${{1#there}}/control.sock\nshift\n"
                       f"PATH={pathlib.Path(program('ptctl')).parent}:$PATH\n"
                       'eval "exec $*"\n')
    wrapper.chmod(0o755)
    f = fleet("", "")
    f.lines = ["a there0", "b there1"]
    f.write_hosts()
    f.put("e", "Drain()\n")
    f.apply("--waves", "1,100%", env={"PTCTL_SSH": str(wrapper)})
    assert f.engines() == {name: {"e": ("running", 1)} for name in f.daemons}
    assert (tmp_path / "logins").read_text().count("login") == 2


@pytest.fixture
def far(fleet, sshd, tmp_path):  # noqa: F811
    """Hosts that are reached through a real sshd, each at an address of its own."""
    server = sshd({f"127.0.0.{n + 1}": tmp_path / f"daemon{n}" / "control.sock" for n in range(2)})
    f = fleet("", "")
    f.lines = [f"h{n} 127.0.0.{n + 1} role=edge" for n in range(2)]
    f.write_hosts()
    f.server = server
    return f


def test_hosts_are_changed_through_a_real_sshd(far):
    far.put("e", "# on: role=edge\nDrain()\n")
    done = far.apply("--waves", "1,100%", env=far.server.env)
    assert "wave 2 of 2: confirmed" in done.out
    assert far.engines() == {name: {"e": ("running", 1)} for name in far.daemons}
    status = answers(far.ask("status", far.graphs, "--check", "-j", env=far.server.env))
    assert {name: line["result"]["engines"][0]["differs"] for name, line in status.items()} == {"h0": "no", "h1": "no"}


def test_a_change_after_which_the_way_is_cut_goes_back(far):
    far.put("e", "Drain()\n")
    with subprocess.Popen([program("ptctl"), *map(str, far.command("apply", far.graphs)), "--waves", "2", "--confirm",
                           "1", "--soak", "1000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **far.server.env}) as operator:
        operator.stdout.readline()
        assert {operator.stdout.readline() for _ in far.daemons} == {
            f"h{n}: e: made, and started\n".encode() for n in range(2)}
        sessions = pathlib.Path(f"/proc/{far.server.server.pid}/task/{far.server.server.pid}/children").read_text()
        far.server.server.kill()
        for pid in sessions.split():
            os.kill(int(pid), signal.SIGKILL)
        eventually(lambda: far.engines() == {"h0": {}, "h1": {}})
        told = operator.communicate(timeout=DEADLINE)
    assert operator.returncode in (1, 3) and b"taken back" in told[0], told


def test_a_dry_run_and_wrong_words_change_nothing(fleet):
    f = fleet("a", "")
    f.put("e", "Drain()\n")
    assert f.apply("--dry-run").out == "h0: e: create\nh1: e: create\n"
    assert answers(f.apply("--dry-run", "-j"))["h0"]["result"] == {
        "engines": [{"engine": "e", "did": "create", "state": "planned"}]}
    for words, told in ((["--waves", "x"], "'--waves' takes"), (["--gate", "lost < 1"], "no gate"),
                        (["--on", "b"], "no host of the inventory"), (["--max-missing", "1"], "per cent")):
        assert told in f.apply(*words, code=2).err
    for action, words, told in (("status", ["--soak", "1"], "'status' does not use '--soak', which is for 'apply'"),
                                ("log", ["--dry-run"], "'--dry-run', which is for 'apply', 'undo'"),
                                ("undo", ["--max-missing", "1%"], "'--max-missing', which is for 'apply'"),
                                ("list", [f.graphs, "--check", "--prune"], "'--check', which is for 'diff', 'status'")):
        assert told in f.ask(action, *words, code=2).err
    f.put("f", "# engine: e\nDrain()\n")
    assert "e.pipe and f.pipe both make engine 'e' on 'h0'" in f.apply(code=2).err
    assert f.engines() == {"h0": {}, "h1": {}}
    (f.graphs / "f.pipe").unlink()
    assert f.apply("--waves", "0").out == "0 hosts were changed, 0 were as they should be, 2 were not begun\n"
    f.apply("--on", "a")
    assert f.engines() == {"h0": {"e": ("running", 1)}, "h1": {}}


def test_pruned_is_what_fleet_has_made(fleet):
    f = fleet("")
    f.daemons["h0"].create("mine", "Drain()")
    f.put("e", "Drain()\n")
    f.put("x", "Drain()\n")
    f.apply()
    (f.graphs / "x.pipe").unlink()
    f.apply()
    assert set(f.engines()["h0"]) == {"mine", "e", "x"}
    assert f.apply("--prune").out.splitlines()[1] == "h0: x: destroyed"
    assert f"engine x is destroyed, unless that is not confirmed: fleet {f.graphs} by " in f.daemons["h0"].log()
    assert set(f.engines()["h0"]) == {"mine", "e"}


# ---- what goes back -----------------------------------------------------------------------------

def test_a_gate_that_fails_takes_its_wave_back_and_begins_no_more(fleet):
    f = fleet("", "", "")
    f.put("e", FLOWS)
    f.put("x", "Drain()\n")
    f.apply()
    f.put("e", FLOWS.replace("Drain()", "TransformDrain('function(m) error(m) end')"))
    f.put("new", "Drain()\n")
    (f.graphs / "x.pipe").unlink()
    before = [d.ok("export", "e") for d in f.daemons.values()]
    failed = f.apply("--waves", "2,100%", "--prune", "--gate", "errors < 1 and messages > 0", soak="0.3", code=1)
    assert "h0: ptctl: engine 'e': " in failed.err
    assert "wave 1 of 2: taken back; 1 hosts were not begun" in failed.out
    assert [d.ok("export", "e") for d in f.daemons.values()] == before
    assert f.engines() == {name: {"e": ("running", 3 if name != "h2" else 1), "x": ("running", 1)}
                           for name in f.daemons}
    assert ", wave 1 of 2, taken back: h" in f.comments("h1", "e")[2]


def test_what_cannot_be_opened_takes_the_wave_back(fleet, tmp_path):
    f = fleet("", "", "")
    f.put("a", "Drain()\n")
    f.apply()
    f.put("a", "Drain() > Drain()\n")
    f.put("b", f"RdpcapSource('{tmp_path}/capture-{{0}}') > Drain()\n".replace("-{0}", ""))
    (f.graphs / "b.pipe").write_text(f"# on: gone\nRdpcapSource('{tmp_path}/capture') > Drain()\n")
    f.lines[1] += "gone"
    f.write_hosts()
    failed = f.apply("--waves", "1,2,3", "--revert", "all", code=1)
    assert "h1: ptctl: " in failed.err and "capture" in failed.err, failed
    assert f.engines() == {"h0": {"a": ("running", 3)}, "h1": {"a": ("running", 3)}, "h2": {"a": ("running", 1)}}
    failed = f.apply("--waves", "100%", "--jobs", "1", code=1)
    assert "taken back; 1 hosts were not begun" in failed.out, failed
    assert f.engines() == {"h0": {"a": ("running", 5)}, "h1": {"a": ("running", 5)}, "h2": {"a": ("running", 1)}}


def test_without_its_operator_a_change_goes_back_by_itself(fleet):
    f = fleet("", "")
    f.put("e", FLOWS)
    f.apply()
    before = f.daemons["h0"].ok("export", "e")
    for d in f.daemons.values():
        d.ok("stop", "e")  # else what came through before would be counted for a while, too
    f.put("e", FLOWS.replace("Drain()", "Drain() > Drain()"))
    f.put("new", "Drain()\n")
    with subprocess.Popen([program("ptctl"), *map(str, f.command("apply", f.graphs)), "--waves", "1,2", "--confirm",
                           "1", "--soak", "1000"], stdout=subprocess.PIPE) as operator:
        assert b"wave 1 of 2" in operator.stdout.readline()
        assert b"h0: e: revision 2" in operator.stdout.readline()
        operator.kill()
    eventually(lambda: f.engines()["h0"] == {"e": ("stopped", 3)})
    assert f.daemons["h0"].ok("export", "e") == before and f.engines()["h1"] == {"e": ("stopped", 1)}


def test_a_signal_takes_the_wave_back_at_once(fleet):
    f = fleet("", "")
    f.put("e", "Drain()\n")
    with subprocess.Popen([program("ptctl"), *map(str, f.command("apply", f.graphs)), "--confirm", "1000", "--soak",
                           "1000"], stdout=subprocess.PIPE) as operator:
        operator.stdout.readline()
        assert operator.stdout.readline() == b"h0: e: made, and started\n"
        operator.terminate()
        assert b"taken back" in operator.communicate(timeout=DEADLINE)[0]
    assert operator.returncode == 130 and f.engines() == {"h0": {}, "h1": {}}


def test_a_signal_before_the_first_wave_leaves_all_as_it_is(fleet):
    f = fleet("", "")
    f.put("e", FLOWS)
    f.apply()
    before = [d.ok("export", "e") for d in f.daemons.values()]
    f.put("e", FLOWS.replace("Drain()", "Drain() > Drain()"))
    with subprocess.Popen([program("ptctl"), *map(str, f.command("apply", f.graphs)), "--soak", "1000"],
                          stdout=subprocess.PIPE) as operator:  # counts what comes through, for 10 s
        status = pathlib.Path(f"/proc/{operator.pid}/status")
        eventually(lambda: int(status.read_text().split("SigCgt:")[1].split()[0], 16) & 1 << signal.SIGTERM - 1)
        operator.terminate()
        told = operator.communicate(timeout=DEADLINE)[0]
    if b"wave 1" not in told:  # where it took 10 s up to here, that is begun, and taken back
        assert told == b"0 hosts were changed, 0 were as they should be, 2 were not begun\n"
    assert operator.returncode == 130 and [d.ok("export", "e") for d in f.daemons.values()] == before


def test_a_lease_is_renewed_while_somebody_watches(fleet):
    f = fleet("", "")
    f.put("e", "Drain()\n")

    def renewed():
        log = f.daemons["h1"].call("engine.log")["revisions"]
        return log and "since" in log[0]["confirm"]

    with subprocess.Popen([program("ptctl"), *map(str, f.command("apply", f.graphs)), "--waves", "2", "--confirm",
                           "12", "--soak", "1000"], stdout=subprocess.DEVNULL) as operator:
        eventually(renewed)
        assert f.ask("status", f.graphs, "--check").out.count("running, unconfirmed") == 2
        operator.terminate()
    assert operator.returncode == 130 and f.engines() == {"h0": {}, "h1": {}}


def test_messages_that_are_on_their_way_come_through(fleet):
    f = fleet("", "")
    graph = "s = CLIFeeder(); s > d = {} > QueueSink(name='q')\n"
    f.put("e", graph.format("Drain()"))
    f.apply()
    ended, sent = threading.Event(), dict.fromkeys(f.daemons, 0)

    def feed(name):
        with f.daemons[name].client() as client:
            while not ended.is_set():
                client.send("e", "s", *["x"] * 10)
                sent[name] += 10

    threads = [threading.Thread(target=feed, args=[name]) for name in sent]
    for thread in threads:
        thread.start()
    try:
        for kind in ("Drain() > Drain()", "TransformDrain('reverse')"):
            f.put("e", graph.format(kind))
            f.apply("--gate", "dropped < 1", "--waves", "1,2", soak="0.1")
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    for name, d in f.daemons.items():
        stats = d.call("engine.stats", engine="e")
        assert stats["unexplained"] == 0 and stats["total"]["dropped"] == 0
        assert stats["total"]["out"] == sent[name]


LONG = bool(os.environ.get("PIPETOOL_LONG"))
MANY = int(os.environ.get("PIPETOOL_MANY", "1000" if LONG else "4"))


def test_a_bad_graph_stops_at_the_first_of_many_hosts_and_the_others_lose_nothing(fleet):
    """Undone by its operator; and, where that one is killed, by the host itself."""
    f = fleet(*[""] * MANY)
    flows = f"PeriodicSource('x', {max(0.01, MANY / 1000)}) > {{}} > Sink()\n"
    bad = "TransformDrain('function(m) error(m) end')"
    f.put("e", flows.format("Drain()"))
    f.apply("--waves", "100%")
    f.put("e", flows.format("Drain() > Drain()"))
    begun = time.monotonic()
    done = f.apply(soak=str(max(0.1, MANY / 500)))
    print(f"{MANY} hosts were changed in {time.monotonic() - begun:.1f} s, the soaks among it")
    assert f"{MANY} hosts were changed" in done.out and "confirmed\n" in done.out
    good = f.daemons["h0"].ok("export", "e")
    f.put("e", flows.format(bad))
    failed = f.apply("--gate", "errors < 1", soak=str(max(1, MANY / 200)), code=1)
    assert f"taken back; {MANY - 1} hosts were not begun" in failed.out, failed
    others = {name: {"e": ("running", 2)} for name in f.daemons if name != "h0"}
    assert f.engines() == {"h0": {"e": ("running", 4)}, **others}
    if LONG:  # what came through before is counted for 10 s
        with subprocess.Popen([program("ptctl"), *map(str, f.command("apply", f.graphs)), "--confirm", "1",
                               "--soak", "1000"], stdout=subprocess.PIPE) as operator:
            assert b"wave 1 of " in operator.stdout.readline()
            assert b"h0: e: revision 5" in operator.stdout.readline()
            operator.kill()
        eventually(lambda: f.engines() == {"h0": {"e": ("running", 6)}, **others})
    assert f.daemons["h0"].ok("export", "e") == good
    for name, d in f.daemons.items():
        stats = d.call("engine.stats", engine="e")
        assert stats["unexplained"] == 0 and (name == "h0" or stats["total"]["dropped"] == 0), (name, stats)


# ---- looking, and undo --------------------------------------------------------------------------

def test_drift_is_seen_and_told(fleet):
    f = fleet("role=web", "")
    f.put("e", "d1 = Drain()\n")
    f.put("w", "# on: role=web\nDrain()\n")
    assert f.ask("status", f.graphs, "--check", code=9).out.count("missing") == 3
    f.apply()
    f.ask("status", f.graphs, "--check")
    assert f.ask("diff", f.graphs, "--check").out == ""
    f.daemons["h1"].ok("add", "e", "d2 = Drain()")
    assert f.ask("diff", f.graphs).out == "h1: e: change\nh1:     remove  d2\n"
    f.ask("diff", f.graphs, "--check", code=9)
    status = answers(f.ask("status", f.graphs, "-j"))
    h0, h1 = ({e["engine"]: e for e in status[name]["result"]["engines"]} for name in f.daemons)
    assert h0["e"]["differs"] == "no" and h1["e"]["differs"] == "yes" and h0["e"]["hash"] != h1["e"]["hash"]
    assert h1["e"]["last"]["revision"] == 2 and h0["e"]["lost"] == 0
    listed = f.ask("list", f.graphs).out.splitlines()
    assert [line.split()[0] for line in listed] == ["HOST", "h0", "h1"] and listed[1].split()[-2:] == ["e", "w"]


def test_an_apply_is_taken_back_by_its_comment(fleet):
    f = fleet("", "")
    for text in ("Drain()\n", "Drain() > Drain()\n", "Drain() > Drain() > Drain()\n"):
        f.put("e", text)
        f.apply()
    f.put("new", "Drain()\n")
    f.apply()
    assert f.engines()["h1"] == {"e": ("running", 3), "new": ("running", 1)}
    last, third = f.comments("h0", "new")[0], f.comments("h0", "e")[2]
    assert f.ask("undo", last, "--dry-run").out == "h0: new: destroyed\nh1: new: destroyed\n"
    f.ask("undo", last)
    assert f.engines()["h1"] == {"e": ("running", 3)}
    assert f.ask("undo").out == "h0: e: back to revision 2\nh1: e: back to revision 2\n"
    assert f.comments("h0", "e")[3].startswith("fleet undo by ") and third.split(", wave ")[0] in f.comments("h0", "e")[3]
    f.daemons["h1"].ok("add", "e", "Drain(name='own')")
    refused = f.ask("undo", code=5)
    assert "h1: ptctl: engine 'e' was changed since, to revision 5" in refused.err
    assert refused.out == "h0: e: back to revision 1\n"
    assert "in the comments of 3 applies" in f.ask("undo", "fleet", code=2).err
    assert "no host knows" in f.ask("undo", "nothing of it", code=1).err


def test_what_is_forgotten_is_neither_undone_nor_pruned(fleet):
    """The daemon keeps 8 MiB of revisions: then the oldest is forgotten."""
    f = fleet("")
    d, graph, large = f.daemons["h0"], "PeriodicSource('{}', 1000, name='s')\n", "x" * 3_000_000
    d.call("engine.create", engine="e", text=graph.format(large))
    f.put("e", graph.format("small"))
    f.apply()
    d.call("engine.change", engine="e", ops=[{"op": "set", "name": "s", "params": {"msg": large}}])
    d.ok("undo", "e")
    assert [r["revision"] for r in d.call("engine.log", engine="e")["revisions"]] == [2, 3, 4]
    assert "what engine 'e' was before revision 2 is not known any more" in f.ask("undo", code=1).err
    (f.graphs / "e.pipe").rename(f.graphs / "other.pipe")
    assert f.apply("--prune", "--dry-run").out == "h0: other: create\n"
    assert f.engines() == {"h0": {"e": ("stopped", 4)}}
