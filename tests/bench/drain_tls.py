# SPDX-License-Identifier: MIT
"""What encryption costs: the same stream drained in the clear and over TLS 1.3.

    build/venv/bin/python tests/bench/drain_tls.py [EVENTS]
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("", "live")]

from certificates import Certificate  # noqa: E402
from support import VARVE, Server, server_binaries  # noqa: E402

ROUNDS = 3


def drain(place, number, server, tls):
    """Seconds of wall clock and of CPU for one run."""
    config = place / f"{number}.yaml"
    settings = {
        "nats": {"servers": [server.url], "tls": tls},
        "sources": [{"stream": "LOGGING", "delivery": "position", "consumer": f"c{number}"}],
        "output": {"log_output_directory": str(place / f"out-{number}"), "min_free": 0},
        "metrics": {"listen": "off"},
    }
    config.write_text(json.dumps(settings))
    start = time.monotonic()
    with (place / f"{number}.log").open("wb") as log:
        actions = [(os.POSIX_SPAWN_DUP2, log.fileno(), 2)]
        arguments = [VARVE, "run", "--once", "-c", config]
        child = os.posix_spawn(VARVE, arguments, os.environ, file_actions=actions)
        _, status, used = os.wait4(child, 0)
    if status != 0:
        sys.exit((place / f"{number}.log").read_text())
    return time.monotonic() - start, used.ru_utime + used.ru_stime


def main():
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    binary = next((b for b in reversed(server_binaries().values()) if b), None)
    if binary is None:
        sys.exit("nats-server is not here: make setup-test")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        ca = Certificate("bench CA", ca=True)
        ca_file, _ = ca.write(place, "ca")
        cert, key = Certificate("server", ca, ["127.0.0.1"]).write(place, "server")
        server = Server(binary, place / "nats").start()
        server.add_stream()
        server.generate(events, simulations=1)
        numbers = iter(range(1000))
        costs = {}
        for way, settings, tls in (
            ("plain", "", {}),
            ("TLS 1.3", f'tls {{ cert_file: "{cert}", key_file: "{key}" }}', {"ca_file": ca_file}),
        ):
            server.stop()
            server.configure(settings)
            server.start()
            runs = [drain(place, next(numbers), server, tls) for _ in range(ROUNDS)]
            wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
            costs[way] = events / wall, cpu / events * 1e6
            rate, each = costs[way]
            print(f"{way:8} {rate:10,.0f} events/s  {each:6.2f} s of CPU per million", flush=True)
        server.stop()
    (plain_rate, plain), (tls_rate, tls) = costs["plain"], costs["TLS 1.3"]
    print(f"TLS 1.3 costs {tls - plain:.2f} s more per million, at {tls_rate / plain_rate:.2f} of "
          "the rate")


main()
