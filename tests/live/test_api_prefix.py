# SPDX-License-Identifier: MIT
"""Streams that are somewhere else: behind a leaf node, in another account; and the longer subject
of acks, which servers can be told to use."""

import pytest

from generator import Load
from support import check_rows, free_port, numbered, wait_for

BOTH = pytest.mark.parametrize("delivery", ["durable", "position"])


def check_drained(server, varve, delivery, count, **nats):
    """All of a stream that `server` has is drained by way of the server that varve is at."""
    source = {"stream": "LOGGING", "delivery": delivery}
    varve.once(nats=nats, sources=[source])
    rows, _ = numbered(Load(seed=2).run(count))
    check_rows(varve.output, rows)
    if delivery == "durable":
        assert server.unacked() == 0


@BOTH
def test_the_domain_behind_a_leaf_node(make_server, server_binary, make_runner, delivery):
    port = free_port()
    hub = make_server(
        server_binary,
        "hub",
        domain="hub",
        extra=f"leafnodes {{ listen: 127.0.0.1:{port} }}",
    )
    hub.generate(200, seed=2)
    leaf = make_server(
        server_binary,
        "leaf",
        domain="leaf",
        extra=f"leafnodes {{ remotes: [{{ url: nats://127.0.0.1:{port} }}] }}",
    )
    runner = make_runner(leaf)
    # Without it varve asks the leaf node, which has no such stream.
    lost = runner.start()
    assert "stream not found" in lost.wait_line("source_waiting")["reason"]
    assert lost.stop() == 0
    check_drained(hub, runner, delivery, 200, domain="hub")


TWO_ACCOUNTS = """
accounts {
  HUB {
    jetstream: enabled
    users: [{ user: hub, password: hub }]
    exports: [
      { service: "$JS.API.>", response_type: stream }
      { service: "$JS.ACK.LOGGING.>" }
    ]
  }
  LAB {
    users: [{ user: lab, password: lab }]
    imports: [
      { service: { account: HUB, subject: "$JS.API.>" }, to: "JS.hub.API.>" }
      { service: { account: HUB, subject: "$JS.ACK.LOGGING.>" } }
    ]
  }
}
"""


@BOTH
def test_the_stream_of_another_account(make_server, server_binary, make_runner, delivery):
    server = make_server(server_binary, extra=TWO_ACCOUNTS, user="hub", password="hub")
    server.add_stream()
    messages = Load(seed=2).run(200)
    server.publish([message.data for message in messages])
    login = {"user": "lab", "password": "lab"}
    check_drained(server, make_runner(server), delivery, 200, api_prefix="JS.hub.API", **login)


def test_acks_with_domain_and_account(make_server, any_server_binary, make_runner):
    """The subject of an ack has two more tokens. After a crash varve makes such subjects itself."""
    extra = "feature_flags { js_ack_fc_v2: true }"
    try:
        server = make_server(any_server_binary, extra=extra)
    except AssertionError:
        pytest.skip("this nats-server has one layout of acks")
    server.generate(200, seed=2)
    runner = make_runner(server)
    killed = runner.start(batching={"max_age": "1h"})
    wait_for(lambda: server.unacked() == 200, "all is delivered")
    killed.stop(9)
    check_drained(server, runner, "durable", 200)
