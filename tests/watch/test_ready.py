# SPDX-License-Identifier: MIT
"""/healthz and /readyz: ready exactly while rows become durable."""

import signal

import pytest

from support import VARVE_FAULT, free_port, wait_for
from watching import Endpoint, watched


@pytest.fixture
def running(any_server, varve):
    """A varve that is ready; its endpoint."""
    any_server.generate(100)
    process = varve.start(config=watched(varve))
    endpoint = Endpoint(process)
    process.wait_rows(100)
    any_server.wait_acked(100)  # what waits for long is no longer ready
    endpoint.wait_ready(True)
    return endpoint


def healthy(endpoint):
    status, _, body = endpoint.get("/healthz")
    return (status, body) == (200, b"ok\n")


def test_ready(running):
    assert running.get("/readyz")[2] == b"ready\n"
    assert healthy(running)


def test_disconnected(running, any_server):
    any_server.stop(signal.SIGKILL)
    running.wait_ready(False, "not connected to NATS")
    assert healthy(running)
    any_server.start()
    running.wait_ready(True)


def test_never_connected(varve, tmp_path):
    config = watched(varve, nats={"servers": [f"nats://127.0.0.1:{free_port()}"]})
    endpoint = Endpoint(varve.start(config=config))
    endpoint.wait_ready(False, "not connected to NATS")
    assert healthy(endpoint)


def test_stalled_pull(running, any_server):
    """The connection stays open, and nothing comes over it: two heartbeats are missed."""
    any_server.process.send_signal(signal.SIGSTOP)
    try:
        running.wait_ready(False, "no pull is live")
        assert healthy(running)
    finally:
        any_server.process.send_signal(signal.SIGCONT)
    running.wait_ready(True)


def test_no_stream(any_server, varve):
    endpoint = Endpoint(varve.start(config=watched(varve)))
    endpoint.wait_ready(False, "stream LOGGING: JetStream says: stream not found")
    any_server.add_stream()
    endpoint.wait_ready(True)


def test_paused_for_disk(any_server, varve):
    any_server.generate(100)
    output = {"log_output_directory": str(varve.output), "min_free": "1000000GiB"}
    endpoint = Endpoint(varve.start(config=watched(varve, output=output)))
    endpoint.wait_ready(False, "disk is nearly full")
    metrics = endpoint.metrics()
    assert metrics["varve_paused", "reason=disk"] == 1
    assert metrics["varve_messages_received_total", "stream=LOGGING"] == 0


def test_failing_commit_and_old_events(any_server, varve, tmp_path):
    works_again = tmp_path / "works-again"
    any_server.add_stream()
    varve.once()  # the table is there: what fails is the commit
    any_server.generate(100)
    fault = f"fdatasync:1:EIO:sticky:until={works_again}"
    endpoint = Endpoint(
        varve.start(config=watched(varve), env={"VARVE_FAULT": fault}, program=VARVE_FAULT)
    )
    endpoint.wait_ready(False, "the last commit failed: ")
    # 3 x max_age of 300 ms.
    endpoint.wait_ready(False, "the oldest unacked event has waited ")
    # What the log says names files, and these can be named after events; this does not.
    assert str(varve.output) not in endpoint.text("/readyz")
    works_again.touch()
    endpoint.wait_ready(True)
    assert endpoint.metrics()["varve_rows_committed_total", "stream=LOGGING"] == 100


def test_refused(any_server, varve):
    """Of two sources, one whose consumer contradicts the configuration."""
    from nats.js.api import AckPolicy, ConsumerConfig

    any_server.generate(10)
    any_server.add_stream("OTHER", ["other"])
    wrong = ConsumerConfig(durable_name="varve", ack_policy=AckPolicy.NONE)
    any_server.ask(lambda js: js.add_consumer("OTHER", wrong))
    sources = [{"stream": "LOGGING"}, {"stream": "OTHER", "subjects": ["other"]}]
    endpoint = Endpoint(varve.start(config=watched(varve, sources=sources)))
    endpoint.wait_ready(False, "stream OTHER, consumer varve: ")
    wait_for(lambda: "LOGGING" not in endpoint.text("/readyz"), "the other one is ready")
    assert "OTHER" in endpoint.text("/readyz")
