# SPDX-License-Identifier: BSD-2-Clause
"""Completion as it is in real shells, typed into a terminal, with a daemon that knows names."""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest

from conftest import DEADLINE, program

FOLDER = pathlib.Path(__file__).parents[2] / "completion"

GRAPH = "s = CLIFeeder(); v = TriggeredValve(); kept = QueueSink(); s > v > kept"

# What is typed before a tab, and what then stands there.
COMPLETED = [
    ("cre", "create "),
    ("create x --sta", "create x --start "),
    ("stop la", "stop lab "),
    ("start --sock", "start --socket "),
    ("show lab.ke", "show lab.kept "),
    ("remove lab ke", "remove lab kept "),
    ("set lab.kept overflow=drop-o", "set lab.kept overflow=drop-oldest "),
    ("tap lab.v --canal hi", "tap lab.v --canal high "),
    ("help TriggeredQ", "help TriggeredQueueingValve "),
    ("help Hal", "help Halve "),
    ("call engine.sta", "call engine.sta"),
    ("load hal", "load halve.lua "),
    ("graph lab -o hal", "graph lab -o halve.lua "),
]

# The same in pipe text, which goes on: the quote stays open.
TEXT = [
    ("create x 's = TCPL", "create x 's = TCPListenPipe("),
    ("create x 's = TCPListenPipe(ad", "create x 's = TCPListenPipe(addr="),
    ("create x 'TCPListenPipe(again=T", "create x 'TCPListenPipe(again=True"),
    ("create x 'CLIFeeder() > Hal", "create x 'CLIFeeder() > Halve("),
    ("add lab 's > ke", "add lab 's > kept"),
    ("run 'RdpcapSource(\"hal", "run 'RdpcapSource(\"halve.lua\""),
    ('create x "s = TCPL', 'create x "s = TCPListenPipe('),
]

# Before two tabs, and what is then shown.
SHOWN = [
    ("show lab.", ["lab.kept", "lab.s", "lab.v"]),
    ("tap lab.v --canal ", ["high", "low"]),
]


@pytest.fixture
def place(daemon, tmp_path):
    """A daemon, and a folder with a file of Lua."""
    (tmp_path / "halve.lua").write_text('Drain{name = "Halve", doc = "Passes half of them"}\n')
    daemon.ok("load", tmp_path / "halve.lua")
    daemon.create("lab", GRAPH)
    daemon.here = tmp_path
    path = f"{os.path.dirname(program('ptctl'))}:{os.environ['PATH']}"
    daemon.shell_env = {**os.environ, "PATH": path, "PIPETOOL_SOCKET": str(daemon.socket),
                        "HOME": str(tmp_path), "TERM": "dumb", "INPUTRC": "/dev/null",
                        "LC_ALL": "C.UTF-8"}
    return daemon


def on_screen(text):
    """What a terminal shows of it, as far as these shells need one."""
    screen = ""
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.|[\x00-\x1f]|[^\x00-\x1f]+", text):
        if piece == "\b":
            screen = screen[:-1]
        elif piece == "\n" or piece >= " ":
            screen += piece
    return screen


class Terminal:
    """A shell in a terminal."""

    PROMPT = "READY> "

    def __init__(self, place, command, setup):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(place.here)
            os.execvpe(command[0], command, place.shell_env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.type(setup + "; PS1='READY''> '\n")
        self.wait_for(self.PROMPT)

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, wanted):
        """Until it is shown."""
        until = time.monotonic() + DEADLINE
        while wanted not in on_screen(self.seen):
            left = until - time.monotonic()
            assert left > 0, f"{wanted!r} is not in {on_screen(self.seen)!r}"
            if select.select([self.fd], [], [], left)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")

    def fresh(self):
        """Gives the line up."""
        self.seen = ""
        self.type("\x15\n")
        self.wait_for(self.PROMPT)
        self.seen = ""

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             f"source {FOLDER}/ptctl.bash; bind 'set enable-bracketed-paste off'"),
    "zsh": (["zsh", "-f", "-i"],
            f"fpath=({FOLDER} $fpath); autoload -Uz compinit; compinit -D -u; "
            "unset zle_bracketed_paste; unsetopt PROMPT_SP; zstyle ':completion:*' menu no"),
}


@pytest.fixture(params=SHELLS)
def terminal(place, request):
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    made = Terminal(place, *SHELLS[request.param])
    yield made
    made.close()


