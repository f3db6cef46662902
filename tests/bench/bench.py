# SPDX-License-Identifier: MIT
"""make bench: each script of this folder, one after the other, and one table of all that they measured.

    make bench [SCALE=F] [ROUNDS=N]
    build/venv/bin/python tests/bench/bench.py [--scale F] [--rounds N] [SCRIPT...]

SCALE=0.1 ROUNDS=1 is a quick look; the aims are for a scale of 1 on a quiet machine. The table is in
build/bench/table.txt afterwards, too, and its rows in build/bench/figures.jsonl. A script that fails
or takes far longer than it should does not hide the others.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench_support import parser
from figures import read, table
from support import BUILD

HERE = Path(__file__).resolve().parent
# Of each, on two quiet cores: seconds that it takes whatever the scale, of which each round takes a
# share, and those of a round at scale 1.
SECONDS = {
    "drain.py": (10, 15, 300),
    "drain_tls.py": (5, 3, 12),
    "encode.py": (5, 1, 25),
    "decode.py": (3, 0, 4),
    "compact.py": (5, 6, 20),
    "compact_beside.py": (2, 10, 60),
    "service.py": (25, 15, 40),
    "hosts.py": (40, 5, 25),
    "flash.py": (10, 0, 0),
    "year.py": (5, 0, 0),
}
# What does not depend on rounds: seconds at scale 1.
ONCE = {"drain.py": 40, "service.py": 250, "hosts.py": 160, "flash.py": 60, "year.py": 30}
PATIENCE = 10  # times as long, on a machine that is not quiet
BUILDING = 1200  # seconds that the peers may take to be built


def estimate(script, scale, rounds):
    fixed, a_round, scaled = SECONDS[script]
    return fixed + ONCE.get(script, 0) * scale + rounds * (a_round + scaled * scale)


def run(script, arguments, figures, seconds):
    """Whether it came to its end in time. It leads a group of processes, with which it ends."""
    options = ["--scale", str(arguments.scale), "--rounds", str(arguments.rounds)]
    if arguments.without_peers and script == "drain.py":
        options.append("--without-peers")
    process = subprocess.Popen(
        [sys.executable, HERE / script, *options],
        env={**os.environ, "BENCH_FIGURES": str(figures)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        print(f"bench: {script} is not done after {seconds:.0f} s", file=sys.stderr)
        return False
    finally:
        stop(process)


def stop(process):
    """First so that it can put things away, such as a file system that it has mounted."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(60)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main():
    options = parser(__doc__)
    options.add_argument("--without-peers", action="store_true", help="which have to be built")
    options.add_argument("scripts", nargs="*", choices=[[], *SECONDS], default=[])
    arguments = options.parse_args()
    scripts = arguments.scripts or list(SECONDS)
    folder = BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    figures = folder / "figures.jsonl"
    figures.unlink(missing_ok=True)
    each = {s: estimate(s, arguments.scale, arguments.rounds) for s in scripts}
    failed, began = [], time.monotonic()
    for number, script in enumerate(scripts):
        left = sum(each[s] for s in scripts[number:]) / 60
        print(f"bench: {script}; about {left:.0f} min left on a quiet machine", flush=True)
        limit = PATIENCE * each[script] + BUILDING
        if not run(script, arguments, figures, limit):
            failed.append(script)
    lines = [
        f"varve at scale {arguments.scale:g}, medians of {arguments.rounds} rounds in turns, "
        f"{(time.monotonic() - began) / 60:.0f} min",
        *table(read(figures)),
    ]
    (folder / "table.txt").write_text("\n".join(lines) + "\n")
    print("\n" + "\n".join(lines))
    if failed:
        sys.exit(f"bench: failed: {' '.join(failed)}")


if __name__ == "__main__":
    main()
