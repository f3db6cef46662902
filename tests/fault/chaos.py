# SPDX-License-Identifier: MIT
"""Whatever can break does, at random moments, while events are published and drained."""

import os
import random
import signal
import ssl
import time
from collections import Counter

import s3_support
from certificates import Certificate
from generator import Load
from nkeys_jwt import Operator, credentials
from proxy import Proxy
from publisher import Publisher
from support import Output, Runner, Server, check_rows, seen, verify, wait_for

KINDS = ("limits", "position", "workqueue", "secured")
PAUSE = (0.02, 0.7)  # seconds between two faults


class Chaos:
    """One run. `kind` is a stream with limits drained by a durable consumer or by position, or a
    work queue; "secured" is the first over TLS, with a certificate and credentials of ours. `store`:
    the table is in its bucket, and it breaks like everything else."""

    def __init__(self, directory, binary, kind, seed, store=None):
        self.kind = kind
        self.store = store
        if store:
            store.__enter__()
        self.random = random.Random(seed)
        self.server = Server(binary, directory / "nats")
        self.login = {}
        self.secrets = []
        if kind == "secured":
            self.secure(directory)
        self.server.start()
        retention = "workqueue" if kind == "workqueue" else "limits"
        self.server.add_stream(retention=retention)
        self.proxy = Proxy(self.server.port)
        self.runner = Runner(directory, self.server, store)
        self.runs = []
        self.publisher = None
        self.kills = 0

    def secure(self, directory):
        """Server and client have to prove who they are; all that does is a secret."""
        ca = Certificate("test CA", ca=True)
        ca_file, _ = ca.write(directory, "ca")
        cert, key = Certificate("server", ca, ["127.0.0.1"]).write(directory, "server")
        client = Certificate("client", ca)
        password = "a-word-that-is-secret"
        own, own_key = client.write(directory, "client", password.encode())
        _, plain_key = client.write(directory, "plain")
        operator = Operator()
        jwt, seed = operator.user()
        (directory / "password").write_text(password)
        (directory / "creds").write_text(credentials(jwt, seed))
        for name in ("password", "creds"):
            (directory / name).chmod(0o600)
        self.secrets = [password, seed, jwt.rsplit(".", 1)[1]]
        self.login = {
            "credentials_file": str(directory / "creds"),
            "tls": {"ca_file": ca_file, "cert_file": own, "key_file": own_key,
                    "key_password_file": str(directory / "password")},
        }
        context = ssl.create_default_context(cafile=ca_file)
        context.load_cert_chain(own, plain_key)
        self.server.credentials = {"tls": context, **operator.client()}
        self.server.configure(
            f'tls {{ cert_file: "{cert}", key_file: "{key}", ca_file: "{ca_file}", verify: true }}\n'
            + operator.config()
        )

    def search(self):
        """No secret is in what can be seen of the run from outside."""
        if self.secrets and self.run.process.poll() is None:
            texts = seen(self.run)
            assert not [name for name, text in texts.items() if any(s in text for s in self.secrets)]

    def close(self):
        self.runner.close()
        self.proxy.close()
        self.server.stop(signal.SIGKILL)
        if self.store:
            self.store.kill()

    def settings(self, url):
        delivery = "position" if self.kind == "position" else "durable"
        return {
            "nats": {"servers": [url], **self.login},
            "sources": [{"stream": "LOGGING", "delivery": delivery}],
            "batching": {"max_rows": 400, "max_age": "150ms"},
        }

    def begin(self):
        cores = ["prlimit", "--core=unlimited"] if self.secrets else []
        self.run = self.runner.start(prefix=cores, **self.settings(self.proxy.url))
        self.runs.append(self.run)

    # ---- faults

    def kill_varve(self):
        """With secrets in a way that would leave a core file."""
        self.search()
        self.run.stop(signal.SIGABRT if self.secrets else signal.SIGKILL)
        self.begin()
        self.kills += 1

    def kill_server(self):
        self.server.stop(signal.SIGKILL)
        self.pause(0.3)
        self.server.start()
        self.kills += 1

    def kill_both(self):
        self.server.process.kill()
        self.run.stop(signal.SIGKILL)
        self.server.stop(signal.SIGKILL)
        self.begin()
        self.server.start()
        self.kills += 2

    def stop_varve(self):
        assert self.run.stop() == 0, self.run.text()
        self.begin()

    def restart_server(self):
        self.server.stop()
        self.server.start()

    def suspend(self, process):
        os.kill(process.pid, signal.SIGSTOP)
        self.pause(1.5)
        os.kill(process.pid, signal.SIGCONT)

    def suspend_varve(self):
        self.suspend(self.run.process)

    def suspend_server(self):
        self.suspend(self.server.process)

    def reset(self):
        self.proxy.reset_after(self.random.randrange(1, 200_000))

    def freeze(self):
        self.proxy.freeze()
        self.pause(1.5)
        self.random.choice((self.proxy.thaw, self.proxy.reset))()
        self.proxy.thaw()

    def kill_store(self):
        self.store.kill()
        self.pause(0.3)
        self.store.start()
        self.kills += 1

    def suspend_store(self):
        self.suspend(self.store.process)

    def delete_consumer(self):
        from nats.errors import Error
        from nats.js.errors import NotFoundError

        async def work(js):
            for consumer in await js.consumers_info("LOGGING"):
                try:
                    await js.delete_consumer("LOGGING", consumer.name)
                except NotFoundError:
                    pass  # it was being given up

        try:
            self.server.ask(work)
        except Error:
            pass  # a server that has just come up

    FAULTS = (
        (6, kill_varve),
        (4, kill_server),
        (1, kill_both),
        (1, stop_varve),
        (1, restart_server),
        (1, suspend_varve),
        (1, suspend_server),
        (3, reset),
        (1, freeze),
        (2, delete_consumer),
    )
    OF_STORES = ((4, kill_store), (1, suspend_store))

    # ---- the run

    def pause(self, longest=None):
        shortest, usual = PAUSE
        time.sleep(self.random.uniform(shortest, longest or usual))

    def go(self, kills):
        login = self.server.credentials if self.secrets else {}
        self.publisher = Publisher(self.server.url, Load(seed=77, payload_bytes=300), **login)
        self.begin()
        possible = self.FAULTS + (self.OF_STORES if self.store else ())
        weights, faults = zip(*possible, strict=True)
        while self.kills < kills:
            self.pause()
            fault = self.random.choices(faults, weights)[0]
            fault(self)
        events = self.publisher.stop()
        self.search()
        assert self.run.stop() == 0, self.run.text()
        self.runner.once(**self.settings(self.server.url))
        return events

    def check(self, events):
        if self.store:  # where what a process has sent may come when it is dead
            url = f"s3://{self.store.bucket}/table"
            verify(url, env=s3_support.environment(AWS_ENDPOINT_URL=self.store.endpoint))
        else:
            over = any(run.lines("starting_over") for run in self.runs)
            assert not over, "the table was ours alone"
        held = None if self.kind == "workqueue" else self.server.messages()
        check_published(self.runner.output, events, self.publisher.repeated, held)
        for run in self.runs:
            assert not [secret for secret in self.secrets if secret in run.text()]
        if self.kind != "position":
            # Whether a work queue is empty is not asked: 2.9.10 forgets removals when it is killed.
            wait_for(lambda: self.server.unacked() == 0, "all is acked")
            assert self.server.consumer().num_pending == 0


