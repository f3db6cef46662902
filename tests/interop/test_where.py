# SPDX-License-Identifier: MIT
"""varve cat --where: the rows that Python picks out of the same values, whether statistics let row
groups and pages be skipped or not; and what it says of a condition that can't be meant."""

import base64
import datetime
import json
import math
import operator
import os
import pathlib
import random
import re
import struct
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
VARVE = os.environ.get("VARVE", str(ROOT / "build" / "varve"))
UTC = datetime.UTC
START = datetime.datetime(2026, 11, 24, 12, tzinfo=UTC)
ROWS, GROUP = 600, 50
OPS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def cat(path, *args, status=0):
    command = [VARVE, "cat", *args, str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def values():
    """Columns by name, in file order: sorted ones, in which statistics tell row groups apart, and
    others, with nulls; and a row group that is null throughout."""
    rng = random.Random(5)

    def some(make):
        return [None if 100 <= i < 150 or rng.random() < 0.2 else make(i) for i in range(ROWS)]

    return {
        "n": list(range(ROWS)),
        "i32": some(lambda i: rng.randint(-40, 40)),
        "i64": some(lambda i: i - 300),
        "u32": some(lambda i: 2**32 - 1 - i),
        "u64": some(lambda i: 2**64 - 1 - i),
        "f32": some(lambda i: rng.choice([0.1, -0.0, 0.0, math.nan, 2.5, -i / 4])),
        "f64": some(lambda i: rng.choice([0.1, math.nan, i / 8])),
        "bool": some(lambda i: i % 150 < 100),
        "text": some(lambda i: f"{'héç🎈z'[i // 120]}-{i:04}"),
        "bytes": some(lambda i: f"w{i % 7}".encode()),
        "date": some(lambda i: (START + datetime.timedelta(days=i // 9)).date()),
        "ms": some(lambda i: START + datetime.timedelta(milliseconds=i)),
        "us": some(lambda i: START + datetime.timedelta(microseconds=5 * i)),
        "text2": some(lambda i: rng.choice(["null", "", " a ", "a"])),
    }


KINDS = {
    "n": pa.int64(),
    "i32": pa.int32(),
    "i64": pa.int64(),
    "u32": pa.uint32(),
    "u64": pa.uint64(),
    "f32": pa.float32(),
    "f64": pa.float64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "bytes": pa.binary(),
    "date": pa.date32(),
    "ms": pa.timestamp("ms", "UTC"),
    "us": pa.timestamp("us", "UTC"),
    "text2": pa.string(),
}


# Pages of ten rows, with an index of them.
PAGES = {"data_page_size": 1, "write_batch_size": 10, "write_page_index": True}
LAYOUTS = {
    "statistics": {"row_group_size": GROUP},
    "none": {"row_group_size": GROUP, "write_statistics": False},
    "pages 2.0": {"row_group_size": GROUP, "data_page_version": "2.0"},
    "indexed pages": PAGES | {"row_group_size": 5 * GROUP},
    "indexed pages 2.0": PAGES | {"row_group_size": 5 * GROUP, "data_page_version": "2.0"},
}


@pytest.fixture(scope="module", params=LAYOUTS)
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("where") / "f.parquet"
    table = pa.table({name: pa.array(v, KINDS[name]) for name, v in values().items()})
    pq.write_table(table, path, compression="zstd", **LAYOUTS[request.param])
    return path


def later(**by):
    return START + datetime.timedelta(**by)


# What is written, and the value that it is in Python.
CASES = [
    ("i32", "-7", -7),
    ("i64", "-300", -300),
    ("i64", "9223372036854775807", 2**63 - 1),
    ("u32", "4294967000", 4294967000),
    ("u64", "18446744073709551300", 18446744073709551300),
    ("f32", "0.1", 0.1),
    ("f32", "0", 0.0),
    ("f64", "-1e3", -1000.0),
    ("f64", "37.5", 37.5),
    ("bool", "true", True),
    ("bool", "false", False),
    ("text", "ç-0300", "ç-0300"),
    ("text", "", ""),
    ("text", "é", "é"),
    ("bytes", "w3", b"w3"),
    ("date", "2026-12-24", datetime.date(2026, 12, 24)),
    ("ms", "2026-11-24T12:00:00.2Z", later(milliseconds=200)),
    ("ms", "2026-11-24T13:00:00.2005+01:00", later(microseconds=200500)),
    ("us", "2026-11-24T12:00:00.0015Z", later(microseconds=1500)),
    ("us", "2026-11-24T12:00:00.001500001Z", later(microseconds=1501)),
    ("text2", '"null"', "null"),
    ("text2", '" a "', " a "),
    ("text2", "  a  ", "a"),
]


@pytest.mark.parametrize(("column", "text", "value"), CASES)
def test_operators(file, column, text, value):
    for op, holds in OPS.items():
        wanted = [
            i
            for i, v in enumerate(values()[column])
            if v is not None and holds(v.encode() if isinstance(v, str) else v, value_of(value))
        ]
        rows, _ = cat(file, "--where", f"{column} {op} {text}", "--columns", "n")
        assert [row["n"] for row in rows] == wanted, op
        assert all(list(row) == ["n"] for row in rows)


def value_of(value):
    return value.encode() if isinstance(value, str) else value


@pytest.mark.parametrize("column", KINDS)
def test_nulls(file, column):
    listed = values()[column]
    rows, _ = cat(file, "--where", f"{column}=null")
    assert [row["n"] for row in rows] == [i for i, v in enumerate(listed) if v is None]
    rows, _ = cat(file, "--where", f"{column}!=null")
    assert [row["n"] for row in rows] == [i for i, v in enumerate(listed) if v is not None]


def test_all_must_hold_and_the_limit_counts_what_is_printed(file):
    rows, _ = cat(
        file,
        "--where",
        "n >= 70",
        "--where=n<400",
        "--where",
        "bool = true",
        "--limit=9",
    )
    wanted = [i for i, v in enumerate(values()["bool"]) if v and 70 <= i < 400][:9]
    assert [row["n"] for row in rows] == wanted


def test_it_says_what_it_skipped(tmp_path):
    for part in range(3):
        table = pa.table({"n": range(part * 100, part * 100 + 100)})
        path = tmp_path / f"{part}.parquet"
        pq.write_table(table, path, compression="zstd", row_group_size=20)
    rows, said = cat(tmp_path, "--verbose", "--where", "n >= 130", "--where", "n <= 150")
    assert [row["n"] for row in rows] == list(range(130, 151))
    lines = said.splitlines()
    assert "0.parquet: 5 of 5 row groups" in lines[0]
    assert "1.parquet: 3 of 5 row groups" in lines[1]
    assert "2.parquet: 5 of 5 row groups" in lines[2]
    assert "2 of 3 files, 13 of 15 row groups, 0 of 0 pages" in lines[3]
    assert len(lines) == 4


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_are_skipped_in_all_columns(tmp_path, version):
    """Also in lists, whose pages do not say how many rows they have, and in columns that are cut
    into pages at other rows; and it says so."""
    path = tmp_path / "f.parquet"
    rng = random.Random(7)
    lists = [[rng.randrange(100) for _ in range(rng.randrange(4))] for _ in range(ROWS)]
    rows = {"n": list(range(ROWS)), "wide": [f"{i}" * 40 for i in range(ROWS)], "lists": lists}
    rows["noise"] = [rng.choice([None, rng.randrange(1000)]) for _ in range(ROWS)]
    options = {"data_page_size": 600, "write_batch_size": 3, "write_page_index": True}
    pq.write_table(pa.table(rows), path, compression="zstd", data_page_version=version, **options)
    where = ["--where=n>=100", "--where=n<=500", "--where=noise>=500", "--verbose"]
    found, said = cat(path, *where)
    wanted = [i for i in range(100, 501) if rows["noise"][i] is not None and rows["noise"][i] >= 500]
    assert found == [{name: column[i] for name, column in rows.items()} for i in wanted]
    skipped, pages = re.search(r"(\d+) of (\d+) pages in the others\n$", said).groups()
    assert int(pages) > 4 and 0 < int(skipped) < int(pages)


def test_a_skipped_page_is_not_read(tmp_path):
    path = tmp_path / "f.parquet"
    table = pa.table({"n": range(400), "text": [f"{i}" for i in range(400)]})
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    pq.write_table(table, path, **PAGES, **options)
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<qq", 11, 12))  # in the body of the second page
    data[at : at + 8] = bytes(8)
    path.write_bytes(data)
    assert [row["n"] for row in cat(path, "--where", "n >= 398")[0]] == [398, 399]
    assert "damaged" in cat(path, "--where", "n >= 19", status=1)[1]


def test_a_skipped_row_group_is_not_read(tmp_path):
    path = tmp_path / "f.parquet"
    pq.write_table(
        pa.table({"n": range(100)}),
        path,
        compression="none",
        row_group_size=50,
        use_dictionary=False,
    )
    data = bytearray(path.read_bytes())
    data[4:20] = bytes(16)  # the header of the first page
    path.write_bytes(data)
    assert len(cat(path, "--where", "n >= 50")[0]) == 50
    cat(path, "--where", "n >= 49", status=1)


def test_a_skipped_row_group_of_a_table_is_not_read(tmp_path):
    """In the order of the stream, out of row groups that lie in another one."""
    order = [*range(100, 150), *range(50), *range(50, 100), *range(150, 200)]
    path = tmp_path / "f.parquet"
    rows = {"stream_seq": pa.array(order, pa.int64()), "n": [-seq for seq in order]}
    options = {"compression": "none", "row_group_size": 50, "use_dictionary": False}
    pq.write_table(pa.table(rows), path, **options)
    first = pq.ParquetFile(path).metadata.row_group(1)
    data = bytearray(path.read_bytes())
    for column in range(2):
        at = first.column(column).data_page_offset
        data[at : at + 16] = bytes(16)
    path.write_bytes(data)
    metadata = {"id": "t", "format": {"provider": "parquet", "options": {}}, "partitionColumns": []}
    metadata |= {"schemaString": '{"type":"struct","fields":[]}', "configuration": {}}
    add = {"path": path.name, "partitionValues": {}, "size": len(data), "modificationTime": 1}
    actions = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": metadata},
        {"add": add | {"dataChange": True}},
    ]
    (tmp_path / "_delta_log").mkdir()
    log = tmp_path / "_delta_log" / f"{0:020}.json"
    log.write_text("".join(json.dumps(action) + "\n" for action in actions))
    found, said = cat(tmp_path, "--from=50", "--where", "n > -160", "--verbose", "--columns", "n")
    assert [row["n"] for row in found] == [-seq for seq in range(50, 160)]
    assert "0 of 1 files, 1 of 4 row groups" in said
    cat(tmp_path, "--from=49", status=1)


@pytest.mark.parametrize(
    ("where", "word"),
    [
        ("n", "COLUMN OP VALUE"),
        ("= 3", "COLUMN OP VALUE"),
        ("n ! 3", "COLUMN OP VALUE"),
        ("n < null", "null"),
    ],
)
def test_what_is_no_condition(file, where, word):
    assert word in cat(file, "--where", where, status=2)[1]


@pytest.mark.parametrize(
    ("where", "word"),
    [
        ("z = 3", "'z'"),
        ("n = 3.5", "whole number"),
        ("n = ", "whole number"),
        ("u32 = -1", "from 0 on"),
        ("f64 = nan", "a number"),
        ("f64 = 0x10", "a number"),
        ("bool = 1", "true or false"),
        ("date = 24.11.2026", "a date"),
        ("us = yesterday", "a time"),
    ],
)
def test_a_value_that_the_column_can_not_have(file, where, word):
    rows, said = cat(file, "--where", where, status=1)
    assert rows == [] and word in said and said.count("\n") == 1


def test_a_time_in_a_column_of_integers(tmp_path):
    path = tmp_path / "f.parquet"
    base = int(START.timestamp()) * 10**9
    pq.write_table(pa.table({"ns": [base - 1, base, base + 1]}), path, compression="zstd")
    assert len(cat(path, "--where", "ns > 2026-11-24T12:00:00Z")[0]) == 1


@pytest.mark.parametrize("columns", [None, "event_payload", "event_payload,payload_format_hint"])
def test_a_payload_that_says_it_is_text(tmp_path, columns):
    text = b'{"r": "\xc3\xa4"}\x00\n'
    hints = ["application/json", "Text/Plain;charset=utf-8", "application/geo+JSON ; v=1", "json"]
    others = ["", "application/octet-stream", "application/x-json", "+json", "text/", "textual"]
    pairs = [(hint, text) for hint in [*hints, *others]]
    pairs += [("text/csv", b"\xff"), ("text/csv", b""), ("text/csv", None), (None, text)]
    path = tmp_path / "f.parquet"
    table = {
        "event_payload": pa.array([data for _, data in pairs], pa.binary()),
        "payload_format_hint": pa.array([hint for hint, _ in pairs], pa.string()),
    }
    pq.write_table(pa.table(table), path, compression="zstd")
    rows, _ = cat(path, *(["--columns", columns] if columns else []))
    encoded = base64.b64encode(text).decode()
    assert [row["event_payload"] for row in rows] == [
        *[text.decode()] * len(hints),
        *[encoded] * len(others),
        {"base64": "/w=="},
        "",
        None,
        encoded,
    ]
    assert ("payload_format_hint" in rows[0]) == (columns != "event_payload")
