# SPDX-License-Identifier: MIT
"""Messages from somebody who means harm, and messages that are no events: nothing leaves the
directory, nothing is lost, nothing blocks."""

import os
import struct
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq

from generator import Load, length_field, varint
from support import (
    SUBJECT,
    VARVE,
    Output,
    check_rows,
    check_verify,
    numbered,
    partition,
    ranges,
    verify,
    wait_for,
)

DEAD = "logging.dead"


def event(simulation, number=0, **fields):
    """An event of which only the simulation_id matters."""
    return b"".join(
        (
            length_field(1, f"event-{number}"),
            length_field(2, fields.get("key", "sim.agent_reward.v1")),
            length_field(3, b"payload"),
            varint(4 << 3) + varint(1_750_000_000_000_000_000),
            length_field(5, fields.get("worker", "worker")),
            length_field(6, simulation),
        )
    )


NAMES = [
    "",
    ".",
    "..",
    "../../etc",
    "../../../../tmp/varve-was-here",
    "/etc/passwd",
    "//",
    "a/b",
    "a\\b",
    "a\0b",
    "\0",
    "%2e%2e%2f",
    "%",
    "%empty",
    "~root",
    "-rf",
    "_delta_log",
    "_quarantine",
    ".varve",
    ".hidden",
    "sim=1",
    "a\nb\r\tc",
    "\x1b[2J",
    " ",
    "simulación-Ω-模拟-🌍",
    "\u202eright to left",
    "CON",
    "sim 1; rm -rf /",
    "$(touch x)`touch x`",
    "{simulation_id}",
    "{first_seq}",
    "*?[a-z]",
    "'\"<>|&",
]
LONG = ["../" * 20 + "tmp/varve-was-here"]
LONG += ["s" * 300, "/" * 300, "é" * 150, "x" * 255 + "1", "x" * 255 + "2"]


def all_files(root):
    return {path for path in root.rglob("*") if path.is_file()}


def test_hostile_simulation_ids(server, varve, tmp_path):
    server.add_stream()
    names = NAMES + LONG
    server.publish([event(name, i) for i, name in enumerate(names)])
    before = all_files(tmp_path)
    varve.once()
    output = Output(varve.output)
    table = output.table()
    assert table["simulation_id"].to_pylist() == names
    assert table["event_id"].to_pylist() == [f"event-{i}" for i in range(len(names))]
    check_verify(varve.output)
    # Each short name has the directory that the rules say, below the output.
    directories = {path.relative_to(output.root).parts[0] for path in output.files()}
    assert {partition(name) for name in NAMES} <= directories
    assert len(directories) == len(set(names))
    assert all(len(os.fsencode(name)) <= 255 for name in directories)
    elsewhere = {path for path in all_files(tmp_path) - before if varve.output not in path.parents}
    assert {p for p in elsewhere if server.directory not in p.parents} == {
        tmp_path / "varve-0.log",
        tmp_path / "varve-0.yaml",
    }
    assert not os.path.exists("/tmp/varve-was-here")


def test_hostile_values_in_a_template(any_server, varve):
    any_server.add_stream()
    names = ["..", "a/../../b", "", ".hidden", "_x", "\0"]
    any_server.publish(
        [event("s", i, key=name, worker=name) for i, name in enumerate(names)]
    )
    varve.once(
        output={"path_template": "{event_type_key}/x-{worker_id}/{first_seq}.parquet"},
    )
    assert Output(varve.output).table()["worker_id"].to_pylist() == names
    check_verify(varve.output)


# ---- what can't become a row ---------------------------------------------------------------------

# Payload, and the reason that must be found.
BROKEN = [
    (b'{"json": true}', "not_protobuf"),
    (b"\xff" * 40, "not_protobuf"),
    (b"\x07", "not_protobuf"),
    (event("sim")[:-1], "not_protobuf"),
    (length_field(1, "id") + b"\x0a\xff\xff\xff\xff\x0f", "not_protobuf"),
    (varint(1 << 3) + varint(5), "not_protobuf"),  # event_id as a number
    (event(b"\xff\xfe"), "not_utf8"),
    (event(b"sim\xc0\xaf"), "not_utf8"),
    (event(b"\xed\xa0\x80"), "not_utf8"),
    (event("sim", key=b"\x80"), "not_utf8"),
    (length_field(9, "x") * 50000 + b"\x0b", "not_protobuf"),
]


def check_quarantined(varve, expected, subject=SUBJECT):
    """The quarantine holds these (sequence, payload, reason), bytes as they came."""
    found = Output(varve.output).quarantine()
    assert [(r["stream_seq"], r["payload"], r["reason"]) for r in found] == expected
    for row in found:
        assert row["stream"] == "LOGGING"
        assert row["nats_subject"] == subject.encode()
        assert row["detail"]
    check_verify(varve.output)


