# SPDX-License-Identifier: MIT
"""Chaos for longer: each kind of drain against each server that is here, with the table in a
directory, and in a bucket of versitygw."""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import s3_support
from chaos import KINDS, Chaos
from support import server_binaries


def main():
    kills, seed = int(sys.argv[1]), int(sys.argv[2])
    binaries = {name: path for name, path in server_binaries().items() if path}
    if not binaries:
        sys.exit("soak: nats-server is not here")
    stores = [None] + [s3_support.Versitygw] * s3_support.VERSITYGW.exists()
    runs = [(name, kind, store) for store in stores for name in binaries for kind in KINDS]
    total = 0
    for number, (name, kind, store) in enumerate(runs):
        share = kills * (number + 1) // len(runs) - kills * number // len(runs)
        began = time.monotonic()
        directory = tempfile.mkdtemp(prefix="varve-soak-")
        place = store.name if store else "directory"
        print(
            f"{name} {kind} {place}: {share} kills, VARVE_SEED={seed}, in {directory}", flush=True
        )
        there = store and store(Path(directory) / "store")
        chaos = Chaos(Path(directory), binaries[name], kind, seed, there)
        try:
            events = chaos.go(share)
            chaos.check(events)
        finally:
            chaos.close()
        total += chaos.kills
        shutil.rmtree(directory)
        seconds = time.monotonic() - began
        print(f"  {len(events)} events, 0 lost, 0 twice, {seconds:.0f} s", flush=True)
    print(f"soak: {total} kills, 0 events lost, 0 twice")


if __name__ == "__main__":
    main()
