# SPDX-License-Identifier: BSD-2-Clause
"""ptctl top: rounds as text and JSON, and the screen, as a terminal shows it."""
import itertools
import json
import os
import re
import shutil
import subprocess

import pytest

from conftest import DEADLINE, eventually, program

STUCK = "s = CLIFeeder(); q = QueueSink(limit=1, overflow='block'); s > q"
LOSSY = "f = CLIFeeder(); f > TransformDrain('function(m) error(1) end', name='bad') > Sink()"


@pytest.fixture
def filled(daemon):
    """An engine that waits, one that loses, and one that does not run."""
    daemon.create("stuck", STUCK)
    daemon.create("lossy", LOSSY)
    daemon.create("off", STUCK, start=False)
    daemon.ok("send", "stuck.s", "a", "b")
    daemon.ok("send", "lossy.f", "x", "y")
    return daemon


# ---- rounds -------------------------------------------------------------------------------------

def test_rounds_as_text(filled):
    rounds = filled.ok("top", "-n", "2", "-d", "0.1", "--sort", "drops").split("\n\n")
    assert len(rounds) == 2
    for text in rounds:
        heads, *rows = [line.rstrip() for line in text.strip("\n").split("\n")]
        assert heads.split() == ["ENGINE", "STATE", "UPTIME", "IN/s", "OUT/s", "BIT/s", "FILTERED", "DROPPED",
                                 "HELD", "CPU%", "WAITS", "FOR"]
        assert [row.split()[0] for row in rows] == ["lossy", "off", "stuck"]
        assert rows[0].split()[7] == "2" and rows[2].endswith("  q") and rows[1].split()[1] == "stopped"
    names = filled.ok("top", "lossy", "-b", "-n", "1", "-d", "0.1", "--sort", "name").split("\n")
    assert [line.split()[0] for line in names if line] == ["BLOCK", "bad", "f", "sink1"]


def test_rounds_as_json(filled):
    first, second = filled.ok("-j", "top", "-n", "2", "-d", "0.1", "--sort", "name").splitlines()
    engines = json.loads(second)["engines"]
    assert [e["engine"] for e in engines] == ["lossy", "off", "stuck"]
    assert (engines[0]["dropped"], engines[2]["waits_for"], engines[1]["state"]) == (2, ["q"], "stopped")
    assert json.loads(first)["engines"][2]["in_per_s"] == 0
    told = json.loads(filled.ok("-j", "top", "stuck", "-n", "1", "-d", "0.1"))
    assert told["engine"] == "stuck" and {b["block"]: b["held"] for b in told["blocks"]}["q"] == 1


def test_what_is_wide_stays_whole(daemon):
    name = "a_queue_with_a_long_name_that_nobody_has_read_for_some_time"
    daemon.create("e", STUCK.replace("q", name))
    daemon.ok("send", "e.s", "a", "b")
    assert any(line.endswith(name) for line in daemon.ok("top", "-b", "-n", "1", "-d", "0.1").splitlines())


def test_refusals(filled):
    assert filled.ptctl("top", "nix", "-b").code == 6
    assert filled.ptctl("top", "--sort", "size").code == 2
    assert filled.ptctl("top", "-n", "0").code == 2


# ---- the screen ---------------------------------------------------------------------------------

class Screen:
    """A terminal of that size in which ptctl top runs."""

    sockets = itertools.count()  # a server that ends may still have its own

    def __init__(self, daemon, folder, size, *words, **env):
        if not shutil.which("tmux"):
            pytest.skip("no tmux")
        self.tmux = ["tmux", "-S", str(folder / f"tmux{next(self.sockets)}"), "-f", "/dev/null"]
        columns, rows = size
        env = {"LC_ALL": "C.UTF-8", "TERM": "screen-256color", **env}
        command = " ".join([*(f"{name}='{value}'" for name, value in env.items()), program("ptctl"), "-s",
                            str(daemon.socket), "top", "-d", "0.2", *words])
        self.run("new-session", "-d", "-x", str(columns), "-y", str(rows),
                 f"{command} 2>{folder}/err; echo \"it ended with $?\"; cat {folder}/err; exec sleep 1000",
                 env={**os.environ, "LC_ALL": "C.UTF-8"})
        self.run("set", "-g", "status", "off")

    def run(self, *words, env=None):
        return subprocess.run([*self.tmux, *words], check=True, stdout=subprocess.PIPE, text=True, timeout=DEADLINE,
                              env=env).stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("kill-server")

    def text(self, *words):
        return self.run("capture-pane", "-p", *words)

    def shows(self, *parts, without=()):
        """Waits until all of the patterns are there, and the others are not."""
        def look():
            text = self.text()
            there = all(re.search(part, text, re.M) for part in parts)
            return text if there and not any(re.search(part, text, re.M) for part in without) else None
        return eventually(look, what=(parts, without))

    def press(self, *keys):
        self.run("send-keys", *keys)


