# SPDX-License-Identifier: BSD-2-Clause
"""The rules of the control socket, one by one."""
import json
import os
import resource
import select
import socket
import threading

import pytest

from chance import Held
from client import Client, Closed, add, link
from conftest import eventually, sanitized

MIB = 1 << 20
LINE = 16 * MIB


def info(number=1, **more):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "daemon.info", **more}).encode()


def padded(length):
    """A request of exactly so many bytes."""
    request = info(number=7)
    return request[:-1] + b" " * (length - len(request)) + request[-1:]


def error_of(client, data):
    """Sends a line, gets its error, and sees that the connection still works."""
    client.write(data + b"\n")
    message = client.line()
    assert "error" in message, message
    client.write(info("after") + b"\n")
    after = client.line()
    assert after["id"] == "after" and "result" in after, after
    return message


# ---- requests and answers -----------------------------------------------------------------------

def test_daemon_info_says_what_it_is(rpc, daemon):
    result = rpc.call("daemon.info")
    assert result["name"] == "pipetoold"
    assert result["pid"] == daemon.process.pid
    assert isinstance(result["version"], str) and result["uptime_s"] >= 0
    assert result["engines"] == 0
    assert isinstance(result["limits"], dict) and isinstance(result["capabilities"], list)


def test_no_greeting_is_sent(rpc):
    assert select.select([rpc.socket], [], [], 0.2)[0] == []


def test_requests_in_one_write_are_answered_in_order(rpc):
    rpc.write(b"".join(info(n) + b"\n" for n in range(50)))
    assert [rpc.line()["id"] for _ in range(50)] == list(range(50))


def test_a_request_that_comes_in_pieces(rpc):
    data = info("slow") + b"\n"
    for byte in data:
        rpc.write(bytes([byte]))
    assert rpc.line()["id"] == "slow"


@pytest.mark.parametrize("number", [0, -5, "text", "", 1.5, 2 ** 53])
def test_an_id_comes_back_as_it_was(rpc, number):
    rpc.write(info(number) + b"\n")
    message = rpc.line()
    assert message["id"] == number and type(message["id"]) is type(number)


def test_requests_without_id_are_carried_out_and_not_answered(rpc):
    rpc.write(b'{"jsonrpc":"2.0","method":"engine.create","params":{"engine":"quiet"}}\n'
              b'{"jsonrpc":"2.0","method":"engine.create","params":{"engine":"quiet"}}\n'
              b'{"jsonrpc":"2.0","method":"no.such","params":{}}\n' + info() + b"\n")
    assert "result" in rpc.line()
    assert [e["engine"] for e in rpc.call("engine.list")["engines"]] == ["quiet"]


def test_a_waiting_request_holds_up_those_behind_it_but_not_other_connections(rpc, daemon):
    rpc.call("engine.create", engine="e", blocks=[{"name": "q", "type": "QueueSink"},
                                                  {"name": "s", "type": "CLIFeeder"}],
             links=[{"from": "s", "to": "q"}], start=True)
    first = rpc.post("block.recv", engine="e", block="q", timeout_s=30)
    second = rpc.post("daemon.info")
    with daemon.client() as other:
        other.send("e", "s", "wake up")
    assert rpc.answer(first)["result"]["messages"][0]["message"] == "wake up"
    assert "result" in rpc.answer(second)


def test_empty_lines_and_carriage_returns_are_fine(rpc):
    rpc.write(b"\n\r\n\n" + info(1) + b"\r\n\r\n" + info(2) + b"\n")
    assert [rpc.line()["id"], rpc.line()["id"]] == [1, 2]


def test_a_last_line_without_newline_counts(rpc):
    rpc.write(info("last"))
    rpc.socket.shutdown(socket.SHUT_WR)
    assert rpc.line()["id"] == "last"
    with pytest.raises(Closed):
        rpc.line()


@pytest.mark.parametrize("data, code", [(b'{"jsonrpc":"2.0","id":1,"meth', -32700),
                                        (padded(LINE + 1), -32600), (info() + b"\r", None)],
                         ids=["cut off", "too long", "with a carriage return"])
def test_a_last_line_without_newline_is_judged_as_any_other(rpc, data, code):
    rpc.write(data)
    rpc.socket.shutdown(socket.SHUT_WR)
    assert rpc.line().get("error", {}).get("code") == code
    with pytest.raises(Closed):
        rpc.line()


def test_params_may_be_left_out_or_be_empty(rpc):
    for more in ({}, {"params": {}}):
        rpc.write(info(**more) + b"\n")
        assert "result" in rpc.line()


def test_positional_parameters_are_refused(rpc):
    message = error_of(rpc, info(params=["a"]))
    assert message["error"]["code"] in (-32602, -32600) and message["id"] == 1


