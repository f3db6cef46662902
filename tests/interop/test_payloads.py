# SPDX-License-Identifier: MIT
"""Protobuf payloads as typed columns: random schemas and messages, decoded by varve and read by
pyarrow, against what Python's protobuf makes of the same bytes."""

import datetime
import itertools
import json
import os
import pathlib
import random
import struct
import subprocess

import duckdb
import polars
import protarrow
import ptars
import pyarrow.parquet as pq
import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)

BUILD = pathlib.Path(
    os.environ.get("VARVE_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")
)
PROGRAM = BUILD / "interop" / "payload_cases"
F = descriptor_pb2.FieldDescriptorProto
SCALARS = [
    F.TYPE_DOUBLE, F.TYPE_FLOAT, F.TYPE_INT64, F.TYPE_UINT64, F.TYPE_INT32, F.TYPE_FIXED64, F.TYPE_FIXED32,
    F.TYPE_BOOL, F.TYPE_STRING, F.TYPE_BYTES, F.TYPE_UINT32, F.TYPE_SFIXED32, F.TYPE_SFIXED64, F.TYPE_SINT32,
    F.TYPE_SINT64,
]  # fmt: skip
KEYS = [
    F.TYPE_STRING,
    F.TYPE_INT64,
    F.TYPE_UINT64,
    F.TYPE_INT32,
    F.TYPE_BOOL,
    F.TYPE_SINT64,
    F.TYPE_FIXED32,
]
SPECIAL = [".google.protobuf.Timestamp", ".google.protobuf.Duration"] + [
    f".google.protobuf.{name}Value"
    for name in ("Double", "Int64", "Int32", "Bool", "String", "Bytes", "UInt32")
]
SPECIAL += [f".google.protobuf.{name}" for name in ("Struct", "Value", "ListValue")]
JSON = {f"google.protobuf.{name}" for name in ("Struct", "Value", "ListValue")}
SYNTAXES = ["proto2", "proto3", "editions"]


