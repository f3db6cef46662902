# SPDX-License-Identifier: MIT
"""Store and server disagree about what is done: a directory that was restored or removed, acks that
others gave, a stream that was set back. The stream's own messages say what has to be there."""

import contextlib
import json
import re
import shutil
import subprocess
import threading
import time
from collections import Counter

import pytest
from support import VARVE, VARVE_FAULT, Output, server_binaries, wait_for

FAST = {"max_age": "200ms"}


def event_id(data):
    """Field 1 of the envelope: text of 36 bytes."""
    return re.search(rb"\n\$([0-9a-f-]{36})", data)[1].decode()


def stored(root):
    """How often each event is in the table."""
    if not Output(root).files():
        return Counter()
    return Counter(Output(root).table()["event_id"].to_pylist())


def published(server):
    return Counter(event_id(data) for _, _, _, _, data in server.messages())


def check_whole(server, root, gone=()):
    """Each event of the stream, and each of these that the stream had, is one row."""
    expected = published(server)
    expected.update(dict.fromkeys(set(gone) - set(expected), 1))
    assert stored(root) == expected


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def set_back(server, backup):
    """The server has an older state of its disk again."""
    server.stop()
    copy(backup, server.directory / "jetstream")
    server.start()


def check(varve, tmp_path):
    """What varve check says."""
    config = tmp_path / "check.yaml"
    config.write_text(json.dumps(varve.config(batching=FAST)))
    out = subprocess.run([VARVE, "check", "-c", config], capture_output=True, text=True)
    return out.stdout + out.stderr


# ---- the directory --------------------------------------------------------------------------------


def test_a_restored_directory_gets_what_it_lacks(server, varve, tmp_path):
    server.generate(100, seed=1)
    varve.once(batching=FAST)
    copy(varve.output, tmp_path / "backup")
    server.generate(105, seed=2)
    varve.once(batching=FAST)
    copy(tmp_path / "backup", varve.output)
    server.generate(20, seed=3)
    assert "lacks from 101 on" in check(varve, tmp_path)
    run = varve.start(batching=FAST)
    run.wait_rows(125)
    # New events flow meanwhile.
    server.generate(30, seed=4)
    run.wait_rows(155)
    assert run.stop() == 0
    check_whole(server, varve.output)
    assert run.lines("fetch_again") and not run.lines("data_lost")
    assert "lacks" not in check(varve, tmp_path)
    # And it is settled: nothing is fetched the next time.
    run = varve.once(batching=FAST)
    assert not run.lines("fetch_again")
    check_whole(server, varve.output)


def test_a_removed_directory_gets_all_again(server, varve):
    server.generate(300, seed=1)
    varve.once(batching=FAST)
    shutil.rmtree(varve.output)
    run = varve.once(batching=FAST)
    assert [line["messages"] for line in run.lines("fetched_again")] == [300]
    check_whole(server, varve.output)


def test_killed_while_it_fetches_again(server, varve):
    server.generate(20000, seed=1)
    varve.once()
    shutil.rmtree(varve.output)
    run = varve.start(batching={"max_rows": 1000})
    run.wait_rows(2000)
    run.process.kill()
    run.process.wait()
    varve.once(batching={"max_rows": 1000})
    check_whole(server, varve.output)


def test_what_the_stream_has_no_more_is_lost_and_said(server, varve, tmp_path):
    server.generate(100, seed=1)
    varve.once(batching=FAST)
    copy(varve.output, tmp_path / "backup")
    first, last = server.generate(50, seed=2)
    varve.once(batching=FAST)
    before = stored(tmp_path / "backup")
    copy(tmp_path / "backup", varve.output)

    async def purge(js):
        await js.purge_stream("LOGGING", seq=last - 9)

    server.ask(purge)
    run = varve.once(batching=FAST)
    (line,) = run.lines("data_lost")
    assert (line["first_seq"], line["last_seq"], line["at_most"]) == (
        first,
        last - 10,
        40,
    )
    check_whole(server, varve.output, gone=before)
    # Once: what is settled is settled.
    assert not varve.once(batching=FAST).lines("data_lost")


