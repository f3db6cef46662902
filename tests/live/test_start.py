# SPDX-License-Identifier: MIT
"""Getting going: without any configuration, with credentials, twice, in an empty directory tree;
and what it says when it can't."""

import json
import os
import shutil
import signal
import socket
import subprocess

import pytest

from generator import Load
from support import (
    SUBJECT,
    VARVE,
    Output,
    check_rows,
    check_verify,
    end,
    generate,
    numbered,
    wait_for,
)

# ---- the defaults --------------------------------------------------------------------------------


def test_no_configuration_at_all(network, any_server_binary, tmp_path):
    """The defaults: server 127.0.0.1:4222, stream LOGGING, ./sim_logs; said at the start."""
    here = tmp_path / "here"
    here.mkdir()
    server = subprocess.Popen(
        [*network, any_server_binary, "-js", "-a", "127.0.0.1", "-sd", tmp_path / "jetstream"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = (tmp_path / "varve.log").open("wb+")
    varve = None
    try:

        def published():
            try:
                return generate("nats://127.0.0.1:4222", 3000, prefix=network, seed=91)
            except AssertionError:
                return None  # not up yet

        wait_for(published, "the server is there")
        varve = subprocess.Popen([*network, VARVE, "run", "--once"], cwd=here, stderr=log)
        assert varve.wait(120) == 0, (tmp_path / "varve.log").read_text()
    finally:
        for process in (varve, server):
            if process:
                end(process)
        log.close()
    text = (tmp_path / "varve.log").read_text()
    assert "event=start" in text
    assert "server=127.0.0.1:4222" in text and "output=./sim_logs" in text
    assert f"stream=LOGGING subject={SUBJECT} consumer=varve delivery=durable" in text
    rows, _ = numbered(Load(seed=91).run(3000))
    check_rows(here / "sim_logs", rows)


def test_varve_yaml_is_read_where_it_lies(any_server, varve, tmp_path):
    any_server.generate(10)
    here = tmp_path / "here"
    here.mkdir()
    (here / "varve.yaml").write_text(json.dumps(varve.config(output={"min_free": "0"})))
    run = varve.start("--once", config=(), cwd=here)
    assert run.wait() == 0, run.text()
    assert len(Output(varve.output).table()) == 10


def test_the_simulations_own_file(any_server, varve, tmp_path):
    """Under logging_layer, beside sections that are not ours; the server is the orchestrator's."""
    any_server.generate(10)
    path = tmp_path / "default_simulation_config.yaml"
    path.write_text(
        f"""
simulation:
  tick_rate: 20
orchestrator_layer:
  communication:
    nats_address: "{any_server.url}"
logging_layer:
  output:
    log_output_directory: {varve.output}
    min_free: 0
  metrics:
    listen: "off"
"""
    )
    run = varve.start("--once", "-c", path, config=())
    assert run.wait() == 0, run.text()
    assert len(Output(varve.output).table()) == 10


def test_set_goes_over_the_file(any_server, varve, tmp_path):
    any_server.generate(10)
    other = tmp_path / "other"
    varve.once("--set", f"output.log_output_directory={other}", "--set", "batching.max_age=5s")
    assert len(Output(other).table()) == 10
    assert not varve.output.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("batchin:\n  max_rows: 5\n", ["varve.yaml:1", "batchin", "batching"]),
        ("batching:\n  max_rows: many\n", ["varve.yaml:2", "max_rows"]),
        ("batching:\n  max_age: 5 parsecs\n", ["varve.yaml:2", "max_age"]),
        ("output: [\n", ["varve.yaml"]),
        ("nats:\n  token: ${VARVE_NO_SUCH_VARIABLE}\n", ["VARVE_NO_SUCH_VARIABLE"]),
        ("nats:\n  user: a\n  password: b\n  token: c\n", ["nats.user", "nats.token"]),
        ("output:\n  path_template: ../{first_seq}.parquet\n", ["path_template"]),
        ("sources:\n  - delivery: sometimes\n", ["varve.yaml:2", "durable", "position"]),
    ],
)
def test_wrong_configuration_is_status_2_and_one_line(varve, tmp_path, text, says):
    (tmp_path / "varve.yaml").write_text(text)
    run = varve.start(config=(), cwd=tmp_path)
    assert run.wait() == 2
    (line,) = run.text().splitlines()
    assert all(part in line for part in says), line


@pytest.mark.parametrize("args", [["--onse"], ["-c"], ["-c", "none.yaml"], ["--set", "a"]])
def test_wrong_usage_is_status_2_and_one_line(varve, args):
    run = varve.start(*args, config=())
    assert run.wait() == 2
    (line,) = run.text().splitlines()
    assert line.startswith("varve")


# ---- twice ---------------------------------------------------------------------------------------


def test_the_same_instance_twice_is_refused(any_server, varve):
    """Same name, same directory: the second ends with status 2, the first goes on."""
    any_server.generate(100, seed=92)
    first = varve.start(batching={"max_age": "300ms"})
    first.wait_rows(100)
    second = varve.start(batching={"max_age": "300ms"})
    assert second.wait() == 2
    assert str(varve.output) in second.text().splitlines()[-1]
    any_server.generate(100, seed=92, start_index=100)
    first.wait_rows(200)
    assert first.stop() == 0
    rows, _ = numbered(Load(seed=92).run(200))
    check_rows(varve.output, rows)


