# SPDX-License-Identifier: BSD-2-Clause
"""Packets and capture files for the tests: made by Scapy, or byte by byte where Scapy cannot."""
import contextlib
import hashlib
import pathlib
import random
import shutil
import struct
import subprocess

from scapy.all import (ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6DestUnreach,
                       ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop,
                       Raw, RawPcapNgReader, RawPcapReader, conf)

# A frame without a destination is broadcast: nobody is asked for one on the network of this machine.
conf.neighbor.resolvers.clear()

START = 1_600_000_000


def address(chance, version):
    if version == 4:
        return ".".join(str(chance.randrange(1, 255)) for _ in range(4))
    return ":".join(f"{chance.randrange(1 << 16):x}" for _ in range(8))


def random_packet(chance):
    """A whole Ethernet frame with right checksums, as a Scapy packet."""
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        frame /= Dot1Q(vlan=chance.randrange(1, 4095), prio=chance.randrange(8))
    load = Raw(bytes(chance.randrange(256) for _ in range(chance.choice([0, 1, 7, 40, 333]))))
    kind = chance.random()
    if kind < 0.08:
        return frame / ARP(op=chance.choice([1, 2]), psrc=address(chance, 4),
                           pdst=address(chance, 4))
    if kind < 0.12:
        frame.lastlayer().type = 0x88b5
        return frame / load
    if kind < 0.6:
        network = IP(src=address(chance, 4), dst=address(chance, 4), ttl=chance.randrange(1, 256),
                     id=chance.randrange(1 << 16), tos=chance.randrange(256))
        if chance.random() < 0.2:
            network.options = [b"\x94\x04\x00\x00", b"\x01\x01\x01\x01"][:chance.randrange(1, 3)]
        icmp = ICMP(id=chance.randrange(1 << 16)) / load
        if chance.random() < 0.3:  # an error that quotes another packet
            icmp = ICMP(type=3, code=1) / IP(src=address(chance, 4), dst=address(chance, 4)) / \
                UDP(sport=1, dport=2)
    else:
        network = IPv6(src=address(chance, 6), dst=address(chance, 6), hlim=chance.randrange(1, 256),
                       fl=chance.randrange(1 << 20), tc=chance.randrange(256))
        for extension in (IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt):
            if chance.random() < 0.15:
                network /= extension()
        icmp = ICMPv6EchoRequest(id=chance.randrange(1 << 16), data=load.load)
        if chance.random() < 0.3:
            icmp = ICMPv6DestUnreach() / IPv6(src=address(chance, 6), dst=address(chance, 6)) / \
                UDP(sport=1, dport=2)
    ports = {"sport": chance.randrange(1, 1 << 16), "dport": chance.randrange(1, 1 << 16)}
    transport = chance.choice([
        TCP(**ports, seq=chance.randrange(1 << 32), flags=chance.choice(["S", "SA", "A", "FPA"]),
            options=chance.choice([[], [("MSS", 1460), ("NOP", None)]])) / load,
        UDP(**ports) / load, UDP(**ports) / load, icmp])
    if isinstance(network, IP) and isinstance(transport, UDP) and chance.random() < 0.2:
        transport[UDP].chksum = 0
    return frame / network / transport


def rewritten(frame, **fields):
    """The same frame with other fields ("ip.src"), as Scapy writes it."""
    layers = {"eth": Ether, "vlan": Dot1Q, "ip": IP, "ip6": IPv6, "tcp": TCP, "udp": UDP,
              "icmp": ICMP, "arp": ARP}
    copy = Ether(bytes(frame))
    quoted = next((layer for layer in copy.layers() if layer.__name__.endswith("error")), None)
    for name, value in fields.items():
        layer, field = name.split("_")
        found = copy.getlayer(layers[layer])
        if found is not None and (quoted is None or layers[layer] not in (TCP, UDP)):
            setattr(found, field, value)
    layer = copy
    while layer and not type(layer).__name__.endswith("error"):  # what is quoted stays as it is
        for checksum in ("chksum", "cksum"):
            none = isinstance(layer, UDP) and layer.chksum == 0 and IP in copy
            if checksum in layer.fields and not none:
                layer.delfieldval(checksum)
        layer = layer.payload
    return bytes(copy)


def has_quote(frame):
    return any(layer.__name__.endswith("error") for layer in frame.layers())


# ---- what else IP travels in --------------------------------------------------------------------

MACS = bytes.fromhex("020000000002020000000001")
SNAP = bytes.fromhex("aaaa03000000")
DATA_FRAME = bytes.fromhex("08000000" + "020000000001" * 3 + "0000")


