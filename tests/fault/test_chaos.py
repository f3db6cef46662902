# SPDX-License-Identifier: MIT
"""varve and nats-server are killed, suspended and cut off from each other in the middle of
everything. No confirmed event is missing at the end, and none is there twice."""

import os
import time

import pytest

from chaos import Chaos
from support import server_binaries

KILLS = 20


@pytest.mark.parametrize(
    "name, kind",
    [("newest", "limits"), ("debian", "position"), ("debian", "workqueue"), ("newest", "secured")],
)
def test_chaos(tmp_path, name, kind):
    binary = server_binaries()[name] or pytest.skip(f"nats-server: {name} is not here")
    seed = int(os.environ.get("VARVE_SEED", time.time_ns() % 10**6))
    print(f"VARVE_SEED={seed}")  # pytest shows it when the test fails
    chaos = Chaos(tmp_path, binary, kind, seed)
    try:
        events = chaos.go(KILLS)
        chaos.check(events)
        print(len(events), "events", len(chaos.runs), "runs")
    finally:
        chaos.close()
