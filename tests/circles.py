#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""No circle of files: a header with its own .c is one, and includes are its arrows.

Across folders there is none. Inside a folder there are those below: files that are one noun, which
is said here; another file that joins one fails, and one of which nothing is left."""
import pathlib
import re
import sys

NOUNS = [
    # the sandbox, and the message at hand in it
    "script/lua_copy script/lua_message script/sandbox",
    # a writer: its queue, and what its thread does
    "base/writer base/writer_inside",
    # native operations, of which one is long
    "script/anonymize script/native",
    # messages: their memory, and where they came from
    "msg/origin msg/pool",
    # files of one value or of many, and how those go on
    "capture/split capture/split_exact",
    # a graph, and what was found out about it, which it keeps
    "graph/graph graph/order graph/ways",
    # parameters, what their kinds do, and what is wrong with a value
    "type/kind type/param type/param_fault",
    # an engine that runs: what it delivers, is asked, changes and tells
    "engine/block engine/carry engine/change engine/counts engine/cut engine/deliver engine/engine "
    "engine/flow engine/hand engine/ledger engine/picture engine/request engine/resume engine/revive "
    "engine/sample engine/step engine/swap engine/tap engine/through engine/trace engine/traced",
    # an engine as the daemon has it
    "daemon/ask daemon/commit daemon/engine daemon/engines daemon/making daemon/output",
    # the daemon, and who is connected to it
    "daemon/boot daemon/call daemon/connection daemon/daemon daemon/ending daemon/events daemon/http daemon/listener "
    "daemon/reading daemon/server daemon/status",
]

TOP = pathlib.Path(__file__).parents[1]
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"|<(?=pipetool/))([^">]+)\.h[">]', re.MULTILINE)


def units():
    """{"folder/name": what it includes}"""
    found = {}
    for folder in ("lib", "daemon", "ctl"):
        for path in sorted((TOP / folder).rglob("*.[ch]")):
            name = str(path.relative_to(TOP / "lib" if folder == "lib" else TOP).with_suffix(""))
            found.setdefault(name, set()).update(INCLUDE.findall(path.read_text()))
    return {name: {other for other in others if other in found and other != name}
            for name, others in found.items()}


def circles(graph):
    """Tarjan's: the components of more than one file."""
    number, low, stack, found = {}, {}, [], []

    def visit(name):
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in number:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == number[name]:
            at = stack.index(name)
            found.append(sorted(stack[at:]))
            del stack[at:]

    for name in graph:
        if name not in number:
            visit(name)
    return [files for files in found if len(files) > 1]


def main():
    graph = units()
    assert len(graph) > 200, "is this the tree?"
    found = circles(graph)
    known = [set(files.split()) for files in NOUNS]
    strange = [files for files in found if not any(noun >= set(files) for noun in known)]
    gone = [noun for noun in known if not any(noun >= set(files) for files in found)]
    for files in strange:
        print("a circle:", " ".join(files))
        for name in files:
            print(f"    {name} includes", " ".join(sorted(graph[name] & set(files))))
    for noun in gone:
        print("no circle any more:", " ".join(sorted(noun)))
    return bool(strange or gone)


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    sys.exit(main())
