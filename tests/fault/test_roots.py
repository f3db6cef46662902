# SPDX-License-Identifier: MIT
"""Hosts on which next to nothing is: no /proc, no /dev, no /etc, nothing that can be written but the
output, little memory, one CPU. Needs to be root, for chroot and mounts."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from support import VARVE, Output, check_verify, wait_for

ROWS = 20_000
MIB = 1024 * 1024

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="chroot: needs root")


class Root:
    """A folder that is all that varve sees: itself, a configuration, and what a test adds."""

    def __init__(self, directory, varve):
        self.directory = directory / "root"
        self.varve = varve
        (self.directory / "out").mkdir(parents=True)
        shutil.copy(VARVE, self.directory / "varve")

    def configure(self, **more):
        config = self.varve.config(**more)
        config["output"]["log_output_directory"] = "/out"
        config["nats"]["servers"] = [url.replace("127.0.0.1", "localhost") for url in config["nats"]["servers"]]
        (self.directory / "varve.yaml").write_text(json.dumps(config))

    def run(self, *command, prefix=(), seconds=120):
        done = subprocess.run(
            [*prefix, "chroot", self.directory, *command],
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def drain(self, prefix=(), rows=ROWS):
        self.run("/varve", "run", "--once", "-c", "/varve.yaml", prefix=prefix)
        table = Output(self.directory / "out").table()
        assert table["stream_seq"].to_pylist() == list(range(1, rows + 1))
        check_verify(self.directory / "out")


@pytest.fixture
def root(any_server, varve, tmp_path):
    any_server.generate(ROWS)
    made = Root(tmp_path, varve)
    made.configure()
    return made


@contextlib.contextmanager
def read_only(path):
    """The folder as a file system that can't be written, but for out/ in it."""
    bind = subprocess.run(["mount", "--bind", path, path], capture_output=True)
    if bind.returncode != 0:
        pytest.skip("mount: not allowed here")
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "varve-test", path / "out"], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
            yield
        finally:
            subprocess.run(["umount", "-l", path / "out"], check=True)
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def test_nothing_but_itself(root):
    """No /proc, /dev, /etc or /tmp; the server by the name of localhost."""
    root.drain()
    for command in (("verify", "/out"), ("cat", "/out"), ("inspect", "/out"), ("version",), ("help",)):
        assert root.run("/varve", *command)
    assert "problems: 0" in root.run("/varve", "check", "-c", "/varve.yaml")
    assert {path.name for path in root.directory.iterdir()} == {"out", "varve", "varve.yaml"}


def test_busybox_and_a_read_only_root(root):
    """As another user, on a root that is busybox and can't be written."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not here")
    (root.directory / "bin").mkdir()
    shutil.copy(busybox, root.directory / "bin/busybox")
    with read_only(root.directory):
        os.chown(root.directory / "out", 65534, 65534)
        script = "/varve run --once -c /varve.yaml && ! /bin/busybox touch /written 2>/dev/null"
        nobody = ["--userspec=65534:65534"]
        done = subprocess.run(
            ["chroot", *nobody, root.directory, "/bin/busybox", "sh", "-c", script],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert Output(root.directory / "out").table().num_rows == ROWS
        check_verify(root.directory / "out")


def test_an_output_that_cannot_be_written(root):
    with read_only(root.directory):
        done = subprocess.run(
            ["chroot", root.directory, "/varve", "run", "--once", "-c", "/varve.yaml"]
            + ["--set", "output.log_output_directory=/elsewhere"],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert "/elsewhere" in done.stderr and "Read-only file system" in done.stderr


def test_one_cpu(root):
    if shutil.which("taskset") is None:
        pytest.skip("taskset is not here")
    cpu = min(os.sched_getaffinity(0))
    root.drain(prefix=["taskset", "-c", str(cpu)])


def control_group():
    """A new control group with 64 MiB of memory, of either version; None where there can be none."""
    name = f"varve-test-{os.getpid()}"
    for top, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = top / name
        try:
            group.mkdir()
            (group / limit).write_text(str(64 * MIB))
            return group
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
    return None


def test_64_mib(any_server, varve):
    """The defaults, in a control group that has less than they would take."""
    any_server.generate(200_000, simulations=4)
    group = control_group()
    if group is None:
        pytest.skip("no control group for memory can be made here")
    try:
        enter = ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh"]
        run = varve.start("--once", prefix=enter)
        assert run.wait() == 0, run.text()
        assert sum(line["rows"] for line in run.lines("committed")) == 200_000
        check_verify(varve.output)
    finally:
        wait_for(lambda: not (group / "cgroup.procs").read_text(), "the group is empty")
        group.rmdir()


def test_no_random_device(root):
    """Nor the call, as before Linux 3.17: it says so, and what would help."""
    without = Path(VARVE).parent / "fault/without"
    shutil.copy(without, root.directory / "without")
    done = subprocess.run(
        ["chroot", root.directory, "/without", "ENOSYS", "getrandom", "--"]
        + ["/varve", "run", "--once", "-c", "/varve.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "getrandom" in done.stderr and "/dev/urandom" in done.stderr


def test_killed_where_nothing_is(root):
    root.configure(batching={"max_rows": 2_000})
    log = root.directory.parent / "log"
    with log.open("wb") as out:
        run = subprocess.Popen(
            ["chroot", root.directory, "/varve", "run", "-c", "/varve.yaml"], stderr=out
        )
    try:
        wait_for(lambda: log.read_text().count('"event":"committed"') >= 2, "two commits")
        run.send_signal(signal.SIGKILL)
    finally:
        run.kill()
        run.wait()
    root.drain()
