# SPDX-License-Identifier: BSD-2-Clause
"""The Debian package and the system service, under a real systemd: see tests/systemd/machine.py."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from conftest import eventually

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "tests" / "systemd"))
from machine import Machine, forbidden  # noqa: E402

pytestmark = pytest.mark.skipif(bool(forbidden()), reason=str(forbidden()))

SOCKET = "/run/pipetool/control.sock"
HUNG = "4d0f6b0e1c3a4f7a9b52c8de61f0a7d3"


# ---- the packages -------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder with what dpkg-buildpackage makes of this tree, built once."""
    folder = tmp_path_factory.mktemp("packages")
    tree = folder / "pipetool"
    shutil.copytree(TREE, tree, symlinks=True, ignore=shutil.ignore_patterns(
        "build*", ".git", "__pycache__", ".cache", "obj-*"))
    env = {**os.environ, "DEB_BUILD_OPTIONS": f"nocheck noautodbgsym noopt parallel={os.cpu_count()}"}
    for name in ("CFLAGS", "LDFLAGS", "LD_LIBRARY_PATH", "MALLOC_PERTURB_"):
        env.pop(name, None)
    # the debhelper's gcc is then ccache's, where there is one
    env |= {"PATH": f"/usr/lib/ccache:{env['PATH']}", "CCACHE_BASEDIR": str(tree)}
    made = subprocess.run(["dpkg-buildpackage", "-us", "-uc", "-b"], cwd=tree, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout[-6000:] + made.stderr[-3000:]
    shutil.rmtree(tree)
    shutil.copy(TREE / "tests" / "systemd" / "stuck.c", folder)
    return folder


@pytest.fixture(scope="module")
def previous(packages, tmp_path_factory):
    """The package as it was a version earlier."""
    folder = tmp_path_factory.mktemp("previous")
    (now,) = packages.glob("pipetool_*.deb")
    subprocess.run(["dpkg-deb", "--raw-extract", now, folder / "tree"], check=True)
    control = folder / "tree" / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*", "Version: 0.0.9", control.read_text()))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", folder / "tree",
                    packages / "previous.deb"], check=True, capture_output=True)
    return "/shared/previous.deb"


def boot(folder, packages):
    machine = Machine(folder, packages)
    machine.shell("""
        useradd --create-home member
        useradd --create-home stranger
        ip link add v0 type veth peer name v1
        ip link set v0 up
        ip link set v1 up
        ip address add 10.9.0.1/24 dev v1
        ip neighbour add 10.9.0.2 lladdr 02:00:00:00:00:02 dev v1
    """)
    return machine


def install(machine, *files):
    machine.shell(f"dpkg --force-unsafe-io --install {' '.join(files)}", timeout=120)
    machine.run("usermod", "--append", "--groups", "pipetool", "member")


@pytest.fixture(scope="module")
def machine(packages, tmp_path_factory):
    """A machine on which the packages are installed."""
    machine = boot(tmp_path_factory.mktemp("machine"), packages)
    install(machine, "/shared/pipetool_*.deb", "/shared/libpipetool*_*.deb", "/shared/pipetool-nats_*.deb")
    yield machine
    machine.close()


def as_user(user, *arguments):
    return ["runuser", "-u", user, "--", "ptctl", *arguments]


def ptctl(machine, *arguments, user="member", **more):
    return machine.run(*as_user(user, *arguments), **more)


def told(machine, name, unit="pipetoold.service"):
    return machine.out("systemctl", "show", "-P", name, unit).strip()


def entries(machine, *matches):
    lines = machine.out("journalctl", "--no-pager", "-o", "json", *matches).splitlines()
    return [json.loads(line) for line in lines]


def inode(machine):
    return machine.out("stat", "-c", "%i", SOCKET).strip()


def engines(machine):
    rows = json.loads(ptctl(machine, "-j", "list").stdout)["engines"]
    return {row["engine"]: row["state"] for row in rows}


def await_engine(machine, name, state="running"):
    eventually(lambda: engines(machine).get(name) == state, what=f"{name} is not {state}")


def await_status(machine, words):
    eventually(lambda: words in told(machine, "StatusText"),
               what=f"'{words}' in '{told(machine, 'StatusText')}'")


