#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Copies captures through RdpcapSource > WrpcapSink to pcapng, and tells where capinfos or tshark -V see a
difference: tests/pcapng.py [--build FOLDER] FILE-OR-FOLDER..."""

import argparse
import difflib
import pathlib
import re
import subprocess
import sys
import tempfile

MAGIC = b"\x0a\x0d\x0d\x0a"
OTHERS = re.compile(r"^(File name|File size|SHA|RIPEMD|MD5|File type|    +\[Time|Data size|Data |Average)")
UNZIP = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd", b"\x04\x22": "lz4"}


def is_pcapng(path):
    with open(path, "rb") as file:
        head = file.read(4)
    if head[:2] in UNZIP:
        out = subprocess.run([UNZIP[head[:2]], "-dc", path], capture_output=True).stdout
        return out[:4] == MAGIC
    return head == MAGIC


def told(*command):
    done = subprocess.run(command, capture_output=True)
    return done.returncode, done.stdout.decode("utf-8", "replace").splitlines()


def capinfos(path):
    code, lines = told("capinfos", path)
    return code, [line for line in lines if not OTHERS.match(line)]


def tshark(path):
    return told("tshark", "-n", "-V", "-r", str(path))


def differences(one, other, look):
    (code, was), (again, now) = look(one), look(other)
    if code:
        return []  # the tool takes no such file
    lines = [line for line in difflib.unified_diff(was, now, lineterm="", n=0) if line[:2] not in ("--", "++", "@@")]
    return lines or ([f"{look.__name__} ends with {again}"] if again else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=pathlib.Path(__file__).resolve().parent.parent / "build" / "gcc",
                        type=pathlib.Path)
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    files = [f for p in options.paths for f in (sorted(p.rglob("*")) if p.is_dir() else [p]) if f.is_file()]
    tried = bad = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "copy.pcapng"
        for path in filter(is_pcapng, files):
            tried += 1
            copy.unlink(missing_ok=True)
            run = subprocess.run([options.build / "ctl" / "ptctl", "run", "--private",
                                  f'RdpcapSource("{path}") > WrpcapSink("{copy}")'], capture_output=True, text=True)
            lines = differences(path, copy, capinfos) + differences(path, copy, tshark) if copy.exists() else []
            if lines or not copy.exists():
                bad += 1
                print(f"{path}: {run.stderr.strip()[-200:]}", *lines[:12], sep="\n    ")
    print(f"{tried} files, {bad} with differences")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
