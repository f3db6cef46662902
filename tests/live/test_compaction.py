# SPDX-License-Identifier: MIT
"""Small files become large ones, beside the drain and by hand: the rows stay, in the order of the
stream. Judged by deltalake, Polars, DuckDB and pyarrow, and by what the stream has."""

import os
import shutil
import subprocess
import time

import duckdb
import polars
import pyarrow.dataset
import pyarrow.parquet
import pytest
from deltalake import DeltaTable
from generator import reward_event
from support import PATIENCE, VARVE, Output, ranges, verify

NOON = 1767268800 * 10**9  # 2026-01-01T12:00:00Z


def publish(server, first, last):
    server.publish(
        [
            reward_event(number, NOON + number, b"sim-%d" % (number % 2))
            for number in range(first, last + 1)
        ]
    )


def compact(varve, *options):
    run = subprocess.run(
        [VARVE, "compact", varve.output, *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


def files_of(varve):
    return sorted(varve.output.glob("sim-*/*/*/*.parquet"))


def everybody_finds(varve, last):
    """By the log, and by the files."""
    root = str(varve.output)
    files = f"{root}/sim-*/*/*/*.parquet"
    found = [
        DeltaTable(root).to_pyarrow_table(columns=["stream_seq"])["stream_seq"].to_pylist(),
        polars.scan_delta(root).select("stream_seq").collect()["stream_seq"].to_list(),
        pyarrow.dataset.dataset(files_of(varve))
        .to_table(columns=["stream_seq"])["stream_seq"]
        .to_pylist(),
        [row[0] for row in duckdb.sql(f"SELECT stream_seq FROM '{files}'").fetchall()],
    ]
    for rows in found:
        assert sorted(rows) == list(range(1, last + 1))


def test_small_files_become_one(any_server, varve):
    any_server.add_stream()
    publish(any_server, 1, 1700)
    varve.once("--set", "batching.max_rows=100")
    before = files_of(varve)
    assert len(before) > 32
    before_rows = Output(varve.output).table()
    assert "would become: 2 files of " in compact(varve, "--dry-run")
    assert files_of(varve) == before
    assert "became: 2 files of " in compact(varve)
    assert "became: 0 files of 0" in compact(varve)
    after = files_of(varve)
    assert len(after) == 2
    for path in after:
        rows = pyarrow.parquet.ParquetFile(path, page_checksum_verification=True).read()
        sequences = rows["stream_seq"].to_pylist()
        assert sequences == sorted(sequences)
    live = pyarrow.concat_tables(map(pyarrow.parquet.read_table, after)).sort_by("stream_seq")
    assert live.equals(before_rows)
    everybody_finds(varve, 1700)
    for options in ([], ["--server", any_server.url]):
        assert verify(varve.output, *options)["findings"] == []
    # It goes on: with what is stored, under its own name and another one, and after others.
    any_server.delete_consumer()
    publish(any_server, 1701, 1750)
    varve.once()
    varve.once("--set", "nats.name=another", "--set", "sources[0].consumer=third")
    everybody_finds(varve, 1750)
    DeltaTable(str(varve.output)).create_checkpoint()
    table = DeltaTable(str(varve.output))
    table.optimize.compact()
    publish(any_server, 1751, 1760)
    varve.once()
    assert sorted(table_sequences(varve)) == list(range(1, 1761))
    assert "another engine has written files of it" in compact(varve)
    assert verify(varve.output)["findings"] == []


def test_replaced_files_are_kept_for_readers_of_old_versions(any_server, varve):
    any_server.add_stream()
    publish(any_server, 1, 300)
    varve.once("--set", "batching.max_rows=10")
    before, version = files_of(varve), DeltaTable(str(varve.output)).version()
    assert "became: 2 files of " in compact(varve, "--keep-replaced", "1s", "--after", "1ms")
    assert set(before) < set(files_of(varve))
    old = DeltaTable(str(varve.output), version=version).to_pyarrow_table(columns=["stream_seq"])
    assert sorted(old["stream_seq"].to_pylist()) == list(range(1, 301))
    report = verify(varve.output)
    assert report["findings"] == []
    time.sleep(1)  # what is kept goes by the clock
    compact(varve)
    assert len(files_of(varve)) == 2
    everybody_finds(varve, 300)


def table_sequences(varve):
    root = str(varve.output)
    return DeltaTable(root).to_pyarrow_table(columns=["stream_seq"])["stream_seq"].to_pylist()


def test_compaction_beside_the_drain(any_server, varve):
    any_server.add_stream()
    running = varve.start(
        compaction={"interval": "1s", "after": "1s"}, batching={"max_age": "100ms"}
    )
    deadline = time.monotonic() + PATIENCE
    last = 0
    while '"compacted"' not in running.text():
        assert time.monotonic() < deadline, running.text()
        publish(any_server, last + 1, last + 10)
        last += 10
        time.sleep(0.2)
    assert running.stop() == 0
    varve.once()
    everybody_finds(varve, last)
    report = verify(varve.output, "--server", any_server.url)
    assert report["findings"] == []
    assert ranges(table_sequences(varve)) == [f"1-{last}"]


def test_what_is_left_alone_is_said_once(any_server, varve):
    """A foreign file keeps its folder from being merged, however often that is looked at."""
    any_server.add_stream()
    for first in (1, 101):
        publish(any_server, first, first + 99)
        varve.once()
    foreign = files_of(varve)[0].parent / "notes.txt"
    foreign.write_text("mine")
    os.utime(foreign, (NOON // 10**9, NOON // 10**9))  # a new one may be of a commit under way
    running = varve.start(
        compaction={"interval": "1s", "after": "1s"}, batching={"max_age": "100ms"}
    )
    left = running.wait_line("left_alone")["text"]
    assert str(foreign.parent.relative_to(varve.output)) in left
    last = 200
    for merged in range(1, 4):  # each is of a later look at all folders
        deadline = time.monotonic() + PATIENCE
        while running.text().count('"compacted"') < merged:
            assert time.monotonic() < deadline, running.text()
            publish(any_server, last + 1, last + 10)
            last += 10
            time.sleep(0.2)
    assert running.stop() == 0
    assert len(running.lines("left_alone", level="warning")) == 1
    assert foreign.read_text() == "mine" and len(list(foreign.parent.glob("*.parquet"))) > 1
    everybody_finds(varve, last)


def test_level_of_compression(any_server, varve, tmp_path):
    """As it is configured, where varve runs, as it is named, by hand, and 9 unless said otherwise."""
    any_server.add_stream()
    varve.output = tmp_path / "first"
    for first in (1, 2001):
        publish(any_server, first, first + 1999)
        varve.once()
    original, sizes = varve.output, {}

    def size_after(name, work):
        varve.output = tmp_path / name
        shutil.copytree(original, varve.output)
        work()
        [*files] = files_of(varve)
        assert len(files) == 2
        sizes[name] = sum(path.stat().st_size for path in files)

    for level in ("-7", "9", "19"):
        size_after(
            level,
            lambda level=level: compact(varve, "--compression-level", level, "--after", "0s"),
        )
    size_after("default", lambda: compact(varve, "--after", "0s"))

    def run_with(level):
        settings = {"interval": "1s", "after": "1s", "compression_level": level}
        running = varve.start(compaction=settings)
        running.wait_line("compacted")
        assert running.stop() == 0

    size_after("configured", lambda: run_with(-7))
    assert sizes["default"] == sizes["9"] < sizes["-7"] and sizes["19"] < sizes["-7"]
    assert sizes["configured"] == sizes["-7"]


@pytest.mark.parametrize(
    ("template", "files"),
    [
        # One for each simulation, although they lie in one folder.
        ("{YYYY-MM-DD}/{simulation_id}-{first_seq}-{last_seq}.parquet", 2),
        ("{YYYY-MM-DD}/{simulation_id}.{first_seq}.parquet", 2),
        # One for all.
        ("{YYYY-MM-DD}/{first_seq}-{last_seq}.parquet", 1),
        # Here a number behind the sequences may be a simulation: left alone.
        ("{YYYY-MM-DD}/{first_seq}-{last_seq}-{simulation_id}.parquet", None),
    ],
)
def test_rows_that_belong_apart_stay_apart(any_server, varve, template, files):
    any_server.add_stream()
    publish(any_server, 1, 400)
    varve.once("--set", "batching.max_rows=40", "--set", f"output.path_template={template}")
    before = len(list(varve.output.glob("*/*.parquet")))
    said = compact(varve, "--after", "0s")
    after = len(list(varve.output.glob("[!_]*/*.parquet")))
    assert after == (files or before)
    if files is None:
        assert "path_template" in said
    assert Output(varve.output).table()["stream_seq"].to_pylist() == list(range(1, 401))
    verify(varve.output)


@pytest.mark.parametrize("template", ["{first_seq}.parquet", "{first_seq}-{last_seq}.parquet"])
def test_files_of_the_output_itself_stay(any_server, varve, template):
    """Nothing can be put in the place of that folder; others beside it are compacted."""
    any_server.add_stream()
    publish(any_server, 1, 200)
    varve.once("--set", "batching.max_rows=40", "--set", f"output.path_template={template}")
    before = sorted(varve.output.glob("*.parquet"))
    publish(any_server, 201, 400)
    varve.once("--set", "batching.max_rows=40")
    said = compact(varve, "--after", "0s")
    assert sorted(varve.output.glob("*.parquet")) == before and len(before) == 5
    assert len(files_of(varve)) == 2
    assert "its files lie in the output directory itself" in said
    assert Output(varve.output).table()["stream_seq"].to_pylist() == list(range(1, 401))
    verify(varve.output)
