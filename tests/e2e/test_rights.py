# SPDX-License-Identifier: BSD-2-Clause
"""Who may do what: files, descriptors, roles and sockets."""
import contextlib
import io
import json
import os
import pathlib
import select
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading

import pytest
from scapy.all import Ether, IP, Raw, UDP, rdpcap, wrpcap

import makers  # noqa: F401: frames without a destination ask nobody
from client import Client, Closed, Refused, add
from conftest import DEADLINE, Daemon, eventually, program, run_ptctl


def some_packets(path, count=5):
    wrpcap(str(path), [Ether() / IP(id=i) / Raw(b"x") for i in range(count)])
    return path


# ---- the folders that blocks may use ------------------------------------------------------------

@pytest.fixture
def fenced(daemons, tmp_path):
    """A daemon whose blocks may use the folder `in`, beside which `out` lies."""
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
        some_packets(tmp_path / folder / "x.pcap", 5 if folder == "in" else 9)
    return daemons(config=f"[files]\nallow = {tmp_path}/in:/nowhere\n")


WAYS_OUT = ["{out}/x.pcap", "{in}/../out/x.pcap", "{in}/link", "{in}/up/out/x.pcap", "{in}/none/../../out/x.pcap",
            "/proc/self/root{out}/x.pcap", "/etc/hostname", "{in}/far"]


@pytest.mark.parametrize("way", WAYS_OUT)
@pytest.mark.parametrize("block", ["RdpcapSource('{}') > Sink()", "CLIFeeder() > WrpcapSink('{}')",
                                   "CLIFeeder() > WrpcapSink('{}', rotate={{'size': 100}})"])
def test_no_block_reads_or_writes_elsewhere(fenced, tmp_path, block, way):
    places = {"in": tmp_path / "in", "out": tmp_path / "out"}
    (tmp_path / "in/link").symlink_to("../out/x.pcap")
    (tmp_path / "in/up").symlink_to("..")
    (tmp_path / "in/far").symlink_to(tmp_path / "out/new.pcap")
    before = sorted(os.listdir(tmp_path / "out"))
    result = fenced.ptctl("create", "e", block.format(way.format(**places)), "--start")
    assert result.code in (1, 7)
    if "none" not in way:
        assert result.code == 7
        assert "does not lie in a folder that may be used" in result.err
        assert f"{tmp_path}/in, /nowhere" in result.err and "`allow` under [files]" in result.err
        assert "^" in result.err
    assert sorted(os.listdir(tmp_path / "out")) == before


def test_links_that_stay_inside_work(fenced, tmp_path):
    inside = tmp_path / "in"
    (inside / "sub").mkdir()
    (inside / "short").symlink_to("sub")
    (inside / "a.pcap").symlink_to("../in/x.pcap")
    fenced.create("e", f"RdpcapSource('{inside}/a.pcap') > WrpcapSink('{inside}/short/../short/b.pcap')")
    fenced.finish("e")
    assert len(rdpcap(str(inside / "sub/b.pcap"))) == 5


def test_the_open_decides_and_not_what_was_there_before(fenced, tmp_path):
    """Allowed when the engine was made, led elsewhere before it is started."""
    inside = tmp_path / "in"
    (inside / "dir").mkdir()
    some_packets(inside / "dir/x.pcap")
    fenced.create("r", f"RdpcapSource('{inside}/dir/x.pcap') > Sink()", start=False)
    fenced.create("w", f"CLIFeeder() > WrpcapSink('{inside}/dir/y.pcap')", start=False)
    os.rename(inside / "dir", inside / "was")
    (inside / "dir").symlink_to(tmp_path / "out")
    for engine in "rw":
        result = fenced.ptctl("start", engine)
        assert result.code == 7 and "does not lie in a folder" in result.err, result
    assert os.listdir(tmp_path / "out") == ["x.pcap"]


def test_the_next_file_of_a_rotation_stays_inside(fenced, tmp_path):
    inside = tmp_path / "in"
    (inside / "ring").mkdir()
    fenced.create("e", f"f = CLIFeeder(); w = WrpcapSink('{inside}/ring/r.pcap', linktype=1, "
                  "rotate={'size': 30, 'files': 1}); f > w")
    fenced.ok("send", "e.f", "one packet")
    os.rename(inside / "ring", inside / "was")
    (inside / "ring").symlink_to(tmp_path / "out")
    (tmp_path / "out/r.00001.pcap").write_bytes(b"dear")
    fenced.ok("send", "e.f", "another", "one more")

    def failed():
        with contextlib.suppress(Refused), fenced.client() as client:
            return client.show("e", "w")["state"] == "failed"
    eventually(failed)
    assert "does not lie in a folder" in fenced.log()
    assert sorted(os.listdir(tmp_path / "out")) == ["r.00001.pcap", "x.pcap"]


