# SPDX-License-Identifier: MIT
"""Filters on every column give the rows that are there, in every engine that reads the log or the
files: engines skip what statistics rule out, and one that is misled finds nothing without a word."""

import datetime
import json

import deltalake
import duckdb
import polars
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from generator import length_field, varint_field
from support import SUBJECT

TIMES = [1, -1, 0, (1 << 63) - 1, -(1 << 63), 1_700_000_000_123_456_789]
# Texts that are long, that no short text is as great as, or that engines treat specially.
TEXTS = ["", "a", "a" * 65, "é" * 40, "\U0010ffff" * 20, "a" * 62 + "\U0010ffff" * 3, "z\x00y"]
TEXTS += ['q"\\\n', "\uffff" * 30, "%", "a/b", "NULL", "İ"]


def messages():
    for i, text in enumerate(TEXTS):
        for time in TIMES:
            fields = [(1, f"event-{i}-{time}"), (2, text), (3, b"\x00\xff" + text.encode())]
            fields += [(5, text), (6, text), (7, text)]
            fields += [(8, text)] if i % 2 else []
            yield b"".join(length_field(n, v) for n, v in fields) + varint_field(
                4, time & ((1 << 64) - 1)
            )


@pytest.fixture
def table(any_server, varve):
    """A table of several commits and many files; one of them has nothing but nulls in a column."""
    any_server.add_stream()
    every = list(messages())
    async def publish(js, part):
        for i, data in enumerate(part):
            await js.publish(SUBJECT, data, headers={"Row": str(i)} if i % 3 else None)

    for part in (every[:30], every[30:]):
        any_server.ask(lambda js, part=part: publish(js, part))
        varve.once()
    return varve.output


def deltalake_filter(root, column, value):
    table = deltalake.DeltaTable(root)
    found = table.to_pyarrow_dataset().to_table(filter=ds.field(column) == value)
    assert table.to_pyarrow_table(filters=[(column, "=", value)]).num_rows == found.num_rows
    return found.num_rows


def polars_filter(root, column, value):
    return polars.scan_delta(str(root)).filter(polars.col(column) == value).collect().height


def duckdb_filter(root, column, value):
    if isinstance(value, str) and "\0" in value:
        return None  # has no parameter with a NUL
    files = f"read_parquet('{root}/*/*/*/*.parquet', hive_partitioning=false)"
    query = f"select count(*) from {files} where {column} = ?"
    with duckdb.connect() as connection:
        ((count,),) = connection.execute(query, [value]).fetchall()
    return count


def pyarrow_filter(root, column, value):
    paths = sorted(str(p) for p in root.glob("*/*/*/*.parquet"))
    return ds.dataset(paths).to_table(filter=ds.field(column) == value).num_rows


@pytest.mark.parametrize(
    "engine",
    [deltalake_filter, polars_filter, duckdb_filter, pyarrow_filter],
    ids=lambda f: f.__name__,
)
def test_filter_on_each_column_finds_its_rows(table, engine):
    every = deltalake.DeltaTable(table).to_pyarrow_table()
    assert every.num_rows == len(TEXTS) * len(TIMES)
    assert every["event_time"].null_count == 4 * len(TEXTS)  # of six times, two are plausible
    wrong = []
    for column in every.column_names:
        values = every[column].unique().drop_null().to_pylist()
        for value in values[:: max(1, len(values) // 15)]:
            found = engine(table, column, value)
            true = pc.sum(pc.equal(every[column], value)).as_py()
            if found not in (true, None):
                wrong.append((column, str(value)[:40], true, found))
    assert not wrong


def test_null_and_range_filters_find_their_rows(table):
    every = deltalake.DeltaTable(table).to_pyarrow_table()
    dataset = deltalake.DeltaTable(table).to_pyarrow_dataset()
    for column in every.column_names:
        nulls = every[column].null_count
        for is_null, count in ((True, nulls), (False, every.num_rows - nulls)):
            field = ds.field(column)
            wanted = field.is_null() if is_null else field.is_valid()
            assert dataset.to_table(filter=wanted).num_rows == count, (column, is_null)
    newest = max(every["stream_time"].to_pylist())
    assert newest.microsecond % 1000  # else this test would see nothing
    microsecond = datetime.timedelta(microseconds=1)
    after = dataset.to_table(filter=ds.field("stream_time") > newest - microsecond).num_rows
    assert after == every["stream_time"].to_pylist().count(newest)


def test_filters_on_a_table_of_an_earlier_version(table, varve):
    """Up to 0.1.0 the log had statistics of three columns, and the table did not say so."""
    log = sorted((table / "_delta_log").glob("*.json"))
    three = ("timestamp_ns", "simulation_id", "stream_seq")
    for path in log:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            if "metaData" in line:
                line["metaData"]["configuration"] = {"delta.appendOnly": "true"}
            stats = json.loads(line.get("add", {}).get("stats", "{}"))
            for part in ("minValues", "maxValues", "nullCount"):
                if part in stats:
                    stats[part] = {k: v for k, v in stats[part].items() if k in three}
            if stats:
                line["add"]["stats"] = json.dumps(stats)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert deltalake_filter(table, "event_type_key", "%") == 0  # what is wrong with it
    before = deltalake.DeltaTable(table).version()
    varve.once()  # whatever it has to do, a start repairs the table
    assert deltalake.DeltaTable(table).version() == before + 1
    for column, value in (("event_type_key", "%"), ("event_id", "event-0-1"), ("stream_seq", 7)):
        every = deltalake.DeltaTable(table).to_pyarrow_table()
        true = pc.sum(pc.equal(every[column], value)).as_py()
        assert true > 0 and deltalake_filter(table, column, value) == true
