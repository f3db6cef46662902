# SPDX-License-Identifier: MIT
"""SIGHUP: what can change does, without another connection; what can't is named."""

import json
import os
import signal
import socket

import pytest

from support import Output, Runner, Server, wait_for
from watching import Endpoint


class Reloaded:
    """A varve that runs, and its configuration, which a test changes."""

    def __init__(self, varve, **more):
        self.config = varve.config(**{"metrics": {"listen": "127.0.0.1:0"}, **more})
        self.run = varve.start(config=self.config)
        self.path = self.run.log.with_suffix(".yaml")
        self.run.wait_line("listening")
        self.endpoint = Endpoint(self.run)

    def write(self, text):
        self.path.write_text(text)
        self.run.send(signal.SIGHUP)

    def set(self, section, key, value):
        """Change one key, and wait until that is noticed: what the log says of it."""
        self.config.setdefault(section, {})[key] = value
        return self.change(f"{section}.{key}")

    def change(self, key):
        before = len(self.run.lines("reloaded", key=key))
        self.write(json.dumps(self.config))
        return self.run.wait_line("reloaded", before + 1, key=key)["effect"]

    def keys(self):
        return [line["key"] for line in self.run.lines("reloaded")]


@pytest.fixture
def reloaded(any_server, varve):
    any_server.generate(10)
    started = Reloaded(varve, batching={"max_age": "1h"})
    started.run.wait_line("connected")
    yield started
    assert started.run.stop() == 0
    assert len(started.run.lines("connected")) == 1, "the connection was dropped"


def test_log_level(reloaded, any_server, varve):
    """Commits are told at level INFO."""

    def commit():
        any_server.generate(1, start_index=commit.next)
        commit.next += 1
        key = "varve_rows_committed_total", "stream=LOGGING"
        wait_for(lambda: reloaded.endpoint.metrics()[key] == commit.next, "a commit")

    commit.next = 10
    assert reloaded.set("batching", "max_age", "100ms") == "now"
    commit()
    assert reloaded.set("settings", "log_level", "WARNING") == "now"
    before = reloaded.run.text()
    commit()
    assert reloaded.run.text() == before
    reloaded.config["settings"]["log_level"] = "INFO"
    reloaded.write(json.dumps(reloaded.config))
    # Whether that itself is told depends on which level is in force first.
    said = len(reloaded.run.lines("committed"))
    wait_for(lambda: commit() or len(reloaded.run.lines("committed")) > said, "a line")


def test_log_format(reloaded):
    assert reloaded.set("settings", "log_format", "logfmt") == "now"
    reloaded.config["batching"]["max_age"] = "100ms"
    reloaded.write(json.dumps(reloaded.config))
    wait_for(lambda: "event=committed epoch=1 reason=age" in reloaded.run.text(), "a line")


def test_batching(reloaded, any_server):
    """The open epoch is committed by the new limits."""
    assert not reloaded.run.lines("committed")
    assert reloaded.set("batching", "max_age", "300ms") == "now"
    reloaded.run.wait_rows(10)
    commits = len(reloaded.run.lines("committed"))
    assert reloaded.set("batching", "max_age", "1h") == "now"
    assert reloaded.set("batching", "max_rows", 100) == "now"
    any_server.generate(100, start_index=10)
    line = reloaded.run.wait_line("committed", commits + 1)
    assert (line["reason"], line["rows"]) == ("rows", 100)
    assert reloaded.set("batching", "max_bytes", "1MiB") == "now"


def test_batching_that_the_consumer_has_no_room_for(reloaded, any_server):
    """The server was told how many messages may be unacked, and for how long."""
    assert reloaded.set("batching", "max_rows", 5_000_000) == "needs a restart"
    assert reloaded.set("batching", "max_rows", 100) == "now"
    any_server.generate(90, start_index=10)
    reloaded.run.wait_rows(100)


def test_memory_limit(reloaded, any_server):
    def shown():
        return reloaded.endpoint.text("/")

    assert "of 256.0 MiB" in shown()
    reloaded.config["memory_limit"] = "32MiB"
    assert reloaded.change("memory_limit") == "now"
    assert "of 32.0 MiB" in shown()
    any_server.generate(100_000, start_index=10)
    assert reloaded.run.wait_line("committed")["reason"] == "memory"


