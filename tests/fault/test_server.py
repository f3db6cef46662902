# SPDX-License-Identifier: MIT
"""A server that does not want to, for a while: no connection is free, something is not permitted,
an administrator changes the consumer. Work goes on by itself when it can."""

import json
import socket
from datetime import datetime, timedelta, timezone

import pytest

from generator import Load
from support import Output, Server, check_rows, numbered, server_binaries, wait_for

FAST = {"batching": {"max_age": "200ms"}}
ADMIN = {"user": "admin", "password": "a"}


def check_all(varve, count, seed=95):
    check_rows(varve.output, numbered(Load(seed=seed).run(count))[0])


@pytest.fixture
def make_varve(tmp_path, make_runner, any_server_binary):
    """varve as user "varve" of a server whose configuration the test gives and changes."""
    server = Server(any_server_binary, tmp_path / "nats", **ADMIN)

    def configured(text, permissions=""):
        return (
            f"{text}\nauthorization {{ users: [\n"
            f"  {{ user: admin, password: a }}\n"
            f"  {{ user: varve, password: v, {permissions} }}\n] }}"
        )

    def make(permissions=""):
        server.configure(configured("", permissions))
        server.start()
        server.add_stream()
        server.publish([event.data for event in Load(seed=95).run(100)])
        runner = make_runner(server)
        return runner, server, configured

    yield make
    server.stop()


def as_varve(runner):
    return runner.start(**FAST, nats={"user": "varve", "password": "v"})


def only_connection(port):
    """A connection as somebody else; None if the server does not want it."""
    other = socket.create_connection(("127.0.0.1", port), timeout=30)
    try:
        other.sendall(
            b'CONNECT {"user":"admin","pass":"a","verbose":false}\r\nPING\r\n'
        )
        said = b""
        while data := other.recv(4096):
            said += data
            if b"PONG\r\n" in said:  # a PING of the server may be behind it
                return other
    except ConnectionError:
        pass
    other.close()
    return None


def test_no_connection_is_free(make_varve):
    runner, server, configured = make_varve()
    server.stop()
    server.configure(configured("max_connections: 1"))
    server.start()
    with wait_for(lambda: only_connection(server.port), "the only connection"):
        run = as_varve(runner)
        assert "maximum connections" in run.wait_line("server_error")["text"]
    run.wait_rows(100)
    assert run.stop() == 0
    check_all(runner, 100)


@pytest.mark.parametrize(
    "subject", ["$JS.API.CONSUMER.MSG.NEXT.>", "$JS.API.STREAM.INFO.>"]
)
def test_not_permitted_until_the_server_is_told(make_varve, subject):
    denied = f'permissions: {{ publish: {{ deny: "{subject}" }}, subscribe: {{ allow: ">" }} }}'
    runner, server, configured = make_varve(permissions=denied)
    run = as_varve(runner)
    said = run.wait_line("server_error")["text"]
    assert "Permissions Violation for Publish" in said and subject[:-1] in said
    server.reload(configured(""))
    run.wait_rows(100)
    assert run.stop() == 0
    check_all(runner, 100)


def test_acks_are_not_permitted(make_varve):
    """Rows are committed all the same; what the server thinks of it is put right later."""
    denied = (
        'permissions: { publish: { deny: "$JS.ACK.>" }, subscribe: { allow: ">" } }'
    )
    runner, server, configured = make_varve(permissions=denied)
    run = as_varve(runner)
    run.wait_rows(100)
    assert "$JS.ACK" in run.wait_line("server_error")["text"]
    assert server.unacked() == 100
    server.reload(configured(""))
    wait_for(lambda: server.unacked() == 0, "all is acked")
    assert run.stop() == 0
    check_all(runner, 100)


@pytest.mark.stores
def test_killed_between_commit_and_acks_of_a_shared_consumer(make_varve):
    """What the store has is acked at start, instead of coming again when ack_wait is over."""
    denied = (
        'permissions: { publish: { deny: "$JS.ACK.>" }, subscribe: { allow: ">" } }'
    )
    runner, server, configured = make_varve(permissions=denied)
    shared = {"sources": [{"stream": "LOGGING", "shared": True}]}
    run = runner.start(**FAST, **shared, nats={"user": "varve", "password": "v"})
    run.wait_rows(100)
    run.process.kill()
    run.process.wait()
    assert server.unacked() == 100
    server.reload(configured(""))
    run = runner.start(**FAST, **shared, nats={"user": "varve", "password": "v"})
    wait_for(lambda: server.unacked() == 0, "all is acked")
    server.publish([event.data for event in Load(seed=96).run(10)])
    run.wait_rows(10)
    assert run.stop() == 0
    assert len(Output(runner.output).table()) == 110


