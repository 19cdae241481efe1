# SPDX-License-Identifier: BSD-2-Clause
"""Several files as one, files that grow, and files by the names of fields."""
import os
import pathlib
import shutil
import subprocess

import pytest

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
