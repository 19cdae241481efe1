# SPDX-License-Identifier: BSD-2-Clause
"""Several files as one, files that grow, and files by the names of fields."""
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from scapy.all import IP, TCP, UDP, Dot1Q, Ether

import makers
from conftest import eventually

PACKETS = makers.some_packets(60)


def capture(path, packets, **more):
    return makers.pcap(path, packets, **more)


def seen(path):
    return makers.tshark(path, "frame.time_epoch", "frame.len")


def parts(folder, count=3, **more):
    """Captures whose times interleave, with ties."""
    folder.mkdir()
    step = 1_000_000_000
    for n in range(count):
        capture(folder / f"part{n}.pcap", [
            (data, (1000 + i * (n + 1)) * step) for i, (data, _) in enumerate(PACKETS[n::count])], **more)
    return sorted(str(p) for p in folder.iterdir())


@pytest.mark.parametrize("order,arguments", [("given", ["-a"]), ("time", [])])
def test_a_glob_is_what_mergecap_makes_of_its_files(daemon, tmp_path, order, arguments):
    files = parts(tmp_path / "in")
    daemon.ok("run", f'RdpcapSource("{tmp_path}/in/part*.pcap", order="{order}") > '
                     f'WrpcapSink("{tmp_path}/ours.pcap")')
    if order == "time":  # of packets of one time mergecap takes the last file's first
        files.reverse()
    subprocess.run(["mergecap", *arguments, "-F", "pcap", "-w", tmp_path / "theirs.pcap", *files],
                   check=True)
    assert makers.read(tmp_path / "ours.pcap") == makers.read(tmp_path / "theirs.pcap")
    assert len(seen(tmp_path / "ours.pcap")) == len(PACKETS)


def test_a_list_has_globs_compressed_files_and_other_formats(daemon, tmp_path):
    files = parts(tmp_path / "in")
    subprocess.run(["gzip", "-k", files[0]], check=True)
    subprocess.run(["editcap", "-F", "pcapng", files[1], tmp_path / "in" / "more.pcapng"], check=True)
    daemon.ok("create", "e", f'RdpcapSource(["{files[2]}", "{tmp_path}/in/m*", "{files[0]}.gz"]) > '
                             f'WrpcapSink("{tmp_path}/ours.pcap")', "--start")
    daemon.finish("e")
    subprocess.run(["mergecap", "-a", "-F", "pcap", "-w", tmp_path / "theirs.pcap", files[2], files[1],
                    files[0]], check=True)
    assert makers.read(tmp_path / "ours.pcap") == makers.read(tmp_path / "theirs.pcap")


def test_what_is_there_is_a_path_and_no_glob(daemon, tmp_path):
    capture(tmp_path / "a[1].pcap", PACKETS[:3])
    capture(tmp_path / "a1.pcap", PACKETS)
    daemon.ok("run", f'RdpcapSource("{tmp_path}/a[1].pcap") > WrpcapSink("{tmp_path}/out.pcap")')
    assert len(seen(tmp_path / "out.pcap")) == 3


def test_count_is_of_all_files_and_rounds(daemon, tmp_path):
    parts(tmp_path / "in")
    daemon.ok("run", f'RdpcapSource("{tmp_path}/in/*", loop=0, order="time", count=150) > '
                     f'WrpcapSink("{tmp_path}/out.pcap")')
    assert len(seen(tmp_path / "out.pcap")) == 150


@pytest.mark.parametrize("order", ["given", "time"])
def test_a_damaged_file_keeps_nobody_from_reading_the_others(daemon, tmp_path, order):
    files = parts(tmp_path / "in")
    whole = os.path.getsize(files[1])
    os.truncate(files[1], whole - 5)
    result = daemon.ptctl("run", f'RdpcapSource({files!r}, order="{order}") > '
                                 f'WrpcapSink("{tmp_path}/out.pcap")')
    assert result.code == 1 and "1 of its files could not be read to the end" in result.err, result
    assert f"part1.pcap' is cut off at byte {whole - 5}" in result.err, result
    assert len(seen(tmp_path / "out.pcap")) == len(PACKETS) - 1