@pytest.mark.parametrize("retention", ["workqueue", "interest"])
def test_a_stream_that_forgets_what_is_acked(server, varve, tmp_path, retention):
    server.add_stream(retention=retention)
    varve.start(batching=FAST).wait_line("consumer_made")
    varve.started[-1].stop()
    server.generate(100, seed=1)
    varve.once(batching=FAST)
    copy(varve.output, tmp_path / "backup")
    server.generate(30, seed=2)
    varve.once(batching=FAST)
    copy(tmp_path / "backup", varve.output)
    server.generate(10, seed=3)
    run = varve.once(batching=FAST)
    (line,) = run.lines("data_lost")
    assert (line["first_seq"], line["last_seq"], line["at_most"]) == (101, 130, 30)
    assert len(stored(varve.output)) == 110


def test_start_new_means_new(server, varve):
    """Another store began with the consumer; what it has is not wanted here."""
    server.generate(100, seed=1)
    varve.once(batching=FAST)
    shutil.rmtree(varve.output)
    run = varve.start(batching=FAST, sources=[{"stream": "LOGGING", "start": "new"}])
    run.wait_line("consumer_found")
    server.generate(20, seed=2)
    run.wait_rows(20)
    assert run.stop() == 0
    assert not run.lines("fetch_again") and not run.lines("data_lost")


def test_a_shared_consumer_proves_nothing(server, varve, tmp_path):
    """Two stores share the events: neither fetches what the other has."""
    shared = {"sources": [{"stream": "LOGGING", "shared": True}], "batching": FAST}
    server.generate(100, seed=1)
    varve.once(**shared)
    there = {"log_output_directory": str(tmp_path / "other")}
    run = varve.start(**shared, output=there, nats={"name": "other"})
    run.wait_line("shared")
    server.generate(20, seed=2)
    run.wait_rows(20)
    run.stop()
    assert len(run.lines("shared")) == 1 and not run.lines("fetch_again")


# ---- the consumer ---------------------------------------------------------------------------------


def test_what_somebody_else_acked_is_fetched(server, varve):
    """`nats consumer next` acks what it shows."""
    run = varve.start(batching=FAST)
    server.generate(50, seed=1)
    run.wait_rows(50)
    taken = []

    async def take(js):
        pull = await js.pull_subscribe_bind(consumer="varve", stream="LOGGING")
        for message in await pull.fetch(20, timeout=60):
            await message.ack_sync()
            taken.append(message.metadata.sequence.stream)

    # The server gives to both in turn.
    other = threading.Thread(target=server.ask, args=(take,))
    other.start()
    count = 50
    while other.is_alive():
        server.generate(20, seed=2, start_index=count)
        count += 20
    assert taken
    run.wait_rows(count)
    run.stop()
    check_whole(server, varve.output)


# ---- position -------------------------------------------------------------------------------------


def test_position_new_is_resolved_once(server, varve):
    server.generate(10, seed=1)
    new = {"sources": [{"stream": "LOGGING", "delivery": "position", "start": "new"}]}
    run = varve.start(batching={"max_age": "60s"}, **new)
    run.wait_line("consumer_made")
    server.generate(100, seed=2)
    time.sleep(0.5)  # received, not committed
    run.process.kill()
    run.process.wait()
    server.generate(5, seed=3)
    run = varve.start(batching=FAST, **new)
    run.wait_line("consumer_made")
    server.generate(7, seed=4)
    run.wait_rows(112)
    assert run.stop() == 0
    assert sorted(Output(varve.output).table()["stream_seq"].to_pylist()) == list(
        range(11, 123)
    )


def test_position_new_with_a_pause_before_the_first_event(server, varve):
    server.generate(1, seed=1)
    new = {"sources": [{"stream": "LOGGING", "delivery": "position", "start": "new"}]}
    run = varve.start(batching=FAST, **new)
    run.wait_line("consumer_made")
    assert run.stop() == 0
    server.generate(50, seed=5)
    run = varve.start(batching=FAST, **new)
    run.wait_rows(50)
    run.stop()


# ---- a stream that was set back -------------------------------------------------------------------


