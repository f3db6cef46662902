# SPDX-License-Identifier: MIT
"""varve cat, inspect and verify on files that other writers made: value for value what pyarrow
says, or a clear refusal; and on damaged files: never a crash, and no damaged page goes unseen."""

import base64
import datetime
import decimal
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import uuid

import duckdb
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
VARVE = os.environ.get("VARVE", str(ROOT / "build" / "varve"))


def varve(*args, status=0):
    done = subprocess.run([VARVE, *map(str, args)], capture_output=True, timeout=120)
    assert done.returncode == status, (done.returncode, done.stdout[:2000], done.stderr[:2000])
    return done.stdout.decode(), done.stderr.decode()


def cat(path, *args):
    out, err = varve("cat", path, *args)
    assert err == ""
    assert out == "" or out.endswith("\n")
    return [json.loads(line) for line in out.splitlines()]


# ---- what pyarrow says ---------------------------------------------------------------------------

UNITS = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}
DIGITS = {"s": 3, "ms": 3, "us": 6, "ns": 9}  # Parquet has no seconds: pyarrow writes millis


def clock(seconds, fraction, unit):
    scaled = fraction * 10 ** DIGITS[unit] // UNITS[unit]
    time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{time}.{scaled:0{DIGITS[unit]}}"


def moment(number, kind):
    seconds, fraction = divmod(number, UNITS[kind.unit])
    days, rest = divmod(seconds, 86400)
    ordinal = days + datetime.date(1970, 1, 1).toordinal()
    date = datetime.date.fromordinal(ordinal).isoformat()
    return f"{date}T{clock(rest, fraction, kind.unit)}{'Z' if kind.tz else ''}"


def real(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def column_values(array):
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type)
        kind = array.type
    if isinstance(kind, pa.UuidType):
        return [None if v is None else str(v) for v in array.to_pylist()]
    if pa.types.is_timestamp(kind):
        numbers = array.cast(pa.int64()).to_pylist()
        return [None if n is None else moment(n, kind) for n in numbers]
    if pa.types.is_time(kind):
        numbers = array.cast(pa.int32() if pa.types.is_time32(kind) else pa.int64()).to_pylist()
        unit = kind.unit
        return [None if n is None else clock(*divmod(n, UNITS[unit]), unit) for n in numbers]
    values = array.to_pylist()
    if pa.types.is_date(kind):
        return [None if v is None else v.isoformat() for v in values]
    if pa.types.is_decimal(kind):
        return [None if v is None else format(v, "f") for v in values]
    if pa.types.is_floating(kind):
        return [None if v is None else real(v) for v in values]
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind):
        return values
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return values
    return [None if v is None else base64.b64encode(v).decode() for v in values]


def narrow(value, kind):
    """What our shortest digits mean in the type of the column."""
    if value is None or isinstance(value, str):
        return value
    if pa.types.is_float32(kind):
        return struct.unpack("f", struct.pack("f", value))[0]
    return struct.unpack("e", struct.pack("e", value))[0]


def check(path, table=None):
    """varve cat says what pyarrow says, and varve verify finds nothing."""
    if table is None:
        table = pq.ParquetFile(path).read()
    rows = cat(path)
    assert len(rows) == table.num_rows
    for number, name in enumerate(table.column_names):
        kind = table.schema.field(number).type
        ours = [row[name] for row in rows]
        if pa.types.is_float32(kind) or pa.types.is_float16(kind):
            ours = [narrow(v, kind) for v in ours]
        assert ours == column_values(table.column(number).combine_chunks()), name
    if rows:
        assert list(rows[0]) == table.column_names
    verify_ok(path)


def verify_ok(path):
    out, err = varve("verify", path)
    assert out.startswith("ok: 1 file, ") and out.count("\n") == 1 and err == ""


# ---- what there is to write ----------------------------------------------------------------------


