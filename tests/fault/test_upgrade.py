# SPDX-License-Identifier: MIT
"""An upgrade, and back: what an earlier varve has drained, killed or not, the present one goes on
with, and the other way round. The earlier one is built from the history of this repository, once, into build/."""

import os
import shutil
import signal
import subprocess
from collections import Counter

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from support import BUILD, ROOT, verify

# The first edition: another log than today's in what it says of positions, and no checkpoints.
EARLIER = "a21c5f6"


@pytest.fixture(scope="module")
def earlier():
    place = BUILD / "earlier" / EARLIER
    if (place / "build/varve").exists():
        return place / "build/varve"
    known = subprocess.run(["git", "cat-file", "-e", EARLIER], cwd=ROOT, capture_output=True)
    if known.returncode != 0:
        pytest.skip(f"commit {EARLIER} is not in this clone")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", EARLIER], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", place], input=archive.stdout, check=True)
    (place / "BUILD").write_text(EARLIER)
    for source in (ROOT / "vendor").glob("*.tar.*"):  # what it links in is among these
        shutil.copy(source, place / "vendor")
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "WERROR")}
    run = {"cwd": place, "env": env, "capture_output": True, "text": True, "timeout": 900}
    sources = subprocess.run(["tools/vendor"], **run)
    if sources.returncode != 0:
        pytest.skip(f"the sources of {EARLIER} can't be had: {sources.stderr[-200:]}")
    rules = place / "vendor/rules.mk"  # it need not be fast, but be there soon
    rules.write_text(rules.read_text().replace("-O3", "-O1"))
    done = subprocess.run(["make", "-s", "-j2", "CFLAGS=-O1", "build/varve"], **run)
    assert done.returncode == 0, done.stderr[-2000:]
    return place / "build/varve"


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("delivery", ["durable", "position"])
@pytest.mark.parametrize("end", ["at the end", "killed"])
def test_what_an_earlier_one_drained(any_server, varve, earlier, delivery, end):
    config = {
        "sources": [{"stream": "LOGGING", "delivery": delivery}],
        "batching": {"max_rows": 100 if end == "killed" else 10000},
    }
    any_server.generate(3000, corrupt=3)
    if end == "killed":
        run = varve.start(program=earlier, **config)
        run.wait_rows(500)
        run.stop(signal.SIGKILL)
    else:
        assert varve.start("--once", program=earlier, **config).wait() == 0
    any_server.generate(2000, start_index=3000, seed=2)
    varve.once(**config)
    any_server.generate(100, start_index=5000, seed=3)
    varve.once(**config)
    expect_each_once(varve.output, 5103)


def expect_each_once(output, last):
    table = DeltaTable(output).to_pyarrow_table(columns=["stream_seq"])
    rows = Counter(table["stream_seq"].to_pylist())
    files = (output / "_quarantine").iterdir()
    quarantined = [seq for f in files for seq in pq.read_table(f)["stream_seq"].to_pylist()]
    assert len(quarantined) == 3
    assert rows + Counter(quarantined) == {sequence: 1 for sequence in range(1, last + 1)}
    assert verify(output)["findings"] == []


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_back_to_an_earlier_one(any_server, varve, earlier, delivery):
    """As the chapter says: where it does not know ack policy all, without the consumer, which it
    makes anew. And then to the present one again."""
    config = {
        "sources": [{"stream": "LOGGING", "delivery": delivery}],
        "batching": {"max_rows": 100},
    }
    any_server.generate(3000, corrupt=3)
    run = varve.start(**config)
    run.wait_rows(500)
    run.stop(signal.SIGKILL)
    varve.once(**config)
    any_server.generate(2000, start_index=3000, seed=2)
    if delivery == "durable":
        run = varve.start("--once", program=earlier, **config)
        assert run.wait() == 1 and "ack_policy is all, want explicit" in run.text()
        any_server.ask(lambda js: js.delete_consumer("LOGGING", "varve"))
    assert varve.start("--once", program=earlier, **config).wait() == 0
    any_server.generate(100, start_index=5000, seed=3)
    varve.once(**config)
    expect_each_once(varve.output, 5103)
