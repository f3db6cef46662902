# SPDX-License-Identifier: MIT
"""varve quality: what it says of hostile events is what DuckDB says of the same files."""

import json
import random
import subprocess
import time

import duckdb
import pytest
from generator import length_field, varint_field
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from support import VARVE

DAY = 86400 * 10**9
RULES = [
    word
    for rule in (
        "max_skew=2s",
        "max_silence=1ms",
        "event_types=a.v1,b.v1",
        "content_types=application/json,application/protobuf",
        "required=event_id,worker_id,simulation_id",
    )
    for word in ("--set", f"quality.{rule}")
]


def events(chance, count):
    """Events with everything that can be wrong with them, and enough that is not."""
    payloads = {
        "application/json": [b'{"a": [1, 2]}', b"3", b"{", b"", b'"\xff"'],
        "application/ld+json; v=1": [b"{}", b"nul"],
        "application/protobuf; message=x": [b"", b"\x08\x01", b"\x08", b"\x0a\x05ab", b"\x00"],
        "text/plain": [b"anything", b"\xff" * 300],
        "": [b"\x00", b""],
    }
    ids = [f"id-{n}" for n in range(count // 2)]
    for n in range(count):
        content = chance.choice(list(payloads))
        now = time.time_ns() + chance.randint(-3 * 10**9, 3 * 10**9)
        yield (
            length_field(1, chance.choice([f"own-{n}"] * 4 + [chance.choice(ids), ""]))
            + length_field(2, chance.choice(["a.v1", "b.v1", "c.v1", "é" * 300]))
            + length_field(3, chance.choice(payloads[content]))
            + varint_field(4, chance.choice([now] * 6 + [0, now + 2 * DAY, now - 5 * DAY]))
            + length_field(5, chance.choice(["w1", "w2", "w3", ""]))
            + length_field(6, chance.choice(["s1", "s2", "", "we/ird\n"]))
            + length_field(7, content)
        )


JUDGE = """
with events as (
    select *, epoch_ns(stream_time) as stored,
        timestamp_ns > 0 and timestamp_ns - epoch_ns(stream_time) <= 86400000000000 as timed,
        trim(split_part(payload_format_hint, ';', 1)) as media
    from read_parquet($files) where {where}
), later as (
    select stream_seq from (select stream_seq, row_number() over
        (partition by simulation_id, event_id order by stream_seq) as n
        from events where event_id != '') where n > 1
), steps as (
    select stream_seq, lag(timestamp_ns) over
        (partition by simulation_id, worker_id order by stream_seq) - timestamp_ns as back
        from events where timed
), gaps as (
    select stream_seq, stored - lag(stored) over
        (partition by simulation_id, event_type_key order by stream_seq) as gap from events
)
select simulation_id, event_type_key[:256] as event_type, count(*) as events,
    sum(octet_length(event_payload)) as bytes, max(octet_length(event_payload)) as size_max,
    min(timestamp_ns) filter (timed) as first, max(timestamp_ns) filter (timed) as last,
    min(stored) as first_stored, max(stored) as last_stored,
    quantile_disc(stored - timestamp_ns, [0.47, 0.53]) filter (timed) as skew,
    min(stored - timestamp_ns) filter (timed) as skew_min,
    greatest(max(gap), 0) as silence, greatest(max(back), 0) as backwards,
    count(*) filter (event_id = '') as no_id, count(*) filter (worker_id = '') as no_worker,
    count(*) filter (stream_seq in (select * from later)) as duplicate_ids,
    count(*) filter (back > 0) as backwards_rows,
    min(stream_seq) filter (back > 0) as backwards_first,
    count(*) filter (not timed) as bad_times,
    count(*) filter (timed and abs(stored - timestamp_ns) > 2000000000) as skewed,
    count(*) filter (gap > 1000000) as silences,
    count(*) filter (event_id = '' or worker_id = '' or simulation_id = '') as empty_fields,
    count(*) filter (event_type_key not in ('a.v1', 'b.v1')) as unlisted_types,
    count(*) filter (media not in ('application/json', 'application/protobuf'))
        as unlisted_content_types,
    list({{'media': media, 'payload': event_payload}}) as payloads
from events left join steps using (stream_seq) left join gaps using (stream_seq)
group by all order by simulation_id, event_type
"""
FINDINGS = (
    "duplicate_ids bad_times skewed silences empty_fields unlisted_types unlisted_content_types"
).split()


def ns(text):
    """RFC 3339 with nine digits."""
    seconds, fraction = text.removesuffix("Z").split(".")
    return int(time.mktime(time.strptime(seconds + " UTC", "%Y-%m-%dT%H:%M:%S %Z"))) * 10**9 + int(
        fraction
    )


def is_bad(media, payload):
    try:
        if media.endswith("json"):
            json.loads(payload.decode())
        if media == "application/protobuf":
            Empty().ParseFromString(payload)
    except (ValueError, DecodeError):
        return True
    return False


def quality(path, *options, status=1):
    done = subprocess.run(
        [VARVE, "quality", path, *(options if "-c" in options else ["-c", "/dev/null", *options])],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == status and (done.stderr == "" or status == 2), done.stderr
    return done.stdout


def check(root, where="true", options=()):
    files = [str(p) for p in root.rglob("*.parquet") if "_delta_log" not in p.parts]
    judge = duckdb.connect()
    judge.execute("set timezone = 'UTC'")
    found = judge.execute(JUDGE.format(where=where), {"files": files})
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    said = [json.loads(line) for line in quality(root, "--json", *RULES, *options).splitlines()]
    groups = [(s["simulation_id"], g) for s in said for g in s["event_types"]]
    assert [(s, g["event_type_key"]) for s, g in groups] == [
        (row["simulation_id"], row["event_type"]) for row in rows
    ]
    assert [s["events"] for s in said] == [
        sum(r["events"] for r in rows if r["simulation_id"] == s["simulation_id"]) for s in said
    ]
    for (_, group), row in zip(groups, rows, strict=True):
        check_group(group, row)


def assert_between(value, low, high):
    """Or off by the 1/64 that a quantile may be, where the ranks around it lie."""
    assert low - abs(low) / 63 <= value <= high + abs(high) / 63


def check_group(group, row):
    assert (group["events"], group["payload_bytes"]) == (row["events"], row["bytes"])
    assert group["payload_size"]["max"] == row["size_max"]
    assert ns(group["first_stored"]) == row["first_stored"]
    assert ns(group["last_stored"]) == row["last_stored"]
    assert ("first_timestamp" in group) == (row["first"] is not None)
    if row["first"] is not None:
        assert ns(group["first_timestamp"]) == row["first"]
        assert ns(group["last_timestamp"]) == row["last"]
        assert group["skew_ns"]["min"] == row["skew_min"]
        assert_between(group["skew_ns"]["p50"], *row["skew"])
    assert group["longest_silence_ns"] == row["silence"]
    assert group["farthest_backwards_ns"] == row["backwards"]
    assert group["empty"].get("event_id", 0) == row["no_id"]
    assert group["empty"].get("worker_id", 0) == row["no_worker"]
    found = {name: value["events"] for name, value in group["findings"].items()}
    expected = {name: row[name] for name in FINDINGS}
    expected["backwards"] = row["backwards_rows"]
    expected["bad_payloads"] = sum(is_bad(p["media"], p["payload"]) for p in row["payloads"])
    assert found == {name: count for name, count in expected.items() if count}
    if row["backwards_first"]:
        assert group["findings"]["backwards"]["first_sequence"] == row["backwards_first"]


@pytest.fixture
def store(any_server, varve):
    any_server.add_stream()
    any_server.publish(events(random.Random(14), 1500))
    varve.once(batching={"max_rows": 400})
    return varve.output


def test_it_says_what_duckdb_says(store):
    check(store)
    check(store, "simulation_id = 's1'", ["--where", "simulation_id = s1"])
    check(store, "stream_seq between 300 and 900", ["--from", "300", "--to", "900"])
    # Without its log a directory is what files lie in it; one of them alone is as good.
    (store / "_delta_log").rename(store.with_name("log"))
    check(store)
    file = next(store.glob("s1/*/*/*.parquet"))
    assert json.loads(quality(file, "--json"))["simulation_id"] == "s1"


def test_saved_for_later(store, varve):
    lines = quality(store, "--json", "--save", *RULES).splitlines(keepends=True)
    names = ["%empty", "s1", "s2", "we%2Fird%0A"]
    assert sorted(p.name for p in (store / "_quality").iterdir()) == [f"{n}.json" for n in names]
    assert [(store / "_quality" / f"{name}.json").read_text() for name in names] == lines
    quality(store, "--save")  # in place of them
    assert (store / "_quality" / "s1.json").read_text() != lines[1]
    varve.once(batching={"max_rows": 400})
    verified = subprocess.run([VARVE, "verify", store], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout
    for wrong in ("--where", "stream_seq = 1"), ("--from", "2"):
        quality(store, "--save", *wrong, status=2)


def test_for_people(store):
    text = quality(store, *RULES)
    assert text.startswith(f"{store}: 1,500 events of 4 simulations; ")
    assert "with an event_id that was published before: the first is " in text
    assert "(no simulation_id)" in text and "we/ird?" in text
    assert len(text.splitlines()) < 70 and max(map(len, text.splitlines())) < 900
    none = quality(store, "--where", "stream_seq = 0", status=0)
    assert none == f"{store}: 0 events of 0 simulations; 0 findings in 0 of them\n"


def test_a_run_that_is_all_right_says_so(any_server, varve):
    any_server.add_stream()
    base = time.time_ns()
    any_server.publish(
        length_field(1, f"e{n}")
        + length_field(2, "a.v1")
        + varint_field(4, base + n)
        + length_field(5, "w1")
        + length_field(6, "s1")
        for n in range(20)
    )
    varve.once()
    assert "20 events of 1 simulation; 0 findings in 0 of them" in quality(varve.output, status=0)
    assert not list(varve.output.glob("_quality*"))


def test_payloads_are_decoded_as_the_configuration_says(any_server, varve):
    """The bad ones are those in second place: by the simulation's own messages, by name, and JSON
    by its columns. Of what is not described it is looked at whether it is JSON or protobuf."""
    any_server.add_stream()
    action = "application/protobuf; message=fes.simulation.agent.AgentAction"
    pairs = [
        ("a.v1", action, b"\x10\x05\x18\x01", b"\x0a\x02\xff\xfe"),
        ("b.v1", "application/protobuf; message=not.Known", b"\x10\x05", b"\x10"),
        ("c.v1", "application/json", b'{"step": 3}', b'{"step": "3"}'),
        ("c.v1", "text/plain", b'{"step": 4}', b"3, 4"),
        ("d.v1", "application/json", b'{"step": "3"}', b"{"),
    ]
    any_server.publish(
        length_field(1, f"{kind}-{n}-{media}")
        + length_field(2, kind)
        + length_field(3, payload)
        + length_field(5, "w1")
        + length_field(7, media)
        for kind, media, *payloads in pairs
        for n, payload in enumerate(payloads)
    )
    varve.once()
    columns = {"step": {"path": "$.step", "type": "integer"}}
    described = [
        {"event_type": "*", "format": "protobuf"},
        {"event_type": "c.v1", "format": "json", "columns": columns},
    ]
    path = varve.directory / "payloads.json"
    path.write_text(json.dumps({"payloads": described}))
    said = json.loads(quality(varve.output, "--json", "-c", path))
    bad = {t["event_type_key"]: t["findings"]["bad_payloads"] for t in said["event_types"]}
    assert bad == {
        "a.v1": {"events": 1, "first_sequence": 2},
        "b.v1": {"events": 1, "first_sequence": 4},
        "c.v1": {"events": 2, "first_sequence": 6},
        "d.v1": {"events": 1, "first_sequence": 10},
    }
    # Without, what is well formed is well.
    (said,) = map(json.loads, quality(varve.output, "--json").splitlines())
    bad = {t["event_type_key"]: "bad_payloads" in t["findings"] for t in said["event_types"]}
    assert bad == {"a.v1": False, "b.v1": True, "c.v1": False, "d.v1": True}


def test_what_can_not_be_looked_at_is_an_error(tmp_path):
    for arguments, status in (
        ([tmp_path / "nothing"], 1),
        ([], 2),
        ([tmp_path, tmp_path], 2),
        ([tmp_path, "--set", "quality.required=payload"], 2),
        ([tmp_path, "--where", "worker_id"], 2),
    ):
        done = subprocess.run([VARVE, "quality", *arguments], capture_output=True, text=True)
        assert done.returncode == status and done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.count(str(tmp_path / "nothing")) <= 1
