# SPDX-License-Identifier: MIT
"""What it costs to turn protobuf payloads that are in memory into columns, and into a Parquet file:
varve, and ptars, which makes Arrow arrays of them, with pyarrow, from the same bytes by the same
descriptor set. CPU time of one thread, in turns; the median of the rounds. The message is like an agent's observation: twelve
fields, two of them messages, one a list of floats."""

import random
import struct
import subprocess
import time

import ptars
import pyarrow as pa
import pyarrow.parquet as pq
from bench_support import INSTANT, in_turns, parser, scaled, workplace
from figures import Figures
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from support import BUILD

PROGRAM = BUILD / "bench/decode_bench"
ROWS = 200_000
AIM, OF_PTARS = ">= 1", ">= 5"  # million rows a CPU second to columns; of its rate
F = descriptor_pb2.FieldDescriptorProto
VECTOR = {"x": F.TYPE_FLOAT, "y": F.TYPE_FLOAT, "z": F.TYPE_FLOAT}
OBSERVATION = {
    "agent_id": F.TYPE_STRING,
    "tick": F.TYPE_UINT64,
    "position": ".t.Vector",
    "velocity": ".t.Vector",
    "ranges": [F.TYPE_FLOAT],
    "health": F.TYPE_UINT32,
    "energy": F.TYPE_DOUBLE,
    "team": F.TYPE_STRING,
    "alive": F.TYPE_BOOL,
    "target": F.TYPE_INT64,
    "heading": F.TYPE_FLOAT,
    "action": F.TYPE_SINT32,
}


def described():
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    for name, fields in (("Vector", VECTOR), ("Observation", OBSERVATION)):
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            added = message.field.add(name=field, number=number, label=F.LABEL_OPTIONAL)
            if isinstance(kind, list):
                added.label, added.type = F.LABEL_REPEATED, kind[0]
            elif isinstance(kind, str):
                added.type, added.type_name = F.TYPE_MESSAGE, kind
            else:
                added.type = kind
    return file


def observations(kind, rows):
    chance = random.Random(7)
    for number in range(rows):
        message = kind(
            agent_id=f"agent-{chance.randrange(500):04}",
            tick=number // 100,
            ranges=[chance.random() for _ in range(8)],
            health=chance.randrange(101),
            energy=chance.random(),
            team=chance.choice(["red", "blue"]),
            alive=True,
            target=chance.randrange(-1, 500),
            heading=chance.random(),
            action=chance.randrange(-8, 8),
        )
        for vector in (message.position, message.velocity):
            vector.x, vector.y, vector.z = chance.random(), chance.random(), chance.random()
        yield message.SerializeToString()


def varve(place):
    command = [PROGRAM, place / "set", "t.Observation", place / "in", "2"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [max(float(seconds), INSTANT) for seconds in done.stdout.splitlines()[-1].split()]


def by_ptars(handler, payloads):
    start = time.process_time()
    batch = handler.list_to_record_batch(payloads)
    columns = time.process_time() - start
    pq.write_table(pa.Table.from_batches([batch]), "/dev/null", compression="zstd")
    assert batch.num_rows == len(payloads)
    return [max(columns, INSTANT), max(time.process_time() - start, INSTANT)]


def main():
    arguments = parser(__doc__).parse_args()
    rows = scaled(ROWS, arguments.scale)
    file = described()
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Observation"))
    payloads = list(observations(kind, rows))
    handler = ptars.HandlerPool([kind.DESCRIPTOR.file]).get_for_message(kind.DESCRIPTOR)
    with workplace() as place:
        files = descriptor_pb2.FileDescriptorSet(file=[file])
        (place / "set").write_bytes(files.SerializeToString())
        (place / "in").write_bytes(b"".join(struct.pack("<I", len(p)) + p for p in payloads))

        def works(_):
            yield "varve", lambda: varve(place)
            yield "ptars, pyarrow", lambda: by_ptars(handler, payloads)

        results = in_turns(arguments.rounds, works)
    size = sum(map(len, payloads)) / rows
    table = Figures(f"typed decoding: {rows:,} protobuf payloads of {size:.0f} bytes, one thread")
    unit, name = "M rows/CPU s", "ptars, pyarrow"
    for number, to in enumerate(("to columns", "to Parquet")):
        ours, theirs = (results[who][number] for who in ("varve", name))
        rate = rows / ours / 1e6
        if number == 0:
            table.row(f"varve, {to}", rate, unit, aim=AIM)
        aim = OF_PTARS if number == 0 else ""
        table.row(f"varve, {to}", rate, unit, name, theirs / ours, aim)
        table.row(f"{name}, {to}", rows / theirs / 1e6, unit)


if __name__ == "__main__":
    main()
