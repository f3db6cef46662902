# SPDX-License-Identifier: MIT
"""What is said of followers: by check, in /readyz, and by the alert when one is late."""

import json
import shutil
import subprocess
import time

from deltalake import DeltaTable
from generator import length_field, varint_field
from support import VARVE, Output, verify, wait_for
from watching import ALERTS, Endpoint, alerts, wait_alert, watched

OTHER = "sim.agent_reward.v1"
FOLLOW = {
    "payloads": [
        {"event_type": OTHER, "format": "json", "columns": ["reward double $.reward"]}
    ],
    "followers": [{"name": "typed", "kind": "table", "max_lag": "1s"}],
}


def target(varve):
    return varve.output.with_name(varve.output.name + "-types")


def says(varve, **more):
    """Exit status of check, and the lines that are of the follower."""
    path = varve.directory / "check.yaml"
    path.write_text(json.dumps(varve.config(**{**FOLLOW, **more})))
    done = subprocess.run(
        [VARVE, "check", "-c", path], capture_output=True, text=True, timeout=120
    )
    return done.returncode, [
        line for line in done.stdout.splitlines() if "payloads" in line
    ]


def test_check(any_server, varve):
    any_server.generate(2000)
    varve.once(**FOLLOW)
    root = target(varve)
    code, [line] = says(varve)
    assert code == 0 and f"its payloads are described, and {root} takes them" in line
    [payload] = FOLLOW["payloads"]
    more = {**payload, "columns": [*payload["columns"], "extra text $.extra"]}
    code, [line] = says(varve, payloads=[more])
    assert code == 0 and line.endswith(f"{root / OTHER} will get columns that it lacks")
    absent = {"event_type": OTHER, "format": "protobuf", "message": "a.B"}
    code, [line] = says(varve, payloads=[absent])
    assert code == 1 and line.startswith("problem")
    assert "the descriptor set has no message a.B" in line
    [log] = (root / OTHER / "_delta_log").glob("*0.json")
    log.write_text("{")
    path = varve.directory / "check.yaml"
    path.write_text(json.dumps(varve.config(**FOLLOW)))
    done = subprocess.run(
        [VARVE, "check", "-c", path], capture_output=True, text=True, timeout=120
    )
    assert f"problem  follower typed: {root / OTHER}" in done.stdout


def test_check_of_those_who_copy(any_server, varve):
    """Of an archive whether what is there is one, of a replay whether a stream takes it and which."""
    vault = varve.directory / "vault"

    def check(word, status, **follower):
        path = varve.directory / "check.yaml"
        path.write_text(
            json.dumps(varve.config(followers=[{"name": "one", **follower}]))
        )
        done = subprocess.run(
            [VARVE, "check", "-c", path], capture_output=True, text=True, timeout=120
        )
        [line] = [line for line in done.stdout.splitlines() if "follower one: " in line]
        assert line.split()[0] == word and done.returncode == status, line
        return line

    any_server.generate(10)
    archive = {"kind": "archive", "target": str(vault)}
    assert f"{vault} takes the archive" in check("ok", 0, **archive)
    varve.once(followers=[{"name": "one", **archive}])
    versions = len(list((vault / "_delta_log").glob("*.json")))
    assert f"{vault} is an archive with {versions} commits" in check("ok", 0, **archive)
    other = {"kind": "archive", "target": str(varve.directory / "other")}
    shutil.copytree(varve.output, other["target"])
    assert "a table that is no archive" in check("problem", 1, **other)

    feed = {"kind": "nats"}
    assert "no stream takes replay.>: make one first" in check("problem", 1, **feed)
    any_server.add_stream("REPLAY", ["replay.>"])
    plain = "it publishes to replay.> in stream REPLAY, message by message: that does not allow"
    assert f"{plain} atomic batches (allow_atomic)" in check("ok", 0, **feed)
    any_server.add_stream("BATCHES", ["batches.>"], allow_atomic=True)
    line = check("ok", 0, **feed, subject="batches.>")
    if any_server.stream("BATCHES").config.allow_atomic:
        assert "it publishes to batches.> in stream BATCHES, in atomic batches" in line
    assert "LOGGING is one that varve drains" in check(
        "problem", 1, **feed, subject="logging.>"
    )
    assert any_server.stream("REPLAY").state.messages == 0
    assert any_server.stream().state.messages == 10
    assert "it counts from the first event on" in check("ok", 0, kind="quality")


def test_late_and_in_time_again(any_server, varve):
    """Its place is taken; it is late, which is no matter of readiness, until there is room."""
    any_server.add_stream("OPS", [ALERTS])
    target(varve).mkdir()
    obstacle = target(varve) / OTHER
    obstacle.write_text("")
    any_server.generate(2000)
    process = varve.start(config={**watched(varve), **FOLLOW})
    endpoint = Endpoint(process)
    raised = wait_alert(any_server, "follower_late", "raised")
    assert raised["follower"] == "typed"
    any_server.wait_acked(2000)
    endpoint.wait_ready(True)
    status, _, body = endpoint.get("/readyz")
    assert status == 200
    assert body.startswith(b"ready\nfollower typed fails: ")
    obstacle.unlink()
    resolved = wait_alert(any_server, "follower_late", "resolved")
    assert resolved["since"] == raised["since"]
    wait_for(
        lambda: endpoint.get("/readyz")[2] == b"ready\nfollower typed has all rows\n",
        "it has all rows",
    )
    m = endpoint.metrics()
    assert (
        0
        < m["varve_follower_memory_bytes", "follower=typed"]
        <= m["varve_memory_bytes",]
    )
    late = [a["state"] for a in alerts(any_server) if a["alert"] == "follower_late"]
    assert late == ["raised", "resolved"]


