# SPDX-License-Identifier: BSD-2-Clause
"""Daemons, clients and networks for the end-to-end tests.

The programs under test are those of the build directory in $PIPETOOL_BUILD.
"""
import functools
import itertools
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from client import Client

DEADLINE = 90  # seconds for what takes milliseconds: only a hang or a crash gets there
os.environ.setdefault("PIPETOOL_TIMEOUT", "60")  # ptctl waits as long on a busy machine

SANITIZER = re.compile(r"(?:Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:")


def program(name):
    build = os.environ.get("PIPETOOL_BUILD")
    if not build:
        pytest.exit("PIPETOOL_BUILD must name the build directory", 2)
    folder = {"pipetoold": "daemon", "ptctl": "ctl"}[name]
    return str(pathlib.Path(build, folder, name).resolve())


def nats_plugin():
    """NatsSink and NatsSource, in a list that is empty where libnats is not."""
    path = pathlib.Path(os.environ.get("PIPETOOL_BUILD", "/nowhere"), "lib/nats/nats.so")
    return [path] if path.exists() else []


@functools.cache
def sanitizer():
    """Which one makes the programs slower than they would be: "asan", "tsan" or None."""
    with open(program("pipetoold"), "rb") as binary:
        data = binary.read()
    return next((name for name in ("asan", "tsan") if f"__{name}_init".encode() in data), None)


def sanitized():
    return sanitizer() is not None


