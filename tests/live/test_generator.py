# SPDX-License-Identifier: MIT
"""tools/gen/load.c and generator.py agree byte for byte, and protoc can read what they make."""

import pathlib
import re
import struct
import subprocess

import pytest

from generator import Load

ROOT = pathlib.Path(__file__).resolve().parents[2]
GEN = ROOT / "build" / "varve-gen"


def dump(*options):
    args = [str(GEN), "--dump", *(str(option) for option in options)]
    out = subprocess.run(args, check=True, capture_output=True, timeout=60).stdout
    frames = []
    at = 0
    while at < len(out):
        (length,) = struct.unpack_from("<I", out, at)
        frames.append(out[at + 4 : at + 4 + length])
        at += 4 + length
    return frames


def protoc_decode(proto, message, data):
    args = ["protoc", f"--proto_path={ROOT / 'proto'}", f"--decode={message}", proto]
    return subprocess.run(args, input=data, check=True, capture_output=True, timeout=60).stdout


@pytest.mark.parametrize(
    ("options", "load", "run"),
    [
        ([], Load(), {"count": 1000}),
        (["--count", 5000, "--seed", 77], Load(seed=77), {"count": 5000}),
        (
            ["--count", 300, "--corrupt", 17, "--simulations", 1],
            Load(simulations=1),
            {"count": 300, "corrupt": 17},
        ),
        (
            ["--count", 400, "--start-index", 123456, "--payload-bytes", 120, "--per-hour", 7],
            Load(payload_bytes=120, per_hour=7),
            {"count": 400, "start_index": 123456},
        ),
        (
            ["--count", 0, "--corrupt", 8, "--seed", 2**63 - 1],
            Load(seed=2**63 - 1),
            {"count": 0, "corrupt": 8},
        ),
    ],
)
def test_c_and_python_make_the_same_messages(options, load, run):
    expected = [message.data for message in load.run(**run)]
    assert len(expected) == run["count"] + run.get("corrupt", 0)
    assert dump(*options) == expected


def test_every_kind_of_event_occurs():
    rows = [message.row for message in Load().run(3000)]
    assert {row["event_type_key"] for row in rows} == {
        "sim.world_state.v1",
        "sim.agent_observation.v1",
        "sim.agent_reward.v1",
        "ai.agent_action.v1",
    }
    assert {row["worker_id"] for row in rows} == {f"worker-{i:02}" for i in range(1, 9)}
    assert {row["simulation_id"] for row in rows} == {"", *(f"sim-000{i}" for i in range(1, 5))}
    assert any(row["correlation_id"] is None for row in rows)
    assert any(row["unknown_fields"] is not None for row in rows)
    assert len({row["event_id"] for row in rows}) == len(rows)
    assert all(
        re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", row["event_id"])
        and row["event_id"][14] == "4"
        and row["event_id"][19] in "89ab"
        for row in rows
    )
    assert max(len(row["event_payload"]) for row in rows) > 16000


def test_small_runs_cross_an_hour():
    hours = {message.row["timestamp_ns"] // (3600 * 10**9) for message in Load().run(300)}
    assert len(hours) == 2


def test_protoc_reads_the_envelope():
    message = Load().event(0)
    text = protoc_decode(
        "event.proto", "fes.common.events.GenericEventRequest", message.data
    ).decode()
    assert f'event_id: "{message.row["event_id"]}"' in text
    assert f"timestamp_ns: {message.row['timestamp_ns']}" in text
    assert f'source_worker_id: "{message.row["worker_id"]}"' in text
    assert f'payload_content_type: "{message.row["payload_format_hint"]}"' in text


def test_protoc_reads_the_payloads():
    seen = set()
    for message in Load().run(20):
        name = message.row["payload_format_hint"].partition("message=")[2]
        if name and name not in seen:
            seen.add(name)
            text = protoc_decode("agent.proto", name, message.row["event_payload"]).decode()
            assert re.search(r'^agent_id: "agent-\d{4}"$', text, re.MULTILINE)
            assert re.search(r"^(position|parameters): -?[0-9.]+$", text, re.MULTILINE)
            assert not re.search(r"^\d", text, re.MULTILINE), "a field that agent.proto lacks"
    assert seen == {"fes.simulation.agent.AgentObservation", "fes.simulation.agent.AgentAction"}


def test_wrong_usage_is_status_2():
    for args in (["--count"], ["--count", "x"], ["--nope", "1"], ["stray"]):
        result = subprocess.run([str(GEN), *args], capture_output=True, timeout=60)
        assert result.returncode == 2
        assert result.stderr.startswith(b"varve-gen: ")


def test_the_generator_says_why_the_server_refuses_it(make_server, server_binary):
    """The server says it, and closes: a write that fails must not hide it."""
    server = make_server(server_binary, extra="authorization { token: another }")
    command = [GEN, "--server", server.url, "--count", "10"]
    for _ in range(5):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert "Authorization Violation" in done.stderr


def test_a_run_that_is_done_again_is_there_once(any_server):
    """With subjects by simulation, as partitions want them."""
    any_server.add_stream(subjects=["by.*.raw"])
    for _ in range(2):
        command = [GEN, "--server", any_server.url, "--subject", "by.*.raw", "--deduplicate"]
        subprocess.run([*command, "--count", "300"], check=True)
    rows = [message.row for message in Load().run(300)]
    expected = [f"by.{row['simulation_id'] or 'none'}.raw" for row in rows]
    assert [subject for _, _, subject, *_ in any_server.messages()] == expected
