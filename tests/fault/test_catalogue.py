# SPDX-License-Identifier: MIT
"""FAULTS.md names tests that there are, for every fault or with a reason."""

import re
import subprocess
import sys
from pathlib import Path

from support import BUILD, ROOT

FAULTS = Path(__file__).with_name("FAULTS.md")


def lines(*command):
    out = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stdout + out.stderr
    return out.stdout.splitlines()


def test_names():
    """All tests that there are, in C and in Python."""
    names = set(lines(BUILD / "unit-tests", "--list"))
    collect = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"]
    for line in lines(*collect, ROOT / "tests"):
        names.add(line.partition("[")[0].rpartition("::")[2])
    missing = set(re.findall(r"`(\w+)`", FAULTS.read_text())) - names
    assert not missing


def test_every_fault_is_covered():
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", FAULTS.read_text(), re.MULTILINE)
    assert len(rows) >= 60
    assert [int(number) for number, _, _ in rows] == list(range(1, len(rows) + 1))
    excused = ("missing: ", "never sent: ", "not used: ")
    assert all("`" in tests or tests.startswith(excused) for _, _, tests in rows)
