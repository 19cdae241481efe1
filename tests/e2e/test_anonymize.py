# SPDX-License-Identifier: BSD-2-Clause
"""anonymize{…}: Scapy makes each packet twice, of addresses and of their pseudonyms, and the first must
become the second, byte for byte, with the checksums that Scapy computes."""
import hashlib
import ipaddress
import socket
import struct
from types import SimpleNamespace

import pytest
from scapy.all import (AH, ARP, GRE, ICMP, IP, TCP, UDP, VXLAN, Dot1Q, Ether, ICMPv6DestUnreach,
                       ICMPv6MLReport2, ICMPv6MLDMultAddrRec, ICMPv6MLQuery2,
                       ICMPv6MLReport, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect,
                       ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo, ICMPv6NDOptRDNSS,
                       ICMPv6NDOptRedirectedHdr, ICMPv6NDOptRouteInfo, ICMPv6NDOptSrcLLAddr,
                       ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded, IPOption_LSRR,
                       IPOption_RR, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, IPv6ExtHdrSegmentRouting, HAO, PPP,
                       PPPoE, Raw, SCTP, SCTPChunkInit, SCTPChunkParamIPv4Addr, LLC, SNAP, Dot3,
                       SCTPChunkParamIPv6Addr, checksum, fragment)
from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III
from scapy.contrib.etherip import EtherIP
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.igmp import IGMP
from scapy.contrib.igmpv3 import IGMPv3, IGMPv3gr, IGMPv3mq, IGMPv3mr
from scapy.contrib.mpls import MPLS
from scapy.contrib.ospf import OSPF_Hdr, OSPF_Hello
from scapy.layers.inet6 import in6_chksum
from scapy.layers.ppp import PPP_IPCP, PPP_IPCP_Option_IPAddress, PPP_IPCP_Option_DNS1
from scapy.layers.vrrp import VRRP

import makers
from conftest import run_ptctl

KEY = hashlib.sha256(b"pipetool").hexdigest()
FOUR = {"a": "198.51.100.77", "b": "203.0.113.9", "r": "192.0.2.254", "g": "192.0.2.33"}
SIX = {"a6": "2001:db8:aaaa:1::77", "b6": "2001:db8:bbbb:2::9", "r6": "2001:db8:cccc:3::fe",
       "g6": "2001:db8:dddd:4::1"}
GROUP, GROUP6, LINK6 = "239.255.255.250", "ff02::16", "fe80::1234"


def data(text=b"question"):
    return Raw(text)


def udp4(n):
    return IP(src=n.a, dst=n.b) / UDP(sport=1000, dport=53) / data()


def udp6(n):
    return IPv6(src=n.a6, dst=n.b6) / UDP(sport=1000, dport=53) / data()


def tcp4(n):
    return IP(src=n.a, dst=n.b) / TCP(sport=1000, dport=80, options=[("MSS", 1460)]) / data()


def frame(packet, **more):
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", **more) / packet


def outer(n):
    return IP(src=n.r, dst=n.g)


def outer6(n):
    return IPv6(src=n.r6, dst=n.g6)


def tunnel(port, n):
    return outer(n) / UDP(sport=40000, dport=port)


def solicited(address):
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("ff02::1:ff00:0")) |
                                     int(ipaddress.IPv6Address(address)) & 0xffffff))


def to_group(packet):
    low = ipaddress.IPv6Address(packet.dst).packed[12:]
    return Ether(src="02:00:00:00:00:01", dst="33:33:" + low.hex(":")) / packet


def turned(address):
    return bytes(255 - byte for byte in socket.inet_aton(address))


def timestamps(n):
    return b"\x44\x14\x15\x01" + socket.inet_aton(n.r) + bytes(4) + socket.inet_aton(n.g) + bytes(4)


def prefix(address, bits):
    return str(ipaddress.ip_network((address, bits), strict=False).network_address)


def gre_summed(n):
    return outer(n) / GRE(chksum_present=1, key_present=1, key=7, seqnum_present=1, sequence_number=1,
                          proto=0x0800) / udp4(n)


def mobile(n):
    home = IPv6ExtHdrDestOpt(options=[HAO(hoa=n.a6)])
    return IPv6(src=n.r6, dst=n.b6) / home / UDP(sport=1, dport=2) / data()


def routed(n, left):
    return IPv6(src=n.a6, dst=n.r6) / IPv6ExtHdrRouting(
        addresses=[n.g6, n.b6], segleft=left) / UDP(sport=1, dport=2) / data()


def summed(packet, proto, body, at):
    """Over IPv6, with a checksum over the pseudo-header, too."""
    body[at:at + 2] = struct.pack(">H", in6_chksum(proto, packet, bytes(body)))
    packet.nh = proto
    return packet / Raw(bytes(body))


def ospf3(n):
    """A greeting: router and area, then, behind timers, those that it knows."""
    heads, known = (b"".join(map(socket.inet_aton, names)) for names in ((n.r, n.g), (n.a, "0.0.0.0", n.b)))
    body = b"\3\1\0\x28" + heads + bytes(4) + bytes.fromhex("00000001 01000013 000a0028") + known
    return summed(outer6(n), 89, bytearray(body), 12)


