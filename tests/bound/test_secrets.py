# SPDX-License-Identifier: MIT
"""Secrets appear nowhere: whatever varve writes, serves or shows is searched for them."""

import base64
import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from certificates import Certificate
from nkeys_jwt import Key, Operator, credentials
from support import BUILD, VARVE, seen, wait_for
from watching import ALERTS, Endpoint, watched

SECRET = "hunter2-is-the-secret"

# How a password can be given: what goes into `nats`, more arguments, the environment. {url} and
# {host} are the server's.
WAYS = {
    "in the file": ({"user": "drain", "password": SECRET}, [], {}),
    "from the environment": (
        {"user": "drain", "password": "${PASSWORD}"},
        [],
        {"PASSWORD": SECRET},
    ),
    "on the command line": (
        {"user": "drain"},
        ["--set", f"nats.password={SECRET}"],
        {},
    ),
    "in the URL": ({"servers": [f"nats://drain:{SECRET}@{{host}}"]}, [], {}),
    "in a URL on the command line": (
        {},
        ["--set", f"nats.servers=nats://drain:{SECRET}@{{host}}"],
        {},
    ),
}


def start(runner, server, way, **more):
    nats, args, env = WAYS[way]
    host = server.url.removeprefix("nats://")
    nats = json.loads(json.dumps(nats).replace("{host}", host))
    args = [arg.replace("{host}", host) for arg in args]
    config = watched(runner, nats={"servers": [server.url], **nats}, **more)
    return runner.start(*args, config=config, env=env)


def search(run, endpoint, places=()):
    """Whatever can be seen of a run from outside."""
    texts = seen(run, endpoint, places)
    assert not [where for where, text in texts.items() if SECRET in text]
    return texts


@pytest.fixture
def locked(make_server, any_server_binary):
    server = make_server(
        any_server_binary,
        extra=f"authorization {{ user: drain, password: {SECRET} }}",
        user="drain",
        password=SECRET,
    )
    server.add_stream()
    server.add_stream("OPS", [ALERTS])
    return server


@pytest.mark.parametrize("log_format", ["json", "logfmt"])
@pytest.mark.parametrize("way", WAYS)
def test_while_it_drains(locked, make_runner, way, log_format):
    runner = make_runner(locked)
    settings = {"log_format": log_format, "log_level": "DEBUG"}
    run = start(runner, locked, way, settings=settings)
    wait_for(lambda: "listening" in run.text(), "it listens")
    endpoint = Endpoint(run) if log_format == "json" else plain_endpoint(run)
    locked.publish([b"\x0a\x01a", b"no event"])
    wait_for(lambda: len(endpoint.status()["commits"]) > 0, "a commit")
    texts = search(run, endpoint, [runner.output])
    assert "connected" in texts["log"]
    assert any(str(path).endswith(".parquet") for path in texts)
    if "command line" in way:
        assert "*****" in texts["cmdline"]
    # Alerts are published: this one tells of the outage.
    locked.stop()
    wait_for(lambda: "disconnected" in run.text(), "it notices")
    search(run, endpoint)
    locked.start()
    wait_for(lambda: locked.stream("OPS").state.messages > 0, "an alert")
    for _, _, _, _, data in locked.messages("OPS"):
        assert SECRET.encode() not in data
    assert run.stop() == 0
    assert SECRET not in run.text()


def plain_endpoint(run):
    """Endpoint() reads JSON lines."""

    class Line:
        @staticmethod
        def wait_line(_):
            return {"text": run.text()}

    return Endpoint(Line)


@pytest.mark.parametrize("way", WAYS)
def test_while_it_is_refused(make_server, any_server_binary, make_runner, way):
    """The password is a wrong one, so that somebody will read the log with care."""
    server = make_server(
        any_server_binary, extra="authorization { user: drain, password: another }"
    )
    run = start(make_runner(server), server, way)
    run.wait_line("server_error")
    endpoint = Endpoint(run)
    search(run, endpoint)
    assert run.stop() == 0