def test_those_that_keep_up_are_fed_from_the_commit(any_server, varve):
    """One that has a table and one that has files; they begin behind, then no file is opened. When
    one fails, the other one is fed on; what it missed it reads from the store."""
    vault = varve.output.with_name("vault")
    told = {
        "payloads": FOLLOW["payloads"],
        "followers": [
            {"name": "typed", "kind": "table"},
            {"name": "vault", "kind": "archive", "target": str(vault)},
        ],
    }
    any_server.generate(500)
    varve.once()
    process = varve.start(config={**watched(varve), **told})
    endpoint = Endpoint(process)

    def files(name, follower):
        return endpoint.metrics()[
            f"varve_follower_files_{name}_total", f"follower={follower}"
        ]

    def settled():
        return endpoint.get("/readyz")[2].count(b" has all rows\n") == 2

    def generate(count):
        rows = endpoint.metrics().get(
            ("varve_follower_rows_total", "follower=vault"), 0
        )
        any_server.generate(count)
        wait_for(
            lambda: (
                endpoint.metrics()["varve_follower_rows_total", "follower=vault"]
                == rows + count
            ),
            "the archive has them",
        )

    wait_for(settled, "they have what was there")
    assert files("fed", "typed") == files("fed", "vault") == 0 < files("read", "vault")
    read = files("read", "typed"), files("read", "vault")
    for _ in range(3):
        generate(300)
    wait_for(settled, "they have all rows")
    assert (files("read", "typed"), files("read", "vault")) == read
    assert files("fed", "typed") > 0 and files("fed", "vault") > 0
    page = endpoint.text("/")
    assert ">table<" in page and ">archive<" in page
    table = target(varve) / OTHER
    table.rename(away := table.with_name("away"))
    table.write_text("")
    fed = files("fed", "vault")
    generate(300)
    generate(300)
    assert files("fed", "vault") > fed and files("read", "vault") == read[1]
    table.unlink()
    away.rename(table)
    wait_for(settled, "they have all rows")
    assert files("read", "typed") > read[0]
    assert process.stop() == 0
    verify(varve.output)
    verify(vault, "--against", varve.output)
    types = Output(varve.output).table().column("event_type_key").to_pylist()
    assert DeltaTable(str(table)).to_pyarrow_table().num_rows == types.count(OTHER) > 0


def test_quality_is_counted_shown_and_alerted_of(any_server, varve):
    """Over a restart; what was alerted of before is not alerted of again."""
    any_server.add_stream("OPS", [ALERTS])
    any_server.add_stream()
    told = {
        "followers": [{"name": "judge", "kind": "quality"}],
        "quality": {"alerts": ["duplicate_ids"], "event_types": ["a.v1"]},
    }

    def publish(*ids):
        any_server.publish(
            length_field(1, event_id)
            + length_field(2, "b.v1")
            + varint_field(4, time.time_ns())
            + length_field(5, "w1")
            + length_field(6, "s<1>")
            for event_id in ids
        )

    def found(endpoint, reason):
        name = "varve_quality_findings_total", "follower=judge", f"reason={reason}"
        return endpoint.metrics().get(name)

    process = varve.start(config={**watched(varve), **told})
    endpoint = Endpoint(process)
    publish("a", "b", "c")
    wait_for(
        lambda: found(endpoint, "unlisted_types") == 3, "what is no reason for an alert"
    )
    # Both are in one commit, however long it takes to publish them.
    process.reload("batching", "max_age", "60s")
    publish("b", "a")
    key = "varve_messages_received_total", "stream=LOGGING"
    wait_for(lambda: endpoint.metrics()[key] == 5, "both have come")
    process.reload("batching", "max_age", "300ms")
    raised = wait_alert(any_server, "quality", "raised")
    assert raised["follower"] == "judge"
    assert (
        '7 findings in 1 of 1 simulations; most in "s<1>": 5 unlisted_types'
        in raised["text"]
    )
    page = endpoint.text("/")
    assert "<h2>Quality</h2>" in page and "s&lt;1&gt;" in page and "s<1>" not in page
    [follower] = endpoint.status()["followers"]
    assert follower["simulations"] == [
        {"simulation_id": "s<1>", "events": 5, "findings": 7, "most": "unlisted_types"}
    ]
    shown = subprocess.run(
        [VARVE, "status", "--url", endpoint.url], capture_output=True, text=True
    )
    assert ["s<1>", "unlisted_types", "5", "7"] in [
        line.split() for line in shown.stdout.splitlines()
    ]
    wait_alert(any_server, "quality", "resolved")
    assert process.stop() == 0
    process = varve.start(config={**watched(varve), **told})
    endpoint = Endpoint(process)
    publish("d")
    wait_for(lambda: found(endpoint, "unlisted_types") == 6, "all of them")
    assert found(endpoint, "duplicate_ids") == 2
    states = [a["state"] for a in alerts(any_server) if a["alert"] == "quality"]
    assert states == ["raised", "resolved"]
