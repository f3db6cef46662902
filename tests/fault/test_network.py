# SPDX-License-Identifier: MIT
"""Connections that die without a word, and what was on its way when they did."""

import signal

import pytest

from generator import Load
from proxy import Proxy
from support import Output, check_rows, numbered, read_arrow, wait_for


@pytest.fixture
def proxy(any_server):
    proxy = Proxy(any_server.port)
    yield proxy
    proxy.close()


def test_half_open(any_server, varve, proxy):
    """No packet comes any more, and no RST. It is noticed by what does not come."""
    any_server.generate(300, seed=91)
    run = varve.start(nats={"servers": [proxy.url]}, batching={"max_age": "200ms"})
    run.wait_rows(300)
    proxy.freeze()
    any_server.generate(300, seed=91, start_index=300)
    run.wait_line("disconnected")
    proxy.reset()
    proxy.thaw()
    run.wait_rows(600)
    assert run.stop() == 0
    check_rows(varve.output, numbered(Load(seed=91).run(600))[0])


@pytest.mark.stores
def test_resets_in_the_middle_of_payloads(any_server, varve, proxy):
    """Again and again, at other places: a partial message is no message."""
    any_server.generate(3000, seed=92, payload_bytes=5000)
    proxy.reset_after(*(97_003 * number for number in range(1, 5)))
    run = varve.start(
        nats={"servers": [proxy.url]}, batching={"max_rows": 200, "max_age": "200ms"}
    )
    run.wait_line("disconnected", count=4)
    run.wait_rows(3000)
    assert run.stop() == 0
    rows, _ = numbered(Load(seed=92, payload_bytes=1).run(3000))
    for row in rows.values():
        del row["event_payload"]
    check_rows(varve.output, rows)


def test_acks_for_a_stream_that_is_gone_ack_nothing(any_server, varve, proxy):
    """They were on their way when the connection died. The stream was made again meanwhile, and has
    other messages under the same numbers."""
    count = 20000  # so many that acks meet deliveries
    settings = {"nats": {"servers": [proxy.url]}, "batching": {"max_age": "1h"}}
    any_server.generate(count, seed=93)
    run = varve.start(**settings)
    wait_for(lambda: any_server.unacked() == count, "all is delivered")
    proxy.freeze()
    run.reload("batching", "max_age", "100ms")
    run.wait_line("committed")
    run.reload("batching", "max_age", "1h")
    any_server.delete_stream()
    any_server.generate(count, seed=94)
    proxy.reset()
    proxy.thaw()
    wait_for(lambda: any_server.unacked() == count, "all is delivered")
    run.stop(signal.SIGKILL)
    old = sum(line["rows"] for line in run.lines("committed"))  # what had come through
    assert any_server.consumer().ack_floor.stream_seq == 0
    varve.once(**settings)
    files = Output(varve.output).files()
    found = sorted(read_arrow(files, "stream_seq")["event_id"].to_pylist())
    expected = [*Load(seed=93).run(old), *Load(seed=94).run(count)]
    assert found == sorted(event.row["event_id"] for event in expected)
