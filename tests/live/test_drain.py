# SPDX-License-Identifier: MIT
"""What was published is what stands in the files: each row, each column, once, where it belongs."""

import json
import struct
import time
from datetime import datetime, timezone

import pyarrow.parquet as pq
import pytest

from generator import Load, length_field, varint_field
from support import (
    COLUMNS,
    SUBJECT,
    Output,
    check_rows,
    micros,
    numbered,
    partition,
    read_arrow,
)

DAY_NS = 24 * 3600 * 10**9


def check_acked(server, last, stream="LOGGING", consumer="varve"):
    server.wait_acked(last, consumer, stream)
    info = server.consumer(consumer, stream)
    assert info.num_pending == 0
    assert info.num_ack_pending == 0
    assert info.ack_floor.stream_seq == last


def read_duckdb(files):
    import duckdb

    columns = ", ".join(
        f"epoch_us({name}) AS {name}" if name in ("stream_time", "event_time") else name
        for name in COLUMNS
    )
    query = f"SELECT {columns} FROM read_parquet($files) ORDER BY stream_seq"
    return duckdb.execute(query, {"files": [str(path) for path in files]}).fetchall()


def test_every_row_and_column(server, varve):
    first, last = server.generate(12000, corrupt=9, seed=7)
    varve.once()
    rows, quarantined = numbered(Load(seed=7).run(12000, corrupt=9))
    assert (first, last) == (1, 12009)
    times = {sequence: ns for sequence, ns, *_ in server.messages()}
    check_rows(varve.output, rows, quarantined, times)
    for seq, row in rows.items():
        row["stream_time"] = micros(times[seq])
        row["event_time"] = micros(row["timestamp_ns"])
    expected = [tuple(rows[seq][name] for name in COLUMNS) for seq in sorted(rows)]
    assert read_duckdb(Output(varve.output).files()) == expected
    check_acked(server, last)


def test_polars_and_pandas_read_the_same(any_server, varve):
    import pandas
    import polars

    any_server.generate(3000, seed=11)
    varve.once()
    rows, _ = numbered(Load(seed=11).run(3000))
    files = Output(varve.output).files()
    frame = polars.read_parquet(files).sort("stream_seq")
    for name in rows[1]:
        assert frame[name].to_list() == [rows[seq][name] for seq in sorted(rows)], name
    frame = pandas.concat(pandas.read_parquet(path) for path in files).sort_values("stream_seq")
    for name in ("event_id", "event_payload", "timestamp_ns"):
        assert frame[name].tolist() == [rows[seq][name] for seq in sorted(rows)], name


def test_deltalake_reads_the_table(any_server, varve):
    import deltalake

    any_server.generate(2000, seed=3)
    varve.once()
    rows, _ = numbered(Load(seed=3).run(2000))
    table = deltalake.DeltaTable(str(varve.output)).to_pyarrow_table().sort_by("stream_seq")
    assert table["event_id"].to_pylist() == [rows[seq]["event_id"] for seq in sorted(rows)]


def test_a_drain_goes_on_where_the_last_one_ended(server, varve):
    server.generate(1000, seed=5)
    varve.once()
    server.generate(700, seed=5, start_index=1000)
    varve.once()
    varve.once()  # nothing is new: nothing is written
    rows, _ = numbered(Load(seed=5).run(1700))
    check_rows(varve.output, rows)
    writes = [e for e in Output(varve.output).entries() if any("add" in action for action in e)]
    assert len(writes) == 2
    check_acked(server, 1700)


def test_an_empty_stream_is_at_its_end(server, varve):
    server.add_stream()
    varve.once()
    assert Output(varve.output).files() == []


def test_filtered_subjects(server, varve):
    """Only the subjects that were asked for; what the stream holds besides is not touched."""
    server.add_stream(subjects=["logging.>"])
    events = [message.data for message in Load(seed=2).run(30)]
    server.publish(events[:10], "logging.events.raw")
    server.publish(events[10:20], "logging.metrics")
    server.publish(events[20:], "logging.events.raw")
    varve.once()
    table = Output(varve.output).table()
    assert table["stream_seq"].to_pylist() == [*range(1, 11), *range(21, 31)]
    assert set(table["nats_subject"].to_pylist()) == {"logging.events.raw"}
    info = server.consumer()
    assert (info.num_pending, info.num_ack_pending) == (0, 0)


