# SPDX-License-Identifier: MIT
"""One table that went through all there is: written by 0.1.0, then by two instances, with properties
set by another engine, columns that came later, checkpoints, a log whose beginning is gone, small files
merged, and the oldest rows expired. Each engine that reads the log must have the same rows of each version, those of plain files the same of
the newest one; and each that maintains tables does so to a copy, after which varve goes on. Then what Spark
makes of typed tables, and varve of its RESTORE and of its shallow clones."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import deltalake
import duckdb
import polars
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from generator import Load
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from spark_support import Spark, has
from support import PATIENCE, SUBJECT, VARVE, Runner, Server, verify, wait_for
from test_followers import FAST, event
from test_payloads import SYNTAXES, fill, random_type, same, wanted

OLD = Path(__file__).parent / "old_store"
OTHER = "other.events"
INTERVAL = 10  # commits between checkpoints
SAMPLE = 5  # versions that Spark reads, which takes seconds each

pytestmark = pytest.mark.timeout(1200)


# ---- engines -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    spark = Spark(tmp_path_factory.mktemp("spark"))
    yield spark
    spark.close()


def read_deltalake(root, version=None):
    return deltalake.DeltaTable(root, version=version).to_pyarrow_table()


def read_polars(root, version=None):
    return polars.scan_delta(str(root), version=version).collect().to_arrow()


def maintain_deltalake(root):
    table = deltalake.DeltaTable(root)
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    table.create_checkpoint()
    table.cleanup_metadata()


def files(root):
    """By the glob that the README gives for the default template: no checkpoint, no quarantine."""
    return f"{root}/[!_]*/*/*/*.parquet"


def read_duckdb_files(root):
    query = f"SELECT * FROM read_parquet('{files(root)}', union_by_name=true)"
    return duckdb.sql(query).arrow().read_all()


def read_polars_files(root):
    newest = max(root.glob("[!_]*/*/*/*.parquet"), key=lambda p: p.stat().st_mtime_ns)
    schema = polars.read_parquet_schema(newest)
    frame = polars.scan_parquet(files(root), missing_columns="insert", schema=schema)
    return frame.collect().to_arrow()


def read_pyarrow_files(root):
    paths = sorted(root.glob("[!_]*/*/*/*.parquet"), key=lambda p: p.stat().st_mtime_ns)
    schema = pq.read_schema(paths[-1])
    return ds.dataset([str(p) for p in paths], schema=schema).to_table()


def read_chdb(root):
    """ClickHouse in a process of its own: it opens nothing outside of the current folder."""
    query = f"SELECT * FROM deltaLakeLocal('{root}')"
    query += " SETTINGS output_format_parquet_string_as_string=0"
    script = "import chdb, sys; sys.stdout.buffer.write(chdb.query(sys.argv[1], 'Parquet').bytes())"
    command = [sys.executable, "-c", script, query]
    out = subprocess.run(command, cwd=root.parent, capture_output=True, timeout=PATIENCE)
    assert out.returncode == 0, out.stderr.decode()
    return pq.read_table(pa.BufferReader(out.stdout))


# ---- rows ----------------------------------------------------------------------------------------


def plain(value):
    return value.encode() if isinstance(value, str) else value


def digest(table):
    """Of columns by name and rows in any order; texts are bytes, times microseconds."""
    columns = {}
    for name in sorted(table.column_names):
        column = table[name]
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
        columns[name] = [plain(value) for value in column.to_pylist()]
    rows = sorted(zip(*columns.values(), strict=True), key=repr)
    return list(columns), len(rows), hashlib.sha256(repr(rows).encode()).hexdigest()


class Table:
    """The table, and what was published to become its rows."""

    def __init__(self, server, directory):
        self.server = server
        self.runner = Runner(directory, server)
        self.root = self.runner.output
        self.rows = {}
        self.expect(Load(seed=12, simulations=1).run(40), "logging.events.raw", None)

    def expect(self, messages, subject, header):
        for i, message in enumerate(messages):
            row = {**message.row, "nats_subject": subject}
            row["headers"] = header if i % 3 == 0 else None
            self.rows[row["event_id"]] = row

    def publish(self, seed, count, subject):
        messages = list(Load(seed=seed, simulations=2).run(count))

        async def work(js):
            for i, message in enumerate(messages):
                await js.publish(subject, message.data, headers={"A": "b"} if i % 3 == 0 else None)

        self.server.ask(work)
        self.expect(messages, subject, b"NATS/1.0\r\nA: b\r\n\r\n")

    def drain(self, name="one", root=None):
        source = {"delivery": "position", "consumer": name}
        if name == "two":
            source |= {"stream": "OTHER", "subjects": OTHER}
        self.runner.once(
            nats={"name": name},
            sources=[source],
            batching={"max_rows": 5},
            output={"log_output_directory": str(root or self.root)},
        )

    def keep(self, command, *options, root=None):
        command = [VARVE, command, root or self.root, *options]
        run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def expire_the_oldest(self):
        """Publish events that are older than all others by days, and have them go."""
        hours = {seed: Load(seed=seed).timestamp(100, 0) for seed in range(100, 200)}
        seed = min(hours, key=hours.get)
        rows = dict(self.rows)
        next_oldest = min(row["timestamp_ns"] for row in rows.values())
        assert next_oldest - hours[seed] > 2 * 86400 * 10**9
        self.publish(seed, 30, SUBJECT)
        self.drain("one")
        assert len(self.rows) == len(rows) + 30
        hours_ago = (time.time_ns() - next_oldest) // (3600 * 10**9) + 24
        assert "gone: 0" not in self.keep("expire", "--older-than", f"{hours_ago}h")
        self.rows = rows

    def log(self, pattern):
        return sorted(int(p.name[:20]) for p in (self.root / "_delta_log").glob(pattern))

    def check(self, table):
        """These are all that was published, in every column that the publisher knows."""
        assert table.num_rows == len(self.rows)
        for row in table.to_pylist():
            wanted = self.rows[row["event_id"]]
            old = row["headers"] is None and row["event_time"] is None
            for name, value in wanted.items():
                if not (old and name in ("event_time", "headers")):
                    assert plain(row[name]) == plain(value), name


@pytest.fixture(scope="module")
def table(any_server_binary, tmp_path_factory):
    directory = tmp_path_factory.mktemp("judges")
    server = Server(any_server_binary, directory / "nats").start()
    table = Table(server, directory)
    shutil.copytree(OLD, table.root)
    server.add_stream(subjects=[SUBJECT])
    server.add_stream("OTHER", subjects=[OTHER])
    properties = {"delta.checkpointInterval": str(INTERVAL)}
    deltalake.DeltaTable(table.root).alter.set_table_properties(properties)
    table.publish(21, 60, SUBJECT)
    table.drain("one")
    table.publish(22, 40, OTHER)
    table.drain("two")
    # The beginning of the log is old enough to go, at the next checkpoint.
    month = time.time() - 90 * 86400
    [first, *_] = wait_for(lambda: table.log("*.checkpoint.parquet"), "a checkpoint")
    for version in range(first + 1):
        path = table.root / "_delta_log" / f"{version:020}.json"
        if path.exists():
            os.utime(path, (month, month))
    merged = len(list(table.root.glob("[!_]*/*/*/*.parquet")))
    table.keep("compact", "--after", "0s")
    assert len(list(table.root.glob("[!_]*/*/*/*.parquet"))) < merged - 10
    table.expire_the_oldest()
    table.settled = table.log("*.json")[-1]  # older versions need files that were merged
    table.publish(23, 60, SUBJECT)
    table.drain("one")
    table.publish(24, 60, OTHER)
    table.drain("two")
    yield table
    table.runner.close()
    server.stop()


# ---- tests ---------------------------------------------------------------------------------------


def test_readers_of_the_log_have_the_same_rows_of_each_version(table, spark):
    first, last = table.log("*.checkpoint.parquet")[0], table.log("*.json")[-1]
    assert 0 < first < last - INTERVAL and 0 < table.log("*.json")[0] <= first <= table.settled
    versions = range(table.settled, last + 1)
    found = {v: digest(read_deltalake(table.root, v)) for v in versions}
    assert {v: digest(read_polars(table.root, v)) for v in versions} == found
    assert len({rows for _, rows, _ in found.values()}) > 20  # versions differ
    for version in [*versions[:: -(-len(versions) // SAMPLE)], last]:
        assert digest(spark.read(table.root, version)) == found[version], version
    table.check(read_deltalake(table.root))


@pytest.mark.parametrize(
    "read",
    [read_deltalake, read_duckdb_files, read_polars_files, read_pyarrow_files, read_chdb],
    ids=lambda f: f.__name__,
)
def test_newest_rows(table, read):
    if read is read_chdb and not has("chdb"):
        pytest.skip("chdb is not here: see tools/setup")
    found = read(table.root)
    assert digest(found) == digest(read_polars(table.root))
    if read is not read_chdb:
        table.check(found)


def test_newest_rows_in_spark(table, spark):
    found = spark.rows(files=f"{table.root}/[!_]*/*/*/*.parquet")
    assert found.num_rows == len(table.rows)
    table.check(spark.read(table.root))


def test_spark_finds_partitions(table, spark, tmp_path):
    root = tmp_path / "hive"
    template = "simulation_id={simulation_id}/date={YYYY-MM-DD}/hour={HH}/{first_seq}.parquet"
    table.runner.once(
        nats={"name": "hive"},
        sources=[{"delivery": "position", "consumer": "hive"}],
        output={"log_output_directory": str(root), "path_template": template},
    )
    rows = {row["event_id"]: row for row in read_deltalake(root).to_pylist()}
    found = spark.rows(files=root)
    assert found.num_rows == len(rows) > 0
    for row in found.to_pylist():
        wanted = rows[row["event_id"]]
        assert row["simulation_id"] == (wanted["simulation_id"] or None)
        assert f"{row['date']} {row['hour']}" == f"{wanted['event_time']:%Y-%m-%d %H}"


def test_versions_stay_where_merged_files_are_kept(table, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(table.root, copy, copy_function=shutil.copy2)
    last = table.log("*.json")[-1]
    table.keep("compact", "--after", "0s", "--keep-replaced", "7d", root=copy)
    assert deltalake.DeltaTable(copy).version() > last
    for version in [*range(table.settled, last, SAMPLE), last]:
        wanted = digest(read_deltalake(table.root, version))
        for read in (read_deltalake, read_polars):
            assert digest(read(copy, version)) == wanted, version
    for read in (read_deltalake, read_polars):
        table.check(read(copy))


@pytest.mark.parametrize("engine", ["deltalake", "spark"])
def test_varve_goes_on_after_maintenance_by_others(table, engine, request, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(table.root, copy, copy_function=shutil.copy2)
    before = digest(read_deltalake(copy))
    if engine == "spark":
        request.getfixturevalue("spark").maintain(copy)
    else:
        maintain_deltalake(copy)
    fewer, many = (len(deltalake.DeltaTable(root).file_uris()) for root in (copy, table.root))
    assert fewer < many
    assert digest(read_deltalake(copy)) == digest(read_polars(copy)) == before
    assert verify(copy)["findings"] == []
    rows = dict(table.rows)
    seed = 30 + (engine == "spark")
    table.publish(seed, 20, SUBJECT)
    table.publish(seed + 10, 20, OTHER)
    for name in ("one", "two"):
        table.drain(name, copy)
        table.drain(name)  # the table itself, for whoever comes next
    assert len(table.rows) == len(rows) + 40
    for read in (read_deltalake, read_polars):
        table.check(read(copy))
    if engine == "spark":
        table.check(request.getfixturevalue("spark").read(copy))
    assert verify(copy)["findings"] == []
    assert verify(table.root)["findings"] == []


def row_groups(path):
    """The bytes of each: all of its pages, which varve has in one piece."""
    data, metadata = path.read_bytes(), pq.read_metadata(path)
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        columns = [group.column(i) for i in range(group.num_columns)]
        start = min(c.dictionary_page_offset or c.data_page_offset for c in columns)
        yield data[start : start + sum(c.total_compressed_size for c in columns)]


def test_row_groups_that_compaction_has_copied(any_server, tmp_path, request):
    """Large ones are taken over byte for byte, behind and in front of small ones that are encoded anew:
    all engines find the same rows as in the files before, by indexes and bounds as well."""
    runner = Runner(tmp_path, any_server)
    root, glob = runner.output, "all/of/them/*.parquet"
    template = "all/of/them/{first_seq}-{last_seq}.parquet"
    output = {"log_output_directory": str(root), "path_template": template}
    any_server.add_stream()
    for count in (30_000, 10, 30_000):
        any_server.generate(count)
        runner.once(batching={"max_rows": 60_000}, output=output)
    before = sorted(root.glob(glob), key=lambda p: p.stat().st_mtime_ns)
    wanted, groups = digest(read_pyarrow_files(root)), [list(row_groups(p)) for p in before]
    run = [VARVE, "compact", "--after", "0s", root]
    subprocess.run(run, check=True, timeout=PATIENCE)
    [merged] = root.glob(glob)
    [first, small, last] = row_groups(merged)
    assert [[first], [last]] == [groups[0], groups[2]] and small != groups[1][0]
    readers = [read_deltalake, read_polars, read_duckdb_files, read_polars_files]
    for read in [*readers, read_pyarrow_files]:
        assert digest(read(root)) == wanted, read
    pq.ParquetFile(merged, page_checksum_verification=True).read()
    for sequence in (1, 29_999, 30_005, 30_011, 60_010):
        query = f"SELECT event_id FROM '{merged}' WHERE stream_seq = {sequence}"
        [row] = pq.read_table(merged, filters=[("stream_seq", "=", sequence)]).to_pylist()
        assert duckdb.sql(query).fetchall() == [(row["event_id"],)]
        frame = polars.scan_delta(str(root)).filter(polars.col("stream_seq") == sequence)
        assert frame.collect()["event_id"].to_list() == [row["event_id"]]
    assert verify(root, "--server", any_server.url)["findings"] == []
    runner.close()
    assert digest(request.getfixturevalue("spark").read(root)) == wanted


# ---- what Spark alone can tell -------------------------------------------------------------------


def widened(files, _):
    """The same types, of which each message has a field more; and Python's class of t.A."""
    for message in files[-1].message_type[:3]:
        field = message.field.add(name="more", number=900, label=1, type=11)
        field.type_name = ".google.protobuf.Timestamp"
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    return files, message_factory.GetMessageClass(pool.FindMessageTypeByName("t.A"))


