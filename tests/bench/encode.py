# SPDX-License-Identifier: MIT
"""What it costs to turn events that are in memory into a Parquet file: varve's writer, and others
with the same rows, one thread each, in turns. CPU time, since that is what is taken from the
server; the bytes go to /dev/null, so that no file system is measured. Ratios hold from one machine
to another, absolute figures don't."""

import os
import subprocess
import time

os.environ["POLARS_MAX_THREADS"] = "1"

import duckdb  # noqa: E402
import polars  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from bench_support import INSTANT, in_turns, parser, scaled, workplace  # noqa: E402
from figures import Figures  # noqa: E402
from support import BUILD  # noqa: E402

PROGRAM = BUILD / "bench/encode_bench"
ROWS = 1_000_000
# At level 1, of the rate of pyarrow, and of the size of its file.
AIMS = {"plain": ">= 1.75", "delta": ">= 2.2"}
SIZE = "<= 1"
LEVELS = (1, 3)
# Those that varve gives a dictionary, too. The others would only lose time with one.
DICTIONARIES = [
    "event_type_key",
    "worker_id",
    "simulation_id",
    "payload_format_hint",
    "nats_subject",
]


def varve(rows, level, profile, path="/dev/null"):
    """CPU seconds and bytes of the second of two files: the first one finds cold memory."""
    command = [PROGRAM, str(rows), str(level), profile, "2", path]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, size = done.stdout.splitlines()[-1].split()
    return max(float(seconds), INSTANT), int(size)


def timed(write):
    start = time.process_time()
    write("/dev/null")
    return max(time.process_time() - start, INSTANT)


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
    arguments = parser(__doc__).parse_args()
    rows = scaled(ROWS, arguments.scale)
    with workplace() as place:
        path = str(place / "rows.parquet")
        varve(rows, 1, "plain", path)
        others = Others(path)
        writers = {"pyarrow": others.pyarrow, "Polars": others.polars, "DuckDB": others.by_duckdb}
        sizes = {}
        for level in LEVELS:
            for name, writer in writers.items():
                writer(level)(path)
                sizes[name, level] = os.path.getsize(path)

        def works(_):
            for level in LEVELS:
                for profile in AIMS:
                    name = f"varve, {profile}"
                    yield (name, level), lambda at=level, p=profile: varve(rows, at, p)
                for name, writer in writers.items():
                    size = sizes[name, level]
                    run = writer(level)
                    yield (name, level), lambda run=run, size=size: (timed(run), size)

        results = in_turns(arguments.rounds, works)
    for level in LEVELS:
        table = Figures(f"encode: {rows:,} events from memory, zstd {level}, one thread")
        other, least = results["pyarrow", level]
        best = min(results[name, level][0] for name in writers)
        for name in writers:
            seconds, size = results[name, level]
            table.row(name, rows / seconds / 1e6, "M rows/CPU s")
            table.row(name, size / rows, "B/row")
        for profile, aim in AIMS.items():
            name = f"varve, {profile}"
            seconds, size = results[name, level]
            rate = rows / seconds / 1e6, "M rows/CPU s"
            aims = (aim, SIZE) if level == 1 else ("", "")
            table.row(name, *rate, "pyarrow", other / seconds, aims[0])
            table.row(name, *rate, "the fastest of the others", best / seconds)
            table.row(name, size / rows, "B/row", "pyarrow", size / least, aims[1])


if __name__ == "__main__":
    main()
