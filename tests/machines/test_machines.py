# SPDX-License-Identifier: MIT
"""varve of other machines, under qemu's user emulation: 32 bits, and bytes in the other order.

All of varve is compiled for each, which takes most of the time. Of the unit tests `make test` runs
those of bytes, numbers and files, all of them on i686, where this host's kernel runs it;
`make machines`, or VARVE_MACHINES="aarch64 riscv64", runs all of them on each."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from far import make_far
from support import ROOT, VARVE, Output, check_verify

QEMU = {"armv7": "arm", "i686": "i386"}
ALL = ("i686", "s390x", "armv7", "aarch64", "riscv64")
MACHINES = os.environ.get("VARVE_MACHINES", "").split()
# Where the order of bytes and the width of words are met; with them the golden files.
TESTED = "base batch parquet delta event object"
# Numbers that need more than 32 bits from the first message on.
FIRST = 2**32 - 5_000
ROWS = 10_000

pytestmark = pytest.mark.timeout(1200)


def make(name, *targets):
    tested = "*" if MACHINES or name == "i686" else TESTED
    made = subprocess.run(
        # Its warnings are not those of the compiler that lint goes by.
        ["make", "-s", f"CROSS={name}", f"TESTED={tested}", "WERROR=", *targets],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")},
        capture_output=True,
        text=True,
        timeout=1100,
    )
    assert made.returncode == 0, made.stdout + made.stderr


def runs_here(program):
    """Kernels of x86-64 run programs of i686, unless they are built without."""
    try:
        return subprocess.run([program, "version"], capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="module", params=MACHINES or ALL)
def machine(request):
    """What goes before a program of that machine, and the folder of its programs."""
    name = request.param
    if subprocess.run([ROOT / "tools/setup", "--check", "cross"], capture_output=True).returncode:
        pytest.skip(f"the compiler for other machines is not here: {name}")
    built = ROOT / "build" / name
    make(name, f"build/{name}/varve")
    if name == "i686" and runs_here(built / "varve"):
        return (), built
    emulator = ROOT / f"build/debian/usr/bin/qemu-{QEMU.get(name, name)}-static"
    if not emulator.exists():
        pytest.skip(f"qemu-user-static of Debian is not here: {name}")
    return (emulator,), built


def said(*command):
    return subprocess.run(command, capture_output=True, timeout=300)


def test_unit_tests(machine):
    emulator, built = machine
    make(built.name, f"build/{built.name}/unit-tests")
    # An emulated machine is thirty times slower, and shares two cores with three others: a single
    # test is late only where the whole would be.
    env = {**os.environ, "TEST_SECONDS": "900"}
    run = subprocess.run(
        [*emulator, built / "unit-tests"], env=env, capture_output=True, text=True, timeout=1000
    )
    assert run.returncode == 0, run.stdout[-3000:]


def test_it_has_its_guards(machine):
    _, built = machine
    done = said(ROOT / "tools/hardened", built / "varve", built / "varve.debug")
    assert done.returncode == 0, done.stdout.decode()
    # SIZE_MAX of the Makefile: people copy it to small hosts.
    assert (built / "varve").stat().st_size <= 2 * 2**20


def files_below(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(Path(root).rglob("*.parquet"))
    }


def test_drain(machine, any_server, varve):
    """The same files, bit for bit, as this host's binary makes of the same stream; and each reads
    what the other wrote."""
    emulator, built = machine
    any_server.add_stream(first_seq=FIRST)
    any_server.generate(ROWS, simulations=3)
    roots = []
    for prefix, program in (((), VARVE), (emulator, built / "varve")):
        root = varve.directory / built.name / str(len(roots))
        run = varve.once(
            seconds=240,
            prefix=prefix,
            program=program,
            output={"log_output_directory": str(root)},
            sources=[{"delivery": "position"}],
        )
        assert sum(line["rows"] for line in run.lines("committed")) == ROWS
        sequences = Output(root).table()["stream_seq"].to_pylist()
        assert sequences == list(range(FIRST, FIRST + ROWS))
        check_verify(root)
        roots.append(root)
    native, foreign = map(files_below, roots)
    assert native.keys() == foreign.keys() and native == foreign
    for command in ("cat", "verify"):
        here = said(VARVE, command, roots[1])
        there = said(*emulator, built / "varve", command, roots[0])
        assert here.returncode == there.returncode == 0, there.stderr
        if command == "cat":
            assert here.stdout == there.stdout and here.stdout.count(b"\n") >= ROWS
    for name in native:
        here = said(VARVE, "inspect", roots[0] / name, "--json")
        there = said(*emulator, built / "varve", "inspect", roots[0] / name, "--json")
        assert json.loads(here.stdout) == json.loads(there.stdout)


def test_a_file_of_more_than_4_gib(machine, tmp_path):
    """On 32 bits as well, sizes and offsets have 64."""
    emulator, built = machine
    near, far = tmp_path / "near.parquet", tmp_path / "far.parquet"
    table = pa.table({"n": range(4000), "text": [f"{i % 7}" for i in range(4000)]})
    pq.write_table(table, near, compression="zstd", row_group_size=2000, write_page_checksum=True)
    make_far(near, far, 5 * 2**30)
    assert pq.read_table(far).equals(table)
    program = (*emulator, built / "varve")
    verified = said(*program, "verify", far)
    assert verified.returncode == 0 and b"4000 rows, 5.0 GiB, 0 findings" in verified.stdout
    rows = said(*program, "cat", far)
    assert [json.loads(line) for line in rows.stdout.splitlines()] == table.to_pylist()
    shown = json.loads(said(*program, "inspect", "--json", far).stdout)
    assert shown == json.loads(said(VARVE, "inspect", "--json", far).stdout)
    assert str(far.stat().st_size) in json.dumps(shown)


def test_times_after_2038(machine, any_server, varve):
    """Times have 64 bits, in columns and where they are compared. (Folders go by the time of the
    stream for events that are from the future.)"""
    emulator, built = machine
    any_server.generate(100, per_hour=1, start_index=140_000)
    varve.once(seconds=240, prefix=emulator, program=built / "varve")
    times = Output(varve.output).table()["timestamp_ns"].to_pylist()
    assert min(times) > 2**31 * 10**9
    middle = datetime.fromtimestamp(sorted(times)[50] // 10**9, UTC)
    where = f"--where=timestamp_ns>={middle:%Y-%m-%dT%H:%M:%SZ}"
    found = said(*emulator, built / "varve", "cat", where, varve.output)
    assert found.returncode == 0 and found.stdout.count(b"\n") == 50
