# SPDX-License-Identifier: MIT
"""The HTTP endpoint over TLS: who can ask it, with which programs, and what cannot stop it."""

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from certificates import Certificate
from support import PATHS, VARVE, end, free_port, seen, wait_for
from watching import Endpoint, need, parse, start_prometheus, watched

EXPIRY = "varve_tls_certificate_expiry_timestamp_seconds"
NAMES = ["localhost", "127.0.0.1"]


def authority(tmp_path, kind="p256"):
    """A CA's file, and a certificate for this host by an intermediate CA of it."""
    ca = Certificate("test CA", ca=True, kind=kind)
    between = Certificate("test intermediate", ca, ca=True, kind=kind)
    (tmp_path / "ca.pem").write_bytes(ca.pem())
    return tmp_path / "ca.pem", Certificate("varve", between, NAMES, kind=kind)


def keys(certificate, directory, password=None):
    cert, key = certificate.write(directory, "endpoint", password)
    os.chmod(key, 0o400)
    return {"cert_file": cert, "key_file": key}


class Secured(Endpoint):
    """The endpoint of a varve, asked over TLS by a client that trusts `ca`."""

    def __init__(self, run, ca):
        self.url = run.wait_line("listening")["text"]
        assert self.url.startswith("https://")
        place = urllib.parse.urlsplit(self.url)
        self.host, self.port, self.target = place.hostname, place.port, place.netloc
        self.context = ssl.create_default_context(cafile=ca)

    def get(self, path, method="GET", **headers):
        connection = http.client.HTTPSConnection(
            self.host, self.port, timeout=60, context=self.context
        )
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


def start(varve, certificate, tmp_path, **metrics):
    metrics = {"listen": "127.0.0.1:0", "tls": keys(certificate, tmp_path / "tls"), **metrics}
    return varve.start(config=watched(varve, metrics=metrics, sandbox="on"))


def status(*args, **env):
    done = subprocess.run(
        [VARVE, "status", *args],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **env},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def secured(any_server, varve, tmp_path):
    any_server.generate(100)
    ca, certificate = authority(tmp_path)
    run = start(varve, certificate, tmp_path)
    endpoint = Secured(run, ca)
    endpoint.run, endpoint.ca, endpoint.certificate = run, ca, certificate
    return endpoint


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa"])
def test_each_version_and_kind_of_key(any_server, varve, tmp_path, kind, version):
    any_server.generate(10)
    ca, certificate = authority(tmp_path, kind)
    endpoint = Secured(start(varve, certificate, tmp_path), ca)
    endpoint.context.minimum_version = endpoint.context.maximum_version = ssl.TLSVersion[version]
    assert endpoint.get("/healthz")[::2] == (200, b"ok\n")
    assert endpoint.metrics()[EXPIRY, "certificate=endpoint"] == certificate.until.timestamp()


def test_an_answer_of_many_records_arrives_whole(any_server, varve, tmp_path):
    any_server.generate(10)
    ca, certificate = authority(tmp_path)
    tls = keys(certificate, tmp_path / "tls")
    sources = [{"stream": f"S{i}", "subjects": [f"s{i}"]} for i in range(30)]
    config = watched(varve, metrics={"listen": "127.0.0.1:0", "tls": tls}, sources=sources)
    endpoint = Secured(varve.start(config=config), ca)
    _, headers, body = endpoint.get("/metrics")
    assert len(body) == int(headers["Content-Length"]) > 2 * 16 * 1024


def test_who_does_not_trust_it_learns_nothing(secured):
    stranger = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        with socket.create_connection((secured.host, secured.port)) as plain:
            stranger.wrap_socket(plain, server_hostname="localhost")
    with socket.create_connection((secured.host, secured.port), timeout=60) as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        heard = b""
        try:
            while piece := plain.recv(65536):
                heard += piece
        except ConnectionError:
            pass
    assert len(heard) < 16 and b"HTTP" not in heard  # an alert, at most


