# SPDX-License-Identifier: MIT
"""The sandbox: all that varve does goes on in it, and what it lacks is said.

That each forbidden thing fails is tested in unit/base_sandbox_test.c.
"""

import ctypes
import json
import re
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from cluster import Cluster
from confined import Confined, replace
from support import VARVE, Output, check_rows, generate, numbered, wait_for
from generator import Load
from watching import Endpoint

LANDLOCK_CREATE_RULESET = 444  # the same on each architecture
ON = {"sandbox": "on"}


def landlock():
    """The version of the kernel's Landlock, 0 where it has none."""
    return max(0, ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, 1))


@pytest.fixture(autouse=True)
def kernel():
    if landlock() < 4:
        pytest.skip(f"this kernel has version {landlock()} of Landlock, not 4")


def status(run):
    text = Path(f"/proc/{run.process.pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def test_all_of_a_run_is_possible(any_server, varve):
    """Names, metrics, a reload of a file that was replaced, a server that comes back, a message
    that is no event, and the end, where all is allowed that is needed and no more."""
    load = Load(seed=51)
    any_server.generate(100, seed=51)
    config = varve.config(**ON, metrics={"listen": "127.0.0.1:0"}, batching={"max_age": "100ms"})
    config["nats"]["servers"] = [any_server.url.replace("127.0.0.1", "localhost")]
    for _ in range(5):  # a server that takes its time is not waited for
        run = varve.start(config=config)
        line = run.wait_line("sandbox")
        if line["connects"] != "any port":
            break
        run.stop(signal.SIGKILL)
    run.wait_rows(100)
    assert (line["writes"], line["connects"]) == ("output", "nats.servers")
    assert status(run)["NoNewPrivs"] == "1"
    assert status(run)["Seccomp"] == "2"
    endpoint = Endpoint(run)
    metrics = endpoint.text("/metrics")
    assert re.search(r"^process_resident_memory_bytes [1-9]", metrics, re.M)
    assert re.search(r"^process_open_fds [1-9]", metrics, re.M)

    config["settings"]["log_level"] = "DEBUG"
    replace(run.log.with_suffix(".yaml"), json.dumps(config))
    run.send(signal.SIGHUP)
    run.wait_line("reloaded", key="settings.log_level")

    any_server.stop()
    run.wait_line("disconnected")
    any_server.start()
    run.wait_line("connected", 2)
    any_server.generate(100, seed=51, start_index=100, corrupt=1)
    run.wait_rows(200)
    wait_for(lambda: list((varve.output / "_quarantine").rglob("*")), "the dead letter is kept")
    assert run.stop() == 0
    assert sorted(Output(varve.output).table()["event_id"].to_pylist()) == sorted(
        load.event(index).row["event_id"] for index in range(200)
    )


def test_all_that_varve_does_by_itself_is_possible(any_server, tmp_path):
    """Compaction, retention, closed runs, dead letters and a follower of each kind, with a reload
    and a server that comes back in each round: nothing of it trips the sandbox. `make soak` does it
    for longer."""
    confined = Confined(tmp_path, any_server)
    try:
        for _ in range(3):
            confined.round()
        confined.finish()
    finally:
        confined.close()


def test_a_file_that_a_key_names_is_read_again(
    make_server, any_server_binary, make_runner, tmp_path
):
    """Before each connection, from its own folder, though it was replaced by renaming."""
    server = make_server(any_server_binary, extra="authorization { token: first }", token="first")
    generate(server.url.replace("//", "//first@"), 20, seed=55)
    varve = make_runner(server)
    secret = tmp_path / "secrets" / "token"
    secret.parent.mkdir()
    secret.write_text("first")
    config = varve.config(**ON, batching={"max_age": "100ms"})
    config["nats"]["token_file"] = str(secret)
    run = varve.start(config=config)
    run.wait_rows(20)
    replace(secret, "second")
    server.stop()
    server.configure("authorization { token: second }")
    server.start()
    run.wait_line("connected", 2)
    assert run.stop() == 0


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_removed_directory_ends_the_process(any_server, varve, mode):
    """What it may write is what was there at its start: another process makes it again. Without a
    sandbox this one does (test_a_removed_directory_is_made_again)."""
    any_server.generate(50, seed=52)
    run = varve.start(sandbox=mode, batching={"max_age": "100ms"})
    run.wait_rows(50)
    (varve.output.parent / "beside").mkdir()
    shutil.rmtree(varve.output)
    any_server.generate(50, seed=52, start_index=50)
    assert run.wait() == 1
    assert "start varve again" in run.text().splitlines()[-1]
    assert not varve.output.exists()
    varve.once(sandbox=mode)
    check_rows(varve.output, numbered(Load(seed=52).run(100))[0])


def test_a_reload_that_names_a_new_folder(
    make_server, any_server_binary, make_runner, tmp_path_factory
):
    """It says that it takes a restart, and connections go on with what they had."""
    server = make_server(any_server_binary, extra="authorization { token: first }", token="first")
    generate(server.url.replace("//", "//first@"), 20, seed=56)
    varve = make_runner(server)
    old, new = (tmp_path_factory.mktemp(name) / "token" for name in ("old", "new"))
    for file in (old, new):
        file.write_text("first")
    config = varve.config(batching={"max_age": "100ms"})
    config["nats"]["token_file"] = str(old)
    run = varve.start(config=config)
    run.wait_rows(20)
    config["nats"]["token_file"] = str(new)
    replace(run.log.with_suffix(".yaml"), json.dumps(config))
    run.send(signal.SIGHUP)
    assert run.wait_line("reloaded", key="nats.token_file")["effect"] == "needs a restart"
    assert str(new) in run.wait_line("sandbox", count=2)["text"]
    server.stop()
    server.start()
    run.wait_line("connected", 2)
    assert run.stop() == 0


def run_varve(*args):
    return subprocess.run([VARVE, *args], capture_output=True, text=True, timeout=60)


def test_readers_read_what_they_were_given_and_nothing_else(any_server, varve, tmp_path):
    any_server.generate(20, seed=53)
    varve.once()
    file = next(varve.output.rglob("[0-9]*.parquet"))
    given = tmp_path / "given"
    given.mkdir()
    shutil.copy(file, given / "own.parquet")
    for command in ("cat", "inspect"):
        assert run_varve(command, given / "own.parquet").returncode == 0
    assert run_varve("verify", varve.output).stdout.startswith("ok")
    (given / "trap.parquet").symlink_to(file)  # leads out of the folder
    refused = run_varve("cat", given)
    assert refused.returncode == 1
    assert "Permission denied" in refused.stderr
    assert run_varve("cat", given, file).returncode == 0  # now it was given


@pytest.fixture
def without():
    """A prefix for a command that runs it on a kernel that lacks a system call."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not here")
    return lambda call, error: (
        ["strace", "-f", "-qq", "-o", "/dev/null", f"-einject={call}:error={error}"]
    )


@pytest.mark.parametrize("error", ["ENOSYS", "EOPNOTSUPP"])
def test_a_kernel_without_landlock(any_server, varve, without, error):
    any_server.generate(20, seed=54)
    prefix = without("landlock_create_ruleset", error)
    run = varve.once(prefix=prefix)
    reason = {"ENOSYS": "missing", "EOPNOTSUPP": "switched off"}[error]
    line = run.lines("sandbox")[0]
    assert line["not_confined"] == f"files and ports (Landlock is {reason})"
    check_rows(varve.output, numbered(Load(seed=54).run(20))[0])
    refused = varve.start("--once", prefix=prefix, **ON)
    assert refused.wait() == 2
    assert "can't confine files and ports" in refused.text()


def test_check_says_what_will_be_confined(any_server, varve, without, tmp_path):
    def check(mode, prefix=()):
        path = tmp_path / "check.yaml"
        path.write_text(json.dumps(varve.config(sandbox=mode)))
        done = subprocess.run(
            [*prefix, VARVE, "check", "--offline", "-c", path], capture_output=True, text=True
        )
        line = next(line for line in done.stdout.splitlines() if "sandbox" in line)
        return done.returncode, line

    lacking = without("landlock_create_ruleset", "ENOSYS")
    assert check("auto") == (0, "ok       this kernel can confine varve run (sandbox is auto)")
    assert check("off")[1].startswith("warning  sandbox is off")
    assert check("auto", lacking)[1].startswith("warning  sandbox: this kernel can't confine files")
    assert check("on", lacking)[0] == 1


class Liar:
    """A server that says one thing to who asks first, and another thing from then on; it hangs up on
    who has logged in."""

    def __init__(self, first, then):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.says = [first, then]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        always = {"version": "2.10.0", "proto": 1, "max_payload": 1048576}
        always |= {"headers": True, "jetstream": True}
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            info = {**always, **self.says[0]}
            self.says = self.says[-1:]
            with client:
                client.settimeout(20)
                client.sendall(b"INFO " + json.dumps(info).encode() + b"\r\n")
                said = b""
                while b"PING" not in said and (more := client.recv(4096)):
                    said += more
                if said:
                    client.sendall(b"PONG\r\n")


@pytest.mark.parametrize("first, open_to_all", [({}, False), ({"cluster": "c"}, True)])
def test_a_port_that_is_named_later(varve, first, open_to_all):
    """Where a server is alone, it can't send varve elsewhere afterwards; one of a cluster that was
    not whole can."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        name = f"127.0.0.1:{other.getsockname()[1]}"
        liar = Liar(first, {"cluster": "c", "connect_urls": [name]})
        run = varve.start(nats={"servers": [f"nats://127.0.0.1:{liar.port}"]})
        connects = run.wait_line("sandbox")["connects"]
        if open_to_all:
            assert connects == "any port"
            other.settimeout(60)
            other.accept()[0].close()
        else:
            assert connects == f"ports of nats.servers and of their cluster: {liar.port}"
            wait_for(lambda: "Permission denied" in run.text(), "the other port is refused")
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                other.accept()
        run.stop(signal.SIGKILL)
        liar.listener.close()


def test_a_cluster_names_its_ports(any_server_binary, make_runner, tmp_path):
    """One of the three is configured; when it is gone, another one is there."""
    cluster = Cluster(any_server_binary, tmp_path)
    try:
        cluster.start()
        cluster.ask(
            lambda js: js.add_stream(
                name="LOGGING", subjects=["logging.events.raw"], num_replicas=3
            )
        )
        first = cluster.nodes["a"]
        runner, ports = make_runner(None), {node.port for node in cluster.nodes.values()}
        for _ in range(5):  # it may take its time, and hear of the others late
            run = runner.start(nats={"servers": [first.url]})
            connects = run.wait_line("sandbox")["connects"]
            if set(map(int, re.findall(r"\d+", connects))) == ports:
                break
            run.stop(signal.SIGKILL)
        assert sorted(map(int, re.findall(r"\d+", connects))) == sorted(ports)
        run.wait_line("connected")
        first.stop(signal.SIGKILL)
        run.wait_line("connected", 2)
        assert run.stop() == 0
    finally:
        cluster.stop()


def test_nobody_is_asked_for_long(varve):
    """A server that is away, or that says nothing, keeps nothing closed."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"nats://127.0.0.1:{silent.getsockname()[1]}"
        run = varve.start(nats={"servers": [url]})
        assert run.wait_line("sandbox")["connects"] == "any port"
        run.stop(signal.SIGKILL)
