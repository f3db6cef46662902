# SPDX-License-Identifier: MIT
"""Every system call by which a real drain makes something durable, failed once or fatal once.

One stream; for each case a consumer and a directory of its own. build/varve-fault drains with a
fault at the n-th call of the store (src/object/fault.h), for every n that a run has; varve drains
what is left. Then each event is there, once.
"""

import asyncio
import functools
import json
import re
import shutil
import time
from pathlib import Path

import pytest

from generator import Load
from support import BUILD, PATIENCE, VARVE, VARVE_FAULT, Output, check_rows, numbered

# So large that a read of the socket takes a few of them only: a run has several epochs.
LOAD = Load(seed=31, simulations=2, payload_bytes=400_000)
COUNT = 9
AT_ONCE = 6  # cases side by side: they wait more than they work
CALLS_MAX = 400
TIMEOUT = 600  # seconds, of one of the tests here: each is hundreds of runs
KILLED = -9

pytestmark = pytest.mark.timeout(TIMEOUT)


@functools.cache
def events():
    return [LOAD.event(index) for index in range(COUNT)]


def committed(root):
    """Rows in the commit log, as it stands before any recovery."""
    return sum(json.loads(add["stats"])["numRecords"] for add in Output(root).adds())


def peak_memory(process):
    """Of a process that runs, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


class Cases:
    """Runs cases against one server, and asks all its questions on one connection."""

    def __init__(self, directory, url, js):
        self.directory = directory
        self.url = url
        self.js = js
        self.room = asyncio.Semaphore(AT_ONCE)
        rows = [event.row for event in events()]
        self.expected = {name: [row[name] for row in rows] for name in rows[0]}
        self.expected["stream_seq"] = list(range(1, COUNT + 1))

    def config(self, name):
        path = self.directory / f"{name}.yaml"
        config = {
            "nats": {"servers": [self.url]},
            "sources": [{"stream": "LOGGING", "consumer": name}],
            "batching": {"max_rows": 3},
            "output": {"log_output_directory": str(self.directory / name), "min_free": 0},
            "metrics": {"listen": "off"},
            "settings": {"log_format": "json"},
        }
        path.write_text(json.dumps(config))
        return path

    async def drain(self, program, name, fault=None):
        """The exit status of one run, and what it logged."""
        process = await asyncio.create_subprocess_exec(
            *(BUILD / program, "run", "--once", "-c", self.config(name)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={"VARVE_FAULT": fault} if fault else {},
        )
        try:
            _, log = await asyncio.wait_for(process.communicate(), PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
        return process.returncode, log.decode()

    async def ack_floor(self, name):
        """Up to where all is acked. Deliveries are in order here: nothing above it is."""
        from nats.js.errors import NotFoundError

        try:
            return (await self.js.consumer_info("LOGGING", name)).ack_floor.stream_seq
        except NotFoundError:
            return 0

    async def check_acks(self, name):
        """What is acked is committed."""
        floor = await self.ack_floor(name)
        assert floor <= committed(self.directory / name), f"{name}: acked {floor}"

    async def check_all(self, name):
        output = Output(self.directory / name)
        table = output.table()
        for column, values in self.expected.items():
            assert table[column].to_pylist() == values, (name, column)
        assert not output.leftovers(), name
        verify = await asyncio.create_subprocess_exec(
            *(VARVE, "verify", output.root), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await asyncio.wait_for(verify.communicate(), PATIENCE)
        assert verify.returncode == 0, f"{name}: {said.decode()}"
        deadline = time.monotonic() + PATIENCE
        while (floor := await self.ack_floor(name)) < COUNT:
            assert time.monotonic() < deadline, f"{name}: acked {floor}"

    async def case(self, fault):
        """The status of the run that had the fault; all else is checked."""
        async with self.room:
            name = fault.replace(":", "_")
            status, log = await self.drain("varve-fault", name, fault)
            await self.check_acks(name)
            if status != 0:
                again, more = await self.drain("varve", name)
                assert again == 0, f"{fault}: {log}{more}"
            await self.check_all(name)
            await self.js.delete_consumer("LOGGING", name)
            shutil.rmtree(self.directory / name)
            return status

    async def count_calls(self):
        """How many calls a run makes: the last that can be fatal."""
        low, high = 1, CALLS_MAX
        while low < high:
            middle = (low + high) // 2
            if await self.case(f"any:{middle}:kill") == KILLED:
                low = middle + 1
            else:
                high = middle
        return low - 1

    async def every_call(self, action):
        """The statuses of the runs in which the 1st, 2nd, ... call had the fault."""
        # A busy machine can have one make more: an epoch more.
        calls = min(await self.count_calls(), await self.count_calls())
        assert 100 < calls < CALLS_MAX
        faults = [f"any:{n}:{action}" for n in range(1, calls + 1)]
        return await asyncio.gather(*(self.case(fault) for fault in faults))


def run_cases(server, directory, work):
    """The result of the coroutine work(cases), with the events published."""
    server.add_stream()
    server.publish([event.data for event in events()])

    async def main(js):
        return await work(Cases(directory, server.url, js))

    return server.ask(main, seconds=TIMEOUT)


def test_killed_at_every_call(any_server, memory_directory):
    """Behind a call is before the next one, but for the last."""

    async def work(cases):
        statuses = await cases.every_call("kill")
        return [*statuses, await cases.case(f"any:{len(statuses)}:kill-after")]

    statuses = run_cases(any_server, memory_directory, work)
    # Reads of the socket differ a little, so the last few calls of one run may not be in another.
    assert set(statuses[:-10]) == {KILLED}


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_an_error_at_every_call(any_server, memory_directory, error):
    statuses = run_cases(any_server, memory_directory, lambda cases: cases.every_call(error))
    # Opening the table fails with a sentence. Later, every error is got over.
    assert set(statuses) == {0, 1}
    assert statuses.count(1) > 30 and set(statuses[75:]) == {0}


@pytest.mark.parametrize("fault", ["pwrite:9:ENOSPC", "fsync:40:EIO", "renameat2:6:EROFS"])
def test_an_error_that_lasts_bounds_memory(any_server, varve, tmp_path, fault):
    """More than fits into memory waits behind it; when it ends, work goes on without a restart."""
    gone = tmp_path / "gone"
    count = 60
    any_server.generate(count, seed=5, payload_bytes=1_000_000)
    run = varve.start(
        program=VARVE_FAULT,
        env={"VARVE_FAULT": f"{fault}:sticky:until={gone}"},
        memory_limit="32MiB",
        batching={"max_rows": 5, "max_age": "500ms"},
    )
    run.wait_line("commit_failed", count=4)
    assert any_server.consumer().ack_floor.stream_seq <= committed(varve.output)
    assert peak_memory(run.process) < 64 * 2**20
    assert run.process.poll() is None
    gone.touch()
    run.wait_rows(count)
    assert run.stop() == 0
    rows, _ = numbered(Load(seed=5, payload_bytes=1).run(count))
    for row in rows.values():
        del row["event_payload"]  # this much of it takes Python minutes
    check_rows(varve.output, rows)
    any_server.wait_acked(count)