def settle(machine):
    """The configuration as installed, no drop-ins, and a service that runs."""
    machine.shell("rm -rf /etc/systemd/system/pipetoold.service.d; systemctl daemon-reload; "
                  "systemctl restart pipetoold")


@pytest.fixture
def clean(machine):
    """Whatever a test does to the configuration is taken back."""
    machine.shell("cp -a /etc/pipetool /root/kept")
    yield machine
    machine.shell("rm -rf /etc/pipetool; mv /root/kept /etc/pipetool")
    settle(machine)


def drop_in(machine, text):
    machine.write("/etc/systemd/system/pipetoold.service.d/test.conf", f"[Service]\n{text}\n")
    machine.shell("systemctl daemon-reload; systemctl restart pipetoold")


CAPTURE = """
packets = SniffSource("v0", filter="udp port 9", immediate=true)
packets > ConsoleSink()
packets > QueueSink(name="kept")
packets > WrpcapSink("/var/lib/pipetool/packets.pcap")
"""


# ---- what is installed --------------------------------------------------------------------------

def test_lintian_has_nothing_to_say(packages):
    (changes,) = packages.glob("*.changes")
    judged = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", changes],
                            capture_output=True, text=True, check=False)
    assert judged.returncode == 0 and not judged.stdout, judged.stdout + judged.stderr


def test_files_lie_where_they_belong(machine):
    listed = machine.out("dpkg", "-L", "pipetool").split()
    for path in ("/etc/pipetool/pipetoold.conf", "/etc/pipetool/engines.d",
                 "/etc/pipetool/blocks.d", "/usr/bin/ptctl", "/usr/sbin/pipetoold",
                 "/usr/lib/systemd/catalog/pipetoold.catalog",
                 "/usr/lib/systemd/user/pipetoold.service",
                 "/usr/lib/sysusers.d/pipetool.conf", "/usr/lib/tmpfiles.d/pipetool.conf",
                 "/usr/share/doc/pipetool/examples/example.pipe",
                 "/usr/share/man/man8/pipetoold.8.gz"):
        assert path in listed, path
    conffiles = machine.out("dpkg-query", "-W", "-f=${Conffiles}", "pipetool")
    assert "/etc/pipetool/pipetoold.conf" in conffiles
    configuration = machine.path("/etc/pipetool/pipetoold.conf").read_text()
    assert re.search(r"(?m)^allow = /var/lib/pipetool:/run/pipetool$", configuration)
    assert machine.run("pipetoold", "--check").stderr == ""


def test_every_event_is_catalogued(machine):
    header = (TREE / "daemon" / "catalog.h").read_text()
    catalogue = (TREE / "systemd" / "pipetoold.catalog").read_text()
    ids = re.findall(r'#define CATALOG_\w+\s+"(\w+)"', header)
    assert HUNG in ids and len(set(ids)) == len(ids)
    assert re.findall(r"(?m)^-- (\w+)$", catalogue) == ids
    for event in ids:
        assert event in machine.out("journalctl", "--list-catalog", event)


def test_units_are_hardened(machine):
    verified = machine.run("systemd-analyze", "--recursive-errors=no", "verify",
                           "pipetoold.service", "pipetoold.socket",
                           "pipetoold-readonly.socket")
    assert "pipetool" not in verified.stderr
    judged = machine.out("systemd-analyze", "security", "--no-pager", "pipetoold.service")
    level = judged.splitlines()[-1]
    assert float(re.search(r"level for .*: ([0-9.]+)", level)[1]) <= 2.0, level
    unit = (TREE / "systemd" / "pipetoold.service.in").read_text()
    comments = " ".join(line for line in unit.splitlines() if line.startswith("#"))
    for name in re.findall(r"(?m)^✗ (\w+)=", judged):
        if name != "RestrictAddressFamilies":  # each is told, in other words
            assert f"{name}=" in comments, f"{name}= is left open without a reason"
    pid = told(machine, "MainPID")
    status = machine.path(f"/proc/{pid}/status").read_text()
    for kind in ("Prm", "Eff", "Bnd"):
        assert int(re.search(rf"Cap{kind}:\s*(\w+)", status)[1], 16) == 1 << 12 | 1 << 13
    assert int(re.search(r"CapAmb:\s*(\w+)", status)[1], 16) == 0  # its programs have none
    assert re.search(r"NoNewPrivs:\s*1", status)
    assert machine.out("ps", "-o", "user=", "-p", pid).strip() == "pipetool"


