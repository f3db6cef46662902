# SPDX-License-Identifier: MIT
"""What the tests share that look at varve while it runs: its endpoint, metrics and alerts."""

import http.client
import json
import os
import re
import shutil
import subprocess

import pytest

from support import ROOT, wait_for

ALERTS = "ops.alerts"


def need(tool):
    """The path of a tool; a host without it skips the test, by the tool's name."""
    path = f"{ROOT}/build/debian/usr/bin:{os.environ['PATH']}"
    return shutil.which(tool, path=path) or pytest.skip(f"{tool} is not here")


def start_prometheus(folder, port):
    """A real one, with the prometheus.yml of this folder; the caller ends it."""
    return subprocess.Popen(
        [
            need("prometheus"),
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "prometheus.log").open("wb"),
    )


class Endpoint:
    """The HTTP endpoint of a varve that runs with metrics.listen 127.0.0.1:0."""

    def __init__(self, varve):
        line = varve.wait_line("listening")
        self.url = re.search(r"http://[0-9.]+:[0-9]+/", line["text"])[0]
        self.host, port = self.url[len("http://") : -1].split(":")
        self.port = int(port)
        self.target = f"{self.host}:{self.port}"

    def get(self, path, method="GET"):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def text(self, path):
        return self.get(path)[2].decode()

    def status(self):
        return json.loads(self.text("/status.json"))

    def metrics(self):
        return parse(self.text("/metrics"))

    def ready(self):
        status, _, body = self.get("/readyz")
        assert status in (200, 503)
        return status == 200, body.decode()

    def wait_ready(self, wanted, reason=""):
        """Wait until /readyz says this, with a reason that contains this text."""

        def says():
            ready, text = self.ready()
            return ready == wanted and reason in text

        wait_for(says, f"ready={wanted} {reason}: {self.ready()}")


SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\.)*)"')


def parse(text):
    """{(name, label, ...): value} of the Prometheus text format; labels are "key=value"."""
    out = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        key = (found[1], *(f"{k}={v}" for k, v in LABEL.findall(found[2] or "")))
        assert key not in out, line
        out[key] = float(found[3])
    return out


def watched(runner, **more):
    """The configuration with an endpoint, alerts, and commits soon."""
    return runner.config(
        **{
            "metrics": {"listen": "127.0.0.1:0"},
            "alerts": {"subject": ALERTS},
            "batching": {"max_age": "300ms"},
            **more,
        }
    )


def fields(data):
    """{number: value} of a protobuf message of varints and bytes."""

    def varint(at):
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                return value, at

    out, at = {}, 0
    while at < len(data):
        tag, at = varint(at)
        value, at = varint(at)
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        out[tag >> 3] = value
    return out


def alerts(server, stream="OPS"):
    """All alerts that the stream holds, in order: payloads, with the event's fields added."""
    out = []
    for _, _, subject, headers, data in server.messages(stream):
        event = fields(data)
        alert = json.loads(event[3])
        assert subject == ALERTS
        assert event[2].decode() == f"logging.alert.{alert['alert']}.v1"
        assert event[7] == b"application/json"
        assert headers["Nats-Msg-Id"] == event[1].decode()
        alert["event"] = {"id": event[1], "time_ns": event[4], "worker": event[5], "for": event[8]}
        out.append(alert)
    return out


def wait_alert(server, name, state, count=1):
    """Wait for the count-th alert of this name and state, and return it."""

    def found():
        some = [a for a in alerts(server) if (a["alert"], a["state"]) == (name, state)]
        return some[count - 1 : count]

    return wait_for(found, f"alert {name} {state}")[0]
