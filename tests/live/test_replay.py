# SPDX-License-Identifier: MIT
"""varve replay: what was stored goes back into NATS, each event once and equal to what it was,
whatever it holds and whoever is killed meanwhile."""

import os
import pty
import random
import signal
import socket
import subprocess

import pyarrow
from generator import length_field, varint_field
from support import SUBJECT, VARVE, Output, kill_after, wait_for

BACK = "replay." + SUBJECT
START = 1_780_000_000_000_000_000
TEXTS = ["", "a", "a\0b", "\r\nPUB x 1\r\n", "Ω🌍", " ", "x" * 300]
HEADERS = [
    "",
    "NATS/1.0\r\nX-Run: 7\r\n\r\n",
    "NATS/1.0\r\nNats-Msg-Id: {0}\r\nnats-rollup: all\r\nB:c\r\n\r\n",
    "NATS/1.0\r\nA: b\r\n\r\nNats-Expected-Stream: LOGGING\r\n\r\n",
    "NATS/1.0\r\nVarve-Replay: 0123456789abcdef\r\nA: \xff\0\r\n\r\n",
    "NATS/1.0\r\nno colon\nNats-Expected-Stream: LOGGING\r\n",
]
OURS = ("nats-msg-id", "nats-expected-", "nats-batch-")


def event(chance, number):
    """Bytes that are an event: fields in any order, some twice, some unknown, lengths and numbers
    with more bytes than they need."""
    fields = [
        length_field(n, chance.choice(TEXTS)) for n in (1, 2, 5, 6, 7, 8) if chance.random() < 0.8
    ]
    fields += [length_field(3, chance.randbytes(chance.choice((0, 1, 200, 5000))))]
    fields += [varint_field(4, chance.choice((START + number, 1, (1 << 64) - 5, 1 << 62)))]
    fields += [length_field(6, f"sim-{number % 3}")]
    if chance.random() < 0.3:
        fields += [
            length_field(100, b"unknown"),
            varint_field(9, 77),
            b"\x0a\x81\x80\x00x",
            b"\x20\x85\x00",
        ]
        chance.shuffle(fields)
    return b"".join(fields)


def publish(server, messages):
    """Publish (headers, payload) as they are, which no library would; then wait until they are
    stored."""
    count = server.stream().state.messages
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.sendall(b'CONNECT {"verbose":false,"headers":true,"lang":"test","version":"1"}\r\n')
        for headers, payload in messages:
            sizes = (
                f"{len(headers)} {len(headers) + len(payload)}" if headers else f"{len(payload)}"
            )
            verb = "HPUB" if headers else "PUB"
            s.sendall(f"{verb} {SUBJECT} {sizes}\r\n".encode() + headers + payload + b"\r\n")
        wait_for(lambda: server.stream().state.messages == count + len(messages), "all are stored")


def command(varve, *options, root=None):
    return [VARVE, "replay", root or varve.output, "--server", varve.server.url, *options]


def begin(varve, *options):
    pipe = subprocess.PIPE
    return subprocess.Popen(command(varve, *options), stdout=pipe, stderr=pipe, text=True)


