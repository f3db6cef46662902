# SPDX-License-Identifier: MIT
"""What the tests against real servers share: nats-server, varve and varve-gen as processes, and
readers of what varve wrote that are not varve.

Nothing here sleeps to let something happen: whatever is waited for is polled, with a deadline.
Deadlines are there for what never comes: PATIENCE is far more than a machine needs that is slow and
busy with other tests.
"""

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("VARVE_BUILD", ROOT / "build"))
VENV = ROOT / "build" / "venv"
VARVE = BUILD / "varve"
VARVE_FAULT = BUILD / "varve-fault"
GEN = BUILD / "varve-gen"

PATIENCE = 120.0  # seconds

SUBJECT = "logging.events.raw"
COLUMNS = (
    "timestamp_ns",
    "event_id",
    "event_type_key",
    "event_payload",
    "worker_id",
    "simulation_id",
    "payload_format_hint",
    "correlation_id",
    "unknown_fields",
    "stream_seq",
    "stream_time",
    "nats_subject",
    "event_time",
    "headers",
)


def kill_after(child, seconds):
    """SIGKILL, unless it ends by itself before."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def wait_for(condition, what, seconds=PATIENCE):
    """Poll until condition() is true, and return what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def repeat_until(condition, action, what, seconds=PATIENCE):
    """Do action, at least once, until condition() is true. Time is what ends it: how many times
    that is depends on the machine."""
    deadline = time.monotonic() + seconds
    while True:
        action()
        if condition():
            return
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"


class Ports:
    """Ports of this host that nobody else takes meanwhile: they are below those that the kernel
    gives to outgoing connections, and a lock keeps other runs of these tests away from them. None
    is given out twice, since a server may want its own again after a restart."""

    FIRST = 10000

    def __init__(self):
        low = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]
        count = max(int(low) - self.FIRST, 1000)
        first = random.randrange(count)
        self.left = (self.FIRST + (first + i) % count for i in range(count))
        # Anybody may run tests here. The lock of a byte is that of the port, until we end.
        path = Path(tempfile.gettempdir()) / f"varve-test-ports-{os.geteuid()}"
        self.file = path.open("ab")

    def take(self):
        for port in self.left:
            try:
                fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue
        raise AssertionError("no port is free")


ports = None