def literal(value):
    """Of SQL; the session's times are UTC."""
    if hasattr(value, "year"):
        return f"TIMESTAMP'{value:%Y-%m-%d %H:%M:%S.%f}'"
    return "NULL" if value is None else str(value)


def test_spark_reads_typed_tables(any_server, varve, spark):
    """Structs, lists and maps of any depth, decimals and times, and a field more of each message
    later: the values are those of Python's protobuf, and the rows those of deltalake."""
    chance = random.Random(5)
    any_server.add_stream()
    types = {f"t{n}": random_type(chance, SYNTAXES[n % 3]) for n in range(2)}
    sent = {name: [] for name in types}
    for change in (lambda files, kind: (files, kind), widened):
        payloads = []
        for name, (files, kind) in types.items():
            files, kind = change(files, kind)
            path = varve.directory / f"{name}-{change.__name__}.binpb"
            path.write_bytes(descriptor_pb2.FileDescriptorSet(file=files).SerializeToString())
            payload = {"event_type": name, "format": "protobuf", "message": "t.A"}
            payloads.append({**payload, "descriptor_set": str(path)})
            made = [kind() for _ in range(15)]
            for message in made:
                fill(chance, message)
            bodies = enumerate(message.SerializeToString() for message in made)
            any_server.publish(event(n, body, name) for n, body in bodies)
            sent[name] += made
        varve.once(**FAST, payloads=payloads, followers=[{"name": "typed", "kind": "table"}])
    schemas = ""
    for name, messages in sent.items():
        root = f"{varve.output}-types/{name}"
        table = spark.read(root).sort_by("stream_seq")
        assert digest(table) == digest(read_deltalake(root))
        schemas += str(table.schema)
        for row, message in zip(table.to_pylist(), messages, strict=True):
            assert row["payload_error"] is None
            for column, value in wanted(message).items():
                assert same(row[column], value), (name, column)
        chosen = table.select(
            [f.name for f in table.schema if pa.types.is_decimal(f.type) or f.name == "event_time"]
        ).to_pylist()
        where = " AND ".join(f"{key} <=> {literal(value)}" for key, value in chosen[-1].items())
        query = f"SELECT count(*) FROM delta.`{root}` WHERE {where}"
        assert spark.ask(sql=query)["rows"] == [[chosen.count(chosen[-1])]], where
    for part in ("struct<", "list<", "map<", "decimal128(20, 0)", "timestamp[us"):
        assert part in schemas, part


