#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""python/pipetool/kinds.py is what the tables say."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
from kinds import MADE, text  # noqa: E402

BUILD = os.environ["PIPETOOL_BUILD"]
if not os.path.exists(os.path.join(BUILD, "daemon", "pipetoold")):
    sys.exit(77)  # was not built
is_stale = text(BUILD) != MADE.read_text(encoding="utf-8")
if is_stale:
    print("python/pipetool/kinds.py is not what the tables say: run ./dev docs")
sys.exit(is_stale)
