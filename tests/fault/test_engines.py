# SPDX-License-Identifier: MIT
"""What other engines and operators do to the table while varve writes to it or is away: checkpoints,
cleaned-up logs, OPTIMIZE, VACUUM, changed protocols. Judged by the stream's own content and by
deltalake's view of the table."""

import json
import random
import shutil
import subprocess
from collections import Counter

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from support import VARVE, clean_up_log, wait_for

FAST = {"max_age": "200ms"}


def rows(output):
    """stream_seq of each row that a Delta reader sees."""
    return rows_at(output, None)


def rows_at(output, version):
    table = DeltaTable(output, version=version).to_pyarrow_table(columns=["stream_seq"])
    return Counter(table["stream_seq"].to_pylist())


def log_names(output):
    return sorted(p.name for p in (output / "_delta_log").glob("*.json"))


def clean_up(output):
    clean_up_log(output)
    assert len(log_names(output)) <= 1


def assert_exactly_once(output, first, last):
    assert rows(output) == {sequence: 1 for sequence in range(first, last + 1)}


@pytest.mark.parametrize("delivery", ["position", "durable"])
def test_position_survives_checkpoint_and_clean_up(any_server, varve, delivery):
    config = {"sources": [{"stream": "LOGGING", "delivery": delivery}], "batching": FAST}
    any_server.generate(200, seed=1)
    varve.once(**config)
    clean_up(varve.output)
    any_server.generate(50, seed=2)
    varve.once(**config)
    assert_exactly_once(varve.output, 1, 250)
    clean_up(varve.output)  # and once more, from a checkpoint that has varve's own txn only
    varve.once(**config)
    assert_exactly_once(varve.output, 1, 250)


def test_position_survives_optimize_vacuum_and_clean_up(any_server, varve):
    """OPTIMIZE drops the tags, VACUUM the files that had them, the clean-up the entries."""
    config = {"sources": [{"stream": "LOGGING", "delivery": "position"}], "batching": FAST}
    for seed in range(3):
        any_server.generate(100, seed=seed)
        varve.once(**config)
    table = DeltaTable(varve.output)
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    clean_up(varve.output)
    any_server.generate(50, seed=9)
    varve.once(**config)
    assert_exactly_once(varve.output, 1, 350)


def test_an_idle_instance_does_not_commit_into_a_hole(any_server, varve):
    """It knows an older version than the log begins with now; an entry there nobody would see."""
    any_server.add_stream("SECOND", subjects=["second"])
    any_server.generate(50, seed=1)
    idle = varve.start(nats={"name": "a"}, sources=[{"stream": "LOGGING"}], batching=FAST)
    idle.wait_rows(50)
    busy = varve.start(
        nats={"name": "b"}, sources=[{"stream": "SECOND", "subjects": ["second"]}], batching=FAST
    )
    for i in range(4):
        any_server.generate(50, seed=2 + i, stream="SECOND", subject="second")
        busy.wait_rows(50 * (i + 1))
    clean_up(varve.output)
    any_server.generate(10, seed=99)
    idle.wait_rows(60)
    wait_for(lambda: any_server.consumer().num_ack_pending == 0, "acked")
    assert sum(rows(varve.output).values()) == 260
    assert idle.stop() == 0 and busy.stop() == 0
    assert sum(rows(varve.output).values()) == 260


def test_a_running_varve_goes_on_while_others_maintain_the_table(any_server, varve):
    any_server.generate(100, seed=0)
    running = varve.start(batching=FAST)
    running.wait_rows(100)
    for i in range(1, 5):
        table = DeltaTable(varve.output)
        table.optimize.compact()
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        if i % 2:
            clean_up(varve.output)
        any_server.generate(100, seed=i)
        running.wait_rows(100 * (i + 1))
    assert running.stop() == 0
    assert_exactly_once(varve.output, 1, 500)
    varve.once()
    assert_exactly_once(varve.output, 1, 500)