def test_curl_speaks_it(secured):
    curl = shutil.which("curl") or pytest.skip("curl is not here")
    done = subprocess.run(
        [curl, "-fsS", "--cacert", secured.ca, secured.url + "healthz"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_status_speaks_it(secured, any_server):
    any_server.wait_acked(100)
    secured.wait_ready(True)
    code, text = status("--url", secured.url, "--ca-file", secured.ca)
    assert code == 0 and text.startswith("✓ ready for ")
    assert status("--url", secured.url, SSL_CERT_FILE=str(secured.ca))[0] == 0
    other = secured.ca.with_name("other.pem")
    other.write_bytes(Certificate("another CA", ca=True).pem())
    code, text = status("--url", secured.url, "--ca-file", other)
    assert code == 1 and f"no CA in {other} has signed the server's certificate" in text
    code, text = status("--url", secured.url.replace("https", "http"))
    assert code == 1 and "no answer" not in text
    assert status("--url", "http://127.0.0.1:1/", "--ca-file", secured.ca)[0] == 2


def own(secured, tmp_path, certificate, **more):
    """Arguments of `varve status` that stand for the configuration of an instance there."""
    return [
        f"--set=metrics.listen={secured.target}",
        *(f"--set=metrics.tls.{k}={v}" for k, v in keys(certificate, tmp_path).items()),
        *(f"--set=metrics.{key}={value}" for key, value in more.items()),
    ]


def test_status_knows_its_own_instance_by_its_certificate(any_server, varve, tmp_path):
    """Whatever name it is for and whoever has signed it, but only that one; it brings the token."""
    any_server.generate(10)
    token = tmp_path / "token"
    token.write_text("open-sesame\n")
    certificate = Certificate("elsewhere", names=["elsewhere.test"], since=-9, until=-1)
    run = start(varve, certificate, tmp_path, token_file=str(token))
    secured = Secured(run, None)
    secured.context.check_hostname = False
    secured.context.verify_mode = ssl.CERT_NONE
    run.wait_rows(10)
    any_server.wait_acked(10)  # what waits for long is no longer ready
    same = [f"--set=metrics.listen={secured.target}"]
    same += [
        f"--set=metrics.tls.{name}_file={tmp_path}/tls/endpoint.{ending}"
        for name, ending in (("cert", "pem"), ("key", "key"))
    ]
    assert "answers with status 401" in status(*same)[1]
    wait_for(lambda: status(*same, f"--set=metrics.token_file={token}")[0] == 0, "it is ready")
    other = own(secured, tmp_path / "other", Certificate("elsewhere", names=["elsewhere.test"]))
    code, text = status(*other, f"--set=metrics.token_file={token}")
    assert code == 1 and "is not the one in" in text
    texts = {**seen(run, places=[varve.output]), "status": text}
    texts |= {p: secured.get(p, Authorization="Bearer open-sesame")[2].decode() for p in PATHS}
    key = (tmp_path / "tls" / "endpoint.key").read_text().splitlines()[1]
    assert not [where for where, text in texts.items() if "open-sesame" in text or key in text]


def test_a_certificate_is_renewed_and_so_is_the_token(any_server, varve, tmp_path):
    """SIGHUP reads the files again; what can't be used leaves what was there in force."""
    any_server.generate(10)
    token = tmp_path / "token"
    token.write_text("first\n")
    ca, certificate = authority(tmp_path)
    run = start(varve, certificate, tmp_path, token_file=str(token))
    endpoint = Secured(run, ca)

    def ask(word):
        code, _, text = endpoint.get("/metrics", Authorization=f"Bearer {word}")
        return code, parse(text.decode())[EXPIRY, "certificate=endpoint"] if code == 200 else None

    assert ask("first") == (200, certificate.until.timestamp())
    renewed = Certificate("varve", certificate.issuer, NAMES, until=30)
    (tmp_path / "tls" / "endpoint.pem").write_bytes(renewed.pem())
    run.send(signal.SIGHUP)  # the key is not its key
    assert "is not the key of the certificate" in run.wait_line("reload_failed")["text"]
    assert ask("first") == (200, certificate.until.timestamp())
    for file in (tmp_path / "tls").iterdir():
        file.unlink()
    keys(renewed, tmp_path / "tls")
    token.write_text("second\n")
    run.send(signal.SIGHUP)
    wait_for(lambda: ask("second") == (200, renewed.until.timestamp()), "the new certificate")
    assert ask("first") == (401, None)


def test_check_says_when_it_expires(any_server, varve, tmp_path, secured):
    def check(certificate, mode=0o400):
        tls = keys(certificate, tmp_path / "checked")
        os.chmod(tls["key_file"], mode)
        path = tmp_path / "check.yaml"
        path.write_text(json.dumps(varve.config(metrics={"listen": "off", "tls": tls})))
        done = subprocess.run(
            [VARVE, "check", "--offline", "-c", path], capture_output=True, text=True, timeout=60
        )
        shutil.rmtree(tmp_path / "checked")
        return [line for line in done.stdout.splitlines() if "metrics.tls" in line]

    what = "our certificate (metrics.tls.cert_file)"
    assert check(Certificate("x", until=40))[0].startswith(f"ok       {what} expires at ")
    assert check(Certificate("x", until=3))[0].startswith(f"warning  {what} expires at ")
    assert check(Certificate("x", until=-0.5))[0].startswith(f"problem  {what} has expired at ")
    assert "others can read or change it" in check(Certificate("x", until=40), 0o644)[1]
    # The instance itself, beside which check looks at its port.
    path = tmp_path / "own.yaml"
    metrics = {"listen": secured.target, "tls": keys(secured.certificate, tmp_path / "tls")}
    path.write_text(json.dumps(varve.config(metrics=metrics)))
    done = subprocess.run([VARVE, "check", "-c", path], capture_output=True, text=True, timeout=60)
    assert "is in use, as it should while varve runs" in done.stdout


WRONG = {
    "no key": (lambda tls: {"cert_file": tls["cert_file"]}, "metrics.tls.key_file is missing"),
    "missing": (lambda tls: {**tls, "cert_file": "/nowhere/x.pem"}, "can't read /nowhere/x.pem"),
    "key as certificate": (lambda tls: {**tls, "cert_file": tls["key_file"]}, "endpoint.key: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_files_that_are_wrong_are_refused_at_the_start(any_server, varve, tmp_path, case):
    change, text = WRONG[case]
    tls = change(keys(Certificate("varve", names=NAMES), tmp_path / "tls"))
    run = varve.start(config=varve.config(metrics={"listen": "127.0.0.1:0", "tls": tls}))
    assert run.wait() == (1 if case == "missing" else 2)
    assert text in run.text()


def test_an_encrypted_key(any_server, varve, tmp_path):
    any_server.generate(10)
    ca, certificate = authority(tmp_path)
    tls = keys(certificate, tmp_path / "tls", b"pass-phrase")
    refused = varve.start(config=varve.config(metrics={"listen": "127.0.0.1:0", "tls": tls}))
    assert refused.wait() == 2
    assert "is encrypted: set metrics.tls.key_password_file" in refused.text()
    (tmp_path / "phrase").write_text("pass-phrase\n")
    tls["key_password_file"] = str(tmp_path / "phrase")
    run = varve.start(config=watched(varve, metrics={"listen": "127.0.0.1:0", "tls": tls}))
    assert Secured(run, ca).get("/healthz")[0] == 200
    assert "pass-phrase" not in run.text()


def test_a_token_in_the_clear_is_warned_of(any_server, varve, tmp_path):
    (tmp_path / "token").write_text("open-sesame\n")
    metrics = {"listen": "0.0.0.0:0", "token_file": str(tmp_path / "token")}
    run = varve.start(config=varve.config(metrics=metrics))
    assert "in the clear" in run.wait_line("listening", level="warning")["text"]
    assert run.stop() == 0


def test_slow_silent_and_garbled_handshakes_keep_nobody_out(secured, any_server):
    """They are cut off, and make room before that; meanwhile the drain goes on."""
    silent = [socket.create_connection((secured.host, secured.port)) for _ in range(100)]
    for number, connection in enumerate(silent):
        connection.settimeout(60)
        hello = b"\x16\x03\x01\x02\x00" + bytes(100)
        try:
            connection.sendall([b"", b"\x16", hello, os.urandom(5000)][number % 4])
        except ConnectionError:
            pass
    assert secured.get("/healthz")[0] == 200
    any_server.generate(100)
    secured.run.wait_rows(200)
    assert secured.metrics()["process_open_fds",] < 60
    for connection in silent:  # each is ended, and none by an answer
        try:
            while piece := connection.recv(4096):
                assert b"HTTP" not in piece
        except ConnectionError:
            pass
        connection.close()


def client_hello(context):
    """What a client says first. The server's answer to it costs a signature, each time."""
    said = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost").do_handshake()
    return said.read()


def test_a_flood_of_handshakes_does_not_stop_the_drain(secured, any_server):
    """Each costs milliseconds: no more than a fifth of the network's thread may go into them."""
    hello = client_hello(secured.context)
    over = threading.Event()
    answers = []

    def flood():
        while not over.is_set():
            try:
                with socket.create_connection((secured.host, secured.port), 5) as connection:
                    connection.sendall(hello)
                    answers.append(connection.recv(1))
            except OSError:
                pass

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(answers) > 20, "the flood is on")
        any_server.generate(2000)
        secured.run.wait_rows(2100)
        before = secured.metrics()["process_cpu_seconds_total",]
        began, count = time.monotonic(), len(answers)
        wait_for(lambda: len(answers) > count + 100, "a hundred more")
        took = time.monotonic() - began
        used = secured.metrics()["process_cpu_seconds_total",] - before
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert used < 0.5 * took


def test_prometheus_scrapes_it(any_server, varve, tmp_path):
    """With the configuration of the manual."""
    any_server.generate(10)
    ca, certificate = authority(tmp_path)
    (tmp_path / "token").write_text("open-sesame\n")
    run = start(varve, certificate, tmp_path, token_file=str(tmp_path / "token"))
    target = Secured(run, ca).target
    manual = Path(__file__).parents[2] / "tools" / "share" / "doc" / "watch.md"
    recipe = manual.read_text().split("# prometheus.yml\n")[1].split("```")[0]
    for told, here in {
        "/etc/prometheus/varve-ca.pem": ca,
        "/etc/prometheus/varve-token": tmp_path / "token",
        "varve.example.org:9464": target,
    }.items():
        assert told in recipe
        recipe = recipe.replace(told, str(here))
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: 1s}\n" + recipe)
    promtool = [need("promtool"), "check", "config", tmp_path / "prometheus.yml"]
    subprocess.run(promtool, check=True, timeout=60, capture_output=True)
    port = free_port()
    process = start_prometheus(tmp_path, port)

    def up():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query=up") as reply:
                result = json.load(reply)["data"]["result"]
        except OSError:
            return False
        return bool(result) and result[0]["value"][1] == "1"

    try:
        wait_for(up, "Prometheus scrapes over TLS")
    finally:
        end(process)
