# SPDX-License-Identifier: MIT
"""Old partitions go, beside the drain and by hand; what has expired is never fetched again. Judged by
deltalake, DuckDB and pyarrow, and by what the stream has."""

import json
import shutil
import subprocess
import time

import duckdb
import pyarrow.dataset
from deltalake import DeltaTable
from generator import reward_event
from support import VARVE, verify

DAY = 86400 * 10**9


def publish(server, ages, first=1):
    """One event of each age in days."""
    now = time.time_ns()
    server.publish([reward_event(first + i, now - age * DAY, b"sim") for i, age in enumerate(ages)])


def expire(varve, *options):
    run = subprocess.run(
        [VARVE, "expire", varve.output, *options], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def everybody_finds(varve, sequences):
    """By the log, and by the files."""
    root = str(varve.output)
    found = [
        DeltaTable(root).to_pyarrow_table(columns=["stream_seq"])["stream_seq"].to_pylist(),
        pyarrow.dataset.dataset(sorted(varve.output.glob("sim/*/*/*.parquet")))
        .to_table(columns=["stream_seq"])["stream_seq"]
        .to_pylist(),
    ]
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT stream_seq FROM '{root}/sim/*/*/*.parquet'").fetchall()
    found.append([row[0] for row in rows])
    for rows in found:
        assert sorted(rows) == list(sequences)


def test_old_partitions_go_and_are_not_fetched_again(any_server, varve):
    any_server.add_stream()
    publish(any_server, [40, 40, 35, 20, 0, 0])
    varve.once()
    listed = expire(varve, "--older-than", "30d", "--dry-run")
    assert "would go: 2 partitions, 2 files" in listed
    everybody_finds(varve, range(1, 7))
    assert "gone: 2 partitions, 2 files" in expire(varve, "--older-than", "30d")
    assert "gone: 0 partitions" in expire(varve, "--older-than", "30d")
    everybody_finds(varve, range(4, 7))
    # Expired events are in the stream, and are not fetched again: not by the same instance, whose
    # consumer is gone, not by a consumer of another name, and not by an instance of another name.
    any_server.delete_consumer()
    varve.once()
    publish(any_server, [0], first=7)
    varve.once("--set", "sources[0].consumer=other")
    varve.once("--set", "nats.name=another", "--set", "sources[0].consumer=third")
    everybody_finds(varve, range(4, 8))
    for options in ([], ["--server", any_server.url]):
        report = verify(varve.output, *options)
        assert report["findings"] == []
    assert "expired" in {note["kind"] for note in report["notes"]}
    DeltaTable(str(varve.output)).create_checkpoint()
    varve.once("--set", "nats.name=fourth", "--set", "sources[0].consumer=fifth")
    everybody_finds(varve, range(4, 8))


def test_retention_beside_the_drain(any_server, varve):
    any_server.add_stream()
    running = varve.start(retention={"max_age": "30d"}, batching={"max_age": "200ms"})
    publish(any_server, [20, 0])
    running.wait_rows(2)
    publish(any_server, [40, 39, 0], first=3)
    running.wait_rows(5)
    assert running.stop() == 0
    # The next look is at the start.
    running = varve.start(retention={"max_age": "30d"}, batching={"max_age": "200ms"})
    running.wait_line("expired", files=2, partitions=2)
    everybody_finds(varve, [1, 2, 5])
    assert (
        not varve.output.joinpath("sim")
        .joinpath(time.strftime("%Y-%m-%d", time.gmtime(time.time() - 40 * 86400)))
        .exists()
    )
    publish(any_server, [0], first=6)
    running.wait_rows(1)
    assert running.stop() == 0
    report = verify(varve.output, "--server", any_server.url)
    assert report["findings"] == []
    entry = [
        json.loads(line)
        for line in sorted(varve.output.glob("_delta_log/*.json"))[-2].read_text().splitlines()
    ]
    assert all(action["remove"]["dataChange"] for action in entry if "remove" in action)


def test_what_would_go_is_called_as_it_lies_there(any_server, varve):
    """And not as the log writes it, also where there is no simulation_id, or an odd one."""
    any_server.generate(2000)  # one in a thousand has none; all of 2024
    varve.once()
    head, *lines, total = expire(varve, "--older-than", "30d", "--dry-run").splitlines()
    folders = {line.split()[0] for line in lines}
    there = varve.output.glob("[!_]*/*/*/*.parquet")
    assert folders == {f"{path.parent.relative_to(varve.output)}/" for path in there}
    assert head.startswith("partition") and total.startswith(f"would go: {len(folders)} partitions")
    assert any(folder.startswith("%empty/") for folder in folders)


def test_expire_beside_a_running_varve(any_server, varve):
    any_server.add_stream()
    publish(any_server, [40, 0])
    running = varve.start(batching={"max_age": "200ms"})
    running.wait_rows(2)
    assert "gone: 1 partition, 1 file" in expire(varve, "--older-than", "1d")
    publish(any_server, [50, 0], first=3)
    running.wait_rows(4)
    assert "gone: 1 partition, 1 file" in expire(varve, "--older-than", "1d")
    assert running.stop() == 0
    everybody_finds(varve, [2, 4])
    assert verify(varve.output, "--server", any_server.url)["findings"] == []


def test_a_consumer_that_was_set_back(any_server, varve, tmp_path):
    """A restored server delivers again what has expired meanwhile, and takes acks for it again."""
    any_server.add_stream()
    publish(any_server, [0])
    varve.once()
    publish(any_server, [40, 40, 0], first=2)
    any_server.stop()
    shutil.copytree(any_server.directory / "jetstream", tmp_path / "backup")
    any_server.start()
    varve.once()
    assert "gone: 1 partition, 1 file" in expire(varve, "--older-than", "30d")
    any_server.stop()
    shutil.rmtree(any_server.directory / "jetstream")
    shutil.copytree(tmp_path / "backup", any_server.directory / "jetstream")
    any_server.start()
    for _ in range(2):
        varve.once()
        everybody_finds(varve, [1, 4])
    publish(any_server, [0], first=5)
    varve.once()
    everybody_finds(varve, [1, 4, 5])
    assert verify(varve.output, "--server", any_server.url)["findings"] == []


def test_a_directory_that_was_set_back(any_server, varve, tmp_path):
    """A restored backup has what has expired since, which then expires again."""
    any_server.add_stream()
    publish(any_server, [40, 0])
    varve.once()
    shutil.copytree(varve.output, tmp_path / "backup")
    assert "gone: 1 partition, 1 file" in expire(varve, "--older-than", "30d")
    publish(any_server, [35, 0], first=3)
    varve.once()
    shutil.rmtree(varve.output)
    shutil.copytree(tmp_path / "backup", varve.output)
    varve.once()
    everybody_finds(varve, [1, 2, 3, 4])
    assert "gone: 2 partitions, 2 files" in expire(varve, "--older-than", "30d")
    any_server.delete_consumer()
    varve.once()
    everybody_finds(varve, [2, 4])
    assert verify(varve.output, "--server", any_server.url)["findings"] == []


def test_expire_says_what_is_wrong(tmp_path):
    for arguments, status in (
        (["expire", tmp_path, "--older-than", "1d"], 1),
        (["expire", tmp_path], 2),
        (["expire", tmp_path, "--older-than", "1w"], 2),
        (["expire", "--older-than", "1d"], 2),
    ):
        run = subprocess.run([VARVE, *arguments], capture_output=True, text=True, timeout=60)
        assert run.returncode == status and len(run.stderr.splitlines()) == 1