def replay(varve, *options, root=None, status=0):
    done = subprocess.run(
        command(varve, *options, root=root),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def fill(server, varve, count=30):
    """A store with events of three simulations, and a stream for its replay."""
    server.add_stream()
    server.add_stream("REPLAY", ["replay.>"])
    chance = random.Random(7)
    server.publish([event(chance, number) for number in range(count)])
    varve.once()


def sequences(server, stream="REPLAY"):
    """Of which rows the messages of a stream are."""
    return [
        int(headers["Nats-Msg-Id"].split("/")[-1])
        for _, _, _, headers, _ in server.messages(stream)
    ]


def stored_headers(block):
    """What should be left of a header block: without its first line, orders to a server renamed."""
    lines = block.partition(b"\n")[2].split(b"\n")
    return b"\n".join(
        b"Varve-" + line if line.lower().startswith(b"nats-") else line for line in lines
    )


def without_ours(block):
    """The same of one that was replayed: what was put in front is gone."""
    lines = block.split(b"\r\n")
    assert lines[0] == b"NATS/1.0"
    while lines[1].decode(errors="replace").lower().startswith(OURS):
        del lines[1]
    assert lines[1].startswith(b"Varve-Replay: ") and lines[2].startswith(b"Varve-Row: LOGGING/")
    return b"\r\n".join(lines[3:])


def test_drained_replayed_and_drained_again_the_rows_are_equal(server, make_runner, tmp_path):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    server.add_stream()
    server.add_stream("REPLAY", ["replay.>"])
    publish(
        server,
        [
            (chance.choice(HEADERS).format(number).encode("latin-1"), event(chance, number))
            for number in range(400)
        ],
    )
    first = make_runner(server)
    first.once()
    assert "400 messages published to replay.> in stream REPLAY" in replay(first)
    again = make_runner(server)
    again.output = tmp_path / "again"
    again.once(sources=[{"stream": "REPLAY", "subjects": ["replay.>"]}])
    one, two = Output(first.output).table(), Output(again.output).table()
    changed = ("stream_seq", "stream_time", "nats_subject", "headers")
    assert one.drop(list(changed)).equals(two.drop(list(changed)))
    assert set(two["nats_subject"].to_pylist()) == {BACK}
    for before, after in zip(one["headers"].to_pylist(), two["headers"].to_pylist(), strict=True):
        assert without_ours(after) == (stored_headers(before) if before else b"\r\n")
    assert "0 messages published" in replay(first)
    assert server.stream("REPLAY").state.messages == 400


def test_killed_at_any_time_each_comes_once_and_in_order(server, varve):
    server.add_stream()
    server.add_stream("REPLAY", ["replay.>"])
    server.generate(4000)
    varve.once()
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for kill in range(50):
        pace = ["--speed", "1000", "--by", "event"] if kill % 2 else []
        child = begin(varve, "--simulation", "sim-0001", *pace)
        kill_after(child, chance.random() / 8)
        child.communicate()
    replay(varve, "--simulation", "sim-0001")
    rows = Output(varve.output).table()
    wanted = rows.filter(pyarrow.compute.equal(rows["simulation_id"], "sim-0001"))
    assert sequences(server) == wanted["stream_seq"].to_pylist() and len(wanted) > 100


def test_it_outlives_the_server(server, varve):
    server.add_stream()
    server.add_stream("REPLAY", ["replay.>"])
    server.generate(300, per_hour=36000)  # one each 100 ms
    varve.once()
    child = begin(varve, "--by", "event", "--speed", "0.5")  # a minute

    def wait_for_more():
        have = server.stream("REPLAY").state.messages
        wait_for(lambda: server.stream("REPLAY").state.messages > have, "messages")

    for number in (signal.SIGKILL, signal.SIGTERM):
        wait_for_more()
        server.stop(number)
        server.start()
    wait_for_more()
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=60)
    assert "trying again" in err
    replay(varve)
    assert sequences(server) == list(range(1, 301))


def test_others_publish_into_the_same_stream(any_server, varve):
    any_server.add_stream()
    any_server.add_stream("REPLAY", ["replay.>", "other"])
    any_server.generate(200, per_hour=36000)
    varve.once()
    child = begin(varve, "--by", "event", "--speed", "20")
    for _ in range(5):
        any_server.publish([b"x"], "other")
        have = any_server.stream("REPLAY").state.messages
        wait_for(
            lambda n=have: any_server.stream("REPLAY").state.messages > n or child.poll() == 0,
            "a message behind that of somebody else",
        )
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    ours = [m for m in any_server.messages("REPLAY") if m[2] != "other"]
    assert [int(m[3]["Nats-Msg-Id"].split("/")[-1]) for m in ours] == list(range(1, 201))
    # Behind a message of somebody else on the same subject nobody can tell how far it has come.
    any_server.publish([b"x"], "replay.theirs")
    assert "--new begins it behind that" in replay(varve, status=1)
    assert "200 messages" in replay(varve, "--new")
    assert "0 messages" in replay(varve)


def test_a_message_in_the_middle_that_is_not_taken(any_server, varve):
    """Few messages are confirmed by themselves: what the server has against one is said all the same,
    and it goes on with that one."""
    any_server.add_stream()
    any_server.add_stream("REPLAY", ["replay.>"], max_msgs=333, discard="new")
    any_server.generate(1000)
    varve.once()
    child = begin(varve)
    said = ""
    while "maximum messages exceeded" not in said:
        said = child.stderr.readline()
        assert said != "", "it ended"
    assert sequences(any_server) == list(range(1, 334))
    config = any_server.stream("REPLAY").config
    config.max_msgs = -1
    any_server.ask(lambda js: js.update_stream(config))
    assert child.wait(timeout=60) == 0
    assert sequences(any_server) == list(range(1, 1001))


def test_a_part_of_a_run(any_server, varve):
    fill(any_server, varve)
    times = {m[0]: m[1] for m in any_server.messages()}
    assert "10 messages would be" in replay(varve, "--simulation", "sim-1", "--dry-run")
    replay(varve, "--simulation", "sim-1")
    assert sequences(any_server) == list(range(2, 31, 3))
    some = ("--from", "4", "--to", "9", "--where", "simulation_id != sim-0")
    assert "--new" in replay(varve, *some, status=1)  # another selection is another replay
    replay(varve, *some, "--new", "--subject", "replay.lab")
    assert sequences(any_server)[10:] == [5, 6, 8, 9]
    assert [m[2] for m in any_server.messages("REPLAY")][10:] == ["replay.lab"] * 4
    second = f"{pyarrow.scalar(times[28] // 1000 * 1000, pyarrow.timestamp('ns')).as_py().isoformat()}000Z"
    replay(varve, "--from", second[:26] + "Z", "--new")
    assert sequences(any_server)[14:] == [28, 29, 30]


