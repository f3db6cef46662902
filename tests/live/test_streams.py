# SPDX-License-Identifier: MIT
"""Streams and consumers as one finds them: missing, made again, deleted, of every retention, with
settings that contradict ours."""

import json
import shutil
import signal
import time
from datetime import datetime, timezone

import pytest

from generator import Load
from support import (
    SUBJECT,
    Output,
    check_rows,
    check_verify,
    numbered,
    read_arrow,
    repeat_until,
    verify,
    wait_for,
)

# Many commits, so that there is a middle: what is asked for at once is an eighth of the memory.
SMALL = {"batching": {"max_bytes": "1MiB", "max_age": "500ms"}, "memory_limit": "32MiB"}
POSITION = {"sources": [{"stream": "LOGGING", "delivery": "position"}]}


def make_consumer(server, **settings):
    """A consumer as somebody else would make it."""
    from nats.js.api import AckPolicy, ConsumerConfig

    settings = {"durable_name": "varve", "ack_policy": AckPolicy.EXPLICIT, **settings}
    return server.ask(lambda js: js.add_consumer("LOGGING", ConsumerConfig(**settings)))


# ---- consumers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [[], ["--once"]])
def test_a_consumer_with_other_settings_is_refused(server, varve, args):
    server.generate(50)
    make_consumer(server, ack_wait=30, max_ack_pending=1000)
    run = varve.start(*args)
    assert run.wait() == 1
    last = run.text().splitlines()[-1]
    assert last.startswith("varve: stream LOGGING, consumer varve: ")
    assert "ack_wait is 30s, want 10m" in last
    assert "max_ack_pending is 1000, want 565536" in last
    assert "consumer.manage: update" in last
    assert Output(varve.output).files() == []
    assert server.consumer().num_pending == 50


def test_update_changes_it(server, varve):
    server.generate(50, seed=2)
    make_consumer(server, ack_wait=30, max_ack_pending=1000)
    varve.once(consumer={"manage": "update"})
    config = server.consumer().config
    assert (config.ack_wait, config.max_ack_pending) == (600, 565536)
    rows, _ = numbered(Load(seed=2).run(50))
    check_rows(varve.output, rows)
    varve.once()  # now it fits


def test_more_room_than_needed_is_fine(server, varve):
    server.generate(50, seed=2)
    make_consumer(server, ack_wait=3600, max_ack_pending=-1)
    varve.once()
    config = server.consumer().config
    assert (config.ack_wait, config.max_ack_pending) == (3600, -1)
    rows, _ = numbered(Load(seed=2).run(50))
    check_rows(varve.output, rows)


def test_what_can_not_be_updated_is_refused(server, varve):
    from nats.js.api import AckPolicy

    server.generate(10)
    make_consumer(server, ack_policy=AckPolicy.NONE)
    run = varve.start("--once", consumer={"manage": "update"})
    assert run.wait() == 1
    assert "ack_policy is none, want all" in run.text().splitlines()[-1]


def test_a_push_consumer_is_refused(server, varve):
    server.generate(10)
    make_consumer(server, deliver_subject="deliver.here")
    run = varve.start("--once")
    assert run.wait() == 1
    assert "push" in run.text().splitlines()[-1]


def test_a_consumer_with_priority_groups(any_server, varve):
    """Who pulls would have to name one, and the server says no more than that it was a bad request."""
    any_server.generate(50, seed=6)
    varve.once()
    any_server.generate(50, seed=6, start_index=50)

    async def give_groups(js):
        api = "$JS.API.CONSUMER"
        found = await js._nc.request(f"{api}.INFO.LOGGING.varve", timeout=30)
        config = json.loads(found.data)["config"]
        config |= {"priority_groups": ["a"], "priority_policy": "overflow"}
        body = {"stream_name": "LOGGING", "config": config, "action": "update"}
        place = f"{api}.CREATE.LOGGING.varve.{config['filter_subject']}"
        answer = await js._nc.request(place, json.dumps(body).encode(), timeout=30)
        return json.loads(answer.data)

    answer = any_server.ask(give_groups)
    if "priority_groups" not in answer.get("config", {}):
        pytest.skip("a server before 2.11")
    run = varve.start("--once")
    assert run.wait() == 1
    assert "it has priority_groups, want none" in run.text().splitlines()[-1]
    last = varve.once(consumer={"manage": "update"})
    assert not last.lines("consumer_made")  # it got other settings
    rows, _ = numbered(Load(seed=6).run(100))
    check_rows(varve.output, rows)