def test_a_rotation_does_not_write_through_a_link(daemon, tmp_path):
    """Also where every folder is allowed: somebody knows what the next name will be."""
    (tmp_path / "dear").write_bytes(b"dear")
    daemon.create("e", f"f = CLIFeeder(); w = WrpcapSink('{tmp_path}/r.pcap', linktype=1, "
                  "rotate={'size': 30}); f > w")
    (tmp_path / "r.00002.pcap").symlink_to("dear")
    daemon.ok("send", "e.f", "one", "two", "three")
    with daemon.client() as client:
        eventually(lambda: client.show("e", "w")["state"] == "failed")
    assert (tmp_path / "dear").read_bytes() == b"dear"


def test_a_link_that_is_swapped_all_the_time_never_leads_out(fenced, tmp_path):
    inside, over = tmp_path / "in", threading.Event()
    some_packets(inside / "good.pcap", 5)

    def swap():
        while not over.is_set():
            for target in ("good.pcap", "../out/x.pcap"):
                os.symlink(target, inside / "next")
                os.replace(inside / "next", inside / "swapped.pcap")

    os.symlink("good.pcap", inside / "swapped.pcap")
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        with fenced.client() as client:
            client.call("engine.create", engine="e", blocks=[], links=[])
            opened = refused = rounds = 0
            while rounds < 200 or not opened or not refused:
                rounds += 1
                try:
                    client.change("e", add("s", "RdpcapSource", fname=f"{inside}/swapped.pcap"),
                                  add("q", "QueueSink"), {"op": "link", "from": "s", "to": "q"})
                    client.call("engine.start", engine="e")
                    client.call("engine.stop", engine="e", wait=True)
                    assert client.stats("e", "s")["made"] in (5, 0)
                    opened += 1
                except Refused as refusal:
                    assert refusal.kind in ("not-permitted", "io"), refusal
                    refused += 1
                for block in client.show("e")["blocks"]:
                    client.change("e", {"op": "remove", "name": block["name"]})
    finally:
        over.set()
        thread.join()


def test_a_fifo_holds_up_nobody(fenced, tmp_path):
    os.mkfifo(tmp_path / "in/fifo")
    result = fenced.ptctl("create", "w", f"CLIFeeder() > WrpcapSink('{tmp_path}/in/fifo')", "--start")
    assert result.code == 1 and "nobody reads the FIFO" in result.err
    fenced.create("r", f"RdpcapSource('{tmp_path}/in/fifo') > Sink()")
    assert "running" in fenced.ok("show", "r")
    fenced.ok("stop", "r")


# ---- with the user's own rights -----------------------------------------------------------------

# Users who have nothing in common, and the one that the daemon runs as.
NOBODY, SOMEBODY, DAEMON, OPERATOR, VIEWER, GROUP = 65534, 4711, 4712, 4713, 4714, 4715

as_root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"),
                             reason="only root with setpriv can be other users")


def user(uid, *groups):
    """The beginning of a command line that runs the rest as somebody else."""
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid),
            *(["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"])]


