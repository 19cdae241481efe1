#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The pictures of README.md, from a daemon that runs: pictures.py BUILD FOLDER (./dev pictures).

FOLDER gets demo.svg, as `ptctl graph -o` draws the demo's graph, top.svg, a screen of `ptctl top`, and page.png, the
page that [http] serves.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import screen  # noqa: E402: found by the path above, as is
from browser import Browser  # noqa: E402

DEMO = """
source = RdpcapSource("{folder}/demo.pcap", speed=1, loop=0)
anon   = TransformDrain("set{{['ip.src']='1.1.1.1', ['ip.dst']='2.2.2.2'}}")
wire   = WrpcapSink("{folder}/anonymous.pcap")
source > anon > wire
anon > ConsoleSink(name="console")
"""
STUCK = """
feed = PeriodicSource("reading", 0.05)
feed > TransformDrain("function(m) if math.random() < 0.02 then error('odd reading') end return m end") \\
  > q = QueueSink(limit="32KiB", overflow="block")
"""


def main(build, out):
    build, out = pathlib.Path(build).resolve(), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        draw(build, out, pathlib.Path(name))


def draw(build, out, folder):
    subprocess.run([sys.executable, HERE / "demo_capture.py", folder / "demo.pcap"], check=True)
    for sub in ("engines", "blocks", "state"):
        (folder / sub).mkdir()
    (folder / "conf").write_text("[http]\nlisten = 127.0.0.1:0\ntaps = yes\n")
    (folder / "engines" / "mirror.pipe").write_text('SniffSource("mirror0") > WrpcapSink("mirror.pcap")\n')
    (folder / "engines" / "demo.pipe").write_text(DEMO.format(folder=folder))
    (folder / "engines" / "sensors.pipe").write_text(STUCK)
    socket, log = folder / "control.sock", folder / "log"
    with open(log, "w", encoding="utf-8") as lines, subprocess.Popen(
            [build / "daemon" / "pipetoold", "--socket", socket, "--config", folder / "conf", "--engines",
             folder / "engines", "--blocks", folder / "blocks", "--state", folder / "state"],
            stdout=subprocess.DEVNULL, stderr=lines) as daemon:
        try:
            show(build, out, folder, socket, log)
        finally:
            daemon.terminate()


def show(build, out, folder, socket, log):
    def ptctl(*words):
        subprocess.run([build / "ctl" / "ptctl", "-s", socket, *words], check=True)
    while not socket.exists() or "engine demo runs" not in log.read_text():
        os.sched_yield()
    ptctl("graph", "demo", "--stats", "-o", out / "demo.svg")
    at = re.search(r"it serves http on (\S+)", log.read_text())[1]
    with Browser(folder / "profile", (1180, 860)) as page:
        page.open(f"http://{at}/")
        page.until("document.querySelectorAll('.block.held-back').length > 0 && "
                   "document.querySelectorAll('.block.lost').length > 0 && "
                   "[...document.querySelectorAll('[data-engine=demo] .link')].every(link => link.dataset.rate > 0)")
        page.run("layouts")
        page.picture(out / "page.png")
    (out / "top.svg").write_text(top(build, folder, socket), encoding="utf-8")


def top(build, folder, socket, columns=96, rows=10):
    """What it shows in a terminal, when it knows all of it for a while."""
    tmux = ["tmux", "-S", folder / "tmux.sock", "-f", "/dev/null"]
    env = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    env.pop("NO_COLOR", None)
    subprocess.run([*tmux, "new-session", "-d", "-x", str(columns), "-y", str(rows), "-s", "top",
                    f"exec {build}/ctl/ptctl -s {socket} top -d 0.5 --sort drops"], check=True, env=env)
    try:
        subprocess.run([*tmux, "set", "-g", "status", "off"], check=True)
        os.mkfifo(folder / "written")
        subprocess.run([*tmux, "pipe-pane", "-t", "top", f"cat > {folder}/written"], check=True)
        text = ""
        with open(folder / "written", "rb", buffering=0) as written:
            while written.read(65536):
                text = subprocess.run([*tmux, "capture-pane", "-p", "-e", "-t", "top"], check=True,
                                      capture_output=True, text=True).stdout
                if len(re.findall("[▁▂▃▄▅▆▇█]", text)) >= 50:
                    return screen.draw(text, columns, rows, "A screen of ptctl top")
        raise AssertionError(f"top has ended: {text}")
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
