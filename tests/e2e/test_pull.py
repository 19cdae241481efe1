# SPDX-License-Identifier: BSD-2-Clause
"""[fleet] from = FOLDER: a daemon keeps itself as a folder of graphs says, which others fill."""
import contextlib
import hashlib
import os
import shutil
import subprocess

import pytest

from client import Client
from conftest import eventually, program, run_ptctl
from signing import make_key, sign


class Graphs:
    """A folder of them, which says itself when all of it is there."""

    def __init__(self, path):
        self.path = path
        path.mkdir(exist_ok=True)

    def sums(self):
        names = sorted(self.path.glob("*.pipe"))
        return "".join(f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in names)

    def hash(self):
        return hashlib.sha256(self.sums().encode()).hexdigest()

    def put(self, sealed=True, **texts):
        for name, text in texts.items():
            if text is None:
                (self.path / f"{name}.pipe").unlink()
            else:
                (self.path / f"{name}.pipe").write_text(text)
        if sealed:
            self.seal(self.sums())

    def seal(self, text):
        beside = self.path / ".sums"
        beside.write_text(text)
        beside.rename(self.path / "SHA256SUMS")


class Pulls:
    """A daemon, and the folder that it takes."""

    def __init__(self, daemons, graphs, **settings):
        self.graphs = graphs
        self.daemons = daemons
        self.settings = {"from": graphs.path, "soak": "0", **settings}
        self.daemon = daemons(config=self.config())

    def config(self):
        return "[fleet]\n" + "".join(f"{key} = {value}\n" for key, value in self.settings.items())

    def info(self):
        return self.daemon.call("daemon.info")["fleet"]

    def comes_to(self, state, graphs=None):
        """Waits until it says so of what lies there now."""
        wanted = (graphs or self.graphs).hash()

        def there():
            info = self.info()
            return (info["state"], info.get("hash")) == (state, wanted) and info

        return eventually(there, what=f"{state}, {wanted}: see {self.daemon.errors}")

    def refuses(self, words):
        return eventually(lambda: words in self.info().get("why", "") and self.info()["state"] == "refused")

    def reload(self, **settings):
        self.settings.update(settings)
        self.daemon.config.write_text(self.config())
        done = "the configuration was read again"
        before = self.daemon.log().count(done)
        self.daemon.process.send_signal(1)
        eventually(lambda: self.daemon.log().count(done) > before)
        self.info()  # which is answered when all of it is done

    def check(self):
        words = ["--config", self.daemon.config, "--engines", self.daemon.engines, "--blocks", self.daemon.blocks]
        return subprocess.run([program("pipetoold"), "--check", *words], capture_output=True, text=True, check=False)

    def again(self):
        """A daemon in the place of the one that was killed."""
        self.daemon.start()

    def engines(self):
        rows = self.daemon.call("engine.list")["engines"]
        return {row["engine"]: (row["state"], row["revision"]) for row in rows}

    def comments(self, engine):
        log = self.daemon.call("engine.log", engine=engine)["revisions"]
        return [revision.get("comment", "") for revision in log]

    def status(self, folder, *words, code=0):
        inventory = folder / "hosts"
        inventory.write_text(f"h unix:{self.daemon.socket}\n")
        done = run_ptctl("fleet", "status", "-i", inventory, *words)
        assert done.code == code, done
        return done.out


@pytest.fixture
def graphs(tmp_path):
    return Graphs(tmp_path / "graphs")


@pytest.fixture
def pulls(daemons, graphs):
    return lambda **settings: Pulls(daemons, graphs, **settings)


# ---- what lies there ----------------------------------------------------------------------------

def test_a_host_takes_what_is_for_it_and_a_second_daemon_nothing(pulls, graphs, tmp_path):
    graphs.put(all="Drain()\n", web="# on: role=web\n# engine: gate\nDrain()\n", db="# on: role=db\nDrain()\n")
    p = pulls(labels="role=web, site=north")
    info = p.comes_to("applied")
    assert info["applied"] == graphs.hash() and info["engines"] == ["all", "gate"]
    assert p.engines() == dict.fromkeys(["all", "gate"], ("running", 1))
    assert p.comments("gate")[0].startswith(f"fleet pulls {graphs.path}@{graphs.hash()[:12]} at ")
    assert p.daemon.call("engine.log", engine="all")["revisions"][0]["uid"] is None
    assert f"h: applies {graphs.path} by itself: applied, {graphs.hash()[:8]}\n" in p.status(tmp_path)
    p.daemon.stop()
    p.again()
    p.comes_to("applied")
    assert p.engines() == dict.fromkeys(["all", "gate"], ("running", 1))
    p.reload(labels="role=db")
    eventually(lambda: "db" in p.engines())
    assert p.comes_to("applied")["engines"] == ["all", "db"]