@pytest.mark.parametrize("delivery", ["position", "durable"])
def test_set_back_nothing_comes_twice(server, varve, tmp_path, delivery):
    """What store and stream share is carried over; what the stream forgot and got is told apart."""
    source = {
        "sources": [{"stream": "LOGGING", "delivery": delivery}],
        "batching": FAST,
    }
    server.generate(200, seed=1)
    varve.once(**source)
    server.generate(100, seed=2)
    server.stop()
    copy(server.directory / "jetstream", tmp_path / "backup")
    server.start()
    server.generate(20, seed=3)
    varve.once(**source)
    gone = stored(varve.output)
    assert len(gone) == 320
    set_back(server, tmp_path / "backup")
    run = varve.once(**source)
    assert run.lines("stream_recreated") and run.lines("set_back")[0]["last_seq"] == 300
    check_whole(server, varve.output, gone)
    # And with new events under the old numbers, while varve is away and while it is there.
    set_back(server, tmp_path / "backup")
    server.generate(50, seed=4)
    varve.once(**source)
    gone = stored(varve.output)
    check_whole(server, varve.output, gone)
    set_back(server, tmp_path / "backup")
    run = varve.start(**source)
    server.generate(60, seed=5)
    run.wait_rows(60)
    assert run.stop() == 0
    check_whole(server, varve.output, gone)


@pytest.mark.parametrize("retention", ["workqueue", "interest"])
def test_set_back_a_stream_that_forgets(server, varve, tmp_path, retention):
    """New events have old numbers, and the message that varve knows best is not there to ask for."""
    server.add_stream(retention=retention)
    varve.start(batching=FAST).wait_line("consumer_made")
    varve.started[-1].stop()
    server.generate(100, seed=1)
    varve.once(batching=FAST)
    server.stop()
    copy(server.directory / "jetstream", tmp_path / "backup")
    server.start()
    server.generate(50, seed=2)
    varve.once(batching=FAST)
    set_back(server, tmp_path / "backup")
    server.generate(80, seed=3)
    varve.once(batching=FAST)
    ids = stored(varve.output)
    assert len(ids) == 230 and set(ids.values()) == {1}
    wait_for(lambda: server.stream().state.messages == 0, "all is dropped")


@contextlib.contextmanager
def only_the_stream_set_back(server, tmp_path):
    """What happens within is forgotten by the stream, and remembered by its consumer."""
    path = server.directory / "jetstream"
    server.stop()
    copy(path, tmp_path / "backup")
    server.start()
    yield
    server.stop()
    (consumers,) = path.rglob("obs")
    copy(consumers, tmp_path / "obs")
    copy(tmp_path / "backup", path)
    copy(tmp_path / "obs", consumers)
    server.start()


def test_only_the_stream_was_set_back(server, varve, tmp_path):
    """A power cut leaves the consumer ahead of the stream: new events are none that it has seen."""
    server.generate(100, seed=1)
    varve.once(batching=FAST)
    with only_the_stream_set_back(server, tmp_path):
        server.generate(100, seed=2)
        varve.once(batching=FAST)
        gone = stored(varve.output)
        shutil.rmtree(varve.output)  # nor does the store know better
    server.generate(50, seed=3)
    varve.once(batching=FAST)
    check_whole(server, varve.output)
    server.generate(30, seed=4)
    varve.once(batching=FAST)
    check_whole(server, varve.output)
    assert len(gone) == 200


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_set_back_to_before_its_start(server, varve, tmp_path, delivery):
    """What was there before `start: new` stays unwanted, and what comes under its numbers is new."""
    source = {"stream": "LOGGING", "delivery": delivery, "start": "new"}
    server.generate(30, seed=1)
    server.stop()
    copy(server.directory / "jetstream", tmp_path / "backup")
    server.start()
    server.generate(20, seed=2)
    run = varve.start(sources=[source], batching=FAST)
    run.wait_line("consumer_made")
    server.generate(7, seed=3)
    run.wait_rows(7)
    assert run.stop() == 0
    before = stored(varve.output)
    set_back(server, tmp_path / "backup")
    server.generate(5, seed=4)
    varve.once(sources=[source], batching=FAST)
    new = Counter(event_id(data) for seq, _, _, _, data in server.messages() if seq > 30)
    assert len(new) == 5 and stored(varve.output) == before + new


def test_a_consumer_that_is_not_ours_to_make_is_ahead(
    make_server, make_runner, tmp_path
):
    """With `bind` it waits for whoever made the consumer, says what is to be done, and goes on.
    Newer servers bring the consumer back by themselves."""
    binary = server_binaries()["debian"] or pytest.skip("that nats-server is not here")
    server = make_server(binary)
    varve = make_runner(server)
    bind = {"consumer": {"manage": "bind"}, "batching": FAST}
    server.generate(100, seed=1)
    varve.once(batching=FAST)
    with only_the_stream_set_back(server, tmp_path):
        server.generate(100, seed=2)
        varve.once(**bind)
        gone = stored(varve.output)
    server.generate(50, seed=3)
    run = varve.start(**bind)
    reason = run.wait_line("source_waiting")["reason"]
    assert "ahead of the stream" in reason and "make it again" in reason

    async def make_again(js):
        config = (await js.consumer_info("LOGGING", "varve")).config
        await js.delete_consumer("LOGGING", "varve")
        await js.add_consumer("LOGGING", config)

    server.ask(make_again)
    run.wait_line("consumer_found")
    server.generate(30, seed=4)
    wait_for(lambda: published(server) <= stored(varve.output), "all are stored")
    assert run.stop() == 0
    check_whole(server, varve.output, gone)


