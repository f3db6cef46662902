# SPDX-License-Identifier: MIT
"""varve and nats-server are killed, suspended and cut off from each other in the middle of
everything, and where the table is in a bucket its store, too. No confirmed event is missing at the
end, none is there twice, and nothing lies beside the table."""

import os
import time

import pytest

import s3_support
from chaos import Chaos
from support import server_binaries

KILLS = int(os.environ.get("VARVE_CHAOS_KILLS", "20"))


@pytest.mark.parametrize(
    "name, kind, store",
    [
        ("newest", "limits", None),
        ("debian", "position", None),
        ("debian", "workqueue", None),
        ("newest", "secured", None),
        ("newest", "limits", "versitygw"),
    ],
)
def test_chaos(tmp_path, name, kind, store):
    binary = server_binaries()[name] or pytest.skip(f"nats-server: {name} is not here")
    seed = int(os.environ.get("VARVE_SEED", time.time_ns() % 10**6))
    print(f"VARVE_SEED={seed}")  # pytest shows it when the test fails
    chaos = Chaos(tmp_path, binary, kind, seed, store and s3_support.server(store, tmp_path / "s3"))
    try:
        events = chaos.go(KILLS)
        chaos.check(events)
        print(len(events), "events", len(chaos.runs), "runs")
    finally:
        chaos.close()
