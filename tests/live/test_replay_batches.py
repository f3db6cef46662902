# SPDX-License-Identifier: MIT
"""varve replay into streams that allow atomic batches, and that don't: each event once, whatever
becomes of a batch. Judged by nats-py, which reads the stream."""

import asyncio
import json
import random
import signal
import subprocess
import threading

from proxy import CHUNK, Proxy
from support import PATIENCE, VARVE, kill_after, wait_for

COUNT = 30_000  # of it some batches are on their way while something is done to them
BATCH = 1000  # messages, at most


def fill(server, varve, count=COUNT, **settings):
    """A store, and a stream for its replay that allows batches."""
    server.add_stream()
    settings = {"allow_atomic": True, **settings}
    server.add_stream("REPLAY", ["replay.>", "other"], **settings)
    server.generate(count)
    varve.once()


def begin(varve, *options, url=None):
    command = [VARVE, "replay", varve.output, "--server", url or varve.server.url, *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def end_well(child):
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    return out, err


def ours(server):
    return [m for m in server.messages("REPLAY") if m[2] != "other"]


def rows(server):
    return [int(m[3]["Varve-Row"].split("/")[-1]) for m in ours(server)]


def batches(server):
    """How many messages each batch has, in order; 0 for a message of none."""
    sizes, last = [], None
    for message in ours(server):
        batch = message[3].get("Nats-Batch-Id")
        if batch is not None and batch == last:
            sizes[-1] += 1
        else:
            sizes.append(int(batch is not None))
        last = batch
    return sizes


def stored(server):
    return server.stream("REPLAY").state.messages


def wait_for_some(server, child, more=1):
    have = stored(server)
    wait_for(
        lambda: stored(server) >= have + more or child.poll() is not None,
        "some messages",
    )


def edit(server, **changes):
    config = server.stream("REPLAY").config
    server.ask(lambda js: js.update_stream(config.evolve(**changes)))


def test_in_batches_where_the_stream_allows_them(server, varve):
    """A server that knows of none takes the same messages one after the other."""
    fill(server, varve, 2500)
    new = server.stream("REPLAY").config.allow_atomic
    end_well(begin(varve))
    assert rows(server) == list(range(1, 2501))
    assert batches(server) == ([BATCH, BATCH, 500] if new else [0] * 2500)
    end_well(begin(varve, "--new", "--no-batches"))
    edit(server, allow_atomic=False)
    end_well(begin(varve, "--new"))
    assert rows(server) == 3 * list(range(1, 2501))
    assert batches(server)[-5000:] == [0] * 5000


def test_paced_messages_come_when_they_are_due(any_server, varve):
    """None waits for a batch to be full."""
    any_server.add_stream()
    any_server.add_stream("REPLAY", ["replay.>"], allow_atomic=True)
    any_server.generate(20, per_hour=60)  # a minute between two
    varve.once()
    child = begin(varve, "--by", "event", "--speed", "1")
    wait_for(lambda: stored(any_server) == 1, "the first message")
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=60)
    end_well(begin(varve, "--by", "event", "--speed", "1", "--max-gap", "1ms"))
    assert rows(any_server) == list(range(1, 21))


def test_killed_between_batches_each_comes_once(any_server, varve):
    fill(any_server, varve, 60_000)
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(50):
        child = begin(varve)
        kill_after(child, chance.random() / 8)
        child.communicate()
    end_well(begin(varve))
    assert rows(any_server) == list(range(1, 60_001))
    assert max(batches(any_server)) == BATCH


def test_others_publish_between_batches(any_server, varve):
    """A batch before which somebody else was faster is refused as a whole, and comes again, in smaller
    ones as long as that goes on."""
    fill(any_server, varve)
    child = begin(varve)
    theirs = 0
    while child.poll() is None and theirs < 20:
        wait_for_some(any_server, child)
        any_server.publish([b"x"], "other")
        theirs += 1
    end_well(child)
    assert rows(any_server) == list(range(1, COUNT + 1))
    assert stored(any_server) == COUNT + theirs


