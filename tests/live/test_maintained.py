# SPDX-License-Identifier: MIT
"""Tables that other engines maintain: what varve verify and cat make of them, and that varve goes
on. What the stream has is what must be there."""

import json
import subprocess

import pytest
from deltalake import DeltaTable
from support import SUBJECT, VARVE, Output, verify

COMMITS, EACH = 4, 50


def fill(server, varve, **settings):
    for commit in range(COMMITS):
        server.generate(EACH, seed=71, start_index=commit * EACH, simulations=3)
        varve.once(**settings)


def optimize(varve):
    result = DeltaTable(varve.output).optimize.compact()
    assert result["numFilesRemoved"] > result["numFilesAdded"] > 0


def vacuum(varve):
    table = DeltaTable(varve.output)
    assert table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


def clean_up(varve):
    """A checkpoint, and all entries below it gone, as after the log's retention."""
    table = DeltaTable(varve.output)
    table.create_checkpoint()
    for entry in (varve.output / "_delta_log").glob("*.json"):
        if entry.stem.isdigit() and int(entry.stem) < table.version():
            entry.unlink()


def cat(varve, *options):
    command = [VARVE, "cat", *options, varve.output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def published(server):
    """(sequence, payload) of what the stream holds."""
    return [(message[0], message[4]) for message in server.messages()]


def check(server, varve, notes=()):
    found = verify(varve.output, "--server", server.url)
    assert found["findings"] == []
    assert sorted({note["kind"] for note in found["notes"]}) == sorted(notes)
    rows = cat(varve, "--columns", "stream_seq,event_id")
    assert [row["stream_seq"] for row in rows] == [seq for seq, _ in published(server)]
    for row, (_, data) in zip(rows, published(server), strict=True):
        assert row["event_id"].encode() in data


STEPS = {
    "optimize": [optimize],
    "vacuum": [optimize, vacuum],
    "cleanup": [clean_up],
    "optimize, cleanup": [optimize, clean_up],
    "optimize, vacuum, cleanup": [optimize, vacuum, clean_up],
}
REPLACED = {"optimize", "optimize, cleanup"}


@pytest.mark.parametrize("steps", STEPS)
def test_maintained_by_deltalake(server, varve, steps):
    fill(server, varve)
    check(server, varve)
    for step in STEPS[steps]:
        step(varve)
    check(server, varve, notes=["replaced"] if steps in REPLACED else [])
    # And varve goes on.
    server.generate(EACH, seed=71, start_index=COMMITS * EACH, simulations=3)
    varve.once()
    check(server, varve, notes=["replaced"] if steps in REPLACED else [])


def test_a_compacted_file_that_lacks_rows_is_found(server, varve):
    """An engine that loses rows is caught by the sequences, not by what it says of itself."""
    fill(server, varve)
    add = Output(varve.output).adds()[0]
    remove = {"path": add["path"], "dataChange": False, "deletionTimestamp": 1}
    entry = [{"commitInfo": {"operation": "OPTIMIZE"}}, {"remove": remove}]
    version = DeltaTable(varve.output).version() + 1
    name = varve.output / "_delta_log" / f"{version:020}.json"
    name.write_text("".join(json.dumps(action) + "\n" for action in entry))
    found = verify(varve.output, "--server", server.url, status=1)
    assert {finding["kind"] for finding in found["findings"]} == {"lost"}


def test_cat_prints_a_table_in_the_order_of_its_stream(server, varve):
    fill(server, varve)
    sequences = [row["stream_seq"] for row in cat(varve, "--columns", "stream_seq")]
    assert sequences == list(range(1, COMMITS * EACH + 1))
    rows = cat(varve, "--limit", "7")
    assert [row["stream_seq"] for row in rows] == list(range(1, 8))
    assert all(row["nats_subject"] == SUBJECT for row in rows)


def test_cat_from_a_place_to_another(server, varve):
    """What the stream has between two sequences, or two times; files beside them are not read."""
    fill(server, varve)
    stored = {row["stream_seq"]: row["stream_time"] for row in cat(varve)}
    picked = ("--columns", "event_id", "--from")
    for low, high in ((1, 1), (EACH, EACH + 1), (2 * EACH, 10**9)):
        rows = cat(varve, "--columns", "stream_seq", "--from", str(low), "--to", str(high))
        wanted = [seq for seq, _ in published(server) if low <= seq <= high]
        assert [row["stream_seq"] for row in rows] == wanted
    at = stored[EACH + 7]
    wanted = [seq for seq, time in stored.items() if time >= at]
    assert len(cat(varve, *picked, at)) == len(wanted)
    assert all(list(row) == ["event_id"] for row in cat(varve, *picked, at))
    command = [VARVE, "cat", "--verbose", "--to", str(EACH), varve.output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert len(done.stdout.splitlines()) == EACH
    firsts = [int(path.stem.split("-")[0]) for path in varve.output.glob("[!_]*/**/*.parquet")]
    beyond = sum(first > EACH for first in firsts)
    assert beyond > 0 and f" {beyond} of {len(firsts)} files" in done.stderr


def test_rows_that_somebody_restored_away(server, varve):
    """They were there: verify does not say that they expired."""
    fill(server, varve)
    table = DeltaTable(varve.output)
    before = set(table.file_uris())
    table.restore(table.version() - 1)
    assert set(DeltaTable(varve.output).file_uris()) < before
    notes = verify(varve.output)["notes"]
    [text] = [note["text"] for note in notes if note["kind"] == "removed"]
    first = (COMMITS - 1) * EACH + 1
    assert f" {first}-{COMMITS * EACH} " in text and "RESTORE" in text
    # The stream has them, and is asked.
    findings = verify(varve.output, "--server", server.url, status=1)["findings"]
    assert [finding["kind"] for finding in findings] == ["lost"]


@pytest.mark.parametrize("order", [["add", "remove"], ["remove", "add"]])
def test_rows_that_a_vector_has_deleted(server, varve, order):
    """A file with a deletion vector takes the place of the same file without one. No reader may
    pass the file over, or show what is deleted: they say why, and verify calls nothing lost."""
    fill(server, varve)
    add = Output(varve.output).adds()[0]
    vector = {
        "storageType": "i",
        "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
        "sizeInBytes": 40,
        "cardinality": 6,
    }
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    actions = {
        "add": {**add, "deletionVector": vector, "dataChange": True},
        "remove": {"path": add["path"], "deletionTimestamp": 1, "dataChange": True},
    }
    entry = [
        {"commitInfo": {"operation": "DELETE"}},
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}},
        *({name: actions[name]} for name in order),
    ]
    version = DeltaTable(varve.output).version() + 1
    name = varve.output / "_delta_log" / f"{version:020}.json"
    name.write_text("".join(json.dumps(action) + "\n" for action in entry))
    command = [VARVE, "cat", varve.output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == ""
    assert "another engine has deleted rows of" in done.stderr
    findings = verify(varve.output, "--server", server.url, status=1)["findings"]
    assert [finding["kind"] for finding in findings] == ["unsupported"]