def pytest_collection_modifyitems(config, items):
    """Of a test of three cases and more a sanitizer sees each third, and the other one another."""
    first = {"asan": 0, "tsan": 1}.get(sanitizer())
    if first is None or os.environ.get("PIPETOOL_LONG") or config.option.keyword:
        return
    tests = {}
    for item in items:
        tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left = {case for cases in tests.values() if len(cases) > 2
            for n, case in enumerate(cases) if (n + n // 3) % 3 != first}
    config.hook.pytest_deselected(items=list(left))
    items[:] = [item for item in items if item not in left]


def eventually(question, seconds=DEADLINE, what=None):
    """The first true answer; fails when the time is over. For what cannot be waited for."""
    pause = threading.Event()
    until = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"not in {seconds} s: {what or question}")
        pause.wait(0.01)


class Result:
    """How a ptctl ended."""

    def __init__(self, code, out, err):
        self.code = code
        self.raw = out
        self.out = out.decode(errors="replace")
        self.err = err.decode(errors="replace")

    def __repr__(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"


def run_ptctl(*arguments, input=b"", timeout=DEADLINE, env=None, cwd=None, prefix=(), **more):
    if isinstance(input, str):
        input = input.encode()
    done = subprocess.run([*prefix, program("ptctl"), *map(str, arguments)], input=input,
                          capture_output=True, timeout=timeout, cwd=cwd, check=False,
                          env={**os.environ, "NO_COLOR": "1", **(env or {})}, **more)
    result = Result(done.returncode, done.stdout, done.stderr)
    assert not SANITIZER.search(result.err), result.err
    assert result.code >= 0, result
    return result


class Daemon:
    """A pipetoold with a socket and folders of its own."""

    def __init__(self, folder, prefix=(), config="", arguments=(), env=None, wait=True,
                 preexec=None, engines=None, socket=None, owner=None,
                 pass_fds=(), own_socket=True, plugins=()):
        self.folder = pathlib.Path(folder)
        self.socket = socket or self.folder / "control.sock"
        self.engines = engines or self.folder / "engines.d"
        self.blocks = self.folder / "blocks.d"
        self.state = self.folder / "state"
        for sub in (self.engines, self.blocks, self.state):
            sub.mkdir(exist_ok=True)
            if owner is not None:
                os.chown(sub, owner, owner)
        for plugin in plugins:
            shutil.copy(plugin, self.blocks)
        self.config = self.folder / "pipetoold.conf"
        if config is not None:
            self.config.write_text(config)
        self.prefix = list(prefix)
        self.arguments = list(arguments)
        self.env = env or {}
        self.preexec = preexec
        self.pass_fds = pass_fds
        self.own_socket = own_socket  # else systemd's, so to speak
        self.process = None
        self.clients = []
        self.start(wait)

    def start(self, wait=True):
        """Starts it and waits until it says that it is ready, or until it has ended."""
        self.output = self.folder / "stdout"
        self.errors = self.folder / "stderr"
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = self.folder / "notify"
        path.unlink(missing_ok=True)
        ready.bind(str(path))
        path.chmod(0o666)  # the daemon may be another user
        with open(self.output, "ab") as out, open(self.errors, "ab") as err, ready:
            self.process = subprocess.Popen(
                [*self.prefix, program("pipetoold"), *(["--socket", self.socket] if self.own_socket else []), "--config",
                 self.config, "--engines", self.engines, "--blocks", self.blocks, "--state",
                 self.state, *self.arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.folder,
                env={**os.environ, "NOTIFY_SOCKET": str(path), **self.env},
                preexec_fn=self.preexec, pass_fds=self.pass_fds)
            if wait:
                self.wait_or_kill(ready)

    def wait_or_kill(self, ready):
        try:
            self.wait_ready(ready)
        except AssertionError:
            self.kill()
            raise

    def wait_ready(self, ready):
        ended = os.pidfd_open(self.process.pid)
        poll = select.poll()
        poll.register(ready, select.POLLIN)
        poll.register(ended, select.POLLIN)
        try:
            while events := dict(poll.poll(DEADLINE * 1000)):
                if ready.fileno() in events and b"READY=1" in ready.recv(4096):
                    return
                if ended in events:
                    raise AssertionError(f"pipetoold ended: {self.process.wait()}\n{self.log()}")
        finally:
            os.close(ended)
        raise AssertionError(f"pipetoold did not get ready\n{self.log()}")

    def log(self):
        return self.errors.read_text(errors="replace")

    def printed(self):
        return self.output.read_text(errors="replace")

    def client(self, **more):
        client = Client(self.socket, **more)
        self.clients.append(client)
        return client

    def call(self, method, params=None, **more):
        with Client(self.socket) as client:
            return client.call(method, params, **more)

    def ptctl(self, *arguments, **more):
        return run_ptctl("-s", self.socket, *arguments, prefix=self.prefix, **more)

    def ok(self, *arguments, **more):
        """What ptctl prints when it succeeds, as it must."""
        result = self.ptctl(*arguments, **more)
        assert result.code == 0, result
        return result.out

    def create(self, engine, *pipe, start=True):
        return self.ok("create", engine, *pipe, *(["--start"] if start else []))

    def finish(self, engine, seconds=DEADLINE):
        """Waits for a clean stop."""
        return self.ok("stop", engine, "--wait", "--timeout", seconds, timeout=seconds + 10)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, number=signal.SIGTERM, status=0):
        """Ends it as a service manager does; nothing may have gone wrong meanwhile."""
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise AssertionError(f"pipetoold did not end\n{self.log()}") from None
        assert code == status, f"pipetoold ended with {code}\n{self.log()}"
        assert not SANITIZER.search(self.log()), self.log()


@pytest.fixture
def daemons(tmp_path):
    """Makes daemons: daemons(prefix=…, config=…)."""
    made = []

    def make(**more):
        folder = tmp_path / f"daemon{len(made)}"
        folder.mkdir()
        daemon = Daemon(folder, **more)
        made.append(daemon)
        return daemon

    yield make
    faults = []
    for daemon in made:
        try:
            daemon.stop()
        except AssertionError as fault:
            faults.append(str(fault))
        daemon.kill()
    assert not faults, "\n".join(faults)


@pytest.fixture
def daemon(daemons):
    return daemons()


@pytest.fixture
def rpc(daemon):
    return daemon.client()


# ---- networks -----------------------------------------------------------------------------------

numbers = itertools.count()


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=check)


def namespaces_allowed():
    name = f"pt{os.getpid()}probe"
    if ip("netns", "add", name, check=False).returncode:
        return False
    ip("netns", "del", name)
    return True


class Network:
    """Two namespaces, `left` and `right`, joined by a cable with the ends pl and pr."""

    def __init__(self):
        number = next(numbers)
        self.left = f"pt{os.getpid()}l{number}"
        self.right = f"pt{os.getpid()}r{number}"
        for name in (self.left, self.right):
            ip("netns", "del", name, check=False)  # of a process that was killed and had this one's number
            ip("netns", "add", name)
            self.quiet(name)
        ip("-n", self.left, "link", "add", "pl", "type", "veth", "peer", "name", "pr", "netns",
           self.right)
        for name, device, address in ((self.left, "pl", "10.9.0.1/24"),
                                      (self.right, "pr", "10.9.0.2/24")):
            ip("-n", name, "link", "set", device, "up")
            ip("-n", name, "address", "add", address, "dev", device)

    @staticmethod
    def quiet(name):
        """No packets of the kernel's own making: a test wants to see only its own."""
        ip("netns", "exec", name, "sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1",
           "net.ipv6.conf.default.disable_ipv6=1", check=False)
        ip("-n", name, "link", "set", "lo", "up")

    @staticmethod
    def inside(name):
        """A command line's beginning that runs the rest in a namespace."""
        return ["ip", "netns", "exec", name]

    def close(self):
        for name in (self.left, self.right):
            ip("netns", "del", name, check=False)


@pytest.fixture
def network():
    if not namespaces_allowed():
        pytest.skip("network namespaces are not allowed here")
    made = Network()
    yield made
    made.close()


def pytest_sessionfinish(session, exitstatus):
    """-k that chooses nothing in this file is no failure."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK
