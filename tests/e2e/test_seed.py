# SPDX-License-Identifier: BSD-2-Clause
"""The examples of Scapy's document, typed as they stand there but for syntax."""
import subprocess

from scapy.all import ARP, IP, TCP, UDP, Ether, rdpcap, wrpcap

import makers  # noqa: F401: frames without a destination ask nobody
from conftest import eventually, program


def test_the_second_example_prints_what_it_prints_there(daemon, tmp_path):
    daemon.ok("create", "p",
              's = CLIFeeder(); s2 = CLIHighFeeder(); d1 = Drain(); d2 = TransformDrain("reverse");'
              ' si1 = ConsoleSink(); si2 = QueueSink()',
              's > d1 > si1; d1 > si2; s2 >> d1 >> d2 >> si1', '--start')
    with open(tmp_path / "attached", "wb") as out:
        attached = subprocess.Popen([program("ptctl"), "-s", daemon.socket, "attach", "p"],
                                    stdin=subprocess.DEVNULL, stdout=out)
    try:
        def printed():
            return (tmp_path / "attached").read_text()

        def attach_is_there():  # nothing tells that it has begun: send until it is seen
            daemon.ok("send", "p.s2", "probe")
            return "eborp" in printed()
        eventually(attach_is_there)
        before = len(printed())
        daemon.ok("send", "p.s", "foo")
        daemon.ok("send", "p.s2", "bar")
        daemon.ok("send", "p.s", "i like potato")
        eventually(lambda: "potato" in printed())
        lines = [line for line in printed().splitlines() if "eborp" not in line]
        assert lines == [">'foo'", ">>'rab'", ">'i like potato'"], printed()[before:]
        assert daemon.ok("recv", "p.si2", "-n", "2") == "foo\ni like potato\n"
    finally:
        attached.terminate()
        attached.wait()
    assert ">'foo'\n>>'rab'\n>'i like potato'\n" in daemon.printed()


def test_attach_ends_quietly_when_interrupted(daemon):
    daemon.create("p", "s = CLIFeeder(); s > ConsoleSink()")
    attached = subprocess.Popen([program("ptctl"), "-s", daemon.socket, "attach", "p"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def is_attached():
        daemon.ok("send", "p.s", "probe")
        import select
        return select.select([attached.stdout], [], [], 0.05)[0]
    eventually(is_attached)
    attached.send_signal(2)
    _, err = attached.communicate(timeout=20)
    assert attached.returncode in (0, 130) and err == b""


def test_the_first_example_without_a_display(daemon, tmp_path):
    packets = [Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / b"one",
               Ether() / ARP(psrc="10.0.0.1", pdst="10.0.0.2"),
               Ether() / IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=3, dport=4) / b"two"]
    wrpcap(str(tmp_path / "in.pcap"), packets)
    daemon.ok("create", "demo",
              'source = RdpcapSource("in.pcap")',
              'wire = WrpcapSink("out.pcap")',
              '''source > TransformDrain("set{['ip.src']='1.1.1.1', ['ip.dst']='2.2.2.2'}") > wire''',
              "--start", cwd=tmp_path)
    daemon.finish("demo")
    out = rdpcap(str(tmp_path / "out.pcap"))
    assert len(out) == 3
    assert [(p[IP].src, p[IP].dst) for p in out if IP in p] == [("1.1.1.1", "2.2.2.2")] * 2
    assert bytes(out[1]) == bytes(packets[1]) and out[1].psrc == "10.0.0.1"


def test_the_same_as_a_script(daemon, tmp_path):
    packets = [Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP() / b"one",
               Ether() / ARP(psrc="10.0.0.1")]
    wrpcap(str(tmp_path / "in.pcap"), packets)
    daemon.ok("run", """RdpcapSource("in.pcap") > TransformDrain('''function(p)
        if p.ip then p.ip.src = "1.1.1.1"; p.ip.dst = "2.2.2.2" end
        return p
    end''') > WrpcapSink("out.pcap")""", cwd=tmp_path)
    out = rdpcap(str(tmp_path / "out.pcap"))
    expected = packets[0].copy()
    expected[IP].src, expected[IP].dst = "1.1.1.1", "2.2.2.2"
    assert bytes(out[0]) == bytes(expected) and bytes(out[1]) == bytes(packets[1])


def test_a_source_with_several_drains(daemon):
    daemon.create("p", """
        s = CLIFeeder(); q = QueueSink()
        s > UpDrain() >> q
        s > TransformDrain("upper") > q
        s > q""")
    daemon.ok("send", "p.s", "abc")
    client = daemon.client()
    assert [(m["message"], m["canal"]) for m in client.recv("p", "q", 3)] == \
        [("abc", "high"), ("ABC", "low"), ("abc", "low")]


def test_up_and_down(daemon):
    daemon.create("p", "l = CLIFeeder(); h = CLIHighFeeder(); q = QueueSink()",
                  "l > UpDrain() >> q; h >> DownDrain() > q")
    daemon.ok("send", "p.l", "up")
    daemon.ok("send", "p.h", "down")
    assert [(m["message"], m["canal"]) for m in daemon.client().recv("p", "q", 2)] == \
        [("up", "high"), ("down", "low")]


def test_a_feeder_that_is_closed_lets_the_engine_stop_cleanly(daemon):
    daemon.create("p", "s = CLIFeeder(); s > QueueSink(name='q')")
    daemon.ok("send", "p.s", "last")
    daemon.ok("close", "p.s")
    daemon.finish("p")
    assert daemon.ok("recv", "p.q") == "last\n"


def test_a_periodic_source_repeats_its_messages(daemon):
    daemon.create("p", 's = PeriodicSource(["a", "b"], 0.01); q = QueueSink(); s > q')
    assert daemon.client().texts("p", "q", 5) == ["a", "b", "a", "b", "a"]


def test_help_shows_the_picture(daemon):
    out = daemon.ok("help", "ConsoleSink")
    assert "ConsoleSink" in out and ">>-|" in out.replace(" ", "") and ">-|" in out
