# SPDX-License-Identifier: MIT
"""What a drain notices of compaction beside it: how long commits take, and how old the newest row of a
commit is when it is durable, with compaction and without, in turns. Compaction is at work as often as it
can be: each second, on what was just committed, behind a thousand files that are there already.

    build/venv/bin/python tests/bench/compact_beside.py [--rounds N] [--scale F]
"""

import json
import re
from datetime import datetime

from bench_support import nats_server, parser, scaled, workplace
from compact import FILES, fill
from figures import Figures, shown
from support import Runner

RATE = 1000  # messages a second
SECONDS = 20
MODES = {"without compaction": "off", "with compaction": {"interval": "1s", "after": "1s"}}
PARTS = {"": 0.5, " p99": 0.99, ", most": 1}


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


def run(place, server, compaction, files, seconds):
    """What each commit took, in ms; how old its newest row was; and how often was merged."""
    root = fill(place, server, files)
    first = len(list(root.glob("_delta_log/*.json")))
    varve = Runner(place, server).start(
        compaction=compaction,
        batching={"max_age": "100ms"},
        sources=[{"stream": "LOGGING", "consumer": "beside"}],
        output={"log_output_directory": str(root), "min_free": 0},
    )
    try:
        varve.wait_line("connected")
        server.generate(RATE * seconds, rate=RATE, seed=3)
        varve.wait_rows(RATE * seconds)
        if compaction != "off":
            varve.wait_line("compacted")
    finally:
        status = varve.stop()
    text = varve.text()
    assert status == 0, text
    commits = [1000 * float(s) for s in re.findall(r'"committed".*?"commit":([0-9.]+)', text)]
    return commits, list(ages(root, first)), text.count('"compacted"')


def main():
    arguments = parser(__doc__).parse_args()
    seconds = scaled(SECONDS, arguments.scale, 2)
    files = scaled(FILES, arguments.scale, 2)
    found = {mode: ([], [], []) for mode in MODES}
    for _ in range(arguments.rounds):
        for mode, compaction in MODES.items():
            with workplace() as place, nats_server(place / "nats") as server:
                commits, delays, merged = run(place, server, compaction, files, seconds)
            found[mode][0].extend(commits)
            found[mode][1].extend(delays)
            found[mode][2].append(merged)
    table = Figures(f"compaction beside a drain of {RATE:,} events/s, behind {files:,} files")
    for number, what in enumerate(("commit", "age of its newest row")):
        for part, share in PARTS.items():
            least, most = (percentile(found[mode][number], share) for mode in MODES)
            table.row(f"{what}{part}", most, "ms", f"{shown(least)} ms without", most / least)
    for mode, (commits, _, merged) in found.items():
        table.row(mode, len(commits), "commits")
        table.row(mode, sum(merged), "compactions")


if __name__ == "__main__":
    main()