def test_packets_of_another_link_type_are_told_and_counted(daemon, tmp_path):
    capture(tmp_path / "a.pcap", PACKETS[:5])
    capture(tmp_path / "b.pcap", PACKETS[5:9], link_type=113)
    text = f'RdpcapSource("{tmp_path}/?.pcap") > WrpcapSink("{tmp_path}/out.{{}}")'
    result = daemon.ptctl("run", text.format("pcap"))
    assert result.code == 1 and "4 dropped (4 link-type at wrpcap_sink1)" in result.err, result
    daemon.ok("run", text.format("pcapng"))
    assert len(seen(tmp_path / "out.pcapng")) == 9


@pytest.mark.parametrize("names,words", [
    ('"{}/none*.pcap"', "none*.pcap' matches no file"),
    ('["{}/part0.pcap", "{}/no.pcap"]', "cannot open '"),
    ('["{}/part0.pcap", "{}/junk"]', "junk' is not a capture file"),
    ('[]', "'fname' names no file"), ('["{}/part0.pcap", 3]', "each of 'fname' must be a path"),
    ('"{}/part*.pcap", follow=True, order="time"', "cannot be merged by time"),
    ('"{}/part*.pcap", follow=True, loop=0', "has no end to begin anew from"),
    ('"{}/part*.pcap", idle=1', "says when a follow ends"),
    ('"{}/part*.pcap", pps=1, speed=1', "give one of speed, pps and rate")])
def test_what_cannot_be_read_is_refused_in_words(daemon, tmp_path, names, words):
    parts(tmp_path / "in")
    (tmp_path / "in" / "junk").write_bytes(b"no capture, but 24 bytes and more")
    text = f'RdpcapSource({names.replace("{}", str(tmp_path / "in"))}) > Sink()'
    for verb in (("run", text), ("create", "e", text, "--start")):
        result = daemon.ptctl(*verb)
        assert result.code in (1, 2) and words in result.err, result
        daemon.ptctl("destroy", "--if-exists", "e")


def test_folders_that_are_not_allowed_are_not_read_by_globs(daemons, tmp_path):
    parts(tmp_path / "in")
    (tmp_path / "open").mkdir()
    shutil.copy(tmp_path / "in" / "part0.pcap", tmp_path / "open")
    os.symlink(tmp_path / "in" / "part1.pcap", tmp_path / "open" / "part1.pcap")
    daemon = daemons(config=f"[files]\nallow = {tmp_path}/open\n")
    for name in (f"{tmp_path}/in/part*.pcap", f"{tmp_path}/in/part0.pcap"):
        result = daemon.ptctl("create", "e", f'RdpcapSource("{name}") > Sink()', "--start")
        assert result.code == 7 and "does not lie in a folder" in result.err, result
    daemon.ok("create", "e", f'RdpcapSource("{tmp_path}/open/*") > QueueSink()', "--start")
    daemon.finish("e")
    assert daemon.call("engine.stats", {"engine": "e"})["blocks"][0]["out"] == 20


# ---- following ----------------------------------------------------------------------------------

def sent(daemon, engine="e"):
    return daemon.call("engine.stats", {"engine": engine})["blocks"][0]["out"]


def test_a_file_that_grows_is_followed_to_its_last_byte(daemon, tmp_path):
    source = capture(tmp_path / "whole.pcap", PACKETS)
    whole = pathlib.Path(source).read_bytes()
    daemon.ok("create", "e", f'RdpcapSource("{tmp_path}/grows.pcap", follow=True) > '
                             f'WrpcapSink("{tmp_path}/out.pcap")', "--start")
    with open(tmp_path / "grows.pcap", "wb", buffering=0) as grows:
        for at in range(0, len(whole), 1013):
            grows.write(whole[at:at + 1013])
    eventually(lambda: sent(daemon) == len(PACKETS))
    assert daemon.call("engine.show", {"engine": "e"})["blocks"][0]["state"] == "running"
    daemon.ok("close", "e.rdpcap_source1")
    daemon.finish("e")
    assert makers.read(tmp_path / "out.pcap") == makers.read(source)


