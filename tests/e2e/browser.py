# SPDX-License-Identifier: BSD-2-Clause
"""A headless Chromium, told what to do through the pipes of its DevTools protocol."""
import base64
import json
import os
import select
import shutil
import subprocess
import time

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60  # seconds; only a hang gets there


class Browser:
    """One page, of a profile of its own."""

    def __init__(self, folder, size=(1280, 900)):
        ours, theirs = os.pipe(), os.pipe()
        # It reads from 3 and writes to 4, which the shell makes of what these happen to be.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec 3<&{ours[0]} 4>&{theirs[1]}; exec "$0" "$@"', PROGRAM, "--headless=new", "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe",
             f"--user-data-dir={folder}", f"--window-size={size[0]},{size[1]}", "about:blank"],
            pass_fds=(ours[0], theirs[1]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(ours[0])
        os.close(theirs[1])
        self.write_fd, self.read_fd = ours[1], theirs[0]
        self.buffer, self.number, self.session = b"", 0, None
        self.told = []  # what the console and the network had to complain of
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        self.resize(*size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.write_fd)  # it ends by that
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait()
        os.close(self.read_fd)

    def receive(self):
        until = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            if not select.select([self.read_fd], [], [], max(0, until - time.monotonic()))[0]:
                raise AssertionError("the browser says nothing")
            more = os.read(self.read_fd, 1 << 16)
            assert more, "the browser has gone"
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def ask(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.write_fd, json.dumps(request).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.told.append(answer["params"])

    def resize(self, width, height, mobile=False):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def colours(self, scheme):
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, address):
        self.ask("Page.navigate", url=address)

    def run(self, script):
        """The value of an expression in the page."""
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, script):
        """Its first true value."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            value = self.run(script)
            if value:
                return value
            select.select([self.read_fd], [], [], 0.1)
        raise AssertionError(f"never true: {script}\n{self.run('document.body.innerText')}\n{self.told}")

    def key(self, name, text=None):
        codes = {"Enter": 13, "Escape": 27, "Tab": 9}
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=codes.get(name, 0),
                     **({"text": text} if text and kind == "keyDown" else {}))

    def picture(self, path, whole=False):
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
