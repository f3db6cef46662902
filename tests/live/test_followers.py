# SPDX-License-Identifier: MIT
"""Followers: the rows of a store brought to tables of typed columns, each once, whatever happens to
the store and to whoever follows it. Judged by deltalake and pyarrow, and by Python's json."""

import json
import random
import signal
import struct
import subprocess

from deltalake import DeltaTable
from generator import length_field, varint_field
from support import ROOT, VARVE, wait_for

START = 1_780_000_000_000_000_000
NOTE = "sim.world_note.v1"
FAST = {"batching": {"max_age": "200ms"}}
COLUMNS = ["reward double $.reward", "step integer $.step", "tag text $.tags[0]", "all json $"]
FOLLOW = {
    **FAST,
    "payloads": [{"event_type": NOTE, "format": "json", "columns": COLUMNS}],
    "followers": [{"name": "typed", "kind": "table"}],
}


def event(number, payload, kind=NOTE, simulation="sim-1"):
    return (
        length_field(1, f"e-{number}")
        + length_field(2, kind)
        + length_field(3, payload)
        + varint_field(4, START + number)
        + length_field(5, "w1")
        + length_field(6, simulation)
    )


def note(number):
    """What is written, and the columns that it should become."""
    payload = {"reward": number / 8, "step": number, "tags": [f"t{number % 3}", None]}
    return json.dumps(payload), (number / 8, number, f"t{number % 3}", None)


def publish(server, numbers):
    """Notes, and between them events of other types."""
    events = []
    for number in numbers:
        events += [event(number, note(number)[0]), event(number, b"\x01", "sim.other.v1")]
    server.publish(events)