def test_new_files_of_a_glob_and_of_a_name_are_read_once(daemon, tmp_path):
    files = parts(tmp_path / "in")
    (tmp_path / "live").mkdir()
    shutil.copy(files[0], tmp_path / "live" / "x.pcap")
    daemon.ok("create", "e", f'RdpcapSource("{tmp_path}/live/x*", follow=True) > '
                             f'WrpcapSink("{tmp_path}/out.pcap")', "--start")
    eventually(lambda: sent(daemon) == 20)
    shutil.copy(files[1], tmp_path / "live" / "x.2.pcap")
    eventually(lambda: sent(daemon) == 40)
    os.rename(tmp_path / "live" / "x.2.pcap", tmp_path / "live" / "x.3.pcap")
    shutil.copy(files[2], tmp_path / "x.new")
    os.rename(tmp_path / "x.new", tmp_path / "live" / "x.pcap")
    eventually(lambda: sent(daemon) == 60)
    (tmp_path / "live" / "x.9").write_bytes(b"this is no capture at all")
    eventually(lambda: "x.9' is not a capture file" in str(
        daemon.call("engine.show", {"engine": "e"})["blocks"][0]))
    shutil.copy(files[0], tmp_path / "live" / "x.99")
    eventually(lambda: sent(daemon) == 80)
    daemon.ok("close", "e.rdpcap_source1")
    daemon.finish("e")
    subprocess.run(["mergecap", "-a", "-F", "pcap", "-w", tmp_path / "theirs.pcap", *files, files[0]],
                   check=True)
    assert makers.read(tmp_path / "out.pcap") == makers.read(tmp_path / "theirs.pcap")


def test_a_folder_that_comes_later_is_heard_of(daemon, tmp_path):
    source = capture(tmp_path / "in.pcap", PACKETS)
    daemon.ok("create", "e", f'RdpcapSource("{tmp_path}/later/*/deep/*.pcap", follow=True, idle=600) > '
                             'Sink()', "--start")
    for n in range(3):
        (tmp_path / "later" / str(n) / "deep").mkdir(parents=True)
        shutil.copy(source, tmp_path / "later" / str(n) / "deep" / "x.pcap")
        eventually(lambda n=n: sent(daemon) == len(PACKETS) * (n + 1))


def test_what_is_cut_off_is_read_from_its_beginning(daemon, tmp_path):
    source = pathlib.Path(capture(tmp_path / "in.pcap", PACKETS))
    short = pathlib.Path(capture(tmp_path / "short.pcap", PACKETS[:2])).read_bytes()
    daemon.ok("create", "e", f'RdpcapSource("{source}", follow=True) > Sink()', "--start")
    eventually(lambda: sent(daemon) == len(PACKETS))
    source.write_bytes(short)
    eventually(lambda: sent(daemon) == len(PACKETS) + 2)


def test_a_follow_ends_when_nothing_comes(daemon, tmp_path):
    parts(tmp_path / "in")
    daemon.ok("run", f'RdpcapSource("{tmp_path}/in/*", follow=True, idle=0.2) > '
                     f'WrpcapSink("{tmp_path}/out.pcap")')
    assert len(seen(tmp_path / "out.pcap")) == len(PACKETS)


def test_a_follow_hears_what_a_sink_writes(daemon, tmp_path):
    daemon.ok("create", "w", f'CLIFeeder() > WrpcapSink("{tmp_path}/live.pcap", linktype=1)', "--start")
    daemon.ok("create", "e", f'RdpcapSource("{tmp_path}/live.pcap", follow=True) > '
                             'QueueSink()', "--start")
    for n in range(3):
        daemon.ok("send", "w.cli_feeder1", f"packet {n}, of some bytes")
        assert f"packet {n}" in str(daemon.call("block.recv", {
            "engine": "e", "block": "queue_sink1", "timeout_s": 30}))


def test_a_follow_goes_on_over_a_replacement(daemon, tmp_path):
    files = parts(tmp_path / "in")
    shutil.copy(files[0], tmp_path / "x1")
    daemon.ok("create", "e", f'RdpcapSource("{tmp_path}/x*", follow=True) > Sink()', "--start")
    eventually(lambda: sent(daemon) == 20)
    daemon.ok("set", "e.rdpcap_source1", "count=1000")
    shutil.copy(files[1], tmp_path / "x2")
    eventually(lambda: daemon.call("engine.stats", {"engine": "e"})["blocks"][1]["in"] == 40)


# ---- lines --------------------------------------------------------------------------------------

TEXT = b"".join(b"line %d %s\r\n" % (n, b"x" * (n * 37 % 4000)) for n in range(500)) + b"\n\nlast, without"


