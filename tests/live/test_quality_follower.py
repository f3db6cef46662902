# SPDX-License-Identifier: MIT
"""Followers of kind quality: what is said of the rows that are committed is what `varve quality`
says of the same rows, whoever is killed, and is shown where an instance is watched."""

import json
import random
import subprocess

import pytest
from generator import length_field, varint_field
from support import PATIENCE, VARVE, kill_after, wait_for
from test_quality import events

FAST = {"batching": {"max_age": "200ms"}}
RULES = {
    "max_skew": "2s",
    "max_silence": "1ms",
    "event_types": ["a.v1", "b.v1"],
    "content_types": ["application/json", "application/protobuf"],
    "required": ["event_id", "worker_id", "simulation_id"],
}
FOLLOW = {**FAST, "quality": RULES, "followers": [{"name": "judge", "kind": "quality"}]}


def command(varve, name, *options, **more):
    path = varve.directory / "judge.yaml"
    path.write_text(json.dumps(varve.config(**{**FOLLOW, **more})))
    return [VARVE, name, *options, "-c", path]


def follow(varve, *options, status=0, **more):
    done = subprocess.run(
        command(varve, "follow", "judge", *options, **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


def said(varve, **more):
    """By `varve quality`: each simulation's line."""
    done = subprocess.run(
        command(varve, "quality", varve.output, "--json", **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    return sorted(done.stdout.splitlines())


def reports(varve):
    return sorted(p.read_text().rstrip("\n") for p in (varve.output / "_quality").glob("*.json"))


def check(varve, **more):
    """Compared as objects for the sake of what a failure shows."""
    assert list(map(json.loads, reports(varve))) == list(map(json.loads, said(varve, **more)))
    assert reports(varve) == said(varve, **more)


def test_it_says_what_the_command_says(any_server, varve):
    """Added later, while it runs, and again; and nothing of it bothers those who verify."""
    any_server.add_stream()
    chance = random.Random(5)
    any_server.publish(events(chance, 700))
    varve.once(**FAST)
    assert "700 rows" in follow(varve, "--once")
    check(varve)
    running = varve.start(**FOLLOW)
    any_server.publish(events(chance, 500))
    wait_for(lambda: sum(json.loads(r)["events"] for r in reports(varve)) == 1200, "all rows")
    assert running.stop() == 0
    check(varve)
    assert "0 rows" in follow(varve, "--once")
    check(varve)
    verified = subprocess.run([VARVE, "verify", varve.output], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout
    assert any(json.loads(r)["event_types"][0]["findings"] for r in reports(varve))


def test_killed_at_any_time_it_counts_each_row_once(server, varve):
    """Also between what it knows and its position; with so many events that some are looked up in
    files."""
    server.add_stream()
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(8):
        server.publish(events(chance, 400))
        varve.once(**FAST)
        child = subprocess.Popen(command(varve, "follow", "judge"), stderr=subprocess.DEVNULL)
        kill_after(child, chance.random() / 10)
    follow(varve, "--once")
    check(varve)


def many(first, count):
    """Events of one run, one a millisecond, without a fault."""
    for n in range(first, first + count):
        yield (
            length_field(1, f"e-{n}")
            + length_field(2, "a.v1")
            + varint_field(4, 1_780_000_000_000_000_000 + n * 10**6)
            + length_field(5, "w1")
            + length_field(6, "s1")
        )


def test_its_position_without_what_it_knows_is_refused(any_server, varve):
    any_server.add_stream()
    any_server.publish(events(random.Random(7), 200))
    varve.once(**FOLLOW)
    check(varve)
    state = varve.output / "_quality" / "_state" / "judge" / "state"
    whole = state.read_bytes()
    state.write_bytes(whole[:-9] + b"\xff" + whole[-8:])
    assert "varve follow judge --restart" in follow(varve, "--once", status=1)
    checked = subprocess.run(command(varve, "check"), capture_output=True, text=True)
    assert checked.returncode == 1 and "_quality/_state/judge/state: it is damaged" in (
        checked.stdout
    )
    state.unlink()
    assert "judge/state is gone" in follow(varve, "--once", status=1)
    assert "200 rows" in follow(varve, "--restart", "--once")
    check(varve)
    # From a backup: what it lacks would never come.
    any_server.publish(events(random.Random(8), 100))
    varve.once(**FOLLOW)
    state.write_bytes(whole)
    assert "is older than its position" in follow(varve, "--once", status=1)
    assert "300 rows" in follow(varve, "--restart", "--once")
    check(varve)


def test_other_rules_are_for_what_comes(any_server, varve):
    any_server.add_stream()
    any_server.publish(events(random.Random(9), 100))
    varve.once(**FOLLOW)
    more = {**FOLLOW, "quality": {"required": "none"}}
    any_server.publish(events(random.Random(10), 100))
    varve.once(**more)
    assert all("rules_changed" in json.loads(report) for report in reports(varve))
    assert "200 rows" in follow(varve, "--restart", "--once", quality=more["quality"])
    check(varve, quality=more["quality"])


@pytest.mark.parametrize("member", ["target"])
def test_what_is_of_other_kinds(varve, member):
    followers = [{"name": "judge", "kind": "quality", member: "x"}]
    assert f"followers[0].{member}: its kind has none" in follow(
        varve, "--once", status=2, followers=followers
    )
