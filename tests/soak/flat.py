# SPDX-License-Identifier: MIT
"""Hours of service in short: events without an end, in ever new partitions, some of them no events,
a scraper, reloads and restarts of the server. Resident memory and open files must stay flat."""

import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from support import Runner, Server, server_binaries
from watching import ALERTS, Endpoint

BATCH = 10_000  # events of one round of publishing
ROUND = 2.0  # seconds
RELOAD = 20  # rounds between reloads of the configuration
RESTART = 50  # rounds between restarts of the server
LIMIT = 64  # MiB, memory_limit
REST = 16  # MiB that the process may take beside it

# What the last quarter may be above the second one: memory comes and goes with epochs, and there is
# more to remember of a store that has more directories, up to a limit.
GROWTH = 1.05
GROWTH_MIB = 2


def resident(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Service:
    """One varve, one server, and what goes on around them."""

    def __init__(self, directory, binary):
        self.server = Server(binary, directory / "nats").start()
        self.server.add_stream("LOGGING", max_bytes=200_000_000)
        self.server.add_stream("DEAD", ["dead"], max_bytes=10_000_000)
        self.server.add_stream("OPS", [ALERTS], max_bytes=10_000_000)
        self.runner = Runner(directory, self.server)
        self.config = self.runner.config(
            memory_limit=f"{LIMIT}MiB",
            batching={"max_age": "5s"},
            dead_letter={"subject": "dead"},
            alerts={"subject": ALERTS},
            metrics={"listen": "127.0.0.1:0"},
        )
        self.run = self.runner.start(config=self.config)
        self.url = Endpoint(self.run).url
        self.published = 0

    def close(self):
        self.runner.close()
        self.server.stop()

    def turn(self, number):
        first, last = self.server.generate(
            BATCH, simulations=100, corrupt=5, start_index=self.published, per_hour=5 * BATCH
        )
        self.published += last - first + 1
        for path in ("metrics", "", "readyz"):
            try:
                urllib.request.urlopen(self.url + path, timeout=60).read()
            except urllib.error.HTTPError as error:
                error.read()  # not ready, behind a restart
        if number % RELOAD == RELOAD - 1:
            self.config["batching"]["max_rows"] = 200_000 + number
            self.run.log.with_suffix(".yaml").write_text(json.dumps(self.config))
            self.run.send(signal.SIGHUP)
        if number % RESTART == RESTART - 1:
            self.server.stop()
            self.server.start()

    def soak(self, seconds):
        """[(time, MiB, descriptors)] at the end of each round, and of the time between."""
        samples = []
        began = time.monotonic()
        number = 0
        while (now := time.monotonic() - began) < seconds:
            self.turn(number)
            number += 1
            while time.monotonic() - began < now + ROUND:
                pid = self.run.process.pid
                assert self.run.process.poll() is None, self.run.text()[-2000:]
                samples.append((time.monotonic() - began, resident(pid), descriptors(pid)))
                time.sleep(0.1)
        return samples


def judge(samples, seconds):
    second = [s for s in samples if seconds / 4 <= s[0] < seconds / 2]
    last = [s for s in samples if s[0] >= seconds * 3 / 4]
    failures = []
    for what, figure in (
        ("median resident MiB", lambda part: statistics.median(s[1] for s in part)),
        ("most resident MiB", lambda part: max(s[1] for s in part)),
        ("median descriptors", lambda part: statistics.median(s[2] for s in part)),
    ):
        before, after = figure(second), figure(last)
        print(f"  {what}: {before:.1f}, then {after:.1f}", flush=True)
        extra = GROWTH_MIB if "MiB" in what else 0
        if after > before * (GROWTH if extra else 1) + extra:
            failures.append(f"{what} grew from {before:.1f} to {after:.1f}")
    most = max(s[1] for s in samples)
    if most > LIMIT + REST:
        failures.append(f"{most:.1f} MiB are more than memory_limit and {REST}")
    return failures


def main():
    seconds = float(sys.argv[1])
    binaries = [path for path in server_binaries().values() if path]
    if not binaries:
        sys.exit("soak: nats-server is not here")
    directory = Path(tempfile.mkdtemp(prefix="varve-soak-"))
    print(f"flat: {seconds:.0f} s, in {directory}", flush=True)
    service = Service(directory, binaries[-1])
    try:
        samples = service.soak(seconds)
        rows = sum(line["rows"] for line in service.run.lines("committed"))
        assert service.run.stop() == 0
        rows_at_end = sum(line["rows"] for line in service.run.lines("committed"))
        print(f"  {service.published} published, {rows} committed, {rows_at_end} at the end")
    finally:
        service.close()
    failures = judge(samples, seconds)
    if failures:
        sys.exit("soak: " + "; ".join(failures))
    shutil.rmtree(directory)
    print("soak: memory and open files are flat", flush=True)


if __name__ == "__main__":
    main()