def test_what_an_interest_stream_drops_while_its_consumer_is_away_is_lost(server, varve):
    """Whoever deleted it; or its inactive_threshold, which somebody has set."""
    server.add_stream(retention="interest")
    run = varve.start()
    run.wait_line("consumer_made")
    server.generate(50, seed=8)
    run.wait_rows(50)
    server.wait_acked(50)
    assert run.stop() == 0
    server.delete_consumer()
    server.generate(30, seed=8, start_index=50)
    run = varve.start()
    lost = run.wait_line("data_lost")
    assert (lost["first_seq"], lost["last_seq"], lost["at_most"]) == (51, 80, 30)
    server.generate(20, seed=8, start_index=80)
    run.wait_rows(20)
    assert run.stop() == 0
    rows, _ = numbered(Load(seed=8).run(100))
    kept = {seq: row for seq, row in rows.items() if not 51 <= seq <= 80}
    check_rows(varve.output, kept, gaps=["51-80"])


def test_bind_waits_for_a_consumer(server, varve):
    server.generate(20, seed=2)
    bind = {"consumer": {"manage": "bind"}}
    run = varve.start("--once", **bind)
    assert "bind" in run.wait_line("source_waiting")["reason"]
    make_consumer(server, ack_wait=600, max_ack_pending=565536, max_deliver=-1)
    assert run.wait() == 0, run.text()
    rows, _ = numbered(Load(seed=2).run(20))
    check_rows(varve.output, rows)


def test_a_consumer_deleted_while_draining_is_made_again(server, varve):
    load = Load(seed=41, simulations=1, payload_bytes=2000)
    server.generate(8000, seed=41, simulations=1, payload_bytes=2000)
    run = varve.start(**SMALL)
    run.wait_line("committed")
    server.delete_consumer()
    run.wait_line("consumer_made", count=2)
    assert run.lines("consumer_recreated")
    run.wait_rows(8000)
    assert run.stop() == 0
    rows, _ = numbered(load.run(8000))
    check_rows(varve.output, rows)


def test_a_consumer_deleted_while_idle_is_made_again(server, varve):
    server.generate(100, seed=4)
    run = varve.start(batching={"max_age": "200ms"})
    run.wait_rows(100)
    server.delete_consumer()
    run.wait_line("consumer_made", count=2)
    server.generate(50, seed=4, start_index=100)
    run.wait_rows(150)
    assert run.stop() == 0
    rows, _ = numbered(Load(seed=4).run(150))
    check_rows(varve.output, rows)


@pytest.mark.parametrize(
    ("start", "expected"),
    [("first", range(1, 31)), ("new", range(21, 31)), (15, range(15, 31))],
)
def test_where_a_new_consumer_starts(any_server, varve, start, expected):
    any_server.generate(20, seed=4)
    run = varve.start(
        sources=[{"stream": "LOGGING", "start": start}], batching={"max_age": "200ms"}
    )
    run.wait_line("consumer_made")
    any_server.generate(10, seed=4, start_index=20)
    run.wait_rows(len(expected))
    assert run.stop() == 0
    rows, _ = numbered(Load(seed=4).run(30))
    check_rows(varve.output, {seq: rows[seq] for seq in expected})


