# SPDX-License-Identifier: BSD-2-Clause
"""Packets rewritten: Scapy's own rewriting and tshark's checksum validation are the judges."""
import ipaddress
import itertools
import random
import struct

import pytest
from scapy.all import (GRE, ICMP, IP, SCTP, TCP, UDP, VXLAN, Dot1Q, Ether, IPv6, IPv6ExtHdrFragment,
                       IPv6ExtHdrRouting, Raw, SCTPChunkData, fragment, fragment6)
from scapy.contrib.mpls import MPLS

import makers

NEW = {"ip_src": "1.1.1.1", "ip_dst": "2.2.2.2", "ip_ttl": 9, "ip6_src": "2001:db8::1",
       "ip6_dst": "2001:db8::2", "tcp_dport": 443, "udp_sport": 5353, "vlan_id": 77}


def setting(fields):
    """set{…} in the function language."""
    rows = (f"['{name.replace('_', '.')}']={value!r}" for name, value in fields.items())
    return "set{" + ", ".join(rows) + "}"


def transform(daemon, folder, packets, f, kind="TransformDrain", link_type=1):
    """Packets (bytes[, length on the wire]) through one drain; returns what comes out."""
    source = makers.pcap(folder / "in.pcap", [(p[0], n * 1000, *p[1:]) for n, p in
                                              enumerate(packets)], link_type=link_type)
    daemon.ok("run", f'RdpcapSource("{source}") > {kind}({f!r}) > WrpcapSink("{folder}/out.pcap")')
    return makers.read(folder / "out.pcap")


def compare(got, expected, packets):
    assert len(got) == len(expected)
    for number, (out, want) in enumerate(zip(got, expected)):
        assert out[0] == want, f"packet {number}: {Ether(packets[number][0]).summary()}\n" \
                               f"was  {packets[number][0].hex()}\nis   {out[0].hex()}\n" \
                               f"want {want.hex()}"


@pytest.mark.parametrize("fields, seed", itertools.product([
    {"ip_src": "1.1.1.1", "ip_dst": "2.2.2.2"}, {"ip6_src": "2001:db8::1", "ip6_dst": "ff02::1"},
    {"ip_ttl": 1}, {"ip_tos": 0xfc}, {"tcp_sport": 1, "tcp_dport": 65535}, {"udp_dport": 53},
    {"eth_src": "02:aa:bb:cc:dd:ee"}, {"vlan_id": 4094}, NEW], range(3)), ids=str)
def test_set_is_what_scapy_makes_of_it(daemon, tmp_path, fields, seed):
    chance = random.Random(seed)
    frames = [makers.random_packet(chance) for _ in range(150)]
    if any(name[:3] in ("tcp", "udp") for name in fields):
        frames = [f for f in frames if not makers.has_quote(f)]
    packets = [(bytes(f),) for f in frames]
    got = transform(daemon, tmp_path, packets, setting(fields))
    scapy_fields = {name: value for name, value in fields.items() if name != "vlan_id"}
    expected = [makers.rewritten(f, **scapy_fields) for f in frames]
    if "vlan_id" in fields:
        expected = [makers.rewritten(Ether(e), vlan_vlan=fields["vlan_id"]) for e in expected]
    compare(got, expected, packets)
    assert makers.bad_checksums(tmp_path / "out.pcap") == 0


def through_checksum(frame, whole, cut):
    """Whether only one byte of the transport's checksum is left."""
    for layer in Ether(whole).layers():
        at = 2 if layer.__name__.startswith("ICMP") else {TCP: 16, UDP: 6}.get(layer)
        if at:
            return cut == len(whole) - len(frame[layer]) + at + 1
    return False


