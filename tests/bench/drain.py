# SPDX-License-Identifier: MIT
"""The same stream drained by varve, by bare readers that throw everything away, and by what people
would write instead; each as a whole process, in turns, and the medians as one table. Where
versitygw is here varve also drains to a bucket on the same disk.

    build/venv/bin/python tests/bench/drain.py [--rounds N] [--scale F] [STREAM...]

STREAM is one of: small (a million events of about 300 bytes), large (100,000 of 4 KiB), many (a
million of a hundred simulations, interleaved). --scale 0.1 takes a tenth of the events. A peer
whose toolchain is missing is left out, by name.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import s3_support  # noqa: E402
from support import BUILD, ROOT, VARVE, Server, server_binaries  # noqa: E402

BARE = BUILD / "bench/bare"
PEERS = ROOT / "tests/bench/peers"
STREAMS = {  # events, and what varve-gen is to be told
    "small": (1_000_000, {"simulations": 1, "payload_bytes": 120, "per_hour": 10**8}),
    "large": (100_000, {"simulations": 1, "payload_bytes": 4096, "per_hour": 10**8}),
    "many": (1_000_000, {"simulations": 100, "payload_bytes": 120, "per_hour": 10**8}),
}
BUCKET = "varve durable, to a bucket"
LOOK = 0.02  # seconds from look to look at a running process


def built(name, *command, **kwargs):
    """Whether the command has made build/bench/NAME."""
    target = BUILD / "bench" / name
    try:
        done = subprocess.run(command, capture_output=True, text=True, **kwargs)
    except OSError as error:
        print(f"drain: without {name}: {error}")
        return False
    if done.returncode != 0 or not target.exists():
        print(f"drain: without {name}: {done.stderr.strip().splitlines()[-1:]}")
        return False
    return True


def peers():
    """The peers that can be built here, and which ways to ack each has."""
    folder = BUILD / "bench"
    source = PEERS / "libnats.c"
    if built("libnats", "gcc", "-O2", "-o", folder / "libnats", source, "-lnats"):
        yield "libnats, writes nothing", [folder / "libnats"], ("none", "explicit"), {}
    cargo = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", folder / "rust"]
    if built("rust/release/peer", *cargo, cwd=PEERS / "rust"):
        yield "Rust", [folder / "rust/release/peer"], ("none", "explicit"), {}
    go = ["go", "build", "-o", folder / "go", "."]
    if built("go", *go, cwd=PEERS / "go"):
        yield "Go", [folder / "go"], ("none", "explicit"), {}
    protoc = ["protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={folder}", "event.proto"]
    if built("event_pb2.py", *protoc):
        command = [sys.executable, PEERS / "design.py"]
        yield "Python", command, ("explicit",), {"PYTHONPATH": str(folder)}


def make_explicit(server, stream, consumer):
    """A consumer with an ack for each message, which varve keeps as it is."""
    from nats.js.api import AckPolicy, ConsumerConfig

    config = ConsumerConfig(
        durable_name=consumer,
        ack_policy=AckPolicy.EXPLICIT,
        max_ack_pending=-1,
        ack_wait=600,
        filter_subject="logging.events.raw",
    )
    server.ask(lambda js: js.add_consumer(stream, config))


def forget(server, stream):
    """The consumers of a round."""

    async def delete(js):
        for consumer in await js.consumers_info(stream):
            await js.delete_consumer(stream, consumer.name)

    server.ask(delete)


def varve_command(server, stream, consumer, mode, place, output=None):
    settings = {
        "nats": {"servers": [server.url]},
        "sources": [
            {
                "stream": stream,
                "consumer": consumer,
                "delivery": "position" if mode == "none" else "durable",
            }
        ],
        "output": output or {"log_output_directory": str(place), "min_free": 0},
        "metrics": {"listen": "off"},
    }
    if mode == "explicit":
        make_explicit(server, stream, consumer)
    config = place.with_suffix(".yaml")
    config.write_text(json.dumps(settings))
    return [VARVE, "run", "--once", "-c", config]


def bucket_line(server, stream, store, place, number):
    name = f"{number}-varve-bucket"
    command = varve_command(server, stream, name, "all", place / name, store.settings(name))
    return BUCKET, command, store.path(name), {}


def resident(child):
    """The greatest RSS of a running process so far, in KiB; what getrusage says of it includes that
    of this process, from which it was forked."""
    status = Path(f"/proc/{child}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) if found else 0


def measured(command, server, log, extra):
    """Seconds of wall clock, of CPU and of the server's CPU, and the greatest RSS in MiB."""
    before, start, rss = server.cpu_seconds(), time.monotonic(), 0
    with log.open("wb") as out:
        actions = [(os.POSIX_SPAWN_DUP2, out.fileno(), n) for n in (1, 2)]
        environment = {**os.environ, **extra}
        child = os.posix_spawnp(command[0], command, environment, file_actions=actions)
        while (ended := os.wait4(child, os.WNOHANG))[0] == 0:
            rss = max(rss, resident(child))
            time.sleep(LOOK)
    wall = time.monotonic() - start
    _, status, used = ended
    if status != 0:
        sys.exit(f"{command}: {log.read_text()[-2000:]}")
    return wall, used.ru_utime + used.ru_stime, server.cpu_seconds() - before, rss / 1024


