# SPDX-License-Identifier: MIT
"""Servers and varve are stopped and killed in the middle: nothing is missing, nothing twice."""

import functools
import os
import random
import signal
import socket
import struct
import threading

import pytest

from generator import Load
from support import VARVE_FAULT, Output, accepts, check_rows, numbered, wait_for

COUNT = 12000
LOAD = Load(seed=21, simulations=1, payload_bytes=2000)
# Many commits, so that there is a middle: what is asked for at once is an eighth of the memory.
SMALL = {"batching": {"max_bytes": "1MiB", "max_age": "1s"}, "memory_limit": "32MiB"}
SLOW = {"batching": {"max_age": "1h"}}  # nothing is committed before the end
# Still many, on a disk so slow that a test is in time to end something in the middle.
LAZY = {
    "batching": {"max_rows": 300},
    "program": VARVE_FAULT,
    "env": {"VARVE_FAULT": "fdatasync:1:slow:sticky"},
}


def fill(server, count):
    server.generate(count, seed=21, simulations=1, payload_bytes=2000)
    return server


@pytest.fixture
def loaded(server):
    return fill(server, COUNT)


@functools.cache
def expected_rows():
    return numbered(LOAD.run(COUNT))[0]


def check_all(varve, count=COUNT):
    check_rows(varve.output, {seq: row for seq, row in expected_rows().items() if seq <= count})


def wait_delivered(server, count):
    wait_for(lambda: server.unacked() == count, "all is delivered")


# ---- the server ----------------------------------------------------------------------------------


