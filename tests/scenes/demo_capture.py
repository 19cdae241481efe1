#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes a small capture, the same each time: ARP, DNS, TCP, ping; IPv4, IPv6, VLAN; three seconds."""
import ipaddress
import struct
import sys

HOST, ROUTER = b"\x02\x00\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\xfe"


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    return ipaddress.ip_address(address).packed


def network(source, target, protocol, segment, at):
    """An IPv4 or IPv6 packet; the segment's checksum goes to offset `at`."""
    a, b = packed(source), packed(target)
    covered = segment
    if protocol != 1:
        covered = a + b + struct.pack("!II", len(segment), protocol) + segment
    value = checksum(covered) or 0xffff
    segment = segment[:at] + struct.pack("!H", value) + segment[at + 2:]
    if len(a) == 16:
        return struct.pack("!IHBB", 6 << 28, len(segment), protocol, 64) + a + b + segment
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0x4242, 0x4000, 64, protocol, 0)
    header = header + a + b
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + segment


def tcp(source, target, ports, seq, ack, flags, data=b""):
    header = struct.pack("!HHIIBBHHH", *ports, seq, ack, 0x50, flags, 64240, 0, 0)
    return network(source, target, 6, header + data, 16)


def udp(source, target, ports, data):
    return network(source, target, 17, struct.pack("!HHHH", *ports, 8 + len(data), 0) + data, 6)


def ping(source, target, kind, number):
    return network(source, target, 1, struct.pack("!BBHHH", kind, 0, 0, 7, number) + b"pipetool", 2)


def dns(name, answer=None):
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    question += struct.pack("!HH", 1, 1)
    if answer is None:
        return struct.pack("!HHHHHH", 99, 0x100, 1, 0, 0, 0) + question
    return struct.pack("!HHHHHH", 99, 0x8180, 1, 1, 0, 0) + question + \
        struct.pack("!HHHIH", 0xc00c, 1, 1, 300, 4) + packed(answer)


def frame(payload, outward=True, vlan=None):
    addresses = ROUTER + HOST if outward else HOST + ROUTER
    if payload[0] >> 4 == 4:
        kind = 0x0800
    elif payload[0] >> 4 == 6:
        kind = 0x86dd
    else:
        kind = 0x0806
    tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
    return addresses + tag + struct.pack("!H", kind) + payload


def conversation(host, server, port, vlan=None):
    """A request and its answer over TCP."""
    there, back = (port, 80), (80, port)
    request = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi\n"
    a, b = 1000, 5000
    yield frame(tcp(host, server, there, a, 0, 0x02), vlan=vlan)
    yield frame(tcp(server, host, back, b, a + 1, 0x12), False, vlan)
    yield frame(tcp(host, server, there, a + 1, b + 1, 0x10), vlan=vlan)
    yield frame(tcp(host, server, there, a + 1, b + 1, 0x18, request), vlan=vlan)
    yield frame(tcp(server, host, back, b + 1, a + 1 + len(request), 0x18, answer), False, vlan)
    yield frame(tcp(host, server, there, a + 1 + len(request), b + 1 + len(answer), 0x11), vlan=vlan)
    yield frame(tcp(server, host, back, b + 1 + len(answer), a + 2 + len(request), 0x11), False, vlan)


def packets():
    host, server, resolver = "192.168.7.23", "93.184.216.34", "192.168.7.1"
    yield frame(struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + HOST + packed(host) + bytes(6) +
                packed(resolver))
    yield frame(struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + ROUTER + packed(resolver) + HOST +
                packed(host), False)
    for number in range(4):
        yield frame(udp(host, resolver, (40000 + number, 53), dns("example.org")))
        yield frame(udp(resolver, host, (53, 40000 + number), dns("example.org", server)), False)
        yield from conversation(host, server, 50000 + number)
        yield from conversation("2001:db8:7::23", "2001:db8:99::80", 51000 + number)
        yield frame(udp("2001:db8:7::23", "2001:db8:7::1", (41000 + number, 53),
                        dns("example.net")))
        yield from conversation("10.20.0.5", "10.20.0.80", 52000 + number, vlan=20)
        yield frame(ping(host, server, 8, number))
        yield frame(ping(server, host, 0, number), False)


def main(path):
    frames = list(packets())
    step = 3_000_000 // len(frames)  # microseconds
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for number, data in enumerate(frames):
            data += bytes(max(0, 60 - len(data)))
            seconds, fraction = divmod(number * step, 1_000_000)
            out.write(struct.pack("<IIII", 1_700_000_000 + seconds, fraction, len(data), len(data)))
            out.write(data)


if __name__ == "__main__":
    main(sys.argv[1])
