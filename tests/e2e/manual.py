# SPDX-License-Identifier: BSD-2-Clause
"""The manual pages of the build: their source, rendered, and their examples."""
import os
import pathlib
import re
import subprocess
import textwrap

PAGES = ["ptctl.1", "pipetoold.conf.5", "pipetool-blocks.7", "pipetool-language.7",
         "pipetool-protocol.7", "pipetoold.8"]


def path(page):
    return pathlib.Path(os.environ.get("PIPETOOL_BUILD", "/nowhere")).resolve() / "docs" / page


def built():
    """Whether there are pages: they are made only where scdoc is."""
    return path(PAGES[0]).exists()


if path("pipetool-nats.7").exists():  # where libnats is
    PAGES.append("pipetool-nats.7")


def rendered(page, width=78):
    """As a reader sees it, without bold and underline."""
    env = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": str(width), "MAN_KEEP_FORMATTING": ""}
    return subprocess.run(["man", "--warnings", "--nh", "--nj", "-l", path(page)], env=env,
                          capture_output=True, text=True, check=True).stdout


def examples(page):
    """The literal blocks of a page, in order, as they are to be read."""
    source = path(page + ".scd").read_text()
    found = re.findall(r"^(\t*)```\n(.*?)^\1```$", source, re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{tabs}", "", body, flags=re.MULTILINE).replace("\\\\", "\\").rstrip("\n")
            for tabs, body in found]


def section(text, heading):
    """The lines below a heading of a rendered page, without their margin."""
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return textwrap.dedent(found.group(1)) if found else ""
