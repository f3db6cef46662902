# SPDX-License-Identifier: MIT
"""One `varve run` with a follower of each kind, fed from the memory of its commits, killed at
random moments while events come: in the end each target has each row once. Judged by readers that
are not varve: deltalake and pyarrow, nats-py, and a database that says what lines it got."""

import json
import random
import threading

from deltalake import DeltaTable
from generator import length_field, varint_field
from series_servers import Scripted
from support import PATIENCE, Output, verify, wait_for
from watching import Endpoint

KILLS = 24
BLOCK = 40  # events that are published together
START = 1_780_000_000_000_000_000
NOTE, OTHER = "sim.world_note.v1", "sim.other.v1"
NAMES = ("typed", "db", "vault", "feed", "judge")


def event(sequence):
    """Of three simulations; each third is of a type that nobody has a table for."""
    kind = OTHER if sequence % 3 == 0 else NOTE
    payload = json.dumps({"reward": sequence / 8, "step": sequence})
    return (
        length_field(1, f"e-{sequence}")
        + length_field(2, kind)
        + length_field(3, payload)
        + varint_field(4, START + sequence)
        + length_field(5, "w1")
        + length_field(6, f"sim-{sequence % 5 % 3}")
        + length_field(7, "application/json")
    )


class Events:
    """Publishes on and on, at a pace that leaves followers time to be behind and to keep up."""

    def __init__(self, server, chance):
        self.server, self.chance = server, chance
        self.last = 0  # the newest that the stream has
        self.failed = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.over.wait(self.chance.random() / 5):
                self.publish()
        except BaseException as error:  # said where it is waited for
            self.failed = error

    def publish(self):
        numbers = range(self.last + 1, self.last + 1 + BLOCK)
        assert self.server.publish([event(n) for n in numbers]) == list(numbers)
        self.last = numbers[-1]

    def stop(self):
        self.over.set()
        self.thread.join(PATIENCE)
        assert self.failed is None, self.failed


def settings(varve, url):
    """All five, and small files, so that a commit has several."""
    point = {
        "event_type": NOTE,
        "measurement": "reward",
        "tags": ["simulation_id"],
        "fields": {"value": "$.reward", "seq": {"path": "row.stream_seq", "type": "integer"}},
    }
    columns = ["reward double $.reward", "step integer $.step"]
    return {
        "batching": {"max_age": "100ms"},
        "metrics": {"listen": "127.0.0.1:0"},
        "payloads": [{"event_type": NOTE, "format": "json", "columns": columns}],
        "followers": [
            {"name": "typed", "kind": "table"},
            {"name": "db", "kind": "timeseries", "url": url, "points": [point]},
            {"name": "vault", "kind": "archive", "target": str(varve.directory / "vault")},
            {"name": "feed", "kind": "nats"},
            {"name": "judge", "kind": "quality"},
        ],
    }


def table(root):
    rows = DeltaTable(str(root)).to_pyarrow_table().to_pylist()
    return sorted(rows, key=lambda row: row["stream_seq"])


def notes(last):
    return [n for n in range(1, last + 1) if n % 3 != 0]


def check_typed(varve, last):
    rows = table(varve.output.with_name(varve.output.name + "-types") / NOTE)
    found = [(row["stream_seq"], row["event_id"], row["reward"], row["step"]) for row in rows]
    assert found == [(n, f"e-{n}", n / 8, n) for n in notes(last)]
    assert all(row["payload_error"] is None for row in rows)


def check_series(database, last):
    """What comes again is the same line, so that a database has it once."""
    lines = {}
    for line in [line for lines in database.lines() for line in lines]:
        head, fields, at = line.split(" ")
        values = dict(field.split("=") for field in fields.split(","))
        number = int(values["seq"].removesuffix("i"))
        assert lines.setdefault(number, line) == line
        assert head == f"reward,simulation_id=sim-{number % 5 % 3}" and int(at) == START + number
        assert float(values["value"]) == number / 8
    assert sorted(lines) == notes(last)


def check_quality(varve, last):
    """Which runs have how many events, and that none of them came twice."""
    events = {}
    for path in (varve.output / "_quality").glob("*.json"):
        report = json.loads(path.read_text())
        events[report["simulation_id"]] = report["events"]
        kinds = {kind["event_type_key"]: kind for kind in report["event_types"]}
        mine = [n for n in range(1, last + 1) if f"sim-{n % 5 % 3}" == report["simulation_id"]]
        others = sum(n % 3 == 0 for n in mine)
        assert kinds[OTHER]["events"] == others and kinds[NOTE]["events"] == len(mine) - others
        assert all("duplicate_ids" not in kind["findings"] for kind in kinds.values())
    assert sum(events.values()) == last and len(events) == 3


def check_all(server, varve, database, last):
    rows = Output(varve.output).table().to_pylist()
    assert [row["stream_seq"] for row in rows] == list(range(1, last + 1))
    check_typed(varve, last)
    check_series(database, last)
    check_quality(varve, last)
    vault = varve.directory / "vault"
    assert table(vault) == table(varve.output)
    assert verify(vault, "--against", varve.output)["findings"] == []
    verify(varve.output)
    sent = server.messages("REPLAY")
    assert [int(m[3]["Nats-Msg-Id"].split("/")[-1]) for m in sent] == list(range(1, last + 1))
    assert [m[4] for m in sent] == [event(n) for n in range(1, last + 1)]


def positions(endpoint, metric="varve_follower_position_sequence"):
    metrics = endpoint.metrics()
    return [metrics.get((metric, f"follower={name}"), 0) for name in NAMES]


def run_until_killed(varve, config, chance, how):
    """At a moment that is told by what it has done, and a little later: all parts of a commit and
    of a follower's turn are met. How many files the followers had from memory by then; where `how`,
    from 0 to 1, is between 0.4 and 0.8, some."""
    run = varve.start(**config)
    endpoint = Endpoint(run)
    if how < 0.8:
        run.wait_line("committed", chance.randrange(1, 5))
    if 0.4 < how < 0.8:
        wait_for(lambda: sum(positions(endpoint, "varve_follower_files_fed_total")) > 0, "a file")
    fed = sum(positions(endpoint, "varve_follower_files_fed_total"))
    threading.Event().wait(chance.random() / 4)
    run.process.kill()
    run.wait()
    return fed


def test_fed_and_killed_at_any_time_each_target_has_each_row_once(server, varve):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    server.add_stream()
    server.add_stream("REPLAY", ["replay.>"])
    database = Scripted()
    config = settings(varve, database.base + "/write?db=sim")
    events = Events(server, random.Random(seed + 1))
    try:
        ways = chance.sample(range(KILLS), KILLS)
        fed = [run_until_killed(varve, config, chance, way / KILLS) for way in ways]
        run = varve.start(**config)
        events.stop()
        events.publish()
        endpoint = Endpoint(run)
        # Who has no rows of the newest event's type is as far as who has.
        wait_for(
            lambda: min(positions(endpoint)) == events.last,
            f"all followers at the end: {positions(endpoint)} of {events.last}",
        )
        assert run.stop() == 0
    finally:
        events.stop()
        database.close()
    print("files from memory before each kill", fed)
    assert sum(map(bool, fed)) >= KILLS // 4
    check_all(server, varve, database, events.last)
