# SPDX-License-Identifier: MIT
"""Readers that are not ours, each as a function from a file to {name: array of int64 or
large_binary}, and the digests by which answers are compared: of presence, of lengths and of values,
each over all rows of a column."""

import hashlib
import json
import os
import pathlib
import subprocess

import duckdb
import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).resolve().parent
NODE_PROJECT = HERE.parents[1] / "build" / "node" / "interop"


def plain(array):
    """As int64 or large_binary, whatever the reader made of it."""
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if isinstance(array.type, pa.UuidType):
        array = array.storage
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    if pa.types.is_null(array.type):
        array = array.cast(pa.large_binary())
    if array.type == pa.int64():
        return array
    if pa.types.is_fixed_size_binary(array.type):
        array = array.cast(pa.binary())
    if pa.types.is_string_view(array.type):
        array = array.cast(pa.large_string())
    return array.cast(pa.large_binary())


def digest(array):
    present = np.asarray(array.is_valid()).astype(np.uint8).tobytes()
    array = pa.concat_arrays([array.drop_null()])
    if array.type == pa.int64():
        lengths, data = b"", np.asarray(array).astype("<i8").tobytes()
    else:
        offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)
        offsets = offsets[array.offset : array.offset + len(array) + 1]
        lengths = np.diff(offsets).astype("<u4").tobytes()
        values = array.buffers()[2]
        data = values[offsets[0] : offsets[-1]] if values is not None and len(offsets) else b""
    return [hashlib.sha256(part).hexdigest() for part in (present, lengths, data)]


def digests(table):
    return {name: digest(plain(array)) for name, array in table.items()}


def columns(table):
    return dict(zip(table.column_names, table.columns, strict=True))


def read_pyarrow(path):
    """With the CRC of each page checked, which no reader does by default."""
    return columns(pq.read_table(path, page_checksum_verification=True))


def read_pandas(path):
    frame = pandas.read_parquet(path, dtype_backend="pyarrow")
    return columns(pa.Table.from_pandas(frame, preserve_index=False))


def read_duckdb(path):
    with duckdb.connect(config={"threads": 2}) as connection:
        relation = connection.sql("select * from read_parquet(?)", params=[str(path)])
        return columns(relation.to_arrow_table())


def read_polars(path):
    return columns(polars.read_parquet(path).to_arrow())


READERS = {
    "pyarrow": read_pyarrow,
    "pandas": read_pandas,
    "duckdb": read_duckdb,
    "polars": read_polars,
}


def hyparquet(*paths):
    """What hyparquet says of each file, or None where it is not installed."""
    if not (NODE_PROJECT / "node_modules").is_dir():
        return None
    done = subprocess.run(
        ["node", HERE / "hyparquet.mjs", *paths],
        env={**os.environ, "NODE_PROJECT": str(NODE_PROJECT)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
