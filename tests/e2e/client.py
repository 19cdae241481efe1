# SPDX-License-Identifier: BSD-2-Clause
"""The client of examples/, and what tests say often."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))

from pipetool_client import Client as Plain, Closed, Refused  # noqa: E402, F401


class Client(Plain):
    def refused(self, method, params=None, **more):
        """The error of a request that must not succeed."""
        try:
            result = self.call(method, params, **more)
        except Refused as error:
            return error
        raise AssertionError(f"{method} {params} {more} was not refused: {result}")

    def change(self, engine, *ops, **more):
        return self.call("engine.change", engine=engine, ops=list(ops), **more)

    def send(self, engine, block, *messages, **more):
        return self.call("block.send", engine=engine, block=block, messages=list(messages), **more)

    def recv(self, engine, block, count, seconds=20):
        """`count` messages, or fewer if they do not come in time."""
        got = []
        until = time.monotonic() + seconds
        while len(got) < count:
            left = until - time.monotonic()
            more = self.call("block.recv", engine=engine, block=block, max=count - len(got),
                             timeout_s=max(0, left))["messages"]
            if not more:
                break
            got += more
        return got

    def texts(self, engine, block, count, seconds=20):
        return [m["message"] for m in self.recv(engine, block, count, seconds)]

    def stats(self, engine, block=None):
        stats = self.call("engine.stats", engine=engine)
        if block is None:
            return stats
        return next(b for b in stats["blocks"] if b["name"] == block)

    def show(self, engine, block=None):
        shown = self.call("engine.show", engine=engine)
        if block is None:
            return shown
        return next(b for b in shown["blocks"] if b["name"] == block)


def add(name, kind, **params):
    return {"op": "add", "name": name, "type": kind, "params": params}


def link(source, target, canal="low", op="link"):
    return {"op": op, "from": source, "to": target, "canal": canal}


def unlink(source, target, canal="low"):
    return link(source, target, canal, "unlink")
