# SPDX-License-Identifier: MIT
"""Followers of kind nats: what is committed is published again, each row once, whoever is killed."""

import json
import random
import signal
import subprocess
import threading
import time

import pytest
from support import SUBJECT, VARVE, end, wait_for

FAST = {"batching": {"max_age": "200ms"}}
FOLLOW = {**FAST, "followers": [{"name": "feed", "kind": "nats"}]}


def command(varve, *options, **more):
    path = varve.directory / "follow.yaml"
    path.write_text(json.dumps(varve.config(**{**FOLLOW, **more})))
    return [VARVE, "follow", "feed", "-c", path, *options]


def follow(varve, *options, status=0, **more):
    done = subprocess.run(
        command(varve, *options, **more),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def rows(server):
    """Of which rows the messages are."""
    return [int(m[3]["Nats-Msg-Id"].split("/")[-1]) for m in server.messages("REPLAY")]


def count(server):
    return server.stream("REPLAY").state.messages


def test_it_follows_a_running_store_and_goes_on(any_server, varve):
    any_server.add_stream()
    any_server.add_stream("REPLAY", ["replay.>", "other"])
    any_server.generate(100)
    running = varve.start(**FOLLOW)
    wait_for(lambda: count(any_server) == 100, "the first rows")
    any_server.publish([b"x"], "other")  # in between, and no harm
    any_server.generate(50)
    wait_for(lambda: count(any_server) == 151, "the next")
    assert running.stop() == 0
    any_server.generate(30)
    varve.once(**FOLLOW)
    messages = [m for m in any_server.messages("REPLAY") if m[2] != "other"]
    assert [int(m[3]["Nats-Msg-Id"].split("/")[-1]) for m in messages] == list(
        range(1, 181)
    )
    assert {m[2] for m in messages} == {f"replay.{SUBJECT}"}
    assert {m[3]["Varve-Replay"] for m in messages} == {"feed"}
    assert [m[4] for m in messages] == [m[4] for m in any_server.messages()]


@pytest.mark.parametrize("batches", [False, True])
def test_killed_at_any_time_each_row_comes_once(server, varve, batches):
    server.add_stream()
    server.add_stream("REPLAY", ["replay.>"], allow_atomic=batches)
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for kill in range(8):
        server.generate(500)
        varve.once(**FAST)
        have = count(server)
        child = subprocess.Popen(command(varve), stderr=subprocess.DEVNULL)
        wait_for(lambda n=have: count(server) > n + chance.randrange(400), "some rows")
        end(child)
        if kill == 4:
            server.stop(signal.SIGKILL)
            server.start()
    follow(varve, "--once")
    assert rows(server) == list(range(1, 4001))
    # The store has forgotten how far it is, as in a crash before it was written down.
    follow(varve, "--forget")
    assert follow(varve, "--once").startswith("0 rows")
    assert count(server) == 4000


def test_what_it_refuses(any_server, varve):
    any_server.add_stream()
    any_server.generate(3)
    varve.once(**FAST)
    assert "no stream takes replay.>" in follow(varve, "--once", status=1)
    feed = {"name": "feed", "kind": "nats"}
    said = follow(varve, "--once", followers=[{**feed, "subject": ">"}], status=1)
    assert "one that varve drains" in said
    assert any_server.stream().state.messages == 3
    for wrong in (
        {"subject": "a b"},
        {"subject": "a.*"},
        {"target": "/tmp/x"},
        {"stream": "x" * 256},
    ):
        follow(varve, "--once", followers=[{**feed, **wrong}], status=2)
    any_server.add_stream("A", ["lab.a"])
    any_server.add_stream("B", ["lab.b", "lab." + SUBJECT])
    one = {**feed, "subject": "lab.>"}
    assert "more than one stream" in follow(varve, "--once", followers=[one], status=1)
    assert follow(varve, "--once", followers=[{**one, "stream": "B"}]).startswith(
        "3 rows"
    )


def test_restart_publishes_nothing_twice(any_server, varve):
    """It is refused, with what to do, and changes nothing."""
    any_server.add_stream()
    any_server.add_stream("REPLAY", ["replay.>"])
    any_server.generate(3)
    varve.once(**FAST)
    assert follow(varve, "--once").startswith("3 rows")
    said = follow(varve, "--once", "--restart", status=2)
    assert f"varve replay {varve.output} does it, or a follower of another name" in said
    assert follow(varve, "--once").startswith("0 rows")
    assert rows(any_server) == [1, 2, 3]


def test_two_followers_of_one_stream_and_one_that_lost_its_place(any_server, varve):
    """The last message of the subject is of the other one: it looks for its own nevertheless."""
    any_server.add_stream()
    any_server.add_stream("REPLAY", ["replay.>"], duplicate_window=0.1)
    any_server.generate(30)
    varve.once(**FAST)
    assert follow(varve, "--once").startswith("30 rows")
    other = {"name": "other", "kind": "nats"}
    both = [*FOLLOW["followers"], other]
    words = command(varve, followers=both)
    words[2] = "other"
    done = subprocess.run([*words, "--once"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sorted(rows(any_server)) == sorted(2 * [*range(1, 31)])
    time.sleep(1)  # until the server knows none of the ids any more
    follow(varve, "--forget")  # as a crash before its position was noted
    assert follow(varve, "--once").startswith("0 rows")
    assert count(any_server) == 60


def publish_without_pause(server, over, subject="other"):
    """Into the same stream, as fast as it goes; on a thread."""

    async def work(js):
        while not over.is_set():
            for _ in range(50):
                await js._nc.publish(subject, b"x")
            await js._nc.flush()

    thread = threading.Thread(target=lambda: server.ask(work, 600))
    thread.start()
    return thread


@pytest.mark.parametrize("batches", [False, True])
def test_others_publish_without_a_pause(any_server, varve, batches):
    """None of their pauses is long enough for a message of ours: they come one by one, in order."""
    any_server.add_stream()
    any_server.generate(400)
    varve.once(**FAST)
    any_server.add_stream(
        "REPLAY",
        ["replay.>", "again.>", "other"],
        max_msgs_per_subject=1500,
        **({"allow_atomic": True} if batches else {}),
    )
    over = threading.Event()
    thread = publish_without_pause(any_server, over)
    try:
        wait_for(lambda: count(any_server) > 1000, "messages of others")
        done = subprocess.run(
            [VARVE, "replay", varve.output, "--server", any_server.url],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        feed = {"name": "feed", "kind": "nats", "subject": "again.>"}
        for _ in range(10):
            child = subprocess.Popen(command(varve, "--once", followers=[feed]))
            if child.wait(120) == 0:
                break
    finally:
        over.set()
        thread.join()
    for front in ("replay.", "again."):
        ours = [m for m in any_server.messages("REPLAY") if m[2].startswith(front)]
        found = [int(m[3]["Nats-Msg-Id"].split("/")[-1]) for m in ours]
        assert found == list(range(1, 401))
