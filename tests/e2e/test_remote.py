# SPDX-License-Identifier: BSD-2-Clause
"""A daemon on another host: ptctl -H, through a real sshd on loopback."""
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest
from scapy.all import Ether, IP, Raw, UDP, wrpcap

import makers  # with which frames without a destination ask nobody
from conftest import DEADLINE, eventually, program, run_ptctl

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Sshd:
    """A server for the one who runs it; each of these addresses leads to the daemon of a socket."""

    def __init__(self, folder, sockets):
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        port = free_port()
        path = f"{pathlib.Path(program('ptctl')).parent}:/usr/bin:/bin"
        (folder / "sshd_config").write_text(
            f"Port {port}\nHostKey {folder}/host\nPidFile none\nAuthorizedKeysFile {folder}/user.pub\n"
            "StrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n"
            + "".join(f"ListenAddress {address}\n" for address in sockets)
            + "".join(f"Match LocalAddress {address}\nSetEnv PATH={path} PIPETOOL_SOCKET={at}\n"
                      for address, at in sockets.items()))
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        self.server = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.PIPE,
                                       text=True)
        for _ in sockets:
            while "listening" not in self.server.stderr.readline():
                assert self.server.poll() is None
        wrapper = folder / "ssh"
        wrapper.write_text("#!/bin/sh\n"
                           f"exec ssh -F none -q -p {port} -i {folder}/user -o BatchMode=yes "
                           "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \"$@\"\n")
        wrapper.chmod(0o755)
        self.env = {"PTCTL_SSH": str(wrapper)}

    def end(self):
        self.server.terminate()
        self.server.wait()
        self.server.stderr.close()


@pytest.fixture
def sshd(tmp_path):
    """Makes one: sshd({address: socket})."""
    made = []
    if not os.access(SSHD, os.X_OK) or not shutil.which("ssh"):
        pytest.skip("no sshd here: apt-get install openssh-server")
    if os.getuid():
        pytest.skip("sshd runs as root")

    def make(sockets):
        made.append(Sshd(tmp_path, sockets))
        return made[0]

    yield make
    for server in made:
        server.end()


@pytest.fixture
def ssh(sshd):
    """What to set $PTCTL_SSH to, so that any host is this one, by sshd."""
    return sshd({"127.0.0.1": ""}).env


def remote(daemon, ssh, *arguments):
    return daemon.ptctl("-H", "127.0.0.1", *arguments, env=ssh)


def test_every_word_goes_through_ssh(daemon, ssh):
    made = remote(daemon, ssh, "create", "p", "s = CLIFeeder(); s > QueueSink(name='q')", "--start")
    assert made.code == 0, made
    assert remote(daemon, ssh, "send", "p.s", "it's here").code == 0
    assert remote(daemon, ssh, "recv", "p.q").out == "it's here\n"
    assert remote(daemon, ssh, "show", "nobody").code == 6


def test_a_host_that_cannot_be_reached_is_no_daemon(daemon):
    lost = remote(daemon, {"PTCTL_SSH": "/bin/false"}, "list")
    assert lost.code == 3 and lost.err.startswith("ptctl: "), lost


def test_proxy_is_the_socket(daemon):
    text = '{"id": 1, "method": "engine.list"}\n{"id": 2, "method": "daemon.info"}'
    done = daemon.ptctl("proxy", input=text)
    assert done.code == 0 and [line[:24] for line in done.out.splitlines()] == [
        '{"jsonrpc":"2.0","id":1,', '{"jsonrpc":"2.0","id":2,'], done


def test_proxy_reads_answers_while_it_passes_on_requests(daemon):
    """More of both than lies in any buffer on the way."""
    count = 20000
    done = daemon.ptctl("proxy", input='{"id":1,"method":"daemon.info"}\n' * count)
    assert done.code == 0 and done.out.count("\n") == count, done.err


# ---- one login, and nothing left behind ---------------------------------------------------------

@pytest.fixture
def shell(tmp_path):
    """Runs what ssh would run over there, counts the logins, and greets as some hosts do."""
    wrapper = tmp_path / "shell"
    wrapper.write_text("#!/bin/sh\n"
                       f"echo login >>{tmp_path}/logins\n"
                       "echo 'Last login: yesterday. Have a lot of fun.'\n"
                       'while [ "${1#-}" != "$1" ]; do shift; done\nshift\n'
                       f"PATH={pathlib.Path(program('ptctl')).parent}:$PATH\n"
                       'eval "exec $*"\n')
    wrapper.chmod(0o755)
    return {"PTCTL_SSH": str(wrapper), "PIPETOOL_SOCKET": ""}


