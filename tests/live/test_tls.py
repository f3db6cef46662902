# SPDX-License-Identifier: MIT
"""Encrypted connections: to every kind of server that is right, every row is drained; to none that
is not, a word is said."""

import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from certificates import Certificate
from generator import Load
from meddler import Meddler, Terminator
from support import VARVE, Output, Server, check_verify, end, free_port, verify, wait_for
from watching import Endpoint, watched

COUNT = 40
EVENTS = [m.data for m in Load(seed=3, simulations=1, payload_bytes=500).run(COUNT)]
EVERYONE = ("localhost", "127.0.0.1", "::1")


class Room:
    """A CA, servers with certificates of it, and varve."""

    def __init__(self, directory, binary, make_runner):
        self.directory = directory
        self.binary = binary
        self.make_runner = make_runner
        self.ca = Certificate("test CA", ca=True)
        self.ca_file, _ = self.ca.write(directory, "ca")
        self.servers = []

    def meddler(self, server, meddle, **options):
        meddler = Meddler(server.port, meddle, **options)
        self.servers.append(SimpleNamespace(stop=meddler.close))
        return meddler

    def serve(self, certificate=None, more="", first=False, client=None, around="", fill=True):
        """A server with some events; its settings of TLS are those given and `more`."""
        certificate = certificate or Certificate("server", self.ca, EVERYONE)
        cert, key = certificate.write(self.directory, "server")
        server = Server(self.binary, self.directory / f"nats-{len(self.servers)}")
        context = ssl.create_default_context(cafile=self.ca_file)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if client:
            context.load_cert_chain(*client)
        server.credentials = {"tls": context, "tls_handshake_first": first}
        server.configure(f'tls {{ cert_file: "{cert}", key_file: "{key}", {more} }}\n{around}')
        self.servers.append(server)
        if not fill:
            return server
        server.start()
        server.add_stream()
        server.publish(EVENTS)
        return server

    def runner(self, server):
        return self.make_runner(server)

    def drain(self, server, host="127.0.0.1", **tls):
        """varve drains all with this nats.tls; what it logged of TLS."""
        runner = self.make_runner(server)
        url = f"nats://{host}:{server.port}"
        run = runner.once(nats={"servers": [url], "tls": {"ca_file": self.ca_file, **tls}})
        rows = Output(runner.output).table()
        assert rows["stream_seq"].to_pylist() == list(range(1, COUNT + 1))
        check_verify(runner.output)
        return run.lines("tls")[0]

    def refusal(self, server, host="127.0.0.1", scheme="nats", **tls):
        """Why varve does not connect with this nats.tls."""
        runner = self.make_runner(server)
        before = len(Output(runner.output).adds())
        run = runner.start(
            nats={"servers": [f"{scheme}://{host}:{server.port}"], "tls": tls}
        )
        line = run.wait_line("connect_failed")
        run.stop()
        assert len(Output(runner.output).adds()) == before
        return line["reason"]


@pytest.fixture
def room(tmp_path, any_server_binary, make_runner):
    room = Room(tmp_path, any_server_binary, make_runner)
    yield room
    for server in room.servers:
        server.stop()


@pytest.mark.parametrize("kind", ["rsa", "p256", "p384"])
def test_keys_of_the_server(room, kind):
    server = room.serve(Certificate("server", room.ca, EVERYONE, kind=kind))
    assert room.drain(server)["version"] == "TLSv1.3"


