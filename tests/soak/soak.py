# SPDX-License-Identifier: MIT
"""Chaos for longer: each kind of drain against each server that is here."""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from chaos import KINDS, Chaos
from support import server_binaries


def main():
    kills, seed = int(sys.argv[1]), int(sys.argv[2])
    binaries = {name: path for name, path in server_binaries().items() if path}
    if not binaries:
        sys.exit("soak: nats-server is not here")
    runs = [(name, kind) for name in binaries for kind in KINDS]
    total = 0
    for number, (name, kind) in enumerate(runs):
        share = kills * (number + 1) // len(runs) - kills * number // len(runs)
        began = time.monotonic()
        directory = tempfile.mkdtemp(prefix="varve-soak-")
        print(f"{name} {kind}: {share} kills, VARVE_SEED={seed}, in {directory}", flush=True)
        chaos = Chaos(Path(directory), binaries[name], kind, seed)
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
