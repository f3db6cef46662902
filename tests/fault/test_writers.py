# SPDX-License-Identifier: MIT
"""Many writers, one directory: streams, generations of a stream and pipelines whose rows have the
same simulations, hours and sequences, so that they all want the same names for their files."""

from collections import Counter

from deltalake import DeltaTable

from generator import Load
from support import SUBJECT, Output, check_verify, repeat_until, wait_for

SMALL = {"max_rows": 100, "max_age": "100ms"}
COUNT = 1500


def publish(server, seeds):
    """The same number of events into each stream, as fast as they go."""
    for stream, seed in seeds.items():
        subject = SUBJECT if stream == "LOGGING" else stream.lower()
        server.generate(
            COUNT, seed=seed, simulations=2, per_hour=500, stream=stream, subject=subject
        )


def event_ids(*seeds):
    loads = [Load(seed=seed, simulations=2, per_hour=500) for seed in seeds]
    return Counter(event.row["event_id"] for load in loads for event in load.run(COUNT))


def stored(root):
    """Rows of the table, each as often as it is there."""
    return DeltaTable(root).to_pyarrow_dataset().count_rows()


def test_all_into_one_directory(any_server, make_runner):
    a, b = make_runner(any_server), make_runner(any_server)
    assert a.output == b.output
    first = {"LOGGING": 101, "SECOND": 101, "THIRD": 101}
    publish(any_server, first)
    runs = [
        a.start(
            nats={"name": "a"},
            sources=[{"stream": "LOGGING"}, {"stream": "SECOND", "subjects": ["second"]}],
            batching=SMALL,
        ),
        b.start(
            nats={"name": "b"},
            sources=[{"stream": "THIRD", "subjects": ["third"], "delivery": "position"}],
            batching=SMALL,
        ),
    ]
    runs[0].wait_rows(2 * COUNT)
    any_server.delete_stream("LOGGING")
    any_server.generate(COUNT, seed=102, simulations=2, per_hour=500)
    any_server.generate(
        COUNT, seed=103, simulations=2, per_hour=500, stream="THIRD", subject="third"
    )
    runs[0].wait_rows(3 * COUNT)
    runs[1].wait_rows(2 * COUNT)
    for run in runs:
        assert run.stop() == 0, run.text()
    # And two whose batches are the same, however fast either was.
    publish(any_server, {"FOURTH": 101, "FIFTH": 101})
    for runner, name, stream in ((a, "a", "FOURTH"), (b, "b", "FIFTH")):
        source = {"stream": stream, "subjects": [stream.lower()]}
        runner.once(nats={"name": name}, sources=[source], batching={"max_rows": 100})

    output = Output(a.output)
    # The same load five times, and two others.
    expected = event_ids(101, 101, 101, 101, 101, 102, 103)
    assert Counter(output.table()["event_id"].to_pylist()) == expected
    table = DeltaTable(a.output)
    assert Counter(table.to_pyarrow_table()["event_id"].to_pylist()) == expected
    assert len(table.file_uris()) == len(output.files())
    names = [path.stem for path in output.files()]
    assert any(name.count("-") > 1 for name in names), "no two wanted the same name"
    assert not output.leftovers()
    check_verify(a.output)


def test_two_writers_are_killed_all_the_time(any_server, make_runner):
    """Each finds its own unfinished work, and leaves the other's alone."""
    streams = {"LOGGING": 104, "SECOND": 105}
    publish(any_server, streams)
    settings = [
        {"nats": {"name": "a"}, "sources": [{"stream": "LOGGING"}], "batching": SMALL},
        {
            "nats": {"name": "b"},
            "sources": [{"stream": "SECOND", "subjects": ["second"]}],
            "batching": SMALL,
        },
    ]
    runner = make_runner(any_server)
    for commits in range(1, 9):
        runs = [runner.start("--once", **one) for one in settings]
        wait_for(
            lambda runs=runs, commits=commits: any(
                len(run.lines("committed")) >= commits % 3 or run.process.poll() is not None
                for run in runs
            ),
            "a commit",
        )
        for run in runs:
            run.process.kill()
            run.process.wait()
    for one in settings:
        runner.once(**one)
    output = Output(runner.output)
    assert Counter(output.table()["event_id"].to_pylist()) == event_ids(104, 105)
    assert not output.leftovers()
    check_verify(runner.output)


def test_two_that_drain_one_stream_without_acks(any_server, make_runner):
    """Both get every event. One stores them, the other one steps back, and takes over when the
    first one is gone: nothing is stored twice, and nobody starts over again and again."""
    runner = make_runner(any_server)
    any_server.generate(COUNT, seed=200, simulations=2, per_hour=500)
    runs = {
        name: runner.start(
            nats={"name": name},
            sources=[{"stream": "LOGGING", "delivery": "position"}],
            batching=SMALL,
        )
        for name in ("a", "b")
    }
    for run in runs.values():
        run.wait_line("consumer_made")
    sent = COUNT

    def more():
        nonlocal sent
        any_server.generate(COUNT, seed=200 + sent, simulations=2, per_hour=500)
        sent += COUNT
        wait_for(lambda: stored(runner.output) == sent, "all rows")

    def stands_by():
        return any(run.lines("stands_by") for run in runs.values())

    repeat_until(stands_by, more, "one of them steps back")
    for _ in range(3):
        more()
    assert sum(len(run.lines("stands_by")) for run in runs.values()) == 1
    assert sum(len(run.lines("starting_over")) for run in runs.values()) == 1
    second = next(name for name, run in runs.items() if run.lines("stands_by"))
    first = runs.pop("a" if second == "b" else "b")
    first.process.kill()
    first.process.wait()
    any_server.generate(COUNT, seed=200 + sent, simulations=2, per_hour=500)
    sent += COUNT
    wait_for(lambda: stored(runner.output) == sent, "the other one to take over")
    assert runs[second].lines("takes_over")
    assert runs[second].stop() == 0
    ids = DeltaTable(runner.output).to_pyarrow_table(columns=["stream_seq"])["stream_seq"]
    assert sorted(ids.to_pylist()) == list(range(1, sent + 1))
    check_verify(runner.output)
