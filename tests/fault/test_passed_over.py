# SPDX-License-Identifier: MIT
"""Somebody gives our consumer another filter and takes it back within a moment, in a stream that has
subjects of others: nothing that is delivered, and no number of the consumer, tells of it."""

import threading

import pytest
from support import Output, wait_for

FAST = {"max_age": "200ms"}


def consumer_of(server):
    """The name of ours, which is one made by chance without acks."""

    async def name(js):
        (found,) = await js.consumers_info("LOGGING")
        return found.name

    return server.ask(name)


def set_filter(server, name, subject):
    async def change(js):
        config = (await js.consumer_info("LOGGING", name)).config
        config.filter_subject = subject
        await js.add_consumer("LOGGING", config)

    server.ask(change)


@pytest.mark.parametrize(
    ("delivery", "retention"),
    [("durable", "limits"), ("position", "limits"), ("durable", "workqueue")],
)
def test_a_filter_for_a_moment(server, varve, delivery, retention):
    server.add_stream(
        subjects=["logging.events.raw", "others.>", "nobody"], retention=retention
    )
    run = varve.start(
        sources=[{"stream": "LOGGING", "delivery": delivery}], batching=FAST
    )
    server.generate(20, seed=1)
    server.publish([b"one"] * 20, subject="others.x")
    run.wait_rows(20)
    name = consumer_of(server)
    over = threading.Event()
    published = [20]

    def flow():
        while not over.is_set():
            server.generate(20, seed=1 + len(published))
            server.publish([b"of others"] * 10, subject="others.x")
            published.append(20)

    def delivered():
        return server.consumer(name).delivered.stream_seq

    def wait_for_more(count, what):
        before = server.stream().state.last_seq
        wait_for(lambda: server.stream().state.last_seq > before + count, what)
        return before

    publisher = threading.Thread(target=flow)
    publisher.start()
    try:
        before = delivered()
        wait_for(lambda: delivered() > before, "events flow")
        set_filter(server, name, "nobody")
        before = wait_for_more(30, "events come and are not wanted")
        # A newer server goes on behind the last message that it has delivered.
        passed_over = delivered() > before
        set_filter(server, name, "logging.events.raw")
        wait_for_more(30, "events that are wanted again")
    finally:
        over.set()
        publisher.join()
    run.wait_rows(sum(published))
    assert not passed_over or run.lines("fetched_again") or run.lines("consumer_ahead")
    assert run.stop() == 0
    ids = Output(varve.output).table()["event_id"].to_pylist()
    assert len(set(ids)) == len(ids) == sum(published)
