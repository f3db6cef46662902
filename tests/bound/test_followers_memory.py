# SPDX-License-Identifier: MIT
"""Payloads of 10 MB go through followers, in bounded memory, and come out whole."""

import hashlib
import json
import random
import re

import pytest
from deltalake import DeltaTable
from generator import length_field, varint_field
from series_servers import Scripted
from support import Output, wait_for
from watching import Endpoint, watched

from bound import MIB, REST, Peaks

START = 1_780_000_000_000_000_000
NOTE = "sim.world_note.v1"
SIZE = 10_000_000
COUNT = 8
LIMIT = 96  # of memory_limit, MiB: a message of up to a quarter of it is a row
FOLLOWER = 40  # what one may hold, and so many copies of the largest payload on top
COPIES = 6


def payload(number):
    """A different one each, of which nothing repeats."""
    text = random.Random(number).randbytes(SIZE // 2).hex()
    return json.dumps({"step": number, "text": text})


def event(number):
    return (
        length_field(1, f"e-{number}")
        + length_field(2, NOTE)
        + length_field(3, payload(number))
        + varint_field(4, START + number)
        + length_field(5, "w1")
        + length_field(6, "sim-1")
        + length_field(7, "application/json")
    )


def digest(text):
    return hashlib.sha256(
        text if isinstance(text, bytes) else text.encode()
    ).hexdigest()


class Digests(Scripted):
    """A database that keeps of each line what came, and not the line."""

    def __init__(self):
        self.found = {}
        super().__init__(rest=self.take)

    def take(self, body):
        for line in body.split(b"\n"):
            if line:
                fields = line.split(b" ")[1]
                text = fields.split(b'"')[1]
                step = int(re.search(rb"step=(\d+)i", fields[:20] + fields[-20:])[1])
                self.found[step] = digest(text)
        self.asked.clear()
        return (204, {}, b"")


def settings(kind, runner, database):
    columns = ["step integer $.step", "text text $.text"]
    fields = {
        "step": {"path": "$.step", "type": "integer"},
        "text": {"path": "$.text", "type": "text"},
    }
    point = {"event_type": NOTE, "measurement": "m", "fields": fields}
    own = {
        "archive": {"target": str(runner.directory / "vault")},
        "timeseries": {"url": database.base + "/write", "points": [point]},
    }
    return {
        "payloads": [{"event_type": NOTE, "format": "json", "columns": columns}],
        "followers": [{"name": "one", "kind": kind, **own.get(kind, {})}],
        "memory_limit": f"{LIMIT}MiB",
        "batching": {"max_age": "200ms"},
    }


def found(kind, runner, database):
    """The hash of each text that has come to the target, by number."""
    if kind == "table":
        root = runner.output.with_name(runner.output.name + "-types") / NOTE
        rows = (
            DeltaTable(str(root)).to_pyarrow_table(columns=["step", "text"]).to_pylist()
        )
        return {row["step"]: digest(row["text"]) for row in rows}
    if kind == "archive":
        rows = Output(runner.directory / "vault").table()["event_payload"].to_pylist()
        return dict(enumerate(map(digest, rows), 1))
    if kind == "timeseries":
        return database.found
    [path] = (runner.output / "_quality").glob("*.json")
    [only] = json.loads(path.read_text())["event_types"]
    return {"events": only["events"], "bytes": only["payload_size"]["max"]}


def expected(kind):
    if kind == "quality":
        return {
            "events": COUNT,
            "bytes": max(len(payload(n)) for n in range(1, COUNT + 1)),
        }
    whole = [payload(n) for n in range(1, COUNT + 1)]
    if kind != "archive":
        whole = [json.loads(text)["text"] for text in whole]
    return dict(enumerate(map(digest, whole), 1))


@pytest.mark.parametrize("kind", ["table", "timeseries", "archive", "quality"])
def test_payloads_of_10_mb(make_server, any_server_binary, make_runner, kind):
    server = make_server(any_server_binary, extra="max_payload: 12MB")
    server.add_stream()
    database, runner = Digests(), make_runner(server)
    try:
        run = runner.start(config=watched(runner, **settings(kind, runner, database)))
        endpoint, peaks = Endpoint(run), Peaks(run)
        server.publish([event(n) for n in range(1, COUNT + 1)])

        def done():
            peaks.look()
            metrics = endpoint.metrics()
            return (
                metrics.get(("varve_follower_position_sequence", "follower=one"))
                == COUNT
            )

        wait_for(done, "all rows at the target")
        assert run.stop() == 0
        assert found(kind, runner, database) == expected(kind)
    finally:
        database.close()
    assert not run.lines("follower_failed")
    assert peaks.most["VmHWM"] <= LIMIT + REST + FOLLOWER + COPIES * SIZE / MIB
