# SPDX-License-Identifier: MIT
"""Configurations as others write them, and sources that fail beside others that don't."""

import json

import pytest
import yaml

from support import ROOT, Output, wait_for

SHIPPED = ROOT / "tools" / "share" / "varve.yaml"


def resaved(text):
    """As PyYAML writes what it has read: keys sorted, block style, other quotes, no comments."""
    return yaml.safe_dump(yaml.safe_load(text), default_flow_style=False)


def adapt(config, server, output):
    config["nats"]["servers"] = [server.url]
    config["output"].update(log_output_directory=str(output), min_free=0)
    config["metrics"]["listen"] = "off"
    config["settings"]["log_format"] = "json"
    return config


def test_a_file_saved_again_by_pyyaml(any_server, varve, tmp_path):
    """All keys, with their defaults: it means the same as before."""
    any_server.generate(10)
    config = adapt(yaml.safe_load(SHIPPED.read_text()), any_server, varve.output)
    path = tmp_path / "saved.yaml"
    path.write_text(resaved(yaml.safe_dump(config)))
    assert "sources:\n- consumer: varve\n" in path.read_text()
    run = varve.start("--once", "-c", path, config=())
    assert run.wait() == 0, run.text()
    assert len(Output(varve.output).table()) == 10


def test_styles_of_pyyaml(any_server, varve, tmp_path):
    """Flow style, anchors for what is there twice, long lines folded, other encodings of text."""
    any_server.generate(10)
    config = adapt(yaml.safe_load(SHIPPED.read_text()), any_server, varve.output)
    config["alerts"]["subject"] = "ops.alerts"
    config["nats"]["name"] = "a name, with: signs # and \u00fcml\u00e4uts"
    for number, style in enumerate(
        (
            {"default_flow_style": True},
            {"default_style": '"', "allow_unicode": True},
            {"default_style": "'", "width": 20},
            {"explicit_start": True, "explicit_end": True, "indent": 7, "allow_unicode": True},
        )
    ):
        path = tmp_path / f"{number}.yaml"
        # All scalars quoted are texts, and their values are checked as what the key wants.
        path.write_text(yaml.safe_dump(config, **style))
        run = varve.start("--once", "-c", path, config=())
        assert run.wait() == 0, (path.read_text(), run.text())
    assert len(Output(varve.output).table()) == 10


def test_the_simulations_file_saved_again(any_server, varve, tmp_path):
    """Its shape: our keys under logging_layer, other layers beside, the orchestrator's server."""
    any_server.generate(10)
    path = tmp_path / "default_simulation_config.yaml"
    path.write_text(
        resaved(
            f"""
simulation: &defaults
  tick_rate: 20
  entities: {{count: 1000, types: [agent, obstacle]}}
world_layer:
  <<: *defaults
  bounds: [[0, 0], [100.5, 100.5]]
orchestrator_layer:
  communication:
    nats_address: "{any_server.url}"
  notes: |
    several
    lines
logging_layer:
  output: {{log_output_directory: "{varve.output}", min_free: 0}}
  batching:
    max_age: 5s
  settings: {{log_level: INFO}}
  metrics: {{listen: "off"}}
"""
        )
    )
    run = varve.start("--once", "-c", path, config=())
    assert run.wait() == 0, run.text()
    assert len(Output(varve.output).table()) == 10


def test_set_changes_any_key(any_server, varve, tmp_path):
    any_server.generate(10, stream="SECOND", subject="second")
    other = tmp_path / "other"
    sets = {
        "sources[0].stream": "SECOND",
        "sources[0].subjects": "second",
        "output.log_output_directory": other,
        "batching.max_rows": 4,
        "parquet.compression_level": 3,
    }
    args = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    varve.once(*args)
    assert len(Output(other).table()) == 10


# ---- sources -------------------------------------------------------------------------------------


def test_each_source_has_its_own_consumer(any_server, varve):
    sources = []
    for number, name in enumerate(("A", "B", "C")):
        any_server.generate(100 + number, stream=name, subject=name.lower())
        sources.append({"stream": name, "subjects": name.lower(), "consumer": f"of-{name}"})
    varve.once(sources=sources)
    for number, name in enumerate(("A", "B", "C")):
        info = any_server.consumer(f"of-{name}", name)
        assert (info.num_pending, info.num_ack_pending) == (0, 0)
        assert info.ack_floor.stream_seq == 100 + number
    assert len(Output(varve.output).table()) == 303


def test_a_source_that_fails_does_not_hold_up_the_acks_of_another(any_server, varve):
    """One stream is deleted while its rows wait for their acks. The other goes on: drained,
    committed, acked, and its memory is given back."""
    any_server.generate(50, stream="A", subject="a")
    any_server.generate(50, stream="B", subject="b")
    sources = [{"stream": name, "subjects": name.lower()} for name in ("A", "B")]
    run = varve.start(sources=sources, batching={"max_age": "200ms"}, consumer={"manage": "create"})
    run.wait_rows(100)
    any_server.delete_stream("A")
    for number in range(5):
        any_server.generate(100, stream="B", subject="b", start_index=50 + 100 * number)
        run.wait_rows(200 + 100 * number)
        wait_for(
            lambda last=150 + 100 * number: any_server.consumer("varve", "B").ack_floor.stream_seq
            == last,
            "it is acked",
        )
    assert run.lines("waiting", stream="A") or "A" in run.text()
    # And when it is back, it is drained again.
    any_server.generate(50, stream="A", subject="a")
    run.wait_rows(650)
    assert run.stop() == 0


def test_a_single_drain_ends_though_one_source_is_refused(any_server, varve):
    """It drains what it can, and says what it could not, with its status."""
    any_server.generate(100)
    any_server.generate(10, stream="WORK", subject="work", retention="workqueue")
    run = varve.start(
        "--once",
        sources=[
            {"stream": "LOGGING"},
            {"stream": "WORK", "subjects": ["work"], "delivery": "position"},
        ],
    )
    assert run.wait() == 1
    assert len(Output(varve.output).table()) == 100
    assert any_server.unacked() == 0
    last = run.text().splitlines()[-1]
    assert "WORK" in last or "workqueue" in last or "position" in last


def test_more_sources_than_memory_is_there_for(varve):
    sources = [{"stream": f"S{i}"} for i in range(9)]
    run = varve.start(config=json.loads(json.dumps({"memory_limit": "32MiB", "sources": sources})))
    assert run.wait() == 2
    assert "memory_limit: 9 sources need at least 36 MiB" in run.text()


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_as_many_sources_as_may_be_configured(any_server, varve, delivery):
    """64, each with pulls, questions and acks of its own; 43 and more once ran out of subscriptions."""

    async def make(js):
        for number in range(64):
            await js.add_stream(name=f"S{number}", subjects=[f"s{number}.>"])
            for message in range(3):
                await js.publish(f"s{number}.{message}", b"\x0a\x02a%d" % message)

    any_server.ask(make)
    sources = [
        {"stream": f"S{number}", "subjects": f"s{number}.>", "delivery": delivery}
        for number in range(64)
    ]
    run = varve.once(sources=sources, memory_limit="512MiB")
    assert not run.lines("source_refused")
    rows = Output(varve.output).table().to_pylist()
    assert sorted(row["nats_subject"] for row in rows) == sorted(
        f"s{number}.{message}" for number in range(64) for message in range(3)
    )
    if delivery == "durable":
        for number in range(64):
            info = any_server.consumer("varve", f"S{number}")
            assert (info.num_pending, info.num_ack_pending) == (0, 0)
