# SPDX-License-Identifier: MIT
"""The file of a descriptor set is replaced under a running varve: nothing happens until it is told to
read its files again (SIGHUP), and then all followers that look into payloads go by the new one, between
two commits. One that can't be used changes nothing."""

import json
import signal
import struct
import subprocess

from generator import length_field
from google.protobuf import descriptor_pb2
from series_servers import Scripted
from support import VARVE, end, verify, wait_for
from test_followers import FAST, described, event, typed

FIELD = descriptor_pb2.FieldDescriptorProto
NOTE, FLAKY = "sim.world_note.v1", "sim.flaky.v1"
NAMES = ("typed", "db", "judge")
OLD = {
    "A": {"reward": (1, FIELD.TYPE_DOUBLE)},
    "B": {"text": (1, FIELD.TYPE_STRING)},
}
NEW = {
    "A": {"was": (1, FIELD.TYPE_DOUBLE), "reward": (2, FIELD.TYPE_DOUBLE)},
    "B": {"text": (1, FIELD.TYPE_BYTES)},
}
BODY = struct.pack("<BdBd", 0x09, 4.0, 0x11, 8.0)
BAD = b"\xff"  # no UTF-8


class Types:
    """A descriptor set in a folder of its own, as in a sandbox it has to be."""

    def __init__(self, folder):
        folder.mkdir()
        self.path = folder / "types.binpb"
        self.put(OLD)

    def put(self, messages):
        beside = self.path.with_name("new")
        described(beside, messages)
        beside.rename(self.path)


def settings(types, url):
    shared = {"format": "protobuf", "descriptor_set": str(types.path)}
    point = {"event_type": NOTE, "measurement": "reward", "fields": {"value": "reward"}}
    return {
        **FAST,
        "payloads": [
            {"event_type": NOTE, "message": "t.A", **shared},
            {"event_type": FLAKY, "message": "t.B", **shared},
        ],
        "followers": [
            {"name": "typed", "kind": "table"},
            {"name": "db", "kind": "timeseries", "url": url, "points": [point]},
            {"name": "judge", "kind": "quality"},
        ],
    }


class Events:
    def __init__(self, server, varve, database):
        self.server, self.varve, self.database = server, varve, database
        self.count = 0

    def publish(self):
        """One event of each type, and wait until all followers have it."""
        self.count += 1
        self.server.publish(
            [event(self.count, BODY), event(self.count, length_field(1, BAD), FLAKY)]
        )
        wait_for(lambda: len(typed(self.varve)) == self.count, "the row")
        wait_for(lambda: len(typed(self.varve, FLAKY)) == self.count, "the other row")
        wait_for(lambda: len(self.values()) == self.count, "the point")
        wait_for(lambda: self.judged()[0] == 2 * self.count, "the report")

    def values(self):
        lines = [line for lines in self.database.lines() for line in lines]
        return [line.split(" ")[1] for line in dict.fromkeys(lines)]

    def judged(self):
        """Events, and payloads that do not decode."""
        for path in (self.varve.output / "_quality").glob("*.json"):
            report = json.loads(path.read_text())
            bad = [
                kind["findings"].get("bad_payloads", {"events": 0})
                for kind in report["event_types"]
            ]
            return report["events"], sum(found["events"] for found in bad)
        return 0, 0


def test_it_is_read_again_when_that_is_asked_for(any_server, varve, tmp_path):
    any_server.add_stream()
    types, database = Types(tmp_path / "types"), Scripted()
    running = varve.start(**settings(types, database.base))
    events = Events(any_server, varve, database)

    def reload(line):
        before = {name: len(running.lines(line, follower=name)) for name in NAMES}
        running.send(signal.SIGHUP)
        for name, count in before.items():
            running.wait_line(line, count + 1, follower=name)

    try:
        events.publish()
        types.put(NEW)
        events.publish()
        assert events.values() == ["value=4", "value=4"] and events.judged() == (4, 2)
        assert "reward_double" not in typed(varve)[1]
        reload("follower_reloaded")
        events.publish()
        types.path.write_bytes(types.path.read_bytes()[:-3])
        reload("reload_failed")
        events.publish()
        types.path.unlink()
        reload("reload_failed")
        events.publish()
        types.put({"A": NEW["A"]})  # one of the messages is missing
        running.send(signal.SIGHUP)
        for name in ("typed", "judge"):
            running.wait_line("reload_failed", 3, follower=name)
        running.wait_line("follower_reloaded", 2, follower="db")
        types.put(NEW)  # what they have already
        events.publish()
        assert events.values() == ["value=4"] * 2 + ["value=8"] * 4
        assert events.judged() == (12, 2)
    finally:
        database.close()
    assert running.stop() == 0
    assert not running.lines("follower_failed")
    check(varve, 6)
    # One that needs neither message is content with the set that lacks one.
    reloads = [len(running.lines("follower_reloaded", follower=name)) for name in NAMES]
    assert reloads == [1, 2, 1]


def check(varve, count):
    """Each row once, the first two by the old types."""
    rows, others = typed(varve), typed(varve, FLAKY)
    assert [row["stream_seq"] for row in rows] == list(range(1, 2 * count, 2))
    assert [row["stream_seq"] for row in others] == list(range(2, 2 * count + 1, 2))
    assert [(row["reward"], row["reward_double"]) for row in rows] == [(4.0, None)] * 2 + [
        (4.0, 8.0)
    ] * (count - 2)
    assert [(row["payload_error"] is None, row["text_binary"]) for row in others] == [
        (False, None)
    ] * 2 + [(True, BAD)] * (count - 2)
    for kind in (NOTE, FLAKY):
        root = varve.output.with_name(varve.output.name + "-types") / kind
        assert verify(root)["findings"] == []
        assert len(list((root / "_delta_log/_varve/schemas").iterdir())) == 2


def test_one_that_is_run_alone_reads_it_again_too(any_server, varve, tmp_path):
    any_server.add_stream()
    varve.once(**FAST)  # the store is there
    types = Types(tmp_path / "types")
    config = settings(types, "http://127.0.0.1:1")
    path = varve.directory / "follow.yaml"
    path.write_text(json.dumps(varve.config(**config)))
    log = varve.directory / "follow.log"
    with log.open("wb") as said:
        alone = subprocess.Popen([VARVE, "follow", "typed", "-c", path], stderr=said)
    try:
        for count in (1, 2):
            any_server.publish([event(count, BODY)])
            varve.once(**FAST)
            wait_for(lambda n=count: len(typed(varve)) == n, "the row")
            types.put(NEW)
            alone.send_signal(signal.SIGHUP)
            wait_for(lambda: "follower_reloaded" in log.read_text(), "the new types")
    finally:
        end(alone, signal.SIGTERM)
    assert [row["reward_double"] for row in typed(varve)] == [None, 8.0]
