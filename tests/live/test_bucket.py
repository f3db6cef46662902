# SPDX-License-Identifier: MIT
"""A table in a bucket: what a user does with one."""

import json
import os
import random
import re
import signal
import subprocess
import time
import urllib.parse
from pathlib import Path

import deltalake
import duckdb
import polars
import pytest
import s3_support
import support
from support import wait_for
from watching import Endpoint

PREFIX = "logs"


@pytest.fixture
def store(tmp_path):
    with s3_support.server("versitygw", tmp_path / "store") as found:
        yield found


def url(store, prefix=PREFIX):
    return f"s3://{store.bucket}/{prefix}"


def config(varve, store, prefix=PREFIX, **more):
    made = varve.config(**more)
    del made["output"]["log_output_directory"]
    made["output"] |= {
        "url": url(store, prefix),
        "s3": {
            "endpoint": store.endpoint,
            "access_key_id": s3_support.ACCESS_KEY,
            "secret_access_key": s3_support.SECRET_KEY,
        },
    }
    return made


def start(varve, store, *args, prefix=PREFIX, **more):
    return varve.start(*args, config=config(varve, store, prefix, **more))


def once(varve, store, **more):
    run = start(varve, store, "--once", **more)
    assert run.wait() == 0, run.text()
    return run


def environment(store):
    return s3_support.environment(
        AWS_ENDPOINT_URL=store.endpoint, AWS_REGION=s3_support.REGION, AWS_ALLOW_HTTP="true"
    )


def table(store, prefix=PREFIX):
    return deltalake.DeltaTable(url(store, prefix), storage_options=environment(store))


def sequences(store, prefix=PREFIX):
    found = table(store, prefix).to_pyarrow_table(columns=["stream_seq"])
    return sorted(found["stream_seq"].to_pylist())


