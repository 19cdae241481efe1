#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes python/pipetool/kinds.py: the classes of the daemon's types that Scapy has not, as its tables tell them.

kinds.py BUILD     writes it (./dev docs does)
"""
from __future__ import annotations

import json
import keyword
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
from typing import Any, Dict, Iterator, List, Optional

MADE = pathlib.Path(__file__).resolve().parent / "pipetool" / "kinds.py"
ROLES = {
    "source": ("FileSource", "FromEngine", "NatsSource", "PcapOverIPSource", "ProgramPipe"),
    "drain": ("DedupDrain", "FilterDrain", "HeadDrain", "PaceDrain", "SampleDrain", "ReorderDrain", "UnwrapDrain",
              "CountDrain", "JsonDrain"),
    "sink": ("FileSink", "NatsSink", "PcapOverIPSink", "ToEngine"),
}
NUMBERS = {"bool": "bool", "int": "int"}
WIDTH = 116
HEAD = '''# SPDX-License-Identifier: BSD-2-Clause
"""The daemon's types that Scapy has not. Made from its tables by ./dev docs; do not edit."""
from __future__ import annotations

from typing import Any, Optional

from .natives import LEFT_OUT, NativeDrain, NativeSink, NativeSource
'''


def paragraph(text: str, first: str = "", rest: str = "") -> List[str]:
    return textwrap.wrap(text, WIDTH - 4, initial_indent=first, subsequent_indent=rest, break_long_words=False,
                         break_on_hyphens=False)


def example(text: str) -> Iterator[str]:
    """In the pipe language a line may begin before the last has ended."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        goes_on = number and (line[:1].isspace() or lines[number - 1].rstrip().endswith((">", ",", "^", "(")))
        yield ("... " if goes_on else ">>> ") + line.strip()


def told(row: Dict[str, Any]) -> str:
    """What is told of a parameter."""
    choices = f" One of {', '.join(row['choices'])}." if row.get("choices") else ""
    default = row.get("default")
    return row["doc"] + choices + (f" Default: {default}." if default not in (None, "None", "") else "")


def docstring(kind: Dict[str, Any]) -> str:
    parts = [paragraph(kind["summary"] + "."), paragraph(kind.get("help", ""))]
    parts.append([line for row in kind["params"] for line in paragraph(told(row), f"{row['name']}: ", "    ")])
    parts.append([line for text in kind["examples"] for line in example(text)])
    text = "\n\n".join("\n".join(part) for part in parts if part)
    return ('r"""' if "\\" in text else '"""') + text + '\n"""'


def annotation(row: Dict[str, Any]) -> str:
    found = NUMBERS.get(row["kind"], "Any")
    return f"Optional[{found}]" if found != "Any" and row.get("default") == "None" else found


def signature(kind: Dict[str, Any]) -> List[str]:
    """Of __init__, and its call of the one above."""
    rows = [row for row in kind["params"] if not keyword.iskeyword(row["name"])]
    given, is_behind = ["self"], False
    for row in rows:
        is_behind |= not row.get("required")
        given.append(f"{row['name']}: {annotation(row)}" + (" = LEFT_OUT" if is_behind else ""))
    given += ["*", "name: Optional[str] = None"] if len(rows) == len(kind["params"]) else [
        "*", "name: Optional[str] = None", "**more: Any"]
    handed = ["name=name", *(f"{row['name']}={row['name']}" for row in rows),
              *(["**more"] if len(rows) < len(kind["params"]) else [])]
    return [*wrapped("def __init__(", given, ") -> None:"), *("    " + line for line in wrapped("super().__init__(", handed, ")"))]


def wrapped(head: str, items: List[str], tail: str) -> List[str]:
    lines, line = [], head
    for number, item in enumerate(items):
        piece = item + (", " if number + 1 < len(items) else tail)
        if len(line + piece.rstrip()) > WIDTH - 8 and line != head:
            lines.append(line.rstrip())
            line = " " * len(head)
        line += piece
    return [*lines, line]


def written(kind: Dict[str, Any]) -> str:
    body = [*docstring(kind).splitlines(), "", *signature(kind)]
    base = f"Native{kind['role'].capitalize()}"
    return f"class {kind['name']}({base}):\n" + "\n".join("    " + line if line else "" for line in body) + "\n"


def there(name: str) -> Optional[str]:
    """What is written of a type that was not built."""
    found = re.search(rf"^class {name}\(.*?(?=\n\n\nclass |\Z)", MADE.read_text("utf-8") if MADE.exists() else "", re.M | re.S)
    return found[0].rstrip() + "\n" if found else None


def asked(client: socket.socket, names: List[str]) -> Iterator[Dict[str, Any]]:
    """What the daemon tells of the types that it has."""
    for name in names:
        request = {"jsonrpc": "2.0", "id": 1, "method": "type.show", "params": {"type": name}}
        client.sendall(json.dumps(request).encode() + b"\n")
    with client.makefile() as answers:
        for _ in names:
            answer = json.loads(answers.readline())
            if "result" in answer:
                yield answer["result"]
            elif answer["error"]["data"]["kind"] != "no-such-type":
                raise SystemExit(answer["error"]["message"])


def tables(build: str, names: List[str]) -> Dict[str, Dict[str, Any]]:
    """Of the daemon that was built there, whose first client waits before it begins."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as client:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(folder, "socket"))
            listener.listen()
            client.connect(listener.getsockname())
            plugin = os.path.abspath(os.path.join(build, "lib", "nats", "nats.so"))
            if os.path.exists(plugin):
                os.symlink(plugin, os.path.join(folder, "nats.so"))
            pathlib.Path(folder, "conf").touch()  # and not that of this host
            start = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&{listener.fileno()}'
            daemon = subprocess.Popen(["sh", "-c", start, os.path.abspath(os.path.join(build, "daemon", "pipetoold")),
                                       "--config", os.path.join(folder, "conf"), "--engines", folder, "--state", folder,
                                       "--blocks", folder, "--log-level", "error"],
                                      pass_fds=[listener.fileno()])
        with daemon:
            try:
                return {kind["name"]: kind for kind in asked(client, names)}
            finally:
                daemon.terminate()


def text(build: str) -> str:
    """The whole file."""
    names = [name for names in ROLES.values() for name in names]
    found = tables(build, names)
    parts = [written(found[name]) if name in found else there(name) for name in names]
    return "\n\n".join([HEAD, *(part for part in parts if part)])


if __name__ == "__main__":
    MADE.write_text(text(sys.argv[1]), "utf-8")