@pytest.mark.parametrize("data", [b"1", b'"text"', b"null", b"true", b"{}", b'{"id":1}',
                                  b'{"jsonrpc":"2.0","id":1,"method":5}',
                                  b'{"jsonrpc":"1.0","id":1,"method":"daemon.info"}',
                                  b'{"jsonrpc":"2.0","id":{},"method":"daemon.info"}',
                                  b'{"jsonrpc":"2.0","id":1,"method":"daemon.info","param":{}}'])
def test_json_that_is_no_request(rpc, data):
    error = error_of(rpc, data)["error"]
    assert error["code"] == -32600 and error["data"]["kind"] == "invalid-request"


def test_a_peer_that_does_not_read_is_not_read_from(rpc):
    """Once 64 answers wait, the daemon stops reading; nothing is lost when the peer reads on."""
    line = info() + b"\n"
    rpc.socket.setblocking(False)
    sent = 0
    while select.select([], [rpc.socket], [], 2)[1]:
        try:
            sent += rpc.socket.send((line * 100)[sent % len(line):])
        except BlockingIOError:
            continue
        assert sent < 64 * MIB, "the daemon reads on and on"
    rpc.socket.setblocking(True)
    for _ in range(sent // len(line)):
        assert "result" in rpc.line()
    rest = line[sent % len(line):] if sent % len(line) else b""
    rpc.write(rest + info("end") + b"\n")
    if rest:
        assert "result" in rpc.line()
    assert rpc.line()["id"] == "end"


def test_no_more_than_64_answers_wait(rpc, daemon):
    """Each answer here fills the socket by itself; what is carried out meanwhile is counted."""
    rpc.call("engine.create", engine="e", start=True, links=[{"from": "s", "to": "q"}], blocks=[
        {"name": "s", "type": "CLIFeeder"}, {"name": "q", "type": "QueueSink"},
        *({"name": f"d{n}", "type": "Drain"} for n in range(1000))])
    size = len(json.dumps(rpc.call("engine.show", engine="e")))
    buffer = rpc.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert 64 * size < 7 * MIB, "the bytes that wait are bounded as well"
    show = b'{"jsonrpc":"2.0","id":1,"method":"engine.show","params":{"engine":"e"}}\n'
    count = (b'{"jsonrpc":"2.0","method":"block.send","params":'
             b'{"engine":"e","block":"s","message":"x"}}\n')
    rpc.write((show + count) * 200)
    with daemon.client() as other:
        carried_out = 0

        def stands_still():
            nonlocal carried_out
            before, carried_out = carried_out, other.stats("e", "q")["in"]
            return carried_out >= 64 and before == carried_out
        eventually(stands_still)
        assert 64 <= carried_out <= 65 + 2 * buffer // size, carried_out
        for _ in range(200):
            assert "result" in rpc.line()
        eventually(lambda: other.stats("e", "q")["in"] == 200)


# ---- what cannot be read ------------------------------------------------------------------------

@pytest.mark.parametrize("length", [MIB, MIB + 1, LINE])
def test_a_line_up_to_the_limit_is_read(rpc, length):
    rpc.write(padded(length) + b"\n")
    assert "result" in rpc.line()


@pytest.mark.parametrize("request_", [
    {"method": "engine.\ncreate"}, {"method": "daemon.info", "par\nams": {}},
    {"method": "engine.show", "params": {"engine": "a\x1b[31mb\n"}},
    {"method": "engine.create", "params": {"engine": "e", "x\r\ny": 1, "\t": 2}}])
def test_a_refusal_is_one_line_whatever_it_quotes(rpc, request_):
    error = error_of(rpc, json.dumps({"id": 1, **request_}).encode())["error"]
    for text in (error["message"], *(e["message"] for e in error["data"].get("errors", []))):
        assert text.isprintable() and "\\x" in text


@pytest.mark.parametrize("length", [LINE + 1, LINE + 2, 3 * LINE])
def test_a_longer_line_is_one_error(rpc, length):
    message = error_of(rpc, padded(length))
    assert message["error"]["code"] == -32600 and message["id"] is None
    assert message["error"]["data"]["kind"] == "invalid-request"


def resident(pid):
    """KiB of memory in use."""
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status")
                if line.startswith("VmRSS"))


def test_a_line_without_end_costs_no_memory(rpc, daemon):
    error_of(rpc, padded(3 * LINE))
    before = resident(daemon.process.pid)
    for _ in range(64):
        rpc.write(b"x" * MIB)
    during = resident(daemon.process.pid)
    assert error_of(rpc, b"x")["error"]["code"] == -32600
    if not sanitized():  # they keep what was freed
        assert during - before < 8 * 1024