def test_what_changes_there_changes_here(pulls, graphs):
    graphs.put(e="Drain()\n", x="Drain()\n")
    p = pulls(prune="yes")
    p.comes_to("applied")
    p.daemon.create("mine", "Drain()")
    graphs.put(e="Drain() > Drain()\n", x=None, new="Drain()\n")
    p.comes_to("applied")
    assert p.engines() == {"e": ("running", 2), "new": ("running", 1), "mine": ("running", 1)}
    assert "engine x is destroyed" in p.daemon.log()


def test_a_link_is_led_elsewhere_at_one_moment(pulls, graphs, tmp_path):
    old, new = tmp_path / "old", Graphs(tmp_path / "new")
    graphs.put(e="Drain()\n", f="Drain()\n")
    graphs.path.rename(old)
    graphs.path.symlink_to("old")
    p = pulls()
    p.comes_to("applied")
    new.put(e="Drain() > Drain()\n", f="Drain() > Drain()\n")
    (tmp_path / "beside").symlink_to(new.path)
    (tmp_path / "beside").rename(graphs.path)
    p.comes_to("applied", new)
    assert p.engines() == dict.fromkeys("ef", ("running", 2))
    new.put(e="Drain()\n")  # the way leads there now
    p.comes_to("applied", new)


def test_a_link_on_the_way_is_led_elsewhere(daemons, tmp_path):
    for name, text in (("v1", "Drain()\n"), ("v2", "Drain() > Drain()\n")):
        (tmp_path / name).mkdir()
        Graphs(tmp_path / name / "graphs").put(e=text)
    way = tmp_path / "way"
    way.symlink_to(tmp_path / "v1")
    p = Pulls(daemons, Graphs(way / "graphs"))
    p.comes_to("applied")
    (tmp_path / "beside").symlink_to("v2")
    (tmp_path / "beside").rename(way)
    p.comes_to("applied")
    assert p.engines() == {"e": ("running", 2)}


def test_a_folder_may_come_later(pulls, graphs):
    graphs.path.rmdir()
    p = pulls()
    p.refuses("cannot read the folder")
    assert p.engines() == {}
    graphs.path.mkdir()
    graphs.put(e="Drain()\n")
    p.comes_to("applied")


def test_what_is_half_there_is_waited_for(pulls, graphs):
    """With a list of sums until it fits, and without one until nothing changes any more."""
    graphs.put(e="Drain()\n", f="Drain()\n")
    whole = graphs.sums()
    graphs.put(sealed=False, f=None)
    p = pulls()
    p.refuses("SHA256SUMS: 'f.pipe' is in it, and not in the folder")
    assert p.engines() == {}
    graphs.put(sealed=False, f="Drain()\n")
    p.comes_to("applied")
    assert graphs.sums() == whole and p.engines() == dict.fromkeys("ef", ("running", 1))
    (graphs.path / "SHA256SUMS").unlink()
    graphs.put(sealed=False, e="Drain() > Drain()\n")
    p.comes_to("applied")
    assert p.engines()["e"] == ("running", 2)


# ---- what is wrong ------------------------------------------------------------------------------

def test_what_is_bad_is_told_and_changes_nothing(pulls, graphs, tmp_path):
    graphs.put(e="Drain()\n")
    p = pulls()
    p.comes_to("applied")
    good = graphs.hash()
    graphs.put(e="Drain() > Drain()\n", bad="# a comment\nDrain() > Nothing()\n")
    info = p.comes_to("refused")
    assert info["why"].startswith("bad.pipe: line 2, column ") and "'Nothing'" in info["why"]
    assert info["applied"] == good
    eventually(lambda: "Drain() > Nothing()\n" in p.daemon.log())
    told = p.status(tmp_path, graphs.path, "--check", code=2)
    assert f"by itself: refused, {graphs.hash()[:8]}: bad.pipe: line 2, column " in told
    graphs.put(bad="# engine: e\nDrain()\n")
    p.refuses("bad.pipe and e.pipe both make engine 'e' on 'this host'")
    graphs.put(bad=None)
    (p.daemon.engines / "own.pipe").write_text("Drain()\n")
    p.comes_to("applied")
    p.reload()
    eventually(lambda: "own" in p.engines())
    graphs.put(e="Drain()\n", own="Drain() > Drain()\n")
    p.refuses(f"own.pipe: engine 'own' is that of the host's own file '{p.daemon.engines}/own.pipe'")
    assert p.engines() == {"e": ("running", 2), "own": ("running", 1)}


