# SPDX-License-Identifier: BSD-2-Clause
"""NatsSink and NatsSource, with a nats-server of the test's own."""
import os
import shutil
import signal
import struct
import subprocess

import pytest
from scapy.all import IP, UDP, Ether, Raw

from conftest import DEADLINE, eventually, nats_plugin, program, sanitizer
from nats_side import Nats, Server, packets

pytestmark = pytest.mark.skipif(not (nats_plugin() and shutil.which("nats-server")),
                                reason="libnats or nats-server is not there")


@pytest.fixture
def servers(tmp_path):
    made = []

    def make(config="", **more):
        server = Server(tmp_path / f"nats{len(made)}", config, **more)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def server(servers):
    """One with a stream for `p.>`."""
    made = servers()
    with Nats(made) as nats:
        nats.stream("s", "p.>")
    return made


@pytest.fixture
def daemon(daemons):
    return daemons(plugins=nats_plugin())


def a_packet(number, size=30):
    flow = number % 7
    return bytes(Ether() / IP(src=f"10.0.0.{flow + 1}", dst="10.0.1.1")
                 / UDP(sport=1000 + flow, dport=53) / Raw(struct.pack("!I", number))) + bytes(size)


def number_of(packet):
    return struct.unpack_from("!I", packet, 42)[0]


HEAD = struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1)


def records(numbers, size=30):
    """Of a pcap of nanoseconds: packet n is of the n-th."""
    for n in numbers:
        packet = a_packet(n, size)
        yield struct.pack("<IIII", 1, n, len(packet), len(packet)) + packet


def a_capture(path, numbers, size=30):
    path.write_bytes(HEAD + b"".join(records(numbers, size)))
    return path


class Feed:
    """A FIFO that a source reads, and that is written to as the test goes."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)

    def open(self):
        self.writer = open(self.path, "wb", buffering=0)
        self.writer.write(HEAD)

    def send(self, numbers, size=30):
        for record in records(numbers, size):
            self.writer.write(record)

    def close(self):
        self.writer.close()


@pytest.fixture
def feed(tmp_path):
    return Feed(tmp_path / "feed")


def stored(server, **who):
    """The numbers of all packets in the stream, by subject and in order."""
    got = {}
    with Nats(server, **who) as nats:
        for subject, _, data in nats.messages("s"):
            got.setdefault(subject, []).extend(number_of(packet) for _, packet in packets(data))
    return got


def in_order(server, numbers, **who):
    """Every packet is there once, and those of a flow are in one subject, in order."""
    got, seen = stored(server, **who), {}
    assert sorted(n for part in got.values() for n in part) == sorted(numbers)
    for subject, part in got.items():
        for n in part:
            where, last = seen.get(n % 7, (subject, -1))
            assert where == subject and n > last, (subject, n)
            seen[n % 7] = (subject, n)
    return got


def block(rpc, name="s"):
    stats = rpc.stats("p")
    assert stats["unexplained"] == 0, stats
    return next(b for b in stats["blocks"] if b["name"] == name)


def to_nats(source, url, more="", subject="p.x"):
    return f"r = RdpcapSource('{source}'); s = NatsSink('{url}', '{subject}'{more}); r > s"


def test_each_packet_is_stored_once_and_flows_stay_in_order(daemon, server, tmp_path):
    a_capture(tmp_path / "in.pcap", range(700))
    daemon.create("p", to_nats(tmp_path / "in.pcap", server.url, ", partitions=3, batch='4KiB'",
                               "p.{partition}"))
    daemon.finish("p")
    with daemon.client() as rpc:
        sink = block(rpc)
        assert (sink["in"], sink["out"], sink["held"], sink["dropped"]) == (700, 700, 0, {})
    assert len(in_order(server, range(700))) > 1
    with Nats(server) as nats:
        for _, headers, data in nats.messages("s"):
            assert "Nats-Msg-Id: " in headers and len(data) <= 4096
            assert all(time == 1000000000 + number_of(packet) for time, packet in packets(data))


def test_what_is_no_packet_or_too_long_is_dropped_and_no_limit_is_passed(daemon, servers, tmp_path):
    server = servers("max_payload: 8192")
    with Nats(server) as nats:
        nats.stream("s", "p.>")
    a_capture(tmp_path / "in.pcap", range(300))
    daemon.create("p", f"r = RdpcapSource('{tmp_path}/in.pcap'); f = CLIFeeder();"
                       f"s = NatsSink('{server.url}', 'p.x'); r > s; f > s")
    daemon.ok("send", "p.f", "no packet")
    daemon.ok("close", "p.f")
    daemon.finish("p")
    with daemon.client() as rpc:
        sink = block(rpc)
        assert sink["out"] == 300 and sink["dropped"] == {"link-type": 1}
    in_order(server, range(300))
    with Nats(server) as nats:
        sizes = [len(data) for _, _, data in nats.messages("s")]
    assert len(sizes) > 3 and max(sizes) <= 8192


@pytest.mark.parametrize("config, jetstream, url, words", [
    ("", False, "nats://127.0.0.1:{port}", "the server has no JetStream"),
    ("", True, "nats://127.0.0.1:{port}", "no stream takes 'p.x'"),
    ("accounts {{ A {{ users: [{{user: a, password: secret}}] }} }}\nno_auth_user: a", True,
     "nats://127.0.0.1:{port}", "the server has no JetStream for this account"),
    ("authorization {{ user: a, password: other }}", True, "nats://127.0.0.1:{port}", "refuses"),
    ("authorization {{ users: [{{user: a, password: b, permissions: {{publish: 'q.>'}}}}] }}\n"
     "no_auth_user: a", True, "nats://127.0.0.1:{port}", "does not let us publish to 'p.x'"),
], ids=["no-jetstream", "no-stream", "account", "password", "right"])
def test_what_is_missing_fails_the_start(daemon, servers, tmp_path, config, jetstream, url, words):
    server = servers(config.replace("{{", "{").replace("}}", "}"), jetstream=jetstream)
    a_capture(tmp_path / "in.pcap", range(3))
    daemon.create("p", to_nats(tmp_path / "in.pcap", url.format(port=server.port)), start=False)
    refused = daemon.ptctl("start", "p")
    assert refused.code == 1 and words in refused.err, refused.err
    assert daemon.call("engine.show", {"engine": "p"})["state"] == "stopped"


def rights(publish):
    return ("authorization { users: [{user: a, password: b, permissions: {publish: " + publish
            + "}}, {user: all, password: b}] }\nno_auth_user: a")


def test_a_right_that_is_taken_away_is_told_and_waited_for(daemon, servers, feed):
    server = servers(rights("['p.>', '$JS.API.>']"))
    with Nats(server) as nats:
        nats.stream("s", "p.>")
    daemon.create("p", to_nats(feed.path, server.url, ", partitions=2, linger='1ms'", "p.{partition}"))
    feed.open()
    with daemon.client() as rpc:
        server.reload(rights("['p.0', '$JS.API.>']"))
        for n in range(50):  # one by one, so that what is let through is answered many times
            feed.send(range(n * 7, n * 7 + 7))
            eventually(lambda: 0 < block(rpc)["held"] < block(rpc)["in"] == n * 7 + 7)
        said = block(rpc)["last_error"]
        assert "'p.1' is not stored: " in said and 'Publish to "p.1"' in said
        assert rpc.show("p", "s")["state"] == "failed"
        assert server.log().count("Publish Violation") < 100, "it is tried again, but not at once"
        server.reload(rights("['p.>', '$JS.API.>']"))
        eventually(lambda: block(rpc)["held"] == 0)
        eventually(lambda: rpc.show("p", "s")["state"] == "running")
        assert daemon.log().count("is not stored") == 1
    feed.close()
    in_order(server, range(350))


def test_what_says_who_one_is_stays_out_of_sight(daemon, servers, tmp_path):
    server = servers("authorization { user: me, password: geheim }")
    who = {"user": "me", "pass": "geheim"}
    with Nats(server, **who) as nats:
        nats.stream("s", "p.>")
    a_capture(tmp_path / "in.pcap", range(5))
    (tmp_path / "who").write_text("# who\nuser = me\npassword = geheim\n")
    url = f"nats://me:geheim@127.0.0.1:{server.port}"
    refused = daemon.ptctl("create", "p", to_nats(tmp_path / "in.pcap", url))
    assert refused.code == 1 and "credentials" in refused.err
    with daemon.client() as rpc:  # what is answered, beside the line that was typed
        error = rpc.refused("engine.create", engine="p", blocks=[
            {"name": "s", "type": "NatsSink", "params": {"url": url, "subject": "p.x"}}])
        assert error.path == "$.blocks[0].params.url" and "geheim" not in str(error)
    daemon.create("p", to_nats(tmp_path / "in.pcap", server.url, f", credentials='{tmp_path}/who'"))
    daemon.finish("p")
    in_order(server, range(5), **who)
    (tmp_path / "who").write_text("user = me\nsesame\n")
    refused = daemon.ptctl("start", "p")
    assert refused.code == 1 and "has a line that is not" in refused.err and "sesame" not in refused.err
    assert "geheim" not in daemon.ok("export", "p") + daemon.log()


def test_a_password_that_was_changed_is_read_anew(daemon, servers, feed, tmp_path):
    """By the server first, and then in the file."""
    server = servers("authorization { user: me, password: old }")
    with Nats(server, user="me", **{"pass": "old"}) as nats:
        nats.stream("s", "p.>")
    (tmp_path / "who").write_text("user = me\npassword = old\n")
    daemon.create("p", to_nats(feed.path, server.url, f", credentials='{tmp_path}/who'"))
    feed.open()
    feed.send(range(10))
    with daemon.client() as rpc:
        eventually(lambda: block(rpc)["out"] == 10)
        server.reload("authorization { user: me, password: new }")
        eventually(lambda: "refuses" in (block(rpc)["last_error"] or ""))
        feed.send(range(10, 20))
        (tmp_path / "who").write_text("user = me\npassword = new\n")
        eventually(lambda: block(rpc)["out"] == 20 and rpc.show("p", "s")["state"] == "running")
    feed.close()
    in_order(server, range(20), user="me", **{"pass": "new"})


def test_a_server_that_is_away_is_waited_for_and_shown(daemon, servers, tmp_path):
    server = servers("max_payload: 4096", start=False)
    a_capture(tmp_path / "in.pcap", range(400))
    daemon.create("p", to_nats(tmp_path / "in.pcap", f"{server.url},127.0.0.1:1"))
    with daemon.client() as rpc:
        eventually(lambda: rpc.show("p", "s")["state"] == "failed")
        assert "no server answers at nats://127.0.0.1:" in block(rpc)["last_error"]
        eventually(lambda: block(rpc)["held"] == 400)
        daemon.ok("set", "p.s", "batch=2KiB")
        assert block(rpc)["held"] == 400, "what waits goes on with the block that takes its place"
        server.start()
        eventually(lambda: "no stream takes 'p.x'" in (block(rpc)["last_error"] or ""))
        with Nats(server) as nats:
            nats.stream("s", "p.>")
        eventually(lambda: block(rpc)["out"] == 400)
        eventually(lambda: rpc.show("p", "s")["state"] == "running")
        assert rpc.show("p", "s")["now"]["server"].endswith(f":{server.port}")
    in_order(server, range(400))
    with Nats(server) as nats:
        assert max(len(data) for _, _, data in nats.messages("s")) <= 4096


def test_a_run_waits_for_a_server_that_is_away(daemon, servers, feed):
    server = servers(start=False)
    run = subprocess.Popen([program("ptctl"), "-s", daemon.socket, "run", to_nats(feed.path, server.url)],
                           stderr=subprocess.PIPE, text=True)
    try:
        feed.open()
        feed.send(range(20))
        with daemon.client() as rpc:
            name = eventually(lambda: rpc.call("engine.list")["engines"])[0]["engine"]
            eventually(lambda: rpc.show(name, "s")["state"] == "failed")
            server.start()
            with Nats(server) as nats:
                nats.stream("s", "p.>")
            eventually(lambda: rpc.stats(name, "s")["out"] == 20)
        feed.close()
        assert run.communicate(timeout=DEADLINE) == (None, "20 in, 20 out\n") and run.returncode == 0
    finally:
        run.kill()
        run.wait()
    in_order(server, range(20))


def test_a_server_that_is_killed_costs_no_packet_and_none_comes_twice(daemon, server, feed):
    daemon.create("p", to_nats(feed.path, server.url, ", partitions=2, batch='1KiB', linger='1ms'",
                               "p.{partition}"))
    feed.open()
    with daemon.client() as rpc:
        for turn in range(3):
            feed.send(range(200 * turn, 200 * turn + 100))
            eventually(lambda: block(rpc)["out"] > 200 * turn)
            server.kill()
            feed.send(range(200 * turn + 100, 200 * turn + 200))
            eventually(lambda: block(rpc)["in"] == 200 * (turn + 1) and block(rpc)["held"])
            server.start()
            eventually(lambda: block(rpc)["held"] == 0)
    feed.close()
    daemon.finish("p")
    in_order(server, range(600))


@pytest.mark.skipif(not os.environ.get("PIPETOOL_LONG"), reason="an answer is waited for 5 s: PIPETOOL_LONG=1")
def test_a_server_that_says_nothing_is_told(daemon, server, feed):
    """As one does that finds no majority; what was sent is stored once all the same."""
    daemon.create("p", to_nats(feed.path, server.url, ", linger='1ms'"))
    feed.open()
    feed.send(range(10))
    with daemon.client() as rpc:
        eventually(lambda: block(rpc)["out"] == 10)
        server.process.send_signal(signal.SIGSTOP)
        feed.send(range(10, 20))
        eventually(lambda: "'p.x' is not stored: no answer came within 5 s" in (block(rpc)["last_error"] or ""))
        server.process.send_signal(signal.SIGCONT)
        eventually(lambda: block(rpc)["out"] == 20 and rpc.show("p", "s")["state"] == "running")
    feed.close()
    in_order(server, range(20))


def test_a_stop_waits_for_what_can_come_and_counts_what_cannot(daemon, servers, feed):
    server = servers()
    with Nats(server) as nats:
        nats.stream("s", "p.>")
    daemon.create("p", to_nats(feed.path, server.url, ", linger='1h'"))
    feed.open()
    feed.send(range(10))
    with daemon.client() as rpc:
        eventually(lambda: block(rpc)["held"] == 10)
        daemon.ok("stop", "p")
        assert block(rpc)["out"] == 10
        in_order(server, range(10))
        feed.close()
        server.kill()
        daemon.ok("start", "p")
        feed.open()
        feed.send(range(5))
        eventually(lambda: block(rpc)["held"] == 5)
        daemon.ok("stop", "p")
        assert block(rpc)["out"] == 10 and block(rpc)["dropped"] == {"unsent": 5}
        feed.close()


def spooled(rpc):
    return rpc.show("p", "s")["now"]["spooled"]


def test_what_waits_for_a_server_lies_in_the_spool_also_after_a_kill(daemon, servers, feed, tmp_path):
    server = servers(start=False)
    daemon.create("p", to_nats(feed.path, server.url, f", spool='{tmp_path}/spool', partitions=2, batch='1KiB'",
                               "p.{partition}"))
    feed.open()
    feed.send(range(300))
    with daemon.client() as rpc:
        eventually(lambda: spooled(rpc) == 300)
        assert block(rpc)["held"] == 300
    daemon.kill()
    daemon.start()
    with daemon.client() as rpc:
        assert block(rpc)["held"] == 300 and spooled(rpc) == 300
        feed.open()
        feed.send(range(300, 400))
        eventually(lambda: block(rpc)["held"] == 400)
        daemon.ok("stop", "p")
        assert block(rpc)["held"] == 400, "a stop takes what was in memory there"
        server.start()
        with Nats(server) as nats:
            nats.stream("s", "p.>")
        daemon.ok("start", "p")
        eventually(lambda: block(rpc)["held"] == 0)
    in_order(server, range(400))
    assert not list((tmp_path / "spool").glob("*.spool")), "what is done with is gone"


def test_the_spool_of_a_file_lies_in_the_state_folder_and_that_of_a_text_where_one_is(daemon, servers, tmp_path):
    server = servers(start=False)
    a_capture(tmp_path / "in.pcap", range(3))
    (daemon.engines / "of_file.pipe").write_text(to_nats(tmp_path / "in.pcap", server.url, ", spool='mine'"))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.ok("create", "of_text", to_nats("in.pcap", server.url, ", spool='mine'"), "--start", cwd=tmp_path)
    for folder in (daemon.state, tmp_path):
        eventually(lambda folder=folder: (folder / "mine" / "lock").exists())
    assert not (daemon.engines / "mine").exists()


def test_a_spool_that_is_full_holds_the_sources_back(daemon, servers, tmp_path):
    server = servers(start=False)
    a_capture(tmp_path / "in.pcap", range(130), size=200000)  # the limit and 16 MiB on top
    more = f", spool='{tmp_path}/spool', batch='1MiB'"
    daemon.create("p", to_nats(tmp_path / "in.pcap", server.url, more + ", spool_limit='3MiB'"))
    with daemon.client() as rpc:
        eventually(lambda: 0 < spooled(rpc) < 16 and next(
            b["waits_for"] for b in rpc.stats("p")["blocks"] if b["name"] == "r") == ["s"])
        other = daemon.ptctl("create", "other", "--start", to_nats(tmp_path / "in.pcap", server.url, more))
        assert other.code == 1 and "is in use by another block" in other.err
        daemon.ok("set", "p.s", "spool_limit=1GiB")
        eventually(lambda: spooled(rpc) == 130)
        server.start()
        with Nats(server) as nats:
            nats.stream("s", "p.>")
        eventually(lambda: block(rpc)["out"] == 130)
    in_order(server, range(130))


def test_a_full_spool_is_told_once_also_while_it_gets_emptier(daemon, servers, tmp_path):
    server = servers(start=False)
    a_capture(tmp_path / "in.pcap", range(180), size=200000)
    daemon.create("p", to_nats(tmp_path / "in.pcap", server.url,
                               f", spool='{tmp_path}/spool', batch='256KiB', spool_limit='17MiB'"))
    with daemon.client() as rpc:
        eventually(lambda: "the spool is full" in (block(rpc)["last_error"] or ""))
        eventually(lambda: next(b["waits_for"] for b in rpc.stats("p")["blocks"] if b["name"] == "r") == ["s"])
        server.start()
        with Nats(server) as nats:
            nats.stream("s", "p.>")
        eventually(lambda: block(rpc)["out"] == 180)
        eventually(lambda: rpc.show("p", "s")["state"] == "running")
    assert daemon.log().count("the spool is full") == 1
    in_order(server, range(180))


def test_a_spool_that_is_damaged_gives_the_rest(daemon, servers, feed, tmp_path):
    """In the middle, and where it was torn."""
    server = servers(start=False)
    daemon.create("p", to_nats(feed.path, server.url, f", spool='{tmp_path}/spool', batch='1KiB'"))
    feed.open()
    feed.send(range(100))
    with daemon.client() as rpc:
        eventually(lambda: spooled(rpc) == 100)
    daemon.kill()
    (file,) = (tmp_path / "spool").glob("*.spool")
    with open(file, "r+b") as torn:
        torn.truncate(file.stat().st_size - 100)
        torn.seek(file.stat().st_size // 2)
        torn.write(bytes(16))
    server.start()
    with Nats(server) as nats:
        nats.stream("s", "p.>")
    daemon.start()
    with daemon.client() as rpc:
        eventually(lambda: block(rpc)["out"] and not block(rpc)["held"])
        rest = block(rpc)["out"]
    got = sorted(n for part in stored(server).values() for n in part)
    missing = sorted(set(range(100)) - set(got))
    assert len(got) == rest and 60 < rest < 100 and missing[0] < 60 and missing[-1] == 99 and {0, 80} <= set(got), missing
    assert f"1 files in '{tmp_path}/spool' were damaged: that part is left out" in daemon.log()
    in_order(server, got)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Of an authority, and of the server by that."""
    folder = tmp_path_factory.mktemp("tls")
    for command in (
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem "
            "-days 2 -subj /CN=authority",
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out request "
            "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1",
            "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy -days 2 "
            "-out cert.pem"):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.skipif(sanitizer() == "tsan", reason="libnats reads and writes one TLS connection on two threads")
def test_what_is_encrypted_is_so_both_ways(daemon, servers, certificates, tmp_path):
    files = {name: f"{certificates}/{name}.pem" for name in ("ca", "cert", "key")}
    config = ('tls {{ cert_file: "{cert}", key_file: "{key}", ca_file: "{ca}", verify: {verify} }}')
    server = servers(config.format(**files, verify="false"))
    a_capture(tmp_path / "in.pcap", range(5))
    refused = daemon.ptctl("create", "p", "--start", to_nats(tmp_path / "in.pcap", server.url))
    assert refused.code == 1 and "refuses" in refused.err and "tls" in refused.err, refused
    ca = f", tls={{'ca': '{files['ca']}'}}"
    refused = daemon.ptctl("create", "p", "--start", to_nats(tmp_path / "in.pcap", server.url, ca))
    assert refused.code == 1 and "no stream takes 'p.x'" in refused.err, refused
    strict = servers(config.format(**files, verify="true"))
    refused = daemon.ptctl("create", "p", "--start", to_nats(tmp_path / "in.pcap", strict.url, ca))
    assert refused.code == 1 and "no stream" not in refused.err, refused
    tls = ", tls={" + ", ".join(f"'{name}': '{path}'" for name, path in files.items()) + "}"
    refused = daemon.ptctl("create", "p", "--start", to_nats(tmp_path / "in.pcap", strict.url, tls))
    assert refused.code == 1 and "no stream takes 'p.x'" in refused.err, refused


# ---- NatsSource ---------------------------------------------------------------------------------

def pending(nats, consumer="c"):
    """Of a consumer: what is not acknowledged, and what it has not been given. It may be gone for a moment."""
    def found():
        answer = nats.request(f"$JS.API.CONSUMER.INFO.s.{consumer}", b"")
        return answer if "error" not in answer else None
    info = eventually(found)
    return info["num_ack_pending"], info["num_pending"]


def filled(server, tmp_path, daemon, numbers, batch="1KiB"):
    """Puts packets into the stream."""
    a_capture(tmp_path / "filled.pcap", numbers)
    daemon.create("fill", to_nats(tmp_path / "filled.pcap", server.url, f", batch='{batch}'"))
    daemon.finish("fill")
    daemon.ok("destroy", "fill")


def from_nats(url, *sinks, more=", consumer='c'"):
    return f"n = NatsSource('{url}', 's'{more}); " + "; ".join(f"n > {sink}" for sink in sinks)


def numbers_in(path):
    return [number_of(packet) for _, packet in packets(path.read_bytes())]


def test_a_stream_comes_in_order_and_is_acknowledged_when_it_is_written(daemon, server, tmp_path):
    filled(server, tmp_path, daemon, range(300))
    daemon.create("p", from_nats(server.url, f"WrpcapSink('{tmp_path}/out.pcapng')", "QueueSink()", more=""))
    with daemon.client() as rpc, Nats(server) as nats:
        eventually(lambda: block(rpc, "n")["out"] == 300)
        eventually(lambda: pending(nats, "p-n") == (0, 0))
        assert numbers_in(tmp_path / "out.pcapng") == list(range(300)), "it is in the file when it is acknowledged"
        filled(server, tmp_path, daemon, range(300, 400))
        eventually(lambda: block(rpc, "n")["out"] == 400)
        daemon.ok("stop", "p")
        assert pending(nats, "p-n") == (0, 0)
    assert numbers_in(tmp_path / "out.pcapng") == list(range(400))