def test_long_lines_share_what_there_is(daemon):
    """Each of five sends 15 of its 16 MiB, and one more is told that there is no room; others go on."""
    senders = [daemon.client() for _ in range(5)]
    for sender in senders[:4]:
        sender.write(b" " * (15 * MIB))
    with daemon.client() as other:
        other.call("daemon.info")
        crowded = error_of(senders[4], padded(8 * MIB))
        assert crowded["error"]["data"]["kind"] == "limit"
        for sender in senders[:4]:
            sender.write(info() + b"\n")
            assert "result" in sender.line()
        senders[4].write(padded(8 * MIB) + b"\n")
        assert "result" in senders[4].line()


def test_a_long_request_holds_up_nobody(daemon, rpc):
    """Half a second of reading, or more: meanwhile others are answered."""
    count = 200_000 if sanitized() else 5_000_000
    text = b'{"id":1,"method":"daemon.info","params":{"x":[' + b",".join([b"[]"] * count) + b"]}}\n"
    thread = threading.Thread(target=rpc.write, args=(text,))
    thread.start()
    answered = 0
    with daemon.client() as other:
        while not select.select([rpc.socket], [], [], 0)[0]:
            other.call("daemon.info")
            answered += 1
    thread.join()
    assert rpc.line()["error"]["data"]["kind"] == "bad-parameter" and answered > 10


def test_a_carriage_return_is_part_of_the_newline(rpc):
    rpc.write(padded(LINE) + b"\r\n")
    assert "result" in rpc.line()


def nested(depth, opening="[", closing="]"):
    """A request with `depth` levels, the outermost object being the first."""
    inner = opening * (depth - 2) + closing * (depth - 2)
    return f'{{"jsonrpc":"2.0","id":1,"method":"daemon.info","params":{{"x":{inner}}}}}'.encode()


def test_nesting_of_64_is_read(rpc):
    rpc.write(nested(64) + b"\n")
    assert rpc.line()["error"]["code"] == -32602  # x is unknown, but it was read


@pytest.mark.parametrize("depth", [65, 66, 1000, 100_000])
def test_deeper_nesting_is_a_parse_error(rpc, depth):
    assert error_of(rpc, nested(depth))["error"]["code"] == -32700


