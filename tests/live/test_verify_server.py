# SPDX-License-Identifier: MIT
"""varve verify --server: what no file has is compared with what the stream has, and nothing at the
server is changed by it."""

import json
import re
import shutil
import subprocess
import time

import pytest

from generator import Load
from support import SUBJECT, VARVE, Output, server_binaries, verify, wait_for

OTHER = "logging.other"
DEAD = "logging.dead"
POSITION = {"sources": [{"stream": "LOGGING", "delivery": "position"}]}


def publish(server, subjects, seed=91):
    """A valid event on each of these subjects, in this order."""
    messages = Load(seed=seed).run(len(subjects))

    async def work(js):
        for subject, message in zip(subjects, messages, strict=True):
            await js.publish(subject, message.data)

    server.ask(work)


def delete(server, *sequences):
    async def work(js):
        for sequence in sequences:
            await js.delete_msg("LOGGING", sequence)

    server.ask(work)


def compare(varve, status=0):
    """{kind: ["5-7 are..."]} of findings and of notes."""
    found = verify(varve.output, "--server", varve.server.url, status=status)
    kinds = [{}, {}]
    for kind, items in zip(kinds, (found["findings"], found["notes"]), strict=True):
        for item in items:
            text = re.sub(r"^LOGGING created \S+: ", "", item["text"])
            kind.setdefault(item["kind"], []).append(text)
    return kinds


def remove_file(root, sequence):
    """As if the file that has this sequence had never been: it and its `add` are gone."""
    (path,) = [p for p in Output(root).files() if f"/{sequence}-" in str(p)]
    for entry in (root / "_delta_log").glob("*.json"):
        lines = entry.read_text().splitlines(keepends=True)
        entry.write_text("".join(line for line in lines if path.name not in line))
    path.unlink()


def fill(server, varve, **settings):
    """Rows 1-10, 21-30 and 31-40, each in a file of its own; 11-20 are of another subject."""
    server.add_stream(subjects=[SUBJECT, OTHER])
    plain = {"path_template": "{stream}/{first_seq}-{last_seq}.parquet"}
    for others in (0, 10, 0):
        publish(server, [OTHER] * others + [SUBJECT] * 10, seed=others)
        varve.once(output=plain, **settings)


@pytest.mark.parametrize("settings", [{}, POSITION], ids=["durable", "position"])
def test_other_subjects(server, varve, settings):
    fill(server, varve, **settings)
    assert compare(varve) == [
        {},
        {"other_subject": [f"11-20 are of other subjects, the first of {OTHER}"]},
    ]


@pytest.mark.parametrize("settings", [{}, POSITION], ids=["durable", "position"])
def test_rows_that_are_gone_from_the_store(server, varve, settings):
    """The log alone knows that there were some; the stream, that it has them still."""
    fill(server, varve, **settings)
    remove_file(varve.output, 21)
    notes = {note["kind"]: note["text"] for note in verify(varve.output)["notes"]}
    assert sorted(notes) == ["removed", "settled"]
    assert " 21-30 " in notes["removed"] and " 11-20 " in notes["settled"]
    findings, notes = compare(varve, status=1)
    assert findings == {"lost": ["21-30 are in the stream, and in no file here"]}
    assert list(notes) == ["other_subject"]
    remove_file(varve.output, 31)  # behind the last row that is left
    findings, _ = compare(varve, status=1)
    assert findings == {"lost": ["21-40 are in the stream, and in no file here"]}


def test_rows_before_the_first_and_behind_the_last(server, varve, tmp_path):
    """All that was acknowledged is compared, wherever the files begin and end."""
    fill(server, varve)
    shutil.copytree(varve.output, tmp_path / "copy", symlinks=True)
    publish(server, [SUBJECT] * 5, seed=50)
    varve.once()
    remove_file(varve.output, 1)
    findings, _ = compare(varve, status=1)
    assert findings == {"lost": ["1-10 are in the stream, and in no file here"]}
    # An operator restores the directory as it was before the last drain.
    shutil.rmtree(varve.output)
    shutil.copytree(tmp_path / "copy", varve.output, symlinks=True)
    findings, _ = compare(varve, status=1)
    assert findings == {"lost": ["41-45 are in the stream, and in no file here"]}


