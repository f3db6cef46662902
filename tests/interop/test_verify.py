# SPDX-License-Identifier: MIT
"""varve verify over whole tables: trees that are right are found right, and each way in which
files, their footers, their places and the commit log can contradict each other is found. The trees
are made here, by pyarrow and by hand, after the rules and not by varve."""

import datetime
import json
import shutil
import os
import pathlib
import subprocess
import urllib.parse

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
VARVE = os.environ.get("VARVE", str(ROOT / "build" / "varve"))
TEMPLATE = "{simulation_id}/{YYYY-MM-DD}/{HH}/{first_seq}-{last_seq}.parquet"
CREATED = "2026-11-24T10:00:00.123456789Z"
NOON = int(datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC).timestamp()) * 10**9
HOUR = 3600 * 10**9
DAY = 24 * HOUR


def ranges(sequences):
    parts = []
    for seq in sorted(sequences):
        if parts and seq == parts[-1][1] + 1:
            parts[-1][1] = seq
        else:
            parts.append([seq, seq])
    return ",".join(f"{a}-{b}" if a != b else str(a) for a, b in parts)


class Tree:
    """A table in the making: files and their log entries."""

    def __init__(self, root):
        self.root = root
        self.log = root / "_delta_log"
        self.log.mkdir(parents=True)
        self.entries = []
        metadata = {"id": "t", "format": {"provider": "parquet", "options": {}}}
        metadata |= {"schemaString": '{"type":"struct","fields":[]}', "partitionColumns": []}
        protocol = {"minReaderVersion": 1, "minWriterVersion": 2}
        self.write_entry([{"protocol": protocol}, {"metaData": metadata | {"configuration": {}}}])

    def write_entry(self, actions, name=None):
        name = name or f"{len(self.entries):020}.json"
        self.entries.append(name)
        (self.log / name).write_text("".join(json.dumps(action) + "\n" for action in actions))

    def commit(self, through, above="", created=CREATED, instance="one", dead_letters=None):
        """An entry of varve that says what is durable."""
        position = {"stream": "LOGGING", "created": created, "consumer": "varve"}
        position |= {"through": through, "above": above, "lastSeq": through, "lastTime": 1}
        letters = {"stream": "LOGGING", "created": created, "sequences": dead_letters}
        info = {
            "instance": instance,
            "positions": [position],
            "deadLetters": [letters] if dead_letters else [],
            "quarantine": [],
        }
        self.write_entry([{"commitInfo": {"operation": "WRITE", "varve": info}}])

    def file(
        self,
        sequences,
        path=None,
        simulation="sim-1",
        time=NOON,
        stream_time=NOON,
        footer=None,
        log=True,
        add=None,
    ):
        sequences = list(sequences)
        first, last = min(sequences), max(sequences)
        path = path or f"sim-1/2026-11-24/12/{first}-{last}.parquet"
        count = len(sequences)
        text = [simulation] * count if isinstance(simulation, str) else simulation
        table = pa.table(
            {
                "timestamp_ns": pa.array([time] * count if isinstance(time, int) else time),
                "event_type_key": ["sim.world_state.v1"] * count,
                "worker_id": ["w"] * count,
                "simulation_id": text,
                "stream_seq": pa.array(sequences, pa.int64()),
                "stream_time": pa.array([stream_time // 1000] * count, pa.timestamp("us", "UTC")),
            }
        )
        keys = {
            "varve.stream": "LOGGING",
            "varve.stream_created": CREATED,
            "varve.path_template": TEMPLATE,
            "varve.rows": str(count),
            "varve.first_seq": str(first),
            "varve.last_seq": str(last),
            "varve.sequences": ranges(sequences),
        }
        keys.update(footer or {})
        keys = {key: value for key, value in keys.items() if value is not None}
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            table.replace_schema_metadata(keys),
            full,
            compression="zstd",
            write_page_checksum=True,
        )
        entry = {
            "path": urllib.parse.quote(path),
            "partitionValues": {},
            "size": full.stat().st_size,
            "modificationTime": 1,
            "dataChange": True,
            "stats": json.dumps({"numRecords": count}),
            "tags": {"varve.sequences": ranges(sequences)},
        }
        entry.update(add or {})
        if log:
            self.write_entry([{"commitInfo": {"operation": "WRITE"}}, {"add": entry}])
        return full, entry


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "table")


