# SPDX-License-Identifier: MIT
"""The same stream drained by varve, by bare readers that throw everything away, and by what people
would write instead; each as a whole process, in turns. Where versitygw is here varve also drains to a
bucket on the same disk.

    build/venv/bin/python tests/bench/drain.py [--rounds N] [--scale F] [--without-peers] [STREAM...]

STREAM is one of: small (a million events of about 300 bytes), large (100,000 of 4 KiB), many (a
million of a hundred simulations, interleaved). A peer whose toolchain is missing is left out, by
name.
"""

import contextlib
import shutil
import sys

from bench_support import (
    built,
    drain_command,
    in_turns,
    measured,
    nats_server,
    parser,
    scaled,
    workplace,
)
import s3_support  # bench_support says where it is
from figures import Figures
from support import BUILD, ROOT, SUBJECT

BARE = BUILD / "bench/bare"
PEERS = ROOT / "tests/bench/peers"
STREAMS = {  # events, and what varve-gen is to be told
    "small": (1_000_000, {"simulations": 1, "payload_bytes": 120, "per_hour": 10**8}),
    "large": (100_000, {"simulations": 1, "payload_bytes": 4096, "per_hour": 10**8}),
    "many": (1_000_000, {"simulations": 100, "payload_bytes": 120, "per_hour": 10**8}),
}
# By the acks: what it is called, its share of the bare reader's rate, and beside which Rust program;
# of that its share of the rate, and of the CPU time.
VARVES = {
    "none": ("varve position", ">= 0.90", "none", ">= 2"),
    "all": ("varve durable", ">= 0.90", "explicit", ">= 2.5"),
    "explicit": ("varve durable, explicit acks", ">= 0.95", "explicit", ""),
}
CPU_OF_RUST = "<= 0.33"
RSS = "<= 64"  # MiB, at the defaults with one simulation
# A server pays for each delivery that waits for its ack. The bare reader acks every 10,000 messages;
# this one does when varve does, which is once a commit.
HELD = "bare, one ack a commit"
BUCKET, BUCKET_RATE = "varve durable, to a bucket", ">= 0.80"
INTERLEAVED = "<= 1.2"  # of the CPU time of one simulation


def peers(missing):
    """The peers that can be built here, and which ways to ack each has; what not goes to `missing`."""
    folder = BUILD / "bench"
    cargo = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", folder / "rust"]
    protoc = ["protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={folder}", "event.proto"]
    libnats, rust, go, module = (
        folder / name for name in ("libnats", "rust/release/peer", "go", "event_pb2.py")
    )
    gcc = ["gcc", "-O2", "-o", libnats, PEERS / "libnats.c", "-lnats"]
    python = [sys.executable, PEERS / "design.py"]
    both, none = ("none", "explicit"), {}
    for name, command, modes, target, by, more in (
        ("libnats", [libnats], both, libnats, gcc, none),
        ("Rust", [rust], both, rust, cargo, {"cwd": PEERS / "rust"}),
        ("Go", [go], both, go, ["go", "build", "-o", go, "."], {"cwd": PEERS / "go"}),
        ("Python", python, ("explicit",), module, protoc, none),
    ):
        why = built(target, *by, **more)
        if why:
            missing.append((name, why))
        else:
            yield name, command, modes, {"PYTHONPATH": str(folder)} if name == "Python" else {}


def make_explicit(server, stream, consumer):
    """A consumer with an ack for each message, which varve keeps as it is."""
    from nats.js.api import AckPolicy, ConsumerConfig

    config = ConsumerConfig(
        durable_name=consumer,
        ack_policy=AckPolicy.EXPLICIT,
        max_ack_pending=-1,
        ack_wait=600,
        filter_subject=SUBJECT,
    )
    server.ask(lambda js: js.add_consumer(stream, config))


def forget(server, stream):
    """The consumers of a round."""

    async def delete(js):
        for consumer in await js.consumers_info(stream):
            await js.delete_consumer(stream, consumer.name)

    server.ask(delete)


def file_bytes(folder):
    return sum(f.stat().st_size for f in folder.rglob("*.parquet") if "_delta_log" not in f.parts)


def commits(folder):
    """Those that brought rows."""
    return sum('"add"' in entry.read_text() for entry in folder.glob("_delta_log/*.json"))


