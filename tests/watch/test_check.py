# SPDX-License-Identifier: MIT
"""varve check: it says what is wrong, exits accordingly, and changes nothing."""

import asyncio
import json
import os
import shutil
import subprocess
import time

import pytest

from nats.js.api import SubjectTransform
from support import SUBJECT, VARVE, Output, free_port, wait_for

PERMISSIONS = """
authorization {{
  users: [
    {{ user: admin, password: admin }}
    {{ user: limited, password: limited, permissions: {{
      publish: [{allowed}], subscribe: ["_INBOX.>"] }} }}
  ]
}}
"""


def check(varve, *args, **more):
    """Exit status, and the lines as (level, sentence)."""
    path = varve.directory / "check.yaml"
    path.write_text(json.dumps(varve.config(**more)))
    out = subprocess.run(
        [VARVE, "check", "-c", path, *args], capture_output=True, text=True, timeout=120
    )
    lines = out.stdout.splitlines()
    found = [(line[:8].strip(), line[9:]) for line in lines[:-1]]
    if out.returncode != 2:
        problems = sum(level == "problem" for level, _ in found)
        warnings = sum(level == "warning" for level, _ in found)
        assert lines[-1] == f"problems: {problems}, warnings: {warnings}"
        assert out.returncode == (1 if problems else 0)
    return out.returncode, found, out.stderr


def said(found, level, text):
    return [sentence for lvl, sentence in found if lvl == level and text in sentence]


async def stream_info(js):
    return (await js._nc.request("$JS.API.STREAM.INFO.LOGGING", timeout=30)).data


def test_all_is_well(server, varve):
    server.generate(1000)
    varve.once()
    status, found, _ = check(varve, metrics={"listen": f"127.0.0.1:{free_port()}"})
    assert status == 0
    assert not said(found, "warning", "")
    assert said(found, "ok", "stream LOGGING has 1000 events")
    tells = b'"ts":' in server.ask(stream_info)  # 2.10+
    assert bool(said(found, "ok", "the clocks of the server and of this host agree")) == tells
    assert said(found, "ok", "fits the batching")
    assert said(found, "ok", f"varve can write to {varve.output}")


def test_it_changes_nothing(any_server, varve):
    any_server.generate(10)
    status, found, _ = check(varve)
    assert status == 0
    assert said(found, "ok", "does not exist; varve run will create it")
    assert any_server.stream().state.consumer_count == 0
    assert not varve.output.exists()
    varve.once()
    before, entries = any_server.consumer(), Output(varve.output).entries()
    any_server.generate(10)
    check(varve)
    after = any_server.consumer()
    assert (after.config, after.delivered, after.ack_floor) == (
        before.config,
        before.delivered,
        before.ack_floor,
    )
    assert Output(varve.output).entries() == entries


def test_short_retention(any_server, varve):
    any_server.add_stream(max_age=60)
    status, found, _ = check(varve)
    assert status == 1
    assert said(found, "problem", "drops events after 1m (max_age)")


def test_few_messages_kept(any_server, varve):
    """How soon that is lost can't be told by a burst, and that it will be, it can."""
    any_server.add_stream(max_msgs=50)
    any_server.generate(100)
    status, found, _ = check(varve)
    assert status == 0
    [sentence] = said(found, "warning", "drops its oldest events when it is full (max_msgs 50")
    assert "all of one minute, to tell how soon that will be" in sentence


def test_a_stream_in_memory(any_server, varve):
    from nats.js.api import StorageType

    any_server.add_stream(storage=StorageType.MEMORY)
    assert said(check(varve)[1], "warning", "stream LOGGING is stored in memory")


def test_no_stream(any_server, varve):
    status, found, _ = check(varve)
    assert status == 1
    assert said(found, "problem", "stream LOGGING does not exist")


def test_wrong_subject(any_server, varve):
    any_server.add_stream(subjects=["other"])
    status, found, _ = check(varve)
    assert status == 1
    assert said(found, "problem", f"has no subject that matches {SUBJECT}")


def test_position_on_a_work_queue(any_server, varve):
    from nats.js.api import RetentionPolicy

    any_server.add_stream(retention=RetentionPolicy.WORK_QUEUE)
    status, found, _ = check(varve, sources=[{"stream": "LOGGING", "delivery": "position"}])
    assert status == 1
    assert said(found, "problem", "use delivery: durable")


