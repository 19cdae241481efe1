#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs Scapy's own tests of its PipeTools against the package `pipetool`.

scapy_uts.py SCAPY/test/pipetool.uts [TITLE…] [--verbose]

The file is of Scapy's source tree. Each of its tests (of those whose title has one of the words
given) runs in a process of its own, behind `from pipetool import *`, and all in a network of their
own, where www.google.com is a server of this script's. A line tells what became of each; of one
that failed, what it printed follows. The exit status is 0 if all passed but those that replace
Scapy's inner parts, of which there are none here. The daemon is $PIPETOOLD, or that of the build.
"""
import argparse
import atexit
import http.server
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import unittest.mock

PATIENCE_S = 60  # for one test
SHORT_S = 10     # for one that is to fail
INSIDE = "PIPETOOL_UTS_INSIDE"
ELSEWHERE = "www.google.com"
OF_SCAPY = {  # what a test replaces or looks at that is not here
    "Test SniffSource": "replaces conf.L2listen",
    "Test WiresharkSink": "replaces subprocess.Popen",
    "Test WiresharkSink with linktype": "replaces subprocess.Popen",
    "Test WiresharkSink with args": "replaces subprocess.Popen",
    "Test InjectSink and Inject3Sink": "replaces conf.L2socket",
    "UDPDrain": "what comes from the port 1234 to the port 1234 is DNS only to who has made it",
}


def tests_of(text):
    """[(title, code)]"""
    parts = re.split(r"^= *(.*)\n", text, flags=re.MULTILINE)
    return [(title.strip(), re.sub(r"^[~+%*].*$", "", code, flags=re.MULTILINE))
            for title, code in zip(parts[1::2], parts[2::2])]


class Bunch:
    """As Scapy's own runner has it."""

    def __init__(self, **members):
        self.__dict__.update(members)


def names_of_scapy():
    """What a test finds there."""
    sys.modules.setdefault("mock", unittest.mock)
    names = {"Bunch": Bunch, "__name__": "__main__"}
    exec("import scapy.all, scapy.data, subprocess, os, time\n"  # pylint: disable=exec-used
         "from pipetool import *", names)
    return names


def run(title, code, names):
    """In a child, which ends as a script does."""
    status = 0
    signal.alarm(SHORT_S if title in OF_SCAPY else PATIENCE_S)
    try:
        exec(compile(code, title, "exec"), names)  # pylint: disable=exec-used
    except BaseException:  # pylint: disable=broad-except
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    atexit._run_exitfuncs()
    os._exit(status)


def judge(title, code, names):
    """Whether it passed, and what was printed."""
    with tempfile.TemporaryFile() as printed:
        sys.stdout.flush()
        child = os.fork()
        if not child:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            run(title, code, names)
        status = os.waitpid(child, 0)[1]
        printed.seek(0)
        text = printed.read().decode("utf-8", "replace")
    if os.WIFSIGNALED(status):
        text += f"it was ended by signal {os.WTERMSIG(status)}\n"
    return not status, text


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def be_elsewhere(folder):
    """The server that a test asks."""
    hosts = os.path.join(folder, "hosts")
    pathlib.Path(hosts).write_text(f"127.0.0.1 localhost {ELSEWHERE}\n")
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 80), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("file")
    parser.add_argument("title", nargs="*")
    parser.add_argument("--verbose", action="store_true", help="also what passed tests have printed")
    args = parser.parse_args()
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--map-root-user", "--net", "--mount", sys.executable, *sys.argv])
    wanted = [(title, code) for title, code in tests_of(pathlib.Path(args.file).read_text())
              if not args.title or any(word in title for word in args.title)]
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "python"))
    passed, bad = 0, 0
    folder = tempfile.mkdtemp()
    try:
        os.chdir(folder)
        be_elsewhere(folder)
        names = names_of_scapy()
        for title, code in wanted:
            good, printed = judge(title, code, names)
            why = "" if good else OF_SCAPY.get(title, "")
            passed += good
            bad += not good and not why
            print("passed" if good else "FAILED", title + (f" ({why})" if why else ""))
            if args.verbose or not (good or why):
                print(re.sub("^", "    ", printed.rstrip(), flags=re.MULTILINE))
    finally:
        shutil.rmtree(folder)
    print(f"{passed} of {len(wanted)} passed, {bad} failed that should not")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
