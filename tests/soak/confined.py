# SPDX-License-Identifier: MIT
"""`sandbox: on` with all that varve does by itself: each kind of follower, compaction, retention,
closed runs, dead letters, and in each round a reload and a server that goes and comes back. Nothing
of it may trip the sandbox, and nothing may be missing at the end.

    python tests/soak/confined.py SECONDS       (make soak)"""

import json
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from generator import length_field, varint_field
from series_servers import Scripted
from support import Runner, Server, server_binaries, verify, wait_for
from watching import Endpoint

DAY = 86400 * 10**9
NOTE = "sim.note.v1"


def note(number, simulation, age):
    """An event with a JSON payload, of so many days ago."""
    return (
        length_field(1, f"{simulation}-{number}")
        + length_field(2, NOTE)
        + length_field(3, json.dumps({"step": number}))
        + varint_field(4, time.time_ns() - age * DAY)
        + length_field(5, "w1")
        + length_field(6, simulation)
    )


def replace(path, text):
    """As editors and Kubernetes do it: a new file gets the name."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


class Confined:
    OLD = -1  # the number of the event that retention removes

    def __init__(self, directory, server):
        self.server = server
        server.add_stream("LOGGING")
        server.add_stream("REPLAY", ["replay.>"])
        server.add_stream("DEAD", ["dead"])
        self.database = Scripted()
        self.runner = Runner(directory, server)
        self.archive = directory / "archive"
        self.types = directory / "types"
        self.rounds = self.published = self.refused = 0
        points = {"event_type": NOTE, "measurement": "note", "tags": ["simulation_id"]}
        points["fields"] = {"step": {"path": "$.step", "type": "integer"}}
        self.config = self.runner.config(
            sandbox="on",
            metrics={"listen": "127.0.0.1:0"},
            batching={"max_age": "100ms"},
            compaction={"interval": "1s", "after": "1s"},
            runs={"close_after": "3s"},
            dead_letter={"subject": "dead"},
            payloads=[{"event_type": NOTE, "format": "json", "columns": ["step integer $.step"]}],
            followers=[
                {"name": "typed", "kind": "table", "target": str(self.types)},
                {"name": "vault", "kind": "archive", "target": str(self.archive)},
                {
                    "name": "db",
                    "kind": "timeseries",
                    "url": self.database.base + "/write",
                    "points": [points],
                },
                {"name": "judge", "kind": "quality"},
                {"name": "feed", "kind": "nats"},
            ],
        )
        # What followers have not read is kept, and what is old is looked for at the start.
        server.publish([note(self.OLD, "old", 400)])
        self.run = self.runner.start(config=self.config)
        wait_for(self.followed, "the followers have the old one")
        assert self.run.stop() == 0
        self.config["retention"] = {"max_age": "300d"}
        self.run = self.runner.start(config=self.config)
        self.endpoint = Endpoint(self.run)
        self.wait_connected(1)

    def close(self):
        self.runner.close()
        self.database.close()

    def round(self):
        """Some events, a small file for compaction, and one message that is none."""
        names = [f"sim-{self.rounds % 50}"] * 4 + ["more"]
        notes = [note(self.published + i, name, 1) for i, name in enumerate(names)]
        self.published += len(notes)
        self.server.publish([*notes, b"\xff no event"])
        self.refused += 1
        level = "DEBUG" if self.config["settings"].get("log_level") != "DEBUG" else "INFO"
        self.config["settings"]["log_level"] = level
        replace(self.run.log.with_suffix(".yaml"), json.dumps(self.config))
        self.run.send(signal.SIGHUP)
        self.run.wait_line("reloaded", self.rounds + 1, key="settings.log_level")
        self.server.stop()
        self.wait_connected(0)
        self.server.start()
        self.wait_connected(1)
        self.rounds += 1

    def wait_connected(self, value):
        """That which drains: a follower has a connection of its own."""
        wait_for(
            lambda: self.endpoint.metrics()["varve_connected",] == value, f"connected: {value}"
        )

    def table(self, path, column):
        try:
            return DeltaTable(str(path)).to_pyarrow_table()[column].to_pylist()
        except TableNotFoundError:
            return []

    def followed(self):
        """Whether each kind has brought each event to its target, as the targets themselves say."""
        new = set(range(self.published))
        steps = {self.OLD, *new}
        lines = [line for lines in self.database.lines() for line in lines]
        judged = [
            json.loads(path.read_text())
            for path in (self.runner.output / "_quality").glob("*.json")
        ]
        return (
            set(self.table(self.types / NOTE, "step")) - {self.OLD} == new
            and len(set(self.table(self.archive, "event_id"))) == len(steps)
            and {int(re.search(r" step=(-?\d+)i", line)[1]) for line in lines} == steps
            and sum(one["events"] for one in judged) == len(steps)
            and self.server.stream("REPLAY").state.messages == len(steps)
        )

    def finish(self):
        def done():
            metrics = self.endpoint.metrics()
            runs = {p.name for p in self.runner.output.glob("_runs/sim-*.json")}
            return (
                metrics["varve_compactions_total",] > 0
                and metrics["varve_expired_files_total",] > 0
                and len(runs) == min(self.rounds, 50)
                and self.server.stream("DEAD").state.messages >= self.refused
                and self.followed()
            )

        wait_for(done, "all of it has happened")
        assert self.run.stop() == 0
        denied = [
            line
            for line in self.run.text().splitlines()
            if "ermission denied" in line or "not implemented" in line or "not permitted" in line
        ]
        assert not denied
        assert verify(self.runner.output)["findings"] == []


def main():
    seconds, began = float(sys.argv[1]), time.monotonic()
    binary = next((path for path in server_binaries().values() if path), None)
    if binary is None:
        sys.exit("soak: nats-server is not here")
    with tempfile.TemporaryDirectory(prefix="varve-confined-") as name:
        server = Server(binary, Path(name) / "nats").start()
        confined = Confined(Path(name), server)
        try:
            while time.monotonic() - began < seconds:
                confined.round()
                time.sleep(2)  # for compaction, and runs that close
            confined.finish()
        finally:
            confined.close()
            server.stop()
        metrics = (confined.rounds, confined.published, time.monotonic() - began)
    print("confined: %d reloads and reconnects, %d events by five followers, %.0f s" % metrics)


if __name__ == "__main__":
    main()
