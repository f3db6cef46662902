# SPDX-License-Identifier: MIT
"""Structs, lists and maps of any depth: what other writers made, read by varve; and what varve's
writer made, read by others. The rows are random, made here, and known as Python values."""

import base64
import datetime
import json
import math
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
        compression=rng.choice(["zstd", "snappy", "none"]),
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


# ---- varve writes, others read -------------------------------------------------------------------

BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))
PROGRAM = BUILD / "interop" / "nested_cases"
HERE = pathlib.Path(__file__).resolve().parent
NODE_PROJECT = ROOT / "build" / "node" / "interop"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

OURS = {
    pa.bool_(): ("boolean", ""),
    pa.int32(): ("int32", ""),
    pa.int64(): ("int64", ""),
    pa.float32(): ("float", ""),
    pa.float64(): ("double", ""),
    pa.string(): ("bytes", "text"),
    pa.binary(): ("bytes", ""),
    pa.date32(): ("int32", "date"),
    pa.timestamp("us", tz="UTC"): ("int64", "micros"),
}


def our_columns(rng, field):
    """The columns of a field, depth first, as nested_cases wants them."""
    column = {"name": field.name, "optional": field.nullable}
    if pa.types.is_struct(field.type):
        column |= {"type": "struct", "children": field.type.num_fields}
        return [column] + [c for f in field.type for c in our_columns(rng, f)]
    if pa.types.is_list(field.type):
        return [column | {"type": "list"}, *our_columns(rng, field.type.value_field)]
    if pa.types.is_map(field.type):
        parts = [field.type.key_field, field.type.item_field]
        return [column | {"type": "map"}] + [c for f in parts for c in our_columns(rng, f)]
    column["type"], column["meaning"] = OURS[field.type]
    column["bounds"] = rng.random() < 0.7
    column["dictionary"] = rng.random() < 0.5
    return [column]


def our_value(value, kind):
    if value is None:
        return None
    if pa.types.is_struct(kind):
        # A field that is null may as well be missing.
        parts = {f.name: our_value(value[f.name], f.type) for f in kind}
        return {name: part for name, part in parts.items() if part is not None or len(name) % 2}
    if pa.types.is_list(kind):
        return [our_value(item, kind.value_type) for item in value]
    if pa.types.is_map(kind):
        return [[key, our_value(item, kind.item_type)] for key, item in value]
    if pa.types.is_binary(kind):
        return value.hex()
    if pa.types.is_date(kind):
        return (value - EPOCH.date()).days
    if pa.types.is_timestamp(kind):
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    if pa.types.is_floating(kind) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers
    return value


def write(path, table, seed, batch, profile="plain", page_bytes=1 << 20, group=1 << 20):
    rng = random.Random(seed)
    columns = [column for field in table.schema for column in our_columns(rng, field)]
    rows = path.with_suffix(".rows")
    with rows.open("w") as out:
        print(json.dumps(columns), file=out)
        for row in table.to_pylist():
            value = {f.name: our_value(row[f.name], f.type) for f in table.schema}
            print(json.dumps(value), file=out)
    command = [PROGRAM, path, rows, batch, profile, page_bytes, group]
    subprocess.run([str(word) for word in command], check=True, timeout=60)


def in_duckdb(path):
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.sql(f"from read_parquet('{path}')").to_arrow_table()


