# SPDX-License-Identifier: MIT
"""Time-series databases as processes, and one that answers what a test tells it to."""

import contextlib
import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import pytest
from support import ROOT, end, free_port, wait_for

PROGRAMS = ROOT / "build" / "debian" / "usr" / "bin"


def ask(url, data=None, **query):
    if query:
        url += "?" + urllib.parse.urlencode(query)
    body = data.encode() if isinstance(data, str) else data
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=30) as answer:
        return answer.read().decode()


class Database:
    """A process that listens at self.port."""

    def __init__(self, directory):
        self.directory = directory
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)

        def up():
            assert self.process.poll() is None, (self.directory / "log").read_text()
            with contextlib.suppress(OSError):
                return ask(self.base + "/ping") is not None

        wait_for(up, f"{type(self).__name__} at {self.base}")
        return self

    def stop(self):
        end(self.process)


def program_or_skip(name):
    if not (PROGRAMS / name).exists():
        pytest.skip(f"{name} is not here")
    return PROGRAMS / name


class Influx(Database):
    """InfluxDB 1, with a database `sim`."""

    def command(self):
        config = self.directory / "influxdb.conf"
        config.write_text(
            "reporting-disabled = true\n"
            f'bind-address = "127.0.0.1:{free_port()}"\n'
            f'[meta]\ndir = "{self.directory}/meta"\n'
            f'[data]\ndir = "{self.directory}/data"\nwal-dir = "{self.directory}/wal"\n'
            f'[http]\nbind-address = "127.0.0.1:{self.port}"\nmax-body-size = 200000\n'
            "[monitor]\nstore-enabled = false\n"
        )
        return [program_or_skip("influxd"), "-config", config]

    def start(self):
        super().start()
        self.query("CREATE DATABASE sim")
        return self

    url = property(lambda self: f"{self.base}/write?db=sim")

    def query(self, text):
        """Rows as dicts; times are integers."""
        url = f"{self.base}/query?db=sim&epoch=ns&q={urllib.parse.quote(text)}"
        found = json.loads(ask(url, b""))["results"][0]
        assert "error" not in found, found
        series = found.get("series", [])
        return [dict(zip(s["columns"], v, strict=True)) for s in series for v in s["values"]]


class Victoria(Database):
    def command(self):
        return [
            program_or_skip("victoria-metrics"),
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self.directory}/data",
            "-retentionPeriod=100y",
        ]

    url = property(lambda self: f"{self.base}/write")

    def export(self, match):
        ask(f"{self.base}/internal/force_flush")
        text = ask(f"{self.base}/api/v1/export", **{"match[]": match})
        return [json.loads(line) for line in text.splitlines()]


class Quest(Database):
    """QuestDB, whose tables keep a row once by DEDUP UPSERT KEYS."""

    def command(self):
        jars = sorted((ROOT / "build" / "questdb").glob("questdb-*.jar"))
        if not jars or not shutil.which("java"):
            pytest.skip("QuestDB is not here")
        (self.directory / "conf").mkdir(exist_ok=True)
        (self.directory / "conf" / "server.conf").write_text(
            f"http.bind.to=127.0.0.1:{self.port}\nhttp.min.enabled=false\npg.enabled=false\n"
            "line.tcp.enabled=false\ntelemetry.enabled=false\nshared.worker.count=2\n"
        )
        java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"]
        main = ["-p", jars[-1], "-m", "io.questdb/io.questdb.ServerMain"]
        return [*java, *main, "-d", self.directory]

    url = property(lambda self: f"{self.base}/write")

    def query(self, text):
        return json.loads(ask(f"{self.base}/exec", query=text)).get("dataset")

    def settle(self, table):
        """Until what was written to a table can be read."""

        def done():
            found = self.query(
                f"SELECT writerTxn, sequencerTxn FROM wal_tables() WHERE name = '{table}'"
            )
            return found and found[0][0] == found[0][1]

        wait_for(done, f"{table} of QuestDB")


class Scripted:
    """Answers the requests to come with what is in `script`, and then with `rest`: (status, fields,
    body), a function of the request's body that returns this, or None to close the connection
    without an answer. `asked` is what has come, as (path with query, fields, body)."""

    def __init__(self, *script, rest=(204, {}, b""), tls=None):
        self.script, self.rest, self.asked, self.lock = list(script), rest, [], Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.lock:
                    outer.asked.append((self.path, dict(self.headers), body))
                    answer = outer.script.pop(0) if outer.script else outer.rest
                answer = answer(body) if callable(answer) else answer
                if answer is None:
                    self.close_connection = True
                    return
                status, fields, text = answer
                text = json.dumps(text).encode() if isinstance(text, dict) else text
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_):
                """Who asks may be killed meanwhile."""

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.server.daemon_threads = True
        self.base = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def lines(self):
        """Of each request that had some."""
        return [body.decode().splitlines() for _, _, body in self.asked if body]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