def test_the_screen(filled, tmp_path):
    with Screen(filled, tmp_path, (80, 24)) as screen:
        text = screen.shows(r"^3 engines, 2 running; by rate", r"^stuck +running .* q$", r"^off +stopped",
                            r"^IN/s 0 .*▁", r"^q ends")
        assert all(len(line) <= 80 for line in text.splitlines()) and len(text.splitlines()) <= 24
        screen.press("d")
        screen.shows(r"by drops$", r"WAITS FOR\nlossy .*\noff .*\nstuck ", r"^bad dropped 2 error: \S.*\nq ends")
        screen.press("d")
        screen.shows(r"turned round$", r"WAITS FOR\noff .*\nstuck .*\nlossy ")
        screen.press("n")
        screen.shows(r"by name$", r"WAITS FOR\nlossy .*\noff .*\nstuck ")
        screen.press("/", "u", "c")
        screen.shows(r"^stuck", r"^/uc_$", without=[r"^lossy"])
        screen.press("Enter")
        screen.shows(r'1 with "uc"')
        screen.press("Enter")
        screen.shows(r"^stuck: 2 blocks", r"^BLOCK", r"^s +running .* q$")
        screen.press("Escape")
        screen.shows(r"^3 engines", r"^lossy")
        screen.press("?")
        screen.shows(r"Any key goes back")
        screen.press("x")
        screen.shows(r"^3 engines")
        screen.press("q")
        screen.shows(r"it ended with 0")


def test_what_gives_way(filled, tmp_path):
    with Screen(filled, tmp_path, (120, 40)) as screen:
        screen.shows(r"^ENGINE +STATE +UPTIME +IN/s +OUT/s +BIT/s +FILTERED +DROPPED +HELD +CPU% +WAITS FOR$")
        screen.run("resize-window", "-x", "80", "-y", "24")
        screen.shows(r"^ENGINE +STATE +IN/s +OUT/s +BIT/s +FILTERED +DROPPED +HELD +CPU% +WAITS FOR$")
        screen.run("resize-window", "-x", "40", "-y", "10")
        text = screen.shows(r"^ENGINE .*WAITS FOR$", r"^lossy .*2", r"^stuck .* q$", r"^q ends",
                            without=["UPTIME", "OUT/s"])
        assert all(len(line) <= 40 for line in text.splitlines())
        screen.run("resize-window", "-x", "27", "-y", "6")
        screen.shows(r"^ENGINE  IN/s  DROPPED  WAI…$", r"^q ends .*…$")


@pytest.mark.parametrize("size,parts", [
    ((1, 1), []), ((20, 5), [r"^2 engines", r"^ENGINE"]), ((300, 100), [r"^q ends", rf"^{'n' * 64} +running"])])
def test_any_size(daemon, tmp_path, size, parts):
    daemon.create("n" * 64, STUCK.replace("s =", f"{'s' * 64} =").replace("s >", f"{'s' * 64} >"))
    daemon.create("lossy", LOSSY)
    with Screen(daemon, tmp_path, (90, 24)) as screen:
        screen.shows(r"^2 engines", r"^lossy")
        screen.run("resize-window", "-x", str(size[0]), "-y", str(size[1]))
        screen.shows(*parts)
        screen.press("?", "x", "n", "Enter")
        screen.run("resize-window", "-x", "90", "-y", "24")
        text = screen.shows(r"^lossy: 3 blocks", r"^bad +running")
        assert all(len(line) <= 90 for line in text.splitlines())
        screen.run("resize-window", "-x", "2", "-y", "2")
        screen.press("q")
        screen.run("resize-window", "-x", "90", "-y", "24")
        screen.shows("it ended with 0")


def test_losses_are_red_where_there_are_colours(filled, tmp_path):
    red = "\033[31m"
    with Screen(filled, tmp_path, (80, 24)) as screen:
        screen.shows(r"^lossy")
        lines = {line: line for line in screen.text("-e").splitlines()}
        assert any(red in line and "lossy" in line for line in lines)
        assert not any(red in line and "off" in line for line in lines)
    with Screen(filled, tmp_path, (80, 24), NO_COLOR="1", LC_ALL="C") as screen:
        screen.shows(r"^lossy", r"^IN/s 0 .*_")
        assert red not in screen.text("-e") and screen.text().isascii()


def test_an_engine_that_goes_is_left(filled, tmp_path):
    with Screen(filled, tmp_path, (80, 24), "lossy") as screen:
        screen.shows(r"^lossy: 3 blocks", r"^bad")
        filled.ok("destroy", "lossy")
        screen.shows(r"^2 engines", r"^stuck")


def test_it_ends_with_the_daemon(filled, tmp_path):
    with Screen(filled, tmp_path, (80, 24)) as screen:
        screen.shows(r"^3 engines")
        filled.stop()
        screen.shows(r"it ended with 3", r"^ptctl: ")
    filled.start()


def test_an_unknown_terminal_is_told(filled, tmp_path):
    with Screen(filled, tmp_path, (80, 24), TERM="nothing") as screen:
        screen.shows(r"it ended with 1", r"\$TERM", r"-b")
