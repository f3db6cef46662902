# SPDX-License-Identifier: MIT
"""Followers of rows behind an engine that has merged rows of several streams into one file: its
files do not say whose rows they have, and sequences of the streams are the same."""

import json
import os
import signal
import subprocess
import time

from deltalake import DeltaTable
from generator import step_event
from support import VARVE, wait_for

NOTE = "sim.world_note.v1"
STREAMS = ("A", "B")
FAST = {
    "batching": {"max_age": "200ms"},
    "sources": [{"stream": name, "subjects": [f"events.{name}"]} for name in STREAMS],
}
TYPED = {
    **FAST,
    "payloads": [
        {"event_type": NOTE, "format": "json", "columns": ["step integer $.step"]}
    ],
    "followers": [{"name": "typed", "kind": "table"}],
}


def add_streams(server, streams=STREAMS):
    for stream in streams:
        server.add_stream(stream, [f"events.{stream}"])


def publish(server, first, last, streams=STREAMS):
    """The same sequences in each stream."""
    for stream in streams:
        events = [step_event(f"{stream}-{n}", NOTE, n) for n in range(first, last + 1)]
        server.publish(events, f"events.{stream}")


def command(varve, **more):
    path = varve.directory / "typed.yaml"
    path.write_text(json.dumps(varve.config(**{**TYPED, **more})))
    return [VARVE, "follow", "typed", "-c", path]


def follow(varve, *options, status=0, **more):
    done = subprocess.run(
        [*command(varve, **more), *options], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == status, done.stderr
    return done


def optimize(varve, vacuum=False):
    table = DeltaTable(str(varve.output))
    table.optimize.compact()
    if vacuum:
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    names = DeltaTable(str(varve.output)).file_uris()
    return len(names)


def clean_up(varve):
    """As if all that the log has was there for longer than it is kept."""
    then = time.time() - 400 * 24 * 3600
    for path in (varve.output / "_delta_log").glob("*.json"):
        os.utime(path, (then, then))
    table = DeltaTable(str(varve.output))
    table.create_checkpoint()
    table.cleanup_metadata()


def typed(varve):
    root = varve.output.with_name(varve.output.name + "-types") / NOTE
    if not list((root / "_delta_log").glob("*.json")):
        return []
    rows = DeltaTable(str(root)).to_pyarrow_table().to_pylist()
    return sorted((row["event_id"], row["stream_seq"], row["step"]) for row in rows)


def expected(last, streams=STREAMS, first=1):
    return sorted((f"{s}-{n}", n, n) for s in streams for n in range(first, last + 1))


def test_rewritten_before_it_looks_again(any_server, varve):
    """One that keeps up sees the commit and the rewrite of it at once."""
    add_streams(any_server)
    publish(any_server, 1, 30)
    varve.once(**FAST)
    running = subprocess.Popen(command(varve), stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: typed(varve) == expected(30), "the first rows")
        running.send_signal(signal.SIGSTOP)
        publish(any_server, 31, 60)
        varve.once(**FAST)
        assert optimize(varve) == 1
        publish(any_server, 61, 70)
        varve.once(**FAST)
        running.send_signal(signal.SIGCONT)
        last = [f"{stream}-70" for stream in STREAMS]
        wait_for(
            lambda: {row[0] for row in typed(varve)}.issuperset(last), "the last rows"
        )
        assert typed(varve) == expected(70)
    finally:
        running.send_signal(signal.SIGCONT)
        running.terminate()
        running.wait(timeout=60)


def test_made_of_files_that_are_there(any_server, varve):
    """Read in part, in whole or not at all, merged twice: the files of before are read."""
    add_streams(any_server)
    publish(any_server, 1, 20)
    varve.once(**FAST)
    follow(varve, "--once")
    publish(any_server, 21, 40, ["B"])
    varve.once(**FAST)
    assert optimize(varve) == 1
    publish(any_server, 41, 60)
    varve.once(**FAST)
    assert optimize(varve) == 1
    follow(varve, "--once")
    assert typed(varve) == sorted(
        [(f"B-{n}", n, n) for n in range(1, 61)]
        + [
            (f"A-{n}", seq, n)
            for seq, n in enumerate([*range(1, 21), *range(41, 61)], 1)
        ]
    )
    assert "0 rows" in follow(varve, "--once").stdout
    late = {"name": "typed", "kind": "table", "target": str(varve.directory / "late")}
    follow(varve, "--forget", followers=[])
    follow(varve, "--once", followers=[late])
    rows = (
        DeltaTable(str(varve.directory / "late" / NOTE)).to_pyarrow_table().to_pylist()
    )
    assert len(rows) == 100 and len({row["event_id"] for row in rows}) == 100
    any_server.add_stream("R", ["replay.>"])
    replay = [
        VARVE,
        "replay",
        varve.output,
        "--server",
        any_server.url,
        "--speed",
        "max",
    ]
    for _ in range(2):
        done = subprocess.run(replay, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    assert any_server.stream("R").state.messages == 100


def test_what_was_read_need_not_be_there(any_server, varve):
    """VACUUM has taken the files, and the clean-up then the entries that tell of them."""
    add_streams(any_server)
    publish(any_server, 1, 20)
    varve.once(**FAST)
    follow(varve, "--once")
    assert optimize(varve, vacuum=True) == 1
    assert "0 rows" in follow(varve, "--once").stdout
    clean_up(varve)
    publish(any_server, 21, 30)
    varve.once(**FAST)
    assert "20 rows" in follow(varve, "--once").stdout
    assert typed(varve) == expected(30)
    # Merged with what is new, and the log begins behind that: the files say what they are.
    publish(any_server, 31, 40)
    varve.once(**FAST)
    optimize(varve)
    publish(any_server, 41, 41)
    varve.once(**FAST)
    assert "22 rows" in follow(varve, "--once").stdout
    assert typed(varve) == expected(41)


def test_what_is_new_and_gone_is_refused(any_server, varve):
    add_streams(any_server)
    publish(any_server, 1, 20)
    varve.once(**FAST)
    follow(varve, "--once")
    publish(any_server, 21, 30)
    varve.once(**FAST)
    optimize(varve, vacuum=True)
    failed = follow(varve, "--once", status=1).stderr
    assert (
        "nobody can tell which are whose" in failed and "not there any more" in failed
    )
    assert typed(varve) == expected(20)


def test_what_another_engine_has_deleted_does_not_come(any_server, varve):
    """In the files that a merged one was made of, rows are there that were deleted since."""
    add_streams(any_server)
    publish(any_server, 1, 20)
    varve.once(**FAST)
    properties = {"delta.appendOnly": "false"}
    DeltaTable(str(varve.output)).alter.set_table_properties(properties)
    optimize(varve)
    DeltaTable(str(varve.output)).delete("event_id = 'A-7'")
    failed = follow(varve, "--once", status=1).stderr
    assert "was not made of files of varve alone" in failed
    assert typed(varve) == []


def test_the_only_stream_that_the_log_still_names(any_server, varve):
    """All that it says of the other one is a position, which checkpoints keep."""
    add_streams(any_server)
    publish(any_server, 1, 20)
    varve.once(**FAST)
    optimize(varve, vacuum=True)
    clean_up(varve)
    publish(any_server, 21, 30, ["A"])
    varve.once(**{**FAST, "sources": FAST["sources"][:1]})
    clean_up(varve)
    publish(any_server, 31, 40, ["A"])
    varve.once(**{**FAST, "sources": FAST["sources"][:1]})
    failed = follow(varve, "--once", status=1).stderr
    assert "nobody can tell which are whose" in failed
    assert typed(varve) == []
