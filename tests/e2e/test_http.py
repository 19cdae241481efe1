# SPDX-License-Identifier: BSD-2-Clause
"""[http]: counts, what viewers may ask, events and the page; for nobody but those who are meant."""
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import socket

import pytest

import browser
from client import Client
from conftest import DEADLINE, eventually, sanitized
from test_pull import Graphs
from test_stats import families, value

GRAPH = "a = CLIFeeder(); a > d = Drain() > q = QueueSink()"


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Site:
    """What a daemon serves."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.at = re.findall(r"it serves http on (\S+)", daemon.log())[-1]

    def connect(self):
        return Unix(self.at) if self.at.startswith("/") else http.client.HTTPConnection(self.at, timeout=DEADLINE)

    def ask(self, path, method="GET", **headers):
        connection = self.connect()
        connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        return answer

    def call(self, method, query=""):
        answer = self.ask(f"/api/{method}{query and '?'}{query}")
        assert answer.status == 200, answer.text
        return json.loads(answer.text)

    def listen(self, path):
        """Server-sent events, as (name, data)."""
        connection = self.connect()
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert answer.headers["Content-Type"] == "text/event-stream"
        return connection, events_of(answer)


def events_of(answer):
    name = None
    for line in answer:
        word, _, rest = line.decode().rstrip("\n").partition(": ")
        if word == "event":
            name = rest
        elif word == "data":
            yield name, json.loads(rest)


@pytest.fixture
def site(daemons):
    return Site(daemons(config="[http]\nlisten = 127.0.0.1:0\ntaps = yes\nhosts = graphs.example, other\n"))


def test_counts_are_those_of_ptctl(site):
    site.daemon.create("e", GRAPH)
    site.daemon.ok("send", "e.a", "one", "two")
    answer = site.ask("/metrics")
    assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    told = families(answer.text)
    assert value(told, "pipetool_block_in_total", engine="e", block="q") == 2
    assert set(told) == set(families(site.daemon.ok("metrics")))
    # What reads the older format, as the node exporter's text file collector, knows no others.
    assert set(re.findall(r"^# TYPE \S+ (.*)$", answer.text, re.M)) == {"counter", "gauge"}
    head = site.ask("/metrics", method="HEAD")
    assert (head.status, head.text) == (200, "")


def test_the_api_answers_as_the_socket_does(site, daemons):
    site.daemon.create("e", GRAPH)
    with Client(site.daemon.socket) as client:
        for method, query, params in (
                ("engine.show", "engine=e", {"engine": "e"}), ("engine.list", "", {}), ("type.list", "", {}),
                ("type.show", "type=Drain", {"type": "Drain"}), ("rpc.discover", "", {}),
                ("engine.graph", "engine=e&stats=true&format=mermaid",
                 {"engine": "e", "stats": True, "format": "mermaid"}),
                ("engine.log", "engine=e&revision=1", {"engine": "e", "revision": 1})):
            assert site.call(method, query) == client.call(method, params)


@pytest.mark.parametrize("path,status,kind", [
    ("/api/engine.show?engine=none", 404, "no-such-engine"), ("/api/engine.show", 400, "bad-parameter"),
    ("/api/engine.list?no=1", 400, "bad-parameter"), ("/api/block.tap?engine=e&block=none", 404, "no-such-engine"),
    ("/api/engine.log?engine=e&revision=x", 400, "bad-parameter"), ("/api/engine.log?engine=%ff", 400, "bad-parameter"),
    ("/api/engine.list?%ff=1", 400, "bad-parameter"), ("/api/engine.show?engine=e&engine=e", 400, "bad-parameter")])
def test_a_refusal_has_its_status_and_its_words(site, path, status, kind):
    answer = site.ask(path)
    assert answer.status == status, answer.text
    assert json.loads(answer.text)["data"]["kind"] == kind


def test_nothing_is_changed_by_any_method(site):
    site.daemon.create("e", GRAPH)
    before = site.daemon.call("engine.show", {"engine": "e"}), site.daemon.call("engine.log", {"engine": "e"})
    methods = [m["name"] for m in site.daemon.call("rpc.discover")["methods"]]
    assert "engine.destroy" in methods
    served = set()
    for method in methods:
        if method == "block.tap":
            continue
        answer = site.ask(f"/api/{method}?engine=e&block=d&text=x%20%3D%20Drain()&name=x&params=%7B%7D")
        if answer.status != 404 or "no such method of viewers" not in answer.text:
            served.add(method)
        for verb in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert site.ask(f"/api/{method}?engine=e", method=verb).status == 405
    assert served == {"daemon.info", "daemon.metrics", "rpc.discover", "engine.list", "engine.show", "engine.stats",
                      "engine.graph", "engine.diff", "engine.log", "type.list", "type.show"}
    assert before == (site.daemon.call("engine.show", {"engine": "e"}), site.daemon.call("engine.log", {"engine": "e"}))
    assert site.ask("/none").status == site.ask("/api/none").status == site.ask("/api/").status == 404


@pytest.mark.parametrize("headers,status", [
    ({"Host": "localhost"}, 200), ({"Host": "LOCALHOST:99"}, 200), ({"Host": "127.0.0.1"}, 200),
    ({"Host": "graphs.example:8739"}, 200), ({"Host": "other"}, 200), ({"Host": "evil.example"}, 403),
    ({"Host": "127.0.0.1.evil.example"}, 403), ({"Host": "localhost.evil.example"}, 403), ({"Host": ""}, 403),
    ({"Host": "localhost", "Origin": "http://localhost"}, 200), ({"Host": "other", "Origin": "https://other"}, 200),
    ({"Host": "localhost", "Origin": "http://evil.example"}, 403), ({"Host": "localhost", "Origin": "null"}, 403),
    ({"Host": "localhost", "Origin": "http://localhost:1"}, 403),
    ({"Host": "localhost", "Sec_Fetch_Site": "cross-site"}, 403),
    ({"Host": "localhost", "Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, 200),
    ({"Host": "localhost", "Sec_Fetch_Site": "same-origin"}, 200)])
def test_pages_of_elsewhere_get_nothing(site, headers, status):
    for path in ("/", "/metrics", "/api/engine.list"):
        answer = site.ask(path, **headers)
        assert answer.status == status, answer.text
        assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_events_are_told(site):
    site.daemon.create("e", GRAPH)
    connection, events = site.listen("/events")
    name, data = next(events)
    assert name == "state" and [engine["engine"] for engine in data["engines"]] == ["e"]
    site.daemon.ok("add", "e", "d > Sink()", "--comment", "more")
    name, data = next(event for event in events if event[0] == "engine.changed")
    assert (data["name"], data["engine"], data["data"]["comment"]) == ("engine.changed", "e", "more")
    connection.close()
    assert site.ask("/events?engine=none").status == 404


def test_a_tap_shows_messages_until_its_block_goes(site):
    site.daemon.create("e", GRAPH)
    connection, events = site.listen("/api/block.tap?engine=e&block=d")
    site.daemon.ok("send", "e.a", "shown")
    name, data = next(events)
    assert name == "block.packets" and data["messages"][0]["message"] == "shown"
    site.daemon.ok("remove", "e", "d")
    assert all(data.get("messages") == [] or data.get("ended") for _, data in events)  # and it ends
    connection.close()


def test_messages_are_shown_on_a_unix_socket_or_where_it_is_said(daemons, tmp_path):
    closed = Site(daemons(config="[http]\nlisten = [::1]:0\n" if socket.has_ipv6 and loopback6() else
                          "[http]\nlisten = 127.0.0.1:0\n"))
    closed.daemon.create("e", GRAPH)
    refused = closed.ask("/api/block.tap?engine=e&block=d")
    assert refused.status == 403 and "taps = yes" in refused.text
    local = Site(daemons(config=f"[http]\nlisten = {tmp_path}/http.sock\n"))
    local.daemon.create("e", GRAPH)
    assert local.ask("/", Host="evil.example").status == 403
    for relay in ("127.0.0.1:8739", "[::1]:8739", "localhost:1"):  # as ssh -L has it
        assert local.ask("/", Host=relay, Origin=f"http://{relay}").status == 200
        assert local.ask("/", Host=relay, Origin="http://127.0.0.1:80").status == 403
    connection, events = local.listen("/api/block.tap?engine=e&block=d")
    local.daemon.ok("send", "e.a", "shown")
    assert next(events)[1]["messages"][0]["message"] == "shown"
    local.daemon.stop()  # ends the stream, too
    assert list(events) == []
    assert not pathlib.Path(local.at).exists()


def test_a_trace_is_shown_and_ends(site):
    site.daemon.create("e", GRAPH)
    connection, events = site.listen("/trace?engine=e&follow=false")
    site.daemon.ok("send", "e.a", "shown")
    assert [(name, [step["did"] for step in data["steps"]]) for name, data in events] == [
        ("block.traced", ["passed", "held"])]
    connection.close()
    assert site.ask("/trace?engine=e&block=q").status == 400
    assert "without format" in site.ask("/api/block.tap?engine=e&block=d&format=pcapng").text


def test_what_comes_by_http_leaves_room_for_others(daemons):
    site = Site(daemons(config="[http]\nlisten = 127.0.0.1:0\ntaps = yes\n[limits]\nconnections = 8\n"))
    site.daemon.create("e", GRAPH)
    taps = [site.listen("/api/block.tap?engine=e&block=d")[0] for _ in range(4)]
    assert site.ask("/api/block.tap?engine=e&block=d").status == 503
    with site.daemon.client(), site.daemon.client(), site.daemon.client():
        assert "e" in site.daemon.ok("list")
    for tap in taps:
        tap.close()


def test_streams_leave_room_and_go_with_their_clients(site):
    def status():
        connection = site.connect()
        connection.request("GET", "/events")
        answer = connection.getresponse()
        connection.close()
        return answer.status

    streams = [site.listen("/events")[0] for _ in range(64)]
    assert status() == 503
    assert site.ask("/metrics").status == 200
    for stream in streams:
        stream.close()
    eventually(lambda: status() == 200)


def test_what_comes_by_http_leaves_room_for_the_daemon_itself(daemons, tmp_path):
    """Which applies a folder over a connection of its own."""
    graphs = Graphs(tmp_path / "graphs")
    graphs.put(e=GRAPH)
    site = Site(daemons(config="[http]\nlisten = 127.0.0.1:0\ntaps = yes\n[limits]\nconnections = 8\n"
                        f"[fleet]\nfrom = {graphs.path}\nsoak = 0\n"))

    def applied():
        return site.daemon.call("daemon.info")["fleet"].get("applied") == graphs.hash()

    eventually(applied)
    taps = [site.listen("/api/block.tap?engine=e&block=d")[0] for _ in range(4)]
    graphs.put(other=GRAPH)
    eventually(applied)
    assert site.ask("/api/block.tap?engine=e&block=d").status == 503
    for tap in taps:
        tap.close()


# ---- where the blocks of a picture stand --------------------------------------------------------

def test_a_graph_is_laid_out_once_for_all_that_are_the_same(site, tmp_path):
    if not shutil.which("dot"):
        pytest.skip("no dot")
    for name in ("e", "same"):
        site.daemon.create(name, "a = CLIFeeder(); d = TriggerDrain('function(m) return true end'); v = TriggeredValve(); "
                           "q = QueueSink(); a > d > q; a > v > q; d ^ v")
    told = site.ask("/layout?engine=e&revision=1")
    assert told.status == 200 and told.headers["Content-Type"] == "application/json"
    plan = json.loads(told.text)
    names = [node["name"] for node in plan["objects"]]
    assert set(names) == {"a", "d", "q", "v"}
    assert {(names[edge["tail"]], names[edge["head"]], edge["id"]) for edge in plan["edges"]} == {
        ("a", "d", "low"), ("d", "q", "low"), ("d", "v", "trigger"), ("a", "v", "low"), ("v", "q", "low")}
    place = {node["name"]: [float(n) for n in node["pos"].split(",")] for node in plan["objects"]}
    assert place["a"][0] < place["d"][0] < place["q"][0]
    assert site.ask("/layout?engine=same&revision=1").text == told.text
    down = {node["name"]: [float(n) for n in node["pos"].split(",")]
            for node in json.loads(site.ask("/layout?engine=e&revision=1&down=true").text)["objects"]}
    assert down["a"][1] > down["d"][1] > down["q"][1]
    for query in ("engine=e&revision=2", "engine=e", "engine=none&revision=1", ""):
        assert site.ask(f"/layout?{query}").status == 204


def dot_that(tmp_path, script):
    """The environment of a daemon whose dot does that."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if script:
        (folder / "dot").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "dot").chmod(0o755)
    return {"PATH": str(folder)}


