#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What docs/architecture.md names is there: `function` in `folder/file.c`, or `function` there,
the file that was named last; and every file."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).parents[1]
PAGE = TOP / "docs/architecture.md"
FILE = r"`([a-z_]+/[a-z_./]+\.(?:[chly]|py|sh|def|md))`"
NAMED = re.compile(r"`([a-z_]+)`(?:,? and `([a-z_]+)`)?\s+(?:in\s+" + FILE + "|there)|" + FILE)


def exists(path):
    return [place for place in (TOP / path, TOP / "lib" / path) if place.exists()]


def defines(text, function):
    return re.search(r"^[a-z][a-z0-9_ *]*[ *]" + function + r"\(", text, re.M)


def faults(text):
    place = None
    for match in NAMED.finditer(text):
        *functions, named, alone = match.groups()
        path = named or alone
        line = text[:match.start()].count("\n") + 1
        if path:
            place = exists(path)
            if not place:
                yield line, f"there is no {path}"
                continue
        for function in filter(None, functions):
            if not place or not defines(place[0].read_text(), function):
                yield line, f"no function {function} in {path or place}"


found = list(faults(PAGE.read_text()))
for line, words in found:
    print(f"{PAGE.relative_to(TOP)}:{line}: {words}")
names = len(NAMED.findall(PAGE.read_text()))
assert names > 25, f"only {names} names: is the page written in another way?"
sys.exit(bool(found))