def unmapped(value, kind):
    """With maps as dictionaries, as Polars has them."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {f.name: unmapped(value[f.name], f.type) for f in kind}
    if pa.types.is_list(kind):
        return [unmapped(item, kind.value_type) for item in value]
    if pa.types.is_map(kind):
        return {k: unmapped(v, kind.item_type) for k, v in value}
    return value


def utc(value):
    """DuckDB and Polars name the zone in other ways."""
    if isinstance(value, dict):
        return {k: utc(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(utc(v) for v in value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc)
    return value


def check_page_index(path):
    """Pages begin where rows begin: the offset index counts rows, never entries."""
    found = json.loads(varve("inspect", "--json", path))
    assert all(chunk["offset_index"] for g in found["row_groups"] for chunk in g["columns"])


@pytest.mark.parametrize("seed", range(48))
def test_varve_writes(tmp_path, seed):
    rng = random.Random(seed + 5000)
    table = random_table(seed + 100, rng.choice([1, 7, 200, 3000]), depth=rng.choice([1, 2, 4]))
    path = tmp_path / "f.parquet"
    write(
        path,
        table,
        seed,
        batch=rng.choice([1, 50, 20480]) if table.num_rows <= 200 else rng.choice([500, 20480]),
        profile=rng.choice(["plain", "delta"]),
        page_bytes=rng.choice([4096, 20000, 1 << 20]),
        group=rng.choice([100, 1000, 1 << 20]),
    )
    check(path, table)
    check_page_index(path)
    read = pq.read_table(path, page_checksum_verification=True)
    wanted = table.to_pylist()
    assert read.schema.equals(table.schema), (read.schema, table.schema)
    assert read.to_pylist() == wanted
    assert [utc(row) for row in in_duckdb(path).to_pylist()] == wanted
    polar = [{f.name: unmapped(row[f.name], f.type) for f in table.schema} for row in wanted]
    assert [utc(row) for row in polars.read_parquet(path).to_dicts()] == polar


def in_hyparquet(value, kind):
    """As nested.mjs prints it: maps as objects, or as arrays of pairs where hyparquet has them so."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {f.name: in_hyparquet(value[f.name], f.type) for f in kind}
    if pa.types.is_list(kind):
        return [in_hyparquet(item, kind.value_type) for item in value]
    if pa.types.is_map(kind):
        return {k: in_hyparquet(v, kind.item_type) for k, v in value}
    if pa.types.is_binary(kind):
        return {"b": base64.b64encode(value).decode()}
    if pa.types.is_int64(kind):
        return {"n": str(value)}
    if pa.types.is_date(kind):
        return (value - EPOCH.date()).days
    if pa.types.is_timestamp(kind):
        return {"n": str((value - EPOCH) // datetime.timedelta(microseconds=1))}
    return value


def test_varve_writes_for_hyparquet(tmp_path):
    if not (NODE_PROJECT / "node_modules").is_dir():
        pytest.skip("hyparquet is not installed")
    tables, paths = [], []
    for seed in range(12):
        tables.append(random_table(seed + 300, 60))
        paths.append(tmp_path / f"{seed}.parquet")
        write(paths[-1], tables[-1], seed, batch=25, page_bytes=4096)
    done = subprocess.run(
        ["node", HERE / "nested.mjs", *paths],
        env={**os.environ, "NODE_PROJECT": str(NODE_PROJECT)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    for table, line in zip(tables, done.stdout.splitlines(), strict=True):
        wanted = [
            {f.name: in_hyparquet(row[f.name], f.type) for f in table.schema}
            for row in table.to_pylist()
        ]
        assert json.loads(line) == wanted


def test_the_deepest_schema(tmp_path):
    """30 lists in each other, which take 61 groups of the file's schema."""
    kind, value = pa.int64(), 7
    for _ in range(30):
        kind, value = pa.list_(pa.field("element", kind, nullable=True)), [value, None]
    values = [value, None, [], [[]], [[None]]]
    table = pa.table({"deep": pa.array(values, kind)})
    path = tmp_path / "f.parquet"
    write(path, table, 1, batch=2)
    check(path, table)
    assert pq.read_table(path).to_pylist() == table.to_pylist()


def test_a_long_row_has_a_page_of_its_own(tmp_path):
    """A page ends where a row ends, however long the row is."""
    rng = random.Random(4)
    rows = [[rng.randrange(2**40) for _ in range(n)] for n in (3, 20000, 0, 5, 9000, 1, 1)] * 5
    table = pa.table({"v": pa.array(rows, pa.list_(pa.field("element", pa.int64())))})
    path = tmp_path / "f.parquet"
    write(path, table, 1, batch=20, page_bytes=4096)
    check(path, table)
    assert pq.read_table(path).to_pylist() == table.to_pylist()
    assert in_duckdb(path).to_pylist() == table.to_pylist()


@pytest.mark.parametrize("profile", ["plain", "delta"])
def test_filters_on_fields_of_structs(tmp_path, profile):
    """Bounds of pages and row groups lose no row, for any type, with NaN and both zeros."""
    rng = random.Random(11)
    special = [float("nan"), 0.0, -0.0, float("inf"), float("-inf"), 1.5]
    kinds = {
        "i": pa.int32(), "n": pa.int64(), "d": pa.float64(), "f": pa.float32(), "s": pa.string(),
        "b": pa.bool_(), "day": pa.date32(),
    }  # fmt: skip
    rows = []
    for i in range(4000):
        value = {name: random_scalar(rng, kind) for name, kind in kinds.items()}
        value["n"], value["d"] = i // 3, rng.choice(special) if i % 50 < 10 else i / 7
        value["f"] = rng.choice(special)
        rows.append({"g": None if i % 11 == 0 else value})
    fields = pa.struct([pa.field(name, kind) for name, kind in kinds.items()])
    table = pa.table({"g": pa.array([row["g"] for row in rows], fields)})
    path = tmp_path / "f.parquet"
    write(path, table, 5, batch=100, profile=profile, page_bytes=4096, group=500)
    varve("verify", path)
    with duckdb.connect() as connection:
        connection.register("rows", table)
        for name in kinds:
            for probe in rng.sample([row["g"][name] for row in rows if row["g"]], 12):
                for op in ("=", ">=", "<"):
                    counts = [
                        connection.execute(
                            f"select count(*) from {source} where g.{name} {op} $1", [probe]
                        ).fetchone()
                        for source in (f"read_parquet('{path}')", "rows")
                    ]
                    assert counts[0] == counts[1], (name, op, probe, counts)
