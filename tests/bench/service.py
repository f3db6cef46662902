# SPDX-License-Identifier: MIT
"""What running it costs, beside how fast it drains (drain.py): a trickle of events, a start where
many commits were made, an end, the first row after a lost server, and a look at all that is stored.

    build/venv/bin/python tests/bench/service.py [--seconds N] [--commits N] [--rows N] [ROW...]

ROW is one of trickle, start, stop, reconnect, verify, quality, replay; all of them by default.
"""

import argparse
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import BUILD, ROOT, VARVE, Output, Runner, Server, server_binaries  # noqa: E402

RATE = 1000
SIMULATIONS = 100
TIMES = 5  # of what takes no time
TICKS = os.sysconf("SC_CLK_TCK")
LIVE = f"{ROOT}/tests:{ROOT}/tests/live"
SYNCS = "fsync,fdatasync,syncfs"


def sources(stream):
    """A stream whose only subject is its name."""
    return [{"stream": stream, "subjects": [stream], "delivery": "position", "consumer": "bench"}]


def middle(values):
    return f"{statistics.median(values):.3f} s (at most {max(values):.3f} s)"


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
    for max_age in ("1s", "10s"):
        runner = Runner(place / max_age, server)
        calls = place / f"{max_age}.calls"
        traced = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", calls, "-e", f"trace={SYNCS}"]
        stream = f"TRICKLE{max_age}"
        server.add_stream(stream, subjects=[stream])
        run = runner.start(prefix=traced, sources=sources(stream), batching={"max_age": max_age})
        run.wait_line("connected")
        tracer = run.process.pid
        pid = int(Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split()[0])
        count = RATE * arguments.seconds
        server.generate(count, rate=RATE, simulations=SIMULATIONS, stream=stream, subject=stream)
        run.wait_rows(count)
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        cpu = (int(fields[11]) + int(fields[12])) / TICKS
        written = int(re.search(r"write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text())[1])
        os.kill(pid, signal.SIGTERM)
        run.wait()
        commits = len(run.lines("committed"))
        syncs = sum(") " in line for line in calls.read_text().splitlines())
        waited = delays(run, Output(runner.output))
        print(f"trickle, max_age {max_age}: {RATE} events/s of {SIMULATIONS} simulations for "
              f"{arguments.seconds} s: {100 * cpu / arguments.seconds:.1f} % of a core, "
              f"{commits} commits, each {written / commits / 1024:.0f} KiB written and "
              f"{syncs / commits:.1f} calls to sync; durable after "
              f"{waited[len(waited) // 2]:.2f} s (99 % after {waited[len(waited) * 99 // 100]:.2f} s)",
              flush=True)  # fmt: skip


def start(place, server, arguments):
    """The whole process: it finds nothing new and ends. The table is made in memory, where that many
    commits take less time."""
    shared = Path("/dev/shm")
    server.add_stream("NOTHING", subjects=["NOTHING"])
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as name:
        table = Path(name) / "table"
        command = [BUILD / "bench/year", table, str(arguments.commits), "36500"]
        made = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"start: of {arguments.commits} commits the log is read in {made.stdout.split()[-1]} s")
        for kind, root in (("empty", place / "empty"), (f"of {arguments.commits} commits", table)):
            seconds = []
            for number in range(TIMES):
                runner = Runner(place / f"{kind}-{number}", server)
                output = {"log_output_directory": str(root), "min_free": 0}
                began = time.monotonic()
                runner.once(sources=sources("NOTHING"), output=output)
                seconds.append(time.monotonic() - began)
            print(f"start: run --once, with a table {kind}: {middle(seconds)}", flush=True)


def stop(place, server, arguments):
    """With an epoch open, which is committed first."""
    seconds, rows = [], []
    for number in range(TIMES):
        stream = f"STOP{number}"
        server.add_stream(stream, subjects=[stream])
        runner = Runner(place / stream, server)
        limits = {"max_age": "1h", "max_rows": RATE}
        run = runner.start(sources=sources(stream), batching=limits)
        server.generate(2 * RATE - 1, stream=stream, subject=stream)
        run.wait_rows(RATE)
        began = time.monotonic()
        assert run.stop() == 0, run.text()
        seconds.append(time.monotonic() - began)
        rows.append(run.lines("committed")[-1]["rows"])
    print(f"stop: from SIGTERM to the exit, with {min(rows)} to {max(rows)} rows to commit: "
          f"{middle(seconds)}", flush=True)  # fmt: skip


def reconnect(place, server, arguments):
    """The server is killed, and is there again before varve tries for the last time it was told."""
    seconds = []
    server.add_stream("AGAIN", subjects=["AGAIN"])
    runner = Runner(place / "run", server)
    run = runner.start(sources=sources("AGAIN"), batching={"max_rows": 1})
    run.wait_line("connected")
    for number in range(TIMES):
        before = len(run.lines("committed"))
        server.stop(signal.SIGKILL)
        server.start()
        began = time.monotonic()
        server.generate(1, start_index=number, stream="AGAIN", subject="AGAIN")
        run.wait_line("committed", before + 1)
        seconds.append(time.monotonic() - began)
    assert run.stop() == 0, run.text()
    print(f"reconnect: from a server that answers to the first row: {middle(seconds)}", flush=True)


def used(*command, fails=False, path=""):
    """Seconds of CPU and of wall clock; `fails`: it may say that it has found something."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL,
                          env={**os.environ, "PYTHONPATH": str(path)})  # fmt: skip
    assert done.returncode in ((0, 1) if fails else (0,)), done
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.monotonic() - began


READ = """
import sys
import pyarrow.parquet as pq
for path in sys.argv[1:]:
    pq.read_table(path, use_threads=False, page_checksum_verification=True)
"""


def verify(place, server, arguments):
    """Each a process of its own, in turns; the files are in the kernel's cache after the first."""
    server.add_stream("VERIFY", subjects=["VERIFY"])
    server.generate(arguments.rows, stream="VERIFY", subject="VERIFY", simulations=1,
                    payload_bytes=120, per_hour=10**8)  # fmt: skip
    runner = Runner(place / "run", server)
    runner.once(sources=sources("VERIFY"))
    files = Output(runner.output).files()
    stored = sum(Path(path).stat().st_size for path in files)
    raw = sum(group.column(c).total_uncompressed_size for group in groups(files)
              for c in range(group.num_columns))  # fmt: skip
    commands = {
        "varve verify": (VARVE, "verify", runner.output),
        "sha256sum": ("sha256sum", *files),
        "pyarrow, all columns": (sys.executable, "-c", READ, *files),
    }
    results = {}
    for number in range(TIMES + 1):
        for name, command in commands.items():
            if number > 0:
                results.setdefault(name, []).append(used(*command))
            else:
                used(*command)
    for name, runs in results.items():
        cpu, wall = (statistics.median(c) for c in zip(*runs, strict=True))
        print(f"verify: {name:20} {wall:6.3f} s, {raw / cpu / 1e9:5.2f} GB/s of column data and "
              f"{stored / cpu / 1e9:5.2f} GB/s of files per core", flush=True)  # fmt: skip


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
    server.add_stream("QUALITY", subjects=["QUALITY"])
    server.generate(arguments.rows, stream="QUALITY", subject="QUALITY", simulations=10)
    runner = Runner(place / "run", server)
    runner.once(sources=sources("QUALITY"))
    commands = {
        "varve quality": (VARVE, "quality", runner.output, "-c", "/dev/null"),
        "DuckDB": (sys.executable, "-c", JUDGED, *Output(runner.output).files()),
    }
    results = {}
    for _ in range(TIMES):
        for name, command in commands.items():
            results.setdefault(name, []).append(used(*command, fails=True, path=LIVE))
    for name, runs in results.items():
        cpu, wall = (statistics.median(c) for c in zip(*runs, strict=True))
        print(f"quality: {name:14} {wall:6.3f} s, {arguments.rows / cpu / 1e6:5.2f} M rows per "
              f"CPU second", flush=True)  # fmt: skip


def replay(place, server, arguments):
    """What is stored goes back into another stream, beside what varve-gen publishes, in turns. Of the
    server the time of its CPU, which tells the two apart where other work is on the cores, too."""
    count = arguments.rows // TIMES
    command = [VARVE, "replay", place / "run-0/out", "--server", server.url]
    results = {}
    for number in range(TIMES):
        server.add_stream("REPLAY", subjects=["replay.>"])
        stream = f"PUBLISHED{number}"
        server.add_stream(stream, subjects=[stream])
        before, began = server.cpu_seconds(), time.monotonic()
        server.generate(count, stream=stream, subject=stream, simulations=10)
        published = time.monotonic() - began, server.cpu_seconds() - before
        if number == 0:
            Runner(place / "run-0", server).once(sources=sources(stream))
        before = server.cpu_seconds()
        _, wall = used(*command)
        again = wall, server.cpu_seconds() - before
        for name, measured in (("varve-gen", published), ("varve replay", again)):
            results.setdefault(name, []).append(measured)
        for name in (stream, "REPLAY"):
            server.delete_stream(name)
    for name, runs in results.items():
        wall, cpu = (statistics.median(c) for c in zip(*runs, strict=True))
        print(f"replay: {name:14} {count / wall:9,.0f} messages/s, {1e6 * cpu / count:5.2f} s of the "
              f"server's CPU a million", flush=True)  # fmt: skip


def groups(files):
    for path in files:
        metadata = pq.ParquetFile(path).metadata
        for number in range(metadata.num_row_groups):
            yield metadata.row_group(number)


ROWS = {row.__name__: row for row in (trickle, start, stop, reconnect, verify, quality, replay)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60, help="of the trickle")
    parser.add_argument("--commits", type=int, default=100_000, help="before a start")
    parser.add_argument("--rows", type=int, default=1_000_000, help="that are verified")
    parser.add_argument("row", nargs="*", choices=[[], *ROWS], default=[])
    arguments = parser.parse_args()
    binary = next((b for b in reversed(server_binaries().values()) if b), None)
    if binary is None:
        sys.exit("nats-server is not here: make setup-test")
    for name in arguments.row or ROWS:
        with tempfile.TemporaryDirectory() as place:
            server = Server(binary, Path(place) / "nats").start()
            try:
                ROWS[name](Path(place), server, arguments)
            finally:
                server.stop()


if __name__ == "__main__":
    main()