def between(pairs):
    blocks = [f"{name} = CLIFeeder()" for name in sorted({a for a, _ in pairs})]
    blocks += [f"{name} = Sink()" for name in sorted({k for _, k in pairs})]
    return "\n".join(blocks + [f"{a} > {k}" for a, k in pairs])


def test_what_is_large_is_not_laid_out(daemons, tmp_path):
    site = Site(daemons(config="[http]\nlisten = 127.0.0.1:0\n", env=dot_that(tmp_path, "echo '{}'")))
    pairs = [(f"a{n}", f"k{m}") for n in range(32) for m in range(32)]
    for name, text, status in (("large", "\n".join(f"b{n} = Drain()" for n in range(301)), 204),
                               ("dense", between(pairs[:1001]), 204), ("fits", between(pairs[:1000]), 200)):
        site.daemon.create(name, text)
        assert site.ask(f"/layout?engine={name}&revision=1").status == status


@pytest.mark.parametrize("script", [None, "echo no; exit 1", "exec sleep 1000", "yes"])
def test_without_dot_there_is_no_layout(daemons, tmp_path, script):
    """None at all, one that fails, one that hangs, and one that talks for ever."""
    script = script and f"export PATH=/usr/bin:/bin\necho >> {tmp_path}/runs\n{script}"
    site = Site(daemons(config="[http]\nlisten = 127.0.0.1:0\n", env=dot_that(tmp_path, script)))
    site.daemon.create("e", GRAPH)
    answer = site.ask("/layout?engine=e&revision=1")
    assert (answer.status, answer.text) == (204, "")
    assert site.ask("/layout?engine=e&revision=1").status == 204  # known for a minute
    assert not script or (tmp_path / "runs").read_text() == "\n"
    assert site.ask("/api/engine.list").status == 200


