# SPDX-License-Identifier: MIT
"""Whatever can break does, at random moments, while events are published and drained."""

import os
import random
import signal
import time
from collections import Counter

from generator import Load
from proxy import Proxy
from publisher import Publisher
from support import Output, Runner, Server, check_rows, wait_for

KINDS = ("limits", "position", "workqueue")
PAUSE = (0.02, 0.7)  # seconds between two faults


class Chaos:
    """One run. `kind` is a stream with limits drained by a durable consumer or by position, or a
    work queue."""

    def __init__(self, directory, binary, kind, seed):
        self.kind = kind
        self.random = random.Random(seed)
        self.server = Server(binary, directory / "nats")
        self.server.start()
        retention = "workqueue" if kind == "workqueue" else "limits"
        self.server.add_stream(retention=retention)
        self.proxy = Proxy(self.server.port)
        self.runner = Runner(directory, self.server)
        self.runs = []
        self.publisher = None
        self.kills = 0

    def close(self):
        self.runner.close()
        self.proxy.close()
        self.server.stop(signal.SIGKILL)

    def settings(self, url):
        delivery = "position" if self.kind == "position" else "durable"
        return {
            "nats": {"servers": [url]},
            "sources": [{"stream": "LOGGING", "delivery": delivery}],
            "batching": {"max_rows": 400, "max_age": "150ms"},
        }

    def begin(self):
        self.run = self.runner.start(**self.settings(self.proxy.url))
        self.runs.append(self.run)

    # ---- faults

    def kill_varve(self):
        self.run.stop(signal.SIGKILL)
        self.begin()
        self.kills += 1

    def kill_server(self):
        self.server.stop(signal.SIGKILL)
        self.pause(0.3)
        self.server.start()
        self.kills += 1

    def kill_both(self):
        self.server.process.kill()
        self.run.stop(signal.SIGKILL)
        self.server.stop(signal.SIGKILL)
        self.begin()
        self.server.start()
        self.kills += 2

    def stop_varve(self):
        assert self.run.stop() == 0, self.run.text()
        self.begin()

    def restart_server(self):
        self.server.stop()
        self.server.start()

    def suspend(self, process):
        os.kill(process.pid, signal.SIGSTOP)
        self.pause(1.5)
        os.kill(process.pid, signal.SIGCONT)

    def suspend_varve(self):
        self.suspend(self.run.process)

    def suspend_server(self):
        self.suspend(self.server.process)

    def reset(self):
        self.proxy.reset_after(self.random.randrange(1, 200_000))

    def freeze(self):
        self.proxy.freeze()
        self.pause(1.5)
        self.random.choice((self.proxy.thaw, self.proxy.reset))()
        self.proxy.thaw()

    def delete_consumer(self):
        from nats.errors import Error
        from nats.js.errors import NotFoundError

        async def work(js):
            for consumer in await js.consumers_info("LOGGING"):
                try:
                    await js.delete_consumer("LOGGING", consumer.name)
                except NotFoundError:
                    pass  # it was being given up

        try:
            self.server.ask(work)
        except Error:
            pass  # a server that has just come up

    FAULTS = (
        (6, kill_varve),
        (4, kill_server),
        (1, kill_both),
        (1, stop_varve),
        (1, restart_server),
        (1, suspend_varve),
        (1, suspend_server),
        (3, reset),
        (1, freeze),
        (2, delete_consumer),
    )

    # ---- the run

    def pause(self, longest=None):
        shortest, usual = PAUSE
        time.sleep(self.random.uniform(shortest, longest or usual))

    def go(self, kills):
        self.publisher = Publisher(self.server.url, Load(seed=77, payload_bytes=300))
        self.begin()
        weights, faults = zip(*self.FAULTS, strict=True)
        while self.kills < kills:
            self.pause()
            fault = self.random.choices(faults, weights)[0]
            fault(self)
        events = self.publisher.stop()
        assert self.run.stop() == 0, self.run.text()
        self.runner.once(**self.settings(self.server.url))
        return events

    def check(self, events):
        held = None if self.kind == "workqueue" else self.server.messages()
        check_published(self.runner.output, events, self.publisher.repeated, held)
        if self.kind != "position":
            # Whether a work queue is empty is not asked: 2.9.10 forgets removals when it is killed.
            wait_for(lambda: self.server.unacked() == 0, "all is acked")
            assert self.server.consumer().num_pending == 0


def check_published(root, events, repeated, held=None):
    """Each event that a stream has confirmed is there, once; under the number that the stream gave
    it, where `held` are all messages of the stream."""
    rows = {event.row["event_id"]: event.row for event in events}
    table = Output(root).table()
    numbers, ids = table["stream_seq"].to_pylist(), table["event_id"].to_pylist()
    found = dict(zip(numbers, ids, strict=True))
    assert len(numbers) == len(found), "a sequence twice"
    assert set(ids) == set(rows)
    # An event under two numbers was stored twice: by a publisher that asked twice, or, where the
    # stream forgets what is drained, by its client, which sends again what a lost connection took.
    twice = {event_id for event_id, count in Counter(ids).items() if count > 1}
    if held is not None:
        assert twice <= repeated, "an event twice"
        data = {event.row["event_id"]: event.data for event in events}
        assert {seq: data[i] for seq, i in found.items()} == {m[0]: m[4] for m in held}
    check_rows(root, {seq: {**rows[i], "stream_seq": seq} for seq, i in found.items()})
