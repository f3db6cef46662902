# SPDX-License-Identifier: MIT
"""A headless Chromium, driven over a pipe by its DevTools protocol."""

import json
import os
import select
import subprocess
import time

from support import PATIENCE, end


class Browser:
    def __init__(self, binary, profile):
        asked, self.ask = os.pipe()
        self.answers, answered = os.pipe()
        # Chromium reads from descriptor 3 and writes to 4.
        script = f'exec "$@" 3<&{asked} 4>&{answered} {asked}<&- {answered}>&-'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "_", binary, "--headless", "--no-sandbox", "--disable-gpu"]
            + ["--remote-debugging-pipe", "--no-first-run", "--disable-background-networking"]
            + [f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(asked, answered),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(asked)
        os.close(answered)
        self.last = 0
        self.pending = b""
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def close(self):
        os.close(self.ask)
        os.close(self.answers)
        end(self.process)

    def read(self, deadline):
        """The next message."""
        while b"\0" not in self.pending:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.answers], [], [], left)[0], "no answer"
            piece = os.read(self.answers, 1 << 20)
            assert piece, "Chromium has ended"
            self.pending += piece
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.last += 1
        request = {"id": self.last, "method": method, "params": params}
        if hasattr(self, "session"):
            request["sessionId"] = self.session
        os.write(self.ask, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while (message := self.read(deadline)).get("id") != self.last:
            self.events.append(message)
        assert "error" not in message, message
        return message["result"]

    def open(self, url):
        """Load a page, and wait until all of it is there."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + PATIENCE
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.read(deadline))

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def text(self, id):
        return self.value(f"document.getElementById({json.dumps(id)}).textContent")

    def requests(self):
        """The URLs that the page has asked for so far."""
        self.value("1")
        sent = [e["params"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in sent]

    def complaints(self):
        """What the page wrote to the console, and exceptions."""
        self.value("1")
        wanted = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [e for e in self.events if e.get("method") in wanted]
