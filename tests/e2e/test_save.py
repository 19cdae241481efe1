# SPDX-License-Identifier: BSD-2-Clause
"""ptctl save: a running graph into its file, without what people wrote into that being lost."""
import os
import pathlib
import subprocess

import pytest

from chance import chance, rounds
from conftest import DEADLINE

FILE = """\
# The lab.

size = 1000
# where it comes from
s = CLIFeeder()   # from ptctl

# through
s > Drain() > q = QueueSink(limit=size)   # kept

# a copy
s > copy = Sink()
# the end
"""


def kept(daemon, engine):
    return next(row for row in daemon.call("engine.list")["engines"] if row["engine"] == engine)


def write(daemon, engine, text):
    path = daemon.engines / f"{engine}.pipe"
    path.write_text(text)
    return path


def differs(daemon, engine):
    return daemon.ptctl("diff", engine, "--file").code


def test_comments_of_lines_that_stay_stay(daemons, tmp_path):
    folder = tmp_path / "engines"
    folder.mkdir()
    (folder / "lab.pipe").write_text(FILE)
    daemon = daemons(engines=folder)
    path = folder / "lab.pipe"
    assert daemon.ok("save", "lab") == f"{path} is so already\n"
    daemon.ok("add", "lab", "drain1 > more = Sink()")
    assert daemon.ok("save", "lab") == f"{path} written\n"
    assert path.read_text() == FILE.replace(
        "s > Drain() > q = QueueSink(limit=size)   # kept",  # a name is needed now
        "drain1 = Drain()\nq = QueueSink(limit=1000)\ns > drain1 > q  # kept"
    ) + "more = Sink()\ndrain1 > more\n"
    daemon.ok("remove", "lab", "copy")
    daemon.ok("set", "lab.q", "limit=2000")
    daemon.ok("save", "lab")
    assert path.read_text() == """\
# The lab.

size = 1000
# where it comes from
s = CLIFeeder()   # from ptctl

# through
drain1 = Drain()
q = QueueSink(limit=2000)
s > drain1 > q  # kept

# the end
more = Sink()
drain1 > more
"""
    assert differs(daemon, "lab") == 0


def test_what_was_kept_is_the_files_from_then_on(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); s > q = QueueSink()")
    rpc.send("e", "s", "waits")
    assert kept(daemon, "e")["kept"] == "yes"
    path = daemon.engines / "e.pipe"
    assert daemon.ok("save", "e") == f"{path} written\n"
    row = kept(daemon, "e")
    assert (row["kept"], row["file"], row["differs"], row["state"]) == ("file", str(path), False, "running")
    assert not list(daemon.state.glob("e.*"))
    assert daemon.ok("recv", "e.q") == "waits\n"
    daemon.stop()
    path.write_text(path.read_text() + "s > Sink()\n")
    daemon.start()
    assert len(daemon.call("engine.show", {"engine": "e"})["links"]) == 2
    assert kept(daemon, "e")["kept"] == "file"


def test_a_stopped_engine_stays_stopped_and_its_undo_is_there(daemon):
    daemon.create("e", "s = CLIFeeder(); s > Sink()", start=False)
    daemon.ok("add", "e", "s > Sink()")
    daemon.ok("save", "e")
    assert kept(daemon, "e")["state"] == "stopped"
    daemon.ok("undo", "e")
    assert kept(daemon, "e")["differs"] and differs(daemon, "e") == 9
    daemon.ok("save", "e")
    assert not kept(daemon, "e")["differs"]


def test_what_waits_to_be_confirmed_is_told(daemon):
    daemon.create("e", "s = CLIFeeder(); s > Sink()")
    daemon.ok("save", "e")
    daemon.ok("add", "e", "s > Sink()", "--confirm", "600")
    refused = daemon.ptctl("save", "e")
    assert refused.code == 1 and "revision 2 of engine 'e' waits to be confirmed" in refused.err, refused
    daemon.ok("confirm", "e")
    daemon.ok("save", "e")
    assert not kept(daemon, "e")["differs"]


