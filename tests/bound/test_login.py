# SPDX-License-Identifier: MIT
"""Logging in: by every way that there is, from files that change while varve runs, and what it says
where a server does not let it in."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from nkeys_jwt import Key, Operator, credentials
from support import VARVE, Output, seen, wait_for
from watching import Endpoint, watched

EVENT = b"\x0a\x01a"


def write(path, text, mode=0o400):
    """Replace a file at once, as those do who renew credentials; in a folder of its own, which is
    not that of the configuration."""
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.write_text(text)
    new.chmod(mode)
    new.rename(path)
    return str(path)


class Login:
    """A varve that logs in, and nothing of the secrets that it was given is seen anywhere."""

    def __init__(self, runner, secrets=(), **nats):
        self.runner = runner
        self.secrets = list(secrets)
        nats.setdefault("servers", [runner.server.url])
        config = watched(runner, nats=nats, batching={"max_age": "100ms"})
        self.run = runner.start(config=config)
        self.endpoint = Endpoint(self.run)

    def hurry(self):
        """Have it try again now."""
        self.run.send(signal.SIGHUP)

    def drains(self):
        rows = Output(self.runner.output).table().num_rows if self.run.lines("committed") else 0
        self.runner.server.publish([EVENT])
        self.run.wait_rows(rows + 1)

    def wait_refused(self, sentence, reason):
        """It is not ready, says why, and goes on trying."""

        def refused():
            ready, text = self.endpoint.ready()
            return not ready and sentence in text and text

        try:
            text = wait_for(refused, sentence)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.endpoint.ready()}\n{self.run.text()}") from None
        assert text.startswith("not connected to NATS: ")
        wait_for(lambda: self.reasons() == [reason], f"{reason}, not {self.reasons()}")
        assert sentence in self.endpoint.text("/").replace("&#39;", "'")
        assert self.run.process.poll() is None
        self.search()

    def reasons(self):
        samples = re.findall(
            r'^varve_disconnected\{reason="(\w+)"\} 1$', self.endpoint.text("/metrics"), re.M
        )
        return samples

    def search(self):
        texts = seen(self.run, self.endpoint, [self.runner.output])
        assert not [where for where, text in texts.items() for s in self.secrets if s in text]

    def end(self):
        self.search()
        assert self.run.stop() == 0
        self.search_log()

    def search_log(self):
        assert not [secret for secret in self.secrets if secret in self.run.text()]


@pytest.fixture
def folder(tmp_path):
    """Where secrets are, away from the configuration and the output."""
    return tmp_path / "secrets"


@pytest.fixture
def login(make_runner):
    """Starts a varve against a server."""

    def start(server, secrets=(), **nats):
        return Login(make_runner(server), secrets, **nats)

    return start


# ---- users, passwords and tokens in files --------------------------------------------------------


def test_user_and_password_in_files_that_change(make_server, any_server_binary, login, folder):
    def permit(password):
        return f'authorization {{ user: drain, password: "{password}" }}'

    server = make_server(
        any_server_binary, extra=permit("first-pass"), user="drain", password="first-pass"
    )
    server.add_stream()
    run = login(
        server,
        ["first-pass", "second-pass"],
        user_file=write(folder / "user", "drain\n"),
        password_file=write(folder / "password", "first-pass\r\n"),
    )
    run.drains()
    server.stop()
    server.configure(permit("second-pass"))
    server.credentials["password"] = "second-pass"
    server.start()
    run.wait_refused("check nats.user and nats.password", "login_refused")
    write(folder / "password", "second-pass")
    run.hurry()
    run.run.wait_line("connected", 2)
    run.drains()
    run.end()


def test_token_of_systemd(make_server, any_server_binary, make_runner, folder):
    """LoadCredential= puts files into a directory and says where in the environment."""
    server = make_server(
        any_server_binary,
        extra='authorization { token: "a-token-of-ours" }',
        token="a-token-of-ours",
    )
    server.add_stream()
    server.publish([EVENT])
    write(folder / "token", "a-token-of-ours\n")
    run = make_runner(server).once(
        nats={"token_file": "${CREDENTIALS_DIRECTORY}/token"},
        env={"CREDENTIALS_DIRECTORY": str(folder)},
    )
    assert "a-token-of-ours" not in run.text() and not run.lines("login_file")


# What is wrong with a file, and what is said of it.
WRONG_FILES = {
    "missing": (None, "token_file", "No such file or directory"),
    "empty": ("", "token_file", "it is empty"),
    "two lines": ("secret-a\nsecret-b\n", "token_file", "it has more than one line"),
    "huge": ("secret-a" * 9000, "token_file", "it has more than 65536 bytes"),
    "no seed": ("secret-a\n", "nkey_seed_file", "no line of it is a seed"),
    "seed of an account": (Key("account").seed, "nkey_seed_file", "it is the seed of an account"),
    "no credentials": ("secret-a: x\n", "credentials_file", "it is not a credentials file"),
}


@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_files_that_are_wrong(any_server, login, folder, wrong):
    """Named with the key and what is wrong, and read again."""
    content, key, sentence = WRONG_FILES[wrong]
    path = folder / "file"
    if content is not None:
        write(path, content)
    run = login(any_server, ["secret-a", "secret-b"], **{key: str(path)})
    run.wait_refused(f"nats.{key} {path}: {sentence}", "login_file")
    if key == "token_file":
        write(path, "whatever\n")  # a server without logins takes any
        run.hurry()
        run.run.wait_line("connected")
    run.end()


def test_a_file_that_others_can_read(any_server, login, folder):
    path = write(folder / "token", "whatever-it-is", mode=0o644)
    run = login(any_server, ["whatever-it-is"], token_file=path)
    line = run.run.wait_line("login_file")
    assert line["text"] == f"nats.token_file {path}: others can read it (mode 0644): chmod 400"
    run.run.wait_line("connected")
    run.end()
    assert len(run.run.lines("login_file")) == 1


# ---- NKeys ---------------------------------------------------------------------------------------


def test_nkey(make_server, server_binary, login, folder):
    key, stranger = Key(), Key()
    server = make_server(
        server_binary,
        extra=f'authorization {{ users: [{{ nkey: {key.public} }}, {{ user: a, password: "b" }}] }}',
        user="a",
        password="b",
    )
    server.add_stream()
    path = write(folder / "seed", f"# of {stranger.public}\n{stranger.seed}\n")
    run = login(server, [key.seed, stranger.seed], nkey_seed_file=path)
    run.wait_refused("it does not know the key in nats.nkey_seed_file", "login_refused")
    write(folder / "seed", key.seed)
    run.hurry()
    run.run.wait_line("connected")
    run.drains()
    run.end()


def test_signatures_by_another_implementation(varve, folder):
    """Whatever the seed and the nonce: python's cryptography finds each signature right."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        url = f"nats://127.0.0.1:{listener.getsockname()[1]}"
        path = folder / "seed"
        key = Key()
        write(path, key.seed)
        config = varve.config(nats={"servers": [url], "nkey_seed_file": str(path)})
        config["sandbox"] = "off"  # for which a process of its own would ask before
        run = varve.start(config=config)
        for _ in range(7):
            connection, _ = listener.accept()
            nonce = base64.urlsafe_b64encode(os.urandom(11)).decode().rstrip("=")
            info = {"headers": True, "proto": 1, "max_payload": 1048576, "nonce": nonce}
            connection.sendall(f"INFO {json.dumps(info)}\r\n".encode())
            connection.settimeout(60)
            said = b""
            while b"\r\n" not in said:
                received = connection.recv(65536)
                assert received, said
                said += received
            options = json.loads(said[len("CONNECT ") : said.index(b"\r\n")])
            assert options["nkey"] == key.public
            signature = base64.urlsafe_b64decode(options["sig"] + "==")
            key.verifies(signature, nonce.encode())
            key = Key()  # before it connects again
            write(path, key.seed)
            connection.close()
        assert run.stop() == 0