def free_port():
    global ports
    ports = ports or Ports()
    return ports.take()


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def end(process, number=signal.SIGKILL, seconds=PATIENCE):
    """Signal one process that we started, and wait for it. Its exit status."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(60)
        raise AssertionError(f"{process.args[0]} ignored signal {number} for {seconds} s") from None


# ---- nats-server ---------------------------------------------------------------------------------


def server_binaries():
    """The servers that can be had here, by name: path, or None."""
    debian = (ROOT / "build/debian/usr/sbin/nats-server", Path("/usr/sbin/nats-server"))
    return {
        "debian": next((path for path in debian if path.exists()), None),
        "newest": next((p for p in [VENV / "bin/nats-server"] if p.exists()), None),
    }


class Server:
    """A nats-server with JetStream in a directory of its own; the port stays over a restart."""

    def __init__(
        self,
        binary,
        directory,
        extra="",
        domain=None,
        user=None,
        password=None,
        token=None,
        limits="",
    ):
        self.limits = limits
        self.binary = binary
        self.directory = directory
        self.log = directory / "nats-server.log"
        self.process = None
        self.credentials = {"user": user, "password": password, "token": token}
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.domain = f", domain: {domain}" if domain else ""
        self.configure(extra)

    def configure(self, extra):
        self.config = self.directory / "nats-server.conf"
        self.config.write_text(
            f"listen: 127.0.0.1:{self.port}\nserver_name: test\n"
            f"jetstream {{ store_dir: {json.dumps(str(self.directory / 'jetstream'))}"
            f"{self.domain}{self.limits} }}\n{extra}\n"
        )

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, "-c", self.config, "-l", self.log],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.binary}: {self.log.read_text()[-1000:]}")
            return accepts(self.port)

        wait_for(ready, "nats-server listens")
        return self

    def stop(self, number=signal.SIGTERM):
        if self.process is not None:
            end(self.process, number)
            self.process = None

    def reload(self, extra):
        """Give the running server another configuration; it is in force when this returns."""
        said = "Reloaded server configuration"
        before = self.log.read_text(errors="replace").count(said)
        self.configure(extra)
        self.process.send_signal(signal.SIGHUP)
        wait_for(
            lambda: self.log.read_text(errors="replace").count(said) > before,
            "nats-server has read its configuration",
        )

    async def connect(self, seconds=PATIENCE / 2):
        """A client of nats-py. A server that starts, or that reads its configuration again, turns
        connections down for a moment: asked again until it is over."""
        import nats

        async def ignore(_):
            pass

        given = {key: value for key, value in self.credentials.items() if value}
        deadline = time.monotonic() + seconds
        while True:
            try:
                return await nats.connect(
                    self.url, connect_timeout=20, allow_reconnect=False, error_cb=ignore, **given
                )
            except (nats.errors.Error, OSError, asyncio.TimeoutError):
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
            await asyncio.sleep(0.1)

    def ask(self, work, seconds=PATIENCE):
        """The result of the coroutine work(jetstream), on a connection of its own."""

        async def main():
            client = await self.connect(min(seconds, PATIENCE / 2))
            try:
                return await asyncio.wait_for(work(client.jetstream(timeout=30)), seconds)
            finally:
                await client.close()

        return asyncio.run(main())

    def stream(self, name="LOGGING"):
        return self.ask(lambda js: js.stream_info(name))

    def consumer(self, name="varve", stream="LOGGING"):
        return self.ask(lambda js: js.consumer_info(stream, name))

    def wait_acked(self, last, name="varve", stream="LOGGING"):
        """Wait until each message is acked, of which this is the last's sequence."""
        wait_for(
            lambda: self.consumer(name, stream).ack_floor.stream_seq == last,
            f"all is acked up to {last}",
        )

    def unacked(self, name="varve", stream="LOGGING"):
        """Deliveries that are not acked; None while there is no such consumer."""
        from nats.js.errors import NotFoundError

        try:
            return self.consumer(name, stream).num_ack_pending
        except NotFoundError:
            return None

    def cpu_seconds(self):
        """That it has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def add_stream(self, name="LOGGING", subjects=(SUBJECT,), **settings):
        return self.ask(lambda js: js.add_stream(name=name, subjects=list(subjects), **settings))

    def delete_stream(self, name="LOGGING"):
        return self.ask(lambda js: js.delete_stream(name))

    def delete_consumer(self, name="varve", stream="LOGGING"):
        from nats.js.errors import ServerError

        async def delete(js):
            try:
                await js.delete_consumer(stream, name)
            except ServerError as error:
                # An old one trips over its own files now and then; the consumer is gone then.
                assert error.err_code == 10051, error

        self.ask(delete)

    def publish(self, messages, subject=SUBJECT):
        """Publish each of these payloads, in this order; the sequences that they got."""

        async def work(js):
            return [(await js.publish(subject, data)).seq for data in messages]

        return self.ask(work)

    def messages(self, stream="LOGGING"):
        """All messages of a stream as (sequence, stored at in ns, subject, headers, data)."""
        return self.ask(lambda js: all_messages(js, stream))

    def generate(self, count, **options):
        """Run varve-gen; (first, last) sequence."""
        return generate(self.url, count, **options)


async def all_messages(js, stream):
    """See Server.messages."""
    from nats.js.api import AckPolicy, ConsumerConfig

    left = (await js.stream_info(stream)).state.messages
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, inactive_threshold=60)
    made = await js.add_consumer(stream, config)
    pull = await js.pull_subscribe_bind(consumer=made.name, stream=stream)
    out = []
    while len(out) < left:
        for m in await pull.fetch(min(1000, left - len(out)), timeout=30):
            # $JS.ACK.stream.consumer.deliveries.sequence.number.time.pending, perhaps with domain,
            # account and a random token: count from the end or the start.
            tokens = m.reply.split(".")
            numbers = tokens[4:9] if len(tokens) < 11 else tokens[6:11]
            out.append((int(numbers[1]), int(numbers[3]), m.subject, m.headers, m.data))
    await js.delete_consumer(stream, made.name)  # who polls would have too many of them
    return out


def generate(url, count, prefix=(), **options):
    args = [*prefix, GEN, "--server", url, "--count", str(count)]
    for name, value in options.items():
        args += [f"--{name.replace('_', '-')}", str(value)]
    out = subprocess.run(args, capture_output=True, text=True, timeout=PATIENCE)
    assert out.returncode == 0, out.stderr
    found = re.search(r"first_seq=(\d+) last_seq=(\d+)", out.stdout)
    return int(found[1]), int(found[2])


# ---- a network of one's own -------------------------------------------------------------------


class Namespace:
    """A network of its own, in which the default ports are free."""

    def __init__(self):
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        # An unused loopback interface is down; any process may be the one that keeps it alive.
        up = (
            "import fcntl, socket, struct, sys\n"
            "s = socket.socket()\n"
            "flags = fcntl.ioctl(s, 0x8913, struct.pack('16sh14x', b'lo', 0))\n"
            "flags = struct.unpack('16sh14x', flags)[1] | 1\n"
            "fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'lo', flags))\n"
            "print('up', flush=True)\n"
            "sys.stdin.read()\n"
        )
        self.keeper = subprocess.Popen(
            ["unshare", "--net", *user, "/usr/bin/env", "python3", "-c", up],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.works = self.keeper.stdout.readline() == "up\n"
        enter = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        self.prefix = ["nsenter", "--net", *enter, "--target", str(self.keeper.pid)]

    def close(self):
        end(self.keeper)


# ---- varve ---------------------------------------------------------------------------------------


def merge(into, more):
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
    return into


class Varve:
    """One run of varve. What it logs goes to a file, as JSON lines unless told otherwise."""

    def __init__(self, directory, config, *args, prefix=(), env=None, cwd=None, program=VARVE):
        directory.mkdir(parents=True, exist_ok=True)
        number = len(list(directory.glob("varve-*.log")))
        self.log = directory / f"varve-{number}.log"
        self.config = config
        if isinstance(config, dict):
            # YAML contains JSON.
            path = directory / f"varve-{number}.yaml"
            path.write_text(json.dumps(config))
            args = ("-c", path, *args)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*prefix, program, "run", *args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, **(env or {})},
                cwd=cwd,
            )

    def text(self):
        return self.log.read_text(errors="replace")

    def lines(self, event=None, **fields):
        """What it has logged so far: the lines that are of this event and have these fields."""
        out = []
        for text in self.text().split("\n")[:-1]:
            line = json.loads(text) if text.startswith("{") else {"event": None, "text": text}
            wanted = {"event": event, **fields} if event else fields
            if all(line.get(key) == value for key, value in wanted.items()):
                out.append(line)
        return out

    def wait_line(self, event, count=1, seconds=PATIENCE, **fields):
        """Wait for the count-th such line, and return it."""

        def found():
            lines = self.lines(event, **fields)
            if len(lines) < count and self.process.poll() is not None:
                raise AssertionError(f"varve ended without {event} {fields}:\n{self.text()}")
            return lines[count - 1 : count]

        try:
            return wait_for(found, f"line {count} of {event} {fields}", seconds)[0]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()}") from None

    def wait_rows(self, rows, seconds=PATIENCE):
        """Wait until that many rows are committed."""

        def done():
            if self.process.poll() is not None:
                raise AssertionError(f"varve ended:\n{self.text()}")
            return sum(line["rows"] for line in self.lines("committed")) >= rows

        try:
            wait_for(done, f"{rows} rows committed", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()}") from None

    def wait(self, seconds=PATIENCE):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"varve still runs after {seconds} s:\n{self.text()}") from None

    def send(self, number):
        self.process.send_signal(number)

    def reload(self, section, key, value):
        """Change a key of its configuration; it is in force when this returns."""
        before = len(self.lines("reloaded", key=f"{section}.{key}"))
        self.config.setdefault(section, {})[key] = value
        self.log.with_suffix(".yaml").write_text(json.dumps(self.config))
        self.send(signal.SIGHUP)
        line = self.wait_line("reloaded", before + 1, key=f"{section}.{key}")
        assert line["effect"] == "now"

    def stop(self, number=signal.SIGTERM, seconds=PATIENCE):
        return end(self.process, number, seconds)


PATHS = ("/", "/status.json", "/metrics", "/readyz", "/healthz", "/nothing")


def seen(run, endpoint=None, places=()):
    """Whatever can be seen of a run from outside, by where it was seen: its log, its arguments, what
    it serves, the files in these places. Where secrets must not be. It runs on meanwhile, so that a
    file that was listed may be gone."""
    proc = Path(f"/proc/{run.process.pid}")
    texts = {
        "log": run.text(),
        **{name: (proc / name).read_text() for name in ("cmdline", "comm", "status", "maps")},
    }
    if endpoint:
        texts.update({path: endpoint.text(path) for path in PATHS})
    for root in places:
        for path in Path(root).rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    texts[path] = path.read_bytes().decode(errors="replace")
    return texts


class Runner:
    """Starts varve against one server, and ends whatever is left of it. With a `store`, a Versitygw
    of s3_support.py that runs, the table is in its bucket, whose objects are the files of `output`.
    """

    def __init__(self, directory, server, store=None):
        self.directory = directory
        self.output = store.path("table") if store else directory / "out"
        self.server = server
        self.store = store
        self.started = []

    def config(self, **more):
        place = {"log_output_directory": str(self.output), "min_free": 0}
        base = {
            "nats": {"servers": [self.server.url]} if self.server else {},
            "output": self.store.settings("table") if self.store else place,
            "metrics": {"listen": "off"},
            "settings": {"log_format": "json"},
        }
        return merge(base, more)

    def elsewhere(self):
        """The output of another table."""
        if self.store:
            return self.store.settings("table-2")
        return {"log_output_directory": f"{self.output}-2"}

    def start(self, *args, config=None, prefix=(), env=None, cwd=None, program=VARVE, **more):
        if config is None:
            config = self.config(**more)
        varve = Varve(
            self.directory,
            config,
            *args,
            prefix=prefix,
            env=env,
            cwd=cwd,
            program=program,
        )
        self.started.append(varve)
        return varve

    def once(self, *args, seconds=PATIENCE, **more):
        """Drain to the end; it must work."""
        varve = self.start("--once", *args, **more)
        assert varve.wait(seconds) == 0, varve.text()
        return varve

    def close(self):
        for varve in self.started:
            if varve.process.poll() is None:
                end(varve.process)


# ---- what was written ----------------------------------------------------------------------------


def partition(value):
    """What a simulation_id is as a directory, by the rules of the design; not for long ones."""
    if not value:
        return "%empty"
    out = urllib.parse.quote(value, safe="").replace("~", "%7E")
    return ("%%%02X" % ord(value[0])) + out[1:] if value[0] in "._" else out


class Output:
    """A directory that varve wrote, as its commit log and its files say. May be read while varve
    commits: what the log names is there, and what is there before the log names it is waited for.
    """

    def __init__(self, root):
        self.root = Path(root)

    def entries(self):
        log = self.root / "_delta_log"
        seen = {path.name for path in log.glob("*.json")}
        entries = []
        for version in itertools.count():
            path = log / f"{version:020}.json"
            if not path.exists():
                break
            seen.discard(path.name)
            entries.append([json.loads(line) for line in path.read_text().splitlines()])
        assert not seen, f"entries after one that is missing: {seen}"
        return entries

    def adds(self):
        return [a["add"] for entry in self.entries() for a in entry if "add" in a]

    def named(self):
        """The data files that the log names, and has not removed."""
        names = set()
        for action in itertools.chain.from_iterable(self.entries()):
            if "remove" in action:
                names.discard(urllib.parse.unquote(action["remove"]["path"]))
            elif "add" in action:
                names.add(urllib.parse.unquote(action["add"]["path"]))
        return sorted(self.root / name for name in names)

    def files(self):
        """The data files; the tree must have those that the log names, and no others."""

        def found():
            return sorted(
                path
                for path in self.root.rglob("*")
                if path.relative_to(self.root).parts[0][0] not in "._" and path.is_file()
            )

        return agreed(self.named, found)

    def named_quarantine(self):
        """The files of the quarantine that the log names."""
        names = {
            urllib.parse.unquote(q["path"])
            for entry in self.entries()
            for action in entry
            for q in action.get("commitInfo", {}).get("varve", {}).get("quarantine", [])
        }
        return sorted(self.root / name for name in names)

    def quarantine_files(self):
        """The files of the quarantine; those that the log names, and no others."""
        return agreed(self.named_quarantine, lambda: sorted(self.root.glob("_quarantine/*")))

    def leftovers(self):
        """Files that only a crash may leave behind, and only until the next start."""
        return [
            path
            for path in self.root.rglob("*")
            if path.is_file()
            and (path.name.startswith(".") or ".varve" in path.relative_to(self.root).parts)
            and path.name not in ("lock", "%lock", "%waiting")
            and not path.name.startswith(".withdrawn-")  # names, for a day: bucket.md
        ]

    def table(self):
        """All rows in the order of the stream, read by pyarrow, checksums verified."""
        return read_arrow(self.named(), "stream_seq")

    def quarantine(self):
        files = self.named_quarantine()
        return read_arrow(files, "stream_seq").to_pylist() if files else []

    def footers(self):
        import pyarrow.parquet

        keys = {path: pyarrow.parquet.read_metadata(path).metadata for path in self.files()}
        return {p: {k.decode(): v.decode() for k, v in m.items()} for p, m in keys.items()}


def agreed(named, found, seconds=PATIENCE):
    """What the log names, once the directory has the same: a commit puts its files in their places
    before it is in the log."""
    deadline = time.monotonic() + seconds
    while True:
        before, there = named(), found()
        if before == there == named():
            return there
        if time.monotonic() > deadline:
            assert there == before
        time.sleep(0.01)


def read_arrow(files, order):
    import pyarrow
    import pyarrow.parquet

    tables = [
        pyarrow.parquet.ParquetFile(path, page_checksum_verification=True).read() for path in files
    ]
    return pyarrow.concat_tables(tables).sort_by(order)


def ranges(sequences):
    """As verify tells them: ["1-3", "5-5"]."""
    parts = []
    for seq in sorted(sequences):
        if parts and seq == parts[-1][1] + 1:
            parts[-1][1] = seq
        else:
            parts.append([seq, seq])
    return [f"{first}-{last}" for first, last in parts]


def clean_up_log(output):
    """A checkpoint by deltalake, and the removal of entries that are older than 30 days, which all
    are made to be."""
    from deltalake import DeltaTable

    then = time.time() - 90 * 86400
    for path in (output / "_delta_log").iterdir():
        with contextlib.suppress(FileNotFoundError):  # of a varve that runs
            os.utime(path, (then, then))
    table = DeltaTable(output)
    table.create_checkpoint()
    table.cleanup_metadata()


def verify(root, *options, status=0, env=None):
    """What varve verify says of the tree, in one JSON object: findings, and notes."""
    command = [VARVE, "verify", "--json", *options, root]
    out = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=env)
    assert out.returncode == status, out.stdout + out.stderr
    *lines, _ = map(json.loads, out.stdout.splitlines())
    return {key: [x for line in lines for x in line[key]] for key in ("findings", "notes")}


def check_verify(root, gaps=()):
    """What varve itself says about the tree: all is well. `gaps` are sequences that no file has and
    that the commit log accounts for, such as 5-7."""
    found = verify(root)
    assert found["findings"] == []
    assert [note["text"].split(": ")[1].split(" ")[0] for note in found["notes"]] == list(gaps)


def micros(ns):
    return ns // 1000


def check_rows(root, rows, quarantined=None, times=None, gaps=()):
    """The tree under root holds exactly these rows, {sequence: row}, each once, whatever reads it (or,
    where a stream has given a number twice, a list of rows in the order of their numbers);
    and in quarantine exactly these messages, {sequence: bytes}. `times` are {sequence: ns};
    `gaps` are what the stream has no message for, such as 5-7."""
    output = Output(root)
    output.files()
    output.quarantine_files()
    ordered = rows if isinstance(rows, list) else [rows[seq] for seq in sorted(rows)]
    sequences = [row["stream_seq"] for row in ordered] if isinstance(rows, list) else sorted(rows)
    table = output.table()
    assert table.column_names == list(COLUMNS)
    assert table["stream_seq"].to_pylist() == sequences
    for name in COLUMNS:
        if name in ordered[0]:
            assert table[name].to_pylist() == [row[name] for row in ordered], name
    if times:
        import pyarrow

        column = table["stream_time"].cast(pyarrow.int64()).to_pylist()
        assert column == [micros(times[seq]) for seq in sequences]
    assert not output.leftovers()
    quarantined = quarantined or {}
    assert {r["stream_seq"]: r["payload"] for r in output.quarantine()} == quarantined
    assert len(output.quarantine()) == len(quarantined)
    check_verify(root, gaps)


def numbered(messages, first=1, subject=SUBJECT):
    """Messages of a generator.Load that got sequences from `first` on: what check_rows wants."""
    rows, quarantined = {}, {}
    for sequence, message in enumerate(messages, first):
        if message.row is None:
            quarantined[sequence] = message.data
        else:
            rows[sequence] = {
                **message.row,
                "stream_seq": sequence,
                "nats_subject": subject,
            }
    return rows, quarantined