def command(store, *args, status=0):
    done = subprocess.run(
        [support.VARVE, *args],
        capture_output=True,
        check=False,
        text=True,
        timeout=support.PATIENCE,
        env=environment(store),
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stdout + done.stderr


def check_exact(store, count, prefix=PREFIX):
    """Each message is one row, and nothing lies in the bucket that the log does not name."""
    assert sequences(store, prefix) == list(range(1, count + 1))
    paths = table(store, prefix).get_add_actions()["path"].to_pylist()
    keys = [key.removeprefix(prefix + "/") for key in store.keys(prefix + "/")]
    beside = [key for key in keys if not key.startswith("_delta_log/")]
    assert sorted(beside) == sorted(urllib.parse.unquote(path) for path in paths)
    assert not [key for key in keys if "/." in f"/{key}"]


@pytest.mark.parametrize("name", s3_support.SERVERS)
def test_drain(any_server, varve, tmp_path, name):
    with s3_support.server(name, tmp_path / name) as store:
        any_server.add_stream()
        any_server.generate(5000)
        once(varve, store)
        any_server.generate(1000)
        once(varve, store)
        check_exact(store, 6000)
        command(store, "verify", url(store))
        command(store, "inspect", url(store))
        rows = command(store, "cat", "--columns", "stream_seq", url(store)).splitlines()
        assert [json.loads(row)["stream_seq"] for row in rows] == list(range(1, 6001))
        # Of one file, and without a log: each file by itself.
        path = urllib.parse.unquote(table(store).get_add_actions()["path"].to_pylist()[0])
        command(store, "verify", f"{url(store)}/{path}")
        assert command(store, "cat", f"{url(store)}/{path}") != ""


def test_kills(any_server, varve, store):
    """varve, the object store and nats-server are killed at any moment."""
    chance = random.Random(20261127)
    total = 0
    any_server.add_stream()
    for _ in range(int(os.environ.get("VARVE_BUCKET_KILLS", "20"))):
        any_server.generate(300)
        total += 300
        run = start(varve, store, batching={"max_age": "100ms"})
        run.wait_line("store")
        time.sleep(chance.uniform(0, 0.5))  # any moment will do
        victim = chance.choice(["varve", "varve", "store", "nats"])
        if victim == "store":
            store.kill()
            time.sleep(chance.uniform(0, 0.3))
            store.start()
        elif victim == "nats":
            any_server.stop(signal.SIGKILL)
            any_server.start()
        time.sleep(chance.uniform(0, 0.3))
        run.stop(signal.SIGKILL)
    once(varve, store)
    check_exact(store, total)
    command(store, "verify", url(store))


def test_readers(any_server, varve, store, tmp_path):
    any_server.add_stream()
    any_server.generate(3000)
    once(varve, store)
    options = environment(store)
    found = polars.read_delta(url(store), storage_options=options)
    assert sorted(found["stream_seq"].to_list()) == list(range(1, 3001))
    # DuckDB's httpfs comes from the network: its reader gets the objects as a mirror makes them.
    for key in store.keys(PREFIX + "/"):
        file = tmp_path / "mirror" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(store.read(key))
    files = f"{tmp_path}/mirror/{PREFIX}/[!_]*/*/*/*.parquet"
    count = duckdb.sql(f"select count(distinct stream_seq), count(*) from '{files}'").fetchall()
    assert count == [(3000, 3000)]


def test_others_append(any_server, varve, store):
    """Another engine commits to the table all the time: 40 of 40 of its commits are there, and each
    message is."""
    any_server.add_stream()
    any_server.generate(100)
    once(varve, store)
    row = table(store).to_pyarrow_table().slice(0, 1)
    run = start(varve, store, batching={"max_age": "100ms"})
    for i in range(40):
        any_server.generate(20)
        other = row.set_column(
            row.schema.get_field_index("simulation_id"), "simulation_id", [[f"other-{i}"]]
        ).cast(row.schema)
        deltalake.write_deltalake(
            table(store), other, mode="append", storage_options=environment(store)
        )
    run.wait_rows(800)
    assert run.stop(signal.SIGTERM) == 0
    found = table(store).to_pyarrow_table(columns=["stream_seq", "simulation_id"]).to_pylist()
    others = [r["simulation_id"] for r in found if r["simulation_id"].startswith("other-")]
    ours = [r["stream_seq"] for r in found if not r["simulation_id"].startswith("other-")]
    assert sorted(others) == sorted(f"other-{i}" for i in range(40))
    assert sorted(ours) == list(range(1, 901))


def test_a_store_that_is_away_is_waited_for(any_server, varve, store, tmp_path):
    """As with a full disk: nothing acked, nothing dropped, an alert, memory bounded; then all of it.
    And a run that is to end while the store is away ends."""
    any_server.add_stream()
    any_server.generate(1000)
    limits = {"memory_limit": "32MiB", "batching": {"max_age": "200ms"}, "sandbox": "on"}
    run = start(varve, store, metrics={"listen": "127.0.0.1:0"}, **limits)
    endpoint = Endpoint(run)
    run.wait_rows(1000)
    wait_for(lambda: any_server.unacked() == 0, "acks")
    metrics = endpoint.metrics()
    assert metrics["varve_object_requests_total", "operation=put", "code=2xx"] > 0
    assert metrics["varve_object_request_seconds_count", "operation=put"] > 0
    store.kill()
    any_server.generate(100_000, payload_bytes=2000)
    run.wait_line("commit_failed")
    wait_for(lambda: "commit" in endpoint.text("/readyz"), "not ready")
    assert any_server.consumer().ack_floor.stream_seq == 1000
    store.start()
    run.wait_rows(101_000)
    most = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{run.process.pid}/status").read_text())[1])
    assert most < (32 + 16) * 1024
    store.kill()
    any_server.generate(10)
    run.wait_line("commit_failed", 2)
    run.send(signal.SIGTERM)
    assert run.wait() == 1
    store.start()
    once(varve, store)
    check_exact(store, 101_010)


def test_compact_and_expire(any_server, varve, store, tmp_path):
    """By varve compact and varve expire, and what drains next knows of it."""
    any_server.add_stream()
    any_server.generate(2000, simulations=2, per_hour=1000)
    settings = {"batching": {"max_rows": 100}, "compaction": "off"}
    once(varve, store, **settings)
    before = table(store).version(), len(table(store).get_add_actions()["path"])
    assert before[1] > 20
    command(store, "compact", "--after", "0s", url(store))
    assert len(table(store).get_add_actions()["path"]) < before[1] / 4
    check_exact(store, 2000)
    command(store, "verify", url(store))
    any_server.generate(100)
    once(varve, store, **settings)
    check_exact(store, 2100)
    command(store, "expire", "--older-than", "1d", url(store))
    assert sequences(store) == []
    assert not [k for k in store.keys(PREFIX + "/") if not k.startswith(f"{PREFIX}/_delta_log/")]
    once(varve, store, **settings)
    assert sequences(store) == []
    command(store, "verify", url(store))


def sequences_at_last(store):
    """A snapshot whose files were merged since can't be read any more: the newest one can."""
    while True:
        try:
            return sequences(store)
        except FileNotFoundError:
            continue


@pytest.mark.parametrize("keep", ["0s", "1h"])
def test_compaction_beside_the_drain(any_server, varve, store, keep):
    """What is merged meanwhile is in no reader's snapshot twice; and a snapshot that was there can
    still be read if merged files are kept."""
    any_server.add_stream()
    settings = {
        "batching": {"max_rows": 100, "max_age": "100ms"},
        "compaction": {"interval": "1s", "after": "1s", "keep_replaced": keep},
    }
    run = start(varve, store, **settings)
    before = None
    for number in range(1, 21):
        any_server.generate(200, per_hour=100_000)
        run.wait_rows(200 * number)
        found = sequences_at_last(store) if keep == "0s" else sequences(store)
        assert found == list(range(1, 200 * number + 1))
        before = before or table(store)
    wait_for(lambda: len(table(store).get_add_actions()["path"]) < 10, "files are merged")
    assert run.stop(signal.SIGTERM) == 0
    assert sequences(store) == list(range(1, 4001))
    if keep == "0s":
        check_exact(store, 4000)
    else:
        assert before.to_pyarrow_table(columns=["stream_seq"]).num_rows == 200
    command(store, "verify", url(store))


def test_check(any_server, varve, store, tmp_path):
    any_server.add_stream()
    file = tmp_path / "check.json"
    file.write_text(json.dumps(config(varve, store)))
    assert "lets one of two win" in command(store, "check", "-c", file)
    made = config(varve, store)
    made["output"]["s3"]["secret_access_key"] = "of another"
    file.write_text(json.dumps(made))
    said = command(store, "check", "-c", file, status=1)
    assert "SignatureDoesNotMatch" in said or "AccessDenied" in said
    assert "of another" not in said


def test_a_store_without_conditions_is_refused(any_server, varve, tmp_path):
    """Nothing would keep two writers from the same entry of the log."""
    any_server.add_stream()
    any_server.generate(10)
    with s3_support.server("rclone", tmp_path / "store") as store:
        run = start(varve, store, "--once")
        assert run.wait() == 2
        assert "If-None-Match" in run.text()
        assert not [key for key in store.keys(PREFIX + "/") if key.endswith(".json")]