def test_a_name_that_is_no_text_is_told(pulls, graphs):
    graphs.put(e="Drain()\n")
    p = pulls()
    p.comes_to("applied")
    (graphs.path / os.fsdecode(b"\xff.pipe")).write_text("Drain()\n")
    p.refuses("\\xff.pipe: '\\xff' is no name of an engine")
    assert p.engines() == {"e": ("running", 1)}


def test_a_gate_that_fails_takes_it_back_once(pulls, graphs):
    graphs.put(e="Drain()\n")
    p = pulls()
    p.comes_to("applied")
    good, before = graphs.hash(), p.daemon.ok("export", "e")
    p.reload(gate="messages > 0")  # which nothing without a source is up to
    graphs.put(e="Drain() > Drain()\n", new="Drain()\n")
    info = p.comes_to("taken back")
    assert info["applied"] == good
    assert info["why"] == "engine 'e': 0 of 0 messages came (0.00%): not 'messages > 0'"
    assert p.daemon.ok("export", "e") == before and p.engines() == {"e": ("running", 3)}
    assert p.comments("e")[2] == f"{p.comments('e')[1]}, taken back: {info['why']}"
    p.daemon.stop()
    p.again()
    graphs.put(e="Drain() > Drain()\n", new="Drain()\n")  # again, and no other
    p.comes_to("taken back")
    p.reload()
    eventually(lambda: len(p.comments("e")) == 5)  # tried again, and back: nothing before was
    p.comes_to("taken back")
    p.reload(gate="messages > 0 and errors < 1", soak="0.1")
    eventually(lambda: len(p.comments("e")) == 7)
    p.reload(gate="errors < 1")
    p.comes_to("applied")
    assert set(p.engines()) == {"e", "new"}


def test_a_reload_is_not_forgotten_where_the_folder_changes(pulls, graphs):
    graphs.put(sealed=False, e="Drain()\n")
    p = pulls(gate="messages > 0")
    p.comes_to("taken back")
    p.reload()
    graphs.put(sealed=False, e="Drain()\n")  # while it waits for more to come
    eventually(lambda: p.daemon.log().count("is taken, and watched for") == 2)


def test_what_a_killed_daemon_has_not_confirmed_is_taken_back(pulls, graphs):
    graphs.put(e="Drain()\n", x="Drain()\n")
    p = pulls(prune="yes")
    p.comes_to("applied")
    p.daemon.ok("stop", "e")  # else what came through before would be counted for a while, too
    p.reload(soak="1000")
    graphs.put(e="Drain() > Drain()\n", x=None, new="Drain()\n")
    eventually(lambda: p.engines() == {"e": ("stopped", 2), "new": ("running", 1)})
    p.daemon.kill()
    p.again()
    info = p.comes_to("taken back")
    assert info["why"] == "the daemon ended while it was watched"
    assert p.engines() == {"e": ("stopped", 3), "x": ("running", 1)}
    assert "unconfirmed" not in str(p.daemon.call("engine.list"))
    assert p.comments("e")[2].endswith("taken back: the daemon ended before it was confirmed")
    p.reload()
    eventually(lambda: p.engines() == {"e": ("stopped", 4), "new": ("running", 1)})
    p.daemon.kill()
    p.daemon.config.write_text("")  # also by one that is to take nothing any more
    p.again()
    eventually(lambda: p.engines() == {"e": ("stopped", 5), "x": ("running", 1)})
    assert p.comments("e")[4].endswith("taken back: the daemon ended before it was confirmed")
    assert "fleet" not in p.daemon.call("daemon.info")


def test_a_restart_in_between_begins_anew(pulls, graphs):
    graphs.put(e="Drain()\n")
    p = pulls()
    p.comes_to("applied")
    p.daemon.ok("stop", "e")
    p.reload(soak="1000")
    graphs.put(e="Drain() > Drain()\n")
    eventually(lambda: p.engines()["e"] == ("stopped", 2))
    p.daemon.stop()
    p.settings["soak"] = "0"
    p.daemon.config.write_text(p.config())
    p.again()
    p.comes_to("applied")
    assert p.engines()["e"] == ("stopped", 4)  # back, and there


def test_check_reads_the_folder_too(pulls, graphs):
    graphs.put(e="Drain()\n", bad="# on: x\nDrain() > Nothing()\n")
    p = pulls()
    p.comes_to("applied")
    good = p.check()
    assert good.returncode == 0, good
    p.daemon.config.write_text(p.config() + "labels = x\n")
    told = p.check()
    assert told.returncode == 1 and f"fleet: {graphs.path}: bad.pipe: line 2, column 11: " in told.stderr, told
    graphs.put(bad="# on: x\n# engine: e\nDrain()\n")
    assert "bad.pipe and e.pipe both make engine 'e'" in p.check().stderr


