# SPDX-License-Identifier: MIT
"""The disk of a follower is full: of its target, where nobody else is held up, or of the store, where it
keeps what it knows. When there is room again it goes on by itself, and has each row once. Needs to be
root, for a small file system."""

import json
import random
import signal
import subprocess

import pytest
from deltalake import DeltaTable
from generator import length_field, varint_field
from series_servers import Scripted
from support import PATIENCE, VARVE, end, verify, wait_for
from test_disk import MIB, leave_free, mounted

START = 1_780_000_000_000_000_000
NOTE = "sim.world_note.v1"
FAST = {"batching": {"max_age": "200ms"}}
COUNT = 600
FULL = "No space left on device"


@pytest.fixture
def disk(tmp_path):
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=48m") as path:
        yield path


def event(number, text=""):
    return (
        length_field(1, f"e-{number}")
        + length_field(2, NOTE)
        + length_field(3, json.dumps({"step": number, "text": text}))
        + varint_field(4, START + number)
        + length_field(5, "w1")
        + length_field(6, "sim-1")
        + length_field(7, "application/json")
    )


def publish(server, numbers):
    """20 kB each that nothing makes much smaller."""
    chance = random.Random(numbers.start)
    server.publish([event(n, chance.randbytes(10_000).hex()) for n in numbers])


def fill(path):
    """Until not a page is left."""
    with (path / "filler").open("ab", buffering=0) as filler:
        for size in (MIB, 4096):
            try:
                while filler.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue


def sequences(root):
    if not list((root / "_delta_log").glob("*.json")):
        return []
    return sorted(DeltaTable(str(root)).to_pyarrow_table()["stream_seq"].to_pylist())


def failures(run, name, text=FULL):
    return [f for f in run.lines("follower_failed", follower=name) if text in f["error"]]


@pytest.mark.parametrize("kind", ["table", "archive"])
def test_the_disk_of_a_target_is_full(any_server, varve, disk, kind):
    target = disk / "target"
    root = target / NOTE if kind == "table" else target
    columns = ["step integer $.step", "text text $.text"]
    config = {
        **FAST,
        "payloads": [{"event_type": NOTE, "format": "json", "columns": columns}],
        "followers": [
            {"name": "full", "kind": kind, "target": str(target)},
            {"name": "judge", "kind": "quality"},
        ],
    }
    any_server.add_stream()
    leave_free(disk, 3 * MIB)
    run = varve.start(**config)
    publish(any_server, range(1, COUNT + 1))
    wait_for(lambda: len(failures(run, "full")) >= 2, "attempts that fail")
    # Neither the drain nor another follower has to do with it.
    any_server.wait_acked(COUNT)
    assert sequences(varve.output) == list(range(1, COUNT + 1))
    report = varve.output / "_quality" / "sim-1.json"
    wait_for(report.exists, "the other has rows")
    wait_for(lambda: json.loads(report.read_text())["events"] == COUNT, "the other has all rows")
    assert all(str(root) in line["error"] for line in run.lines("commit_failed"))
    assert not run.lines("paused")
    has = sequences(root)
    assert has == list(range(1, len(has) + 1)) and len(has) < COUNT
    # Killed at this point, and started on a disk that is still full.
    run.process.kill()
    run.wait()
    run = varve.start(**config)
    wait_for(lambda: failures(run, "full"), "an attempt that fails")
    (disk / "filler").unlink()
    wait_for(lambda: len(sequences(root)) == COUNT, "all rows at the target")
    assert run.stop() == 0
    assert sequences(root) == list(range(1, COUNT + 1))
    assert verify(root)["findings"] == []
    left = [p for p in target.rglob("*") if p.is_file() and ".varve" in p.parts]
    assert all(p.stat().st_size < 4096 for p in left), left
    if kind == "archive":
        assert verify(root, "--against", varve.output)["findings"] == []


def alone(varve, config, name):
    """`varve follow NAME` as it runs, with its log."""
    path = varve.directory / "follow.yaml"
    path.write_text(json.dumps(varve.config(**config)))
    log = varve.directory / f"{name}.log"
    with log.open("wb") as said:
        process = subprocess.Popen([VARVE, "follow", name, "-c", path], stderr=said)
    return process, log, path


def test_the_store_has_no_room_for_what_is_refused(any_server, varve, disk):
    """Lines that a database refuses are noted when there is room, and are not forgotten until then."""
    varve.output = disk / "out"
    any_server.add_stream()
    publish(any_server, range(1, COUNT + 1))
    varve.once(**FAST)

    def answer(body):
        bad = [line for line in body.splitlines() if b"step=7i" in line or b"step=500i" in line]
        return (400, {}, {"error": f"unable to parse '{bad[0].decode()}': no"}) if bad else good

    good = (204, {}, b"")
    database = Scripted(rest=answer)
    fields = {"step": {"path": "$.step", "type": "integer"}}
    point = {"event_type": NOTE, "measurement": "m", "fields": fields}
    one = {"name": "db", "kind": "timeseries", "url": database.base + "/write", "points": [point]}
    fill(disk)
    process, log, _ = alone(varve, {**FAST, "followers": [one]}, "db")
    try:
        wait_for(lambda: log.read_text().count(FULL) >= 2, "attempts that fail")
        (disk / "filler").unlink()
        notes = varve.output / "_refused" / "db"

        def refused():
            text = "".join(path.read_text() for path in notes.glob("*.jsonl"))
            return sorted(json.loads(line)["sequence"] for line in text.splitlines())

        def lines():
            """Each the same, however often it was sent."""
            return {line for lines in database.lines() for line in lines}

        wait_for(lambda: len(refused()) >= 2, "what was refused")
        wait_for(lambda: len(lines()) >= COUNT, "all else")
    finally:
        end(process, signal.SIGTERM)
        database.close()
    assert refused() == [7, 500] and len(lines()) == COUNT


def test_the_store_has_no_room_for_quality(any_server, varve, disk):
    """What it has counted by then is not counted again."""
    varve.output = disk / "out"
    any_server.add_stream()
    publish(any_server, range(1, 301))
    varve.once(**FAST)
    config = {**FAST, "followers": [{"name": "judge", "kind": "quality"}]}
    process, log, path = alone(varve, config, "judge")

    def report():
        [file] = list((varve.output / "_quality").glob("*.json")) or [None]
        return file.read_text() if file else "{}"

    try:
        wait_for(lambda: json.loads(report()).get("events") == 300, "the first rows")
        publish(any_server, range(301, COUNT + 1))
        end(process, signal.SIGTERM)
        varve.once(**FAST)
        fill(disk)
        process, log, path = alone(varve, config, "judge")
        wait_for(lambda: log.read_text().count(FULL) >= 2, "attempts that fail")
        assert json.loads(report())["events"] == 300  # whole, though older
        (disk / "filler").unlink()
        wait_for(lambda: json.loads(report())["events"] == COUNT, "all rows")
    finally:
        end(process, signal.SIGTERM)
    done = subprocess.run(
        [VARVE, "quality", varve.output, "--json", "-c", path],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert report() == done.stdout