def verify(path, *options, status):
    done = subprocess.run([VARVE, "verify", *options, path], capture_output=True, timeout=60)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, out + err
    assert err == ""
    return out


def fine(path, *options):
    out = verify(path, *options, status=0)
    assert out.startswith("ok: ") and out.count("\n") == 1


def found(path, *words, count=1):
    """Exactly so many findings, which say these words."""
    *lines, summary = verify(path, status=1).splitlines()
    assert summary.startswith("NOT OK: ") and len(lines) == count, lines
    for word in words:
        assert any(word in line for line in lines), (word, lines)


def test_clean(tree):
    tree.file(range(1, 100))
    tree.file(range(100, 201))
    fine(tree.root)
    out = verify(tree.root, "--json", status=0)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line.get("ok") for line in lines] == [True, True, None]
    assert lines[-1]["summary"]["files"] == 2 and lines[-1]["summary"]["rows"] == 200
    assert lines[-1]["summary"]["findings"] == 0


def test_many_findings_of_a_kind_are_summed_up(tree):
    """Whether a file each or a gap each; they hide nothing of another kind."""
    for number in range(57):
        tree.file([10 * number + 1], log=number < 30, footer={"varve.rows": "7"})
    *lines, summary = verify(tree.root, status=1).splitlines()
    kinds = {
        kind: [line for line in lines if f": {kind}: " in line] for kind in ("footer", "gap", "log")
    }
    assert {kind: len(told) for kind, told in kinds.items()} == {"footer": 21, "gap": 21, "log": 21}
    assert len(lines) == 63
    assert kinds["footer"][-1] == f"{tree.root}: footer: and 37 more, which --json has"
    assert kinds["gap"][-1] == f"{tree.root}: gap: and 9 more, which --json has"
    assert kinds["log"][-1] == f"{tree.root}: log: and 7 more, which --json has"
    assert " 113 findings" in summary
    out = [json.loads(line) for line in verify(tree.root, "--json", status=1).splitlines()]
    listed = [finding["kind"] for entry in out[:-1] for finding in entry["findings"]]
    assert sorted(listed) == ["footer"] * 57 + ["gap"] * 29 + ["log"] * 27
    # Beyond what --json lists, the number stays in sight.
    for number in range(57, 140):
        tree.file([10 * number + 1])
    assert "12 more ranges are missing" in verify(tree.root, status=1)


def test_many_findings_in_a_file_are_summed_up(tmp_path):
    path = tmp_path / "f.parquet"
    columns = {f"c{number}": [number] for number in range(50)}
    pq.write_table(pa.table(columns), path, compression="gzip", use_dictionary=False)
    found(path, f"{path}: unsupported: and 30 more, which --json has", count=21)
    pq.write_table(pa.table(columns), path, compression="zstd")
    fine(path)


def test_a_path_that_is_not_there(tree):
    """Nothing was found wrong, but not all was looked at: that is not ok."""
    tree.file(range(1, 100))
    missing = tree.root / "nosuch"
    for paths in ([missing], [tree.root, missing]):
        out = subprocess.run([VARVE, "verify", *paths], capture_output=True, text=True)
        assert out.returncode == 1 and out.stdout.startswith("NOT OK: ")
        assert out.stderr == f"varve: {missing}: No such file or directory\n"


def test_interleaved_simulations(tree):
    tree.file(range(1, 100, 2))
    path = "sim-2/2026-11-24/12/2-100.parquet"
    tree.file(range(2, 101, 2), path=path, simulation="sim-2")
    fine(tree.root)


# ---- sequences -----------------------------------------------------------------------------------


def test_gap(tree):
    tree.file(range(1, 10))
    tree.file(range(12, 20))
    found(tree.root, "gap", f"LOGGING created {CREATED}: 10-11 are missing")
    fine(tree.root, "--allow-gaps")
    # A part of a table can't tell what is missing in it.
    fine(tree.root / "sim-1")
    fine(tree.root / "sim-1" / "2026-11-24" / "12" / "1-9.parquet")


