# SPDX-License-Identifier: MIT
"""What build/varve-gen publishes, written down a second time.

tools/gen/load.c makes each message from the seed and the index of the event; this module does the
same without looking at it, so that tests know what every column of every row must hold. Only
integer arithmetic, and floats that are exact.
"""

import json
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

MASK = (1 << 64) - 1
HOUR_NS = 3600 * 10**9
START_OF_2024_NS = 1_704_067_200 * 10**9
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def mix(z):
    """The output function of splitmix64."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


class Draws:
    """splitmix64."""

    def __init__(self, state):
        self.state = state & MASK

    def __call__(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return mix(self.state)


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def length_field(number, value):
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value if value else b""


def varint_field(number, value):
    return varint(number << 3) + varint(value) if value else b""


def reward_event(number, time_ns, simulation, payload=b"x" * 100):
    """An event of proto/event.proto of which only these matter."""
    return b"".join(
        [
            length_field(1, str(number).encode()),
            length_field(2, b"sim.agent_reward.v1"),
            length_field(3, payload),
            varint_field(4, time_ns),
            length_field(5, b"w"),
            length_field(6, simulation),
        ]
    )


def step_event(event_id, event_type, step):
    """One with a JSON payload that has no more than a number in it."""
    return (
        length_field(1, event_id)
        + length_field(2, event_type)
        + length_field(3, json.dumps({"step": step}))
        + varint_field(4, 1_780_000_000_000_000_000 + step)
        + length_field(6, "sim-1")
    )


def floats_field(number, draw, count, span):
    values = [(draw() % span - span // 2) / 256 for _ in range(count)]
    return length_field(number, struct.pack(f"<{count}f", *values))


def observation(index, draw):
    return b"".join(
        (
            length_field(1, f"agent-{draw() % 500:04}"),
            varint_field(2, index // 100),
            floats_field(3, draw, 3, 262144),
            floats_field(4, draw, 3, 4096),
            floats_field(5, draw, 12, 16384),
            varint_field(6, draw() % 101),
        )
    )


def action(index, draw):
    return b"".join(
        (
            length_field(1, f"agent-{draw() % 500:04}"),
            varint_field(2, index // 100),
            varint_field(3, draw() % 8),
            floats_field(4, draw, 4, 512),
            length_field(5, "policy/explore-v3"),
        )
    )


def reward(index, draw):
    agent = draw() % 500
    hundredths = draw() % 20001 - 10000
    sign = "-" if hundredths < 0 else ""
    whole, cents = divmod(abs(hundredths), 100)
    done = "true" if draw() % 200 == 0 else "false"
    return (
        f'{{"agent":"agent-{agent:04}","tick":{index // 100},'
        f'"reward":{sign}{whole}.{cents:02},"done":{done}}}'
    ).encode()


def world(index, draw):
    entities = 1000 + draw() % 2000
    out = [struct.pack("<I4sQ", 16, b"FWST", index // 100)]
    for i in range(entities):
        r = draw()
        out.append(struct.pack("<IIII", i, r & 0xFFFF, r >> 16 & 0xFFFF, r >> 32 & 0xFF))
    return b"".join(out)


AGENT = "application/protobuf; message=fes.simulation.agent."
# Of 1000 events: the first 480 numbers are observations, and so on.
TYPES = (
    (480, "sim.agent_observation.v1", AGENT + "AgentObservation", observation),
    (800, "ai.agent_action.v1", AGENT + "AgentAction", action),
    (997, "sim.agent_reward.v1", "application/json", reward),
    (1000, "sim.world_state.v1", "application/x-flatbuffers; table=WorldStateUpdate", world),
)


def uuid_text(a, b):
    """Version 4 in its usual form."""
    high = a & ~(0xF << 12) | 4 << 12
    low = b & ~(3 << 62) | 2 << 62
    digits = f"{high:016x}{low:016x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


@dataclass(frozen=True)
class Message:
    """One message of a run. `row` is None where it is no event."""

    data: bytes
    row: dict | None


@dataclass(frozen=True)
class Load:
    """The options of varve-gen of the same names."""

    seed: int = 1
    simulations: int = 4
    payload_bytes: int = 0
    per_hour: int = 100000

    def timestamp(self, index, jitter):
        step = HOUR_NS // self.per_hour
        first_hour = START_OF_2024_NS + (1 + mix(self.seed) % 8000) * HOUR_NS
        return first_hour + (index - 100) * step + jitter % (2 * step + 1)

    def correlation(self, index):
        group = mix(mix(self.seed ^ MASK) + index // 4 & MASK)
        return uuid_text(group, mix(group)) if group % 4 else None

    def event(self, index):
        draw = Draws(mix(mix(self.seed) + index & MASK))
        pick = draw() % 1000
        _, key, content, make_payload = next(t for t in TYPES if pick < t[0])
        event_id = uuid_text(draw(), draw())
        worker = f"worker-{1 + draw() % 8:02}"
        number = draw()
        simulation = f"sim-{1 + (number >> 32) % self.simulations:04}" if number % 1000 else ""
        timestamp = self.timestamp(index, draw())
        correlation = self.correlation(index)
        oddity = draw() % 128
        payload = make_payload(index, draw)
        if self.payload_bytes:
            while len(payload) < self.payload_bytes:
                payload += struct.pack("<Q", draw())
            payload = payload[: self.payload_bytes]
        before = varint(17 << 3 | 1) + struct.pack("<Q", index) if oddity == 0 else b""
        after = length_field(9, "trace/7") if oddity < 2 else b""
        data = b"".join(
            (
                before,
                length_field(1, event_id),
                length_field(2, key),
                length_field(3, payload),
                varint_field(4, timestamp),
                length_field(5, worker),
                length_field(6, simulation),
                length_field(7, content),
                length_field(8, correlation or ""),
                after,
            )
        )
        row = {
            "timestamp_ns": timestamp,
            "event_id": event_id,
            "event_type_key": key,
            "event_payload": payload,
            "worker_id": worker,
            "simulation_id": simulation,
            "payload_format_hint": content,
            "correlation_id": correlation,
            "unknown_fields": before + after or None,
            "event_time": EPOCH + timedelta(microseconds=timestamp // 1000),
            "headers": None,
        }
        return Message(data, row)

    def corrupt(self, index):
        kind = index % 4
        if kind == 0:
            return Message(self.event(index).data[:-1], None)
        if kind == 1:
            return Message(f'{{"not":"an event","number":{index}}}'.encode(), None)
        if kind == 2:
            data = bytearray(self.event(index).data)
            data[data.index(b"\x0a\x24") + 2] = 0xFF
            return Message(bytes(data), None)
        return Message(b"\x07" + struct.pack("<Q", mix(index)), None)

    def run(self, count, corrupt=0, start_index=0):
        """The messages of one run of varve-gen, in order."""
        total = count + corrupt
        for i in range(total):
            before = i * corrupt // total
            if (i + 1) * corrupt // total > before:
                yield self.corrupt(start_index + before)
            else:
                yield self.event(start_index + i - before)
