# SPDX-License-Identifier: BSD-2-Clause
"""A daemon on another host: ptctl -H, through a real sshd on loopback."""
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from conftest import program

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def ssh(tmp_path):
    """What to set $PTCTL_SSH to, so that any host is this one, by sshd."""
    if not os.access(SSHD, os.X_OK) or not shutil.which("ssh"):
        pytest.skip("no sshd here: apt-get install openssh-server")
    if os.getuid():
        pytest.skip("sshd runs as root")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    port = free_port()
    binaries = pathlib.Path(program("ptctl")).parent
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nPidFile none\n"
        f"AuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\nUsePAM no\n"
        f"PermitRootLogin prohibit-password\nSetEnv PATH={binaries}:/usr/bin:/bin\n")
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", tmp_path / "sshd_config"],
                              stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if "listening" in line:
            break
    wrapper = tmp_path / "ssh"
    wrapper.write_text("#!/bin/sh\n"
                       f"exec ssh -F none -q -p {port} -i {tmp_path}/user -o BatchMode=yes "
                       "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \"$@\"\n")
    wrapper.chmod(0o755)
    yield {"PTCTL_SSH": str(wrapper)}
    server.terminate()
    server.wait()
    server.stderr.close()


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