def change_protocol(output):
    features = [deltalake.TableFeatures.DeletionVectors]
    DeltaTable(output).alter.add_feature(features, allow_protocol_versions_increase=True)


def add_constraint(output):
    DeltaTable(output).alter.add_constraint({"few": "stream_seq < 125"})


def forget_transactions(output):
    DeltaTable(output).alter.set_table_properties(
        {"delta.setTransactionRetentionDuration": "interval 1 day"}, raise_if_not_exists=False
    )


@pytest.mark.parametrize(
    "change, says",
    [
        (change_protocol, "deletionVectors"),
        (add_constraint, "delta.constraints.few"),
        (forget_transactions, "delta.setTransactionRetentionDuration"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_a_table_that_asks_for_more_gets_no_more_rows(any_server, varve, change, says):
    """Nothing is acked, the reason is said, and nothing is lost once the change is undone."""
    any_server.generate(100, seed=1)
    running = varve.start(batching=FAST)
    running.wait_rows(100)
    log = varve.output / "_delta_log"
    before = log_names(varve.output)
    change(varve.output)
    changed = [name for name in log_names(varve.output) if name not in before]
    assert len(changed) == 1
    any_server.generate(50, seed=2)
    line = running.wait_line("commit_failed")
    assert says in line["error"]
    wait_for(lambda: any_server.unacked() == 50, "all is delivered")
    assert sum(rows_of_entries(varve.output)) == 100
    (log / changed[0]).unlink()
    running.wait_rows(150)
    assert running.stop() == 0
    assert_exactly_once(varve.output, 1, 150)


def rows_of_entries(output):
    for name in log_names(output):
        for line in (output / "_delta_log" / name).read_text().splitlines():
            if "add" in (action := json.loads(line)):
                yield json.loads(action["add"]["stats"])["numRecords"]


def test_another_process_under_the_same_name_is_noticed(any_server, varve):
    """The lock does not see it: another host, or a file system without locks."""
    any_server.generate(20, seed=1)
    running = varve.start(batching=FAST)
    running.wait_rows(20)
    log = varve.output / "_delta_log"
    newest = log_names(varve.output)[-1]
    lines = [json.loads(line) for line in (log / newest).read_text().splitlines()]
    txn = next(line for line in lines if "txn" in line)
    txn["txn"]["version"] += 1000
    theirs = log / f"{int(newest[:20]) + 1:020}.json"
    theirs.write_text(json.dumps(txn) + "\n")
    any_server.generate(10, seed=2)
    line = running.wait_line("commit_failed")
    assert "another process commits as instance varve" in line["error"]
    wait_for(lambda: any_server.unacked() == 10, "all is delivered")
    assert log_names(varve.output)[-1] == theirs.name


def test_the_entries_of_the_log_are_removed(any_server, varve):
    """A table is made again, from the files that are there: no row is stored twice, and whoever
    reads the directory finds each once. What varve has not written is left alone, and said."""
    any_server.generate(20, seed=1)
    running = varve.start(batching=FAST)
    running.wait_rows(20)
    assert not running.lines("files_adopted") and not running.lines("files_without_log")
    theirs = varve.output / "theirs.parquet"
    pq.write_table(pa.table({"stream_seq": [1, 2]}), theirs)
    for path in (varve.output / "_delta_log").glob("*.json"):
        path.unlink()
    any_server.generate(30, seed=2)
    running.wait_rows(50)
    assert running.stop() == 0
    (line,) = running.lines("files_adopted")
    assert line["rows"] == 20
    (line,) = running.lines("files_without_log")
    assert line["first"] == theirs.name and line["files"] == 1
    theirs.unlink()
    assert_exactly_once(varve.output, 1, 50)
    assert sorted(rows_in_directory(varve.output)) == list(range(1, 51))


def rows_in_directory(output):
    for path in output.rglob("[!_]*.parquet"):
        if "_delta_log" not in path.parts:
            yield from pq.read_table(path, columns=["stream_seq"])["stream_seq"].to_pylist()


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_the_log_is_removed_while_varve_is_down(any_server, varve, delivery):
    """Also where the stream has the events no more: their rows stay rows of the table."""
    config = {"sources": [{"stream": "LOGGING", "delivery": delivery}]}
    any_server.generate(40, seed=1)
    varve.once(**config)
    any_server.ask(lambda js: js.purge_stream("LOGGING", seq=20))
    shutil.rmtree(varve.output / "_delta_log")
    any_server.generate(10, seed=2)
    again = varve.once(**config)
    assert [line["rows"] for line in again.lines("files_adopted")] == [40]
    assert_exactly_once(varve.output, 1, 50)
    assert sorted(rows_in_directory(varve.output)) == list(range(1, 51))
    assert not varve.once(**config).lines("files_adopted")


def hold_messages(server, numbers):
    """Another client takes some messages of a shared consumer and keeps them."""

    async def work(js):
        held = []
        pull = await js.pull_subscribe_bind(consumer="varve", stream="LOGGING")
        for message in await pull.fetch(numbers, timeout=60):
            held.append(message.metadata.sequence.stream)
        return held

    return server.ask(work)


def test_what_is_above_a_gap_survives_a_clean_up(any_server, varve):
    """The position can't say it: a message at another client holds it back."""
    config = {"sources": [{"stream": "LOGGING", "shared": True}], "batching": FAST}
    any_server.generate(1, seed=0)
    running = varve.start(**config)
    running.wait_rows(1)
    running.stop()
    any_server.generate(10, seed=1)
    held = hold_messages(any_server, 3)
    running = varve.start(**config)
    running.wait_rows(7)
    any_server.generate(20, seed=2)
    running.wait_rows(27)
    assert running.stop() == 0
    saved = json.loads((varve.output / "_delta_log" / "_varve" / "varve.json").read_text())
    assert saved["positions"][0]["through"] == min(held) - 1
    table = DeltaTable(varve.output)
    table.optimize.compact()
    clean_up(varve.output)
    any_server.delete_consumer()
    varve.once(**config)
    assert_exactly_once(varve.output, 1, 31)


def test_entries_do_not_grow_with_what_others_hold(any_server, varve):
    config = {"sources": [{"stream": "LOGGING", "shared": True}], "batching": FAST}
    any_server.generate(1, seed=0)
    first = varve.start(**config)
    first.wait_rows(1)
    first.stop()
    any_server.generate(1, seed=1)
    hold_messages(any_server, 1)
    running = varve.start(**config)
    for i in range(1, 9):
        any_server.generate(100, seed=i)
        running.wait_rows(100 * i)
    assert running.stop() == 0
    log = varve.output / "_delta_log"
    commits = [json.loads((log / n).read_text().splitlines()[0]) for n in log_names(varve.output)]
    above = [
        len(c["commitInfo"]["varve"]["positions"][0]["above"])
        for c in commits
        if "varve" in c["commitInfo"]
    ]
    assert len(above) >= 5 and max(above) < 100


def make_old(output):
    """The table as 0.1.0 wrote it: no list of statistics, and all positions in each entry."""
    for path in (output / "_delta_log").glob("*.json"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            if "metaData" in line:
                line["metaData"]["configuration"] = {"delta.appendOnly": "true"}
            if "varve" in line.get("commitInfo", {}):
                for position in line["commitInfo"]["varve"]["positions"]:
                    position["above"] = ""
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    shutil.rmtree(output / "_delta_log" / "_varve", ignore_errors=True)


@pytest.mark.parametrize("cleaned", [False, True])
def test_a_store_of_an_earlier_version_goes_on(any_server, varve, cleaned):
    config = {"sources": [{"stream": "LOGGING", "delivery": "position"}], "batching": FAST}
    for seed in range(2):
        any_server.generate(50, seed=seed)
        varve.once(**config)
    make_old(varve.output)
    if cleaned:
        clean_up(varve.output)
    any_server.generate(50, seed=9)
    varve.once(**config)
    assert_exactly_once(varve.output, 1, 150)
    listed = DeltaTable(varve.output).metadata().configuration["delta.dataSkippingStatsColumns"]
    assert listed == "timestamp_ns,simulation_id,stream_seq"


@pytest.mark.parametrize("delivery", ["position", "durable"])
@pytest.mark.parametrize("rewritten", ["no", "cleaned", "optimized"])
def test_another_consumer_name_stores_nothing_twice(any_server, varve, delivery, rewritten):
    """A row is known by generation and sequence, whoever fetched it."""

    def config(consumer):
        source = {"stream": "LOGGING", "delivery": delivery, "consumer": consumer}
        return {"sources": [source], "batching": FAST}

    any_server.generate(300, seed=1, simulations=40)  # files with too many ranges for tags
    varve.once(**config("first"), nats={"name": "a"})
    if rewritten == "optimized":
        DeltaTable(varve.output).optimize.compact()
    if rewritten != "no":
        clean_up(varve.output)
    any_server.generate(20, seed=2)
    varve.once(**config("second"), nats={"name": "a"})
    assert_exactly_once(varve.output, 1, 320)
    any_server.generate(20, seed=3)
    varve.once(**config("third"), nats={"name": "b"})
    assert_exactly_once(varve.output, 1, 340)


def test_another_consumer_of_other_subjects_loses_nothing(any_server, varve):
    """What one consumer was never meant to have is no less new to the next one."""
    any_server.add_stream("BOTH", subjects=["one", "two"])
    for i in range(6):
        any_server.generate(10, seed=i, stream="BOTH", subject=["one", "two"][i % 2])
    for subject in ("one", "two"):
        source = {"stream": "BOTH", "subjects": [subject], "consumer": subject}
        varve.once(sources=[source], batching=FAST)
    assert_exactly_once(varve.output, 1, 60)


def test_what_is_above_a_gap_is_found_in_the_files(any_server, varve):
    """The last resort: the entries are gone, and so is what varve wrote beside them."""
    config = {"sources": [{"stream": "LOGGING", "shared": True}], "batching": FAST}
    any_server.generate(1, seed=0)
    running = varve.start(**config)
    running.wait_rows(1)
    running.stop()
    any_server.generate(10, seed=1)
    hold_messages(any_server, 3)
    running = varve.start(**config)
    running.wait_rows(7)
    assert running.stop() == 0
    DeltaTable(varve.output).optimize.compact()
    clean_up(varve.output)
    shutil.rmtree(varve.output / "_delta_log" / "_varve")
    any_server.delete_consumer()
    varve.once(**config)
    assert_exactly_once(varve.output, 1, 11)
    shutil.rmtree(varve.output / "_delta_log" / "_varve")
    varve.once(**config)
    assert_exactly_once(varve.output, 1, 11)


def checkpoint_rows(output):
    path = next((output / "_delta_log").glob("*.checkpoint.parquet"))
    return path, pq.read_table(path)


def test_a_checkpoint_in_parts_is_read(any_server, varve):
    config = {"sources": [{"stream": "LOGGING", "delivery": "position"}], "batching": FAST}
    any_server.generate(100, seed=1)
    varve.once(**config)
    clean_up(varve.output)
    path, table = checkpoint_rows(varve.output)
    version = path.name[:20]
    (path.parent / "_last_checkpoint").unlink()
    path.unlink()
    for part in range(3):
        piece = table.take([i for i in range(table.num_rows) if i % 3 == part])
        name = f"{version}.checkpoint.{part + 1:010}.{3:010}.parquet"
        pq.write_table(piece, path.parent / name, compression=["snappy", "zstd", "none"][part])
    any_server.generate(20, seed=2)
    varve.once(**config)
    assert_exactly_once(varve.output, 1, 120)


def test_a_checkpoint_that_varve_cannot_read_is_refused(any_server, varve):
    """Without a word of the positions in it everything would be stored again."""
    any_server.generate(100, seed=1)
    varve.once(batching=FAST)
    clean_up(varve.output)
    path, table = checkpoint_rows(varve.output)
    (path.parent / "_last_checkpoint").unlink()
    uuid = "80a083e8-7026-4e79-81be-64bd76c43a11"
    path.rename(path.parent / f"{path.name[:20]}.checkpoint.{uuid}.parquet")
    for entry in path.parent.glob("*.json"):
        entry.rename(path.parent / f"{int(path.name[:20]) + 1:020}.json")
    refused = varve.start("--once", batching=FAST)
    assert refused.wait() == 1 and "v2Checkpoint" in refused.text()


def verify(output):
    done = subprocess.run([VARVE, "verify", output], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_every_flipped_bit_of_a_committed_file_is_found(any_server, varve):
    """Wherever it is: in a page, in its header, in an index, in the footer, in the magic."""
    any_server.generate(40, seed=1)
    any_server.publish([b"\xff no event"])  # quarantined: beside the table
    varve.once(batching=FAST)
    assert verify(varve.output)[0] == 0
    files = [p for p in varve.output.rglob("*-*") if p.is_file() and "_delta_log" not in str(p)]
    assert any("_quarantine" in str(p) for p in files)
    chance = random.Random(4)
    for number in range(40):
        path = files[number % len(files)]
        whole = path.read_bytes()
        flipped = bytearray(whole)
        at = chance.randrange(len(whole))
        flipped[at] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        code, text = verify(varve.output)
        assert code == 1 and path.name in text, (path, at)
        path.write_bytes(whole)
    assert verify(varve.output)[0] == 0


def allow_removals(output):
    DeltaTable(output).alter.set_table_properties({"delta.appendOnly": "false"})


def replace(output):
    """CREATE OR REPLACE TABLE: another id, without the properties that varve gave it."""
    allow_removals(output)
    DeltaTable.create(output, schema=DeltaTable(output).schema(), mode="overwrite")


def replace_with_another(output):
    allow_removals(output)
    table = pa.table({"event_id": [1]})
    deltalake.write_deltalake(output, table, mode="overwrite", schema_mode="overwrite")


def restore(output):
    """To the first 20 rows."""
    version = 0
    while sum(rows_at(output, version).values()) < 20:
        version += 1
    DeltaTable(output).restore(version)


@pytest.mark.parametrize(
    "change, there", [(replace, 0), (restore, 20)], ids=["replaced", "restored"]
)
def test_a_table_that_is_replaced_or_restored_is_noticed(any_server, varve, change, there):
    """While varve runs: it goes on by itself, and says that events were taken from the table."""
    any_server.generate(20, seed=1)
    running = varve.start(batching=FAST)
    running.wait_rows(20)
    any_server.generate(20, seed=2)
    running.wait_rows(40)
    change(varve.output)
    any_server.generate(30, seed=3)
    line = running.wait_line("rows_removed", seconds=60)
    assert "another engine has removed" in line["text"] and "not fetched again" in line["text"]
    wait_for(lambda: any_server.unacked() == 0 and any_server.consumer().num_pending == 0, "acked")
    assert running.stop() == 0
    assert DeltaTable(varve.output).to_pyarrow_table().num_rows == there + 30
    assert len(running.lines("rows_removed")) == 1
    again = varve.once(batching=FAST)
    assert not again.lines("rows_removed") and not again.lines("commit_failed")


def restore_and_append(output):
    """Somebody else goes on with it, too: the entry that varve knows as its newest is there."""
    restore(output)
    row = DeltaTable(output).to_pyarrow_table().slice(0, 1)
    deltalake.write_deltalake(output, row, mode="append")


def restore_and_forget(output):
    """Without what varve has written down beside the log."""
    restore(output)
    shutil.rmtree(output / "_delta_log" / "_varve")


def delete(output):
    allow_removals(output)
    DeltaTable(output).delete("stream_seq <= 30")


@pytest.mark.parametrize(
    "change, there, operation",
    [
        (replace, 0, "CREATE"),
        (restore, 20, "RESTORE"),
        (restore_and_append, 21, "RESTORE"),
        (restore_and_forget, 20, "RESTORE"),
        (delete, 10, "DELETE"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_what_was_removed_while_varve_was_down_is_said(
    any_server, varve, change, there, operation
):
    """Once, by the next start, with the entry that did it and where the rows still are."""
    for seed in (1, 2):
        any_server.generate(20, seed=seed)
        varve.once(batching=FAST)
    change(varve.output)
    for seed in (3, 4):
        any_server.generate(15, seed=seed)
        (run := varve.start("--once", batching=FAST)).wait()
        lines = run.lines("rows_removed")
        assert len(lines) == (seed == 3), run.text()
        for line in lines:
            assert operation in line["text"] and "not fetched again" in line["text"]
            before = int(line["text"].rsplit(" ", 1)[1])
            assert DeltaTable(varve.output, version=before).to_pyarrow_table().num_rows == 40
    assert DeltaTable(varve.output).to_pyarrow_table().num_rows == there + 30


def test_a_table_that_is_replaced_by_one_of_others_is_refused(any_server, varve):
    """Nothing is acked, and the reason is said."""
    any_server.generate(20, seed=1)
    running = varve.start(batching=FAST)
    running.wait_rows(20)
    replace_with_another(varve.output)
    any_server.generate(30, seed=3)
    assert "WRITE" in running.wait_line("rows_removed", seconds=60)["text"]
    assert "its column event_id is not of type" in running.wait_line("commit_failed")["error"]
    wait_for(lambda: any_server.unacked() == 30, "all is delivered")
    assert running.stop() == 1
    refused = varve.start("--once", batching=FAST)
    assert refused.wait() == 1 and "its column event_id is not of type" in refused.text()


def check(varve):
    path = varve.directory / "check.yaml"
    path.write_text(json.dumps(varve.config()))
    done = subprocess.run([VARVE, "check", "-c", path], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def add_entry(output, *actions):
    name = output / "_delta_log" / f"{DeltaTable(output).version() + 1:020}.json"
    name.write_text("".join(json.dumps(action) + "\n" for action in actions))


def point_elsewhere(output):
    """As the log of a shallow clone does."""
    shutil.copytree(output, elsewhere := output.with_name("elsewhere"))
    lines = [json.loads(line) for line in (output / "_delta_log" / log_names(output)[-1]).open()]
    add = next(line["add"] for line in lines if "add" in line)
    add_entry(
        output,
        {"remove": {"path": add["path"], "deletionTimestamp": 1, "dataChange": False}},
        {"add": {**add, "path": f"file://{elsewhere}/{add['path']}", "dataChange": False}},
    )


def promise_a_checkpoint(output):
    (output / "_delta_log" / "_last_checkpoint").write_text('{"version":99,"size":1}')


def cut_a_checkpoint(output):
    DeltaTable(output).create_checkpoint()
    for path in (output / "_delta_log").glob("*.checkpoint.parquet"):
        path.write_bytes(path.read_bytes()[:-50])


def write_half_an_entry(output):
    add_entry(output, {"commitInfo": {"operation": "WRITE"}})
    (path := output / "_delta_log" / log_names(output)[-1]).write_text(path.read_text()[:-9])


@pytest.mark.parametrize(
    "change, says",
    [
        (point_elsewhere, "is not in the folder of the table, and varve reads no others"),
        (promise_a_checkpoint, "remove the file _delta_log/_last_checkpoint"),
        (cut_a_checkpoint, "a checkpoint is damaged: restore it"),
        (write_half_an_entry, "(restore it, or remove it if it is the newest)"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_a_log_that_engines_can_not_read_is_found(any_server, varve, change, says):
    """By verify and by check, with what to do. Such logs are made by other engines only."""
    any_server.generate(20, seed=1)
    varve.once(batching=FAST)
    change(varve.output)
    for status, text in (verify(varve.output), check(varve)):
        assert status == 1 and text.count(says) == 1, text