def test_what_is_no_capture_is_an_error_and_never_comes_again(daemon, server, tmp_path):
    with Nats(server) as nats:
        nats.request("p.x", b"no capture", {"Status": "409"})  # which is not the server's
        filled(server, tmp_path, daemon, range(20))
        nats.request("p.x", b"")
        daemon.create("p", from_nats(server.url, "QueueSink()"))
        with daemon.client() as rpc:
            eventually(lambda: block(rpc, "n")["dropped"] == {"error": 2} and block(rpc, "n")["out"] == 20)
            eventually(lambda: pending(nats) == (0, 0))
            daemon.ok("stop", "p")
            daemon.ok("start", "p")
            filled(server, tmp_path, daemon, range(20, 30))
            eventually(lambda: block(rpc, "n")["out"] == 30)
            assert block(rpc, "n")["dropped"] == {"error": 2}


def test_a_stop_gives_back_what_is_not_acknowledged(daemon, server, tmp_path):
    filled(server, tmp_path, daemon, range(200))
    daemon.create("p", from_nats(server.url, "v > QueueSink(limit=1, overflow='block')").replace(
        "n = ", "v = Drain(); n = "))
    with daemon.client() as rpc, Nats(server) as nats:
        eventually(lambda: block(rpc, "n")["waits_for"] and rpc.show("p", "n")["now"]["waiting"])
        daemon.ok("stop", "p")
        had = block(rpc, "n")["out"]
        daemon.create("q", from_nats(server.url, f"WrpcapSink('{tmp_path}/out.pcapng')"))
        eventually(lambda: pending(nats) == (0, 0))
        daemon.ok("stop", "q")
    assert had < 200 and set(range(had, 200)) <= set(numbers_in(tmp_path / "out.pcapng"))


