# SPDX-License-Identifier: MIT
"""File systems: the promise holds on each, or varve says at its start why it can't.

What it says it has found out by trying, not by the name: fuse.py can lack one thing at a time. Needs
to be root, to mount them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support import ROOT, VARVE, Output, check_verify, verify, wait_for
from test_hostile import LONG, NAMES, event

ROWS = 1_000
# Of each of the seven simulations 20 files: enough to be merged (16).
BATCHES = {"batching": {"max_rows": 50}, "memory_limit": "32MiB"}
MIB = 1024 * 1024
# How each is made, and how large; made of a file, and mounted by a loop device.
MAKERS = {
    "ext2": (["mkfs.ext2", "-q"], 64),
    "ext4": (["mkfs.ext4", "-q"], 64),
    "xfs": (["mkfs.xfs", "-q"], 320),
    "btrfs": (["mkfs.btrfs", "-q"], 128),
    "f2fs": (["mkfs.f2fs", "-q"], 128),
    "vfat": (["mkfs.vfat"], 64),
    "exfat": (["mkfs.exfat"], 64),
}
OTHERS = ("tmpfs", "overlay", "ramfs")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mount: needs root")


@contextlib.contextmanager
def mounted(command, target):
    done = subprocess.run(["mount", *command, target], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mount {' '.join(map(str, command[:2]))}: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", target], check=True)


@contextlib.contextmanager
def file_system(name, directory):
    """A new one, at the path that this gives."""
    target = directory / name
    target.mkdir()
    if name not in Path("/proc/filesystems").read_text().split():
        pytest.skip(f"{name}: this kernel does not have it")
    if name == "overlay":
        for part in ("lower", "upper", "work"):
            (directory / part).mkdir()
        parts = ",".join(f"{p}dir={directory / p}" for p in ("lower", "upper", "work"))
        command = ["-t", name, "-o", parts, "varve-test"]
    elif name in OTHERS:
        command = ["-t", name, "varve-test"]
    else:
        maker, size = MAKERS[name]
        path = os.environ["PATH"] + ":" + SBIN
        if shutil.which(maker[0], path=path) is None:
            pytest.skip(f"{maker[0]} is not here")
        image = directory / f"{name}.image"
        image.touch()
        os.truncate(image, size * MIB)
        env = {**os.environ, "PATH": path}
        subprocess.run([*maker, image], check=True, env=env, capture_output=True)
        command = ["-t", name, "-o", "loop", image]
    with mounted(command, target):
        yield target


@contextlib.contextmanager
def passed_through(directory, *lacks):
    """A folder seen through fuse.py, which lacks these things."""
    source, target = directory / "source", directory / "fuse"
    source.mkdir()
    target.mkdir()
    if not Path("/dev/fuse").exists():
        pytest.skip("fuse: this kernel does not have it")
    command = [sys.executable, ROOT / "tests/fault/fuse.py", source, target, *lacks]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if server.stdout.readline() != "mounted\n":
            pytest.skip("fuse: mount is not allowed here")
        yield target
    finally:
        subprocess.run(["umount", "-l", target], check=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)
        server.kill()
        server.wait()


def check(varve):
    """What `varve check` says of where the output goes."""
    run = varve.start(config=varve.config(**BATCHES))
    config = run.log.with_suffix(".yaml")
    run.stop(signal.SIGKILL)
    done = subprocess.run([VARVE, "check", "-c", config], capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if "file system" in line]


def drain_with_a_kill(server, varve, root):
    """Drain, killed in the middle, and verify: every row is there once."""
    names = NAMES + LONG
    server.generate(ROWS, simulations=7)
    server.publish([event(name, i) for i, name in enumerate(names)])
    varve.output = root / "out"
    run = varve.start(**BATCHES)
    run.wait_line("committed", count=3)
    run.send(signal.SIGKILL)
    run.wait()
    varve.once(**BATCHES)
    assert Output(varve.output).table()["stream_seq"].to_pylist() == list(
        range(1, ROWS + len(names) + 1)
    )
    check_verify(varve.output)
    assert not list(root.rglob("*probe*"))
    return run


def compact(varve):
    """Merge the small files that the drain has left; afterwards each row is there once, for readers
    of the log and of the directory."""
    output = Output(varve.output)
    rows, files = output.table().to_pylist(), len(output.named())
    done = subprocess.run([VARVE, "compact", varve.output], capture_output=True, text=True)
    if done.returncode == 0:
        assert len(output.named()) < files
    assert output.table().to_pylist() == rows
    check_verify(varve.output)
    return done


@pytest.mark.parametrize("name", [*MAKERS, *OTHERS])
def test_on(any_server, varve, tmp_path, name):
    with file_system(name, tmp_path) as root:
        run = drain_with_a_kill(any_server, varve, root)
        assert run.lines("store", level="warning") == []
        (line,) = check(varve)[:1]
        assert line.startswith("ok "), line
        done = compact(varve)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "lacks", [(), ("flags",), ("exchange",), ("links",), ("names",), ("blocks",)]
)
def test_in_user_space(any_server, varve, tmp_path, lacks):
    """One of renaming without replacing and linking is enough; names are such that FAT takes them."""
    with passed_through(tmp_path, *lacks) as root:
        run = drain_with_a_kill(any_server, varve, root)
        doubts = [line["text"] for line in run.lines("store", level="warning")]
        said = check(varve)[0]
        done = compact(varve)
        if "flags" in lacks or "exchange" in lacks:  # small files can't be merged then
            assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
            assert "can't exchange" in done.stderr
            assert len(doubts) == 1 and "can't exchange two names" in doubts[0]
            assert said.startswith("warning ") and "can't exchange two names" in said
            keeping = [VARVE, "compact", varve.output, "--keep-replaced", "1h"]
            kept = subprocess.run(keeping, capture_output=True, text=True)
            assert kept.returncode == 0 and "became: 0" not in kept.stdout, kept
            assert verify(varve.output)["findings"] == []
        else:
            assert done.returncode == 0, done.stderr
            assert doubts == [] and said.startswith("ok ")


REFUSED = {
    ("flags", "links"): "neither rename a file without replacing another one nor give it a second",
    ("fsync",): "fdatasync",
    ("fsyncdir",): "names in a folder durable",
}


@pytest.mark.parametrize("lacks", REFUSED, ids="+".join)
def test_refused(any_server, varve, tmp_path, lacks):
    any_server.add_stream()
    with passed_through(tmp_path, *lacks) as root:
        varve.output = root / "out"
        run = varve.start("--once")
        assert run.wait() == 2
        assert f"{varve.output}: this file system can't keep what varve promises" in run.text()
        assert REFUSED[lacks] in run.text()
        assert not list(root.rglob("*.json"))
        (line,) = check(varve)
        assert line.startswith("problem ") and REFUSED[lacks] in line


DOUBTED = {"locks": "locks do not hold", "case": "capital and small letters", "long": "255 bytes"}


@pytest.mark.parametrize("lack", DOUBTED)
def test_doubted(any_server, varve, tmp_path, lack):
    any_server.generate(100)
    with passed_through(tmp_path, lack) as root:
        varve.output = root / "out"
        run = varve.once()
        assert sum(line["rows"] for line in run.lines("committed")) == 100
        assert DOUBTED[lack] in run.lines("store", level="warning")[0]["text"]
        line = wait_for(lambda: check(varve)[:1], "what check says")[0]
        assert line.startswith("warning ") and DOUBTED[lack] in line
        assert not list(root.rglob("*probe*"))