def pim_hello(n):
    addresses = b"\2\0" + socket.inet_pton(socket.AF_INET6, n.a6) + b"\1\0" + socket.inet_aton(n.a)
    return summed(outer6(n), 103, bytearray(b"\x20\0\0\0\0\1\0\2\0\x69\0\x18" + struct.pack(">H", len(addresses)) + addresses), 2)


def hip(n):
    tags = b"".join(socket.inet_pton(socket.AF_INET6, a) for a in (n.a6, n.b6))
    return summed(outer6(n), 139, bytearray(b"\x3b\4\1\x11\0\0\0\0" + tags), 4)


def segments(n):
    return IPv6(src=n.a6, dst=n.r6) / IPv6ExtHdrSegmentRouting(
        addresses=[n.b6, n.g6], segleft=1, lastentry=1) / UDP(sport=1, dport=2) / data()


def redirect6(n):
    return IPv6(src=LINK6, dst=n.a6) / ICMPv6ND_Redirect(tgt=n.g6, dst=n.b6) / \
        ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:07") / ICMPv6NDOptRedirectedHdr(pkt=udp6(n))


def advertised(n):
    return IPv6(src=LINK6, dst="ff02::1") / ICMPv6ND_RA() / \
        ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:07") / \
        ICMPv6NDOptPrefixInfo(prefix=prefix(n.a6, 64), prefixlen=64) / \
        ICMPv6NDOptRouteInfo(prefix=prefix(n.b6, 64), plen=64) / \
        ICMPv6NDOptRDNSS(dns=[n.r6, n.g6])


def igmp(n, body):
    return IP(src=n.a, dst="224.0.0.22", ttl=1, options=[b"\x94\x04\x00\x00"]) / body


def sctp(n):
    return IP(src=n.a, dst=n.b) / SCTP(sport=1, dport=2) / SCTPChunkInit(
        params=[SCTPChunkParamIPv4Addr(addr=n.r), SCTPChunkParamIPv6Addr(addr=n.r6)])


def teredo(n):
    origin = b"\0\0" + struct.pack(">H", 0xffff ^ 1234) + turned(n.a)
    return tunnel(3544, n) / Raw(b"\0\1\0\0" + bytes(9) + origin + bytes(udp6(n)))


def ipcp(n):
    return frame(PPPoE(sessionid=1) / PPP(proto=0x8021) / PPP_IPCP(options=[
        PPP_IPCP_Option_IPAddress(data=n.a), PPP_IPCP_Option_DNS1(data=n.r)]), type=0x8864)


def redirect(n):
    return outer(n) / ICMP(type=5, code=1, gw=n.b) / Raw(bytes(udp4(n))[:28])


def error6(kind):
    return lambda n: frame(IPv6(src=n.r6, dst=n.a6) / kind() / udp6(n))


def error(kind, quoted=None):
    return lambda n: frame(IP(src=n.r, dst=n.a) / ICMP(type=kind, code=1) /
                           Raw(bytes(udp4(n))[:quoted]))


def router_advertisement(n):
    """RFC 1256, with its checksum."""
    body = bytearray(b"\x09\0\0\0\2\2\0\x10" + socket.inet_aton(n.a) + bytes(4) +
                     socket.inet_aton(n.b) + bytes(4))
    struct.pack_into(">H", body, 2, checksum(bytes(body)))
    return bytes(body)


def multipath(n):
    added = struct.pack(">BB", 0x30, 1) + socket.inet_aton(n.r)
    return IP(src=n.a, dst=n.b) / TCP(options=[(30, added)])