# ---- JWTs ----------------------------------------------------------------------------------------


@pytest.fixture
def operator():
    return Operator()


@pytest.fixture
def locked(make_server, server_binary, operator):
    server = make_server(server_binary, extra=operator.config())
    server.credentials = operator.client()
    server.add_stream()
    return server


def reconfigure(server, operator):
    server.configure(operator.config())
    server.process.send_signal(signal.SIGHUP)


def test_credentials(locked, operator, login, folder):
    jwt, seed = operator.user()
    run = login(
        locked, [jwt, seed], credentials_file=write(folder / "creds", credentials(jwt, seed))
    )
    run.drains()
    assert "varve_login_expires" not in run.endpoint.text("/metrics")
    run.end()


def test_a_bearer(locked, operator, login, folder):
    jwt, _ = operator.user(nats={"bearer_token": True})
    run = login(locked, [jwt], credentials_file=write(folder / "creds", jwt + "\n"))
    run.drains()
    run.end()


def bad_users(operator):
    """Credentials that a server refuses, and why varve says that is."""
    now = int(time.time())
    other = Key()
    unknown = "is revoked, its account is expired or unknown to this server"
    jwt, _ = operator.user()
    return {
        "expired": (
            operator.user(exp=now - 60),
            "the JWT in nats.credentials_file expired at ",
            "login_expired",
        ),
        "not yet": (
            operator.user(nbf=now + 3600),
            "the JWT in nats.credentials_file is not valid before ",
            "login_refused",
        ),
        "unknown account": (operator.user(account=Key("account")), unknown, "login_refused"),
        "another's seed": (
            (jwt, other.seed),
            "its seed is not that of the user in its JWT",
            "login_file",
        ),
        "long": (
            operator.user(nats={"tags": ["x" * 4000]}),
            "and the server takes at most 4096: use a shorter one",
            "server_error",
        ),
    }


