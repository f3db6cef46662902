# SPDX-License-Identifier: MIT
"""A store that varve 0.1.0 wrote before there were event_time and headers goes on: its table gets
the columns, its rows have nulls there, in every reader; what it was before can still be read."""

import base64
import datetime
import json
import shutil
import subprocess
from pathlib import Path

import deltalake
import duckdb
import polars
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from generator import Load
from support import SUBJECT, VARVE, Output, verify

OLD = Path(__file__).parent / "old_store"  # 40 events of seed 12, and two messages that are none
OLD_VERSION = 2
HEADERS = {"Trace": "é/7"}
BLOCK = "NATS/1.0\r\nTrace: é/7\r\n\r\n".encode()
NEW = ("event_time", "headers")


def expected(name):
    """{event_id: value} of one of the columns: nulls in old rows; every other new row has headers,
    and one has a time that no event can have."""
    out = dict.fromkeys((m.row["event_id"] for m in Load(seed=12, simulations=1).run(40)), None)
    for i, m in enumerate(Load(seed=13, simulations=1).run(40)):
        out[m.row["event_id"]] = m.row[name] if name != "headers" else BLOCK if i % 2 else None
    return out


@pytest.fixture(scope="module")
def old_rows():
    return {m.row["event_id"]: m.row for m in Load(seed=12, simulations=1).run(40)}


@pytest.fixture
def store(any_server, varve):
    shutil.copytree(OLD, varve.output)
    any_server.add_stream()

    async def publish(js):
        for i, message in enumerate(Load(seed=13, simulations=1).run(40)):
            await js.publish(SUBJECT, message.data, headers=HEADERS if i % 2 else None)

    any_server.ask(publish)
    varve.once()
    return varve.output


def read_deltalake(root):
    return deltalake.DeltaTable(root).to_pyarrow_table().to_pylist()


def read_polars_delta(root):
    return polars.scan_delta(str(root)).collect().to_dicts()


def read_polars(root):
    frame = polars.scan_parquet(
        f"{root}/[!_]*/*/*/*.parquet",
        missing_columns="insert",
        schema=newest_schema(root),
    )
    return frame.collect().to_dicts()


def newest_schema(root):
    newest = max(root.glob("[!_]*/*/*/*.parquet"), key=lambda p: p.stat().st_mtime_ns)
    return polars.read_parquet_schema(newest)


def read_duckdb(root):
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        files = f"read_parquet('{root}/[!_]*/*/*/*.parquet', union_by_name=true)"
        return connection.sql(f"SELECT * FROM {files}").arrow().read_all().to_pylist()


def read_pyarrow(root):
    files = sorted(str(p) for p in root.glob("[!_]*/*/*/*.parquet"))
    schema = ds.dataset(max(files, key=lambda f: Path(f).stat().st_mtime_ns)).schema
    return ds.dataset(files, schema=schema).to_table().to_pylist()


def read_cat(root):
    out = subprocess.run([VARVE, "cat", root], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in out.stdout.splitlines()]
    for row in rows:
        if row.get("event_time") is not None:
            row["event_time"] = datetime.datetime.fromisoformat(row["event_time"])
    return rows


READERS = [
    read_deltalake,
    read_polars_delta,
    read_polars,
    read_duckdb,
    read_pyarrow,
    read_cat,
]


@pytest.mark.parametrize("read", READERS, ids=lambda f: f.__name__)
def test_rows_of_before_are_null_in_new_columns(store, read):
    rows = read(store)
    assert len(rows) == 80
    for name in NEW:
        wanted = expected(name)
        if read is read_cat:
            wanted = {
                k: base64.b64encode(v).decode() if isinstance(v, bytes) else v
                for k, v in wanted.items()
            }
        assert {row["event_id"]: row[name] for row in rows} == wanted


def test_the_table_grew_by_one_entry(store, old_rows):
    table = deltalake.DeltaTable(store)
    assert table.version() == OLD_VERSION + 2
    names = [field.name for field in table.schema().fields]
    assert tuple(names[-2:]) == NEW
    before = deltalake.DeltaTable(store, version=OLD_VERSION).to_pyarrow_table().to_pylist()
    assert {row["event_id"] for row in before} == set(old_rows)
    assert set(before[0]) == set(names) - set(NEW)
    assert verify(store)["findings"] == []


def test_filters_on_new_columns(store):
    """Files of before have no statistics of them, and must neither be skipped nor counted."""
    times = {k: v for k, v in expected("event_time").items() if v is not None}
    value = sorted(times.values())[20]
    field = ds.field("event_time")
    dataset = deltalake.DeltaTable(store).to_pyarrow_dataset()
    column = polars.col("event_time")
    lazy = polars.scan_delta(str(store))
    for found, wanted in (
        (dataset.to_table(filter=field == value).num_rows, 1),
        (dataset.to_table(filter=field >= value).num_rows, 20),
        (dataset.to_table(filter=field.is_null()).num_rows, 40),
        (lazy.filter(column >= value).collect().height, 20),
        (lazy.filter(column.is_null()).collect().height, 40),
    ):
        assert found == wanted
    for condition, wanted in (
        (f"event_time >= {value.isoformat()}", 20),
        ("event_time = null", 40),
    ):
        command = [VARVE, "cat", "--where", condition, "--columns", "event_id", store]
        assert len(subprocess.check_output(command).splitlines()) == wanted


def test_field_ids_are_the_same_in_every_file(store):
    """They never change their meaning: Iceberg and others go by them, whatever wrote the file."""
    ids = {}
    for path in [*Output(store).files(), *Output(store).quarantine_files()]:
        names = ids.setdefault(path.suffix, {})
        schema = pq.read_schema(path)
        for field in schema:
            number = int(field.metadata[b"PARQUET:field_id"])
            assert names.setdefault(field.name, number) == number
    for names in ids.values():
        assert sorted(names.values()) == list(range(1, len(names) + 1))
    assert ids[".parquet"]["timestamp_ns"] == 1 and ids[".parquet"]["nats_subject"] == 12
    assert ids[".parquet"]["event_time"] == 13 and ids[".parquet"]["headers"] == 14
    assert len(ids[".quarantine"]) == 9