def lines_of(daemon, names, **more):
    rest = "".join(f", {k}={v!r}" for k, v in more.items())
    return daemon.ok("run", f"FileSource({names!r}{rest}) > RawConsoleSink()").out


@pytest.mark.parametrize("pack", [None, "gzip", "zstd", "lz4"])
def test_lines_are_those_of_the_file(daemon, tmp_path, pack):
    (tmp_path / "a.txt").write_bytes(TEXT)
    (tmp_path / "b.txt").write_bytes(b"of another\n")
    if pack:
        subprocess.run([pack, "-q", tmp_path / "a.txt", "-c"], check=True,
                       stdout=open(tmp_path / "a.packed", "wb"))
    names = [str(tmp_path / ("a.packed" if pack else "a.txt")), f"{tmp_path}/b*"]
    result = daemon.ok("create", "e", f"FileSource({names!r}) > q = QueueSink()", "--start")
    daemon.finish("e")
    got = daemon.call("block.recv", {"engine": "e", "block": "q", "max": 1000})["messages"]
    lines = [m["message"].encode() for m in got]
    assert lines == TEXT.split(b"\n") + [b"of another"], result


def test_blocks_are_the_bytes_of_the_file(daemon, tmp_path):
    data = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(data)
    text = f'FileSource("{tmp_path}/a", by="block", limit=70000) > q = QueueSink()'
    daemon.ok("create", "e", text, "--start")
    daemon.finish("e")
    daemon.ok("run", f'FileSource("{tmp_path}/a", by="block") > '
                     f'TriggerDrain("function(m) return #m > 1048576 end") > Sink()')
    stats = daemon.call("engine.stats", {"engine": "e"})["blocks"]
    assert stats[0]["out"] >= len(data) // 70000


def test_a_line_that_is_too_long_is_left_out_and_counted(daemon, tmp_path):
    (tmp_path / "a").write_bytes(b"one\n" + b"x" * 3_000_000 + b"\ntwo\n" + b"y" * 11 + b"\nthree")
    result = daemon.ptctl("run", f'FileSource("{tmp_path}/a", limit=10) > RawConsoleSink()')
    assert result.out == "one\ntwo\nthree\n" and "2 too-long" in result.err, result
    assert "longer than limit" in result.err and result.code == 1, result


def test_lines_are_followed(daemon, tmp_path):
    with open(tmp_path / "log", "wb", buffering=0) as log:
        log.write(b"1\n2")
        daemon.ok("create", "e", f'f = FileSource("{tmp_path}/log", follow=True); q = QueueSink(); f > q',
                  "--start")
        got = []

        def more(count):
            got.extend(m["message"] for m in daemon.call("block.recv", {
                "engine": "e", "block": "q", "max": count, "timeout_s": 30})["messages"])
            return len(got) >= count

        eventually(lambda: more(1))
        log.write(b"+\n3\n")
        eventually(lambda: more(3))
        os.rename(tmp_path / "log", tmp_path / "log.1")
        log.write(b"4\n")
        (tmp_path / "log").write_bytes(b"5\n6")
        eventually(lambda: more(5))
        daemon.ok("close", "e.f")
        daemon.finish("e")
        eventually(lambda: more(6))
        assert got == ["1", "2+", "3", "4", "5", "6"]


# ---- names with fields --------------------------------------------------------------------------

def hosts(path):
    """Frames by the source of their outer IPv4 header."""
    by = {}
    for frame, source in zip(makers.read(path), makers.tshark(path, "ip.src", arguments=["-E", "occurrence=f"])):
        by.setdefault(source[0] or "none", []).append(frame)
    return by


@pytest.mark.parametrize("more", ["", ", open=1", ", open=3"])
def test_a_file_for_each_host_has_what_tshark_finds(daemon, tmp_path, more):
    source = capture(tmp_path / "in.pcap", [p for _ in range(20) for p in PACKETS])
    daemon.ok("run", f'RdpcapSource("{source}") > WrpcapSink("{tmp_path}/out/by/{{ip.src}}.pcap"{more})')
    files = {p.name.removesuffix(".pcap"): makers.read(p) for p in (tmp_path / "out" / "by").iterdir()}
    assert files == hosts(source)


