# SPDX-License-Identifier: MIT
"""The log where nobody reads it, and where the same thing happens again and again."""

import fcntl
import itertools
import json
import os
import re
import signal
import subprocess
import time
from datetime import datetime

from support import PATIENCE, VARVE, end, free_port, wait_for
from watching import Endpoint, watched


class Unread:
    """A varve whose stderr is a pipe that nobody reads, and its endpoint."""

    def __init__(self, runner, directory):
        self.port = free_port()
        self.config = watched(
            runner,
            metrics={"listen": f"127.0.0.1:{self.port}"},
            batching={"max_age": "500ms", "max_rows": 100000},
        )
        self.path = directory / "unread.yaml"
        self.path.write_text(json.dumps(self.config))
        self.reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        self.process = subprocess.Popen([VARVE, "run", "-c", self.path], stderr=writer)
        os.close(writer)
        self.endpoint = Endpoint(self)
        wait_for(self.answers, "the endpoint")

    def wait_line(self, _):
        """What Endpoint reads in the log of others."""
        return {"text": f"http://127.0.0.1:{self.port}/"}

    def answers(self):
        try:
            return self.endpoint.get("/healthz")[0] == 200
        except OSError:
            return False

    def lost(self):
        return self.endpoint.metrics()["varve_log_lines_lost_total", "reason=unread"]

    def rows(self):
        return self.endpoint.metrics()["varve_rows_committed_total", "stream=LOGGING"]

    def reload(self, turn):
        """A line of the log for each key that differs from the last time."""
        odd = turn % 2
        self.config["settings"] = {"log_format": ("json", "logfmt")[odd]}
        self.config["batching"] = {"max_age": f"{200 + odd}ms", "max_rows": 50000 + odd}
        self.config["memory_limit"] = ("256MiB", "255MiB")[odd]
        self.config["nats"].update(user=f"u{odd}", password=f"p{odd}")
        self.path.write_text(json.dumps(self.config))
        self.process.send_signal(signal.SIGHUP)

    def read_all(self):
        text = b""
        while block := os.read(self.reader, 65536):
            text += block
        return text.decode()

    def close(self):
        if self.process.poll() is None:
            end(self.process)
        os.close(self.reader)


def test_stderr_that_nobody_reads(any_server, varve, tmp_path):
    """Rows become durable, the endpoint answers, SIGTERM ends it in time; what is read at last is
    whole lines, each in one format."""
    any_server.generate(10)
    unread = Unread(varve, tmp_path)
    try:
        turns = itertools.count()

        def lost():
            for _ in range(20):
                unread.reload(next(turns))
                time.sleep(0.002)  # signals that wait are one
            return unread.lost() > 0

        wait_for(lost, "lines are lost")
        before = unread.rows()
        any_server.generate(100, start_index=10)
        wait_for(lambda: unread.rows() >= before + 100, "rows that are durable")
        started = time.monotonic()
        unread.process.terminate()
        assert unread.process.wait(PATIENCE) == 0
        assert time.monotonic() - started < 60
        *lines, _ = unread.read_all().split("\n")
        assert len(lines) > 10
        for line in lines:
            assert re.fullmatch(r'time=\S+ level=[^{}]*|\{"time":"[^{}]*\}', line), line
    finally:
        unread.close()


DENIED = """
authorization { users = [
  {user: admin, password: a},
  {user: varve, password: v, permissions: {publish: {deny: ["$JS.ACK.>"]}}}
] }
no_auth_user: admin
"""


def test_acks_that_are_denied(make_server, any_server_binary, make_runner):
    """The server refuses each ack with an error of its own: thousands, and a few lines."""
    server = make_server(any_server_binary, extra=DENIED)
    server.generate(20000)
    run = make_runner(server).start(
        nats={"user": "varve", "password": "v"},
        batching={"max_age": "200ms"},
        sources=[
            {"stream": "LOGGING", "subjects": ["logging.events.raw"], "shared": True}
        ],
    )
    run.wait_line("committed")
    run.wait_line("server_error")
    wait_for(
        lambda: sum(line["rows"] for line in run.lines("committed")) == 20000,
        "all rows",
    )
    assert run.stop() == 0
    errors = run.lines("server_error")
    first, last = (datetime.fromisoformat(errors[i]["time"]) for i in (0, -1))
    # So many in ten seconds.
    assert len(errors) <= 9 * (1 + (last - first).total_seconds() / 10), len(errors)
    kept_back = sum(line.get("suppressed", 0) for line in errors)
    kept_back += sum(
        line["lines"] for line in run.lines("suppressed", of="server_error")
    )
    assert kept_back > 1000
