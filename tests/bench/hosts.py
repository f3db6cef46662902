# SPDX-License-Identifier: MIT
"""Several varves on one table: how fast four are beside one, and what commits cost that meet those
of others.

    build/venv/bin/python tests/bench/hosts.py rate [--rounds N] [--scale F]
    build/venv/bin/python tests/bench/hosts.py conflicts [--scale F]

`rate`: a stream in memory and a versitygw on /dev/shm, so that no disk limits; one varve drains all
parts of the subjects, then four drain two each, in turns. All on this machine: a ratio below 4 is
the machine's, unless it has cores to spare.

`conflicts`: 1, 2, 4 and 8 varves that commit about ten times a second each, an epoch of one file, to
versitygw and to a directory. Of each: commits a second, how many of them met another's entry
(varve_commit_conflicts_total; one may meet several), the time of a commit, and in a bucket the
requests of one.
"""

import re
import resource
import subprocess
import time
import urllib.request

from bench_support import cpu_of, in_turns, nats_server, parser, scaled, workplace
import s3_support  # bench_support says where it is
from figures import Figures
from support import GEN, Runner, end, free_port, wait_for

EVENTS, SECONDS = 1_000_000, 20
PARTS = 8
MAPPING = """mappings {{
  "logging.events.raw.*": "logging.events.part.{{{{partition({parts},1)}}}}.{{{{wildcard(1)}}}}"
}}"""


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


def partitioned(place):
    """A server that deals the subjects of a stream, which is in memory."""
    return nats_server(place / "nats", extra=MAPPING.format(parts=PARTS))


def ended_cpu():
    """Seconds of CPU of all programs that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def drained(place, server, store, count, output, events):
    """Seconds that so many varves took for all of it, together; and of CPU, they, the server and the
    store."""

    def cpu():
        return ended_cpu(), server.cpu_seconds(), cpu_of(store.process.pid)

    before, began = cpu(), time.monotonic()
    share = PARTS // count
    runs = [
        start(place, server, n, range(n * share, (n + 1) * share), output, "--once")
        for n in range(count)
    ]
    for run, _ in runs:
        assert run.wait(3600) == 0, run.text()
    took = time.monotonic() - began
    rows = sum(line["rows"] for run, _ in runs for line in run.lines("committed"))
    assert rows == events, f"{rows} rows of {events} events"
    return took, *(after - b for after, b in zip(cpu(), before, strict=True))


def rate(place, arguments):
    events = scaled(EVENTS, arguments.scale, 1000)
    store = s3_support.Versitygw(place / "store")
    with partitioned(place) as server, store:
        server.add_stream(subjects=["logging.events.part.*.*"], storage="memory")
        assert publish(server, events).wait() == 0

        def works(turn):
            for count in (1, 4):
                prefix = f"t{turn}-{count}"
                output = {**store.settings(prefix), "min_free": 0, "prefix": prefix}
                where = place / prefix
                yield (
                    count,
                    lambda c=count, o=output, w=where: drained(w, server, store, c, o, events),
                )

        results = in_turns(arguments.rounds, works)
    table = Figures(f"hosts: {events:,} events to one table in a bucket, all in memory")
    one = results[1][0]
    for count, name in ((1, "one varve"), (4, "four varves")):
        took, *cpu = results[count]
        beside = ("one", one / took) if count > 1 else ()
        table.row(name, events / took, "events/s", *beside)
        for seconds, whose in zip(cpu, ("CPU s/M", "server's", "store's"), strict=True):
            table.row(name, seconds * 1e6 / events, whose)


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
    """What metrics counted meanwhile."""
    more = {"batching": {"max_age": "100ms"}, "compaction": False}
    share = PARTS // count
    runs = [
        start(place, server, n, range(n * share, (n + 1) * share), output, **more)
        for n in range(count)
    ]
    rate = 100 * count
    load = publish(server, rate * 3600, rate, simulations=64)
    try:
        found, took = watch(runs, seconds)
    finally:
        end(load)
        statuses = [run.stop() for run, _ in runs]
    assert not any(statuses), [run.text() for run, _ in runs]
    return found, took


def conflicts(place, arguments):
    seconds = scaled(SECONDS, arguments.scale, 2)
    store = s3_support.Versitygw(place / "store")
    with partitioned(place) as server, store:
        server.add_stream(subjects=["logging.events.part.*.*"], storage="memory")
        for where in ("bucket", "directory"):
            table = Figures(f"hosts: commits of ten a second each that meet others, in a {where}")
            for count in (1, 2, 4, 8):
                prefix = f"{where}-{count}"
                output = {"log_output_directory": str(place / prefix), "min_free": 0}
                if where == "bucket":
                    output = {**store.settings(prefix), "min_free": 0}
                # One folder, so that an epoch is one file.
                output |= {"prefix": prefix, "path_template": "{instance}/{first_seq}.parquet"}
                runs = place / f"{prefix}-runs"
                found, took = conflicts_of(runs, server, count, output, seconds)
                server.ask(lambda js: js.purge_stream("LOGGING"))
                tell(table, f"{count} varve{'s' if count > 1 else ''}", found, took)


def tell(table, what, found, took):
    commits = max(found["varve_commit_seconds_count"], 1)
    table.row(what, commits / took, "commits/s")
    table.row(what, 100 * found["varve_commit_conflicts_total"] / commits, "% met others")
    table.row(what, 1000 * found["varve_commit_seconds_sum"] / commits, "ms a commit")
    if found["requests"]:
        table.row(what, found["requests"] / commits, "requests")
        table.row(what, 1000 * found["request_seconds"] / found["requests"], "ms a request")


def main():
    options = parser(__doc__)
    options.add_argument("what", choices=[[], "rate", "conflicts"], nargs="*", default=[])
    arguments = options.parse_args()
    if not s3_support.VERSITYGW.exists():
        Figures("hosts").left_out("several varves on one table", "no versitygw: make setup-test")
        return
    for what in arguments.what or ("rate", "conflicts"):
        with workplace(memory=True) as place:
            {"rate": rate, "conflicts": conflicts}[what](place, arguments)


if __name__ == "__main__":
    main()
