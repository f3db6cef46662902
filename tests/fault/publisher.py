# SPDX-License-Identifier: MIT
"""Publishes a load while the server comes and goes, and knows what was confirmed."""

import asyncio
import threading
import time

from support import PATIENCE, SUBJECT

PORTION = 50
RATE = 1500  # events a second, at most


class Publisher:
    """A thread that publishes events 0, 1, 2, ... of a load, each until a stream has confirmed it.
    An event whose confirmation was lost is published again with its Nats-Msg-Id. A stream has it
    once, unless a server was killed that had it drained already: then it forgets such names."""

    def __init__(self, url, load, subject_of=lambda event: SUBJECT, **credentials):
        self.url = url
        self.subject_of = subject_of
        self.credentials = credentials
        self.load = load
        self.events = []  # all that were begun
        self.repeated = set()  # event_id of those that were published more than once
        self.ended = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        """All that was begun is confirmed after this. The events."""
        self.ended.set()
        self.thread.join(PATIENCE)
        if self.failure is not None:
            raise self.failure
        assert not self.thread.is_alive(), "the publisher hangs"
        return self.events

    def _run(self):
        try:
            asyncio.run(self._publish_all())
        except Exception as error:  # told by stop()
            self.failure = error

    async def _publish_all(self):
        import nats

        async def ignore(_):
            pass

        client = await nats.connect(
            self.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=ignore,
            **self.credentials,
        )
        jetstream = client.jetstream(timeout=2)
        while not self.ended.is_set():
            first = len(self.events)
            portion = [self.load.event(index) for index in range(first, first + PORTION)]
            self.events += portion
            pause = asyncio.sleep(PORTION / RATE)  # the pace of the load
            await asyncio.gather(pause, *(self._publish(jetstream, event) for event in portion))
        await client.close()

    async def _publish(self, jetstream, event):
        import nats.errors
        import nats.js.errors

        # That there is no leader is said at once, and an election takes as long as it takes.
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                headers = {"Nats-Msg-Id": event.row["event_id"]}
                await jetstream.publish(self.subject_of(event), event.data, headers=headers)
                return
            except (nats.errors.Error, nats.js.errors.Error, asyncio.TimeoutError):
                self.repeated.add(event.row["event_id"])
                await asyncio.sleep(0.1)  # not more often
        raise AssertionError("no stream confirms an event")
