# SPDX-License-Identifier: BSD-2-Clause
"""What stands in the daemon beside a block whose class derives from one of the daemon's, and runs in the script."""
from __future__ import annotations

from typing import Any, Iterator, Optional, Sequence, Tuple, cast

from .natives import Giving, InDaemon
from .pipes import Native, Pipe, exits_of

_WORDS = {"low": "push", "high": "high_push", "trigger": "on_trigger"}


class Inner(Pipe):
    """The block that its owner would be, if nothing of it ran in the script."""

    def __init__(self, owner: Pipe, kind: str, ports: Sequence[str]) -> None:
        super().__init__()
        self.owner, self.kind, self.ports = owner, kind, ports
        self.trigger_sources = owner.trigger_sources
        self.is_source = not has_entries(ports)

    def _pt_native(self) -> Optional[Native]:
        return self.owner._pt_native()

    def links(self) -> Iterator[Tuple[Pipe, Pipe, str]]:
        """With the owner: what it hands over by `super().push`, or what comes to its `deliver`."""
        owner = self.owner
        for canal, linked in exits_of(owner).items():
            if self.is_source and f"{canal}_exit" in self.ports and canal != "trigger":
                yield self, owner, canal
            elif not self.is_source and f"{canal}_entry" in self.ports and not linked:
                yield owner, self, canal


def has_entries(ports: Sequence[str]) -> bool:
    """Whether messages come in."""
    return "low_entry" in ports or "high_entry" in ports


def has_exits(ports: Sequence[str]) -> bool:
    """Whether messages go out."""
    return "low_exit" in ports or "high_exit" in ports


def wanted(pipe: Pipe) -> Optional[str]:
    """The type of the daemon's that something is left to, of what runs in the script."""
    if not isinstance(pipe, InDaemon) or pipe._pt_spec() is not None or pipe._pt_reaches() is not None \
            or pipe._pt_defines("fileno"):
        return None
    native = pipe._pt_native()
    return native[0] if native else None


def make(pipe: Pipe, kind: str, ports: Sequence[str]) -> Optional[Inner]:
    """None: whatever it leaves to the daemon's is refused."""
    if not (has_entries(ports) and has_exits(ports)):
        return Inner(pipe, kind, ports)
    if isinstance(pipe, Giving):
        pipe._pt_refuse()
    return None


def takes(pipe: Pipe, canal: str) -> bool:
    """Whether it does something with what comes in there."""
    word, inner = _WORDS[canal], getattr(pipe, "_pt_inner", None)
    return hasattr(pipe, word) and (inner is None or pipe._pt_defines(word) or f"{canal}_entry" in inner.ports)


class Arriving:
    """Where what the inner source sends comes to its owner."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe: Giving = cast(Giving, pipe)
        self.pipe._pt_arrived.ended = False

    def push(self, msg: Any) -> None:
        self.pipe._pt_arrived.messages = [msg]
        self.pipe.deliver()

    def high_push(self, msg: Any) -> None:
        self.pipe._high_send(msg)

    def end(self) -> None:
        """Nothing more comes: so `deliver` finds."""
        self.pipe._pt_arrived.messages, self.pipe._pt_arrived.ended = [], True
        try:
            self.pipe.deliver()
        except EOFError:
            pass
        self.pipe.is_exhausted = True
