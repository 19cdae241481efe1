# SPDX-License-Identifier: BSD-2-Clause
"""Where time goes, and who waits for whom."""
import pytest

from conftest import eventually, sanitizer

LOOP = "function(m) local n = 0; for i = 1, %d do n = n + i end return m end"


def test_stats_tell_who_computes(daemon, rpc, tmp_path):
    if sanitizer() == "tsan":
        pytest.skip("signals come late under it")
    daemon.create("e", "a = CLIFeeder(); d = Drain(); s = Sink()\n"
                  f"slow = TransformDrain('{LOOP % 20000}'); quick = TransformDrain('{LOOP % 2}')\n"
                  "a > quick > d > slow > s")
    assert rpc.stats("e", "slow")["cpu_ns"] == 0

    def has_computed():
        rpc.send("e", "a", *["m"] * 500)
        return rpc.stats("e", "slow")["cpu_ns"] > 50_000_000
    eventually(has_computed)
    stats = rpc.stats("e")
    of = {block["name"]: block["cpu_ns"] for block in stats["blocks"]}
    assert of["quick"] + of["d"] + of["s"] < of["slow"]
    assert sum(of.values()) <= stats["cpu_ns"]


def test_what_a_block_has_computed_is_its_successors(daemon, rpc):
    if sanitizer() == "tsan":
        pytest.skip("signals come late under it")
    daemon.create("e", f"a = CLIFeeder(); t = TransformDrain('{LOOP % 20000}'); a > t > Sink()")

    def has_computed():
        rpc.send("e", "a", *["m"] * 500)
        return rpc.stats("e", "t")["cpu_ns"]
    before = eventually(has_computed)
    daemon.ok("replace", "e.t", "TransformDrain('reverse')")
    assert rpc.stats("e", "t")["cpu_ns"] >= before


def test_stats_tell_of_the_engine(daemon, rpc):
    daemon.create("e", "a = CLIFeeder(); q = QueueSink(); a > q")
    eventually(lambda: rpc.stats("e")["uptime_s"] > 0)
    assert rpc.stats("e")["cpu_ns"] > 0
    rpc.send("e", "a", "x" * 500_000)
    assert rpc.stats("e")["memory"] >= 500_000
    assert rpc.stats("e", "a")["waits_for"] == [] and "waits_for" not in rpc.stats("e", "q")
    daemon.ok("stop", "e")
    stats = rpc.stats("e")
    assert stats["uptime_s"] == 0 and stats["memory"] >= 500_000
    rpc.recv("e", "q", 1)
    assert rpc.stats("e")["memory"] < 500_000