def sequences(table):
    return Counter(table["stream_seq"].to_pylist())


def test_spark_restores_a_version(any_server, varve, spark):
    """Back while varve runs, and forth again while it is stopped: it is said, nothing is stored
    twice, and what comes is there."""
    root, batching = varve.output, {"max_age": "200ms"}

    def restore(version):
        deltalake.DeltaTable(root).alter.set_table_properties({"delta.appendOnly": "false"})
        spark.ask(sql=f"RESTORE TABLE delta.`{root}` TO VERSION AS OF {version}")

    def goes_on(run):
        line = run.wait_line("rows_removed")
        assert "RESTORE" in line["text"] and "not fetched again" in line["text"]
        wait_for(lambda: any_server.unacked() == 0 == any_server.consumer().num_pending, "acked")
        assert run.stop() == 0 and len(run.lines("rows_removed")) == 1

    any_server.generate(20, seed=1)
    run = varve.start(batching=batching)
    run.wait_rows(20)
    first = deltalake.DeltaTable(root).version()
    any_server.generate(15, seed=2)
    run.wait_rows(35)
    second = deltalake.DeltaTable(root).version()
    restore(first)
    any_server.generate(10, seed=3)
    goes_on(run)
    there = dict.fromkeys([*range(1, 21), *range(36, 46)], 1)
    assert sequences(read_deltalake(root)) == there
    restore(second)
    any_server.generate(5, seed=4)
    goes_on(varve.start(batching=batching))
    there = dict.fromkeys([*range(1, 36), *range(46, 51)], 1)
    assert sequences(spark.read(root)) == sequences(read_deltalake(root)) == there
    out = verify(root, status=1)["findings"]  # until VACUUM readers of the directory find them
    assert out and all("is not in the log" in finding["text"] for finding in out)
    table = deltalake.DeltaTable(root)
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert verify(root)["findings"] == [] and sequences(read_deltalake(root)) == there
    assert sequences(read_pyarrow_files(root)) == there


