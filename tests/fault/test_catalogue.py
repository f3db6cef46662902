# SPDX-License-Identifier: MIT
"""FAULTS.md names tests that there are, for every fault or with a reason."""

import re
from pathlib import Path

FAULTS = Path(__file__).with_name("FAULTS.md")
TESTS = FAULTS.parent.parent


def test_names():
    """All tests of the tree, in C and in Python."""
    names = set()
    for path in TESTS.rglob("test_*.py"):
        names |= set(re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE))
    for path in TESTS.rglob("*_test.c"):
        names |= set(re.findall(r"^TEST\((\w+)\)", path.read_text(), re.MULTILINE))
    missing = set(re.findall(r"`(\w+)`", FAULTS.read_text())) - names
    assert not missing


def test_every_fault_is_covered():
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", FAULTS.read_text(), re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 56))
    excused = ("missing: ", "never sent: ", "not used: ")
    assert all("`" in tests or tests.startswith(excused) for _, _, tests in rows)
