# SPDX-License-Identifier: MIT
"""What varve writes to the device below its file system: bytes, flushes, and calls that make it so, by
the age of a commit.

    build/venv/bin/python tests/bench/flash.py [--scale F] [--simulations N]

As root, on a loop device with ext4, whose own statistics count (/sys/block/NAME/stat, see
Documentation/block/stat.rst): journal, directories and all. A commit of `max_age` at 1,000 events a
second is one of that many rows, so that no hour has to be waited for."""

import os
import shutil
import subprocess
from pathlib import Path

from bench_support import (
    count_syncs,
    drain_command,
    measured,
    nats_server,
    parser,
    scaled,
    traced,
    workplace,
)
from figures import Figures
from support import Output

EVENTS = 300_000
RATE = 1000
SECONDS = (1, 10, 60, 300)
SECTOR = 512
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
        before = statistics(device)
        calls = place / f"{number}.calls"
        command = drain_command(
            place,
            server,
            str(number),
            {"delivery": "position"},
            batching={"max_rows": RATE * seconds, "max_age": "1h"},
            output={"log_output_directory": str(target / "out"), "min_free": 0},
        )
        measured(traced(calls, command))
        after = statistics(device)
        output = Output(target / "out")
        files = [path.stat().st_size for path in output.named()]
        return after[0] - before[0], after[1] - before[1], count_syncs(calls), sum(files), len(files)
    finally:
        subprocess.run(["umount", target], check=False)
        subprocess.run(["losetup", "--detach", device], check=False)


def missing():
    """Why it can't be measured here, if so."""
    tools = [name for name in ("strace", "mkfs.ext4", "losetup") if shutil.which(name) is None]
    if tools or os.geteuid() != 0:
        return f"needs root and {', '.join(tools) or 'loop devices'}"
    found = subprocess.run(["losetup", "--find"], capture_output=True, text=True)
    return None if found.returncode == 0 else found.stderr.strip()


def main():
    options = parser(__doc__)
    options.add_argument("--simulations", type=int, default=100)
    arguments = options.parse_args()
    events = scaled(EVENTS, arguments.scale, RATE)
    table = Figures(f"device: {events:,} events of {arguments.simulations} simulations at 1,000/s")
    why = missing()
    if why:
        table.left_out("what reaches the block device", why)
        return
    with workplace() as place, nats_server(place / "nats") as server:
        server.add_stream()
        # All of one hour of their timestamps, as it would be.
        server.generate(events, simulations=arguments.simulations, per_hour=RATE * 3600)
        for number, seconds in enumerate(SECONDS):
            what = f"max_age {seconds} s"
            try:
                written, flushes, syncs, size, files = measure(place, server, number, seconds)
            except subprocess.CalledProcessError as error:  # a container may not mount
                table.left_out(what, str(error))
                continue
            table.row(what, written / events, "B an event", "files", written / size)
            table.row(what, size / events, "B of files an event")
            table.row(what, files, "files")
            table.row(what, 1000 * flushes / events, "flushes")
            table.row(what, 1000 * syncs / events, "calls to sync for 1,000 events")
            table.row(what, written / events * RATE * 86400 / GIB, "GiB a day")


if __name__ == "__main__":
    main()
