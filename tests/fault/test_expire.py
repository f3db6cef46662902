# SPDX-License-Identifier: MIT
"""varve expire, ended at each system call on its way: the next run does the rest, what is live is
there, and nothing that is not the table's is touched. By kills; power cuts are in the unit tests."""

import shutil
import subprocess
import time

from deltalake import DeltaTable
from generator import reward_event
from support import VARVE, VARVE_FAULT, verify

DAY = 86400 * 10**9
KILLED = -9


def expire(root, fault=None):
    command = [VARVE_FAULT if fault else VARVE, "expire", root, "--older-than", "30d"]
    env = {"VARVE_FAULT": fault} if fault else None
    return subprocess.run(command, capture_output=True, timeout=60, env=env)


def test_killed_at_every_call(server, varve, memory_directory):
    now = time.time_ns()
    server.add_stream()
    ages = [40, 40, 35, 0, 0]
    server.publish([reward_event(i + 1, now - age * DAY, b"sim") for i, age in enumerate(ages)])
    varve.once()
    [old] = {
        path.parent for path in varve.output.glob("sim/*/*/*.parquet") if path.name.startswith("1-")
    }
    (old / "notes.txt").write_text("mine")
    statuses = []
    while not statuses or statuses[-1] == KILLED:
        root = memory_directory / "copy"
        shutil.copytree(varve.output, root)
        statuses.append(expire(root, f"any:{len(statuses) + 1}:kill").returncode)
        assert verify(root)["findings"] == []
        assert expire(root).returncode == 0
        assert verify(root)["findings"] == []
        assert sorted(DeltaTable(str(root)).to_pyarrow_table()["stream_seq"].to_pylist()) == [4, 5]
        files = sorted(path.relative_to(root).name for path in root.glob("sim/*/*/*"))
        assert len(files) == 2 and files[-1] == "notes.txt"
        shutil.rmtree(root)
    assert statuses[-1] == 0 and len(statuses) > 60
