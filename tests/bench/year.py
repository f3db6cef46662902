# SPDX-License-Identifier: MIT
"""A table over a year: a commit a minute, with compaction and retention on. Live files, bytes, the log,
memory and the time of a start have to stay flat.

    build/venv/bin/python tests/bench/year.py [--scale F] [--commits N] [--days N]

A year is 525600; --days is retention.max_age.
"""

import subprocess
import time

from bench_support import measured, parser, scaled, workplace
from deltalake import DeltaTable
from figures import Figures
from spark_support import Spark, is_here
from support import BUILD, VARVE

SHOWN = 4  # days, about: they have to be alike


def days_of(root, commits, days):
    """The lines of a year, see year.c, as numbers; and the seconds that varve takes to open it."""
    command = [BUILD / "bench/year", root, str(commits), str(days)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    *lines, last = done.stdout.splitlines()
    return [[float(n) for n in line.split()] for line in lines], float(last.split()[1])


def seconds_in_spark(place, root):
    """To open it in a session that has opened a table before, the same one, but does not remember it."""
    spark = Spark(place)
    try:
        for _ in range(2):
            began = time.monotonic()
            spark.ask(sql=f"DESCRIBE DETAIL delta.`{root}`")
            took = time.monotonic() - began
    finally:
        spark.close()
    return took


def main():
    options = parser(__doc__)
    options.add_argument("--commits", type=int, default=20_000)
    options.add_argument("--days", type=int, default=7)
    arguments = options.parse_args()
    commits = scaled(arguments.commits, arguments.scale, 500)
    kept = f"{arguments.days} days kept"
    table = Figures(f"a table over time: {commits:,} commits, a minute each; {kept}")
    with workplace(memory=True) as place:
        root = place / "table"
        days, opened = days_of(root, commits, arguments.days)
        last = list({day: line for day, *line in days}.items())
        for day, line in last[:: -max(len(last) // SHOWN, 1)][::-1]:
            live, size, objects, log, resident, start = line
            what = f"day {day:.0f}"
            table.row(what, live, "live files")
            table.row(what, size / 1e6, "MB")
            table.row(what, objects, "in the log")
            table.row(what, log / 1e6, "MB of it")
            table.row(what, resident / 1024, "MiB")
            table.row(what, 1000 * start, "ms a start")
        table.row("varve opens it", 1000 * opened, "ms")
        began = time.monotonic()
        DeltaTable(str(root))
        table.row("deltalake opens it", 1000 * (time.monotonic() - began), "ms")
        if is_here():
            table.row("Spark opens it", seconds_in_spark(place, root), "s")
        for command in ("verify", "inspect"):
            table.row(f"varve {command}", measured([VARVE, command, root]).wall, "s")


if __name__ == "__main__":
    main()