def speaks(port, version):
    """Whether the server takes a client of this version alone."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        if not connection.recv(4096, socket.MSG_PEEK).startswith(b"INFO"):
            return False
        while b"\n" not in (data := connection.recv(4096)):
            assert data
        try:
            context.wrap_socket(connection).close()
        except ssl.SSLError:
            return False
    return True


def test_a_server_of_1_3_alone(room):
    server = room.serve(more='min_version: "1.3"')
    assert not speaks(server.port, ssl.TLSVersion.TLSv1_2)
    assert room.drain(server)["version"] == "TLSv1.3"


def test_a_server_that_lists_ciphers(room):
    suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    line = room.drain(room.serve(more=f'cipher_suites: ["{suite}"], min_version: "1.2"'))
    assert "AES-128-GCM" in line["cipher"]


@pytest.mark.parametrize("kind", ["rsa", "p256", "p384"])
def test_a_server_of_1_2_alone(room, any_server, kind):
    """nats-server has no key for the latest version: one that ends TLS before it has."""
    any_server.add_stream()
    any_server.publish(EVENTS)
    cert, key = Certificate("server", room.ca, EVERYONE, kind=kind).write(room.directory, "relay")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    relay = Terminator(any_server.port, context)
    room.servers.append(SimpleNamespace(stop=relay.close))
    proxied = SimpleNamespace(url=None, port=relay.port)
    tls = {"ca_file": room.ca_file, "handshake_first": True}
    line = room.drain(proxied, **tls)
    assert line["version"] == "TLSv1.2"
    assert "ECDHE" in line["cipher"] and "GCM" in line["cipher"]


def test_handshake_first(room):
    server = room.serve(more="handshake_first: true", first=True)
    room.drain(server, handshake_first=True)


def test_handshake_first_is_hinted_at(room):
    server = room.serve(more="handshake_first: true", first=True)
    assert "set nats.tls.handshake_first" in room.refusal(server, ca_file=room.ca_file)


def test_intermediate_and_name(room):
    middle = Certificate("middle", room.ca, ca=True)
    server = room.serve(Certificate("server", middle, ["nats.example.test"]))
    room.drain(server, server_name="nats.example.test")
    assert "is not for 127.0.0.1" in room.refusal(server, ca_file=room.ca_file)


def test_required_by_the_server_alone(room):
    """No key of nats.tls: what the host trusts counts."""
    server = room.serve()
    runner = room.runner(server)
    runner.once(nats={"servers": [server.url]}, env={"SSL_CERT_FILE": room.ca_file})
    check_verify(runner.output)


def test_verify_asks_as_the_configuration_says(room):
    """A server that wants TLS, a certificate and a token, in a domain."""
    own = Certificate("client", room.ca).write(room.directory, "own")
    store = f'store_dir: "{room.directory}/far"'
    around = f'jetstream {{ domain: far, {store} }}\nauthorization {{ token: "a word" }}'
    more = f'ca_file: "{room.ca_file}", verify: true'
    server = room.serve(more=more, client=own, around=around, fill=False)
    server.credentials["token"] = "a word"
    server.start()
    server.add_stream()
    server.publish(EVENTS)
    (room.directory / "token").write_text("a word")
    runner = room.runner(server)
    nats = {"token_file": str(room.directory / "token"), "domain": "far",
            "tls": {"ca_file": room.ca_file, "cert_file": own[0], "key_file": own[1]}}
    runner.once(nats=nats)

    async def delete(js):
        await js.delete_msg("LOGGING", COUNT + 1)

    assert server.publish(EVENTS[:3])[0] == COUNT + 1
    server.ask(delete)
    run = runner.once(nats=nats)
    config = run.log.with_suffix(".yaml")
    answered = verify(runner.output, "-c", config)
    assert [note["kind"] for note in answered["notes"]] == ["deleted"]
    assert answered["findings"] == []
    verify(runner.output, "-c", config, "--set", "nats.token_file=/nowhere", status=1)
    verify(runner.output, "--server", server.url, status=1)


def test_client_certificate(room):
    client = Certificate("client", room.ca, ["client"])
    cert, key = client.write(room.directory, "client", b"a word")
    _, plain = client.write(room.directory, "plain")
    password = room.directory / "password"
    password.write_text("a word\n")
    around = 'authorization { users: [ { user: "CN=client" } ] }'
    server = room.serve(
        more=f'ca_file: "{room.ca_file}", verify_and_map: true',
        client=(cert, plain),
        around=around,
    )
    room.drain(server, cert_file=cert, key_file=key, key_password_file=str(password))
    ca = {"ca_file": room.ca_file}
    assert "wants a client certificate" in room.refusal(server, **ca)
    other = Certificate("client", Certificate("other CA", ca=True), ["client"])
    cert, key = other.write(room.directory, "other")
    assert "does not trust the CA of our certificate" in room.refusal(
        server, cert_file=cert, key_file=key, **ca
    )


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"since": -20, "until": -10}, r"expired at \S+; this host's clock says 2"),
        ({"since": 5, "until": 10}, r"is not valid before \S+; this host's clock says 2"),
        ({"names": ["other.example.test"]}, "is not for 127.0.0.1"),
        ({"names": ["10.1.2.3"]}, "is not for 127.0.0.1"),
        ({"kind": "ed25519"}, "Ed25519"),
    ],
    ids=lambda x: None if isinstance(x, str) else "-".join(x),
)
def test_wrong_certificates(room, wrong, sentence):
    certificate = Certificate("server", room.ca, **{"names": EVERYONE, **wrong})
    assert re.search(sentence, room.refusal(room.serve(certificate), ca_file=room.ca_file))


def test_wrong_expectations(room):
    server = room.serve()
    other, _ = Certificate("other CA", ca=True).write(room.directory, "other")
    assert "no CA in" in room.refusal(server, ca_file=other)
    first = room.refusal(server, ca_file=room.ca_file, handshake_first=True)
    assert "does not answer in TLS" in first


@pytest.mark.parametrize("first", [False, True], ids=["INFO", "nothing"])
def test_a_server_that_says_no_more(room, first):
    """There is one time for all of a connection: a handshake that stays out ends with it, too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        url = f"nats://127.0.0.1:{listener.getsockname()[1]}"
        tls = {"ca_file": room.ca_file, "handshake_first": first}
        nats = {"servers": [url], "tls": tls}
        run = room.runner(None).start(nats=nats, sandbox="off")  # which would ask for INFO before
        with listener.accept()[0] as silent:
            if not first:
                info = {"version": "2.10.0", "proto": 1, "max_payload": 1048576, "headers": True}
                info["tls_required"] = True
                silent.sendall(b"INFO " + json.dumps(info).encode() + b"\r\n")
            reason = run.wait_line("connect_failed")["reason"]
        assert reason == "the server did not complete the handshake of TLS in time"
        run.stop(signal.SIGKILL)