def test_words_are_completed(terminal):
    for typed, wanted in COMPLETED + TEXT:
        terminal.type(f"ptctl {typed}\tZ")
        terminal.wait_for(f"ptctl {wanted}Z")
        terminal.fresh()


def test_several_are_shown(terminal):
    for typed, wanted in SHOWN:
        terminal.type(f"ptctl {typed}\t\t")
        for word in wanted:
            terminal.wait_for(word)
        terminal.fresh()


def test_where_nothing_may_follow_nothing_is_offered(terminal):
    for typed in ("list ", "nonsense ", "show lab.kept.", "create x '# ", "recv lab.kept -n "):
        terminal.type(f"ptctl {typed}\tZ")
        terminal.wait_for(f"ptctl {typed}Z")
        terminal.fresh()


def test_without_a_daemon_nobody_waits_or_complains(terminal):
    terminal.type("ptctl -s /nowhere show \tZ")
    terminal.wait_for("ptctl -s /nowhere show Z")
    terminal.fresh()
    terminal.type("ptctl -s /nowhere create x 's = TCPL\tZ")
    terminal.wait_for("ptctl -s /nowhere create x 's = TCPListenPipe(Z")


# ---- fish completes without a terminal ----------------------------------------------------------


@pytest.fixture
def fish(place):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")

    def complete(*typed):
        """Of each text, the words that are offered."""
        script = "; ".join([f"source {FOLDER}/ptctl.fish",
                            "for t in $argv; complete -C $t; echo ---; end"])
        done = subprocess.run(["fish", "-N", "-c", script, "--", *typed], cwd=place.here,
                              env=place.shell_env, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return [[line.split("\t")[0] for line in part.splitlines() if line]
                for part in done.stdout.split("---\n")[:-1]]

    return complete


def last_word(typed):
    """Of a command line that may have an open quote."""
    quoted = re.search(r"(?<= )(['\"])([^'\"].*)$", typed)
    return quoted.group(2) if quoted else typed.rstrip(" ").split(" ")[-1]


def test_fish_completes_words(fish):
    cases = [case for case in COMPLETED if case[0] != case[1]] + TEXT
    for (typed, wanted), offered in zip(cases, fish(*(f"ptctl {typed}" for typed, _ in cases))):
        assert last_word(wanted) in offered, typed
        assert all(word.rstrip("…") == last_word(wanted) for word in offered), typed


def test_fish_shows_several(fish):
    for (_, wanted), offered in zip(SHOWN, fish(*(f"ptctl {typed}" for typed, _ in SHOWN))):
        assert sorted(offered) == wanted


def test_fish_is_silent_without_a_daemon(fish):
    assert fish("ptctl -s /nowhere show ", "ptctl list ") == [[], []]


# ---- and all three ------------------------------------------------------------------------------


def test_every_verb_and_option_is_offered(place):
    def offered(*words):
        return [line.split("\t")[0] for line in place.ok("complete", "--", *words).splitlines()]

    verbs = re.findall(r"^([a-z]+) +\S", place.ok("help").split("\n\n")[1], re.MULTILINE)
    assert verbs and sorted(verbs) == sorted(offered(""))
    for verb in verbs:
        helped = place.ok("help", verb).split("-s, -j, --timeout")[0]
        assert set(re.findall(r"--[a-z][a-z0-9-]+", helped.split("\n\n")[-2])) <= \
            set(offered(verb, "--")), verb


def test_every_verb_that_takes_an_engine_is_offered_those_that_are_there(place):
    taking = 0
    for verb in place.ok("complete", "--", "").split("\n"):
        verb = verb.split("\t")[0]
        usage = place.ok("help", verb).splitlines()[2] if verb else ""
        found = re.match(rf" *ptctl {verb} \[?(ENGINE(\[?\.BLOCK)?)\b", usage)
        if not found or verb == "create":  # which takes a new one
            continue
        taking += 1
        offered = place.ok("complete", "--", verb, "la").splitlines()
        assert offered[0].startswith("lab." if found.group(2) else "lab\t"), verb
    assert taking > 15


def test_each_shell_finds_its_file():
    build = os.environ["PIPETOOL_BUILD"]
    done = subprocess.run(["meson", "introspect", "--installed", build], capture_output=True,
                          text=True, check=True)
    targets = set(json.loads(done.stdout).values())
    for end in ("/bash-completion/completions/ptctl", "/zsh/site-functions/_ptctl",
                "/fish/vendor_completions.d/ptctl.fish"):
        assert [target for target in targets if target.endswith(end)], end