def flat_table(rows, nulls, seed=1):
    """One column of each flat type, edges first."""
    rng = random.Random(seed)

    def column(kind, edges, make):
        values = (edges + [make() for _ in range(max(0, rows - len(edges)))])[:rows]
        if nulls == "some":
            values = [None if rng.random() < 0.3 else v for v in values]
        elif nulls == "all":
            values = [None] * rows
        elif nulls == "runs":
            values = [None if i // 700 % 2 == 0 else v for i, v in enumerate(values)]
        return pa.array(values, kind)

    def bits(width, signed):
        low = -(2 ** (width - 1)) if signed else 0
        high = 2 ** (width - 1) - 1 if signed else 2**width - 1
        return [low, high, 0, 1], lambda: rng.randint(low, high)

    def text():
        return "".join(rng.choices('abcdé☃😀\x00\n"\\ ', k=rng.randint(0, 12)))

    columns = {"flag": column(pa.bool_(), [True, False], lambda: rng.random() < 0.5)}
    for width in (8, 16, 32, 64):
        columns[f"i{width}"] = column(getattr(pa, f"int{width}")(), *bits(width, True))
        columns[f"u{width}"] = column(getattr(pa, f"uint{width}")(), *bits(width, False))
    edges = [0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1.5, 2.0**-14]
    columns["f16"] = column(pa.float16(), edges, lambda: rng.randint(-99, 99) / 4)
    columns["f32"] = column(pa.float32(), edges + [2.0**-149, 3.4e38], lambda: rng.gauss(0, 1e5))
    columns["f64"] = column(pa.float64(), edges + [5e-324, 1.7e308], lambda: rng.gauss(0, 1e5))
    columns["text"] = column(pa.string(), ["", "a\x00b", "x" * 3000, "\U0010ffff"], text)
    columns["bytes"] = column(
        pa.binary(), [b"", b"\xff" * 80, b"\x00"], lambda: rng.randbytes(rng.randint(0, 20))
    )
    columns["fixed"] = column(pa.binary(5), [b"\xff" * 5], lambda: rng.randbytes(5))
    columns["few"] = column(pa.string(), ["one"], lambda: rng.choice(["one", "two", "three"]))
    columns["one"] = column(pa.string(), [], lambda: "same")
    columns["date"] = column(
        pa.date32(),
        [datetime.date(1, 1, 1), datetime.date(9999, 12, 31), datetime.date(2000, 2, 29)],
        lambda: datetime.date.fromordinal(rng.randint(1, 3652059)),
    )
    columns["t32"] = column(pa.time32("ms"), [0, 86399999], lambda: rng.randint(0, 86399999))
    columns["t64us"] = column(
        pa.time64("us"), [0, 86399999999], lambda: rng.randint(0, 86399999999)
    )
    columns["t64ns"] = column(pa.time64("ns"), [0], lambda: rng.randint(0, 86399999999999))
    for unit in ("ms", "us", "ns"):
        for zone in (None, "UTC"):
            far = 253402300799 * UNITS[unit] if unit != "ns" else 2**63 - 1
            columns[f"ts_{unit}_{zone}"] = column(
                pa.timestamp(unit, zone),
                [0, -1, far, -far // 5],
                lambda far=far: rng.randint(-far // 5, far),
            )
    for name, kind in (
        ("d5", pa.decimal128(5, 2)),
        ("d18", pa.decimal128(18, 4)),
        ("d38", pa.decimal128(38, 10)),
        ("d38_0", pa.decimal128(38, 0)),
        ("d60", pa.decimal256(60, 5)),
    ):
        limit = 10**kind.precision - 1
        context = decimal.Context(prec=80)
        scaled = lambda n, k=kind, c=context: decimal.Decimal(n).scaleb(-k.scale, c)  # noqa: E731
        columns[name] = column(
            kind,
            [scaled(limit), scaled(-limit), scaled(0), scaled(-1)],
            lambda scaled=scaled, limit=limit: scaled(rng.randint(-limit, limit)),
        )
    columns["uuid"] = column(pa.uuid(), [], lambda: uuid.UUID(int=rng.getrandbits(128)).bytes)
    columns["nothing"] = pa.nulls(rows)
    return pa.table(columns)


NULLS = ["none", "some", "runs", "all"]


@pytest.mark.parametrize("nulls", NULLS)
@pytest.mark.parametrize("page", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["zstd", "snappy", "none"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_pyarrow(tmp_path, nulls, page, compression, dictionary):
    path = tmp_path / "f.parquet"
    pq.write_table(
        flat_table(5000, nulls),
        path,
        compression=compression,
        data_page_version=page,
        use_dictionary=dictionary,
        row_group_size=3000,
        data_page_size=4000,
        write_batch_size=100,
        write_page_index=True,
        write_page_checksum=True,
    )
    check(path)


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 1023, 1024, 1025, 20480])
def test_pyarrow_sizes(tmp_path, rows):
    path = tmp_path / "f.parquet"
    pq.write_table(flat_table(rows, "some"), path, compression="zstd")
    check(path)


@pytest.mark.parametrize("page", ["1.0", "2.0"])
@pytest.mark.parametrize("nulls", NULLS)
def test_delta(tmp_path, page, nulls):
    """All three delta encodings, over edges that wrap."""
    rng = random.Random(5)
    count = 3001
    jump = [-(2**63), 2**63 - 1, -1, 0] * 2 + [rng.randint(-(2**63), 2**63 - 1) for _ in range(500)]
    step = list(range(count - len(jump)))
    text = sorted(
        "key/%06d/%s" % (rng.randint(0, 9999), "x" * rng.randint(0, 9)) for _ in range(count)
    )

    def holes(values):
        if nulls == "none":
            return values
        if nulls == "all":
            return [None] * count
        return [
            None if (i // 700 if nulls == "runs" else i) % 2 == 0 else v
            for i, v in enumerate(values)
        ]

    table = pa.table(
        {
            "i64": pa.array(holes(jump + step), pa.int64()),
            "i32": pa.array(holes([v % 2**32 - 2**31 for v in jump + step]), pa.int32()),
            "dlba": pa.array(holes(text), pa.string()),
            "dba": pa.array(holes(text), pa.string()),
            "dba_fixed": pa.array(holes([t[:10].encode() for t in text]), pa.binary(10)),
        }
    )
    path = tmp_path / "f.parquet"
    pq.write_table(
        table,
        path,
        compression="zstd",
        data_page_version=page,
        use_dictionary=False,
        data_page_size=3000,
        write_batch_size=50,
        write_page_checksum=True,
        write_page_index=True,
        column_encoding={
            "i64": "DELTA_BINARY_PACKED",
            "i32": "DELTA_BINARY_PACKED",
            "dlba": "DELTA_LENGTH_BYTE_ARRAY",
            "dba": "DELTA_BYTE_ARRAY",
            "dba_fixed": "DELTA_BYTE_ARRAY",
        },
    )
    encodings = [pq.ParquetFile(path).metadata.row_group(0).column(i).encodings for i in range(5)]
    assert "DELTA_BINARY_PACKED" in encodings[0] and "DELTA_BYTE_ARRAY" in encodings[3]
    check(path)


def test_large_delta_values(tmp_path):
    """Rebuilt values that do not fit into the scratch memory together, nor alone."""
    base = "p" * 700_000
    values = [base + str(i) for i in range(6)] + ["q" * 3_000_000, "q" * 3_000_000 + "r", ""]
    path = tmp_path / "f.parquet"
    pq.write_table(
        pa.table({"v": values + [None]}),
        path,
        compression="zstd",
        use_dictionary=False,
        column_encoding={"v": "DELTA_BYTE_ARRAY"},
        data_page_size=50_000_000,
    )
    check(path)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9, 16, 17, 128, 129, 255, 256, 257, 65537])
def test_dictionary_widths(tmp_path, count):
    rows = max(2 * count, 1000)
    path = tmp_path / "f.parquet"
    pq.write_table(
        pa.table({"v": pa.array([i * 7 % count for i in range(rows)], pa.int64())}),
        path,
        compression="none",
        dictionary_pagesize_limit=8 * count + 8,
    )
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).has_dictionary_page
    check(path)


def test_dictionary_fallback(tmp_path):
    path = tmp_path / "f.parquet"
    table = pa.table({"v": [f"value {i}" for i in range(20000)]})
    pq.write_table(
        table,
        path,
        compression="zstd",
        dictionary_pagesize_limit=2000,
        data_page_size=1000,
        write_batch_size=100,
        write_page_checksum=True,
    )
    encodings = pq.ParquetFile(path).metadata.row_group(0).column(0).encodings
    assert "PLAIN" in encodings and "RLE_DICTIONARY" in encodings
    check(path)


def test_legacy(tmp_path):
    """Format 1.0: PLAIN_DICTIONARY; and INT96."""
    path = tmp_path / "f.parquet"
    table = pa.table(
        {
            "few": ["a", "b", None] * 50,
            "old": pa.array([0, -1, 10**18] * 50, pa.timestamp("ns")),
        }
    )
    pq.write_table(
        table, path, compression="zstd", version="1.0", use_deprecated_int96_timestamps=True
    )
    meta = pq.ParquetFile(path).metadata.row_group(0)
    assert "PLAIN_DICTIONARY" in meta.column(0).encodings
    assert meta.column(1).physical_type == "INT96"
    check(path)


def test_many_pages_and_groups(tmp_path):
    path = tmp_path / "f.parquet"
    table = pa.table({"i": pa.array(range(30000), pa.int64()), "s": [str(i) for i in range(30000)]})
    pq.write_table(
        table,
        path,
        compression="zstd",
        row_group_size=300,
        data_page_size=100,
        write_batch_size=10,
        use_dictionary=False,
    )
    assert pq.ParquetFile(path).num_row_groups == 100
    check(path)


def test_sorted(tmp_path):
    path = tmp_path / "f.parquet"
    table = pa.table({"i": pa.array(range(1000), pa.int64())})
    pq.write_table(table, path, sorting_columns=[pq.SortingColumn(0)], compression="zstd")
    check(path)
    upside_down = table.take(pc.sort_indices(table, [("i", "descending")]))
    pq.write_table(upside_down, path, sorting_columns=[pq.SortingColumn(0)], compression="zstd")
    out, _ = varve("verify", path, status=1)
    assert "sorted" in out


def test_millions_of_equal_rows_in_a_small_file(tmp_path):
    """Legal, and not mistaken for an attack: 20,000,000 rows in less than a thousand bytes."""
    path = tmp_path / "f.parquet"
    rows = 20_000_000
    table = pa.table({"c": pa.repeat(pa.scalar(7, pa.int32()), rows)})
    pq.write_table(table, path, compression="zstd", row_group_size=rows, max_rows_per_page=rows)
    assert path.stat().st_size < 1000
    verify_ok(path)
    assert cat(path, "--limit", "2") == [{"c": 7}, {"c": 7}]


DUCK_TYPES = """
    i::BIGINT - 500 AS i64, (i % 7)::TINYINT AS i8,
    18446744073709551615::UBIGINT - i::UBIGINT AS u64,
    'row ' || i AS s, 'few' || (i % 5) AS few, i % 3 = 0 AS flag,
    CASE WHEN i % 4 = 0 THEN NULL ELSE encode('é' || i) END AS b,
    DATE '2024-02-28' + i::INTEGER AS d,
    TIMESTAMP '2024-02-28 23:59:59.123456' + to_microseconds(i * 1000001) AS ts,
    TIMESTAMPTZ '2024-02-28 23:59:59.5Z' AS tz, (i / 100)::DECIMAL(9, 2) AS dec9,
    (i * 1000003 / 100)::DECIMAL(30, 3) AS dec30, NULL::INTEGER AS nothing
"""


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize("codec", ["zstd", "uncompressed"])
@pytest.mark.parametrize("rows", [0, 1, 2048, 5000])
def test_duckdb(tmp_path, version, codec, rows):
    path = tmp_path / "f.parquet"
    duckdb.sql(
        f"COPY (SELECT {DUCK_TYPES} FROM range({rows}) t(i)) TO '{path}' "
        f"(FORMAT parquet, CODEC '{codec}', PARQUET_VERSION {version}, ROW_GROUP_SIZE 2048)"
    )
    check(path)


@pytest.mark.parametrize("compression", ["zstd", "snappy", "uncompressed"])
@pytest.mark.parametrize("rows", [0, 1, 5000])
def test_polars(tmp_path, compression, rows):
    names = [
        "flag",
        "i8",
        "i64",
        "u64",
        "f32",
        "f64",
        "text",
        "bytes",
        "few",
        "one",
        "date",
        "ts_us_UTC",
        "ts_ns_None",
        "d38",
        "t64ns",
    ]
    table = flat_table(rows, "some").select(names)
    path = tmp_path / "f.parquet"
    polars.from_arrow(table).write_parquet(
        path, compression=compression, statistics="full", row_group_size=1700, data_page_size=2000
    )
    check(path)


# ---- what is refused -----------------------------------------------------------------------------


def refused(path, *words):
    out, err = varve("cat", path, status=1)
    assert out == "" and err.count("\n") == 1
    for word in (str(path), *words):
        assert word in err, err
    found, _ = varve("verify", path, status=1)
    assert "unsupported" in found
    return err


@pytest.mark.parametrize("codec", ["gzip", "brotli", "lz4"])
def test_other_codecs(tmp_path, codec):
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3]}), path, compression=codec)
    refused(path, "column a", codec.upper())


