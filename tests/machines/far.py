# SPDX-License-Identifier: MIT
"""A Parquet file of more than 4 GiB that takes no time to make: what lies behind its first row group
is moved far back, and the hole takes no room on the disk. Only the offsets in the footer change
(parquet.thrift; the compact protocol of Thrift)."""

import io
import struct

BOOLEANS, I8, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = (1, 2), *range(3, 13)
# Fields of FileMetaData and what is in it that hold offsets.
ROW_GROUPS, COLUMNS, META_DATA = 4, 1, 3
OFFSETS_OF_GROUP, OFFSETS_OF_CHUNK, OFFSETS_OF_META_DATA = (5,), (2,), (9, 11)


def read_varint(data):
    value = shift = 0
    while True:
        byte = data.read(1)[0]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def read_value(data, kind):
    """Integers as int; structs as {id: [kind, value]}; lists as [kind, values]."""
    if kind in (I16, I32, I64):
        zigzag = read_varint(data)
        return zigzag >> 1 ^ -(zigzag & 1)
    if kind == BINARY:
        return data.read(read_varint(data))
    if kind == I8:
        return data.read(1)
    if kind == DOUBLE:
        return data.read(8)
    if kind == LIST:
        head = data.read(1)[0]
        count = head >> 4 if head < 0xF0 else read_varint(data)
        element = head & 15
        one = (lambda: data.read(1)) if element in BOOLEANS else lambda: read_value(data, element)
        return [element, [one() for _ in range(count)]]
    assert kind == STRUCT, kind
    fields, number = {}, 0
    while (head := data.read(1)[0]) != 0:
        number = number + (head >> 4) if head >> 4 else read_value(data, I16)
        kind = head & 15
        fields[number] = [kind, None if kind in BOOLEANS else read_value(data, kind)]
    return fields


def value_bytes(kind, value):
    if kind in (I16, I32, I64):
        return varint(value << 1 if value >= 0 else (-value << 1) - 1)
    if kind == BINARY:
        return varint(len(value)) + value
    if kind in (I8, DOUBLE):
        return value
    if kind == LIST:
        element, values = value
        flat = [v if element in BOOLEANS else value_bytes(element, v) for v in values]
        return bytes([0xF0 | element]) + varint(len(values)) + b"".join(flat)
    out = b""
    for number, (field, content) in value.items():
        out += bytes([field]) + value_bytes(I16, number)
        out += b"" if field in BOOLEANS else value_bytes(field, content)
    return out + b"\0"


def move(fields, numbers, start, distance):
    for number in numbers:
        if number in fields and fields[number][1] >= start:
            fields[number][1] += distance


def make_far(source, target, distance):
    """`target` is `source`, which has two row groups and no indexes of pages, with `distance` bytes of
    hole in front of the second."""
    data = source.read_bytes()
    (length,) = struct.unpack("<I", data[-8:-4])
    end = len(data) - 8 - length
    footer = read_value(io.BytesIO(data[end:-8]), STRUCT)
    groups = footer[ROW_GROUPS][1][1]
    chunks = [chunk[META_DATA][1] for chunk in groups[1][COLUMNS][1][1]]
    start = min(m[n][1] for m in chunks for n in OFFSETS_OF_META_DATA if n in m)
    for group in groups:
        move(group, OFFSETS_OF_GROUP, start, distance)
        for chunk in group[COLUMNS][1][1]:
            move(chunk, OFFSETS_OF_CHUNK, start, distance)
            move(chunk[META_DATA][1], OFFSETS_OF_META_DATA, start, distance)
    moved = value_bytes(STRUCT, footer)
    with open(target, "wb") as out:
        out.write(data[:start])
        out.seek(start + distance)
        out.write(data[start:end] + moved + struct.pack("<I", len(moved)) + b"PAR1")
