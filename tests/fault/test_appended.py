# SPDX-License-Identifier: MIT
"""Rows that another engine appends, whatever number they have in the column of sequences: of the
stream each event is stored, and each comes to the followers."""

import json
import os
import shutil
import subprocess
import time

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from generator import step_event
from support import VARVE, verify

NOTE = "sim.world_note.v1"
FAST = {"batching": {"max_age": "200ms"}}
TYPED = {
    "payloads": [{"event_type": NOTE, "format": "json", "columns": ["step integer $.step"]}],
    "followers": [{"name": "typed", "kind": "table"}],
}
THEIRS = (5, 23, 25)  # one that the stream has had, two that it will have


def publish(server, first, last):
    server.publish(step_event(f"event-{n}", NOTE, n) for n in range(first, last + 1))


def append(output):
    """Rows like the first one, of no event."""
    table = DeltaTable(output)
    row = table.to_pyarrow_table().slice(0, 1).to_pylist()[0]
    theirs = [{**row, "stream_seq": n, "event_id": f"their-{n}"} for n in THEIRS]
    schema = pa.schema(table.schema().to_arrow())
    deltalake.write_deltalake(table, pa.Table.from_pylist(theirs, schema), mode="append")


def checkpoint(varve):
    """By another engine, and the entries are gone."""
    then = time.time() - 90 * 86400
    for path in (varve.output / "_delta_log").iterdir():
        os.utime(path, (then, then))
    table = DeltaTable(varve.output)
    table.create_checkpoint()
    table.cleanup_metadata()


def checkpoint_of_spark(varve):
    """One that calls nothing new (dataChange false, where a checkpoint of varve says what is)."""
    checkpoint(varve)
    [path] = (varve.output / "_delta_log").glob("*.checkpoint.parquet")
    table = pq.read_table(path)
    at, add = table.column_names.index("add"), table["add"].combine_chunks()
    fields = [add.field(i) for i in range(add.type.num_fields)]
    number = add.type.get_field_index("dataChange")
    fields[number] = pa.array([False] * len(add))
    changed = pa.StructArray.from_arrays(fields, fields=list(add.type), mask=add.is_null())
    pq.write_table(table.set_column(at, table.schema.field(at), changed), path)


def many_commits(varve):
    """So that varve makes a checkpoint: which is when it has 100 entries more."""
    log = varve.output / "_delta_log"
    version = DeltaTable(varve.output).version()
    for i in range(1, 101):
        (log / f"{version + i:020}.json").write_text('{"commitInfo":{"operation":"WRITE"}}\n')
    run = varve.start(**FAST)
    run.wait_line("checkpoint")
    assert run.stop() == 0
    for path in log.glob("*.json"):
        if int(path.stem) < version + 100:
            path.unlink()


def forget(varve):
    shutil.rmtree(varve.output / "_delta_log" / "_varve")
    checkpoint(varve)


def rename(varve):
    return {"nats": {"name": "other"}, "sources": [{"stream": "LOGGING", "consumer": "other"}]}


def append_more(varve):
    append(varve.output)


def optimize(varve):
    """Their rows and varve's come into one file, in an entry that says that nothing is new."""
    DeltaTable(varve.output).optimize.compact()
    assert len(DeltaTable(varve.output).file_uris()) == 1


BETWEEN = {
    "renamed": [rename],
    "optimized, renamed": [optimize, rename],
    "optimized twice, renamed": [optimize, append_more, optimize, rename],
    "optimized, varve's checkpoint, renamed": [optimize, many_commits, rename],
    "cleaned up, renamed": [checkpoint, rename],
    "varve's checkpoint, renamed": [many_commits, rename],
    "positions lost": [forget],
    "Spark's checkpoint, renamed": [checkpoint_of_spark, rename],
    "optimized, Spark's checkpoint, renamed": [optimize, checkpoint_of_spark, rename],
    "Spark's checkpoint, optimized, renamed": [checkpoint_of_spark, optimize, rename],
}


@pytest.mark.parametrize("between", BETWEEN)
def test_what_the_stream_will_have_is_stored(any_server, varve, between):
    any_server.add_stream()
    publish(any_server, 1, 20)
    varve.once(**FAST)
    append(varve.output)
    config = {}
    for step in BETWEEN[between]:
        config = step(varve) or {}
    publish(any_server, 21, 30)
    varve.once(**FAST, **config)
    times = 1 + BETWEEN[between].count(append_more)
    assert events(varve) == sorted(
        [f"event-{n}" for n in range(1, 31)] + times * [f"their-{n}" for n in THEIRS]
    )


def events(varve):
    table = DeltaTable(varve.output).to_pyarrow_table(columns=["event_id"])
    return sorted(table["event_id"].to_pylist())


