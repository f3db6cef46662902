# SPDX-License-Identifier: MIT
"""Directories such as simulation_id=sim-1/date=2026-11-27/hour=06, which readers take for columns
if they look for partitions: the values are those of the rows then, too; an empty one is null."""

import datetime
import json

import deltalake
import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from generator import length_field, varint_field
from support import verify

HOUR = 3600 * 10**9
NOON = 1_795_780_800 * 10**9  # 2026-11-27 12:00 UTC
DATE = datetime.date(2026, 11, 27)
# Some are numbers to who guesses types, some have bytes that no directory name has.
SIMULATIONS = ["sim-1", "007", "1e5", "", "a b/c+%=é", "_x", "..", "null", "2026-11-27", "x" * 64]
PARTITIONS = pa.schema(
    [("simulation_id", pa.string()), ("simulation", pa.string()), ("hour", pa.int32())]
)
HIVE = ds.partitioning(pa.schema([*PARTITIONS, ("date", pa.date32())]), flavor="hive")


def files(root):
    return f"{root}/[!_]*/*/*/*.parquet"


def rows_duckdb(root, on):
    query = f"SELECT * FROM read_parquet('{files(root)}', hive_partitioning={on})"
    return duckdb.sql(query).df().replace({float("nan"): None}).to_dict("records")


def rows_polars(root, on):
    return polars.scan_parquet(files(root), hive_partitioning=on).collect().to_dicts()


def rows_pyarrow(root, on):
    return ds.dataset(root, partitioning=HIVE if on else None).to_table().to_pylist()


def rows_pandas(root, on):
    frame = pandas.read_parquet(root, partitioning=HIVE if on else None)
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


READERS = [rows_duckdb, rows_polars, rows_pyarrow, rows_pandas]


def check_rows(root, key, read, on):
    rows = read(root, on)
    assert len(rows) == 2 * len(SIMULATIONS)
    for row in rows:
        i, hour = map(int, row["event_id"].split("-"))
        name = SIMULATIONS[i]
        if not on:
            assert row["simulation_id"] == name and "hour" not in row
            continue
        assert row[key] == (name or None)
        assert row["simulation_id"] in (name, name or None)
        date = row["date"]
        assert (date.date() if isinstance(date, datetime.datetime) else date) == DATE
        assert row["hour"] == 12 + hour


@pytest.mark.parametrize("key", ["simulation_id", "simulation"])  # a column of the files, and none
def test_partitions_are_what_the_rows_say(any_server, varve, key):
    any_server.add_stream()
    any_server.publish(
        length_field(1, f"{i}-{hour}") + length_field(6, name) + varint_field(4, NOON + hour * HOUR)
        for i, name in enumerate(SIMULATIONS)
        for hour in range(2)
    )
    template = f"{key}={{simulation_id}}/date={{YYYY-MM-DD}}/hour={{HH}}/{{first_seq}}.parquet"
    varve.once(output={"path_template": template})
    root = varve.output
    for read in READERS:
        for on in (True, False):
            check_rows(root, key, read, on)
    assert len(duckdb.sql(f"FROM '{files(root)}' WHERE hour = 12").fetchall()) == len(SIMULATIONS)
    dataset = deltalake.DeltaTable(root).to_pyarrow_dataset()
    table = polars.scan_delta(str(root))
    for value in SIMULATIONS:
        assert dataset.to_table(filter=ds.field("simulation_id") == value).num_rows == 2
        found = table.filter(polars.col("simulation_id") == value).collect()
        assert found.height == 2 and set(found["simulation_id"]) == {value}
    assert verify(root) == {"findings": [], "notes": []}
    (root / f"{key}=__HIVE_DEFAULT_PARTITION__").rename(root / f"{key}=%empty")
    assert "belongs in" in json.dumps(verify(root, status=1)["findings"])
