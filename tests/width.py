#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Code is read side by side: no line of it is over 100 columns, where a tab goes to the next eighth."""
import pathlib
import sys

WIDE = 100

top = pathlib.Path(__file__).resolve().parent.parent
files = [top / "dev", top / ".ci/run"] + sorted(
    path for folder in ("lib", "daemon", "ctl", "docs", "examples", "tests")
    for pattern in ("*.[ch]", "*.c.in", "*.sh") for path in (top / folder).rglob(pattern))
bad = [f"{path.relative_to(top)}:{number}: {len(line.expandtabs(8))} columns" for path in files
       for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
       if len(line.expandtabs(8)) > WIDE]
print(*bad, sep="\n")
sys.exit(bool(bad))
