# SPDX-License-Identifier: BSD-2-Clause
"""UnwrapDrain: packets that Scapy has put into tunnels, and what tshark finds in them."""
import struct

import pytest
from scapy.all import (ARP, GRE, ICMP, IP, L2TP, PPP, STP, TCP, UDP, VXLAN, Dot1Q, Dot3, Ether, IPv6,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, LLC, PPPoE, PPPoED, Raw, CookedLinux, fragment)
from scapy.contrib.erspan import ERSPAN_I, ERSPAN_II, ERSPAN_III
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.mpls import MPLS
from scapy.contrib.tzsp import TZSP, TZSPTagEnd, TZSPTagRawRSSIByte

import makers
from conftest import run_ptctl

S = 10 ** 9
OUT = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
NET = IP(src="192.0.2.1", dst="192.0.2.2")
NET6 = IPv6(src="2001:db8::1", dst="2001:db8::2")
PACKET = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1000, dport=80) / Raw(b"inside, and long enough for a frame without padding")
PACKET6 = IPv6(src="2001:db8::7", dst="2001:db8::8") / UDP(sport=1000, dport=99) / Raw(b"inside")
FRAME = Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:04") / PACKET
SPANNING = Dot3(src="02:00:00:00:00:03", dst="01:80:c2:00:00:00") / LLC() / STP()


def udp(port, sport=50000):
    return UDP(sport=sport, dport=port)


def session(layer):
    return PPPoE(sessionid=7) / PPP(proto=0x57 if isinstance(layer, IPv6) else 0x21) / layer


def l2tp(layer):
    return L2TP(hdr=["control"] and 0, version=2, tunnel_id=3, session_id=9) / PPP(proto=0x21) / layer


def bare(packet, link=OUT):
    """What is to become of a packet of IP: the outer link and it."""
    return link.copy() / packet