def test_two_by_accident_on_one_consumer(make_varve):
    """Two tables, one consumer: both instances say so."""
    runner, server, _ = make_varve()
    one = as_varve(runner)
    one.wait_rows(100)
    named = {"user": "varve", "password": "v", "name": "two"}
    two = runner.start(**FAST, output=runner.elsewhere(), nats=named)
    two.wait_line("consumer_found")
    for seed in range(200, 240):
        server.publish([event.data for event in Load(seed=seed).run(10)])
    # Who got none of them finds out when it has looked at the consumer twice.
    for run in (one, two):
        run.wait_line("consumer_shared", seconds=200)


def test_several_subjects_on_a_server_that_can_filter_by_one(make_server, make_runner):
    """Before 2.10 such a consumer is made without a filter, and nobody says so."""
    server = make_server(
        server_binaries()["debian"] or pytest.skip("nats-server: debian")
    )
    server.add_stream(subjects=["logging.>"])
    varve = make_runner(server)
    source = {"stream": "LOGGING", "subjects": ["logging.a", "logging.b"]}
    run = varve.start("--once", sources=[source])
    assert run.wait() == 1
    assert "filter_subjects" in run.text().splitlines()[-1]


def test_purged_while_draining(any_server, varve):
    any_server.generate(3000, seed=95)
    run = varve.start(batching={"max_rows": 100, "max_age": "100ms"})
    run.wait_line("committed", count=2)

    async def purge(js):
        await js.purge_stream("LOGGING", seq=2001)

    any_server.ask(purge)
    any_server.generate(500, seed=95, start_index=3000)
    wait_for(
        lambda: "3500" in str(run.lines("committed")[-1]["last_seq"]),
        "the end is there",
    )
    assert run.stop() == 0
    rows, _ = numbered(Load(seed=95).run(3500))
    found = Output(varve.output).table()["stream_seq"].to_pylist()
    assert set(found) >= set(range(2001, 3501))
    held = {seq: rows[seq] for seq in found}
    missing = sorted(set(range(1, 3501)) - set(found))
    gaps = [f"{missing[0]}-{missing[-1]}"] if missing else []
    check_rows(varve.output, held, gaps=gaps)


def test_the_stream_has_consumers_enough(any_server, varve):
    from nats.js.api import ConsumerConfig

    any_server.add_stream(max_consumers=1)
    any_server.ask(
        lambda js: js.add_consumer("LOGGING", ConsumerConfig(durable_name="other"))
    )
    any_server.publish([event.data for event in Load(seed=95).run(100)])
    run = varve.start(**FAST)
    assert "consumer" in run.wait_line("source_waiting")["reason"]
    any_server.delete_consumer("other")
    run.wait_rows(100)
    assert run.stop() == 0
    check_all(varve, 100)


@pytest.mark.parametrize("change", [{"ack_wait": 1}, {"max_ack_pending": 50}])
def test_the_consumer_is_changed_under_us(server, varve, change):
    """So that everything is delivered again and again before it is committed; or so that little is
    delivered before something is acked."""
    server.add_stream()
    run = varve.start(batching={"max_age": "1h" if "ack_wait" in change else "100ms"})
    run.wait_line("consumer_made")

    async def work(js):
        config = (await js.consumer_info("LOGGING", "varve")).config
        for name, value in change.items():
            setattr(config, name, value)
        await js.add_consumer("LOGGING", config)

    server.ask(work)
    server.generate(500, seed=95)
    if "ack_wait" in change:
        wait_for(lambda: server.consumer().delivered.consumer_seq > 500, "it comes again")
        run.reload("batching", "max_age", "100ms")
    run.wait_rows(500)
    server.wait_acked(500)
    assert "ack_wait" in change or server.consumer().delivered.consumer_seq == 500
    assert run.stop() == 0
    check_all(varve, 500)


def test_a_consumer_that_is_paused(make_server, make_runner):
    """Since 2.11. It is quiet, and that is no fault."""
    server = make_server(
        server_binaries()["newest"] or pytest.skip("nats-server: newest")
    )
    server.add_stream()
    varve = make_runner(server)
    run = varve.start(**FAST)
    run.wait_line("consumer_made")
    for hours, count in ((1, 0), (-1, 100)):
        until = datetime.now(timezone.utc) + timedelta(hours=hours)
        request = json.dumps({"pause_until": until.isoformat()}).encode()

        async def work(js, request=request):
            subject = "$JS.API.CONSUMER.PAUSE.LOGGING.varve"
            return json.loads((await js._nc.request(subject, request, timeout=30)).data)

        assert server.ask(work)["paused"] == (hours > 0)
        if hours > 0:
            server.generate(100, seed=95)
            wait_for(lambda: server.consumer().num_pending == 100, "all is waiting")
        run.wait_rows(count)
    assert not [line for line in run.lines() if line["level"] not in ("info", "debug")]
    assert run.stop() == 0
    check_all(varve, 100)