@pytest.mark.skipif(not os.environ.get("PIPETOOL_LONG"), reason="it takes a minute: with PIPETOOL_LONG=1")
def test_a_layout_that_was_not_made_is_tried_again(daemons, tmp_path):
    """The machine may only have been busy."""
    site = Site(daemons(config="[http]\nlisten = 127.0.0.1:0\n",
                        env=dot_that(tmp_path, f"[ -e {tmp_path}/runs ] && echo '{{}}'\n> {tmp_path}/runs")))
    site.daemon.create("e", GRAPH)
    assert site.ask("/layout?engine=e&revision=1").status == 204
    eventually(lambda: site.ask("/layout?engine=e&revision=1").status == 200, seconds=60 + DEADLINE)


def test_the_end_does_not_wait_for_dot(daemons, tmp_path):
    """What it has started ends with it, too."""
    os.mkfifo(tmp_path / "runs")
    site = Site(daemons(config="[http]\nlisten = 127.0.0.1:0\n",
                        env=dot_that(tmp_path, f"exec 3>{tmp_path}/runs\n/bin/sleep 1000\nexit")))
    site.daemon.create("e", GRAPH)
    connection = site.connect()
    connection.request("GET", "/layout?engine=e&revision=1")
    with open(tmp_path / "runs") as runs:  # it does, from here on
        site.daemon.stop()
        assert select.select([runs], [], [], DEADLINE)[0] and runs.read() == ""
    connection.close()


