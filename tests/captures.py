#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tries the programs on every capture of a folder, and says what was not as it should be.

captures.py FOLDER [--build BUILD] [--without WHAT…] [--verbose]

Each capture is read and written, and must be what libpcap (of several link types tshark) reads:
times, lengths, bytes. Rewritten and anonymized, it must keep its packets and lengths; IP must be
found wherever tshark finds it; a checksum that tshark finds good must not be bad then; no address
may be left in what is no payload of an application. Failures are told by kind and file, and the
exit status is 1. What is no capture, or is damaged for everybody, is skipped and counted.
--without read, set or anonymize leaves that out. BUILD is $PIPETOOL_BUILD, or the programs are
$PT_DAEMON and $PT_CTL. Link types, packets and damage of any kind are welcome.
"""
import argparse
import collections
import contextlib
import ctypes
import ctypes.util
import functools
import ipaddress
import math
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
from fractions import Fraction

KEY = "0123456789abcdef" * 4
SOURCE, SOURCE6 = "198.51.100.1", "2001:db8:ffff::1"
PACKETS_AT_ONCE = 20000
PATIENCE = 600  # seconds for what takes one: only what hangs gets there
OPTIONS = [word for name in ("ip.check_checksum:TRUE", "tcp.check_checksum:TRUE",
                             "udp.check_checksum:TRUE", "ip.defragment:FALSE",
                             "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE")
           for word in ("-o", name)]
OUTER = ("ip.src", "ipv6.src")  # none is asked for twice: tshark would tell it once
PAYLOADS = ("tcp.payload", "udp.payload")
Packet = collections.namedtuple("Packet", "time_ns data wire link_type")


# ---- the programs -------------------------------------------------------------------------------

class Programs:
    """A pipetoold of its own, and ptctl."""

    def __init__(self, daemon, ctl, folder):
        self.ctl, self.socket = ctl, folder / "control"
        for name in ("engines", "state"):
            (folder / name).mkdir()
        self.log = open(folder / "log", "w+")
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ready.bind(str(folder / "ready"))
        ready.settimeout(PATIENCE)
        self.process = subprocess.Popen(
            [daemon, "--socket", self.socket, "--engines", folder / "engines", "--state",
             folder / "state"], stdout=self.log, stderr=subprocess.STDOUT,
            env=dict(os.environ, NOTIFY_SOCKET=str(folder / "ready")))
        while b"READY=1" not in ready.recv(4096):
            pass
        ready.close()

    def run(self, *text):
        return subprocess.run([self.ctl, "run", *text], capture_output=True, text=True,
                              errors="replace", timeout=PATIENCE,
                              env=dict(os.environ, PIPETOOL_SOCKET=str(self.socket)))

    def ended(self):
        """How, if it has; else None."""
        if self.process.poll() is None:
            return None
        self.log.seek(0)
        return f"pipetoold ended with {self.process.returncode}: {self.log.read()[-2000:]}"

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.log.close()


# ---- captures -----------------------------------------------------------------------------------

def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def write(path, packets):
    """A pcapng in which the n-th packet has the time n, so that it can be found again."""
    links = {link_type: n for n, link_type in enumerate(dict.fromkeys(p.link_type for p in packets))}
    with open(path, "wb") as out:
        out.write(block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)))
        for link_type in links:
            out.write(block(1, struct.pack("<HHIHHBxxxHH", link_type, 0, 0, 9, 1, 9, 0, 0)))
        for n, p in enumerate(packets):
            out.write(block(6, struct.pack("<IIIII", links[p.link_type], n >> 32, n & 0xffffffff,
                                           len(p.data), p.wire) + p.data))


def read(path):
    """What the programs wrote: a pcapng in little endian."""
    data, at, links, packets = pathlib.Path(path).read_bytes(), 0, [], []
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8:at + length - 4]
        if kind == 1:
            links.append((struct.unpack_from("<H", body)[0], *clock(body[8:])))
        elif kind == 0x0a0d0d0a:
            links = []
        elif kind == 6:
            interface, high, low, captured, wire = struct.unpack_from("<IIIII", body)
            link_type, unit, offset = links[interface]
            packets.append(Packet(math.floor((high << 32 | low) * unit) + offset, body[20:20 + captured], wire,
                                  link_type))
        elif kind == 3:
            wire, = struct.unpack_from("<I", body)
            packets.append(Packet(0, body[4:4 + wire], wire, links[0][0]))
        at += length
    return packets


def clock(options):
    """Nanoseconds of an interface's unit of time, and those from which it counts."""
    at, unit, offset = 0, 1000, 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from("<HH", options, at)
        value = options[at + 4:at + 4 + length]
        if code == 9:
            base, exponent = (2, value[0] & 127) if value[0] & 128 else (10, value[0])
            unit = Fraction(10 ** 9, base ** exponent)
        elif code == 14:
            offset = struct.unpack("<q", value)[0] * 10 ** 9
        at += 4 + (length + 3) // 4 * 4
    return unit, offset