@pytest.mark.parametrize("page", ["1.0", "2.0"])
def test_byte_stream_split(tmp_path, page):
    path = tmp_path / "f.parquet"
    rng = random.Random(3)
    rows = [
        {
            "f": float(rng.randint(-1000, 1000)) / 4,
            "d": rng.random() if i % 3 else None,
            "i": rng.randint(-(2**31), 2**31 - 1),
            "n": rng.randint(-(2**63), 2**63 - 1) if i % 7 else None,
            "b": rng.randbytes(5),
        }
        for i in range(3000)
    ]
    kinds = {
        "f": pa.float32(), "d": pa.float64(), "i": pa.int32(), "n": pa.int64(), "b": pa.binary(5)
    }
    table = pa.Table.from_pylist(rows, schema=pa.schema(kinds))
    pq.write_table(
        table,
        path,
        compression="zstd",
        use_dictionary=False,
        column_encoding={name: "BYTE_STREAM_SPLIT" for name in table.column_names},
        data_page_version=page,
        data_page_size=4000,
    )
    assert "BYTE_STREAM_SPLIT" in pq.read_metadata(path).row_group(0).column(4).encodings
    check(path)


class Keys(pe.KmsClient):
    def __init__(self, _config):
        pe.KmsClient.__init__(self)

    def wrap_key(self, key_bytes, _master):
        return base64.b64encode(key_bytes)

    def unwrap_key(self, wrapped, _master):
        return base64.b64decode(wrapped)