def test_quarantine_keeps_the_bytes(server, varve):
    server.add_stream()
    server.publish([data for data, _ in BROKEN])
    varve.once()
    check_quarantined(varve, [(i, *b) for i, b in enumerate(BROKEN, 1)])
    assert Output(varve.output).files() == []
    info = server.consumer()
    assert (info.num_pending, info.num_ack_pending) == (0, 0)


def rows_by_pattern(root):
    import duckdb

    pattern = str(root / "**" / "*.parquet")
    query = "SELECT count(*) FROM read_parquet($p)"
    return duckdb.execute(query, {"p": pattern}).fetchall()[0][0]  # all: others use it next


def test_no_pattern_for_parquet_files_finds_the_quarantine(server, varve):
    server.generate(90, corrupt=5, seed=32)
    varve.once()
    assert rows_by_pattern(varve.output) == 90
    [kept] = Output(varve.output).quarantine_files()
    assert pq.read_table(kept).num_rows == 5  # but named it is what it was


def make_older(root):
    """As versions wrote it that ended these names with .parquet, too."""
    for path in list(root.glob("_quarantine/*.quarantine")):
        path.rename(path.with_suffix(".parquet"))
    for entry in root.glob("_delta_log/*.json"):
        entry.write_text(entry.read_text().replace(".quarantine", ".parquet"))


def test_quarantine_of_earlier_versions_is_renamed(server, varve):
    server.generate(90, corrupt=5, seed=32)
    varve.once()
    make_older(varve.output)
    check_verify(varve.output)
    [old] = (varve.output / "_quarantine").iterdir()
    foreign = old.with_name("elsewhere-1-1.parquet")  # not ours, perhaps of a commit under way
    pq.write_table(pa.table({"x": [1]}), foreign)
    stray = old.with_name("stray.parquet")
    stray.write_bytes(b"no Parquet")
    content = old.read_bytes()
    old.with_suffix(".quarantine").write_bytes(content)  # a crash came before the removal
    run = varve.once()
    assert {path.name for path in (varve.output / "_quarantine").iterdir()} == {
        old.with_suffix(".quarantine").name,
        foreign.name,
        stray.name,
    }
    assert old.with_suffix(".quarantine").read_bytes() == content
    assert "stray.parquet" in run.wait_line("quarantine_kept")["text"]
    foreign.unlink()
    stray.unlink()
    check_verify(varve.output)
    assert rows_by_pattern(varve.output) == 90


def test_subjects_as_long_as_a_stream_takes_them(any_server_binary, make_server, make_runner):
    """The server's max_control_line was raised; the longest subject that a stream keeps is not the
    longest one that varve reads."""
    server = make_server(any_server_binary, extra="max_control_line: 262144\n")
    varve = make_runner(server)
    server.add_stream(subjects=["logging.>"])
    events = [message.data for message in Load(seed=15).run(4)]
    subjects = ["logging.a", "logging." + "x" * 9000, "logging." + "y.z" * 20_000, "logging.b"]
    for subject, data in zip(subjects, events, strict=True):
        server.publish([data], subject=subject)
    run = varve.once(sources=[{"stream": "LOGGING", "subjects": ["logging.>"]}])
    assert not run.lines("disconnected")
    assert Output(varve.output).table()["nats_subject"].to_pylist() == subjects
    check_verify(varve.output)


def test_rows_and_quarantine_are_one_commit(any_server, varve):
    any_server.generate(900, corrupt=9, seed=31)
    run = varve.once()
    rows, quarantined = numbered(Load(seed=31).run(900, corrupt=9))
    check_rows(varve.output, rows, quarantined)
    assert [line["rows"] for line in run.lines("committed")] == [909]
    writes = [e for e in Output(varve.output).entries() if any("add" in a for a in e)]
    assert len(writes) == 1
    assert 1 <= len(run.lines("dead_letter", to="quarantine")) <= 9  # so many in ten seconds


def test_many_fields(any_server, varve):
    """A million fields in a message that is small: a row or a reason, not a gigabyte."""
    data = event("sim") + length_field(9, "") * 10 + (varint(9 << 3 | 0) + b"\0") * 250_000
    any_server.add_stream()
    any_server.publish([data])
    varve.once()
    output = Output(varve.output)
    found = [r["payload"] for r in output.quarantine()]
    assert found == [data] or len(output.table()) == 1


