# SPDX-License-Identifier: MIT
"""A table that varve keeps in order by itself: checkpoints of its log, old entries removed. Judged by
deltalake, Polars and DuckDB, and by what the stream has."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import duckdb
import polars
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from support import VARVE, verify, wait_for

EVENTS, MANY = 1050, {"batching": {"max_rows": 10}}


def log_of(varve):
    return varve.output / "_delta_log"


def entries(varve):
    return sorted(int(p.stem) for p in log_of(varve).glob("*.json") if p.stem.isdigit())


def checkpoints(varve):
    return sorted(int(p.name[:20]) for p in log_of(varve).glob("*.checkpoint.parquet"))


def sequences(varve):
    """Of each reader: all rows of the table."""
    path = str(varve.output)
    table = DeltaTable(path)
    with_log = {
        "deltalake": table.to_pyarrow_table(columns=["stream_seq"])["stream_seq"].to_pylist(),
        "polars": polars.scan_delta(path).select("stream_seq").collect()["stream_seq"].to_list(),
    }
    # The glob of the template's depth meets no checkpoint.
    files = f"{path}/*/*/*/*.parquet"
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT stream_seq FROM '{files}'").fetchall()
    without = {
        "duckdb": [row[0] for row in rows],
        "polars files": polars.scan_parquet(files).select("stream_seq").collect()["stream_seq"].to_list(),
    }
    return {**with_log, **without}


def assert_once(varve, last, readers=4):
    """The first readers go by the log."""
    for reader, found in list(sequences(varve).items())[:readers]:
        assert sorted(found) == list(range(1, last + 1)), reader
    assert verify(varve.output)["findings"] == []


def test_checkpoints_are_what_the_entries_say(any_server, varve):
    any_server.generate(EVENTS, seed=1, simulations=3)
    done = varve.once(**MANY)
    assert checkpoints(varve), done.text()
    newest = checkpoints(varve)[-1]
    assert newest >= 100
    hint = json.loads((log_of(varve) / "_last_checkpoint").read_text())
    rows = pq.read_table(log_of(varve) / f"{newest:020}.checkpoint.parquet")
    assert hint["version"] == newest and hint["size"] == rows.num_rows
    adds = [add for add in rows["add"].to_pylist() if add is not None]
    assert hint["numOfAddFiles"] == len(adds)
    # As the entries have it, read without any checkpoint.
    expected = {}
    for version in range(newest + 1):
        for line in (log_of(varve) / f"{version:020}.json").read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                expected[action["add"]["path"]] = action["add"]
    assert {add["path"] for add in adds} == set(expected)
    for add in adds:
        entry = expected[add["path"]]
        assert (add["size"], add["modificationTime"], add["stats"]) == (
            entry["size"],
            entry["modificationTime"],
            entry["stats"],
        )
        assert dict(add["tags"]) == entry["tags"] and add["partitionValues"] == []
    assert_once(varve, EVENTS)
    # And with nothing but the checkpoint before it.
    for version in range(newest):
        (log_of(varve) / f"{version:020}.json").unlink()
    assert_once(varve, EVENTS)
    any_server.generate(50, seed=2)
    varve.once(**MANY)
    assert_once(varve, EVENTS + 50)


@pytest.mark.parametrize("template", ["{simulation_id}/{YYYY-MM-DD}/{HH}/", "{worker_id}/", ""])
def test_inspect_gives_the_glob_of_all_rows_and_no_checkpoint(any_server, varve, template):
    settings = {**MANY, "output": {"path_template": template + "{first_seq}-{last_seq}.parquet"}}
    last = 0
    for count in (EVENTS // 10, EVENTS):
        any_server.generate(count, seed=last + 1, simulations=2)
        done = varve.once(**settings)
        last += count
        command = [VARVE, "inspect", "--json", varve.output]
        [glob] = json.loads(subprocess.check_output(command))["globs"]
        assert glob in subprocess.check_output(command[:2] + command[3:], text=True)
        with duckdb.connect() as connection:
            found = connection.execute(f"SELECT stream_seq FROM '{glob}'").fetchall()
        assert sorted(row[0] for row in found) == list(range(1, last + 1))
        frame = polars.scan_parquet(glob).select("stream_seq").collect()
        assert sorted(frame["stream_seq"].to_list()) == list(range(1, last + 1))
        assert bool(checkpoints(varve)) == (count == EVENTS), done.text()


def test_upkeep_has_the_lowest_priority(any_server, varve):
    """Also in the sandbox: the 19th field of proc(5)'s stat is the nice value of a thread."""
    running = varve.start()
    running.wait_line("connected")
    tasks = Path(f"/proc/{running.process.pid}/task")

    def nice():
        return [int(t.read_text().rpartition(")")[2].split()[16]) for t in tasks.glob("*/stat")]

    wait_for(lambda: sorted(nice())[-1] == 19, "a thread of the lowest priority")
    assert nice().count(19) == 1
    assert running.stop() == 0


