# SPDX-License-Identifier: MIT
"""The commit log, judged by readers that are not ours: deltalake and DuckDB must see exactly the
committed rows, after kills and errors at every system call, beside a second writer, and after
maintenance by others. The store is driven without NATS, by tests/fault/store_driver.c; the files
are made by pyarrow."""

import subprocess
import urllib.parse
from pathlib import Path

import deltalake
import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from support import BUILD

DRIVER = BUILD / "fault" / "store_driver"
STREAM = "LOG"
CREATED = "2026-11-24T16:00:00.5Z"
START = 1795536000_000000000  # 2026-11-24 16:00 UTC
SECOND = 1_000_000_000

SCHEMA = pyarrow.schema(
    [
        ("timestamp_ns", pyarrow.int64()),
        ("event_id", pyarrow.string()),
        ("event_type_key", pyarrow.string()),
        ("event_payload", pyarrow.binary()),
        ("worker_id", pyarrow.string()),
        ("simulation_id", pyarrow.string()),
        ("payload_format_hint", pyarrow.string()),
        ("correlation_id", pyarrow.string()),
        ("unknown_fields", pyarrow.binary()),
        ("stream_seq", pyarrow.int64()),
        ("stream_time", pyarrow.timestamp("us", tz="UTC")),
        ("nats_subject", pyarrow.string()),
        ("event_time", pyarrow.timestamp("us", tz="UTC")),
        ("headers", pyarrow.binary()),
    ]
)

# None of these may lead anywhere but to a directory of its own in the root.
SIMULATIONS = ["sim-1", "", "..", "../../etc", "a/b", "100%", "K\u00f6ln \u2603", "_log", "'\"\n"]
SIMULATIONS += ["x" * 300]


def rows(simulation, first, last):
    return [
        {
            "timestamp_ns": START + seq * SECOND,
            "event_id": f"id-{seq}",
            "event_type_key": "sim.agent_reward.v1",
            "event_payload": seq.to_bytes(8, "big"),
            "worker_id": "w",
            "simulation_id": simulation,
            "payload_format_hint": "",
            "stream_seq": seq,
            "stream_time": (START + seq * SECOND) // 1000,
            "nats_subject": "s",
        }
        for seq in range(first, last + 1)
    ]


