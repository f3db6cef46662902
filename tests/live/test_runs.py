# SPDX-License-Identifier: MIT
"""A simulation of which nothing comes any more is closed: what there is of it is written down, and
what comes later makes another edition. Judged by sha256sum and pyarrow."""

import hashlib
import json
import shutil
import subprocess

import pyarrow.dataset
from deltalake import DeltaTable
from generator import length_field, varint_field
from support import VARVE, verify, wait_for

FAST = {"batching": {"max_age": "200ms"}, "runs": {"close_after": "8s"}}
START = 1_780_000_000_000_000_000


def publish(server, simulation, kinds):
    """One event of each kind; returns the sequences."""
    return server.publish(
        [
            length_field(1, f"{simulation}-{i}")
            + length_field(2, kind)
            + length_field(3, "x")
            + varint_field(4, START + i)
            + length_field(6, simulation)
            for i, kind in enumerate(kinds)
        ]
    )


def manifest(varve, name, edition=1):
    """Once it is there."""
    path = varve.output / "_runs" / f"{name}.json"

    def read():
        found = json.loads(path.read_text()) if path.exists() else {"edition": 0}
        return found if found["edition"] >= edition else None

    found = wait_for(read, f"edition {edition} of {name}")
    assert found["edition"] == edition
    return found


def check(varve, name, found, simulation):
    """Against the files, and by coreutils, in the root of the store."""
    rows = pyarrow.dataset.dataset([str(varve.output / file["path"]) for file in found["files"]]).to_table()
    live = DeltaTable(str(varve.output)).to_pyarrow_table().to_pylist()
    wanted = [row for row in live if row["simulation_id"] == simulation]
    assert found["simulation_id"] == simulation
    assert found["rows"] == rows.num_rows == len(wanted)
    assert sorted(rows["stream_seq"].to_pylist()) == sorted(row["stream_seq"] for row in wanted)
    for file in found["files"]:
        data = (varve.output / file["path"]).read_bytes()
        assert file["bytes"] == len(data) and file["sha256"] == hashlib.sha256(data).hexdigest()
    sums = subprocess.run(
        ["sha256sum", "-c", "--strict", f"_runs/{name}.sha256"], cwd=varve.output, capture_output=True, text=True
    )
    assert sums.returncode == 0 and sums.stdout.count(": OK") == len(found["files"]), sums


def test_a_run_is_closed_and_opened_again(any_server, varve):
    any_server.add_stream()
    running = varve.start(**FAST)
    first = publish(any_server, "sim-1", ["a", "b", "a"])
    hostile = publish(any_server, "../x/%\n", ["a"])
    found = manifest(varve, "sim-1")
    assert found["event_types"] == {"a": 2, "b": 1}
    assert (found["oldest_timestamp_ns"], found["newest_timestamp_ns"]) == (START, START + 2)
    [stream] = found["streams"]
    assert stream["stream"] == "LOGGING" and stream["sequences"] == f"{first[0]}-{first[-1]}"
    assert stream["gaps"] == ""
    check(varve, "sim-1", found, "sim-1")
    check(varve, "%2E.%2Fx%2F%25%0A", manifest(varve, "%2E.%2Fx%2F%25%0A"), "../x/%\n")
    running.wait_line("run_closed", simulation_id="sim-1", edition=1, rows=3)
    # A restart writes nothing anew; late events are another edition, of this run alone.
    before = (varve.output / "_runs" / "sim-1.json").stat().st_mtime_ns
    assert running.stop() == 0
    running = varve.start(**FAST)
    late = publish(any_server, "sim-1", ["c"])
    found = manifest(varve, "sim-1", edition=2)
    assert found["rows"] == 4 and found["event_types"] == {"a": 2, "b": 1, "c": 1}
    assert found["streams"][0]["sequences"] == f"{first[0]}-{first[-1]},{late[0]}"
    check(varve, "sim-1", found, "sim-1")
    running.wait_line("run_closed", simulation_id="sim-1", edition=2)
    assert not [line for line in running.lines("run_closed") if line["simulation_id"] != "sim-1"]
    assert (varve.output / "_runs" / "sim-1.json").stat().st_mtime_ns > before
    assert running.stop() == 0
    assert manifest(varve, "%2E.%2Fx%2F%25%0A")["streams"][0]["sequences"] == str(hostile[0])
    assert verify(varve.output)["findings"] == []
    shown = subprocess.run([VARVE, "inspect", "--json", varve.output], capture_output=True, text=True, check=True)
    shown = json.loads(shown.stdout)
    assert {"a", "c"} <= set(shown["event_types"]) <= {"a", "b", "c"}
    runs = {run["simulation_id"]: run for run in shown["runs"]}
    assert set(runs) == {"sim-1", "../x/%\n"} and runs["sim-1"]["edition"] == 2
    assert (runs["sim-1"]["rows"], runs["sim-1"]["files"]) == (4, len(found["files"]))
    people = subprocess.run([VARVE, "inspect", varve.output], capture_output=True, text=True, check=True).stdout
    assert "sim-1: closed" in people and "event types" in people


def test_files_that_others_rewrite_are_no_new_edition(any_server, varve):
    any_server.add_stream()
    settings = {"batching": {"max_rows": 1}, "runs": {"close_after": "8s"}, "compaction": {"interval": "off"}}
    running = varve.start(**settings)
    publish(any_server, "sim-1", ["a", "a"])
    found = manifest(varve, "sim-1")
    assert found["rows"] == 2 and len(found["files"]) == 2
    assert running.stop() == 0
    DeltaTable(str(varve.output)).optimize.compact()
    running = varve.start(**settings)
    running.wait_line("run_rewritten", simulation_id="sim-1", edition=1)
    rewritten = manifest(varve, "sim-1")
    assert rewritten["rows"] == 2 and len(rewritten["files"]) == 1
    check(varve, "sim-1", rewritten, "sim-1")
    assert running.stop() == 0


