# SPDX-License-Identifier: BSD-2-Clause
"""A nats-server of one's own, and a client for it that knows what the tests ask."""
import base64
import contextlib
import io
import json
import pathlib
import signal
import socket
import subprocess

from scapy.utils import RawPcapNgReader

from conftest import DEADLINE, eventually


class Server:
    """A nats-server on a free port of loopback, which it keeps over restarts."""

    def __init__(self, folder, config="", jetstream=True, start=True):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.config = config
        self.jetstream = jetstream
        self.process = None
        self.port = -1
        if start:
            self.start()
        else:  # a port that nobody else is given meanwhile, since it is bound
            self.reserved = socket.socket()
            self.reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.reserved.bind(("127.0.0.1", 0))
            self.port = self.reserved.getsockname()[1]

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def start(self):
        if self.port > 0 and getattr(self, "reserved", None):
            self.reserved.close()
        self.listen = self.port
        path = self.configured()
        for old in self.folder.glob("*.ports"):
            old.unlink()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(["nats-server", "-c", path], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        ports = self.folder / f"nats-server_{self.process.pid}.ports"
        said = eventually(lambda: self.process.poll() is None and ports.exists() and ports.read_text(),
                          what=self.log)
        self.port = int(json.loads(said)["nats"][0].rsplit(":", 1)[1])

    def configured(self):
        path = self.folder / "nats.conf"
        store = f'jetstream {{ store_dir: "{self.folder}/store" }}\n' if self.jetstream else ""
        path.write_text(f'listen: "127.0.0.1:{self.listen}"\nports_file_dir: "{self.folder}"\n'
                        f'{store}{self.config}\n')
        return path

    def log(self):
        return (self.folder / "log").read_text()

    def reload(self, config):
        """The same process, with another configuration."""
        done = "Reloaded server configuration"
        before, self.config = self.log().count(done), config
        self.configured()
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.log().count(done) > before, what=self.log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.kill()


class Cluster:
    """Three servers on ports of loopback, which stay theirs while they are dead."""

    def __init__(self, folder):
        self.reserved = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
        ports = [one.getsockname()[1] for one in self.reserved]
        for one in self.reserved:
            one.close()
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports[3:])
        self.servers = []
        for n in range(3):
            server = Server(folder / f"n{n}", f'server_name: n{n}\ncluster {{ name: c, listen: "127.0.0.1:{ports[3 + n]}", '
                            f'routes: [{routes}] }}', start=False)
            server.reserved.close()
            server.port = ports[n]
            self.servers.append(server)
        for server in self.servers:
            server.start()

    @property
    def url(self):
        return ",".join(server.url for server in self.servers)

    def ask(self, verb, **body):
        """The first good answer of one that lives."""
        def asked():
            for server in self.servers:
                if server.process.poll() is None:
                    with contextlib.suppress(OSError, AssertionError), Nats(server, timeout=2) as nats:
                        return nats.api(verb, **body)
            return None
        return eventually(asked)

    def leader(self, verb):
        """The server that leads a stream or a consumer."""
        def leader():
            said = self.ask(verb).get("cluster", {}).get("leader")
            return next((server for n, server in enumerate(self.servers) if said == f"n{n}"), None)
        return eventually(leader)

    def is_whole(self, verb):
        """Whether all servers take part in a stream, and have caught up."""
        replicas = self.ask(verb).get("cluster", {}).get("replicas", [])
        return len(replicas) == 2 and all(one["current"] for one in replicas)

    def stop(self):
        for server in self.servers:
            server.kill()


class Nats:
    """One connection: requests, and what streams have."""

    def __init__(self, server, timeout=DEADLINE, **who):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout)
        self.file = self.socket.makefile("rb")
        self.line(b"INFO")
        self.ids = 0
        said = {"verbose": False, "headers": True, "no_responders": True, **who}
        self.socket.sendall(b"CONNECT " + json.dumps(said).encode() + b"\r\nPING\r\n")
        self.line(b"PONG")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def line(self, word):
        """The next line that begins so; pings are answered."""
        while True:
            line = self.file.readline()
            assert line and not line.startswith(b"-ERR"), line
            if line.startswith(b"PING"):
                self.socket.sendall(b"PONG\r\n")
            if line.startswith(word):
                return line

    def request(self, subject, payload=b"", headers=None):
        if isinstance(payload, dict):
            payload = json.dumps(payload).encode()
        self.ids += 1
        inbox = f"_INBOX.test{id(self)}.{self.ids}"
        said = f"SUB {inbox} {self.ids}\r\nUNSUB {self.ids} 1\r\n".encode()
        head = b""
        if headers:
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head = f"NATS/1.0\r\n{lines}\r\n".encode()
            said += f"HPUB {subject} {inbox} {len(head)} {len(head) + len(payload)}\r\n".encode()
        else:
            said += f"PUB {subject} {inbox} {len(payload)}\r\n".encode()
        self.socket.sendall(said + head + payload + b"\r\n")
        line = self.line((b"MSG", b"HMSG"))
        body = self.file.read(int(line.split()[-1]) + 2)[:-2]
        assert line.startswith(b"MSG"), (subject, body)
        return json.loads(body)

    def api(self, verb, **body):
        answer = self.request(f"$JS.API.{verb}", body if body else b"")
        assert "error" not in answer, answer
        return answer

    def stream(self, name, *subjects, **more):
        self.api(f"STREAM.CREATE.{name}", name=name, subjects=list(subjects), storage="file", **more)

    def state(self, name):
        return self.api(f"STREAM.INFO.{name}")["state"]

    def messages(self, name):
        """All that a stream has: subject, headers, bytes."""
        for number in range(1, self.state(name)["last_seq"] + 1):
            got = self.api(f"STREAM.MSG.GET.{name}", seq=number)["message"]
            yield (got["subject"], base64.b64decode(got.get("hdrs", "")).decode(),
                   base64.b64decode(got["data"]))


def packets(data):
    """Of a pcapng: time in nanoseconds and bytes of each packet, as Scapy reads them."""
    return [((meta.tshigh << 32 | meta.tslow) * 1000000000 // meta.tsresol, bytes(packet))
            for packet, meta in RawPcapNgReader(io.BytesIO(data))]