def make_others(server, *filters, subjects=("orders.*", "logs.>")):
    """A work queue with one other consumer for each filter."""
    from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy

    server.add_stream(subjects=subjects, retention=RetentionPolicy.WORK_QUEUE)
    for i, taken in enumerate(filters):
        other = ConsumerConfig(
            durable_name=f"other{i:03}", filter_subject=taken, ack_policy=AckPolicy.EXPLICIT
        )
        server.ask(lambda js, other=other: js.add_consumer("LOGGING", other))


ORDERS = {"sources": [{"stream": "LOGGING", "subjects": ["orders.new"]}]}


@pytest.mark.parametrize("taken", ["orders.new", "orders.*", ">", None])
def test_a_work_queue_whose_events_another_consumer_takes(any_server, varve, taken):
    make_others(any_server, taken)
    status, found, _ = check(varve, **ORDERS)
    assert status == 1
    [sentence] = said(found, "problem", "work queue")
    assert f"other000 takes {taken or '>'}: consumer varve can't take orders.new" in sentence
    assert any_server.stream().state.consumer_count == 1
    run = varve.start(**ORDERS)
    assert "another consumer takes these already" in run.wait_line("source_waiting")["reason"]
    assert run.stop() == 0


def test_a_work_queue_whose_other_consumers_take_other_events(any_server, varve):
    make_others(any_server, "orders.old", "logs.>")
    status, found, _ = check(varve, **ORDERS)
    assert status == 0
    assert not said(found, "problem", "") and not said(found, "warning", "work queue")
    any_server.publish([b"{}"], "orders.new")
    varve.once(**ORDERS)
    assert check(varve, **ORDERS)[0] == 0


def test_a_consumer_that_is_to_take_the_events_of_another(any_server, varve):
    """It exists, and other subjects are configured since."""
    make_others(any_server, "orders.old")
    any_server.publish([b"{}"], "orders.new")
    varve.once(**ORDERS)
    more = {"sources": [{"stream": "LOGGING", "subjects": ["orders.new", "orders.old"]}]}
    status, found, _ = check(varve, consumer={"manage": "update"}, **more)
    assert status == 1
    [sentence] = said(found, "problem", "work queue")
    assert "consumer other000 takes orders.old: consumer varve can't take orders.old" in sentence


def test_a_work_queue_with_pages_of_consumers(any_server, varve):
    """The one that overlaps is last of more than a page of 256."""
    make_others(any_server, *(f"logs.{i}" for i in range(260)), "orders.*")
    status, found, _ = check(varve, **ORDERS)
    assert status == 1
    [sentence] = said(found, "problem", "work queue")
    assert "its consumer other260 takes orders.*" in sentence


def test_consumers_that_may_not_be_listed(make_server, any_server_binary, make_runner):
    rights = ("CREATE", "DELETE", "INFO", "MSG.NEXT")
    allowed = ", ".join(f'"$JS.API.CONSUMER.{right}.>"' for right in rights)
    allowed += ', "$JS.API.STREAM.>", "$JS.ACK.>"'
    server = make_server(
        any_server_binary,
        extra=PERMISSIONS.format(allowed=allowed),
        user="admin",
        password="admin",
    )
    make_others(server, "orders.*")
    nats = {"servers": [server.url], "user": "limited", "password": "limited"}
    status, found, _ = check(make_runner(server), nats=nats, **ORDERS)
    assert status == 0
    [sentence] = said(found, "warning", "can't tell whether other consumers")
    assert "$JS.API.CONSUMER.LIST.LOGGING" in sentence


def test_a_consumer_that_contradicts(any_server, varve):
    from nats.js.api import ConsumerConfig

    any_server.add_stream()
    wrong = ConsumerConfig(durable_name="varve", ack_wait=30, max_ack_pending=1000)
    any_server.ask(lambda js: js.add_consumer("LOGGING", wrong))
    status, found, _ = check(varve)
    assert status == 1
    [sentence] = said(found, "problem", "contradicts the configuration")
    assert "ack_wait is 30s, want 10m" in sentence
    assert "max_ack_pending is 1000, want 565536" in sentence