def follow(varve, *options, status=0, **more):
    path = varve.directory / "follow.yaml"
    path.write_text(json.dumps(varve.config(**{**FOLLOW, **more})))
    done = subprocess.run([VARVE, "follow", "typed", "-c", path, *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    return done


def typed(varve, kind=NOTE):
    root = varve.output.with_name(varve.output.name + "-types") / kind
    if not (root / "_delta_log").exists():
        return []
    return sorted(DeltaTable(str(root)).to_pyarrow_table().to_pylist(), key=lambda row: row["stream_seq"])


def check(varve, numbers):
    rows = typed(varve)
    assert [row["event_id"] for row in rows] == [f"e-{n}" for n in numbers]
    for row, number in zip(rows, numbers, strict=True):
        payload, columns = note(number)
        assert (row["reward"], row["step"], row["tag"], row["payload_error"]) == columns
        assert json.loads(row["all"]) == json.loads(payload)
        assert row["timestamp_ns"] == START + number and row["simulation_id"] == "sim-1"


def test_added_later_it_catches_up_and_goes_on(any_server, varve):
    any_server.add_stream()
    publish(any_server, range(100))
    varve.once(**FAST)
    assert "100 rows, 0 of them" in follow(varve, "--once").stdout
    check(varve, range(100))
    assert "0 rows" in follow(varve, "--once").stdout
    running = varve.start(**FOLLOW)
    publish(any_server, range(100, 150))
    wait_for(lambda: len(typed(varve)) == 150, "the rows of the running store")
    running.stop()
    publish(any_server, range(150, 170))
    varve.once(**FOLLOW)
    check(varve, range(170))


def test_what_is_no_payload_is_a_row_with_the_reason(any_server, varve):
    any_server.add_stream()
    payloads = [b"\xff{", b"", b"[1", '{"reward": "high", "step": 2}', '{"step": 1e3, "reward": 1e999}', "3", "null"]
    any_server.publish([event(n, payload) for n, payload in enumerate(payloads)])
    varve.once(**FAST)
    assert "7 rows, 5 of them" in follow(varve, "--once").stdout
    rows = typed(varve)
    assert [row["payload_error"] is None for row in rows] == [False] * 5 + [True] * 2
    assert all(rows[n]["payload_error"].startswith("not JSON: ") for n in range(3))
    assert rows[3]["payload_error"] == "reward is not of type double" and rows[3]["step"] == 2
    assert [row["all"] for row in rows[5:]] == ["3", None]


def test_killed_at_any_time_each_row_comes_once(any_server, varve):
    any_server.add_stream()
    chance = random.Random(20)
    done = 0
    for _ in range(6):
        publish(any_server, range(done, done + 300))
        done += 300
        varve.once(**FAST)
        path = varve.directory / "follow.yaml"
        path.write_text(json.dumps(varve.config(**FOLLOW)))
        child = subprocess.Popen([VARVE, "follow", "typed", "-c", path], stderr=subprocess.DEVNULL)
        try:
            child.wait(chance.random() / 5)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
    follow(varve, "--once")
    check(varve, range(done))


def test_behind_a_compaction_nothing_is_missed_or_repeated(any_server, varve):
    any_server.add_stream()
    for begin in range(0, 100, 20):
        publish(any_server, range(begin, begin + 20))
        varve.once(**FAST)
        if begin == 20:
            follow(varve, "--once")
    store = DeltaTable(str(varve.output))
    assert len(store.file_uris()) == 5
    store.optimize.compact()
    store = DeltaTable(str(varve.output))
    store.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert len(store.file_uris()) == 1
    follow(varve, "--once")
    check(varve, range(100))


def test_retention_waits_for_who_follows(any_server, varve):
    any_server.add_stream()
    publish(any_server, range(10))
    varve.once(**FAST)
    expire = [VARVE, "expire", varve.output, "--older-than", "1s"]
    follow(varve, "--once")
    publish(any_server, range(10, 20))
    varve.once(**FAST)
    held = subprocess.run(expire, capture_output=True, text=True)
    assert held.returncode == 1 and "was not read by the follower typed" in held.stderr
    follow(varve, "--once")
    assert subprocess.run(expire, capture_output=True).returncode == 0
    assert DeltaTable(str(varve.output)).file_uris() == []
    check(varve, range(20))
    publish(any_server, range(20, 30))
    varve.once(**FAST)
    assert subprocess.run(expire, capture_output=True).returncode == 1
    follow(varve, "--forget")
    assert subprocess.run(expire, capture_output=True).returncode == 0


def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def test_protobuf_by_a_descriptor_set(any_server, varve, tmp_path):
    """AgentAction of proto/agent.proto, in the sandbox; what is damaged, and a column more later."""
    any_server.add_stream()
    described = tmp_path / "types" / "agent.binpb"
    described.parent.mkdir()
    proto = ["protoc", f"--proto_path={ROOT / 'proto'}", "--include_imports"]
    subprocess.run([*proto, f"--descriptor_set_out={described}", "agent.proto"], check=True)
    kind = "ai.agent_action.v1"
    payload = {
        "event_type": kind,
        "format": "protobuf",
        "descriptor_set": str(described),
        "message": "fes.simulation.agent.AgentAction",
    }
    settings = {**FOLLOW, "payloads": [payload]}
    action = length_field(1, "agent-7") + varint_field(2, 2**40) + varint_field(3, 5)
    action += length_field(4, struct.pack("<2f", 0.5, -2.0)) + length_field(5, "explore")
    any_server.publish([event(1, action, kind), event(2, b"", kind), event(3, action[:-1], kind)])
    varve.once(**settings)
    columns = ("agent_id", "tick", "action", "parameters", "policy", "payload_error")
    assert [tuple(row[name] for name in columns) for row in typed(varve, kind)] == [
        ("agent-7", 2**40, 5, [0.5, -2.0], "explore", None),
        ("", 0, 0, [], "", None),
        (None, None, None, None, None, "not a message of this type"),
    ]
    wrong = {**payload, "message": "fes.simulation.agent.Agent"}
    failed = follow(varve, "--once", status=2, payloads=[wrong])
    assert "the descriptor set has no message fes.simulation.agent.Agent" in failed.stderr