def test_gap_in_a_tree_without_a_log(tree):
    tree.file(range(1, 10))
    tree.file(range(12, 20))
    for entry in tree.log.iterdir():
        entry.unlink()
    tree.log.rmdir()
    found(tree.root, "10-11 are missing")


def noted(path, *notes):
    """All is well, and this is noted, in this order."""
    *lines, summary = verify(path, status=0).splitlines()
    assert summary.startswith("ok: ") and f", {len(notes)} note" in summary
    assert lines == [f"{path}: note: LOGGING created {CREATED}: {note}" for note in notes]
    out = verify(path, "--json", status=0)
    *_, folder, last = [json.loads(line) for line in out.splitlines()]
    assert folder["ok"] is True and folder["findings"] == []
    texts = [note["text"] for note in folder["notes"]]
    assert texts == [f"LOGGING created {CREATED}: {note}" for note in notes]
    assert last["summary"]["notes"] == len(notes) and last["summary"]["findings"] == 0


NO_ROWS = "hold no rows: deleted, expired, or of other subjects"


def test_gaps_that_the_commits_account_for(tree):
    tree.file(range(1, 10))
    tree.file(range(12, 20))
    tree.file(range(30, 40))
    tree.commit(19)
    found(tree.root, "gap", "20-29 are missing", f"10-11 {NO_ROWS}", count=2)
    # The newest entry of an instance counts, and all instances together.
    tree.commit(19, above="20-28,30-39")
    tree.commit(3, instance="two")
    tree.commit(500, created="2026-11-25T00:00:00Z", instance="three")
    found(tree.root, "29-29 are missing", count=3)
    tree.commit(40)
    noted(tree.root, f"10-11 {NO_ROWS}", f"20-29 {NO_ROWS}", f"40-40 {NO_ROWS}")


def test_two_instances_account_together(tree):
    tree.file([1, 2, 9])
    tree.commit(5, instance="one")
    tree.commit(2, above="5-9", instance="two")
    noted(tree.root, f"3-8 {NO_ROWS}")


def test_dead_letters(tree):
    letters = "went to the dead letter stream"
    tree.file([1, 2, 9])
    tree.commit(6, dead_letters="3,5")
    tree.commit(9, dead_letters="6-7")
    expected = [f"3-3 {letters}", f"4-4 {NO_ROWS}", f"5-7 {letters}", f"8-8 {NO_ROWS}"]
    noted(tree.root, *expected)


def test_a_file_that_is_gone_is_no_note_only(tree):
    tree.file(range(1, 10))
    path, _ = tree.file(range(10, 20))
    tree.file(range(20, 30))
    tree.commit(29)
    path.unlink()
    found(tree.root, f"10-19 {NO_ROWS}", "10-19.parquet is in the log, but missing", count=2)


@pytest.mark.parametrize("positions", [None, 5, [{"stream": "LOGGING"}], [{"through": "9"}]])
def test_damaged_positions_account_for_nothing(tree, positions):
    tree.file([1, 3])
    info = {"instance": "one", "positions": positions, "deadLetters": positions}
    tree.write_entry([{"commitInfo": {"varve": info}}])
    found(tree.root, "2-2 are missing", "varve's positions are damaged", count=2)


def test_another_generation_is_no_gap(tree):
    tree.file(range(50, 60))
    tree.file(range(1, 10), footer={"varve.stream_created": "2026-11-25T00:00:00Z"})
    fine(tree.root)


def test_duplicates(tree):
    one, _ = tree.file(range(1, 10))
    two, _ = tree.file(range(8, 20))
    found(tree.root, "duplicate", "8-9 are in", one.name, two.name)


def test_duplicate_in_one_file(tree):
    tree.file([1, 2, 3, 2, 4], footer={"varve.sequences": "1-4"}, add={"tags": {}})
    found(tree.root, "duplicate", "sequence 2 is in the file twice")


def test_quarantine_closes_gaps(tree):
    tree.file(range(1, 10))
    tree.file(range(12, 20))
    footer = {"varve.path_template": None}
    _, add = tree.file([10, 11], path="_quarantine/10-11.parquet", footer=footer, log=False)
    info = {"instance": "one", "positions": [], "quarantine": [{**add, "numRecords": 2}]}
    tree.write_entry([{"commitInfo": {"varve": info}}])
    fine(tree.root)