def length(size):
    return struct.pack("!H", size)


LINKS = {  # name: (link type, what a packet of an EtherType becomes)
    "ethernet": (1, lambda t, p: MACS + t + p),
    "qinq": (1, lambda t, p: MACS + b"\x88\xa8\0\1\x91\0\0\2\x81\0\0\3" + t + p),
    "mpls": (1, lambda t, p: MACS + b"\x88\x47\0\2\0\x40\0\1\1\x40" + p),
    "snap": (1, lambda t, p: MACS + length(8 + len(p)) + SNAP + t + p),
    "backbone bridge": (1, lambda t, p: MACS + b"\x88\xe7\0\0\0\1" + MACS + t + p),
    "pppoe": (1, lambda t, p: MACS + b"\x88\x64\x11\0\0\1" + length(2 + len(p)) +
              (b"\0\x21" if t == b"\x08\0" else b"\0\x57") + p),
    "loopback": (0, lambda t, p: (b"\2" if t == b"\x08\0" else b"\x1e") + bytes(3) + p),
    "loopback, big": (108, lambda t, p: bytes(3) + (b"\2" if t == b"\x08\0" else b"\x18") + p),
    "ppp": (9, lambda t, p: b"\xff\3" + (b"\0\x21" if t == b"\x08\0" else b"\0\x57") + p),
    "hdlc": (104, lambda t, p: b"\x0f\0" + t + p),
    "fddi": (10, lambda t, p: b"\x50" + MACS + SNAP + t + p),
    "token ring": (6, lambda t, p: b"\x10\x40" + MACS + SNAP + t + p),
    "frame relay": (107, lambda t, p: b"\x18\x41\3" + (b"\xcc" if t == b"\x08\0" else b"\x8e") + p),
    "wireless": (105, lambda t, p: DATA_FRAME + SNAP + t + p),
    "radiotap": (127, lambda t, p: b"\0\0\x08\0\0\0\0\0" + DATA_FRAME + SNAP + t + p),
    "ppi": (192, lambda t, p: b"\0\0\x08\0\x69\0\0\0" + DATA_FRAME + SNAP + t + p),
    "raw": (101, lambda t, p: p),
    "cooked": (113, lambda t, p: b"\0\0\0\1\0\6\2\0\0\0\0\1\0\0" + t + p),
    "cooked 2": (276, lambda t, p: t + bytes.fromhex("0000000000010001000602000000000100") + b"\0" + p),
    "nflog": (239, lambda t, p: (b"\2" if t == b"\x08\0" else b"\x0a") + b"\0\0\0" +
              struct.pack("<HH", 4 + len(p), 9) + p),
    "infiniband": (242, lambda t, p: bytes(40) + t + b"\0\0" + p),
    "enc": (109, lambda t, p: (b"\2" if t == b"\x08\0" else b"\x18") + bytes(11) + p),
    "atm": (100, lambda t, p: SNAP + t + p),
}


def travelling(link, frames):
    """(link type, bytes of each frame's IP packet in such a link)."""
    link_type, wrap = LINKS[link]
    packets = [(f[IP] if IP in f else f[IPv6]) for f in frames if IP in f or IPv6 in f]
    return link_type, [wrap(b"\x08\0" if isinstance(p, IP) else b"\x86\xdd", bytes(p))
                       for p in packets]


# ---- files --------------------------------------------------------------------------------------

def pcap(path, packets, order="<", ns=False, link_type=1, snaplen=262144):
    """packets: (bytes, time in ns[, length on the wire])."""
    magic = 0xa1b23c4d if ns else 0xa1b2c3d4
    with open(path, "wb") as out:
        out.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link_type))
        for data, time_ns, *wire in packets:
            fraction = time_ns % 10 ** 9
            out.write(struct.pack(order + "IIII", time_ns // 10 ** 9,
                                  fraction if ns else fraction // 1000, len(data),
                                  wire[0] if wire else len(data)) + data)
    return str(path)


