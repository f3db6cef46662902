# SPDX-License-Identifier: MIT
"""What the scripts of tests/bench share: their options, a server, a process that is measured as a
whole, and rounds in turns."""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("", "live")]

from support import VARVE, Runner, Server, server_binaries  # noqa: E402

ROUNDS = 5
LOOK = 0.02  # seconds from look to look at a running process
INSTANT = 1e-6  # of what took no time that can be told
SYNCS = "fsync,fdatasync,syncfs"

# Seconds of wall clock, of CPU and of the server's CPU, and the greatest RSS in MiB.
Used = namedtuple("Used", "wall cpu served rss")


def parser(about):
    made = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--rounds", type=int, default=ROUNDS, help="of which there are medians")
    made.add_argument("--scale", type=float, default=1, help="0.1 takes a tenth of the events")
    return made


def scaled(count, scale, least=1):
    return max(int(count * scale), least)


@contextlib.contextmanager
def workplace(memory=False):
    """A directory for a while; in memory, where there is such a one and it is asked for."""
    shared = "/dev/shm" if memory and os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shared) as name:
        yield Path(name)


@contextlib.contextmanager
def nats_server(directory, **options):
    """The newest server that is here."""
    binary = next((b for b in reversed(server_binaries().values()) if b), None)
    if binary is None:
        sys.exit("nats-server is not here: make setup-test")
    server = Server(binary, directory, **options).start()
    try:
        yield server
    finally:
        server.stop()


def drain_command(place, server, name, source=None, **more):
    """varve run --once of a stream to place/NAME, unless `output` says otherwise."""
    settings = Runner(place, server).config(
        sources=[{"stream": "LOGGING", "consumer": name, **(source or {})}]
    )
    settings["output"] = {"log_output_directory": str(place / name), "min_free": 0}
    config = place / f"{name}.yaml"
    config.write_text(json.dumps({**settings, **more}))
    return [VARVE, "run", "--once", "-c", config]


def resident(child):
    """The greatest RSS of a running process so far, in KiB; what getrusage says of it includes that
    of this process, from which it was forked."""
    status = Path(f"/proc/{child}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) if found else 0


def measured(command, server=None, statuses=(0,), **environment):
    """What a process used, which has to end with one of these statuses."""
    command = [str(part) for part in command]
    before, start, rss = server.cpu_seconds() if server else 0, time.monotonic(), 0
    with tempfile.TemporaryFile() as log:
        actions = [(os.POSIX_SPAWN_DUP2, log.fileno(), n) for n in (1, 2)]
        variables = {**os.environ, **environment}
        child = os.posix_spawnp(command[0], command, variables, file_actions=actions)
        while (ended := os.wait4(child, os.WNOHANG))[0] == 0:
            rss = max(rss, resident(child))
            time.sleep(min(LOOK, (time.monotonic() - start) / 20))
        wall = time.monotonic() - start
        log.seek(0)
        if os.waitstatus_to_exitcode(ended[1]) not in statuses:
            sys.exit(f"{command}: {log.read()[-2000:].decode(errors='replace')}")
    cpu = ended[2].ru_utime + ended[2].ru_stime
    served = server.cpu_seconds() - before if server else 0
    return Used(wall, max(cpu, INSTANT), served, rss / 1024)


def in_turns(rounds, works):
    """The median of each column of what each of works(round) returns, by name. `works` yields a name
    and a function; the first round comes after the last one's end."""
    results = {}
    for number in range(rounds):
        for name, work in works(number):
            results.setdefault(name, []).append(work())
    return {name: medians(runs) for name, runs in results.items()}


def medians(runs):
    columns = [statistics.median(column) for column in zip(*runs, strict=True)]
    return Used(*columns) if isinstance(runs[0], Used) else columns


def cpu_of(process):
    """Seconds of CPU of a running process, by its number."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def traced(calls, command=()):
    """A command whose calls to sync go to a file, see `count_syncs`."""
    strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", calls, "-e", f"trace={SYNCS}"]
    return [*strace, *command]


def count_syncs(calls):
    return sum(") " in text for text in calls.read_text().splitlines())


def built(target, *command, **options):
    """None, or why the command has not made the target."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, **options)
    except OSError as error:
        return str(error)
    if done.returncode == 0 and target.exists():
        return None
    return (done.stderr.strip().splitlines() or ["it was not made"])[-1]