@pytest.mark.parametrize("delivery", ["durable", "position"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_server_goes_and_comes_back(loaded, varve, number, delivery):
    source = {"stream": "LOGGING", "delivery": delivery}
    run = varve.start(**LAZY, sources=[source])
    for turn, commits in enumerate((1, 3), 1):
        run.wait_line("committed", count=commits)
        loaded.stop(number)
        run.wait_line("disconnected", count=turn)
        loaded.start()
        run.wait_line("connected", count=turn + 1)
    run.wait_rows(COUNT)
    assert run.stop() == 0, run.text()
    check_all(varve)


def test_waits_for_a_server(any_server, varve):
    fill(any_server, 500)
    any_server.stop()
    run = varve.start("--once")
    assert "refused" in run.wait_line("connect_failed", count=2)["reason"].lower()
    any_server.start()
    assert run.wait() == 0, run.text()
    check_all(varve, 500)


def test_goes_to_another_server_of_the_list(any_server, varve):
    fill(any_server, 500)
    nobody = ["nats://127.0.0.1:1", "nats://127.0.0.1:2"]
    varve.once(nats={"servers": [*nobody, any_server.url]})
    check_all(varve, 500)


class CuttingProxy:
    """Stands between varve and the server, and resets the connection after so many bytes from the
    server, wherever in a frame that is; when the list is used up, it forwards all."""

    def __init__(self, port, cuts):
        self.target = port
        self.cuts = list(cuts)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            limit = self.cuts.pop(0) if self.cuts else None
            threading.Thread(target=self.forward, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self.forward, args=(server, client, limit), daemon=True).start()

    def forward(self, source, sink, limit):
        try:
            while data := source.recv(65536 if limit is None else min(65536, limit)):
                sink.sendall(data)
                if limit is not None:
                    limit -= len(data)
                    if limit == 0:
                        break
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.shutdown(socket.SHUT_RDWR)
                s.close()
            except OSError:
                pass

    def close(self):
        self.listener.close()


@pytest.mark.parametrize("delivery", ["durable", "position"])
@pytest.mark.parametrize("seed", [1, 2])
def test_connections_that_are_cut_anywhere(any_server, varve, delivery, seed):
    """In INFO, in an answer, in messages; each pause before the next attempt is longer, so these
    are few."""
    draw = random.Random(seed)
    cuts = [draw.randrange(1, 400), draw.randrange(400, 3000)]
    cuts += [draw.randrange(100_000, 3_000_000) for _ in range(4)]
    proxy = CuttingProxy(fill(any_server, COUNT).port, cuts)
    try:
        source = {"stream": "LOGGING", "delivery": delivery}
        servers = {"servers": [f"nats://127.0.0.1:{proxy.port}"]}
        run = varve.once(**SMALL, nats=servers, sources=[source], seconds=240)
    finally:
        proxy.close()
    assert not proxy.cuts
    assert len(run.lines("disconnected")) >= 4
    check_all(varve)


# ---- varve, killed -------------------------------------------------------------------------------


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_killed_and_started_again(loaded, varve, delivery):
    settings = {**LAZY, "sources": [{"stream": "LOGGING", "delivery": delivery}]}
    for commits in (1, 2, 2):
        run = varve.start("--once", **settings)
        run.wait_line("committed", count=commits)
        run.stop(signal.SIGKILL)
    # Not ack_wait, which is ten minutes: what the dead one held is asked for at once.
    varve.once(**settings)
    check_all(varve)


def test_killed_before_anything_was_committed(loaded, varve):
    run = varve.start(**SLOW)
    wait_delivered(loaded, COUNT)
    run.stop(signal.SIGKILL)
    varve.once(**SLOW)
    check_all(varve)


def test_killed_with_the_server(loaded, varve):
    """Neither had time to say good-bye."""
    run = varve.start("--once", **LAZY)
    run.wait_line("committed", count=3)
    loaded.process.kill()
    run.stop(signal.SIGKILL)
    loaded.stop()
    loaded.start()
    varve.once(**LAZY)
    check_all(varve)


# ---- varve, told to stop -------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_in_order(loaded, varve, number):
    """What was received is committed and acked before it exits, with status 0, within seconds."""
    run = varve.start(**SMALL)
    run.wait_line("committed", count=2)
    assert run.stop(number, seconds=60) == 0, run.text()
    assert run.lines("stopping")[0]["text"] == "stop"
    assert run.lines("stopped")
    committed = Output(varve.output).table()["stream_seq"].to_pylist()
    assert committed == list(range(1, len(committed) + 1))
    loaded.wait_acked(committed[-1])
    varve.once()
    check_all(varve)


def test_stops_while_it_waits(any_server, varve):
    """Idle, with a row that is not due yet."""
    fill(any_server, 1)
    run = varve.start(**SLOW)
    wait_delivered(any_server, 1)
    assert run.stop() == 0
    varve.once(**SLOW)
    check_all(varve, 1)


def test_stops_without_a_server(loaded, varve):
    """What it has is committed though nobody can be told; later it is not written twice."""
    run = varve.start(**SMALL)
    run.wait_line("committed", count=2)
    loaded.stop(signal.SIGKILL)
    run.wait_line("disconnected")
    assert run.stop(seconds=60) == 0, run.text()
    loaded.start()
    varve.once()
    check_all(varve)


def test_a_second_signal_ends_it_at_once(any_server, varve):
    """Both come while it is stopped, so that it can't be done with the first before the second."""
    fill(any_server, 2000)
    run = varve.start(**SLOW)
    wait_delivered(any_server, 2000)
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        run.send(number)
    assert run.wait() in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    assert not run.lines("stopped")
    varve.once(**SLOW)
    check_all(varve, 2000)


def test_a_hanging_server_does_not_hold_the_end_up_for_long(any_server, varve):
    fill(any_server, 2000)
    run = varve.start(**SLOW)
    wait_delivered(any_server, 2000)
    any_server.process.send_signal(signal.SIGSTOP)
    try:
        assert run.stop(seconds=60) == 0
    finally:
        any_server.process.send_signal(signal.SIGCONT)
    varve.once(**SLOW)
    check_all(varve, 2000)


# ---- the directory -------------------------------------------------------------------------------


def test_a_directory_that_can_not_be_made(any_server, varve):
    varve.output.write_text("a file is in the way")
    run = varve.start("--once")
    assert run.wait() == 1
    assert str(varve.output) in run.text().splitlines()[-1]


def test_a_disk_below_min_free_pauses_and_resumes(any_server, varve):
    """min_free above what any disk has: nothing is asked for, and nothing breaks."""
    fill(any_server, 100)
    run = varve.start(output={"min_free": "900000GiB"})
    assert run.wait_line("paused")["text"] == "disk"
    run.wait_line("consumer_made")
    assert run.stop() == 0
    assert Output(varve.output).files() == []
    varve.once()
    check_all(varve, 100)


def test_hangup_does_not_end_it(any_server, varve):
    fill(any_server, 10)
    run = varve.start(batching={"max_age": "300ms"})
    run.wait_line("connected")
    os.kill(run.process.pid, signal.SIGHUP)
    run.wait_rows(10)
    assert accepts(any_server.port) and run.stop() == 0