def test_a_program_is_built_with_the_library(machine):
    machine.write("/root/e.c", '#include <pipetool/engine.h>\nint main(void)\n{\n'
                  '\tstruct pt_engine *e;\n\tif (pt_engine_new("e", NULL, NULL, &e, NULL))\n'
                  '\t\treturn 1;\n\tpt_engine_free(e);\n\treturn 0;\n}\n')
    machine.shell("cd /root && gcc -o e e.c $(pkg-config --cflags --libs pipetool) && ./e && "
                  "ldd ./e | grep -q 'libpipetool.so.1 => /lib'")


# ---- at work ------------------------------------------------------------------------------------

def test_the_socket_activates(machine):
    machine.shell("systemctl stop pipetoold.service")
    assert told(machine, "ActiveState") == "inactive"
    assert told(machine, "ActiveState", "pipetoold.socket") == "active"
    assert machine.out("stat", "-c", "%U:%G %a", SOCKET).strip() == "root:pipetool 660"
    assert ptctl(machine, "list").stdout.startswith("ENGINE")
    assert told(machine, "ActiveState") == "active"


def test_a_member_captures_and_a_stranger_is_refused(machine):
    machine.write("/etc/pipetool/engines.d/capture.pipe", CAPTURE)
    machine.run("systemctl", "reload", "pipetoold")
    await_engine(machine, "capture")
    machine.shell("echo 'seen by a member' >/dev/udp/10.9.0.2/9")
    got = ptctl(machine, "-j", "recv", "capture.kept", "--timeout", "20").stdout
    assert json.loads(got)["link_type"] == 1
    refused = ptctl(machine, "list", user="stranger", check=False)
    assert refused.returncode == 7 and "the group pipetool" in refused.stderr
    assert machine.path("/var/lib/pipetool").stat().st_mode & 0o777 == 0o750
    away = ptctl(machine, "create", "away", 'CLIFeeder() > WrpcapSink("/etc/passwd")', "--start",
                 check=False)
    assert away.returncode == 7 and "[files]" in away.stderr


STREAM = '{"name": "s", "subjects": ["p"], "storage": "file"}'


@pytest.mark.skipif(not shutil.which("nats-server"), reason="nats-server is not there")
def test_packets_travel_by_nats_and_wait_for_it_in_the_spool(clean):
    def serve():
        clean.shell("systemctl reset-failed served 2>/dev/null || true; systemd-run --unit=served nats-server -c /root/nats.conf")
        eventually(lambda: not clean.run("bash", "-c", "echo >/dev/tcp/127.0.0.1/4222", check=False).returncode)

    def send():
        clean.shell("for n in 1 2 3; do echo $n >/dev/udp/10.9.0.2/10; done")

    def acknowledged():
        blocks = json.loads(ptctl(clean, "-j", "stats", "n").stdout)["blocks"]
        return next(block["out"] for block in blocks if block["name"] == "out")

    def spooled():
        return json.loads(ptctl(clean, "-j", "show", "n.out").stdout)["now"]["spooled"]

    clean.write("/root/nats.conf", 'listen: "127.0.0.1:4222"\njetstream { store_dir: "/root/jetstream" }\n')
    serve()
    clean.shell(f"""exec 3<>/dev/tcp/127.0.0.1/4222
        printf 'CONNECT {{}}\\r\\nSUB a 1\\r\\nPUB $JS.API.STREAM.CREATE.s a {len(STREAM)}\\r\\n%s\\r\\n' '{STREAM}' >&3
        grep -qm 1 ^MSG <&3""")
    ptctl(clean, "create", "n", """
        NatsSink('nats://127.0.0.1', 'p', spool='/var/lib/pipetool/spool', name='out')
        SniffSource('v0', filter='udp port 10', immediate=true) > out
        NatsSource('nats://127.0.0.1', 's') > WrpcapSink('/var/lib/pipetool/travelled.pcapng')""", "--start")
    send()
    eventually(lambda: acknowledged() == 3)
    clean.shell("systemctl stop served")
    send()
    eventually(lambda: spooled() == 3)
    clean.shell("systemctl kill -s KILL pipetoold")
    serve()
    eventually(lambda: clean.run("tcpdump", "-nr", "/var/lib/pipetool/travelled.pcapng", check=False).stdout.count("UDP") == 6)
    ptctl(clean, "destroy", "n")
    clean.shell("systemctl stop served")


