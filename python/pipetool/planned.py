# SPDX-License-Identifier: BSD-2-Clause
"""The pipes of an engine, and what there may be."""
from __future__ import annotations

import sys
from typing import Any, Callable, List, Set

from .pipes import Drain, Links, Pipe, Sink, Source, linked_with


class Planned:
    """What Scapy's engine tells of its pipes, whether it runs or not."""

    pipes = Pipe.registry

    def __init__(self, *pipes: Pipe) -> None:
        self.active_pipes = Links()
        self._add_pipes(*pipes)

    def add(self, *pipes: Pipe) -> None:
        """Adds pipes with all that they are linked with."""
        self._add_pipes(*pipes)

    @classmethod
    def list_pipes(cls) -> None:
        for name, kind in sorted(cls.pipes.items()):
            print("%20s: %s" % (name, (kind.__doc__ or "").strip().split("\n")[0]))

    @classmethod
    def list_pipes_detailed(cls) -> None:
        for name, kind in sorted(cls.pipes.items()):
            print(f"###### {name}" + (f"\n {kind.__doc__}" if kind.__doc__ else ""))

    def __getattr__(self, attr: str) -> Any:
        kind = Pipe.registry.get(attr[6:]) if attr.startswith("spawn_") else None
        if kind is None:
            raise AttributeError(attr)

        made = kind

        def spawn(*given: Any, **more: Any) -> Pipe:
            pipe: Pipe = made(*given, **more)
            self.add(pipe)
            return pipe
        return spawn

    @property
    def active_sources(self) -> Set[Pipe]:
        return {p for p in self.active_pipes if isinstance(p, Source)}

    @property
    def active_drains(self) -> Set[Pipe]:
        return {p for p in self.active_pipes if isinstance(p, Drain)}

    @property
    def active_sinks(self) -> Set[Pipe]:
        return {p for p in self.active_pipes if isinstance(p, Sink)}

    def get_pipe_list(self, pipe: Pipe) -> Set[Pipe]:
        """The pipe, and all that is linked with it."""
        return set(linked_with(pipe))

    def _add_pipes(self, *pipes: Pipe) -> List[Pipe]:
        fresh = [q for q in linked_with(*pipes) if q not in self.active_pipes]
        self.active_pipes.update(fresh)
        return fresh


def level() -> int:
    """Of the script, for a warning of the function that asks."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals["__name__"].startswith(__package__):
        frame, level = frame.f_back, level + 1
    return level