def test_another_instance_on_the_same_consumer(server, varve):
    """With a directory of its own, by accident: the default name of the consumer."""
    server.generate(10)
    varve.once()
    assert check(varve)[0] == 0

    def others():
        return said(check(varve)[1], "warning", "another client waits for messages")

    assert not others()
    elsewhere = {"log_output_directory": str(varve.directory / "elsewhere")}
    other = varve.start(output=elsewhere, nats={"name": "other"})
    wait_for(lambda: server.consumer().num_waiting > 0, "the other one pulls")
    [sentence] = others()
    assert "consumer varve of stream LOGGING, and this instance does not run" in sentence
    shared = {"sources": [{"stream": "LOGGING", "shared": True}]}
    assert not said(check(varve, **shared)[1], "warning", "another client")
    # The one that pulls is the one that is checked.
    found = check(varve, output=elsewhere, nats={"name": "other"})[1]
    assert not said(found, "warning", "another client")

    async def with_pulls(js):
        """More than it can have itself."""
        client = js._nc
        await client.subscribe("mine.*")
        for i in range(7):
            ask = b'{"batch":1,"expires":120000000000}'
            await client.publish("$JS.API.CONSUMER.MSG.NEXT.LOGGING.varve", ask, f"mine.{i}")
        await client.flush()
        return await asyncio.to_thread(check, varve, output=elsewhere, nats={"name": "other"})

    [sentence] = said(server.ask(with_pulls)[1], "warning", "another client")
    assert "more pulls than this instance, which runs, can have" in sentence
    assert other.stop() == 0


def test_the_port_of_the_metrics(any_server, varve):
    """It is free, the instance that is checked has it, or somebody else."""
    any_server.add_stream()
    taken = f"127.0.0.1:{any_server.port}"
    status, found, _ = check(varve, metrics={"listen": taken})
    assert status == 1
    assert said(found, "problem", f"metrics.listen {taken}: ")
    run = varve.start()
    run.wait_line("consumer_made")
    status, found, _ = check(varve, metrics={"listen": taken})
    assert status == 1
    assert said(found, "problem", f"metrics.listen {taken}: ")
    [sentence] = said(found, "ok", "this instance, varve")
    assert sentence.endswith(f"runs as process {run.process.pid}")
    assert run.stop() == 0
    here = {"listen": f"127.0.0.1:{free_port()}"}
    status, found, _ = check(varve, metrics=here)
    assert status == 0
    assert said(found, "ok", f"varve can listen at {here['listen']}")
    assert not said(found, "ok", "this instance")
    run = varve.start(metrics=here)
    run.wait_line("listening")
    status, found, _ = check(varve, metrics=here)
    assert status == 0
    assert said(found, "ok", f"metrics.listen {here['listen']} is in use, as it should while")
    assert run.stop() == 0


def test_acked_and_not_stored(server, varve):
    """Somebody else took five events and acked them; then the stream drops them."""
    server.generate(10)
    varve.once()
    assert not said(check(varve)[1], "problem", "")
    server.generate(5)

    async def take(js):
        sub = await js.pull_subscribe_bind("varve", stream="LOGGING")
        for message in await sub.fetch(5, timeout=30):
            await message.ack_sync()

    server.ask(take)
    for first in (11, 13):
        server.ask(lambda js, first=first: js.purge_stream("LOGGING", seq=first))
        status, found, _ = check(varve)
        assert status == 1
        [sentence] = said(found, "problem", "has acked events up to sequence 15")
        assert "lacks from 11 on: varve run fetches again" in sentence
        assert sentence.endswith(f"from {first} on")
    server.ask(lambda js: js.purge_stream("LOGGING"))
    status, found, _ = check(varve)
    assert status == 1
    assert said(found, "problem", "lacks from 11 on, and the stream has none of them any more")
    other = {"log_output_directory": str(varve.directory / "fresh")}
    status, found, _ = check(varve, output=other)
    assert status == 0
    assert said(found, "warning", "lacks from 1 on, and the stream has none of them any more")


def test_bind_without_a_consumer(any_server, varve):
    any_server.add_stream()
    status, found, _ = check(varve, consumer={"manage": "bind"})
    assert status == 1
    assert said(found, "problem", "consumer.manage: bind does not create it")


def test_dead_letters_and_alerts_need_streams(any_server, varve):
    any_server.add_stream()
    any_server.add_stream("OPS", ["ops.>"])
    more = {"dead_letter": {"subject": "dead.letters"}, "alerts": {"subject": "ops.alerts"}}
    status, found, _ = check(varve, **more)
    assert status == 0
    assert said(found, "warning", "no stream stores messages published to dead_letter.subject")
    assert said(found, "ok", "stream OPS stores messages published to alerts.subject ops.alerts")


