# SPDX-License-Identifier: BSD-2-Clause
"""The socket speaks JSON-RPC as others understand it: a client that was not written for it."""
import asyncio

import pytest

pytest.importorskip("aiorpcx", reason="no aiorpcx here: apt-get install python3-aiorpcx")

from aiorpcx import (JSONRPC, JSONRPCConnection, JSONRPCv2, NewlineFramer, Notification,  # noqa: E402
                     RPCError, RPCSession, SessionKind, TaskTimeout)
from aiorpcx.rawsocket import RSTransport  # noqa: E402

SECONDS = 30


class Session(RPCSession):
    """aiorpcx as it is, but for the notifications, which are kept."""

    def __init__(self, transport):
        super().__init__(transport, connection=JSONRPCConnection(JSONRPCv2))
        self.sent_request_timeout = SECONDS
        self.told = asyncio.Queue()

    async def handle_request(self, request):
        assert isinstance(request, Notification), request
        self.told.put_nowait((request.method, request.args))


class Nameless:
    """An asyncio transport that does not tell its peer, which aiorpcx takes for an IP address."""

    def __init__(self, transport):
        self.transport = transport

    def get_extra_info(self, _name):
        return None

    def __getattr__(self, name):
        return getattr(self.transport, name)


class Transport(RSTransport):
    def connection_made(self, transport):
        super().connection_made(Nameless(transport))


async def connect(daemon):
    """aiorpcx connects by TCP only; this is its transport and its framing on a Unix socket."""
    def transport():
        return Transport(Session, NewlineFramer(1 << 24), SessionKind.CLIENT)
    _, made = await asyncio.get_event_loop().create_unix_connection(transport, str(daemon.socket))
    return made.session


def talk(conversation):
    """Runs a test as a conversation over a session; a hang is a failure."""
    def test(daemon):
        async def both():
            session = await connect(daemon)
            try:
                await asyncio.wait_for(conversation(daemon, session), SECONDS)
            finally:
                await session.close()
        asyncio.run(both())
    test.__name__, test.__doc__ = conversation.__name__, conversation.__doc__
    return test


async def feeder_and_queue(session, engine="e"):
    await session.send_request("engine.create", {
        "engine": engine, "start": True, "links": [{"from": "s", "to": "q"}],
        "blocks": [{"name": "s", "type": "CLIFeeder"}, {"name": "q", "type": "QueueSink"}]})


@talk
async def test_calls_have_results(daemon, session):
    info = await session.send_request("daemon.info", {})
    assert info["name"] == "pipetoold" and info["pid"] == daemon.process.pid
    await feeder_and_queue(session)
    assert await session.send_request("block.send", {
        "engine": "e", "block": "s", "messages": ["ä", {"hex": "00ff"}]}) == {}
    got = await session.send_request("block.recv", {"engine": "e", "block": "q", "max": 2})
    assert [m["message"] for m in got["messages"]] == ["ä", {"base64": "AP8="}]


@talk
async def test_params_may_be_absent(_, session):
    assert (await session.send_request("daemon.info"))["engines"] == 0


@talk
async def test_refusals_are_errors_with_code_and_words(_, session):
    for method, params, code, words in [
            ("engine.crate", {}, JSONRPC.METHOD_NOT_FOUND, "engine.create"),
            ("engine.show", {"engin": "e"}, JSONRPC.INVALID_ARGS, "engine"),
            ("engine.show", ["e"], JSONRPC.INVALID_ARGS, "name"),
            ("engine.show", {"engine": "nobody"}, 1, "nobody")]:
        with pytest.raises(RPCError) as refused:
            await session.send_request(method, params)
        assert refused.value.code == code, (method, refused.value)
        assert words in refused.value.message, refused.value
    assert (await session.send_request("engine.list", {}))["engines"] == []


@talk
async def test_its_notifications_are_carried_out_and_not_answered(_, session):
    await session.send_notification("engine.create", {"engine": "quiet"})
    await session.send_notification("engine.create", {"engine": "quiet"})
    listed = await session.send_request("engine.list", {})
    assert [e["engine"] for e in listed["engines"]] == ["quiet"]


@talk
async def test_notifications_are_its_requests_without_id(_, session):
    await session.send_request("engine.create", {
        "engine": "c", "start": True, "links": [{"from": "s", "to": "o"}],
        "blocks": [{"name": "s", "type": "CLIFeeder"}, {"name": "o", "type": "RawConsoleSink"}]})
    assert await session.send_request("block.attach", {"engine": "c"}) == {}
    await session.send_request("block.send", {"engine": "c", "block": "s", "message": "hello"})
    method, params = await session.told.get()
    assert method == "block.output"
    assert (params["engine"], params["block"], params["text"]) == ("c", "o", "hello\n")


@talk
async def test_many_requests_at_once_on_one_connection(_, session):
    await feeder_and_queue(session)
    await asyncio.gather(*(session.send_request("block.send", {
        "engine": "e", "block": "s", "message": str(n)}) for n in range(500)))
    got = await session.send_request("block.recv", {"engine": "e", "block": "q", "max": 1000})
    assert [m["message"] for m in got["messages"]] == [str(n) for n in range(500)]


@talk
async def test_many_connections_at_once(daemon, first):
    async def one(number):
        session = await connect(daemon)
        try:
            await feeder_and_queue(session, f"e{number}")
            await session.send_request("block.send", {
                "engine": f"e{number}", "block": "s", "message": str(number)})
            got = await session.send_request("block.recv", {"engine": f"e{number}", "block": "q"})
            assert got["messages"][0]["message"] == str(number)
            await session.send_request("engine.destroy", {"engine": f"e{number}"})
        finally:
            await session.close()
    await asyncio.gather(*map(one, range(50)))
    assert (await first.send_request("daemon.info", {}))["engines"] == 0


@talk
async def test_a_request_that_waits_holds_up_no_other_connection(daemon, session):
    await feeder_and_queue(session)
    waiting = asyncio.ensure_future(session.send_request("block.recv", {
        "engine": "e", "block": "q", "timeout_s": SECONDS}))
    other = await connect(daemon)
    try:
        await other.send_request("block.send", {"engine": "e", "block": "s", "message": "wake"})
    finally:
        await other.close()
    assert (await waiting)["messages"][0]["message"] == "wake"


@talk
async def test_its_batches_are_refused_and_the_connection_stays(_, session):
    """The refusal has no id, as there is none to be told of: aiorpcx counts it as a diagnostic."""
    session.sent_request_timeout = 1
    with pytest.raises(TaskTimeout):
        async with session.send_batch(raise_errors=True) as batch:
            batch.add_request("engine.create", {"engine": "a"})
            batch.add_request("engine.create", {"engine": "b"})
    assert session.errors == 1
    assert (await session.send_request("daemon.info", {}))["engines"] == 0