def sequences_by_generation(root):
    """{when the stream was made, as files say it: the sequences of their rows}"""
    import pyarrow.parquet

    out = {}
    for path, keys in Output(root).footers().items():
        sequences = pyarrow.parquet.read_table(path, columns=["stream_seq"], partitioning=None)
        created = keys["varve.stream_created"]
        out.setdefault(created, []).extend(sequences["stream_seq"].to_pylist())
    return out


def check_published(root, events, repeated, held=None):
    """Each event that a stream has confirmed is there, once; under the number that the stream gave
    it, where `held` are all messages of the stream."""
    rows = {event.row["event_id"]: event.row for event in events}
    table = Output(root).table()
    numbers, ids = table["stream_seq"].to_pylist(), table["event_id"].to_pylist()
    found = dict(zip(numbers, ids, strict=True))
    # A work queue that is empty when nats-server 2.9.10 is killed may begin at 1 again: then its
    # numbers are those of another generation.
    generations = sequences_by_generation(root)
    assert held is None or len(generations) == 1
    for created, sequences in generations.items():
        assert len(sequences) == len(set(sequences)), f"a sequence of {created} twice"
    assert set(ids) == set(rows)
    # An event under two numbers was stored twice: by a publisher that asked twice, or, where the
    # stream forgets what is drained, by its client, which sends again what a lost connection took.
    twice = {event_id for event_id, count in Counter(ids).items() if count > 1}
    if held is not None:
        assert twice <= repeated, "an event twice"
        data = {event.row["event_id"]: event.data for event in events}
        assert {seq: data[i] for seq, i in found.items()} == {m[0]: m[4] for m in held}
    expected = [
        {**rows[i], "stream_seq": seq, "headers": f"NATS/1.0\r\nNats-Msg-Id: {i}\r\n\r\n".encode()}
        for seq, i in zip(numbers, ids, strict=True)
    ]
    check_rows(root, expected)