# ---- judges -------------------------------------------------------------------------------------

class Header(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("fraction", ctypes.c_long),
                ("captured", ctypes.c_uint32), ("wire", ctypes.c_uint32)]


@functools.cache
def libpcap():
    lib = ctypes.CDLL(ctypes.util.find_library("pcap"))
    lib.pcap_open_offline_with_tstamp_precision.restype = ctypes.c_void_p
    return lib


def read_by_libpcap(path):
    """(packets as (time in ns, bytes, length on the wire), whether the file was whole), or None."""
    lib, words = libpcap(), ctypes.create_string_buffer(256)
    handle = lib.pcap_open_offline_with_tstamp_precision(os.fsencode(path), 1, words)
    if not handle:
        return None
    handle = ctypes.c_void_p(handle)
    header, data, packets = ctypes.POINTER(Header)(), ctypes.POINTER(ctypes.c_ubyte)(), []
    while (code := lib.pcap_next_ex(handle, ctypes.byref(header), ctypes.byref(data))) == 1:
        h = header.contents
        packets.append((h.seconds * 10 ** 9 + h.fraction, ctypes.string_at(data, h.captured), h.wire))
    lib.pcap_close(handle)
    return packets, code == -2


def tshark(path, fields):
    """For each packet a list of lists: the fields' values."""
    command = ["tshark", "-n", *OPTIONS, "-r", str(path), "-T", "fields", "-E", "occurrence=a",
               "-E", "aggregator=;"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace",
                          timeout=PATIENCE)
    rows = done.stdout.split("\n")[:-1]
    return [[value.split(";") if value else [] for value in row.split("\t")] for row in rows]


@functools.cache
def known_fields():
    """(those that tell of a checksum whether it is good, hardware addresses, addresses in what is no
    payload)"""
    layers = {"ip", "ipv6", "arp", "icmp", "icmpv6", "igmp", "pim", "vrrp", "ospf", "gre", "nhrp",
              "mip6", "hip", "gtp", "sctp"}
    links = {"eth", "arp", "sll", "wlan", "fddi", "tr", "icmpv6"}
    judged = {"ip", "tcp", "udp", "udplite", "icmp", "icmpv6", "igmp", "dccp", "ospf", "pim", "vrrp",
              "mip6", "hip", "sctp"}
    done = subprocess.run(["tshark", "-G", "fields"], capture_output=True, text=True, check=True)
    rows = [row.split("\t") for row in done.stdout.splitlines() if row.startswith("F\t")]
    statuses = [row[2] for row in rows if row[2].endswith("checksum.status") and
                row[2].split(".")[0] in judged]
    macs = [row[2] for row in rows if row[3] == "FT_ETHER" and row[2].split(".")[0] in links]
    return (statuses, macs, [row[2] for row in rows if row[3] in ("FT_IPv4", "FT_IPv6") and
                             row[2].split(".")[0] in layers and row[2] not in OUTER])


# ---- what is tried ------------------------------------------------------------------------------

