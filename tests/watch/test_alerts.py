# SPDX-License-Identifier: MIT
"""Alerts as others get them: once raised, once resolved, and none missing after an outage."""

import signal
import time

import pytest

from support import SUBJECT, VARVE_FAULT, Output, accepts, wait_for
from watching import ALERTS, Endpoint, alerts, wait_alert, watched


@pytest.fixture
def ops(any_server):
    """The server with a stream that keeps alerts."""
    any_server.add_stream("OPS", [ALERTS])
    return any_server


@pytest.fixture
def running(ops, varve):
    ops.generate(100)
    process = varve.start(config=watched(varve))
    process.wait_rows(100)
    return process


def states(server, name):
    return [a["state"] for a in alerts(server) if a["alert"] == name]


def settle(server, name, stream="LOGGING"):
    """Both alerts of a name, when they are there; and nothing else has come."""
    raised, resolved = wait_alert(server, name, "raised"), wait_alert(server, name, "resolved")
    assert states(server, name) == ["raised", "resolved"]
    assert raised.get("stream") == resolved.get("stream") == stream
    assert raised["event"]["for"] == resolved["event"]["for"]
    assert raised["event"]["id"] != resolved["event"]["id"]
    assert raised["since"] == resolved["since"] <= resolved["until"]
    assert raised["event"]["time_ns"] <= resolved["event"]["time_ns"]
    assert abs(raised["event"]["time_ns"] / 1e9 - time.time()) < 600
    return raised, resolved


def test_nats_disconnected(running, ops):
    ops.stop(signal.SIGKILL)
    running.wait_line("disconnected")
    stopped = time.monotonic()
    wait_for(lambda: time.monotonic() - stopped > 1, "an outage of a second")
    ops.start()
    raised, resolved = settle(ops, "nats_disconnected", None)
    assert raised["seconds"] == resolved["seconds"]
    assert 1 <= raised["seconds"] <= 120
    assert "127.0.0.1" in raised["text"]


def test_what_happened_while_disconnected(ops, varve, tmp_path):
    """A disk that fails and works again, while nobody could be told."""
    works_again = tmp_path / "works-again"
    ops.add_stream()
    later = {"batching": {"max_age": "1h"}}
    varve.once(**later)
    ops.generate(100)
    fault = f"fdatasync:1:EIO:sticky:until={works_again}"
    config = watched(varve, **later)
    key = ("varve_messages_received_total", "stream=LOGGING")
    process = varve.start(config=config, env={"VARVE_FAULT": fault}, program=VARVE_FAULT)
    endpoint = Endpoint(process)
    wait_for(lambda: endpoint.metrics()[key] == 100, "100 messages received")
    ops.stop(signal.SIGKILL)
    process.reload("batching", "max_age", "100ms")
    process.wait_line("commit_failed")
    assert not accepts(ops.port)
    works_again.touch()
    process.wait_rows(100)
    ops.start()
    raised, resolved = settle(ops, "commit_failed", None)
    assert "seconds" in raised  # it was over when it could be sent
    assert str(varve.output) not in raised["text"]
    settle(ops, "nats_disconnected", None)


def test_stream_missing(ops, varve):
    process = varve.start(config=watched(varve))
    wait_alert(ops, "stream_missing", "raised")
    process.wait_line("source_waiting")
    ops.add_stream()
    settle(ops, "stream_missing")


def test_consumer_recreated(running, ops):
    ops.delete_consumer()
    settle(ops, "consumer_recreated")


def test_stream_recreated(running, ops):
    ops.delete_stream()
    ops.add_stream()
    settle(ops, "stream_recreated")
    ops.generate(50)
    running.wait_rows(150)


def test_data_lost(ops, varve):
    """The stream's limits drop messages while varve is away."""
    ops.add_stream(max_msgs=100)
    ops.generate(100)
    varve.once()
    ops.generate(300)  # 200 of them are gone
    varve.start(config=watched(varve))
    raised, _ = settle(ops, "data_lost")
    assert raised["text"].endswith(" 200")


def test_dead_letters(ops, varve):
    ops.generate(100, corrupt=7)
    varve.start(config=watched(varve, batching={"max_age": "4s"}))  # all in one commit
    raised, _ = settle(ops, "dead_letters")
    assert raised["text"].endswith(" 7")


def test_disk_low(ops, varve):
    ops.generate(10)
    output = {"log_output_directory": str(varve.output), "min_free": "1000000GiB"}
    process = varve.start(config=watched(varve, output=output))
    wait_alert(ops, "disk_low", "raised")
    endpoint = Endpoint(process)
    assert [alert["name"] for alert in endpoint.status()["alerts"]] == ["disk_low"]
    assert states(ops, "disk_low") == ["raised"]


def test_the_event_is_an_event(ops, varve):
    """An alert that is published into the stream that is drained becomes a row like any other."""
    ops.add_stream()
    ops.publish([b"\xff"])  # a dead letter
    process = varve.start(config=watched(varve, alerts={"subject": SUBJECT}))
    process.wait_rows(2)
    row = Output(varve.output).table().to_pylist()[0]
    assert row["event_type_key"] == "logging.alert.dead_letters.v1"
    assert row["payload_format_hint"] == "application/json"
    assert row["worker_id"] == "varve"
    assert row["simulation_id"] == ""


def test_subscribers_without_a_stream(any_server, varve):
    """Nobody confirms, and it is published all the same: once."""
    import nats

    any_server.generate(10, corrupt=1)
    got = []

    async def listen(js):
        client = await any_server.connect()
        inbox = await client.subscribe(ALERTS)
        process = varve.start(config=watched(varve))
        try:
            for _ in range(2):
                got.append((await inbox.next_msg(timeout=110)).data)
            process.stop()
            with pytest.raises(nats.errors.TimeoutError):
                await inbox.next_msg(timeout=1)
        finally:
            await client.close()

    any_server.ask(listen)
    assert [b'"state":"raised"' in data for data in got] == [True, False]


def test_nobody_listens_at_first(any_server, varve):
    """An alert waits for its stream, and the drain does not wait for the alert."""
    any_server.generate(100, corrupt=1)
    process = varve.start(config=watched(varve))
    process.wait_rows(101)
    any_server.add_stream("OPS", [ALERTS])
    wait_alert(any_server, "dead_letters", "resolved")
    assert states(any_server, "dead_letters") == ["raised", "resolved"]
