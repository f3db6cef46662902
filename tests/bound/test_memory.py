# SPDX-License-Identifier: MIT
"""memory_limit is real: the process stays below it and 16 MiB, whatever comes."""

import random
import signal

import pytest

from bound import MIB, REST, Peaks, capped
from proxy import Proxy
from support import VARVE_FAULT, Output, check_verify, wait_for

# Directories are not what is measured.
FLAT = "{simulation_id}.{first_seq}-{last_seq}.parquet"


@pytest.fixture
def drained(varve, memory_directory):
    """Drain to the end below a limit of so many MiB: the run, and its peaks."""

    def drain(limit, prefix=(), **more):
        output = {"log_output_directory": str(memory_directory / "out")}
        more["output"] = {**output, **more.get("output", {})}
        run = varve.start("--once", prefix=prefix, memory_limit=f"{limit}MiB", **more)
        peaks = Peaks(run)
        wait_for(peaks.ended, f"the end of {run.lines('committed')[-1:]}")
        assert run.wait() == 0, run.text()
        assert 1 < peaks.most["VmHWM"] <= limit + REST, (peaks.most, run.text())
        run.output = Output(memory_directory / "out")
        return run

    return drain


def rows_of(run):
    return sum(line["rows"] for line in run.lines("committed"))


@pytest.mark.parametrize("delivery", ["durable", "position"])
@pytest.mark.parametrize("limit", [32, 64])
def test_a_thousand_simulations(any_server, drained, limit, delivery):
    """Interleaved, and with no page more than the limit and the rest: an allocation beyond that
    would end the process."""
    any_server.generate(100_000, simulations=1000)
    run = drained(
        limit, capped(limit), output={"path_template": FLAT}, sources=[{"delivery": delivery}]
    )
    assert rows_of(run) == 100_000
    assert run.lines("committed", reason="memory")


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_the_smallest_limit(any_server, drained, delivery):
    any_server.generate(200_000, simulations=4)
    run = drained(16, capped(16), sources=[{"delivery": delivery}])
    assert rows_of(run) == 200_000
    assert run.lines("committed", reason="memory")


@pytest.mark.parametrize("limit", [32, 64])
def test_a_disk_that_does_not_keep_up(any_server, varve, memory_directory, tmp_path, limit):
    """The worst case: as many epochs as there may be wait for the disk while another one fills."""
    any_server.generate(100_000, simulations=1000)
    works = tmp_path / "works"
    run = varve.start(
        prefix=capped(limit),
        program=VARVE_FAULT,
        env={"VARVE_FAULT": f"fdatasync:5:slow:sticky:until={works}"},
        memory_limit=f"{limit}MiB",
        output={"log_output_directory": str(memory_directory / "out"), "path_template": FLAT},
        batching={"max_age": "5s"},
    )
    peaks = Peaks(run)
    # Thousands of files take seconds, in which all that may come does.
    wait_for(lambda: peaks.ended() or len(run.lines("committed")) >= 2, "two commits")
    works.touch()
    run.wait_rows(100_000)
    peaks.look()
    assert run.stop() == 0
    assert peaks.most["VmHWM"] <= limit + REST


def test_data_alone_is_capped(any_server, drained):
    any_server.generate(50_000, simulations=1000)
    run = drained(32, capped(32, "data"), output={"path_template": FLAT})
    assert rows_of(run) == 50_000


def test_the_default_needs_no_more_than_it_says(any_server, drained):
    any_server.generate(300_000, simulations=1000)
    run = drained(256, capped(256), output={"path_template": FLAT})
    assert rows_of(run) == 300_000


def test_the_highest_level_counts_its_tables(any_server, drained):
    any_server.generate(10_000, simulations=10)
    run = drained(64, capped(64), parquet={"compression_level": 19})
    assert rows_of(run) == 10_000


LARGE = 8 * MIB