def test_a_start_that_is_refused_takes_nothing(daemon, server, tmp_path):
    filled(server, tmp_path, daemon, range(200))
    with Nats(server) as nats:
        for _ in range(5):
            refused = daemon.ptctl("create", "p", "--start", from_nats(
                server.url, f"NatsSink('{server.url}', 'q')"))
            assert refused.code == 1 and "no stream takes 'q'" in refused.err, refused
            held, left = pending(nats)
            assert held == 0 and left, "nobody would get it before 30 s are over"


@pytest.mark.parametrize("config, jetstream, words", [
    ("", False, "the server has no JetStream"),
    ("", True, "there is no stream 's'"),
    ("authorization { users: [{user: a, password: b, permissions: {publish: 'q.>'}}] }\nno_auth_user: a",
     True, "does not let us use consumer 'c' of 's'"),
], ids=["no-jetstream", "no-stream", "right"])
def test_what_a_source_lacks_fails_the_start(daemon, servers, config, jetstream, words):
    server = servers(config, jetstream=jetstream)
    refused = daemon.ptctl("create", "p", "--start", from_nats(server.url, "Sink()"))
    assert refused.code == 1 and words in refused.err, refused


def test_a_source_that_may_not_ask_says_so(daemon, servers):
    server = servers(rights("['$JS.API.STREAM.>', '$JS.API.CONSUMER.INFO.>', '$JS.API.CONSUMER.DURABLE.>']"))
    with Nats(server) as nats:
        nats.stream("s", "p.>")
    daemon.create("p", from_nats(server.url, "Sink()"))
    with daemon.client() as rpc:
        eventually(lambda: rpc.show("p", "n")["state"] == "failed")
        assert 'Publish to "$JS.API.CONSUMER.MSG.NEXT.s.c"' in block(rpc, "n")["last_error"]
    assert server.log().count("Publish Violation") < 10


