# SPDX-License-Identifier: BSD-2-Clause
"""pipetool: Scapy's PipeTools, run by pipetoold.

    from pipetool import *          # in place of: from scapy.all import *

    source = CLIFeeder()
    source > TransformDrain(lambda text: text.upper()) > ConsoleSink()
    engine = PipeEngine(source)
    engine.start()
    source.send("hello")            # >'HELLO'
    engine.stop()

Where Scapy is there, the line above also gives what `from scapy.all import *` gives; `import pipetool` alone
imports nothing of Scapy's. `Client` speaks with any daemon, `Graph` is a graph to be brought to an engine, and
`pipetool.aio` has both with asyncio.
"""
import atexit as _atexit
from types import ModuleType as _Module
from typing import Any as _Any, List as _List

from . import pipes as _pipes
from .client import Client, Closed, Refused, default_socket
from .engine import PipeEngine, stop_all as _stop_all
from .feeders import AutoSource, CLIFeeder, CLIHighFeeder, PeriodicSource, ThreadGenSource
from .graph import Graph
from .message import Bytes
from .pipes import (ConsoleSink, DownDrain, Drain, Existing, Pipe, QueueSink, RawConsoleSink, Sink, Source, TermSink,
                    TransformDrain, TriggerSink, UpDrain)
from .scapypipes import (FDSourceSink, Inject3Sink, InjectSink, RdpcapSource, SniffSource, TCPConnectPipe, TCPListenPipe,
                         TriggerDrain, TriggeredMessage, TriggeredQueueingValve, TriggeredSwitch, TriggeredValve,
                         UDPClientPipe, UDPDrain, UDPServerPipe, WiresharkSink, WrpcapSink)

_SOURCES = ("FileSource", "FromEngine", "NatsSource", "PcapOverIPSource", "ProgramPipe")
_DRAINS = ("DedupDrain", "FilterDrain", "HeadDrain", "PaceDrain", "SampleDrain", "ReorderDrain", "UnwrapDrain", "CountDrain",
           "JsonDrain")
_SINKS = ("FileSink", "NatsSink", "PcapOverIPSink", "ToEngine")
for _names, _base in ((_SOURCES, _pipes.NativeSource), (_DRAINS, _pipes.NativeDrain), (_SINKS, _pipes.NativeSink)):
    for _name in _names:
        globals()[_name] = type(_name, (_base,), {"__module__": _pipes.__name__, "__doc__": f"See `ptctl help {_name}`."})

_OWN: _List[str] = [_n for _n, _it in globals().copy().items() if not _n.startswith("_") and not isinstance(_it, _Module)]


def __getattr__(name: str) -> _Any:
    """For `from pipetool import *`: what Scapy has, too."""
    import importlib.util
    if name == "aio":
        return importlib.import_module("pipetool.aio")
    if name == "__all__":
        if importlib.util.find_spec("scapy") is None:
            return _OWN
        import scapy.all
        return [*(n for n in vars(scapy.all) if not n.startswith("_") and n not in _OWN), *_OWN]
    if not name.startswith("_") and importlib.util.find_spec("scapy"):
        import scapy.all
        if name in vars(scapy.all):
            return vars(scapy.all)[name]
    raise AttributeError(f"module 'pipetool' has no attribute '{name}'")


_atexit.register(_stop_all)