def loopback6():
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
        return True


@pytest.mark.parametrize("listen,words", [("0.0.0.0:0", "public = yes"), (":::0", "public = yes"), ("8739", "with a port"),
                                          ("127.0.0.1:http", "with a port")])
def test_what_others_could_reach_is_refused(daemons, listen, words):
    daemon = daemons(config=f"[http]\nlisten = {listen}\n", wait=False)
    assert daemon.process.wait(DEADLINE) == 1
    assert words in daemon.log()
    daemon.config.write_text("")
    daemon.start()


def test_public_is_reached_by_its_address(daemons):
    site = Site(daemons(config="[http]\nlisten = 0.0.0.0:0\npublic = yes\n"))
    site.at = site.at.replace("0.0.0.0", "127.0.0.1")
    assert site.ask("/metrics").status == 200
    assert site.ask("/metrics", Host="public.example").status == 403


def asleep(pid):
    """What the control loop has computed, and how often it ran, when it sleeps; else None."""
    spent = pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()
    state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return (spent[0], spent[2]) if state == "S" else None


def rests(pid, clock):
    """Whether the control loop sleeps through 20 ticks of an engine's clock, without having run between."""
    while select.select([clock], [], [], 0)[0]:  # earlier ones
        clock.recv(16)
    before = asleep(pid)
    for _ in range(20):
        clock.recv(16)
    return before is not None and asleep(pid) == before


