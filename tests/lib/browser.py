"""Headless Chromium over its debugging pipe: JSON messages that end with a NUL, descriptors 3 and 4 of the browser."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time

import pytest

from lib.process import kill_family, prepare_child, wait_until

DEADLINE = 30


class Browser:
    """One page. What the page's console and its security policy complain about is kept in `complaints`."""

    def __init__(self):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if not program:
            pytest.skip("chromium is missing (Debian: chromium)")
        self.folder = tempfile.mkdtemp(prefix="adit-chromium-")
        self.buffer = b""
        self.number = 0
        self.session = None
        self.complaints = []
        self.start(program)
        try:
            page = wait_until(self.page, "the browser's page")
            self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def start(self, program):
        to_browser, self.out = os.pipe()
        self.input, from_browser = os.pipe()

        def place():
            prepare_child()
            # 3 and 4 may be what is moved there: first out of the way.
            spare = [os.dup(to_browser), os.dup(from_browser)]
            high = [os.dup2(fd, 60 + i) for i, fd in enumerate(spare)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)
        self.process = subprocess.Popen(
            [program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-background-networking", f"--user-data-dir={self.folder}", "about:blank"],
            preexec_fn=place, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": self.folder})  # where it makes another folder, and leaves it when it is killed
        os.close(to_browser)
        os.close(from_browser)

    def page(self):
        targets = self.call("Target.getTargets")["targetInfos"]
        return next((one["targetId"] for one in targets if one["type"] == "page"), None)

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.input], [], [], max(0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            part = os.read(self.input, 1 << 20)
            assert part, "the browser ended"
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + DEADLINE
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.hear(answer)

    def hear(self, event):
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"].get("exception", {}).get("description", str(params)))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"])

    def open(self, url):
        self.call("Page.navigate", url=url)

    def run(self, expression):
        """The value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression, what, deadline=DEADLINE):
        end = time.monotonic() + deadline
        while not self.run(f"Boolean({expression})"):
            assert time.monotonic() < end, f"{what}\n{self.run('document.body.innerText')}\n{self.complaints}"
            time.sleep(0.1)

    def close(self):
        kill_family(self.process.pid)
        self.process.wait()
        os.close(self.out)
        os.close(self.input)
        shutil.rmtree(self.folder, ignore_errors=True)