@pytest.mark.parametrize("retention", ["workqueue", "interest"])
def test_only_a_stream_that_forgets_was_set_back(
    make_server, any_server_binary, make_runner, tmp_path, retention
):
    """Its consumer is ahead, and without one an interest stream drops what it has."""
    server = make_server(any_server_binary)
    varve = make_runner(server)
    server.add_stream(retention=retention)
    varve.start(batching=FAST).wait_line("consumer_made")
    varve.started[-1].stop()
    server.generate(100, seed=1)
    varve.once(batching=FAST)
    with only_the_stream_set_back(server, tmp_path):
        server.generate(100, seed=2)
        varve.once(batching=FAST)
    server.generate(50, seed=3)
    varve.once(batching=FAST)
    ids = stored(varve.output)
    assert len(ids) == 250 and set(ids.values()) == {1}


def test_to_another_server_and_back(make_server, any_server_binary, make_runner):
    """Two servers of one list have different streams under one name."""
    one, two = (make_server(any_server_binary, name) for name in ("one", "two"))
    varve = make_runner(one)
    one.generate(300, seed=1)
    two.generate(200, seed=2)
    two.stop()
    both = {"nats": {"servers": [one.url, two.url]}, "batching": FAST}
    run = varve.start(**both)
    run.wait_rows(300)
    one.stop()
    two.start()
    run.wait_rows(500)
    two.stop()
    one.start()
    one.generate(10, seed=3)
    run.wait_rows(510)
    assert run.stop() == 0
    ids = stored(varve.output)
    assert len(ids) == 510 and set(ids.values()) == {1}


def test_to_another_server_and_back_while_commits_fail(
    make_server, any_server_binary, make_runner, tmp_path
):
    one, two = (make_server(any_server_binary, name) for name in ("one", "two"))
    varve = make_runner(one)
    one.generate(300, seed=1)
    two.generate(200, seed=2)
    two.stop()
    flag = tmp_path / "healed"
    both = {"nats": {"servers": [one.url, two.url]}, "batching": FAST}
    fault = {"VARVE_FAULT": f"fdatasync:2:EIO:sticky:until={flag}"}
    run = varve.start(**both, program=VARVE_FAULT, env=fault)
    run.wait_line("commit_failed")
    one.stop()
    two.start()
    run.wait_line("stream_recreated")
    two.stop()
    one.start()
    run.wait_line("connected", count=3)
    flag.touch()
    one.generate(10, seed=3)
    run.wait_rows(310)
    assert run.stop() == 0
    ids = stored(varve.output)
    assert len(ids) == 310 and set(ids.values()) == {1}


# ---- what a server does that is no loss ------------------------------------------------------------


@pytest.mark.parametrize("delivery", ["position", "durable"])
def test_what_is_dropped_of_others_is_not_lost(any_server, varve, delivery):
    """A stream with other subjects, too, drops its oldest messages: none of them is ours."""
    any_server.add_stream(subjects=["logging.events.raw", "other"], max_msgs=1000)
    any_server.generate(10, seed=1)
    source = {
        "sources": [{"stream": "LOGGING", "delivery": delivery}],
        "batching": FAST,
    }
    run = varve.start(**source)
    run.wait_rows(10)

    async def flood(js):
        for _ in range(5000):
            await js._nc.publish("other", b"x")
        await js._nc.flush()

    any_server.ask(flood)
    # Two polls of the stream see it.
    time.sleep(50)
    assert run.stop() == 0
    assert not run.lines("data_lost")
    # What was looked through is known to the next start, too.
    run = varve.start(**source)
    any_server.generate(5, seed=2)
    run.wait_rows(5)
    assert run.stop() == 0
    assert not run.lines("data_lost")