def test_a_source_waits_for_its_server_and_goes_on_after_a_crash_of_either(daemon, servers, tmp_path):
    server = servers(start=False)
    daemon.create("p", from_nats(server.url, f"WrpcapSink('{tmp_path}/out.pcapng')"))
    with daemon.client() as rpc:
        eventually(lambda: "no server answers" in (block(rpc, "n")["last_error"] or ""))
        server.start()
        with Nats(server) as nats:
            nats.stream("s", "p.>")
        filled(server, tmp_path, daemon, range(100))
        eventually(lambda: block(rpc, "n")["out"] == 100)
        server.kill()
        eventually(lambda: rpc.show("p", "n")["state"] == "failed")
        server.start()
        filled(server, tmp_path, daemon, range(100, 200))
        eventually(lambda: block(rpc, "n")["out"] >= 200)
        daemon.ok("stop", "p")
    assert set(numbers_in(tmp_path / "out.pcapng")) == set(range(200))


def test_the_end_of_a_source_does_not_wait_for_a_server_that_is_away(daemon, server):
    daemon.create("p", from_nats(server.url, "Sink()"))
    with daemon.client() as rpc:
        server.kill()
        eventually(lambda: rpc.show("p", "n")["state"] == "failed")
    daemon.stop()  # which fails where engines do not end in 10 s


def test_sink_and_source_together_are_a_pipe(daemon, server, tmp_path):
    with Nats(server) as nats:
        nats.stream("t", "t.>")
        filled(server, tmp_path, daemon, range(150))
        daemon.create("p", from_nats(server.url, f"NatsSink('{server.url}', 't.x', linger='1h')"))
        eventually(lambda: pending(nats) == (0, 0))
        got = [number_of(packet) for _, _, data in nats.messages("t") for _, packet in packets(data)]
        assert got == list(range(150)), "acknowledged when the other stream has it"
