# SPDX-License-Identifier: MIT
"""The values that writer_cases.c writes, made without reading its files: an independent spelling of
the same arithmetic. A column is NAME,TYPE,FLAGS,GENERATOR,NULLS."""

import dataclasses

import numpy as np
import pyarrow as pa

MASK = (1 << 64) - 1
U64 = np.uint64


def mix(state):
    """splitmix64, for a Python int or an array of uint64."""
    if isinstance(state, int):
        z = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return z ^ z >> 31
    z = state + U64(0x9E3779B97F4A7C15)
    z = (z ^ z >> U64(30)) * U64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> U64(27)) * U64(0x94D049BB133111EB)
    return z ^ z >> U64(31)


@dataclasses.dataclass
class Column:
    name: str
    type: str  # int64, micros, text or raw
    flags: str
    value: str
    null: str

    def spec(self):
        return f"{self.name},{self.type},{self.flags},{self.value},{self.null}"

    @property
    def is_int64(self):
        return self.type in ("int64", "micros")


# ---- nulls and integers: arrays at once ----------------------------------------------------------


def nulls_of(column, rows, random):
    kind, *n = column.null.split(":")
    row = np.arange(rows, dtype=U64)
    if kind == "none":
        return np.zeros(rows, dtype=bool)
    if kind == "all":
        return np.ones(rows, dtype=bool)
    if kind == "first":
        return row < U64(int(n[0]))
    if kind == "from":
        return row >= U64(int(n[0]))
    if kind == "every":
        return row % U64(int(n[0])) == 0
    assert kind == "percent"
    return mix(random) % U64(100) < U64(int(n[0]))


def int64_values(column, rows, random):
    kind, *n = column.value.split(":")
    n = [U64(int(x) & MASK) for x in n]
    row = np.arange(rows, dtype=U64)
    if kind == "step":
        values = n[0] + row * n[1]
    elif kind == "jitter":
        values = n[0] + row * n[1] + random % n[2]
    elif kind == "random":
        values = random
    elif kind == "edges":
        edges = [-(1 << 63), (1 << 63) - 1, -1, 0, 1, 1000000007]
        return np.array(edges, dtype=np.int64)[(random % U64(6)).astype(int)]
    else:
        assert kind == "again"
        values = np.where(row % n[0] == n[0] - U64(1), row - n[0] // U64(2), row)
    return values.view(np.int64)


# ---- byte strings: one at a time -----------------------------------------------------------------

CHARACTERS = [
    chr(c).encode()
    for c in (
        *(0, 0x41, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF),
        *(0x10000, 0x1F600, 0x10FFFF),
    )
]


def key(number):
    return b"key-%05d" % number


def random_bytes(length, random, mask):
    words = np.arange((length + 7) // 8, dtype=U64) + U64(random)
    data = mix(words).astype("<u8").view(np.uint8)[:length]
    return (data & np.uint8(mask)).tobytes()


def uuid_text(random):
    h = f"{random:016x}{mix(random) >> 48:04x}{mix(random) & 0xFFFFFFFFFFFF:012x}"
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}".encode()


def bytes_value(kind, text, row, random):
    n = [int(x) if x.isdigit() else 0 for x in text]
    if kind == "cycle":
        return key(row % n[0])
    if kind == "keys":
        return key(random % n[0])
    if kind == "growing":
        return key(random % (1 + row // n[0]))
    if kind == "until":
        return key(row % n[1] if row < n[0] else 10000 + row)
    if kind == "runs":
        return key(row // n[0] % n[1])
    if kind == "bytes":
        return random_bytes(n[0] + random % (n[1] - n[0] + 1), random, n[2])
    if kind == "characters":
        count = n[0] + random % (n[1] - n[0] + 1)
        return b"".join(CHARACTERS[mix((random + i) & MASK) % 12] for i in range(count))
    if kind == "uuid":
        return uuid_text(random)
    if kind == "repeated":
        return bytes.fromhex(text[1]) * n[0]
    if kind == "edge":
        return b"x" * (60 + random % 5) + b"\xf0\x9f\x98\x80" * 2 + key(random % 97)
    assert kind == "large"
    return random_bytes(n[1] if random % n[0] == 0 else 5, random, 0x3F)


def column_array(column, index, seed, rows):
    random = mix(np.arange(rows, dtype=U64) + U64(mix(seed + index)))
    nulls = nulls_of(column, rows, random)
    if column.is_int64:
        return pa.array(int64_values(column, rows, random), mask=nulls)
    kind, *text = column.value.split(":")
    values = [
        None if null else bytes_value(kind, text, row, int(r))
        for row, (r, null) in enumerate(zip(random, nulls, strict=True))
    ]
    return pa.array(values, type=pa.large_binary())


def expected(columns, seed, rows):
    """name -> array of int64 or large_binary."""
    return {c.name: column_array(c, i, seed, rows) for i, c in enumerate(columns)}