def test_two_instances_share_a_directory(any_server, varve):
    """Under different names; different streams, one table."""
    any_server.generate(1000, seed=93)
    any_server.generate(800, seed=94, stream="SECOND", subject="second")
    template = {"path_template": "{instance}/{stream}/{first_seq}-{last_seq}.parquet"}
    sources = [[{"stream": "LOGGING"}], [{"stream": "SECOND", "subjects": ["second"]}]]
    runs = [
        varve.start("--once", nats={"name": f"varve-{i}"}, sources=s, output=template)
        for i, s in enumerate(sources)
    ]
    for run in runs:
        assert run.wait() == 0, run.text()
    found = Output(varve.output).table()["nats_subject"].to_pylist()
    assert (found.count(SUBJECT), found.count("second"), len(found)) == (1000, 800, 1800)
    assert (varve.output / "varve-1" / "SECOND").is_dir()
    check_verify(varve.output)


# ---- credentials ---------------------------------------------------------------------------------

USER = 'authorization { user: "sim", password: "s3cr:t" }'
TOKEN = 'authorization { token: "t0ken" }'


def publish_to(server):
    """varve-gen has no options for credentials: publish with ours."""
    server.add_stream()
    server.publish([message.data for message in Load(seed=95).run(50)])


@pytest.mark.parametrize("how", ["keys", "environment", "url"])
def test_user_and_password(make_server, make_runner, server_binary, how):
    server = make_server(server_binary, extra=USER, user="sim", password="s3cr:t")
    publish_to(server)
    varve = make_runner(server)
    nats = {
        "keys": {"user": "sim", "password": "s3cr:t"},
        "environment": {"user": "${VARVE_USER}", "password": "${VARVE_PASSWORD}"},
        "url": {"servers": [f"nats://sim:s3cr%3At@127.0.0.1:{server.port}"]},
    }[how]
    run = varve.once(nats=nats, env={"VARVE_USER": "sim", "VARVE_PASSWORD": "s3cr:t"})
    rows, _ = numbered(Load(seed=95).run(50))
    check_rows(varve.output, rows)
    assert "s3cr" not in run.text()


def test_token(make_server, make_runner, server_binary):
    server = make_server(server_binary, extra=TOKEN, token="t0ken")
    publish_to(server)
    varve = make_runner(server)
    run = varve.once(nats={"token": "t0ken"})
    rows, _ = numbered(Load(seed=95).run(50))
    check_rows(varve.output, rows)
    assert "t0ken" not in run.text()


def test_a_wrong_password_is_said_and_tried_again(make_server, make_runner, server_binary):
    """Until somebody sets it right: here on the server's side."""
    server = make_server(server_binary, extra=USER, user="sim", password="s3cr:t")
    publish_to(server)
    varve = make_runner(server)
    run = varve.start("--once", nats={"user": "sim", "password": "0ther"})
    first = run.wait_line("server_error")
    assert first["level"] == "error"
    assert "Authorization Violation" in first["text"]
    run.wait_line("connect_failed", count=3)
    assert "0ther" not in run.text()
    server.stop()
    server.configure(USER.replace("s3cr:t", "0ther"))
    server.start()
    assert run.wait() == 0, run.text()
    rows, _ = numbered(Load(seed=95).run(50))
    check_rows(varve.output, rows)


def test_a_server_without_jetstream_is_waited_for(make_server, make_runner, any_server_binary):
    server = make_server(any_server_binary)
    server.stop()
    server.config.write_text(f"listen: 127.0.0.1:{server.port}\n")
    server.start()
    run = make_runner(server).start("--once")
    assert "JetStream" in run.wait_line("source_waiting")["reason"]
    assert run.stop(signal.SIGTERM) == 1


def test_something_else_listens_there(make_runner, tmp_path):
    """A port that says nothing NATS: tried again, never a crash."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"nats://127.0.0.1:{listener.getsockname()[1]}"
        run = make_runner(None).start(nats={"servers": [url]})
        for _ in range(3):
            listener.settimeout(60)
            client, _ = listener.accept()
            with client:
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        run.wait_line("connect_failed", count=2)
        assert run.stop() == 0


# ---- one static binary ---------------------------------------------------------------------------


def test_the_binary_is_static():
    if shutil.which("file") is None:
        pytest.skip("file is not here")
    out = subprocess.run(["file", "-bL", VARVE], capture_output=True, text=True, timeout=60)
    assert "statically linked" in out.stdout or "static-pie linked" in out.stdout


def test_it_needs_nothing_but_itself(any_server, varve, tmp_path):
    """In a root directory that holds the binary and a configuration."""
    if os.geteuid() != 0:
        pytest.skip("chroot needs root")
    any_server.generate(1000, seed=96)
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(VARVE, root / "varve")
    config = varve.config(output={"log_output_directory": "/data"})
    (root / "varve.yaml").write_text(json.dumps(config))
    out = subprocess.run(
        ["chroot", root, "/varve", "run", "--once"], capture_output=True, text=True, timeout=120
    )
    assert out.returncode == 0, out.stderr
    rows, _ = numbered(Load(seed=96).run(1000))
    check_rows(root / "data", rows)
    for command in (["verify", "/data"], ["version"], ["licenses"], ["help"]):
        args = ["chroot", root, "/varve", *command]
        assert subprocess.run(args, capture_output=True, timeout=60).returncode == 0