def test_a_second_socket_is_for_those_who_only_look(machine):
    path = "/run/pipetool/readonly.sock"
    assert machine.run("test", "-e", path, check=False).returncode == 1
    machine.shell("systemctl stop pipetoold; systemctl enable --now pipetoold-readonly.socket")
    seen = ptctl(machine, "-s", path, "list", user="stranger").stdout
    assert "capture" in seen
    refused = ptctl(machine, "-s", path, "stop", "capture", user="stranger", check=False)
    assert refused.returncode == 7
    refused = ptctl(machine, "list", user="stranger", check=False)
    assert refused.returncode == 7
    machine.shell("systemctl disable --now pipetoold-readonly.socket; systemctl restart pipetoold")
    await_engine(machine, "capture")


def test_the_journal_knows_engine_and_block(machine):
    def lines():
        return entries(machine, "PIPETOOL_ENGINE=capture")
    printed = eventually(lambda: [e for e in lines() if e["MESSAGE"].startswith("capture.console_sink1: >")])
    assert printed[0]["PIPETOOL_BLOCK"] == "console_sink1"
    assert "UDP" in printed[0]["MESSAGE"].upper()
    assert printed[0]["SYSLOG_IDENTIFIER"] == "pipetoold" and printed[0]["PRIORITY"] == "6"
    runs = [e for e in lines() if "engine capture runs, from" in e["MESSAGE"]]
    assert runs and runs[0]["PIPETOOL_REVISION"] == "1"
    assert not entries(machine, "PIPETOOL_ENGINE=another")


def test_the_status_reads_well(machine):
    await_status(machine, "1 engine, 1 running, 4 blocks")
    shown = machine.out("systemctl", "status", "--no-pager", "pipetoold")
    assert "active (running)" in shown and "man:pipetoold(8)" in shown
    assert 'Status: "1 engine, 1 running, 4 blocks"' in shown
    assert "pipetoold.socket" in shown


def test_events_are_explained(clean):
    clean.write("/etc/pipetool/engines.d/late.pipe", 's = SniffSource("nowhere0"); s > Sink()')
    clean.run("systemctl", "reload", "pipetoold")
    await_status(clean, "degraded: 1 engine did not start")
    shown = clean.out("journalctl", "-x", "--no-pager", "PIPETOOL_ENGINE=late")
    assert "engine late does not run, and is tried again: /etc/pipetool/engines.d/late.pipe: " in shown
    assert "nowhere0" in shown
    assert "Subject: Engine late is not there" in shown
    clean.run("ip", "link", "add", "nowhere0", "type", "veth", "peer", "name", "nowhere1")
    clean.run("ip", "link", "set", "nowhere0", "up")
    await_engine(clean, "late")
    await_status(clean, "2 engines, 2 running, 6 blocks")
    assert "degraded" not in told(clean, "StatusText")


def test_a_reload_that_is_refused_is_told(clean):
    path = "/etc/pipetool/pipetoold.conf"
    before = clean.path(path).read_text()
    clean.write(path, before + "\n[limits]\nconections = 7\n")
    line = clean.path(path).read_text().splitlines().index("conections = 7") + 1
    clean.run("systemctl", "reload", "pipetoold")
    await_status(clean, "degraded: the configuration has faults")
    fault = f"line {line}: unknown key 'conections' in [limits]; did you mean 'connections'?"
    assert any(fault in e["MESSAGE"] for e in entries(clean, "PRIORITY=3"))
    checked = clean.run("pipetoold", "--check", check=False)
    assert checked.returncode == 1 and fault in checked.stderr
    assert told(clean, "ActiveState") == "active"
    clean.write(path, before + "\n[limits]\nconnections = 7\n")
    clean.run("systemctl", "reload", "pipetoold")
    eventually(lambda: "degraded" not in told(clean, "StatusText"))
    info = json.loads(ptctl(clean, "call", "daemon.info").stdout)
    assert info["limits"]["connections"] == 7