def test_a_server_with_little_room(any_server, varve):
    """It cuts off whoever does not read as fast as it writes."""
    any_server.stop()
    any_server.configure("max_pending: 1048576")
    any_server.start()
    any_server.generate(60000, seed=1)
    run = varve.once(seconds=240)
    check_whole(any_server, varve.output)
    assert len(run.lines("disconnected")) <= 8


# ---- what is no event of ours ---------------------------------------------------------------------


def subjects(root):
    return Counter(Output(root).table()["nats_subject"].to_pylist())


@pytest.mark.parametrize("delivery", ["position", "durable"])
def test_subjects_that_are_not_configured(server, varve, delivery):
    """The stream had other subjects before, and gets others while varve drains it."""
    source = {
        "sources": [{"stream": "LOGGING", "delivery": delivery}],
        "batching": FAST,
    }
    server.add_stream(subjects=["logging.events.raw", "private.>"])
    server.generate(10, seed=1)
    server.publish([b"one", b"two"], subject="private.x")

    async def change(js, *names):
        config = (await js.stream_info("LOGGING")).config
        config.subjects = ["logging.events.raw", *names]
        await js.update_stream(config)

    server.ask(change)
    run = varve.start(**source)
    run.wait_rows(10)
    server.ask(lambda js: change(js, "more.>"))
    server.publish([b"three"], subject="more.y")
    server.generate(10, seed=2)
    run.wait_rows(20)
    assert run.stop() == 0
    assert subjects(varve.output) == {"logging.events.raw": 20}
    assert not Output(varve.output).quarantine_files()


def test_headers_only_is_set_while_it_drains(server, varve):
    """Not one row without content, and not one ack for it."""
    server.generate(10, seed=1)
    run = varve.start(batching=FAST)
    run.wait_rows(10)

    async def change(js, on):
        config = (await js.consumer_info("LOGGING", "varve")).config
        config.headers_only = on
        await js.add_consumer("LOGGING", config)

    server.ask(lambda js: change(js, True))
    server.generate(100, seed=2)
    assert run.wait() != 0
    assert "headers only" in run.text()
    server.ask(lambda js: change(js, False))
    varve.once(batching=FAST)
    check_whole(server, varve.output)


def test_markers_of_the_server_are_no_events(varve_on_newest):
    """A message that expires may leave a marker behind, which nobody published."""
    server, varve = varve_on_newest

    async def make(js):
        request = {
            "name": "LOGGING",
            "subjects": ["logging.>"],
            "allow_msg_ttl": True,
            "subject_delete_marker_ttl": 3600 * 10**9,
            "allow_rollup_hdrs": True,
            "max_age": 10**9,
        }
        message = await js._nc.request(
            "$JS.API.STREAM.CREATE.LOGGING", json.dumps(request).encode(), timeout=30
        )
        assert "error" not in json.loads(message.data), message.data

    server.ask(make)
    server.publish([b"gone"], subject="logging.events.raw")

    def marked():
        found = server.messages()
        return found and all(data == b"" for _, _, _, _, data in found)

    wait_for(marked, "a marker is there")
    run = varve.once(batching=FAST)
    assert not run.lines("dead_letter") and not stored(varve.output)
    assert server.unacked() == 0


@pytest.fixture
def varve_on_newest(make_server, make_runner):
    server = make_server(
        server_binaries()["newest"] or pytest.skip("nats-server: newest")
    )
    return server, make_runner(server)


@pytest.mark.parametrize("newest", [True, False], ids=["newest", "old"])
def test_a_log_that_was_restored_without_its_files(any_server, varve, tmp_path, newest):
    """The files of today's log are those of yesterday: who reads the table fails."""
    for seed in range(3):
        any_server.generate(20, seed=seed)
        varve.once(batching=FAST)
        if seed == 1:
            yesterday = set(Output(varve.output).files())
    assert not varve.once(batching=FAST).lines("files_absent")
    assert "are not there" not in check(varve, tmp_path)
    today = set(Output(varve.output).files()) - yesterday
    gone = today if newest else {min(yesterday)}
    for path in gone:
        path.unlink()
    run = varve.once(batching=FAST)
    if newest:
        (line,) = run.lines("files_absent", level="error")
        assert line["absent"] == len(gone) and varve.output / line["first"] in gone
    assert f"a log that names {len(gone)} files that are not there" in check(varve, tmp_path)
    verified = subprocess.run([VARVE, "verify", varve.output], capture_output=True, text=True)
    assert verified.returncode == 1
    assert verified.stdout.count("is in the log, but missing") == len(gone)