# ---- who may ------------------------------------------------------------------------------------

@pytest.fixture
def keys(tmp_path):
    return make_key(tmp_path / "good"), make_key(tmp_path / "other")


@pytest.mark.parametrize("kind", ["text", "file", "signers"])
def test_with_a_key_only_what_is_signed_is_taken(pulls, graphs, keys, tmp_path, kind):
    good, other = keys
    public = good.with_suffix(".pub").read_text()
    (tmp_path / "signers").write_text(f"# who may\nann@example.org namespaces=\"file\" {public}")
    key = {"text": public.strip(), "file": f"{good}.pub", "signers": tmp_path / "signers"}[kind]
    graphs.put(e="Drain()\n")
    sign(graphs.path, good)
    p = pulls(key=key)
    p.comes_to("applied")
    graphs.put(e="Drain() > Drain()\n")  # by the signature of another list
    p.refuses("SHA256SUMS.sig: this is no signature by [fleet] key: ")
    sign(graphs.path, other)
    p.reload()
    p.refuses("SHA256SUMS.sig: this is no signature by [fleet] key: ")
    assert p.engines() == {"e": ("running", 1)}
    sign(graphs.path, good)
    p.comes_to("applied")
    assert p.engines() == {"e": ("running", 2)}


def test_with_a_key_nothing_unsigned_is_taken(pulls, graphs, keys):
    graphs.put(sealed=False, e="Drain()\n")
    p = pulls(key=f"{keys[0]}.pub")
    p.refuses("there is no SHA256SUMS; with [fleet] key the folder must be signed")
    graphs.put()
    p.refuses("SHA256SUMS.sig: no such file or directory; with [fleet] key the folder must be signed")
    os.mkfifo(graphs.path / "SHA256SUMS.sig")  # which nobody waits for
    told = p.check()
    assert told.returncode == 1 and "SHA256SUMS.sig: resource temporarily unavailable; with [fleet] key" in told.stderr, told
    sign(graphs.path, keys[0])
    p.comes_to("applied")


def test_a_folder_that_is_not_there_is_told_once(pulls, graphs, keys):
    graphs.path.rmdir()
    p = pulls(key=f"{keys[0]}.pub")
    words = f"cannot read the folder '{graphs.path}': no such file or directory"
    p.refuses(words)
    assert p.info()["why"] == words
    told = p.check()
    assert told.returncode == 1 and told.stderr.count("fleet: ") == 1, told


# ---- beside an operator -------------------------------------------------------------------------

def test_what_a_host_takes_by_itself_no_operator_changes(pulls, graphs, tmp_path):
    graphs.put(e="Drain()\n")
    p = pulls(prune="yes")
    p.comes_to("applied")
    (tmp_path / "hosts").write_text(f"h unix:{p.daemon.socket}\n")
    desk = Graphs(tmp_path / "desk")
    desk.put(pushed="Drain()\n")

    def apply(*words):
        return run_ptctl("fleet", "apply", "-i", tmp_path / "hosts", desk.path, "--soak", "0", *words)

    assert apply("--prune").code == 0  # and what the host takes stays
    graphs.put(new="Drain()\n")
    p.comes_to("applied")  # and what the operator has made stays
    assert set(p.engines()) == {"e", "new", "pushed"}
    assert f"and not what lies in DIR, {desk.hash()[:8]}\n" in p.status(tmp_path, desk.path)
    shutil.copy(graphs.path / "e.pipe", desk.path)
    assert apply().code == 0  # nothing to do
    desk.put(e="Drain() > Drain()\n")
    refused = apply()
    assert refused.code == 1 and p.engines()["e"] == ("running", 1)
    assert f"h: ptctl: e.pipe: the host itself makes engine 'e' what its folder '{graphs.path}' says" in refused.err


def test_wrong_settings_are_told(daemons, graphs):
    daemon = daemons()
    daemon.config.write_text(f"[fleet]\nfrom = {graphs.path.name}\n")
    daemon.process.send_signal(1)
    eventually(lambda: "[fleet] from: 'graphs' is no folder from / on" in daemon.log())
    daemon.config.write_text("[fleet]\ngate = lost < 1\n")
    daemon.process.send_signal(1)
    eventually(lambda: "[fleet] gate: 'lost < 1' is no gate" in daemon.log())
    assert "fleet" not in daemon.call("daemon.info")