@pytest.fixture
def commons():
    """A folder where everybody may enter, which pytest's own are not."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="rights-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def folder_of(path, uid, mode=0o700):
    path.mkdir()
    os.chown(path, uid, uid)
    path.chmod(mode)
    return path


@pytest.fixture
def estranged(commons):
    """A daemon that runs as a user of its own, and takes everybody for an admin who comes in."""
    if subprocess.run([*user(DAEMON), program("pipetoold"), "--version"], capture_output=True, check=False).returncode:
        pytest.skip("another user cannot reach the programs under test")
    daemon = Daemon(folder_of(commons / "daemon", DAEMON, 0o755), prefix=user(DAEMON), owner=DAEMON,
                    config=f"[daemon]\nviewer_socket = {commons}/daemon/viewer.sock\n[access]\n"
                    f"admin = {SOMEBODY}\noperator = {OPERATOR}\nviewer = {VIEWER}, @{GROUP}\n")
    daemon.socket.chmod(0o666)
    yield daemon
    daemon.stop()


@as_root
def test_programs_have_none_of_the_daemons_capabilities(commons):
    """Given as a unit's AmbientCapabilities= gives them."""
    prefix = [*user(DAEMON), "--inh-caps=+net_raw", "--ambient-caps=+net_raw"]
    if subprocess.run([*prefix, program("pipetoold"), "--version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no CAP_NET_RAW to be given, or another user cannot reach the programs under test")
    daemon = Daemon(folder_of(commons / "daemon", DAEMON, 0o755), prefix=prefix, owner=DAEMON,
                    config="[programs]\nallow = grep\n")
    with daemon.client() as rpc:
        daemon.create("e", "p = ProgramPipe('grep ^Cap /proc/self/status'); q = QueueSink(); p > q")
        caps = dict(line.split(":\t") for line in rpc.texts("e", "q", 5))
    own = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    assert "CapEff:\t0000000000002000" in own  # it has it itself
    assert {caps[name] for name in ("CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    daemon.stop()


@as_root
def test_run_reads_and_writes_with_the_users_rights(estranged, commons):
    home = folder_of(commons / "home", SOMEBODY)
    some_packets(home / "in.pcap")
    os.chown(home / "in.pcap", SOMEBODY, SOMEBODY)
    (home / "in.pcap").chmod(0o600)

    def ptctl(*words):
        return run_ptctl("-s", estranged.socket, *words, prefix=user(SOMEBODY), cwd=home)

    # the daemon itself could not
    refused = ptctl("create", "e", "RdpcapSource('in.pcap') > Sink()", "--start")
    assert refused.code == 1 and "permission denied" in refused.err.lower()

    for _ in range(2):
        done = ptctl("run", "RdpcapSource('in.pcap') > WrpcapSink('out.pcap')")
        assert done.code == 0, done
        assert len(rdpcap(str(home / "out.pcap"))) == 5
    assert (home / "out.pcap").stat().st_uid == SOMEBODY
    done = ptctl("run", "RdpcapSource('in.pcap') > WrpcapSink('out.pcap', append=True)")
    assert done.code == 0, done
    assert len(rdpcap(str(home / "out.pcap"))) == 10


@as_root
def test_run_lends_nobody_the_daemons_rights(estranged, commons):
    some_packets(commons / "daemon/secret.pcap")
    os.chown(commons / "daemon/secret.pcap", DAEMON, DAEMON)
    (commons / "daemon/secret.pcap").chmod(0o600)
    before = sorted(os.listdir(commons / "daemon"))
    for graph in ("RdpcapSource('secret.pcap') > Sink()",
                  "CLIFeeder() > WrpcapSink('secret.pcap')", "CLIFeeder() > WrpcapSink('new.pcap')",
                  "CLIFeeder() > TransformDrain(\"anonymize{key_file='secret.pcap'}\") > Sink()"):
        refused = run_ptctl("-s", estranged.socket, "run", graph, prefix=user(SOMEBODY),
                            cwd=commons / "daemon")
        assert refused.code == 1
        assert "permission denied" in refused.err.lower() and "you need to be allowed" in refused.err
        assert "^" in refused.err
    assert sorted(os.listdir(commons / "daemon")) == before


@as_root
def test_run_reads_a_key_with_the_users_rights(estranged, commons):
    home = folder_of(commons / "home", SOMEBODY)
    wrpcap(str(home / "in.pcap"), Ether() / IP(src="192.0.2.1", dst="198.51.100.2") / UDP())
    (home / "key").write_text("1f" * 32)
    for name in ("in.pcap", "key"):
        os.chown(home / name, SOMEBODY, SOMEBODY)
        (home / name).chmod(0o600)

    def ptctl(*words, **more):
        return run_ptctl("-s", estranged.socket, *words, prefix=user(SOMEBODY), cwd=home, **more)

    def run(member, out, **more):
        graph = f"RdpcapSource('in.pcap') > TransformDrain(\"anonymize{{{member}}}\") > WrpcapSink('{out}')"
        done = ptctl("run", graph, **more)
        assert done.code == 0 and "1f1f" not in done.err, done
        return (home / out).read_bytes()

    wanted = run(f"key='{'1f' * 32}'", "a.pcap")
    assert run("key_file='key'", "b.pcap") == wanted
    assert run(f"key_file='{home}/key'", "c.pcap") == wanted
    assert run("key_file='-'", "d.pcap", input=b"1f" * 32) == wanted
    refused = ptctl("create", "e", f"CLIFeeder() > TransformDrain(\"anonymize{{key_file='{home}/key'}}\") > Sink()",
                    "--start")
    assert refused.code == 1 and "permission denied" in refused.err.lower()


@as_root
def test_run_makes_and_removes_files_with_the_users_rights(estranged, commons):
    """Those whose names are not known yet, in a folder that is closed to the daemon."""
    home = folder_of(commons / "home", SOMEBODY)
    for n in range(3):
        wrpcap(str(home / f"in{n}.pcap"), [Ether() / IP(src=f"192.0.2.{i}") / Raw(bytes(9)) for i in range(5)])
        os.chown(home / f"in{n}.pcap", SOMEBODY, SOMEBODY)
        (home / f"in{n}.pcap").chmod(0o600)

    def run(graph, code=0):
        done = run_ptctl("-s", estranged.socket, "run", graph, prefix=user(SOMEBODY), cwd=home)
        assert done.code == code, done
        return done.err

    run("RdpcapSource('in*.pcap') > WrpcapSink('deep/er/{ip.src}/x.pcap', open=2)")
    made = sorted(home.glob("deep/er/*/x.pcap"))
    assert [path.parent.name for path in made] == [f"192.0.2.{i}" for i in range(5)]
    assert [len(rdpcap(str(path))) for path in made] == [3] * 5
    assert {path.stat().st_uid for path in made} | {made[0].parent.stat().st_uid} == {SOMEBODY}

    for _ in range(2):
        run("RdpcapSource(['in0.pcap', 'in[12].pcap']) > WrpcapSink('r.pcap', rotate={'size': 30, 'files': 4})")
    assert sorted(path.name for path in home.glob("r.*")) == [f"r.000{n}.pcap" for n in range(27, 31)]
    assert "matches no file" in run("RdpcapSource('none*.pcap') > Sink()", 1)

    (home / "shut").mkdir(mode=0o500)
    os.chown(home / "shut", SOMEBODY, SOMEBODY)
    refused = run("RdpcapSource('in*.pcap') > FileSink('shut/{ip.src}')", 1)
    assert "you need to be allowed to write it" in refused and "^" in refused
    run("RdpcapSource('in*.pcap') > FileSink('new/{ip.src}', open='no')", 1)
    assert not (home / "new").exists()

    (commons / "dear").write_bytes(b"dear")
    os.chown(commons / "dear", SOMEBODY, SOMEBODY)
    (home / "deep/er/192.0.2.1/x.pcap").unlink()
    (home / "deep/er/192.0.2.1/x.pcap").symlink_to(commons / "dear")
    told = run("RdpcapSource('in*.pcap') > WrpcapSink('deep/er/{ip.src}/x.pcap')", 1)
    assert "3 dropped" in told and "write-error" in told, told
    assert (commons / "dear").read_bytes() == b"dear"


@contextlib.contextmanager
def kept_from_hanging(process):
    """What fails while it runs is told, and not waited for."""
    try:
        yield
    except BaseException:
        process.kill()
        raise


@as_root
def test_run_follows_files_with_the_users_rights(estranged, commons):
    home = folder_of(commons / "home", SOMEBODY)

    def write(name, text):
        with open(home / name, "a") as file:
            os.fchown(file.fileno(), SOMEBODY, SOMEBODY)
            os.fchmod(file.fileno(), 0o600)
            file.write(text)

    write("a.log", "one\ntwo\n")
    running = subprocess.Popen(
        [*user(SOMEBODY), program("ptctl"), "-s", estranged.socket, "run",
         "FileSource('*.log', follow=True) > HeadDrain(count=4) > FileSink('out', newlines=True)"],
        cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with running, kept_from_hanging(running):
        eventually(lambda: (home / "out").exists() and (home / "out").read_text() == "one\ntwo\n")
        write("a.log", "three\n")
        eventually(lambda: (home / "out").read_text() == "one\ntwo\nthree\n")
        write("b.log", "four\n")
        assert running.wait(DEADLINE) == 0, running.stdout.read()
    assert (home / "out").read_text() == "one\ntwo\nthree\nfour\n"


@as_root
def test_what_opens_files_for_a_run_ends_with_it(estranged, commons):
    home = folder_of(commons / "home", SOMEBODY)
    running = subprocess.Popen(
        [*user(SOMEBODY), program("ptctl"), "-s", estranged.socket, "run", "f = CLIFeeder(); f > FileSink('{canal}')"],
        cwd=home, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    engine = f"run-{running.pid}-1"
    with running, kept_from_hanging(running):
        with Client(estranged.socket) as client:
            eventually(lambda: [e for e in client.call("engine.list")["engines"]
                                if e["engine"] == engine and e["state"] == "draining"])
        children = pathlib.Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        assert len(children) == 1
        ended = os.pidfd_open(int(children[0]))
        running.kill()
    try:
        assert select.select([ended], [], [], DEADLINE)[0]
    finally:
        os.close(ended)


def test_run_tells_of_files_as_create_does(daemon, tmp_path):
    some_packets(tmp_path / "in.pcap")
    (tmp_path / "folder").mkdir()
    for graph, words in (("RdpcapSource('inn.pcap') > Sink()", "did you mean 'in.pcap'?"),
                         ("RdpcapSource('folder') > Sink()", "is a folder"),
                         ("CLIFeeder() > WrpcapSink('folder')", "is a folder"),
                         ("CLIFeeder() > WrpcapSink('none/x')", "make the folder first")):
        result = daemon.ptctl("run", graph, cwd=tmp_path)
        assert result.code == 1 and words in result.err and "block '" in result.err
        line, text, caret = result.err.splitlines()
        assert line.startswith("ptctl: line 1, column ") and text == graph
        assert text[caret.index("^")] in "'"
    both = daemon.ptctl("run", "RdpcapSource('a') > Sink(); RdpcapSource('b') > Sink()", cwd=tmp_path)
    assert both.err.count("no such file") == 2


def test_run_hands_over_any_number_of_files(daemon, tmp_path):
    some_packets(tmp_path / "in.pcap", 1)
    for folder in range(70):
        (tmp_path / f"f{folder}").mkdir()

    def graph(count, name):
        return "q = Sink(); " + "; ".join(f"RdpcapSource('{name.format(n)}') > q" for n in range(count))
    done = daemon.ptctl("run", graph(100, "in.pcap"), cwd=tmp_path)
    assert done.code == 0 and "100 in, 100 out" in done.err, done
    for name in "ab":
        (tmp_path / f"{name}.pcap").write_bytes((tmp_path / "in.pcap").read_bytes())
    done = daemon.ptctl("run", "RdpcapSource(['?.pcap', 'in.pcap']) > Sink()", cwd=tmp_path)
    assert done.code == 0 and "3 in, 3 out" in done.err, done
    refused = daemon.ptctl("run", graph(70, "f{}/*.pcap"), cwd=tmp_path)
    assert refused.code == 1 and refused.err.count("one file too many") == 1 and "ptctl create" in refused.err


def test_run_takes_what_comes_to_ptctl_itself(daemon, tmp_path):
    data = some_packets(tmp_path / "in.pcap").read_bytes()
    done = daemon.ptctl("run", "RdpcapSource('/dev/stdin') > WrpcapSink('/dev/stdout')", input=data)
    assert done.code == 0 and [bytes(p) for p in rdpcap(io.BytesIO(done.raw))] == [bytes(p) for p in rdpcap(io.BytesIO(data))]


def test_a_run_that_is_refused_leaves_no_file(daemon, tmp_path):
    (tmp_path / "old.pcap").write_bytes(b"dear")
    result = daemon.ptctl("run", "w = WrpcapSink('new.pcap'); v = WrpcapSink('old.pcap'); CLIFeeder() > w;"
                          "RdpcapSource('old.pcap') > v", cwd=tmp_path)
    assert result.code == 1 and "pcap" in result.err
    assert (tmp_path / "old.pcap").read_bytes() == b"dear"
    assert not (tmp_path / "new.pcap").exists()


def test_a_file_may_be_handed_over_with_any_verb(daemon, tmp_path):
    some_packets(tmp_path / "in.pcap")
    with open(tmp_path / "in.pcap", "rb") as source, open(tmp_path / "out.pcap", "wb") as target:
        daemon.ok("create", "e", "r = RdpcapSource({'fd': 0}); r > WrpcapSink({'fd': 1})", "--fd", source.fileno(),
                  "--fd", target.fileno(), pass_fds=[source.fileno(), target.fileno()])
    for _ in range(2):  # an engine that is started again begins anew
        daemon.ok("start", "e")
        daemon.finish("e")
        assert len(rdpcap(str(tmp_path / "out.pcap"))) == 5
    assert "RdpcapSource(fname={'fd': 0})" in daemon.ok("export", "e")


def test_a_file_is_handed_over_for_what_it_is_open_for(daemon, tmp_path):
    path = some_packets(tmp_path / "in.pcap")
    for mode, graph, words in (("rb", "CLIFeeder() > WrpcapSink({'fd': 0})", "not for writing"),
                               ("ab", "RdpcapSource({'fd': 0}) > Sink()", "not for reading"),
                               ("ab", "CLIFeeder() > WrpcapSink({'fd': 0}, append=True)", "not open for reading"),
                               ("rb", "CLIFeeder() > WrpcapSink({'fd': 0}, rotate={'size': 9})", "leave out rotate"),
                               ("rb", "RdpcapSource({'fd': 1}) > Sink()", "no descriptor 1")):
        with open(path, mode) as file:
            result = daemon.ptctl("create", "e", graph, "--start", "--fd", file.fileno(), pass_fds=[file.fileno()])
        assert result.code == 1 and words in result.err, result
    assert len(rdpcap(str(path))) == 5


@pytest.mark.parametrize("fname", [{"fd": -1}, {"fd": 0, "path": 1}, {"fd": 0, "more": 1}, {"path": "x"}, {},
                                   {"fd": ""}, {"fd": {"fd": 0}}, 0, [], None])
def test_what_no_file_can_be(rpc, fname):
    rpc.call("engine.create", engine="e")
    refused = rpc.refused("engine.change", engine="e", ops=[add("r", "RdpcapSource", fname=fname)])
    assert refused.kind == "bad-parameter" and refused.path == "$.ops[0].params.fname"


def test_types_tell_which_files_they_read_and_write(rpc):
    def of(kind):
        return rpc.call("type.show", type=kind)["params"][0]
    assert of("RdpcapSource")["access"] == "read" and of("WrpcapSink")["access"] == "write"
    assert of("WrpcapSink")["kind"] == "file"


def test_what_was_handed_to_an_earlier_daemon_is_gone(daemon, tmp_path):
    with open(some_packets(tmp_path / "in.pcap"), "rb") as file:
        daemon.ok("create", "e", "RdpcapSource({'fd': 0, 'path': '/etc/hostname'}) > Sink()",
                  "--fd", file.fileno(), pass_fds=[file.fileno()])
    daemon.stop()
    daemon.start()
    result = daemon.ptctl("start", "e")
    assert result.code == 1 and "'/etc/hostname' was handed to an earlier daemon" in result.err
    assert "--fd" in result.err


# ---- engines that end with their connection -----------------------------------------------------

def names(daemon):
    return [e["engine"] for e in daemon.call("engine.list")["engines"]]


def test_an_owned_engine_ends_with_its_connection(daemon):
    owner, other = daemon.client(), daemon.client()
    owner.call("engine.create", engine="mine", owned=True, start=True,
               blocks=[{"name": "p", "type": "PeriodicSource", "params": {"msg": "x", "period": 0.01}}])
    owner.call("engine.create", engine="for-all")
    other.call("engine.show", engine="mine")
    other.close()
    assert names(daemon) == ["for-all", "mine"]
    owner.close()
    eventually(lambda: names(daemon) == ["for-all"])
    daemon.stop()
    daemon.start()
    assert names(daemon) == ["for-all"]


def test_an_owner_that_does_not_wait_leaves_nothing(daemon):
    for n in range(30):
        with daemon.client() as owner:
            owner.post("engine.create", engine=f"e{n}", owned=True, start=True,
                       blocks=[{"name": "f", "type": "CLIFeeder"}])

    def is_free(name):
        with contextlib.suppress(Refused):
            return daemon.call("engine.create", engine=name) == {}
    for n in range(30):
        eventually(lambda n=n: is_free(f"e{n}"))
    assert len(names(daemon)) == 30


def test_who_takes_the_name_later_is_not_the_same(daemon):
    with daemon.client() as owner:
        owner.call("engine.create", engine="e", owned=True)
        daemon.call("engine.destroy", engine="e")
        daemon.call("engine.create", engine="e")
    daemon.call("daemon.info")
    with daemon.client() as client:  # the owner's connection was closed before this one was opened
        assert client.show("e")["state"] == "stopped"


def test_a_ptctl_run_that_is_killed_leaves_nothing(daemon, tmp_path):
    some_packets(tmp_path / "in.pcap")
    with subprocess.Popen([program("ptctl"), "-s", daemon.socket, "run", "RdpcapSource('in.pcap', loop=0) > Sink()"],
                          cwd=tmp_path) as run:
        eventually(lambda: [e for e in daemon.call("engine.list")["engines"] if e["state"] == "draining"])
        run.kill()
    eventually(lambda: not names(daemon))


# ---- roles --------------------------------------------------------------------------------------

# Sends each line of standard input by a connection of its own, and prints the answers.
SPEAKER = """
import json, socket, sys
for line in sys.stdin:
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(sys.argv[1])
        s.sendall(line.encode())
        for answer in s.makefile():
            if "id" in json.loads(answer):
                print(answer, end="")
                break
"""
ORDER = ["none", "viewer", "operator", "admin"]
SUITABLE = {"engine": "e", "block": "f", "type": "Drain", "name": "x.lua", "text": "", "ops": []}
MORE = {"engine.create": {"engine": "another"}, "engine.change": {"ops": []}, "block.send": {"message": "x"}}


def speak(path, uid, requests, *groups):
    """The kinds of refusal (None: carried out) that a user gets, and what the refusals say."""
    lines = [json.dumps({"jsonrpc": "2.0", "id": 1, **request}) for request in requests]
    done = subprocess.run([*user(uid, *groups), sys.executable, "-c", SPEAKER, path], input="\n".join(lines) + "\n",
                          capture_output=True, text=True, check=True, cwd="/", timeout=60)
    errors = [json.loads(line).get("error") for line in done.stdout.splitlines()]
    assert len(errors) == len(requests)
    return [(error["data"]["kind"], error["message"] + error["data"].get("hint", "")) if error else (None, "")
            for error in errors]


def every_method(daemon):
    """A request for each method, with parameters that it takes, and the role that it wants."""
    methods = daemon.call("rpc.discover")["methods"]
    requests = [{"method": m["name"],
                 "params": {**{p["name"]: SUITABLE[p["name"]] for p in m["params"] if p.get("required")},
                            **MORE.get(m["name"], {})}} for m in methods]
    return requests, [m["x-role"] for m in methods]


@as_root
@pytest.mark.parametrize("role, uid, groups", [("none", NOBODY, []), ("viewer", VIEWER, []), ("viewer", NOBODY, [GROUP]),
                                               ("operator", OPERATOR, []), ("admin", SOMEBODY, [])])
def test_a_role_may_what_it_may_and_no_more(estranged, role, uid, groups):
    requests, wanted = every_method(estranged)
    order = sorted(range(len(requests)), key=lambda i: requests[i]["method"] == "engine.destroy")
    estranged.create("e", "f = CLIFeeder(); v = TriggeredValve(); f > v > ConsoleSink()")
    got = speak(estranged.socket, uid, [requests[i] for i in order], *groups)
    for i, (kind, words) in zip(order, got):
        method = requests[i]["method"]
        if ORDER.index(role) < ORDER.index(wanted[i]):
            assert kind == "not-permitted", (method, kind)
            assert f"{method} is for the role '{wanted[i]}'" in words and f"user {uid} has" in words
            assert (f"'{role}'" if role != "none" else "none") in words and "[access]" in words
        else:
            assert kind != "not-permitted", (method, words)
    here = [e["engine"] for e in estranged.call("engine.list")["engines"]]
    assert here == {"admin": ["another"]}.get(role, ["e"])


@as_root
@pytest.mark.parametrize("uid", [NOBODY, OPERATOR, SOMEBODY, 0])
def test_by_the_second_socket_everybody_looks_and_nobody_more(estranged, uid):
    estranged.create("e", "f = CLIFeeder(); f > ConsoleSink()")
    path = estranged.folder / "viewer.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    requests, wanted = every_method(estranged)
    for request, role, (kind, words) in zip(requests, wanted, speak(path, uid, requests)):
        assert (kind == "not-permitted") == (role != "viewer"), (request, kind, words)
        if role != "viewer":
            assert "has here 'viewer'" in words and "use the control socket" in words
    shown = run_ptctl("-s", path, "show", "e", prefix=user(uid), cwd="/")
    assert shown.code == 0 and "CLIFeeder" in shown.out
    assert run_ptctl("-s", path, "stop", "e", prefix=user(uid), cwd="/").code == 7


@as_root
def test_who_may_not_open_the_socket_is_told(estranged):
    estranged.socket.chmod(0o660)
    refused = run_ptctl("-s", estranged.socket, "list", prefix=user(NOBODY), cwd="/")
    assert refused.code == 7 and "not allowed to connect" in refused.err


def test_without_the_setting_there_is_one_socket(daemon):
    assert sorted(p.name for p in daemon.folder.iterdir() if p.is_socket()) == ["control.sock", "notify"]


def test_viewers_leave_room_for_others(daemons, tmp_path):
    daemon = daemons(config=f"[daemon]\nviewer_socket = {tmp_path}/v.sock\n[limits]\nconnections = 6\n")
    with contextlib.ExitStack() as stack:
        looking = [stack.enter_context(Client(tmp_path / "v.sock")) for _ in range(3)]
        for client in looking:
            client.call("daemon.info")
        refused = stack.enter_context(Client(tmp_path / "v.sock")).line()["error"]
        assert refused["data"]["kind"] == "limit" and "3 connections of viewers" in refused["message"]
        assert stack.enter_context(Client(daemon.socket)).call("engine.create", engine="e") == {}
        looking[0].close()

        def welcome():
            with contextlib.suppress(Refused, Closed, OSError), Client(tmp_path / "v.sock") as client:
                return client.call("engine.list")["engines"]
        eventually(welcome)


def test_both_sockets_go_with_the_daemon(daemons, tmp_path):
    daemon = daemons(config=f"[daemon]\nviewer_socket = {tmp_path}/v.sock\n")
    assert (tmp_path / "v.sock").is_socket()
    daemon.stop()
    assert not (tmp_path / "v.sock").exists()


def test_a_second_socket_that_cannot_be_made_ends_the_daemon(tmp_path):
    (tmp_path / "v.sock").write_text("dear")
    daemon = Daemon(folder_of(tmp_path / "d", os.geteuid()), wait=False,
                    config=f"[daemon]\nviewer_socket = {tmp_path}/v.sock\n")
    assert daemon.process.wait(30) == 1
    assert "v.sock is there and is no socket" in daemon.log()
    assert not daemon.socket.exists()


# ---- what systemd passes ------------------------------------------------------------------------

def passing(**named):
    """A beginning of a command line that passes the descriptors as systemd does: LISTEN_FDS."""
    script = ("import os, sys\nfds = [int(n) for n in sys.argv[1].split(',')]\n"
              "top = max(fds) + 3 + len(fds)\n"
              "fds = [os.dup2(fd, top + i, False) for i, fd in enumerate(fds)]\n"
              "for i, fd in enumerate(fds):\n    os.dup2(fd, 3 + i)\n"
              "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2])\n"
              "os.execv(sys.argv[3], sys.argv[3:])\n")
    return [sys.executable, "-c", script, ",".join(str(f.fileno()) for f in named.values()), ":".join(named)]


def listening(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


def test_sockets_and_descriptors_of_systemd_go_by_their_names(tmp_path, commons):
    reader, writer = os.pipe()
    some_packets(tmp_path / "in.pcap")
    with listening(commons / "v.sock") as readonly, listening(commons / "c.sock") as control, \
            open(tmp_path / "in.pcap", "rb") as packets, os.fdopen(reader, "rb") as source, \
            os.fdopen(writer, "wb", 0) as sink:
        given = {"readonly": readonly, "control.socket": control, "feed": source, "packets": packets}
        for file in given.values():
            os.set_inheritable(file.fileno(), True)
        daemon = Daemon(folder_of(tmp_path / "d", os.geteuid()), prefix=passing(**given), socket=commons / "c.sock",
                        pass_fds=[f.fileno() for f in given.values()], own_socket=False)
        try:
            daemon.prefix = []
            daemon.create("e", "s = FDSourceSink('feed'); s > QueueSink(name='q')")
            sink.write(b"hello")
            with daemon.client() as client:
                assert client.texts("e", "q", 1) == ["hello"]
            daemon.create("p", "r = RdpcapSource({'fd': 'packets'}); r > QueueSink(name='q', limit='1MiB')")
            daemon.finish("p")
            with daemon.client() as client:
                assert client.stats("p", "r")["out"] == 5
            assert "FDSourceSink('feed')" in daemon.ok("export", "e") or "fd='feed'" in daemon.ok("export", "e")
            refused = run_ptctl("-s", commons / "v.sock", "stop", "e")
            assert refused.code == 7 and "use the control socket" in refused.err
            near = daemon.ptctl("create", "n", "FDSourceSink('feet') > Sink()")
            assert near.code == 1 and "did you mean 'feed'?" in near.err and "^" in near.err
        finally:
            daemon.stop()
    assert (commons / "c.sock").exists()


def test_a_socket_that_listens_carries_no_bytes(daemon, tmp_path):
    with listening(tmp_path / "l.sock") as server:
        result = daemon.ptctl("create", "e", "FDSourceSink({'fd': 0}) > Sink()", "--start", "--fd", server.fileno(),
                              pass_fds=[server.fileno()])
    assert result.code == 1 and "a socket that listens" in result.err