def test_what_was_never_wanted_is_not_missed(server, varve):
    """Messages before the consumer's start are nobody's loss."""
    server.generate(30, seed=58)
    sources = [{"stream": "LOGGING", "start": 11}]
    varve.once(sources=sources)
    assert compare(varve) == [{}, {}]


def test_what_the_stream_has_dropped(server, varve):
    server.generate(100, seed=53)
    delete(server, 1, 50, 51, 52, 99)
    varve.once()
    server.generate(100, seed=53, start_index=100)

    async def purge(js):
        await js.purge_stream("LOGGING", seq=151)

    server.ask(purge)
    varve.once()
    gone = "are not in the stream any more"
    assert compare(varve) == [
        {},
        {"deleted": [f"{r} {gone}" for r in ("50-52", "99-99", "101-150")]},
    ]


def test_markers_of_the_server_are_not_missed(make_server, make_runner):
    """The newest server writes a message of its own where the last of a subject has expired."""
    newest = server_binaries()["newest"] or pytest.skip("the newest nats-server is not here")
    server = make_server(newest)
    varve = make_runner(server)
    config = {"name": "LOGGING", "subjects": ["logging.>"], "storage": "file", "num_replicas": 1}
    config |= {"max_age": 1_000_000_000, "subject_delete_marker_ttl": 60_000_000_000}
    config |= {"allow_msg_ttl": True, "allow_rollup_hdrs": True}

    async def create(js):
        request = json.dumps(config).encode()
        await js._nc.request("$JS.API.STREAM.CREATE.LOGGING", request, timeout=30)

    async def keep(js):  # the other event, however long a busy machine takes to drain it
        request = json.dumps({**config, "max_age": 3600_000_000_000}).encode()
        place = "$JS.API.STREAM.UPDATE.LOGGING"
        answer = json.loads((await js._nc.request(place, request, timeout=30)).data)
        assert "error" not in answer, answer

    server.ask(create)
    events = [message.data for message in Load(seed=7).run(2)]
    server.publish(events[:1], subject="logging.a")
    wait_for(lambda: server.stream().state.last_seq >= 2, "the marker is there")
    server.ask(keep)
    server.publish(events[1:], subject="logging.b")
    varve.once(sources=[{"stream": "LOGGING", "subjects": ["logging.>"], "start": 2}])
    findings, notes = compare(varve)
    assert findings == {} and set(notes) <= {"marker", "settled", "deleted"}, notes
    assert notes["marker"] == ["2-2 are markers that the server wrote, and no events"]


def test_deleted_among_other_subjects(server, varve):
    server.add_stream(subjects=[SUBJECT, OTHER])
    publish(server, [SUBJECT] + [OTHER] * 8 + [SUBJECT])
    varve.once()
    delete(server, 2, 5, 6, 9)
    other = "are of other subjects, the first of " + OTHER
    gone = "are not in the stream any more"
    assert compare(varve) == [
        {},
        {
            "deleted": [f"{r} {gone}" for r in ("2-2", "5-6", "9-9")],
            "other_subject": [f"{r} {other}" for r in ("3-4", "7-8")],
        },
    ]


def test_dead_letters(server, varve):
    server.add_stream("DEAD", [DEAD])
    server.generate(400, corrupt=6, seed=33)
    varve.once(dead_letter={"subject": DEAD})
    findings, notes = compare(varve)
    assert findings == {} and list(notes) == ["dead_letter"]


def test_several_filters(any_server, varve):
    any_server.add_stream(subjects=["a.*", "b", "c"])
    publish(any_server, ["a.1", "b", "c", "a.2", "c", "b", "a.3"])
    sources = [{"stream": "LOGGING", "subjects": ["a.>", "b"]}]
    varve.once(sources=sources)
    other = "are of other subjects, the first of c"
    assert compare(varve) == [{}, {"other_subject": [f"3-3 {other}", f"5-5 {other}"]}]


def test_questions_are_bounded(server, varve):
    server.add_stream(subjects=[SUBJECT, OTHER])
    publish(server, [SUBJECT, OTHER] * 1500)
    varve.once()
    began = time.monotonic()
    findings, notes = compare(varve)
    assert time.monotonic() - began < 90
    assert findings == {}
    (given_up,) = notes["server"]
    assert "1000 messages were asked for, the most in one run" in given_up
    assert len(notes["other_subject"]) == 101 and "more ranges" in notes["other_subject"][-1]
    assert "settled" in notes