EVENT = b"\x0a\x01a"

# Rights of a user, by what varve run needs them for, and how much it needs them.
RIGHTS = {
    "$JS.API.CONSUMER.CREATE.LOGGING.>": ("problem", "create its consumer"),
    "$JS.API.CONSUMER.MSG.NEXT.LOGGING.varve": ("problem", "pull"),
    "$JS.API.CONSUMER.DELETE.LOGGING.*": ("warning", "make its consumer anew"),
    "$JS.ACK.LOGGING.varve.>": ("problem", "ack"),
    "dead.letters": ("problem", "publish there"),
    "ops.alerts": ("problem", "publish there"),
}


@pytest.mark.parametrize("drained", [False, True])
def test_rights_are_tried_and_nothing_comes_of_it(make_server, server_binary, make_runner, drained):
    """Without each of them in turn, before and after there is a consumer; and with all of them."""
    asks = ["$JS.API.STREAM.>", "$JS.API.CONSUMER.INFO.>"]
    users = "".join(
        f"{{ user: u{i}, password: p, permissions: {{ publish: {json.dumps(asks + have)} }} }}\n"
        for i, have in enumerate([[r for r in RIGHTS if r != lack] for lack in (*RIGHTS, None)])
    )
    server = make_server(
        server_binary,
        extra=f"authorization {{ users: [ {{ user: admin, password: admin }}\n{users} ] }}",
        user="admin",
        password="admin",
    )
    server.add_stream()
    server.publish([EVENT] * 20)
    server.add_stream("DEAD", ["dead.letters"])
    server.add_stream("OPS", ["ops.alerts"])
    varve = make_runner(server)
    more = {"dead_letter": {"subject": "dead.letters"}, "alerts": {"subject": "ops.alerts"}}
    if drained:
        varve.once(nats={"user": "admin", "password": "admin"})
        server.publish([EVENT] * 5)

    def state():
        stored = [server.stream(name).state.messages for name in ("LOGGING", "DEAD", "OPS")]
        consumers = server.stream().state.consumer_count
        return stored, consumers, drained and server.consumer()

    before = state()
    for i, (lack, (level, why)) in enumerate([*RIGHTS.items(), (None, (None, None))]):
        status, found, _ = check(varve, nats={"user": f"u{i}", "password": "p"}, **more)
        complaints = [s for lvl, s in found if lvl != "ok" and "metrics.listen is off" not in s]
        if lack is None:
            assert complaints == [] and status == 0
            assert said(found, "ok", "may create and delete the consumer, and pull and ack")
            continue
        assert len(complaints) == 1, complaints
        [sentence] = complaints
        assert said(found, level, lack.rstrip(">*.")) == [sentence]
        assert "Permissions Violation" in sentence and f"varve run needs this to {why}" in sentence
    assert state() == before


def test_permissions(make_server, any_server_binary, make_runner):
    """A user that may ask for the stream, and not for the consumer."""
    allowed = '"$JS.API.STREAM.INFO.LOGGING"'
    server = make_server(
        any_server_binary,
        extra=PERMISSIONS.format(allowed=allowed),
        user="admin",
        password="admin",
    )
    server.add_stream()
    server.publish([b""])
    varve = make_runner(server)
    nats = {"servers": [server.url], "user": "limited", "password": "limited"}
    status, found, _ = check(varve, nats=nats)
    assert status == 1
    assert said(found, "ok", "stream LOGGING has 1 events")
    [sentence] = said(found, "problem", "consumer varve of stream LOGGING: ")
    assert "Permissions Violation" in sentence
    assert "$JS.API.CONSUMER.INFO.LOGGING.varve" in sentence
    assert said(found, "problem", "$JS.API.STREAM.MSG.GET.LOGGING")


def test_answers_that_may_not_be_read(make_server, any_server_binary, make_runner):
    """Nothing can be asked then: it says why, once for each question, and does not wait for any."""
    allowed = PERMISSIONS.format(allowed='">"').replace("_INBOX.>", "elsewhere.>")
    server = make_server(any_server_binary, extra=allowed, user="admin", password="admin")
    server.add_stream()
    nats = {"servers": [server.url], "user": "limited", "password": "limited"}
    more = {"dead_letter": {"subject": "dead.letters"}, "alerts": {"subject": "ops.alerts"}}
    runner, seconds = make_runner(server), []
    while not seconds or (seconds[-1] >= 5 and len(seconds) < 4):  # the machine may be busy
        began = time.monotonic()
        status, found, _ = check(runner, nats=nats, **more)
        seconds.append(time.monotonic() - began)
    assert status == 1
    why = 'the server says: Permissions Violation for Subscription to "_INBOX.'
    assert len(said(found, "problem", why)) == 1
    assert len(said(found, "warning", why)) == 2
    assert seconds[-1] < 5  # what one question would be waited for


