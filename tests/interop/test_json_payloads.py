# SPDX-License-Identifier: MIT
"""Columns of JSON payloads beside what Python's json finds at the same paths, over random documents."""

import json
import math
import random
import struct
import subprocess
from decimal import Decimal

import pyarrow.parquet as pq

from support import BUILD

PROGRAM = BUILD / "interop/payload_cases"
DOCUMENTS = 3000
NAMES = ["a", "b", "a b", "é", "", "x.y"]
KINDS = ["text", "integer", "double", "boolean", "json"]
STEPS = [".a", ".b", ".é", ".a b", "[0]", "[2]"]
NUMBERS = [
    "0", "-0", "7", "-12", "3.0", "3.5", "1e3", "1E-2", "-2.50e+1", "9007199254740993", "0.1",
    "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e400", "123456789e2",
    "99999999999999.9", "4503599627370496.5", "1e19",
]  # fmt: skip


def number(chance):
    return chance.choice(
        [*NUMBERS, str(chance.randint(-1000, 1000)), repr(chance.uniform(-9, 9))]
    )


def text(chance):
    letters = "".join(
        chance.choice('ab é\u20ac\U0001f600\\"/\n\x00')
        for _ in range(chance.randint(0, 6))
    )
    return json.dumps(letters, ensure_ascii=chance.random() < 0.5)


def document(chance, depth=0):
    """As text, since a dictionary of Python can't have a name twice."""
    kind = chance.randrange(10 if depth < 4 else 5)
    if kind < 2:
        return number(chance)
    if kind < 3:
        return text(chance)
    if kind < 5:
        return chance.choice(["null", "true", "false"])
    blank = chance.choice(["", " ", "\n\t"])
    if kind < 7:
        return (
            "["
            + f",{blank}".join(
                document(chance, depth + 1) for _ in range(chance.randint(0, 4))
            )
            + "]"
        )
    names = [json.dumps(chance.choice(NAMES)) for _ in range(chance.randint(0, 5))]
    return (
        "{"
        + f",{blank}".join(f"{n}{blank}:{document(chance, depth + 1)}" for n in names)
        + "}"
    )


def find(value, steps):
    for step in steps:
        if step[0] == "." and isinstance(value, dict):
            value = value.get(step[1:])
        elif step[0] == "[" and isinstance(value, list):
            place = int(step[1:-1])
            value = value[place] if place < len(value) else None
        else:
            return None
    return value


def as_kind(kind, value):
    """What the column has, or null."""
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    if kind == "json":
        return value
    if kind == "text":
        return value if isinstance(value, str) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if not is_number:
        return None
    if kind == "double":
        return float(value) if math.isfinite(float(value)) else None
    if isinstance(value, Decimal):
        return (
            int(value)
            if value == value.to_integral_value() and abs(value) <= 2**53
            else None
        )
    return value if -(2**63) <= value < 2**63 else None


def decode(place, columns, payloads):
    (place / "in").write_bytes(
        b"".join(struct.pack("<I", len(p)) + p for p in payloads)
    )
    done = subprocess.run(
        [PROGRAM, "json", "-", place / "in", place / "out", *columns],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return pq.read_table(place / "out").to_pylist()


def parse(found):
    return json.loads(found, parse_float=Decimal)


def test_columns_are_what_python_finds(tmp_path):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    paths = [
        [chance.choice(STEPS) for _ in range(chance.randint(0, 3))] for _ in range(40)
    ]
    kinds = [chance.choice(KINDS) for _ in paths]
    columns = [
        f"c{i} {kind} ${''.join(path)}"
        for i, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    documents = [document(chance) for _ in range(DOCUMENTS)]
    rows = decode(tmp_path, columns, [d.encode() for d in documents])
    assert len(rows) == DOCUMENTS
    values = 0
    for source, row in zip(documents, rows, strict=True):
        root, partly = parse(source), False
        for i, (kind, path) in enumerate(zip(kinds, paths, strict=True)):
            value = find(root, path)
            wanted, got = as_kind(kind, value), row[f"c{i}"]
            if kind == "json" and got is not None:
                got = parse(got)
            assert got == wanted and isinstance(got, bool) == isinstance(
                wanted, bool
            ), (source, columns[i])
            values += wanted is not None
            partly |= value is not None and wanted is None
        assert (row["reason"] is not None) == partly, source
    assert values > DOCUMENTS // 10  # by the seed it is 0.9 to 8 times as many as documents


def test_what_is_no_document(tmp_path):
    deep = b"[" * 100 + b"]" * 100
    bad = [
        b"",
        b"{",
        b"NaN",
        b"{a:1}",
        b"[1,]",
        b'"\xff"',
        b"1 2",
        deep,
        b"\xef\xbb\xbf1",
        b"'a'",
        b"01",
    ]
    rows = decode(tmp_path, ["a integer $.a", "all json $"], [*bad, b'{"a":1,"a":2}'])
    for row in rows[:-1]:
        assert (
            row["a"] is None
            and row["all"] is None
            and row["reason"].startswith("not JSON")
        )
    assert rows[-1]["a"] == 2 and rows[-1]["reason"] is None