def test_a_token(make_server, any_server_binary, make_runner):
    server = make_server(
        any_server_binary, extra=f"authorization {{ token: {SECRET} }}", token=SECRET
    )
    server.add_stream()
    config = watched(make_runner(server), nats={"token": SECRET})
    runner = make_runner(server)
    run = runner.start(config=config)
    run.wait_line("connected")
    search(run, Endpoint(run))
    # Read again, with and without an error, the secret is still one.
    path = run.log.with_suffix(".yaml")
    path.write_text(json.dumps({**config, "nats": {**config["nats"], "token": SECRET + "2"}}))
    run.send(signal.SIGHUP)
    run.wait_line("reloaded", key="nats.token")
    for broken in (
        f"nats: {{token: [{SECRET}]}}\n",
        f"nats: {{token: {SECRET}\n",
        f"nats:\n  token: {SECRET}\n  tokn: {SECRET}\n",
        f"nats: {{token: {SECRET}, user: {SECRET}}}\n",
        f"nats: {{token: '${{{SECRET}'}}\n",
        f"nats: {{servers: 'nats://drain:{SECRET}@:bad'}}\n",
    ):
        failed = len(run.lines("reload_failed"))
        path.write_text(broken)
        run.send(signal.SIGHUP)
        run.wait_line("reload_failed", failed + 1)
        search(run, Endpoint(run))
    assert run.stop() == 0


@pytest.mark.parametrize("command", [["run", "--once"], ["check"], ["check", "--offline"]])
def test_commands_that_end(locked, make_runner, tmp_path, command):
    """What they say on both outputs, when it works and when it does not."""
    import subprocess

    runner = make_runner(locked)
    host = locked.url.removeprefix("nats://")
    for url in (f"nats://drain:{SECRET}@{host}", f"nats://drain:{SECRET}x@127.0.0.1:1"):
        path = tmp_path / "varve.yaml"
        path.write_text(json.dumps(runner.config(nats={"servers": [url]})))
        process = subprocess.Popen(
            [VARVE, *command, "-c", path],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if command[0] == "run" and url.endswith(":1"):
            process.terminate()
        out, _ = process.communicate(timeout=120)
        assert SECRET not in out


PARTS = ("Tr0ub4dor", "horse", "battery", "hunter2", "pa%zz", "s3cr3t")

# A secret in each place where it does not belong, or that is not written as it should be.
MISTAKES = {
    "an @ in the password": "nats: {servers: 'nats://svc:Tr0ub4dor@horse-battery@127.0.0.1:1'}",
    "an @, and no host": "nats: {servers: 'nats://svc:Tr0ub4dor@horse@'}",
    "a colon and a slash": "nats: {servers: 'nats://svc:hunter2/horse:battery@127.0.0.1:1x'}",
    "a wrong escape": "nats: {servers: 'nats://svc:pa%zz@127.0.0.1:1'}",
    "another scheme": "nats: {servers: 'natss://svc:hunter2@h:4222'}",
    "the password as scheme": "nats: {servers: 'svc:hunter2://x@h'}",
    "a word as scheme": "nats: {servers: 'hunter2://x@h'}",
    "no host": "nats: {servers: 'nats://svc:hunter2'}",
    "blanks": "nats: {servers: 'nats://svc hunter2 @ h'}",
    "a list, one is wrong": "nats: {servers: ['nats://h', 'nats://u:hunter2@h:x']}",
    "a list as a secret": "nats: {password: [hunter2], user: svc}",
    "keys as a secret": "nats: {password: {hunter2: 1}, user: svc}",
    "a part that looks like a variable": "nats: {password: 'a${hunter2}horse', user: svc}",
    "a variable that is not one": "nats: {password: '${hunter2', user: svc}",
    "no blank after the colon": "nats:\n  user: svc\n  password:hunter2\n",
    "an alias": "nats: {user: svc, password: *hunter2}",
    "an anchor": "nats: {user: svc, password: &hunter2}",
    "a tag": "nats: {user: svc, password: !hunter2 x}",
    "an open quote": "nats: {user: svc, password: 'hunter2}",
    "a tab": "nats:\n\tpassword: hunter2\n",
    "control characters": 'nats: {user: svc, password: "hunter2\\x01"}',
    "too long": "nats: {user: svc, password: '" + "hunter2" * 2000 + "'}",
    "not with a token": "nats: {user: svc, password: hunter2, token: s3cr3t}",
    "no user": "nats: {password: hunter2}",
}


def expect_no_secret(command, **options):
    done = subprocess.run(
        [VARVE, *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )
    told = done.stdout + done.stderr
    assert not [part for part in PARTS if part in told], told
    return done


# These are none: run would look for the server for ever.
RIGHT = ("an @ in the password", "an anchor")


@pytest.mark.parametrize(
    ("command", "mistake"),
    [(("check", "--offline"), mistake) for mistake in MISTAKES]
    + [(("run",), mistake) for mistake in MISTAKES if mistake not in RIGHT],
)
def test_in_the_wrong_place(tmp_path, command, mistake):
    path = tmp_path / "v.yaml"
    path.write_text(MISTAKES[mistake] + "\n")
    where = [
        "--set",
        f"output.log_output_directory={tmp_path}/out",
        "--set",
        "metrics.listen=off",
    ]
    done = expect_no_secret([*command, "-c", path, *where])
    assert done.returncode == (0 if mistake in RIGHT else 2), done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "nats://svc:hunter2@h"],
        ["run", "--password=hunter2"],
        ["run", "--set", "nats.password:hunter2"],
        ["run", "--set", "nats.passwrd=hunter2"],
        ["run", "--set", "nats.servers=nats://svc:hunter2@h:x"],
        ["check", "svc:hunter2"],
        ["nats://svc:hunter2@h"],
        ["help", "nats://svc:hunter2@h"],
        ["cat", "--url=nats://svc:hunter2@h", "x"],
        ["inspect", "--token=s3cr3t", "x"],
        ["verify", "--password=hunter2", "x"],
        ["verify", "--server", "nats://svc:hunter2", "."],
        ["verify", "--server", "nats://svc:Tr0ub4dor@horse@h:x", "."],
        ["replay", "--server", "nats://svc:Tr0ub4dor@horse@h:x", "."],
    ],
    ids=" ".join,
)
def test_on_the_command_line(tmp_path, arguments):
    done = expect_no_secret(arguments, cwd=tmp_path)
    assert done.returncode != 0 and done.stderr