CASES = {
    "vlan": (OUT / Dot1Q(vlan=5) / PACKET, bare(PACKET), 5),
    "vlan of arp": (OUT / Dot1Q(vlan=5) / ARP(psrc="192.0.2.1", pdst="192.0.2.2"), OUT / ARP(psrc="192.0.2.1", pdst="192.0.2.2"), 5),
    "two tags": (OUT / Dot1Q(vlan=5, type=0x8100) / Dot1Q(vlan=6) / PACKET6, bare(PACKET6), 5),
    "provider's tag": (Ether(bytes(OUT / Dot1Q(vlan=5) / PACKET).replace(b"\x81\x00", b"\x88\xa8", 1)), bare(PACKET), 5),
    "mpls": (OUT / MPLS(label=70, s=0) / MPLS(label=71, s=1) / PACKET, bare(PACKET), 70),
    "mpls of frames": (OUT / MPLS(label=70, s=1) / Raw(bytes(FRAME)), FRAME, 70),
    "mpls with a control word": (OUT / MPLS(label=70, s=1) / Raw(bytes(4) + bytes(FRAME)), FRAME, 70),
    "pppoe": (OUT / session(PACKET), bare(PACKET), 7),
    "pppoe of ipv6": (OUT / Dot1Q(vlan=5) / session(PACKET6), bare(PACKET6), 5),
    "gre": (OUT / NET / GRE() / PACKET, bare(PACKET), None),
    "gre of ipv6 with a key": (OUT / NET / GRE(key_present=1, key=77) / PACKET6, bare(PACKET6), 77),
    "gre with all": (OUT / NET6 / GRE(chksum_present=1, key_present=1, key=77, seqnum_present=1) / PACKET, bare(PACKET), 77),
    "gre of frames": (OUT / NET / GRE(proto=0x6558) / FRAME, FRAME, None),
    "pptp": (OUT / NET / GRE(version=1, proto=0x880b, key_present=1, seqnum_present=1, key=0x00300008) /
             PPP(proto=0x21) / PACKET, bare(PACKET), 8),
    "erspan 1": (OUT / NET / GRE(proto=0x88be) / ERSPAN_I() / FRAME, FRAME, None),
    "erspan 2": (OUT / NET / GRE(proto=0x88be, seqnum_present=1) / ERSPAN_II(session_id=12) / FRAME, FRAME, 12),
    "erspan 3": (OUT / NET / GRE(proto=0x22eb, seqnum_present=1) / ERSPAN_III(session_id=12) / FRAME, FRAME, 12),
    "vxlan": (OUT / NET / udp(4789) / VXLAN(vni=0x123456) / FRAME, FRAME, 0x123456),
    "vxlan over ipv6": (OUT / NET6 / udp(4789) / VXLAN(vni=42) / FRAME, FRAME, 42),
    "vxlan of spanning trees": (OUT / NET / udp(4789) / VXLAN(vni=42) / SPANNING, SPANNING, 42),
    "geneve": (OUT / NET / udp(6081) / GENEVE(vni=43) / FRAME, FRAME, 43),
    "geneve with options": (OUT / NET / udp(6081) / Raw(b"\x02\x00\x65\x58\x00\x00\x2b\x00" + b"\x01\x02\x80\x01abcd") / FRAME, FRAME, 43),
    "geneve of ip": (OUT / NET / udp(6081) / GENEVE(vni=43, proto=0x0800) / PACKET, bare(PACKET), 43),
    "gtp": (OUT / NET / udp(2152, 2152) / GTP_U_Header(teid=0xfedcba98) / PACKET, bare(PACKET), 0xfedcba98),
    "gtp with an extension": (OUT / NET / udp(2152, 2152) / GTP_U_Header(teid=9, E=1, next_ex=0x85) /
                              GTPPDUSessionContainer(type=1, QFI=3) / PACKET6, bare(PACKET6), 9),
    "tzsp": (OUT / NET / udp(37008) / TZSP() / TZSPTagRawRSSIByte() / TZSPTagEnd() / FRAME, FRAME, None),
    "ipip": (OUT / NET / PACKET, bare(PACKET), None),
    "6in4": (OUT / NET / PACKET6, bare(PACKET6), None),
    "4in6": (OUT / NET6 / IPv6ExtHdrDestOpt() / PACKET, bare(PACKET), None),
    "l2tp": (OUT / NET / udp(1701, 1701) / l2tp(PACKET), bare(PACKET), 9),
    "l2tp 3": (OUT / IP(src="192.0.2.1", dst="192.0.2.2", proto=115) / Raw(b"\0\0\1\2") / FRAME, FRAME, 0x102),
    "vlan in a backbone": (Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x88e7) / Raw(bytes(4)) / Ether(
        src="02:00:00:00:00:03", dst="02:00:00:00:00:04") / Dot1Q(vlan=5) / PACKET, FRAME, 5),
    "all in all": (OUT / Dot1Q(vlan=5) / NET / udp(4789) / VXLAN(vni=42) / OUT / Dot1Q(vlan=6) / NET6 / GRE() / NET /
                   udp(2152) / GTP_U_Header(teid=9) / PACKET, bare(PACKET), 5),
    "padded": (Ether(bytes(OUT / NET / GRE() / IP(src="10.0.0.1", dst="10.0.0.2") / ICMP()) + bytes(6)),
               OUT / IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(), None),
}

