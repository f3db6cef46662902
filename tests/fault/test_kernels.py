# SPDX-License-Identifier: MIT
"""Kernels that lack system calls, and filters that refuse them: a real drain all the same.

build/fault/without lets them fail. What is missing is done in another way, or said in a line that
names it; tools/share/doc/hosts.md has the list.
"""

import os
import platform
import signal
import subprocess

import pytest

from generator import Load
from support import BUILD, VARVE, check_rows, numbered

WITHOUT = BUILD / "fault/without"
ROWS = 600
BATCHES = {"batching": {"max_rows": 200}}

# Each is newer than Linux 2.6.32, or only there for the sake of speed.
SPARED = (
    "clone3",
    "copy_file_range",
    "close_range",
    "faccessat2",
    "fallocate",
    "fstatfs",
    "getrandom",
    "landlock_create_ruleset",
    "madvise",
    "membarrier",
    "memfd_create",
    "mremap",
    "openat2",
    "prctl:22",  # PR_SET_SECCOMP
    "preadv2",
    "prlimit64",
    "recvmmsg",
    "renameat2",
    "sched_getaffinity",
    "sendmmsg",
    "setpriority",
    "statx",
    "sync_file_range",
    "syncfs",
    "uname",
)
# Linux 2.6.27 has them.
NEEDED = ("eventfd2",)
# The last call that each version of Linux has, by its number on x86-64.
KERNELS = {"3.10": 313, "3.16": 316, "4.18": 334, "5.10": 440}


def without(error, *calls):
    return [WITHOUT, error, *calls, "--"]


@pytest.fixture(scope="module", autouse=True)
def filters():
    if subprocess.run([*without("ENOSYS", "memfd_create"), "true"]).returncode == 77:
        pytest.skip("this kernel has no filters for system calls")


@pytest.fixture
def drained(any_server, varve, tmp_path):
    """Drain as it would be there; every row is there once."""
    any_server.generate(ROWS, seed=61, simulations=20)
    rows, _ = numbered(Load(seed=61, simulations=20).run(ROWS))

    def drain(name, prefix):
        varve.output = tmp_path / name
        run = varve.once(prefix=prefix, sources=[{"delivery": "position"}], **BATCHES)
        check_rows(varve.output, rows)
        return run

    return drain


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_without_each_call(drained, error):
    for call in SPARED:
        drained(call, without(error, call))


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_without_all_of_them(drained, error):
    run = drained("all", without(error, *SPARED))
    (line,) = run.lines("sandbox")
    assert "Landlock" in line["not_confined"] and "seccomp" in line["not_confined"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="calls are numbered by age on x86-64")
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_by_what_they_have(drained, kernel):
    drained("kernel", without("ENOSYS", f"above:{KERNELS[kernel]}"))


def test_killed_where_files_are_moved_by_links(any_server, varve):
    """Without renameat2 a file has two names for a moment."""
    any_server.generate(ROWS, seed=61, simulations=20)
    run = varve.start(prefix=without("ENOSYS", "renameat2", "openat2", "syncfs"), **BATCHES)
    run.wait_line("committed", count=2)
    run.send(signal.SIGKILL)
    run.wait()
    varve.once(prefix=without("EPERM", "renameat2", "openat2", "syncfs"), **BATCHES)
    check_rows(varve.output, numbered(Load(seed=61, simulations=20).run(ROWS))[0])


@pytest.mark.parametrize("call", NEEDED)
def test_what_cannot_be_spared_is_named(any_server, varve, call):
    any_server.add_stream()
    run = varve.start("--once", prefix=without("ENOSYS", call))
    assert run.wait() == 1
    assert call.rstrip("2") in run.text() and os.strerror(38) in run.text()


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_reading_without_them(any_server, varve, error):
    any_server.generate(100, seed=61)
    varve.once()
    for command in ("cat", "verify"):
        done = subprocess.run(
            [*without(error, *SPARED), VARVE, command, varve.output], capture_output=True
        )
        assert done.returncode == 0, done.stderr
