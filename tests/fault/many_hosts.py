# SPDX-License-Identifier: MIT
"""Many hosts, one table: three nats-servers as a cluster, four varves, one bucket. First each varve
has a part of the subjects and a consumer of its own, while events are published; then all share a
consumer and drain the same stream into a second table. Both times a varve and a server are killed on
the way. What the server counts by simulation has to be what Spark, as a cluster of two workers, finds
in the tables.

    PYTHONPATH=tests build/venv/bin/python tests/fault/many_hosts.py [--events N] [--way parts]

tests/soak/hosts runs it with 10 million, make test with a few.
"""

import argparse
import collections
import datetime
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import deltalake
import s3_support
import spark_support
from cluster import Cluster
from support import GEN, VARVE, Runner, server_binaries, wait_for

VARVES = 4
SIMULATIONS = 20
PAYLOAD = 100
KILLED = 1  # which of the varves
STOPPED_EARLY = "stopped before the end of the streams was reached"  # which says run --once

# What a user writes into nats-server.conf: by the simulation, which is a token of the subject.
MAPPING = """mappings {
  "logging.events.raw.*": "logging.events.part.{{partition(4,1)}}.{{wildcard(1)}}"
}"""

WAYS = {
    "parts": lambda number: {
        "subjects": [f"logging.events.part.{number}.*"],
        "consumer": f"varve-{number}",
    },
    "shared": lambda number: {
        "subjects": ["logging.events.part.*.*"],
        "consumer": "all",
        "shared": True,
    },
}
CONSUMERS = {"parts": [f"varve-{number}" for number in range(VARVES)], "shared": ["all"]}

CLUSTER_OF_SPARK = {
    "master": "local-cluster[2,1,1024]",
    # Short work pays neither for the best code nor for threads that collect garbage.
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.hadoop.fs.s3a.access.key": s3_support.ACCESS_KEY,
    "spark.hadoop.fs.s3a.secret.key": s3_support.SECRET_KEY,
    "spark.hadoop.fs.s3a.endpoint.region": s3_support.REGION,
    "spark.hadoop.fs.s3a.path.style.access": "true",
    "spark.sql.shuffle.partitions": "2",
}


def url(way):
    return f"s3://varve-test/{way}"


