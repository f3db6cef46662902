# SPDX-License-Identifier: MIT
"""What it costs to merge 1,000 files of 100 rows: varve compact, deltalake's optimize.compact and
DuckDB's COPY on the same table, in turns, in rows per second of CPU time, start included. varve also
at zstd's level 3, which DuckDB's is: its own is 9.

    build/venv/bin/python tests/bench/compact.py [--rounds N] [--scale F]
"""

import json
import shutil
import sys

from bench_support import (
    drain_command,
    in_turns,
    measured,
    nats_server,
    parser,
    scaled,
    workplace,
)
from figures import Figures
from generator import length_field, varint_field
from support import VARVE

FILES, ROWS = 1000, 100
AIM = ">= 3"  # of the faster one
NOON = 1767268800 * 10**9  # 2026-01-01T12:00:00Z

# What the others do, each in a process of its own; {root} is the table.
OTHERS = {
    "deltalake": "from deltalake import DeltaTable; DeltaTable({root!r}).optimize.compact()",
    "duckdb": "import duckdb; duckdb.execute(\"COPY (SELECT * FROM '{root}/*/*/*/*.parquet' "
    "ORDER BY stream_seq) TO '{root}/merged' (FORMAT parquet, COMPRESSION zstd)\")",
}


def event(number):
    """proto/event.proto."""
    payload = json.dumps({"step": number, "reward": number * 0.125, "agent": number % 17})
    return b"".join(
        [
            length_field(1, b"%032x" % (number * 2654435761 % 2**128)),
            length_field(2, b"sim.agent_reward.v1"),
            length_field(3, payload.encode() * 4),
            varint_field(4, NOON + number),
            length_field(5, b"worker-%d" % (number % 8)),
            length_field(6, b"sim"),
        ]
    )


def fill(place, server, files):
    """A table of that many files."""
    server.add_stream()
    last = files * ROWS
    for first in range(0, last, 10_000):
        server.publish([event(i) for i in range(first, min(first + 10_000, last))])
    measured(drain_command(place, server, "table", batching={"max_rows": ROWS}))
    return place / "table"


def commands(root):
    yield "varve compact", (VARVE, "compact", root)
    yield "varve compact, zstd 3", (VARVE, "compact", "--compression-level", "3", root)
    for name, program in OTHERS.items():
        yield name, (sys.executable, "-c", program.format(root=str(root)))


def compacted(table, command):
    copy = table.with_name("copy")
    shutil.copytree(table, copy)
    used = measured(command)
    shutil.rmtree(copy)
    return used


def main():
    arguments = parser(__doc__).parse_args()
    files = scaled(FILES, arguments.scale, 2)
    with workplace() as place:
        with nats_server(place / "nats") as server:
            root = fill(place, server, files)

        def works(_):
            for name, command in commands(place / "copy"):
                yield name, lambda command=command: compacted(root, command)

        results = in_turns(arguments.rounds, works)
    table = Figures(f"compaction: {files:,} files of {ROWS} rows become one")
    best = min(OTHERS, key=lambda name: results[name].cpu)
    for name, used in results.items():
        beside = () if name in OTHERS else (best, results[best].cpu / used.cpu, AIM)
        table.row(name, files * ROWS / used.cpu, "rows/CPU s", *beside)
        table.row(name, used.rss, "MiB")


if __name__ == "__main__":
    main()
