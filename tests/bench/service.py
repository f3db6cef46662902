# SPDX-License-Identifier: MIT
"""What running it costs, beside how fast it drains (drain.py): a trickle of events, a start where
many commits were made, an end, the first row after a lost server, and a look at all that is stored.

    build/venv/bin/python tests/bench/service.py [--rounds N] [--scale F] [ROW...]

ROW is one of trickle, start, stop, reconnect, verify, quality, replay; all of them by default.
"""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
from bench_support import (
    count_syncs,
    cpu_of,
    drain_command,
    in_turns,
    measured,
    nats_server,
    parser,
    scaled,
    traced,
    workplace,
)
from figures import Figures
from support import BUILD, GEN, ROOT, VARVE, Output, Runner

RATE = 1000
SIMULATIONS = 100
SECONDS, COMMITS, ROWS_STORED = 60, 100_000, 1_000_000
START = "<= 100"  # ms, however many commits
VERIFIED = ">= 1"  # GB/s of column data, of a core
REPORTED = ">= 2"  # million rows a CPU second
REPLAYED = ">= 0.8"  # of the rate of varve-gen
LIVE = f"{ROOT}/tests:{ROOT}/tests/live"


def sources(stream):
    """A stream whose only subject is its name."""
    return [
        {
            "stream": stream,
            "subjects": [stream],
            "delivery": "position",
            "consumer": "bench",
        }
    ]


def times(table, what, seconds, **more):
    """The median of what takes no time, and the longest."""
    table.row(what, 1000 * statistics.median(seconds), "ms", **more)
    table.row(what, 1000 * max(seconds), "ms at most")


def micros(text):
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e6)


def delays(run, output):
    """Seconds from the time at which the stream stored an event to its commit, for each."""
    table = ds.dataset(output.files()).to_table(columns=["stream_seq", "stream_time"])
    times = dict(zip(table["stream_seq"].to_pylist(), table["stream_time"].cast("int64").to_pylist(),
                     strict=True))  # fmt: skip
    found = []
    for line in run.lines("committed"):
        at = micros(line["time"])
        for sequence in range(line["first_seq"], line["last_seq"] + 1):
            if sequence in times:
                found.append((at - times[sequence]) / 1e6)
    return sorted(found)


