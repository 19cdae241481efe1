# SPDX-License-Identifier: BSD-2-Clause
"""What is shown of an engine: its drawing, and a table of counters."""
from __future__ import annotations

import subprocess
import sys
from typing import Any, Dict, Iterable, List

from .pipes import Pipe

_STYLES = {"sinks": "color=blue, arrowhead=vee", "high_sinks": "color=purple, arrowhead=veevee",
           "trigger_sinks": "color=red, arrowhead=diamond"}


class Picture:
    """A drawing that a notebook shows in place."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg


def dot(pipes: Iterable[Pipe]) -> str:
    """The graph as text for Graphviz."""
    lines = ['digraph "pipe" {', "\tnode [shape=rectangle];"]
    lines += ['\t"%i" [label="%s"];' % (id(p), p.name) for p in pipes]
    for kind, style in _STYLES.items():
        lines.append(f"\n\tedge [{style}];")
        lines += ['\t"%i" -> "%i";' % (id(p), id(q)) for p in pipes for q in getattr(p, kind)]
    return "\n".join([*lines, "}"])


def draw(text: str, **more: Any) -> Any:
    """In a notebook in place, else as Scapy does."""
    if "scapy.utils" in sys.modules and "IPython" not in sys.modules:
        return sys.modules["scapy.utils"].do_graph(text, **more)
    return Picture(subprocess.run(["dot", "-Tsvg"], input=text, text=True, capture_output=True, check=True).stdout)


def table(blocks: List[Dict[str, Any]]) -> str:
    """Of what `engine.stats` tells."""
    rows = ["<tr><th>block<th>in<th>out<th>held<th>dropped<th>errors</tr>"]
    rows += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in (b["name"], b["in"], b["out"], b["held"],
             sum(b["dropped"].values()), b["errors"])) + "</tr>" for b in blocks]
    return f"<table>{''.join(rows)}</table>"