def test_ready_means_that_engines_run(machine):
    machine.run("systemctl", "restart", "pipetoold")
    assert engines(machine) == {"capture": "running"}
    assert told(machine, "StatusText") == "1 engine, 1 running, 4 blocks"


def test_a_connection_outlives_a_restart(machine):
    ptctl(machine, "create", "tcp", 'l = TCPListenPipe("127.0.0.1", 4444); l > QueueSink(name="q")',
          "--start")
    peer = machine.start("bash", "-ec", "exec 3<>/dev/tcp/127.0.0.1/4444; echo before >&3; read -r; "
                         "echo after >&3; exec 3>&-")
    assert ptctl(machine, "recv", "tcp.q", "--timeout", "20").stdout.startswith("before")
    machine.run("systemctl", "restart", "pipetoold")
    assert int(told(machine, "NFileDescriptorStore")) > 0
    peer.communicate("\n", timeout=60)
    assert peer.returncode == 0
    assert ptctl(machine, "recv", "tcp.q", "--timeout", "20").stdout.startswith("after")
    ptctl(machine, "destroy", "tcp")


# Sends numbered lines to a peer that sends all back; a line of its input pauses it, and the next one
# lets it go on. Tells when all has come back as it was.
ECHOED = """
import socket, sys, threading
peer = socket.create_connection(("127.0.0.1", 4445))
sent, got, number = bytearray(), bytearray(), 0
def receive():
    while data := peer.recv(65536):
        got.extend(data)
threading.Thread(target=receive, daemon=True).start()
while True:
    asked = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), asked.set()), daemon=True).start()
    while not asked.wait(0.001):
        lines = b"".join(b"%09d\\n" % n for n in range(number, number + 50))
        number += 50
        peer.sendall(lines)
        sent += lines
    while len(got) < len(sent):
        asked.wait(0.01)
        threading.Event().wait(0.01)
    print("whole" if got == sent else "torn", len(sent), flush=True)
    if not sys.stdin.readline():
        break
"""


def test_a_stream_is_whole_after_ten_restarts_and_two_crashes(machine):
    ptctl(machine, "create", "echo", 't = TCPListenPipe("127.0.0.1", 4445); t > t', "--start")
    peer = machine.start("python3", "-c", ECHOED)

    def pause():
        peer.stdin.write("pause\n")
        peer.stdin.flush()
        assert peer.stdout.readline().startswith("whole")

    def is_behind_a_checkpoint():  # else a part of it would be sent once more
        shown = json.loads(ptctl(machine, "-j", "show", "echo.t").stdout)
        stats = json.loads(ptctl(machine, "-j", "stats", "echo").stdout)
        (counts,), (link,) = stats["blocks"], stats["links"]
        return shown["checkpoint"] and shown["checkpoint"]["at"] == link["messages"] and not counts["held"]

    for _ in range(10):
        machine.run("systemctl", "restart", "pipetoold")
        await_engine(machine, "echo")
    pause()
    for number in ("KILL", "SEGV"):
        eventually(is_behind_a_checkpoint)
        pid = told(machine, "MainPID")
        machine.run("systemctl", "kill", "--kill-whom=main", f"--signal={number}", "pipetoold")
        eventually(lambda: told(machine, "MainPID") not in (pid, "0"))
        peer.stdin.write("go on\n")
        peer.stdin.flush()
        await_engine(machine, "echo")
        pause()
    peer.communicate(timeout=60)
    assert peer.returncode == 0
    ptctl(machine, "destroy", "echo")


# ---- a user's own daemon ------------------------------------------------------------------------