def helpers_of(daemon):
    """Processes that lead to this daemon's socket, ptctl's own apart."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(daemon.socket).encode() in b" ".join(words) and b"-H" not in words and b"proxy" in b" ".join(words):
            found.append(words)
    return found


def stream(daemon, env, *arguments, **more):
    return subprocess.Popen([program("ptctl"), "-s", daemon.socket, "-H", "there", *arguments],
                            env={**os.environ, **env}, **more)


STREAMS = [("recv", "p.q", "--follow"), ("recv", "p.q", "--timeout", "1000"), ("events",), ("attach", "p"),
           ("tap", "p.s"), ("tap", "p.s", "-w", "-")]


@pytest.mark.parametrize("how, verb", itertools.product([signal.SIGKILL, signal.SIGTERM, signal.SIGINT], STREAMS))
def test_a_stream_that_ends_leaves_nothing_behind(daemon, shell, how, verb):
    daemon.create("p", "s = CLIFeeder(); s > QueueSink(name='q')")
    process = stream(daemon, shell, *verb, stdout=subprocess.PIPE)
    eventually(lambda: helpers_of(daemon))
    process.send_signal(how)
    process.wait(DEADLINE)
    process.stdout.close()
    eventually(lambda: not helpers_of(daemon))
    daemon.ok("send", "p.s", "the next")
    assert daemon.ok("recv", "p.q") == "the next\n"


@pytest.mark.parametrize("remotely, verb", itertools.product([False, True], STREAMS))
def test_a_stream_ends_when_its_reader_has_gone(daemon, shell, remotely, verb):
    daemon.create("p", "s = CLIFeeder(); s > QueueSink(name='q')")
    there = ["-H", "there"] if remotely else []
    process = subprocess.Popen([program("ptctl"), "-s", daemon.socket, *there, *verb],
                               env={**os.environ, **shell}, stdout=subprocess.PIPE)
    process.stdout.close()
    assert process.wait(DEADLINE) == 0
    eventually(lambda: not helpers_of(daemon))


def test_a_proxy_ends_with_who_reads_it(daemon):
    with subprocess.Popen([program("ptctl"), "-s", daemon.socket, "proxy"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdin.write(b'{"id":1,"method":"events.subscribe"}\n')
        process.stdin.close()
        assert process.stdout.readline().startswith(b'{"jsonrpc"')
        process.stdout.close()
        process.wait(DEADLINE)


def test_a_run_from_afar_logs_in_once_and_carries_ptctls_own(daemon, shell, tmp_path):
    packets = [Ether() / IP(src="10.0.0.1", dst="10.0.0.2", id=i) / Raw(b"x" * 1000) for i in range(3000)]
    makers.pcap(tmp_path / "in.pcap", [(bytes(packet), i * 1000) for i, packet in enumerate(packets)])
    data = (tmp_path / "in.pcap").read_bytes()
    done = daemon.ptctl("-H", "there", "run", "RdpcapSource('/dev/stdin') > WrpcapSink('/dev/stdout')",
                        input=data, env=shell)
    assert done.code == 0, done.err
    assert done.raw[24:] == data[24:]
    assert (tmp_path / "logins").read_text() == "login\n"
    assert not helpers_of(daemon)


def test_the_far_daemons_own_output_is_nobodys(daemon):
    for path in "/dev/stdin", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/tty":
        done = daemon.ptctl("create", "p", f"CLIFeeder() > WrpcapSink('{path}')")
        assert done.code == 1 and "the daemon's own" in done.err, (path, done)
    assert daemon.call("engine.list")["engines"] == []


def test_descriptors_go_far_only_with_who_stays(daemon, shell):
    done = daemon.ptctl("-H", "there", "create", "p", "a = FDSourceSink({'fd': 0}); a > Sink()", "--fd", "0", env=shell)
    assert done.code == 1 and "ptctl run" in done.err, done


@pytest.mark.parametrize("status, words", [
    (255, "no connection to 'there' by ssh"), (127, "there is no ptctl on 'there'"),
    (1, "the way to 'there' has ended"), (0, "what answers on 'there' is not this ptctl's proxy")])
def test_what_became_of_ssh_is_told_in_one_line(daemon, tmp_path, status, words):
    wrapper = tmp_path / "ends"
    wrapper.write_text(f"#!/bin/sh\nexit {status}\n")
    wrapper.chmod(0o755)
    done = daemon.ptctl("-H", "there", "list", env={"PTCTL_SSH": str(wrapper)})
    assert done.code == 3 and done.err.startswith(f"ptctl: {words}") and done.err.count("\n") == 1, done


def test_no_daemon_over_there_is_told_with_the_host(tmp_path, shell):
    done = run_ptctl("-s", tmp_path / "nobody", "-H", "there", "list", env=shell)
    assert done.code == 3 and done.err.startswith("ptctl: there: no daemon listens on "), done


def test_a_recv_that_is_killed_loses_no_message(daemon, shell, tmp_path):
    """Each message is in the file or still in the queue, at whatever moment the kill comes."""
    daemon.create("p", "s = CLIFeeder(); s > QueueSink(name='q')")
    count, got = 30000, tmp_path / "got"
    with daemon.client() as client:
        client.send("p", "s", *(f"{n:05}" for n in range(count)))
        for _ in range(4):
            with open(got, "ab") as out:
                process = stream(daemon, shell, "recv", "p.q", "--follow", stdout=out)
                size = got.stat().st_size
                eventually(lambda: got.stat().st_size > size or not client.stats("p", "q")["held"])
                process.kill()
                process.wait()
            eventually(lambda: not helpers_of(daemon))
            eventually(lambda: client.stats("p", "q")["held"] + len(got.read_bytes()) // 6 >= count)
        rest = [m["message"] for m in client.call("block.recv", engine="p", block="q", max=count)["messages"]]
    seen = got.read_text().split() + rest
    assert set(seen) == {f"{n:05}" for n in range(count)}
    assert rest == sorted(rest)


# ---- several hosts ------------------------------------------------------------------------------

@pytest.fixture
def several(daemons, tmp_path):
    """Two hosts by name and label, and what asks them."""
    here = [daemons() for _ in "ab"]
    inventory = tmp_path / "hosts"
    inventory.write_text("# the lab\n\n" + "".join(
        f"{name}\tunix:{d.socket}  role={role} all\n"
        for name, role, d in zip("ab", ("web", "db"), here)) + "# dead unix:/nowhere\n")

    def ask(*arguments, **more):
        env = {"PIPETOOL_HOSTS": str(inventory), **more.pop("env", {})}
        return run_ptctl(*arguments, env=env, **more)
    ask.daemons, ask.inventory = here, inventory
    return ask


def test_a_verb_is_for_several_hosts(several):
    made = several("-H", "a,b,a", "create", "p", "s = CLIFeeder(); s > QueueSink(name='q')", "--start")
    assert made.code == 0 and not made.err, made
    assert sorted(made.out.splitlines()) == [
        f"{name}: revision 1: added s, q; linked s > q" for name in "ab"]
    assert several("-H", "@all", "send", "p.s", input="one\ntwo\n").code == 0
    got = several("-H", "@role=web,@role=db", "recv", "p.q", "-n", "2")
    assert got.code == 0 and sorted(got.out.splitlines()) == ["a: one", "a: two", "b: one", "b: two"]
    by_host = {line["host"]: line["result"]["engines"][0]["engine"] for line in
               map(json.loads, several("-j", "-H", "@all", "list").out.splitlines())}
    assert by_host == {"a": "p", "b": "p"}


def test_one_host_of_the_inventory_is_as_any(several):
    several.daemons[1].create("p", "CLIFeeder(name='s') > QueueSink(name='q')")
    assert several("-H", "b", "send", "p.s", "x").code == 0
    assert several("-H", "@role=db", "recv", "p.q").out == "x\n"
    assert several("-H", f"unix:{several.daemons[1].socket}", "list", "-j").out.startswith('{"engines"')


def test_errors_are_told_for_each_host_and_the_greatest_status_counts(several):
    several.daemons[0].create("p", "CLIFeeder(name='s') > QueueSink(name='q')")
    shown = several("-H", "@all", "show", "p")
    assert shown.code == 6 and shown.err == "b: ptctl: no engine 'p'\n", shown
    assert shown.out.startswith("a: ") and "b: " not in shown.out
    refused = [line for line in map(json.loads, several("-j", "-H", "@all", "show", "p").out.splitlines())
               if "error" in line]
    assert [(line["host"], line["error"]["data"]["kind"]) for line in refused] == [("b", "no-such-engine")]


@pytest.mark.parametrize("items,verb,words", [
    ("a,@role=mail", ["list"], "no host of the inventory has the label '@role=mail'"),
    ("a,-oProxyCommand=x", ["list"], "'-oProxyCommand=x' is no host"),
    ("a,,b", ["list"], "'' is no host"),
    ("a,b", ["wireshark", "p.s"], "'wireshark' takes one host, and -H names 2"),
    ("a,b", ["trace", "p", "-w", "-"], "'-w' takes one host, and -H names 2"),
])
def test_what_means_no_host_asks_nobody(several, items, verb, words):
    refused = several("-H", items, *verb)
    assert refused.code == 2 and words in refused.err and not refused.out, refused


@pytest.mark.parametrize("words", [["--version"], [], ["--help"], ["show", "--help"], ["--version", "show", "p"]])
def test_what_needs_no_host_asks_none(several, words):
    assert several("-H", "a,b", *words).out == run_ptctl(*words).out


@pytest.mark.parametrize("line,words", [
    ("a", "'a' has no [USER@]HOST or unix:PATH behind it"),
    ("a b\na c", "line 2: 'a' is there twice"),
    ("@a b", "'@a' is no name of a host"),
    ("a -v", "'-v' is neither [USER@]HOST nor unix:PATH"),
    ("a b \0\nc d", "is no UTF-8 text"),
    ("\ufeffa b role=x\nc d role=x role=y", "line 2: label 'role=y' of 'c' has no name, or is there twice"),
    ("a b =x", "line 1: label '=x' of 'a' has no name"),
])
def test_a_wrong_inventory_is_told_by_its_line(several, line, words):
    several.inventory.write_text(line + "\n")
    refused = several("-H", "a", "list")
    assert refused.code == 2 and words in refused.err and str(several.inventory) in refused.err, refused


def test_a_host_that_hangs_is_named_and_given_up(several, tmp_path):
    wrapper = tmp_path / "hangs"
    wrapper.write_text("#!/bin/sh\nexec sleep 1000\n")
    wrapper.chmod(0o755)
    asked = several("-H", "a,away", "--timeout", "1", "list", env={"PTCTL_SSH": str(wrapper)})
    assert asked.code == 4 and asked.err == "away: ptctl: 'away' does not answer within 1 s\n", asked
    assert asked.out.startswith("a: ")
    alone = several("-H", "away", "--timeout", "0.5", "list", env={"PTCTL_SSH": str(wrapper)})
    assert alone.code == 4 and alone.err == "ptctl: 'away' does not answer within 0.5 s\n", alone


def test_what_ends_by_a_signal_is_told_with_its_host(several, tmp_path):
    wrapper = tmp_path / "kills"
    wrapper.write_text("#!/bin/sh\nkill -KILL $PPID\n")
    wrapper.chmod(0o755)
    asked = several("-H", "a,away", "list", env={"PTCTL_SSH": str(wrapper)})
    assert asked.code == 3 and asked.err == "away: ptctl: what works for this host was ended by a signal\n", asked
    assert asked.out.startswith("a: ")


@pytest.mark.parametrize("where", ["file", "-"])
def test_taps_of_several_hosts_are_one_file_with_an_interface_of_each(several, tmp_path, where):
    path = tmp_path / "all.pcapng" if where == "file" else where
    for n, d in enumerate(several.daemons):
        wrpcap(str(tmp_path / f"{n}.pcap"), [Ether() / IP(src=f"192.0.2.{n}", id=i) / UDP() for i in range(3)])
        d.create("p", f"RdpcapSource('{tmp_path}/{n}.pcap', name='r') > Sink()", start=False)
    with subprocess.Popen([program("ptctl"), "-H", "@all", "tap", "p.r", "-n", "3", "-w", path, "--ready"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, "PIPETOOL_HOSTS": str(several.inventory)}) as tap:
        assert sorted(tap.stderr.readline().split(b":")[0] for _ in "ab") == [b"a", b"b"]
        if where == "file":
            tap.stdout.close()  # nobody need read it
        for d in several.daemons:
            d.ok("start", "p")
        written, _ = tap.communicate(timeout=DEADLINE)
        assert tap.returncode == 0
    if where == "-":
        (tmp_path / "all.pcapng").write_bytes(written)
    seen = subprocess.run(["tshark", "-r", tmp_path / "all.pcapng", "-T", "fields", "-e", "frame.interface_name",
                           "-e", "frame.interface_description", "-e", "ip.src", "-e", "ip.id"],
                          capture_output=True, text=True, check=True).stdout
    assert sorted(seen.splitlines()) == sorted(
        f"{name}\tr\t192.0.2.{n}\t0x{i:04x}" for n, name in enumerate("ab") for i in range(3)), seen
    assert (tmp_path / "all.pcapng").read_bytes().count(b"\x0a\x0d\x0d\x0a") == 1


def test_a_stream_comes_line_by_line_and_ends_with_its_reader(several):
    for d in several.daemons:
        d.create("p", "CLIFeeder(name='s') > QueueSink()")
    with subprocess.Popen([program("ptctl"), "-H", "@all", "tap", "p.s", "--ready"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={**os.environ, "PIPETOOL_HOSTS": str(several.inventory)}) as tap:
        begun = [tap.stderr.readline().split(b":")[0] for _ in "ab"]
        assert sorted(begun) == [b"a", b"b"]
        for name, d in zip("ab", several.daemons):
            d.ok("send", "p.s", f"of {name}")
            assert tap.stdout.readline() == f"{name}: >'of {name}'\n".encode()
        tap.stdout.close()
        assert tap.wait(DEADLINE) == 0