@pytest.mark.parametrize("limit", [32, 64])
def test_messages_of_8_mib(make_server, any_server_binary, make_runner, memory_directory, limit):
    """The smallest limit has room for one at a time, which is then the whole epoch."""
    server = make_server(any_server_binary, extra=f"max_payload: {8 * MIB}")
    server.generate(12, simulations=5, payload_bytes=LARGE - 2000)
    server.generate(500, simulations=5, start_index=12)
    server.generate(3, simulations=5, payload_bytes=LARGE - 2000, start_index=512)
    runner = make_runner(server)
    output = memory_directory / "out"
    run = runner.start(
        "--once",
        prefix=capped(limit),
        memory_limit=f"{limit}MiB",
        output={"log_output_directory": str(output)},
    )
    peaks = Peaks(run)
    wait_for(peaks.ended, "the end")
    assert run.wait() == 0, run.text()
    assert peaks.most["VmHWM"] <= limit + REST
    table = Output(output).table()
    assert table["stream_seq"].to_pylist() == list(range(1, 516))
    lengths = [len(v.as_py()) for v in table["event_payload"].combine_chunks()]
    assert lengths[:12] == [LARGE - 2000] * 12 and lengths[512:] == [LARGE - 2000] * 3
    check_verify(output)


def test_large_buffers_do_not_stay(make_server, any_server_binary, make_runner):
    """What a large message took is given back, not kept for the next one."""
    server = make_server(any_server_binary, extra=f"max_payload: {8 * MIB}")
    server.generate(3, payload_bytes=LARGE - 2000)
    run = make_runner(server).start(batching={"max_age": "200ms"})
    run.wait_rows(3)
    peaks = Peaks(run)

    def small():
        peaks.most.clear()
        peaks.look()
        return peaks.most["VmRSS"] < 8

    wait_for(small, "memory is given back")
    assert run.stop() == 0


def publish_large(server, size, subject="logging.events.raw", headers=None):
    """A message that zstd can't make smaller: its bytes."""
    body = random.Random(size).randbytes(size)
    server.ask(lambda js: js.publish(subject, body, headers=headers, timeout=30))
    return body


def check_large(output, bodies, header=None):
    """These, by sequence, are what the quarantine has."""
    found = Output(output).quarantine()
    assert {row["stream_seq"]: row["payload"] for row in found} == bodies
    for row in found:
        assert row["reason"] == "too_large" and "memory_limit" in row["detail"]
        assert header is None or header in row["header"]
    check_verify(output)


@pytest.mark.parametrize("delivery", ["durable", "position"])
def test_messages_that_there_is_no_memory_for_as_rows(
    make_server, any_server_binary, make_runner, delivery
):
    """Above a quarter of the limit they become dead letters, and are held once: up to the limit."""
    server = make_server(any_server_binary, extra=f"max_payload: {33 * MIB}")
    server.generate(10)
    bodies = {11: publish_large(server, 12 * MIB, headers={"X-Run": "seven"})}
    server.generate(10, start_index=10)
    bodies[22] = publish_large(server, 9 * MIB, headers={"X-Run": "seven"})
    # What a stream's file takes at most, but for the message's own line and headers.
    bodies[23] = publish_large(server, 32 * MIB - 4096, headers={"X-Run": "seven"})
    server.generate(10, start_index=20)
    runner = make_runner(server)
    run = runner.start(
        "--once", prefix=capped(32), memory_limit="32MiB", sources=[{"delivery": delivery}]
    )
    peaks = Peaks(run)
    wait_for(peaks.ended, "the end")
    assert run.wait() == 0, run.text()
    assert peaks.most["VmHWM"] <= 32 + REST
    table = Output(runner.output).table()
    assert table["stream_seq"].to_pylist() == [s for s in range(1, 34) if s not in bodies]
    check_large(runner.output, bodies, b"X-Run: seven")


def test_a_large_message_of_one_of_several_sources(make_server, any_server_binary, make_runner):
    """The others make room for it, until what they have asked for has come or expired."""
    server = make_server(any_server_binary, extra=f"max_payload: {33 * MIB}")
    for name in ("A", "B"):
        server.generate(200, stream=name, subject=name.lower(), payload_bytes=20_000)
    publish_large(server, 20 * MIB, subject="a")
    for name in ("A", "B"):
        server.generate(200, stream=name, subject=name.lower(), payload_bytes=20_000, start_index=9)
    runner = make_runner(server)
    run = runner.start(
        "--once",
        prefix=capped(32),
        memory_limit="32MiB",
        sources=[{"stream": "A", "subjects": "a"}, {"stream": "B", "subjects": "b"}],
    )
    peaks = Peaks(run)
    wait_for(peaks.ended, "the end")
    assert run.wait() == 0, run.text()
    assert peaks.most["VmHWM"] <= 32 + REST
    assert Output(runner.output).table().num_rows == 800
    [row] = Output(runner.output).quarantine()
    assert (row["stream"], len(row["payload"])) == ("A", 20 * MIB)