def test_set_on_cut_packets_is_the_cut_of_set_on_whole_ones(daemon, tmp_path):
    chance = random.Random(4)
    frames = [f for f in (makers.random_packet(chance) for _ in range(400))
              if not makers.has_quote(f)]
    fields = {"ip_src": "1.1.1.1", "ip_dst": "2.2.2.2", "ip6_src": "2001:db8::1",
              "ip6_dst": "2001:db8::2"}
    packets, expected = [], []
    for frame in frames:
        whole = bytes(frame)
        network = frame.getlayer(IP) or frame.getlayer(IPv6)
        first = len(whole) - len(network.payload) if network else 14
        cut = chance.randrange(first, len(whole) + 1)
        if through_checksum(frame, whole, cut):
            continue  # half of it cannot be put right
        packets.append((whole[:cut], len(whole)))
        expected.append(makers.rewritten(frame, **fields)[:cut])
    compare(transform(daemon, tmp_path, packets, setting(fields)), expected, packets)


def test_set_on_packets_cut_anywhere_harms_nothing_else(daemon, tmp_path):
    """Cut in the middle of a header: at most the addresses and the checksums differ."""
    whole = bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP() / (b"x" * 10))
    packets = [(whole[:n], len(whole)) for n in range(len(whole) + 1)]
    got = transform(daemon, tmp_path, packets, setting(NEW))
    assert [len(g[0]) for g in got] == [len(p[0]) for p in packets]
    for out, (data, _) in zip(got, packets):
        if len(data) < 34:
            assert out[0] == data


def test_set_on_fragments_is_the_fragments_of_set_on_whole_packets(daemon, tmp_path):
    fields = {"ip_src": "1.1.1.1", "ip_dst": "2.2.2.2", "ip6_src": "2001:db8::1",
              "ip6_dst": "2001:db8::2"}
    packets, expected = [], []
    for transport in (UDP(sport=1, dport=2), TCP(sport=1, dport=2), ICMP()):
        whole = Ether() / IP(src="10.0.0.1", dst="10.0.0.2", id=5) / transport / Raw(bytes(3000))
        packets += [(bytes(f),) for f in fragment(whole, 1480)]
        changed = Ether(makers.rewritten(whole, **fields))
        expected += [bytes(f) for f in fragment(changed, 1480)]
        if ICMP not in whole:
            whole = IPv6(src="fd00::1", dst="fd00::2") / IPv6ExtHdrFragment(id=9) / transport / \
                Raw(bytes(3000))
            changed = whole.copy()
            changed.src, changed.dst = "2001:db8::1", "2001:db8::2"
            for out, version in ((packets, whole), (expected, changed)):
                parts = [bytes(Ether(type=0x86dd) / part) for part in fragment6(version, 1280)]
                out += [(part,) for part in parts] if out is packets else parts
    compare(transform(daemon, tmp_path, packets, setting(fields)), expected, packets)


def test_behind_a_routing_header_the_last_destination_counts(daemon, tmp_path):
    """The checksum covers the final destination, which the routing header holds."""
    def packet(dst):
        return Ether() / IPv6(src="fd00::1", dst=dst) / \
            IPv6ExtHdrRouting(addresses=["fd00::9"], segleft=1) / UDP(sport=1, dport=2) / b"x"
    packets = [(bytes(packet("fd00::2")),)]
    got = transform(daemon, tmp_path, packets, setting({"ip6_dst": "fd00::3"}))
    compare(got, [bytes(packet("fd00::3"))], packets)


def test_an_udp_checksum_that_becomes_0_is_written_as_ffff(daemon, tmp_path):
    base = Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2)
    rest = Ether(bytes(base / Raw(b"\0\0")))[UDP].chksum  # what the load must add up to 0xffff
    frame = base / Raw(rest.to_bytes(2, "big"))
    assert Ether(bytes(frame))[UDP].chksum == 0xffff
    moved = frame.copy()
    moved[IP].src, moved[IP].dst = "10.0.0.2", "10.0.0.1"  # the same sum
    moved[IP].src = "9.255.0.2"
    packets = [(makers.rewritten(moved),)]
    got = transform(daemon, tmp_path, packets, setting({"ip_src": "10.0.0.2"}))
    checksum = Ether(got[0][0])[UDP].chksum
    assert checksum != 0
    compare(got, [makers.rewritten(moved, ip_src="10.0.0.2")], packets)