def test_who_does_not_read_holds_up_nobody(site, tmp_path):
    """It asks for more than any buffer takes, and looks away."""
    site.daemon.create("e", "a = CLIFeeder(); a > d = Drain() > Sink()")
    stalled = []
    for path in ("/api/block.tap?engine=e&block=d", "/events", "/api/rpc.discover", "/metrics", "/"):
        connection = socket.create_connection(site.at.rsplit(":", 1))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        stalled.append(connection)
    stalled.append(socket.create_connection(site.at.rsplit(":", 1)))
    stalled[-1].sendall(b"GET / HT")
    big = "x" * 100_000
    with Client(site.daemon.socket) as client:
        for _ in range(6):
            client.send("e", "a", *[big] * 20)
            assert site.ask("/api/engine.list").status == 200
    assert site.daemon.call("engine.stats", {"engine": "e"})["total"]["out"] == 120
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as clock:
        clock.bind(("127.0.0.1", 0))
        clock.settimeout(DEADLINE)
        site.daemon.create("clock", f"PeriodicSource('', 0.01) > UDPClientPipe('127.0.0.1', {clock.getsockname()[1]})")
        eventually(lambda: rests(site.daemon.process.pid, clock), seconds=10)  # the stalled are given up after 30 s
        site.daemon.ok("destroy", "clock")
    if not sanitized():
        status = pathlib.Path(f"/proc/{site.daemon.process.pid}/status").read_text()
        assert int(re.search(r"VmRSS:\s+(\d+)", status)[1]) < 200_000
    for connection in stalled:
        connection.close()
    assert site.ask("/metrics").status == 200


# ---- the page -----------------------------------------------------------------------------------

@pytest.fixture
def page(tmp_path):
    if not browser.PROGRAM:
        pytest.skip("there is no Chromium")
    folder = tmp_path / "profile"
    with browser.Browser(folder) as made:
        yield made


def test_the_page_tells_what_is_wrong_and_shows_a_block(site, page, tmp_path):
    folder = site.daemon.engines
    site.daemon.create("fine", "p = PeriodicSource('tick', 0.02); p > d = Drain() > k = Sink()")
    site.daemon.create("stuck", "a = CLIFeeder(); a > q = QueueSink(limit='1KiB', overflow='block')")
    site.daemon.create("loses", "b = CLIFeeder(); b > odd = TransformDrain('function(m) error(\"no\") end') > Sink()")
    site.daemon.ok("send", "stuck.a", "x" * 2000)
    site.daemon.ok("send", "loses.b", "m")
    page.open(f"http://{site.at}/")
    page.until("document.querySelectorAll('.block').length === 8")
    words = page.until("document.getElementById('fault-list').children.length >= 2 && "
                       "document.getElementById('fault-list').innerText")
    assert "stuck.a is held back by q" in words
    assert re.search("loses.odd has lost messages: 1 error.*; the last error: .*no$", words, re.M)
    assert page.run("document.querySelector('[data-block=odd]').getAttribute('class')") == "block lost"
    assert page.run("document.querySelector('[data-block=a]').getAttribute('class')") == "block held-back"
    label = page.run("document.querySelector('[data-block=a]').getAttribute('aria-label')")
    assert label.startswith("a, CLIFeeder, running, in ") and label.endswith("waits for q")
    page.until("[...document.querySelectorAll('[data-engine=fine] .link')].every(link => link.dataset.rate > 0)")
    # By the keyboard alone.
    page.run("document.querySelector('[data-engine=fine] [data-block=p]').focus()")
    page.key("Enter", "\r")
    page.until("document.querySelectorAll('#panel-messages li').length > 2")
    assert "tick" in page.run("document.getElementById('panel-messages').innerText")
    assert "0.02" in page.run("document.getElementById('panel-params').innerText")
    page.until("document.getElementById('panel-counts').innerText.includes('a second')")
    page.run("document.querySelector('#trace button').focus()")
    page.key("Enter", "\r")
    page.until("document.getElementById('trace-steps').innerText === '> tick\\n> d: passed\\n> k: delivered'")
    what_was_refused_is_told_of_that_alone(page)
    page.run("document.querySelector('[data-engine=fine] [data-block=k]').focus()")
    page.key("Enter", "\r")
    page.run("document.querySelector('#trace button').click()")
    page.until("document.getElementById('trace-note').innerText.includes('no message leaves')")
    page.run("document.querySelector('[data-engine=fine] [data-block=p]').focus()")
    page.key("Enter", "\r")
    page.key("Escape")
    assert page.run("document.getElementById('panel').hidden && document.activeElement.dataset.block") == "p"
    site.daemon.ok("add", "fine", "d > new = Sink()")
    page.until("!!document.querySelector('[data-engine=fine] [data-block=new]')")
    page.until("document.getElementById('events').innerText.includes('engine.changed fine')")
    site.daemon.ok("destroy", "stuck")
    page.until("!document.querySelector('[data-engine=stuck]')")
    assert not [entry for entry in page.told if "exceptionDetails" in entry or "Security" in json.dumps(entry)], page.told
    assert folder.exists()


