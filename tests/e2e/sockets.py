# SPDX-License-Identifier: BSD-2-Clause
"""Sockets as the peers of network pipes, and what is asked of such an engine."""
import base64
import socket
import struct

from conftest import DEADLINE, eventually


def data_of(message):
    data = message["message"]
    return data.encode() if isinstance(data, str) else base64.b64decode(data["base64"])


def address(rpc, engine, block):
    """Where a block listens: (host, port), as the user learns it."""
    host, port = rpc.show(engine, block)["now"]["address"].rsplit(":", 1)
    return host.strip("[]"), int(port)


def name_of(sock, peer=False):
    host, port = (sock.getpeername() if peer else sock.getsockname())[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listener(host="127.0.0.1", port=0):
    sock = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.settimeout(DEADLINE)
    return sock


def connected(where):
    return socket.create_connection(where, timeout=DEADLINE)


def accept(server):
    sock, _ = server.accept()
    sock.settimeout(DEADLINE)
    return sock


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def read_exactly(sock, count):
    got = b""
    while len(got) < count:
        data = sock.recv(count - len(got))
        assert data, f"the end after {len(got)} of {count} bytes"
        got += data
    return got


def read_all(sock):
    got = b""
    while data := sock.recv(1 << 18):
        got += data
    return got


def received(rpc, engine, block, count):
    """So many bytes out of a QueueSink."""
    got = b""
    while len(got) < count:
        messages = rpc.recv(engine, block, 1)
        assert messages, f"only {len(got)} of {count} bytes"
        got += b"".join(data_of(m) for m in messages)
    return got


def exhausted(rpc, engine, block):
    return eventually(lambda: rpc.show(engine, block)["state"] == "exhausted", what="exhausted")


def dropped(rpc, engine, block):
    return rpc.stats(engine, block)["dropped"]


def settled(rpc, engine):
    """A stopped engine has nothing unexplained."""
    rpc.call("engine.stop", engine=engine)
    assert rpc.stats(engine)["unexplained"] == 0
