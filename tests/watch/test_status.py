# SPDX-License-Identifier: MIT
"""`varve status`: what a running instance says, for a terminal."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios

from support import PATIENCE, VARVE, end, free_port, wait_for
from watching import Endpoint, watched


def status(*args):
    out = subprocess.run([VARVE, "status", *args], capture_output=True, text=True, timeout=60)
    return out.returncode, out.stdout, out.stderr


def test_it_says_what_the_instance_says(any_server, varve):
    any_server.generate(1234, corrupt=1)
    followed = {
        "payloads": [{"event_type": "sim.world_note.v1"}],
        "followers": [{"name": "typed-notes", "kind": "table"}],
    }
    run = varve.start(config=watched(varve, nats={"name": "lab-7"}, **followed))
    endpoint = Endpoint(run)
    run.wait_rows(1234)
    any_server.wait_acked(1235)  # what waits for long is no longer ready
    endpoint.wait_ready(True)
    code, text, _ = status("--url", endpoint.url)
    assert code == 0, text
    assert text.startswith("✓ ready for ")
    assert f"instance lab-7, connected to 127.0.0.1:{any_server.port}" in text
    assert "1,234" in text and "LOGGING" in text and "pulling" in text
    (follower,) = [line.split() for line in text.splitlines() if "typed-notes" in line]
    assert follower[:2] == ["typed-notes", "none"] and len(follower) == 6
    assert json.loads(status("--url", endpoint.url, "--json")[1])["instance"] == "lab-7"
    any_server.stop()
    endpoint.wait_ready(False, "not connected to NATS")
    wait_for(lambda: "nats_disconnected" in endpoint.text("/status.json"), "the alert")
    code, text, _ = status("--set", f"metrics.listen={endpoint.host}:{endpoint.port}")
    assert code == 1
    assert text.startswith("✗ not ready for ") and "not connected to NATS" in text
    assert "! nats_disconnected for " in text


def test_a_terminal_that_is_narrow(any_server, varve):
    """Again and again, from the top; the columns that alarm stay, those that don't fit go."""
    any_server.generate(10)
    run = varve.start(config=watched(varve))
    endpoint = Endpoint(run)
    run.wait_rows(10)
    any_server.wait_acked(10)
    endpoint.wait_ready(True)
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    watch = subprocess.Popen([VARVE, "status", "--watch", "--url", endpoint.url], stdout=side)
    os.close(side)
    text = b""

    def screens():
        nonlocal text
        text += os.read(terminal, 65536)
        return text.count(b"\x1b[H\x1b[2J") > 2

    try:
        wait_for(screens, "it comes again", PATIENCE)
    finally:
        end(watch)
        os.close(terminal)
    screen = text.split(b"\x1b[H\x1b[2J")[2].decode().splitlines()
    [heading] = [line for line in screen if line.startswith("  stream ")]
    [row] = [line for line in screen if line.startswith("  LOGGING ")]
    assert heading.split()[:5] == ["stream", "state", "lost", "dead_letters", "lag"]
    assert row.split()[:5] == ["LOGGING", "pulling", "0", "0", "0"]
    assert max(len(heading), len(row)) <= 60 and len(row.split()) == len(heading.split()) < 10


def test_nobody_is_there():
    code, text, error = status("--url", f"127.0.0.1:{free_port()}")
    assert (code, text) == (1, "")
    assert error.count("\n") == 1 and "refused" in error
    assert status("--set", "metrics.listen=off")[0] == 2