@pytest.mark.parametrize("plaintext_footer", [True, False])
def test_encrypted(tmp_path, plaintext_footer):
    path = tmp_path / "f.parquet"
    config = pe.EncryptionConfiguration(
        footer_key="k", column_keys={"k": ["a"]}, plaintext_footer=plaintext_footer
    )
    factory = pe.CryptoFactory(Keys)
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
    with pq.ParquetWriter(
        path, pa.schema([("a", pa.int64())]), encryption_properties=properties, compression="zstd"
    ) as writer:
        writer.write_table(pa.table({"a": [1, 2]}))
    refused(path, "encrypted")


def test_not_parquet(tmp_path):
    path = tmp_path / "f.parquet"
    path.write_bytes(b"hello, this is no such file")
    out, err = varve("cat", path, status=1)
    assert "not a Parquet file" in err and out == ""
    assert "not a Parquet file" in varve("verify", path, status=1)[0]
    assert "not a Parquet file" in varve("inspect", path, status=1)[1]
    (tmp_path / "fifo").mkdir()
    os.mkfifo(tmp_path / "fifo" / "p.parquet")
    assert "regular" in varve("cat", tmp_path / "fifo", status=1)[1]


# ---- the commands --------------------------------------------------------------------------------


def test_columns_and_limit(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pq.write_table(
            pa.table({"x": [1, 2, 3], "y": [name] * 3}),
            tmp_path / name / "f.parquet",
            compression="zstd",
        )
    assert cat(tmp_path, "--columns", "y,x", "--limit", "4") == [
        {"y": "a", "x": 1},
        {"y": "a", "x": 2},
        {"y": "a", "x": 3},
        {"y": "b", "x": 1},
    ]
    assert cat(tmp_path, "--limit=0") == []
    assert "'z'" in varve("cat", tmp_path / "a", "--columns", "z", status=1)[1]
    varve("cat", status=2)
    varve("cat", tmp_path, "--limit", "-1", status=2)
    varve("cat", tmp_path, "--nonsense", status=2)
    varve("verify", status=2)
    varve("inspect", "--what", status=2)
    assert "f.parquet" in varve("cat", tmp_path / "f.parquet", status=1)[1]


def test_hidden_files_are_not_rows(tmp_path):
    table = pa.table({"x": [1]})
    for name in (
        "a.parquet",
        ".hidden.parquet",
        ".varve/b.parquet",
        "_quarantine/q.parquet",
        "notes.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / name, compression="zstd")
    assert cat(tmp_path) == [{"x": 1}]
    assert cat(tmp_path / "_quarantine") == [{"x": 1}]


def test_one_bad_file_does_not_hide_the_others(tmp_path):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet", compression="zstd")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 no")
    pq.write_table(pa.table({"x": [3]}), tmp_path / "c.parquet", compression="zstd")
    out, err = varve("cat", tmp_path, status=1)
    assert out == '{"x":1}\n{"x":3}\n' and "b.parquet" in err and "truncated" in err


def test_inspect_json(tmp_path):
    path = tmp_path / "f.parquet"
    table = pa.table({"i": pa.array([1, None, 2**62], pa.int64()), "s": ["a", "b", "☃"]})
    pq.write_table(
        table.replace_schema_metadata({"key": 'va"lue'}),
        path,
        compression="zstd",
        write_page_index=True,
    )
    out, _ = varve("inspect", path, "--json")
    seen = json.loads(out)
    meta = pq.ParquetFile(path).metadata
    assert seen["rows"] == 3 and seen["bytes"] == path.stat().st_size
    assert seen["metadata"]["key"] == 'va"lue'
    assert [c["name"] for c in seen["schema"]] == ["i", "s"]
    for number, column in enumerate(seen["row_groups"][0]["columns"]):
        chunk = meta.row_group(0).column(number)
        assert column["compressed_bytes"] == chunk.total_compressed_size
        assert column["uncompressed_bytes"] == chunk.total_uncompressed_size
        assert set(column["encodings"]) == set(chunk.encodings)
        assert column["codec"] == chunk.compression
        assert column["min"] == chunk.statistics.min and column["max"] == chunk.statistics.max
        assert column["nulls"] == chunk.statistics.null_count
    human, _ = varve("inspect", path)
    assert "TIMESTAMP" not in human and "STRING" in human and str(2**62) in human


def test_control_characters_stay_in_the_file(tmp_path):
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"a\x1b[31m": ["\x1b]0;title\x07"]}), path, compression="zstd")
    assert "\x1b" not in varve("inspect", path)[0]
    out, _ = varve("cat", path)
    assert "\x1b" not in out and json.loads(out) == {"a\x1b[31m": "\x1b]0;title\x07"}