def test_an_at_sign_in_the_password(make_server, any_server_binary, make_runner):
    """As other clients take it: all up to the last @ is the user and the password."""
    server = make_server(
        any_server_binary,
        extra='authorization { user: svc, password: "Tr0ub4dor@horse" }',
        user="svc",
        password="Tr0ub4dor@horse",
    )
    server.add_stream()
    server.publish([b"\x0a\x01a"])
    host = server.url.removeprefix("nats://")
    run = make_runner(server).once(nats={"servers": [f"nats://svc:Tr0ub4dor@horse@{host}"]})
    assert not [part for part in PARTS if part in run.text()]


# ---- each key that is a secret, whatever it is for -----------------------------------------------

KEYS = subprocess.run(
    [BUILD / "watch" / "keys", "secrets"], capture_output=True, text=True, check=True
).stdout.split()


@pytest.mark.parametrize("how", ["file", "environment", "command line"])
@pytest.mark.parametrize("key", KEYS)
def test_each_secret_key(tmp_path, key, how):
    """By the table of keys, so that the next one is in it: neither alone, where it lacks what goes
    with it, nor beside a user, is it said by what reads it, checks it and tries to use it."""
    value = "${HUNTER}" if how == "environment" else "hunter2"
    for beside in ([], ["--set", "nats.user=svc"]):
        config = {"nats": {"servers": ["nats://127.0.0.1:1"]}, "metrics": {"listen": "off"}}
        config["output"] = {"log_output_directory": str(tmp_path / "out")}
        if how != "command line":
            at = config
            *sections, name = key.split(".")
            for section in sections:
                at = at.setdefault(section, {})
            at[name] = value
        path = tmp_path / "v.yaml"
        path.write_text(json.dumps({"logging_layer": config}))
        words = ["-c", path, *beside]
        words += ["--set", f"{key}=hunter2"] if how == "command line" else []
        env = {**os.environ, "HUNTER": "hunter2"}
        for command in (["check", "--offline"], ["check"], ["run", "--once", "--timeout", "1s"]):
            expect_no_secret([*command, *words], env=env)
    if (tmp_path / "out").exists():
        for file in (tmp_path / "out").rglob("*"):
            assert file.is_dir() or b"hunter2" not in file.read_bytes()


def dumps_core(process):
    """Whether a process leaves a core file when it is told to."""
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == -signal.SIGABRT
    return os.WCOREDUMP(status)


def test_a_crash_leaves_no_core(locked, make_runner, tmp_path):
    """Though it may: the memory of a run has the password in it."""
    unlimited = ["prlimit", "--core=unlimited"]
    other = subprocess.Popen([*unlimited, "sleep", "600"], cwd=tmp_path)
    wait_for(lambda: "sleep" in Path(f"/proc/{other.pid}/comm").read_text(), "it sleeps")
    if not dumps_core(other):
        pytest.skip("no process of this host leaves a core file")
    runner = make_runner(locked)
    nats = {"servers": [locked.url], "user": "drain", "password": SECRET}
    run = runner.start(config=runner.config(nats=nats), prefix=unlimited, cwd=tmp_path)
    run.wait_line("connected")
    assert not dumps_core(run.process)


