# SPDX-License-Identifier: BSD-2-Clause
"""docs/scripting.md: every script is run as it stands there, one after the other."""
import os
import re

import pytest

from client import Plain, Refused
from test_docs import TOP, desk, play  # noqa: F401 (desk is a fixture)
from test_remote import ssh, sshd  # noqa: F401 (fixtures)
from transcript import blocks

PAGE = (TOP / "docs" / "scripting.md").read_text()


@pytest.fixture
def place(desk):  # noqa: F811
    """The desk, with the client at hand, and an ssh for which every host is this one."""
    (desk.here / "pipetool_client.py").symlink_to(TOP / "examples" / "pipetool_client.py")
    away = desk.here / "programs" / "ssh"
    away.write_text('#!/bin/sh\n[ "$1" = -T ] && [ "$2" = -- ] || exit 255\nshift 3; exec sh -c "$*"\n')
    away.chmod(0o755)
    return desk


def test_every_example_does_what_the_page_says(place):
    played = 0
    for language, body in blocks(PAGE, "bash", "python", "console"):
        if language == "console":
            play(place, body)
            played += 1
        else:
            name = re.match(r"# (\w+\.(?:sh|py))\n", body).group(1)
            (place.here / name).write_text(body)
            assert re.search(rf"^\$ (bash|python3) {re.escape(name)}$", PAGE, re.MULTILINE), name
    assert played >= 10


def test_the_status_that_the_page_promises(place):
    for status, arguments in {
            1: ["create", "e", "a = Drain(); a > a"], 2: ["create"], 3: ["-s", "/nowhere", "list"],
            4: ["recv", "e.q", "--timeout", "0"], 5: ["add", "e", "Drain()", "--if-revision", "99"],
            6: ["show", "nobody"]}.items():
        if status == 4:
            place.create("e", "q = QueueSink()")
        assert place.ptctl(*arguments).code == status, arguments


def test_the_client_through_a_real_sshd(daemon, ssh, monkeypatch):  # noqa: F811
    monkeypatch.setenv("PTCTL_SSH", ssh["PTCTL_SSH"])
    monkeypatch.setenv("PATH", f"{os.environ['PIPETOOL_BUILD']}/ctl:{os.environ['PATH']}")
    with Plain(path=daemon.socket, host="127.0.0.1") as far:
        assert far.call("daemon.info")["pid"] == daemon.process.pid
        with pytest.raises(Refused) as refused:
            far.call("engine.show", engine="nobody")
        assert refused.value.kind == "no-such-engine"
        with pytest.raises(ValueError):
            far.call("daemon.info", fds=[0])


def test_where_the_client_looks_for_the_daemon(daemon, monkeypatch):
    monkeypatch.setenv("PIPETOOL_SOCKET", str(daemon.socket))
    with Plain() as client:
        assert client.call("daemon.info")["pid"] == daemon.process.pid
