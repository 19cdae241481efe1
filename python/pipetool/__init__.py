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

# `as`: so type checkers take them for this module's own
from .client import Client as Client, Closed as Closed, Refused as Refused, default_socket as default_socket
from .consoles import ConsoleSink as ConsoleSink, RawConsoleSink as RawConsoleSink, TermSink as TermSink
from .engine import PipeEngine as PipeEngine, stop_all as _stop_all
from .feeders import (AutoSource as AutoSource, CLIFeeder as CLIFeeder, CLIHighFeeder as CLIHighFeeder,
                      PeriodicSource as PeriodicSource, ThreadGenSource as ThreadGenSource)
from .graph import Graph as Graph
from .kinds import (CountDrain as CountDrain, DedupDrain as DedupDrain, FileSink as FileSink, FileSource as FileSource,
                    FilterDrain as FilterDrain, FromEngine as FromEngine, HeadDrain as HeadDrain,
                    JsonDrain as JsonDrain, NatsSink as NatsSink, NatsSource as NatsSource, PaceDrain as PaceDrain,
                    PcapOverIPSink as PcapOverIPSink, PcapOverIPSource as PcapOverIPSource, ProgramPipe as ProgramPipe,
                    ReorderDrain as ReorderDrain, SampleDrain as SampleDrain, ToEngine as ToEngine,
                    UnwrapDrain as UnwrapDrain)
from .message import Bytes as Bytes
from .natives import Existing as Existing
from .pipes import (DownDrain as DownDrain, Drain as Drain, Pipe as Pipe, Sink as Sink, Source as Source,
                    TransformDrain as TransformDrain, TriggerSink as TriggerSink, UpDrain as UpDrain)
from .queues import QueueSink as QueueSink
from .scapypipes import (FDSourceSink as FDSourceSink, Inject3Sink as Inject3Sink, InjectSink as InjectSink,
                         RdpcapSource as RdpcapSource, SniffSource as SniffSource, TCPConnectPipe as TCPConnectPipe,
                         TCPListenPipe as TCPListenPipe, TriggerDrain as TriggerDrain,
                         TriggeredMessage as TriggeredMessage, TriggeredQueueingValve as TriggeredQueueingValve,
                         TriggeredSwitch as TriggeredSwitch, TriggeredValve as TriggeredValve,
                         UDPClientPipe as UDPClientPipe, UDPDrain as UDPDrain, UDPServerPipe as UDPServerPipe,
                         WiresharkSink as WiresharkSink, WrpcapSink as WrpcapSink)

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
