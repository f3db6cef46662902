# SPDX-License-Identifier: MIT
"""What a drain notices of compaction beside it: how long commits take, and how old the newest row of a
commit is when it is durable, with compaction and without, in turns. Compaction is at work as often as it
can be: each second, on what was just committed, behind a thousand files that are there already.

    build/venv/bin/python tests/bench/compact_beside.py [SECONDS]
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from compact import fill
from support import BUILD, Runner, Server, server_binaries

RATE = 1000  # messages a second
ROUNDS = 2
MODES = {"without": "off", "with": {"interval": "1s", "after": "1s"}}


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def ages(root, first):
    """Of each commit from this version on, in ms."""
    for path in sorted(root.glob("_delta_log/*[0-9].json")):
        if int(path.stem) < first:
            continue
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        if actions[0]["commitInfo"]["operation"] != "WRITE":
            continue
        newest = [
            json.loads(a["add"]["stats"])["maxValues"]["stream_time"] for a in actions if "add" in a
        ]
        if newest:
            newest = max(datetime.fromisoformat(text).timestamp() for text in newest)
            yield actions[0]["commitInfo"]["timestamp"] - newest * 1000


def run(place, binary, compaction, seconds):
    server = Server(binary, place / "nats").start()
    try:
        root = fill(place, server)
        first = len(list(root.glob("_delta_log/*.json")))
        runner = Runner(place, server)
        varve = runner.start(
            compaction=compaction,
            batching={"max_age": "100ms"},
            sources=[{"stream": "LOGGING", "consumer": "beside"}],
            output={"log_output_directory": str(root), "min_free": 0},
        )
        count = RATE * seconds
        generator = [
            BUILD / "varve-gen",
            "--server",
            server.url,
            "--count",
            str(count),
            "--rate",
            str(RATE),
            "--seed",
            "3",
        ]
        subprocess.run(generator, check=True, stdout=subprocess.DEVNULL)
        time.sleep(1)
        text = varve.text()
        if varve.stop() != 0:
            sys.exit(text)
        runner.close()
    finally:
        server.stop()
    commits = [float(s) for s in re.findall(r'"committed".*?"commit":([0-9.]+)', text)]
    return commits, list(ages(root, first)), text.count('"compacted"')


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    binary = next(b for b in reversed(server_binaries().values()) if b)
    found = {mode: ([], [], []) for mode in MODES}
    for _ in range(ROUNDS):
        for mode, compaction in MODES.items():
            with tempfile.TemporaryDirectory() as directory:
                commits, delays, merged = run(Path(directory), binary, compaction, seconds)
                found[mode][0].extend(commits)
                found[mode][1].extend(delays)
                found[mode][2].append(merged)
    for mode, (commits, delays, merged) in found.items():
        numbers = [f"{percentile(commits, p) * 1000:.1f}" for p in (0.5, 0.99, 1)]
        old = [f"{percentile(delays, p):.0f}" for p in (0.5, 0.99, 1)]
        print(
            f"beside: {mode:8} {sum(merged):4} compactions, {len(commits)} commits of {'/'.join(numbers)} ms, "
            f"newest row {'/'.join(old)} ms old (median/p99/most)"
        )


main()