def test_several_keys_at_once(reloaded):
    reloaded.config["batching"]["max_age"] = "300ms"
    reloaded.config["settings"]["log_level"] = "WARNING"
    reloaded.config["sources"] = [{"consumer": "other"}]
    reloaded.change("sources[0].consumer")
    effects = {line["key"]: line["effect"] for line in reloaded.run.lines("reloaded")}
    # The level is in force before the rest is told.
    assert effects["sources[0].consumer"] == "needs a restart"


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("nats", "servers", ["nats://127.0.0.1:1"]),
        ("nats", "name", "another"),
        ("output", "log_output_directory", "/nowhere/else"),
        ("output", "path_template", "{first_seq}-{last_seq}.parquet"),
        ("output", "min_free", "1KiB"),
        ("parquet", "compression_level", 3),
        ("parquet", "page_bytes", "64KiB"),
        ("parquet", "row_group_rows", 1000),
        ("parquet", "profile", "delta"),
        ("dead_letter", "subject", "dead"),
        ("metrics", "listen", "off"),
        ("alerts", "subject", "alerts"),
        ("consumer", "manage", "bind"),
    ],
)
def test_what_needs_a_restart(shared, section, key, value):
    before = json.dumps(shared.config)
    assert shared.set(section, key, value) == "needs a restart"
    line = shared.run.lines("reloaded")[-1]
    assert (line["key"], line["level"]) == (f"{section}.{key}", "warning")
    shared.config = json.loads(before)
    assert shared.change(f"{section}.{key}") == "none: it is the running value again"
    assert shared.endpoint.get("/healthz")[0] == 200


@pytest.fixture(scope="module")
def shared(tmp_path_factory, any_server_binary):
    directory = tmp_path_factory.mktemp("shared")
    server = Server(any_server_binary, directory / "nats").start()
    runner = Runner(directory, server)
    started = Reloaded(runner)
    started.run.wait_line("connected")
    yield started
    runner.close()
    server.stop()


def test_more_sources_need_a_restart(shared):
    shared.config["sources"] = [{}, {"stream": "SECOND"}]
    assert shared.change("sources") == "needs a restart"
    shared.config["sources"] = [{}]
    assert shared.change("sources") == "none: it is the running value again"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("batching: [\n", ".yaml"),
        ("batching: {max_rows: many}\n", "max_rows"),
        ("batchin: {max_rows: 5}\n", "batchin"),
        ("memory_limit: 1MiB\n", "memory_limit"),
        ("nats: {token: '${VARVE_NO_SUCH_VARIABLE}'}\n", "VARVE_NO_SUCH_VARIABLE"),
        ("", None),
    ],
)
def test_an_invalid_file_changes_nothing(reloaded, any_server, text, says):
    """An empty file is no error, and has all defaults; the others have one, and are as if the
    signal had not come."""
    if says is None:
        reloaded.write(text)
        reloaded.run.wait_line("reloaded", key="batching.max_age", effect="now")
        reloaded.run.wait_line("reloaded", key="nats.servers", effect="needs a restart")
        return
    reloaded.write(text)
    line = reloaded.run.wait_line("reload_failed")
    assert says in line["text"] and "\n" not in line["text"]
    assert not reloaded.run.lines("reloaded")
    assert reloaded.set("batching", "max_age", "300ms") == "now"
    reloaded.run.wait_rows(10)


def test_a_file_that_is_gone(reloaded):
    reloaded.path.unlink()
    reloaded.run.send(signal.SIGHUP)
    assert "yaml" in reloaded.run.wait_line("reload_failed")["text"]
    assert reloaded.set("batching", "max_age", "300ms") == "now"
    reloaded.run.wait_rows(10)


def test_hangups_while_draining(any_server, varve):
    """Many of them, with other limits each time: every row once."""
    any_server.generate(60_000, simulations=50)
    started = Reloaded(varve, batching={"max_age": "1s"})
    for number in range(20):
        started.config["memory_limit"] = ("32MiB", "64MiB")[number % 2]
        started.config["batching"]["max_rows"] = 3000 + number
        assert started.change("memory_limit") == "now"
    started.run.wait_rows(60_000)
    assert started.run.stop() == 0
    assert len(started.run.lines("connected")) == 1
    assert Output(varve.output).table()["stream_seq"].to_pylist() == list(range(1, 60_001))