class Abandoned:
    """The reasons that a server tells for batches that it has given up, while it is open."""

    def __init__(self, server):
        self.reasons = []
        self.over = threading.Event()
        ready = threading.Event()

        async def listen(js):
            async def note(message):
                self.reasons.append(json.loads(message.data)["reason"])

            await js._nc.subscribe(
                "$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.>", cb=note
            )
            await js._nc.flush()
            ready.set()
            while not self.over.is_set():
                await asyncio.sleep(0.01)

        self.thread = threading.Thread(target=lambda: server.ask(listen))
        self.thread.start()
        ready.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def limited(make_server, binary, make_runner, **limits):
    """A server with limits for batches, and a varve."""
    given = " ".join(f"{key}: {value}" for key, value in limits.items())
    server = make_server(binary, limits=f", limits {{ batch {{ {given} }} }}")
    return server, make_runner(server)


class Gate(Proxy):
    """Nothing goes through when this many bytes have gone to the server, until it is thawed."""

    def __init__(self, target, room):
        self.room = room
        super().__init__(target)

    async def _pump(self, reader, writer, to_client):
        while data := await reader.read(CHUNK):
            await self.flowing.wait()
            if not to_client and self.room > 0:
                writer.write(data[: self.room])
                await writer.drain()
                data, self.room = data[self.room :], max(self.room - len(data), 0)
                if self.room == 0:
                    self.flowing.clear()
                    await self.flowing.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError  # one side has ended: so does the other


def test_a_batch_that_was_abandoned(make_server, any_server_binary, make_runner):
    """The server gives up a batch of which it gets nothing for too long: it comes again."""
    server, varve = limited(
        make_server, any_server_binary, make_runner, timeout='"300ms"'
    )
    fill(server, varve)
    gate = Gate(server.port, 50_000)  # in the middle of the first batch
    try:
        with Abandoned(server) as given_up:
            child = begin(varve, url=gate.url)
            wait_for(lambda: "timeout" in given_up.reasons, "the batch is given up")
        assert child.poll() is None and stored(server) == 0
        gate.thaw()
        end_well(child)
    finally:
        gate.close()
    assert rows(server) == list(range(1, COUNT + 1))


def test_a_server_that_takes_smaller_batches(
    make_server, any_server_binary, make_runner
):
    server, varve = limited(make_server, any_server_binary, make_runner, max_msgs=100)
    fill(server, varve, 2500)
    _, err = end_well(begin(varve))
    assert "too large" in err
    assert rows(server) == list(range(1, 2501))
    assert 50 < max(batches(server)) <= 100


def test_a_stream_that_ceases_to_allow_them(any_server, varve):
    fill(any_server, varve)
    child = begin(varve)
    wait_for_some(any_server, child)
    edit(any_server, allow_atomic=False)
    end_well(child)
    assert rows(any_server) == list(range(1, COUNT + 1))


def test_what_is_wrong_with_one_message_of_a_batch_is_said(any_server, varve):
    """The whole batch is refused; as messages all in front of it are taken."""
    fill(any_server, varve, 3000, max_msgs=1333, discard="new")
    child = begin(varve)
    said = ""
    while "maximum messages exceeded" not in said or "sequence 1334" not in said:
        said = child.stderr.readline()
        assert said != "", "it ended"
    assert rows(any_server) == list(range(1, 1334))
    edit(any_server, max_msgs=-1)
    end_well(child)
    assert rows(any_server) == list(range(1, 3001))


def test_an_id_that_the_server_knows_already(any_server, varve):
    """Of a batch with such a message nothing is stored; nor does the message get lost without one: it
    is taken when the server has forgotten the id."""
    fast = {"batching": {"max_age": "200ms"}}
    follow = {**fast, "followers": [{"name": "feed", "kind": "nats"}]}
    fill(any_server, varve, 10, duplicate_window=2)
    path = varve.directory / "follow.yaml"
    path.write_text(json.dumps(varve.config(**follow)))
    command = [VARVE, "follow", "feed", "-c", path]
    subprocess.run([*command, "--once"], check=True, timeout=60)
    front = ours(any_server)[0][3]["Nats-Msg-Id"].rpartition("/")[0]
    any_server.generate(2490)
    varve.once(**fast)

    async def theirs(js):
        await js.publish("other", b"x", headers={"Nats-Msg-Id": f"{front}/1500"})

    any_server.ask(theirs)
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: stored(any_server) == 2501, "all rows")
    finally:
        child.terminate()
        child.wait(timeout=60)
    assert rows(any_server) == list(range(1, 2501))
