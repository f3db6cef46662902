# SPDX-License-Identifier: MIT
"""Drains that are killed again and again, or meet a disk that is full for a while: nothing is
missing, nothing twice, nothing acked that is not committed, quarantine included. The faults are
those of src/object/fault.h."""

import functools

import pytest

from generator import Load
from support import VARVE_FAULT, Output, check_rows, numbered

COUNT, CORRUPT = 600, 12
ALL = COUNT + CORRUPT
BATCHING = {"batching": {"max_rows": 200, "max_age": "1h"}}  # three epochs


@pytest.fixture
def loaded(any_server, varve):
    """A server with the load, and a table without rows: opening it makes few calls, so that those
    of the tests below, but for the kills, are all in commits."""
    any_server.add_stream()
    varve.once(**BATCHING)
    any_server.generate(COUNT, corrupt=CORRUPT, seed=5, simulations=3, payload_bytes=200)
    return any_server


@functools.cache
def expected():
    return numbered(Load(seed=5, simulations=3, payload_bytes=200).run(COUNT, corrupt=CORRUPT))


def check_all(varve):
    check_rows(varve.output, *expected())


def committed_rows(varve):
    """Rows and quarantined messages of what the log names, however varve ended."""
    if not (varve.output / "_delta_log").exists():
        return 0
    entries = Output(varve.output).entries()
    adds = [a["add"] for entry in entries for a in entry if "add" in a]
    infos = [a["commitInfo"] for entry in entries for a in entry if "commitInfo" in a]
    tags = [add["tags"] for add in adds]
    tags += [q["tags"] for info in infos for q in info.get("varve", {}).get("quarantine", [])]
    return sum(len(sequences_of(t)) for t in tags)


def sequences_of(tags):
    out = []
    for part in tags["varve.sequences"].split(","):
        first, _, last = part.partition("-")
        out += range(int(first), int(last or first) + 1)
    return out


def start(varve, fault, **more):
    return varve.start(
        "--once", program=VARVE_FAULT, env={"VARVE_FAULT": fault}, **BATCHING, **more
    )


@pytest.mark.parametrize("call", ["fdatasync", "renameat2"])
@pytest.mark.parametrize("action", ["kill", "kill-after"])
def test_killed_run_after_run(loaded, varve, call, action):
    """At the n-th such call, for n ever larger until a run comes through."""
    n, runs = 1, 0
    while True:
        run = start(varve, f"{call}:{n}:{action}")
        status = run.wait()
        runs += 1
        acked = loaded.consumer().ack_floor.stream_seq if committed_rows(varve) else 0
        assert acked <= committed_rows(varve)
        if status == 0:
            break
        assert status == -9, run.text()
        n += 1 + n // 2
    assert runs > 1
    check_all(varve)


@pytest.mark.parametrize("call", ["pwrite:6", "fdatasync:5", "openat:40"])
@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_a_full_disk_is_waited_for(loaded, varve, tmp_path, call, delivery):
    """Nothing is acked and nothing is dropped meanwhile; work goes on by itself."""
    space = tmp_path / "space"
    sources = [{"stream": "LOGGING", "delivery": delivery}]
    run = start(varve, f"{call}:ENOSPC:sticky:until={space}", sources=sources)
    run.wait_line("commit_failed", count=2)
    before = committed_rows(varve)
    if delivery == "durable":
        assert loaded.consumer().ack_floor.stream_seq <= before < ALL
    assert run.process.poll() is None
    space.touch()
    assert run.wait() == 0, run.text()
    check_all(varve)


def test_stopped_while_the_disk_is_full(loaded, varve, tmp_path):
    run = start(varve, "fdatasync:6:ENOSPC:sticky")
    run.wait_line("commit_failed")
    assert run.stop() == 1
    assert loaded.consumer().ack_floor.stream_seq <= committed_rows(varve)
    varve.once(**BATCHING)
    check_all(varve)


def test_without_renameat2(loaded, varve):
    """As on NFS: the same by linkat and unlinkat, over kills as well."""
    for n in range(1, 40, 6):
        run = start(varve, f"renameat2:1:EINVAL:sticky,unlinkat:{n}:kill")
        assert run.wait() in (0, -9), run.text()
    assert start(varve, "renameat2:1:EINVAL:sticky").wait() == 0
    check_all(varve)