def test_what_it_refuses(any_server, varve, tmp_path):
    any_server.add_stream()
    any_server.publish([length_field(1, "a")] * 3)
    varve.once()
    assert "no stream takes replay.>" in replay(varve, status=1)
    said = replay(varve, "--subject", ">", status=2)
    assert "one that this store drains" in said and "--force" in said
    assert any_server.stream().state.messages == 3
    any_server.add_stream("WORK", ["replay.>"], retention="workqueue")
    replay(varve)
    assert "--new begins it" in replay(varve, "--where", "event_id = a", status=1)
    any_server.add_stream("SMALL", ["small"], max_msg_size=100)
    assert "message size exceeds" in replay(varve, "--subject", "small", status=1)
    any_server.add_stream("TWO", ["lab.a"])
    any_server.add_stream("THREE", ["lab.b"])
    assert "more than one stream" in replay(varve, "--subject", "lab.>", status=1)
    said = replay(varve, "--subject", "nobody.>", "--stream", "TWO", status=1)
    assert "no stream takes the subject of a message" in said
    for wrong in (
        ["--subject", "a b"],
        ["--subject", "a.*"],
        ["--speed", "0"],
        ["--speed", "fast"],
        ["--by", "time"],
        ["--max-gap", "5"],
        ["--where", "reward > 1"],
        ["--where", "stream_seq > x"],
        ["--stream", "a.b"],
    ):
        replay(varve, *wrong, status=2)
    assert "no table" in replay(varve, root=tmp_path, status=1)
    assert "3 messages published to > in stream LOGGING" in replay(
        varve, "--subject", ">", "--stream", "LOGGING", "--new", "--force"
    )


def test_a_subject_of_a_file_is_no_order_to_the_server(any_server, varve):
    """A stored subject is what a file says."""
    any_server.add_stream("ORDERS", ["$O.>"])
    any_server.publish([varint_field(4, START)], "$O.delete")
    varve.once(sources=[{"stream": "ORDERS", "subjects": ["$O.>"]}])
    said = replay(varve, "--subject", ">", "--stream", "ORDERS", "--new", "--force", status=1)
    assert "sequence 1 of stream ORDERS: its subject is none to publish to" in said


def test_it_is_ended_by_a_signal_and_goes_on(any_server, varve):
    any_server.add_stream()
    any_server.add_stream("REPLAY", ["replay.>"])
    any_server.generate(50, per_hour=60)  # a minute between two
    varve.once()
    child = begin(varve, "--by", "event", "--speed", "1")
    wait_for(lambda: any_server.stream("REPLAY").state.messages == 1, "the first message")
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1 and "after 1 messages: the same command goes on" in err
    assert any_server.stream("REPLAY").state.messages == 1
    assert "49 messages published" in replay(
        varve, "--by", "event", "--speed", "1", "--max-gap", "1ms"
    )
    assert sequences(any_server) == list(range(1, 51))


def test_a_terminal_is_told_how_far_it_is(any_server, varve):
    """By one line that is gone in the end; who has no terminal is told nothing of it."""
    any_server.add_stream()
    any_server.add_stream("REPLAY", ["replay.>"])
    any_server.generate(60, per_hour=36000)  # one each 100 ms
    varve.once()
    ours, theirs = pty.openpty()
    slow = command(varve, "--by", "event", "--speed", "1")
    child = subprocess.Popen(slow, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the end of a terminal
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0 and "60 messages published" in out
    lines = said.split(b"\r\x1b[K")
    assert lines[0] == lines[-1] == b"" and len(lines) > 4
    counts = [int(line.split()[0]) for line in lines[1:-1]]
    # How far it is at the first, and at the last, is up to who is busy.
    assert counts == sorted(counts) and len(set(counts)) > 2 and counts[-1] <= 60
    assert all(b" messages, at 2026-" in line for line in lines[1:-1])
    done = subprocess.run(command(varve, "--new"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == ""


def test_a_message_that_is_too_large_with_its_headers(any_server, varve):
    """A message as large as the server takes is larger with headers: it is said, and nothing is
    left out in silence."""
    any_server.add_stream()
    any_server.add_stream("REPLAY", ["replay.>"])
    room = 1024 * 1024
    body = length_field(3, b"x" * (room - 4))
    assert len(body) <= room and len(body) > room - 10
    any_server.publish([varint_field(4, START), body])
    varve.once()
    said = replay(varve, status=1)
    assert "sequence 2 of stream LOGGING" in said and "max_payload" in said
