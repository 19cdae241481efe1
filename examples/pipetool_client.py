# SPDX-License-Identifier: BSD-2-Clause
"""The client of the package `pipetool`, for scripts that import it by this name.

    from pipetool_client import Client, Refused
"""
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "python"))

from pipetool.client import Client, Closed, Refused, default_socket  # noqa: E402, F401