def test_another_file_is_only_written(daemon, tmp_path):
    daemon.create("e", "s = CLIFeeder(); s > Sink()")
    text = daemon.ok("save", "e", "-")
    assert text == daemon.ok("export", "e")
    daemon.ok("save", "e", tmp_path / "other.pipe")
    assert (tmp_path / "other.pipe").read_text() == text
    assert kept(daemon, "e")["kept"] == "yes"
    refused = daemon.ptctl("save", "e", "/dev/null/e.pipe")
    assert refused.code == 1 and "cannot write '/dev/null/e.pipe'" in refused.err
    assert daemon.ptctl("save", "f").code == 6
    assert daemon.call("daemon.info")["folder"] == str(daemon.engines)


def test_a_link_and_its_rights_stay(daemon, tmp_path):
    daemon.create("e", "s = CLIFeeder(); s > Sink()")
    there = tmp_path / "there.pipe"
    there.write_text("# mine\n")
    there.chmod(0o640)
    (daemon.engines / "e.pipe").symlink_to(there)
    daemon.ok("save", "e")
    assert (daemon.engines / "e.pipe").is_symlink() and there.stat().st_mode & 0o777 == 0o640
    assert there.read_text().startswith("# mine\ns = CLIFeeder()\n")


@pytest.mark.skipif(os.getuid(), reason="gives a file away")
def test_whose_the_file_is_stays(daemon):
    daemon.create("e", "s = CLIFeeder(); s > Sink()")
    path = write(daemon, "e", "# theirs\n")
    os.chown(path, 1234, 4321)
    path.chmod(0o640)
    daemon.ok("save", "e")
    there = path.stat()
    assert (there.st_uid, there.st_gid, there.st_mode & 0o777) == (1234, 4321, 0o640)


def test_what_is_no_file_is_written_into(daemon, tmp_path):
    daemon.create("e", "s = CLIFeeder(); s > Sink()")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        assert daemon.ok("save", "e", pipe) == f"{pipe} written\n"
        assert reader.communicate(timeout=DEADLINE)[0] == daemon.ok("export", "e")
    assert pipe.is_fifo()
    refused = daemon.ptctl("save", "e", tmp_path)
    assert refused.code == 1 and f"cannot write '{tmp_path}': is a directory" in refused.err


STATEMENTS = ["a = CLIFeeder()", "b = CLIHighFeeder()", "c = Drain()", "d = Drain(); e = Sink()  # two",
              "g = TransformDrain(\n    'upper',  # within\n)", "a > c", "c >\\\n  e", "c > d > e; b >> d",
              "a > Drain() > h = QueueSink()", "b >> DownDrain()  # down", "# alone\n", "", "n = 1"]
CHANGES = [("remove", "c"), ("remove", "e"), ("remove", "h"), ("remove", "g"), ("add", "a > new = Sink()"),
           ("unlink", "c > d"), ("unlink", "a > c"), ("add", "more = Drain(); b >> more"),
           ("replace", "d", "FilterDrain('always')"), ("remove", "drain1")]


def test_whatever_was_written_the_file_makes_the_graph(daemon):
    c = chance("save")
    for number in rounds(0.5, 60):
        name = f"e{number}"
        lines = STATEMENTS[:5] + c.sample(STATEMENTS[5:], c.randrange(1, 9))
        text = "\n".join(lines) + "\n"
        daemon.ok("create", name, text)
        path = write(daemon, name, text)
        for verb, *words in c.sample(CHANGES, c.randrange(4)):
            target = [f"{name}.{words[0]}", *words[1:]] if verb == "replace" else [name, *words]
            daemon.ptctl(verb, *target)  # what is not there cannot be removed
        daemon.ok("save", name)
        assert kept(daemon, name)["kept"] == "file"
        assert not kept(daemon, name)["differs"], (text, path.read_text())
        assert differs(daemon, name) == 0, (text, path.read_text())
        assert "# alone" in path.read_text() or "# alone" not in text
