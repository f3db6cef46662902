# SPDX-License-Identifier: MIT
"""What it costs to turn events that are in memory into a Parquet file: varve's writer, and others
with the same rows, one thread each, in turns. CPU time, since that is what is taken from the
server; the bytes go to /dev/null, so that no file system is measured. Ratios hold from one machine
to another, absolute figures don't."""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["POLARS_MAX_THREADS"] = "1"

import duckdb  # noqa: E402
import polars  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("BUILD", ROOT / "build")) / "bench" / "encode_bench"
ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
ROUNDS = 3
LEVELS = (1, 3)
# Those that varve gives a dictionary, too. The others would only lose time with one.
DICTIONARIES = [
    "event_type_key",
    "worker_id",
    "simulation_id",
    "payload_format_hint",
    "nats_subject",
]


def varve(level, profile, path="/dev/null"):
    """CPU seconds and bytes of the second of two files: the first one finds cold memory."""
    command = [PROGRAM, str(ROWS), str(level), profile, "2", path]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, size = done.stdout.splitlines()[-1].split()
    return float(seconds), int(size)


def timed(write):
    start = time.process_time()
    write("/dev/null")
    return time.process_time() - start


class Others:
    def __init__(self, path):
        pa.set_cpu_count(1)
        self.table = pq.read_table(path, use_threads=False).combine_chunks()
        self.frame = polars.from_arrow(self.table)
        self.duckdb = duckdb.connect(config={"threads": 1})
        self.duckdb.register("rows", self.table)
        self.duckdb.execute("create table events as select * from rows")

    def pyarrow(self, level):
        def write(path):
            pq.write_table(
                self.table,
                path,
                compression="zstd",
                compression_level=level,
                use_dictionary=DICTIONARIES,
            )

        return write

    def polars(self, level):
        return lambda path: self.frame.write_parquet(
            path, compression="zstd", compression_level=level
        )

    def by_duckdb(self, level):
        return lambda path: self.duckdb.execute(
            f"copy events to '{path}' (format parquet, codec zstd, compression_level {level})"
        )


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.parquet")
        varve(1, "plain", path)
        others = Others(path)
        writers = {"pyarrow": others.pyarrow, "Polars": others.polars, "DuckDB": others.by_duckdb}
        seconds, sizes = {}, {}
        for level in LEVELS:
            for name, writer in writers.items():
                writer(level)(path)
                sizes[name, level] = os.path.getsize(path)
        for _ in range(ROUNDS):
            for level in LEVELS:
                for profile in ("plain", "delta"):
                    spent, size = varve(level, profile)
                    sizes[f"varve, {profile}", level] = size
                    seconds.setdefault((f"varve, {profile}", level), []).append(spent)
                for name, writer in writers.items():
                    seconds.setdefault((name, level), []).append(timed(writer(level)))

    print(f"encoding {ROWS} events: M rows per CPU second (median of {ROUNDS}), bytes per row")
    for level in LEVELS:
        best = min(statistics.median(seconds[name, level]) for name in writers)
        print(f"  zstd {level}")
        for name in ("varve, plain", "varve, delta", *writers):
            median = statistics.median(seconds[name, level])
            print(
                f"    {name:14} {ROWS / median / 1e6:6.2f} {sizes[name, level] / ROWS:8.1f}"
                f"   {best / median:5.2f} x the fastest of the others"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