class Trial:
    def __init__(self, programs, folder, without):
        self.programs, self.folder, self.without = programs, folder, without
        self.failures = collections.defaultdict(list)  # by kind: (file, words)
        self.counts = collections.Counter()
        self.origins, self.packets = [], []  # of packets that wait to be rewritten

    def fail(self, kind, file, words):
        self.failures[kind].append((file, words))

    def capture(self, path):
        """Reads one, and keeps its packets."""
        copy = self.folder / "copy.pcapng"
        copy.unlink(missing_ok=True)
        done = self.programs.run(f"RdpcapSource({quoted(path)}) > WrpcapSink({quoted(copy)}, "
                                 "format='pcapng')")
        if words := self.programs.ended():
            self.fail("crash", path, words)
            raise SystemExit(words)
        judge = read_by_libpcap(path)
        packets = read(copy) if copy.exists() else []
        if not packets and not (judge and judge[0]):
            self.counts["no capture, or empty"] += 1
            return
        self.counts["captures"] += 1
        self.counts["packets"] += len(packets)
        if judge and "read" not in self.without:
            self.compare(path, [p[:3] for p in packets], *judge, done)
        self.origins += [(path, n + 1) for n in range(len(packets))]
        self.packets += packets
        if len(self.packets) >= PACKETS_AT_ONCE:
            self.flush()

    def compare(self, path, ours, theirs, whole, done):
        if whole and done.returncode:
            self.fail("read", path, done.stderr.strip())
        short = min(len(ours), len(theirs))
        if len(ours) < len(theirs) or (whole and len(ours) != len(theirs)):
            self.fail("read", path, f"{len(ours)} packets, libpcap reads {len(theirs)}")
        for number in range(short):
            (time_ns, data, wire), (their_time, their_data, their_wire) = ours[number], theirs[number]
            # its seconds, and their fraction, be it none, have 32 bits with a sign
            turns, rest = divmod(time_ns - their_time, 1 << 32)
            turned = rest or min(turns % 10 ** 9, -turns % 10 ** 9) not in (0, 1, 1000)
            if turned or wire != max(their_wire, len(data)):
                self.fail("read", path, f"packet {number + 1}: at {time_ns} of {wire} bytes, "
                          f"libpcap reads {their_time} and {their_wire}")
                return
            if not data.startswith(their_data):  # of more than the file's limit it gives less
                self.fail("read", path, f"packet {number + 1} has other bytes")
                return

    def flush(self):
        """Rewrites all that waits at once, since tshark takes its time to begin."""
        if not self.packets or {"set", "anonymize"} <= self.without:
            self.origins, self.packets = [], []
            return
        files = {name: self.folder / f"{name}.pcapng" for name in ("in", "set", "anonymize")}
        for path in files.values():
            path.unlink(missing_ok=True)
        write(files["in"], self.packets)
        functions = {"set": f"set{{['ip.src']='{SOURCE}', ['ip6.src']='{SOURCE6}'}}",
                     "anonymize": f"anonymize{{key='{KEY}'}}"}
        before = tshark(files["in"], ["frame.protocols", *OUTER, *PAYLOADS,
                                      *(name for names in known_fields() for name in names)])
        for name, function in functions.items():
            if name not in self.without:
                self.rewrite(name, function, files, before)
        self.origins, self.packets = [], []

    def rewrite(self, name, function, files, before):
        statuses, macs, _ = known_fields()
        done = self.programs.run(
            f"RdpcapSource({quoted(files['in'])}) > TransformDrain({quoted(function)}) > "
            f"WrpcapSink({quoted(files[name])}, format='pcapng')")
        if words := self.programs.ended() or (name == "set" and done.returncode and done.stderr):
            self.fail(name, f"{self.origins[0][0]} to {self.origins[-1][0]}", words)
            return
        packets = read(files[name])
        after = tshark(files[name], [*OUTER, *statuses])
        self.counts[f"dropped by {name}"] += len(self.packets) - len(packets)
        if name == "set" and len(packets) != len(self.packets):
            self.fail(name, f"{self.origins[0][0]} to {self.origins[-1][0]}",
                      f"{len(packets)} of {len(self.packets)} packets")
        for packet, row in zip(packets, after):
            n = packet.time_ns
            told = before[n]
            if (len(packet.data), packet.wire) != (len(self.packets[n].data), self.packets[n].wire):
                self.packet_failed(f"{name}: length", n, f"{len(packet.data)}, {packet.wire}")
            self.judge_checksums(name, n, statuses, told[5:], row[2:])
            if name == "set":
                self.judge_source(n, told, row)
            else:
                behind = told[5 + len(statuses):]
                self.judge_addresses(n, told, packet.data, behind[:len(macs)], behind[len(macs):])

    def packet_failed(self, kind, n, words):
        path, number = self.origins[n]
        self.fail(kind, path, f"packet {number}: {words}")

    def judge_checksums(self, name, n, statuses, before, after):
        GOOD, BAD = "1", "0"
        for status, old, new in zip(statuses, before, after):
            if any(a == GOOD and b == BAD for a, b in zip(old, new)):
                self.packet_failed(f"{name}: checksum", n, f"{status} was {old}, is {new}")

    def judge_source(self, n, told, row):
        """The outermost IP header has another address, if it is there as a whole."""
        layers = [layer for value in told[0] for layer in value.split(":")]
        outer = next((layer for layer in layers if layer in ("ip", "ipv6")), None)
        (before, after, wanted, behind) = (told[1], row[0], SOURCE, 8) if outer == "ip" else \
            (told[2], row[1], SOURCE6, 32)
        if not outer or not before or wanted in after[:1]:
            return
        at = self.packets[n].data.find(ipaddress.ip_address(before[0]).packed)
        if 0 <= at <= len(self.packets[n].data) - behind:  # else it is put together, or cut
            self.packet_failed("set: IP not found", n, f"{':'.join(layers)} {after}")

    def judge_addresses(self, n, told, data, macs, addresses):
        """None is left where it stood, but in hardware addresses, which stay, and in the payload of
        the innermost transport layer: of TCP the outermost, since nothing looks into that."""
        if is_carp(told[0], self.packets[n].data):
            return
        payload = [bytes.fromhex(p) for p in told[3][:1] or told[4][-1:]]
        old = self.packets[n].data
        for mac in {m for values in macs for m in values}:
            old = old.replace(bytes.fromhex(mac.replace(":", "")), b"\xff" * 6)
        end = self.packets[n].data.rfind(payload[0]) if payload else -1
        end = len(old) if end < 0 else end
        for address in {a for values in addresses for a in values}:
            ip = ipaddress.ip_address(address)
            raw = ip.packed
            if is_special(ip):
                continue
            at = old.find(raw, 0, end)
            while at >= 0:
                if data[at:at + len(raw)] == raw:
                    self.packet_failed("anonymize: address", n, f"{address} at {at}: "
                                       f"{':'.join(told[0])}")
                    return
                at = old.find(raw, at + 1, end)

    def report(self, verbose):
        for what, count in self.counts.items():
            print(f"{count:9} {what}")
        for kind, found in sorted(self.failures.items()):
            print(f"{len(found):9} failures: {kind}")
            shown = found if verbose else list({file: (file, words) for file, words in found}.values())
            for file, words in shown if verbose else shown[:20]:
                print(f"          {file}: {words}")


