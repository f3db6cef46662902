# SPDX-License-Identifier: MIT
"""FAULTS.md and bound/SECURITY.md name tests that there are, for every row or with a reason."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import BUILD, ROOT

FAULTS = Path(__file__).with_name("FAULTS.md")
SECURITY = ROOT / "tests" / "bound" / "SECURITY.md"


def lines(*command):
    out = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert out.returncode == 0, out.stdout + out.stderr
    return out.stdout.splitlines()


@pytest.fixture(scope="module")
def names():
    """All tests that there are, in C and in Python."""
    found = set(lines(BUILD / "unit-tests", "--list"))
    collect = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"]
    for line in lines(*collect, ROOT / "tests"):
        found.add(line.partition("[")[0].rpartition("::")[2])
    return found


def test_names(names):
    for catalogue in (FAULTS, SECURITY):
        assert not set(re.findall(r"`(\w+)`", catalogue.read_text())) - names


def test_everything_that_keeps_it_safe_is_shown():
    rows = re.findall(r"^\| (.+) \| (.+) \|$", SECURITY.read_text(), re.MULTILINE)
    rows = [row for row in rows if row != ("what holds", "tests")]
    assert len(rows) >= 50
    elsewhere = ("tests/", "all of tests/", "the suite ")
    assert all("`" in tests or tests.startswith(elsewhere) for _, tests in rows)


def test_every_fault_is_covered():
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", FAULTS.read_text(), re.MULTILINE)
    assert len(rows) >= 60
    assert [int(number) for number, _, _ in rows] == list(range(1, len(rows) + 1))
    excused = ("missing: ", "never sent: ", "not used: ")
    assert all("`" in tests or tests.startswith(excused) for _, _, tests in rows)


def test_every_fuzz_target_has_seeds():
    """And each is in the table, so that each kind of input is."""
    targets = {path.name.removesuffix("_fuzz.c") for path in ROOT.glob("tests/fuzz/*_fuzz.c")}
    seeded = {path.parent.name for path in ROOT.glob("tests/fuzz/corpus/*/*")}
    rows = re.findall(r"tests/fuzz: (.+) \|", SECURITY.read_text())
    listed = set(re.findall(r"\w+", " ".join(rows)))
    assert targets == seeded == listed
