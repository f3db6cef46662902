# SPDX-License-Identifier: MIT
"""`varve run --once` says by its exit status whether all is there: drained, committed, acked."""

import json
import os
import pty
import socket
import subprocess

import pytest

from support import SUBJECT, VARVE, free_port

FAST = {"batching": {"max_age": "200ms"}}


def failed(run):
    """The last line of a run that has failed."""
    assert run.wait() == 1, run.text()
    return run.text().splitlines()[-1]


def test_it_gives_up(varve):
    config = varve.config(nats={"servers": [f"nats://127.0.0.1:{free_port()}"]})
    run = varve.start("--once", "--timeout", "5s", config=config)
    assert "not reached in time" in failed(run) and "Connection refused" in failed(run)


def test_a_missing_stream(any_server, varve):
    run = varve.start("--once", "--timeout=10s")
    assert "stream LOGGING" in failed(run)


def test_a_subject_that_the_stream_does_not_take(any_server, varve):
    any_server.generate(10)
    source = {"subjects": ["logging.events.rwa"]}
    run = varve.start("--once", config=varve.config(sources=[source]))
    assert "stream LOGGING does not take any of the subjects" in failed(run)


def test_acks_that_are_refused(any_server, varve):
    any_server.configure(
        'authorization { users: [ { user: a, password: b, permissions: { publish: { '
        'deny: "$JS.ACK.>" } } }, { user: admin, password: admin } ] }'
    )
    any_server.credentials.update(user="admin", password="admin")
    any_server.stop()
    any_server.start()
    any_server.add_stream()
    any_server.publish([b""] * 10, SUBJECT)
    run = varve.start("--once", "--timeout=20s", config=varve.config(nats={"user": "a", "password": "b"}))
    assert "has not confirmed all acks" in failed(run)


@pytest.mark.parametrize("options", [["--once"], []])
def test_a_signal_while_what_follows_comes_to_its_end(any_server, varve, options):
    """All is committed, and a database does not answer: whoever asks for the end gets it."""
    any_server.generate(100)
    with socket.create_server(("127.0.0.1", 0)) as database:
        database.settimeout(60)
        follower = {
            "name": "db",
            "kind": "timeseries",
            "url": f"http://127.0.0.1:{database.getsockname()[1]}",
        }
        run = varve.start(*options, config=varve.config(**FAST, followers=[follower]))
        with database.accept()[0]:
            run.wait_rows(100)
            if options:
                run.wait_line("stopping")
            assert run.stop() == 0
    assert not run.lines("follower_failed")  # it was not waited for until it gave up


def test_the_last_line_on_a_terminal(any_server, varve, tmp_path):
    any_server.generate(1000, corrupt=2)
    config = tmp_path / "varve.yaml"
    config.write_text(json.dumps(varve.config()))
    leader, follower = pty.openpty()
    command = [VARVE, "run", "--once", "-c", config]
    run = subprocess.run(command, stdout=follower, stderr=subprocess.DEVNULL, timeout=120)
    os.close(follower)
    line = os.read(leader, 4096).decode()
    os.close(leader)
    assert run.returncode == 0
    assert line.startswith("1,000 rows, ") and " files, 2 in quarantine, " in line
    assert line.endswith(f" s -> {varve.output}\r\n")