def add_field(chance, file, message, number, types, special):
    field = message.field.add(name=f"f{number}", number=number * chance.choice([1, 1, 1, 1000]))
    field.label = chance.choice([F.LABEL_OPTIONAL, F.LABEL_OPTIONAL, F.LABEL_REPEATED])
    kind = chance.random()
    if kind < 0.5:
        field.type = chance.choice(SCALARS)
    elif kind < 0.6:
        field.type, field.type_name = F.TYPE_ENUM, ".t.E"
    elif kind < 0.75:
        field.type, field.type_name = F.TYPE_MESSAGE, chance.choice(special)
    elif kind < 0.85 or message.options.map_entry:
        field.type, field.type_name = F.TYPE_MESSAGE, chance.choice(types or special)
    else:
        entry = message.nested_type.add(name=f"F{number}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=F.LABEL_OPTIONAL, type=chance.choice(KEYS))
        add_field(chance, file, entry, 2, types, special)
        entry.field[1].name, entry.field[1].number, entry.field[1].label = (
            "value",
            2,
            F.LABEL_OPTIONAL,
        )
        field.type, field.label = F.TYPE_MESSAGE, F.LABEL_REPEATED
        field.type_name = f".t.{message.name}.F{number}Entry"
        return
    if field.label == F.LABEL_REPEATED or message.options.map_entry:
        return
    if chance.random() < 0.3:
        if not message.oneof_decl:
            message.oneof_decl.add(name="choice")
        field.oneof_index = 0
    elif file.syntax == "editions" and field.type != F.TYPE_MESSAGE and chance.random() < 0.3:
        field.options.features.field_presence = descriptor_pb2.FeatureSet.IMPLICIT


def random_file(chance, syntax, plain=False):
    """Plain ones have nothing that Arrow's decoders lack: no type within itself, none without
    fields, and no JSON."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax=syntax)
    file.dependency.extend(
        f"google/protobuf/{name}.proto" for name in ("timestamp", "duration", "wrappers", "struct")
    )
    if syntax == "editions":
        file.edition = descriptor_pb2.EDITION_2023
        if chance.random() < 0.5:
            file.options.features.field_presence = descriptor_pb2.FeatureSet.IMPLICIT
    if syntax == "proto2":
        file.ClearField("syntax")  # as protoc writes it
    enum = file.enum_type.add(name="E")
    for name, number in (("ZERO", 0), ("ONE", 1), ("LOW", -5)):
        enum.value.add(name=name, number=number)
    names = ["A", "B", "C", "Empty"]
    for at, name in enumerate(names[:3]):
        message = file.message_type.add(name=name)
        # Later types, and now and then the type itself or one around it.
        others = names[at + 1 : 3] if plain else names[at + 1 :] if chance.random() < 0.7 else names
        types = [f".t.{other}" for other in others]
        for number in range(1, chance.randint(3, 9)):
            add_field(chance, file, message, number, types, SPECIAL[:-3] if plain else SPECIAL)
    file.message_type.add(name="Empty")
    return file


def text(chance):
    return "".join(chance.choice("aZ é\u0000漢🎉") for _ in range(chance.randint(0, 6)))


def scalar(chance, field):
    kind = field.type
    wide = {F.TYPE_INT64, F.TYPE_SFIXED64, F.TYPE_SINT64}
    if kind in wide:
        return chance.choice([0, 1, -1, 2**63 - 1, -(2**63), chance.getrandbits(40)])
    if kind in (F.TYPE_UINT64, F.TYPE_FIXED64):
        return chance.choice([0, 1, 2**63 - 1, 2**64 - 1, chance.getrandbits(64)])
    if kind in (F.TYPE_INT32, F.TYPE_SFIXED32, F.TYPE_SINT32):
        return chance.choice([0, -1, 2**31 - 1, -(2**31), chance.getrandbits(20)])
    if kind in (F.TYPE_UINT32, F.TYPE_FIXED32):
        return chance.choice([0, 2**32 - 1, chance.getrandbits(20)])
    if kind in (F.TYPE_DOUBLE, F.TYPE_FLOAT):
        return chance.choice([0.0, -1.5, 2.0**60, float("inf"), chance.getrandbits(20) / 8])
    if kind == F.TYPE_BOOL:
        return chance.random() < 0.5
    if kind == F.TYPE_ENUM:
        return chance.choice([0, 1, -5])
    return text(chance) if kind == F.TYPE_STRING else chance.randbytes(chance.randint(0, 5))


def is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def fill(chance, message, depth=0):
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.3 or depth > 4:
            continue
        value = getattr(message, field.name)
        if is_map(field):
            key = field.message_type.fields_by_name["key"]
            inner = field.message_type.fields_by_name["value"]
            for _ in range(chance.randint(0, 3)):
                if inner.message_type is None:
                    value[scalar(chance, key)] = scalar(chance, inner)
                else:
                    fill_message(chance, value[scalar(chance, key)], depth)
        elif field.is_repeated:
            for _ in range(chance.randint(0, 4)):
                if field.message_type is None:
                    value.append(scalar(chance, field))
                else:
                    fill_message(chance, value.add(), depth)
        elif field.message_type is not None:
            value.SetInParent()
            fill_message(chance, value, depth)
        else:
            setattr(message, field.name, scalar(chance, field))


def fill_json(chance, message, depth=0):
    """A Struct, a ListValue, or a Value, which may be of no kind."""
    if message.DESCRIPTOR.name == "Struct":
        for _ in range(chance.randint(0, 3)):
            fill_json(chance, message.fields[text(chance)], depth + 1)
    elif message.DESCRIPTOR.name == "ListValue":
        for _ in range(chance.randint(0, 3)):
            fill_json(chance, message.values.add(), depth + 1)
    else:
        kind = chance.randrange(7 if depth < 4 else 5)
        if kind == 0:
            message.null_value = 0
        elif kind == 1:
            message.number_value = chance.choice([0, -0.5, 2.0**60, 0.1, 5e-324, 1e300])
        elif kind == 2:
            message.string_value = text(chance) + '"'
        elif kind == 3:
            message.bool_value = chance.random() < 0.5
        elif kind > 4:
            inner = message.struct_value if kind == 5 else message.list_value
            inner.SetInParent()
            fill_json(chance, inner, depth + 1)


def wanted_json(message):
    if message.DESCRIPTOR.name == "Struct":
        return {key: wanted_json(message.fields[key]) for key in message.fields}
    if message.DESCRIPTOR.name == "ListValue":
        return [wanted_json(value) for value in message.values]
    kind = message.WhichOneof("kind")
    if kind in (None, "null_value"):
        return None
    value = getattr(message, kind)
    return wanted_json(value) if kind in ("struct_value", "list_value") else value


def fill_message(chance, message, depth):
    if message.DESCRIPTOR.full_name in JSON:
        fill_json(chance, message)
        return
    if message.DESCRIPTOR.full_name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        message.seconds = chance.choice([0, -1, 1_780_000_000, -9_000_000_000])
        message.nanos = chance.choice([0, 1000, 999_999_999, 1])
        if message.DESCRIPTOR.name == "Duration" and message.seconds < 0:
            message.nanos = -message.nanos
    else:
        fill(chance, message, depth + 1)


def wanted(message, around=()):
    """The columns of a message, by the table in tools/share/doc/follow.md."""
    around += (message.DESCRIPTOR,)
    return {field.name: wanted_field(message, field, around) for field in message.DESCRIPTOR.fields}


def wanted_field(message, field, around):
    value = getattr(message, field.name)
    if is_map(field):
        inner = field.message_type.fields_by_name["value"]
        entry = (*around, field.message_type)
        return sorted(
            ((k, wanted_value(value[k], inner, entry)) for k in value),
            key=lambda pair: repr(pair[0]),
        )
    if field.is_repeated:
        return [wanted_value(item, field, around) for item in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return wanted_value(value, field, around)


def wanted_value(value, field, around):
    kind = field.message_type
    if kind is None:
        if field.type != F.TYPE_ENUM:
            return value
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    name = kind.full_name
    if name == "google.protobuf.Timestamp":
        return value.seconds * 10**6 + value.nanos // 1000
    if name == "google.protobuf.Duration":
        return value.seconds * 10**9 + value.nanos
    if name in JSON:
        return ("JSON", wanted_json(value), None)
    if name.startswith("google.protobuf."):
        return value.value
    if not kind.fields or kind in around or len(around) >= 12:
        return ("bytes of", kind, value)
    return wanted(value, around)


def same(found, expected):
    if isinstance(expected, tuple) and expected[:1] == ("bytes of",):
        again = message_factory.GetMessageClass(expected[1]).FromString(found)
        return again == expected[2]
    if isinstance(expected, tuple) and expected[:1] == ("JSON",):
        return json.loads(found) == expected[1]
    if isinstance(expected, dict):
        return found is not None and all(
            same(found[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list):
        if expected and isinstance(expected[0], tuple) and len(expected[0]) == 2:
            found = sorted(found, key=lambda pair: repr(pair[0]))
            return len(found) == len(expected) and all(
                f[0] == e[0] and same(f[1], e[1]) for f, e in zip(found, expected, strict=True)
            )
        return len(found) == len(expected) and all(
            same(f, e) for f, e in zip(found, expected, strict=True)
        )
    if isinstance(found, datetime.datetime):
        found = (found - datetime.datetime(1970, 1, 1, tzinfo=found.tzinfo)) // datetime.timedelta(
            microseconds=1
        )
    return found == expected


def decode(place, files, message, payloads):
    (place / "set").write_bytes(descriptor_pb2.FileDescriptorSet(file=files).SerializeToString())
    (place / "in").write_bytes(b"".join(struct.pack("<I", len(p)) + p for p in payloads))
    done = subprocess.run(
        [PROGRAM, place / "set", message, place / "in", place / "out"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return pq.read_table(place / "out").to_pylist()


def wellknown():
    for module in (timestamp_pb2, duration_pb2, wrappers_pb2, struct_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        yield file


def random_type(chance, syntax, plain=False):
    """A descriptor set with message t.A, and Python's class of that."""
    files = [*wellknown(), random_file(chance, syntax, plain)]
    pool = descriptor_pool.DescriptorPool()
    for one in files:
        pool.Add(one)
    return files, message_factory.GetMessageClass(pool.FindMessageTypeByName("t.A"))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_random_schemas_and_messages(tmp_path, syntax):
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    for _ in range(40):
        files, kind = random_type(chance, syntax)
        payloads = []
        for _ in range(12):
            message = kind()
            fill(chance, message)
            payloads.append(message.SerializeToString())
        # Behind each other they are one message, merged.
        payloads += [a + b for a, b in itertools.pairwise(payloads)]
        for row, payload in zip(decode(tmp_path, files, "t.A", payloads), payloads, strict=True):
            assert row["reason"] is None, (row["reason"], payload)
            expected = wanted(kind.FromString(payload))
            for name, value in expected.items():
                assert same(row[name], value), (name, row[name], value, payload)


def of_arrow(value, field, single=False):
    """What ptars or protarrow make of a field, as `wanted` has it. They have the numbers of enums,
    and times in nanoseconds or in parts; protarrow has wrappers as messages."""
    kind = field.message_type
    if value is None:
        return None
    if is_map(field) and not single:
        inner = kind.fields_by_name["value"]
        return sorted(((k, of_arrow(v, inner)) for k, v in value), key=lambda pair: repr(pair[0]))
    if field.is_repeated and not single:
        return [of_arrow(item, field, single=True) for item in value]
    if kind is None:
        names = field.enum_type and field.enum_type.values_by_number
        return value if not names else names[value].name if value in names else str(value)
    unit = {"google.protobuf.Timestamp": 10**6, "google.protobuf.Duration": 10**9}
    if kind.full_name in unit:
        if isinstance(value, dict):
            whole, part = value["seconds"], value["nanos"] // (10**9 // unit[kind.full_name])
            return whole * unit[kind.full_name] + part
        nanos = value if isinstance(value, int) else value.value
        return nanos // (10**9 // unit[kind.full_name])
    if kind.full_name.startswith("google.protobuf."):
        return value["value"] if isinstance(value, dict) else value
    return {name: of_arrow(value[name], kind.fields_by_name[name]) for name in value}


def test_as_ptars_and_protarrow_decode_the_same_bytes(tmp_path):
    """Two that make Arrow of protobuf, from the same bytes by the same descriptor set."""
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    for _ in range(40):
        files, kind = random_type(chance, "proto3", plain=True)
        messages = [kind() for _ in range(25)]
        for message in messages:
            fill(chance, message)
        payloads = [message.SerializeToString() for message in messages]
        handler = ptars.HandlerPool([kind.DESCRIPTOR.file]).get_for_message(kind.DESCRIPTOR)
        judges = [
            handler.list_to_record_batch(payloads).to_pylist(),
            protarrow.messages_to_table([kind.FromString(p) for p in payloads], kind).to_pylist(),
        ]
        for row, *judged in zip(decode(tmp_path, files, "t.A", payloads), *judges, strict=True):
            for found, field in itertools.product(judged, kind.DESCRIPTOR.fields):
                expected = of_arrow(found[field.name], field)
                assert same(row[field.name], expected), (field.name, row[field.name], expected)


def test_what_is_damaged_is_a_row_with_the_reason(tmp_path):
    """Any bytes; what Python takes, varve takes with the same values."""
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    for _ in range(40):
        files, kind = random_type(chance, "proto3")
        payloads = []
        for _ in range(30):
            message = kind()
            fill(chance, message)
            payload = bytearray(message.SerializeToString())
            for _ in range(chance.randint(1, 3)):
                if payload:
                    payload[chance.randrange(len(payload))] = chance.randrange(256)
            payloads.append(bytes(payload[: chance.randint(0, len(payload))]))
        rows = decode(tmp_path, files, "t.A", payloads)
        assert len(rows) == len(payloads)
        for row in rows:
            if (
                row["reason"] is not None
                and "range" not in row["reason"]
                and "JSON" not in row["reason"]
            ):
                assert all(value is None for name, value in row.items() if name != "reason")


def test_what_no_column_holds(tmp_path):
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    message = file.message_type.add(name="A")
    message.field.add(name="u", number=1, label=F.LABEL_OPTIONAL, type=F.TYPE_UINT64)
    message.field.add(name="s", number=2, label=F.LABEL_OPTIONAL, type=F.TYPE_STRING)
    message.field.add(name="U", number=3, label=F.LABEL_REPEATED, type=F.TYPE_UINT64)
    payloads = [
        b"\x08" + b"\xff" * 9 + b"\x01\x12\x01x",
        b"\x12\x01\xff",
        b"\x12\x05x",
        b"\x1a\x0c\x07" + b"\xff" * 9 + b"\x01\x01",
    ]
    rows = decode(tmp_path, [file], "t.A", payloads)
    assert rows[0] == {"reason": None, "u": 2**64 - 1, "s": "x", "U_3": []}
    assert rows[1] == {"reason": "s is not UTF-8", "u": None, "s": None, "U_3": None}
    assert rows[2]["reason"] == "not a message of this type"
    assert rows[3]["U_3"] == [7, 2**64 - 1, 1]
    file = str(tmp_path / "out")
    assert duckdb.sql(
        f"select u, u + 1, U_3[2] from read_parquet('{file}') where u > 0"
    ).fetchall() == [(2**64 - 1, 2**64, None)]
    assert duckdb.sql(f"select max(u), sum(u) from read_parquet('{file}')").fetchall() == [
        (2**64 - 1,) * 2
    ]
    frame = polars.scan_parquet(file).filter(polars.col("u") > 0).collect()
    assert frame["u"].to_list() == [2**64 - 1]


def test_names_differ_in_more_than_case(tmp_path):
    """Or Spark can't read the table; also within a struct, and where a name with a number is taken."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    for name in ("A", "B"):
        message = file.message_type.add(name=name)
        for number, field in enumerate(("a", "a_3", "A", "b_6", "B", "b"), 1):
            message.field.add(name=field, number=number, label=F.LABEL_OPTIONAL, type=F.TYPE_INT32)
    inner = file.message_type[0].field.add(name="inner", number=7, label=F.LABEL_OPTIONAL)
    inner.type, inner.type_name = F.TYPE_MESSAGE, ".t.B"
    values = bytes(byte for number in range(1, 7) for byte in (number << 3, number))
    [row] = decode(tmp_path, [file], "t.A", [values + b"\x3a" + bytes([len(values)]) + values])
    inner = {"a": 1, "a_3": 2, "A_3_3": 3, "b_6": 4, "B": 5, "b_6_6": 6}
    assert row == {"reason": None, **inner, "inner": inner}


@pytest.mark.parametrize("bad", [b"q\0", b"\xff\xfe"])
def test_what_is_no_name(tmp_path, bad):
    """Of a type or a field: no column can be called so, and two that differ behind a NUL would be
    one. A value of an enum is shown as its number."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    message = file.message_type.add(name="A")
    for number, name in enumerate(("x", "xx"), 1):
        message.field.add(name=name, number=number, label=F.LABEL_OPTIONAL, type=F.TYPE_ENUM)
        message.field[-1].type_name = ".t.E"
    file.enum_type.add(name="E").value.add(name="qq", number=1)
    (tmp_path / "in").write_bytes(b"")

    def run():
        descriptors = descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()
        (tmp_path / "set").write_bytes(descriptors.replace(b"qq", bad))
        command = [PROGRAM, tmp_path / "set", "t.A", tmp_path / "in", tmp_path / "out"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert run().returncode == 0
    for part in (message, *message.field, file.enum_type[0]):
        name, part.name = part.name, "qq"
        done = run()
        part.name = name
        assert done.returncode != 0 and "it is no FileDescriptorSet" in done.stderr, name


def test_what_is_no_json(tmp_path):
    """NaN, which JSON has not, and what is deeper than a reader would follow: null."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    file.dependency.append("google/protobuf/struct.proto")
    message = file.message_type.add(name="A")
    value = {"type": F.TYPE_MESSAGE, "type_name": ".google.protobuf.Value"}
    message.field.add(name="v", number=1, label=F.LABEL_OPTIONAL, **value)
    message.field.add(name="n", number=2, label=F.LABEL_OPTIONAL, type=F.TYPE_INT32)
    pool = descriptor_pool.DescriptorPool()
    files = [*wellknown(), file]
    for one in files:
        pool.Add(one)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("t.A"))
    nan, deep, absent = kind(n=1), kind(n=2), kind(n=3)
    nan.v.list_value.values.add().number_value = float("nan")
    inner = deep.v
    for _ in range(40):
        inner = inner.list_value.values.add()
    rows = decode(tmp_path, files, "t.A", [m.SerializeToString() for m in (nan, deep, absent)])
    why = "v can't be JSON"
    assert [(r["v"], r["n"], r["reason"]) for r in rows] == [
        (None, 1, why),
        (None, 2, why),
        (None, 3, None),
    ]


def test_maps_below_the_deepest_level_are_bytes(tmp_path):
    """M0 has a map of M1, that one of M2, and so on: two levels each."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    for level in range(10):
        message = file.message_type.add(name=f"M{level}")
        message.field.add(name="x", number=2, label=F.LABEL_OPTIONAL, type=F.TYPE_INT32)
        if level == 9:
            break
        entry = message.nested_type.add(name="NextEntry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=F.LABEL_OPTIONAL, type=F.TYPE_INT32)
        inner = {"type": F.TYPE_MESSAGE, "type_name": f".t.M{level + 1}"}
        entry.field.add(name="value", number=2, label=F.LABEL_OPTIONAL, **inner)
        own = {"type": F.TYPE_MESSAGE, "type_name": f".t.M{level}.NextEntry"}
        message.field.add(name="next", number=1, label=F.LABEL_REPEATED, **own)
    payload = b"\x10\x07"
    for _ in range(9):
        entry = b"\x08\x01\x12" + bytes([len(payload)]) + payload
        payload = b"\x0a" + bytes([len(entry)]) + entry + b"\x10\x05"
    [row] = decode(tmp_path, [file], "t.M0", [payload])
    assert row["reason"] is None and row["x"] == 5
    for _ in range(6):
        [(key, row)] = row["next"]
        assert key == 1
        if isinstance(row, bytes):
            break
        assert row["x"] == 5
    assert isinstance(row, bytes) or all(isinstance(item, bytes) for item in row["next"])