def test_wrong_password(make_server, any_server_binary, make_runner):
    server = make_server(
        any_server_binary,
        extra=PERMISSIONS.format(allowed='">"'),
        user="admin",
        password="admin",
    )
    nats = {"servers": [server.url], "user": "limited", "password": "hunter2"}
    status, found, error = check(make_runner(server), nats=nats)
    assert status == 1
    [sentence] = said(found, "problem", "no server can be reached")
    assert "Authorization Violation" in sentence
    assert "hunter2" not in sentence + error


def test_no_jetstream(tmp_path, make_server, any_server_binary, make_runner):
    server = make_server(any_server_binary)
    server.stop()
    server.config.write_text(f"listen: 127.0.0.1:{server.port}\n")
    server.start()
    status, found, _ = check(make_runner(server))
    assert status == 1
    assert said(found, "problem", "JetStream is not enabled")


def test_no_server(varve):
    status, found, _ = check(varve, nats={"servers": [f"nats://127.0.0.1:{free_port()}"]})
    assert status == 1
    assert said(found, "problem", "no server can be reached: 127.0.0.1:")


def test_disk(any_server, varve):
    any_server.add_stream()
    varve.output.write_text("not a directory")
    status, found, _ = check(varve)
    assert status == 1
    assert said(found, "problem", f"{varve.output} is not a directory")
    varve.output.unlink()
    full = {"log_output_directory": str(varve.output), "min_free": "1000000GiB"}
    status, found, _ = check(varve, output=full)
    assert status == 1
    assert said(found, "problem", "varve pauses below 976.6 TiB")


def test_table_that_varve_cannot_write_to(any_server, varve):
    any_server.generate(10)
    varve.once()
    assert check(varve)[0] == 0
    log = varve.output / "_delta_log"
    protocol = '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["x"]}}'
    (log / f"{len(list(log.glob('*.json'))):020}.json").write_text(protocol + "\n")
    status, found, _ = check(varve)
    assert status == 1
    assert said(found, "problem", "it needs the Delta reader feature x")


def test_files_that_no_log_has(any_server, varve):
    """Who reads the directory takes them for rows."""
    any_server.generate(10, seed=1)
    varve.once()
    assert not said(check(varve)[1], "warning", "Parquet files")
    files = list(varve.output.glob("*/*/*/*.parquet"))
    file = files[0]
    copy = file.with_name("copy.parquet")
    shutil.copy2(file, copy)
    assert not said(check(varve)[1], "warning", "Parquet files")  # a commit may be under way
    os.utime(copy, (time.time() - 3600,) * 2)
    (found,) = said(check(varve)[1], "warning", "1 Parquet files that are not in the log")
    assert str(copy.relative_to(varve.output)) in found
    shutil.rmtree(varve.output / "_delta_log")
    assert said(check(varve)[1], "warning", f"{len(files) + 1} Parquet files and no log")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_directory_that_may_not_be_written(any_server, varve):
    any_server.add_stream()
    varve.output.mkdir(mode=0o500)
    status, found, _ = check(varve)
    assert status == 1
    assert said(found, "problem", "varve can't write to")


def test_offline(varve):
    """Without a server there is nothing to say but about the configuration."""
    status, found, _ = check(varve, "--offline")
    assert status == 0
    assert said(found, "ok", "ack_wait is 10m and max_ack_pending 565536")
    assert said(found, "warning", "metrics.listen is off")
    assert said(found, "ok", "alerts appear on the status page and in the log")
    others = [text for text in said(found, "ok", "") if "this kernel" not in text]
    assert len(others) == 2


PAYLOAD = {"event_type": "a"}