# ---- footers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("varve.rows", "8", "varve.rows is 8, the rows say 9"),
        ("varve.sequences", "1-8", "varve.sequences"),
        ("varve.sequences", "1-9,", "varve.sequences"),
        ("varve.sequences", "nonsense", "varve.sequences"),
    ],
)
def test_footer_that_lies(tree, key, value, word):
    tree.file(range(1, 10), footer={key: value})
    found(tree.root, "footer", word)


def test_first_sequence_that_lies(tree):
    # The path follows from it, so each row is misplaced as well.
    tree.file(range(1, 10), footer={"varve.first_seq": "2"})
    found(tree.root, "varve.first_seq is 2, the rows say 1", "belong elsewhere", count=3)


def test_many_ranges_are_not_in_the_footer(tree):
    tree.file(range(1, 2000, 2), footer={"varve.sequences": None}, add={"tags": {}})
    fine(tree.root, "--allow-gaps")


# ---- places --------------------------------------------------------------------------------------


def test_another_simulation(tree):
    tree.file([1, 2, 3], simulation=["sim-1", "sim-2", "sim-1"])
    found(tree.root, "path", "sequence 2 belongs in sim-2/2026-11-24/12/1-3.parquet")


def test_another_hour(tree):
    tree.file([1, 2, 3], time=[NOON, NOON + HOUR - 1, NOON + HOUR])
    found(tree.root, "path", "sequence 3 belongs in sim-1/2026-11-24/13/1-3.parquet")


def test_an_hour_that_comes_again(tree):
    """What lies between the first and the last time need not be of their hour of the day."""
    footer = {"varve.path_template": "{HH}/{first_seq}-{last_seq}.parquet"}
    tree.file([1, 2, 3], "12/1-3.parquet", time=[NOON, NOON + HOUR, NOON + DAY], footer=footer)
    found(tree.root, "path", "sequence 2 belongs in 13/1-3.parquet")


def test_what_was_copied_out_of_its_table_may_lie_anywhere(tree, tmp_path):
    path, _ = tree.file([1, 2, 3])
    (tmp_path / "mail").mkdir()
    shutil.copy(path, tmp_path / "mail" / "from-the-lab.parquet")
    fine(tmp_path / "mail" / "from-the-lab.parquet")
    fine(tmp_path / "mail")
    shutil.copy(path, tree.root / "sim-1" / "by-hand.parquet")
    found(tree.root / "sim-1" / "by-hand.parquet", "path", count=2)


def test_other_rows_are_counted(tree):
    tree.file(range(1, 101), simulation=["sim-2"] * 40 + ["sim-1"] * 60)
    found(tree.root, "sequence 1 belongs in sim-2", "40 rows in total", count=2)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("a/b", "a%2Fb"),
        ("..", "%2E."),
        (".hidden", "%2Ehidden"),
        ("_delta_log", "%5Fdelta_log"),
        ("", "%empty"),
        ("é x%", "%C3%A9%20x%25"),
        ("A-z_0.9", "A-z_0.9"),
    ],
)
def test_names_are_encoded(tree, name, folder):
    tree.file([1], path=f"{folder}/2026-11-24/12/1-1.parquet", simulation=name)
    fine(tree.root)


def test_absurd_times(tree):
    """Not positive, or more than a day ahead: filed under stream_time."""
    tree.file([1, 2, 3, 4], time=[NOON, 0, -5, NOON + 300 * DAY])
    fine(tree.root)


def test_a_time_within_a_day_is_believed(tree):
    tree.file([1], time=NOON + 20 * HOUR)
    found(tree.root, "sequence 1 belongs in sim-1/2026-11-25/08/1-1.parquet")


@pytest.mark.parametrize(("instance", "right"), [("one", True), ("two", False), (None, True)])
def test_the_instance_in_a_path(tree, instance, right):
    """It is in the footer; a file that lacks it is not checked."""
    template = "{instance}/{first_seq}.parquet"
    footer = {"varve.path_template": template, "varve.instance": instance}
    tree.file([7], path="one/7.parquet", footer=footer)
    if right:
        fine(tree.root)
    else:
        found(tree.root, "sequence 7 belongs in two/7.parquet")


