# SPDX-License-Identifier: MIT
"""A table in a bucket: what a user does with one."""

import base64
import collections
import datetime
import hashlib
import io
import json
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import deltalake
import duckdb
import polars
import pyarrow.dataset
import pyarrow.parquet
import pytest
import s3_support
import support
from s3_fake import Fake
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
    made["output"] |= s3_support.settings(store, prefix)
    return made


def start(varve, store, *args, prefix=PREFIX, **more):
    return varve.start(*args, config=config(varve, store, prefix, **more))


def once(varve, store, **more):
    run = start(varve, store, "--once", **more)
    assert run.wait() == 0, run.text()
    return run


def environment(store):
    return s3_support.environment(
        AWS_ENDPOINT_URL=store.endpoint,
        AWS_REGION=s3_support.REGION,
        AWS_ALLOW_HTTP="true",
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
    hidden = [key for key in keys if "/." in f"/{key}"]
    assert hidden in (
        [],
        ["_delta_log/.withdrawn-varve"],
    )  # names, for a day: bucket.md


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
        assert "note" not in command(store, "verify", "--deep", url(store))
        command(store, "inspect", url(store))
        rows = command(store, "cat", "--columns", "stream_seq", url(store)).splitlines()
        assert [json.loads(row)["stream_seq"] for row in rows] == list(range(1, 6001))
        any_server.add_stream("REPLAY", ["replay.>"])
        said = command(store, "replay", url(store), "--server", any_server.url)
        assert said.startswith("6000 messages published")
        # Of one file, and without a log: each file by itself.
        path = urllib.parse.unquote(
            table(store).get_add_actions()["path"].to_pylist()[0]
        )
        command(store, "verify", f"{url(store)}/{path}")
        assert command(store, "cat", f"{url(store)}/{path}") != ""


def test_kills(any_server, varve, store):
    """varve, the object store and nats-server are killed at any moment."""
    chance = random.Random(int(os.environ.get("VARVE_SEED", "20261127")))
    total, killed = 0, collections.Counter()
    any_server.add_stream()
    for _ in range(int(os.environ.get("VARVE_BUCKET_KILLS", "20"))):
        any_server.generate(300)
        total += 300
        run = start(varve, store, batching={"max_age": "100ms"})
        if chance.random() < 0.8:  # else while it tries what the store can do
            run.wait_line("store")
        time.sleep(chance.uniform(0, 0.5))  # any moment will do
        victim = chance.choice(["varve", "varve", "store", "nats"])
        killed[victim] += 1
        if victim == "store":
            store.kill()
            time.sleep(chance.uniform(0, 0.3))
            store.start()
        elif victim == "nats":
            any_server.stop(signal.SIGKILL)
            any_server.start()
        time.sleep(chance.uniform(0, 0.3))
        run.stop(signal.SIGKILL)
        killed["varve"] += victim != "varve"
    once(varve, store)
    check_exact(store, total)
    command(store, "verify", url(store))
    print(f"killed: {dict(killed)}; {total} messages, 0 lost, 0 twice, nothing beside")


def test_readers(any_server, varve, store, tmp_path):
    any_server.add_stream()
    any_server.generate(3000)
    once(varve, store)
    options = environment(store)
    found = polars.read_delta(url(store), storage_options=options)
    assert sorted(found["stream_seq"].to_list()) == list(range(1, 3001))
    # DuckDB's newest httpfs comes from the network: here it gets the objects as a mirror makes them.
    for key in store.keys(PREFIX + "/"):
        file = tmp_path / "mirror" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(store.read(key))
    files = f"{tmp_path}/mirror/{PREFIX}/[!_]*/*/*/*.parquet"
    count = duckdb.sql(
        f"select count(distinct stream_seq), count(*) from '{files}'"
    ).fetchall()
    assert count == [(3000, 3000)]


HTTPFS = """
import sys
import duckdb
extension, endpoint, key, secret, files = sys.argv[1:]
sql = duckdb.connect()
sql.execute(f"load '{extension}'")
for name, value in (("endpoint", endpoint), ("access_key_id", key), ("secret_access_key", secret),
                    ("use_ssl", "false"), ("url_style", "path")):
    sql.execute(f"set s3_{name} = '{value}'")
print(*sql.sql(f"select count(*), count(distinct stream_seq) from '{files}'").fetchone())
"""


def test_duckdb_reads_the_bucket_itself(any_server, varve, store):
    """By its own reader of object stores (tests/interop/httpfs)."""
    there = support.ROOT / "build/httpfs"
    extension = next(there.rglob("httpfs.duckdb_extension"), None)
    if extension is None:
        pytest.skip(f"no httpfs.duckdb_extension below {there}: make setup-test")
    any_server.generate(3000)
    once(varve, store)
    login = s3_support.ACCESS_KEY, s3_support.SECRET_KEY
    files = f"{url(store)}/[!_]*/*/*/*.parquet"
    where = store.endpoint.removeprefix("http://")
    done = subprocess.run(
        [sys.executable, "-c", HTTPFS, extension, where, *login, files],
        env={**environment(store), "PYTHONPATH": str(there)},
        capture_output=True,
        check=False,
        text=True,
        timeout=support.PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3000", "3000"]


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
            row.schema.get_field_index("simulation_id"),
            "simulation_id",
            [[f"other-{i}"]],
        ).cast(row.schema)
        deltalake.write_deltalake(
            table(store), other, mode="append", storage_options=environment(store)
        )
    run.wait_rows(800)
    assert run.stop(signal.SIGTERM) == 0
    found = (
        table(store)
        .to_pyarrow_table(columns=["stream_seq", "simulation_id"])
        .to_pylist()
    )
    others = [
        r["simulation_id"] for r in found if r["simulation_id"].startswith("other-")
    ]
    ours = [
        r["stream_seq"] for r in found if not r["simulation_id"].startswith("other-")
    ]
    assert sorted(others) == sorted(f"other-{i}" for i in range(40))
    assert sorted(ours) == list(range(1, 901))


def test_a_store_that_is_away_is_waited_for(any_server, varve, store, tmp_path):
    """As with a full disk: nothing acked, nothing dropped, an alert, memory bounded; then all of it.
    And a run that is to end while the store is away ends."""
    any_server.add_stream()
    any_server.generate(1000)
    limits = {
        "memory_limit": "32MiB",
        "batching": {"max_age": "200ms"},
        "sandbox": "on",
    }
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
    any_server.wait_acked(1000)
    store.start()
    run.wait_rows(101_000)
    most = int(
        re.search(
            r"VmHWM:\s+(\d+)", Path(f"/proc/{run.process.pid}/status").read_text()
        )[1]
    )
    assert most < (32 + 16) * 1024
    failed = len(run.lines("commit_failed"))
    store.kill()
    any_server.generate(10)
    run.wait_line("commit_failed", failed + 1)
    run.send(signal.SIGTERM)
    assert run.wait() == 1
    store.start()
    once(varve, store)
    check_exact(store, 101_010)


CREDENTIALS = """[default]
aws_access_key_id = {key}
aws_secret_access_key = {secret}
aws_session_token = {token}
"""


@pytest.mark.parametrize("what", ["InvalidToken", "ExpiredToken", "AccessDenied"])
def test_a_store_that_refuses_is_waited_for(any_server, varve, tmp_path, what):
    """Nothing acked, nothing dropped, and on again when somebody has given the user other
    credentials in the shared file, or the right to write. Endpoint, too, come from there; in the
    sandbox, and nothing of it is told."""
    any_server.add_stream()
    any_server.generate(1000)
    files = {name: tmp_path / name for name in ("credentials", "config")}
    secret = "rotated/secret+of=the-user"

    def write(token):
        text = CREDENTIALS.format(key="ID1", secret=secret, token=token)
        files["credentials"].write_text(text)

    with Fake() as store:
        store.bucket, store.token, store.token_code = "varve-test", "TOKEN-1/first", what
        write(store.token)
        files["config"].write_text(f"[default]\nendpoint_url = {store.endpoint}\n")
        made = config(varve, store, metrics={"listen": "127.0.0.1:0"}, sandbox="on")
        made["batching"] = {"max_age": "100ms"}
        made["settings"] |= {"log_level": "DEBUG"}
        del made["output"]["s3"]
        env = {
            f"AWS_{k}": str(v)
            for k, v in {
                "SHARED_CREDENTIALS_FILE": files["credentials"],
                "CONFIG_FILE": files["config"],
            }.items()
        }
        run = varve.start(config=made, env=env)
        endpoint = Endpoint(run)
        run.wait_rows(1000)
        if what == "AccessDenied":
            store.denied = {"put"}
        else:
            store.token = "TOKEN-2/second"
        any_server.generate(1000)
        run.wait_line("commit_failed")
        wait_for(lambda: "commit" in endpoint.text("/readyz"), "not ready")
        any_server.wait_acked(1000)
        assert "commit_failed" in endpoint.text("/status.json")
        if what == "AccessDenied":
            store.denied = set()
        else:
            write(store.token)
        run.wait_rows(2000)
        wait_for(lambda: any_server.unacked() == 0, "acks")
        texts = support.seen(run, endpoint)
        assert not [k for k, text in texts.items() for s in (secret, "TOKEN-") if s in text]
        assert run.stop(signal.SIGTERM) == 0
        rows = [
            row
            for key, body in store.objects.items()
            if key.endswith(".parquet")
            for row in pyarrow.parquet.read_table(io.BytesIO(body))["stream_seq"].to_pylist()
        ]
        assert sorted(rows) == list(range(1, 2001))


def test_uploads_that_nobody_goes_on_with_are_aborted(any_server, varve):
    """A start aborts those that are older than a day, by the clock of the store; and none that may
    be under way, or is not below the prefix."""
    any_server.generate(10)
    with Fake() as store:
        store.bucket, store.skew = "varve-test", 3 * 86400.0
        for name, key, hours in (
            ("old", f"{PREFIX}/a/1-2.parquet", 25),
            ("older", f"{PREFIX}/b/1-2.parquet", 2000),
            ("young", f"{PREFIX}/a/3-4.parquet", 23),
            ("of-another", f"{PREFIX}-2/a/1-2.parquet", 25),
        ):
            begun = store.now() - datetime.timedelta(hours=hours)
            store.begun[name] = key, begun.strftime("%Y-%m-%dT%H:%M:%S.000Z")
            store.uploads[name] = {}
        once(varve, store)
        assert sorted(store.uploads) == ["of-another", "young"]


def expect_not_reached(varve, store, why):
    run = start(varve, store, "--once", "--timeout", "1s")
    assert run.wait() == 1
    last = run.text().splitlines()[-1]
    assert "not reached in time" in last and why in last


def test_a_store_that_is_away_at_the_start_is_waited_for(any_server, varve, store):
    """As one that goes away later: nothing is lost by it, and nobody has to start varve again."""
    any_server.add_stream()
    any_server.generate(1000)
    store.kill()
    expect_not_reached(varve, store, "Connection refused")
    run = start(varve, store)
    run.wait_line("store_away")
    run.send(signal.SIGTERM)
    assert run.wait() == 1
    run = start(varve, store)
    run.wait_line("store_away")
    store.start()
    run.wait_rows(1000)
    assert run.stop(signal.SIGTERM) == 0
    check_exact(store, 1000)


def test_a_bucket_that_is_not_there_yet_is_waited_for(any_server, varve, store):
    """As a stream is, by a service whose bucket is made later than it is started."""
    any_server.add_stream()
    any_server.generate(1000)
    store.client().delete_bucket(Bucket=store.bucket)
    expect_not_reached(varve, store, "NoSuchBucket")
    run = start(varve, store)
    run.wait_line("store_away")
    store.make_bucket()
    run.wait_rows(1000)
    assert run.stop(signal.SIGTERM) == 0
    check_exact(store, 1000)


def quarantined(store):
    """Sequences of what is in quarantine, and their reasons."""
    keys = [key for key in store.keys(f"{PREFIX}/_quarantine/")]
    rows = [
        r
        for key in keys
        for r in pyarrow.parquet.read_table(io.BytesIO(store.read(key))).to_pylist()
    ]
    return sorted((row["stream_seq"], row["reason"]) for row in rows)


def test_messages_that_are_no_rows(any_server, varve, store):
    """To quarantine in the bucket, in the commit of their epoch; or to a dead letter stream."""
    any_server.add_stream()
    any_server.publish([b"\xff"] * 3, support.SUBJECT)
    any_server.generate(500)
    once(varve, store)
    found = quarantined(store)
    assert [sequence for sequence, _ in found] == [1, 2, 3] and all(
        why for _, why in found
    )
    any_server.add_stream("DEAD", ["dead.letters"])
    any_server.publish([b"\xff"] * 2, support.SUBJECT)
    any_server.generate(100)
    once(varve, store, dead_letter={"subject": "dead.letters"})
    assert quarantined(store) == found
    assert [data for *_, data in any_server.messages("DEAD")] == [b"\xff"] * 2
    assert sequences(store) == [
        n for n in range(1, 606) if n > 3 and n not in (504, 505)
    ]
    command(store, "verify", url(store))


def test_two_processes_of_one_name(any_server, varve, store):
    """Whoever commits first goes on; the other one stores nothing, and says why. When one is left,
    each row is stored once."""
    any_server.add_stream()
    any_server.generate(300)
    runs = [start(varve, store, batching={"max_age": "100ms"}) for _ in range(2)]
    for run in runs:
        run.wait_line("store")

    def refused():
        any_server.generate(50)
        return [run for run in runs if "another process commits as" in run.text()]

    wait_for(refused, "one of two to be refused")
    for run in runs:
        run.stop(signal.SIGTERM)
    once(varve, store)
    count = any_server.stream().state.last_seq
    assert sequences(store) == list(range(1, count + 1))


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
    assert not [
        k for k in store.keys(PREFIX + "/") if not k.startswith(f"{PREFIX}/_delta_log/")
    ]
    once(varve, store, **settings)
    assert sequences(store) == []
    command(store, "verify", url(store))


def test_large_row_groups_are_copied_by_compaction(any_server, varve, store):
    """Here, too: see test_judges.py."""
    any_server.add_stream()
    settings = {"compaction": "off", "batching": {"max_rows": 60_000}}
    settings["output"] = {"path_template": "all/{first_seq}-{last_seq}.parquet"}
    for count in (30_000, 10):
        any_server.generate(count)
        once(varve, store, **settings)
    [(before, large), _] = sorted(
        (key, store.read(key)) for key in store.keys(f"{PREFIX}/all/")
    )
    command(store, "compact", "--after", "0s", url(store))
    [after] = store.keys(f"{PREFIX}/all/")
    assert after != before
    group = pyarrow.parquet.read_metadata(io.BytesIO(large)).row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    pages = large[4 : 4 + sum(column.total_compressed_size for column in columns)]
    assert store.read(after).startswith(b"PAR1" + pages)
    check_exact(store, 30_010)
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

    def merged():
        """One file for each folder: there is nothing that the end could interrupt."""
        paths = table(store).get_add_actions()["path"].to_pylist()
        return len(paths) == len({path.rpartition("/")[0] for path in paths})

    wait_for(merged, "files are merged")
    assert run.stop(signal.SIGTERM) == 0
    assert sequences(store) == list(range(1, 4001))
    if keep == "0s":
        check_exact(store, 4000)
    else:
        assert before.to_pyarrow_table(columns=["stream_seq"]).num_rows == 200
    command(store, "verify", url(store))


def verified(store, *args, status=0):
    """The summary of varve verify, the kinds of its notes, and of what it found."""
    said = [
        json.loads(x)
        for x in command(
            store, "verify", "--json", *args, url(store), status=status
        ).splitlines()
    ]
    kinds = {
        part: {x["kind"] for line in said[:-1] for x in line[part]}
        for part in ("notes", "findings")
    }
    return said[-1]["summary"], kinds["notes"], kinds["findings"]


def test_verify_believes_the_hash_that_the_store_keeps(any_server, varve, store):
    """Of a file whose bytes have changed behind the store's back only --deep can know."""
    any_server.add_stream()
    any_server.generate(2000)
    once(varve, store)
    summary, notes, found = verified(store)
    assert (summary["rows"], notes, found) == (2000, {"not read"}, set())
    assert verified(store, "--deep") == ({**summary, "notes": 0}, set(), set())
    file = next((store.files / store.bucket / PREFIX).rglob("*.parquet"))
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    with file.open("r+b") as there:  # what the store notes of the object stays
        there.write(body)
    assert verified(store) == (summary, notes, set())
    assert "log" in verified(store, "--deep", status=1)[2]
    file.unlink()
    assert "log" in verified(store, status=1)[2]


def test_verify_reads_what_the_store_does_not_vouch_for(any_server, varve):
    """Of a merge in parts a store has a hash of hashes; others have none, or another one."""
    any_server.add_stream()
    any_server.generate(1000)
    with Fake() as store:
        store.bucket = "varve-test"
        once(varve, store)

        def read():
            store.requests.clear()
            summary, notes, found = verified(store)
            assert (summary["rows"], found) == (1000, set())
            files = {x.key for x in store.requests if x.method == "GET"}
            return sorted(x for x in files if x.endswith(".parquet")), notes

        files = sorted(key for key in store.objects if key.endswith(".parquet"))
        assert len(files) > 1
        assert read() == ([], {"not read"})
        kept = dict(store.hashes)
        other = kept[files[1]]
        for said in (
            None,
            "",
            "x",
            other,
            kept[files[0]] + "-2",
            kept[files[0]][:-2],
            9 * "A",
        ):
            store.hashes[files[0]] = said
            assert read() == (files[:1], {"not read"}), said
        store.hashes.clear()
        assert read() == (files, set())
        store.hashes.update(kept)
        body = store.objects[files[0]]
        store.objects[files[0]] = body[:-1]  # shorter than the log says
        assert "log" in verified(store, status=1)[2]
        store.objects[files[0]] = body[:-1] + b"X"
        store.hashes[files[0]] = base64.b64encode(
            hashlib.sha256(body[:-1] + b"X").digest()
        ).decode()
        assert "log" in verified(store, status=1)[2]


def test_check(any_server, varve, store, tmp_path):
    any_server.add_stream()
    file = tmp_path / "check.json"
    file.write_text(json.dumps(config(varve, store)))
    said = command(store, "check", "-c", file)
    assert (
        f"can put, get, list and delete at {store.endpoint}/{store.bucket}, with"
        in said
    )
    assert "lets one of two win" in said and "in one request" not in said
    assert "the name of the bucket is in the path of each request" in said
    assert re.search(r"a request takes \d+ ms on average", said)
    assert "clock of the store is that of this host" in said
    made = config(varve, store)
    made["output"]["s3"]["secret_access_key"] = "of another"
    file.write_text(json.dumps(made))
    said = command(store, "check", "-c", file, status=1)
    assert "SignatureDoesNotMatch" in said or "AccessDenied" in said
    assert "of another" not in said


def test_several_try_the_store_at_once(any_server, varve, store, tmp_path):
    """None takes what another one's trial does to its own for a fault of the store; and what one
    has left that was killed is gone after the next."""
    any_server.add_stream()
    file = tmp_path / "check.json"
    file.write_text(json.dumps(config(varve, store)))
    check = [support.VARVE, "check", "-c", file]
    store.write(f"{PREFIX}/.varve/check/left-0", b"x")
    for _ in range(5):
        runs = [
            subprocess.Popen(check, env=environment(store), stdout=-1) for _ in range(6)
        ]
        for run in runs:
            said = run.communicate(timeout=support.PATIENCE)[0].decode()
            assert run.returncode == 0 and "lets one of two win" in said, said
    assert not [key for key in store.keys(PREFIX + "/") if "/.varve/check/" in key]


@pytest.mark.parametrize("denied", ["put", "get", "list", "delete"])
def test_check_tells_what_is_not_allowed(any_server, varve, tmp_path, denied):
    """Each right that is missing, by the name of what was tried, and where."""
    any_server.add_stream()
    with Fake() as store:
        store.bucket, store.denied = "varve-test", {denied}
        file = tmp_path / "check.json"
        file.write_text(json.dumps(config(varve, store)))
        said = command(store, "check", "-c", file, status=1)
        assert re.search(f"s3://varve-test/{PREFIX}/.*: {denied}: .* 403 AccessDenied", said), said
        assert "can put, get, list and delete" not in said
        left = [key for key in store.objects if "/.varve/" not in f"/{key}"]
        assert not left and (denied == "delete" or not store.objects)


def test_check_tells_of_what_a_store_lacks(any_server, varve, tmp_path):
    """A clock that is off; no conditions for what comes in parts."""
    any_server.add_stream()
    with Fake() as store:
        store.bucket, store.loose, store.skew = "varve-test", True, 7200.0
        file = tmp_path / "check.json"
        file.write_text(json.dumps(config(varve, store)))
        said = command(store, "check", "-c", file)
        assert "files above 64 MiB are put in one request" in said
        assert re.search(r"clock of the store is \S+ ahead of this host's", said), said
        assert not store.objects and not store.uploads


def test_a_store_without_conditions_is_refused(any_server, varve, tmp_path):
    """Nothing would keep two writers from the same entry of the log."""
    any_server.add_stream()
    any_server.generate(10)
    with s3_support.server("rclone", tmp_path / "store") as store:
        run = start(varve, store, "--once")
        assert run.wait() == 2
        assert "If-None-Match" in run.text()
        assert not [key for key in store.keys(PREFIX + "/") if key.endswith(".json")]


def test_a_store_that_lets_two_win_is_refused(any_server, varve):
    """One after the other it gets right; but it looks first and puts then, as s3s-fs does."""
    with Fake() as store:
        store.bucket, store.racy = "varve-test", True
        run = start(varve, store, "--once")
        assert run.wait() == 2
        assert "lets two writers make one object" in run.text()
        assert not [key for key in store.objects if key.endswith(".json")]


def test_s3s_fs_is_refused(any_server, varve, tmp_path):
    """As the script above that does what it does."""
    any_server.add_stream()
    with s3_support.server("s3s-fs", tmp_path / "store") as store:
        run = start(varve, store, "--once")
        assert run.wait() == 2
        assert "lets two writers make one object" in run.text()
        assert not [key for key in store.keys(PREFIX + "/") if key.endswith(".json")]


def test_typed_tables_of_a_bucket(any_server, varve, store):
    """Rewards of a store in a bucket, in tables on a directory and in the bucket, by one who runs
    beside it and by one who runs alone."""
    any_server.generate(2000)
    kind = "sim.agent_reward.v1"
    columns = ["reward double $.reward"]
    more = {"payloads": [{"event_type": kind, "format": "json", "columns": columns}]}
    here = varve.directory / "types"
    once(varve, store, followers=[{"name": "inside", "kind": "table"}], **more)
    path = varve.directory / "follow.yaml"
    beside = url(store, "elsewhere/types")
    once(
        varve,
        store,
        followers=[{"name": "moved", "kind": "table", "target": beside}],
        **more,
    )
    followers = [{"name": "outside", "kind": "table", "target": str(here)}]
    path.write_text(json.dumps(config(varve, store, followers=followers, **more)))
    command(store, "follow", "outside", "-c", path, "--once")
    rewards = []
    for row in table(store).to_pyarrow_table().to_pylist():
        if row["event_type_key"] == kind:
            rewards.append(
                (row["stream_seq"], json.loads(row["event_payload"])["reward"])
            )
    outside = deltalake.DeltaTable(str(here / kind))
    for prefix in (f"{PREFIX}-types", "elsewhere/types"):
        inside = table(store, f"{prefix}/{kind}").to_pyarrow_table(columns=["reward"])
        assert sorted(inside["reward"].to_pylist()) == sorted(
            reward for _, reward in rewards
        )
    for found in (outside, table(store, f"{PREFIX}-types/{kind}")):
        rows = found.to_pyarrow_table(columns=["stream_seq", "reward"]).to_pylist()
        assert sorted(tuple(row.values()) for row in rows) == sorted(rewards)
    assert len(rewards) > 200


class Killer:
    """A proxy before a store, which kills who asks at request number `at`, of those since the first
    that has `mark`: before the store has it, or when it has answered."""

    def __init__(self, store):
        self.target = ("127.0.0.1", int(store.endpoint.rsplit(":", 1)[1]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.process = None
        self.begin(0, b"", answered=False)
        threading.Thread(target=self.accept, daemon=True).start()

    def begin(self, at, mark, answered):
        """0: nobody is killed."""
        with self.lock:
            self.at, self.mark, self.answered, self.seen = at, mark, answered, 0

    def counts(self, data):
        """Whether the end has come."""
        with self.lock:
            if re.match(rb"(GET|PUT|HEAD|DELETE|POST) ", data):
                self.seen += self.seen > 0 or self.mark in data.split(b"\n", 1)[0]
            return 0 < self.at <= self.seen

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.create_connection(self.target) as server:
            ends, last = {client: server, server: client}, False
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    try:
                        data = end.recv(1 << 20)
                    except ConnectionError:
                        return
                    if not data:
                        return
                    last = last or (end is client and self.counts(data))
                    if last and (not self.answered or end is server):
                        self.process.kill()
                        return
                    ends[end].sendall(data)


REWARD = "sim.agent_reward.v1"


def typed_settings(store, target, *columns):
    entry = {"event_type": REWARD, "format": "json", "columns": list(columns)}
    followers = [{"name": "typed", "kind": "table", "target": url(store, target)}]
    return {"payloads": [entry], "followers": followers}


def typed_rows(store, target):
    """Its columns behind those of the envelope, and what rows have there."""
    found = table(store, f"{target}/{REWARD}").to_pyarrow_table()
    names = found.column_names[found.column_names.index("payload_error") + 1 :]
    rows = found.select(["stream_seq", *names]).to_pylist()
    return names, sorted(tuple(row.values()) for row in rows)


def replaced(store, prefix):
    """Old files that wait for their time, and until when."""
    name = f"{prefix}_delta_log/_varve/%replaced"
    if name not in store.keys(prefix):
        return {}
    lines = store.read(name).decode().splitlines()
    return {line.split(" ", 1)[1]: int(line.split(" ", 1)[0]) / 1000 for line in lines}


def check_typed(store, target):
    """Nothing lies there that the log does not name, but old files, for a week; and no log but that
    one."""
    prefix = f"{target}/{REWARD}/"
    paths = table(store, prefix).get_add_actions()["path"].to_pylist()
    old = replaced(store, prefix)
    keys = [key.removeprefix(prefix) for key in store.keys(prefix)]
    beside = [key for key in keys if not key.startswith("_delta_log/")]
    assert sorted(beside) == sorted([*map(urllib.parse.unquote, paths), *old])
    assert all(6.9 < (until - time.time()) / 86400 <= 7 for until in old.values())
    assert "ok" in command(store, "verify", url(store, prefix))


def begin_anew(varve, store, name, settings, endpoint=None):
    """The process of `varve follow NAME --restart`, which reaches the store as `endpoint`."""
    made = config(varve, store, **settings)
    made["output"]["s3"]["endpoint"] = endpoint or store.endpoint
    count = len(list(varve.directory.glob("anew-*.yaml")))  # several may run at once
    path = varve.directory / f"anew-{count}.yaml"
    path.write_text(json.dumps(made))
    return subprocess.Popen(
        [support.VARVE, "follow", name, "-c", path, "--once", "--restart"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(store),
    )


def restart(varve, store, column, endpoint=None):
    settings = typed_settings(store, "types", f"{column} double $.reward")
    return begin_anew(varve, store, "typed", settings, endpoint)


def restarted(varve, store, column):
    child = restart(varve, store, column)
    said = child.communicate(timeout=support.PATIENCE)[0]
    assert child.returncode == 0, said
    return said


def test_restart_of_tables_in_a_bucket(any_server, varve, store):
    """The tables are made anew beside the old ones, and one entry puts them in their place; rows
    that come later are added to them, it can be done again, and old versions can be read."""
    any_server.generate(600)
    once(varve, store, **typed_settings(store, "types", "reward double $.reward"))
    names, rows = typed_rows(store, "types")
    old = table(store, f"types/{REWARD}")
    version, was = old.version(), old.metadata().id
    assert names == ["reward"] and len(rows) > 50
    assert f"{len(rows)} rows, 0 of them" in restarted(varve, store, "value")
    assert typed_rows(store, "types") == (["value"], rows)
    now = table(store, f"types/{REWARD}")
    assert now.version() > version and now.metadata().id != was
    assert all(
        path.startswith("_anew/1/")
        for path in now.get_add_actions()["path"].to_pylist()
    )
    # Who has the old one open, or asks for its version, still reads it.
    for reader in old, deltalake.DeltaTable(old.table_uri, version, environment(store)):
        found = reader.to_pyarrow_table(columns=["stream_seq", "reward"]).to_pylist()
        assert sorted(tuple(row.values()) for row in found) == rows
    check_typed(store, "types")
    # Plain patterns find the old ones, and the new ones where they are: no row twice.
    there = f"{store.path(f'types/{REWARD}')}"
    for pattern in "[!_]*/**/*.parquet", "_anew/*/[!_]*/**/*.parquet":
        found = duckdb.sql(
            f"SELECT stream_seq FROM read_parquet('{there}/{pattern}') ORDER BY ALL"
        )
        assert [row[0] for row in found.fetchall()] == [row[0] for row in rows]
    assert len(pyarrow.dataset.dataset(there).to_table()) == len(rows)
    any_server.generate(600, start_index=600)
    once(varve, store, **typed_settings(store, "types", "value double $.reward"))
    more = typed_rows(store, "types")[1]
    assert more[: len(rows)] == rows and len(more) > len(rows) + 50
    check_typed(store, "types")
    restarted(varve, store, "again")
    assert typed_rows(store, "types") == (["again"], more)
    check_typed(store, "types")
    # Other engines may go on with it.
    prefix = f"types/{REWARD}"
    table(store, prefix).optimize.compact()
    table(store, prefix).create_checkpoint()
    assert typed_rows(store, "types") == (["again"], more)
    kept = table(store, prefix).vacuum(dry_run=True)
    assert not [path for path in kept if path.startswith("_anew/")]


def test_restart_that_is_killed_at_any_request(any_server, varve, store):
    """Each time readers find all of the old table or all of the new one, and the next attempt
    removes what is left."""
    any_server.generate(400)
    once(varve, store, **typed_settings(store, "types", "column0 double $.reward"))
    rows = typed_rows(store, "types")[1]
    killer = Killer(store)

    def attempt(column, at=0, mark=b""):
        """Whether it was killed; it may have had less to do than another time."""
        killer.begin(at, mark, answered=random.random() < 0.5)
        with killer.lock:
            killer.process = child = restart(varve, store, column, killer.endpoint)
        said = child.communicate(timeout=support.PATIENCE)[0]
        assert child.returncode in (0, -signal.SIGKILL) and (
            at or child.returncode == 0
        ), said
        return child.returncode != 0

    # Where the entry comes that makes it another table; and anywhere before.
    counts = {}
    for mark in b"payload.next.json", b"":
        attempt("column1", mark=mark)
        counts[mark] = killer.seen
    names, found = typed_rows(store, "types")
    assert names == ["column1"] and found == rows and counts[b""] > 40
    fates, number = collections.Counter(), 0
    while fates[False] + fates[True] < 30 or min(fates[False], fates[True]) < 5:
        mark = list(counts)[number % 2]
        there, column, number = names[0], f"killed{number}", number + 1
        assert number < 200, fates
        killed = attempt(column, random.randint(1, counts[mark]), mark)
        names, found = typed_rows(store, "types")
        assert found == rows and names in ([there], [column]), (mark, names)
        fates[names == [column]] += killed
        if number % 5 == 0:
            assert "ok" in command(store, "verify", url(store, f"types/{REWARD}"))
    restarted(varve, store, "last")
    assert typed_rows(store, "types") == (["last"], rows)
    check_typed(store, "types")
    any_server.generate(400, start_index=400)
    once(varve, store, **typed_settings(store, "types", "last double $.reward"))
    after = typed_rows(store, "types")[1]
    assert after[: len(rows)] == rows and len(after) > len(rows)
    check_typed(store, "types")


def test_an_archive_made_anew_and_killed_at_any_request(any_server, varve, store):
    """The store is in a bucket, too. Each time the archive has all rows, and they can be read."""
    killer = Killer(store)
    any_server.generate(200)

    def settings(level):
        vault = {"name": "vault", "kind": "archive", "target": url(store, "vault")}
        return {
            "batching": {"max_age": "200ms", "max_rows": 40},
            "followers": [vault | {"compression_level": level, "manifest": True}],
        }

    once(varve, store, **settings(3))
    rows = sequences(store, "vault")
    assert rows == sequences(store)

    def attempt(level, endpoint=None):
        return begin_anew(varve, store, "vault", settings(level), endpoint)

    # Behind what is looked at first, that is where files change; and anywhere.
    marks, most = (b"/vault/%25announced", b""), [120, 200]
    killed = number = 0
    while killed < 20:
        assert number < 60, f"{killed} killed, of at most {most} requests"
        which, number = number % 2, number + 1
        killer.begin(random.randint(1, most[which]), marks[which], random.random() < 0.5)
        with killer.lock:
            killer.process = child = attempt(1 + which, killer.endpoint)
        said = child.communicate(timeout=support.PATIENCE)[0]
        assert child.returncode in (0, -signal.SIGKILL), said
        if child.returncode != 0:
            killed += 1
        elif killer.seen > 10:  # it has no more
            most[which] = min(most[which], killer.seen)
        assert sequences(store, "vault") == rows
        command(store, "verify", url(store, "vault"), "--against", url(store))
    last = attempt(0)
    said = last.communicate(timeout=support.PATIENCE)[0]
    assert last.returncode == 0, said
    data = [key for key in store.keys(f"{PREFIX}/") if key.endswith(".parquet")]
    data = [key for key in data if "/_delta_log/" not in key]
    for key in data:
        assert store.read(key) == store.read("vault" + key.removeprefix(PREFIX))
    there = [key for key in store.keys("vault/") if key.endswith(".parquet")]
    assert len([key for key in there if "/_delta_log/" not in key]) == len(data)
    command(store, "verify", "--deep", url(store, "vault"), "--against", url(store))


def test_two_restarts_at_once_in_a_bucket(any_server, varve, store):
    """Without a lock, since the store is in the bucket, too: one of them, or both, end well; the
    table is the one's or the other's, and whole."""
    any_server.generate(400)
    once(varve, store, **typed_settings(store, "types", "column double $.reward"))
    rows = typed_rows(store, "types")[1]
    for turn in range(3):
        columns = [f"one{turn}", f"two{turn}"]
        children = [restart(varve, store, column) for column in columns]
        said = [child.communicate(timeout=support.PATIENCE)[0] for child in children]
        codes = [child.returncode for child in children]
        assert 0 in codes and set(codes) <= {0, 1}, said
        names, found = typed_rows(store, "types")
        assert found == rows and names[0] in columns
    restarted(varve, store, "last")
    assert typed_rows(store, "types") == (["last"], rows)
    check_typed(store, "types")


def test_quality_of_a_store_in_a_bucket(any_server, varve, store):
    """Reports beside the rows, as `varve quality` has them, over two runs."""
    followers = [{"name": "judge", "kind": "quality"}]
    for _ in range(2):
        any_server.generate(300)
        once(varve, store, followers=followers)
    done = subprocess.run(
        [support.VARVE, "quality", url(store), "-c", "/dev/null", "--json"],
        capture_output=True,
        check=False,
        text=True,
        timeout=support.PATIENCE,
        env=environment(store),
    )
    assert done.returncode in (0, 1) and not done.stderr, (
        done.stderr
    )  # 1: something is found
    keys = [key for key in store.keys(f"{PREFIX}/_quality/") if key.endswith(".json")]
    reports = sorted(store.read(key).decode() for key in keys)
    assert sum(json.loads(report)["events"] for report in reports) == 600
    assert reports == sorted(done.stdout.splitlines(keepends=True))