def test_server_without_tls(room, any_server):
    for scheme, tls in (("nats", {"enabled": True}), ("tls", {})):
        assert "does not offer TLS" in room.refusal(any_server, scheme=scheme, **tls)


# ---- somebody in between


@pytest.mark.parametrize(
    "sentence, change",
    [
        ("does not offer TLS", lambda info: re.sub(rb'"tls_(required|available)":true,?', b"", info)),
        ("unencrypted bytes after its INFO", lambda info: info + b"PING\r\n"),
        ("does not answer in TLS", lambda info: info * 2000),
    ],
    ids=["strip", "inject", "flood"],
)
def test_nothing_is_said_to_who_meddles_with_info(room, sentence, change):
    server = room.serve()
    between = room.meddler(server, lambda _, at, data: change(data) if at == 0 else data)
    proxied = SimpleNamespace(url=None, port=between.port)
    login = {"user": "me", "password": "hunter2-secret"}
    runner = room.runner(proxied)
    run = runner.start(nats={"servers": [f"nats://127.0.0.1:{between.port}"], **login,
                             "tls": {"ca_file": room.ca_file}})
    reason = run.wait_line("connect_failed")["reason"]
    run.stop()
    assert sentence in reason or (sentence == "does not answer in TLS" and "INFO" in reason)
    said = b"".join(between.said)
    assert b"CONNECT" not in said and b"hunter2" not in said
    if sentence != "does not answer in TLS":
        assert said == b""


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    "harm",
    [flip, lambda data, at: None, lambda data, at: data + data],
    ids=["flip", "cut", "replay"],
)
def test_harm_to_encrypted_bytes(room, harm):
    """One byte is changed, the connection cut, bytes sent again: in the handshake and behind it. No
    row is missing, none is there twice, and all are as they were."""
    places = [0, 200, 900, 1500, 5000, 20000]  # behind the INFO
    info = {}

    def meddle(number, offset, data):
        if offset == 0:
            info[number] = len(data)  # the server waits behind it
        if offset == 0 or number >= len(places):
            return data
        first = places[number] + info[number]
        at = min(max(first - offset, 0), len(data) - 1)
        return harm(data, at) if offset <= first < offset + len(data) else data

    server = room.serve()
    between = room.meddler(server, meddle)
    runner = room.runner(server)
    run = runner.once(nats={"servers": [f"nats://127.0.0.1:{between.port}"],
                            "tls": {"ca_file": room.ca_file}},
                      sources=[{"stream": "LOGGING", "delivery": "position"}])  # owes no acks
    assert len(between.said) > 4, run.text()
    assert b"CONNECT" not in b"".join(between.said)
    table = Output(runner.output).table()
    assert table["stream_seq"].to_pylist() == list(range(1, COUNT + 1))
    check_verify(runner.output)
    clean = room.make_runner(server)
    clean.output = room.directory / "clean"
    clean.once(nats={"servers": [server.url], "tls": {"ca_file": room.ca_file}},
               sources=[{"stream": "LOGGING", "delivery": "position"}])
    assert table.equals(Output(clean.output).table())


