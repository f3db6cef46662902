# SPDX-License-Identifier: MIT
"""A compaction that is killed at each system call of its swap, and readers of plain files that look
while hundreds of swaps happen."""

import json
import multiprocessing
import os
import queue
import random
import shutil
import subprocess
import tempfile
import urllib.parse
from pathlib import Path

import pytest
from generator import reward_event
from support import VARVE, VARVE_FAULT, verify

NOON = 1767268800 * 10**9  # 2026-01-01T12:00:00Z
FILES = 16  # so many are merged though their folder is still written to
KILLED = -9
TIMEOUT = 300

pytestmark = pytest.mark.timeout(TIMEOUT)


def fill(server, varve, simulations):
    """A folder for each simulation with FILES files of a row each."""
    server.add_stream()
    server.publish(
        [
            reward_event(i, NOON + i, b"sim-%d" % (i % simulations), b"x" * 20)
            for i in range(FILES * simulations)
        ]
    )
    varve.once("--set", f"batching.max_rows={simulations}")


def plain_files(root):
    return sorted(path.relative_to(root) for path in root.glob("sim-*/*/*/*.parquet"))


def live_files(root):
    """By the log alone."""
    live = set()
    for entry in sorted((root / "_delta_log").glob("*.json")):
        for line in entry.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                live.add(urllib.parse.unquote(action["add"]["path"]))
            if "remove" in action:
                live.remove(urllib.parse.unquote(action["remove"]["path"]))
    return sorted(map(Path, live))


def compact_with(root, fault):
    return subprocess.run(
        [VARVE_FAULT, "compact", root], env={"VARVE_FAULT": fault}, capture_output=True, timeout=60
    ).returncode


def calls_of_a_run(table, directory):
    """How many calls a compaction has, within ten."""
    low, high = 1, 4096
    while high - low > 10:
        middle = (low + high) // 2
        copy = shutil.copytree(table, directory / "count")
        killed = compact_with(copy, f"any:{middle}:kill") == KILLED
        shutil.rmtree(copy)
        low, high = (middle, high) if killed else (low, middle)
    return high


def test_killed_at_each_call_of_a_swap(any_server, varve):
    fill(any_server, varve, 1)
    old = plain_files(varve.output)
    assert len(old) == FILES
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as d:
        directory = Path(d)
        table = shutil.copytree(varve.output, directory / "table")
        last = calls_of_a_run(table, directory)
        states = set()
        for call in range(max(1, last - 90), last + 1):
            root = shutil.copytree(table, directory / str(call))
            status = compact_with(root, f"any:{call}:kill")
            there = plain_files(root)
            assert there == old or len(there) == 1, call
            # The next one that keeps the store sets it right: here one that has nothing else to do.
            subprocess.run(
                [VARVE, "expire", root, "--older-than", "36500d"], check=True, timeout=60
            )
            assert plain_files(root) == live_files(root), call
            assert live_files(root) == old or len(live_files(root)) == 1, call
            leftovers = [p for p in root.glob(".varve/*/*") if p.name != "lock"]
            assert leftovers == [] and not list(root.glob("_delta_log/.pending*")), call
            states.add((status, len(live_files(root))))
            if call % 16 == 0:
                assert verify(root)["findings"] == []
            shutil.rmtree(root)
    # Killed before the entry, killed after it, and not killed.
    assert states >= {(KILLED, FILES), (KILLED, 1), (0, 1)}


def count_pandas(folder):
    import pandas

    return sum(len(pandas.read_parquet(path)) for path in sorted(folder.glob("*.parquet")))


def count_arrow(folder):
    import pyarrow.dataset

    return pyarrow.dataset.dataset(str(folder), format="parquet").count_rows()


def count_duckdb(folder):
    import duckdb

    return duckdb.sql(f"SELECT count(*) FROM '{folder}/*.parquet'").fetchall()[0][0]


def count_polars(folder):
    import polars

    return polars.scan_parquet(f"{folder}/*.parquet").select(polars.len()).collect().item()


def count_all_the_time(count, folders, ready, stop, results):
    """Reads until it is told to stop: how often it worked, how often not, and what was wrong."""
    folders = list(map(Path, folders))
    worked = failed = 0
    wrong = []
    count(folders[0])  # its library is there
    ready.wait(TIMEOUT)
    while not stop.is_set():
        folder = random.choice(folders)
        try:
            rows = count(folder)
        except Exception:  # noqa: BLE001: a file that was listed is gone; list again
            failed += 1
            continue
        worked += 1
        if rows != FILES:
            wrong.append((str(folder), rows))
    results.put((count.__name__, worked, failed, wrong))


def test_readers_never_see_a_wrong_count(any_server, varve):
    simulations = 200
    fill(any_server, varve, simulations)
    folders = sorted({str(path.parent) for path in varve.output.glob("sim-*/*/*/*.parquet")})
    assert len(folders) == simulations
    context = multiprocessing.get_context("spawn")
    stop, results = context.Event(), context.Queue()
    ready = context.Barrier(5)
    readers = [
        context.Process(
            target=count_all_the_time, args=(count, folders, ready, stop, results), daemon=True
        )
        for count in (count_pandas, count_arrow, count_duckdb, count_polars)
    ]
    for reader in readers:
        reader.start()
    ready.wait(TIMEOUT)
    # A little slower, so that readers come between the calls.
    run = subprocess.run(
        [VARVE_FAULT, "compact", varve.output],
        env={"VARVE_FAULT": "renameat2:1:slow:sticky"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    stop.set()
    found = []
    for _ in readers:
        try:
            found.append(results.get(timeout=60))
        except queue.Empty:
            break
    for reader in readers:
        reader.join(10)
    assert run.returncode == 0 and f"became: {simulations} files" in run.stdout, run.stderr
    assert len(found) == 4
    for name, worked, failed, wrong in found:
        assert wrong == [], name
        assert worked > 0, (name, failed)
        print(f"{name}: {worked} counts, {failed} failed")
    assert verify(varve.output)["findings"] == []