def with_sum_of_addresses(frame):
    """As a host sends it whose network card computes checksums."""
    network = frame[IP if IP in frame else IPv6]
    size = 16 if IPv6 in frame else 4
    at = len(bytes(frame)) - len(bytes(network.payload))
    start = at - len(bytes(network)) + (8 if size == 16 else 12) + len(bytes(network.payload))
    data = bytearray(bytes(frame))
    field = at + (16 if TCP in frame else 6)
    addresses = bytes(data[start:start + 2 * size])
    proto = 6 if TCP in frame else 17
    total = sum(struct.unpack(f"!{size}H", addresses)) + proto + len(data) - at
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    struct.pack_into("!H", data, field, total)
    return bytes(data)


@pytest.mark.parametrize("f", ["set{['ip.src']='198.51.100.9', ['ip6.dst']='2001:db8::9', "
                               "['tcp.dport']=7, ['udp.dport']=7}"])
def test_checksums_left_to_the_network_card_stay_so(daemon, tmp_path, f):
    frames = [Ether() / network / transport / Raw(bytes(range(n))) for n in (0, 1, 40)
              for network in (IP(src="10.0.0.1", dst="10.9.9.9"), IPv6(src="fd00::1", dst="fd00::2"))
              for transport in (TCP(dport=80), UDP(dport=80))]
    packets = [(with_sum_of_addresses(f),) for f in frames]
    got = transform(daemon, tmp_path, packets, f)
    for frame, (data, *_) in zip(frames, got):
        want = Ether(makers.rewritten(frame, ip_src="198.51.100.9", ip6_dst="2001:db8::9",
                                      tcp_dport=7, udp_dport=7))
        assert data == with_sum_of_addresses(want), want.summary()
    whole = transform(daemon, tmp_path, packets, "checksums")
    assert [w[0] for w in whole] == [bytes(f) for f in frames]


@pytest.mark.parametrize("f", ["checksums", "set{['ip.ttl']=64, ['ip6.hlim']=64, checksums=true}"])
def test_checksums_are_computed_anew(daemon, tmp_path, f):
    """Of whole packets all are right then, whatever they were; UDP's none over IPv4 stays none."""
    chance = random.Random(13)
    frames = [Ether(bytes(makers.random_packet(chance))) for _ in range(300)]
    packets = []
    frames = [frame for frame in frames if not makers.has_quote(frame)]
    frames += [Ether(bytes(Ether() / network / SCTP(tag=n) / SCTPChunkData(data=bytes(n))))
               for n in (1, 4, 99)
               for network in (IP(src="10.0.0.1", dst="10.9.9.9"), IPv6(src="fd00::1", dst="fd00::2"))]
    for frame in frames:
        damaged = frame.copy()
        for layer in (IP, TCP, UDP, ICMP, SCTP):
            if layer in damaged and not (layer is UDP and frame[UDP].chksum == 0):
                damaged[layer].chksum = chance.randrange(1, 1 << 16)
        packets.append((bytes(damaged),))
    got = transform(daemon, tmp_path, packets, f)
    fields = {"ip_ttl": 64, "ip6_hlim": 64} if "ttl" in f else {}
    compare(got, [makers.rewritten(frame, **fields) for frame in frames], packets)
    assert makers.bad_checksums(tmp_path / "out.pcap") == 0


def test_checksums_of_packets_in_tunnels_are_computed_anew(daemon, tmp_path):
    """Those further in first, as others cover them; what an error quotes stays as it is."""
    def tunnels(**wrong):
        four, six = IP(src="10.0.0.1", dst="10.9.9.9", **wrong), IPv6(src="fd00::1", dst="fd00::2")
        for inner in (four / TCP(**wrong) / b"odd", six / UDP(**wrong) / b"even", four / ICMP(**wrong)):
            kind = 0x86dd if IPv6 in inner else 0x800
            yield four / inner
            yield six / four / inner
            yield four / GRE(proto=kind, chksum_present=1, **wrong) / inner
            yield six / UDP(dport=4789, **wrong) / VXLAN(vni=1) / Ether() / Dot1Q(vlan=5) / inner
            frame = Ether() / four / UDP(dport=4789, **wrong) / VXLAN() / Ether() / inner
            yield four / GRE(proto=0x6558, key_present=1) / frame
            yield four / UDP(dport=4789, chksum=0) / VXLAN() / Ether() / inner
            yield four / GRE(proto=0x8847) / MPLS(label=3, s=1) / inner
    wrong = [bytes(Ether() / p) for p in tunnels(chksum=0x1234)]
    quote = bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=3) / IP(chksum=7) / UDP(chksum=9))
    got = transform(daemon, tmp_path, [(p,) for p in [*wrong, quote]], "checksums")
    assert [g[0] for g in got] == [*(bytes(Ether() / p) for p in tunnels()), quote]


