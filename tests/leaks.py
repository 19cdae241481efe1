#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Anonymizes all captures of a folder, and has tshark say what is left of their addresses in headers,
and which checksums became bad.

    tests/leaks.py PTCTL PIPETOOLD FOLDER [NAME…]

A line for each fault; the exit status is 1 if there are any."""
import collections
import ipaddress
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

# Protocols that the walk looks into; of others tshark's addresses are an application's.
LAYERS = ("ip ipv6 icmp icmpv6 arp igmp vrrp sctp mip6 gtp teredo ipcp lcp gre erspan vxlan geneve "
          "mptcp tcp mldv2 mld mipv6 ah ospf pim eigrp isis lldp cdp rip ripng hsrp ldp bgp bgp nhrp "
          "sflow cflow gtpv2 pfcp capwap lisp rsvp wccp hip shim6 igrp egp vtp etherip").split()
# What tshark makes of other fields, or of what is not in the packet.
DERIVED = {"ip.host", "ip.src_host", "ip.dst_host"}
SUMS = ("ip.checksum.status tcp.checksum.status udp.checksum.status icmp.checksum.status "
        "icmpv6.checksum.status igmp.checksum.status sctp.checksum.status vrrp.checksum.status "
        "gre.checksum.status mip6.csum.status icmp.ext.checksum.status udplite.checksum.status "
        "dccp.checksum.status").split()
CHECKS = [word for name in ("ip.check_checksum", "tcp.check_checksum", "udp.check_checksum",
                            "sctp.checksum:SCTP", "ip.defragment:FALSE", "ipv6.defragment:FALSE",
                            "tcp.desegment_tcp_streams:FALSE")
          for word in ("-o", name if ":" in name and name.split(":")[1] == "FALSE"
                       else "sctp.checksum:CRC-32c" if name.startswith("sctp") else name + ":TRUE")]
# What TCP carries is an application's, which some write whole packets in.
CHECKS += ["--disable-protocol", "openflow"]
KEY = "0123456789abcdef" * 4


def fields():
    rows = subprocess.run(["tshark", "-G", "fields"], capture_output=True, text=True).stdout
    found, known = [], set()
    for row in rows.splitlines():
        part = row.split("\t")
        if part[0] == "F":
            known.add(part[2])
            if part[3] in ("FT_IPv4", "FT_IPv6") and part[2].split(".")[0] in LAYERS:
                if part[2] not in DERIVED and not part[2].startswith(("ip.geoip", "ipv6.geoip")):
                    found.append(part[2])
    return sorted(set(found)), [s for s in SUMS if s in known]


def tshark(path, names):
    """For each packet a list of lists of values, one for each field."""
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=a", "-E",
               "separator=/t", "-E", "aggregator=,", *CHECKS]
    for name in names:
        command += ["-e", name]
    out = subprocess.run(command, capture_output=True, text=True, errors="replace").stdout
    return [[v.split(",") if v else [] for v in line.split("\t")] for line in out.splitlines()]


def is_special(text):
    a = ipaddress.ip_address(text)
    if a.version == 6 and int(a) >> 32 == 0:
        return True
    return (a.is_multicast or a.is_link_local or a.is_loopback or a.is_unspecified or
            text == "255.255.255.255")


def packets(path):
    data, at, out = pathlib.Path(path).read_bytes(), 0, []
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == 6:
            captured = struct.unpack_from("<I", data, at + 20)[0]
            out.append(data[at + 28:at + 28 + captured])
        at += size
    return out


def subsequence(few, many):
    """Which of `many` are not in `few`, that has the others in order."""
    missing, i = set(), 0
    for n, packet in enumerate(many):
        if i < len(few) and few[i] == packet:
            i += 1
        else:
            missing.add(n)
    return missing if i == len(few) else None


class Check:
    def __init__(self, ctl, daemon, folder):
        self.ctl, self.folder = ctl, folder
        self.socket = os.path.join(folder, "s")
        self.daemon = subprocess.Popen(
            [daemon, "--socket", self.socket, "--engines", folder, "--state", folder + "/state"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addresses, self.sums = fields()
        self.counts = collections.Counter()

    def run(self, source, target, options):
        text = 'RdpcapSource("%s") > TransformDrain("anonymize{key=\'%s\'%s}") > ' \
               'WrpcapSink("%s", format="pcapng")' % (source, KEY, options, target)
        return subprocess.run([self.ctl, "--socket", self.socket, "run", text],
                              capture_output=True, text=True, timeout=120)

    def file(self, path):
        passed, dropped = self.folder + "/passed.pcapng", self.folder + "/dropped.pcapng"
        same = self.folder + "/same.pcapng"
        for old in (passed, dropped, same):
            pathlib.Path(old).unlink(missing_ok=True)
        done = self.run(path, passed, ", opaque='pass'")
        self.run(path, dropped, "")
        text = 'RdpcapSource("%s") > WrpcapSink("%s", format="pcapng")' % (path, same)
        subprocess.run([self.ctl, "--socket", self.socket, "run", text], capture_output=True)
        if not all(os.path.exists(p) for p in (passed, dropped, same)):
            self.counts["unreadable"] += 1
            return ["cannot be read: " + done.stderr.strip().replace("\n", " ")[-200:]] \
                if "-v" in sys.argv else []
        return self.compare(same, passed, dropped)

    def compare(self, same, passed, dropped):
        before = tshark(same, self.addresses + self.sums)
        after = tshark(passed, self.addresses + self.sums)
        missing = subsequence(packets(dropped), packets(passed))
        faults = []
        if missing is None:
            return ["what is not opaque is not the same"]
        if len(before) != len(after):
            return ["%d packets, then %d" % (len(before), len(after))]
        self.counts["packets"] += len(before)
        self.counts["opaque"] += len(missing)
        for n, (b, a) in enumerate(zip(before, after)):
            faults += self.packet(n, b, a, n in missing)
        return faults

    def packet(self, n, before, after, is_opaque):
        faults, size = [], len(self.addresses)
        was = {}
        for name, values in zip(self.addresses, before):
            for v in values:
                was.setdefault(v, name)
        for name, values in zip(self.addresses, after):
            if name == "vrrp.ip_addr" and len(values) == 7:
                continue  # CARP's digest, taken for addresses
            for v in values:
                if v in was and not is_special(v) and not is_opaque:
                    faults.append("packet %d: %s %s is left" % (n + 1, name, v))
        for name, b, a in zip(self.sums, before[size:], after[size:]):
            if b != a and not is_opaque:
                faults.append("packet %d: %s was %s, is %s" % (n + 1, name, b, a))
        return faults


def main():
    ctl, daemon, folder, *names = [a for a in sys.argv[1:] if a != "-v"]
    files = sorted(p for p in pathlib.Path(folder).resolve().rglob("*") if p.is_file())
    bad = 0
    with tempfile.TemporaryDirectory() as scratch:
        check = Check(os.path.abspath(ctl), os.path.abspath(daemon), scratch)
        while not os.path.exists(check.socket) and check.daemon.poll() is None:
            pass
        try:
            for path in files:
                if names and not any(name in str(path) for name in names):
                    continue
                faults = check.file(path)
                bad += bool(faults)
                for fault in faults[:8]:
                    print("%s: %s" % (path.relative_to(pathlib.Path(folder).resolve()), fault), flush=True)
        finally:
            check.daemon.terminate()
            check.daemon.wait()
        print("%d files with faults; %s" % (bad, dict(check.counts)))
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