BAD = {
    "not JSON": b"hello",
    "cut off": b'{"jsonrpc":"2.0","id":1',
    "two documents": b'{"jsonrpc":"2.0","id":1,"method":"daemon.info"} {}',
    "a repeated member": b'{"jsonrpc":"2.0","id":1,"id":2,"method":"daemon.info"}',
    "one repeated deep inside": info(params={}).replace(b"{}", b'{"a":{"b":1,"b":1}}'),
    "a NUL byte": b'{"jsonrpc":"2.0","id":1,\0"method":"daemon.info"}',
    "a NUL byte at the end": info() + b"\0",
    "a NUL byte alone": b"\0",
    "an escaped NUL": b'{"jsonrpc":"2.0","id":1,"method":"daemon\\u0000.info"}',
    "an escaped NUL as a name": b'{"jsonrpc":"2.0","id":1,"\\u0000":1,"method":"daemon.info"}',
    "bytes that are no UTF-8": b'{"jsonrpc":"2.0","id":"\xff","method":"daemon.info"}',
    "an overlong form": b'{"jsonrpc":"2.0","id":"\xc0\xaf","method":"daemon.info"}',
    "a surrogate in UTF-8": b'{"jsonrpc":"2.0","id":"\xed\xa0\x80","method":"daemon.info"}',
    "an escaped surrogate": b'{"jsonrpc":"2.0","id":"\\ud800","method":"daemon.info"}',
    "NaN": b'{"jsonrpc":"2.0","id":NaN,"method":"daemon.info"}',
    "a number too large": b'{"jsonrpc":"2.0","id":1e999,"method":"daemon.info"}',
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_read_is_one_parse_error(rpc, what):
    message = error_of(rpc, BAD[what])
    assert message["error"]["code"] == -32700 and message["id"] is None
    assert message["error"]["data"]["kind"] == "parse"


def test_garbage_gets_answers_and_hurts_nobody(rpc, daemon):
    import random
    chaos = random.Random(1)
    junk = b"".join(bytes(chaos.choices(b'{}[]",:\\u0\n\r\0 \xff\x80abc159-.e', k=200)) + b"\n"
                    for _ in range(300))
    rpc.write(junk)
    lines = [part.removesuffix(b"\r") for part in junk.split(b"\n")]
    for _ in range(sum(1 for part in lines if part)):
        assert "error" in rpc.line()
    assert rpc.call("daemon.info")["engines"] == 0


@pytest.mark.parametrize("data", [b"[" + info() + b"]", b" \t[" + info() + b"," + info() + b"]",
                                  b"[]", b"[1]"])
def test_a_batch_is_refused_with_a_hint(rpc, data):
    message = error_of(rpc, data)
    assert message["error"]["code"] == -32600 and message["id"] is None
    assert message["error"]["data"]["kind"] == "invalid-request"
    assert "engine.change" in message["error"]["data"]["hint"]


def test_a_batch_that_creates_creates_nothing(rpc):
    create = {"jsonrpc": "2.0", "id": 1, "method": "engine.create", "params": {"engine": "e"}}
    error_of(rpc, json.dumps([create]).encode())
    assert rpc.call("engine.list")["engines"] == []


# ---- what is refused, and how -------------------------------------------------------------------

def test_an_unknown_method_and_the_nearest_one(rpc):
    error = rpc.refused("engine.crate", engine="e")
    assert error.code == -32601 and error.kind == "no-such-method"
    assert "engine.create" in error.message + str(error.data)


@pytest.mark.parametrize("method, params, path, words", [
    ("engine.create", {}, "$.engine", ""),
    ("engine.create", {"engine": 5}, "$.engine", ""),
    ("engine.create", {"engine": "e", "block": []}, "$.block", "blocks"),
    ("engine.create", {"engine": "e", "blocks": {}}, "$.blocks", ""),
    ("engine.create", {"engine": "e", "blocks": [{"name": "a", "type": "Drian"}]},
     "$.blocks[0].type", "Drain"),
    ("engine.create", {"engine": "e", "blocks": [{"name": "a"}]}, "$.blocks[0].type", ""),
    ("engine.create", {"engine": "e", "blocks": [{"name": "a", "type": "RdpcapSource"}]},
     "$.blocks[0].params.fname", ""),
    ("engine.create", {"engine": "e", "blocks": [
        {"name": "a", "type": "RdpcapSource", "params": {"fname": "/x", "sped": 1}}]},
     "$.blocks[0].params.sped", "speed"),
    ("engine.create", {"engine": "e", "blocks": [
        {"name": "a", "type": "RdpcapSource", "params": {"fname": "/x", "loop": "often"}}]},
     "$.blocks[0].params.loop", ""),
    ("engine.create", {"engine": "e", "blocks": [
        {"name": "a", "type": "WrpcapSink", "params": {"fname": "/x", "format": "pcapnh"}}]},
     "$.blocks[0].params.format", "pcapng"),
    ("engine.create", {"engine": "e", "blocks": [{"name": "a", "type": "Drain"}],
                       "links": [{"from": "a", "to": "b"}]}, "$.links[0].to", ""),
    ("engine.create", {"engine": "e", "blocks": [{"name": "a", "type": "Drain"}],
                       "links": [{"from": "a", "to": "a", "canal": "lo"}]},
     "$.links[0].canal", "low"),
    ("engine.stop", {"engine": "e", "wait": "yes"}, "$.wait", ""),
    ("engine.stop", {"engine": "e", "timeout_s": -1}, "$.timeout_s", ""),
    ("block.recv", {"engine": "e", "block": "q", "max": 0}, "$.max", ""),
    ("block.recv", {"engine": "e", "block": "q", "max": 1.0}, "$.max", "not 1.0"),
    ("engine.change", {"engine": "e", "ops": [{"op": "ad"}]}, "$.ops[0].op", "add"),
    ("engine.change", {"engine": "e", "ops": [{"op": "link", "to": "b"}]}, "$.ops[0].from", ""),
    ("engine.change", {"engine": "e", "ops": [{"op": "remove", "nam": "b"}]}, "$.ops[0].nam",
     "name"),
])
def test_a_bad_parameter_is_named_by_its_path(rpc, method, params, path, words):
    error = rpc.refused(method, params)
    assert path in [error.path, *error.paths], (error.path, error.paths, error.message)
    assert words in error.message + json.dumps(error.data)
    assert error.path == error.paths[0]
    assert rpc.call("engine.list")["engines"] == []


VALUES = {"string": "text", "number": 1.5, "integer": 3, "boolean": True, "null": None,
          "array": [[]], "object": {"surely": "unknown"}}


def misfits(schema):
    """Values that a schema surely does not take."""
    if not isinstance(schema, dict) or not isinstance(schema.get("type"), str):
        return []  # takes more than one, or is described elsewhere
    takes = {schema["type"]} | ({"integer"} if schema["type"] == "number" else set())
    found = [value for kind, value in VALUES.items() if kind not in takes]
    if "enum" in schema:
        found.append("surely none of them")
    if "maximum" in schema:
        found += [schema["maximum"] * 2 + 1, 1e300]
    if "minimum" in schema:
        found += [schema["minimum"] - 1, -1e300]
    return found


def test_a_member_of_the_wrong_kind_is_named_whatever_the_method(rpc):
    """Each method, each of its members, each kind of value that does not fit."""
    tried = 0
    for method in rpc.call("rpc.discover")["methods"]:
        for member in method["params"]:
            for value in misfits(member["schema"]):
                error = rpc.refused(method["name"], {member["name"]: value})
                assert error.kind == "bad-parameter", (method["name"], member, value, error)
                path = f"$.{member['name']}"
                assert any(p.startswith(path) for p in error.paths), (method["name"], value, error)
                tried += 1
    assert tried > 200
    assert rpc.call("engine.list")["engines"] == []


def test_a_blocks_parameter_of_the_wrong_kind_is_named_whatever_the_type(rpc):
    tried = 0
    for name in (t["name"] for t in rpc.call("type.list")["types"]):
        for described in rpc.call("type.show", type=name)["params"]:
            member = described["name"]
            for value in misfits(described["schema"]):
                error = rpc.refused("engine.create", engine="e", blocks=[
                    {"name": "b", "type": name, "params": {member: value}}])
                assert error.kind == "bad-parameter", (name, member, value, error)
                path = f"$.blocks[0].params.{member}"
                assert any(p.startswith(path) for p in error.paths), (name, member, value, error)
                tried += 1
    assert tried > 100
    assert rpc.call("engine.list")["engines"] == []


def test_all_faults_are_listed(rpc):
    error = rpc.refused("engine.create", engine="e", starf=True, blocks=[
        {"name": "a", "type": "RdpcapSource", "params": {"speed": "x"}},
        {"name": "b", "type": "Drain", "extra": 1}])
    for path in ("$.starf", "$.blocks[0].params.speed", "$.blocks[1].extra"):
        assert path in error.paths, error.paths
    console(rpc)
    error = rpc.refused("block.send", engine="c", block="s", messages=["a", 1, {"hex": "0"}, {
        "message": "a", "canal": "up", "colour": 1}])
    assert set(error.paths) == {"$.messages[1]", "$.messages[2].hex", "$.messages[3].canal",
                                "$.messages[3].colour"}, error.paths
    assert rpc.stats("c", "s")["in"] == 0
    assert len(rpc.refused("block.send", engine="c", block="s", messages=[1] * 1000).paths) == 256


def test_the_kinds_of_refusal(rpc):
    rpc.call("engine.create", engine="e", blocks=[{"name": "d", "type": "Drain"},
                                                  {"name": "s", "type": "Sink"},
                                                  {"name": "a", "type": "CLIFeeder"}])
    change = {"engine": "e"}
    for kind, method, params in [
            ("no-such-engine", "engine.show", {"engine": "f"}),
            ("no-such-engine", "engine.destroy", {"engine": "f"}),
            ("no-such-block", "block.send", {"engine": "e", "block": "x", "message": "m"}),
            ("no-such-type", "type.show", {"type": "Drin"}),
            ("exists", "engine.create", {"engine": "e"}),
            ("exists", "engine.change", {**change, "ops": [add("d", "Drain")]}),
            ("bad-link", "engine.change", {**change, "ops": [link("s", "d")]}),
            ("bad-link", "engine.change", {**change, "ops": [link("d", "a")]}),
            ("cycle", "engine.change", {**change, "ops": [link("d", "d")]}),
            ("wrong-state", "block.send", {"engine": "e", "block": "d", "message": "m"}),
            ("wrong-state", "block.recv", {"engine": "e", "block": "d"}),
            ("conflict", "engine.change", {**change, "ops": [add("z", "Drain")],
                                           "if_revision": 999}),
            ("script", "engine.change", {**change, "ops": [
                add("t", "TransformDrain", f="function(")]})]:
        assert rpc.refused(method, params).kind == kind, (method, params)


def test_an_io_error_and_its_words(rpc, tmp_path):
    missing = str(tmp_path / "missing.pcap")
    error = rpc.refused("engine.create", engine="e", start=True, blocks=[
        {"name": "r", "type": "RdpcapSource", "params": {"fname": missing}}])
    assert error.kind == "io" and missing in error.message and error.code > 0
    assert rpc.call("engine.list")["engines"] == []


# ---- notifications ------------------------------------------------------------------------------

def console(rpc):
    rpc.call("engine.create", engine="c", start=True,
             blocks=[{"name": "s", "type": "CLIFeeder"}, {"name": "o", "type": "RawConsoleSink"}],
             links=[{"from": "s", "to": "o"}])


def test_notifications_come_between_answers(rpc):
    console(rpc)
    assert rpc.call("block.attach", engine="c") == {}
    rpc.send("c", "s", "one", "two")
    assert rpc.call("daemon.info")["engines"] == 1
    text = ""
    while "two" not in text:
        note = rpc.notification("block.output")
        assert note["params"]["engine"] == "c" and note["params"]["block"] == "o"
        assert note["params"]["canal"] == "low" and "id" not in note
        text += note["params"]["text"]
    assert text == "one\ntwo\n"


def test_unread_notifications_are_dropped_and_counted(rpc, daemon):
    console(rpc)
    reader = daemon.client()
    reader.call("block.attach", engine="c")
    total, size = 80, 100_000  # 8 MB: more than may wait, less than costs the connection
    for number in range(total):
        rpc.send("c", "s", f"{number:06}" + "x" * size)
    seen = dropped = 0
    while seen + dropped < total:
        note = reader.line()
        if note["method"] == "gap":
            dropped += note["params"]["dropped"]
        else:
            seen += note["params"]["text"].count("\n")
    assert dropped > 0 and seen > 0
    rpc.send("c", "s", "and on")
    assert reader.line()["params"]["text"] == "and on\n"


def test_4_mebibytes_may_wait_and_the_gap_stands_where_it_was(rpc, daemon):
    console(rpc)
    reader = daemon.client()
    buffer = reader.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    reader.call("block.attach", engine="c")
    size = 10_000
    for number in range(0, 700, 10):
        rpc.send("c", "s", *(f"{n:06}" + "x" * size for n in range(number, number + 10)))
    before = []
    while (note := reader.line())["method"] != "gap":
        before += [int(line[:6]) for line in note["params"]["text"].splitlines()]
    dropped = note["params"]["dropped"]
    assert before == list(range(len(before))) and len(before) + dropped == 700
    assert 4 * MIB - 2 * size < len(before) * size < 4 * MIB + 2 * buffer
    rpc.send("c", "s", "and on")
    assert reader.line()["params"]["text"] == "and on\n"


def test_answers_are_never_dropped(rpc, daemon):
    console(rpc)
    reader = daemon.client()
    reader.call("block.attach", engine="c")
    posted = []
    for number in range(60):
        posted.append(reader.post("daemon.info"))
        rpc.send("c", "s", *["x" * 100_000] * 2)
    lines = []
    while len(posted) > sum("id" in line for line in lines):
        lines.append(reader.line())
    assert [line["id"] for line in lines if "id" in line] == posted
    assert any(line.get("method") == "block.output" for line in lines)


def test_a_peer_that_reads_now_and_then_stays(rpc, daemon):
    """Twice the patience is dropped, but never without a read between."""
    console(rpc)
    reader = daemon.client()
    reader.call("block.attach", engine="c")
    sent = seen = 0
    for _ in range(4):
        for _ in range(12):  # 12 MB
            rpc.send("c", "s", *["x" * 99_999] * 10)
            sent += 10
        while seen < sent:
            note = reader.line()["params"]
            seen += note["dropped"] if "dropped" in note else note["text"].count("\n")
    assert seen == sent


def test_a_peer_that_never_reads_is_closed_in_the_end(rpc, daemon):
    console(rpc)
    reader = daemon.client()
    reader.call("block.attach", engine="c")
    for _ in range(300):  # 30 MB
        rpc.send("c", "s", "x" * 100_000)
    hangup = select.poll()
    hangup.register(reader.socket, select.POLLHUP)
    assert hangup.poll(10_000), "still open"
    assert rpc.call("daemon.info")["engines"] == 1


# ---- descriptors and numbers --------------------------------------------------------------------

def test_descriptors_that_no_request_claims_are_closed(rpc):
    ours, theirs = os.pipe()
    rpc.write(info() + b"\n", fds=[theirs])
    os.close(theirs)
    assert rpc.line()["id"] == 1
    assert select.select([ours], [], [], 20)[0] == [ours]
    assert os.read(ours, 1) == b""
    os.close(ours)


def test_a_request_that_claims_descriptors_it_did_not_send_is_refused(rpc):
    error = error_of(rpc, info(fds=1))["error"]
    assert error["data"]["kind"] in ("invalid-request", "bad-parameter")


def pipes(count):
    """(reading end, writing end) of each."""
    return [os.pipe() for _ in range(count)]


def closed(reading):
    """Waits until nobody has the writing end any more."""
    assert select.select([reading], [], [], 20)[0] == [reading]
    assert os.read(reading, 1) == b""
    os.close(reading)


def create(engine, fd):
    """A request that makes an engine which writes to a descriptor that comes along."""
    return {"jsonrpc": "2.0", "id": engine, "method": "engine.create", "fds": 1, "params": {
        "engine": engine, "start": True, "links": [{"from": "s", "to": "f"}], "blocks": [
            {"name": "s", "type": "CLIFeeder"},
            {"name": "f", "type": "FDSourceSink", "params": {"fd": fd}}]}}


def line(request):
    return json.dumps(request).encode() + b"\n"


def test_each_request_has_the_descriptors_that_came_with_it(rpc):
    made = pipes(5)
    for number, (_, writing) in enumerate(made):  # in one go, before the first is answered
        rpc.write(line(create(f"e{number}", {"fd": 0})), fds=[writing])
        os.close(writing)
    assert [rpc.line()["id"] for _ in made] == [f"e{number}" for number in range(5)]
    for number in range(5):
        rpc.send(f"e{number}", "s", f"for {number}")
    for number, (reading, _) in enumerate(made):
        assert os.read(reading, 100) == f"for {number}".encode()
        rpc.call("engine.destroy", engine=f"e{number}")
        closed(reading)


def test_one_request_may_have_several(rpc):
    made = pipes(3)
    request = create("e", {"fd": 2})
    request["fds"] = 3
    rpc.write(line(request), fds=[writing for _, writing in made])
    for _, writing in made:
        os.close(writing)
    assert "result" in rpc.line()
    rpc.send("e", "s", "the third")
    assert os.read(made[2][0], 100) == b"the third"
    for reading, _ in made[:2]:  # it said that they came, and used them for nothing
        closed(reading)
    rpc.call("engine.destroy", engine="e")
    closed(made[2][0])


@pytest.mark.parametrize("what, change", {
    "no such method": {"method": "engine.crate"},
    "no such member": {"params": {"surely": 1}},
    "no such descriptor": create("e", {"fd": 1}),
    "a negative one": create("e", {"fd": -1}),
    "more than came": {"fds": 2},
    "fewer than none": {"fds": -1},
    "a number of no sense": {"fds": 10 ** 12},
    "a text": {"fds": "1"},
    "half of one": {"fds": 0.5},
}.items())
def test_a_refused_request_keeps_no_descriptor(rpc, what, change):
    (reading, writing), = pipes(1)
    rpc.write(line({**create("e", {"fd": 0}), **change}), fds=[writing])
    os.close(writing)
    assert "error" in rpc.line(), what
    closed(reading)
    assert rpc.call("engine.list")["engines"] == []


@pytest.mark.parametrize("data", [b"\n", b"garbage\n", padded(LINE + 1) + b"\n", b"[]\n"],
                         ids=["empty line", "garbage", "too long", "batch"])
def test_descriptors_of_a_line_that_is_no_request_are_closed(rpc, data):
    (reading, writing), = pipes(1)
    rpc.write(data + info() + b"\n", fds=[writing])
    os.close(writing)
    closed(reading)
    while rpc.line()["id"] != 1:
        pass


def test_descriptors_of_a_connection_that_goes_are_closed(daemon):
    (reading, writing), = pipes(1)
    with Client(daemon.socket) as client:
        client.write(b'{"half a line', fds=[writing])
    os.close(writing)
    closed(reading)


def test_no_descriptor_stays_however_many_come(rpc, daemon):
    rpc.call("daemon.info")
    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    (reading, writing), = pipes(1)
    for _ in range(50):
        rpc.write(b" ", fds=[writing] * 200)
    os.close(writing)
    rpc.write(info() + b"\n")
    assert rpc.line()["id"] == 1
    closed(reading)
    eventually(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before)


@pytest.fixture
def many_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 4096:
        pytest.skip("the limit of open files is too low")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_1024_connections_and_not_one_more(many_files, daemons):
    daemon = daemons()
    clients = [daemon.client() for _ in range(1024)]
    clients[-1].call("daemon.info")
    clients[0].call("daemon.info")
    extra = Client(daemon.socket)
    message = extra.line()
    assert message["error"]["data"]["kind"] == "limit", message
    with pytest.raises(Closed):
        extra.line()
    extra.close()
    clients.pop().close()

    def admitted():
        client = daemon.client()
        try:
            return client.call("daemon.info")
        except (Closed, BrokenPipeError, ConnectionResetError):
            return None
        except Exception as error:  # the refusal is no answer to a request
            if getattr(error, "kind", None) == "limit" or isinstance(error, AssertionError):
                return None
            raise
    eventually(admitted)


def test_a_connection_that_goes_away_in_the_middle_is_no_matter(daemon):
    console(daemon.client())
    for data in (b'{"jsonrpc"', info(), info() + b"\n"):
        with Client(daemon.socket) as client:
            client.write(data)
    with Client(daemon.socket) as client:
        client.post("block.recv", engine="c", block="o", timeout_s=60)
    assert daemon.call("daemon.info")["engines"] == 1


WAITS = b'{"id":1,"method":"engine.stop","params":{"engine":"c","wait":true}}\n'


@pytest.mark.parametrize("half", [False, True], ids=["closed", "shut down and closed"])
@pytest.mark.parametrize("data", [
    WAITS, WAITS * 3, b'{"id":1,"method":"events.subscribe"}\n' + WAITS,
    b'{"method":"engine.start","params":{"engine":"c"}}\n' + WAITS * 2],
    ids=["at once", "again and again", "subscribed", "behind a start"])
def test_nobody_waits_for_ever_on_behalf_of_a_peer_that_is_gone(rpc, daemon, data, half):
    """What it sent is carried out, though."""
    console(rpc)
    held = Held(daemon.process)
    held.remember()
    for _ in range(30):
        with Client(daemon.socket) as client:
            client.write(data)
            if half:
                client.socket.shutdown(socket.SHUT_WR)
    daemon.call("daemon.info")  # who comes later is let in later
    held.nothing_more()
    assert rpc.show("c")["state"] == "draining"


# ---- the description ----------------------------------------------------------------------------

def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_discover_describes_every_method(rpc):
    document = rpc.call("rpc.discover")
    assert document["openrpc"].startswith("1.")
    assert document["info"]["title"] and document["info"]["version"]
    methods = {m["name"]: m for m in document["methods"]}
    for name in ("daemon.info engine.create engine.destroy engine.start engine.stop engine.list "
                 "engine.show engine.change engine.stats engine.graph block.send block.recv "
                 "block.close block.attach type.list type.show").split():
        assert name in methods, name
    for name, method in methods.items():
        required = [p.get("required", False) for p in method["params"]]
        assert required == sorted(required, reverse=True), f"{name}: an optional one comes first"
        assert all("schema" in p and "name" in p for p in method["params"]), name
        assert "result" in method, name
        assert len({p["name"] for p in method["params"]}) == len(method["params"])
    for reference in references(document):
        place = document
        assert reference.startswith("#/")
        for part in reference[2:].split("/"):
            place = place[part.replace("~1", "/").replace("~0", "~")]


def test_every_discovered_method_answers(rpc):
    for method in rpc.call("rpc.discover")["methods"]:
        error = rpc.refused(method["name"], {"surely_unknown": 1})
        assert error.kind == "bad-parameter" and "$.surely_unknown" in error.paths, method["name"]


def test_types_are_described(rpc):
    types = rpc.call("type.list")["types"]
    names = [t["name"] if isinstance(t, dict) else t for t in types]
    for name in ("CLIFeeder CLIHighFeeder PeriodicSource AutoSource SniffSource RdpcapSource Drain "
                 "TransformDrain FilterDrain UpDrain DownDrain Sink ConsoleSink RawConsoleSink "
                 "QueueSink InjectSink WrpcapSink").split():
        assert name in names, name
    shown = rpc.call("type.show", type="RdpcapSource")
    assert "fname" in json.dumps(shown) and "picture" in shown and shown["examples"]


# ---- what is received, and has come -------------------------------------------------------------

def taken_by(client, count, **more):
    return [m["message"] for m in client.call("block.recv", engine="e", block="q", max=count, **more)["messages"]]


def test_what_is_held_goes_back_to_its_place(daemon, rpc):
    """Both canals, packets with all that they have, the ledger: as if nobody had asked."""
    daemon.create("e", "s = CLIFeeder(); h = CLIHighFeeder(); q = QueueSink(); s > q; h >> q")
    rpc.send("e", "s", "a", {"message": {"base64": "AAEC"}, "link_type": 1, "time": "12.000000345", "wire_length": 77})
    rpc.send("e", "h", "c")
    rpc.send("e", "s", "d")
    with daemon.client() as other:
        before = other.call("block.recv", engine="e", block="q", max=3, hold=True)
        assert [m["message"] for m in before["messages"]][0::2] == ["a", "c"]
        assert taken_by(rpc, 1, timeout_s=0) == ["d"]
        rpc.send("e", "s", "e")
    eventually(lambda: rpc.stats("e", "q")["held"] == 4)
    assert rpc.call("block.recv", engine="e", block="q", max=3) == before
    assert taken_by(rpc, 9) == ["e"]
    stats = rpc.stats("e", "q")
    assert (stats["in"], stats["out"], stats["held"]) == (5, 5, 0) and rpc.call("engine.stats", engine="e")["unexplained"] == 0


def test_the_next_request_says_that_it_has_come(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    rpc.send("e", "s", "a", "b", "c")
    with daemon.client() as other:
        assert taken_by(other, 2, hold=True) == ["a", "b"]
        assert taken_by(other, 2, hold=True) == ["c"]
    eventually(lambda: rpc.stats("e", "q")["held"] == 1)
    assert taken_by(rpc, 9) == ["c"]


def test_what_is_held_of_a_block_that_goes_goes_with_it(daemon, rpc):
    daemon.create("e", "s = CLIFeeder(); q = QueueSink(); s > q")
    rpc.send("e", "s", "a")
    with daemon.client() as other:
        assert taken_by(other, 1, hold=True) == ["a"]
        rpc.call("engine.destroy", engine="e")
    assert rpc.call("engine.list")["engines"] == []
