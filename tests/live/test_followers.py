# SPDX-License-Identifier: MIT
"""Followers: the rows of a store brought to tables of typed columns, each once, whatever happens to
the store and to whoever follows it. Judged by deltalake and pyarrow, and by Python's json."""

import hashlib
import json
import pathlib
import random
import signal
import struct
import subprocess
import sys
import time

import duckdb
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from generator import length_field, varint_field
from google.protobuf import descriptor_pb2
from support import ROOT, VARVE, kill_after, verify, wait_for

FLATC = pathlib.Path(sys.executable).with_name("flatc")
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
    done = subprocess.run(
        [VARVE, "follow", "typed", "-c", path, *options],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == status, done.stderr
    return done


def typed(varve, kind=NOTE):
    root = varve.output.with_name(varve.output.name + "-types") / kind
    if not list((root / "_delta_log").glob("*.json")):
        return []
    return sorted(
        DeltaTable(str(root)).to_pyarrow_table().to_pylist(), key=lambda row: row["stream_seq"]
    )


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
    payloads = [
        b"\xff{",
        b"",
        b"[1",
        '{"reward": "high", "step": 2}',
        '{"step": 1e3, "reward": 1e999}',
        "3",
        "null",
    ]
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
        kill_after(child, chance.random() / 5)
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
    assert len(store.file_uris()) >= 5
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
    action = length_field(1, "agent-7") + varint_field(2, 2**64 - 1) + varint_field(3, 5)
    action += length_field(4, struct.pack("<2f", 0.5, -2.0)) + length_field(5, "explore")
    any_server.publish([event(1, action, kind), event(2, b"", kind), event(3, action[:-1], kind)])
    varve.once(**settings)
    columns = ("agent_id", "tick", "action", "parameters", "policy", "payload_error")
    assert [tuple(row[name] for name in columns) for row in typed(varve, kind)] == [
        ("agent-7", 2**64 - 1, 5, [0.5, -2.0], "explore", None),
        ("", 0, 0, [], "", None),
        (None, None, None, None, None, "not a message of this type"),
    ]
    wrong = {**payload, "message": "fes.simulation.agent.Agent"}
    failed = follow(varve, "--once", status=2, payloads=[wrong])
    assert "the descriptor set has no message fes.simulation.agent.Agent" in failed.stderr


def described(path, messages):
    """A descriptor set of package t: {message: {field: (number, type, repeated or message)}}."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, *more) in fields.items():
            added = message.field.add(name=field, number=number, label=1, type=kind)
            added.label = added.LABEL_REPEATED if "repeated" in more else added.LABEL_OPTIONAL
            if kind == added.TYPE_MESSAGE:
                added.type_name = f".t.{more[0]}"
    path.write_bytes(descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString())
    return str(path)


def test_types_change_and_no_column_is_lost(any_server, varve, tmp_path):
    """A renamed field keeps its column, a field more comes behind, also within a struct, and a
    changed type gets a column of its own; old rows are null there."""
    field = descriptor_pb2.FieldDescriptorProto
    double, single, message = field.TYPE_DOUBLE, field.TYPE_FLOAT, field.TYPE_MESSAGE
    before = {
        "A": {"reward": (1, double), "at": (2, message, "P"), "n": (3, field.TYPE_INT32),
              "trail": (4, message, "P", "repeated")},
        "P": {"x": (1, single)},
    }  # fmt: skip
    after = {
        "A": {"n": (3, field.TYPE_INT64), "prize": (1, double), "reward": (5, field.TYPE_STRING),
              "at": (2, message, "P"), "trail": (4, message, "P", "repeated")},
        "P": {"y": (2, single), "east": (1, single)},
    }  # fmt: skip
    any_server.add_stream()
    payload = {"event_type": NOTE, "format": "protobuf", "message": "t.A"}
    point = length_field(2, struct.pack("<Bf", 0x0D, 0.5) + struct.pack("<Bf", 0x15, 2.0))
    trail = length_field(4, struct.pack("<Bf", 0x15, 8.0))
    body = struct.pack("<Bd", 0x09, 4.0) + point + varint_field(3, 7) + trail
    body += length_field(5, "gold")
    for number, types in enumerate([before, after, before, after]):
        any_server.publish([event(number, body)])
        types = described(tmp_path / f"{number}.binpb", types)
        varve.once(**{**FOLLOW, "payloads": [{**payload, "descriptor_set": types}]})
    rows = typed(varve)
    old = {"reward": 4.0, "n": 7, "n_long": None, "reward_string": None}
    new = {"reward": 4.0, "n": None, "n_long": 7, "reward_string": "gold"}
    for row, expected, y in zip(rows, [old, new] * 2, [None, 2.0] * 2, strict=True):
        assert {name: row[name] for name in expected} == expected
        assert row["at"] == {"x": 0.5, "y": y} and row["payload_error"] is None
        assert row["trail"] == [{"x": 0.0, "y": y and 8.0}]
    assert "prize" not in rows[0] and "east" not in rows[0]["at"]


WORLD = """table Agent {{ id:string; {more} }}
table World {{ tick:ulong; cells:[ubyte]; agents:[Agent]; {last} }}
root_type World;
"""


@pytest.mark.skipif(not FLATC.exists(), reason="there is no flatc for this machine")
def test_flatbuffers_by_a_schema_and_a_list_of_fields(any_server, varve, tmp_path):
    """Of a world of tens of kB what is asked for; later a field more within it, and one of another
    type. `check` says what is wrong with a list before anything is made."""
    any_server.add_stream()
    kind = "sim.world_state.v1"
    payload = {"event_type": kind, "format": "flatbuffers", "columns": ["tick", "agents", "n"]}
    payload["descriptor_set"] = str(tmp_path / "world.bfbs")
    worlds = [
        ({"more": "", "last": "n:int;"}, {"id": "a"}, {"n": 7}),
        ({"more": "energy:float;", "last": "n:long;"}, {"id": "b", "energy": 0.5}, {"n": 2**40}),
    ]
    for number, (schema, agent, more) in enumerate(worlds):
        (tmp_path / "world.fbs").write_text(WORLD.format(**schema))
        world = {"tick": number, "cells": [number] * 30_000, "agents": [agent], **more}
        (tmp_path / "world.json").write_text(json.dumps(world))
        for options in (["--schema", "world.fbs"], ["world.fbs", "world.json"]):
            subprocess.run([FLATC, "-b", *options], cwd=tmp_path, check=True, capture_output=True)
        any_server.publish([event(number, (tmp_path / "world.bin").read_bytes(), kind)])
        varve.once(**{**FOLLOW, "payloads": [payload]})
    any_server.publish([event(2, b"no world", kind)])
    varve.once(**{**FOLLOW, "payloads": [payload]})
    names = ("tick", "agents", "n", "n_long", "payload_error")
    assert [tuple(row[name] for name in names) for row in typed(varve, kind)] == [
        (0, [{"id": "a", "energy": None}], 7, None, None),
        (1, [{"id": "b", "energy": 0.5}], None, 2**40, None),
        (None, None, None, None, "not a FlatBuffer"),
    ]
    assert "cells" not in typed(varve, kind)[0]
    kept = varve.output.with_name(varve.output.name + "-types") / kind / "_delta_log/_varve/schemas"
    newest = hashlib.sha256((tmp_path / "world.bfbs").read_bytes()).hexdigest()
    assert (kept / f"{newest}.bfbs").exists() and len(list(kept.iterdir())) == 2
    path = varve.directory / "wrong.yaml"
    wrong = {**payload, "columns": ["agents.name"]}
    path.write_text(json.dumps(varve.config(**{**FOLLOW, "payloads": [wrong]})))
    done = subprocess.run([VARVE, "check", "-c", path], capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "the message has no field agents.name" in said


def named(number, kind, message, payload):
    """An event that says which message it has."""
    content = length_field(7, f'application/protobuf; charset="x"; Message="{message}"')
    return event(number, payload, kind) + content


def test_the_simulations_own_messages_without_any_payloads(any_server, varve):
    """By the content type of each event; the set lies with the table, and each file names it."""
    agent = "fes.simulation.agent"
    action = length_field(1, "agent-7") + varint_field(2, 5) + length_field(5, "explore")
    settings = {**FAST, "followers": [{"name": "typed", "kind": "table"}]}
    any_server.add_stream()
    any_server.publish(
        [
            named(1, "a", f"{agent}.AgentAction", action),
            named(2, "a", f"{agent}.AgentObservation", action),
            named(3, "c", f"{agent}.AgentObservation", length_field(1, "agent-8")),
            named(4, "d", f"{agent}.Unknown", action),
            event(5, b"{}", "e"),
        ]
    )
    varve.once(**settings)
    # After a restart the first event is of the other message: the table stays what it is.
    any_server.publish(
        [
            named(6, "a", f"{agent}.AgentObservation", action),
            named(7, "a", f"{agent}.AgentAction", action),
        ]
    )
    varve.once(**settings)
    root = varve.output.with_name(varve.output.name + "-types")
    tables = {path.name for path in root.iterdir()}
    assert tables == {"a", "c"}
    rows = typed(varve, "a")
    why = f"it is not a {agent}.AgentAction"
    assert [(row["agent_id"], row["policy"], row["payload_error"]) for row in rows] == [
        ("agent-7", "explore", None),
        (None, None, why),
        (None, None, why),
        ("agent-7", "explore", None),
    ]
    assert [row["agent_id"] for row in typed(varve, "c")] == ["agent-8"]
    varve_folder = root / "a" / "_delta_log" / "_varve"
    recorded = json.loads((varve_folder / "payload.json").read_text())
    schemas = list((varve_folder / "schemas").iterdir())
    assert recorded["message"] == f"{agent}.AgentAction"
    assert [path.name for path in schemas] == [recorded["types"] + ".desc"]
    content = schemas[0].read_bytes()
    assert hashlib.sha256(content).hexdigest() == recorded["types"]
    files = descriptor_pb2.FileDescriptorSet.FromString(content).file
    assert {m.name for f in files for m in f.message_type} == {"AgentObservation", "AgentAction"}
    for uri in DeltaTable(str(root / "c")).file_uris():
        footer = pq.read_metadata(uri.removeprefix("file://")).metadata
        assert footer[b"varve.payload_types"].decode() == recorded["types"]


def test_an_entry_for_all_other_event_types(any_server, varve):
    """JSON of any type that has no entry of its own."""
    any_server.add_stream()
    json_type = length_field(7, "application/json")
    any_server.publish(
        [event(1, b"[1]", "x") + json_type, event(2, b"[1]", "y"), event(3, note(3)[0])]
    )
    rest = {"event_type": "*", "format": "json", "columns": ["first integer $[0]"]}
    varve.once(**{**FOLLOW, "payloads": [rest, *FOLLOW["payloads"]]})
    assert [row["first"] for row in typed(varve, "x")] == [1]
    assert typed(varve, "y") == []
    assert [row["step"] for row in typed(varve)] == [3]


def test_fields_that_are_chosen_may_change(any_server, varve):
    """Of a large message a few fields are wanted, and others later: each has the rows of its time, no
    column is lost, and the bytes of the payload are in no table."""
    any_server.add_stream()
    kind, message = "ai.agent_action.v1", "fes.simulation.agent.AgentAction"
    settings = {"event_type": kind, "format": "protobuf", "message": message}
    chosen = [["tick", "policy"], ["tick", "action"], "*"]
    for turn, columns in enumerate(chosen):
        numbers = range(10 * turn, 10 * turn + 10)
        payloads = [
            length_field(1, "a")
            + varint_field(2, n)
            + varint_field(3, n % 4 + 1)
            + length_field(5, f"p{n}")
            for n in numbers
        ]
        any_server.publish(
            [event(n, data, kind) for n, data in zip(numbers, payloads, strict=True)]
        )
        varve.once(**FAST)
        said = follow(varve, "--once", payloads=[{**settings, "columns": columns}]).stdout
        assert "10 rows, 0 of them" in said
    rows = typed(varve, kind)
    assert [row["tick"] for row in rows] == list(range(30))
    for row in rows:
        n = row["tick"]
        assert row["policy"] == (None if n // 10 == 1 else f"p{n}")
        assert row["action"] == (None if n < 10 else n % 4 + 1)
        assert row["agent_id"] == (None if n < 20 else "a")
        assert row["payload_error"] is None and "event_payload" not in row
    follow(varve, "--once", status=2, payloads=[{**settings, "columns": ["rank"]}])


def test_restart_makes_the_tables_anew(any_server, varve):
    """Of what the store has, in place of the old ones; an attempt that was ended does no harm."""
    any_server.add_stream()
    publish(any_server, range(20))
    varve.once(**FOLLOW)
    table = varve.output.with_name(varve.output.name + "-types") / NOTE
    before = DeltaTable(str(table)).metadata().id
    fewer = {**FOLLOW["payloads"][0], "columns": COLUMNS[:1]}
    path = varve.directory / "follow.yaml"
    for _ in range(4):
        path.write_text(json.dumps(varve.config(**{**FOLLOW, "payloads": [fewer]})))
        child = subprocess.Popen(
            [VARVE, "follow", "typed", "-c", path, "--once", "--restart"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            child.wait(random.random() / 20)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        rows = typed(varve)
        assert [row["reward"] for row in rows] == [number / 8 for number in range(20)]
    publish(any_server, range(20, 30))
    varve.once(**FAST)
    assert "30 rows, 0 of them" in follow(varve, "--once", "--restart", payloads=[fewer]).stdout
    rows = typed(varve)
    assert [row["reward"] for row in rows] == [number / 8 for number in range(30)]
    assert "step" not in rows[0] and DeltaTable(str(table)).metadata().id != before
    assert [path.name for path in table.parent.iterdir()] == [NOTE]
    publish(any_server, range(30, 40))
    varve.once(**{**FOLLOW, "payloads": [fewer]})
    assert [row["stream_seq"] for row in typed(varve)] == list(range(1, 80, 2))
    followers = varve.output / "_delta_log" / "_varve" / "followers"
    assert [path.name for path in followers.iterdir()] == ["typed.json"]


def test_only_some_rows(any_server, varve):
    """As DuckDB picks them from the store; what is changed holds for what comes."""
    any_server.add_stream()
    any_server.publish(
        [event(n, note(n)[0], simulation=f"sim-{n % 3}") for n in range(1, 61)]
    )
    varve.once(**FAST)
    terms = ["simulation_id = sim-1", "stream_seq < 40"]
    select = [{**FOLLOW["followers"][0], "select": terms}]

    def wanted(where):
        found = duckdb.sql(
            f"SELECT stream_seq FROM read_parquet('{varve.output}/[!_]*/**/*.parquet')"
            f" WHERE {where} ORDER BY 1"
        )
        return [row[0] for row in found.fetchall()]

    def there():
        return [row["stream_seq"] for row in typed(varve)]

    first = "simulation_id = 'sim-1' AND stream_seq < 40"
    follow(varve, "--once", followers=select)
    assert there() == wanted(first) and len(there()) == 13
    any_server.publish(
        [event(n, note(n)[0], simulation=f"sim-{n % 3}") for n in range(61, 91)]
    )
    varve.once(**FAST)
    select[0]["select"] = ["simulation_id != sim-1"]
    said = follow(varve, "--once", followers=select).stderr
    assert "select simulation_id != sim-1: new in the configuration" in said
    second = "simulation_id != 'sim-1'"
    assert there() == wanted(f"({first}) OR ({second} AND stream_seq > 60)")
    assert "what select has left out: new" in follow(varve, "--once").stderr
    assert there() == wanted(f"({first}) OR ({second} AND stream_seq > 60)")
    follow(varve, "--once", "--restart", followers=select)
    assert there() == wanted(second)
    for kind, term, says in [
        ("table", "reward > 3", "follower typed: select: the store's rows have no column reward"),
        ("table", "stream_seq ~ 3", "is not COLUMN OP VALUE"),
        ("quality", "stream_seq > 3", "select: kind quality is of all rows"),
    ]:
        wrong = [{"name": "typed", "kind": kind, "select": [term]}]
        assert says in follow(varve, "--once", followers=wrong, status=2).stderr


def test_restart_beside_who_runs_it_is_refused(any_server, varve):
    any_server.add_stream()
    publish(any_server, range(5))
    running = varve.start(**FOLLOW)
    wait_for(lambda: len(typed(varve)) == 5, "the rows of the running store")
    done = follow(varve, "--once", "--restart", status=1)
    assert "in use by process" in done.stderr
    assert len(typed(varve)) == 5
    running.stop()


def test_typed_tables_keep_themselves(any_server, varve):
    """Their small files are merged, also those with lists in them, whether rows come or not, and what is
    too old goes, as in the store."""
    any_server.add_stream()
    settings = {**FAST, "followers": [{"name": "typed", "kind": "table"}]}
    kept = {**settings, "compaction": {"interval": "1s", "after": "1s"}}
    kinds = ["sim.agent_observation.v1", "ai.agent_action.v1"]
    root = varve.output.with_name(varve.output.name + "-types")
    for index in range(0, 1600, 200):
        any_server.generate(200, start_index=index, simulations=1)
        varve.once(**settings, compaction="off")
    before = {kind: typed(varve, kind) for kind in kinds}
    files = {kind: len(DeltaTable(str(root / kind)).file_uris()) for kind in kinds}
    assert all(before.values()) and min(files.values()) >= 8
    running = varve.start(**kept)  # no row comes

    def merged():
        tables = [DeltaTable(str(root / kind)) for kind in kinds]
        return all(len(table.file_uris()) < 8 for table in tables)

    wait_for(merged, "small files of typed tables to be merged")
    running.stop()
    for kind in kinds:
        assert typed(varve, kind) == before[kind]
        assert verify(root / kind)["findings"] == []
    any_server.generate(200, start_index=1600, simulations=1)
    varve.once(**kept)  # with a row the table is open, and goes on
    for kind in kinds:
        rows = typed(varve, kind)
        assert len(rows) > len(before[kind]) and rows[: len(before[kind])] == before[kind]
    now = time.time_ns() - START
    named = "application/protobuf; message=fes.simulation.agent.AgentObservation"
    any_server.publish(
        [event(now + i, b"", kinds[0], "now") + length_field(7, named) for i in range(10)]
    )
    running = varve.start(**kept, retention={"max_age": "30d"})

    def only_new_rows():
        try:
            return len(typed(varve, kinds[0])) == 10
        except FileNotFoundError:  # the table was opened just before its files went
            return False

    wait_for(only_new_rows, "old rows to go")
    running.stop()
    assert {row["simulation_id"] for row in typed(varve, kinds[0])} == {"now"}
    assert verify(root / kinds[0])["findings"] == []


def test_typed_tables_are_kept_by_hand(any_server, varve):
    """varve compact and expire know the columns of a typed table by its log."""
    any_server.add_stream()
    settings = {**FAST, "followers": [{"name": "typed", "kind": "table"}], "compaction": "off"}
    kinds = ["sim.agent_observation.v1", "ai.agent_action.v1"]
    root = varve.output.with_name(varve.output.name + "-types")

    def by_hand(*words):
        command = [VARVE, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        assert done.stderr == ""
        return done.stdout

    for index in range(0, 600, 200):
        any_server.generate(200, start_index=index, simulations=1)
        varve.once(**settings)
    for kind in kinds:
        before = typed(varve, kind)
        old = DeltaTable(str(root / kind))
        assert "would become" in by_hand("compact", "--after", "0s", "--dry-run", root / kind)
        assert len(old.file_uris()) == len(DeltaTable(str(root / kind)).file_uris())
        by_hand("compact", "--after", "0s", root / kind)
        table = DeltaTable(str(root / kind))
        assert len(table.file_uris()) < len(old.file_uris())
        assert table.schema() == old.schema() and typed(varve, kind) == before
        assert verify(root / kind)["findings"] == []
    any_server.generate(200, start_index=600, simulations=1)
    varve.once(**settings)
    by_hand("compact", "--after", "0s", root / kinds[0])  # what is merged already, with what is new
    rows = [row["stream_seq"] for row in typed(varve, kinds[0])]
    assert len(rows) == len(set(rows)) > 0
    assert verify(root / kinds[0])["findings"] == []
    assert "gone: 0" not in by_hand("expire", "--older-than", "1d", root / kinds[0])
    assert DeltaTable(str(root / kinds[0])).file_uris() == []
    assert verify(root / kinds[0])["findings"] == []
    any_server.generate(200, start_index=800, simulations=1)
    varve.once(**settings)  # and what has gone does not come again
    assert min(row["stream_seq"] for row in typed(varve, kinds[0])) > max(rows)
    assert verify(root / kinds[0])["findings"] == []