@pytest.mark.parametrize("lost", [rename, forget], ids=lambda step: step.__name__)
def test_what_nobody_can_tell_any_more_is_said(any_server, varve, lost):
    """The log has forgotten what the merged file was made of, and so has varve."""
    any_server.add_stream()
    publish(any_server, 1, 20)
    varve.once(**FAST)
    append(varve.output)
    optimize(varve)
    checkpoint(varve)
    config = lost(varve) or {}
    publish(any_server, 21, 30)
    run = varve.once(**FAST, **config)
    (line,) = run.lines("rows_of_others", level="warning")
    assert "has 2 rows from sequence 23 on" in line["text"] and "up to 20" in line["text"]
    assert events(varve) == sorted(
        [f"event-{n}" for n in range(1, 31)] + [f"their-{n}" for n in THEIRS]
    )
    assert not varve.once(**FAST, **config).lines("rows_of_others")


def follow(varve, status=0):
    path = varve.directory / "typed.yaml"
    path.write_text(json.dumps(varve.config(**FAST, **TYPED)))
    command = [VARVE, "follow", "typed", "-c", path, "--once"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr


def typed(varve):
    table = DeltaTable(f"{varve.output}-types/{NOTE}").to_pyarrow_table().to_pylist()
    return sorted((row["stream_seq"], row["event_id"], row["step"]) for row in table)


@pytest.mark.parametrize("merged", [False, True], ids=["appended", "merged"])
@pytest.mark.parametrize("rounds", [(0, 1, 2), (0, 2), (1, 2), (2,)], ids=str)
def test_what_the_stream_will_have_comes_to_followers(any_server, varve, rounds, merged):
    """Whenever they look: before their rows are there, between, and when all is there. Of two rows
    of one merged file with one number nobody can tell which is the stream's (FAULTS.md)."""
    any_server.add_stream()
    publish(any_server, 1, 20)
    varve.once(**FAST)
    for number, change in enumerate([None, append, None]):
        if change is not None:
            change(varve.output)
            if merged:
                optimize(varve)
        elif number > 0:
            publish(any_server, 21, 30)
            varve.once(**FAST)
        if number in rounds:
            follow(varve)
    either = THEIRS[:1] if merged and 0 not in rounds else ()
    expected = [(n, f"event-{n}", n) for n in range(1, 31)]
    found = typed(varve)
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert [row for row in found if row[0] not in either] == [
        row for row in expected if row[0] not in either
    ]


def test_what_expires_of_theirs_was_never_the_streams(any_server, varve):
    """Retention remembers what it has removed, so that it is not stored again."""
    any_server.add_stream()
    publish(any_server, 1, 20)
    varve.once(**FAST)
    append(varve.output)
    expire = [VARVE, "expire", "--older-than", "1d", varve.output]
    done = subprocess.run(expire, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and DeltaTable(varve.output).file_uris() == [], done.stderr
    publish(any_server, 21, 30)
    varve.once(**FAST, **rename(varve))
    found = DeltaTable(varve.output).to_pyarrow_table(columns=["event_id"])["event_id"].to_pylist()
    assert sorted(found) == sorted(f"event-{n}" for n in range(21, 31))


@pytest.mark.parametrize("merged", [False, True], ids=["appended", "merged"])
def test_rows_without_a_sequence_are_passed_over(any_server, varve, merged):
    """By who reads in the order of the stream; they are said, and end nothing."""
    any_server.add_stream()
    publish(any_server, 1, 20)
    varve.once(**FAST)
    table = DeltaTable(varve.output)
    rows = table.to_pyarrow_table().to_pylist()
    schema = pa.schema([f.with_nullable(True) for f in pa.schema(table.schema().to_arrow())])
    theirs = [{**rows[0], "stream_seq": n, "event_id": "their"} for n in (None, -1, None)]
    deltalake.write_deltalake(table, pa.Table.from_pylist(theirs, schema), mode="append")
    if merged:
        optimize(varve)
    for command in ("cat", "quality"):
        done = subprocess.run(
            [VARVE, command, varve.output], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == (1 if command == "quality" else 0), done.stderr  # it has findings
        assert "3 rows of another engine have no stream_seq" in done.stderr
        if command == "cat":
            found = [json.loads(line)["event_id"] for line in done.stdout.splitlines()]
            assert found == [f"event-{n}" for n in range(1, 21)]
    follow(varve)
    publish(any_server, 21, 30)
    varve.once(**FAST)
    follow(varve)
    assert typed(varve) == [(n, f"event-{n}", n) for n in range(1, 31)]
    done = subprocess.run([VARVE, "verify", varve.output], capture_output=True, text=True)
    assert done.returncode == 1 and "a row has no sequence" in done.stdout


def test_what_the_stream_will_have_is_no_gap(any_server, varve):
    """Of rows that another engine has put there verify does not say that those before are missing."""
    any_server.add_stream()
    publish(any_server, 1, 20)
    varve.once(**FAST)
    DeltaTable(varve.output).alter.set_table_properties({"delta.appendOnly": "false"})
    (table := DeltaTable(varve.output)).update(
        predicate="stream_seq = 20", updates={"stream_seq": "40"}
    )
    assert table.version() > 0

    found = verify(varve.output)
    assert found["findings"] == [] and "others" in [note["kind"] for note in found["notes"]]
    publish(any_server, 21, 41)
    varve.once(**FAST)
    [kind] = {finding["kind"] for finding in verify(varve.output, status=1)["findings"]}
    assert kind == "duplicate"  # now it is that of an event, too
