# SPDX-License-Identifier: MIT
"""File systems: the promise holds on each, or varve says at its start why it can't.

What it says it has found out by trying, not by the name: fuse.py can lack one thing at a time. Needs
to be root, to mount them."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from support import ROOT, VARVE, Output, Server, check_verify, partition, verify, wait_for
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
# What varve doubts, in its order, of what these file systems of the kernel and fuse.py lack.
DOUBTED = {
    "locks": "locks do not hold",
    "case": "capital and small letters",
    "dots": "dots at the end of a name",
    "long": "255 bytes",
    "exchange": "can't exchange two names",
}
LACKS = {"vfat": ("case", "dots"), "exfat": ("case", "dots", "exchange")}
LACKS |= dict.fromkeys(("nfs3", "nfs4"), ("exchange",))
# Mounted by guest.py: their names as in LACKS.
MOUNTED = [Path(path) for path in os.environ.get("VARVE_MOUNTED", "").split(":") if path]
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
def served(directory, *lacks):
    """A folder seen through fuse.py, which lacks these things; and that process, without which it
    hangs."""
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
        yield target, server
    finally:
        server.send_signal(signal.SIGCONT)
        subprocess.run(["umount", "-l", target], check=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)
        server.kill()
        server.wait()


@contextlib.contextmanager
def passed_through(directory, *lacks):
    with served(directory, *lacks) as (target, _):
        yield target


def check(varve):
    """What `varve check` says of where the output goes."""
    config = varve.directory / "check.yaml"
    config.write_text(json.dumps(varve.config(**BATCHES)))
    done = subprocess.run([VARVE, "check", "-c", config], capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if "file system" in line]


def drain_with_a_kill(server, varve, root, lacks):
    """Drain, killed in the middle, and verify: every row is there once."""
    names = [n for n in NAMES + LONG if "dots" not in lacks or not partition(n).endswith(".")]
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


def compact(varve, *options):
    """Merge the small files that the drain has left; afterwards each row is there once, for readers
    of the log and, if replaced files are not kept, of the directory."""
    output = Output(varve.output)
    rows, files = output.table().to_pylist(), len(output.named())
    command = [VARVE, "compact", varve.output, *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        assert len(output.named()) < files
    assert output.table().to_pylist() == rows
    assert verify(varve.output)["findings"] == []
    if not options:
        check_verify(varve.output)
    return done


def keeps_the_promise(server, varve, root, lacks):
    """Whatever it lacks of this, all is well, and varve says at its start what it has seen."""
    run = drain_with_a_kill(server, varve, root, lacks)
    doubts = [
        text for text in run.lines("store", level="warning") for text in text["text"].split("; ")
    ]
    expected = [text for lack, text in DOUBTED.items() if lack in lacks]
    assert len(doubts) == len(expected) and all(map(str.__contains__, doubts, expected)), doubts
    said = check(varve)[0]
    assert said.startswith("warning " if expected else "ok "), said
    assert all(text in said for text in expected), said
    done = compact(varve)
    if "exchange" in lacks:
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
        assert "can't exchange" in done.stderr
        done = compact(varve, "--keep-replaced", "1h")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [*MAKERS, *OTHERS])
def test_on(any_server, varve, tmp_path, name):
    with file_system(name, tmp_path) as root:
        keeps_the_promise(any_server, varve, root, LACKS.get(name, ()))


@pytest.mark.parametrize("root", MOUNTED, ids=lambda path: path.name)
def test_mounted(any_server, varve, root):
    keeps_the_promise(any_server, varve, root, LACKS[root.name])


@pytest.mark.parametrize(
    "lacks", [(), ("flags", "exchange"), ("exchange",), ("links",), ("names",), ("blocks",)]
)
def test_in_user_space(any_server, varve, tmp_path, lacks):
    """One of renaming without replacing and linking is enough; names are such that FAT takes them."""
    with passed_through(tmp_path, *lacks) as root:
        keeps_the_promise(any_server, varve, root, lacks)


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


@pytest.mark.parametrize("lack", ["locks", "case", "dots", "long"])
def test_doubted(any_server, varve, tmp_path, lack):
    any_server.generate(100)
    with passed_through(tmp_path, lack) as root:
        varve.output = root / "out"
        run = varve.once()
        assert sum(line["rows"] for line in run.lines("committed")) == 100
        assert DOUBTED[lack] in run.lines("store", level="warning")[0]["text"]
        (line,) = check(varve)
        assert line.startswith("warning ") and DOUBTED[lack] in line
        assert not list(root.rglob("*probe*"))


def test_credentials_on_a_file_system_that_hangs(any_server_binary, make_runner, tmp_path):
    """As a home on a network that is away. The loop goes on: events are drained, the page and SIGTERM
    are answered, and a new connection comes when the files do."""
    nats = Server(any_server_binary, tmp_path / "nats", user="drain", password="secret")
    nats.configure("authorization { user: drain, password: secret }")
    nats.start()
    nats.add_stream()
    with served(tmp_path) as (home, process):
        (home / "password").write_text("secret\n")
        (home / "token").write_text("token\n")
        runner = make_runner(nats)
        run = runner.start(
            nats={"user": "drain", "password_file": str(home / "password")},
            metrics={"listen": "127.0.0.1:0", "token_file": str(home / "token")},
            batching={"max_age": "100ms"},
        )
        page = run.wait_line("listening")["text"].split(" ")[-1]

        def alive():
            ask = urllib.request.Request(
                f"{page}healthz", headers={"Authorization": "Bearer token"}
            )
            with urllib.request.urlopen(ask, timeout=60) as answer:
                return answer.status == 200

        nats.publish([event("before", i) for i in range(10)])
        run.wait_rows(10)
        process.send_signal(signal.SIGSTOP)
        run.send(signal.SIGHUP)
        nats.publish([event("meanwhile", i) for i in range(10)])
        run.wait_rows(20)
        assert alive()
        nats.stop()
        nats.start()
        wait_for(
            lambda: any("takes too long" in line["reason"] for line in run.lines("connect_failed")),
            "who waits for a file to say so",
        )
        assert alive()
        nats.publish([event("after", i) for i in range(10)])
        process.send_signal(signal.SIGCONT)
        run.wait_rows(30)
        process.send_signal(signal.SIGSTOP)
        nats.stop()
        run.wait_line("disconnected", count=2)
        run.send(signal.SIGTERM)
        assert run.wait() == 0
    check_verify(runner.output)
