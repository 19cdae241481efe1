# SPDX-License-Identifier: BSD-2-Clause
"""What the bench runs: commands in turns, and daemons that are asked."""
import json
import os
import pathlib
import resource
import socket
import subprocess
import sys
import time


def cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def dirty(size):
    """Touches and frees memory, so that no command pays for pages that the host took back."""
    block = bytearray(b"\1") * size
    del block


def run(command, cwd):
    """CPU seconds of a command and all that it leaves behind."""
    for output in ("ours.pcap", "peer.pcap"):  # nobody pays for freeing what was there before
        pathlib.Path(cwd, output).unlink(missing_ok=True)
    dirty(512 << 20)
    before = cpu()
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)
    while True:  # we are the reaper of what it left
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return cpu() - before


def rotate(commands, rounds, cwd):
    """Seconds of each command, in turns; the first round does not count."""
    seconds = [[] for _ in commands]
    for number in range(rounds + 1):
        for times, command in zip(seconds, commands):
            taken = run(command, cwd)
            if number:
                times.append(taken)
    return seconds


class Daemon:
    def __init__(self, build, folder, config="", under=()):
        self.socket = str(pathlib.Path(folder, "bench.sock"))
        pathlib.Path(folder, "bench.conf").write_text(config, encoding="ascii")
        for sub in ("engines", "blocks", "state"):
            pathlib.Path(folder, sub).mkdir(exist_ok=True)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*under, f"{build}/daemon/pipetoold", "--socket", self.socket, "--config", f"{folder}/bench.conf",
             "--engines", f"{folder}/engines", "--blocks", f"{folder}/blocks", "--state",
             f"{folder}/state"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def connect(self):
        return connect(self.socket, self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def connect(path, process=None):
    """A connection, once there is somebody; he answers when the engines run."""
    while True:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(path)
            return client, client.makefile("rwb")
        except OSError:
            client.close()
            if process and process.poll() is not None:
                sys.exit(f"pipetoold ended with {process.returncode}")


def call(stream, method, **params):
    stream.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                             "params": params}).encode() + b"\n")
    stream.flush()
    answer = json.loads(stream.readline())
    if "error" in answer:
        sys.exit(f"{method}: {answer['error']}")
    return answer["result"]


def fetch(path, address):
    """What is served there, to its end."""
    with socket.socket(socket.AF_UNIX) as web:
        web.connect(str(path))
        web.sendall(f"GET {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: web.recv(1 << 20), b""))


LARGE = "[limits]\nblocks = 65536\n"


def ticking(idle):
    """A graph: a message every millisecond, and so many blocks that nothing comes to."""
    return {"blocks": [{"name": "s", "type": "PeriodicSource", "params": {"msg": "x", "period": 0.001}},
                       {"name": "q", "type": "Sink"},
                       *({"name": f"d{n}", "type": "Drain"} for n in range(idle))],
            "links": [{"from": "s", "to": "q"}]}
