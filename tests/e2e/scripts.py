# SPDX-License-Identifier: BSD-2-Clause
"""Scripts that use the package `pipetool`, run as a user runs them."""
import os
import pathlib
import subprocess
import sys
import textwrap

TOP = pathlib.Path(__file__).parents[2]
ENV = {**os.environ, "PYTHONPATH": str(TOP / "python"), "PIPETOOLD": os.environ["PIPETOOL_BUILD"] + "/daemon/pipetoold"}
ENV.pop("PIPETOOL_SOCKET", None)


WITHOUT_SCAPY = "import pipetool; globals().update((name, getattr(pipetool, name)) for name in pipetool._OWN)\n"


def run(script, cwd):
    """Scapy takes its time to be imported: only where there are packets."""
    first = "from pipetool import *\n" if "IP(" in script else WITHOUT_SCAPY
    done = subprocess.run([sys.executable, "-c", first + textwrap.dedent(script)], cwd=cwd, env=ENV,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done