PASS = {
    "nothing": OUT / PACKET,
    "arp": OUT / ARP(psrc="192.0.2.1", pdst="192.0.2.2"),
    "a first fragment": fragment(OUT / NET / udp(4789) / VXLAN(vni=1) / FRAME / Raw(bytes(100)), 80)[0],
    "a later fragment": fragment(OUT / NET / udp(4789) / VXLAN(vni=1) / FRAME / Raw(bytes(100)), 80)[1],
    "a fragment of IPv6": OUT / NET6 / IPv6ExtHdrFragment(nh=17, m=1, id=4) / udp(4789) / VXLAN(vni=1) / FRAME,
    "discovery": OUT / PPPoED(),
    "a name and address": OUT / NET / session(PACKET)[PPP],
    "control of l2tp": OUT / NET / udp(1701, 1701) / Raw(b"\xc8\x02\x00\x0c\x00\x01\x00\x00\x00\x00\x00\x00"),
    "an echo of gtp": OUT / NET / udp(2152) / GTP_U_Header(gtp_type=1, teid=0) / Raw(b"\x0e\x01"),
    "a session's control": OUT / PPPoE(sessionid=7) / PPP(proto=0xc021) / Raw(b"\x09\x01\x00\x08abcd"),
    "keepalive": OUT / NET / GRE(proto=0),
    "cut": Ether(bytes(OUT / NET / udp(4789) / VXLAN(vni=1) / FRAME)[:48]),
}


def unwrapped(tmp_path, packets, words="", more="", link_type=1, snaplen=None):
    """(bytes, time in ns, length on the wire) of what comes out, and the file."""
    data = [bytes(p) for p in packets]
    source = makers.pcap(tmp_path / "in.pcap", [(d[:snaplen], n * S + 7, len(d)) for n, d in enumerate(data)], ns=True,
                         link_type=link_type)
    out = tmp_path / "out.pcapng"
    result = run_ptctl("run", "--private", f"RdpcapSource('{source}') > UnwrapDrain({words}) {more} > WrpcapSink('{out}')")
    assert result.code == 0, result
    return makers.read(out), out


def told(packets):
    """The same of packets that were captured whole."""
    return [(bytes(p), n * S + 7, len(p)) for n, p in enumerate(packets)]


def test_the_packet_inside(tmp_path):
    out, file = unwrapped(tmp_path, [outer for outer, _, _ in CASES.values()], "note=True")
    for name, got, wanted in zip(CASES, out, told([inner for _, inner, _ in CASES.values()]), strict=True):
        assert got == wanted, name
    assert makers.bad_checksums(file) == 0
    notes = [comment for comment, in makers.tshark(file, "frame.comment")]
    for (name, (_, _, number)), note in zip(CASES.items(), notes, strict=True):
        kind = {"two": "vlan", "provider's": "vlan", "pptp": "gre", "6in4": "ipip", "4in6": "ipip", "all": "vlan",
                "padded": "gre"}.get(name.split()[0], name.split()[0])
        kind = "vlan" if name == "pppoe of ipv6" else kind
        assert note == (kind if number is None else f"{kind} {number}"), name


def test_what_is_none_passes(tmp_path):
    assert unwrapped(tmp_path, PASS.values())[0] == told(PASS.values())


def test_what_was_not_captured_whole(tmp_path):
    out, _ = unwrapped(tmp_path, [outer for outer, _, _ in CASES.values()], snaplen=100)
    for (name, (outer, inner, _)), (data, _, wire) in zip(CASES.items(), out, strict=True):
        if name in ("all in all", "4in6", "padded"):
            continue
        assert wire == len(inner) and bytes(inner).startswith(data), name
        assert len(data) >= min(len(inner), len(inner) + 100 - len(outer)), name


KINDS = [("kinds='vxlan'", "two tags", "two tags"), ("kinds=['gre', 'vxlan']", "vxlan", None), ("kinds='gre'", "vxlan", "vxlan"),
         ("depth=1", "two tags", OUT / Dot1Q(vlan=6) / PACKET6), ("kinds='vlan', depth=2", "two tags", None),
         ("depth=3", "all in all", OUT / NET6 / GRE() / NET / udp(2152) / GTP_U_Header(teid=9) / PACKET),
         ("kinds=['vxlan', 'vlan', 'gre']", "all in all", OUT / NET / udp(2152) / GTP_U_Header(teid=9) / PACKET),
         ("kinds='pppoe'", "pppoe of ipv6", None), ("kinds='vlan'", "pppoe of ipv6", OUT / session(PACKET6))]