def block(order, kind, body):
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def option(order, code, value):
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def pcapng(path, packets, interfaces=((1, 6, 0),), order="<", late=False):
    """packets: (bytes, time in ns, interface); interfaces: (link type, resolution, offset in s).

    A resolution of 128 + n is a power of two. `late`: an interface is described just before its
    first packet.
    """
    def interface(number):
        link_type, resolution, offset = interfaces[number]
        options = option(order, 9, bytes([resolution])) + option(order, 2, b"if%d" % number)
        if offset:
            options += option(order, 14, struct.pack(order + "q", offset))
        return block(order, 1, struct.pack(order + "HHI", link_type, 0, 0) + options +
                     option(order, 0, b""))

    def ticks(time_ns, number):
        _, resolution, offset = interfaces[number]
        time_ns -= offset * 10 ** 9
        if resolution & 128:
            return (time_ns << (resolution & 127)) // 10 ** 9
        return time_ns * 10 ** resolution // 10 ** 9

    with open(path, "wb") as out:
        out.write(block(order, 0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1) +
                        option(order, 1, b"a comment") + option(order, 0, b"")))
        described = 0
        if not late:
            described = len(interfaces)
            for number in range(described):
                out.write(interface(number))
        for data, time_ns, number, *wire in packets:
            while described <= number:
                out.write(interface(described))
                described += 1
            when = ticks(time_ns, number)
            out.write(block(order, 6, struct.pack(order + "IIIII", number, when >> 32,
                                                  when & 0xffffffff, len(data),
                                                  wire[0] if wire else len(data)) + data))
        out.write(block(order, 5, struct.pack(order + "III", 0, 0, 0)))
    return str(path)


def compressed(path, how):
    """The file, compressed by the usual tool; returns the new name."""
    if how == "gz":
        tool = ["gzip", "-k", "-f", path]
    elif how == "zst":
        tool = ["zstd", "-q", "-f", path, "-o", path + ".zst"]
    else:
        tool = ["lz4", "-q", "-f", path, path + ".lz4"]
    assert shutil.which(tool[0]), f"{tool[0]} is missing"
    subprocess.run(tool, check=True)
    return f"{path}.{how}"


def some_packets(count=50, seed=7):
    """(bytes, time in ns) of random frames, a millisecond and a bit apart."""
    chance = random.Random(seed)
    return [(bytes(random_packet(chance)), (START * 10 ** 9) + n * 1_001_003)
            for n in range(count)]


def read(path):
    """(bytes, time in ns, length on the wire) of each packet, as Scapy reads them."""
    with open(path, "rb") as file:
        reader = RawPcapNgReader if file.read(4) == b"\x0a\x0d\x0d\x0a" else RawPcapReader
    with contextlib.closing(reader(str(path))) as packets:
        return [(data, nanoseconds(packets, meta), meta.wirelen) for data, meta in packets]


def nanoseconds(reader, meta):
    if isinstance(reader, RawPcapNgReader):
        return ((meta.tshigh << 32) + meta.tslow) * 10 ** 9 // int(meta.tsresol)
    return meta.sec * 10 ** 9 + meta.usec * (1 if reader.nano else 1000)


TOLD = {}  # by a file's bytes and the options


def tshark(path, *fields, arguments=()):
    """The fields of each packet, as tshark reads them; checksums are validated. Of the same bytes it says the same,
    and takes its time to begin: so it is asked once."""
    options = ["-n", "-T", "fields", "-E", "occurrence=a", "-o", "ip.check_checksum:TRUE",
               "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", *arguments]
    for field in fields:
        options += ["-e", field]
    key = hashlib.sha256(pathlib.Path(path).read_bytes()).digest(), *options
    if key not in TOLD:
        TOLD[key] = subprocess.run(["tshark", "-r", str(path), *options], capture_output=True, text=True,
                                   check=True).stdout
    return [line.split("\t") for line in TOLD[key].splitlines()]


def counts(files):
    """How many packets each of many files has, which must be whole."""
    told = subprocess.run(["capinfos", "-T", "-r", "-c", "-M", *files], stdout=subprocess.PIPE, text=True, check=True)
    found = [int(line.split("\t")[1]) for line in told.stdout.splitlines()]
    assert len(found) == len(files)
    return found


def bad_checksums(path):
    """How many packets have a checksum that tshark finds wrong."""
    command = ["tshark", "-n", "-r", str(path), "-o", "ip.check_checksum:TRUE",
               "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
               "-Y", "ip.checksum.status==0 || tcp.checksum.status==0 || udp.checksum.status==0"
                     " || icmp.checksum.status==0 || icmpv6.checksum.status==0"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return len(out.splitlines())


def tcpdump(path):
    """One line a packet, as tcpdump reads the file."""
    done = subprocess.run(["tcpdump", "-n", "-tt", "-r", str(path)], capture_output=True, text=True,
                          check=True)
    return [line for line in done.stdout.splitlines() if not line[0].isspace()]