def test_credentials_that_are_refused(locked, operator, login, folder):
    """Each with a sentence of its own; and at last some that are not."""
    path = folder / "creds"
    users = bad_users(operator)
    secrets = [part for user, _, _ in users.values() for part in user]
    run = None
    for user, sentence, reason in users.values():
        write(path, credentials(*user))
        run = run or login(locked, secrets, credentials_file=str(path))
        run.hurry()
        run.wait_refused(sentence, reason)
    jwt, seed = operator.user()
    write(path, credentials(jwt, seed))
    run.hurry()
    run.run.wait_line("connected")
    assert run.reasons() == []
    run.drains()
    run.end()


def test_renewed_while_running(locked, operator, login, folder):
    """Warned of before it runs out, told when it has, and in again as soon as the file is renewed."""
    path = folder / "creds"
    expires = int(time.time()) + 15
    first, second = operator.user(exp=expires), operator.user()
    write(path, credentials(*first))
    run = login(locked, [*first, *second], credentials_file=str(path))
    run.drains()
    assert f"varve_login_expires_timestamp_seconds {expires}" in run.endpoint.text("/metrics")
    assert "runs out at" in run.run.wait_line("login_expires")["text"]
    run.wait_refused("the JWT in nats.credentials_file expired at ", "login_expired")
    assert run.run.lines("server_error", text="User Authentication Expired")
    write(path, credentials(*second))
    run.hurry()

    def renewed():
        text = run.endpoint.text("/metrics")
        return "varve_login_expires" not in text and "varve_connected 1" in text

    wait_for(renewed, "it connects by the renewed file")
    run.drains()
    run.end()


def test_revoked_while_running(locked, operator, login, folder):
    path = folder / "creds"
    key = Key()
    first, second = operator.user(key), operator.user()
    write(path, credentials(*first))
    run = login(locked, [*first, *second], credentials_file=str(path))
    run.drains()
    operator.revoked[key.public] = int(time.time()) + 1
    reconfigure(locked, operator)
    run.wait_refused(f"user {key.public} is revoked, its account", "login_refused")
    assert run.run.lines("server_error", text="User Authentication Revoked")
    write(path, credentials(*second))
    run.hurry()
    run.run.wait_line("connected", 2)
    run.drains()
    run.end()


def test_too_many_connections(make_server, any_server_binary, operator, login, folder):
    operator.limits["conn"] = 0
    server = make_server(any_server_binary, extra=operator.config())
    user = operator.user()
    write(folder / "creds", credentials(*user))
    run = login(server, user, credentials_file=str(folder / "creds"))
    run.wait_refused("(maximum account active connections exceeded)", "too_many_connections")
    run.end()


def test_two_servers_with_different_answers(make_server, any_server_binary, login, folder):
    """Both are named."""
    locked = make_server(any_server_binary, "a", extra="authorization { user: a, password: b }")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{nobody.getsockname()[1]}"
        run = login(locked, servers=[locked.url, f"nats://{closed}"])
        refused = locked.url.removeprefix("nats://") + ": it was reached and refused the login"

        def both():
            _, text = run.endpoint.ready()
            return refused in text and f"{closed}: " in text and "Connection refused" in text

        wait_for(both, "both are named")
        run.end()


def test_check_says_how_long_a_login_holds(make_server, any_server_binary, operator, folder, varve):
    server = make_server(any_server_binary, extra=operator.config())
    path = folder / "creds"
    config = folder.parent / "check.yaml"
    nats = {"servers": [server.url], "credentials_file": str(path)}
    config.write_text(json.dumps(varve.config(nats=nats)))
    for life, level in ((7 * 86400, "ok"), (600, "warning")):
        issued = int(time.time()) - (0 if level == "ok" else 86400)
        jwt, seed = operator.user(iat=issued, exp=int(time.time()) + life)
        write(path, credentials(jwt, seed), mode=0o604)
        checked = subprocess.run([VARVE, "check", "-c", config], capture_output=True, text=True)
        told = checked.stdout
        assert re.search(rf"{level} +the JWT in nats.credentials_file runs out at 20", told), told
        assert f"nats.credentials_file {path}: others can read it (mode 0604): chmod 400" in told
        assert seed not in told and jwt not in told