PLACES = {
    "udp": lambda n: frame(udp4(n)),
    "tcp": lambda n: frame(tcp4(n)),
    "udp6": lambda n: frame(udp6(n)),
    "arp": lambda n: frame(ARP(psrc=n.a, pdst=n.b, hwsrc="02:00:00:00:00:05")),
    "rarp": lambda n: frame(ARP(op=3, psrc=n.a, pdst=n.b), type=0x8035),
    "inverse arp": lambda n: frame(ARP(op=8, psrc=n.a, pdst=n.b)),
    "unreachable": error(3), "unreachable, 8 bytes": error(3, 28), "exceeded": error(11),
    "quench": error(4), "parameter": error(12), "cut quote": error(3, 22),
    "redirect": lambda n: frame(redirect(n)),
    "quoted tcp": lambda n: frame(IP(src=n.r, dst=n.a) / ICMP(type=3, code=1) / Raw(bytes(tcp4(n)))),
    "error in error": lambda n: frame(IP(src=n.r, dst=n.a) / ICMP(type=3) /
                                      Raw(bytes(IP(src=n.a, dst=n.g) / ICMP(type=11) /
                                                Raw(bytes(udp4(n)))))),
    "router advertisement": lambda n: frame(outer(n) / ICMP(router_advertisement(n))),
    "echo": lambda n: frame(IP(src=n.a, dst=n.b) / ICMP() / data()),
    "unreachable6": error6(ICMPv6DestUnreach), "too big": error6(ICMPv6PacketTooBig),
    "exceeded6": error6(ICMPv6TimeExceeded), "parameter6": error6(ICMPv6ParamProblem),
    "solicitation": lambda n: to_group(IPv6(src=n.r6, dst=solicited(n.a6)) / ICMPv6ND_NS(
        tgt=n.a6) / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:01")),
    "local solicitation": lambda n: to_group(IPv6(src=LINK6, dst=solicited("fe80::9")) /
                                             ICMPv6ND_NS(tgt="fe80::9")),
    "advertisement": lambda n: frame(IPv6(src=n.a6, dst=n.r6) / ICMPv6ND_NA(tgt=n.a6)),
    "redirect6": lambda n: frame(redirect6(n)),
    "routers": lambda n: frame(advertised(n)),
    "listener": lambda n: frame(IPv6(src=n.a6, dst=solicited(n.a6)) / IPv6ExtHdrHopByHop() /
                                ICMPv6MLReport(mladdr=solicited(n.a6))),
    "listener query": lambda n: frame(IPv6(src=LINK6, dst="ff02::1") / ICMPv6MLQuery2(
        mladdr="ff1e::5", sources=[n.a6, n.b6])),
    "listener report": lambda n: frame(IPv6(src=LINK6, dst=GROUP6) / ICMPv6MLReport2(records=[
        ICMPv6MLDMultAddrRec(dst="ff1e::5", sources=[n.a6, n.b6]),
        ICMPv6MLDMultAddrRec(dst="ff1e::6", sources=[n.r6])])),
    "igmp": lambda n: frame(igmp(n, IGMP(type=0x16, gaddr=GROUP))),
    "igmp query": lambda n: frame(igmp(n, IGMPv3(type=0x11) / IGMPv3mq(
        gaddr=GROUP, srcaddrs=[n.b, n.r]))),
    "igmp report": lambda n: frame(igmp(n, IGMPv3(type=0x22) / IGMPv3mr(records=[
        IGMPv3gr(maddr=GROUP, srcaddrs=[n.b, n.r]), IGMPv3gr(maddr=GROUP, srcaddrs=[n.g])]))),
    "source route": lambda n: frame(IP(src=n.a, dst=n.r, options=[
        IPOption_LSRR(routers=[n.g, n.b], pointer=4)]) / UDP(sport=1, dport=2, chksum=0) / data()),
    "recorded route": lambda n: frame(IP(src=n.a, dst=n.b, options=[
        IPOption_RR(routers=[n.g, n.r], pointer=12)]) / UDP(sport=1, dport=2) / data()),
    "timestamps": lambda n: frame(IP(src=n.a, dst=n.b, options=[timestamps(n)]) /
                                  UDP(sport=1, dport=2) / data()),
    "home address": lambda n: frame(mobile(n)),
    "routed": lambda n: frame(routed(n, 2)), "arrived": lambda n: frame(routed(n, 0)),
    "segments": lambda n: frame(segments(n)),
    "multipath tcp": lambda n: frame(multipath(n)),
    "ip in ip": lambda n: frame(outer(n) / udp4(n)),
    "ip6 in ip": lambda n: frame(outer(n) / udp6(n)),
    "ip in ip6": lambda n: frame(outer6(n) / udp4(n)),
    "error in tunnel": lambda n: frame(outer(n) / IP(src=n.r, dst=n.a) / ICMP(type=3) / udp4(n)),
    "gre": lambda n: frame(outer(n) / GRE() / udp4(n)),
    "gre, checksum": lambda n: frame(gre_summed(n)),
    "gre, frame": lambda n: frame(outer(n) / GRE(proto=0x6558) / frame(tcp4(n))),
    "erspan": lambda n: frame(outer(n) / GRE(proto=0x88be) / Raw(bytes(frame(udp4(n))))),
    "erspan 2": lambda n: frame(outer(n) / GRE(proto=0x88be, seqnum_present=1) / ERSPAN_II() /
                                frame(udp4(n))),
    "erspan 3": lambda n: frame(outer(n) / GRE(proto=0x22eb, seqnum_present=1) / ERSPAN_III() /
                                frame(udp4(n))),
    "pptp": lambda n: frame(IP(src=n.r, dst=n.g, proto=47) / Raw(
        b"\x30\1\x88\x0b\0\x30\0\1\0\0\0\1\xff\3\0\x21" + bytes(udp4(n)))),
    "vxlan": lambda n: frame(tunnel(4789, n) / VXLAN(vni=42) / frame(udp4(n))),
    "vxlan, linux": lambda n: frame(tunnel(8472, n) / VXLAN(vni=42) / frame(udp6(n))),
    "vxlan, no checksum": lambda n: frame(outer(n) / UDP(sport=9999, dport=4789, chksum=0) /
                                          VXLAN(vni=42) / frame(tcp4(n))),
    "vxlan gpe": lambda n: frame(tunnel(4790, n) / Raw(b"\x0c\0\0\1\0\0\1\0" + bytes(udp4(n)))),
    "geneve": lambda n: frame(tunnel(6081, n) / GENEVE(proto=0x6558) / frame(udp4(n))),
    "geneve ip6": lambda n: frame(tunnel(6081, n) / GENEVE(proto=0x86dd) / udp6(n)),
    "gtp": lambda n: frame(tunnel(2152, n) / GTP_U_Header(teid=1, gtp_type=255) / udp4(n)),
    "gtp, extension": lambda n: frame(tunnel(2152, n) / Raw(
        b"\x34\xff" + struct.pack(">HI", 8 + len(udp4(n)), 7) + b"\0\0\0\x85\x01\x10\x01\0" +
        bytes(udp4(n)))),
    "teredo": lambda n: frame(teredo(n)),
    "l2tp": lambda n: frame(tunnel(1701, n) / Raw(b"\0\2\0\1\0\2\xff\3\0\x21" +
                                                  bytes(udp4(n)))),
    "l2tp 3": lambda n: frame(IP(src=n.r, dst=n.g, proto=115) / Raw(
        b"\0\0\0\x05" + bytes(4) + bytes(frame(udp4(n))))),
    "ether ip": lambda n: frame(IP(src=n.r, dst=n.g, proto=97) / Raw(
        b"\x30\0" + bytes(frame(udp4(n))))),
    "mpls": lambda n: frame(MPLS(label=20, s=0, ttl=9) / MPLS(label=21, s=1, ttl=9) / udp4(n)),
    "mpls in udp": lambda n: frame(tunnel(6635, n) / Raw(bytes(MPLS(label=20, s=1, ttl=9)) +
                                                         bytes(udp4(n)))),
    "pseudowire": lambda n: frame(MPLS(label=20, s=1, ttl=9) / Raw(bytes(4) +
                                                                   bytes(frame(udp4(n))))),
    "pppoe": lambda n: frame(PPPoE(sessionid=1) / PPP(proto=0x21) / udp4(n)),
    "ipcp": ipcp,
    "tzsp": lambda n: frame(tunnel(37008, n) / Raw(b"\1\0\0\1\1" + bytes(frame(udp4(n))))),
    "lisp": lambda n: frame(tunnel(4341, n) / Raw(bytes(8) + bytes(udp4(n)))),
    "vlan in vxlan": lambda n: frame(tunnel(4789, n) / VXLAN(vni=42) /
                                     frame(Dot1Q(vlan=7) / ARP(psrc=n.a, pdst=n.b))),
    "snap": lambda n: Dot3(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / LLC() / SNAP() /
    udp4(n),
    "authenticated": lambda n: frame(IP(src=n.a, dst=n.b) / AH(
        nh=4, payloadlen=4, icv=bytes(12)) / udp4(n)),
    "vrrp": lambda n: frame(IP(src=n.r, dst="224.0.0.18", proto=112) / VRRP(addrlist=[n.a, n.b])),
    "ospf3": lambda n: frame(ospf3(n)),
    "pim": lambda n: frame(pim_hello(n)),
    "hip": lambda n: frame(hip(n)),
    "sctp": lambda n: frame(sctp(n)),
    "in a deep hole": lambda n: frame(outer(n) / GRE() / outer6(n) / tunnel(4789, n) / VXLAN(vni=1) /
                                      frame(IP(src=n.r, dst=n.a) / ICMP(type=3) / udp4(n))),
}


# ---- what is done with them ---------------------------------------------------------------------

def expression(options="", key=f"key='{KEY}'"):
    return f"anonymize{{{key}{options}}}"


def anonymized(daemon, folder, packets, f=expression(), link_type=1):
    source = makers.pcap(folder / "in.pcap", [(bytes(p), i * 1000) for i, p in enumerate(packets)],
                         link_type=link_type)
    done = daemon.ptctl("run", f"RdpcapSource('{source}') > TransformDrain({f!r}) > "
                        f"WrpcapSink('{folder}/out.pcap')")
    assert (folder / "out.pcap").exists(), done.err
    return [row[0] for row in makers.read(folder / "out.pcap")]


def empty(address):
    """The simplest packet there is."""
    if ":" in address:
        return frame(IPv6(src=address, dst="::", nh=59))
    return frame(IP(src=address, dst="0.0.0.0", proto=253))


def pseudonyms(daemon, folder, addresses, f=expression()):
    out = anonymized(daemon, folder, [empty(a) for a in addresses], f)
    assert len(out) == len(addresses)
    return [Ether(p).payload.src for p in out]


def test_each_place_has_the_pseudonym(daemon, tmp_path):
    named = {**FOUR, **SIX}
    before = SimpleNamespace(**named)
    after = SimpleNamespace(**dict(zip(named, pseudonyms(daemon, tmp_path, named.values()))))
    assert not set(vars(before).values()) & set(vars(after).values())
    packets = [bytes(make(before)) for make in PLACES.values()]
    wanted = [bytes(make(after)) for make in PLACES.values()]
    got = anonymized(daemon, tmp_path, packets)
    assert len(got) == len(packets)
    wrong = [f"{name}\nwas  {was.hex()}\nis   {out.hex()}\nwant {want.hex()}"
             for name, was, out, want in zip(PLACES, packets, got, wanted) if out != want]
    assert not wrong, "\n".join(wrong)


def test_wrong_and_partial_checksums_stay_so(daemon, tmp_path):
    before = SimpleNamespace(**FOUR)
    wrong = frame(udp4(before))
    wrong[UDP].chksum = 0x4321
    partial, short, right_by_chance = (Ether(bytes(frame(tcp4(before)))) for _ in range(3))

    def sum_of(p, length=True):
        pseudo = socket.inet_aton(p[IP].src) + socket.inet_aton(p[IP].dst) + struct.pack(
            ">HH", 6, (p[IP].len - 20) * length)
        return 0xffff ^ checksum(pseudo)

    def right_of(p):
        p = p.copy()
        del p[TCP].chksum
        return Ether(bytes(p))[TCP].chksum

    partial[TCP].chksum = sum_of(partial)
    short[TCP].chksum = sum_of(short, length=False)
    right_by_chance[TCP].window = 0
    missing = (0xffff ^ sum_of(partial)) + right_of(right_by_chance)
    right_by_chance[TCP].window = missing % 0xffff
    right_by_chance[TCP].chksum = right_of(right_by_chance)
    assert right_by_chance[TCP].chksum == sum_of(partial)
    one, two, three, four = map(Ether, anonymized(daemon, tmp_path, [wrong, partial, short, right_by_chance]))
    right = Ether(bytes(frame(udp4(before))))
    off = (0xffff ^ right[UDP].chksum) - (0xffff ^ 0x4321)
    was = one[UDP].chksum
    del one[UDP].chksum
    assert ((0xffff ^ Ether(bytes(one))[UDP].chksum) - (0xffff ^ was) - off) % 0xffff == 0
    assert two[TCP].chksum == sum_of(two)
    assert three[TCP].chksum == sum_of(three, length=False)
    assert four[TCP].chksum == right_of(four)


OPAQUE = {
    "ospf": lambda: frame(IP(src="192.0.2.1", dst="224.0.0.5", proto=89) / OSPF_Hdr() / OSPF_Hello()),
    "rip": lambda: frame(IP() / UDP(sport=520, dport=520) / data()),
    "bgp": lambda: frame(IP() / TCP(dport=179) / data()),
    "ldp": lambda: frame(IP() / TCP(sport=646) / data()),
    "lldp": lambda: frame(data(), type=0x88cc),
    "unknown": lambda: frame(data(), type=0x1234),
    "unknown protocol": lambda: frame(IP(proto=200) / data()),
    "no ip": lambda: frame(data(b"\x65" + bytes(40)), type=0x0800),
    "gre routes": lambda: frame(IP(proto=47) / data(b"\x40\0\x08\0" + bytes(40))),
    "vxlan without": lambda: frame(IP() / UDP(dport=4789) / data(bytes(60))),
}


def counts(daemon, engine, block):
    return next(b for b in daemon.call("engine.stats", {"engine": engine})["blocks"]
                if b["name"] == block)


@pytest.mark.parametrize("name", OPAQUE)
def test_what_cannot_be_looked_into_is_dropped_and_counted(daemon, tmp_path, name):
    packets = [frame(IP() / UDP(dport=7) / data()), OPAQUE[name](), frame(IP() / data())]
    packets[2][IP].proto = 253
    source = makers.pcap(tmp_path / "in.pcap", [(bytes(p), 0) for p in packets])
    daemon.create("e", f"t = TransformDrain({expression()!r}); RdpcapSource('{source}') > t > Sink()")
    daemon.finish("e")
    assert counts(daemon, "e", "t")["dropped"] == {"opaque": 1}
    assert counts(daemon, "e", "t")["out"] == 2
    passed = anonymized(daemon, tmp_path, packets, expression(", opaque='pass'"))
    assert len(passed) == 3 and len(passed[1]) == len(packets[1])


def test_an_unknown_link_is_opaque(daemon, tmp_path):
    assert anonymized(daemon, tmp_path, [b"\x45" + bytes(60)], link_type=189) == []
    assert anonymized(daemon, tmp_path, [b"\x45" + bytes(60)], link_type=227) != []  # CAN


def joined(n, macs, tail=b""):
    """802.11 that has joined three frames to one: each with addresses and its length, at multiples of
    four bytes."""
    body = b""
    for i, packet in enumerate([udp4(n), udp6(n), tcp4(n)]):
        inner = bytes.fromhex("aaaa03000000") + (b"\x86\xdd" if IPv6 in packet else b"\x08\0") + bytes(packet)
        body += bytes(-len(body) % 4) + macs[i] + macs[i + 1] + struct.pack(">H", len(inner)) + inner
    return b"\x88\x02\0\0" + macs[0] + macs[1] + macs[2] + b"\0\0" + b"\x80\0" + body + tail


STATIONS = [bytes.fromhex(m) for m in ("001122334455", "001122667788", "0a1122aabbcc", "0011bbccddee")]


@pytest.mark.parametrize("tail", [b"", b"\1\2\3\4"])
def test_frames_that_were_joined_are_walked_each(daemon, tmp_path, tail):
    named = {**FOUR, **SIX}
    was = SimpleNamespace(**named)
    new = SimpleNamespace(**dict(zip(named, pseudonyms(daemon, tmp_path, named.values()))))
    got, = anonymized(daemon, tmp_path, [joined(was, STATIONS, tail)], link_type=105)
    assert got == joined(new, STATIONS, tail)
    zero, = anonymized(daemon, tmp_path, [joined(was, STATIONS, tail)], expression(", payload='zero'"),
                       link_type=105)
    assert b"question" not in zero and zero.count(socket.inet_aton(new.a)) == 2
    macs, = anonymized(daemon, tmp_path, [joined(was, STATIONS)], expression(", mac=true"),
                       link_type=105)
    assert not any(m in macs for m in STATIONS)


def beacon(*elements, kind=0x80, fixed=bytes(12)):
    body = b"".join(bytes([number, len(body)]) + body for number, body in elements)
    return bytes([kind, 0, 0, 0]) + b"\xff" * 6 + STATIONS[0] * 2 + b"\0\0" + fixed + body


@pytest.mark.parametrize("packet, passes", [
    (beacon((0, b"net"), (1, b"\x82\x84"), (48, bytes(20)), (221, b"\0\x50\xf2\2\1\1")), True),
    (beacon((52, STATIONS[1] + bytes(7)), (107, b"\1" + STATIONS[2])), True),
    (beacon((101, b"".join(STATIONS[:3]))), True),
    (beacon(kind=0x20, fixed=bytes(4) + STATIONS[3]), True),     # associates with another
    (beacon(kind=0xc0, fixed=b"\7\0"), True),                    # ends
    (beacon((221, b"\0\x10\x18" + STATIONS[1])), False),         # who knows
    (beacon((201, b"\0\1\x51\1\1" + STATIONS[1])), False),
    (beacon((0, b"net"))[:-3], True),                           # what is cut off gives nothing away
    (beacon((52, STATIONS[1] + bytes(7)))[:-9], True),
    (beacon(kind=0xd0, fixed=b"\4\x0a" + STATIONS[1]), False),    # an action
    (beacon(kind=0xd0, fixed=b"\3\0\1"), True)])
def test_management_of_80211_gives_no_station_away(daemon, tmp_path, packet, passes):
    assert anonymized(daemon, tmp_path, [packet], link_type=105) == [packet]
    got = anonymized(daemon, tmp_path, [packet], expression(", mac=true"), link_type=105)
    assert [len(p) for p in got] == [len(packet)] * passes
    assert not any(station in p for station in STATIONS for p in got)


SPECIAL = ["0.0.0.0", "255.255.255.255", "127.0.0.1", "127.9.9.9", "169.254.7.8", "224.0.0.251",
           "239.255.255.250", "::", "::1", "fe80::1", "fe80::211:22ff:fe33:4455", "ff02::1", "ff0e::101"]


def test_special_addresses_stay(daemon, tmp_path):
    assert pseudonyms(daemon, tmp_path, SPECIAL) == SPECIAL


def test_what_is_embedded_in_others_is_no_secret_kept(daemon, tmp_path):
    host, server, network = pseudonyms(daemon, tmp_path, ["192.0.2.5", "192.0.2.6", "2001:db8:1:2::"])
    isatap = "fe80::5efe:" + socket.inet_ntoa(socket.inet_aton("192.0.2.5"))
    origin = ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + b"\x80\0\xf2\x27" + turned("192.0.2.6"))
    group = "ff3e:40:2001:db8:1:2::7"
    got = [ipaddress.IPv6Address(a) for a in
           pseudonyms(daemon, tmp_path, [isatap, str(origin), group])]
    assert got[0].packed[12:] == socket.inet_aton(host)
    assert got[1].packed[12:] == turned(server)
    assert got[2].packed[4:12] == ipaddress.IPv6Address(network).packed[:8]
    assert got[2].packed[:4] + got[2].packed[12:] == ipaddress.IPv6Address(group).packed[:4] + \
        ipaddress.IPv6Address(group).packed[12:]


def test_prefixes_are_kept(daemon, tmp_path):
    f = expression(", keep={'10.0.0.0/8', '192.0.2.128/25', '2001:db8::/32'}")
    kept = ["10.1.2.3", "192.0.2.200", "2001:db8:5::1"]
    others = ["11.1.2.3", "192.0.2.100", "2001:db9:5::1"]
    assert pseudonyms(daemon, tmp_path, kept, f) == kept
    assert pseudonyms(daemon, tmp_path, others, f) == pseudonyms(daemon, tmp_path, others)
    # whatever would be one that is kept is another's
    heads = [f"{i}.1.2.3" for i in range(1, 224) if i not in (10, 127)]
    plain, apart = pseudonyms(daemon, tmp_path, heads), pseudonyms(daemon, tmp_path, heads, f)
    assert any(p.startswith("10.") for p in plain)
    assert not any(p.startswith("10.") for p in apart) and len(set(apart)) == len(apart)


def test_hardware_addresses(daemon, tmp_path):
    macs = ["00:11:22:33:44:55", "00:11:22:66:77:88", "06:11:22:33:44:55"]
    packets = [Ether(src=m, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=m, hwdst="00:00:00:00:00:00")
               for m in macs]
    packets += [Ether(src=macs[0], dst="01:00:5e:00:00:01") / IP() / UDP(dport=4789) / VXLAN() /
                Ether(src=macs[1], dst=macs[0]) / IP() / UDP(dport=7),
                Ether(src=macs[0], dst="33:33:00:00:00:01") /
                IPv6(src="fe80::211:22ff:fe33:4455", dst="ff02::1") / ICMPv6ND_RA() /
                ICMPv6NDOptSrcLLAddr(lladdr=macs[0])]
    got = [Ether(p) for p in anonymized(daemon, tmp_path, packets, expression(", mac=true"))]
    new = [p.src for p in got[:3]]
    assert len(set(new)) == 3 and not set(new) & set(macs)
    assert new[0][:8] == new[1][:8] and new[0][2:8] != macs[0][2:8]
    assert [int(n[:2], 16) & 3 for n in new] == [int(m[:2], 16) & 3 for m in macs]
    assert all(p[ARP].hwsrc == p.src and p.dst == "ff:ff:ff:ff:ff:ff" for p in got[:3])
    assert got[0][ARP].hwdst == "00:00:00:00:00:00"
    inner = got[3][VXLAN].payload
    assert (got[3].src, got[3].dst) == (new[0], "01:00:5e:00:00:01")
    assert (inner.src, inner.dst) == (new[1], new[0])
    assert got[4][ICMPv6NDOptSrcLLAddr].lladdr == new[0] and got[4].dst == "33:33:00:00:00:01"
    part = bytes.fromhex(new[0].replace(":", ""))
    assert ipaddress.IPv6Address(got[4][IPv6].src).packed[8:] == \
        bytes([part[0] ^ 2]) + part[1:3] + b"\xff\xfe" + part[3:]
    assert makers.bad_checksums(tmp_path / "out.pcap") == 0


@pytest.mark.parametrize("how", ["zero", "cut"])
def test_payloads_go(daemon, tmp_path, how):
    n = SimpleNamespace(**FOUR, **SIX)
    packets = [bytes(PLACES[name](n)) for name in
               ("udp", "tcp", "udp6", "echo", "unreachable", "vxlan", "gtp", "ip6 in ip", "sctp")]
    packets.append(packets[0] + b"secrets in the padding")
    got = anonymized(daemon, tmp_path, packets, expression(f", payload='{how}'"))
    plain = anonymized(daemon, tmp_path, packets)
    for was, out in zip(plain, got):
        at = was.find(b"question")
        assert b"question" not in out and b"secrets" not in out
        if how == "cut":
            assert at < 0 or len(out) == at
        else:
            assert len(out) == len(was)
    if how == "cut":
        assert [w for _, _, w in makers.read(tmp_path / "out.pcap")] == [len(p) for p in packets]
    else:
        assert makers.bad_checksums(tmp_path / "out.pcap") == 0


def test_fragments_are_what_the_first_has_shown(daemon, tmp_path):
    n = SimpleNamespace(**FOUR, **SIX)
    plain = IP(src=n.a, dst=n.b, id=1) / UDP(sport=1000, dport=53) / Raw(bytes(range(200)))
    tunnel4 = IP(src=n.r, dst=n.g, id=2) / IP(src=n.a, dst=n.b) / UDP(sport=1, dport=2) / data()
    whole = [frame(p) for p in fragment(plain, fragsize=32)]
    small = [frame(p) for p in fragment(tunnel4, fragsize=16)]
    fine = [frame(p) for p in fragment(tunnel4, fragsize=32)]
    late = [frame(p) for p in fragment(IP(src=n.r, dst=n.g, id=3) / ICMP() / Raw(bytes(900)),
                                       fragsize=600)][1:]
    hidden = [frame(p) for p in fragment(IP(src=n.r, dst=n.g, id=4) / ICMP(type=3) / tunnel4,
                                         fragsize=24)][1:]
    assert len(anonymized(daemon, tmp_path, whole)) == len(whole)
    assert anonymized(daemon, tmp_path, small) == []
    assert len(anonymized(daemon, tmp_path, fine)) == len(fine)
    assert len(anonymized(daemon, tmp_path, late)) == 1
    assert anonymized(daemon, tmp_path, hidden) == []


def test_what_the_capture_cut_is_not_left(daemon, tmp_path):
    n = SimpleNamespace(**FOUR, **SIX)
    for name in ("udp", "arp", "unreachable", "ip in ip", "vxlan", "redirect6"):
        packet = bytes(PLACES[name](n))
        cuts = [packet[:length] for length in range(15, len(packet))]
        whole = anonymized(daemon, tmp_path, [packet])[0]
        for was, out in zip(cuts, anonymized(daemon, tmp_path, cuts, expression(", opaque='pass'"))):
            sums = [i for i in range(len(out)) if out[i] != whole[i]]
            left = [i for i in sums if out[i] == was[i] and whole[i] != packet[i]]
            # checksums may differ from those of the whole; addresses may not
            assert all(i // 2 * 2 in CHECKSUMS[name] for i in left), (name, len(out), left)


    packet = bytes(PLACES["solicitation"](n))
    cuts = [packet[:length] for length in range(15, len(packet))]
    assert not any(out[3:6] == packet[3:6] for out in anonymized(daemon, tmp_path, cuts))


CHECKSUMS = {"udp": [24, 40], "arp": [], "unreachable": [24, 36, 52, 68], "ip in ip": [24, 44, 60],
             "vxlan": [24, 40, 74, 90], "redirect6": [56, 156]}


# ---- keys ---------------------------------------------------------------------------------------

def test_keys_from_passphrases_and_files(daemon, tmp_path):
    key = hashlib.scrypt(b"correct horse", salt=b"pipetool", n=16384, r=8, p=1, dklen=32)
    wanted = pseudonyms(daemon, tmp_path, FOUR.values(), expression(key=f"key='{key.hex()}'"))
    (tmp_path / "hex").write_text(key.hex() + "\n")
    (tmp_path / "bytes").write_bytes(key)
    for member in ("passphrase='correct horse'", f"key_file='{tmp_path}/hex'",
                   f"key_file='{tmp_path}/bytes'"):
        assert pseudonyms(daemon, tmp_path, FOUR.values(), expression(key=member)) == wanted, member


def test_a_key_file_that_is_none_is_told_at_the_start(daemons, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/short").write_text("abc")
    (tmp_path / "out").write_text("0" * 64)
    daemon = daemons(config=f"[files]\nallow = {tmp_path}/in\n")
    for path, words in ((tmp_path / "in/short", "neither 64 hex digits nor 32 bytes"),
                        (tmp_path / "in/none", "no such file"),
                        (tmp_path / "out", "does not lie in a folder that may be used")):
        daemon.create("e", f"CLIFeeder() > TransformDrain(\"anonymize{{key_file='{path}'}}\") > "
                      "Sink()", start=False)
        result = daemon.ptctl("start", "e")
        assert result.code and words in result.err, result
        daemon.ok("destroy", "e")


def test_alone_it_takes_a_key_of_the_engines(daemon, tmp_path):
    source = makers.pcap(tmp_path / "in.pcap", [(bytes(empty(FOUR["a"])), 0)])
    daemon.create("e", *(f"RdpcapSource('{source}') > TransformDrain('anonymize') > QueueSink(name={n!r})"
                         for n in "pq"))
    seen = set()
    for _ in range(3):
        daemon.finish("e")
        pair = [str(daemon.client().recv("e", name, 1)) for name in "pq"]
        assert pair[0] == pair[1]
        seen.add(pair[0])
        daemon.ok("start", "e")
    assert len(seen) == 3


def test_keys_are_for_administrators(daemons, tmp_path):
    daemon = daemons(config=f"[daemon]\nviewer_socket = {tmp_path}/v.sock\n")
    f = "anonymize{passphrase='correct horse', mac=true}"
    daemon.create("e", f"t = TransformDrain(\"{f}\"); CLIFeeder() > t > Sink()")
    for verb in (["show", "e"], ["show", "e.t"], ["log", "e"], ["export", "e"], ["-j", "show", "e"],
                 ["-j", "log", "e"]):
        own = daemon.ok(*verb)
        others = run_ptctl("-s", tmp_path / "v.sock", *verb)
        assert "correct" not in others.out + others.err, verb
        if "correct horse" in own:
            assert others.code == 0 and "passphrase='***', mac=true" in others.out, verb
    assert "correct horse" in daemon.ok("export", "e")


@pytest.mark.parametrize("f, words", [
    ("anonymize{key='12'}", "64 hex digits"), ("anonymize{}", "alone takes a key of its own"),
    ("anonymize{passphrase=''}", "is a text"), ("anonymize{mca=true}", "did you mean 'mac'?"),
    (f"anonymize{{key='{KEY}', passphrase='x'}}", "not two"),
    ("anonymize{keep={'10.0.0.0/33'}}", "'10.0.0.0/33' is no prefix"),
    ("anonymize{payload='no'}", "'keep', 'zero' or 'cut'"), ("anonymize{opaque=1}", "'drop' or 'pass'"),
    ("anonymize{mac=1}", "true or false")])
def test_wrong_members_are_told(daemon, f, words):
    result = daemon.ptctl("create", "e", f"CLIFeeder() > TransformDrain({f!r}) > Sink()")
    assert result.code and words in result.err, result