def test_both_directions_of_a_flow_are_in_one_file(daemon, tmp_path):
    a, b = "10.0.0.1", "10.0.0.2"
    frames = [bytes(Ether() / IP(src=x, dst=y) / TCP(sport=s, dport=d)) for x, y, s, d in
              ((a, b, 1, 2), (b, a, 2, 1), (a, b, 2, 1), (a, b, 1, 2))]
    capture(tmp_path / "in.pcap", [(f, 10 ** 18 + n) for n, f in enumerate(frames)])
    daemon.ok("run", f'RdpcapSource("{tmp_path}/in.pcap") > WrpcapSink("{tmp_path}/out/{{flow}}.pcap")')
    assert {p.name: len(seen(p)) for p in (tmp_path / "out").iterdir()} == {
        f"tcp-{a}.1-{b}.2.pcap": 3, f"tcp-{a}.2-{b}.1.pcap": 1}


def test_names_have_times_tags_canals_and_braces(daemon, tmp_path):
    tagged = bytes(Ether() / Dot1Q(vlan=7) / Dot1Q(vlan=9) / IP() / UDP())
    plain = bytes(Ether() / IP() / UDP())
    hour = 3600 * 10 ** 9
    capture(tmp_path / "in.pcap", [(tagged, 1), (tagged, hour), (plain, hour), (plain, 2 * hour - 1)])
    name = f"{tmp_path}/out/{{time:%Y%m%d-%H}}/{{{{v}}}}{{vlan.id}}-{{canal}}-{{iface}}.pcap"
    daemon.ok("run", f'RdpcapSource("{tmp_path}/in.pcap") > WrpcapSink("{name}")')
    assert {str(p.relative_to(tmp_path / "out")): len(seen(p)) for p in (tmp_path / "out").rglob("*.pcap")} == {
        "19700101-00/{v}7-low-none.pcap": 1, "19700101-01/{v}7-low-none.pcap": 1,
        "19700101-01/{v}none-low-none.pcap": 2}


def test_more_values_than_may_be_go_to_other(daemon, tmp_path):
    source = capture(tmp_path / "in.pcap", PACKETS)
    by = hosts(source)
    result = daemon.ptctl("run", f'RdpcapSource("{source}") > WrpcapSink("{tmp_path}/out/{{ip.src}}.pcap", values=4)')
    files = {p.name.removesuffix(".pcap"): len(seen(p)) for p in (tmp_path / "out").iterdir()}
    assert len(files) == 5 and sum(files.values()) == len(PACKETS) and "other.pcap'" in result.err, result
    assert all(len(by[name]) == count for name, count in files.items() if name != "other")


@pytest.mark.parametrize("name,words", [
    ("{ip.scr}.pcap", "did you mean 'ip.src'"), ("{what}.pcap", "'{what}' is no field"),
    ("{ip.src.pcap", "has a brace that is not closed"), ("{time:}.pcap", "gives no text"),
    ("{}.pcap", "'{}' is no field")])
@pytest.mark.parametrize("sink", ["WrpcapSink", "FileSink"])
def test_fields_that_are_unknown_are_refused(daemon, sink, name, words):
    result = daemon.ptctl("create", "e", f'CLIFeeder() > {sink}("{name}")')
    assert result.code == 1 and words in result.err, result


def test_a_trigger_begins_the_next_file_of_every_value(daemon, tmp_path):
    daemon.ok("create", "e", f'''c = CLIFeeder(); t = TriggerDrain("equals 'next'")
        f = FileSink("{tmp_path}/one.txt", newlines=True); g = FileSink("{tmp_path}/by/{{canal}}.txt")
        w = WrpcapSink("{tmp_path}/w.pcap", linktype=1)
        c > t > f; t > g; t > w; t ^ f; t ^ g; t ^ w''', "--start")
    for text in ("a", "b", "next", "c", "next", "d"):
        daemon.ok("send", "e.c", text)
    daemon.ok("close", "e.c")
    daemon.finish("e")
    texts = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*.txt")}
    assert texts == {"one.txt": "a\nb\n", "one.00001.txt": "next\nc\n", "one.00002.txt": "next\nd\n",
                     "by/low.txt": "ab", "by/low.00001.txt": "nextc", "by/low.00002.txt": "nextd"}
    assert [len(seen(tmp_path / f"w{n}.pcap")) for n in ("", ".00001", ".00002")] == [2, 2, 2]


