# SPDX-License-Identifier: MIT
"""The permissions that varve says it needs: with exactly these it works, and without one of them it
says which."""

import json
import re
import subprocess

import pytest

from support import VARVE, Output, wait_for
from watching import ALERTS, Endpoint, watched

EVENT = b"\x0a\x01a"
DEAD = "dead.letters"


def permissions(varve, *arguments, **more):
    """As varve check prints them: the text, and the subjects to publish to."""
    path = varve.directory / "permissions.yaml"
    path.write_text(json.dumps(varve.config(**more)))
    command = [VARVE, "check", "--permissions", "-c", path, *arguments]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    publish = text[: text.index("subscribe:")]
    return text, re.findall(r'^    "(.+)"$', publish, re.M)


def user(name, text):
    return f"{{ user: {name}, password: {name}-pass, {text} }}"


def start_server(make_server, binary, users):
    users = [user("admin", ""), *users]
    return make_server(
        binary,
        extra=f"authorization {{ users: [{', '.join(users)}] }}",
        user="admin",
        password="admin-pass",
    )


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_exactly_these(make_server, server_binary, make_runner, delivery):
    """Draining, dead letters, alerts, and varve check."""
    more = {
        "sources": [{"stream": "LOGGING", "delivery": delivery}],
        "dead_letter": {"subject": DEAD},
        "alerts": {"subject": ALERTS},
    }
    text, _ = permissions(make_runner(None), **more)
    server = start_server(make_server, server_binary, [user("drain", text)])
    server.add_stream()
    server.add_stream("DEAD", [DEAD])
    server.add_stream("OPS", [ALERTS])
    server.publish([EVENT, b"no event", EVENT])
    runner = make_runner(server)
    login = {"user": "drain", "password": "drain-pass"}
    for rows in (2, 3):  # the second run asks what the stream has of the first
        run = runner.once(nats=login, **more)
        assert Output(runner.output).table().num_rows == rows
        assert not run.lines("server_error"), run.text()
        server.publish([EVENT])
    assert server.stream("DEAD").state.messages == 1
    assert server.stream("OPS").state.messages > 0
    path = runner.directory / "permissions.yaml"
    path.write_text(json.dumps(runner.config(nats=login, **more)))
    checked = subprocess.run([VARVE, "check", "-c", path], capture_output=True, text=True)
    assert "Permissions" not in checked.stdout and checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("stream", ["", "AGAIN"])
def test_exactly_these_to_publish_again(make_server, any_server_binary, make_runner, stream):
    """A follower of kind nats, which may have to find its stream first; and with one less."""
    more = {
        "sources": [{"stream": "LOGGING"}],
        "followers": [{"name": "feed", "kind": "nats", "subject": "again.>", "stream": stream}],
    }
    text, publish = permissions(make_runner(None), **more)
    first = "$JS.API.STREAM.INFO.AGAIN" if stream else "$JS.API.STREAM.NAMES"
    assert first in publish
    users = [user("drain", text), user("poor", text.replace(f'    "{first}"\n', ""))]
    server = start_server(make_server, any_server_binary, users)
    server.add_stream()
    server.add_stream("AGAIN", ["again.>"])
    server.publish([EVENT, EVENT])
    runner = make_runner(server)
    run = runner.start("--once", nats={"user": "poor", "password": "poor-pass"}, **more)
    run.wait()
    failed = run.lines("follower_failed")
    assert failed and all(line["reason"] == "target" and first in line["error"] for line in failed)
    run = runner.once(nats={"user": "drain", "password": "drain-pass"}, **more)
    assert server.stream("AGAIN").state.messages == 2
    assert not run.lines("server_error"), run.text()


# What it can do without while nothing goes wrong.
SPARE = (
    "$JS.API.STREAM.MSG.GET.",
    "$JS.API.CONSUMER.DELETE.",
    "$JS.API.CONSUMER.LIST.",
    "$JS.ACK.*.*.",
)


def test_one_is_missing(make_server, any_server_binary, make_runner):
    """A stream and a user for each; all of them at once."""
    runner = make_runner(None)

    def source(number):
        return {
            "sources": [{"stream": f"S{number}", "subjects": f"s{number}.*"}],
            "batching": {"max_age": "100ms"},
        }

    _, template = permissions(runner, **source(0))
    users, missing = [], []
    for number in range(len(template) + 1):
        text, publish = permissions(runner, **source(number))
        wanted = publish[number] if number < len(publish) else "_INBOX.>"
        lacking = text.replace(f'    "{wanted}"\n', '    "something.else"\n')
        assert lacking != text
        users.append(user(f"u{number}", lacking))
        missing.append(wanted)
    server = start_server(make_server, any_server_binary, users)
    for number, wanted in enumerate(missing):
        server.add_stream(f"S{number}", [f"s{number}.*"])
        server.publish([EVENT], f"s{number}.x")
        runner = make_runner(server)
        runner.output = runner.directory / f"out-{number}"
        login = {"user": f"u{number}", "password": f"u{number}-pass"}
        run = runner.start(config=watched(runner, nats=login, **source(number)))
        endpoint = Endpoint(run)
        if wanted.startswith(SPARE):
            run.wait_rows(1)
            wait_for(lambda s=f"S{number}": server.unacked(stream=s) == 0, wanted)
            wait_for(lambda e=endpoint: e.ready()[0], "it is ready")
        else:
            verb = "subscribe to" if wanted.startswith("_INBOX") else "publish to"
            sentence = f"does not let this user {verb} {wanted.rstrip('>*')}"
            wait_for(lambda e=endpoint, s=sentence: s in e.ready()[1], sentence)
            assert not endpoint.ready()[0]
        assert run.stop() == 0


FEED = {"name": "feed", "kind": "nats"}


@pytest.mark.parametrize(
    "more, subject, sentence",
    [
        ({"dead_letter": {"subject": DEAD}}, DEAD, f"does not let this user publish to {DEAD}:"),
        ({"alerts": {"subject": ALERTS}}, ALERTS, f"does not let this user publish to {ALERTS}:"),
        ({"followers": [FEED]}, "replay.>", "follower feed fails: the server says: Permissions"),
    ],
    ids=["dead_letter", "alerts", "follower"],
)
def test_what_is_published_is_missing(
    make_server, any_server_binary, make_runner, more, subject, sentence
):
    """What a configuration asks for beside the drain, which goes on."""
    text, publish = permissions(make_runner(None), **more)
    assert subject in publish
    lacking = text.replace(f'    "{subject}"\n', '    "something.else"\n')
    server = start_server(make_server, any_server_binary, [user("drain", lacking)])
    server.add_stream()
    server.add_stream("DEAD", [DEAD])
    server.add_stream("OPS", [ALERTS])
    server.add_stream("REPLAY", ["replay.>"])
    server.publish([EVENT, b"no event"])
    runner = make_runner(server)
    login = {"user": "drain", "password": "drain-pass"}
    fast = {"batching": {"max_age": "100ms"}}
    run = runner.start(config=watched(runner, nats=login, **fast, **more))
    run.wait_rows(1)
    endpoint = Endpoint(run)
    wait_for(lambda: sentence in endpoint.ready()[1], sentence)
    server.publish([EVENT])
    run.wait_rows(2)
    assert run.stop() == 0