def file_bytes(folder):
    return sum(f.stat().st_size for f in folder.rglob("*.parquet") if "_delta_log" not in f.parts)


def lines(others, store, server, stream, events, place, number):
    """What there is to run, each with its folder."""
    port = str(server.port)
    for mode in ("none", "all", "explicit"):
        folder = place / f"{number}-bare-{mode}"
        bare = [BARE, port, stream, folder.name, mode, str(events)]
        yield f"bare reader, ack {mode}", bare, folder, {}
        folder = place / f"{number}-varve-{mode}"
        name = {"none": "position", "all": "durable", "explicit": "durable, explicit acks"}[mode]
        yield f"varve {name}", varve_command(server, stream, folder.name, mode, folder), folder, {}
    if store is not None:
        yield bucket_line(server, stream, store, place, number)
    for name, command, modes, extra in others:
        for mode in modes:
            folder = place / f"{number}-{name.split(',')[0]}-{mode}"
            folder.mkdir()
            arguments = [server.url, stream, folder.name, mode, str(events), str(folder)]
            yield f"{name}, ack {mode}", [*command, *arguments], folder, extra


def table(results, events):
    rust = {mode: f"Rust, ack {mode}" for mode in ("none", "explicit")}
    bare = {mode: f"bare reader, ack {mode}" for mode in ("none", "all", "explicit")}
    compared = {
        "varve position": (bare["none"], rust["none"]),
        "varve durable": (bare["all"], rust["explicit"]),
        "varve durable, explicit acks": (bare["explicit"], rust["explicit"]),
    }
    medians = {name: [statistics.median(c) for c in zip(*runs, strict=True)]
               for name, runs in results.items()}  # fmt: skip
    print(f"{'':32} {'events/s':>9} {'CPU s/M':>8} {'server':>7} {'RSS MiB':>8} {'B/row':>6}")
    for name, (wall, cpu, served, rss, size) in medians.items():
        million = 1e6 / events
        print(f"{name:32} {events / wall:9,.0f} {cpu * million:8.2f} {served * million:7.2f} "
              f"{rss:8.1f} {size / events:6.1f}")  # fmt: skip
    for name, (reader, peer) in compared.items():
        text = f"{medians[reader][0] / medians[name][0]:.2f} of the rate of the bare reader"
        if peer in medians:
            text += f", {medians[peer][0] / medians[name][0]:.2f} of that of Rust"
            text += f" at {medians[name][1] / medians[peer][1]:.2f} of its CPU"
        print(f"{name}: {text}")
    if BUCKET in medians:
        share = medians["varve durable"][0] / medians[BUCKET][0]
        print(f"{BUCKET}: {share:.2f} of the rate to a directory")


def run(server, stream, others, store, rounds, scale, place):
    events, settings = STREAMS[stream]
    events = int(events * scale)
    server.add_stream(stream)
    server.generate(events, stream=stream, **settings)
    results = {}
    for number in range(rounds):
        for name, command, folder, extra in lines(
            others, store, server, stream, events, place, number
        ):
            used = measured(command, server, place / "log", extra)
            size = file_bytes(folder) if folder.exists() else 0
            results.setdefault(name, []).append((*used, size))
            shutil.rmtree(folder, ignore_errors=True)
        forget(server, stream)
    print(f"\n{stream}: {events:,} events, medians of {rounds} rounds in turn")
    table(results, events)
    server.delete_stream(stream)
    return statistics.median(cpu for _, cpu, *_ in results["varve position"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("streams", nargs="*", choices=STREAMS, default=list(STREAMS))
    arguments = parser.parse_args()
    binary = next((b for b in reversed(server_binaries().values()) if b), None)
    if binary is None:
        sys.exit("nats-server is not here: make setup-test")
    others = list(peers())
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        place = Path(name)
        store = None
        if s3_support.VERSITYGW.exists():
            store = stack.enter_context(s3_support.Versitygw(place / "store"))
        server = Server(binary, place / "nats").start()
        try:
            cpu = {}
            for stream in arguments.streams:
                cpu[stream] = run(
                    server, stream, others, store, arguments.rounds, arguments.scale, place
                )
            if "small" in cpu and "many" in cpu:
                ratio = cpu["many"] / cpu["small"]
                print(f"\nvarve position: a hundred simulations take {ratio:.2f} of the CPU of one")
        finally:
            server.stop()


main()