def is_special(ip):
    """What stays what it is, and what any bytes may be."""
    return (ip.is_multicast or ip.is_link_local or ip.is_loopback or ip.is_unspecified or
            ip == ipaddress.ip_address("255.255.255.255") or len(set(ip.packed)) < 3)


def is_carp(protocols, data):
    """It has VRRP's number, for which tshark takes it: a digest of seven words in place of
    addresses."""
    return protocols[:1] and protocols[0].endswith(":vrrp") and data[-36:-32] == b"\x21" + data[-35:-33] + b"\7"


def quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def programs():
    build = os.environ.get("PIPETOOL_BUILD", "build")
    return (os.environ.get("PT_DAEMON", f"{build}/daemon/pipetoold"),
            os.environ.get("PT_CTL", f"{build}/ctl/ptctl"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--build", help="the build directory with the programs")
    parser.add_argument("--without", nargs="+", default=[], choices=["read", "set", "anonymize"])
    parser.add_argument("--verbose", action="store_true", help="tell every failure")
    options = parser.parse_args()
    if options.build:
        os.environ["PIPETOOL_BUILD"] = options.build
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as end:
        folder = pathlib.Path(folder)
        running = Programs(*programs(), folder)
        end.callback(running.end)
        trial = Trial(running, folder, set(options.without))
        for path in sorted(p for p in options.folder.rglob("*") if p.is_file()):
            trial.capture(path.resolve())
        trial.flush()
        trial.report(options.verbose)
    sys.exit(1 if trial.failures else 0)


if __name__ == "__main__":
    main()
