# SPDX-License-Identifier: MIT
"""Fixtures of the tests that break something."""

import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def memory_directory(tmp_path):
    """A directory in memory where the host has one: for tests whose many fsyncs must be quick."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        yield tmp_path
        return
    directory = Path(tempfile.mkdtemp(prefix="varve-", dir=shared))
    yield directory
    shutil.rmtree(directory)
