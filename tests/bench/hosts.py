# SPDX-License-Identifier: MIT
"""Several varves on one table: how fast four are beside one, and what commits cost that meet those
of others.

    build/venv/bin/python tests/bench/hosts.py rate [--events N] [--rounds N]
    build/venv/bin/python tests/bench/hosts.py conflicts [--seconds N]

`rate`: a stream in memory and a versitygw on /dev/shm, so that no disk limits; one varve drains all
parts of the subjects, then four drain one each, in turns. All on this machine: a ratio below 4 is
the machine's, unless it has cores to spare.

`conflicts`: 1, 2, 4 and 8 varves that commit about ten times a second each, an epoch of one file, to
versitygw and to a directory. Of each: commits a second, how many of them met another's entry
(varve_commit_conflicts_total; one may meet several), the time of a commit, and in a bucket the
requests of one.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("", "live")]

import s3_support  # noqa: E402
from support import GEN, Runner, Server, free_port, server_binaries, wait_for  # noqa: E402

PARTS = 8
MAPPING = """mappings {{
  "logging.events.raw.*": "logging.events.part.{{{{partition({parts},1)}}}}.{{{{wildcard(1)}}}}"
}}"""


def output_of(store, prefix):
    s3 = {
        "endpoint": store.endpoint,
        "access_key_id": s3_support.ACCESS_KEY,
        "secret_access_key": s3_support.SECRET_KEY,
    }
    return {"url": f"s3://varve-test/{prefix}", "s3": s3, "min_free": 0}


def start(place, server, number, parts, output, *args, **more):
    """One varve on these parts of the subjects; (it, where its metrics are)."""
    runner = Runner(place / f"varve-{number}", server)
    port = free_port()
    config = runner.config(
        nats={"name": f"varve-{number}"},
        sources=[
            {
                "stream": "LOGGING",
                "subjects": [f"logging.events.part.{part}.*" for part in parts],
                "consumer": f"{output['prefix']}-{number}",
            }
        ],
        metrics={"listen": f"127.0.0.1:{port}"},
        **more,
    )
    config["output"] = {k: v for k, v in output.items() if k != "prefix"}
    return runner.start(*args, config=config), port


def publish(server, count, rate=0, simulations=64):
    options = f"--subject logging.events.raw.* --count {count} --simulations {simulations}"
    options += f" --payload-bytes 200 --per-hour {count // 2} --rate {rate}"
    return subprocess.Popen(
        [GEN, "--server", server.url, *options.split()], stdout=subprocess.DEVNULL
    )


def make_server(place, binary):
    server = Server(binary, place / "nats", extra=MAPPING.format(parts=PARTS)).start()
    server.add_stream(subjects=["logging.events.part.*.*"], storage="memory")
    return server


def rate(place, binary, arguments):
    server = make_server(place, binary)
    assert publish(server, arguments.events).wait() == 0
    seconds = {1: [], 4: []}
    with s3_support.server("versitygw", place / "store") as store:
        for turn in range(arguments.rounds):
            for count in seconds:
                prefix = f"t{turn}-{count}"
                output = {**output_of(store, prefix), "prefix": prefix}
                began = time.monotonic()
                share = PARTS // count
                runs = [
                    start(place, server, n, range(n * share, (n + 1) * share), output, "--once")
                    for n in range(count)
                ]
                for run, _ in runs:
                    assert run.wait(3600) == 0, run.text()
                seconds[count].append(time.monotonic() - began)
                rows = sum(line["rows"] for run, _ in runs for line in run.lines("committed"))
                assert rows == arguments.events
                print(f"{count}: {arguments.events / seconds[count][-1]:.0f}/s", flush=True)
    server.stop()
    one, four = statistics.median(seconds[1]), statistics.median(seconds[4])
    pairs = [a / b for a, b in zip(seconds[1], seconds[4], strict=True)]
    print(f"four beside one: {one / four:.2f} ({min(pairs):.2f} to {max(pairs):.2f})")


def metrics(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    found = {"requests": 0.0}
    for name, value in re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE):
        found[name] = float(value)
        if name.startswith("varve_object_requests_total"):
            found["requests"] += float(value)
        if name.startswith("varve_object_request_seconds_sum"):
            found["request_seconds"] = found.get("request_seconds", 0.0) + float(value)
    return found


def watch(runs, seconds):
    """How much was added meanwhile, of all together; and the seconds that it took."""
    wait_for(lambda: all(run.lines("committed") for run, _ in runs), "all commit")
    before, began = [metrics(port) for _, port in runs], time.monotonic()
    time.sleep(seconds)
    after, took = [metrics(port) for _, port in runs], time.monotonic() - began
    names = after[0].keys() & before[0].keys()
    return {n: sum(a[n] - b[n] for a, b in zip(after, before, strict=True)) for n in names}, took


def conflicts_of(place, server, count, output, seconds):
    more = {"batching": {"max_age": "100ms"}, "compaction": False}
    share = PARTS // count
    runs = [
        start(place, server, n, range(n * share, (n + 1) * share), output, **more)
        for n in range(count)
    ]
    rate = 100 * count
    load = publish(server, rate * (seconds + 60), rate, simulations=64)
    found, took = watch(runs, seconds)
    load.terminate()
    load.wait()
    for run, _ in runs:
        assert run.stop() == 0, run.text()
    commits = found["varve_commit_seconds_count"]
    line = f"{count} | {commits / took:.1f} | "
    line += f"{100 * found['varve_commit_conflicts_total'] / commits:.0f} % | "
    line += f"{1000 * found['varve_commit_seconds_sum'] / commits:.0f} ms"
    if found["requests"]:
        line += f" | {found['requests'] / commits:.0f}"
        line += f" | {1000 * found['request_seconds'] / found['requests']:.1f} ms"
    print(line, flush=True)


def conflicts(place, binary, arguments):
    server = make_server(place, binary)
    with s3_support.server("versitygw", place / "store") as store:
        for where in ("versitygw", "directory"):
            print(f"{where}: varves | commits/s | conflicts | time of a commit | requests | one")
            for count in (1, 2, 4, 8):
                prefix = f"{where}-{count}"
                output = {"log_output_directory": str(place / prefix), "min_free": 0}
                if where == "versitygw":
                    output = output_of(store, prefix)
                # One folder, so that an epoch is one file.
                output |= {"prefix": prefix, "path_template": "{instance}/{first_seq}.parquet"}
                conflicts_of(place / prefix / "runs", server, count, output, arguments.seconds)
                server.ask(lambda js: js.purge_stream("LOGGING"))
    server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["rate", "conflicts"], nargs="*")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20)
    arguments, _ = parser.parse_known_args()
    binary = next((b for b in reversed(server_binaries().values()) if b), None)
    if binary is None:
        sys.exit("nats-server is not here: make setup-test")
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    for what in arguments.what or ("rate", "conflicts"):
        with tempfile.TemporaryDirectory(dir=memory) as name:
            {"rate": rate, "conflicts": conflicts}[what](Path(name), binary, arguments)


if __name__ == "__main__":
    main()
