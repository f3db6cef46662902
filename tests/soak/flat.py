# SPDX-License-Identifier: MIT
"""A long drain at a steady pace: memory and descriptors must not grow with time."""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from support import Runner, Server, server_binaries

PORTION = 5000  # events published a round
ROUND = 2.5  # seconds
ROUNDS_LEAST = 10
# Between the second and the last fifth of the run; the first one fills caches.
RSS_GROWTH_MIB = 8
FDS_GROWTH = 4


def look(pid):
    """Resident MiB, and open descriptors."""
    with open(f"/proc/{pid}/status") as status:
        rss = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return rss / 1024, len(os.listdir(f"/proc/{pid}/fd"))


def drain(server, runner, seconds):
    """(RSS, descriptors) at the end of each round."""
    samples = []
    server.add_stream(max_bytes=256 * 1024 * 1024)
    run = runner.start(batching={"max_age": "2s"}, memory_limit="64MiB")
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(samples) < ROUNDS_LEAST:
        began = time.monotonic()
        server.generate(PORTION, start_index=len(samples) * PORTION, simulations=20)
        time.sleep(max(0, ROUND - (time.monotonic() - began)))  # the pace of the load
        samples.append(look(run.process.pid))
        if len(samples) % 40 == 0:
            print("  %d rounds: %.1f MiB, %d descriptors" % (len(samples), *samples[-1]), flush=True)
    run.wait_rows(len(samples) * PORTION)
    assert run.stop() == 0, run.text()
    return samples


def main():
    seconds = float(sys.argv[1])
    binary = next((path for path in server_binaries().values() if path), None)
    if binary is None:
        sys.exit("soak: nats-server is not here")
    directory = Path(tempfile.mkdtemp(prefix="varve-soak-"))
    print(f"a steady drain for {seconds:.0f} s, in {directory}", flush=True)
    server = Server(binary, directory / "server").start()
    runner = Runner(directory, server)
    try:
        samples = drain(server, runner, seconds)
    finally:
        runner.close()
        server.stop()
    fifth = len(samples) // 5
    early, late = samples[fifth : 2 * fifth], samples[-fifth:]
    for what, unit, index, growth in (
        ("RSS", "MiB", 0, RSS_GROWTH_MIB),
        ("descriptors", "", 1, FDS_GROWTH),
    ):
        before, after = (max(sample[index] for sample in part) for part in (early, late))
        print(f"soak: {what} at most {before:.1f} {unit} early, {after:.1f} {unit} late")
        assert after <= before + growth, f"{what} grows"
    shutil.rmtree(directory)


if __name__ == "__main__":
    main()