def test_a_large_message_is_cut_off_and_killed(make_server, any_server_binary, make_runner):
    """In the middle of its body, again and again; then varve itself, between commit and ack. It
    comes again, and is there once."""
    server = make_server(any_server_binary, extra=f"max_payload: {33 * MIB}")
    server.generate(10)
    bodies = {11: publish_large(server, 20 * MIB)}
    server.generate(10, start_index=10)
    proxy = Proxy(server.port)
    runner = make_runner(server)
    settings = {
        "nats": {"servers": [proxy.url]},
        "memory_limit": "32MiB",
        "batching": {"max_age": "200ms"},
    }
    proxy.reset_after(7 * MIB)
    run = runner.start(prefix=capped(32), **settings)
    run.wait_line("disconnected", count=1)
    proxy.reset_after(19 * MIB)
    run.wait_line("disconnected", count=2)
    wait_for(lambda: run.lines("dead_letter"), "the message")
    wait_for(lambda: run.lines("committed", reason="memory"), "its commit")
    run.stop(signal.SIGKILL)
    runner.once(**settings)
    table = Output(runner.output).table()
    assert table["stream_seq"].to_pylist() == [s for s in range(1, 22) if s != 11]
    check_large(runner.output, bodies)
    proxy.close()


def test_a_large_message_on_a_full_disk(make_server, any_server_binary, make_runner):
    """It waits for the disk in memory, where nothing else joins it."""
    server = make_server(any_server_binary, extra=f"max_payload: {33 * MIB}")
    server.generate(100)
    bodies = {101: publish_large(server, 20 * MIB)}
    runner = make_runner(server)
    works = runner.directory / "works"
    run = runner.start(
        prefix=capped(32),
        program=VARVE_FAULT,
        env={"VARVE_FAULT": f"pwrite:6:ENOSPC:sticky:until={works}"},
        memory_limit="32MiB",
        batching={"max_age": "200ms"},
    )
    peaks = Peaks(run)
    run.wait_line("commit_failed")
    peaks.look()
    works.touch()
    run.wait_rows(101)
    peaks.look()
    assert run.stop() == 0
    assert peaks.most["VmHWM"] <= 32 + REST
    check_large(runner.output, bodies)


def test_a_message_larger_than_the_limit(make_server, any_server_binary, make_runner):
    """Only a stream in memory has one. It is named, nothing is lost, and when it is gone the others
    come."""
    server = make_server(any_server_binary, extra=f"max_payload: {40 * MIB}\nmax_pending: {80 * MIB}")
    server.add_stream("LOGGING", ["logging.events.raw"], storage="memory")
    server.generate(10)
    publish_large(server, 36 * MIB)
    runner = make_runner(server)
    run = runner.start("--once", memory_limit="32MiB")
    peaks = Peaks(run)
    wait_for(peaks.ended, "the end")
    assert run.wait() == 1
    assert "memory_limit" in run.lines("source_refused")[0]["text"], run.text()
    assert peaks.most["VmHWM"] <= 32 + REST
    assert rows_of(run) == 10
    # Who runs on names it, and waits for somebody to act.
    run = runner.start(memory_limit="32MiB", batching={"max_age": "200ms"})
    line = run.wait_line("pull", level="error")
    assert "larger" in line["text"] and "memory_limit" in line["text"]
    server.ask(lambda js: js.delete_msg("LOGGING", 11))
    server.generate(1, start_index=11)
    run.wait_rows(1)
    assert run.stop() == 0
    assert Output(runner.output).table()["stream_seq"].to_pylist() == [*range(1, 11), 12]