def run_varve(*arguments):
    command = [VARVE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


def test_shallow_clones(any_server, varve, spark, tmp_path):
    """One has no files of its own: varve neither reads it nor writes to it, and says why. It can be
    read for as long as those are there that it refers to."""
    notes = {"event_type": "note", "format": "json", "columns": ["n integer $.n"]}
    typed = {"payloads": [notes], "followers": [{"name": "typed", "kind": "table"}]}
    any_server.add_stream()
    for begin in (0, 20):
        any_server.publish(event(n, f'{{"n": {n}}}', "note") for n in range(begin, begin + 20))
        varve.once(**FAST, **typed)
    root, clone, types = varve.output, tmp_path / "clone", tmp_path / "clone-types"
    for source, to in ((root, clone), (f"{root}-types/note", types / "note")):
        spark.ask(sql=f"CREATE TABLE delta.`{to}` SHALLOW CLONE delta.`{source}`")
    before = digest(read_deltalake(root))

    def configuration(output, name="typed", kind="table", **follower):
        path = tmp_path / f"{name}-{output.name}.yaml"
        output = {"log_output_directory": str(output)}
        followers = [{"name": name, "kind": kind, **follower}]
        config = {**FAST, **typed, "followers": followers, "output": output}
        path.write_text(json.dumps(varve.config(**config)))
        return path

    for arguments in (
        ["cat", clone],
        ["verify", clone],
        ["quality", clone],
        ["inspect", clone],
        ["compact", "--after", "0s", clone],
        ["check", "-c", configuration(clone)],
        ["run", "--once", "-c", configuration(clone)],
        ["follow", "typed", "--once", "-c", configuration(clone)],
        ["follow", "more", "--once", "-c", configuration(root, "more", target=str(types))],
        ["follow", "vault", "--once", "-c"]
        + [configuration(clone, "vault", "archive", target=str(tmp_path / "vault"))],
    ):
        status, said = run_varve(*arguments)
        assert status == 1 and "is the table a shallow clone?" in said, (arguments, said)
    for table in (clone, types / "note"):
        assert len(list((table / "_delta_log").glob("*.json"))) == 1
    status, said = run_varve("compact", "--after", "0s", "--keep-replaced", "1h", root)
    assert status == 0 and "became: 1 files of 2" in said, said
    assert digest(read_deltalake(root)) == digest(spark.read(clone)) == before
