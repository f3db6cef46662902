# SPDX-License-Identifier: MIT
"""What varve writes to the device below its file system: bytes, flushes, and calls that make it so, by
the age of a commit.

    build/venv/bin/python tests/bench/flash.py [EVENTS [SIMULATIONS]]

As root, on a loop device with ext4, whose own statistics count (/sys/block/NAME/stat, see
Documentation/block/stat.rst): journal, directories and all. A commit of `max_age` at 1,000 events a
second is one of that many rows, so that no hour has to be waited for."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("", "live")]

from support import VARVE, Output, Server, server_binaries  # noqa: E402

RATE = 1000
SECONDS = (1, 10, 60, 300)
SECTOR = 512
SYNCS = "fsync,fdatasync,syncfs"
GIB = 1 << 30


def statistics(device):
    """Bytes written, and flushes."""
    subprocess.run(["sync"], check=True)
    fields = Path(f"/sys/block/{device.name}/stat").read_text().split()
    return int(fields[6]) * SECTOR, int(fields[15])


def measure(place, server, number, seconds):
    image, target = place / f"{number}.image", place / str(number)
    target.mkdir()
    image.touch()
    os.truncate(image, 2 * GIB)
    made = ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image]
    subprocess.run(made, check=True)
    found = ["losetup", "--find", "--show", image]
    device = Path(subprocess.run(found, check=True, capture_output=True, text=True).stdout.strip())
    try:
        subprocess.run(["mount", device, target], check=True)
        settings = {
            "nats": {"servers": [server.url]},
            "sources": [{"stream": "LOGGING", "delivery": "position", "consumer": f"c{number}"}],
            "batching": {"max_rows": RATE * seconds, "max_age": "1h"},
            "output": {"log_output_directory": str(target / "out"), "min_free": 0},
            "metrics": {"listen": "off"},
            "settings": {"log_format": "json"},
        }
        config = place / f"{number}.yaml"
        config.write_text(json.dumps(settings))
        before = statistics(device)
        calls = place / f"{number}.calls"
        traced = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", calls, "-e", f"trace={SYNCS}"]
        command = [*traced, VARVE, "run", "--once", "-c", config]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        after = statistics(device)
        syncs = sum(") " in line for line in calls.read_text().splitlines())
        output = Output(target / "out")
        files = [path.stat().st_size for path in output.named()]
        return after[0] - before[0], after[1] - before[1], syncs, sum(files), len(files)
    finally:
        subprocess.run(["umount", target], check=False)
        subprocess.run(["losetup", "--detach", device], check=False)


def main():
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    simulations = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    binary = next((b for b in reversed(server_binaries().values()) if b), None)
    if binary is None or os.geteuid() != 0:
        sys.exit("flash: needs root, strace and nats-server (make setup-test)")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        server = Server(binary, place / "nats").start()
        server.add_stream()
        # All of one hour of their timestamps, as it would be.
        server.generate(events, simulations=simulations, per_hour=RATE * 3600)
        for number, seconds in enumerate(SECONDS):
            written, flushes, syncs, size, files = measure(place, server, number, seconds)
            print(
                f"max_age {seconds:4} s: {written / events:6.1f} bytes an event written, "
                f"{size / events:6.1f} of them files, ratio {written / size:5.2f}; "
                f"{files} files; for 1,000 events {1000 * flushes / events:.2f} flushes, "
                f"{1000 * syncs / events:.2f} calls to sync; "
                f"{written / events * RATE * 86400 / GIB:.1f} GiB a day"
            )
        server.stop()


if __name__ == "__main__":
    main()
