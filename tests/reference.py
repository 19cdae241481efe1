#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/reference is to be read without a build, and says what the tables say."""
import os
import pathlib
import sys

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
sys.path.insert(0, str(DOCS))
from reference import reference  # noqa: E402

stale = [name for name, text in reference(os.environ["PIPETOOL_BUILD"])
         if (DOCS / "reference" / name).read_text(encoding="utf-8") != text]
for each in stale:
    print(f"docs/reference/{each} is not what the tables say: run ./dev docs")
sys.exit(bool(stale))
