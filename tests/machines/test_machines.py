# SPDX-License-Identifier: MIT
"""varve of other machines, under qemu's user emulation: 32 bits, and bytes in the other order.

VARVE_MACHINES="aarch64 riscv64" tests those; `make machines` tests all. All of varve is compiled for
each, and all unit tests run under emulation: too long for every run of all tests."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from support import ROOT, VARVE, Output, check_verify

QEMU = {"armv7": "arm", "i686": "i386"}
MACHINES = os.environ.get("VARVE_MACHINES", "").split()
# Numbers that need more than 32 bits from the first message on.
FIRST = 2**32 - 5_000
ROWS = 10_000

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module", params=MACHINES or ["none"])
def machine(request):
    """What goes before a program of that machine, and the folder of its programs."""
    name = request.param
    if name == "none":
        pytest.skip("other machines: make machines")
    emulator = ROOT / f"build/debian/usr/bin/qemu-{QEMU.get(name, name)}-static"
    if not emulator.exists():
        pytest.skip(f"qemu-user-static of Debian is not here: {name}")
    if subprocess.run([ROOT / "tools/setup", "--check", "cross"], capture_output=True).returncode:
        pytest.skip(f"the compiler for other machines is not here: {name}")
    built = ROOT / "build" / name
    made = subprocess.run(
        ["make", "-s", f"CROSS={name}", f"{built.relative_to(ROOT)}/varve", f"build/{name}/unit-tests"],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return emulator, built


def said(*command):
    return subprocess.run(command, capture_output=True, timeout=300)


def test_unit_tests(machine):
    emulator, built = machine
    env = {**os.environ, "TEST_SECONDS": "300"}
    run = subprocess.run(
        [emulator, built / "unit-tests"], env=env, capture_output=True, text=True, timeout=1000
    )
    assert run.returncode == 0, "\n".join(
        line for line in run.stdout.splitlines() if "FAILED" in line
    )


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
    for prefix, program in (((), VARVE), ((emulator,), built / "varve")):
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
        there = said(emulator, built / "varve", command, roots[0])
        assert here.returncode == there.returncode == 0, there.stderr
        if command == "cat":
            assert here.stdout == there.stdout and here.stdout.count(b"\n") >= ROWS
    for name in native:
        here = said(VARVE, "inspect", roots[0] / name, "--json")
        there = said(emulator, built / "varve", "inspect", roots[0] / name, "--json")
        assert json.loads(here.stdout) == json.loads(there.stdout)