def test_a_stream_made_again(server, varve):
    server.generate(20, seed=1)
    varve.once()
    delete(server, 5)
    server.delete_stream()
    server.generate(30, seed=2)
    varve.once()
    findings, notes = compare(varve)
    assert findings == {}
    assert [note.split(" at ")[0] for note in notes["server"]] == ["stream LOGGING was created again"]
    server.delete_stream()
    _, notes = compare(varve)
    assert notes["server"] == ["stream LOGGING does not exist any more: there is nothing to compare with"] * 2


def test_a_stream_set_back(server, varve, tmp_path):
    server.add_stream(subjects=[SUBJECT, OTHER])
    publish(server, [SUBJECT, OTHER, SUBJECT])
    server.stop()
    shutil.copytree(server.directory / "jetstream", tmp_path / "backup")
    server.start()
    publish(server, [SUBJECT] * 5, seed=2)
    varve.once()
    server.stop()
    shutil.rmtree(server.directory / "jetstream")
    shutil.copytree(tmp_path / "backup", server.directory / "jetstream")
    server.start()
    publish(server, [SUBJECT] * 7, seed=3)
    varve.once()
    findings, notes = compare(varve)
    assert findings == {}
    (note,) = notes["server"]
    assert note.startswith("stream LOGGING was set back since")
    # What the older state of the stream shares with the newer one is not stored again.
    carried = [text.split(" ")[0] for text in notes["carried"]]
    assert carried == ["1-1", "3-3"] and len(notes["other_subject"]) == 1


def test_nothing_is_changed(any_server, varve):
    fill(any_server, varve)

    def state():
        stream, consumer = any_server.stream(), any_server.consumer()
        consumers = any_server.ask(lambda js: js.consumers_info("LOGGING"))
        parts = (stream.state, stream.config, consumer.config, consumer.delivered)
        return (*parts, consumer.ack_floor, consumer.num_pending, len(consumers))

    before = state()
    compare(varve)
    assert state() == before


# ---- servers that don't answer -------------------------------------------------------------------


def refused(varve, url, *words):
    command = [VARVE, "verify", "--server", url, varve.output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("varve: "), done.stderr
    for word in words:
        assert word in done.stderr
    # The files are looked at all the same; but nobody should read "ok" of what was not compared.
    assert done.stdout.splitlines()[-1].startswith("NOT OK: ") and ", 0 findings" in done.stdout


def test_no_server(any_server, varve):
    fill(any_server, varve)
    any_server.stop()
    refused(varve, any_server.url, "can't ask the server", str(any_server.port))
    refused(varve, "http://127.0.0.1:1", "can't ask the server")


def test_credentials_are_those_of_the_url(any_server_binary, make_server, make_runner):
    user = 'authorization { user: "sim", password: "s3cr:t" }'
    server = make_server(any_server_binary, extra=user, user="sim", password="s3cr:t")
    varve = make_runner(server)
    server.add_stream()
    publish(server, [SUBJECT] * 3)
    varve.once(nats={"user": "sim", "password": "s3cr:t"})
    url = f"nats://sim:s3cr%3At@127.0.0.1:{server.port}"
    assert verify(varve.output, "--server", url) == {"findings": [], "notes": []}
    refused(varve, server.url, "Authorization")
    wrong = f"nats://sim:wr0ng@127.0.0.1:{server.port}"
    done = subprocess.run(
        [VARVE, "verify", "--json", "--server", wrong, varve.output],
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 1 and b"wr0ng" not in done.stdout + done.stderr
    json.loads(done.stdout.splitlines()[-1])


def test_a_user_who_may_not_ask(any_server_binary, make_server, make_runner):
    denied = (
        "authorization { users: [{user: sim, password: x}, {user: eve, password: y, permissions: "
        '{publish: {deny: ["$JS.API.STREAM.MSG.GET.>"]}}}] }'
    )
    server = make_server(any_server_binary, extra=denied, user="sim", password="x")
    varve = make_runner(server)
    server.add_stream(subjects=[SUBJECT, OTHER])
    publish(server, [SUBJECT, OTHER, SUBJECT])
    varve.once(nats={"user": "sim", "password": "x"})
    url = f"nats://eve:y@127.0.0.1:{server.port}"
    refused(varve, url, "Permissions Violation", "MSG.GET")
