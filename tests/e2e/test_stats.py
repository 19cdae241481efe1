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


def families(text):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    return {family.name: family for family in parser.text_string_to_metric_families(text)}


def value(families, name, **labels):
    """Of the sample with these labels; its family is the longest name that it begins with."""
    family = max((known for known in families if name.startswith(known)), key=len)
    return next(sample.value for sample in families[family].samples
                if sample.name == name and sample.labels == labels)


def test_metrics_tell_what_stats_do(daemon, rpc, tmp_path):
    f = 'FilterDrain("function(m) if #m == 2 then error() end return #m > 2 end")'
    daemon.create("e", f"a = CLIFeeder(); f = {f}; q = QueueSink()\n"
                  "a > f > q")
    daemon.create("idle", "CLIFeeder() > Sink()", start=False)
    rpc.send("e", "a", "1", "22", "333", "4", "55555")
    told = families(daemon.ok("metrics"))
    counted = {}
    for block in rpc.stats("e")["blocks"]:
        labels = {"engine": "e", "block": block["name"]}
        for member in ("in", "out", "errors"):
            assert value(told, f"pipetool_block_{member}_total", **labels) == block[member]
        assert value(told, "pipetool_block_held", **labels) == block["held"]
        for kind in ("filtered", "dropped"):
            for reason, number in block[kind].items():
                assert value(told, f"pipetool_block_{kind}_total", **labels, reason=reason) == number
                counted[kind, reason] = number
    assert counted == {("filtered", "filtered"): 2, ("dropped", "error"): 1}
    for link in rpc.stats("e")["links"]:
        labels = {"engine": "e", "from": link["from"], "to": link["to"], "canal": link["canal"]}
        assert value(told, "pipetool_link_messages_total", **labels) == link["messages"]
        assert value(told, "pipetool_link_bytes_total", **labels) == link["bytes"]
    assert value(told, "pipetool_block_waits", engine="e", block="a") == 0
    assert value(told, "pipetool_engine_uptime_seconds", engine="idle") == 0
    assert value(told, "pipetool_engine_uptime_seconds", engine="e") > 0
    assert value(told, "pipetool_engine_cpu_seconds_total", engine="e") > 0
    assert value(told, "pipetool_build_info", version=rpc.call("daemon.info")["version"]) == 1


def test_metrics_tell_of_each_engine_the_state(daemons, tmp_path):
    folder = tmp_path / "engines"
    folder.mkdir()
    (folder / "wrong.pipe").write_text("a > ")
    (folder / "away.pipe").write_text(f"RdpcapSource('{tmp_path}/none.pcap') > Sink()")
    daemon = daemons(engines=folder)
    daemon.create("off", "CLIFeeder() > Sink()", start=False)
    daemon.create("on", "CLIFeeder() > Sink()")
    told = families(daemon.ok("metrics"))["pipetool_engine_state"].samples
    assert {(s.labels["engine"], s.labels["state"]) for s in told if s.value == 1} == {
        ("wrong", "failed"), ("away", "failed"), ("off", "stopped"), ("on", "running")}
    assert all(s.value in (0, 1) for s in told)


def test_a_block_that_has_failed_and_a_source_that_waits_are_told(daemon, rpc):
    daemon.create("e", "a = CLIFeeder(); q = QueueSink(limit='1KiB', overflow='block'); a > q")
    rpc.send("e", "a", "x" * 2000)
    eventually(lambda: rpc.stats("e", "a")["waits_for"] == ["q"])
    assert value(families(daemon.ok("metrics")), "pipetool_block_waits", engine="e", block="a") == 1