@pytest.fixture
def session(machine):
    """A service manager of the stranger's own, without a login: who may not use the system's."""
    number = machine.out("id", "-u", "stranger").strip()
    runtime = f"/run/user/{number}"
    machine.write("/etc/systemd/system/session.service", f"""[Service]
Type=notify
User=stranger
Environment=XDG_RUNTIME_DIR={runtime} HOME=/home/stranger
ExecStart=/lib/systemd/systemd --user
Delegate=yes
KillMode=mixed
""")
    machine.shell(f"install -d -m 0700 -o stranger {runtime}; systemctl daemon-reload; "
                  "systemctl start session")

    def run(*arguments, **more):
        return machine.run("runuser", "-u", "stranger", "--", "env", f"XDG_RUNTIME_DIR={runtime}",
                           "HOME=/home/stranger", *arguments, **more)
    yield run
    machine.shell("systemctl stop session; rm -rf /etc/systemd/system/session.service; "
                  f"systemctl daemon-reload; rm -rf {runtime}")


def test_a_user_has_a_daemon_of_their_own(machine, session):
    """With engines, files and state of their own, which outlast a crash and a restart."""
    def own(*arguments):
        return session("ptctl", *arguments).stdout

    def pid():
        return session("systemctl", "--user", "show", "-P", "MainPID", "pipetoold").stdout.strip()
    session("systemctl", "--user", "enable", "--now", "pipetoold")
    machine.shell("install -d -o stranger /home/stranger/.config/pipetool/engines.d; "
                  "echo 'CLIFeeder() > QueueSink()' >/home/stranger/.config/pipetool/engines.d/mine.pipe")
    session("systemctl", "--user", "reload", "pipetoold")
    eventually(lambda: "mine" in own("list"))
    own("create", "e", "s = CLIFeeder(); q = QueueSink(); s > q", "--start")
    own("send", "e.s", "kept")
    for signal in ("SEGV", "KILL"):
        before = pid()
        session("systemctl", "--user", "kill", "--kill-whom=main", f"--signal={signal}", "pipetoold")
        eventually(lambda: pid() not in ("0", before))
        eventually(lambda: session("ptctl", "wait", "e", "running", check=False).returncode == 0)
    assert own("recv", "e.q", "--timeout", "20") == "kept\n"
    session("systemctl", "--user", "restart", "pipetoold")
    assert {"e", "mine"} <= {line.split()[0] for line in own("list").splitlines()}
    assert "capture" not in own("list") and "e" not in engines(machine)
    refused = session("ptctl", "create", "c", "SniffSource('v0') > Sink()", "--start", check=False)
    assert refused.returncode == 1 and "CAP_NET_RAW" in refused.stderr, refused
    session("systemctl", "--user", "disable", "--now", "pipetoold")
    assert session("ptctl", "list", check=False).returncode != 0


# ---- in trouble ---------------------------------------------------------------------------------

@pytest.mark.parametrize("number", ["SEGV", "KILL"])
def test_killed_it_is_back(machine, number):
    before, restarts = inode(machine), int(told(machine, "NRestarts"))
    pid = told(machine, "MainPID")
    machine.run("systemctl", "kill", "--kill-whom=main", f"--signal={number}", "pipetoold")
    eventually(lambda: told(machine, "MainPID") != pid)
    ptctl(machine, "list")  # who calls meanwhile waits, and is answered
    await_engine(machine, "capture")
    assert inode(machine) == before and int(told(machine, "NRestarts")) == restarts + 1
    machine.shell("echo 'seen afterwards' >/dev/udp/10.9.0.2/9")
    ptctl(machine, "-j", "recv", "capture.kept", "--timeout", "20")


