# SPDX-License-Identifier: MIT
"""How a consumer is acked: one ack for all that a commit has, wherever that is safe."""

import subprocess

import pytest
import yaml
from generator import Load
from support import VARVE, check_rows, numbered, wait_for


def rows_of(count, seed):
    return numbered(Load(seed=seed).run(count))[0]


def policy(server):
    return server.consumer().config.ack_policy


@pytest.fixture
def stream(request, any_server):
    any_server.add_stream(retention=getattr(request, "param", "limits"))
    return any_server


@pytest.mark.stores
@pytest.mark.parametrize("stream", ["limits", "interest"], indirect=True)
def test_one_ack_is_for_all_that_is_committed(stream, varve):
    run = varve.start(batching={"max_rows": 1000, "max_age": "100ms"})
    run.wait_line("consumer_made")
    stream.generate(5000, seed=3)
    run.wait_rows(5000)
    stream.wait_acked(5000)
    info = stream.consumer()
    assert (info.config.ack_policy, info.num_ack_pending) == ("all", 0)
    assert run.stop() == 0
    check_rows(varve.output, rows_of(5000, 3))


@pytest.mark.parametrize(
    "stream, shared", [("workqueue", False), ("limits", True)], indirect=["stream"]
)
def test_each_event_is_acked_where_others_may_have_some(stream, varve, shared):
    stream.generate(100, seed=5)
    varve.once(sources=[{"stream": "LOGGING", "shared": shared}])
    assert policy(stream) == "explicit"
    assert stream.consumer().num_ack_pending == 0
    check_rows(varve.output, rows_of(100, 5))


@pytest.mark.parametrize("stream", ["limits", "interest"], indirect=True)
def test_a_consumer_that_becomes_shared_is_made_anew(stream, varve):
    """Nothing is lost by it: not what an interest stream keeps for this consumer alone."""
    run = varve.start()
    run.wait_line("consumer_made")
    assert run.stop() == 0
    assert policy(stream) == "all"
    stream.generate(300, seed=7)
    varve.once(sources=[{"stream": "LOGGING", "shared": True}])
    assert policy(stream) == "explicit"
    check_rows(varve.output, rows_of(300, 7))


def test_a_consumer_with_an_ack_for_each_event_stays(stream, varve, tmp_path):
    stream.generate(100, seed=9)
    varve.once(sources=[{"stream": "LOGGING", "shared": True}])
    stream.generate(100, seed=9, start_index=100)
    config = tmp_path / "check.yaml"
    config.write_text(yaml.safe_dump(varve.config()))
    said = subprocess.run([VARVE, "check", "-c", config], capture_output=True, text=True)
    assert said.returncode == 0 and "takes an ack for each event" in said.stdout
    varve.once()
    assert policy(stream) == "explicit"
    assert stream.consumer().ack_floor.stream_seq == 200
    check_rows(varve.output, rows_of(200, 9))


def test_what_waits_for_its_commit_is_acked_to_the_consumer_that_delivers_it_again(stream, varve):
    """An operator makes the consumer anew, with an ack for each event in place of one for all."""

    def make(ack_policy, **more):
        from nats.js.api import ConsumerConfig

        settings = {"durable_name": "varve", "filter_subject": "logging.events.raw"}
        settings |= {"ack_wait": 600, "max_deliver": -1, "max_ack_pending": 565536}
        config = ConsumerConfig(ack_policy=ack_policy, **settings, **more)
        return stream.ask(lambda js: js.add_consumer("LOGGING", config))

    make("all")
    run = varve.start(consumer={"manage": "bind"}, batching={"max_rows": 400})
    run.wait_line("consumer_found")
    stream.generate(300, seed=11)
    wait_for(lambda: stream.unacked() == 300, "all is delivered")
    stream.delete_consumer()
    make("explicit")
    run.wait_line("consumer_found", count=2)
    stream.generate(100, seed=11, start_index=300)
    run.wait_rows(400)
    stream.wait_acked(400)
    assert stream.unacked() == 0
    assert run.stop() == 0
    check_rows(varve.output, rows_of(400, 11))