def test_a_wrong_checksum_stays_wrong(daemon, tmp_path):
    frame = Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(chksum=0x1234) / b"x"
    transform(daemon, tmp_path, [(bytes(frame),)], setting({"ip_src": "1.1.1.1"}))
    assert makers.bad_checksums(tmp_path / "out.pcap") == 1


@pytest.mark.parametrize("link_type, make", [
    (101, lambda p: bytes(p.payload)), (228, lambda p: bytes(p.payload)),
    (113, lambda p: bytes.fromhex("000000010006020000000001 0000 0800") + bytes(p.payload)),
    (276, lambda p: bytes.fromhex("0800 0000 00000001 0001 00 06 0200000000010000") +
     bytes(p.payload)),
    (0, lambda p: b"\x02\0\0\0" + bytes(p.payload)), (108, lambda p: b"\0\0\0\x02" +
                                                     bytes(p.payload)),
], ids=["RAW", "IPV4", "LINUX_SLL", "LINUX_SLL2", "NULL", "LOOP"])
def test_set_below_other_link_types(daemon, tmp_path, link_type, make):
    chance = random.Random(3)
    frames = [Ether() / IP(src="10.0.0.1", dst="10.0.0.2", id=n) /
              chance.choice([TCP(), UDP()]) / Raw(bytes(n)) for n in range(20)]
    packets = [(make(f),) for f in frames]
    expected = [make(Ether(makers.rewritten(f, ip_src="1.1.1.1", ip_dst="2.2.2.2")))
                for f in frames]
    got = transform(daemon, tmp_path, packets,
                    setting({"ip_src": "1.1.1.1", "ip_dst": "2.2.2.2"}), link_type=link_type)
    assert [g[0] for g in got] == expected


def test_a_script_rewrites_as_set_does(daemon, tmp_path):
    chance = random.Random(8)
    packets = [(bytes(makers.random_packet(chance)),) for _ in range(200)]
    native = transform(daemon, tmp_path, packets, setting(
        {"ip_src": "1.1.1.1", "ip_dst": "2.2.2.2", "ip6_dst": "2001:db8::2"}))
    script = transform(daemon, tmp_path, packets, """function(p)
        if p.ip then p.ip.src = "1.1.1.1"; p.ip.dst = "2.2.2.2" end
        if p.ip6 then p.ip6.dst = "2001:db8::2" end
        return p
    end""")
    assert script == native


def test_a_script_reads_what_scapy_reads(daemon, tmp_path):
    chance = random.Random(9)
    frames = [f for f in (makers.random_packet(chance) for _ in range(200))
              if not makers.has_quote(f)]
    source = makers.pcap(tmp_path / "in.pcap", [(bytes(f), 0) for f in frames])
    daemon.create("e", f"""
        RdpcapSource("{source}") > TransformDrain('''function(p)
            local words = {{}}
            local function say(layer, name)
                words[#words + 1] = tostring(p[layer] and p[layer][name])
            end
            say("ip", "src"); say("ip", "ttl"); say("ip6", "dst"); say("tcp", "dport")
            say("udp", "sport"); say("vlan", "id"); say("eth", "src")
            return table.concat(words, " ") .. " " .. #p
        end''') > QueueSink(name="q")""")
    expected = []
    for frame in frames:
        words = []
        for layer, field in (("IP", "src"), ("IP", "ttl"), ("IPv6", "dst"), ("TCP", "dport"),
                             ("UDP", "sport"), ("Dot1Q", "vlan"), ("Ether", "src")):
            found = Ether(bytes(frame)).getlayer(layer)
            value = str(getattr(found, field)) if found is not None else "nil"
            words.append(str(ipaddress.ip_address(value)) if layer == "IPv6" and found else value)
        expected.append(" ".join(words) + f" {len(frame)}")
    assert daemon.client().texts("e", "q", len(frames)) == expected