def test_old_entries_are_removed_and_nothing_else_is(any_server, varve):
    any_server.generate(EVENTS, seed=1, corrupt=5)
    done = varve.once(**MANY)
    months = time.time() - 90 * 86400
    # Up to a checkpoint, which comes as soon as its thread has its turn: the log can begin there.
    assert len(checkpoints(varve)) == 1, done.text()
    [first] = checkpoints(varve)
    for version in range(first + 1):
        os.utime(log_of(varve) / f"{version:020}.json", (months, months))
    # So many that another one is due, whenever that was made.
    any_server.generate(2 * EVENTS, seed=2)
    done = varve.once(**MANY)
    assert entries(varve)[0] >= 100, done.text()
    assert checkpoints(varve)[0] == entries(varve)[0]
    assert verify(varve.output)["findings"] == []
    for _ in range(2):
        any_server.generate(20, seed=3)
        done = varve.once(**MANY)
        assert "incomplete" not in done.text()
    found = sequences(varve)
    assert len({tuple(sorted(f)) for f in found.values()}) == 1
    assert len(found["deltalake"]) == len(set(found["deltalake"])) == 3 * EVENTS + 40


def test_other_engines_keep_it_too(any_server, varve):
    """Their checkpoint on ours, ours on theirs."""
    any_server.generate(EVENTS, seed=1)
    varve.once(**MANY)
    table = DeltaTable(varve.output)
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    table.create_checkpoint()
    any_server.generate(EVENTS, seed=2)
    done = varve.once(**MANY)
    assert len(checkpoints(varve)) >= 3, done.text()
    table = DeltaTable(varve.output)
    table.cleanup_metadata()
    assert_once(varve, 2 * EVENTS, readers=2)  # it puts files of its own elsewhere


def test_verify_looks_behind_a_checkpoint(any_server, varve):
    """No checkpoint keeps what the entries say of the files beside the table; they do."""
    any_server.generate(100, seed=1, corrupt=5)
    varve.once()
    for commit in range(101):
        version = len(entries(varve))
        text = json.dumps({"txn": {"appId": "other", "version": commit}})
        (log_of(varve) / f"{version:020}.json").write_text(text + "\n")
    any_server.generate(20, seed=2)
    varve.once()
    assert checkpoints(varve)[-1] > 100
    assert verify(varve.output)["findings"] == []
    next((varve.output / "_quarantine").iterdir()).unlink()
    found = verify(varve.output, status=1)["findings"]
    assert any("missing" in f["text"] and "_quarantine" in f["text"] for f in found), found


def test_verify_reads_what_is_before_a_checkpoint_where_it_explains_something(any_server, varve):
    any_server.generate(EVENTS, seed=1)
    varve.once(**MANY)
    assert checkpoints(varve)[-1] > 60
    old = log_of(varve) / f"{50:020}.json"
    text = old.read_text()
    old.write_text("damaged\n")
    assert verify(varve.output)["findings"] == []
    assert verify(varve.output, "--deep", status=1)["findings"] != []
    # A row is in no file any more: only the entry that added it says that it was there.
    [add] = [json.loads(line)["add"] for line in text.splitlines() if '{"add":' in line][:1]
    gone = {"path": add["path"], "dataChange": True, "deletionTimestamp": 0}
    newest = log_of(varve) / f"{entries(varve)[-1] + 1:020}.json"
    newest.write_text(json.dumps({"remove": gone}) + "\n")
    assert verify(varve.output, status=1)["findings"] != []  # what is damaged is needed now
    old.write_text(text)
    found = verify(varve.output)
    assert found["findings"] == []
    sequences = add["tags"]["varve.sequences"].split(",")
    [removed] = [note["text"] for note in found["notes"] if note["kind"] == "removed"][:1]
    assert f" {sequences[0]} had rows" in removed or len(sequences) > 1, (removed, sequences)


def inspect(path):
    done = subprocess.run(
        [VARVE, "inspect", "--json", path], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_inspect_says_what_the_table_has(any_server, varve):
    any_server.generate(200, seed=1, simulations=3, corrupt=2)
    varve.once(nats={"name": "one"})
    any_server.generate(20, seed=2)
    varve.once(nats={"name": "two"}, sources=[{"stream": "LOGGING", "consumer": "second"}])
    files = list(varve.output.glob("*/*/*/*.parquet"))
    rows = polars.scan_parquet(files).collect()
    found = inspect(varve.output)
    table = DeltaTable(varve.output)
    assert found["version"] == table.version() and found["entries"] == table.version() + 1
    assert found["files"] == found["small_files"] == len(files)
    assert found["bytes"] == sum(f.stat().st_size for f in files)
    assert found["rows"] == rows.height == 220
    assert found["oldest_timestamp_ns"] == rows["timestamp_ns"].min()
    assert found["newest_timestamp_ns"] == rows["timestamp_ns"].max()
    assert sorted(found["simulations"]) == sorted(rows["simulation_id"].unique())
    assert (found["dead_files"], found["quarantine_files"]) == (0, 1)
    positions = {i["name"]: i["positions"] for i in found["instances"]}
    assert positions["one"][0]["through"] == 202
    assert set(positions) == {"one", "two"}
    table.optimize.compact()
    table.create_checkpoint()
    found = inspect(varve.output)
    assert (found["rows"], found["files"], found["dead_files"]) == (220, 1, len(files))
    assert found["checkpoint"] == found["version"] == DeltaTable(varve.output).version()
    shown = subprocess.run([VARVE, "inspect", varve.output], capture_output=True, text=True, check=True)
    assert re.search(r"^  rows +220$", shown.stdout, re.M), shown.stdout
    assert re.search(r"^  position +one: stream LOGGING of .*: 202$", shown.stdout, re.M)
