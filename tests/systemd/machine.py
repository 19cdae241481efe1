# SPDX-License-Identifier: BSD-2-Clause
"""A machine for one test: the host's own systemd as the first process of new namespaces.

It runs on a copy of the root file system that lives in memory, so a test may install packages, make
users and kill services. Nothing of it is left when it is closed.
"""
import os
import pathlib
import shutil
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).parent
NAMESPACES = ["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"]
DEADLINE = 60


def forbidden():
    """Why there can be no machine here; None if there can."""
    if os.geteuid():
        return "not root: namespaces cannot be made"
    tried = subprocess.run(["unshare", *NAMESPACES, "--fork", "true"], capture_output=True,
                           text=True, check=False)
    return f"namespaces are forbidden: {tried.stderr.strip()}" if tried.returncode else None


class Groups:
    """A control group of its own, which is the root of what the machine sees of them."""

    def __init__(self, folder):
        self.mounted = None
        top = self.find()
        if not top:
            self.mounted = top = folder / "cgroup"
            top.mkdir()
            subprocess.run(["mount", "-t", "cgroup2", "none", top], check=True)
        self.path = pathlib.Path(top, f"pipetool-test-{os.getpid()}-{folder.name}")
        self.path.mkdir()

    @staticmethod
    def find():
        for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
            _, place, kind, *_ = line.split()
            if kind == "cgroup2":
                return place
        return None

    def enter(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def close(self):
        kill = self.path / "cgroup.kill"
        if kill.exists():
            kill.write_text("1")
        until = time.monotonic() + DEADLINE
        while self.path.exists() and time.monotonic() < until:
            for folder, _, _ in os.walk(self.path, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    threading.Event().wait(0.01)  # what was killed is still ending
        if self.mounted:
            subprocess.run(["umount", self.mounted], check=False)


class Machine:
    def __init__(self, folder, shared):
        """Boots; `shared` is seen inside as /shared."""
        self.folder = pathlib.Path(folder)
        root = self.folder / "machine"
        root.mkdir(parents=True)
        self.log = self.folder / "boot.log"
        self.groups = Groups(self.folder)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL",  # a test that is killed leaves no machine behind
                 "unshare", *NAMESPACES, "--fork", "--kill-child", "--propagation", "private",
                 HERE / "begin.sh", root, shared],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.groups.enter)
        try:
            self.first = self.wait_for_first()
            self.wait_booted()
        except BaseException:
            self.close()
            raise

    def fail(self, words):
        raise AssertionError(f"{words}\n{self.log.read_text(errors='replace')}")

    def until(self, question, words):
        until = time.monotonic() + DEADLINE
        while not (answer := question()):
            if self.process.poll() is not None or time.monotonic() > until:
                self.fail(words)
            threading.Event().wait(0.02)
        return answer

    def wait_for_first(self):
        """The process that is number 1 inside."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

        def look():
            try:
                child = int(children.read_text().split()[0])
                name = pathlib.Path(f"/proc/{child}/comm").read_text().strip()
            except (OSError, IndexError):
                return None
            return child if name == "systemd" else None
        return self.until(look, "no systemd has come up")

    def wait_booted(self):
        self.until(lambda: self.run("systemctl", "is-active", "testbed.target",
                                    check=False).stdout.strip() == "active", "it does not boot")

    def command(self, *arguments):
        return ["nsenter", "--target", str(self.first), "--mount", "--pid", "--uts", "--ipc",
                "--net", "--root", "--", *map(str, arguments)]

    @property
    def environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root",
                "NO_COLOR": "1", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "cat",
                "DEBIAN_FRONTEND": "noninteractive"}

    def start(self, *arguments, **more):
        """A process inside, with pipes."""
        return subprocess.Popen(self.command(*arguments), env=self.environment,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **more)

    def run(self, *arguments, check=True, input=None, timeout=DEADLINE):
        """Runs a command inside, as root, and returns how it ended."""
        done = subprocess.run(self.command(*arguments), env=self.environment, input=input,
                              capture_output=True, text=True, errors="replace", check=False,
                              timeout=timeout)
        if check and done.returncode:
            self.fail(f"{' '.join(map(str, arguments))}: exit {done.returncode}\n"
                      f"{done.stdout}{done.stderr}{self.journal()}")
        return done

    def out(self, *arguments, **more):
        return self.run(*arguments, **more).stdout

    def shell(self, text, **more):
        return self.out("bash", "-ec", text, **more)

    def journal(self):
        return subprocess.run(self.command("journalctl", "-b", "-n", "60", "--no-pager"),
                              env=self.environment, capture_output=True, text=True, check=False,
                              timeout=DEADLINE).stdout

    def path(self, inside):
        """A file of the machine as it is seen from outside."""
        return pathlib.Path(f"/proc/{self.first}/root", str(inside).lstrip("/"))

    def write(self, inside, text):
        self.path(inside).parent.mkdir(parents=True, exist_ok=True)
        self.path(inside).write_text(text)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.groups.close()
        shutil.rmtree(self.folder / "machine", ignore_errors=True)