def what_was_refused_is_told_of_that_alone(page):
    """The words come when the next trace has begun."""
    page.run("window.real = why_not; window.why_not = () => new Promise(go => window.say = go)")
    page.run("document.getElementById('trace-filter').value = '('; document.querySelector('#trace button').click()")
    page.until("window.say !== undefined")
    page.run("document.getElementById('trace-filter').value = ''; document.querySelector('#trace button').click()")
    page.run("say('of before'), new Promise(go => setTimeout(go))")
    assert page.run("document.getElementById('trace-note').innerText") != "of before"
    page.run("window.why_not = real, 0")


def test_the_page_is_one_that_can_be_read_in_the_dark_and_on_a_phone(site, page):
    site.daemon.create("chain", "CLIFeeder() > " + " > ".join(["Drain()"] * 3) + " > Sink()")
    site.daemon.create("fan", "\n".join(["a = CLIFeeder()", *(f"a > Drain() > d{n} = Drain() > Sink()" for n in range(7))]))
    page.open(f"http://{site.at}/")
    page.until("document.querySelectorAll('.block').length === 27")
    light = page.run("getComputedStyle(document.body).backgroundColor")
    page.colours("dark")
    assert page.run("getComputedStyle(document.body).backgroundColor") != light
    wide, high = size(page, "chain")
    assert wide > 4 * high
    page.resize(390, 844, mobile=True)
    page.until("document.querySelector('[data-engine=chain] svg').viewBox.baseVal.height > 400")
    wide, high = size(page, "chain")  # downwards now
    assert wide < 390 and high > 2 * wide
    assert size(page, "fan")[0] < 1000  # still to the right, which is the way that is less wide
    assert page.run("document.documentElement.scrollWidth") <= 390


def test_a_picture_does_not_wait_for_its_layout(site, page):
    """What is drawn moves to where that has it."""
    page.open(f"http://{site.at}/")
    page.until("document.readyState === 'complete' && !document.getElementById('none').hidden")
    page.run("window.real = fetch; window.fetch = (path, ...more) => path.startsWith('/layout') ? "
             "new Promise(go => (window.asked = window.asked || []).push(go)) : real(path, ...more), 0")
    for name in ("one", "two"):
        site.daemon.create(name, "a = CLIFeeder(); k = Sink(); a > k")
        page.until(f"document.querySelectorAll('[data-engine={name}] .block').length === 2")
        assert page.until("window.asked && asked.length") == 1  # the other is asked for when that is told
    page.run("window.node = document.querySelector('[data-engine=one] [data-block=k]'), node.focus()")
    page.run("asked[0](new Response(JSON.stringify({bb: '0,0,500,300', objects: [{name: 'a', pos: '100,200'}, "
             "{name: 'k', pos: '300,100'}], edges: [{tail: 0, head: 1, id: 'low', pos: '1,2 3,4 5,6 7,8'}]}))), 0")
    page.until("asked.length === 2")
    assert size(page, "one") == [516, 316]
    assert page.run("document.activeElement === node && node.getAttribute('transform')") == "translate(229 175)"
    assert page.run("document.querySelector('[data-engine=one] .link').getAttribute('d')") == "M9 306C11 304 13 302 15 300"


def size(page, engine):
    return page.run(f"(box => [box.width, box.height])(document.querySelector('[data-engine={engine}] svg').viewBox.baseVal)")
