# SPDX-License-Identifier: MIT
"""The design that varve replaces: nats-py, protobuf and pyarrow.

    python design.py URL STREAM CONSUMER explicit COUNT FOLDER

A file for 250,000 rows, which is durable before its messages are acked. No partitions, no table,
nothing against duplicates, no checksums. The folder of event_pb2.py, made by protoc from
proto/event.proto, is on PYTHONPATH.
"""

import asyncio
import os
import sys

import nats
import pyarrow as pa
import pyarrow.parquet as pq
from event_pb2 import GenericEventRequest
from nats.js.api import AckPolicy, ConsumerConfig

PULL = 5_000
ROWS_PER_FILE = 250_000
TEXT = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        pa.field("timestamp_ns", pa.int64(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event_type_key", TEXT, nullable=False),
        pa.field("event_payload", pa.binary(), nullable=False),
        pa.field("worker_id", TEXT, nullable=False),
        pa.field("simulation_id", TEXT, nullable=False),
        pa.field("payload_format_hint", TEXT, nullable=False),
        pa.field("correlation_id", pa.string()),
        pa.field("stream_seq", pa.int64(), nullable=False),
        pa.field("stream_time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("nats_subject", TEXT, nullable=False),
    ]
)


def row(message):
    event = GenericEventRequest.FromString(message.data)
    about = message.metadata
    return (
        event.timestamp_ns,
        event.event_id,
        event.event_type_key,
        event.event_payload,
        event.source_worker_id,
        event.simulation_id,
        event.payload_content_type,
        event.correlation_id or None,
        about.sequence.stream,
        about.timestamp,
        message.subject,
    )


def batch(messages):
    columns = zip(*map(row, messages), strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.record_batch(arrays, SCHEMA)


async def drain(url, stream, name, count, folder):
    connection = await nats.connect(url)
    js = connection.jetstream()
    config = ConsumerConfig(name=name, ack_policy=AckPolicy.EXPLICIT, max_ack_pending=-1)
    await js.add_consumer(stream, config)
    consumer = await js.pull_subscribe_bind(name, stream, pending_msgs_limit=-1)
    got = 0
    while got < count:
        until = min(got + ROWS_PER_FILE, count)
        owed = []
        with open(f"{folder}/{got}.parquet", "wb") as file:
            with pq.ParquetWriter(file, SCHEMA, compression="zstd", compression_level=1) as writer:
                while got < until:
                    messages = await consumer.fetch(min(PULL, until - got), timeout=60)
                    writer.write_batch(batch(messages))
                    owed += messages
                    got += len(messages)
            file.flush()
            os.fsync(file.fileno())
        for message in owed[:-1]:
            await message.ack()
        await owed[-1].ack_sync()
    await connection.close()


asyncio.run(drain(*sys.argv[1:4], int(sys.argv[5]), sys.argv[6]))
