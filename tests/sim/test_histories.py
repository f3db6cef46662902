# SPDX-License-Identifier: MIT
"""What simulated histories leave behind, as readers see it that are not varve's: pyarrow by the
files that the log names; and varve verify has nothing to say against it."""

import json
import re
import subprocess

import pytest

from support import BUILD, VARVE, Output

SIM = BUILD / "varve-sim"
# Of all kinds: with one instance and two, durable and position, each retention; and in a bucket, also in parts.
SEEDS = [*range(1, 25), *range(2_000_000_000, 2_000_000_006), *range(3_000_000_001, 3_000_000_004)]
BYTES = (
    "event_id",
    "event_type_key",
    "event_payload",
    "worker_id",
    "simulation_id",
    "payload_format_hint",
    "correlation_id",
    "unknown_fields",
)


def wanted(line):
    """A line of expected.jsonl as pyarrow should have it."""
    out = {key: line[key] for key in ("timestamp_ns", "stream_seq", "stream_time", "nats_subject")}
    for name in BYTES:
        value = None if line[name] is None else bytes.fromhex(line[name])
        binary = value is None or name in ("event_payload", "unknown_fields")
        out[name] = value if binary else value.decode()
    return out


def stored(root):
    """{event_id: row} of all rows; none comes twice."""
    import pyarrow

    output = Output(root)
    if not output.files():
        return {}
    table = output.table()
    times = table["stream_time"].cast(pyarrow.int64())
    table = table.set_column(table.column_names.index("stream_time"), "stream_time", times)
    rows = table.to_pylist()
    out = {row["event_id"]: row for row in rows}
    assert len(out) == len(rows)
    return out


def missing(root):
    """The sequences that varve verify misses; there is nothing else that it finds. What is not an
    event of ours is a gap, too, where it came while varve was away, and is told by the next commit
    that there is."""
    out = subprocess.run([VARVE, "verify", "--json", root], capture_output=True, text=True)
    lines = [json.loads(line) for line in out.stdout.splitlines()]
    findings = [f for line in lines[:-1] for f in line["findings"]]
    assert {f["kind"] for f in findings} <= {"gap"}
    found = set()
    for finding in findings:
        first, last = re.search(r": (\d+)-(\d+) are missing", finding["text"]).groups()
        found |= set(range(int(first), int(last) + 1))
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_history(seed, tmp_path):
    out = subprocess.run([SIM, "dump", str(seed), tmp_path], capture_output=True, text=True)
    assert out.returncode == 0, out.stdout
    expected = [json.loads(line) for line in (tmp_path / "expected.jsonl").open()]
    rows = stored(tmp_path / "store")
    events = {line["event_id"]: line for line in map(wanted, expected)}
    for event_id, row in rows.items():
        assert {key: row[key] for key in events[event_id]} == events[event_id]
    for line in expected:
        if not line["excused"]:
            assert (wanted(line)["event_id"] in rows) != line["bad"]
    lost = missing(tmp_path / "store") & {wanted(line)["stream_seq"] for line in expected}
    assert not lost