def test_rotation_counts_for_each_value(daemon, tmp_path):
    source = capture(tmp_path / "in.pcap", [p for _ in range(30) for p in PACKETS])
    daemon.ok("run", f'RdpcapSource("{source}") > WrpcapSink("{tmp_path}/out/{{ip.src}}.pcap", open=2, '
                     'rotate={"size": 3000, "files": 2})')
    for host in hosts(source):
        files = sorted((tmp_path / "out").glob(f"{host}.0*.pcap"))
        assert 1 <= len(files) <= 2 and all(makers.counts(files)), (host, files)
        assert all(p.stat().st_size < 3000 + 65536 for p in files)


def test_more_small_files_than_can_wait_hold_the_source_back(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", [(b"%060d" % n, n) for n in range(1500)])
    name = tmp_path / "{canal}.pcap"
    daemon.ok("run", f'RdpcapSource("{source}") > WrpcapSink("{name}", rotate={{"size": 60}})')
    assert len(list(tmp_path.glob("low.*.pcap"))) == 1500


# ---- FileSink -----------------------------------------------------------------------------------

@pytest.mark.parametrize("name,unpack", [("o", ["cat"]), ("o.gz", ["zcat"]), ("o.zst", ["zstdcat"]),
                                         ("o.lz4", ["lz4", "-dcq"])])
def test_a_file_has_the_bytes_that_came(daemon, tmp_path, name, unpack):
    (tmp_path / "in").write_bytes(TEXT)
    daemon.ok("run", f'FileSource("{tmp_path}/in") > FileSink("{tmp_path}/{name}", newlines=True)')
    daemon.ok("create", "e", f'FileSource("{tmp_path}/in", by="block") > FileSink("{tmp_path}/b{name}")', "--start")
    daemon.finish("e")
    for path, wanted in ((name, TEXT + b"\n"), ("b" + name, TEXT)):
        assert subprocess.run([*unpack, tmp_path / path], check=True, capture_output=True).stdout == wanted


def test_bytes_are_in_the_file_within_a_second_and_go_on_over_a_replacement(daemon, tmp_path):
    out = tmp_path / "out"
    out.write_text("before\n")
    daemon.ok("create", "e", f'c = CLIFeeder(); f = FileSink("{out}", append=True, newlines=True); c > f', "--start")
    daemon.ok("send", "e.c", "one")
    eventually(lambda: out.read_text() == "before\none\n")
    daemon.ok("set", "e.f", "open=9")
    daemon.ok("send", "e.c", "two")
    eventually(lambda: out.read_text() == "before\none\ntwo\n")
    os.rename(out, tmp_path / "away")
    daemon.ok("set", "e.f", f"fname={out}")
    daemon.ok("send", "e.c", "three")
    eventually(lambda: out.exists() and out.read_text() == "three\n")
    assert (tmp_path / "away").read_text() == "before\none\ntwo\n"


def test_one_file_that_cannot_be_written_keeps_no_other_from_it(daemon, tmp_path):
    source = capture(tmp_path / "in.pcap", PACKETS)
    by = hosts(source)
    first = next(iter(by))
    (tmp_path / "out" / f"{first}.pcap").mkdir(parents=True)
    result = daemon.ptctl("run", f'RdpcapSource("{source}") > WrpcapSink("{tmp_path}/out/{{ip.src}}.pcap")')
    assert result.code == 1 and f"{len(by[first])} write-error" in result.err, result
    assert f"'{tmp_path}/out/{first}.pcap' is a folder" in result.err, result
    files = {p.name.removesuffix(".pcap"): makers.read(p) for p in (tmp_path / "out").iterdir() if p.is_file()}
    assert files == {name: frames for name, frames in by.items() if name != first}


def test_a_folder_that_disappears_is_told_and_others_go_on(daemon, tmp_path):
    daemon.ok("create", "e", f'c = CLIFeeder(); f = FileSink("{tmp_path}/{{canal}}/x", open=1); '
                             f'd = CLIHighFeeder(); c > f; d >> f', "--start")
    daemon.ok("send", "e.c", "one")
    eventually(lambda: (tmp_path / "low" / "x").exists() and (tmp_path / "low" / "x").read_text() == "one")
    daemon.ok("send", "e.d", "high")
    eventually(lambda: (tmp_path / "high" / "x").exists())
    shutil.rmtree(tmp_path / "low")
    daemon.ok("send", "e.c", "two")

    def told():
        return "low/x'" in str(daemon.call("engine.show", {"engine": "e"})["blocks"][1])

    eventually(told)
    daemon.ok("send", "e.d", "er")
    eventually(lambda: (tmp_path / "high" / "x").read_text() == "higher")
    assert daemon.call("engine.stats", {"engine": "e"})["unexplained"] == 0


def reload(daemon):
    """Until an engine of a file is there, whose files were opened anew before."""
    name = f"r{len(list(daemon.engines.iterdir()))}"
    (daemon.engines / f"{name}.pipe").write_text("q = QueueSink()\n")
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: daemon.ptctl("show", name).code == 0)