def trickle(place, server, arguments):
    """With what a commit costs, of which there is one each max_age."""
    seconds = scaled(SECONDS, arguments.scale, 2)
    count = RATE * seconds
    table = Figures(
        f"trickle: {RATE:,} events/s of {SIMULATIONS} simulations for {seconds} s"
    )
    for max_age in ("1s", "10s"):
        runner = Runner(place / max_age, server)
        calls = place / f"{max_age}.calls"
        stream = f"TRICKLE{max_age}"
        server.add_stream(stream, subjects=[stream])
        batching = {"max_age": max_age}
        run = runner.start(
            prefix=traced(calls), sources=sources(stream), batching=batching
        )
        run.wait_line("connected")
        tracer = run.process.pid
        pid = int(Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split()[0])
        server.generate(
            count, rate=RATE, simulations=SIMULATIONS, stream=stream, subject=stream
        )
        run.wait_rows(count)
        cpu = cpu_of(pid)
        written = int(
            re.search(r"write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text())[1]
        )
        os.kill(pid, signal.SIGTERM)
        run.wait()
        commits = len(run.lines("committed"))
        waited = delays(run, Output(runner.output))
        what = f"max_age {max_age}"
        table.row(what, 100 * cpu / seconds, "% of a core")
        table.row(what, commits, "commits")
        table.row(what, written / commits / 1024, "KiB a commit")
        table.row(what, count_syncs(calls) / commits, "syncs a commit")
        table.row(what, waited[len(waited) // 2], "s to durable")
        table.row(what, waited[len(waited) * 99 // 100], "s, p99")


def start(place, server, arguments):
    """The whole process: it finds nothing new and ends. The table is made in memory, where that many
    commits take less time."""
    commits = scaled(COMMITS, arguments.scale, 100)
    server.add_stream("NOTHING", subjects=["NOTHING"])
    figures = Figures("start: run --once, which finds nothing new")
    with workplace(memory=True) as memory:
        root = memory / "table"
        command = [BUILD / "bench/year", root, str(commits), "36500"]
        made = subprocess.run(command, check=True, capture_output=True, text=True)
        for kind, table in (
            ("an empty table", place / "empty"),
            (f"of {commits:,} commits", root),
        ):
            seconds = []
            for number in range(arguments.rounds):
                source = sources("NOTHING")[0]
                output = {"log_output_directory": str(table), "min_free": 0}
                command = drain_command(
                    place, server, f"start-{number}", source, output=output
                )
                seconds.append(measured(command).wall)
            times(figures, kind, seconds, aim=START)
    figures.row("of it, reading the log", 1000 * float(made.stdout.split()[-1]), "ms")


def stop(place, server, arguments):
    """With an epoch open, which is committed first."""
    seconds, rows = [], []
    for number in range(arguments.rounds):
        stream = f"STOP{number}"
        server.add_stream(stream, subjects=[stream])
        runner = Runner(place / stream, server)
        limits = {"max_age": "1h", "max_rows": RATE}
        run = runner.start(sources=sources(stream), batching=limits)
        server.generate(2 * RATE - 1, stream=stream, subject=stream)
        run.wait_rows(RATE)
        began = time.monotonic()
        run.send(signal.SIGTERM)
        assert run.process.wait() == 0, (
            run.text()
        )  # with a time limit it would look now and then
        seconds.append(time.monotonic() - began)
        rows.append(run.lines("committed")[-1]["rows"])
    table = Figures("stop, reconnect")
    times(table, "from SIGTERM to the exit", seconds)
    table.row("from SIGTERM to the exit", min(rows), "rows to commit")


def reconnect(place, server, arguments):
    """The server is killed, and is there again before varve tries for the last time it was told."""
    seconds = []
    server.add_stream("AGAIN", subjects=["AGAIN"])
    runner = Runner(place / "run", server)
    run = runner.start(sources=sources("AGAIN"), batching={"max_rows": 1})
    run.wait_line("connected")
    for number in range(arguments.rounds):
        before = len(run.lines("committed"))
        server.stop(signal.SIGKILL)
        server.start()
        began = time.monotonic()
        server.generate(1, start_index=number, stream="AGAIN", subject="AGAIN")
        run.wait_line("committed", before + 1)
        seconds.append(time.monotonic() - began)
    assert run.stop() == 0, run.text()
    times(Figures("stop, reconnect"), "server answers to first row", seconds)


def stored(place, server, arguments, **options):
    """How many rows, and where."""
    rows = scaled(ROWS_STORED, arguments.scale, 100)
    server.add_stream("STORED", subjects=["STORED"])
    server.generate(rows, stream="STORED", subject="STORED", **options)
    runner = Runner(place / "run", server)
    runner.once(sources=sources("STORED"))
    return rows, runner.output, Output(runner.output).files()


READ = """
import sys
import pyarrow.parquet as pq
for path in sys.argv[1:]:
    pq.read_table(path, use_threads=False, page_checksum_verification=True)
"""


def verify(place, server, arguments):
    """Each a process of its own, in turns; the files are in the kernel's cache."""
    options = {"simulations": 1, "payload_bytes": 120, "per_hour": 10**8}
    rows, root, files = stored(place, server, arguments, **options)
    size = sum(Path(path).stat().st_size for path in files)
    raw = sum(group.column(c).total_uncompressed_size for group in groups(files)
              for c in range(group.num_columns))  # fmt: skip
    commands = {
        "varve verify": (VARVE, "verify", root),
        "sha256sum": ("sha256sum", *files),
        "pyarrow, all columns": (sys.executable, "-c", READ, *files),
    }
    for path in files:
        Path(path).read_bytes()
    results = in_turns(
        arguments.rounds,
        lambda _: (
            (name, lambda c=command: measured(c)) for name, command in commands.items()
        ),
    )
    table = Figures(f"verify: {rows:,} rows, {raw / 1e6:,.0f} MB of column data")
    ours = results["varve verify"]
    for name, used in results.items():
        if name == "varve verify":
            table.row(name, raw / used.cpu / 1e9, "GB/s a core", aim=VERIFIED)
            for other in list(results)[1:]:
                table.row(name, raw / used.cpu / 1e9, "GB/s a core", other,
                          results[other].cpu / ours.cpu)  # fmt: skip
        else:
            table.row(name, raw / used.cpu / 1e9, "GB/s a core")
        table.row(name, size / used.cpu / 1e9, "GB/s of the files")
        table.row(name, used.wall, "s")


JUDGED = """
import sys
import duckdb
from test_quality import JUDGE
judge = duckdb.connect()
judge.execute("set timezone = 'UTC'; set threads = 1")
without_payloads = JUDGE.replace(JUDGE[JUDGE.index(",\\n    list("):JUDGE.index("\\nfrom events left")], "")
judge.execute(without_payloads.format(where="true"), {"files": sys.argv[1:]}).fetchall()
"""


def quality(place, server, arguments):
    """The report of `varve quality`, and DuckDB's of the same but for whether payloads decode."""
    rows, root, files = stored(place, server, arguments, simulations=10)
    commands = {
        "varve quality": (VARVE, "quality", root, "-c", "/dev/null"),
        "DuckDB": (sys.executable, "-c", JUDGED, *files),
    }

    def works(_):
        for name, command in commands.items():
            # It may say that it has found something.
            yield name, lambda c=command: measured(c, statuses=(0, 1), PYTHONPATH=LIVE)

    results = in_turns(arguments.rounds, works)
    table = Figures(f"quality: the report of {rows:,} rows")
    ours, theirs = results["varve quality"], results["DuckDB"]
    rate = rows / ours.cpu / 1e6, "M rows/CPU s"
    table.row("varve quality", *rate, aim=REPORTED)
    table.row("varve quality", *rate, "DuckDB", theirs.cpu / ours.cpu)
    table.row("DuckDB", rows / theirs.cpu / 1e6, "M rows/CPU s")


# A replay's messages bear ids, too: by them each comes once.
WITH_IDS = "varve-gen --deduplicate"


def replay(place, server, arguments):
    """What is stored goes back into another stream, and into one that allows atomic batches (where the
    server does not know of them, as into the other), beside what varve-gen publishes, in turns. Of the
    server the time of its CPU, which tells the two apart where other work is on the cores, too."""
    count = scaled(ROWS_STORED // 5, arguments.scale, 100)
    command = [VARVE, "replay", place / "run-0/out", "--server", server.url]
    generated = [GEN, "--server", server.url, "--count", count, "--simulations", 10]

    def works(number):
        stream = f"PUBLISHED{number}"
        server.add_stream("REPLAY", subjects=["replay.>"])
        server.add_stream(stream, subjects=[stream])
        publish = [*generated, "--stream", stream, "--subject", stream]
        yield "varve-gen", lambda: measured(publish, server)
        server.add_stream("IDS", subjects=["ids"])
        with_ids = [*generated, "--stream", "IDS", "--subject", "ids", "--deduplicate"]
        yield WITH_IDS, lambda: measured(with_ids, server)
        if number == 0:
            Runner(place / "run-0", server).once(sources=sources(stream))
        yield "varve replay", lambda: measured(command, server)
        server.add_stream("BATCHED", subjects=["batched.>"], allow_atomic=True)
        batched = [*command, "--subject", "batched.>"]
        yield "in atomic batches", lambda: measured(batched, server)
        for name in (stream, "IDS", "REPLAY", "BATCHED"):
            server.delete_stream(name)

    results = in_turns(arguments.rounds, works)
    table = Figures(f"replay: {count:,} rows back into a stream")
    for name, used in results.items():
        rate = count / used.wall, "messages/s"
        beside = ()
        if name != "varve-gen":
            aim = REPLAYED if name == "varve replay" else ""
            beside = ("varve-gen", results["varve-gen"].wall / used.wall, aim)
        table.row(name, *rate, *beside)
        if name == "varve replay":
            table.row(name, *rate, WITH_IDS, results[WITH_IDS].wall / used.wall)
        table.row(name, 1e6 * used.cpu / count, "CPU s/M")
        table.row(name, 1e6 * used.served / count, "server's")


def groups(files):
    for path in files:
        metadata = pq.ParquetFile(path).metadata
        for number in range(metadata.num_row_groups):
            yield metadata.row_group(number)


ROWS = {
    row.__name__: row
    for row in (trickle, start, stop, reconnect, verify, quality, replay)
}


def main():
    options = parser(__doc__)
    options.add_argument("row", nargs="*", choices=[[], *ROWS], default=[])
    arguments = options.parse_args()
    for name in arguments.row or ROWS:
        if name == "trickle" and shutil.which("strace") is None:
            Figures(name).left_out(name, "no strace")
            continue
        with workplace() as place, nats_server(place / "nats") as server:
            ROWS[name](place, server, arguments)


if __name__ == "__main__":
    main()
