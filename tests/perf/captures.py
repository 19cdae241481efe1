# SPDX-License-Identifier: BSD-2-Clause
"""Captures for the bench: frames whose checksums are right, over and over."""
import itertools
import random
import struct


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def frame(flow, length):
    """An Ethernet frame of a UDP or TCP flow, checksums right."""
    source, target = struct.pack("!I", 0x0a000000 + flow), struct.pack("!I", 0x0a800000 + flow * 7)
    protocol = 6 if flow % 5 < 3 else 17
    size = length - 34
    if protocol == 6:
        segment = struct.pack("!HHIIBBHHH", 1024 + flow % 60000, 443, flow, 1, 0x50, 0x10, 8192, 0, 0)
    else:
        segment = struct.pack("!HHHH", 1024 + flow % 60000, 53, size, 0)
    segment += bytes(size - len(segment))
    value = checksum(source + target + struct.pack("!BBH", 0, protocol, size) + segment)
    at = 16 if protocol == 6 else 6
    segment = segment[:at] + struct.pack("!H", value or 0xffff) + segment[at + 2:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, length - 14, flow & 0xffff, 0, 64, protocol, 0) + \
        source + target
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + header + segment


def flood(number):
    """A SYN from a host that has the number, and from nobody else."""
    return SYN[:26] + struct.pack("!I", 0x0b000000 + number) + SYN[30:]


SYN = frame(0, 64)


def vxlan(inner):
    """The frame in the network 42; without a checksum, as is usual."""
    udp = struct.pack("!HHHHII", 49152, 4789, 16 + len(inner), 0, 0x08000000, 42 << 8) + inner
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + bytes([192, 0, 2, 1, 192, 0, 2, 2])
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + header + udp


def write(path, frames, packets):
    """A capture of so many packets: these over and over. Many of them are not kept in memory."""
    records = (struct.pack("<IIII", 1_600_000_000 + n // 1000, n % 1000 * 1000, len(f), len(f)) + f
               for n, f in enumerate(frames))
    first = list(itertools.islice(records, min(packets, 1 << 16)))
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        out.writelines(itertools.islice(itertools.chain(first, records, itertools.cycle(first)), packets))
    return str(path)


def make(path, packets, lengths, fill=lambda frame: frame):
    """A capture of so many packets: 16,384 flows over and over, lengths in turn."""
    return write(path, (fill(frame(n, lengths[n % len(lengths)])) for n in range(16384)), packets)


def noise(data, chance=random.Random(1)):
    """As if it was encrypted: nothing makes it shorter. Checksums are wrong then."""
    return data[:54] + chance.randbytes(len(data) - 54)