class Round:
    """What there is to run, each once."""

    def __init__(self, place, server, stream, events, others, store, keep):
        self.place, self.server, self.stream, self.events = place, server, stream, events
        self.others, self.store = others, store
        self.keep, self.done = keep, []
        self.commits = 0  # of what was drained last

    def clean(self):
        """Remove what was written. Not before the last round where that is hundreds of files: some
        file systems (ext4 without a journal) pass over what was removed in the last minutes one by
        one, and whoever makes files next pays for it: 0.3 s of CPU for 460 of them."""
        while self.done:
            shutil.rmtree(self.done.pop(), ignore_errors=True)

    def drained(self, command, folder, **environment):
        """What it used, and the bytes a row of what it wrote."""
        used = measured(command, self.server, **environment)
        size = file_bytes(folder) if folder.exists() else 0
        self.commits = commits(folder)
        self.done.append(folder)
        if not self.keep:
            self.clean()
        return (*used, size / self.events)

    def varve(self, name, mode, **more):
        if mode == "explicit":
            make_explicit(self.server, self.stream, name)
        source = {"stream": self.stream, "delivery": "position" if mode == "none" else "durable"}
        return drain_command(self.place, self.server, name, source, **more)

    def bare(self, name, mode, *each):
        command = [BARE, self.server.port, self.stream, f"{name}-{mode}", mode, self.events, *each]
        return self.drained(command, self.place / "-")

    def works(self, number):
        for mode, (name, *_) in VARVES.items():
            yield f"bare reader, ack {mode}", lambda mode=mode: self.bare(f"{number}-bare", mode)
            consumer = f"{number}-varve-{mode}"
            command = self.varve(consumer, mode)
            folder = self.place / consumer
            yield name, lambda c=command, f=folder: self.drained(c, f)
            if mode == "all":
                each = self.events // self.commits
                yield HELD, lambda each=each: self.bare(f"{number}-held", "all", each)
        if self.store is not None:
            name = f"{number}-varve-bucket"
            command = self.varve(name, "all", output=self.store.settings(name))
            yield BUCKET, lambda: self.drained(command, self.store.path(name))
        for name, command, modes, environment in self.others:
            for mode in modes:
                folder = self.place / f"{number}-{name}-{mode}"
                folder.mkdir()
                arguments = [self.server.url, self.stream, folder.name, mode, self.events, folder]
                yield (
                    f"{name}, ack {mode}",
                    lambda c=[*command, *arguments], f=folder, e=environment: self.drained(c, f, **e),
                )
        forget(self.server, self.stream)


def report(table, results, events, one_simulation):
    """The aims are those of events of one simulation of 300 bytes."""
    rates = {name: events / wall for name, (wall, *_) in results.items()}
    millions = {name: cpu * 1e6 / events for name, (_, cpu, *_) in results.items()}
    aims = {name: (mode, *aims) for mode, (name, *aims) in VARVES.items()}
    for name, (_, _, served, rss, size) in results.items():
        rate, each = (rates[name], "events/s"), (millions[name], "CPU s/M")
        beside = []
        if name in aims:
            mode, of_bare, acks, of_rust = aims[name]
            bare, rust = f"bare reader, ack {mode}", f"Rust, ack {acks}"
            beside.append((*rate, bare, rate[0] / rates[bare], of_bare))
            if mode == "all":
                beside.append((*rate, HELD, rate[0] / rates[HELD]))
            if rust in results:
                beside.append((*rate, rust, rate[0] / rates[rust], of_rust))
                beside.append((*each, rust, each[0] / millions[rust], CPU_OF_RUST))
            else:
                beside.append(each)
            beside.append((rss, "MiB", "", None, RSS if one_simulation else ""))
        elif name == BUCKET:
            share = rate[0] / rates["varve durable"]
            beside += [(*rate, "varve durable", share, BUCKET_RATE), each]
        else:
            beside += [rate, each]
        beside.append((served * 1e6 / events, "server's"))
        if name not in aims:
            beside.append((rss, "MiB"))
        if size:
            beside.append((size, "B/row"))
        for cells in beside:
            table.row(name, *cells)
    return millions["varve position"]


def main():
    options = parser(__doc__)
    options.add_argument("--without-peers", action="store_true")
    options.add_argument("streams", nargs="*", choices=[[], *STREAMS], default=[])
    arguments = options.parse_args()
    missing, cpu = [], {}
    others = [] if arguments.without_peers else list(peers(missing))
    with workplace() as place, contextlib.ExitStack() as stack:
        store = None
        if s3_support.VERSITYGW.exists():
            store = stack.enter_context(s3_support.Versitygw(place / "store"))
        server = stack.enter_context(nats_server(place / "nats"))
        for stream in arguments.streams or STREAMS:
            events, settings = STREAMS[stream]
            events = scaled(events, arguments.scale)
            server.add_stream(stream)
            server.generate(events, stream=stream, **settings)
            simulations = settings["simulations"]
            rounds = Round(place, server, stream, events, others, store, simulations > 1)
            results = in_turns(arguments.rounds, rounds.works)
            rounds.clean()
            server.delete_stream(stream)
            table = Figures(
                f"drain: {events:,} events of {settings['payload_bytes']:,} bytes of payload, "
                f"{simulations} simulation{'s' if simulations > 1 else ''}"
            )
            cpu[stream] = report(table, results, events, stream == "small")
    if "small" in cpu and "many" in cpu:
        ratio = cpu["many"] / cpu["small"]
        table.row(
            "varve position", cpu["many"], "CPU s/M", "its CPU, one simulation", ratio, INTERLEAVED
        )
    if store is None:
        missing.append((BUCKET, "no versitygw: make setup-test"))
    for what, why in missing:
        table.left_out(what, why)


if __name__ == "__main__":
    main()