# ---- credentials ---------------------------------------------------------------------------------


def permitted(password):
    return f"authorization {{ user: drain, password: {password} }}"


def test_credentials(make_server, any_server_binary, make_runner):
    """They change while the connection lasts, and are those of the next one."""
    server = make_server(
        any_server_binary, extra=permitted("first"), user="drain", password="first"
    )
    server.add_stream()
    runner = make_runner(server)
    started = Reloaded(runner, batching={"max_age": "200ms"})
    # Nothing was configured: refused, again and again, slower each time.
    started.run.wait_line("connect_failed")
    started.config["nats"].update(user="drain", password="first")
    assert started.change("nats.password") == "from the next connection on"
    started.run.wait_line("connected")
    # The server will want another password from now on.
    started.config["nats"]["password"] = "second"
    assert started.change("nats.password") == "from the next connection on"
    server.publish([b"\x0a\x01a"])
    started.run.wait_rows(1)
    assert len(started.run.lines("connected")) == 1
    server.stop()
    server.configure(permitted("second"))
    server.credentials["password"] = "second"
    server.start()
    started.run.wait_line("connected", 2)
    server.publish([b"\x0a\x01b"])
    started.run.wait_rows(2)
    assert started.run.stop() == 0


def test_old_credentials_are_forgotten(make_server, any_server_binary, make_runner):
    server = make_server(any_server_binary, extra=permitted("good"), user="drain", password="good")
    server.add_stream()
    runner = make_runner(server)
    started = Reloaded(runner, nats={"user": "drain", "password": "good"})
    started.run.wait_line("connected")
    started.config["nats"]["password"] = "bad"
    assert started.change("nats.password") == "from the next connection on"
    server.stop()
    server.start()
    started.run.wait_line("server_error")
    assert len(started.run.lines("connected")) == 1


def test_reloads_while_a_server_takes_its_time(varve, tmp_path):
    """A connection says what it began with, though the configuration was read again, twice, before
    the server let it say anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        config = varve.config(
            nats={
                "servers": [f"nats://127.0.0.1:{listener.getsockname()[1]}"],
                "user": "drain",
            },
            sandbox="off",  # for which a process of its own would ask before
        )
        run = varve.start(config=config)
        path = run.log.with_suffix(".yaml")

        def reload(number):
            config["nats"]["password"] = f"secret-{number}-" + "x" * 60
            path.write_text(json.dumps(config))
            run.send(signal.SIGHUP)
            run.wait_line("reloaded", number, key="nats.password")

        listener.accept()[0].close()
        reload(1)
        listener.accept()[0].close()  # which may have begun before
        connection, _ = listener.accept()
        reload(2)
        reload(3)
        connection.sendall(b'INFO {"headers":true,"proto":1,"max_payload":1048576}\r\n')
        connection.settimeout(60)
        said = ""
        while "\r\n" not in said:
            received = connection.recv(65536)
            assert received, said
            said += received.decode()
        connection.close()
        login = json.loads(said[len("CONNECT ") : said.index("\r\n")])
        assert login["user"] == "drain"
        assert login["pass"].startswith("secret-1-"), login
        assert run.stop() == 0


def test_the_file_hangs(any_server, varve):
    """As on a network that is away: events are drained, and the end comes; when it goes on, so does the
    reload."""
    run = varve.start(batching={"max_age": "100ms"})
    run.wait_line("connected")
    path = run.log.with_suffix(".yaml")
    text = json.dumps(varve.config(batching={"max_age": "200ms"}, memory_limit="128MiB"))
    path.unlink()
    os.mkfifo(path)
    run.send(signal.SIGHUP)
    run.send(signal.SIGHUP)
    any_server.generate(20, seed=1)
    run.wait_rows(20)
    path.write_text(text)  # whoever reads it gets it
    run.wait_line("reloaded", key="batching.max_age", effect="now")
    run.send(signal.SIGHUP)
    any_server.generate(20, seed=1, start_index=20)
    run.wait_rows(40)
    assert run.stop() == 0