@pytest.mark.parametrize("subject", ["", "dead.letters"])
def test_large_dead_letters(make_server, any_server_binary, make_runner, subject):
    server = make_server(any_server_binary)
    server.add_stream("DEAD", ["dead.letters"])
    server.generate(50, corrupt=150, payload_bytes=900_000)
    run = make_runner(server).start(
        "--once", prefix=capped(32), memory_limit="32MiB", dead_letter={"subject": subject}
    )
    peaks = Peaks(run)
    wait_for(peaks.ended, "the end")
    assert run.wait() == 0, run.text()
    assert peaks.most["VmHWM"] <= 32 + REST
    assert rows_of(run) == 200
    assert bool(server.stream("DEAD").state.messages) == bool(subject)


@pytest.mark.parametrize("confirmed", [True, False])
def test_dead_letters_as_large_as_the_server_takes(
    make_server, any_server_binary, make_runner, confirmed
):
    """Held twice until they are written, then once. One that is too large with the headers that varve
    adds, or that no stream takes, goes into quarantine."""
    server = make_server(any_server_binary, extra=f"max_payload: {10 * MIB}")
    server.add_stream("DEAD", ["dead.letters"], **({} if confirmed else {"max_msg_size": MIB}))
    server.generate(10)
    bodies = {11: publish_large(server, 9 * MIB, headers={"X-Run": "seven"})}
    bodies[12] = publish_large(server, 3 * MIB)
    beyond = {13: publish_large(server, 10 * MIB - 20)}
    server.generate(10, start_index=10)
    runner = make_runner(server)
    run = runner.start(
        "--once", prefix=capped(32), memory_limit="32MiB", dead_letter={"subject": "dead.letters"}
    )
    peaks = Peaks(run)
    wait_for(peaks.ended, "the end")
    assert run.wait() == 0, run.text()
    assert peaks.most["VmHWM"] <= 32 + REST
    published = [data for *_, data in server.messages("DEAD")]
    assert published == (list(bodies.values()) if confirmed else [])
    found = Output(runner.output).quarantine()
    assert {row["stream_seq"]: row["payload"] for row in found} == (
        beyond if confirmed else {**bodies, **beyond}
    )
    check_verify(runner.output, ["11-12"] if confirmed else [])
    assert Output(runner.output).table()["stream_seq"].to_pylist() == [*range(1, 11), *range(14, 24)]


def test_ten_thousand_simulations_are_one_commit(any_server, drained):
    """With five events each, whatever order they come in: a file for each, not one for each event."""
    any_server.generate(50_000, simulations=9999)
    run = drained(256, capped(256), output={"path_template": FLAT})
    [only] = run.lines("committed")
    simulations = set(run.output.table()["simulation_id"].to_pylist())
    assert len(simulations) > 9900
    assert (only["rows"], only["files"]) == (50_000, len(simulations))
    check_verify(run.output.root)


def test_so_many_partitions_that_they_seal_the_epoch(any_server, drained):
    """Each costs memory and becomes a file, so there is an end to them in an epoch."""
    any_server.generate(12_000, simulations=9999)
    run = drained(32, capped(32), output={"path_template": FLAT})
    [first, *_] = run.lines("committed")
    assert first["reason"] == "partitions"
    assert all(line["files"] <= 2 * 1365 for line in run.lines("committed"))
    assert 1365 <= first["files"]
    assert rows_of(run) == 12_000
    check_verify(run.output.root)


def test_the_limit_is_shared_by_sources(make_server, any_server_binary, make_runner):
    """Each with messages that hardly fit, at the same time."""
    server = make_server(any_server_binary, extra=f"max_payload: {8 * MIB}")
    sources = []
    for name in ("A", "B", "C", "D"):
        server.generate(6, stream=name, subject=name.lower(), payload_bytes=2 * MIB - 1000)
        sources.append({"stream": name, "subjects": name.lower()})
    run = make_runner(server).start(
        "--once", prefix=capped(32), memory_limit="32MiB", sources=sources
    )
    peaks = Peaks(run)
    wait_for(peaks.ended, "the end")
    assert run.wait() == 0, run.text()
    assert peaks.most["VmHWM"] <= 32 + REST
    assert rows_of(run) == 24
