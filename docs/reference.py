#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The pages that the build fills in from the tables, as Markdown: docs/reference/*.md.

reference.py BUILD [FOLDER]     writes them (./dev docs does)
"""
import pathlib
import re
import subprocess
import sys

PAGES = {"pipetool-language.7": "language.md", "pipetool-blocks.7": "blocks.md",
         "pipetool-protocol.7": "protocol.md", "pipetool-nats.7": "nats.md", "ptctl.1": "ptctl.md"}
FOLDERS = (("/usr/local/etc/", "/etc/"), ("/usr/local/var/", "/var/"), ("/usr/local/", "/usr/"))


def inline(text):
    """*bold* and _underlined_ of scdoc, which escapes all else by a backslash."""
    out = []
    for part in re.findall(r"\\.|\*|_|[^\\*_]+", text):
        if part == "*":
            out.append("**")
        elif part == "_":
            out.append("_")
        else:
            plain = part[1] if part[0] == "\\" else part
            out.append(re.sub(r"[<>|*_`\[\]]", r"\\\g<0>", plain))
    return "".join(out)


def convert(text):
    lines, literal, margin = [], False, ""
    for line in text.splitlines()[1:]:
        depth = len(line) - len(line.lstrip("\t"))
        body = line[depth:]
        if body.startswith("```"):
            literal = not literal
            lines += [margin + "```"] if not literal else [("  " * depth) + "```"]
            margin = "  " * depth
        elif literal:
            lines.append((margin + body.replace("\\\\", "\\")).rstrip())
        elif body.startswith("#"):
            lines.append("#" + body)
        elif not body:
            lines.append("")
        elif depth:
            lines.append("  " * depth + inline(body))
        else:
            lines.append(inline(body))
    return "\n".join(as_lists(lines)) + "\n"


def as_lists(lines):
    """A line with an indented one behind it is a term."""
    literal = False
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        literal ^= line.strip() == "```"
        own = len(line) - len(line.lstrip())
        if line.strip() and not literal and below.startswith(" " * (own + 2)) and line.strip() != "```":
            yield " " * own + "- " + line.lstrip() + "\\"
        else:
            yield line


def reference(build):
    """The name and the text of each."""
    for page, name in PAGES.items():
        if not (pathlib.Path(build) / "docs" / f"{page}.scd").exists():
            continue  # of a plugin that was not built
        text = (pathlib.Path(build) / "docs" / f"{page}.scd").read_text(encoding="utf-8")
        text = re.sub(r"^(\S+\(\d\)).*", r"\1", text, count=1)
        for there, here in FOLDERS:
            text = text.replace(there, here)
        title = page.replace(".", "(") + ")"
        yield name, f"<!-- Made by ./dev docs; do not edit. -->\n\n# {title}\n{convert(text)}"


def main():
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).parent / "reference")
    folder.mkdir(exist_ok=True)
    for name, text in reference(sys.argv[1]):
        (folder / name).write_text(text, encoding="utf-8")
    if len(sys.argv) == 2:  # what the Python package says of the same tables
        subprocess.run([sys.executable, pathlib.Path(__file__).parents[1] / "python" / "kinds.py", sys.argv[1]], check=True)


if __name__ == "__main__":
    main()
