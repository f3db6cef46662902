# SPDX-License-Identifier: MIT
"""An archive: a copy of the store that is a table of its own at any moment, whatever happens to the
store and to whoever archives it. Judged by deltalake, by varve verify, and by what the stream has."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time

import pyarrow.parquet as pq
import s3_support
from deltalake import DeltaTable, Field
from generator import reward_event
from support import VARVE, VARVE_FAULT, Output, verify, wait_for

DAY = 86400 * 10**9
FAST = {"batching": {"max_age": "200ms", "max_rows": 20}}


def publish(server, first, last, age=0):
    """Events `first` to `last`, so many days old."""
    now = time.time_ns() // DAY * DAY + DAY // 2
    server.publish(
        [reward_event(n, now - age * DAY, b"sim-%d" % (n % 2)) for n in range(first, last + 1)]
    )


def place(varve):
    return varve.directory / "vault"


def settings(varve, sources=None, **more):
    return {
        **FAST,
        **({"sources": sources} if sources else {}),
        "followers": [{"name": "vault", "kind": "archive", "target": str(place(varve)), **more}],
    }


def command(varve, *options, **more):
    path = varve.directory / "archive.yaml"
    path.write_text(json.dumps(varve.config(**settings(varve, **more))))
    return [VARVE, "follow", "vault", "-c", path, "--once", *options]


def archive(varve, *options, status=0, **more):
    done = subprocess.run(
        command(varve, *options, **more), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stderr
    return done


def run(varve, *words):
    done = subprocess.run([VARVE, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(root):
    table = DeltaTable(str(root)).to_pyarrow_table()
    return sorted(table.to_pylist(), key=lambda row: row["stream_seq"])


def sequences(root):
    return [row["stream_seq"] for row in rows(root)]


def files(root):
    return sorted(p.relative_to(root) for p in root.glob("sim-*/*/*/*.parquet"))


def check_equal(varve):
    """The same rows in the same files, and nothing else."""
    assert rows(place(varve)) == rows(varve.output)
    assert files(place(varve)) == files(varve.output)
    verify(place(varve))


def test_commit_by_commit(any_server, varve):
    any_server.add_stream()
    publish(any_server, 1, 100)
    any_server.publish([b"\xff" * 10])
    varve.once(**FAST)
    archive(varve)
    check_equal(varve)
    assert DeltaTable(str(place(varve))).version() == DeltaTable(str(varve.output)).version()
    for path in files(varve.output):
        assert (place(varve) / path).read_bytes() == (varve.output / path).read_bytes()
    for path in Output(varve.output).quarantine_files():
        relative = path.relative_to(varve.output)
        assert (place(varve) / relative).read_bytes() == path.read_bytes()
    running = varve.start(**settings(varve))
    publish(any_server, 102, 150)
    wait_for(lambda: len(sequences(place(varve))) == 149, "the rows of the running store")
    running.stop()
    check_equal(varve)


def archive_two_ages(server, varve):
    """60 events that are old enough to go, and 60 that are not."""
    server.add_stream()
    publish(server, 1, 60, age=40)
    publish(server, 61, 120, age=3)
    varve.once(**FAST)
    archive(varve)


def test_compaction_and_retention(any_server, varve):
    archive_two_ages(any_server, varve)
    run(varve, "compact", varve.output)
    archive(varve)
    check_equal(varve)
    publish(any_server, 121, 160, age=3)
    varve.once(**FAST)
    run(varve, "compact", varve.output)
    run(varve, "expire", varve.output, "--older-than", "30d")
    assert sequences(varve.output) == list(range(61, 161))
    archive(varve)
    assert sequences(place(varve)) == list(range(1, 161))
    verify(place(varve))


def test_the_archive_is_kept_by_hand(any_server, varve):
    """What is merged or expired in the archive itself stays so, and the rest goes on."""
    archive_two_ages(any_server, varve)
    before = len(files(place(varve)))
    run(varve, "compact", "--after", "0s", place(varve))
    assert len(files(place(varve))) < before
    assert sequences(place(varve)) == list(range(1, 121))
    run(varve, "expire", "--older-than", "30d", place(varve))
    assert sequences(place(varve)) == list(range(61, 121))
    publish(any_server, 121, 150)
    varve.once(**FAST)
    archive(varve)
    assert sequences(place(varve)) == list(range(61, 151))
    run(varve, "compact", varve.output)
    archive(varve)
    assert sequences(place(varve)) == list(range(61, 151))
    assert verify(place(varve))["findings"] == []


def test_manifests_of_what_is_kept_by_hand(any_server, varve):
    """They name what is there, also after files were merged or have expired in the archive itself."""
    any_server.add_stream()
    publish(any_server, 1, 60, age=40)
    publish(any_server, 61, 120, age=3)
    varve.once(**FAST)
    archive(varve)  # when they are asked for, they have what was there before
    for words in ((), ("compact", "--after", "0s"), ("expire", "--older-than", "30d")):
        if words:
            run(varve, *words, place(varve))
        publish(any_server, 1, 10)
        varve.once(**FAST)
        archive(varve, manifest=True)
        check_manifests(varve)


def check_manifests(varve):
    for simulation in ("sim-0", "sim-1"):
        folder = place(varve) / simulation
        listed = (folder / "manifest-sha256.txt").read_text().splitlines()
        named = sorted(line.split("  ", 1)[1] for line in listed)
        assert named == sorted(str(p.relative_to(folder)) for p in folder.glob("*/*/*.parquet"))
        subprocess.run(
            ["sha256sum", "--check", "--strict", "--quiet", "manifest-sha256.txt"],
            cwd=folder,
            check=True,
        )


def clean_up(root):
    """A checkpoint, and the removal of all entries, as if they were old."""
    then = time.time() - 90 * 86400
    for path in (root / "_delta_log").glob("*.json"):
        os.utime(path, (then, then))
    table = DeltaTable(str(root))
    table.create_checkpoint()
    table.cleanup_metadata()


def optimize(root):
    """By another engine: its files do not say which rows are in them."""
    table = DeltaTable(str(root))
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


def test_it_was_away_while_all_was_moved(any_server, varve):
    """Rewritten by varve and by another engine, partly expired, and the log begins later now."""
    any_server.add_stream()
    publish(any_server, 1, 60, age=40)
    publish(any_server, 61, 120, age=3)
    varve.once(**FAST)
    archive(varve)
    publish(any_server, 121, 160, age=3)
    varve.once(**FAST)
    optimize(varve.output)
    run(varve, "expire", varve.output, "--older-than", "30d")
    publish(any_server, 161, 180, age=3)
    varve.once(**FAST)
    archive(varve)
    assert sequences(place(varve)) == list(range(1, 181))
    optimize(varve.output)
    publish(any_server, 181, 200, age=3)
    varve.once(**FAST)
    clean_up(varve.output)
    publish(any_server, 201, 220, age=3)
    varve.once(**FAST)
    archive(varve)
    assert sequences(place(varve)) == list(range(1, 221))
    verify(place(varve))
    archive(varve)
    assert "0 rows" in archive(varve).stdout


STREAMS = ("A", "B")


def publish_to_both(server, first, last, age):
    """The same sequences in two streams."""
    now = time.time_ns() // DAY * DAY + DAY // 2 - age * DAY
    for stream in STREAMS:
        simulation = b"sim-" + stream.encode()
        events = [reward_event(n, now + n, simulation) for n in range(first, last + 1)]
        server.publish(events, f"events.{stream}")


def named_rows(root):
    """In an order that does not depend on the files."""
    table = DeltaTable(str(root)).to_pyarrow_table().to_pylist()
    return sorted(table, key=lambda row: (row["simulation_id"], row["stream_seq"]))


def test_streams_that_another_engine_has_mixed(any_server, varve):
    """Away while rows of two streams were merged into one file, some expired, and the log was
    cleaned up: which rows are archived is told by all that they have."""
    for stream in STREAMS:
        any_server.add_stream(stream, [f"events.{stream}"])
    sources = [{"stream": name, "subjects": [f"events.{name}"]} for name in STREAMS]
    config = {**FAST, "sources": sources}
    publish_to_both(any_server, 1, 40, age=40)
    publish_to_both(any_server, 41, 90, age=3)
    varve.once(**config)
    archive(varve, sources=sources)
    everything = named_rows(varve.output)
    assert len(everything) == 180
    run(varve, "expire", varve.output, "--older-than", "30d")
    publish_to_both(any_server, 91, 120, age=3)
    varve.once(**config)
    optimize(varve.output)
    clean_up(varve.output)
    publish_to_both(any_server, 121, 130, age=3)
    varve.once(**config)
    found = verify(place(varve), "--against", varve.output, status=1)["findings"]
    assert [f["text"] for f in found] == [
        "80 rows are not in it, or with other values: sequences 91-130 of streams that another "
        "engine has mixed"
    ]
    archive(varve, sources=sources)
    everything = [r for r in everything if r["stream_seq"] <= 40] + named_rows(varve.output)
    everything.sort(key=lambda row: (row["simulation_id"], row["stream_seq"]))
    assert named_rows(place(varve)) == everything and len(everything) == 260
    assert verify(place(varve), "--against", varve.output)["findings"] == []
    assert verify(place(varve))["findings"] == []
    # And the archive's own files, which are mixed now, once more.
    publish_to_both(any_server, 131, 140, age=3)
    varve.once(**config)
    optimize(varve.output)
    clean_up(varve.output)
    publish_to_both(any_server, 141, 145, age=3)
    varve.once(**config)
    archive(varve, sources=sources)
    assert len(named_rows(varve.output)) == 210
    assert named_rows(place(varve))[:40] == everything[:40]
    assert [(r["simulation_id"], r["stream_seq"]) for r in named_rows(place(varve))] == [
        (f"sim-{stream}", n) for stream in STREAMS for n in range(1, 146)
    ]
    assert verify(place(varve), "--against", varve.output)["findings"] == []
    assert "0 rows" in archive(varve, sources=sources).stdout


def test_added_when_the_log_begins_later(any_server, varve):
    any_server.add_stream()
    publish(any_server, 1, 100)
    any_server.publish([b"\xff" * 10])
    varve.once(**FAST)
    clean_up(varve.output)
    publish(any_server, 102, 140)
    varve.once(**FAST)
    archive(varve)
    check_equal(varve)
    assert len(list(place(varve).glob("_quarantine/*"))) == 1


def test_compressed_anew_with_manifests(any_server, varve):
    any_server.add_stream()
    publish(any_server, 1, 400)
    varve.once(**FAST)
    more = {"compression_level": 19, "manifest": True}
    archive(varve, **more)
    run(varve, "compact", varve.output)
    publish(any_server, 401, 450)
    varve.once(**FAST)
    archive(varve, **more)
    assert rows(place(varve)) == rows(varve.output)
    assert files(place(varve)) == files(varve.output)
    verify(place(varve))
    for simulation in ("sim-0", "sim-1"):
        folder = place(varve) / simulation
        listed = (folder / "manifest-sha256.txt").read_text().splitlines()
        assert len(listed) == len(list(folder.glob("*/*/*.parquet")))
        subprocess.run(
            ["sha256sum", "--check", "--strict", "manifest-sha256.txt"], cwd=folder, check=True
        )


def test_killed_again_and_again(any_server, varve):
    """At any moment a table of its own, which has no row twice and none that it lost again."""
    draw = random.Random(7)
    any_server.add_stream()
    known = 0
    for round_ in range(12):
        publish(any_server, round_ * 60 + 1, round_ * 60 + 60)
        varve.once(**FAST)
        if round_ % 4 == 2:
            run(varve, "compact", varve.output)
        for _ in range(3):
            process = subprocess.Popen(
                command(varve, manifest=True, bandwidth="200KiB"), stdout=subprocess.DEVNULL
            )
            time.sleep(draw.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
            process.wait(60)
            if list(place(varve).glob("_delta_log/*0.json")):
                found = sequences(place(varve))
                assert found == sorted(set(found)) and len(found) >= known
                known = len(found)
                verify(place(varve))
    archive(varve, manifest=True)
    check_equal(varve)
    for simulation in ("sim-0", "sim-1"):
        subprocess.run(
            ["sha256sum", "--check", "--strict", "manifest-sha256.txt"],
            cwd=place(varve) / simulation,
            check=True,
        )


def test_a_store_is_rebuilt_from_its_archive(any_server, varve):
    """What the archive lacked is fetched again, as far as the stream has it."""
    any_server.add_stream()
    publish(any_server, 1, 60, age=40)
    publish(any_server, 61, 120)
    varve.once(**FAST)
    archive(varve)
    run(varve, "expire", varve.output, "--older-than", "30d")
    publish(any_server, 121, 140)
    varve.once(**FAST)
    archive(varve)
    publish(any_server, 141, 160)
    varve.once(**FAST)
    shutil.rmtree(varve.output)
    shutil.copytree(place(varve), varve.output)
    publish(any_server, 161, 200)
    varve.once(**FAST)
    assert sequences(varve.output) == list(range(1, 201))
    verify(varve.output)
    archive(varve)
    assert sequences(place(varve)) == list(range(1, 201))
    verify(place(varve))


def test_others_compact_the_archive(any_server, varve):
    any_server.add_stream()
    publish(any_server, 1, 100)
    varve.once(**FAST)
    archive(varve)
    optimize(place(varve))
    publish(any_server, 101, 150)
    varve.once(**FAST)
    run(varve, "compact", varve.output)
    archive(varve)
    assert sequences(place(varve)) == list(range(1, 151))
    run(varve, "compact", place(varve))
    optimize(varve.output)
    archive(varve)
    assert sequences(place(varve)) == list(range(1, 151))
    verify(place(varve))


def test_columns_that_come_later(any_server, varve):
    any_server.add_stream()
    publish(any_server, 1, 40)
    varve.once(**FAST)
    archive(varve)
    DeltaTable(str(varve.output)).alter.add_columns([Field("remark", "string")])
    publish(any_server, 41, 60)
    varve.once(**FAST)
    archive(varve)
    check_equal(varve)
    assert "remark" in [field.name for field in DeltaTable(str(place(varve))).schema().fields]


def test_bandwidth(any_server, varve):
    any_server.add_stream()
    publish(any_server, 1, 200)
    varve.once(**FAST)
    size = sum((varve.output / path).stat().st_size for path in files(varve.output))
    begin = time.monotonic()
    archive(varve, bandwidth=size // 4)
    assert time.monotonic() - begin > 2.5  # a second's worth may come at once
    check_equal(varve)


def test_damage_is_not_archived(any_server, varve):
    any_server.add_stream()
    publish(any_server, 1, 40)
    varve.once(**FAST)
    damaged = varve.output / files(varve.output)[0]
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    assert f"{files(varve.output)[0]} has other bytes" in archive(varve, status=1).stderr


def hashes(root):
    return {path: hashlib.sha256((root / path).read_bytes()).hexdigest() for path in files(root)}


def level(root):
    """Of each file of a table: what its log says it was compressed with, and that it is so."""
    found = {}
    for path in (root / "_delta_log").glob("*[0-9].json"):
        for line in path.read_text().splitlines():
            add = json.loads(line).get("add")
            if add and (root / add["path"]).exists():
                found[add["path"]] = add["tags"].get("varve.level")
    return set(found.values())


def made_anew(varve, **more):
    """How many files came again, since they were damaged, and to be compressed in another way."""
    lines = map(json.loads, archive(varve, "--restart", **more).stderr.splitlines())
    (told,) = [line for line in lines if line["event"] == "archive_anew"]
    return told["mended"], told["compressed"]


def test_made_anew(any_server, varve):
    """What is damaged, or gone, comes again, and what is compressed in another way than it is to be;
    what the store has not any more stays."""
    any_server.add_stream()
    publish(any_server, 1, 60, age=40)
    publish(any_server, 61, 200, age=3)
    varve.once(**FAST)
    archive(varve, manifest=True)
    run(varve, "expire", varve.output, "--older-than", "30d")
    archive(varve, manifest=True)
    whole, before = rows(place(varve)), hashes(place(varve))
    assert len(whole) == 200 and sequences(varve.output) == list(range(61, 201))
    common = [path for path in before if (varve.output / path).exists()]
    assert len(common) >= 4 and len(before) > len(common)

    data = bytearray((place(varve) / common[0]).read_bytes())
    data[len(data) // 2] ^= 1
    (place(varve) / common[0]).write_bytes(data)
    (place(varve) / common[1]).unlink()
    (place(varve) / common[2]).write_bytes(data[:1000])
    version = DeltaTable(str(place(varve))).version()
    archive(varve, manifest=True)  # which does not look at what it has
    assert hashes(place(varve)) != before
    assert made_anew(varve, manifest=True) == (3, 0)
    assert hashes(place(varve)) == before and rows(place(varve)) == whole
    assert DeltaTable(str(place(varve))).version() > version
    assert verify(place(varve), "--against", varve.output)["findings"] == []
    check_manifests(varve)

    publish(any_server, 201, 240, age=3)
    varve.once(**FAST)
    for number, wanted in ((19, "19"), (3, "3"), (0, None)):
        more = {"compression_level": number, "manifest": True}
        assert made_anew(varve, **more) == (0, len(common))
        common = [path for path in files(place(varve)) if (varve.output / path).exists()]
        assert sequences(place(varve)) == list(range(1, 241)) and wanted in level(place(varve))
        assert rows(place(varve))[60:] == rows(varve.output)
        assert not list(place(varve).glob("_anew/**/*"))
        assert verify(place(varve), "--against", varve.output)["findings"] == []
        check_manifests(varve)
        assert made_anew(varve, **more) == (0, 0)
    for path in common:
        assert (place(varve) / path).read_bytes() == (varve.output / path).read_bytes()
    for path in set(before) - set(common):
        assert hashes(place(varve))[path] == before[path]


def test_made_anew_of_a_damaged_store(any_server, varve):
    """A file that is damaged in the store, too, stays in the archive as it is."""
    any_server.add_stream()
    publish(any_server, 1, 40)
    varve.once(**FAST)
    archive(varve)
    name = files(varve.output)[0]
    for root in varve.output, place(varve):
        data = bytearray((root / name).read_bytes())
        data[len(data) // 2 + (root == varve.output)] ^= 1
        (root / name).write_bytes(data)
    assert f"{name} has other bytes" in archive(varve, "--restart", status=1).stderr
    assert (place(varve) / name).read_bytes() == data


def test_made_anew_and_killed(any_server, varve):
    """At any moment all rows are there, each once, whatever was done by then, and whoever goes on."""
    draw = random.Random(5)
    any_server.add_stream()
    publish(any_server, 1, 200, age=40)
    publish(any_server, 201, 400, age=3)
    varve.once(**FAST)
    archive(varve, manifest=True)
    run(varve, "expire", varve.output, "--older-than", "30d")
    archive(varve, manifest=True)
    killed, calls = 0, 2000
    for round_ in range(20):
        more = {"compression_level": 1 + round_ % 2 * 2, "manifest": True}
        call = draw.randint(1, calls)
        words = [VARVE_FAULT, *command(varve, "--restart", **more)[1:]]
        fault = {"VARVE_FAULT": f"any:{call}:kill"}
        child = subprocess.run(words, env=fault, capture_output=True, timeout=60, check=False)
        assert child.returncode in (0, -signal.SIGKILL), child.stderr
        if child.returncode == 0:  # it has no more calls than that
            calls = call
        else:
            killed += 1
        assert sequences(place(varve)) == list(range(1, 401))
        verify(place(varve), "--against", varve.output)
        if round_ % 5 == 4:  # who goes on need not do it
            run(varve, "compact", "--after", "0s", varve.output)
            archive(varve, manifest=True)
            assert sequences(place(varve)) == list(range(1, 401))
            verify(place(varve), "--against", varve.output)
    assert killed >= 10
    archive(varve, "--restart", manifest=True)
    assert rows(place(varve))[200:] == rows(varve.output)
    assert not list(place(varve).glob("_anew/**/*"))
    for path in files(varve.output):
        assert (place(varve) / path).read_bytes() == (varve.output / path).read_bytes()
    check_manifests(varve)


def test_another_table_is_left_alone(any_server, varve):
    any_server.add_stream()
    publish(any_server, 1, 40)
    varve.once(**FAST)
    shutil.copytree(varve.output, place(varve))
    assert "no archive of this store" in archive(varve, status=1).stderr


def test_verified_against_the_store(any_server, varve):
    any_server.add_stream()
    publish(any_server, 1, 200)
    any_server.publish([b"\xff" * 10])
    varve.once(**FAST)
    archive(varve, compression_level=3)
    against = ("--against", varve.output)
    assert verify(place(varve), *against)["findings"] == []
    run(varve, "compact", varve.output)  # the archive has the rows in other files
    notes = [note["text"] for note in verify(place(varve), *against)["notes"]]
    assert any("0 files of" in note and "200 rows" in note for note in notes)

    publish(any_server, 202, 210)
    varve.once(**FAST)
    findings = [f["text"] for f in verify(place(varve), *against, status=1)["findings"]]
    assert (
        len(findings) == 1
        and "9 rows are not in it: sequences 202-210 of stream LOGGING" in findings[0]
    )
    archive(varve, compression_level=3)
    assert verify(place(varve), *against)["findings"] == []

    # One value is another one, and the archive is whole in itself.
    path = place(varve) / files(place(varve))[-1]
    table = pq.read_table(path)
    number = table["stream_seq"][3].as_py()
    values = table["worker_id"].to_pylist()
    values[3] = "x"
    index = table.schema.get_field_index("worker_id")
    pq.write_table(table.set_column(index, table.schema.field("worker_id"), [values]), path)
    findings = [f["text"] for f in verify(place(varve), *against, status=1)["findings"]]
    assert any(
        f"sequence {number} of stream LOGGING" in f and "another worker_id" in f for f in findings
    )
    for file in place(varve).glob("_quarantine/*"):
        file.unlink()
    findings = [f["text"] for f in verify(place(varve), *against, status=1)["findings"]]
    assert any("_quarantine/" in f and f.endswith("is not in it") for f in findings)


def test_in_a_bucket(any_server, varve, tmp_path):
    """Hot on the disk, everything in the bucket; killed now and then; and back to a disk."""
    draw = random.Random(11)
    any_server.add_stream()
    with s3_support.server("versitygw", tmp_path / "store") as store:
        environment = s3_support.environment(
            AWS_ENDPOINT_URL=store.endpoint, AWS_REGION=s3_support.REGION, AWS_ALLOW_HTTP="true"
        )
        url = f"s3://{store.bucket}/vault"
        path = varve.directory / "bucket.yaml"
        path.write_text(json.dumps(varve.config(**settings(varve, target=url))))
        words = [VARVE, "follow", "vault", "-c", path, "--once"]

        def bucket(*args, status=0):
            done = subprocess.run(
                args, capture_output=True, text=True, timeout=120, env=environment, check=False
            )
            assert done.returncode == status, done.stdout + done.stderr
            return done.stdout

        def archived():
            table = DeltaTable(url, storage_options=environment).to_pyarrow_table()
            return sorted(table["stream_seq"].to_pylist())

        assert "takes the archive" in bucket(VARVE, "check", "-c", path)
        publish(any_server, 1, 100, age=40)
        varve.once(**FAST)
        for round_ in range(1, 5):
            publish(any_server, round_ * 100 + 1, round_ * 100 + 100, age=3)
            varve.once(**FAST)
            if round_ == 3:
                run(varve, "compact", varve.output)
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=environment)
            time.sleep(draw.uniform(0, 0.5))
            process.kill()
            process.wait(60)
        bucket(*words)
        bucket(VARVE, "verify", url, "--against", varve.output)
        run(varve, "expire", varve.output, "--older-than", "30d")
        running = varve.start(
            config=varve.config(**settings(varve, target=url)), env={**os.environ, **environment}
        )
        publish(any_server, 501, 520, age=3)
        wait_for(lambda: len(archived()) == 520, "all rows in the bucket")
        assert running.stop() == 0
        assert archived() == list(range(1, 521))
        assert sequences(varve.output) == list(range(101, 521))
        bucket(VARVE, "verify", "--deep", url, "--against", varve.output)
        shutil.rmtree(varve.output)
        for key in store.keys("vault/"):
            file = varve.output / key.removeprefix("vault/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(store.read(key))
    varve.once(**FAST)
    assert sequences(varve.output) == list(range(1, 521))
    verify(varve.output)