@pytest.mark.parametrize(
    "wrong, says",
    [
        ({"payloads": [{**PAYLOAD, "format": "protobuf", "message": "a.B"}]}, "no message a.B"),
        ({"payloads": [{**PAYLOAD, "columns": ["a text a..b"]}]}, "$.reward"),
        ({"followers": [{"name": "one", "select": ["nope = 1"]}]}, "no column nope"),
        ({"followers": [{"name": "one", "kind": "nats", "subject": "a b"}]}, "'a b'"),
        ({"followers": [{"name": "one", "kind": "timeseries", "url": "db:8086"}]}, "http://"),
    ],
)
def test_offline_says_with_which_followers_no_run_begins(varve, wrong, says):
    wrong = {"followers": [{"name": "one"}], **wrong}
    status, found, _ = check(varve, "--offline", **wrong)
    (text,) = said(found, "problem", "follower one: ")
    assert status == 1 and says in text
    run = varve.start("--once", **wrong)
    assert run.wait() == 2 and f"varve: {text}" in run.text()


def test_errors_of_the_configuration(varve):
    for more in ({"nonsense": 1}, {"alerts": {"subject": "a..b"}}):
        status, found, error = check(varve, "--offline", **more)
        assert (status, found) == (2, [])
        assert error.startswith("varve: ") and error.count("\n") == 1
    for args in (["--nonsense"], ["-c"], ["--set"]):
        assert check(varve, *args)[0] == 2


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_subjects_that_the_stream_changes(any_server, varve, delivery):
    """A filter is compared with the subject that is stored, not with the one that was published."""
    renames = SubjectTransform(src=SUBJECT, dest="stored.events")
    any_server.add_stream(subjects=[SUBJECT, "other"], subject_transform=renames)
    wrong = [{"stream": "LOGGING", "delivery": delivery}]
    right = [{**wrong[0], "subjects": ["stored.events"], "consumer": "right"}]
    _, found, _ = check(varve, sources=wrong)
    assert not said(found, "warning", "changes or copies")  # nothing is there yet
    running = varve.start(sources=wrong, nats={"name": "early"}, batching={"max_age": "100ms"})
    running.wait_line("consumer_made")
    any_server.generate(10)
    late = running.wait_line("nothing_matches")
    assert late["level"] == "warning" and late["messages"] >= 1
    assert running.stop() == 0
    (line,) = varve.once(sources=wrong).lines("nothing_matches")
    assert line["messages"] == 10 and "subject_transform" in line["text"]
    _, found, _ = check(varve, sources=wrong)
    (text,) = said(found, "warning", "none of its 10 messages has a subject of its source")
    assert "the newest has stored.events" in text
    assert not varve.once(sources=right).lines("nothing_matches")
    assert sum(json.loads(add["stats"])["numRecords"] for add in Output(varve.output).adds()) == 10
    _, found, _ = check(varve, sources=right)
    assert not said(found, "warning", "changes or copies")


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_subjects_that_are_added_to_a_source(any_server, varve, delivery):
    """A position says nothing of subjects: what it has passed over of a new one is not fetched, and
    that is said until something is committed behind it."""
    any_server.add_stream(subjects=["one", "two"])

    def source(*subjects, consumer="varve"):
        own = {"stream": "LOGGING", "delivery": delivery, "subjects": list(subjects)}
        return {
            "sources": [{**own, "consumer": consumer}],
            "consumer": {"manage": "update"},
        }

    def rows():
        return sum(json.loads(add["stats"])["numRecords"] for add in Output(varve.output).adds())

    for subject in ("two", "one"):
        any_server.generate(10, subject=subject)
    assert not varve.once(**source("one")).lines("subject_added")
    assert not varve.once(**source("one")).lines("subject_added")
    _, found, _ = check(varve, **source("one"))
    assert not said(found, "warning", "was added to")
    _, found, _ = check(varve, **source("one", "two"))
    assert said(found, "warning", "subject two was added to consumer varve of stream LOGGING")
    for _ in range(2):
        (line,) = varve.once(**source("one", "two")).lines("subject_added")
        assert (line["subject"], line["after"]) == ("two", 20) and rows() == 10
    any_server.generate(10, subject="two")
    varve.once(**source("one", "two"))
    assert not varve.once(**source("one", "two")).lines("subject_added") and rows() == 20
    _, found, _ = check(varve, **source("one", "two"))
    assert "up to sequence 20 was passed over" in said(found, "ok", "was added to")[0]
    assert not varve.once(**source("one", "two", consumer="again")).lines("subject_added")
    assert rows() == 30
    assert not varve.once(**source("two", consumer="again")).lines("subject_added")