# ---- damage --------------------------------------------------------------------------------------


def findings(folder):
    """What verify says of each file in a folder; it must come to its end."""
    done = subprocess.run([VARVE, "verify", "--json", folder], capture_output=True, timeout=280)
    assert done.returncode in (0, 1), (done.returncode, done.stderr[-2000:])
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert "summary" in lines[-1]
    return {pathlib.Path(line["file"]).stem: line for line in lines if "file" in line}


def small_file(path, compression, page):
    """One page a column, CRCs, and all that is said about values."""
    table = pa.table(
        {
            "i": pa.array([1, -2, 3, 2**40], pa.int64()),
            "s": ["one", None, "three", "four"],
        }
    )
    pq.write_table(
        table,
        path,
        compression=compression,
        data_page_version=page,
        use_dictionary=False,
        write_page_checksum=True,
        write_page_index=True,
        store_schema=False,
    )
    return path.read_bytes()


@pytest.mark.parametrize("page", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["zstd", "snappy", "none"])
def test_every_truncation_is_found(tmp_path, compression, page):
    data = small_file(tmp_path / "whole", compression, page)
    folder = tmp_path / "cut"
    folder.mkdir()
    for length in range(len(data)):
        (folder / f"{length}.parquet").write_bytes(data[:length])
    seen = findings(folder)
    assert len(seen) == len(data)
    assert [name for name, line in seen.items() if line["ok"]] == []


