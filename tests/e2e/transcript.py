# SPDX-License-Identifier: BSD-2-Clause
"""Documents whose examples are run: fenced blocks, tables of code, and a shell to type into."""
import os
import pathlib
import re
import select
import subprocess
import time

DEADLINE = 30


def blocks(text, *languages):
    """(language, text) of each fenced block, in order."""
    return [(language, body) for language, body in
            re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
            if language in languages]


def rows(text, heading):
    """The cells of the tables below a heading."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
             for line in section.splitlines() if line.startswith("|")]
    return [row for row in cells if row != cells[0] and not set(row[0]) <= {"-"}]


def code(cell):
    """What stands in backquotes, or nothing."""
    found = re.fullmatch(r"`(.*)`", cell)
    return found and found.group(1)


def commands(body):
    """(command, lines that it prints) of a console block; `\\` continues a command."""
    found = []
    for line in body.splitlines():
        if found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (found[-1][0] + "\n" + line, [])
        elif line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


class Shell:
    """A bash that is typed into; what it prints is compared with what the document shows."""

    MARK = "--done--"

    def __init__(self, folder, env, prefix=()):
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen(
            [*prefix, "bash", "--norc"], cwd=folder, env={**os.environ, "NO_COLOR": "1", **env},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.seen = ""

    def read(self, until):
        """Reads until what was read answers."""
        end = time.monotonic() + DEADLINE
        while not until(self.seen):
            left = end - time.monotonic()
            assert left > 0, f"waited in vain; the shell says:\n{self.seen}"
            if select.select([self.process.stdout], [], [], left)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                assert data, f"the shell has ended:\n{self.seen}"
                self.seen += data.decode()

    def type(self, command):
        """Runs a command; its exit status. What it printed is left in `seen`."""
        line = f"{{ {command}\n}} </dev/null; printf '\\n{self.MARK}%d\\n' $?\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        mark = re.compile(rf"\n{self.MARK}(\d+)\n")
        self.read(mark.search)
        status = int(mark.search(self.seen).group(1))
        self.seen = mark.sub("", self.seen, count=1)
        return status

    def run(self, command, lines):
        """As in the document; what runs in the background may print its lines a little later."""
        if command.startswith("cat ") and lines:  # the document shows a file
            (self.folder / command.split()[1]).write_text("\n".join(lines) + "\n")
        self.seen = ""
        status = self.type(command)
        assert status == 0, f"$ {command}\nexit {status}\n{self.seen}"
        if lines:
            wanted = "\n".join(lines)
            self.read(lambda seen: len(seen.strip("\n")) >= len(wanted))
            assert self.seen.strip("\n") == wanted, f"$ {command}\n{self.seen}"

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