def test_a_file_that_has_failed_is_no_hindrance_to_a_reload(daemon):
    daemon.ok("create", "e", 'c = CLIFeeder(); f = FileSink("/dev/full"); c > f', "--start")
    daemon.ok("send", "e.c", "one")
    eventually(lambda: "space left" in str(daemon.call("engine.show", {"engine": "e"})["blocks"][1]))
    reload(daemon)
    daemon.ok("send", "e.c", "two")
    stats = daemon.call("engine.stats", {"engine": "e"})
    assert stats["blocks"][1]["dropped"]["write-error"] == 2 and stats["unexplained"] == 0, stats


def test_a_reload_begins_the_next_file_of_a_rotation(daemon, tmp_path):
    daemon.ok("create", "e", f"c = CLIFeeder(); f = FileSink('{tmp_path}/x', rotate={{'size': '1MiB'}}); c > f",
              "--start")
    daemon.ok("send", "e.c", "one")
    reload(daemon)
    reload(daemon)  # of an empty one there is no next
    daemon.ok("send", "e.c", "two")
    daemon.ok("stop", "e")
    assert {file.name: file.read_text() for file in tmp_path.glob("x*")} == {"x.00001": "one", "x.00002": "two"}


def test_behind_a_numbered_file_comes_the_next_one(daemon, tmp_path):
    daemon.ok("create", "e", f'c = CLIFeeder(); f = FileSink("{tmp_path}/{{canal}}"); c > f', "--start")
    daemon.ok("send", "e.c", "one")
    daemon.ok("trigger", "e.f")
    daemon.ok("send", "e.c", "two")
    eventually(lambda: (tmp_path / "low.00001").exists() and (tmp_path / "low.00001").read_text() == "two")
    reload(daemon)
    daemon.ok("send", "e.c", "three")
    daemon.ok("close", "e.c")
    daemon.finish("e")
    assert [(tmp_path / f"low{n}").read_text() for n in ("", ".00001", ".00002")] == ["one", "two", "three"]


def test_a_disk_that_fills_leaves_whole_files(daemons, tmp_path):
    if os.getuid() != 0:
        pytest.skip("a full disk needs a mount")
    (tmp_path / "disk").mkdir()
    daemon = daemons(prefix=["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=1m t "$0" && exec "$@"',
                             str(tmp_path / "disk")])
    disk = pathlib.Path(f"/proc/{daemon.process.pid}/root{tmp_path}/disk")
    hosts = [bytes(Ether() / IP(src=f"10.0.0.{n}") / UDP() / (b"x" * 400)) for n in range(64)]
    frames = [(hosts[n % 64], 10 ** 18 + n) for n in range(6400)]
    source = capture(tmp_path / "in.pcap", frames)
    daemon.ok("create", "e", f'RdpcapSource("{source}") > WrpcapSink("{tmp_path}/disk/{{ip.src}}.pcap")',
              "--start")
    daemon.ptctl("stop", "e", "--wait")
    stats = daemon.call("engine.stats", {"engine": "e"})
    assert stats["unexplained"] == 0, stats
    lost = stats["blocks"][1]["dropped"]["write-error"]
    shutil.copytree(disk, tmp_path / "copy")
    assert "no space left on device" in daemon.log().lower()
    assert 0 < sum(makers.counts(list((tmp_path / "copy").iterdir()))) == len(frames) - lost