class Publisher:
    """A thread that has varve-gen publish `count` events, by portions; one that fails, because its
    server is gone or elects, is done again, and has its events in the stream once."""

    def __init__(self, cluster, count):
        self.cluster = cluster
        self.count = count
        self.done = 0
        self.failed = 0
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            portion = max(self.count // 100, 500)
            for first in range(0, self.count, portion):
                self.publish(first, min(portion, self.count - first))
                self.done = min(first + portion, self.count)
        except Exception as error:  # told by stop()
            self.failure = error

    def publish(self, first, count):
        options = {
            "count": count,
            "start-index": first,
            "subject": "logging.events.raw.*",
            "simulations": SIMULATIONS,
            "payload-bytes": PAYLOAD,
            "per-hour": self.count // 2,  # so that a partition gets rows for a while
            "rate": 0 if self.count > 1_000_000 else 2000,
        }
        words = [f"--{name}={value}".split("=") for name, value in options.items()]
        deadline = time.monotonic() + 300
        while True:
            server = self.cluster.alive().url
            command = [GEN, "--server", server, "--deduplicate", *sum(words, [])]
            out = subprocess.run(command, capture_output=True, text=True)
            if out.returncode == 0:
                return
            self.failed += 1
            assert time.monotonic() < deadline, out.stderr
            time.sleep(0.2)  # not more often

    def stop(self):
        self.thread.join()
        if self.failure is not None:
            raise self.failure


class Hosts:
    """Four varves on one table."""

    def __init__(self, directory, cluster, store, way, **more):
        self.cluster = cluster
        self.store = store
        self.way = way
        self.more = more
        self.runners = [Runner(directory / f"{way}-{i}", None) for i in range(VARVES)]
        for runner in self.runners:
            runner.directory.mkdir()
        self.started = []
        self.runs = [self.start(number) for number in range(VARVES)]

    def start(self, number, *args):
        config = self.runners[number].config(
            nats={"servers": self.cluster.urls, "name": f"varve-{number}"},
            sources=[{"stream": "LOGGING", **WAYS[self.way](number)}],
            consumer={"manage": "update"},  # see bring_back
            **self.more,
        )
        del config["output"]["log_output_directory"]
        config["output"] |= {
            "url": url(self.way),
            "s3": {
                "endpoint": self.store.endpoint,
                "access_key_id": s3_support.ACCESS_KEY,
                "secret_access_key": s3_support.SECRET_KEY,
            },
        }
        run = self.runners[number].start(*args, config=config)
        run.killed = False
        self.started.append(run)
        return run

    def lines(self, event):
        return [line for run in self.started for line in run.lines(event)]

    def rows(self):
        return sum(line["rows"] for line in self.lines("committed"))

    def check_alive(self):
        for run in self.runs:
            assert run.process.poll() is None or run.killed, run.text()

    def wait_rows(self, count):
        def has_rows():
            self.check_alive()
            return self.rows() >= count

        wait_for(has_rows, f"{count} rows", patience(count))

    def kill(self, number):
        self.runs[number].killed = True
        self.runs[number].stop(signal.SIGKILL)

    def consumers(self):
        names = CONSUMERS[self.way]

        async def work(js):
            return [await js.consumer_info("LOGGING", name) for name in names]

        return self.cluster.ask(work)

    def has_all(self):
        self.check_alive()
        return all(c.num_pending == 0 for c in self.consumers())

    def is_acked(self):
        return all(c.num_pending == 0 and c.num_ack_pending == 0 for c in self.consumers())

    def once_each(self):
        for number in range(VARVES):
            run = self.start(number, "--once")
            # It waits for what the server has not taken back yet: that is for the next round.
            wait_until = time.monotonic() + 30
            while run.process.poll() is None and time.monotonic() < wait_until:
                time.sleep(0.1)
            early = run.process.poll() is None
            assert run.stop() == 0 or (early and STOPPED_EARLY in run.text()), run.text()

    def close(self):
        for runner in self.runners:
            runner.close()


def patience(events):
    return 300 + events / 500


def stream_counts(cluster):
    """What the stream holds, by the last token of the subject: its simulation, or none."""
    info = cluster.ask(lambda js: js.stream_info("LOGGING", subjects_filter=">"))
    found = collections.Counter()
    for subject, count in info.state.subjects.items():
        found[subject.rsplit(".", 1)[1]] += count
    return dict(found), info.state


def bring_back(cluster, consumers):
    """What a dead varve held of a consumer that others share comes to them after ack_wait, which is
    ten minutes. Nobody drains now: have the server take it back at once. Who comes next sets
    ack_wait as it was."""

    async def work(js):
        for name in consumers:
            config = (await js.consumer_info("LOGGING", name)).config
            config.ack_wait = 1
            await js.add_consumer("LOGGING", config)

    cluster.ask(work)
    time.sleep(2)  # the server looks at its clock, and shows nothing of it


def disturb(hosts, events, say):
    """Kill a varve and a server, and start them again, between a quarter and the half."""
    hosts.wait_rows(events // 4)
    hosts.kill(KILLED)
    leader = hosts.cluster.consumer_leader(CONSUMERS[hosts.way][-1])
    leader.stop(signal.SIGKILL)
    say(f"varve {KILLED} and server {leader.name} killed at {hosts.rows()} rows")
    hosts.wait_rows(events // 4 + events // 5)
    leader.start()
    hosts.runs[KILLED] = hosts.start(KILLED)
    say(f"both started again at {hosts.rows()} rows")


def drain(hosts, events, say, publisher=None):
    began = time.monotonic()
    disturb(hosts, events, say)
    if publisher is not None:
        publisher.stop()
        say(f"published; {publisher.failed} portions done again")
    wait_for(hosts.has_all, "all is delivered", patience(events))
    for run in hosts.runs:
        assert run.stop() == 0, run.text()
    seconds = time.monotonic() - began
    rounds = 1
    while not hosts.is_acked():
        assert rounds < 10, hosts.consumers()
        bring_back(hosts.cluster, CONSUMERS[hosts.way])
        hosts.once_each()
        rounds += 1
    commits = hosts.lines("committed")
    conflicts = sum(line.get("conflicts", 0) for line in commits)
    say(f"{hosts.way}: {seconds:.0f} s, {len(commits)} commits, {conflicts} conflicts")


def expect(found, counts, messages, way):
    """`found` are rows of simulation, count, count of different sequences."""
    assert {row[0] or "none": row[1] for row in found} == counts, way
    assert sum(row[2] for row in found) == messages, way


def count_with_spark(directory, store, ways, counts, messages, say):
    settings = {**CLUSTER_OF_SPARK, "spark.hadoop.fs.s3a.endpoint": store.endpoint}
    jars = (spark_support.JARS, spark_support.S3_JARS)
    spark = spark_support.Spark(directory, jars, **settings)
    try:
        for way in ways:
            began = time.monotonic()
            found = spark.ask(
                sql="SELECT simulation_id, count(*), count(DISTINCT stream_seq) "
                f"FROM delta.`{url(way).replace('s3:', 's3a:')}` GROUP BY simulation_id"
            )["rows"]
            expect(found, counts, messages, way)
            say(f"Spark counts {way}: exact, {time.monotonic() - began:.0f} s")
    finally:
        spark.close()


def count_with_deltalake(store, ways, counts, messages, say):
    import pyarrow.compute as pc

    options = s3_support.environment(
        AWS_ENDPOINT_URL=store.endpoint, AWS_REGION=s3_support.REGION, AWS_ALLOW_HTTP="true"
    )
    for way in ways:
        table = deltalake.DeltaTable(url(way), storage_options=options)
        rows = table.to_pyarrow_table(columns=["simulation_id", "stream_seq"])
        assert pc.count_distinct(rows["stream_seq"]).as_py() == messages, way
        by = rows.group_by("simulation_id").aggregate([("stream_seq", "count_distinct")])
        found = zip(*(by[name].to_pylist() for name in by.column_names), strict=True)
        found = {row["simulation_id"]: row["stream_seq_count_distinct"] for row in by.to_pylist()}
        rows = collections.Counter(rows["simulation_id"].to_pylist())
        expect([(s, rows[s], found[s]) for s in found], counts, messages, way)
        say(f"deltalake counts {way}: exact")


def look(store, ways, say):
    """varve itself on both tables; and nothing is left of any commit."""
    environment = s3_support.environment(AWS_ENDPOINT_URL=store.endpoint)
    for way in ways:
        out = subprocess.run(
            [VARVE, "verify", url(way)], capture_output=True, text=True, env=environment
        )
        assert out.returncode == 0, out.stdout + out.stderr
        say(f"varve verify {url(way)}: {out.stdout.strip().splitlines()[-1]}")
        keys = store.keys(f"{way}/")
        assert not [key for key in keys if "/.pending" in key]
        entries = sum(key.endswith(".json") and "_delta_log" in key for key in keys)
        files = sum(key.endswith(".parquet") and "_delta_log" not in key for key in keys)
        say(f"{way}: {entries} entries in the log, {files} files")


def go(directory, binary, events, ways, say, max_age, compaction):
    more = {"batching": {"max_age": max_age}, "compaction": compaction}
    cluster = Cluster(binary, directory)
    for node in cluster.nodes.values():
        node.configure(MAPPING)
    try:
        cluster.start()
        with s3_support.server("versitygw", directory / "store") as store:
            cluster.ask(
                lambda js: js.add_stream(
                    name="LOGGING", subjects=["logging.events.part.*.*"], num_replicas=3
                )
            )
            publisher = Publisher(cluster, events)
            for way in ways:
                hosts = Hosts(directory, cluster, store, way, **more)
                try:
                    drain(hosts, events, say, publisher if way == ways[0] else None)
                finally:
                    hosts.close()
            counts, state = stream_counts(cluster)
            cluster.stop()
            say(f"the stream has {state.messages} messages of {len(counts)} simulations")
            assert state.messages == state.last_seq >= events and len(counts) == SIMULATIONS + 1
            if spark_support.is_here(s3=True):
                count_with_spark(directory, store, ways, counts, state.messages, say)
            else:
                count_with_deltalake(store, ways, counts, state.messages, say)
            look(store, ways, say)
    finally:
        cluster.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--max-age", default="10s")
    parser.add_argument("--way", choices=WAYS, help="the one alone")
    parser.add_argument("--directory", help="where there is room; left there afterwards")
    arguments = parser.parse_args()
    ways = [arguments.way] if arguments.way else list(WAYS)
    binaries = server_binaries()
    binary = binaries["newest"] or binaries["debian"] or sys.exit("nats-server is not here")

    def say(text):
        print(f"{datetime.datetime.now():%H:%M:%S} {text}", flush=True)

    def run(directory):
        compaction = {"interval": "60s", "after": "20s"}
        go(Path(directory), binary, arguments.events, ways, say, arguments.max_age, compaction)

    if arguments.directory:
        run(arguments.directory)
    else:
        with tempfile.TemporaryDirectory(prefix="varve-hosts-") as directory:
            run(directory)


if __name__ == "__main__":
    main()
