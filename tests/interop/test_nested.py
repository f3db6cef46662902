# SPDX-License-Identifier: MIT
"""Structs, lists and maps of any depth: what other writers made, read by varve; and what varve's
writer made, read by others. The rows are random, made here, and known as Python values."""

import base64
import datetime
import json
import os
import pathlib
import random
import subprocess

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
VARVE = os.environ.get("VARVE", str(ROOT / "build" / "varve"))

pytestmark = pytest.mark.timeout(300)


def varve(*args):
    done = subprocess.run([VARVE, *map(str, args)], capture_output=True, timeout=120)
    assert done.returncode == 0, (done.stdout[:2000], done.stderr[:2000])
    return done.stdout.decode()


# ---- random types and rows -----------------------------------------------------------------------

SCALARS = [
    pa.bool_(),
    pa.int32(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
    pa.string(),
    pa.binary(),
    pa.date32(),
    pa.timestamp("us", tz="UTC"),
]


def random_type(rng, depth):
    kind = rng.choice(["scalar", "scalar", "struct", "list", "map"]) if depth > 0 else "scalar"
    if kind == "scalar":
        return rng.choice(SCALARS)
    if kind == "struct":
        return pa.struct(
            [
                pa.field(f"f{i}", random_type(rng, depth - 1), nullable=rng.random() < 0.7)
                for i in range(rng.randint(1, 3))
            ]
        )
    nullable = rng.random() < 0.7
    if kind == "list":
        return pa.list_(pa.field("element", random_type(rng, depth - 1), nullable=nullable))
    return pa.map_(pa.string(), pa.field("value", random_type(rng, depth - 1), nullable=nullable))


def random_scalar(rng, kind):
    if kind == pa.bool_():
        return rng.random() < 0.5
    if kind == pa.int32():
        return rng.choice([0, -1, 2**31 - 1, -(2**31), rng.randint(-1000, 1000)])
    if kind == pa.int64():
        return rng.choice([0, -1, 2**63 - 1, -(2**63), rng.randint(-1000, 1000)])
    if pa.types.is_floating(kind):
        return rng.choice([0.0, -1.5, 0.25, float(rng.randint(-1000, 1000)) / 8])
    if kind == pa.string():
        return rng.choice(["", "a", "ä€😀", "word %d" % rng.randint(0, 30), "x" * 300])
    if kind == pa.binary():
        return bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 5, 200])))
    if kind == pa.date32():
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=rng.randint(-9999, 99999))
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    return moment + datetime.timedelta(microseconds=rng.randint(-(10**15), 10**15))


def random_value(rng, kind, nullable):
    if nullable and rng.random() < 0.25:
        return None
    if pa.types.is_struct(kind):
        return {f.name: random_value(rng, f.type, f.nullable) for f in kind}
    size = rng.choice([0, 0, 1, 2, 3, rng.randint(0, 12)])
    if pa.types.is_list(kind):
        item = kind.value_field
        return [random_value(rng, item.type, item.nullable) for _ in range(size)]
    if pa.types.is_map(kind):
        item = kind.item_field
        keys = rng.sample(range(100), size)
        return [(f"k{k}", random_value(rng, item.type, item.nullable)) for k in keys]
    return random_scalar(rng, kind)


def random_table(seed, rows, depth=3):
    rng = random.Random(seed)
    fields = [
        pa.field(f"c{i}", random_type(rng, depth), nullable=rng.random() < 0.7)
        for i in range(rng.randint(1, 5))
    ]
    data = [{f.name: random_value(rng, f.type, f.nullable) for f in fields} for _ in range(rows)]
    return pa.Table.from_pylist(data, schema=pa.schema(fields))


def as_json(value, kind):
    """How varve cat prints it."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {f.name: as_json(value[f.name], f.type) for f in kind}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [as_json(item, kind.value_type) for item in value]
    if pa.types.is_map(kind):
        return {key: as_json(item, kind.item_type) for key, item in value}
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return base64.b64encode(value).decode()
    if pa.types.is_date(kind):
        return value.isoformat()
    if pa.types.is_timestamp(kind):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    return value


def as_rows(table):
    return [
        {f.name: as_json(row[f.name], f.type) for f in table.schema} for row in table.to_pylist()
    ]


def check(path, table):
    """varve reads exactly these rows, and finds nothing wrong."""
    wanted = as_rows(table)
    found = [json.loads(line) for line in varve("cat", path).splitlines()]
    assert len(found) == len(wanted)
    for i, (a, b) in enumerate(zip(found, wanted, strict=True)):
        assert a == b, (i, a, b)
    assert "ok" in varve("verify", path)
    varve("inspect", path)


# ---- others write, varve reads -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_pyarrow_writes(tmp_path, seed):
    rng = random.Random(seed + 1000)
    table = random_table(seed, rng.choice([0, 1, 7, 200, 3000]))
    path = tmp_path / "f.parquet"
    pq.write_table(
        table,
        path,
        compression=rng.choice(["zstd", "none"]),
        use_dictionary=rng.random() < 0.5,
        data_page_version=rng.choice(["1.0", "2.0"]),
        data_page_size=rng.choice([100, 3000, 1 << 20]),
        row_group_size=rng.choice([13, 1000, 1 << 20]),
        write_batch_size=rng.choice([1, 64, 1024]),
        use_compliant_nested_type=rng.random() < 0.7,
        write_page_index=rng.random() < 0.5,
        store_schema=rng.random() < 0.5,
    )
    check(path, table)


@pytest.mark.parametrize("seed", range(12))
def test_polars_writes(tmp_path, seed):
    table = random_table(seed, 500)
    path = tmp_path / "f.parquet"
    frame = polars.from_arrow(table)  # its maps are lists of structs
    frame.write_parquet(path, compression="zstd", row_group_size=170, data_page_size=2000)
    found = [json.loads(line) for line in varve("cat", path).splitlines()]
    assert found == as_rows(pq.read_table(path))
    assert "ok" in varve("verify", path)


@pytest.mark.parametrize("seed", range(12))
def test_duckdb_writes(tmp_path, seed):
    table = random_table(seed, 500)
    path = tmp_path / "f.parquet"
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("rows", table)
        connection.execute(f"copy (from rows) to '{path}' (format parquet, codec zstd)")
    check(path, table)