# ---- where rows go -------------------------------------------------------------------------------


def check_partitions(root, times):
    """Each file holds rows of its own directory's simulation, date and hour only."""
    output = Output(root)
    for path in output.files():
        directory = str(path.parent.relative_to(output.root))
        for row in read_arrow([path], "stream_seq").to_pylist():
            at = times.get(row["stream_seq"], row["timestamp_ns"])
            when = datetime.fromtimestamp(at // 10**9, timezone.utc)
            assert directory == f"{partition(row['simulation_id'])}/{when:%Y-%m-%d/%H}"


def test_rows_are_only_in_their_own_partition(any_server, varve):
    """Seven interleaved simulations over many hours, and midnight."""
    any_server.generate(6000, seed=9, simulations=7, per_hour=200)
    varve.once(batching={"max_rows": 2500})
    rows, _ = numbered(Load(seed=9, simulations=7, per_hour=200).run(6000))
    check_rows(varve.output, rows)
    check_partitions(varve.output, {})
    directories = {path.parent for path in Output(varve.output).files()}
    assert len({d.parent for d in directories}) > 7 and len(directories) > 7 * 25


def event(timestamp=None, simulation=b"sim", event_id="e", payload=b"p"):
    """An event written by hand, field after field."""
    timestamp = time.time_ns() if timestamp is None else timestamp
    return b"".join(
        (
            length_field(1, event_id),
            length_field(2, "sim.agent_reward.v1"),
            length_field(3, payload),
            varint_field(4, timestamp & (1 << 64) - 1),
            length_field(5, "worker"),
            length_field(6, simulation),
            length_field(7, "application/json"),
        )
    )


def test_absurd_clocks_are_filed_under_the_time_of_the_stream(any_server, varve):
    now = time.time_ns()
    suspect = [0, -1, -(2**63), 2**63 - 1, now + 2 * DAY_NS]
    sound = [1, now, now + DAY_NS - 3600 * 10**9, now - 20 * 365 * DAY_NS]
    any_server.add_stream()
    any_server.publish([event(t) for t in [*suspect, *sound]])
    varve.once()
    output = Output(varve.output)
    assert output.table()["timestamp_ns"].to_pylist() == [*suspect, *sound]
    stored = {sequence: ns for sequence, ns, *_ in any_server.messages()}
    check_partitions(varve.output, {s: stored[s] for s in range(1, len(suspect) + 1)})
    counts = [int(footer["varve.clock_suspect"]) for footer in output.footers().values()]
    assert sum(counts) == len(suspect)


def test_a_template_of_ones_own(any_server, varve):
    any_server.generate(500, seed=4)
    template = "type={event_type_key}/{YYYY}/{MM}/{DD}/{stream}-{first_seq}.parquet"
    varve.once(output={"path_template": template})
    rows, _ = numbered(Load(seed=4).run(500))
    check_rows(varve.output, rows)
    output = Output(varve.output)
    for path in output.files():
        for row in read_arrow([path], "stream_seq").to_pylist():
            when = datetime.fromtimestamp(row["timestamp_ns"] // 10**9, timezone.utc)
            wanted = f"type={row['event_type_key']}/{when:%Y/%m/%d}"
            assert str(path.parent.relative_to(output.root)) == wanted


# ---- when a batch ends ---------------------------------------------------------------------------


def steady_drain(server, varve, load, count, **limits):
    """Drain while events come at a pace that every disk keeps up with; the commits before the
    end."""
    server.add_stream()
    run = varve.start(batching=limits)
    run.wait_line("consumer_made")
    server.generate(count, rate=2500, seed=load.seed, payload_bytes=load.payload_bytes)
    run.wait_line("committed", count=3)
    assert run.stop() == 0
    varve.once(batching=limits)  # what had not arrived
    rows, _ = numbered(load.run(count))
    check_rows(varve.output, rows)
    return [line for line in run.lines("committed") if line["reason"] != "stop"]


def test_batches_by_rows(any_server, varve):
    commits = steady_drain(any_server, varve, Load(seed=6), 5300, max_rows=1000)
    assert {line["reason"] for line in commits} == {"rows"}
    assert {line["rows"] for line in commits} == {1000}


def test_limits_of_a_batch_mean_what_they_say(server, varve):
    """However much arrives at once: the events were there before varve was."""
    server.generate(503, seed=6)
    run = varve.once(batching={"max_rows": 10})
    commits = run.lines("committed")
    assert [line["rows"] for line in commits] == [10] * 50 + [3]
    rows, _ = numbered(Load(seed=6).run(503))
    check_rows(varve.output, rows)


def test_batches_by_bytes(any_server, varve):
    load = Load(seed=6, payload_bytes=2000)
    commits = steady_drain(any_server, varve, load, 3000, max_bytes="1MiB")
    assert {line["reason"] for line in commits} == {"bytes"}
    assert all(1024 * 1024 / 2300 < line["rows"] <= 1024 * 1024 / 2000 + 1 for line in commits)


def test_batches_by_age_without_new_traffic(server, varve):
    server.generate(100, seed=6)
    run = varve.start(batching={"max_age": "700ms"})
    line = run.wait_line("committed")
    received = run.wait_line("consumer_made")["time"]
    waited = datetime.fromisoformat(line["time"]) - datetime.fromisoformat(received)
    assert waited.total_seconds() > 0.6
    run.wait_rows(100)
    server.generate(50, seed=6, start_index=100)
    run.wait_rows(150)
    # How many a slow machine brings within that age is up to it.
    assert {line["reason"] for line in run.lines("committed")} == {"age"}
    assert run.stop() == 0
    check_acked(server, 150)


def test_large_and_odd_payloads(any_server, varve):
    """Empty, one byte, all bytes, and larger than a page; and an event without any field."""
    payloads = [b"", b"\0", bytes(range(256)), b"x" * 900_000, struct.pack("<Q", 1) * 60_000]
    any_server.add_stream()
    messages = [event(payload=p, event_id=f"e{i}") for i, p in enumerate(payloads)] + [b""]
    any_server.publish(messages)
    varve.once()
    table = Output(varve.output).table()
    assert table["event_payload"].to_pylist() == [*payloads, b""]
    last = table.to_pylist()[-1]
    assert (last["event_id"], last["timestamp_ns"], last["correlation_id"]) == ("", 0, None)
    assert last["event_time"] is None


@pytest.mark.parametrize("level", [-5, 0, 9])
def test_compression_levels(any_server, varve, level):
    any_server.generate(1500, seed=8)
    varve.once(parquet={"compression_level": level, "page_bytes": "8KiB", "row_group_rows": 400})
    rows, _ = numbered(Load(seed=8).run(1500))
    check_rows(varve.output, rows)
    files = [pq.read_metadata(path) for path in varve.output.rglob("*.parquet")]
    groups = [file.row_group(i).num_rows for file in files for i in range(file.num_row_groups)]
    assert max(groups) <= 400 and sum(groups) == 1500


def test_the_delta_profile(any_server, varve):
    any_server.generate(1500, seed=9)
    varve.once(parquet={"profile": "delta"})
    rows, _ = numbered(Load(seed=9).run(1500))
    check_rows(varve.output, rows)
    files = list(varve.output.rglob("*.parquet"))
    columns = pq.read_metadata(files[0]).row_group(0)
    found = {columns.column(i).path_in_schema: columns.column(i) for i in range(columns.num_columns)}
    assert "DELTA_BINARY_PACKED" in found["stream_seq"].encodings
    assert "DELTA_LENGTH_BYTE_ARRAY" in found["event_id"].encodings


def test_the_log_is_one_json_object_a_line(any_server, varve):
    any_server.generate(10)
    run = varve.once()
    for text in run.text().splitlines():
        line = json.loads(text)
        assert {"time", "level", "event"} <= line.keys()
    assert run.lines("source")[0]["subject"] == SUBJECT