def time_between(server):
    """20 events, 10 events, and a time between them."""
    server.generate(20, seed=4)
    *_, last = server.messages()
    wait_for(lambda: time.time_ns() > last[1] + 2_000_000, "the clock moves on")
    server.generate(10, seed=4, start_index=20)
    first = server.messages()[20][1]
    at = datetime.fromtimestamp((first - 1_000_000) / 1e9, timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize("made", ["for that time", "for all", "later"])
def test_start_at_a_time(any_server, varve, made):
    """Also in a new directory, with a consumer that has acked what it was made for."""
    at = time_between(any_server)
    start = {"for that time": at, "for all": "first", "later": 26}[made]
    source = {"stream": "LOGGING", "start": at}
    rows, _ = numbered(Load(seed=4).run(35))
    if made == "for that time":
        varve.once(sources=[source])
        check_rows(varve.output, {seq: rows[seq] for seq in range(21, 31)})
    else:
        varve.once(sources=[{**source, "start": start}])
    shutil.rmtree(varve.output)
    run = varve.once(sources=[source])
    assert [line["messages"] for line in run.lines("fetched_again")] == [10]
    any_server.generate(5, seed=4, start_index=30)
    again = varve.once(sources=[source])
    assert not again.lines("fetch_again")
    assert not run.lines("data_lost") and not again.lines("data_lost")
    check_rows(varve.output, {seq: rows[seq] for seq in range(21, 36)})
    assert verify(varve.output, "--server", any_server.url)["findings"] == []


def test_start_at_a_time_and_what_was_dropped(server, varve):
    """What the stream drops before that time is no loss; what it drops behind it is one."""
    at = time_between(server)
    source = {"stream": "LOGGING", "start": at}
    varve.once(sources=[{**source, "start": "first"}])
    shutil.rmtree(varve.output)

    async def purge(js):
        await js.purge_stream("LOGGING", seq=12)

    server.ask(purge)
    run = varve.once(sources=[source])
    assert not run.lines("data_lost")
    shutil.rmtree(varve.output)

    async def purge_more(js):
        await js.purge_stream("LOGGING", seq=25)

    server.ask(purge_more)
    run = varve.once(sources=[source])
    (lost,) = run.lines("data_lost")
    assert lost["first_seq"] <= 21 and lost["last_seq"] == 24
    rows, _ = numbered(Load(seed=4).run(30))
    check_rows(varve.output, {seq: rows[seq] for seq in range(25, 31)})


# ---- streams -------------------------------------------------------------------------------------


def test_a_missing_stream_is_waited_for(server, varve):
    run = varve.start(batching={"max_age": "200ms"})
    assert run.wait_line("source_waiting")["stream"] == "LOGGING"
    server.generate(200, seed=5)
    run.wait_rows(200)
    assert run.stop() == 0
    rows, _ = numbered(Load(seed=5).run(200))
    check_rows(varve.output, rows)


def test_stopping_while_a_stream_is_missing(any_server, varve):
    run = varve.start()
    run.wait_line("source_waiting")
    assert run.stop() == 0


def generations(root):
    """The rows of each generation of the stream: {created: {sequence: event_id}}."""
    output = Output(root)
    found = {}
    for path, keys in output.footers().items():
        assert "~" not in keys["varve.stream_created"], "taken for one that was set back"
        rows = found.setdefault(keys["varve.stream_created"], {})
        for row in read_arrow([path], "stream_seq").to_pylist():
            assert row["stream_seq"] not in rows
            rows[row["stream_seq"]] = row["event_id"]
    check_verify(root)
    return [found[created] for created in sorted(found)]


def newest_rows(root):
    """Rows of the newest generation, as the log counts them."""
    rows = {}
    for add in Output(root).adds():
        created = add["tags"]["varve.created"]
        rows[created] = rows.get(created, 0) + json.loads(add["stats"])["numRecords"]
    return rows[max(rows)]


def event_ids(load, count):
    return {seq: row["event_id"] for seq, row in numbered(load.run(count))[0].items()}


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_a_stream_made_again_while_draining(server, varve, delivery):
    """Sequences begin anew; none of the new stream is taken for one of the old."""
    options = {"simulations": 1, "payload_bytes": 2000}
    server.generate(6000, seed=51, **options)
    source = {"stream": "LOGGING", "delivery": delivery}
    run = varve.start(**SMALL, sources=[source])
    run.wait_line("committed")
    server.delete_stream()
    server.generate(3000, seed=52, **options)
    run.wait_line("stream_recreated")
    new = event_ids(Load(seed=52, **options), 3000)
    # By the log alone: between a file and its entry, a running varve is allowed to be.
    wait_for(lambda: newest_rows(varve.output) == 3000, "the new stream is there")
    assert run.stop() == 0
    old, found = generations(varve.output)
    assert found == new
    # Of the old one: what had arrived when it was deleted, without a hole.
    first = event_ids(Load(seed=51, **options), len(old))
    assert old == first


def test_a_stream_made_again_while_idle(server, varve):
    """More messages than before, so that the numbers alone tell nothing."""
    server.generate(300, seed=51)
    run = varve.start(batching={"max_age": "200ms"})
    run.wait_rows(300)
    server.delete_stream()
    server.generate(500, seed=52)
    run.wait_rows(800)
    assert run.lines("stream_recreated")
    assert run.stop() == 0
    assert generations(varve.output) == [
        event_ids(Load(seed=51), 300),
        event_ids(Load(seed=52), 500),
    ]


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_a_stream_made_again_while_varve_was_down(server, varve, delivery):
    settings = {"sources": [{"stream": "LOGGING", "delivery": delivery}]}
    server.generate(300, seed=51)
    varve.once(**settings)
    server.delete_stream()
    server.generate(500, seed=52)
    run = varve.once(**settings)
    assert run.lines("stream_recreated")
    varve.once(**settings)
    assert generations(varve.output) == [
        event_ids(Load(seed=51), 300),
        event_ids(Load(seed=52), 500),
    ]


def test_a_purge_leaves_a_gap(server, varve):
    server.generate(300, seed=53)
    varve.once()
    server.generate(100, seed=53, start_index=300)

    async def purge(js):
        await js.purge_stream("LOGGING", seq=351)

    server.ask(purge)
    varve.once()
    rows, _ = numbered(Load(seed=53).run(400))
    left = {s: r for s, r in rows.items() if s <= 300 or s > 350}
    check_rows(varve.output, left, gaps=["301-350"])


def test_deleted_messages_leave_gaps(server, varve):
    server.generate(100, seed=53)

    async def delete(js):
        for sequence in (1, 50, 51, 52, 99):
            await js.delete_msg("LOGGING", sequence)

    server.ask(delete)
    varve.once()
    rows, _ = numbered(Load(seed=53).run(100))
    gone = (1, 50, 51, 52, 99)
    left = {s: r for s, r in rows.items() if s not in gone}
    check_rows(varve.output, left, gaps=["50-52", "99-99"])


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_a_stream_set_back_to_a_backup(server, varve, delivery, tmp_path):
    """Its newest messages are gone and others get their numbers: they are no duplicates."""
    settings = {"sources": [{"stream": "LOGGING", "delivery": delivery}]}
    server.generate(300, seed=51)
    server.stop()
    shutil.copytree(server.directory / "jetstream", tmp_path / "backup")
    server.start()
    server.generate(200, seed=51, start_index=300)
    varve.once(**settings)
    server.stop()
    shutil.rmtree(server.directory / "jetstream")
    shutil.copytree(tmp_path / "backup", server.directory / "jetstream")
    server.start()
    server.generate(400, seed=52)
    run = varve.once(**settings)
    assert "older state" in run.lines("stream_recreated")[0]["text"]
    found = Output(varve.output).table()["event_id"].to_pylist()
    new = set(event_ids(Load(seed=52), 400).values())
    old = set(event_ids(Load(seed=51), 500).values())
    assert new | old == set(found)
    assert len([event_id for event_id in found if event_id in new]) == 400


def test_what_was_dropped_before_we_came_is_counted(server, varve):
    """A stream of limited size that got too far ahead of us."""
    server.add_stream(max_msgs=100)
    server.generate(50, seed=53)
    varve.once()
    server.generate(400, seed=53, start_index=50)
    run = varve.once()
    (line,) = run.lines("data_lost")
    assert (line["first_seq"], line["last_seq"], line["at_most"]) == (51, 350, 300)
    rows, _ = numbered(Load(seed=53).run(450))
    left = {s: r for s, r in rows.items() if s <= 50 or s > 350}
    check_rows(varve.output, left, gaps=["51-350"])


# ---- retention and delivery ----------------------------------------------------------------------


@pytest.mark.parametrize("retention", ["workqueue", "interest"])
def test_streams_that_drop_what_is_acked(server, varve, retention):
    server.generate(0, retention=retention)
    run = varve.start(batching={"max_rows": 500})
    run.wait_line("consumer_made")  # an interest stream keeps nothing that nobody waits for
    server.generate(3000, seed=61)
    wait_for(lambda: run.lines("committed"), "a commit")
    assert run.stop() == 0
    varve.once(batching={"max_rows": 500})
    rows, _ = numbered(Load(seed=61).run(3000))
    check_rows(varve.output, rows)
    wait_for(lambda: server.stream().state.messages == 0, "all is dropped")


@pytest.mark.parametrize("retention", ["workqueue", "interest"])
def test_position_is_refused_there(any_server, varve, retention):
    any_server.generate(0, retention=retention)
    run = varve.start("--once", **POSITION)
    assert run.wait() == 1
    assert "use delivery: durable" in run.text().splitlines()[-1]


def test_position_drains_and_goes_on(server, varve):
    """No acks, no durable consumer: where to go on stands in the store."""
    server.generate(4000, corrupt=5, seed=62)
    run = varve.once(**POSITION)
    assert run.lines("committed")
    server.generate(1000, seed=62, start_index=4000)
    run = varve.once(**POSITION)
    assert sum(line["rows"] for line in run.lines("committed")) == 1000
    rows, quarantined = numbered(Load(seed=62).run(4000, corrupt=5))
    more, _ = numbered(Load(seed=62).run(1000, start_index=4000), first=4006)
    check_rows(varve.output, {**rows, **more}, quarantined)
    assert server.unacked() is None, "there is no durable consumer"


def test_from_durable_to_position_and_back(any_server, varve):
    """The position is the store's, not the mode's."""
    for step, settings in enumerate([{}, POSITION, {}]):
        any_server.generate(300, seed=63, start_index=300 * step)
        varve.once(**settings)
    rows, _ = numbered(Load(seed=63).run(900))
    check_rows(varve.output, rows)


def test_several_sources_in_one_process(server, varve):
    """Three streams, both modes, one directory; one connection."""
    server.generate(2000, seed=71)
    server.generate(1500, seed=72, stream="SECOND", subject="second.events")
    server.generate(1000, seed=73, stream="THIRD", subject="third.events")
    sources = [
        {"stream": "LOGGING"},
        {"stream": "SECOND", "subjects": ["second.events"], "delivery": "position"},
        {"stream": "THIRD", "subjects": "third.>", "consumer": "other"},
    ]
    template = "{stream}/{simulation_id}/{YYYY-MM-DD}/{first_seq}-{last_seq}.parquet"
    run = varve.once(sources=sources, output={"path_template": template})
    assert len(run.lines("source")) == 3
    assert len(run.lines("connected")) == 1
    table = Output(varve.output).table()
    for subject, seed, count in (
        (SUBJECT, 71, 2000),
        ("second.events", 72, 1500),
        ("third.events", 73, 1000),
    ):
        expected = event_ids(Load(seed=seed), count)
        rows = [r for r in table.to_pylist() if r["nats_subject"] == subject]
        assert len(rows) == count
        assert {r["stream_seq"]: r["event_id"] for r in rows} == expected
    check_verify(varve.output)
    server.wait_acked(1000, "other", "THIRD")


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_another_source_changes_nothing_for_the_first(any_server, varve, delivery):
    """The store knows each stream's position, whatever else is drained beside it."""
    template = {"path_template": "{stream}/{first_seq}-{last_seq}.parquet"}
    any_server.generate(300, seed=71)
    any_server.generate(200, seed=72, stream="SECOND", subject="second")
    first = {"stream": "LOGGING", "delivery": delivery}
    second = {"stream": "SECOND", "subjects": "second", "delivery": delivery}
    varve.once(sources=[first], output=template)
    varve.once(sources=[second, first], output=template)
    varve.once(sources=[first], output=template)
    found = Output(varve.output).table()["nats_subject"].to_pylist()
    assert (found.count(SUBJECT), found.count("second"), len(found)) == (300, 200, 500)


def test_one_refused_source_does_not_stop_the_others(any_server, varve):
    any_server.generate(100, seed=71)
    any_server.generate(100, seed=72, stream="WORK", subject="work", retention="workqueue")
    sources = [
        {"stream": "WORK", "subjects": ["work"], "delivery": "position"},
        {"stream": "LOGGING"},
    ]
    run = varve.start(sources=sources, batching={"max_age": "200ms"})
    run.wait_rows(100)
    run.wait_line("source_refused", stream="WORK")
    assert run.stop() == 0


def test_two_instances_share_a_consumer(server, make_runner, tmp_path):
    """Each writes what it got, into a directory of its own: together all of it, once."""
    server.generate(6000, seed=81, payload_bytes=1000)
    runners = [make_runner(server), make_runner(server)]
    runs = []
    for i, runner in enumerate(runners):
        runner.output = tmp_path / f"out-{i}"
        runs.append(
            runner.start(
                batching={"max_age": "300ms"},
                nats={"name": f"varve-{i}"},
                sources=[{"stream": "LOGGING", "shared": True}],
            )
        )
    for run in runs:
        run.wait_line("connected")

    def done():
        info = server.consumer()
        return info.num_pending == 0 and info.num_ack_pending == 0

    sent = 6000

    def more():
        nonlocal sent
        server.generate(1000, seed=81, start_index=sent, payload_bytes=1000, rate=3000)
        sent += 1000

    more()
    repeat_until(lambda: all(run.lines("committed") for run in runs), more, "each gets some")
    wait_for(done, "all is acked")
    for run in runs:
        assert run.stop(signal.SIGTERM) == 0
    parts = [Output(runner.output).table()["stream_seq"].to_pylist() for runner in runners]
    assert sorted(parts[0] + parts[1]) == list(range(1, sent + 1))
