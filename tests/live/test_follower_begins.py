# SPDX-License-Identifier: MIT
"""What is added to a follower that has read rows already begins with those that come: that is said
once, at the start and by check, with the way to have it for all."""

import json
import subprocess

import pytest
from generator import step_event
from support import VARVE

FAST = {"batching": {"max_age": "200ms"}}
COLUMNS = ["step integer $.step"]


def config(*types, target=None):
    follower = {"name": "typed", "kind": "table", **({"target": str(target)} if target else {})}
    payloads = [{"event_type": kind, "format": "json", "columns": COLUMNS} for kind in types]
    return {**FAST, "payloads": payloads, "followers": [follower]}


def publish(server, *types):
    server.publish(step_event(f"event-{kind}", kind, 1) for kind in types)


def run(varve, command, *args, **more):
    path = varve.directory / f"{command}.yaml"
    path.write_text(json.dumps(varve.config(**more)))
    return subprocess.run(
        [VARVE, command, *args, "-c", path], capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("change", ["type", "target"])
def test_what_is_added_to_a_follower_is_said(any_server, varve, tmp_path, change):
    old = config("sim.a.v1")
    new = (
        config("sim.a.v1", "sim.b.v1")
        if change == "type"
        else config("sim.a.v1", target=tmp_path / "elsewhere")
    )
    says = "table of sim.b.v1: new" if change == "type" else f"target {tmp_path}/elsewhere: new"
    any_server.add_stream()
    publish(any_server, "sim.a.v1", "sim.b.v1")
    assert not varve.once(**old).lines("follower_begins")
    assert not varve.once(**old).lines("follower_begins")
    assert "new in the configuration" not in run(varve, "check", **old).stdout
    assert says in run(varve, "check", **new).stdout
    (line,) = varve.once(**new).lines("follower_begins", level="warning")
    assert says in line["text"] and "varve follow typed --restart brings all" in line["text"]
    assert not varve.once(**new).lines("follower_begins")


def test_what_was_made_anew_is_not_said(any_server, varve):
    old, new = config("sim.a.v1"), config("sim.a.v1", "sim.b.v1")
    any_server.add_stream()
    publish(any_server, "sim.a.v1", "sim.b.v1")
    varve.once(**old)
    done = run(varve, "follow", "typed", "--once", "--restart", **new)
    assert done.returncode == 0 and "follower_begins" not in done.stderr
    publish(any_server, "sim.a.v1")
    assert not varve.once(**new).lines("follower_begins")
    more = config("sim.a.v1", "sim.b.v1", "sim.c.v1")
    done = run(varve, "follow", "typed", "--once", **more)
    assert done.returncode == 0 and "table of sim.c.v1: new" in done.stderr