KEY = "153487" + "ab" * 29


def test_anonymize_keeps_prefixes_and_checksums(daemon, tmp_path):
    chance = random.Random(6)
    frames = [makers.random_packet(chance) for _ in range(300)]
    network = ipaddress.ip_network("192.0.2.0/24")
    for frame in frames[:100]:
        if IP in frame:
            frame[IP].src = str(network[chance.randrange(1, 255)])
    packets = [(bytes(f),) for f in frames]
    got = transform(daemon, tmp_path, packets, f"anonymize{{key='{KEY}'}}")
    assert makers.bad_checksums(tmp_path / "out.pcap") == 0
    pairs = {}
    for frame, (out, _, _) in zip(frames, got):
        assert len(out) == len(frame)
        for layer in (IP, IPv6):
            if layer in frame:
                new = Ether(out)[layer]
                for field in ("src", "dst"):
                    before = ipaddress.ip_address(getattr(frame[layer], field))
                    after = ipaddress.ip_address(getattr(new, field))
                    assert pairs.setdefault(before, after) == after
    assert len(set(pairs.values())) == len(pairs)
    special = {a for a in pairs if a.is_multicast or a.is_loopback or a.is_link_local}
    assert all(pairs[a] == a for a in special)
    addresses = [(a, x) for a, x in pairs.items() if a not in special]
    for _ in range(5000):
        (a, x), (b, y) = chance.choices(addresses, k=2)
        if a.version == b.version:
            assert (int(a) ^ int(b)).bit_length() == (int(x) ^ int(y)).bit_length(), (a, b, x, y)
    again = transform(daemon, tmp_path, packets, f"anonymize{{key='{KEY}'}}")
    assert again == got
    other = transform(daemon, tmp_path, packets, f"anonymize{{key='{KEY[::-1]}'}}")
    assert other != got


def test_anonymize_gives_the_published_addresses(daemon, tmp_path):
    """The sample trace that comes with Crypto-PAn's reference implementation."""
    key = bytes([21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152,
                 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2]).hex()
    table = {"128.11.68.132": "135.242.180.132", "129.118.74.4": "134.136.186.123",
             "130.132.252.244": "133.68.164.234", "141.223.7.43": "141.167.8.160",
             "152.163.225.39": "151.140.114.167", "156.29.3.236": "147.225.12.42",
             "24.0.250.221": "100.15.198.226", "64.14.118.196": "0.255.183.58"}
    frames = [Ether() / IP(src=a, dst=a) / UDP() for a in table]
    got = transform(daemon, tmp_path, [(bytes(f),) for f in frames], f"anonymize{{key='{key}'}}")
    assert [Ether(g[0])[IP].src for g in got] == list(table.values())


def test_truncate_keeps_the_length_on_the_wire(daemon, tmp_path):
    packets = [(bytes(200),), (bytes(20),), (bytes(60), 1000)]
    got = transform(daemon, tmp_path, packets, "truncate(60)")
    assert [(len(data), wire) for data, _, wire in got] == [(60, 200), (20, 20), (60, 1000)]


@pytest.mark.parametrize("expression", ["tcp", "udp port 53", "ip6", "vlan", "arp or icmp",
                                        "tcp dst port 443 or (udp and net 10.0.0.0/8)",
                                        "greater 200", "not ip"])
def test_a_bpf_predicate_chooses_as_tcpdump_does(daemon, tmp_path, expression):
    chance = random.Random(12)
    packets = [(bytes(makers.random_packet(chance)),) for _ in range(300)]
    got = transform(daemon, tmp_path, packets, f"bpf '{expression}'", kind="FilterDrain")
    import subprocess
    subprocess.run(["tcpdump", "-r", tmp_path / "in.pcap", "-w", tmp_path / "judge.pcap",
                    expression], check=True, capture_output=True)
    assert [g[0] for g in got] == [j[0] for j in makers.read(tmp_path / "judge.pcap")]


