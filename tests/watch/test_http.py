# SPDX-License-Identifier: MIT
"""The endpoint as a server: its limits, and what happens at them, while varve drains."""

import http.client
import socket
import time

import pytest

from support import Varve, wait_for
from watching import Endpoint, watched

CONNECTIONS_MAX = 16
REQUEST_MAX = 8 * 1024
TIME_MAX = 5
SLACK = 100  # of a busy machine


@pytest.fixture
def endpoint(any_server, varve):
    any_server.generate(100)
    return Endpoint(varve.start(config=watched(varve)))


def dial(endpoint):
    return socket.create_connection((endpoint.host, endpoint.port), timeout=60)


def hear(connection):
    out = b""
    while piece := connection.recv(65536):
        out += piece
    return out


def ask(endpoint, request):
    with dial(endpoint) as connection:
        connection.sendall(request)
        return hear(connection)


def test_routes(endpoint):
    assert endpoint.get("/healthz")[0] == 200
    assert endpoint.get("/metrics?x=1")[0] == 200
    assert endpoint.get("/nothing")[0] == 404
    assert endpoint.get("/metrics/")[0] == 404
    assert endpoint.get("/..%2f..%2fetc/passwd")[0] == 404


def test_head_is_get_without_body(endpoint):
    status, headers, body = endpoint.get("/healthz", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "3", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_other_methods(endpoint, method):
    status, headers, _ = endpoint.get("/metrics", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_bad_requests(endpoint):
    assert ask(endpoint, b"hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert ask(endpoint, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert ask(endpoint, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 505 ")
    large = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * REQUEST_MAX + b"\r\n\r\n"
    assert ask(endpoint, large).startswith(b"HTTP/1.1 431 ")
    assert endpoint.get("/healthz")[0] == 200


def test_pipelined_requests_get_one_answer(endpoint):
    one = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = ask(endpoint, one * 3)
    assert answer.count(b"HTTP/1.1 200 OK") == 1
    assert b"Connection: close" in answer


def test_slow_requests_are_cut_off(endpoint):
    """One byte a second is not a request; and it does not keep the others from an answer."""
    began = time.monotonic()
    with dial(endpoint) as connection:
        connection.settimeout(1)
        answer = b""
        for byte in b"GET /healthz HTTP/1.1\r\n":
            connection.sendall(bytes([byte]))
            assert endpoint.get("/healthz")[0] == 200
            try:
                answer = connection.recv(65536)
                break
            except TimeoutError:
                pass
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert TIME_MAX - 0.5 < time.monotonic() - began < TIME_MAX + SLACK


def test_many_idle_connections_keep_nobody_out(endpoint, any_server):
    idle = [dial(endpoint) for _ in range(10 * CONNECTIONS_MAX)]
    for connection in idle:
        connection.sendall(b"GET / HTTP/1.1\r\n")
    assert endpoint.get("/healthz")[0] == 200
    before = endpoint.metrics()["process_open_fds",]
    assert before < 2 * CONNECTIONS_MAX + 20
    any_server.generate(100)  # and the drain goes on
    key = ("varve_rows_committed_total", "stream=LOGGING")
    wait_for(lambda: endpoint.metrics()[key] == 200, "200 rows committed")
    for connection in idle:
        connection.close()


def test_a_reader_that_does_not_read_is_bounded(endpoint):
    stuck = [dial(endpoint) for _ in range(CONNECTIONS_MAX)]
    for connection in stuck:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(lambda: endpoint.get("/healthz")[0] == 200, "an answer", TIME_MAX + SLACK)
    for connection in stuck:
        connection.close()


def test_off(any_server, varve):
    any_server.generate(10)
    process = varve.start()
    process.wait_line("connected")
    assert not process.lines("listening")


def test_an_address_that_is_taken(any_server, varve, endpoint):
    config = watched(varve)
    config["metrics"]["listen"] = endpoint.target
    config["output"]["log_output_directory"] += "-other"
    config["settings"]["log_format"] = "logfmt"
    second = Varve(varve.directory, config)
    assert second.wait() == 2
    lines = [line for line in second.text().splitlines() if line.startswith("varve: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"varve: metrics.listen: {endpoint.target}: Address ")
    assert lines[0].endswith("; name another address, or off")


def test_a_single_drain_beside_a_service(any_server, varve, endpoint):
    """--once goes on without the address that the service has."""
    any_server.add_stream("OTHER", ["other"])
    config = watched(varve)
    config["metrics"]["listen"] = endpoint.target
    config["output"]["log_output_directory"] += "-other"
    config["sources"] = [{"stream": "OTHER", "subjects": ["other"]}]
    second = Varve(varve.directory, config, "--once")
    assert second.wait() == 0
    assert second.lines("not_listening")


def test_a_token_is_asked_for(any_server, varve, tmp_path):
    """Of everybody, at every path; and who can be reached without one is warned."""
    any_server.add_stream()
    token = tmp_path / "token"
    token.write_text("open-sesame\n")
    metrics = {"listen": "127.0.0.1:0", "token_file": str(token)}
    run = varve.start(config=varve.config(metrics=metrics))
    endpoint = Endpoint(run)
    for path in ("/", "/metrics", "/healthz", "/readyz", "/status.json"):
        assert endpoint.get(path)[0] == 401
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=60)
    connection.request("GET", "/healthz", headers={"Authorization": "Bearer open-sesame"})
    assert connection.getresponse().status == 200
    connection.close()
    assert "open-sesame" not in run.text()
    assert run.stop() == 0
    token.write_text("")
    run = varve.start(config=varve.config(metrics=metrics))
    assert run.wait() == 2 and "metrics.token_file" in run.text()
    open_to_all = varve.start(config=varve.config(metrics={"listen": "0.0.0.0:0"}))
    open_to_all.wait_line("listening", level="warning")
    assert open_to_all.stop() == 0