def body_offsets(path):
    """Where the bodies of the pages are: what a chunk has behind its one page header."""
    data = path.read_bytes()
    meta = pq.ParquetFile(path).metadata.row_group(0)
    offsets = []
    for number in range(meta.num_columns):
        chunk = meta.column(number)
        start, size = chunk.data_page_offset, chunk.total_compressed_size
        body = data.find(b"\x28\xb5\x2f\xfd", start, start + size)
        if body < 0:  # not compressed, or not worth it
            first = struct.pack("<q", 1) if number == 0 else b"\x03\x00\x00\x00one"
            body = data.index(first, start, start + size)
        offsets += range(body, start + size)
    return offsets


@pytest.mark.parametrize("page", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_every_flipped_bit_in_a_page_is_found(tmp_path, compression, page):
    data = small_file(tmp_path / "whole", compression, page)
    folder = tmp_path / "flipped"
    folder.mkdir()
    for offset in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[offset] ^= 1 << bit
            (folder / f"{offset}-{bit}.parquet").write_bytes(flipped)
    seen = findings(folder)
    assert len(seen) == len(data) * 8
    unseen = {int(name.split("-")[0]) for name, line in seen.items() if line["ok"]}
    assert unseen & set(body_offsets(tmp_path / "whole")) == set()


def test_a_flipped_bit_does_not_reach_the_rows(tmp_path):
    path = tmp_path / "f.parquet"
    data = bytearray(small_file(path, "none", "1.0"))
    data[body_offsets(path)[0]] ^= 1
    path.write_bytes(data)
    out, err = varve("cat", path, status=1)
    assert out == "" and "CRC" in err and "column i" in err


def test_statistics_that_lie(tmp_path):
    """The same chunk with another footer: bounds and counts that are not those of the values."""
    path = tmp_path / "f.parquet"
    data = small_file(path, "none", "1.0")
    footer_at = len(data) - 8 - struct.unpack("<I", data[-8:-4])[0]
    high = struct.pack("<q", 2**40)
    assert data.count(high, footer_at) >= 1
    path.write_bytes(data[:footer_at] + data[footer_at:].replace(high, struct.pack("<q", 2**39)))
    out, _ = varve("verify", path, status=1)
    assert "statistics" in out and "maximum" in out and "column i" in out


def test_snappy_of_large_values(tmp_path):
    """Matches of all lengths and distances: literals, near and far copies, long runs."""
    rng = random.Random(7)
    noise = rng.randbytes(70000)
    values = [b"", b"a" * 300000, noise, noise[5:] + noise[:5], b"ab" * 40000 + noise[:100]]
    values += [noise[rng.randrange(60000) :][: rng.randrange(5000)] for _ in range(300)]
    table = pa.table({"v": pa.array(values, pa.binary())})
    paths = [tmp_path / f"{name}.parquet" for name in ("pyarrow", "polars", "duckdb")]
    pq.write_table(table, paths[0], compression="snappy", use_dictionary=False)
    polars.from_arrow(table).write_parquet(paths[1], compression="snappy")
    with duckdb.connect() as connection:
        connection.register("rows", table)
        connection.execute(f"copy (from rows) to '{paths[2]}' (format parquet, codec snappy)")
    for path in paths:
        wanted = [{"v": base64.b64encode(value).decode()} for value in values]
        assert cat(path) == wanted
        varve("verify", path)
