# SPDX-License-Identifier: BSD-2-Clause
"""Random tests: their seed, how long they go on, and what a daemon holds before and after them.

$SEED says another run, $PIPETOOL_LONG=1 makes it long and different each time: a run that a change
must pass is the same for every change.
"""
import contextlib
import os
import pathlib
import random
import re
import time

from conftest import eventually, sanitized, sanitizer

TOP = pathlib.Path(__file__).parents[2]
LONG = bool(os.environ.get("PIPETOOL_LONG"))
SEED = int(os.environ.get("SEED") or (random.SystemRandom().randrange(1 << 32) if LONG else 1))

# Every kind of refusal and its code, from the table that the daemon is made of.
CODES = {kind: int(code) for kind, code in re.findall(
    r'^PT_ERROR\(\w+, \d+, "([a-z-]+)", (-?\d+),',
    (TOP / "lib" / "pipetool" / "errors.def").read_text(), re.MULTILINE)}


def chance(*what):
    """A source of chance for something; the seed is shown where the test fails."""
    print(f"SEED={SEED}")
    return random.Random(f"{SEED}/{'/'.join(map(str, what))}")


def rounds(usual_s, long_s):
    """Counts up until the time is over."""
    until = time.monotonic() + (long_s if LONG else usual_s)
    number = 0
    while number == 0 or time.monotonic() < until:
        yield number
        number += 1


def explained(error):
    """Whether a refusal can be understood: a known kind, its code, one line of words."""
    data = error.get("data", {})
    assert CODES[data["kind"]] == error["code"] and data["kind"] != "internal", error
    assert error["message"] and "\n" not in error["message"], error
    if error["code"] == -32602:
        assert data["path"].startswith("$"), error
        assert [fault["path"] for fault in data.get("errors", [data])][0] == data["path"], error
    return True


class Held:
    """What a process holds on to."""

    def __init__(self, process):
        self.pid = process.pid

    def now(self):
        """Descriptors, threads, KiB resident."""
        with open(f"/proc/{self.pid}/status") as status:
            resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        return (len(os.listdir(f"/proc/{self.pid}/fd")), len(os.listdir(f"/proc/{self.pid}/task")),
                0 if sanitized() else resident)  # sanitizers keep what was freed

    def opened(self):
        """What its descriptors are, by number."""
        links = {}
        for number in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                links[int(number)] = os.readlink(f"/proc/{self.pid}/fd/{number}")
        return links

    def remember(self):
        self.before = self.now()
        self.open_before = self.opened()

    def nothing_more(self, growth_kib=4096, sweep=lambda: None):
        """Waits until all is given back, but for what `sweep` takes away before each look."""
        descriptors, threads, resident = self.before
        if sanitizer() == "tsan":
            descriptors += 2  # of the program that names functions for it, once there is something to suppress
        most = descriptors, threads, resident + growth_kib
        try:
            eventually(lambda: sweep() or all(now <= limit for now, limit in zip(self.now(), most)))
        except AssertionError:
            more = {n: link for n, link in self.opened().items() if self.open_before.get(n) != link}
            raise AssertionError(f"descriptors, threads, KiB: {self.before}, then {self.now()}; "
                                 f"other descriptors: {more}") from None