@pytest.mark.parametrize("words, name, wanted", KINDS)
def test_kinds_and_depth(tmp_path, words, name, wanted):
    outer, inner, _ = CASES[name]
    wanted = outer if wanted == name else inner if wanted is None else wanted
    assert unwrapped(tmp_path, [outer], words)[0] == told([wanted])


def interfaces(file):
    """The link types of its interfaces."""
    data, at, found = file.read_bytes(), 0, []
    while at < len(data):
        kind, size, link_type = struct.unpack_from("<IIH", data, at)
        found += [link_type] if kind == 1 else []
        at += size
    return found


COOKED = CookedLinux(pkttype=0, lladdrtype=1, lladdrlen=6, src=b"\2\0\0\0\0\1\0\0")


@pytest.mark.parametrize("link_type, link, link_after, after", [
    (113, COOKED, 113, COOKED), (101, None, 101, None), (228, None, 101, None), (104, Raw(b"\x0f\0\x08\0"), 104, Raw(b"\x0f\0\x86\xdd")),
    (9, PPP(proto=0x21), 101, None)])
def test_other_links(tmp_path, link_type, link, link_after, after):
    """Linux's cooked captures, bare IP, Cisco's HDLC; PPP has no type at a fixed place."""
    packets = [NET / GRE() / PACKET6, NET / udp(4789) / VXLAN(vni=3) / FRAME]
    out, file = unwrapped(tmp_path, [link / p if link else p for p in packets], link_type=link_type)
    assert [p for p, _, _ in out] == [bytes(after / PACKET6 if after else PACKET6), bytes(FRAME)]
    assert makers.tshark(file, "ipv6.src", "tcp.dstport") == [["2001:db8::7", ""], ["", "80"]]
    assert set(interfaces(file)) == {link_after, 1}


def test_a_function_asks_for_the_tunnel(tmp_path, daemon, rpc):
    """Of what is still in it, of what came out, and of a copy that was kept."""
    names = ["vlan", "vxlan", "gtp", "ipip", "all in all"]
    source = makers.pcap(tmp_path / "in.pcap", [(bytes(CASES[n][0]), 1) for n in names])
    daemon.create("e", f"s = RdpcapSource('{source}'); tell = 'function(m) return tostring(m.tunnel) .. \\' \\' .. tostring(m:copy().tunnel) end';"
                  "s > TransformDrain(tell) > before = QueueSink(); s > UnwrapDrain() > u = UnwrapDrain() > TransformDrain(tell) > after = QueueSink()")
    wanted = [f"{CASES[n][2]} {CASES[n][2]}".replace("None", "nil") for n in names]
    assert rpc.texts("e", "before", 5) == rpc.texts("e", "after", 5) == wanted
    assert daemon.ptctl("create", "f", "Source() > TransformDrain('function(m) m.tunnel = 1 return m end') > Sink()").code


@pytest.mark.parametrize("words, say", [("kinds='vxlam'", "did you mean 'vxlan'"), ("kinds=['gre', 1]", "text"), ("depth=0", "1 to 64")])
def test_what_is_no_tunnel_is_refused(daemon, words, say):
    refused = daemon.ptctl("create", "e", f"UnwrapDrain({words}) > Sink()")
    assert refused.code == 1 and say in refused.err, refused


def test_a_successor_counts_on(tmp_path, daemon, rpc):
    frames = [(bytes(CASES["vxlan"][0]), 1)] * 3
    source = makers.pcap(tmp_path / "in.pcap", frames)
    daemon.create("e", f"RdpcapSource('{source}') > u = UnwrapDrain() > q = QueueSink()")
    daemon.ok("wait", "e", "exhausted", "--timeout", "30")
    assert rpc.show("e", "u")["now"]["unwrapped"] == 3
    daemon.ok("replace", "e.u", "UnwrapDrain(kinds='vxlan')")
    assert rpc.show("e", "u")["now"]["unwrapped"] == 3