@pytest.mark.parametrize("f", ["set{['ip.srx']='1.1.1.1'}", "set{['ip.src']='1.1.1'}",
                               "set{['ip.ttl']=256}", "set{['ip.ttl']=-1}", "set{}x", "set",
                               "set{['ip.checksum']=1}", "set{checksums=1}", "checksums 1", "anonymize{key='12'}", "anonymize{}",
                               "truncate(-1)", "truncate('x')", "function(m) return m", "",
                               "nil", "revers", "os.exit()", "io.open('/etc/passwd')",
                               "load('return 1')", "string.dump(print)"])
def test_a_function_that_cannot_be_is_refused(daemon, f):
    with daemon.client() as rpc:
        error = rpc.refused("engine.create", engine="e", blocks=[
            {"name": "t", "type": "TransformDrain", "params": {"f": f}}])
        assert error.path == "$.blocks[0].params.f", error
        assert error.kind in ("script", "bad-parameter") and "\n" not in error.message


def test_a_filter_stands_in_place_of_f(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", makers.some_packets(60))
    r = f'RdpcapSource("{source}")'
    daemon.ok("run", f'{r} > FilterDrain("bpf \'udp\'") > WrpcapSink("{tmp_path}/f.pcap")')
    daemon.ok("run", f'{r} > FilterDrain(filter="udp") > WrpcapSink("{tmp_path}/filter.pcap")')
    assert makers.read(tmp_path / "filter.pcap") == makers.read(tmp_path / "f.pcap") != []
    daemon.create("t", f'a = {r}; t = TriggerDrain(filter="udp"); v = TriggeredValve(False)',
                  f'a > t > v > w; w = WrpcapSink("{tmp_path}/valve.pcap"); t ^ v')
    daemon.finish("t")
    assert 0 < len(makers.read(tmp_path / "valve.pcap")) < 60


def test_setting_filter_unsets_f_and_the_other_way(daemon):
    daemon.create("e", "s = CLIFeeder(); d = FilterDrain('always'); q = QueueSink(); s > d > q")
    for setting in ({"filter": "udp"}, {"f": "never"}, {"filter": "tcp"}):
        (name, value), = setting.items()
        daemon.ok("set", "e.d", f"{name}={value}")
        with daemon.client() as rpc:
            params = rpc.show("e", "d")["params"]
        other = {"f": "filter", "filter": "f"}[name]
        assert params[name] == value and not params.get(other), params
    daemon.ok("undo", "e")
    daemon.ok("send", "e.s", "one")
    assert "FilterDrain(f='never')" in daemon.ok("export", "e")
    for refused in ("FilterDrain()", "FilterDrain(f='always', filter='tcp')", "TriggerDrain()",
                    "FilterDrain(filter='tcp and and')"):
        result = daemon.ptctl("add", "e", refused)
        assert result.code == 1 and "filter" in result.err, result
    result = daemon.ptctl("set", "e.d", "f=always", "filter=tcp")
    assert result.code == 1 and "either 'f' or 'filter', not both" in result.err, result


def test_packets_between_two_times_and_every_so_many(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", [(b"x" * 60, (1700000000 + n) * 10 ** 9) for n in range(40)])
    choose = "between('2023-11-14 22:13:25', '2023-11-14T23:13:30+01:00')"
    daemon.ok("run", f'RdpcapSource("{source}") > FilterDrain("{choose}") > WrpcapSink("{tmp_path}/out.pcap")')
    assert [p[1] // 10 ** 9 for p in makers.read(tmp_path / "out.pcap")] == [1700000005 + n for n in range(5)]
    daemon.create("e", "s = CLIFeeder(); d = FilterDrain('every(3)'); q = QueueSink(); s > d > q")
    daemon.ok("send", "e.s", "1", "2", "3", "4", "5")
    daemon.ok("stop", "e")
    daemon.ok("start", "e")
    daemon.ok("send", "e.s", "6", "7", "8", "9")
    assert daemon.ok("recv", "e.q", "-n", "2") == "3\n8\n"
