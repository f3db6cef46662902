# SPDX-License-Identifier: MIT
"""varve cat --follow: each row once, in the order of the stream, whatever is done to the table
meanwhile. The sequences that are wanted are those that the stream has."""

import json
import signal
import subprocess

import pytest
from deltalake import DeltaTable
from support import PATIENCE, VARVE, clean_up_log, end, wait_for

FAST = {"max_age": "100ms"}


class Follower:
    """A `varve cat --follow` that writes to a file."""

    def __init__(self, directory, output, *args):
        self.out = directory / "followed"
        with self.out.open("wb") as out:
            command = [VARVE, "cat", "--follow", "--columns", "stream_seq", *args, output]
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)

    def sequences(self):
        lines = self.out.read_text().split("\n")[:-1]
        return [json.loads(line)["stream_seq"] for line in lines]

    def wait_rows(self, count):
        wait_for(lambda: len(self.sequences()) >= count, f"{count} rows are printed")


@pytest.fixture
def follow(tmp_path):
    started = []

    def start(output, *args):
        started.append(Follower(tmp_path, output, *args))
        return started[-1]

    yield start
    for follower in started:
        if follower.process.poll() is None:
            end(follower.process)


def test_each_row_once_whatever_others_do_to_the_table(any_server, varve, follow):
    any_server.generate(100, seed=0)
    running = varve.start(batching=FAST)
    running.wait_rows(100)
    follower = follow(varve.output)
    follower.wait_rows(100)
    for i in range(1, 4):
        table = DeltaTable(varve.output)
        table.optimize.compact()
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        any_server.generate(100, seed=i)
        running.wait_rows(100 * (i + 1))
        clean_up_log(varve.output)
        follower.wait_rows(100 * (i + 1))
    assert end(follower.process, signal.SIGTERM) == 0, follower.process.stderr.read()
    assert follower.sequences() == list(range(1, 401))
    assert running.stop() == 0


def test_rows_that_were_moved_while_nobody_looked(any_server, varve, follow):
    """The files of their commits and its entries are gone once it looks again."""
    any_server.generate(20, seed=0)
    varve.once()
    follower = follow(varve.output)
    follower.wait_rows(20)
    follower.process.send_signal(signal.SIGSTOP)
    for seed in range(1, 4):
        any_server.generate(20, seed=seed)
        varve.once()
    table = DeltaTable(varve.output)
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    clean_up_log(varve.output)
    follower.process.send_signal(signal.SIGCONT)
    follower.wait_rows(80)
    assert end(follower.process, signal.SIGINT) == 0
    assert follower.sequences() == list(range(1, 81))


def test_it_keeps_to_the_filter_and_ends_at_the_limit(any_server, varve, follow):
    any_server.generate(10, seed=0)
    running = varve.start(batching=FAST)
    running.wait_rows(10)
    follower = follow(varve.output, "--where", "stream_seq > 15", "--limit", "7")
    any_server.generate(20, seed=1)
    assert follower.process.wait(PATIENCE) == 0
    assert follower.sequences() == list(range(16, 23))


def test_it_ends_with_who_reads_it(any_server, varve):
    """Also while there is nothing to print."""
    any_server.generate(10, seed=0)
    varve.once()
    command = [VARVE, "cat", "--follow", varve.output]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(10):
        assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE) == 0
    assert process.stderr.read() == b""


def test_it_needs_a_table(tmp_path):
    command = [VARVE, "cat", "--follow", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2 and "commit log" in done.stderr