@pytest.mark.parametrize("piece", [1, 7])
def test_records_are_split_anywhere(room, piece):
    server = room.serve()
    between = room.meddler(server, lambda _, at, data: data, piece=piece)
    runner = room.runner(server)
    runner.once(nats={"servers": [f"nats://127.0.0.1:{between.port}"],
                      "tls": {"ca_file": room.ca_file}})
    check_verify(runner.output)
    assert len(Output(runner.output).table()) == COUNT


def test_a_key_update_ends_in_another_connection(room):
    """Mbed TLS has none, and nats-server sends none: a proxy might. Of the ciphers that both have
    the one that is cheapest is taken."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here")
    cert, key = Certificate("server", room.ca, EVERYONE).write(room.directory, "proxy")
    port, log = free_port(), room.directory / "s_server"
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert, "-key", key]
    info = {"version": "2.10.0", "proto": 1, "max_payload": 1048576, "headers": True}
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=out)
    room.servers.append(SimpleNamespace(stop=lambda: end(server)))

    def say(text):
        server.stdin.write(text)
        server.stdin.flush()

    def said(what, count=1):
        wait_for(lambda: log.read_bytes().count(what) >= count, what)

    said(b"ACCEPT")
    tls = {"ca_file": room.ca_file, "handshake_first": True}
    nats = {"servers": [f"nats://127.0.0.1:{port}"], "tls": tls}
    run = room.runner(None).start(nats=nats, sandbox="off")  # which would ask for INFO before
    for number in (1, 2):
        said(b"CIPHER is ", number)
        say(b"INFO " + json.dumps(info).encode() + b"\r\n")
        said(b"PING", number)
        say(b"pong\r\n")
        run.wait_line("connected", number)
        if number == 1:
            say(b"K\n")  # to s_server: update the keys, and ask for the same
            assert "TLS" in run.wait_line("disconnected")["reason"]
    run.stop(signal.SIGKILL)
    if " aes " in Path("/proc/cpuinfo").read_text():
        assert log.read_bytes().count(b"CIPHER is TLS_AES_128_GCM_SHA256") >= 2


def test_kills_over_tls(room):
    """Server and varve are killed in the middle, with client certificates: each row once."""
    count = 20000
    plain = Server(room.binary, room.directory / "nats-0").start()
    plain.add_stream()
    plain.generate(count, seed=5, simulations=1, payload_bytes=1000)
    plain.stop()
    client = Certificate("client", room.ca, ["client"]).write(room.directory, "client")
    server = room.serve(more=f'ca_file: "{room.ca_file}", verify: true', client=client, fill=False)
    server.start()
    runner = room.runner(server)
    settings = {"nats": {"servers": [server.url], "tls": {"ca_file": room.ca_file,
                                                          "cert_file": client[0],
                                                          "key_file": client[1]}},
                "batching": {"max_bytes": "1MiB", "max_age": "1s"}, "memory_limit": "32MiB"}
    for kill in (server.stop, None, server.stop, None):
        run = runner.start("--once", **settings)
        run.wait_line("committed")
        if kill:
            kill(signal.SIGKILL)
            server.start()
        run.stop(signal.SIGKILL)
    runner.once(**settings)
    assert Output(runner.output).table()["stream_seq"].to_pylist() == list(range(1, count + 1))
    check_verify(runner.output)


# ---- while it runs


def test_server_certificate_is_renewed(room):
    """By another CA even: the file is read again for each connection."""
    server = room.serve()
    runner = room.runner(server)
    run = runner.start(nats={"servers": [server.url], "tls": {"ca_file": room.ca_file}},
                       batching={"max_age": "1s"})
    run.wait_rows(COUNT)
    server.stop()
    new = Certificate("new CA", ca=True)
    new.write(room.directory, "ca")
    Certificate("server", new, EVERYONE).write(room.directory, "server")
    server.start()
    run.wait_line("connected", count=2)
    server.publish(EVENTS)
    run.wait_rows(2 * COUNT)
    assert run.stop() == 0


def test_insecure_is_said(room):
    server = room.serve(Certificate("server", Certificate("other CA", ca=True), EVERYONE))
    runner = room.runner(server)
    nats = {"servers": [server.url], "tls": {"insecure": True}}
    run = runner.once(nats=nats)
    assert len(run.lines("tls_insecure")) == 1
    assert len(Output(runner.output).table()) == COUNT
    run = runner.start(nats=nats, metrics={"listen": "127.0.0.1:0"})
    run.wait_line("connected")
    assert run.wait_line("tls_insecure")["level"] == "warning"
    page = urllib.request.urlopen(run.wait_line("listening")["text"], timeout=60).read().decode()
    assert "the server may be anybody: nats.tls.insecure is set" in page
    assert run.stop() == 0
    out = subprocess.run([VARVE, "check", "--set", f"nats.servers={server.url}",
                          "--set", "nats.tls.insecure=true",
                          "--set", f"output.log_output_directory={runner.output}"],
                         capture_output=True, text=True, timeout=60).stdout
    assert re.search(r"^warning  nats.tls.insecure is set: anybody can pass for", out, re.M), out


def test_check_says_when_certificates_expire(room):
    client = Certificate("client", room.ca, ["client"], until=3)
    cert, key = client.write(room.directory, "client")
    Path(key).chmod(0o644)
    server = room.serve()
    arguments = ["--set", f"nats.servers={server.url}", "--set", f"nats.tls.ca_file={room.ca_file}",
                 "--set", f"nats.tls.cert_file={cert}", "--set", f"nats.tls.key_file={key}",
                 "--set", f"output.log_output_directory={room.directory}/out"]
    out = subprocess.run([VARVE, "check", *arguments], capture_output=True, text=True, timeout=60)
    assert re.search(r"warning.* certificate .*nats.tls.cert_file.* expires .*"
                     + f"{client.until:%Y-%m-%dT%H:%M:%SZ}", out.stdout), out.stdout
    assert re.search(r"warning.* nats.tls.key_file .*others can read.*0644", out.stdout), out.stdout
    assert re.search(r"warning.* the server's certificate expires", out.stdout), out.stdout


def test_metrics_and_status_say_when_certificates_expire(room):
    """The earliest of what the server shows, so that an intermediate CA counts, and our own."""
    middle = Certificate("middle", room.ca, ca=True, until=4)
    server = room.serve(Certificate("server", middle, EVERYONE, until=9))
    client = Certificate("client", room.ca, ["client"], until=3)
    cert, key = client.write(room.directory, "client")
    tls = {"ca_file": room.ca_file, "cert_file": cert, "key_file": key}
    runner = room.runner(server)
    run = runner.start(config=watched(runner, nats={"servers": [server.url], "tls": tls}))
    run.wait_line("connected")
    endpoint = Endpoint(run)
    endpoint.wait_ready(True)
    expires = {"server": middle.until, "client": client.until}
    for name, until in expires.items():
        sample = f'varve_tls_certificate_expiry_timestamp_seconds{{certificate="{name}"}} '
        assert sample + f"{until.timestamp():.0f}\n" in endpoint.text("/metrics")
    connection = endpoint.status()["connection"]
    for name, until in (("server", middle.until), ("own", client.until)):
        assert connection[f"{name}_certificate_expires"].startswith(f"{until:%Y-%m-%dT%H:%M:%S}")
        assert f"{until:%Y-%m-%d}" in endpoint.text("/")
    assert run.stop() == 0


def test_files_that_make_no_sense(room):
    """Each is named, with what is wrong with it."""
    client = Certificate("client", room.ca, ["client"])
    cert, key = client.write(room.directory, "client")
    _, locked = client.write(room.directory, "locked", b"a word")
    other, other_key = Certificate("other", room.ca).write(room.directory, "other")
    for settings, sentence in [
        ({"ca_file": "/nowhere"}, "can't read /nowhere: No such file"),
        ({"ca_file": key}, f"{key}: "),
        ({"cert_file": cert, "key_file": other_key}, "is not the key of the certificate"),
        ({"cert_file": cert, "key_file": locked}, "is encrypted: set nats.tls.key_password_file"),
        ({"cert_file": cert, "key_file": locked, "key_password": "b"}, "not the password"),
        ({"cert_file": cert, "key_file": cert}, f"{cert}: "),
        ({"ca_file": str(room.directory)}, "is not a file"),
    ]:
        settings = {"ca_file": room.ca_file, **settings}
        arguments = [x for key, value in settings.items()
                     for x in ("--set", f"nats.tls.{key}={value}")]
        out = subprocess.run([VARVE, "check", "--offline", *arguments], capture_output=True,
                             text=True, timeout=60)
        assert re.search("problem .*" + re.escape(sentence), out.stdout), (settings, out.stdout)
        assert out.returncode == 1


def test_files_are_looked_at_on_hangup(room):
    """As at the start: what is said then of a key that others can read is not what is said later."""
    client = Certificate("client", room.ca, ["client"])
    cert, key = client.write(room.directory, "client")
    Path(key).chmod(0o644)
    server = room.serve()
    runner = room.runner(server)
    run = runner.start(nats={"servers": [server.url], "tls": {
        "ca_file": room.ca_file, "cert_file": cert, "key_file": key}})
    run.wait_line("connected")
    exposed = f"nats.tls.key_file {key}: others can read or change it (mode 0644): chmod 400"
    assert run.lines("tls_files")[0]["text"] == exposed
    assert not run.lines("tls_files", level="error")
    Path(key).write_text("nonsense")
    Path(key).chmod(0o400)
    run.send(signal.SIGHUP)
    told = run.wait_line("tls_files", level="error")["text"]
    assert key in told and "others" not in told
    assert run.stop() == 0
