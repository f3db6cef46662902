# SPDX-License-Identifier: MIT
"""A disk that is really full, nearly full, or gone. Needs to be root, for a small file system."""

import contextlib
import json
import os
import shutil
import subprocess

import pytest

from generator import Load
from support import VARVE, VARVE_FAULT, Output, check_rows, numbered, wait_for

MIB = 1024 * 1024
LOAD = {"seed": 41, "payload_bytes": 20_000}
COUNT = 2000  # 40 MB that nothing makes smaller
SMALL = {"batching": {"max_bytes": "2MiB", "max_age": "300ms"}, "memory_limit": "32MiB"}


@contextlib.contextmanager
def mounted(path, *options):
    path.mkdir()
    mount = ["mount", *options, "varve-test", path]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mount: not allowed here")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture
def disk(tmp_path):
    """A file system of 96 MiB."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=96m") as path:
        yield path


@pytest.fixture
def small(any_server, varve, disk):
    """varve writes to the small disk; the load is published."""
    varve.output = disk / "out"
    any_server.generate(COUNT, **LOAD)
    return varve


def leave_free(disk, size):
    """A file that takes all of the disk but `size` bytes."""
    space = os.statvfs(disk)
    with (disk / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, space.f_bavail * space.f_frsize - size)


def free(disk):
    space = os.statvfs(disk)
    return space.f_bavail * space.f_frsize


def check_all(varve, server):
    rows, _ = numbered(Load(seed=41).run(COUNT))
    for row in rows.values():
        del row["event_payload"]  # so much of it takes Python long
    check_rows(varve.output, rows)
    server.wait_acked(COUNT)


def committed(varve):
    """The sequences that the log has."""
    return Output(varve.output).table()["stream_seq"].to_pylist()


def test_a_full_disk(small, disk, any_server):
    leave_free(disk, 12 * MIB)
    run = small.start(**SMALL)
    assert "No space left on device" in run.wait_line("commit_failed", count=2)["error"]
    rows = committed(small)
    assert rows == list(range(1, len(rows) + 1)) and 0 < len(rows) < COUNT
    assert any_server.consumer().ack_floor.stream_seq <= len(rows)
    # Nothing is asked for meanwhile. What was on its way may take its time.
    before, after, failures = None, any_server.consumer().delivered, 2
    while after != before:
        assert failures < 20, (before, after)
        failures += 2
        run.wait_line("commit_failed", count=failures)
        before, after = after, any_server.consumer().delivered
    assert after.stream_seq < COUNT
    (disk / "filler").unlink()
    run.wait_rows(COUNT)
    assert run.stop() == 0
    check_all(small, any_server)


def test_killed_on_a_full_disk(small, disk, any_server):
    """What is half written takes no room after the next start."""
    leave_free(disk, 12 * MIB)
    for _ in range(2):
        run = small.start(**SMALL)
        run.wait_line("commit_failed")
        run.process.kill()
        run.process.wait()
        assert any_server.consumer().ack_floor.stream_seq <= len(committed(small))
    (disk / "filler").unlink()
    small.once(**SMALL)
    check_all(small, any_server)


def test_pauses_before_the_disk_is_full(small, disk, any_server):
    """Below output.min_free nothing is asked for; what is on its way, at most the memory that varve
    may have, still gets its place."""
    leave_free(disk, 60 * MIB)
    # So slow a disk that there is time to look at it between two commits.
    slow = {"program": VARVE_FAULT, "env": {"VARVE_FAULT": "fdatasync:1:slow:sticky"}}
    run = small.start(**SMALL, **slow, output={"min_free": "45MiB"})
    run.wait_line("paused", text="disk")
    rows = len(committed(small))
    assert rows < COUNT
    os.remove(disk / "filler")
    run.wait_line("resumed", text="disk")
    run.wait_rows(COUNT)
    assert run.stop() == 0
    assert not run.lines("commit_failed")
    check_all(small, any_server)


# ---- the directory is removed while varve writes to it -------------------------------------------

# A sandbox holds to the directory that was there first (bound/test_sandbox.py).
UNCONFINED = {"sandbox": "off"}


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("delivery", ["durable", "position"])
@pytest.mark.parametrize(
    "pattern", ["", "*", "_delta_log", ".varve"], ids=["all", "visible", "log", "unfinished"]
)
def test_a_removed_directory_is_made_again(any_server, varve, pattern, delivery):
    """What the stream still has is fetched again, without a restart: the table is complete."""
    settings = {"sources": [{"stream": "LOGGING", "delivery": delivery}], **UNCONFINED}
    any_server.generate(100, seed=43)
    run = varve.start(batching={"max_age": "100ms"}, **settings)
    run.wait_rows(100)
    for path in list(varve.output.glob(pattern)) if pattern else [varve.output]:
        remove(path)
    any_server.generate(50, seed=43, start_index=100)
    run.wait_line("store_reopened" if pattern == ".varve" else "starting_over")
    wait_for(lambda: len(deltalake_rows(varve.output)) >= 150, "all rows are there")
    assert run.stop() == 0
    assert deltalake_rows(varve.output) == list(range(1, 151))
    if pattern != "_delta_log":  # the older files are no part of the new table
        check_rows(varve.output, numbered(Load(seed=43).run(150))[0])
    any_server.generate(50, seed=43, start_index=150)
    varve.once(**settings)
    assert deltalake_rows(varve.output) == list(range(1, 201))
    if delivery == "durable":
        any_server.wait_acked(200)


@pytest.mark.parametrize("delivery", ["durable", "position"])
@pytest.mark.parametrize("how", ["replaced", "in place", "and gone on", "in place, and gone on"])
def test_an_older_copy_is_put_in_its_place(any_server, varve, tmp_path, how, delivery):
    """An operator restores a backup under a running varve."""
    settings = {"sources": [{"stream": "LOGGING", "delivery": delivery}], **UNCONFINED}
    any_server.generate(50, seed=44)
    varve.once(**settings)
    shutil.copytree(varve.output, tmp_path / "backup")
    any_server.generate(50, seed=44, start_index=50)
    run = varve.start(batching={"max_age": "100ms"}, **settings)
    run.wait_rows(50)
    if how.startswith("in place"):
        newer = {p.relative_to(varve.output) for p in varve.output.rglob("*") if p.is_file()}
        older = {p.relative_to(tmp_path / "backup") for p in (tmp_path / "backup").rglob("*")}
        for path in newer - older:
            (varve.output / path).unlink()
    else:
        shutil.rmtree(varve.output)
        shutil.copytree(tmp_path / "backup", varve.output)
    if how.endswith("and gone on"):
        # Another writer commits to the old state: the entry that varve knows as its newest is
        # there again, and is another one.
        commit = {"commitInfo": {"operation": "WRITE", "engineInfo": "somebody else"}}
        version = len(list((varve.output / "_delta_log").glob("*.json")))
        name = varve.output / "_delta_log" / f"{version:020}.json"
        name.write_text(json.dumps(commit) + "\n")
    any_server.generate(20, seed=44, start_index=100)
    assert "since varve wrote to it last" in run.wait_line("starting_over")["text"]
    wait_for(lambda: len(deltalake_rows(varve.output)) >= 120, "all rows are there")
    assert run.stop() == 0
    assert deltalake_rows(varve.output) == list(range(1, 121))
    check_rows(varve.output, numbered(Load(seed=44).run(120))[0])


def test_stopped_when_the_directory_was_set_back(any_server, varve, tmp_path):
    """It ends and says why, and the next start has all of it."""
    settings = {"batching": {"max_age": "1h"}, **UNCONFINED}
    any_server.generate(50, seed=46)
    varve.once(**settings)
    shutil.copytree(varve.output, tmp_path / "backup")
    any_server.generate(50, seed=46, start_index=50)
    varve.once(**settings)
    run = varve.start(**settings)
    run.wait_line("consumer_found")
    any_server.generate(20, seed=46, start_index=100)
    wait_for(lambda: any_server.unacked() == 20, "it has the last ones")
    shutil.rmtree(varve.output)
    shutil.copytree(tmp_path / "backup", varve.output)
    assert run.stop() == 1
    assert "since varve wrote to it last" in run.text().splitlines()[-1]
    assert not run.lines("starting_over")
    varve.once(**settings)
    check_rows(varve.output, numbered(Load(seed=46).run(120))[0])


def deltalake_rows(root):
    import deltalake
    from deltalake.exceptions import DeltaError

    try:
        table = deltalake.DeltaTable(root).to_pyarrow_table()
    except (DeltaError, OSError):  # not there yet, or being made
        return []
    return sorted(table["stream_seq"].to_pylist())


def test_a_directory_that_can_not_be_made_again(any_server, varve):
    """Nothing is acked, and it is said; when the obstacle goes, so does the trouble."""
    any_server.generate(100, seed=43)
    run = varve.start(batching={"max_age": "100ms"}, **UNCONFINED)
    run.wait_rows(100)
    shutil.rmtree(varve.output)
    varve.output.write_text("a file is in the way")
    any_server.generate(50, seed=43, start_index=100)
    assert str(varve.output) in run.wait_line("store_removed", count=2)["text"]
    any_server.wait_acked(100)
    varve.output.unlink()
    run.wait_rows(150)
    assert run.stop() == 0
    check_rows(varve.output, numbered(Load(seed=43).run(150))[0])
    any_server.wait_acked(150)


def test_a_directory_that_is_removed_all_the_time(any_server, varve):
    """At whatever step of a commit it goes: varve comes through, and keeps its promises."""
    any_server.add_stream()
    run = varve.start(batching={"max_rows": 1, "max_age": "100ms"}, **UNCONFINED)
    run.wait_line("consumer_made")
    for number in range(40):
        any_server.publish([e.data for e in Load(seed=44).run(5, start_index=5 * number)])
        shutil.rmtree(varve.output, ignore_errors=True)
    run.wait_rows(200)
    assert run.stop() == 0
    any_server.wait_acked(200)


def test_a_directory_that_is_moved_away(any_server, varve, tmp_path):
    """What was moved stays as it was, and nothing is acked; moved back, work goes on."""
    any_server.generate(100, seed=45)
    run = varve.start(batching={"max_age": "100ms"})
    run.wait_rows(100)
    moved = varve.output.rename(tmp_path / "moved")
    before = sorted(path for path in moved.rglob("*") if path.suffix in (".parquet", ".json"))
    any_server.generate(50, seed=45, start_index=100)
    assert "moved or removed" in run.wait_line("commit_failed", count=2)["error"]
    any_server.wait_acked(100)
    after = sorted(path for path in moved.rglob("*") if path.suffix in (".parquet", ".json"))
    assert before == after and not varve.output.exists()
    moved.rename(varve.output)
    run.wait_rows(150)
    assert run.stop() == 0
    check_rows(varve.output, numbered(Load(seed=45).run(150))[0])
    any_server.wait_acked(150)


def test_links_lead_nowhere(any_server, varve, tmp_path):
    """A partition that is a symbolic link: no file is put behind it, nothing is acked. A lock that
    is one: varve does not start, and the file behind it is as it was."""
    outside = tmp_path / "outside"
    outside.mkdir()
    any_server.generate(10, seed=46, simulations=1)
    varve.output.mkdir()
    simulation = next(iter(numbered(Load(seed=46, simulations=1).run(1))[0].values()))
    link = varve.output / simulation["simulation_id"]
    link.symlink_to(outside)
    run = varve.start(batching={"max_age": "100ms"})
    assert "symbolic link" in run.wait_line("commit_failed", count=2)["error"]
    assert not any(outside.iterdir())
    assert any_server.consumer().ack_floor.stream_seq == 0
    link.unlink()
    run.wait_rows(10)
    assert run.stop() == 0
    precious = outside / "precious"
    precious.write_text("not varve's")
    lock = next(varve.output.glob(".varve/*/lock"))
    lock.unlink()
    lock.symlink_to(precious)
    refused = varve.start()
    assert refused.wait() != 0 and "symbolic link" in refused.text()
    assert precious.read_text() == "not varve's"


def test_the_question_for_free_space_hangs(any_server, varve):
    """As on a file system behind a network: pings are answered, rows are stored, the end comes."""
    any_server.generate(20, seed=48)
    run = varve.start(
        program=VARVE_FAULT, env={"VARVE_FAULT": "statvfs:2:hang"}, batching={"max_age": "100ms"}
    )
    run.wait_rows(20)
    any_server.generate(20, seed=48, start_index=20)
    run.wait_rows(40)
    assert run.stop() == 0
    any_server.wait_acked(40)


def test_a_file_system_that_does_not_say_how_much_is_free(any_server, varve, tmp_path):
    """ramfs reports 0 blocks: that is not a full disk."""
    any_server.generate(50, seed=47)
    with mounted(tmp_path / "ram", "-t", "ramfs") as path:
        space = os.statvfs(path)
        assert space.f_blocks == 0 and space.f_bavail == 0
        varve.output = path / "out"
        varve.once(output={"min_free": "512MiB"})
        check_rows(varve.output, numbered(Load(seed=47).run(50))[0])
        command = [VARVE, "check", "-c", tmp_path / "varve-0.yaml"]
        checked = subprocess.run(command, capture_output=True, text=True)
        assert "does not say how much space is free" in checked.stdout