def test_an_engine_that_hangs_is_named_and_ended(clean):
    clean.shell("cd /tmp && cp /shared/stuck.c . && gcc -shared -fPIC -o /etc/pipetool/blocks.d/"
                "stuck.so stuck.c $(pkg-config --cflags pipetool)")
    drop_in(clean, "WatchdogSec=4s\nLimitCORE=0")
    before, restarts = inode(clean), int(told(clean, "NRestarts"))
    ptctl(clean, "create", "good", "s = CLIFeeder(); s > QueueSink()", "--start")
    ptctl(clean, "create", "bad", "s = CLIFeeder(); s > Stuck()", "--start", "--ephemeral")
    sender = clean.start(*as_user("member", "send", "bad.s", "a message"))
    (named,) = eventually(lambda: entries(clean, f"MESSAGE_ID={HUNG}"))
    assert named["PIPETOOL_ENGINE"] == "bad" and named["PRIORITY"] == "3"
    assert "engine bad hangs" in named["MESSAGE"]
    ptctl(clean, "send", "good.s", "others go on")
    await_status(clean, "degraded: engine bad hangs")
    eventually(lambda: int(told(clean, "NRestarts")) > restarts, what="systemd ends it")
    assert any("Watchdog timeout" in e["MESSAGE"] for e in entries(clean, "-u", "pipetoold"))
    sender.communicate(timeout=60)
    await_engine(clean, "good")
    assert inode(clean) == before and "bad" not in engines(clean)
    ptctl(clean, "destroy", "good")


def test_who_cannot_start_leaves_the_socket_open(clean):
    path = "/etc/pipetool/pipetoold.conf"
    before = clean.path(path).read_text()
    drop_in(clean, "RestartSec=20ms")
    clean.write(path, "[nonsense]\n" + before)
    clean.run("systemctl", "restart", "pipetoold", check=False)
    waiting = clean.start(*as_user("member", "--timeout", "60", "list"))
    eventually(lambda: int(told(clean, "NRestarts")) > 12, what="it is tried again and again")
    assert told(clean, "ActiveState", "pipetoold.socket") == "active"
    clean.write(path, before)
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and out.startswith("ENGINE"), err
    eventually(lambda: told(clean, "ActiveState") == "active")


# ---- the life of a package ----------------------------------------------------------------------

def files(machine):
    """Everything where packages put things, but the logs and lists of others."""
    return set(machine.shell(r"""
        find /etc /opt /run /srv /usr /var \( -path /run/log -o -path /run/systemd \
            -o -path /run/credentials -o -path /var/log -o -path /var/cache \
            -o -path /var/lib/dpkg \) -prune -o -print""").splitlines())


def users(machine):
    return machine.out("getent", "passwd") + machine.out("getent", "group")


def test_upgrade_and_purge(packages, previous, tmp_path_factory):
    machine = boot(tmp_path_factory.mktemp("life"), packages)
    try:
        files_before, users_before = files(machine), users(machine)
        install(machine, previous)
        machine.write("/etc/pipetool/engines.d/capture.pipe", CAPTURE)
        machine.run("systemctl", "reload", "pipetoold")
        ptctl(machine, "create", "shown", "s = CLIFeeder(); s > TermSink()", "--start")
        ptctl(machine, "create", "live", "s = CLIFeeder(); s > QueueSink(name='q')", "--start")
        await_engine(machine, "capture")
        before = inode(machine), told(machine, "MainPID")
        caller = machine.start("runuser", "-u", "member", "--", "bash", "-ec",
                               "while read -r -t 0.05 || [ $? -gt 128 ]; do ptctl list; done")

        install(machine, "/shared/pipetool_*.deb")
        _, complaints = caller.communicate(timeout=60)
        assert not complaints, "who calls while the package is replaced waits, and is served"
        assert caller.returncode == 0
        assert machine.out("dpkg-query", "-W", "-f=${Version}", "pipetool") != "0.0.9"
        assert inode(machine) == before[0] and told(machine, "MainPID") != before[1]
        await_engine(machine, "capture")
        await_engine(machine, "live")
        ptctl(machine, "send", "live.s", "goes on")
        assert ptctl(machine, "recv", "live.q").stdout == "goes on\n"

        assert machine.out("pgrep", "-u", "pipetool", "tmux")
        machine.run("dpkg", "--force-unsafe-io", "--remove", "pipetool")
        assert machine.path("/etc/pipetool/pipetoold.conf").exists()
        assert machine.run("test", "-e", SOCKET, check=False).returncode == 1
        machine.run("dpkg", "--force-unsafe-io", "--purge", "pipetool")
        left = files(machine) - files_before
        assert not left, sorted(left)
        machine.shell("gpasswd --delete member pipetool 2>/dev/null || true")
        assert users(machine) == users_before
        assert "pipetool" not in machine.out("systemctl", "list-units", "--all", "--no-pager")
    finally:
        machine.close()