def test_headers_are_kept(any_server, varve):
    """Byte for byte, of an event and of what is none; null where there are none."""
    any_server.add_stream()
    headers = {"X-Origin": "worker-7", "Status": "409", "Description": "Consumer Deleted"}

    async def publish(js):
        await js.publish(SUBJECT, b"no event", headers=headers)
        await js.publish(SUBJECT, event("sim"), headers=headers)
        await js.publish(SUBJECT, b"", headers=headers)
        await js.publish(SUBJECT, event("sim"))

    any_server.ask(publish)
    block = b"NATS/1.0\r\n" + b"".join(f"{k}: {v}\r\n".encode() for k, v in headers.items())
    varve.once()
    (row,) = Output(varve.output).quarantine()
    assert row["payload"] == b"no event"
    assert row["header"] == block + b"\r\n"
    assert Output(varve.output).table()["headers"].to_pylist() == [block + b"\r\n"] * 2 + [None]


# ---- dead letters --------------------------------------------------------------------------------


def test_dead_letters_to_a_stream(server, varve):
    server.add_stream("DEAD", [DEAD])
    server.generate(400, corrupt=6, seed=33)
    run = varve.once(dead_letter={"subject": DEAD})
    rows, corrupt = numbered(Load(seed=33).run(400, corrupt=6))
    # Nothing is in quarantine; the log says what went elsewhere.
    check_rows(varve.output, rows, gaps=ranges(corrupt))
    assert {note["kind"] for note in verify(varve.output)["notes"]} == {"dead_letter"}
    letters = server.messages("DEAD")
    assert sorted((int(h["Varve-Seq"]), data) for *_, h, data in letters) == sorted(corrupt.items())
    stored = {sequence: ns for sequence, ns, *_ in server.messages()}
    for *_, headers, _ in letters:
        sequence = int(headers["Varve-Seq"])
        assert headers["Varve-Stream"] == "LOGGING"
        assert headers["Varve-Subject"] == SUBJECT
        assert headers["Varve-Reason"] in ("not_protobuf", "not_utf8")
        assert headers["Varve-Detail"]
        assert int(headers["Varve-Time"]) == stored[sequence]
    info = server.consumer()
    assert (info.num_pending, info.num_ack_pending) == (0, 0)
    assert 1 <= len(run.lines("dead_letter", to=DEAD)) <= 9  # so many in ten seconds


def test_dead_letters_without_a_stream_go_into_quarantine(server, varve):
    """Nobody confirms them, so they are not delivered."""
    server.generate(400, corrupt=6, seed=33)
    run = varve.once(dead_letter={"subject": DEAD})
    rows, corrupt = numbered(Load(seed=33).run(400, corrupt=6))
    check_rows(varve.output, rows, corrupt)
    assert run.lines("dead_letter_failed")


def test_dead_letters_that_their_stream_refuses(any_server, varve):
    any_server.add_stream("DEAD", [DEAD], max_msg_size=10)
    any_server.generate(100, corrupt=3, seed=33)
    varve.once(dead_letter={"subject": DEAD})
    rows, corrupt = numbered(Load(seed=33).run(100, corrupt=3))
    check_rows(varve.output, rows, corrupt)


def test_nothing_but_dead_letters(any_server, varve):
    """More than may wait for confirmation at once: each ends in one place or the other."""
    any_server.add_stream("DEAD", [DEAD])
    any_server.add_stream()
    data = [struct.pack("<Q", i) * 3 + b"\x07" for i in range(500)]
    any_server.publish(data)
    varve.once(dead_letter={"subject": DEAD})
    letters = [(int(h["Varve-Seq"]), d) for *_, h, d in any_server.messages("DEAD")]
    kept = [(r["stream_seq"], r["payload"]) for r in Output(varve.output).quarantine()]
    assert letters
    assert sorted(letters + kept) == list(enumerate(data, 1))


def test_dead_letters_come_once_over_a_crash(any_server, varve):
    """The dead letter stream drops a second copy by its message id."""
    any_server.add_stream("DEAD", [DEAD])
    any_server.add_stream()
    any_server.publish([bytes([i]) * 9 for i in range(1, 21)])
    slow = {"batching": {"max_age": "1h"}, "dead_letter": {"subject": DEAD}}
    run = varve.start(**slow)
    wait_for(lambda: any_server.stream("DEAD").state.messages == 20, "20 dead letters")
    run.stop(9)
    varve.once(**slow)
    letters = sorted(int(h["Varve-Seq"]) for *_, h, _ in any_server.messages("DEAD"))
    kept = [r["stream_seq"] for r in Output(varve.output).quarantine()]
    assert letters + kept == list(range(1, 21))


def test_the_tools_survive_a_hostile_tree(any_server, varve):
    """What inspect and cat print of such files is safe for a terminal."""
    any_server.add_stream()
    any_server.publish([event("\x1b[2J\x07"), event("a\nb")])
    varve.once()
    for command in ("inspect", "cat"):
        paths = Output(varve.output).files()
        out = subprocess.run([VARVE, command, *paths], capture_output=True, timeout=60)
        assert out.returncode == 0, out.stderr
        assert b"\x1b" not in out.stdout and b"\x07" not in out.stdout
