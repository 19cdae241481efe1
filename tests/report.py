#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sums up test logs of meson: what failed, with its output, and `N passed, N failed` at the end.

Arguments: CONFIGURATION=testlog.json, or CONFIGURATION=build where the build failed.
A program that speaks TAP or is pytest counts with as many tests as it has inside.
"""
import json
import re
import sys

GOOD = ("OK", "EXPECTEDFAIL", "SKIP")
OUTPUT_MAX = 20_000


def count(entry):
    """The tests of one program: passed, failed, skipped."""
    out = entry.get("stdout", "")
    skipped = len(re.findall(r"^ok\b.*# *skip", out, re.M | re.I))
    passed = len(re.findall(r"^ok\b", out, re.M)) - skipped
    failed = len(re.findall(r"^not ok\b", out, re.M))
    pytest = re.findall(r"^=+ (.*\d+ (?:passed|failed|error|skipped|deselected).*) =+$", out, re.M)
    if pytest:
        words = dict((w, int(n)) for n, w in re.findall(r"(\d+) ([a-z]+)", pytest[-1]))
        passed = words.get("passed", 0) + words.get("xfailed", 0)
        failed = words.get("failed", 0) + words.get("error", 0) + words.get("errors", 0)
        skipped = words.get("skipped", 0)
    if not (passed or failed or skipped) and not pytest:
        passed, skipped = (0, 1) if entry["result"] == "SKIP" else (1, 0)
        if entry["result"] not in GOOD:
            passed, failed = 0, 1
    if entry["result"] not in GOOD and not failed:
        failed = 1  # a crash, a leak or a time-out after the last test
    return passed, failed, skipped


def show(name, entry):
    print(f"\n---- {name}: {entry['result']}, exit status {entry.get('returncode')}")
    for stream in ("stdout", "stderr"):
        text = entry.get(stream, "").rstrip()
        if text:
            print(text if len(text) < OUTPUT_MAX else "[…]\n" + text[-OUTPUT_MAX:])


def main(arguments):
    passed = failed = 0
    lines = []
    for argument in arguments:
        configuration, path = argument.split("=", 1)
        mine = [0, 0, 0]
        if path == "build":
            mine[1] += 1
            lines.append(f"{configuration}: the build failed")
        else:
            try:
                with open(path, encoding="utf-8") as log:
                    entries = [json.loads(line) for line in log if line.strip()]
            except FileNotFoundError:
                entries = []
            for entry in entries:
                counts = count(entry)
                mine = [a + b for a, b in zip(mine, counts)]
                if counts[1]:
                    show(f"{configuration}: {entry['name']}", entry)
            lines.append(f"{configuration}: {mine[0]} passed, {mine[1]} failed, {mine[2]} skipped")
        passed += mine[0]
        failed += mine[1]
    print()
    for line in lines:
        print(line)
    if not passed and not failed:
        print("no test was run")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