def test_the_environment_is_nobodys_to_read(locked, make_runner):
    """A password from the environment stays in it, for a hangup reads it again: but neither another
    user nor another process of the same one gets at it, unless it may look at everybody."""
    seers = "-sys_ptrace,-sys_admin,-perfmon"
    plain = [] if os.geteuid() else ["setpriv", f"--bounding-set={seers}"]
    nats = {"servers": [locked.url], "user": "drain", "password": "${PASSWORD}"}
    run = make_runner(locked).start(nats=nats, env={"PASSWORD": SECRET}, prefix=plain)
    run.wait_line("connected")

    def read(process):
        words = [*plain, "cat", f"/proc/{process.pid}/environ"]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    other = subprocess.Popen([*plain, "sleep", "600"], env={**os.environ, "PASSWORD": SECRET})
    try:
        wait_for(lambda: "sleep" in Path(f"/proc/{other.pid}/comm").read_text(), "it sleeps")
        assert SECRET in read(other).stdout
    finally:
        other.kill()
        other.wait()
    refused = read(run.process)
    assert refused.returncode != 0 and refused.stdout == "", refused
    assert run.stop() == 0


def memory_of(process):
    """All that a process has in its memory, as far as it is its own."""
    found = []
    try:
        with open(f"/proc/{process.pid}/mem", "rb", buffering=0) as mem:
            for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
                place, modes = line.split()[:2]
                if not modes.startswith("rw"):
                    continue
                start, end = (int(at, 16) for at in place.split("-"))
                mem.seek(start)
                with contextlib.suppress(OSError):  # given back meanwhile
                    found.append(mem.read(end - start))
    except PermissionError:
        pytest.skip("only root can look into the memory of a varve")
    return b"".join(found)


@pytest.mark.parametrize("way", ["nkey_seed_file", "credentials_file"])
def test_a_seed_is_gone_once_it_has_signed(make_server, server_binary, make_runner, tmp_path, way):
    """It is read for each connection anew: between them the memory has nothing of it."""
    operator, key = Operator(), Key()
    jwt, seed = operator.user(key)
    nkeys = f"authorization {{ users: [{{ nkey: {key.public} }}] }}"
    extra = operator.config() if way == "credentials_file" else nkeys
    server = make_server(server_binary, extra=extra)
    path = tmp_path / "secrets" / "seed"
    path.parent.mkdir()
    path.write_text(credentials(jwt, seed) if way == "credentials_file" else key.seed)
    run = make_runner(server).start(nats={"servers": [server.url], way: str(path)})
    run.wait_line("connected")
    raw = base64.b32decode(key.seed + "=" * (-len(key.seed) % 8))[2:34]
    memory = memory_of(run.process)
    assert str(path).encode() in memory  # it is the right one
    for part in (key.seed.encode(), key.seed[4:40].encode(), raw, raw[:16]):
        assert part not in memory
    assert run.stop() == 0


def test_the_file_of_a_key_is_gone_once_it_is_read(
    any_server_binary, make_server, make_runner, tmp_path
):
    """As text, and its password: a connection has the key itself for as long as it lasts."""
    ca = Certificate("test CA", ca=True)
    ca_file, _ = ca.write(tmp_path, "ca")
    cert, key = Certificate("server", ca, ["127.0.0.1"]).write(tmp_path, "server")
    own, own_key = Certificate("client", ca, ["client"]).write(tmp_path, "own", SECRET.encode())
    (tmp_path / "password").write_text(SECRET)
    server = make_server(any_server_binary)
    server.stop()
    files = f'cert_file: "{cert}", key_file: "{key}", ca_file: "{ca_file}"'
    server.configure(f"tls {{ {files}, verify: true }}")
    server.start()
    tls = {"ca_file": ca_file, "cert_file": own, "key_file": own_key,
           "key_password_file": str(tmp_path / "password")}
    run = make_runner(server).start(nats={"servers": [server.url], "tls": tls})
    run.wait_line("connected")
    memory = memory_of(run.process)
    assert own_key.encode() in memory  # its name: it is the right one
    for line in Path(own_key).read_text().splitlines()[1:-2]:
        assert line.encode() not in memory
    assert SECRET.encode() not in memory
    assert run.stop() == 0