def test_a_run_ends_with_an_event(any_server, varve):
    """Its files are merged at once, it is written down, and an alert says so; what comes later makes
    one more edition."""
    any_server.add_stream()
    any_server.add_stream("OPS", ["ops.>"])
    settings = {
        "batching": {"max_rows": 2},
        "runs": {"end_event_type": "sim.ended.v1"},
        "alerts": {"subject": "ops.alerts"},
    }
    running = varve.start(**settings)
    publish(any_server, "sim-2", ["a", "z"])
    first = publish(any_server, "sim-1", ["a", "z"] * 3 + ["sim.ended.v1", "z"])
    found = manifest(varve, "sim-1")
    check(varve, "sim-1", found, "sim-1")
    assert found["rows"] == 8 and len(found["files"]) == 1
    assert found["streams"][0]["sequences"] == f"{first[0]}-{first[-1]}"
    running.wait_line("run_closed", simulation_id="sim-1", edition=1, rows=8, files=1)
    assert not (varve.output / "_runs" / "sim-2.json").exists()
    alert = wait_for(lambda: any_server.messages("OPS"), "the alert")[0][4]
    assert b"logging.alert.run_closed.v1" in alert and b'"simulation_id":"sim-1"' in alert
    # A restart closes nothing anew, nor does a commit of another one.
    assert running.stop() == 0
    running = varve.start(**settings)
    publish(any_server, "sim-2", ["a", "sim.ended.v1"])
    running.wait_line("run_closed", simulation_id="sim-2", edition=1)
    assert running.stop() == 0
    assert not [line for line in running.lines("run_closed") if line["simulation_id"] == "sim-1"]
    assert verify(varve.output)["findings"] == []


def findings(root, run, *more):
    shown = subprocess.run([VARVE, "verify", "--json", "--run", run, *more, root], capture_output=True, text=True)
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    found = [finding["text"] for line in lines for finding in line.get("findings", [])]
    assert shown.returncode == (1 if found else 0), shown
    return found


def test_verify_of_a_run(any_server, varve, tmp_path):
    """Whatever differs from what is written down is found, in the table and in a copy without a log."""
    any_server.add_stream()
    settings = {"runs": {"end_event_type": "sim.ended.v1"}, "batching": {"max_rows": 1}}
    running = varve.start(**settings, compaction={"interval": "off"})
    publish(any_server, "sim-1", ["a", "b", "sim.ended.v1"])
    publish(any_server, "sim-2", ["a"])
    found = manifest(varve, "sim-1")
    assert running.stop() == 0
    files = sorted(varve.output / file["path"] for file in found["files"])
    assert len(files) == 3 and findings(varve.output, "sim-1") == []
    assert "no run sim-2 was closed" in findings(varve.output, "sim-2")[0]

    copy = tmp_path / "tape"
    copies = [copy / file.relative_to(varve.output) for file in files]

    def fresh():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(varve.output / "_runs", copy / "_runs")
        for file, target in zip(files, copies, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        return copy / "_runs" / "sim-1.json"

    def edited(change):
        path = fresh()
        text = json.loads(path.read_text())
        change(text)
        path.write_text(json.dumps(text))
        return "; ".join(findings(copy, "sim-1"))

    fresh()
    assert findings(copy, "sim-1") == []
    data = bytearray(copies[1].read_bytes())
    data[len(data) // 2] ^= 1
    copies[1].write_bytes(data)
    assert any("does not have the SHA-256" in text for text in findings(copy, "sim-1"))
    fresh()
    copies[2].unlink()
    missing = "; ".join(findings(copy, "sim-1"))
    assert f"{found['files'][2]['path']} is missing" in missing and "in none of its files" in missing
    shutil.copy(copies[0], copies[2])  # a whole file, but another one
    assert "are in" in "; ".join(findings(copy, "sim-1"))
    assert "written down are 4" in edited(lambda text: text.update(rows=4))
    assert "written down are 7" in edited(lambda text: text["files"][0].update(rows=7))
    assert "event type b" in edited(lambda text: text["event_types"].pop("b") and None)
    assert "not written down" in edited(lambda text: text["streams"][0].update(sequences="1-2"))
    assert "is of another run" in edited(lambda text: text.update(simulation_id="sim-2"))
    assert "no manifest" in edited(lambda text: text["files"][0].update(path="../../etc/passwd"))
    fresh().with_suffix(".sha256").write_text("")
    assert "does not say what the manifest says" in findings(copy, "sim-1")[0]
    assert subprocess.run([VARVE, "verify", "--run", "x", "--server", "x", copy], capture_output=True).returncode == 2

    # What came later is no fault.
    running = varve.start(**settings, compaction={"interval": "off"})
    publish(any_server, "sim-1", ["c"])
    running.wait_line("committed")
    assert running.stop() == 0
    shown = subprocess.run([VARVE, "verify", "--run", "sim-1", varve.output], capture_output=True, text=True)
    assert shown.returncode == 0 and "events came later" in shown.stdout


def test_runs_need_files_of_one_run(tmp_path):
    command = [VARVE, "check", "--offline", "--set", f"output.log_output_directory={tmp_path}"]
    settings = ["--set", "runs.close_after=6h"]
    flat = ["--set", "output.path_template={YYYY-MM-DD}/{first_seq}.parquet"]
    assert subprocess.run([*command, *settings], capture_output=True).returncode == 0
    refused = subprocess.run([*command, *settings, *flat], capture_output=True, text=True)
    assert refused.returncode == 2 and "runs.close_after" in refused.stderr
