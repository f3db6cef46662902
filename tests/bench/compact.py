# SPDX-License-Identifier: MIT
"""What it costs to merge 1,000 files of 100 rows: varve compact, deltalake's optimize.compact and
DuckDB's COPY on the same table, in turns, in rows per second of CPU time, start included. varve also
at zstd's level 3, which DuckDB's is: its own is 9.

    build/venv/bin/python tests/bench/compact.py
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("", "live")]

from generator import length_field, varint_field  # noqa: E402
from support import VARVE, Server, server_binaries  # noqa: E402

FILES, ROWS = int(os.environ.get("BENCH_FILES", "1000")), 100
ROUNDS = 3
NOON = 1767268800 * 10**9  # 2026-01-01T12:00:00Z

# What the others do, each in a process of its own; {root} is the table.
OTHERS = {
    "deltalake": "from deltalake import DeltaTable; DeltaTable({root!r}).optimize.compact()",
    "duckdb": "import duckdb; duckdb.execute(\"COPY (SELECT * FROM '{root}/*/*/*/*.parquet' "
    "ORDER BY stream_seq) TO '{root}/merged' (FORMAT parquet, COMPRESSION zstd)\")",
}


def cpu_seconds(place, *command):
    """Of a process that has to succeed."""
    with (place / "log").open("wb") as log:
        actions = [(os.POSIX_SPAWN_DUP2, log.fileno(), n) for n in (1, 2)]
        child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
        _, status, used = os.wait4(child, 0)
    if status != 0:
        sys.exit((place / "log").read_text())
    return used.ru_utime + used.ru_stime


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


def fill(place, server):
    server.add_stream()
    for first in range(0, FILES * ROWS, 10_000):
        server.publish([event(i) for i in range(first, min(first + 10_000, FILES * ROWS))])
    config = place / "varve.yaml"
    settings = {
        "nats": {"servers": [server.url]},
        "batching": {"max_rows": ROWS},
        "output": {"log_output_directory": str(place / "table"), "min_free": 0},
        "metrics": {"listen": "off"},
    }
    config.write_text(json.dumps(settings))
    cpu_seconds(place, VARVE, "run", "--once", "-c", config)
    return place / "table"


def commands(root):
    yield "varve", (VARVE, "compact", root)
    yield "at level 3", (VARVE, "compact", "--compression-level", "3", root)  # as DuckDB's is
    for name, program in OTHERS.items():
        yield name, (sys.executable, "-c", program.format(root=str(root)))


def main():
    binary = next(b for b in reversed(server_binaries().values()) if b)
    seconds = {}
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        server = Server(binary, place / "nats").start()
        try:
            table = fill(place, server)
        finally:
            server.stop()
        for _ in range(ROUNDS):
            for name, command in commands(place / "copy"):
                shutil.copytree(table, place / "copy")
                seconds.setdefault(name, []).append(cpu_seconds(place, *command))
                shutil.rmtree(place / "copy")
    best = min(statistics.median(seconds[name]) for name in OTHERS)
    for name, all_seconds in seconds.items():
        median = statistics.median(all_seconds)
        rate = FILES * ROWS / median
        print(f"compact: {name:10} {rate:12,.0f} rows per CPU second, {best / median:.1f} x")


if __name__ == "__main__":
    main()
