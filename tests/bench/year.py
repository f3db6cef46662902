# SPDX-License-Identifier: MIT
"""A table over a year: a commit a minute, with compaction and retention on. Live files, bytes, the log, memory and the
time of a start have to stay flat.

    build/venv/bin/python tests/bench/year.py [COMMITS [DAYS]]

A year is 525600; DAYS is retention.max_age.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deltalake import DeltaTable

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build"))


def main():
    commits = sys.argv[1] if len(sys.argv) > 1 else "20000"
    days = sys.argv[2] if len(sys.argv) > 2 else "7"
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as name:
        root = Path(name) / "table"
        print("day, live files, MB, objects of the log, MB, resident KiB, seconds of a start")
        with subprocess.Popen([BUILD / "bench" / "year", root, commits, days], stdout=subprocess.PIPE, text=True) as run:
            for line in run.stdout:
                if line.startswith("open"):
                    print(f"varve opens it in {line.split()[1]} s")
                    continue
                day, live, size, objects, log, resident = map(int, line.split()[:6])
                print(f"{day:4} {live:7} {size / 1e6:8.1f} {objects:7} {log / 1e6:8.1f} {resident:7} {line.split()[6]:>7}",
                      flush=True)  # fmt: skip
        if run.returncode != 0:
            sys.exit(1)
        began = time.monotonic()
        verify = subprocess.run([BUILD / "varve", "verify", root], stdout=subprocess.PIPE, text=True)
        print(f"verify: {time.monotonic() - began:.2f} s, {verify.stdout.splitlines()[-1]}")
        began = time.monotonic()
        table = DeltaTable(str(root))
        print(f"deltalake opens version {table.version()} in {time.monotonic() - began:.2f} s")
        sys.exit(verify.returncode)


if __name__ == "__main__":
    main()
