# SPDX-License-Identifier: MIT
"""The pinned sources: each place that vendor/sources.lock names has what the build compiles."""

import os
import shutil
import subprocess

import pytest

from support import ROOT

LOCK = ROOT / "vendor" / "sources.lock"
LINES = [line.split() for line in LOCK.read_text().splitlines() if not line.startswith("#")]


def compiled(library):
    """The source files of a library that the build compiles, relative to its folder."""
    rules = "include vendor/rules.mk\nprint: ; @echo $(VENDOR_SOURCES)\n"
    out = subprocess.run(["make", "-s", "-f", "-", "print"], cwd=ROOT, input=rules,
                         capture_output=True, text=True, check=True,
                         env={**os.environ, "MAKEFLAGS": ""}).stdout
    prefix = f"vendor/{library}/"
    return [path[len(prefix):] for path in out.split() if path.startswith(prefix)]


@pytest.fixture
def copy(tmp_path):
    """A tree of its own with nothing but the tool and the lock."""
    for name in ("tools/vendor", "vendor/sources.lock"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line[0]} from {line[6]}")
def test_place(line, copy):
    library, file = line[0], line[2]
    tried = subprocess.run(["tools/vendor", "try", file, "got"], cwd=copy, capture_output=True,
                           text=True)
    if "can't have" in tried.stderr:
        pytest.skip(f"{file} can't be fetched from {line[6]} here")
    assert tried.returncode == 0, tried.stderr
    licence = "LICENSE" if line[5].startswith("/") else line[5]
    assert (copy / "got" / licence).stat().st_size > 500
    assert compiled(library)
    for path in compiled(library):
        assert (copy / "got" / path).read_bytes() == \
            (ROOT / "vendor" / library / path).read_bytes(), path


def test_every_library_has_more_than_one_place():
    """Of Debian's suites or of others: one that moves on must not stop a build."""
    for library in {line[0] for line in LINES}:
        places = [p for line in LINES if line[0] == library for p in line[6].split(",")]
        assert len(places) > 1, library


def test_a_tarball_that_is_not_the_pinned_one_is_refused(copy):
    for line in LINES:
        (copy / "vendor" / line[2]).write_bytes(b"somebody else's")
    run = subprocess.run(["tools/vendor"], cwd=copy, capture_output=True, text=True)
    assert run.returncode != 0
    assert "not used" in run.stderr
    assert not [path for path in (copy / "vendor").iterdir() if path.is_dir()]