def test_taken_names(tree):
    """A number behind the sequences, where the plain name was taken."""
    tree.file([1], path="sim-1/2026-11-24/12/1-1-2.parquet")
    fine(tree.root)
    tree.file([2], path="sim-1/2026-11-24/12/2-2-x.parquet")
    found(tree.root, "sequence 2 belongs in sim-1/2026-11-24/12/2-2.parquet")


# ---- the log -------------------------------------------------------------------------------------


def test_file_is_gone(tree):
    path, _ = tree.file([1])
    path.unlink()
    found(tree.root, "sim-1/2026-11-24/12/1-1.parquet is in the log, but missing")


def test_file_is_not_in_the_log(tree):
    tree.file([1])
    tree.file([2], log=False)
    found(tree.root, "sim-1/2026-11-24/12/2-2.parquet is not in the log")


def test_size_rows_and_sequences_in_the_log(tree):
    tree.file([1], add={"size": 5})
    found(tree.root, "the log says 5")
    tree.file([2], add={"stats": json.dumps({"numRecords": 7})})
    found(tree.root, "the log says 7", count=2)
    tree.file([3], add={"tags": {"varve.sequences": "4"}})
    found(tree.root, "different sequences than the log says", count=3)


def test_encoded_path_in_the_log(tree):
    """A percent sign of a name stands as %25 in the log, which is decoded once."""
    _, add = tree.file([1], path="a%2Fb/2026-11-24/12/1-1.parquet", simulation="a/b")
    assert "a%252Fb" in add["path"]
    fine(tree.root)


def test_removed_file(tree):
    """Until a vacuum, what was removed may lie around; its rows are no rows of the table."""
    path, add = tree.file([1])
    tree.write_entry([{"remove": {"path": add["path"], "dataChange": True}}])
    assert "1 file was replaced" in verify(tree.root, status=0)
    tree.file([1, 2], path="sim-1/2026-11-24/12/1-2.parquet")
    assert "1 file was replaced" in verify(tree.root, status=0)
    path.unlink()
    fine(tree.root)


def test_missing_entry(tree):
    tree.file([1])
    tree.file([2])
    (tree.log / f"{1:020}.json").unlink()
    found(tree.root, "entry 1 of the log is missing")
    (tree.log / f"{0:020}.json").unlink()
    found(tree.root, "log")


def test_damaged_entry(tree):
    tree.file([1])
    entry = tree.log / tree.entries[-1]
    entry.write_text(entry.read_text()[:-20])
    found(tree.root, "entry 1 of the log", "an unterminated string")


def test_file_is_added_twice(tree):
    _, add = tree.file([1])
    tree.write_entry([{"add": add}])
    fine(tree.root)  # as whoever adds statistics does


def test_commit_under_way(tree):
    """What a crash between the steps of a commit leaves is finished at the next start."""
    tree.file([1])
    _, moved = tree.file([2], log=False)
    lacking = {**moved, "path": "sim-1/2026-11-24/12/3-3.parquet"}
    tree.write_entry([{"add": moved}, {"add": lacking}], name=".pending-one")
    fine(tree.root)


def test_damage_is_found_in_a_tree(tree):
    path, _ = tree.file(range(1, 100))
    data = bytearray(path.read_bytes())
    data[data.index(b"\x28\xb5\x2f\xfd") + 20] ^= 4
    path.write_bytes(data)
    out = verify(tree.root, "--json", status=1)
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[0]["ok"] is False
    finding = lines[0]["findings"][0]
    assert finding["kind"] == "damaged" and finding["row_group"] == 0
    assert finding["column"] == "timestamp_ns" and finding["offset"] >= 4


def test_foreign_files_are_checked_too(tree):
    tree.file([1])
    pq.write_table(pa.table({"x": [1]}), tree.root / "other.parquet", compression="zstd")
    found(tree.root, "other.parquet is not in the log")


def test_what_other_engines_keep_of_changes_is_no_row(tree):
    tree.file([1])
    (tree.root / "_change_data").mkdir()
    changes = tree.root / "_change_data" / "cdc-00000.c000.snappy.parquet"
    pq.write_table(pa.table({"stream_seq": [1], "_change_type": ["delete"]}), changes)
    fine(tree.root)