class Table:
    """A table under a directory, and epochs for it."""

    def __init__(self, directory):
        self.root = directory / "root"
        self.made = directory / "made"
        self.made.mkdir()

    def epoch(self, first, last, simulations=("sim-1", "sim-2"), above=""):
        """Commands that commit the rows first..last, a file for each simulation."""
        share = (last - first + 1) // len(simulations)
        commands = []
        for i, simulation in enumerate(simulations):
            a = first + i * share
            b = last if simulation == simulations[-1] else a + share - 1
            path = self.made / f"{a}-{b}.parquet"
            table = pyarrow.Table.from_pylist(rows(simulation, a, b), schema=SCHEMA)
            pyarrow.parquet.write_table(table, path)
            name = urllib.parse.quote(simulation, safe="") or "-"
            times = f"{START + a * SECOND} {START + b * SECOND}"
            commands.append(f"file {path} {name} {a} {b} {times}")
        return "\n".join([*commands, f"commit {last} {above}", ""])

    def run(self, commands="", instance="i", stream=STREAM, fault=None, check=True):
        """What the driver answered, and how it ended."""
        done = subprocess.run(
            [DRIVER, self.root, instance, stream, CREATED],
            input=commands,
            capture_output=True,
            text=True,
            timeout=60,
            env={"VARVE_FAULT": fault} if fault else {},
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done.stdout.splitlines(), done.returncode

    def delta(self):
        return deltalake.DeltaTable(self.root)

    def sequences(self):
        """As deltalake sees them: sorted, duplicates and all."""
        return sorted(self.delta().to_pyarrow_table()["stream_seq"].to_pylist())

    def on_disk(self):
        """As DuckDB sees them that knows of no log. A file that is not whole would be an error."""
        files = [str(p) for p in self.root.rglob("*.parquet") if "_quarantine" not in p.parts]
        if not files:
            return []
        query = "select stream_seq from read_parquet($files, hive_partitioning=false) order by 1"
        return [row[0] for row in duckdb.execute(query, {"files": files}).fetchall()]

    def logged_files(self):
        return sorted(urllib.parse.unquote(u) for u in self.delta().file_uris())


@pytest.fixture
def table(tmp_path):
    return Table(tmp_path)


def test_readers_see_all_rows_of_any_simulation(table):
    answers, _ = table.run(table.epoch(1, 100, SIMULATIONS) + table.epoch(101, 200, SIMULATIONS))
    assert answers == ["open 0 ", "committed", "committed"]
    assert table.sequences() == list(range(1, 201))
    assert table.on_disk() == list(range(1, 201))

    found = table.delta().to_pyarrow_table()
    assert set(found["simulation_id"].to_pylist()) == set(SIMULATIONS)
    assert found.schema.field("timestamp_ns").type == pyarrow.int64()
    assert found.schema.field("event_payload").type == pyarrow.binary()
    assert found.schema.field("stream_time").type == pyarrow.timestamp("us", tz="UTC")

    visible = {p.name for p in table.root.iterdir() if not p.name.startswith((".", "_"))}
    assert len(visible) == len(SIMULATIONS)
    assert not (table.root.parent / "etc").exists()


def test_statistics_are_those_of_the_rows(table):
    table.run(table.epoch(1, 100, SIMULATIONS))
    actions = pyarrow.table(table.delta().get_add_actions(flatten=True)).to_pylist()
    assert len(actions) == len(SIMULATIONS)
    for action in actions:
        path = table.root / urllib.parse.unquote(action["path"])
        data = pyarrow.parquet.read_table(path)
        assert action["num_records"] == data.num_rows
        assert action["size_bytes"] == path.stat().st_size
        assert action["min.stream_seq"] == min(data["stream_seq"].to_pylist())
        assert action["max.stream_seq"] == max(data["stream_seq"].to_pylist())
        assert action["min.timestamp_ns"] == min(data["timestamp_ns"].to_pylist())
        assert action["max.timestamp_ns"] == max(data["timestamp_ns"].to_pylist())
    # Readers skip files by them.
    dataset = table.delta().to_pyarrow_dataset()
    wanted = pyarrow.dataset.field("stream_seq") > 95
    assert dataset.to_table(filter=wanted)["stream_seq"].to_pylist() == [96, 97, 98, 99, 100]


def test_positions_are_transactions(table):
    table.run(table.epoch(1, 10) + table.epoch(11, 20, above="25-27,30"))
    app = f"varve:i:{STREAM}:c:{CREATED}"
    assert table.delta().transaction_version(app) == 20
    assert table.run()[0] == ["open 20 25-27,30"]
    history = table.delta().history()
    assert [h["operation"] for h in history] == ["WRITE", "WRITE", "CREATE TABLE"]
    configuration = table.delta().metadata().configuration
    assert configuration.pop("delta.appendOnly") == "true"
    assert list(configuration) == ["delta.dataSkippingStatsColumns"]


def test_two_instances_share_a_table(table):
    for first in range(1, 60, 20):
        table.run(table.epoch(first, first + 9), instance="one")
        table.run(table.epoch(first + 10, first + 19), instance="two", stream="OTHER")
    assert table.sequences() == list(range(1, 61))
    assert table.run(instance="one")[0] == ["open 50 "]
    assert table.run(instance="two", stream="OTHER")[0] == ["open 60 "]
    assert table.run(instance="three")[0] == ["open 0 "]


def test_quarantine_is_not_in_the_table(table):
    made = table.made / "bad.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"payload": [b"?"]}), made)
    table.run(f"quarantine {made} 7 7\n" + table.epoch(1, 6))
    assert table.sequences() == list(range(1, 7))
    kept = table.root / "_quarantine" / f"{STREAM}-7-7.quarantine"
    assert pyarrow.parquet.read_table(kept)["payload"].to_pylist() == [b"?"]


EPOCHS = ((1, 10), (11, 20))


def run_all(table, fault=None, check=True):
    return table.run("".join(table.epoch(*e) for e in EPOCHS), fault=fault, check=check)


def count_calls(tmp_path):
    """The number of system calls of a whole run: the first that no fault can hit any more."""
    low, high = 1, 1024
    while low < high:
        middle = (low + high) // 2
        directory = tmp_path / f"count{middle}"
        directory.mkdir()
        if run_all(Table(directory), fault=f"any:{middle}:kill", check=False)[1] == 0:
            high = middle
        else:
            low = middle + 1
    return low - 1


@pytest.mark.parametrize("action", ["kill", "kill-after"])
def test_kill_at_any_call_shows_whole_epochs(tmp_path, action):
    calls = count_calls(tmp_path)
    assert calls > 60
    whole = [list(range(1, last + 1)) for last in (0, 10, 20)]
    # tests/unit/store_recover_test.c takes every call; here, for the time it takes, every other.
    for n in range(1 if action == "kill" else 2, calls + 1, 2):
        directory = tmp_path / f"{action}{n}"
        directory.mkdir()
        table = Table(directory)
        answers, status = run_all(table, fault=f"any:{n}:{action}", check=False)
        assert status == -9
        committed = answers.count("committed")
        if (table.root / "_delta_log" / f"{0:020}.json").exists():
            # Before any recovery: a reader of the log sees whole epochs, a reader of the
            # directory whole files, and whoever was told "committed" was told the truth.
            assert table.sequences() in whole[committed:]
            assert len(set(table.on_disk())) == len(table.on_disk())
        recovered = int(table.run()[0][0].split()[1])
        assert recovered >= committed * 10
        assert table.sequences() == table.on_disk() == whole[recovered // 10]
        table.run("".join(table.epoch(*e) for e in EPOCHS if e[1] > recovered))
        assert table.sequences() == table.on_disk() == whole[2]
        assert not list(table.root.rglob("*.inprogress"))


def test_a_full_disk_is_waited_for(table):
    flag = table.root.parent / "space"
    commands = "".join(table.epoch(*e) for e in EPOCHS)
    table.run()  # makes the table
    fault = f"renameat2:1:ENOSPC:sticky:until={flag}"
    with subprocess.Popen(
        [DRIVER, table.root, "i", STREAM, CREATED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"VARVE_FAULT": fault},
    ) as driver:
        driver.stdin.write(commands)
        driver.stdin.close()
        assert driver.stdout.readline() == "open 0 \n"
        for _ in range(3):
            assert "No space left on device" in driver.stdout.readline()
        assert table.sequences() == table.on_disk() == []
        flag.touch()
        lines = [line for line in driver.stdout if not line.startswith("failed")]
    assert lines == ["committed\n", "committed\n"]
    assert driver.returncode == 0
    assert table.sequences() == list(range(1, 21))


def test_maintenance_by_others_is_no_obstacle(table):
    table.run(table.epoch(1, 10) + table.epoch(11, 20) + table.epoch(21, 30))
    table.delta().create_checkpoint()
    table.run(table.epoch(31, 40))
    assert table.sequences() == list(range(1, 41))
    compacted = table.delta().optimize.compact()
    assert compacted["numFilesAdded"] > 0
    assert table.run(table.epoch(41, 50))[0][0] == "open 40 "
    assert table.sequences() == list(range(1, 51))

    # A cleaned log: the entries before the checkpoint are gone.
    table.delta().create_checkpoint()
    newest = table.delta().version()
    for version in range(newest):
        (table.root / "_delta_log" / f"{version:020}.json").unlink()
    assert table.run(table.epoch(51, 60))[0][0] == "open 50 "
    assert table.sequences() == list(range(1, 61))

    # What vacuum would delete is what compaction has replaced, nothing that is ours to keep.
    unwanted = table.delta().vacuum(retention_hours=0, enforce_retention_duration=False)
    assert len(unwanted) == 8
    assert not any(name.startswith((".", "_")) for name in unwanted)


def test_a_table_of_somebody_else(table):
    """One that deltalake has made, with our columns and one more."""
    schema = deltalake.Schema.from_arrow(SCHEMA.append(pyarrow.field("more", pyarrow.string())))
    deltalake.DeltaTable.create(table.root, schema)
    table.run(table.epoch(1, 10))
    assert table.sequences() == list(range(1, 11))
    assert set(table.delta().to_pyarrow_table()["more"].to_pylist()) == {None}


def test_a_table_with_other_columns_is_refused(table):
    schema = deltalake.Schema.from_arrow(pyarrow.schema([("x", pyarrow.int64())]))
    deltalake.DeltaTable.create(table.root, schema)
    done = subprocess.run(
        [DRIVER, table.root, "i", STREAM, CREATED],
        capture_output=True,
        text=True,
        timeout=60,
        env={},
    )
    assert done.returncode == 2
    assert "it has no column stream_seq, so varve has not made it; choose another directory" in done.stderr


def test_paths_of_the_log_are_the_files(table):
    table.run(table.epoch(1, 30, SIMULATIONS[:6]))
    names = sorted(str(p) for p in table.root.rglob("*.parquet"))
    assert sorted(table.delta().file_uris()) == names
    assert all(Path(name).is_file() for name in names)
